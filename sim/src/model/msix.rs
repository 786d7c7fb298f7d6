//! The model's MSI-X table, masks and pending bits; and what raises a message.
//! Spec: [PCIe base: MSI-X Capability and Table Structures]

use super::Model;
use super::stats::Counter;
use crate::facts::{msix, virtio};
use hematite_abi::ident;

/// One entry of the table.
#[derive(Clone, Copy, Debug)]
struct Entry {
    words: [u32; msix::ENTRY_WORDS],
    pending: bool,
}

/// Message for the host: address and data.
pub(super) type Send = (u64, u32);

/// What has become of an interrupt.
pub(super) enum Raised {
    Sent(Send),
    Masked,
    Nowhere,
}

/// Table and pending bits; enable and function mask come from configuration space.
#[derive(Clone, Debug)]
pub(super) struct Msix {
    entries: Vec<Entry>,
    pub(super) enabled: bool,
    pub(super) masked: bool,
}

impl Msix {
    pub(super) fn new(vectors: u16) -> Msix {
        let mut words = [0; msix::ENTRY_WORDS];
        words[msix::ENTRY_CONTROL_WORD] = msix::CONTROL_MASKED;
        let entries = vec![Entry { words, pending: false }; usize::from(vectors)];
        Msix { entries, enabled: false, masked: false }
    }

    pub(super) fn vectors(&self) -> u16 {
        self.entries.len() as u16
    }

    fn masked(&self, vector: usize) -> bool {
        self.masked || self.entries[vector].words[msix::ENTRY_CONTROL_WORD] & msix::CONTROL_MASKED != 0
    }

    /// Wants to interrupt by `vector`; one which does not exist (VIRTIO_MSI_NO_VECTOR) is forgotten.
    pub(super) fn raise(&mut self, vector: u16) -> Raised {
        let vector = usize::from(vector);
        if !self.enabled || vector >= self.entries.len() {
            return Raised::Nowhere;
        }
        if self.masked(vector) {
            self.entries[vector].pending = true;
            return Raised::Masked;
        }
        let words = self.entries[vector].words;
        let addr = u64::from(words[msix::ENTRY_ADDR_HI_WORD]) << 32 | u64::from(words[msix::ENTRY_ADDR_WORD]);
        Raised::Sent((addr, words[msix::ENTRY_DATA_WORD]))
    }

    /// Messages which a change of masks has let go.
    pub(super) fn unmasked(&mut self) -> Vec<Send> {
        let mut sends = vec![];
        for vector in 0..self.entries.len() {
            if self.enabled && self.entries[vector].pending && !self.masked(vector) {
                self.entries[vector].pending = false;
                if let Raised::Sent(send) = self.raise(vector as u16) {
                    sends.push(send);
                }
            }
        }
        sends
    }

    /// Virtio reset: what is pending is of the past. The table belongs to the PCI scope and stays.
    pub(super) fn forget_pending(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.pending = false);
    }

    pub(super) fn read(&self, offset: u64) -> u32 {
        let word = offset as usize / 4;
        let entry = self.entries.get(word / msix::ENTRY_WORDS);
        entry.map_or(0, |entry| entry.words[word % msix::ENTRY_WORDS])
    }

    pub(super) fn write(&mut self, offset: u64, value: u32) {
        let word = offset as usize / 4;
        if let Some(entry) = self.entries.get_mut(word / msix::ENTRY_WORDS) {
            let field = word % msix::ENTRY_WORDS;
            entry.words[field] = value & hematite_abi::msix::ENTRY[field].mask as u32;
        }
    }

    /// Pending bits, 32 at a time.
    pub(super) fn pending(&self, offset: u64) -> u32 {
        let first = offset as usize * 8;
        self.entries
            .iter()
            .skip(first)
            .take(32)
            .enumerate()
            .fold(0, |bits, (i, e)| bits | u32::from(e.pending) << i)
    }
}

/// Who raises what.
impl Model {
    pub(super) fn interrupt(&mut self, vector: u16) {
        match self.msix.raise(vector) {
            Raised::Sent((addr, data)) => self.message(addr, data),
            Raised::Masked => self.count(ident::IRQ_MASKED),
            Raised::Nowhere => {}
        }
    }

    fn message(&mut self, addr: u64, data: u32) {
        self.count(ident::IRQ_SENT);
        self.dma.write(addr, &data.to_le_bytes());
    }

    pub(super) fn interrupt_queue(&mut self, queue: u16) {
        self.registers.isr |= virtio::ISR_QUEUE;
        let vector = self.registers.queues[usize::from(queue)].vector;
        if vector != virtio::NO_VECTOR {
            self.settings.stats.count(queue, Counter::Interrupts, 1);
        }
        self.interrupt(vector);
    }

    pub(super) fn interrupt_config(&mut self) {
        self.registers.isr |= virtio::ISR_CONFIG;
        self.interrupt(self.registers.config_vector);
    }

    pub(super) fn masks_changed(&mut self) {
        (self.msix.enabled, self.msix.masked) = self.config.msix();
        for (addr, data) in self.msix.unmasked() {
            self.message(addr, data);
        }
    }
}
