//! From events to MSI-X vectors.
//! In: `queue_irq`, `config_change` (a pulse).   Out: `irq`; `queue_event`, `config_event` pulses for the ISR status.
//! Time: one a cycle. Configuration changes wait for one place; several before it is taken are one.
//! Waits: on `irq` only.
//! Spec: [virtio 1.4: MSI-X Vector Configuration], [Notification of Device Configuration Changes]

use crate::port::chain::QueueIrq;
use crate::port::irq::Irq;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock, Default)]
pub struct Interrupts {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// This queue's driver wants to know of used buffers.
    pub queue_irq: StreamSink<QueueIrq>,
    /// So does the control queue's.
    pub control_irq: StreamSink<QueueIrq>,
    pub config_change: Signal<In, Bit>,
    pub config_vector: Signal<In, Bits<16>>,
    /// The vector of `lookup_queue`, combinational.
    pub lookup_queue: Signal<Out, Bits<16>>,
    pub lookup_vector: Signal<In, Bits<16>>,
    pub irq: StreamSource<Irq>,
    pub queue_event: Signal<Out, Bit>,
    pub config_event: Signal<Out, Bit>,
    pub busy: Signal<Out, Bit>,
    held: Reg<Irq>,
    full: Reg<Bit>,
    changed: Reg<Bit>,
    free: Signal<Local, Bit>,
}

impl Logic for Interrupts {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held, full, changed);
        self.irq.valid.next = self.full.q.val();
        self.irq.data.next = self.held.q.val();
        self.busy.next = self.config_change.val()
            | self.full.q.val()
            | self.changed.q.val()
            | self.queue_irq.valid.val()
            | self.control_irq.valid.val();
        self.free.next = !self.full.q.val() | self.irq.ready.val();
        self.lookup_queue.next = self.queue_irq.data.val().queue;
        if !self.queue_irq.valid.val() {
            self.lookup_queue.next = self.control_irq.data.val().queue;
        }
        self.queue_irq.ready.next = self.free.val();
        self.control_irq.ready.next = self.free.val() & !self.queue_irq.valid.val();
        self.queue_event.next = false;
        self.config_event.next = false;
        if self.free.val() {
            self.full.d.next = false;
            if self.queue_irq.valid.val() | self.control_irq.valid.val() {
                self.full.d.next = true;
                self.held.d.next.vector = self.lookup_vector.val();
                self.queue_event.next = true;
            } else if self.changed.q.val() {
                self.full.d.next = true;
                self.held.d.next.vector = self.config_vector.val();
                self.config_event.next = true;
                self.changed.d.next = false;
            }
        }
        if self.config_change.val() {
            self.changed.d.next = true;
        }
        if self.reset.val() {
            self.full.d.next = false;
            self.changed.d.next = false;
        }
    }
}
