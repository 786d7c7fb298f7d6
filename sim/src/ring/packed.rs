//! The driver's side of a packed virtqueue. Indices count descriptors, modulo 65536: place and wrap counter follow from them.
//! Spec: [virtio 1.4: Packed Virtqueues]

use super::{Areas, Buffer, Chain, Evil, Ring, RingError, Tables, Used};
use crate::facts::{packed, ring};
use crate::root::memory::Windows;

/// What names of chains are made of: they mean nothing to the device.
const NAMES: u16 = 0xa5a5; // tidy-allow(literal): these bits mean nothing

impl Ring {
    /// Where the parts of a packed queue at `base` are.
    pub fn packed_layout(base: u64, size: u16) -> Areas {
        let driver = base + ring::desc_bytes(size);
        Areas { desc: base, driver, device: driver + packed::EVENT_BYTES }
    }

    /// A fresh packed queue in mapped memory at `base`; its memory is zeroed.
    pub fn new_packed(memory: &mut Windows, number: u16, size: u16, base: u64) -> Ring {
        let ring = Ring::new(memory, number, size, base);
        let free = ring.free.iter().map(|name| name ^ NAMES).collect();
        Ring { areas: Ring::packed_layout(base, size), free, packed: true, ..ring }
    }

    pub(super) fn packed_room(&self) -> usize {
        usize::from(self.size) - self.in_flight.values().map(|chain| chain.indices.len()).sum::<usize>()
    }

    fn packed_at(&self, count: u16) -> u64 {
        self.areas.desc + u64::from(count % self.size) * ring::DESC_BYTES
    }

    /// Writes the descriptor at this count, all or all but its flags.
    fn packed_put(
        &mut self,
        memory: &mut Windows,
        count: u16,
        buffer: Buffer,
        id: u16,
        flags: u16,
        now: bool,
    ) {
        let at = self.packed_at(count);
        let flags = flags | packed::flags(count, self.size, false);
        memory.poke(at, &entry(buffer, id, 0)[..packed::DESC_FLAGS as usize]);
        if now {
            memory.poke(at + packed::DESC_FLAGS, &flags.to_le_bytes());
        } else {
            self.unpublished.push((at + packed::DESC_FLAGS, flags));
        }
    }

    pub(super) fn packed_add(&mut self, memory: &mut Windows, buffers: &[Buffer]) -> Result<u16, RingError> {
        // [virtio 1.4: Packed Virtqueues, Indirect Descriptors] no list linked by NEXT holds a table: all stands in it, or nothing.
        let table = self.tables.filter(|_| buffers.len() > 1);
        let wanted = if table.is_some() { 1 } else { buffers.len() };
        let free = self.packed_room();
        if wanted > free || buffers.is_empty() {
            return Err(RingError::Full { queue: self.number, wanted, free });
        }
        let full = RingError::Full { queue: self.number, wanted, free: 0 };
        let id = self.free.pop().ok_or(full)?;
        let first = self.avail_idx;
        let indices: Vec<u16> = (0..wanted as u16).map(|step| first.wrapping_add(step)).collect();
        if let Some(tables) = table {
            assert!(buffers.len() <= Tables::ENTRIES, "{} buffers in a table", buffers.len());
            let bytes = Tables::ENTRIES as u64 * ring::DESC_BYTES;
            let addr = tables.base + u64::from(first % self.size) * bytes;
            for (place, buffer) in buffers.iter().enumerate() {
                // what else there is in a table's descriptors is not to be looked at
                memory
                    .poke(addr + place as u64 * ring::DESC_BYTES, &entry(*buffer, id ^ NAMES, write(buffer)));
            }
            let len = buffers.len() as u32 * ring::DESC_BYTES as u32;
            let whole = Buffer { addr, len, writable: false };
            self.packed_put(memory, first, whole, id, ring::DESC_F_INDIRECT, false);
        } else {
            for (step, buffer) in buffers.iter().enumerate() {
                let last = step + 1 == buffers.len();
                let flags = write(buffer) | if last { 0 } else { ring::DESC_F_NEXT };
                // [virtio 1.4: Packed Virtqueues, Next Flag] the name is that of the last descriptor
                let name = if last { id } else { id ^ NAMES };
                self.packed_put(memory, indices[step], *buffer, name, flags, step != 0);
            }
        }
        self.avail_idx = first.wrapping_add(wanted as u16);
        self.in_flight.insert(id, Chain { indices, buffers: buffers.to_vec() });
        Ok(id)
    }

    /// A chain's first descriptor becomes available when all of the others are.
    pub(super) fn packed_publish(&mut self, memory: &mut Windows) {
        for (at, flags) in self.unpublished.drain(..) {
            memory.poke(at, &flags.to_le_bytes());
        }
    }

    /// The used descriptor at this count, if it is one: name, length, flags.
    fn packed_look(&self, memory: &mut Windows, count: u16) -> Option<(u16, u32, u16)> {
        let bytes: [u8; ring::DESC_BYTES as usize] = memory.peek(self.packed_at(count));
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let flags = half(packed::DESC_FLAGS as usize);
        let both = packed::DESC_F_AVAIL | packed::DESC_F_USED;
        let len = u32::from(half(packed::DESC_LEN)) | u32::from(half(packed::DESC_LEN + 2)) << 16;
        let used = flags & both == packed::flags(count, self.size, true);
        used.then(|| (half(packed::DESC_ID), len, flags))
    }

