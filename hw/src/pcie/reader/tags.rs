//! What is known of every tag.
//!
//! In: `alloc` (a request goes out); the tag looked at, with `store` or `finish` (a completion has come).
//! Out: what the tag looked at is waiting for; what has been written, for copies; `any`, a tag waits; `count_timeout`.
//! Time: look-ups are combinational; what is written in one cycle is seen from the next on.
//! Waits: never.   `alloc` and `store` exclude each other.   A tag has failed after one to two times `timeout_cycles`.
//! Spec: [PCI Express: Completion Timeout Mechanism]

use crate::params::Params;
use crate::prim::lutram::Lutram;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// What the next completion of a tag must look like.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct TagState {
    /// Bytes that have not come yet.
    pub left: Bits<13>,
    /// Bits 6:0 of the address of the first of them.
    pub lower: Bits<7>,
    /// DWORDs that have come.
    pub at: Bits<11>,
    /// One of the completions so far was bad.
    pub failed: Bit,
}

/// Written when a tag is taken.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Asked {
    /// Differs from [`Answered::turn`] while the tag waits.
    pub turn: Bit,
    /// When.
    pub epoch: Bits<3>,
}

/// Written when a tag's wait is over.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Answered {
    pub turn: Bit,
    pub failed: Bit,
    pub timeout: Bit,
}

/// See the head of this file.
#[derive(LogicBlock)]
pub struct Tags {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub alloc: Signal<In, Bit>,
    pub alloc_tag: Signal<In, Bits<8>>,
    /// The request has not been sent: the tag does not wait.
    pub alloc_refused: Signal<In, Bit>,
    pub alloc_state: Signal<In, TagState>,
    /// Tags from here on have not been taken since the last reset: what stands in the RAMs means nothing.
    pub fresh: Signal<In, Bits<9>>,
    pub look_tag: Signal<In, Bits<8>>,
    pub look_state: Signal<Out, TagState>,
    pub look_waiting: Signal<Out, Bit>,
    /// No completion needs the look-up in this cycle: `look_tag` is `visit_tag` of the cycle before.
    pub look_free: Signal<In, Bit>,
    pub visit_tag: Signal<Out, Bits<8>>,
    pub store: Signal<In, Bit>,
    /// What could be stored is; no tag is taken in this cycle.
    pub storing: Signal<In, Bit>,
    pub store_state: Signal<In, TagState>,
    pub finish: Signal<In, Bit>,
    pub finish_failed: Signal<In, Bit>,
    /// What is written here, for the ports' own copies.
    pub wrote_asked: Signal<Out, Bit>,
    pub wrote_asked_tag: Signal<Out, Bits<8>>,
    pub wrote_asked_data: Signal<Out, Asked>,
    pub wrote_answered: Signal<Out, Bit>,
    pub wrote_answered_tag: Signal<Out, Bits<8>>,
    pub wrote_answered_data: Signal<Out, Answered>,
    pub any: Signal<Out, Bit>,
    pub count_timeout: Signal<Out, Bit>,
    states: Lutram<TagState>,
    // A copy per place that reads. Taken and answered are two RAMs since they are written at the same time.
    asked: Lutram<Asked>,
    answered: Lutram<Answered>,
    answered_alloc: Lutram<Answered>,
    // Tags that wait, a cycle late.
    waiting: Reg<Bits<9>>,
    started: Reg<Bit>,
    ended: Reg<Bit>,
    // Each tag is visited once per epoch, an epoch is half of `timeout_cycles`.
    time: Reg<Bits<32>>,
    soon: Reg<Bit>,
    visit: Reg<Bit>,
    visited: Reg<Bits<8>>,
    expired: Reg<Bit>,
    epochs: Signal<Local, Bits<32>>,
    visits: Signal<Local, Bits<32>>,
    epoch: Signal<Local, Bits<3>>,
    age: Signal<Local, Bits<3>>,
    waits: Signal<Local, Bit>,
    visiting: Signal<Local, Bit>,
    expire: Signal<Local, Bit>,
    now: Signal<Local, Bit>,
    over: Signal<Local, Bit>,
    starts: Signal<Local, Bit>,
    asked_now: Signal<Local, Asked>,
    answered_now: Signal<Local, Answered>,
    tag_shift: Constant<Bits<32>>,
    tag_mask: Constant<Bits<8>>,
    epoch_shift: Constant<Bits<32>>,
    between: Constant<Bits<32>>,
}

impl Tags {
    /// `params.tags` tags that time out after `params.timeout_cycles`.
    pub fn new(params: &Params) -> Self {
        let between = params.timeout_cycles / 2 / params.tags;
        Self {
            clock: Default::default(),
            reset: Default::default(),
            alloc: Default::default(),
            alloc_tag: Default::default(),
            alloc_refused: Default::default(),
            alloc_state: Default::default(),
            fresh: Default::default(),
            look_tag: Default::default(),
            look_state: Default::default(),
            look_waiting: Default::default(),
            look_free: Default::default(),
            visit_tag: Default::default(),
            store: Default::default(),
            storing: Default::default(),
            store_state: Default::default(),
            finish: Default::default(),
            finish_failed: Default::default(),
            wrote_asked: Default::default(),
            wrote_asked_tag: Default::default(),
            wrote_asked_data: Default::default(),
            wrote_answered: Default::default(),
            wrote_answered_tag: Default::default(),
            wrote_answered_data: Default::default(),
            any: Default::default(),
            count_timeout: Default::default(),
            states: Lutram::new(params.tags),
            asked: Lutram::new(params.tags),
            answered: Lutram::new(params.tags),
            answered_alloc: Lutram::new(params.tags),
            waiting: Default::default(),
            started: Default::default(),
            ended: Default::default(),
            time: Default::default(),
            soon: Default::default(),
            visit: Default::default(),
            visited: Default::default(),
            expired: Default::default(),
            epochs: Default::default(),
            visits: Default::default(),
            epoch: Default::default(),
            age: Default::default(),
            waits: Default::default(),
            visiting: Default::default(),
            expire: Default::default(),
            now: Default::default(),
            over: Default::default(),
            starts: Default::default(),
            asked_now: Default::default(),
            answered_now: Default::default(),
            tag_shift: Constant::new(between.trailing_zeros().to_bits()),
            tag_mask: Constant::new((params.tags - 1).to_bits()),
            epoch_shift: Constant::new((params.timeout_cycles / 2).trailing_zeros().to_bits()),
            between: Constant::new((between - 1).to_bits()),
        }
    }
}

