//! The other side of TLP and register ports: sources, sinks and a slave, each as patient as it is told to be.

#![allow(dead_code, reason = "each block test uses the part it needs")]

use crate::streams::{to_bits, to_bytes};
use hematite_hw::port::mmio::MmioMaster;
use hematite_hw::port::tlp::{TlpOutSide, TlpSide};
use hematite_hw::prim::beat::{BeatSink, BeatSource};
use hematite_sim::Tlp;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use std::collections::VecDeque;

/// A header as the edge carries it.
pub(crate) fn header_bits(words: [u32; 4]) -> Bits<128> {
    let all = words.iter().rev().fold(0u128, |all, word| all << 32 | u128::from(*word));
    all.to_bits()
}

/// The words of such a header.
pub(crate) fn header_words(header: Bits<128>) -> [u32; 4] {
    std::array::from_fn(|i| header.get_bits::<32>(32 * i).index() as u32)
}

/// One beat.
#[derive(Clone, Copy)]
pub(crate) struct Beat<const W: usize> {
    pub(crate) last: bool,
    pub(crate) data: Bits<W>,
    pub(crate) side: TlpSide,
}

/// A TLP as beats; what is beside and behind the payload is noise.
pub(crate) fn beats<const W: usize>(tlp: &Tlp, rng: &mut ChaCha8Rng) -> Vec<Beat<W>> {
    let count = tlp.data.len().div_ceil(W / 8).max(1);
    (0..count)
        .map(|i| {
            let mut bytes: Vec<u8> = (0..W / 8).map(|_| rng.random()).collect();
            let chunk = tlp.data.chunks(W / 8).nth(i).unwrap_or_default();
            bytes[..chunk.len()].copy_from_slice(chunk);
            let header = if i == 0 { header_bits(tlp.header) } else { rng.random::<u128>().to_bits() };
            let last = i + 1 == count;
            Beat { last, data: to_bits(&bytes), side: TlpSide { header, error: last && tlp.error } }
        })
        .collect()
}

/// Offers beats; holds what it offers.
pub(crate) struct Source<const W: usize> {
    pub(crate) beats: VecDeque<Beat<W>>,
    /// Chance in 100 to offer in a cycle.
    pub(crate) eager: u32,
    offering: bool,
}

impl<const W: usize> Source<W> {
    pub(crate) fn new(eager: u32) -> Self {
        Source { beats: VecDeque::new(), eager, offering: false }
    }

    pub(crate) fn push(&mut self, tlp: &Tlp, rng: &mut ChaCha8Rng) {
        self.beats.extend(beats::<W>(tlp, rng));
    }

    /// Before the cycle.
    pub(crate) fn drive(&mut self, port: &mut BeatSink<W, TlpSide>, rng: &mut ChaCha8Rng) {
        self.offering |= !self.beats.is_empty() && rng.random_ratio(self.eager, 100);
        port.valid.next = self.offering;
        if let Some(beat) = self.beats.front().filter(|_| self.offering) {
            port.last.next = beat.last;
            port.data.next = beat.data;
            port.side.next = beat.side;
        }
    }

    /// In the cycle, settled: true if the last beat of a TLP is taken.
    pub(crate) fn sample(&mut self, port: &BeatSink<W, TlpSide>) -> bool {
        if !self.offering || !port.ready.val() {
            return false;
        }
        self.offering = false;
        self.beats.pop_front().is_some_and(|beat| beat.last)
    }
}

/// What stands beside the beats of a stream of TLPs.
pub(crate) trait Side: Synth {
    fn header(&self) -> Bits<128>;
    fn error(&self) -> bool;
    /// The header of a TLP that comes behind this one.
    fn rider(&self) -> Option<Bits<128>>;
}

impl Side for TlpSide {
    fn header(&self) -> Bits<128> {
        self.header
    }
    fn error(&self) -> bool {
        self.error
    }
    fn rider(&self) -> Option<Bits<128>> {
        None
    }
}

