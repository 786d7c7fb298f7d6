//! VIRTIO_F_EVENT_IDX: kicks and interrupts where the other side has asked for them, and only there.
//! Spec: [virtio 1.4: Used Buffer Notification Suppression], [virtio 1.4: Available Buffer Notification Suppression]

use hematite_abi::ident;
use hematite_sim::driver::{Options, RX, TX};
use hematite_sim::facts::{packed, ring, virtio};
use hematite_sim::root::LinkModel;
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Bench, Make, NONE, frame, on_bodies, on_packed};
use rand::Rng;
use std::collections::VecDeque;

on_bodies!(but TINY:
    the_device_asks_for_the_next_kick,
    what_comes_while_the_device_works_needs_no_kick,
    an_interrupt_comes_behind_used_event,
    a_queue_that_starts_again_is_asked_again,
    rings_of_one_entry,
    who_keeps_to_the_events_waits_for_nothing,
);

on_packed!(
    the_device_asks_for_the_next_kick,
    what_comes_while_the_device_works_needs_no_kick,
    an_interrupt_comes_behind_used_event,
    a_queue_that_starts_again_is_asked_again,
    rings_of_one_entry,
    who_keeps_to_the_events_waits_for_nothing,
);

/// The avail_event of the transmit queue; of a packed ring as a count of descriptors, as far as that says.
fn avail_event(bench: &mut Bench) -> u16 {
    let (areas, size) = (bench.driver.tx.areas, bench.driver.tx.size);
    if bench.driver.tx.packed {
        let [low, high, flags, _]: [u8; 4] = bench.root.memory.peek(areas.device);
        if [low, high, flags] == [0; 3] {
            // Not written yet: the driver rings for whatever is first.
            return 0;
        }
        assert_eq!(u16::from(flags), packed::EVENT_DESC);
        let event = u16::from_le_bytes([low, high]);
        return event % packed::EVENT_WRAP + if event < packed::EVENT_WRAP { size } else { 0 };
    }
    let at = bench.driver.tx.areas.device + ring::avail_event(bench.driver.tx.size);
    u16::from_le_bytes(bench.root.memory.peek(at))
}

fn kicks(bench: &mut Bench) -> u32 {
    bench.counter(ident::KICKS)
}

fn the_device_asks_for_the_next_kick(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    assert_eq!(bench.driver.features >> virtio::F_EVENT_IDX & 1, 1, "offered");
    for count in 0..40u16 {
        bench.rest();
        // of a packed ring an event says twice the size, and no more
        let known = if make.packed { 2 * bench.driver.tx.size } else { u16::MAX };
        assert_eq!(avail_event(&mut bench), count % known);
        let before = kicks(&mut bench);
        let sent = frame(60, count as u8);
        assert_eq!(bench.transmit(std::slice::from_ref(&sent)), [sent]);
        assert_eq!(kicks(&mut bench), before + 1);
    }
    bench.quiet();
}

/// A kick tells of the first frame; the others are found, since the device looks until nothing is new.
fn what_comes_while_the_device_works_needs_no_kick(make: Make) {
    let mut bench = Bench::with_link(make, Options::default(), LinkModel::fast());
    bench.rest();
    let before = kicks(&mut bench);
    let frames: Vec<_> = (0..12).map(|mark| frame(64, mark)).collect();
    for frame in &frames {
        bench.drive(|driver, root| driver.send(root, frame));
    }
    bench.rest();
    assert_eq!(bench.wire(), frames);
    let rung = kicks(&mut bench) - before;
    assert!((1..=12).contains(&rung), "{rung} kicks");
    assert_eq!(avail_event(&mut bench), 12);
    bench.quiet();
}

