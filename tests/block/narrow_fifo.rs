//! A narrow `prim::fifo` against a list.

use crate::harness::Harness;
use crate::streams::{Feed, Watch};
use hematite_hw::prim::fifo::Fifo;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use std::collections::VecDeque;

const WORDS: u64 = 300;

#[test]
fn words_come_out_in_order() {
    for (seed, depth) in [1, 2, 4, 16].into_iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
        let mut h = Harness::new(Fifo::<Bits<16>>::narrow(depth, 0x0ff0.into()), |u| &mut u.clock);
        let mut words = Feed::<Bits<16>>::new(0.7);
        words.queue.extend((0..WORDS).map(|n| Bits::from((n << 4) & 0x0ff0)));
        let mut due: VecDeque<_> = words.queue.iter().copied().collect();
        let mut out = Watch::<Bits<16>>::new("source", 0.6);
        while !due.is_empty() {
            assert!(h.cycle < 20 * WORDS, "depth {depth}: {} words are missing", due.len());
            words.drive(&mut h.uut.sink, &mut rng);
            out.drive(&mut h.uut.source, &mut rng);
            h.settle();
            words.taken(&h.uut.sink);
            if let Some(word) = out.taken(&h.uut.source) {
                assert_eq!(Some(word), due.pop_front(), "depth {depth}, cycle {}", h.cycle);
            }
            h.tick();
        }
        assert!(!h.uut.source.valid.val());
    }
}
