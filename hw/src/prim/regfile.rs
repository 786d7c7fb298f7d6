//! Registers of 32 bits from a table: constants, written bits, bits that a written one clears.
//!
//! In: `write`, `dword`, `write_data`, `strobe`; `raise` beside each exposed register: sets bits that a written one clears.
//! Out: `read_data`, what `dword` held in the cycle before; `values` of the exposed registers.
//! Time: what is written in one cycle is in `values` from the next on.   Waits: never.
//! A register that is not in the table reads zero and ignores writes. Constants are in a block RAM, registers are made for
//! writable bits only.

use rust_hdl_core::prelude::*;
use std::fmt::Write;

/// One register.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row {
    /// Its number.
    pub dword: usize,
    /// Value after reset.
    pub reset: u32,
    /// Bits a write sets and clears.
    pub write: u32,
    /// Bits a written one clears and `raise` sets; its register must be exposed.
    pub clear: u32,
}

/// See the head of this file.
#[derive(LogicBlock)]
pub struct RegFile {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub write: Signal<In, Bit>,
    pub dword: Signal<In, Bits<10>>,
    pub write_data: Signal<In, Bits<32>>,
    pub strobe: Signal<In, Bits<4>>,
    pub read_data: Signal<Out, Bits<32>>,
    pub raise: Vec<Signal<In, Bits<32>>>,
    pub values: Vec<Signal<Out, Bits<32>>>,
    _rows: Vec<Row>,
    /// The row of each exposed register.
    _exposed: Vec<usize>,
    _held: Vec<u32>,
}

impl RegFile {
    /// `exposed` lists the registers seen from outside, in the order of `values` and `raise`.
    pub fn new(rows: &[Row], exposed: &[usize]) -> Self {
        let row = |dword: &usize| rows.iter().position(|row| row.dword == *dword);
        let exposed: Vec<usize> = exposed
            .iter()
            .map(|dword| row(dword).unwrap_or_else(|| panic!("register {dword} is not in the table")))
            .collect();
        Self {
            clock: Default::default(),
            reset: Default::default(),
            write: Default::default(),
            dword: Default::default(),
            write_data: Default::default(),
            strobe: Default::default(),
            read_data: Default::default(),
            raise: exposed.iter().map(|_| Default::default()).collect(),
            values: exposed.iter().map(|_| Default::default()).collect(),
            _held: rows.iter().map(|row| row.reset).collect(),
            _rows: rows.to_vec(),
            _exposed: exposed,
        }
    }

    fn edge(&mut self) {
        for (row, held) in self._rows.iter().zip(&mut self._held) {
            if self.reset.val() {
                *held = row.reset;
            } else if self.write.val() && self.dword.val().index() == row.dword {
                let strobe = self.strobe.val().index();
                let lanes = (0..4)
                    .filter(|lane| strobe >> lane & 1 == 1)
                    .fold(0, |all, lane| all | 0xff << (8 * lane));
                let data = self.write_data.val().index() as u32;
                *held = *held & !(row.write & lanes) | data & row.write & lanes;
                *held &= !(data & row.clear & lanes);
            }
        }
        if !self.reset.val() {
            for (row, raise) in self._exposed.iter().zip(&self.raise) {
                self._held[*row] |= raise.val().index() as u32 & self._rows[*row].clear;
            }
        }
    }
}

impl Logic for RegFile {
    fn update(&mut self) {
        let value = |held: u32| -> Bits<32> { u64::from(held).to_bits() };
        if self.clock.pos_edge() {
            let row = self._rows.iter().position(|row| row.dword == self.dword.val().index());
            self.read_data.next = value(row.map_or(0, |row| self._held[row]));
            self.edge();
        }
        for (signal, row) in self.values.iter_mut().zip(&self._exposed) {
            signal.next = value(self._held[*row]);
        }
    }

    fn connect(&mut self) {
        self.read_data.connect();
        self.values.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let mut text = String::new();
        let mut clocked = String::new();
        let mut cleared = String::new();
        let (mut constants, mut reads) = (String::new(), String::new());
        let constant = |row: &Row| row.reset & !(row.write | row.clear);
        let name = |row: &Row| {
            if row.write | row.clear == 0 {
                format!("32'h{:x}", row.reset)
            } else {
                format!("(held_{} | 32'h{:x})", row.dword, constant(row))
            }
        };
        for (i, row) in self._rows.iter().enumerate() {
            let d = row.dword;
            if constant(row) != 0 {
                let _ = writeln!(constants, "    constants[{d}] = 32'h{:x};", constant(row));
            }
            if row.write | row.clear == 0 {
                continue;
            }
            let _ = writeln!(reads, "        10'd{d}: held <= held_{d};");
            let reset = row.reset & (row.write | row.clear);
            let _ = writeln!(text, "reg [31:0] held_{d};\ninitial held_{d} = 32'h{reset:x};");
            let raised = match self._exposed.iter().position(|exposed| *exposed == i) {
                Some(port) if row.clear != 0 => format!(" | (raise_{port} & 32'h{:x})", row.clear),
                _ => String::new(),
            };
            // What is raised in the cycle of a write stays.
            if !raised.is_empty() {
                let _ = writeln!(clocked, "    held_{d} <= held_{d}{raised};");
            }
            let _ = writeln!(clocked, "    if (write && dword == 10'd{d}) begin");
            // Byte by byte, so that a byte's strobe is the clock enable of its bits.
            for lane in (0..4).filter(|lane| (row.write | row.clear) >> (8 * lane) & 0xff != 0) {
                let (top, low) = (8 * lane + 7, 8 * lane);
                let (rw, w1c) = (row.write >> low & 0xff, row.clear >> low & 0xff);
                let mut next = format!("(write_data[{top}:{low}] & 8'h{rw:x})");
                if w1c != 0 {
                    let port = self._exposed.iter().position(|exposed| *exposed == i);
                    let raise = port.map_or_else(String::new, |port| {
                        format!(" | (raise_{port}[{top}:{low}] & 8'h{w1c:x})")
                    });
                    let _ = write!(
                        next,
                        " | (held_{d}[{top}:{low}] & ~write_data[{top}:{low}] & 8'h{w1c:x}){raise}"
                    );
                }
                let _ = writeln!(
                    clocked,
                    "        if (strobe[{lane}]) begin\n            held_{d}[{top}:{low}] <= {next};\n        end"
                );
            }
            clocked += "    end\n";
            let _ = writeln!(cleared, "        held_{d} <= 32'h{reset:x};");
        }
        let _ = write!(
            text,
            "(* ram_style = \"block\" *)\nreg [31:0] constants [0:1023];\ninteger i;\n\
             initial begin\n    for (i = 0; i < 1024; i = i + 1) constants[i] = 32'h0;\n{constants}end\n\
             reg [31:0] constant;\nreg [31:0] held;\ninitial constant = 32'h0;\ninitial held = 32'h0;\n\
             always @(posedge clock) begin\n    constant <= constants[dword];\n    \
             case (dword)\n{reads}        default: held <= 32'h0;\n    endcase\nend\n\
             always @(posedge clock) begin\n{clocked}    if (reset) begin\n{cleared}    end\nend\n\
             always @* begin\n    read_data = constant | held;\n"
        );
        for (port, row) in self._exposed.iter().enumerate() {
            let _ = writeln!(text, "    values_{port} = {};", name(&self._rows[*row]));
        }
        let raises: String = (0..self.raise.len()).map(|port| format!(", raise_{port}")).collect();
        let _ = write!(text, "end\nwire unused = &{{1'b0{raises}}};");
        Verilog::Custom(text)
    }
}
