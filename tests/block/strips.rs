//! queue::fetch on packed rings: heads in order, each whole and with its name, none lost, none invented.

use crate::harness::Harness;
use crate::rings::{Memory, Reader, Taken, enable, pulse, ring, settings};
use hematite_abi::{ident, packed, ring};
use hematite_hw::params::Params;
use hematite_hw::port::chain::{Arm, Head};
use hematite_hw::port::queue::QueueError;
use hematite_hw::queue::Direction;
use hematite_hw::queue::fetch::Fetch;
use hematite_sim::facts::packed::{flags, passes, place};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};

/// A driver's view of one queue. Counts are of descriptors, modulo 65536.
struct Queue {
    size: u16,
    desc: u64,
    avail: u16,
    used: u16,
    /// Descriptors of which only the flags have been written; then the flags of first ones, and where.
    bare: VecDeque<(u64, u64, u32, u16, u16)>,
    late: VecDeque<(u64, u16)>,
    expect: VecDeque<Head>,
    /// Chains that the device has: how many descriptors each; rx: how many chains were given back.
    held: VecDeque<u16>,
    back: u16,
    /// Where it stood when it last looked whether to ring, and where it was asked to.
    told: u16,
    event: Option<u16>,
    kick: bool,
    on: bool,
}

struct Bench<const W: usize> {
    harness: Harness<Fetch<W>>,
    rng: ChaCha8Rng,
    memory: Memory,
    reader: Reader<W>,
    direction: Direction,
    ready_heads: usize,
    queues: BTreeMap<u64, Queue>,
    watch: Taken<Head>,
    arm_watch: Taken<Arm>,
    arms: VecDeque<(u64, u64, u16)>,
    errors: Vec<(u64, u64)>,
    stall: u32,
    events: bool,
    heads: u64,
    unrung: u64,
}

impl<const W: usize> Bench<W> {
    fn new(params: &Params, direction: Direction, seed: u64, delay: u64, stall: u32) -> Self {
        let mut bench = Self {
            harness: Harness::new(Fetch::<W>::new(params, direction), |b| &mut b.clock),
            rng: ChaCha8Rng::seed_from_u64(seed),
            memory: Memory::default(),
            reader: Reader::new(delay, stall),
            direction,
            ready_heads: params.ready_heads,
            queues: BTreeMap::new(),
            watch: Taken::default(),
            arm_watch: Taken::default(),
            arms: VecDeque::new(),
            errors: vec![],
            stall,
            events: false,
            heads: 0,
            unrung: 0,
        };
        bench.harness.uut.reset.next = true;
        bench.harness.uut.packed.next = true;
        bench.harness.tick();
        bench.harness.uut.reset.next = false;
        bench
    }

    fn enable(&mut self, index: u64, size: u16) {
        let queue = 2 * index + self.direction as u64;
        // Anywhere in a page: rings cross pages.
        let desc = (1 << 40) + (queue << 24) + self.rng.random_range(0..4096) * ring::DESC_BYTES as u64;
        self.memory.write(desc, &vec![0; ring::DESC_BYTES * usize::from(size)]);
        let new = Queue {
            size,
            desc,
            avail: 0,
            used: 0,
            bare: VecDeque::new(),
            late: VecDeque::new(),
            expect: VecDeque::new(),
            held: VecDeque::new(),
            back: 0,
            told: 0,
            // Before anything is written there: at anything.
            event: None,
            kick: false,
            on: true,
        };
        self.queues.insert(queue, new);
        let with = settings(queue, size.into(), desc, 0, 0);
        self.reader.learn(&with);
        enable(&mut self.harness.uut.control, Some(with));
        self.step();
        enable(&mut self.harness.uut.control, None);
    }

    /// The driver makes a chain of so many descriptors available, its first one last, and later.
    fn offer(&mut self, queue: u64, count: u16) {
        let Some(q) = self.queues.get_mut(&queue) else { return };
        if q.size - q.avail.wrapping_sub(q.used) < count {
            return;
        }
        let name: u16 = self.rng.random();
        for step in 0..count {
            let at = q.desc + u64::from(q.avail.wrapping_add(step) % q.size) * ring::DESC_BYTES as u64;
            let (addr, len): (u64, u32) = (self.rng.random(), self.rng.random());
            let last = step + 1 == count;
            let id = if last { name } else { self.rng.random() };
            let next = if last { 0 } else { ring::DESC_F_NEXT as u16 };
            let kinds = (self.rng.random::<u16>() & ring::DESC_F_WRITE as u16) | next;
            let all = kinds | flags(q.avail.wrapping_add(step), q.size, false);
            let old = self.memory.read_u16(at + 14);
            // Of the others the flags may be first: there is no barrier before that of the chain.
            if step > 0 && self.reader.scattered {
                self.memory.write_u16(at + 14, all);
                q.bare.push_back((at, addr, len, id, all));
            } else {
                self.memory.write_desc(at, addr, len, id, if step == 0 { old } else { all });
            }
            if step == 0 {
                q.late.push_back((at + 14, all));
                q.expect.push_back(Head {
                    queue: queue.into(),
                    id: u64::from(name).into(),
                    slots: u64::from(count).into(),
                    addr: addr.into(),
                    len: u64::from(len).into(),
                    flags: u64::from(all).into(),
                    next_desc: u64::from(q.avail.wrapping_add(1) % q.size).into(),
                    none: false,
                });
            }
        }
        q.avail = q.avail.wrapping_add(count);
    }

