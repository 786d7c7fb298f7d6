//! Clocks a block in rust-hdl's own simulator.

use rust_hdl_core::prelude::*;
use rust_hdl_core::simulate::simulate;

/// A block under test, and how many cycles it has seen.
#[allow(dead_code, reason = "each block test uses the part it needs")]
pub(crate) struct Harness<B: Block> {
    pub(crate) uut: B,
    pub(crate) cycle: u64,
    clock: fn(&mut B) -> &mut Signal<In, Clock>,
}

impl<B: Block> Harness<B> {
    /// Connects the block and settles it with the clock low.
    pub(crate) fn new(mut uut: B, clock: fn(&mut B) -> &mut Signal<In, Clock>) -> Self {
        uut.connect_all();
        let mut harness = Harness { uut, cycle: 0, clock };
        harness.settle();
        harness
    }

    /// Lets combinational outputs follow the inputs just set.
    pub(crate) fn settle(&mut self) {
        assert!(simulate(&mut self.uut, 200), "cycle {}: the block does not settle", self.cycle);
    }

    /// A rising and a falling edge.
    pub(crate) fn tick(&mut self) {
        self.settle();
        (self.clock)(&mut self.uut).next = Clock { clk: true };
        self.settle();
        (self.clock)(&mut self.uut).next = Clock { clk: false };
        self.settle();
        self.cycle += 1;
    }

    /// Ticks until `done`, at most `limit` cycles; `what` names the wait.
    pub(crate) fn until(&mut self, what: &str, limit: u64, mut done: impl FnMut(&mut B) -> bool) {
        for _ in 0..limit {
            if done(&mut self.uut) {
                return;
            }
            self.tick();
        }
        panic!("{what}: not within {limit} cycles");
    }
}
