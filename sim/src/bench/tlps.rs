//! What the function's TLPs are for: told by where in host memory they go.

use std::cell::Cell;
use std::rc::Rc;

use serde::Serialize;

use super::host::Map;
use crate::root::tap::{Direction, Tap};
use crate::root::tlp::{Tlp, View};

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

/// Counts what goes by.
#[derive(Clone)]
pub(super) struct Counter {
    map: Map,
    seen: Rc<Cell<Tlps<u64>>>,
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
        Counter { map, seen: Rc::default() }
    }

    pub(super) fn seen(&self) -> Tlps<u64> {
        self.seen.get()
    }
}

impl Tap for Counter {
    fn tlp(&mut self, _now: u64, direction: Direction, tlp: &Tlp) {
        let mut seen = self.seen.get();
        match (direction, tlp.view()) {
            (Direction::In, View::Cpl(_) | View::CplD(..)) => seen.completions += 1,
            (Direction::Out, View::MemRead(request)) => match self.map.place(request.addr) {
                Place::Descriptors => seen.descriptor_reads += 1,
                Place::Available => seen.available_reads += 1,
                _ => seen.payload_reads += 1,
            },
            (Direction::Out, View::MemWrite(request, _)) => match self.map.place(request.addr) {
                Place::Used => seen.used_writes += 1,
                Place::Payload => seen.payload_writes += 1,
                _ => seen.messages += 1,
            },
            _ => {}
        }
        self.seen.set(seen);
    }

    fn frame(&mut self, _now: u64, _direction: Direction, _frame: &[u8]) {}
}
