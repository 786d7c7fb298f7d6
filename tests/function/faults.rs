//! Bad input: a defined answer each, and the function works again after a reset. One test per line of the list in
//! DESIGN 3, "Nothing the host or the wire sends can wedge the function".

use hematite_sim::driver::{self, Options, RX, TX, memory};
use std::ops::Range;

use hematite_sim::facts::{common, net, status};
use hematite_sim::ring::{Buffer, Evil};
use hematite_sim::root::tlp::{Bdf, MemRequest, Status};
use hematite_sim::root::{Answer, Tlp, Which};
use hematite_tests::{Bench, Make, NONE, frame, on_bodies, on_packed};

on_bodies!(
    descriptor_index_beyond_the_queue,
    descriptor_loop,
    chain_longer_than_the_queue,
    wrong_direction,
    bad_tables,
    avail_index_jumps,
    evil_receive_chains,
    zero_length_descriptors_are_skipped,
    transmit_chain_shorter_than_its_header,
    unmapped_buffer,
    unmapped_rings,
    read_refused_or_poisoned,
    read_never_answered,
    stray_completions_are_ignored,
    bad_queue_sizes_are_ignored,
    kicks_nobody_wants,
    malformed_tlps_are_dropped,
    one_bad_queue_leaves_the_other_alone,
    bus_master_taken_away,
);

on_packed!(
    wrong_direction,
    evil_packed_chains,
    zero_length_descriptors_are_skipped,
    transmit_chain_shorter_than_its_header,
    unmapped_buffer,
    unmapped_rings,
    read_refused_or_poisoned,
    read_never_answered,
    stray_completions_are_ignored,
    one_bad_queue_leaves_the_other_alone,
    bus_master_taken_away,
);

/// Cycles after which a read without answer must have failed, with room for the slowest set of parameters.
const TIMEOUT: u64 = 4 << 20;

fn evil_options() -> Options {
    Options { rx_buffers: 0, ..Options::default() }
}

/// The defined answer to a bad ring: the queue stops, the device says so and interrupts by the configuration vector.
fn asks_for_reset(bench: &mut Bench, what: &str) {
    bench.rest_within(TIMEOUT);
    assert_ne!(bench.status() & status::NEEDS_RESET, 0, "{what}: DEVICE_NEEDS_RESET");
    assert_eq!(bench.vectors(), [u32::from(driver::CONFIG_VECTOR)], "{what}: configuration interrupt, only");
    assert_eq!(bench.wire(), Vec::<Vec<u8>>::new(), "{what}: nothing was sent");
    bench.quiet();
}

fn evil(make: Make, queue: u16, evil: Evil) {
    let options = Options { rx_buffers: if queue == RX { 0 } else { 8 }, ..Options::default() };
    let mut bench = Bench::new(make, options);
    let writable = queue == RX;
    let addr = if writable { memory::RX } else { memory::TX };
    let good = Buffer { addr, len: 512, writable };
    let ring = if queue == RX { &mut bench.driver.rx } else { &mut bench.driver.tx };
    ring.add_evil(&mut bench.root.memory, evil, good, memory::NOWHERE);
    bench.drive(|driver, root| driver.kick(root, queue));
    bench.rest();
    if queue == RX {
        bench.root.frame_in(frame(700, 1));
    }
    asks_for_reset(&mut bench, &format!("queue {queue}: {evil:?}"));
    let ring = if queue == RX { &bench.driver.rx } else { &bench.driver.tx };
    assert_eq!(ring.used_idx(&mut bench.root.memory), 0, "{evil:?}: the chain is not completed");
    bench.driver.options.rx_buffers = 8;
    bench.recovers();
}

fn descriptor_index_beyond_the_queue(make: Make) {
    evil(make, TX, Evil::HeadBeyond);
    evil(make, TX, Evil::NextBeyond);
}

fn descriptor_loop(make: Make) {
    evil(make, TX, Evil::Loop);
    evil(make, TX, Evil::SelfLoop);
}

fn chain_longer_than_the_queue(make: Make) {
    evil(make, TX, Evil::TooLong);
}

fn wrong_direction(make: Make) {
    evil(make, TX, Evil::WrongDirection);
}

