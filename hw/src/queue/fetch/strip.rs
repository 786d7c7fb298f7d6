//! Finds chains in the descriptors of packed rings, for one direction's queues: what stands at a queue's position and is available
//! moves it on; the last descriptor of a chain, by which alone its name is known, makes a head of it.
//! In: `desc`, what has been read and where (`spot`), in the order of the reads; `control`; `ask`, where the next read of a queue
//! begins.   Out: in the same cycle `head`, `wrong`; `takes`, `position`, what has been counted; `passed`, `missed`, pulses.
//! Time: combinational, a descriptor per cycle; `step` says that the one shown goes.   Waits: never; not in a cycle in which a queue starts.
//! What was read from elsewhere than the position, behind one that was not available, is old: nothing follows from it.
//! Spec: [virtio 1.4: Packed Virtqueues, Driver and Device Ring Wrap Counters, Next Flag]

use super::gather::Descriptor;
use crate::params::Params;
use crate::port::chain::Head;
use crate::port::queue::QueueControlSink;
use crate::prim::lutram::Lutram;
use crate::queue::Direction;
use hematite_abi::{feature, packed, ring};
use rust_hdl_core::prelude::*;

/// Descriptors by which more may be asked for ahead of the position, after each read of which all were available.
const GROWTH: u64 = 8;

/// Where a descriptor was read.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Spot {
    pub index: Bits<6>,
    /// Descriptors of the queue before it, modulo 65536.
    pub position: Bits<16>,
    /// The last of its read.
    pub last: Bit,
}

/// A chain of which not all has been seen.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Begun {
    pub addr: Bits<64>,
    pub len: Bits<32>,
    pub flags: Bits<16>,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Strip {
    pub clock: Signal<In, Clock>,
    pub control: QueueControlSink,
    /// A descriptor of a packed ring, of a queue that is live, and good, is shown.
    pub valid: Signal<In, Bit>,
    pub desc: Signal<In, Descriptor>,
    pub spot: Signal<In, Spot>,
    pub step: Signal<In, Bit>,
    /// A queue starts: nothing may step.
    pub starting: Signal<Out, Bit>,
    pub takes: Signal<Out, Bit>,
    /// Behind it.
    pub position: Signal<Out, Bits<16>>,
    /// It ends a chain: its `queue` is not said.
    pub ends: Signal<Out, Bit>,
    pub head: Signal<Out, Head>,
    /// Chains in all, with it.
    pub chains: Signal<Out, Bits<16>>,
    /// It makes a chain of all of the ring that goes on.
    pub wrong: Signal<Out, Bit>,
    /// The last of a read, and all were available; and nothing further is on its way.
    pub passed: Signal<Out, Bit>,
    pub caught: Signal<Out, Bit>,
    /// It is not available.
    pub missed: Signal<Out, Bit>,
    /// Pulse: the next read of the queue at `ask_index` begins here.
    pub ask: Signal<In, Bit>,
    pub ask_index: Signal<In, Bits<16>>,
    pub ask_position: Signal<In, Bits<16>>,
    /// Where it does, and how far ahead of the position a read may begin.
    pub asked: Signal<Out, Bits<16>>,
    pub window: Signal<Out, Bits<16>>,
    tx: Constant<Bit>,
    able: Constant<Bit>,
    mask: Constant<Bits<16>>,
    growth: Constant<Bits<16>>,
    sizes: Lutram<Bits<16>>,
    positions: Lutram<Bits<16>>,
    counts: Lutram<Bits<16>>,
    begun: Lutram<Begun>,
    slots: Lutram<Bits<16>>,
    windows: Lutram<Bits<16>>,
    windows_plan: Lutram<Bits<16>>,
    asked_here: Lutram<Bits<16>>,
    asked_plan: Lutram<Bits<16>>,
    place: Signal<Local, Bits<16>>,
    start: Signal<Local, Bits<16>>,
    write: Signal<Local, Bit>,
    flags: Signal<Local, Bits<16>>,
    wrap: Signal<Local, Bit>,
    here: Signal<Local, Bit>,
    good: Signal<Local, Bit>,
    next: Signal<Local, Bit>,
    before: Signal<Local, Bits<16>>,
    behind: Signal<Local, Bits<16>>,
    grown: Signal<Local, Bits<16>>,
}

