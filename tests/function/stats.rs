//! What each queue has done, told by the control queue: DEVICE_STATS. How it is asked for is in `report`.
//! Spec: [virtio 1.4: Network Device, Control Virtqueue, Device Statistics]

use hematite_abi::ident;
use hematite_sim::driver::{Options, RX, TX, memory};
use hematite_sim::facts::{common, ctrl, net, virtio};
use hematite_sim::offload::Header;
use hematite_sim::ring::Buffer;
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::packet::{Kind, PLAIN, Packet};
use hematite_tests::{Bench, Make, frame, on_bodies, on_packed};
use rand::Rng;

use crate::commands::{bench, mode};

on_bodies!(but TINY:
    queues_are_counted,
    segments_are_what_is_sent,
    drops_of_reception,
    drops_of_transmission,
    notifications_and_interrupts,
    a_reset_begins_anew,
    frames_outlive_a_reset,
    random_traffic,
);

on_packed!(queues_are_counted);

const HEADER: usize = ctrl::STATS_HEADER_BYTES;
pub(crate) fn entry(queue: u16, types: u64) -> Vec<u8> {
    // what is reserved means nothing
    [queue.to_le_bytes().to_vec(), vec![0xa5; 6], types.to_le_bytes().to_vec()].concat()
}

/// The kind of statistics a transmit or receive queue has.
pub(crate) fn kind(queue: u16) -> u8 {
    if queue.is_multiple_of(2) { ctrl::STATS_RX_BASIC } else { ctrl::STATS_TX_BASIC }
}

pub(crate) fn ask(bench: &mut Bench, data: &[u8], room: u32) -> Option<Vec<u8>> {
    bench.rest();
    let (ack, result) =
        bench.drive(|driver, root| driver.query(root, ctrl::STATS, ctrl::STATS_GET, data, room));
    bench.rest();
    bench.root.msi.drain();
    assert!(ack == ctrl::ACK_OK || result.is_empty(), "a refusal with {} bytes behind", result.len());
    (ack == ctrl::ACK_OK).then_some(result)
}

pub(crate) fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes"))).collect()
}

/// One reply: its counters.
pub(crate) fn reply(bytes: &[u8], queue: u16, kind: u8, size: usize) -> Vec<u64> {
    let [low, high] = queue.to_le_bytes();
    assert_eq!(bytes[..HEADER], [kind, 0, low, high, 0, 0, size as u8, 0], "header of queue {queue}");
    words(&bytes[HEADER..size])
}

/// The counters of a queue: notifications, packets, bytes, interrupts, drops, drops of one kind.
fn counters(bench: &mut Bench, queue: u16) -> [u64; 6] {
    let bytes = ask(bench, &entry(queue, 1 << kind(queue)), 200).expect("known");
    assert_eq!(bytes.len(), ctrl::STATS_BASIC_BYTES);
    reply(&bytes, queue, kind(queue), bytes.len()).try_into().expect("six counters")
}

fn queues_are_counted(make: Make) {
    for features in [!(1 << net::F_HASH_REPORT), u128::MAX] {
        let mut bench = Bench::new(make, Options { features, ..Options::default() });
        let (tx, rx) = (counters(&mut bench, TX), counters(&mut bench, RX));
        let sizes = [60u64, 61, 1000, 1514, 333];
        for size in sizes {
            let sent = frame(size as usize, 1);
            assert_eq!(bench.transmit(std::slice::from_ref(&sent)), [sent]);
            let came = frame(size as usize, 2);
            assert_eq!(bench.receive(&came), Some(came));
        }
        bench.vectors();
        let bytes = sizes.iter().sum::<u64>();
        for (queue, before) in [(TX, tx), (RX, rx)] {
            let now = counters(&mut bench, queue);
            assert_eq!(now[1..3], [before[1] + 5, before[2] + bytes], "queue {queue}");
            assert_eq!(now[3..], [before[3] + 5, 0, 0], "queue {queue}");
        }
        if make.params.pairs > 1 {
            assert_eq!(counters(&mut bench, 2 * make.params.pairs as u16 - 1), [0; 6]);
        }
        bench.quiet();
        // Frames that take several chains, and chains of several buffers.
        let options = Options { rx_bytes: 100, rx_buffers: 14, features, ..Options::default() };
        let mut bench = Bench::new(make, options);
        let came = frame(900, 3);
        assert_eq!(bench.receive(&came), Some(came));
        bench.drive(|driver, root| driver.post_tx(root, &frame(700, 4), &[5, 12, 300]));
        bench.drive(|driver, root| driver.kick(root, TX));
        assert_eq!(counters(&mut bench, RX)[1..3], [1, 900]);
        assert_eq!(counters(&mut bench, TX)[1..3], [1, 700]);
        bench.quiet();
    }
}

