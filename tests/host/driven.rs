//! The library drives a served function: from reset to DRIVER_OK, frames, commands, queue reset, and back; `validate`.

use std::time::Duration;

use hematite_abi::{common, feature, layout, status};
use hematite_host::Function;
use hematite_host::control::{Command, Driver, Mode, Options, RX, Side, TX, bring_up};
use hematite_host::feature::FeatureSet;
use hematite_host::memory::Pages;
use hematite_host::report::{FeatureReport, Queues};
use hematite_host::ring::look::{self, Addresses};
use serde_json::json;

use crate::served::{Bench, Body};
use crate::through::Through;

const LIMIT: Duration = Duration::from_secs(20);

/// Every combination that matters, on one body.
macro_rules! on_bodies {
    ($($test:ident),* $(,)?) => {
        mod model { $(#[test] fn $test() { super::$test(super::Body::Model, false) })* }
        mod packed_model { $(#[test] fn $test() { super::$test(super::Body::Model, true) })* }
        mod rtl { $(#[test] fn $test() { super::$test(super::Body::Rtl("SIM"), false) })* }
        mod packed_rtl { $(#[test] fn $test() { super::$test(super::Body::Rtl("SIM"), true) })* }
        mod tiny { $(#[test] fn $test() { super::$test(super::Body::Rtl("TINY"), false) })* }
    };
}

on_bodies!(
    the_list_leads_to_driver_ok,
    frames_come_back_as_they_went,
    a_frame_of_several_buffers_is_joined,
    commands_are_carried_out,
    a_queue_is_reset_and_works_again,
    rings_are_seen_in_memory,
);

fn options(packed: bool) -> Options {
    let features = if packed { u128::MAX } else { !(1 << feature::RING_PACKED) };
    Options { features: FeatureSet(features), limit: LIMIT, ..Options::default() }
}

fn start(bench: &Bench, options: Options) -> Driver {
    bring_up(bench.open(), options).unwrap_or_else(|error| panic!("{error}"))
}

fn frame(length: usize, mark: u8) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..length).map(|at| (at as u8).wrapping_mul(5) ^ mark).collect();
    frame[..6].fill(0xff);
    frame
}

fn the_list_leads_to_driver_ok(body: Body, packed: bool) {
    let bench = Bench::start(body);
    let driver = start(&bench, options(packed));
    let numbers: Vec<u8> = driver.steps.iter().map(|step| step.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(driver.has(feature::RING_PACKED), packed && driver.has(feature::CTRL_VQ));
    let mut function = driver.finish().unwrap();
    let queues = Queues::gather(&mut function).unwrap();
    assert!(queues.queues.iter().all(|queue| queue.enabled == Some(false)), "the reset has switched all off");
    drop(function);
    bench.finish();
}

fn frames_come_back_as_they_went(body: Body, packed: bool) {
    let bench = Bench::start(body);
    let mut driver = start(&bench, Options { queue_size: 16, receive_buffers: 16, ..options(packed) });
    for round in 0..300u32 {
        let sent = frame(60 + round as usize * 4, round as u8);
        driver.send(&sent).unwrap();
        let came = driver.receive(LIMIT).unwrap();
        assert_eq!(came.as_deref(), Some(sent.as_slice()), "round {round}");
    }
    assert_eq!(driver.receive(Duration::ZERO).unwrap(), None);
    assert!(driver.send(&[0; 13]).is_err() && driver.send(&[0; 4000]).is_err());
    drop(driver);
    bench.finish();
}

fn a_frame_of_several_buffers_is_joined(body: Body, packed: bool) {
    let bench = Bench::start(body);
    let mut driver = start(&bench, Options { receive_bytes: 200, pages: Pages::Usual, ..options(packed) });
    assert!(driver.has(feature::MRG_RXBUF));
    for length in [60, 188, 189, 1000, 1514] {
        let sent = frame(length, 0x33);
        driver.send(&sent).unwrap();
        assert_eq!(driver.receive(LIMIT).unwrap(), Some(sent), "{length}");
    }
    drop(driver);
    bench.finish();
}

fn commands_are_carried_out(body: Body, packed: bool) {
    let bench = Bench::start(body);
    let mut driver = start(&bench, options(packed));
    if !driver.has(feature::CTRL_VQ) {
        let error = driver.command(&Command::SetPairs(1)).unwrap_err();
        assert!(error.to_string().contains("MQ is not agreed on"), "{error}");
        return;
    }
    let rss = |queue: u16| Command::SetRss {
        hash_types: 1,
        unclassified: queue,
        table: vec![queue; 4],
        transmit_queues: 1,
        key: vec![7; 40],
    };
    for (command, done) in [
        (Command::SetMac([2, 3, 4, 5, 6, 7]), true),
        (Command::SetMacTable(vec![[2; 6]], vec![[1; 6], [3; 6]]), true),
        (Command::SetMode(Mode::NoBroadcast, true), true),
        (Command::SetMode(Mode::NoBroadcast, false), true),
        (Command::SetMode(Mode::Promiscuous, true), true),
        (Command::AddVlan(7), true),
        (Command::RemoveVlan(7), true),
        (Command::SetPairs(4), true),
        (Command::SetPairs(5), false),
        (Command::SetPairs(0), false),
        (rss(0), true),
        (rss(99), false),
        (Command::SetPairs(1), true),
        (Command::SetCoalescing(Side::Receive, 10, 3), true),
        (Command::SetCoalescing(Side::Queue(RX), 10, 3), true),
        (Command::SetCoalescing(Side::Queue(99), 10, 3), false),
        (Command::Announced, true),
    ] {
        assert_eq!(driver.command(&command).unwrap(), done, "{command:?}");
    }
    let config = hematite_host::report::Config::gather(&mut driver.function).unwrap();
    assert_eq!(config.net.mac.as_deref(), Some("02:03:04:05:06:07"));
    drop(driver);
    bench.finish();
}

fn a_queue_is_reset_and_works_again(body: Body, packed: bool) {
    let bench = Bench::start(body);
    let mut driver = start(&bench, options(packed));
    for round in 0..4 {
        let sent = frame(100, round);
        driver.send(&sent).unwrap();
        assert_eq!(driver.receive(LIMIT).unwrap(), Some(sent), "round {round}");
        driver.reset_queue(TX).unwrap();
        driver.reset_queue(RX).unwrap();
    }
    drop(driver);
    bench.finish();
}

fn rings_are_seen_in_memory(body: Body, packed: bool) {
    let bench = Bench::start(body);
    let driver = start(&bench, Options { queue_size: 64, receive_buffers: 20, ..options(packed) });
    let (ring, arena) = (driver.ring(RX).unwrap(), driver.arena());
    let part = |part: hematite_host::arena::Part| arena.iova(part.at);
    let areas = ring.areas;
    let at = Addresses {
        size: ring.size,
        descriptors: part(areas.descriptors),
        driver: part(areas.driver),
        device: part(areas.device),
    };
    let seen = if ring.is_packed() { look::packed(arena, at) } else { look::split(arena, at) }.unwrap();
    assert_eq!((seen.chains.len(), seen.findings.len()), (20, 0), "{seen:?}");
    let write = |chain: &look::Chain| chain.descriptors[0].names.contains(&"write");
    assert!(
        seen.chains.iter().all(|chain| chain.available && chain.descriptors[0].bytes == 2048 && write(chain))
    );
    drop(driver);
    bench.finish();
}

#[test]
fn validate_finds_nothing_on_the_model() {
    validates(Body::Model, 3000);
}

#[test]
fn validate_finds_nothing_on_the_hardware() {
    validates(Body::Rtl("SIM"), 1000);
}

#[test]
fn validate_finds_nothing_on_the_smallest_hardware() {
    validates(Body::Rtl("TINY"), 300);
}

/// A step that the device does not go along with is named, and the device is told FAILED.
#[test]
fn a_device_that_refuses_is_told_failed() {
    let common_at = |offset: usize| layout::COMMON_OFFSET + offset as u64;
    let (status_at, vector_at) = (common_at(common::DEVICE_STATUS), common_at(common::CONFIG_MSIX_VECTOR));
    let enable_at = common_at(common::QUEUE_ENABLE);
    let without = |bit: u64| move |value: u32| value & !(bit as u32);
    type Change = Box<dyn Fn(u32) -> u32>;
    let refusals: [(u64, Change, &str); 4] = [
        (status_at, Box::new(without(status::FEATURES_OK)), "step 6: FEATURES_OK is refused"),
        (status_at, Box::new(without(status::DRIVER_OK)), "step 8: device_status is"),
        (vector_at, Box::new(|_| common::NO_VECTOR as u32), "vector 0 is not taken"),
        (enable_at, Box::new(|_| 0), "queue_enable 0"),
    ];
    for (place, change, said) in refusals {
        let bench = Bench::start(Body::Model);
        let alter = move |at: u64, value: u32| if at == place { change(value) } else { value };
        let (bus, noted) = Through::new(Box::new(bench.bus()), Box::new(alter));
        let function = Function::discover(Box::new(bus), None).unwrap();
        let error = bring_up(function, options(false)).err().expect(said).to_string();
        assert!(error.contains(said), "{error}");
        let failed = format!("write {:#x} at {status_at:#x}", status::FAILED);
        assert_eq!(noted.lock().unwrap().last(), Some(&failed), "{said}");
        bench.finish();
    }
}

/// A server whose interrupts leave as memory writes has none for us: the rings are polled.
#[test]
fn without_interrupts_the_rings_are_polled() {
    let bench = Bench::raw(Body::Model);
    let tried = bench.hematite(&["validate", "--active", "--frames", "100", "--json"]);
    let json = tried.json();
    assert_eq!((tried.code, json["failed"].as_u64()), (0, Some(0)), "{}", tried.out);
    assert!(tried.out.contains("100 of 100 frames") && json["skipped"].as_u64() > Some(0));
    bench.finish();
}

fn validates(body: Body, frames: u32) {
    let bench = Bench::start(body);
    let looked = bench.hematite(&["validate", "--json"]);
    let count = |json: &serde_json::Value, key: &str| json[key].as_u64().unwrap();
    let json = looked.json();
    assert_eq!((looked.code, count(&json, "failed"), &json["active"]), (0, 0, &json!(false)), "{looked:?}");
    let tried = bench.hematite(&["validate", "--active", "--frames", &frames.to_string(), "--json"]);
    let json = tried.json();
    assert_eq!(
        (tried.code, count(&json, "failed"), count(&json, "skipped")),
        (0, 0, usize::from(matches!(body, Body::Rtl("TINY"))) as u64),
        "{}",
        tried.out
    );
    let text = format!("{frames} of {frames} frames");
    assert!(tried.out.contains(&text), "{}", tried.out);
    assert!(count(&json, "passed") > count(&looked.json(), "passed") + 5);
    let table = bench.hematite(&["validate", "--active", "--frames", "10"]).out;
    assert!(table.contains("step 8: DRIVER_OK"), "{table}");
    bench.finish();
}

#[test]
fn what_cannot_be_tried_is_said() {
    let bench = Bench::start(Body::Model);
    let said = bench.hematite(&["descs", "0"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("no rings") && said.err.contains("validate --active"), "{said:?}");
    let mut function = bench.open();
    let features = FeatureReport::gather(&mut function, false).unwrap();
    assert!(features.accepted.is_none());
    let none = Options { features: FeatureSet(0), ..Options::default() };
    let error = bring_up(function, none).err().expect("nothing to agree on").to_string();
    assert!(error.contains("step 4"), "{error}");
    bench.finish();
}
