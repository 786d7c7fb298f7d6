//! The guest's kernel and its modules, from Debian's cloud kernels: what a user's guest runs, unmodified.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::cache::{self, Network};
use crate::tools::{apt, closure};
use crate::{place, sum};

const META: &str = "linux-image-cloud-amd64";
const RECIPE: &str = "kernel and modules of linux-image-cloud-amd64, 1";

/// A kernel that the bench knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kernel {
    /// Debian 13 (trixie): `virtio_pci` is built in.
    #[value(name = "6.12")]
    V6_12,
    /// Debian 12 (bookworm): `virtio_pci` is a module.
    #[value(name = "6.1")]
    V6_1,
}

impl Kernel {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kernel::V6_12 => "6.12",
            Kernel::V6_1 => "6.1",
        }
    }

    fn suite(self) -> &'static str {
        match self {
            Kernel::V6_12 => "trixie",
            Kernel::V6_1 => "bookworm",
        }
    }
}

/// A fetched kernel: `vmlinuz`, `release`, and the modules, decompressed, in one flat folder.
pub(crate) struct Fetched {
    dir: PathBuf,
}

impl Fetched {
    pub(crate) fn image(&self) -> PathBuf {
        self.dir.join("vmlinuz")
    }

    pub(crate) fn modules(&self) -> PathBuf {
        self.dir.join("modules")
    }

    /// What `uname -r` says.
    pub(crate) fn release(&self) -> Result<String> {
        Ok(fs::read_to_string(self.dir.join("release"))?.trim().into())
    }
}

/// The kernel with the modules named in sim/guest/modules and all they depend on.
pub(crate) fn find(kernel: Kernel, wanted: &[String], network: Network) -> Result<Fetched> {
    let dir = place::guest().join(format!("kernel-{}", kernel.name()));
    let name = format!("Debian kernel {}", kernel.name());
    let recipe = format!("{RECIPE}: {}", wanted.join(" "));
    let dir = cache::folder(&dir, &name, &recipe, network, |out, scratch, step| {
        let apt = apt::Apt::open(&scratch.join("apt"), &[kernel.suite()], step)?;
        let package = apt.depends(META)?.into_iter().find(|name| name.starts_with("linux-image-"));
        let package = package.with_context(|| format!("{META} depends on no linux-image"))?;
        let deb = apt.single(&package, step)?;
        let root = scratch.join("root");
        step.note("unpacking");
        apt::unpack(&deb, &root, &[])?;
        pick(&root, wanted, out)?;
        Ok(fs::read_to_string(out.join("release"))?)
    })?;
    Ok(Fetched { dir })
}

fn pick(root: &Path, wanted: &[String], out: &Path) -> Result<()> {
    let image = fs::read_dir(root.join("boot"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-")))
        .context("the package has no /boot/vmlinuz")?;
    let name = image.file_name().unwrap_or_default().to_string_lossy().into_owned();
    closure::copy_file(&image, &out.join("vmlinuz"))?;
    fs::write(out.join("release"), name.trim_start_matches("vmlinuz-"))?;
    let modules = [root.join("usr/lib/modules"), root.join("lib/modules")];
    let modules = modules.iter().find(|dir| dir.exists()).context("the package has no modules")?;
    let files = sum::files(modules)?;
    let mut todo: Vec<String> = wanted.to_vec();
    let mut seen = Vec::new();
    fs::create_dir_all(out.join("modules"))?;
    while let Some(name) = todo.pop() {
        if seen.contains(&name) {
            continue;
        }
        seen.push(name.clone());
        // A module that is not there is built in, or the guest will say that its driver did not bind.
        let Some(path) = files.iter().find(|path| module_name(path).as_deref() == Some(&name)) else {
            continue;
        };
        let bytes = decompress(path)?;
        todo.extend(depends(&bytes));
        fs::write(out.join("modules").join(format!("{name}.ko")), bytes)?;
    }
    Ok(())
}

/// `virtio_net` for `.../virtio-net.ko.xz`: the kernel takes `-` and `_` for the same.
fn module_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let (name, _) = name.split_once(".ko")?;
    Some(name.replace('-', "_"))
}

fn decompress(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path)?;
    match path.extension().and_then(|ext| ext.to_str()) {
        Some("ko") => Ok(bytes),
        Some("xz") => {
            let mut out = Vec::new();
            let mut reader = lzma_rust2::XzReader::new(bytes.as_slice(), false);
            reader.read_to_end(&mut out).with_context(|| format!("decompressing {}", path.display()))?;
            Ok(out)
        }
        _ => bail!("{}: a compression which xtask does not know", path.display()),
    }
}

/// The values of one key in a module's `.modinfo`, a run of NUL-ended `key=value` strings.
pub(crate) fn modinfo(bytes: &[u8], key: &str) -> Vec<String> {
    let key = format!("\0{key}=");
    let mut values = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(key.len()).position(|window| window == key.as_bytes()) {
        let value = &rest[at + key.len()..];
        let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
        values.push(String::from_utf8_lossy(&value[..end]).into_owned());
        rest = &value[end..];
    }
    values
}

/// The modules that a module needs.
pub(crate) fn depends(bytes: &[u8]) -> Vec<String> {
    let lists = modinfo(bytes, "depends");
    let names = lists.iter().flat_map(|list| list.split(','));
    names.filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modinfo_lists_every_value() {
        let bytes = b"\x7fELF\0license=GPL\0alias=virtio:d1v*\0alias=two\0depends=net_failover,a-b\0x";
        assert_eq!(modinfo(bytes, "alias"), ["virtio:d1v*", "two"]);
        assert_eq!(depends(bytes), ["net_failover", "a_b"]);
    }

    #[test]
    fn module_names() {
        assert_eq!(module_name(Path::new("/x/virtio-rng.ko.xz")).as_deref(), Some("virtio_rng"));
        assert_eq!(module_name(Path::new("/x/modules.order")), None);
    }
}
