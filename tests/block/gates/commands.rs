//! What commands pass through: their queue, who carries them out, and those whose settings they are.

use super::{agrees, prints, roomy, statistics};
use crate::streams::{Beat, Feed, Watch, to_bits};
use hematite_abi::ctrl;
use hematite_hw::net::classify::Classify;
use hematite_hw::net::filter::Filter;
use hematite_hw::net::steer::Steer;
use hematite_hw::net::verify::Verify;
use hematite_hw::params::Params;
use hematite_hw::port::control::{AnswerByte, CommandByte};
use hematite_hw::port::dma::{ReadSide, WriteSide};
use hematite_hw::port::frame::{Flow, FrameLength, FrameSide};
use hematite_hw::port::queue::QueueSettings;
use hematite_hw::prim::toeplitz::Toeplitz;
use hematite_hw::queue::control::Control;
use hematite_hw::queue::lookup::AreaRead;
use hematite_hw::virtio::command::Command;
use hematite_tests::packet::Arriving;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use rust_hdl_core::simulate::simulate;

/// Passes until a block's outputs follow its inputs.
const SETTLE: usize = 400;
const CYCLES: usize = 12_000;

fn settle<B: Block>(block: &mut B) {
    assert!(simulate(block, SETTLE), "the block does not settle");
}

/// What stands there: a descriptor, or small half words.
fn memory(rng: &mut ChaCha8Rng, read: AreaRead) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        (0..u64::from(read.len)).map(|at| if at % 2 == 0 { rng.random_range(0..3) } else { 0 }).collect();
    if bytes.len() == 16 {
        rng.fill(&mut bytes[..7]);
        let len = [0, 1, rng.random_range(0..300), 32, 65_000][rng.random_range(0..5)];
        bytes[8..12].copy_from_slice(&u32::to_le_bytes(len));
        bytes[12] = [0, 1, 1, 2, 3, 4][rng.random_range(0..6)];
        if bytes[12] == 4 {
            bytes[0] &= 0xf0;
        }
    }
    bytes
}

