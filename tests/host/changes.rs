//! The verbs beside looking: `diff`, `bind`, `completions`, `man`, `watch`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use hematite_host::bind::PciBus;
use serde_json::json;

use crate::served::{Bench, Body, hematite};

#[test]
fn two_functions_and_saved_reports_are_compared() {
    let (one, other) = (Bench::start(Body::Model), Bench::start(Body::Rtl("TINY")));
    let same = hematite(&["diff", &one.name(), &one.name()]);
    assert_eq!((same.code, same.out.as_str()), (0, "no difference\n"));
    let said = hematite(&["diff", &one.name(), &other.name(), "--json"]);
    assert_eq!(said.code, 1, "a difference is a finding: {said:?}");
    let json = said.json();
    let fields: Vec<&str> =
        json["differences"].as_array().unwrap().iter().map(|one| one["field"].as_str().unwrap()).collect();
    assert!(fields.contains(&"features.offered.value") && fields.contains(&"show.queues"), "{fields:?}");
    assert!(!fields.iter().any(|field| field.contains("device")), "where they are is no difference");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saved.json");
    fs::write(&file, one.hematite(&["features", "--json"]).out).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(hematite(&["diff", file, &one.name()]).code, 0);
    assert_eq!(hematite(&["diff", &other.name(), file]).code, 1);
    fs::write(folder.path().join("saved.json"), "no JSON").unwrap();
    assert_eq!(hematite(&["diff", file, &one.name()]).code, 2);
}

/// A bus of plain files: what is written can be read; nothing happens by it.
fn bus(flags: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("devices/0000:00:01.0");
    fs::create_dir_all(home.join("virtio0/net/eth0")).unwrap();
    fs::write(home.join("virtio0/net/eth0/flags"), flags).unwrap();
    fs::write(home.join("driver_override"), "(null)\n").unwrap();
    for driver in ["virtio-pci", "vfio-pci"] {
        fs::create_dir_all(folder.path().join("drivers").join(driver)).unwrap();
    }
    let old = folder.path().join("drivers/virtio-pci");
    symlink(&old, home.join("driver")).unwrap();
    fs::write(old.join("unbind"), "").unwrap();
    fs::write(folder.path().join("drivers_probe"), "").unwrap();
    (folder, home)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn what_is_in_use_is_not_unbound() {
    let (folder, home) = bus("0x1003\n");
    let error = PciBus::at(folder.path()).bind("00:01.0".parse().unwrap(), Some("vfio-pci")).unwrap_err();
    assert!(error.to_string().contains("eth0 is up") && error.next().contains("ip link"), "{error}");
    assert_eq!(text(&home.join("driver_override")), "(null)\n", "nothing was written");
    assert_eq!(text(&home.join("driver/unbind")), "");
}

#[test]
fn a_driver_that_does_not_take_it_is_said_and_the_override_taken_back() {
    let (folder, home) = bus("0x1002\n");
    let error = PciBus::at(folder.path()).bind("00:01.0".parse().unwrap(), Some("vfio-pci")).unwrap_err();
    assert!(error.to_string().contains("virtio-pci has it, not vfio-pci"), "{error}");
    assert_eq!(text(&home.join("driver/unbind")), "0000:00:01.0");
    assert_eq!(
        (text(&home.join("driver_override")).as_str(), text(&folder.path().join("drivers_probe")).as_str()),
        ("\n", "0000:00:01.0")
    );
    let error = PciBus::at(folder.path()).bind("00:02.0".parse().unwrap(), None).unwrap_err();
    assert!(error.to_string().contains("no function 0000:00:02.0"), "{error}");
    let said = hematite(&["bind", "--device", "vfio-user:/tmp/none"]);
    assert_eq!(said.code, 2, "{said:?}");
}

#[test]
fn completions_and_pages_name_every_verb() {
    let verbs =
        ["list", "show", "features", "queues", "descs", "counters", "validate", "bind", "vdpa", "flash"];
    for shell in ["bash", "zsh", "fish"] {
        let said = hematite(&["completions", shell]);
        assert!(said.code == 0 && verbs.iter().all(|verb| said.out.contains(verb)), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(hematite(&["man", "--out", folder.path().to_str().unwrap()]).code, 0);
    for verb in verbs {
        let page = text(&folder.path().join(format!("hematite-{verb}.1")));
        assert!(page.contains(".TH") && page.contains("device"), "{verb}");
    }
    assert!(hematite(&["man"]).out.contains("Exit codes"));
}

#[test]
fn watch_needs_a_terminal() {
    let bench = Bench::start(Body::Model);
    let said = bench.hematite(&["watch"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("terminal"), "{said:?}");
    assert_eq!(bench.hematite(&["watch", "--interval", "-1"]).code, 2);
    assert_eq!(bench.hematite(&["counters", "--json"]).json()["schema"], json!(1));
}
