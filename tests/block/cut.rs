//! `prim::cut` against a plain cutter.

use crate::harness::Harness;
use hematite_hw::prim::cut::{Cut, CutJob};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use std::collections::VecDeque;

const MOST_BYTES: u32 = Cut::<Bits<9>>::MOST_BYTES as u32;

/// Address, bytes, last.
fn pieces(addr: u64, len: u32, limit: u64) -> Vec<(u64, u64, bool)> {
    let (mut at, mut left, mut out) = (addr, u64::from(len), Vec::new());
    loop {
        let n = left.min(limit - at % limit);
        left -= n;
        out.push((at, n, left == 0));
        if left == 0 {
            return out;
        }
        at += n;
    }
}

type Make = fn(usize) -> Cut<Bits<9>>;

/// Pieces in a thousand cycles.
fn run(make: Make, limit: u64, stalls: f64, gaps: f64, seed: u64) -> u64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut h = Harness::new(make(limit as usize), |u| &mut u.clock);
    h.uut.limit.next = limit.into();
    h.uut.reset.next = true;
    h.tick();
    h.uut.reset.next = false;
    let mut jobs: VecDeque<(u64, u32)> = (0..40)
        .map(|i| match i {
            0 => (0x1_0000_0fff, 1),
            1 => (0, 0),
            2 => (0xffff_f001, 9000),
            3 => (u64::from(u32::MAX) - 5, 4096),
            4 => (0xffff_ffff_ffff_0fff, MOST_BYTES),
            _ => {
                let most = 1 << rng.random_range(1..14);
                (rng.random::<u64>() >> 8, rng.random_range(0..most))
            }
        })
        .collect();
    let tags = jobs.len();
    let mut want: VecDeque<_> = jobs
        .iter()
        .enumerate()
        .flat_map(|(tag, &(addr, len))| pieces(addr, len, limit).into_iter().map(move |piece| (piece, tag)))
        .collect();
    let count = want.len() as u64;
    let start = h.cycle;
    let mut offering = false;
    while !want.is_empty() {
        assert!(h.cycle < 100_000, "{} pieces are missing", want.len());
        offering = (offering || !rng.random_bool(gaps)) && !jobs.is_empty();
        h.uut.job.valid.next = offering;
        let (addr, len) = jobs.front().copied().unwrap_or_default();
        h.uut.job.data.next = CutJob { addr: addr.into(), len: u64::from(len).into() };
        h.uut.tag.next = (tags - jobs.len()).to_bits();
        h.uut.piece.ready.next = !rng.random_bool(stalls);
        h.settle();
        if offering && h.uut.job.ready.val() {
            jobs.pop_front();
            offering = false;
        }
        if h.uut.piece.valid.val() && h.uut.piece.ready.val() {
            let piece = h.uut.piece.data.val();
            let got = (u64::from(piece.addr), u64::from(piece.len), piece.last);
            let tag = h.uut.piece_tag.val().index();
            assert_eq!(Some((got, tag)), want.pop_front(), "cycle {}", h.cycle);
        }
        h.tick();
    }
    for _ in 0..8 {
        h.tick();
        assert!(!h.uut.piece.valid.val() && !h.uut.busy.val(), "a piece nobody asked for");
    }
    count * 1000 / (h.cycle - start - 8)
}

#[test]
fn pieces_are_whole_and_in_order() {
    for (seed, limit) in [128, 256, 512, 1024, 2048, 4096].into_iter().enumerate() {
        run(Cut::new, limit, 0.4, 0.3, seed as u64);
        run(Cut::new, limit, 0.0, 0.8, seed as u64 + 100);
        run(Cut::lazy, limit, 0.3, 0.4, seed as u64 + 200);
    }
}

#[test]
fn one_piece_in_every_cycle() {
    let thousandth = run(Cut::new, 128, 0.0, 0.0, 7);
    assert!(thousandth > 990, "{thousandth} pieces in 1000 cycles");
    let thousandth = run(Cut::lazy, 128, 0.0, 0.0, 7);
    assert!(thousandth > 495, "{thousandth} pieces in 1000 cycles, lazily");
}