impl Side for TlpOutSide {
    fn header(&self) -> Bits<128> {
        self.header
    }
    fn error(&self) -> bool {
        self.error
    }
    fn rider(&self) -> Option<Bits<128>> {
        self.riding.then_some(self.rider)
    }
}

/// Takes beats and makes TLPs of them; checks that what is offered holds.
pub(crate) struct Sink<const W: usize, T = TlpSide> {
    pub(crate) tlps: VecDeque<Tlp>,
    /// Chance in 100 to take in a cycle.
    pub(crate) eager: u32,
    part: Option<Tlp>,
    offered: Option<(bool, Bits<W>, T)>,
}

impl<const W: usize, T: Side> Sink<W, T> {
    pub(crate) fn new(eager: u32) -> Self {
        Sink { tlps: VecDeque::new(), eager, part: None, offered: None }
    }

    pub(crate) fn drive(&mut self, port: &mut BeatSource<W, T>, rng: &mut ChaCha8Rng) {
        port.ready.next = rng.random_ratio(self.eager, 100);
    }

    /// True if a beat is taken.
    pub(crate) fn sample(&mut self, port: &BeatSource<W, T>) -> bool {
        let beat = (port.last.val(), port.data.val(), port.side.val());
        if let Some(before) = self.offered.take() {
            assert!(port.valid.val(), "valid fell before ready");
            assert!(before == beat, "what was offered changed before ready");
        }
        if !port.valid.val() {
            return false;
        }
        if !port.ready.val() {
            self.offered = Some(beat);
            return false;
        }
        let (last, data, side) = beat;
        let fresh = |header| Tlp { header: header_words(header), ..Tlp::default() };
        let mut tlp = self.part.take().unwrap_or_else(|| fresh(side.header()));
        tlp.data.extend(to_bytes(data));
        if last {
            tlp.error = side.error();
            let promised = if tlp.format() & 2 == 0 { 0 } else { usize::from(tlp.words()) * 4 };
            // What fills the last beat means nothing.
            if tlp.data.len().saturating_sub(promised) < W / 8 || promised == 0 {
                tlp.data.truncate(promised);
            }
            self.tlps.push_back(tlp);
            self.tlps.extend(side.rider().map(fresh));
        } else {
            assert_eq!(side.rider(), None, "a rider on a beat that is not a TLP's last");
            self.part = Some(tlp);
        }
        true
    }
}

/// One access as a slave has seen it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Access {
    pub(crate) write: bool,
    pub(crate) addr: u16,
    pub(crate) strobe: u8,
}

/// Memory behind a register port.
pub(crate) struct Slave {
    pub(crate) bytes: Vec<u8>,
    pub(crate) seen: Vec<Access>,
    /// Chance in 100 to answer in a cycle.
    pub(crate) eager: u32,
}

impl Slave {
    pub(crate) fn new(size: usize, eager: u32, rng: &mut ChaCha8Rng) -> Self {
        Slave { bytes: (0..size).map(|_| rng.random()).collect(), seen: Vec::new(), eager }
    }

    /// With the master's outputs settled.
    pub(crate) fn drive(&mut self, port: &mut MmioMaster, rng: &mut ChaCha8Rng) {
        let ready = port.valid.val() && rng.random_ratio(self.eager, 100);
        port.ready.next = ready;
        let at = port.addr.val().index() % self.bytes.len();
        assert_eq!(at & 3, 0, "an access is of a whole DWORD");
        let word: [u8; 4] = if ready { self.bytes[at..at + 4].try_into().unwrap() } else { rng.random() };
        port.read_data.next = u64::from(u32::from_le_bytes(word)).to_bits();
        if !ready {
            return;
        }
        let strobe = port.strobe.val().index() as u8;
        self.seen.push(Access { write: port.write.val(), addr: at as u16, strobe });
        if port.write.val() {
            let new = (port.write_data.val().index() as u32).to_le_bytes();
            (0..4).filter(|lane| strobe >> lane & 1 == 1).for_each(|lane| self.bytes[at + lane] = new[lane]);
        }
    }
}
