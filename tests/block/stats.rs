//! `virtio::stats`: every event of every cycle is counted, and of the right queue.

use crate::harness::Harness;
use hematite_abi::{common, net};
use hematite_hw::params::Params;
use hematite_hw::port::chain::Done;
use hematite_hw::port::frame::Sent;
use hematite_hw::virtio::stats::Stats;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Notifications, packets, bytes, interrupts, drops, drops of one kind.
const FIELDS: usize = 6;
/// Cycles in which all that has happened is counted, and a value follows its name.
const SETTLE: usize = 4;

struct Bench {
    harness: Harness<Stats>,
    due: Vec<[u64; FIELDS]>,
    life: u64,
    inside: Option<(u64, u64)>,
    header: u64,
    /// Since the last packet which `net::split` could not cut, and `net::headers`.
    uncut: u64,
    unread: u64,
}

impl Bench {
    fn new(params: &Params, hashes: bool) -> Bench {
        let mut harness = Harness::new(Stats::new(params), |b: &mut Stats| &mut b.clock);
        harness.uut.hashes.next = hashes;
        let header = if hashes { net::HDR_HASH_BYTES } else { net::HDR_BYTES } as u64;
        let due = vec![[0; FIELDS]; params.queues()];
        Bench { harness, due, life: 0, inside: None, header, uncut: 0, unread: 0 }
    }

    /// A device reset, of so many cycles at least; what happens in it does not count.
    fn reset(&mut self, rng: &mut ChaCha8Rng, cycles: usize) {
        self.harness.uut.reset.next = true;
        for cycle in 0.. {
            self.events(rng, 2);
            self.harness.tick();
            if cycle >= cycles && !self.harness.uut.sweeping.val() {
                break;
            }
        }
        self.harness.uut.reset.next = false;
        self.due.fill([0; FIELDS]);
        self.inside = None;
        self.life = (self.life + 1) % 4;
        assert_eq!(u64::from(self.harness.uut.life.val()), self.life);
    }

    /// What happens in a cycle, one event of `rare` of those that may.
    fn events(&mut self, rng: &mut ChaCha8Rng, rare: u32) {
        let queues = self.due.len() as u64;
        let b = &mut self.harness.uut;
        let on = |rng: &mut ChaCha8Rng| rng.random_ratio(1, rare);
        let rx = |rng: &mut ChaCha8Rng| 2 * rng.random_range(0..queues / 2);
        let mut add = |queue: u64, field: usize, by: u64| self.due[queue as usize][field] += by;

        let (kick, queue) = (on(rng), rng.random_range(0..queues));
        (b.kick.next, b.kick_queue.next) = (kick, queue.into());
        add(queue, 0, kick.into());
        let (irq, queue, some) = (on(rng), rng.random_range(0..queues), rng.random::<bool>());
        (b.irq.next, b.irq_queue.next) = (irq, queue.into());
        b.irq_vector.next = if some { queue + 1 } else { common::NO_VECTOR }.into();
        add(queue, 3, (irq && some).into());

        let (came, more) = (on(rng), rng.random_ratio(1, 3));
        let (queue, before) = self.inside.unwrap_or_else(|| (rx(rng), 0));
        let least = if self.inside.is_some() { 0 } else { self.header };
        let len = rng.random_range(least..9000);
        b.came.next = came;
        b.arrived.next = Done { queue: queue.into(), len: len.into(), more, ..Done::default() };
        if came {
            self.inside = more.then_some((queue, before + len));
            if !more {
                add(queue, 1, 1);
                add(queue, 2, before + len - self.header);
            }
        }
        let (overrun, dropped, queue) = (on(rng), on(rng), rx(rng));
        (b.overrun.next, b.dropped.next, b.drop_queue.next) = (overrun, dropped, queue.into());
        add(queue, 4, (overrun || dropped).into());
        add(queue, 5, overrun.into());
        let (early, queue) = (on(rng), rx(rng));
        (b.early.next, b.early_queue.next) = (early, queue.into());
        add(queue, 4, early.into());

        let (gone, queue, len) = (on(rng), rx(rng) + 1, rng.random_range(14..9216));
        let life = if rng.random_ratio(1, 4) { rng.random_range(0..4) } else { self.life };
        b.gone.next = gone;
        b.sent.next = Sent { owner: (queue | life << 14).into(), len: len.into() };
        if gone && life == self.life {
            add(queue, 1, 1);
            add(queue, 2, len);
        }
        let (malformed, queue) = (on(rng), rx(rng) + 1);
        (b.malformed.next, b.malformed_queue.next) = (malformed, queue.into());
        add(queue, 4, malformed.into());
        add(queue, 5, malformed.into());
        let (unsummed, queue) = (on(rng), rx(rng) + 1);
        (b.unsummed.next, b.unsummed_owner.next) = (unsummed, (queue | self.life << 14).into());
        add(queue, 4, unsummed.into());
        let (uncut, queue) = (on(rng) && self.uncut >= 4, rx(rng) + 1);
        (b.uncut.next, b.uncut_owner.next) = (uncut, (queue | self.life << 14).into());
        add(queue, 4, uncut.into());
        self.uncut = if uncut { 1 } else { self.uncut + 1 };
        let (unread, queue) = (on(rng) && self.unread >= 4, rx(rng) + 1);
        (b.unread.next, b.unread_owner.next) = (unread, (queue | life << 14).into());
        add(queue, 4, (unread && life == self.life).into());
        self.unread = if unread { 1 } else { self.unread + 1 };
    }

