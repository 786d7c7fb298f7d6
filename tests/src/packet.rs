//! Packets of TCP and UDP as Linux hands them over, and what a receiver expects of their segments.

use hematite_abi::net;
use hematite_sim::offload::{Header, checksum};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// TCP over IPv4 with options of time stamps, in three segments.
pub const PLAIN: Kind =
    Kind { v6: false, udp: false, vlans: 0, ip_options: 0, tcp_options: 12, payload: 4000, size: 1400 };

/// What a packet is made of.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub v6: bool,
    pub udp: bool,
    pub vlans: usize,
    /// Bytes of IPv4 options, of another header behind IPv6's, of TCP options.
    pub ip_options: usize,
    pub tcp_options: usize,
    pub payload: usize,
    pub size: u16,
}

/// A packet as Linux hands it over, and how it is to be understood.
pub struct Packet {
    pub kind: Kind,
    pub header: Header,
    pub bytes: Vec<u8>,
    pub network: usize,
    pub transport: usize,
    pub headers: usize,
}

/// Addresses, length and protocol, as they are summed.
pub fn pseudo(bytes: &[u8], network: usize, v6: bool, udp: bool, len: usize) -> Vec<u8> {
    let addresses = if v6 { network + 8..network + 40 } else { network + 12..network + 20 };
    let mut pseudo = bytes[addresses].to_vec();
    pseudo.extend((len as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, if udp { 17 } else { 6 }]);
    pseudo
}

impl Packet {
    pub fn new(rng: &mut ChaCha8Rng, kind: Kind) -> Packet {
        let network = 14 + 4 * kind.vlans;
        let transport = network + if kind.v6 { 40 } else { 20 } + kind.ip_options;
        let headers = transport + if kind.udp { 8 } else { 20 + kind.tcp_options };
        let mut bytes: Vec<u8> = (0..headers + kind.payload).map(|_| rng.random()).collect();
        let mut put = |at: usize, value: u16| bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
        for vlan in 0..kind.vlans {
            put(12 + 4 * vlan, if vlan == 0 && kind.vlans > 1 { 0x88a8 } else { 0x8100 });
        }
        put(network - 2, if kind.v6 { 0x86dd } else { 0x0800 });
        let len = headers + kind.payload - network;
        put(network + if kind.v6 { 4 } else { 2 }, (if kind.v6 { len - 40 } else { len }) as u16);
        bytes[network] = if kind.v6 { 0x60 } else { 0x45 + (kind.ip_options / 4) as u8 };
        let transport_len = headers + kind.payload - transport;
        if !kind.udp {
            bytes[transport + 12] = ((5 + kind.tcp_options / 4) << 4) as u8;
        }
        let partial = !checksum(&pseudo(&bytes, network, kind.v6, kind.udp, transport_len));
        let offset = if kind.udp { 6 } else { 16 };
        bytes[transport + offset..transport + offset + 2].copy_from_slice(&partial.to_be_bytes());
        let gso = match (kind.udp, kind.v6) {
            (true, _) => net::GSO_UDP_L4,
            (false, true) => net::GSO_TCPV6,
            (false, false) => net::GSO_TCPV4,
        };
        let header = Header::segmented(gso as u8, kind.size, transport as u16, offset as u16);
        Packet { kind, header, bytes, network, transport, headers }
    }

    pub fn any(rng: &mut ChaCha8Rng, most: usize) -> Packet {
        let (v6, udp) = (rng.random(), rng.random_bool(0.3));
        let ip_options = if rng.random_bool(0.2) { 4 * rng.random_range(0..=5) } else { 0 };
        let tcp_options = if udp { 0 } else { 4 * rng.random_range(0..=10) };
        let ip_options = if v6 { ip_options / 8 * 8 } else { ip_options };
        let vlans = if rng.random_bool(0.2) { rng.random_range(1..3) } else { 0 };
        let size = rng.random_range(1..=1300);
        let payload = match rng.random_range(0..4) {
            0 => usize::from(size) * rng.random_range(1..5),
            1 => rng.random_range(1..=usize::from(size)),
            _ => rng.random_range(1..8 * usize::from(size)),
        };
        Packet::new(rng, Kind { v6, udp, vlans, ip_options, tcp_options, payload: payload.min(most), size })
    }

    pub fn frames(&self) -> usize {
        self.kind.payload.div_ceil(usize::from(self.kind.size))
    }