fn an_interrupt_comes_behind_used_event(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    for (patience, sent) in [(0, 1), (3, 4), (1, 2), (7, 8)] {
        bench.driver.tx.interrupt_after(&mut bench.root.memory, Some(patience));
        for number in 1..=sent {
            let one = frame(60, number);
            bench.drive(|driver, root| driver.send(root, &one));
            bench.rest();
            let expected: &[u32] = if number == sent { &[TX as u32 + 1] } else { &NONE };
            assert_eq!(bench.vectors(), expected, "frame {number} of {sent}");
        }
        bench.driver.tx.interrupt_after(&mut bench.root.memory, None);
        (0..sent).for_each(|_| assert!(bench.take_tx().is_some()));
        assert_eq!(bench.wire().len(), usize::from(sent));
    }
    bench.transmit(&[frame(60, 1), frame(61, 2)]);
    assert_eq!(bench.vectors(), NONE, "none is wanted");
    bench.driver.tx.interrupt_after(&mut bench.root.memory, Some(0));
    bench.works();
}

fn a_queue_that_starts_again_is_asked_again(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.transmit(&[frame(60, 1), frame(60, 2), frame(60, 3)]);
    assert_eq!(avail_event(&mut bench), 3);
    bench.drive(|driver, root| driver.reset_queue(root, TX));
    // What stands there is not trusted to be zero.
    let event = if make.packed { 0 } else { ring::avail_event(bench.driver.tx.size) };
    let at = bench.driver.tx.areas.device + event;
    bench.drive(|driver, root| driver.setup_queue(root, TX));
    bench.root.memory.poke(at, &0x5555u16.to_le_bytes());
    bench.drive(|driver, root| driver.kick(root, TX));
    bench.rest();
    assert_eq!(avail_event(&mut bench), 0);
    bench.root.msi.drain();
    bench.works();
}

/// The event field of the driver's is in the upper half of a double word then.
fn rings_of_one_entry(make: Make) {
    let mut bench = Bench::new(make, Options { queue_size: 1, rx_buffers: 1, ..Options::default() });
    for _ in 0..5 {
        bench.works();
    }
    bench.driver.tx.interrupt_after(&mut bench.root.memory, Some(1));
    bench.transmit(&[frame(60, 1)]);
    assert_eq!(bench.vectors(), NONE);
    bench.driver.tx.interrupt_after(&mut bench.root.memory, Some(0));
    bench.works();
}

/// A driver that kicks only when asked to, and looks at a queue only after its interrupt: nothing is left lying.
fn who_keeps_to_the_events_waits_for_nothing(make: Make) {
    let seed = Seed::from_env(0xe4e7);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(30);
    let options = Options { queue_size: 32, rx_buffers: 20, rx_bytes: 300, ..Options::default() };
    let mut bench = Bench::with_link(make, options, LinkModel::random(seed.0));
    let (mut sent, mut got, mut lost) = (VecDeque::new(), VecDeque::new(), 0);
    for round in 0..300u32 {
        for _ in 0..rng.random_range(0..4) {
            let out = frame(rng.random_range(60..200), round as u8);
            if bench.drive(|driver, _| Ok(driver.tx.room())) > 0 {
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
        if rng.random_bool(0.1) {
            bench.rest()
        } else {
            bench.root.run(rng.random_range(0..600))
        }
        lost += take(&mut bench, &mut sent, &mut got);
    }
    bench.rest();
    lost += take(&mut bench, &mut sent, &mut got) + got.len() as u32;
    assert!(sent.is_empty(), "{} frames were not sent, or without an interrupt", sent.len());
    assert_eq!(bench.driver.tx.in_flight(), 0, "chains came back without an interrupt");
    assert_eq!(lost, bench.counter(ident::RX_NO_BUFFER), "frames came without an interrupt");
    bench.quiet();
}

/// What a driver does on an interrupt, until nothing is new. Gives how many frames of `got` were left out.
pub(crate) fn take(bench: &mut Bench, sent: &mut VecDeque<Vec<u8>>, got: &mut VecDeque<Vec<u8>>) -> u32 {
    let mut lost = 0;
    for frame in bench.wire() {
        assert_eq!(Some(frame), sent.pop_front());
    }
    for vector in bench.vectors() {
        if vector == u32::from(TX) + 1 {
            while bench.take_tx().is_some() {}
        } else if vector == u32::from(RX) + 1 {
            while let Some(frame) = bench.received() {
                while got.pop_front().expect("a frame nobody sent") != frame {
                    lost += 1;
                }
            }
        }
    }
    lost
}
