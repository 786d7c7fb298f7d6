//! The driver's side of a virtqueue in host memory, split (here) or packed: good chains with a trusted shadow, and evil ones.
//! Spec: [virtio 1.4: Split Virtqueues]

mod evil;
mod packed;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::facts::{packed as packed_facts, ring};
pub use evil::Evil;

use crate::root::memory::Windows;

/// One descriptor, as it stands in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    pub addr: u64,
    pub len: u32,
    pub flags: u16,
    pub next: u16,
}

impl Descriptor {
    /// The bytes of the table's entry.
    pub fn bytes(&self) -> [u8; ring::DESC_BYTES as usize] {
        let mut bytes = [0; ring::DESC_BYTES as usize];
        bytes[..8].copy_from_slice(&self.addr.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.len.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.flags.to_le_bytes());
        bytes[14..].copy_from_slice(&self.next.to_le_bytes());
        bytes
    }
}

/// A buffer to put in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    pub addr: u64,
    pub len: u32,
    /// The device may write it (and only that).
    pub writable: bool,
}

/// A chain which came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    pub id: u16,
    pub len: u32,
    pub buffers: Vec<Buffer>,
}

/// What is wrong with the ring, from the driver's side.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    #[error("queue {queue}: {wanted} descriptors wanted, {free} free")]
    Full { queue: u16, wanted: usize, free: usize },
    #[error("queue {queue}: the device used chain {id}, which it was not given")]
    UnknownChain { queue: u16, id: u32 },
    #[error("queue {queue}: the device wrote {len} bytes to chain {id}, which takes {room}")]
    TooLong { queue: u16, id: u16, len: u32, room: u64 },
    #[error("queue {queue}: used index {idx} is more than a ring ahead of {seen}")]
    IndexJump { queue: u16, idx: u16, seen: u16 },
    #[error("queue {queue}: the used descriptor in slot {slot} has flags {flags:#x}")]
    UsedFlags { queue: u16, slot: u16, flags: u16 },
}

/// A chain which the device has: its descriptors and its buffers.
#[derive(Clone, Debug)]
struct Chain {
    indices: Vec<u16>,
    buffers: Vec<Buffer>,
}

/// How indirect tables are used. [virtio 1.4: Indirect Descriptors]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tables {
    /// Where the tables are: one of [`Tables::ENTRIES`] for each descriptor of the queue.
    pub base: u64,
    /// Buffers that have descriptors of the queue's own before the one of the table.
    pub direct: usize,
}

impl Tables {
    /// Descriptors of each.
    pub const ENTRIES: usize = 16;
}

/// Addresses of a queue's three parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Areas {
    pub desc: u64,
    pub driver: u64,
    pub device: u64,
}

/// A queue of the driver. The shadow (free list, chains in flight) is the driver's own; nothing of it is read back.
#[derive(Clone, Debug)]
pub struct Ring {
    pub number: u16,
    pub size: u16,
    pub areas: Areas,
    free: Vec<u16>,
    in_flight: BTreeMap<u16, Chain>,
    /// Chains of more than one buffer are put into indirect tables.
    pub tables: Option<Tables>,
    /// The ring is packed: indices count its descriptors, and names of chains are what is free.
    pub packed: bool,
    /// Packed: flags of chains' first descriptors, which make them available.
    unpublished: Vec<(u64, u16)>,
    /// Packed: chains taken back.
    taken: u16,
    avail_idx: u16,
    used_seen: u16,
    /// The available index at the last look at whether the device wants a kick.
    told: u16,
    /// VIRTIO_F_EVENT_IDX is negotiated: event fields instead of flags.
    pub event_idx: bool,
    /// Elements from the next one to the one behind which an interrupt is wanted, with events. None: no interrupt is.
    patience: Option<u16>,
}

impl Ring {
    /// Bytes of memory which a queue of `size` wants, all parts together.
    pub fn bytes(size: u16) -> usize {
        (Ring::layout(0, size).device + ring::used_bytes(size)) as usize
    }

    /// Where the parts of a queue at `base` are.
    pub fn layout(base: u64, size: u16) -> Areas {
        let driver = base + ring::desc_bytes(size);
        let device = (driver + ring::avail_bytes(size)).next_multiple_of(ring::USED_ALIGN);
        Areas { desc: base, driver, device }
    }

