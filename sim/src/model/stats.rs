//! What each queue of the model has done: DEVICE_STATS.
//! Spec: [virtio 1.4: Network Device, Control Virtqueue, Device Statistics]

use std::collections::BTreeMap;

use hematite_abi::ident;

use crate::facts::ctrl;

use super::Model;

/// Counters of a queue, in the order of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counter {
    Notifications,
    Packets,
    Bytes,
    Interrupts,
    Drops,
    /// Drops of one kind: no buffers, or a packet that is malformed.
    SomeDrops,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Stats {
    queues: BTreeMap<u16, [u64; 6]>,
    commands: u64,
    carried_out: u64,
}

impl Stats {
    /// More of something.
    pub(super) fn count(&mut self, queue: u16, counter: Counter, by: u64) {
        let counters = self.queues.entry(queue).or_default();
        counters[counter as usize] = counters[counter as usize].wrapping_add(by);
    }

    /// A packet has gone, or come.
    pub(super) fn packet(&mut self, queue: u16, bytes: usize) {
        self.count(queue, Counter::Packets, 1);
        self.count(queue, Counter::Bytes, bytes as u64);
    }

    fn drop(&mut self, queue: u16) {
        self.count(queue, Counter::Drops, 1);
        self.count(queue, Counter::SomeDrops, 1);
    }

    /// A command has been answered.
    pub(super) fn command(&mut self, done: bool) {
        self.commands += 1;
        self.carried_out += u64::from(done);
    }
}

impl Model {
    /// A queue has been rung by these bytes.
    pub(super) fn notified(&mut self, queue: u16, be: u8, value: u32) {
        if self.registers.hears(queue, be, value) {
            self.settings.stats.count(queue, Counter::Notifications, 1);
        }
    }

    /// What the driver gave cannot be a packet.
    pub(super) fn malformed(&mut self, queue: u16, counter: usize) {
        self.count(counter);
        self.settings.stats.drop(queue);
    }

    /// A frame has no buffers, or not enough.
    pub(super) fn without_buffer(&mut self, queue: u16) {
        self.drop_frame(ident::RX_NO_BUFFER);
        self.settings.stats.drop(queue);
    }

    /// Types there are.
    pub(super) fn stats_types() -> Vec<u8> {
        let kinds = [ctrl::STATS_RX_BASIC, ctrl::STATS_TX_BASIC, ctrl::STATS_CVQ];
        kinds.iter().fold(0, |types, kind| types | 1u64 << kind).to_le_bytes().to_vec()
    }

    /// Replies to all entries, or none: "Even if there is only one error, the device MUST fail the entire command."
    pub(super) fn statistics(&self, data: &[u8]) -> Option<Vec<u8>> {
        let most = ctrl::STATS_ENTRY_BYTES * usize::from(self.shape.numbers());
        (data.len() <= most.max(ctrl::KEPT_BYTES - 2)).then_some(())?;
        let entries = data.chunks(ctrl::STATS_ENTRY_BYTES);
        let replies = entries.map(|entry| self.reply(entry)).collect::<Option<Vec<_>>>()?;
        (!replies.is_empty()).then(|| replies.concat())
    }

    fn reply(&self, entry: &[u8]) -> Option<Vec<u8>> {
        let entry: [u8; ctrl::STATS_ENTRY_BYTES] = entry.try_into().ok()?;
        let queue = u16::from_le_bytes([entry[0], entry[1]]);
        let (_, types) = entry.split_at(ctrl::STATS_ENTRY_BYTES / 2);
        let types = u64::from_le_bytes(types.try_into().ok()?);
        let control = if self.registers.several_pairs() { self.shape.queues() } else { 2 };
        let stats = &self.settings.stats;
        let (kind, counters) = if queue == control {
            // "including the current command"
            (ctrl::STATS_CVQ, vec![stats.commands + 1, stats.carried_out + 1])
        } else if queue < control {
            let kind = if queue.is_multiple_of(2) { ctrl::STATS_RX_BASIC } else { ctrl::STATS_TX_BASIC };
            (kind, stats.queues.get(&queue).copied().unwrap_or_default().to_vec())
        } else {
            return None;
        };
        (types == 1 << kind).then_some(())?;
        let size = (ctrl::STATS_HEADER_BYTES + 8 * counters.len()) as u16;
        let mut reply = vec![kind, 0];
        [queue, 0, size].iter().for_each(|half| reply.extend(half.to_le_bytes()));
        counters.iter().for_each(|counter| reply.extend(counter.to_le_bytes()));
        Some(reply)
    }
}
