//! `net::verify`: frames pass whole, and of each it is known whether its checksum is right.

use crate::harness::Harness;
use crate::streams::{Beat, Feed, Watch, to_bits, to_bytes};
use hematite_hw::net::verify::Verify;
use hematite_hw::params::Params;
use hematite_hw::port::frame::FrameSide;
use hematite_tests::packet::Arriving;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// Verdicts that may wait: as many as there may be lengths.
const MOST: usize = 60;

struct Bench<const W: usize> {
    h: Harness<Verify<W>>,
    rng: ChaCha8Rng,
    feed: Feed<Beat<W, FrameSide>>,
    passed: Watch<Beat<W, FrameSide>>,
    verdicts: Watch<bool>,
    frames: VecDeque<Arriving>,
    due: VecDeque<Arriving>,
    got: Vec<u8>,
    /// A reset came amid the frame that passes.
    cut: bool,
    right: usize,
}

impl<const W: usize> Bench<W> {
    fn new(seed: u64, eager: f64) -> Self {
        let params = Params { width: W, ..Params::SIM };
        Bench {
            h: Harness::new(Verify::new(&params), |b| &mut b.clock),
            rng: ChaCha8Rng::seed_from_u64(seed),
            feed: Feed::new(eager),
            passed: Watch::new("source", eager),
            verdicts: Watch::new("verdict", 0.5),
            frames: VecDeque::new(),
            due: VecDeque::new(),
            got: Vec::new(),
            cut: false,
            right: 0,
        }
    }

    fn offer(&mut self) {
        let mut arriving = Arriving::any(&mut self.rng, 200);
        if self.rng.random_ratio(1, 8) {
            // No packet at all, or the beginning of one.
            arriving.frame.truncate(self.rng.random_range(1..40));
            arriving.right = false;
        }
        let end = arriving.frame.len().div_ceil(W / 8);
        for (i, chunk) in arriving.frame.chunks(W / 8).enumerate() {
            let mut bytes: Vec<u8> = (0..W / 8).map(|_| self.rng.random()).collect();
            bytes[..chunk.len()].copy_from_slice(chunk);
            let side = FrameSide { count: (chunk.len() as u64).into(), error: false };
            self.feed.queue.push_back(Beat { data: to_bits(&bytes), last: i + 1 == end, side });
        }
        self.frames.push_back(arriving);
    }

    fn cycle(&mut self, reset: bool) {
        let u = &mut self.h.uut;
        u.reset.next = reset;
        self.feed.drive_beat(&mut u.sink, &mut self.rng);
        self.passed.drive_beat(&mut u.source, &mut self.rng);
        if self.due.len() >= MOST {
            self.verdicts.eager = 1.0;
            u.source.ready.next = false;
        }
        self.verdicts.drive(&mut u.verdict, &mut self.rng);
        self.h.settle();
        let u = &self.h.uut;
        let moves = u.source.valid.val() && u.source.ready.val();
        assert_eq!(moves, u.sink.valid.val() && u.sink.ready.val());
        if moves {
            let beat = self.feed.taken_beat(&u.sink).expect("a beat");
            assert_eq!(to_bytes(u.source.data.val()), to_bytes(beat.data));
            self.got.extend(&to_bytes(beat.data)[..beat.side.count.index()]);
            if beat.last {
                let arriving = self.frames.pop_front().expect("a frame");
                assert_eq!(std::mem::take(&mut self.got), arriving.frame);
                if !std::mem::take(&mut self.cut) {
                    self.due.push_back(arriving);
                }
            }
        }
        if let Some(verdict) = self.verdicts.taken(&u.verdict).filter(|_| !reset) {
            let due = self.due.pop_front().expect("a verdict too many");
            assert_eq!(verdict, due.right, "{due:?}");
            self.right += usize::from(verdict);
        }
        if reset {
            self.due.clear();
            self.verdicts.forget();
            self.cut = !self.got.is_empty();
        }
        self.h.tick();
    }
}

fn verdicts<const W: usize>(seed: u64, eager: f64) {
    let mut bench = Bench::<W>::new(seed, eager);
    for round in 0..400 {
        bench.verdicts.eager = if round % 100 < 60 { 0.0 } else { 0.9 };
        bench.offer();
        let limit = bench.h.cycle + 4000;
        while !bench.frames.is_empty() {
            assert!(bench.h.cycle < limit, "seed {seed}, round {round}: stuck");
            bench.cycle(false);
        }
    }
    bench.verdicts.eager = 1.0;
    while !bench.due.is_empty() {
        bench.cycle(false);
    }
    assert!(bench.right > 100, "{} frames were right", bench.right);
    for _ in 0..16 {
        bench.cycle(false);
    }
    assert!(!bench.h.uut.busy.val());
}

#[test]
fn verdicts_64() {
    verdicts::<64>(1, 0.9);
}

#[test]
fn verdicts_128() {
    verdicts::<128>(2, 0.8);
}

#[test]
fn verdicts_256() {
    verdicts::<256>(3, 1.0);
}

#[test]
fn verdicts_512() {
    verdicts::<512>(4, 1.0);
}

/// A reset in any cycle: the frame midway has no verdict, those behind it have theirs.
#[test]
fn reset_midway() {
    let mut bench = Bench::<128>::new(5, 0.8);
    for round in 0..120 {
        bench.offer();
        bench.offer();
        let before = bench.rng.random_range(0..40);
        for _ in 0..before {
            bench.cycle(false);
        }
        for _ in 0..bench.rng.random_range(1..4) {
            bench.cycle(true);
        }
        let limit = bench.h.cycle + 1000;
        while !bench.frames.is_empty() || !bench.due.is_empty() {
            assert!(bench.h.cycle < limit, "round {round}: stuck");
            bench.cycle(false);
        }
    }
    assert!(bench.right > 20, "{} frames were right", bench.right);
}
