//! Resets: of the device, of a queue, of the function, of the link; at rest and in the middle of work.

use hematite_sim::driver::{Options, RX, TX, memory};
use hematite_sim::facts::{common, status};
use hematite_sim::root::{LinkModel, Posted};
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Bench, Make, frame, on_bodies, on_packed};
use rand::Rng;

on_bodies!(
    after_a_device_reset_all_registers_are_fresh,
    no_dma_after_status_reads_zero,
    a_queue_can_be_reset_alone,
    a_queue_is_looked_at_when_it_starts,
    no_dma_of_a_queue_after_its_reset,
    a_queue_reset_mends_a_bad_queue_but_not_the_device,
    function_level_reset,
    hot_reset,
    hot_reset_gives_all_posted_credits_back,
    hot_reset_within_a_frame_costs_that_frame_alone,
    resets_at_random_moments,
);

on_packed!(
    after_a_device_reset_all_registers_are_fresh,
    no_dma_after_status_reads_zero,
    a_queue_can_be_reset_alone,
    a_queue_is_looked_at_when_it_starts,
    no_dma_of_a_queue_after_its_reset,
    a_queue_reset_mends_a_bad_queue_but_not_the_device,
    function_level_reset,
    hot_reset,
    resets_at_random_moments,
);

fn busy_options() -> Options {
    Options { queue_size: 32, rx_buffers: 16, ..Options::default() }
}

fn after_a_device_reset_all_registers_are_fresh(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let at = bench.driver.function.common.offset;
    let mut dumps = vec![];
    for _ in 0..2 {
        bench.drive(|driver, root| driver.reset(root));
        for queue in [RX, TX] {
            bench.drive(|driver, root| driver.set_common(root, common::QUEUE_SELECT, &queue.to_le_bytes()));
            let mut bytes = vec![0; common::LENGTH as usize];
            bench.root.bar_read(at, &mut bytes).expect("BAR read");
            dumps.push(bytes);
        }
        bench.drive(|driver, root| driver.initialise(root));
        bench.works();
    }
    assert_eq!(dumps[0], dumps[2]);
    assert_eq!(dumps[1], dumps[3]);
    let enable = common::QUEUE_ENABLE as usize;
    assert_eq!(dumps[1][enable..enable + 2], [0, 0]);
    assert_eq!(dumps[1][common::QUEUE_DESC as usize..][..24], [0; 24]);
}

/// Much work at hand, then `stop` in the middle of it; afterwards the memory must stay as it is.
fn nothing_moves_after(make: Make, seed: u64, stop: impl Fn(&mut Bench)) {
    let link = LinkModel { rtt_cycles: 200, ..LinkModel::random(seed) };
    let mut bench = Bench::with_link(make, busy_options(), link);
    for mark in 0..16 {
        bench.drive(|driver, root| driver.post_tx(root, &frame(400, mark), &[]));
        bench.root.frame_in(frame(300, mark));
    }
    bench.drive(|driver, root| driver.kick(root, TX));
    bench.root.run(seed % 600);
    stop(&mut bench);
    let (reads, writes, messages) = (bench.root.counts.reads, bench.root.counts.writes, bench.root.msi.count);
    bench.root.run(3000);
    let after = (bench.root.counts.reads, bench.root.counts.writes, bench.root.msi.count);
    assert_eq!(after, (reads, writes, messages), "DMA after the reset was acknowledged");
    bench.wire();
    bench.recovers();
}

fn no_dma_after_status_reads_zero(make: Make) {
    for seed in [1, 90, 203, 350, 599] {
        nothing_moves_after(make, seed, |bench| bench.drive(|driver, root| driver.reset(root)));
    }
}

fn a_queue_can_be_reset_alone(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.transmit(&[frame(60, 1), frame(60, 2), frame(60, 3)]);
    bench.drive(|driver, root| driver.reset_queue(root, TX));
    let enable: [u8; 2] = bench.drive(|driver, root| driver.common(root, common::QUEUE_ENABLE));
    assert_eq!(enable, [0, 0]);
    let packet = frame(70, 4);
    assert_eq!(bench.receive(&packet), Some(packet), "the other queue goes on");
    bench.vectors();
    bench.drive(|driver, root| driver.setup_queue(root, TX));
    bench.works();
    // the receive queue too
    bench.drive(|driver, root| driver.reset_queue(root, RX));
    assert_eq!(bench.receive(&frame(80, 5)), None, "no queue, no frame");
    bench.drive(|driver, root| driver.setup_queue(root, RX));
    bench.drive(|driver, root| driver.post_buffers(root));
    bench.rest();
    bench.works();
}

