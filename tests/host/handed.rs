//! `hematite vhost-user`: the function in a front end's hands, honest or not.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;

use hematite_abi::feature;
use hematite_host::function;
use hematite_host::memory::{DmaMemory, Pages};
use hematite_sim::seed::{ReplayLine, Seed};
use nix::sys::eventfd::EventFd;
use rand::Rng;
use serde_json::json;

use crate::front::{BUFFERS, Back, Front, HALF, PROTOCOL_BIT, RINGS, RX, TX, longs, post, request, state};
use crate::schema::Schema;
use crate::served::{Bench, Body, hematite};

const VERSION_1: u64 = 1 << feature::VERSION_1;

#[test]
fn frames_go_round_by_the_guests_own_rings() {
    goes_round(Body::Model);
}

#[test]
fn frames_go_round_the_hardware_by_the_guests_own_rings() {
    goes_round(Body::Rtl("SIM"));
}

fn goes_round(body: Body) {
    let bench = Bench::start(body);
    let back = Back::start(&bench.name());
    for client in 1..=3 {
        let mut front = Front::connect(&back);
        let offered = front.number(request::GET_FEATURES);
        assert_eq!(offered & (VERSION_1 | PROTOCOL_BIT), VERSION_1 | PROTOCOL_BIT);
        for hidden in [feature::CTRL_VQ, feature::MQ, feature::RING_PACKED, feature::ACCESS_PLATFORM] {
            assert_eq!(offered >> hidden & 1, 0, "bit {hidden} is not handed on");
        }
        front.prepare(VERSION_1 | 1 << feature::MRG_RXBUF);
        front.enable();
        front.go_round(50 * client);
        // Where each would go on: all that was sent has come back.
        let base = front.ask(request::GET_VRING_BASE, &state(TX as u32, 0));
        assert_eq!(base, state(TX as u32, 50 * client as u32));
        let base = front.ask(request::GET_VRING_BASE, &state(RX as u32, 0));
        assert_eq!(base, state(RX as u32, 50 * client as u32));
        // The guest's driver begins anew.
        front.rings();
        front.go_round(5);
    }
    assert!(back.said().contains("the queues run") && back.said().contains("client 3 has come"));
    let served = back.finish();
    assert_eq!((served.counts.clients, served.counts.refused), (3, 0));
    assert!(served.counts.doorbells >= 300, "{served:?}");
    bench.finish();
}

#[test]
fn regions_come_and_go_one_by_one() {
    let bench = Bench::start(Body::Model);
    let back = Back::start(&bench.name());
    let mut front = Front::connect(&back);
    assert!(front.number(request::GET_MAX_MEM_SLOTS) >= 8);
    front.must(request::SET_FEATURES, &longs(&[VERSION_1 | PROTOCOL_BIT]), &[]);
    let file = front.memory.as_fd().try_clone_to_owned().unwrap();
    for region in [RINGS, BUFFERS] {
        front.must(request::ADD_MEM_REG, &longs(&[&[0], &region[..]].concat()), &[file.as_fd()]);
    }
    front.rings();
    front.enable();
    front.go_round(3);
    let away = |region: [u64; 4]| longs(&[&[0], &region[..]].concat());
    assert!(!front.try_to(request::REM_MEM_REG, &away(RINGS), &[]), "its rings run");
    front.go_round(3);
    // A table with the same regions leaves all as it is.
    front.table();
    front.go_round(3);
    front.must(request::SET_VRING_ENABLE, &state(RX as u32, 0), &[]);
    front.must(request::REM_MEM_REG, &away(RINGS), &[]);
    assert!(!front.try_to(request::REM_MEM_REG, &away(RINGS), &[]), "it has gone");
    assert_eq!(back.finish().counts.refused, 2);
    bench.finish();
}

#[test]
fn calls_change_while_queues_run() {
    let bench = Bench::start(Body::Model);
    let back = Back::start(&bench.name());
    let mut front = Front::connect(&back);
    front.prepare(VERSION_1);
    front.enable();
    front.go_round(3);
    front.calls = [EventFd::new().unwrap(), EventFd::new().unwrap()];
    front.event(request::SET_VRING_CALL, RX);
    front.event(request::SET_VRING_CALL, TX);
    front.go_round(3);
    front.must(request::SET_VRING_CALL, &longs(&[TX as u64 | 1 << 8]), &[]);
    drop(back);
    bench.finish();
}

