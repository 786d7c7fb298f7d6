//! What the server does to the function behind the client's back, as the kernel's vfio-pci does: keep its BAR in place, and
//! program its MSI-X table. Spec: [PCIe base: MSI-X Capability and Table Structures]

use super::dma::GuestMemory;
use crate::device::Device;
use crate::facts::{capability as cap, config, msix};
use crate::root::complex::{RequestError, Root};
use crate::root::enumerate::{BAR_BASE, EnumerateError, Function as Found};

/// What the server has to know of the function.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Size of BAR 0 and its type bits.
    pub(super) bar_bytes: u64,
    pub(super) bar_flags: u64,
    found: Found,
}

impl Place {
    /// Finds the function, which is fresh from a reset, and places its BAR.
    pub(super) fn find(root: &mut Root<impl Device, GuestMemory>) -> Result<Place, EnumerateError> {
        let bar_bytes = root.place_bar()?;
        let bar_flags = u64::from(root.config_u32(config::BAR0)?) & config::BAR_FLAGS;
        Ok(Place { bar_bytes, bar_flags, found: root.walk()? })
    }

    /// MSI-X vectors.
    pub(super) fn vectors(&self) -> u16 {
        self.found.vectors
    }

    /// Where the MSI-X capability is in configuration space.
    pub(super) fn msix(&self) -> u16 {
        self.found.msix
    }

    /// Whether `byte` written at `at` of configuration space starts a Function Level Reset.
    pub(super) fn is_flr(&self, at: u64, byte: u8) -> bool {
        let [low, high] = cap::DEVCTL_FLR.to_le_bytes();
        let control = u64::from(self.found.pcie + cap::PCIE_DEVICE_CONTROL);
        (at == control && byte & low != 0) || (at == control + 1 && byte & high != 0)
    }

    /// Where the entry of `vector` is in the BAR.
    pub(super) fn entry(&self, vector: u32) -> u64 {
        self.found.table + msix::ENTRY_BYTES * u64::from(vector)
    }

    /// Programs a table entry, or masks it if there is no message to send; switches MSI-X on.
    pub(super) fn program(
        &self,
        root: &mut Root<impl Device, GuestMemory>,
        vector: u32,
        message: Option<(u64, u32)>,
    ) -> Result<(), RequestError> {
        let entry = self.entry(vector);
        with_memory_enabled(root, |root| {
            // Double word by double word: [PCIe base: MSI-X Capability and Table Structures] promises no other access.
            if let Some((addr, data)) = message {
                root.bar_write(entry, &(addr as u32).to_le_bytes())?;
                root.bar_write(
                    entry + 4 * msix::ENTRY_ADDR_HI_WORD as u64,
                    &((addr >> 32) as u32).to_le_bytes(),
                )?;
                root.bar_write(entry + msix::ENTRY_DATA, &data.to_le_bytes())?;
            }
            // Masked, a message waits in the function's own pending bit until the client listens again.
            let control = if message.is_none() { msix::CONTROL_MASKED } else { 0 };
            root.bar_write(entry + msix::ENTRY_CONTROL, &control.to_le_bytes())
        })?;
        let at = self.found.msix + msix::CAP_CONTROL;
        let control = root.config_u16(at)?;
        let wanted = control & !msix::FUNCTION_MASK | msix::ENABLE;
        if message.is_none() || control == wanted {
            return Ok(());
        }
        root.config_write(at, &wanted.to_le_bytes())
    }
}

/// Places the BAR again.
pub(super) fn restore_bar(root: &mut Root<impl Device, GuestMemory>) -> Result<(), RequestError> {
    root.bar = Some(BAR_BASE);
    root.config_write(config::BAR0, &BAR_BASE.to_le_bytes())
}

/// Whether the BAR is where it was placed.
pub(super) fn bar_in_place(root: &mut Root<impl Device, GuestMemory>) -> Result<bool, RequestError> {
    let mut bytes = [0; 8];
    root.config_read(config::BAR0, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes) & !config::BAR_FLAGS == BAR_BASE)
}

/// Runs `access` with the function's memory space on.
fn with_memory_enabled<D: Device>(
    root: &mut Root<D, GuestMemory>,
    access: impl FnOnce(&mut Root<D, GuestMemory>) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    let command = root.config_u16(config::COMMAND)?;
    if command & config::COMMAND_MEMORY != 0 {
        return access(root);
    }
    root.config_write(config::COMMAND, &(command | config::COMMAND_MEMORY).to_le_bytes())?;
    let result = access(root);
    root.config_write(config::COMMAND, &command.to_le_bytes())?;
    result
}
