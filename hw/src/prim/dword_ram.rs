//! A block RAM of rows of `W` bits, written from any DWORD on, read by rows.
//!
//! In: `write`, `write_at` (in DWORDs), `write_count` (0 to W/32), `write_data` (DWORDs from lane 0); `read`, `read_row`.
//! Out: `read_data`, one cycle after `read`, held until the next `read`.
//! Time: one write and one read per cycle; a write may reach into the row behind: each lane is a RAM of its own.
//! Waits: never.   Reading what is written in the same cycle gives the old.   Undefined (zero in simulation) until written.

use rust_hdl_core::prelude::*;

/// Block RAM of `rows` rows.
#[derive(LogicBlock)]
pub struct DwordRam<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub write: Signal<In, Bit>,
    pub write_at: Signal<In, Bits<20>>,
    pub write_count: Signal<In, Bits<5>>,
    pub write_data: Signal<In, Bits<W>>,
    pub read: Signal<In, Bit>,
    pub read_row: Signal<In, Bits<20>>,
    pub read_data: Signal<Out, Bits<W>>,
    _dwords: Vec<Bits<32>>,
}

impl<const W: usize> DwordRam<W> {
    /// `rows` is a power of two; there are at most 2^20 DWORDs.
    pub fn new(rows: usize) -> Self {
        assert!(
            rows.is_power_of_two() && rows >= 4 && rows * (W / 32) <= 1 << 20,
            "dword ram of {rows} rows"
        );
        assert!(W >= 64 && W.is_power_of_two(), "dword ram of {W} bits");
        Self {
            clock: Default::default(),
            write: Default::default(),
            write_at: Default::default(),
            write_count: Default::default(),
            write_data: Default::default(),
            read: Default::default(),
            read_row: Default::default(),
            read_data: Default::default(),
            _dwords: vec![Bits::default(); rows * (W / 32)],
        }
    }
}

impl<const W: usize> Logic for DwordRam<W> {
    fn update(&mut self) {
        if !self.clock.pos_edge() {
            return;
        }
        let mask = self._dwords.len() - 1;
        let lanes = W / 32;
        if self.read.val() {
            let row = self.read_row.val().index() * lanes;
            let lane = |i: usize| bit_cast::<W, 32>(self._dwords[(row + i) & mask]) << (32 * i as u64);
            self.read_data.next = (0..lanes).fold(Bits::default(), |row, i| row | lane(i));
        }
        if self.write.val() {
            let data = self.write_data.val();
            for i in 0..self.write_count.val().index().min(lanes) {
                self._dwords[(self.write_at.val().index() + i) & mask] = data.get_bits::<32>(32 * i);
            }
        }
    }

    fn connect(&mut self) {
        self.read_data.connect();
    }

    fn hdl(&self) -> Verilog {
        let lanes = W / 32;
        let l = lanes.trailing_zeros() as usize;
        let rows = self._dwords.len() / lanes;
        let a = rows.trailing_zeros() as usize;
        let banks: String = (0..lanes)
            .map(|i| {
                let row = if i == lanes - 1 {
                    "row".into()
                } else {
                    format!("(turn > {l}'d{i}) ? row_behind : row")
                };
                format!(
                    "\n(* ram_style = \"block\", no_rw_check *)
reg [31:0] bank_{i} [0:{last}];
reg [31:0] read_{i};
wire [{ah}:0] row_{i} = {row};
always @(posedge clock) begin
    if (write & enable[{i}]) begin
        bank_{i}[row_{i}] <= turned[{high}:{low}];
    end
    if (read) begin
        read_{i} <= bank_{i}[read_row[{ah}:0]];
    end
end",
                    last = rows - 1,
                    ah = a - 1,
                    high = 32 * i + 31,
                    low = 32 * i,
                )
            })
            .collect();
        let read = (0..lanes).rev().map(|i| format!("read_{i}")).collect::<Vec<_>>().join(", ");
        let high = |port: &str, from: usize| {
            if from < 20 { format!(", {port}[19:{from}]") } else { String::new() }
        };
        Verilog::Custom(format!(
            "wire [{lh}:0] turn = write_at[{lh}:0];
wire [{ah}:0] row = write_at[{wh}:{l}];
wire [{ah}:0] row_behind = row + {a}'d1;
wire [{lanes}:0] ones = ({n1}'d1 << write_count) - {n1}'d1;
wire [{e2}:0] enable_twice = {{ones[{top}:0], ones[{top}:0]}} << turn;
wire [{top}:0] enable = enable_twice[{e2}:{lanes}];
wire [{d2}:0] data_twice = {{write_data, write_data}} << {{turn, 5'd0}};
wire [{dh}:0] turned = data_twice[{d2}:{w}];{banks}
always @* read_data = {{{read}}};
wire unused = &{{1'b0, ones[{lanes}], enable_twice[{top}:0], data_twice[{dh}:0]{write_high}{read_high}}};",
            lh = l - 1,
            ah = a - 1,
            wh = a + l - 1,
            n1 = lanes + 1,
            top = lanes - 1,
            e2 = 2 * lanes - 1,
            d2 = 2 * W - 1,
            dh = W - 1,
            w = W,
            write_high = high("write_at", a + l),
            read_high = high("read_row", a),
        ))
    }
}
