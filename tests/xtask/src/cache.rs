//! Folders which are fetched or built once: made beside their place, sealed, then moved there whole.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::say::{self, Step};
use crate::{place, sum};

/// Whether the network may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Allowed,
    Off,
}

/// Returns the folder `dir`, made by `make` from `recipe` unless it is there whole already.
///
/// `scratch` (download state, archives) survives a failure, so that the next try resumes, and goes after success.
pub(crate) fn folder(
    dir: &Path,
    name: &str,
    recipe: &str,
    network: Network,
    make: impl FnOnce(&Path, &Path, &mut Step) -> Result<String>,
) -> Result<PathBuf> {
    fs::create_dir_all(place::target())?;
    let lock = fs::File::create(place::target().join(".fetch.lock"))?;
    lock.lock().context("waiting for another xtask which fetches")?;
    if sum::whole(dir, recipe) {
        return Ok(dir.into());
    }
    if network == Network::Off {
        bail!("{name} is not in {} (or is damaged), and --offline forbids fetching it", place::short(dir));
    }
    let part = dir.with_extension("part");
    let scratch = dir.with_extension("fetch");
    clear(&part)?;
    fs::create_dir_all(&part)?;
    fs::create_dir_all(&scratch)?;
    // Downloads are resumed; unpacking is quick and starts afresh.
    clear(&scratch.join("root"))?;
    let mut step = say::step(format!("fetch {name}"));
    let detail = make(&part, &scratch, &mut step).with_context(|| format!("while fetching {name}"))?;
    step.note("checksums");
    sum::seal(&part, recipe)?;
    clear(dir)?;
    fs::rename(&part, dir)?;
    clear(&scratch)?;
    step.done(&detail);
    Ok(dir.into())
}

fn clear(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("removing {}", dir.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_again_when_damaged() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("thing");
        let mut made = 0;
        for damage in [false, false, true] {
            if damage {
                fs::write(dir.join("file"), "damaged").unwrap();
            }
            folder(&dir, "a thing", "1", Network::Allowed, |part, _, _| {
                made += 1;
                fs::write(part.join("file"), "good")?;
                Ok(String::new())
            })
            .unwrap();
        }
        assert_eq!(made, 2);
        fs::write(dir.join("file"), "damaged").unwrap();
        let error = folder(&dir, "a thing", "1", Network::Off, |_, _, _| Ok(String::new())).unwrap_err();
        assert!(error.to_string().contains("--offline forbids"), "{error}");
    }
}