/// Bad tables where tables are offered, tables where they are not.
fn bad_tables(make: Make) {
    for kind in [
        Evil::TableInTable,
        Evil::TablePart,
        Evil::TableSkewed,
        Evil::TableChained,
        Evil::TableLoop,
        Evil::TableBeyond,
        Evil::TableUnmapped,
    ] {
        evil(make, TX, kind);
    }
}

fn avail_index_jumps(make: Make) {
    evil(make, TX, Evil::IndexJump);
}

fn evil_receive_chains(make: Make) {
    for kind in Evil::ALL {
        // A posted write to memory which is not there has no answer: the device cannot know.
        if kind != Evil::Unmapped {
            evil(make, RX, kind);
        }
    }
}

/// What only packed rings can say, both ways.
fn evil_packed_chains(make: Make) {
    for kind in Evil::PACKED {
        evil(make, TX, kind);
        if kind != Evil::Unmapped {
            evil(make, RX, kind);
        }
    }
}

/// [virtio 1.4: Descriptor Table] does not forbid a length of 0: such a descriptor adds nothing.
fn zero_length_descriptors_are_skipped(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let packet = frame(80, 3);
    bench.drive(|driver, root| driver.post_tx(root, &packet, &[0, 0, 12, 12, 40, 92]));
    bench.drive(|driver, root| driver.kick(root, TX));
    bench.rest();
    assert_eq!(bench.wire(), [packet]);
    assert_eq!(bench.take_tx().map(|used| used.len), Some(0));

    let mut bench = Bench::new(make, evil_options());
    let at = |offset, len| Buffer { addr: memory::RX + offset, len, writable: true };
    bench.drive(|driver, root| {
        driver.post(root, RX, &[at(0, 0), at(0, 100), at(9, 0), at(100, 400), at(1, 0)])
    });
    bench.drive(|driver, root| driver.kick(root, RX));
    bench.rest();
    let packet = frame(300, 4);
    bench.root.frame_in(packet.clone());
    bench.rest();
    let used = bench.driver.rx.take_used(&mut bench.root.memory).expect("sane ring").expect("chain used");
    assert_eq!(used.len, 312);
    let mut seen = vec![0; 300];
    bench.root.memory.look(memory::RX + 12, &mut seen);
    assert_eq!(seen, packet);
    bench.driver.options.rx_buffers = 8;
    bench.recovers();
}

/// A chain without room for header and Ethernet header: used with length 0, not sent, and the next one is served.
fn transmit_chain_shorter_than_its_header(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    for len in [0, 1, 11, 12, 13, 25] {
        let buffer = Buffer { addr: memory::TX, len, writable: false };
        bench.drive(|driver, root| driver.post(root, TX, &[buffer]));
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.rest();
        let used = bench.driver.tx.take_used(&mut bench.root.memory).expect("sane ring");
        assert_eq!(used.map(|used| used.len), Some(0), "chain of {len} bytes");
        assert!(bench.wire().is_empty(), "chain of {len} bytes is not sent");
    }
    assert_eq!(bench.status() & status::NEEDS_RESET, 0);
    bench.works();
    bench.recovers();
}

fn unmapped_buffer(make: Make) {
    evil(make, TX, Evil::Unmapped);
}

/// Descriptor table or available ring where there is no memory.
fn unmapped_rings(make: Make) {
    for wrong in [common::QUEUE_DESC, common::QUEUE_DRIVER] {
        let mut bench = Bench::new(make, Options::default());
        bench.drive(|driver, root| driver.reset_queue(root, TX));
        let areas = bench.driver.tx.areas;
        // A driver area that is out of reach is found out when the first chain is used: a packed ring's frame has left by then.
        if make.packed && wrong == common::QUEUE_DRIVER {
            continue;
        }
        for (field, addr) in [
            (common::QUEUE_DESC, areas.desc),
            (common::QUEUE_DRIVER, areas.driver),
            (common::QUEUE_DEVICE, areas.device),
        ] {
            let addr = if field == wrong { memory::NOWHERE } else { addr };
            bench.drive(|driver, root| driver.set_common(root, field, &addr.to_le_bytes()));
        }
        bench.drive(|driver, root| driver.set_common(root, common::QUEUE_ENABLE, &[1, 0]));
        bench.drive(|driver, root| driver.send(root, &frame(60, 1)));
        asks_for_reset(&mut bench, "ring at an unmapped address");
        bench.recovers();
    }
}

