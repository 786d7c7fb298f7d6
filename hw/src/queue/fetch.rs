//! From a kick to the first descriptors of the chains it announced, for one direction's queues.
//! In: `kick`, `stop`, `rearmed`, `control`, `credit` and `supply` (rx: the cache's).   Out: `head`; `arm`; `error`; `request`,
//! `reply`: DMA.
//! Time: a head every second cycle out of a batch of 32; some 30 cycles (wide: 18) and three reads' delay from a kick to the first.
//! Waits: on `request` and `head`. It never begins more than it can take in, so that replies are never held back. Queues
//! take turns, read by read; within a queue nothing overtakes.   Busy: reads in flight, heads not yet taken, queues that
//! could go on (none behind the fence). After an error the queue stops; what of it is in flight is dropped.
//! Spec: [virtio: The Virtqueue Available Ring], [virtio: The Virtqueue Descriptor Table]

use crate::params::Params;
use crate::port::chain::{Arm, Head};
use crate::port::dma::ReadSide;
use crate::port::queue::{DoorbellSink, KickSink, QueueControlSink, QueueError};
use crate::prim::beat::BeatSink;
use crate::prim::fifo::Fifo;
use crate::prim::quick_fifo::QuickFifo;
use crate::prim::skid::Skid;
use crate::prim::stream::StreamSource;
use crate::queue::Direction;
use crate::queue::lookup::AreaRead;
use crate::queue::supply::{CreditSink, SupplySource};
use ask::{Ask, Line};
use faults::Faults;
use gather::Gather;
use hematite_abi::{feature, ident};
use hematite_verilog::{Reg, dff_setup};
use locate::{Locate, Place};
use plan::Plan;
use runs::Runs;
use rust_hdl_core::prelude::*;
use strip::Strip;
use unpack::{Entry, Unpack};

pub mod ahead;
pub mod ask;
pub mod faults;
pub mod gather;
pub mod ledger;
pub mod limit;
pub mod locate;
pub mod marks;
pub mod plan;
pub mod runs;
pub mod scan;
pub mod strip;
pub mod unpack;

/// `avail.idx`, or why it could not be read.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct IdxRead {
    pub index: Bits<6>,
    pub value: Bits<16>,
    pub error: Bit,
    pub timeout: Bit,
}

/// What a descriptor of a packed ring says of its queue: as `strip` has it.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Found {
    pub index: Bits<6>,
    pub takes: Bit,
    pub position: Bits<16>,
    pub ends: Bit,
    pub chains: Bits<16>,
    pub passed: Bit,
    pub caught: Bit,
    pub missed: Bit,
    pub again: Bit,
}

