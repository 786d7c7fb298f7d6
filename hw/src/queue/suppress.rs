//! Asks the driver's available ring, for each used index published, whether it wants to be interrupted: its flags, or with EVENT_IDX
//! `used_event`, the element behind which it wants to be; of a packed ring its event suppression structure.
//! In: `published`.   Out: `irq`, for queues whose driver does; `error`; `request`, `reply`: DMA.
//! Time: one every second cycle, and a read's delay; up to sixteen at once, as the tags allow; at 64 bits eight.
//! Waits: on `request`, `irq` and `error`; a reply is never held back, for each there is a place.
//! Busy: a read is in flight, or an interrupt or error has not been taken.
//! They are read after the index has left for the host: a driver that allows interrupts looks at the index once more
//! behind that.   Spec: [virtio: Used Buffer Notification Suppression], [virtio: Virtqueue Interrupt Suppression]

use crate::params::Params;
use crate::port::chain::{Published, QueueIrq};
use crate::port::dma::ReadSide;
use crate::port::queue::{QueueControlSink, QueueError};
use crate::prim::beat::BeatSink;
use crate::prim::fifo::Fifo;
use crate::prim::lutram::Lutram;
use crate::prim::stream::{StreamSink, StreamSource};
use crate::queue::lookup::AreaRead;
use hematite_abi::{feature, ident, packed, ring};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Where a queue's available ring stands, as far as a field of 16 bits of it is to be found.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct RingPlace {
    /// It begins in the upper half of a DWORD.
    pub upper: Bit,
    pub size: Bits<16>,
}

/// Whose field is being read, for which publication, and that it is in the upper half of its DWORD.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct FieldOf {
    pub queue: Bits<16>,
    pub index: Bits<16>,
    pub upper: Bit,
}

/// What the field says.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Field {
    pub queue: Bits<16>,
    pub index: Bits<16>,
    pub value: Bits<16>,
    /// Of a packed ring: `EVENT_…`.
    pub flags: Bits<2>,
    pub error: Bit,
    pub timeout: Bit,
}

/// The suppressor.
#[derive(LogicBlock)]
pub struct Suppress<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub control: QueueControlSink,
    /// EVENT_IDX, RING_PACKED are accepted.
    pub event_idx: Signal<In, Bit>,
    pub packed: Signal<In, Bit>,
    pub published: StreamSink<Published>,
    pub irq: StreamSource<QueueIrq>,
    pub request: StreamSource<AreaRead>,
    pub reply: BeatSink<W, ReadSide>,
    pub error: StreamSource<QueueError>,
    /// Few publications are in flight: less than a quarter of what may be.
    pub calm: Signal<Out, Bit>,
    pub busy: Signal<Out, Bit>,
    /// Pulse: the driver does not want this one.
    pub count_irq_suppressed: Signal<Out, Bit>,
    mask: Constant<Bits<16>>,
    flags_offset: Constant<Bits<20>>,
    event_offset: Constant<Bits<20>>,
    field_bytes: Constant<Bits<8>>,
    able: Constant<Bit>,
    packed_bytes: Constant<Bits<8>>,
    place_mask: Constant<Bits<16>>,
    silent: Constant<Bits<2>>,
    named: Constant<Bits<2>>,
    places: Constant<Bits<5>>,
    calm_free: Constant<Bits<5>>,
    rings: Lutram<RingPlace>,
    /// The index of each queue's last publication that has been decided.
    decided: Lutram<Bits<16>>,
    sizes: Lutram<Bits<16>>,
    reads: Fifo<FieldOf>,
    irqs: Fifo<QueueIrq>,
    asking: Reg<Bit>,
    asked: Reg<AreaRead>,
    answered: Reg<Bit>,
    field: Reg<Field>,
    failed: Reg<Bit>,
    fault: Reg<QueueError>,
    /// Places that nobody holds: one is held from the read until the interrupt has gone.
    free: Reg<Bits<5>>,
    load: Signal<Local, Bit>,
    here: Signal<Local, RingPlace>,
    upper: Signal<Local, Bit>,
    moved: Signal<Local, Bits<16>>,
    beyond: Signal<Local, Bits<16>>,
    size: Signal<Local, Bits<16>>,
    event: Signal<Local, Bits<16>>,
    strip: Signal<Local, Bit>,
    wanted: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    back: Signal<Local, Bits<5>>,
}