/// "not the packets got from the driver"
fn segments_are_what_is_sent(make: Make) {
    let seed = Seed::from_env(0x57a0);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(61);
    let mut bench = Bench::random(make, Options { queue_size: 32, ..Options::default() }, seed);
    let (mut packets, mut bytes) = (0, 0);
    for _ in 0..12 {
        let packet = Packet::any(&mut rng, 6000);
        bench.drive(|driver, root| driver.post_packet(root, packet.header, &packet.bytes, &[]));
        bench.drive(|driver, root| driver.post_tx(root, &frame(77, 5), &[]));
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.rest();
        let wire = bench.wire();
        packets += wire.len() as u64;
        bytes += wire.iter().map(|frame| frame.len() as u64).sum::<u64>();
        assert_eq!(counters(&mut bench, TX)[1..3], [packets, bytes]);
        while bench.take_tx().is_some() {}
    }
    assert!(packets > 30);
    bench.quiet();
}

fn drops_of_reception(make: Make) {
    let options = Options { rx_buffers: 2, ..Options::default() };
    let mut bench = Bench::new(make, options);
    for mark in 0..5 {
        bench.root.frame_in(frame(100, mark));
    }
    bench.rest();
    let now = counters(&mut bench, RX);
    assert_eq!([now[1], now[2], now[4], now[5]], [2, 200, 3, 3], "no buffers");
    // Longer than the device carries: dropped, but not for want of buffers.
    for _ in 0..3 {
        bench.root.frame_in(frame(make.params.frame_bytes + 1, 9));
    }
    bench.rest();
    let now = counters(&mut bench, RX);
    assert_eq!([now[1], now[2], now[4], now[5]], [2, 200, 6, 3], "too long");
    // What the driver does not want is not this queue's.
    mode(&mut bench, ctrl::MODE_PROMISC, false);
    let mut other = frame(100, 9);
    other[..6].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    bench.root.frame_in(other);
    bench.rest();
    assert_eq!(bench.counter(ident::RX_FILTERED), 1);
    assert_eq!(counters(&mut bench, RX)[4..], [6, 3]);
    bench.quiet();
}

fn drops_of_transmission(make: Make) {
    let seed = Seed::from_env(0x57a1);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(62);
    let mut bench = bench(make);
    for len in [5, 25, 70_000] {
        let buffer = Buffer { addr: memory::TX, len, writable: false };
        bench.drive(|driver, root| driver.post(root, TX, &[buffer]));
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.rest();
        assert!(bench.wire().is_empty());
    }
    let now = counters(&mut bench, TX);
    assert_eq!([now[1], now[2], now[4], now[5]], [0, 0, 3, 3], "malformed");
    // What cannot be carried out, for one reason after the other: no room for the checksum; not to be cut; headers nobody knows.
    let good = Packet::new(&mut rng, PLAIN);
    let mut unknown = good.bytes.clone();
    unknown[12] = 9;
    let short = Header::needs_csum(14, 200);
    let bad = [
        (short, frame(60, 1)),
        (Header { gso_size: 0, ..good.header }, good.bytes.clone()),
        (good.header, unknown),
    ];
    for (n, (header, bytes)) in bad.into_iter().enumerate() {
        bench.drive(|driver, root| driver.post_packet(root, header, &bytes, &[]));
        bench.drive(|driver, root| driver.post_packet(root, good.header, &good.bytes, &[]));
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.rest();
        let wire = bench.wire();
        good.check(&wire);
        let sent = wire.iter().map(|frame| frame.len() as u64).sum::<u64>();
        let (now, n) = (counters(&mut bench, TX), n as u64 + 1);
        let due = [good.frames() as u64 * n, sent * n, 3 + n, 3];
        assert_eq!([now[1], now[2], now[4], now[5]], due, "offload {n}");
        while bench.take_tx().is_some() {}
    }
    bench.quiet();
}

