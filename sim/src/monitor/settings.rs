//! What the host allows the device, read off the configuration writes which go by.

use crate::facts::{capability as cap, config};

use crate::root::tlp::{Bdf, Tlp, View};

/// The two registers that matter, as far as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Registers {
    command: u16,
    control: u16,
}

impl Registers {
    fn merged(self, tlp: &Tlp) -> Registers {
        let View::CfgWrite0(request, value) = tlp.view() else { return self };
        let mut next = self;
        let merge = |register: u16, offset: usize| {
            let mut bytes = register.to_le_bytes();
            for lane in 0..4usize {
                let at = usize::from(request.offset) + lane;
                if request.be >> lane & 1 == 1 && (offset..offset + 2).contains(&at) {
                    bytes[at - offset] = value.to_le_bytes()[lane];
                }
            }
            u16::from_le_bytes(bytes)
        };
        next.command = merge(self.command, COMMAND);
        next.control = merge(self.control, CONTROL);
        if next.control & FLR != 0 { Registers::default() } else { next }
    }

    fn payload_bytes(self) -> usize {
        128 << (self.control >> MPS_SHIFT & 7).min(5)
    }

    fn read_bytes(self) -> usize {
        128 << (self.control >> MRRS_SHIFT & 7).min(5)
    }
}

impl Default for Registers {
    fn default() -> Registers {
        Registers { command: 0, control: CONTROL_RESET }
    }
}

/// The settings in force. While a configuration write is on its way both the old and the new value are allowed.
#[derive(Debug, Default)]
pub(super) struct Settings {
    now: Registers,
    soon: Registers,
    function: Bdf,
    /// A Function Level Reset was completed: what was begun may still end, until the host comes back.
    ending: bool,
}

impl Settings {
    pub(super) fn request(&mut self, tlp: &Tlp) {
        if std::mem::take(&mut self.ending) {
            self.now = Registers::default();
        }
        if let View::CfgWrite0(request, _) = tlp.view() {
            self.soon = self.soon.merged(tlp);
            self.function = request.target;
        }
    }

    /// The device has completed this configuration write.
    pub(super) fn done(&mut self, tlp: &Tlp) {
        let next = self.now.merged(tlp);
        // [PCIe base: Function Level Reset] the write is completed first; software then waits 100 ms.
        self.ending = next == Registers::default() && self.now != next;
        if !self.ending {
            self.now = next;
        }
    }

    pub(super) fn function(&self) -> Bdf {
        self.function
    }

    pub(super) fn payload_bytes(&self) -> usize {
        self.now.payload_bytes().max(self.soon.payload_bytes())
    }

    pub(super) fn read_bytes(&self) -> usize {
        self.now.read_bytes().max(self.soon.read_bytes())
    }

    /// Tags which the device may use. [PCIe base: Device Control Register, Extended Tag Field Enable]
    pub(super) fn tags(&self) -> u16 {
        if (self.now.control | self.soon.control) & EXTENDED_TAG != 0 { 256 } else { 32 }
    }

    pub(super) fn may_send(&self, requester: Bdf, broken: &mut Vec<String>) {
        if (self.now.command | self.soon.command) & BUS_MASTER == 0 {
            broken.push("memory request while Bus Master Enable is 0".into());
        }
        if requester != self.function {
            broken.push(format!("requester id {requester}, the function is {}", self.function));
        }
    }
}

const COMMAND: usize = hematite_abi::config::COMMAND;
const BUS_MASTER: u16 = config::COMMAND_BUS_MASTER;
const CONTROL: usize = cap::PCIE_AT + cap::PCIE_DEVICE_CONTROL as usize;
const FLR: u16 = cap::DEVCTL_FLR;
const MPS_SHIFT: u16 = cap::DEVCTL_MPS_SHIFT;
const MRRS_SHIFT: u16 = cap::DEVCTL_MRRS_SHIFT;
const EXTENDED_TAG: u16 = cap::DEVCTL_EXTENDED_TAG;
// Max_Payload_Size 128, Max_Read_Request_Size 512, relaxed ordering and no-snoop as the specification's defaults have them.
const CONTROL_RESET: u16 = 2 << MRRS_SHIFT;
