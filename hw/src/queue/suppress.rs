//! Asks the driver's available ring, for each used index published, whether it wants to be interrupted.
//! In: `published`.   Out: `irq`, for queues whose driver does; `error`; `request`, `reply`: DMA.
//! Time: one every second cycle, and a read's delay; up to eight at once.
//! Waits: on `request`, `irq` and `error`; a reply is never held back, for each there is a place.
//! Busy: a read is in flight, or an interrupt or error has not been taken.
//! The flags are read after the index has left for the host: a driver that allows interrupts looks at the index once more
//! behind that.   Spec: [virtio: Used Buffer Notification Suppression], [virtio: Virtqueue Interrupt Suppression]

use crate::params::Params;
use crate::port::chain::Published;
use crate::port::dma::ReadSide;
use crate::port::queue::{QueueControlSink, QueueError};
use crate::prim::beat::BeatSink;
use crate::prim::fifo::Fifo;
use crate::prim::lutram::Lutram;
use crate::prim::stream::{StreamSink, StreamSource};
use crate::queue::lookup::AreaRead;
use hematite_abi::{ident, ring};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Interrupts on their way.
const PLACES: usize = 8;

/// Whose flags are being read, and that they are in the upper half of their DWORD.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct FlagsOf {
    pub queue: Bits<16>,
    pub upper: Bit,
}

/// The suppressor.
#[derive(LogicBlock)]
pub struct Suppress<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub control: QueueControlSink,
    pub published: StreamSink<Published>,
    pub irq: StreamSource<Published>,
    pub request: StreamSource<AreaRead>,
    pub reply: BeatSink<W, ReadSide>,
    pub error: StreamSource<QueueError>,
    pub busy: Signal<Out, Bit>,
    /// Pulse: the driver does not want this one.
    pub count_irq_suppressed: Signal<Out, Bit>,
    mask: Constant<Bits<16>>,
    flags_offset: Constant<Bits<20>>,
    flags_bytes: Constant<Bits<7>>,
    places: Constant<Bits<4>>,
    /// The flags are in the upper half of their DWORD.
    uppers: Lutram<Bit>,
    reads: Fifo<FlagsOf>,
    irqs: Fifo<Published>,
    asking: Reg<Bit>,
    queue: Reg<Bits<16>>,
    failed: Reg<Bit>,
    fault: Reg<QueueError>,
    /// Places that nobody holds: one is held from the read until the interrupt has gone.
    free: Reg<Bits<4>>,
    load: Signal<Local, Bit>,
    wanted: Signal<Local, Bit>,
    place_for_it: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    back: Signal<Local, Bits<4>>,
}

impl<const W: usize> Suppress<W> {
    /// For all queues.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            control: Default::default(),
            published: Default::default(),
            irq: Default::default(),
            request: Default::default(),
            reply: Default::default(),
            error: Default::default(),
            busy: Default::default(),
            count_irq_suppressed: Default::default(),
            mask: Constant::new((params.queues() as u64 - 1).into()),
            flags_offset: Constant::new((ring::AVAIL_FLAGS as u64).into()),
            flags_bytes: Constant::new(2.into()),
            places: Constant::new((PLACES as u64).into()),
            uppers: Lutram::new(params.queues()),
            reads: Fifo::new(PLACES),
            irqs: Fifo::new(PLACES),
            asking: Default::default(),
            queue: Default::default(),
            failed: Default::default(),
            fault: Default::default(),
            free: Default::default(),
            load: Default::default(),
            wanted: Default::default(),
            place_for_it: Default::default(),
            taken: Default::default(),
            back: Default::default(),
        }
    }
}

impl<const W: usize> Logic for Suppress<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, asking, queue, failed, fault, free);
        clock!(self, clock, uppers, reads, irqs);
        self.reads.reset.next = self.reset.val();
        self.irqs.reset.next = self.reset.val();
        self.uppers.write.next = self.control.enable.val();
        self.uppers.write_addr.next = self.control.settings.val().queue & self.mask.val();
        self.uppers.write_data.next = self.control.settings.val().driver.get_bit(1);
        self.uppers.read_addr.next = self.published.data.val().queue & self.mask.val();

        // Ask, if there is a place for what comes of it.
        self.load.next = self.published.valid.val() & !self.asking.q.val() & self.free.q.val().any();
        self.published.ready.next = self.load.val();
        self.request.valid.next = self.asking.q.val();
        self.request.data.next.queue = self.queue.q.val();
        self.request.data.next.driver = true;
        self.request.data.next.offset = self.flags_offset.val();
        self.request.data.next.len = self.flags_bytes.val();
        if self.request.ready.val() {
            self.asking.d.next = false;
        }
        if self.load.val() {
            self.asking.d.next = true;
            self.queue.d.next = self.published.data.val().queue;
        }
        self.reads.sink.valid.next = self.load.val();
        self.reads.sink.data.next.queue = self.published.data.val().queue;
        self.reads.sink.data.next.upper = self.uppers.read_data.val();

        // Flags, or none: then the queue stops.
        self.wanted.next = !self.reply.data.val().get_bit(ring::AVAIL_F_NO_INTERRUPT_BIT);
        if self.reads.source.data.val().upper {
            self.wanted.next = !self.reply.data.val().get_bit(ring::AVAIL_F_NO_INTERRUPT_BIT + 16);
        }
        self.place_for_it.next = !self.reply.side.val().error | !self.failed.q.val();
        self.reply.ready.next = self.place_for_it.val();
        self.taken.next = self.reply.valid.val() & self.reply.last.val() & self.place_for_it.val();
        self.reads.source.ready.next = self.taken.val();
        self.irqs.sink.valid.next = self.taken.val() & self.wanted.val() & !self.reply.side.val().error;
        self.irqs.sink.data.next.queue = self.reads.source.data.val().queue;
        self.irq.valid.next = self.irqs.source.valid.val();
        self.irq.data.next = self.irqs.source.data.val();
        self.irqs.source.ready.next = self.irq.ready.val();
        self.count_irq_suppressed.next = self.taken.val() & !self.wanted.val() & !self.reply.side.val().error;
        self.error.valid.next = self.failed.q.val();
        self.error.data.next = self.fault.q.val();
        if self.error.ready.val() {
            self.failed.d.next = false;
        }
        if self.taken.val() & self.reply.side.val().error {
            self.failed.d.next = true;
            self.fault.d.next.queue = self.reads.source.data.val().queue;
            self.fault.d.next.code = ident::ERROR_DMA_READ.into();
            if self.reply.side.val().timeout {
                self.fault.d.next.code = ident::ERROR_DMA_TIMEOUT.into();
            }
        }

        self.back.next = self.free.q.val();
        if self.load.val() {
            self.back.next = self.back.val() - 1;
        }
        if self.taken.val() & !(self.wanted.val() & !self.reply.side.val().error) {
            self.back.next = self.back.val() + 1;
        }
        if self.irqs.source.valid.val() & self.irq.ready.val() {
            self.back.next = self.back.val() + 1;
        }
        self.free.d.next = self.back.val();
        self.busy.next = (self.free.q.val() != self.places.val()) | self.failed.q.val();
        if self.reset.val() {
            self.asking.d.next = false;
            self.failed.d.next = false;
            self.free.d.next = self.places.val();
        }
    }
}
