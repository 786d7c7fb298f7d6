//! What the stack at the far end offers to a guest, made for `nc` and `wget` of busybox, socat and iperf3.
//!
//! | port | TCP | UDP |
//! |---|---|---|
//! | 7 | echo | echo |
//! | 9 | discard | discard |
//! | 19 | endless pattern (RFC 864) | |
//! | 5201 | iperf3's server | its streams |
//! | 7001 | takes everything up to the end of the stream, answers `bytes sha256` | takes everything up to an empty datagram, answers `bytes datagrams sha256` |
//! | 7002 | takes a line `bytes seed`, sends so many pseudo-random bytes | |
//! | 7003 | takes a line `bytes seed`, answers `bytes sha256` of what 7002 would send | |
//! | 7004 | | takes `GROUP PORT WORDS`, sends the words to the group |

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use sha2::{Digest, Sha256};
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::time::Duration;

use super::datagrams::Datagrams;
use super::iperf::Iperf;
use crate::seed::{Seed, parse};

/// Connections per port at a time.
const CONNECTIONS: usize = 8;
/// Bytes which a connection holds each way: the window which the guest sees.
const BUFFER: usize = 128 * 1024;
/// The longest line a client may send.
const LINE: usize = 64;
/// Most bytes which one may ask for.
const MOST: u64 = 1 << 40;
/// Pseudo-random bytes are made so many at a time.
const BLOCK: usize = 4096;
/// Bytes which are made for a checksum before the other connections have their turn.
const CHECKSUM_TURN: u64 = 1 << 20;
/// A silent connection is asked after so long, and given up after [`SILENCE`].
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Echo,
    Discard,
    Chargen,
    Sink,
    Source,
    Checksum,
}

const TCP_PORTS: [(u16, Kind); 6] = [
    (7, Kind::Echo),
    (9, Kind::Discard),
    (19, Kind::Chargen),
    (7001, Kind::Sink),
    (7002, Kind::Source),
    (7003, Kind::Checksum),
];

/// The bytes which a seed stands for.
struct Stream {
    rng: ChaCha8Rng,
    block: [u8; BLOCK],
    used: usize,
    left: u64,
}

impl Stream {
    fn new(bytes: u64, seed: u64) -> Stream {
        Stream { rng: Seed(seed).rng(0), block: [0; BLOCK], used: BLOCK, left: bytes }
    }

    /// The next bytes, none at the end.
    fn peek(&mut self) -> &[u8] {
        if self.used == BLOCK {
            self.rng.fill_bytes(&mut self.block);
            self.used = 0;
        }
        let len = self.left.min((BLOCK - self.used) as u64) as usize;
        &self.block[self.used..self.used + len]
    }

    fn skip(&mut self, len: usize) {
        self.used += len;
        self.left -= len as u64;
    }
}

/// What a connection has come to.
#[derive(Default)]
struct Progress {
    line: Vec<u8>,
    hash: Sha256,
    bytes: u64,
    stream: Option<Stream>,
    /// The answer is under way; nothing more is sent.
    done: bool,
}

struct Connection {
    handle: SocketHandle,
    port: u16,
    kind: Kind,
    progress: Progress,
}

/// A socket with room which gives a silent peer up.
pub(super) fn socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    socket.set_keep_alive(Some(KEEP_ALIVE));
    socket.set_timeout(Some(SILENCE));
    socket
}

/// All of them.
pub struct Services {
    connections: Vec<Connection>,
    datagrams: Datagrams,
    iperf: Iperf,
}

impl Services {
    /// Opens the ports in `sockets`.
    pub fn new(sockets: &mut SocketSet<'static>) -> Services {
        let mut connections = vec![];
        for (port, kind) in TCP_PORTS {
            for _ in 0..CONNECTIONS {
                let handle = sockets.add(socket());
                connections.push(Connection { handle, port, kind, progress: Progress::default() });
            }
        }
        Services { connections, datagrams: Datagrams::new(sockets), iperf: Iperf::new(sockets) }
    }

    /// Moves what can be moved. True if anything did.
    pub fn run(&mut self, now: std::time::Duration, sockets: &mut SocketSet<'static>) -> bool {
        let mut moved = self.datagrams.run(sockets) | self.iperf.run(now, sockets);
        for connection in &mut self.connections {
            moved |= connection.run(sockets.get_mut(connection.handle));
        }
        moved
    }

    /// When there will be something to send.
    pub fn deadline(&self) -> Option<std::time::Duration> {
        self.iperf.deadline()
    }
}

impl Connection {
    fn run(&mut self, socket: &mut tcp::Socket) -> bool {
        if !socket.is_open() {
            self.progress = Progress::default();
            return socket.listen(self.port).is_ok();
        }
        if socket.is_listening() {
            return false;
        }
        let moved = match self.kind {
            Kind::Echo => self.echo(socket),
            Kind::Discard => self.take(socket, |_, _| ()),
            Kind::Chargen => self.take(socket, |_, _| ()) | self.pattern(socket),
            Kind::Sink => self.sink(socket),
            Kind::Source | Kind::Checksum => self.by_line(socket),
        };
        // Whoever only listens closes when the peer has; the others close with their answer.
        let ended = ended(socket);
        if ended && matches!(self.kind, Kind::Echo | Kind::Discard | Kind::Chargen) && !self.progress.done {
            self.finish(socket, b"");
        }
        moved
    }