impl<const W: usize> Suppress<W> {
    /// For all queues.
    pub fn new(params: &Params) -> Self {
        // Interrupts on their way: a place for each, and few that take tags from the descriptors.
        let places = if W == 64 { 8 } else { (params.tags / 16).clamp(4, 16) };
        Self {
            clock: Default::default(),
            reset: Default::default(),
            control: Default::default(),
            event_idx: Default::default(),
            packed: Default::default(),
            published: Default::default(),
            irq: Default::default(),
            request: Default::default(),
            reply: Default::default(),
            error: Default::default(),
            calm: Default::default(),
            busy: Default::default(),
            count_irq_suppressed: Default::default(),
            mask: Constant::new((params.queues() as u64 - 1).into()),
            flags_offset: Constant::new((ring::AVAIL_FLAGS as u64).into()),
            event_offset: Constant::new((ring::AVAIL_RING as u64).into()),
            field_bytes: Constant::new((ring::EVENT_BYTES as u64).into()),
            able: Constant::new(params.offers(feature::RING_PACKED)),
            packed_bytes: Constant::new((packed::EVENT_BYTES as u64).into()),
            place_mask: Constant::new(((1 << packed::EVENT_WRAP_LSB) - 1).into()),
            silent: Constant::new(packed::EVENT_DISABLE.into()),
            named: Constant::new(packed::EVENT_DESC.into()),
            places: Constant::new((places as u64).into()),
            calm_free: Constant::new((places as u64 * 3 / 4).into()),
            rings: Lutram::new(params.queues()),
            decided: Lutram::new(params.queues()),
            sizes: Lutram::new(params.queues()),
            reads: Fifo::new(places),
            irqs: Fifo::new(places),
            asking: Default::default(),
            asked: Default::default(),
            answered: Default::default(),
            field: Default::default(),
            failed: Default::default(),
            fault: Default::default(),
            free: Default::default(),
            load: Default::default(),
            here: Default::default(),
            upper: Default::default(),
            moved: Default::default(),
            beyond: Default::default(),
            size: Default::default(),
            event: Default::default(),
            strip: Default::default(),
            wanted: Default::default(),
            taken: Default::default(),
            back: Default::default(),
        }
    }
}

