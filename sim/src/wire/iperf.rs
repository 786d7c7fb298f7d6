//! iperf3's server at the far end, so that a guest's own iperf3 measures against it and no rights, no host network and no
//! second guest are needed. One test at a time, TCP and UDP, several streams, either direction; what a client asks for
//! besides (both directions at once, SCTP, authentication) is denied.
//!
//! A test: the client opens a control connection with a cookie of its own; states are a byte each, parameters and results
//! JSON behind its length. A TCP stream begins with the cookie, a UDP stream with a word which is answered by another.
//! Differs from iperf3 in one thing: its results wait until what the client says it has sent has come, so that they can
//! be compared byte for byte.

use std::time::Duration;

use serde_json::{Value, json};
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::{tcp, udp};

use super::iperf_stream::{Link, Order, Stream};
use super::{datagrams, services};

const PORT: u16 = 5201;
/// Connections at a time: control and streams of a test, and some which have not said yet what they are.
const CONNECTIONS: usize = 12;
const COOKIE: usize = 37;
/// Longest JSON which is read.
const MOST_JSON: usize = 64 * 1024;
/// What a UDP stream begins with, and the answer.
const HELLO: &[u8] = b"9876";
const HELLO_ANSWER: &[u8] = b"6789";
/// How long the results wait for the next of what was sent: what has not come then is lost.
const GRACE: Duration = Duration::from_secs(2);
/// Datagrams sent in one turn at most.
const BURST: usize = 16;

/// States as they are on the control connection.
mod state {
    pub(super) const TEST_START: u8 = 1;
    pub(super) const TEST_RUNNING: u8 = 2;
    pub(super) const TEST_END: u8 = 4;
    pub(super) const PARAM_EXCHANGE: u8 = 9;
    pub(super) const CREATE_STREAMS: u8 = 10;
    pub(super) const CLIENT_TERMINATE: u8 = 12;
    pub(super) const EXCHANGE_RESULTS: u8 = 13;
    pub(super) const DISPLAY_RESULTS: u8 = 14;
    pub(super) const IPERF_DONE: u8 = 16;
    pub(super) const ACCESS_DENIED: u8 = 0xff;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Parameters,
    Streams,
    Running,
    Results,
    /// The client's results are here; some of what it sent is not.
    Arriving(Duration),
    /// The client reads our results, and says when it has.
    Shown,
    Done,
}

struct Test {
    control: SocketHandle,
    cookie: Vec<u8>,
    inbox: Vec<u8>,
    phase: Phase,
    order: Order,
    started: Duration,
    streams: Vec<Stream>,
    /// The client's results.
    theirs: Value,
}

/// What an open connection has said so far.
struct Line {
    handle: SocketHandle,
    cookie: Vec<u8>,
}

/// The server.
pub(super) struct Iperf {
    lines: Vec<Line>,
    datagrams: SocketHandle,
    test: Option<Test>,
}

impl Iperf {
    /// Opens the port in `sockets`.
    pub(super) fn new(sockets: &mut SocketSet<'static>) -> Iperf {
        let lines = (0..CONNECTIONS)
            .map(|_| Line { handle: sockets.add(services::socket()), cookie: vec![] })
            .collect();
        let mut socket = datagrams::socket();
        socket.bind(PORT).expect("a fresh socket can be bound");
        Iperf { lines, datagrams: sockets.add(socket), test: None }
    }

