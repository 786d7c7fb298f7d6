//! Transmission: from the buffers of a chain to a frame.
//! In: `segment`; `reply`; `accepted0`, `accepted1`: features.   Out: `request` (payload reads); `frame`, `offload` beside it; `done`; `error`.
//! Time: a request per piece and cycle; a beat of payload per cycle; 1 cycle more for a frame whose end spills over.
//! Waits: on DMA, on `frame`. A frame of a bad chain ends with its error mark; its chain is not completed.
//! Spec: [virtio 1.4: Packet Transmission], [Device Operation: Packet Transmission]

use super::issue::Issue;
use crate::params::Params;
use crate::port::chain::{Done, Segment};
use crate::port::dma::{ReadRequest, ReadSide};
use crate::port::frame::{FrameSide, Offload};
use crate::port::queue::QueueError;
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::fifo::Fifo;
use crate::prim::pack::Pack;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_abi::{feature, ident, net};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// What a beat of a chain is, on its way through `pack`.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Tag {
    /// Of the last one: the frame is bad.
    pub bad: Bit,
    pub queue: Bits<16>,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Tx<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub segment: StreamSink<Segment>,
    pub read_bytes: Signal<In, Bits<13>>,
    pub request: StreamSource<ReadRequest>,
    pub reply: BeatSink<W, ReadSide>,
    pub accepted0: Signal<In, Bits<32>>,
    pub accepted1: Signal<In, Bits<32>>,
    pub frame: BeatSource<W, FrameSide>,
    pub offload: Signal<Out, Offload>,
    pub done: StreamSource<Done>,
    pub error: StreamSource<QueueError>,
    pub busy: Signal<Out, Bit>,
    /// Pulses, the cycle after: a frame shorter than an Ethernet header, longer than the device carries.
    pub count_short: Signal<Out, Bit>,
    pub count_long: Signal<Out, Bit>,
    /// Beside them: whose it is.
    pub count_queue: Signal<Out, Bits<16>>,
    /// Device resets, of which frames remember which they came behind.
    pub life: Signal<In, Bits<2>>,
    issue: Issue,
    pack: Pack<W, Tag>,
    dones: Fifo<Done>,
    errors: Fifo<QueueError>,
    /// Within a piece.
    inside: Reg<Bit>,
    // What is known of the chain so far.
    begun: Reg<Bit>,
    failed: Reg<Bit>,
    /// What the last cycle counted.
    gone_short: Reg<Bit>,
    gone_long: Reg<Bit>,
    gone_queue: Reg<Bits<16>>,
    skipped: Reg<Bits<2>>,
    // The beat that waits for the next.
    waits: Reg<Bit>,
    waiting: Reg<Bits<W>>,
    waiting_last: Reg<Bit>,
    waiting_side: Reg<FrameSide>,
    waiting_queue: Reg<Bits<16>>,
    // Of the header: it goes by while no beat of its frame waits, and the last one of the frame before leaves.
    header: Reg<Bits<160>>,
    csum_at: Reg<Bits<17>>,
    gso_held: Reg<Bit>,
    gso_good: Reg<Bit>,
    /// HASH_REPORT is accepted: the header is longer. What counts of it.
    hashes: Signal<Local, Bit>,
    head: Signal<Local, Bits<96>>,
    start: Signal<Local, Bits<7>>,
    skip: Signal<Local, Bits<2>>,
    tso4: Signal<Local, Bit>,
    tso6: Signal<Local, Bit>,
    uso: Signal<Local, Bit>,
    gso: Signal<Local, Bit>,
    gso_type: Signal<Local, Bits<8>>,
    gso_type_good: Signal<Local, Bit>,
    udp: Signal<Local, Bit>,
    long: Signal<Local, Bit>,
    empty: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    leaves: Signal<Local, Bit>,
    headers: Signal<Local, Bit>,
    lane: Signal<Local, Bits<7>>,
    until: Signal<Local, Bits<7>>,
    offer: Signal<Local, Bit>,
    piece_end: Signal<Local, Bit>,
    chain_end: Signal<Local, Bit>,
    read_failed: Signal<Local, Bit>,
    bad: Signal<Local, Bit>,
    go: Signal<Local, Bit>,
    lanes: Constant<Bits<7>>,
    short_start: Constant<Bits<7>>,
    short_skip: Constant<Bits<2>>,
    long_start: Constant<Bits<7>>,
    long_skip: Constant<Bits<2>>,
    hash_bit: Constant<Bits<5>>,
    uso_bit: Constant<Bits<5>>,
    type_mask: Constant<Bits<8>>,
    start_most: Constant<Bits<16>>,
    header_down: Constant<Bits<8>>,
    header_mask: Constant<Bits<160>>,
    beat_down: Constant<Bits<9>>,
    beat_up: Constant<Bits<8>>,
}

