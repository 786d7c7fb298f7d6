//! The verbs that only look, over a served function: what they say, as a table and as JSON, and what they end with.

use hematite_abi::{feature, ident, layout};
use serde_json::json;

use crate::served::{Bench, Body, hematite};

#[test]
fn every_verb_says_what_the_function_is() {
    looks(Body::Model);
}

#[test]
fn every_verb_says_what_the_hardware_is() {
    looks(Body::Rtl("SIM"));
}

fn looks(body: Body) {
    let bench = Bench::start(body);
    for verb in ["list", "show", "features", "queues", "config", "counters", "health"] {
        let table = bench.hematite(&[verb]);
        assert_eq!((table.code, table.err.as_str()), (0, ""), "{verb}: {table:?}");
        assert!(table.out.lines().all(|line| line.trim_end() == line), "{verb}: blanks at the end of a line");
        let said = bench.hematite(&[verb, "--json"]);
        assert_eq!(said.code, 0, "{verb}: {said:?}");
        let json = said.json();
        assert_eq!((&json["schema"], &json["report"]), (&json!(1), &json!(verb)));
    }
    let list = bench.hematite(&["list", "--json"]).json();
    let one = &list["functions"][0];
    assert_eq!(one["device"], json!(bench.name()));
    assert_eq!(
        (&one["vendor_id"], &one["device_id"]),
        (&json!(layout::VENDOR_ID), &json!(layout::DEVICE_ID))
    );
    assert_eq!((&one["queues"], &one["link_up"], &one["kind"]), (&json!(9), &json!(true), &json!("network")));
    let show = bench.hematite(&["show", "--json"]).json();
    let kinds: Vec<&str> =
        show["structures"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["common", "notify", "isr", "device", "pci_cfg"]);
    assert_eq!(show["parameters"]["abi_version"], json!(ident::ABI_VERSION));
    assert_eq!(show["msix"]["vectors"], json!(10));
    let features = bench.hematite(&["features", "--json"]).json();
    assert_eq!(features["offered"]["value"], json!(format!("{:#x}", feature::OFFERED)));
    assert_eq!((&features["accepted"], &features["offered"]["unknown"]), (&json!(null), &json!([])));
    let queues = bench.hematite(&["queues", "--json"]).json();
    let queues = queues["queues"].as_array().unwrap();
    assert_eq!((queues.len(), &queues[8]["role"]), (9, &json!("control")));
    assert!(queues.iter().all(|queue| queue["enabled"] == json!(false) && queue["size"] == json!(256)));
    let config = bench.hematite(&["config", "--json"]).json();
    assert_eq!(config["net"]["mac"], json!("02:68:65:6d:00:01"));
    assert_eq!((&config["net"]["mtu"], &config["net"]["duplex"]), (&json!(1500), &json!("full")));
    let counters = bench.hematite(&["counters", "--json"]).json();
    let names: Vec<&str> =
        counters["counters"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(names.contains(&"tx_bytes") && !names.contains(&"tx_bytes_hi"), "{names:?}");
    bench.finish();
}

#[test]
fn bits_are_explained_without_a_device() {
    let said = hematite(&["features", "--decode", "0,32,127", "--json"]).json();
    assert_eq!(said["features"]["unknown"], json!([127]));
    assert_eq!(said["features"]["bits"][1], json!({"bit": 32, "name": "VERSION_1"}));
    assert!(hematite(&["features", "--decode", "0x1"]).out.contains("CSUM"));
}

#[test]
fn wrong_words_and_lost_devices_have_codes_of_their_own() {
    let nowhere = ["--device", "vfio-user:/nonexistent/socket"];
    for (words, code, said) in [
        (&["fly"][..], 2, "unrecognized subcommand"),
        (&["show", "--device", "eth0"][..], 2, "PCI address"),
        (&["features", "--decode", "999"][..], 2, "bits with commas"),
        (&[&["show"], &nowhere[..]].concat()[..], 3, "hematite-sim serve"),
        (&["show", "--device", "ffff:ff:1f.7"][..], 3, "hematite list"),
    ] {
        let ended = hematite(words);
        assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{words:?}: {ended:?}");
        assert!(ended.err.contains(said), "{words:?}: {ended:?}");
    }
    assert_eq!(hematite(&["--version"]).code, 0);
    assert!(hematite(&["--help"]).out.contains("Exit codes"));
}
