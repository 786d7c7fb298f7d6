//! Writes host memory for the function's blocks.
//!
//! In: `writes`, a packet per piece and one port per client; `sent`; `settings`; `drain`.   Out: `tlp` (memory writes); `notified`.
//! Time: a beat in and a beat out per cycle; a piece is offered to `tlp` four cycles after its last beat.
//! Waits: on `tlp`; a client's packet, once begun, holds up the others until its last beat.
//! What is taken earlier leaves earlier.   `drain`: a piece not wholly inside is dropped, the others leave; then not `busy`.
//! Spec: [PCI Express: Memory Write Requests; Transaction Ordering; Bus Master Enable]; hw/README.md, DMA data convention

use crate::params::Params;
use crate::pcie::request::{RequestHeader, RequestShape};
use crate::port::dma::WriteSide;
use crate::port::pcie::PcieSettings;
use crate::port::tlp::TlpSide;
use crate::prim::arbiter::Arbiter;
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::fifo::Fifo;
use crate::prim::packet_fifo::PacketFifo;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Pieces that can be inside.
const PIECES: usize = 16;
/// TLPs that can be on their way through `pcie::tx`.
const LEAVING: usize = 32;

/// See the head of this file.
#[derive(LogicBlock)]
pub struct Writer<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Level.
    pub drain: Signal<In, Bit>,
    pub settings: Signal<In, PcieSettings>,
    pub writes: Vec<BeatSink<W, WriteSide>>,
    pub tlp: BeatSource<W, TlpSide>,
    /// Pulse: `pcie::tx` has sent the last beat of one of our TLPs; in the order in which it has taken them.
    pub sent: Signal<In, Bit>,
    /// Pulse: a piece with `notify` has been sent.
    pub notified: Signal<Out, Bit>,
    pub busy: Signal<Out, Bit>,
    turns: Arbiter,
    // The data of the pieces, and where they belong.
    beats: PacketFifo<W, Bit>,
    heads: Fifo<WriteSide>,
    // One bit per TLP that is leaving: somebody wants to know.
    notes: Fifo<Bit>,
    shape: RequestShape,
    // Within a client's packet: whose it is.
    locked: Reg<Bit>,
    owner: Reg<Bits<8>>,
    // The header of the packet, until its last beat has come; it has.
    head: Reg<WriteSide>,
    whole: Reg<Bit>,
    // Within a packet on its way out; it is dropped.
    begun: Reg<Bit>,
    dropping: Reg<Bit>,
    // On offer.
    offered: Reg<Bit>,
    last: Reg<Bit>,
    header: Reg<RequestHeader>,
    data: Reg<Bits<W>>,
    dropped: Reg<Bit>,
    chosen: Vec<Signal<Local, Bit>>,
    side: Signal<Local, WriteSide>,
    put: Signal<Local, Bit>,
    opens: Signal<Local, Bit>,
    room: Signal<Local, Bit>,
    first: Signal<Local, Bit>,
    refuse: Signal<Local, Bit>,
    can: Signal<Local, Bit>,
    step: Signal<Local, Bit>,
    begin: Signal<Local, Bit>,
    away: Signal<Local, Bit>,
}

impl<const W: usize> Writer<W> {
    /// Room for two of the largest payloads.
    pub fn new(params: &Params, clients: usize) -> Self {
        let beats = (2 * params.payload_bytes * 8 / W).max(64);
        Self {
            clock: Default::default(),
            reset: Default::default(),
            drain: Default::default(),
            settings: Default::default(),
            writes: (0..clients).map(|_| Default::default()).collect(),
            tlp: Default::default(),
            sent: Default::default(),
            notified: Default::default(),
            busy: Default::default(),
            turns: Arbiter::new(clients),
            beats: PacketFifo::new(beats),
            heads: Fifo::new(PIECES),
            notes: Fifo::new(LEAVING),
            shape: Default::default(),
            locked: Default::default(),
            owner: Default::default(),
            head: Default::default(),
            whole: Default::default(),
            begun: Default::default(),
            dropping: Default::default(),
            offered: Default::default(),
            last: Default::default(),
            header: Default::default(),
            data: Default::default(),
            dropped: Default::default(),
            chosen: (0..clients).map(|_| Default::default()).collect(),
            side: Default::default(),
            put: Default::default(),
            opens: Default::default(),
            room: Default::default(),
            first: Default::default(),
            refuse: Default::default(),
            can: Default::default(),
            step: Default::default(),
            begin: Default::default(),
            away: Default::default(),
        }
    }
}

