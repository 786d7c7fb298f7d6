//! Finds neighbours among chains' first descriptors, so that one read fetches them: up or down the table, as drivers' free lists give
//! them out.
//! In: `sink`, one descriptor each.   Out: `source`, up to `most` that stand side by side within 4 KiB.
//! Time: a run is offered in the second cycle after its last descriptor; a descriptor per cycle. Nothing is waited for: a run ends
//! where the next one is not there.
//! Waits: on `source`, but a run goes on growing meanwhile.

use super::locate::Place;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Runs {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: StreamSink<Place>,
    pub source: StreamSource<Place>,
    last: Constant<Bits<3>>,
    /// It grows; `tip` is the descriptor added last.
    growing: Reg<Bit>,
    run: Reg<Place>,
    tip: Reg<Place>,
    /// The chains beside it.
    above: Reg<Bits<16>>,
    below: Reg<Bits<16>>,
    offered: Reg<Bit>,
    out: Reg<Place>,
    next: Signal<Local, Place>,
    same: Signal<Local, Bit>,
    up: Signal<Local, Bit>,
    down: Signal<Local, Bit>,
    grows: Signal<Local, Bit>,
    moves: Signal<Local, Bit>,
}

impl Runs {
    /// Of up to `most` descriptors, 1 to 8.
    pub fn new(most: usize) -> Self {
        assert!((1..=8).contains(&most), "runs of {most}");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            last: Constant::new((most as u64 - 1).into()),
            growing: Default::default(),
            run: Default::default(),
            tip: Default::default(),
            above: Default::default(),
            below: Default::default(),
            offered: Default::default(),
            out: Default::default(),
            next: Default::default(),
            same: Default::default(),
            up: Default::default(),
            down: Default::default(),
            grows: Default::default(),
            moves: Default::default(),
        }
    }
}

impl Logic for Runs {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, growing, run, tip, above, below, offered, out);
        self.next.next = self.sink.data.val();
        self.same.next = self.growing.q.val()
            & (self.next.val().index == self.tip.q.val().index)
            & (self.run.q.val().more != self.last.val());
        self.up.next = self.same.val()
            & (self.next.val().id == self.above.q.val())
            & !self.tip.q.val().page_end
            & (!self.run.q.val().down | !self.run.q.val().more.any());
        self.down.next = self.same.val()
            & (self.next.val().id == self.below.q.val())
            & !self.tip.q.val().page_start
            & (self.run.q.val().down | !self.run.q.val().more.any());
        self.grows.next = self.sink.valid.val() & (self.up.val() | self.down.val());
        self.moves.next =
            self.growing.q.val() & !self.grows.val() & (!self.offered.q.val() | self.source.ready.val());
        self.sink.ready.next = !self.growing.q.val() | self.grows.val() | self.moves.val();
        // A run that has ended is offered at once, or kept if nobody takes it.
        self.source.valid.next = self.offered.q.val() | (self.growing.q.val() & !self.grows.val());
        self.source.data.next = self.out.q.val();
        if !self.offered.q.val() {
            self.source.data.next = self.run.q.val();
        }
        if self.source.ready.val() {
            self.offered.d.next = false;
        }
        if self.moves.val() {
            self.offered.d.next = self.offered.q.val() | !self.source.ready.val();
            self.out.d.next = self.run.q.val();
            self.growing.d.next = false;
        }
        if self.sink.valid.val() & self.sink.ready.val() {
            self.growing.d.next = true;
            self.tip.d.next = self.next.val();
            self.above.d.next = self.next.val().id + 1;
            self.below.d.next = self.next.val().id - 1;
            if self.grows.val() {
                self.run.d.next.more = self.run.q.val().more + 1;
                if self.down.val() {
                    self.run.d.next.down = true;
                    self.run.d.next.offset = self.next.val().offset;
                }
            } else {
                self.run.d.next = self.next.val();
            }
        }
        if self.reset.val() {
            self.growing.d.next = false;
            self.offered.d.next = false;
        }
    }
}
