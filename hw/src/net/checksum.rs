//! Sums what the driver wants summed of the frames it sends.
//! In: `sink`, pieces, `task` beside it.   Out: `source`, the same; `sum`, one for each piece without an error, in order.
//! Time: a beat per cycle, none of it held here. A frame's sum is offered W/8's logarithm and some 5 cycles after its last beat;
//! where none is wanted, and no other is on its way, a cycle after it.
//! Waits: on `source`; while as many sums wait as there is room for.
//! A frame whose checksum would not lie within it ends with the error mark. Where CSUM is not offered nothing is summed or offered.
//! Spec: [virtio 1.4: Network Device, Packet Transmission]; RFC 1071

use crate::params::Params;
use crate::port::frame::{FrameSide, Sum, Task};
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::front_fifo::FrontFifo;
use crate::prim::stream::StreamSource;
use crate::prim::word_sum::WordSum;
use hematite_abi::feature;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// What a beat that is being summed is of its frame.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Part {
    pub valid: Bit,
    pub first: Bit,
    /// The frame is complete and good.
    pub last: Bit,
    /// The words summed began at odd lanes.
    pub odd: Bit,
    pub task: Task,
    /// Bytes so far.
    pub len: Bits<16>,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Checksum<const W: usize> {
    pub clock: Signal<In, Clock>,
    /// Forget every frame.
    pub reset: Signal<In, Bit>,
    /// Forget the frame that is coming in; the next beat begins another.
    pub abort: Signal<In, Bit>,
    pub sink: BeatSink<W, FrameSide>,
    pub task: Signal<In, Task>,
    pub source: BeatSource<W, FrameSide>,
    pub sum: StreamSource<Sum>,
    pub busy: Signal<Out, Bit>,
    /// Pulses, the cycle after: a good frame has passed; a checksum does not lie within its frame.
    pub count_frames: Signal<Out, Bit>,
    pub count_bad: Signal<Out, Bit>,
    /// Beside it: whose frame it is.
    pub count_owner: Signal<Out, Bits<16>>,
    words: WordSum<W, Part>,
    sums: FrontFifo<Sum>,
    /// Within a frame: where the first byte summed and the end of the checksum are, from the next beat on. The high bit says less than nothing.
    inside: Reg<Bit>,
    passed: Reg<Bits<16>>,
    ahead: Reg<Bits<19>>,
    needed: Reg<Bits<19>>,
    /// Frames whose sums have not been taken.
    held: Reg<Bits<7>>,
    full: Reg<Bit>,
    gone: Reg<Bit>,
    gone_bad: Reg<Bit>,
    gone_owner: Reg<Bits<16>>,
    // The sum so far, its two halves added, both and their carry.
    total: Reg<Bits<32>>,
    total_of: Reg<Part>,
    halves: Reg<Bits<32>>,
    halves_of: Reg<Part>,
    start: Signal<Local, Bits<19>>,
    end: Signal<Local, Bits<19>>,
    len: Signal<Local, Bits<16>>,
    bad: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    good_end: Signal<Local, Bit>,
    /// There is nothing to be summed, and nothing to wait for.
    at_once: Signal<Local, Bit>,
    leaves: Signal<Local, Bit>,
    before: Signal<Local, Bits<32>>,
    complement: Signal<Local, Bits<16>>,
    able: Constant<Bit>,
    lanes: Constant<Bits<19>>,
    none: Constant<Bits<7>>,
    past: Constant<Bits<19>>,
    sign: Constant<Bits<19>>,
    most: Constant<Bits<7>>,
    low_half: Constant<Bits<32>>,
    ones: Constant<Bits<16>>,
    owner_mask: Constant<Bits<16>>,
}

/// Sums that may wait.
const HELD: usize = 64;