    /// Chains used in all.
    pub(super) fn packed_used(&self, memory: &mut Windows) -> u16 {
        let (mut chains, mut count) = (self.taken, self.used_seen);
        while count.wrapping_sub(self.used_seen) < self.size
            && let Some((id, ..)) = self.packed_look(memory, count)
            && self.slots(id) > 0
        {
            (chains, count) = (chains.wrapping_add(1), count.wrapping_add(self.slots(id)));
        }
        chains
    }

    pub(super) fn packed_take(&mut self, memory: &mut Windows) -> Result<Option<Used>, RingError> {
        let Some((id, len, flags)) = self.packed_look(memory, self.used_seen) else { return Ok(None) };
        // [virtio 1.4: Packed Virtqueues, Write Flag] whether anything has been written; without it the length means nothing.
        let len = if flags & ring::DESC_F_WRITE == 0 { 0 } else { len };
        let known = packed::DESC_F_AVAIL | packed::DESC_F_USED | ring::DESC_F_WRITE;
        if flags & !known != 0 {
            let slot = self.used_seen % self.size;
            return Err(RingError::UsedFlags { queue: self.number, slot, flags });
        }
        let Chain { indices, buffers } = self.take_back(id.into())?;
        self.used_seen = self.used_seen.wrapping_add(indices.len() as u16);
        self.taken = self.taken.wrapping_add(1);
        self.free.push(id);
        self.finish(memory, id, len, buffers)
    }

    fn packed_flags(&self, memory: &mut Windows, event: u16, flags: u16) {
        let mut bytes = event.to_le_bytes().to_vec();
        bytes.extend(flags.to_le_bytes());
        memory.poke(self.areas.driver, &bytes);
    }

    pub(super) fn packed_wish(&self, memory: &mut Windows, quiet: bool) {
        self.packed_flags(memory, 0, if quiet { packed::EVENT_DISABLE } else { packed::EVENT_ENABLE });
    }

    pub(super) fn packed_event(&self, memory: &mut Windows) {
        let Some(patience) = self.patience else { return self.packed_wish(memory, true) };
        let event = packed::place(self.used_seen.wrapping_add(patience), self.size);
        self.packed_flags(memory, event, packed::EVENT_DESC);
    }

    pub(super) fn packed_kick(&self, memory: &mut Windows, old: u16) -> bool {
        let [event_low, event_high, flags, _]: [u8; 4] = memory.peek(self.areas.device);
        match u16::from(flags) & packed::EVENT_FLAGS {
            packed::EVENT_DISABLE => false,
            packed::EVENT_DESC if self.event_idx => {
                let event = u16::from_le_bytes([event_low, event_high]);
                packed::passes(event, old, self.avail_idx, self.size)
            }
            _ => old != self.avail_idx,
        }
    }

    pub(super) fn packed_evil(&mut self, memory: &mut Windows, evil: Evil, good: Buffer, nowhere: u64) {
        let addr = good.addr.next_multiple_of(ring::DESC_BYTES);
        let table = Buffer { addr, len: 2 * ring::DESC_BYTES as u32, writable: false };
        let (next, indirect, plain) = (ring::DESC_F_NEXT, ring::DESC_F_INDIRECT, write(&good));
        // Two descriptors of a table, both good.
        for place in 0..2 {
            memory.poke(addr + place * ring::DESC_BYTES, &entry(good, 0, plain));
        }
        let wrong = Buffer { writable: !good.writable, ..good };
        let chain = match evil {
            Evil::Endless => vec![(good, plain | next); self.size.into()],
            Evil::TableNext => vec![(table, indirect | next), (good, plain)],
            Evil::TableBehind => vec![(good, plain | next), (table, indirect)],
            Evil::TableIn | Evil::TableInTable => {
                memory.poke(addr + ring::DESC_BYTES, &entry(table, 0, indirect));
                vec![(table, indirect)]
            }
            Evil::TablePart => vec![(Buffer { len: 24, ..table }, indirect)],
            Evil::TableSkewed => vec![(Buffer { addr: addr + 8, ..table }, indirect)],
            Evil::TableUnmapped => vec![(Buffer { addr: nowhere, ..table }, indirect)],
            Evil::Unmapped => vec![(Buffer { addr: nowhere, ..good }, plain)],
            Evil::WrongDirection => vec![(good, plain | next), (wrong, write(&wrong))],
            // What else split rings do wrong packed ones cannot say.
            _ => vec![(wrong, write(&wrong))],
        };
        for (step, (buffer, flags)) in chain.into_iter().enumerate() {
            let count = self.avail_idx.wrapping_add(step as u16);
            self.packed_put(memory, count, buffer, NAMES, flags, step != 0);
        }
        self.packed_publish(memory);
    }
}

fn write(buffer: &Buffer) -> u16 {
    if buffer.writable { ring::DESC_F_WRITE } else { 0 }
}

/// The bytes of a descriptor.
fn entry(buffer: Buffer, id: u16, flags: u16) -> [u8; ring::DESC_BYTES as usize] {
    let mut bytes = [0; ring::DESC_BYTES as usize];
    bytes[..8].copy_from_slice(&buffer.addr.to_le_bytes());
    bytes[packed::DESC_LEN..packed::DESC_ID].copy_from_slice(&buffer.len.to_le_bytes());
    bytes[packed::DESC_ID..packed::DESC_FLAGS as usize].copy_from_slice(&id.to_le_bytes());
    bytes[packed::DESC_FLAGS as usize..].copy_from_slice(&flags.to_le_bytes());
    bytes
}
