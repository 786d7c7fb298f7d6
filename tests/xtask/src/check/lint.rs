//! rustfmt and clippy over the workspace, every warning an error.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::tools::hdl::Environment;
use crate::{cmd, place, say};

const LIMIT: Duration = Duration::from_secs(2400);
const TAIL: usize = 60;
/// Builds the RTL of every parameter set. All of the suite does, so that their C++ is compiled once.
pub(crate) const ALL_SETS: [&str; 2] = ["--features", "hematite-tests/all-sets"];

/// True if every file is formatted.
pub(crate) fn format() -> Result<bool> {
    cargo("cargo fmt --check", &["fmt", "--all", "--check"], &Environment::new())
}

/// True if clippy has nothing to say.
pub(crate) fn clippy(environment: &Environment) -> Result<bool> {
    let words =
        [&["clippy", "--workspace", "--all-targets"], &ALL_SETS[..], &["--", "-D", "warnings"]].concat();
    cargo("cargo clippy", &words, environment)
}

/// Runs cargo; shows the end of what it said if it fails.
pub(crate) fn cargo(name: &str, words: &[&str], environment: &Environment) -> Result<bool> {
    let mut step = say::step(name);
    let mut command = Command::new("cargo");
    command.args(words).current_dir(place::root()).envs(environment.iter().cloned());
    let output = cmd::capture(&mut command, LIMIT, |line| step.note(line.trim()))?;
    if output.ok {
        step.done("");
    } else {
        step.failed(&format!("cargo {}", words.join(" ")));
        println!("{}", cmd::tail(&output.text, TAIL));
    }
    Ok(output.ok)
}
