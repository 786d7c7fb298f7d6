//! `prim::fifo` and `prim::beat_fifo` at every kind of depth: order, room, what ready depends on.

use crate::harness::Harness;
use crate::streams::{Beat, Feed, Watch};
use hematite_hw::prim::beat_fifo::BeatFifo;
use hematite_hw::prim::fifo::Fifo;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;

fn words(depth: usize, offer: f64, take: f64, seed: u64) -> u64 {
    let mut h = Harness::new(Fifo::<Bits<16>>::new(depth), |u| &mut u.clock);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut feed, mut watch) = (Feed::new(offer), Watch::new("source", take));
    feed.queue.extend((0..1000u64).map(Bits::<16>::from));
    let (mut inside, mut next) = (0, 0u64);
    while next < 1000 {
        feed.drive(&mut h.uut.sink, &mut rng);
        watch.drive(&mut h.uut.source, &mut rng);
        h.settle();
        let room = u64::from(h.uut.room.val()) as usize;
        assert_eq!(room, depth - inside, "room at depth {depth}");
        let passes = depth == 1 && h.uut.source.ready.val();
        assert_eq!(h.uut.sink.ready.val(), room > 0 || passes, "ready at depth {depth}");
        assert_eq!(h.uut.source.valid.val(), inside > 0, "what is put in is offered in the next cycle");
        inside += usize::from(feed.taken(&h.uut.sink).is_some());
        if let Some(word) = watch.taken(&h.uut.source) {
            assert_eq!(word, next, "order at depth {depth}");
            (inside, next) = (inside - 1, next + 1);
        }
        h.tick();
        assert!(h.cycle < 20_000, "{next} of 1000 words within 20000 cycles");
    }
    h.cycle
}

#[test]
fn in_order_and_no_further_than_the_room() {
    for depth in [1, 2, 4, 32] {
        words(depth, 0.5, 0.5, depth as u64);
        words(depth, 0.9, 0.2, 10 + depth as u64);
        words(depth, 0.2, 0.9, 20 + depth as u64);
    }
}

#[test]
fn a_word_in_every_cycle() {
    for depth in [1, 2, 4, 32] {
        let cycles = words(depth, 1.0, 1.0, 1);
        assert!(cycles <= 1001, "1000 words through depth {depth} in {cycles} cycles");
    }
}

#[test]
fn beats_come_with_all_that_is_theirs_and_a_reset_empties() {
    for depth in [1, 2, 4] {
        let mut h = Harness::new(BeatFifo::<64, Bits<5>>::new(depth), |u| &mut u.clock);
        let mut rng = ChaCha8Rng::seed_from_u64(depth as u64);
        let (mut feed, mut watch) = (Feed::new(0.7), Watch::new("source", 0.6));
        let mut expected = std::collections::VecDeque::new();
        for round in 0..600 {
            if feed.queue.is_empty() {
                let side = rng.random_range(0..32u64).into();
                feed.queue.push_back(Beat { data: rng.random::<u64>().into(), last: rng.random(), side });
            }
            feed.drive_beat(&mut h.uut.sink, &mut rng);
            watch.drive_beat(&mut h.uut.source, &mut rng);
            h.uut.reset.next = round % 50 == 49;
            h.settle();
            expected.extend(feed.taken_beat(&h.uut.sink));
            if let Some(beat) = watch.taken_beat(&h.uut.source) {
                assert_eq!(Some(beat), expected.pop_front(), "depth {depth}");
            }
            if h.uut.reset.val() {
                watch.forget();
                expected.clear();
            }
            h.tick();
        }
    }
}
