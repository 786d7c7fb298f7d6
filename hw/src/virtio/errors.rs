//! Collects what blocks say of queues that can go no further.
//! In: `errors`.   Out: `stop`, broadcast to the fetchers; `failed`, a pulse for device_status; the last error per queue, for inspection.
//! Time: one a cycle, the first input first.
//! Waits: never.
//! Spec: [virtio 1.4: Device Status Field] DEVICE_NEEDS_RESET

use crate::params::Params;
use crate::port::queue::{KickSource, QueueError};
use crate::prim::lutram::Lutram;
use crate::prim::stream::StreamSink;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Errors {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub errors: Vec<StreamSink<QueueError>>,
    pub stop: KickSource,
    pub failed: Signal<Out, Bit>,
    pub failed_code: Signal<Out, Bits<8>>,
    pub failed_queue: Signal<Out, Bits<16>>,
    pub inspect_queue: Signal<In, Bits<16>>,
    pub inspect_code: Signal<Out, Bits<8>>,
    taken: Reg<QueueError>,
    valid: Reg<Bit>,
    found: Signal<Local, Bit>,
    codes: Lutram<Bits<8>>,
    /// Which queues have a code in `codes`.
    known: Reg<Bits<256>>,
    queues: Constant<Bits<16>>,
    number_mask: Constant<Bits<16>>,
}

impl Errors {
    /// Collects from `REPORTERS` blocks.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            errors: (0..REPORTERS).map(|_| Default::default()).collect(),
            stop: Default::default(),
            failed: Default::default(),
            failed_code: Default::default(),
            failed_queue: Default::default(),
            inspect_queue: Default::default(),
            inspect_code: Default::default(),
            taken: Default::default(),
            valid: Default::default(),
            found: Default::default(),
            codes: Lutram::new(params.number_mask() + 1),
            known: Default::default(),
            queues: Constant::new(params.queues().to_bits()),
            number_mask: Constant::new(params.number_mask().to_bits()),
        }
    }
}

/// Blocks that report errors.
pub const REPORTERS: usize = 7;

impl Logic for Errors {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, taken, valid, known);
        clock!(self, clock, codes);
        self.found.next = false;
        self.taken.d.next = self.errors[0].data.val();
        for i in 0..7 {
            self.errors[i].ready.next = false;
            if self.errors[i].valid.val() & !self.found.val() {
                self.found.next = true;
                self.errors[i].ready.next = true;
                self.taken.d.next = self.errors[i].data.val();
            }
        }
        self.valid.d.next = self.found.val();

        // The control queue stops by itself.
        self.stop.valid.next = self.valid.q.val() & (self.taken.q.val().queue < self.queues.val());
        self.stop.queue.next = self.taken.q.val().queue;
        self.failed_queue.next = self.taken.q.val().queue;
        self.failed.next = self.valid.q.val();
        self.failed_code.next = self.taken.q.val().code;
        self.codes.write.next = self.valid.q.val();
        self.codes.write_addr.next = self.taken.q.val().queue;
        self.codes.write_data.next = self.taken.q.val().code;
        if self.valid.q.val() {
            self.known.d.next = self.known.q.val().replace_bit(
                (self.taken.q.val().queue & self.number_mask.val()).get_bits::<8>(0).index(),
                true,
            );
        }
        self.codes.read_addr.next = self.inspect_queue.val();
        self.inspect_code.next = 0.into();
        if self
            .known
            .q
            .val()
            .get_bit((self.inspect_queue.val() & self.number_mask.val()).get_bits::<8>(0).index())
        {
            self.inspect_code.next = self.codes.read_data.val();
        }
        if self.reset.val() {
            self.valid.d.next = false;
            self.known.d.next = 0.into();
        }
    }
}
