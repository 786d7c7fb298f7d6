//! Blocks for the tests of the printer.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test uses the samples it needs; the front end wants pub fields"
)]

mod odd;
mod stream;

use hematite_verilog::{Reg, dff_setup, random_enum, random_struct};
pub use odd::*;
use rust_hdl_core::prelude::*;
pub use stream::*;

pub const CONSTANTS: &[(&str, u64)] =
    &[("tlp::LENGTH_LSB", 3), ("tlp::KIND_READ", 2), ("dma::LIMIT", 0x2a), ("other::LENGTH_LSB", 5)];

pub mod tlp {
    pub const LENGTH_LSB: usize = 3;
    pub const KIND_READ: usize = 2;
}
pub const LIMIT: LiteralType = 0x2a;

/// The spike's wrong-code cases and their relatives; one output each.
#[derive(LogicBlock, Default)]
pub struct Arithmetic {
    pub a: Signal<In, Bits<8>>,
    pub b: Signal<In, Bits<8>>,
    pub p: Signal<In, Bit>,
    pub wide: Signal<In, Bits<72>>,
    pub sel: Signal<In, Bits<3>>,
    pub precedence: Signal<Out, Bits<6>>,
    pub widened_sum: Signal<Out, Bits<16>>,
    pub widened_difference: Signal<Out, Bits<16>>,
    pub widened_not: Signal<Out, Bits<16>>,
    pub widened_shift: Signal<Out, Bits<16>>,
    pub widened_long: Signal<Out, Bits<80>>,
    pub wraps: Signal<Out, Bits<8>>,
    pub shifted: Signal<Out, Bits<8>>,
    pub low: Signal<Out, Bits<4>>,
    pub counted: Signal<Out, Bits<8>>,
    pub part: Signal<Out, Bits<4>>,
    pub picked: Signal<Out, Bits<16>>,
    pub beyond: Signal<Out, Bits<16>>,
    pub bit: Signal<Out, Bit>,
    pub replaced: Signal<Out, Bits<8>>,
    pub reduced: Signal<Out, Bits<3>>,
    pub product: Signal<Out, Bits<32>>,
    pub one_hot: Signal<Out, Bits<64>>,
    pub label: Signal<Out, Bits<8>>,
    pub limited: Signal<Out, Bit>,
    pub looped: Signal<Out, Bits<8>>,
    parts: [Signal<Local, Bit>; 8],
}

impl Logic for Arithmetic {
    #[hdl_gen]
    fn update(&mut self) {
        // W1: precedence. W3: literals as wide as what they meet.
        self.precedence.next = (bit_cast::<6, 1>((self.a.val() & self.b.val() == self.a.val()).into()))
            | (bit_cast::<6, 1>((self.a.val() == self.b.val() | 1).into()) << 1)
            | (bit_cast::<6, 1>((self.a.val() + 1 == self.b.val()).into()) << 2)
            | (bit_cast::<6, 1>((self.a.val() - self.b.val() < 16).into()) << 3)
            | (bit_cast::<6, 1>((!self.a.val() == 0xF0).into()) << 4)
            | (bit_cast::<6, 1>(
                (self.p.val() && (self.a.val() <= self.b.val()) || self.sel.val().any()).into(),
            ) << 5);
        // W2: a cast sees the sum at its own width.
        self.widened_sum.next = bit_cast::<16, 8>(self.a.val() + self.b.val());
        self.widened_difference.next = bit_cast::<16, 8>(self.a.val() - self.b.val());
        self.widened_not.next = bit_cast::<16, 8>(!self.a.val());
        self.widened_shift.next = bit_cast::<16, 8>(self.a.val() << 2);
        self.widened_long.next = bit_cast::<80, 72>(!self.wide.val() + 1);
        self.wraps.next = (self.a.val() - 1) >> 1;
        self.shifted.next = (self.a.val() + 1) >> self.sel.val();
        self.low.next = bit_cast::<4, 8>(self.a.val() ^ self.b.val());
        self.counted.next = self.a.val() + self.p.val();
        // Parts: of a sum, at a constant, at a place of run time, beyond the end.
        self.part.next = (self.a.val() + self.b.val()).get_bits::<4>(tlp::LENGTH_LSB);
        self.picked.next = self.wide.val().get_bits::<16>(self.sel.val().index() * 8);
        self.beyond.next = self.wide.val().get_bits::<16>(self.sel.val().index() * 8 + 3);
        self.bit.next = self.a.val().get_bit(self.sel.val().index());
        self.replaced.next =
            self.a.val().replace_bit(self.sel.val().index(), self.p.val()).replace_bit(7, false);
        self.reduced.next = 0.into();
        if self.a.val().all() {
            self.reduced.next = 1.into();
        } else if self.a.val().xor() {
            self.reduced.next = self.sel.val();
        }
        self.product.next = bit_cast::<16, 8>(self.a.val()) * bit_cast::<16, 8>(self.b.val());
        self.one_hot.next = 1_u64 << self.sel.val();
        match self.sel.val().index() {
            0x0 => self.label.next = self.a.val(),
            0b1_01 => self.label.next = 1.into(),
            tlp::KIND_READ => self.label.next = self.b.val(),
            _ => self.label.next = self.wide.val().get_bits::<8>(64),
        }
        self.limited.next = self.a.val() < LIMIT;
        for i in 0..8 {
            if i == 2 {
                self.parts[i].next = self.p.val();
            } else {
                self.parts[i].next = self.a.val().get_bit(i) ^ self.b.val().get_bit(7 - i);
            }
        }
        self.looped.next = 0.into();
        if self.parts[self.sel.val().index()].val() {
            self.looped.next = bits::<8>(0x55);
        }
    }
}

