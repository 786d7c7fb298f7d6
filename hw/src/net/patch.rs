//! Puts the checksum into a frame on its way out.
//! In: `sink`; `sum`, one for each frame.   Out: `source`.
//! Time: combinational.
//! Waits: a frame for its sum. Where CSUM is not offered there are none: frames pass.

use crate::params::Params;
use crate::port::frame::{FrameSide, Sum};
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::poke::Poke;
use crate::prim::stream::StreamSink;
use hematite_abi::feature;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Patch<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: BeatSink<W, FrameSide>,
    pub sum: StreamSink<Sum>,
    pub source: BeatSource<W, FrameSide>,
    poke: Poke<W>,
    /// Bytes of the frame that have left.
    gone: Reg<Bits<16>>,
    behind: Signal<Local, Bits<16>>,
    leaves: Signal<Local, Bit>,
    able: Constant<Bit>,
    lanes: Constant<Bits<16>>,
    lane_mask: Constant<Bits<7>>,
    beat_mask: Constant<Bits<16>>,
}

impl<const W: usize> Patch<W> {
    /// As many features as `params` offers.
    pub fn new(params: &Params) -> Self {
        let lanes = W / 8;
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            sum: Default::default(),
            source: Default::default(),
            poke: Default::default(),
            gone: Default::default(),
            behind: Default::default(),
            leaves: Default::default(),
            able: Constant::new(params.offers(feature::CSUM)),
            lanes: Constant::new(lanes.to_bits()),
            lane_mask: Constant::new((lanes - 1).to_bits()),
            beat_mask: Constant::new(((1 << 16) - lanes).to_bits()),
        }
    }
}

impl<const W: usize> Logic for Patch<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, gone);
        self.behind.next = self.sum.data.val().at + 1;
        self.poke.data.next = self.sink.data.val();
        self.poke.value.next = self.sum.data.val().value;
        self.poke.high.next = self.able.val()
            & self.sum.data.val().wanted
            & ((self.sum.data.val().at & self.beat_mask.val()) == self.gone.q.val());
        self.poke.high_lane.next = self.sum.data.val().at.get_bits::<7>(0) & self.lane_mask.val();
        self.poke.low.next = self.able.val()
            & self.sum.data.val().wanted
            & ((self.behind.val() & self.beat_mask.val()) == self.gone.q.val());
        self.poke.low_lane.next = self.behind.val().get_bits::<7>(0) & self.lane_mask.val();

        self.source.valid.next = self.sink.valid.val() & (self.sum.valid.val() | !self.able.val());
        self.source.data.next = self.poke.poked.val();
        self.source.last.next = self.sink.last.val();
        self.source.side.next = self.sink.side.val();
        self.leaves.next = self.source.valid.val() & self.source.ready.val();
        self.sink.ready.next = self.leaves.val();
        self.sum.ready.next = self.leaves.val() & self.sink.last.val();
        if self.leaves.val() {
            self.gone.d.next = self.gone.q.val() + self.lanes.val();
            if self.sink.last.val() {
                self.gone.d.next = 0.into();
            }
        }
        if self.reset.val() | !self.able.val() {
            self.gone.d.next = 0.into();
        }
    }
}
