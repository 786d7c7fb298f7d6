//! A queue of words in block RAM; what is put in may be taken back until it is kept.
//!
//! In: `sink`; `keep`: the words put in so far, this cycle's too, may leave (hold it high for a plain queue); `forget`: drop those
//! not kept, this cycle's too.   Out: `source`; `empty`: nothing inside, and nothing on offer.
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
    pub empty: Signal<Out, Bit>,
    _store: Store<T>,
}

impl<T: Synth> BlockFifo<T> {
    /// `depth` is a power of two from 2 to 32768.
    pub fn new(depth: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            keep: Default::default(),
            forget: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            empty: Default::default(),
            _store: Store::new(depth),
        }
    }
}

impl<T: Synth> Logic for BlockFifo<T> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let put = self.sink.valid.val() && self._store.ready;
            let (keep, word) = (self.keep.val(), self.sink.data.val());
            let leaves = self.source.ready.val();
            self._store.edge(put, word, keep, self.forget.val(), leaves, self.reset.val());
        }
        self.sink.ready.next = self._store.ready;
        self.source.valid.next = self._store.valid;
        self.source.data.next = self._store.offer;
        self.empty.next = self._store.empty();
    }

    fn connect(&mut self) {
        self.sink.ready.connect();
        self.source.valid.connect();
        self.source.data.connect();
        self.empty.connect();
    }

    fn hdl(&self) -> Verilog {
        let text = store_text(self._store.depth(), T::BITS, "sink_data", "source_data", "keep");
        Verilog::Custom(format!(
            "{text}
always @* begin
    sink_ready = ready;
    empty = (head == tail) & ~source_valid;
end"
        ))
    }
}

/// What such a queue holds, as its Verilog does.
pub(super) struct Store<T> {
    words: Vec<T>,
    head: usize,
    /// Behind the last word kept.
    mark: usize,
    tail: usize,
    pub(super) ready: bool,
    pub(super) valid: bool,
    pub(super) offer: T,
}

impl<T: Copy + Default> Store<T> {
    pub(super) fn new(depth: usize) -> Self {
        assert!(depth.is_power_of_two() && (2..=32768).contains(&depth), "block fifo depth {depth}");
        Self {
            words: vec![T::default(); depth],
            head: 0,
            mark: 0,
            tail: 0,
            ready: true,
            valid: false,
            offer: T::default(),
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.words.len()
    }

    pub(super) fn empty(&self) -> bool {
        self.tail == self.head && !self.valid
    }

    /// A rising edge, at which these were the inputs.
    pub(super) fn edge(&mut self, put: bool, word: T, keep: bool, forget: bool, leaves: bool, reset: bool) {
        let depth = self.depth();
        let fetch = self.head != self.mark && (!self.valid || leaves);
        if fetch {
            self.offer = self.words[self.head % depth];
        }
        if put {
            self.words[self.tail % depth] = word;
        }
        if reset {
            (self.head, self.mark, self.tail, self.valid, self.ready) = (0, 0, 0, false, true);
            return;
        }
        self.ready = self.tail + usize::from(put) - self.head < depth;
        self.valid = fetch || self.valid && !leaves;
        self.head += usize::from(fetch);
        self.tail += usize::from(put);
        if forget {
            self.tail = self.mark;
        } else if keep {
            self.mark = self.tail;
        }
    }
}

/// [`Store`] in Verilog, but for what `sink_ready` is made of: `ready` says there is room.
pub(super) fn store_text(depth: usize, bits: usize, sink: &str, source: &str, keep: &str) -> String {
    let a = depth.trailing_zeros() as usize;
    format!(
        "(* ram_style = \"block\", no_rw_check *)
reg [{top}:0] store [0:{last}];
reg [{a}:0] head;
reg [{a}:0] mark; // behind the last word kept
reg [{a}:0] tail;
reg ready;
wire put = sink_valid & sink_ready;
// Behind a word put in, if one can be; `ready` hangs on this, not on `put`, which comes late.
wire [{a}:0] behind = tail + {{{a}'d0, ready}};
wire full = behind == {{~head[{a}], head[{ah}:0]}};
wire fetch = (head != mark) & (~source_valid | source_ready);
always @(posedge clock) begin
    if (put) begin
        store[tail[{ah}:0]] <= {sink};
    end
    if (fetch) begin
        {source} <= store[head[{ah}:0]];
    end
end
always @(posedge clock) begin
    ready <= ~full | (ready & ~put);
    if (forget) begin
        tail <= mark;
    end else if (put) begin
        tail <= behind;
    end
    if (~forget & {keep}) begin
        mark <= put ? behind : tail;
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
        ready <= 1'b1;
    end
end
initial head = {a1}'d0;
initial mark = {a1}'d0;
initial tail = {a1}'d0;
initial source_valid = 1'b0;
initial ready = 1'b1;",
        top = bits - 1,
        last = depth - 1,
        a1 = a + 1,
        ah = a - 1,
    )
}
