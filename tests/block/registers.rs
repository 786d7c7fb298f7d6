//! The small blocks behind the BAR: regions, ISR, device configuration, doorbells, errors, interrupts.

use crate::harness::Harness;
use crate::mmio::Registers;
use crate::streams::{Feed, Watch};
use hematite_abi::{feature, ident, isr, layout, net};
use hematite_hw::params::Params;
use hematite_hw::port::chain::QueueIrq;
use hematite_hw::port::irq::Irq;
use hematite_hw::port::queue::QueueError;
use hematite_hw::virtio::device_cfg::DeviceCfg;
use hematite_hw::virtio::errors::{Errors, REPORTERS};
use hematite_hw::virtio::interrupts::Interrupts;
use hematite_hw::virtio::isr::Isr;
use hematite_hw::virtio::notify::Notify;
use hematite_hw::virtio::regions::Regions;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

fn nobody<B>(_: &B) -> Option<u64> {
    None
}

#[test]
fn regions_route() {
    let watch = |b: &Regions| {
        let asked: Vec<_> = [&b.common, &b.isr, &b.device, &b.notify, &b.msix, &b.inspection]
            .iter()
            .enumerate()
            .filter(|(_, port)| port.valid.val())
            .map(|(i, port)| (i as u64) << 32 | u64::from(port.addr.val()))
            .collect();
        assert!(asked.len() < 2);
        asked.first().copied()
    };
    let mut regs =
        Registers::new(Harness::new(Regions::default(), |b| &mut b.clock), |b| &mut b.access, watch);
    let u = &mut regs.bench.uut;
    for (i, port) in [&mut u.common, &mut u.isr, &mut u.device, &mut u.notify, &mut u.msix, &mut u.inspection]
        .into_iter()
        .enumerate()
    {
        port.ready.next = true;
        port.read_data.next = (0x1000 + i as u64).into();
    }
    let ranges = [
        (layout::COMMON_OFFSET, layout::COMMON_END),
        (layout::ISR_OFFSET, layout::ISR_END),
        (layout::DEVICE_OFFSET, layout::DEVICE_END),
        (layout::NOTIFY_OFFSET, layout::NOTIFY_END),
        (layout::MSIX_TABLE_OFFSET, layout::MSIX_PBA_END),
        (layout::INSPECTION_OFFSET, layout::INSPECTION_END),
    ];
    let edges = ranges.iter().flat_map(|r| [r.0, r.1 - 4, r.1 & 0xffff, r.0.wrapping_sub(4) & 0xffff]);
    for addr in edges {
        let home = ranges.iter().position(|r| (r.0..r.1).contains(&addr));
        regs.seen.clear();
        assert_eq!(regs.read(addr), home.map_or(0, |i| 0x1000 + i as u32), "{addr:x}");
        assert_eq!(regs.seen.first().copied(), home.map(|i| (i as u64) << 32 | addr), "{addr:x}");
        assert!(regs.seen.len() < 2, "asked once");
    }
}

#[test]
fn isr_clears_on_read() {
    let bench = Harness::new(Isr::default(), |b: &mut Isr| &mut b.clock);
    let mut regs = Registers::new(bench, |b| &mut b.access, nobody);
    assert_eq!(regs.read(0), 0);
    for (queue, config, value) in
        [(true, false, isr::QUEUE), (false, true, isr::CONFIG), (true, true, isr::QUEUE_AND_CONFIG)]
    {
        regs.bench.uut.queue_event.next = queue;
        regs.bench.uut.config_event.next = config;
        regs.cycle();
        regs.bench.uut.queue_event.next = false;
        regs.bench.uut.config_event.next = false;
        regs.write(0, 0xffff_ffff);
        regs.write_bytes(0, 0, 0);
        assert_eq!(regs.read(0), value as u32);
        assert_eq!(regs.read(0), 0);
    }
    // An event in the cycle of a read is for the next.
    regs.bench.uut.queue_event.next = true;
    regs.read(0);
    regs.bench.uut.queue_event.next = false;
    assert_eq!(regs.read(0), isr::QUEUE as u32);
}

