//! iperf3's server at the far end, met by a client which is written out here, byte by byte.

use std::time::Duration;

use hematite_sim::wire::stack::ADDR;
use serde_json::{Value, json};
use smoltcp::iface::SocketHandle;
use smoltcp::socket::{tcp, udp};
use smoltcp::wire::IpAddress;

use crate::bench::Bench;

const PORT: u16 = 5201;
const COOKIE: &[u8; 37] = b"abcdefghijklmnopqrstuvwxyz0123456789\0";

fn say(bench: &mut Bench, handle: SocketHandle, words: &[u8]) {
    bench.until("made connection", |bench| {
        bench.sockets.get_mut::<tcp::Socket>(handle).can_send().then_some(())
    });
    let mut sent = 0;
    while sent < words.len() {
        sent += bench.sockets.get_mut::<tcp::Socket>(handle).send_slice(&words[sent..]).unwrap();
        bench.tick();
    }
}

fn hear(bench: &mut Bench, handle: SocketHandle, len: usize) -> Vec<u8> {
    let mut heard = vec![];
    bench.until(&format!("{len} bytes"), |bench| {
        let mut rest = vec![0; len - heard.len()];
        let came = bench.sockets.get_mut::<tcp::Socket>(handle).recv_slice(&mut rest).unwrap();
        heard.extend(&rest[..came]);
        (heard.len() == len).then_some(())
    });
    heard
}

fn json_of(bench: &mut Bench, handle: SocketHandle) -> Value {
    let head = hear(bench, handle, 4);
    let len = u32::from_be_bytes(head.try_into().unwrap()) as usize;
    serde_json::from_slice(&hear(bench, handle, len)).unwrap()
}

fn say_json(bench: &mut Bench, handle: SocketHandle, json: &Value) {
    let text = json.to_string();
    say(bench, handle, &[&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat());
}

/// A control connection on which `order` was accepted.
fn begin(bench: &mut Bench, local: u16, order: &Value) -> SocketHandle {
    let control = bench.connect(PORT, local);
    say(bench, control, COOKIE);
    assert_eq!(hear(bench, control, 1), [9], "PARAM_EXCHANGE");
    say_json(bench, control, order);
    assert_eq!(hear(bench, control, 1), [10], "CREATE_STREAMS");
    control
}

/// From TEST_END on; returns the server's results.
fn end(bench: &mut Bench, control: SocketHandle, streams: &Value) -> Value {
    say(bench, control, &[4]);
    assert_eq!(hear(bench, control, 1), [13], "EXCHANGE_RESULTS");
    say_json(bench, control, &json!({ "streams": streams }));
    let results = json_of(bench, control);
    assert_eq!(hear(bench, control, 1), [14], "DISPLAY_RESULTS");
    say(bench, control, &[16]);
    bench.sockets.get_mut::<tcp::Socket>(control).close();
    results
}

#[test]
fn two_connections_are_counted_to_the_last_byte_and_the_next_test_follows() {
    let mut bench = Bench::new();
    for round in 0..3 {
        let local = 30_000 + round * 10;
        let control =
            begin(&mut bench, local, &json!({"tcp": true, "parallel": 2, "len": 131_072, "time": 1}));
        let data = [1, 2].map(|at| bench.connect(PORT, local + at));
        data.iter().for_each(|handle| say(&mut bench, *handle, COOKIE));
        assert_eq!(hear(&mut bench, control, 2), [1, 2], "TEST_START, TEST_RUNNING");
        // A second client has to wait.
        let other = bench.connect(PORT, local + 3);
        say(&mut bench, other, &[b'x'; 37]);
        assert_eq!(hear(&mut bench, other, 1), [0xff], "ACCESS_DENIED");
        say(&mut bench, data[0], &[1; 100_000]);
        say(&mut bench, data[1], &[2; 30_000]);
        let said = json!([{"id": 1, "bytes": 100_000}, {"id": 3, "bytes": 30_000}]);
        let results = end(&mut bench, control, &said);
        assert_eq!(results["streams"][0]["bytes"], 100_000);
        assert_eq!(
            (&results["streams"][1]["id"], &results["streams"][1]["bytes"]),
            (&json!(3), &json!(30_000))
        );
        data.iter().for_each(|handle| bench.sockets.get_mut::<tcp::Socket>(*handle).close());
        (0..100).for_each(|_| bench.tick());
    }
}

/// A UDP stream that was answered.
fn stream(bench: &mut Bench, local: u16) -> SocketHandle {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 512], vec![0; 512 * 1024]);
    let mut socket = udp::Socket::new(buffer(), buffer());
    socket.bind(local).unwrap();
    socket.send_slice(b"9876", (IpAddress::from(ADDR), PORT)).unwrap();
    let handle = bench.sockets.add(socket);
    let answer = bench.until("answer", |bench| {
        bench.sockets.get_mut::<udp::Socket>(handle).recv().ok().map(|(data, _)| data.to_vec())
    });
    assert_eq!(answer, b"6789");
    handle
}

