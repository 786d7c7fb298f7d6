//! One piece of memory which the function may reach, cut up from its start: rings, headers, buffers.

use hematite_abi::ring;

use crate::bus::Bus;
use crate::error::{Error, Result};
use crate::memory::{DmaMemory, Pages};
use crate::ring::look::Ram;

/// Where it is for the device: below 4 GiB, beyond what machines reserve, and no address of this process.
const IOVA: u64 = 0x1000_0000;

/// A part of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its first byte in the memory.
    pub at: u64,
    /// Bytes.
    pub bytes: u32,
}

/// The memory, and how much of it is given out.
#[derive(Debug)]
pub struct Arena {
    /// All of it.
    pub memory: DmaMemory,
    iova: u64,
    next: u64,
}

impl Arena {
    /// So many bytes, which the function may reach from now on.
    pub fn new(bus: &mut dyn Bus, bytes: usize, pages: Pages) -> Result<Arena> {
        Arena::at(bus, bytes, pages, IOVA)
    }

    /// The same at a place of the caller's choice.
    pub fn at(bus: &mut dyn Bus, bytes: usize, pages: Pages, iova: u64) -> Result<Arena> {
        let memory = DmaMemory::new(bytes, pages)?;
        bus.map(&memory, iova)?;
        Ok(Arena { memory, iova, next: 0 })
    }

    /// The next `bytes` at a multiple of `align`.
    pub fn take(&mut self, bytes: usize, align: u64) -> Result<Part> {
        let at = self.next.next_multiple_of(align);
        let end = at.saturating_add(bytes as u64);
        let length = self.memory.bytes() as u64;
        if end > length || u32::try_from(bytes).is_err() {
            let region = "the device's memory".into();
            return Err(Error::Bounds { region, offset: at, bytes: bytes as u64, length });
        }
        self.next = end;
        Ok(Part { at, bytes: bytes as u32 })
    }

    /// The next `bytes` for a used ring: so that its elements begin at multiples of their size, and none lies in two pages. The
    /// specification asks for less; but QEMU's own devices behind a virtual IOMMU (9.0 to 11.1 at least) write the second half of one
    /// that does to whatever is behind the first page in the machine's memory.
    pub(crate) fn take_used_ring(&mut self, bytes: usize) -> Result<Part> {
        const LEAD: usize = ring::USED_ELEM_BYTES - ring::USED_RING;
        let Part { at, .. } = self.take(LEAD + bytes, ring::USED_ELEM_BYTES as u64)?;
        Ok(Part { at: at + LEAD as u64, bytes: bytes as u32 })
    }

    /// All parts are free again.
    pub fn clear(&mut self) {
        self.next = 0;
    }

    /// Where the device has a place.
    pub fn iova(&self, at: u64) -> u64 {
        self.iova + at
    }

    /// The function reaches none of it any more.
    pub fn withdraw(&self, bus: &mut dyn Bus) -> Result<()> {
        bus.unmap(self.iova, self.memory.bytes() as u64)
    }
}

impl Ram for Arena {
    fn read(&self, address: u64, data: &mut [u8]) -> Result<()> {
        // An address below wraps to one far beyond the end.
        self.memory.read(address.wrapping_sub(self.iova), data)
    }
}
