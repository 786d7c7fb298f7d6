//! One client's replies: which tags they are in, in order, and what of the first is still to be read.
//!
//! In: `reserve`, a request has been taken; `put`, its tag; what is written to the table of tags; `grant`, `read_data`.
//! Out: `open`, one more may be taken; `want`, a row is to be read, `row`; `frees`, it is the last one of its tag; `reply`.
//! Time: a row granted is offered three cycles later; one beat per cycle.
//! Waits: on the client only, and then wants nothing: it never holds up the other.
//! Spec: hw/README.md, DMA data convention

use super::tags::{Answered, Asked};
use crate::port::dma::ReadSide;
use crate::prim::beat::BeatSource;
use crate::prim::beat_fifo::BeatFifo;
use crate::prim::fifo::Fifo;
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
    pub want: Signal<Out, Bit>,
    pub row: Signal<Out, Bits<20>>,
    pub grant: Signal<In, Bit>,
    /// A grant now gives the tag back.
    pub frees: Signal<Out, Bit>,
    pub freed_tag: Signal<Out, Bits<8>>,
    pub read_data: Signal<In, Bits<W>>,
    pub reply: BeatSource<W, ReadSide>,
    pub busy: Signal<Out, Bit>,
    tags: Fifo<ReplyTag>,
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
    waits: Signal<Local, Bit>,
    free: Signal<Local, Bit>,
    most: Constant<Bits<8>>,
    room: Constant<Bits<4>>,
    slot_shift: Constant<Bits<20>>,
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
            want: Default::default(),
            row: Default::default(),
            grant: Default::default(),
            frees: Default::default(),
            freed_tag: Default::default(),
            read_data: Default::default(),
            reply: Default::default(),
            busy: Default::default(),
            tags: Fifo::new(tags.next_power_of_two().max(2)),
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
            waits: Default::default(),
            free: Default::default(),
            most: Constant::new(tags.to_bits()),
            room: Constant::new(beats.to_bits()),
            slot_shift: Constant::new(rows.trailing_zeros().to_bits()),
        }
    }
}

impl<const W: usize> Logic for ReplyPort<W> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, tags, asked_copy, answered_copy, beats);
        dff_setup!(self, clock, held, credit, left, done, current, failed, timeout, at);
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

        self.busy.next = self.tags.source.valid.val()
            | self.done.q.val()
            | self.reading.q.val()
            | self.arriving.q.val()
            | self.beats.source.valid.val();

        // A failed reply is one beat.
        self.last.next = self.failed.q.val() | (self.at.q.val() == self.current.q.val().last_row);
        self.want.next = self.done.q.val() & self.credit.q.val().any();
        self.row.next = (bit_cast::<20, 8>(self.current.q.val().tag) << self.slot_shift.val())
            | bit_cast::<20, 9>(self.at.q.val());
        self.pop.next = self.grant.val() & self.last.val();
        // A tag that timed out may still get its completion: it is out of use until all are forgotten.
        self.free.next = self.pop.val() & !self.timeout.q.val();
        self.frees.next = self.last.val() & !self.timeout.q.val();
        self.freed_tag.next = self.current.q.val().tag;

        // The next reply is looked up while the current one is read.
        self.load.next = !self.done.q.val() | self.pop.val();
        self.tags.source.ready.next = self.load.val() & !self.waits.val();
        if self.load.val() {
            self.done.d.next = self.tags.source.valid.val() & !self.waits.val();
            self.current.d.next = self.tags.source.data.val();
            self.failed.d.next =
                self.answered_copy.read_data.val().failed | self.tags.source.data.val().refused;
            self.timeout.d.next =
                self.answered_copy.read_data.val().timeout & !self.tags.source.data.val().refused;
        }
        if self.grant.val() {
            self.at.d.next = self.at.q.val() + 1;
        }
        if self.pop.val() {
            self.at.d.next = 0.into();
        }

        self.reading.d.next = self.grant.val();
        self.reading_last.d.next = self.last.val();
        self.reading_side.d.next.error = self.failed.q.val();
        self.reading_side.d.next.timeout = self.timeout.q.val();
        self.arriving.d.next = self.reading.q.val();
        self.arriving_last.d.next = self.reading_last.q.val();
        self.arriving_side.d.next = self.reading_side.q.val();
        self.beats.sink.valid.next = self.arriving.q.val();
        self.beats.sink.last.next = self.arriving_last.q.val();
        self.beats.sink.data.next = self.read_data.val();
        self.beats.sink.side.next = self.arriving_side.q.val();

        self.reply.valid.next = self.beats.source.valid.val();
        self.reply.last.next = self.beats.source.last.val();
        self.reply.data.next = self.beats.source.data.val();
        self.reply.side.next = self.beats.source.side.val();
        self.beats.source.ready.next = self.reply.ready.val();

        self.left.d.next = self.beats.source.valid.val() & self.reply.ready.val();
        if self.left.q.val() & !self.grant.val() {
            self.credit.d.next = self.credit.q.val() + 1;
        }
        if !self.left.q.val() & self.grant.val() {
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
        }
    }
}
