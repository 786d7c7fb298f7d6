//! Frames which tell who they are, so that each is checked to its last byte wherever it comes out.

use rand::RngCore;

use crate::seed::Seed;

/// Ethertype for local experiments. [IEEE 802: Local Experimental Ethertypes]
const ETHERTYPE: [u8; 2] = [0x88, 0xb5]; // tidy-allow(literal): an ethertype, no register
const QUEUE_AT: usize = 14;
const NUMBER_AT: usize = 16;
const FILL_AT: usize = 24;
/// The fill is cut out of so many random bytes.
const FILL_BYTES: usize = 1 << 14;
/// Bytes on the wire beside what memory holds: the check sequence.
pub(super) const FCS: usize = 4;

/// Makes frames, and knows them again.
pub(super) struct Frames {
    fill: Vec<u8>,
    mac: [u8; 6],
    /// Bytes without check sequence.
    pub(super) bytes: usize,
}

impl Frames {
    /// Frames of `size` bytes with check sequence, to or from the function with address `mac`.
    pub(super) fn new(size: usize, mac: [u8; 6], seed: Seed) -> Frames {
        let mut fill = vec![0; FILL_BYTES + size];
        seed.rng(STREAM).fill_bytes(&mut fill);
        Frames { fill, mac, bytes: size - FCS }
    }

    /// Writes frame `number` of `queue` over what is in `frame`.
    pub(super) fn write(&self, queue: u16, number: u64, frame: &mut Vec<u8>) {
        frame.clear();
        frame.extend_from_slice(&self.mac);
        frame.extend_from_slice(&self.mac);
        frame.extend_from_slice(&ETHERTYPE);
        frame.extend_from_slice(&queue.to_le_bytes());
        frame.extend_from_slice(&number.to_le_bytes());
        let from = (number as usize).wrapping_mul(STEP) % FILL_BYTES;
        frame.extend_from_slice(&self.fill[from..from + self.bytes - FILL_AT]);
    }

    /// Queue and number of a frame of ours, if every byte is right.
    pub(super) fn read(&self, frame: &[u8]) -> Option<(u16, u64)> {
        let queue = u16::from_le_bytes(frame.get(QUEUE_AT..NUMBER_AT)?.try_into().ok()?);
        let number = u64::from_le_bytes(frame.get(NUMBER_AT..FILL_AT)?.try_into().ok()?);
        let from = (number as usize).wrapping_mul(STEP) % FILL_BYTES;
        let right = frame.len() == self.bytes
            && frame[..6] == self.mac
            && frame[6..12] == self.mac
            && frame[12..14] == ETHERTYPE
            && frame[FILL_AT..] == self.fill[from..from + self.bytes - FILL_AT];
        right.then_some((queue, number))
    }
}

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
    fn gaps_and_repeats_are_counted() {
        let mut sequence = Sequence::default();
        [0, 1, 4, 3, 5, 5].into_iter().for_each(|number| sequence.take(number));
        assert_eq!((sequence.lost, sequence.disordered), (2, 2));
    }
}