impl<const W: usize> Checksum<W> {
    /// As many features as `params` offers.
    pub fn new(params: &Params) -> Self {
        let sign = 1u64 << 18;
        Self {
            clock: Default::default(),
            reset: Default::default(),
            abort: Default::default(),
            sink: Default::default(),
            task: Default::default(),
            source: Default::default(),
            sum: Default::default(),
            busy: Default::default(),
            count_frames: Default::default(),
            count_bad: Default::default(),
            count_owner: Default::default(),
            words: Default::default(),
            sums: FrontFifo::new(HELD, Params::wide(W)),
            inside: Default::default(),
            passed: Default::default(),
            ahead: Default::default(),
            needed: Default::default(),
            held: Default::default(),
            full: Default::default(),
            gone: Default::default(),
            gone_bad: Default::default(),
            gone_owner: Default::default(),
            total: Default::default(),
            total_of: Default::default(),
            halves: Default::default(),
            halves_of: Default::default(),
            start: Default::default(),
            end: Default::default(),
            len: Default::default(),
            bad: Default::default(),
            taken: Default::default(),
            good_end: Default::default(),
            at_once: Default::default(),
            leaves: Default::default(),
            before: Default::default(),
            complement: Default::default(),
            able: Constant::new(params.offers(feature::CSUM)),
            lanes: Constant::new((W / 8).to_bits()),
            none: Constant::new((W / 8).to_bits()),
            // Bits of an offset that are set if it is not within a beat.
            past: Constant::new((sign - W as u64 / 8).to_bits()),
            sign: Constant::new(sign.to_bits()),
            most: Constant::new((HELD - 1).to_bits()),
            low_half: Constant::new(u64::from(u16::MAX).to_bits()),
            ones: Constant::new(u64::from(u16::MAX).to_bits()),
            owner_mask: Constant::new(params.owner_mask().to_bits()),
        }
    }
}

