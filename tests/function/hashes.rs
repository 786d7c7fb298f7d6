//! The hash of a frame as the driver is told it, in a header that is longer for it, both ways.

use hematite_abi::{feature, ident};
use hematite_sim::driver::{Options, TX};
use hematite_sim::facts::{ctrl, hash, net, rss};
use hematite_sim::flow::{Rss, flow};
use hematite_sim::offload::Header;
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::packet::{Arriving, Packet};
use hematite_tests::{Bench, Make, frame, on_bodies};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::commands::command;

on_bodies!(but TINY:
    hashes_are_reported,
    what_was_set_last_counts,
    bad_parameters_are_refused,
    frames_of_every_length_arrive,
    frames_of_every_length_leave,
    packets_are_segmented,
    a_header_cut_anywhere,
    too_short_and_too_long,
);

fn options() -> Options {
    Options { features: u128::MAX, queue_size: 64, rx_buffers: 48, ..Options::default() }
}

/// What is told of frames: types and key, if anything.
type Told = Option<(u32, Vec<u8>)>;

fn config(rng: &mut ChaCha8Rng, types: u32) -> (Vec<u8>, Told) {
    let key: Vec<u8> = (0..rss::KEY_BYTES).map(|_| rng.random()).collect();
    let mut data = types.to_le_bytes().to_vec();
    data.extend([0; 8]);
    data.push(rss::KEY_BYTES as u8);
    data.extend(&key);
    (data, (types != 0).then_some((types, key)))
}

fn set(bench: &mut Bench, data: &[u8]) -> bool {
    command(bench, ctrl::MQ, ctrl::MQ_HASH_CONFIG, data)
}

/// Frames come, each with the hash that is due, in whatever first queue.
fn come(bench: &mut Bench, told: &Told, frames: &[Vec<u8>]) {
    for frame in frames {
        bench.root.frame_in(frame.clone());
    }
    bench.rest();
    for frame in frames {
        let got = bench.drive(|driver, root| driver.receive_packet(root)).expect("a frame");
        assert_eq!(&got.frame, frame);
        let due = told.as_ref().and_then(|(types, key)| flow(frame, *types, key));
        let due = due.map_or(0, |(hash, bit)| u64::from(bit + 1) << 32 | u64::from(hash));
        assert_eq!(got.hash, Some(due), "{} bytes, {told:x?}: {frame:02x?}", frame.len());
    }
}

fn frames(rng: &mut ChaCha8Rng, count: usize, most: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| Arriving::any(rng, most).frame).collect()
}

fn hashes_are_reported(make: Make) {
    let seed = Seed::from_env(0x4a51);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(61);
    for rx_bytes in [2000, 200] {
        let mut bench = Bench::random(make, Options { rx_bytes, ..options() }, seed);
        // "Initially the device has all hash types disabled"
        let some = frames(&mut rng, 6, 300);
        come(&mut bench, &None, &some);
        for round in 0..10 {
            let types = if round == 0 { hash::KNOWN } else { rng.random::<u32>() & hash::KNOWN };
            let (data, told) = config(&mut rng, types);
            assert!(set(&mut bench, &data));
            let some = frames(&mut rng, 8, 300);
            come(&mut bench, &told, &some);
        }
        bench.vectors();
        bench.quiet();
        bench.recovers();
        let some = frames(&mut rng, 6, 300);
        come(&mut bench, &None, &some);
    }
}

/// [virtio 1.4: Device operation in multiqueue mode] "the resulting device configuration is defined by the last command sent by the driver".
fn what_was_set_last_counts(make: Make) {
    let seed = Seed::from_env(0x4a52);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(62);
    let mut bench = Bench::random(make, options(), seed);
    let mut automatic: Told = None;
    for _ in 0..24 {
        let told = match rng.random_range(0..3) {
            0 => {
                let types = if rng.random_bool(0.3) { 0 } else { rng.random::<u32>() & hash::KNOWN };
                let (data, due) = config(&mut rng, types);
                assert!(set(&mut bench, &data));
                automatic = due;
                automatic.clone()
            }
            1 => {
                let (types, key) =
                    (rng.random::<u32>() & hash::KNOWN, config(&mut rng, 1).1.expect("a key").1);
                let rule = Rss { types, key: key.clone(), ..Rss::automatic(1) };
                assert!(command(&mut bench, ctrl::MQ, ctrl::MQ_RSS_CONFIG, &rule.command()));
                // Its key is the device's one key.
                automatic = automatic.map(|(types, _)| (types, key.clone()));
                Some((types, key))
            }
            _ => {
                assert!(command(&mut bench, ctrl::MQ, ctrl::MQ_PAIRS_SET, &[1, 0]));
                automatic.clone()
            }
        };
        bench.rest();
        let some = frames(&mut rng, 6, 100);
        come(&mut bench, &told, &some);
    }
    bench.vectors();
    bench.quiet();
}

