//! Feature negotiation and the device's own configuration.

use hematite_abi::feature;
use hematite_sim::driver::{Driver, DriverError, Options};
use hematite_sim::facts::{common, net, status, virtio};
use hematite_sim::root::LinkModel;
use hematite_tests::{Bench, Make, on_bodies, root};

on_bodies!(
    it_offers_what_the_issue_says,
    feature_windows_beyond_the_last_are_empty,
    windows_of_the_driver_hold_what_was_written,
    accepting_what_was_not_offered_is_refused,
    without_version_1_it_is_refused,
    any_subset_with_version_1_is_taken,
    every_status_bit_stays_until_reset,
    device_configuration_can_be_read,
    device_configuration_is_read_only,
);

/// What the function's every set offers, and what TINY does without.
fn offered(make: Make) -> u128 {
    use feature::*;
    let all = [VERSION_1, ACCESS_PLATFORM, IN_ORDER, ORDER_PLATFORM, RING_RESET];
    let net = [MAC, STATUS, MTU, MRG_RXBUF, SPEED_DUPLEX];
    let rings = [EVENT_IDX, INDIRECT_DESC, RING_PACKED, NOTIFICATION_DATA, NOTIF_CONFIG_DATA];
    let told = [NOTF_COAL, VQ_NOTF_COAL, GUEST_ANNOUNCE, DEVICE_STATS];
    let commands = [CTRL_VQ, CTRL_RX, CTRL_RX_EXTRA, CTRL_VLAN, CTRL_MAC_ADDR, MQ, RSS];
    let send = [CSUM, HOST_TSO4, HOST_TSO6, HOST_ECN, HOST_USO];
    let receive = [GUEST_CSUM, CTRL_GUEST_OFFLOADS, HASH_REPORT];
    let large = rings
        .iter()
        .chain(&told)
        .chain(&commands)
        .chain(&send)
        .chain(&receive)
        .filter(|_| make.params.name != "TINY");
    all.iter().chain(&net).chain(large).fold(0, |bits, bit| bits | 1 << bit)
}

fn it_offers_what_the_issue_says(make: Make) {
    let mut bench = Bench::new(make, Options { features: u128::MAX, ..Options::default() });
    assert_eq!(bench.drive(|driver, root| driver.offered(root)), offered(make));
    // The bench's driver takes packed rings only when a test asks for them.
    assert_eq!(bench.driver.features, offered(make) & !(1 << feature::RING_PACKED));
    bench.works();
}

/// [virtio 1.4: Common configuration structure layout] "the device MUST present ... 0 for any other value".
fn feature_windows_beyond_the_last_are_empty(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    for select in [4u32, 5, 8, 1 << 16, 1 << 27, u32::MAX] {
        let word = select.to_le_bytes();
        bench.drive(|driver, root| driver.set_common(root, common::DEVICE_FEATURE_SELECT, &word));
        let window: [u8; 4] = bench.drive(|driver, root| driver.common(root, common::DEVICE_FEATURE));
        assert_eq!(window, [0; 4], "window {select:#x}");
        let back: [u8; 4] = bench.drive(|driver, root| driver.common(root, common::DEVICE_FEATURE_SELECT));
        assert_eq!(back, word);
    }
}

/// What is beyond the first 64 bits is kept as those are, and as little of it taken that was not offered.
fn windows_of_the_driver_hold_what_was_written(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.drive(|driver, root| driver.reset(root));
    let words = [0x0123_4567u32, 0x89ab_cdef, 0xf0e1_d2c3, 0xb4a5_9687];
    let select = |bench: &mut Bench, window: u32| {
        let word = window.to_le_bytes();
        bench.drive(|driver, root| driver.set_common(root, common::DRIVER_FEATURE_SELECT, &word));
    };
    let all = words.iter().rev().fold(0, |bits, word| bits << 32 | u128::from(*word));
    bench.drive(|driver, root| driver.accept(root, all));
    select(&mut bench, 4);
    bench.drive(|driver, root| driver.set_common(root, common::DRIVER_FEATURE, &[0xff; 4]));
    for (window, expected) in (0..).zip(words.into_iter().chain([0])) {
        select(&mut bench, window);
        let read: [u8; 4] = bench.drive(|driver, root| driver.common(root, common::DRIVER_FEATURE));
        assert_eq!(u32::from_le_bytes(read), expected, "window {window}");
    }
    bench.recovers();
}

