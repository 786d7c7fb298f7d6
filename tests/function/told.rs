//! What the driver is told of a frame that comes: whether its checksum is right.

use hematite_abi::{feature, ident};
use hematite_sim::driver::{Options, Received};
use hematite_sim::facts::{ctrl, net};
use hematite_sim::offload::{Header, verified};
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::packet::{Arriving, Flaw, Kind};
use hematite_tests::{Bench, Make, on_bodies};
use rand::Rng;

use crate::commands::command;

on_bodies!(
    right_checksums_are_told,
    every_length_and_flaw,
    not_agreed_is_not_told,
    long_frames_between,
    a_reset_amid_frames,
);

mod switched {
    use super::*;

    on_bodies!(but TINY:
        off_and_on,
        what_may_not_be_set_is_refused,
    );
}

/// The device of this set checks what it receives.
fn able(make: Make) -> bool {
    make.params.offers(feature::GUEST_CSUM)
}

/// Puts frames on the wire; each comes, and is told of as it should be.
fn come(bench: &mut Bench, told: bool, frames: &[Arriving]) {
    let before = bench.counter(ident::RX_RIGHT);
    for Arriving { frame, .. } in frames {
        bench.root.frame_in(frame.clone());
    }
    bench.rest();
    let right = frames.iter().filter(|arriving| told && arriving.right).count();
    assert_eq!(bench.counter(ident::RX_RIGHT) - before, right as u32);
    for (n, arriving) in frames.iter().enumerate() {
        let Arriving { frame, right, kind, flaw } = arriving;
        let Received { header, frame: got, .. } =
            bench.drive(|driver, root| driver.receive_packet(root)).expect("a frame");
        assert_eq!(&got, frame, "frame {n}: {flaw:?}, {kind:?}");
        let flags = if told && *right { net::HDR_F_DATA_VALID } else { 0 };
        let due = Header { flags, num_buffers: header.num_buffers, ..Header::default() };
        assert_eq!(header, due, "frame {n} of {} bytes: {flaw:?}, {kind:?}", frame.len());
        assert_eq!(verified(frame), *right, "the model on frame {n}: {flaw:?}, {kind:?}");
    }
    assert_eq!(bench.received(), None);
}

fn right_checksums_are_told(make: Make) {
    let seed = Seed::from_env(0x7e1d);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(51);
    for rx_bytes in [2000, 300] {
        let options = Options { queue_size: 64, rx_buffers: 48, rx_bytes, ..Options::default() };
        let mut bench = Bench::random(make, options, seed);
        for _ in 0..24 {
            let frames: Vec<_> = (0..8).map(|_| Arriving::any(&mut rng, 1000)).collect();
            come(&mut bench, able(make), &frames);
        }
        assert_eq!(bench.counter(ident::RX_FRAMES), 24 * 8);
        bench.vectors();
        bench.quiet();
    }
}

/// Ends at every lane, and each flaw of each kind.
fn every_length_and_flaw(make: Make) {
    let seed = Seed::from_env(0x7e1e);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(52);
    let options = Options { queue_size: 32, rx_buffers: 32, ..Options::default() };
    let mut bench = Bench::new(make, options);
    for (v6, udp, vlans) in (0..8).map(|n| (n & 1 == 1, n & 2 == 2, n >> 2)) {
        let kind = |payload| Kind { v6, udp, vlans, ip_options: 0, tcp_options: 0, payload, size: 1 };
        let lengths: Vec<_> =
            (0..72).map(|payload| Arriving::new(&mut rng, kind(payload), Flaw::None)).collect();
        let flaws: Vec<_> = Flaw::ALL
            .into_iter()
            .flat_map(|flaw| [7, 60].map(|payload| (flaw, payload)))
            .map(|(flaw, payload)| Arriving::new(&mut rng, kind(payload), flaw))
            .collect();
        assert!(lengths.iter().all(|arriving| arriving.right));
        for frames in lengths.chunks(24).chain(flaws.chunks(24)) {
            come(&mut bench, able(make), frames);
        }
    }
    bench.vectors();
    bench.quiet();
}

fn not_agreed_is_not_told(make: Make) {
    let seed = Seed::from_env(0x7e1f);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(53);
    let options = Options { features: !(1 << net::F_GUEST_CSUM), ..Options::default() };
    let mut bench = Bench::new(make, options);
    let frames: Vec<_> = (0..8).map(|_| Arriving::any(&mut rng, 200)).collect();
    come(&mut bench, false, &frames);
    bench.quiet();
}

