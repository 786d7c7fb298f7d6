//! What Verilog needs: a C++ compiler, Verilator, yosys, zlib's headers. Root on a Debian gets them installed; anyone
//! else gets Verilator, yosys and zlib unpacked below `target/tools` and handed to cargo by environment variables.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{apt, closure};
use crate::cache::{self, Network};
use crate::{cmd, place, say, sum};

const RECIPE: &str = "verilator, yosys and zlib of the machine's release, 3";
const INSTALL_LIMIT: Duration = Duration::from_secs(1800);
const PACKAGES: [(&str, &str); 4] =
    [("g++", "g++"), ("verilator", "verilator"), ("yosys", "yosys"), ("zlib.h", "zlib1g-dev")];

/// What is kept of them; yosys calls its own abc beside itself.
const PROGRAMS: [&str; 3] = ["verilator_bin", "yosys", "yosys-abc"];

/// Variables that child cargo commands are given.
pub(crate) type Environment = Vec<(String, String)>;

/// Makes sure that Verilog can be built, and says with which variables.
pub(crate) fn ready(network: Network) -> Result<Environment> {
    let mut missing = missing();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    if network == Network::Allowed && nix::unistd::Uid::effective().is_root() && cmd::in_path("apt-get") {
        install(&missing)?;
        missing = self::missing();
    }
    if missing.contains(&"g++") {
        bail!("no C++ compiler (`g++`): install one, on Debian and Ubuntu: sudo apt-get install g++");
    }
    if missing.is_empty() { Ok(Vec::new()) } else { unpacked(network) }
}

/// The Debian packages whose program or header is not there.
fn missing() -> Vec<&'static str> {
    let there = |what: &str| match what {
        "zlib.h" => Path::new("/usr/include/zlib.h").exists(),
        "g++" => cmd::in_path("g++") || cmd::in_path("c++") || std::env::var_os("CXX").is_some(),
        "verilator" => cmd::in_path(what) || std::env::var_os("VERILATOR").is_some(),
        _ => cmd::in_path(what) || std::env::var_os("YOSYS").is_some(),
    };
    PACKAGES.iter().filter(|(what, _)| !there(what)).map(|(_, package)| *package).collect()
}

fn install(packages: &[&str]) -> Result<()> {
    let mut step = say::step(format!("apt-get install {}", packages.join(" ")));
    let mut update = Command::new("apt-get");
    cmd::run_watched(update.args(["--quiet", "update"]), INSTALL_LIMIT, |line| step.note(line))?;
    let mut install = Command::new("apt-get");
    install.args(["--quiet", "--yes", "--no-install-recommends", "install"]).args(packages);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    cmd::run_watched(&mut install, INSTALL_LIMIT, |line| step.note(line))?;
    step.done("");
    Ok(())
}

/// The tools of the machine's own release, so that they run with the machine's own C library.
fn unpacked(network: Network) -> Result<Environment> {
    let dir = place::tools().join("hdl");
    let dir = cache::folder(&dir, "Verilator, yosys, zlib", RECIPE, network, |out, scratch, step| {
        let suite = codename()?;
        let apt = apt::Apt::open(&scratch.join("apt"), &[&suite], step)?;
        let debs = apt.closure(&["verilator", "yosys", "zlib1g-dev"], &suite, step)?;
        let root = scratch.join("root");
        for (index, deb) in debs.iter().enumerate() {
            step.note(&format!("unpacking {} of {}", index + 1, debs.len()));
            apt::unpack(deb, &root, &[])?;
        }
        keep(&root, out)?;
        wrap(out)?;
        Ok(format!("for {suite}"))
    })?;
    environment(&dir)
}

/// Copies what runs and is read, of 400 MB a tenth.
fn keep(root: &Path, out: &Path) -> Result<()> {
    for program in PROGRAMS {
        let from = root.join("usr/bin").join(program);
        fs::create_dir_all(out.join("usr/bin"))?;
        closure::copy_file(&from, &out.join("usr/bin").join(program))?;
        closure::copy(root, &from, &out.join(closure::LIBRARIES))?;
    }
    // The machine's own, of the same release: a loader takes no other C library than its own.
    for name in ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", closure::LOADER] {
        let path = out.join(closure::LIBRARIES).join(name);
        if path.exists() {
            fs::remove_file(path)?;
        }
    }
    for dir in ["usr/share/verilator", "usr/share/yosys", "usr/share/tcltk", "usr/lib/tcltk"] {
        for file in sum::files(&root.join(dir)).unwrap_or_default() {
            copy_below(root, &file, out)?;
        }
    }
    for file in ["usr/include/zlib.h", "usr/include/zconf.h", "usr/lib/x86_64-linux-gnu/libz.a"] {
        copy_below(root, &root.join(file), out)?;
    }
    Ok(())
}

fn copy_below(root: &Path, file: &Path, out: &Path) -> Result<()> {
    let to = out.join(file.strip_prefix(root)?);
    fs::create_dir_all(to.parent().context("a file without a folder")?)?;
    closure::copy_file(file, &to)
}

/// Small scripts which point the loader at the unpacked libraries.
fn wrap(root: &Path) -> Result<()> {
    for (name, real) in
        [("verilator", "verilator_bin"), ("verilator_bin", "verilator_bin"), ("yosys", "yosys")]
    {
        let script = format!(
            "#!/bin/sh\nroot=$(cd \"$(dirname \"$(readlink -f \"$0\")\")/..\" && pwd)\n\
             export VERILATOR_ROOT=\"$root/usr/share/verilator\"\n\
             export LD_LIBRARY_PATH=\"$root/{}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\"\n\
             exec \"$root/usr/bin/{real}\" \"$@\"\n",
            closure::LIBRARIES
        );
        let path = root.join("wrap").join(name);
        fs::create_dir_all(root.join("wrap"))?;
        fs::write(&path, script)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn environment(root: &Path) -> Result<Environment> {
    let wrap = root.join("wrap");
    let before = |name: &str, path: PathBuf| {
        let old = std::env::var(name).unwrap_or_default();
        let text =
            if old.is_empty() { path.display().to_string() } else { format!("{}:{old}", path.display()) };
        (name.to_string(), text)
    };
    Ok(vec![
        ("VERILATOR".into(), wrap.join("verilator").display().to_string()),
        ("VERILATOR_ROOT".into(), root.join("usr/share/verilator").display().to_string()),
        ("YOSYS".into(), wrap.join("yosys").display().to_string()),
        before("PATH", wrap),
        before("CPATH", root.join("usr/include")),
        before("LIBRARY_PATH", root.join(closure::LIBRARIES)),
    ])
}

fn codename() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("reading /etc/os-release")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(line.context("/etc/os-release names no VERSION_CODENAME: is this a Debian?")?.trim_matches('"').into())
}
