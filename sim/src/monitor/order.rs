//! Payload, then used elements, then used index, then message: the order which makes a ring correct.
//! Spec: [virtio 1.4: The Virtqueue Used Ring], [PCIe base: Transaction Ordering]

use std::collections::BTreeMap;
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
    /// Elements written since the index last moved, by slot.
    elements: BTreeMap<u16, (u32, u32)>,
    /// Buffers which the device may write, by chain, and the bytes it has written to them.
    buffers: BTreeMap<u16, (Vec<Range<u64>>, u64)>,
    /// How often the index has moved without a message: the device asks the driver once for each move, and may ask ahead,
    /// so several moves may be followed by as many messages.
    news: u32,
}

/// Follows the writes of the device into registered queues.
#[derive(Debug, Default)]
pub struct QueueOrder {
    queues: BTreeMap<u16, State>,
}

impl QueueOrder {
    /// The driver enables queue `number`; indices start at 0.
    pub fn watch(&mut self, number: u16, queue: Watched) {
        let state = State { queue, idx: 0, elements: BTreeMap::new(), buffers: BTreeMap::new(), news: 0 };
        self.queues.insert(number, state);
    }

    /// The queue is reset; what the device does with its memory is nobody's business now.
    pub fn forget(&mut self, number: u16) {
        self.queues.remove(&number);
    }

    /// All queues are.
    pub fn forget_all(&mut self) {
        self.queues.clear();
    }

    /// The driver makes chain `id` available; `writable` are its buffers which the device may write.
    pub fn post(&mut self, number: u16, id: u16, writable: Vec<Range<u64>>) {
        if let Some(state) = self.queues.get_mut(&number) {
            state.buffers.insert(id, (writable, 0));
        }
    }

    pub(super) fn write(&mut self, _now: u64, request: &MemRequest, data: &[u8], broken: &mut Vec<String>) {
        if request.words == 1 && request.first_be == 0 {
            return;
        }
        let (lead, len) = span(request);
        let addr = request.addr + lead;
        let bytes = &data[lead as usize..(lead as usize + len).min(data.len())];
        for (number, state) in &mut self.queues {
            state.write(*number, addr, bytes, broken);
        }
    }
}

impl State {
    fn write(&mut self, number: u16, addr: u64, bytes: &[u8], broken: &mut Vec<String>) {
        let range = addr..addr + bytes.len() as u64;
        for (buffers, written) in self.buffers.values_mut() {
            let hits = buffers.iter().map(|b| overlap(b, &range)).sum::<u64>();
            *written += hits;
        }
        if self.queue.message.is_some_and(|(at, data)| at == addr && bytes == data.to_le_bytes()) {
            if self.news == 0 {
                broken.push(format!("queue {number}: more messages than the used index has moved"));
            }
            self.news = self.news.saturating_sub(1);
        }
        let ring = self.queue.used + ELEMENTS;
        for slot in 0..self.queue.size {
            let at = ring + u64::from(slot) * ELEMENT;
            if at >= range.end {
                break;
            }
            if range.start <= at && at + ELEMENT <= range.end {
                let bytes = &bytes[(at - range.start) as usize..][..ELEMENT as usize];
                let word =
                    |i: usize| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
                self.elements.insert(slot, (word(0), word(4)));
            }
        }
        let idx = self.queue.used + IDX;
        if range.start <= idx && idx + 2 <= range.end {
            let at = (idx - range.start) as usize;
            self.publish(number, u16::from_le_bytes([bytes[at], bytes[at + 1]]), broken);
        }
    }

    fn publish(&mut self, number: u16, idx: u16, broken: &mut Vec<String>) {
        let count = idx.wrapping_sub(self.idx);
        if count == 0 || count > self.queue.size {
            broken.push(format!("queue {number}: used index goes from {} to {idx}", self.idx));
        }
        for step in 0..count.min(self.queue.size) {
            let slot = self.idx.wrapping_add(step) % self.queue.size;
            let Some((id, len)) = self.elements.remove(&slot) else {
                broken.push(format!("queue {number}: used index {idx} before its element in slot {slot}"));
                continue;
            };
            match u16::try_from(id).ok().and_then(|id| self.buffers.remove(&id)) {
                None => broken.push(format!("queue {number}: used chain {id} was not available")),
                Some((_, written)) if written < u64::from(len) => broken.push(format!(
                    "queue {number}: chain {id} used with {len} bytes, {written} were written before the index"
                )),
                Some(_) => {}
            }
        }
        self.idx = idx;
        self.news += 1;
    }
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> u64 {
    a.end.min(b.end).saturating_sub(a.start.max(b.start))
}

const IDX: u64 = ring::USED_IDX;
const ELEMENTS: u64 = ring::USED_RING;
const ELEMENT: u64 = ring::USED_ELEM_BYTES;
