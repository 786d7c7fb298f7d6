//! queue::walk: segments are the chains' buffers, in order; bad chains end with an error.

use crate::harness::Harness;
use crate::rings::{Memory, Offer, Reader, Taken, enable, settings};
use hematite_abi::{ident, ring};
use hematite_hw::params::Params;
use hematite_hw::port::chain::{Head, Segment};
use hematite_hw::port::queue::QueueError;
use hematite_hw::queue::Direction;
use hematite_hw::queue::walk::Walk;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const NEXT: u16 = ring::DESC_F_NEXT as u16;
const WRITE: u16 = ring::DESC_F_WRITE as u16;
const INDIRECT: u16 = ring::DESC_F_INDIRECT as u16;

struct Queue {
    number: u64,
    size: u16,
    desc: u64,
    stopped: bool,
}

struct Bench<const W: usize> {
    harness: Harness<Walk<W>>,
    rng: ChaCha8Rng,
    memory: Memory,
    reader: Reader<W>,
    direction: Direction,
    heads: Offer<Head>,
    watch: Taken<Segment>,
    expect: VecDeque<Segment>,
    errors: VecDeque<(u64, u64)>,
    stall: u32,
}

impl<const W: usize> Bench<W> {
    fn new(params: &Params, direction: Direction, seed: u64, delay: u64, stall: u32) -> Self {
        let uut = Walk::<W>::new(params, direction);
        let mut bench = Self {
            harness: Harness::new(uut, |b| &mut b.clock),
            rng: ChaCha8Rng::seed_from_u64(seed),
            memory: Memory::default(),
            reader: Reader::new(delay, stall),
            direction,
            heads: Offer::new(stall),
            watch: Taken::default(),
            expect: VecDeque::new(),
            errors: VecDeque::new(),
            stall,
        };
        bench.harness.uut.reset.next = true;
        bench.harness.tick();
        bench.harness.uut.reset.next = false;
        bench
    }

    fn enable(&mut self, index: u64, size: u16) -> Queue {
        let number = 2 * index + self.direction as u64;
        let desc = (number + 1) << 32;
        let with = settings(number, size.into(), desc, 0, 0);
        self.reader.learn(&with);
        enable(&mut self.harness.uut.control, Some(with));
        self.step();
        enable(&mut self.harness.uut.control, None);
        Queue { number, size, desc, stopped: false }
    }

    fn flags(&self) -> u16 {
        if self.direction == Direction::Rx { WRITE } else { 0 }
    }

    /// Puts a chain of the descriptors `ids` into the table and its head on the way.
    /// `bad`: the place from which on it is bad, and what is to be done to the flags and `next` there.
    fn chain(&mut self, q: &mut Queue, ids: &[u16], bad: Option<(usize, u16, Option<u16>, u64)>) {
        let mut whole = true;
        for (i, id) in ids.iter().enumerate() {
            let at = q.desc + 16 * u64::from(*id);
            let addr: u64 = self.rng.random();
            let len = if self.rng.random_range(0..4) == 0 { 0 } else { self.rng.random::<u32>() };
            let last = i + 1 == ids.len();
            let mut flags = self.flags() | if last { 0 } else { NEXT };
            let mut next = if last { self.rng.random() } else { ids[i + 1] };
            if let Some((place, flip, instead, _)) = bad
                && place == i
            {
                flags ^= flip;
                next = instead.unwrap_or(next);
            }
            self.memory.write_desc(at, addr, len, flags, next);
            let head = Head {
                queue: q.number.into(),
                id: u64::from(ids[0]).into(),
                slots: 0.into(),
                addr: addr.into(),
                len: u64::from(len).into(),
                flags: u64::from(flags).into(),
                next_desc: u64::from(next).into(),
                none: false,
            };
            if i == 0 {
                self.heads.words.push_back(head);
            }
            let segment = Segment {
                queue: head.queue,
                id: u64::from(ids[0]).into(),
                slots: 0.into(),
                addr: head.addr,
                len: head.len,
                last,
                error: false,
                none: false,
            };
            if q.stopped {
                if i == 0 && self.direction == Direction::Rx {
                    self.expect.push_back(Segment { last: true, none: true, ..segment });
                }
                whole = false;
            }
            if whole
                && let Some((place, _, _, code)) = bad
                && place == i
            {
                self.expect.push_back(Segment { last: true, error: true, ..segment });
                self.errors.push_back((q.number, code));
                q.stopped = true;
                whole = false;
            }
            if whole && (last || len != 0) {
                self.expect.push_back(segment);
            }
        }
    }

