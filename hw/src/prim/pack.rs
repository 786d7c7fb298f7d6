//! Gathers bytes from anywhere in beats into dense packets that begin at any lane.
//! In: `sink`: a beat of which `count` bytes are wanted, `rest` lanes before its end the first; `tag` beside it.
//! Out: `source`: packets, dense from lane `start` of the first beat; `source_tag`: the tag of the beat the last bytes came from.   `busy`.
//! Time: one beat in per cycle; one more cycle where a packet's end does not fit the beat its last bytes came in. Three cycles through.
//! Waits: for `source.ready`: then all of it stands.
//! One barrel shifter, in two stages: the bytes that do not fit the beat being filled wait, already turned, for the next.

use super::beat::{BeatSink, BeatSource};
use super::overlay::Overlay;
use super::rotate::Rotate;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Beside a beat to be gathered from; `last` ends the packet.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Pick {
    /// Lanes from the first one wanted to the beat's end, that one too: 1 to W/8.
    pub rest: Bits<7>,
    /// Bytes wanted, from 0 to `rest`.
    pub count: Bits<7>,
    /// In a packet's first beat: the lane its first byte goes to.
    pub start: Bits<7>,
}

/// Beside a gathered beat.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Packed {
    /// Lanes filled, counted from lane 0: W/8, or fewer in the last beat (0 if the packet is empty).
    pub count: Bits<7>,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Pack<const W: usize, T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: BeatSink<W, Pick>,
    pub tag: Signal<In, T>,
    pub source: BeatSource<W, Packed>,
    pub source_tag: Signal<Out, T>,
    pub busy: Signal<Out, Bit>,
    // The first stage turns by the high bits of the amount; it knows where the beat being filled will stand.
    begun: Reg<Bit>,
    fill: Reg<Bits<7>>,
    far: Rotate<W>,
    half: Reg<Bits<W>>,
    half_valid: Reg<Bit>,
    half_last: Reg<Bit>,
    half_amount: Reg<Bits<7>>,
    half_fill: Reg<Bits<7>>,
    half_count: Reg<Bits<7>>,
    half_tag: Reg<T>,
    // The second by the low ones.
    near: Rotate<W>,
    turned: Reg<Bits<W>>,
    turned_valid: Reg<Bit>,
    turned_last: Reg<Bit>,
    turned_fill: Reg<Bits<7>>,
    turned_sum: Reg<Bits<8>>,
    turned_tag: Reg<T>,
    /// With `turned_last`: the end takes a beat of its own.
    spills: Reg<Bit>,
    // The third fills.
    overlay: Overlay<W>,
    flushing: Reg<Bit>,
    offered: Reg<Bit>,
    out: Reg<Bits<W>>,
    out_last: Reg<Bit>,
    out_side: Reg<Packed>,
    out_tag: Reg<T>,
    count_now: Signal<Local, Bits<7>>,
    fill_now: Signal<Local, Bits<7>>,
    amount: Signal<Local, Bits<7>>,
    sum: Signal<Local, Bits<8>>,
    full: Signal<Local, Bit>,
    hold: Signal<Local, Bit>,
    advance: Signal<Local, Bit>,
    go: Signal<Local, Bit>,
    lanes: Constant<Bits<8>>,
    lane_mask: Constant<Bits<7>>,
    count_mask: Constant<Bits<7>>,
    low_mask: Constant<Bits<8>>,
}

impl<const W: usize, T: Synth> Default for Pack<W, T> {
    fn default() -> Self {
        let split = Rotate::<W>::BITS.div_ceil(2);
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            tag: Default::default(),
            source: Default::default(),
            source_tag: Default::default(),
            busy: Default::default(),
            begun: Default::default(),
            fill: Default::default(),
            far: Rotate::new(split..Rotate::<W>::BITS),
            half: Default::default(),
            half_valid: Default::default(),
            half_last: Default::default(),
            half_amount: Default::default(),
            half_fill: Default::default(),
            half_count: Default::default(),
            half_tag: Default::default(),
            near: Rotate::new(0..split),
            turned: Default::default(),
            turned_valid: Default::default(),
            turned_last: Default::default(),
            turned_fill: Default::default(),
            turned_sum: Default::default(),
            turned_tag: Default::default(),
            spills: Default::default(),
            overlay: Default::default(),
            flushing: Default::default(),
            offered: Default::default(),
            out: Default::default(),
            out_last: Default::default(),
            out_side: Default::default(),
            out_tag: Default::default(),
            count_now: Default::default(),
            fill_now: Default::default(),
            amount: Default::default(),
            sum: Default::default(),
            full: Default::default(),
            hold: Default::default(),
            advance: Default::default(),
            go: Default::default(),
            lanes: Constant::new((W / 8).to_bits()),
            lane_mask: Constant::new((W / 8 - 1).to_bits()),
            count_mask: Constant::new((W / 4 - 1).to_bits()),
            low_mask: Constant::new((W / 8 - 1).to_bits()),
        }
    }
}

