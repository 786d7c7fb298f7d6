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
    /// Which structure is asked, if any.
    ask_common: Reg<Bit>,
    ask_isr: Reg<Bit>,
    ask_device: Reg<Bit>,
    ask_notify: Reg<Bit>,
    ask_msix: Reg<Bit>,
    ask_inspection: Reg<Bit>,
    answer: Reg<Bits<32>>,
    // The access, from registers: everything that is read hangs on its address.
    write: Reg<Bit>,
    addr: Reg<Bits<16>>,
    write_data: Reg<Bits<32>>,
    strobe: Reg<Bits<4>>,
    told: Signal<Local, Bits<32>>,
    done: Signal<Local, Bit>,
}

impl Logic for Regions {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, answer, write, addr, write_data, strobe);
        dff_setup!(self, clock, ask_common, ask_isr, ask_device, ask_notify, ask_msix, ask_inspection);
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

        self.common.valid.next = self.ask_common.q.val();
        self.isr.valid.next = self.ask_isr.q.val();
        self.device.valid.next = self.ask_device.q.val();
        self.notify.valid.next = self.ask_notify.q.val();
        self.msix.valid.next = self.ask_msix.q.val();
        self.inspection.valid.next = self.ask_inspection.q.val();

        // Who answers, and what.
        self.told.next = 0.into();
        self.done.next = true;
        if self.ask_common.q.val() {
            self.told.next = self.told.val() | self.common.read_data.val();
            self.done.next = self.common.ready.val();
        }
        if self.ask_isr.q.val() {
            self.told.next = self.told.val() | self.isr.read_data.val();
            self.done.next = self.isr.ready.val();
        }
        if self.ask_device.q.val() {
            self.told.next = self.told.val() | self.device.read_data.val();
            self.done.next = self.device.ready.val();
        }
        if self.ask_notify.q.val() {
            self.told.next = self.told.val() | self.notify.read_data.val();
            self.done.next = self.notify.ready.val();
        }
        if self.ask_msix.q.val() {
            self.told.next = self.told.val() | self.msix.read_data.val();
            self.done.next = self.msix.ready.val();
        }
        if self.ask_inspection.q.val() {
            self.told.next = self.told.val() | self.inspection.read_data.val();
            self.done.next = self.inspection.ready.val();
        }
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
                // A structure smaller than its page ends before the page does: there is nothing behind it.
                // Common configuration is where the BAR begins.
                if self.access.addr.val() < layout::COMMON_END {
                    self.ask_common.d.next = self.access.valid.val();
                }
                if (self.access.addr.val() >= layout::ISR_OFFSET) & (self.access.addr.val() < layout::ISR_END)
                {
                    self.ask_isr.d.next = self.access.valid.val();
                }
                if (self.access.addr.val() >= layout::DEVICE_OFFSET)
                    & (self.access.addr.val() < layout::DEVICE_END)
                {
                    self.ask_device.d.next = self.access.valid.val();
                }
                if (self.access.addr.val() >= layout::NOTIFY_OFFSET)
                    & (self.access.addr.val() < layout::NOTIFY_END)
                {
                    self.ask_notify.d.next = self.access.valid.val();
                }
                if (self.access.addr.val() >= layout::MSIX_TABLE_OFFSET)
                    & (self.access.addr.val() < layout::MSIX_PBA_END)
                {
                    self.ask_msix.d.next = self.access.valid.val();
                }
                if self.access.addr.val() >= layout::INSPECTION_OFFSET {
                    self.ask_inspection.d.next = self.access.valid.val();
                }
                if self.access.valid.val() {
                    self.state.d.next = State::Ask;
                }
            }
            // Ask: the structure has it.
            State::Ask => {
                self.answer.d.next = self.told.val();
                if self.done.val() {
                    self.ask_common.d.next = false;
                    self.ask_isr.d.next = false;
                    self.ask_device.d.next = false;
                    self.ask_notify.d.next = false;
                    self.ask_msix.d.next = false;
                    self.ask_inspection.d.next = false;
                    self.state.d.next = State::Answer;
                }
            }
            // Answer: the answer is beside `ready`.
            State::Answer => {
                self.access.ready.next = true;
                self.state.d.next = State::Idle;
            }
            _ => self.state.d.next = State::Idle,
        }
        if self.reset.val() {
            self.ask_common.d.next = false;
            self.ask_isr.d.next = false;
            self.ask_device.d.next = false;
            self.ask_notify.d.next = false;
            self.ask_msix.d.next = false;
            self.ask_inspection.d.next = false;
            self.state.d.next = State::Idle;
        }
    }
}
