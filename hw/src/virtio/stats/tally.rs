//! One counter for each queue, or for each of a direction.
//! In: `add`, a pulse beside `place` and `amount`; `read_place`; `sweep`, and where.   Out: `value` of `read_place`.
//! Time: a count is there two cycles after it.   Waits: never.   Busy while something is not counted yet.

use crate::prim::lutram::Lutram;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Tally {
    pub clock: Signal<In, Clock>,
    /// What is added in this cycle does not count.
    pub reset: Signal<In, Bit>,
    pub add: Signal<In, Bit>,
    pub place: Signal<In, Bits<16>>,
    pub amount: Signal<In, Bits<20>>,
    /// Level: the counter at `sweep_place` becomes zero.
    pub sweep: Signal<In, Bit>,
    pub sweep_place: Signal<In, Bits<16>>,
    pub read_place: Signal<In, Bits<16>>,
    pub value: Signal<Out, Bits<64>>,
    pub busy: Signal<Out, Bit>,
    // Two of the same: one to be read by who asks, in whatever cycle.
    counts: Lutram<Bits<64>>,
    shown: Lutram<Bits<64>>,
    added: Reg<Bit>,
    at: Reg<Bits<16>>,
    by: Reg<Bits<20>>,
    write: Signal<Local, Bit>,
    write_place: Signal<Local, Bits<16>>,
    sum: Signal<Local, Bits<64>>,
}

impl Tally {
    /// Of so many counters.
    pub fn new(counters: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            add: Default::default(),
            place: Default::default(),
            amount: Default::default(),
            sweep: Default::default(),
            sweep_place: Default::default(),
            read_place: Default::default(),
            value: Default::default(),
            busy: Default::default(),
            counts: Lutram::new(counters),
            shown: Lutram::new(counters),
            added: Default::default(),
            at: Default::default(),
            by: Default::default(),
            write: Default::default(),
            write_place: Default::default(),
            sum: Default::default(),
        }
    }
}

impl Logic for Tally {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, added, at, by);
        clock!(self, clock, counts, shown);
        self.added.d.next = self.add.val() & !self.reset.val();
        self.at.d.next = self.place.val();
        self.by.d.next = self.amount.val();
        self.busy.next = self.added.q.val();

        self.counts.read_addr.next = self.at.q.val();
        self.sum.next = self.counts.read_data.val() + bit_cast::<64, 20>(self.by.q.val());
        self.write.next = self.added.q.val();
        self.write_place.next = self.at.q.val();
        if self.sweep.val() {
            self.write.next = true;
            self.write_place.next = self.sweep_place.val();
            self.sum.next = 0.into();
        }
        self.counts.write.next = self.write.val();
        self.counts.write_addr.next = self.write_place.val();
        self.counts.write_data.next = self.sum.val();
        self.shown.write.next = self.write.val();
        self.shown.write_addr.next = self.write_place.val();
        self.shown.write_data.next = self.sum.val();
        self.shown.read_addr.next = self.read_place.val();
        self.value.next = self.shown.read_data.val();
    }
}
