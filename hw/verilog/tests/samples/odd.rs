//! A grid, a vendor's block, a block that lies, and registers assigned in every way.

use super::Item;
use hematite_verilog::{Reg, dff_setup};
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

/// Registers whose inputs are assigned in every way.
#[derive(LogicBlock, Default)]
pub struct Registers {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub p: Signal<In, Bit>,
    pub a: Signal<In, Bits<8>>,
    pub plain: Signal<Out, Bits<8>>,
    pub parted: Signal<Out, Item>,
    pub taken_back: Signal<Out, Bits<8>>,
    pub counted: Signal<Out, Bits<8>>,
    pub follows: Signal<Out, Bits<8>>,
    pub between: Signal<Out, Bits<8>>,
    each_time: Reg<Bits<8>>,
    parts: Reg<Item>,
    back: Reg<Bits<8>>,
    counts: Reg<Bits<8>>,
    seen: Reg<Bits<8>>,
    moved: Reg<Bits<8>>,
    moves: Signal<Local, Bits<8>>,
}

impl Logic for Registers {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, each_time, parts, back, counts, seen, moved);
        self.each_time.d.next = self.a.val() + self.counts.q.val();
        if self.p.val() {
            self.parts.d.next.count = self.a.val().get_bits::<5>(3);
            self.parts.d.next.inner.low = self.parts.q.val().inner.low + 1;
        }
        self.back.d.next = self.a.val();
        if self.a.val().get_bit(0) {
            self.back.d.next = self.back.q.val();
        }
        match self.counts.q.val().get_bits::<2>(0).index() {
            0 => self.counts.d.next = self.counts.q.val() + 1,
            1 => {
                if self.p.val() {
                    self.counts.d.next = self.counts.q.val() + 3;
                }
            }
            2 => self.counts.d.next = self.a.val(),
            _ => self.counts.d.next = self.counts.q.val() - 2,
        }
        // An input that something else reads.
        self.seen.d.next = self.counts.d.val() ^ self.a.val();
        // One that reads a Local between its assignments.
        self.moves.next = self.a.val();
        self.moved.d.next = self.moves.val() + 1;
        self.moves.next = self.a.val() + 7;
        self.plain.next = self.each_time.q.val();
        self.parted.next = self.parts.q.val();
        self.taken_back.next = self.back.q.val();
        self.counted.next = self.counts.q.val();
        self.follows.next = self.seen.q.val();
        self.between.next = self.moved.q.val();
        if self.reset.val() {
            self.counts.d.next = 0.into();
        }
    }
}
