//! Beside a bound driver: a false sysfs of plain files. Nothing is written, and nothing read that changes by reading.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use hematite_abi::space::{ConfigParams, config_space};
use hematite_abi::{common, config, feature, ident, layout, net, status};
use hematite_host::bus::sysfs::Sysfs;
use hematite_host::kernel::Kernel;
use hematite_host::report::{Config, Counters, FeatureReport, Health, List, Queues, Show};
use hematite_host::{Bdf, Function, function};

use crate::through::Through;

const BDF: &str = "0000:00:01.0";

/// A function of plain files with a driver bound to it.
struct False {
    folder: tempfile::TempDir,
    config: Vec<u8>,
    bar: Vec<u8>,
    accepted: u128,
}

impl False {
    fn new() -> False {
        let mut words = vec![0; config::SPACE_BYTES];
        for reg in config_space(&ConfigParams::new(10, 9, 256)) {
            words[reg.offset..reg.offset + 4].copy_from_slice(&reg.reset.to_le_bytes());
        }
        words[config::COMMAND] |= config::COMMAND_MEMORY as u8;
        let accepted = feature::OFFERED & !(1 << feature::RING_PACKED);
        let mut one = False {
            folder: tempfile::tempdir().unwrap(),
            config: words,
            bar: vec![0; layout::BAR_BYTES as usize],
            accepted,
        };
        one.common(common::DEVICE_FEATURE_SELECT, &1u32.to_le_bytes());
        one.common(common::DEVICE_FEATURE, &((feature::OFFERED >> 32) as u32).to_le_bytes());
        one.common(common::DRIVER_FEATURE_SELECT, &1u32.to_le_bytes());
        one.common(common::DRIVER_FEATURE, &((accepted >> 32) as u32).to_le_bytes());
        one.common(common::NUM_QUEUES, &9u16.to_le_bytes());
        let up = status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK | status::DRIVER_OK;
        one.common(common::DEVICE_STATUS, &[up as u8]);
        one.put(layout::DEVICE_OFFSET as usize + net::MAC, &[2, 0, 0, 0, 0, 9]);
        one.put(layout::DEVICE_OFFSET as usize + net::STATUS, &[1]);
        one.inspect(ident::IDENT_MAGIC, ident::MAGIC as u32);
        one.inspect(ident::PARAM_QUEUES, 9);
        one.inspect(ident::COUNTER_COUNT, ident::COUNTERS.len() as u32);
        one.inspect(ident::COUNTERS_OFFSET + 4 * ident::TX_BYTES_HI, 1);
        one.inspect(ident::COUNTERS_OFFSET + 4 * ident::TX_BYTES_LO, 5);
        one.queue(1, ident::QUEUE_ENABLED, 1);
        one.queue(1, ident::QUEUE_DESC_HI, 0x12);
        one
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bar[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn common(&mut self, at: usize, bytes: &[u8]) {
        self.put(layout::COMMON_OFFSET as usize + at, bytes);
    }

    fn inspect(&mut self, at: usize, word: u32) {
        self.put(layout::INSPECTION_OFFSET as usize + at, &word.to_le_bytes());
    }

    fn queue(&mut self, number: usize, field: usize, word: u32) {
        self.inspect(ident::QUEUES_OFFSET + number * ident::QUEUE_STATE_BYTES + field, word);
    }

    /// Writes the files; the folder of functions.
    fn devices(&self) -> PathBuf {
        let devices = self.folder.path().join("devices");
        let home = devices.join(BDF);
        let interface = home.join("virtio0/net/eth7");
        fs::create_dir_all(&interface).unwrap();
        fs::write(home.join("config"), &self.config).unwrap();
        fs::write(home.join("vendor"), "0x1af4\n").unwrap();
        fs::write(home.join("device"), "0x1041\n").unwrap();
        let none = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
        let line = "0x00000000c0000000 0x00000000c000ffff 0x000000000014220c\n";
        fs::write(home.join("resource"), line.to_string() + &none.repeat(5)).unwrap();
        fs::write(home.join("resource0"), &self.bar).unwrap();
        let row: String = (0..64).map(|bit| if self.accepted >> bit & 1 == 1 { '1' } else { '0' }).collect();
        fs::write(home.join("virtio0/features"), row + "\n").unwrap();
        fs::write(interface.join("operstate"), "up\n").unwrap();
        fs::write(interface.join("address"), "02:00:00:00:00:09\n").unwrap();
        let _ = symlink("../../drivers/virtio-pci", home.join("driver"));
        let _ = symlink("../../groups/7", home.join("iommu_group"));
        devices
    }

    fn open(&self) -> Function {
        function::open_pci(&self.devices(), BDF.parse().unwrap()).unwrap()
    }
}

#[test]
fn nothing_is_written_and_nothing_read_that_changes() {
    let files = False::new();
    let devices = files.devices();
    let bdf: Bdf = BDF.parse().unwrap();
    let bus = Sysfs::open(&devices, bdf).unwrap();
    let kernel = Kernel::read(bus.home());
    let (bus, noted) = Through::new(Box::new(bus), Box::new(|_, value| value));
    let mut function = Function::discover(Box::new(bus), Some(kernel)).unwrap();
    Show::gather(&mut function).unwrap();
    FeatureReport::gather(&mut function, false).unwrap();
    Queues::gather(&mut function).unwrap();
    Config::gather(&mut function).unwrap();
    Counters::gather(&mut function).unwrap();
    Health::gather(&mut function).unwrap();
    List::of(&mut function);
    assert_eq!(*noted.lock().unwrap(), Vec::<String>::new());
    assert_eq!(fs::read(devices.join(BDF).join("config")).unwrap(), files.config, "no byte has changed");
}

#[test]
fn what_the_kernel_says_and_what_the_device_says_are_joined() {
    let files = False::new();
    let list = List::gather(&files.devices()).unwrap();
    let one = &list.functions[0];
    assert_eq!((one.driver.as_deref(), one.iommu_group, one.queues), (Some("virtio-pci"), Some(7), Some(9)));
    assert_eq!((one.interfaces[0].name.as_str(), one.link_up, one.hematite), ("eth7", Some(true), true));
    let mut function = files.open();
    let features = FeatureReport::gather(&mut function, false).unwrap();
    assert_eq!(features.head.findings, []);
    assert_eq!(features.offered_known, "0xffffffff00000000");
    assert_eq!(features.accepted_from, Some("kernel"));
    let not: Vec<usize> = features.not_accepted.unwrap().bits.iter().map(|bit| bit.bit).collect();
    assert_eq!(not, [feature::RING_PACKED]);
    let queues = Queues::gather(&mut function).unwrap();
    assert_eq!((queues.queues[1].enabled, queues.queues[0].enabled), (Some(true), Some(false)));
    assert_eq!(queues.queues[1].descriptors, Some(0x12_0000_0000));
    let counters = Counters::gather(&mut function).unwrap();
    assert_eq!(counters.counters[1].value, 0x1_0000_0005, "both halves");
    assert_eq!(Health::gather(&mut function).unwrap().head.findings, []);
}

#[test]
fn a_function_that_cannot_be_looked_at_is_listed_all_the_same() {
    let files = False::new();
    let devices = files.devices();
    fs::remove_file(devices.join(BDF).join("config")).unwrap();
    let one = &List::gather(&devices).unwrap().functions[0];
    assert_eq!((one.vendor_id, one.driver.as_deref()), (0x1af4, Some("virtio-pci")));
    assert!(one.trouble.as_deref().is_some_and(|why| why.contains("config")), "{one:?}");
}

#[test]
fn a_driver_and_a_device_that_disagree_are_found() {
    let mut files = False::new();
    files.accepted = feature::OFFERED & !(1 << feature::MQ) | 1 << feature::SR_IOV;
    let findings = FeatureReport::gather(&mut files.open(), false).unwrap().head.findings;
    assert!(findings[0].text.contains("accepted and not offered: 0x2000000000"), "{findings:?}");
    assert!(findings[1].text.contains("the device says"), "{findings:?}");
}

#[test]
fn sickness_has_its_cause_in_words() {
    let mut files = False::new();
    files.common(common::DEVICE_STATUS, &[(status::DRIVER_OK | status::DEVICE_NEEDS_RESET) as u8]);
    files.inspect(ident::DEVICE_ERROR, ident::ERROR_DESC_LOOP as u32);
    files.inspect(ident::DEVICE_ERROR_QUEUE, 1);
    files.queue(1, ident::QUEUE_ERROR, ident::ERROR_DESC_LOOP as u32);
    files.inspect(ident::COUNTERS_OFFSET + 4 * ident::QUEUE_ERRORS, 3);
    files.config[config::STATUS + 1] |= (config::STATUS_MASTER_ABORT >> 8) as u8;
    let health = Health::gather(&mut files.open()).unwrap();
    let said: Vec<&str> = health.head.findings.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said[2].contains("comes back to itself") && said[2].contains("queue 1"), "{said:?}");
    assert_eq!(health.troubles[0].value, 3);
}

#[test]
fn without_root_or_a_driver_less_is_seen_and_that_is_said() {
    let mut files = False::new();
    files.config.truncate(64);
    let show = Show::gather(&mut files.open()).unwrap();
    assert!(show.head.notes[0].contains("only 64 bytes") && show.head.findings.is_empty(), "{:?}", show.head);
    let mut files = False::new();
    files.config[config::COMMAND] = 0;
    let mut function = files.open();
    let show = Show::gather(&mut function).unwrap();
    assert!(show.head.notes[0].contains("switched off") && show.status.is_none(), "{:?}", show.head);
    let error = Queues::gather(&mut function).unwrap_err();
    assert!(error.to_string().contains("switched off") && error.next().contains("bind"), "{error}");
}
