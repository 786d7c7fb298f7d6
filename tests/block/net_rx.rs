//! `net::place` and `net::rx` together: frames land in the driver's buffers, byte for byte, and nowhere else.

use crate::harness::Harness;
use crate::streams::{Beat, Feed, Watch, to_bits, to_bytes};
use hematite_abi::{feature, net};
use hematite_hw::net::place::{Job, Place, Share};
use hematite_hw::net::rx::Rx;
use hematite_hw::params::Params;
use hematite_hw::port::chain::{Done, Segment, Want};
use hematite_hw::port::dma::WriteSide;
use hematite_hw::port::frame::{Arrival, FrameSide, Report};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{HashMap, VecDeque};

/// Buffers a frame may take.
const MOST_SHARES: usize = Place::MOST_SHARES;

#[derive(Clone, Debug, PartialEq)]
struct Chain {
    id: u16,
    buffers: Vec<(u64, u64)>,
    error: bool,
}

/// What a want was answered with; `first`, that it was to begin again.
#[derive(Clone, Debug)]
struct Shown {
    first: bool,
    chain: Option<Chain>,
}

/// What must be said of a chain, and where its bytes lie.
struct Due {
    id: u16,
    len: u64,
    more: bool,
    bytes: Vec<u64>,
}

/// What has come of the frames.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    good: usize,
    no_buffer: usize,
    dropped: usize,
}

struct Bench<const W: usize> {
    rng: ChaCha8Rng,
    place: Harness<Place>,
    rx: Harness<Rx<W>>,
    payload_bytes: u64,
    mergeable: bool,
    hashes: bool,
    enabled: bool,
    next_id: u16,
    tiny: bool,
    /// Chains not committed; so many of them have been shown since wants began again.
    chains: VecDeque<Chain>,
    taken: usize,
    /// Answers which no frame judged so far has seen, and whether those before the next beginning are of no account.
    shown: VecDeque<Shown>,
    passed_over: bool,
    /// Chains of the frames that were kept, whose jobs have not come.
    committed: VecDeque<Vec<Chain>>,
    frames: VecDeque<(Vec<u8>, Report)>,
    memory: HashMap<u64, u8>,
    due: VecDeque<Due>,
    want: Counts,
    got: Counts,
    packet: Option<(u64, u64, Vec<u8>)>,
    /// Nobody takes a done chain before this cycle.
    closed_until: u64,
}

impl<const W: usize> Bench<W> {
    fn new(seed: u64, payload_bytes: u64, mergeable: bool) -> Self {
        Self::with(seed, payload_bytes, mergeable, false)
    }

    /// `hashes`: with HASH_REPORT.
    fn with(seed: u64, payload_bytes: u64, mergeable: bool, hashes: bool) -> Self {
        let features = Params::TINY.features | u128::from(hashes) << feature::HASH_REPORT;
        let params = Params { width: W, payload_bytes: payload_bytes as usize, features, ..Params::TINY };
        let mut place = Harness::new(Place::new(&params), |b| &mut b.clock);
        let mut rx = Harness::new(Rx::<W>::new(&params), |b| &mut b.clock);
        place.uut.enabled.next = true;
        place.uut.mergeable.next = mergeable;
        place.uut.hashes.next = hashes;
        rx.uut.hashes.next = hashes;
        rx.uut.payload_bytes.next = payload_bytes.into();
        Bench {
            rng: ChaCha8Rng::seed_from_u64(seed),
            place,
            rx,
            payload_bytes,
            mergeable,
            hashes,
            enabled: true,
            next_id: 0,
            tiny: false,
            chains: VecDeque::new(),
            taken: 0,
            shown: VecDeque::new(),
            passed_over: false,
            committed: VecDeque::new(),
            frames: VecDeque::new(),
            memory: HashMap::new(),
            due: VecDeque::new(),
            want: Counts::default(),
            got: Counts::default(),
            packet: None,
            closed_until: 0,
        }
    }

