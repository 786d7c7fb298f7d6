//! queue::fetch: heads in order, none lost, none invented, whatever the driver and the bus do.

use crate::harness::Harness;
use crate::rings::{Memory, Reader, Taken, enable, pulse, ring, settings};
use hematite_abi::ident;
use hematite_hw::params::Params;
use hematite_hw::port::chain::{Arm, Head};
use hematite_hw::port::queue::QueueError;
use hematite_hw::queue::Direction;
use hematite_hw::queue::fetch::Fetch;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};

/// A driver's view of one queue.
struct Queue {
    size: u16,
    desc: u64,
    driver: u64,
    avail: u16,
    /// Descriptors not in the ring.
    unused: Vec<u16>,
    /// Heads not yet seen, in order.
    expect: VecDeque<Head>,
    /// rx: heads seen and not given back; all that were given back.
    held: Vec<u16>,
    back: u16,
    kick: bool,
    on: bool,
    /// Where it asked us to ring.
    event: u16,
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
    errors: Vec<(u64, u64)>,
    heads: u64,
    ignored: u64,
    head_stall: u32,
    /// Per cent of cycles in which the driver does something.
    drive: u32,
    /// The driver's free list has no order at the start.
    shuffles: bool,
    /// EVENT_IDX. Then: cycle, queue and index of what is being written for the driver, and how often a kick was left out.
    events: bool,
    /// NOTIFICATION_DATA.
    tells: bool,
    index_reads: u64,
    arms: VecDeque<(u64, u64, u16)>,
    unrung: u64,
}

impl<const W: usize> Bench<W> {
    fn new(params: &Params, direction: Direction, seed: u64, delay: u64, stall: u32) -> Self {
        let uut = Fetch::<W>::new(params, direction);
        let mut bench = Self {
            harness: Harness::new(uut, |b| &mut b.clock),
            rng: ChaCha8Rng::seed_from_u64(seed),
            memory: Memory::default(),
            reader: Reader::new(delay, stall),
            direction,
            ready_heads: params.ready_heads,
            queues: BTreeMap::new(),
            watch: Taken::default(),
            arm_watch: Taken::default(),
            errors: vec![],
            heads: 0,
            ignored: 0,
            head_stall: stall,
            drive: 10,
            shuffles: true,
            events: false,
            tells: false,
            index_reads: 0,
            arms: VecDeque::new(),
            unrung: 0,
        };
        bench.harness.uut.reset.next = true;
        bench.harness.tick();
        bench.harness.uut.reset.next = false;
        bench
    }

    fn number(&self, index: u64) -> u64 {
        2 * index + self.direction as u64
    }

    /// Enables a queue with `size` entries somewhere in memory.
    fn enable(&mut self, index: u64, size: u16) {
        let queue = self.number(index);
        let base = (1 << 40) + (queue << 24) + self.rng.random_range(0..256) * 4096;
        let desc = base + self.rng.random_range(0..4096) * 16;
        let driver = base + (1 << 20) + self.rng.random_range(0..4096) * 2;
        self.memory.write_u16(driver + 2, 0);
        let mut unused: Vec<u16> = (0..size).collect();
        if self.shuffles {
            for i in 0..unused.len() {
                unused.swap(i, self.rng.random_range(0..size) as usize);
            }
        }
        let new = Queue {
            size,
            desc,
            driver,
            avail: 0,
            unused,
            expect: VecDeque::new(),
            held: vec![],
            back: 0,
            kick: false,
            on: true,
            event: 0,
        };
        self.queues.insert(queue, new);
        let with = settings(queue, size.into(), desc, driver, 0);
        self.reader.learn(&with);
        enable(&mut self.harness.uut.control, Some(with));
        self.step();
        enable(&mut self.harness.uut.control, None);
    }

    fn clear(&mut self, index: u64) {
        let queue = self.number(index);
        self.queues.remove(&queue);
        self.harness.uut.control.clear.next = true;
        self.harness.uut.control.settings.next = settings(queue, 0, 0, 0, 0);
        self.step();
        self.harness.uut.control.clear.next = false;
    }