fn control<const W: usize>(params: &Params, seed: u64) {
    prints("control_queue", Control::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut requests = Watch::<AreaRead>::new("request", 0.8);
    let mut replies = Feed::<Beat<W, ReadSide>>::new(0.8);
    let mut writes = Watch::<Beat<W, WriteSide>>::new("write", 0.8);
    let mut commands = Watch::<CommandByte>::new("command", 0.9);
    let mut answers = Feed::<AnswerByte>::new(0.8);
    let mut left = 0;
    agrees(
        "control_queue",
        Control::<W>::new(params),
        |b| &mut b.clock,
        CYCLES,
        move |b, s| {
            b.reset.next = s.cycle() < 2;
            b.control.enable.next = rng.random_ratio(1, 300) && !b.busy.val();
            b.control.clear.next = rng.random_ratio(1, 2000) && !b.busy.val();
            b.control.fence.next = s.cycle() % 1024 > 1000;
            b.control.settings.next = QueueSettings {
                queue: (params.queues() as u64).into(),
                size: (1u64 << rng.random_range(0..6)).into(),
                desc: rng.random_range(0..1u64 << 40).into(),
                driver: rng.random_range(0..1u64 << 40).into(),
                device: rng.random_range(0..1u64 << 40).into(),
            };
            b.event_idx.next = s.cycle() % 4096 > 2048;
            b.indirect.next = s.cycle() % 3000 > 500;
            b.packed.next = s.cycle() % 1700 > 700;
            b.kick.next = rng.random_ratio(1, 20);
            left = if left == 0 { 0 } else { left - 1 };
            b.notified.next = left == 1;
            requests.drive(&mut b.request, &mut rng);
            replies.drive_beat(&mut b.reply, &mut rng);
            writes.drive_beat(&mut b.write, &mut rng);
            commands.drive(&mut b.command, &mut rng);
            answers.drive(&mut b.answer, &mut rng);
            s.bit("irq", &mut b.irq.ready);
            s.bit("error", &mut b.error.ready);
            settle(b);
            replies.taken_beat(&b.reply);
            answers.taken(&b.answer);
            if let Some(request) = requests.taken(&b.request) {
                let lane = (u64::from(request.base) + u64::from(request.offset)) % 4;
                let mut bytes = vec![0xee; lane as usize];
                bytes.extend(memory(&mut rng, request));
                let beats: Vec<_> = bytes.chunks(W / 8).map(<[u8]>::to_vec).collect();
                let error = rng.random_ratio(1, 40);
                let count = beats.len();
                replies.queue.extend(beats.into_iter().enumerate().map(|(i, mut beat)| {
                    beat.resize(W / 8, 0xdd);
                    let last = i + 1 == count;
                    let side = ReadSide { error: error && last, timeout: error && last && lane == 0 };
                    Beat { data: to_bits(&beat), last, side }
                }));
            }
            if writes.taken_beat(&b.write).is_some_and(|write| write.side.notify.any()) {
                left = rng.random_range(2..12);
            }
            if commands.taken(&b.command).is_some_and(|byte| byte.end) {
                for last in [false, rng.random(), true] {
                    if answers.queue.back().is_none_or(|answer| !answer.last) {
                        answers
                            .queue
                            .push_back(AnswerByte { data: rng.random_range(0..256u64).into(), last });
                    }
                }
            }
        },
    );
}

#[test]
fn control_queues() {
    roomy(|| {
        control::<64>(&Params { width: 64, ..Params::BOARD }, 1);
        control::<256>(&Params::SIM, 2);
        control::<512>(&Params::MAX, 3);
    });
}

/// A command, good more often than not.
fn command(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let class = rng.random_range(0..9);
    let mut bytes = vec![class, rng.random_range(0..3)];
    if u64::from(class) >= ctrl::CLASS_HASH_TUNNEL {
        return statistics::command(rng);
    }
    if u64::from(class) == ctrl::CLASS_NOTF_COAL {
        bytes[1] = rng.random_range(0..4);
        let of = [rng.random_range(0..10), 0, 0, 0];
        let limits = [rng.random(), 0, 0, 0, rng.random(), 1, 0, rng.random_range(0..5) / 4];
        bytes.extend(if bytes[1] > 1 { &of[..] } else { &[] });
        bytes.extend(if bytes[1] < 3 { &limits[..] } else { &[] });
        return bytes;
    }
    if u64::from(class) == ctrl::CLASS_MQ && bytes[1] == 1 {
        let mask = [0, 1, 3, 7, 2][rng.random_range(0..5)];
        bytes.extend([rng.random_range(0..0x42), 0, 0, 0, mask, 0, rng.random_range(0..4), 0]);
        bytes.extend((0..=mask).flat_map(|_| [rng.random_range(0..4), 0]));
        bytes.extend([rng.random_range(0..5), 0, 40]);
        bytes.extend((0..40).map(|_| rng.random::<u8>()));
    } else if u64::from(class) == ctrl::CLASS_MAC && bytes[1] == 0 {
        for _ in 0..2 {
            let count = if rng.random_ratio(1, 20) { 60 } else { rng.random_range(0..4u32) };
            bytes.extend(count.to_le_bytes());
            bytes.extend((0..6 * count).map(|_| rng.random::<u8>()));
        }
    } else {
        bytes.extend((0..[1, 6, 2, 0, 2, 8][usize::from(class)]).map(|_| rng.random_range(0..4u8)));
    }
    match rng.random_range(0..8) {
        0 => bytes.push(0),
        1 => bytes.truncate(rng.random_range(0..=bytes.len())),
        _ => {}
    }
    bytes
}

#[test]
fn commands() {
    roomy(|| {
        let params = Params::SIM;
        prints("command", Command::new(&params));
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut bytes = Feed::<CommandByte>::new(0.95);
        agrees(
            "command",
            Command::new(&params),
            |b| &mut b.clock,
            CYCLES,
            move |b, s| {
                b.reset.next = s.cycle() < 2;
                b.accepted.next = if s.cycle() % 2048 > 1800 { 0u64.into() } else { u64::MAX.into() };
                b.enabled.next = 0x2fu64.into();
                s.any(&mut b.limits);
                s.any(&mut b.counted);
                b.forget.next = rng.random_ratio(1, 500);
                if bytes.queue.is_empty() {
                    bytes.queue.extend(
                        command(&mut rng)
                            .into_iter()
                            .map(|byte| CommandByte { data: u64::from(byte).into(), end: false }),
                    );
                    bytes.queue.push_back(CommandByte { data: 0u64.into(), end: true });
                }
                bytes.drive(&mut b.command, &mut rng);
                s.bit("answer", &mut b.answer.ready);
                settle(b);
                bytes.taken(&b.command);
            },
        );
    });
}

fn filter<const W: usize>(params: &Params, seed: u64) {
    prints("filter", Filter::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut frames = Feed::<Beat<W, FrameSide>>::new(0.9);
    agrees(
        "filter",
        Filter::<W>::new(params),
        |b| &mut b.clock,
        CYCLES,
        move |b, s| {
            b.reset.next = s.cycle() % 5000 < 3;
            b.by_vlan.next = s.cycle() % 1000 > 300;
            b.settings.valid.next = rng.random_ratio(1, 6);
            b.settings.item.next = rng.random_range(0..10u64).into();
            b.settings.index.next = rng.random_range(0..64u64).into();
            b.settings.data.next = rng.random_range(0..64u64).into();
            if frames.queue.is_empty() {
                let lanes = W / 8;
                let mut bytes = vec![0; rng.random_range(14..200)];
                rng.fill(&mut bytes[..]);
                bytes[..6].copy_from_slice(&match rng.random_range(0..4) {
                    0 => [0xff; 6],
                    1 => params.mac,
                    2 => [1, 0, 0, 0, 0, rng.random_range(0..64)],
                    _ => [0, 0, 0, 0, 0, rng.random_range(0..64)],
                });
                if rng.random() && bytes.len() > 16 {
                    bytes[12..16].copy_from_slice(&[0x81, 0, 0, rng.random_range(0..64)]);
                }
                let beats: Vec<_> = bytes.chunks(lanes).map(<[u8]>::to_vec).collect();
                let count = beats.len();
                frames.queue.extend(beats.into_iter().enumerate().map(|(i, mut beat)| {
                    let side = FrameSide { count: (beat.len() as u64).into(), error: false };
                    beat.resize(lanes, 0);
                    Beat { data: to_bits(&beat), last: i + 1 == count, side }
                }));
            }
            frames.drive_beat(&mut b.sink, &mut rng);
            s.bit("source", &mut b.source.ready);
            settle(b);
            frames.taken_beat(&b.sink);
        },
    );
}

#[test]
fn filters() {
    roomy(|| {
        filter::<64>(&Params::TINY, 5);
        filter::<128>(&Params::BOARD, 6);
        filter::<512>(&Params::MAX, 7);
    });
}

/// A frame's beats: addresses, types and protocols that are looked for, more often than not.
fn frame<const W: usize>(rng: &mut ChaCha8Rng) -> Vec<Beat<W, FrameSide>> {
    let mut bytes =
        vec![0; if rng.random_ratio(1, 4) { rng.random_range(1..64) } else { rng.random_range(60..200) }];
    rng.fill(&mut bytes[..]);
    if bytes.len() > 50 {
        let mut at = 12;
        if rng.random() {
            bytes[12..14].copy_from_slice(&[0x81, 0]);
            at = 16;
        }
        let v4 = rng.random();
        bytes[at..at + 3].copy_from_slice(&if v4 { [8, 0, 0x45] } else { [0x86, 0xdd, 0x60] });
        bytes[at + if v4 { 11 } else { 8 }] = [6, 17, 1][rng.random_range(0..3)];
        if v4 && rng.random_ratio(3, 4) {
            bytes[at + 8..at + 10].fill(0);
        }
    }
    beats(&bytes)
}

fn beats<const W: usize>(bytes: &[u8]) -> Vec<Beat<W, FrameSide>> {
    let beats: Vec<_> = bytes.chunks(W / 8).map(<[u8]>::to_vec).collect();
    let count = beats.len();
    let beat = |(i, mut beat): (usize, Vec<u8>)| {
        let side = FrameSide { count: (beat.len() as u64).into(), error: false };
        beat.resize(W / 8, 0xee);
        Beat { data: to_bits(&beat), last: i + 1 == count, side }
    };
    beats.into_iter().enumerate().map(beat).collect()
}

fn classify<const W: usize>(params: &Params, seed: u64) {
    prints("classify", Classify::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut frames = Feed::<Beat<W, FrameSide>>::new(0.9);
    agrees(
        "classify",
        Classify::<W>::new(params),
        |b| &mut b.clock,
        CYCLES / 2,
        move |b, s| {
            b.reset.next = s.cycle() % 1500 < 3;
            b.settings.valid.next = rng.random_ratio(1, 50);
            b.settings.item.next = rng.random_range(0..14u64).into();
            b.settings.index.next = rng.random_range(0..64u64).into();
            b.settings.data.next = u64::from(rng.random::<u32>()).into();
            if frames.queue.is_empty() {
                frames.queue.extend(frame(&mut rng));
            }
            frames.drive_beat(&mut b.sink, &mut rng);
            s.bit("source", &mut b.source.ready);
            b.flow.ready.next = s.cycle() % 600 > 200 && rng.random_bool(0.8);
            settle(b);
            frames.taken_beat(&b.sink);
        },
    );
}

#[test]
fn classifiers() {
    roomy(|| {
        classify::<64>(&Params::TINY, 8);
        classify::<128>(&Params::BOARD, 9);
        classify::<256>(&Params::SIM, 10);
        classify::<512>(&Params::MAX, 11);
    });
}

fn verify<const W: usize>(params: &Params, seed: u64) {
    prints("verify", Verify::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut frames = Feed::<Beat<W, FrameSide>>::new(0.9);
    agrees(
        "verify",
        Verify::<W>::new(params),
        |b| &mut b.clock,
        CYCLES / 2,
        move |b, s| {
            b.reset.next = s.cycle() < 8 || s.cycle() % 1500 == 700;
            if frames.queue.is_empty() {
                let arriving = Arriving::any(&mut rng, 100);
                frames.queue.extend(beats(&arriving.frame));
            }
            frames.drive_beat(&mut b.sink, &mut rng);
            s.bit("source", &mut b.source.ready);
            b.verdict.ready.next = s.cycle() % 300 > 200;
            settle(b);
            frames.taken_beat(&b.sink);
        },
    );
}

#[test]
fn verdicts() {
    roomy(|| {
        verify::<64>(&Params::TINY, 21);
        verify::<64>(&Params { width: 64, ..Params::SIM }, 22);
        verify::<128>(&Params::BOARD, 23);
        verify::<512>(&Params::MAX, 24);
    });
}

#[test]
fn steers() {
    roomy(|| {
        prints("toeplitz", Toeplitz::default());
        prints("steer", Steer::new(&Params::MAX));
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        let mut lengths = Feed::<FrameLength>::new(0.9);
        let mut flows = Feed::<Flow>::new(0.9);
        let mut verdicts = Feed::<bool>::new(0.9);
        agrees(
            "steer",
            Steer::new(&Params::MAX),
            |b| &mut b.clock,
            CYCLES,
            move |b, s| {
                b.reset.next = s.cycle() % 5000 < 3;
                b.settings.valid.next = rng.random_ratio(1, 200);
                b.guest_csum.next = s.cycle() % 1000 < 800;
                b.settings.item.next = rng.random_range(5..14u64).into();
                b.settings.index.next = rng.random_range(0..128u64).into();
                b.settings.data.next = rng.random_range(1..65u64).into();
                if lengths.queue.is_empty() {
                    let len = rng.random_range(1..1518u64).into();
                    lengths.queue.push_back(FrameLength { len, dropped: rng.random_ratio(1, 8) });
                    verdicts.queue.push_back(rng.random());
                    let kind = rng.random_range(0..7u64).into();
                    flows.queue.push_back(Flow { hash: u64::from(rng.random::<u32>()).into(), kind });
                }
                lengths.drive(&mut b.length, &mut rng);
                flows.drive(&mut b.flow, &mut rng);
                verdicts.drive(&mut b.verdict, &mut rng);
                s.bit("report", &mut b.report.ready);
                s.bit("arrival", &mut b.arrival.ready);
                settle(b);
                lengths.taken(&b.length);
                flows.taken(&b.flow);
                verdicts.taken(&b.verdict);
            },
        );
    });
}