fn refuses(make: Make, features: u128) {
    let mut bench = Bench::new(make, Options::default());
    bench.drive(|driver, root| driver.reset(root));
    let begun = status::ACKNOWLEDGE | status::DRIVER;
    bench.drive(|driver, root| driver.set_status(root, begun));
    bench.drive(|driver, root| driver.accept(root, features));
    bench.drive(|driver, root| driver.set_status(root, begun | status::FEATURES_OK));
    assert_eq!(bench.status(), begun, "features {features:#x}");
    bench.recovers();
}

fn accepting_what_was_not_offered_is_refused(make: Make) {
    for bit in (0..128).filter(|bit| offered(make) >> bit & 1 == 0) {
        if !(4..=60).contains(&bit) && !(72..=120).contains(&bit) || bit % 11 == 0 {
            refuses(make, offered(make) | 1 << bit);
        }
    }
}

fn without_version_1_it_is_refused(make: Make) {
    refuses(make, offered(make) & !(1 << virtio::F_VERSION_1));
    refuses(make, 0);
}

fn any_subset_with_version_1_is_taken(make: Make) {
    for bit in (0..128).filter(|bit| offered(make) >> bit & 1 == 1 && *bit != virtio::F_VERSION_1) {
        for features in [offered(make) & !(1 << bit), 1 << bit | 1 << virtio::F_VERSION_1] {
            for packed in [false, true] {
                let mut bench = Bench::new(make, Options { features, packed, ..Options::default() });
                bench.works();
            }
        }
    }
}

fn every_status_bit_stays_until_reset(make: Make) {
    let mut root = root(make, LinkModel::fast());
    let options = Options { features: 0, ..Options::default() };
    // no features: refused, with ACKNOWLEDGE and DRIVER set
    assert!(matches!(Driver::start(&mut root, options), Err(DriverError::FeaturesRefused { .. })));
    let mut bench = Bench::new(make, Options::default());
    let all = status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK | status::DRIVER_OK;
    assert_eq!(bench.status(), all);
    bench.drive(|driver, root| driver.set_status(root, all | status::FAILED));
    assert_eq!(bench.status(), all | status::FAILED);
    bench.drive(|driver, root| driver.reset(root));
    assert_eq!(bench.status(), 0);
    bench.recovers();
}

fn device_configuration_can_be_read(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let at = bench.driver.function.device_cfg.offset;
    let mut mac = [0; 6];
    bench.root.bar_read(at + net::CFG_MAC, &mut mac).expect("BAR read");
    assert!(mac[0] & 1 == 0 && mac != [0; 6], "a unicast address: {mac:02x?}");
    let mut half = [0; 2];
    bench.root.bar_read(at + net::CFG_STATUS, &mut half).expect("BAR read");
    assert_eq!(u16::from_le_bytes(half) & net::STATUS_LINK_UP, net::STATUS_LINK_UP);
    bench.root.bar_read(at + net::CFG_MTU, &mut half).expect("BAR read");
    assert!(u16::from_le_bytes(half) >= 1500);
    let mut speed = [0; 4];
    bench.root.bar_read(at + net::CFG_SPEED, &mut speed).expect("BAR read");
    assert!((1_000..=100_000).contains(&u32::from_le_bytes(speed)), "Mbit/s: {speed:?}");
    let mut duplex = [0];
    bench.root.bar_read(at + net::CFG_DUPLEX, &mut duplex).expect("BAR read");
    assert_eq!(duplex, [net::DUPLEX_FULL]);
    let mut byte = [0];
    for (i, expected) in mac.iter().enumerate() {
        bench.root.bar_read(at + net::CFG_MAC + i as u64, &mut byte).expect("BAR read");
        assert_eq!(byte[0], *expected, "byte by byte");
    }
}

fn device_configuration_is_read_only(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let (at, len) = (bench.driver.function.device_cfg.offset, bench.driver.function.device_cfg.len as usize);
    let mut before = vec![0; len];
    bench.root.bar_read(at, &mut before).expect("BAR read");
    bench.root.bar_write(at, &vec![0xff; len]).expect("posted");
    let mut after = vec![0; len];
    bench.root.bar_read(at, &mut after).expect("BAR read");
    assert_eq!(after, before);
    bench.works();
}
