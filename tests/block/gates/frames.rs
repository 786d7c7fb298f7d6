//! The blocks between buffers and frames.

use super::{agrees, prints, roomy};
use crate::streams::{Beat, Feed, Watch, to_bits};
use hematite_abi::{feature, net};
use hematite_hw::net::buffer::Buffer;
use hematite_hw::net::checksum::Checksum;
use hematite_hw::net::patch::Patch;
use hematite_hw::net::place::{Job, Place, Share};
use hematite_hw::net::rx::Rx;
use hematite_hw::net::tx::Tx;
use hematite_hw::params::Params;
use hematite_hw::port::chain::{Done, Segment, Want};
use hematite_hw::port::dma::{ReadRequest, ReadSide, WriteSide};
use hematite_hw::port::frame::{Arrival, FrameSide, Report, Sum, Task};
use hematite_hw::prim::overlay::Overlay;
use hematite_hw::prim::pack::{Pack, Pick};
use hematite_hw::prim::rotate::Rotate;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use rust_hdl_core::simulate::simulate;

/// Passes until a block's outputs follow its inputs.
const SETTLE: usize = 400;
/// Cycles compared.
const CYCLES: usize = 2000;

fn settle<B: Block>(block: &mut B) {
    assert!(simulate(block, SETTLE), "the block does not settle");
}

fn noise<const W: usize>(rng: &mut ChaCha8Rng) -> Bits<W> {
    let bytes: Vec<u8> = (0..W / 8).map(|_| rng.random()).collect();
    to_bits(&bytes)
}

fn segment(rng: &mut ChaCha8Rng, longest: u64) -> Segment {
    let last = rng.random_bool(0.6);
    let long = rng.random_ratio(1, 40);
    Segment {
        queue: rng.random_range(0..4u64).into(),
        id: rng.random_range(0..256u64).into(),
        slots: rng.random_range(0..4u64).into(),
        addr: rng.random_range(0..1u64 << 60).into(),
        len: if long { rng.random_range(0..1 << 32) } else { rng.random_range(1..=longest) }.into(),
        last,
        error: last && rng.random_ratio(1, 15),
        none: last && rng.random_ratio(1, 15),
    }
}

/// A frame's beats; one in ten is marked bad.
fn frame<const W: usize>(rng: &mut ChaCha8Rng, len: usize) -> Vec<Beat<W, FrameSide>> {
    let lanes = W / 8;
    let error = rng.random_ratio(1, 10);
    (0..len.div_ceil(lanes))
        .map(|i| {
            let count = (len - i * lanes).min(lanes);
            let last = count + i * lanes == len;
            let side = FrameSide { count: (count as u64).into(), error: error && last };
            Beat { data: noise(rng), last, side }
        })
        .collect()
}

