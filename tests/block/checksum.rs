//! `net::checksum` and `net::patch`: frames pass whole, good ones with their sum, which lands where the driver wants it.

use crate::harness::Harness;
use crate::streams::{Beat, Feed, Watch, to_bits, to_bytes};
use hematite_hw::net::checksum::Checksum;
use hematite_hw::net::patch::Patch;
use hematite_hw::params::Params;
use hematite_hw::port::frame::{FrameSide, Sum, Task};
use hematite_sim::offload::checksum;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

pub(crate) fn beats<const W: usize>(frame: &[u8], error: bool) -> Vec<Beat<W, FrameSide>> {
    let end = frame.len().div_ceil(W / 8);
    let beat = |(i, chunk): (usize, &[u8])| {
        let last = i + 1 == end;
        let side = FrameSide { count: (chunk.len() as u64).into(), error: error && last };
        Beat { data: to_bits(chunk), last, side }
    };
    frame.chunks(W / 8).enumerate().map(beat).collect()
}

/// Bytes of a frame; now and then such that sums come out as 0 or carry much.
fn bytes(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let len = match rng.random_range(0..10) {
        0..=3 => rng.random_range(1..80),
        4..=7 => rng.random_range(14..700),
        _ => rng.random_range(14..2000),
    };
    match rng.random_range(0..5) {
        0 => vec![0; len],
        1 => vec![0xff; len],
        _ => (0..len).map(|_| rng.random()).collect(),
    }
}

struct Case {
    frame: Vec<u8>,
    error: bool,
    task: Task,
    sum: Option<Sum>,
}

fn case(rng: &mut ChaCha8Rng) -> Case {
    let frame = bytes(rng);
    let error = rng.random_bool(0.1);
    let csum = rng.random_bool(0.7);
    let start = if rng.random_bool(0.1) { rng.random() } else { rng.random_range(0..frame.len() as u16) };
    let end = frame.len() as i32 - i32::from(start);
    let offset = match rng.random_range(0..8) {
        0 => rng.random(),
        1 | 2 => (end - 3 + rng.random_range(0..4)).max(0) as u16, // About the last place there is.
        _ => rng.random_range(0..20),
    };
    let (start, offset) = if rng.random_ratio(1, 20) { (0xffff, 0xffff) } else { (start, offset) };
    let at = usize::from(start) + usize::from(offset);
    let task =
        Task { csum, csum_start: u64::from(start).into(), csum_at: (at as u64).into(), ..Task::default() };
    let fits = !csum || at + 2 <= frame.len();
    let sum = (fits && !error).then(|| Sum {
        wanted: csum,
        at: ((at & 0xffff) as u64).into(),
        value: u64::from(if csum { checksum(&frame[usize::from(start)..]) } else { 0xffff }).into(),
        len: (frame.len() as u64).into(),
        ..Sum::default()
    });
    Case { frame, error, task, sum }
}