impl<const W: usize, T: Synth> Logic for Pack<W, T> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, begun, fill, half, half_valid, half_last, half_amount, half_fill, half_count);
        dff_setup!(
            self,
            clock,
            half_tag,
            turned,
            turned_valid,
            turned_last,
            turned_fill,
            turned_sum,
            turned_tag
        );
        dff_setup!(self, clock, spills, flushing, offered, out, out_last, out_side, out_tag);
        clock!(self, clock, overlay);
        self.source.valid.next = self.offered.q.val();
        self.source.last.next = self.out_last.q.val();
        self.source.data.next = self.out.q.val();
        self.source.side.next = self.out_side.q.val();
        self.source_tag.next = self.out_tag.q.val();

        // All stages move at once; what is left over takes the third one another time.
        self.advance.next = !self.offered.q.val() | self.source.ready.val();
        self.hold.next = self.spills.q.val() & !self.flushing.q.val();
        self.go.next = self.advance.val() & !self.hold.val();
        self.sink.ready.next = self.go.val();

        // First stage.
        self.count_now.next = self.sink.side.val().count & self.count_mask.val();
        self.fill_now.next = self.fill.q.val();
        if !self.begun.q.val() {
            self.fill_now.next = self.sink.side.val().start;
        }
        self.amount.next = (self.fill_now.val() + self.sink.side.val().rest) & self.lane_mask.val();
        self.far.data.next = self.sink.data.val();
        self.far.amount.next = self.amount.val();
        if self.go.val() {
            self.half_valid.d.next = self.sink.valid.val();
            self.half_last.d.next = self.sink.last.val();
            self.half.d.next = self.far.rotated.val();
            self.half_amount.d.next = self.amount.val();
            self.half_fill.d.next = self.fill_now.val() & self.lane_mask.val();
            self.half_count.d.next = self.count_now.val();
            self.half_tag.d.next = self.tag.val();
            if self.sink.valid.val() {
                self.begun.d.next = !self.sink.last.val();
                self.fill.d.next = (self.fill_now.val() + self.count_now.val()) & self.lane_mask.val();
            }
        }

        // Second stage.
        self.near.data.next = self.half.q.val();
        self.near.amount.next = self.half_amount.q.val();
        self.sum.next = bit_cast::<8, 7>(self.half_fill.q.val()) + bit_cast::<8, 7>(self.half_count.q.val());
        if self.go.val() {
            self.turned_valid.d.next = self.half_valid.q.val();
            self.turned_last.d.next = self.half_last.q.val();
            self.turned.d.next = self.near.rotated.val();
            self.turned_fill.d.next = self.half_fill.q.val();
            self.turned_sum.d.next = self.sum.val();
            self.turned_tag.d.next = self.half_tag.q.val();
            self.spills.d.next = self.half_valid.q.val()
                & self.half_last.q.val()
                & (self.sum.val() & self.lanes.val()).any()
                & (self.sum.val() & self.low_mask.val()).any();
        }

        // Third stage. Beats that do not fill one, and end no packet, give none. (The sum is less than two beats.)
        self.full.next = (self.turned_sum.q.val() & self.lanes.val()).any();
        self.overlay.high.next = self.turned.q.val();
        self.overlay.lanes.next = self.turned_fill.q.val();
        self.overlay.held_only.next = self.flushing.q.val();
        self.overlay.load.next = self.advance.val() & self.turned_valid.q.val();
        self.overlay.load_all.next = self.full.val();
        if self.advance.val() {
            self.flushing.d.next = self.hold.val();
            self.offered.d.next = self.turned_valid.q.val() & (self.full.val() | self.turned_last.q.val());
            self.out.d.next = self.overlay.merged.val();
            self.out_last.d.next = self.turned_last.q.val() & !self.hold.val();
            self.out_tag.d.next = self.turned_tag.q.val();
            self.out_side.d.next.count = bit_cast::<7, 8>(self.turned_sum.q.val() & self.low_mask.val());
            if self.full.val() & !self.flushing.q.val() {
                self.out_side.d.next.count = bit_cast::<7, 8>(self.lanes.val());
            }
        }

        self.busy.next =
            self.half_valid.q.val() | self.turned_valid.q.val() | self.begun.q.val() | self.offered.q.val();
        if self.reset.val() {
            self.begun.d.next = false;
            self.half_valid.d.next = false;
            self.turned_valid.d.next = false;
            self.spills.d.next = false;
            self.flushing.d.next = false;
            self.offered.d.next = false;
        }
    }
}
