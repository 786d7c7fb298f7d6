//! iPXE as a kernel image: firmware with a virtio-net driver of its own, which uses the PCI configuration access
//! capability that Linux ignores.

use std::path::PathBuf;

use anyhow::Result;

use super::{apt, closure};
use crate::cache::{self, Network};
use crate::place;

const RECIPE: &str = "ipxe.lkrn of trixie, 1";

/// The image, fetched if need be.
pub(crate) fn find(network: Network) -> Result<PathBuf> {
    let dir = place::guest().join("ipxe");
    let dir = cache::folder(&dir, "iPXE", RECIPE, network, |out, scratch, step| {
        let apt = apt::Apt::open(&scratch.join("apt"), &["trixie"], step)?;
        let deb = apt.single("ipxe", step)?;
        apt::unpack(&deb, &scratch.join("root"), &["./usr/lib/ipxe/ipxe.lkrn"])?;
        closure::copy_file(&scratch.join("root/usr/lib/ipxe/ipxe.lkrn"), &out.join("ipxe.lkrn"))?;
        Ok(deb.file_name().unwrap_or_default().to_string_lossy().into_owned())
    })?;
    Ok(dir.join("ipxe.lkrn"))
}
