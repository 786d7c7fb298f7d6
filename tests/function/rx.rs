//! Reception: from a frame on the wire to the driver's buffers.

use hematite_abi::feature;
use hematite_sim::driver::{self, Options, RX, memory};
use hematite_sim::facts::net;
use hematite_sim::ring::Buffer;
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Bench, Make, NONE, Params, frame, on_bodies, on_packed, rtl};
use rand::Rng;

on_bodies!(
    frames_of_every_length_arrive_whole,
    frames_are_merged_from_small_buffers,
    without_merging_one_buffer_of_many_descriptors,
    indirect_tables,
    too_small_without_merging_is_dropped,
    too_few_to_merge_is_dropped,
    no_buffer_no_frame,
    the_oversized_are_dropped,
    before_driver_ok_frames_are_dropped,
    random_frames_over_a_random_link,
);

on_packed!(
    frames_of_every_length_arrive_whole,
    frames_are_merged_from_small_buffers,
    without_merging_one_buffer_of_many_descriptors,
    indirect_tables,
    too_small_without_merging_is_dropped,
    too_few_to_merge_is_dropped,
    no_buffer_no_frame,
    the_oversized_are_dropped,
    before_driver_ok_frames_are_dropped,
    random_frames_over_a_random_link,
);

const HDR_BYTES: usize = net::HDR_BYTES as usize;

fn without_merging() -> u128 {
    Options::default().features & !(1 << net::F_MRG_RXBUF)
}

fn frames_of_every_length_arrive_whole(make: Make) {
    for features in [u128::MAX, without_merging()] {
        let mut bench = Bench::new(make, Options { features, ..Options::default() });
        for len in (14..40).chain([59, 60, 61, 127, 128, 129, 244, 256, 500, 501, 1024, 1500, 1514]) {
            let packet = frame(len, len as u8);
            assert_eq!(bench.receive(&packet), Some(packet), "{len} bytes");
            assert_eq!(bench.vectors(), [u32::from(RX) + 1], "{len} bytes");
        }
        bench.quiet();
    }
}

fn frames_are_merged_from_small_buffers(make: Make) {
    for (rx_bytes, skew) in [(64, 0), (100, 3), (257, 0xffd)] {
        let options = Options { queue_size: 32, rx_buffers: 32, rx_bytes, skew, ..Options::default() };
        let mut bench = Bench::new(make, options);
        let most = make.params.ready_heads * rx_bytes as usize - HDR_BYTES;
        for len in [30, 52, 53, 88, 89, 245, 246, 700, 1500].map(|len| len.min(most)) {
            let packet = frame(len, len as u8);
            assert_eq!(bench.receive(&packet), Some(packet), "{len} bytes in buffers of {rx_bytes}");
        }
        bench.quiet();
    }
}

/// hw/README, "A receive queue keeps heads, not chains". The model has no such bound.
#[test]
fn more_chains_than_are_kept_is_dropped() {
    let params = &Params::TINY;
    let (rx_bytes, kept) = (64, params.ready_heads);
    let options = Options { queue_size: 32, rx_buffers: 32, rx_bytes, ..Options::default() };
    let mut bench = Bench::new(rtl(params), options);
    let most = kept * rx_bytes as usize - HDR_BYTES;
    assert_eq!(bench.receive(&frame(most + 1, 1)), None, "{} chains", kept + 1);
    assert_eq!(bench.vectors(), NONE);
    let packet = frame(most, 2);
    assert_eq!(bench.receive(&packet), Some(packet), "{kept} chains");
    bench.quiet();
}