    /// The driver offers up to `count` chains.
    fn offer(&mut self, queue: u64, count: usize) {
        let q = self.queues.get_mut(&queue).unwrap();
        for _ in 0..count {
            let Some(id) = q.unused.pop() else { break };
            let (addr, len, flags, next) =
                (self.rng.random(), self.rng.random(), self.rng.random(), self.rng.random());
            self.memory.write_desc(q.desc + 16 * u64::from(id), addr, len, flags, next);
            self.memory.write_u16(q.driver + 4 + 2 * u64::from(q.avail % q.size), id);
            q.avail = q.avail.wrapping_add(1);
            q.expect.push_back(Head {
                queue: queue.into(),
                id: u64::from(id).into(),
                slots: 0.into(),
                addr: addr.into(),
                len: u64::from(len).into(),
                flags: u64::from(flags).into(),
                next_desc: u64::from(next).into(),
                none: false,
            });
        }
        let old = self.memory.read_u16(q.driver + 2);
        self.memory.write_u16(q.driver + 2, q.avail);
        if !self.events || passes(q.event, old, q.avail) {
            q.kick = true;
        } else {
            self.unrung += 1;
        }
    }

    /// One cycle; the driver kicks what it has offered, and gives back what it got.
    fn step(&mut self) {
        let kicks: Vec<u64> = self.queues.iter().filter(|(_, q)| q.kick).map(|(n, _)| *n).collect();
        let kick = kicks.get(self.rng.random_range(0..4)).copied();
        let mut told = None;
        if let Some(q) = kick.and_then(|n| self.queues.get_mut(&n)) {
            q.kick = false;
            if self.tells {
                // It may be older than what has been read; then another doorbell comes behind this one.
                let older = if self.rng.random() { 0 } else { self.rng.random_range(0..=q.size) };
                q.kick = older != 0;
                told = Some(q.avail.wrapping_sub(older));
            }
        }
        self.step_with(kick, told);
    }

    fn step_with(&mut self, kick: Option<u64>, told: Option<u16>) {
        let cycle = self.harness.cycle;
        let uut = &mut self.harness.uut;
        ring(&mut uut.kick, kick, told);
        uut.event_idx.next = self.events;
        uut.arm.ready.next = self.rng.random_range(0..100) >= self.head_stall;
        let armed = self.arms.pop_front_if(|(due, ..)| *due <= cycle);
        pulse(&mut uut.rearmed, armed.map(|(_, queue, _)| queue));
        if let Some((_, queue, index)) = armed
            && let Some(q) = self.queues.get_mut(&queue)
        {
            q.event = index;
        }
        // A driver that is being asked to ring has not been heard yet.
        let asked = armed.or(self.arms.front().copied()).map(|(_, queue, _)| queue);
        let asked = asked.filter(|queue| self.queues.get(queue).is_some_and(|q| q.on));
        uut.supply.queue.next = asked.unwrap_or(0).into();
        uut.credit.valid.next = false;
        if self.direction == Direction::Rx
            && self.rng.random_range(0..10) == 0
            && let Some((n, q)) =
                self.queues.iter_mut().find(|(_, q)| q.held.len() >= self.ready_heads.min(4))
        {
            let some = self.rng.random_range(1..=q.held.len());
            q.unused.extend(q.held.drain(..some));
            q.back = q.back.wrapping_add(some as u16);
            uut.credit.valid.next = true;
            uut.credit.queue.next = (*n).into();
            uut.credit.total.next = u64::from(q.back).into();
        }
        uut.head.ready.next = self.rng.random_range(0..100) >= self.head_stall;
        uut.error.ready.next = self.rng.random_range(0..100) >= self.head_stall;
        self.reader.drive(&mut self.rng, cycle, &self.memory, &mut uut.request, &mut uut.reply);
        self.harness.settle();
        let uut = &mut self.harness.uut;
        self.reader.sample(&mut self.rng, cycle, &uut.request, &uut.reply);
        self.ignored += u64::from(uut.count_kick_ignored.val());
        if let Some(queue) = asked {
            assert!(
                !uut.supply.idle.val(),
                "cycle {cycle}: nothing more comes of queue {queue}, while its driver is asked"
            );
        }
        let read = uut.request.data.val();
        let index = read.driver && u64::from(read.offset) == hematite_abi::ring::AVAIL_IDX as u64;
        self.index_reads += u64::from(uut.request.valid.val() && uut.request.ready.val() && index);
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
            self.heads += 1;
            if self.direction == Direction::Rx {
                q.held.push(u64::from(head.id) as u16);
                assert!(q.held.len() <= self.ready_heads, "queue {:?}: more heads than places", head.queue);
            } else {
                q.unused.push(u64::from(head.id) as u16);
            }
        }
        self.harness.tick();
    }

    /// The driver works at random for some cycles.
    fn run(&mut self, cycles: u64) {
        let numbers: Vec<u64> = self.queues.keys().copied().collect();
        for _ in 0..cycles {
            if self.rng.random_range(0..100) < self.drive {
                let queue = numbers[self.rng.random_range(0..numbers.len())];
                if self.queues[&queue].on {
                    let count = self.rng.random_range(1..40);
                    self.offer(queue, count);
                }
            }
            self.step();
        }
    }

    /// Until every head of every living queue is here and the block rests.
    fn drain(&mut self) {
        for _ in 0..20_000 {
            let rest = |q: &Queue| !q.on || (q.expect.is_empty() && !q.kick);
            if self.queues.values().all(rest) && !self.harness.uut.busy.val() && self.arms.is_empty() {
                assert!(self.reader.quiet(), "it rests, but reads are in flight");
                return;
            }
            self.step();
        }
        let left: Vec<_> = self.queues.iter().map(|(n, q)| (*n, q.on, q.expect.len(), q.kick)).collect();
        panic!("all heads: not within 20000 cycles: (queue, on, missing, kick) {left:?}");
    }
}

