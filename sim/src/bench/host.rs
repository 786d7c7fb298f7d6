//! The driver of a bench: rings and buffers of every queue, filled and emptied in batches.

use std::collections::VecDeque;

use super::BenchError;
use super::frames::{Frames, Sequence};
use super::negotiate::bind;
use super::options::{Interrupts, Options, Rings, Selection};
use super::tlps::{Counter, Place};
use crate::device::Device;
use crate::driver::{self, DriverError, message};
use crate::facts::{bar, ctrl, net};
use crate::log::TlpLog;
use crate::ring::{Buffer, Ring, Used};
use crate::root::{Root, Windows};
use crate::rtl::Rtl;
use crate::seed::Seed;

pub(super) type World = Root<Rtl, Windows>;

/// Rings, and then buffers: all above 4 GiB, as most of a host's memory is.
const RINGS: u64 = 0x10_0000_0000; // tidy-allow(literal): an address in host memory
const BUFFERS: u64 = 0x20_0000_0000; // tidy-allow(literal): an address in host memory
/// Buffers begin at cache lines, rings at pages.
const LINE: u64 = 64;
const PAGE: u64 = 4096;
const HEADER: usize = net::HDR_BYTES as usize;

/// Where rings and buffers are in host memory.
#[derive(Clone, Copy)]
pub(super) struct Map {
    /// Bytes from one ring to the next, and of all.
    ring: u64,
    rings: u64,
    /// Offsets in a ring.
    available: u64,
    used: u64,
}

impl Map {
    fn new(size: u16, queues: usize, rings: Rings) -> Map {
        let ring = (Ring::bytes(size) as u64).next_multiple_of(PAGE);
        let areas = match rings {
            Rings::Split => Ring::layout(0, size),
            Rings::Packed => Ring::packed_layout(0, size),
        };
        Map { ring, rings: ring * queues as u64, available: areas.driver, used: areas.device }
    }

    fn base(&self, queue: u16) -> u64 {
        RINGS + self.ring * u64::from(queue)
    }

    pub(super) fn place(&self, addr: u64) -> Place {
        if addr >= BUFFERS {
            return Place::Payload;
        }
        match addr.checked_sub(RINGS) {
            Some(at) if at < self.rings => match at % self.ring {
                at if at < self.available => Place::Descriptors,
                at if at < self.used => Place::Available,
                _ => Place::Used,
            },
            _ => Place::Elsewhere,
        }
    }
}

/// One queue and its buffers.
struct Queue {
    ring: Ring,
    /// Where its doorbell is in the BAR.
    doorbell: u64,
    /// What is written there, but for the index at its end.
    name: Vec<u8>,
    tx: bool,
    /// Buffers which the device does not have.
    free: Vec<u64>,
    /// The number of the next frame to transmit.
    next: u64,
    /// The driver looks without being called.
    polls: bool,
    /// What has been received.
    received: Sequence,
}

/// Everything the driver has, and what it saw.
pub(super) struct Host {
    queues: Vec<Queue>,
    frames: Frames,
    /// The flow that arrives at each pair.
    flows: Vec<u16>,
    /// What TLPs there were.
    pub(super) tlps: Counter,
    batch: usize,
    interrupts: Interrupts,
    /// EVENT_IDX: doorbells where they are wanted.
    events: bool,
    buffer: u64,
    packet: Vec<u8>,
    /// Transmit no more.
    pub(super) stop: bool,
    /// Frames given to the device, taken back, and received.
    pub(super) queued: u64,
    pub(super) freed: u64,
    pub(super) received: u64,
    pub(super) doorbells: u64,
    /// Receive buffers which were posted, in all, and when.
    posted: VecDeque<(u64, u64)>,
    /// Those of them which were posted long enough ago.
    known: u64,
    /// Frames which came with a wrong byte.
    pub(super) damaged: u64,
}

