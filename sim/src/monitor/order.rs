//! Payload, then used elements, then used index, then message: the order which makes a ring correct. Of a packed ring: payload, then used
//! descriptors, then message.
//! Time: a write costs a few look-ups, however many queues and buffers there are.
//! Spec: [virtio 1.4: The Virtqueue Used Ring, Packed Virtqueues], [PCIe base: Transaction Ordering]

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::facts::{packed, ring};

use crate::root::replies::span;
use crate::root::tlp::MemRequest;

/// One queue, as the driver set it up.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Device Area (the used ring), or of a packed ring its Descriptor Area.
    pub used: u64,
    pub size: u16,
    pub packed: bool,
    /// Address and data of the queue's own message, if it has one of its own.
    pub message: Option<(u64, u32)>,
}

#[derive(Debug)]
struct State {
    queue: Watched,
    idx: u16,
    /// Elements written since the index last moved, by slot: id and length. A page may end between the two.
    elements: BTreeMap<u16, [Option<u32>; 2]>,
    /// Of a packed ring: used descriptors written ahead of the first, by slot.
    ahead: BTreeMap<u16, u16>,
    /// How often the index has moved without a message: the device asks the driver once for each move, and may ask ahead,
    /// so several moves may be followed by as many messages.
    news: u32,
}

/// A chain which the device has, and what it has written to its buffers.
#[derive(Debug, Default)]
struct Chain {
    buffers: Vec<Range<u64>>,
    written: u64,
    /// Descriptors of a packed ring.
    slots: u16,
}

/// A queue and the chain's head in it.
type ChainId = (u16, u16);

/// Follows the writes of the device into registered queues.
#[derive(Debug, Default)]
pub struct QueueOrder {
    queues: BTreeMap<u16, State>,
    chains: HashMap<ChainId, Chain>,
    /// Ends of the chains' buffers, by where they start, chain, and place in it.
    places: BTreeMap<(u64, ChainId, usize), u64>,
    /// The longest buffer there was.
    longest: u64,
}

impl QueueOrder {
    /// The driver enables queue `number`; indices start at 0.
    pub fn watch(&mut self, number: u16, queue: Watched) {
        self.forget(number);
        self.queues.insert(
            number,
            State { queue, idx: 0, elements: BTreeMap::new(), ahead: BTreeMap::new(), news: 0 },
        );
    }

    /// The queue is reset; what the device does with its memory is nobody's business now.
    pub fn forget(&mut self, number: u16) {
        self.queues.remove(&number);
        self.chains.retain(|(queue, _), _| *queue != number);
        self.places.retain(|(_, (queue, _), _), _| *queue != number);
    }

    /// All queues are.
    pub fn forget_all(&mut self) {
        *self = QueueOrder::default();
    }

    /// The driver makes chain `id` available, of so many descriptors of the ring; `writable` are its buffers which the device may write.
    pub fn post(&mut self, number: u16, id: u16, slots: u16, writable: Vec<Range<u64>>) {
        if !self.queues.contains_key(&number) {
            return;
        }
        self.take((number, id));
        for (place, buffer) in writable.iter().enumerate() {
            self.longest = self.longest.max(buffer.end - buffer.start);
            self.places.insert((buffer.start, (number, id), place), buffer.end);
        }
        self.chains.insert((number, id), Chain { buffers: writable, written: 0, slots });
    }

    /// Forgets a chain; how many bytes were written to it, if there was one.
    fn take(&mut self, id: ChainId) -> Option<Chain> {
        let chain = self.chains.remove(&id)?;
        for (place, buffer) in chain.buffers.iter().enumerate() {
            self.places.remove(&(buffer.start, id, place));
        }
        Some(chain)
    }

    pub(super) fn write(&mut self, _now: u64, request: &MemRequest, data: &[u8], broken: &mut Vec<String>) {
        if request.words == 1 && request.first_be == 0 {
            return;
        }
        let (lead, len) = span(request);
        let addr = request.addr + lead;
        let bytes = &data[lead as usize..(lead as usize + len).min(data.len())];
        let range = addr..addr + bytes.len() as u64;
        let first = (range.start.saturating_sub(self.longest), (0, 0), 0);
        for ((start, id, _), end) in self.places.range(first..(range.end, (0, 0), 0)) {
            if let Some(chain) = self.chains.get_mut(id) {
                chain.written += end.min(&range.end).saturating_sub(*start.max(&range.start));
            }
        }
        let mut published = vec![];
        let mut used = vec![];
        for (number, state) in &mut self.queues {
            state.message(*number, addr, bytes, broken);
            if state.queue.packed {
                used.extend(
                    state.descriptors(*number, addr, bytes, broken).map(|element| (*number, element)),
                );
            } else if let Some(idx) = state.write(addr, bytes) {
                published.push((*number, idx));
            }
        }
        for (number, idx) in published {
            self.publish(number, idx, broken);
        }
        for (number, element) in used {
            self.use_one(number, element, broken);
        }
    }

    /// A used descriptor of a packed ring. It may stand before those behind which it is to be seen: what counts is the order of slots.
    fn use_one(&mut self, number: u16, (slot, id, len): (u16, u16, u32), broken: &mut Vec<String>) {
        match self.chains.get(&(number, id)) {
            None => broken.push(format!("queue {number}: used chain {id} was not available")),
            Some(chain) if chain.written < u64::from(len) => broken.push(format!(
                "queue {number}: chain {id} used with {len} bytes, {} were written before",
                chain.written
            )),
            Some(_) => {}
        }
        let Some(state) = self.queues.get_mut(&number) else { return };
        state.ahead.insert(slot, id);
        let size = state.queue.size;
        let mut taken = vec![];
        while let Some(id) = state.ahead.remove(&(state.idx % size)) {
            let slots = self.chains.get(&(number, id)).map_or(1, |chain| chain.slots);
            state.idx = state.idx.wrapping_add(slots);
            state.news += 1;
            taken.push(id);
        }
        for id in taken {
            self.take((number, id));
        }
    }

