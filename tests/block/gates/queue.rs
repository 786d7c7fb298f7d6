//! The queue blocks. Random rings rarely make sense: small numbers in every reply give heads, chains and errors alike.

use super::{agrees, prints, roomy};
use hematite_hw::params::Params;
use hematite_hw::port::chain::{Arm as Request, Done, Head, Published, Want};
use hematite_hw::port::dma::ReadSide;
use hematite_hw::port::queue::{QueueControlSink, QueueSettings};
use hematite_hw::prim::beat::BeatSink;
use hematite_hw::queue::Direction;
use hematite_hw::queue::arm::Arm;
use hematite_hw::queue::cache::Cache;
use hematite_hw::queue::coalesce::Coalesce;
use hematite_hw::queue::fetch::Fetch;
use hematite_hw::queue::lookup::{AreaRead, Lookup};
use hematite_hw::queue::suppress::Suppress;
use hematite_hw::queue::used::Used;
use hematite_hw::queue::walk::Walk;
use hematite_verilog::gate::{Random, Stimulus};
use rand::Rng;
use rust_hdl_core::prelude::*;

const CYCLES: usize = 1500;

fn bits<const N: usize>(s: &mut Stimulus) -> Bits<N> {
    Bits::random(s.rng())
}

/// One in `n`.
fn seldom(s: &mut Stimulus, n: u32) -> bool {
    s.rng().random_range(0..n) == 0
}

/// A queue that exists, or nearly.
fn queue(s: &mut Stimulus, params: &Params) -> Bits<16> {
    s.rng().random_range(0..2 * params.queues() as u64).into()
}

/// A queue that does.
fn known(s: &mut Stimulus, params: &Params) -> Bits<16> {
    s.rng().random_range(0..params.queues().min(4) as u64).into()
}

fn control(s: &mut Stimulus, params: &Params, control: &mut QueueControlSink) {
    control.enable.next = seldom(s, 20);
    control.clear.next = !control.enable.next && seldom(s, 200);
    control.fence.next = s.cycle() % 128 > 100;
    control.settings.next = QueueSettings {
        queue: known(s, params),
        size: (8 << s.rng().random_range(0..3)).into(),
        desc: bits(s),
        driver: bits(s),
        device: bits(s),
    };
}

/// A reply whose half words are small.
fn reply<const W: usize>(s: &mut Stimulus, reply: &mut BeatSink<W, ReadSide>) {
    if !s.free("reply") {
        return;
    }
    s.bit("reply_valid", &mut reply.valid);
    reply.last.next = !seldom(s, 4);
    let mut data = Bits::<W>::default();
    for half in 0..W as u64 / 16 {
        let word: Bits<16> = s.rng().random_range(0..12).into();
        data = data | (bit_cast::<W, 16>(word) << (16 * half));
    }
    reply.data.next = data;
    let error = seldom(s, 20);
    reply.side.next = ReadSide { error, timeout: error && seldom(s, 2) };
}

fn head(s: &mut Stimulus, params: &Params, rx: bool) -> Head {
    let number = u64::from(known(s, params));
    Head {
        queue: (number & !1 | u64::from(!rx)).into(),
        id: bits(s),
        slots: s.rng().random_range(0..4).into(),
        addr: bits(s),
        len: bits(s),
        flags: s.rng().random_range(0..8).into(),
        next_desc: s.rng().random_range(0..12).into(),
        none: seldom(s, 8),
    }
}

fn fetch<const W: usize>(params: &Params, direction: Direction) {
    let name = format!("fetch_{}_{direction:?}", params.name).to_lowercase();
    prints(&name, Fetch::<W>::new(params, direction));
    agrees(
        &name,
        Fetch::<W>::new(params, direction),
        |b| &mut b.clock,
        CYCLES,
        |b, s| {
            s.rare(&mut b.reset);
            control(s, params, &mut b.control);
            b.packed.next = s.cycle() % 1000 > 400;
            s.bit("kick", &mut b.kick.valid);
            b.kick.queue.next = queue(s, params);
            b.kick.told.next = seldom(s, 2);
            b.kick.index.next = s.rng().random_range(0..16).into();
            b.event_idx.next = seldom(s, 2);
            b.rearmed.valid.next = seldom(s, 8);
            b.rearmed.queue.next = known(s, params);
            s.bit("arm_ready", &mut b.arm.ready);
            b.stop.valid.next = seldom(s, 100);
            b.stop.queue.next = known(s, params);
            b.credit.valid.next = seldom(s, 10);
            b.credit.queue.next = known(s, params);
            b.credit.total.next = s.rng().random_range(0..8).into();
            b.supply.queue.next = known(s, params);
            b.probe_queue.next = known(s, params);
            s.bit("request_ready", &mut b.request.ready);
            s.bit("head_ready", &mut b.head.ready);
            s.bit("error_ready", &mut b.error.ready);
            reply(s, &mut b.reply);
        },
    );
}