fn sums<const W: usize>(seed: u64, eager: f64) {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let params = Params { width: W, ..Params::SIM };
    let mut bench = Harness::new(Checksum::<W>::new(&params), |b| &mut b.clock);
    let mut feed = Feed::<Beat<W, FrameSide>>::new(eager);
    let mut passed = Watch::<Beat<W, FrameSide>>::new("source", eager);
    let mut sums = Watch::<Sum>::new("sum", 0.1);
    let mut sums_due = VecDeque::new();
    let (mut good, mut bad, mut counted, mut counted_bad) = (0, 0, 0, 0);
    for round in 0..600 {
        // Sums pile up for a while, then all are taken.
        sums.eager = if round % 200 < 150 { 0.0 } else { 0.8 };
        if sums_due.len() >= 60 {
            sums.eager = 0.3;
        }
        let case = case(rng);
        let aborted = rng.random_bool(0.05);
        feed.queue.extend(beats::<W>(&case.frame, case.error));
        bench.uut.task.next = case.task;
        let cut = if aborted { rng.random_range(0..=feed.queue.len()) } else { 0 };
        let fits = case.sum.is_some() || case.error;
        let mut got: Vec<u8> = Vec::new();
        let mut done = false;
        while !done {
            assert!(bench.cycle < 400_000, "seed {seed}, round {round}: stuck");
            let u = &mut bench.uut;
            let abort = aborted && feed.queue.len() <= cut;
            u.abort.next = abort;
            feed.drive_beat(&mut u.sink, rng);
            passed.drive_beat(&mut u.source, rng);
            sums.drive(&mut u.sum, rng);
            bench.settle();
            let u = &bench.uut;
            feed.taken_beat(&u.sink);
            if let Some(beat) = passed.taken_beat(&u.source).filter(|_| !abort) {
                got.extend(&to_bytes(beat.data)[..beat.side.count.index()]);
                if beat.last {
                    assert_eq!(got, case.frame, "seed {seed}, round {round}");
                    assert_eq!(beat.side.error, case.sum.is_none(), "seed {seed}, round {round}");
                    good += usize::from(case.sum.is_some());
                    bad += usize::from(!fits);
                    sums_due.extend(case.sum);
                    done = true;
                }
            }
            if let Some(sum) = sums.taken(&u.sum) {
                let due = sums_due.pop_front().expect("a sum too many");
                assert_eq!(sum.wanted, due.wanted, "seed {seed}, round {round}");
                assert!(!due.wanted || sum == due, "seed {seed}, round {round}: {sum:?}, {due:?}");
            }
            counted += usize::from(u.count_frames.val());
            counted_bad += usize::from(u.count_bad.val());
            if abort {
                feed.forget();
                passed.forget();
                done = true;
            }
            bench.tick();
        }
    }
    bench.uut.abort.next = false;
    let mut idle = 0;
    while idle < 3 || !sums_due.is_empty() {
        idle = if bench.uut.busy.val() { 0 } else { idle + 1 };
        assert!(bench.cycle < 500_000, "seed {seed}: {} sums do not come", sums_due.len());
        sums.eager = 1.0;
        feed.drive_beat(&mut bench.uut.sink, rng);
        sums.drive(&mut bench.uut.sum, rng);
        bench.settle();
        if let Some(sum) = sums.taken(&bench.uut.sum) {
            let due = sums_due.pop_front().expect("a sum too many");
            assert!(!due.wanted && !sum.wanted || sum == due, "seed {seed}");
        }
        counted += usize::from(bench.uut.count_frames.val());
        counted_bad += usize::from(bench.uut.count_bad.val());
        bench.tick();
    }
    assert_eq!((counted, counted_bad), (good, bad), "seed {seed}");
    assert!(good > 300 && bad > 20, "seed {seed}: {good} good, {bad} bad");
}

#[test]
fn frames_are_summed() {
    sums::<64>(1, 0.8);
    sums::<128>(2, 1.0);
    sums::<256>(3, 0.6);
    sums::<512>(4, 1.0);
}

fn patches<const W: usize>(seed: u64, eager: f64) {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let params = Params { width: W, ..Params::SIM };
    let mut bench = Harness::new(Patch::<W>::new(&params), |b| &mut b.clock);
    let mut feed = Feed::<Beat<W, FrameSide>>::new(eager);
    let mut sums = Feed::<Sum>::new(eager / 2.0);
    let mut source = Watch::<Beat<W, FrameSide>>::new("source", eager);
    let mut due = VecDeque::new();
    for _ in 0..300 {
        let mut frame = bytes(rng);
        frame.resize(frame.len().max(2), 7);
        feed.queue.extend(beats::<W>(&frame, false));
        let (wanted, value) = (rng.random_bool(0.7), rng.random::<u16>());
        let at = rng.random_range(0..=frame.len() - 2);
        let (at_bits, value_bits) = ((at as u64).into(), u64::from(value).into());
        sums.queue.push_back(Sum { wanted, at: at_bits, value: value_bits, ..Sum::default() });
        if wanted {
            frame[at..at + 2].copy_from_slice(&value.to_be_bytes());
        }
        due.push_back(frame);
    }
    let mut got = Vec::new();
    while !due.is_empty() {
        assert!(bench.cycle < 200_000, "seed {seed}: {} frames do not come", due.len());
        let u = &mut bench.uut;
        feed.drive_beat(&mut u.sink, rng);
        sums.drive(&mut u.sum, rng);
        source.drive_beat(&mut u.source, rng);
        bench.settle();
        let u = &bench.uut;
        feed.taken_beat(&u.sink);
        sums.taken(&u.sum);
        if let Some(beat) = source.taken_beat(&u.source) {
            got.extend(&to_bytes(beat.data)[..beat.side.count.index()]);
            if beat.last {
                assert_eq!(due.pop_front().as_ref(), Some(&got), "seed {seed}, {} to go", due.len());
                got.clear();
            }
        }
        bench.tick();
    }
}

