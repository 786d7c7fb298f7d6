//! Frames for which no buffers are found yet, and chains asked for them before their turn.
//! In: `length`, a frame each, while `open`; `more`: one chain more, for the frame in hand; `answered`, a pulse for a chain that was
//! asked for here; `again`: begin again behind what has been kept.   Out: `frame`, bytes with its header; `want`; `due`: there are
//! chains to come; `busy`.
//! Time: a frame is asked for in the cycle in which it comes, and offered in the next.
//! Waits: for room. If a frame has taken a chain asked for one behind it, no more frames come until those inside are gone.
//! `more` stands until it is `taken`.   Queues: every frame goes to the first; steering comes with multiqueue.

use crate::params::Params;
use crate::port::chain::Want;
use crate::port::frame::FrameLength;
use crate::prim::fifo::Fifo;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_abi::net;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Ahead {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub open: Signal<In, Bit>,
    pub length: StreamSink<FrameLength>,
    pub frame: StreamSource<Bits<15>>,
    pub want: StreamSource<Want>,
    pub more: Signal<In, Bit>,
    pub taken: Signal<Out, Bit>,
    pub answered: Signal<In, Bit>,
    pub again: Signal<In, Bit>,
    pub due: Signal<Out, Bit>,
    pub busy: Signal<Out, Bit>,
    waiting: Fifo<Bits<15>>,
    wants: Fifo<Want>,
    /// Chains to come for the frames inside.
    asked: Reg<Bits<3>>,
    restart: Reg<Bit>,
    come: Signal<Local, Bit>,
    depth: Constant<Bits<16>>,
    header: Constant<Bits<15>>,
    mask: Constant<Bits<15>>,
}

impl Ahead {
    /// Frames as `params` has them.
    pub fn new(params: &Params) -> Self {
        let mask = params.placed_mask().to_bits();
        // The queue's answer takes five cycles.
        let depth = if params.width == 64 { 2 } else { 4 };
        Self {
            clock: Default::default(),
            reset: Default::default(),
            open: Default::default(),
            length: Default::default(),
            frame: Default::default(),
            want: Default::default(),
            more: Default::default(),
            taken: Default::default(),
            answered: Default::default(),
            again: Default::default(),
            due: Default::default(),
            busy: Default::default(),
            waiting: Fifo::narrow(depth, mask),
            wants: Fifo::narrow(2, Want { queue: 0.into(), first: true }),
            asked: Default::default(),
            restart: Default::default(),
            come: Default::default(),
            depth: Constant::new(depth.to_bits()),
            header: Constant::new(net::HDR_BYTES.to_bits()),
            mask: Constant::new(mask),
        }
    }
}

impl Logic for Ahead {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, asked, restart);
        clock!(self, clock, waiting, wants);
        self.waiting.reset.next = self.reset.val();
        self.wants.reset.next = self.reset.val();
        StreamSource::<Bits<15>>::link(&mut self.frame, &mut self.waiting.source);
        StreamSource::<Want>::link(&mut self.want, &mut self.wants.source);

        // Each frame inside has a chain to come.
        self.come.next = self.length.valid.val()
            & self.open.val()
            & !self.more.val()
            & !self.again.val()
            & (bit_cast::<16, 3>(self.asked.q.val()) + self.waiting.room.val() == self.depth.val())
            & self.waiting.sink.ready.val()
            & self.wants.sink.ready.val();
        self.length.ready.next = self.come.val();
        self.waiting.sink.valid.next = self.come.val();
        self.waiting.sink.data.next =
            (self.length.data.val().len.get_bits::<15>(0) + self.header.val()) & self.mask.val();
        self.wants.sink.valid.next = self.come.val() | self.more.val();
        self.wants.sink.data.next.queue = 0.into();
        self.wants.sink.data.next.first = self.restart.q.val();
        self.taken.next = self.wants.sink.ready.val();
        if self.come.val() | (self.more.val() & self.wants.sink.ready.val()) {
            self.restart.d.next = false;
        }
        if self.again.val() {
            self.restart.d.next = true;
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
            self.restart.d.next = false;
        }
    }
}