fn tx<const W: usize>(params: &Params, seed: u64) {
    let features = params.features as u64;
    prints("net_tx", Tx::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut segments = Feed::<Segment>::new(0.8);
    let mut replies = Feed::<Beat<W, ReadSide>>::new(0.8);
    let mut requests = Watch::<ReadRequest>::new("request", 0.8);
    agrees(
        "net_tx",
        Tx::<W>::new(params),
        |b| &mut b.clock,
        CYCLES,
        move |b, s| {
            b.reset.next = s.cycle() < 2;
            b.read_bytes.next = 256u64.into();
            // Nothing is accepted that is not offered.
            let accepted = if s.cycle() % 600 < 400 { features } else { 0 };
            b.accepted0.next = (accepted & u64::from(u32::MAX)).into();
            b.accepted1.next = (accepted >> 32).into();
            if segments.queue.is_empty() {
                segments.queue.push_back(segment(&mut rng, 300));
            }
            segments.drive(&mut b.segment, &mut rng);
            replies.drive_beat(&mut b.reply, &mut rng);
            requests.drive(&mut b.request, &mut rng);
            s.bit("frame", &mut b.frame.ready);
            s.bit("done", &mut b.done.ready);
            s.bit("error", &mut b.error.ready);
            settle(b);
            segments.taken(&b.segment);
            replies.taken_beat(&b.reply);
            if let Some(request) = requests.taken(&b.request) {
                let bytes = u64::from(request.addr) % 4 + u64::from(request.len);
                let beats = bytes.div_ceil(W as u64 / 8);
                let error = rng.random_ratio(1, 20);
                replies.queue.extend((1..=beats).map(|i| {
                    let last = i == beats;
                    let side = ReadSide { error: error && last, timeout: error && last && beats > 2 };
                    Beat { data: noise(&mut rng), last, side }
                }));
            }
        },
    );
}

fn rx<const W: usize>(params: &Params, seed: u64) {
    let hashes = params.offers(feature::HASH_REPORT);
    prints("net_rx", Rx::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut jobs, mut shares) = (Feed::<Job>::new(0.8), Feed::<Share>::new(0.8));
    let mut frames = Feed::<Beat<W, FrameSide>>::new(0.8);
    let mut reports = Feed::<Report>::new(1.0);
    let mut writes = Watch::<Beat<W, WriteSide>>::new("write", 0.8);
    let mut dones = Watch::<Done>::new("done", 0.5);
    agrees(
        "net_rx",
        Rx::<W>::new(params),
        |b| &mut b.clock,
        CYCLES,
        move |b, s| {
            b.reset.next = s.cycle() < 2;
            b.payload_bytes.next = 256u64.into();
            b.hashes.next = hashes;
            if jobs.queue.is_empty() {
                let len = rng.random_range(1..600);
                let drop = rng.random_ratio(1, 8);
                let header = if hashes { net::HDR_HASH_BYTES } else { net::HDR_BYTES } as u64;
                let (mut left, mut chains) = (if drop { 0 } else { len + header }, 0);
                while left > 0 {
                    let part = segment(&mut rng, 400);
                    let take = if rng.random_ratio(1, 10) { 0 } else { u64::from(part.len).min(left) };
                    left -= take;
                    let (end, last) = (part.last || left == 0, left == 0);
                    chains += u64::from(end);
                    shares.queue.push_back(Share {
                        queue: part.queue,
                        id: part.id,
                        slots: part.slots,
                        addr: part.addr,
                        len: take.into(),
                        end,
                        last,
                    });
                }
                jobs.queue.push_back(Job { chains: chains.into(), drop });
                let hash = u64::from(rng.random::<u32>()).into();
                reports.queue.push_back(Report { right: rng.random(), hash, kind: 3.into() });
                frames.queue.extend(frame::<W>(&mut rng, len as usize));
            }
            jobs.drive(&mut b.job, &mut rng);
            shares.drive(&mut b.share, &mut rng);
            frames.drive_beat(&mut b.frame, &mut rng);
            reports.drive(&mut b.report, &mut rng);
            writes.drive_beat(&mut b.write, &mut rng);
            dones.drive(&mut b.done, &mut rng);
            settle(b);
            jobs.taken(&b.job);
            shares.taken(&b.share);
            frames.taken_beat(&b.frame);
            reports.taken(&b.report);
            writes.taken_beat(&b.write);
            dones.taken(&b.done);
        },
    );
}

fn buffer<const W: usize>(params: &Params, seed: u64) {
    prints("net_buffer", Buffer::<W>::without_lengths(params));
    prints("net_buffer", Buffer::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut frames = Feed::<Beat<W, FrameSide>>::new(0.9);
    agrees(
        "net_buffer",
        Buffer::<W>::new(params),
        |b| &mut b.clock,
        CYCLES,
        move |b, s| {
            b.reset.next = s.cycle() < 2 || s.cycle() % 700 == 650;
            b.abort.next = s.cycle() % 300 == 250;
            if frames.queue.is_empty() {
                let len = rng.random_range(1..1700);
                frames.queue.extend(frame::<W>(&mut rng, len));
            }
            frames.drive_beat(&mut b.sink, &mut rng);
            s.bit("source", &mut b.source.ready);
            s.bit("length", &mut b.length.ready);
            settle(b);
            frames.taken_beat(&b.sink);
        },
    );
}

fn checksum<const W: usize>(params: &Params, seed: u64) {
    prints("net_checksum", Checksum::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut frames = Feed::<Beat<W, FrameSide>>::new(0.9);
    let mut task = Task::default();
    agrees(
        "net_checksum",
        Checksum::<W>::new(params),
        |b| &mut b.clock,
        CYCLES,
        move |b, s| {
            b.reset.next = s.cycle() < 8 || s.cycle() % 700 == 650;
            b.abort.next = s.cycle() % 300 == 250;
            if frames.queue.is_empty() {
                let len = rng.random_range(1..300);
                frames.queue.extend(frame::<W>(&mut rng, len));
                let start = rng.random_range(0..len as u64 + 2);
                task = Task {
                    owner: rng.random_range(0..1u64 << 16).into(),
                    headers: rng.random_bool(0.2),
                    payload: rng.random_bool(0.2),
                    udp: rng.random(),
                    end: rng.random(),
                    csum: rng.random_bool(0.7),
                    csum_start: start.into(),
                    csum_at: (start + rng.random_range(0..40)).into(),
                };
            }
            b.task.next = task;
            frames.drive_beat(&mut b.sink, &mut rng);
            s.bit("source", &mut b.source.ready);
            b.sum.ready.next = s.cycle() / 400 % 2 == 1;
            settle(b);
            frames.taken_beat(&b.sink);
        },
    );
}

fn patch<const W: usize>(params: &Params, seed: u64) {
    prints("net_patch", Patch::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut frames = Feed::<Beat<W, FrameSide>>::new(0.9);
    let mut sums = Feed::<Sum>::new(0.7);
    agrees(
        "net_patch",
        Patch::<W>::new(params),
        |b| &mut b.clock,
        CYCLES,
        move |b, s| {
            b.reset.next = s.cycle() < 2 || s.cycle() % 700 == 650;
            if frames.queue.is_empty() {
                let len = rng.random_range(1..300);
                frames.queue.extend(frame::<W>(&mut rng, len));
                sums.queue.push_back(Sum {
                    wanted: rng.random_bool(0.8),
                    at: rng.random_range(0..len as u64 + 2).into(),
                    value: rng.random_range(0..1u64 << 16).into(),
                    ..Sum::default()
                });
            }
            frames.drive_beat(&mut b.sink, &mut rng);
            sums.drive(&mut b.sum, &mut rng);
            s.bit("source", &mut b.source.ready);
            settle(b);
            frames.taken_beat(&b.sink);
            sums.taken(&b.sum);
        },
    );
}

#[test]
fn sums_and_patches() {
    roomy(|| {
        checksum::<64>(&Params::TINY, 15);
        patch::<64>(&Params::TINY, 16);
        let narrow = Params { width: 64, ..Params::SIM };
        checksum::<64>(&narrow, 17);
        patch::<64>(&narrow, 18);
        checksum::<512>(&Params::MAX, 19);
        patch::<512>(&Params::MAX, 20);
    });
}

#[test]
fn frame_blocks_64() {
    roomy(|| {
        tx::<64>(&Params::TINY, 1);
        rx::<64>(&Params::TINY, 2);
        buffer::<64>(&Params::TINY, 3);
    });
}

#[test]
fn frame_blocks_256() {
    roomy(|| {
        tx::<256>(&Params::SIM, 4);
        rx::<256>(&Params::SIM, 5);
        buffer::<256>(&Params::SIM, 6);
    });
}

#[test]
fn frame_blocks_512() {
    roomy(|| {
        tx::<512>(&Params::MAX, 7);
        rx::<512>(&Params::MAX, 8);
        buffer::<512>(&Params::MAX, 9);
    });
}

fn place(params: &Params, seed: u64) {
    prints("net_place", Place::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut arrivals, mut segments) = (Feed::<Arrival>::new(0.9), Feed::<Segment>::new(0.9));
    let mut wants = Watch::<Want>::new("want", 0.8);
    let pairs = params.pairs.min(3) as u64;
    agrees(
        "net_place",
        Place::new(params),
        |b| &mut b.clock,
        2 * CYCLES,
        move |b, s| {
            b.reset.next = s.cycle() < 2;
            b.enabled.next = s.cycle() % 500 < 450;
            b.fence.next = s.cycle() % 400 > 380;
            b.hashes.next = s.cycle() > 3000;
            b.mergeable.next = s.cycle() % 900 < 600;
            if arrivals.queue.is_empty() {
                let len = rng.random_range(1..1518u64).into();
                arrivals.queue.push_back(Arrival { len, queue: (2 * rng.random_range(0..pairs)).into() });
            }
            arrivals.drive(&mut b.arrival, &mut rng);
            segments.drive(&mut b.segment, &mut rng);
            wants.drive(&mut b.want, &mut rng);
            s.bit("share", &mut b.share.ready);
            s.bit("job", &mut b.job.ready);
            settle(b);
            arrivals.taken(&b.arrival);
            segments.taken(&b.segment);
            if let Some(want) = wants.taken(&b.want) {
                while {
                    let segment = Segment { queue: want.queue, ..segment(&mut rng, 700) };
                    segments.queue.push_back(segment);
                    !segment.last
                } {}
            }
        },
    );
}

#[test]
fn places() {
    roomy(|| {
        place(&Params::TINY, 10);
        place(&Params::MAX, 14);
    });
}

fn pack<const W: usize>(seed: u64) {
    prints("pack", Pack::<W, Bits<3>>::default());
    prints("rotate", Rotate::<W>::new(0..Rotate::<W>::BITS));
    prints("overlay", Overlay::<W>::default());
    agrees(
        "overlay",
        Overlay::<W>::default(),
        |b| &mut b.clock,
        CYCLES,
        |b, s| {
            s.any(&mut b.high);
            b.lanes.next = s.rng().random_range(0..=W as u64 / 8).into();
            s.rare(&mut b.held_only);
            s.bit("load", &mut b.load);
            s.bit("load_all", &mut b.load_all);
        },
    );
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let lanes = W as u64 / 8;
    let mut picks = Feed::<Beat<W, Pick>>::new(0.9);
    let mut tag: Bits<3> = 0.into();
    agrees(
        "pack",
        Pack::<W, Bits<3>>::default(),
        |b| &mut b.clock,
        CYCLES,
        move |b, s| {
            s.rare(&mut b.reset);
            if picks.queue.is_empty() {
                let rest = rng.random_range(1..=lanes);
                let side = Pick {
                    rest: rest.into(),
                    count: rng.random_range(0..=rest).into(),
                    start: rng.random_range(0..lanes).into(),
                };
                tag = rng.random_range(0..8u64).into();
                picks.queue.push_back(Beat { data: noise(&mut rng), last: rng.random_bool(0.3), side });
            }
            picks.drive_beat(&mut b.sink, &mut rng);
            b.tag.next = tag;
            s.bit("source", &mut b.source.ready);
            settle(b);
            picks.taken_beat(&b.sink);
        },
    );
}

#[test]
fn packs() {
    roomy(|| {
        pack::<64>(11);
        pack::<128>(12);
        pack::<512>(13);
    });
}
