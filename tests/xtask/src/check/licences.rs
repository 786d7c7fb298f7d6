//! Licences of all dependencies against the list in deny.toml; `cargo deny` too if the machine has it.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::lint;
use crate::tools::hdl::Environment;
use crate::{cmd, place, say};

const LIMIT: Duration = Duration::from_secs(300);

/// True if every dependency may be used.
pub(crate) fn check() -> Result<bool> {
    let step = say::step("licences");
    let allowed = allowed(&std::fs::read_to_string(place::root().join("deny.toml"))?)?;
    let mut command = Command::new("cargo");
    command.args(["metadata", "--locked", "--format-version", "1"]).current_dir(place::root());
    let text = cmd::run(&mut command, LIMIT)?;
    let json = text.lines().find(|line| line.starts_with('{')).context("cargo metadata printed no JSON")?;
    let metadata: Value = serde_json::from_str(json)?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let refused: Vec<String> = packages.iter().filter_map(|package| refused(package, &allowed)).collect();
    if refused.is_empty() {
        step.done(&format!("{} packages", packages.len()));
        return Ok(true);
    }
    step.failed(&format!("{} packages are under no licence of deny.toml", refused.len()));
    refused.iter().for_each(|line| println!("    {line}"));
    Ok(false)
}

/// `cargo deny check`, or how to get it.
pub(crate) fn deny() -> Result<bool> {
    let own = check()?;
    if !cmd::in_path("cargo-deny") {
        println!(
            "  cargo-deny is not installed (`cargo install --locked cargo-deny`): only licences were checked"
        );
        return Ok(own);
    }
    let deny =
        lint::cargo("cargo deny", &["deny", "check", "licenses", "bans", "sources"], &Environment::new())?;
    Ok(own && deny)
}

/// The quoted words of `allow = [...]` in `[licenses]`.
fn allowed(deny: &str) -> Result<Vec<String>> {
    let list = deny.split("allow = [").nth(1).and_then(|rest| rest.split(']').next());
    let list = list.context("deny.toml has no `allow = [...]`")?;
    Ok(list.split('"').skip(1).step_by(2).map(String::from).collect())
}

fn refused(package: &Value, allowed: &[String]) -> Option<String> {
    let name = package["name"].as_str().unwrap_or("?");
    let licence = package["license"].as_str().unwrap_or("");
    (!accepted(licence, allowed)).then(|| format!("{name}: `{licence}`"))
}

/// An SPDX expression: `AND` binds closer than `OR` (or the old `/`), parentheses group.
fn accepted(licence: &str, allowed: &[String]) -> bool {
    let licence = licence.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = licence.split_whitespace().collect();
    let mut at = 0;
    either(&words, &mut at, allowed) && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut good = both(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        good |= both(words, at, allowed);
    }
    good
}

fn both(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut good = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        good &= one(words, at, allowed);
    }
    good
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let good = either(words, at, allowed);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return good && closed;
    }
    let mut name = word.to_string();
    if words.get(*at) == Some(&"WITH") {
        name += &format!(" WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    allowed.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let allowed =
            allowed("[licenses]\nallow = [\"MIT\", \"Apache-2.0\", \"Apache-2.0 WITH LLVM-exception\"]\n")
                .unwrap();
        let good = |licence: &str| accepted(licence, &allowed);
        assert!(good("MIT") && good("GPL-3.0 OR MIT") && good("MIT/GPL-2.0"));
        assert!(good("(MIT OR BSD-3-Clause) AND Apache-2.0"));
        assert!(good("Apache-2.0 WITH LLVM-exception OR GPL-2.0"));
        assert!(!good("GPL-3.0") && !good("MIT AND GPL-3.0") && !good("") && !good("MIT MIT"));
        assert!(!good("GPL-2.0 WITH LLVM-exception"));
    }
}
