//! A queue of packets in block RAM, [`super::block_fifo`] for beats: a packet is offered when the whole of it is inside.
//!
//! In: `sink`; `forget`: drop the beats of a packet whose last has not come yet, and take none.
//! Out: `source`; `empty`: nothing inside, and nothing on offer.
//! Time: a packet is offered two cycles after its last beat; one beat in and one out in every cycle.
//! Waits: `sink.ready` is low while full, for a cycle after that, and under `forget`.   A packet longer than `depth` never gets out.

use super::beat::{BeatSink, BeatSource};
use super::block_fifo::{Store, store_text};
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
    _store: Store<(Bit, Bits<W>, T)>,
}

impl<const W: usize, T: Synth> PacketFifo<W, T> {
    /// `depth` is a power of two from 2 to 32768.
    pub fn new(depth: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            forget: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            empty: Default::default(),
            _store: Store::new(depth),
        }
    }
}

impl<const W: usize, T: Synth> Logic for PacketFifo<W, T> {
    fn update(&mut self) {
        let ready = self._store.ready && !self.forget.val();
        if self.clock.pos_edge() {
            let put = self.sink.valid.val() && ready;
            let beat = (self.sink.last.val(), self.sink.data.val(), self.sink.side.val());
            let leaves = self.source.ready.val();
            self._store.edge(put, beat, put && beat.0, self.forget.val(), leaves, self.reset.val());
        }
        self.sink.ready.next = self._store.ready && !self.forget.val();
        self.source.valid.next = self._store.valid;
        let (last, data, side) = self._store.offer;
        self.source.last.next = last;
        self.source.data.next = data;
        self.source.side.next = side;
        self.empty.next = self._store.empty();
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
        let sink = "{sink_side, sink_last, sink_data}";
        let source = "{source_side, source_last, source_data}";
        let text = store_text(self._store.depth(), T::BITS + 1 + W, sink, source, "put & sink_last");
        Verilog::Custom(format!(
            "{text}
always @* begin
    sink_ready = ready & ~forget;
    empty = (head == tail) & ~source_valid;
end"
        ))
    }
}
