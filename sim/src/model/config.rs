//! The model's configuration space: bytes and write masks from abi's table, and what a write sets off.

use crate::facts::{capability as cap, config, msix};

use crate::root::tlp::Bdf;

/// What a configuration write asks of the rest of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    FunctionReset,
    /// The PCI_CFG window's data register was written.
    WindowWrite,
}

/// Configuration space.
#[derive(Clone, Debug)]
pub(super) struct ConfigSpace {
    bytes: Vec<u8>,
    writable: Vec<u8>,
    /// Our number, as the last configuration write addressed us.
    pub(super) function: Bdf,
}

const WINDOW_DATA: usize = cap::WINDOW_AT + cap::WINDOW_DATA as usize;
const CONTROL: usize = cap::PCIE_AT + cap::PCIE_DEVICE_CONTROL as usize;

impl ConfigSpace {
    pub(super) fn new(vectors: u16) -> ConfigSpace {
        let (bytes, writable) = config::space(vectors);
        ConfigSpace { bytes: bytes.to_vec(), writable: writable.to_vec(), function: Bdf(0) }
    }

    fn u16(&self, offset: usize) -> u16 {
        u16::from_le_bytes([self.bytes[offset], self.bytes[offset + 1]])
    }

    /// One double word; beyond the end reads 0.
    pub(super) fn read(&self, offset: u16) -> u32 {
        let at = usize::from(offset);
        self.bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// Whether this double word is the window into the BAR.
    pub(super) fn is_window(offset: u16) -> bool {
        usize::from(offset) == WINDOW_DATA
    }

    /// Where the window looks: offset in the BAR and length. None if that is no access which can be made.
    pub(super) fn window(&self) -> Option<(u64, usize)> {
        let bar = self.bytes[cap::WINDOW_AT + cap::VIRTIO_BAR as usize];
        let offset = self.read((cap::WINDOW_AT as u16) + cap::VIRTIO_OFFSET);
        let len = self.read((cap::WINDOW_AT as u16) + cap::VIRTIO_LENGTH);
        // [virtio 1.4: PCI configuration access capability] length 1, 2 or 4, offset a multiple of it
        let legal = bar == 0 && matches!(len, 1 | 2 | 4) && offset.is_multiple_of(len);
        legal.then_some((u64::from(offset), len as usize))
    }

    /// Writes the enabled lanes of one double word.
    pub(super) fn write(&mut self, offset: u16, be: u8, value: u32) -> Effect {
        let at = usize::from(offset);
        if at + 4 > self.bytes.len() {
            return Effect::Nothing;
        }
        if ConfigSpace::is_window(offset) {
            return Effect::WindowWrite;
        }
        let lanes = (0..4usize).filter(|lane| be >> lane & 1 == 1);
        for lane in lanes {
            let mask = self.writable[at + lane];
            self.bytes[at + lane] = self.bytes[at + lane] & !mask | value.to_le_bytes()[lane] & mask;
        }
        if at == CONTROL & !3 && be & 0b10 != 0 && value & u32::from(cap::DEVCTL_FLR) != 0 {
            return Effect::FunctionReset;
        }
        Effect::Nothing
    }

    fn command(&self, bit: u16) -> bool {
        self.u16(config::COMMAND as usize) & bit != 0
    }

    pub(super) fn memory_enabled(&self) -> bool {
        self.command(config::COMMAND_MEMORY)
    }

    pub(super) fn bus_master(&self) -> bool {
        self.command(config::COMMAND_BUS_MASTER)
    }

    /// Bus address of the BAR.
    pub(super) fn bar(&self) -> u64 {
        let bar = config::BAR0 as u16;
        (u64::from(self.read(bar + 4)) << 32 | u64::from(self.read(bar))) & !0xf
    }

    /// Max_Payload_Size in bytes.
    pub(super) fn payload_bytes(&self) -> usize {
        128 << (self.u16(CONTROL) >> cap::DEVCTL_MPS_SHIFT & 7).min(5)
    }

    /// Max_Read_Request_Size in bytes.
    pub(super) fn read_bytes(&self) -> usize {
        128 << (self.u16(CONTROL) >> cap::DEVCTL_MRRS_SHIFT & 7).min(5)
    }

    /// MSI-X: enabled, and all masked.
    pub(super) fn msix(&self) -> (bool, bool) {
        let control = self.u16(cap::MSIX_AT + 2);
        (control & msix::ENABLE != 0, control & msix::FUNCTION_MASK != 0)
    }
}
