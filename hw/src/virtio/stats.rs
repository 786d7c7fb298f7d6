//! What each queue has done: the counters of DEVICE_STATS.
//! In: events, a pulse each; `queue` and `field`.   Out: `value` of that counter; `life`, which counts device resets.
//! Time: a value follows `queue` and `field` by two cycles, an event by two more; after a reset all counters are swept, one queue a cycle.
//! Waits: never. Busy while an event is not counted yet.
//! What has been sent are frames: of a packet that is segmented each one. What is left in the function by a device reset does not count.
//! Spec: [virtio 1.4: Network Device, Control Virtqueue, Device Statistics]

use crate::params::Params;
use crate::port::chain::Done;
use crate::port::frame::Sent;
use hematite_abi::{common, feature, net};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;
use tally::Tally;

pub mod tally;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Stats {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// HASH_REPORT is accepted: headers are longer.
    pub hashes: Signal<In, Bit>,
    /// The driver has rung; it is to be interrupted, by this vector.
    pub kick: Signal<In, Bit>,
    pub kick_queue: Signal<In, Bits<16>>,
    pub irq: Signal<In, Bit>,
    pub irq_queue: Signal<In, Bits<16>>,
    pub irq_vector: Signal<In, Bits<16>>,
    /// A chain of a received frame is done with.
    pub came: Signal<In, Bit>,
    pub arrived: Signal<In, Done>,
    /// A frame that came has been dropped: for want of buffers, for another reason; before it was known what for.
    pub overrun: Signal<In, Bit>,
    pub dropped: Signal<In, Bit>,
    pub drop_queue: Signal<In, Bits<16>>,
    pub early: Signal<In, Bit>,
    pub early_queue: Signal<In, Bits<16>>,
    /// A frame has been sent.
    pub gone: Signal<In, Bit>,
    pub sent: Signal<In, Sent>,
    /// What was to be sent has been dropped: too short or too long; its checksum is not in it; not to be cut, by `net::split`; by `net::headers`.
    pub malformed: Signal<In, Bit>,
    pub malformed_queue: Signal<In, Bits<16>>,
    pub unsummed: Signal<In, Bit>,
    pub unsummed_owner: Signal<In, Bits<16>>,
    pub uncut: Signal<In, Bit>,
    pub uncut_owner: Signal<In, Bits<16>>,
    pub unread: Signal<In, Bit>,
    pub unread_owner: Signal<In, Bits<16>>,
    pub queue: Signal<In, Bits<16>>,
    pub field: Signal<In, Bits<3>>,
    pub value: Signal<Out, Bits<64>>,
    pub life: Signal<Out, Bits<2>>,
    pub sweeping: Signal<Out, Bit>,
    pub busy: Signal<Out, Bit>,
    // Of all queues: notifications, interrupts. Of receive queues: packets, bytes, drops by `net::place`, those for want of buffers,
    // drops before. Of transmit queues: packets, bytes, malformed ones, those without room for a checksum, those that cannot be cut.
    tallies: Vec<Tally>,
    /// Bytes of a received frame so far, and that there will be more.
    bytes: Reg<Bits<20>>,
    inside: Reg<Bit>,
    /// What `unread` says waits for a cycle without `uncut`; both are rarer than every other cycle.
    late: Reg<Bit>,
    late_queue: Reg<Bits<16>>,
    lives: Reg<Bits<2>>,
    sweep: Reg<Bits<16>>,
    swept: Reg<Bit>,
    was_reset: Reg<Bit>,
    // What a value is the sum of, and it.
    one: Reg<Bits<64>>,
    two: Reg<Bits<64>>,
    three: Reg<Bits<64>>,
    total: Reg<Bits<64>>,
    so_far: Signal<Local, Bits<20>>,
    header: Signal<Local, Bits<20>>,
    owner: Signal<Local, Bits<16>>,
    begins: Signal<Local, Bit>,
    sweeps: Signal<Local, Bit>,
    holds: Signal<Local, Bit>,
    offered: Constant<Bit>,
    last_queue: Constant<Bits<16>>,
    queue_mask: Constant<Bits<16>>,
    short_header: Constant<Bits<20>>,
    long_header: Constant<Bits<20>>,
    no_vector: Constant<Bits<16>>,
}

