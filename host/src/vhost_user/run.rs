//! Queues that run: begun, carried over, stopped; and what is logged meanwhile.

use hematite_abi::{feature, ring};

use super::guest::{Memory, Place};
use super::lane::{Placed, QUEUES};
use super::log::Log;
use super::message::Message;
use super::rings::{Ring, are_aligned, events, one_of, signal};
use super::session::{LOG_ALL, LOG_SHMFD, PROTOCOL_FEATURES, Session};
use super::shadow::{Shadow, Side};
use super::{Done, refused};
use crate::bus::Bus;

/// In SET_VRING_ADDR: the used ring is logged too.
const F_LOG: u64 = 1;

/// The index of a used ring at a guest physical address, which the function writes no more.
fn look_used_idx(memory: &Memory, used: u64) -> Done<u16> {
    memory.look(used + ring::USED_IDX as u64)
}

impl Session<'_> {
    /// How the queues run, in words; none: they stand.
    pub(super) fn state(&self) -> Option<String> {
        let how = match (&self.shadow, self.logging) {
            _ if !self.lane.is_live() => return None,
            (None, _) => "",
            (Some(_), false) => ", shadowed",
            (Some(_), true) if self.is_held() => ", shadowed, and wait for a log",
            (Some(_), true) => ", shadowed and logged",
        };
        Some(format!("the queues run, features {:#x}{how}", self.features))
    }

    pub(super) fn set_features(&mut self, message: &Message) -> Done<()> {
        let [bits] = message.longs()?;
        let features = bits & !(PROTOCOL_FEATURES | LOG_ALL);
        if !self.lane.takes(features) {
            return refused(format!("features {features:#x} of {:#x}", self.lane.offered()));
        }
        if self.lane.is_live() && features != self.features {
            return refused("features do not change while queues run");
        }
        self.set_logging(bits & LOG_ALL != 0)?;
        self.features = features;
        // "If VHOST_USER_F_PROTOCOL_FEATURES has not been negotiated, the ring starts directly in the enabled state."
        if bits & PROTOCOL_FEATURES == 0 {
            self.rings.iter_mut().for_each(|ring| ring.enabled = true);
            self.settle()?;
        }
        Ok(())
    }

    /// From now on pages are logged, or no more. Rings that are shadowed stay so: a function's own begin at 0.
    fn set_logging(&mut self, logging: bool) -> Done<()> {
        if logging && self.protocol & LOG_SHMFD == 0 {
            return refused("LOG_ALL without the protocol feature LOG_SHMFD");
        }
        if logging && self.lane.is_live() {
            self.check_covered(self.memory.end())?;
        }
        let switches = logging && self.lane.is_live() && self.shadow.is_none();
        if switches {
            self.halt()?;
        }
        self.logging = logging;
        if switches { self.settle() } else { Ok(()) }
    }

    /// Whether a log has a place for all that is marked, with memory up to `end`.
    pub(super) fn is_covered_by(&self, log: Option<&Log>, end: u64) -> bool {
        let mut ends = self.rings.iter().map(Ring::log_end).chain([Some(end)]);
        log.is_some_and(|log| ends.all(|end| end.is_some_and(|end| log.covers(end))))
    }

    fn check_covered(&self, end: u64) -> Done<()> {
        if self.is_covered_by(self.log.as_ref(), end) {
            return Ok(());
        }
        refused("there is no log, or it is too small for what is to be logged")
    }

    /// Whether memory may become so much while queues run.
    pub(super) fn check_log(&self, end: u64) -> Done<()> {
        if self.logging && self.lane.is_live() { self.check_covered(end) } else { Ok(()) }
    }

    /// Nothing is carried over until there is a log: no page is written that is not marked.
    fn is_held(&self) -> bool {
        self.logging && !self.is_covered_by(self.log.as_ref(), self.memory.end())
    }

    pub(super) fn set_areas(&mut self, message: &Message) -> Done<()> {
        let [head, descriptors, used, available, log] = message.longs()?;
        let (queue, flags) = (one_of(u64::from(head as u32))?, head >> 32);
        if flags & !F_LOG != 0 {
            return refused(format!("queue {queue}: flags {flags:#x} of {F_LOG}"));
        }
        if !are_aligned([descriptors, available, used]) {
            return refused(format!(
                "queue {queue}: {descriptors:#x}, {available:#x}, {used:#x}: not aligned"
            ));
        }
        let areas = Some([descriptors, available, used]);
        if self.lane.is_live() && areas != self.rings[queue].areas {
            return refused(format!("queue {queue} runs, and its ring stays where it is"));
        }
        let before = std::mem::replace(&mut self.rings[queue].log, (flags & F_LOG != 0).then_some(log));
        if let Err(trouble) = self.check_log(self.memory.end()) {
            self.rings[queue].log = before;
            return Err(trouble);
        }
        self.rings[queue].areas = areas;
        Ok(())
    }

    /// Changes the guest's memory. If ours is in the way of it, ours goes elsewhere.
    pub(super) fn around(
        &mut self,
        places: &[Place],
        change: impl FnOnce(&mut Memory, &mut dyn Bus) -> Done<()>,
    ) -> Done<()> {
        let span = self.shadow.as_ref().map(Shadow::span);
        let moves = span.is_some_and(|(at, bytes)| places.iter().any(|place| place.is_at(at, bytes)));
        if moves {
            self.halt()?;
        }
        let changed = change(&mut self.memory, self.lane.bus());
        if moves {
            self.settle()?;
        }
        changed
    }

    /// Starts the pair when both of its queues are to run, and stops it when one is not.
    pub(super) fn settle(&mut self) -> Done<()> {
        let wanted = self.rings.iter().all(Ring::is_wanted);
        if !wanted {
            return self.halt();
        }
        if self.lane.is_live() {
            return Ok(());
        }
        if self.features >> feature::VERSION_1 & 1 == 0 {
            return refused("the driver is one of before virtio 1.0: disable-legacy=on");
        }
        let mut placed = [Placed { size: 0, areas: [0; 3] }; QUEUES];
        for (queue, (ring, placed)) in self.rings.iter().zip(&mut placed).enumerate() {
            let Some(spans) = ring.spans() else { return refused(format!("queue {queue} has no ring")) };
            placed.size = ring.size;
            for ((user, bytes), area) in spans.into_iter().zip(&mut placed.areas) {
                let Some(guest) = self.memory.translate(user, bytes) else {
                    return refused(format!("queue {queue}: {bytes} bytes at {user:#x} are in no region"));
                };
                *area = guest;
            }
        }
        if self.logging || self.rings.iter().any(|ring| ring.base != 0) {
            return self.start_shadowed(placed);
        }
        self.lane.start(self.features, placed, events(&self.rings, &self.nobody))?;
        // Kicks of before were not handed on.
        (0..QUEUES).try_for_each(|queue| self.kicked(queue))
    }

    /// A PCI function's rings begin at 0 after its reset: so it has ours, and the guest's go on where they were.
    fn start_shadowed(&mut self, placed: [Placed; QUEUES]) -> Done<()> {
        let mut bases = [0; QUEUES];
        for (queue, base) in bases.iter_mut().enumerate() {
            let (Placed { size, areas }, told) = (placed[queue], self.rings[queue].base);
            if !are_aligned(areas) {
                return refused(format!("queue {queue} is not aligned in the guest's memory"));
            }
            // What was taken and not given back is taken again.
            *base = look_used_idx(&self.memory, areas[2])?;
            if told.wrapping_sub(*base) > size {
                return refused(format!("queue {queue} is to go on at {told}, and its used ring at {base}"));
            }
        }
        let shadow = Shadow::new(self.lane.bus(), &self.memory, placed, bases, self.features)?;
        let interrupts = self.interrupts.each_ref().map(std::os::fd::AsFd::as_fd);
        if let Err(trouble) = self.lane.start(self.features, shadow.placed(), interrupts) {
            shadow.withdraw(self.lane.bus())?;
            return Err(trouble);
        }
        self.counts.shadowed += 1;
        self.shadow = Some(shadow);
        // An interrupt of before may be lost.
        (0..QUEUES).for_each(|queue| self.call(queue));
        self.resume()
    }

    /// Carries over what has come while nothing was.
    pub(super) fn resume(&mut self) -> Done<()> {
        if self.shadow.is_none() || self.is_held() {
            return Ok(());
        }
        let (shadow, side) = self.sides();
        shadow.map_or(Ok(()), |shadow| shadow.begin(&side))?;
        (0..QUEUES).try_for_each(|queue| self.kicked(queue))
    }

    /// Our rings, and what they stand before.
    fn sides(&mut self) -> (Option<&mut Shadow>, Side<'_>) {
        let log = self.log.as_ref().filter(|_| self.logging);
        let used = self.rings.each_ref().map(|ring| ring.log);
        (self.shadow.as_mut(), Side { memory: &self.memory, log, used })
    }

    /// The guest has made something available.
    pub(super) fn kicked(&mut self, queue: usize) -> Done<()> {
        if self.shadow.is_some() && self.is_held() {
            return Ok(());
        }
        let (shadow, side) = self.sides();
        if shadow.map_or(Ok(true), |shadow| shadow.give(queue, &side))? {
            self.counts.doorbells += u64::from(self.lane.ring(queue)?);
        }
        Ok(())
    }

    /// The function has used something, of a ring that is ours.
    pub(super) fn interrupted(&mut self, queue: usize) -> Done<()> {
        let (shadow, side) = self.sides();
        let Some(shadow) = shadow else { return Ok(()) };
        let marked = side.log.map(Log::marked);
        let calls = shadow.take(queue, &side)?;
        let marks = side.log.map(Log::marked) != marked;
        if let Some(event) = self.log_call.as_ref().filter(|_| marks) {
            signal(event);
        }
        if calls {
            self.call(queue);
        }
        Ok(())
    }

    pub(super) fn call(&self, queue: usize) {
        if let Some(call) = &self.rings[queue].call {
            signal(call);
        }
    }

    /// Stops the pair; where each queue would go on is the guest's used index: what was taken and not given back is taken
    /// again.
    pub(super) fn halt(&mut self) -> Done<()> {
        if !self.lane.is_live() {
            return Ok(());
        }
        self.lane.stop()?;
        if self.shadow.is_none() {
            for ring in &mut self.rings {
                let used = ring.spans().and_then(|[.., (user, bytes)]| self.memory.translate(user, bytes));
                if let Some(used) = used {
                    ring.base = look_used_idx(&self.memory, used)?;
                }
            }
            return Ok(());
        }
        // What it has used until then.
        let last = (0..QUEUES).try_for_each(|queue| self.interrupted(queue));
        if let Some(shadow) = self.shadow.take() {
            for (queue, ring) in self.rings.iter_mut().enumerate() {
                ring.base = shadow.base(queue);
            }
            shadow.withdraw(self.lane.bus())?;
        }
        last
    }

    /// Stops a queue and says where it would go on.
    pub(super) fn give_back(&mut self, message: &Message) -> Done<Vec<u8>> {
        let (queue, _) = message.state()?;
        let place = one_of(queue.into())?;
        self.halt()?;
        self.forget(place);
        Ok([queue, self.rings[place].base.into()].iter().flat_map(|word| word.to_ne_bytes()).collect())
    }
}
