//! A network of one host, 10.0.2.2 or another, in the process: ARP, ICMP echo, DHCP server, TCP and UDP services, IPv6 link-local.
//! Its time is the caller's; it needs no rights.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr, Ipv4Address, Ipv6Address};

use super::dhcp::{DhcpServer, Verdict};
use super::services::Services;
use super::{Wire, arp};
use crate::log::say;

/// The host's MAC address: locally administered.
pub const MAC: EthernetAddress = EthernetAddress([0x02, 0x00, 0x0a, 0x00, 0x02, 0x02]);
/// The host's addresses; the first guest gets 10.0.2.15.
pub const ADDR: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);
/// The host's IPv6 address on the link.
pub const ADDR6: Ipv6Address = Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);

/// Longest frame, without FCS: jumbo frames are answered in kind, TCP keeps to what the guest says it takes.
const FRAME: usize = 9014;
/// Frames which wait towards the stack before it drops, and from it before it waits.
const DEPTH: usize = 512;
/// Turns between stack and services in one go; what is left goes on at the next.
const TURNS: usize = 16;

/// The wire as smoltcp sees it.
#[derive(Default)]
struct Queues {
    rx: VecDeque<Vec<u8>>,
    tx: VecDeque<Vec<u8>>,
}

struct RxToken(Vec<u8>);
struct TxToken<'a>(&'a mut VecDeque<Vec<u8>>);

impl phy::RxToken for RxToken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push_back(frame);
        result
    }
}

impl phy::Device for Queues {
    type RxToken<'a> = RxToken;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(RxToken, TxToken<'_>)> {
        let frame = self.rx.pop_front()?;
        Some((RxToken(frame), TxToken(&mut self.tx)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TxToken<'_>> {
        (self.tx.len() < DEPTH).then_some(TxToken(&mut self.tx))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        capabilities
    }
}

/// The host at the far end.
pub struct Stack {
    interface: Interface,
    queues: Queues,
    sockets: SocketSet<'static>,
    services: Services,
    dhcp: DhcpServer,
    now: Instant,
    /// When smoltcp wants to be polled next.
    wake: Option<Duration>,
    /// Frames dropped because too many were waiting.
    pub dropped: u64,
}

impl Stack {
    /// The host `addr` of a /24 network. Its random numbers come from `seed`.
    pub fn new(seed: u64, addr: Ipv4Address) -> Stack {
        let mut queues = Queues::default();
        let mut config = Config::new(HardwareAddress::Ethernet(MAC));
        config.random_seed = seed;
        let now = Instant::from_micros(0);
        let mut interface = Interface::new(config, &mut queues, now);
        interface.update_ip_addrs(|addrs| {
            const ROOM: &str = "there is room for two addresses";
            addrs.push(IpCidr::new(addr.into(), 24)).expect(ROOM);
            addrs.push(IpCidr::new(ADDR6.into(), 64)).expect(ROOM);
        });
        let mut sockets = SocketSet::new(vec![]);
        let services = Services::new(&mut sockets);
        let dhcp = DhcpServer::new(MAC, addr);
        let mut stack = Stack { interface, queues, sockets, services, dhcp, now, wake: None, dropped: 0 };
        stack.advance(Duration::ZERO);
        stack
    }
}

impl Wire for Stack {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        if let Some((addr, mac)) = arp::announced(frame) {
            say(format_args!("stack: {addr} announces itself, at {mac}"));
        }
        match self.dhcp.look(frame) {
            Verdict::Answer(answer) => self.queues.tx.push_back(answer),
            Verdict::Silent => {}
            Verdict::NotDhcp if self.queues.rx.len() < DEPTH => self.queues.rx.push_back(frame.to_vec()),
            Verdict::NotDhcp => self.dropped += 1,
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.queues.tx.pop_front())
    }

    fn advance(&mut self, now: Duration) {
        self.now = self.now.max(Instant::from_micros(now.as_micros() as i64));
        for _ in 0..TURNS {
            self.interface.poll(self.now, &mut self.queues, &mut self.sockets);
            if !self.services.run(now, &mut self.sockets) {
                let wake = self.interface.poll_at(self.now, &self.sockets);
                let wake = wake.map(|at| Duration::from_micros(at.total_micros().max(0) as u64));
                self.wake = wake.into_iter().chain(self.services.deadline()).min();
                return;
            }
        }
        // Something is left to do: at once.
        self.wake = Some(Duration::ZERO);
    }

    fn deadline(&self) -> Option<Duration> {
        self.wake
    }
}
