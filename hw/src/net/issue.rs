//! The first half of transmission: cuts a chain's buffers into reads.
//! In: `segment`.   Out: `request`; `piece`, what each read is, in order, with pieces that need no read among them.
//! Time: a piece per cycle.
//! Waits: for `request` and for room in the list of pieces.
//! Spec: [virtio 1.4: Packet Transmission]

use crate::params::Params;
use crate::port::chain::Segment;
use crate::port::dma::ReadRequest;
use crate::prim::cut::Cut;
use crate::prim::fifo::Fifo;
use crate::prim::skid::Skid;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_abi::net;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// What a buffer of a chain is.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Mark {
    pub queue: Bits<16>,
    pub id: Bits<16>,
    pub slots: Bits<16>,
    /// The last one of its chain.
    pub end: Bit,
    /// With `end`: there are too few bytes for a header and an Ethernet header.
    pub short: Bit,
    /// With `end`: the chain is longer than a frame may be.
    pub long: Bit,
    /// With `end`: it is longer than a packet to be segmented may be, too.
    pub huge: Bit,
    /// With `end`: the chain is bad; do not complete it.
    pub fail: Bit,
}

/// What comes back for a read.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Piece {
    /// As of its buffer, and `end` is of the chain's last piece.
    pub mark: Mark,
    /// Lane of the first byte.
    pub offset: Bits<2>,
    /// Lane behind the last byte, in its beat; 0: the beat is full.
    pub until: Bits<7>,
    /// There is a reply to take.
    pub read: Bit,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Issue {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub segment: StreamSink<Segment>,
    pub read_bytes: Signal<In, Bits<13>>,
    /// HASH_REPORT is accepted: headers are longer.
    pub hashes: Signal<In, Bit>,
    pub request: StreamSource<ReadRequest>,
    pub piece: StreamSource<Piece>,
    pub busy: Signal<Out, Bit>,
    cut: Cut<Mark>,
    pieces: Fifo<Piece>,
    /// In a wide function a read that has to wait waits here, and nobody behind it hears of that in the same cycle.
    reads: Skid<ReadRequest>,
    /// Of the chain: bytes that it may still have, unless it is too long; there is more of it to come.
    room: Reg<Bits<18>>,
    huge: Reg<Bit>,
    midway: Reg<Bit>,
    /// The high bit says less than nothing.
    room_before: Signal<Local, Bits<18>>,
    room_now: Signal<Local, Bits<18>>,
    too_long: Signal<Local, Bit>,
    needs_read: Signal<Local, Bit>,
    go: Signal<Local, Bit>,
    /// Room of a chain, with a short header and a long one; that from which on it is too short; that up to which it is too long, unless it is segmented.
    most: Constant<Bits<18>>,
    most_long: Constant<Bits<18>>,
    short_from: Constant<Bits<18>>,
    long_to: Constant<Bits<18>>,
    room_mask: Constant<Bits<18>>,
    room_sign: Constant<Bits<18>>,
    lane_mask: Constant<Bits<7>>,
    id_mask: Constant<Bits<16>>,
    slots_mask: Constant<Bits<16>>,
    queue_mask: Constant<Bits<16>>,
    odd: Constant<Bits<16>>,
    /// Bits of a length that need not be too long.
    len_mask: Constant<Bits<32>>,
}

impl Issue {
    /// Chains of up to `params.frame_bytes` and the header.
    pub fn new(params: &Params) -> Self {
        let most = params.frame_bytes + net::HDR_BYTES;
        assert!(
            params.frame_bytes + params.header_bytes() <= Cut::<Mark>::MOST_BYTES,
            "{}: frame_bytes {}",
            params.name,
            params.frame_bytes
        );
        let able = params.segments();
        let packet = if able { net::HDR_BYTES + net::GSO_PACKET_BYTES } else { most };
        let sign = (packet + net::HDR_HASH_BYTES - net::HDR_BYTES).next_power_of_two();
        let cut = if params.width == 64 { Cut::lazy(params.read_bytes) } else { Cut::new(params.read_bytes) };
        let least = net::HDR_BYTES + net::ETHERNET_HEADER_BYTES;
        let piece_mask = Piece {
            mark: Mark {
                queue: (params.queues() - 1).to_bits(),
                id: params.name_mask().to_bits(),
                slots: params.slots_mask().to_bits(),
                end: true,
                short: true,
                long: true,
                huge: able,
                fail: true,
            },
            offset: 3u64.to_bits(),
            until: (params.width / 8 - 1).to_bits(),
            read: true,
        };
        Self {
            clock: Default::default(),
            reset: Default::default(),
            segment: Default::default(),
            read_bytes: Default::default(),
            hashes: Default::default(),
            request: Default::default(),
            piece: Default::default(),
            busy: Default::default(),
            cut: if able { cut.long() } else { cut },
            pieces: Fifo::narrow(params.tags.max(16), piece_mask),
            reads: Skid::new(Params::wide(params.width)),
            room: Reg::new(packet.to_bits()),
            huge: Default::default(),
            midway: Default::default(),
            room_before: Default::default(),
            room_now: Default::default(),
            too_long: Default::default(),
            needs_read: Default::default(),
            go: Default::default(),
            most: Constant::new(packet.to_bits()),
            most_long: Constant::new((packet + net::HDR_HASH_BYTES - net::HDR_BYTES).to_bits()),
            short_from: Constant::new((packet - least).to_bits()),
            long_to: Constant::new((packet - most).to_bits()),
            room_mask: Constant::new((2 * sign - 1).to_bits()),
            room_sign: Constant::new(sign.to_bits()),
            lane_mask: Constant::new((params.width / 8 - 1).to_bits()),
            id_mask: Constant::new(params.name_mask().to_bits()),
            slots_mask: Constant::new(params.slots_mask().to_bits()),
            // Transmit queues are the odd ones.
            queue_mask: Constant::new((params.queues() - 2).to_bits()),
            odd: Constant::new(1u64.to_bits()),
            len_mask: Constant::new((sign - 1).to_bits()),
        }
    }
}

