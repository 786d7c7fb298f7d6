//! Checksum manifests: a cached folder is whole exactly when every file in its `MANIFEST` still has its SHA-256.
//!
//! The manifest is written last, so a fetch which was broken off is never taken for a finished one.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

const NAME: &str = "MANIFEST";

/// The SHA-256 of a file, in hexadecimal.
pub(crate) fn of_file(path: &Path) -> Result<String> {
    let mut file = fs::File::open(path).with_context(|| format!("reading {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut block)?;
        if count == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&block[..count]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Marks a folder as whole. `recipe` says what it was made from: another recipe means it must be made again.
pub(crate) fn seal(dir: &Path, recipe: &str) -> Result<()> {
    let mut text = format!("recipe {recipe}\n");
    for path in files(dir)? {
        let name = path.strip_prefix(dir)?;
        if name != Path::new(NAME) {
            text += &format!("{} {}\n", of_file(&path)?, name.display());
        }
    }
    let part = dir.join("MANIFEST.part");
    fs::write(&part, text)?;
    fs::rename(part, dir.join(NAME))?;
    Ok(())
}

/// True if the folder was sealed with this recipe and no file of it is missing or changed.
pub(crate) fn whole(dir: &Path, recipe: &str) -> bool {
    let Ok(text) = fs::read_to_string(dir.join(NAME)) else { return false };
    let mut lines = text.lines();
    if lines.next() != Some(&format!("recipe {recipe}")) {
        return false;
    }
    lines.all(|line| {
        let Some((sum, name)) = line.split_once(' ') else { return false };
        of_file(&dir.join(name)).is_ok_and(|found| found == sum)
    })
}

/// Every regular file below a folder, sorted.
pub(crate) fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("listing {}", dir.display()))? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_or_recipe_breaks_the_seal() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("sub/a"), "one").unwrap();
        seal(dir.path(), "1").unwrap();
        assert!(whole(dir.path(), "1"));
        assert!(!whole(dir.path(), "2"));
        fs::write(dir.path().join("sub/a"), "two").unwrap();
        assert!(!whole(dir.path(), "1"));
        fs::remove_file(dir.path().join("sub/a")).unwrap();
        assert!(!whole(dir.path(), "1"));
    }

    #[test]
    fn the_known_sum_of_abc() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "abc").unwrap();
        assert_eq!(
            of_file(file.path()).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