fn notifications_and_interrupts(make: Make) {
    let mut bench = bench(make);
    let before = counters(&mut bench, TX);
    for _ in 0..7 {
        bench.drive(|driver, root| driver.kick(root, TX));
    }
    assert_eq!(counters(&mut bench, TX)[..4], [before[0] + 7, 0, 0, before[3]]);
    let rx = counters(&mut bench, RX);
    bench.drive(|driver, root| driver.kick(root, RX));
    assert_eq!(counters(&mut bench, RX)[0], rx[0] + 1);
    // A queue that is not there yet is rung all the same; no queue has no counter.
    if make.params.pairs > 1 {
        bench.drive(|driver, root| driver.kick(root, 3));
        assert_eq!(counters(&mut bench, 3), [1, 0, 0, 0, 0, 0]);
    }
    // Without a vector there is no interrupt.
    bench.transmit(&[frame(60, 1)]);
    assert_eq!(bench.vectors(), [u32::from(TX) + 1]);
    assert_eq!(counters(&mut bench, TX)[3], before[3] + 1);
    bench.drive(|driver, root| driver.reset_queue(root, TX));
    bench.drive(|driver, root| driver.setup_queue(root, TX));
    bench.drive(|driver, root| driver.set_common(root, common::QUEUE_SELECT, &TX.to_le_bytes()));
    let none = virtio::NO_VECTOR.to_le_bytes();
    bench.drive(|driver, root| driver.set_common(root, common::QUEUE_MSIX_VECTOR, &none));
    bench.rest();
    bench.transmit(&[frame(60, 1)]);
    assert!(bench.vectors().is_empty());
    let now = counters(&mut bench, TX);
    assert_eq!([now[1], now[3]], [2, before[3] + 1]);
    bench.quiet();
}

/// Entries for the control queue and so many pairs, and bytes of the answer.
pub(crate) fn all(number: u16, pairs: u16) -> (Vec<u8>, usize) {
    let queues = (0..2 * pairs).map(|queue| entry(queue, 1 << kind(queue)));
    let data = queues.chain([entry(number, 1 << ctrl::STATS_CVQ)]).collect::<Vec<_>>().concat();
    (data, 2 * usize::from(pairs) * ctrl::STATS_BASIC_BYTES + ctrl::STATS_CVQ_BYTES)
}

fn a_reset_begins_anew(make: Make) {
    let mut bench = bench(make);
    bench.transmit(&[frame(60, 1)]);
    assert_eq!(counters(&mut bench, TX)[1], 1);
    bench.drive(|driver, root| driver.reset_queue(root, TX));
    bench.drive(|driver, root| driver.setup_queue(root, TX));
    assert_eq!(counters(&mut bench, TX)[1], 1, "a queue's reset is none of the counters'");
    for _ in 0..3 {
        bench.drive(|driver, root| driver.initialise(root));
        bench.rest();
        let number = bench.drive(|driver, root| driver.control_number(root));
        let (data, whole) = all(number, make.params.pairs as u16);
        let bytes = ask(&mut bench, &data, 10_000).expect("all known");
        for queue in 0..number {
            let at = usize::from(queue) * ctrl::STATS_BASIC_BYTES;
            let counters = reply(&bytes[at..], queue, kind(queue), ctrl::STATS_BASIC_BYTES);
            assert_eq!(counters[1..], [0; 5]);
            assert!(counters[0] <= u64::from(queue < 2), "{counters:?}");
        }
        assert_eq!(reply(&bytes[whole - 24..], number, ctrl::STATS_CVQ, 24), [1, 1]);
        bench.works();
    }
}