impl<const W: usize> Logic for Suppress<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, asking, asked, answered, field, failed, fault, free);
        clock!(self, clock, rings, decided, sizes, reads, irqs);
        self.reads.reset.next = self.reset.val();
        self.irqs.reset.next = self.reset.val();
        self.rings.write.next = self.control.enable.val();
        self.rings.write_addr.next = self.control.settings.val().queue & self.mask.val();
        self.rings.write_data.next.upper = self.control.settings.val().driver.get_bit(1);
        self.rings.write_data.next.size = self.control.settings.val().size;
        self.rings.read_addr.next = self.published.data.val().queue & self.mask.val();

        self.strip.next = self.packed.val() & self.able.val();
        self.sizes.write.next = self.control.enable.val();
        self.sizes.write_addr.next = self.control.settings.val().queue & self.mask.val();
        self.sizes.write_data.next = self.control.settings.val().size;
        self.sizes.read_addr.next = self.field.q.val().queue & self.mask.val();

        // Ask, if there is a place for what comes of it.
        self.load.next = self.published.valid.val() & !self.asking.q.val() & self.free.q.val().any();
        self.published.ready.next = self.load.val();
        self.here.next = self.rings.read_data.val();
        self.upper.next = self.here.val().upper;
        self.request.valid.next = self.asking.q.val();
        self.request.data.next = self.asked.q.val();
        if self.request.ready.val() {
            self.asking.d.next = false;
        }
        if self.load.val() {
            self.asking.d.next = true;
            self.asked.d.next.queue = self.published.data.val().queue;
            self.asked.d.next.driver = true;
            self.asked.d.next.fixed = false;
            self.asked.d.next.base = 0.into();
            self.asked.d.next.len = self.field_bytes.val();
            self.asked.d.next.offset = self.flags_offset.val();
        }
        if self.strip.val() {
            self.upper.next = false;
            if self.load.val() {
                self.asked.d.next.len = self.packed_bytes.val();
            }
        } else if self.event_idx.val() {
            // A ring of one entry ends in the middle of a DWORD.
            self.upper.next = self.here.val().upper ^ self.here.val().size.get_bit(0);
            if self.load.val() {
                self.asked.d.next.offset =
                    self.event_offset.val() + (bit_cast::<20, 16>(self.here.val().size) << 1);
            }
        }
        self.reads.sink.valid.next = self.load.val();
        self.reads.sink.data.next.queue = self.published.data.val().queue;
        self.reads.sink.data.next.index = self.published.data.val().index;
        self.reads.sink.data.next.upper = self.upper.val();

        // What is there.
        self.reply.ready.next = !self.answered.q.val();
        self.reads.source.ready.next =
            self.reply.valid.val() & self.reply.last.val() & !self.answered.q.val();
        if !self.answered.q.val() {
            self.answered.d.next = self.reply.valid.val() & self.reply.last.val();
            self.field.d.next.queue = self.reads.source.data.val().queue;
            self.field.d.next.index = self.reads.source.data.val().index;
            self.field.d.next.value = self.reply.data.val().get_bits::<16>(0);
            if self.reads.source.data.val().upper {
                self.field.d.next.value = self.reply.data.val().get_bits::<16>(16);
            }
            self.field.d.next.flags = self.reply.data.val().get_bits::<2>(packed::EVENT_FLAGS_LSB);
            self.field.d.next.error = self.reply.side.val().error;
            self.field.d.next.timeout = self.reply.side.val().timeout;
        }

        // "If the used_event field ... the index passes it": elements that have come, and those of them behind it.
        self.decided.read_addr.next = self.field.q.val().queue & self.mask.val();
        self.moved.next = self.field.q.val().index - self.decided.read_data.val();
        self.beyond.next = self.field.q.val().index - self.field.q.val().value - 1;
        self.wanted.next = !self.field.q.val().value.get_bit(ring::AVAIL_F_NO_INTERRUPT_BIT);
        if self.event_idx.val() {
            self.wanted.next = self.beyond.val() < self.moved.val();
        }
        // Of a packed ring: places and wrap counters, which begin with 1, go round with twice the size, a power of two.
        self.size.next = self.sizes.read_data.val();
        self.event.next = self.field.q.val().value & self.place_mask.val();
        if !self.field.q.val().value.get_bit(packed::EVENT_WRAP_LSB) {
            self.event.next = (self.field.q.val().value & self.place_mask.val()) + self.size.val();
        }
        if self.strip.val() {
            self.beyond.next =
                (self.field.q.val().index - self.event.val() - 1) & (self.size.val() | (self.size.val() - 1));
            self.wanted.next = self.field.q.val().flags != self.silent.val();
            if self.event_idx.val() & (self.field.q.val().flags == self.named.val()) {
                self.wanted.next = self.beyond.val() < self.moved.val();
            }
        }
        // A queue that starts has the write port for itself. Where the field could not be read the queue stops.
        self.taken.next = self.answered.q.val()
            & !self.control.enable.val()
            & (!self.field.q.val().error | !self.failed.q.val());
        self.decided.write.next = self.control.enable.val() | self.taken.val();
        self.decided.write_addr.next = self.field.q.val().queue & self.mask.val();
        self.decided.write_data.next = self.field.q.val().index;
        if self.control.enable.val() {
            self.decided.write_addr.next = self.control.settings.val().queue & self.mask.val();
            self.decided.write_data.next = 0.into();
        }
        if self.taken.val() {
            self.answered.d.next = false;
        }
        self.irqs.sink.valid.next = self.taken.val() & self.wanted.val() & !self.field.q.val().error;
        self.irqs.sink.data.next.queue = self.field.q.val().queue;
        self.irq.valid.next = self.irqs.source.valid.val();
        self.irq.data.next = self.irqs.source.data.val();
        self.irqs.source.ready.next = self.irq.ready.val();
        self.count_irq_suppressed.next = self.taken.val() & !self.wanted.val() & !self.field.q.val().error;
        self.error.valid.next = self.failed.q.val();
        self.error.data.next = self.fault.q.val();
        if self.error.ready.val() {
            self.failed.d.next = false;
        }
        if self.taken.val() & self.field.q.val().error {
            self.failed.d.next = true;
            self.fault.d.next.queue = self.field.q.val().queue;
            self.fault.d.next.code = ident::ERROR_DMA_READ.into();
            if self.field.q.val().timeout {
                self.fault.d.next.code = ident::ERROR_DMA_TIMEOUT.into();
            }
        }

        self.back.next = self.free.q.val();
        if self.load.val() {
            self.back.next = self.back.val() - 1;
        }
        if self.taken.val() & !(self.wanted.val() & !self.field.q.val().error) {
            self.back.next = self.back.val() + 1;
        }
        if self.irqs.source.valid.val() & self.irq.ready.val() {
            self.back.next = self.back.val() + 1;
        }
        self.free.d.next = self.back.val();
        self.calm.next = self.free.q.val() > self.calm_free.val();
        self.busy.next = (self.free.q.val() != self.places.val()) | self.failed.q.val();
        if self.reset.val() {
            self.asking.d.next = false;
            self.answered.d.next = false;
            self.failed.d.next = false;
            self.free.d.next = self.places.val();
        }
    }
}
