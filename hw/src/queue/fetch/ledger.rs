//! The counts of each queue of a direction: what is in its available ring, what has been begun of it, what was given back.
//! In: `seen`, `begin`, `credit`, `tell`, and `control` for the start of a queue.   Out: the counts of the queue at `index`, of
//! the probed one, and of the one the cache asks about.
//! Time: a count is read in the cycle of its address, and is new in the cycle after its write.
//! Waits: `seen` and `begin` wait a cycle while a queue starts. All counts go modulo 65536, as the ring's own.
//! Spec: [virtio: The Virtqueue Available Ring]

use crate::params::Params;
use crate::port::queue::QueueControlSink;
use crate::prim::lutram::Lutram;
use crate::prim::stream::StreamSink;
use crate::queue::Direction;
use crate::queue::supply::CreditSink;
use rust_hdl_core::prelude::*;

/// `avail.idx` as read; or how many entries have been begun.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Count {
    pub index: Bits<16>,
    pub total: Bits<16>,
}

/// Where an available ring stands.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Ring {
    /// Its place in its 64 bytes.
    pub place: Bits<6>,
    /// Entries.
    pub size: Bits<16>,
    /// Descriptors before a packed ring in its 4 KiB.
    pub start: Bits<8>,
}

/// The counts.
#[derive(LogicBlock)]
pub struct Ledger {
    pub clock: Signal<In, Clock>,
    pub control: QueueControlSink,
    pub credit: CreditSink,
    pub seen: StreamSink<Count>,
    pub begin: StreamSink<Count>,
    /// Pulse: what a doorbell said of its ring.
    pub tell: Signal<In, Bit>,
    pub tell_count: Signal<In, Count>,
    /// Undefined before the first.
    pub told_here: Signal<Out, Bits<16>>,
    /// Pulse, in a cycle without `seen` in which no queue starts: `trusted` is what has been seen of the queue at `index`.
    pub trust: Signal<In, Bit>,
    pub trusted: Signal<In, Bits<16>>,
    /// Packed rings: the driver is to ring at what has been seen.
    pub packed: Signal<In, Bit>,
    pub index: Signal<In, Bits<16>>,
    pub ring: Signal<Out, Ring>,
    pub seen_here: Signal<Out, Bits<16>>,
    pub begun_here: Signal<Out, Bits<16>>,
    /// Undefined before the first heads of a queue have been given back.
    pub given_back_here: Signal<Out, Bits<16>>,
    /// Pulse: the driver of the queue at `index` is to ring at what has been begun of it.
    pub arm: Signal<In, Bit>,
    /// That count. Undefined before the first.
    pub armed_here: Signal<Out, Bits<16>>,
    pub supply_queue: Signal<In, Bits<16>>,
    pub supply_begun: Signal<Out, Bits<16>>,
    pub probe_queue: Signal<In, Bits<16>>,
    pub probe_seen: Signal<Out, Bits<16>>,
    pub probe_begun: Signal<Out, Bits<16>>,
    tx: Constant<Bit>,
    mask: Constant<Bits<16>>,
    rings: Lutram<Ring>,
    seen_ram: Lutram<Bits<16>>,
    seen_copy: Lutram<Bits<16>>,
    begun_ram: Lutram<Bits<16>>,
    begun_probe: Lutram<Bits<16>>,
    begun_supply: Lutram<Bits<16>>,
    given_back: Lutram<Bits<16>>,
    armed: Lutram<Bits<16>>,
    told: Lutram<Bits<16>>,
    starting: Signal<Local, Bit>,
    seen_write: Signal<Local, Bit>,
    seen_count: Signal<Local, Count>,
    begun_write: Signal<Local, Bit>,
    begun_count: Signal<Local, Count>,
}

impl Ledger {
    /// For one direction's queues.
    pub fn new(params: &Params, direction: Direction) -> Self {
        let depth = params.pairs;
        Self {
            clock: Default::default(),
            control: Default::default(),
            credit: Default::default(),
            seen: Default::default(),
            begin: Default::default(),
            tell: Default::default(),
            tell_count: Default::default(),
            told_here: Default::default(),
            trust: Default::default(),
            trusted: Default::default(),
            packed: Default::default(),
            index: Default::default(),
            ring: Default::default(),
            seen_here: Default::default(),
            begun_here: Default::default(),
            given_back_here: Default::default(),
            arm: Default::default(),
            armed_here: Default::default(),
            supply_queue: Default::default(),
            supply_begun: Default::default(),
            probe_queue: Default::default(),
            probe_seen: Default::default(),
            probe_begun: Default::default(),
            tx: Constant::new(direction == Direction::Tx),
            mask: Constant::new((params.pairs as u64 - 1).into()),
            rings: Lutram::new(depth),
            seen_ram: Lutram::new(depth),
            seen_copy: Lutram::new(depth),
            begun_ram: Lutram::new(depth),
            begun_probe: Lutram::new(depth),
            begun_supply: Lutram::new(depth),
            given_back: Lutram::new(depth),
            armed: Lutram::new(depth),
            told: Lutram::new(depth),
            starting: Default::default(),
            seen_write: Default::default(),
            seen_count: Default::default(),
            begun_write: Default::default(),
            begun_count: Default::default(),
        }
    }
}

