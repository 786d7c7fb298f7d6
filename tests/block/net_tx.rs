//! `net::tx`: random chains become frames, byte for byte; each good one is done, in order; bad ones are not sent.

use crate::harness::Harness;
use crate::streams::{Beat, Feed, Watch, to_bits, to_bytes};
use hematite_abi::{feature, ident, net};
use hematite_hw::net::tx::Tx;
use hematite_hw::params::Params;
use hematite_hw::port::chain::{Done, Segment};
use hematite_hw::port::dma::{ReadRequest, ReadSide};
use hematite_hw::port::frame::{FrameSide, Offload};
use hematite_hw::port::queue::QueueError;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const FRAME_BYTES: usize = 1514;
/// Device resets that were before.
const LIFE: u64 = 2;

/// The byte of host memory at an address.
fn memory(addr: u64) -> u8 {
    (addr.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8
}

/// What must come of a chain.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    /// Header and frame.
    Sent(Vec<u8>),
    Short,
    Long,
    /// Its end said it was bad.
    Bad,
    /// A read failed.
    Failed {
        timeout: bool,
    },
}

struct Chain {
    queue: u16,
    id: u16,
    fate: Fate,
}

#[derive(Clone, Copy)]
struct Poison {
    from: u64,
    len: u64,
    timeout: bool,
}

fn address(rng: &mut ChaCha8Rng, len: u64) -> u64 {
    let high: u64 = rng.random_range(0..1 << 51);
    let low = match rng.random_range(0..3) {
        0 => rng.random_range(0..4096),
        1 => 4096 - rng.random_range(0..=len.min(64)),
        _ => rng.random_range(0..64),
    };
    (high << 12) + low
}

fn length(rng: &mut ChaCha8Rng, header: usize) -> u64 {
    match rng.random_range(0..12) {
        0..=2 => rng.random_range(1..5),
        3 => header as u64,
        4..=6 => rng.random_range(1..80),
        7..=9 => rng.random_range(1..700),
        10 => rng.random_range(1..1600),
        _ => rng.random_range(1..400),
    }
}

/// A chain's segments and its fate.
fn invent(rng: &mut ChaCha8Rng, id: u16, header: usize, poisons: &mut Vec<Poison>) -> (Vec<Segment>, Chain) {
    let queue = 1 + 2 * rng.random_range(0..4u16);
    let count = rng.random_range(1..=6);
    let most = (FRAME_BYTES + header) as u64;
    let (bad, poisoned) = (rng.random_bool(0.07), rng.random_bool(0.07));
    let (mut segments, mut bytes, mut total) = (Vec::new(), Vec::new(), 0);
    let (mut long, mut failed) = (false, None);
    for i in 0..count {
        let last = i + 1 == count;
        let mut len = length(rng, header);
        if last && rng.random_bool(0.1) {
            len = 0;
        } else if last && rng.random_bool(0.1) && total < most {
            len = most - total + rng.random_range(0..2); // To the limit, or one beyond it.
        } else if rng.random_bool(0.02) {
            len = rng.random_range(1 << 16..1 << 32);
        }
        let addr = address(rng, len);
        let error = last && bad;
        total += len;
        long |= total > most;
        if !long && !error && len > 0 {
            bytes.extend((addr..addr + len).map(memory));
            if poisoned && rng.random_bool(0.5) {
                let timeout = rng.random_bool(0.5);
                poisons.push(Poison { from: addr, len, timeout });
                failed = failed.or(Some(timeout));
            }
        }
        segments.push(Segment {
            queue: u64::from(queue).into(),
            id: u64::from(id).into(),
            slots: 0.into(),
            addr: addr.into(),
            len: len.into(),
            last,
            error,
            none: false,
        });
    }
    let least = (header + net::ETHERNET_HEADER_BYTES) as u64;
    let fate = match failed {
        Some(timeout) => Fate::Failed { timeout },
        None if bad => Fate::Bad,
        None if long => Fate::Long,
        None if total < least => Fate::Short,
        None => Fate::Sent(bytes),
    };
    (segments, Chain { queue, id, fate })
}

