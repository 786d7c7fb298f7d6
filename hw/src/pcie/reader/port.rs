//! One client's replies: which tags they are in, in order, and what of the first is still to be read.
//!
//! In: `reserve`, a request has been taken; `put`, its tag; what is written to the table of tags; `grant`, `read_data`; `passing`.
//! Out: `open`, one more may be taken; `want`, a row is to be read, `row`; `frees`, it is the last one of its tag; `reply`.
//! Time: a row granted is offered three cycles later; one beat per cycle. In a wide function a reply that is the next one and
//! comes in one completion (`passing`) is offered as it comes, as long as there is room: not through the RAM.
//! Waits: on the client only, and then wants nothing: it never holds up the other.
//! Spec: hw/README.md, DMA data convention

use super::receive::Passing;
use super::tags::{Answered, Asked};
use crate::params::Params;
use crate::port::dma::ReadSide;
use crate::prim::beat::BeatSource;
use crate::prim::beat_fifo::BeatFifo;
use crate::prim::front_fifo::FrontFifo;
use crate::prim::lutram::Lutram;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Where a reply is.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct ReplyTag {
    pub tag: Bits<8>,
    /// Number of its last row.
    pub last_row: Bits<9>,
    /// The request has failed before it was sent.
    pub refused: Bit,
}

/// See the head of this file.
#[derive(LogicBlock)]
pub struct ReplyPort<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub reserve: Signal<In, Bit>,
    pub open: Signal<Out, Bit>,
    pub put: Signal<In, Bit>,
    pub put_tag: Signal<In, ReplyTag>,
    /// What is written to the table of tags.
    pub asked_write: Signal<In, Bit>,
    pub asked_tag: Signal<In, Bits<8>>,
    pub asked_data: Signal<In, Asked>,
    pub answered_write: Signal<In, Bit>,
    pub answered_tag: Signal<In, Bits<8>>,
    pub answered_data: Signal<In, Answered>,
    /// What is being written, and of what.
    pub passing: Signal<In, Passing>,
    pub passing_data: Signal<In, Bits<W>>,
    pub want: Signal<Out, Bit>,
    pub row: Signal<Out, Bits<20>>,
    pub grant: Signal<In, Bit>,
    /// A grant now gives the tag back.
    pub frees: Signal<Out, Bit>,
    pub freed_tag: Signal<Out, Bits<8>>,
    pub read_data: Signal<In, Bits<W>>,
    pub reply: BeatSource<W, ReadSide>,
    pub busy: Signal<Out, Bit>,
    tags: FrontFifo<ReplyTag>,
    asked_copy: Lutram<Asked>,
    answered_copy: Lutram<Answered>,
    beats: BeatFifo<W, ReadSide>,
    // Tags that are out for it.
    held: Reg<Bits<8>>,
    // Beats that may still be read: those the queue has room for and that are not on their way.
    credit: Reg<Bits<4>>,
    /// A beat left in the cycle before.
    left: Reg<Bit>,
    // The reply that is being read: it has all come in; where it is; it failed; by time-out; the row to be read next.
    done: Reg<Bit>,
    current: Reg<ReplyTag>,
    failed: Reg<Bit>,
    timeout: Reg<Bit>,
    at: Reg<Bits<9>>,
    /// All rows before this one have gone as they came.
    flowing: Reg<Bit>,
    // A row granted, and a cycle later.
    reading: Reg<Bit>,
    arriving: Reg<Bit>,
    reading_last: Reg<Bit>,
    arriving_last: Reg<Bit>,
    reading_side: Reg<ReadSide>,
    arriving_side: Reg<ReadSide>,
    last: Signal<Local, Bit>,
    pop: Signal<Local, Bit>,
    load: Signal<Local, Bit>,
    /// The row to be read next is the one that is being written; it goes; it is the reply's last, and that goes.
    direct: Signal<Local, Bit>,
    passes: Signal<Local, Bit>,
    closes: Signal<Local, Bit>,
    /// A beat goes, or will have been read.
    uses: Signal<Local, Bit>,
    waits: Signal<Local, Bit>,
    free: Signal<Local, Bit>,
    most: Constant<Bits<8>>,
    room: Constant<Bits<4>>,
    slot_shift: Constant<Bits<20>>,
    wide: Constant<Bit>,
}

