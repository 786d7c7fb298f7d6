//! `pcie::quiesce`: a reset is over when nothing of the old life moves, and not before.

use crate::harness::Harness;
use hematite_hw::pcie::quiesce::Quiesce;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Cycles which the data plane gets to hear of a function level reset before anybody looks whether it rests.
const SETTLE: u64 = 16;

fn bench() -> Harness<Quiesce> {
    let mut bench = Harness::new(Quiesce::default(), |b| &mut b.clock);
    bench.uut.reset.next = true;
    bench.tick();
    bench.tick();
    bench.settle();
    assert!(bench.uut.function_reset.val() && bench.uut.data_reset.val());
    bench.uut.reset.next = false;
    bench.tick();
    bench.tick();
    assert!(!bench.uut.function_reset.val() && !bench.uut.data_reset.val() && !bench.uut.busy.val());
    bench
}

#[test]
fn a_device_reset_stops_the_data_plane_only() {
    let mut bench = bench();
    bench.uut.device_reset.next = true;
    bench.uut.dma_busy.next = true;
    bench.tick();
    for cycle in 0..100 {
        assert!(bench.uut.data_reset.val() && bench.uut.busy.val(), "cycle {cycle}");
        assert!(!bench.uut.function_reset.val() && !bench.uut.flr_answer.val(), "cycle {cycle}");
        bench.tick();
    }
    bench.uut.device_reset.next = false;
    bench.uut.dma_busy.next = false;
    bench.tick();
    bench.settle();
    assert!(!bench.uut.data_reset.val() && !bench.uut.busy.val());
}

#[test]
fn quiet_when_neither_dma_nor_registers_move() {
    let mut bench = bench();
    for state in 0..32u32 {
        let bit = |at: u32| state >> at & 1 == 1;
        let u = &mut bench.uut;
        u.dma_busy.next = bit(0);
        u.sweep_busy.next = bit(1);
        u.completer_busy.next = bit(2);
        u.writes_busy.next = bit(3);
        u.device_reset.next = bit(4);
        bench.tick();
        bench.settle();
        assert_eq!(bench.uut.quiet.val(), !bit(0) && !bit(1), "state {state:05b}");
        assert!(bench.uut.busy.val() || !(bit(1) || bit(4)), "state {state:05b}");
    }
}

/// The end of each kind of work, in cycles from the request of the reset.
struct Work {
    dma: u64,
    writes: u64,
    sweep: u64,
    /// Cycles from the permission to answer until the answer has gone.
    answer: u64,
}

/// A function level reset as the function around goes through it; its cycles until registers are reset.
fn function_level_reset(bench: &mut Harness<Quiesce>, work: &Work) -> u64 {
    let mut answered = None;
    bench.uut.flr.next = true;
    bench.uut.completer_busy.next = true;
    for cycle in 0..1000 {
        let (dma, writes) = (cycle < work.dma, cycle < work.writes);
        let completer = answered.is_none_or(|at| cycle < at + work.answer);
        bench.uut.dma_busy.next = dma;
        bench.uut.writes_busy.next = writes;
        bench.uut.sweep_busy.next = cycle < work.sweep;
        bench.uut.completer_busy.next = completer;
        bench.settle();
        let u = &bench.uut;
        assert!(u.busy.val(), "cycle {cycle}");
        assert_eq!(u.data_reset.val(), cycle > 0, "cycle {cycle}");
        assert_eq!(u.flr_answer.val(), cycle >= SETTLE && !writes, "cycle {cycle}: the answer may go");
        if u.flr_answer.val() && answered.is_none() {
            answered = Some(cycle);
        }
        if u.function_reset.val() {
            // It comes from a register: what counts is the cycle before.
            assert!(cycle > work.dma.max(SETTLE), "cycle {cycle}: DMA, or what has not heard of it, moves");
            assert!(answered.is_some_and(|at| cycle > at + work.answer), "cycle {cycle}: not answered");
            bench.tick();
            return cycle;
        }
        bench.tick();
    }
    panic!("the function is not reset within 1000 cycles");
}

#[test]
fn a_function_level_reset_waits_for_all_of_ours() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut bench = bench();
    for round in 0..60 {
        let most = [1, 20, 200][round % 3];
        let writes = rng.random_range(0..most);
        // Writes are DMA too.
        let dma = writes.max(rng.random_range(0..most));
        let (sweep, answer) = (rng.random_range(0..most), rng.random_range(0..30));
        let work = Work { dma, writes, sweep, answer };
        let took = function_level_reset(&mut bench, &work);
        let answered = writes.max(SETTLE) + answer;
        assert_eq!(took, dma.max(SETTLE).max(answered) + 1, "round {round}: no later than it has to");
        // The registers' reset takes the request away; then it is over.
        bench.uut.flr.next = false;
        bench.uut.sweep_busy.next = false;
        bench.tick();
        bench.tick();
        bench.settle();
        let u = &bench.uut;
        assert!(!u.function_reset.val() && !u.data_reset.val() && !u.busy.val(), "round {round}");
        assert!(!u.flr_answer.val(), "round {round}: the next one waits anew");
    }
}

#[test]
fn a_reset_needs_no_rest() {
    let mut bench = bench();
    let u = &mut bench.uut;
    (u.dma_busy.next, u.writes_busy.next, u.completer_busy.next) = (true, true, true);
    bench.uut.reset.next = true;
    bench.tick();
    bench.settle();
    assert!(bench.uut.function_reset.val() && bench.uut.data_reset.val());
}