    /// A receiver finds all of them good and puts the packet together again.
    pub fn check(&self, frames: &[Vec<u8>]) {
        let Packet { kind, network, transport, headers, .. } = *self;
        assert_eq!(frames.len(), self.frames(), "{kind:?}");
        let mut payload: Vec<u8> = vec![];
        for (n, got) in frames.iter().enumerate() {
            let word = |at: usize| u16::from_be_bytes([got[at], got[at + 1]]);
            let old = |at: usize| u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]);
            let mut same = got[..headers].to_vec();
            let mut keep =
                |at: usize, len: usize| same[at..at + len].copy_from_slice(&self.bytes[at..at + len]);
            let bytes = got.len() - headers;
            let last = n + 1 == frames.len();
            assert!(bytes == usize::from(kind.size) || last, "{kind:?}, frame {n}: {bytes} bytes");
            if kind.v6 {
                assert_eq!(usize::from(word(network + 4)), got.len() - network - 40, "{kind:?}");
                keep(network + 4, 2);
            } else {
                assert_eq!(usize::from(word(network + 2)), got.len() - network, "{kind:?}");
                assert_eq!(word(network + 4), old(network + 4).wrapping_add(n as u16), "{kind:?}");
                assert_eq!(checksum(&got[network..transport]), 0xffff, "{kind:?}, frame {n}");
                keep(network + 2, 4);
                keep(network + 10, 2);
            }
            if kind.udp {
                assert_eq!(usize::from(word(transport + 4)), got.len() - transport, "{kind:?}");
                assert_ne!(word(transport + 6), 0, "no checksum, to UDP");
                keep(transport + 4, 4);
            } else {
                let seq = |word: &dyn Fn(usize) -> u16| {
                    u32::from(word(transport + 4)) << 16 | u32::from(word(transport + 6))
                };
                assert_eq!(seq(&word), seq(&old).wrapping_add(payload.len() as u32), "{kind:?}, frame {n}");
                let not_end = if last { 0 } else { 0x09 };
                let not_first = if n == 0 { 0 } else { 0x80 };
                assert_eq!(
                    got[transport + 13],
                    self.bytes[transport + 13] & !(not_end | not_first),
                    "{kind:?}"
                );
                keep(transport + 4, 4);
                keep(transport + 13, 1);
                keep(transport + 16, 2);
            }
            let mut all = pseudo(got, network, kind.v6, kind.udp, got.len() - transport);
            all.extend(&got[transport..]);
            assert_eq!(checksum(&all), 0xffff, "{kind:?}, frame {n}");
            assert_eq!(same, self.bytes[..headers], "{kind:?}, frame {n}");
            payload.extend(&got[headers..]);
        }
        assert_eq!(payload, self.bytes[headers..], "{kind:?}");
    }
}

/// What can be amiss with a packet that comes from the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// A bit of what is summed is another one.
    Bit,
    /// UDP without a checksum.
    Unsummed,
    Fragment,
    /// The frame ends before the packet.
    Cut,
    /// The length of IP is another one.
    Length,
    /// UDP's length is another one than IP's; its checksum is right.
    UdpLength,
    /// Neither TCP nor UDP.
    Protocol,
    /// The packet is too short for its protocol's header; its checksum is right.
    Short,
}

impl Flaw {
    pub const ALL: [Flaw; 9] = [
        Flaw::None,
        Flaw::Bit,
        Flaw::Unsummed,
        Flaw::Fragment,
        Flaw::Cut,
        Flaw::Length,
        Flaw::UdpLength,
        Flaw::Protocol,
        Flaw::Short,
    ];
}

/// A packet as it comes from the wire.
#[derive(Clone, Debug)]
pub struct Arriving {
    pub frame: Vec<u8>,
    /// Its checksum is right, and the device is to see that.
    pub right: bool,
    /// What it is, to say if a test fails.
    pub kind: Kind,
    pub flaw: Flaw,
}

impl Arriving {
    /// Of at most so many bytes of payload.
    pub fn any(rng: &mut ChaCha8Rng, most: usize) -> Arriving {
        let (v6, udp) = (rng.random(), rng.random());
        let options = if rng.random_bool(0.1) { rng.random_range(1..=5) } else { 0 };
        let most = if rng.random() { most.min(40) } else { most };
        let kind = Kind {
            v6,
            udp,
            vlans: [0, 0, 0, 1, 1, 2][rng.random_range(0..6)],
            ip_options: options * if v6 { 8 } else { 4 },
            tcp_options: if udp { 0 } else { 4 * rng.random_range(0..=10) },
            payload: rng.random_range(0..=most),
            size: 1,
        };
        let flaw = if rng.random() { Flaw::None } else { Flaw::ALL[rng.random_range(0..Flaw::ALL.len())] };
        let mut arriving = Arriving::new(rng, kind, flaw);
        // Behind a packet there may be anything, and behind a short one there is.
        let padded = if rng.random() { 60 } else { arriving.frame.len() + rng.random_range(0..20) };
        if flaw != Flaw::Cut && padded > arriving.frame.len() {
            let more = padded - arriving.frame.len();
            arriving.frame.extend((0..more).map(|_| rng.random::<u8>()));
        }
        arriving
    }

