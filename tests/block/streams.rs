//! The other end of a stream or beat port: offers and takes at random, and checks that what is offered holds.

#![allow(dead_code, reason = "each block test uses the part it needs")]

use hematite_hw::prim::beat::{BeatSink, BeatSource};
use hematite_hw::prim::stream::{StreamSink, StreamSource};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use std::collections::VecDeque;

/// Bits of any width from bytes, least significant first.
pub(crate) fn to_bits<const W: usize>(bytes: &[u8]) -> Bits<W> {
    let mut value = Bits::<W>::default();
    for (lane, byte) in bytes.iter().enumerate() {
        value.set_bits::<8>(8 * lane, u64::from(*byte).into());
    }
    value
}

/// Bytes of any width of bits.
pub(crate) fn to_bytes<const W: usize>(value: Bits<W>) -> Vec<u8> {
    (0..W / 8).map(|lane| u64::from(value.get_bits::<8>(8 * lane)) as u8).collect()
}

/// One beat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Beat<const W: usize, S> {
    pub(crate) data: Bits<W>,
    pub(crate) last: bool,
    pub(crate) side: S,
}

/// Offers what is in its queue. Each cycle: `drive`, settle, `taken`, tick.
pub(crate) struct Feed<T> {
    pub(crate) queue: VecDeque<T>,
    /// Chance to begin an offer in a cycle.
    pub(crate) eager: f64,
    offering: bool,
}

impl<T: Copy> Feed<T> {
    pub(crate) fn new(eager: f64) -> Self {
        Feed { queue: VecDeque::new(), eager, offering: false }
    }

    fn offer(&mut self, rng: &mut ChaCha8Rng) -> Option<T> {
        self.offering = !self.queue.is_empty() && (self.offering || rng.random_bool(self.eager));
        self.queue.front().copied().filter(|_| self.offering)
    }

    fn take(&mut self, ready: bool) -> Option<T> {
        if self.offering && ready {
            self.offering = false;
            return self.queue.pop_front();
        }
        None
    }

    /// Forgets what it has, also what it offers.
    pub(crate) fn forget(&mut self) {
        self.queue.clear();
        self.offering = false;
    }
}

impl<T: Synth> Feed<T> {
    pub(crate) fn drive(&mut self, port: &mut StreamSink<T>, rng: &mut ChaCha8Rng) {
        let offer = self.offer(rng);
        port.valid.next = offer.is_some();
        port.data.next = offer.unwrap_or_default();
    }

    pub(crate) fn taken(&mut self, port: &StreamSink<T>) -> Option<T> {
        self.take(port.ready.val())
    }
}

impl<const W: usize, S: Synth> Feed<Beat<W, S>> {
    pub(crate) fn drive_beat(&mut self, port: &mut BeatSink<W, S>, rng: &mut ChaCha8Rng) {
        let offer = self.offer(rng);
        port.valid.next = offer.is_some();
        if let Some(beat) = offer {
            port.data.next = beat.data;
            port.last.next = beat.last;
            port.side.next = beat.side;
        }
    }

    pub(crate) fn taken_beat(&mut self, port: &BeatSink<W, S>) -> Option<Beat<W, S>> {
        self.take(port.ready.val())
    }
}

/// Takes what is offered. Each cycle: `drive`, settle, `taken`, tick.
pub(crate) struct Watch<T> {
    name: &'static str,
    /// Chance to be ready in a cycle.
    pub(crate) eager: f64,
    held: Option<T>,
    ready: bool,
}

impl<T: Copy + PartialEq + std::fmt::Debug> Watch<T> {
    pub(crate) fn new(name: &'static str, eager: f64) -> Self {
        Watch { name, eager, held: None, ready: false }
    }

    fn see(&mut self, offered: Option<T>) -> Option<T> {
        if let Some(held) = self.held {
            assert_eq!(offered, Some(held), "{}: an offer holds until it is taken", self.name);
        }
        self.held = offered.filter(|_| !self.ready);
        offered.filter(|_| self.ready)
    }

    /// A reset: offers need not hold.
    pub(crate) fn forget(&mut self) {
        self.held = None;
    }
}

impl<T: Synth> Watch<T> {
    pub(crate) fn drive(&mut self, port: &mut StreamSource<T>, rng: &mut ChaCha8Rng) {
        self.ready = rng.random_bool(self.eager);
        port.ready.next = self.ready;
    }

    pub(crate) fn taken(&mut self, port: &StreamSource<T>) -> Option<T> {
        self.see(Some(port.data.val()).filter(|_| port.valid.val()))
    }
}

impl<const W: usize, S: Synth> Watch<Beat<W, S>> {
    pub(crate) fn drive_beat(&mut self, port: &mut BeatSource<W, S>, rng: &mut ChaCha8Rng) {
        self.ready = rng.random_bool(self.eager);
        port.ready.next = self.ready;
    }

    pub(crate) fn taken_beat(&mut self, port: &BeatSource<W, S>) -> Option<Beat<W, S>> {
        let beat = Beat { data: port.data.val(), last: port.last.val(), side: port.side.val() };
        self.see(Some(beat).filter(|_| port.valid.val()))
    }
}
