//! Cuts the way of `ready`: what comes passes at once, or is kept if nobody takes it.
//!
//! In: `sink`.   Out: `source`; `empty`: nothing is kept.
//! Time: a word passes in no time; one per cycle.
//! Waits: `sink.ready`, a register, is low while a word is kept.

use super::stream::{StreamSink, StreamSource};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Skid<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: StreamSink<T>,
    pub source: StreamSource<T>,
    pub empty: Signal<Out, Bit>,
    full: Reg<Bit>,
    kept: Reg<T>,
    able: Constant<Bit>,
}

impl<T: Synth> Skid<T> {
    /// Without `able` it is a wire both ways.
    pub fn new(able: bool) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            empty: Default::default(),
            full: Default::default(),
            kept: Default::default(),
            able: Constant::new(able),
        }
    }
}

impl<T: Synth> Logic for Skid<T> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, full, kept);
        self.sink.ready.next = !self.full.q.val();
        self.source.valid.next = self.sink.valid.val() | self.full.q.val();
        self.source.data.next = self.sink.data.val();
        if self.full.q.val() {
            self.source.data.next = self.kept.q.val();
        } else {
            self.kept.d.next = self.sink.data.val();
        }
        self.full.d.next = self.source.valid.val() & !self.source.ready.val();
        self.empty.next = !self.full.q.val();
        if !self.able.val() {
            self.sink.ready.next = self.source.ready.val();
        }
        if self.reset.val() | !self.able.val() {
            self.full.d.next = false;
        }
    }
}