impl<const W: usize> ReplyPort<W> {
    /// At most `tags` requests are under way; a slot has `rows` rows; there are `all` tags; `beats` wait for the client: 8 for
    /// one per cycle, since the RAM is two cycles away.
    pub fn new(tags: usize, rows: usize, all: usize, beats: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            reserve: Default::default(),
            open: Default::default(),
            put: Default::default(),
            put_tag: Default::default(),
            asked_write: Default::default(),
            asked_tag: Default::default(),
            asked_data: Default::default(),
            answered_write: Default::default(),
            answered_tag: Default::default(),
            answered_data: Default::default(),
            passing: Default::default(),
            passing_data: Default::default(),
            want: Default::default(),
            row: Default::default(),
            grant: Default::default(),
            frees: Default::default(),
            freed_tag: Default::default(),
            read_data: Default::default(),
            reply: Default::default(),
            busy: Default::default(),
            tags: FrontFifo::new(tags.next_power_of_two().max(4), Params::wide(W)),
            asked_copy: Lutram::new(all),
            answered_copy: Lutram::new(all),
            beats: BeatFifo::new(beats),
            held: Default::default(),
            credit: Default::default(),
            left: Default::default(),
            done: Default::default(),
            current: Default::default(),
            failed: Default::default(),
            timeout: Default::default(),
            at: Default::default(),
            reading: Default::default(),
            arriving: Default::default(),
            reading_last: Default::default(),
            arriving_last: Default::default(),
            reading_side: Default::default(),
            arriving_side: Default::default(),
            last: Default::default(),
            pop: Default::default(),
            load: Default::default(),
            direct: Default::default(),
            passes: Default::default(),
            closes: Default::default(),
            uses: Default::default(),
            flowing: Default::default(),
            waits: Default::default(),
            free: Default::default(),
            most: Constant::new(tags.to_bits()),
            room: Constant::new(beats.to_bits()),
            slot_shift: Constant::new(rows.trailing_zeros().to_bits()),
            wide: Constant::new(Params::wide(W)),
        }
    }
}

