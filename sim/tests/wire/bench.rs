//! A guest made of the same library as the stack at the far end, and the wire between them; both share one simulated clock.

use std::time::Duration;

use hematite_sim::wire::Wire;
use hematite_sim::wire::stack::{ADDR, Stack};
use rand::Rng;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr, Ipv4Address, Ipv6Address};

pub(crate) const GUEST_MAC: EthernetAddress = EthernetAddress([0x02, 0, 0, 0, 0, 0x42]);
pub(crate) const GUEST: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
pub(crate) const GUEST6: Ipv6Address = Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x42);
/// One turn of the clock.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// Turns which any wait may take.
pub(crate) const LIMIT: u32 = 20_000;

/// A guest and the stack, joined by a wire that may lose frames.
pub(crate) struct Bench {
    pub(crate) far: Stack,
    pub(crate) guest: Interface,
    pub(crate) phy: phy::Pipe,
    pub(crate) sockets: SocketSet<'static>,
    pub(crate) now: Duration,
    pub(crate) loss: Option<(rand_chacha::ChaCha8Rng, f64)>,
}

mod phy {
    use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
    use smoltcp::time::Instant;
    use std::collections::VecDeque;

    #[derive(Default)]
    pub(crate) struct Pipe {
        pub(crate) rx: VecDeque<Vec<u8>>,
        pub(crate) tx: VecDeque<Vec<u8>>,
    }
    pub(crate) struct Rx(Vec<u8>);
    pub(crate) struct Tx<'a>(&'a mut VecDeque<Vec<u8>>);
    impl RxToken for Rx {
        fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
            f(&self.0)
        }
    }
    impl TxToken for Tx<'_> {
        fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
            let mut frame = vec![0; len];
            let result = f(&mut frame);
            self.0.push_back(frame);
            result
        }
    }
    impl Device for Pipe {
        type RxToken<'a> = Rx;
        type TxToken<'a> = Tx<'a>;
        fn receive(&mut self, _: Instant) -> Option<(Rx, Tx<'_>)> {
            Some((Rx(self.rx.pop_front()?), Tx(&mut self.tx)))
        }
        fn transmit(&mut self, _: Instant) -> Option<Tx<'_>> {
            Some(Tx(&mut self.tx))
        }
        fn capabilities(&self) -> DeviceCapabilities {
            let mut capabilities = DeviceCapabilities::default();
            capabilities.medium = Medium::Ethernet;
            capabilities.max_transmission_unit = 1514;
            capabilities
        }
    }
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let mut phy = phy::Pipe::default();
        let config = Config::new(HardwareAddress::Ethernet(GUEST_MAC));
        let mut guest = Interface::new(config, &mut phy, Instant::from_micros(0));
        guest.update_ip_addrs(|addrs| {
            addrs.push(IpCidr::new(GUEST.into(), 24)).unwrap();
            addrs.push(IpCidr::new(GUEST6.into(), 64)).unwrap();
        });
        let sockets = SocketSet::new(vec![]);
        Bench { far: Stack::new(1, ADDR), guest, phy, sockets, now: Duration::ZERO, loss: None }
    }

    pub(crate) fn tick(&mut self) {
        self.now += TICK;
        let now = Instant::from_micros(self.now.as_micros() as i64);
        self.guest.poll(now, &mut self.phy, &mut self.sockets);
        for frame in std::mem::take(&mut self.phy.tx) {
            if !self.lost() {
                self.far.send(&frame).unwrap();
            }
        }
        self.far.advance(self.now);
        while let Some(frame) = self.far.receive().unwrap() {
            if !self.lost() {
                self.phy.rx.push_back(frame);
            }
        }
        self.guest.poll(now, &mut self.phy, &mut self.sockets);
    }

    pub(crate) fn lost(&mut self) -> bool {
        self.loss.as_mut().is_some_and(|(rng, share)| rng.random_bool(*share))
    }

    pub(crate) fn until<T>(&mut self, name: &str, mut look: impl FnMut(&mut Bench) -> Option<T>) -> T {
        for _ in 0..LIMIT {
            if let Some(found) = look(self) {
                return found;
            }
            self.tick();
        }
        panic!("{name}: not within {LIMIT} turns");
    }

    pub(crate) fn connect(&mut self, port: u16, local: u16) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; 65_536]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.connect(self.guest.context(), (ADDR, port), local).unwrap();
        self.sockets.add(socket)
    }

    /// Sends `data`, closes our half, returns all that comes back: what `nc` does.
    pub(crate) fn nc(&mut self, port: u16, local: u16, data: &[u8]) -> Vec<u8> {
        let handle = self.connect(port, local);
        let (mut sent, mut got, mut closed) = (0, vec![], false);
        self.until(&format!("end of the connection to port {port}"), |bench| {
            let socket = bench.sockets.get_mut::<tcp::Socket>(handle);
            if socket.can_send() && sent < data.len() {
                sent += socket.send_slice(&data[sent..]).unwrap();
            }
            if sent == data.len() && socket.may_send() && !closed {
                socket.close();
                closed = true;
            }
            while socket.can_recv() {
                socket.recv(|bytes| (bytes.len(), got.extend_from_slice(bytes))).unwrap();
            }
            (closed && !socket.may_recv() && socket.recv_queue() == 0).then_some(())
        });
        self.sockets.remove(handle);
        got
    }
}
