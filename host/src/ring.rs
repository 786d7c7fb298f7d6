//! A virtqueue from the driver's side. What was given away is kept in a shadow of our own: of what the device writes every
//! number is checked against it, and nothing is followed that it could have changed. Spec: [virtio 1.4: Virtqueues]

pub mod look;
mod packed;
mod split;

use hematite_abi::{packed as packed_abi, ring as split_abi};

use crate::arena::{Arena, Part};
use crate::error::{Error, Result};
use crate::memory::DmaMemory;
use packed::Packed;
use split::Split;

/// One buffer of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Where the device has it.
    pub iova: u64,
    /// Bytes.
    pub bytes: u32,
    /// The device writes it.
    pub writable: bool,
}

/// A chain which the device has given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// What it was given away as.
    pub id: u16,
    /// Bytes which the device says it has written: no more than it could.
    pub bytes: u32,
}

/// Where a queue's three areas are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Areas {
    /// Descriptors.
    pub descriptors: Part,
    /// The driver's.
    pub driver: Part,
    /// The device's.
    pub device: Part,
}

/// What of a chain the device was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Given {
    descriptors: u16,
    writable: u64,
}

/// Bytes of a split ring's driver's area up to the end of so many entries.
fn avail_bytes(entries: usize) -> usize {
    split_abi::AVAIL_RING + entries * split_abi::AVAIL_ENTRY_BYTES
}

/// Bytes of a split ring's device's area up to the end of so many elements.
fn used_bytes(elements: usize) -> usize {
    split_abi::USED_RING + elements * split_abi::USED_ELEM_BYTES
}

/// Bytes of a split ring's areas: descriptors, the driver's, the device's.
pub(crate) fn split_bytes(entries: usize) -> [usize; 3] {
    let event = split_abi::EVENT_BYTES;
    [entries * split_abi::DESC_BYTES, avail_bytes(entries) + event, used_bytes(entries) + event]
}

/// Where the entry that `index` counts stands in a split ring's driver's area.
pub(crate) fn avail_entry(size: u16, index: u16) -> u64 {
    avail_bytes((index % size).into()) as u64
}

/// Where the element that `index` counts stands in a split ring's device's area.
pub(crate) fn used_entry(size: u16, index: u16) -> u64 {
    used_bytes((index % size).into()) as u64
}

/// `used_event`, behind the available ring's entries.
pub(crate) fn used_event(size: u16) -> u64 {
    avail_bytes(size.into()) as u64
}

/// `avail_event`, behind the used ring's elements.
pub(crate) fn avail_event(size: u16) -> u64 {
    used_bytes(size.into()) as u64
}

/// A queue.
#[derive(Debug)]
pub struct Ring {
    /// Its number, as the driver counts.
    pub number: u16,
    /// Entries.
    pub size: u16,
    /// Its areas.
    pub areas: Areas,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Split(Split),
    Packed(Packed),
}

/// Chains which are out, by id.
#[derive(Debug)]
struct Shadow {
    number: u16,
    given: Vec<Option<Given>>,
    free: u16,
}

impl Shadow {
    fn new(number: u16, size: u16) -> Shadow {
        Shadow { number, given: vec![None; size.into()], free: size }
    }

    /// Chains that are out.
    fn out(&self) -> usize {
        self.given.iter().flatten().count()
    }

    fn give(&mut self, id: u16, buffers: &[Buffer]) {
        let writable = buffers.iter().filter(|one| one.writable).map(|one| u64::from(one.bytes)).sum();
        let descriptors = buffers.len() as u16;
        self.given[usize::from(id)] = Some(Given { descriptors, writable });
        self.free -= descriptors;
    }

    /// Checks what the device says of a chain.
    fn take_back(&mut self, id: u32, bytes: u32) -> Result<(Used, Given)> {
        let number = self.number;
        let slot = usize::try_from(id).ok().and_then(|id| self.given.get_mut(id));
        let Some(given) = slot.and_then(Option::take) else {
            return Err(Error::Device(format!("queue {number}: chain {id} is given back, which is not out")));
        };
        self.free += given.descriptors;
        if u64::from(bytes) > given.writable {
            let most = given.writable;
            let text =
                format!("queue {number}: {bytes} bytes written to chain {id}, which has room for {most}");
            return Err(Error::Device(text));
        }
        Ok((Used { id: id as u16, bytes }, given))
    }
}

impl Ring {
    /// An empty queue in fresh memory.
    pub fn new(arena: &mut Arena, number: u16, size: u16, packed: bool) -> Result<Ring> {
        let entries = usize::from(size);
        let descriptors = arena.take(entries * split_abi::DESC_BYTES, split_abi::DESC_ALIGN as u64)?;
        let (driver, device) = if packed {
            let event = packed_abi::EVENT_BYTES;
            (arena.take(event, event as u64)?, arena.take(event, event as u64)?)
        } else {
            let [_, driver, device] = split_bytes(entries);
            (arena.take(driver, split_abi::AVAIL_ALIGN as u64)?, arena.take_used_ring(device)?)
        };
        let areas = Areas { descriptors, driver, device };
        Ring::empty(arena, number, size, areas, packed)
    }

    /// The same queue, empty, in the same memory: for one that was reset.
    pub fn renewed(&self, arena: &Arena) -> Result<Ring> {
        Ring::empty(arena, self.number, self.size, self.areas, self.is_packed())
    }

    fn empty(arena: &Arena, number: u16, size: u16, areas: Areas, packed: bool) -> Result<Ring> {
        for part in [areas.descriptors, areas.driver, areas.device] {
            arena.memory.write(part.at, &vec![0; part.bytes as usize])?;
        }
        let kind = if packed {
            Kind::Packed(Packed::new(number, size, areas))
        } else {
            Kind::Split(Split::new(number, size, areas))
        };
        Ok(Ring { number, size, areas, kind })
    }

    /// Whether it is a packed one.
    pub fn is_packed(&self) -> bool {
        matches!(self.kind, Kind::Packed(_))
    }

    /// Gives a chain away; what it is called. None: there is no room.
    pub fn post(&mut self, memory: &DmaMemory, buffers: &[Buffer]) -> Result<Option<u16>> {
        let room = self.room();
        if buffers.is_empty() || buffers.len() > room.into() {
            return Ok(None);
        }
        match &mut self.kind {
            Kind::Split(split) => split.post(memory, buffers).map(Some),
            Kind::Packed(packed) => packed.post(memory, buffers).map(Some),
        }
    }

    /// The next chain that the device has given back.
    pub fn take(&mut self, memory: &DmaMemory) -> Result<Option<Used>> {
        match &mut self.kind {
            Kind::Split(split) => split.take(memory),
            Kind::Packed(packed) => packed.take(memory),
        }
    }

    /// Descriptors that are free.
    pub fn room(&self) -> u16 {
        self.shadow().free
    }

    /// Chains that are out.
    pub fn out(&self) -> usize {
        self.shadow().out()
    }

    /// What a notification says of the ring with NOTIFICATION_DATA.
    pub fn position(&self) -> u16 {
        match &self.kind {
            Kind::Split(split) => split.position(),
            Kind::Packed(packed) => packed.position(),
        }
    }

    fn shadow(&self) -> &Shadow {
        match &self.kind {
            Kind::Split(split) => &split.shadow,
            Kind::Packed(packed) => &packed.shadow,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
