//! Puts two bytes into a beat.
//! In: `data`; `high`, `low`: the bytes of `value` that stand in this beat; `high_lane`, `low_lane`: where.   Out: `poked`.
//! Time: combinational.   Waits: never.

use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock, Default)]
pub struct Poke<const W: usize> {
    pub data: Signal<In, Bits<W>>,
    pub value: Signal<In, Bits<16>>,
    pub high: Signal<In, Bit>,
    pub high_lane: Signal<In, Bits<7>>,
    pub low: Signal<In, Bit>,
    pub low_lane: Signal<In, Bits<7>>,
    pub poked: Signal<Out, Bits<W>>,
}

impl<const W: usize> Logic for Poke<W> {
    fn update(&mut self) {
        let mut data = self.data.val();
        let mut put = |wanted: bool, lane: Bits<7>, byte: Bits<8>| {
            if wanted && lane.index() < W / 8 {
                let at = (8 * lane.index()) as LiteralType;
                let byte = bit_cast::<W, 8>(byte) << at;
                data = (data & !(bit_cast::<W, 8>(0xff.into()) << at)) | byte;
            }
        };
        let value = self.value.val();
        put(self.low.val(), self.low_lane.val(), value.get_bits::<8>(0));
        put(self.high.val(), self.high_lane.val(), value.get_bits::<8>(8));
        self.poked.next = data;
    }

    fn connect(&mut self) {
        self.poked.connect();
    }

    fn hdl(&self) -> Verilog {
        let lanes: String = (0..W / 8)
            .map(|lane| {
                let bits = format!("[{}:{}]", 8 * lane + 7, 8 * lane);
                format!(
                    "    poked{bits} = (high & (high_lane == 7'd{lane})) ? value[15:8]\n        \
                     : (low & (low_lane == 7'd{lane})) ? value[7:0] : data{bits};\n"
                )
            })
            .collect();
        Verilog::Custom(format!("always @* begin\n{lanes}end"))
    }
}
