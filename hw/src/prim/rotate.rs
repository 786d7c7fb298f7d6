//! Turns a beat by whole bytes.
//! In: `data`, `amount` (bytes, taken modulo W/8).   Out: `rotated`, combinational: lane l of `data` is in lane l + amount.
//! Time: none: log2(W/8) two-way muxes deep.
//! Waits: never.

use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock, Default)]
pub struct Rotate<const W: usize> {
    pub data: Signal<In, Bits<W>>,
    pub amount: Signal<In, Bits<7>>,
    pub rotated: Signal<Out, Bits<W>>,
}

impl<const W: usize> Logic for Rotate<W> {
    fn update(&mut self) {
        let bits = 8 * (self.amount.val().index() % (W / 8));
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
        let levels = (W / 8).trailing_zeros();
        let mut text = String::new();
        for k in 0..levels {
            let (from, by) = (if k == 0 { "data".into() } else { format!("turn{}", k - 1) }, 8 << k);
            text += &format!(
                "wire [{0}:0] turn{k} = amount[{k}] ? {{{from}[{1}:0], {from}[{0}:{2}]}} : {from};\n",
                W - 1,
                W - by - 1,
                W - by
            );
        }
        text += &format!("always @* rotated = turn{};\n", levels - 1);
        text += &format!("wire unused = &{{1'b0, amount[6:{levels}]}};");
        Verilog::Custom(text)
    }
}
