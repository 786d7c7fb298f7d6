//! Keeps heads of receive queues ready, so that a frame that arrives need not wait for the host's memory.
//! In: `head`, as fetched, at most `ready_heads` per queue beyond those given back; `want`; `commit`, a pulse.
//! Out: `answer`, one per want; `credit`, a pulse per commit; `supply`: asks fetch what is still to come.
//! Time: a want per cycle. It is taken in with its queue's counts, looked at in the next cycle; its answer stands in the third.
//! Waits: a want waits while its queue is empty and heads are on their way, at most for the DMA time-out; it is answered
//! with none if there are none, the queue has stopped or is off, or all it may have ready are taken and not committed.
//! Busy: a want or its answer is in hand. Heads that are kept do not count.

use crate::params::Params;
use crate::port::chain::{CommitSink, Head, Want};
use crate::port::queue::QueueControlSink;
use crate::prim::lutram::Lutram;
use crate::prim::ram::Ram;
use crate::prim::stream::{StreamSink, StreamSource};
use crate::queue::supply::{CreditSource, SupplySink};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// The cache of first descriptors. Per queue three counts, modulo 65536: heads got, taken, and committed.
#[derive(LogicBlock)]
pub struct Cache {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub control: QueueControlSink,
    pub head: StreamSink<Head>,
    pub want: StreamSink<Want>,
    pub answer: StreamSource<Head>,
    pub commit: CommitSink,
    pub credit: CreditSource,
    pub supply: SupplySink,
    pub busy: Signal<Out, Bit>,
    one: Constant<Bits<64>>,
    mask: Constant<Bits<16>>,
    ready_heads: Constant<Bits<16>>,
    place_mask: Constant<Bits<16>>,
    place_bits: Constant<Bits<4>>,
    heads: Ram<Head>,
    got_in: Lutram<Bits<16>>,
    got_out: Lutram<Bits<16>>,
    taken_out: Lutram<Bits<16>>,
    committed_in: Lutram<Bits<16>>,
    committed_out: Lutram<Bits<16>>,
    /// Bit per index: something has been committed since it was enabled.
    used: Reg<Bits<64>>,
    /// A want is looked at, of `queue`; the counts are those of the cycle before, and so is what fetch has said of it.
    looking: Reg<Bit>,
    queue: Reg<Bits<16>>,
    first: Reg<Bit>,
    got: Reg<Bits<16>>,
    from: Reg<Bits<16>>,
    done: Reg<Bits<16>>,
    /// These counts were read while a queue started or ended.
    stale: Reg<Bit>,
    live: Reg<Bit>,
    idle: Reg<Bit>,
    begun: Reg<Bits<16>>,
    full: Reg<Bit>,
    answer_queue: Reg<Bits<16>>,
    none: Reg<Bit>,
    given: Reg<Bit>,
    given_queue: Reg<Bits<16>>,
    given_total: Reg<Bits<16>>,
    at_control: Signal<Local, Bits<64>>,
    at_commit: Signal<Local, Bits<64>>,
    commit_index: Signal<Local, Bits<16>>,
    /// All that is used up of the queue that commits.
    total: Signal<Local, Bits<16>>,
    start: Signal<Local, Bit>,
    start_index: Signal<Local, Bits<16>>,
    /// Next cycle's `queue`, and its number.
    asked: Signal<Local, Want>,
    asked_index: Signal<Local, Bits<16>>,
    index: Signal<Local, Bits<16>>,
    got_index: Signal<Local, Bits<16>>,
    got_total: Signal<Local, Bits<16>>,
    /// The answer's register takes.
    moves: Signal<Local, Bit>,
    taken: Signal<Local, Bits<16>>,
    have: Signal<Local, Bit>,
    nothing: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
}

