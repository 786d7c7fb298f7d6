//! Programs of the guest beyond busybox (ethtool, lspci, ip, iperf3, testpmd), from Debian, with their libraries.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cache::{self, Network};
use crate::place;
use crate::tools::{apt, closure};

const SUITE: &str = "trixie";
const RECIPE: &str = "busybox and programs of trixie, 1";
/// Loaded by name at run time (thread cancellation), so that no listing shows it.
const HIDDEN: &str = "libgcc_s.so.1";

/// One line of a list: a Debian package and a file of it.
pub(crate) struct Program {
    pub(crate) package: String,
    pub(crate) path: String,
}

/// The folder `name` with `programs`' files below their own paths, and `lib/` with all libraries.
pub(crate) fn find(name: &str, programs: &[Program], network: Network) -> Result<PathBuf> {
    let list: Vec<String> = programs.iter().map(|one| format!("{}:{}", one.package, one.path)).collect();
    let recipe = format!("{RECIPE}: {}", list.join(" "));
    let dir = place::guest().join(name);
    cache::folder(&dir, &format!("the guest's {name}"), &recipe, network, |out, scratch, step| {
        let apt = apt::Apt::open(&scratch.join("apt"), &[SUITE], step)?;
        let mut packages: Vec<&str> = programs.iter().map(|one| one.package.as_str()).collect();
        packages.push("libgcc-s1");
        packages.dedup();
        let debs = apt.closure(&packages, SUITE, step)?;
        let root = scratch.join("root");
        for (index, deb) in debs.iter().enumerate() {
            step.note(&format!("unpacking {} of {}", index + 1, debs.len()));
            apt::unpack(deb, &root, &[])?;
        }
        for program in programs {
            copy(&root, &program.path, out)?;
        }
        closure::copy_file(&root.join(closure::LIBRARIES).join(HIDDEN), &out.join("lib").join(HIDDEN))?;
        Ok(format!("{} files", programs.len()))
    })
}

fn copy(root: &Path, path: &str, out: &Path) -> Result<()> {
    let from = root.join(path);
    let to = out.join("root").join(path);
    fs::create_dir_all(to.parent().context("a path without a folder")?)?;
    closure::copy_file(&from, &to)?;
    // A library which is loaded by name needs others, too, and names no loader.
    let library = path.rsplit('/').next().is_some_and(|name| name.contains(".so"));
    if library || closure::is_dynamic(&fs::read(&from)?) {
        closure::copy(root, &from, &out.join("lib"))?;
    }
    Ok(())
}