#[test]
fn checksums_land() {
    patches::<64>(5, 0.8);
    patches::<128>(6, 0.9);
    patches::<512>(7, 1.0);
}

/// Sums that nobody takes stop frames before one is lost.
#[test]
fn sums_wait() {
    let rng = &mut ChaCha8Rng::seed_from_u64(8);
    let mut bench = Harness::new(Checksum::<512>::new(&Params::MAX), |b| &mut b.clock);
    let mut feed = Feed::<Beat<512, FrameSide>>::new(1.0);
    let mut sums = Watch::<Sum>::new("sum", 0.0);
    for len in 20..=60u8 {
        feed.queue.extend(beats::<512>(&vec![len; usize::from(len)], false));
        feed.queue.extend(beats::<512>(&vec![len; usize::from(len)], false));
    }
    bench.uut.task.next =
        Task { csum: true, csum_start: 14u64.into(), csum_at: 16u64.into(), ..Task::default() };
    bench.uut.source.ready.next = true;
    let mut got = 0;
    for cycle in 0..400 {
        sums.eager = if cycle < 200 { 0.0 } else { 1.0 };
        feed.drive_beat(&mut bench.uut.sink, rng);
        sums.drive(&mut bench.uut.sum, rng);
        bench.settle();
        feed.taken_beat(&bench.uut.sink);
        if let Some(sum) = sums.taken(&bench.uut.sum) {
            let len = 20 + got / 2;
            assert_eq!(sum.value, u64::from(checksum(&vec![len as u8; len - 14])), "sum {got}");
            got += 1;
        }
        assert!(cycle != 199 || feed.queue.len() == 82 - 64, "{} are left", feed.queue.len());
        bench.tick();
    }
    assert_eq!(got, 82);
}

/// A frame that wants no checksum has its sum in the cycle after its last beat, unless one that does is before it.
#[test]
fn what_is_not_summed_does_not_wait() {
    fn cycles(before: bool) -> u64 {
        let rng = &mut ChaCha8Rng::seed_from_u64(9);
        let mut bench = Harness::new(Checksum::<512>::new(&Params::MAX), |b| &mut b.clock);
        let mut feed = Feed::<Beat<512, FrameSide>>::new(1.0);
        let mut sums = Watch::<Sum>::new("sum", 1.0);
        bench.uut.source.ready.next = true;
        let (mut came, mut last) = (Vec::new(), 0);
        for csum in [true, false].into_iter().filter(|csum| before || !csum) {
            feed.queue.extend(beats::<512>(&[1; 60], false));
            let (csum_start, csum_at) = (14u64.into(), 16u64.into());
            bench.uut.task.next = Task { csum, csum_start, csum_at, ..Task::default() };
            while !feed.queue.is_empty() {
                feed.drive_beat(&mut bench.uut.sink, rng);
                sums.drive(&mut bench.uut.sum, rng);
                bench.settle();
                feed.taken_beat(&bench.uut.sink);
                last = bench.cycle;
                bench.tick();
            }
        }
        for _ in 0..40 {
            feed.drive_beat(&mut bench.uut.sink, rng);
            sums.drive(&mut bench.uut.sum, rng);
            bench.settle();
            came.extend(sums.taken(&bench.uut.sum).map(|sum| (sum.wanted, bench.cycle - last)));
            bench.tick();
        }
        let wanted: Vec<_> = came.iter().map(|(wanted, _)| *wanted).collect();
        assert_eq!(wanted, if before { vec![true, false] } else { vec![false] });
        came.last().unwrap().1
    }
    assert_eq!(cycles(false), 1);
    assert!(cycles(true) > 5);
}