impl Cache {
    /// For the receive queues.
    pub fn new(params: &Params) -> Self {
        let depth = params.pairs;
        Self {
            clock: Default::default(),
            reset: Default::default(),
            control: Default::default(),
            head: Default::default(),
            want: Default::default(),
            answer: Default::default(),
            commit: Default::default(),
            credit: Default::default(),
            supply: Default::default(),
            busy: Default::default(),
            one: Constant::new(1.into()),
            mask: Constant::new((params.pairs as u64 - 1).into()),
            ready_heads: Constant::new((params.ready_heads as u64).into()),
            place_mask: Constant::new((params.ready_heads as u64 - 1).into()),
            place_bits: Constant::new(u64::from(params.ready_heads.trailing_zeros()).into()),
            heads: Ram::apart(params.pairs * params.ready_heads),
            got_in: Lutram::new(depth),
            got_out: Lutram::new(depth),
            taken_out: Lutram::new(depth),
            committed_in: Lutram::new(depth),
            committed_out: Lutram::new(depth),
            used: Default::default(),
            looking: Default::default(),
            queue: Default::default(),
            first: Default::default(),
            got: Default::default(),
            from: Default::default(),
            done: Default::default(),
            stale: Default::default(),
            live: Default::default(),
            idle: Default::default(),
            begun: Default::default(),
            answer_queue: Default::default(),
            full: Default::default(),
            none: Default::default(),
            given: Default::default(),
            given_queue: Default::default(),
            given_total: Default::default(),
            at_control: Default::default(),
            at_commit: Default::default(),
            commit_index: Default::default(),
            total: Default::default(),
            start: Default::default(),
            start_index: Default::default(),
            asked: Default::default(),
            asked_index: Default::default(),
            index: Default::default(),
            got_index: Default::default(),
            got_total: Default::default(),
            moves: Default::default(),
            taken: Default::default(),
            have: Default::default(),
            nothing: Default::default(),
            take: Default::default(),
        }
    }
}

