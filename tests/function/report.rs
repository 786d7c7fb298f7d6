//! How the driver asks what queues have done, and what it is answered: commands of DEVICE_STATS.
//! Spec: [virtio 1.4: Network Device, Control Virtqueue, Device Statistics]

use hematite_sim::driver::{Options, RX, TX};
use hematite_sim::facts::{ctrl, net};
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Bench, Make, frame, on_bodies, on_packed};
use rand::Rng;

use crate::commands::{bench, command, mode};
use crate::stats::{all, ask, entry, kind, reply, words};

on_bodies!(but TINY:
    types_are_told,
    the_control_queue_counts_itself,
    all_queues_at_once,
    an_answer_in_pieces,
    what_is_not_there_is_refused,
    any_command_has_an_answer,
);

on_packed!(all_queues_at_once, an_answer_in_pieces);

/// What a receive, a transmit and the control queue can be asked for.
const TYPES: u64 = 1 << ctrl::STATS_RX_BASIC | 1 << ctrl::STATS_TX_BASIC | 1 << ctrl::STATS_CVQ;

fn types_are_told(make: Make) {
    let mut bench = bench(make);
    for room in [8, 20] {
        let (ack, result) =
            bench.drive(|driver, root| driver.query(root, ctrl::STATS, ctrl::STATS_QUERY, &[], room));
        assert_eq!((ack, words(&result)), (ctrl::ACK_OK, vec![TYPES]));
    }
    assert!(!command(&mut bench, ctrl::STATS, ctrl::STATS_QUERY, &[0]));
    assert!(!command(&mut bench, ctrl::STATS, 2, &[]));
    bench.quiet();
}

fn the_control_queue_counts_itself(make: Make) {
    let mut bench = bench(make);
    let number = bench.drive(|driver, root| driver.control_number(root));
    let own = |bench: &mut Bench, number: u16| {
        let bytes = ask(bench, &entry(number, 1 << ctrl::STATS_CVQ), 100).expect("known");
        assert_eq!(bytes.len(), ctrl::STATS_CVQ_BYTES);
        reply(&bytes, number, ctrl::STATS_CVQ, bytes.len())
    };
    assert_eq!(own(&mut bench, number), [1, 1]);
    mode(&mut bench, ctrl::MODE_ALLMULTI, true);
    assert!(!command(&mut bench, ctrl::RX, 99, &[1]));
    assert_eq!(own(&mut bench, number), [4, 3]);
    assert_eq!(ask(&mut bench, &entry(number, 1), 100), None);
    assert_eq!(own(&mut bench, number), [6, 4]);
    // Without MQ and RSS it is the third queue, and there is no fourth.
    let with = |features: u128| Options { features, ..Options::default() };
    let mut bench = Bench::new(make, with(!(1 << net::F_MQ | 1 << net::F_HASH_REPORT)));
    assert_eq!(own(&mut bench, number), [1, 1], "RSS without MQ");
    let mut bench = Bench::new(make, with(!(1 << net::F_MQ | 1 << net::F_RSS | 1 << net::F_HASH_REPORT)));
    assert_eq!(own(&mut bench, 2), [1, 1]);
    assert_eq!(ask(&mut bench, &entry(3, 1 << ctrl::STATS_TX_BASIC), 100), None);
    assert_eq!(ask(&mut bench, &entry(2, 1 << ctrl::STATS_RX_BASIC), 100), None);
    bench.quiet();
}

/// As many queues as there are in one command, as `ethtool -S` asks for them.
fn all_queues_at_once(make: Make) {
    let mut bench = bench(make);
    bench.transmit(&[frame(90, 1), frame(91, 2)]);
    let number = bench.drive(|driver, root| driver.control_number(root));
    let (data, whole) = all(number, make.params.pairs as u16);
    let bytes = ask(&mut bench, &data, 10_000).expect("all known");
    assert_eq!(bytes.len(), whole);
    for queue in 0..number {
        let at = usize::from(queue) * ctrl::STATS_BASIC_BYTES;
        let counters = reply(&bytes[at..], queue, kind(queue), ctrl::STATS_BASIC_BYTES);
        assert_eq!(counters[1..3], if queue == TX { [2, 181] } else { [0, 0] });
    }
    assert_eq!(reply(&bytes[whole - 24..], number, ctrl::STATS_CVQ, 24), [1, 1]);
    bench.works();
}