/// Frames that are dropped have no header, and take none from others.
fn long_frames_between(make: Make) {
    let seed = Seed::from_env(0x7e20);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(54);
    let mut bench = Bench::random(make, Options::default(), seed);
    for _ in 0..10 {
        let frames: Vec<_> = (0..6).map(|_| Arriving::any(&mut rng, 100)).collect();
        for arriving in &frames {
            let mut long = Arriving::any(&mut rng, 100).frame;
            long.resize(make.params.frame_bytes + 1, 0);
            bench.root.frame_in(long);
            bench.root.frame_in(arriving.frame.clone());
        }
        bench.rest();
        for arriving in &frames {
            let got = bench.drive(|driver, root| driver.receive_packet(root)).expect("a frame");
            assert_eq!(got.frame, arriving.frame);
            let right = arriving.right && able(make);
            assert_eq!(got.header.flags == net::HDR_F_DATA_VALID, right, "{arriving:?}");
        }
    }
    assert_eq!(bench.counter(ident::RX_DROPPED), 60);
    bench.vectors();
    bench.quiet();
}

/// A device reset while frames come: those behind it are told of rightly.
fn a_reset_amid_frames(make: Make) {
    let seed = Seed::from_env(0x7e21);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(55);
    let mut bench = Bench::new(make, Options::default());
    for round in 0..12 {
        for _ in 0..8 {
            let arriving = Arriving::any(&mut rng, 1400);
            bench.root.frame_in(arriving.frame);
        }
        bench.root.run(40 + 35 * round);
        bench.drive(|driver, root| driver.reset(root));
        bench.rest();
        bench.drive(|driver, root| driver.initialise(root));
        bench.rest();
        while bench.received().is_some() {}
        let frames: Vec<_> = (0..6).map(|_| Arriving::any(&mut rng, 300)).collect();
        come(&mut bench, able(make), &frames);
    }
    bench.vectors();
    bench.quiet();
}

fn set(bench: &mut Bench, offloads: u64) -> bool {
    command(bench, ctrl::GUEST_OFFLOADS, ctrl::GUEST_OFFLOADS_SET, &offloads.to_le_bytes())
}

/// [virtio 1.4: Offloads State Configuration]
fn off_and_on(make: Make) {
    let seed = Seed::from_env(0x7e22);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(56);
    let mut bench = Bench::random(make, Options::default(), seed);
    let mut on = true;
    for _ in 0..20 {
        let frames: Vec<_> = (0..6).map(|_| Arriving::any(&mut rng, 200)).collect();
        come(&mut bench, on, &frames);
        on = rng.random();
        assert!(set(&mut bench, u64::from(on) << net::F_GUEST_CSUM));
    }
    assert!(set(&mut bench, 0));
    bench.recovers();
    let frames: Vec<_> = (0..6).map(|_| Arriving::any(&mut rng, 200)).collect();
    come(&mut bench, true, &frames);
    bench.vectors();
    bench.quiet();
}

/// "A driver MUST NOT enable an offload for which the appropriate feature has not been negotiated": it is refused, and nothing changes.
fn what_may_not_be_set_is_refused(make: Make) {
    let mut rng = Seed(0x7e23).rng(57);
    let mut bench = Bench::new(make, Options::default());
    let all = 1 << net::F_GUEST_CSUM;
    for bit in (0..64).filter(|bit| *bit != net::F_GUEST_CSUM) {
        assert!(!set(&mut bench, 1 << bit), "bit {bit}");
        assert!(!set(&mut bench, all | 1 << bit), "bit {bit} with GUEST_CSUM");
    }
    for bytes in [&[2, 0, 0, 0, 0, 0, 0][..], &[2], &[], &[2, 0, 0, 0, 0, 0, 0, 0, 0]] {
        let done = command(&mut bench, ctrl::GUEST_OFFLOADS, ctrl::GUEST_OFFLOADS_SET, bytes);
        assert!(!done, "{} bytes", bytes.len());
    }
    for verb in [1, 2, 255] {
        assert!(!command(&mut bench, ctrl::GUEST_OFFLOADS, verb, &[0; 8]), "command {verb}");
    }
    let frames: Vec<_> = (0..6).map(|_| Arriving::any(&mut rng, 200)).collect();
    come(&mut bench, true, &frames);
    for (feature, offloads) in [(net::F_GUEST_CSUM, all), (net::F_CTRL_GUEST_OFFLOADS, 0)] {
        let options = Options { features: !(1 << feature), ..Options::default() };
        let mut bench = Bench::new(make, options);
        assert!(!set(&mut bench, offloads), "without feature {feature}");
    }
}