    fn random_chain(&mut self, q: &mut Queue) {
        let longest = if self.rng.random_range(0..3) == 0 { q.size } else { 3 };
        let count = self.rng.random_range(1..=longest.min(40));
        let first = self.rng.random_range(0..q.size);
        let ids: Vec<u16> = (0..count).map(|i| (first + i) % q.size).collect();
        self.chain(q, &ids, None);
    }

    /// Puts a chain of `count` buffers into a table of its own, in a random order, behind `direct` descriptors of the queue.
    fn table(&mut self, q: &mut Queue, direct: u16, count: u16) {
        let table = self.rng.random_range(1..1u64 << 40) << 24;
        let mut order: Vec<u16> = (1..count).collect();
        order.shuffle(&mut self.rng);
        order.insert(0, 0);
        let places = (0..direct).map(|i| q.desc + 16 * u64::from(i + 1));
        let places: Vec<u64> =
            places.chain([0]).chain(order.iter().map(|place| table + 16 * u64::from(*place))).collect();
        for (i, at) in places.iter().enumerate() {
            let reference = i == usize::from(direct);
            let last = i + 1 == places.len();
            let (addr, len): (u64, u32) = (self.rng.random(), self.rng.random_range(0..3));
            let next = match i.checked_sub(usize::from(direct) + 1) {
                None => i as u16 + 2,
                Some(_) if last => self.rng.random(),
                Some(inside) => order[inside + 1],
            };
            let flags = self.flags() | if last { 0 } else { NEXT };
            let (at, addr, len, flags) = if reference {
                // Its write-only flag means nothing.
                let flags = INDIRECT | if self.rng.random() { WRITE } else { 0 };
                (q.desc + 16 * u64::from(direct + 1), table, 16 * u32::from(count), flags)
            } else {
                (*at, addr, len, flags)
            };
            self.memory.write_desc(at, addr, len, flags, next);
            let (queue, id) = (q.number.into(), 1.into());
            let (addr, len) = (addr.into(), u64::from(len).into());
            if i == 0 {
                let (flags, next_desc) = (u64::from(flags).into(), u64::from(next).into());
                self.heads.words.push_back(Head {
                    queue,
                    id,
                    slots: 0.into(),
                    addr,
                    len,
                    flags,
                    next_desc,
                    none: false,
                });
            }
            if !reference && (last || len.any()) {
                let segment =
                    Segment { queue, id, slots: 0.into(), addr, len, last, error: false, none: false };
                self.expect.push_back(segment);
            }
        }
    }

    fn step(&mut self) {
        let cycle = self.harness.cycle;
        let uut = &mut self.harness.uut;
        self.heads.drive(&mut self.rng, &mut uut.head);
        uut.segment.ready.next = self.rng.random_range(0..100) >= self.stall;
        uut.error.ready.next = self.rng.random_range(0..100) >= self.stall;
        self.reader.drive(&mut self.rng, cycle, &self.memory, &mut uut.request, &mut uut.reply);
        self.harness.settle();
        let uut = &mut self.harness.uut;
        self.heads.sample(&uut.head);
        self.reader.sample(&mut self.rng, cycle, &uut.request, &uut.reply);
        if uut.error.valid.val() && uut.error.ready.val() {
            let QueueError { queue, code } = uut.error.data.val();
            assert_eq!(self.errors.pop_front(), Some((queue.into(), code.into())));
        }
        if let Some(segment) = self.watch.sample(&uut.segment) {
            let want = self.expect.pop_front().expect("a segment of no chain");
            if want.none || want.error {
                assert_eq!(
                    (want.queue, want.last, want.none, want.error),
                    (segment.queue, segment.last, segment.none, segment.error)
                );
            } else {
                assert_eq!(want, segment, "cycle {cycle}");
            }
        }
        self.harness.tick();
    }

    fn drain(&mut self) {
        for _ in 0..30_000 {
            if self.heads.words.is_empty() && !self.harness.uut.busy.val() {
                assert!(self.reader.quiet(), "it rests, but a read is in flight");
                assert_eq!(self.expect, []);
                assert_eq!(self.errors, []);
                return;
            }
            self.step();
        }
        panic!("all segments: not within 30000 cycles; {} missing", self.expect.len());
    }
}

