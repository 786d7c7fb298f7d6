//! Frames which tell who they are, so that each is checked to its last byte wherever it comes out.

use rand::RngCore;

use crate::flow::Rss;
use crate::seed::Seed;

/// Where things are in a frame: behind Ethernet, IPv4 and UDP headers, the flow and its number.
const IP_AT: usize = 14;
const UDP_AT: usize = IP_AT + 20;
const FLOW_AT: usize = UDP_AT + 8;
const NUMBER_AT: usize = FLOW_AT + 2;
const FILL_AT: usize = NUMBER_AT + 8;
/// Ports: the flow's own, and discard.
const FIRST_PORT: u16 = 49152;
const DISCARD: u16 = 9;
/// The fill is cut out of so many random bytes.
const FILL_BYTES: usize = 1 << 14;
/// Bytes on the wire beside what memory holds: the check sequence.
pub(super) const FCS: usize = 4;

/// Makes frames, and knows them again.
pub(super) struct Frames {
    fill: Vec<u8>,
    /// Every frame's headers, but for the flow's port.
    headers: [u8; FLOW_AT],
    /// Bytes without check sequence.
    pub(super) bytes: usize,
}

impl Frames {
    /// Frames of `size` bytes with check sequence, to or from the function with address `mac`.
    pub(super) fn new(size: usize, mac: [u8; 6], seed: Seed) -> Frames {
        let mut fill = vec![0; FILL_BYTES + size];
        seed.rng(STREAM).fill_bytes(&mut fill);
        let bytes = size - FCS;
        Frames { fill, headers: headers(mac, bytes), bytes }
    }

    /// Headers of a flow.
    fn head(&self, flow: u16) -> [u8; FLOW_AT] {
        let mut head = self.headers;
        head[UDP_AT..UDP_AT + 2].copy_from_slice(&(FIRST_PORT + flow).to_be_bytes());
        head
    }

    /// For each of so many pairs a flow whose frames automatic steering gives to it.
    pub(super) fn flows(&self, pairs: u16) -> Vec<u16> {
        let steering = Rss::automatic(pairs);
        let mut flows = vec![None; usize::from(pairs)];
        let mut frame = vec![];
        for flow in 0..=u16::MAX - FIRST_PORT {
            self.write(flow, 0, &mut frame);
            flows[usize::from(steering.pair(&frame))].get_or_insert(flow);
        }
        flows.into_iter().map(|flow| flow.expect("16384 ports reach every pair")).collect()
    }

    fn fill(&self, number: u64) -> &[u8] {
        let from = (number as usize).wrapping_mul(STEP) % FILL_BYTES;
        &self.fill[from..from + self.bytes - FILL_AT]
    }

    /// Writes frame `number` of `flow` over what is in `frame`.
    pub(super) fn write(&self, flow: u16, number: u64, frame: &mut Vec<u8>) {
        frame.clear();
        frame.extend_from_slice(&self.head(flow));
        frame.extend_from_slice(&flow.to_le_bytes());
        frame.extend_from_slice(&number.to_le_bytes());
        frame.extend_from_slice(self.fill(number));
    }

    /// Flow and number of a frame of ours, if every byte is right.
    pub(super) fn read(&self, frame: &[u8]) -> Option<(u16, u64)> {
        let flow = u16::from_le_bytes(frame.get(FLOW_AT..NUMBER_AT)?.try_into().ok()?);
        let number = u64::from_le_bytes(frame.get(NUMBER_AT..FILL_AT)?.try_into().ok()?);
        let known = flow <= u16::MAX - FIRST_PORT && frame.len() == self.bytes;
        let right = known && frame[..FLOW_AT] == self.head(flow) && frame[FILL_AT..] == *self.fill(number);
        right.then_some((flow, number))
    }
}

/// From the function to itself, as it were: the address is good both ways. IPv4 without options, UDP without checksum.
fn headers(mac: [u8; 6], bytes: usize) -> [u8; FLOW_AT] {
    let (ip_bytes, udp_bytes) = ((bytes - IP_AT) as u16, (bytes - UDP_AT) as u16);
    let mut head = [0; FLOW_AT];
    head[..6].copy_from_slice(&mac);
    head[6..12].copy_from_slice(&mac);
    head[12..IP_AT].copy_from_slice(&ETHERTYPE_IPV4);
    let ip = &mut head[IP_AT..UDP_AT];
    (ip[0], ip[8], ip[9]) = (IPV4_NO_OPTIONS, 64, UDP);
    ip[2..4].copy_from_slice(&ip_bytes.to_be_bytes());
    ip[12..16].copy_from_slice(&[10, 0, 2, 2]);
    ip[16..20].copy_from_slice(&[10, 0, 2, 15]);
    let sum: u32 = ip.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let sum = !((sum & u32::from(u16::MAX)) + (sum >> 16)) as u16;
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    head[UDP_AT + 2..UDP_AT + 4].copy_from_slice(&DISCARD.to_be_bytes());
    head[UDP_AT + 4..UDP_AT + 6].copy_from_slice(&udp_bytes.to_be_bytes());
    head
}

const ETHERTYPE_IPV4: [u8; 2] = [8, 0];
const IPV4_NO_OPTIONS: u8 = 4 << 4 | 5;
const UDP: u8 = 17;
/// Between the fills of two frames; odd, so that all places come up.
const STEP: usize = 61;
const STREAM: u64 = 7;

/// What came out, in the order in which it did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sequence {
    next: u64,
    /// Frames which never came, as far as those behind them tell.
    pub(super) lost: u64,
    /// Frames which came too late or twice.
    pub(super) disordered: u64,
}

impl Sequence {
    /// Frames which came or were passed over.
    pub(super) fn count(&self) -> u64 {
        self.next
    }

    pub(super) fn take(&mut self, number: u64) {
        if number < self.next {
            self.disordered += 1;
            return;
        }
        self.lost += number - self.next;
        self.next = number + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        let frames = Frames::new(64, [2; 6], Seed(1));
        let mut frame = vec![];
        frames.write(3, 1000, &mut frame);
        assert_eq!(frame.len(), 60);
        assert_eq!(frames.read(&frame), Some((3, 1000)));
        for at in 0..frame.len() {
            frame[at] ^= 1;
            assert_ne!(frames.read(&frame), Some((3, 1000)), "byte {at}");
            frame[at] ^= 1;
        }
        assert_eq!(frames.read(&frame[..59]), None);
    }

    #[test]
    fn frames_are_ipv4_and_udp() {
        let mut frame = vec![];
        Frames::new(128, [2; 6], Seed(1)).write(1, 0, &mut frame);
        let ethernet = smoltcp::wire::EthernetFrame::new_checked(&frame).expect("Ethernet");
        let ip = smoltcp::wire::Ipv4Packet::new_checked(ethernet.payload()).expect("IPv4");
        assert!(ip.verify_checksum());
        let udp = smoltcp::wire::UdpPacket::new_checked(ip.payload()).expect("UDP");
        assert_eq!((udp.src_port(), udp.dst_port()), (FIRST_PORT + 1, DISCARD));
        assert_eq!(udp.payload().len(), 128 - FCS - FLOW_AT);
    }

    #[test]
    fn gaps_and_repeats_are_counted() {
        let mut sequence = Sequence::default();
        [0, 1, 4, 3, 5, 5].into_iter().for_each(|number| sequence.take(number));
        assert_eq!((sequence.lost, sequence.disordered), (2, 2));
    }
}