    fn publish(&mut self, number: u16, idx: u16, broken: &mut Vec<String>) {
        let Some(state) = self.queues.get_mut(&number) else { return };
        let (before, size) = (state.idx, state.queue.size);
        let count = idx.wrapping_sub(before);
        if count == 0 || count > size {
            broken.push(format!("queue {number}: used index goes from {before} to {idx}"));
        }
        let slots = (0..count.min(size)).map(|step| before.wrapping_add(step) % size);
        let elements: Vec<_> = slots.map(|slot| (slot, state.elements.remove(&slot))).collect();
        state.idx = idx;
        state.news += 1;
        for (slot, element) in elements {
            let Some([Some(id), Some(len)]) = element else {
                broken.push(format!("queue {number}: used index {idx} before its element in slot {slot}"));
                continue;
            };
            match u16::try_from(id).ok().and_then(|id| self.take((number, id))) {
                None => broken.push(format!("queue {number}: used chain {id} was not available")),
                Some(chain) if chain.written < u64::from(len) => broken.push(format!(
                    "queue {number}: chain {id} used with {len} bytes, {} were written before the index",
                    chain.written
                )),
                Some(_) => {}
            }
        }
    }
}

impl State {
    /// A write of the device, if it is a message of this queue's.
    fn message(&mut self, number: u16, addr: u64, bytes: &[u8], broken: &mut Vec<String>) {
        if self.queue.message.is_some_and(|(at, data)| at == addr && bytes == data.to_le_bytes()) {
            if self.news == 0 {
                broken.push(format!("queue {number}: more messages than the used index has moved"));
            }
            self.news = self.news.saturating_sub(1);
        }
    }

    /// A write of the device to a packed ring: slots, names and lengths of the used descriptors in it. Each is whole, with its flags.
    fn descriptors<'a>(
        &self,
        number: u16,
        addr: u64,
        bytes: &'a [u8],
        broken: &mut Vec<String>,
    ) -> impl Iterator<Item = (u16, u16, u32)> + use<'a> {
        let (start, size) = (self.queue.used, self.queue.size);
        let end = start + u64::from(size) * ring::DESC_BYTES;
        let (mut at, mut used) = (addr, vec![]);
        while at < addr + bytes.len() as u64 {
            let rest = &bytes[(at - addr) as usize..];
            let lead = at.wrapping_sub(start) % ring::DESC_BYTES;
            if (start..end).contains(&at) {
                let (slot, len) = (((at - start) / ring::DESC_BYTES) as u16, ring::DESC_BYTES - lead);
                if lead > packed::DESC_LEN as u64 || (rest.len() as u64) < len {
                    broken.push(format!("queue {number}: part of the descriptor in slot {slot} is written"));
                    break;
                }
                let word = |place: usize| {
                    let place = place - lead as usize;
                    u32::from_le_bytes([rest[place], rest[place + 1], rest[place + 2], rest[place + 3]])
                };
                let (id, flags) = (word(packed::DESC_ID) as u16, (word(packed::DESC_ID) >> 16) as u16);
                let both = packed::DESC_F_AVAIL | packed::DESC_F_USED;
                // slots ahead of the first are of the next round if they stand before it
                let ahead = slot.wrapping_sub(self.idx) & (size - 1);
                let good = packed::flags(self.idx.wrapping_add(ahead), size, true);
                if flags & both != good {
                    broken.push(format!("queue {number}: flags {flags:#x} are written to slot {slot}"));
                    break;
                }
                let len = if flags & ring::DESC_F_WRITE == 0 { 0 } else { word(packed::DESC_LEN) };
                used.push((slot, id, len));
            }
            at += ring::DESC_BYTES - lead;
        }
        used.into_iter()
    }

    /// A write of the device; the used index, if it is written.
    fn write(&mut self, addr: u64, bytes: &[u8]) -> Option<u16> {
        let range = addr..addr + bytes.len() as u64;
        let idx = self.queue.used + IDX;
        let elements = self.queue.used + ELEMENTS;
        if range.end <= idx || range.start >= elements + u64::from(self.queue.size) * ELEMENT {
            return None;
        }
        let first = range.start.saturating_sub(elements).div_ceil(WORD);
        for word in first..u64::from(self.queue.size) * ELEMENT / WORD {
            let at = elements + word * WORD;
            if at + WORD > range.end {
                break;
            }
            let bytes = &bytes[(at - range.start) as usize..][..WORD as usize];
            let value = bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
            let slot = self.elements.entry((word / 2) as u16).or_default();
            slot[(word % 2) as usize] = Some(value);
        }
        (range.start <= idx && idx + 2 <= range.end).then(|| {
            let at = (idx - range.start) as usize;
            u16::from_le_bytes([bytes[at], bytes[at + 1]])
        })
    }
}

const IDX: u64 = ring::USED_IDX;
const ELEMENTS: u64 = ring::USED_RING;
const ELEMENT: u64 = ring::USED_ELEM_BYTES;
const WORD: u64 = ELEMENT / 2;
