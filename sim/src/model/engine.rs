//! What the model does by itself: transmit chains, receive frames, interrupts behind the used index.
//! Spec: [virtio 1.4: Split Virtqueues], [virtio 1.4: Network Device, Device Operation]; the rings are in `split` and `packed`

use hematite_abi::ident;

use crate::facts::{net, packed, ring, virtio};

use crate::flow::{Rss, flow};
use crate::offload::{Header, verified};

use super::Model;
use super::dma::Stop;
use super::stats::Counter;

/// One buffer of a chain.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    pub(super) addr: u64,
    pub(super) len: u32,
    pub(super) writable: bool,
}

/// A chain, walked and checked.
pub(super) struct Chain {
    pub(super) id: u16,
    /// By which the ring moves on: entries of the available ring, one, or descriptors of a packed ring.
    pub(super) slots: u16,
    pub(super) segments: Vec<Segment>,
}

/// A chain that is done with, and the bytes written to it.
pub(super) struct Done {
    pub(super) id: u16,
    pub(super) slots: u16,
    pub(super) len: u32,
}

impl Chain {
    pub(super) fn done(&self, len: u32) -> Done {
        Done { id: self.id, slots: self.slots, len }
    }

    fn len(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.len)).sum()
    }
}

/// What the engine works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Transmit(u16),
    Control(u16),
    Receive(u16),
    /// There are new receive buffers: say where to ring for the next.
    Restock(u16),
    /// The used index of this queue has been published: interrupt, unless the driver does not want it.
    Signal(u16),
}

impl Job {
    fn queue(self) -> u16 {
        match self {
            Job::Transmit(queue) | Job::Control(queue) | Job::Receive(queue) => queue,
            Job::Restock(queue) | Job::Signal(queue) => queue,
        }
    }
}

impl Model {
    fn next_job(&self) -> Option<Job> {
        if let Some(queue) = self.signals.front() {
            return Some(Job::Signal(*queue));
        }
        let kicked = |number: &usize| {
            let q = &self.registers.queues[*number];
            q.live && q.kicked && !q.bad
        };
        let all = usize::from(self.shape.queues());
        if all < self.registers.queues.len() && kicked(&all) {
            return Some(Job::Control(all as u16));
        }
        if let Some(queue) = (1..all).step_by(2).find(kicked) {
            return Some(Job::Transmit(queue as u16));
        }
        // a kick of a receive queue says only that there are buffers: those are looked for when a frame comes
        let restocked =
            (0..all).step_by(2).find(kicked).filter(|_| self.registers.accepted(virtio::F_EVENT_IDX));
        match restocked {
            Some(queue) => Some(Job::Restock(queue as u16)),
            None => self.frames_in.front().map(|frame| Job::Receive(2 * self.settings.steering.pair(frame))),
        }
    }

    /// Something could be done without further input.
    pub(super) fn has_work(&self) -> bool {
        self.dma.waiting() || self.job.is_some() || self.next_job().is_some() || self.queue_waits()
    }

    /// Runs jobs until one has to wait or none is left.
    pub(super) fn work(&mut self) {
        self.dma.tick(self.now);
        self.tell_due();
        while !self.dma.waiting() {
            if self.registers.quiesce() {
                if let Some(Job::Transmit(queue) | Job::Control(queue) | Job::Restock(queue)) =
                    self.job.take()
                {
                    self.registers.again(queue);
                }
                self.dma.finish();
            }
            let Some(job) = self.job.or_else(|| self.next_job()) else { break };
            self.job = Some(job);
            self.dma.rewind();
            let outcome = match job {
                Job::Transmit(queue) => self.transmit(queue),
                Job::Control(queue) => self.control(queue),
                Job::Receive(queue) => self.receive(queue),
                Job::Restock(queue) => self.restock(queue),
                Job::Signal(queue) => self.signal(queue),
            };
            if outcome == Err(Stop::Wait) {
                break;
            }
            self.job = None;
            self.dma.finish();
            if let Err(Stop::Bad(code)) = outcome {
                self.fail(job, code);
            }
            self.tell_due();
        }
        while let Some(tlp) = self.dma.take() {
            self.count(if tlp.non_posted() { ident::DMA_READS } else { ident::DMA_WRITES });
            self.outbox.push_back(tlp);
        }
    }