/// Buffers that are there before their queue is need no doorbell.
fn a_queue_is_looked_at_when_it_starts(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let packet = frame(70, 4);
    bench.driver.post_tx(&mut bench.root, &packet, &[]).expect("transmit ring takes the frame");
    bench.drive(|driver, root| driver.reset_queue(root, TX));
    let (areas, size) = (bench.driver.tx.areas, bench.driver.tx.size);
    for (at, value) in [
        (common::QUEUE_SIZE, &size.to_le_bytes()[..]),
        (common::QUEUE_DESC, &areas.desc.to_le_bytes()),
        (common::QUEUE_DRIVER, &areas.driver.to_le_bytes()),
        (common::QUEUE_DEVICE, &areas.device.to_le_bytes()),
        (common::QUEUE_ENABLE, &1u16.to_le_bytes()),
    ] {
        bench.drive(|driver, root| driver.set_common(root, at, value));
    }
    bench.rest();
    assert_eq!(bench.wire(), [packet]);
}

fn no_dma_of_a_queue_after_its_reset(make: Make) {
    for seed in [5, 111, 222, 444] {
        nothing_moves_after(make, seed, |bench| {
            bench.drive(|driver, root| driver.reset_queue(root, TX));
            bench.drive(|driver, root| driver.reset_queue(root, RX));
        });
    }
}

/// [virtio 1.4: Virtqueue Reset] is about a queue; DEVICE_NEEDS_RESET is about the device, and stays.
fn a_queue_reset_mends_a_bad_queue_but_not_the_device(make: Make) {
    use hematite_sim::ring::{Buffer, Evil};
    let mut bench = Bench::new(make, Options::default());
    let good = Buffer { addr: memory::TX, len: 100, writable: false };
    bench.driver.tx.add_evil(&mut bench.root.memory, Evil::Loop, good, memory::NOWHERE);
    bench.drive(|driver, root| driver.kick(root, TX));
    bench.rest();
    assert_ne!(bench.status() & status::NEEDS_RESET, 0);
    bench.vectors();
    bench.drive(|driver, root| driver.reset_queue(root, TX));
    bench.drive(|driver, root| driver.setup_queue(root, TX));
    bench.works();
    assert_ne!(bench.status() & status::NEEDS_RESET, 0);
    bench.recovers();
    assert_eq!(bench.status() & status::NEEDS_RESET, 0);
}

fn flr(bench: &mut Bench) {
    let function = bench.driver.function.clone();
    bench.root.flr(&function).unwrap_or_else(|error| panic!("{error}"));
}

fn function_level_reset(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    flr(&mut bench);
    assert_eq!(bench.status(), 0);
    bench.rest();
    bench.recovers();
    for seed in [3, 77, 310, 480] {
        nothing_moves_after(make, seed, flr);
    }
}

fn hot_reset(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.drive(|driver, root| driver.send(root, &frame(60, 1)));
    bench.root.reset();
    bench.wire();
    let function = bench.root.enumerate().expect("enumeration");
    assert_eq!(function, bench.driver.function);
    assert_eq!(bench.status(), 0);
    bench.recovers();
}

/// The wire knows nothing of the link's reset: the rest of a frame that had begun comes behind it, is passed over, and the next one is whole.
fn hot_reset_within_a_frame_costs_that_frame_alone(make: Make) {
    for moment in 0..24 {
        let mut bench = Bench::random(make, Options::default(), Seed(moment));
        for mark in 0..3 {
            bench.root.frame_in(frame(1200, mark));
        }
        bench.root.run(moment * 5);
        bench.root.reset();
        bench.wire();
        bench.root.enumerate().expect("enumeration");
        let whole = frame(900, 9);
        bench.drive(|driver, root| driver.initialise(root));
        let came = bench.receive(&whole);
        assert!(came == Some(whole), "none, or another, behind a reset {} cycles into the first", 5 * moment);
        bench.recovers();
    }
}

/// A device to which the host returns hardly any credits in time: it waits, and a link that comes up anew begins with all of them.
fn hot_reset_gives_all_posted_credits_back(make: Make) {
    let posted = Posted { headers: 2, data: 32, cycles: 300 };
    let mut bench = Bench::with_link(make, Options::default(), LinkModel { posted, ..LinkModel::fast() });
    bench.works();
    for _ in 0..3 {
        // It is in before the reset, for what is behind half a frame on the wire would be its rest; it needs more writes than may leave.
        bench.root.frame_in(frame(600, 1));
        bench.root.run(200);
        bench.root.reset();
        bench.wire();
        bench.root.enumerate().expect("enumeration");
        bench.recovers();
        for mark in 0..5 {
            assert_eq!(bench.receive(&frame(900, mark)), Some(frame(900, mark)));
        }
        bench.vectors();
        bench.works();
    }
}

fn resets_at_random_moments(make: Make) {
    let seed = Seed::from_env(0x7e57);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(13);
    let mut bench = Bench::random(make, busy_options(), seed);
    for _ in 0..10 {
        for mark in 0..rng.random_range(1..8) {
            let packet = frame(rng.random_range(14..600), mark);
            bench.drive(|driver, root| driver.post_tx(root, &packet, &[]));
            bench.root.frame_in(packet);
        }
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.root.run(rng.random_range(0..400));
        match rng.random_range(0..3) {
            0 => bench.drive(|driver, root| driver.reset(root)),
            1 => bench.drive(|driver, root| driver.reset_queue(root, TX)),
            _ => flr(&mut bench),
        }
        bench.wire();
        bench.recovers();
    }
}
