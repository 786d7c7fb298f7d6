//! The DMA engines and what they are made of.

use super::{agrees, prints, roomy};
use crate::reader::traffic::Traffic;
use crate::root::{Faults, REQUESTER};
use hematite_hw::params::Params;
use hematite_hw::pcie::reader::Reader;
use hematite_hw::pcie::request::RequestShape;
use hematite_hw::pcie::writer::Writer;
use hematite_hw::port::dma::WriteSide;
use hematite_hw::port::pcie::PcieSettings;
use hematite_hw::prim::arbiter::Arbiter;
use hematite_hw::prim::beat_fifo::BeatFifo;
use hematite_hw::prim::block_fifo::BlockFifo;
use hematite_hw::prim::cut::{Cut, CutJob};
use hematite_hw::prim::dword_ram::DwordRam;
use hematite_hw::prim::fifo::Fifo;
use hematite_hw::prim::front_fifo::FrontFifo;
use hematite_hw::prim::ids::Ids;
use hematite_hw::prim::packet_fifo::PacketFifo;
use hematite_hw::prim::quick_fifo::QuickFifo;
use hematite_hw::prim::skid::Skid;
use hematite_verilog::gate::{Random, Stimulus};
use hematite_verilog::offer;
use rand::Rng;
use rust_hdl_core::prelude::*;
use rust_hdl_core::simulate::simulate;
use std::collections::VecDeque;

fn bits<const N: usize>(s: &mut Stimulus) -> Bits<N> {
    Bits::random(s.rng())
}

/// A block that is a queue of words.
macro_rules! word_queue {
    ($name:literal, $new:expr) => {
        prints($name, $new);
        agrees(
            $name,
            $new,
            |b| &mut b.clock,
            3000,
            |b, s| {
                s.rare(&mut b.reset);
                offer!(s, b.sink, data);
                s.bit("source_ready", &mut b.source.ready);
            },
        );
    };
}

#[test]
fn primitives() {
    roomy(|| {
        for (most, limit, lazy, long) in [
            (128, 128, false, false),
            (512, 256, true, false),
            (512, 256, false, true),
            (4096, 512, false, true),
            (4096, 4096, true, false),
        ] {
            let cut = |most| {
                let cut = if lazy { Cut::<Bits<5>>::lazy(most) } else { Cut::<Bits<5>>::new(most) };
                if long { cut.long() } else { cut }
            };
            prints("cut", cut(most));
            agrees(
                "cut",
                cut(most),
                |b| &mut b.clock,
                2000,
                move |b, s| {
                    s.rare(&mut b.reset);
                    b.limit.next = limit.into();
                    if s.free("job") {
                        s.bit("job_valid", &mut b.job.valid);
                        let len = bits::<16>(s) >> s.rng().random_range(if long { 0..16 } else { 3..16 });
                        b.job.data.next = CutJob { addr: bits(s), len: bit_cast::<17, 16>(len) };
                        s.any(&mut b.tag);
                    }
                    s.bit("piece_ready", &mut b.piece.ready);
                },
            );
        }
        for count in [2, 16, 256] {
            prints("ids", Ids::new(count));
            let mut out = VecDeque::new();
            let mut before = None;
            agrees(
                "ids",
                Ids::new(count),
                |b| &mut b.clock,
                2000,
                move |b, s| {
                    s.rare(&mut b.reset);
                    if let Some(id) = before {
                        out.push_back(id);
                    }
                    if b.reset.next {
                        out.clear();
                    }
                    b.give.next = !out.is_empty() && s.rng().random_bool(0.3);
                    b.give_id.next = if b.give.next { out.pop_front().unwrap() } else { 0.into() };
                    s.bit("id_ready", &mut b.id.ready);
                    simulate(b, 100);
                    before =
                        (b.id.valid.val() && b.id.ready.val() && !b.reset.val()).then(|| b.id.data.val());
                },
            );
        }
        for n in [1, 5, 32] {
            prints("arbiter", Arbiter::new(n));
            agrees(
                "arbiter",
                Arbiter::new(n),
                |b| &mut b.clock,
                2000,
                |b, s| {
                    s.rare(&mut b.reset);
                    s.bit("take", &mut b.take);
                    for (i, want) in b.wants.iter_mut().enumerate() {
                        s.bit(&format!("want{i}"), want);
                    }
                },
            );
        }
        prints("shape", RequestShape::default());
    });
}

fn queues<const W: usize>() {
    for depth in [1, 2, 4, 16] {
        prints("beat_fifo", BeatFifo::<W, Bits<3>>::new(depth));
        agrees(
            "beat_fifo",
            BeatFifo::<W, Bits<3>>::new(depth),
            |b| &mut b.clock,
            2000,
            |b, s| {
                s.rare(&mut b.reset);
                offer!(s, b.sink, data, last, side);
                s.bit("source_ready", &mut b.source.ready);
            },
        );
        prints("fifo", Fifo::<Bits<W>>::new(depth));
        agrees(
            "fifo",
            Fifo::<Bits<W>>::new(depth),
            |b| &mut b.clock,
            2000,
            |b, s| {
                s.rare(&mut b.reset);
                offer!(s, b.sink, data);
                s.bit("source_ready", &mut b.source.ready);
            },
        );
        let mask: Bits<W> = (Bits::from(0x8ff) << (W as u64 / 2)) | Bits::from(0x35);
        prints("narrow_fifo", Fifo::<Bits<W>>::narrow(depth, mask));
        agrees(
            "narrow_fifo",
            Fifo::<Bits<W>>::narrow(depth, mask),
            |b| &mut b.clock,
            2000,
            move |b, s| {
                s.rare(&mut b.reset);
                offer!(s, b.sink, data);
                b.sink.data.next = b.sink.data.val() & mask;
                s.bit("source_ready", &mut b.source.ready);
            },
        );
    }
}

