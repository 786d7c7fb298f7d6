//! How far ahead of its position the packed ring of each queue is read, and where the next read of it begins.
//! In: `start`, a queue starts; what has been found of the queue at `place`; `ask`, where the next read begins.
//! Out: `asked_here` of the queue at `place`; `asked`, `window` of the one at `ask_index`.
//! Time: combinational from RAM; what is said counts from the next cycle on.   Waits: never.
//! The more is available, the further ahead it is read: a driver that is far ahead is not waited for, for one that is not few reads
//! are in vain.

use crate::params::Params;
use crate::prim::lutram::Lutram;
use rust_hdl_core::prelude::*;

/// Descriptors by which more may be asked for ahead of the position, after each read of which all were available.
const GROWTH: u64 = 8;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Ahead {
    pub clock: Signal<In, Clock>,
    /// Pulse, and the queue's index.
    pub start: Signal<In, Bit>,
    pub start_index: Signal<In, Bits<16>>,
    pub place: Signal<In, Bits<16>>,
    /// Pulses: all of a read was available; something was not.
    pub passed: Signal<In, Bit>,
    pub missed: Signal<In, Bit>,
    /// Pulse: the next read of the queue at `ask_index` begins here.
    pub ask: Signal<In, Bit>,
    pub ask_index: Signal<In, Bits<16>>,
    pub ask_position: Signal<In, Bits<16>>,
    pub asked_here: Signal<Out, Bits<16>>,
    pub asked: Signal<Out, Bits<16>>,
    pub window: Signal<Out, Bits<16>>,
    growth: Constant<Bits<16>>,
    windows: Lutram<Bits<16>>,
    windows_plan: Lutram<Bits<16>>,
    asks: Lutram<Bits<16>>,
    asks_plan: Lutram<Bits<16>>,
    grown: Signal<Local, Bits<16>>,
}

impl Ahead {
    /// For one direction's queues.
    pub fn new(params: &Params) -> Self {
        let depth = params.pairs;
        Self {
            clock: Default::default(),
            start: Default::default(),
            start_index: Default::default(),
            place: Default::default(),
            passed: Default::default(),
            missed: Default::default(),
            ask: Default::default(),
            ask_index: Default::default(),
            ask_position: Default::default(),
            asked_here: Default::default(),
            asked: Default::default(),
            window: Default::default(),
            growth: Constant::new(GROWTH.into()),
            windows: Lutram::new(depth),
            windows_plan: Lutram::new(depth),
            asks: Lutram::new(depth),
            asks_plan: Lutram::new(depth),
            grown: Default::default(),
        }
    }
}

impl Logic for Ahead {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, windows, windows_plan, asks, asks_plan);
        self.windows.read_addr.next = self.place.val();
        self.grown.next = self.windows.read_data.val() + self.growth.val();
        if self.windows.read_data.val().get_bit(8) {
            self.grown.next = self.windows.read_data.val();
        }
        self.windows.write.next = self.passed.val() | self.missed.val() | self.start.val();
        self.windows.write_addr.next = self.place.val();
        if self.start.val() {
            self.windows.write_addr.next = self.start_index.val();
        }
        if self.missed.val() | self.start.val() {
            self.grown.next = 1.into();
        }
        self.windows.write_data.next = self.grown.val();
        self.windows_plan.write.next = self.windows.write.val();
        self.windows_plan.write_addr.next = self.windows.write_addr.val();
        self.windows_plan.write_data.next = self.grown.val();
        self.windows_plan.read_addr.next = self.ask_index.val();
        self.window.next = self.windows_plan.read_data.val();

        self.asks.write.next = self.ask.val();
        self.asks.write_addr.next = self.ask_index.val();
        self.asks.write_data.next = self.ask_position.val();
        self.asks.read_addr.next = self.place.val();
        self.asked_here.next = self.asks.read_data.val();
        self.asks_plan.write.next = self.ask.val();
        self.asks_plan.write_addr.next = self.ask_index.val();
        self.asks_plan.write_data.next = self.ask_position.val();
        self.asks_plan.read_addr.next = self.ask_index.val();
        self.asked.next = self.asks_plan.read_data.val();
    }
}
