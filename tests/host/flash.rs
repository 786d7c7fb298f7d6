//! `flash` with false tools: what they are called with, what is refused before, and what is looked at behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hematite_host::address::Address;
use hematite_host::bind::PciBus;
use hematite_host::flash::{self, Wanted};
use serde_json::{Value, json};

use crate::schema::Schema;
use crate::served::{Bench, Body, Said, hematite};

/// Notes each of its words on a line of `said`, beside itself.
const NOTES: &str =
    "#!/bin/sh\nfor word in \"$0\" \"$@\"; do printf '<%s>\\n' \"$word\"; done >>\"${0%/*}/said\"\n";

/// A folder with a tool, a manifest and an image.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new(script: &str) -> Desk {
        let desk = Desk(tempfile::tempdir().unwrap());
        fs::write(desk.path("tool"), script).unwrap();
        fs::set_permissions(desk.path("tool"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(desk.path("top.bit"), b"\xff\0Part: LFE5UM5G-45F-8CABGA381\0\xff\xff\xff\xbd\xb3rest")
            .unwrap();
        desk.manifest(&desk.usual());
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn usual(&self) -> Value {
        json!({
            "manifest": 1,
            "board": "a board; $(touch no)",
            "part": "LFE5UM5G-45F-8BG381",
            "image": {"suffixes": ["bit"], "marks": ["hex:ffffbdb3", "text:LFE5UM5G-45F"]},
            "commands": [
                [self.path("tool"), "--part", "{part}", "--image={image}"],
                [self.path("tool"), "{board}", "{{}}"],
            ],
            "ident": {},
        })
    }

    fn manifest(&self, manifest: &Value) {
        fs::write(self.path("board.json"), manifest.to_string()).unwrap();
    }

    fn flash(&self, more: &[&str]) -> Said {
        self.flash_image("top.bit", more)
    }

    fn flash_image(&self, image: &str, more: &[&str]) -> Said {
        let (board, image) = (self.path("board.json"), self.path(image));
        let words = ["flash", "--board", board.to_str().unwrap(), "--image", image.to_str().unwrap()];
        hematite(&[&words, more].concat())
    }

    fn said(&self) -> Option<String> {
        fs::read_to_string(self.path("said")).ok()
    }
}

#[test]
fn words_reach_the_tool_as_they_are() {
    let desk = Desk::new(NOTES);
    let said = desk.flash(&["--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let json = said.json();
    Schema::read().check(&json);
    let (tool, image) = (desk.path("tool"), desk.path("top.bit"));
    let (tool, image) = (tool.display(), image.display());
    let expected = format!(
        "<{tool}>\n<--part>\n<LFE5UM5G-45F-8BG381>\n<--image={image}>\n<{tool}>\n<a board; $(touch no)>\n<{{}}>\n"
    );
    assert_eq!(desk.said().unwrap(), expected);
    assert_eq!((&json["dry_run"], &json["image_bytes"]), (&json!(false), &json!(40)));
    assert!(json["notes"][0].as_str().unwrap().contains("no --device"));
}

#[test]
fn a_dry_run_says_all_and_runs_nothing() {
    let desk = Desk::new(NOTES);
    let device = "vfio-user:/no/such/socket";
    let mut manifest = desk.usual();
    manifest["ident"] = json!({"abi_version": 1, "source_hash": "ab".repeat(20)});
    desk.manifest(&manifest);
    let said = desk.flash(&["--dry-run", "--device", device]);
    assert_eq!((said.code, desk.said()), (0, None), "{said:?}");
    assert!(said.out.contains("would run") && said.out.contains("'a board; $(touch no)'"), "{said:?}");
    assert!(said.out.contains(&format!("before: {device}")), "{said:?}");
    assert!(
        said.out.contains("after: abi_version is 1") && said.out.contains("after: source_hash is abab"),
        "{said:?}"
    );
    let json = desk.flash(&["--dry-run", "--device", device, "--json"]).json();
    Schema::read().check(&json);
    assert_eq!(
        (&json["dry_run"], &json["before"], &json["after"]),
        (&json!(true), &json!(null), &json!(null))
    );
}

#[test]
fn what_is_wrong_is_refused_before_any_tool_runs() {
    let desk = Desk::new(NOTES);
    let refused = |said: Said, code: u8, words: &str| {
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.err.contains(words) && said.err.contains("next: "), "{words}: {said:?}");
        assert_eq!(desk.said(), None, "{words}");
    };
    refused(desk.flash_image("none.bit", &[]), 3, "none.bit");
    fs::write(desk.path("top.bin"), b"\xff\xff\xbd\xb3 LFE5UM5G-45F").unwrap();
    refused(desk.flash_image("top.bin", &[]), 3, "does not end with .bit");
    fs::write(desk.path("empty.bit"), b"").unwrap();
    refused(desk.flash_image("empty.bit", &[]), 3, "it is empty");
    fs::write(desk.path("other.bit"), b"\xff\0Part: LFE5U-85F\0\xff\xff\xff\xbd\xb3").unwrap();
    refused(desk.flash_image("other.bit", &[]), 3, "do not hold text:LFE5UM5G-45F");
    fs::create_dir(desk.path("folder.bit")).unwrap();
    refused(desk.flash_image("folder.bit", &[]), 3, "folder.bit");
    let mut manifest = desk.usual();
    manifest["commands"][1][0] = json!("no-such-tool-anywhere");
    desk.manifest(&manifest);
    refused(desk.flash(&[]), 3, "no program no-such-tool-anywhere");
    refused(desk.flash(&["--dry-run"]), 3, "no program no-such-tool-anywhere");
    for (field, value, words) in [
        ("manifest", json!(2), "version 2"),
        ("commands", json!([]), "no command at all"),
        ("commands", json!([[]]), "without a tool"),
        ("commands", json!([["tool"]]), "no command takes {image}"),
        ("commands", json!([["tool", "{image}", "{device}"]]), "{device} is not known"),
        ("commands", json!("tool {image}"), "no manifest of a board"),
        ("image", json!({"suffixes": []}), "suffixes is empty"),
        ("image", json!({"suffixes": ["bit"], "marks": ["ff"]}), "neither hex:... nor text:..."),
        ("ident", json!({"source_hash": "12"}), "source_hash"),
        ("shell", json!(true), "unknown field"),
    ] {
        let mut manifest = desk.usual();
        manifest[field] = value;
        desk.manifest(&manifest);
        refused(desk.flash(&[]), 2, words);
    }
    fs::write(desk.path("board.json"), "{").unwrap();
    refused(desk.flash(&[]), 2, "board.json");
    fs::remove_file(desk.path("board.json")).unwrap();
    refused(desk.flash(&[]), 3, "board.json");
}

#[test]
fn a_tool_that_fails_or_hangs_is_told_with_its_last_words() {
    let desk = Desk::new("#!/bin/sh\necho bar 1%; echo no cable was found >&2\nexit 7\n");
    let said = desk.flash(&[]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("exit status: 7") && said.err.contains("no cable was found"), "{said:?}");
    let desk = Desk::new("#!/bin/sh\nsleep 1000 &\nsleep 1000\n");
    let mut manifest = desk.usual();
    manifest["limit_seconds"] = json!(1);
    desk.manifest(&manifest);
    let said = desk.flash(&[]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("did not happen within 1s"), "{said:?}");
}

#[test]
fn the_function_is_looked_at_before_and_behind() {
    let (desk, bench) = (Desk::new(NOTES), Bench::start(Body::Model));
    let parameters = bench.hematite(&["show", "--json"]).json()["parameters"].clone();
    let mut manifest = desk.usual();
    manifest["ident"] =
        json!({"abi_version": parameters["abi_version"], "source_hash": parameters["source_hash"]});
    desk.manifest(&manifest);
    let said = desk.flash(&["--json", "--device", &bench.name()]);
    assert_eq!(said.code, 0, "{said:?}");
    let json = said.json();
    Schema::read().check(&json);
    assert_eq!((&json["before"], &json["after"]), (&manifest["ident"], &manifest["ident"]));
    assert!(json["notes"].to_string().contains("this image already"), "{json}");
    // Something else than expected: a finding, and the tool has run.
    manifest["ident"]["source_hash"] = json!("1".repeat(parameters["source_hash"].as_str().unwrap().len()));
    desk.manifest(&manifest);
    let said = desk.flash(&["--device", &bench.name()]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("finding: after programming source_hash is"), "{said:?}");
    // No function before is an empty board; none behind is an error that says so.
    let said = desk.flash(&["--device", "vfio-user:/no/such/socket"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("the tool has ended well, but"), "{said:?}");
    assert_eq!(desk.said().unwrap().matches("--part").count(), 3);
    bench.finish();
}

#[test]
fn a_function_of_the_bus_is_taken_away_and_looked_for_again() {
    let desk = Desk::new(NOTES);
    let home = desk.path("devices/0000:7f:1f.7");
    let net = home.join("virtio0/net/eth0");
    fs::create_dir_all(&net).unwrap();
    for (file, text) in [("devices/0000:7f:1f.7/remove", ""), ("rescan", "")] {
        fs::write(desk.path(file), text).unwrap();
    }
    let device: Address = "0000:7f:1f.7".parse().unwrap();
    let (manifest, image) = (desk.path("board.json"), desk.path("top.bit"));
    let wanted = Wanted { manifest: &manifest, image: &image, device: Some(&device), dry_run: false };
    let bus = PciBus::at(desk.0.path());
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    // An interface that is up.
    fs::write(net.join("flags"), "0x1003\n").unwrap();
    let error = flash::flash(&wanted, &bus).unwrap_err();
    assert!(error.to_string().contains("in use") && desk.said().is_none(), "{error}");
    assert_eq!(read(&home.join("remove")), "");
    fs::write(net.join("flags"), "0x1002\n").unwrap();
    let error = flash::flash(&wanted, &bus).unwrap_err();
    // No such function on the real bus: that is where it ends, behind the tool.
    assert!(error.to_string().contains("the tool has ended well"), "{error}");
    assert_eq!((read(&home.join("remove")).as_str(), read(&desk.path("rescan")).as_str()), ("1", "1"));
    assert!(desk.said().is_some());
}

#[test]
fn manifests_of_boards_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("host/boards");
    let mut read = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let manifest = flash::Manifest::read(&entry.unwrap().path()).unwrap();
        assert_eq!(manifest.commands[0][0], "openFPGALoader");
        read += 1;
    }
    assert_eq!(read, 2);
}
