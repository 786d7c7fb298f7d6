//! What the stack at the far end does with UDP: see the table in `services`.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::udp;
use smoltcp::wire::{IpAddress, IpEndpoint, Ipv4Address};

/// Datagrams and bytes which a port holds each way.
const DEPTH: usize = 512;
const BUFFER: usize = 512 * 1024;
/// Senders whose datagrams are summed at a time; of more nothing is kept.
const SENDERS: usize = 64;
/// To groups nothing longer is said.
const WORDS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Echo,
    Discard,
    Sum,
    Group,
}

const PORTS: [(u16, Kind); 4] = [(7, Kind::Echo), (9, Kind::Discard), (7001, Kind::Sum), (7004, Kind::Group)];

/// What one sender has sent since it last asked.
#[derive(Default)]
struct Sum {
    bytes: u64,
    datagrams: u64,
    hash: Sha256,
}

/// An unbound socket with room.
pub(super) fn socket() -> udp::Socket<'static> {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; DEPTH], vec![0; BUFFER]);
    udp::Socket::new(buffer(), buffer())
}

/// All of it.
pub(super) struct Datagrams {
    ports: Vec<(SocketHandle, Kind)>,
    sums: BTreeMap<IpEndpoint, Sum>,
}

impl Datagrams {
    /// Opens the ports in `sockets`.
    pub(super) fn new(sockets: &mut SocketSet<'static>) -> Datagrams {
        let ports = PORTS.map(|(port, kind)| {
            let mut socket = socket();
            socket.bind(port).expect("a fresh socket can be bound");
            (sockets.add(socket), kind)
        });
        Datagrams { ports: ports.into(), sums: BTreeMap::new() }
    }

    /// Answers what has come. True if anything had.
    pub(super) fn run(&mut self, sockets: &mut SocketSet<'static>) -> bool {
        let mut moved = false;
        for at in 0..self.ports.len() {
            let (handle, kind) = self.ports[at];
            let socket = sockets.get_mut::<udp::Socket>(handle);
            while let Ok((data, from)) = socket.recv() {
                moved = true;
                let data = data.to_vec();
                if let Some((to, words)) = self.answer(kind, from.endpoint, data) {
                    // A full queue drops, as a network does.
                    let _ = socket.send_slice(&words, to);
                }
            }
        }
        moved
    }

    fn answer(&mut self, kind: Kind, from: IpEndpoint, data: Vec<u8>) -> Option<(IpEndpoint, Vec<u8>)> {
        match kind {
            Kind::Echo => Some((from, data)),
            Kind::Discard => None,
            Kind::Sum if data.is_empty() => {
                let Sum { bytes, datagrams, hash } = self.sums.remove(&from).unwrap_or_default();
                Some((from, format!("{bytes} {datagrams} {:x}\n", hash.finalize()).into()))
            }
            Kind::Sum => {
                if self.sums.len() < SENDERS || self.sums.contains_key(&from) {
                    let sum = self.sums.entry(from).or_default();
                    sum.bytes += data.len() as u64;
                    sum.datagrams += 1;
                    sum.hash.update(&data);
                }
                None
            }
            Kind::Group => group(&data),
        }
    }
}

/// `GROUP PORT WORDS`: the words go to the group.
fn group(line: &[u8]) -> Option<(IpEndpoint, Vec<u8>)> {
    let line = std::str::from_utf8(line).ok().filter(|line| line.len() <= WORDS)?;
    let mut parts = line.splitn(3, ' ');
    let address: Ipv4Address = parts.next()?.parse().ok()?;
    let port = parts.next()?.parse().ok().filter(|port| *port != 0)?;
    let to = IpEndpoint::new(IpAddress::from(address), port);
    address.is_multicast().then(|| (to, parts.next().unwrap_or_default().into()))
}