    /// When the next datagram is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let test = self.test.as_ref()?;
        match test.phase {
            Phase::Arriving(until) => Some(until),
            Phase::Running if test.order.udp && test.order.reverse => {
                test.streams.iter().filter_map(|stream| stream.due(&test.order, test.started)).min()
            }
            _ => None,
        }
    }

    /// Moves what can be moved. True if anything did.
    pub(super) fn run(&mut self, now: Duration, sockets: &mut SocketSet<'static>) -> bool {
        let mut moved = self.greet(sockets);
        moved |= self.take_datagrams(now, sockets);
        let Some(test) = &mut self.test else { return moved };
        moved |= test.control(now, sockets);
        moved |= test.run_streams(now, sockets, self.datagrams);
        if test.phase == Phase::Done || !sockets.get::<tcp::Socket>(test.control).is_active() {
            sockets.get_mut::<tcp::Socket>(test.control).close();
            for stream in &test.streams {
                if let Link::Tcp(handle) = stream.link {
                    sockets.get_mut::<tcp::Socket>(handle).close();
                }
            }
            self.test = None;
            moved = true;
        }
        moved
    }

    /// Reads cookies: a known one makes a connection a stream, a new one begins a test.
    fn greet(&mut self, sockets: &mut SocketSet<'static>) -> bool {
        let mut moved = false;
        for line in &mut self.lines {
            let socket = sockets.get_mut::<tcp::Socket>(line.handle);
            if !socket.is_open() {
                line.cookie.clear();
                moved |= socket.listen(PORT).is_ok();
                continue;
            }
            if line.cookie.len() < COOKIE {
                let mut rest = [0; COOKIE];
                let len = socket.recv_slice(&mut rest[line.cookie.len()..]).unwrap_or(0);
                let from = line.cookie.len();
                line.cookie.extend(&rest[from..from + len]);
                moved |= len > 0;
                if line.cookie.len() == COOKIE {
                    match &mut self.test {
                        None => {
                            self.test = Some(Test::new(line.handle, line.cookie.clone()));
                            say(socket, state::PARAM_EXCHANGE);
                        }
                        Some(test) if test.wants(&line.cookie, false) => test.add(Link::Tcp(line.handle)),
                        Some(_) => {
                            say(socket, state::ACCESS_DENIED);
                            socket.close();
                        }
                    }
                }
            }
            if services::ended(socket) && self.test.as_ref().is_none_or(|test| !test.uses(line.handle)) {
                socket.close();
            }
        }
        moved
    }

    /// Takes datagrams: a hello makes a stream, the others are counted with theirs.
    fn take_datagrams(&mut self, now: Duration, sockets: &mut SocketSet<'static>) -> bool {
        let socket = sockets.get_mut::<udp::Socket>(self.datagrams);
        let mut moved = false;
        while let Ok((data, from)) = socket.recv() {
            moved = true;
            let Some(test) = &mut self.test else { continue };
            let link = Link::Udp(from.endpoint);
            if let Some(stream) = test.streams.iter_mut().find(|stream| stream.link == link) {
                if !test.order.reverse {
                    stream.arrived(data, test.order.wide, now);
                }
            } else if data == HELLO && test.wants(&test.cookie, true) {
                test.add(link);
                // If the answer is lost the client asks nothing more and gives up, as with iperf3.
                let _ = socket.send_slice(HELLO_ANSWER, from.endpoint);
            }
        }
        moved
    }
}

fn say(socket: &mut tcp::Socket, state: u8) {
    // A few bytes at a time on a connection with room for many more.
    let _ = socket.send_slice(&[state]);
}

impl Test {
    fn new(control: SocketHandle, cookie: Vec<u8>) -> Test {
        Test {
            control,
            cookie,
            inbox: vec![],
            phase: Phase::Parameters,
            order: Order::default(),
            started: Duration::ZERO,
            streams: vec![],
            theirs: Value::Null,
        }
    }

    fn uses(&self, handle: SocketHandle) -> bool {
        self.control == handle || self.streams.iter().any(|stream| stream.link == Link::Tcp(handle))
    }

    /// True if a stream with this cookie is waited for.
    fn wants(&self, cookie: &[u8], udp: bool) -> bool {
        self.phase == Phase::Streams
            && self.order.udp == udp
            && self.cookie == cookie
            && self.streams.len() < self.order.parallel
    }

    fn add(&mut self, link: Link) {
        self.streams.push(Stream::new(link, self.streams.len()));
    }

    /// A JSON text behind its length, once all of it is here. An error if it is too long.
    fn json(&mut self) -> Result<Option<Vec<u8>>, ()> {
        let Some(head) = self.inbox.first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_be_bytes(*head) as usize;
        match len {
            MOST_JSON.. => Err(()),
            _ if self.inbox.len() < 4 + len => Ok(None),
            _ => Ok(Some(self.inbox.drain(..4 + len).skip(4).collect())),
        }
    }