impl<const W: usize> Tx<W> {
    /// Frames of up to `params.frame_bytes`.
    pub fn new(params: &Params) -> Self {
        let lanes = W / 8;
        let start = |header: usize| (lanes - header % lanes) % lanes;
        let skip = |header: usize| header.div_ceil(lanes);
        Self {
            clock: Default::default(),
            reset: Default::default(),
            segment: Default::default(),
            read_bytes: Default::default(),
            request: Default::default(),
            reply: Default::default(),
            accepted0: Default::default(),
            accepted1: Default::default(),
            frame: Default::default(),
            offload: Default::default(),
            done: Default::default(),
            error: Default::default(),
            busy: Default::default(),
            count_short: Default::default(),
            count_long: Default::default(),
            count_queue: Default::default(),
            life: Default::default(),
            issue: Issue::new(params),
            pack: Default::default(),
            dones: Fifo::narrow(
                // Room for a run, while the other direction has one.
                if W == 64 { 4 } else { 32 },
                Done {
                    queue: (params.queues() - 1).to_bits(),
                    id: params.name_mask().to_bits(),
                    slots: params.slots_mask().to_bits(),
                    ..Done::default()
                },
            ),
            errors: Fifo::new(1),
            inside: Default::default(),
            begun: Default::default(),
            failed: Default::default(),
            gone_short: Default::default(),
            gone_long: Default::default(),
            gone_queue: Default::default(),
            skipped: Default::default(),
            waits: Default::default(),
            waiting: Default::default(),
            waiting_last: Default::default(),
            waiting_side: Default::default(),
            waiting_queue: Default::default(),
            header: Default::default(),
            csum_at: Default::default(),
            gso_held: Default::default(),
            gso_good: Default::default(),
            hashes: Default::default(),
            head: Default::default(),
            start: Default::default(),
            skip: Default::default(),
            tso4: Default::default(),
            tso6: Default::default(),
            uso: Default::default(),
            gso: Default::default(),
            gso_type: Default::default(),
            gso_type_good: Default::default(),
            udp: Default::default(),
            long: Default::default(),
            empty: Default::default(),
            ends: Default::default(),
            leaves: Default::default(),
            headers: Default::default(),
            lane: Default::default(),
            until: Default::default(),
            offer: Default::default(),
            piece_end: Default::default(),
            chain_end: Default::default(),
            read_failed: Default::default(),
            bad: Default::default(),
            go: Default::default(),
            lanes: Constant::new(lanes.to_bits()),
            // The header is placed so that the frame's first byte comes to lane 0; the beats before that are dropped.
            short_start: Constant::new(start(net::HDR_BYTES).to_bits()),
            short_skip: Constant::new(skip(net::HDR_BYTES).to_bits()),
            long_start: Constant::new(start(net::HDR_HASH_BYTES).to_bits()),
            long_skip: Constant::new(skip(net::HDR_HASH_BYTES).to_bits()),
            hash_bit: Constant::new((feature::HASH_REPORT - 32).to_bits()),
            uso_bit: Constant::new((feature::HOST_USO - 32).to_bits()),
            type_mask: Constant::new((!net::GSO_ECN & u64::from(u8::MAX)).to_bits()),
            start_most: Constant::new((net::GSO_HEADER_BYTES - net::UDP_HEADER_BYTES).to_bits()),
            header_down: Constant::new((W.min(160) % 160).to_bits()),
            header_mask: Constant::new(if W < 160 { !Bits::default() } else { Bits::default() }),
            beat_down: Constant::new(W.saturating_sub(160).to_bits()),
            beat_up: Constant::new(160usize.saturating_sub(W).to_bits()),
        }
    }
}

