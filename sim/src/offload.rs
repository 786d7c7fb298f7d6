//! What a driver asks for in front of a packet, and what becomes of the packet by that, in plain Rust.
//! Spec: [virtio 1.4: Network Device, Packet Transmission]

use crate::facts::net;

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

    /// The frame that leaves, if what is asked for can be.
    pub fn carry_out(&self, mut frame: Vec<u8>) -> Option<Vec<u8>> {
        if self.flags & net::HDR_F_NEEDS_CSUM != 0 {
            let start = usize::from(self.csum_start);
            let at = start + usize::from(self.csum_offset);
            let sum = checksum(frame.get(start..)?);
            frame.get_mut(at..at + 2)?.copy_from_slice(&sum.to_be_bytes());
        }
        Some(frame)
    }
}

/// The Internet checksum of what holds a partial one. Never 0, which UDP takes for none; all ones are the same number. RFC 1071
pub fn checksum(bytes: &[u8]) -> u16 {
    let high = |word: &[u8]| u64::from(word[0]) << 8;
    let low = |word: &[u8]| word.get(1).map_or(0, |byte| u64::from(*byte));
    let mut sum: u64 = bytes.chunks(2).map(|word| high(word) + low(word)).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    match !(sum as u16) {
        0 => 0xffff,
        sum => sum,
    }
}