fn memories<const W: usize>() {
    prints("dword_ram", DwordRam::<W>::new(64));
    agrees(
        "dword_ram",
        DwordRam::<W>::new(64),
        |b| &mut b.clock,
        2000,
        |b, s| {
            let rows = 64;
            let read = s.rng().random_range(0..rows);
            // What is read while it is written means nothing: the two stay two rows apart.
            let row = (read + s.rng().random_range(2..rows - 2)) % rows;
            s.bit("write", &mut b.write);
            b.write_at.next = (row * (W as u64 / 32) + s.rng().random_range(0..W as u64 / 32)).into();
            b.write_count.next = s.rng().random_range(0..=W as u64 / 32).into();
            s.any(&mut b.write_data);
            s.bit("read", &mut b.read);
            b.read_row.next = read.into();
        },
    );
    for quick in [false, true] {
        word_queue!("quick_fifo", QuickFifo::<Bits<W>>::new(16, quick));
        word_queue!("front_fifo", FrontFifo::<Bits<W>>::new(16, quick));
        word_queue!("skid", Skid::<Bits<W>>::new(quick));
    }
    for depth in [2, 64] {
        prints("block_fifo", BlockFifo::<Bits<W>>::new(depth));
        agrees(
            "block_fifo",
            BlockFifo::<Bits<W>>::new(depth),
            |b| &mut b.clock,
            3000,
            |b, s| {
                s.rare(&mut b.reset);
                s.rare(&mut b.forget);
                s.bit("keep", &mut b.keep);
                offer!(s, b.sink, data);
                s.bit("source_ready", &mut b.source.ready);
            },
        );
    }
    prints("packet_fifo", PacketFifo::<W, Bits<3>>::new(32));
    agrees(
        "packet_fifo",
        PacketFifo::<W, Bits<3>>::new(32),
        |b| &mut b.clock,
        3000,
        |b, s| {
            s.rare(&mut b.reset);
            s.rare(&mut b.forget);
            offer!(s, b.sink, data, last, side);
            s.bit("source_ready", &mut b.source.ready);
        },
    );
}

#[test]
fn queues_and_memories() {
    roomy(|| {
        queues::<64>();
        memories::<64>();
        memories::<512>();
    });
}

fn reader<const W: usize>(params: &Params, cycles: usize) {
    let mut traffic = Traffic::new(params, 1);
    traffic.faults = Faults { status: 40, poisoned: 20, marked: 20, lost: 0, late: 0, stray: 20 };
    let settings = Traffic::settings(params);
    let uut = Reader::<W>::new(params);
    agrees(
        "reader",
        uut,
        |b| &mut b.clock,
        cycles,
        move |b, s| {
            b.settings.next = settings;
            b.reset.next = s.cycle() < 2;
            s.rare(&mut b.write_waits);
            s.bit("write_taken", &mut b.write_taken);
            // The last part is a drain in the middle of everything.
            b.drain.next = s.cycle() > cycles - 200;
            if s.cycle() > cycles - 200 {
                traffic.clients.iter_mut().for_each(|c| c.deaf = true);
            }
            traffic.asking = s.cycle() > 3;
            traffic.stage(b, s.cycle() as u64);
            assert!(simulate(b, 400));
            if !b.drain.val() {
                traffic.observe(b, s.cycle() as u64);
            }
        },
    );
}

#[test]
fn reader_agrees() {
    roomy(|| {
        let params = Params { timeout_cycles: 1024, ..Params::TINY };
        prints("reader", Reader::<64>::new(&params));
        reader::<64>(&params, 4000);
        reader::<512>(&Params { timeout_cycles: 1024, ..Params::MAX }, 1500);
    });
}

fn writer<const W: usize>(params: &Params, cycles: usize) {
    agrees(
        "writer",
        Writer::<W>::new(params, 3),
        |b| &mut b.clock,
        cycles,
        |b, s| {
            s.rare(&mut b.reset);
            s.rare(&mut b.drain);
            b.settings.next = PcieSettings {
                bus_master: s.cycle() % 700 > 100,
                requester: REQUESTER.into(),
                ..PcieSettings::default()
            };
            for i in 0..3 {
                if s.free(&format!("writes_{i}")) {
                    let port = &mut b.writes[i];
                    s.bit(&format!("valid{i}"), &mut port.valid);
                    s.any(&mut port.last);
                    s.any(&mut port.data);
                    let len = bits::<13>(s) & 0x1ff;
                    port.side.next =
                        WriteSide { addr: bits(s), len, notify: s.rng().random_range(0..4).into() };
                }
            }
            s.bit("tlp_ready", &mut b.tlp.ready);
        },
    );
}

#[test]
fn writer_agrees() {
    roomy(|| {
        prints("writer", Writer::<64>::new(&Params::TINY, 3));
        writer::<64>(&Params::TINY, 4000);
        writer::<512>(&Params::MAX, 1000);
    });
}
