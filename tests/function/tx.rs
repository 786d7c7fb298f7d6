//! Transmission: from a chain to a frame on the wire.

use hematite_abi::feature;
use hematite_sim::driver::{self, Options, TX};
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Bench, Make, frame, on_bodies, on_packed};
use rand::Rng;

on_bodies!(
    frames_of_every_length_come_out_whole,
    any_alignment_and_any_cut,
    the_longest_legal_chain,
    indirect_tables,
    a_batch_by_one_kick,
    the_ring_wraps,
    the_oversized_are_completed_and_not_sent,
    random_frames_over_a_random_link,
);

on_packed!(
    frames_of_every_length_come_out_whole,
    any_alignment_and_any_cut,
    the_longest_legal_chain,
    indirect_tables,
    a_batch_by_one_kick,
    the_ring_wraps,
    the_oversized_are_completed_and_not_sent,
    random_frames_over_a_random_link,
);

/// Largest frame which every parameter set carries.
const MOST: usize = 1514;

fn frames_of_every_length_come_out_whole(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let lengths: Vec<usize> =
        (14..80).chain([127, 128, 129, 255, 256, 257, 500, 512, 513, 1024, 1500, 1513, MOST]).collect();
    for batch in lengths.chunks(8) {
        let frames: Vec<_> = batch.iter().map(|len| frame(*len, *len as u8)).collect();
        assert_eq!(bench.transmit(&frames), frames, "lengths {batch:?}");
    }
    bench.quiet();
}

/// [virtio 1.4: Message Framing] "The device MUST NOT make assumptions about the particular arrangement of descriptors."
fn any_alignment_and_any_cut(make: Make) {
    let mut bench = Bench::new(make, Options { queue_size: 8, ..Options::default() });
    for skew in 0..8 {
        bench.driver.options.skew = skew + 0xff8;
        for cuts in [&[][..], &[12], &[1], &[10, 13, 14], &[12, 13, 20, 64, 65], &[3, 6, 9, 12, 15, 18, 21]] {
            let packet = frame(97, skew as u8);
            bench.drive(|driver, root| driver.post_tx(root, &packet, cuts));
            bench.drive(|driver, root| driver.kick(root, TX));
            bench.rest();
            assert_eq!(bench.wire(), [packet], "skew {skew}, cuts {cuts:?}");
            assert_eq!(bench.take_tx().map(|used| used.len), Some(0));
        }
    }
    bench.quiet();
}

/// As many descriptors as the queue has, and not one fewer.
fn the_longest_legal_chain(make: Make) {
    let mut bench = Bench::new(make, Options { queue_size: 8, ..Options::default() });
    let packet = frame(100, 1);
    bench.drive(|driver, root| driver.post_tx(root, &packet, &[5, 12, 20, 30, 40, 60, 80]));
    assert_eq!(bench.driver.tx.room(), 0);
    bench.drive(|driver, root| driver.kick(root, TX));
    bench.rest();
    assert_eq!(bench.wire(), [packet]);
    assert_eq!(bench.take_tx().map(|used| used.buffers.len()), Some(8));
    bench.works();
}

/// [virtio 1.4: Indirect Descriptors] "zero or more normal chained descriptors followed by" a table.
fn indirect_tables(make: Make) {
    if !make.params.offers(feature::INDIRECT_DESC) {
        return;
    }
    // [virtio 1.4: Packed Virtqueues, Indirect Descriptors] nothing stands before a table there
    for direct in if make.packed { 0..1 } else { 0..3 } {
        let mut bench =
            Bench::new(make, Options { queue_size: 8, tables: Some(direct), ..Options::default() });
        for cuts in
            [&[12][..], &[5, 12, 20, 30, 40, 60, 80], &[0, 12, 12, 40], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]]
        {
            let packet = frame(100, direct as u8);
            bench.drive(|driver, root| driver.post_tx(root, &packet, cuts));
            assert_eq!(
                bench.driver.tx.room(),
                8 - (direct + 1).min(cuts.len() + 1),
                "{direct} before the table"
            );
            bench.drive(|driver, root| driver.kick(root, TX));
            bench.rest();
            assert_eq!(bench.wire(), [packet], "{direct} before the table, cuts {cuts:?}");
            assert_eq!(bench.take_tx().map(|used| used.buffers.len()), Some(cuts.len() + 1));
        }
        bench.quiet();
    }
    let options = Options { features: !(1 << feature::INDIRECT_DESC), tables: Some(0), ..Options::default() };
    let mut bench = Bench::new(make, options);
    assert_eq!(bench.driver.tx.tables, None, "not accepted, not used");
    bench.works();
}

fn a_batch_by_one_kick(make: Make) {
    let mut bench = Bench::new(make, Options { queue_size: 32, ..Options::default() });
    let frames: Vec<_> = (0..32).map(|i| frame(60 + i, i as u8)).collect();
    assert_eq!(bench.transmit(&frames), frames);
    assert!(!bench.vectors().is_empty(), "at least one interrupt for the batch");
    bench.quiet();
}

fn the_ring_wraps(make: Make) {
    let mut bench = Bench::new(make, Options { queue_size: 4, rx_buffers: 4, ..Options::default() });
    for round in 0..12u8 {
        let frames: Vec<_> = (0..3).map(|i| frame(60, round * 3 + i)).collect();
        assert_eq!(bench.transmit(&frames), frames, "round {round}");
    }
    assert_eq!(bench.driver.tx.used_idx(&mut bench.root.memory), 36);
    bench.quiet();
}

fn the_oversized_are_completed_and_not_sent(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let good = frame(MOST, 1);
    assert_eq!(bench.transmit(&[frame(9300, 2), good.clone(), frame(11_000, 3)]), [good]);
    bench.works();
}

fn random_frames_over_a_random_link(make: Make) {
    let seed = Seed::from_env(0x51f3);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(10);
    let mut bench = Bench::random(make, Options { queue_size: 32, ..Options::default() }, seed);
    for _ in 0..12 {
        let mut frames = vec![];
        for mark in 0..rng.random_range(1..=8) {
            let packet = frame(rng.random_range(14..=MOST), mark);
            let mut cuts: Vec<usize> = (0..rng.random_range(0..3)).map(|_| rng.random_range(0..26)).collect();
            cuts.sort_unstable();
            bench.driver.options.skew = rng.random_range(0..0x800);
            bench.drive(|driver, root| driver.post_tx(root, &packet, &cuts));
            frames.push(packet);
        }
        bench.drive(|driver, root| driver.kick(root, driver::TX));
        bench.rest();
        assert_eq!(bench.wire(), frames);
        for _ in &frames {
            assert_eq!(bench.take_tx().map(|used| used.len), Some(0));
        }
    }
    bench.quiet();
}
