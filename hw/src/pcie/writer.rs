//! Writes host memory for the function's blocks.
//!
//! In: `writes`, a packet per piece and one port per client; `settings`; `drain`.   Out: `tlp` (memory writes); `notified`.
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
use crate::prim::beat_fifo::BeatFifo;
use crate::prim::packet_fifo::PacketFifo;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// A piece's place, as it is stored.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Stored {
    pub side: WriteSide,
    /// It has no bytes.
    pub none: Bit,
}

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
    /// Pulses: a piece with `notify` has been taken, by `tlp` or, where it goes nowhere, here.
    pub notified: Signal<Out, Bits<3>>,
    pub busy: Signal<Out, Bit>,
    /// A piece of the first client's waits. Pulse: one has been taken.
    pub first_waits: Signal<Out, Bit>,
    pub first_taken: Signal<Out, Bit>,
    /// Pulse: the last beat of a TLP has been taken.
    pub count_writes: Signal<Out, Bit>,
    turns: Arbiter,
    // The pieces, each with where it belongs beside its first beat; behind it a register, for the RAM is slow to answer.
    beats: PacketFifo<W, Stored>,
    next_beat: BeatFifo<W, Stored>,
    shape: RequestShape,
    // Within a client's packet. Whose turn it is: until its packet's end, and then until another client offers one.
    locked: Reg<Bit>,
    owner: Reg<Bits<8>>,
    // Within a packet on its way out; it is dropped.
    begun: Reg<Bit>,
    dropping: Reg<Bit>,
    // On offer.
    offered: Reg<Bit>,
    last: Reg<Bit>,
    header: Reg<RequestHeader>,
    data: Reg<Bits<W>>,
    notify: Reg<Bits<3>>,
    dropped: Reg<Bits<3>>,
    chosen: Vec<Signal<Local, Bit>>,
    offer: Signal<Local, WriteSide>,
    put: Signal<Local, Bit>,
    leaves: Signal<Local, Bit>,
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
            notified: Default::default(),
            busy: Default::default(),
            first_waits: Default::default(),
            first_taken: Default::default(),
            count_writes: Default::default(),
            turns: Arbiter::new(clients),
            beats: PacketFifo::new(beats),
            next_beat: BeatFifo::new(1),
            shape: Default::default(),
            locked: Default::default(),
            owner: Default::default(),
            begun: Default::default(),
            dropping: Default::default(),
            offered: Default::default(),
            last: Default::default(),
            header: Default::default(),
            data: Default::default(),
            notify: Default::default(),
            dropped: Default::default(),
            chosen: (0..clients).map(|_| Default::default()).collect(),
            offer: Default::default(),
            put: Default::default(),
            leaves: Default::default(),
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
        clock!(self, clock, turns, beats, next_beat);
        dff_setup!(self, clock, locked, owner, begun, dropping, offered, last, header, data, notify, dropped);
        self.turns.reset.next = self.reset.val();
        self.beats.reset.next = self.reset.val();
        self.next_beat.reset.next = self.reset.val();

        // In: client by client, packet by packet.
        self.beats.forget.next = self.drain.val();
        self.beats.sink.valid.next = false;
        self.beats.sink.last.next = self.writes[0].last.val();
        self.beats.sink.data.next = self.writes[0].data.val();
        self.offer.next = self.writes[0].side.val();
        for i in 0..self.writes.len() {
            self.chosen[i].next = self.owner.q.val().index() == i;
            self.turns.wants[i].next = self.writes[i].valid.val() & !self.chosen[i].val();
            self.writes[i].ready.next = self.chosen[i].val() & self.beats.sink.ready.val();
            if self.chosen[i].val() {
                self.beats.sink.valid.next = self.writes[i].valid.val();
                self.beats.sink.last.next = self.writes[i].last.val();
                self.beats.sink.data.next = self.writes[i].data.val();
                self.offer.next = self.writes[i].side.val();
            }
        }
        self.first_waits.next = self.writes[0].valid.val() & !self.writes[0].ready.val();
        self.first_taken.next =
            self.writes[0].valid.val() & self.writes[0].ready.val() & self.writes[0].last.val();
        self.beats.sink.side.next.side = self.offer.val();
        self.beats.sink.side.next.none = !self.offer.val().len.any();
        self.put.next = self.beats.sink.valid.val() & self.beats.sink.ready.val();
        self.leaves.next = (self.put.val() & self.beats.sink.last.val())
            | (!self.locked.q.val() & !self.beats.sink.valid.val());
        self.turns.take.next = self.leaves.val();
        if self.put.val() {
            self.locked.d.next = !self.beats.sink.last.val();
        }
        if self.leaves.val() & self.turns.any.val() {
            self.owner.d.next = self.turns.index.val();
        }
        if self.drain.val() {
            self.locked.d.next = false;
        }
        BeatSource::<W, Stored>::join(&mut self.beats.source, &mut self.next_beat.sink);

        // Out: a packet that is wholly inside. A piece of no bytes, or without leave to write, goes nowhere.
        self.shape.addr.next = self.next_beat.source.side.val().side.addr;
        self.shape.len.next = self.next_beat.source.side.val().side.len;
        self.shape.write.next = true;
        self.shape.tag.next = 0.into();
        self.shape.requester.next = self.settings.val().requester;
        self.first.next = !self.begun.q.val();
        self.refuse.next = !self.settings.val().bus_master | self.next_beat.source.side.val().none;
        self.away.next = !self.offered.q.val() | self.tlp.ready.val();
        // Who waits for a dropped piece hears of it after those before it.
        self.can.next = self.dropping.q.val() | self.away.val();
        if self.first.val() {
            self.can.next = self.away.val();
            if self.refuse.val() {
                self.can.next = !self.offered.q.val();
            }
        }
        self.step.next = self.can.val() & self.next_beat.source.valid.val();
        self.begin.next = self.step.val() & self.first.val();
        self.next_beat.source.ready.next = self.can.val();
        self.dropped.d.next = 0.into();
        if self.begin.val() & self.refuse.val() {
            self.dropped.d.next = self.next_beat.source.side.val().side.notify;
        }
        self.notified.next = self.dropped.q.val();
        if self.offered.q.val() & self.tlp.ready.val() & self.last.q.val() {
            self.notified.next = self.dropped.q.val() | self.notify.q.val();
        }

        if self.tlp.ready.val() {
            self.offered.d.next = false;
        }
        if self.step.val() {
            self.begun.d.next = !self.next_beat.source.last.val();
            if self.first.val() {
                self.dropping.d.next = self.refuse.val();
                self.header.d.next = self.shape.header.val();
                self.notify.d.next = self.next_beat.source.side.val().side.notify;
                self.offered.d.next = !self.refuse.val();
            } else {
                self.offered.d.next = !self.dropping.q.val();
            }
            self.last.d.next = self.next_beat.source.last.val();
            self.data.d.next = self.next_beat.source.data.val();
        }
        self.tlp.valid.next = self.offered.q.val();
        self.tlp.last.next = self.last.q.val();
        self.tlp.data.next = self.data.q.val();
        self.tlp.side.next.header = self.header.q.val().into();
        self.tlp.side.next.error = false;
        self.count_writes.next = self.offered.q.val() & self.last.q.val() & self.tlp.ready.val();
        self.busy.next = !self.beats.empty.val()
            | self.next_beat.source.valid.val()
            | self.offered.q.val()
            | self.dropped.q.val().any();

        if self.reset.val() {
            self.locked.d.next = false;
            self.begun.d.next = false;
            self.dropping.d.next = false;
            self.offered.d.next = false;
            self.dropped.d.next = 0.into();
        }
    }
}