#[test]
fn datagrams_come_at_the_rate_which_was_asked_for() {
    let mut bench = Bench::new();
    let order = json!({"udp": true, "reverse": true, "parallel": 1, "len": 1000, "bandwidth": 8_000_000, "time": 1,
        "udp_counters_64bit": 1});
    let control = begin(&mut bench, 30_000, &order);
    let handle = stream(&mut bench, 30_001);
    assert_eq!(hear(&mut bench, control, 2), [1, 2]);
    let start = bench.now;
    while bench.now < start + Duration::from_millis(200) {
        bench.tick();
    }
    let results = end(&mut bench, control, &json!([{"id": 1, "bytes": 0}]));
    let mut next = 1u64;
    while let Ok((data, _)) = bench.sockets.get_mut::<udp::Socket>(handle).recv() {
        assert_eq!((data.len(), &data[8..16]), (1000, &next.to_be_bytes()[..]));
        next += 1;
    }
    // One each millisecond, for 200 ms and what the control connection takes.
    assert!((200..230).contains(&next), "{next}");
    assert_eq!(results["streams"][0]["packets"], next - 1);
}

#[test]
fn a_lost_datagram_is_reported_after_a_while() {
    let mut bench = Bench::new();
    let control = begin(&mut bench, 30_000, &json!({"udp": true, "parallel": 1, "len": 100, "bandwidth": 0}));
    let handle = stream(&mut bench, 30_001);
    assert_eq!(hear(&mut bench, control, 2), [1, 2]);
    for count in [1u32, 2, 4, 5] {
        let data = [&[0; 8][..], &count.to_be_bytes(), &[7; 88]].concat();
        let socket = bench.sockets.get_mut::<udp::Socket>(handle);
        socket.send_slice(&data, (IpAddress::from(ADDR), PORT)).unwrap();
    }
    let before = bench.now;
    let results = end(&mut bench, control, &json!([{"id": 1, "packets": 6}]));
    let stream = &results["streams"][0];
    assert_eq!(
        (&stream["errors"], &stream["packets"], &stream["bytes"]),
        (&json!(1), &json!(5), &json!(400))
    );
    assert!(bench.now - before >= Duration::from_secs(2), "the sixth was waited for");
}

#[test]
fn what_is_not_known_is_denied_and_the_server_goes_on() {
    let mut bench = Bench::new();
    for (round, order) in [
        json!({"tcp": true, "bidirectional": 1, "parallel": 1, "len": 1000}),
        json!({"sctp": true, "parallel": 1, "len": 1000}),
        json!({"udp": true, "parallel": 1, "len": 4}),
        json!({"tcp": true, "parallel": 100, "len": 1000}),
        json!("no object"),
    ]
    .iter()
    .enumerate()
    {
        let control = bench.connect(PORT, 30_000 + round as u16);
        say(&mut bench, control, COOKIE);
        assert_eq!(hear(&mut bench, control, 1), [9]);
        say_json(&mut bench, control, order);
        assert_eq!(hear(&mut bench, control, 1), [0xff], "{order}");
        bench.sockets.get_mut::<tcp::Socket>(control).close();
        (0..50).for_each(|_| bench.tick());
    }
    // A client which goes away in the middle, and one which says too much.
    let control = begin(&mut bench, 31_000, &json!({"tcp": true, "parallel": 1, "len": 1000}));
    bench.sockets.get_mut::<tcp::Socket>(control).abort();
    (0..50).for_each(|_| bench.tick());
    let control = bench.connect(PORT, 31_001);
    say(&mut bench, control, COOKIE);
    assert_eq!(hear(&mut bench, control, 1), [9]);
    say(&mut bench, control, &u32::MAX.to_be_bytes());
    assert_eq!(hear(&mut bench, control, 1), [0xff]);
    bench.sockets.get_mut::<tcp::Socket>(control).close();
    (0..50).for_each(|_| bench.tick());
    begin(&mut bench, 31_002, &json!({"tcp": true, "parallel": 1, "len": 1000}));
}
