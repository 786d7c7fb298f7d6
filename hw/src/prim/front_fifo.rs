//! [`super::fifo`] with its first word in a register: what hangs on that word begins there, not behind a RAM.
//!
//! In: `sink`.   Out: `source`; `empty`: nothing inside.
//! Time: a word put in is offered in the next cycle if it finds nothing before it; one in and one out in every cycle.
//! Waits: `sink.ready`, a register, is low while full.

use super::fifo::Fifo;
use super::stream::{StreamSink, StreamSource};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Queue of up to `depth` words, and one more on offer.
#[derive(LogicBlock)]
pub struct FrontFifo<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: StreamSink<T>,
    pub source: StreamSource<T>,
    pub empty: Signal<Out, Bit>,
    rest: Fifo<T>,
    full: Reg<Bit>,
    first: Reg<T>,
    moves: Signal<Local, Bit>,
    able: Constant<Bit>,
}

impl<T: Synth> FrontFifo<T> {
    /// `depth` is a power of two from 4 to 32768. Without `quick` there is no such register.
    pub fn new(depth: usize, quick: bool) -> Self {
        Self::before(Fifo::new(depth), quick)
    }

    /// As `new`; words have no bits but those of `mask`.
    pub fn narrow(depth: usize, mask: T, quick: bool) -> Self {
        Self::before(Fifo::narrow(depth, mask), quick)
    }

    fn before(rest: Fifo<T>, quick: bool) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            empty: Default::default(),
            rest,
            full: Default::default(),
            first: Default::default(),
            moves: Default::default(),
            able: Constant::new(quick),
        }
    }
}

impl<T: Synth> Logic for FrontFifo<T> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, full, first);
        clock!(self, clock, rest);
        self.rest.reset.next = self.reset.val();
        self.moves.next = !self.full.q.val() | self.source.ready.val();
        self.sink.ready.next = self.rest.sink.ready.val();
        self.rest.sink.data.next = self.sink.data.val();
        self.rest.sink.valid.next = self.sink.valid.val();
        self.rest.source.ready.next = self.source.ready.val();
        self.source.valid.next = self.rest.source.valid.val();
        self.source.data.next = self.rest.source.data.val();
        self.empty.next = !self.rest.source.valid.val();
        if self.able.val() {
            // What finds nothing before it goes past the RAM.
            self.rest.sink.valid.next =
                self.sink.valid.val() & !(self.moves.val() & !self.rest.source.valid.val());
            self.rest.source.ready.next = self.moves.val();
            self.source.valid.next = self.full.q.val();
            self.source.data.next = self.first.q.val();
            // The register is never empty while there are words behind it.
            self.empty.next = !self.full.q.val();
        }
        if self.moves.val() {
            self.full.d.next =
                self.rest.source.valid.val() | (self.sink.valid.val() & self.rest.sink.ready.val());
            self.first.d.next = self.sink.data.val();
            if self.rest.source.valid.val() {
                self.first.d.next = self.rest.source.data.val();
            }
        }
        if self.reset.val() | !self.able.val() {
            self.full.d.next = false;
        }
    }
}
