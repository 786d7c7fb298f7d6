//! The host's side of the queue blocks' ports: memory, a reader's replies, control and kicks.

#![allow(dead_code, reason = "each block test uses the part it needs")]

use crate::streams::{to_bits, to_bytes};
use hematite_hw::port::dma::{ReadSide, WriteSide};
use hematite_hw::port::queue::{DoorbellSink, KickSink, QueueControlSink, QueueSettings};
use hematite_hw::prim::beat::{BeatSink, BeatSource};
use hematite_hw::prim::stream::{StreamSink, StreamSource};
use hematite_hw::queue::lookup::AreaRead;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use std::collections::{HashMap, VecDeque};

/// Bytes of the host, and those that cannot be read.
#[derive(Default)]
pub(crate) struct Memory {
    pages: HashMap<u64, Box<[u8; 4096]>>,
    /// Reads that touch this address fail; `true`: by time-out.
    pub(crate) bad: HashMap<u64, bool>,
}

impl Memory {
    pub(crate) fn write(&mut self, addr: u64, bytes: &[u8]) {
        for (i, byte) in bytes.iter().enumerate() {
            let at = addr + i as u64;
            let page = self.pages.entry(at >> 12).or_insert_with(|| Box::new([0; 4096]));
            page[(at & 4095) as usize] = *byte;
        }
    }

    pub(crate) fn read(&self, addr: u64, len: usize) -> Vec<u8> {
        let byte = |at: u64| self.pages.get(&(at >> 12)).map_or(0, |page| page[(at & 4095) as usize]);
        (0..len as u64).map(|i| byte(addr + i)).collect()
    }

    pub(crate) fn read_u16(&self, addr: u64) -> u16 {
        u16::from_le_bytes(self.read(addr, 2).try_into().unwrap())
    }

    pub(crate) fn write_u16(&mut self, addr: u64, value: u16) {
        self.write(addr, &value.to_le_bytes());
    }

    /// `struct virtq_desc`.
    pub(crate) fn write_desc(&mut self, at: u64, addr: u64, len: u32, flags: u16, next: u16) {
        self.write(at, &addr.to_le_bytes());
        self.write(at + 8, &len.to_le_bytes());
        self.write(at + 12, &flags.to_le_bytes());
        self.write(at + 14, &next.to_le_bytes());
    }
}

/// A read under way.
struct Asked {
    addr: u64,
    len: u64,
    /// The cycle in which the reply is there.
    due: u64,
    /// Its bytes in each line of 64, once they have been read, and when they are.
    lines: Vec<(u64, Option<Vec<u8>>)>,
}

impl Asked {
    /// Reads what it is time for in this cycle.
    fn read(&mut self, cycle: u64, memory: &Memory) {
        let mut from = self.addr;
        for (at, bytes) in &mut self.lines {
            let to = ((from | 63) + 1).min(self.addr + self.len);
            if bytes.is_none() && *at <= cycle {
                *bytes = Some(memory.read(from, (to - from) as usize));
            }
            from = to;
        }
    }

    /// All of them; what is still missing as it is now.
    fn bytes(mut self, memory: &Memory) -> Vec<u8> {
        self.read(u64::MAX, memory);
        self.lines.into_iter().filter_map(|(_, bytes)| bytes).flatten().collect()
    }
}

/// What `queue::lookup` and the host do for one client: replies in order, after a while, with pauses.
pub(crate) struct Reader<const W: usize> {
    /// Largest number of cycles until a reply.
    pub(crate) delay: u64,
    /// Per cent of cycles in which each side stands still.
    pub(crate) stall: u32,
    /// Where each queue's areas stand: the Descriptor Area and the Driver Area.
    areas: HashMap<(u64, bool), u64>,
    asked: VecDeque<Asked>,
    /// Lines are read in any order, between request and reply; otherwise all are when the reply goes.
    pub(crate) scattered: bool,
    beats: VecDeque<(bool, Bits<W>, ReadSide)>,
    pub(crate) taken: u64,
    /// Highest number of requests in flight.
    pub(crate) most: usize,
    offering: bool,
}

impl<const W: usize> Reader<W> {
    pub(crate) fn new(delay: u64, stall: u32) -> Self {
        Self {
            delay,
            stall,
            areas: HashMap::new(),
            asked: VecDeque::new(),
            scattered: false,
            beats: VecDeque::new(),
            taken: 0,
            most: 0,
            offering: false,
        }
    }

