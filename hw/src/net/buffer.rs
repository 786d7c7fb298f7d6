//! Holds frames until they are complete.
//! In: `sink`.   Out: `source`, frames without errors only; `length`, one per frame, offered no later than its first beat; where a set has
//! several receive queues, for frames dropped too.
//! Time: one beat per cycle in and out, but with `length` at 64 bits two in three cycles out, which is more than such a link takes. A
//! frame comes out 3 cycles after its last beat went in, at the earliest; in a wide function without `length` one of a single beat in
//! the next.
//! Waits: `sink` waits while there is no room; a frame marked bad, or longer than the device carries, makes its room free again.
//! Store and forward: the wire is never left waiting for the host in the middle of a frame, and the header knows the length.

use crate::params::Params;
use crate::port::frame::{FrameLength, FrameSide};
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::block_fifo::BlockFifo;
use crate::prim::ram::Ram;
use crate::prim::stream::StreamSource;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// What stands beside a beat in the buffer.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Stored {
    pub count: Bits<7>,
    pub last: Bit,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Buffer<const W: usize> {
    pub clock: Signal<In, Clock>,
    /// Forget every frame. The rest of a frame that is coming in is passed over.
    pub reset: Signal<In, Bit>,
    /// Forget the frame that is coming in; the next beat begins another.
    pub abort: Signal<In, Bit>,
    pub sink: BeatSink<W, FrameSide>,
    pub source: BeatSource<W, FrameSide>,
    pub length: StreamSource<FrameLength>,
    pub busy: Signal<Out, Bit>,
    /// Bytes on their way out since the cycle before.
    pub count_bytes: Signal<Out, Bits<7>>,
    /// Pulse: a frame was dropped because it was marked bad or too long.
    pub count_dropped: Signal<Out, Bit>,
    data: Ram<Bits<W>>,
    marks: Ram<Stored>,
    lengths: BlockFifo<FrameLength>,
    /// Where the frame being written began, where it has got to, and where reading has.
    committed: Reg<Bits<16>>,
    writing: Reg<Bits<16>>,
    reading: Reg<Bits<16>>,
    /// Bytes which the frame being written may still have, and whether it has had more.
    left: Reg<Bits<16>>,
    long: Reg<Bit>,
    /// There was room for two beats, so that there is for one.
    free: Reg<Bit>,
    /// Within a frame; its beats are passed over since a reset.
    midway: Reg<Bit>,
    skipping: Reg<Bit>,
    /// A beat stands at the RAM's end; the one behind it is on offer.
    fetched: Reg<Bit>,
    offered: Reg<Bit>,
    counted: Reg<Bits<7>>,
    out: Reg<Bits<W>>,
    out_mark: Reg<Stored>,
    midway_now: Signal<Local, Bit>,
    following: Signal<Local, Bits<16>>,
    /// What is left behind this beat: the high bit says less than nothing.
    over: Signal<Local, Bits<16>>,
    too_long: Signal<Local, Bit>,
    put: Signal<Local, Bit>,
    step: Signal<Local, Bit>,
    fetch: Signal<Local, Bit>,
    /// A frame of one beat that finds nothing before it is offered in the next cycle.
    passes: Signal<Local, Bit>,
    wide: Constant<Bit>,
    /// There is someone to tell the lengths to.
    told: Constant<Bit>,
    /// Dropped frames have lengths too.
    all: Constant<Bit>,
    /// What reads does so in the cycle in which a beat is taken; else two beats of three come without a gap.
    eager: Constant<Bit>,
    mask: Constant<Bits<16>>,
    depth: Constant<Bits<16>>,
    most: Constant<Bits<16>>,
    over_mask: Constant<Bits<16>>,
    over_sign: Constant<Bits<16>>,
}

impl<const W: usize> Buffer<W> {
    /// As `new`, for one who has no use for `length`: it offers nothing.
    pub fn without_lengths(params: &Params) -> Self {
        Self { told: Constant::new(false), eager: Constant::new(true), ..Self::new(params) }
    }