/// Frames that wait for the wire while the device is reset leave, and the driver that comes does not find them among its own.
fn frames_outlive_a_reset(make: Make) {
    let seed = Seed::from_env(0x57a9);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(64);
    let mut bench = Bench::random(make, Options { queue_size: 64, ..Options::default() }, seed);
    for _ in 0..10 {
        for _ in 0..8 {
            let udp = rng.random_bool(0.5);
            let kind = Kind { payload: 2000, size: 300, udp, tcp_options: 0, ..PLAIN };
            let packet = Packet::new(&mut rng, kind);
            bench.drive(|driver, root| driver.post_packet(root, packet.header, &packet.bytes, &[]));
        }
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.root.run(rng.random_range(1..900));
        bench.drive(|driver, root| driver.initialise(root));
        assert_eq!(counters(&mut bench, TX)[1..], [0; 5]);
        bench.wire();
        let sent = frame(80, 7);
        assert_eq!(bench.transmit(std::slice::from_ref(&sent)), [sent]);
        assert_eq!(counters(&mut bench, TX)[1..3], [1, 80]);
    }
    bench.quiet();
}

/// Both directions at once: the counters say what the wire and the driver have seen.
fn random_traffic(make: Make) {
    let seed = Seed::from_env(0x57aa);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(65);
    let options = Options { queue_size: 32, rx_buffers: 24, ..Options::default() };
    let mut bench = Bench::random(make, options, seed);
    let (mut sent, mut came, mut interrupts, mut dropped) = ([0; 2], [0; 2], [0; 2], 0);
    let add = |to: &mut [u64; 2], frame: &[u8]| {
        to[0] += 1;
        to[1] += frame.len() as u64;
    };
    for _ in 0..20 {
        for _ in 0..rng.random_range(0..20) {
            let len = rng.random_range(60..400);
            if rng.random_ratio(1, 5) {
                dropped += 1;
                bench.root.frame_in(frame(make.params.frame_bytes + 1, 1));
            }
            bench.root.frame_in(frame(len, 3));
        }
        for _ in 0..rng.random_range(0..8) {
            let len = rng.random_range(60..400);
            bench.drive(|driver, root| driver.send(root, &frame(len, 4)));
        }
        bench.rest();
        bench.wire().iter().for_each(|frame| add(&mut sent, frame));
        while let Some(frame) = bench.received() {
            add(&mut came, &frame);
        }
        while bench.take_tx().is_some() {}
        for vector in bench.vectors() {
            interrupts[usize::from(vector == u32::from(TX) + 1)] += 1;
        }
    }
    let missed = u64::from(bench.counter(ident::RX_NO_BUFFER));
    let rx = counters(&mut bench, RX);
    assert_eq!(rx[1..], [came[0], came[1], interrupts[0], dropped + missed, missed]);
    let tx = counters(&mut bench, TX);
    assert_eq!(tx[1..], [sent[0], sent[1], interrupts[1], 0, 0]);
    let number = bench.drive(|driver, root| driver.control_number(root));
    let commands = reply(
        &ask(&mut bench, &entry(number, 1 << ctrl::STATS_CVQ), 24).expect("known"),
        number,
        ctrl::STATS_CVQ,
        24,
    )[0];
    // Each command has rung once; the rest of the doorbells is theirs.
    assert_eq!(u64::from(bench.counter(ident::KICKS)), rx[0] + tx[0] + commands);
    bench.quiet();
}
