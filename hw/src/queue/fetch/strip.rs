//! Finds chains in the descriptors of packed rings, for one direction's queues: what stands at a queue's position and is available
//! moves it on; the last descriptor of a chain, by which alone its name is known, makes a head of it.
//! In: `desc`, what has been read and where (`spot`), in the order of the reads; `control`; `ask`, where the next read of a queue
//! begins.   Out: in the same cycle `head`, `wrong`; `takes`, `position`, what has been counted; `passed`, `missed`, pulses.
//! Time: combinational, a descriptor per cycle; `step` says that the one shown goes.   Waits: never; not in a cycle in which a queue starts.
//! What was read from elsewhere than the position, behind one that was not available, is old: nothing follows from it.
//! A host may serve reads, and the lines of a read, in any order. What continues a chain, in another line of 64 bytes or by another
//! read than what is before it, may be older than that: it is not believed, and read once more (`again`).
//! Spec: [virtio 1.4: Packed Virtqueues, Driver and Device Ring Wrap Counters, Next Flag], [PCIe: Transaction Ordering]

use super::ahead::Ahead;
use super::gather::Descriptor;
use crate::params::Params;
use crate::port::chain::Head;
use crate::port::queue::QueueControlSink;
use crate::prim::lutram::Lutram;
use crate::queue::Direction;
use hematite_abi::{feature, packed, ring};
use rust_hdl_core::prelude::*;

/// Where a descriptor was read.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Spot {
    pub index: Bits<6>,
    /// Descriptors of the queue before it, modulo 65536.
    pub position: Bits<16>,
    /// The last of its read.
    pub last: Bit,
}

/// Where a ring is.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Extent {
    /// Descriptors.
    pub size: Bits<16>,
    /// Descriptors before it in its line of 64 bytes.
    pub start: Bits<2>,
}

/// A chain of which not all has been seen.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Begun {
    pub addr: Bits<64>,
    pub len: Bits<32>,
    pub flags: Bits<16>,
}

/// How much of a chain has been seen.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Seen {
    /// Descriptors.
    pub slots: Bits<16>,
    /// With one more it is as long as the ring.
    pub full: Bit,
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
    /// It is not available; or it is not believed, and is to be read again.
    pub missed: Signal<Out, Bit>,
    pub again: Signal<Out, Bit>,
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
    extents: Lutram<Extent>,
    positions: Lutram<Bits<16>>,
    counts: Lutram<Bits<16>>,
    begun: Lutram<Begun>,
    /// What comes next continues a chain, and was read too early to be believed.
    doubts: Lutram<Bit>,
    seen: Lutram<Seen>,
    ahead: Ahead,
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
    size: Signal<Local, Bits<16>>,
    /// It is the last of its line.
    line_ends: Signal<Local, Bit>,
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
            again: Default::default(),
            ask: Default::default(),
            ask_index: Default::default(),
            ask_position: Default::default(),
            asked: Default::default(),
            window: Default::default(),
            tx: Constant::new(direction == Direction::Tx),
            able: Constant::new(params.offers(feature::RING_PACKED)),
            mask: Constant::new((params.pairs as u64 - 1).into()),
            extents: Lutram::new(depth),
            positions: Lutram::new(depth),
            counts: Lutram::new(depth),
            begun: Lutram::new(depth),
            doubts: Lutram::new(depth),
            seen: Lutram::new(depth),
            ahead: Ahead::new(params),
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
            size: Default::default(),
            line_ends: Default::default(),
        }
    }
}

