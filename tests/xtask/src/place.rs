//! Where things are: the workspace, and under its `target/` the tools, guest images, runs and caches.

use std::path::{Path, PathBuf};

/// The workspace's root, known from where this crate was compiled.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("tests/xtask has two parents").into()
}

/// Cargo's target folder (`CARGO_TARGET_DIR` is honoured).
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// Unpacked tools: QEMU, and Verilator and yosys where the machine lacks them.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// Kernels, modules, tools and images of the guest.
pub(crate) fn guest() -> PathBuf {
    target().join("guest")
}

/// Logs of one run of a guest, by the run's name.
pub(crate) fn run(name: &str) -> PathBuf {
    guest().join("runs").join(name)
}

/// A path as a person would type it from the workspace's root.
pub(crate) fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
