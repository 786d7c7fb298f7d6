//! `show`: one function, all that does not move.

use serde::Serialize;

use super::{Head, Status};
use crate::common::Common;
use crate::error::Result;
use crate::function::Function;
use crate::inspection::Parameters;
use crate::kernel::Kernel;
use crate::pci::{Header, Link, Msix, capability_name};
use crate::structure::{Kind, Structure};

/// One capability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Where.
    pub offset: usize,
    /// Its id.
    pub id: u16,
    /// What it is called.
    pub name: &'static str,
}

/// One BAR.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BarSize {
    /// Its number.
    pub bar: usize,
    /// Bytes.
    pub bytes: u64,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Show {
    /// What every report has.
    #[serde(flatten)]
    pub head: Head,
    /// Ids.
    pub header: Header,
    /// What kind of device.
    pub kind: &'static str,
    /// What the kernel says.
    pub kernel: Option<Kernel>,
    /// BARs.
    pub bars: Vec<BarSize>,
    /// Capabilities below 100h.
    pub capabilities: Vec<Listed>,
    /// And from there on.
    pub extended_capabilities: Vec<Listed>,
    /// Virtio's structures.
    pub structures: Vec<Structure>,
    /// MSI-X.
    pub msix: Option<Msix>,
    /// The link to the slot.
    pub link: Option<Link>,
    /// The device's state.
    pub status: Option<Status>,
    /// Queues.
    pub queues: Option<u16>,
    /// What it is made of, if it is one of ours.
    pub parameters: Option<Parameters>,
}

impl Show {
    /// Gathers it.
    pub fn gather(function: &mut Function) -> Result<Show> {
        let mut head = Head::of("show", function);
        head.findings.clone_from(&function.findings);
        let (mut status, mut queues, mut parameters) = (None, None, None);
        if let Ok(common) = function.reach(Kind::Common).map(Common) {
            status = Some(Status::new(common.status(&mut *function.bus)?));
            queues = Some(common.queues(&mut *function.bus)?);
        }
        if let Some(inspection) = function.inspection() {
            parameters = Some(inspection.parameters(&mut *function.bus)?);
        }
        let below = function.capabilities.iter();
        let capabilities =
            below.map(|one| Listed { offset: one.offset, id: one.id, name: capability_name(one) }).collect();
        let beyond = function.extended.iter();
        let extended_capabilities = beyond
            .map(|one| Listed { offset: one.offset, id: one.id, name: extended_name(one.id) })
            .collect();
        let bars = function.bars().into_iter().map(|(bar, bytes)| BarSize { bar: bar.number(), bytes });
        Ok(Show {
            head,
            header: function.header.clone(),
            kind: function.kind(),
            kernel: function.kernel.clone(),
            bars: bars.collect(),
            capabilities,
            extended_capabilities,
            structures: function.structures.clone(),
            msix: function.msix.clone(),
            link: function.link.clone(),
            status,
            queues,
            parameters,
        })
    }
}

fn extended_name(id: u16) -> &'static str {
    if u64::from(id) == hematite_abi::config::EXT_CAP_ID_VENDOR { "vendor" } else { "other" }
}
