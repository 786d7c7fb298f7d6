//! `prim::block_fifo` against a list: what is kept comes out in order, what is forgotten does not.

use crate::harness::Harness;
use crate::streams::{Feed, Watch};
use hematite_hw::prim::block_fifo::BlockFifo;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use std::collections::VecDeque;

const WORDS: u64 = 600;

fn bench(depth: usize) -> Harness<BlockFifo<Bits<16>>> {
    Harness::new(BlockFifo::new(depth), |u| &mut u.clock)
}

fn run(depth: usize, keep: f64, forget: f64, eager: (f64, f64), seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut h = bench(depth);
    let mut words = Feed::<Bits<16>>::new(eager.0);
    words.queue.extend((0..WORDS).map(Bits::from));
    let mut out = Watch::<Bits<16>>::new("source", eager.1);
    let (mut due, mut open) = (VecDeque::new(), Vec::new());
    let (mut came, mut forgotten) = (0, 0);
    while came + forgotten < WORDS as usize {
        assert!(h.cycle < 100 * WORDS, "stuck after {came} and {forgotten} words");
        // A list full of words that are not kept stands until someone decides.
        let stuck = open.len() == depth || words.queue.is_empty();
        h.uut.forget.next = rng.random_bool(forget);
        h.uut.keep.next = stuck || rng.random_bool(keep);
        words.drive(&mut h.uut.sink, &mut rng);
        out.drive(&mut h.uut.source, &mut rng);
        h.settle();
        assert_eq!(h.uut.empty.val(), due.is_empty() && open.is_empty(), "cycle {}", h.cycle);
        open.extend(words.taken(&h.uut.sink));
        if h.uut.forget.val() {
            forgotten += open.len();
            open.clear();
        } else if h.uut.keep.val() {
            due.extend(open.drain(..));
        }
        if let Some(word) = out.taken(&h.uut.source) {
            assert_eq!(Some(word), due.pop_front(), "cycle {}", h.cycle);
            came += 1;
        }
        h.tick();
    }
    assert!(came > 0 && (forget == 0.0 || forgotten > 0) && due.is_empty() && !h.uut.source.valid.val());
}

#[test]
fn kept_words_come_out() {
    run(2, 1.0, 0.0, (0.8, 0.6), 1);
    run(16, 0.3, 0.05, (0.9, 0.5), 2);
    run(64, 0.1, 0.01, (1.0, 0.9), 3);
    run(4, 0.2, 0.1, (0.5, 1.0), 4);
}

/// As a plain queue: two cycles through, one word per cycle, and as many inside as it says (one more is on offer).
#[test]
fn holds_its_depth() {
    for depth in [4u64, 8, 64] {
        let mut h = bench(depth as usize);
        h.uut.keep.next = true;
        h.uut.sink.valid.next = true;
        for n in 0..=depth {
            h.uut.sink.data.next = n.into();
            h.settle();
            let (ready, valid) = (h.uut.sink.ready.val(), h.uut.source.valid.val());
            assert_eq!((ready, valid), (true, n >= 2), "word {n} of {depth}");
            h.tick();
        }
        h.settle();
        assert!(!h.uut.sink.ready.val());
        h.uut.sink.valid.next = false;
        h.uut.source.ready.next = true;
        for n in 0..=depth {
            h.settle();
            assert!(h.uut.source.valid.val() && h.uut.source.data.val() == n);
            h.tick();
        }
        assert!(!h.uut.source.valid.val());
    }
}