/// The fetch engine.
#[derive(LogicBlock)]
pub struct Fetch<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub control: QueueControlSink,
    pub kick: DoorbellSink,
    /// Pulse: this queue begins no new chain until it is enabled again.
    pub stop: KickSink,
    /// Pulse: the driver of this queue knows where it is to ring.
    pub rearmed: KickSink,
    /// EVENT_IDX, RING_PACKED are accepted.
    pub event_idx: Signal<In, Bit>,
    pub packed: Signal<In, Bit>,
    pub arm: StreamSource<Arm>,
    pub credit: CreditSink,
    pub supply: SupplySource,
    pub request: StreamSource<AreaRead>,
    pub reply: BeatSink<W, ReadSide>,
    pub head: StreamSource<Head>,
    pub error: StreamSource<QueueError>,
    pub busy: Signal<Out, Bit>,
    /// For inspection: a queue of this direction, its `avail.idx` as last read, and how much of it has been taken.
    pub probe_queue: Signal<In, Bits<16>>,
    pub probe_seen: Signal<Out, Bits<16>>,
    pub probe_taken: Signal<Out, Bits<16>>,
    /// Pulse.
    pub count_kick_ignored: Signal<Out, Bit>,
    odd: Constant<Bits<16>>,
    slots: Constant<Bits<10>>,
    slot_mask: Constant<Bits<10>>,
    wide: Constant<Bit>,
    plan: Plan,
    ask: Ask,
    unpack: Unpack<W>,
    entries: Fifo<Entry>,
    /// In a wide function instead of that list: what reads entries does not wait for what finds their places.
    skid: Skid<Entry>,
    locate: Locate,
    placed: Skid<Place>,
    /// Neighbouring descriptors are read together.
    runs: Runs,
    together: Constant<Bit>,
    gather: Gather<W>,
    strip: Strip,
    able: Constant<Bit>,
    heads: QuickFifo<Head>,
    faults: Faults,
    idx_full: Reg<Bit>,
    idx: Reg<IdxRead>,
    /// What the reply on offer says, if it is an index.
    idx_now: Signal<Local, IdxRead>,
    /// Whose descriptor `gather` holds.
    desc_of: Reg<Entry>,
    desc_down: Reg<Bit>,
    desc_left: Reg<Bits<3>>,
    /// A descriptor's fault, told a cycle later: that the next one goes on does not hang on what this one says.
    fault: Reg<Bit>,
    fault_of: Reg<QueueError>,
    /// What has been found in a packed ring, told to the scheduler a cycle later, and not in one in which a queue starts.
    found: Reg<Found>,
    /// Places for entries: one is held from the read of an entry until its head has gone.
    free: Reg<Bits<10>>,
    returned: Reg<Bits<10>>,
    /// A head has gone; a descriptor was dropped.
    gone: Reg<Bit>,
    unused: Reg<Bit>,
    back: Signal<Local, Bits<10>>,
    stripped: Signal<Local, Bit>,
    desc_live: Signal<Local, Bit>,
    idx_live: Signal<Local, Bit>,
    desc_done: Signal<Local, Bit>,
    idx_done: Signal<Local, Bit>,
}

impl<const W: usize> Fetch<W> {
    /// For one direction's queues.
    pub fn new(params: &Params, direction: Direction) -> Self {
        // Places for two round trips to the host's memory, at a head per two cycles; what is received waits in the cache as well.
        let slots = match direction {
            _ if W == 64 => 16,
            Direction::Tx => W,
            Direction::Rx => W / 2,
        };
        Self {
            clock: Default::default(),
            reset: Default::default(),
            control: Default::default(),
            kick: Default::default(),
            stop: Default::default(),
            rearmed: Default::default(),
            event_idx: Default::default(),
            packed: Default::default(),
            arm: Default::default(),
            credit: Default::default(),
            supply: Default::default(),
            request: Default::default(),
            reply: Default::default(),
            head: Default::default(),
            error: Default::default(),
            busy: Default::default(),
            probe_queue: Default::default(),
            probe_seen: Default::default(),
            probe_taken: Default::default(),
            count_kick_ignored: Default::default(),
            odd: Constant::new((direction as u64).into()),
            slots: Constant::new((slots as u64).into()),
            slot_mask: Constant::new((2 * slots as u64 - 1).into()),
            wide: Constant::new(Params::wide(W)),
            ask: Ask::new(params, direction, slots, Gather::<W>::MOST),
            plan: Plan::new(params, direction, slots, Gather::<W>::MOST.min(slots / 2)),
            unpack: Unpack::new(direction, slots),
            entries: Fifo::new(2),
            skid: Skid::new(Params::wide(W)),
            placed: Skid::new(Params::wide(W)),
            locate: Locate::new(params, direction),
            runs: Runs::new(Gather::<W>::MOST),
            together: Constant::new(Gather::<W>::MOST > 1),
            gather: Gather::several(),
            strip: Strip::new(params, direction),
            able: Constant::new(params.offers(feature::RING_PACKED)),
            heads: QuickFifo::new(slots, Params::wide(W)),
            faults: Default::default(),
            idx_full: Default::default(),
            idx: Default::default(),
            idx_now: Default::default(),
            desc_of: Default::default(),
            desc_down: Default::default(),
            desc_left: Default::default(),
            fault: Default::default(),
            fault_of: Default::default(),
            found: Default::default(),
            stripped: Default::default(),
            free: Default::default(),
            returned: Default::default(),
            gone: Default::default(),
            unused: Default::default(),
            back: Default::default(),
            desc_live: Default::default(),
            idx_live: Default::default(),
            desc_done: Default::default(),
            idx_done: Default::default(),
        }
    }
}