    /// Room for `params.buffer_bytes`, frames of up to `params.frame_bytes`.
    pub fn new(params: &Params) -> Self {
        let depth = params.buffer_bytes / (W / 8);
        let sign = params.frame_bytes.next_power_of_two();
        Self {
            clock: Default::default(),
            reset: Default::default(),
            abort: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            length: Default::default(),
            busy: Default::default(),
            count_bytes: Default::default(),
            count_dropped: Default::default(),
            data: Ram::apart(depth),
            marks: Ram::apart(depth),
            lengths: BlockFifo::new(params.frames_held()),
            committed: Default::default(),
            writing: Default::default(),
            reading: Default::default(),
            left: Reg::new(params.frame_bytes.to_bits()),
            long: Default::default(),
            free: Default::default(),
            midway: Default::default(),
            skipping: Default::default(),
            fetched: Default::default(),
            offered: Default::default(),
            counted: Default::default(),
            out: Default::default(),
            out_mark: Default::default(),
            midway_now: Default::default(),
            following: Default::default(),
            over: Default::default(),
            too_long: Default::default(),
            put: Default::default(),
            step: Default::default(),
            fetch: Default::default(),
            passes: Default::default(),
            wide: Constant::new(Params::wide(W)),
            told: Constant::new(true),
            all: Constant::new(params.steers()),
            eager: Constant::new(Params::wide(W)),
            // Positions count to twice the depth, so that full and empty differ.
            mask: Constant::new((2 * depth - 1).to_bits()),
            depth: Constant::new(depth.to_bits()),
            most: Constant::new(params.frame_bytes.to_bits()),
            over_mask: Constant::new((2 * sign - 1).to_bits()),
            over_sign: Constant::new(sign.to_bits()),
        }
    }
}