    /// Takes what the control connection has brought, and goes on to the next phase if it is time.
    fn control(&mut self, now: Duration, sockets: &mut SocketSet<'static>) -> bool {
        let socket = sockets.get_mut::<tcp::Socket>(self.control);
        let mut data = [0; 1024];
        let len = socket.recv_slice(&mut data).unwrap_or(0);
        self.inbox.extend(&data[..len]);
        let before = self.phase;
        match self.phase {
            Phase::Parameters => match self.json() {
                Ok(None) => {}
                Ok(Some(text)) if let Some(order) = Order::read(&text) => {
                    self.order = order;
                    self.phase = Phase::Streams;
                    say(socket, state::CREATE_STREAMS);
                }
                _ => {
                    say(socket, state::ACCESS_DENIED);
                    self.phase = Phase::Done;
                }
            },
            Phase::Streams if self.streams.len() == self.order.parallel => {
                self.started = now;
                self.phase = Phase::Running;
                say(socket, state::TEST_START);
                say(socket, state::TEST_RUNNING);
            }
            Phase::Results => match self.json() {
                Ok(None) => {}
                Ok(Some(text)) => {
                    self.theirs = serde_json::from_slice(&text).unwrap_or(Value::Null);
                    self.phase = Phase::Arriving(now + GRACE);
                }
                Err(()) => self.phase = Phase::Done,
            },
            Phase::Arriving(until) if now >= until || self.all_here() => {
                let results = self.results(now).to_string();
                let _ = socket.send_slice(&(results.len() as u32).to_be_bytes());
                let _ = socket.send_slice(results.as_bytes());
                say(socket, state::DISPLAY_RESULTS);
                self.phase = Phase::Shown;
            }
            _ => {}
        }
        if matches!(self.phase, Phase::Streams | Phase::Running | Phase::Shown) {
            match self.inbox.first() {
                Some(&state::TEST_END) if self.phase == Phase::Running => {
                    self.phase = Phase::Results;
                    say(socket, state::EXCHANGE_RESULTS);
                }
                Some(&(state::CLIENT_TERMINATE | state::IPERF_DONE)) => self.phase = Phase::Done,
                _ => {}
            }
            self.inbox.clear();
        }
        if services::ended(socket) {
            self.phase = Phase::Done;
        }
        len > 0 || self.phase != before
    }

    /// True if everything has come that the client says it has sent.
    fn all_here(&self) -> bool {
        let said = |stream: &Stream, key: &str| -> Option<u64> {
            let streams = self.theirs["streams"].as_array()?;
            streams.iter().find(|one| one["id"] == stream.id)?[key].as_u64()
        };
        self.order.reverse
            || self.streams.iter().all(|stream| match self.order.udp {
                true => said(stream, "packets").is_none_or(|packets| stream.next > packets),
                false => said(stream, "bytes").is_none_or(|bytes| stream.bytes >= bytes),
            })
    }

    fn results(&self, now: Duration) -> Value {
        let seconds = (now - self.started).as_secs_f64();
        let streams = self.streams.iter().map(|stream| {
            json!({
                "id": stream.id,
                "bytes": stream.bytes,
                "retransmits": -1,
                "jitter": stream.jitter,
                "errors": stream.lost(),
                "omitted_errors": 0,
                "packets": stream.next - 1,
                "omitted_packets": 0,
                "start_time": 0,
                "end_time": seconds,
            })
        });
        json!({
            "cpu_util_total": 0,
            "cpu_util_user": 0,
            "cpu_util_system": 0,
            "sender_has_retransmits": if self.order.reverse { 0 } else { -1 },
            "streams": streams.collect::<Vec<_>>(),
        })
    }

    fn run_streams(
        &mut self,
        now: Duration,
        sockets: &mut SocketSet<'static>,
        datagrams: SocketHandle,
    ) -> bool {
        let mut moved = false;
        let sends = self.order.reverse && self.phase == Phase::Running;
        for stream in &mut self.streams {
            match stream.link {
                Link::Tcp(handle) => {
                    let socket = sockets.get_mut::<tcp::Socket>(handle);
                    moved |= stream.take(socket);
                    moved |= sends && stream.give(socket, &self.order);
                }
                Link::Udp(to) if sends => {
                    let socket = sockets.get_mut::<udp::Socket>(datagrams);
                    for _ in 0..BURST {
                        let due = stream.due(&self.order, self.started).is_some_and(|due| due <= now);
                        if !due || !socket.can_send() {
                            break;
                        }
                        let _ = socket.send_slice(&stream.datagram(&self.order, now), to);
                        moved = true;
                    }
                }
                Link::Udp(_) => {}
            }
        }
        if let Phase::Arriving(until) = &mut self.phase
            && moved
        {
            *until = now + GRACE;
        }
        moved
    }
}