impl<const W: usize> Logic for Fetch<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, idx_full, idx, desc_of, desc_down, desc_left, fault, fault_of, found);
        dff_setup!(self, clock, free, returned, gone, unused);
        clock!(
            self, clock, plan, ask, unpack, entries, skid, placed, locate, runs, gather, strip, heads, faults
        );
        self.plan.reset.next = self.reset.val();
        self.ask.reset.next = self.reset.val();
        self.unpack.reset.next = self.reset.val();
        self.entries.reset.next = self.reset.val();
        self.skid.reset.next = self.reset.val();
        self.placed.reset.next = self.reset.val();
        self.locate.reset.next = self.reset.val();
        self.runs.reset.next = self.reset.val();
        self.gather.reset.next = self.reset.val();
        self.heads.reset.next = self.reset.val();
        self.faults.reset.next = self.reset.val();
        QueueControlSink::link(&mut self.control, &mut self.plan.control);
        QueueControlSink::link(&mut self.control, &mut self.locate.control);
        DoorbellSink::link(&mut self.kick, &mut self.plan.kick);
        KickSink::link(&mut self.stop, &mut self.plan.stop);
        KickSink::link(&mut self.rearmed, &mut self.plan.rearmed);
        StreamSource::<Arm>::link(&mut self.arm, &mut self.plan.arm);
        self.plan.event_idx.next = self.event_idx.val();
        self.plan.packed.next = self.packed.val();
        QueueControlSink::link(&mut self.control, &mut self.strip.control);
        self.strip.ask.next = self.plan.ask.val();
        self.strip.ask_index.next = self.plan.ask_index.val();
        self.strip.ask_position.next = self.plan.ask_position.val();
        self.plan.asked.next = self.strip.asked.val();
        self.plan.window.next = self.strip.window.val();
        CreditSink::link(&mut self.credit, &mut self.plan.credit);
        SupplySource::link(&mut self.supply, &mut self.plan.supply);
        StreamSource::<QueueError>::link(&mut self.error, &mut self.faults.error);
        StreamSource::<Head>::link(&mut self.head, &mut self.heads.source);
        self.plan.probe_queue.next = self.probe_queue.val();
        self.probe_seen.next = self.plan.probe_seen.val();
        self.probe_taken.next = self.plan.probe_taken.val();
        self.count_kick_ignored.next = self.plan.count_kick_ignored.val();
        self.plan.room.next = self.free.q.val();
        self.plan.fault.valid.next = self.faults.stop.valid.val();
        self.plan.fault.queue.next = self.faults.stop.queue.val();
        self.unpack.live.next = self.plan.live.val();
        self.locate.live.next = self.plan.live.val();

        StreamSource::<AreaRead>::link(&mut self.request, &mut self.ask.request);
        StreamSource::<Line>::join(&mut self.plan.line, &mut self.ask.line);
        self.ask.expects.next = self.plan.expects.val();
        StreamSource::<Place>::join(&mut self.locate.place, &mut self.placed.sink);
        self.runs.sink.valid.next = self.placed.source.valid.val() & self.together.val();
        self.runs.sink.data.next = self.placed.source.data.val();
        self.runs.source.ready.next = self.ask.place.ready.val();
        self.ask.place.valid.next = self.placed.source.valid.val();
        self.ask.place.data.next = self.placed.source.data.val();
        self.placed.source.ready.next = self.ask.place.ready.val();
        if self.together.val() {
            self.ask.place.valid.next = self.runs.source.valid.val();
            self.ask.place.data.next = self.runs.source.data.val();
            self.placed.source.ready.next = self.runs.sink.ready.val();
        }

        // Replies come in the order of requests.
        self.gather.sink.valid.next = false;
        self.gather.sink.last.next = self.reply.last.val();
        self.gather.sink.data.next = self.reply.data.val();
        self.gather.sink.side.next = self.reply.side.val();
        self.gather.more.next = self.ask.purpose.data.val().more;
        self.gather.down.next = self.ask.purpose.data.val().down;
        if self.gather.steps.val() {
            self.desc_left.d.next = self.desc_left.q.val() - 1;
            self.desc_of.d.next.id = self.desc_of.q.val().id + 1;
            if self.desc_down.q.val() {
                self.desc_of.d.next.id = self.desc_of.q.val().id - 1;
            }
        }
        self.unpack.sink.valid.next = false;
        self.unpack.sink.last.next = self.reply.last.val();
        self.unpack.sink.data.next = self.reply.data.val();
        self.unpack.sink.side.next = self.reply.side.val();
        self.unpack.info.next.index = self.ask.purpose.data.val().index;
        self.unpack.info.next.count = self.ask.purpose.data.val().id.get_bits::<6>(0);
        self.unpack.info.next.upper = self.ask.purpose.data.val().upper;
        self.idx_now.next.index = self.ask.purpose.data.val().index;
        self.idx_now.next.value = self.reply.data.val().get_bits::<16>(0);
        if self.ask.purpose.data.val().upper {
            self.idx_now.next.value = self.reply.data.val().get_bits::<16>(16);
        }
        self.idx_now.next.error = self.reply.side.val().error;
        self.idx_now.next.timeout = self.reply.side.val().timeout;
        if self.ask.purpose.data.val().desc {
            self.gather.sink.valid.next = self.reply.valid.val() & self.ask.purpose.valid.val();
            self.reply.ready.next = self.gather.sink.ready.val();
            if self.gather.sink.ready.val() {
                self.desc_of.d.next.index = self.ask.purpose.data.val().index;
                self.desc_of.d.next.id = self.ask.purpose.data.val().id;
                self.desc_down.d.next = self.ask.purpose.data.val().down;
                self.desc_left.d.next = self.ask.purpose.data.val().more;
            }
        } else if self.ask.purpose.data.val().entries {
            self.unpack.sink.valid.next = self.reply.valid.val() & self.ask.purpose.valid.val();
            self.reply.ready.next = self.unpack.sink.ready.val();
        } else if self.wide.val() & !self.idx_now.val().error {
            // The scheduler takes it as it comes.
            self.reply.ready.next = self.plan.seen.ready.val();
        } else {
            self.reply.ready.next = !self.idx_full.q.val();
            if self.reply.valid.val() & self.ask.purpose.valid.val() & !self.idx_full.q.val() {
                self.idx_full.d.next = self.reply.last.val();
                self.idx.d.next = self.idx_now.val();
            }
        }
        self.ask.purpose.ready.next = self.reply.valid.val() & self.reply.last.val() & self.reply.ready.val();

        // The index.
        self.idx_live.next = self.plan.live.val().get_bit(self.idx.q.val().index.index());
        self.plan.seen.valid.next = self.idx_full.q.val() & !self.idx.q.val().error;
        self.plan.seen.data.next.index = bit_cast::<16, 6>(self.idx.q.val().index);
        self.plan.seen.data.next.total = self.idx.q.val().value;
        if self.wide.val() {
            self.plan.seen.valid.next = self.reply.valid.val()
                & self.ask.purpose.valid.val()
                & !self.ask.purpose.data.val().desc
                & !self.ask.purpose.data.val().entries
                & !self.idx_now.val().error;
            self.plan.seen.data.next.index = bit_cast::<16, 6>(self.idx_now.val().index);
            self.plan.seen.data.next.total = self.idx_now.val().value;
        }
        self.faults.sink[1].valid.next = self.idx_full.q.val() & self.idx.q.val().error & self.idx_live.val();
        self.faults.sink[1].data.next.queue =
            (bit_cast::<16, 6>(self.idx.q.val().index) << 1) | self.odd.val();
        self.faults.sink[1].data.next.code = ident::ERROR_DMA_READ.into();
        if self.idx.q.val().timeout {
            self.faults.sink[1].data.next.code = ident::ERROR_DMA_TIMEOUT.into();
        }
        self.idx_done.next = self.plan.seen.ready.val();
        if self.idx.q.val().error {
            self.idx_done.next = self.faults.sink[1].ready.val() | !self.idx_live.val();
        }
        if self.idx_full.q.val() & self.idx_done.val() {
            self.idx_full.d.next = false;
        }

        // Entries, and from them descriptors.
        self.entries.sink.valid.next = self.unpack.ids.valid.val() & !self.wide.val();
        self.entries.sink.data.next = self.unpack.ids.data.val();
        self.entries.source.ready.next = self.locate.ids.ready.val();
        self.locate.ids.valid.next = self.entries.source.valid.val();
        self.locate.ids.data.next = self.entries.source.data.val();
        self.unpack.ids.ready.next = self.entries.sink.ready.val();
        self.skid.sink.valid.next = self.unpack.ids.valid.val() & self.wide.val();
        self.skid.sink.data.next = self.unpack.ids.data.val();
        self.skid.source.ready.next = self.locate.ids.ready.val();
        if self.wide.val() {
            self.locate.ids.valid.next = self.skid.source.valid.val();
            self.locate.ids.data.next = self.skid.source.data.val();
            self.unpack.ids.ready.next = self.skid.sink.ready.val();
        }
        StreamSource::<QueueError>::join(&mut self.unpack.error, &mut self.faults.sink[2]);
        StreamSource::<QueueError>::join(&mut self.locate.error, &mut self.faults.sink[3]);
        StreamSource::<QueueError>::join(&mut self.plan.error, &mut self.faults.sink[4]);

        // First descriptors.
        self.desc_live.next = self.plan.live.val().get_bit(self.desc_of.q.val().index.index());
        self.heads.sink.data.next.queue =
            (bit_cast::<16, 6>(self.desc_of.q.val().index) << 1) | self.odd.val();
        self.heads.sink.data.next.id = self.desc_of.q.val().id;
        self.heads.sink.data.next.slots = 0.into();
        self.heads.sink.data.next.addr = self.gather.source.data.val().addr;
        self.heads.sink.data.next.len = self.gather.source.data.val().len;
        self.heads.sink.data.next.flags = self.gather.source.data.val().flags;
        self.heads.sink.data.next.next_desc = self.gather.source.data.val().next_desc;
        self.heads.sink.data.next.none = false;
        self.heads.sink.valid.next = false;
        self.stripped.next = self.packed.val() & self.able.val();
        self.faults.sink[0].valid.next = self.fault.q.val();
        self.faults.sink[0].data.next = self.fault_of.q.val();
        if self.faults.sink[0].ready.val() {
            self.fault.d.next = false;
        }
        self.desc_done.next = !self.fault.q.val() & !(self.stripped.val() & self.strip.starting.val());
        if !self.fault.q.val() {
            self.fault_of.d.next.queue =
                (bit_cast::<16, 6>(self.desc_of.q.val().index) << 1) | self.odd.val();
            self.fault_of.d.next.code = ident::ERROR_DMA_READ.into();
            if self.gather.source.data.val().timeout {
                self.fault_of.d.next.code = ident::ERROR_DMA_TIMEOUT.into();
            }
        }
        if self.desc_live.val() & self.gather.source.valid.val() & !self.fault.q.val() {
            if self.gather.source.data.val().error {
                self.fault.d.next = true;
            } else {
                self.heads.sink.valid.next = !self.stripped.val();
            }
        }

        // Descriptors of packed rings: those that end a chain make a head.
        self.strip.valid.next = self.stripped.val()
            & self.gather.source.valid.val()
            & self.desc_live.val()
            & !self.gather.source.data.val().error;
        self.strip.desc.next = self.gather.source.data.val();
        self.strip.spot.next.index = self.desc_of.q.val().index;
        self.strip.spot.next.position = self.desc_of.q.val().id;
        self.strip.spot.next.last = !self.desc_left.q.val().any();
        if self.strip.valid.val() {
            self.heads.sink.valid.next = self.strip.ends.val() & self.desc_done.val();
            self.heads.sink.data.next.id = self.strip.head.val().id;
            self.heads.sink.data.next.slots = self.strip.head.val().slots;
            self.heads.sink.data.next.addr = self.strip.head.val().addr;
            self.heads.sink.data.next.len = self.strip.head.val().len;
            self.heads.sink.data.next.flags = self.strip.head.val().flags;
            self.heads.sink.data.next.next_desc = self.strip.head.val().next_desc;
            if self.strip.wrong.val() & self.desc_done.val() {
                self.fault.d.next = true;
                self.fault_of.d.next.code = ident::ERROR_DESC_LOOP.into();
            }
        }
        self.strip.step.next = self.strip.valid.val() & self.desc_done.val();
        if !self.strip.starting.val() {
            self.found.d.next.index = self.desc_of.q.val().index;
            self.found.d.next.position = self.strip.position.val();
            self.found.d.next.chains = self.strip.chains.val();
            self.found.d.next.takes = self.strip.takes.val() & self.strip.step.val();
            self.found.d.next.ends = self.strip.ends.val() & self.strip.step.val();
            self.found.d.next.passed = self.strip.passed.val() & self.strip.step.val();
            self.found.d.next.missed = self.strip.missed.val() & self.strip.step.val();
            self.found.d.next.again = self.strip.again.val();
            // Something is, if it is asked for in this very cycle.
            self.found.d.next.caught = self.strip.caught.val()
                & !(self.plan.ask.val()
                    & (self.plan.ask_index.val().get_bits::<6>(0) == self.desc_of.q.val().index));
        }
        self.plan.passed.valid.next = self.found.q.val().passed & !self.strip.starting.val();
        self.plan.passed.queue.next = bit_cast::<16, 6>(self.found.q.val().index) << 1;
        self.plan.caught.next = self.found.q.val().caught;
        self.plan.missed.valid.next = self.found.q.val().missed & !self.strip.starting.val();
        self.plan.missed.queue.next = bit_cast::<16, 6>(self.found.q.val().index) << 1;
        self.plan.again.next = self.found.q.val().again;
        self.plan.begin.valid.next = self.found.q.val().ends & !self.strip.starting.val();
        self.plan.begin.data.next.index = bit_cast::<16, 6>(self.found.q.val().index);
        self.plan.begin.data.next.total = self.found.q.val().chains;
        if self.stripped.val() {
            self.plan.seen.valid.next = self.found.q.val().takes & !self.strip.starting.val();
            self.plan.seen.data.next.index = bit_cast::<16, 6>(self.found.q.val().index);
            self.plan.seen.data.next.total = self.found.q.val().position;
        }
        self.gather.source.ready.next = self.desc_done.val();

        // Places come back with a head that goes, an entry dropped, a descriptor dropped, a reply that failed.
        self.back.next = bit_cast::<10, 6>(self.unpack.freed.val());
        self.back.next = self.back.val() + bit_cast::<10, 1>(self.locate.dropped.val().into());
        self.gone.d.next = self.heads.source.valid.val() & self.head.ready.val();
        if self.gone.q.val() {
            self.back.next = self.back.val() + 1;
        }
        self.unused.d.next =
            self.gather.source.valid.val() & self.desc_done.val() & !self.heads.sink.valid.val();
        if self.unused.q.val() {
            self.back.next = self.back.val() + 1;
        }
        self.returned.d.next = self.back.val() & self.slot_mask.val();
        self.free.d.next =
            (self.free.q.val() + self.returned.q.val() - self.ask.lent.val()) & self.slot_mask.val();
        self.busy.next = self.ask.busy.val()
            | self.idx_full.q.val()
            | self.error.valid.val()
            | self.plan.busy.val()
            | self.fault.q.val()
            | self.found.q.val().passed
            | self.found.q.val().missed
            | (self.free.q.val() != self.slots.val());
        if self.reset.val() {
            self.idx_full.d.next = false;
            self.free.d.next = self.slots.val();
            self.fault.d.next = false;
            self.found.d.next.takes = false;
            self.found.d.next.ends = false;
            self.found.d.next.passed = false;
            self.found.d.next.missed = false;
            self.returned.d.next = 0.into();
            self.gone.d.next = false;
            self.unused.d.next = false;
        }
    }
}
