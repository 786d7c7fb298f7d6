//! What the kernel says of a function: its driver, its virtio device, its interfaces.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::address::Bdf;
use crate::error::{Error, Result};
use crate::feature::FeatureSet;

/// Where functions are listed.
pub const DEVICES: &str = "/sys/bus/pci/devices";

/// One network interface of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Up or down, as the kernel sees it.
    pub state: String,
    /// Its address.
    pub address: String,
}

/// What there is of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kernel {
    /// The driver that has it.
    pub driver: Option<String>,
    /// Its IOMMU group.
    pub iommu_group: Option<u32>,
    /// What the IOMMU does for that group: `identity` leaves addresses as they are.
    pub iommu_kind: Option<String>,
    /// The virtio device that the driver has made of it.
    pub virtio: Option<String>,
    /// Interfaces of that.
    pub interfaces: Vec<Interface>,
    /// Features which driver and device have agreed on.
    #[serde(skip)]
    pub accepted: Option<FeatureSet>,
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_string()).unwrap_or_default()
}

fn link_name(path: &Path) -> Option<String> {
    Some(fs::read_link(path).ok()?.file_name()?.to_string_lossy().into_owned())
}

/// The entries of a folder, by name; none if there is no such folder.
fn entries(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(path).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Sysfs writes them as a row of 0 and 1, bit 0 first.
fn features(row: &str) -> Option<FeatureSet> {
    let whole = !row.is_empty()
        && row.len() <= FeatureSet::BITS
        && row.bytes().all(|byte| matches!(byte, b'0' | b'1'));
    let bits = row.bytes().enumerate().filter(|(_, byte)| *byte == b'1');
    whole.then(|| FeatureSet(bits.fold(0, |set, (bit, _)| set | 1 << bit)))
}

impl Kernel {
    /// Reads it from the function's folder.
    pub fn read(home: &Path) -> Kernel {
        let virtio = entries(home).into_iter().find(|path| {
            name(path)
                .strip_prefix("virtio")
                .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        });
        let interfaces =
            virtio.iter().flat_map(|virtio| entries(&virtio.join("net"))).map(|path| Interface {
                name: name(&path),
                state: text(&path.join("operstate")),
                address: text(&path.join("address")),
            });
        Kernel {
            driver: link_name(&home.join("driver")),
            iommu_group: link_name(&home.join("iommu_group")).and_then(|group| group.parse().ok()),
            iommu_kind: Some(text(&home.join("iommu_group/type"))).filter(|kind| !kind.is_empty()),
            interfaces: interfaces.collect(),
            accepted: virtio.as_ref().and_then(|virtio| features(&text(&virtio.join("features")))),
            virtio: virtio.as_deref().map(name),
        }
    }

    /// Whether the function's addresses are not the machine's own.
    pub fn is_translated(&self) -> bool {
        self.iommu_group.is_some() && self.iommu_kind.as_deref() != Some("identity")
    }

    /// Interfaces that are up: the function is in use.
    pub fn in_use(&self) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.state == "up")
    }
}

/// Vendor and device of a function, by its folder.
pub fn ids(home: &Path) -> Option<(u16, u16)> {
    let number = |name: &str| u16::from_str_radix(text(&home.join(name)).trim_start_matches("0x"), 16).ok();
    Some((number("vendor")?, number("device")?))
}

/// Addresses of all functions of a machine for which `wanted` holds, given vendor and device.
pub fn functions(devices: &Path, wanted: impl Fn(u16, u16) -> bool) -> Result<Vec<Bdf>> {
    let listed = fs::read_dir(devices).map_err(|error| {
        Error::system(
            format!("list {}", devices.display()),
            error,
            "is this Linux, with PCI, and /sys mounted?",
        )
    })?;
    let mut found: Vec<Bdf> = listed
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let (vendor, device) = ids(&path)?;
            name(&path).parse().ok().filter(|_| wanted(vendor, device))
        })
        .collect();
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_features_are_read() {
        assert_eq!(features("1001"), Some(FeatureSet(0b1001)));
        assert_eq!(features(""), None);
        assert_eq!(features("10x"), None);
        assert_eq!(features(&"1".repeat(128)), Some(FeatureSet(u128::MAX)));
        assert_eq!(features(&"1".repeat(129)), None);
    }
}
