//! `virtio::common`: the device's half of common configuration.

use crate::harness::Harness;
use crate::mmio::Registers;
use hematite_abi::{common, feature};
use hematite_hw::params::Params;
use hematite_hw::virtio::common::Common;

const DEVICE_SELECT: u64 = common::DEVICE_FEATURE_SELECT as u64;
const DEVICE: u64 = common::DEVICE_FEATURE as u64;
const DRIVER_SELECT: u64 = common::DRIVER_FEATURE_SELECT as u64;
const DRIVER: u64 = common::DRIVER_FEATURE as u64;
const VECTOR: u64 = common::CONFIG_MSIX_VECTOR as u64;
const STATUS: u64 = common::DEVICE_STATUS as u64;

fn bench(params: &Params) -> Registers<Common> {
    let watch = |b: &Common| b.status_write.val().then(|| b.status_value.val().into());
    let mut regs =
        Registers::new(Harness::new(Common::new(params), |b| &mut b.clock), |b| &mut b.access, watch);
    regs.bench.uut.reset.next = true;
    regs.cycles(2);
    regs.bench.uut.reset.next = false;
    regs.cycles(1);
    regs
}

/// The driver accepts these.
fn accept(regs: &mut Registers<Common>, features: u128) {
    for select in 0..4 {
        regs.write(DRIVER_SELECT, select);
        regs.write(DRIVER, (features >> (32 * select)) as u32);
    }
}

#[test]
fn offered_features() {
    let regs = &mut bench(&Params::TINY);
    for select in [0, 1, 2, 3, 4, 0x100, 0x8000_0000, 0xffff_ffff] {
        regs.write(DEVICE_SELECT, select);
        let all = Params::TINY.features;
        let shown = if select < 4 { (all >> (32 * select)) as u32 } else { 0 };
        assert_eq!((regs.read(DEVICE_SELECT), regs.read(DEVICE)), (select, shown));
        regs.write(DEVICE, !shown);
        assert_eq!(regs.read(DEVICE), shown, "read only");
    }
}

#[test]
fn accepted_features() {
    let regs = &mut bench(&Params::TINY);
    assert!(!regs.bench.uut.features_good.val(), "no driver without VERSION_1");
    let version = 1u128 << feature::VERSION_1;
    let all = Params::TINY.features;
    for (features, good) in [
        (version, true),
        (all, true),
        (0, false),
        (all & !version, false),
        (version | 1 << 28, all >> 28 & 1 == 1),
        (version | 1 << 64, all >> 64 & 1 == 1),
        (version | 1 << 127, false),
    ] {
        accept(regs, features);
        assert_eq!(regs.bench.uut.features_good.val(), good, "{features:x}");
        let u = &regs.bench.uut;
        let low = u64::from(u.accepted0.val()) | u64::from(u.accepted1.val()) << 32;
        assert_eq!(low, (features & all) as u64, "nothing that is not offered");
    }
    regs.write(DRIVER_SELECT, 4);
    regs.write(DRIVER, 7);
    assert_eq!(regs.read(DRIVER), 0, "no more than 128 bits");
    accept(regs, version);
    regs.write(DRIVER_SELECT, 0);
    for lane in 0..4 {
        regs.write_bytes(DRIVER, 0x8765_4321, 1 << lane);
    }
    assert_eq!(regs.read(DRIVER), 0x8765_4321, "byte by byte");
    regs.bench.uut.features_fixed.next = true;
    regs.write(DRIVER, 0);
    assert_eq!(regs.read(DRIVER), 0x8765_4321, "after FEATURES_OK they stay");
}

