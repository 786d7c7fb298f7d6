//! Flows, in plain Rust: the hash of a frame's addresses and ports, and the queue that RSS finds by it.
//! Spec: [virtio 1.4: Network Device, Hash calculation for incoming packets; RSS processing]

use crate::facts::{ethernet, hash, rss};

/// How receive queues are chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rss {
    /// Hash types, a bit each.
    pub types: u32,
    /// Pairs, by the low bits of the hash; its length is a power of two.
    pub table: Vec<u16>,
    /// The pair for what has no hash.
    pub unclassified: u16,
    /// Pairs the driver will transmit by. The device does without it.
    pub max_tx: u16,
    pub key: Vec<u8>,
}

impl Rss {
    /// Automatic receive steering over so many pairs.
    pub fn automatic(pairs: u16) -> Rss {
        let entries = if pairs == 1 { 1 } else { rss::TABLE as u16 };
        Rss {
            types: hash::KNOWN,
            table: (0..entries).map(|entry| entry % pairs).collect(),
            unclassified: 0,
            max_tx: pairs,
            key: rss::KEY_START.to_le_bytes().repeat(rss::KEY_BYTES / 4),
        }
    }

    /// As the control queue's command has it.
    pub fn command(&self) -> Vec<u8> {
        let mut data = self.types.to_le_bytes().to_vec();
        data.extend((self.table.len() as u16).wrapping_sub(1).to_le_bytes());
        data.extend(self.unclassified.to_le_bytes());
        data.extend(self.table.iter().flat_map(|pair| pair.to_le_bytes()));
        data.extend(self.max_tx.to_le_bytes());
        data.push(self.key.len() as u8);
        data.extend(&self.key);
        data
    }

    /// The pair whose receive queue a frame goes to.
    pub fn pair(&self, frame: &[u8]) -> u16 {
        match flow(frame, self.types, &self.key) {
            Some((hash, _)) => self.table[hash as usize % self.table.len()],
            None => self.unclassified,
        }
    }
}

/// The Toeplitz hash.
pub fn toeplitz(key: &[u8], data: &[u8]) -> u32 {
    let bit = |n: usize| u32::from(key.get(n / 8).is_some_and(|byte| byte >> (7 - n % 8) & 1 == 1));
    let window = |from: usize| (from..from + 32).fold(0, |window, n| window << 1 | bit(n));
    let set = (0..8 * data.len()).filter(|n| data[n / 8] >> (7 - n % 8) & 1 == 1);
    set.fold(0, |hash, n| hash ^ window(n))
}

/// The hash of a frame, and the bit of its type; none if no type fits.
pub fn flow(frame: &[u8], types: u32, key: &[u8]) -> Option<(u32, u32)> {
    // what the hardware looks at: one tag, no options, no extension headers
    let seen = &frame[..frame.len().min(64)];
    let ethertype = |at: usize| seen.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    let tagged = ethertype(12)? == ethernet::VLAN;
    let (kind, packet) = if tagged { (ethertype(16)?, &seen[18..]) } else { (ethertype(12)?, &seen[14..]) };
    let version = packet.first()? >> 4;
    let enabled = |bit: u32| types >> bit & 1 == 1;
    let (addresses, protocol, with_ports, first) = match (kind, version) {
        (ethernet::IPV4, 4) if packet.len() >= 20 => {
            let plain = packet[0] == 0x45 && packet[6] & 0x3f == 0 && packet[7] == 0;
            (12..20, packet[9], plain, hash::IPV4)
        }
        (ethernet::IPV6, 6) if packet.len() >= 40 => (8..40, packet[6], true, hash::IPV6),
        _ => return None,
    };
    let all = addresses.start..addresses.end + 4;
    let by_port = match protocol {
        ethernet::TCP => Some(first + 1),
        ethernet::UDP => Some(first + 2),
        _ => None,
    };
    match by_port.filter(|bit| with_ports && packet.len() >= all.end && enabled(*bit)) {
        Some(bit) => Some((toeplitz(key, &packet[all]), bit)),
        None => enabled(first).then(|| (toeplitz(key, &packet[addresses]), first)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key, and what it makes of addresses and ports, by which all implementations of RSS are checked.
    /// Source: Microsoft, "Verifying the RSS hash calculation".
    #[test]
    fn the_published_vectors() {
        let key: Vec<u8> = (0..40)
            .map(|n| {
                let text = "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa";
                u8::from_str_radix(&text[2 * n..2 * n + 2], 16).expect("hexadecimal")
            })
            .collect();
        let v4 = |from: [u8; 4], to: [u8; 4], ports: [u16; 2]| {
            let mut frame = vec![0; 12];
            frame.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]);
            frame.extend(from);
            frame.extend(to);
            frame.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
            frame.resize(60, 0);
            frame
        };
        for (from, to, ports, addresses, all) in [
            ([66, 9, 149, 187], [161, 142, 100, 80], [2794, 1766], 0x323e_8fc2, 0x51cc_c178),
            ([199, 92, 111, 2], [65, 69, 140, 83], [14230, 4739], 0xd718_262a, 0xc626_b0ea),
            ([24, 19, 198, 95], [12, 22, 207, 184], [12898, 38024], 0xd2d0_a5de, 0x5c2b_394a),
        ] {
            let frame = v4(from, to, ports);
            assert_eq!(flow(&frame, 1 << hash::IPV4, &key), Some((addresses, hash::IPV4)));
            assert_eq!(flow(&frame, hash::KNOWN, &key), Some((all, hash::IPV4 + 1)));
        }
        let mut frame = vec![0; 12];
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64]);
        let words = |words: [u16; 8]| words.into_iter().flat_map(u16::to_be_bytes);
        frame.extend(words([0x3ffe, 0x2501, 0x200, 0x1fff, 0, 0, 0, 7]));
        frame.extend(words([0x3ffe, 0x2501, 0x200, 3, 0, 0, 0, 1]));
        frame.extend([2794u16, 1766].iter().flat_map(|port| port.to_be_bytes()));
        assert_eq!(flow(&frame, 1 << hash::IPV6, &key), Some((0x2cc1_8cd5, hash::IPV6)));
        assert_eq!(flow(&frame, hash::KNOWN, &key), Some((0x4020_7d3d, hash::IPV6 + 1)));
    }
}
