//! Reception, second half: writes a frame, its header before it, into its buffers.
//! In: `job`, `place` (from `net::place`); `frame`.   Out: `write`; `done`, one per chain.
//! Time: one beat per cycle, and one for the header; a cycle more for each piece whose end spills over.
//! Waits: for `write` and `done`.
//! Spec: [virtio 1.4: Processing of Incoming Packets], num_buffers; [Device Requirements: Processing of Incoming Packets]

use super::place::Job;
use crate::params::Params;
use crate::port::chain::{Done, Segment};
use crate::port::dma::WriteSide;
use crate::port::frame::FrameSide;
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::cut::Cut;
use crate::prim::fifo::Fifo;
use crate::prim::pack::Pack;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_abi::net;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum State {
    Idle,
    Place,
    Move,
    DropFrame,
    DropPlaces,
}

/// What a piece inside `pack` is.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Side {
    pub addr: Bits<64>,
    pub len: Bits<13>,
    /// A chain ends with it; the rest is the chain's.
    pub end: Bit,
    pub queue: Bits<16>,
    pub id: Bits<16>,
    pub written: Bits<17>,
    pub more: Bit,
    /// There is nothing to write: the buffer has no bytes.
    pub empty: Bit,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Rx<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub payload_bytes: Signal<In, Bits<13>>,
    pub job: StreamSink<Job>,
    pub place: StreamSink<Segment>,
    pub frame: BeatSink<W, FrameSide>,
    pub write: BeatSource<W, WriteSide>,
    pub done: StreamSource<Done>,
    pub busy: Signal<Out, Bit>,
    /// Pulse: a frame's last byte has a place.
    pub count_frames: Signal<Out, Bit>,
    pack: Pack<W>,
    cut: Cut,
    sides: Fifo<Side>,
    dones: Fifo<Done>,
    state: Reg<State>,
    // Of the frame: bytes without a place yet (header and all), places and chains to come.
    left: Reg<Bits<17>>,
    places: Reg<Bits<8>>,
    chains: Reg<Bits<16>>,
    num_buffers: Reg<Bits<16>>,
    // Of the chain and the buffer being filled.
    chain_bytes: Reg<Bits<17>>,
    buffer: Reg<Segment>,
    chain_end: Reg<Bit>,
    begun: Reg<Bit>,
    piece_left: Reg<Bits<13>>,
    // Bytes of the header, and of the frame's beat, that have gone.
    header_at: Reg<Bits<7>>,
    beat_at: Reg<Bits<7>>,
    long_buffer: Signal<Local, Bit>,
    part: Signal<Local, Bits<17>>,
    piece_now: Signal<Local, Bits<13>>,
    in_header: Signal<Local, Bit>,
    at: Signal<Local, Bits<7>>,
    until: Signal<Local, Bits<7>>,
    have: Signal<Local, Bits<7>>,
    take: Signal<Local, Bits<7>>,
    piece_done: Signal<Local, Bit>,
    offer: Signal<Local, Bit>,
    moved: Signal<Local, Bit>,
    row: Signal<Local, Bits<W>>,
    header: Constant<Bits<7>>,
    header_wide: Constant<Bits<17>>,
    lanes: Constant<Bits<7>>,
    narrow: Constant<Bit>,
}

impl<const W: usize> Rx<W> {
    /// Pieces of up to `payload_bytes`.
    pub fn new(_params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            payload_bytes: Default::default(),
            job: Default::default(),
            place: Default::default(),
            frame: Default::default(),
            write: Default::default(),
            done: Default::default(),
            busy: Default::default(),
            count_frames: Default::default(),
            pack: Default::default(),
            cut: Default::default(),
            sides: Fifo::new(4),
            dones: Fifo::new(4),
            state: Default::default(),
            left: Default::default(),
            places: Default::default(),
            chains: Default::default(),
            num_buffers: Default::default(),
            chain_bytes: Default::default(),
            buffer: Default::default(),
            chain_end: Default::default(),
            begun: Default::default(),
            piece_left: Default::default(),
            header_at: Default::default(),
            beat_at: Default::default(),
            long_buffer: Default::default(),
            part: Default::default(),
            piece_now: Default::default(),
            in_header: Default::default(),
            at: Default::default(),
            until: Default::default(),
            have: Default::default(),
            take: Default::default(),
            piece_done: Default::default(),
            offer: Default::default(),
            moved: Default::default(),
            row: Default::default(),
            header: Constant::new(net::HDR_BYTES.to_bits()),
            header_wide: Constant::new(net::HDR_BYTES.to_bits()),
            lanes: Constant::new((W / 8).to_bits()),
            narrow: Constant::new(W / 8 < net::HDR_BYTES),
        }
    }
}

