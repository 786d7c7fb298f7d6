//! Reads host memory byte by byte, for who is in no hurry.
//! In: `ask`, a read, and beside it the lane of its first byte; `reply`: DMA.   Out: `request`: DMA; `byte`; `done`, with what went wrong.
//! Time: a cycle per byte.   Waits: on `request` and `byte`; one read at a time.   Busy: one is not `done`.
//! Spec: hw/README.md, DMA data convention

use crate::port::dma::ReadSide;
use crate::prim::beat::BeatSink;
use crate::prim::stream::{StreamSink, StreamSource};
use crate::queue::lookup::AreaRead;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Bytes<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub ask: StreamSink<AreaRead>,
    /// The low two bits of the address read.
    pub lane: Signal<In, Bits<2>>,
    pub request: StreamSource<AreaRead>,
    pub reply: BeatSink<W, ReadSide>,
    pub byte: StreamSource<Bits<8>>,
    /// Pulse: all bytes have been taken, or the read has failed.
    pub done: Signal<Out, Bit>,
    pub failed: Signal<Out, Bit>,
    pub timeout: Signal<Out, Bit>,
    asking: Reg<Bit>,
    asked: Reg<AreaRead>,
    /// A read is in hand; the last of its beats has come, as this says.
    waiting: Reg<Bit>,
    ended: Reg<Bit>,
    side: Reg<ReadSide>,
    /// Bytes to come; the beat at hand, and how many lanes of it are left.
    left: Reg<Bits<8>>,
    beat: Reg<Bits<W>>,
    have: Reg<Bits<7>>,
    skip: Reg<Bits<2>>,
    even: Signal<Local, Bits<W>>,
    lanes: Constant<Bits<7>>,
}

impl<const W: usize> Default for Bytes<W> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            ask: Default::default(),
            lane: Default::default(),
            request: Default::default(),
            reply: Default::default(),
            byte: Default::default(),
            done: Default::default(),
            failed: Default::default(),
            timeout: Default::default(),
            asking: Default::default(),
            asked: Default::default(),
            waiting: Default::default(),
            ended: Default::default(),
            side: Default::default(),
            left: Default::default(),
            beat: Default::default(),
            have: Default::default(),
            skip: Default::default(),
            even: Default::default(),
            lanes: Constant::new((W as u64 / 8).into()),
        }
    }
}

impl<const W: usize> Logic for Bytes<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, asking, asked, waiting, ended, side, left, beat, have, skip);
        self.ask.ready.next = !self.waiting.q.val();
        self.request.valid.next = self.asking.q.val();
        self.request.data.next = self.asked.q.val();
        if self.request.ready.val() {
            self.asking.d.next = false;
        }

        self.byte.valid.next = self.have.q.val().any()
            & self.left.q.val().any()
            & !(self.ended.q.val() & self.side.q.val().error);
        self.byte.data.next = self.beat.q.val().get_bits::<8>(0);
        if self.byte.valid.val() & self.byte.ready.val() {
            self.beat.d.next = self.beat.q.val() >> 8;
            self.have.d.next = self.have.q.val() - 1;
            self.left.d.next = self.left.q.val() - 1;
        }

        self.reply.ready.next = self.waiting.q.val() & !self.ended.q.val() & !self.have.q.val().any();
        self.even.next = self.reply.data.val();
        if self.skip.q.val().get_bit(0) {
            self.even.next = self.reply.data.val() >> 8;
        }
        if self.reply.valid.val() & self.reply.ready.val() {
            self.beat.d.next = self.even.val();
            if self.skip.q.val().get_bit(1) {
                self.beat.d.next = self.even.val() >> 16;
            }
            self.have.d.next = self.lanes.val() - bit_cast::<7, 2>(self.skip.q.val());
            self.skip.d.next = 0.into();
            self.ended.d.next = self.reply.last.val();
            self.side.d.next = self.reply.side.val();
        }

        self.failed.next = self.side.q.val().error;
        self.timeout.next = self.side.q.val().timeout;
        self.done.next = self.ended.q.val() & (!self.left.q.val().any() | self.side.q.val().error);
        if self.done.val() {
            // What stands behind the last byte means nothing.
            self.waiting.d.next = false;
            self.ended.d.next = false;
            self.have.d.next = 0.into();
        }
        if self.ask.valid.val() & !self.waiting.q.val() {
            self.asking.d.next = true;
            self.asked.d.next = self.ask.data.val();
            self.waiting.d.next = true;
            self.left.d.next = self.ask.data.val().len;
            self.skip.d.next = self.lane.val();
        }
        if self.reset.val() {
            self.asking.d.next = false;
            self.waiting.d.next = false;
            self.ended.d.next = false;
            self.have.d.next = 0.into();
        }
    }
}
