//! A small RAM with one clocked write and one read in the same cycle.
//!
//! In: `write`, `write_addr`, `write_data`, `read_addr`.   Out: `read_data`, combinational from `read_addr`.
//! Time: a value written in one cycle is read from the next on.
//! Waits: never.   Contents are undefined (zero in simulation) until written.
//! Addresses are 16 bits wide whatever the depth; those beyond the depth wrap.

use rust_hdl_core::prelude::*;

/// Distributed RAM of `depth` words.
#[derive(LogicBlock)]
pub struct Lutram<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub write: Signal<In, Bit>,
    pub write_addr: Signal<In, Bits<16>>,
    pub write_data: Signal<In, T>,
    pub read_addr: Signal<In, Bits<16>>,
    pub read_data: Signal<Out, T>,
    _words: Vec<T>,
}

impl<T: Synth> Lutram<T> {
    /// `depth` is a power of two from 1 (then it is a register) to 65536.
    pub fn new(depth: usize) -> Self {
        assert!(depth.is_power_of_two() && (1..=65536).contains(&depth), "lutram depth {depth}");
        Self {
            clock: Default::default(),
            write: Default::default(),
            write_addr: Default::default(),
            write_data: Default::default(),
            read_addr: Default::default(),
            read_data: Default::default(),
            _words: vec![T::default(); depth],
        }
    }
}

impl<T: Synth> Logic for Lutram<T> {
    fn update(&mut self) {
        let mask = self._words.len() - 1;
        if self.clock.pos_edge() && self.write.val() {
            self._words[self.write_addr.val().index() & mask] = self.write_data.val();
        }
        self.read_data.next = self._words[self.read_addr.val().index() & mask];
    }

    fn connect(&mut self) {
        self.read_data.connect();
    }

    fn hdl(&self) -> Verilog {
        if self._words.len() == 1 {
            return Verilog::Custom(format!(
                "reg [{}:0] mem;\nalways @(posedge clock) begin\n    if (write) begin\n        mem <= write_data;\n    end\nend\nalways @* read_data = mem;\nwire unused = &{{1'b0, write_addr, read_addr}};",
                T::BITS - 1
            ));
        }
        Verilog::Custom(ram_text(T::BITS, self._words.len(), "ram_style = \"distributed\"", Read::Now))
    }
}

pub(super) enum Read {
    Now,
    NextCycle,
}

/// The Verilog of a one-write one-read RAM: the two kinds differ in when the read happens.
pub(super) fn ram_text(bits: usize, depth: usize, style: &str, read: Read) -> String {
    let a = depth.trailing_zeros();
    let high = |port: &str| if a < 16 { format!("{port}[15:{a}]") } else { "1'b0".into() };
    let read = match read {
        Read::Now => format!("always @* read_data = mem[read_addr[{}:0]];", a - 1),
        Read::NextCycle => format!(
            "always @(posedge clock) begin\n    if (read) begin\n        read_data <= mem[read_addr[{}:0]];\n    end\nend",
            a - 1
        ),
    };
    format!(
        "(* {style} *)\nreg [{}:0] mem [0:{}];\nalways @(posedge clock) begin\n    if (write) begin\n        mem[write_addr[{}:0]] <= write_data;\n    end\nend\n{read}\nwire unused = &{{1'b0, {}, {}}};",
        bits - 1,
        depth - 1,
        a - 1,
        high("write_addr"),
        high("read_addr"),
    )
}
