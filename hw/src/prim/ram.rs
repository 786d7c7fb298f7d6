//! A block RAM with one clocked write and one clocked read.
//!
//! In: `write`, `write_addr`, `write_data`; `read`, `read_addr`.   Out: `read_data`, one cycle after `read`, held until
//! the next `read`.   Waits: never.
//! Reading the word written in the same cycle gives the old one.   Contents are undefined (zero in simulation) until written.

use super::lutram::{Read, ram_text};
use rust_hdl_core::prelude::*;

/// Block RAM of `depth` words.
#[derive(LogicBlock)]
pub struct Ram<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub write: Signal<In, Bit>,
    pub write_addr: Signal<In, Bits<16>>,
    pub write_data: Signal<In, T>,
    pub read: Signal<In, Bit>,
    pub read_addr: Signal<In, Bits<16>>,
    pub read_data: Signal<Out, T>,
    _words: Vec<T>,
    _apart: bool,
}

impl<T: Synth> Ram<T> {
    /// As `new`, for one who never reads the word he writes in the same cycle: this spares what a block RAM that
    /// cannot do so costs in registers and multiplexers.
    pub fn apart(depth: usize) -> Self {
        Self { _apart: true, ..Self::new(depth) }
    }

    /// `depth` is a power of two from 2 to 65536.
    pub fn new(depth: usize) -> Self {
        assert!(depth.is_power_of_two() && (2..=65536).contains(&depth), "ram depth {depth}");
        Self {
            clock: Default::default(),
            write: Default::default(),
            write_addr: Default::default(),
            write_data: Default::default(),
            read: Default::default(),
            read_addr: Default::default(),
            read_data: Default::default(),
            _words: vec![T::default(); depth],
            _apart: false,
        }
    }
}

impl<T: Synth> Logic for Ram<T> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let mask = self._words.len() - 1;
            if self.read.val() {
                self.read_data.next = self._words[self.read_addr.val().index() & mask];
            }
            if self.write.val() {
                self._words[self.write_addr.val().index() & mask] = self.write_data.val();
            }
        }
    }

    fn connect(&mut self) {
        self.read_data.connect();
    }

    fn hdl(&self) -> Verilog {
        let style = if self._apart { "ram_style = \"block\", no_rw_check" } else { "ram_style = \"block\"" };
        Verilog::Custom(ram_text(T::BITS, self._words.len(), style, Read::NextCycle))
    }
}
