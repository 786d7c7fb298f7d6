//! Lays one beat over another, lane by lane.
//! In: `low`, `high`, `lanes` (0 to W/8).   Out: `merged`, combinational: lanes below `lanes` from `low`, the rest from `high`.
//! Time: none.
//! Waits: never.

use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock, Default)]
pub struct Overlay<const W: usize> {
    pub low: Signal<In, Bits<W>>,
    pub high: Signal<In, Bits<W>>,
    pub lanes: Signal<In, Bits<7>>,
    pub merged: Signal<Out, Bits<W>>,
}

impl<const W: usize> Logic for Overlay<W> {
    fn update(&mut self) {
        let bits = 8 * self.lanes.val().index();
        self.merged.next = if bits >= W {
            self.low.val()
        } else {
            let high = (self.high.val() >> bits as LiteralType) << bits as LiteralType;
            if bits == 0 {
                high
            } else {
                let low = (self.low.val() << (W - bits) as LiteralType) >> (W - bits) as LiteralType;
                low | high
            }
        };
    }

    fn connect(&mut self) {
        self.merged.connect();
    }

    fn hdl(&self) -> Verilog {
        let mut text = String::from("always @* begin\n    merged = high;\n");
        for lane in 0..W / 8 {
            let (top, bottom) = (8 * lane + 7, 8 * lane);
            text += &format!("    if (lanes > 7'd{lane}) merged[{top}:{bottom}] = low[{top}:{bottom}];\n");
        }
        Verilog::Custom(text + "end")
    }
}
