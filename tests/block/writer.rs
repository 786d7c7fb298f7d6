//! `pcie::writer`: what is taken, is written, whole, in order; and nothing else.

use crate::harness::Harness;
use crate::root::{REQUESTER, memory};
use crate::streams::{to_bits, to_bytes};
use hematite_hw::params::Params;
use hematite_hw::pcie::writer::Writer;
use hematite_hw::port::dma::WriteSide;
use hematite_hw::port::pcie::PcieSettings;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const CLIENTS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    addr: u64,
    len: u64,
    /// A bit per one who is to hear of it.
    notify: u64,
}

impl Piece {
    fn beats(&self, bytes: u64) -> u64 {
        (self.addr % 4 + self.len).div_ceil(bytes).max(1)
    }
}

/// Counts a pulse for each bit.
fn count(times: &mut [u64; 2], bits: u64) {
    times[0] += bits & 1;
    times[1] += bits >> 1;
}

struct Bench<const W: usize> {
    h: Harness<Writer<W>>,
    rng: ChaCha8Rng,
    /// Per client: the piece it offers, and how many of its beats have been taken.
    offering: Vec<Option<(Piece, u64)>>,
    /// Wholly taken, not yet at the host.
    inside: VecDeque<Piece>,
    /// The TLP that is coming: its bytes.
    coming: Option<Vec<u8>>,
    written: u64,
    beats: u64,
    notified: [u64; 2],
    owed: [u64; 2],
    next_page: u64,
    stall: f64,
    idle: f64,
    most: u64,
    full: bool,
    bus_master: bool,
}

impl<const W: usize> Bench<W> {
    fn new(params: &Params, seed: u64) -> Self {
        let mut h = Harness::new(Writer::<W>::new(params, CLIENTS), |u| &mut u.clock);
        h.uut.reset.next = true;
        h.tick();
        h.tick();
        h.uut.reset.next = false;
        let mut bench = Self {
            h,
            rng: ChaCha8Rng::seed_from_u64(seed),
            offering: vec![None; CLIENTS],
            inside: VecDeque::new(),
            coming: None,
            written: 0,
            beats: 0,
            notified: [0; 2],
            owed: [0; 2],
            next_page: 0,
            stall: 0.2,
            idle: 0.3,
            most: params.payload_bytes as u64,
            full: false,
            bus_master: true,
        };
        bench.settings(true);
        bench
    }

    fn settings(&mut self, bus_master: bool) {
        self.bus_master = bus_master;
        self.h.uut.settings.next =
            PcieSettings { bus_master, requester: REQUESTER.into(), ..PcieSettings::default() };
    }

    fn invent(&mut self) -> Piece {
        self.next_page += 1;
        let high = if self.rng.random_bool(0.5) { 0x7_0000_0000 } else { 0 };
        let page = high + (self.next_page << 12);
        let notify = if self.rng.random_bool(0.3) { self.rng.random_range(1..4) } else { 0 };
        if self.full {
            return Piece { addr: page, len: self.most, notify };
        }
        let len = match self.rng.random_range(0..5) {
            0 => self.most,
            1 => self.rng.random_range(1..=8),
            2 if self.rng.random_bool(0.1) => 0,
            _ => self.rng.random_range(1..=self.most),
        };
        let low = self.rng.random_range(0..=4096 - len);
        let low = if low % 4 + len > self.most { low / 4 * 4 } else { low };
        Piece { addr: page + low, len, notify }
    }

    fn cycle(&mut self, drain: bool) {
        let bytes = W as u64 / 8;
        for i in 0..CLIENTS {
            if self.offering[i].is_none() && !drain && !self.rng.random_bool(self.idle) {
                self.offering[i] = Some((self.invent(), 0));
            }
            // A packet once begun may pause between beats.
            let paused =
                matches!(self.offering[i], Some((_, n)) if n > 0) && self.rng.random_bool(self.stall);
            let port = &mut self.h.uut.writes[i];
            port.valid.next = self.offering[i].is_some() && !drain && !paused;
            if let Some((piece, at)) = self.offering[i] {
                let base = piece.addr / 4 * 4 + at * bytes;
                let data: Vec<u8> = (base..base + bytes).map(memory).collect();
                port.last.next = at + 1 == piece.beats(bytes);
                port.data.next = to_bits(&data);
                // Beside later beats the side means nothing.
                let (addr, len, notify) = (piece.addr.into(), piece.len.into(), piece.notify.into());
                let side = WriteSide { addr, len, notify };
                port.side.next = if at == 0 { side } else { WriteSide { len: 0x777.into(), ..side } };
            }
        }
        self.h.uut.drain.next = drain;
        self.h.uut.tlp.ready.next = !self.rng.random_bool(self.stall);
        self.h.settle();
        for i in 0..CLIENTS {
            let port = &self.h.uut.writes[i];
            if !(port.valid.val() && port.ready.val()) {
                continue;
            }
            let (piece, at) = self.offering[i].as_mut().unwrap();
            *at += 1;
            if port.last.val() {
                self.inside.push_back(*piece);
                self.offering[i] = None;
            }
        }
        count(&mut self.notified, self.h.uut.notified.val().into());
        if self.h.uut.tlp.valid.val() && self.h.uut.tlp.ready.val() {
            self.beat();
        }
        self.h.tick();
    }

