//! Virtio's structures in the BARs, found by vendor capabilities. What reaches beyond its BAR is a finding, and is not used.
//! Spec: [virtio 1.4: Virtio Structure PCI Capabilities]

use hematite_abi::{Reg, config, pci_cap};
use serde::Serialize;

use crate::bus::{Bar, Bus, Width, config_number, inside};
use crate::error::{Error, Result};
use crate::finding::{Finding, clause};
use crate::pci::chain::Chain;

/// Which structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Features, status, queues.
    Common,
    /// Doorbells.
    Notify,
    /// Interrupt status: cleared by reading, so never read here.
    Isr,
    /// Of the kind of device.
    Device,
    /// BARs by way of configuration space.
    PciCfg,
    /// Memory of the device's.
    SharedMemory,
    /// The vendor's own.
    Vendor,
    /// A number that has no name yet: "the driver MUST ignore" it.
    Unknown,
}

impl Kind {
    fn of(number: u64) -> Kind {
        match number {
            pci_cap::TYPE_COMMON => Kind::Common,
            pci_cap::TYPE_NOTIFY => Kind::Notify,
            pci_cap::TYPE_ISR => Kind::Isr,
            pci_cap::TYPE_DEVICE => Kind::Device,
            pci_cap::TYPE_PCI_CFG => Kind::PciCfg,
            pci_cap::TYPE_SHARED_MEMORY => Kind::SharedMemory,
            pci_cap::TYPE_VENDOR => Kind::Vendor,
            _ => Kind::Unknown,
        }
    }

    /// Whether the capability says of a place in a BAR; the window's is the driver's to write.
    fn has_place(self) -> bool {
        !matches!(self, Kind::PciCfg | Kind::Vendor | Kind::Unknown)
    }
}

/// One capability's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Structure {
    /// Which.
    pub kind: Kind,
    /// The number that says so.
    pub cfg_type: u8,
    /// Where the capability is.
    pub capability: usize,
    /// Which BAR.
    pub bar: u8,
    /// Tells several of one kind apart.
    pub id: u8,
    /// First byte in the BAR.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Of doorbells: bytes from one queue's offset to the next.
    pub multiplier: Option<u32>,
    /// It lies in its BAR and may be used.
    pub usable: bool,
}

/// Reads all of a chain.
pub fn read_all(bus: &mut dyn Bus, chain: &Chain, findings: &mut Vec<Finding>) -> Result<Vec<Structure>> {
    let mut found = vec![];
    for at in chain.all(config::CAP_ID_VENDOR) {
        let mut report = |text: String| {
            findings.push(Finding::new(clause::CAPABILITIES, format!("capability at {at:#x}: {text}")));
        };
        if at + pci_cap::LENGTH + 4 > config::SPACE_PCI_BYTES {
            report("it does not fit below 100h".into());
            continue;
        }
        let told = config_number(bus, at + pci_cap::CAP_LEN, 1)? as usize;
        if told < pci_cap::CAP_BYTES {
            report(format!("cap_len is {told}, less than {}", pci_cap::CAP_BYTES));
            continue;
        }
        if at + told > config::SPACE_PCI_BYTES {
            report(format!("cap_len is {told}, beyond the end at 100h"));
        }
        let structure = read_one(bus, at, told, &mut report)?;
        found.push(structure);
    }
    Ok(found)
}

