//! `net::place` with many queues: each frame gets chains of its own queue, in that queue's order, whatever was asked for ahead.

use crate::harness::Harness;
use crate::streams::{Feed, Watch};
use hematite_abi::net;
use hematite_hw::net::place::{Job, Place, Share};
use hematite_hw::params::Params;
use hematite_hw::port::chain::{Segment, Want};
use hematite_hw::port::frame::Arrival;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// A queue's chains, as the cache keeps them: those not committed, and how many of them have been shown.
#[derive(Default)]
struct Queue {
    chains: VecDeque<(u64, Vec<u64>)>,
    shown: usize,
    next_id: u64,
    /// Chains committed and not yet accounted for.
    committed: VecDeque<(u64, Vec<u64>)>,
}

struct Bench {
    rng: ChaCha8Rng,
    place: Harness<Place>,
    queues: Vec<Queue>,
    /// Bytes with header, queue.
    frames: VecDeque<(u64, usize)>,
    shares: VecDeque<Share>,
    kept: usize,
    dropped: usize,
    counted: usize,
}

impl Bench {
    fn new(seed: u64, pairs: usize) -> Bench {
        let params = Params { pairs, ..Params::MAX };
        let mut place = Harness::new(Place::new(&params), |b| &mut b.clock);
        place.uut.enabled.next = true;
        place.uut.mergeable.next = true;
        Bench {
            rng: ChaCha8Rng::seed_from_u64(seed),
            place,
            queues: (0..pairs).map(|_| Queue::default()).collect(),
            frames: VecDeque::new(),
            shares: VecDeque::new(),
            kept: 0,
            dropped: 0,
            counted: 0,
        }
    }

    fn answer(&mut self, want: &Want) -> Vec<Segment> {
        let number = want.queue.index() / 2;
        assert_eq!(want.queue.index() % 2, 0);
        let queue = &mut self.queues[number];
        if want.first {
            queue.shown = 0;
        }
        let Some((id, buffers)) = queue.chains.get(queue.shown) else {
            return vec![Segment { queue: want.queue, none: true, last: true, ..Segment::default() }];
        };
        queue.shown += 1;
        let segment = |(at, len): (usize, &u64)| Segment {
            queue: want.queue,
            id: (*id).into(),
            slots: (*id + 1).into(),
            addr: (*id << 8 | at as u64).into(),
            len: (*len).into(),
            last: at + 1 == buffers.len(),
            error: false,
            none: false,
        };
        buffers.iter().enumerate().map(segment).collect()
    }

    /// The job of the oldest frame, whose shares have all come.
    fn judge(&mut self, job: &Job) {
        let (bytes, number) = self.frames.pop_front().expect("a job too many");
        if job.drop {
            self.dropped += 1;
            return;
        }
        self.kept += 1;
        let mut left = bytes;
        for nth in 1..=job.chains.index() {
            let chain = self.queues[number].committed.pop_front();
            let (id, buffers) = chain.unwrap_or_else(|| panic!("queue {number}: a chain without a commit"));
            for (at, len) in buffers.iter().enumerate() {
                if left == 0 {
                    break;
                }
                let share = self.shares.pop_front().expect("a share for each buffer");
                let taken = left.min(*len);
                left -= taken;
                assert_eq!(share.queue.index(), 2 * number);
                assert_eq!((share.id.index() as u64, u64::from(share.addr)), (id, id << 8 | at as u64));
                assert_eq!(u64::from(share.len), taken);
                assert_eq!(share.last, left == 0);
                assert_eq!(share.end, left == 0 || at + 1 == buffers.len());
            }
            assert!(left > 0 || nth == job.chains.index(), "more chains than are needed");
        }
        assert_eq!(left, 0, "queue {number}: {bytes} bytes have no room");
    }

