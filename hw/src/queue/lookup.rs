//! Reads what drivers have set up: the one place that knows where rings and tables stand.
//!
//! In: `reads`, one per client, of a queue's area from an offset on; `control`; `reply`.   Out: `request`; `replies`, one per client.
//! Time: a request leaves four cycles after its read; one per two cycles.   Waits: on `request`. Clients take turns.
//! All replies come by one way, in the order of the reads: each client takes its own as they come, and holds up nobody.
//! An address is computed here and nowhere else. Busy: those who wait for a reply.
//! Spec: [virtio: Split Virtqueues, Packed Virtqueues], alignment of the areas

use crate::params::Params;
use crate::port::dma::{ReadRequest, ReadSide};
use crate::port::queue::QueueControlSink;
use crate::prim::arbiter::Arbiter;
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::front_fifo::FrontFifo;
use crate::prim::ram::Ram;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// A piece of an area of a queue.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct AreaRead {
    pub queue: Bits<16>,
    /// Of the Driver Area (the available ring), else of the Descriptor Area.
    pub driver: Bit,
    /// Bytes before it.
    pub offset: Bits<20>,
    /// Bytes, at most 128.
    pub len: Bits<8>,
    /// Of what stands at `base` instead: an indirect table.
    pub fixed: Bit,
    pub base: Bits<64>,
}

/// See the head of this file.
#[derive(LogicBlock)]
pub struct Lookup<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub control: QueueControlSink,
    /// RING_PACKED is accepted: the Driver Area is an event suppression structure.
    pub packed: Signal<In, Bit>,
    pub reads: Vec<StreamSink<AreaRead>>,
    pub replies: Vec<BeatSource<W, ReadSide>>,
    pub request: StreamSource<ReadRequest>,
    pub reply: BeatSink<W, ReadSide>,
    /// A wide function chooses and takes in one cycle.
    quick: Constant<Bit>,
    mask: Constant<Bits<16>>,
    // Descriptor Area and Driver Area of each queue.
    areas: Ram<Bits<64>>,
    asking: Arbiter,
    // Whose replies come, in order.
    clients: FrontFifo<Bits<3>>,
    // The second area is written in the cycle after the first.
    second: Reg<Bit>,
    // Whose read is next.
    choosing: Reg<Bit>,
    chosen: Reg<Bits<8>>,
    // A read, its area being fetched; with its area; with its address.
    fetching: Reg<Bit>,
    fetched_offset: Reg<Bits<20>>,
    fetched_len: Reg<Bits<8>>,
    fetched_fixed: Reg<Bit>,
    fetched_base: Reg<Bits<64>>,
    based: Reg<Bit>,
    base: Reg<Bits<64>>,
    offset: Reg<Bits<20>>,
    len: Reg<Bits<8>>,
    asked: Reg<Bit>,
    out: Reg<ReadRequest>,
    writing: Signal<Local, Bit>,
    entry: Signal<Local, Bits<16>>,
    take: Signal<Local, Bit>,
    turn: Signal<Local, Bits<8>>,
    area: Signal<Local, Bits<64>>,
    third_free: Signal<Local, Bit>,
    second_free: Signal<Local, Bit>,
    first_free: Signal<Local, Bit>,
    read: Signal<Local, AreaRead>,
}

impl<const W: usize> Lookup<W> {
    /// For all queues.
    pub fn new(params: &Params, clients: usize) -> Self {
        assert!((2..=8).contains(&clients), "{clients} clients");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            control: Default::default(),
            packed: Default::default(),
            reads: (0..clients).map(|_| Default::default()).collect(),
            replies: (0..clients).map(|_| Default::default()).collect(),
            request: Default::default(),
            reply: Default::default(),
            quick: Constant::new(Params::wide(params.width)),
            mask: Constant::new((params.queues() as u64 - 1).into()),
            areas: Ram::apart(2 * params.queues()),
            asking: Arbiter::new(clients),
            clients: FrontFifo::new(params.tags.max(16), Params::wide(params.width)),
            second: Default::default(),
            choosing: Default::default(),
            chosen: Default::default(),
            fetching: Default::default(),
            fetched_offset: Default::default(),
            fetched_len: Default::default(),
            fetched_fixed: Default::default(),
            fetched_base: Default::default(),
            based: Default::default(),
            base: Default::default(),
            offset: Default::default(),
            len: Default::default(),
            asked: Default::default(),
            out: Default::default(),
            writing: Default::default(),
            entry: Default::default(),
            take: Default::default(),
            turn: Default::default(),
            area: Default::default(),
            third_free: Default::default(),
            second_free: Default::default(),
            first_free: Default::default(),
            read: Default::default(),
        }
    }
}