fn without_merging_one_buffer_of_many_descriptors(make: Make) {
    let options = Options { features: without_merging(), rx_buffers: 0, ..Options::default() };
    let mut bench = Bench::new(make, options);
    for (round, len) in [14usize, 100, 600].into_iter().enumerate() {
        let at = |offset, len| Buffer { addr: memory::RX + offset, len, writable: true };
        let chain = [at(0, 12), at(12, 1), at(13, 50), at(63, 1000)];
        bench.drive(|driver, root| driver.post(root, RX, &chain));
        bench.drive(|driver, root| driver.kick(root, RX));
        bench.rest();
        let packet = frame(len, round as u8);
        bench.root.frame_in(packet.clone());
        bench.rest();
        let used = bench.driver.rx.take_used(&mut bench.root.memory).expect("sane ring").expect("used");
        assert_eq!(used.len as usize, 12 + len);
        let mut seen = vec![0; 12 + len];
        bench.root.memory.look(memory::RX, &mut seen);
        assert_eq!(seen[12..], packet);
        // [virtio 1.4: Processing of Incoming Packets] num_buffers is 1, no offload says anything.
        assert_eq!(seen[..12], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
    }
    bench.quiet();
}

/// Chains of tables, merged: the first buffer holds the header and little else.
fn indirect_tables(make: Make) {
    if !make.params.offers(feature::INDIRECT_DESC) {
        return;
    }
    let options = Options { rx_buffers: 0, tables: Some(0), queue_size: 8, ..Options::default() };
    let mut bench = Bench::new(make, options);
    for round in 0..20u8 {
        let at = |offset, len| Buffer { addr: memory::RX + offset, len, writable: true };
        let chains: [&[Buffer]; 3] =
            [&[at(0, 13), at(13, 50), at(63, 0), at(63, 37)], &[at(100, 200)], &[at(300, 1), at(301, 299)]];
        for chain in chains {
            bench.drive(|driver, root| driver.post(root, RX, chain));
        }
        bench.drive(|driver, root| driver.kick(root, RX));
        bench.rest();
        let packet = frame(588 - usize::from(round), round);
        bench.root.frame_in(packet.clone());
        bench.rest();
        let mut used = vec![];
        while let Some(one) = bench.driver.rx.take_used(&mut bench.root.memory).expect("sane ring") {
            used.push((one.len, one.buffers.len()));
        }
        assert_eq!(used, [(100, 4), (200, 1), (300 - u32::from(round), 2)]);
        let mut seen = vec![0; 12 + packet.len()];
        bench.root.memory.look(memory::RX, &mut seen);
        assert_eq!(seen[12..], packet);
        assert_eq!(seen[10], 3, "num_buffers");
    }
    bench.quiet();
}

fn too_small_without_merging_is_dropped(make: Make) {
    let options = Options { features: without_merging(), rx_bytes: 200, ..Options::default() };
    let mut bench = Bench::new(make, options);
    assert_eq!(bench.receive(&frame(189, 1)), None);
    assert_eq!(bench.vectors(), NONE);
    // the chain is still there for a frame which fits
    let packet = frame(188, 2);
    assert_eq!(bench.receive(&packet), Some(packet));
    assert_eq!(bench.driver.rx.used_idx(&mut bench.root.memory), 1);
    bench.quiet();
}

fn too_few_to_merge_is_dropped(make: Make) {
    let options = Options { rx_bytes: 100, rx_buffers: 3, ..Options::default() };
    let mut bench = Bench::new(make, options);
    assert_eq!(bench.receive(&frame(300, 1)), None, "312 bytes do not fit in three buffers of 100");
    assert_eq!(bench.vectors(), NONE);
    let packet = frame(288, 2);
    assert_eq!(bench.receive(&packet), Some(packet), "300 do");
    bench.quiet();
}

fn no_buffer_no_frame(make: Make) {
    let mut bench = Bench::new(make, Options { rx_buffers: 2, ..Options::default() });
    for mark in 0..5 {
        bench.root.frame_in(frame(60, mark));
    }
    bench.rest();
    assert_eq!(bench.received(), Some(frame(60, 0)));
    assert_eq!(bench.received(), Some(frame(60, 1)));
    assert_eq!(bench.received(), None, "the other three had no buffer");
    bench.works();
}

/// Longer than any parameter set takes; the frames around it arrive.
fn the_oversized_are_dropped(make: Make) {
    let mut bench = Bench::new(make, Options { queue_size: 32, rx_buffers: 32, ..Options::default() });
    for packet in [frame(100, 1), frame(9300, 2), frame(101, 3)] {
        bench.root.frame_in(packet);
    }
    bench.rest();
    assert_eq!(bench.received(), Some(frame(100, 1)));
    assert_eq!(bench.received(), Some(frame(101, 3)));
    assert_eq!(bench.received(), None);
    bench.vectors();
    bench.works();
}

fn before_driver_ok_frames_are_dropped(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.drive(|driver, root| driver.reset(root));
    bench.root.frame_in(frame(60, 1));
    bench.rest();
    bench.drive(|driver, root| driver.initialise(root));
    bench.rest();
    assert_eq!(bench.received(), None);
    bench.works();
}

fn random_frames_over_a_random_link(make: Make) {
    let seed = Seed::from_env(0xbeef);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(11);
    let rx_bytes = rng.random_range(60..=1600);
    let options = Options { queue_size: 32, rx_buffers: 32, rx_bytes, ..Options::default() };
    let mut bench = Bench::random(make, options, seed);
    for _ in 0..16 {
        let frames: Vec<_> =
            (0..rng.random_range(1..4)).map(|mark| frame(rng.random_range(14..=500), mark)).collect();
        for packet in &frames {
            bench.root.frame_in(packet.clone());
        }
        bench.rest();
        for packet in &frames {
            assert_eq!(bench.received().as_ref(), Some(packet), "buffers of {rx_bytes}");
        }
        assert_eq!(bench.received(), None);
        bench.rest();
        assert!(bench.vectors().iter().all(|vector| *vector == u32::from(driver::RX) + 1));
    }
    bench.quiet();
}
