//! A grid, a vendor's block, and a block that lies.

use rust_hdl_core::prelude::*;

/// Two dimensions, a vendor's block, ports that are keywords.
#[derive(LogicBlock, Default)]
pub struct Grid {
    pub a: Signal<In, Bits<16>>,
    pub table: Signal<Out, Bits<4>>,
    pub buffered: Signal<Out, Bit>,
    cells: [[Signal<Local, Bits<4>>; 2]; 2],
    buffer: Buffer,
}

impl Logic for Grid {
    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..2 {
            for j in 0..2 {
                self.cells[i][j].next = self.a.val().get_bits::<4>(8 * i + 4 * j) ^ bits::<4>(9);
            }
        }
        self.table.next = self.cells[0][1].val() & self.cells[1][0].val()
            | self.cells[0][0].val() & !self.cells[1][1].val();
        self.buffer.i.next = self.a.val().get_bit(0);
        self.buffered.next = self.buffer.o.val();
    }
}

/// Defined by a vendor.
#[derive(LogicBlock, Default)]
pub struct Buffer {
    pub i: Signal<In, Bit>,
    pub o: Signal<Out, Bit>,
}

impl Logic for Buffer {
    fn update(&mut self) {
        self.o.next = self.i.val();
    }

    fn connect(&mut self) {
        self.o.connect();
    }

    fn hdl(&self) -> Verilog {
        hematite_verilog::black_box("VENDOR_BUFFER")
    }
}

/// Its Verilog is not its model.
#[derive(LogicBlock, Default)]
pub struct Liar {
    pub a: Signal<In, Bits<40>>,
    pub b: Signal<Out, Bits<40>>,
}

impl Logic for Liar {
    fn update(&mut self) {
        self.b.next = self.a.val() + 1;
    }

    fn connect(&mut self) {
        self.b.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom("always @* b = a;".into())
    }
}