fn lookup<const W: usize>(params: &Params) {
    let name = format!("lookup_{}", params.name).to_lowercase();
    prints(&name, Lookup::<W>::new(params, 3));
    agrees(
        &name,
        Lookup::<W>::new(params, 3),
        |b| &mut b.clock,
        CYCLES,
        |b, s| {
            s.rare(&mut b.reset);
            control(s, params, &mut b.control);
            b.packed.next = s.cycle() % 1000 > 400;
            for i in 0..3 {
                if s.free(&format!("reads_{i}")) {
                    s.bit(&format!("valid{i}"), &mut b.reads[i].valid);
                    b.reads[i].data.next = AreaRead {
                        queue: known(s, params),
                        driver: seldom(s, 2),
                        offset: bits(s),
                        len: bits(s),
                        fixed: seldom(s, 2),
                        base: bits(s),
                    };
                }
                s.bit(&format!("ready{i}"), &mut b.replies[i].ready);
            }
            s.bit("request_ready", &mut b.request.ready);
            reply(s, &mut b.reply);
        },
    );
}

fn walk<const W: usize>(params: &Params, direction: Direction) {
    let name = format!("walk_{}_{direction:?}", params.name).to_lowercase();
    prints(&name, Walk::<W>::new(params, direction));
    agrees(
        &name,
        Walk::<W>::new(params, direction),
        |b| &mut b.clock,
        CYCLES,
        |b, s| {
            s.rare(&mut b.reset);
            control(s, params, &mut b.control);
            if s.free("head") {
                s.bit("head_valid", &mut b.head.valid);
                b.head.data.next = head(s, params, direction == Direction::Rx);
                if seldom(s, 4) {
                    // A table that can be followed.
                    b.head.data.next.addr = (s.rng().random_range(0..1 << 40) << 4).into();
                    b.head.data.next.len = (16 * s.rng().random_range(1..12)).into();
                    b.head.data.next.flags = s.rng().random_range(4..8).into();
                }
            }
            b.indirect.next = !seldom(s, 4);
            b.packed.next = s.cycle() % 1000 > 400;
            s.bit("segment_ready", &mut b.segment.ready);
            s.bit("request_ready", &mut b.request.ready);
            s.bit("error_ready", &mut b.error.ready);
            reply(s, &mut b.reply);
        },
    );
}

fn used<const W: usize>(params: &Params) {
    let name = format!("used_{}", params.name).to_lowercase();
    prints(&name, Used::<W>::new(params));
    agrees(
        &name,
        Used::<W>::new(params),
        |b| &mut b.clock,
        CYCLES,
        |b, s| {
            s.rare(&mut b.reset);
            control(s, params, &mut b.control);
            b.packed.next = s.cycle() % 1000 > 400;
            for (i, done) in b.done.iter_mut().enumerate() {
                if s.free(&format!("done_{i}")) {
                    s.bit(&format!("done_{i}_valid"), &mut done.valid);
                    let more = seldom(s, 3);
                    done.data.next = Done {
                        queue: known(s, params),
                        id: bits(s),
                        slots: s.rng().random_range(1..3).into(),
                        len: bits(s),
                        more,
                    };
                }
            }
            s.bit("write_ready", &mut b.write.ready);
            b.calm.next = seldom(s, 2);
            b.notified.next = seldom(s, 8);
            s.bit("published_ready", &mut b.published.ready);
            b.probe_queue.next = known(s, params);
        },
    );
}

