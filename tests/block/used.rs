//! queue::used: elements before the index, the index at the end of a packet, notices in order.

use crate::harness::Harness;
use crate::rings::{Memory, Offer, Taken, Writer, enable, settings};
use hematite_hw::params::Params;
use hematite_hw::port::chain::{Done, Published};
use hematite_hw::queue::used::Used;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};

struct Queue {
    size: u16,
    device: u64,
    used: u16,
    /// Chains put in, and not yet published.
    chains: VecDeque<Done>,
    /// As written, and not yet published.
    indices: VecDeque<u64>,
    /// Chains of all packets, and those the driver got back.
    given: u64,
    back: u64,
    published: u64,
    taken: u64,
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
    /// Many publications are in flight, as far as the function knows.
    hurried: bool,
    /// Queues in the order their indices were written.
    order: VecDeque<u64>,
    chains: u64,
}

impl<const W: usize> Bench<W> {
    fn new(params: &Params, seed: u64, stall: u32) -> Self {
        let uut = Used::<W>::new(params);
        let mut bench = Self {
            harness: Harness::new(uut, |b| &mut b.clock),
            rng: ChaCha8Rng::seed_from_u64(seed),
            memory: Memory::default(),
            writer: Writer::new(20, stall),
            done: [Offer::new(stall), Offer::new(stall)],
            watch: Taken::default(),
            queues: BTreeMap::new(),
            stall,
            hurried: false,
            order: VecDeque::new(),
            chains: 0,
        };
        bench.harness.uut.reset.next = true;
        bench.harness.tick();
        bench.harness.uut.reset.next = false;
        bench
    }

    fn enable(&mut self, queue: u64, size: u16, device: u64) {
        self.memory.write(device, &vec![0; 6 + 8 * usize::from(size)]);
        let new = Queue {
            size,
            device,
            used: 0,
            chains: VecDeque::new(),
            indices: VecDeque::new(),
            given: 0,
            back: 0,
            published: 0,
            taken: 0,
        };
        self.queues.insert(queue, new);
        enable(&mut self.harness.uut.control, Some(settings(queue, size.into(), 0, 0, device)));
        self.step();
        enable(&mut self.harness.uut.control, None);
    }

    /// A packet of so many chains has been done with.
    fn packet(&mut self, queue: u64, chains: usize) {
        self.queues.get_mut(&queue).unwrap().given += chains as u64;
        for i in 0..chains {
            let done = Done {
                queue: queue.into(),
                id: u64::from(self.rng.random::<u16>()).into(),
                slots: 0.into(),
                len: u64::from(self.rng.random::<u32>()).into(),
                more: i + 1 < chains,
            };
            self.done[(queue & 1) as usize].words.push_back(done);
        }
    }

    fn step(&mut self) {
        let cycle = self.harness.cycle;
        let uut = &mut self.harness.uut;
        self.done[0].drive(&mut self.rng, &mut uut.done[0]);
        self.done[1].drive(&mut self.rng, &mut uut.done[1]);
        uut.calm.next = !self.hurried && self.rng.random_range(0..100) >= self.stall;
        uut.published.ready.next = self.rng.random_range(0..100) >= self.stall;
        self.writer.drive(&mut self.rng, cycle, &mut uut.write, &mut uut.notified);
        self.harness.settle();
        let uut = &mut self.harness.uut;
        let owed = self.queues.values().any(|q| !q.chains.is_empty());
        assert!(uut.busy.val() || !owed, "cycle {cycle}: not busy, and a chain has not been published");
        for i in 0..2 {
            if self.done[i].sample(&uut.done[i]) {
                let done = uut.done[i].data.val();
                self.queues.get_mut(&u64::from(done.queue)).unwrap().chains.push_back(done);
                self.chains += 1;
            }
        }
        let rng = &mut self.rng;
        let piece = self.writer.sample(rng, cycle, &mut self.memory, &uut.write, &uut.notified);
        if let Some((addr, bytes, notify)) = piece {
            self.piece(addr, bytes, notify);
        }
        if let Some(published) = self.watch.sample(&self.harness.uut.published) {
            assert_eq!(self.order.pop_front(), Some(published.queue.into()));
            let q = self.queues.get_mut(&u64::from(published.queue)).unwrap();
            q.published += 1;
            assert_eq!(
                u64::from(published.index),
                q.indices.pop_front().expect("an index that was not written")
            );
        }
        self.harness.tick();
    }

    fn piece(&mut self, addr: u64, bytes: Vec<u8>, notify: bool) {
        let within = |q: &Queue| (q.device..q.device + 6 + 8 * u64::from(q.size)).contains(&addr);
        let (number, q) = self.queues.iter_mut().find(|(_, q)| within(q)).expect("a write into a used ring");
        if addr >= q.device + 4 {
            assert!(!notify);
            return;
        }
        assert_eq!((addr - q.device, bytes.len(), notify), (2, 2, true));
        let idx = u16::from_le_bytes(bytes.try_into().unwrap());
        q.indices.push_back(idx.into());
        let count = idx.wrapping_sub(q.used);
        assert!(count > 0, "an index that does not move");
        let mut last = Done::default();
        for i in 0..count {
            last = q.chains.pop_front().expect("an element of no chain");
            let at = q.device + 4 + 8 * u64::from(q.used.wrapping_add(i) % q.size);
            let element = self.memory.read(at, 8);
            assert_eq!(element[..4], (u64::from(last.id) as u32).to_le_bytes(), "id at {at:#x}");
            assert_eq!(element[4..], (u64::from(last.len) as u32).to_le_bytes(), "len at {at:#x}");
        }
        assert!(!last.more, "an index inside a packet");
        q.used = idx;
        q.back += u64::from(count);
        q.taken += 1;
        self.order.push_back(*number);
    }

