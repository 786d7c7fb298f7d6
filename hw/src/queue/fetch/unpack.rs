//! Takes the entries of the available ring out of the replies they come in.
//! In: `sink`, replies of up to 64 bytes, and beside each last beat what it is (`info`).   Out: `ids`, one per entry;
//! `error` for a reply that failed; `freed`, in one cycle, how many entries will not come because of it.
//! Time: one entry per cycle, once the whole of its reply is here: a failed one says so only at its end.
//! Waits: on `ids` and `error`; it holds eight beats beyond that.
//! Spec: [virtio: The Virtqueue Available Ring]

use crate::port::dma::ReadSide;
use crate::port::queue::QueueError;
use crate::prim::beat::BeatSink;
use crate::prim::beat_fifo::BeatFifo;
use crate::prim::fifo::Fifo;
use crate::prim::stream::StreamSource;
use crate::queue::Direction;
use hematite_abi::ident;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Beats kept: a whole reply at the least, and as many as can wait while one is unpacked.
const STORE: usize = 8;

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
    pub error: Bit,
    pub timeout: Bit,
}

/// From beats to entries.
#[derive(LogicBlock)]
pub struct Unpack<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: BeatSink<W, ReadSide>,
    /// Of the reply whose last beat is offered; `error` and `timeout` are taken from the beat.
    pub info: Signal<In, RingInfo>,
    pub ids: StreamSource<Entry>,
    pub error: StreamSource<QueueError>,
    /// Bit per index: queues that are neither stopped nor off.
    pub live: Signal<In, Bits<64>>,
    pub freed: Signal<Out, Bits<6>>,
    tx: Constant<Bits<16>>,
    one: Constant<Bits<64>>,
    last_word: Constant<Bits<5>>,
    beats: BeatFifo<W, Bit>,
    infos: Fifo<RingInfo>,
    /// Of the reply being taken apart.
    info_full: Reg<Bit>,
    info_now: Reg<RingInfo>,
    /// Where in the beat the next entry stands, if one has been taken already.
    word: Reg<Bits<5>>,
    begun: Reg<Bit>,
    done: Reg<Bits<6>>,
    lost: Reg<Bits<6>>,
    room: Signal<Local, Bit>,
    now: Signal<Local, Bits<5>>,
    at: Signal<Local, Bits<9>>,
    count: Signal<Local, Bits<6>>,
    healthy: Signal<Local, Bit>,
    failed: Signal<Local, Bit>,
    live_here: Signal<Local, Bit>,
    finish: Signal<Local, Bit>,
}

impl<const W: usize> Unpack<W> {
    /// For one direction's queues.
    pub fn new(direction: Direction) -> Self {
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
            one: Constant::new(1.into()),
            last_word: Constant::new((W as u64 / 16 - 1).into()),
            beats: BeatFifo::new(STORE),
            infos: Fifo::new(STORE),
            info_full: Default::default(),
            info_now: Default::default(),
            word: Default::default(),
            begun: Default::default(),
            done: Default::default(),
            lost: Default::default(),
            room: Default::default(),
            now: Default::default(),
            at: Default::default(),
            count: Default::default(),
            healthy: Default::default(),
            failed: Default::default(),
            live_here: Default::default(),
            finish: Default::default(),
        }
    }
}

impl<const W: usize> Logic for Unpack<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, info_full, info_now, word, begun, done, lost);
        clock!(self, clock, beats, infos);
        self.beats.reset.next = self.reset.val();
        self.infos.reset.next = self.reset.val();

        // Into store.
        self.room.next = self.beats.sink.ready.val() & self.infos.sink.ready.val();
        self.sink.ready.next = self.room.val();
        self.beats.sink.valid.next = self.sink.valid.val() & self.room.val();
        self.beats.sink.last.next = self.sink.last.val();
        self.beats.sink.data.next = self.sink.data.val();
        self.beats.sink.side.next = false;
        self.infos.sink.valid.next = self.sink.valid.val() & self.sink.last.val() & self.room.val();
        self.infos.sink.data.next = self.info.val();
        self.infos.sink.data.next.error = self.sink.side.val().error;
        self.infos.sink.data.next.timeout = self.sink.side.val().timeout;

        // Out of store: nothing of a reply before its end is here.
        self.count.next = self.info_now.q.val().count;
        self.healthy.next = self.info_full.q.val() & !self.info_now.q.val().error;
        self.failed.next = self.info_full.q.val() & self.info_now.q.val().error;
        self.live_here.next = (self.live.val() & (self.one.val() << self.info_now.q.val().index)).any();
        self.now.next = self.word.q.val();
        if !self.begun.q.val() {
            self.now.next = bit_cast::<5, 1>(self.info_now.q.val().upper.into());
        }
        self.at.next = bit_cast::<9, 5>(self.now.val()) << 4;
        self.ids.valid.next = self.healthy.val();
        self.ids.data.next.index = self.info_now.q.val().index;
        self.ids.data.next.id = self.beats.source.data.val().get_bits::<16>(self.at.val().index());
        self.error.valid.next = self.failed.val() & self.beats.source.last.val() & self.live_here.val();
        self.error.data.next.queue = (bit_cast::<16, 6>(self.info_now.q.val().index) << 1) | self.tx.val();
        self.error.data.next.code = ident::ERROR_DMA_READ.into();
        if self.info_now.q.val().timeout {
            self.error.data.next.code = ident::ERROR_DMA_TIMEOUT.into();
        }
        self.beats.source.ready.next = false;
        self.finish.next = false;
        self.freed.next = self.lost.q.val();
        self.lost.d.next = 0.into();
        if self.healthy.val() & self.ids.ready.val() {
            self.done.d.next = self.done.q.val() + 1;
            self.begun.d.next = true;
            self.word.d.next = self.now.val() + 1;
            if self.now.val() == self.last_word.val() {
                self.word.d.next = 0.into();
                self.beats.source.ready.next = true;
            }
            self.finish.next = self.done.q.val() + 1 == self.count.val();
        }
        if self.failed.val() {
            self.beats.source.ready.next = !self.beats.source.last.val();
            self.finish.next =
                self.beats.source.last.val() & (self.error.ready.val() | !self.live_here.val());
            if self.finish.val() {
                self.lost.d.next = self.count.val();
            }
        }
        self.infos.source.ready.next = self.finish.val() | !self.info_full.q.val();
        if self.finish.val() | !self.info_full.q.val() {
            self.info_full.d.next = self.infos.source.valid.val();
            self.info_now.d.next = self.infos.source.data.val();
        }
        if self.finish.val() {
            self.beats.source.ready.next = true;
            self.begun.d.next = false;
            self.done.d.next = 0.into();
        }
        if self.reset.val() {
            self.info_full.d.next = false;
            self.begun.d.next = false;
            self.done.d.next = 0.into();
            self.lost.d.next = 0.into();
        }
    }
}