impl<const W: usize> Logic for Checksum<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, inside, passed, ahead, needed, held, full, gone, gone_bad, gone_owner);
        dff_setup!(self, clock, total, total_of, halves, halves_of);
        clock!(self, clock, words, sums);
        self.words.reset.next = self.reset.val() | !self.able.val();
        self.sums.reset.next = self.reset.val() | !self.able.val();
        StreamSource::<Sum>::link(&mut self.sum, &mut self.sums.source);

        // A beat passes; what is to be known of its place is carried from beat to beat.
        self.start.next = self.ahead.q.val();
        self.end.next = self.needed.q.val();
        if !self.inside.q.val() {
            self.start.next = bit_cast::<19, 16>(self.task.val().csum_start);
            self.end.next = bit_cast::<19, 17>(self.task.val().csum_at) + 2;
        }
        self.len.next = self.passed.q.val() + bit_cast::<16, 7>(self.sink.side.val().count);
        self.bad.next = self.sink.last.val()
            & self.task.val().csum
            & !self.task.val().payload
            & !(self.end.val() & self.sign.val()).any()
            & (self.end.val() > bit_cast::<19, 7>(self.sink.side.val().count));
        self.sink.ready.next = self.source.ready.val() & !self.full.q.val();
        self.source.valid.next = self.sink.valid.val() & !self.full.q.val();
        self.source.data.next = self.sink.data.val();
        self.source.last.next = self.sink.last.val();
        self.source.side.next = self.sink.side.val();
        self.source.side.next.error = self.sink.side.val().error | self.bad.val();
        self.taken.next = self.sink.valid.val() & self.sink.ready.val() & !self.abort.val();
        self.good_end.next =
            self.taken.val() & self.sink.last.val() & !self.sink.side.val().error & !self.bad.val();
        self.at_once.next = self.good_end.val()
            & !self.held.q.val().any()
            & !self.task.val().csum
            & !self.task.val().headers
            & !self.task.val().payload;
        if self.taken.val() {
            self.inside.d.next = !self.sink.last.val();
            self.passed.d.next = self.len.val();
            if self.sink.last.val() {
                self.passed.d.next = 0.into();
            }
            self.needed.d.next = self.end.val();
            if !(self.end.val() & self.sign.val()).any() {
                self.needed.d.next = self.end.val() - self.lanes.val();
            }
            self.ahead.d.next = self.start.val();
            if !(self.start.val() & self.sign.val()).any() {
                self.ahead.d.next = self.start.val() - self.lanes.val();
            }
        }
        self.gone_bad.d.next = self.taken.val() & self.bad.val() & !self.sink.side.val().error;
        self.gone.d.next = self.good_end.val() & !self.task.val().headers;
        self.count_frames.next = self.gone.q.val();
        self.count_bad.next = self.gone_bad.q.val();
        self.gone_owner.d.next = self.task.val().owner;
        self.count_owner.next = self.gone_owner.q.val();

        self.words.data.next = self.sink.data.val();
        self.words.count.next = self.sink.side.val().count;
        self.words.from.next = self.start.val().get_bits::<7>(0);
        if (self.start.val() & self.sign.val()).any() {
            self.words.from.next = 0.into();
        } else if (self.start.val() & self.past.val()).any() | !self.task.val().csum {
            self.words.from.next = self.none.val();
        }
        self.words.tag.next.valid = self.taken.val();
        self.words.tag.next.first = !self.inside.q.val();
        self.words.tag.next.last = self.good_end.val() & !self.at_once.val();
        self.words.tag.next.task = self.task.val();
        self.words.tag.next.len = self.len.val();
        self.words.tag.next.odd = self.task.val().csum_start.get_bit(0);

        // Carries come back at the low end, when all is summed.
        self.before.next = self.total.q.val();
        if self.words.sum_tag.val().first {
            self.before.next = 0.into();
        }
        if self.words.sum_tag.val().valid {
            self.total.d.next = self.before.val() + self.words.sum.val();
        }
        self.total_of.d.next = self.words.sum_tag.val();
        self.halves.d.next = (self.total.q.val() & self.low_half.val())
            + bit_cast::<32, 16>(self.total.q.val().get_bits::<16>(16));
        self.halves_of.d.next = self.total_of.q.val();
        self.complement.next = !(self.halves.q.val().get_bits::<16>(0)
            + bit_cast::<16, 1>(self.halves.q.val().get_bits::<1>(16)));

        self.sums.sink.valid.next = self.halves_of.q.val().valid & self.halves_of.q.val().last;
        self.sums.sink.data.next.owner = self.halves_of.q.val().task.owner & self.owner_mask.val();
        self.sums.sink.data.next.headers = self.halves_of.q.val().task.headers;
        self.sums.sink.data.next.payload = self.halves_of.q.val().task.payload;
        self.sums.sink.data.next.udp = self.halves_of.q.val().task.udp;
        self.sums.sink.data.next.end = self.halves_of.q.val().task.end;
        self.sums.sink.data.next.wanted = self.halves_of.q.val().task.csum;
        self.sums.sink.data.next.at = self.halves_of.q.val().task.csum_at.get_bits::<16>(0);
        self.sums.sink.data.next.len = self.halves_of.q.val().len;
        self.sums.sink.data.next.value = self.complement.val();
        if self.halves_of.q.val().odd {
            self.sums.sink.data.next.value = bit_cast::<16, 8>(self.complement.val().get_bits::<8>(8))
                | (bit_cast::<16, 8>(self.complement.val().get_bits::<8>(0)) << 8);
        }
        // The same number in ones' complement; UDP takes 0 for "no checksum".
        if !self.complement.val().any() {
            self.sums.sink.data.next.value = self.ones.val();
        }

        if self.at_once.val() {
            self.sums.sink.valid.next = true;
            self.sums.sink.data.next.owner = self.task.val().owner & self.owner_mask.val();
            self.sums.sink.data.next.headers = false;
            self.sums.sink.data.next.payload = false;
            self.sums.sink.data.next.wanted = false;
            self.sums.sink.data.next.len = self.len.val();
        }

        self.leaves.next = self.sums.source.valid.val() & self.sum.ready.val();
        if self.good_end.val() & !self.leaves.val() {
            self.held.d.next = self.held.q.val() + 1;
        } else if self.leaves.val() & !self.good_end.val() {
            self.held.d.next = self.held.q.val() - 1;
        }
        // A frame may end in the cycle in which this is found out.
        self.full.d.next = self.held.q.val() >= self.most.val();
        self.busy.next = self.held.q.val().any();
        if self.abort.val() {
            self.inside.d.next = false;
            self.passed.d.next = 0.into();
        }
        if self.reset.val() | !self.able.val() {
            self.inside.d.next = false;
            self.passed.d.next = 0.into();
            self.held.d.next = 0.into();
            self.full.d.next = false;
            self.total_of.d.next.valid = false;
            self.halves_of.d.next.valid = false;
        }
    }
}
