//! Checks completions against their tag's state and puts their data where they belong.
//!
//! In: `completion`; what the table says of `look_tag`.   Out: `write` to the slots; `store` and `finish` to the table; counts.
//! Time: one beat per cycle; a beat is written, and its request finished, three cycles after it has come.
//! Waits: never.   One that does not fit its request is counted and dropped.
//! Spec: [PCI Express: Completion Rules; Completion Handling Rules; Data Return for Read Requests]

use super::decode::Decode;
use super::tags::TagState;
use crate::params::Params;
use crate::port::tlp::TlpSide;
use crate::prim::beat::BeatSink;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// A beat of a completion that is the whole answer to its request.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Passing {
    pub valid: Bit,
    pub tag: Bits<8>,
    pub first: Bit,
    pub last: Bit,
    /// With `last`: the request has failed.
    pub failed: Bit,
}

/// See the head of this file.
#[derive(LogicBlock)]
pub struct Receive<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub requester: Signal<In, Bits<16>>,
    pub completion: BeatSink<W, TlpSide>,
    pub look_tag: Signal<Out, Bits<8>>,
    pub look_state: Signal<In, TagState>,
    pub look_waiting: Signal<In, Bit>,
    pub store: Signal<Out, Bit>,
    pub store_state: Signal<Out, TagState>,
    /// There may be a `store` in this cycle: known early.
    pub storing: Signal<Out, Bit>,
    pub finish: Signal<Out, Bit>,
    pub finish_failed: Signal<Out, Bit>,
    /// The look-up is free: `look_tag` is `visit_tag` of the cycle before.
    pub look_free: Signal<Out, Bit>,
    pub visit_tag: Signal<In, Bits<8>>,
    /// What is written is a beat of a completion that is the whole answer to its request.
    pub passing: Signal<Out, Passing>,
    pub write: Signal<Out, Bit>,
    pub write_at: Signal<Out, Bits<20>>,
    pub write_count: Signal<Out, Bits<5>>,
    pub write_data: Signal<Out, Bits<W>>,
    pub busy: Signal<Out, Bit>,
    pub count_unexpected: Signal<Out, Bit>,
    pub count_error: Signal<Out, Bit>,
    decode: Decode<W>,
    // Within a completion: where the next beat goes, how many DWORDs are to come.
    cursor: Reg<Bits<11>>,
    remaining: Reg<Bits<11>>,
    // Three cycles after: what is done about it.
    put: Reg<Bit>,
    put_at: Reg<Bits<20>>,
    put_count: Reg<Bits<5>>,
    put_data: Reg<Bits<W>>,
    pass: Reg<Passing>,
    unexpected: Reg<Bit>,
    failed: Reg<Bit>,
    fits: Signal<Local, Bit>,
    accept: Signal<Local, Bit>,
    at: Signal<Local, Bits<11>>,
    todo: Signal<Local, Bits<11>>,
    whole: Signal<Local, Bit>,
    bad: Signal<Local, Bit>,
    done: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    lanes: Constant<Bits<11>>,
    slot_shift: Constant<Bits<20>>,
}

impl<const W: usize> Receive<W> {
    /// For slots of `params.read_bytes`.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            requester: Default::default(),
            completion: Default::default(),
            look_tag: Default::default(),
            look_state: Default::default(),
            look_waiting: Default::default(),
            store: Default::default(),
            store_state: Default::default(),
            storing: Default::default(),
            finish: Default::default(),
            look_free: Default::default(),
            visit_tag: Default::default(),
            finish_failed: Default::default(),
            passing: Default::default(),
            write: Default::default(),
            write_at: Default::default(),
            write_count: Default::default(),
            write_data: Default::default(),
            busy: Default::default(),
            count_unexpected: Default::default(),
            count_error: Default::default(),
            decode: Default::default(),
            cursor: Default::default(),
            remaining: Default::default(),
            put: Default::default(),
            put_at: Default::default(),
            put_count: Default::default(),
            put_data: Default::default(),
            pass: Default::default(),
            unexpected: Default::default(),
            failed: Default::default(),
            fits: Default::default(),
            accept: Default::default(),
            at: Default::default(),
            todo: Default::default(),
            whole: Default::default(),
            bad: Default::default(),
            done: Default::default(),
            ends: Default::default(),
            lanes: Constant::new((W / 32).to_bits()),
            slot_shift: Constant::new((params.read_bytes / 4).trailing_zeros().to_bits()),
        }
    }
}

