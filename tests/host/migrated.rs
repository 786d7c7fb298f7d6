//! `hematite vhost-user` while a guest stops, goes on, and is migrated: rings at any index, and the log of pages written.

use std::fs::File;
use std::os::fd::AsFd;

use hematite_abi::feature;
use hematite_host::memory::{DmaMemory, Pages};
use hematite_sim::seed::{ReplayLine, Seed};
use nix::sys::eventfd::EventFd;
use rand::Rng;
use rand::seq::SliceRandom;

use crate::front::{BUFFERS, Back, Front, HALF, PROTOCOL_BIT, RINGS, RX, SIZE, TX, longs, request, state};
use crate::logged::{PAGE, copy, guest, new_log, noise, taken_from};
use crate::rings::{PLACES, RING};
use crate::served::{Bench, Body};

pub(crate) const VERSION_1: u64 = 1 << feature::VERSION_1;
pub(crate) const MERGES: u64 = VERSION_1 | 1 << feature::MRG_RXBUF;
pub(crate) const EVENTS: u64 = MERGES | 1 << feature::EVENT_IDX | 1 << feature::INDIRECT_DESC;
pub(crate) const IN_ORDER: u64 = EVENTS | 1 << feature::IN_ORDER;
#[test]
fn a_guest_that_stops_goes_on_where_it_was() {
    goes_on(Body::Model);
}

#[test]
fn a_guest_that_stops_goes_on_where_it_was_with_the_hardware() {
    goes_on(Body::Rtl("SIM"));
}

fn goes_on(body: Body) {
    let bench = Bench::start(body);
    let back = Back::start(&bench.name());
    let mut first = None;
    for features in [VERSION_1, EVENTS, IN_ORDER] {
        let mut front = Front::connect(&back);
        front.prepare(features);
        front.enable();
        front.go_round(10);
        for stop in 1u16..4 {
            // Receive buffers that were taken and not given back are taken again.
            assert_eq!(front.pause(), [10 * stop; 2]);
            front.go_on([10 * stop; 2]);
            front.go_round(10);
        }
        // A front end that says where the function had looked, rather than where it had given back.
        assert_eq!(front.pause(), [40; 2]);
        front.go_on([front.available[RX], 40]);
        front.go_round(3);
        // A queue off and on again, as QEMU does it without a stop.
        for enabled in [0, 1] {
            front.must(request::SET_VRING_ENABLE, &state(TX as u32, enabled), &[]);
        }
        front.go_round(3);
        // The guest's driver begins anew: the function has the guest's own rings again.
        front.pause();
        front.rings();
        front.go_round(3);
        first.get_or_insert(back.said());
    }
    let said = first.unwrap();
    assert!(said.contains(", shadowed") && !said.lines().last().unwrap().contains("shadowed"), "{said}");
    let served = back.finish();
    assert_eq!((served.counts.shadowed, served.counts.refused, served.counts.marked), (15, 0, 0));
    bench.finish();
}

#[test]
fn rings_begin_at_any_index_and_wrap() {
    let bench = Bench::start(Body::Model);
    let back = Back::start(&bench.name());
    for (features, base) in [(VERSION_1, 0xffff), (EVENTS, 0xfff0), (IN_ORDER, 0x8000 - 7)] {
        let mut front = Front::connect(&back);
        front.prepare(features);
        front.rings_at(base);
        front.enable();
        front.go_round(200);
        assert_eq!(front.pause(), [base.wrapping_add(200); 2]);
    }
    drop(back);
    bench.finish();
}