    /// Gives up the job if it is one of `queue`'s, or of any.
    pub(super) fn abandon(&mut self, queue: Option<u16>) {
        self.signals.retain(|q| queue.is_some_and(|queue| queue != *q));
        let all = self.registers.queues.iter_mut().enumerate();
        all.filter(|(n, _)| queue.is_none_or(|q| usize::from(q) == *n)).for_each(|(_, q)| q.waits = None);
        if self.job.is_some_and(|job| queue.is_none_or(|queue| queue == job.queue())) {
            self.job = None;
            self.dma.finish();
        }
    }

    /// The queue stops; the device as a whole asks for a reset. [virtio 1.4: Device Status Field, DEVICE_NEEDS_RESET]
    fn fail(&mut self, job: Job, code: u8) {
        let queue = job.queue();
        self.count(ident::QUEUE_ERRORS);
        self.signals.retain(|q| *q != queue);
        if let Some(q) = self.registers.queues.get_mut(usize::from(queue)) {
            q.bad = true;
            q.last_error = code;
        }
        if matches!(job, Job::Receive(_)) {
            self.drop_frame(ident::RX_DROPPED);
            self.settings.stats.count(queue, Counter::Drops, 1);
        }
        if self.first_error.0 == 0 {
            self.first_error = (code, queue);
        }
        if self.registers.needs_reset() {
            self.interrupt_config();
        }
    }

    pub(super) fn drop_frame(&mut self, counter: usize) {
        self.frames_in.pop_front();
        self.count(counter);
    }

    fn transmit(&mut self, queue: u16) -> Result<(), Stop> {
        if self.dma.fresh() {
            // a kick which comes while the index is read counts again
            self.registers.queues[usize::from(queue)].kicked = false;
        }
        let seen = self.registers.queues[usize::from(queue)].avail_seen;
        let Some(chain) = self.chain_at(queue, seen, Some(false))? else {
            self.arm(queue, seen);
            return Ok(());
        };
        let header = self.header_bytes() as u64;
        let least = header + u64::from(net::ETHERNET_HEADER_BYTES);
        let most = self.shape.frame_bytes;
        if chain.len() < least {
            self.malformed(queue, ident::TX_DROPPED_SHORT);
        } else if chain.len() > header + net::GSO_PACKET_BYTES {
            self.malformed(queue, ident::TX_DROPPED_LONG);
        } else {
            let mut bytes = vec![];
            for segment in &chain.segments {
                bytes.extend(self.dma.read(self.now, segment.addr, segment.len as usize)?);
            }
            let frame = bytes.split_off(header as usize);
            let asked = bytes.first_chunk().map(Header::read).unwrap_or_default();
            let wish = asked.agreed(|feature| self.registers.accepted(feature));
            if wish.gso_type == 0 && frame.len() > most {
                self.malformed(queue, ident::TX_DROPPED_LONG);
            } else if let Some(frames) = wish.carry_out(frame, most) {
                for frame in frames {
                    self.settings.stats.packet(queue, frame.len());
                    self.count(ident::TX_FRAMES);
                    self.count_by(ident::TX_BYTES_LO, frame.len() as u32);
                    self.frames_out.push_back(frame);
                }
            } else {
                self.settings.stats.count(queue, Counter::Drops, 1);
                self.count(ident::TX_DROPPED_OFFLOAD);
            }
        }
        self.used(queue, &[chain.done(0)]);
        self.registers.queues[usize::from(queue)].kicked = true;
        Ok(())
    }

    fn restock(&mut self, queue: u16) -> Result<(), Stop> {
        if self.dma.fresh() {
            self.registers.queues[usize::from(queue)].kicked = false;
        }
        let end = if self.packed() {
            self.packed_end(queue)?
        } else {
            let ahead = self.available(queue)?;
            self.registers.queues[usize::from(queue)].avail_seen.wrapping_add(ahead)
        };
        self.arm(queue, end);
        Ok(())
    }

