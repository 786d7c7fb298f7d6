//! Takes a completion's header apart.
//!
//! In: `completion`; `visit_tag`.   Out: the beat, two cycles later, with what its packet's header says and what follows from it.
//! Time: one beat per cycle.   Waits: never.
//! `look` is the completion's tag, or, beside no beat, `visit_tag` of the cycle before.
//! Spec: [PCI Express: Completion Rules; Data Return for Read Requests]

use crate::port::tlp::TlpSide;
use crate::prim::beat::BeatSink;
use hematite_abi::tlp;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// A completion's header, and what follows from it alone.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Reply {
    pub tag: Bits<8>,
    /// Bytes to come, with these.
    pub bytes: Bits<13>,
    pub lower: Bits<7>,
    pub dwords: Bits<11>,
    /// For us, and of a kind that answers a read.
    pub ours: Bit,
    /// The request has failed.
    pub failing: Bit,
    pub poisoned: Bit,
}

/// What follows from a [`Reply`].
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Step {
    /// The last of its request.
    pub closing: Bit,
    /// Longer than what is to come.
    pub too_long: Bit,
    pub left: Bits<13>,
    pub lower: Bits<7>,
}

/// See the head of this file.
#[derive(LogicBlock, Default)]
pub struct Decode<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub requester: Signal<In, Bits<16>>,
    pub completion: BeatSink<W, TlpSide>,
    pub visit_tag: Signal<In, Bits<8>>,
    pub valid: Signal<Out, Bit>,
    pub first: Signal<Out, Bit>,
    pub last: Signal<Out, Bit>,
    pub error: Signal<Out, Bit>,
    pub data: Signal<Out, Bits<W>>,
    /// These hold for all beats of a packet.
    pub reply: Signal<Out, Reply>,
    pub step: Signal<Out, Step>,
    pub look: Signal<Out, Bits<8>>,
    /// Within a packet, or a beat is in here.
    pub busy: Signal<Out, Bit>,
    inside: Reg<Bit>,
    // One cycle after: the header taken apart.
    taken: Reg<Bit>,
    taken_first: Reg<Bit>,
    taken_last: Reg<Bit>,
    taken_error: Reg<Bit>,
    taken_data: Reg<Bits<W>>,
    header: Reg<Reply>,
    // Two cycles after: what follows from it.
    known: Reg<Bit>,
    known_first: Reg<Bit>,
    known_last: Reg<Bit>,
    known_error: Reg<Bit>,
    known_data: Reg<Bits<W>>,
    replied: Reg<Reply>,
    stepped: Reg<Step>,
    looked: Reg<Bits<8>>,
    fields: Signal<Local, Bits<128>>,
    opening: Signal<Local, Bit>,
    status_good: Signal<Local, Bit>,
    with_data: Signal<Local, Bit>,
    plain: Signal<Local, Bit>,
    room: Signal<Local, Bits<13>>,
    beyond: Signal<Local, Bits<14>>,
}

impl<const W: usize> Logic for Decode<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, inside, taken, taken_first, taken_last, taken_error, taken_data, header);
        dff_setup!(
            self,
            clock,
            known,
            known_first,
            known_last,
            known_error,
            known_data,
            replied,
            stepped,
            looked
        );
        // First cycle: take the header apart. It holds for all beats of the packet.
        self.completion.ready.next = true;
        self.fields.next = self.completion.side.val().header;
        self.opening.next = !self.inside.q.val();
        self.status_good.next = !self.fields.val().get_bits::<3>(tlp::CPL_STATUS_LSB).any();
        self.with_data.next = self.fields.val().get_bits::<8>(tlp::KIND_LSB) == tlp::KIND_CPL_D;
        self.plain.next = self.fields.val().get_bits::<8>(tlp::KIND_LSB) == tlp::KIND_CPL;
        self.taken.d.next = self.completion.valid.val();
        if self.completion.valid.val() {
            self.inside.d.next = !self.completion.last.val();
            self.taken_first.d.next = self.opening.val();
            self.taken_last.d.next = self.completion.last.val();
            self.taken_error.d.next = self.completion.side.val().error;
            self.taken_data.d.next = self.completion.data.val();
            if self.opening.val() {
                self.header.d.next.tag = self.fields.val().get_bits::<8>(tlp::CPL_TAG_LSB);
                // "A value of 0 is 4096 bytes", and 1024 DWORDs.
                self.header.d.next.bytes =
                    bit_cast::<13, 12>(self.fields.val().get_bits::<12>(tlp::CPL_BYTES_LSB));
                if !self.fields.val().get_bits::<12>(tlp::CPL_BYTES_LSB).any() {
                    self.header.d.next.bytes = 4096.into();
                }
                self.header.d.next.dwords =
                    bit_cast::<11, 10>(self.fields.val().get_bits::<10>(tlp::LENGTH_LSB));
                if !self.fields.val().get_bits::<10>(tlp::LENGTH_LSB).any() {
                    self.header.d.next.dwords = 1024.into();
                }
                self.header.d.next.lower = self.fields.val().get_bits::<7>(tlp::CPL_LOWER_LSB);
                self.header.d.next.ours = (self.fields.val().get_bits::<16>(tlp::CPL_REQUESTER_LSB)
                    == self.requester.val())
                    & ((self.with_data.val() & self.status_good.val())
                        | ((self.with_data.val() | self.plain.val()) & !self.status_good.val()));
                self.header.d.next.failing = !self.status_good.val();
                self.header.d.next.poisoned = self.fields.val().get_bit(tlp::EP_LSB);
            }
        }

        // Second cycle: what the next completion will look like if this one is as it should be.
        self.room.next = (bit_cast::<13, 11>(self.header.q.val().dwords) << 2)
            - bit_cast::<13, 2>(self.header.q.val().lower.get_bits::<2>(0));
        self.beyond.next =
            bit_cast::<14, 13>(self.room.val()) - bit_cast::<14, 13>(self.header.q.val().bytes);
        self.known.d.next = self.taken.q.val();
        self.known_first.d.next = self.taken_first.q.val();
        self.known_last.d.next = self.taken_last.q.val();
        self.known_error.d.next = self.taken_error.q.val();
        self.known_data.d.next = self.taken_data.q.val();
        self.replied.d.next = self.header.q.val();
        self.looked.d.next = self.visit_tag.val();
        if self.taken.q.val() {
            self.looked.d.next = self.header.q.val().tag;
        }
        self.stepped.d.next.closing = !self.beyond.val().get_bit(13);
        self.stepped.d.next.too_long =
            !self.beyond.val().get_bit(13) & self.beyond.val().get_bits::<11>(2).any();
        self.stepped.d.next.left = self.header.q.val().bytes - self.room.val();
        self.stepped.d.next.lower = self.header.q.val().lower + bit_cast::<7, 13>(self.room.val());

        self.valid.next = self.known.q.val();
        self.first.next = self.known_first.q.val();
        self.last.next = self.known_last.q.val();
        self.error.next = self.known_error.q.val();
        self.data.next = self.known_data.q.val();
        self.reply.next = self.replied.q.val();
        self.step.next = self.stepped.q.val();
        self.look.next = self.looked.q.val();
        self.busy.next = self.inside.q.val() | self.taken.q.val() | self.known.q.val();
        if self.reset.val() {
            self.inside.d.next = false;
            self.taken.d.next = false;
            self.known.d.next = false;
        }
    }
}
