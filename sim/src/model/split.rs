//! Split rings in the model, and where both kinds part.
//! Spec: [virtio 1.4: Split Virtqueues]

use super::Model;
use super::dma::Stop;
use super::engine::{Chain, Done, Segment};
use crate::facts::{ident as error, ring, virtio};

impl Model {
    /// Chains which the driver has made available and we have not taken.
    pub(super) fn available(&mut self, queue: u16) -> Result<u16, Stop> {
        let q = self.registers.queues[usize::from(queue)].clone();
        let idx = self.dma.read_u16(self.now, q.driver.wrapping_add(ring::AVAIL_IDX))?;
        let ahead = idx.wrapping_sub(q.avail_seen);
        if ahead > q.size { Err(Stop::Bad(error::ERROR_AVAIL_IDX)) } else { Ok(ahead) }
    }

    /// Walks the chain at a position of the ring, if there is one. `writable`: the direction which its buffers must have; without,
    /// readable ones come first, and the walk ends at the first writable one that has room.
    pub(super) fn chain_at(
        &mut self,
        queue: u16,
        position: u16,
        writable: Option<bool>,
    ) -> Result<Option<Chain>, Stop> {
        self.chain_with(queue, position, writable, 1)
    }

    /// The same; where answers are written, as far as there is room for so many bytes of them.
    pub(super) fn chain_with(
        &mut self,
        queue: u16,
        position: u16,
        writable: Option<bool>,
        answer: u64,
    ) -> Result<Option<Chain>, Stop> {
        if self.packed() {
            return self.packed_chain(queue, position, writable, answer);
        }
        let seen = self.registers.queues[usize::from(queue)].avail_seen;
        if position.wrapping_sub(seen) == self.available(queue)? {
            return Ok(None);
        }
        self.chain(queue, position, writable, answer).map(Some)
    }

    fn chain(
        &mut self,
        queue: u16,
        position: u16,
        writable: Option<bool>,
        answer: u64,
    ) -> Result<Chain, Stop> {
        let q = self.registers.queues[usize::from(queue)].clone();
        let slot = u64::from(position % q.size);
        let entry = q.driver.wrapping_add(ring::AVAIL_RING + slot * ring::AVAIL_ENTRY);
        let id = self.dma.read_u16(self.now, entry)?;
        let mut segments: Vec<Segment> = vec![];
        let mut answers = false;
        let mut room = 0;
        let mut index = id;
        // The table in which the chain goes on, its entries, and how many of them may still come.
        let (mut table, mut entries, mut left) = (q.desc, u32::from(q.size), u32::from(q.size));
        let mut inside = false;
        while left > 0 {
            if u32::from(index) >= entries {
                return Err(Stop::Bad(error::ERROR_DESC_INDEX));
            }
            let at = table.wrapping_add(u64::from(index) * ring::DESC_BYTES);
            let bytes = self.dma.read(self.now, at, ring::DESC_BYTES as usize)?;
            let word =
                |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
            let addr = u64::from(word(4)) << 32 | u64::from(word(0));
            let (len, flags, next) = (word(8), word(12) as u16, (word(12) >> 16) as u16);
            if flags & ring::DESC_F_INDIRECT != 0 && self.registers.accepted(virtio::F_INDIRECT_DESC) {
                // [virtio 1.4: Indirect Descriptors] the write-only flag of such a descriptor means nothing
                let size = u64::from(len);
                let whole = size % ring::DESC_BYTES == 0 && (1..ring::TABLE_BYTES).contains(&size);
                if inside || flags & ring::DESC_F_NEXT != 0 || !whole || addr % ring::DESC_BYTES != 0 {
                    return Err(Stop::Bad(error::ERROR_INDIRECT));
                }
                inside = true;
                entries = len / ring::DESC_BYTES as u32;
                (table, left, index) = (addr, entries, 0);
                continue;
            }
            if flags & ring::DESC_F_INDIRECT != 0 {
                return Err(Stop::Bad(error::ERROR_INDIRECT));
            }
            let write = flags & ring::DESC_F_WRITE != 0;
            if writable.is_some_and(|writable| writable != write) || answers && !write {
                return Err(Stop::Bad(error::ERROR_DIRECTION));
            }
            answers = write && writable.is_none();
            if len > 0 {
                segments.push(Segment { addr, len, writable: write });
            }
            room += if answers { u64::from(len) } else { 0 };
            if flags & ring::DESC_F_NEXT == 0 || answers && room >= answer {
                return Ok(Chain { id, slots: 1, segments });
            }
            index = next;
            left -= 1;
        }
        Err(Stop::Bad(error::ERROR_CHAIN_LOOP))
    }

    /// Writes used elements, then the index, then leaves the interrupt to a job of its own.
    pub(super) fn used(&mut self, queue: u16, chains: &[Done]) {
        if self.packed() {
            return self.packed_used(queue, chains);
        }
        let q = &mut self.registers.queues[usize::from(queue)];
        for Done { id, len, .. } in chains {
            let slot = u64::from(q.used_idx % q.size);
            let mut element = u32::from(*id).to_le_bytes().to_vec();
            element.extend_from_slice(&len.to_le_bytes());
            self.dma.write(q.device.wrapping_add(ring::USED_RING + slot * ring::USED_ELEM_BYTES), &element);
            q.used_idx = q.used_idx.wrapping_add(1);
            q.avail_seen = q.avail_seen.wrapping_add(1);
        }
        // publish idx last: the driver may read the elements at once
        self.dma.write(q.device.wrapping_add(ring::USED_IDX), &q.used_idx.to_le_bytes());
        self.published(queue);
    }
}