/// What a header asks for.
fn offload(header: &[u8], csum: bool) -> Offload {
    let word = |lsb: usize| u16::from_le_bytes([header[lsb / 8], header[lsb / 8 + 1]]);
    let start = word(net::HDR_CSUM_START_LSB);
    Offload {
        csum: csum && header[0] & net::HDR_F_NEEDS_CSUM as u8 != 0,
        csum_start: u64::from(start).into(),
        csum_at: (u64::from(start) + u64::from(word(net::HDR_CSUM_OFFSET_LSB))).into(),
        gso_size: u64::from(word(net::HDR_GSO_SIZE_LSB)).into(),
        udp: u64::from(header[1]) & !net::GSO_ECN == net::GSO_UDP_L4,
        ..Offload::default()
    }
}

/// The reply to a request: undefined lanes are noise.
fn reply<const W: usize>(
    rng: &mut ChaCha8Rng,
    request: &ReadRequest,
    poisons: &[Poison],
) -> Vec<Beat<W, ReadSide>> {
    let (addr, len) = (u64::from(request.addr), u64::from(request.len));
    let poison = poisons.iter().find(|p| addr >= p.from && addr < p.from + p.len);
    let lanes = (W / 8) as u64;
    let mut count = (addr % 4 + len).div_ceil(lanes);
    if poison.is_some() && rng.random_bool(0.5) {
        count = 1;
    }
    (0..count)
        .map(|i| {
            let from = addr / 4 * 4 + i * lanes;
            let bytes: Vec<u8> = (from..from + lanes)
                .map(|a| if (addr..addr + len).contains(&a) { memory(a) } else { rng.random() })
                .collect();
            let last = i + 1 == count;
            let side = ReadSide {
                error: last && poison.is_some(),
                timeout: last && poison.is_some_and(|p| p.timeout),
            };
            Beat { data: to_bits(&bytes), last, side }
        })
        .collect()
}

fn random_chains<const W: usize>(seed: u64, chains: usize, read_bytes: u64, eager: f64) {
    chains_with::<W>(seed, chains, read_bytes, eager, net::HDR_BYTES);
}