impl<const W: usize> Logic for Writer<W> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, turns, beats, heads, notes);
        dff_setup!(self, clock, locked, owner, head, whole, begun, dropping);
        dff_setup!(self, clock, offered, last, header, data, dropped);
        self.turns.reset.next = self.reset.val();
        self.beats.reset.next = self.reset.val();
        self.heads.reset.next = self.reset.val();
        self.notes.reset.next = self.reset.val();

        // In: client by client, packet by packet. One header may be on its way to the queue of headers.
        self.room.next = (self.heads.room.val() > 1) & self.beats.sink.ready.val();
        self.beats.forget.next = self.drain.val();
        self.beats.sink.valid.next = false;
        self.beats.sink.last.next = self.writes[0].last.val();
        self.beats.sink.data.next = self.writes[0].data.val();
        self.beats.sink.side.next = false;
        self.side.next = self.writes[0].side.val();
        for i in 0..self.writes.len() {
            self.turns.wants[i].next = self.writes[i].valid.val();
            self.chosen[i].next = (self.locked.q.val() & (self.owner.q.val().index() == i))
                | (!self.locked.q.val() & self.turns.grants[i].val());
            self.writes[i].ready.next = self.chosen[i].val() & self.room.val();
            if self.chosen[i].val() {
                self.beats.sink.valid.next = self.writes[i].valid.val() & self.room.val();
                self.beats.sink.last.next = self.writes[i].last.val();
                self.beats.sink.data.next = self.writes[i].data.val();
                self.side.next = self.writes[i].side.val();
            }
        }
        self.put.next = self.beats.sink.valid.val() & self.beats.sink.ready.val();
        self.opens.next = self.put.val() & !self.locked.q.val();
        self.turns.take.next = self.opens.val();
        if self.put.val() {
            self.locked.d.next = !self.beats.sink.last.val();
        }
        // The header comes with the first beat.
        if self.opens.val() {
            self.owner.d.next = self.turns.index.val();
            self.head.d.next = self.side.val();
        }
        if self.drain.val() {
            self.locked.d.next = false;
        }
        self.whole.d.next = self.put.val() & self.beats.sink.last.val();
        self.heads.sink.valid.next = self.whole.q.val();
        self.heads.sink.data.next = self.head.q.val();

        // Out: a packet that is wholly inside. A piece of no bytes, or without leave to write, goes nowhere.
        self.shape.addr.next = self.heads.source.data.val().addr;
        self.shape.len.next = self.heads.source.data.val().len;
        self.shape.write.next = true;
        self.shape.tag.next = 0.into();
        self.shape.requester.next = self.settings.val().requester;
        self.first.next = !self.begun.q.val();
        self.refuse.next = !self.settings.val().bus_master | !self.heads.source.data.val().len.any();
        self.away.next = !self.offered.q.val() | self.tlp.ready.val();
        // Who waits for a dropped piece hears of it after those before it.
        self.can.next = self.dropping.q.val() | self.away.val();
        if self.first.val() {
            self.can.next = self.heads.source.valid.val() & self.notes.sink.ready.val() & self.away.val();
            if self.refuse.val() {
                self.can.next =
                    self.heads.source.valid.val() & !self.notes.source.valid.val() & !self.offered.q.val();
            }
        }
        self.step.next = self.can.val() & self.beats.source.valid.val();
        self.begin.next = self.step.val() & self.first.val();
        self.beats.source.ready.next = self.can.val();
        self.heads.source.ready.next = self.begin.val();
        self.notes.sink.valid.next = self.begin.val() & !self.refuse.val();
        self.notes.sink.data.next = self.heads.source.data.val().notify;
        self.notes.source.ready.next = self.sent.val();
        self.dropped.d.next = self.begin.val() & self.refuse.val() & self.heads.source.data.val().notify;
        self.notified.next = (self.sent.val() & self.notes.source.valid.val() & self.notes.source.data.val())
            | self.dropped.q.val();

        if self.tlp.ready.val() {
            self.offered.d.next = false;
        }
        if self.step.val() {
            self.begun.d.next = !self.beats.source.last.val();
            if self.first.val() {
                self.dropping.d.next = self.refuse.val();
                self.header.d.next = self.shape.header.val();
                self.offered.d.next = !self.refuse.val();
            } else {
                self.offered.d.next = !self.dropping.q.val();
            }
            self.last.d.next = self.beats.source.last.val();
            self.data.d.next = self.beats.source.data.val();
        }
        self.tlp.valid.next = self.offered.q.val();
        self.tlp.last.next = self.last.q.val();
        self.tlp.data.next = self.data.q.val();
        self.tlp.side.next.header = self.header.q.val().into();
        self.tlp.side.next.error = false;
        self.busy.next = !self.beats.empty.val()
            | self.whole.q.val()
            | self.heads.source.valid.val()
            | self.offered.q.val()
            | self.notes.source.valid.val()
            | self.dropped.q.val();

        if self.reset.val() {
            self.locked.d.next = false;
            self.whole.d.next = false;
            self.begun.d.next = false;
            self.dropping.d.next = false;
            self.offered.d.next = false;
            self.dropped.d.next = false;
        }
    }
}
