//! Payload, then used elements, then used index, then message: the order which makes a ring correct.
//! Time: a write costs a few look-ups, however many queues and buffers there are.
//! Spec: [virtio 1.4: The Virtqueue Used Ring], [PCIe base: Transaction Ordering]

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::facts::ring;

use crate::root::replies::span;
use crate::root::tlp::MemRequest;

/// One queue, as the driver set it up.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Device Area (the used ring).
    pub used: u64,
    pub size: u16,
    /// Address and data of the queue's own message, if it has one of its own.
    pub message: Option<(u64, u32)>,
}

#[derive(Debug)]
struct State {
    queue: Watched,
    idx: u16,
    /// Elements written since the index last moved, by slot: id and length. A page may end between the two.
    elements: BTreeMap<u16, [Option<u32>; 2]>,
    /// How often the index has moved without a message: the device asks the driver once for each move, and may ask ahead,
    /// so several moves may be followed by as many messages.
    news: u32,
}

/// A chain which the device has, and what it has written to its buffers.
#[derive(Debug, Default)]
struct Chain {
    buffers: Vec<Range<u64>>,
    written: u64,
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
        self.queues.insert(number, State { queue, idx: 0, elements: BTreeMap::new(), news: 0 });
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

    /// The driver makes chain `id` available; `writable` are its buffers which the device may write.
    pub fn post(&mut self, number: u16, id: u16, writable: Vec<Range<u64>>) {
        if !self.queues.contains_key(&number) {
            return;
        }
        self.take((number, id));
        for (place, buffer) in writable.iter().enumerate() {
            self.longest = self.longest.max(buffer.end - buffer.start);
            self.places.insert((buffer.start, (number, id), place), buffer.end);
        }
        self.chains.insert((number, id), Chain { buffers: writable, written: 0 });
    }

    /// Forgets a chain; how many bytes were written to it, if there was one.
    fn take(&mut self, id: ChainId) -> Option<u64> {
        let chain = self.chains.remove(&id)?;
        for (place, buffer) in chain.buffers.iter().enumerate() {
            self.places.remove(&(buffer.start, id, place));
        }
        Some(chain.written)
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
        for (number, state) in &mut self.queues {
            if let Some(idx) = state.write(*number, addr, bytes, broken) {
                published.push((*number, idx));
            }
        }
        for (number, idx) in published {
            self.publish(number, idx, broken);
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
                Some(written) if written < u64::from(len) => broken.push(format!(
                    "queue {number}: chain {id} used with {len} bytes, {written} were written before the index"
                )),
                Some(_) => {}
            }
        }
    }
}

impl State {
    /// A write of the device; the used index, if it is written.
    fn write(&mut self, number: u16, addr: u64, bytes: &[u8], broken: &mut Vec<String>) -> Option<u16> {
        let range = addr..addr + bytes.len() as u64;
        if self.queue.message.is_some_and(|(at, data)| at == addr && bytes == data.to_le_bytes()) {
            if self.news == 0 {
                broken.push(format!("queue {number}: more messages than the used index has moved"));
            }
            self.news = self.news.saturating_sub(1);
        }
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
