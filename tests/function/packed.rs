//! VIRTIO_F_RING_PACKED: what only packed rings have. What both have is tested with both, in the other files.
//! Spec: [virtio 1.4: Packed Virtqueues]

use hematite_abi::{feature, ident};
use hematite_sim::driver::{Options, RX, TX, memory};
use hematite_sim::facts::{packed, ring};
use hematite_sim::ring::Buffer;
use hematite_sim::root::LinkModel;
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Bench, Make, frame, on_packed};
use rand::Rng;

on_packed!(
    it_is_taken_only_when_asked_for,
    a_packet_of_several_buffers_is_seen_at_once,
    a_list_counts_when_it_is_whole,
    positions_can_be_followed,
    lists_of_all_lengths_in_turns,
    flags_without_events,
    counts_go_round,
);

fn it_is_taken_only_when_asked_for(make: Make) {
    assert!(make.params.offers(feature::RING_PACKED));
    let mut bench = Bench::new(make, Options::default());
    assert_eq!(bench.driver.features >> feature::RING_PACKED & 1, 1);
    assert!(bench.driver.tx.packed && bench.driver.rx.packed);
    for _ in 0..40 {
        bench.works();
    }
    // The same function, with split rings and back.
    for packed in [false, true] {
        bench.driver.options.packed = packed;
        bench.recovers();
        assert_eq!(bench.driver.tx.packed, packed);
    }
}

/// The first of a packet's used descriptors is written last: a driver that finds it finds all.
fn a_packet_of_several_buffers_is_seen_at_once(make: Make) {
    let options = Options { rx_bytes: 100, rx_buffers: 15, ..Options::default() };
    let mut bench = Bench::new(make, options);
    for round in 0..12u16 {
        let before = bench.driver.rx.used_idx(&mut bench.root.memory);
        let packet = frame(88 + 100 * usize::from(round % 4), round as u8);
        let chains = 1 + round % 4;
        bench.root.frame_in(packet.clone());
        for _ in 0..4000 {
            bench.root.run(1);
            let used = bench.driver.rx.used_idx(&mut bench.root.memory).wrapping_sub(before);
            assert!(used == 0 || used == chains, "round {round}: {used} of {chains} chains are seen");
        }
        bench.rest();
        assert_eq!(bench.received(), Some(packet));
        bench.rest();
    }
    bench.quiet();
}

/// A list of which not all is available is nothing, whichever descriptor is missing; and descriptors behind it are not looked at.
fn a_list_counts_when_it_is_whole(make: Make) {
    let mut bench = Bench::new(make, Options { queue_size: 8, ..Options::default() });
    for round in 0..24u8 {
        let packet = frame(100, round);
        bench.drive(|driver, root| driver.post_tx(root, &packet, &[20, 60]));
        let slot = (3 * u64::from(round) + u64::from(round) % 3) % 8;
        let at = bench.driver.tx.areas.desc + slot * ring::DESC_BYTES + packed::DESC_FLAGS;
        let flags = u16::from_le_bytes(bench.root.memory.peek(at));
        let turned = flags ^ (packed::DESC_F_AVAIL | packed::DESC_F_USED);
        for (now, out) in [(turned, vec![]), (turned, vec![]), (flags, vec![packet])] {
            bench.root.memory.poke(at, &now.to_le_bytes());
            bench.drive(|driver, root| driver.kick(root, TX));
            bench.rest();
            assert_eq!(bench.wire(), out, "round {round}");
            assert_eq!(bench.vectors().is_empty(), out.is_empty(), "round {round}");
        }
        assert!(bench.take_tx().is_some());
        bench.rest();
    }
    bench.quiet();
}

/// Counts of descriptors in the inspection region: place and wrap counter are what the size leaves of them.
fn positions_can_be_followed(make: Make) {
    let mut bench = Bench::new(make, Options { queue_size: 8, ..Options::default() });
    let block = ident::QUEUES_OFFSET + usize::from(TX) * ident::QUEUE_STATE_BYTES;
    let mut slots = 0u32;
    for round in 0..20 {
        let packet = frame(80, round);
        let cuts: &[usize] = [&[][..], &[12], &[12, 20, 30]][usize::from(round) % 3];
        bench.drive(|driver, root| driver.post_tx(root, &packet, cuts));
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.rest();
        slots += cuts.len() as u32 + 1;
        assert_eq!(bench.inspect(block + ident::QUEUE_AVAIL_TAKEN), slots);
        assert_eq!(bench.inspect(block + ident::QUEUE_USED_IDX), slots);
        assert!(bench.take_tx().is_some());
    }
    bench.drive(|driver, root| driver.reset_queue(root, TX));
    bench.drive(|driver, root| driver.setup_queue(root, TX));
    assert_eq!(bench.inspect(block + ident::QUEUE_AVAIL_TAKEN), 0);
    assert_eq!(bench.inspect(block + ident::QUEUE_USED_IDX), 0);
}