    fn drain(&mut self) {
        for _ in 0..20_000 {
            let rest = self.done.iter().all(|done| done.words.is_empty());
            if rest && !self.harness.uut.busy.val() {
                assert!(self.order.is_empty(), "an index without a notice");
                for q in self.queues.values() {
                    assert!(q.chains.is_empty());
                }
                return;
            }
            self.step();
        }
        panic!("all published: not within 20000 cycles");
    }
}

fn random_packets<const W: usize>(params: &Params, seed: u64, packets: u64) {
    let mut bench = Bench::<W>::new(params, seed, 30);
    let last = params.queues() as u64 - 1;
    // The rings cross pages at every offset.
    for (i, queue) in [0, 1, last, last - 1].into_iter().enumerate() {
        let device = ((queue + 1) << 20) + 4096 - 4 * bench.rng.random_range(0..40u64) - 16 * i as u64;
        let size = if i < 2 { 8 } else { 256 };
        bench.enable(queue, size, device);
    }
    let numbers: Vec<u64> = bench.queues.keys().copied().collect();
    for _ in 0..packets {
        let queue = numbers[bench.rng.random_range(0..numbers.len())];
        for _ in 0..bench.rng.random_range(1..6) {
            let chains = if queue & 1 == 0 { bench.rng.random_range(1..8) } else { 1 };
            // The driver offers no more chains than the ring holds.
            let q = &bench.queues[&queue];
            if q.given - q.back + chains as u64 <= u64::from(q.size) {
                bench.packet(queue, chains);
            }
        }
        for _ in 0..bench.rng.random_range(0..40) {
            bench.step();
        }
    }
    bench.drain();
    for (queue, q) in &bench.queues {
        assert_eq!(q.taken, q.published);
        bench.harness.uut.probe_queue.next = (*queue).into();
        bench.harness.settle();
        assert_eq!(u64::from(bench.harness.uut.probe_used.val()), u64::from(q.used));
    }
}

#[test]
fn random_packets_all_widths() {
    random_packets::<64>(&Params::TINY, 1, 150);
    random_packets::<128>(&Params::BOARD, 2, 100);
    random_packets::<256>(&Params::SIM, 3, 100);
    random_packets::<512>(&Params::MAX, 4, 100);
}

/// Neighbours share a write, and sixteen an index.
#[test]
fn batches() {
    let mut bench = Bench::<512>::new(&Params::MAX, 5, 0);
    bench.enable(3, 256, 1 << 20);
    for _ in 0..160 {
        bench.packet(3, 1);
    }
    let start = bench.harness.cycle;
    bench.drain();
    let cycles = bench.harness.cycle - start;
    assert!(cycles < 3 * 160, "160 chains took {cycles} cycles");
    assert_eq!(bench.queues[&3].published, 10);
    assert_eq!(bench.writer.pieces, 30);
}

/// Chains of several queues that end in turns: sixteen of a queue share an index, fewer wait while many publications are in flight.
#[test]
fn queues_in_turns() {
    let mut bench = Bench::<512>::new(&Params::MAX, 7, 0);
    let queues = [0, 2, 6, 126];
    for queue in queues {
        bench.enable(queue, 256, (queue + 1) << 20);
    }
    for _ in 0..40 {
        for queue in queues {
            bench.packet(queue, 1);
        }
    }
    bench.hurried = true;
    let start = bench.harness.cycle;
    while queues.iter().any(|queue| bench.queues[queue].published < 2) {
        bench.step();
        assert!(bench.harness.cycle - start < 3 * 160, "160 chains took more than 480 cycles");
    }
    for _ in 0..100 {
        bench.step();
    }
    for queue in queues {
        let q = &bench.queues[&queue];
        assert_eq!(
            (q.used, q.chains.len()),
            (32, 8),
            "queue {queue}: two runs, and what is not enough for one"
        );
    }
    for _ in 0..7400 {
        bench.step();
    }
    for queue in queues {
        let q = &bench.queues[&queue];
        assert_eq!((q.published, q.used), (3, 40), "queue {queue}: the rest, which has waited long enough");
    }
    // Writes of eight elements, and an index for sixteen.
    assert_eq!(bench.writer.pieces, 4 * (3 + 3 + 2));
}

/// A queue that has little to say is heard beside those that never stop, however many publications are in flight.
#[test]
fn a_single_chain_beside_full_runs() {
    let mut bench = Bench::<512>::new(&Params::MAX, 8, 0);
    for queue in [1, 3, 5, 0] {
        bench.enable(queue, 1024, (queue + 1) << 20);
    }
    bench.hurried = true;
    for round in 1..4 {
        bench.packet(0, 1);
        let start = bench.harness.cycle;
        while bench.queues[&0].published < round {
            if bench.done[1].words.len() < 64 {
                [1, 3, 5].into_iter().for_each(|queue| bench.packet(queue, 1));
            }
            bench.step();
            assert!(bench.harness.cycle - start < 7400, "packet {round} of queue 0 is not published");
        }
    }
    assert!(!bench.done[1].words.is_empty(), "the others went on");
    bench.drain();
}

/// `used.idx` goes on behind 65535.
#[test]
fn index_wraps() {
    let mut bench = Bench::<512>::new(&Params::MAX, 6, 0);
    bench.enable(0, 1024, 4096);
    for _ in 0..65536 + 100 {
        bench.packet(0, 1);
    }
    for _ in 0..8 {
        // Each drain has a limit of its own.
        for _ in 0..20_000 {
            bench.step();
        }
    }
    bench.drain();
    assert_eq!(bench.queues[&0].used, 100);
}
