//! QEMU with the `vfio-user-pci` device (10.1 and later): the host's if it has it, else Debian's from
//! trixie-backports, unpacked below `target/tools` and run by the loader that came with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{apt, closure};
use crate::cache::{self, Network};
use crate::{cmd, place};

const PROGRAM: &str = "qemu-system-x86_64";
const SUITES: [&str; 2] = ["trixie", "trixie-backports"];
const RECIPE: &str = "qemu-system-x86 of trixie-backports, trimmed, 1";
const PROBE_LIMIT: Duration = Duration::from_secs(60);
/// Firmware that the bench boots with, and where Debian's packages keep it.
const FIRMWARE: [(&str, &str); 5] = [
    ("usr/share/seabios", "bios-256k.bin"),
    ("usr/share/qemu", "linuxboot_dma.bin"),
    ("usr/share/qemu", "multiboot_dma.bin"),
    ("usr/share/qemu", "pvh.bin"),
    ("usr/share/qemu", "kvmvapic.bin"),
];

/// The program to call.
pub(crate) fn find(network: Network) -> Result<PathBuf> {
    let host = PathBuf::from(PROGRAM);
    if cmd::in_path(PROGRAM) && has_vfio_user(&host) {
        return Ok(host);
    }
    let dir = cache::folder(&place::tools().join("qemu"), "QEMU", RECIPE, network, |out, scratch, step| {
        let apt = apt::Apt::open(&scratch.join("apt"), &SUITES, step)?;
        let debs = apt.closure(&["qemu-system-x86"], "trixie-backports", step)?;
        let root = scratch.join("root");
        for (index, deb) in debs.iter().enumerate() {
            step.note(&format!("unpacking {} of {}", index + 1, debs.len()));
            apt::unpack(deb, &root, &[])?;
        }
        trim(&root, out)?;
        let program = out.join(PROGRAM);
        if !has_vfio_user(&program) {
            bail!("the QEMU of {} has no device vfio-user-pci: tell the maintainers", SUITES[1]);
        }
        version(&program)
    })?;
    Ok(dir.join(PROGRAM))
}

/// What the program calls itself.
pub(crate) fn version(program: &Path) -> Result<String> {
    let text = cmd::run(Command::new(program).arg("--version"), PROBE_LIMIT)?;
    let line = text.lines().next().context("QEMU told no version")?;
    Ok(line.trim_start_matches("QEMU emulator version ").to_string())
}

/// Asks for this device's help alone: `-device help` would load every module of another QEMU installed in the system.
fn has_vfio_user(program: &Path) -> bool {
    let mut command = Command::new(program);
    command.args(["-device", "vfio-user-pci,help"]);
    cmd::capture(&mut command, PROBE_LIMIT, |_| {}).is_ok_and(|output| output.ok)
}

/// Keeps the emulator, its libraries and the firmware of the bench: about 70 MB of 150.
fn trim(root: &Path, out: &Path) -> Result<()> {
    let real = root.join("usr/bin").join(PROGRAM);
    closure::copy(root, &real, &out.join("lib"))?;
    closure::copy_file(&real, &out.join("qemu.bin"))?;
    fs::create_dir_all(out.join("share"))?;
    for (dir, name) in FIRMWARE {
        closure::copy_file(&follow(root, &root.join(dir).join(name))?, &out.join("share").join(name))?;
    }
    let script = format!(
        "#!/bin/sh\n# Runs the unpacked QEMU with its own loader, libraries and firmware.\n\
         here=$(dirname \"$(readlink -f \"$0\")\")\nexport QEMU_MODULE_DIR=/nonexistent\n\
         exec \"$here/lib/{}\" --library-path \"$here/lib\" \"$here/qemu.bin\" -L \"$here/share\" \"$@\"\n",
        closure::LOADER
    );
    let path = out.join(PROGRAM);
    fs::write(&path, script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Follows a link below an unpacked root, where absolute targets mean that root.
fn follow(root: &Path, path: &Path) -> Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..8 {
        let Ok(target) = fs::read_link(&path) else { return Ok(path) };
        path = match target.strip_prefix("/") {
            Ok(inside) => root.join(inside),
            Err(_) => path.parent().context("a link without a folder")?.join(target),
        };
    }
    bail!("{}: too many links", path.display())
}
