//! Doorbells that say more than that something is there: NOTIFICATION_DATA, NOTIF_CONFIG_DATA.
//! Spec: [virtio 1.4: Driver Notifications], [virtio 1.4: Available Buffer Notifications]

use hematite_abi::ident;
use hematite_sim::driver::{Options, RX, TX};
use hematite_sim::facts::{bar, common, net, virtio};
use hematite_sim::root::LinkModel;
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Bench, Make, frame, on_bodies};
use rand::Rng;

use crate::commands::mode;

on_bodies!(but TINY:
    with_any_of_both,
    a_wrong_name_is_ignored,
    an_index_that_is_wrong_does_no_harm,
    doorbells_that_come_late,
);

const BOTH: u128 = 1 << virtio::F_NOTIFICATION_DATA | 1 << virtio::F_NOTIF_CONFIG_DATA;

fn without(features: u128) -> Options {
    Options { features: !features, ..Options::default() }
}

fn name(bench: &mut Bench, number: u16) -> u16 {
    bench.drive(|driver, root| {
        driver.set_common(root, common::QUEUE_SELECT, &number.to_le_bytes())?;
        Ok(u16::from_le_bytes(driver.common(root, common::QUEUE_NOTIFY_DATA)?))
    })
}

fn with_any_of_both(make: Make) {
    let (index, data) = (1 << virtio::F_NOTIFICATION_DATA, 1 << virtio::F_NOTIF_CONFIG_DATA);
    // The control queue is behind all others by its number here, and third by the driver's.
    let control = 2 * make.params.pairs as u16;
    let (many, rss) = (1 << net::F_MQ, 1 << net::F_RSS);
    for features in [0, index, data, BOTH, many, rss, many | rss] {
        let mut bench = Bench::new(make, without(features));
        let named = features & data == 0;
        let of = |number| if named { bar::NOTIFY_DATA | number } else { 0 };
        assert_eq!([name(&mut bench, RX), name(&mut bench, TX)], [of(RX), of(TX)], "{features:#x}");
        let number = bench.drive(|driver, root| driver.control_number(root));
        assert_eq!(name(&mut bench, number), of(control));
        assert_eq!(name(&mut bench, 2 * make.params.pairs as u16 + 1), 0, "a queue that is not there");
        let before = bench.counter(ident::KICKS_IGNORED);
        bench.works();
        mode(&mut bench, 1, true);
        bench.rest();
        bench.works();
        assert_eq!(bench.counter(ident::KICKS_IGNORED), before);
    }
}

fn ring(bench: &mut Bench, bytes: &[u8]) -> (u32, u32) {
    let before = (bench.counter(ident::KICKS), bench.counter(ident::KICKS_IGNORED));
    let at = bench.drive(|driver, root| driver.doorbell(root, TX));
    bench.root.bar_write(at, bytes).expect("posted");
    bench.rest();
    (bench.counter(ident::KICKS) - before.0, bench.counter(ident::KICKS_IGNORED) - before.1)
}

fn a_wrong_name_is_ignored(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let [low, high] = (bar::NOTIFY_DATA | TX).to_le_bytes();
    for (count, bad) in
        [&[low + 1, high, 1, 0][..], &[TX as u8, 0, 1, 0], &[low, 0, 1, 0], &[low]].iter().enumerate()
    {
        let sent = frame(60, count as u8);
        bench.drive(|driver, root| driver.post_tx(root, &sent, &[]));
        assert_eq!(ring(&mut bench, bad), (0, 1), "{bad:x?}");
        assert!(bench.wire().is_empty(), "{bad:x?}");
        // A half is enough for who has no index to tell.
        assert_eq!(ring(&mut bench, &[low, high]), (1, 0));
        assert_eq!(bench.wire(), [sent]);
        assert!(bench.take_tx().is_some());
        bench.vectors();
    }
    bench.works();
}

/// Of frames that are there, none is lost, and none is sent that is not: whatever the doorbell says.
fn an_index_that_is_wrong_does_no_harm(make: Make) {
    for features in [0, 1 << virtio::F_EVENT_IDX] {
        let mut bench = Bench::new(make, without(features));
        let [low, high] = (bar::NOTIFY_DATA | TX).to_le_bytes();
        for round in 0..20u16 {
            let sent = frame(60, round as u8);
            let index = bench.driver.tx.available();
            bench.drive(|driver, root| driver.post_tx(root, &sent, &[]));
            // Of the past, nothing new, far ahead.
            let said =
                [index.wrapping_sub(3), index, index.wrapping_add(500), 0x8000][usize::from(round % 4)];
            let [a, b] = said.to_le_bytes();
            ring(&mut bench, &[low, high, a, b]);
            assert_eq!(bench.wire(), [sent], "index {index}, said {said}");
            assert!(bench.take_tx().is_some());
            bench.vectors();
        }
        bench.works();
    }
}

/// Doorbells of before, behind what the device has found by itself, and no doorbell where none is wanted.
fn doorbells_that_come_late(make: Make) {
    let seed = Seed::from_env(0xd00b);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(40);
    for features in [0, 1 << virtio::F_EVENT_IDX] {
        let options = Options { queue_size: 64, ..without(features) };
        let mut bench = Bench::with_link(make, options, LinkModel::random(seed.0));
        let at = bench.drive(|driver, root| driver.doorbell(root, TX));
        let [low, high] = (bar::NOTIFY_DATA | TX).to_le_bytes();
        let mut old = vec![];
        let mut sent = vec![];
        let mut seen = vec![];
        for round in 0..300u32 {
            for _ in 0..rng.random_range(0..4) {
                if bench.driver.tx.room() > 0 {
                    let one = frame(rng.random_range(60..200), round as u8);
                    bench.drive(|driver, root| driver.post_tx(root, &one, &[]));
                    sent.push(one);
                }
                old.push(bench.driver.tx.available());
            }
            if !old.is_empty() && rng.random_bool(0.5) {
                let late = old[old.len() - 1 - rng.random_range(0..old.len().min(40))];
                let [a, b] = late.to_le_bytes();
                bench.root.bar_write(at, &[low, high, a, b]).expect("posted");
            }
            bench.root.run(rng.random_range(0..800));
            while bench.take_tx().is_some() {}
            seen.extend(bench.wire());
        }
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.rest();
        seen.extend(bench.wire());
        assert_eq!(seen, sent);
        assert_eq!(bench.counter(ident::QUEUE_ERRORS), 0);
        bench.quiet();
    }
}
