//! Frames for which no buffers are found yet, and chains asked for them before their turn.
//! In: `arrival`, a frame each, while `open`; `more`: one chain more, for the frame in hand; `answered`, a pulse for a chain that was
//! asked for here; `spoilt`, a pulse: the next chain of that queue is the first behind those kept.   Out: `frame`; `want`; `due`: there
//! are chains to come; `busy`.
//! Time: a frame is asked for in the cycle in which it comes, and offered in the next.
//! Waits: for room. If a frame has taken a chain asked for one behind it, no more frames come until those inside are gone.
//! `more` stands until it is `taken`.

use crate::params::Params;
use crate::port::chain::Want;
use crate::port::frame::Arrival;
use crate::prim::fifo::Fifo;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_abi::net;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// A frame inside.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Waiting {
    /// With its header.
    pub bytes: Bits<15>,
    pub queue: Bits<16>,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Ahead {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub open: Signal<In, Bit>,
    /// HASH_REPORT is accepted: headers are longer.
    pub hashes: Signal<In, Bit>,
    pub arrival: StreamSink<Arrival>,
    pub frame: StreamSource<Waiting>,
    pub want: StreamSource<Want>,
    pub more: Signal<In, Bit>,
    pub more_queue: Signal<In, Bits<16>>,
    pub taken: Signal<Out, Bit>,
    pub answered: Signal<In, Bit>,
    pub spoilt: Signal<In, Bit>,
    pub spoilt_queue: Signal<In, Bits<16>>,
    pub due: Signal<Out, Bit>,
    pub busy: Signal<Out, Bit>,
    waiting: Fifo<Waiting>,
    wants: Fifo<Want>,
    /// Chains to come for the frames inside.
    asked: Reg<Bits<3>>,
    /// Bit per pair: its queue's next want begins again.
    restart: Reg<Bits<64>>,
    queue: Signal<Local, Bits<16>>,
    at_queue: Signal<Local, Bits<64>>,
    at_spoilt: Signal<Local, Bits<64>>,
    asks: Signal<Local, Bit>,
    come: Signal<Local, Bit>,
    header: Signal<Local, Bits<15>>,
    depth: Constant<Bits<16>>,
    short_header: Constant<Bits<15>>,
    long_header: Constant<Bits<15>>,
    mask: Constant<Bits<15>>,
    queue_mask: Constant<Bits<16>>,
    pair_mask: Constant<Bits<16>>,
    one: Constant<Bits<64>>,
}

impl Ahead {
    /// Frames as `params` has them.
    pub fn new(params: &Params) -> Self {
        let mask = params.placed_mask().to_bits();
        // Receive queues are the even ones.
        let queue = (params.queues() - 2).to_bits();
        // The queue's answer takes five cycles.
        let depth = if params.width == 64 { 2 } else { 4 };
        Self {
            clock: Default::default(),
            reset: Default::default(),
            open: Default::default(),
            hashes: Default::default(),
            arrival: Default::default(),
            frame: Default::default(),
            want: Default::default(),
            more: Default::default(),
            more_queue: Default::default(),
            taken: Default::default(),
            answered: Default::default(),
            spoilt: Default::default(),
            spoilt_queue: Default::default(),
            due: Default::default(),
            busy: Default::default(),
            waiting: Fifo::narrow(depth, Waiting { bytes: mask, queue }),
            wants: Fifo::narrow(2, Want { queue, first: true }),
            asked: Default::default(),
            restart: Default::default(),
            queue: Default::default(),
            at_queue: Default::default(),
            at_spoilt: Default::default(),
            asks: Default::default(),
            come: Default::default(),
            header: Default::default(),
            depth: Constant::new(depth.to_bits()),
            short_header: Constant::new(net::HDR_BYTES.to_bits()),
            long_header: Constant::new(net::HDR_HASH_BYTES.to_bits()),
            mask: Constant::new(mask),
            queue_mask: Constant::new(queue),
            pair_mask: Constant::new((params.pairs - 1).to_bits()),
            one: Constant::new(1.into()),
        }
    }
}

impl Logic for Ahead {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, asked, restart);
        clock!(self, clock, waiting, wants);
        self.header.next = self.short_header.val();
        if self.hashes.val() {
            self.header.next = self.long_header.val();
        }
        self.waiting.reset.next = self.reset.val();
        self.wants.reset.next = self.reset.val();
        StreamSource::<Waiting>::link(&mut self.frame, &mut self.waiting.source);
        StreamSource::<Want>::link(&mut self.want, &mut self.wants.source);

        // Each frame inside has a chain to come.
        self.come.next = self.arrival.valid.val()
            & self.open.val()
            & !self.more.val()
            & !self.spoilt.val()
            & (bit_cast::<16, 3>(self.asked.q.val()) + self.waiting.room.val() == self.depth.val())
            & self.waiting.sink.ready.val()
            & self.wants.sink.ready.val();
        self.arrival.ready.next = self.come.val();
        self.waiting.sink.valid.next = self.come.val();
        self.waiting.sink.data.next.bytes =
            (self.arrival.data.val().len.get_bits::<15>(0) + self.header.val()) & self.mask.val();
        self.waiting.sink.data.next.queue = self.arrival.data.val().queue & self.queue_mask.val();
        self.queue.next = self.arrival.data.val().queue & self.queue_mask.val();
        if self.more.val() {
            self.queue.next = self.more_queue.val() & self.queue_mask.val();
        }
        self.at_queue.next = self.one.val() << ((self.queue.val() >> 1) & self.pair_mask.val());
        self.asks.next = self.come.val() | (self.more.val() & self.wants.sink.ready.val());
        self.wants.sink.valid.next = self.come.val() | self.more.val();
        self.wants.sink.data.next.queue = self.queue.val();
        self.wants.sink.data.next.first = (self.restart.q.val() & self.at_queue.val()).any();
        self.taken.next = self.wants.sink.ready.val();
        self.at_spoilt.next = self.one.val() << ((self.spoilt_queue.val() >> 1) & self.pair_mask.val());
        if self.asks.val() {
            self.restart.d.next = self.restart.q.val() & !self.at_queue.val();
        }
        if self.spoilt.val() {
            self.restart.d.next = self.restart.q.val() | self.at_spoilt.val();
        }
        if self.come.val() & !self.answered.val() {
            self.asked.d.next = self.asked.q.val() + 1;
        } else if self.answered.val() & !self.come.val() {
            self.asked.d.next = self.asked.q.val() - 1;
        }
        self.due.next = self.asked.q.val().any();
        self.busy.next = self.waiting.source.valid.val();
        if self.reset.val() {
            self.asked.d.next = 0.into();
            self.restart.d.next = 0.into();
        }
    }
}