    /// A fresh queue in mapped memory at `base`; its memory is zeroed.
    pub fn new(memory: &mut Windows, number: u16, size: u16, base: u64) -> Ring {
        memory.poke(base, &vec![0; Ring::bytes(size)]);
        let areas = Ring::layout(base, size);
        Ring {
            number,
            size,
            areas,
            free: (0..size).rev().collect(),
            in_flight: BTreeMap::new(),
            tables: None,
            packed: false,
            unpublished: vec![],
            taken: 0,
            avail_idx: 0,
            used_seen: 0,
            told: 0,
            event_idx: false,
            patience: Some(0),
        }
    }

    /// Descriptors not in use.
    pub fn room(&self) -> usize {
        if self.packed { self.packed_room() } else { self.free.len() }
    }

    /// Descriptors of the ring that a chain in flight takes.
    pub fn slots(&self, id: u16) -> u16 {
        self.in_flight.get(&id).map_or(0, |chain| chain.indices.len() as u16)
    }

    /// What a doorbell says of the ring, if it is to: the available index, or where a packed ring goes on.
    pub fn available(&self) -> u16 {
        if self.packed { packed_facts::place(self.avail_idx, self.size) } else { self.avail_idx }
    }

    /// Chains which the device has.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Where the used index stands.
    pub fn used_idx_addr(&self) -> u64 {
        self.areas.device + ring::USED_IDX
    }

    /// The used index as the device last published it; of a packed ring, chains used.
    pub fn used_idx(&self, memory: &mut Windows) -> u16 {
        if self.packed {
            return self.packed_used(memory);
        }
        u16::from_le_bytes(memory.peek(self.used_idx_addr()))
    }

    /// Used elements taken, as the index counts them.
    pub fn used_seen(&self) -> u16 {
        if self.packed { self.taken } else { self.used_seen }
    }

    /// Device-writable ranges of a chain in flight, for the order monitor.
    pub fn writable(&self, id: u16) -> Vec<Range<u64>> {
        let chain = self.in_flight.get(&id).map(|chain| chain.buffers.as_slice()).unwrap_or_default();
        chain.iter().filter(|b| b.writable).map(|b| b.addr..b.addr + u64::from(b.len)).collect()
    }

    /// Asks the device not to interrupt for this queue, or to do it again.
    pub fn suppress(&mut self, memory: &mut Windows, quiet: bool) {
        if self.event_idx {
            return self.interrupt_after(memory, (!quiet).then_some(0));
        }
        if self.packed {
            return self.packed_wish(memory, quiet);
        }
        let flags = if quiet { ring::AVAIL_F_NO_INTERRUPT } else { 0 };
        memory.poke(self.areas.driver + ring::AVAIL_FLAGS, &flags.to_le_bytes());
    }

    /// With events: asks for an interrupt once so many elements and one more have come, or for none.
    pub fn interrupt_after(&mut self, memory: &mut Windows, patience: Option<u16>) {
        self.patience = patience;
        if self.packed {
            return self.packed_event(memory);
        }
        // one that has passed comes again after 65535 more
        let event = self.used_seen.wrapping_add(patience.unwrap_or(u16::MAX));
        memory.poke(self.areas.driver + ring::used_event(self.size), &event.to_le_bytes());
    }

    /// Whether the device wants to be told of what has been published since the last time this was asked.
    pub fn wants_kick(&mut self, memory: &mut Windows) -> bool {
        let old = std::mem::replace(&mut self.told, self.avail_idx);
        if self.packed {
            return self.packed_kick(memory, old);
        }
        if self.event_idx {
            let event = memory.peek(self.areas.device + ring::avail_event(self.size));
            return ring::passes(u16::from_le_bytes(event), old, self.avail_idx);
        }
        let flags = u16::from_le_bytes(memory.peek(self.areas.device + ring::USED_FLAGS));
        flags & ring::USED_F_NO_NOTIFY == 0 && old != self.avail_idx
    }

    fn put(&self, memory: &mut Windows, index: u16, descriptor: Descriptor) {
        memory.poke(self.areas.desc + u64::from(index) * ring::DESC_BYTES, &descriptor.bytes());
    }

    fn offer(&mut self, memory: &mut Windows, head: u16) {
        let slot = u64::from(self.avail_idx % self.size);
        memory.poke(self.areas.driver + ring::AVAIL_RING + slot * ring::AVAIL_ENTRY, &head.to_le_bytes());
        self.avail_idx = self.avail_idx.wrapping_add(1);
    }

