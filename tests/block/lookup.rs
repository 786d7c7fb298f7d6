//! `queue::lookup`: each client gets what stands at its place of its area, in the order in which it asked.

use crate::harness::Harness;
use crate::rings::{Memory, enable, settings};
use crate::streams::{Beat, Feed, Watch, to_bits, to_bytes};
use hematite_hw::params::Params;
use hematite_hw::port::dma::{ReadRequest, ReadSide};
use hematite_hw::queue::lookup::{AreaRead, Lookup};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const CLIENTS: usize = 5;
const READS: usize = 300;
/// All reads, each as slow as it gets.
const MOST_CYCLES: u64 = 60_000;

/// A reply as the client should see it: its bytes, none if the read fails.
type Expected = Option<Vec<u8>>;

fn looked_up<const W: usize>(params: &Params, seed: u64, eager: f64) -> u64 {
    let mut h = Harness::new(Lookup::<W>::new(params, CLIENTS), |u| &mut u.clock);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut memory = Memory::default();
    h.uut.reset.next = true;
    h.tick();
    h.uut.reset.next = false;
    let queues = params.queues() as u64;
    // What stands below the alignment of an area is not looked at.
    let area = |queue: u64, driver: bool| (1 + 2 * queue + u64::from(driver)) << 33 | 0x7ffe_0000;
    for queue in 0..queues {
        let with = settings(queue, 256, area(queue, false) | 9, area(queue, true) | 1, 0);
        enable(&mut h.uut.control, Some(with));
        h.tick();
        enable(&mut h.uut.control, None);
        h.tick();
    }
    let mut feeds: Vec<Feed<AreaRead>> = (0..CLIENTS).map(|_| Feed::new(eager)).collect();
    let mut expected: Vec<VecDeque<Expected>> = vec![VecDeque::new(); CLIENTS];
    for feed in &mut feeds {
        for _ in 0..READS {
            let (queue, driver): (_, bool) = (rng.random_range(0..queues), rng.random());
            let offset = 64 * rng.random_range(0..1 << 13) + 2 * rng.random_range(0..8);
            let len = rng.random_range(1..=48);
            let (fixed, base): (_, u64) = (rng.random(), rng.random_range(0..1 << 32) << 20);
            let addr = if fixed { base } else { area(queue, driver) } + offset;
            let bytes: Vec<u8> = (0..len).map(|_| rng.random()).collect();
            memory.write(addr, &bytes);
            if rng.random_bool(0.02) {
                memory.bad.insert(addr, false);
            }
            feed.queue.push_back(AreaRead {
                queue: queue.into(),
                driver,
                offset: offset.into(),
                len: len.into(),
                fixed,
                base: base.into(),
            });
        }
    }
    let mut requests = Watch::<ReadRequest>::new("request", eager);
    let mut replies: Vec<Watch<Beat<W, ReadSide>>> =
        (0..CLIENTS).map(|_| Watch::new("reply", eager)).collect();
    let mut reply = Feed::<Beat<W, ReadSide>>::new(eager);
    let mut got = vec![vec![]; CLIENTS];
    let mut left = CLIENTS * READS;
    while left > 0 {
        for (feed, port) in feeds.iter_mut().zip(&mut h.uut.reads) {
            feed.drive(port, &mut rng);
        }
        for (watch, port) in replies.iter_mut().zip(&mut h.uut.replies) {
            watch.drive_beat(port, &mut rng);
        }
        requests.drive(&mut h.uut.request, &mut rng);
        reply.drive_beat(&mut h.uut.reply, &mut rng);
        h.settle();
        for (client, feed) in feeds.iter_mut().enumerate() {
            if let Some(read) = feed.taken(&h.uut.reads[client]) {
                let base = if read.fixed { read.base.into() } else { area(read.queue.into(), read.driver) };
                let addr = base + u64::from(read.offset);
                let len = u64::from(read.len) as usize;
                let bad = (addr..addr + len as u64).any(|at| memory.bad.contains_key(&at));
                expected[client].push_back((!bad).then(|| memory.read(addr, len)));
            }
        }
        if let Some(request) = requests.taken(&h.uut.request) {
            let (addr, len) = (u64::from(request.addr), u64::from(request.len));
            let failed = (addr..addr + len).any(|at| memory.bad.contains_key(&at));
            // In lanes as in a TLP: from the first DWORD touched.
            let bytes = memory.read(addr & !3, (addr % 4 + len) as usize);
            let beats: Vec<_> = bytes.chunks(W / 8).map(to_bits).collect();
            for (i, data) in beats.iter().enumerate() {
                let last = i + 1 == beats.len();
                let side = ReadSide { error: last && failed, timeout: false };
                reply.queue.push_back(Beat { data: *data, last, side });
            }
        }
        reply.taken_beat(&h.uut.reply);
        for (client, watch) in replies.iter_mut().enumerate() {
            let Some(beat) = watch.taken_beat(&h.uut.replies[client]) else { continue };
            got[client].extend(to_bytes(beat.data));
            if beat.last {
                let bytes = std::mem::take(&mut got[client]);
                match expected[client].pop_front().expect("a reply nobody asked for") {
                    None => assert!(beat.side.error, "client {client}"),
                    Some(want) => {
                        assert!(!beat.side.error, "client {client}");
                        // Offsets are even: the first byte is in lane 0 or 2.
                        let from = [0, 2].into_iter().any(|from| bytes[from..].starts_with(&want));
                        assert!(from, "client {client}: {want:x?} in {bytes:x?}");
                    }
                }
                left -= 1;
            }
        }
        h.tick();
        assert!(h.cycle < MOST_CYCLES, "seed {seed}: {left} reads left");
    }
    h.cycle
}

#[test]
fn every_client_gets_its_own() {
    looked_up::<64>(&Params::TINY, 1, 0.5);
    looked_up::<64>(&Params::TINY, 2, 0.9);
    looked_up::<256>(&Params::SIM, 3, 0.7);
    looked_up::<512>(&Params::MAX, 4, 0.6);
}

#[test]
fn a_read_in_two_cycles() {
    let cycles = looked_up::<512>(&Params::MAX, 5, 1.0);
    let reads = (CLIENTS * READS) as u64;
    let set_up = 2 * Params::MAX.queues() as u64;
    assert!(cycles < 2 * reads + set_up + 50, "{reads} reads in {cycles} cycles");
}
