//! Interrupts held back: NOTF_COAL, VQ_NOTF_COAL. None is lost, and none comes late.
//! Spec: [virtio 1.4: Network Device, Control Virtqueue, Notifications Coalescing]

use std::collections::VecDeque;

use hematite_abi::ident;
use hematite_sim::driver::{Options, RX, TX};
use hematite_sim::facts::{ctrl, net};
use hematite_sim::root::LinkModel;
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Bench, Make, NONE, frame, on_bodies};
use rand::Rng;

use crate::commands::{bench, command};
use crate::events::take;

on_bodies!(but TINY:
    packets_are_counted,
    time_is_counted,
    without_a_limit_each_is_told,
    limits_of_one_queue,
    the_last_limits_count,
    what_cannot_be_is_refused,
    fewer_packets_are_told_at_once,
    the_drivers_wish_is_looked_at_when_it_is_time,
    a_queue_reset_tells_what_waits,
    a_device_reset_forgets_limits,
    nothing_waits_longer_than_it_may,
);

/// Cycles within which a frame has gone, or come, and its interrupt too.
const SOON: u64 = 4_000;

fn limits(packets: u32, micros: u32) -> Vec<u8> {
    [packets.to_le_bytes(), micros.to_le_bytes()].concat()
}

fn set(bench: &mut Bench, verb: u8, packets: u32, micros: u32) {
    assert!(command(bench, ctrl::NOTF_COAL, verb, &limits(packets, micros)), "limits {packets}, {micros}");
    bench.root.run(SOON);
    bench.vectors();
}

fn set_queue(bench: &mut Bench, queue: u16, packets: u32, micros: u32) -> bool {
    let data = [queue.to_le_bytes().to_vec(), vec![0xaa; 2], limits(packets, micros)].concat();
    let done = command(bench, ctrl::NOTF_COAL, ctrl::COAL_VQ_SET, &data);
    bench.root.run(SOON);
    bench.root.msi.drain();
    done
}

fn get(bench: &mut Bench, queue: u16) -> Option<(u32, u32)> {
    let data = [queue.to_le_bytes(), [0x55; 2]].concat();
    let (ack, result) =
        bench.drive(|driver, root| driver.query(root, ctrl::NOTF_COAL, ctrl::COAL_VQ_GET, &data, 8));
    bench.root.run(SOON);
    bench.root.msi.drain();
    let word = |at: usize| u32::from_le_bytes([result[at], result[at + 1], result[at + 2], result[at + 3]]);
    (ack == ctrl::ACK_OK).then(|| (word(0), word(4)))
}

/// Sends one frame and gives the interrupts which have come soon.
fn send(bench: &mut Bench) -> Vec<u32> {
    bench.drive(|driver, root| driver.send(root, &frame(60, 1)));
    bench.root.run(SOON);
    assert_eq!(bench.wire().len(), 1);
    bench.vectors()
}

fn receive(bench: &mut Bench) -> Vec<u32> {
    bench.root.frame_in(frame(60, 2));
    bench.root.run(SOON);
    bench.vectors()
}

const SENT: u32 = TX as u32 + 1;
const CAME: u32 = RX as u32 + 1;

fn packets_are_counted(make: Make) {
    let mut bench = Bench::new(make, Options { queue_size: 64, rx_buffers: 32, ..Options::default() });
    set(&mut bench, ctrl::COAL_TX_SET, 4, 500);
    set(&mut bench, ctrl::COAL_RX_SET, 3, 500);
    for _ in 0..3 {
        let told: Vec<_> = (0..4).map(|_| send(&mut bench)).collect();
        assert_eq!(told, [vec![], vec![], vec![], vec![SENT]]);
        while bench.take_tx().is_some() {}
        let told: Vec<_> = (0..3).map(|_| receive(&mut bench)).collect();
        assert_eq!(told, [vec![], vec![], vec![CAME]]);
        while bench.received().is_some() {}
    }
    bench.rest();
    assert_eq!(bench.vectors(), NONE);
    bench.quiet();
}

fn time_is_counted(make: Make) {
    let mut bench = bench(make);
    set(&mut bench, ctrl::COAL_TX_SET, 100, 40);
    let cycle = make.params.clock_mhz as u64;
    for _ in 0..3 {
        let start = bench.root.device.now();
        bench.drive(|driver, root| driver.send(root, &frame(60, 1)));
        let message = loop {
            if let Some(message) = bench.root.msi.take() {
                break message;
            }
            assert!(bench.root.device.now() < start + 60 * cycle, "no interrupt after 60 us");
            bench.root.run(20);
        };
        let took = bench.root.device.now() - start;
        assert!((38 * cycle..44 * cycle + 1000).contains(&took), "after {took} cycles");
        assert_eq!(message.data, SENT);
        while bench.take_tx().is_some() {}
    }
    bench.rest();
    bench.wire();
    assert_eq!(bench.vectors(), NONE);
    // Rest is rest only when nothing waits.
    bench.drive(|driver, root| driver.send(root, &frame(60, 1)));
    bench.rest();
    assert_eq!(bench.vectors(), [SENT]);
    bench.quiet();
}

