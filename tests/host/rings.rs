//! The driver of a front end: two split rings in its memory, buffers, frames.

use std::os::fd::AsFd;

use hematite_abi::feature;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::front::{BUFFERS, Front, HALF, LIMIT, RINGS, RX, SIZE, TX};

pub(crate) const BUFFER: u64 = 2048;
const HEADER: usize = 12;
/// In a ring's 16 KiB: descriptors, available, used; behind the descriptors tables, one for each.
pub(crate) const PLACES: [u64; 3] = [0, 0x2000, 0x3000];
pub(crate) const RING: u64 = 0x4000;
const TABLES: u64 = 0x400;
const TABLE: u64 = 48;
/// `used_event` behind the available ring, `avail_event` behind the used one.
const USED_EVENT: u64 = PLACES[1] + 4 + 2 * SIZE as u64;
const AVAIL_EVENT: u64 = PLACES[2] + 4 + 8 * SIZE as u64;

impl Front {
    fn has(&self, bit: usize) -> bool {
        self.features >> bit & 1 == 1
    }

    /// Two rings, which have come to this index. There are receive buffers before the function begins: a frame that comes
    /// before it has seen the first of them is dropped.
    pub(crate) fn rings_at(&mut self, base: u16) {
        self.memory.write(0, &[0; 2 * RING as usize]).unwrap();
        (self.available, self.used, self.kicked) = ([base; 2], [base; 2], [base; 2]);
        for ring in [0, RING] {
            self.memory.store(ring + PLACES[1] + 2, base).unwrap();
            self.memory.store(ring + PLACES[2] + 2, base).unwrap();
            self.memory.store(ring + AVAIL_EVENT, base).unwrap();
        }
        self.fill();
        self.go_on([base; 2]);
    }

    /// Where the buffer of a queue's descriptor is in the memory.
    pub(crate) fn buffer(&self, queue: usize, slot: u16) -> u64 {
        HALF + (u64::from(slot) + queue as u64 * u64::from(SIZE)) * BUFFER + self.shift
    }

    /// Gives a buffer of so many bytes to the function.
    fn offer(&mut self, queue: usize, bytes: u32) {
        let slot = self.available[queue] % SIZE;
        let ring = queue as u64 * RING;
        let guest = BUFFERS[0] + self.buffer(queue, slot) - HALF;
        let writable: u16 = if queue == RX { 2 } else { 0 };
        let descriptor = |address: u64, bytes: u32, flags: u16, next: u16| {
            [&address.to_le_bytes()[..], &bytes.to_le_bytes(), &flags.to_le_bytes(), &next.to_le_bytes()]
                .concat()
        };
        let cuts = self.cuts.iter().copied().filter(|cut| *cut < bytes);
        let ends: Vec<u32> = cuts.chain([bytes]).collect();
        let whole = if self.cuts.is_empty() {
            descriptor(guest, bytes, writable, 0)
        } else {
            let table = ring + TABLES + u64::from(slot) * TABLE;
            let mut start = 0;
            for (place, end) in (0u16..).zip(&ends) {
                let flags = writable | u16::from(usize::from(place) + 1 < ends.len());
                let part = descriptor(guest + u64::from(start), end - start, flags, place + 1);
                self.memory.write(table + u64::from(place) * 16, &part).unwrap();
                start = *end;
            }
            descriptor(RINGS[0] + table, 16 * ends.len() as u32, 4, 0)
        };
        self.memory.write(ring + PLACES[0] + u64::from(slot) * 16, &whole).unwrap();
        self.memory.store(ring + PLACES[1] + 4 + u64::from(slot) * 2, slot).unwrap();
        self.available[queue] = self.available[queue].wrapping_add(1);
        self.memory.store(ring + PLACES[1] + 2, self.available[queue]).unwrap();
        self.memory.barrier();
    }

    /// Tells the function, unless it has said that it need not be told.
    pub(crate) fn kick(&mut self, queue: usize) {
        let (old, new) = (self.kicked[queue], self.available[queue]);
        self.kicked[queue] = new;
        let wanted = || {
            let event = self.memory.load(queue as u64 * RING + AVAIL_EVENT).unwrap();
            new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
        };
        if !self.has(feature::EVENT_IDX) || wanted() {
            self.kicks[queue].write(1).unwrap();
        }
    }

    /// Receive buffers, but for one all there can be.
    pub(crate) fn fill(&mut self) {
        while self.available[RX].wrapping_sub(self.used[RX]) < SIZE - 1 {
            self.offer(RX, BUFFER as u32);
        }
        self.kick(RX);
    }

    pub(crate) fn transmit(&mut self, frame: &[u8]) {
        self.prepare_frame(frame);
        self.kick(TX);
    }

    /// Without a kick.
    pub(crate) fn prepare_frame(&mut self, frame: &[u8]) {
        let at = self.buffer(TX, self.available[TX] % SIZE);
        self.memory.write(at, &[&[0; HEADER][..], frame].concat()).unwrap();
        self.offer(TX, (HEADER + frame.len()) as u32);
    }

    /// Whether something has come back that was not looked at.
    pub(crate) fn has_come(&self, queue: usize) -> bool {
        self.memory.load(queue as u64 * RING + PLACES[2] + 2).unwrap() != self.used[queue]
    }

    /// Waits by the call eventfd; slot and bytes of what comes back.
    pub(crate) fn back(&mut self, queue: usize) -> (u16, u32) {
        let ring = queue as u64 * RING + PLACES[2];
        while !self.has_come(queue) {
            self.memory.store(queue as u64 * RING + USED_EVENT, self.used[queue]).unwrap();
            self.memory.barrier();
            if self.has_come(queue) {
                break;
            }
            let mut wanted = [PollFd::new(self.calls[queue].as_fd(), PollFlags::POLLIN)];
            let count = poll(&mut wanted, PollTimeout::try_from(LIMIT).unwrap()).unwrap();
            assert_eq!(count, 1, "queue {queue} calls: {}", self.told());
            let _ = self.calls[queue].read();
        }
        let element: [u8; 8] = self.memory.array(ring + 4 + u64::from(self.used[queue] % SIZE) * 8).unwrap();
        self.used[queue] = self.used[queue].wrapping_add(1);
        (u16::from_le_bytes([element[0], element[1]]), u32::from_le_bytes(element[4..].try_into().unwrap()))
    }

    /// Where the rings stand: available, used, and the events of both.
    fn told(&self) -> String {
        let places = [PLACES[1] + 2, PLACES[2] + 2, AVAIL_EVENT, USED_EVENT];
        let rings = [0, RING].map(|ring| places.map(|place| self.memory.load(ring + place).unwrap()));
        format!("{rings:?}, kicked {:?}, used {:?}, features {:#x}", self.kicked, self.used, self.features)
    }

    pub(crate) fn receive(&mut self) -> Vec<u8> {
        let (slot, bytes) = self.back(RX);
        assert_eq!(slot, self.used[RX].wrapping_sub(1) % SIZE, "in their order");
        let mut frame = vec![0; bytes as usize - HEADER];
        self.memory.read(self.buffer(RX, slot) + HEADER as u64, &mut frame).unwrap();
        frame
    }

    /// Frames of growing length go round a mirror.
    pub(crate) fn go_round(&mut self, frames: usize) {
        for number in 0..frames {
            self.fill();
            let frame: Vec<u8> = (0..60 + number * 17 % 1400).map(|byte| (byte * 7 + number) as u8).collect();
            self.transmit(&frame);
            assert!(self.receive() == frame, "frame {number} comes back as it went");
            self.back(TX);
        }
    }
}