fn chains_with<const W: usize>(seed: u64, chains: usize, read_bytes: u64, eager: f64, header: usize) {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let params = Params {
        width: W,
        pairs: 4,
        frame_bytes: FRAME_BYTES,
        read_bytes: read_bytes as usize,
        features: Params::TINY.features | 1 << feature::HASH_REPORT,
        ..Params::TINY
    };
    let mut bench = Harness::new(Tx::<W>::new(&params), |b| &mut b.clock);
    let hashes = header == net::HDR_HASH_BYTES;
    bench.uut.accepted1.next = (u64::from(hashes) << (feature::HASH_REPORT - 32)).into();
    bench.uut.read_bytes.next = read_bytes.into();
    bench.uut.life.next = LIFE.into();
    let mut segments = Feed::<Segment>::new(eager);
    let mut replies = Feed::<Beat<W, ReadSide>>::new(eager);
    let mut requests = Watch::<ReadRequest>::new("request", eager);
    let mut frames = Watch::<Beat<W, FrameSide>>::new("frame", eager);
    let mut dones = Watch::<Done>::new("done", eager);
    let mut errors = Watch::<QueueError>::new("error", eager);
    let mut poisons = Vec::new();
    let mut expected = Vec::new();
    for id in 0..chains {
        let (chain, fate) = invent(rng, id as u16, header, &mut poisons);
        segments.queue.extend(chain);
        expected.push(fate);
    }
    let mut frames_due: VecDeque<_> = expected.iter().collect();
    let mut dones_due: VecDeque<_> =
        expected.iter().filter(|c| matches!(c.fate, Fate::Sent(_) | Fate::Short | Fate::Long)).collect();
    let mut drops_due: VecDeque<_> =
        expected.iter().filter(|c| matches!(c.fate, Fate::Short | Fate::Long)).collect();
    let mut errors_due: VecDeque<_> =
        expected.iter().filter(|c| matches!(c.fate, Fate::Failed { .. })).collect();
    let (mut sent, mut short, mut long) = (0, 0, 0);
    let mut got: Vec<u8> = Vec::new();
    while !(frames_due.is_empty() && dones_due.is_empty() && errors_due.is_empty()) || bench.uut.busy.val() {
        assert!(bench.cycle < 4000 * chains as u64, "seed {seed}: stuck before frame {:?}", frames_due.len());
        let u = &mut bench.uut;
        segments.drive(&mut u.segment, rng);
        replies.drive_beat(&mut u.reply, rng);
        requests.drive(&mut u.request, rng);
        frames.drive_beat(&mut u.frame, rng);
        dones.drive(&mut u.done, rng);
        errors.drive(&mut u.error, rng);
        let csum = frames_due.front().is_some_and(|chain| chain.id % 3 == 0);
        u.accepted0.next = (u64::from(csum) << feature::CSUM).into();
        bench.settle();
        let u = &bench.uut;
        segments.taken(&u.segment);
        replies.taken_beat(&u.reply);
        if let Some(request) = requests.taken(&u.request) {
            let (addr, len) = (u64::from(request.addr), u64::from(request.len));
            assert!(len > 0 && addr % read_bytes + len <= read_bytes, "seed {seed}: {addr:x}+{len}");
            replies.queue.extend(reply::<W>(rng, &request, &poisons));
        }
        if let Some(beat) = frames.taken_beat(&u.frame) {
            let count = beat.side.count.index();
            assert!(
                (1..=W / 8).contains(&count) && (beat.last || count == W / 8),
                "seed {seed}: count {count}"
            );
            if let Some(Chain { fate: Fate::Sent(bytes), id, queue }) = frames_due.front() {
                let owner = (u64::from(*queue) | LIFE << 14).into();
                assert_eq!(
                    u.offload.val(),
                    Offload { owner, ..offload(&bytes[..net::HDR_BYTES], id % 3 == 0) },
                    "seed {seed}: chain {id}"
                );
            }
            got.extend(&to_bytes(beat.data)[..count]);
            if beat.last {
                let chain = frames_due.pop_front().expect("a frame too many");
                assert_eq!(
                    beat.side.error,
                    !matches!(chain.fate, Fate::Sent(_)),
                    "seed {seed}: {}",
                    chain.id
                );
                if let Fate::Sent(bytes) = &chain.fate {
                    assert_eq!(got, bytes[header..], "seed {seed}: chain {}", chain.id);
                    sent += 1;
                }
                got.clear();
            }
        }
        if let Some(done) = dones.taken(&u.done) {
            let chain = dones_due.pop_front().expect("a done too many");
            assert_eq!((done.queue, done.id), (u64::from(chain.queue).into(), u64::from(chain.id).into()));
            assert!(done.len == 0 && !done.more);
        }
        if let Some(error) = errors.taken(&u.error) {
            let chain = errors_due.pop_front().expect("an error too many");
            let timeout = chain.fate == Fate::Failed { timeout: true };
            let code = if timeout { ident::ERROR_DMA_TIMEOUT } else { ident::ERROR_DMA_READ };
            assert_eq!((error.queue, error.code), (u64::from(chain.queue).into(), code.into()));
        }
        if u.count_short.val() | u.count_long.val() {
            let chain = drops_due.pop_front().expect("a drop too many");
            assert_eq!(u64::from(u.count_queue.val()), u64::from(chain.queue), "seed {seed}: drop");
        }
        short += usize::from(u.count_short.val());
        long += usize::from(u.count_long.val());
        bench.tick();
    }
    let count = |f: fn(&Fate) -> bool| expected.iter().filter(|c| f(&c.fate)).count();
    assert_eq!(sent, count(|f| matches!(f, Fate::Sent(_))));
    assert_eq!(short, count(|f| matches!(f, Fate::Short)));
    assert_eq!(long, count(|f| matches!(f, Fate::Long)));
    assert!(sent > 0 && replies.queue.is_empty() && !requests_left(&bench.uut), "seed {seed}");
}

fn requests_left<const W: usize>(u: &Tx<W>) -> bool {
    u.request.valid.val()
}

#[test]
fn chains_become_frames_64() {
    random_chains::<64>(1, 150, 128, 0.8);
    random_chains::<64>(2, 60, 256, 0.4);
}

#[test]
fn chains_become_frames_128() {
    random_chains::<128>(3, 150, 512, 0.8);
}

#[test]
fn chains_become_frames_256() {
    random_chains::<256>(4, 120, 256, 0.7);
}

#[test]
fn chains_become_frames_512() {
    random_chains::<512>(5, 120, 512, 0.9);
    random_chains::<512>(6, 60, 128, 1.0);
}

