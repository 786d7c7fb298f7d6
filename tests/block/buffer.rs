//! `net::buffer`: good frames come out whole and in order; bad and long ones, and what a reset cuts off, do not.

use crate::harness::Harness;
use crate::streams::{Beat, Feed, Watch, to_bits, to_bytes};
use hematite_hw::net::buffer::Buffer;
use hematite_hw::params::Params;
use hematite_hw::port::frame::{FrameLength, FrameSide};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const FRAME_BYTES: usize = 1514;

struct Bench<const W: usize> {
    h: Harness<Buffer<W>>,
    rng: ChaCha8Rng,
    beats: Feed<Beat<W, FrameSide>>,
    frames: Watch<Beat<W, FrameSide>>,
    lengths: Watch<FrameLength>,
    frames_due: VecDeque<Vec<u8>>,
    lengths_due: VecDeque<usize>,
    /// Frames that will be dropped; frames that were.
    bad: usize,
    dropped: usize,
    bytes: usize,
    got: Vec<u8>,
    /// Lengths seen less frames begun.
    ahead: i64,
    /// It tells lengths.
    told: bool,
}

impl<const W: usize> Bench<W> {
    fn new(seed: u64, eager: f64) -> Self {
        let params = Params { width: W, frame_bytes: FRAME_BYTES, ..Params::TINY };
        Bench {
            h: Harness::new(Buffer::new(&params), |b| &mut b.clock),
            rng: ChaCha8Rng::seed_from_u64(seed),
            beats: Feed::new(eager),
            frames: Watch::new("source", eager),
            lengths: Watch::new("length", 1.0),
            frames_due: VecDeque::new(),
            lengths_due: VecDeque::new(),
            bad: 0,
            dropped: 0,
            bytes: 0,
            got: Vec::new(),
            ahead: 0,
            told: true,
        }
    }

    /// One that tells nobody how long frames are.
    fn mute(seed: u64, eager: f64) -> Self {
        let params = Params { width: W, frame_bytes: FRAME_BYTES, ..Params::TINY };
        let h = Harness::new(Buffer::without_lengths(&params), |b| &mut b.clock);
        Bench { h, told: false, ..Bench::new(seed, eager) }
    }

    fn offer(&mut self, len: usize, error: bool) {
        let frame: Vec<u8> = (0..len).map(|_| self.rng.random()).collect();
        let end = len.div_ceil(W / 8);
        for (i, chunk) in frame.chunks(W / 8).enumerate() {
            let side = FrameSide { count: (chunk.len() as u64).into(), error: error && i + 1 == end };
            self.beats.queue.push_back(Beat { data: to_bits(chunk), last: i + 1 == end, side });
        }
        if error || len > FRAME_BYTES {
            self.bad += 1;
        } else {
            self.lengths_due.extend(self.told.then_some(len));
            self.frames_due.push_back(frame);
        }
    }

    fn cycle(&mut self) {
        let u = &mut self.h.uut;
        self.beats.drive_beat(&mut u.sink, &mut self.rng);
        self.frames.drive_beat(&mut u.source, &mut self.rng);
        self.lengths.drive(&mut u.length, &mut self.rng);
        self.h.settle();
        let u = &self.h.uut;
        self.beats.taken_beat(&u.sink);
        if let Some(length) = self.lengths.taken(&u.length) {
            assert_eq!(Some(length.len.index()), self.lengths_due.pop_front());
            self.ahead += 1;
        }
        let early = u.source.valid.val() && self.got.is_empty() && self.ahead <= 0;
        assert!(!self.told || !early, "a frame before its length");
        if let Some(beat) = self.frames.taken_beat(&u.source) {
            self.ahead -= i64::from(self.got.is_empty());
            self.got.extend(&to_bytes(beat.data)[..beat.side.count.index()]);
            assert!(!beat.side.error);
            if beat.last {
                assert_eq!(self.frames_due.pop_front().as_ref(), Some(&self.got));
                self.got.clear();
            }
        }
        self.dropped += usize::from(u.count_dropped.val());
        self.bytes += u.count_bytes.val().index();
        self.h.tick();
    }

    fn drain(&mut self) {
        let limit = self.h.cycle + 50 * self.beats.queue.len() as u64 + 1000;
        while !self.beats.queue.is_empty() || !self.frames_due.is_empty() {
            assert!(self.h.cycle < limit, "stuck with {} beats to go", self.beats.queue.len());
            self.cycle();
        }
        for _ in 0..8 {
            self.cycle();
        }
        assert!(!self.h.uut.busy.val());
        assert_eq!(self.dropped, self.bad);
    }
}