#[test]
fn device_configuration() {
    let params = Params::SIM;
    let bench = Harness::new(DeviceCfg::new(&params), |b: &mut DeviceCfg| &mut b.clock);
    let mut regs = Registers::new(bench, |b| &mut b.access, |b| b.config_change.val().then_some(1));
    let mtu = params.frame_bytes - net::ETHERNET_HEADER_BYTES - net::VLAN_TAG_BYTES;
    for (changes, link) in [false, true, false, true].into_iter().enumerate() {
        regs.bench.uut.link_up.next = link;
        regs.cycles(3);
        assert_eq!(regs.seen.len(), changes, "each change is told once");
        assert_eq!(regs.bench.uut.generation.val(), changes as u64);
        let bytes: Vec<u8> = (0..0x40).step_by(4).flat_map(|addr| regs.read(addr).to_le_bytes()).collect();
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        assert_eq!(bytes[net::MAC..net::MAC + net::MAC_BYTES], params.mac);
        assert_eq!(half(net::STATUS), if link { net::STATUS_LINK_UP as u16 } else { 0 });
        assert_eq!((half(net::MAX_VIRTQUEUE_PAIRS), half(net::MTU)), (params.pairs as u16, mtu as u16));
        assert_eq!(bytes[net::SPEED..net::DUPLEX], params.speed_mbps.to_le_bytes());
        assert_eq!(bytes[net::DUPLEX], net::DUPLEX_FULL as u8);
        assert_eq!(usize::from(bytes[net::RSS_MAX_KEY_SIZE]), net::RSS_KEY_BYTES);
        assert_eq!(usize::from(half(net::RSS_MAX_INDIRECTION_TABLE_LENGTH)), net::RSS_TABLE);
        let known = (net::HASH_TYPES_KNOWN as u32).to_le_bytes();
        assert_eq!(bytes[net::SUPPORTED_HASH_TYPES..net::SUPPORTED_TUNNEL_TYPES], known);
        assert!(bytes[net::SUPPORTED_TUNNEL_TYPES..].iter().all(|b| *b == 0));
        regs.write(0, 0xffff_ffff);
        assert_eq!(regs.read(0).to_le_bytes(), params.mac[..4]);
    }
}

/// Status alone says that the link is up until the driver has read that, and some time has gone by.
#[test]
fn announcements_come_later() {
    for params in [Params { clock_mhz: 2, ..Params::SIM }, Params { clock_mhz: 2, ..Params::TINY }] {
        let delay = 2 * net::ANNOUNCE_DELAY_US;
        let bench = Harness::new(DeviceCfg::new(&params), |b: &mut DeviceCfg| &mut b.clock);
        let mut regs = Registers::new(bench, |b| &mut b.access, |b| b.config_change.val().then_some(1));
        let status = |regs: &mut Registers<DeviceCfg>| u64::from(regs.read(4 * net::STATUS_DW as u64)) >> 16;
        regs.bench.uut.announces.next = true;
        regs.bench.uut.link_up.next = true;
        regs.cycles(delay + 2);
        assert_eq!(regs.seen.len(), 1, "not before it is read");
        assert_eq!(status(&mut regs), net::STATUS_LINK_UP);
        assert_eq!(regs.bench.uut.busy.val(), params.offers(feature::GUEST_ANNOUNCE));
        regs.cycles(delay - 8);
        assert_eq!(regs.seen.len(), 1, "not yet");
        assert_eq!(status(&mut regs), net::STATUS_LINK_UP);
        regs.cycles(16);
        let (told, now) = match params.offers(feature::GUEST_ANNOUNCE) {
            true => (2, net::STATUS_LINK_UP | net::STATUS_ANNOUNCE),
            false => (1, net::STATUS_LINK_UP),
        };
        assert_eq!((regs.seen.len(), status(&mut regs)), (told, now));
        assert!(!regs.bench.uut.busy.val());
        assert_eq!(regs.bench.uut.generation.val(), told as u64);
    }
}

