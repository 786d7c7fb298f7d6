//! `pcie::rx`: where each kind goes, what is malformed, and that nothing stops it.

use crate::harness::Harness;
use crate::tlps::{Sink, Source};
use hematite_hw::params::Params;
use hematite_hw::pcie::rx::Rx;
use hematite_sim::Tlp;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// All of a test's TLPs through the slowest sink.
const DRAIN_CYCLES: u64 = 20_000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Request,
    Completion,
    Nowhere,
    /// Of no kind there is.
    Malformed,
}

/// [PCI Express: Fmt[2:0] and Type[4:0] Field Encodings]
fn way(kind: u8) -> Way {
    match kind {
        0x00 | 0x20 | 0x01 | 0x21 | 0x40 | 0x60 | 0x02 | 0x42 | 0x04 | 0x44 | 0x05 | 0x45 => Way::Request,
        0x4c | 0x6c | 0x4d | 0x6d | 0x4e | 0x6e => Way::Request,
        0x0a | 0x4a | 0x0b | 0x4b => Way::Completion,
        0x30..=0x37 | 0x70..=0x77 => Way::Nowhere,
        _ => Way::Malformed,
    }
}

struct Bench<const W: usize> {
    dut: Harness<Rx<W>>,
    rng: ChaCha8Rng,
    source: Source<W>,
    requests: Sink<W>,
    completions: Sink<W>,
    seen: u64,
    malformed: u64,
    beats: u64,
}

impl<const W: usize> Bench<W> {
    fn new(seed: u64, source: u32, sink: u32) -> Self {
        let mut bench = Bench {
            dut: Harness::new(Rx::new(&Params::TINY), |uut| &mut uut.clock),
            rng: ChaCha8Rng::seed_from_u64(seed),
            source: Source::new(source),
            requests: Sink::new(sink),
            completions: Sink::new(sink),
            seen: 0,
            malformed: 0,
            beats: 0,
        };
        bench.dut.uut.reset.next = true;
        bench.dut.tick();
        bench.dut.uut.reset.next = false;
        bench
    }

    fn cycle(&mut self) {
        let Bench { dut, rng, source, requests, completions, .. } = self;
        source.drive(&mut dut.uut.tlp, rng);
        requests.drive(&mut dut.uut.request, rng);
        completions.drive(&mut dut.uut.completion, rng);
        dut.settle();
        source.sample(&dut.uut.tlp);
        self.beats += u64::from(requests.sample(&dut.uut.request));
        self.beats += u64::from(completions.sample(&dut.uut.completion));
        self.seen += u64::from(dut.uut.count_tlp_in.val());
        self.malformed += u64::from(dut.uut.count_malformed.val());
        dut.tick();
    }

    fn drain(&mut self) {
        for _ in 0..DRAIN_CYCLES {
            if self.source.beats.is_empty() && !self.dut.uut.busy.val() {
                return;
            }
            self.cycle();
        }
        panic!("all TLPs are through: not within {DRAIN_CYCLES} cycles");
    }
}

fn tlp(rng: &mut ChaCha8Rng, kind: u8, words: usize) -> Tlp {
    let mut header: [u32; 4] = rng.random();
    header[0] = u32::from(kind) << 24 | header[0] & 0x00ff_7c00 | (words as u32 & 0x3ff);
    let data = if kind & 0x40 != 0 { (0..4 * words).map(|_| rng.random()).collect() } else { vec![] };
    Tlp { header, data, error: false }
}

/// Every kind, right and wrong, in random order: what comes out where, marked or not.
fn sorts<const W: usize>(seed: u64, source: u32, sink: u32, count: usize) {
    let mut bench = Bench::<W>::new(seed, source, sink);
    let (mut requests, mut completions, mut malformed) = (vec![], vec![], 0);
    let known: Vec<u8> = (0..=255).filter(|kind| way(*kind) != Way::Malformed).collect();
    for _ in 0..count {
        let rng = &mut bench.rng;
        let kind =
            if rng.random_ratio(4, 5) { known[rng.random_range(0..known.len())] } else { rng.random() };
        let words = if rng.random_ratio(1, 20) { 1024 } else { rng.random_range(1..=40) };
        let mut tlp = tlp(rng, kind, words);
        let lanes = W / 8;
        let promised = tlp.data.len().div_ceil(lanes).max(1);
        let mut bad = false;
        match rng.random_range(0..10) {
            0 => (tlp.error, bad) = (true, true),
            // Shorter or longer by at least a beat than the header says.
            1 if promised > 1 => (_, bad) = (tlp.data.truncate(lanes * rng.random_range(1..promised)), true),
            2 => (_, bad) = (tlp.data.resize(lanes * (promised + rng.random_range(1..20)), 0x55), true),
            _ => {}
        }
        bench.source.push(&tlp, rng);
        malformed += u64::from(bad || way(kind) == Way::Malformed);
        match way(kind) {
            Way::Request => requests.push((tlp, bad)),
            Way::Completion => completions.push((tlp, bad)),
            _ => {}
        }
    }
    bench.drain();
    assert_eq!((bench.seen, bench.malformed), (count as u64, malformed));
    for (got, expected) in [(&bench.requests.tlps, &requests), (&bench.completions.tlps, &completions)] {
        assert_eq!(got.len(), expected.len());
        for (got, (tlp, bad)) in got.iter().zip(expected) {
            assert_eq!((got.header, got.error), (tlp.header, *bad), "{tlp}");
            assert!(*bad || got.data == tlp.data, "{tlp}: {got}");
        }
    }
}

#[test]
fn sorts_every_kind_and_marks_what_is_malformed() {
    sorts::<64>(1, 100, 100, 300);
    sorts::<64>(2, 60, 40, 300);
    sorts::<256>(3, 70, 70, 200);
    sorts::<512>(4, 100, 50, 300);
}

#[test]
fn messages_pass_a_completer_that_takes_nothing() {
    let mut bench = Bench::<64>::new(5, 100, 0);
    for _ in 0..50 {
        let message = tlp(&mut bench.rng, 0x74, 16);
        bench.source.push(&message, &mut bench.rng);
    }
    bench.drain();
    assert_eq!(bench.seen, 50);
    // A completer that takes nothing does not stop completions, once its two beats are full.
    let request = tlp(&mut bench.rng, 0x00, 1);
    bench.source.push(&request, &mut bench.rng);
    bench.completions.eager = 100;
    for _ in 0..10 {
        let completion = tlp(&mut bench.rng, 0x4a, 16);
        bench.source.push(&completion, &mut bench.rng);
    }
    (0..200).for_each(|_| bench.cycle());
    assert_eq!((bench.completions.tlps.len(), bench.requests.tlps.len()), (10, 0));
}

#[test]
fn takes_a_beat_in_every_cycle() {
    let mut bench = Bench::<512>::new(6, 100, 100);
    for _ in 0..50 {
        let completion = tlp(&mut bench.rng, 0x4a, 64);
        bench.source.push(&completion, &mut bench.rng);
    }
    let start = bench.dut.cycle;
    bench.drain();
    assert_eq!(bench.beats, 200);
    assert!(bench.dut.cycle - start <= 203, "200 beats took {} cycles", bench.dut.cycle - start);
}
