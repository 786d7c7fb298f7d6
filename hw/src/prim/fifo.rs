//! A queue of words, first word falls through.
//!
//! In: `sink`.   Out: `source`; `room`, the number of words that can still be put in.
//! Time: a word put in is offered in the next cycle; one in and one out in every cycle.
//! Waits: `sink.ready` is low while full, and does not depend on `source.ready`.
//! The payload sits in distributed RAM; it is offered straight from it.

use super::stream::{StreamSink, StreamSource};
use rust_hdl_core::prelude::*;
use std::collections::VecDeque;

/// Synchronous queue of up to `depth` words.
#[derive(LogicBlock)]
pub struct Fifo<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: StreamSink<T>,
    pub source: StreamSource<T>,
    pub room: Signal<Out, Bits<16>>,
    _words: VecDeque<T>,
    _depth: usize,
}

impl<T: Synth> Fifo<T> {
    /// `depth` is a power of two from 2 to 32768.
    pub fn new(depth: usize) -> Self {
        assert!(depth.is_power_of_two() && (2..=32768).contains(&depth), "fifo depth {depth}");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            room: Default::default(),
            _words: VecDeque::new(),
            _depth: depth,
        }
    }
}

impl<T: Synth> Logic for Fifo<T> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            if self.reset.val() {
                self._words.clear();
            } else {
                let full = self._words.len() == self._depth;
                if self.source.ready.val() && !self._words.is_empty() {
                    self._words.pop_front();
                }
                if self.sink.valid.val() && !full {
                    self._words.push_back(self.sink.data.val());
                }
            }
        }
        self.sink.ready.next = self._words.len() < self._depth;
        self.room.next = ((self._depth - self._words.len()) as u64).into();
        self.source.valid.next = !self._words.is_empty();
        // An empty queue shows zeros, here and in the Verilog, so that both can be compared bit for bit.
        self.source.data.next = self._words.front().copied().unwrap_or_default();
    }

    fn connect(&mut self) {
        self.sink.ready.connect();
        self.source.valid.connect();
        self.source.data.connect();
        self.room.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(fifo_text(self._depth, "sink_data", "source_data", T::BITS))
    }
}

/// The Verilog of a first-word-fall-through queue in distributed RAM.
pub(super) fn fifo_text(depth: usize, write: &str, read: &str, bits: usize) -> String {
    let a = depth.trailing_zeros();
    format!(
        "(* ram_style = \"distributed\" *)
reg [{top}:0] mem [0:{last}];
reg [{a}:0] head;
reg [{a}:0] tail;
wire [{a}:0] used = tail - head;
wire full = used[{a}];
wire empty = used == {a1}'d0;
wire put = sink_valid & ~full;
wire take = source_ready & ~empty;
always @(posedge clock) begin
    if (put) begin
        mem[tail[{ah}:0]] <= {write};
    end
    if (put) begin
        tail <= tail + {a1}'d1;
    end
    if (take) begin
        head <= head + {a1}'d1;
    end
    if (reset) begin
        head <= {a1}'d0;
        tail <= {a1}'d0;
    end
end
initial head = {a1}'d0;
initial tail = {a1}'d0;
always @* begin
    sink_ready = ~full;
    source_valid = ~empty;
    {read} = empty ? {bits}'d0 : mem[head[{ah}:0]];
    room = {room_pad}{a1}'d{depth} - used{room_end};
end",
        top = bits - 1,
        last = depth - 1,
        a1 = a + 1,
        ah = a - 1,
        room_pad = if a + 1 < 16 { format!("{{{}'d0, ", 16 - (a + 1)) } else { String::new() },
        room_end = if a + 1 < 16 { "}" } else { "" },
    )
}