impl Logic for Cache {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, used, looking, queue, first, got, from, done, stale, live, idle, begun);
        dff_setup!(self, clock, full, none, answer_queue, given, given_queue, given_total);
        clock!(self, clock, heads, got_in, got_out, taken_out, committed_in, committed_out);
        // A queue that starts or ends has the write ports of its counts for itself.
        self.start.next = (self.control.enable.val() | self.control.clear.val())
            & !self.control.settings.val().queue.get_bit(0);
        self.start_index.next = (self.control.settings.val().queue >> 1) & self.mask.val();
        self.at_control.next = 0.into();
        if self.start.val() {
            self.at_control.next = self.one.val() << self.start_index.val();
        }

        // Heads that come. There is a place for each: fetch counts.
        self.got_in.read_addr.next = (self.head.data.val().queue >> 1) & self.mask.val();
        self.head.ready.next = !self.start.val();
        self.got_index.next = (self.head.data.val().queue >> 1) & self.mask.val();
        self.got_total.next = self.got_in.read_data.val() + 1;
        if self.start.val() {
            self.got_index.next = self.start_index.val();
            self.got_total.next = 0.into();
        }
        self.got_in.write.next = self.head.valid.val() | self.start.val();
        self.got_in.write_addr.next = self.got_index.val();
        self.got_in.write_data.next = self.got_total.val();
        self.got_out.write.next = self.head.valid.val() | self.start.val();
        self.got_out.write_addr.next = self.got_index.val();
        self.got_out.write_data.next = self.got_total.val();
        self.heads.write.next = self.head.valid.val() & !self.start.val();
        self.heads.write_addr.next = (((self.head.data.val().queue >> 1) & self.mask.val())
            << self.place_bits.val())
            | (self.got_in.read_data.val() & self.place_mask.val());
        self.heads.write_data.next = self.head.data.val();

        // Heads that go: whether there is one for the want that is looked at.
        self.commit_index.next = (self.commit.queue.val() >> 1) & self.mask.val();
        self.at_commit.next = 0.into();
        if self.commit.valid.val() {
            self.at_commit.next = self.one.val() << self.commit_index.val();
        }
        // The first commit since the queue started counts from nothing.
        self.committed_in.read_addr.next = self.commit_index.val();
        self.total.next = bit_cast::<16, 8>(self.commit.chains.val());
        if self.used.q.val().get_bit(self.commit_index.val().index()) {
            self.total.next = self.committed_in.read_data.val() + bit_cast::<16, 8>(self.commit.chains.val());
        }
        self.index.next = (self.queue.q.val() >> 1) & self.mask.val();
        self.have.next = self.from.q.val() != self.got.q.val();
        self.nothing.next = !self.live.q.val();
        if !self.have.val() {
            if self.idle.q.val() & (self.begun.q.val() == self.got.q.val()) {
                self.nothing.next = true;
            }
            if self.got.q.val() - self.done.q.val() == self.ready_heads.val() {
                self.nothing.next = true;
            }
        }
        self.moves.next = !self.full.q.val() | self.answer.ready.val();
        self.take.next = self.looking.q.val()
            & (self.have.val() | self.nothing.val())
            & !(self.first.q.val() & self.commit.valid.val() & (self.commit_index.val() == self.index.val()))
            & self.moves.val()
            & !self.stale.q.val()
            & !self.start.val();
        self.heads.read.next = self.moves.val();
        self.heads.read_addr.next =
            (self.index.val() << self.place_bits.val()) | (self.from.q.val() & self.place_mask.val());
        self.taken.next = self.from.q.val() + 1;
        if self.nothing.val() {
            self.taken.next = self.from.q.val();
        }
        self.taken_out.write.next = self.take.val() | self.start.val();
        self.taken_out.write_addr.next = self.index.val();
        self.taken_out.write_data.next = self.taken.val();
        if self.start.val() {
            self.taken_out.write_addr.next = self.start_index.val();
            self.taken_out.write_data.next = 0.into();
        }
        if self.moves.val() {
            self.full.d.next = self.take.val();
            self.none.d.next = self.nothing.val();
            self.answer_queue.d.next = self.queue.q.val();
        }
        self.answer.valid.next = self.full.q.val();
        self.answer.data.next = self.heads.read_data.val();
        self.answer.data.next.queue = self.answer_queue.q.val();
        self.answer.data.next.none = self.none.q.val();

        // The counts of the queue that is asked about in the next cycle.
        self.asked.next.queue = self.queue.q.val();
        self.asked.next.first = self.first.q.val();
        if !self.looking.q.val() | self.take.val() {
            self.asked.next = self.want.data.val();
            self.looking.d.next = self.want.valid.val();
        }
        self.want.ready.next = !self.looking.q.val() | self.take.val();
        self.queue.d.next = self.asked.val().queue;
        self.first.d.next = self.asked.val().first;
        self.asked_index.next = (self.asked.val().queue >> 1) & self.mask.val();
        self.got_out.read_addr.next = self.asked_index.val();
        self.taken_out.read_addr.next = self.asked_index.val();
        self.committed_out.read_addr.next = self.asked_index.val();
        self.supply.queue.next = self.asked.val().queue;
        self.live.d.next = self.supply.live.val().get_bit(self.asked_index.val().index());
        self.idle.d.next = self.supply.idle.val();
        self.begun.d.next = self.supply.begun.val();
        self.got.d.next = self.got_out.read_data.val();
        self.done.d.next = 0.into();
        if self.used.q.val().get_bit(self.asked_index.val().index()) {
            self.done.d.next = self.committed_out.read_data.val();
        }
        // A commit, and what is taken, in this very cycle count.
        if self.commit.valid.val() & (self.commit_index.val() == self.asked_index.val()) {
            self.done.d.next = self.total.val();
        }
        self.from.d.next = self.taken_out.read_data.val();
        if self.take.val() & (self.asked_index.val() == self.index.val()) {
            self.from.d.next = self.taken.val();
        }
        if self.asked.val().first {
            self.from.d.next = self.done.d.val();
        }
        self.stale.d.next = self.start.val();

        // Heads that are used up: their places go back to fetch.
        self.committed_in.write.next = self.commit.valid.val();
        self.committed_in.write_addr.next = self.commit_index.val();
        self.committed_in.write_data.next = self.total.val();
        self.committed_out.write.next = self.commit.valid.val();
        self.committed_out.write_addr.next = self.commit_index.val();
        self.committed_out.write_data.next = self.total.val();
        self.used.d.next = (self.used.q.val() | self.at_commit.val()) & !self.at_control.val();
        self.given.d.next = self.commit.valid.val();
        self.given_queue.d.next = self.commit.queue.val();
        self.given_total.d.next = self.total.val();
        self.credit.valid.next = self.given.q.val();
        self.credit.queue.next = self.given_queue.q.val();
        self.credit.total.next = self.given_total.q.val();
        self.busy.next = self.full.q.val() | self.looking.q.val();
        if self.reset.val() {
            self.used.d.next = 0.into();
            self.looking.d.next = false;
            self.full.d.next = false;
            self.given.d.next = false;
        }
    }
}
