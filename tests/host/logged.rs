//! The log of pages that a back end writes: what is marked, and where nothing is.

use std::fs::File;
use std::os::fd::AsFd;

use hematite_host::memory::{DmaMemory, Pages};
use hematite_sim::seed::{ReplayLine, Seed};
use nix::sys::eventfd::EventFd;
use rand::Rng;

use crate::front::{BUFFERS, Back, Front, HALF, LOG_BIT, PROTOCOL_BIT, RINGS, RX, SIZE, TX, longs, request};
use crate::migrated::{EVENTS, IN_ORDER, MERGES, VERSION_1, frame};
use crate::rings::{BUFFER, PLACES, RING};
use crate::served::{Bench, Body};

pub(crate) const PAGE: u64 = 4096;
/// All that a guest's memory has, up to the end of its last region.
const LOG_BYTES: u64 = (BUFFERS[0] + HALF) / PAGE / 8;

/// A log for all of the guest's memory.
pub(crate) fn new_log() -> DmaMemory {
    DmaMemory::new(LOG_BYTES as usize, Pages::Usual).unwrap()
}

/// Pages that are marked, as guest addresses, and none is any more.
pub(crate) fn taken_from(log: &DmaMemory) -> Vec<u64> {
    let mut pages = vec![];
    let mut bytes = vec![0; log.bytes()];
    log.read(0, &mut bytes).unwrap();
    for (at, bits) in (0u64..).zip(&bytes).filter(|(_, bits)| **bits != 0) {
        pages.extend((0..8).filter(|bit| bits >> bit & 1 == 1).map(|bit| (at * 8 + bit) * PAGE));
        log.write(at, &[0]).unwrap();
    }
    pages
}

/// What a page of the memory is as a guest address.
pub(crate) fn guest(at: u64) -> u64 {
    if at < HALF { RINGS[0] + at } else { BUFFERS[0] + at - HALF }
}

pub(crate) fn copy(memory: &DmaMemory) -> Vec<u8> {
    let mut bytes = vec![0; memory.bytes()];
    memory.read(0, &mut bytes).unwrap();
    bytes
}

/// Pages that differ, as guest addresses, without those that the driver writes: its available rings.
fn changed(before: &[u8], after: &[u8]) -> Vec<u64> {
    let pages = before.chunks(PAGE as usize).zip(after.chunks(PAGE as usize));
    let differ = (0u64..).zip(pages).filter(|(_, (one, other))| one != other);
    let driver = [PLACES[1], RING + PLACES[1]];
    differ.map(|(page, _)| page * PAGE).filter(|at| !driver.contains(at)).map(guest).collect()
}

pub(crate) fn noise(rng: &mut impl Rng, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| rng.random()).collect()
}

#[test]
fn the_pages_that_are_written_are_marked_and_no_others() {
    is_logged(Body::Model, 12);
}

#[test]
fn the_pages_that_the_hardware_writes_are_marked_and_no_others() {
    is_logged(Body::Rtl("SIM"), 4);
}

fn is_logged(body: Body, rounds: u64) {
    let seed = Seed::from_env(0x109);
    let _replay = ReplayLine(seed);
    let bench = Bench::start(body);
    let back = Back::start(&bench.name());
    let mut expected = 0;
    for (case, features) in (0..).zip([VERSION_1, MERGES, EVENTS, IN_ORDER]) {
        let mut rng = seed.rng(case);
        let mut front = Front::connect(&back);
        if features & EVENTS == EVENTS {
            front.cuts = vec![rng.random_range(64..512), rng.random_range(512..1500)];
        }
        front.shift = rng.random_range(0..PAGE);
        front.prepare(features);
        front.enable();
        front.go_round(5);
        let log = new_log();
        front.set_logging(Some(&log));
        front.go_round(3);
        for _ in 0..rounds {
            expected += a_logged_round(&mut front, &log, &mut rng);
        }
        // A stop under way; then it is not logged any more, and goes on shadowed.
        let bases = front.pause();
        front.go_on(bases);
        expected += a_logged_round(&mut front, &log, &mut rng);
        front.set_logging(None);
        taken_from(&log);
        front.go_round(5);
        front.sync();
        assert_eq!(taken_from(&log), [0; 0], "nothing is marked any more");
        // And again, shadowed as it is.
        front.set_logging(Some(&log));
        front.go_round(2);
        front.sync();
        assert!(!taken_from(&log).is_empty());
    }
    assert!(back.said().contains("shadowed and logged"), "{}", back.said());
    let counts = back.finish().counts;
    assert!(counts.refused == 0 && counts.marked >= expected, "{counts:?}");
    bench.finish();
}

