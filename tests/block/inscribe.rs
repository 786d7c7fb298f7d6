//! queue::used on packed rings: used descriptors over those that made the chains available, a packet's first one last.

use crate::harness::Harness;
use crate::rings::{Memory, Offer, Taken, Writer, enable, settings};
use hematite_abi::{packed, ring};
use hematite_hw::params::Params;
use hematite_hw::port::chain::{Done, Published};
use hematite_hw::queue::used::Used;
use hematite_sim::facts::packed::flags;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};

struct Queue {
    size: u16,
    desc: u64,
    /// Descriptors before the next chain, as given, as seen by the driver, and as published.
    given: u16,
    seen: u16,
    published: u16,
    chains: VecDeque<Done>,
}

struct Bench<const W: usize> {
    harness: Harness<Used<W>>,
    rng: ChaCha8Rng,
    memory: Memory,
    writer: Writer,
    done: [Offer<Done>; 2],
    watch: Taken<Published>,
    queues: BTreeMap<u64, Queue>,
    stall: u32,
    notices: u64,
}

impl<const W: usize> Bench<W> {
    fn new(params: &Params, seed: u64, stall: u32) -> Self {
        let mut bench = Self {
            harness: Harness::new(Used::<W>::new(params), |b| &mut b.clock),
            rng: ChaCha8Rng::seed_from_u64(seed),
            memory: Memory::default(),
            writer: Writer::new(20, stall),
            done: [Offer::new(stall), Offer::new(stall)],
            watch: Taken::default(),
            queues: BTreeMap::new(),
            stall,
            notices: 0,
        };
        bench.harness.uut.reset.next = true;
        bench.harness.uut.packed.next = true;
        bench.harness.tick();
        bench.harness.uut.reset.next = false;
        bench
    }

    fn enable(&mut self, queue: u64, size: u16) {
        let desc = ((queue + 1) << 20) + self.rng.random_range(0..256) * ring::DESC_BYTES as u64;
        let new = Queue { size, desc, given: 0, seen: 0, published: 0, chains: VecDeque::new() };
        self.queues.insert(queue, new);
        enable(&mut self.harness.uut.control, Some(settings(queue, size.into(), desc, 0, 0)));
        self.step();
        enable(&mut self.harness.uut.control, None);
    }

    /// A packet of so many chains, if the ring has room for all, of up to `longest` descriptors each.
    fn packet(&mut self, queue: u64, chains: u16, longest: u16) {
        let q = self.queues.get_mut(&queue).unwrap();
        if q.size - q.given.wrapping_sub(q.seen) < chains * longest {
            return;
        }
        for i in 0..chains {
            let slots = if self.rng.random() { 1 } else { self.rng.random_range(1..=longest) };
            let done = Done {
                queue: queue.into(),
                id: u64::from(self.rng.random::<u16>()).into(),
                slots: u64::from(slots).into(),
                len: self.rng.random_range(0..3u64).into(),
                more: i + 1 < chains,
            };
            // What the driver has made available is not used.
            let at = q.desc + u64::from(q.given % q.size) * ring::DESC_BYTES as u64;
            self.memory.write_u16(at + 14, flags(q.given, q.size, false));
            q.given = q.given.wrapping_add(slots);
            q.chains.push_back(done);
            self.done[(queue & 1) as usize].words.push_back(done);
        }
    }

    /// What the driver sees: used descriptors in their order. A packet is seen whole, or not at all.
    fn look(&mut self) {
        for (number, q) in &mut self.queues {
            let mut inside = false;
            while let Some(done) = q.chains.front() {
                let at = q.desc + u64::from(q.seen % q.size) * ring::DESC_BYTES as u64;
                let bytes = self.memory.read(at, ring::DESC_BYTES);
                let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
                let both = (packed::DESC_F_AVAIL | packed::DESC_F_USED) as u16;
                if word(14) & both != flags(q.seen, q.size, true) {
                    assert!(!inside, "queue {number}: part of a packet is seen");
                    break;
                }
                assert_eq!(u64::from(word(12)), u64::from(done.id), "queue {number}, slot of {}", q.seen);
                assert_eq!(u64::from(word(8)), u64::from(done.len));
                let write = if done.len.any() { ring::DESC_F_WRITE as u16 } else { 0 };
                assert_eq!(word(14) & !both, write);
                inside = done.more;
                q.seen = q.seen.wrapping_add(u64::from(done.slots) as u16);
                q.chains.pop_front();
            }
        }
    }