fn random_frames<const W: usize>(mut bench: Bench<W>, frames: usize) {
    for _ in 0..frames {
        let len = match bench.rng.random_range(0..10) {
            0 => FRAME_BYTES + bench.rng.random_range(0..2),
            1 => bench.rng.random_range(FRAME_BYTES + 1..6000),
            2..=5 => bench.rng.random_range(1..80),
            _ => bench.rng.random_range(1..=FRAME_BYTES),
        };
        let error = bench.rng.random_bool(0.15);
        bench.offer(len, error);
    }
    let all: usize = bench.frames_due.iter().map(Vec::len).sum();
    bench.drain();
    assert_eq!(bench.bytes, all);
}

#[test]
fn keeps_good_frames() {
    random_frames(Bench::<64>::new(1, 0.8), 80);
    random_frames(Bench::<128>::new(2, 0.4), 80);
    random_frames(Bench::<256>::new(3, 1.0), 80);
    random_frames(Bench::<512>::new(4, 0.7), 80);
    random_frames(Bench::<64>::mute(8, 0.7), 80);
    random_frames(Bench::<128>::mute(9, 1.0), 80);
    random_frames(Bench::<512>::mute(10, 0.5), 160);
}

/// Where nobody is told lengths, a frame of one beat is out in the next cycle; a longer one, or at 64 bits, goes through the RAM.
#[test]
fn a_frame_of_one_beat_passes() {
    fn cycles<const W: usize>(mut bench: Bench<W>, len: usize) -> u64 {
        bench.offer(len, false);
        while !bench.beats.queue.is_empty() {
            bench.cycle();
        }
        let last = bench.h.cycle - 1;
        while !bench.frames_due.is_empty() && bench.got.is_empty() {
            bench.cycle();
        }
        let first = bench.h.cycle - 1;
        bench.drain();
        first - last
    }
    assert_eq!(cycles(Bench::<512>::mute(11, 1.0), 60), 1);
    assert_eq!(cycles(Bench::<512>::mute(12, 1.0), 65), 3);
    assert_eq!(cycles(Bench::<512>::new(13, 1.0), 60), 3);
    assert_eq!(cycles(Bench::<64>::mute(14, 1.0), 8), 3);
}

/// Many small frames fill the list of lengths before they fill the buffer.
#[test]
fn many_small_frames() {
    let mut bench = Bench::<512>::new(5, 1.0);
    bench.frames.eager = 0.05;
    for _ in 0..200 {
        bench.offer(60, false);
    }
    bench.drain();
}

/// After a reset in the midst of a frame its rest is passed over, and the next frame is whole.
#[test]
fn reset_midway() {
    let mut bench = Bench::<64>::new(6, 0.7);
    for round in 0..60 {
        let len = bench.rng.random_range(60..300);
        bench.offer(len, false);
        let cycles = bench.rng.random_range(0..60);
        for _ in 0..cycles {
            bench.cycle();
        }
        bench.frames_due.clear();
        bench.lengths_due.clear();
        bench.got.clear();
        bench.ahead = 0;
        // What of it has not come yet is still coming; if none of it has, it is a frame like any other.
        let rest = bench.beats.queue.len();
        let begun = rest < usize::div_ceil(len, 8);
        if rest > 0 && !begun {
            bench.beats.forget();
        }
        bench.h.uut.reset.next = true;
        bench.h.uut.sink.valid.next = false;
        for _ in 0..bench.rng.random_range(1..4) {
            bench.h.tick();
        }
        bench.h.uut.reset.next = false;
        bench.frames.forget();
        bench.lengths.forget();
        bench.h.settle();
        assert!(!bench.h.uut.source.valid.val() && !bench.h.uut.length.valid.val(), "round {round}");
        let more = bench.rng.random_range(60..300);
        bench.offer(more, false);
        bench.drain();
    }
}

/// `abort` in any cycle of a frame, its last one too, makes an end of it; the next beat begins another.
#[test]
fn abort_anywhere() {
    let mut bench = Bench::<64>::new(7, 1.0);
    for at in 0..14 {
        for with_reset in [false, true] {
            bench.offer(100, false);
            bench.lengths_due.clear();
            bench.frames_due.clear();
            for _ in 0..at.min(12) {
                bench.cycle();
            }
            // The cycle of the abort may bring a beat more (the 13th and last, if `at` is 12).
            bench.h.uut.abort.next = true;
            bench.h.uut.reset.next = with_reset;
            if at < 13 {
                bench.cycle();
            } else {
                bench.h.uut.sink.valid.next = false;
                bench.h.tick();
            }
            bench.h.uut.abort.next = false;
            bench.h.uut.reset.next = false;
            bench.beats.forget();
            bench.offer(77, false);
            bench.drain();
        }
    }
}