/// [virtio: Available Buffer Notification Suppression]
fn passes(event: u16, old: u16, new: u16) -> bool {
    new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
}

fn random_traffic<const W: usize>(params: &Params, direction: Direction, seed: u64, cycles: u64) {
    let bench = Bench::<W>::new(params, direction, seed, 60, 30);
    random_traffic_on(bench, params, cycles);
}

/// The driver rings only where it was asked to.
fn random_events<const W: usize>(params: &Params, direction: Direction, seed: u64, cycles: u64) {
    let mut bench = Bench::<W>::new(params, direction, seed, 60, 30);
    bench.events = true;
    let bench = random_traffic_on(bench, params, cycles);
    assert!(bench.unrung > 10, "only {} kicks were spared", bench.unrung);
    for (queue, q) in &bench.queues {
        assert_eq!(q.event, q.avail, "queue {queue} rests, and its driver does not know where to ring");
    }
}

fn random_traffic_on<const W: usize>(mut bench: Bench<W>, params: &Params, cycles: u64) -> Bench<W> {
    let spread = (params.pairs as u64 / 5).max(1);
    for index in (0..params.pairs as u64).step_by(spread as usize) {
        let size = 8 << bench.rng.random_range(0..4);
        bench.enable(index, size);
    }
    bench.run(cycles);
    bench.drain();
    assert!(bench.heads > cycles / 40, "only {} heads in {cycles} cycles", bench.heads);
    assert_eq!(bench.errors, []);
    for (queue, q) in &bench.queues {
        bench.harness.uut.probe_queue.next = (*queue).into();
        bench.harness.settle();
        assert_eq!(u64::from(bench.harness.uut.probe_seen.val()), u64::from(q.avail));
        assert_eq!(u64::from(bench.harness.uut.probe_taken.val()), u64::from(q.avail));
    }
    bench
}

#[test]
fn random_traffic_tiny() {
    random_traffic::<64>(&Params::TINY, Direction::Tx, 1, 6000);
    random_traffic::<64>(&Params::TINY, Direction::Rx, 2, 6000);
}

#[test]
fn random_traffic_sim() {
    random_traffic::<128>(&Params { width: 128, ..Params::SIM }, Direction::Tx, 3, 3000);
    random_traffic::<256>(&Params::SIM, Direction::Rx, 4, 3000);
}

#[test]
fn random_traffic_max() {
    random_traffic::<512>(&Params::MAX, Direction::Tx, 5, 2000);
    random_traffic::<512>(&Params::MAX, Direction::Rx, 6, 2000);
}

#[test]
fn random_traffic_with_indices_in_doorbells() {
    for (direction, seed) in [(Direction::Tx, 15), (Direction::Rx, 16)] {
        let mut bench = Bench::<256>::new(&Params::SIM, direction, seed, 60, 30);
        bench.tells = true;
        random_traffic_on(bench, &Params::SIM, 3000);
    }
}

