//! Routes an access of the BAR to the structure that holds its address.
//! In: `access`.   Out: one `MmioMaster` per structure, addressed from the BAR's start.
//! Time: 2 cycles more than the structure takes.
//! Waits: for the structure. Addresses outside every structure read zero and ignore writes.
//! Spec: [virtio 1.4: Virtio Structure PCI Capabilities]

use crate::port::mmio::{MmioMaster, MmioSlave};
use hematite_abi::layout;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum State {
    Idle,
    Ask,
    Answer,
}

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum Target {
    Nowhere,
    Common,
    Isr,
    Device,
    Notify,
    Msix,
    Inspection,
}

/// See the file's head.
#[derive(LogicBlock, Default)]
pub struct Regions {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub access: MmioSlave,
    pub common: MmioMaster,
    pub isr: MmioMaster,
    pub device: MmioMaster,
    pub notify: MmioMaster,
    pub msix: MmioMaster,
    pub inspection: MmioMaster,
    state: Reg<State>,
    target: Reg<Target>,
    answer: Reg<Bits<32>>,
    // The access, from registers: everything that is read hangs on its address.
    write: Reg<Bit>,
    addr: Reg<Bits<16>>,
    write_data: Reg<Bits<32>>,
    strobe: Reg<Bits<4>>,
    asking: Signal<Local, Bit>,
}

impl Logic for Regions {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, target, answer, write, addr, write_data, strobe);
        self.common.write.next = self.write.q.val();
        self.common.addr.next = self.addr.q.val();
        self.common.write_data.next = self.write_data.q.val();
        self.common.strobe.next = self.strobe.q.val();
        self.isr.write.next = self.write.q.val();
        self.isr.addr.next = self.addr.q.val();
        self.isr.write_data.next = self.write_data.q.val();
        self.isr.strobe.next = self.strobe.q.val();
        self.device.write.next = self.write.q.val();
        self.device.addr.next = self.addr.q.val();
        self.device.write_data.next = self.write_data.q.val();
        self.device.strobe.next = self.strobe.q.val();
        self.notify.write.next = self.write.q.val();
        self.notify.addr.next = self.addr.q.val();
        self.notify.write_data.next = self.write_data.q.val();
        self.notify.strobe.next = self.strobe.q.val();
        self.msix.write.next = self.write.q.val();
        self.msix.addr.next = self.addr.q.val();
        self.msix.write_data.next = self.write_data.q.val();
        self.msix.strobe.next = self.strobe.q.val();
        self.inspection.write.next = self.write.q.val();
        self.inspection.addr.next = self.addr.q.val();
        self.inspection.write_data.next = self.write_data.q.val();
        self.inspection.strobe.next = self.strobe.q.val();

        self.asking.next = self.state.q.val() == State::Ask;
        self.common.valid.next = self.asking.val() & (self.target.q.val() == Target::Common);
        self.isr.valid.next = self.asking.val() & (self.target.q.val() == Target::Isr);
        self.device.valid.next = self.asking.val() & (self.target.q.val() == Target::Device);
        self.notify.valid.next = self.asking.val() & (self.target.q.val() == Target::Notify);
        self.msix.valid.next = self.asking.val() & (self.target.q.val() == Target::Msix);
        self.inspection.valid.next = self.asking.val() & (self.target.q.val() == Target::Inspection);
        self.access.ready.next = false;
        self.access.read_data.next = self.answer.q.val();

        match self.state.q.val() {
            // Idle: where does the address lead?
            State::Idle => {
                self.answer.d.next = 0.into();
                self.write.d.next = self.access.write.val();
                self.addr.d.next = self.access.addr.val();
                self.write_data.d.next = self.access.write_data.val();
                self.strobe.d.next = self.access.strobe.val();
                self.target.d.next = Target::Nowhere;
                // A structure smaller than its page ends before the page does: there is nothing behind it.
                // Common configuration is where the BAR begins.
                if self.access.addr.val() < layout::COMMON_END {
                    self.target.d.next = Target::Common;
                }
                if (self.access.addr.val() >= layout::ISR_OFFSET) & (self.access.addr.val() < layout::ISR_END)
                {
                    self.target.d.next = Target::Isr;
                }
                if (self.access.addr.val() >= layout::DEVICE_OFFSET)
                    & (self.access.addr.val() < layout::DEVICE_END)
                {
                    self.target.d.next = Target::Device;
                }
                if (self.access.addr.val() >= layout::NOTIFY_OFFSET)
                    & (self.access.addr.val() < layout::NOTIFY_END)
                {
                    self.target.d.next = Target::Notify;
                }
                if (self.access.addr.val() >= layout::MSIX_TABLE_OFFSET)
                    & (self.access.addr.val() < layout::MSIX_PBA_END)
                {
                    self.target.d.next = Target::Msix;
                }
                if self.access.addr.val() >= layout::INSPECTION_OFFSET {
                    self.target.d.next = Target::Inspection;
                }
                if self.access.valid.val() {
                    self.state.d.next = State::Ask;
                }
            }
            // Ask: the structure has it.
            State::Ask => match self.target.q.val() {
                Target::Common => {
                    self.answer.d.next = self.common.read_data.val();
                    if self.common.ready.val() {
                        self.state.d.next = State::Answer;
                    }
                }
                Target::Isr => {
                    self.answer.d.next = self.isr.read_data.val();
                    if self.isr.ready.val() {
                        self.state.d.next = State::Answer;
                    }
                }
                Target::Device => {
                    self.answer.d.next = self.device.read_data.val();
                    if self.device.ready.val() {
                        self.state.d.next = State::Answer;
                    }
                }
                Target::Notify => {
                    self.answer.d.next = self.notify.read_data.val();
                    if self.notify.ready.val() {
                        self.state.d.next = State::Answer;
                    }
                }
                Target::Msix => {
                    self.answer.d.next = self.msix.read_data.val();
                    if self.msix.ready.val() {
                        self.state.d.next = State::Answer;
                    }
                }
                Target::Inspection => {
                    self.answer.d.next = self.inspection.read_data.val();
                    if self.inspection.ready.val() {
                        self.state.d.next = State::Answer;
                    }
                }
                _ => self.state.d.next = State::Answer,
            },
            // Answer: the answer is beside `ready`.
            State::Answer => {
                self.access.ready.next = true;
                self.state.d.next = State::Idle;
            }
            _ => self.state.d.next = State::Idle,
        }
        if self.reset.val() {
            self.state.d.next = State::Idle;
        }
    }
}