impl<const W: usize> Logic for Receive<W> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, decode);
        dff_setup!(self, clock, cursor, remaining, put, put_at, put_count, put_data);
        dff_setup!(self, clock, pass, unexpected, failed);

        // First and second cycle.
        self.decode.reset.next = self.reset.val();
        self.decode.requester.next = self.requester.val();
        self.decode.visit_tag.next = self.visit_tag.val();
        self.decode.completion.valid.next = self.completion.valid.val();
        self.decode.completion.last.next = self.completion.last.val();
        self.decode.completion.data.next = self.completion.data.val();
        self.decode.completion.side.next = self.completion.side.val();
        self.completion.ready.next = self.decode.completion.ready.val();

        // Third cycle: compare with the tag's state. It stays the same from a completion's first beat to its last.
        self.look_tag.next = self.decode.look.val();
        self.look_free.next = !self.decode.valid.val();
        self.fits.next = (self.look_state.val().left == self.decode.reply.val().bytes)
            & (self.look_state.val().lower == self.decode.reply.val().lower)
            & !self.decode.step.val().too_long;
        self.accept.next = self.decode.valid.val()
            & self.decode.reply.val().ours
            & self.look_waiting.val()
            & (self.fits.val() | self.decode.reply.val().failing);
        self.at.next = self.cursor.q.val();
        self.todo.next = self.remaining.q.val();
        if self.decode.first.val() {
            self.at.next = self.look_state.val().at;
            self.todo.next = self.decode.reply.val().dwords;
        }
        self.whole.next = self.todo.val() > self.lanes.val();
        if self.decode.valid.val() {
            self.cursor.d.next = self.at.val() + self.lanes.val();
            self.remaining.d.next = self.todo.val() - self.lanes.val();
            if !self.whole.val() {
                self.remaining.d.next = 0.into();
            }
        }
        self.ends.next = self.decode.valid.val() & self.decode.last.val();
        // Where the last beat is a whole one and more should come, the packet is shorter than its header says.
        self.bad.next = self.look_state.val().failed
            | self.decode.reply.val().failing
            | self.decode.reply.val().poisoned
            | self.decode.error.val()
            | self.whole.val();
        self.done.next = self.decode.step.val().closing | self.decode.reply.val().failing;
        self.storing.next = self.ends.val() & !self.done.val();
        self.store.next = self.accept.val() & self.ends.val() & !self.done.val();
        self.store_state.next.left = self.decode.step.val().left;
        self.store_state.next.lower = self.decode.step.val().lower;
        self.store_state.next.at = self.look_state.val().at + self.decode.reply.val().dwords;
        self.store_state.next.failed = self.bad.val();

        self.put.d.next = self.accept.val() & !self.decode.reply.val().failing;
        self.put_at.d.next = (bit_cast::<20, 8>(self.decode.look.val()) << self.slot_shift.val())
            | bit_cast::<20, 11>(self.at.val());
        self.put_count.d.next = bit_cast::<5, 11>(self.todo.val());
        if self.whole.val() {
            self.put_count.d.next = bit_cast::<5, 11>(self.lanes.val());
        }
        self.put_data.d.next = self.decode.data.val();
        self.pass.d.next.valid = self.accept.val()
            & self.decode.step.val().closing
            & !self.decode.reply.val().failing
            & !self.look_state.val().at.any();
        self.pass.d.next.tag = self.decode.look.val();
        self.pass.d.next.first = self.decode.first.val();
        self.pass.d.next.last = self.decode.last.val();
        self.pass.d.next.failed = self.bad.val();
        // The data are in the slot before anybody can read them: looking up the answer takes longer than writing.
        self.finish.next = self.accept.val() & self.ends.val() & self.done.val();
        self.finish_failed.next = self.bad.val();
        self.unexpected.d.next = self.ends.val() & !self.accept.val();
        self.failed.d.next = self.accept.val() & self.ends.val() & self.done.val() & self.bad.val();

        // Fourth cycle: write.
        self.write.next = self.put.q.val();
        self.write_at.next = self.put_at.q.val();
        self.write_count.next = self.put_count.q.val();
        self.write_data.next = self.put_data.q.val();
        self.passing.next = self.pass.q.val();
        self.count_unexpected.next = self.unexpected.q.val();
        self.count_error.next = self.failed.q.val();
        self.busy.next =
            self.decode.busy.val() | self.put.q.val() | self.unexpected.q.val() | self.failed.q.val();

        if self.reset.val() {
            self.put.d.next = false;
            self.pass.d.next.valid = false;
            self.unexpected.d.next = false;
            self.failed.d.next = false;
        }
    }
}