/// An index that was told is not read; one that says nothing new is.
#[test]
fn an_index_that_was_told_is_not_read() {
    let mut bench = Bench::<512>::new(&Params::MAX, Direction::Tx, 17, 60, 0);
    bench.enable(40, 64);
    let queue = bench.number(40);
    for count in [1, 16, 7] {
        bench.offer(queue, count);
        bench.queues.get_mut(&queue).unwrap().kick = false;
        let avail = bench.queues[&queue].avail;
        bench.tells = true;
        let before = bench.index_reads;
        bench.step_with(Some(queue), Some(avail));
        bench.drain();
        assert_eq!(bench.index_reads, before, "{count} chains, and their index was told");
        bench.step_with(Some(queue), Some(avail));
        bench.drain();
        assert_eq!(bench.index_reads, before + 1, "nothing new was told");
        // More than the ring holds is not believed.
        bench.step_with(Some(queue), Some(avail.wrapping_add(65)));
        bench.drain();
        assert_eq!(bench.index_reads, before + 2, "too much was told");
    }
    assert_eq!(bench.errors, []);
}

#[test]
fn random_traffic_with_events() {
    random_events::<128>(&Params { width: 128, ..Params::SIM }, Direction::Tx, 11, 6000);
    random_events::<256>(&Params::SIM, Direction::Rx, 12, 6000);
    random_events::<512>(&Params::MAX, Direction::Tx, 13, 4000);
}

/// With nothing in the way, a head every second cycle, and a quarter for the ring itself, of which a read may take the cycle of
/// a descriptor's even if it does not come.
#[test]
fn a_head_every_second_cycle() {
    let mut bench = Bench::<512>::new(&Params::MAX, Direction::Tx, 7, 0, 0);
    bench.enable(3, 1024);
    bench.offer(7, 1024);
    let start = bench.harness.cycle;
    bench.drain();
    let cycles = bench.harness.cycle - start;
    assert_eq!(bench.heads, 1024);
    assert!(cycles < 2 * 1024 + 1024 / 4, "1024 heads took {cycles} cycles");
}

/// Descriptors side by side, up or down the table, are read together, eight at most; and not across 4 KiB.
#[test]
fn neighbours() {
    for (direction, up) in [(Direction::Tx, false), (Direction::Tx, true), (Direction::Rx, true)] {
        let mut bench = Bench::<512>::new(&Params::MAX, direction, 14, 20, 0);
        bench.shuffles = false;
        bench.enable(3, 1024);
        let queue = bench.number(3);
        if up {
            bench.queues.get_mut(&queue).unwrap().unused.reverse();
        }
        bench.offer(queue, if direction == Direction::Tx { 1024 } else { 64 });
        bench.drain();
        let most = if direction == Direction::Tx { 1024 / 8 + 1024 / 32 + 8 } else { 64 / 8 + 10 };
        assert!(bench.reader.taken <= most, "{} reads for {} heads", bench.reader.taken, bench.heads);
        bench.run(3000);
        bench.drain();
        assert!(bench.heads > 3000 / 40);
    }
}

/// `avail.idx` goes on behind 65535.
#[test]
fn index_wraps() {
    let mut bench = Bench::<128>::new(&Params::BOARD, Direction::Tx, 10, 0, 0);
    bench.enable(1, 1024);
    let queue = bench.number(1);
    for _ in 0..67 {
        bench.offer(queue, 1000);
        bench.drain();
    }
    assert_eq!(bench.heads, 67_000);
}

/// Breaks one of several queues; the others go on, and the broken one works again once it is new.
fn evil<const W: usize>(params: &Params, direction: Direction, code: u64, harm: impl Fn(&mut Bench<W>, u64)) {
    let mut bench = Bench::<W>::new(params, direction, code + 100, 40, 30);
    let last = params.pairs as u64 - 1;
    bench.enable(0, 16);
    if last > 0 {
        bench.enable(last, 32);
    }
    bench.run(200);
    bench.drain();
    let queue = bench.number(last);
    harm(&mut bench, queue);
    bench.queues.get_mut(&queue).unwrap().expect.clear();
    bench.queues.get_mut(&queue).unwrap().kick = true;
    bench.drive = if last > 0 { 10 } else { 0 };
    for _ in 0..400 {
        if last > 0 && bench.rng.random_range(0..10) == 0 {
            let other = bench.number(0);
            bench.offer(other, 5);
        }
        bench.step();
    }
    bench.drain();
    assert_eq!(bench.errors, [(queue, code)]);
    // It has stopped: kicks do nothing.
    let before = bench.reader.taken;
    bench.step_with(Some(queue), None);
    bench.drain();
    assert_eq!(bench.reader.taken, before, "a queue that has stopped reads");
    bench.memory.bad.clear();
    bench.harness.uut.control.fence.next = true;
    bench.drain();
    bench.harness.uut.control.fence.next = false;
    bench.clear(last);
    bench.enable(last, 64);
    bench.run(300);
    bench.drain();
    assert_eq!(bench.errors, [(queue, code)]);
}

