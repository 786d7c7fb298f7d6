//! Of a test of `iperf`: what was ordered, and a stream with what it has sent or got.

use std::time::Duration;

use serde_json::Value;
use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp;
use smoltcp::wire::IpEndpoint;

/// Seconds, microseconds, counter.
const TIME_BYTES: usize = 8;
/// Of the average of the jitter, the share of the newest difference. [RFC 1889: A.8]
const JITTER_SHARE: f64 = 1.0 / 16.0;
const BLOCK: usize = 16 * 1024;
const MOST_STREAMS: usize = 8;

/// What the client asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    pub(super) udp: bool,
    /// We send.
    pub(super) reverse: bool,
    /// Datagram counters have 64 bits.
    pub(super) wide: bool,
    pub(super) parallel: usize,
    /// Bytes of a block or datagram.
    pub(super) len: usize,
    /// Of each stream, 0 for as fast as it goes.
    pub(super) bits_per_second: u64,
    /// Bytes to be sent by all streams together; none if the time decides.
    pub(super) bytes: Option<u64>,
}

impl Order {
    /// From the parameters; none if it is not for us.
    pub(super) fn read(text: &[u8]) -> Option<Order> {
        let json: Value = serde_json::from_slice(text).ok()?;
        let yes = |key: &str| json[key].as_bool().unwrap_or(json[key].as_u64().is_some_and(|n| n != 0));
        let number = |key: &str| json[key].as_u64();
        let len = number("len").unwrap_or(0) as usize;
        let order = Order {
            udp: yes("udp"),
            reverse: yes("reverse"),
            wide: yes("udp_counters_64bit"),
            parallel: number("parallel").unwrap_or(1) as usize,
            len,
            bits_per_second: number("bandwidth").unwrap_or(0),
            bytes: number("num")
                .filter(|n| *n > 0)
                .or(number("blockcount").filter(|n| *n > 0).map(|n| n * len as u64)),
        };
        let known = order.udp || yes("tcp");
        let lengths = if order.udp { 16..=65_507 } else { 1..=1 << 20 };
        let good = known
            && !yes("bidirectional")
            && lengths.contains(&len)
            && (1..=MOST_STREAMS).contains(&order.parallel);
        good.then_some(order)
    }
}

/// What carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Tcp(SocketHandle),
    Udp(IpEndpoint),
}

/// A stream.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) link: Link,
    pub(super) id: u64,
    /// Sent or got.
    pub(super) bytes: u64,
    /// The number of the datagram which comes next; they count from 1.
    pub(super) next: u64,
    got: u64,
    /// In seconds.
    pub(super) jitter: f64,
    transit: Option<f64>,
}

impl Stream {
    /// The stream which was made as number `index`. Both sides count 1, 3, 4, 5: no id is ever said.
    pub(super) fn new(link: Link, index: usize) -> Stream {
        let id = if index == 0 { 1 } else { index as u64 + 2 };
        Stream { link, id, bytes: 0, next: 1, got: 0, jitter: 0.0, transit: None }
    }

    /// Datagrams which have not come.
    pub(super) fn lost(&self) -> u64 {
        (self.next - 1).saturating_sub(self.got)
    }

    /// Counts what a connection has brought.
    pub(super) fn take(&mut self, socket: &mut tcp::Socket) -> bool {
        let mut moved = false;
        while socket.can_recv() {
            let len = socket.recv(|data| (data.len(), data.len())).unwrap_or(0);
            self.bytes += len as u64;
            moved |= len > 0;
        }
        moved
    }

    /// Sends what a connection has room for.
    pub(super) fn give(&mut self, socket: &mut tcp::Socket, order: &Order) -> bool {
        let most = order.bytes.map_or(u64::MAX, |bytes| bytes.div_ceil(order.parallel as u64));
        let mut moved = false;
        while self.bytes < most && socket.can_send() {
            let len = (most - self.bytes).min(BLOCK as u64) as usize;
            let block: Vec<u8> = (0..len as u64).map(|at| (self.bytes + at) as u8).collect();
            let sent = socket.send_slice(&block).unwrap_or(0);
            self.bytes += sent as u64;
            moved |= sent > 0;
        }
        moved
    }

    /// When the next datagram is to be sent.
    pub(super) fn due(&self, order: &Order, started: Duration) -> Option<Duration> {
        match order.bits_per_second {
            0 => Some(started),
            rate => started.checked_add(Duration::from_secs_f64(self.bytes as f64 * 8.0 / rate as f64)),
        }
    }

    /// The next datagram.
    pub(super) fn datagram(&mut self, order: &Order, now: Duration) -> Vec<u8> {
        let mut data = (now.as_secs() as u32).to_be_bytes().to_vec();
        data.extend(now.subsec_micros().to_be_bytes());
        match order.wide {
            true => data.extend(self.next.to_be_bytes()),
            false => data.extend((self.next as u32).to_be_bytes()),
        }
        data.resize(order.len, self.next as u8);
        self.next += 1;
        self.bytes += data.len() as u64;
        data
    }

    /// Counts a datagram which has come.
    pub(super) fn arrived(&mut self, data: &[u8], wide: bool, now: Duration) {
        let number = |at: usize, len: usize| -> Option<u64> {
            Some(data.get(at..at + len)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
        };
        let count = number(TIME_BYTES, if wide { 8 } else { 4 });
        let (Some(seconds), Some(micros), Some(count)) = (number(0, 4), number(4, 4), count) else { return };
        // A client which counts too high is asked about the loss itself, and so told of it.
        self.next = self.next.max(count.saturating_add(1));
        self.got += 1;
        self.bytes += data.len() as u64;
        let transit = now.as_secs_f64() - (seconds as f64 + micros as f64 / 1e6);
        if let Some(before) = self.transit.replace(transit) {
            self.jitter += ((transit - before).abs() - self.jitter) * JITTER_SHARE;
        }
    }
}
