//! Goes round the queues and finds those with work.
//! In: `work`, a bit per queue.   Out: `source`, the index of one that has (or had, a few cycles ago).
//! Time: one per cycle among eight queues that have work; a cycle for every eight that have none.
//! Waits: on `source`. Each queue with work is found before any other is found twice.

use crate::params::Params;
use crate::prim::stream::StreamSource;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Round robin over up to 64 queues, eight at a time.
#[derive(LogicBlock)]
pub struct Scan {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub work: Signal<In, Bits<64>>,
    pub source: StreamSource<Bits<16>>,
    mask: Constant<Bits<16>>,
    last_group: Constant<Bits<3>>,
    all: Constant<Bits<8>>,
    odd: Constant<Bits<8>>,
    pairs: Constant<Bits<8>>,
    fours: Constant<Bits<8>>,
    group: Reg<Bits<3>>,
    /// Those of the group that are not behind us.
    ahead: Reg<Bits<8>>,
    full: Reg<Bit>,
    index: Reg<Bits<16>>,
    from: Signal<Local, Bits<6>>,
    open: Signal<Local, Bits<8>>,
    lowest: Signal<Local, Bits<8>>,
    found: Signal<Local, Bits<16>>,
}

impl Scan {
    /// For `params.pairs` queues.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            work: Default::default(),
            source: Default::default(),
            mask: Constant::new((params.pairs as u64 - 1).into()),
            last_group: Constant::new((params.pairs.div_ceil(8) as u64 - 1).into()),
            all: Constant::new(0b1111_1111.into()),
            odd: Constant::new(0b1010_1010.into()),
            pairs: Constant::new(0b1100_1100.into()),
            fours: Constant::new(0b1111_0000.into()),
            group: Default::default(),
            ahead: Default::default(),
            full: Default::default(),
            index: Default::default(),
            from: Default::default(),
            open: Default::default(),
            lowest: Default::default(),
            found: Default::default(),
        }
    }
}

impl Logic for Scan {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, group, ahead, full, index);
        self.source.valid.next = self.full.q.val();
        self.source.data.next = self.index.q.val();
        self.from.next = bit_cast::<6, 3>(self.group.q.val()) << 3;
        self.open.next = self.work.val().get_bits::<8>(self.from.val().index()) & self.ahead.q.val();
        self.lowest.next = self.open.val() & (!self.open.val() + 1);
        self.found.next = bit_cast::<16, 6>(self.from.val());
        if (self.lowest.val() & self.odd.val()).any() {
            self.found.next = self.found.val() | 1;
        }
        if (self.lowest.val() & self.pairs.val()).any() {
            self.found.next = self.found.val() | 2;
        }
        if (self.lowest.val() & self.fours.val()).any() {
            self.found.next = self.found.val() | 4;
        }
        if !self.full.q.val() | self.source.ready.val() {
            self.full.d.next = self.open.val().any();
            self.index.d.next = self.found.val() & self.mask.val();
            if self.open.val().any() {
                self.ahead.d.next = !(self.lowest.val() | (self.lowest.val() - 1));
            } else {
                self.ahead.d.next = self.all.val();
                self.group.d.next = self.group.q.val() + 1;
                if self.group.q.val() == self.last_group.val() {
                    self.group.d.next = 0.into();
                }
            }
        }
        if self.reset.val() {
            self.full.d.next = false;
            self.group.d.next = 0.into();
            self.ahead.d.next = 0.into();
        }
    }
}
