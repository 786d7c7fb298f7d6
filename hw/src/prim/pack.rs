//! Gathers bytes from anywhere in beats into dense packets that begin at any lane.
//! In: `sink`: a beat of which `count` bytes from lane `from` on are wanted.   Out: `source`: packets, dense from lane `start` of the first beat.
//! Time: one beat in per cycle; one more cycle where a packet's end does not fit the beat its last bytes came in. Two cycles through.
//! Waits: for `source.ready`.
//! One barrel shifter: the bytes that do not fit the beat being filled wait, already turned, for the next.

use super::beat::{BeatSink, BeatSource};
use super::beat_fifo::BeatFifo;
use super::overlay::Overlay;
use super::rotate::Rotate;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Beside a beat to be gathered from; `last` ends the packet.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Pick {
    /// First lane wanted.
    pub from: Bits<7>,
    /// Bytes wanted, from 0 to W/8; they do not go round the beat's end.
    pub count: Bits<7>,
    /// In a packet's first beat: the lane its first byte goes to.
    pub start: Bits<7>,
    /// Goes with the packet's last beat.
    pub error: Bit,
}

/// Beside a gathered beat.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Packed {
    /// Lanes filled, counted from lane 0: W/8, or fewer in the last beat (0 if the packet is empty).
    pub count: Bits<7>,
    /// In the last beat: as it was in the last beat gathered from.
    pub error: Bit,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Pack<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: BeatSink<W, Pick>,
    pub source: BeatSource<W, Packed>,
    pub busy: Signal<Out, Bit>,
    rotate: Rotate<W>,
    overlay: Overlay<W>,
    out: BeatFifo<W, Packed>,
    // The first stage turns; it knows where the beat being filled will stand.
    begun: Reg<Bit>,
    fill: Reg<Bits<7>>,
    turned: Reg<Bits<W>>,
    turned_valid: Reg<Bit>,
    turned_fill: Reg<Bits<7>>,
    turned_count: Reg<Bits<7>>,
    turned_last: Reg<Bit>,
    turned_error: Reg<Bit>,
    // The second fills.
    held: Reg<Bits<W>>,
    flushing: Reg<Bit>,
    fill_now: Signal<Local, Bits<7>>,
    sum: Signal<Local, Bits<8>>,
    over: Signal<Local, Bits<7>>,
    full: Signal<Local, Bit>,
    second_free: Signal<Local, Bit>,
    first_free: Signal<Local, Bit>,
    lanes: Constant<Bits<8>>,
    lane_mask: Constant<Bits<7>>,
}

impl<const W: usize> Default for Pack<W> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            busy: Default::default(),
            rotate: Default::default(),
            overlay: Default::default(),
            out: BeatFifo::new(2),
            begun: Default::default(),
            fill: Default::default(),
            turned: Default::default(),
            turned_valid: Default::default(),
            turned_fill: Default::default(),
            turned_count: Default::default(),
            turned_last: Default::default(),
            turned_error: Default::default(),
            held: Default::default(),
            flushing: Default::default(),
            fill_now: Default::default(),
            sum: Default::default(),
            over: Default::default(),
            full: Default::default(),
            second_free: Default::default(),
            first_free: Default::default(),
            lanes: Constant::new((W / 8).to_bits()),
            lane_mask: Constant::new((W / 8 - 1).to_bits()),
        }
    }
}

impl<const W: usize> Logic for Pack<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            begun,
            fill,
            turned,
            turned_valid,
            turned_fill,
            turned_count,
            turned_last,
            turned_error
        );
        dff_setup!(self, clock, held, flushing);
        clock!(self, clock, out);
        self.out.reset.next = self.reset.val();
        BeatSource::<W, Packed>::link(&mut self.source, &mut self.out.source);

        // Second stage. Beats that do not fill one, and end no packet, need no room.
        self.sum.next =
            bit_cast::<8, 7>(self.turned_fill.q.val()) + bit_cast::<8, 7>(self.turned_count.q.val());
        self.over.next = (self.sum.val() - self.lanes.val()).get_bits::<7>(0);
        self.full.next = self.sum.val() >= self.lanes.val();
        self.overlay.low.next = self.held.q.val();
        self.overlay.high.next = self.turned.q.val();
        self.overlay.lanes.next = self.turned_fill.q.val();
        self.out.sink.valid.next = self.turned_valid.q.val() & (self.full.val() | self.turned_last.q.val());
        self.out.sink.data.next = self.overlay.merged.val();
        self.out.sink.last.next = self.turned_last.q.val() & (self.sum.val() <= self.lanes.val());
        self.out.sink.side.next.error = self.turned_error.q.val();
        self.out.sink.side.next.count = self.sum.val().get_bits::<7>(0);
        if self.full.val() {
            self.out.sink.side.next.count = self.lanes.val().get_bits::<7>(0);
        }
        if self.flushing.q.val() {
            // What was left over is a beat of its own.
            self.out.sink.data.next = self.held.q.val();
            self.out.sink.last.next = true;
            self.out.sink.side.next.count = self.over.val();
        }
        self.second_free.next = false;
        if self.turned_valid.q.val() {
            if !self.out.sink.valid.val() | self.out.sink.ready.val() {
                if self.full.val() {
                    self.held.d.next = self.turned.q.val();
                } else {
                    self.held.d.next = self.overlay.merged.val();
                }
                if self.turned_last.q.val() & (self.sum.val() > self.lanes.val()) & !self.flushing.q.val() {
                    self.flushing.d.next = true;
                } else {
                    self.flushing.d.next = false;
                    self.second_free.next = true;
                }
            }
        } else {
            self.second_free.next = true;
        }

        // First stage.
        self.fill_now.next = self.fill.q.val();
        if !self.begun.q.val() {
            self.fill_now.next = self.sink.side.val().start;
        }
        self.rotate.data.next = self.sink.data.val();
        self.rotate.amount.next = (self.fill_now.val() - self.sink.side.val().from) & self.lane_mask.val();
        self.first_free.next = !self.turned_valid.q.val() | self.second_free.val();
        self.sink.ready.next = self.first_free.val();
        if self.first_free.val() {
            self.turned_valid.d.next = self.sink.valid.val();
            self.turned.d.next = self.rotate.rotated.val();
            self.turned_fill.d.next = self.fill_now.val();
            self.turned_count.d.next = self.sink.side.val().count;
            self.turned_last.d.next = self.sink.last.val();
            self.turned_error.d.next = self.sink.side.val().error;
            if self.sink.valid.val() {
                self.begun.d.next = !self.sink.last.val();
                self.fill.d.next = (self.fill_now.val() + self.sink.side.val().count) & self.lane_mask.val();
            }
        }

        self.busy.next = self.turned_valid.q.val() | self.begun.q.val() | self.out.source.valid.val();
        if self.reset.val() {
            self.begun.d.next = false;
            self.turned_valid.d.next = false;
            self.flushing.d.next = false;
        }
    }
}