impl Logic for Tags {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, states, asked, answered, answered_alloc);
        dff_setup!(self, clock, waiting, started, ended, time, soon, visit, visited, expired);

        self.states.write.next = self.alloc.val() | self.store.val();
        self.states.write_addr.next = bit_cast::<16, 8>(self.alloc_tag.val());
        self.states.write_data.next = self.alloc_state.val();
        if self.storing.val() {
            self.states.write_addr.next = bit_cast::<16, 8>(self.look_tag.val());
            self.states.write_data.next = self.store_state.val();
        }
        self.states.read_addr.next = bit_cast::<16, 8>(self.look_tag.val());
        self.look_state.next = self.states.read_data.val();

        // A tag that is taken gets the turn which the last answer did not have; a refused one, the same.
        self.epochs.next = self.time.q.val() >> self.epoch_shift.val();
        self.epoch.next = self.epochs.val().get_bits::<3>(0);
        self.visits.next = self.time.q.val() >> self.tag_shift.val();
        self.answered_alloc.read_addr.next = bit_cast::<16, 8>(self.alloc_tag.val());
        self.starts.next = self.alloc.val() & !self.alloc_refused.val();
        self.asked_now.next.turn = self.answered_alloc.read_data.val().turn ^ !self.alloc_refused.val();
        self.asked_now.next.epoch = self.epoch.val();
        self.asked.write.next = self.alloc.val();
        self.asked.write_addr.next = bit_cast::<16, 8>(self.alloc_tag.val());
        self.asked.write_data.next = self.asked_now.val();

        self.asked.read_addr.next = bit_cast::<16, 8>(self.look_tag.val());
        self.answered.read_addr.next = bit_cast::<16, 8>(self.look_tag.val());
        self.waits.next = (self.asked.read_data.val().turn ^ self.answered.read_data.val().turn)
            & (bit_cast::<9, 8>(self.look_tag.val()) < self.fresh.val());
        self.look_waiting.next = self.waits.val();

        // Taken three epochs ago, at least two whole ones have passed, at most four.
        self.age.next = self.epoch.val() - self.asked.read_data.val().epoch;
        self.visiting.next = self.visit.q.val() & self.look_free.val();
        self.expire.next = self.visiting.val() & self.waits.val() & (self.age.val() > 2);
        self.over.next = self.finish.val() | self.expire.val();
        self.answered_now.next.turn = self.asked.read_data.val().turn;
        self.answered_now.next.failed = self.expire.val() | self.finish_failed.val();
        self.answered_now.next.timeout = self.expire.val();
        self.answered.write.next = self.over.val();
        self.answered.write_addr.next = bit_cast::<16, 8>(self.look_tag.val());
        self.answered.write_data.next = self.answered_now.val();
        self.answered_alloc.write.next = self.over.val();
        self.answered_alloc.write_addr.next = bit_cast::<16, 8>(self.look_tag.val());
        self.answered_alloc.write_data.next = self.answered_now.val();

        self.wrote_asked.next = self.alloc.val();
        self.wrote_asked_tag.next = self.alloc_tag.val();
        self.wrote_asked_data.next = self.asked_now.val();
        self.wrote_answered.next = self.over.val();
        self.wrote_answered_tag.next = self.look_tag.val();
        self.wrote_answered_data.next = self.answered_now.val();

        self.started.d.next = self.starts.val();
        self.ended.d.next = self.over.val();
        if self.started.q.val() & !self.ended.q.val() {
            self.waiting.d.next = self.waiting.q.val() + 1;
        }
        if !self.started.q.val() & self.ended.q.val() {
            self.waiting.d.next = self.waiting.q.val() - 1;
        }
        self.any.next = self.waiting.q.val().any() | self.started.q.val();
        self.expired.d.next = self.expire.val();
        self.count_timeout.next = self.expired.q.val();

        self.time.d.next = self.time.q.val() + 1;
        self.soon.d.next = false;
        self.now.next = (self.time.q.val() & self.between.val()) == 0;
        if self.now.val() {
            self.soon.d.next = true;
            self.visited.d.next = self.visits.val().get_bits::<8>(0) & self.tag_mask.val();
        }
        self.visit_tag.next = self.visited.q.val();
        if self.visiting.val() | self.now.val() {
            self.visit.d.next = false;
        }
        if self.soon.q.val() {
            self.visit.d.next = true;
        }
        if self.reset.val() {
            self.waiting.d.next = 0.into();
            self.started.d.next = false;
            self.ended.d.next = false;
            self.time.d.next = 0.into();
            self.soon.d.next = false;
            self.visit.d.next = false;
            self.expired.d.next = false;
        }
    }
}