impl<const W: usize> Logic for Buffer<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, committed, writing, reading, left, long, midway, skipping, fetched);
        dff_setup!(self, clock, free, offered, counted, out, out_mark);
        clock!(self, clock, data, marks, lengths);
        self.lengths.reset.next = self.reset.val();
        self.lengths.keep.next = true;
        self.lengths.forget.next = false;
        StreamSource::<FrameLength>::link(&mut self.length, &mut self.lengths.source);

        // In. The last beat needs a place in the list of lengths as well.
        self.following.next = (self.writing.q.val() + 1) & self.mask.val();
        self.free.d.next = !(((self.writing.q.val() ^ self.reading.q.val()) == self.depth.val())
            | ((self.following.val() ^ self.reading.q.val()) == self.depth.val()));
        self.over.next =
            (self.left.q.val() - bit_cast::<16, 7>(self.sink.side.val().count)) & self.over_mask.val();
        self.too_long.next = self.long.q.val() | (self.over.val() & self.over_sign.val()).any();
        self.sink.ready.next = (self.free.q.val() & self.lengths.sink.ready.val())
            | self.long.q.val()
            | self.skipping.q.val()
            | self.reset.val();
        self.put.next =
            self.sink.valid.val() & self.sink.ready.val() & !self.skipping.q.val() & !self.reset.val();
        self.midway_now.next = self.midway.q.val();
        if self.sink.valid.val() & self.sink.ready.val() {
            self.midway_now.next = !self.sink.last.val();
            if self.sink.last.val() {
                self.skipping.d.next = false;
            }
        }
        self.midway.d.next = self.midway_now.val();
        self.data.write.next = self.put.val() & !self.too_long.val();
        self.data.write_addr.next = self.writing.q.val();
        self.data.write_data.next = self.sink.data.val();
        self.marks.write.next = self.put.val() & !self.too_long.val();
        self.marks.write_addr.next = self.writing.q.val();
        self.marks.write_data.next.count = self.sink.side.val().count;
        self.marks.write_data.next.last = self.sink.last.val();
        self.lengths.sink.valid.next = false;
        self.lengths.sink.data.next.dropped = false;
        self.lengths.sink.data.next.len = (self.most.val() - self.over.val()) & self.over_mask.val();
        self.count_dropped.next = false;
        if self.put.val() {
            self.left.d.next = self.over.val();
            self.long.d.next = self.too_long.val();
            if !self.too_long.val() {
                self.writing.d.next = self.following.val();
            }
            if self.sink.last.val() {
                self.left.d.next = self.most.val();
                self.long.d.next = false;
                if self.sink.side.val().error | self.too_long.val() {
                    self.writing.d.next = self.committed.q.val();
                    self.count_dropped.next = true;
                    self.lengths.sink.data.next.dropped = true;
                    self.lengths.sink.valid.next = self.told.val() & self.all.val();
                } else {
                    self.committed.d.next = self.following.val();
                    self.lengths.sink.valid.next = self.told.val();
                }
            }
        }

        // Out. A beat moves on when what is before it does.
        self.step.next = !self.offered.q.val() | self.source.ready.val();
        self.fetch.next = (self.reading.q.val() != self.committed.q.val())
            & (!self.fetched.q.val() | !self.offered.q.val() | (self.eager.val() & self.source.ready.val()));
        self.data.read.next = self.fetch.val();
        self.data.read_addr.next = self.reading.q.val();
        self.marks.read.next = self.fetch.val();
        self.marks.read_addr.next = self.reading.q.val();
        self.count_bytes.next = self.counted.q.val();
        self.counted.d.next = 0.into();
        if self.fetch.val() {
            self.reading.d.next = (self.reading.q.val() + 1) & self.mask.val();
        }
        if self.step.val() {
            self.fetched.d.next = false;
            self.offered.d.next = self.fetched.q.val();
            self.out.d.next = self.data.read_data.val();
            self.out_mark.d.next = self.marks.read_data.val();
            if self.fetched.q.val() {
                self.counted.d.next = self.marks.read_data.val().count;
            }
        }
        if self.fetch.val() {
            self.fetched.d.next = true;
        }
        // Who is told lengths is told them before the frame.
        self.passes.next = self.wide.val()
            & !self.told.val()
            & !self.abort.val()
            & self.put.val()
            & self.sink.last.val()
            & !self.midway.q.val()
            & !self.sink.side.val().error
            & !self.too_long.val()
            & (self.reading.q.val() == self.writing.q.val())
            & !self.fetched.q.val()
            & self.step.val();
        if self.passes.val() {
            self.writing.d.next = self.writing.q.val();
            self.committed.d.next = self.committed.q.val();
            self.offered.d.next = true;
            self.out.d.next = self.sink.data.val();
            self.out_mark.d.next.count = self.sink.side.val().count;
            self.out_mark.d.next.last = true;
            self.counted.d.next = self.sink.side.val().count;
        }
        self.source.valid.next = self.offered.q.val();
        self.source.data.next = self.out.q.val();
        self.source.last.next = self.out_mark.q.val().last;
        self.source.side.next.count = self.out_mark.q.val().count;
        self.source.side.next.error = false;

        self.busy.next =
            (self.reading.q.val() != self.writing.q.val()) | self.fetched.q.val() | self.offered.q.val();
        if self.abort.val() {
            // Also of the beat that comes in this cycle.
            self.lengths.sink.valid.next = false;
            self.committed.d.next = self.committed.q.val();
            self.writing.d.next = self.committed.q.val();
            self.left.d.next = self.most.val();
            self.long.d.next = false;
            self.midway.d.next = false;
            self.skipping.d.next = false;
        }
        if self.reset.val() {
            self.skipping.d.next = self.midway_now.val() & !self.abort.val();
            self.committed.d.next = 0.into();
            self.writing.d.next = 0.into();
            self.reading.d.next = 0.into();
            self.left.d.next = self.most.val();
            self.long.d.next = false;
            self.fetched.d.next = false;
            self.offered.d.next = false;
            self.counted.d.next = 0.into();
        }
    }
}
