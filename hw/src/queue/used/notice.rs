//! Holds back who has been published until the index has left for the host.
//! In: `sink`, in the order of the index writes; `notified`, a pulse for each, in the same order.   Out: `source`.
//! Time: the cycle after the pulse.   Waits: on the pulse and on `source`.

use crate::port::chain::Published;
use crate::prim::fifo::Fifo;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Publications written and not yet passed on.
#[derive(LogicBlock)]
pub struct Notice {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: StreamSink<Published>,
    pub notified: Signal<In, Bit>,
    pub source: StreamSource<Published>,
    /// There are some.
    pub busy: Signal<Out, Bit>,
    waiting: Fifo<Published>,
    /// How many of them have left.
    left: Reg<Bits<5>>,
    pass: Signal<Local, Bit>,
}

impl Notice {
    /// `depth`, up to 16, may be written and not passed on.
    pub fn new(depth: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            notified: Default::default(),
            source: Default::default(),
            busy: Default::default(),
            waiting: Fifo::new(depth),
            left: Default::default(),
            pass: Default::default(),
        }
    }
}

impl Logic for Notice {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, left);
        clock!(self, clock, waiting);
        self.waiting.reset.next = self.reset.val();
        StreamSink::<Published>::link(&mut self.sink, &mut self.waiting.sink);
        self.source.valid.next = self.left.q.val().any();
        self.source.data.next = self.waiting.source.data.val();
        self.pass.next = self.left.q.val().any() & self.source.ready.val();
        self.waiting.source.ready.next = self.pass.val();
        if self.notified.val() & !self.pass.val() {
            self.left.d.next = self.left.q.val() + 1;
        }
        if self.pass.val() & !self.notified.val() {
            self.left.d.next = self.left.q.val() - 1;
        }
        self.busy.next = self.waiting.source.valid.val();
        if self.reset.val() {
            self.left.d.next = 0.into();
        }
    }
}
