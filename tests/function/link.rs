//! The wire's link goes down and comes up: STATUS, GUEST_ANNOUNCE.
//! Spec: [virtio 1.4: Network Device: Device configuration layout], [virtio 1.4: Gratuitous Packet Sending]

use hematite_abi::net as abi;
use hematite_sim::driver::{CONFIG_VECTOR, Options};
use hematite_sim::facts::{common, ctrl, net, status};
use hematite_tests::{Bench, Make, NONE, on_bodies};

use crate::commands::command;

on_bodies!(it_goes_down_and_up, nobody_is_told_before_driver_ok, it_is_the_same_behind_a_reset,);

mod announced {
    use super::*;
    on_bodies!(but TINY:
        the_driver_is_asked_to_announce_itself,
        it_is_not_asked_before_it_has_read,
        it_is_asked_no_more_when_the_link_is_down,
        a_reset_forgets_it,
        who_has_not_accepted_is_not_asked,
    );

    const UP: u16 = net::STATUS_LINK_UP;
    const ASKED: u16 = net::STATUS_LINK_UP | net::STATUS_ANNOUNCE;

    /// Cycles from the driver's reading that the link is up.
    fn delay(make: Make) -> u64 {
        (abi::ANNOUNCE_DELAY_US * make.params.clock_mhz) as u64
    }

    /// Down and up; both are told, and neither is read.
    fn again(bench: &mut Bench) {
        for up in [false, true] {
            link(bench, up);
            assert_eq!(bench.vectors(), [u32::from(CONFIG_VECTOR)]);
        }
    }

    /// It is asked, by an interrupt of its own, as late as it should be.
    fn asked(bench: &mut Bench, since: u64, delay: u64) {
        bench.rest_within(2 * delay);
        let interrupts = bench.root.msi.drain();
        let came: Vec<u32> = interrupts.iter().map(|message| message.data).collect();
        assert_eq!(came, [u32::from(CONFIG_VECTOR)]);
        let late = interrupts[0].cycle - since;
        assert!((delay..delay + delay / 8).contains(&late), "{late} cycles, not {delay}");
        assert_eq!(seen(bench).0, ASKED);
    }

    fn the_driver_is_asked_to_announce_itself(make: Make) {
        let mut bench = Bench::new(make, Options::default());
        assert!(command(&mut bench, ctrl::ANNOUNCE, ctrl::ANNOUNCE_ACK, &[]), "of nothing");
        bench.rest();
        bench.vectors();
        assert_eq!(seen(&mut bench).0, UP, "not at the start");
        for _ in 0..2 {
            again(&mut bench);
            let since = bench.root.device.now();
            let (status, generation) = seen(&mut bench);
            assert_eq!(status, UP, "the link is up, and that is all");
            bench.root.run(delay(make) / 2);
            assert_eq!(seen(&mut bench), (UP, generation));
            assert_eq!(bench.vectors(), NONE);
            asked(&mut bench, since, delay(make));
            assert_ne!(seen(&mut bench).1, generation);
            assert!(!command(&mut bench, ctrl::ANNOUNCE, ctrl::ANNOUNCE_ACK, &[0]), "too long");
            assert!(!command(&mut bench, ctrl::ANNOUNCE, 1, &[]), "no such command");
            assert_eq!(seen(&mut bench).0, ASKED);
            assert!(command(&mut bench, ctrl::ANNOUNCE, ctrl::ANNOUNCE_ACK, &[]));
            assert_eq!(seen(&mut bench).0, UP);
            bench.rest();
            bench.vectors();
        }
        bench.works();
    }

    /// A driver that does not know yet that the link is up would send nothing.
    fn it_is_not_asked_before_it_has_read(make: Make) {
        let mut bench = Bench::new(make, Options::default());
        again(&mut bench);
        let at = bench.driver.function.device_cfg.offset;
        bench.root.bar_read(at + net::CFG_STATUS - 2, &mut [0; 2]).expect("BAR read");
        bench.root.bar_read(at + net::CFG_PAIRS, &mut [0; 4]).expect("BAR read");
        bench.root.bar_write(at + net::CFG_STATUS, &[0xff; 2]).expect("posted");
        bench.root.run(2 * delay(make));
        assert_eq!(bench.vectors(), NONE, "what it has read and written is not status");
        let since = bench.root.device.now();
        assert_eq!(seen(&mut bench).0, UP);
        // An answer to what it was asked before.
        assert!(command(&mut bench, ctrl::ANNOUNCE, ctrl::ANNOUNCE_ACK, &[]));
        bench.root.run(delay(make) / 2);
        bench.vectors();
        asked(&mut bench, since, delay(make));
        bench.works();
    }

