//! Holds frames until they are complete.
//! In: `sink`.   Out: `source`, frames without errors only; `length`, one per frame, offered no later than its first beat.
//! Time: one beat per cycle in and out; a frame comes out 3 cycles after its last beat went in, at the earliest.
//! Waits: `sink` waits while there is no room; a frame marked bad, or longer than the device carries, makes its room free again.
//! Store and forward: the wire is never left waiting for the host in the middle of a frame, and the header knows the length.

use crate::params::Params;
use crate::port::frame::{FrameLength, FrameSide};
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::beat_fifo::BeatFifo;
use crate::prim::fifo::Fifo;
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
    /// Bytes that leave in this cycle.
    pub count_bytes: Signal<Out, Bits<7>>,
    /// Pulse: a frame was dropped because it was marked bad or too long.
    pub count_dropped: Signal<Out, Bit>,
    data: Ram<Bits<W>>,
    marks: Ram<Stored>,
    lengths: Fifo<FrameLength>,
    out: BeatFifo<W, FrameSide>,
    /// Where the frame being written began, where it has got to, and where reading has.
    committed: Reg<Bits<16>>,
    writing: Reg<Bits<16>>,
    reading: Reg<Bits<16>>,
    bytes: Reg<Bits<16>>,
    long: Reg<Bit>,
    /// Within a frame; its beats are passed over since a reset.
    midway: Reg<Bit>,
    skipping: Reg<Bit>,
    fetched: Reg<Bit>,
    midway_now: Signal<Local, Bit>,
    used: Signal<Local, Bits<16>>,
    full: Signal<Local, Bit>,
    total: Signal<Local, Bits<16>>,
    too_long: Signal<Local, Bit>,
    put: Signal<Local, Bit>,
    fetch: Signal<Local, Bit>,
    mask: Constant<Bits<16>>,
    depth: Constant<Bits<16>>,
    most: Constant<Bits<16>>,
}

impl<const W: usize> Buffer<W> {
    /// Room for `params.buffer_bytes`, frames of up to `params.frame_bytes`.
    pub fn new(params: &Params) -> Self {
        let depth = params.buffer_bytes / (W / 8);
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
            data: Ram::new(depth),
            marks: Ram::new(depth),
            lengths: Fifo::new((params.buffer_bytes / 64).min(64)),
            out: BeatFifo::new(4),
            committed: Default::default(),
            writing: Default::default(),
            reading: Default::default(),
            bytes: Default::default(),
            long: Default::default(),
            midway: Default::default(),
            skipping: Default::default(),
            fetched: Default::default(),
            midway_now: Default::default(),
            used: Default::default(),
            full: Default::default(),
            total: Default::default(),
            too_long: Default::default(),
            put: Default::default(),
            fetch: Default::default(),
            // Positions count to twice the depth, so that full and empty differ.
            mask: Constant::new((2 * depth - 1).to_bits()),
            depth: Constant::new(depth.to_bits()),
            most: Constant::new(params.frame_bytes.to_bits()),
        }
    }
}

impl<const W: usize> Logic for Buffer<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, committed, writing, reading, bytes, long, midway, skipping, fetched);
        clock!(self, clock, data, marks, lengths, out);
        self.lengths.reset.next = self.reset.val();
        self.out.reset.next = self.reset.val();
        BeatSource::<W, FrameSide>::link(&mut self.source, &mut self.out.source);
        StreamSource::<FrameLength>::link(&mut self.length, &mut self.lengths.source);

        // In. The last beat needs a place in the list of lengths as well.
        self.used.next = (self.writing.q.val() - self.reading.q.val()) & self.mask.val();
        self.full.next = self.used.val() == self.depth.val();
        self.total.next = self.bytes.q.val() + bit_cast::<16, 7>(self.sink.side.val().count);
        self.too_long.next = self.long.q.val() | (self.total.val() > self.most.val());
        self.sink.ready.next = (!self.full.val() & self.lengths.sink.ready.val())
            | self.too_long.val()
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
        self.lengths.sink.data.next.len = self.total.val();
        self.count_dropped.next = false;
        if self.put.val() {
            self.bytes.d.next = self.total.val();
            self.long.d.next = self.too_long.val();
            if !self.too_long.val() {
                self.writing.d.next = (self.writing.q.val() + 1) & self.mask.val();
            }
            if self.sink.last.val() {
                self.bytes.d.next = 0.into();
                self.long.d.next = false;
                if self.sink.side.val().error | self.too_long.val() {
                    self.writing.d.next = self.committed.q.val();
                    self.count_dropped.next = true;
                } else {
                    self.committed.d.next = (self.writing.q.val() + 1) & self.mask.val();
                    self.lengths.sink.valid.next = true;
                }
            }
        }

        // Out. A beat is fetched when there is room for it and for the one on its way.
        self.fetch.next = (self.reading.q.val() != self.committed.q.val()) & (self.out.room.val() > 1);
        self.data.read.next = self.fetch.val();
        self.data.read_addr.next = self.reading.q.val();
        self.marks.read.next = self.fetch.val();
        self.marks.read_addr.next = self.reading.q.val();
        self.fetched.d.next = self.fetch.val();
        if self.fetch.val() {
            self.reading.d.next = (self.reading.q.val() + 1) & self.mask.val();
        }
        self.out.sink.valid.next = self.fetched.q.val();
        self.out.sink.data.next = self.data.read_data.val();
        self.out.sink.last.next = self.marks.read_data.val().last;
        self.out.sink.side.next.count = self.marks.read_data.val().count;
        self.out.sink.side.next.error = false;
        self.count_bytes.next = 0.into();
        if self.fetched.q.val() {
            self.count_bytes.next = self.marks.read_data.val().count;
        }

        self.busy.next = (self.reading.q.val() != self.writing.q.val())
            | self.fetched.q.val()
            | self.out.source.valid.val();
        if self.abort.val() {
            // Also of the beat that comes in this cycle.
            self.lengths.sink.valid.next = false;
            self.committed.d.next = self.committed.q.val();
            self.writing.d.next = self.committed.q.val();
            self.bytes.d.next = 0.into();
            self.long.d.next = false;
            self.midway.d.next = false;
            self.skipping.d.next = false;
        }
        if self.reset.val() {
            self.skipping.d.next = self.midway_now.val() & !self.abort.val();
            self.committed.d.next = 0.into();
            self.writing.d.next = 0.into();
            self.reading.d.next = 0.into();
            self.bytes.d.next = 0.into();
            self.long.d.next = false;
            self.fetched.d.next = false;
        }
    }
}
