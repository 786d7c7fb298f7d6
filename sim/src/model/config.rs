//! The model's configuration space: bytes and write masks from abi's table, and what a write sets off.

use hematite_abi::space::{self, ConfigParams};

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

/// One double word: what it holds, and what a write changes.
#[derive(Clone, Copy, Debug)]
struct Word {
    value: u32,
    write: u32,
    w1c: u32,
}

/// Configuration space.
#[derive(Clone, Debug)]
pub(super) struct ConfigSpace {
    words: Vec<Word>,
    /// Our number, as the last configuration write addressed us.
    pub(super) function: Bdf,
}

const WINDOW_DATA: usize = cap::WINDOW_AT + cap::WINDOW_DATA as usize;
const POWER: usize = hematite_abi::layout::POWER_CONTROL_DW * 4;
const POWER_STATE: u32 = (1 << hematite_abi::config::POWER_STATE_BITS) - 1;
const D0: u32 = hematite_abi::config::POWER_D0 as u32;
const D3HOT: u32 = hematite_abi::config::POWER_D3HOT as u32;
const CONTROL: usize = cap::PCIE_AT + cap::PCIE_DEVICE_CONTROL as usize;

impl ConfigSpace {
    pub(super) fn new(vectors: u16, queues: u16, payload_bytes: usize) -> ConfigSpace {
        let params = ConfigParams::new(usize::from(vectors), usize::from(queues), payload_bytes);
        let word = |reg: &space::DwReg| Word { value: reg.reset, write: reg.write, w1c: reg.w1c };
        ConfigSpace { words: space::config_space(&params).iter().map(word).collect(), function: Bdf(0) }
    }

    fn u16(&self, offset: usize) -> u16 {
        (self.read(offset as u16 & !3) >> (8 * (offset & 3))) as u16
    }

    /// One double word; beyond the table reads 0.
    pub(super) fn read(&self, offset: u16) -> u32 {
        self.words.get(usize::from(offset) / 4).map_or(0, |word| word.value)
    }

    /// Whether this double word is the window into the BAR.
    pub(super) fn is_window(offset: u16) -> bool {
        usize::from(offset) == WINDOW_DATA
    }

    /// Where the window looks: offset in the BAR and length. None if that is no access which can be made.
    pub(super) fn window(&self) -> Option<(u64, usize)> {
        let bar = self.u16(cap::WINDOW_AT + cap::VIRTIO_BAR as usize) as u8;
        let offset = self.read((cap::WINDOW_AT as u16) + cap::VIRTIO_OFFSET);
        let len = self.read((cap::WINDOW_AT as u16) + cap::VIRTIO_LENGTH);
        // [virtio 1.4: PCI configuration access capability] length 1, 2 or 4, offset a multiple of it
        let legal = bar == 0 && matches!(len, 1 | 2 | 4) && offset.is_multiple_of(len);
        legal.then_some((u64::from(offset), len as usize))
    }

    /// Writes the enabled lanes of one double word.
    pub(super) fn write(&mut self, offset: u16, mut be: u8, value: u32) -> Effect {
        let at = usize::from(offset);
        // D1 and D2 do not exist. [PCI Power Management: Power State] such a write changes nothing
        if at == POWER && !matches!(value & POWER_STATE, D0 | D3HOT) {
            be &= !1;
        }
        if ConfigSpace::is_window(offset) {
            return Effect::WindowWrite;
        }
        let Some(word) = self.words.get_mut(at / 4) else { return Effect::Nothing };
        let lanes =
            (0..4).filter(|lane| be >> lane & 1 == 1).fold(0, |lanes, lane| lanes | 0xffu32 << (8 * lane));
        word.value = word.value & !(word.write & lanes) | value & word.write & lanes;
        word.value &= !(value & word.w1c & lanes);
        if at == CONTROL & !3 && be & 0b10 != 0 && value & u32::from(cap::DEVCTL_FLR) != 0 {
            return Effect::FunctionReset;
        }
        Effect::Nothing
    }

    fn command(&self, bit: u16) -> bool {
        self.u16(usize::from(config::COMMAND)) & bit != 0
    }

    /// In D3hot only configuration requests are served, and nothing is begun.
    fn awake(&self) -> bool {
        self.read(POWER as u16) & POWER_STATE != D3HOT
    }

    pub(super) fn memory_enabled(&self) -> bool {
        self.command(config::COMMAND_MEMORY) && self.awake()
    }

    pub(super) fn bus_master(&self) -> bool {
        self.command(config::COMMAND_BUS_MASTER) && self.awake()
    }

    /// Bus address of the BAR.
    pub(super) fn bar(&self) -> u64 {
        let bar = config::BAR0;
        (u64::from(self.read(bar + 4)) << 32 | u64::from(self.read(bar))) & !config::BAR_FLAGS
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
        let control = self.u16(cap::MSIX_AT + msix::CAP_CONTROL as usize);
        (control & msix::ENABLE != 0, control & msix::FUNCTION_MASK != 0)
    }
}
