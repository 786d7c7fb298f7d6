//! What each queue has done, told by the control queue: DEVICE_STATS.
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

use crate::commands::{bench, command, mode};

on_bodies!(but TINY:
    types_are_told,
    queues_are_counted,
    segments_are_what_is_sent,
    drops_of_reception,
    drops_of_transmission,
    notifications_and_interrupts,
    the_control_queue_counts_itself,
    all_queues_at_once,
    an_answer_in_pieces,
    what_is_not_there_is_refused,
    any_command_has_an_answer,
    a_reset_begins_anew,
    frames_outlive_a_reset,
    random_traffic,
);

on_packed!(queues_are_counted, all_queues_at_once, an_answer_in_pieces);

const HEADER: usize = ctrl::STATS_HEADER_BYTES;
/// What a receive, a transmit and the control queue can be asked for.
const TYPES: u64 = 1 << ctrl::STATS_RX_BASIC | 1 << ctrl::STATS_TX_BASIC | 1 << ctrl::STATS_CVQ;

fn entry(queue: u16, types: u64) -> Vec<u8> {
    // what is reserved means nothing
    [queue.to_le_bytes().to_vec(), vec![0xa5; 6], types.to_le_bytes().to_vec()].concat()
}

/// The kind of statistics a transmit or receive queue has.
fn kind(queue: u16) -> u8 {
    if queue % 2 == 0 { ctrl::STATS_RX_BASIC } else { ctrl::STATS_TX_BASIC }
}

fn ask(bench: &mut Bench, data: &[u8], room: u32) -> Option<Vec<u8>> {
    bench.rest();
    let (ack, result) =
        bench.drive(|driver, root| driver.query(root, ctrl::STATS, ctrl::STATS_GET, data, room));
    bench.rest();
    bench.root.msi.drain();
    assert!(ack == ctrl::ACK_OK || result.is_empty(), "a refusal with {} bytes behind", result.len());
    (ack == ctrl::ACK_OK).then_some(result)
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes"))).collect()
}