impl Logic for Strip {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, extents, positions, counts, begun, doubts, seen, ahead);
        self.starting.next = self.control.enable.val()
            & (self.control.settings.val().queue.get_bit(0) == self.tx.val())
            & self.able.val();
        self.start.next = (self.control.settings.val().queue >> 1) & self.mask.val();
        self.place.next = bit_cast::<16, 6>(self.spot.val().index) & self.mask.val();
        self.extents.write.next = self.starting.val();
        self.extents.write_addr.next = self.start.val();
        self.extents.write_data.next.size = self.control.settings.val().size;
        self.extents.write_data.next.start = self.control.settings.val().desc.get_bits::<2>(4);
        self.extents.read_addr.next = self.place.val();
        self.size.next = self.extents.read_data.val().size;
        self.doubts.read_addr.next = self.place.val();
        self.positions.read_addr.next = self.place.val();
        self.counts.read_addr.next = self.place.val();
        self.begun.read_addr.next = self.place.val();
        self.seen.read_addr.next = self.place.val();

        // "AVAIL ... to match the Driver Ring Wrap Counter ... USED to match the inverse". The counter begins with 1, and changes with
        // each round: sizes are powers of two, so a bit of the position says which round it is.
        self.flags.next = self.desc.val().next_desc;
        self.wrap.next = !(self.spot.val().position & self.size.val()).any();
        self.good.next = (self.flags.val().get_bit(packed::DESC_F_AVAIL_BIT) == self.wrap.val())
            & (self.flags.val().get_bit(packed::DESC_F_USED_BIT) != self.wrap.val())
            & !self.doubts.read_data.val();
        self.here.next =
            self.valid.val() & self.able.val() & (self.positions.read_data.val() == self.spot.val().position);
        self.next.next = self.flags.val().get_bit(ring::DESC_F_NEXT_BIT);
        self.before.next = self.seen.read_data.val().slots;
        self.wrong.next =
            self.here.val() & self.good.val() & self.next.val() & self.seen.read_data.val().full;
        self.takes.next = self.here.val() & self.good.val() & !self.wrong.val();
        self.missed.next = self.here.val() & !self.good.val();
        self.again.next = self.missed.val() & self.doubts.read_data.val();
        self.behind.next = self.spot.val().position + 1;
        self.position.next = self.behind.val();
        self.passed.next = self.takes.val() & self.spot.val().last;
        self.caught.next = self.passed.val() & (self.behind.val() == self.ahead.asked_here.val());

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
        self.head.next.next_desc = (self.behind.val() - self.before.val()) & (self.size.val() - 1);
        self.head.next.none = false;

        // What is kept of it. A queue that starts has the write ports for itself.
        self.write.next = (self.takes.val() & self.step.val()) | self.starting.val();
        self.positions.write.next = self.write.val();
        self.positions.write_addr.next = self.place.val();
        self.positions.write_data.next = self.behind.val();
        self.seen.write.next = self.write.val();
        self.seen.write_addr.next = self.place.val();
        self.seen.write_data.next.slots = self.before.val() + 1;
        self.seen.write_data.next.full = self.before.val() + 2 == self.size.val();
        self.begun.write.next = self.takes.val() & self.step.val() & !self.before.val().any();
        self.begun.write_addr.next = self.place.val();
        self.begun.write_data.next.addr = self.desc.val().addr;
        self.begun.write_data.next.len = self.desc.val().len;
        self.begun.write_data.next.flags = self.flags.val();
        self.line_ends.next =
            (self.extents.read_data.val().start + self.spot.val().position.get_bits::<2>(0)) == 3;
        // One that is asked for from now on is read after what has just come.
        self.doubts.write.next =
            ((self.takes.val() | self.missed.val()) & self.step.val()) | self.starting.val();
        self.doubts.write_addr.next = self.place.val();
        self.doubts.write_data.next = self.takes.val()
            & self.next.val()
            & (self.line_ends.val() | self.spot.val().last)
            & !self.caught.val();
        self.counts.write.next = self.write.val();
        self.counts.write_addr.next = self.place.val();
        self.counts.write_data.next = self.counts.read_data.val();
        if self.ends.val() {
            self.seen.write_data.next.slots = 0.into();
            self.seen.write_data.next.full = self.size.val() == 1;
            self.counts.write_data.next = self.chains.val();
        }
        if self.starting.val() {
            self.positions.write_addr.next = self.start.val();
            self.positions.write_data.next = 0.into();
            self.seen.write_addr.next = self.start.val();
            self.seen.write_data.next.slots = 0.into();
            self.seen.write_data.next.full = self.control.settings.val().size == 1;
            self.doubts.write_addr.next = self.start.val();
            self.doubts.write_data.next = false;
            self.counts.write_addr.next = self.start.val();
            self.counts.write_data.next = 0.into();
        }

        self.ahead.start.next = self.starting.val();
        self.ahead.start_index.next = self.start.val();
        self.ahead.place.next = self.place.val();
        self.ahead.passed.next = self.passed.val() & self.step.val();
        self.ahead.missed.next = self.missed.val() & self.step.val();
        self.ahead.ask.next = self.ask.val() & self.able.val();
        self.ahead.ask_index.next = self.ask_index.val();
        self.ahead.ask_position.next = self.ask_position.val();
        self.asked.next = self.ahead.asked.val();
        self.window.next = self.ahead.window.val();
    }
}