#[test]
fn configuration_is_the_functions() {
    let bench = Bench::start(Body::Model);
    let back = Back::start(&bench.name());
    let mut front = Front::connect(&back);
    let head =
        |offset: u32, size: u32| [offset, size, 0].iter().flat_map(|word| word.to_ne_bytes()).collect();
    let ask: Vec<u8> = [head(0, 6), vec![0; 6]].concat();
    let answer = front.ask(request::GET_CONFIG, &ask);
    assert_eq!(answer[12..], [2, 0x68, 0x65, 0x6d, 0, 1]);
    let all: Vec<u8> = [head(0, 256), vec![0; 256]].concat();
    assert_eq!(front.ask(request::GET_CONFIG, &all)[12..18], answer[12..]);
    let beyond: Vec<u8> = [head(255, 2), vec![0; 2]].concat();
    assert_eq!(front.ask(request::GET_CONFIG, &beyond), [0; 0]);
    let beyond: Vec<u8> = [head(u32::MAX, 2), vec![0; 2]].concat();
    assert_eq!(front.ask(request::GET_CONFIG, &beyond), [0; 0]);
    let lies: Vec<u8> = [head(0, u32::MAX), vec![0; 2]].concat();
    front.send(request::GET_CONFIG, &lies, &[]);
    assert!(front.is_let_go());
    drop(back);
    bench.finish();
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let bench = Bench::start(Body::Model);
    let back = Back::start(&bench.name());
    let mut front = Front::connect(&back);
    let file = front.memory.as_fd().try_clone_to_owned().unwrap();
    let small = DmaMemory::new(4096, Pages::Usual).unwrap();
    let null = File::open("/dev/null").unwrap();
    let (memory, short, dead) = (file.as_fd(), small.as_fd(), null.as_fd());
    let event = EventFd::new().unwrap();
    let region = |numbers: [u64; 4]| longs(&[&[0], &numbers[..]].concat());
    let table = |regions: &[[u64; 4]]| longs(&[&[regions.len() as u64], &regions.concat()[..]].concat());
    let [guest, bytes, user, _] = RINGS;
    let apart = [guest + HALF, bytes, user + HALF, HALF];
    let mut cases: Vec<(&str, u32, Vec<u8>, Vec<BorrowedFd<'_>>)> = vec![
        ("features", request::SET_FEATURES, longs(&[1 << feature::RING_PACKED]), vec![]),
        ("features without their ground", request::SET_FEATURES, longs(&[VERSION_1 | 1 << 11]), vec![]),
        ("protocol features", request::SET_PROTOCOL_FEATURES, longs(&[1 << 3 | 1 << 2]), vec![]),
        ("an unknown request", 999, vec![], vec![]),
        ("no descriptor", request::ADD_MEM_REG, region(RINGS), vec![]),
        ("two descriptors", request::ADD_MEM_REG, region(RINGS), vec![memory, memory]),
        ("no memory", request::ADD_MEM_REG, region(RINGS), vec![dead]),
        ("an eventfd for memory", request::ADD_MEM_REG, region(RINGS), vec![event.as_fd()]),
        ("more than the file", request::ADD_MEM_REG, region(RINGS), vec![short]),
        ("nothing", request::ADD_MEM_REG, region([guest, 0, user, 0]), vec![memory]),
        ("a wrap", request::ADD_MEM_REG, region([!4095, 8192, user, 0]), vec![memory]),
        ("a wrap of users", request::ADD_MEM_REG, region([guest, 8192, !4095, 0]), vec![memory]),
        ("a wrap in the file", request::ADD_MEM_REG, region([guest, 8192, user, !4095]), vec![memory]),
        ("half a page", request::ADD_MEM_REG, region([guest + 2048, bytes, user, 0]), vec![memory]),
        ("all there is", request::ADD_MEM_REG, region([0, !4095, 0, 0]), vec![memory]),
        ("a table of overlaps", request::SET_MEM_TABLE, table(&[RINGS, RINGS]), vec![memory, memory]),
        ("fewer descriptors", request::SET_MEM_TABLE, table(&[RINGS, apart]), vec![memory]),
        ("too many", request::SET_MEM_TABLE, table(&[RINGS; 9]), vec![memory; 9]),
        ("far too many", request::SET_MEM_TABLE, longs(&[u64::MAX]), vec![]),
        ("a region that is not", request::REM_MEM_REG, region(RINGS), vec![]),
        ("queue 2", request::SET_VRING_NUM, state(2, 64), vec![]),
        ("queue 4294967295", request::SET_VRING_ENABLE, state(u32::MAX, 1), vec![]),
        ("enabled 2", request::SET_VRING_ENABLE, state(0, 2), vec![]),
        ("a size of 3", request::SET_VRING_NUM, state(0, 3), vec![]),
        ("a size of 0", request::SET_VRING_NUM, state(0, 0), vec![]),
        ("a size beyond its own", request::SET_VRING_NUM, state(0, 32768), vec![]),
        ("a size of 2^31", request::SET_VRING_NUM, state(0, 1 << 31), vec![]),
        ("flags of a ring", request::SET_VRING_ADDR, longs(&[2 << 32, 0, 0, 0, 0]), vec![]),
        ("an index of 17 bits", request::SET_VRING_BASE, state(0, 1 << 16), vec![]),
        ("an odd ring", request::SET_VRING_ADDR, longs(&[0, 16, 4, 1, 0]), vec![]),
        ("a kick that is polled", request::SET_VRING_KICK, longs(&[1 << 8]), vec![]),
        ("a kick without one", request::SET_VRING_KICK, longs(&[0]), vec![]),
        ("a kick of memory", request::SET_VRING_KICK, longs(&[0]), vec![memory]),
        ("a call of two", request::SET_VRING_CALL, longs(&[0]), vec![event.as_fd(), event.as_fd()]),
        ("a call of a file", request::SET_VRING_CALL, longs(&[0]), vec![dead]),
    ];
    let count = cases.len() as u64;
    for (what, request, payload, fds) in cases.drain(..) {
        assert!(!front.try_to(request, &payload, &fds), "{what} is refused");
    }
    front.prepare(VERSION_1);
    let mut later = 0;
    for (what, request, good, bad) in [
        ("a beginning far from its ring's", request::SET_VRING_BASE, state(0, 0), state(0, 65)),
        ("a beginning before its ring's", request::SET_VRING_BASE, state(0, 0), state(0, 0xffff)),
        (
            "a ring outside memory",
            request::SET_VRING_ADDR,
            longs(&Front::areas(RX)),
            longs(&[0, BUFFERS[2] + HALF, user, user + 4096, 0]),
        ),
        (
            "a ring that leaves memory",
            request::SET_VRING_ADDR,
            longs(&Front::areas(RX)),
            longs(&[0, user, user + HALF - 8, user + 4096, 0]),
        ),
        (
            "a ring at the end of all",
            request::SET_VRING_ADDR,
            longs(&Front::areas(RX)),
            longs(&[0, !15, !3, !1, 0]),
        ),
    ] {
        front.must(request, &bad, &[]);
        front.must(request::SET_VRING_ENABLE, &state(RX as u32, 1), &[]);
        assert!(!front.try_to(request::SET_VRING_ENABLE, &state(TX as u32, 1), &[]), "{what} is refused");
        front.must(request::SET_VRING_ENABLE, &state(TX as u32, 0), &[]);
        front.must(request, &good, &[]);
        later += 1;
    }
    front.enable();
    front.go_round(3);
    for (request, payload) in [
        (request::SET_VRING_NUM, state(0, 32)),
        (request::SET_VRING_BASE, state(1, 0)),
        (request::SET_VRING_ADDR, longs(&[&[TX as u64], &Front::areas(RX)[1..]].concat())),
        (request::SET_FEATURES, longs(&[VERSION_1 | PROTOCOL_BIT | 1 << feature::MRG_RXBUF])),
        (request::SET_MEM_TABLE, longs(&[0])),
    ] {
        assert!(!front.try_to(request, &payload, &[]), "request {request} while queues run");
        later += 1;
    }
    front.go_round(3);
    // Who does not want to know is let go.
    front.send(request::SET_VRING_NUM, &state(9, 1), &[]);
    assert!(front.is_let_go());
    let mut front = Front::connect(&back);
    front.prepare(VERSION_1);
    front.enable();
    front.go_round(3);
    assert_eq!(back.finish().counts.refused, count + later + 1);
    bench.finish();
}

