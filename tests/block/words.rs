//! `prim::quick_fifo`, `front_fifo` and `skid` against a list: all words in order, and the first of them without waiting.

use crate::harness::Harness;
use crate::streams::{Feed, Watch};
use hematite_hw::prim::front_fifo::FrontFifo;
use hematite_hw::prim::quick_fifo::QuickFifo;
use hematite_hw::prim::skid::Skid;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;

/// A test of 600 words, put in and taken out at random; and of what a word waits that finds nothing before it.
macro_rules! keeps_order {
    ($name:ident, $new:expr, [$($put:literal / $take:literal),*], $latency:literal) => {
        #[test]
        fn $name() {
            for (seed, (put, take)) in (1..).zip([$(($put, $take)),*]) {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let mut h = Harness::new($new, |u| &mut u.clock);
                let mut words = Feed::<Bits<16>>::new(put);
                words.queue.extend((0..600u64).map(Bits::from));
                let mut out = Watch::<Bits<16>>::new("source", take);
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
            let mut h = Harness::new($new, |u| &mut u.clock);
            h.uut.sink.valid.next = true;
            h.uut.sink.data.next = 7u64.into();
            for cycle in 0..=$latency {
                h.settle();
                assert_eq!(h.uut.source.valid.val(), cycle == $latency, "cycle {cycle} of {}", $latency);
                h.tick();
                h.uut.sink.valid.next = false;
            }
        }
    };
}

keeps_order!(quick_fifo_of_two, QuickFifo::<Bits<16>>::new(2, true), [0.8 / 0.6, 1.0 / 1.0], 1);
keeps_order!(quick_fifo, QuickFifo::<Bits<16>>::new(16, true), [0.3 / 0.9, 1.0 / 0.5], 1);
keeps_order!(slow_fifo, QuickFifo::<Bits<16>>::new(4, false), [0.5 / 0.7, 1.0 / 1.0], 2);
keeps_order!(
    front_fifo,
    FrontFifo::<Bits<16>>::new(4, true),
    [0.8 / 0.6, 1.0 / 1.0, 0.3 / 0.9, 1.0 / 0.2],
    1
);
keeps_order!(front_fifo_without_a_front, FrontFifo::<Bits<16>>::new(16, false), [0.5 / 0.7, 1.0 / 1.0], 1);
keeps_order!(skid, Skid::<Bits<16>>::new(true), [0.8 / 0.6, 1.0 / 1.0, 0.3 / 0.9, 1.0 / 0.2], 0);
keeps_order!(skid_of_wires, Skid::<Bits<16>>::new(false), [0.5 / 0.7, 1.0 / 1.0], 0);

/// What is taken in hangs on nothing that comes in the same cycle: as long as nothing is kept.
#[test]
fn a_skid_takes_without_asking() {
    let mut h = Harness::new(Skid::<Bits<16>>::new(true), |u| &mut u.clock);
    for ready in [false, true] {
        h.uut.source.ready.next = ready;
        h.uut.sink.valid.next = true;
        h.settle();
        assert_eq!(h.uut.sink.ready.val(), !ready, "taken in the first cycle, kept in the second");
        assert_eq!(h.uut.empty.val(), !ready);
        h.tick();
    }
}
