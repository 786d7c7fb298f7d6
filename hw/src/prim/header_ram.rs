//! Holds a packet's headers: written by beats or by 16-bit words, the first byte of a word its high one.
//! In: `row`; `write_row`, `row_data`; `write_word`, `lane` (in words), `word_data`; `over`, `lanes`.
//! Out: `row_out`, `word`, `merged`, combinational: the row, its word at `lane`, lanes of it below `lanes` and the rest from `over`.
//! Time: what is written in one cycle is read from the next on.   Waits: never.   Undefined (zero in simulation) until written.

use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock)]
pub struct HeaderRam<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub row: Signal<In, Bits<7>>,
    pub write_row: Signal<In, Bit>,
    pub row_data: Signal<In, Bits<W>>,
    pub write_word: Signal<In, Bit>,
    pub lane: Signal<In, Bits<5>>,
    pub word_data: Signal<In, Bits<16>>,
    pub over: Signal<In, Bits<W>>,
    pub lanes: Signal<In, Bits<7>>,
    pub row_out: Signal<Out, Bits<W>>,
    pub word: Signal<Out, Bits<16>>,
    pub merged: Signal<Out, Bits<W>>,
    _bytes: Vec<u8>,
}

impl<const W: usize> HeaderRam<W> {
    /// `bytes` in all, a power of two.
    pub fn new(bytes: usize) -> Self {
        assert!(bytes.is_power_of_two() && bytes >= W / 4, "headers of {bytes} bytes");
        Self {
            clock: Default::default(),
            row: Default::default(),
            write_row: Default::default(),
            row_data: Default::default(),
            write_word: Default::default(),
            lane: Default::default(),
            word_data: Default::default(),
            over: Default::default(),
            lanes: Default::default(),
            row_out: Default::default(),
            word: Default::default(),
            merged: Default::default(),
            _bytes: vec![0; bytes],
        }
    }
}

fn beat<const W: usize>(bytes: impl Iterator<Item = u8>) -> Bits<W> {
    bytes.enumerate().fold(Bits::default(), |beat, (lane, byte)| {
        beat | (bit_cast::<W, 8>(u64::from(byte).into()) << (8 * lane) as LiteralType)
    })
}

impl<const W: usize> Logic for HeaderRam<W> {
    fn update(&mut self) {
        let lanes = W / 8;
        let row = self.row.val().index() * lanes % self._bytes.len();
        let word = row + self.lane.val().index() * 2 % lanes;
        if self.clock.pos_edge() {
            if self.write_row.val() {
                let data = self.row_data.val();
                for lane in 0..lanes {
                    self._bytes[row + lane] = data.get_bits::<8>(8 * lane).index() as u8;
                }
            } else if self.write_word.val() {
                let data = self.word_data.val().index() as u16;
                self._bytes[word..word + 2].copy_from_slice(&data.to_be_bytes());
            }
        }
        let held = &self._bytes[row..row + lanes];
        let (over, below) = (self.over.val(), self.lanes.val().index());
        self.row_out.next = beat(held.iter().copied());
        self.word.next = u64::from(u16::from_be_bytes([self._bytes[word], self._bytes[word + 1]])).into();
        self.merged.next =
            beat((0..lanes).map(|lane| {
                if lane < below { held[lane] } else { over.get_bits::<8>(8 * lane).index() as u8 }
            }));
    }

    fn connect(&mut self) {
        self.row_out.connect();
        self.word.connect();
        self.merged.connect();
    }

    fn hdl(&self) -> Verilog {
        let words = W / 16;
        let rows = self._bytes.len() / (W / 8);
        let row_bits = rows.trailing_zeros();
        let lane_bits = words.trailing_zeros();
        let mut text = format!(
            "wire [{}:0] at = row[{}:0];\nwire [{}:0] turned = {{word_data[7:0], word_data[15:8]}};\nreg [15:0] chosen;\n",
            row_bits - 1,
            row_bits - 1,
            15
        );
        let mut reads = String::new();
        for word in 0..words {
            let bits = format!("[{}:{}]", 16 * word + 15, 16 * word);
            text += &format!(
                "(* ram_style = \"distributed\" *) reg [15:0] mem{word} [0:{}];\n\
                 wire hit{word} = write_word & (lane[{}:0] == {lane_bits}'d{word});\n\
                 always @(posedge clock) if (write_row | hit{word}) mem{word}[at] <= write_row ? row_data{bits} : turned;\n",
                rows - 1,
                lane_bits - 1
            );
            reads += &format!("    row_out{bits} = mem{word}[at];\n");
        }
        reads += &format!("    chosen = row_out[{{lane[{}:0], 4'd0}} +: 16];\n", lane_bits - 1);
        reads += "    word = {chosen[7:0], chosen[15:8]};\n";
        for lane in 0..W / 8 {
            let bits = format!("[{}:{}]", 8 * lane + 7, 8 * lane);
            reads += &format!("    merged{bits} = (lanes > 7'd{lane}) ? row_out{bits} : over{bits};\n");
        }
        Verilog::Custom(format!("{text}always @* begin\n{reads}end\nwire unused = &{{1'b0, row, lane}};"))
    }
}
