//! `vdpa` over a false kernel, byte by byte, over one that lies, and over this machine's.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use hematite_host::Error;
use hematite_host::error::Result;
use hematite_host::netlink::{Kernel, Message, Netlink, Wire};
use hematite_host::vdpa::{Mac, Modules, Vdpa, Wishes};
use hematite_sim::seed::{ReplayLine, Seed};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::false_kernel::{CONTROLLER, False};
use crate::schema::Schema;
use crate::served::hematite;

/// Folders as the kernel has them: modules that are there, one that is loaded, and the bus.
fn folders(modules: &str) -> (tempfile::TempDir, Modules, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("modules.dep"), modules).unwrap();
    fs::create_dir_all(folder.path().join("loaded/vduse")).unwrap();
    let found = Modules::at(folder.path(), &folder.path().join("loaded"));
    let bus = folder.path().join("bus");
    (folder, found, bus)
}

fn open(kernel: &mut False) -> Vdpa<&mut False> {
    let (_folder, modules, bus) = folders("kernel/drivers/vdpa/vdpa.ko.xz:\n");
    Vdpa::new(kernel, modules, &bus).unwrap()
}

fn shown(report: impl serde::Serialize) -> Value {
    let json = serde_json::to_value(report).unwrap();
    Schema::read().check(&json);
    json
}

#[test]
fn a_device_comes_is_listed_and_goes() {
    let mut kernel = False { makers: vec!["pci/0000:3b:00.0", "vdpasim_net"], ..False::default() };
    let mut vdpa = open(&mut kernel);
    let json = shown(vdpa.management().unwrap());
    assert_eq!(
        (&json["management"][0]["name"], &json["management"][1]["name"]),
        (&json!("pci/0000:3b:00.0"), &json!("vdpasim_net"))
    );
    let first = &json["management"][0];
    assert_eq!((&first["kinds"], &first["max_queues"]), (&json!(["network", "block"]), &json!(9)));
    assert_eq!(first["features"]["value"], json!("0x100000020"));
    let wishes = Wishes { mac: Some("52:54:00:01:02:03".parse().unwrap()), mtu: Some(9000), pairs: Some(2) };
    let added = shown(vdpa.add("one", &"pci/0000:3b:00.0".parse().unwrap(), &wishes).unwrap());
    assert_eq!(added["device"]["config"]["mac"], json!("52:54:00:01:02:03"));
    vdpa.add("two", &"vdpasim_net".parse().unwrap(), &Wishes::default()).unwrap();
    let json = shown(vdpa.devices().unwrap());
    let one = &json["devices"][0];
    assert_eq!(
        (&one["name"], &one["management"], &one["kind"]),
        (&json!("one"), &json!("pci/0000:3b:00.0"), &json!("network"))
    );
    assert_eq!(
        (&one["queues"], &one["queue_max"], &one["vendor_id"]),
        (&json!(3), &json!(256), &json!(0x1af4))
    );
    assert_eq!(
        (&one["config"]["link_up"], &one["config"]["mtu"], &one["config"]["pairs"]),
        (&json!(true), &json!(1500), &json!(null))
    );
    assert_eq!(shown(vdpa.remove("one").unwrap())["device"]["name"], json!("one"));
    assert_eq!(vdpa.devices().unwrap().devices.len(), 1);
    assert_eq!(kernel.told, [], "two wished nothing");
    // The very bytes of the question for management devices: header, command, and no attribute.
    assert_eq!(kernel.asked[1], [20, 0, 0, 0, 0x25, 0, 1, 3, 2, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0]);
}

#[test]
fn wishes_are_told_in_the_kernels_form() {
    let mut kernel = False { makers: vec!["a"], ..False::default() };
    let wishes = Wishes { mac: Some(Mac([2, 0, 0, 0, 0, 9])), mtu: Some(1400), pairs: Some(4) };
    open(&mut kernel).add("one", &"a".parse().unwrap(), &wishes).unwrap();
    let expected = [(10, vec![2, 0, 0, 0, 0, 9]), (13, 1400u16.to_le_bytes().into()), (12, vec![4, 0])];
    assert_eq!(kernel.told, expected);
}

