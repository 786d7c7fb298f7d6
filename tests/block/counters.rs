//! `virtio::inspection` and its counters: what is asked for is told, and every event is counted once.

use crate::harness::Harness;
use crate::mmio::Registers;
use hematite_abi::{ident, layout};
use hematite_hw::params::Params;
use hematite_hw::port::count::Events;
use hematite_hw::virtio::counters::{APART, Counters, SELDOM};
use hematite_hw::virtio::inspection::{Inspection, SOURCE_HASH};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Cycles of a sweep, and of the one behind it.
const SWEEPS: u64 = 70;

fn ask(bench: &mut Harness<Counters>, index: u64) -> u32 {
    bench.uut.ask.next = true;
    bench.uut.index.next = index.into();
    bench.settle();
    bench.until("a counter is told", SWEEPS, |b| b.told.val());
    let value = u64::from(bench.uut.value.val()) as u32;
    bench.uut.ask.next = false;
    value
}

#[test]
fn nothing_is_lost() {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let mut bench = Harness::new(Counters::default(), |b: &mut Counters| &mut b.clock);
    for round in 0..3 {
        bench.uut.reset.next = true;
        bench.tick();
        bench.uut.reset.next = false;
        let (mut totals, mut tx, mut rx) = ([0u32; 32], 0u64, 0u64);
        // While counters are cleared, what happens is not counted.
        (0..SWEEPS).for_each(|_| bench.tick());
        for cycle in 0..2000 {
            let mut events: u32 =
                if round == 0 { u32::MAX } else { rng.random::<u32>() & rng.random::<u32>() };
            for bytes in [ident::TX_BYTES_LO, ident::TX_BYTES_HI, ident::RX_BYTES_LO, ident::RX_BYTES_HI] {
                events &= !(1 << bytes);
            }
            for seldom in SELDOM.iter().filter(|_| cycle % APART != 0) {
                events &= !(1 << seldom);
            }
            let most = if round == 0 { 64..=64 } else { 0..=64 };
            let (sent, got) = (rng.random_range(most.clone()), rng.random_range(most));
            bench.uut.events.next = u64::from(events).into();
            bench.uut.tx_bytes.next = u64::from(sent as u8).into();
            bench.uut.rx_bytes.next = u64::from(got as u8).into();
            (0..32).for_each(|i| totals[i] += events >> i & 1);
            (tx, rx) = (tx + sent, rx + got);
            bench.tick();
        }
        bench.uut.events.next = 0u64.into();
        bench.uut.tx_bytes.next = 0u64.into();
        bench.uut.rx_bytes.next = 0u64.into();
        (0..SWEEPS).for_each(|_| bench.tick());
        (totals[ident::TX_BYTES_LO], totals[ident::RX_BYTES_LO]) = (tx as u32, rx as u32);
        for (i, total) in totals.iter().enumerate() {
            assert_eq!(ask(&mut bench, i as u64), *total, "round {round}: counter {i}");
        }
    }
}

fn inspection(params: &Params) -> Registers<Inspection> {
    let mut regs =
        Registers::new(Harness::new(Inspection::new(params), |b| &mut b.clock), |b| &mut b.access, |_| None);
    regs.bench.uut.reset.next = true;
    regs.cycles(2);
    regs.bench.uut.reset.next = false;
    regs.bench.uut.settings_ready.next = true;
    regs
}

#[test]
fn general_words() {
    for params in [Params::TINY, Params::MAX] {
        let regs = &mut inspection(&params);
        let mut word = |at: usize| regs.read(layout::INSPECTION_OFFSET + at as u64);
        assert_eq!(word(ident::IDENT_MAGIC), ident::MAGIC as u32);
        assert_eq!(word(ident::IDENT_ABI_VERSION), ident::ABI_VERSION as u32);
        (0..5).for_each(|i| assert_eq!(word(ident::SOURCE_HASH_0 + 4 * i), SOURCE_HASH[i]));
        for (at, value) in [
            (ident::PARAM_WIDTH, params.width),
            (ident::PARAM_PAIRS, params.pairs),
            (ident::PARAM_QUEUES, params.numbers()),
            (ident::PARAM_QUEUE_MAX, params.queue_max),
            (ident::PARAM_TAGS, params.tags),
            (ident::PARAM_VECTORS, params.vectors()),
            (ident::PARAM_READ_BYTES, params.read_bytes),
            (ident::PARAM_PAYLOAD_BYTES, params.payload_bytes),
            (ident::PARAM_FRAME_BYTES, params.frame_bytes),
            (ident::PARAM_TIMEOUT_CYCLES, params.timeout_cycles),
            (ident::COUNTER_COUNT, 32),
            (ident::DEVICE_ERROR, 0),
            (ident::ACTIVITY, 0),
            (0x58, 0),
            (0x80, 0),
            (0x3fc, 0),
            (0x480, 0),
            (0xffc, 0),
        ] {
            assert_eq!(word(at), value as u32, "{at:x}");
        }
    }
}