    /// A queue is enabled.
    pub(crate) fn learn(&mut self, settings: &QueueSettings) {
        let queue = u64::from(settings.queue);
        self.areas.insert((queue, false), u64::from(settings.desc) & !15);
        self.areas.insert((queue, true), u64::from(settings.driver) & !1);
    }

    /// Nothing is asked for that has not been answered.
    pub(crate) fn quiet(&self) -> bool {
        self.asked.is_empty() && self.beats.is_empty()
    }

    /// Before the edge: sets the inputs.
    pub(crate) fn drive(
        &mut self,
        rng: &mut ChaCha8Rng,
        cycle: u64,
        memory: &Memory,
        request: &mut StreamSource<AreaRead>,
        reply: &mut BeatSink<W, ReadSide>,
    ) {
        self.asked.iter_mut().for_each(|asked| asked.read(cycle, memory));
        if self.beats.is_empty()
            && let Some(asked) = self.asked.pop_front_if(|asked| asked.due <= cycle)
        {
            let (addr, len) = (asked.addr, asked.len);
            let bad = (addr..addr + len).find_map(|at| memory.bad.get(&at));
            let lead = (addr & 3) as usize;
            let mut bytes: Vec<u8> = (0..lead).map(|_| rng.random()).collect();
            if bad.is_some() && rng.random() {
                bytes.extend((0..W / 8 - lead).map(|_| rng.random::<u8>()));
            } else {
                bytes.extend(asked.bytes(memory));
            }
            let count = bytes.len().div_ceil(W / 8);
            for (i, chunk) in bytes.chunks(W / 8).enumerate() {
                let last = i + 1 == count;
                let side = ReadSide { error: last && bad.is_some(), timeout: last && bad == Some(&true) };
                self.beats.push_back((last, to_bits(chunk), side));
            }
        }
        request.ready.next = rng.random_range(0..100) >= self.stall;
        self.offering |= rng.random_range(0..100) >= self.stall;
        match self.beats.front() {
            Some((last, data, side)) if self.offering => {
                reply.valid.next = true;
                reply.last.next = *last;
                reply.data.next = *data;
                reply.side.next = *side;
            }
            _ => {
                self.offering = false;
                reply.valid.next = false;
                reply.last.next = rng.random();
            }
        }
    }

    /// After settling, before the edge: sees what is taken.
    pub(crate) fn sample(
        &mut self,
        rng: &mut ChaCha8Rng,
        cycle: u64,
        request: &StreamSource<AreaRead>,
        reply: &BeatSink<W, ReadSide>,
    ) {
        if reply.valid.val() && reply.ready.val() {
            self.beats.pop_front();
            self.offering = false;
        }
        if request.valid.val() && request.ready.val() {
            let read = request.data.val();
            let base = self.areas.get(&(u64::from(read.queue), read.driver));
            let base = base.unwrap_or_else(|| panic!("{read:?}: that queue is not enabled"));
            let base = if read.fixed { u64::from(read.base) } else { *base };
            let (addr, len) = (base + u64::from(read.offset), u64::from(read.len));
            assert!((1..=128).contains(&len), "read of {len} bytes");
            assert_eq!(addr >> 12, (addr + len - 1) >> 12, "read of {len} bytes at {addr:#x} crosses 4 KiB");
            let due = cycle + rng.random_range(0..=self.delay);
            let when =
                |_| if self.scattered { (rng.random_range(cycle..=due), None) } else { (u64::MAX, None) };
            let lines = (addr >> 6..=(addr + len - 1) >> 6).map(when).collect();
            self.asked.push_back(Asked { addr, len, due, lines });
            self.taken += 1;
            self.most = self.most.max(self.asked.len());
        }
    }
}

/// Offers words of a stream, with pauses.
pub(crate) struct Offer<T: Synth> {
    pub(crate) words: VecDeque<T>,
    pub(crate) stall: u32,
    offering: bool,
}

impl<T: Synth> Offer<T> {
    pub(crate) fn new(stall: u32) -> Self {
        Self { words: VecDeque::new(), stall, offering: false }
    }

    pub(crate) fn drive(&mut self, rng: &mut ChaCha8Rng, sink: &mut StreamSink<T>) {
        self.offering |= rng.random_range(0..100) >= self.stall;
        self.offering &= !self.words.is_empty();
        sink.valid.next = self.offering;
        if self.offering {
            sink.data.next = self.words[0];
        }
    }

    pub(crate) fn sample(&mut self, sink: &StreamSink<T>) -> bool {
        let taken = sink.valid.val() && sink.ready.val();
        if taken {
            self.words.pop_front();
            self.offering = false;
        }
        taken
    }
}

