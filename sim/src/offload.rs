//! What a driver asks for in front of a packet, and what becomes of the packet by that; what it is told of one that comes. In plain Rust.
//! Spec: [virtio 1.4: Network Device, Packet Transmission; Processing of Incoming Packets]

use crate::facts::{ethernet, net};

/// `virtio_net_hdr`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub flags: u8,
    pub gso_type: u8,
    pub hdr_len: u16,
    pub gso_size: u16,
    pub csum_start: u16,
    pub csum_offset: u16,
    pub num_buffers: u16,
}

impl Header {
    /// The bytes from `csum_start` on are to be summed, `csum_offset` bytes behind it is where the sum is put.
    pub fn needs_csum(csum_start: u16, csum_offset: u16) -> Header {
        Header { flags: net::HDR_F_NEEDS_CSUM, csum_start, csum_offset, ..Header::default() }
    }

    /// As it stands in front of a packet.
    pub fn bytes(&self) -> [u8; net::HDR_BYTES as usize] {
        let mut bytes = [0; net::HDR_BYTES as usize];
        (bytes[0], bytes[1]) = (self.flags, self.gso_type);
        let words = [self.hdr_len, self.gso_size, self.csum_start, self.csum_offset, self.num_buffers];
        for (place, word) in bytes[2..].chunks_exact_mut(2).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// From the first bytes of a packet.
    pub fn read(bytes: &[u8; net::HDR_BYTES as usize]) -> Header {
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        Header {
            flags: bytes[0],
            gso_type: bytes[1],
            hdr_len: word(2),
            gso_size: word(4),
            csum_start: word(6),
            csum_offset: word(8),
            num_buffers: word(10),
        }
    }

    /// To be segmented: as much payload in each as `gso_size`.
    pub fn segmented(gso_type: u8, gso_size: u16, csum_start: u16, csum_offset: u16) -> Header {
        Header { gso_type, gso_size, ..Header::needs_csum(csum_start, csum_offset) }
    }

    /// What of it counts, with the features that are accepted.
    pub fn agreed(&self, accepted: impl Fn(u32) -> bool) -> Header {
        let mut header = *self;
        if !accepted(net::F_CSUM) {
            header.flags = 0;
        }
        let kinds = [
            (net::F_HOST_TSO4, net::GSO_TCPV4),
            (net::F_HOST_TSO6, net::GSO_TCPV6),
            (net::F_HOST_USO, net::GSO_UDP_L4),
        ];
        header.gso_type &= !net::GSO_ECN;
        if !kinds.iter().any(|(feature, _)| accepted(*feature)) {
            header.gso_type = 0;
        } else if header.gso_type != 0
            && !kinds.iter().any(|(feature, kind)| accepted(*feature) && *kind == header.gso_type)
        {
            header.gso_type = u8::MAX;
        }
        header
    }

    /// The frames that leave, of at most `most` bytes, if what is asked for can be.
    pub fn carry_out(&self, mut frame: Vec<u8>, most: usize) -> Option<Vec<Vec<u8>>> {
        if self.gso_type != 0 {
            return self.segments(&frame, most);
        }
        if self.flags & net::HDR_F_NEEDS_CSUM != 0 {
            let start = usize::from(self.csum_start);
            let at = start + usize::from(self.csum_offset);
            let sum = checksum(frame.get(start..)?);
            frame.get_mut(at..at + 2)?.copy_from_slice(&sum.to_be_bytes());
        }
        Some(vec![frame])
    }

    fn segments(&self, packet: &[u8], most: usize) -> Option<Vec<Vec<u8>>> {
        let udp = self.gso_type == net::GSO_UDP_L4;
        let known = udp || [net::GSO_TCPV4, net::GSO_TCPV6].contains(&self.gso_type);
        let field = if udp { net::UDP_CHECKSUM } else { net::TCP_CHECKSUM };
        let (start, size) = (usize::from(self.csum_start), usize::from(self.gso_size));
        let asked = self.flags & net::HDR_F_NEEDS_CSUM != 0 && self.csum_offset == field && size > 0;
        let place = start % 2 == 0 && start <= net::GSO_HEADER_BYTES - 8;
        let transport = if udp { 8 } else { usize::from(packet.get(start + 12)? >> 4) * 4 };
        let headers = start + transport;
        let fits = headers <= net::GSO_HEADER_BYTES && headers + size <= most && packet.len() > headers;
        if !(known && asked && place && fits && (udp || transport >= 20)) {
            return None;
        }
        let (headers, payload) = packet.split_at(headers);
        let (network, v4) = network_header(headers, start)?;
        let parts = payload.chunks(size).enumerate();
        let last = payload.len().div_ceil(size) - 1;
        Some(parts.map(|(n, part)| self.segment(headers, network, v4, part, (n, n == last))).collect())
    }

    fn segment(
        &self,
        headers: &[u8],
        network: usize,
        v4: bool,
        part: &[u8],
        (n, last): (usize, bool),
    ) -> Vec<u8> {
        let start = usize::from(self.csum_start);
        let mut frame = headers.to_vec();
        let word = |at: usize| u16::from_be_bytes([headers[at], headers[at + 1]]);
        let mut put = |at: usize, value: u16| frame[at..at + 2].copy_from_slice(&value.to_be_bytes());
        let total = headers.len() + part.len();
        let (len_at, len) =
            if v4 { (network + 2, total - network) } else { (network + 4, total - network - 40) };
        let (old, len) = (word(len_at), len as u16);
        put(len_at, len);
        if v4 {
            put(network + 4, word(network + 4).wrapping_add(n as u16));
            put(network + 10, 0);
        }
        if self.gso_type == net::GSO_UDP_L4 {
            put(start + 4, (total - start) as u16);
        } else {
            let before = (n * usize::from(self.gso_size)) as u32;
            let seq = u32::from(word(start + 4)) << 16 | u32::from(word(start + 6));
            let seq = seq.wrapping_add(before);
            put(start + 4, (seq >> 16) as u16);
            put(start + 6, seq as u16);
            let not_end = if last { 0 } else { net::TCP_FIN | net::TCP_PSH };
            let not_first = if n == 0 { 0 } else { net::TCP_CWR };
            frame[start + 13] &= !(not_end | not_first);
        }
        if v4 {
            let sum = sum(&[&frame[network..start]]);
            frame[network + 10..network + 12].copy_from_slice(&(!sum).to_be_bytes());
        }
        frame.extend(part);
        // The driver's sum has the whole packet's length in it.
        let sum = match !sum(&[&frame[start..], &(!old).to_be_bytes(), &len.to_be_bytes()]) {
            0 => u16::MAX,
            sum => sum,
        };
        let at = start + usize::from(self.csum_offset);
        frame[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        frame
    }
}

/// Where the network header begins, and whether it is IPv4's, if it reaches to `transport` as it should.
fn network_header(headers: &[u8], transport: usize) -> Option<(usize, bool)> {
    let mut at = 12;
    let kind = loop {
        let kind = u16::from_be_bytes(*headers.get(at..)?.first_chunk()?);
        if ![ethernet::VLAN, ethernet::SERVICE_VLAN].contains(&kind) {
            break kind;
        }
        at += 4;
    };
    let network = at + 2;
    let good = match kind {
        ethernet::IPV4 => {
            let words = usize::from(headers.get(network)? & 15);
            words >= 5 && network + 4 * words == transport
        }
        ethernet::IPV6 => network + 40 <= transport,
        _ => false,
    };
    good.then_some((network, kind == ethernet::IPV4))
}

/// The sum of the big-endian words of some bytes; carries come back at the low end.
fn sum(parts: &[&[u8]]) -> u16 {
    let high = |word: &[u8]| u64::from(word[0]) << 8;
    let low = |word: &[u8]| word.get(1).map_or(0, |byte| u64::from(*byte));
    let mut sum: u64 = parts.iter().flat_map(|part| part.chunks(2)).map(|word| high(word) + low(word)).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// The Internet checksum of what holds a partial one. Never 0, which UDP takes for none; all ones are the same number. RFC 1071
pub fn checksum(bytes: &[u8]) -> u16 {
    match !sum(&[bytes]) {
        0 => u16::MAX,
        sum => sum,
    }
}

/// Whether the device calls the checksum of a frame right: TCP or UDP, behind one tag at most, IPv4 without options and in one piece, IPv6
/// without extension headers.
pub fn verified(frame: &[u8]) -> bool {
    judged(frame).unwrap_or(false)
}

fn judged(frame: &[u8]) -> Option<bool> {
    let word = |at: usize| Some(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?));
    let network = if word(12)? == ethernet::VLAN { 18 } else { 14 };
    let version = frame.get(network)?;
    let (addresses, transport, end, protocol) = match word(network - 2)? {
        ethernet::IPV4 if *version == 0x45 && word(network + 6)? & 0x3fff == 0 => {
            let end = network + usize::from(word(network + 2)?);
            (network + 12, network + 20, end, *frame.get(network + 9)?)
        }
        ethernet::IPV6 if version >> 4 == 6 => {
            let end = network + 40 + usize::from(word(network + 4)?);
            (network + 8, network + 40, end, *frame.get(network + 6)?)
        }
        _ => return None,
    };
    let bytes = frame.get(transport..end)?;
    let whole = match protocol {
        ethernet::TCP => bytes.len() >= 20,
        ethernet::UDP if bytes.len() >= 8 => {
            usize::from(word(transport + 4)?) == bytes.len() && word(transport + 6)? != 0
        }
        _ => false,
    };
    let pseudo = (bytes.len() as u32).to_be_bytes();
    let sum = sum(&[&frame[addresses..transport], &pseudo, &[0, protocol], bytes]);
    Some(whole && sum == u16::MAX)
}