    /// Sends the last words and closes our end.
    fn finish(&mut self, socket: &mut tcp::Socket, words: &[u8]) {
        // A few words always fit: nothing else was sent on this connection, or nobody reads it.
        let _ = socket.send_slice(words);
        socket.close();
        self.progress.done = true;
    }

    fn take(&mut self, socket: &mut tcp::Socket, mut each: impl FnMut(&mut Progress, &[u8])) -> bool {
        let mut moved = false;
        while socket.can_recv() {
            let progress = &mut self.progress;
            let taken = socket.recv(|data| {
                each(progress, data);
                (data.len(), data.len())
            });
            moved |= taken.is_ok_and(|len| len > 0);
        }
        moved
    }

    fn echo(&mut self, socket: &mut tcp::Socket) -> bool {
        let mut moved = false;
        while socket.can_recv() && socket.can_send() {
            let mut data = [0; BLOCK];
            let room = (socket.send_capacity() - socket.send_queue()).min(BLOCK);
            let len = socket.recv_slice(&mut data[..room]).unwrap_or(0);
            let sent = socket.send_slice(&data[..len]).unwrap_or(0);
            debug_assert_eq!(sent, len, "the room was asked for");
            moved |= len > 0;
        }
        moved
    }

    fn pattern(&mut self, socket: &mut tcp::Socket) -> bool {
        /// Printable characters, a line of 72 which begins one further each time.
        const FIRST: u64 = 32;
        const COUNT: u64 = 95;
        const WIDTH: u64 = 74;
        let mut moved = false;
        while !self.progress.done && socket.can_send() {
            let start = self.progress.bytes;
            let byte = |at: u64| match at % WIDTH {
                72 => b'\r',
                73 => b'\n',
                column => (FIRST + (at / WIDTH + column) % COUNT) as u8,
            };
            let data: Vec<u8> = (start..start + BLOCK as u64).map(byte).collect();
            let sent = socket.send_slice(&data).unwrap_or(0);
            self.progress.bytes += sent as u64;
            moved |= sent > 0;
        }
        moved
    }

    fn sink(&mut self, socket: &mut tcp::Socket) -> bool {
        let moved = self.take(socket, |progress, data| {
            progress.hash.update(data);
            progress.bytes += data.len() as u64;
        });
        if ended(socket) && !self.progress.done {
            let words = sum_line(self.progress.bytes, std::mem::take(&mut self.progress.hash));
            self.finish(socket, words.as_bytes());
            return true;
        }
        moved
    }

    fn by_line(&mut self, socket: &mut tcp::Socket) -> bool {
        let mut moved = self.take(socket, |progress, data| {
            let room = (LINE + 1).saturating_sub(progress.line.len());
            progress.line.extend(&data[..data.len().min(room)]);
        });
        if self.progress.done {
            return moved;
        }
        if self.progress.stream.is_none() {
            let line = &self.progress.line;
            let end = line.iter().position(|byte| *byte == b'\n');
            if end.is_none() && line.len() <= LINE && !ended(socket) {
                return moved;
            }
            match read_order(&line[..end.unwrap_or(line.len())]) {
                Some((bytes, seed)) => {
                    (self.progress.bytes, self.progress.stream) = (bytes, Some(Stream::new(bytes, seed)));
                }
                None => {
                    self.finish(socket, b"error: a line `bytes seed`, please\n");
                    return true;
                }
            }
        }
        let Some(stream) = &mut self.progress.stream else { return moved };
        if self.kind == Kind::Source {
            while stream.left > 0 && socket.can_send() {
                let sent = socket.send_slice(stream.peek()).unwrap_or(0);
                stream.skip(sent);
                moved |= sent > 0;
            }
            if stream.left == 0 {
                self.finish(socket, b"");
            }
            return moved;
        }
        let stop = stream.left.saturating_sub(CHECKSUM_TURN);
        while stream.left > stop {
            let len = stream.peek().len();
            self.progress.hash.update(stream.peek());
            stream.skip(len);
        }
        if stream.left == 0 {
            let words = sum_line(self.progress.bytes, std::mem::take(&mut self.progress.hash));
            self.finish(socket, words.as_bytes());
        }
        true
    }
}

/// True if the peer has sent its last byte and we have taken it.
pub(super) fn ended(socket: &tcp::Socket) -> bool {
    socket.is_active() && !socket.may_recv() && socket.state() != tcp::State::SynReceived
}

fn sum_line(bytes: u64, hash: Sha256) -> String {
    format!("{bytes} {:x}\n", hash.finalize())
}

fn read_order(line: &[u8]) -> Option<(u64, u64)> {
    let mut words = std::str::from_utf8(line).ok()?.split_whitespace();
    let (bytes, seed) = (parse(words.next()?)?, parse(words.next()?)?);
    (words.next().is_none() && bytes <= MOST).then_some((bytes, seed))
}