    /// `supply`: how likely a chain is to come in a cycle.
    fn run(&mut self, count: usize, supply: f64, small: f64) {
        let mut arrivals = Feed::<Arrival>::new(0.9);
        let mut segments = Feed::<Segment>::new(0.9);
        let mut wants = Watch::<Want>::new("want", 0.9);
        let mut jobs = Watch::<Job>::new("job", 0.9);
        let mut shares = Watch::<Share>::new("share", 1.0);
        for _ in 0..count {
            let number = self.rng.random_range(0..self.queues.len());
            let len = self.rng.random_range(60..1515u64);
            arrivals.queue.push_back(Arrival { len: len.into(), queue: (2 * number as u64).into() });
            self.frames.push_back((len + net::HDR_BYTES as u64, number));
        }
        // Nothing is shown beyond its commit for ever.
        let limit = self.place.cycle + 2000 * count as u64;
        let mut waiting: VecDeque<Job> = VecDeque::new();
        while !self.frames.is_empty() || self.place.uut.busy.val() {
            assert!(self.place.cycle < limit, "stuck with {} frames to go", self.frames.len());
            if self.rng.random_bool(supply) {
                let number = self.rng.random_range(0..self.queues.len());
                let queue = &mut self.queues[number];
                if queue.chains.len() < 50 {
                    let count = if self.rng.random_bool(0.7) { 1 } else { self.rng.random_range(2..4) };
                    let most = if self.rng.random_bool(small) { 700 } else { 1600 };
                    let buffers = (0..count).map(|_| self.rng.random_range(most / 2..most)).collect();
                    queue.chains.push_back((queue.next_id, buffers));
                    queue.next_id = (queue.next_id + 1) % 1024;
                }
            }
            let rng = &mut self.rng;
            let u = &mut self.place.uut;
            arrivals.drive(&mut u.arrival, rng);
            segments.drive(&mut u.segment, rng);
            wants.drive(&mut u.want, rng);
            jobs.drive(&mut u.job, rng);
            shares.drive(&mut u.share, rng);
            self.place.settle();
            let u = &self.place.uut;
            arrivals.taken(&u.arrival);
            segments.taken(&u.segment);
            self.counted += usize::from(u.count_no_buffer.val()) + usize::from(u.count_dropped.val());
            if u.commit.valid.val() {
                let queue = &mut self.queues[u.commit.queue.val().index() / 2];
                let chains = u.commit.chains.val().index();
                assert!(chains <= queue.shown, "more committed than shown");
                queue.shown -= chains;
                queue.committed.extend(queue.chains.drain(..chains));
            }
            let (want, job, share) = (wants.taken(&u.want), jobs.taken(&u.job), shares.taken(&u.share));
            if let Some(want) = want {
                segments.queue.extend(self.answer(&want));
            }
            self.shares.extend(share);
            waiting.extend(job);
            self.place.tick();
            // A job is offered before its commit and shares are out.
            while let Some(job) = waiting.front().copied() {
                let number = self.frames.front().expect("a job too many").1;
                let whole = self.queues[number].committed.len() >= job.chains.index()
                    && self.shares.iter().any(|share| share.last);
                if !job.drop && !whole {
                    break;
                }
                waiting.pop_front();
                self.judge(&job);
            }
        }
        assert!(self.shares.is_empty() && self.queues.iter().all(|queue| queue.committed.is_empty()));
        assert_eq!(self.counted, self.dropped);
    }
}

/// Buffers for all: none is dropped, though frames of other queues come between those that need several chains.
#[test]
fn many_queues() {
    for (seed, pairs, small) in [(1, 2, 0.5), (2, 4, 0.9), (3, 64, 0.3), (4, 8, 1.0), (5, 4, 0.0)] {
        let mut bench = Bench::new(seed, pairs);
        for number in 0..pairs {
            for _ in 0..40 {
                let queue = &mut bench.queues[number];
                queue.chains.push_back((queue.next_id, vec![600]));
                queue.next_id += 1;
            }
        }
        bench.run(200, 0.9, small);
        assert_eq!((bench.kept, bench.dropped), (200, 0), "seed {seed}");
    }
}

/// Too few buffers: frames are dropped, whole, and nothing of any queue is lost.
#[test]
fn many_queues_with_few_buffers() {
    for (seed, pairs) in [(11, 2), (12, 4), (13, 8)] {
        let mut bench = Bench::new(seed, pairs);
        bench.run(300, 0.04, 0.7);
        assert!(bench.kept > 20 && bench.dropped > 20, "seed {seed}: {} {}", bench.kept, bench.dropped);
    }
}