impl Stats {
    /// For all queues but the control queue.
    pub fn new(params: &Params) -> Self {
        let tally = |n| Tally::new(if n < 2 { params.queues() } else { params.pairs });
        Self {
            clock: Default::default(),
            reset: Default::default(),
            hashes: Default::default(),
            kick: Default::default(),
            kick_queue: Default::default(),
            irq: Default::default(),
            irq_queue: Default::default(),
            irq_vector: Default::default(),
            came: Default::default(),
            arrived: Default::default(),
            overrun: Default::default(),
            dropped: Default::default(),
            drop_queue: Default::default(),
            early: Default::default(),
            early_queue: Default::default(),
            gone: Default::default(),
            sent: Default::default(),
            malformed: Default::default(),
            malformed_queue: Default::default(),
            unsummed: Default::default(),
            unsummed_owner: Default::default(),
            uncut: Default::default(),
            uncut_owner: Default::default(),
            unread: Default::default(),
            unread_owner: Default::default(),
            queue: Default::default(),
            field: Default::default(),
            value: Default::default(),
            life: Default::default(),
            sweeping: Default::default(),
            busy: Default::default(),
            tallies: (0..12).map(tally).collect(),
            bytes: Default::default(),
            inside: Default::default(),
            late: Default::default(),
            late_queue: Default::default(),
            lives: Default::default(),
            sweep: Default::default(),
            swept: Default::default(),
            was_reset: Default::default(),
            one: Default::default(),
            two: Default::default(),
            three: Default::default(),
            total: Default::default(),
            so_far: Default::default(),
            header: Default::default(),
            owner: Default::default(),
            begins: Default::default(),
            sweeps: Default::default(),
            holds: Default::default(),
            offered: Constant::new(params.offers(feature::DEVICE_STATS)),
            last_queue: Constant::new((params.queues() - 1).to_bits()),
            queue_mask: Constant::new((params.queues() - 1).to_bits()),
            short_header: Constant::new(net::HDR_BYTES.to_bits()),
            long_header: Constant::new(net::HDR_HASH_BYTES.to_bits()),
            no_vector: Constant::new(common::NO_VECTOR.to_bits()),
        }
    }
}