#[test]
fn what_the_kernel_lacks_is_said() {
    let (_folder, modules, bus) = folders("kernel/drivers/vdpa/vdpa.ko.xz: kernel/drivers/vhost/x.ko\n");
    let mut kernel = False { without: true, ..False::default() };
    let error = Vdpa::new(&mut kernel, modules, &bus).err().unwrap();
    assert!(error.to_string().contains("no generic netlink family `vdpa`"), "{error}");
    assert!(error.next().starts_with("modprobe vdpa"), "{error}");
    let (_folder, modules, bus) = folders("kernel/drivers/net/virtio_net.ko:\n");
    let error = Vdpa::new(&mut kernel, modules, &bus).err().unwrap();
    assert!(error.next().contains("CONFIG_VDPA"), "{error}");
    // The family is there, and nothing that makes devices.
    let (_folder, modules, bus) = folders("kernel/drivers/vdpa/mlx5/mlx5_vdpa.ko.zst: kernel/vp_vdpa.ko\n");
    let mut kernel = False::default();
    let notes = Vdpa::new(&mut kernel, modules, &bus).unwrap().management().unwrap().notes;
    let note = |name: &str| notes.iter().find(|note| note.starts_with(name)).unwrap();
    assert!(note("mlx5_vdpa").contains("modprobe mlx5_vdpa"), "{notes:?}");
    assert!(note("vduse").contains("loaded"), "{notes:?}");
    assert!(
        note("vp_vdpa").contains("hematite bind --driver vp-vdpa") && note("vp_vdpa").contains("Debian"),
        "{notes:?}"
    );
    assert!(note("vdpa_sim_net").contains("not of this kernel"), "{notes:?}");
}

#[test]
fn refusals_have_the_kernels_words_and_what_to_do() {
    let mut kernel = False { makers: vec!["a"], devices: vec![("old".into(), false)], ..False::default() };
    let (folder, modules, bus) = folders("");
    let mut vdpa = Vdpa::new(&mut kernel, modules, &bus).unwrap();
    let error = vdpa.add("one", &"b".parse().unwrap(), &Wishes::default()).unwrap_err();
    assert!(error.to_string().contains("Fail to find") && error.next().contains("vdpa mgmt"), "{error}");
    let error = vdpa.remove("none").unwrap_err();
    assert!(error.to_string().contains("device not found") && error.next().contains("vdpa list"), "{error}");
    let list = vdpa.devices().unwrap();
    assert!(
        list.devices[0].config.is_none() && list.notes[0].contains("negotiation not completed"),
        "{list:?}"
    );
    // A driver of the bus has it.
    let home = bus.join("old");
    fs::create_dir_all(&home).unwrap();
    symlink(folder.path().join("vhost_vdpa"), home.join("driver")).unwrap();
    let error = vdpa.remove("old").unwrap_err();
    assert!(error.to_string().contains("vhost_vdpa has it"), "{error}");
    assert_eq!(vdpa.devices().unwrap().devices[0].driver.as_deref(), Some("vhost_vdpa"));
    assert!(kernel.devices.len() == 1);
}

#[test]
fn names_and_addresses_are_checked_before_anything_is_asked() {
    let mut kernel = False { makers: vec!["a"], ..False::default() };
    for name in ["", "a/b", "a\0b", &"x".repeat(128), &"x".repeat(70_000)] {
        let error = open(&mut kernel).add(name, &"a".parse().unwrap(), &Wishes::default()).unwrap_err();
        assert!(error.is_usage());
    }
    assert!(kernel.devices.is_empty());
    for text in [
        "",
        "1:2:3:4:5:6",
        "52:54:00:12:34",
        "52:54:00:12:34:56:78",
        "53:54:00:12:34:56",
        "+2:54:00:12:34:56",
    ] {
        assert!(text.parse::<Mac>().is_err(), "{text}");
        assert_eq!(hematite(&["vdpa", "add", "x", "--mgmt", "a", "--mac", text]).code, 2);
    }
    assert_eq!(hematite(&["vdpa", "add", "x", "--mgmt", "a", "--mtu", "67"]).code, 2);
    assert_eq!(hematite(&["vdpa", "add", "x"]).code, 2);
}