/// Locals are written after they are read, and share `if`s with their readers.
#[derive(LogicBlock, Default)]
pub struct Order {
    pub a: Signal<In, Bits<8>>,
    pub b: Signal<In, Bits<8>>,
    pub p: Signal<In, Bit>,
    pub early: Signal<Out, Bits<8>>,
    pub late: Signal<Out, Bits<8>>,
    pub both: Signal<Out, Bits<8>>,
    middle: Signal<Local, Bits<8>>,
    chosen: Signal<Local, Bit>,
}

impl Logic for Order {
    #[hdl_gen]
    fn update(&mut self) {
        self.early.next = self.middle.val();
        self.middle.next = self.a.val();
        self.both.next = self.b.val();
        self.chosen.next = self.p.val();
        if self.p.val() {
            self.both.next = self.a.val();
            self.middle.next = self.b.val() ^ self.a.val();
            self.chosen.next = self.a.val() > self.b.val();
        }
        self.late.next = self.middle.val() + 1;
        if self.chosen.val() {
            self.both.next = self.middle.val();
        }
    }
}

/// Locals read between their assignments, before them and after them; a first-match loop.
#[derive(LogicBlock, Default)]
pub struct HalfMade {
    pub a: Signal<In, Bits<8>>,
    pub b: Signal<In, Bits<8>>,
    pub p: Signal<In, Bit>,
    pub early: Signal<Out, Bits<8>>,
    pub between: Signal<Out, Bits<8>>,
    pub late: Signal<Out, Bits<8>>,
    pub first: Signal<Out, Bits<8>>,
    pub none: Signal<Out, Bit>,
    pub sum: Signal<Out, Bits<4>>,
    middle: Signal<Local, Bits<8>>,
    found: Signal<Local, Bit>,
    total: Signal<Local, Bits<8>>,
}

impl Logic for HalfMade {
    #[hdl_gen]
    fn update(&mut self) {
        self.early.next = self.middle.val();
        self.middle.next = self.a.val();
        self.between.next = self.middle.val() + 1;
        if self.p.val() {
            self.between.next = self.middle.val() ^ self.b.val();
            self.middle.next = self.b.val();
        }
        self.late.next = self.middle.val();
        self.found.next = false;
        self.first.next = 0.into();
        self.total.next = self.b.val();
        for i in 0..8 {
            if self.a.val().get_bit(i) & !self.found.val() {
                self.found.next = true;
                self.first.next = (self.total.val() + 3).get_bits::<8>(1);
            }
            if (self.total.val() + self.a.val()).get_bit(i) {
                self.total.next = self.total.val() + 5;
            } else if (self.total.val() - self.b.val()).get_bit(7 - i) {
                self.total.next = self.total.val() ^ self.a.val();
            }
        }
        self.none.next = !self.found.val();
        self.sum.next = self.total.val().get_bits::<4>(2);
    }
}

/// Read before its first assignment and between two, for the same output.
#[derive(LogicBlock, Default)]
pub struct Tangled {
    pub a: Signal<In, Bits<8>>,
    pub b: Signal<Out, Bits<8>>,
    middle: Signal<Local, Bits<8>>,
}

