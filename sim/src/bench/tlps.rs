//! What the function's TLPs are for: told by where in host memory they go.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde::Serialize;

use super::host::Map;
use crate::root::tap::{Direction, Tap};
use crate::root::tlp::{CplFields, Tlp, View};

/// Numbers of TLPs, of one kind each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Tlps<T> {
    pub payload_reads: T,
    pub payload_writes: T,
    pub descriptor_reads: T,
    /// The available ring: its index, its heads, its flags.
    pub available_reads: T,
    /// The used ring: its elements, its index.
    pub used_writes: T,
    pub messages: T,
    pub completions: T,
}

impl Tlps<u64> {
    /// How many there were since `from`, for each of `packets`.
    pub(super) fn since(self, from: Tlps<u64>, packets: u64) -> Tlps<f64> {
        let each = |to: u64, from: u64| (to - from) as f64 / packets as f64;
        Tlps {
            payload_reads: each(self.payload_reads, from.payload_reads),
            payload_writes: each(self.payload_writes, from.payload_writes),
            descriptor_reads: each(self.descriptor_reads, from.descriptor_reads),
            available_reads: each(self.available_reads, from.available_reads),
            used_writes: each(self.used_writes, from.used_writes),
            messages: each(self.messages, from.messages),
            completions: each(self.completions, from.completions),
        }
    }
}

/// Something that happened while one frame went through.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Cycles since the doorbell, or since the frame came.
    pub cycle: u64,
    pub event: &'static str,
}

/// Reads of the function which are not answered in full.
#[derive(Clone, Copy, Default)]
struct Flight {
    open: u64,
    most: u64,
    /// Sum over the cycles until `since` of those which were open in each.
    area: u64,
    since: u64,
}

impl Flight {
    fn change(&mut self, now: u64, by: i64) {
        self.area += self.open * (now - self.since);
        self.since = now;
        self.open = self.open.saturating_add_signed(by);
        self.most = self.most.max(self.open);
    }
}

/// Counts what goes by.
#[derive(Clone)]
pub(super) struct Counter {
    map: Map,
    seen: Rc<Cell<Tlps<u64>>>,
    flight: Rc<Cell<Flight>>,
    /// When they are wanted.
    steps: Rc<RefCell<Option<Vec<Step>>>>,
}

/// A part of host memory.
pub(super) enum Place {
    Descriptors,
    Available,
    Used,
    Payload,
    Elsewhere,
}

impl Counter {
    pub(super) fn new(map: Map) -> Counter {
        Counter { map, seen: Rc::default(), flight: Rc::default(), steps: Rc::default() }
    }

    pub(super) fn seen(&self) -> Tlps<u64> {
        self.seen.get()
    }

    /// Read-cycles up to `now`, and the most reads at a time since this was asked last.
    pub(super) fn flight(&self, now: u64) -> (u64, u64) {
        let mut flight = self.flight.get();
        flight.change(now, 0);
        let most = std::mem::replace(&mut flight.most, flight.open);
        self.flight.set(flight);
        (flight.area, most)
    }

    /// From now on steps are kept.
    pub(super) fn begin(&self) {
        self.steps.replace(Some(vec![]));
    }

    /// What was kept, in cycles since `start`.
    pub(super) fn end(&self, start: u64) -> Vec<Step> {
        let steps = self.steps.take().unwrap_or_default();
        steps.into_iter().map(|step| Step { cycle: step.cycle.saturating_sub(start), ..step }).collect()
    }
}

/// Whether a completion is its read's last one. [PCIe base: Data Return for Read Requests]
fn last(fields: &CplFields, data: &[u8]) -> bool {
    usize::from(fields.byte_count) + usize::from(fields.lower_addr & 3) <= data.len()
}

impl Tap for Counter {
    fn tlp(&mut self, now: u64, direction: Direction, tlp: &Tlp) {
        let mut seen = self.seen.get();
        let by = match (direction, tlp.view()) {
            (Direction::Out, View::MemRead(_)) => 1,
            (Direction::In, View::Cpl(_)) => -1,
            (Direction::In, View::CplD(fields, data)) if last(&fields, data) => -1,
            _ => 0,
        };
        let mut flight = self.flight.get();
        flight.change(now, by);
        self.flight.set(flight);
        let (count, event) = match (direction, tlp.view()) {
            (Direction::In, View::Cpl(_) | View::CplD(..)) => (&mut seen.completions, "completion"),
            (Direction::Out, View::MemRead(request)) => match self.map.place(request.addr) {
                Place::Descriptors => (&mut seen.descriptor_reads, "descriptor read"),
                Place::Available => (&mut seen.available_reads, "available read"),
                _ => (&mut seen.payload_reads, "payload read"),
            },
            (Direction::Out, View::MemWrite(request, _)) => match self.map.place(request.addr) {
                // used descriptors, of packed rings
                Place::Used | Place::Descriptors => (&mut seen.used_writes, "used write"),
                Place::Payload => (&mut seen.payload_writes, "payload write"),
                _ => (&mut seen.messages, "message"),
            },
            _ => return,
        };
        *count += 1;
        self.seen.set(seen);
        if let Some(steps) = self.steps.borrow_mut().as_mut() {
            steps.push(Step { cycle: now, event });
        }
    }

    fn frame(&mut self, _now: u64, _direction: Direction, _frame: &[u8]) {}
}
