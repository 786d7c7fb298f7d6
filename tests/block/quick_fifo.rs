//! `prim::quick_fifo` against a list: all words in order, and the first of them in the next cycle.

use crate::harness::Harness;
use crate::streams::{Feed, Watch};
use hematite_hw::prim::quick_fifo::QuickFifo;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;

fn bench(depth: usize, quick: bool) -> Harness<QuickFifo<Bits<16>>> {
    Harness::new(QuickFifo::new(depth, quick), |u| &mut u.clock)
}

#[test]
fn words_keep_their_order() {
    for (depth, quick, eager, seed) in [
        (2, true, (0.8, 0.6), 1),
        (16, true, (0.3, 0.9), 2),
        (64, true, (1.0, 1.0), 3),
        (4, false, (0.5, 0.7), 4),
    ] {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut h = bench(depth, quick);
        let mut words = Feed::<Bits<16>>::new(eager.0);
        words.queue.extend((0..600u64).map(Bits::from));
        let mut out = Watch::<Bits<16>>::new("source", eager.1);
        let (mut put, mut came) = (0u64, 0u64);
        while came < 600 {
            assert!(h.cycle < 60_000, "seed {seed}: stuck after {came} words");
            words.drive(&mut h.uut.sink, &mut rng);
            out.drive(&mut h.uut.source, &mut rng);
            h.settle();
            assert_eq!(h.uut.empty.val(), put == came, "seed {seed}, cycle {}", h.cycle);
            put += u64::from(words.taken(&h.uut.sink).is_some());
            if let Some(word) = out.taken(&h.uut.source) {
                assert_eq!(word, came, "seed {seed}, cycle {}", h.cycle);
                came += 1;
            }
            h.tick();
        }
    }
}

/// Cycles from a word's coming to its offer, into an empty queue.
#[test]
fn the_first_word_does_not_wait() {
    for (quick, cycles) in [(true, 1), (false, 2)] {
        let mut h = bench(8, quick);
        h.uut.sink.valid.next = true;
        h.uut.sink.data.next = 7u64.into();
        h.settle();
        h.tick();
        h.uut.sink.valid.next = false;
        for cycle in 1..=cycles {
            h.settle();
            assert_eq!(h.uut.source.valid.val(), cycle == cycles, "cycle {cycle} of {cycles}");
            h.tick();
        }
    }
}
