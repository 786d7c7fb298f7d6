//! What there is to do for each queue of a direction: bits, one per index.
//! In: pulses from the driver (`kick`, `control`), from those who stop queues or give heads back, and from the scheduler,
//! which speaks of the queue at `index`.   Out: `work`, `live`, and the bits of the queue at `index`.
//! Time: a pulse counts from the next cycle on; one that sets a bit wins over one that clears it.   Waits: never.
//! Spec: [virtio: Available Buffer Notifications]

use crate::params::Params;
use crate::port::queue::{DoorbellSink, KickSink, QueueControlSink};
use crate::queue::Direction;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// The bits.
#[derive(LogicBlock)]
pub struct Marks {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub control: QueueControlSink,
    pub kick: DoorbellSink,
    pub stop: KickSink,
    pub fault: KickSink,
    /// Heads of this queue have been given back.
    pub credit: KickSink,
    /// The index read of this queue has come home.
    pub seen: KickSink,
    /// Its driver will ring again: look once more for what came before it knew.
    pub rearmed: KickSink,
    /// Packed rings: of this queue all that was read was available, nothing further is on its way; or something was not available,
    /// which is to be read once more.
    pub passed: KickSink,
    pub caught: Signal<In, Bit>,
    pub missed: KickSink,
    pub again: Signal<In, Bit>,
    /// Pulse: its kick has been heard.
    pub heard: Signal<In, Bit>,
    pub index: Signal<In, Bits<16>>,
    /// It is being dealt with.
    pub working: Signal<In, Bit>,
    /// Pulse: its index, or what its packed ring holds, is being read.
    pub read_index: Signal<In, Bit>,
    /// Pulse: its entries are being looked at.
    pub look: Signal<In, Bit>,
    /// Pulse: it has entries left.
    pub left: Signal<In, Bit>,
    /// Pulse: it has, but none may be begun before heads are given back.
    pub block: Signal<In, Bit>,
    /// Pulse: all is begun, and the driver may not ring for more: look again.
    pub poll: Signal<In, Bit>,
    /// Pulse: its driver is being asked to ring.
    pub arm: Signal<In, Bit>,
    pub live_here: Signal<Out, Bit>,
    pub unread_here: Signal<Out, Bit>,
    pub open_here: Signal<Out, Bit>,
    /// Packed rings: nothing was available at its position, or it is new.
    pub empty_here: Signal<Out, Bit>,
    /// Heads have been given back since it was enabled.
    pub lent_here: Signal<Out, Bit>,
    /// Its driver has been asked to ring since it was enabled.
    pub armed_here: Signal<Out, Bit>,
    /// With its last kick it said an index.
    pub told_here: Signal<Out, Bit>,
    /// Pulse: the kick on offer counts.
    pub kicks: Signal<Out, Bit>,
    /// Enabled and not stopped.
    pub live: Signal<Out, Bits<64>>,
    pub work: Signal<Out, Bits<64>>,
    /// The queue asked about by the cache, and whether something of it is pending here.
    pub supply_queue: Signal<In, Bits<16>>,
    pub supply_coming: Signal<Out, Bit>,
    /// Pulse: a kick was for none of our queues, or for one that is off.
    pub count_kick_ignored: Signal<Out, Bit>,
    tx: Constant<Bit>,
    one: Constant<Bits<64>>,
    mask: Constant<Bits<16>>,
    beyond: Constant<Bits<16>>,
    enabled: Reg<Bits<64>>,
    stopped: Reg<Bits<64>>,
    kicked: Reg<Bits<64>>,
    /// An index read is in flight.
    reading: Reg<Bits<64>>,
    /// Entries may be there that have not been begun.
    open: Reg<Bits<64>>,
    /// Its driver is being asked to ring, and cannot know yet: what it has given meanwhile is looked for then.
    arming: Reg<Bits<64>>,
    blocked: Reg<Bits<64>>,
    empty: Reg<Bits<64>>,
    lent: Reg<Bits<64>>,
    armed: Reg<Bits<64>>,
    told: Reg<Bits<64>>,
    /// Heads were given back since the scheduler looked.
    eased: Reg<Bit>,
    /// The queue at hand, and its bit.
    place: Signal<Local, Bits<16>>,
    here: Signal<Local, Bits<64>>,
    at_enable: Signal<Local, Bits<64>>,
    at_clear: Signal<Local, Bits<64>>,
    at_kick: Signal<Local, Bits<64>>,
    at_told: Signal<Local, Bits<64>>,
    at_stop: Signal<Local, Bits<64>>,
    at_credit: Signal<Local, Bits<64>>,
    at_seen: Signal<Local, Bits<64>>,
    supply_place: Signal<Local, Bits<16>>,
    at_read: Signal<Local, Bits<64>>,
    at_look: Signal<Local, Bits<64>>,
    at_left: Signal<Local, Bits<64>>,
    at_block: Signal<Local, Bits<64>>,
    at_rearmed: Signal<Local, Bits<64>>,
    at_passed: Signal<Local, Bits<64>>,
    at_caught: Signal<Local, Bits<64>>,
    at_missed: Signal<Local, Bits<64>>,
    at_again: Signal<Local, Bits<64>>,
    at_heard: Signal<Local, Bits<64>>,
    at_poll: Signal<Local, Bits<64>>,
    at_arm: Signal<Local, Bits<64>>,
    unread: Signal<Local, Bits<64>>,
    coming: Signal<Local, Bits<64>>,
    eased_now: Signal<Local, Bit>,
    keep: Signal<Local, Bits<64>>,
}