    fn invent(&mut self) -> Chain {
        let rng = &mut self.rng;
        self.next_id = (self.next_id + 1) % Params::TINY.queue_max as u16;
        let count = if rng.random_bool(0.6) { 1 } else { rng.random_range(1..=4) };
        let buffers = (0..count)
            .map(|i| {
                let len = match rng.random_range(0..10) {
                    _ if self.tiny => rng.random_range(1..4),
                    0 if i + 1 == count => 0,
                    0..=2 => rng.random_range(1..20),
                    3..=5 => rng.random_range(1..300),
                    6..=7 => 1526,
                    8 => rng.random_range(1..2000),
                    _ => rng.random_range(1 << 16..1 << 32),
                };
                // Far from each other, so that no two overlap.
                let high = rng.random_range(1..1u64 << 30) << 33;
                (high + rng.random_range(0..8192), len)
            })
            .collect();
        Chain { id: self.next_id, buffers, error: !self.tiny && rng.random_bool(0.02) }
    }

    fn segments(&mut self, want: &Want) -> Vec<Segment> {
        if want.first {
            // What was shown stays the queue's; here the first of it is taken away, lest it be in the way for ever.
            assert!(self.taken > 0, "there is nothing to begin again");
            self.chains.pop_front();
            self.taken = 0;
        }
        let chain = self.chains.get(self.taken).cloned();
        self.shown.push_back(Shown { first: want.first, chain: chain.clone() });
        let Some(chain) = chain else {
            return vec![Segment { none: true, last: true, ..Segment::default() }];
        };
        self.taken += 1;
        let last = chain.buffers.len() - 1;
        let segment = |(i, b): (usize, &(u64, u64))| Segment {
            queue: 0.into(),
            id: u64::from(chain.id).into(),
            slots: 0.into(),
            addr: b.0.into(),
            len: b.1.into(),
            last: i == last,
            error: i == last && chain.error,
            none: false,
        };
        chain.buffers.iter().enumerate().map(segment).collect()
    }

    /// The next answer for the frame that is judged.
    fn next_shown(&mut self) -> Option<Chain> {
        while self.passed_over && !self.shown.front().expect("a frame without an answer").first {
            self.shown.pop_front();
        }
        self.passed_over = false;
        self.shown.pop_front().expect("a frame without an answer").chain
    }

    /// The chains a frame must take; none if it must be dropped, and is counted so.
    fn chains_for(&mut self, need: u64) -> Option<Vec<Chain>> {
        let mut shown: Vec<Chain> = Vec::new();
        let (mut left, mut places) = (need, 0);
        loop {
            let Some(chain) = self.next_shown() else {
                self.want.no_buffer += 1;
                self.passed_over = !shown.is_empty();
                return None;
            };
            for buffer in &chain.buffers {
                places += usize::from(left > 0);
                left = left.saturating_sub(buffer.1);
            }
            let error = chain.error;
            shown.push(chain);
            if error || places > MOST_SHARES {
                self.want.dropped += 1;
                self.passed_over = true;
                return None;
            }
            if left == 0 {
                return Some(shown);
            }
            if !self.mergeable {
                self.want.no_buffer += 1;
                self.passed_over = true;
                return None;
            }
        }
    }

    /// What the job for the next frame must be, and what must come of it.
    fn judge(&mut self, job: &Job) {
        let (frame, report) = self.frames.pop_front().expect("a job too many");
        let header = if self.hashes { net::HDR_HASH_BYTES } else { net::HDR_BYTES };
        let need = (frame.len() + header) as u64;
        if !self.enabled {
            self.want.dropped += 1;
            assert!(job.drop);
            return;
        }
        let shown = self.chains_for(need);
        assert_eq!(job.drop, shown.is_none(), "{need} bytes into {shown:?}");
        let Some(shown) = shown else { return };
        assert_eq!(self.committed.pop_front().expect("a job without a commit"), shown);
        self.want.good += 1;
        assert_eq!(job.chains.index(), shown.len());
        let mut packet = vec![0; net::HDR_BYTES];
        packet[0] = if report.right { net::HDR_F_DATA_VALID as u8 } else { 0 };
        packet[net::HDR_NUM_BUFFERS..].copy_from_slice(&(shown.len() as u16).to_le_bytes());
        if self.hashes {
            packet.extend((u64::from(report.kind) << 32 | u64::from(report.hash)).to_le_bytes());
        }
        packet.extend(frame);
        let mut bytes = packet.into_iter();
        for (i, chain) in shown.iter().enumerate() {
            let places = chain.buffers.iter().flat_map(|b| b.0..b.0 + b.1.min(need));
            let taken: Vec<(u64, u8)> = places.zip(bytes.by_ref().take(need as usize)).collect();
            self.memory.extend(taken.iter().copied());
            let more = i + 1 < shown.len();
            let bytes = taken.iter().map(|t| t.0).collect();
            self.due.push_back(Due { id: chain.id, len: taken.len() as u64, more, bytes });
        }
        assert_eq!(bytes.next(), None);
    }

