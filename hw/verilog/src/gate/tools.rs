//! Finds the outside tools, runs them, keeps what may be kept between runs.

use super::GateError;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A tool, the Debian package it is in, and the variable that says where it is.
pub(super) struct Tool {
    pub(super) tool: &'static str,
    package: &'static str,
    variable: &'static str,
}

pub(super) const VERILATOR: Tool = Tool { tool: "verilator", package: "verilator", variable: "VERILATOR" };
pub(super) const YOSYS: Tool = Tool { tool: "yosys", package: "yosys", variable: "YOSYS" };
pub(super) const CXX: Tool = Tool { tool: "g++", package: "g++", variable: "CXX" };

impl Tool {
    /// Runs in `dir`; standard output and error of a run that ended well.
    pub(super) fn run(&self, name: &str, dir: &Path, args: &[&str]) -> Result<String, GateError> {
        let program = std::env::var_os(self.variable).unwrap_or_else(|| self.tool.into());
        let output = Command::new(program).args(args).current_dir(dir).output().map_err(|cause| {
            if cause.kind() == std::io::ErrorKind::NotFound {
                let Tool { tool, package, variable } = *self;
                GateError::Missing { tool, package, variable }
            } else {
                GateError::Io { what: format!("{name}: run {}", self.tool), cause }
            }
        })?;
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return Ok(text);
        }
        Err(GateError::Refused { name: name.into(), tool: self.tool, output: text })
    }
}

/// `target/hematite-gate`, beside the test that runs.
pub(super) fn cache() -> Result<PathBuf, GateError> {
    let exe =
        std::env::current_exe().map_err(|cause| GateError::Io { what: "find this test".into(), cause })?;
    let target = exe.ancestors().find(|dir| dir.join("CACHEDIR.TAG").exists()).map(Path::to_path_buf);
    let dir = target.unwrap_or_else(std::env::temp_dir).join("hematite-gate");
    make(&dir)?;
    Ok(dir)
}

pub(super) fn make(dir: &Path) -> Result<(), GateError> {
    std::fs::create_dir_all(dir)
        .map_err(|cause| GateError::Io { what: format!("make {}", dir.display()), cause })
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), GateError> {
    std::fs::write(path, text)
        .map_err(|cause| GateError::Io { what: format!("write {}", path.display()), cause })
}

/// A directory of this run's own; gone when dropped, unless `keep` is called.
pub(super) struct Scratch {
    pub(super) dir: PathBuf,
    keep: bool,
}

impl Scratch {
    pub(super) fn new(name: &str) -> Result<Scratch, GateError> {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let dir = cache()?.join(format!("{name}-{}-{count}", std::process::id()));
        make(&dir)?;
        Ok(Scratch { dir, keep: false })
    }

    pub(super) fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}
