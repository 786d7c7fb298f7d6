//! Rings of ours between the guest's and the function's. The guest's descriptors are the function's as before; its available
//! and used rings are ours, begin at 0, and what stands in them is carried over: so the guest's ring may be at any index, and
//! each page that was written is known before the guest, or who copies it, hears of it. Spec: [virtio 1.4: Split Virtqueues]

use std::collections::VecDeque;

use hematite_abi::{feature, ring};

use super::guest::Memory;
use super::lane::{Placed, QUEUES};
use super::log::{Log, PAGE};
use super::{Done, Trouble, refused};
use crate::arena::Arena;
use crate::bus::Bus;
use crate::error::Error;
use crate::memory::{DmaMemory, Pages};
use crate::ring::look::{Addresses, has, split_chain};
use crate::ring::{avail_entry, avail_event, split_bytes, used_entry, used_event};

/// Where our rings may be for the function: where machines have no memory, or so high that few have any.
const IOVAS: [u64; 5] = [0xf000_0000, 1 << 34, 1 << 36, 1 << 37, 1 << 38];

/// Offsets in a ring.
const AVAIL_IDX: u64 = ring::AVAIL_IDX as u64;
const USED_IDX: u64 = ring::USED_IDX as u64;

/// The guest's side: its memory, and what is logged of it.
pub(super) struct Side<'a> {
    pub(super) memory: &'a Memory,
    pub(super) log: Option<&'a Log>,
    /// Where a queue's used ring is for the log; none: it is not logged.
    pub(super) used: [Option<u64>; QUEUES],
}

/// How many bytes the function has written to a chain.
#[derive(Clone, Copy, Debug)]
enum Written {
    Bytes(u32),
    /// As many as there are: the function has said nothing of its own. [virtio 1.4: In-order use of descriptors]
    All,
}

/// A chain that the function has, or has given back before one which it was given earlier.
#[derive(Debug)]
struct Out {
    head: u16,
    written: Option<Written>,
}

/// One queue.
#[derive(Debug)]
struct Relay {
    number: usize,
    /// The guest's ring.
    at: Addresses,
    event_idx: bool,
    in_order: bool,
    /// The next entry of the guest's available ring, and the next element of its used ring.
    next: u16,
    done: u16,
    /// Ours, in our memory: available and used; and how far they are.
    available: u64,
    used: u64,
    given: u16,
    taken: u16,
    /// In the order in which they were made available: so they are given back, whatever the function's order is.
    out: VecDeque<Out>,
    /// Where the guest was asked to kick, and the function to interrupt.
    asked: [Option<u16>; 2],
    /// What the guest's available ring says cannot be; nothing of it is carried over any more.
    broken: bool,
}

/// The pair's.
#[derive(Debug)]
pub(super) struct Shadow {
    arena: Arena,
    relays: [Relay; QUEUES],
}

impl Shadow {
    /// Empty rings, for guest's rings which go on at the indices of `bases`.
    pub(super) fn new(
        bus: &mut dyn Bus,
        memory: &Memory,
        rings: [Placed; QUEUES],
        bases: [u16; QUEUES],
        features: u64,
    ) -> Done<Shadow> {
        let bytes: u64 = rings.iter().map(|ring| used_event(ring.size) + avail_event(ring.size) + 16).sum();
        let bytes = bytes.next_multiple_of(PAGE);
        let mut free = IOVAS.into_iter().filter(|iova| !memory.is_at(*iova, bytes));
        let arena = free.find_map(|iova| Arena::at(bus, bytes as usize, Pages::Usual, iova).ok());
        let Some(mut arena) = arena else {
            return refused("there is no place in the function's addresses for rings of ours");
        };
        let has = |bit: usize| features >> bit & 1 == 1;
        let mut relay = |number: usize| -> Done<Relay> {
            let Placed { size, areas: [descriptors, driver, device] } = rings[number];
            let [_, available, used] = split_bytes(size.into());
            let available = arena.take(available, ring::AVAIL_ALIGN as u64)?.at;
            let used = arena.take_used_ring(used)?.at;
            Ok(Relay {
                number,
                at: Addresses { size, descriptors, driver, device },
                event_idx: has(feature::EVENT_IDX),
                in_order: has(feature::IN_ORDER),
                next: bases[number],
                done: bases[number],
                available,
                used,
                given: 0,
                taken: 0,
                out: VecDeque::new(),
                asked: [None; 2],
                broken: false,
            })
        };
        let relays = relay(0).and_then(|first| Ok([first, relay(1)?]));
        match relays {
            Ok(relays) => Ok(Shadow { arena, relays }),
            Err(trouble) => {
                arena.withdraw(bus)?;
                Err(trouble)
            }
        }
    }