#[test]
fn coalesces() {
    super::roomy(|| {
        for params in [Params::BOARD, Params::MAX] {
            let name = format!("coalesce_{}", params.name).to_lowercase();
            let params = Params { clock_mhz: 2, ..params };
            prints(&name, Coalesce::new(&params));
            agrees(
                &name,
                Coalesce::new(&params),
                |b| &mut b.clock,
                4 * CYCLES,
                |b, s| {
                    b.reset.next = s.cycle() % 3000 < 2;
                    control(s, &params, &mut b.control);
                    b.control.fence.next = s.cycle() % 1024 > 1000;
                    b.settings.valid.next = seldom(s, 40);
                    b.settings.item.next = s.rng().random_range(10..15u64).into();
                    b.settings.index.next = known(s, &params);
                    let (packets, micros) = (s.rng().random_range(0..9), s.rng().random_range(0..40));
                    b.settings.data.next = (packets | micros << 16).into();
                    b.asked.next = known(s, &params);
                    if s.free("published") {
                        s.bit("published_valid", &mut b.published.valid);
                        let index = (s.cycle() as u64 / 8 + s.rng().random_range(0..4u64)).into();
                        b.published.data.next = Published { queue: known(s, &params), index };
                    }
                    s.bit("due_ready", &mut b.due.ready);
                },
            );
        }
    });
}

fn suppress<const W: usize>(params: &Params) {
    let name = format!("suppress_{}", params.name).to_lowercase();
    prints(&name, Suppress::<W>::new(params));
    agrees(
        &name,
        Suppress::<W>::new(params),
        |b| &mut b.clock,
        CYCLES,
        |b, s| {
            s.rare(&mut b.reset);
            control(s, params, &mut b.control);
            b.packed.next = s.cycle() % 1000 > 400;
            b.event_idx.next = seldom(s, 2);
            if s.free("published") {
                s.bit("published_valid", &mut b.published.valid);
                b.published.data.next =
                    Published { queue: known(s, params), index: s.rng().random_range(0..12).into() };
            }
            s.bit("irq_ready", &mut b.irq.ready);
            s.bit("request_ready", &mut b.request.ready);
            s.bit("error_ready", &mut b.error.ready);
            reply(s, &mut b.reply);
        },
    );
}

fn arm<const W: usize>(params: &Params) {
    let name = format!("arm_{}", params.name).to_lowercase();
    prints(&name, Arm::<W>::new(params));
    agrees(
        &name,
        Arm::<W>::new(params),
        |b| &mut b.clock,
        CYCLES,
        |b, s| {
            s.rare(&mut b.reset);
            control(s, params, &mut b.control);
            b.packed.next = s.cycle() % 1000 > 400;
            for (i, arm) in b.arms.iter_mut().enumerate() {
                if s.free(&format!("arms_{i}")) {
                    s.bit(&format!("arms_{i}_valid"), &mut arm.valid);
                    arm.data.next = Request { queue: known(s, params), index: bits(s) };
                }
            }
            s.bit("write_ready", &mut b.write.ready);
            b.notified.next = seldom(s, 8);
        },
    );
}

fn cache(params: &Params) {
    let name = format!("cache_{}", params.name).to_lowercase();
    prints(&name, Cache::new(params));
    agrees(
        &name,
        Cache::new(params),
        |b| &mut b.clock,
        CYCLES,
        |b, s| {
            s.rare(&mut b.reset);
            control(s, params, &mut b.control);
            if s.free("head") {
                s.bit("head_valid", &mut b.head.valid);
                b.head.data.next = head(s, params, true);
            }
            if s.free("want") {
                s.bit("want_valid", &mut b.want.valid);
                b.want.data.next = Want { queue: known(s, params), first: seldom(s, 3) };
            }
            s.bit("answer_ready", &mut b.answer.ready);
            b.commit.valid.next = seldom(s, 6);
            b.commit.queue.next = known(s, params);
            b.commit.chains.next = s.rng().random_range(0..4).into();
            b.supply.begun.next = s.rng().random_range(0..8).into();
            s.bit("idle", &mut b.supply.idle);
            b.supply.live.next = if seldom(s, 6) { bits(s) } else { u64::MAX.into() };
        },
    );
}

#[test]
fn tiny() {
    roomy(|| {
        fetch::<64>(&Params::TINY, Direction::Rx);
        fetch::<64>(&Params::TINY, Direction::Tx);
        lookup::<64>(&Params::TINY);
        walk::<64>(&Params::TINY, Direction::Rx);
        walk::<64>(&Params::TINY, Direction::Tx);
        cache(&Params::TINY);
        used::<64>(&Params::TINY);
        suppress::<64>(&Params::TINY);
        arm::<64>(&Params::TINY);
    });
}

#[test]
fn max() {
    roomy(|| {
        fetch::<512>(&Params::MAX, Direction::Rx);
        lookup::<512>(&Params::MAX);
        walk::<512>(&Params::MAX, Direction::Tx);
        cache(&Params::MAX);
        used::<512>(&Params::MAX);
        suppress::<512>(&Params::MAX);
        arm::<512>(&Params::MAX);
    });
}