impl Logic for Issue {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, room, huge, midway);
        clock!(self, clock, cut, pieces, reads);
        self.reads.reset.next = self.reset.val();
        StreamSource::<ReadRequest>::link(&mut self.request, &mut self.reads.source);
        self.cut.reset.next = self.reset.val();
        self.pieces.reset.next = self.reset.val();
        self.cut.limit.next = self.read_bytes.val();
        StreamSource::<Piece>::link(&mut self.piece, &mut self.pieces.source);

        // A buffer that makes the frame too long is not read.
        self.room_before.next = self.room.q.val();
        if self.hashes.val() & !self.midway.q.val() {
            self.room_before.next = self.most_long.val();
        }
        self.room_now.next =
            (self.room_before.val() - bit_cast::<18, 32>(self.segment.data.val().len)) & self.room_mask.val();
        self.too_long.next = (self.segment.data.val().len & !self.len_mask.val()).any()
            | (self.room_now.val() & self.room_sign.val()).any()
            | self.huge.q.val();
        self.segment.ready.next = self.cut.job.ready.val();
        self.cut.job.valid.next = self.segment.valid.val();
        self.cut.job.data.next.addr = self.segment.data.val().addr;
        self.cut.job.data.next.len = self.segment.data.val().len.get_bits::<17>(0);
        if self.too_long.val() | self.segment.data.val().error {
            self.cut.job.data.next.len = 0.into();
        }
        self.cut.tag.next.queue = (self.segment.data.val().queue & self.queue_mask.val()) | self.odd.val();
        self.cut.tag.next.id = self.segment.data.val().id & self.id_mask.val();
        self.cut.tag.next.slots = self.segment.data.val().slots & self.slots_mask.val();
        self.cut.tag.next.end = self.segment.data.val().last;
        self.cut.tag.next.short = self.room_now.val() > self.short_from.val();
        self.cut.tag.next.long =
            self.too_long.val() | ((self.room_now.val() - self.long_to.val()) & self.room_sign.val()).any();
        self.cut.tag.next.huge = self.too_long.val();
        self.cut.tag.next.fail = self.segment.data.val().error;
        if self.segment.valid.val() & self.cut.job.ready.val() {
            self.room.d.next = self.room_now.val();
            self.huge.d.next = self.too_long.val();
            self.midway.d.next = !self.segment.data.val().last;
            if self.segment.data.val().last {
                self.room.d.next = self.most.val();
                self.huge.d.next = false;
            }
        }

        // Each piece is a read and an entry in the list, together.
        self.needs_read.next = self.cut.piece.data.val().some;
        self.go.next = self.cut.piece.valid.val()
            & self.pieces.sink.ready.val()
            & (self.reads.sink.ready.val() | !self.needs_read.val());
        self.reads.sink.valid.next =
            self.cut.piece.valid.val() & self.pieces.sink.ready.val() & self.needs_read.val();
        self.reads.sink.data.next.addr = self.cut.piece.data.val().addr;
        self.reads.sink.data.next.len = self.cut.piece.data.val().len;
        self.cut.piece.ready.next = self.go.val();
        self.pieces.sink.valid.next = self.go.val();
        self.pieces.sink.data.next.mark = self.cut.piece_tag.val();
        self.pieces.sink.data.next.mark.end = self.cut.piece.data.val().last & self.cut.piece_tag.val().end;
        self.pieces.sink.data.next.offset = self.cut.piece.data.val().addr.get_bits::<2>(0);
        self.pieces.sink.data.next.until =
            (bit_cast::<7, 2>(self.cut.piece.data.val().addr.get_bits::<2>(0))
                + self.cut.piece.data.val().len.get_bits::<7>(0))
                & self.lane_mask.val();
        self.pieces.sink.data.next.read = self.needs_read.val();

        self.busy.next =
            self.cut.busy.val() | self.midway.q.val() | self.segment.valid.val() | !self.reads.empty.val();
        if self.reset.val() {
            self.room.d.next = self.most.val();
            self.huge.d.next = false;
            self.midway.d.next = false;
        }
    }
}
