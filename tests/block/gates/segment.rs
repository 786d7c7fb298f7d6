//! What segments packets.

use super::{agrees, prints, roomy};
use crate::checksum::beats;
use crate::streams::{Beat, Feed};
use hematite_abi::net;
use hematite_hw::net::headers::Headers;
use hematite_hw::net::split::Split;
use hematite_hw::params::Params;
use hematite_hw::port::frame::{FrameSide, Offload, Sum};
use hematite_hw::prim::header_ram::HeaderRam;
use hematite_tests::packet::Packet;
use hematite_verilog::gate::Random;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use rust_hdl_core::simulate::simulate;

/// Passes until a block's outputs follow its inputs.
const SETTLE: usize = 400;
/// Cycles compared.
const CYCLES: usize = 3000;

fn settle<B: Block>(block: &mut B) {
    assert!(simulate(block, SETTLE), "the block does not settle");
}

fn offload(rng: &mut ChaCha8Rng, packet: &Packet) -> Offload {
    let odd = if rng.random_ratio(1, 10) { rng.random_range(0..300) } else { 0 };
    let start = packet.transport as u64 + odd;
    Offload {
        owner: rng.random_range(0..1u64 << 16).into(),
        csum: true,
        csum_start: start.into(),
        csum_at: (start + u64::from(packet.header.csum_offset)).into(),
        gso: rng.random_bool(0.7),
        gso_good: rng.random_bool(0.9),
        udp: packet.kind.udp,
        gso_size: u64::from(packet.header.gso_size).into(),
    }
}

fn split<const W: usize>(params: &Params, seed: u64) {
    prints("net_split", Split::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut packets = Feed::<Beat<W, FrameSide>>::new(0.9);
    let mut asked = Offload::default();
    agrees(
        "net_split",
        Split::<W>::new(params),
        |b| &mut b.clock,
        CYCLES,
        move |b, s| {
            b.reset.next = s.cycle() < 8 || s.cycle() % 700 == 650;
            if packets.queue.is_empty() {
                let packet = Packet::any(&mut rng, 1500);
                asked = offload(&mut rng, &packet);
                let cut = if rng.random_ratio(1, 8) { rng.random_range(1..90) } else { packet.bytes.len() };
                let bytes = &packet.bytes[..cut.min(packet.bytes.len())];
                packets.queue.extend(beats::<W>(bytes, rng.random_ratio(1, 10)));
            }
            b.offload.next = asked;
            packets.drive_beat(&mut b.sink, &mut rng);
            s.bit("source", &mut b.source.ready);
            settle(b);
            packets.taken_beat(&b.sink);
        },
    );
}

/// The pieces of a packet as they come from the transmit buffer, or a frame, and what was found of each.
fn pieces<const W: usize>(rng: &mut ChaCha8Rng) -> Vec<(Vec<Beat<W, FrameSide>>, Sum)> {
    let packet = Packet::any(rng, 600);
    let piece = |bytes: &[u8], sum: Sum| {
        (
            beats::<W>(bytes, false),
            Sum { len: (bytes.len() as u64).into(), at: (packet.transport as u64).into(), ..sum },
        )
    };
    if rng.random_bool(0.3) {
        return vec![piece(
            &packet.bytes,
            Sum { wanted: rng.random(), value: Bits::random(rng), ..Sum::default() },
        )];
    }
    let mut headers = packet.bytes[..packet.headers].to_vec();
    if rng.random_ratio(1, 5) {
        headers[12] = 0;
    }
    let mut all = vec![piece(&headers, Sum { headers: true, udp: packet.kind.udp, ..Sum::default() })];
    let segments = packet.bytes[packet.headers..].chunks(packet.kind.size.into());
    let last = segments.len() - 1;
    for (n, segment) in segments.enumerate() {
        let mut bytes = vec![0; packet.headers % (W / 8)];
        bytes.extend(segment);
        let sum = Sum { payload: true, end: n == last, value: Bits::random(rng), ..Sum::default() };
        all.push(piece(&bytes, sum));
    }
    all
}

fn headers<const W: usize>(params: &Params, seed: u64) {
    prints("net_headers", Headers::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut frames = Feed::<Beat<W, FrameSide>>::new(0.9);
    let mut sums = Feed::<Sum>::new(0.8);
    agrees(
        "net_headers",
        Headers::<W>::new(params),
        |b| &mut b.clock,
        CYCLES,
        move |b, s| {
            b.reset.next = s.cycle() < 2;
            if frames.queue.is_empty() && sums.queue.is_empty() {
                for (beats, sum) in pieces::<W>(&mut rng) {
                    frames.queue.extend(beats);
                    sums.queue.push_back(sum);
                }
            }
            frames.drive_beat(&mut b.sink, &mut rng);
            sums.drive(&mut b.sum, &mut rng);
            s.bit("source", &mut b.source.ready);
            s.bit("patch", &mut b.patch.ready);
            settle(b);
            frames.taken_beat(&b.sink);
            sums.taken(&b.sum);
        },
    );
}

fn ram<const W: usize>() {
    prints("header_ram", HeaderRam::<W>::new(net::GSO_HEADER_BYTES));
    let rows = (net::GSO_HEADER_BYTES / (W / 8)) as u64;
    agrees(
        "header_ram",
        HeaderRam::<W>::new(net::GSO_HEADER_BYTES),
        |b| &mut b.clock,
        2000,
        move |b, s| {
            // All rows are written before one is read.
            let filling = (s.cycle() as u64) < rows;
            b.row.next = if filling { s.cycle() as u64 } else { s.rng().random_range(0..rows) }.into();
            b.write_row.next = filling || s.rng().random_ratio(1, 20);
            b.write_word.next = s.rng().random();
            b.lane.next = s.rng().random_range(0..W as u64 / 16).into();
            b.lanes.next = s.rng().random_range(0..=W as u64 / 8).into();
            b.row_data.next = Bits::random(s.rng());
            b.word_data.next = Bits::random(s.rng());
            b.over.next = Bits::random(s.rng());
        },
    );
}

#[test]
fn segmentation() {
    roomy(|| {
        ram::<64>();
        ram::<512>();
        let narrow = Params { width: 64, ..Params::SIM };
        split::<64>(&narrow, 1);
        headers::<64>(&narrow, 2);
        split::<256>(&Params::SIM, 3);
        headers::<256>(&Params::SIM, 4);
        split::<512>(&Params::MAX, 5);
        headers::<512>(&Params::MAX, 6);
        prints("net_split", Split::<64>::new(&Params::TINY));
        prints("net_headers", Headers::<64>::new(&Params::TINY));
    });
}
