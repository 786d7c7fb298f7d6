//! BARs by way of configuration space: for a function whose BARs the kernel gives to nobody while a driver has them
//! (CONFIG_IO_STRICT_DEVMEM). No driver of an operating system uses the window; firmware has done with it by then.
//! Spec: [virtio 1.4: PCI configuration access capability]

use hematite_abi::{config, pci_cap};

use super::{Bar, Bus, Width, config_number};
use crate::error::{Error, Result};
use crate::pci::chain;

/// Where the capability is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window(usize);

impl Window {
    /// Looks for the capability.
    pub(super) fn find(bus: &mut impl Bus) -> Result<Window> {
        for capability in chain::walk(bus)?.capabilities {
            let at = capability.offset;
            let fits = at + pci_cap::WINDOW_BYTES <= config::SPACE_PCI_BYTES;
            if u64::from(capability.id) == config::CAP_ID_VENDOR
                && fits
                && u64::from(config_number(bus, at + pci_cap::CFG_TYPE, 1)?) == pci_cap::TYPE_PCI_CFG
            {
                return Ok(Window(at));
            }
        }
        Err(Error::Unable {
            what: "the kernel does not give out the BARs, and the function has no window in its configuration space".into(),
            next: "unbind the driver and give the function to vfio-pci: `hematite bind`",
        })
    }

    /// Reads by it, and puts its aim back.
    pub(super) fn read(self, bus: &mut impl Bus, bar: Bar, offset: u64, width: Width) -> Result<u32> {
        let before = self.aim(bus)?;
        self.set(bus, [bar.number() as u32, offset as u32, width.bytes() as u32])?;
        let value = config_number(bus, self.0 + pci_cap::WINDOW_DATA, width.bytes());
        self.set(bus, before)?;
        value
    }

    /// Writes by it, and puts its aim back.
    pub(super) fn write(
        self,
        bus: &mut impl Bus,
        bar: Bar,
        offset: u64,
        width: Width,
        value: u32,
    ) -> Result<()> {
        let before = self.aim(bus)?;
        self.set(bus, [bar.number() as u32, offset as u32, width.bytes() as u32])?;
        let done = bus.config_write(self.0 + pci_cap::WINDOW_DATA, &value.to_le_bytes()[..width.bytes()]);
        self.set(bus, before)?;
        done
    }

    fn aim(self, bus: &mut impl Bus) -> Result<[u32; 3]> {
        Ok([
            config_number(bus, self.0 + pci_cap::BAR, 1)?,
            config_number(bus, self.0 + pci_cap::OFFSET, 4)?,
            config_number(bus, self.0 + pci_cap::LENGTH, 4)?,
        ])
    }

    fn set(self, bus: &mut impl Bus, aim: [u32; 3]) -> Result<()> {
        bus.config_write(self.0 + pci_cap::BAR, &[aim[0] as u8])?;
        bus.config_write(self.0 + pci_cap::OFFSET, &aim[1].to_le_bytes())?;
        bus.config_write(self.0 + pci_cap::LENGTH, &aim[2].to_le_bytes())
    }
}
