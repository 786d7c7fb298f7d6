//! A queue of words, first word falls through.
//!
//! In: `sink`.   Out: `source`; `room`, the number of words that can still be put in.
//! Time: a word put in is offered in the next cycle; one in and one out in every cycle.
//! Waits: `sink.ready` is low while full, and does not depend on `source.ready`.
//! The payload sits in distributed RAM; it is offered straight from it: an empty queue shows what is left there.

use super::stream::{StreamSink, StreamSource};
use rust_hdl_core::prelude::*;

/// Synchronous queue of up to `depth` words.
#[derive(LogicBlock)]
pub struct Fifo<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: StreamSink<T>,
    pub source: StreamSource<T>,
    pub room: Signal<Out, Bits<16>>,
    _words: Vec<T>,
    _head: usize,
    _tail: usize,
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
            _words: vec![T::default(); depth],
            _head: 0,
            _tail: 0,
        }
    }
}

impl<T: Synth> Logic for Fifo<T> {
    fn update(&mut self) {
        let depth = self._words.len();
        if self.clock.pos_edge() {
            let used = self._tail - self._head;
            if self.sink.valid.val() && used < depth {
                self._words[self._tail % depth] = self.sink.data.val();
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
        self.source.data.next = self._words[self._head % depth];
    }

    fn connect(&mut self) {
        self.sink.ready.connect();
        self.source.valid.connect();
        self.source.data.connect();
        self.room.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(fifo_text(self._words.len(), "sink_data", "source_data", T::BITS))
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
wire empty = head == tail;
wire full = head[{ah}:0] == tail[{ah}:0] & ~empty;
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
    {read} = mem[head[{ah}:0]];
    room = {room_pad}{a1}'d{depth} - (tail - head){room_end};
end",
        top = bits - 1,
        last = depth - 1,
        a1 = a + 1,
        ah = a - 1,
        room_pad = if a + 1 < 16 { format!("{{{}'d0, ", 16 - (a + 1)) } else { String::new() },
        room_end = if a + 1 < 16 { "}" } else { "" },
    )
}
