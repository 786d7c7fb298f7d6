//! Reception, second half: writes a frame, its header before it, into its buffers.
//! In: `job`, `share` (from `net::place`); `frame`; `report`, what its header says, there when its job is.   Out: `write`; `done`, one per chain.
//! Time: one beat of header and frame per cycle; a cycle more for each piece whose end spills over.
//! Waits: for `write` and `done`.   A share is cut while those before it are being written.
//! Spec: [virtio 1.4: Processing of Incoming Packets], num_buffers; [Hash reporting for incoming packets]; [Device Requirements: Processing of Incoming Packets]

use super::place::{Job, Share};
use crate::params::Params;
use crate::port::chain::Done;
use crate::port::dma::WriteSide;
use crate::port::frame::{FrameSide, Report};
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::cut::{Cut, Piece};
use crate::prim::fifo::Fifo;
use crate::prim::pack::Pack;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_abi::net;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// What a share's pieces are.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Part {
    pub queue: Bits<16>,
    pub id: Bits<16>,
    pub slots: Bits<16>,
    /// Bytes of its chain up to its end.
    pub written: Bits<14>,
    pub end: Bit,
    pub last: Bit,
}

/// What a packet inside `pack` is.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Side {
    pub addr: Bits<64>,
    pub len: Bits<13>,
    /// There is nothing to write: the buffer has no bytes.
    pub empty: Bit,
    /// A chain ends with it.
    pub end: Bit,
    /// As of its share.
    pub part: Part,
}

/// What comes next: of the header what fills a beat, if it does; its end, and the frame behind it; the frame; what is left of
/// its last beat.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum Row {
    Header,
    First,
    Next,
    Tail,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Rx<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub payload_bytes: Signal<In, Bits<13>>,
    pub job: StreamSink<Job>,
    pub share: StreamSink<Share>,
    pub frame: BeatSink<W, FrameSide>,
    pub report: StreamSink<Report>,
    /// HASH_REPORT is accepted: the header is longer.
    pub hashes: Signal<In, Bit>,
    pub write: BeatSource<W, WriteSide>,
    pub done: StreamSource<Done>,
    pub busy: Signal<Out, Bit>,
    /// Pulse, the cycle after: a frame's last byte has a place.
    pub count_frames: Signal<Out, Bit>,
    /// Pulse, with that: its checksum is called right.
    pub count_right: Signal<Out, Bit>,
    cut: Cut<Part>,
    pack: Pack<W, Side>,
    dones: Fifo<Done>,
    /// Bytes of the chain in the shares before.
    chain_bytes: Reg<Bits<14>>,
    row: Reg<Row>,
    /// The frame stands behind the header: what the row before had no lanes for.
    carry: Reg<Bits<W>>,
    /// Bytes of this row that have not gone: its last lanes.
    rest: Reg<Bits<7>>,
    /// The piece being filled, and its bytes that have not gone.
    filling: Reg<Bit>,
    piece: Reg<Piece>,
    part: Reg<Part>,
    left: Reg<Bits<13>>,
    /// There is room for two done chains, or was before the last one; or a packet has begun to leave when there was.
    dones_free: Reg<Bit>,
    midway: Reg<Bit>,
    gone: Reg<Bit>,
    gone_right: Reg<Bit>,
    written: Signal<Local, Bits<14>>,
    rest_wide: Signal<Local, Bits<13>>,
    of_frame: Signal<Local, Bit>,
    /// What stands before the frame's bytes in a row.
    front: Signal<Local, Bits<W>>,
    /// The header; a row of it comes before that in which the frame begins; the row at hand.
    right: Signal<Local, Bit>,
    header: Signal<Local, Bits<160>>,
    whole: Signal<Local, Bit>,
    at: Signal<Local, Row>,
    /// The frame's bytes where they stand in this row, and what is left of them for the next.
    placed: Signal<Local, Bits<W>>,
    beyond: Signal<Local, Bits<W>>,
    beat: Signal<Local, Bits<W>>,
    piece_done: Signal<Local, Bit>,
    row_done: Signal<Local, Bit>,
    frame_done: Signal<Local, Bit>,
    take: Signal<Local, Bits<7>>,
    offer: Signal<Local, Bit>,
    moved: Signal<Local, Bit>,
    next_piece: Signal<Local, Bit>,
    leaves: Signal<Local, Bit>,
    short_whole: Constant<Bit>,
    long_whole: Constant<Bit>,
    lanes: Constant<Bits<7>>,
    short_bits: Constant<Bits<10>>,
    short_carry: Constant<Bits<10>>,
    long_bits: Constant<Bits<10>>,
    long_carry: Constant<Bits<10>>,
    row_bits: Constant<Bits<8>>,
    chains_at: Constant<Bits<8>>,
    hash_at: Constant<Bits<8>>,
    kind_at: Constant<Bits<8>>,
    len_mask: Constant<Bits<13>>,
    written_mask: Constant<Bits<14>>,
    id_mask: Constant<Bits<16>>,
    slots_mask: Constant<Bits<16>>,
    queue_mask: Constant<Bits<16>>,
}

