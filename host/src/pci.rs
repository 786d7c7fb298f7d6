//! PCI: header, capability chains, MSI-X, link. Read DWORD by DWORD and no further than needed: behind some there is more than
//! memory (the data of the PCI_CFG window).

pub mod chain;

use hematite_abi::{config, msix};
use serde::Serialize;

use crate::bus::{Bar, Bus, config_number};
use crate::error::Result;
use crate::finding::{Finding, clause};
use chain::{Capability, Chain};

/// The head of configuration space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Header {
    /// Who made it.
    pub vendor_id: u16,
    /// What it is.
    pub device_id: u16,
    /// Whose card it is on.
    pub subsystem_vendor_id: u16,
    /// Which card.
    pub subsystem_id: u16,
    /// Revision.
    pub revision: u8,
    /// Class, sub-class, programming interface.
    pub class: u32,
    /// Memory accesses are answered.
    pub memory: bool,
    /// It may read and write memory.
    pub bus_master: bool,
}

impl Header {
    /// Reads it.
    pub fn read(bus: &mut dyn Bus) -> Result<Header> {
        let mut half = |offset| config_number(bus, offset, 2).map(|value| value as u16);
        let (vendor_id, device_id) = (half(config::VENDOR_ID)?, half(config::DEVICE_ID)?);
        let (subsystem_vendor_id, subsystem_id) =
            (half(config::SUBSYSTEM_VENDOR_ID)?, half(config::SUBSYSTEM_ID)?);
        let command = u64::from(half(config::COMMAND)?);
        let class = config_number(bus, config::REVISION, 4)?;
        Ok(Header {
            vendor_id,
            device_id,
            subsystem_vendor_id,
            subsystem_id,
            revision: class as u8,
            class: class >> 8,
            memory: command & config::COMMAND_MEMORY != 0,
            bus_master: command & config::COMMAND_BUS_MASTER != 0,
        })
    }
}

/// A place in a BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Which BAR.
    pub bar: u8,
    /// First byte.
    pub offset: u64,
}

/// What the MSI-X capability says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Msix {
    /// Where the capability is.
    pub capability: usize,
    /// Entries of the table.
    pub vectors: u16,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Whether all are masked.
    pub masked: bool,
    /// The table.
    pub table: Place,
    /// The pending bits.
    pub pending: Place,
}

impl Msix {
    /// Reads it, if there is one.
    pub fn read(bus: &mut dyn Bus, chain: &Chain, findings: &mut Vec<Finding>) -> Result<Option<Msix>> {
        let Some(at) = chain.first(config::CAP_ID_MSIX) else { return Ok(None) };
        if at + msix::CAP_BYTES > bus.config_bytes() {
            findings.push(Finding::new(clause::MSIX, format!("the capability at {at:#x} does not fit")));
            return Ok(None);
        }
        let control = u64::from(config_number(bus, at + msix::CAP_CONTROL, 2)?);
        let vectors = (control & ((1 << msix::CONTROL_SIZE_BITS) - 1)) as u16 + 1;
        let mut place = |offset| -> Result<Place> {
            let word = u64::from(config_number(bus, at + offset, 4)?);
            let units = 1u64 << msix::LOCATION_OFFSET_LSB;
            Ok(Place { bar: (word % units) as u8, offset: word & !(units - 1) })
        };
        let (table, pending) = (place(msix::CAP_TABLE)?, place(msix::CAP_PBA)?);
        let table_bytes = u64::from(vectors) * msix::ENTRY_BYTES as u64;
        let pending_bytes = u64::from(vectors).div_ceil(64) * 8;
        for (name, place, bytes) in [("table", table, table_bytes), ("pending bits", pending, pending_bytes)]
        {
            let length = Bar::new(place.bar.into()).map_or(0, |bar| bus.bar_bytes(bar));
            if place.offset + bytes > length {
                let Place { bar, offset } = place;
                let text =
                    format!("{name}: {bytes:#x} bytes at {offset:#x} of BAR {bar}, which has {length:#x}");
                findings.push(Finding::new(clause::MSIX, text));
            }
        }
        Ok(Some(Msix {
            capability: at,
            vectors,
            enabled: control & msix::CONTROL_ENABLE != 0,
            masked: control & msix::CONTROL_FUNCTION_MASK != 0,
            table,
            pending,
        }))
    }
}

/// The kind of port in the PCI Express capability; one inside the root complex has no link.
const PORT_LSB: u32 = 4;
const PORT_MASK: u32 = 0xf;
const INTEGRATED: u32 = 9;

/// The link to the slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Speed now, as a code: 1 for 2.5 GT/s, 2 for 5, 3 for 8, 4 for 16, 5 for 32.
    pub speed: u8,
    /// The largest that the function can do.
    pub speed_max: u8,
    /// Lanes now.
    pub width: u8,
    /// The most.
    pub width_max: u8,
}

impl Link {
    /// Reads it from the PCI Express capability.
    pub fn read(bus: &mut dyn Bus, chain: &Chain) -> Result<Option<Link>> {
        let Some(at) = chain.first(config::CAP_ID_PCIE) else { return Ok(None) };
        if at + config::LINK_STATUS + 2 > bus.config_bytes().min(config::SPACE_PCI_BYTES) {
            return Ok(None);
        }
        let port = config_number(bus, at + config::PCIE_CAPABILITIES, 2)? >> PORT_LSB & PORT_MASK;
        if port == INTEGRATED {
            return Ok(None);
        }
        let most = config_number(bus, at + config::LINK_CAPABILITIES, 4)?;
        let now = config_number(bus, at + config::LINK_STATUS, 2)?;
        let field = |word: u32, lsb: usize, bits: usize| (word >> lsb & ((1 << bits) - 1)) as u8;
        Ok(Some(Link {
            speed: field(now, config::LNKSTA_SPEED_LSB, config::LNKSTA_SPEED_BITS),
            speed_max: field(most, config::LNKCAP_SPEED_LSB, config::LNKCAP_SPEED_BITS),
            width: field(now, config::LNKSTA_WIDTH_LSB, config::LNKSTA_WIDTH_BITS),
            width_max: field(most, config::LNKCAP_WIDTH_LSB, config::LNKCAP_WIDTH_BITS),
        }))
    }
}

/// What a capability is called, below 100h.
pub fn capability_name(capability: &Capability) -> &'static str {
    match u64::from(capability.id) {
        config::CAP_ID_POWER => "power_management",
        config::CAP_ID_VENDOR => "vendor",
        config::CAP_ID_PCIE => "pci_express",
        config::CAP_ID_MSIX => "msix",
        _ => "other",
    }
}