impl Logic for Tangled {
    #[hdl_gen]
    fn update(&mut self) {
        self.b.next = self.middle.val();
        self.middle.next = self.a.val();
        if self.a.val().any() {
            self.b.next = self.middle.val() + 1;
        }
        self.middle.next = 3.into();
    }
}

/// A latch, an undriven output, an unknown name and an ambiguous one.
#[derive(LogicBlock, Default)]
pub struct Latch {
    pub a: Signal<In, Bits<8>>,
    pub p: Signal<In, Bit>,
    pub latched: Signal<Out, Bits<8>>,
    pub forgotten: Signal<Out, Bits<4>>,
}

impl Logic for Latch {
    #[hdl_gen]
    fn update(&mut self) {
        if self.p.val() {
            self.latched.next = self.a.val();
        }
    }
}

pub mod other {
    pub const LENGTH_LSB: usize = 5;
}
const NOWHERE: LiteralType = 1;
use other::LENGTH_LSB;

#[derive(LogicBlock, Default)]
pub struct Unknown {
    pub a: Signal<In, Bits<8>>,
    pub b: Signal<Out, Bits<8>>,
    pub c: Signal<Out, Bit>,
    pub d: Signal<Out, Bit>,
}

impl Logic for Unknown {
    #[hdl_gen]
    fn update(&mut self) {
        self.b.next = self.a.val() + NOWHERE;
        self.c.next = self.a.val().get_bit(LENGTH_LSB);
        self.d.next = self.a.val() < 300;
    }
}

#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
pub enum Kind {
    Idle,
    Read,
    Write,
}
random_enum!(Kind { Idle, Read, Write });

#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Inner {
    pub low: Bits<3>,
    pub kind: Kind,
}
random_struct!(Inner { low, kind });

#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Item {
    pub flag: Bit,
    pub inner: Inner,
    pub count: Bits<5>,
}
random_struct!(Item { flag, inner, count });

/// Structs with fields of every kind, enums, arrays of registers by a signal's value, names that are keywords.
#[derive(LogicBlock)]
pub struct Shapes {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub item: Signal<In, Item>,
    pub at: Signal<In, Bits<2>>,
    pub table: Signal<In, Bits<4>>,
    pub kind: Signal<Out, Kind>,
    pub out: Signal<Out, Item>,
    pub shown: Signal<Out, Bits<5>>,
    pub small: Signal<Out, Bits<1>>,
    state: Reg<Kind>,
    counts: Vec<Reg<Bits<5>>>,
    kept: Reg<Item>,
    step: Constant<Bits<5>>,
}

impl Default for Shapes {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            item: Default::default(),
            at: Default::default(),
            table: Default::default(),
            kind: Default::default(),
            out: Default::default(),
            shown: Default::default(),
            small: Default::default(),
            state: Reg::new(Kind::Write),
            counts: (0..4_u64).map(|i| Reg::new(i.into())).collect(),
            kept: Default::default(),
            step: Constant::new(3.into()),
        }
    }
}

impl Logic for Shapes {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, kept);
        for i in 0..4 {
            self.counts[i].clock.next = self.clock.val();
            self.counts[i].d.next = self.counts[i].q.val();
        }
        self.counts[self.at.val().index()].d.next =
            self.counts[self.at.val().index()].q.val() + self.step.val();
        self.shown.next = self.counts[self.at.val().index()].q.val() + bit_cast::<5, 4>(self.table.val());
        self.small.next = self.table.val().get_bits::<1>(2);
        match self.state.q.val() {
            Kind::Idle => {
                if self.item.val().flag {
                    self.state.d.next = self.item.val().inner.kind;
                }
            }
            Kind::Read => {
                self.kept.d.next = self.item.val();
                self.state.d.next = Kind::Write;
            }
            Kind::Write => self.state.d.next = Kind::Idle,
        }
        self.kind.next = self.state.q.val();
        self.out.next = self.kept.q.val();
        self.out.next.inner.low = self.item.val().inner.low + 1;
        if self.state.q.val() == Kind::Read {
            self.out.next.count = self.item.val().count;
        }
        if self.reset.val() {
            self.state.d.next = Kind::Idle;
            for i in 0..4 {
                self.counts[i].d.next = 0.into();
            }
        }
    }
}
