//! Holds back what is to be told of used buffers until enough of them have come, or have waited long enough.
//! In: `published`; `settings`; `control`.   Out: `due`, the same, with several of a queue made one; `limits` of the queue `asked` about.
//! Time: at once while no limits have ever been set; then four cycles each. A queue that waits is looked at once in a round of all.
//! Waits: on `due`. Busy while a queue waits: its time is counted. Behind the fence nothing waits.
//! Limits of 0 are none. A queue that starts has those of its direction. What counts as a packet is a chain: more often than asked is allowed.
//! The driver's own wish is looked at behind this block, when the message would go.
//! Spec: [virtio 1.4: Network Device, Control Virtqueue, Notifications Coalescing]

use crate::params::Params;
use crate::port::chain::Published;
use crate::port::control::SettingSink;
use crate::port::queue::QueueControlSink;
use crate::prim::lutram::Lutram;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_abi::{ctrl, feature};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum State {
    Look,
    Read,
    Weigh,
    Tell,
}

/// A queue that waits: what has been published, and since when, in microseconds.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Held {
    pub index: Bits<16>,
    pub since: Bits<20>,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Coalesce {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub control: QueueControlSink,
    pub settings: SettingSink,
    pub published: StreamSink<Published>,
    pub due: StreamSource<Published>,
    pub asked: Signal<In, Bits<16>>,
    /// Packets in the lower half, microseconds in the upper one; combinational.
    pub limits: Signal<Out, Bits<32>>,
    pub busy: Signal<Out, Bit>,
    state: Reg<State>,
    /// Limits have been set: before that nothing goes through here.
    wanted: Reg<Bit>,
    active: Reg<Bit>,
    // Microseconds, and cycles of this one: they are counted while a queue waits.
    now: Reg<Bits<20>>,
    cycles: Reg<Bits<10>>,
    // Limits of a direction; of those queues that have their own.
    rx_limits: Reg<Bits<32>>,
    tx_limits: Reg<Bits<32>>,
    own: Reg<Bits<128>>,
    own_limits: Lutram<Bits<32>>,
    own_copy: Lutram<Bits<32>>,
    /// The index last told.
    told: Lutram<Bits<16>>,
    held: Lutram<Held>,
    waiting: Reg<Bits<128>>,
    // The queue in hand: it has just published, or its turn has come.
    scan: Reg<Bits<16>>,
    fair: Reg<Bit>,
    fresh: Reg<Bit>,
    queue: Reg<Bits<16>>,
    index: Reg<Bits<16>>,
    since: Reg<Bits<20>>,
    most: Reg<Bits<16>>,
    longest: Reg<Bits<16>>,
    count: Reg<Bits<16>>,
    age: Reg<Bits<20>>,
    here: Signal<Local, Bits<7>>,
    waits: Signal<Local, Bit>,
    limits_here: Signal<Local, Bits<32>>,
    own_write: Signal<Local, Bit>,
    met: Signal<Local, Bit>,
    even: Signal<Local, Bits<128>>,
    offered: Constant<Bit>,
    mask: Constant<Bits<16>>,
    last_queue: Constant<Bits<16>>,
    last_cycle: Constant<Bits<10>>,
    evens: Constant<Bits<64>>,
}

impl Coalesce {
    /// For all queues but the control queue.
    pub fn new(params: &Params) -> Self {
        let queues = params.queues();
        let offered = params.offers(feature::NOTF_COAL) | params.offers(feature::VQ_NOTF_COAL);
        Self {
            clock: Default::default(),
            reset: Default::default(),
            control: Default::default(),
            settings: Default::default(),
            published: Default::default(),
            due: Default::default(),
            asked: Default::default(),
            limits: Default::default(),
            busy: Default::default(),
            state: Default::default(),
            wanted: Default::default(),
            active: Default::default(),
            now: Default::default(),
            cycles: Default::default(),
            rx_limits: Default::default(),
            tx_limits: Default::default(),
            own: Default::default(),
            own_limits: Lutram::new(queues),
            own_copy: Lutram::new(queues),
            told: Lutram::new(queues),
            held: Lutram::new(queues),
            waiting: Default::default(),
            scan: Default::default(),
            fair: Default::default(),
            fresh: Default::default(),
            queue: Default::default(),
            index: Default::default(),
            since: Default::default(),
            most: Default::default(),
            longest: Default::default(),
            count: Default::default(),
            age: Default::default(),
            here: Default::default(),
            waits: Default::default(),
            limits_here: Default::default(),
            own_write: Default::default(),
            met: Default::default(),
            even: Default::default(),
            offered: Constant::new(offered),
            mask: Constant::new((queues as u64 - 1).into()),
            last_queue: Constant::new((queues as u64 - 1).into()),
            last_cycle: Constant::new((params.clock_mhz as u64 - 1).into()),
            evens: Constant::new((u64::MAX / 3).into()),
        }
    }
}