impl Strip {
    /// For one direction's queues.
    pub fn new(params: &Params, direction: Direction) -> Self {
        let depth = params.pairs;
        Self {
            clock: Default::default(),
            control: Default::default(),
            valid: Default::default(),
            desc: Default::default(),
            spot: Default::default(),
            step: Default::default(),
            starting: Default::default(),
            takes: Default::default(),
            position: Default::default(),
            ends: Default::default(),
            head: Default::default(),
            chains: Default::default(),
            wrong: Default::default(),
            passed: Default::default(),
            caught: Default::default(),
            missed: Default::default(),
            ask: Default::default(),
            ask_index: Default::default(),
            ask_position: Default::default(),
            asked: Default::default(),
            window: Default::default(),
            tx: Constant::new(direction == Direction::Tx),
            able: Constant::new(params.offers(feature::RING_PACKED)),
            mask: Constant::new((params.pairs as u64 - 1).into()),
            growth: Constant::new(GROWTH.into()),
            sizes: Lutram::new(depth),
            positions: Lutram::new(depth),
            counts: Lutram::new(depth),
            begun: Lutram::new(depth),
            slots: Lutram::new(depth),
            windows: Lutram::new(depth),
            windows_plan: Lutram::new(depth),
            asked_here: Lutram::new(depth),
            asked_plan: Lutram::new(depth),
            place: Default::default(),
            start: Default::default(),
            write: Default::default(),
            flags: Default::default(),
            wrap: Default::default(),
            here: Default::default(),
            good: Default::default(),
            next: Default::default(),
            before: Default::default(),
            behind: Default::default(),
            grown: Default::default(),
        }
    }
}

impl Logic for Strip {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(
            self,
            clock,
            sizes,
            positions,
            counts,
            begun,
            slots,
            windows,
            windows_plan,
            asked_here,
            asked_plan
        );
        self.starting.next = self.control.enable.val()
            & (self.control.settings.val().queue.get_bit(0) == self.tx.val())
            & self.able.val();
        self.start.next = (self.control.settings.val().queue >> 1) & self.mask.val();
        self.place.next = bit_cast::<16, 6>(self.spot.val().index) & self.mask.val();
        self.sizes.write.next = self.starting.val();
        self.sizes.write_addr.next = self.start.val();
        self.sizes.write_data.next = self.control.settings.val().size;
        self.sizes.read_addr.next = self.place.val();
        self.positions.read_addr.next = self.place.val();
        self.counts.read_addr.next = self.place.val();
        self.begun.read_addr.next = self.place.val();
        self.slots.read_addr.next = self.place.val();
        self.windows.read_addr.next = self.place.val();
        self.asked_here.read_addr.next = self.place.val();

        // "AVAIL ... to match the Driver Ring Wrap Counter ... USED to match the inverse". The counter begins with 1, and changes with
        // each round: sizes are powers of two, so a bit of the position says which round it is.
        self.flags.next = self.desc.val().next_desc;
        self.wrap.next = !(self.spot.val().position & self.sizes.read_data.val()).any();
        self.good.next = (self.flags.val().get_bit(packed::DESC_F_AVAIL_BIT) == self.wrap.val())
            & (self.flags.val().get_bit(packed::DESC_F_USED_BIT) != self.wrap.val());
        self.here.next =
            self.valid.val() & self.able.val() & (self.positions.read_data.val() == self.spot.val().position);
        self.next.next = self.flags.val().get_bit(ring::DESC_F_NEXT_BIT);
        self.before.next = self.slots.read_data.val();
        self.wrong.next = self.here.val()
            & self.good.val()
            & self.next.val()
            & (self.before.val() + 1 == self.sizes.read_data.val());
        self.takes.next = self.here.val() & self.good.val() & !self.wrong.val();
        self.missed.next = self.here.val() & !self.good.val();
        self.behind.next = self.spot.val().position + 1;
        self.position.next = self.behind.val();
        self.passed.next = self.takes.val() & self.spot.val().last;
        self.caught.next = self.passed.val() & (self.behind.val() == self.asked_here.read_data.val());