    fn it_is_asked_no_more_when_the_link_is_down(make: Make) {
        let mut bench = Bench::new(make, Options::default());
        for part in [0, delay(make) / 2, 2 * delay(make)] {
            again(&mut bench);
            assert_eq!(seen(&mut bench).0, UP);
            bench.root.run(part);
            bench.vectors();
            link(&mut bench, false);
            assert_eq!(bench.vectors(), [u32::from(CONFIG_VECTOR)]);
            assert_eq!(seen(&mut bench).0, 0);
            bench.root.run(2 * delay(make));
            assert_eq!(bench.vectors(), NONE, "down after {part} cycles");
            link(&mut bench, true);
            bench.root.run(2 * delay(make));
            assert_eq!(bench.vectors(), [u32::from(CONFIG_VECTOR)], "it has not read that it is up again");
        }
        let since = bench.root.device.now();
        assert_eq!(seen(&mut bench).0, UP);
        asked(&mut bench, since, delay(make));
        bench.works();
    }

    fn a_reset_forgets_it(make: Make) {
        let mut bench = Bench::new(make, Options::default());
        for part in [None, Some(0), Some(delay(make) / 2), Some(2 * delay(make))] {
            again(&mut bench);
            if let Some(part) = part {
                assert_eq!(seen(&mut bench).0, UP);
                bench.root.run(part);
            }
            bench.recovers();
            assert_eq!(seen(&mut bench).0, UP, "after a device reset");
            bench.root.run(2 * delay(make));
            assert_eq!(bench.vectors(), NONE, "reset after {part:?} cycles");
            assert_eq!(seen(&mut bench).0, UP);
        }
        bench.works();
    }

    fn who_has_not_accepted_is_not_asked(make: Make) {
        let features = !(1 << net::F_GUEST_ANNOUNCE);
        let mut bench = Bench::new(make, Options { features, ..Options::default() });
        again(&mut bench);
        assert_eq!(seen(&mut bench).0, UP);
        bench.root.run(2 * delay(make));
        assert_eq!((seen(&mut bench).0, bench.vectors()), (UP, NONE.to_vec()));
        assert!(!command(&mut bench, ctrl::ANNOUNCE, ctrl::ANNOUNCE_ACK, &[]));
        bench.rest();
        bench.vectors();
        bench.works();
    }
}

/// `status` of device configuration, and its generation.
fn seen(bench: &mut Bench) -> (u16, u8) {
    let at = bench.driver.function.device_cfg.offset;
    let mut half = [0; 2];
    bench.root.bar_read(at + net::CFG_STATUS, &mut half).expect("BAR read");
    let generation = bench.drive(|driver, root| driver.common::<1, _>(root, common::CONFIG_GENERATION));
    (u16::from_le_bytes(half), generation[0])
}

fn link(bench: &mut Bench, up: bool) {
    bench.root.device.link(up);
    bench.rest();
}

fn it_goes_down_and_up(make: Make) {
    let features = Options::default().features & !(1 << net::F_GUEST_ANNOUNCE);
    let mut bench = Bench::new(make, Options { features, ..Options::default() });
    let (mut now, mut generation) = seen(&mut bench);
    assert_eq!(now, net::STATUS_LINK_UP);
    for up in [false, true, true, false, false, true] {
        let was = now & net::STATUS_LINK_UP != 0;
        link(&mut bench, up);
        let told = if up == was { NONE.to_vec() } else { vec![u32::from(CONFIG_VECTOR)] };
        assert_eq!(bench.vectors(), told, "was {was}, is {up}");
        let before = generation;
        (now, generation) = seen(&mut bench);
        assert_eq!(now & net::STATUS_LINK_UP != 0, up);
        assert_eq!(generation != before, up != was, "the generation changes with it");
    }
    bench.works();
}

fn nobody_is_told_before_driver_ok(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.drive(|driver, root| driver.negotiate(root));
    for up in [false, true, false] {
        link(&mut bench, up);
        assert_eq!(seen(&mut bench).0, if up { net::STATUS_LINK_UP } else { 0 });
    }
    assert_eq!(bench.vectors(), NONE);
    link(&mut bench, true);
    assert_eq!(bench.status() & status::NEEDS_RESET, 0);
    bench.recovers();
    assert_eq!(seen(&mut bench).0, net::STATUS_LINK_UP);
}

fn it_is_the_same_behind_a_reset(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    link(&mut bench, false);
    bench.vectors();
    bench.drive(|driver, root| driver.initialise(root));
    bench.rest();
    assert_eq!(seen(&mut bench).0, 0, "the link is not the driver's to reset");
    assert_eq!(bench.vectors(), NONE);
    link(&mut bench, true);
    assert_eq!(bench.vectors(), [u32::from(CONFIG_VECTOR)]);
    bench.works();
}