/// Lists and tables of every length through a small ring, by a driver that kicks and looks only when it is asked to.
fn lists_of_all_lengths_in_turns(make: Make) {
    let seed = Seed::from_env(0x9ac4);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(40);
    for tables in [None, Some(0)] {
        let options = Options { queue_size: 16, rx_buffers: 0, tables, ..Options::default() };
        let mut bench = Bench::random(make, options, seed);
        let (mut sent, mut slot) = (std::collections::VecDeque::new(), 0);
        for round in 0..200u32 {
            let len = rng.random_range(20..400);
            let packet = frame(len, round as u8);
            let mut cuts: Vec<usize> =
                (0..rng.random_range(0..12)).map(|_| rng.random_range(0..len)).collect();
            cuts.sort_unstable();
            let fits = bench.driver.tx.room() > if tables.is_some() { 0 } else { cuts.len() };
            if fits && bench.drive(|driver, root| Ok(driver.post_tx(root, &packet, &cuts).is_ok())) {
                sent.push_back(packet);
            }
            // Receive chains of several descriptors beside them.
            if bench.driver.rx.room() > 3 && rng.random_bool(0.5) {
                let base = memory::RX + slot * memory::SLOT;
                slot = (slot + 1) % memory::SLOTS;
                let at = |offset, len| Buffer { addr: base + offset, len, writable: true };
                bench.drive(|driver, root| driver.post(root, RX, &[at(0, 30), at(30, 0), at(30, 400)]));
                bench.drive(|driver, root| driver.notify(root, RX));
            }
            bench.drive(|driver, root| driver.notify(root, TX));
            if rng.random_bool(0.3) {
                bench.root.frame_in(frame(rng.random_range(60..400), round as u8));
            }
            bench.root.run(rng.random_range(0..900));
            for out in bench.wire() {
                assert_eq!(Some(out), sent.pop_front(), "round {round}");
            }
            while bench.take_tx().is_some() {}
            while bench.driver.rx.take_used(&mut bench.root.memory).expect("sane ring").is_some() {}
        }
        bench.rest();
        for out in bench.wire() {
            assert_eq!(Some(out), sent.pop_front());
        }
        assert!(sent.is_empty(), "{} frames lie", sent.len());
        while bench.take_tx().is_some() {}
        assert_eq!(bench.driver.tx.in_flight(), 0);
        bench.quiet();
    }
}

/// Without EVENT_IDX: notifications on or off; the device leaves its own structure alone.
fn flags_without_events(make: Make) {
    let features = !(1 << feature::EVENT_IDX);
    let mut bench = Bench::with_link(make, Options { features, ..Options::default() }, LinkModel::fast());
    for round in 0..20u8 {
        let quiet = round % 3 == 1;
        bench.driver.tx.suppress(&mut bench.root.memory, quiet);
        bench.transmit(&[frame(60, round), frame(61, round)]);
        let seen = bench.vectors();
        assert_eq!(seen.is_empty(), quiet, "round {round}: {seen:?}");
        let device: [u8; 4] = bench.root.memory.peek(bench.driver.tx.areas.device);
        assert_eq!(device, [0; 4]);
    }
    bench.quiet();
}

/// Positions are counted modulo 65536: the ring goes on behind that as before.
fn counts_go_round(make: Make) {
    let mut bench = Bench::new(make, Options { queue_size: 256, ..Options::default() });
    let cuts: Vec<usize> = (1..12).map(|piece| 8 * piece).collect();
    let block = ident::QUEUES_OFFSET + usize::from(TX) * ident::QUEUE_STATE_BYTES;
    let mut slots = 0u32;
    while slots < (1 << 16) + 1000 {
        let frames: Vec<_> = (0..21).map(|mark| frame(100, mark)).collect();
        for packet in &frames {
            bench.drive(|driver, root| driver.post_tx(root, packet, &cuts));
            slots += cuts.len() as u32 + 1;
        }
        bench.drive(|driver, root| driver.notify(root, TX));
        bench.rest();
        assert_eq!(bench.wire(), frames, "after {slots} descriptors");
        frames.iter().for_each(|_| assert!(bench.take_tx().is_some()));
        assert_eq!(bench.inspect(block + ident::QUEUE_USED_IDX), slots % (1 << 16));
    }
    bench.works();
}
