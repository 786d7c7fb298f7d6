//! The guest's image: a Debian kernel, its modules, busybox and a few programs, and sim/guest/init, as one initramfs.

mod cpio;
pub(crate) mod kernel;
mod modules;
mod overlay;
mod tool;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

pub(crate) use self::kernel::Kernel;
use crate::cache::Network;
use crate::tools::closure;
use crate::{place, sum};

/// Programs beyond the usual: DPDK's testpmd.
pub(crate) const DPDK: &str = "dpdk";

/// Our own command line, built for any Linux.
pub(crate) const TOOL: &str = "hematite";

/// Scripts of sim/guest, and where the guest has them.
const SCRIPTS: [(&str, &str); 6] = [
    ("init", "init"),
    ("step", "bin/step"),
    ("frames", "bin/frames"),
    ("forward", "bin/forward"),
    ("tool", "bin/tool"),
    ("udhcpc", "etc/udhcpc"),
];

/// A guest ready to boot.
pub(crate) struct Image {
    pub(crate) kernel: PathBuf,
    pub(crate) initrd: PathBuf,
    /// What `uname -r` says.
    pub(crate) release: String,
}

/// Fetches what is missing and writes the initramfs, which is quick, so it is always fresh.
///
/// `more` names a second list of programs, sim/guest/programs.MORE, or is `TOOL`.
pub(crate) fn build(kernel: Kernel, more: Option<&str>, network: Network) -> Result<Image> {
    let sources = place::root().join("sim/guest");
    let modules =
        words(&sources.join("modules"))?.into_iter().map(|mut line| line.remove(0)).collect::<Vec<_>>();
    let fetched = kernel::find(kernel, &modules, network)?;
    let mut tree = cpio::Tree::default();
    for dir in
        ["dev", "proc", "sys", "tmp", "root", "etc", "run", "var", "bin", "sbin", "usr/sbin", "usr/bin"]
    {
        tree.directory(dir);
    }
    // Needed before devtmpfs is mounted: the kernel opens it for the first process.
    tree.character("dev/console", 5, 1);
    tree.link("lib64", closure::LIBRARIES);
    let second = more.filter(|more| *more != TOOL).map(|more| format!("programs.{more}"));
    if more == Some(TOOL) {
        tree.file("usr/bin/hematite", 0o755, fs::read(tool::build()?)?);
    }
    for list in ["programs".to_string()].into_iter().chain(second) {
        let programs = words(&sources.join(&list))?.into_iter().map(program).collect::<Result<Vec<_>>>()?;
        let overlay = overlay::find(&list, &programs, network)?;
        add_folder(&mut tree, &overlay.join("root"), "")?;
        add_folder(&mut tree, &overlay.join("lib"), closure::LIBRARIES)?;
    }
    modules::add(&mut tree, &fetched)?;
    for (name, path) in SCRIPTS {
        tree.file(path, 0o755, fs::read(sources.join(name))?);
    }
    let name = [kernel.name()].into_iter().chain(more).collect::<Vec<_>>().join("-");
    let initrd = place::guest().join(format!("initrd-{name}.cpio"));
    // Two runs at once write the same bytes; the rename keeps a reader from seeing half of them.
    let part = initrd.with_extension(format!("part{}", std::process::id()));
    fs::write(&part, tree.archive())?;
    fs::rename(&part, &initrd)?;
    Ok(Image { kernel: fetched.image(), initrd, release: fetched.release()? })
}

fn add_folder(tree: &mut cpio::Tree, dir: &Path, to: &str) -> Result<()> {
    for path in sum::files(dir)? {
        let name = path.strip_prefix(dir)?.to_string_lossy().into_owned();
        let name = if to.is_empty() { name } else { format!("{to}/{name}") };
        let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
        tree.file(&name, mode, fs::read(&path)?);
    }
    Ok(())
}

/// The words of each line of a list; `#` starts a remark.
fn words(path: &Path) -> Result<Vec<Vec<String>>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", place::short(path)))?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let words = lines.map(|line| line.split_whitespace().map(String::from).collect::<Vec<_>>());
    Ok(words.filter(|words| !words.is_empty()).collect())
}

fn program(words: Vec<String>) -> Result<overlay::Program> {
    match <[String; 2]>::try_from(words) {
        Ok([package, path]) => Ok(overlay::Program { package, path }),
        Err(words) => bail!("a list of programs: `{}` is not PACKAGE PATH", words.join(" ")),
    }
}