impl Marks {
    /// For one direction's queues.
    pub fn new(params: &Params, direction: Direction) -> Self {
        let mask = params.pairs as u64 - 1;
        Self {
            clock: Default::default(),
            reset: Default::default(),
            control: Default::default(),
            kick: Default::default(),
            stop: Default::default(),
            fault: Default::default(),
            credit: Default::default(),
            seen: Default::default(),
            rearmed: Default::default(),
            passed: Default::default(),
            caught: Default::default(),
            missed: Default::default(),
            again: Default::default(),
            heard: Default::default(),
            index: Default::default(),
            working: Default::default(),
            read_index: Default::default(),
            look: Default::default(),
            left: Default::default(),
            block: Default::default(),
            poll: Default::default(),
            arm: Default::default(),
            live_here: Default::default(),
            unread_here: Default::default(),
            open_here: Default::default(),
            empty_here: Default::default(),
            lent_here: Default::default(),
            armed_here: Default::default(),
            told_here: Default::default(),
            kicks: Default::default(),
            live: Default::default(),
            work: Default::default(),
            supply_queue: Default::default(),
            supply_coming: Default::default(),
            count_kick_ignored: Default::default(),
            tx: Constant::new(direction == Direction::Tx),
            one: Constant::new(1.into()),
            mask: Constant::new(mask.into()),
            beyond: Constant::new((u64::from(u16::MAX) & !mask).into()),
            enabled: Default::default(),
            stopped: Default::default(),
            kicked: Default::default(),
            reading: Default::default(),
            open: Default::default(),
            arming: Default::default(),
            blocked: Default::default(),
            empty: Default::default(),
            lent: Default::default(),
            armed: Default::default(),
            told: Default::default(),
            eased: Default::default(),
            place: Default::default(),
            here: Default::default(),
            at_enable: Default::default(),
            at_clear: Default::default(),
            at_kick: Default::default(),
            at_told: Default::default(),
            at_stop: Default::default(),
            at_credit: Default::default(),
            at_seen: Default::default(),
            supply_place: Default::default(),
            at_read: Default::default(),
            at_look: Default::default(),
            at_left: Default::default(),
            at_block: Default::default(),
            at_rearmed: Default::default(),
            at_passed: Default::default(),
            at_caught: Default::default(),
            at_missed: Default::default(),
            at_again: Default::default(),
            at_heard: Default::default(),
            at_poll: Default::default(),
            at_arm: Default::default(),
            unread: Default::default(),
            coming: Default::default(),
            eased_now: Default::default(),
            keep: Default::default(),
        }
    }
}

