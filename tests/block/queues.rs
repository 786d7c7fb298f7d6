//! `virtio::queues`: a queue's registers, its start, its reset.

use crate::harness::Harness;
use crate::mmio::Registers;
use hematite_abi::common;
use hematite_hw::params::Params;
use hematite_hw::virtio::queues::Queues;

const SIZE: u64 = common::QUEUE_SIZE as u64;
const ENABLE: u64 = common::QUEUE_ENABLE as u64;
const RESET: u64 = common::QUEUE_RESET as u64 & !3;

const ENABLED: u64 = 1 << 32;
const CLEARED: u64 = 1 << 33;

fn bench(params: &Params) -> Registers<Queues> {
    let mut regs = Registers::new(
        Harness::new(Queues::new(params), |b| &mut b.clock),
        |b| &mut b.access,
        |b| {
            let queue = u64::from(b.control.settings.val().queue);
            assert!(!(b.control.enable.val() && b.control.clear.val()));
            let enable = b.control.enable.val().then_some(ENABLED | queue);
            enable.or(b.control.clear.val().then_some(CLEARED | queue))
        },
    );
    reset(&mut regs, 3);
    regs
}

fn reset(regs: &mut Registers<Queues>, cycles: usize) {
    regs.bench.uut.reset.next = true;
    regs.cycles(cycles);
    regs.bench.uut.reset.next = false;
    regs.bench.until("the registers are back at their defaults", 2000, |b| !b.busy.val());
}

fn select(regs: &mut Registers<Queues>, queue: u64) {
    regs.bench.uut.queue_select.next = queue.into();
}

/// What one queue's registers read, from queue_size to queue_device.
fn words(regs: &mut Registers<Queues>) -> Vec<u32> {
    (SIZE..0x38).step_by(4).map(|addr| regs.read(addr)).collect()
}

fn defaults(params: &Params, queue: u32) -> Vec<u32> {
    let mut words = vec![params.queue_max as u32 | 0xffff_0000, queue << 16];
    words.resize(8, 0);
    words
}

#[test]
fn defaults_and_absent_queues() {
    for params in [Params::TINY, Params::MAX] {
        let regs = &mut bench(&params);
        for queue in [0, 1, params.numbers() as u64 - 1] {
            select(regs, queue);
            assert_eq!(words(regs), defaults(&params, queue as u32));
            assert_eq!(regs.read(RESET), 0);
        }
        for queue in [params.numbers() as u64, 130, 0x8000, 0xffff] {
            select(regs, queue);
            for addr in (SIZE..0x40).step_by(4) {
                assert_eq!(regs.read(addr), 0, "queue {queue}: {addr:x}");
                regs.write(addr, 0xffff_ffff);
            }
        }
        for queue in 0..params.numbers().min(8) {
            select(regs, queue as u64);
            assert_eq!(words(regs), defaults(&params, queue as u32));
        }
        assert!(regs.seen.is_empty());
    }
}

#[test]
fn sizes_and_vectors() {
    let params = Params::TINY;
    let regs = &mut bench(&params);
    select(regs, 1);
    for (size, kept) in [(8, 8), (0, 8), (3, 8), (256, 256), (257, 256), (512, 256), (0x8000, 256), (1, 1)] {
        regs.write_bytes(SIZE, size, 0b0011);
        assert_eq!(regs.read(SIZE), kept | 0xffff_0000, "after {size}");
    }
    for (vector, kept) in [(0, 0), (2, 2), (3, 0xffff), (1, 1), (0xffff, 0xffff), (2, 2)] {
        regs.write_bytes(SIZE, vector << 16, 0b1100);
        assert_eq!(regs.read(SIZE), kept << 16 | 1, "after {vector}");
        regs.bench.uut.irq_queue.next = 1u64.into();
        regs.bench.settle();
        assert_eq!(u64::from(regs.bench.uut.irq_vector.val()), u64::from(kept));
    }
    select(regs, 0);
    assert_eq!(words(regs), defaults(&params, 0), "the other queue is as it was");
}

/// Queue 1 of TINY, with addresses of its own in every byte; returns what its words read.
fn set_up(regs: &mut Registers<Queues>) -> Vec<u32> {
    select(regs, 1);
    regs.write_bytes(SIZE, 64, 0b0011);
    let areas: Vec<u32> = (0..6).map(|i| 0x0403_0201 + 0x1111_1111 * i).collect();
    for (i, area) in areas.iter().enumerate() {
        let addr = common::QUEUE_DESC as u64 + 4 * i as u64;
        // Byte by byte: each write leaves the others alone.
        for lane in [2, 0, 3, 1] {
            regs.write_bytes(
                addr,
                area & 0xff << (8 * lane) | !(0xff << (8 * lane)) & 0x5a5a_5a5a,
                1 << lane,
            );
        }
    }
    let mut all = vec![64 | 0xffff_0000, 1 << 16];
    all.extend(areas);
    assert_eq!(words(regs), all);
    all
}