impl Logic for Ledger {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(
            self,
            clock,
            rings,
            seen_ram,
            seen_copy,
            begun_ram,
            begun_probe,
            begun_supply,
            given_back,
            armed,
            told
        );
        // A queue that starts has the write ports for itself.
        self.starting.next =
            self.control.enable.val() & (self.control.settings.val().queue.get_bit(0) == self.tx.val());
        self.seen.ready.next = !self.starting.val();
        self.begin.ready.next = !self.starting.val();
        self.seen_write.next = self.starting.val() | self.seen.valid.val() | self.trust.val();
        self.seen_count.next = self.seen.data.val();
        if self.trust.val() {
            self.seen_count.next.index = self.index.val();
            self.seen_count.next.total = self.trusted.val();
        }
        self.begun_write.next = self.starting.val() | self.begin.valid.val();
        self.begun_count.next = self.begin.data.val();
        if self.starting.val() {
            self.seen_count.next.index = (self.control.settings.val().queue >> 1) & self.mask.val();
            self.seen_count.next.total = 0.into();
            self.begun_count.next.index = (self.control.settings.val().queue >> 1) & self.mask.val();
            self.begun_count.next.total = 0.into();
        }
        self.rings.write.next = self.starting.val();
        self.rings.write_addr.next = (self.control.settings.val().queue >> 1) & self.mask.val();
        // The Driver Area is aligned to 2: the bit below is not looked at.
        self.rings.write_data.next.place = (self.control.settings.val().driver.get_bits::<6>(0) >> 1) << 1;
        self.rings.write_data.next.size = self.control.settings.val().size;
        self.rings.write_data.next.start = self.control.settings.val().desc.get_bits::<8>(4);
        self.rings.read_addr.next = self.index.val();
        self.ring.next = self.rings.read_data.val();

        self.seen_ram.write.next = self.seen_write.val();
        self.seen_ram.write_addr.next = self.seen_count.val().index;
        self.seen_ram.write_data.next = self.seen_count.val().total;
        self.seen_ram.read_addr.next = self.index.val();
        self.seen_here.next = self.seen_ram.read_data.val();
        self.seen_copy.write.next = self.seen_write.val();
        self.seen_copy.write_addr.next = self.seen_count.val().index;
        self.seen_copy.write_data.next = self.seen_count.val().total;
        self.seen_copy.read_addr.next = (self.probe_queue.val() >> 1) & self.mask.val();
        self.probe_seen.next = self.seen_copy.read_data.val();

        self.begun_ram.write.next = self.begun_write.val();
        self.begun_ram.write_addr.next = self.begun_count.val().index;
        self.begun_ram.write_data.next = self.begun_count.val().total;
        self.begun_ram.read_addr.next = self.index.val();
        self.begun_here.next = self.begun_ram.read_data.val();
        self.begun_probe.write.next = self.begun_write.val();
        self.begun_probe.write_addr.next = self.begun_count.val().index;
        self.begun_probe.write_data.next = self.begun_count.val().total;
        self.begun_probe.read_addr.next = (self.probe_queue.val() >> 1) & self.mask.val();
        self.probe_begun.next = self.begun_probe.read_data.val();
        self.begun_supply.write.next = self.begun_write.val();
        self.begun_supply.write_addr.next = self.begun_count.val().index;
        self.begun_supply.write_data.next = self.begun_count.val().total;
        self.begun_supply.read_addr.next = (self.supply_queue.val() >> 1) & self.mask.val();
        self.supply_begun.next = self.begun_supply.read_data.val();

        self.armed.write.next = self.arm.val();
        self.armed.write_addr.next = self.index.val();
        self.armed.write_data.next = self.begun_ram.read_data.val();
        if self.packed.val() {
            self.armed.write_data.next = self.seen_ram.read_data.val();
        }
        self.armed.read_addr.next = self.index.val();
        self.armed_here.next = self.armed.read_data.val();

        self.told.write.next = self.tell.val();
        self.told.write_addr.next = self.tell_count.val().index;
        self.told.write_data.next = self.tell_count.val().total;
        self.told.read_addr.next = self.index.val();
        self.told_here.next = self.told.read_data.val();

        self.given_back.write.next = self.credit.valid.val();
        self.given_back.write_addr.next = (self.credit.queue.val() >> 1) & self.mask.val();
        self.given_back.write_data.next = self.credit.total.val();
        self.given_back.read_addr.next = self.index.val();
        self.given_back_here.next = self.given_back.read_data.val();
    }
}