impl<const W: usize> Rx<W> {
    /// Pieces of up to `params.payload_bytes`.
    pub fn new(params: &Params) -> Self {
        let lanes = W / 8;
        let most = params.frame_bytes + params.header_bytes();
        assert!(most <= Cut::<Part>::MOST_BYTES, "{}: frame_bytes {}", params.name, params.frame_bytes);
        assert!(params.header_bytes() < 2 * lanes, "{}: HASH_REPORT at {W} bits", params.name);
        let written_mask = params.placed_mask();
        // Bits of the header in the row in which the frame begins.
        let end = |header: usize| 8 * (header % lanes);
        let (short_end, long_end) = (end(net::HDR_BYTES), end(net::HDR_HASH_BYTES));
        Self {
            clock: Default::default(),
            reset: Default::default(),
            payload_bytes: Default::default(),
            job: Default::default(),
            share: Default::default(),
            frame: Default::default(),
            report: Default::default(),
            hashes: Default::default(),
            write: Default::default(),
            done: Default::default(),
            busy: Default::default(),
            count_frames: Default::default(),
            count_right: Default::default(),
            cut: Cut::lazy(params.payload_bytes),
            pack: Default::default(),
            dones: Fifo::narrow(
                // Room for a run, while the other direction has one.
                if W == 64 { 4 } else { 32 },
                Done {
                    queue: (params.queues() - 2).to_bits(),
                    id: params.name_mask().to_bits(),
                    slots: params.slots_mask().to_bits(),
                    len: written_mask.to_bits(),
                    more: true,
                },
            ),
            chain_bytes: Default::default(),
            row: Reg::new(Row::Header),
            carry: Default::default(),
            rest: Reg::new(lanes.to_bits()),
            filling: Default::default(),
            piece: Default::default(),
            part: Default::default(),
            left: Default::default(),
            dones_free: Default::default(),
            midway: Default::default(),
            gone: Default::default(),
            gone_right: Default::default(),
            written: Default::default(),
            rest_wide: Default::default(),
            of_frame: Default::default(),
            front: Default::default(),
            right: Default::default(),
            header: Default::default(),
            whole: Default::default(),
            at: Default::default(),
            placed: Default::default(),
            beyond: Default::default(),
            beat: Default::default(),
            piece_done: Default::default(),
            row_done: Default::default(),
            frame_done: Default::default(),
            take: Default::default(),
            offer: Default::default(),
            moved: Default::default(),
            next_piece: Default::default(),
            leaves: Default::default(),
            // A header longer than a beat is a whole beat, and the rest.
            short_whole: Constant::new(lanes < net::HDR_BYTES),
            long_whole: Constant::new(lanes < net::HDR_HASH_BYTES),
            lanes: Constant::new(lanes.to_bits()),
            short_bits: Constant::new(short_end.to_bits()),
            short_carry: Constant::new((W - short_end).to_bits()),
            long_bits: Constant::new(long_end.to_bits()),
            long_carry: Constant::new((W - long_end).to_bits()),
            row_bits: Constant::new((W % 256).to_bits()),
            chains_at: Constant::new(net::HDR_NUM_BUFFERS_LSB.to_bits()),
            hash_at: Constant::new((8 * net::HDR_BYTES + net::HDR_HASH_VALUE_LSB).to_bits()),
            kind_at: Constant::new((8 * net::HDR_BYTES + net::HDR_HASH_REPORT_LSB).to_bits()),
            len_mask: Constant::new((2 * params.payload_bytes - 1).to_bits()),
            written_mask: Constant::new(written_mask.to_bits()),
            id_mask: Constant::new(params.name_mask().to_bits()),
            slots_mask: Constant::new(params.slots_mask().to_bits()),
            // Receive queues are the even ones.
            queue_mask: Constant::new((params.queues() - 2).to_bits()),
        }
    }
}

