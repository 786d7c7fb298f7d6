//! From the sums of a frame's beats to a verdict.
//! In: `data`, `from`, `count`: what is summed of a beat; `part` beside it.   Out: `verdict`, one for each frame, in order: its sum is right.
//! Time: a beat in each cycle; a verdict is offered `STAGES` cycles after its frame's last beat.   Waits: never: there must be room for all verdicts.
//! Spec: RFC 1071

use crate::prim::fifo::Fifo;
use crate::prim::stream::StreamSource;
use crate::prim::word_sum::WordSum;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// What a beat that is being summed is of its frame.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Part {
    pub valid: Bit,
    pub first: Bit,
    pub last: Bit,
    /// In the last beat: the sum says whether the frame is right.
    pub judged: Bit,
    /// Length and protocol, as they are summed.
    pub extra: Bits<17>,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Fold<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub data: Signal<In, Bits<W>>,
    pub from: Signal<In, Bits<7>>,
    pub count: Signal<In, Bits<7>>,
    pub part: Signal<In, Part>,
    pub verdict: StreamSource<Bit>,
    sums: WordSum<W, Part>,
    verdicts: Fifo<Bit>,
    // The sum so far; its two halves added, with length and protocol.
    total: Reg<Bits<32>>,
    total_of: Reg<Part>,
    halves: Reg<Bits<32>>,
    halves_of: Reg<Part>,
    before: Signal<Local, Bits<32>>,
    folded: Signal<Local, Bits<17>>,
    half: Constant<Bits<32>>,
    ones: Constant<Bits<17>>,
}

impl<const W: usize> Fold<W> {
    /// Cycles from a beat to the verdict.
    pub const STAGES: usize = WordSum::<W, Part>::STAGES + 3;

    /// So many verdicts may wait: a power of two.
    pub fn new(depth: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            data: Default::default(),
            from: Default::default(),
            count: Default::default(),
            part: Default::default(),
            verdict: Default::default(),
            sums: Default::default(),
            verdicts: Fifo::new(depth),
            total: Default::default(),
            total_of: Default::default(),
            halves: Default::default(),
            halves_of: Default::default(),
            before: Default::default(),
            folded: Default::default(),
            half: Constant::new(u64::from(u16::MAX).to_bits()),
            ones: Constant::new(u64::from(u16::MAX).to_bits()),
        }
    }
}

impl<const W: usize> Logic for Fold<W> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, sums, verdicts);
        dff_setup!(self, clock, total, total_of, halves, halves_of);
        self.sums.reset.next = self.reset.val();
        self.verdicts.reset.next = self.reset.val();
        StreamSource::<Bit>::link(&mut self.verdict, &mut self.verdicts.source);
        self.sums.data.next = self.data.val();
        self.sums.from.next = self.from.val();
        self.sums.count.next = self.count.val();
        self.sums.tag.next = self.part.val();

        // Carries come back at the low end, when all is summed.
        self.before.next = self.total.q.val();
        if self.sums.sum_tag.val().first {
            self.before.next = 0.into();
        }
        if self.sums.sum_tag.val().valid {
            self.total.d.next = self.before.val() + self.sums.sum.val();
        }
        self.total_of.d.next = self.sums.sum_tag.val();
        self.halves.d.next = ((self.total.q.val() & self.half.val())
            + bit_cast::<32, 16>(self.total.q.val().get_bits::<16>(16)))
            + bit_cast::<32, 17>(self.total_of.q.val().extra);
        self.halves_of.d.next = self.total_of.q.val();
        self.folded.next = bit_cast::<17, 16>(self.halves.q.val().get_bits::<16>(0))
            + bit_cast::<17, 2>(self.halves.q.val().get_bits::<2>(16));
        self.verdicts.sink.valid.next = self.halves_of.q.val().valid & self.halves_of.q.val().last;
        self.verdicts.sink.data.next = self.halves_of.q.val().judged & (self.folded.val() == self.ones.val());
        if self.reset.val() {
            self.total_of.d.next.valid = false;
            self.halves_of.d.next.valid = false;
        }
    }
}
