//! Cuts a packet that is to be segmented into its headers and the payload of each segment. Frames pass.
//! In: `sink`, `offload` beside it.   Out: `source`, pieces, `task` beside it.
//! Time: a frame passes in no time; a packet takes 5 cycles, and one more for each piece of it that does not end with a beat.
//! Waits: on `source`; a frame for the packet before it.
//! Payload begins at the lane behind the headers' last one. A packet that cannot be segmented ends as one piece with the error mark.
//! Spec: [virtio 1.4: Network Device, Packet Transmission]

use crate::params::Params;
use crate::port::frame::{FrameSide, Offload, Task};
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::beat_fifo::BeatFifo;
use crate::prim::pack::Pack;
use hematite_abi::net;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Of what a gathered beat is a part.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Of {
    pub task: Task,
    pub error: Bit,
}

/// Beside the beats of a packet that waits to be cut.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Uncut {
    pub side: FrameSide,
    pub offload: Offload,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Split<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: BeatSink<W, FrameSide>,
    pub offload: Signal<In, Offload>,
    pub source: BeatSource<W, FrameSide>,
    pub task: Signal<Out, Task>,
    pub busy: Signal<Out, Bit>,
    /// Pulse, the cycle after: a packet could not be segmented.
    pub count_bad: Signal<Out, Bit>,
    /// Beside it: whose it is.
    pub count_owner: Signal<Out, Bits<16>>,
    pack: Pack<W, Of>,
    /// Packets on their way in: that they are taken hangs on nothing that is done to them.
    uncut: BeatFifo<W, Uncut>,
    /// Within a frame that passes; within a packet on its way in. No packet is here, and none was on its way in the last cycle.
    midway: Reg<Bit>,
    inside: Reg<Bit>,
    idle: Reg<Bit>,
    /// Within a packet that is cut.
    begun: Reg<Bit>,
    // The beat being cut, and where in its packet its lane 0 is.
    held: Reg<Bit>,
    data: Reg<Bits<W>>,
    last: Reg<Bit>,
    side: Reg<FrameSide>,
    at: Reg<Bits<18>>,
    /// Where the next beat's is.
    next_at: Reg<Bits<18>>,
    lane: Reg<Bits<7>>,
    // Of its packet: offset of the transport header, and of the byte that tells its length; that length in DWORDs; bytes of all headers.
    offload_held: Reg<Offload>,
    sought: Reg<Bits<18>>,
    known: Reg<Bit>,
    words: Reg<Bits<4>>,
    headers: Reg<Bits<18>>,
    segment: Reg<Bits<18>>,
    /// Cycles until `headers` and what follows from it are there.
    settle: Reg<Bits<2>>,
    /// The piece at hand is payload; where it ends; it has no end but the packet's.
    payload: Reg<Bit>,
    end: Reg<Bits<18>>,
    bad: Reg<Bit>,
    gone_bad: Reg<Bit>,
    gone_owner: Reg<Bits<16>>,
    pass: Signal<Local, Bit>,
    enters: Signal<Local, Bit>,
    accept: Signal<Local, Bit>,
    place: Signal<Local, Bits<18>>,
    probe: Signal<Local, Bits<18>>,
    probe_lane: Signal<Local, Bits<9>>,
    of: Signal<Local, Offload>,
    told: Signal<Local, Bit>,
    reach: Signal<Local, Bits<18>>,
    cut: Signal<Local, Bit>,
    until: Signal<Local, Bits<7>>,
    through: Signal<Local, Bit>,
    go: Signal<Local, Bit>,
    packet_end: Signal<Local, Bit>,
    able: Constant<Bit>,
    lanes: Constant<Bits<7>>,
    step: Constant<Bits<18>>,
    lane_mask: Constant<Bits<18>>,
    /// From the transport header to the byte that tells TCP's length.
    to_length: Constant<Bits<18>>,
    udp_words: Constant<Bits<4>>,
    tcp_words: Constant<Bits<4>>,
    headers_most: Constant<Bits<18>>,
    frame_most: Constant<Bits<18>>,
}

impl<const W: usize> Split<W> {
    /// As many features as `params` offers.
    pub fn new(params: &Params) -> Self {
        let lanes = W / 8;
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            offload: Default::default(),
            source: Default::default(),
            task: Default::default(),
            busy: Default::default(),
            count_bad: Default::default(),
            count_owner: Default::default(),
            pack: Default::default(),
            uncut: BeatFifo::new(2),
            midway: Default::default(),
            inside: Default::default(),
            idle: Reg::new(true),
            begun: Default::default(),
            held: Default::default(),
            data: Default::default(),
            last: Default::default(),
            side: Default::default(),
            at: Default::default(),
            next_at: Default::default(),
            sought: Default::default(),
            lane: Default::default(),
            offload_held: Default::default(),
            known: Default::default(),
            words: Default::default(),
            headers: Default::default(),
            segment: Default::default(),
            settle: Default::default(),
            payload: Default::default(),
            end: Default::default(),
            bad: Default::default(),
            gone_bad: Default::default(),
            gone_owner: Default::default(),
            pass: Default::default(),
            enters: Default::default(),
            accept: Default::default(),
            place: Default::default(),
            probe: Default::default(),
            probe_lane: Default::default(),
            of: Default::default(),
            told: Default::default(),
            reach: Default::default(),
            cut: Default::default(),
            until: Default::default(),
            through: Default::default(),
            go: Default::default(),
            packet_end: Default::default(),
            able: Constant::new(params.segments()),
            lanes: Constant::new(lanes.to_bits()),
            step: Constant::new(lanes.to_bits()),
            lane_mask: Constant::new((lanes - 1).to_bits()),
            to_length: Constant::new(12u64.to_bits()),
            udp_words: Constant::new((net::UDP_HEADER_BYTES / 4).to_bits()),
            tcp_words: Constant::new((net::TCP_HEADER_BYTES / 4).to_bits()),
            headers_most: Constant::new(net::GSO_HEADER_BYTES.to_bits()),
            frame_most: Constant::new(params.frame_bytes.to_bits()),
        }
    }
}