impl<const W: usize> Logic for Rx<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, left, places, chains, num_buffers, chain_bytes, buffer, chain_end);
        dff_setup!(self, clock, begun, piece_left, header_at, beat_at);
        clock!(self, clock, pack, cut, sides, dones);
        self.pack.reset.next = self.reset.val();
        self.cut.reset.next = self.reset.val();
        self.sides.reset.next = self.reset.val();
        self.dones.reset.next = self.reset.val();
        self.cut.limit.next = self.payload_bytes.val();
        StreamSource::<Done>::link(&mut self.done, &mut self.dones.source);

        self.count_frames.next = false;
        self.job.ready.next = false;
        self.place.ready.next = false;
        self.frame.ready.next = false;
        self.cut.job.valid.next = false;
        self.cut.piece.ready.next = false;
        self.sides.sink.valid.next = false;

        // How much of this buffer the frame needs.
        self.long_buffer.next = self.place.data.val().len.get_bits::<15>(17).any();
        self.part.next = self.left.q.val();
        if !self.long_buffer.val() & (self.place.data.val().len.get_bits::<17>(0) < self.left.q.val()) {
            self.part.next = self.place.data.val().len.get_bits::<17>(0);
        }
        self.cut.job.data.next.addr = self.place.data.val().addr;
        self.cut.job.data.next.len = bit_cast::<32, 17>(self.part.val());

        // What comes next: header bytes `at` to `until`, or bytes of the frame's beat; in lanes of a row.
        self.in_header.next = self.header_at.q.val() < self.header.val();
        self.at.next = self.beat_at.q.val();
        self.until.next = self.frame.side.val().count;
        self.row.next = self.frame.data.val();
        if self.in_header.val() {
            self.at.next = self.header_at.q.val();
            self.until.next = self.header.val();
            // num_buffers is the header's last field.
            self.row.next = bit_cast::<W, 16>(self.num_buffers.q.val()) << net::HDR_NUM_BUFFERS_BIT;
            if self.narrow.val() {
                if self.header_at.q.val() < self.lanes.val() {
                    self.row.next = 0.into();
                    self.until.next = self.lanes.val();
                } else {
                    self.row.next =
                        bit_cast::<W, 16>(self.num_buffers.q.val()) << net::HDR_NUM_BUFFERS_BIT_NARROW;
                    self.at.next = self.header_at.q.val() - self.lanes.val();
                    self.until.next = self.header.val() - self.lanes.val();
                }
            }
        }
        self.have.next = self.until.val() - self.at.val();
        self.piece_now.next = self.piece_left.q.val();
        if !self.begun.q.val() {
            self.piece_now.next = self.cut.piece.data.val().len;
        }
        self.take.next = self.have.val();
        if bit_cast::<13, 7>(self.have.val()) > self.piece_now.val() {
            self.take.next = self.piece_now.val().get_bits::<7>(0);
        }
        self.piece_done.next = bit_cast::<13, 7>(self.take.val()) == self.piece_now.val();
        self.offer.next = (self.state.q.val() == State::Move)
            & self.cut.piece.valid.val()
            & (self.in_header.val() | self.frame.valid.val())
            & (self.begun.q.val() | self.sides.sink.ready.val());
        self.pack.sink.valid.next = self.offer.val();
        self.pack.sink.data.next = self.row.val();
        self.pack.sink.last.next = self.piece_done.val();
        self.pack.sink.side.next.from = self.at.val();
        self.pack.sink.side.next.count = self.take.val();
        self.pack.sink.side.next.start = bit_cast::<7, 2>(self.cut.piece.data.val().addr.get_bits::<2>(0));
        self.pack.sink.side.next.error = false;
        self.moved.next = self.offer.val() & self.pack.sink.ready.val();
        self.sides.sink.data.next.addr = self.cut.piece.data.val().addr;
        self.sides.sink.data.next.len = self.cut.piece.data.val().len;
        self.sides.sink.data.next.end = self.cut.piece.data.val().last & self.chain_end.q.val();
        self.sides.sink.data.next.queue = self.buffer.q.val().queue;
        self.sides.sink.data.next.id = self.buffer.q.val().id;
        self.sides.sink.data.next.written = self.chain_bytes.q.val();
        self.sides.sink.data.next.more = self.chains.q.val() > 1;
        self.sides.sink.data.next.empty = false;

        match self.state.q.val() {
            // Idle: the next frame.
            State::Idle => {
                self.job.ready.next = true;
                self.left.d.next = bit_cast::<17, 16>(self.job.data.val().len) + self.header_wide.val();
                self.places.d.next = self.job.data.val().places;
                self.chains.d.next = self.job.data.val().chains;
                self.num_buffers.d.next = self.job.data.val().chains;
                self.chain_bytes.d.next = 0.into();
                self.header_at.d.next = 0.into();
                self.beat_at.d.next = 0.into();
                if self.job.valid.val() {
                    self.state.d.next = State::Place;
                    if self.job.data.val().drop {
                        self.state.d.next = State::DropFrame;
                    }
                }
            }
            // Place: the next buffer.
            State::Place => {
                self.cut.job.valid.next = self.place.valid.val() & self.part.val().any();
                if self.place.valid.val() & !self.part.val().any() {
                    // A chain that ends with no bytes is done all the same, in its turn.
                    self.sides.sink.valid.next = true;
                    self.sides.sink.data.next.empty = true;
                    self.sides.sink.data.next.end = self.place.data.val().last;
                    self.sides.sink.data.next.queue = self.place.data.val().queue;
                    self.sides.sink.data.next.id = self.place.data.val().id;
                    if self.sides.sink.ready.val() {
                        self.place.ready.next = true;
                        if self.place.data.val().last {
                            self.chain_bytes.d.next = 0.into();
                            self.chains.d.next = self.chains.q.val() - 1;
                        }
                    }
                } else if self.place.valid.val() & self.cut.job.ready.val() {
                    self.place.ready.next = true;
                    self.buffer.d.next = self.place.data.val();
                    self.left.d.next = self.left.q.val() - self.part.val();
                    self.chain_bytes.d.next = self.chain_bytes.q.val() + self.part.val();
                    // A chain ends with its last buffer, or with the one that takes the frame's end.
                    self.chain_end.d.next =
                        self.place.data.val().last | (self.part.val() == self.left.q.val());
                    self.begun.d.next = false;
                    self.state.d.next = State::Move;
                }
            }
            // Move: bytes into pieces.
            State::Move => {
                if self.moved.val() {
                    self.begun.d.next = true;
                    self.sides.sink.valid.next = !self.begun.q.val();
                    self.piece_left.d.next = self.piece_now.val() - bit_cast::<13, 7>(self.take.val());
                    if self.in_header.val() {
                        self.header_at.d.next = self.header_at.q.val() + self.take.val();
                    } else if self.take.val() == self.have.val() {
                        self.beat_at.d.next = 0.into();
                        self.frame.ready.next = true;
                    } else {
                        self.beat_at.d.next = self.beat_at.q.val() + self.take.val();
                    }
                    if self.piece_done.val() {
                        self.begun.d.next = false;
                        self.cut.piece.ready.next = true;
                        if self.cut.piece.data.val().last {
                            if self.chain_end.q.val() {
                                self.chain_bytes.d.next = 0.into();
                                self.chains.d.next = self.chains.q.val() - 1;
                            }
                            self.state.d.next = State::Place;
                            if self.left.q.val() == 0 {
                                self.count_frames.next = true;
                                self.state.d.next = State::Idle;
                            }
                        }
                    }
                }
            }
            // DropFrame: to its end.
            State::DropFrame => {
                self.frame.ready.next = true;
                if self.frame.valid.val() & self.frame.last.val() {
                    self.state.d.next = State::DropPlaces;
                }
            }
            // DropPlaces: the buffers it had been given.
            State::DropPlaces => {
                if self.places.q.val() == 0 {
                    self.state.d.next = State::Idle;
                } else {
                    self.place.ready.next = true;
                    if self.place.valid.val() {
                        self.places.d.next = self.places.q.val() - 1;
                    }
                }
            }
            _ => self.state.d.next = State::Idle,
        }

        // A piece leaves beside what it is; when its last beat has been taken for the host, the chain it ends is done.
        self.write.valid.next = self.pack.source.valid.val()
            & self.sides.source.valid.val()
            & !self.sides.source.data.val().empty
            & self.dones.sink.ready.val();
        self.write.data.next = self.pack.source.data.val();
        self.write.last.next = self.pack.source.last.val();
        self.write.side.next.addr = self.sides.source.data.val().addr;
        self.write.side.next.len = self.sides.source.data.val().len;
        self.write.side.next.notify = false;
        self.pack.source.ready.next = self.write.valid.val() & self.write.ready.val();
        self.sides.source.ready.next =
            (self.write.valid.val() & self.write.ready.val() & self.pack.source.last.val())
                | (self.sides.source.valid.val()
                    & self.sides.source.data.val().empty
                    & self.dones.sink.ready.val());
        self.dones.sink.valid.next = self.sides.source.ready.val() & self.sides.source.data.val().end;
        self.dones.sink.data.next.queue = self.sides.source.data.val().queue;
        self.dones.sink.data.next.id = self.sides.source.data.val().id;
        self.dones.sink.data.next.len = bit_cast::<32, 17>(self.sides.source.data.val().written);
        self.dones.sink.data.next.more = self.sides.source.data.val().more;

        self.busy.next = !(self.state.q.val() == State::Idle)
            | self.job.valid.val()
            | self.pack.busy.val()
            | self.sides.source.valid.val()
            | self.dones.source.valid.val();
        if self.reset.val() {
            self.state.d.next = State::Idle;
            self.begun.d.next = false;
        }
    }
}
