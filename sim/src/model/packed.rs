//! Packed rings in the model. Positions count descriptors, modulo 65536: place and wrap counter follow from them.
//! Spec: [virtio 1.4: Packed Virtqueues]

use super::Model;
use super::dma::Stop;
use super::engine::{Chain, Done, Segment};
use super::registers::Queue;
use crate::facts::{ident as error, packed, ring, virtio};

/// A descriptor as it stands in the ring or a table.
struct Descriptor {
    addr: u64,
    len: u32,
    id: u16,
    flags: u16,
}

impl Descriptor {
    fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

impl Model {
    pub(super) fn packed(&self) -> bool {
        self.registers.accepted(virtio::F_RING_PACKED)
    }

    fn descriptor(&mut self, addr: u64) -> Result<Descriptor, Stop> {
        let bytes = self.dma.read(self.now, addr, ring::DESC_BYTES as usize)?;
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let last = word(packed::DESC_ID);
        Ok(Descriptor {
            addr: u64::from(word(4)) << 32 | u64::from(word(0)),
            len: word(packed::DESC_LEN),
            id: last as u16,
            flags: (last >> 16) as u16,
        })
    }

    /// The descriptors of the chain at `position`, if there is one. A list of which not all is available yet is none.
    fn list(&mut self, q: &Queue, position: u16) -> Result<Option<Vec<Descriptor>>, Stop> {
        let mut list = vec![];
        loop {
            let count = position.wrapping_add(list.len() as u16);
            let at = q.desc.wrapping_add(u64::from(count % q.size) * ring::DESC_BYTES);
            let descriptor = self.descriptor(at)?;
            let both = packed::DESC_F_AVAIL | packed::DESC_F_USED;
            if descriptor.flags & both != packed::flags(count, q.size, false) {
                return Ok(None);
            }
            let goes_on = descriptor.is(ring::DESC_F_NEXT);
            list.push(descriptor);
            if !goes_on {
                return Ok(Some(list));
            }
            if list.len() == usize::from(q.size) {
                return Err(Stop::Bad(error::ERROR_CHAIN_LOOP));
            }
        }
    }

    /// As [`Model::chain_with`].
    pub(super) fn packed_chain(
        &mut self,
        queue: u16,
        position: u16,
        writable: Option<bool>,
        answer: u64,
    ) -> Result<Option<Chain>, Stop> {
        let q = self.registers.queues[usize::from(queue)].clone();
        let Some(mut list) = self.list(&q, position)? else { return Ok(None) };
        let (slots, alone) = (list.len() as u16, list.len() == 1);
        let id = list[list.len() - 1].id;
        if alone && list[0].is(ring::DESC_F_INDIRECT) && self.registers.accepted(virtio::F_INDIRECT_DESC) {
            list = self.entries(list[0].addr, list[0].len.into())?;
        }
        let mut segments: Vec<Segment> = vec![];
        let mut answers = false;
        let mut room = 0;
        for descriptor in list {
            if descriptor.is(ring::DESC_F_INDIRECT) {
                return Err(Stop::Bad(error::ERROR_INDIRECT));
            }
            let write = descriptor.is(ring::DESC_F_WRITE);
            if writable.is_some_and(|writable| writable != write) || answers && !write {
                return Err(Stop::Bad(error::ERROR_DIRECTION));
            }
            answers = write && writable.is_none();
            let Descriptor { addr, len, .. } = descriptor;
            if len > 0 {
                segments.push(Segment { addr, len, writable: write });
            }
            room += if answers { u64::from(len) } else { 0 };
            if answers && room >= answer {
                break;
            }
        }
        Ok(Some(Chain { id, slots, segments }))
    }

    /// A table: all of its entries, in their order.
    fn entries(&mut self, addr: u64, bytes: u64) -> Result<Vec<Descriptor>, Stop> {
        let whole = bytes.is_multiple_of(ring::DESC_BYTES) && (1..ring::TABLE_BYTES).contains(&bytes);
        if !whole || !addr.is_multiple_of(ring::DESC_BYTES) {
            return Err(Stop::Bad(error::ERROR_INDIRECT));
        }
        (0..bytes / ring::DESC_BYTES)
            .map(|entry| self.descriptor(addr.wrapping_add(entry * ring::DESC_BYTES)))
            .collect()
    }

    /// Where a driver of a packed ring is to ring next: behind all chains that are there.
    pub(super) fn packed_end(&mut self, queue: u16) -> Result<u16, Stop> {
        let q = self.registers.queues[usize::from(queue)].clone();
        let mut position = q.avail_seen;
        while position.wrapping_sub(q.avail_seen) < q.size
            && let Some(list) = self.list(&q, position)?
        {
            position = position.wrapping_add(list.len() as u16);
        }
        Ok(position)
    }

    /// Writes used descriptors, one for each chain; that of a packet's first chain last, since with it the driver sees the packet.
    pub(super) fn packed_used(&mut self, queue: u16, chains: &[Done]) {
        let q = &mut self.registers.queues[usize::from(queue)];
        let mut writes = vec![];
        for Done { id, slots, len } in chains {
            let at = q.desc.wrapping_add(u64::from(q.used_idx % q.size) * ring::DESC_BYTES);
            let write = if *len > 0 { ring::DESC_F_WRITE } else { 0 };
            let flags = packed::flags(q.used_idx, q.size, true) | write;
            let mut element = len.to_le_bytes().to_vec();
            element.extend(id.to_le_bytes());
            element.extend(flags.to_le_bytes());
            writes.push((at.wrapping_add(packed::DESC_LEN as u64), element));
            q.used_idx = q.used_idx.wrapping_add(*slots);
            q.avail_seen = q.avail_seen.wrapping_add(*slots);
        }
        for (at, element) in writes.into_iter().rev() {
            self.dma.write(at, &element);
        }
        self.published(queue);
    }

    /// Whether the driver wants to hear of what has been used.
    pub(super) fn packed_wanted(&mut self, q: &Queue) -> Result<bool, Stop> {
        let bytes = self.dma.read(self.now, q.driver, packed::EVENT_BYTES as usize)?;
        let (place, flags) =
            (u16::from_le_bytes([bytes[0], bytes[1]]), u16::from(bytes[2]) & packed::EVENT_FLAGS);
        Ok(match flags {
            packed::EVENT_DISABLE => false,
            packed::EVENT_DESC if self.registers.accepted(virtio::F_EVENT_IDX) => {
                packed::passes(place, q.signalled, q.used_idx, q.size)
            }
            _ => true,
        })
    }
}
