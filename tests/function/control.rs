//! The control queue: chains of every shape, and bad ones; interrupts; resets.

use hematite_abi::ident;
use hematite_sim::driver::{self, Driver, Options, TX, memory};
use hematite_sim::facts::{common, ctrl, net, status};
use hematite_sim::ring::{Buffer, Evil};
use hematite_sim::root::{Answer, LinkModel, Which};
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Bench, Make, NONE, flags_only, frame, on_bodies, on_packed};
use rand::Rng;

use crate::commands::{arriving, bench, command, mode};

on_bodies!(but TINY:
    with_one_pair_it_is_the_third_queue,
    with_mq_or_rss_it_is_behind_all_pairs,
    chains_of_every_shape,
    many_commands_at_once,
    interrupts_are_its_own,
    bad_chains,
    a_command_without_end,
    reads_that_fail,
    it_can_be_reset_alone,
    resets_at_random_moments,
);

on_packed!(
    chains_of_every_shape,
    many_commands_at_once,
    interrupts_are_its_own,
    bad_chains,
    a_command_without_end,
    reads_that_fail,
    it_can_be_reset_alone,
    resets_at_random_moments,
);

fn size(bench: &mut Bench, number: u16) -> u16 {
    bench.drive(|driver, root| {
        driver.set_common(root, common::QUEUE_SELECT, &number.to_le_bytes())?;
        Ok(u16::from_le_bytes(driver.common(root, common::QUEUE_SIZE)?))
    })
}

/// [virtio 1.4: Network Device, Virtqueues] "N=1 if VIRTIO_NET_F_MQ and VIRTIO_NET_F_RSS are not negotiated".
fn with_one_pair_it_is_the_third_queue(make: Make) {
    let features = Options::default().features & !(1 << net::F_MQ | 1 << net::F_RSS);
    let mut bench = Bench::new(make, Options { features, ..Options::default() });
    assert_eq!(bench.driver.control.as_ref().map(|ring| ring.number), Some(2));
    assert_ne!(size(&mut bench, 2), 0);
    for number in [3, 4, 2 * make.params.pairs as u16, 2 * make.params.pairs as u16 + 1, 0xffff] {
        assert_eq!(size(&mut bench, number), 0, "queue {number}");
    }
    mode(&mut bench, ctrl::MODE_PROMISC, false);
    assert_eq!(arriving(&mut bench), [true, false, false, true]);
    bench.works();
}

fn with_mq_or_rss_it_is_behind_all_pairs(make: Make) {
    let last = 2 * make.params.pairs as u16;
    for without in [net::F_MQ, net::F_RSS] {
        let features = Options::default().features & !(1 << without);
        let mut bench = Bench::new(make, Options { features, ..Options::default() });
        assert_eq!(bench.driver.control.as_ref().map(|ring| ring.number), Some(last), "without {without}");
        for number in [2, last - 1, last] {
            assert_ne!(size(&mut bench, number), 0, "without {without}: queue {number}");
        }
        assert_eq!(size(&mut bench, last + 1), 0, "without {without}");
        mode(&mut bench, ctrl::MODE_PROMISC, false);
        assert_eq!(arriving(&mut bench), [true, false, false, true], "without {without}");
        bench.works();
        bench.recovers();
    }
}

