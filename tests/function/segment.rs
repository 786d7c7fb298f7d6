//! Transmission of packets that the device segments: TCP over IPv4 and IPv6, UDP.

use hematite_abi::{feature, ident, net};
use hematite_sim::driver::{Options, TX};
use hematite_sim::offload::{Header, checksum};
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Bench, Make, frame, on_bodies};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

on_bodies!(
    packets_of_all_kinds,
    the_largest_packet,
    packets_that_cannot_be_segmented,
    flags_of_tcp,
    what_is_not_agreed,
    frames_between_packets,
    resets_amid_packets,
);

fn able(make: Make) -> bool {
    make.params.offers(feature::HOST_TSO4)
}

/// What a packet is made of.
#[derive(Clone, Copy, Debug)]
struct Kind {
    v6: bool,
    udp: bool,
    vlans: usize,
    /// Bytes of IPv4 options, of another header behind IPv6's, of TCP options.
    ip_options: usize,
    tcp_options: usize,
    payload: usize,
    size: u16,
}

/// A packet as Linux hands it over, and how it is to be understood.
struct Packet {
    kind: Kind,
    header: Header,
    bytes: Vec<u8>,
    network: usize,
    transport: usize,
    headers: usize,
}

/// Addresses, length and protocol, as they are summed.
fn pseudo(bytes: &[u8], network: usize, v6: bool, udp: bool, len: usize) -> Vec<u8> {
    let addresses = if v6 { network + 8..network + 40 } else { network + 12..network + 20 };
    let mut pseudo = bytes[addresses].to_vec();
    pseudo.extend((len as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, if udp { 17 } else { 6 }]);
    pseudo
}

impl Packet {
    fn new(rng: &mut ChaCha8Rng, kind: Kind) -> Packet {
        let network = 14 + 4 * kind.vlans;
        let transport = network + if kind.v6 { 40 } else { 20 } + kind.ip_options;
        let headers = transport + if kind.udp { 8 } else { 20 + kind.tcp_options };
        let mut bytes: Vec<u8> = (0..headers + kind.payload).map(|_| rng.random()).collect();
        let mut put = |at: usize, value: u16| bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
        for vlan in 0..kind.vlans {
            put(12 + 4 * vlan, if vlan == 0 && kind.vlans > 1 { 0x88a8 } else { 0x8100 });
        }
        put(network - 2, if kind.v6 { 0x86dd } else { 0x0800 });
        let len = headers + kind.payload - network;
        put(network + if kind.v6 { 4 } else { 2 }, (if kind.v6 { len - 40 } else { len }) as u16);
        bytes[network] = if kind.v6 { 0x60 } else { 0x45 + (kind.ip_options / 4) as u8 };
        let transport_len = headers + kind.payload - transport;
        if !kind.udp {
            bytes[transport + 12] = ((5 + kind.tcp_options / 4) << 4) as u8;
        }
        let partial = !checksum(&pseudo(&bytes, network, kind.v6, kind.udp, transport_len));
        let offset = if kind.udp { 6 } else { 16 };
        bytes[transport + offset..transport + offset + 2].copy_from_slice(&partial.to_be_bytes());
        let gso = match (kind.udp, kind.v6) {
            (true, _) => net::GSO_UDP_L4,
            (false, true) => net::GSO_TCPV6,
            (false, false) => net::GSO_TCPV4,
        };
        let header = Header::segmented(gso as u8, kind.size, transport as u16, offset as u16);
        Packet { kind, header, bytes, network, transport, headers }
    }

    fn any(rng: &mut ChaCha8Rng, most: usize) -> Packet {
        let (v6, udp) = (rng.random(), rng.random_bool(0.3));
        let ip_options = if rng.random_bool(0.2) { 4 * rng.random_range(0..=5) } else { 0 };
        let tcp_options = if udp { 0 } else { 4 * rng.random_range(0..=10) };
        let ip_options = if v6 { ip_options / 8 * 8 } else { ip_options };
        let vlans = if rng.random_bool(0.2) { rng.random_range(1..3) } else { 0 };
        let size = rng.random_range(1..=1300);
        let payload = match rng.random_range(0..4) {
            0 => usize::from(size) * rng.random_range(1..5),
            1 => rng.random_range(1..=usize::from(size)),
            _ => rng.random_range(1..8 * usize::from(size)),
        };
        Packet::new(rng, Kind { v6, udp, vlans, ip_options, tcp_options, payload: payload.min(most), size })
    }

