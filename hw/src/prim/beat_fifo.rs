//! A queue of beats, first beat falls through.
//!
//! In: `sink`.   Out: `source`; `room`, the number of beats that can still be put in.
//! Time: a beat put in is offered in the next cycle; one in and one out in every cycle.
//! Waits: `sink.ready` is low while full, and does not depend on `source.ready`. Depth 2 cuts every path.

use super::beat::{BeatSink, BeatSource};
use super::fifo::fifo_text;
use rust_hdl_core::prelude::*;
use std::collections::VecDeque;

/// Synchronous queue of up to `depth` beats.
#[derive(LogicBlock)]
pub struct BeatFifo<const W: usize, T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: BeatSink<W, T>,
    pub source: BeatSource<W, T>,
    pub room: Signal<Out, Bits<16>>,
    _beats: VecDeque<(Bit, Bits<W>, T)>,
    _depth: usize,
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
            _beats: VecDeque::new(),
            _depth: depth,
        }
    }
}

impl<const W: usize, T: Synth> Logic for BeatFifo<W, T> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            if self.reset.val() {
                self._beats.clear();
            } else {
                let full = self._beats.len() == self._depth;
                if self.source.ready.val() && !self._beats.is_empty() {
                    self._beats.pop_front();
                }
                if self.sink.valid.val() && !full {
                    self._beats.push_back((self.sink.last.val(), self.sink.data.val(), self.sink.side.val()));
                }
            }
        }
        self.sink.ready.next = self._beats.len() < self._depth;
        self.room.next = ((self._depth - self._beats.len()) as u64).into();
        self.source.valid.next = !self._beats.is_empty();
        let (last, data, side) = self._beats.front().copied().unwrap_or_default();
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
            self._depth,
            "{sink_side, sink_last, sink_data}",
            "{source_side, source_last, source_data}",
            T::BITS + 1 + W,
        ))
    }
}