/// The same command in all the ways in which a driver may cut it.
fn chains_of_every_shape(make: Make) {
    let seed = Seed::from_env(0xc7a1);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(30);
    for tables in [None, Some(0), Some(1)] {
        let options = Options { queue_size: 64, tables, ..Options::default() };
        let mut bench = Bench::random(make, options, seed);
        for round in 0..40 {
            let id = rng.random_range(0..4096u16).to_le_bytes();
            // Across pages, and at any lane.
            let base = memory::COMMANDS + rng.random_range(0..0x2000);
            let bytes = [ctrl::VLAN, ctrl::VLAN_ADD, id[0], id[1]];
            bench.root.memory.poke(base, &bytes);
            let answer = base + 0x1000 + rng.random_range(0..64);
            bench.root.memory.poke(answer, &[0x55; 8]);
            let mut cuts: Vec<u32> = (0..rng.random_range(0..4)).map(|_| rng.random_range(0..=4)).collect();
            cuts.sort_unstable();
            let mut buffers = vec![];
            let mut start = 0;
            for end in cuts.into_iter().chain([4]) {
                buffers.push(Buffer { addr: base + u64::from(start), len: end - start, writable: false });
                start = end;
            }
            let room = rng.random_range(0..3u32);
            let empty = rng.random_bool(0.3);
            if empty {
                buffers.push(Buffer { addr: answer, len: 0, writable: true });
            }
            if room > 0 {
                buffers.push(Buffer { addr: answer, len: room, writable: true });
            }
            bench.drive(|driver, root| driver.post_control(root, &buffers));
            bench.rest();
            let used = bench.drive(|driver, root| driver.take_control(root)).expect("used");
            assert_eq!(used.len, room.min(1), "round {round}: {buffers:x?}");
            let expected = if room > 0 { [ctrl::ACK_OK, 0x55] } else { [0x55; 2] };
            assert_eq!(bench.root.memory.peek(answer), expected, "round {round}: {buffers:x?}");
            bench.vectors();
        }
        bench.works();
    }
}

fn many_commands_at_once(make: Make) {
    let options = Options { queue_size: 64, ..Options::default() };
    let mut bench = Bench::random(make, options, Seed::from_env(0xc7a2));
    for _ in 0..5 {
        for id in 0..20u16 {
            let base = memory::COMMANDS + 16 * u64::from(id);
            bench.root.memory.poke(base, &[ctrl::VLAN, ctrl::VLAN_ADD, id as u8, 0, 0x55]);
            let buffers = [
                Buffer { addr: base, len: 4, writable: false },
                Buffer { addr: base + 4, len: 1, writable: true },
            ];
            bench.drive(|driver, root| driver.post_control(root, &buffers));
        }
        bench.rest();
        for id in 0..20 {
            let used = bench.drive(|driver, root| driver.take_control(root)).expect("used");
            assert_eq!(used.buffers[0].addr, memory::COMMANDS + 16 * id, "in order");
            assert_eq!(bench.root.memory.peek(memory::COMMANDS + 16 * id + 4), [ctrl::ACK_OK]);
        }
    }
    bench.vectors();
    bench.works();
}

fn interrupts_are_its_own(make: Make) {
    for options in [Options::default(), flags_only()] {
        let mut bench = Bench::new(make, options);
        let vector = 2 * make.params.pairs as u32 + 1;
        // Taken back only when the function is at rest: it looks at what the driver wants a moment after the answer.
        let give = |bench: &mut Bench| {
            let buffers = bench.drive(|_, root| Ok(Driver::put_command(root, ctrl::RX, 1, &[1])));
            bench.drive(|driver, root| driver.post_control(root, &buffers));
            bench.rest();
            assert!(bench.drive(|driver, root| driver.take_control(root)).is_some());
        };
        give(&mut bench);
        assert_eq!(bench.vectors(), [vector]);
        let quiet = |bench: &mut Bench, quiet| {
            let ring = bench.driver.control.as_mut().expect("control queue");
            ring.suppress(&mut bench.root.memory, quiet);
        };
        quiet(&mut bench, true);
        let before = bench.counter(ident::IRQ_SUPPRESSED);
        give(&mut bench);
        assert_eq!(bench.vectors(), NONE);
        assert_eq!(bench.counter(ident::IRQ_SUPPRESSED), before + 1);
        quiet(&mut bench, false);
        give(&mut bench);
        assert_eq!(bench.vectors(), [vector]);
        bench.works();
    }
}

/// The queue stops, the device says so; the other queues go on.
fn asks_for_reset(bench: &mut Bench, code: u64, what: &str) {
    bench.rest_within(4 << 20);
    assert_eq!(bench.vectors(), [u32::from(driver::CONFIG_VECTOR)], "{what}: configuration interrupt, only");
    failed(bench, code, what);
}

