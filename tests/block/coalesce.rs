//! queue::coalesce: what is published is told: not before enough has come or waited, not much later, and all of it in the end.

use crate::harness::Harness;
use crate::rings::{enable, settings};
use crate::streams::{Feed, Watch};
use hematite_abi::ctrl;
use hematite_hw::params::Params;
use hematite_hw::port::chain::Published;
use hematite_hw::queue::coalesce::Coalesce;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Cycles of a microsecond here.
const MICRO: u64 = 5;

fn set(harness: &mut Harness<Coalesce>, item: u64, index: u64, limits: (u64, u64)) {
    harness.uut.settings.valid.next = true;
    harness.uut.settings.item.next = item.into();
    harness.uut.settings.index.next = index.into();
    harness.uut.settings.data.next = (limits.0 | limits.1 << 16).into();
    harness.tick();
    harness.uut.settings.valid.next = false;
}

fn reset(params: &Params) -> Harness<Coalesce> {
    let mut harness = Harness::new(Coalesce::new(params), |b| &mut b.clock);
    harness.uut.reset.next = true;
    harness.tick();
    harness.uut.reset.next = false;
    for queue in 0..params.queues() as u64 {
        enable(&mut harness.uut.control, Some(settings(queue, 8, 0, 0, 0)));
        harness.tick();
    }
    enable(&mut harness.uut.control, None);
    harness
}

/// A queue as the test knows it.
#[derive(Clone, Copy, Default)]
struct Queue {
    limits: (u64, u64),
    published: u16,
    taken: u16,
    told: u16,
    /// When the first was published that has not been told.
    since: Option<u64>,
}

fn random(params: &Params, seed: u64, eager: f64, fenced: bool) {
    let params = Params { clock_mhz: MICRO as usize, ..*params };
    let mut harness = reset(&params);
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let count = params.queues() as u64;
    let mut queues = vec![Queue::default(); count as usize];
    let random_limits = |rng: &mut ChaCha8Rng| (rng.random_range(0..12u64), rng.random_range(0..90u64));
    for (item, odd) in [(ctrl::SET_RX_LIMITS, 0), (ctrl::SET_TX_LIMITS, 1)] {
        let limits = random_limits(rng);
        set(&mut harness, item, 0, limits);
        queues.iter_mut().skip(odd).step_by(2).for_each(|queue| queue.limits = limits);
    }
    for queue in 0..count {
        if rng.random() {
            let limits = random_limits(rng);
            set(&mut harness, ctrl::SET_LIMITS, queue, limits);
            queues[queue as usize].limits = limits;
        }
        harness.uut.asked.next = queue.into();
        harness.settle();
        let told = u64::from(harness.uut.limits.val());
        assert_eq!((told & 0xffff, told >> 16), queues[queue as usize].limits);
    }
    // A round of all that wait takes four cycles each; a taker that is slow, some more.
    let slack = 8 * count + 2 * MICRO + 60;
    let mut published = Feed::<Published>::new(eager);
    let mut due = Watch::<Published>::new("due", 0.7);
    let (mut left, mut told) = (400, 0);
    while left > 0 || harness.uut.busy.val() || !published.queue.is_empty() {
        assert!(harness.cycle < 60_000, "{left} left, or it does not rest");
        let fence = fenced && harness.cycle % 1024 > 900;
        harness.uut.control.fence.next = fence;
        if published.queue.is_empty() && left > 0 && rng.random_bool(0.2) {
            left -= 1;
            let number = rng.random_range(0..count.min(8));
            let queue = &mut queues[number as usize];
            queue.published += rng.random_range(1..4u16);
            let index = u64::from(queue.published).into();
            published.queue.push_back(Published { queue: number.into(), index });
        }
        published.drive(&mut harness.uut.published, rng);
        due.drive(&mut harness.uut.due, rng);
        harness.settle();
        let cycle = harness.cycle;
        if let Some(taken) = published.taken(&harness.uut.published) {
            let queue = &mut queues[u64::from(taken.queue) as usize];
            queue.taken = u64::from(taken.index) as u16;
            queue.since.get_or_insert(cycle);
        }
        if let Some(one) = due.taken(&harness.uut.due) {
            let queue = &mut queues[u64::from(one.queue) as usize];
            let index = u64::from(one.index) as u16;
            let news = index - queue.told;
            let since = queue.since.take().expect("told of nothing");
            let age = cycle - since;
            let (packets, micros) = queue.limits;
            let early =
                packets > 0 && micros > 0 && u64::from(news) < packets && age + MICRO < micros * MICRO;
            assert!(!early || fenced, "{news} after {age} cycles, limits {:?}", queue.limits);
            assert!(age <= micros * MICRO + slack, "{age} cycles, limits {:?}", queue.limits);
            queue.told = index;
            queue.since = (queue.taken != index).then_some(cycle);
            told += 1;
        }
        harness.tick();
    }
    assert!(queues.iter().all(|queue| queue.told == queue.published), "something was not told");
    assert!((20..400).contains(&told), "{told} of 400");
}

#[test]
fn random_limits() {
    for seed in 1..4 {
        random(&Params::SIM, seed, 0.9, false);
    }
    random(&Params::MAX, 5, 0.5, false);
    random(&Params::BOARD, 6, 0.9, true);
}

/// Without limits it is not there.
#[test]
fn nothing_set() {
    let mut harness = reset(&Params::SIM);
    for index in 0..50u64 {
        let one = Published { queue: (index % 8).into(), index: index.into() };
        harness.uut.published.valid.next = true;
        harness.uut.published.data.next = one;
        harness.uut.due.ready.next = index % 3 == 0;
        harness.settle();
        let due = &harness.uut.due;
        assert!(due.valid.val() && due.data.val() == one);
        assert_eq!(harness.uut.published.ready.val(), index % 3 == 0);
        assert!(!harness.uut.busy.val());
        harness.tick();
    }
}
