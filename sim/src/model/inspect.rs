//! The model's inspection region: what it is, what each queue does, what was counted. Read only.
//! Spec: ours, `hematite_abi::ident`

use hematite_abi::ident;

use super::Model;

/// Counters by their number in abi.
pub(super) type Counters = [u32; ident::COUNTERS.len()];

const COUNTERS_END: u64 = (ident::COUNTERS_OFFSET + 4 * ident::COUNTERS.len()) as u64;

impl Model {
    /// One more of something.
    pub(super) fn count(&mut self, counter: usize) {
        self.count_by(counter, 1);
    }

    /// Several more.
    pub(super) fn count_by(&mut self, counter: usize, by: u32) {
        self.counters[counter] = self.counters[counter].wrapping_add(by);
    }

    /// One double word of the region.
    pub(super) fn inspect(&self, offset: u64) -> u32 {
        let queues = ident::QUEUES_OFFSET as u64;
        if offset >= queues {
            let block = (offset - queues) / ident::QUEUE_STATE_BYTES as u64;
            return self.inspect_queue(block as usize, (offset % ident::QUEUE_STATE_BYTES as u64) as usize);
        }
        if (ident::COUNTERS_OFFSET as u64..COUNTERS_END).contains(&offset) {
            return self.counters[(offset as usize - ident::COUNTERS_OFFSET) / 4];
        }
        let shape = &self.shape;
        match offset as usize {
            ident::IDENT_MAGIC => ident::MAGIC as u32,
            ident::IDENT_ABI_VERSION => ident::ABI_VERSION as u32,
            ident::PARAM_PAIRS => shape.pairs.into(),
            ident::PARAM_QUEUES => shape.numbers().into(),
            ident::PARAM_QUEUE_MAX => shape.queue_max.into(),
            ident::PARAM_VECTORS => shape.vectors().into(),
            ident::PARAM_READ_BYTES => shape.read_bytes as u32,
            ident::PARAM_PAYLOAD_BYTES => shape.payload_bytes as u32,
            ident::PARAM_FRAME_BYTES => shape.frame_bytes as u32,
            ident::PARAM_TIMEOUT_CYCLES => shape.timeout_cycles as u32,
            ident::COUNTER_COUNT => ident::COUNTERS.len() as u32,
            ident::DEVICE_ERROR => self.first_error.0.into(),
            ident::DEVICE_ERROR_QUEUE => self.first_error.1.into(),
            _ => 0,
        }
    }

    fn inspect_queue(&self, number: usize, field: usize) -> u32 {
        let Some(queue) = self.registers.queues.get(number) else { return 0 };
        let (low, high) = (|addr: u64| addr as u32, |addr: u64| (addr >> 32) as u32);
        match field {
            ident::QUEUE_ENABLED => queue.live.into(),
            ident::QUEUE_SIZE => queue.size.into(),
            ident::QUEUE_VECTOR => queue.vector.into(),
            ident::QUEUE_ERROR => queue.last_error.into(),
            ident::QUEUE_DESC_LO => low(queue.desc),
            ident::QUEUE_DESC_HI => high(queue.desc),
            ident::QUEUE_DRIVER_LO => low(queue.driver),
            ident::QUEUE_DRIVER_HI => high(queue.driver),
            ident::QUEUE_DEVICE_LO => low(queue.device),
            ident::QUEUE_DEVICE_HI => high(queue.device),
            ident::QUEUE_AVAIL_TAKEN => queue.avail_seen.into(),
            ident::QUEUE_USED_IDX => queue.used_idx.into(),
            _ => 0,
        }
    }
}