#[test]
fn a_garbled_front_end_is_let_go_and_the_next_is_served() {
    let seed = Seed::from_env(0x7057);
    let _replay = ReplayLine(seed);
    let bench = Bench::start(Body::Model);
    let back = Back::start(&bench.name());
    let log = DmaMemory::new(1 << 20, Pages::Usual).unwrap();
    for case in 0..300 {
        let mut rng = seed.rng(case);
        if case % 3 == 0 {
            // One that was honest so far.
            let mut front = Front::connect(&back);
            front.prepare(VERSION_1);
            // Half of them with rings that are shadowed, some of these logged.
            if rng.random() {
                front.rings_at(rng.random());
            }
            front.enable();
            front.go_round(1);
            if rng.random_bool(0.3) {
                front.set_logging(Some(&log));
                front.go_round(1);
            }
            garble(&front.stream, front.memory.as_fd(), &mut rng);
            // The guest too: rings of nonsense, and a file cut short.
            if rng.random() {
                let noise: Vec<u8> = (0..0x8000).map(|_| rng.random()).collect();
                front.memory.write(0, &noise).unwrap();
                front.kick(rng.random_range(0..2));
            }
            if rng.random() {
                let file = File::from(front.memory.as_fd().try_clone_to_owned().unwrap());
                file.set_len(rng.random_range(0..2) * 4096).unwrap();
                front.kick(TX);
            }
            garble(&front.stream, front.memory.as_fd(), &mut rng);
        } else {
            let stream = UnixStream::connect(&back.path).unwrap();
            let memory = DmaMemory::new(2 * HALF as usize, Pages::Usual).unwrap();
            garble(&stream, memory.as_fd(), &mut rng);
        }
    }
    let mut front = Front::connect(&back);
    front.prepare(VERSION_1);
    front.enable();
    front.go_round(20);
    let served = back.finish();
    assert_eq!(served.counts.clients, 301);
    assert!(served.counts.refused > 150, "{served:?}");
}

