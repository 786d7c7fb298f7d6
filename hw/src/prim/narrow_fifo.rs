//! A queue of words of which only some bits are ever set.
//!
//! In: `sink`: bits outside the mask are zero.   Out: `source`; `room`, the number of words that can still be put in.
//! Time and waits: as `prim::fifo`.
//! Synthesis does not find out by itself that a bit of a memory is constant: what is not in the mask costs nothing here.

use super::fifo::{Slots, fifo_text};
use super::stream::{StreamSink, StreamSource};
use rust_hdl_core::prelude::*;

/// Synchronous queue of up to `depth` words.
#[derive(LogicBlock)]
pub struct NarrowFifo<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: StreamSink<T>,
    pub source: StreamSource<T>,
    pub room: Signal<Out, Bits<16>>,
    _slots: Slots<T>,
    _mask: T,
}

impl<T: Synth> NarrowFifo<T> {
    /// `depth` is a power of two from 1 to 32768; words have no bits but those of `mask`.
    pub fn new(depth: usize, mask: T) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            room: Default::default(),
            _slots: Slots::new(depth),
            _mask: mask,
        }
    }
}

impl<T: Synth> Logic for NarrowFifo<T> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let put = self.sink.data.val();
            self._slots.edge(self.sink.valid.val(), put, self.source.ready.val(), self.reset.val());
        }
        self.sink.ready.next = self._slots.ready(self.source.ready.val());
        self.room.next = (self._slots.room() as u64).into();
        self.source.valid.next = self._slots.valid();
        self.source.data.next = self._slots.front();
    }

    fn connect(&mut self) {
        self.sink.ready.connect();
        self.source.valid.connect();
        self.source.data.connect();
        self.room.connect();
    }

    fn hdl(&self) -> Verilog {
        let kept = set_bits(&format!("{:x}", self._mask.verilog()));
        assert!(!kept.is_empty(), "a queue of words without bits");
        let list = |name: &str| {
            let bits: Vec<String> = kept.iter().rev().map(|bit| format!("{name}[{bit}]")).collect();
            format!("{{{}}}", bits.join(", "))
        };
        let read = format!("source_data = {}'d0;\n    {}", T::BITS, list("source_data"));
        let text = fifo_text(self._slots.depth(), &list("sink_data"), &read, kept.len());
        Verilog::Custom(format!("{text}\nwire unused = &{{1'b0, sink_data}};"))
    }
}

/// Where the ones are in a literal such as `12'h8ff`, from bit 0 on.
fn set_bits(literal: &str) -> Vec<usize> {
    let digits = literal.split_once("'h").map_or("", |(_, digits)| digits);
    let nibbles = digits.chars().rev().filter_map(|digit| digit.to_digit(16)).enumerate();
    nibbles
        .flat_map(|(at, nibble)| (0..4).filter(move |i| nibble >> i & 1 == 1).map(move |i| 4 * at + i))
        .collect()
}