    pub fn new(rng: &mut ChaCha8Rng, kind: Kind, flaw: Flaw) -> Arriving {
        let Packet { mut bytes, network, transport, .. } = Packet::new(rng, kind);
        match rng.random_range(0..8) {
            0 => bytes[transport..].fill(0),
            1 => bytes[transport..].fill(0xff),
            _ => (),
        }
        let field = if kind.udp { transport + 6 } else { transport + 16 };
        if flaw == Flaw::Short {
            bytes.truncate(
                transport + if kind.udp { rng.random_range(0..8) } else { 18 + rng.random_range(0..2) },
            );
        }
        let end = bytes.len();
        let protocol = match flaw {
            Flaw::Protocol => [1, 58, 132, 0][rng.random_range(0..4)],
            _ if kind.udp => 17,
            _ => 6,
        };
        let mut put = |at: usize, value: u16| {
            if let Some(place) = bytes.get_mut(at..at + 2) {
                place.copy_from_slice(&value.to_be_bytes());
            }
        };
        let length = if kind.v6 { end - network - 40 } else { end - network } as u16;
        put(network + if kind.v6 { 4 } else { 2 }, length);
        if kind.udp {
            let wrong = u16::from(flaw == Flaw::UdpLength);
            put(transport + 4, (end - transport) as u16 ^ wrong << rng.random_range(0..16));
        }
        if !kind.v6 {
            put(network + 6, rng.random::<u16>() & 0xc000);
            if flaw == Flaw::Fragment {
                put(network + 6, 1 << rng.random_range(0..14));
            }
        }
        // An extension header says what is behind it.
        let next = network + if kind.v6 { 6 } else { 9 };
        bytes[next] = protocol;
        if kind.v6 && kind.ip_options > 0 {
            bytes[next] = 0;
            bytes[network + 40] = protocol;
        }
        let put = |bytes: &mut Vec<u8>, at: usize, value: u16| {
            if let Some(place) = bytes.get_mut(at..at + 2) {
                place.copy_from_slice(&value.to_be_bytes());
            }
        };
        put(&mut bytes, field, 0);
        let sum = |bytes: &[u8]| {
            let mut all = pseudo(bytes, network, kind.v6, protocol == 17, end - transport);
            all.extend(&bytes[transport..]);
            checksum(&all)
        };
        if kind.payload >= 4 && end > transport + 24 && rng.random_ratio(1, 6) {
            // A checksum of 0, which TCP sends as it is.
            let free = transport + if kind.udp { 8 } else { 20 };
            put(&mut bytes, free, 0);
            let rest = sum(&bytes);
            put(&mut bytes, free, rest);
        }
        let value = sum(&bytes);
        let zero = value == 0xffff && !kind.udp && rng.random();
        put(&mut bytes, field, if zero { 0 } else { value });
        let mut right = kind.vlans < 2 && kind.ip_options == 0;
        match flaw {
            Flaw::None => (),
            Flaw::Bit => {
                let from = if kind.v6 { network + 8 } else { network + 12 };
                let at = if rng.random() { field } else { rng.random_range(from..end) };
                bytes[at] ^= 1 << rng.random_range(0..8);
                right = false;
            }
            Flaw::Unsummed if kind.udp => {
                put(&mut bytes, field, 0);
                right = false;
            }
            Flaw::Cut => {
                let less = rng.random_range(1..=(end - transport).min(30));
                bytes.truncate(end - less);
                right = false;
            }
            Flaw::Length => {
                let wrong = length.wrapping_add([1, 2, 0xffff, 0xfffe, 0x8000][rng.random_range(0..5)]);
                put(&mut bytes, network + if kind.v6 { 4 } else { 2 }, wrong);
                right = false;
            }
            Flaw::Fragment => right &= kind.v6,
            Flaw::UdpLength => right &= !kind.udp,
            Flaw::Protocol | Flaw::Short => right = false,
            Flaw::Unsummed => (),
        }
        Arriving { frame: bytes, right, kind, flaw }
    }
}