fn without_a_limit_each_is_told(make: Make) {
    let mut bench = bench(make);
    for (packets, micros) in [(0, 100), (10, 0), (0, 0), (1, 100)] {
        set(&mut bench, ctrl::COAL_TX_SET, packets, micros);
        assert_eq!(send(&mut bench), [SENT], "{packets} {micros}");
        assert!(bench.take_tx().is_some());
    }
    bench.works();
}

fn limits_of_one_queue(make: Make) {
    let mut bench = bench(make);
    assert_eq!(get(&mut bench, TX), Some((0, 0)));
    assert!(set_queue(&mut bench, TX, 2, 300));
    assert_eq!(get(&mut bench, TX), Some((2, 300)));
    assert_eq!(get(&mut bench, RX), Some((0, 0)));
    assert_eq!(send(&mut bench), NONE);
    assert_eq!(send(&mut bench), [SENT]);
    assert_eq!(receive(&mut bench), [CAME]);
    bench.quiet();
}

/// "the device applies the last coalescing parameters set for a virtqueue, regardless of the command used".
fn the_last_limits_count(make: Make) {
    let mut bench = bench(make);
    set(&mut bench, ctrl::COAL_TX_SET, 9, 90);
    assert_eq!([get(&mut bench, TX), get(&mut bench, RX)], [Some((9, 90)), Some((0, 0))]);
    assert!(set_queue(&mut bench, TX, 2, 65_535));
    set(&mut bench, ctrl::COAL_RX_SET, 65_535, 80);
    assert_eq!([get(&mut bench, TX), get(&mut bench, RX)], [Some((2, 65_535)), Some((65_535, 80))]);
    set(&mut bench, ctrl::COAL_TX_SET, 7, 70);
    assert_eq!([get(&mut bench, TX), get(&mut bench, RX)], [Some((7, 70)), Some((65_535, 80))]);
    // "Upon disabling and re-enabling": those of the direction.
    assert!(set_queue(&mut bench, TX, 1, 1));
    bench.drive(|driver, root| driver.reset_queue(root, TX));
    assert_eq!(get(&mut bench, TX), None, "a queue that is off");
    bench.drive(|driver, root| driver.setup_queue(root, TX));
    assert_eq!(get(&mut bench, TX), Some((7, 70)));
    bench.rest();
    bench.quiet();
}

fn what_cannot_be_is_refused(make: Make) {
    let mut bench = bench(make);
    let control = 2 * make.params.pairs as u16;
    for queue in [2, control, control + 1, 0x100, 0xffff] {
        assert!(!set_queue(&mut bench, queue, 1, 1), "queue {queue}");
        assert_eq!(get(&mut bench, queue), None, "queue {queue}");
    }
    for (packets, micros) in [(65_536, 1), (1, 65_536), (u32::MAX, 0)] {
        assert!(!command(&mut bench, ctrl::NOTF_COAL, ctrl::COAL_RX_SET, &limits(packets, micros)));
        assert!(!set_queue(&mut bench, RX, packets, micros));
    }
    for verb in [ctrl::COAL_TX_SET, ctrl::COAL_RX_SET, ctrl::COAL_VQ_SET, ctrl::COAL_VQ_GET, 4] {
        for bytes in [0, 3, 5, 7, 9, 11, 13] {
            assert!(!command(&mut bench, ctrl::NOTF_COAL, verb, &vec![0; bytes]), "{verb}: {bytes} bytes");
        }
    }
    assert_eq!([get(&mut bench, TX), get(&mut bench, RX)], [Some((0, 0)); 2]);
    // An answer without room for all of it is cut off, and not more.
    assert!(command(&mut bench, ctrl::NOTF_COAL, ctrl::COAL_VQ_GET, &[0; 4]));
    bench.rest();
    bench.works();
    for (without, verb, bytes) in [
        (net::F_NOTF_COAL, ctrl::COAL_TX_SET, 8),
        (net::F_NOTF_COAL, ctrl::COAL_RX_SET, 8),
        (net::F_VQ_NOTF_COAL, ctrl::COAL_VQ_SET, 12),
        (net::F_VQ_NOTF_COAL, ctrl::COAL_VQ_GET, 4),
    ] {
        let mut bench = Bench::new(make, Options { features: !(1 << without), ..Options::default() });
        assert!(!command(&mut bench, ctrl::NOTF_COAL, verb, &vec![0; bytes]), "{verb}");
    }
}

