//! Takes the entries of the available ring out of the replies they come in.
//! In: `sink`, replies of up to 64 bytes, and beside each of their beats what they are (`info`).   Out: `ids`, one per entry;
//! `error` for a reply that failed; `freed`, in one cycle, how many entries will not come because of it.
//! Time: one entry per cycle, once the whole of its reply is here: a failed one says so only at its end. In a wide function the
//! entries of a reply of one beat are offered in the next cycle if no others are before them.
//! Waits: on `ids`; on `error` after a reply that failed. It holds a beat for each entry that may be on its way.
//! Spec: [virtio: The Virtqueue Available Ring]

use crate::params::Params;
use crate::port::dma::ReadSide;
use crate::port::queue::QueueError;
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::beat_fifo::BeatFifo;
use crate::prim::packet_fifo::PacketFifo;
use crate::prim::stream::StreamSource;
use crate::queue::Direction;
use hematite_abi::ident;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// An entry of an available ring: the chain that begins with descriptor `id`.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Entry {
    pub index: Bits<6>,
    pub id: Bits<16>,
}

/// What a reply holds.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct RingInfo {
    pub index: Bits<6>,
    /// Entries.
    pub count: Bits<6>,
    /// The first entry is in the upper half of its DWORD.
    pub upper: Bit,
}

/// From beats to entries.
#[derive(LogicBlock)]
pub struct Unpack<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: BeatSink<W, ReadSide>,
    /// Of the reply of which a beat is offered.
    pub info: Signal<In, RingInfo>,
    pub ids: StreamSource<Entry>,
    pub error: StreamSource<QueueError>,
    /// Bit per index: queues that are neither stopped nor off.
    pub live: Signal<In, Bits<64>>,
    pub freed: Signal<Out, Bits<6>>,
    tx: Constant<Bits<16>>,
    last_word: Constant<Bits<5>>,
    kept: PacketFifo<W, RingInfo>,
    /// In registers: block RAM is slow.
    line: BeatFifo<W, RingInfo>,
    /// Where in the beat the next entry stands, if one has been taken already.
    word: Reg<Bits<5>>,
    begun: Reg<Bit>,
    done: Reg<Bits<6>>,
    /// A reply that failed.
    failed: Reg<Bit>,
    failure: Reg<RingInfo>,
    timeout: Reg<Bit>,
    lost: Reg<Bits<6>>,
    fails: Signal<Local, Bit>,
    /// A reply need not be stored.
    passes: Signal<Local, Bit>,
    wide: Constant<Bit>,
    now: Signal<Local, Bits<5>>,
    at: Signal<Local, Bits<9>>,
    live_here: Signal<Local, Bit>,
    finish: Signal<Local, Bit>,
}

impl<const W: usize> Unpack<W> {
    /// For one direction's queues; at most `slots` entries are on their way.
    pub fn new(direction: Direction, slots: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            info: Default::default(),
            ids: Default::default(),
            error: Default::default(),
            live: Default::default(),
            freed: Default::default(),
            tx: Constant::new((direction as u64).into()),
            last_word: Constant::new((W as u64 / 16 - 1).into()),
            kept: PacketFifo::new(slots),
            line: BeatFifo::new(1),
            word: Default::default(),
            begun: Default::default(),
            done: Default::default(),
            failed: Default::default(),
            failure: Default::default(),
            timeout: Default::default(),
            lost: Default::default(),
            fails: Default::default(),
            passes: Default::default(),
            wide: Constant::new(Params::wide(W)),
            now: Default::default(),
            at: Default::default(),
            live_here: Default::default(),
            finish: Default::default(),
        }
    }
}

impl<const W: usize> Logic for Unpack<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, word, begun, done, failed, failure, timeout, lost);
        clock!(self, clock, kept, line);
        self.kept.reset.next = self.reset.val();
        self.line.reset.next = self.reset.val();

        // Into store, or, after the end of a reply that failed, out again.
        self.fails.next = self.sink.valid.val() & self.sink.last.val() & self.sink.side.val().error;
        self.kept.forget.next = self.failed.q.val();
        self.passes.next = self.wide.val()
            & self.kept.empty.val()
            & self.kept.sink.ready.val()
            & self.line.sink.ready.val()
            & self.sink.valid.val()
            & self.sink.last.val()
            & !self.sink.side.val().error;
        self.kept.sink.valid.next = self.sink.valid.val() & !self.fails.val() & !self.passes.val();
        self.kept.sink.last.next = self.sink.last.val();
        self.kept.sink.data.next = self.sink.data.val();
        self.kept.sink.side.next = self.info.val();
        self.sink.ready.next = self.kept.sink.ready.val();

        // Out of store: nothing of a reply before its end is here.
        BeatSource::<W, RingInfo>::join(&mut self.kept.source, &mut self.line.sink);
        if self.wide.val() & self.kept.empty.val() {
            self.line.sink.valid.next = self.passes.val();
            self.line.sink.last.next = true;
            self.line.sink.data.next = self.sink.data.val();
            self.line.sink.side.next = self.info.val();
        }
        self.now.next = self.word.q.val();
        if !self.begun.q.val() {
            self.now.next = bit_cast::<5, 1>(self.line.source.side.val().upper.into());
        }
        self.at.next = bit_cast::<9, 5>(self.now.val()) << 4;
        self.ids.valid.next = self.line.source.valid.val();
        self.ids.data.next.index = self.line.source.side.val().index;
        self.ids.data.next.id = self.line.source.data.val().get_bits::<16>(self.at.val().index());
        self.finish.next = self.done.q.val() + 1 == self.line.source.side.val().count;
        self.line.source.ready.next =
            self.ids.ready.val() & (self.finish.val() | (self.now.val() == self.last_word.val()));
        if self.line.source.valid.val() & self.ids.ready.val() {
            self.done.d.next = self.done.q.val() + 1;
            self.begun.d.next = true;
            self.word.d.next = self.now.val() + 1;
            if self.now.val() == self.last_word.val() {
                self.word.d.next = 0.into();
            }
            if self.finish.val() {
                self.begun.d.next = false;
                self.done.d.next = 0.into();
            }
        }

        // What has failed.
        self.live_here.next = self.live.val().get_bit(self.failure.q.val().index.index());
        self.error.valid.next = self.failed.q.val() & self.live_here.val();
        self.error.data.next.queue = (bit_cast::<16, 6>(self.failure.q.val().index) << 1) | self.tx.val();
        self.error.data.next.code = ident::ERROR_DMA_READ.into();
        if self.timeout.q.val() {
            self.error.data.next.code = ident::ERROR_DMA_TIMEOUT.into();
        }
        self.freed.next = self.lost.q.val();
        self.lost.d.next = 0.into();
        if self.failed.q.val() {
            if self.error.ready.val() | !self.live_here.val() {
                self.failed.d.next = false;
                self.lost.d.next = self.failure.q.val().count;
            }
        } else {
            self.failed.d.next = self.fails.val() & self.kept.sink.ready.val();
            self.failure.d.next = self.info.val();
            self.timeout.d.next = self.sink.side.val().timeout;
        }
        if self.reset.val() {
            self.begun.d.next = false;
            self.done.d.next = 0.into();
            self.failed.d.next = false;
            self.lost.d.next = 0.into();
        }
    }
}
