//! prim::pack: random picks against the bytes they name.

use crate::harness::Harness;
use crate::streams::{to_bits, to_bytes};
use hematite_hw::prim::pack::{Pack, Pick};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;

/// One beat to be picked from.
struct Beat {
    bytes: Vec<u8>,
    from: usize,
    count: usize,
    start: usize,
    last: bool,
    tag: bool,
}

fn random_picks<const W: usize>(seed: u64, packets: usize) {
    let lanes = W / 8;
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let mut beats = Vec::new();
    let mut expected: Vec<(usize, Vec<u8>, bool)> = Vec::new();
    for _ in 0..packets {
        let start = rng.random_range(0..lanes);
        let (mut bytes, mut tag) = (Vec::new(), false);
        let picks = rng.random_range(1..6);
        for pick in 0..picks {
            let beat: Vec<u8> = (0..lanes).map(|_| rng.random()).collect();
            let from = rng.random_range(0..lanes);
            let mut count = rng.random_range(0..=lanes - from);
            if pick == 0 && count == 0 {
                count = 1;
            }
            tag = rng.random();
            bytes.extend_from_slice(&beat[from..from + count]);
            beats.push(Beat { bytes: beat, from, count, start, last: pick + 1 == picks, tag });
        }
        expected.push((start, bytes, tag));
    }
    let mut bench = Harness::new(Pack::<W, Bit>::default(), |b| &mut b.clock);
    let (mut next, mut offered, mut done) = (0, false, 0);
    let mut got: Vec<u8> = Vec::new();
    while done < expected.len() {
        assert!(bench.cycle < 100 * beats.len() as u64, "seed {seed}: stuck after {done} packets");
        offered |= next < beats.len() && rng.random_bool(0.7);
        bench.uut.sink.valid.next = offered;
        if let Some(b) = beats.get(next) {
            bench.uut.sink.data.next = to_bits(&b.bytes);
            bench.uut.sink.last.next = b.last;
            bench.uut.sink.side.next =
                Pick { rest: (lanes - b.from).to_bits(), count: b.count.to_bits(), start: b.start.to_bits() };
            bench.uut.tag.next = b.tag;
        }
        bench.uut.source.ready.next = rng.random_bool(0.7);
        bench.settle();
        let u = &bench.uut;
        if offered && u.sink.ready.val() {
            (next, offered) = (next + 1, false);
        }
        if u.source.valid.val() && u.source.ready.val() {
            let side = u.source.side.val();
            got.extend(&to_bytes(u.source.data.val())[..side.count.index()]);
            if u.source.last.val() {
                let (start, bytes, tag) = &expected[done];
                assert_eq!(&got[*start..], &bytes[..], "seed {seed}: packet {done}");
                assert_eq!(u.source_tag.val(), *tag, "seed {seed}: packet {done}");
                got.clear();
                done += 1;
            } else {
                assert_eq!(side.count.index(), lanes, "seed {seed}: only the last beat is not full");
            }
        }
        bench.tick();
    }
    assert!(!bench.uut.busy.val(), "seed {seed}: something is left");
}

#[test]
fn gathers_random_picks() {
    random_picks::<64>(1, 300);
    random_picks::<128>(2, 200);
    random_picks::<256>(3, 100);
    random_picks::<512>(4, 100);
}
