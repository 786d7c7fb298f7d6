//! Tells the data plane of queues a cycle late: so many blocks hear of it that the way there is a cycle of its own.
//! In: `sink`.   Out: `source`: starts, stops, settings and the fence of the cycle before; `started`, a
//! pulse a cycle behind a start, when all know of it.
//! Time: one cycle.   Waits: never.

use crate::port::queue::{KickSource, QueueControlSink, QueueControlSource, QueueSettings};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock, Default)]
pub struct Relay {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: QueueControlSink,
    pub source: QueueControlSource,
    pub started: KickSource,
    enable: Reg<Bit>,
    clear: Reg<Bit>,
    settings: Reg<QueueSettings>,
    fence: Reg<Bit>,
    last: Reg<Bit>,
    last_queue: Reg<Bits<16>>,
}

impl Logic for Relay {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, enable, clear, settings, fence, last, last_queue);
        self.enable.d.next = self.sink.enable.val();
        self.clear.d.next = self.sink.clear.val();
        self.settings.d.next = self.sink.settings.val();
        self.fence.d.next = self.sink.fence.val();
        self.source.enable.next = self.enable.q.val();
        self.source.clear.next = self.clear.q.val();
        self.source.settings.next = self.settings.q.val();
        self.last.d.next = self.enable.q.val();
        self.last_queue.d.next = self.settings.q.val().queue;
        self.started.valid.next = self.last.q.val();
        self.started.queue.next = self.last_queue.q.val();
        self.source.fence.next = self.fence.q.val();
        if self.reset.val() {
            self.enable.d.next = false;
            self.clear.d.next = false;
            self.fence.d.next = false;
            self.last.d.next = false;
        }
    }
}