#[test]
fn a_guest_moves_with_what_the_log_says() {
    let seed = Seed::from_env(0x303);
    let _replay = ReplayLine(seed);
    let (here, there) = (Bench::start(Body::Model), Bench::start(Body::Model));
    let (source, target) = (Back::start(&here.name()), Back::start(&there.name()));
    for case in 0..10 {
        let mut rng = seed.rng(case);
        let features = [VERSION_1, MERGES, EVENTS, IN_ORDER][rng.random_range(0..4)];
        let mut front = Front::connect(&source);
        front.prepare(features);
        front.enable();
        front.go_round(rng.random_range(0..50));
        let log = new_log();
        front.set_logging(Some(&log));
        let moved = DmaMemory::new(front.memory.bytes(), Pages::Usual).unwrap();
        moved.write(0, &copy(&front.memory)).unwrap();
        let mut bases = [0; 2];
        for pass in 0..4 {
            front.go_round(rng.random_range(0..50));
            if pass == 3 {
                bases = front.pause();
            }
            // What the processor wrote, which the hypervisor knows: all but the used rings, and receive buffers.
            let mut pages = taken_from(&log);
            let driver = (0..PLACES[2]).chain(RING..RING + PLACES[2]).step_by(PAGE as usize);
            let sent = front.buffer(TX, 0)..2 * HALF;
            pages.extend(driver.chain(sent.step_by(PAGE as usize)).map(guest));
            for page in pages {
                let at = if page < BUFFERS[0] { page - RINGS[0] } else { page - BUFFERS[0] + HALF };
                moved.write(at, &front.memory.array::<4096>(at).unwrap()).unwrap();
            }
        }
        assert!(copy(&moved) == copy(&front.memory), "the log has told everything");
        let (available, used) = (front.available, front.used);
        drop(front);
        let mut front = Front::with(&target, moved);
        front.must(request::SET_OWNER, &[], &[]);
        front.features = features;
        front.must(request::SET_FEATURES, &longs(&[features | PROTOCOL_BIT]), &[]);
        front.table();
        (front.available, front.used) = (available, used);
        front.go_on(bases);
        front.enable();
        front.go_round(20);
    }
    assert_eq!((source.finish().counts.refused, target.finish().counts.refused), (0, 0));
    here.finish();
    there.finish();
}

/// A frame that says which it is.
pub(crate) fn frame(number: u32) -> Vec<u8> {
    let bytes = 60 + number as usize * 37 % 1400;
    let rest = (0..bytes - 4).map(|byte| (byte as u32 * 11 + number * 3) as u8);
    number.to_le_bytes().into_iter().chain(rest).collect()
}

fn number(frame: &[u8]) -> u32 {
    u32::from_le_bytes(frame[..4].try_into().unwrap())
}

#[test]
fn every_chain_comes_back_once_whatever_happens_under_way() {
    under_way(Body::Model, 60);
}

#[test]
fn every_chain_comes_back_once_whatever_happens_under_way_in_hardware() {
    under_way(Body::Rtl("SIM"), 15);
}

fn under_way(body: Body, turns: u32) {
    let seed = Seed::from_env(0x5eed);
    let _replay = ReplayLine(seed);
    let bench = Bench::start(body);
    let back = Back::start(&bench.name());
    for (case, features) in (0..).zip([MERGES, EVENTS, IN_ORDER]) {
        let mut rng = seed.rng(case);
        let mut front = Front::connect(&back);
        // Function's own rings cannot be told of when they are used in batches.
        front.prepare(features);
        if features == IN_ORDER {
            front.rings_at(rng.random_range(1..0xffff));
        }
        front.enable();
        let log = new_log();
        let (mut logged, mut sent) = (false, 0);
        for _ in 0..turns {
            front.fill();
            let first = sent;
            for _ in 0..rng.random_range(1..16) {
                front.transmit(&frame(sent));
                sent += 1;
            }
            let mut disturbed = false;
            for _ in 0..rng.random_range(0..3) {
                match rng.random_range(0..4) {
                    0 => {
                        logged = !logged;
                        front.set_logging(logged.then_some(&log));
                        disturbed = true;
                    }
                    1 => {
                        let bases = front.pause();
                        front.go_on(bases);
                        disturbed = true;
                    }
                    2 => {
                        front.calls = [EventFd::new().unwrap(), EventFd::new().unwrap()];
                        [RX, TX].into_iter().for_each(|queue| front.event(request::SET_VRING_CALL, queue));
                    }
                    _ => front.sync(),
                }
            }
            // The last one of them comes for sure: nothing happens any more.
            front.transmit(&frame(sent));
            sent += 1;
            let mut came = vec![];
            while came.last() != Some(&(sent - 1)) {
                if front.available[RX].wrapping_sub(front.used[RX]) < SIZE / 2 {
                    front.fill();
                }
                let got = front.receive();
                assert!(got == frame(number(&got)), "whole");
                came.push(number(&got));
            }
            for _ in first..sent {
                let slot = front.used[TX] % SIZE;
                assert_eq!(front.back(TX).0, slot, "each once, in its order");
            }
            assert!(!front.has_come(TX), "none twice");
            if !disturbed {
                assert_eq!(came, (first..sent).collect::<Vec<_>>(), "no frame is lost");
            }
        }
    }
    assert_eq!(back.finish().counts.refused, 0);
    bench.finish();
}