fn bad_parameters_are_refused(make: Make) {
    let mut rng = Seed(0x4a53).rng(63);
    let mut bench = Bench::new(make, options());
    let (good, told) = config(&mut rng, hash::KNOWN);
    assert!(set(&mut bench, &good));
    for bit in (0..32).filter(|bit| hash::KNOWN >> bit & 1 == 0) {
        let (bad, _) = config(&mut rng, 1 << bit);
        assert!(!set(&mut bench, &bad), "hash type {bit}");
    }
    let (other, _) = config(&mut rng, 1);
    for len in 0..other.len() {
        assert!(!set(&mut bench, &other[..len]), "{len} bytes");
    }
    for bytes in [0, 39, 41, 255] {
        let mut bad = other.clone();
        bad[12] = bytes;
        assert!(!set(&mut bench, &bad), "a key of {bytes} bytes");
    }
    assert!(!set(&mut bench, &vec![0; 600]));
    let some = frames(&mut rng, 8, 100);
    come(&mut bench, &told, &some);
    // What is reserved, and what stands behind the key, means nothing.
    let (mut odd, told) = config(&mut rng, hash::KNOWN);
    odd[4..12].fill(0xff);
    odd.push(0x55);
    assert!(set(&mut bench, &odd));
    let some = frames(&mut rng, 8, 100);
    come(&mut bench, &told, &some);
    let mut without = Bench::new(make, Options { queue_size: 16, ..Options::default() });
    assert!(!set(&mut without, &good), "HASH_REPORT is not accepted");
}

fn frames_of_every_length_arrive(make: Make) {
    let mut rng = Seed(0x4a54).rng(64);
    for (rx_bytes, merge) in [(2000, true), (2000, false), (64, true), (97, true)] {
        let features = if merge { u128::MAX } else { !(1 << net::F_MRG_RXBUF) };
        let mut bench = Bench::new(make, Options { features, rx_bytes, ..options() });
        let (data, told) = config(&mut rng, hash::KNOWN);
        assert!(set(&mut bench, &data));
        let most = make.params.ready_heads * rx_bytes as usize - net::HDR_HASH_BYTES as usize;
        for len in (14..140).chain([244, 256, 500, 501, 1024, 1500, 1514]) {
            let mut packet = Arriving::any(&mut rng, 100).frame;
            packet.resize(len.min(most), len as u8);
            come(&mut bench, &told, &[packet]);
        }
        bench.vectors();
        bench.quiet();
    }
}

fn frames_of_every_length_leave(make: Make) {
    let mut bench = Bench::new(make, options());
    for len in (14..140).chain([244, 256, 500, 501, 1024, 1500, 1514]) {
        let packet = frame(len, len as u8);
        assert_eq!(bench.transmit(std::slice::from_ref(&packet)), [packet], "{len} bytes");
    }
    bench.vectors();
    bench.quiet();
}

fn packets_are_segmented(make: Make) {
    let seed = Seed::from_env(0x4a55);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(65);
    let mut bench = Bench::random(make, options(), seed);
    for _ in 0..12 {
        let packet = Packet::any(&mut rng, 20_000);
        bench.drive(|driver, root| driver.post_packet(root, packet.header, &packet.bytes, &[20, 100]));
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.rest();
        packet.check(&bench.wire());
        assert!(bench.take_tx().is_some());
    }
    assert_eq!(bench.counter(ident::TX_DROPPED_OFFLOAD), 0);
    bench.quiet();
}

/// [virtio 1.4: Message Framing]
fn a_header_cut_anywhere(make: Make) {
    let mut bench = Bench::new(make, options());
    for cuts in [&[1, 7, 9][..], &[12], &[16], &[20], &[0, 20, 46], &[4, 8, 12, 16, 20, 24], &[19, 21], &[30]]
    {
        let good = frame(90 + cuts.len(), 7);
        let header = Header::needs_csum(34, 16);
        bench.drive(|driver, root| driver.post_packet(root, header, &good, cuts));
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.rest();
        let wire = bench.wire();
        let sum = hematite_sim::offload::checksum(&good[34..]);
        assert_eq!((wire.len(), &wire[0][50..52]), (1, &sum.to_be_bytes()[..]), "{cuts:?}");
        assert!(bench.take_tx().is_some());
    }
    bench.quiet();
}

/// The limits of a packet are those of a frame and this header.
fn too_short_and_too_long(make: Make) {
    let most = make.params.frame_bytes;
    let mut bench = Bench::new(make, options());
    assert!(make.params.offers(feature::HASH_REPORT));
    for (len, sent) in [(13, false), (14, true), (most, true), (most + 1, false), (0, false), (60, true)] {
        let packet = vec![0x5a; len];
        bench.drive(|driver, root| driver.send(root, &packet));
        bench.rest();
        assert_eq!(bench.wire().len(), usize::from(sent), "{len} bytes");
        assert!(bench.take_tx().is_some());
    }
    assert_eq!((bench.counter(ident::TX_DROPPED_SHORT), bench.counter(ident::TX_DROPPED_LONG)), (2, 1));
    // Buffers without room for the header; then as much as is needed, to the byte.
    for (rx_bytes, arrives) in [(19, false), (20 + 59, false), (20 + 60, true)] {
        let features = !(1 << net::F_MRG_RXBUF);
        let mut bench = Bench::new(make, Options { features, rx_bytes, ..options() });
        let packet = frame(60, 1);
        assert_eq!(bench.receive(&packet), arrives.then_some(packet), "{rx_bytes} bytes");
        assert_eq!(bench.counter(ident::RX_NO_BUFFER), u32::from(!arrives));
    }
}