#[test]
fn doorbells() {
    let params = Params { pairs: 2, ..Params::TINY };
    let bench = Harness::new(Notify::new(&params), |b: &mut Notify| &mut b.clock);
    let watch = |b: &Notify| {
        assert!(!(b.count_kicks.val() && b.count_ignored.val()));
        b.kick.valid.val().then(|| u64::from(b.kick.queue.val()))
    };
    let mut regs = Registers::new(bench, |b| &mut b.access, watch);
    regs.write(layout::NOTIFY_OFFSET, 0);
    regs.bench.uut.enable.next = true;
    regs.cycle();
    regs.bench.uut.enable.next = false;
    assert!(regs.seen.is_empty(), "none before DRIVER_OK");
    regs.bench.uut.driver_ok.next = true;
    regs.write(layout::NOTIFY_OFFSET + 8, 0);
    regs.cycles(8);
    let mut kicked = regs.seen.clone();
    kicked.sort_unstable();
    assert_eq!(kicked, [0, 1, 2, 2, 3], "all of them at DRIVER_OK, and the one that was rung");
    regs.seen.clear();
    for queue in [3, 0, 4, 5, 255, 1] {
        // The address says which, not the value; any width of write will do.
        regs.write_bytes(layout::NOTIFY_OFFSET + 4 * queue, 2, 1 + queue % 3);
    }
    assert_eq!(regs.seen, [3, 0, 1]);
    regs.read(layout::NOTIFY_OFFSET);
    regs.write_bytes(layout::NOTIFY_OFFSET, 0, 0);
    assert_eq!(regs.seen, [3, 0, 1], "neither a read nor a write of no bytes rings");
    regs.bench.uut.enable.next = true;
    regs.bench.uut.enable_queue.next = 2u64.into();
    regs.cycle();
    regs.bench.uut.enable.next = false;
    regs.cycles(3);
    assert_eq!(regs.seen, [3, 0, 1, 2], "a queue that starts is looked at");
}

/// What a doorbell says: whose it is, and what is in the ring.
#[test]
fn doorbells_with_data() {
    let bench = Harness::new(Notify::new(&Params::SIM), |b: &mut Notify| &mut b.clock);
    let watch = |b: &Notify| {
        assert!(b.kick.valid.val() || !b.kick.told.val());
        let index = if b.kick.told.val() { 1 << 32 | u64::from(b.kick.index.val()) << 16 } else { 0 };
        b.kick.valid.val().then(|| u64::from(b.kick.queue.val()) | index)
    };
    let mut regs = Registers::new(bench, |b| &mut b.access, watch);
    regs.bench.uut.driver_ok.next = true;
    regs.cycles(16);
    regs.seen.clear();
    let at = layout::NOTIFY_OFFSET + 4 * 5;
    let named = layout::NOTIFY_DATA as u32 | 5;
    let index = 0xabcd_0000;
    for (with_index, by_data, value, bytes, seen) in [
        (false, false, index | 5, 4, Some(None)),
        (true, false, index | 5, 4, Some(Some(0xabcd))),
        (true, false, 5, 2, Some(None)),
        (true, false, index | 6, 4, Some(None)),
        (true, false, index | named, 4, Some(None)),
        (false, true, named, 2, Some(None)),
        (false, true, named, 1, None),
        (false, true, 5, 2, None),
        (true, true, index | named, 4, Some(Some(0xabcd))),
        (true, true, named, 2, Some(None)),
        (true, true, index | 5, 4, None),
        (true, true, index | (named + 1), 4, None),
    ] {
        regs.bench.uut.with_index.next = with_index;
        regs.bench.uut.by_data.next = by_data;
        regs.write_bytes(at, value, (1 << bytes) - 1);
        let said = |index: Option<u64>| 5 | index.map_or(0, |index| 1 << 32 | index << 16);
        let expected: Vec<_> = seen.map(said).into_iter().collect();
        assert_eq!(regs.seen, expected, "{with_index} {by_data} {value:#x} {bytes}");
        regs.seen.clear();
    }
}

