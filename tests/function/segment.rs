//! Transmission of packets that the device segments: TCP over IPv4 and IPv6, UDP.

use hematite_abi::{feature, ident, net};
use hematite_sim::driver::{Options, TX};
use hematite_sim::offload::Header;
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::packet::{Kind, PLAIN, Packet};
use hematite_tests::{Bench, Make, frame, on_bodies};
use rand::Rng;

on_bodies!(but TINY:
    packets_of_all_kinds,
    the_largest_packet,
    packets_that_cannot_be_segmented,
    flags_of_tcp,
    what_is_not_agreed,
    frames_between_packets,
    resets_amid_packets,
);

fn post(bench: &mut Bench, packet: &Packet, cuts: &[usize]) {
    bench.drive(|driver, root| driver.post_packet(root, packet.header, &packet.bytes, cuts));
}

fn kick(bench: &mut Bench) -> Vec<Vec<u8>> {
    bench.drive(|driver, root| driver.kick(root, TX));
    bench.rest();
    bench.wire()
}

fn packets_of_all_kinds(make: Make) {
    let seed = Seed::from_env(0x7500);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(14);
    let mut bench = Bench::random(make, Options { queue_size: 32, ..Options::default() }, seed);
    let mut sent = 0;
    for _ in 0..12 {
        let packets: Vec<_> = (0..4).map(|_| Packet::any(&mut rng, 12_000)).collect();
        for packet in &packets {
            let mut cuts: Vec<usize> =
                (0..rng.random_range(0..4)).map(|_| rng.random_range(0..packet.bytes.len())).collect();
            cuts.sort_unstable();
            bench.driver.options.skew = rng.random_range(0..0x800);
            post(&mut bench, packet, &cuts);
        }
        let wire = kick(&mut bench);
        let mut rest = wire.as_slice();
        for packet in &packets {
            let (own, others) = rest.split_at(packet.frames().min(rest.len()));
            packet.check(own);
            rest = others;
            sent += own.len() as u32;
            assert_eq!(bench.take_tx().map(|used| used.len), Some(0));
        }
        assert!(rest.is_empty(), "{} frames too many", rest.len());
        assert_eq!(bench.counter(ident::TX_FRAMES), sent);
    }
    assert_eq!(bench.counter(ident::TX_DROPPED_OFFLOAD), 0);
    bench.quiet();
}

/// 65535 bytes of IP in one descriptor behind the header's, and in sixteen.
fn the_largest_packet(make: Make) {
    let seed = Seed::from_env(0x7501);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(15);
    let mut bench = Bench::new(make, Options { queue_size: 32, ..Options::default() });
    let packet = Packet::new(&mut rng, Kind { payload: 65_535 - 52, size: 1448, ..PLAIN });
    let cuts: Vec<usize> = (1..16).map(|n| 4096 * n).collect();
    for (before, cuts) in [&[12][..], &[], &cuts].into_iter().enumerate() {
        post(&mut bench, &packet, cuts);
        let wire = kick(&mut bench);
        packet.check(&wire);
        let bytes: usize = wire.iter().map(Vec::len).sum();
        assert_eq!(bench.counter(ident::TX_BYTES_LO), (before as u32 + 1) * bytes as u32);
        assert!(bench.take_tx().is_some());
        bench.drive(|driver, root| driver.reset(root));
        bench.drive(|driver, root| driver.initialise(root));
    }
    bench.works();
    let huge = frame(65_600, 1);
    let header = packet.header;
    bench.drive(|driver, root| driver.post_packet(root, header, &huge, &[]));
    assert!(kick(&mut bench).is_empty());
    assert!(bench.take_tx().is_some());
    assert_eq!(bench.counter(ident::TX_DROPPED_LONG), 1);
    bench.works();
}

/// Each is dropped and counted, its chain comes back, and what is around it is sent.
fn packets_that_cannot_be_segmented(make: Make) {
    let seed = Seed::from_env(0x7502);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(16);
    let mut bench = Bench::new(make, Options { queue_size: 32, ..Options::default() });
    let good = Packet::new(&mut rng, PLAIN);
    let udp = Packet::new(&mut rng, Kind { udp: true, v6: true, tcp_options: 0, ..PLAIN });
    let most = make.params.frame_bytes as u16;
    let asks = |change: &dyn Fn(&mut Header)| {
        let mut header = good.header;
        change(&mut header);
        (header, good.bytes.clone())
    };
    let holds = |at: usize, byte: u8| {
        let mut bytes = good.bytes.clone();
        bytes[at] = byte;
        (good.header, bytes)
    };
    let bad = [
        asks(&|h| h.gso_size = 0),
        asks(&|h| h.gso_size = most - 65),
        asks(&|h| h.gso_size = u16::MAX),
        asks(&|h| h.flags = 0),
        asks(&|h| h.csum_offset = 6),
        asks(&|h| h.csum_start = 35),
        asks(&|h| h.csum_start = 32),
        asks(&|h| h.csum_start = 0),
        asks(&|h| h.csum_start = 250),
        asks(&|h| h.csum_start = 0xfffe),
        asks(&|h| h.gso_type = 2),
        asks(&|h| h.gso_type = net::GSO_UDP as u8),
        asks(&|h| h.gso_type = net::GSO_UDP_L4 as u8),
        asks(&|h| h.gso_type |= net::GSO_UDP_TUNNEL_IPV4 as u8),
        holds(12, 0x09),
        holds(14, 0x44),
        holds(14, 0x46),
        holds(46, 0x40),
        (good.header, good.bytes[..good.headers].to_vec()),
        (good.header, good.bytes[..good.headers - 1].to_vec()),
        (good.header, good.bytes[..40].to_vec()),
        (udp.header, udp.bytes[..62].to_vec()),
        (Header { csum_start: 52, ..udp.header }, udp.bytes.clone()),
    ];
    for (n, (header, bytes)) in bad.iter().enumerate() {
        bench.drive(|driver, root| driver.post_packet(root, *header, bytes, &[]));
        post(&mut bench, &good, &[]);
        post(&mut bench, &udp, &[]);
        let wire = kick(&mut bench);
        assert_eq!(wire.len(), 6, "bad packet {n}: {header:?}");
        good.check(&wire[..3]);
        udp.check(&wire[3..]);
        for _ in 0..3 {
            assert_eq!(bench.take_tx().map(|used| used.len), Some(0));
        }
        let dropped = bench.counter(ident::TX_DROPPED_OFFLOAD);
        assert_eq!(dropped, n as u32 + 1, "bad packet {n}: {header:?}");
    }
    // As long as a frame may be, and no longer.
    let kind = Kind { size: most - 66, payload: usize::from(most) + 100, ..PLAIN };
    let longest = Packet::new(&mut rng, kind);
    post(&mut bench, &longest, &[]);
    let wire = kick(&mut bench);
    longest.check(&wire);
    assert!(bench.take_tx().is_some());
    bench.works();
}

