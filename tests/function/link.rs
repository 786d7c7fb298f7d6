//! The wire's link goes down and comes up: STATUS, GUEST_ANNOUNCE.
//! Spec: [virtio 1.4: Network Device: Device configuration layout], [virtio 1.4: Gratuitous Packet Sending]

use hematite_sim::driver::{CONFIG_VECTOR, Options};
use hematite_sim::facts::{common, ctrl, net, status};
use hematite_tests::{Bench, Make, NONE, on_bodies};

use crate::commands::command;

on_bodies!(it_goes_down_and_up, nobody_is_told_before_driver_ok, it_is_the_same_behind_a_reset,);

mod announced {
    use super::*;
    on_bodies!(but TINY: the_driver_is_asked_to_announce_itself, it_is_asked_no_more_when_the_link_is_down, who_has_not_accepted_is_not_asked,);

    fn the_driver_is_asked_to_announce_itself(make: Make) {
        let mut bench = Bench::new(make, Options::default());
        assert!(command(&mut bench, ctrl::ANNOUNCE, ctrl::ANNOUNCE_ACK, &[]), "of nothing");
        assert_eq!(seen(&mut bench).0, net::STATUS_LINK_UP);
        for _ in 0..3 {
            link(&mut bench, false);
            assert_eq!(seen(&mut bench).0, 0);
            link(&mut bench, true);
            bench.rest();
            assert_eq!(seen(&mut bench).0, net::STATUS_LINK_UP | net::STATUS_ANNOUNCE);
            assert!(!command(&mut bench, ctrl::ANNOUNCE, ctrl::ANNOUNCE_ACK, &[0]), "too long");
            assert!(!command(&mut bench, ctrl::ANNOUNCE, 1, &[]), "no such command");
            assert_eq!(seen(&mut bench).0, net::STATUS_LINK_UP | net::STATUS_ANNOUNCE);
            assert!(command(&mut bench, ctrl::ANNOUNCE, ctrl::ANNOUNCE_ACK, &[]));
            assert_eq!(seen(&mut bench).0, net::STATUS_LINK_UP);
            bench.rest();
            bench.vectors();
        }
        link(&mut bench, false);
        link(&mut bench, true);
        bench.recovers();
        assert_eq!(seen(&mut bench).0, net::STATUS_LINK_UP, "after a device reset");
    }

    fn it_is_asked_no_more_when_the_link_is_down(make: Make) {
        let mut bench = Bench::new(make, Options::default());
        link(&mut bench, false);
        link(&mut bench, true);
        link(&mut bench, false);
        assert_eq!(seen(&mut bench).0, 0);
        link(&mut bench, true);
        assert_eq!(seen(&mut bench).0, net::STATUS_LINK_UP | net::STATUS_ANNOUNCE);
        bench.works();
    }

    fn who_has_not_accepted_is_not_asked(make: Make) {
        let features = !(1 << net::F_GUEST_ANNOUNCE);
        let mut bench = Bench::new(make, Options { features, ..Options::default() });
        link(&mut bench, false);
        link(&mut bench, true);
        assert_eq!(seen(&mut bench).0, net::STATUS_LINK_UP);
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
    let mut bench = Bench::new(make, Options::default());
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