impl<const W: usize> Logic for Split<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, midway, inside, idle, begun, held, data, last, side, at, next_at);
        dff_setup!(self, clock, sought, lane, offload_held, known);
        dff_setup!(self, clock, words, headers, segment, settle, payload, end, bad, gone_bad, gone_owner);
        clock!(self, clock, pack, uncut);
        self.pack.reset.next = self.reset.val() | !self.able.val();
        self.uncut.reset.next = self.reset.val() | !self.able.val();

        // A frame passes when nothing is before it.
        self.pass.next =
            self.midway.q.val() | !self.able.val() | (!self.offload.val().gso & self.idle.q.val());
        self.enters.next =
            self.sink.valid.val() & !self.pass.val() & (self.inside.q.val() | self.offload.val().gso);
        self.idle.d.next = !(self.enters.val()
            | self.inside.q.val()
            | self.uncut.source.valid.val()
            | self.begun.q.val()
            | self.held.q.val()
            | self.pack.busy.val());
        self.uncut.sink.valid.next = self.enters.val();
        self.uncut.sink.last.next = self.sink.last.val();
        self.uncut.sink.data.next = self.sink.data.val();
        self.uncut.sink.side.next.side = self.sink.side.val();
        self.uncut.sink.side.next.offload = self.offload.val();
        if self.enters.val() & self.uncut.sink.ready.val() {
            self.inside.d.next = !self.sink.last.val();
        }

        // The beat at hand goes up to the end of its piece, or to its own.
        self.reach.next = self.end.q.val() - self.at.q.val();
        self.cut.next = !self.bad.q.val()
            & self.known.q.val()
            & (self.reach.val() <= bit_cast::<18, 7>(self.side.q.val().count));
        self.until.next = self.side.q.val().count;
        if self.cut.val() {
            self.until.next = self.reach.val().get_bits::<7>(0);
        }
        self.through.next = self.until.val() == self.side.q.val().count;
        self.packet_end.next = self.through.val() & self.last.q.val();
        self.pack.sink.valid.next = self.held.q.val() & !self.settle.q.val().any();
        self.go.next = self.pack.sink.valid.val() & self.pack.sink.ready.val();
        self.pack.sink.data.next = self.data.q.val();
        self.pack.sink.last.next = self.cut.val() | self.packet_end.val();
        self.pack.sink.side.next.rest = self.lanes.val() - self.lane.q.val();
        self.pack.sink.side.next.count = self.until.val() - self.lane.q.val();
        self.pack.sink.side.next.start = 0.into();
        self.pack.tag.next.task.owner = self.offload_held.q.val().owner;
        self.pack.tag.next.task.headers = !self.payload.q.val();
        self.pack.tag.next.task.payload = self.payload.q.val();
        self.pack.tag.next.task.udp = self.offload_held.q.val().udp;
        self.pack.tag.next.task.end = self.packet_end.val();
        self.pack.tag.next.task.csum = false;
        self.pack.tag.next.task.csum_start = 0.into();
        self.pack.tag.next.task.csum_at = bit_cast::<17, 16>(self.offload_held.q.val().csum_start);
        if self.payload.q.val() {
            self.pack.sink.side.next.start =
                self.headers.q.val().get_bits::<7>(0) & self.lane_mask.val().get_bits::<7>(0);
            self.pack.tag.next.task.csum = true;
            self.pack.tag.next.task.csum_start =
                bit_cast::<16, 18>(self.headers.q.val() & self.lane_mask.val());
        }
        self.pack.tag.next.error =
            self.packet_end.val() & (self.side.q.val().error | self.bad.q.val() | !self.payload.q.val());
        self.gone_bad.d.next = self.go.val()
            & self.packet_end.val()
            & !self.side.q.val().error
            & (self.bad.q.val() | !self.payload.q.val());
        self.count_bad.next = self.gone_bad.q.val();
        self.gone_owner.d.next = self.offload_held.q.val().owner;
        self.count_owner.next = self.gone_owner.q.val();
        if self.go.val() {
            self.lane.d.next = self.until.val();
            if self.cut.val() {
                self.payload.d.next = true;
                self.end.d.next = self.end.q.val() + bit_cast::<18, 16>(self.offload_held.q.val().gso_size);
            }
            if self.through.val() {
                self.held.d.next = false;
            }
            if self.packet_end.val() {
                self.payload.d.next = false;
                self.known.d.next = false;
                self.bad.d.next = false;
            }
        }

        // What follows from the length of the transport header, a step in each cycle.
        if self.settle.q.val().any() {
            self.settle.d.next = self.settle.q.val() - 1;
        }
        self.headers.d.next = bit_cast::<18, 16>(self.offload_held.q.val().csum_start)
            + (bit_cast::<18, 4>(self.words.q.val()) << 2);
        self.segment.d.next = self.headers.q.val() + bit_cast::<18, 16>(self.offload_held.q.val().gso_size);
        if self.settle.q.val() == 1 {
            self.end.d.next = self.headers.q.val();
            if (self.segment.q.val() > self.frame_most.val())
                | (self.headers.q.val() > self.headers_most.val())
                | (!self.offload_held.q.val().udp & (self.words.q.val() < self.tcp_words.val()))
            {
                self.bad.d.next = true;
            }
        }

        // The next beat; the byte that tells the length may be in it.
        self.accept.next =
            self.uncut.source.valid.val() & (!self.held.q.val() | (self.go.val() & self.through.val()));
        self.uncut.source.ready.next = self.accept.val();
        self.of.next = self.offload_held.q.val();
        self.place.next = self.next_at.q.val();
        self.told.next = self.known.q.val();
        if !self.begun.q.val() {
            self.of.next = self.uncut.source.side.val().offload;
            self.place.next = 0.into();
            self.told.next = false;
        }
        self.probe.next = bit_cast::<18, 16>(self.uncut.source.side.val().offload.csum_start);
        if !self.uncut.source.side.val().offload.udp {
            self.probe.next =
                bit_cast::<18, 16>(self.uncut.source.side.val().offload.csum_start) + self.to_length.val();
        }
        if self.begun.q.val() {
            self.probe.next = self.sought.q.val();
        }
        self.probe_lane.next = bit_cast::<9, 18>(self.probe.val() & self.lane_mask.val()) << 3;
        if self.accept.val() {
            self.begun.d.next = !self.uncut.source.last.val();
            self.held.d.next = true;
            self.data.d.next = self.uncut.source.data.val();
            self.last.d.next = self.uncut.source.last.val();
            self.side.d.next = self.uncut.source.side.val().side;
            self.at.d.next = self.place.val();
            self.next_at.d.next = self.place.val() + self.step.val();
            self.sought.d.next = self.probe.val();
            self.lane.d.next = 0.into();
            self.offload_held.d.next = self.of.val();
            if !self.begun.q.val() {
                self.bad.d.next = !self.uncut.source.side.val().offload.gso_good;
            }
            if !self.told.val() & ((self.probe.val() & !self.lane_mask.val()) == self.place.val()) {
                self.known.d.next = true;
                self.settle.d.next = 3.into();
                self.words.d.next = (self.uncut.source.data.val() >> self.probe_lane.val()).get_bits::<4>(4);
                if self.of.val().udp {
                    self.words.d.next = self.udp_words.val();
                }
            }
        }

        self.source.valid.next = self.pack.source.valid.val();
        self.source.data.next = self.pack.source.data.val();
        self.source.last.next = self.pack.source.last.val();
        self.source.side.next.count = self.pack.source.side.val().count;
        self.source.side.next.error = self.pack.source_tag.val().error;
        self.task.next = self.pack.source_tag.val().task;
        self.pack.source.ready.next = self.source.ready.val() & !self.pass.val();
        self.sink.ready.next = self.enters.val() & self.uncut.sink.ready.val();
        if self.pass.val() {
            self.source.valid.next = self.sink.valid.val();
            self.source.data.next = self.sink.data.val();
            self.source.last.next = self.sink.last.val();
            self.source.side.next = self.sink.side.val();
            self.sink.ready.next = self.source.ready.val();
            self.task.next.owner = self.offload.val().owner;
            self.task.next.headers = false;
            self.task.next.payload = false;
            self.task.next.udp = false;
            self.task.next.end = false;
            self.task.next.csum = self.offload.val().csum;
            self.task.next.csum_start = self.offload.val().csum_start;
            self.task.next.csum_at = self.offload.val().csum_at;
        }
        if self.source.valid.val() & self.source.ready.val() & self.pass.val() {
            self.midway.d.next = !self.sink.last.val();
        }
        self.busy.next = self.midway.q.val()
            | self.uncut.source.valid.val()
            | self.begun.q.val()
            | self.held.q.val()
            | self.pack.busy.val();
        if self.reset.val() | !self.able.val() {
            self.midway.d.next = false;
            self.inside.d.next = false;
            self.idle.d.next = true;
            self.begun.d.next = false;
            self.held.d.next = false;
            self.known.d.next = false;
            self.settle.d.next = 0.into();
            self.payload.d.next = false;
            self.bad.d.next = false;
            self.gone_bad.d.next = false;
        }
    }
}