impl<const W: usize> Logic for Lookup<W> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, areas, asking, clients);
        dff_setup!(self, clock, second, choosing, chosen, fetching, fetched_offset, fetched_len);
        dff_setup!(self, clock, fetched_fixed, fetched_base);
        dff_setup!(self, clock, based, base, offset, len, asked, out);
        self.asking.reset.next = self.reset.val();
        self.clients.reset.next = self.reset.val();

        // Where the areas stand. "Descriptor Table: alignment 16; Available Ring: 2": the bits below are not looked at.
        self.entry.next = (self.control.settings.val().queue & self.mask.val()) << 1;
        self.writing.next = self.control.enable.val() | self.second.q.val();
        self.second.d.next = self.control.enable.val();
        self.areas.write.next = self.writing.val();
        self.areas.write_addr.next = self.entry.val();
        self.areas.write_data.next = (self.control.settings.val().desc >> 4) << 4;
        if self.second.q.val() {
            self.areas.write_addr.next = self.entry.val() | 1;
            self.areas.write_data.next = (self.control.settings.val().driver >> 1) << 1;
            if self.packed.val() {
                self.areas.write_data.next = (self.control.settings.val().driver >> 2) << 2;
            }
        }

        // Whose turn it is, chosen in the cycle before.
        // Every other cycle is enough for each step, so that none waits for what the next does in the same cycle.
        self.third_free.next = !self.asked.q.val();
        self.second_free.next = !self.based.q.val();
        self.first_free.next = !self.fetching.q.val();
        self.take.next = self.choosing.q.val()
            & self.first_free.val()
            & self.clients.sink.ready.val()
            & !self.writing.val();
        self.turn.next = self.chosen.q.val();
        self.asking.take.next = !self.choosing.q.val();
        if self.quick.val() {
            self.take.next = self.asking.any.val()
                & self.first_free.val()
                & self.clients.sink.ready.val()
                & !self.writing.val();
            self.turn.next = self.asking.index.val();
            self.asking.take.next = self.take.val();
        } else if !self.choosing.q.val() {
            self.choosing.d.next = self.asking.any.val();
            self.chosen.d.next = self.asking.index.val();
        }
        if self.take.val() {
            self.choosing.d.next = false;
        }
        self.read.next = self.reads[0].data.val();
        for i in 0..self.reads.len() {
            self.asking.wants[i].next = self.reads[i].valid.val();
            self.reads[i].ready.next = self.take.val() & (self.turn.val().index() == i);
            if self.turn.val().index() == i {
                self.read.next = self.reads[i].data.val();
            }
        }
        self.clients.sink.valid.next = self.take.val();
        self.clients.sink.data.next = self.turn.val().get_bits::<3>(0);

        // The area is fetched, kept, added to: the RAM is slow to answer. In a wide function it is added to as it comes.
        self.areas.read.next = self.take.val();
        self.areas.read_addr.next = (self.read.val().queue & self.mask.val()) << 1;
        if self.read.val().driver {
            self.areas.read_addr.next = ((self.read.val().queue & self.mask.val()) << 1) | 1;
        }
        self.area.next = self.areas.read_data.val();
        if self.fetched_fixed.q.val() {
            self.area.next = self.fetched_base.q.val();
        }
        if self.third_free.val() & self.quick.val() {
            self.asked.d.next = self.fetching.q.val();
            self.out.d.next.addr = self.area.val() + bit_cast::<64, 20>(self.fetched_offset.q.val());
            self.out.d.next.len = bit_cast::<13, 8>(self.fetched_len.q.val());
            self.fetching.d.next = false;
        } else if self.third_free.val() {
            self.asked.d.next = self.based.q.val();
            self.out.d.next.addr = self.base.q.val() + bit_cast::<64, 20>(self.offset.q.val());
            self.out.d.next.len = bit_cast::<13, 8>(self.len.q.val());
            self.based.d.next = false;
        }
        if self.second_free.val() & !self.quick.val() {
            self.based.d.next = self.fetching.q.val();
            self.base.d.next = self.area.val();
            self.offset.d.next = self.fetched_offset.q.val();
            self.len.d.next = self.fetched_len.q.val();
            self.fetching.d.next = false;
        }
        if self.first_free.val() {
            self.fetching.d.next = self.take.val();
            self.fetched_offset.d.next = self.read.val().offset;
            self.fetched_len.d.next = self.read.val().len;
            self.fetched_fixed.d.next = self.read.val().fixed;
            self.fetched_base.d.next = self.read.val().base;
        }
        if self.asked.q.val() {
            self.asked.d.next = !self.request.ready.val();
        }
        self.request.valid.next = self.asked.q.val();
        self.request.data.next = self.out.q.val();

        // Replies.
        self.reply.ready.next = false;
        for i in 0..self.replies.len() {
            self.replies[i].valid.next = self.reply.valid.val()
                & self.clients.source.valid.val()
                & (self.clients.source.data.val().index() == i);
            self.replies[i].last.next = self.reply.last.val();
            self.replies[i].data.next = self.reply.data.val();
            self.replies[i].side.next = self.reply.side.val();
            if self.clients.source.valid.val() & (self.clients.source.data.val().index() == i) {
                self.reply.ready.next = self.replies[i].ready.val();
            }
        }
        self.clients.source.ready.next =
            self.reply.valid.val() & self.reply.ready.val() & self.reply.last.val();

        if self.reset.val() {
            self.second.d.next = false;
            self.choosing.d.next = false;
            self.fetching.d.next = false;
            self.based.d.next = false;
            self.asked.d.next = false;
        }
    }
}
