//! Which shared libraries a program needs, asked of the loader that was fetched with it: no readelf, no ldd.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cmd;

/// Where Debian keeps amd64 libraries below a root.
pub(crate) const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
/// The loader's name there.
pub(crate) const LOADER: &str = "ld-linux-x86-64.so.2";
const LIMIT: Duration = Duration::from_secs(60);

/// Copies all libraries of `program` (and the loader) from `root` into `out`, under the names it asks for.
pub(crate) fn copy(root: &Path, program: &Path, out: &Path) -> Result<()> {
    fs::create_dir_all(out)?;
    let libraries = root.join(LIBRARIES);
    let mut command = Command::new(libraries.join(LOADER));
    command.arg("--library-path").arg(&libraries).arg("--list").arg(program);
    let listing = cmd::run(&mut command, LIMIT)?;
    for (name, path) in parse(&listing) {
        copy_file(&path, &out.join(name))?;
    }
    copy_file(&libraries.join(LOADER), &out.join(LOADER))
}

/// True for a 64-bit ELF program which names an interpreter (a PT_INTERP program header): one that needs the loader.
pub(crate) fn is_dynamic(bytes: &[u8]) -> bool {
    const INTERPRETER: u64 = 3;
    let number = |at: usize, size: usize| -> Option<u64> {
        let bytes = bytes.get(at..at + size)?;
        Some(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    let headers = || -> Option<bool> {
        // Elf64_Ehdr: e_phoff, e_phentsize, e_phnum; each Elf64_Phdr starts with its type.
        let (offset, size, count) =
            (number(32, 8)? as usize, number(54, 2)? as usize, number(56, 2)? as usize);
        Some((0..count).any(|index| number(offset + index * size, 4) == Some(INTERPRETER)))
    };
    bytes.starts_with(b"\x7fELF\x02") && headers().unwrap_or(false)
}

/// Copies a file, following links, with its mode.
pub(crate) fn copy_file(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Lines like `libz.so.1 => /root/usr/lib/x86_64-linux-gnu/libz.so.1 (0x7f...)`.
fn parse(listing: &str) -> Vec<(String, PathBuf)> {
    let needed = listing.lines().filter_map(|line| {
        let (name, rest) = line.trim().split_once(" => ")?;
        let path = rest.rsplit_once(" (").map_or(rest, |(path, _)| path);
        let name = Path::new(name).file_name()?.to_string_lossy().into_owned();
        (name != LOADER).then(|| (name, PathBuf::from(path)))
    });
    needed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_is_a_dynamic_program() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(is_dynamic(&own));
        assert!(!is_dynamic(&own[..40]));
        assert!(!is_dynamic(b"#!/bin/sh"));
    }

    #[test]
    fn loader_listing() {
        let text = "\tlinux-vdso.so.1 (0x1)\n\tlibz.so.1 => /r/libz.so.1 (0x2)\n\t/lib64/ld-linux-x86-64.so.2 => /r/ld (0x3)\n";
        assert_eq!(parse(text), [("libz.so.1".to_string(), PathBuf::from("/r/libz.so.1"))]);
    }
}