/// Messages in the right form, of the wrong content, and some of the wrong form; then it hangs up.
fn garble(stream: &UnixStream, memory: BorrowedFd<'_>, rng: &mut impl Rng) {
    let event = EventFd::new().unwrap();
    let null = File::open("/dev/null").unwrap();
    for _ in 0..rng.random_range(1..30) {
        let request = if rng.random_bool(0.9) { rng.random_range(1..40) } else { rng.random() };
        let length = match request {
            request::SET_MEM_TABLE => 8 + 32 * rng.random_range(0..9),
            request::SET_VRING_ADDR | request::ADD_MEM_REG | request::REM_MEM_REG => 40,
            request::SET_LOG_BASE => 16,
            _ => 8,
        };
        let length = if rng.random_bool(0.95) { length } else { rng.random_range(0..600) };
        let mut payload = vec![];
        while payload.len() < length {
            let word: u64 = match rng.random_range(0..6) {
                0 => rng.random(),
                1 => rng.random_range(0..4),
                2 => RINGS[rng.random_range(0..4)],
                3 => BUFFERS[rng.random_range(0..4)],
                4 => 1 << rng.random_range(0..64),
                _ => rng.random_range(0..2) << 32 | rng.random_range(0..2),
            };
            payload.extend(word.to_ne_bytes());
        }
        payload.truncate(length);
        let flags = if rng.random_bool(0.98) { 1 | rng.random_range(0..2) << 3 } else { rng.random() };
        let told = if rng.random_bool(0.98) { payload.len() as u32 } else { rng.random() };
        let choices: [RawFd; 3] = [memory.as_raw_fd(), event.as_raw_fd(), null.as_raw_fd()];
        let count = if rng.random() { rng.random_range(0..2) } else { rng.random_range(0..12) };
        let fds: Vec<RawFd> = (0..count).map(|_| choices[rng.random_range(0..3)]).collect();
        if post(stream, [request, flags, told], &payload, &fds).is_err() {
            return;
        }
    }
    if rng.random() {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
}

#[test]
fn the_verb_serves_and_says_what_it_did() {
    let bench = Bench::start(Body::Model);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("back");
    // What somebody left behind is no hindrance.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let place = path.clone();
    let front = std::thread::spawn(move || {
        // Until it listens: the socket of before refuses.
        while UnixStream::connect(&place).is_err() {
            std::thread::yield_now();
        }
    });
    let said =
        bench.hematite(&["vhost-user", "--socket", path.to_str().unwrap(), "--clients", "1", "--json"]);
    front.join().unwrap();
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let json = said.json();
    Schema::read().check(&json);
    assert_eq!((&json["clients"], &json["device"]), (&json!(1), &json!(bench.name())));
    assert_eq!(hematite(&["vhost-user"]).code, 2, "where?");
    let nowhere = bench.hematite(&["vhost-user", "--socket", "/nonexistent/socket"]);
    assert_eq!(nowhere.code, 3);
    assert!(nowhere.err.contains("/nonexistent/socket"), "{nowhere:?}");
    bench.finish();
}

#[test]
fn a_function_without_interrupts_is_not_handed_on() {
    let bench = Bench::raw(Body::Model);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("back");
    let address = bench.name().parse().unwrap();
    let (stop, place) = (EventFd::new().unwrap(), path.clone());
    let server = std::thread::spawn(move || {
        let function = function::open(&address).unwrap();
        hematite_host::vhost_user::serve(function, &place, stop.as_fd(), 0, &mut |_| {})
    });
    let ended = server.join().unwrap().unwrap_err().to_string();
    assert!(ended.contains("0 vectors"), "{ended}");
    bench.finish();
}
