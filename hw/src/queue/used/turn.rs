//! Two streams of finished chains made one, packet by packet, in runs: the fewer changes, the fewer indices are written.
//! In: `done`, receive and transmit.   Out: `source`; `open`: a packet is not whole yet.
//! Time: same cycle.   Waits: on `source`, and while a packet is open on the stream it comes from.

use crate::port::chain::Done;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Packets of one stream in a row while the other waits.
const RUN: u64 = 16;

/// Who says `more` keeps the turn; else it goes over when its holder has nothing, or has had a run.
#[derive(LogicBlock)]
pub struct Turn {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub done: Vec<StreamSink<Done>>,
    pub source: StreamSource<Done>,
    pub open: Signal<Out, Bit>,
    /// The second had the last turn.
    second: Reg<Bit>,
    kept: Reg<Bit>,
    /// Packets since the turn went over, up to a run.
    run: Reg<Bits<5>>,
    had: Signal<Local, Bit>,
    last_of_run: Constant<Bits<5>>,
    choice: Signal<Local, Bit>,
    valid: Signal<Local, Bit>,
    chosen: Signal<Local, Done>,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            done: vec![Default::default(); 2],
            source: Default::default(),
            open: Default::default(),
            second: Default::default(),
            kept: Default::default(),
            run: Default::default(),
            had: Default::default(),
            last_of_run: Constant::new((RUN - 1).into()),
            choice: Default::default(),
            valid: Default::default(),
            chosen: Default::default(),
        }
    }
}

impl Logic for Turn {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, second, kept, run);
        self.choice.next = self.second.q.val();
        self.had.next = self.run.q.val() == self.last_of_run.val();
        if !self.kept.q.val() {
            self.choice.next = self.done[1].valid.val()
                & (!self.done[0].valid.val() | (self.second.q.val() ^ self.had.val()));
        }
        self.valid.next = self.done[0].valid.val();
        self.chosen.next = self.done[0].data.val();
        if self.choice.val() {
            self.valid.next = self.done[1].valid.val();
            self.chosen.next = self.done[1].data.val();
        }
        self.source.valid.next = self.valid.val();
        self.source.data.next = self.chosen.val();
        self.done[0].ready.next = self.source.ready.val() & !self.choice.val();
        self.done[1].ready.next = self.source.ready.val() & self.choice.val();
        if self.valid.val() & self.source.ready.val() {
            self.second.d.next = self.choice.val();
            self.kept.d.next = self.chosen.val().more;
            if !self.chosen.val().more {
                self.run.d.next = self.run.q.val() + 1;
                if (self.second.q.val() ^ self.choice.val()) | self.had.val() {
                    self.run.d.next = 0.into();
                }
            }
        }
        self.open.next = self.kept.q.val();
        if self.reset.val() {
            self.second.d.next = false;
            self.kept.d.next = false;
            self.run.d.next = 0.into();
        }
    }
}