/// Frames in a burst; what is marked is what differs afterwards. How many pages that were.
fn a_logged_round(front: &mut Front, log: &DmaMemory, rng: &mut impl Rng) -> u64 {
    front.fill();
    for slot in 0..SIZE {
        let noise = noise(rng, BUFFER as usize);
        front.memory.write(front.buffer(RX, slot), &noise).unwrap();
    }
    let frames = rng.random_range(1..20);
    let frames: Vec<Vec<u8>> = (0..frames)
        .map(|_| {
            let bytes = rng.random_range(60..1500);
            noise(rng, bytes)
        })
        .collect();
    // No kick of before is under way any more: none of these frames is seen before its own.
    front.sync();
    frames.iter().for_each(|frame| front.prepare_frame(frame));
    taken_from(log);
    let before = copy(&front.memory);
    front.kick(TX);
    for frame in &frames {
        assert!(front.receive() == *frame);
        front.back(TX);
    }
    front.sync();
    let marked = taken_from(log);
    assert_eq!(marked, changed(&before, &copy(&front.memory)));
    // The used rings, and a frame's first page at least.
    assert!(
        marked.len() > 2 && marked.contains(&guest(PLACES[2])) && marked.contains(&guest(RING + PLACES[2]))
    );
    marked.len() as u64
}

#[test]
fn rings_wait_for_their_log() {
    let bench = Bench::start(Body::Model);
    let back = Back::start(&bench.name());
    let mut front = Front::connect(&back);
    front.prepare(EVENTS);
    // As QEMU begins rings while a guest is migrated: the log comes last.
    front.logged = true;
    front.must(request::SET_FEATURES, &longs(&[EVENTS | PROTOCOL_BIT | LOG_BIT]), &[]);
    front.rings();
    front.enable();
    front.fill();
    front.transmit(&frame(1));
    front.sync();
    assert!(!front.has_come(TX), "nothing is written that cannot be marked");
    let small = DmaMemory::new(4096, Pages::Usual).unwrap();
    let file = small.as_fd().try_clone_to_owned().unwrap();
    assert!(!front.try_to(request::SET_LOG_BASE, &longs(&[4096, 0]), &[file.as_fd()]));
    let event = EventFd::new().unwrap();
    front.must(request::SET_LOG_FD, &[], &[event.as_fd()]);
    let log = new_log();
    let file = log.as_fd().try_clone_to_owned().unwrap();
    front.must(request::SET_LOG_BASE, &longs(&[LOG_BYTES, 0]), &[file.as_fd()]);
    front.back(TX);
    assert!(front.receive() == frame(1));
    front.sync();
    assert!(event.read().unwrap() > 0, "the log has news");
    // Another log is told what the one before was told.
    let other = new_log();
    let file = other.as_fd().try_clone_to_owned().unwrap();
    front.must(request::SET_LOG_BASE, &longs(&[LOG_BYTES, 0]), &[file.as_fd()]);
    assert_eq!(taken_from(&other), taken_from(&log));
    assert!(back.said().contains("wait for a log"), "{}", back.said());
    drop(back);
    bench.finish();
}

