//! Cuts a range of addresses at every multiple of a power of two.
//!
//! In: `job` (address and length), `tag` beside it; `limit`, a power of two from 128 to `most`, steady while a job is inside.
//! Out: `piece`, in order of address, `piece_tag` beside it; none is longer than `limit` or crosses a multiple of it, so none
//! crosses 4 KiB.   `busy`.
//! Time: the first piece two cycles after its job, then one per cycle, also from job to job; a lazy one gives one in two cycles.
//! Waits: on `piece` only.   A job of length 0 gives one piece of length 0.
//! Spec: [PCI Express: Max_Payload_Size, Max_Read_Request_Size; requests must not cross a 4-KB boundary]
//! The page a job begins in is kept as it came; places within the job are counted from that page's start, in 14 bits, or 17.

use super::stream::{StreamSink, StreamSource};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// What to cut.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct CutJob {
    pub addr: Bits<64>,
    /// Bytes, up to `Cut::MOST_BYTES` or, of a long one, `Cut::LONG_BYTES`.
    pub len: Bits<17>,
}

/// A part of a job.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Piece {
    pub addr: Bits<64>,
    /// Bytes; there are some.
    pub len: Bits<13>,
    pub some: Bit,
    /// The last one of its job.
    pub last: Bit,
}

/// See the head of this file.
#[derive(LogicBlock)]
pub struct Cut<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub limit: Signal<In, Bits<13>>,
    pub job: StreamSink<CutJob>,
    pub tag: Signal<In, T>,
    pub piece: StreamSource<Piece>,
    pub piece_tag: Signal<Out, T>,
    pub busy: Signal<Out, Bit>,
    // The rest of the job: from `at` to `end`, to be cut at `bound`.
    active: Reg<Bit>,
    page: Reg<Bits<52>>,
    held: Reg<T>,
    at: Reg<Bits<17>>,
    bound: Reg<Bits<11>>,
    end: Reg<Bits<17>>,
    // The piece on offer.
    offered: Reg<Bit>,
    out: Reg<Piece>,
    out_tag: Reg<T>,
    limit_now: Signal<Local, Bits<13>>,
    /// Units of 128 bytes: what a multiple of the limit has none of; where the step after this one begins.
    below: Signal<Local, Bits<11>>,
    from: Signal<Local, Bits<11>>,
    cut_at: Signal<Local, Bits<18>>,
    stop: Signal<Local, Bits<18>>,
    page_now: Signal<Local, Bits<52>>,
    start: Signal<Local, Bits<17>>,
    last: Signal<Local, Bit>,
    step: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
    limit_mask: Constant<Bits<13>>,
    eager: Constant<Bit>,
    place_mask: Constant<Bits<17>>,
    bound_mask: Constant<Bits<11>>,
}

impl<T: Synth> Cut<T> {
    /// So that a job's end is within 16 KiB of its first page.
    pub const MOST_BYTES: usize = (1 << 14) - 4096;
    /// The same for 128 KiB.
    pub const LONG_BYTES: usize = (1 << 17) - 4096;

    /// As it is, for jobs of up to `LONG_BYTES`.
    pub fn long(self) -> Self {
        Self {
            place_mask: Constant::new(((1u64 << 17) - 1).to_bits()),
            bound_mask: Constant::new(((1u64 << 11) - 1).to_bits()),
            ..self
        }
    }

    /// As `new`, but nothing inside depends on `piece.ready` in the cycle in which it comes.
    pub fn lazy(most: usize) -> Self {
        Self { eager: Constant::new(false), ..Self::new(most) }
    }