    fn frames(&self) -> usize {
        self.kind.payload.div_ceil(usize::from(self.kind.size))
    }

    /// A receiver finds all of them good and puts the packet together again.
    fn check(&self, frames: &[Vec<u8>]) {
        let Packet { kind, network, transport, headers, .. } = *self;
        assert_eq!(frames.len(), self.frames(), "{kind:?}");
        let mut payload: Vec<u8> = vec![];
        for (n, got) in frames.iter().enumerate() {
            let word = |at: usize| u16::from_be_bytes([got[at], got[at + 1]]);
            let old = |at: usize| u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]);
            let mut same = got[..headers].to_vec();
            let mut keep =
                |at: usize, len: usize| same[at..at + len].copy_from_slice(&self.bytes[at..at + len]);
            let bytes = got.len() - headers;
            let last = n + 1 == frames.len();
            assert!(bytes == usize::from(kind.size) || last, "{kind:?}, frame {n}: {bytes} bytes");
            if kind.v6 {
                assert_eq!(usize::from(word(network + 4)), got.len() - network - 40, "{kind:?}");
                keep(network + 4, 2);
            } else {
                assert_eq!(usize::from(word(network + 2)), got.len() - network, "{kind:?}");
                assert_eq!(word(network + 4), old(network + 4).wrapping_add(n as u16), "{kind:?}");
                assert_eq!(checksum(&got[network..transport]), 0xffff, "{kind:?}, frame {n}");
                keep(network + 2, 4);
                keep(network + 10, 2);
            }
            if kind.udp {
                assert_eq!(usize::from(word(transport + 4)), got.len() - transport, "{kind:?}");
                assert_ne!(word(transport + 6), 0, "no checksum, to UDP");
                keep(transport + 4, 4);
            } else {
                let seq = |word: &dyn Fn(usize) -> u16| {
                    u32::from(word(transport + 4)) << 16 | u32::from(word(transport + 6))
                };
                assert_eq!(seq(&word), seq(&old).wrapping_add(payload.len() as u32), "{kind:?}, frame {n}");
                let not_end = if last { 0 } else { 0x09 };
                let not_first = if n == 0 { 0 } else { 0x80 };
                assert_eq!(
                    got[transport + 13],
                    self.bytes[transport + 13] & !(not_end | not_first),
                    "{kind:?}"
                );
                keep(transport + 4, 4);
                keep(transport + 13, 1);
                keep(transport + 16, 2);
            }
            let mut all = pseudo(got, network, kind.v6, kind.udp, got.len() - transport);
            all.extend(&got[transport..]);
            assert_eq!(checksum(&all), 0xffff, "{kind:?}, frame {n}");
            assert_eq!(same, self.bytes[..headers], "{kind:?}, frame {n}");
            payload.extend(&got[headers..]);
        }
        assert_eq!(payload, self.bytes[headers..], "{kind:?}");
    }
}

const PLAIN: Kind =
    Kind { v6: false, udp: false, vlans: 0, ip_options: 0, tcp_options: 12, payload: 4000, size: 1400 };

fn post(bench: &mut Bench, packet: &Packet, cuts: &[usize]) {
    bench.drive(|driver, root| driver.post_packet(root, packet.header, &packet.bytes, cuts));
}

fn kick(bench: &mut Bench) -> Vec<Vec<u8>> {
    bench.drive(|driver, root| driver.kick(root, TX));
    bench.rest();
    bench.wire()
}

fn packets_of_all_kinds(make: Make) {
    if !able(make) {
        return;
    }
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
    if !able(make) {
        return;
    }
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
    if !able(make) {
        return;
    }
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
    if !able(make) {
        return;
    }
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
    if !able(make) {
        return;
    }
    let seed = Seed::from_env(0x7504);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(18);
    let kinds = [feature::HOST_TSO4, feature::HOST_TSO6, feature::HOST_USO];
    let packets = [PLAIN, Kind { v6: true, ..PLAIN }, Kind { udp: true, tcp_options: 0, ..PLAIN }]
        .map(|kind| Packet::new(&mut rng, kind));
    let all = kinds.iter().fold(1 << feature::HOST_ECN, |bits, kind| bits | 1u64 << kind);
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
    if !able(make) {
        return;
    }
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
    if !able(make) {
        return;
    }
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
