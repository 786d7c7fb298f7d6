//! A queue of words in block RAM; what is put in may be taken back until it is kept.
//!
//! In: `sink`; `keep`: the words put in so far, this cycle's too, may leave (hold it high for a plain queue); `forget`: drop those
//! not kept, this cycle's too.   Out: `source`.
//! Time: a word is offered two cycles after it was put in, if it was kept; one in and one out in every cycle.
//! Waits: `sink.ready`, a register, is low while full, and for a cycle after that.

use super::stream::{StreamSink, StreamSource};
use rust_hdl_core::prelude::*;

/// Queue of up to `depth` words, and one more on offer.
#[derive(LogicBlock)]
pub struct BlockFifo<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub keep: Signal<In, Bit>,
    pub forget: Signal<In, Bit>,
    pub sink: StreamSink<T>,
    pub source: StreamSource<T>,
    _words: Vec<T>,
    _head: usize,
    _mark: usize,
    _tail: usize,
    _ready: bool,
    _valid: bool,
    _offer: T,
}

impl<T: Synth> BlockFifo<T> {
    /// `depth` is a power of two from 2 to 32768.
    pub fn new(depth: usize) -> Self {
        assert!(depth.is_power_of_two() && (2..=32768).contains(&depth), "block fifo depth {depth}");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            keep: Default::default(),
            forget: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            _words: vec![T::default(); depth],
            _head: 0,
            _mark: 0,
            _tail: 0,
            _ready: true,
            _valid: false,
            _offer: T::default(),
        }
    }
}

impl<T: Synth> Logic for BlockFifo<T> {
    fn update(&mut self) {
        let depth = self._words.len();
        if self.clock.pos_edge() {
            let put = self.sink.valid.val() && self._ready;
            let fetch = self._head != self._mark && (!self._valid || self.source.ready.val());
            if fetch {
                self._offer = self._words[self._head % depth];
            }
            if put {
                self._words[self._tail % depth] = self.sink.data.val();
            }
            if self.reset.val() {
                (self._head, self._mark, self._tail, self._valid) = (0, 0, 0, false);
                self._ready = true;
            } else {
                self._ready = self._tail + usize::from(put) - self._head < depth;
                self._valid = fetch || self._valid && !self.source.ready.val();
                self._head += usize::from(fetch);
                self._tail += usize::from(put);
                if self.forget.val() {
                    self._tail = self._mark;
                } else if self.keep.val() {
                    self._mark = self._tail;
                }
            }
        }
        self.sink.ready.next = self._ready;
        self.source.valid.next = self._valid;
        self.source.data.next = self._offer;
    }

    fn connect(&mut self) {
        self.sink.ready.connect();
        self.source.valid.connect();
        self.source.data.connect();
    }

    fn hdl(&self) -> Verilog {
        let depth = self._words.len();
        let a = depth.trailing_zeros() as usize;
        Verilog::Custom(format!(
            "(* ram_style = \"block\", no_rw_check *)
reg [{top}:0] store [0:{last}];
reg [{a}:0] head;
reg [{a}:0] mark; // behind the last word kept
reg [{a}:0] tail;
wire put = sink_valid & sink_ready;
wire [{a}:0] next = tail + {{{a}'d0, put}};
wire fetch = (head != mark) & (~source_valid | source_ready);
always @(posedge clock) begin
    if (put) begin
        store[tail[{ah}:0]] <= sink_data;
    end
    if (fetch) begin
        source_data <= store[head[{ah}:0]];
    end
end
always @(posedge clock) begin
    sink_ready <= next != {{~head[{a}], head[{ah}:0]}};
    tail <= next;
    if (forget) begin
        tail <= mark;
    end else if (keep) begin
        mark <= next;
    end
    if (fetch) begin
        head <= head + {a1}'d1;
        source_valid <= 1'b1;
    end else if (source_ready) begin
        source_valid <= 1'b0;
    end
    if (reset) begin
        head <= {a1}'d0;
        mark <= {a1}'d0;
        tail <= {a1}'d0;
        source_valid <= 1'b0;
        sink_ready <= 1'b1;
    end
end
initial head = {a1}'d0;
initial mark = {a1}'d0;
initial tail = {a1}'d0;
initial source_valid = 1'b0;
initial sink_ready = 1'b1;",
            top = T::BITS - 1,
            last = depth - 1,
            a1 = a + 1,
            ah = a - 1,
        ))
    }
}