#[test]
fn errors_collected() {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let mut bench = Harness::new(Errors::new(&Params::SIM), |b: &mut Errors| &mut b.clock);
    let mut feeds: Vec<Feed<QueueError>> = (0..REPORTERS).map(|_| Feed::new(0.2)).collect();
    let mut due: VecDeque<(u64, u64)> = VecDeque::new();
    let mut last = [0; 8];
    for feed in &mut feeds {
        feed.queue.extend((0..20).map(|_| QueueError {
            queue: rng.random_range(0..8u64).into(),
            code: rng.random_range(ident::ERROR_DESC_INDEX..=ident::ERROR_ADDRESS).into(),
        }));
    }
    let mut stopped = 0;
    while feeds.iter().any(|f| !f.queue.is_empty()) || !due.is_empty() {
        assert!(bench.cycle < 5000);
        for (feed, port) in feeds.iter_mut().zip(&mut bench.uut.errors) {
            feed.drive(port, rng);
        }
        let asked = rng.random_range(0..8);
        bench.uut.inspect_queue.next = (asked as u64).into();
        bench.settle();
        let u = &bench.uut;
        assert_eq!(u64::from(u.inspect_code.val()), last[asked]);
        assert_eq!(u.stop.valid.val(), u.failed.val());
        if u.stop.valid.val() {
            let (queue, code) = due.pop_front().expect("a stop without an error");
            assert_eq!((u.stop.queue.val(), u.failed_code.val()), (queue.into(), code.into()));
            last[queue as usize] = code;
            stopped += 1;
        }
        for (feed, port) in feeds.iter_mut().zip(&u.errors) {
            due.extend(feed.taken(port).map(|e| (u64::from(e.queue), u64::from(e.code))));
        }
        bench.tick();
    }
    assert_eq!(stopped, 20 * REPORTERS);
    bench.uut.reset.next = true;
    bench.tick();
    bench.uut.reset.next = false;
    bench.settle();
    assert_eq!(bench.uut.inspect_code.val(), 0);
}

#[test]
fn interrupts_have_vectors() {
    let rng = &mut ChaCha8Rng::seed_from_u64(2);
    let mut bench = Harness::new(Interrupts::default(), |b: &mut Interrupts| &mut b.clock);
    bench.uut.config_vector.next = 99u64.into();
    let (mut feed, mut irqs) = (Feed::<QueueIrq>::new(0.5), Watch::<Irq>::new("irq", 0.4));
    let queues: Vec<u64> = (0..200).map(|_| rng.random_range(0..8)).collect();
    feed.queue.extend(queues.iter().map(|q| QueueIrq { queue: (*q).into() }));
    let (mut got, mut changes, mut told, mut events) = (Vec::new(), 0, 0, (0, 0));
    while !feed.queue.is_empty() || bench.uut.busy.val() {
        assert!(bench.cycle < 5000);
        let change = rng.random_bool(0.1) && !feed.queue.is_empty();
        changes += usize::from(change);
        bench.uut.config_change.next = change;
        feed.drive(&mut bench.uut.queue_irq, rng);
        irqs.drive(&mut bench.uut.irq, rng);
        bench.settle();
        let queue = u64::from(bench.uut.lookup_queue.val());
        bench.uut.lookup_vector.next = (100 + queue).into();
        bench.settle();
        let u = &bench.uut;
        feed.taken(&u.queue_irq);
        events.0 += usize::from(u.queue_event.val());
        events.1 += usize::from(u.config_event.val());
        match irqs.taken(&u.irq).map(|irq| u64::from(irq.vector)) {
            Some(99) => told += 1,
            Some(vector) => got.push(vector - 100),
            None => {}
        }
        bench.tick();
    }
    assert_eq!(got, queues);
    assert_eq!(events, (queues.len(), told));
    assert!(told > 0 && told <= changes, "{told} of {changes}");
}
