//! The split virtqueue. Spec: [virtio 1.4: Split Virtqueues]

use hematite_abi::ring;

use super::{Areas, Buffer, Shadow, Used, avail_entry, used_entry};
use crate::error::{Error, Result};
use crate::memory::DmaMemory;

/// A ring whose descriptors form a list of free ones, kept here.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) shadow: Shadow,
    areas: Areas,
    free: Vec<u16>,
    /// Descriptors of the chains that are out, by their first.
    chains: Vec<Vec<u16>>,
    available: u16,
    used: u16,
}

impl Split {
    pub(super) fn new(number: u16, size: u16, areas: Areas) -> Split {
        Split {
            shadow: Shadow::new(number, size),
            areas,
            free: (0..size).rev().collect(),
            chains: vec![vec![]; size.into()],
            available: 0,
            used: 0,
        }
    }

    fn size(&self) -> u16 {
        self.chains.len() as u16
    }

    /// There is room: the caller has looked.
    pub(super) fn post(&mut self, memory: &DmaMemory, buffers: &[Buffer]) -> Result<u16> {
        let mut own = self.free.split_off(self.free.len() - buffers.len());
        own.reverse();
        let head = own[0];
        for (place, (index, buffer)) in own.iter().zip(buffers).enumerate() {
            let next = own.get(place + 1);
            let mut flags = if buffer.writable { ring::DESC_F_WRITE } else { 0 };
            flags |= if next.is_some() { ring::DESC_F_NEXT } else { 0 };
            let mut bytes = [0; ring::DESC_BYTES];
            put(&mut bytes, ring::DESC_ADDR_LSB, &buffer.iova.to_le_bytes());
            put(&mut bytes, ring::DESC_LEN_LSB, &buffer.bytes.to_le_bytes());
            put(&mut bytes, ring::DESC_FLAGS_LSB, &(flags as u16).to_le_bytes());
            put(&mut bytes, ring::DESC_NEXT_LSB, &next.copied().unwrap_or(0).to_le_bytes());
            memory.write(self.areas.descriptors.at + u64::from(*index) * ring::DESC_BYTES as u64, &bytes)?;
        }
        self.shadow.give(head, buffers);
        self.chains[usize::from(head)] = own;
        memory.store(self.areas.driver.at + avail_entry(self.size(), self.available), head)?;
        self.available = self.available.wrapping_add(1);
        memory.store(self.areas.driver.at + ring::AVAIL_IDX as u64, self.available)?;
        memory.barrier();
        Ok(head)
    }

    pub(super) fn take(&mut self, memory: &DmaMemory) -> Result<Option<Used>> {
        let told = memory.load(self.areas.device.at + ring::USED_IDX as u64)?;
        let news = told.wrapping_sub(self.used);
        if news == 0 {
            return Ok(None);
        }
        let out = self.shadow.out();
        if usize::from(news) > out {
            let (number, used) = (self.shadow.number, self.used);
            let text = format!("queue {number}: used.idx is {told} after {used}, and {out} chains are out");
            return Err(Error::Device(text));
        }
        let element: [u8; ring::USED_ELEM_BYTES] =
            memory.array(self.areas.device.at + used_entry(self.size(), self.used))?;
        self.used = self.used.wrapping_add(1);
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| element[at / 8 + byte]));
        let back = self.shadow.take_back(word(ring::USED_ELEM_ID_LSB), word(ring::USED_ELEM_LEN_LSB));
        let (used, _) = back?;
        self.free.append(&mut self.chains[usize::from(used.id)]);
        Ok(Some(used))
    }

    pub(super) fn position(&self) -> u16 {
        self.available
    }
}

/// Puts a field of a little-endian structure where abi says, in bits.
pub(super) fn put(bytes: &mut [u8], lsb: usize, field: &[u8]) {
    bytes[lsb / 8..lsb / 8 + field.len()].copy_from_slice(field);
}