    fn step(&mut self) {
        let cycle = self.harness.cycle;
        let uut = &mut self.harness.uut;
        self.done[0].drive(&mut self.rng, &mut uut.done[0]);
        self.done[1].drive(&mut self.rng, &mut uut.done[1]);
        uut.calm.next = self.rng.random_range(0..100) >= self.stall;
        uut.published.ready.next = self.rng.random_range(0..100) >= self.stall;
        self.writer.drive(&mut self.rng, cycle, &mut uut.write, &mut uut.notified);
        self.harness.settle();
        let uut = &mut self.harness.uut;
        self.done[0].sample(&uut.done[0]);
        self.done[1].sample(&uut.done[1]);
        if let Some(published) = self.watch.sample(&uut.published) {
            let q = self.queues.get_mut(&u64::from(published.queue)).expect("a queue that is on");
            q.published = u64::from(published.index) as u16;
            assert!(q.seen.wrapping_sub(q.published) < 1 << 15, "published, and the driver cannot see it");
            self.notices += 1;
        }
        let (write, notified) = (&uut.write, &uut.notified);
        self.writer.sample(&mut self.rng, cycle, &mut self.memory, write, notified);
        self.look();
        self.harness.tick();
    }

    fn drain(&mut self) {
        for _ in 0..20_000 {
            let rest = self.done.iter().all(|done| done.words.is_empty());
            if rest && !self.harness.uut.busy.val() {
                for (queue, q) in &self.queues {
                    assert!(q.chains.is_empty(), "queue {queue}: not all is seen");
                    assert_eq!((q.seen, q.published), (q.given, q.given), "queue {queue}");
                }
                return;
            }
            self.step();
        }
        panic!("all used: not within 20000 cycles");
    }
}

fn random_packets<const W: usize>(params: &Params, seed: u64) {
    let mut bench = Bench::<W>::new(params, seed, 30);
    let last = params.queues() as u64 - 1;
    for (queue, size) in [(0, 16), (1, 8), (last, 256), (last - 1, 128)] {
        bench.enable(queue, size);
    }
    let numbers: Vec<u64> = bench.queues.keys().copied().collect();
    for _ in 0..150 {
        let queue = numbers[bench.rng.random_range(0..numbers.len())];
        for _ in 0..bench.rng.random_range(1..6) {
            let chains = if queue & 1 == 0 { bench.rng.random_range(1..6) } else { 1 };
            let longest = bench.rng.random_range(1..4);
            bench.packet(queue, chains, longest);
        }
        for _ in 0..bench.rng.random_range(0..60) {
            bench.step();
        }
    }
    bench.drain();
    for (queue, q) in &bench.queues {
        bench.harness.uut.probe_queue.next = (*queue).into();
        bench.harness.settle();
        assert_eq!(u64::from(bench.harness.uut.probe_used.val()), u64::from(q.given));
    }
}

#[test]
fn random_packets_all_widths() {
    for seed in 0..3 {
        random_packets::<128>(&Params::BOARD, seed);
        random_packets::<256>(&Params::SIM, 10 + seed);
        random_packets::<512>(&Params::MAX, 20 + seed);
    }
}

/// Neighbours share a write, and sixteen a publication.
#[test]
fn batches() {
    let mut bench = Bench::<512>::new(&Params::MAX, 5, 0);
    bench.enable(3, 256);
    for _ in 0..160 {
        bench.packet(3, 1, 1);
    }
    let start = bench.harness.cycle;
    bench.drain();
    let cycles = bench.harness.cycle - start;
    assert!(cycles < 160 * 8 / 5, "160 chains took {cycles} cycles");
    assert!(
        bench.notices <= 11 && bench.writer.pieces <= 44,
        "{} and {}",
        bench.notices,
        bench.writer.pieces
    );
}

/// Counts go on behind 65535.
#[test]
fn counts_wrap() {
    let mut bench = Bench::<512>::new(&Params::MAX, 6, 0);
    bench.enable(0, 64);
    let mut before = 0;
    while bench.queues[&0].given >= before {
        before = bench.queues[&0].given;
        bench.packet(0, 2, 8);
        bench.step();
    }
    bench.drain();
}
