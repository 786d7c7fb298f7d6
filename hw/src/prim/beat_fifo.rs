//! A queue of beats, first beat falls through. Empty, it shows what is left in its RAM.
//!
//! In: `sink`.   Out: `source`; `room`, the number of beats that can still be put in.
//! Time: a beat put in is offered in the next cycle; one in and one out in every cycle.
//! Waits: `sink.ready` is low while full, and does not depend on `source.ready`. Depth 2 cuts every path.

use super::beat::{BeatSink, BeatSource};
use super::fifo::fifo_text;
use rust_hdl_core::prelude::*;

/// Synchronous queue of up to `depth` beats.
#[derive(LogicBlock)]
pub struct BeatFifo<const W: usize, T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: BeatSink<W, T>,
    pub source: BeatSource<W, T>,
    pub room: Signal<Out, Bits<16>>,
    _beats: Vec<(Bit, Bits<W>, T)>,
    _head: usize,
    _tail: usize,
}

impl<const W: usize, T: Synth> BeatFifo<W, T> {
    /// `depth` is a power of two from 2 to 32768.
    pub fn new(depth: usize) -> Self {
        assert!(depth.is_power_of_two() && (2..=32768).contains(&depth), "beat fifo depth {depth}");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            room: Default::default(),
            _beats: vec![Default::default(); depth],
            _head: 0,
            _tail: 0,
        }
    }
}

impl<const W: usize, T: Synth> Logic for BeatFifo<W, T> {
    fn update(&mut self) {
        let depth = self._beats.len();
        if self.clock.pos_edge() {
            let used = self._tail - self._head;
            if self.sink.valid.val() && used < depth {
                self._beats[self._tail % depth] =
                    (self.sink.last.val(), self.sink.data.val(), self.sink.side.val());
                self._tail += 1;
            }
            if self.source.ready.val() && used > 0 {
                self._head += 1;
            }
            if self.reset.val() {
                (self._head, self._tail) = (0, 0);
            }
        }
        let used = self._tail - self._head;
        self.sink.ready.next = used < depth;
        self.room.next = ((depth - used) as u64).into();
        self.source.valid.next = used > 0;
        let (last, data, side) = self._beats[self._head % depth];
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
            self._beats.len(),
            "{sink_side, sink_last, sink_data}",
            "{source_side, source_last, source_data}",
            T::BITS + 1 + W,
        ))
    }
}