/// Enumerates, initialises, posts every receive buffer. The device is at rest afterwards.
pub(super) fn start(options: &Options, selection: Selection) -> Result<(World, Host), BenchError> {
    let Selection { size, direction, queues } = selection;
    let traffic = direction.traffic();
    let (mut root, mut driver, limits) = bind(options, options.ring_of(queues))?;
    let ring_size = options.ring_of(queues).min(limits.ring_entries);
    let buffer = (size as u64 + u64::from(net::HDR_BYTES)).next_multiple_of(LINE);
    let area = buffer * u64::from(ring_size);
    let numbers: Vec<u16> = (0..2 * queues).collect();
    let map = Map::new(ring_size, numbers.len(), options.ring);
    root.memory.map(RINGS, map.rings as usize);
    for number in &numbers {
        root.memory.map(BUFFERS + area * u64::from(*number), area as usize);
    }
    let mut mac = [0; 6];
    root.bar_read(bar::DEVICE + net::CFG_MAC, &mut mac).map_err(DriverError::from)?;
    let mut host = Host {
        queues: vec![],
        frames: Frames::new(size, mac, Seed(options.seed)),
        tlps: Counter::new(map),
        batch: options.batch.into(),
        interrupts: options.interrupts,
        events: limits.events,
        buffer,
        flows: vec![0],
        packet: vec![],
        stop: false,
        queued: 0,
        freed: 0,
        received: 0,
        doorbells: 0,
        posted: VecDeque::new(),
        known: 0,
        damaged: 0,
    };
    for number in numbers {
        let tx = number % 2 == 1;
        let mut ring = driver.enable_queue(&mut root, number, map.base(number))?;
        let doorbell = driver.doorbell(&mut root, number)?;
        let name = driver.notification(&mut root, number, Some(&ring))?;
        let base = BUFFERS + area * u64::from(number);
        let used = if tx { traffic.tx } else { traffic.rx };
        let free = (0..u64::from(ring.size)).rev().filter(|_| used).map(|n| base + n * buffer).collect();
        let polls = options.interrupts == Interrupts::Never;
        ring.suppress(&mut root.memory, polls);
        host.queues.push(Queue {
            ring,
            doorbell,
            name,
            tx,
            free,
            next: 0,
            polls,
            received: Sequence::default(),
        });
    }
    if queues > 1 {
        driver.setup_control(&mut root)?;
        host.flows = host.frames.flows(queues);
    }
    driver.go(&mut root)?;
    if queues > 1 {
        let answer = driver.command(&mut root, ctrl::MQ, ctrl::MQ_PAIRS_SET, &queues.to_le_bytes())?;
        if answer != ctrl::ACK_OK {
            return Err(BenchError::Options(format!(
                "--queues {queues}: the function refuses so many pairs"
            )));
        }
    }
    root.tap(Box::new(host.tlps.clone()));
    for index in 0..host.queues.len() {
        if !host.queues[index].tx {
            host.fill(&mut root, index)?;
        }
    }
    root.pump(SETTLE);
    root.msi.drain();
    Ok((root, host))
}

/// Begins what the options want recorded; each case writes over the one before.
pub(super) fn record(options: &Options, root: &mut World) -> Result<(), BenchError> {
    if let Some(path) = &options.trace {
        root.device.trace(path).map_err(BenchError::Options)?;
    }
    if let Some(path) = &options.tlp_log {
        let file = std::fs::File::create(path);
        let file =
            file.map_err(|error| BenchError::Options(format!("--tlp-log {}: {error}", path.display())))?;
        root.tap(Box::new(TlpLog::new(file)));
    }
    Ok(())
}

/// Cycles within which the device fetches what it can of the receive buffers.
const SETTLE: u64 = 100_000;
impl Host {
    /// The frame of this number from the wire: a flow for each pair, in turn.
    pub(super) fn arriving(&self, number: u64) -> Vec<u8> {
        let mut frame = Vec::with_capacity(self.frames.bytes);
        let pairs = self.flows.len() as u64;
        self.frames.write(self.flows[(number % pairs) as usize], number / pairs, &mut frame);
        frame
    }

    /// Queue and number of a frame which came to the wire.
    pub(super) fn recognise(&self, frame: &[u8]) -> Option<(u16, u64)> {
        self.frames.read(frame)
    }

    /// Receive buffers ever posted, but for those of the last `grace` cycles.
    pub(super) fn known(&mut self, now: u64, grace: u64) -> u64 {
        while let Some((when, posted)) = self.posted.front().copied()
            && when + grace <= now
        {
            self.known = posted;
            self.posted.pop_front();
        }
        self.known
    }

    /// Receive buffers in all.
    pub(super) fn receive_buffers(&self) -> u64 {
        self.queues.iter().filter(|queue| !queue.tx).map(|queue| u64::from(queue.ring.size)).sum()
    }

    /// Receive queues, as far as something came: lost and out of order.
    pub(super) fn losses(&self) -> (u64, u64) {
        let sequences = self.queues.iter().map(|queue| queue.received);
        sequences.fold((0, 0), |(lost, late), s| (lost + s.lost, late + s.disordered))
    }

