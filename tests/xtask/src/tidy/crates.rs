//! Floors between crates (DESIGN, "Top level"): which crate of the workspace may depend on which.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Finding;
use crate::{cmd, place};

/// A crate and the workspace's crates it may see.
const FLOORS: [(&str, &[&str]); 9] = [
    ("hematite-abi", &[]),
    ("hematite-verilog", &[]),
    ("hematite-hw", &["hematite-abi", "hematite-verilog"]),
    ("hematite-verilated", &["hematite-hw", "hematite-verilog"]),
    ("hematite-sim", &["hematite-abi", "hematite-verilated"]),
    ("hematite-host", &["hematite-abi"]),
    ("hematite-cli", &["hematite-abi", "hematite-host"]),
    ("hematite-bitstreams", &["hematite-abi", "hematite-hw", "hematite-verilog"]),
    ("xtask", &[]),
];
/// Sees everything.
const TOP: &str = "hematite-tests";
/// Depends on nothing at all.
const BOTTOM: &str = "hematite-abi";
const LIMIT: Duration = Duration::from_secs(60);

/// What cargo knows of the workspace.
pub(super) fn metadata() -> Result<Value> {
    let mut command = Command::new("cargo");
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(place::root());
    let text = cmd::run(&mut command, LIMIT)?;
    let start = text.find('{').context("cargo metadata printed no JSON")?;
    let line = text[start..].lines().next().unwrap_or_default();
    serde_json::from_str(line).context("reading cargo metadata")
}

pub(super) fn check(metadata: &Value) -> Result<Vec<Finding>> {
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let names: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        if name == TOP {
            continue;
        }
        let mut report = |what: String| findings.push(Finding { path: name.into(), line: 0, what });
        let Some((_, allowed)) = FLOORS.iter().find(|(floor, _)| *floor == name) else {
            report("this crate has no floor: give it one in tests/xtask/src/tidy/crates.rs".into());
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let other = dependency["name"].as_str().unwrap_or_default();
            if names.contains(&other) && !allowed.contains(&other) {
                report(format!("must not depend on {other}: it may see {}", list(allowed)));
            } else if name == BOTTOM && !names.contains(&other) && dependency["kind"].is_null() {
                report(format!("must depend on nothing, but names {other}"));
            }
        }
    }
    Ok(findings)
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "no crate of ours".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_arrow_that_points_up_is_found() {
        let package = |name: &str, other: &str| json!({ "name": name, "dependencies": [{ "name": other }] });
        let good = json!({ "packages": [package("hematite-sim", "hematite-abi"), package("hematite-abi", "hematite-abi")] });
        assert_eq!(check(&good).unwrap().len(), 1, "abi sees nothing, not even itself");
        let bad = json!({ "packages": [package("hematite-sim", "hematite-hw"), package("hematite-hw", "hematite-abi"),
            package("hematite-tests", "hematite-hw"), package("stranger", "anyhow")] });
        let findings = check(&bad).unwrap();
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].what.contains("must not depend on hematite-hw"));
        assert!(findings[1].what.contains("no floor"));
    }

    #[test]
    fn abi_names_no_crate() {
        let abi = json!({ "packages": [{ "name": "hematite-abi", "dependencies": [{ "name": "serde", "kind": null }] }] });
        assert!(check(&abi).unwrap()[0].what.contains("must depend on nothing"));
    }
}