    fn write(&mut self, beat: &Beat<W, WriteSide>) {
        let first = self.packet.is_none();
        let side = (u64::from(beat.side.addr), u64::from(beat.side.len), Vec::new());
        let packet = self.packet.get_or_insert(side);
        packet.2.extend(to_bytes(beat.data));
        let (addr, len) = (packet.0, packet.1);
        assert!(!first || len > 0 && addr % self.payload_bytes + len <= self.payload_bytes);
        let need = (addr % 4 + len) as usize;
        assert_eq!(beat.last, packet.2.len() >= need, "a piece of {len} at {addr:x}");
        if beat.last {
            for (i, byte) in packet.2[(addr % 4) as usize..need].iter().enumerate() {
                let due = self.memory.remove(&(addr + i as u64));
                assert_eq!(due, Some(*byte), "byte {i} of {len} at {addr:x}");
            }
            self.packet = None;
        }
    }

    fn done(&mut self, done: &Done) {
        let due = self.due.pop_front().expect("a done too many");
        assert_eq!((done.id, done.len, done.more), (u64::from(due.id).into(), due.len.into(), due.more));
        let missing = due.bytes.iter().filter(|addr| self.memory.contains_key(addr)).count();
        assert_eq!(missing, 0, "chain {}: done before it was written", due.id);
    }

    fn run(&mut self, count: usize, supply: f64, eager: f64) {
        let mut lengths = Feed::<Arrival>::new(eager);
        let mut beats = Feed::<Beat<W, FrameSide>>::new(eager);
        let mut reports = Feed::<Report>::new(1.0);
        let mut segments = Feed::<Segment>::new(eager);
        let mut jobs = Feed::<Job>::new(eager);
        let mut shares = Feed::<Share>::new(eager);
        let mut wants = Watch::<Want>::new("want", eager);
        let mut made = Watch::<Job>::new("job", eager);
        let mut found = Watch::<Share>::new("share", eager);
        let mut writes = Watch::<Beat<W, WriteSide>>::new("write", eager);
        let mut dones = Watch::<Done>::new("done", eager);
        for _ in 0..count {
            let len = match self.rng.random_range(0..4) {
                0 => self.rng.random_range(1..70),
                1 => 60,
                _ => self.rng.random_range(14..1519),
            };
            let frame: Vec<u8> = (0..len).map(|_| self.rng.random()).collect();
            lengths.queue.push_back(Arrival { len: (len as u64).into(), queue: 0.into() });
            let end = frame.len().div_ceil(W / 8);
            for (i, chunk) in frame.chunks(W / 8).enumerate() {
                let mut bytes: Vec<u8> = (0..W / 8).map(|_| self.rng.random()).collect();
                bytes[..chunk.len()].copy_from_slice(chunk);
                let side = FrameSide { count: (chunk.len() as u64).into(), error: false };
                beats.queue.push_back(Beat { data: to_bits(&bytes), last: i + 1 == end, side });
            }
            let hash = u64::from(self.rng.random::<u32>()).into();
            let report =
                Report { right: self.rng.random(), hash, kind: self.rng.random_range(0..7u64).into() };
            reports.queue.push_back(report);
            self.frames.push_back((frame, report));
        }
        let limit = self.place.cycle + 3000 * count as u64;
        while !(self.frames.is_empty() && self.due.is_empty() && beats.queue.is_empty())
            || self.rx.uut.busy.val()
            || self.place.uut.busy.val()
        {
            assert!(self.place.cycle < limit, "stuck with {} frames to go", self.frames.len());
            if self.rng.random_bool(supply) && self.chains.len() < 100 {
                let chain = self.invent();
                self.chains.push_back(chain);
            }
            let rng = &mut self.rng;
            let u = &mut self.place.uut;
            lengths.drive(&mut u.arrival, rng);
            segments.drive(&mut u.segment, rng);
            wants.drive(&mut u.want, rng);
            made.drive(&mut u.job, rng);
            found.drive(&mut u.share, rng);
            self.place.settle();
            let u = &self.place.uut;
            lengths.taken(&u.arrival);
            let commits = u.commit.valid.val();
            let chains = u.commit.chains.val().index();
            assert!(!commits || u.commit.queue.val() == 0);
            segments.taken(&u.segment);
            self.got.no_buffer += usize::from(u.count_no_buffer.val());
            self.got.dropped += usize::from(u.count_dropped.val());
            let (want, job, share) = (wants.taken(&u.want), made.taken(&u.job), found.taken(&u.share));
            if commits {
                self.committed.push_back(self.chains.drain(..chains).collect());
                self.taken -= chains;
            }
            if let Some(want) = want {
                segments.queue.extend(self.segments(&want));
            }
            shares.queue.extend(share);
            if let Some(job) = job {
                jobs.queue.push_back(job);
            }
            let rng = &mut self.rng;
            let u = &mut self.rx.uut;
            jobs.drive(&mut u.job, rng);
            shares.drive(&mut u.share, rng);
            beats.drive_beat(&mut u.frame, rng);
            reports.drive(&mut u.report, rng);
            writes.drive_beat(&mut u.write, rng);
            if self.rx.cycle < self.closed_until {
                u.done.ready.next = false;
            } else {
                dones.drive(&mut u.done, rng);
            }
            self.rx.settle();
            let u = &self.rx.uut;
            jobs.taken(&u.job);
            shares.taken(&u.share);
            beats.taken_beat(&u.frame);
            reports.taken(&u.report);
            self.got.good += usize::from(u.count_frames.val());
            let (write, done) = (writes.taken_beat(&u.write), dones.taken(&u.done));
            if let Some(write) = write {
                self.write(&write);
            }
            if let Some(done) = done {
                self.done(&done);
            }
            self.place.tick();
            self.rx.tick();
            // Used elements take the way of these writes: it must be free.
            let closed = self.rx.cycle == self.closed_until;
            assert!(
                !closed || self.packet.is_none(),
                "a write waits in its middle for a done chain to be taken"
            );
            if let Some(job) = job {
                self.judge(&job);
            }
        }
        assert!(self.memory.is_empty(), "{} bytes not written", self.memory.len());
        assert!(shares.queue.is_empty() && jobs.queue.is_empty());
        assert_eq!(self.got, self.want);
    }
}