    /// Writes a chain and puts it in the available ring; the device sees it after [`Ring::publish`].
    pub fn add(&mut self, memory: &mut Windows, buffers: &[Buffer]) -> Result<u16, RingError> {
        let table = self.tables.filter(|tables| buffers.len() > 1 && buffers.len() > tables.direct);
        let direct = table.map_or(buffers.len(), |tables| tables.direct);
        let wanted = direct + usize::from(table.is_some());
        if self.packed {
            return self.packed_add(memory, buffers);
        }
        if wanted > self.free.len() || buffers.is_empty() {
            return Err(RingError::Full { queue: self.number, wanted, free: self.free.len() });
        }
        let indices = self.free.split_off(self.free.len() - wanted);
        let entry = |buffer: &Buffer, next: Option<u16>| Descriptor {
            addr: buffer.addr,
            len: buffer.len,
            flags: if buffer.writable { ring::DESC_F_WRITE } else { 0 }
                | if next.is_some() { ring::DESC_F_NEXT } else { 0 },
            next: next.unwrap_or(0),
        };
        for (i, (index, buffer)) in indices.iter().zip(&buffers[..direct]).enumerate() {
            self.put(memory, *index, entry(buffer, indices.get(i + 1).copied()));
        }
        if let (Some(tables), Some(index)) = (table, indices.get(direct)) {
            let rest = &buffers[direct..];
            assert!(rest.len() <= Tables::ENTRIES, "{} buffers in a table", rest.len());
            let bytes = Tables::ENTRIES as u64 * ring::DESC_BYTES;
            let addr = tables.base + u64::from(*index) * bytes;
            // In any order, the first in the first entry: here the others stand backwards.
            let place = |i: usize| if i == 0 { 0 } else { rest.len() - i };
            for (i, buffer) in rest.iter().enumerate() {
                let next = (i + 1 < rest.len()).then(|| place(i + 1) as u16);
                memory.poke(addr + place(i) as u64 * ring::DESC_BYTES, &entry(buffer, next).bytes());
            }
            let len = rest.len() as u32 * ring::DESC_BYTES as u32;
            self.put(memory, *index, Descriptor { addr, len, flags: ring::DESC_F_INDIRECT, next: 0 });
        }
        let head = indices[0];
        self.in_flight.insert(head, Chain { indices, buffers: buffers.to_vec() });
        self.offer(memory, head);
        Ok(head)
    }

    /// Publishes the available index.
    pub fn publish(&mut self, memory: &mut Windows) {
        if self.packed {
            return self.packed_publish(memory);
        }
        memory.poke(self.areas.driver + ring::AVAIL_IDX, &self.avail_idx.to_le_bytes());
    }

    /// Takes the next chain which the device has used, if it has.
    pub fn take_used(&mut self, memory: &mut Windows) -> Result<Option<Used>, RingError> {
        if self.packed {
            return self.packed_take(memory);
        }
        let idx = self.used_idx(memory);
        let ahead = idx.wrapping_sub(self.used_seen);
        if ahead == 0 {
            return Ok(None);
        }
        if ahead > self.size {
            return Err(RingError::IndexJump { queue: self.number, idx, seen: self.used_seen });
        }
        let slot = u64::from(self.used_seen % self.size);
        let element: [u8; 8] =
            memory.peek(self.areas.device + ring::USED_RING + slot * ring::USED_ELEM_BYTES);
        let id = u32::from_le_bytes([element[0], element[1], element[2], element[3]]);
        let len = u32::from_le_bytes([element[4], element[5], element[6], element[7]]);
        let Chain { indices, buffers } = self.take_back(id)?;
        self.used_seen = self.used_seen.wrapping_add(1);
        self.free.extend(indices);
        self.finish(memory, id as u16, len, buffers)
    }

    /// The chain of this name, which the device has.
    fn take_back(&mut self, id: u32) -> Result<Chain, RingError> {
        let unknown = RingError::UnknownChain { queue: self.number, id };
        let id = u16::try_from(id).map_err(|_| unknown.clone())?;
        self.in_flight.remove(&id).ok_or(unknown)
    }

    fn finish(
        &mut self,
        memory: &mut Windows,
        id: u16,
        len: u32,
        buffers: Vec<Buffer>,
    ) -> Result<Option<Used>, RingError> {
        let room = buffers.iter().filter(|b| b.writable).map(|b| u64::from(b.len)).sum();
        if self.event_idx {
            self.interrupt_after(memory, self.patience);
        }
        if u64::from(len) > room {
            return Err(RingError::TooLong { queue: self.number, id, len, room });
        }
        Ok(Some(Used { id, len, buffers }))
    }
}
