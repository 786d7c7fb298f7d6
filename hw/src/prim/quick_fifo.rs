//! [`super::block_fifo`], as a plain queue, with a way past its RAM.
//!
//! In: `sink`.   Out: `source`; `empty`: nothing inside, and nothing on offer.
//! Time: a word is offered in the next cycle if it finds nothing before it, else two cycles later; one in and one out in every cycle.
//! Waits: `sink.ready`, a register, is low while full, and for a cycle after that.

use super::block_fifo::BlockFifo;
use super::stream::{StreamSink, StreamSource};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Queue of up to `depth` words, and two more on offer.
#[derive(LogicBlock)]
pub struct QuickFifo<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: StreamSink<T>,
    pub source: StreamSource<T>,
    pub empty: Signal<Out, Bit>,
    rest: BlockFifo<T>,
    /// The word that has gone past the RAM.
    full: Reg<Bit>,
    first: Reg<T>,
    passes: Signal<Local, Bit>,
    able: Constant<Bit>,
}

impl<T: Synth> QuickFifo<T> {
    /// `depth` is a power of two from 2 to 32768. Without `quick` there is no such way: it costs two LUTs for each bit.
    pub fn new(depth: usize, quick: bool) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            empty: Default::default(),
            rest: BlockFifo::new(depth),
            full: Default::default(),
            first: Default::default(),
            passes: Default::default(),
            able: Constant::new(quick),
        }
    }
}

impl<T: Synth> Logic for QuickFifo<T> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, full, first);
        clock!(self, clock, rest);
        self.rest.reset.next = self.reset.val();
        self.rest.keep.next = true;
        self.rest.forget.next = false;
        self.passes.next =
            self.able.val() & self.rest.empty.val() & (!self.full.q.val() | self.source.ready.val());
        self.rest.sink.valid.next = self.sink.valid.val() & !self.passes.val();
        self.rest.sink.data.next = self.sink.data.val();
        self.sink.ready.next = self.rest.sink.ready.val();

        // What has gone past is older than all that is inside.
        self.source.valid.next = self.full.q.val() | self.rest.source.valid.val();
        self.source.data.next = self.rest.source.data.val();
        self.rest.source.ready.next = self.source.ready.val();
        if self.full.q.val() {
            self.source.data.next = self.first.q.val();
            self.rest.source.ready.next = false;
        }
        self.empty.next = self.rest.empty.val() & !self.full.q.val();
        if self.source.ready.val() {
            self.full.d.next = false;
        }
        if self.passes.val() {
            self.full.d.next = self.sink.valid.val() & self.rest.sink.ready.val();
            self.first.d.next = self.sink.data.val();
        }
        if self.reset.val() {
            self.full.d.next = false;
        }
    }
}