fn read_one(bus: &mut dyn Bus, at: usize, told: usize, report: &mut impl FnMut(String)) -> Result<Structure> {
    let cfg_type = config_number(bus, at + pci_cap::CFG_TYPE, 1)? as u8;
    let bar = config_number(bus, at + pci_cap::BAR, 1)? as u8;
    let id = config_number(bus, at + pci_cap::ID, 1)? as u8;
    let offset = u64::from(config_number(bus, at + pci_cap::OFFSET, 4)?);
    let length = u64::from(config_number(bus, at + pci_cap::LENGTH, 4)?);
    let kind = Kind::of(cfg_type.into());
    let mut usable = kind.has_place();
    let mut multiplier = None;
    if kind == Kind::Notify {
        if told >= pci_cap::NOTIFY_BYTES && at + pci_cap::NOTIFY_BYTES <= config::SPACE_PCI_BYTES {
            let value = config_number(bus, at + pci_cap::NOTIFY_MULTIPLIER, 4)?;
            // "notify_off_multiplier ... MUST be an even power of 2, or present as 0": 2 at least.
            if value != 0 && (!value.is_power_of_two() || value == 1) {
                report(format!("notify_off_multiplier is {value}, no power of 2 from 2 on"));
            }
            multiplier = Some(value);
        } else {
            report(format!("cap_len is {told}: no room for notify_off_multiplier"));
            usable = false;
        }
    }
    if usable {
        let bytes = Bar::new(bar.into()).map_or(0, |bar| bus.bar_bytes(bar));
        // 64-bit offsets of shared memory are not followed: nobody here reads it.
        if offset + length > bytes {
            report(format!("{length:#x} bytes at {offset:#x} of BAR {bar}, which has {bytes:#x}"));
            usable = false;
        }
    }
    Ok(Structure { kind, cfg_type, capability: at, bar, id, offset, length, multiplier, usable })
}

/// One of abi's registers by its offset.
fn register(table: &'static [Reg], offset: usize) -> Result<&'static Reg> {
    let found = table.iter().find(|reg| reg.offset == offset);
    found.ok_or_else(|| Error::Device(format!("no register at {offset:#x}")))
}

impl Structure {
    /// The BAR and the place in it of some bytes of the structure.
    fn place(&self, offset: usize, bytes: usize) -> Result<(Bar, u64)> {
        let bar = Bar::new(self.bar.into()).filter(|_| self.usable);
        let bar =
            bar.ok_or_else(|| Error::Device(format!("the {:?} structure is out of reach", self.kind)))?;
        inside(format!("the {:?} structure", self.kind), self.length, offset as u64, bytes as u64)?;
        Ok((bar, self.offset + offset as u64))
    }

    /// Reads a register; more than four bytes as several.
    pub fn read(&self, bus: &mut dyn Bus, table: &'static [Reg], offset: usize) -> Result<u64> {
        let reg = register(table, offset)?;
        let (bar, at) = self.place(offset, reg.width)?;
        let mut value = 0;
        let mut done = 0;
        while done < reg.width {
            let width = piece(reg.width - done);
            let part = bus.bar_read(bar, at + done as u64, width)?;
            value |= u64::from(part) << (8 * done);
            done += width.bytes();
        }
        Ok(value)
    }

    /// Writes a register; "64-bit fields ... two 32-bit accesses".
    pub fn write(&self, bus: &mut dyn Bus, table: &'static [Reg], offset: usize, value: u64) -> Result<()> {
        let reg = register(table, offset)?;
        let (bar, at) = self.place(offset, reg.width)?;
        let mut done = 0;
        while done < reg.width {
            let width = piece(reg.width - done);
            bus.bar_write(bar, at + done as u64, width, (value >> (8 * done)) as u32)?;
            done += width.bytes();
        }
        Ok(())
    }

    /// Writes a doorbell.
    pub fn ring(&self, bus: &mut dyn Bus, offset: u64, width: Width, value: u32) -> Result<()> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let (bar, at) = self.place(offset, width.bytes())?;
        bus.bar_write(bar, at, width, value)
    }

    /// Reads a byte.
    pub fn byte(&self, bus: &mut dyn Bus, offset: usize) -> Result<u8> {
        let (bar, at) = self.place(offset, 1)?;
        Ok(bus.bar_read(bar, at, Width::Byte)? as u8)
    }

    /// Reads a DWORD.
    pub fn dword(&self, bus: &mut dyn Bus, offset: usize) -> Result<u32> {
        let (bar, at) = self.place(offset, 4)?;
        bus.bar_read(bar, at, Width::Word)
    }
}

/// The widest access that fits into what is left.
fn piece(left: usize) -> Width {
    match left {
        1 => Width::Byte,
        2 | 3 => Width::Half,
        _ => Width::Word,
    }
}