    /// Looks at the messages, at the rings which want it, and gives the device what there is to do.
    pub(super) fn look(&mut self, root: &mut World) -> Result<(), BenchError> {
        while let Some(called) = root.msi.take() {
            let number = (0..self.queues.len()).find(|n| message(*n as u16 + 1).1 == called.data);
            let Some(index) = number else { continue };
            if self.interrupts == Interrupts::Napi {
                self.queues[index].ring.suppress(&mut root.memory, true);
            }
            self.queues[index].polls = true;
        }
        for index in 0..self.queues.len() {
            if self.queues[index].polls && !self.empty(root, index)? {
                match self.interrupts {
                    Interrupts::Never => {}
                    Interrupts::Always => self.queues[index].polls = false,
                    Interrupts::Napi => {
                        // The device may have used a chain before it saw the flag: so look once more.
                        self.queues[index].ring.suppress(&mut root.memory, false);
                        self.queues[index].polls = self.empty(root, index)?;
                        if self.queues[index].polls {
                            self.queues[index].ring.suppress(&mut root.memory, true);
                        }
                    }
                }
            }
            self.fill(root, index)?;
        }
        Ok(())
    }

    /// Takes what is used; false if nothing was.
    fn empty(&mut self, root: &mut World, index: usize) -> Result<bool, BenchError> {
        let mut any = false;
        while let Some(used) =
            self.queues[index].ring.take_used(&mut root.memory).map_err(DriverError::from)?
        {
            any = true;
            if self.queues[index].tx {
                self.freed += 1;
            } else {
                self.receive(root, index, &used);
            }
            self.queues[index].free.extend(used.buffers.iter().map(|buffer| buffer.addr));
        }
        Ok(any)
    }

    fn receive(&mut self, root: &mut World, index: usize, used: &Used) {
        self.received += 1;
        self.packet.resize(used.len as usize, 0);
        root.memory.look(used.buffers[0].addr, &mut self.packet);
        // One buffer takes each frame whole.
        let buffers = net::HDR_NUM_BUFFERS as usize;
        let whole = self.packet.get(buffers..HEADER) == Some(&1u16.to_le_bytes());
        match self.packet.get(HEADER..).and_then(|frame| self.frames.read(frame)) {
            Some((flow, number)) if whole && flow == self.flows[index / 2] => {
                self.queues[index].received.take(number);
            }
            _ => self.damaged += 1,
        }
    }

    /// Makes whole batches available, one doorbell each.
    fn fill(&mut self, root: &mut World, index: usize) -> Result<(), BenchError> {
        let queue = &mut self.queues[index];
        while queue.free.len() >= self.batch && !(queue.tx && self.stop) {
            for _ in 0..self.batch {
                let Some(addr) = queue.free.pop() else { break };
                let mut len = self.buffer as u32;
                if queue.tx {
                    self.frames.write(queue.ring.number, queue.next, &mut self.packet);
                    root.memory.poke(addr + HEADER as u64, &self.packet);
                    len = (HEADER + self.packet.len()) as u32;
                    queue.next += 1;
                    self.queued += 1;
                }
                let buffer = Buffer { addr, len, writable: !queue.tx };
                let id = queue.ring.add(&mut root.memory, &[buffer]).map_err(DriverError::from)?;
                root.monitor.order.post(queue.ring.number, id, queue.ring.slots(id), queue.ring.writable(id));
            }
            queue.ring.publish(&mut root.memory);
            if !queue.tx {
                let before = self.posted.back().map_or(self.known, |posted| posted.1);
                self.posted.push_back((root.device.now(), before + self.batch as u64));
            }
            if self.events && !queue.ring.wants_kick(&mut root.memory) {
                continue;
            }
            self.doorbells += 1;
            let index = queue.ring.available().to_le_bytes();
            let said = [&queue.name[..2], &index[..queue.name.len() - 2]].concat();
            root.bar_write(queue.doorbell, &said).map_err(DriverError::from)?;
        }
        Ok(())
    }

    /// Transmits one frame of the first pair, with a doorbell, and no more.
    pub(super) fn send_one(&mut self, root: &mut World) -> Result<(), BenchError> {
        let batch = std::mem::replace(&mut self.batch, 1);
        self.stop = false;
        let queue = &mut self.queues[usize::from(driver::TX)];
        let kept = queue.free.split_off(1);
        let sent = self.fill(root, driver::TX.into());
        self.queues[usize::from(driver::TX)].free.extend(kept);
        (self.batch, self.stop) = (batch, true);
        sent
    }
}