    fn step(&mut self) {
        let cycle = self.harness.cycle;
        let uut = &mut self.harness.uut;
        for q in self.queues.values_mut() {
            if !q.bare.is_empty() {
                if self.rng.random_range(0..4) == 0 {
                    for (at, addr, len, id, all) in q.bare.drain(..) {
                        self.memory.write_desc(at, addr, len, id, all);
                    }
                }
            } else if self.rng.random_range(0..4) == 0 && !q.late.is_empty() {
                for (at, flags) in q.late.drain(..) {
                    self.memory.write_u16(at, flags);
                }
                let rings =
                    !self.events || q.event.is_none_or(|event| passes(event, q.told, q.avail, q.size));
                q.kick |= rings;
                self.unrung += u64::from(!rings);
                q.told = q.avail;
            }
        }
        let kicks: Vec<u64> = self.queues.iter().filter(|(_, q)| q.kick).map(|(n, _)| *n).collect();
        let kick = kicks.get(self.rng.random_range(0..3)).copied();
        if let Some(q) = kick.and_then(|n| self.queues.get_mut(&n)) {
            q.kick = false;
        }
        ring(&mut uut.kick, kick, None);
        uut.event_idx.next = self.events;
        uut.arm.ready.next = self.rng.random_range(0..100) >= self.stall;
        let armed = self.arms.pop_front_if(|(due, ..)| *due <= cycle);
        pulse(&mut uut.rearmed, armed.map(|(_, queue, _)| queue));
        if let Some((_, queue, event)) = armed
            && let Some(q) = self.queues.get_mut(&queue)
        {
            q.event = Some(event);
        }
        // The device uses what it holds, in order: the driver has the descriptors again.
        uut.credit.valid.next = false;
        let holders: Vec<u64> =
            self.queues.iter().filter(|(_, q)| !q.held.is_empty()).map(|(n, _)| *n).collect();
        if self.rng.random_range(0..10) == 0
            && let Some(n) = holders.get(self.rng.random_range(0..holders.len().max(1)))
            && let Some(q) = self.queues.get_mut(n)
        {
            let some = self.rng.random_range(1..=q.held.len());
            for slots in q.held.drain(..some) {
                let at = q.desc + u64::from(q.used % q.size) * ring::DESC_BYTES as u64 + 14;
                self.memory.write_u16(at, flags(q.used, q.size, true));
                q.used = q.used.wrapping_add(slots);
            }
            q.back = q.back.wrapping_add(some as u16);
            uut.credit.valid.next = self.direction == Direction::Rx;
            uut.credit.queue.next = (*n).into();
            uut.credit.total.next = u64::from(q.back).into();
        }
        uut.head.ready.next = self.rng.random_range(0..100) >= self.stall;
        uut.error.ready.next = self.rng.random_range(0..100) >= self.stall;
        self.reader.drive(&mut self.rng, cycle, &self.memory, &mut uut.request, &mut uut.reply);
        self.harness.settle();
        let uut = &mut self.harness.uut;
        self.reader.sample(&mut self.rng, cycle, &uut.request, &uut.reply);
        if uut.error.valid.val() && uut.error.ready.val() {
            let QueueError { queue, code } = uut.error.data.val();
            self.errors.push((queue.into(), code.into()));
            self.queues.get_mut(&u64::from(queue)).expect("an error of a queue that is on").on = false;
        }
        if let Some(arm) = self.arm_watch.sample(&uut.arm) {
            assert!(self.events, "armed without EVENT_IDX");
            let due = cycle + 1 + self.rng.random_range(0..20);
            self.arms.push_back((due, arm.queue.into(), u64::from(arm.index) as u16));
        }
        if let Some(head) = self.watch.sample(&uut.head) {
            let q = self.queues.get_mut(&u64::from(head.queue)).expect("a head of a queue that is on");
            assert_eq!(q.expect.pop_front(), Some(head), "cycle {cycle}");
            q.held.push_back(u64::from(head.slots) as u16);
            self.heads += 1;
            let most = if self.direction == Direction::Rx { self.ready_heads } else { usize::MAX };
            assert!(q.held.len() <= most, "queue {:?}: more heads than places", head.queue);
        }
        self.harness.tick();
    }

    fn run(&mut self, cycles: u64, longest: u16) {
        let numbers: Vec<u64> = self.queues.keys().copied().collect();
        for _ in 0..cycles {
            if self.rng.random_range(0..100) < 10 {
                let queue = numbers[self.rng.random_range(0..numbers.len())];
                for _ in 0..self.rng.random_range(1..24) {
                    let count = if self.rng.random() { 1 } else { self.rng.random_range(1..=longest) };
                    self.offer(queue, count);
                }
            }
            self.step();
        }
    }

