//! Brings the errors found in one block together.
//! In: `sink`, five of them, the first before the second and so on.   Out: `error`; `stop`, a pulse in the cycle in which
//! an error is taken in, so that whoever found it sees its queue stopped in the next.
//! Time: one error every second cycle.   Waits: on `error`.

use crate::port::queue::{KickSource, QueueError};
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Five streams of errors made one.
#[derive(LogicBlock)]
pub struct Faults {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: Vec<StreamSink<QueueError>>,
    pub error: StreamSource<QueueError>,
    pub stop: KickSource,
    full: Reg<Bit>,
    held: Reg<QueueError>,
    taken: Signal<Local, Bit>,
    found: Signal<Local, QueueError>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: vec![Default::default(); 5],
            error: Default::default(),
            stop: Default::default(),
            full: Default::default(),
            held: Default::default(),
            taken: Default::default(),
            found: Default::default(),
        }
    }
}

impl Logic for Faults {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, full, held);
        self.error.valid.next = self.full.q.val();
        self.error.data.next = self.held.q.val();
        self.taken.next = self.full.q.val();
        self.stop.valid.next = false;
        self.found.next = self.held.q.val();
        for i in 0..5 {
            self.sink[i].ready.next = !self.taken.val();
            if self.sink[i].valid.val() & !self.taken.val() {
                self.taken.next = true;
                self.stop.valid.next = true;
                self.found.next = self.sink[i].data.val();
            }
        }
        self.stop.queue.next = self.found.val().queue;
        self.held.d.next = self.found.val();
        self.full.d.next = self.taken.val();
        if self.full.q.val() & self.error.ready.val() {
            self.full.d.next = false;
        }
        if self.reset.val() {
            self.full.d.next = false;
        }
    }
}