fn fewer_packets_are_told_at_once(make: Make) {
    let mut bench = bench(make);
    set(&mut bench, ctrl::COAL_TX_SET, 15, 700);
    for _ in 0..5 {
        assert_eq!(send(&mut bench), NONE);
    }
    assert!(command(&mut bench, ctrl::NOTF_COAL, ctrl::COAL_TX_SET, &limits(5, 700)));
    bench.root.run(SOON);
    let control = 2 * make.params.pairs as u32 + 1;
    // Of the answer the driver may know before the device asks whether it wants to.
    let told: Vec<u32> = bench.vectors().into_iter().filter(|vector| *vector != control).collect();
    assert_eq!(told, [SENT]);
    bench.rest();
    bench.quiet();
}

fn the_drivers_wish_is_looked_at_when_it_is_time(make: Make) {
    let mut bench = bench(make);
    set(&mut bench, ctrl::COAL_TX_SET, 100, 60);
    let before = bench.counter(ident::IRQ_SUPPRESSED);
    assert_eq!(send(&mut bench), NONE);
    assert_eq!(send(&mut bench), NONE);
    assert_eq!(bench.counter(ident::IRQ_SUPPRESSED), before, "nobody has looked");
    bench.driver.tx.suppress(&mut bench.root.memory, true);
    bench.rest();
    assert_eq!(bench.vectors(), NONE);
    assert_eq!(bench.counter(ident::IRQ_SUPPRESSED), before + 1);
    while bench.take_tx().is_some() {}
    bench.driver.tx.suppress(&mut bench.root.memory, false);
    assert_eq!(send(&mut bench), NONE);
    bench.rest();
    assert_eq!(bench.vectors(), [SENT]);
    bench.quiet();
}

/// A queue that waits is no reason for another one's reset to take long; and it loses nothing by that.
fn a_queue_reset_tells_what_waits(make: Make) {
    let mut bench = bench(make);
    set(&mut bench, ctrl::COAL_TX_SET, 100, 60_000);
    set(&mut bench, ctrl::COAL_RX_SET, 100, 500);
    assert_eq!(send(&mut bench), NONE);
    assert_eq!(receive(&mut bench), NONE);
    bench.drive(|driver, root| driver.reset_queue(root, TX));
    bench.rest();
    let told = bench.vectors();
    assert_eq!(told.iter().filter(|vector| **vector == CAME).count(), 1, "{told:?}");
    bench.wire();
    assert!(bench.received().is_some());
    set(&mut bench, ctrl::COAL_TX_SET, 0, 0);
    set(&mut bench, ctrl::COAL_RX_SET, 0, 0);
    bench.drive(|driver, root| driver.setup_queue(root, TX));
    bench.works();
}

fn a_device_reset_forgets_limits(make: Make) {
    let mut bench = bench(make);
    set(&mut bench, ctrl::COAL_TX_SET, 100, 60_000);
    assert!(set_queue(&mut bench, RX, 100, 60_000));
    assert_eq!(send(&mut bench), NONE);
    assert_eq!(receive(&mut bench), NONE);
    bench.recovers();
    assert_eq!([get(&mut bench, TX), get(&mut bench, RX)], [Some((0, 0)); 2]);
    bench.works();
}

/// A driver that looks only when it is told to, with limits that change: nothing is left lying.
fn nothing_waits_longer_than_it_may(make: Make) {
    let seed = Seed::from_env(0xc0a1);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(31);
    let options = Options { queue_size: 32, rx_buffers: 20, rx_bytes: 300, ..Options::default() };
    let mut bench = Bench::with_link(make, options, LinkModel::random(seed.0));
    let (mut sent, mut got, mut lost) = (VecDeque::new(), VecDeque::new(), 0);
    for round in 0..200u32 {
        for _ in 0..rng.random_range(0..4) {
            let out = frame(rng.random_range(60..200), round as u8);
            if bench.driver.tx.room() > 0 {
                bench.drive(|driver, root| driver.post_tx(root, &out, &[]));
                sent.push_back(out);
            }
        }
        bench.drive(|driver, root| driver.notify(root, TX));
        for _ in 0..rng.random_range(0..3) {
            let back = frame(rng.random_range(60..700), round as u8);
            bench.root.frame_in(back.clone());
            got.push_back(back);
        }
        if rng.random_bool(0.15) {
            let data = limits(rng.random_range(0..12), rng.random_range(0..60));
            let verb = rng.random_range(0..3u8);
            let queue = [rng.random_range(0..2u8), 0, 0, 0];
            let data = if verb == ctrl::COAL_VQ_SET { [queue.to_vec(), data].concat() } else { data };
            assert!(command(&mut bench, ctrl::NOTF_COAL, verb, &data));
        }
        bench.root.run(rng.random_range(0..3000));
        lost += take(&mut bench, &mut sent, &mut got);
    }
    bench.rest();
    lost += take(&mut bench, &mut sent, &mut got) + got.len() as u32;
    assert!(sent.is_empty(), "{} frames were not sent", sent.len());
    assert_eq!(bench.driver.tx.in_flight(), 0, "chains came back without an interrupt");
    assert_eq!(lost, bench.counter(ident::RX_NO_BUFFER), "frames came without an interrupt");
    bench.quiet();
}