    fn drain(&mut self) {
        for _ in 0..30_000 {
            let rest = |q: &Queue| !q.on || (q.expect.is_empty() && !q.kick && q.late.is_empty());
            if self.queues.values().all(rest) && !self.harness.uut.busy.val() && self.arms.is_empty() {
                assert!(self.reader.quiet(), "it rests, but reads are in flight");
                return;
            }
            self.step();
        }
        let left: Vec<_> = self.queues.iter().map(|(n, q)| (*n, q.on, q.expect.len(), q.kick)).collect();
        panic!("all heads: not within 30000 cycles: (queue, on, missing, kick) {left:?}");
    }
}

/// Returns how often the driver needed not ring.
fn traffic<const W: usize>(params: &Params, direction: Direction, seed: u64, events: bool) -> u64 {
    let mut bench = Bench::<W>::new(params, direction, seed, 60, 30);
    bench.events = events;
    run(bench, params)
}

fn run<const W: usize>(mut bench: Bench<W>, params: &Params) -> u64 {
    let events = bench.events;
    let spread = (params.pairs / 5).max(1);
    for index in (0..params.pairs as u64).step_by(spread) {
        let size = 8 << bench.rng.random_range(0..4);
        bench.enable(index, size);
    }
    bench.run(6000, 8);
    bench.drain();
    assert!(bench.heads > 100, "only {} heads", bench.heads);
    assert_eq!(bench.errors, []);
    for (queue, q) in &bench.queues {
        bench.harness.uut.probe_queue.next = (*queue).into();
        bench.harness.settle();
        assert_eq!(u64::from(bench.harness.uut.probe_seen.val()), u64::from(q.avail));
        assert_eq!(u64::from(bench.harness.uut.probe_taken.val()), u64::from(q.avail));
        if events {
            assert_eq!(
                q.event,
                Some(place(q.avail, q.size)),
                "queue {queue} rests, and its driver does not know where to ring"
            );
        }
    }
    bench.unrung
}

#[test]
fn chains_of_all_lengths() {
    for seed in 0..4 {
        traffic::<128>(&Params::BOARD, Direction::Rx, seed, false);
        traffic::<256>(&Params::SIM, Direction::Tx, 10 + seed, false);
        traffic::<256>(&Params::SIM, Direction::Rx, 20 + seed, false);
        traffic::<512>(&Params::MAX, Direction::Tx, 30 + seed, false);
    }
}

#[test]
fn drivers_that_ring_where_they_are_asked_to() {
    let mut unrung = 0;
    for seed in 0..4 {
        unrung += traffic::<256>(&Params::SIM, Direction::Tx, 40 + seed, true);
        unrung += traffic::<256>(&Params::SIM, Direction::Rx, 50 + seed, true);
    }
    assert!(unrung > 5, "only {unrung} kicks were spared");
}

/// Reads, and the lines of one, are served in any order while the driver is still writing. [PCIe: Transaction Ordering]
#[test]
fn hosts_that_read_lines_in_any_order() {
    for seed in 0..4 {
        for events in [false, true] {
            let mut bench = Bench::<256>::new(&Params::SIM, Direction::Tx, 70 + seed, 60, 30);
            (bench.reader.scattered, bench.events) = (true, events);
            run(bench, &Params::SIM);
            let mut bench = Bench::<512>::new(&Params::MAX, Direction::Rx, 80 + seed, 60, 30);
            (bench.reader.scattered, bench.events) = (true, events);
            run(bench, &Params::MAX);
        }
    }
}

/// A driver that is far ahead: reads do not wait for each other.
#[test]
fn a_long_backlog_is_read_without_pauses() {
    let mut bench = Bench::<512>::new(&Params::MAX, Direction::Tx, 60, 0, 0);
    bench.reader.delay = 1;
    bench.enable(0, 1024);
    for _ in 0..1024 {
        bench.offer(1, 1);
    }
    let start = bench.harness.cycle;
    while bench.heads < 1024 {
        bench.step();
        assert!(bench.harness.cycle - start < 3000, "{} heads in 3000 cycles", bench.heads);
    }
}

/// Every descriptor in one list that goes on.
#[test]
fn a_list_longer_than_the_ring_stops_its_queue() {
    let mut bench = Bench::<256>::new(&Params::SIM, Direction::Tx, 62, 20, 20);
    bench.enable(0, 8);
    bench.enable(1, 8);
    let desc = bench.queues[&1].desc;
    for slot in 0..8 {
        let all = ring::DESC_F_NEXT as u16 | packed::DESC_F_AVAIL as u16;
        bench.memory.write_desc(desc + 16 * slot, 0, 0, 0, all);
    }
    bench.queues.get_mut(&1).unwrap().kick = true;
    bench.offer(3, 2);
    bench.drain();
    assert_eq!(bench.errors, [(1, ident::ERROR_DESC_LOOP)]);
    assert_eq!(bench.heads, 1);
}
