//! Keeps reads of payload in step with writes of payload while these have to wait.
//! In: `write_waits`; `write_taken`, `read_taken`, pulses.   Out: `may`, a read may go.
//! Time: what happens in one cycle counts from the next on.   Waits: never.
//! Reads may ride beside writes of any kind: where many small ones go, such as entries of used rings, reads would else take more of
//! the link than what arrives from the wire.

use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Cycles without a write that waits after which none is thought of.
const PATIENCE: u64 = 15;
/// Reads that may go at once, after as many writes.
const MOST: u64 = 15;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Step {
    pub clock: Signal<In, Clock>,
    pub write_waits: Signal<In, Bit>,
    pub write_taken: Signal<In, Bit>,
    pub read_taken: Signal<In, Bit>,
    pub may: Signal<Out, Bit>,
    /// Cycles since a write waited.
    since: Reg<Bits<4>>,
    /// Reads that writes have earned.
    earned: Reg<Bits<4>>,
    patience: Constant<Bits<4>>,
    most: Constant<Bits<4>>,
}

impl Default for Step {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            write_waits: Default::default(),
            write_taken: Default::default(),
            read_taken: Default::default(),
            may: Default::default(),
            since: Reg::new(PATIENCE.into()),
            earned: Default::default(),
            patience: Constant::new(PATIENCE.into()),
            most: Constant::new(MOST.into()),
        }
    }
}

impl Logic for Step {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, since, earned);
        self.may.next = self.earned.q.val().any() | (self.since.q.val() == self.patience.val());
        if self.write_waits.val() {
            self.since.d.next = 0.into();
        } else if self.since.q.val() != self.patience.val() {
            self.since.d.next = self.since.q.val() + 1;
        }
        if self.write_taken.val() & !self.read_taken.val() & (self.earned.q.val() != self.most.val()) {
            self.earned.d.next = self.earned.q.val() + 1;
        } else if self.read_taken.val() & !self.write_taken.val() & self.earned.q.val().any() {
            self.earned.d.next = self.earned.q.val() - 1;
        }
    }
}
