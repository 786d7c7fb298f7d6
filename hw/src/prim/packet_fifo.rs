//! A queue of packets in block RAM: a packet is offered when the whole of it is inside.
//!
//! In: `sink`; `forget`: drop the beats of a packet whose last has not come yet, and take none.
//! Out: `source`; `empty`: nothing inside, and nothing on offer.
//! Time: a packet is offered two cycles after its last beat; one beat in and one out in every cycle.
//! Waits: `sink.ready` is low while full, and does not depend on `source.ready`.   A packet longer than `depth` never gets out.

use super::beat::{BeatSink, BeatSource};
use rust_hdl_core::prelude::*;

/// Queue of up to `depth` beats, and one more on offer.
#[derive(LogicBlock)]
pub struct PacketFifo<const W: usize, T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub forget: Signal<In, Bit>,
    pub sink: BeatSink<W, T>,
    pub source: BeatSource<W, T>,
    pub empty: Signal<Out, Bit>,
    _beats: Vec<(Bit, Bits<W>, T)>,
    _head: usize,
    _mark: usize,
    _tail: usize,
    _valid: bool,
    _offer: (Bit, Bits<W>, T),
}

impl<const W: usize, T: Synth> PacketFifo<W, T> {
    /// `depth` is a power of two from 2 to 32768.
    pub fn new(depth: usize) -> Self {
        assert!(depth.is_power_of_two() && (2..=32768).contains(&depth), "packet fifo depth {depth}");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            forget: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            empty: Default::default(),
            _beats: vec![Default::default(); depth],
            _head: 0,
            _mark: 0,
            _tail: 0,
            _valid: false,
            _offer: Default::default(),
        }
    }
}

impl<const W: usize, T: Synth> Logic for PacketFifo<W, T> {
    fn update(&mut self) {
        let depth = self._beats.len();
        if self.clock.pos_edge() {
            let full = self._tail - self._head == depth;
            let put = self.sink.valid.val() && !full && !self.forget.val();
            let fetch = self._head != self._mark && (!self._valid || self.source.ready.val());
            if fetch {
                self._offer = self._beats[self._head % depth];
            }
            if put {
                self._beats[self._tail % depth] =
                    (self.sink.last.val(), self.sink.data.val(), self.sink.side.val());
            }
            if self.reset.val() {
                (self._head, self._mark, self._tail, self._valid) = (0, 0, 0, false);
            } else {
                if fetch {
                    self._head += 1;
                    self._valid = true;
                } else if self.source.ready.val() {
                    self._valid = false;
                }
                if put {
                    self._tail += 1;
                    if self.sink.last.val() {
                        self._mark = self._tail;
                    }
                }
                if self.forget.val() {
                    self._tail = self._mark;
                }
            }
        }
        self.sink.ready.next = self._tail - self._head < depth && !self.forget.val();
        self.source.valid.next = self._valid;
        self.source.last.next = self._offer.0;
        self.source.data.next = self._offer.1;
        self.source.side.next = self._offer.2;
        self.empty.next = self._tail == self._head && !self._valid;
    }

    fn connect(&mut self) {
        self.sink.ready.connect();
        self.source.valid.connect();
        self.source.last.connect();
        self.source.data.connect();
        self.source.side.connect();
        self.empty.connect();
    }

    fn hdl(&self) -> Verilog {
        let depth = self._beats.len();
        let a = depth.trailing_zeros() as usize;
        Verilog::Custom(format!(
            "(* ram_style = \"block\", no_rw_check *)
reg [{top}:0] store [0:{last}];
reg [{a}:0] head;
reg [{a}:0] mark; // behind the last whole packet
reg [{a}:0] tail;
wire full = (head[{ah}:0] == tail[{ah}:0]) & (head[{a}] != tail[{a}]);
wire put = sink_valid & sink_ready;
wire fetch = (head != mark) & (~source_valid | source_ready);
always @(posedge clock) begin
    if (put) begin
        store[tail[{ah}:0]] <= {{sink_side, sink_last, sink_data}};
    end
    if (fetch) begin
        {{source_side, source_last, source_data}} <= store[head[{ah}:0]];
    end
end
always @(posedge clock) begin
    if (fetch) begin
        head <= head + {a1}'d1;
        source_valid <= 1'b1;
    end else if (source_ready) begin
        source_valid <= 1'b0;
    end
    if (put) begin
        tail <= tail + {a1}'d1;
    end
    if (put & sink_last) begin
        mark <= tail + {a1}'d1;
    end
    if (forget) begin
        tail <= mark;
    end
    if (reset) begin
        head <= {a1}'d0;
        mark <= {a1}'d0;
        tail <= {a1}'d0;
        source_valid <= 1'b0;
    end
end
initial head = {a1}'d0;
initial mark = {a1}'d0;
initial tail = {a1}'d0;
initial source_valid = 1'b0;
always @* begin
    sink_ready = ~full & ~forget;
    empty = (head == tail) & ~source_valid;
end",
            top = T::BITS + W,
            last = depth - 1,
            a1 = a + 1,
            ah = a - 1,
        ))
    }
}