/// What the device reads to send a frame: available ring, descriptor, payload.
fn read_ranges(bench: &Bench) -> [Range<u64>; 3] {
    let areas = bench.driver.tx.areas;
    [
        areas.driver..areas.device,
        areas.desc..areas.driver,
        memory::TX..memory::TX + memory::TX_SLOT * memory::SLOTS,
    ]
}

/// Each kind of read of a transmission gets each of the bad answers.
fn read_refused_or_poisoned(make: Make) {
    for answer in [Answer::UnsupportedRequest, Answer::CompleterAbort, Answer::Poisoned] {
        // of a packed ring nothing but descriptors is read before a frame leaves
        for kind in if make.packed { 1..3 } else { 0..3 } {
            let mut bench = Bench::new(make, Options::default());
            let range = read_ranges(&bench)[kind].clone();
            bench.root.faults.add(Which::Range(range.clone()), answer);
            bench.drive(|driver, root| driver.send(root, &frame(200, 1)));
            asks_for_reset(&mut bench, &format!("{answer:?} for reads of {range:#x?}"));
            assert_ne!(bench.root.faults.given, 0);
            bench.recovers();
        }
    }
}

fn read_never_answered(make: Make) {
    for answer in [Answer::Lost, Answer::LinkError] {
        let mut bench = Bench::new(make, Options::default());
        // The frame's own bytes: the ring's reads come before.
        bench.root.faults.add(Which::Range(memory::TX..memory::TX + 0x10_0000), answer);
        bench.drive(|driver, root| driver.send(root, &frame(200, 1)));
        asks_for_reset(&mut bench, &format!("{answer:?}"));
        bench.recovers();
    }
}

fn stray_completions_are_ignored(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    for answer in [Answer::Duplicate, Answer::UnknownTag] {
        bench.root.faults.add(Which::All, answer);
        let packet = frame(150, 2);
        assert_eq!(bench.transmit(std::slice::from_ref(&packet)), [packet], "{answer:?}");
        bench.root.faults.clear();
    }
    bench.works();
    bench.recovers();
}

fn bad_queue_sizes_are_ignored(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.drive(|driver, root| driver.reset(root));
    bench.drive(|driver, root| driver.set_common(root, common::QUEUE_SELECT, &TX.to_le_bytes()));
    let size = |bench: &mut Bench| {
        u16::from_le_bytes(bench.drive(|driver, root| driver.common(root, common::QUEUE_SIZE)))
    };
    let most = size(&mut bench);
    assert!(most.is_power_of_two());
    bench.drive(|driver, root| driver.set_common(root, common::QUEUE_SIZE, &(most / 2).to_le_bytes()));
    assert_eq!(size(&mut bench), most / 2);
    for bad in [0, 3, most - 1, most + 1, most * 2, 0xffff] {
        bench.drive(|driver, root| driver.set_common(root, common::QUEUE_SIZE, &bad.to_le_bytes()));
        assert_eq!(size(&mut bench), most / 2, "size {bad} is ignored");
    }
    bench.recovers();
}

/// Kicks before DRIVER_OK, for a queue which is not enabled, for one which does not exist.
fn kicks_nobody_wants(make: Make) {
    // Without a control queue, so that the last doorbell is that of a queue which is off.
    let features = !(1 << net::F_CTRL_VQ | 1 << net::F_MQ | 1 << net::F_RSS);
    let mut bench = Bench::new(make, Options { features, ..Options::default() });
    bench.drive(|driver, root| driver.post_tx(root, &frame(60, 1), &[]));
    bench.drive(|driver, root| driver.reset_queue(root, TX));
    let reads = bench.root.counts.reads;
    bench.drive(|driver, root| driver.kick(root, TX));
    let (notify, step) = (bench.driver.function.notify, bench.driver.function.notify_multiplier);
    let outside = notify.offset + u64::from(notify.len) - u64::from(step);
    for at in [outside, notify.offset + u64::from(step) * 2, notify.offset + u64::from(step) * 3] {
        bench.root.bar_write(at, &[0xff, 0xff]).expect("posted");
    }
    bench.rest();
    assert_eq!(bench.root.counts.reads, reads, "a kick of a disabled queue reads nothing");
    bench.drive(|driver, root| driver.reset(root));
    bench.drive(|driver, root| driver.kick(root, TX));
    bench.drive(|driver, root| driver.kick(root, RX));
    bench.rest();
    assert_eq!(bench.root.counts.reads, reads, "a kick before DRIVER_OK reads nothing");
    assert_eq!(bench.vectors(), NONE);
    assert_eq!(bench.status(), 0);
    bench.recovers();
}