impl<const W: usize> Logic for Tx<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, inside, begun, failed, gone_short, gone_long, gone_queue, skipped);
        dff_setup!(self, clock, waits, waiting, waiting_last, waiting_side, waiting_queue);
        dff_setup!(self, clock, header, csum_at, gso_held, gso_good);
        clock!(self, clock, issue, pack, dones, errors);
        self.issue.reset.next = self.reset.val();
        self.pack.reset.next = self.reset.val();
        self.dones.reset.next = self.reset.val();
        self.errors.reset.next = self.reset.val();
        self.issue.read_bytes.next = self.read_bytes.val();
        StreamSink::<Segment>::link(&mut self.segment, &mut self.issue.segment);
        StreamSource::<ReadRequest>::link(&mut self.request, &mut self.issue.request);
        StreamSource::<Done>::link(&mut self.done, &mut self.dones.source);
        StreamSource::<QueueError>::link(&mut self.error, &mut self.errors.source);

        // The first 96 bits of the header count, whichever there is.
        self.hashes.next = self.accepted1.val().get_bit(self.hash_bit.val().index());
        self.issue.hashes.next = self.hashes.val();
        self.head.next = self.header.q.val().get_bits::<96>(64);
        self.start.next = self.short_start.val();
        self.skip.next = self.short_skip.val();
        if self.hashes.val() {
            self.head.next = self.header.q.val().get_bits::<96>(0);
            self.start.next = self.long_start.val();
            self.skip.next = self.long_skip.val();
        }

        // Of the piece at hand: the lanes this beat brings.
        self.lane.next = 0.into();
        if !self.inside.q.val() {
            self.lane.next = bit_cast::<7, 2>(self.issue.piece.data.val().offset);
        }
        self.until.next = self.lanes.val();
        if self.reply.last.val() & self.issue.piece.data.val().until.any() {
            self.until.next = self.issue.piece.data.val().until;
        }
        self.read_failed.next =
            self.issue.piece.data.val().read & self.reply.side.val().error & self.reply.last.val();

        // A piece without a read is a beat of no bytes.
        self.offer.next =
            self.issue.piece.valid.val() & (self.reply.valid.val() | !self.issue.piece.data.val().read);
        self.piece_end.next = !self.issue.piece.data.val().read | self.reply.last.val();
        self.chain_end.next = self.piece_end.val() & self.issue.piece.data.val().mark.end;

        self.tso4.next = self.accepted0.val().get_bit(feature::HOST_TSO4);
        self.tso6.next = self.accepted0.val().get_bit(feature::HOST_TSO6);
        self.uso.next = self.accepted1.val().get_bit(self.uso_bit.val().index());
        // By the end of a chain that is longer than a frame its header is known.
        self.gso_type.next = self.head.val().get_bits::<8>(net::HDR_GSO_TYPE_LSB) & self.type_mask.val();
        self.gso.next = (self.tso4.val() | self.tso6.val() | self.uso.val()) & self.gso_type.val().any();
        self.long.next =
            self.issue.piece.data.val().mark.huge | (self.issue.piece.data.val().mark.long & !self.gso.val());
        self.bad.next = self.failed.q.val() | self.read_failed.val() | self.issue.piece.data.val().mark.fail;

        self.go.next = self.offer.val()
            & self.pack.sink.ready.val()
            & self.dones.sink.ready.val()
            & self.errors.sink.ready.val();
        self.pack.sink.valid.next =
            self.offer.val() & self.dones.sink.ready.val() & self.errors.sink.ready.val();
        self.pack.sink.data.next = self.reply.data.val();
        self.pack.sink.last.next = self.chain_end.val();
        self.pack.sink.side.next.rest = self.lanes.val() - self.lane.val();
        self.pack.sink.side.next.count = self.until.val() - self.lane.val();
        if self.read_failed.val() | !self.issue.piece.data.val().read {
            self.pack.sink.side.next.count = 0.into();
        }
        self.pack.sink.side.next.start = self.start.val();
        self.pack.tag.next.queue = self.issue.piece.data.val().mark.queue;
        self.pack.tag.next.bad = self.bad.val() | self.issue.piece.data.val().mark.short | self.long.val();
        self.reply.ready.next = self.go.val() & self.issue.piece.data.val().read;
        self.issue.piece.ready.next = self.go.val() & self.piece_end.val();

        self.dones.sink.valid.next = false;
        self.dones.sink.data.next.queue = self.issue.piece.data.val().mark.queue;
        self.dones.sink.data.next.id = self.issue.piece.data.val().mark.id;
        self.dones.sink.data.next.slots = self.issue.piece.data.val().mark.slots;
        self.dones.sink.data.next.len = 0.into();
        self.dones.sink.data.next.more = false;
        self.errors.sink.valid.next = false;
        self.errors.sink.data.next.queue = self.issue.piece.data.val().mark.queue;
        self.errors.sink.data.next.code = ident::ERROR_DMA_READ.into();
        if self.reply.side.val().timeout {
            self.errors.sink.data.next.code = ident::ERROR_DMA_TIMEOUT.into();
        }
        self.count_short.next = self.gone_short.q.val();
        self.count_long.next = self.gone_long.q.val();
        self.count_queue.next = self.gone_queue.q.val();
        self.gone_queue.d.next = self.issue.piece.data.val().mark.queue;
        self.gone_short.d.next = false;
        self.gone_long.d.next = false;

        if self.go.val() {
            self.begun.d.next = !self.chain_end.val();
            self.inside.d.next = !self.piece_end.val();
            if self.read_failed.val() {
                // Told once for each chain.
                self.failed.d.next = true;
                self.errors.sink.valid.next = !self.failed.q.val();
            }
            if self.chain_end.val() {
                self.failed.d.next = false;
                // "The device MUST NOT ... use a chain" whose bytes it could not read as if it had: it stays in flight until reset.
                if !self.bad.val() {
                    self.dones.sink.valid.next = true;
                    self.gone_long.d.next = self.long.val();
                    self.gone_short.d.next = self.issue.piece.data.val().mark.short & !self.long.val();
                }
            }
        }

        // A beat waits until the next one is there: if that has no bytes (a chain may end with a buffer of none, or with
        // one that is not read), the beat that waits is the frame's last.
        self.empty.next = self.pack.source.last.val() & !self.pack.source.side.val().count.any();
        self.ends.next = self.empty.val() & self.pack.source.valid.val() & !self.waiting_last.q.val();
        self.frame.valid.next =
            self.waits.q.val() & (self.waiting_last.q.val() | self.pack.source.valid.val());
        self.frame.data.next = self.waiting.q.val();
        self.frame.last.next = self.waiting_last.q.val() | self.ends.val();
        self.frame.side.next = self.waiting_side.q.val();
        if self.ends.val() {
            self.frame.side.next.error = self.pack.source_tag.val().bad;
        }
        self.leaves.next = self.frame.valid.val() & self.frame.ready.val();
        // The header's beats come first and end here.
        self.headers.next = (self.skipped.q.val() < self.skip.val()) & !self.pack.source.last.val();
        self.pack.source.ready.next = !self.waits.q.val() | self.leaves.val();
        if self.leaves.val() {
            self.waits.d.next = false;
        }
        if self.pack.source.valid.val() & self.pack.source.ready.val() {
            self.waiting.d.next = self.pack.source.data.val();
            self.waiting_last.d.next = self.pack.source.last.val();
            self.waiting_side.d.next.count = self.pack.source.side.val().count;
            self.waiting_side.d.next.error = self.pack.source_tag.val().bad;
            self.waiting_queue.d.next = self.pack.source_tag.val().queue;
            if self.empty.val() {
                // The whole of a bad frame.
                self.waiting_side.d.next.count = 1.into();
            }
            self.waits.d.next = !self.headers.val() & !(self.waits.q.val() & self.ends.val());
            if self.pack.source.last.val() {
                self.skipped.d.next = 0.into();
            } else if self.headers.val() {
                self.skipped.d.next = self.skipped.q.val() + 1;
                // The header's last byte is in the highest lane; a header longer than a beat takes more.
                self.header.d.next = ((self.header.q.val() >> self.header_down.val())
                    & self.header_mask.val())
                    | (bit_cast::<160, W>(self.pack.source.data.val() >> self.beat_down.val())
                        << self.beat_up.val());
            }
        }

        self.offload.next.owner = self.waiting_queue.q.val() | (bit_cast::<16, 2>(self.life.val()) << 14);
        self.offload.next.csum = self.accepted0.val().get_bit(feature::CSUM)
            & self.head.val().get_bits::<8>(net::HDR_FLAGS_LSB).get_bit(net::HDR_F_NEEDS_CSUM_BIT);
        self.offload.next.csum_start = self.head.val().get_bits::<16>(net::HDR_CSUM_START_LSB);
        self.offload.next.csum_at = self.csum_at.q.val();
        self.offload.next.gso = self.gso_held.q.val();
        self.offload.next.gso_good = self.gso_good.q.val();
        self.udp.next = self.gso_type.val() == net::GSO_UDP_L4;
        self.offload.next.udp = self.udp.val();
        self.offload.next.gso_size = self.head.val().get_bits::<16>(net::HDR_GSO_SIZE_LSB);
        self.gso_type_good.next = (self.tso4.val() & (self.gso_type.val() == net::GSO_TCPV4))
            | (self.tso6.val() & (self.gso_type.val() == net::GSO_TCPV6))
            | (self.uso.val() & self.udp.val());
        self.gso_held.d.next = self.gso.val();
        self.gso_good.d.next = self.gso_type_good.val()
            & self.offload.val().csum
            & !self.offload.val().csum_start.get_bit(0)
            & (self.offload.val().csum_start <= self.start_most.val())
            & self.offload.val().gso_size.any()
            & ((self.udp.val()
                & (self.head.val().get_bits::<16>(net::HDR_CSUM_OFFSET_LSB) == net::UDP_CHECKSUM))
                | (!self.udp.val()
                    & (self.head.val().get_bits::<16>(net::HDR_CSUM_OFFSET_LSB) == net::TCP_CHECKSUM)));
        self.csum_at.d.next = bit_cast::<17, 16>(self.head.val().get_bits::<16>(net::HDR_CSUM_START_LSB))
            + bit_cast::<17, 16>(self.head.val().get_bits::<16>(net::HDR_CSUM_OFFSET_LSB));

        self.busy.next = self.issue.busy.val()
            | self.issue.piece.valid.val()
            | self.begun.q.val()
            | self.pack.busy.val()
            | self.waits.q.val()
            | self.dones.source.valid.val()
            | self.errors.source.valid.val();
        if self.reset.val() {
            self.inside.d.next = false;
            self.begun.d.next = false;
            self.failed.d.next = false;
            self.gone_short.d.next = false;
            self.gone_long.d.next = false;
            self.skipped.d.next = 0.into();
            self.waits.d.next = false;
        }
    }
}
