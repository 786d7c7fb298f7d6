//! What counts, and tells it.

use super::{agrees, prints, roomy};
use hematite_abi::ctrl;
use hematite_hw::params::Params;
use hematite_hw::port::chain::Done;
use hematite_hw::port::frame::Sent;
use hematite_hw::virtio::command::report::Report;
use hematite_hw::virtio::stats::Stats;
use hematite_hw::virtio::stats::tally::Tally;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;

/// Asks for statistics, good ones more often than not.
pub(super) fn command(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = vec![ctrl::CLASS_STATS as u8, rng.random_range(0..3)];
    for _ in 0..rng.random_range(0..4) {
        let queue = rng.random_range(0..10u8);
        let kind = if queue == 8 { 4 } else { 2 * (queue % 2) };
        let kind = if rng.random_ratio(1, 20) { 1 } else { kind };
        let mut entry = [0; ctrl::STATS_ENTRY_BYTES];
        (entry[0], entry[8 + usize::from(kind)]) = (queue, 1);
        bytes.extend(entry);
    }
    bytes.truncate(if rng.random_ratio(1, 8) { 17 } else { bytes.len() });
    bytes
}

#[test]
fn statistics() {
    roomy(|| {
        let params = Params::SIM;
        prints("report", Report::new(&params));
        prints("tally", Tally::new(params.pairs));
        prints("stats", Stats::new(&params));
        let mut rng = ChaCha8Rng::seed_from_u64(13);
        agrees(
            "stats",
            Stats::new(&params),
            |b| &mut b.clock,
            6_000,
            move |b, s| {
                b.reset.next = s.cycle() < 2 || s.cycle() % 1500 == 700;
                b.hashes.next = s.cycle() % 1000 > 500;
                let mut event = |on: &mut Signal<In, Bit>, whose: &mut Signal<In, Bits<16>>| {
                    on.next = rng.random_ratio(1, 3);
                    whose.next = (rng.random_range(0..8) | rng.random_range(0..2u64) << 14).into();
                };
                event(&mut b.kick, &mut b.kick_queue);
                event(&mut b.irq, &mut b.irq_queue);
                event(&mut b.overrun, &mut b.drop_queue);
                event(&mut b.early, &mut b.early_queue);
                event(&mut b.malformed, &mut b.malformed_queue);
                event(&mut b.unsummed, &mut b.unsummed_owner);
                event(&mut b.uncut, &mut b.uncut_owner);
                event(&mut b.unread, &mut b.unread_owner);
                b.dropped.next = rng.random_ratio(1, 4);
                b.irq_vector.next = (0xfffe | rng.random_range(0..2u64)).into();
                b.came.next = rng.random_ratio(1, 2);
                b.arrived.next = Done {
                    queue: rng.random_range(0..8u64).into(),
                    len: rng.random_range(0..9000u64).into(),
                    more: rng.random_ratio(1, 3),
                    ..Done::default()
                };
                b.gone.next = rng.random_ratio(1, 2);
                let owner = rng.random_range(0..8u64) | rng.random_range(0..4) << 14;
                b.sent.next = Sent { owner: owner.into(), len: rng.random_range(0..9000u64).into() };
                b.queue.next = rng.random_range(0..8u64).into();
                b.field.next = rng.random_range(0..6u64).into();
            },
        );
    });
}