#[test]
fn enable_once() {
    let regs = &mut bench(&Params::TINY);
    let mut all = set_up(regs);
    regs.write_bytes(ENABLE, 0, 0b0011);
    regs.write_bytes(ENABLE, 1, 0b1100);
    assert!(regs.seen.is_empty(), "neither 0 nor another field starts a queue");
    regs.watch = |b| {
        let s = b.control.settings.val();
        let area = |a: u64, i: u64| {
            a == (0x0403_0201 + 0x1111_1111 * i) | (0x0403_0201 + 0x1111_1111 * (i + 1)) << 32
        };
        let good =
            area(s.desc.into(), 0) && area(s.driver.into(), 2) && area(s.device.into(), 4) && s.size == 64;
        b.control.enable.val().then(|| u64::from(good) << 16 | u64::from(s.queue))
    };
    regs.write_bytes(ENABLE, 1, 0b0011);
    assert_eq!(regs.seen, [1 << 16 | 1]);
    regs.write_bytes(ENABLE, 1, 0b0011);
    regs.write_bytes(ENABLE, 0, 0b0011);
    assert_eq!(regs.seen.len(), 1, "it starts once");
    all[1] |= 1;
    assert_eq!(words(regs), all);
    // A running queue keeps its settings, but for its vector.
    regs.write_bytes(SIZE, 8 | 2 << 16, 15);
    (0x20..0x38).step_by(4).for_each(|addr| regs.write(addr, 0));
    all[0] = 64 | 2 << 16;
    assert_eq!(words(regs), all);
    regs.bench.settle();
    assert!(regs.bench.uut.enabled.val().get_bit(1) && !regs.bench.uut.enabled.val().get_bit(0));
    reset(regs, 1);
    assert_eq!(words(regs), defaults(&Params::TINY, 1), "a reset of one cycle reaches every register");
    regs.bench.settle();
    assert!(!regs.bench.uut.enabled.val().any());
}

#[test]
fn queue_reset() {
    let regs = &mut bench(&Params::TINY);
    set_up(regs);
    regs.write_bytes(RESET, 1 << 16, 0b1100);
    assert_eq!(regs.read(RESET), 0, "a queue that does not run has nothing to reset");
    regs.write_bytes(ENABLE, 1, 0b0011);
    regs.seen.clear();
    regs.bench.uut.quiet.next = false;
    regs.write_bytes(RESET, 1 << 16, 0b1100);
    for _ in 0..5 {
        assert_eq!(regs.read(RESET), 1 << 16);
        assert!(regs.bench.uut.control.fence.val());
        regs.write_bytes(ENABLE, 1, 0b0011);
        regs.write(0x20, 0);
    }
    select(regs, 0);
    assert_eq!((regs.read(RESET), words(regs)), (0, defaults(&Params::TINY, 0)));
    assert!(regs.seen.is_empty(), "nothing is cleared before the data plane is quiet");
    select(regs, 1);
    regs.bench.uut.quiet.next = true;
    for _ in 0..20 {
        regs.cycle();
    }
    assert_eq!(regs.seen, [CLEARED | 1]);
    assert!(!regs.bench.uut.control.fence.val());
    assert_eq!((regs.read(RESET), words(regs)), (0, defaults(&Params::TINY, 1)));
    set_up(regs);
    regs.write_bytes(ENABLE, 1, 0b0011);
    assert_eq!(regs.seen, [CLEARED | 1, ENABLED | 1], "it can start again");
}

/// While a reset lasts the driver can change nothing, and the sweep is over when `busy` falls.
#[test]
fn long_reset() {
    let regs = &mut bench(&Params::TINY);
    set_up(regs);
    regs.bench.uut.reset.next = true;
    regs.cycles(100);
    regs.write(0x20, 0x1234_5678);
    regs.write_bytes(SIZE, 8, 0b0011);
    regs.bench.uut.reset.next = false;
    regs.cycles(2);
    assert!(!regs.bench.uut.busy.val());
    assert_eq!(words(regs), defaults(&Params::TINY, 1));
}