#[test]
fn vector_and_count() {
    for params in [Params::TINY, Params::MAX] {
        let regs = &mut bench(&params);
        let (queues, vectors) = (params.numbers() as u32, params.vectors() as u32);
        for (vector, kept) in [
            (0, 0),
            (vectors - 1, vectors - 1),
            (vectors, 0xffff),
            (1, 1),
            (0x8001, 0xffff),
            (0, 0),
            (0xffff, 0xffff),
        ] {
            regs.write_bytes(VECTOR, vector | 0x5555_0000, 0b0011);
            assert_eq!(regs.read(VECTOR), kept | queues << 16, "after {vector}");
            assert_eq!(u64::from(regs.bench.uut.config_vector.val()), u64::from(kept));
        }
    }
}

#[test]
fn status_generation_select() {
    let regs = &mut bench(&Params::TINY);
    regs.bench.uut.status.next = 0x0fu64.into();
    regs.bench.uut.generation.next = 0xa5u64.into();
    regs.write_bytes(STATUS, 0x1234_5678, 0b1100);
    assert!(regs.seen.is_empty(), "queue_select alone does not write the status");
    assert_eq!(regs.read(STATUS), 0x1234_a50f);
    regs.write_bytes(STATUS, 0xffff_ff00, 0b0001);
    assert_eq!(regs.seen, [0], "one write, one pulse");
    regs.write_bytes(STATUS, 0xffff_ff03, 0b0010);
    assert_eq!(regs.seen, [0]);
    assert_eq!(regs.read(STATUS), 0x1234_a50f);
    assert_eq!(regs.bench.uut.queue_select.val(), 0x1234);
}

/// "controlq: N=1 if VIRTIO_NET_F_MQ and VIRTIO_NET_F_RSS are not negotiated": its number is the third, or behind all pairs.
#[test]
fn number_of_the_control_queue() {
    let params = Params::SIM;
    let regs = &mut bench(&params);
    let behind = params.queues() as u64;
    for (features, numbers) in [
        (0, [0, 1, behind, common::NO_QUEUE, common::NO_QUEUE]),
        (1 << feature::MQ, [0, 1, 2, 3, behind]),
        (1 << feature::RSS, [0, 1, 2, 3, behind]),
        (1 << feature::MQ | 1 << feature::RSS, [0, 1, 2, 3, behind]),
    ] {
        accept(regs, 1 << feature::VERSION_1 | 1 << feature::CTRL_VQ | features);
        let got = [0, 1, 2, 3, behind as u32].map(|select| {
            regs.write_bytes(STATUS, select << 16, 0b1100);
            u64::from(regs.bench.uut.queue_select.val())
        });
        assert_eq!(got, numbers, "features {features:x}");
    }
}

/// What is a queue's goes to `queues`, and its answer comes back.
#[test]
fn passes_queues_registers_on() {
    let regs = &mut bench(&Params::TINY);
    regs.bench.uut.queue_access.ready.next = true;
    regs.bench.uut.queue_access.read_data.next = 0x1357_9bdfu64.into();
    regs.watch = |b| b.queue_access.valid.val().then(|| u64::from(b.queue_access.addr.val()));
    for addr in (0x18..0x40).step_by(4) {
        assert_eq!(regs.read(addr), 0x1357_9bdf);
        assert_eq!(regs.seen.pop(), Some(addr));
    }
    for addr in (0..0x18).step_by(4) {
        assert_ne!(regs.read(addr), 0x1357_9bdf);
    }
    assert!(regs.seen.is_empty());
}

#[test]
fn reset_defaults() {
    let regs = &mut bench(&Params::TINY);
    accept(regs, u128::MAX);
    (0..0x18).step_by(4).for_each(|addr| regs.write_bytes(addr, 1, 15));
    regs.bench.uut.reset.next = true;
    regs.cycle();
    regs.bench.uut.reset.next = false;
    let offered = Params::TINY.features as u32;
    let got: Vec<u32> = (0..0x18).step_by(4).map(|addr| regs.read(addr)).collect();
    assert_eq!(got, [0, offered, 0, 0, 0xffff | 2 << 16, 0]);
    (0..4).for_each(|select| {
        regs.write(DRIVER_SELECT, select);
        assert_eq!(regs.read(DRIVER), 0);
    });
}
