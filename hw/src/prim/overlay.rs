//! Fills a beat lane by lane.
//! In: `high`; `lanes` (0 to W/8); `held_only`; `load`, `load_all`.
//! Out: `merged`, combinational: lanes below `lanes` from what is held, the rest from `high`; with `held_only` what is held.
//! Time: with `load` the lanes from `lanes` on, with `load_all` too every lane, are held from the next cycle on.
//! Waits: never.

use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock, Default)]
pub struct Overlay<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub high: Signal<In, Bits<W>>,
    pub lanes: Signal<In, Bits<7>>,
    pub held_only: Signal<In, Bit>,
    pub load: Signal<In, Bit>,
    pub load_all: Signal<In, Bit>,
    pub merged: Signal<Out, Bits<W>>,
    _held: Bits<W>,
}

/// Lanes below `lanes` from `low`, the rest from `high`.
fn lay<const W: usize>(low: Bits<W>, high: Bits<W>, lanes: usize) -> Bits<W> {
    let bits = 8 * lanes;
    if bits >= W {
        return low;
    }
    let high = (high >> bits as LiteralType) << bits as LiteralType;
    if bits == 0 {
        return high;
    }
    high | ((low << (W - bits) as LiteralType) >> (W - bits) as LiteralType)
}

impl<const W: usize> Logic for Overlay<W> {
    fn update(&mut self) {
        let (high, lanes) = (self.high.val(), self.lanes.val().index());
        if self.clock.pos_edge() && self.load.val() {
            self._held = if self.load_all.val() { high } else { lay(self._held, high, lanes) };
        }
        self.merged.next = if self.held_only.val() { self._held } else { lay(self._held, high, lanes) };
    }

    fn connect(&mut self) {
        self.merged.connect();
    }

    fn hdl(&self) -> Verilog {
        let mut text = format!("reg [{0}:0] held;\ninitial held = {W}'d0;\n", W - 1);
        let (mut load, mut merge) = (String::new(), String::new());
        for lane in 0..W / 8 {
            let bits = format!("[{}:{}]", 8 * lane + 7, 8 * lane);
            text += &format!("wire below{lane} = lanes > 7'd{lane};\n");
            load += &format!("    if (load & (load_all | ~below{lane})) held{bits} <= high{bits};\n");
            merge += &format!("    merged{bits} = (held_only | below{lane}) ? held{bits} : high{bits};\n");
        }
        text += &format!("always @(posedge clock) begin\n{load}end\nalways @* begin\n{merge}end");
        Verilog::Custom(text)
    }
}