        // A chain is given away when it is whole, so that the position is behind it before the driver can use its descriptors again.
        self.ends.next = self.takes.val() & !self.next.val();
        self.chains.next = self.counts.read_data.val() + 1;
        self.head.next.queue = 0.into();
        self.head.next.id = self.desc.val().flags;
        self.head.next.slots = self.before.val() + 1;
        self.head.next.addr = self.desc.val().addr;
        self.head.next.len = self.desc.val().len;
        self.head.next.flags = self.flags.val();
        if self.before.val().any() {
            self.head.next.addr = self.begun.read_data.val().addr;
            self.head.next.len = self.begun.read_data.val().len;
            self.head.next.flags = self.begun.read_data.val().flags;
        }
        self.head.next.next_desc = (self.behind.val() - self.before.val()) & (self.sizes.read_data.val() - 1);
        self.head.next.none = false;

        // What is kept of it. A queue that starts has the write ports for itself.
        self.write.next = (self.takes.val() & self.step.val()) | self.starting.val();
        self.positions.write.next = self.write.val();
        self.positions.write_addr.next = self.place.val();
        self.positions.write_data.next = self.behind.val();
        self.slots.write.next = self.write.val();
        self.slots.write_addr.next = self.place.val();
        self.slots.write_data.next = self.before.val() + 1;
        self.begun.write.next = self.takes.val() & self.step.val() & !self.before.val().any();
        self.begun.write_addr.next = self.place.val();
        self.begun.write_data.next.addr = self.desc.val().addr;
        self.begun.write_data.next.len = self.desc.val().len;
        self.begun.write_data.next.flags = self.flags.val();
        self.counts.write.next = self.write.val();
        self.counts.write_addr.next = self.place.val();
        self.counts.write_data.next = self.counts.read_data.val();
        if self.ends.val() {
            self.slots.write_data.next = 0.into();
            self.counts.write_data.next = self.chains.val();
        }
        // The more is available, the further ahead it is read: a driver that is far ahead is not waited for, for one that is not
        // few reads are in vain.
        self.grown.next = self.windows.read_data.val() + self.growth.val();
        if self.windows.read_data.val().get_bit(8) {
            self.grown.next = self.windows.read_data.val();
        }
        if self.missed.val() {
            self.grown.next = 1.into();
        }
        self.windows.write.next =
            ((self.passed.val() | self.missed.val()) & self.step.val()) | self.starting.val();
        self.windows.write_addr.next = self.place.val();
        if self.starting.val() {
            self.positions.write_addr.next = self.start.val();
            self.positions.write_data.next = 0.into();
            self.slots.write_addr.next = self.start.val();
            self.slots.write_data.next = 0.into();
            self.counts.write_addr.next = self.start.val();
            self.counts.write_data.next = 0.into();
            self.windows.write_addr.next = self.start.val();
            self.grown.next = 1.into();
        }
        self.windows.write_data.next = self.grown.val();
        self.windows_plan.write.next = self.windows.write.val();
        self.windows_plan.write_addr.next = self.windows.write_addr.val();
        self.windows_plan.write_data.next = self.grown.val();
        self.windows_plan.read_addr.next = self.ask_index.val();
        self.window.next = self.windows_plan.read_data.val();

        self.asked_here.write.next = self.ask.val() & self.able.val();
        self.asked_here.write_addr.next = self.ask_index.val();
        self.asked_here.write_data.next = self.ask_position.val();
        self.asked_plan.write.next = self.ask.val() & self.able.val();
        self.asked_plan.write_addr.next = self.ask_index.val();
        self.asked_plan.write_data.next = self.ask_position.val();
        self.asked_plan.read_addr.next = self.ask_index.val();
        self.asked.next = self.asked_plan.read_data.val();
    }
}
