//! Turns a beat by whole bytes.
//! In: `data`, `amount` (bytes).   Out: `rotated`, combinational: lane l of `data` is in lane l + amount; of `amount` only the bits that
//! are this block's part count.
//! Time: none: as many two-way muxes deep as there are bits in its part.
//! Waits: never.

use rust_hdl_core::prelude::*;
use std::ops::Range;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Rotate<const W: usize> {
    pub data: Signal<In, Bits<W>>,
    pub amount: Signal<In, Bits<7>>,
    pub rotated: Signal<Out, Bits<W>>,
    _part: Range<usize>,
}

impl<const W: usize> Rotate<W> {
    /// Bits of an amount below W/8.
    pub const BITS: usize = (W / 8).trailing_zeros() as usize;

    /// Turns by the bits of `amount` in `part`, within `0..BITS`.
    pub fn new(part: Range<usize>) -> Self {
        assert!(!part.is_empty() && part.end <= Self::BITS, "bits {part:?} of an amount");
        Self {
            data: Default::default(),
            amount: Default::default(),
            rotated: Default::default(),
            _part: part,
        }
    }
}

impl<const W: usize> Logic for Rotate<W> {
    fn update(&mut self) {
        let mask = (1 << self._part.end) - (1 << self._part.start);
        let bits = 8 * (self.amount.val().index() & mask);
        let data = self.data.val();
        self.rotated.next = if bits == 0 {
            data
        } else {
            (data << bits as LiteralType) | (data >> (W - bits) as LiteralType)
        };
    }

    fn connect(&mut self) {
        self.rotated.connect();
    }

    fn hdl(&self) -> Verilog {
        let mut text = String::new();
        let mut from = String::from("data");
        for k in self._part.clone() {
            let by = 8 << k;
            text += &format!(
                "wire [{0}:0] turn{k} = amount[{k}] ? {{{from}[{1}:0], {from}[{0}:{2}]}} : {from};\n",
                W - 1,
                W - by - 1,
                W - by
            );
            from = format!("turn{k}");
        }
        text += &format!("always @* rotated = {from};\nwire unused = &{{1'b0, amount}};");
        Verilog::Custom(text)
    }
}