    /// All up to `seen` is known: asks the driver to ring for what comes next, once, and looks again for what came before it knew.
    /// [virtio 1.4: Available Buffer Notification Suppression]
    pub(super) fn arm(&mut self, queue: u16, seen: u16) {
        if !self.registers.accepted(virtio::F_EVENT_IDX) {
            return;
        }
        let packed = self.packed();
        let q = &mut self.registers.queues[usize::from(queue)];
        let at = q.device.wrapping_add(ring::avail_event(q.size));
        if q.armed == Some(seen) {
            return;
        }
        (q.armed, q.kicked) = (Some(seen), true);
        if packed {
            let mut event = packed::place(seen, q.size).to_le_bytes().to_vec();
            event.extend(packed::EVENT_DESC.to_le_bytes());
            self.dma.write(q.device, &event);
        } else {
            self.dma.write(at, &seen.to_le_bytes());
        }
    }

    /// Of the header in front of every packet.
    fn header_bytes(&self) -> usize {
        let bytes =
            if self.registers.accepted(net::F_HASH_REPORT) { net::HDR_HASH_BYTES } else { net::HDR_BYTES };
        bytes as usize
    }

    fn receive(&mut self, queue: u16) -> Result<(), Stop> {
        if self.frames_in.front().is_some_and(|frame| !self.wanted(frame)) {
            self.drop_frame(ident::RX_FILTERED);
            return Ok(());
        }
        let live = self.registers.queues.first().is_some_and(|q| q.live);
        let most = self.shape.frame_bytes;
        let Some(frame) = self.frames_in.front().cloned().filter(|frame| live && frame.len() <= most) else {
            self.settings.stats.count(queue, Counter::Drops, 1);
            self.drop_frame(ident::RX_DROPPED);
            return Ok(());
        };
        let to = &self.registers.queues[usize::from(queue)];
        if !to.live || to.bad {
            self.without_buffer(queue);
            return Ok(());
        }
        let merge = self.registers.accepted(net::F_MRG_RXBUF);
        let mut packet = vec![0; self.header_bytes()];
        if self.registers.accepted(net::F_GUEST_CSUM) && self.settings.guest_csum && verified(&frame) {
            packet[0] = net::HDR_F_DATA_VALID;
        }
        let Rss { types, key, .. } = &self.settings.steering;
        if self.registers.accepted(net::F_HASH_REPORT)
            && let Some((hash, bit)) = flow(&frame, *types, key).filter(|_| self.settings.hashes)
        {
            // [virtio 1.4: Hash reporting for incoming packets] value, report, padding
            let fields = &mut packet[net::HDR_BYTES as usize..];
            fields[..4].copy_from_slice(&hash.to_le_bytes());
            fields[4..6].copy_from_slice(&(bit as u16 + 1).to_le_bytes());
        }
        packet.extend_from_slice(&frame);
        let mut position = to.avail_seen;
        let mut chains: Vec<Chain> = vec![];
        let mut room = 0;
        while room < packet.len() as u64 {
            let another = merge || chains.is_empty();
            let next = if another { self.chain_at(queue, position, Some(true))? } else { None };
            let Some(chain) = next else {
                // no buffer, or not enough: the chains stay with the driver's next frame
                self.without_buffer(queue);
                return Ok(());
            };
            position = position.wrapping_add(chain.slots);
            room += chain.len();
            chains.push(chain);
        }
        // [virtio 1.4: Processing of Incoming Packets] num_buffers is 1 without VIRTIO_NET_F_MRG_RXBUF.
        let at = net::HDR_NUM_BUFFERS as usize;
        packet[at..at + 2].copy_from_slice(&(chains.len() as u16).to_le_bytes());
        let mut rest = packet.as_slice();
        let mut done = vec![];
        for chain in &chains {
            let mut written = 0;
            for segment in &chain.segments {
                let (now, later) = rest.split_at(rest.len().min(segment.len as usize));
                self.dma.write(segment.addr, now);
                written += now.len() as u32;
                rest = later;
            }
            done.push(chain.done(written));
        }
        self.used(queue, &done);
        self.frames_in.pop_front();
        self.settings.stats.packet(queue, frame.len());
        self.count(ident::RX_FRAMES);
        if packet[0] != 0 {
            self.count(ident::RX_RIGHT);
        }
        self.count_by(ident::RX_BYTES_LO, frame.len() as u32);
        Ok(())
    }
}
