//! The command line `hematite` for the guest: linked statically, for the guest's libraries are another Debian's.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::{cmd, place, say};

const LIMIT: Duration = Duration::from_secs(1200);
/// Named, so that build scripts and macros stay as they are. Static libraries of C are in Debian's libc6-dev.
const TARGET: &str = "x86_64-unknown-linux-gnu";
const FLAGS: &str = "-C target-feature=+crt-static -C strip=debuginfo";

/// Its program, built if need be.
pub(super) fn build() -> Result<PathBuf> {
    let mut step = say::step("build hematite, static");
    let mut command = Command::new("cargo");
    command.args(["build", "--package", "hematite-cli", "--target", TARGET]);
    command.current_dir(place::root()).env("RUSTFLAGS", FLAGS);
    cmd::run_watched(&mut command, LIMIT, |line| step.note(line.trim()))?;
    step.done("");
    Ok(place::target().join(TARGET).join("debug/hematite"))
}