/// With HASH_REPORT.
#[test]
fn a_longer_header() {
    chains_with::<128>(8, 120, 256, 0.8, net::HDR_HASH_BYTES);
    chains_with::<256>(9, 100, 512, 0.9, net::HDR_HASH_BYTES);
    chains_with::<512>(10, 100, 256, 0.9, net::HDR_HASH_BYTES);
}

/// A reset in the midst of anything leaves nothing behind.
#[test]
fn reset_forgets() {
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    let params = Params { frame_bytes: FRAME_BYTES, ..Params::TINY };
    let mut bench = Harness::new(Tx::<64>::new(&params), |b| &mut b.clock);
    bench.uut.read_bytes.next = 128u64.into();
    for round in 0..40 {
        let mut segments = Feed::<Segment>::new(0.8);
        let mut replies = Feed::<Beat<64, ReadSide>>::new(0.8);
        let (mut requests, mut frames) = (Watch::new("request", 0.9), Watch::new("frame", 0.9));
        let (mut dones, mut errors) = (Watch::new("done", 0.5), Watch::new("error", 0.5));
        for id in 0..4 {
            segments.queue.extend(invent(rng, id, net::HDR_BYTES, &mut Vec::new()).0);
        }
        for _ in 0..rng.random_range(5..120) {
            let u = &mut bench.uut;
            segments.drive(&mut u.segment, rng);
            replies.drive_beat(&mut u.reply, rng);
            requests.drive(&mut u.request, rng);
            frames.drive_beat(&mut u.frame, rng);
            dones.drive(&mut u.done, rng);
            errors.drive(&mut u.error, rng);
            bench.settle();
            let u = &bench.uut;
            segments.taken(&u.segment);
            replies.taken_beat(&u.reply);
            if let Some(request) = requests.taken(&u.request) {
                replies.queue.extend(reply::<64>(rng, &request, &[]));
            }
            frames.taken_beat(&u.frame);
            dones.taken(&u.done);
            errors.taken(&u.error);
            bench.tick();
        }
        bench.uut.reset.next = true;
        bench.uut.segment.valid.next = false;
        bench.uut.reply.valid.next = false;
        bench.tick();
        bench.uut.reset.next = false;
        bench.settle();
        let u = &bench.uut;
        let offers = [u.request.valid.val(), u.frame.valid.val(), u.done.valid.val(), u.error.valid.val()];
        assert_eq!((offers, u.busy.val()), ([false; 4], false), "round {round}");
        assert_eq!(one_frame(&mut bench, rng), 64, "round {round}");
    }
}

/// Bytes of the frame made of a chain of 76 bytes.
fn one_frame(bench: &mut Harness<Tx<64>>, rng: &mut ChaCha8Rng) -> usize {
    let mut segments = Feed::<Segment>::new(1.0);
    let mut replies = Feed::<Beat<64, ReadSide>>::new(1.0);
    let (mut requests, mut frames) =
        (Watch::new("request", 1.0), Watch::<Beat<64, FrameSide>>::new("frame", 1.0));
    let mut dones = Watch::<Done>::new("done", 1.0);
    let (addr, len) = (0x1003u64.into(), 76u64.into());
    segments.queue.push_back(Segment { addr, len, last: true, ..Segment::default() });
    let (mut bytes, mut ended) = (0, false);
    for _ in 0..100 {
        let u = &mut bench.uut;
        segments.drive(&mut u.segment, rng);
        replies.drive_beat(&mut u.reply, rng);
        requests.drive(&mut u.request, rng);
        frames.drive_beat(&mut u.frame, rng);
        dones.drive(&mut u.done, rng);
        bench.settle();
        let u = &bench.uut;
        segments.taken(&u.segment);
        replies.taken_beat(&u.reply);
        if let Some(request) = requests.taken(&u.request) {
            replies.queue.extend(reply::<64>(rng, &request, &[]));
        }
        dones.taken(&u.done);
        if let Some(beat) = frames.taken_beat(&u.frame) {
            assert!(!ended, "one frame");
            assert!(!beat.last || !beat.side.error);
            bytes += beat.side.count.index();
            ended = beat.last;
        }
        bench.tick();
    }
    assert!(ended);
    bytes
}