/// TLPs which no sane link delivers: dropped; the function answers the next good one.
fn malformed_tlps_are_dropped(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let base = bench.driver.function.bar + bench.driver.function.common.offset;
    let host = Bdf(0);
    let before = bench.status();
    let write = |len: usize| Tlp::mem_write(host, base + common::DEVICE_STATUS, &vec![0; len]);
    let mut bad = vec![];
    // marked bad by the link
    bad.push(Tlp { error: true, ..write(1) });
    // poisoned: the payload is not to be believed
    bad.push(write(1).poison());
    // longer than any access which is served
    bad.push(Tlp::mem_write(host, base, &[0; 132]));
    // more and less payload than the length field says
    let mut long = Tlp::mem_write(host, base + 0x800, &[0; 8]);
    long.data.extend([0; 8]);
    bad.push(long);
    let mut short = Tlp::mem_write(host, base + 0x800, &[0; 16]);
    short.data.truncate(8);
    bad.push(short);
    // completions which nobody waits for, messages, reserved types
    bad.push(Tlp { header: [0x4a00_0001, 0x0000_0004, 0x0100_0300, 0], data: vec![0; 4], error: false });
    bad.push(Tlp { header: [0x3400_0000, 0x0000_0020, 0, 0], data: vec![], error: false });
    bad.push(Tlp {
        header: [0x7f00_0001, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff],
        data: vec![0xff; 4],
        error: false,
    });
    bad.push(Tlp { header: [0xff00_0000, 0, 0, 0], data: vec![], error: false });
    for tlp in bad {
        let text = tlp.to_string();
        bench.root.send(tlp);
        bench.rest();
        assert_eq!(bench.status(), before, "after {text}");
        assert_eq!(bench.root.counts.stray, 0, "after {text}");
    }
    // An oversized read is refused, not dropped: somebody waits for it.
    let request = MemRequest { requester: host, tag: 7, addr: base, words: 33, first_be: 15, last_be: 15 };
    let (status, _) = bench.root.request(Tlp::memory(request, None), 132).expect("completion");
    assert_eq!(status, Status::CompleterAbort);
    bench.works();
    bench.recovers();
}

/// A broken transmit queue does not stop the receive queue.
fn one_bad_queue_leaves_the_other_alone(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let good = Buffer { addr: memory::TX, len: 100, writable: false };
    bench.driver.tx.add_evil(&mut bench.root.memory, Evil::WrongDirection, good, memory::NOWHERE);
    bench.drive(|driver, root| driver.kick(root, TX));
    asks_for_reset(&mut bench, "a bad chain");
    let packet = frame(99, 5);
    assert_eq!(bench.receive(&packet), Some(packet));
    bench.drive(|driver, root| driver.kick(root, TX));
    bench.rest();
    assert_eq!(bench.driver.tx.used_idx(&mut bench.root.memory), 0, "the bad queue rests");
    bench.recovers();
}

/// Without Bus Master Enable nothing leaves the device, and the driver can see why nothing comes.
fn bus_master_taken_away(make: Make) {
    use hematite_sim::facts::config;
    let mut bench = Bench::new(make, Options::default());
    let command = config::COMMAND_MEMORY;
    bench.root.config_write(config::COMMAND, &command.to_le_bytes()).expect("config write");
    let (reads, writes) = (bench.root.counts.reads, bench.root.counts.writes);
    bench.drive(|driver, root| driver.send(root, &frame(60, 1)));
    bench.root.frame_in(frame(70, 2));
    bench.rest();
    assert_eq!((bench.root.counts.reads, bench.root.counts.writes), (reads, writes));
    assert_eq!(bench.vectors(), NONE);
    assert_ne!(bench.status() & status::NEEDS_RESET, 0);
    let both = command | config::COMMAND_BUS_MASTER;
    bench.root.config_write(config::COMMAND, &both.to_le_bytes()).expect("config write");
    bench.recovers();
}
