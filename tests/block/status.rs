//! `virtio::status`: what the driver has reached, and the reset.

use crate::harness::Harness;
use hematite_abi::status;
use hematite_hw::virtio::status::Status;

const OK: u64 = status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK;
const RUNNING: u64 = OK | status::DRIVER_OK;

/// After a write: what the driver reads, and whether it is told of a change meanwhile.
fn write(bench: &mut Harness<Status>, value: u64, failed: bool) -> (u64, bool) {
    let u = &mut bench.uut;
    u.write.next = true;
    u.value.next = value.into();
    u.failed.next = failed;
    bench.settle();
    let told = bench.uut.config_change.val();
    bench.tick();
    bench.uut.write.next = false;
    bench.uut.failed.next = false;
    bench.settle();
    (bench.uut.device_status.val().into(), told)
}

fn bench() -> Harness<Status> {
    let mut bench = Harness::new(Status::default(), |b| &mut b.clock);
    bench.uut.features_good.next = true;
    bench.uut.quiet.next = true;
    bench
}

#[test]
fn features() {
    let bench = &mut bench();
    bench.uut.features_good.next = false;
    assert_eq!(write(bench, OK, false).0, OK & !status::FEATURES_OK);
    assert!(!bench.uut.features_fixed.val());
    bench.uut.features_good.next = true;
    assert_eq!(write(bench, OK, false).0, OK);
    assert!(bench.uut.features_fixed.val() && !bench.uut.driver_ok.val());
    assert_eq!(write(bench, RUNNING, false).0, RUNNING);
    assert!(bench.uut.driver_ok.val());
}

#[test]
fn reset_waits_until_quiet() {
    let bench = &mut bench();
    for before in [RUNNING, 0] {
        if before != 0 {
            write(bench, before, false);
        }
        bench.uut.quiet.next = false;
        assert_ne!(write(bench, 0, false).0, 0, "not 0 before it is done, from {before:x}");
        for _ in 0..50 {
            bench.tick();
            assert!(bench.uut.device_status.val() != 0 && bench.uut.device_reset.val());
            assert!(!bench.uut.driver_ok.val());
        }
        assert_ne!(write(bench, status::ACKNOWLEDGE, true).0, 0);
        bench.uut.quiet.next = true;
        bench.until("the reset ends", 10, |b| !b.device_reset.val());
        assert_eq!(bench.uut.device_status.val(), 0);
        assert_eq!(write(bench, status::ACKNOWLEDGE, false).0, status::ACKNOWLEDGE);
    }
    write(bench, RUNNING, false);
    bench.uut.reset.next = true;
    bench.tick();
    bench.uut.reset.next = false;
    bench.settle();
    assert!(bench.uut.device_status.val() == 0 && !bench.uut.device_reset.val());
}

#[test]
fn failure() {
    let bench = &mut bench();
    write(bench, OK, false);
    assert_eq!(
        write(bench, OK, true),
        (OK | status::DEVICE_NEEDS_RESET, false),
        "nobody is told before DRIVER_OK"
    );
    write(bench, 0, false);
    bench.until("the reset ends", 20, |b| !b.device_reset.val());
    write(bench, RUNNING, false);
    // In the very cycle of a write, too; a second failure says nothing new; the driver cannot take the bit away.
    let needs = RUNNING | status::DEVICE_NEEDS_RESET;
    assert_eq!(write(bench, RUNNING, true), (needs, true));
    assert_eq!(write(bench, RUNNING, true), (needs, false));
    assert_eq!(write(bench, RUNNING, false), (needs, false));
}
