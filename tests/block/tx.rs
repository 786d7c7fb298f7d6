//! `pcie::tx`: whole TLPs, in turn, without a lost cycle.

use crate::harness::Harness;
use crate::tlps::{Sink, Source};
use hematite_hw::params::Params;
use hematite_hw::pcie::tx::{INPUTS, Tx};
use hematite_hw::port::tlp::TlpOutSide;
use hematite_sim::Tlp;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// The input whose TLPs are a beat each.
const REQUESTS: usize = INPUTS - 1;
/// All of a test's TLPs through the slowest sink.
const DRAIN_CYCLES: u64 = 20_000;

struct Bench<const W: usize> {
    dut: Harness<Tx<W>>,
    rng: ChaCha8Rng,
    sources: Vec<Source<W>>,
    sink: Sink<W, TlpOutSide>,
    /// The input of each TLP in the order in which their last beats were taken.
    order: VecDeque<usize>,
    counted: u64,
    idle: u64,
}

impl<const W: usize> Bench<W> {
    fn new(params: &Params, seed: u64, source: u32, sink: u32) -> Self {
        let mut bench = Bench {
            dut: Harness::new(Tx::new(params), |uut| &mut uut.clock),
            rng: ChaCha8Rng::seed_from_u64(seed),
            sources: (0..INPUTS).map(|_| Source::new(source)).collect(),
            sink: Sink::new(sink),
            order: VecDeque::new(),
            counted: 0,
            idle: 0,
        };
        bench.dut.uut.reset.next = true;
        bench.dut.tick();
        bench.dut.uut.reset.next = false;
        bench
    }

    fn cycle(&mut self) {
        let Bench { dut, rng, sources, sink, .. } = self;
        for (source, port) in sources.iter_mut().zip(&mut dut.uut.inputs) {
            source.drive(port, rng);
        }
        sink.drive(&mut dut.uut.tlp, rng);
        dut.settle();
        for (i, source) in sources.iter_mut().enumerate() {
            if source.sample(&dut.uut.inputs[i]) {
                self.order.push_back(i);
            }
        }
        self.idle += u64::from(!sink.sample(&dut.uut.tlp));
        self.counted += u64::from(dut.uut.count_tlp_out.val());
        dut.tick();
    }

    /// A TLP of which word 3 of the header says input and number.
    fn push(&mut self, input: usize, number: u32) {
        let words = if input == REQUESTS || self.rng.random() { 0 } else { self.rng.random_range(1..=64) };
        self.push_words(input, number, words);
    }

    fn push_words(&mut self, input: usize, number: u32, words: usize) {
        let format = if words == 0 { 1 } else { 3 };
        let header = [
            format << 29 | words as u32,
            self.rng.random(),
            self.rng.random(),
            (input as u32) << 16 | number,
        ];
        let data = (0..4 * words).map(|_| self.rng.random()).collect();
        self.sources[input].push(&Tlp { header, data, error: false }, &mut self.rng);
    }

    fn drain(&mut self) {
        for _ in 0..DRAIN_CYCLES {
            if self.sources.iter().all(|source| source.beats.is_empty()) && !self.dut.uut.busy.val() {
                return;
            }
            self.cycle();
        }
        panic!("all TLPs are through: not within {DRAIN_CYCLES} cycles");
    }
}

fn joins<const W: usize>(params: &Params, seed: u64, source: u32, sink: u32) {
    let mut bench = Bench::<W>::new(params, seed, source, sink);
    for number in 0..60 {
        (0..INPUTS).for_each(|input| bench.push(input, number));
    }
    let expected: Vec<_> = bench.sources.iter().map(|source| source.beats.clone()).collect();
    bench.drain();
    assert_eq!(bench.counted, 180);
    let mut next = [0; INPUTS];
    let mut left: Vec<VecDeque<_>> = expected;
    for tlp in &bench.sink.tlps {
        let (input, number) = ((tlp.header[3] >> 16) as usize, tlp.header[3] & 0xffff);
        assert_eq!(number, next[input], "order within input {input}");
        assert_eq!(bench.order.pop_front(), Some(input), "order of the last beats");
        next[input] += 1;
        let mut data = vec![];
        while let Some(beat) = left[input].pop_front() {
            data.extend(crate::streams::to_bytes(beat.data));
            if beat.last {
                break;
            }
        }
        data.truncate(tlp.data.len());
        assert_eq!(tlp.data, data);
        assert_eq!(tlp.data.len(), (tlp.header[0] & 0x3ff) as usize * 4);
    }
    assert_eq!(next, [60; INPUTS]);
}

#[test]
fn whole_tlps_in_the_order_in_which_they_were_taken() {
    joins::<64>(&Params::TINY, 1, 100, 100);
    joins::<64>(&Params::TINY, 2, 50, 60);
    joins::<512>(&Params::MAX, 3, 70, 40);
    joins::<512>(&Params::MAX, 5, 100, 100);
}

#[test]
fn inputs_take_turns_and_no_cycle_is_lost() {
    let mut bench = Bench::<512>::new(&Params::TINY, 4, 100, 100);
    for number in 0..40 {
        (0..INPUTS).for_each(|input| bench.push(input, number));
    }
    let beats: usize = bench.sources.iter().map(|source| source.beats.len()).sum();
    bench.cycle();
    bench.idle = 0;
    (0..beats).for_each(|_| bench.cycle());
    assert_eq!(bench.idle, 0, "a cycle without a beat");
    let turns: Vec<usize> = bench.order.iter().copied().collect();
    assert!(turns.chunks(INPUTS).all(|turn| turn == [0, 1, 2]), "{turns:?}");
}

#[test]
fn requests_ride_on_others_and_take_no_beat() {
    let mut bench = Bench::<512>::new(&Params::MAX, 6, 100, 100);
    for number in 0..40 {
        (0..INPUTS).for_each(|input| bench.push(input, number));
    }
    let beats: usize = bench.sources[..REQUESTS].iter().map(|source| source.beats.len()).sum();
    bench.cycle();
    bench.idle = 0;
    (0..beats).for_each(|_| bench.cycle());
    assert_eq!(bench.idle, 0, "a cycle without a beat");
    bench.drain();
    assert_eq!((bench.sink.tlps.len(), bench.counted), (120, 120));
    // The first has the turn at reset; from then on each TLP of another carries one.
    let own = bench.sink.tlps.iter().position(|tlp| tlp.header[3] >> 16 == REQUESTS as u32);
    assert_eq!(own, Some(1));
}

/// A reader that asks all the time has a little more than what rides.
#[test]
fn requests_that_wait_have_a_turn_behind_four_that_rode() {
    let mut bench = Bench::<512>::new(&Params::MAX, 7, 100, 100);
    for number in 0..80 {
        bench.push_words(1, number, 18);
        (0..2).for_each(|i| bench.push(REQUESTS, 2 * number + i));
    }
    bench.drain();
    let input = |tlp: &Tlp| (tlp.header[3] >> 16) as usize;
    let last = bench.sink.tlps.iter().rposition(|tlp| input(tlp) == 1).unwrap();
    let requests = bench.sink.tlps.iter().take(last).filter(|tlp| input(tlp) == REQUESTS).count();
    assert!((96..=100).contains(&requests), "beside 80 writes went {requests} requests");
}