fn random_chains<const W: usize>(params: &Params, direction: Direction, seed: u64) {
    let mut bench = Bench::<W>::new(params, direction, seed, 30, 30);
    let last = params.pairs as u64 - 1;
    let mut queues = vec![bench.enable(last, 8 << (seed % 4))];
    if last > 1 {
        queues.push(bench.enable(0, 256));
        queues.push(bench.enable(last / 2, 32));
    }
    for _ in 0..40 {
        let number = bench.rng.random_range(0..queues.len());
        let q = &mut queues[number];
        if bench.rng.random_range(0..8) == 0 {
            let none = Head { queue: q.number.into(), none: true, ..Head::default() };
            bench.heads.words.push_back(none);
            let none = Segment { queue: q.number.into(), last: true, none: true, ..Segment::default() };
            bench.expect.push_back(none);
        } else {
            bench.random_chain(q);
        }
        // The table's entries are used again by the next chain.
        bench.drain();
    }
}

#[test]
fn random_chains_all_widths() {
    for direction in [Direction::Tx, Direction::Rx] {
        random_chains::<64>(&Params::TINY, direction, 1);
        random_chains::<128>(&Params::BOARD, direction, 2);
        random_chains::<256>(&Params::SIM, direction, 3);
        random_chains::<512>(&Params::MAX, direction, 4);
    }
}

/// Chains of one descriptor pass in a cycle each.
#[test]
fn one_per_cycle() {
    let mut bench = Bench::<512>::new(&Params::MAX, Direction::Tx, 5, 0, 0);
    let mut queue = bench.enable(1, 512);
    for id in 0..500 {
        bench.chain(&mut queue, &[id], None);
    }
    let start = bench.harness.cycle;
    bench.drain();
    let cycles = bench.harness.cycle - start;
    assert!(cycles <= 505, "500 chains took {cycles} cycles");
}

fn tables<const W: usize>(params: &Params, direction: Direction, seed: u64) {
    let mut bench = Bench::<W>::new(params, direction, seed, 30, 30);
    bench.harness.uut.indirect.next = true;
    let mut queue = bench.enable(0, 8);
    for round in 0..60 {
        // A table may be longer than the queue.
        let count = if round % 10 == 0 { 100 } else { bench.rng.random_range(1..12) };
        let direct = bench.rng.random_range(0..4);
        bench.table(&mut queue, direct, count);
        bench.drain();
        bench.random_chain(&mut queue);
        bench.drain();
    }
}

#[test]
fn indirect_tables() {
    for direction in [Direction::Tx, Direction::Rx] {
        tables::<128>(&Params::BOARD, direction, 8);
        tables::<256>(&Params::SIM, direction, 9);
        tables::<512>(&Params::MAX, direction, 10);
    }
}

fn evil<const W: usize>(params: &Params, seed: u64) {
    for direction in [Direction::Tx, Direction::Rx] {
        let mut bench = Bench::<W>::new(params, direction, seed, 20, 30);
        // The place, what to flip in the flags, what to put into `next`, and the error it must give.
        let cases = [
            (0, WRITE, None, ident::ERROR_WRONG_DIRECTION),
            (2, WRITE, None, ident::ERROR_WRONG_DIRECTION),
            (0, 0, Some(16), ident::ERROR_DESC_INDEX),
            (1, 0, Some(0xffff), ident::ERROR_DESC_INDEX),
            (0, WRITE, Some(16), ident::ERROR_WRONG_DIRECTION),
            (0, INDIRECT, None, ident::ERROR_INDIRECT),
            (2, INDIRECT, None, ident::ERROR_INDIRECT),
            // All sixteen, and then the last goes on with itself, or with the first.
            (15, NEXT, Some(15), ident::ERROR_DESC_LOOP),
            (15, NEXT, Some(0), ident::ERROR_DESC_LOOP),
        ];
        for (place, flip, instead, code) in cases {
            let mut queue = bench.enable(0, 16);
            let count = if place == 15 { 16 } else { 4 };
            let ids: Vec<u16> = (0..count).collect();
            bench.chain(&mut queue, &ids, None);
            bench.drain();
            bench.chain(&mut queue, &ids, Some((place, flip, instead, code)));
            bench.drain();
            bench.random_chain(&mut queue);
            bench.drain();
            assert!(queue.stopped);
        }
        for timeout in [false, true] {
            let code = if timeout { ident::ERROR_DMA_TIMEOUT } else { ident::ERROR_DMA_READ };
            let mut queue = bench.enable(0, 16);
            bench.memory.bad.insert(queue.desc + 16 * 5 + 1, timeout);
            bench.chain(&mut queue, &[3, 4, 5, 6], Some((2, 0, None, code)));
            bench.drain();
            bench.memory.bad.clear();
            bench.random_chain(&mut queue);
            bench.drain();
        }
        let mut queue = bench.enable(0, 16);
        bench.random_chain(&mut queue);
        bench.drain();
    }
}

#[test]
fn evil_chains() {
    evil::<64>(&Params::TINY, 6);
    evil::<512>(&Params::MAX, 7);
}
