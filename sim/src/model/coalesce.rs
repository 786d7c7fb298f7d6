//! When the model looks whether a driver wants its interrupt: at once, or when enough has come or waited long enough.
//! Spec: [virtio 1.4: Network Device, Control Virtqueue, Notifications Coalescing]

use hematite_abi::ident;

use crate::facts::{ctrl, ring, virtio};

use super::Model;
use super::dma::Stop;

/// Limits of interrupts; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    packets: u16,
    micros: u16,
}

impl Limits {
    /// As a command says them, if they are in the range of what can be kept.
    pub(super) fn read(data: &[u8]) -> Option<Limits> {
        let word = |at: usize| Some(u32::from_le_bytes(data.get(at..at + 4)?.try_into().ok()?));
        let limits = Limits {
            packets: word(0)?.try_into().ok()?,
            micros: word(ctrl::LIMITS_BYTES / 2)?.try_into().ok()?,
        };
        (data.len() == ctrl::LIMITS_BYTES).then_some(limits)
    }

    /// As an answer says them.
    pub(super) fn bytes(self) -> Vec<u8> {
        [self.packets, self.micros].iter().flat_map(|limit| u32::from(*limit).to_le_bytes()).collect()
    }
}

impl Model {
    /// What holds for a queue.
    pub(super) fn limits_of(&self, queue: u16) -> Limits {
        let all = if queue.is_multiple_of(2) { self.settings.rx_limits } else { self.settings.tx_limits };
        self.registers.queues[usize::from(queue)].own.unwrap_or(all)
    }

    fn due(&self, queue: u16) -> bool {
        let limits = self.limits_of(queue);
        let q = &self.registers.queues[usize::from(queue)];
        let cycles = u64::from(limits.micros) * self.shape.clock_mhz;
        let old = q.waits.is_some_and(|since| self.now - since >= cycles);
        // chains are counted: of several that hold one packet the device may tell sooner
        let many = q.used_idx.wrapping_sub(q.told) >= limits.packets;
        limits.packets == 0 || limits.micros == 0 || many || old
    }

    /// The used index of this queue has been published.
    pub(super) fn published(&mut self, queue: u16) {
        if queue < self.shape.queues() && !self.due(queue) {
            self.registers.queues[usize::from(queue)].waits.get_or_insert(self.now);
            return;
        }
        self.tell(queue);
    }

    fn tell(&mut self, queue: u16) {
        let q = &mut self.registers.queues[usize::from(queue)];
        (q.told, q.waits) = (q.used_idx, None);
        self.signals.push_back(queue);
    }

    /// Some queue's interrupt waits for more.
    pub(super) fn queue_waits(&self) -> bool {
        self.registers.queues.iter().any(|q| q.waits.is_some())
    }

    /// What has waited long enough, or is enough by limits set since, is told.
    pub(super) fn tell_due(&mut self) {
        for queue in 0..self.shape.queues() {
            if self.registers.queues[usize::from(queue)].waits.is_some() && self.due(queue) {
                self.tell(queue);
            }
        }
    }

    /// Interrupts, unless the driver does not want it.
    pub(super) fn signal(&mut self, queue: u16) -> Result<(), Stop> {
        let q = self.registers.queues[usize::from(queue)].clone();
        let wanted = if self.packed() {
            self.packed_wanted(&q)?
        } else if self.registers.accepted(virtio::F_EVENT_IDX) {
            let event = self.dma.read_u16(self.now, q.driver.wrapping_add(ring::used_event(q.size)))?;
            ring::passes(event, q.signalled, q.used_idx)
        } else {
            let flags = self.dma.read_u16(self.now, q.driver.wrapping_add(ring::AVAIL_FLAGS))?;
            flags & ring::AVAIL_F_NO_INTERRUPT == 0
        };
        self.signals.pop_front();
        self.registers.queues[usize::from(queue)].signalled = q.used_idx;
        if wanted {
            self.interrupt_queue(queue);
        } else {
            self.count(ident::IRQ_SUPPRESSED);
        }
        Ok(())
    }
}