impl<const W: usize> Logic for Rx<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            chain_bytes,
            row,
            carry,
            rest,
            filling,
            piece,
            part,
            left,
            dones_free,
            midway,
            gone,
            gone_right
        );
        clock!(self, clock, cut, pack, dones);
        self.cut.reset.next = self.reset.val();
        self.pack.reset.next = self.reset.val();
        self.dones.reset.next = self.reset.val();
        self.cut.limit.next = self.payload_bytes.val();
        StreamSource::<Done>::link(&mut self.done, &mut self.dones.source);

        // Shares are cut into pieces.
        self.written.next = (self.chain_bytes.q.val() + self.share.data.val().len) & self.written_mask.val();
        self.share.ready.next = self.cut.job.ready.val();
        self.cut.job.valid.next = self.share.valid.val();
        self.cut.job.data.next.addr = self.share.data.val().addr;
        self.cut.job.data.next.len = bit_cast::<17, 14>(self.share.data.val().len & self.written_mask.val());
        self.cut.tag.next.queue = self.share.data.val().queue & self.queue_mask.val();
        self.cut.tag.next.id = self.share.data.val().id & self.id_mask.val();
        self.cut.tag.next.slots = self.share.data.val().slots & self.slots_mask.val();
        self.cut.tag.next.written = self.written.val();
        self.cut.tag.next.end = self.share.data.val().end;
        self.cut.tag.next.last = self.share.data.val().last;
        if self.share.valid.val() & self.cut.job.ready.val() {
            self.chain_bytes.d.next = self.written.val();
            if self.share.data.val().end {
                self.chain_bytes.d.next = 0.into();
            }
        }

        // Rows are header and frame, dense. Shares hold them, neither more nor less: so a row never ends before its piece but at the
        // end of its beat, and the last row ends with the last piece.
        self.rest_wide.next = bit_cast::<13, 7>(self.rest.q.val());
        self.piece_done.next = self.left.q.val() <= self.rest_wide.val();
        self.row_done.next = self.left.q.val() >= self.rest_wide.val();
        self.frame_done.next = self.piece_done.val() & self.piece.q.val().last & self.part.q.val().last;
        self.take.next = self.rest.q.val();
        if self.piece_done.val() {
            self.take.next = self.left.q.val().get_bits::<7>(0);
        }
        self.whole.next = self.short_whole.val();
        if self.hashes.val() {
            self.whole.next = self.long_whole.val();
        }
        self.at.next = self.row.q.val();
        if (self.row.q.val() == Row::Header) & !self.whole.val() {
            self.at.next = Row::First;
        }
        self.of_frame.next = (self.at.val() == Row::First) | (self.at.val() == Row::Next);
        self.offer.next = self.filling.q.val()
            & self.job.valid.val()
            & !self.job.data.val().drop
            & (!self.of_frame.val() | self.frame.valid.val());
        self.right.next = self.report.valid.val() & self.report.data.val().right;
        self.header.next = bit_cast::<160, 8>(self.job.data.val().chains) << self.chains_at.val();
        if self.hashes.val() {
            self.header.next = (bit_cast::<160, 8>(self.job.data.val().chains) << self.chains_at.val())
                | (bit_cast::<160, 32>(self.report.data.val().hash) << self.hash_at.val())
                | (bit_cast::<160, 3>(self.report.data.val().kind) << self.kind_at.val());
        }
        if self.right.val() {
            self.header.next = self.header.val().replace_bit(net::HDR_F_DATA_VALID_BIT, true);
        }
        self.placed.next = self.frame.data.val() << self.short_bits.val();
        self.beyond.next = self.frame.data.val() >> self.short_carry.val();
        if self.hashes.val() {
            self.placed.next = self.frame.data.val() << self.long_bits.val();
            self.beyond.next = self.frame.data.val() >> self.long_carry.val();
        }
        self.front.next = self.carry.q.val();
        if self.at.val() == Row::First {
            self.front.next = bit_cast::<W, 160>(self.header.val());
            if self.whole.val() {
                self.front.next = bit_cast::<W, 160>(self.header.val() >> self.row_bits.val());
            }
        }
        self.beat.next = self.front.val() | self.placed.val();
        if self.at.val() == Row::Header {
            self.beat.next = bit_cast::<W, 160>(self.header.val());
        }
        self.pack.sink.valid.next = self.offer.val();
        self.pack.sink.data.next = self.beat.val();
        self.pack.sink.last.next = self.piece_done.val();
        self.pack.sink.side.next.rest = self.rest.q.val();
        self.pack.sink.side.next.count = self.take.val();
        self.pack.sink.side.next.start = bit_cast::<7, 2>(self.piece.q.val().addr.get_bits::<2>(0));
        self.pack.tag.next.addr = self.piece.q.val().addr;
        self.pack.tag.next.len = self.piece.q.val().len;
        self.pack.tag.next.empty = !self.piece.q.val().len.any();
        self.pack.tag.next.end = self.piece.q.val().last & self.part.q.val().end;
        self.pack.tag.next.part = self.part.q.val();
        self.moved.next = self.offer.val() & self.pack.sink.ready.val();
        self.gone.d.next = self.moved.val() & self.frame_done.val();
        self.count_frames.next = self.gone.q.val();
        self.gone_right.d.next = self.moved.val() & self.frame_done.val() & self.right.val();
        self.count_right.next = self.gone_right.q.val();
        self.frame.ready.next =
            (self.moved.val() & self.of_frame.val() & (self.row_done.val() | self.frame_done.val()))
                | (self.job.valid.val() & self.job.data.val().drop);
        self.job.ready.next = (self.moved.val() & self.frame_done.val())
            | (self.job.data.val().drop & self.frame.valid.val() & self.frame.last.val());
        self.report.ready.next = self.job.valid.val() & self.job.ready.val();
        self.next_piece.next = !self.filling.q.val() | (self.moved.val() & self.piece_done.val());
        self.cut.piece.ready.next = self.next_piece.val();
        if self.moved.val() {
            self.left.d.next = self.left.q.val() - self.rest_wide.val();
            self.rest.d.next = self.rest.q.val() - self.left.q.val().get_bits::<7>(0);
            if self.row_done.val() {
                self.rest.d.next = self.lanes.val();
                self.carry.d.next = self.beyond.val();
                self.row.d.next = Row::Next;
                if self.of_frame.val() & self.frame.last.val() {
                    self.row.d.next = Row::Tail;
                }
                if self.at.val() == Row::Header {
                    self.row.d.next = Row::First;
                }
            }
        }

        if self.next_piece.val() {
            self.filling.d.next = self.cut.piece.valid.val();
            self.piece.d.next = self.cut.piece.data.val();
            self.part.d.next = self.cut.piece_tag.val();
            self.left.d.next = self.cut.piece.data.val().len & self.len_mask.val();
        }

        // A piece leaves beside what it is; when its last beat has been taken for the host, the chain it ends is done.
        self.write.valid.next =
            self.pack.source.valid.val() & !self.pack.source_tag.val().empty & self.dones_free.q.val();
        self.write.data.next = self.pack.source.data.val();
        self.write.last.next = self.pack.source.last.val();
        self.write.side.next.addr = self.pack.source_tag.val().addr;
        self.write.side.next.len = self.pack.source_tag.val().len;
        self.write.side.next.notify = 0.into();
        self.pack.source.ready.next =
            (self.write.ready.val() | self.pack.source_tag.val().empty) & self.dones_free.q.val();
        self.leaves.next = self.pack.source.valid.val() & self.pack.source.ready.val();
        // Used elements go the way of these writes: one that has begun does not wait for them.
        if self.leaves.val() {
            self.midway.d.next = !self.pack.source.last.val();
        }
        self.dones_free.d.next = (self.dones.room.val() > 1) | self.midway.d.val();
        self.dones.sink.valid.next =
            self.leaves.val() & self.pack.source.last.val() & self.pack.source_tag.val().end;
        self.dones.sink.data.next.queue = self.pack.source_tag.val().part.queue;
        self.dones.sink.data.next.id = self.pack.source_tag.val().part.id;
        self.dones.sink.data.next.slots = self.pack.source_tag.val().part.slots;
        self.dones.sink.data.next.len = bit_cast::<32, 14>(self.pack.source_tag.val().part.written);
        self.dones.sink.data.next.more = !self.pack.source_tag.val().part.last;

        self.busy.next = self.job.valid.val()
            | self.cut.busy.val()
            | self.filling.q.val()
            | self.pack.busy.val()
            | self.dones.source.valid.val();
        if (self.moved.val() & self.frame_done.val()) | self.reset.val() {
            self.rest.d.next = self.lanes.val();
            self.row.d.next = Row::Header;
        }
        if self.reset.val() {
            self.chain_bytes.d.next = 0.into();
            self.filling.d.next = false;
            self.midway.d.next = false;
            self.gone.d.next = false;
            self.gone_right.d.next = false;
        }
    }
}
