//! `list`: all virtio functions of a machine.

use std::path::Path;

use serde::Serialize;

use super::SCHEMA;
use crate::address::Bdf;
use crate::error::Result;
use crate::function::{self, Function, is_virtio};
use crate::kernel::{self, Interface, Kernel};
use crate::structure::Kind;

/// One function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Where it is.
    pub device: String,
    /// Vendor.
    pub vendor_id: u16,
    /// Device.
    pub device_id: u16,
    /// What kind.
    pub kind: &'static str,
    /// The driver that has it.
    pub driver: Option<String>,
    /// Its IOMMU group.
    pub iommu_group: Option<u32>,
    /// Interfaces.
    pub interfaces: Vec<Interface>,
    /// Queues, if that can be seen.
    pub queues: Option<u16>,
    /// Whether the wire's link is up, if the device says.
    pub link_up: Option<bool>,
    /// It has an inspection region.
    pub hematite: bool,
    /// Why no more of it can be seen.
    pub trouble: Option<String>,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct List {
    /// The version of reports.
    pub schema: u32,
    /// Which verb.
    pub report: &'static str,
    /// By address.
    pub functions: Vec<Entry>,
}

impl List {
    /// Those of a machine, by its folder of functions.
    pub fn gather(devices: &Path) -> Result<List> {
        let mut functions = vec![];
        for bdf in kernel::functions(devices, is_virtio)? {
            let entry = match function::look_pci(devices, bdf) {
                Ok(mut function) => Entry::of(&mut function),
                Err(error) => Entry::lost(devices, bdf, &error.to_string()),
            };
            functions.push(entry);
        }
        Ok(List { schema: SCHEMA, report: "list", functions })
    }

    /// One that has been opened.
    pub fn of(function: &mut Function) -> List {
        List { schema: SCHEMA, report: "list", functions: vec![Entry::of(function)] }
    }
}

impl Entry {
    fn of(function: &mut Function) -> Entry {
        let kernel = function.kernel.clone().unwrap_or_default();
        let queues = match function.reach(Kind::Common) {
            Ok(common) => crate::common::Common(common).queues(&mut *function.bus).ok(),
            Err(_) => None,
        };
        Entry {
            device: function.bus.address().to_string(),
            vendor_id: function.header.vendor_id,
            device_id: function.header.device_id,
            kind: function.kind(),
            driver: kernel.driver,
            iommu_group: kernel.iommu_group,
            interfaces: kernel.interfaces,
            queues,
            link_up: super::config::link_up(function),
            hematite: function.inspection.is_some(),
            trouble: None,
        }
    }

    /// What can be said of a function that cannot be looked at.
    fn lost(devices: &Path, bdf: Bdf, why: &str) -> Entry {
        let home = devices.join(bdf.to_string());
        let kernel = Kernel::read(&home);
        let (vendor_id, device_id) = kernel::ids(&home).unwrap_or_default();
        Entry {
            device: bdf.to_string(),
            vendor_id,
            device_id,
            kind: "unknown",
            driver: kernel.driver,
            iommu_group: kernel.iommu_group,
            interfaces: kernel.interfaces,
            queues: None,
            link_up: None,
            hematite: false,
            trouble: Some(why.into()),
        }
    }
}