    /// `tx` takes a beat.
    fn beat(&mut self) {
        self.beats += 1;
        let data = to_bytes(self.h.uut.tlp.data.val());
        self.coming.get_or_insert_default().extend(data);
        if !self.h.uut.tlp.last.val() {
            return;
        }
        let data = self.coming.take().unwrap();
        let header = self.h.uut.tlp.side.val().header;
        let dw = |i: usize| u64::from(header.get_bits::<32>(32 * i));
        // What goes nowhere: pieces of no bytes.
        while self.inside.front().is_some_and(|p| p.len == 0) {
            let piece = self.inside.pop_front().unwrap();
            count(&mut self.owed, piece.notify);
        }
        let piece = self.inside.pop_front().expect("a TLP without a piece");
        let long = piece.addr >> 32 != 0;
        let skip = piece.addr % 4;
        let dwords = (skip + piece.len).div_ceil(4);
        assert_eq!(dw(0), 0x4000_0000 | u64::from(long) << 29 | dwords & 0x3ff, "{piece:x?}");
        assert_eq!(dw(1) >> 16, REQUESTER);
        let address = if long { dw(2) << 32 | dw(3) } else { dw(2) };
        assert_eq!(address, piece.addr / 4 * 4, "{piece:x?}");
        let (first, last) = (dw(1) & 15, dw(1) >> 4 & 15);
        assert_eq!(data.len() as u64, piece.beats(W as u64 / 8) * W as u64 / 8);
        for i in 0..4 * dwords {
            let enables = match i / 4 {
                0 => first,
                n if n == dwords - 1 => last,
                _ => 15,
            };
            let enabled = enables >> (i % 4) & 1 == 1;
            assert_eq!(
                enabled,
                i >= skip && i < skip + piece.len,
                "byte {i} of {piece:x?}: {first:x} {last:x}"
            );
            assert!(!enabled || data[i as usize] == memory(address + i), "byte {i} of {piece:x?}");
        }
        assert_eq!(dwords == 1, last == 0);
        self.written += 1;
        assert_eq!(u64::from(self.h.uut.notified.val()), piece.notify, "cycle {}", self.h.cycle);
        count(&mut self.owed, piece.notify);
    }

    fn run(&mut self, cycles: u64) {
        for _ in 0..cycles {
            self.cycle(false);
        }
    }

    /// No new pieces; those inside leave within `limit` cycles.
    fn drain(&mut self, limit: u64) {
        self.offering.fill(None);
        for _ in 0..limit {
            self.cycle(true);
            if !self.h.uut.busy.val() {
                self.settled();
                return;
            }
        }
        panic!("not drained within {limit} cycles");
    }

    fn settled(&mut self) {
        let (master, owed) = (self.bus_master, &mut self.owed);
        self.inside.retain(|p| {
            let gone = p.len == 0 || !master;
            count(owed, if gone { p.notify } else { 0 });
            !gone
        });
        assert!(self.inside.is_empty() && self.coming.is_none(), "{:x?} have not left", self.inside);
        assert_eq!(self.notified, self.owed, "notifications");
    }
}

fn params(payload_bytes: usize) -> Params {
    Params { payload_bytes, ..Params::TINY }
}

fn in_order<const W: usize>(payload_bytes: usize, seed: u64) {
    let mut bench = Bench::<W>::new(&params(payload_bytes), seed);
    bench.run(2000);
    bench.stall = 0.7;
    bench.run(1000);
    (bench.stall, bench.idle) = (0.0, 0.0);
    bench.run(1000);
    bench.drain(2000);
    assert!(bench.written > 40, "{} TLPs", bench.written);
    assert!(bench.notified.iter().all(|times| *times > 5));
}

#[test]
fn whole_and_in_order_64() {
    in_order::<64>(128, 1);
    in_order::<64>(256, 2);
}

#[test]
fn whole_and_in_order_128() {
    in_order::<128>(256, 3);
}

#[test]
fn whole_and_in_order_256() {
    in_order::<256>(4096, 4);
}

#[test]
fn whole_and_in_order_512() {
    in_order::<512>(512, 5);
}

#[test]
fn drained_at_any_moment_no_tlp_is_cut() {
    let mut bench = Bench::<64>::new(&params(256), 10);
    for _ in 0..60 {
        let cycles = bench.rng.random_range(1..120);
        bench.run(cycles);
        bench.drain(2000);
    }
    assert!(bench.written > 100, "{} TLPs", bench.written);
}

#[test]
fn without_bus_master_writes_vanish_and_are_notified() {
    let mut bench = Bench::<128>::new(&params(256), 20);
    bench.settings(false);
    bench.run(500);
    bench.drain(1000);
    assert_eq!(bench.written, 0);
    assert!(bench.notified.iter().all(|times| *times > 5));
    bench.settings(true);
    bench.run(500);
    bench.drain(1000);
    assert!(bench.written > 10);
}

/// Cycles per beat with nobody stalling.
fn speed<const W: usize>(len: u64) -> f64 {
    let mut bench = Bench::<W>::new(&params(256), 30);
    (bench.stall, bench.idle, bench.full, bench.most) = (0.0, 0.0, true, len);
    bench.run(100);
    let before = bench.beats;
    bench.run(500);
    500.0 / (bench.beats - before) as f64
}

#[test]
fn a_beat_in_every_cycle() {
    for per_beat in [speed::<64>(256), speed::<64>(64), speed::<512>(256), speed::<512>(64)] {
        assert!(per_beat < 1.02, "{per_beat} cycles per beat");
    }
}