/// Watches a stream: what is offered stays until it is taken.
#[derive(Default)]
pub(crate) struct Taken<T: Synth> {
    pending: Option<T>,
}

impl<T: Synth> Taken<T> {
    /// After settling, before the edge: the word taken in this cycle.
    pub(crate) fn sample(&mut self, source: &StreamSource<T>) -> Option<T> {
        let offered = source.valid.val().then(|| source.data.val());
        if let Some(pending) = self.pending {
            assert!(offered == Some(pending), "an offer was changed or taken back");
        }
        self.pending = offered;
        if source.ready.val() { self.pending.take() } else { None }
    }
}

/// Settings of a queue as the driver wrote them.
pub(crate) fn settings(queue: u64, size: u64, desc: u64, driver: u64, device: u64) -> QueueSettings {
    QueueSettings {
        queue: queue.into(),
        size: size.into(),
        desc: desc.into(),
        driver: driver.into(),
        device: device.into(),
    }
}

/// A pulse of enable, or none.
pub(crate) fn enable(control: &mut QueueControlSink, with: Option<QueueSettings>) {
    control.enable.next = with.is_some();
    if let Some(with) = with {
        control.settings.next = with;
    }
}

/// A pulse for a queue, or none.
pub(crate) fn pulse(sink: &mut KickSink, queue: Option<u64>) {
    sink.valid.next = queue.is_some();
    if let Some(queue) = queue {
        sink.queue.next = queue.into();
    }
}

/// A doorbell in this cycle, and the index that it says.
pub(crate) fn ring(sink: &mut DoorbellSink, queue: Option<u64>, told: Option<u16>) {
    sink.valid.next = queue.is_some();
    sink.told.next = queue.is_some() && told.is_some();
    if let Some(queue) = queue {
        sink.queue.next = queue.into();
        sink.index.next = u64::from(told.unwrap_or(0xdead)).into();
    }
}

/// What `pcie::writer` does for one client: takes pieces into memory, and says when those that ask for it have left.
pub(crate) struct Writer {
    pub(crate) stall: u32,
    /// Largest number of cycles until a piece has left.
    pub(crate) delay: u64,
    bytes: Vec<u8>,
    piece: Option<WriteSide>,
    /// Notices due.
    notices: VecDeque<u64>,
    pub(crate) pieces: u64,
}

impl Writer {
    pub(crate) fn new(delay: u64, stall: u32) -> Self {
        Self { stall, delay, bytes: vec![], piece: None, notices: VecDeque::new(), pieces: 0 }
    }

    pub(crate) fn drive<const W: usize>(
        &mut self,
        rng: &mut ChaCha8Rng,
        cycle: u64,
        write: &mut BeatSource<W, WriteSide>,
        notified: &mut Signal<In, Bit>,
    ) {
        write.ready.next = rng.random_range(0..100) >= self.stall;
        notified.next = self.notices.front().is_some_and(|due| *due <= cycle);
    }

    /// The piece whose last beat is taken in this cycle: its place, its length, whether it is to be notified.
    pub(crate) fn sample<const W: usize>(
        &mut self,
        rng: &mut ChaCha8Rng,
        cycle: u64,
        memory: &mut Memory,
        write: &BeatSource<W, WriteSide>,
        notified: &Signal<In, Bit>,
    ) -> Option<(u64, Vec<u8>, bool)> {
        if notified.val() {
            self.notices.pop_front();
        }
        if !(write.valid.val() && write.ready.val()) {
            return None;
        }
        let side = *self.piece.get_or_insert(write.side.val());
        self.bytes.extend(to_bytes(write.data.val()));
        if !write.last.val() {
            return None;
        }
        let (addr, len) = (u64::from(side.addr), u64::from(side.len) as usize);
        let lead = (addr & 3) as usize;
        assert!((1..=4096).contains(&len), "write of {len} bytes");
        assert_eq!(
            addr >> 12,
            (addr + len as u64 - 1) >> 12,
            "write of {len} bytes at {addr:#x} crosses 4 KiB"
        );
        assert_eq!(
            self.bytes.len(),
            (lead + len).div_ceil(W / 8) * W / 8,
            "beats of a write of {len} bytes at {addr:#x}"
        );
        let bytes = self.bytes[lead..lead + len].to_vec();
        memory.write(addr, &bytes);
        if side.notify.any() {
            let due = cycle + 1 + rng.random_range(0..=self.delay);
            self.notices.push_back(due);
        }
        self.pieces += 1;
        self.bytes.clear();
        self.piece = None;
        Some((addr, bytes, side.notify.any()))
    }
}