impl Logic for Marks {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, enabled, stopped, kicked, reading, open, arming, blocked, lent, armed);
        dff_setup!(self, clock, told, eased, empty);
        // One bit for each who speaks, none if he does not.
        self.place.next = self.index.val() & self.mask.val();
        self.here.next = self.one.val() << self.place.val();
        self.supply_place.next = (self.supply_queue.val() >> 1) & self.mask.val();
        self.at_enable.next = 0.into();
        self.at_clear.next = 0.into();
        if self.control.settings.val().queue.get_bit(0) == self.tx.val() {
            if self.control.enable.val() {
                self.at_enable.next =
                    self.one.val() << ((self.control.settings.val().queue >> 1) & self.mask.val());
            }
            if self.control.clear.val() {
                self.at_clear.next =
                    self.one.val() << ((self.control.settings.val().queue >> 1) & self.mask.val());
            }
        }
        self.at_kick.next = 0.into();
        self.kicks.next = false;
        self.count_kick_ignored.next = false;
        if self.kick.valid.val() & (self.kick.queue.val().get_bit(0) == self.tx.val()) {
            if !((self.kick.queue.val() >> 1) & self.beyond.val()).any() {
                self.at_kick.next = (self.one.val() << ((self.kick.queue.val() >> 1) & self.mask.val()))
                    & self.enabled.q.val();
            }
            self.kicks.next = !((self.kick.queue.val() >> 1) & self.beyond.val()).any()
                & self.enabled.q.val().get_bit(((self.kick.queue.val() >> 1) & self.mask.val()).index());
            self.count_kick_ignored.next = !self.kicks.val();
        }
        self.at_stop.next = 0.into();
        if self.stop.valid.val() & (self.stop.queue.val().get_bit(0) == self.tx.val()) {
            self.at_stop.next = self.one.val() << ((self.stop.queue.val() >> 1) & self.mask.val());
        }
        if self.fault.valid.val() {
            self.at_stop.next =
                self.at_stop.val() | (self.one.val() << ((self.fault.queue.val() >> 1) & self.mask.val()));
        }
        self.at_credit.next = 0.into();
        if self.credit.valid.val() {
            self.at_credit.next = self.one.val() << ((self.credit.queue.val() >> 1) & self.mask.val());
        }
        self.at_seen.next = 0.into();
        if self.seen.valid.val() {
            self.at_seen.next = self.one.val() << ((self.seen.queue.val() >> 1) & self.mask.val());
        }
        self.at_rearmed.next = 0.into();
        if self.rearmed.valid.val() & (self.rearmed.queue.val().get_bit(0) == self.tx.val()) {
            self.at_rearmed.next = (self.one.val() << ((self.rearmed.queue.val() >> 1) & self.mask.val()))
                & self.enabled.q.val();
        }
        self.at_passed.next = 0.into();
        self.at_caught.next = 0.into();
        if self.passed.valid.val() {
            self.at_passed.next = self.one.val() << ((self.passed.queue.val() >> 1) & self.mask.val());
            if self.caught.val() {
                self.at_caught.next = self.at_passed.val();
            }
        }
        self.at_missed.next = 0.into();
        self.at_again.next = 0.into();
        if self.missed.valid.val() {
            self.at_missed.next = self.one.val() << ((self.missed.queue.val() >> 1) & self.mask.val());
            if self.again.val() {
                self.at_again.next = self.at_missed.val();
            }
        }
        self.at_heard.next = 0.into();
        if self.heard.val() {
            self.at_heard.next = self.here.val();
        }
        self.at_poll.next = 0.into();
        if self.poll.val() {
            self.at_poll.next = self.here.val();
        }
        self.at_arm.next = 0.into();
        if self.arm.val() {
            self.at_arm.next = self.here.val();
        }
        self.at_read.next = 0.into();
        if self.read_index.val() {
            self.at_read.next = self.here.val();
        }
        self.at_look.next = 0.into();
        if self.look.val() {
            self.at_look.next = self.here.val();
        }
        self.at_left.next = 0.into();
        if self.left.val() {
            self.at_left.next = self.here.val();
        }
        self.eased_now.next = self.eased.q.val()
            | (self.credit.valid.val()
                & (((self.credit.queue.val() >> 1) & self.mask.val()) == self.place.val()));
        self.eased.d.next = self.eased_now.val() & !self.look.val();
        self.at_block.next = 0.into();
        if self.block.val() & !self.eased_now.val() {
            self.at_block.next = self.here.val();
        }

        // What follows from the bits.
        self.live.next = self.enabled.q.val() & !self.stopped.q.val();
        self.unread.next = self.kicked.q.val() & !self.reading.q.val();
        self.work.next = (self.unread.val() | (self.open.q.val() & !self.blocked.q.val())) & self.live.val();
        // Chosen first, and joined then: one selection of 64 is shallower than that of what is joined.
        self.live_here.next = self.enabled.q.val().get_bit(self.place.val().index())
            & !self.stopped.q.val().get_bit(self.place.val().index());
        self.unread_here.next = self.kicked.q.val().get_bit(self.place.val().index())
            & !self.reading.q.val().get_bit(self.place.val().index());
        self.open_here.next = self.open.q.val().get_bit(self.place.val().index());
        self.empty_here.next = self.empty.q.val().get_bit(self.place.val().index());
        self.lent_here.next = self.lent.q.val().get_bit(self.place.val().index());
        self.armed_here.next = self.armed.q.val().get_bit(self.place.val().index());
        self.told_here.next = self.told.q.val().get_bit(self.place.val().index());
        // Behind the fence nothing is begun, so that only what is in flight still comes.
        self.coming.next = self.reading.q.val();
        if !self.control.fence.val() {
            self.coming.next =
                self.reading.q.val() | self.kicked.q.val() | self.open.q.val() | self.arming.q.val();
        }
        self.supply_coming.next = self.coming.val().get_bit(self.supply_place.val().index())
            | (self.working.val() & (self.place.val() == self.supply_place.val()));

        // A kick during an index read stays: the index is read again [virtio: Available Buffer Notifications].
        // A queue that is new, or off, has no past.
        self.keep.next = !(self.at_clear.val() | self.at_enable.val());
        self.kicked.d.next = ((self.kicked.q.val() & !self.at_heard.val())
            | self.at_kick.val()
            | self.at_rearmed.val()
            | self.at_poll.val()
            | self.at_again.val())
            & self.keep.val();
        self.reading.d.next = ((self.reading.q.val() & !self.at_seen.val() & !self.at_caught.val())
            | self.at_read.val())
            & !self.at_missed.val()
            & self.keep.val();
        self.open.d.next = ((self.open.q.val() & !self.at_look.val())
            | self.at_left.val()
            | self.at_seen.val()
            | self.at_passed.val()
            | self.at_missed.val())
            & self.keep.val();
        self.arming.d.next =
            ((self.arming.q.val() & !self.at_rearmed.val()) | self.at_arm.val()) & self.keep.val();
        self.blocked.d.next = (self.blocked.q.val() | self.at_block.val())
            & !self.at_credit.val()
            & !self.at_passed.val()
            & !self.at_missed.val()
            & self.keep.val();
        // Until a kick is heard, or more is asked for, nothing is read of it.
        self.empty.d.next =
            (self.empty.q.val() & !self.at_heard.val()) | self.at_missed.val() | self.at_enable.val();
        self.lent.d.next = (self.lent.q.val() | self.at_credit.val()) & self.keep.val();
        self.armed.d.next = (self.armed.q.val() | self.at_arm.val()) & self.keep.val();
        // What was told last counts, and only until it has been heard.
        self.at_told.next = 0.into();
        if self.kick.told.val() {
            self.at_told.next = self.at_kick.val();
        }
        self.told.d.next = ((self.told.q.val() & !self.at_heard.val() & !self.at_kick.val())
            | self.at_told.val())
            & self.keep.val();
        self.stopped.d.next = (self.stopped.q.val() | self.at_stop.val()) & self.keep.val();
        self.enabled.d.next = (self.enabled.q.val() | self.at_enable.val()) & !self.at_clear.val();
        if self.reset.val() {
            self.enabled.d.next = 0.into();
            self.stopped.d.next = 0.into();
            self.kicked.d.next = 0.into();
            self.reading.d.next = 0.into();
            self.open.d.next = 0.into();
            self.arming.d.next = 0.into();
            self.blocked.d.next = 0.into();
            self.empty.d.next = 0.into();
            self.lent.d.next = 0.into();
            self.armed.d.next = 0.into();
            self.told.d.next = 0.into();
            self.eased.d.next = false;
        }
    }
}
