//! The packed virtqueue. Spec: [virtio 1.4: Packed Virtqueues]

use hematite_abi::{packed, ring};

use super::split::put;
use super::{Areas, Buffer, Shadow, Used};
use crate::error::Result;
use crate::memory::DmaMemory;

/// A position in the ring, and the wrap counter there.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: u16,
    wrap: bool,
}

impl Place {
    fn after(self, count: u16, size: u16) -> Place {
        let at = u32::from(self.at) + u32::from(count);
        let (size, wraps) = (u32::from(size), at >= u32::from(size));
        Place { at: (at % size) as u16, wrap: self.wrap != wraps }
    }
}

#[derive(Debug)]
pub(super) struct Packed {
    pub(super) shadow: Shadow,
    areas: Areas,
    size: u16,
    ids: Vec<u16>,
    next: Place,
    used: Place,
}

impl Packed {
    pub(super) fn new(number: u16, size: u16, areas: Areas) -> Packed {
        let start = Place { at: 0, wrap: true };
        let ids = (0..size).rev().collect();
        Packed { shadow: Shadow::new(number, size), areas, size, ids, next: start, used: start }
    }

    fn descriptor(&self, at: u16) -> u64 {
        self.areas.descriptors.at + u64::from(at) * ring::DESC_BYTES as u64
    }

    /// There is room: the caller has looked. The first descriptor's flags are written last: with them all become the device's.
    pub(super) fn post(&mut self, memory: &DmaMemory, buffers: &[Buffer]) -> Result<u16> {
        let id = self.ids.pop().unwrap_or(0);
        let first = self.next;
        let mut first_flags = 0;
        for (number, buffer) in (0u16..).zip(buffers) {
            let place = first.after(number, self.size);
            let mine = if place.wrap { packed::DESC_F_AVAIL } else { packed::DESC_F_USED };
            let mut flags = mine | if buffer.writable { ring::DESC_F_WRITE } else { 0 };
            flags |= if usize::from(number) + 1 < buffers.len() { ring::DESC_F_NEXT } else { 0 };
            let mut bytes = [0; ring::DESC_BYTES];
            put(&mut bytes, packed::DESC_ADDR_LSB, &buffer.iova.to_le_bytes());
            put(&mut bytes, packed::DESC_LEN_LSB, &buffer.bytes.to_le_bytes());
            put(&mut bytes, packed::DESC_ID_LSB, &id.to_le_bytes());
            let flags_at = packed::DESC_FLAGS_LSB / 8;
            let at = self.descriptor(place.at);
            memory.write(at, &bytes[..flags_at])?;
            if number == 0 {
                first_flags = flags as u16;
            } else {
                memory.store(at + flags_at as u64, flags as u16)?;
            }
        }
        self.shadow.give(id, buffers);
        memory.store(self.descriptor(first.at) + (packed::DESC_FLAGS_LSB / 8) as u64, first_flags)?;
        self.next = first.after(buffers.len() as u16, self.size);
        memory.barrier();
        Ok(id)
    }

    pub(super) fn take(&mut self, memory: &DmaMemory) -> Result<Option<Used>> {
        let at = self.descriptor(self.used.at);
        let flags = u64::from(memory.load(at + (packed::DESC_FLAGS_LSB / 8) as u64)?);
        let is = |bit: u64| (flags & bit != 0) == self.used.wrap;
        // Nothing of ours is out: what looks used there is as old as the ring, or a lie.
        if self.shadow.out() == 0 || !is(packed::DESC_F_AVAIL) || !is(packed::DESC_F_USED) {
            return Ok(None);
        }
        let bytes: [u8; ring::DESC_BYTES] = memory.array(at)?;
        let id = packed::DESC_ID_LSB / 8;
        let length = packed::DESC_LEN_LSB / 8;
        let id = u16::from_le_bytes([bytes[id], bytes[id + 1]]);
        let length = u32::from_le_bytes(std::array::from_fn(|byte| bytes[length + byte]));
        // "written" means something only if the device has written at all.
        let length = if flags & ring::DESC_F_WRITE != 0 { length } else { 0 };
        let (used, given) = self.shadow.take_back(id.into(), length)?;
        self.used = self.used.after(given.descriptors, self.size);
        self.ids.push(used.id);
        Ok(Some(used))
    }

    pub(super) fn position(&self) -> u16 {
        self.next.at | u16::from(self.next.wrap) << packed::EVENT_WRAP_LSB
    }
}
