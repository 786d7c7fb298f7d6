//! The ISR status: what has happened since it was last read.
//! In: `access`; `queue_event`, `config_event` (pulses).   Out: the answer.
//! Time: an access is answered in the cycle it comes.
//! Waits: never.
//! Spec: [virtio 1.4: ISR status capability]

use crate::port::mmio::MmioSlave;
use hematite_abi::isr;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock, Default)]
pub struct Isr {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub access: MmioSlave,
    pub queue_event: Signal<In, Bit>,
    pub config_event: Signal<In, Bit>,
    queue: Reg<Bit>,
    config_changed: Reg<Bit>,
}

impl Logic for Isr {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, queue, config_changed);
        self.access.ready.next = self.access.valid.val();
        self.access.read_data.next = 0.into();
        if self.queue.q.val() & self.config_changed.q.val() {
            self.access.read_data.next = isr::QUEUE_AND_CONFIG.into();
        } else if self.queue.q.val() {
            self.access.read_data.next = isr::QUEUE.into();
        } else if self.config_changed.q.val() {
            self.access.read_data.next = isr::CONFIG.into();
        }
        // "The device MUST reset ISR status to 0 on driver read." An event in that very cycle stays for the next read.
        if self.access.valid.val() & !self.access.write.val() & self.access.strobe.val().get_bit(0) {
            self.queue.d.next = false;
            self.config_changed.d.next = false;
        }
        if self.queue_event.val() {
            self.queue.d.next = true;
        }
        if self.config_event.val() {
            self.config_changed.d.next = true;
        }
        if self.reset.val() {
            self.queue.d.next = false;
            self.config_changed.d.next = false;
        }
    }
}