#[test]
fn memory_in_the_way_of_our_rings_moves_them() {
    let bench = Bench::start(Body::Model);
    let back = Back::start(&bench.name());
    let mut front = Front::connect(&back);
    front.prepare(EVENTS);
    front.rings_at(77);
    front.enable();
    front.go_round(3);
    let file = front.memory.as_fd().try_clone_to_owned().unwrap();
    let mut regions = [0xf000_0000, 1 << 34, 1 << 36, 1 << 37, 1 << 38]
        .map(|guest: u64| longs(&[0, guest, HALF, 0x1000_0000_0000 + guest, 0]));
    regions.shuffle(&mut Seed::from_env(1).rng(0));
    for (place, region) in regions.iter().enumerate() {
        let last = place + 1 == regions.len();
        assert_eq!(front.try_to(request::ADD_MEM_REG, region, &[file.as_fd()]), !last);
        if last {
            break;
        }
        front.go_round(3);
    }
    // Nowhere left: they stand until there is room again.
    front.must(request::REM_MEM_REG, &regions[0], &[]);
    front.must(request::SET_VRING_ENABLE, &state(RX as u32, 1), &[]);
    front.go_round(3);
    drop(back);
    bench.finish();
}

#[test]
fn a_hostile_guest_with_shadowed_rings_holds_nobody_up() {
    let bench = Bench::start(Body::Model);
    let back = Back::start(&bench.name());
    let seed = Seed::from_env(0xbad);
    let _replay = ReplayLine(seed);
    let log = new_log();
    for case in 0..40 {
        let mut rng = seed.rng(case);
        let mut front = Front::connect(&back);
        front.prepare(EVENTS);
        front.rings_at(rng.random_range(1..0xffff));
        front.enable();
        front.go_round(1);
        if rng.random() {
            front.set_logging(Some(&log));
        }
        // Nobody reads, and it is full.
        let full = EventFd::new().unwrap();
        full.write(u64::MAX - 1).unwrap();
        front.must(request::SET_VRING_CALL, &longs(&[TX as u64]), &[full.as_fd()]);
        match case % 4 {
            0 => front.transmit(&frame(1)),
            1 => {
                // More than the ring has.
                let at = TX as u64 * RING + PLACES[1] + 2;
                front
                    .memory
                    .store(at, front.available[TX].wrapping_add(rng.random_range(65..0xffff)))
                    .unwrap();
            }
            2 => {
                let noise = noise(&mut rng, 2 * RING as usize);
                front.memory.write(0, &noise).unwrap();
            }
            _ => {
                let file = File::from(front.memory.as_fd().try_clone_to_owned().unwrap());
                file.set_len(4096 * rng.random_range(0..4)).unwrap();
            }
        }
        for kick in &front.kicks {
            let _ = kick.write(1);
        }
        if case % 4 == 0 {
            while !front.has_come(TX) {
                std::thread::yield_now();
            }
        }
        if case % 4 < 2 {
            front.sync();
            front.pause();
        }
    }
    let mut front = Front::connect(&back);
    front.prepare(VERSION_1);
    front.rings_at(5);
    front.enable();
    front.go_round(20);
    assert_eq!(back.finish().counts.clients, 41);
    // Noise in its rings is what the function has to bear: its monitors say nothing.
    drop(bench);
}