#[test]
fn a_kernel_that_lies_is_never_believed() {
    let seed = Seed::from_env(7);
    let _replay = ReplayLine(seed);
    let (_folder, modules, bus) = folders("");
    let (mut good, mut bad) = (0, 0);
    for round in 0..20_000u64 {
        let mut kernel = False {
            makers: vec!["pci/0000:3b:00.0", "b"],
            devices: vec![("x".into(), true)],
            ..False::default()
        };
        kernel.spoil = Some(seed.rng(round));
        let told = |vdpa: &mut Vdpa<&mut False>| -> Result<()> {
            vdpa.management()?;
            vdpa.devices()?;
            vdpa.add("y", &"b".parse()?, &Wishes::default())?;
            vdpa.remove("x").map(drop)
        };
        let ended = Vdpa::new(&mut kernel, modules.clone(), &bus).and_then(|mut vdpa| told(&mut vdpa));
        match ended {
            Ok(()) => good += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty() && !error.next().is_empty());
                bad += 1;
            }
        }
    }
    assert!(good > 1_000 && bad > 5_000, "{good} honest enough, {bad} refused");
}

/// A kernel that says nothing but noise.
struct Noise(ChaCha8Rng, usize);

impl Wire for Noise {
    fn send(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn receive(&mut self) -> Result<Vec<u8>> {
        self.1 += 1;
        let length = self.0.random_range(0..200);
        let mut bytes: Vec<u8> = (0..length).map(|_| self.0.random()).collect();
        if length >= 16 {
            bytes[..4].copy_from_slice(&(self.0.random_range(0..=length as u32)).to_le_bytes());
            bytes[4..12].copy_from_slice(&[
                self.0.random_range(0..4) * 8,
                0,
                0,
                self.0.random_range(0..4),
                1,
                0,
                0,
                0,
            ]);
        }
        Ok(bytes)
    }
}

#[test]
fn noise_ends() {
    let seed = Seed::from_env(8);
    let _replay = ReplayLine(seed);
    for round in 0..5_000u64 {
        let noise = Noise(seed.rng(round), 0);
        let _ = Vdpa::new(noise, Modules::at(Path::new("none"), Path::new("none")), Path::new("none"));
    }
    // Empty datagrams, on and on: there is an end.
    struct Empty;
    impl Wire for Empty {
        fn send(&mut self, _: &[u8]) -> Result<()> {
            Ok(())
        }
        fn receive(&mut self) -> Result<Vec<u8>> {
            Ok(vec![])
        }
    }
    assert!(matches!(Netlink::new(Empty).family("vdpa"), Err(Error::Netlink(_))));
}

#[test]
fn this_machines_kernel_tells_its_families() {
    let Ok(kernel) = Kernel::open() else { return };
    let mut netlink = Netlink::new(kernel);
    let ask = Message { command: 3, version: 2, attributes: vec![] };
    let families = netlink.ask(CONTROLLER, ask, true).unwrap().unwrap();
    assert!(!families.is_empty());
    for family in families {
        let (name, id) = (family.text(2).unwrap().unwrap(), family.short(1).unwrap().unwrap());
        if id != CONTROLLER {
            assert_eq!(netlink.family(&name).unwrap(), Some(id), "{name}");
        }
    }
    assert_eq!(netlink.family("no such family").unwrap(), None);
    let said = hematite(&["vdpa", "list"]);
    let has = netlink.family("vdpa").unwrap().is_some();
    assert_eq!(said.code, if has { 0 } else { 3 }, "{said:?}");
    assert!(has || said.err.contains("modprobe vdpa"), "{said:?}");
}