    /// What the function is told instead of the guest's rings.
    pub(super) fn placed(&self) -> [Placed; QUEUES] {
        self.relays.each_ref().map(|relay| {
            let ours = [relay.available, relay.used].map(|at| self.arena.iova(at));
            Placed { size: relay.at.size, areas: [relay.at.descriptors, ours[0], ours[1]] }
        })
    }

    /// Where our rings are for the function.
    pub(super) fn span(&self) -> (u64, u64) {
        (self.arena.iova(0), self.arena.memory.bytes() as u64)
    }

    /// The function reaches them no more.
    pub(super) fn withdraw(self, bus: &mut dyn Bus) -> Done<()> {
        Ok(self.arena.withdraw(bus)?)
    }

    /// Where the guest's ring would go on.
    pub(super) fn base(&self, queue: usize) -> u16 {
        self.relays[queue].done
    }

    /// What an earlier function has left in a used ring is no hindrance for kicks.
    pub(super) fn begin(&self, side: &Side<'_>) -> Done<()> {
        self.relays.iter().try_for_each(|relay| {
            side.memory.store(relay.at.device + ring::USED_FLAGS as u64, 0)?;
            relay.mark_used(side, ring::USED_FLAGS as u64, 2)
        })?;
        self.arena.memory.barrier();
        Ok(())
    }

    /// Carries over what the guest has made available; true: the function is to be told.
    pub(super) fn give(&mut self, queue: usize, side: &Side<'_>) -> Done<bool> {
        self.relays[queue].give(&self.arena.memory, side)
    }

    /// Carries back what the function has used; true: the guest is to be told.
    pub(super) fn take(&mut self, queue: usize, side: &Side<'_>) -> Done<bool> {
        self.relays[queue].take(&self.arena.memory, side)
    }
}

impl Relay {
    fn give(&mut self, ours: &DmaMemory, side: &Side<'_>) -> Done<bool> {
        let (size, before) = (self.at.size, self.given);
        while !self.broken {
            let news = side.memory.load(self.at.driver + AVAIL_IDX)?.wrapping_sub(self.next);
            if news == 0 {
                if !self.event_idx || self.asked[0] == Some(self.next) {
                    break;
                }
                // What comes before the guest has seen this is found by another look.
                side.memory.store(self.at.device + avail_event(size), self.next)?;
                self.mark_used(side, avail_event(size), 2)?;
                ours.barrier();
                self.asked[0] = Some(self.next);
                continue;
            }
            if usize::from(news) + self.out.len() > size.into() {
                self.broken = true;
                break;
            }
            for _ in 0..news {
                let head = side.memory.load(self.at.driver + avail_entry(size, self.next))?;
                ours.store(self.available + avail_entry(size, self.given), head)?;
                self.out.push_back(Out { head, written: None });
                (self.next, self.given) = (self.next.wrapping_add(1), self.given.wrapping_add(1));
            }
            ours.store(self.available + AVAIL_IDX, self.given)?;
        }
        ours.barrier();
        Ok(self.given != before)
    }