impl<const W: usize> Logic for ReplyPort<W> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, tags, asked_copy, answered_copy, beats);
        dff_setup!(self, clock, held, credit, left, done, current, failed, timeout, at, flowing);
        dff_setup!(self, clock, reading, arriving, reading_last, arriving_last, reading_side, arriving_side);
        self.tags.reset.next = self.reset.val();
        self.beats.reset.next = self.reset.val();

        self.open.next = self.held.q.val() != self.most.val();
        self.tags.sink.valid.next = self.put.val();
        self.tags.sink.data.next = self.put_tag.val();

        self.asked_copy.write.next = self.asked_write.val();
        self.asked_copy.write_addr.next = bit_cast::<16, 8>(self.asked_tag.val());
        self.asked_copy.write_data.next = self.asked_data.val();
        self.answered_copy.write.next = self.answered_write.val();
        self.answered_copy.write_addr.next = bit_cast::<16, 8>(self.answered_tag.val());
        self.answered_copy.write_data.next = self.answered_data.val();
        self.asked_copy.read_addr.next = bit_cast::<16, 8>(self.tags.source.data.val().tag);
        self.answered_copy.read_addr.next = bit_cast::<16, 8>(self.tags.source.data.val().tag);
        self.waits.next = self.asked_copy.read_data.val().turn ^ self.answered_copy.read_data.val().turn;

        self.busy.next = !self.tags.empty.val()
            | self.done.q.val()
            | self.reading.q.val()
            | self.arriving.q.val()
            | self.beats.source.valid.val();

        // Nothing of this client's is on its way, and the next reply is just being written. What does not go now is read later.
        self.direct.next = self.wide.val()
            & self.passing.val().valid
            & self.tags.source.valid.val()
            & (self.tags.source.data.val().tag == self.passing.val().tag)
            & (self.passing.val().first | self.flowing.q.val())
            & (self.passing.val().last == (self.at.q.val() == self.tags.source.data.val().last_row))
            & !self.done.q.val()
            & !self.reading.q.val()
            & !self.arriving.q.val()
            & self.credit.q.val().any();
        self.closes.next = self.direct.val() & self.passing.val().last & self.grant.val();
        self.passes.next = (self.direct.val() & !self.passing.val().last) | self.closes.val();
        if self.passing.val().valid {
            self.flowing.d.next = self.direct.val() & !self.passing.val().last;
        }

        // A failed reply is one beat, if it did not begin well.
        self.last.next = self.failed.q.val() | (self.at.q.val() == self.current.q.val().last_row);
        self.want.next =
            (self.done.q.val() & self.credit.q.val().any()) | (self.direct.val() & self.passing.val().last);
        self.row.next = (bit_cast::<20, 8>(self.current.q.val().tag) << self.slot_shift.val())
            | bit_cast::<20, 9>(self.at.q.val());
        self.pop.next = self.grant.val() & (self.direct.val() | self.last.val());
        // A tag that timed out may still get its completion: it is out of use until all are forgotten.
        self.frees.next = self.direct.val() | (self.last.val() & !self.timeout.q.val());
        self.free.next = self.grant.val() & self.frees.val();
        self.freed_tag.next = self.current.q.val().tag;
        if self.direct.val() {
            self.freed_tag.next = self.passing.val().tag;
        }

        // The next reply is looked up while the current one is read.
        // Of one that goes as it comes none is `done`.
        self.load.next = !self.done.q.val() | (self.grant.val() & self.last.val());
        self.tags.source.ready.next = self.load.val() & !self.waits.val();
        if self.load.val() {
            self.done.d.next = self.tags.source.valid.val() & !self.waits.val() & !self.closes.val();
            self.current.d.next = self.tags.source.data.val();
            self.failed.d.next =
                self.answered_copy.read_data.val().failed | self.tags.source.data.val().refused;
            self.timeout.d.next =
                self.answered_copy.read_data.val().timeout & !self.tags.source.data.val().refused;
        }
        self.uses.next = self.grant.val() | self.passes.val();
        if self.uses.val() {
            self.at.d.next = self.at.q.val() + 1;
        }
        if self.pop.val() {
            self.at.d.next = 0.into();
        }

        self.reading.d.next = self.grant.val() & !self.direct.val();
        self.reading_last.d.next = self.last.val();
        self.reading_side.d.next.error = self.failed.q.val();
        self.reading_side.d.next.timeout = self.timeout.q.val();
        self.arriving.d.next = self.reading.q.val();
        self.arriving_last.d.next = self.reading_last.q.val();
        self.arriving_side.d.next = self.reading_side.q.val();
        self.beats.sink.valid.next = self.arriving.q.val() | self.passes.val();
        self.beats.sink.last.next = self.arriving_last.q.val();
        self.beats.sink.data.next = self.read_data.val();
        self.beats.sink.side.next = self.arriving_side.q.val();
        if self.wide.val() & !self.arriving.q.val() {
            self.beats.sink.last.next = self.passing.val().last;
            self.beats.sink.data.next = self.passing_data.val();
            self.beats.sink.side.next.error = self.passing.val().last & self.passing.val().failed;
            self.beats.sink.side.next.timeout = false;
        }

        self.reply.valid.next = self.beats.source.valid.val();
        self.reply.last.next = self.beats.source.last.val();
        self.reply.data.next = self.beats.source.data.val();
        self.reply.side.next = self.beats.source.side.val();
        self.beats.source.ready.next = self.reply.ready.val();

        self.left.d.next = self.beats.source.valid.val() & self.reply.ready.val();
        if self.left.q.val() & !self.uses.val() {
            self.credit.d.next = self.credit.q.val() + 1;
        }
        if !self.left.q.val() & self.uses.val() {
            self.credit.d.next = self.credit.q.val() - 1;
        }
        if self.reserve.val() & !self.free.val() {
            self.held.d.next = self.held.q.val() + 1;
        }
        if !self.reserve.val() & self.free.val() {
            self.held.d.next = self.held.q.val() - 1;
        }

        if self.reset.val() {
            self.held.d.next = 0.into();
            self.credit.d.next = self.room.val();
            self.left.d.next = false;
            self.done.d.next = false;
            self.at.d.next = 0.into();
            self.reading.d.next = false;
            self.arriving.d.next = false;
            self.flowing.d.next = false;
        }
    }
}
