//! The little of PCI which the server does by itself: place BAR 0, find MSI-X, switch both on.
//! Spec: [PCIe base: Type 0 Configuration Space Header], [PCIe base: MSI-X Capability and Table Structure]

use crate::device::Device;
use crate::root::complex::{RequestError, Root};
use crate::root::memory::HostMemory;

const COMMAND: u16 = 0x04;
const COMMAND_MEMORY: u16 = 1 << 1;
pub(super) const BAR0: u16 = 0x10;
const CAP_POINTER: u16 = 0x34;
const ID_MSIX: u8 = 0x11;
const MSIX_ENABLE: u16 = 1 << 15;
const MSIX_MASK_ALL: u16 = 1 << 14;
const MSIX_SIZE: u16 = 0x7ff;
const MSIX_ENTRY: u64 = 16;

/// Type bits of BAR 0: 64 bits wide, prefetchable.
pub(super) const BAR_FLAGS: u64 = 0xc;
/// Where the server places the BAR: nobody sees it but the TLP log.
const BAR_ADDR: u64 = 0x40_0000_0000;

/// Why the server cannot serve this function.
#[derive(Debug, thiserror::Error)]
pub enum BadFunction {
    #[error("the function does not answer: {0}")]
    Request(#[from] RequestError),
    #[error("BAR 0 reads {0:#x} after all ones: not a 64-bit memory BAR")]
    Bar(u64),
    #[error("no MSI-X in the capability chain {0:x?}")]
    NoMsix(Vec<u8>),
}

/// The MSI-X capability.
#[derive(Clone, Copy, Debug)]
pub(super) struct Msix {
    /// Where it is in configuration space.
    pub(super) cap: u16,
    pub(super) vectors: u16,
    /// Where the table is in BAR 0.
    table: u64,
}

impl Msix {
    /// Offset of a table entry in BAR 0.
    pub(super) fn entry(&self, vector: u32) -> u64 {
        self.table + MSIX_ENTRY * u64::from(vector)
    }
}

fn read<const N: usize>(
    root: &mut Root<impl Device, impl HostMemory>,
    at: u16,
) -> Result<[u8; N], RequestError> {
    let mut bytes = [0; N];
    root.config_read(at, &mut bytes)?;
    Ok(bytes)
}

/// Sizes BAR 0 and places it.
pub(super) fn place_bar(root: &mut Root<impl Device, impl HostMemory>) -> Result<u64, BadFunction> {
    root.config_write(BAR0, &u64::MAX.to_le_bytes())?;
    let sized = u64::from_le_bytes(read(root, BAR0)?);
    let size = (sized & !0xf).wrapping_neg();
    if sized & 0xf != BAR_FLAGS || !size.is_power_of_two() {
        return Err(BadFunction::Bar(sized));
    }
    write_bar(root)?;
    Ok(size)
}

/// Places the BAR (again).
pub(super) fn write_bar(root: &mut Root<impl Device, impl HostMemory>) -> Result<(), RequestError> {
    root.bar = Some(BAR_ADDR);
    root.config_write(BAR0, &BAR_ADDR.to_le_bytes())
}

/// Whether the BAR is where it was placed.
pub(super) fn bar_in_place(root: &mut Root<impl Device, impl HostMemory>) -> Result<bool, RequestError> {
    Ok(u64::from_le_bytes(read(root, BAR0)?) & !0xf == BAR_ADDR)
}

/// Walks the capability chain to MSI-X.
pub(super) fn find_msix(root: &mut Root<impl Device, impl HostMemory>) -> Result<Msix, BadFunction> {
    let [mut at] = read(root, CAP_POINTER)?;
    let mut seen = vec![];
    // A chain has room for 48 capabilities; more is a loop.
    while at != 0 && seen.len() < 48 {
        let cap = u16::from(at & !3);
        let [id, next] = read(root, cap)?;
        seen.push(id);
        if id == ID_MSIX {
            let vectors = (u16::from_le_bytes(read(root, cap + 2)?) & MSIX_SIZE) + 1;
            let table = u64::from(u32::from_le_bytes(read(root, cap + 4)?) & !7);
            return Ok(Msix { cap, vectors, table });
        }
        at = next;
    }
    Err(BadFunction::NoMsix(seen))
}

/// Runs `access` with the function's memory space on, as the kernel does for accesses of its own.
pub(super) fn with_memory_enabled<D: Device, M: HostMemory>(
    root: &mut Root<D, M>,
    access: impl FnOnce(&mut Root<D, M>) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    let command = u16::from_le_bytes(read(root, COMMAND)?);
    if command & COMMAND_MEMORY != 0 {
        return access(root);
    }
    root.config_write(COMMAND, &(command | COMMAND_MEMORY).to_le_bytes())?;
    let result = access(root);
    root.config_write(COMMAND, &command.to_le_bytes())?;
    result
}

/// Sets MSI-X Enable, clears Function Mask.
pub(super) fn enable_msix(
    root: &mut Root<impl Device, impl HostMemory>,
    msix: &Msix,
) -> Result<(), RequestError> {
    let control = u16::from_le_bytes(read(root, msix.cap + 2)?);
    let wanted = control & !MSIX_MASK_ALL | MSIX_ENABLE;
    if control == wanted { Ok(()) } else { root.config_write(msix.cap + 2, &wanted.to_le_bytes()) }
}