fn flags_of_tcp(make: Make) {
    let seed = Seed::from_env(0x7503);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(17);
    let mut bench = Bench::new(make, Options { queue_size: 32, ..Options::default() });
    for (flags, ecn) in [(0xff, true), (0x19, false), (0x98, true), (0x10, false)] {
        let mut packet = Packet::new(&mut rng, PLAIN);
        packet.bytes[packet.transport + 13] = flags;
        packet.header.gso_type |= if ecn { net::GSO_ECN as u8 } else { 0 };
        post(&mut bench, &packet, &[]);
        let wire = kick(&mut bench);
        packet.check(&wire);
        let got: Vec<u8> = wire.iter().map(|frame| frame[packet.transport + 13]).collect();
        assert_eq!(got, [flags & 0xf6, flags & 0x76, flags & 0x7f]);
        assert!(bench.take_tx().is_some());
    }
    bench.quiet();
}

/// One kind is accepted: the others are dropped. None is: it is a packet as any other.
fn what_is_not_agreed(make: Make) {
    let seed = Seed::from_env(0x7504);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(18);
    let kinds = [feature::HOST_TSO4, feature::HOST_TSO6, feature::HOST_USO];
    let packets = [PLAIN, Kind { v6: true, ..PLAIN }, Kind { udp: true, tcp_options: 0, ..PLAIN }]
        .map(|kind| Packet::new(&mut rng, kind));
    let all = kinds.iter().fold(1 << feature::HOST_ECN, |bits, kind| bits | 1u128 << kind);
    for (n, kind) in kinds.iter().enumerate() {
        let features = !all | 1 << kind;
        let mut bench = Bench::new(make, Options { features, queue_size: 32, ..Options::default() });
        for packet in &packets {
            post(&mut bench, packet, &[]);
        }
        packets[n].check(&kick(&mut bench));
        assert_eq!(bench.counter(ident::TX_DROPPED_OFFLOAD), 2);
        (0..3).for_each(|_| assert!(bench.take_tx().is_some()));
        bench.works();
    }
    let features = !all & !(1 << feature::CSUM);
    let mut bench = Bench::new(make, Options { features, queue_size: 32, ..Options::default() });
    let short = Packet::new(&mut rng, Kind { payload: 300, size: 100, ..PLAIN });
    post(&mut bench, &short, &[]);
    assert_eq!(kick(&mut bench), std::slice::from_ref(&short.bytes));
    assert!(bench.take_tx().is_some());
    bench.works();
}

fn frames_between_packets(make: Make) {
    let seed = Seed::from_env(0x7505);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(19);
    let mut bench = Bench::new(make, Options { queue_size: 64, ..Options::default() });
    for round in 0..6 {
        let mut due: Vec<Result<Packet, Vec<u8>>> = vec![];
        for mark in 0..12 {
            if rng.random_bool(0.4) {
                let packet = Packet::any(&mut rng, 3000);
                post(&mut bench, &packet, &[]);
                due.push(Ok(packet));
            } else {
                let plain = frame(rng.random_range(14..300), mark);
                bench.drive(|driver, root| driver.post_tx(root, &plain, &[]));
                due.push(Err(plain));
            }
        }
        let wire = kick(&mut bench);
        let mut rest = wire.as_slice();
        for one in &due {
            let count = one.as_ref().map_or(1, Packet::frames).min(rest.len());
            let (own, others) = rest.split_at(count);
            match one {
                Ok(packet) => packet.check(own),
                Err(plain) => assert_eq!(own, std::slice::from_ref(plain), "round {round}"),
            }
            rest = others;
            assert!(bench.take_tx().is_some());
        }
        assert!(rest.is_empty());
    }
    bench.quiet();
}

/// What has been sent by then is good, and so is what comes after.
fn resets_amid_packets(make: Make) {
    let seed = Seed::from_env(0x7506);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(20);
    let mut bench = Bench::new(make, Options { queue_size: 16, ..Options::default() });
    for round in 0..12 {
        for _ in 0..3 {
            let packet = Packet::any(&mut rng, 8000);
            post(&mut bench, &packet, &[]);
        }
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.root.run(200 + 137 * round);
        bench.drive(|driver, root| driver.reset(root));
        bench.drive(|driver, root| driver.initialise(root));
        bench.rest();
        bench.wire();
        let packet = Packet::any(&mut rng, 4000);
        post(&mut bench, &packet, &[]);
        packet.check(&kick(&mut bench));
        assert!(bench.take_tx().is_some());
    }
    bench.works();
}