fn failed(bench: &mut Bench, code: u64, what: &str) {
    assert_ne!(bench.status() & status::NEEDS_RESET, 0, "{what}: DEVICE_NEEDS_RESET");
    let number = bench.drive(|driver, root| driver.control_number(root));
    assert_eq!(bench.inspect(ident::DEVICE_ERROR), code as u32, "{what}: code");
    assert_eq!(bench.inspect(ident::DEVICE_ERROR_QUEUE), u32::from(number), "{what}: queue");
    let block = ident::QUEUES_OFFSET + usize::from(number) * ident::QUEUE_STATE_BYTES;
    assert_eq!(bench.inspect(block + ident::QUEUE_ERROR), code as u32, "{what}: code of the queue");
    let packet = frame(99, 1);
    assert_eq!(bench.transmit(std::slice::from_ref(&packet)), [packet], "{what}: transmission goes on");
    bench.vectors();
    bench.quiet();
}

fn bad_chains(make: Make) {
    let kinds = if make.packed { &Evil::PACKED[..] } else { &Evil::ALL[..] };
    for evil in kinds.iter().copied() {
        let code = match evil {
            Evil::HeadBeyond | Evil::NextBeyond | Evil::TableBeyond => ident::ERROR_DESC_INDEX,
            Evil::Loop | Evil::SelfLoop | Evil::TooLong | Evil::TableLoop | Evil::Endless => {
                ident::ERROR_DESC_LOOP
            }
            Evil::TableNext | Evil::TableBehind | Evil::TableIn => ident::ERROR_INDIRECT,
            Evil::TableInTable | Evil::TablePart | Evil::TableSkewed | Evil::TableChained => {
                ident::ERROR_INDIRECT
            }
            Evil::TableUnmapped | Evil::Unmapped => ident::ERROR_DMA_READ,
            Evil::IndexJump => ident::ERROR_AVAIL_INDEX,
            // No error here: an answer has its place behind the command.
            Evil::WrongDirection => continue,
        };
        let mut bench = bench(make);
        let good = Buffer { addr: memory::COMMANDS, len: 512, writable: false };
        let ring = bench.driver.control.as_mut().expect("control queue");
        let number = ring.number;
        ring.add_evil(&mut bench.root.memory, evil, good, memory::NOWHERE);
        bench.drive(|driver, root| driver.kick(root, number));
        asks_for_reset(&mut bench, code, &format!("{evil:?}"));
        bench.recovers();
        mode(&mut bench, ctrl::MODE_ALLMULTI, true);
    }
    // A command behind an answer.
    let mut bench = bench(make);
    let buffers = [
        Buffer { addr: memory::COMMANDS, len: 2, writable: false },
        Buffer { addr: memory::COMMANDS, len: 0, writable: true },
        Buffer { addr: memory::COMMANDS, len: 1, writable: false },
    ];
    bench.drive(|driver, root| driver.post_control(root, &buffers));
    asks_for_reset(&mut bench, ident::ERROR_WRONG_DIRECTION, "readable behind writable");
    bench.recovers();
}

fn a_command_without_end(make: Make) {
    let mut bench = bench(make);
    let buffers = |bytes: u32| {
        [
            Buffer { addr: memory::COMMANDS, len: 0x8000, writable: false },
            Buffer { addr: memory::COMMANDS, len: bytes - 0x8000, writable: false },
            Buffer { addr: memory::COMMANDS + 0x2_0000, len: 1, writable: true },
        ]
    };
    bench.root.memory.poke(memory::COMMANDS, &[ctrl::RX, 0]);
    bench.drive(|driver, root| driver.post_control(root, &buffers(0x1_0000)));
    bench.rest();
    let used = bench.drive(|driver, root| driver.take_control(root));
    assert_eq!(used.map(|used| used.len), Some(1));
    assert_eq!(bench.root.memory.peek(memory::COMMANDS + 0x2_0000), [ctrl::ACK_ERR]);
    bench.vectors();
    bench.drive(|driver, root| driver.post_control(root, &buffers(0x1_0001)));
    asks_for_reset(&mut bench, ident::ERROR_CHAIN_TOO_LONG, "65537 bytes");
    bench.recovers();
    // Nothing of it is left before the next command.
    assert!(command(&mut bench, ctrl::RX, 0, &[1]));
}