impl Logic for Stats {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, bytes, inside, late, late_queue, lives, sweep, swept, was_reset);
        dff_setup!(self, clock, one, two, three, total);
        self.begins.next = self.reset.val() & !self.was_reset.q.val() & self.offered.val();
        self.sweeps.next = !self.swept.q.val() & self.offered.val();
        self.sweeping.next = self.sweeps.val() | self.begins.val();
        for i in 0..12 {
            self.tallies[i].clock.next = self.clock.val();
            self.tallies[i].reset.next = self.reset.val() | !self.offered.val();
            self.tallies[i].sweep.next = self.sweeps.val();
            self.tallies[i].sweep_place.next = self.sweep.q.val();
            self.tallies[i].read_place.next = self.queue.val() >> 1;
            self.tallies[i].amount.next = 1.into();
        }
        self.tallies[0].read_place.next = self.queue.val();
        self.tallies[1].read_place.next = self.queue.val();

        self.tallies[0].add.next = self.kick.val();
        self.tallies[0].place.next = self.kick_queue.val();
        self.tallies[1].add.next = self.irq.val() & (self.irq_vector.val() != self.no_vector.val());
        self.tallies[1].place.next = self.irq_queue.val();

        // A received frame: the chains it took, together, without the header.
        self.header.next = self.short_header.val();
        if self.hashes.val() {
            self.header.next = self.long_header.val();
        }
        self.so_far.next = self.arrived.val().len.get_bits::<20>(0) - self.header.val();
        if self.inside.q.val() {
            self.so_far.next = self.arrived.val().len.get_bits::<20>(0) + self.bytes.q.val();
        }
        if self.came.val() {
            self.bytes.d.next = self.so_far.val();
            self.inside.d.next = self.arrived.val().more;
        }
        for i in 2..4 {
            self.tallies[i].add.next = self.came.val() & !self.arrived.val().more;
            self.tallies[i].place.next = self.arrived.val().queue >> 1;
        }
        self.tallies[3].amount.next = self.so_far.val();
        self.tallies[4].add.next = self.overrun.val() | self.dropped.val();
        self.tallies[4].place.next = self.drop_queue.val() >> 1;
        self.tallies[5].add.next = self.overrun.val();
        self.tallies[5].place.next = self.drop_queue.val() >> 1;
        self.tallies[6].add.next = self.early.val();
        self.tallies[6].place.next = self.early_queue.val() >> 1;

        // What was sent, or was to be.
        self.owner.next = self.sent.val().owner;
        for i in 7..9 {
            self.tallies[i].add.next =
                self.gone.val() & (self.owner.val().get_bits::<2>(14) == self.lives.q.val());
            self.tallies[i].place.next = (self.owner.val() & self.queue_mask.val()) >> 1;
        }
        self.tallies[8].amount.next = bit_cast::<20, 16>(self.sent.val().len);
        self.tallies[9].add.next = self.malformed.val();
        self.tallies[9].place.next = self.malformed_queue.val() >> 1;
        self.tallies[10].add.next = self.unsummed.val();
        self.tallies[10].place.next = (self.unsummed_owner.val() & self.queue_mask.val()) >> 1;
        self.tallies[11].add.next = self.uncut.val() | self.late.q.val();
        self.tallies[11].place.next = self.late_queue.q.val();
        if self.uncut.val() {
            self.tallies[11].place.next = (self.uncut_owner.val() & self.queue_mask.val()) >> 1;
        } else {
            self.late.d.next = false;
        }
        if self.unread.val() & (self.unread_owner.val().get_bits::<2>(14) == self.lives.q.val()) {
            self.late.d.next = self.offered.val();
            self.late_queue.d.next = (self.unread_owner.val() & self.queue_mask.val()) >> 1;
        }

        // What is asked for.
        self.two.d.next = 0.into();
        self.three.d.next = 0.into();
        match self.field.val().index() {
            0 => self.one.d.next = self.tallies[0].value.val(),
            1 => {
                self.one.d.next = self.tallies[2].value.val();
                if self.queue.val().get_bit(0) {
                    self.one.d.next = self.tallies[7].value.val();
                }
            }
            2 => {
                self.one.d.next = self.tallies[3].value.val();
                if self.queue.val().get_bit(0) {
                    self.one.d.next = self.tallies[8].value.val();
                }
            }
            3 => self.one.d.next = self.tallies[1].value.val(),
            4 => {
                self.one.d.next = self.tallies[4].value.val();
                self.two.d.next = self.tallies[6].value.val();
                if self.queue.val().get_bit(0) {
                    self.one.d.next = self.tallies[9].value.val();
                    self.two.d.next = self.tallies[10].value.val();
                    self.three.d.next = self.tallies[11].value.val();
                }
            }
            _ => {
                self.one.d.next = self.tallies[5].value.val();
                if self.queue.val().get_bit(0) {
                    self.one.d.next = self.tallies[9].value.val();
                }
            }
        }
        self.total.d.next = self.one.q.val() + self.two.q.val() + self.three.q.val();
        self.value.next = 0.into();
        if self.offered.val() {
            self.value.next = self.total.q.val();
        }

        self.holds.next = self.sweeps.val() | self.late.q.val();
        for i in 0..12 {
            self.holds.next = self.holds.val() | self.tallies[i].busy.val();
        }
        self.busy.next = self.holds.val();

        // However long a reset lasts, it sweeps once.
        self.life.next = self.lives.q.val();
        self.was_reset.d.next = self.reset.val() & self.offered.val();
        if self.sweeps.val() {
            self.sweep.d.next = self.sweep.q.val() + 1;
            if self.sweep.q.val() == self.last_queue.val() {
                self.swept.d.next = true;
            }
        }
        if self.reset.val() {
            self.inside.d.next = false;
            self.late.d.next = false;
        }
        if self.begins.val() {
            self.lives.d.next = self.lives.q.val() + 1;
            self.swept.d.next = false;
            self.sweep.d.next = 0.into();
        }
    }
}