    fn take(&mut self, ours: &DmaMemory, side: &Side<'_>) -> Done<bool> {
        let (size, before) = (self.at.size, self.done);
        loop {
            let news = ours.load(self.used + USED_IDX)?.wrapping_sub(self.taken);
            if news == 0 {
                if !self.event_idx || self.asked[1] == Some(self.taken) {
                    break;
                }
                ours.store(self.available + used_event(size), self.taken)?;
                ours.barrier();
                self.asked[1] = Some(self.taken);
                continue;
            }
            let mut left = news;
            while left > 0 {
                let element: [u8; ring::USED_ELEM_BYTES] =
                    ours.array(self.used + used_entry(size, self.taken))?;
                let word =
                    |lsb: usize| u32::from_le_bytes(std::array::from_fn(|byte| element[lsb / 8 + byte]));
                let (id, bytes) = (word(ring::USED_ELEM_ID_LSB), word(ring::USED_ELEM_LEN_LSB));
                let count = self.complete(id, bytes).filter(|count| *count <= left);
                let Some(count) = count else {
                    let number = self.number;
                    let text = format!("queue {number}: chain {id} is given back, which is not out");
                    return Err(Trouble::Function(Error::Device(text)));
                };
                self.taken = self.taken.wrapping_add(count);
                left -= count;
            }
            self.hand_back(side)?;
        }
        if self.done == before {
            return Ok(false);
        }
        ours.barrier();
        if self.event_idx {
            let event = side.memory.load(self.at.driver + used_event(size))?;
            return Ok(self.done.wrapping_sub(event).wrapping_sub(1) < self.done.wrapping_sub(before));
        }
        let flags = side.memory.load(self.at.driver + ring::AVAIL_FLAGS as u64)?;
        Ok(u64::from(flags) & ring::AVAIL_F_NO_INTERRUPT == 0)
    }

    /// Notes what the function says of a chain; how many elements that was. None: it does not have it.
    fn complete(&mut self, id: u32, bytes: u32) -> Option<u16> {
        let mine = |out: &Out| u32::from(out.head) == id && out.written.is_none();
        let place = self.out.iter().position(mine)?;
        self.out[place].written = Some(Written::Bytes(bytes));
        if !self.in_order {
            return Some(1);
        }
        // "only writing out a single used ring entry with the id ... [of] the last buffer in the batch"
        let skipped = self.out.iter_mut().take(place).filter(|out| out.written.is_none());
        let count = skipped.map(|out| out.written = Some(Written::All)).count();
        u16::try_from(count + 1).ok()
    }

    /// Gives the guest back what is complete from the first on.
    fn hand_back(&mut self, side: &Side<'_>) -> Done<()> {
        let before = self.done;
        while let Some(Out { head, written: Some(written) }) = self.out.front() {
            let (head, written) = (*head, *written);
            let bytes = self.mark_chain(side, head, written)?;
            let element = [u32::from(head).to_le_bytes(), bytes.to_le_bytes()].concat();
            let entry = used_entry(self.at.size, self.done);
            side.memory.write(self.at.device + entry, &element)?;
            self.mark_used(side, entry, ring::USED_ELEM_BYTES as u64)?;
            self.out.pop_front();
            self.done = self.done.wrapping_add(1);
        }
        if self.done != before {
            side.memory.store(self.at.device + USED_IDX, self.done)?;
            self.mark_used(side, USED_IDX, 2)?;
        }
        Ok(())
    }

    /// Marks what was written of a chain; how many bytes that were. Pages outside the guest's memory cannot have been.
    fn mark_chain(&self, side: &Side<'_>, head: u16, written: Written) -> Done<u32> {
        let bytes = match (written, side.log) {
            (Written::Bytes(bytes), None) => return Ok(bytes),
            (Written::Bytes(bytes), _) => bytes,
            (Written::All, _) => u32::MAX,
        };
        let chain = split_chain(side.memory, self.at, head);
        let buffers = chain
            .descriptors
            .iter()
            .filter(|one| has(one, ring::DESC_F_WRITE) && !has(one, ring::DESC_F_INDIRECT));
        let mut left = bytes;
        for buffer in buffers {
            let part = left.min(buffer.bytes);
            left -= part;
            if let Some(log) = side.log {
                let end = buffer.address.saturating_add(part.into());
                let mut at = buffer.address;
                while at < end {
                    if side.memory.is_at(at / PAGE * PAGE, PAGE) {
                        log.mark(at)?;
                    }
                    at = (at / PAGE + 1).saturating_mul(PAGE);
                }
            }
        }
        Ok(if matches!(written, Written::All) { bytes - left } else { bytes })
    }

    /// Marks bytes of the used ring.
    fn mark_used(&self, side: &Side<'_>, offset: u64, bytes: u64) -> Done<()> {
        match (side.log, side.used[self.number]) {
            (Some(log), Some(used)) => log.mark_all(used.saturating_add(offset), bytes),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
