//! A queue of beats, first beat falls through: [`super::fifo`] for beats.
//!
//! In: `sink`.   Out: `source`; `room`, the number of beats that can still be put in.
//! Time: a beat put in is offered in the next cycle; one in and one out in every cycle.
//! Waits: as [`super::fifo`]: depth 1 passes `source.ready` on, depth 2 cuts every path.

use super::beat::{BeatSink, BeatSource};
use super::fifo::{Slots, fifo_text};
use rust_hdl_core::prelude::*;

/// Synchronous queue of up to `depth` beats.
#[derive(LogicBlock)]
pub struct BeatFifo<const W: usize, T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: BeatSink<W, T>,
    pub source: BeatSource<W, T>,
    pub room: Signal<Out, Bits<16>>,
    _slots: Slots<(Bit, Bits<W>, T)>,
}

impl<const W: usize, T: Synth> BeatFifo<W, T> {
    /// `depth` is a power of two from 1 to 32768.
    pub fn new(depth: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            room: Default::default(),
            _slots: Slots::new(depth),
        }
    }
}

impl<const W: usize, T: Synth> Logic for BeatFifo<W, T> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let put = (self.sink.last.val(), self.sink.data.val(), self.sink.side.val());
            self._slots.edge(self.sink.valid.val(), put, self.source.ready.val(), self.reset.val());
        }
        self.sink.ready.next = self._slots.ready(self.source.ready.val());
        self.room.next = (self._slots.room() as u64).into();
        self.source.valid.next = self._slots.valid();
        let (last, data, side) = self._slots.front();
        self.source.last.next = last;
        self.source.data.next = data;
        self.source.side.next = side;
    }

    fn connect(&mut self) {
        self.sink.ready.connect();
        self.source.valid.connect();
        self.source.last.connect();
        self.source.data.connect();
        self.source.side.connect();
        self.room.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(fifo_text(
            self._slots.depth(),
            "{sink_side, sink_last, sink_data}",
            "{source_side, source_last, source_data}",
            T::BITS + 1 + W,
        ))
    }
}