#[test]
fn errors_and_activity() {
    let regs = &mut inspection(&Params::TINY);
    for (code, queue) in [(ident::ERROR_DMA_READ, 1u64), (ident::ERROR_DESC_LOOP, 0)] {
        regs.bench.uut.failed.next = true;
        regs.bench.uut.failed_code.next = code.into();
        regs.bench.uut.failed_queue.next = queue.into();
        regs.cycle();
        regs.bench.uut.failed.next = false;
    }
    let at = layout::INSPECTION_OFFSET;
    assert_eq!(
        regs.read(at + ident::DEVICE_ERROR as u64),
        ident::ERROR_DMA_READ as u32,
        "the first one stays"
    );
    assert_eq!(regs.read(at + ident::DEVICE_ERROR_QUEUE as u64), 1);
    regs.bench.uut.active.next = true;
    assert_eq!(regs.read(at + ident::ACTIVITY as u64) & 1, 1);
    regs.bench.uut.resetting.next = true;
    assert_eq!(regs.read(at + ident::ACTIVITY as u64) & 2, 2);
    regs.bench.uut.events.next = Events { kicks: true, ..Events::default() };
    regs.cycles(100);
    regs.bench.uut.events.next = Events::default();
    regs.cycles(SWEEPS as usize);
    let kicks = regs.read(at + (ident::COUNTERS_OFFSET + 4 * ident::KICKS) as u64);
    assert!((1..=100).contains(&kicks), "{kicks}: counted, but for those while the counters were cleared");
}

#[test]
fn queue_blocks() {
    let params = Params { pairs: 64, ..Params::TINY };
    let regs = &mut inspection(&params);
    let u = &mut regs.bench.uut;
    u.settings_data.next = 0x1234_0040u64.into();
    u.error.next = 7u64.into();
    u.tx_seen.next = 20u64.into();
    u.tx_taken.next = 15u64.into();
    u.rx_seen.next = 40u64.into();
    u.rx_taken.next = 2u64.into();
    u.used_idx.next = 0xfffeu64.into();
    u.enabled.next = 2u64.into();
    regs.watch = |b| Some(u64::from(b.queue.val()) << 16 | u64::from(b.settings_addr.val()));
    for queue in [0, 1, 64, 127, 128, 300] {
        let base =
            layout::INSPECTION_OFFSET + (ident::QUEUES_OFFSET + queue * ident::QUEUE_STATE_BYTES) as u64;
        let tx = queue % 2 == 1;
        for (at, value, word) in [
            (ident::QUEUE_ENABLED, u32::from(queue == 1), None),
            (ident::QUEUE_SIZE, 0x40, Some(6)),
            (ident::QUEUE_VECTOR, 0x1234, Some(6)),
            (ident::QUEUE_ERROR, 7, None),
            (ident::QUEUE_DESC_LO, 0x1234_0040, Some(0)),
            (ident::QUEUE_DESC_HI, 0x1234_0040, Some(1)),
            (ident::QUEUE_DRIVER_LO, 0x1234_0040, Some(2)),
            (ident::QUEUE_DRIVER_HI, 0x1234_0040, Some(3)),
            (ident::QUEUE_DEVICE_LO, 0x1234_0040, Some(4)),
            (ident::QUEUE_DEVICE_HI, 0x1234_0040, Some(5)),
            (ident::QUEUE_AVAIL_SEEN, if tx { 20 } else { 40 }, None),
            (ident::QUEUE_AVAIL_TAKEN, if tx { 15 } else { 2 }, None),
            (ident::QUEUE_USED_IDX, 0xfffe, None),
            (ident::QUEUE_IN_FLIGHT, if tx { 17 } else { 4 }, None),
        ] {
            regs.seen.clear();
            let got = regs.read(base + at as u64);
            assert_eq!(got, if queue < 128 { value } else { 0 }, "queue {queue}: {at:x}");
            if let Some(word) = word.filter(|_| queue < 128) {
                assert_eq!(
                    regs.seen[0],
                    (queue as u64) << 16 | (queue as u64) << 3 | word,
                    "queue {queue}: {at:x}"
                );
            }
        }
    }
}