impl Logic for Coalesce {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, wanted, active, now, cycles, rx_limits, tx_limits, own, waiting);
        dff_setup!(self, clock, scan, fair, fresh, queue, index, since, most, longest, count, age);
        clock!(self, clock, own_limits, own_copy, told, held);

        // Limits. [Notifications Coalescing]: "applies the last coalescing parameters set for a virtqueue, regardless of the command".
        self.even.next =
            bit_cast::<128, 64>(self.evens.val()) | (bit_cast::<128, 64>(self.evens.val()) << 64);
        self.own_write.next = self.settings.valid.val() & (self.settings.item.val() == ctrl::SET_LIMITS);
        self.own_limits.write.next = self.own_write.val();
        self.own_limits.write_addr.next = self.settings.index.val() & self.mask.val();
        self.own_limits.write_data.next = self.settings.data.val();
        self.own_limits.read_addr.next = self.queue.q.val();
        if self.settings.valid.val() {
            if self.settings.item.val() == ctrl::SET_RX_LIMITS {
                self.wanted.d.next = true;
                self.rx_limits.d.next = self.settings.data.val();
                self.own.d.next = self.own.q.val() & !self.even.val();
            }
            if self.settings.item.val() == ctrl::SET_TX_LIMITS {
                self.wanted.d.next = true;
                self.tx_limits.d.next = self.settings.data.val();
                self.own.d.next = self.own.q.val() & self.even.val();
            }
            if self.settings.item.val() == ctrl::SET_LIMITS {
                self.wanted.d.next = true;
                self.own.d.next = self.own.q.val().replace_bit(
                    (self.settings.index.val() & self.mask.val()).get_bits::<7>(0).index(),
                    true,
                );
            }
        } else if self.control.enable.val() {
            // "Upon disabling and re-enabling a transmit virtqueue": those of its direction.
            self.own.d.next = self.own.q.val().replace_bit(
                (self.control.settings.val().queue & self.mask.val()).get_bits::<7>(0).index(),
                false,
            );
        }
        self.own_copy.write.next = self.own_write.val();
        self.own_copy.write_addr.next = self.settings.index.val() & self.mask.val();
        self.own_copy.write_data.next = self.settings.data.val();
        self.own_copy.read_addr.next = self.asked.val() & self.mask.val();
        self.limits.next = self.rx_limits.q.val();
        if self.asked.val().get_bit(0) {
            self.limits.next = self.tx_limits.q.val();
        }
        if self.own.q.val().get_bit((self.asked.val() & self.mask.val()).get_bits::<7>(0).index()) {
            self.limits.next = self.own_copy.read_data.val();
        }

        // The queue in hand.
        self.here.next = (self.queue.q.val() & self.mask.val()).get_bits::<7>(0);
        self.waits.next = self.waiting.q.val().get_bit(self.here.val().index());
        self.limits_here.next = self.rx_limits.q.val();
        if self.queue.q.val().get_bit(0) {
            self.limits_here.next = self.tx_limits.q.val();
        }
        if self.own.q.val().get_bit(self.here.val().index()) {
            self.limits_here.next = self.own_limits.read_data.val();
        }
        self.told.read_addr.next = self.queue.q.val();
        self.told.write.next = self.control.enable.val();
        self.told.write_addr.next = self.control.settings.val().queue & self.mask.val();
        self.told.write_data.next = 0.into();
        self.held.read_addr.next = self.queue.q.val();
        self.held.write.next = false;
        self.held.write_addr.next = self.queue.q.val();
        self.held.write_data.next.index = self.index.q.val();
        self.held.write_data.next.since = self.since.q.val();
        self.met.next = !self.most.q.val().any()
            | !self.longest.q.val().any()
            | (self.count.q.val() >= self.most.q.val())
            | (self.age.q.val() >= bit_cast::<20, 16>(self.longest.q.val()))
            | self.control.fence.val();

        self.published.ready.next = false;
        self.due.valid.next = self.state.q.val() == State::Tell;
        self.due.data.next.queue = self.queue.q.val();
        self.due.data.next.index = self.index.q.val();
        match self.state.q.val() {
            // Look: who has published, or waits. Both have their turn.
            State::Look => {
                self.queue.d.next = self.published.data.val().queue & self.mask.val();
                self.index.d.next = self.published.data.val().index;
                self.fresh.d.next = true;
                if self.active.q.val() {
                    if self.published.valid.val() & !(self.fair.q.val() & self.waiting.q.val().any()) {
                        self.published.ready.next = true;
                        self.fair.d.next = true;
                        self.state.d.next = State::Read;
                    } else if self.waiting.q.val().any() {
                        self.queue.d.next = self.scan.q.val();
                        self.scan.d.next = self.scan.q.val() + 1;
                        if self.scan.q.val() == self.last_queue.val() {
                            self.scan.d.next = 0.into();
                        }
                        self.fresh.d.next = false;
                        self.fair.d.next = false;
                        self.state.d.next = State::Read;
                    }
                }
            }
            // Read: what is known of it.
            State::Read => {
                self.most.d.next = self.limits_here.val().get_bits::<16>(0);
                self.longest.d.next = self.limits_here.val().get_bits::<16>(16);
                self.count.d.next = self.index.q.val() - self.told.read_data.val();
                self.since.d.next = self.now.q.val();
                self.age.d.next = 0.into();
                if self.waits.val() {
                    self.since.d.next = self.held.read_data.val().since;
                    self.age.d.next = self.now.q.val() - self.held.read_data.val().since;
                }
                if !self.fresh.q.val() {
                    self.index.d.next = self.held.read_data.val().index;
                    self.count.d.next = self.held.read_data.val().index - self.told.read_data.val();
                }
                self.state.d.next = State::Weigh;
                if !self.fresh.q.val() & !self.waits.val() {
                    self.state.d.next = State::Look;
                }
            }
            // Weigh: now, or later. A queue that starts has the write port for itself.
            State::Weigh => {
                if !self.met.val() {
                    self.held.write.next = true;
                    self.waiting.d.next = self.waiting.q.val().replace_bit(self.here.val().index(), true);
                    self.state.d.next = State::Look;
                } else if !self.control.enable.val() {
                    self.told.write.next = true;
                    self.told.write_addr.next = self.queue.q.val();
                    self.told.write_data.next = self.index.q.val();
                    self.waiting.d.next = self.waiting.q.val().replace_bit(self.here.val().index(), false);
                    self.state.d.next = State::Tell;
                }
            }
            State::Tell => {
                if self.due.ready.val() {
                    self.state.d.next = State::Look;
                }
            }
            _ => self.state.d.next = State::Look,
        }
        if !self.active.q.val() {
            self.due.valid.next = self.published.valid.val();
            self.due.data.next = self.published.data.val();
            self.published.ready.next = self.due.ready.val();
            if self.published.valid.val() & self.due.ready.val() & !self.control.enable.val() {
                self.told.write.next = true;
                self.told.write_addr.next = self.published.data.val().queue & self.mask.val();
                self.told.write_data.next = self.published.data.val().index;
            }
            // What is on offer goes the way it began.
            self.active.d.next = self.wanted.q.val() & (!self.published.valid.val() | self.due.ready.val());
        }
        self.cycles.d.next = self.cycles.q.val() + 1;
        if self.cycles.q.val() == self.last_cycle.val() {
            self.cycles.d.next = 0.into();
            self.now.d.next = self.now.q.val() + 1;
        }
        if !self.waiting.q.val().any() {
            self.cycles.d.next = 0.into();
            self.now.d.next = self.now.q.val();
        }
        self.busy.next = (self.state.q.val() != State::Look)
            | self.waiting.q.val().any()
            | (self.wanted.q.val() & !self.active.q.val())
            | (self.active.q.val() & self.published.valid.val());
        if self.reset.val() | !self.offered.val() {
            self.state.d.next = State::Look;
            self.wanted.d.next = false;
            self.active.d.next = false;
            self.waiting.d.next = 0.into();
            self.own.d.next = 0.into();
            self.rx_limits.d.next = 0.into();
            self.tx_limits.d.next = 0.into();
        }
    }
}