#[test]
fn logs_that_cannot_be_are_refused_and_nothing_is_written_outside() {
    let bench = Bench::start(Body::Model);
    let back = Back::start(&bench.name());
    let mut front = Front::connect(&back);
    let event = EventFd::new().unwrap();
    let null = File::open("/dev/null").unwrap();
    let log = DmaMemory::new(2 * LOG_BYTES as usize, Pages::Usual).unwrap();
    let file = log.as_fd().try_clone_to_owned().unwrap();
    let base = |bytes: u64, offset: u64| longs(&[bytes, offset]);
    let features = |bits: u64| longs(&[VERSION_1 | PROTOCOL_BIT | bits]);
    let mut refused = 0;
    for (what, payload, fds) in [
        ("nothing", base(0, 0), vec![file.as_fd()]),
        ("without a file", base(4096, 0), vec![]),
        ("two files", base(4096, 0), vec![file.as_fd(), file.as_fd()]),
        ("an eventfd", base(4096, 0), vec![event.as_fd()]),
        ("no memory", base(4096, 0), vec![null.as_fd()]),
        ("more than the file", base(2 * LOG_BYTES + 4096, 0), vec![file.as_fd()]),
        ("beyond the file", base(4096, 2 * LOG_BYTES), vec![file.as_fd()]),
        ("a wrap", base(4096, u64::MAX - 1), vec![file.as_fd()]),
        ("all there is", base(u64::MAX, 0), vec![file.as_fd()]),
    ] {
        assert!(!front.try_to(request::SET_LOG_BASE, &payload, &fds), "{what} is refused");
        refused += 1;
    }
    assert!(
        !front.try_to(request::SET_LOG_FD, &[], &[null.as_fd()])
            && !front.try_to(request::SET_LOG_FD, &[], &[])
    );
    front.prepare(VERSION_1);
    front.enable();
    front.go_round(2);
    let mut refuse = |front: &mut Front, what: &str, request: u32, payload: Vec<u8>| {
        assert!(!front.try_to(request, &payload, &[]), "{what} is refused");
        refused += 1;
        front.go_round(2);
    };
    refuse(&mut front, "no log at all", request::SET_FEATURES, features(LOG_BIT));
    front.must(request::SET_LOG_BASE, &base(LOG_BYTES - 1, 1), &[file.as_fd()]);
    refuse(&mut front, "a log that is a byte too short", request::SET_FEATURES, features(LOG_BIT));
    // In the middle of its file, and no byte before it or behind it is written.
    let edges = LOG_BYTES / 2;
    front.must(request::SET_LOG_BASE, &base(LOG_BYTES, edges), &[file.as_fd()]);
    front.must(request::SET_FEATURES, &features(LOG_BIT), &[]);
    let [head, descriptors, used, available, _] = Front::areas(TX);
    let beyond = |log: u64| longs(&[head | 1 << 32, descriptors, used, available, log]);
    let end = LOG_BYTES * 8 * PAGE;
    refuse(&mut front, "a used ring beyond the log", request::SET_VRING_ADDR, beyond(end - 100));
    refuse(&mut front, "a used ring at the end of all", request::SET_VRING_ADDR, beyond(u64::MAX - 4));
    // "this value might be outside the legal guest physical address range"
    front.must(request::SET_VRING_ADDR, &beyond(end - PAGE), &[]);
    front.go_round(2);
    let far = [BUFFERS[0] + HALF, 4096, 0x7d00_0000_0000, 0];
    let file_of_guest = front.memory.as_fd().try_clone_to_owned().unwrap();
    let region = longs(&[&[0], &far[..]].concat());
    assert!(!front.try_to(request::ADD_MEM_REG, &region, &[file_of_guest.as_fd()]), "no place in the log");
    front.sync();
    let bytes = copy(&log);
    let (before, rest) = bytes.split_at(edges as usize);
    let (inside, behind) = rest.split_at(LOG_BYTES as usize);
    assert!([before, behind].iter().all(|part| part.iter().all(|byte| *byte == 0)));
    assert!(inside[LOG_BYTES as usize - 1] & 0x80 != 0 && inside.iter().any(|byte| *byte != 0));
    // A log that is cut short under way: who did it is let go.
    File::from(file).set_len(4096).unwrap();
    front.fill();
    front.transmit(&frame(1));
    assert!(front.is_let_go());
    let mut front = Front::connect(&back);
    front.prepare(VERSION_1);
    front.enable();
    front.go_round(3);
    assert!(back.said().contains("the log"), "{}", back.said());
    assert_eq!(back.finish().counts.refused, refused + 2 + 1 + 1);
    bench.finish();
}

#[test]
fn logging_needs_its_protocol_feature() {
    let bench = Bench::start(Body::Model);
    let back = Back::start(&bench.name());
    let mut front = Front::connect(&back);
    let offered = front.number(request::GET_PROTOCOL_FEATURES);
    assert!(offered >> 1 & 1 == 1 && front.number(request::GET_FEATURES) & LOG_BIT != 0);
    front.must(request::SET_PROTOCOL_FEATURES, &longs(&[offered & !2]), &[]);
    let log = new_log();
    let file = log.as_fd().try_clone_to_owned().unwrap();
    assert!(!front.try_to(request::SET_FEATURES, &longs(&[VERSION_1 | PROTOCOL_BIT | LOG_BIT]), &[]));
    assert!(!front.try_to(request::SET_LOG_BASE, &longs(&[LOG_BYTES, 0]), &[file.as_fd()]));
    drop(back);
    bench.finish();
}