    fn silence(&mut self) {
        let b = &mut self.harness.uut;
        for event in [&mut b.kick, &mut b.irq, &mut b.came, &mut b.overrun, &mut b.dropped, &mut b.early] {
            event.next = false;
        }
        for event in [&mut b.gone, &mut b.malformed, &mut b.unsummed, &mut b.uncut, &mut b.unread] {
            event.next = false;
        }
        (0..SETTLE).for_each(|_| self.harness.tick());
        assert!(!self.harness.uut.busy.val());
    }

    fn value(&mut self, queue: usize, field: usize) -> u64 {
        self.harness.uut.queue.next = (queue as u64).into();
        self.harness.uut.field.next = (field as u64).into();
        // As `command::report` waits.
        (0..2).for_each(|_| self.harness.tick());
        self.harness.settle();
        self.harness.uut.value.val().into()
    }

    fn check(&mut self) {
        self.silence();
        for queue in 0..self.due.len() {
            for field in 0..FIELDS {
                assert_eq!(self.value(queue, field), self.due[queue][field], "queue {queue}, field {field}");
            }
        }
    }
}

fn random(params: &Params, seed: u64, rare: u32) {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let mut bench = Bench::new(params, seed.is_multiple_of(2));
    for cycles in [3, 0, 40, 200, 1] {
        bench.reset(rng, cycles);
        bench.check();
        for _ in 0..800 {
            bench.events(rng, rare);
            bench.harness.tick();
        }
        bench.check();
    }
}

#[test]
fn nothing_is_lost() {
    random(&Params::SIM, 1, 1);
    random(&Params::SIM, 2, 2);
    random(&Params { pairs: 1, ..Params::SIM }, 3, 3);
    random(&Params { pairs: 16, ..Params::MAX }, 4, 2);
}

/// Who asks is answered while others are counted.
#[test]
fn a_value_is_told_at_any_time() {
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let mut bench = Bench::new(&Params::SIM, false);
    bench.reset(rng, 2);
    for _ in 0..200 {
        let (queue, field) = (rng.random_range(0..bench.due.len()), rng.random_range(0..FIELDS));
        let before = bench.due[queue][field];
        bench.harness.uut.queue.next = (queue as u64).into();
        bench.harness.uut.field.next = (field as u64).into();
        for _ in 0..6 {
            bench.events(rng, 1);
            bench.harness.tick();
        }
        bench.harness.settle();
        let told = u64::from(bench.harness.uut.value.val());
        assert!((before..=bench.due[queue][field]).contains(&told), "queue {queue}, field {field}");
    }
    bench.check();
}

/// Where it is not offered nothing is counted, swept or waited for.
#[test]
fn a_set_without_it_has_none() {
    let rng = &mut ChaCha8Rng::seed_from_u64(6);
    let mut bench = Bench::new(&Params::TINY, false);
    for cycle in 0..200 {
        bench.harness.uut.reset.next = cycle % 50 < 3;
        bench.events(rng, 1);
        bench.harness.tick();
        let b = &bench.harness.uut;
        assert!(!b.busy.val() && !b.sweeping.val() && !b.value.val().any() && !b.life.val().any());
    }
}