/// Each of a command's reads in turn is refused; one is not answered.
fn reads_that_fail(make: Make) {
    let mut probe = bench(make);
    let before = probe.root.counts.reads;
    mode(&mut probe, ctrl::MODE_PROMISC, false);
    probe.rest();
    let reads = probe.root.counts.reads - before;
    // Index, head, three descriptors, two buffers, the driver's wish, index again; of packed rings no index and no head.
    let least = if make.packed { 7 } else { 9 };
    assert!(reads >= least, "{reads} reads");
    let refused = (0..reads).map(|nth| (nth, Answer::UnsupportedRequest, ident::ERROR_DMA_READ));
    for (nth, answer, code) in refused.chain([(3, Answer::Lost, ident::ERROR_DMA_TIMEOUT)]) {
        let mut bench = bench(make);
        bench.root.faults.add(Which::Nth(nth), answer);
        let buffers = bench.drive(|_, root| Ok(Driver::put_command(root, ctrl::RX, 0, &[0])));
        bench.drive(|driver, root| driver.post_control(root, &buffers));
        bench.rest_within(4 << 20);
        // The interrupt of a command that was carried out may come before the error behind it.
        let number = bench.drive(|driver, root| driver.control_number(root));
        let own = u32::from(number) + 1;
        let told: Vec<u32> = bench.vectors().into_iter().filter(|vector| *vector != own).collect();
        assert_eq!(told, [u32::from(driver::CONFIG_VECTOR)], "read {nth}: {answer:?}");
        failed(&mut bench, code, &format!("read {nth}: {answer:?}"));
        bench.recovers();
        mode(&mut bench, ctrl::MODE_PROMISC, false);
    }
}

fn it_can_be_reset_alone(make: Make) {
    let mut bench = bench(make);
    mode(&mut bench, ctrl::MODE_PROMISC, false);
    bench.rest();
    bench.vectors();
    let number = bench.drive(|driver, root| driver.control_number(root));
    bench.drive(|driver, root| driver.reset_queue(root, number));
    bench.works();
    bench.drive(|driver, root| driver.setup_control(root));
    bench.rest();
    assert_eq!(arriving(&mut bench), [true, false, false, true], "what was set stays");
    mode(&mut bench, ctrl::MODE_ALLUNI, true);
    assert_eq!(arriving(&mut bench), [true, true, false, true]);
    bench.quiet();
}

/// Commands in flight while the device, the control queue or another queue is reset.
fn resets_at_random_moments(make: Make) {
    let seed = Seed::from_env(0xc7a3);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(31);
    let mut bench = Bench::with_link(make, Options::default(), LinkModel::random(seed.0));
    for _ in 0..30 {
        let buffers = bench.drive(|_, root| Ok(Driver::put_command(root, ctrl::RX, 1, &[1])));
        bench.drive(|driver, root| driver.post_control(root, &buffers));
        bench.root.run(rng.random_range(0..1500));
        match rng.random_range(0..3) {
            0 => {
                bench.drive(|driver, root| driver.initialise(root));
            }
            1 => {
                let number = bench.drive(|driver, root| driver.control_number(root));
                bench.drive(|driver, root| driver.reset_queue(root, number));
                bench.drive(|driver, root| driver.setup_control(root));
            }
            _ => {
                bench.drive(|driver, root| driver.reset_queue(root, TX));
                bench.drive(|driver, root| driver.setup_queue(root, TX));
                bench.rest();
                let used = bench.drive(|driver, root| driver.take_control(root));
                assert!(used.is_some(), "a command outlives the reset of another queue");
            }
        }
        bench.rest();
        bench.wire();
        bench.works();
    }
}