/// One reply: its counters.
fn reply(bytes: &[u8], queue: u16, kind: u8, size: usize) -> Vec<u64> {
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

fn types_are_told(make: Make) {
    let mut bench = bench(make);
    for room in [8, 20] {
        let (ack, result) =
            bench.drive(|driver, root| driver.query(root, ctrl::STATS, ctrl::STATS_QUERY, &[], room));
        assert_eq!((ack, words(&result)), (ctrl::ACK_OK, vec![TYPES]));
    }
    assert!(!command(&mut bench, ctrl::STATS, ctrl::STATS_QUERY, &[0]));
    assert!(!command(&mut bench, ctrl::STATS, 2, &[]));
    bench.quiet();
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

fn the_control_queue_counts_itself(make: Make) {
    let mut bench = bench(make);
    let number = bench.drive(|driver, root| driver.control_number(root));
    let own = |bench: &mut Bench, number: u16| {
        let bytes = ask(bench, &entry(number, 1 << ctrl::STATS_CVQ), 100).expect("known");
        assert_eq!(bytes.len(), ctrl::STATS_CVQ_BYTES);
        reply(&bytes, number, ctrl::STATS_CVQ, bytes.len())
    };
    assert_eq!(own(&mut bench, number), [1, 1]);
    mode(&mut bench, ctrl::MODE_ALLMULTI, true);
    assert!(!command(&mut bench, ctrl::RX, 99, &[1]));
    assert_eq!(own(&mut bench, number), [4, 3]);
    assert_eq!(ask(&mut bench, &entry(number, 1), 100), None);
    assert_eq!(own(&mut bench, number), [6, 4]);
    // Without MQ it is the third queue, and there is no fourth.
    let features = !(1 << net::F_MQ | 1 << net::F_HASH_REPORT);
    let mut bench = Bench::new(make, Options { features, ..Options::default() });
    assert_eq!(own(&mut bench, 2), [1, 1]);
    assert_eq!(ask(&mut bench, &entry(3, 1 << ctrl::STATS_TX_BASIC), 100), None);
    assert_eq!(ask(&mut bench, &entry(2, 1 << ctrl::STATS_RX_BASIC), 100), None);
    bench.quiet();
}

/// Entries for the control queue and so many pairs, and bytes of the answer.
fn all(number: u16, pairs: u16) -> (Vec<u8>, usize) {
    let queues = (0..2 * pairs).map(|queue| entry(queue, 1 << kind(queue)));
    let data = queues.chain([entry(number, 1 << ctrl::STATS_CVQ)]).collect::<Vec<_>>().concat();
    (data, 2 * usize::from(pairs) * ctrl::STATS_BASIC_BYTES + ctrl::STATS_CVQ_BYTES)
}

/// As many queues as there are in one command, as `ethtool -S` asks for them.
fn all_queues_at_once(make: Make) {
    let mut bench = bench(make);
    bench.transmit(&[frame(90, 1), frame(91, 2)]);
    let number = bench.drive(|driver, root| driver.control_number(root));
    let (data, whole) = all(number, make.params.pairs as u16);
    let bytes = ask(&mut bench, &data, 10_000).expect("all known");
    assert_eq!(bytes.len(), whole);
    for queue in 0..number {
        let at = usize::from(queue) * ctrl::STATS_BASIC_BYTES;
        let counters = reply(&bytes[at..], queue, kind(queue), ctrl::STATS_BASIC_BYTES);
        assert_eq!(counters[1..3], if queue == TX { [2, 181] } else { [0, 0] });
    }
    assert_eq!(reply(&bytes[whole - 24..], number, ctrl::STATS_CVQ, 24), [1, 1]);
    bench.works();
}

/// "The device MUST fill up only upto the valid bytes", over a random link.
fn an_answer_in_pieces(make: Make) {
    let seed = Seed::from_env(0x57a7);
    let _replay = ReplayLine(seed);
    let mut bench = Bench::random(make, Options { queue_size: 64, ..Options::default() }, seed);
    let number = bench.drive(|driver, root| driver.control_number(root));
    let (data, whole) = all(number, make.params.pairs.min(4) as u16);
    for room in [whole as u32, 2000, 77, 0, 1, 7, 9, 56, whole as u32 - 1] {
        let due = whole.min(room as usize);
        assert_eq!(ask(&mut bench, &data, room).map(|bytes| bytes.len()), Some(due), "room {room}");
    }
    bench.works();
}

fn what_is_not_there_is_refused(make: Make) {
    let mut bench = bench(make);
    let control = 2 * make.params.pairs as u16;
    let good = entry(TX, 1 << ctrl::STATS_TX_BASIC);
    for bad in [
        entry(TX, 1 << ctrl::STATS_RX_BASIC),
        entry(TX, 0),
        entry(TX, 1 << ctrl::STATS_TX_BASIC | 1 << (ctrl::STATS_TX_BASIC + 1)),
        entry(TX, TYPES),
        entry(RX, 1 << ctrl::STATS_CVQ),
        entry(RX, 1 << 63 | 1),
        entry(control, 1),
        entry(control + 1, 1 << ctrl::STATS_TX_BASIC),
        entry(0xffff, 1 << ctrl::STATS_TX_BASIC),
        entry(TX | 0x100, 1 << ctrl::STATS_TX_BASIC),
        good[..15].to_vec(),
        [good.clone(), vec![0]].concat(),
    ] {
        assert_eq!(ask(&mut bench, &bad, 100), None, "{bad:x?}");
        let behind = [good.clone(), bad.clone()].concat();
        assert_eq!(ask(&mut bench, &behind, 200), None, "behind a good one: {bad:x?}");
    }
    assert_eq!(ask(&mut bench, &[], 100), None);
    // More than is kept of a command.
    let most = make.params.numbers().max(31);
    assert!(ask(&mut bench, &good.repeat(most), 4000).is_some());
    assert_eq!(ask(&mut bench, &good.repeat(most + 1), 4000), None);
    assert_eq!(ask(&mut bench, &good.repeat(500), 4000), None);
    let features = !(1 << net::F_DEVICE_STATS | 1 << net::F_HASH_REPORT);
    let mut bench = Bench::new(make, Options { features, ..Options::default() });
    assert_eq!(ask(&mut bench, &good, 100), None);
    assert!(!command(&mut bench, ctrl::STATS, ctrl::STATS_QUERY, &[]));
    bench.rest();
    bench.works();
}

/// Whatever stands in a command, it is answered, and as the entries say.
fn any_command_has_an_answer(make: Make) {
    let seed = Seed::from_env(0x57a8);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(63);
    let mut bench = Bench::random(make, Options::default(), seed);
    let number = bench.drive(|driver, root| driver.control_number(root));
    for _ in 0..60 {
        let entries: Vec<(u16, u64)> = (0..rng.random_range(1..5))
            .map(|_| {
                let queue = rng.random_range(0..=number);
                let right = 1 << if queue == number { ctrl::STATS_CVQ } else { kind(queue) };
                match rng.random_range(0..16) {
                    0 => (queue, right | 1 << rng.random_range(0..64)),
                    1 => (queue, rng.random()),
                    2 => (rng.random(), right),
                    _ => (queue, right),
                }
            })
            .collect();
        let right = |(queue, types): &(u16, u64)| match *queue {
            queue if queue < number => (*types == 1 << kind(queue)).then_some(ctrl::STATS_BASIC_BYTES),
            queue if queue == number => (*types == 1 << ctrl::STATS_CVQ).then_some(ctrl::STATS_CVQ_BYTES),
            _ => None,
        };
        let due = entries.iter().map(right).sum::<Option<usize>>();
        let mut data: Vec<u8> = entries.iter().flat_map(|(queue, types)| entry(*queue, *types)).collect();
        let cut = rng.random_ratio(1, 8).then(|| rng.random_range(0..data.len()));
        data.truncate(cut.unwrap_or(usize::MAX));
        let got = ask(&mut bench, &data, 1000).map(|bytes| bytes.len());
        if cut.is_none() {
            assert_eq!(got, due, "{entries:x?}");
        } else if data.len() % 16 != 0 {
            assert_eq!(got, None, "{} bytes of {entries:x?}", data.len());
        }
    }
    bench.works();
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