    /// For limits up to `most`.
    pub fn new(most: usize) -> Self {
        assert!(most.is_power_of_two() && (128..=4096).contains(&most), "cut at {most}");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            limit: Default::default(),
            job: Default::default(),
            tag: Default::default(),
            piece: Default::default(),
            piece_tag: Default::default(),
            busy: Default::default(),
            active: Default::default(),
            page: Default::default(),
            held: Default::default(),
            at: Default::default(),
            bound: Default::default(),
            end: Default::default(),
            offered: Default::default(),
            out: Default::default(),
            out_tag: Default::default(),
            limit_now: Default::default(),
            below: Default::default(),
            from: Default::default(),
            cut_at: Default::default(),
            stop: Default::default(),
            page_now: Default::default(),
            start: Default::default(),
            last: Default::default(),
            step: Default::default(),
            take: Default::default(),
            limit_mask: Constant::new((2 * most - 1).to_bits()),
            eager: Constant::new(true),
            place_mask: Constant::new(((1u64 << 14) - 1).to_bits()),
            bound_mask: Constant::new(((1u64 << 8) - 1).to_bits()),
        }
    }
}

impl<T: Synth> Logic for Cut<T> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, active, page, held, at, bound, end, offered, out, out_tag);
        self.limit_now.next = self.limit.val() & self.limit_mask.val();
        self.below.next = bit_cast::<11, 13>(
            (self.limit_now.val() >> 8)
                | (self.limit_now.val() >> 9)
                | (self.limit_now.val() >> 10)
                | (self.limit_now.val() >> 11)
                | (self.limit_now.val() >> 12),
        );
        self.cut_at.next = bit_cast::<18, 11>(self.bound.q.val()) << 7;
        self.last.next = bit_cast::<18, 17>(self.end.q.val()) <= self.cut_at.val();
        self.stop.next = self.cut_at.val();
        if self.last.val() {
            self.stop.next = bit_cast::<18, 17>(self.end.q.val());
        }
        self.page_now.next = self.page.q.val() + bit_cast::<52, 5>(self.at.q.val().get_bits::<5>(12));
        self.step.next =
            self.active.q.val() & (!self.offered.q.val() | (self.piece.ready.val() & self.eager.val()));
        self.take.next = !self.active.q.val() | (self.step.val() & self.last.val());
        self.start.next = bit_cast::<17, 12>(self.job.data.val().addr.get_bits::<12>(0));

        self.job.ready.next = self.take.val();
        self.piece.valid.next = self.offered.q.val();
        self.piece.data.next = self.out.q.val();
        self.piece_tag.next = self.out_tag.q.val();
        self.busy.next = self.active.q.val() | self.offered.q.val();

        if self.piece.ready.val() {
            self.offered.d.next = false;
        }
        if self.step.val() {
            self.offered.d.next = true;
            self.out.d.next.addr = (bit_cast::<64, 52>(self.page_now.val()) << 12)
                | bit_cast::<64, 12>(self.at.q.val().get_bits::<12>(0));
            self.out.d.next.last = self.last.val();
            self.out.d.next.some = self.stop.val() != bit_cast::<18, 17>(self.at.q.val());
            self.out.d.next.len = bit_cast::<13, 18>(self.stop.val()) - bit_cast::<13, 17>(self.at.q.val());
            self.out_tag.d.next = self.held.q.val();
        }
        // To the next multiple of the limit: also from the first place of a job.
        self.from.next = self.bound.q.val();
        if self.take.val() {
            self.from.next = bit_cast::<11, 17>(self.start.val() >> 7);
        }
        if self.take.val() {
            self.active.d.next = self.job.valid.val();
            self.page.d.next = self.job.data.val().addr.get_bits::<52>(12);
            self.held.d.next = self.tag.val();
            self.at.d.next = self.start.val();
            self.end.d.next = (self.start.val() + self.job.data.val().len) & self.place_mask.val();
        } else if self.step.val() {
            self.at.d.next = bit_cast::<17, 18>(self.cut_at.val()) & self.place_mask.val();
        }
        if self.take.val() | self.step.val() {
            self.bound.d.next = ((self.from.val() | self.below.val()) + 1) & self.bound_mask.val();
        }
        if self.reset.val() {
            self.active.d.next = false;
            self.offered.d.next = false;
        }
    }
}