#[test]
fn frames_land_64() {
    Bench::<64>::new(1, 128, true).run(150, 0.02, 0.8);
    Bench::<64>::new(2, 256, false).run(100, 0.03, 0.6);
}

#[test]
fn frames_land_128() {
    Bench::<128>::new(3, 256, true).run(150, 0.03, 0.8);
}

#[test]
fn frames_land_256() {
    Bench::<256>::new(4, 128, true).run(150, 0.05, 0.7);
}

#[test]
fn frames_land_512() {
    Bench::<512>::new(5, 512, true).run(150, 0.05, 0.9);
    Bench::<512>::new(6, 512, false).run(100, 0.05, 1.0);
}

/// With HASH_REPORT.
#[test]
fn a_longer_header() {
    Bench::<128>::with(21, 256, true, true).run(120, 0.03, 0.8);
    Bench::<256>::with(22, 128, true, true).run(120, 0.05, 0.8);
    Bench::<512>::with(23, 512, true, true).run(120, 0.05, 0.9);
}

/// With no done chain taken writes stop, but never inside a packet.
#[test]
fn dones_stand() {
    for seed in 20..28 {
        let mut bench = Bench::<512>::new(seed, 256, true);
        bench.closed_until = 3000;
        bench.run(80, 0.9, 1.0);
        let mut bench = Bench::<64>::new(seed, 128, true);
        bench.closed_until = 3000;
        bench.run(30, 0.9, 1.0);
    }
}

/// Buffers of a few bytes: as many as a frame may take, and one more.
#[test]
fn tiny_buffers() {
    let mut bench = Bench::<64>::new(7, 128, true);
    bench.tiny = true;
    bench.run(40, 0.5, 0.9);
    assert!(bench.got.good > 0 && bench.got.dropped > 0, "{:?}", bench.got);
}

/// Without a driver every frame is dropped, and the queue is left alone; with one, frames come again.
#[test]
fn not_enabled() {
    let mut bench = Bench::<64>::new(8, 128, true);
    bench.enabled = false;
    bench.place.uut.enabled.next = false;
    bench.run(5, 0.5, 0.9);
    assert_eq!(bench.got, Counts { good: 0, no_buffer: 0, dropped: 5 });
    bench.enabled = true;
    bench.place.uut.enabled.next = true;
    bench.run(5, 0.5, 0.9);
    assert!(bench.got.good > 0);
}