fn evil_everywhere(code: u64, harm: impl Fn(&mut Memory, &mut Queue)) {
    let harm64 = |b: &mut Bench<64>, n: u64| harm(&mut b.memory, b.queues.get_mut(&n).unwrap());
    evil::<64>(&Params::TINY, Direction::Tx, code, harm64);
    evil::<64>(&Params::TINY, Direction::Rx, code, harm64);
    let harm512 = |b: &mut Bench<512>, n: u64| harm(&mut b.memory, b.queues.get_mut(&n).unwrap());
    evil::<512>(&Params::MAX, Direction::Tx, code, harm512);
}

#[test]
fn index_too_far_ahead() {
    evil_everywhere(ident::ERROR_AVAIL_INDEX, |memory, q| {
        memory.write_u16(q.driver + 2, q.avail.wrapping_add(q.size + 1));
    });
}

#[test]
fn index_going_back() {
    evil_everywhere(ident::ERROR_AVAIL_INDEX, |memory, q| {
        memory.write_u16(q.driver + 2, q.avail.wrapping_sub(1));
    });
}

#[test]
fn entry_beyond_the_table() {
    evil_everywhere(ident::ERROR_DESC_INDEX, |memory, q| {
        memory.write_u16(q.driver + 4 + 2 * u64::from(q.avail % q.size), q.size);
        memory.write_u16(q.driver + 2, q.avail.wrapping_add(1));
    });
}

#[test]
fn unreadable_index() {
    evil_everywhere(ident::ERROR_DMA_READ, |memory, q| {
        memory.bad.insert(q.driver + 3, false);
    });
}

#[test]
fn entries_timed_out() {
    evil_everywhere(ident::ERROR_DMA_TIMEOUT, |memory, q| {
        for slot in 0..u64::from(q.size) {
            memory.bad.insert(q.driver + 4 + 2 * slot, true);
        }
        memory.write_u16(q.driver + 2, q.avail.wrapping_add(7));
    });
}

#[test]
fn unreadable_descriptor() {
    evil_everywhere(ident::ERROR_DMA_READ, |memory, q| {
        for slot in 0..u64::from(q.size) {
            memory.bad.insert(q.desc + 16 * slot + 5, false);
        }
        memory.write_u16(q.driver + 2, q.avail.wrapping_add(7));
    });
}

/// Kicks for what is not there are counted; those for the other direction are not ours.
#[test]
fn kicks_for_nobody() {
    let mut bench = Bench::<64>::new(&Params::TINY, Direction::Rx, 8, 10, 0);
    bench.step_with(Some(0), None);
    assert_eq!(bench.ignored, 1);
    bench.enable(0, 8);
    bench.step_with(Some(1), None);
    assert_eq!(bench.ignored, 1);
    bench.step_with(Some(2), None);
    bench.step_with(Some(0xfffe), None);
    assert_eq!(bench.ignored, 3);
    bench.drain();
    assert_eq!(bench.reader.taken, 0);
}

/// Behind the fence what is begun is finished and nothing is begun; afterwards nothing has been lost.
#[test]
fn fence() {
    for direction in [Direction::Tx, Direction::Rx] {
        let mut bench = Bench::<256>::new(&Params::SIM, direction, 9, 50, 30);
        for index in 0..4 {
            bench.enable(index, 64);
        }
        for _ in 0..8 {
            bench.run(60);
            bench.harness.uut.control.fence.next = true;
            for cycle in 0.. {
                bench.step();
                if !bench.harness.uut.busy.val() {
                    break;
                }
                assert!(cycle < 2000, "busy falls behind the fence: not within 2000 cycles");
            }
            assert!(bench.reader.quiet());
            let before = bench.reader.taken;
            bench.run(60);
            assert_eq!(bench.reader.taken, before, "a read was begun behind the fence");
            bench.harness.uut.control.fence.next = false;
        }
        bench.drain();
    }
}