/// "The device MUST fill up only upto the valid bytes", over a random link.
fn an_answer_in_pieces(make: Make) {
    let seed = Seed::from_env(0x57a7);
    let _replay = ReplayLine(seed);
    let mut bench = Bench::random(make, Options { queue_size: 64, ..Options::default() }, seed);
    let number = bench.drive(|driver, root| driver.control_number(root));
    let (data, whole) = all(number, make.params.pairs.min(4) as u16);
    for room in [whole as u32, 2000, 77, 0, 1, 7, 9, 56, whole as u32 - 1] {
        let due = whole.min(room as usize);
        assert_eq!(ask(&mut bench, &data, room).map(|bytes| bytes.len()), Some(due), "room {room}");
    }
    bench.works();
}

fn what_is_not_there_is_refused(make: Make) {
    let mut bench = bench(make);
    let control = 2 * make.params.pairs as u16;
    let good = entry(TX, 1 << ctrl::STATS_TX_BASIC);
    for bad in [
        entry(TX, 1 << ctrl::STATS_RX_BASIC),
        entry(TX, 0),
        entry(TX, 1 << ctrl::STATS_TX_BASIC | 1 << (ctrl::STATS_TX_BASIC + 1)),
        entry(TX, TYPES),
        entry(RX, 1 << ctrl::STATS_CVQ),
        entry(RX, 1 << 63 | 1),
        entry(control, 1),
        entry(control + 1, 1 << ctrl::STATS_TX_BASIC),
        entry(0xffff, 1 << ctrl::STATS_TX_BASIC),
        entry(TX | 0x100, 1 << ctrl::STATS_TX_BASIC),
        good[..15].to_vec(),
        [good.clone(), vec![0]].concat(),
    ] {
        assert_eq!(ask(&mut bench, &bad, 100), None, "{bad:x?}");
        let behind = [good.clone(), bad.clone()].concat();
        assert_eq!(ask(&mut bench, &behind, 200), None, "behind a good one: {bad:x?}");
    }
    assert_eq!(ask(&mut bench, &[], 100), None);
    // More than is kept of a command.
    let most = make.params.numbers().max(31);
    assert!(ask(&mut bench, &good.repeat(most), 4000).is_some());
    assert_eq!(ask(&mut bench, &good.repeat(most + 1), 4000), None);
    assert_eq!(ask(&mut bench, &good.repeat(500), 4000), None);
    let features = !(1 << net::F_DEVICE_STATS | 1 << net::F_HASH_REPORT);
    let mut bench = Bench::new(make, Options { features, ..Options::default() });
    assert_eq!(ask(&mut bench, &good, 100), None);
    assert!(!command(&mut bench, ctrl::STATS, ctrl::STATS_QUERY, &[]));
    bench.rest();
    bench.works();
}

/// Whatever stands in a command, it is answered, and as the entries say.
fn any_command_has_an_answer(make: Make) {
    let seed = Seed::from_env(0x57a8);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(63);
    let mut bench = Bench::random(make, Options::default(), seed);
    let number = bench.drive(|driver, root| driver.control_number(root));
    for _ in 0..60 {
        let entries: Vec<(u16, u64)> = (0..rng.random_range(1..5))
            .map(|_| {
                let queue = rng.random_range(0..=number);
                let right = 1 << if queue == number { ctrl::STATS_CVQ } else { kind(queue) };
                match rng.random_range(0..16) {
                    0 => (queue, right | 1 << rng.random_range(0..64)),
                    1 => (queue, rng.random()),
                    2 => (rng.random(), right),
                    _ => (queue, right),
                }
            })
            .collect();
        let right = |(queue, types): &(u16, u64)| match *queue {
            queue if queue < number => (*types == 1 << kind(queue)).then_some(ctrl::STATS_BASIC_BYTES),
            queue if queue == number => (*types == 1 << ctrl::STATS_CVQ).then_some(ctrl::STATS_CVQ_BYTES),
            _ => None,
        };
        let due = entries.iter().map(right).sum::<Option<usize>>();
        let mut data: Vec<u8> = entries.iter().flat_map(|(queue, types)| entry(*queue, *types)).collect();
        let cut = rng.random_ratio(1, 8).then(|| rng.random_range(0..data.len()));
        data.truncate(cut.unwrap_or(usize::MAX));
        let got = ask(&mut bench, &data, 1000).map(|bytes| bytes.len());
        if cut.is_none() {
            assert_eq!(got, due, "{entries:x?}");
        } else if !data.len().is_multiple_of(16) {
            assert_eq!(got, None, "{} bytes of {entries:x?}", data.len());
        }
    }
    bench.works();
}
