//! Accesses to the BAR: any size, any alignment, inside and between the structures.

use hematite_sim::driver::{Options, TX};
use hematite_sim::facts::{common, msix, virtio};
use hematite_sim::root::tlp::{Bdf, MemRequest, Status};
use hematite_sim::root::{Answer, Tlp, View, Which};
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Bench, Make, frame, on_bodies};
use rand::Rng;

on_bodies!(
    any_read_sees_the_same_bytes,
    addresses_may_be_written_in_any_pieces,
    byte_enables_with_holes,
    a_write_of_one_byte_leaves_its_neighbours,
    a_read_of_no_bytes_has_no_side_effect,
    queue_registers_follow_the_selection,
    an_unknown_queue_reads_as_absent,
    between_the_structures_there_is_nothing,
    reads_up_to_128_bytes_and_no_further,
    isr_clears_when_read,
    random_accesses_never_wedge,
);

fn bytes(bench: &mut Bench, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    bench.root.bar_read(offset, &mut bytes).unwrap_or_else(|error| panic!("{error}"));
    bytes
}

fn any_read_sees_the_same_bytes(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let common = bench.driver.function.common.offset;
    let whole = bytes(&mut bench, common, common::LENGTH as usize);
    for at in 0..whole.len() {
        for len in [1, 2, 3, 4, 5, 7, 8, 16, 31] {
            if at + len <= whole.len() {
                assert_eq!(
                    bytes(&mut bench, common + at as u64, len),
                    whole[at..at + len],
                    "{len} at {at:#x}"
                );
            }
        }
    }
    bench.quiet();
}

fn select(bench: &mut Bench, queue: u16) {
    bench.drive(|driver, root| driver.set_common(root, common::QUEUE_SELECT, &queue.to_le_bytes()));
}

fn addresses_may_be_written_in_any_pieces(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.drive(|driver, root| driver.reset(root));
    select(&mut bench, TX);
    let at = bench.driver.function.common.offset + common::QUEUE_DESC;
    let mut value = 0x1122_3344_5566_7780u64;
    for cuts in [&[0, 8][..], &[0, 4, 8], &[0, 1, 2, 3, 4, 5, 6, 7, 8], &[0, 3, 8], &[0, 5, 8], &[0, 2, 6, 8]]
    {
        value = value.rotate_left(8) ^ 0x10;
        for pair in cuts.windows(2) {
            let piece = &value.to_le_bytes()[pair[0]..pair[1]];
            bench.root.bar_write(at + pair[0] as u64, piece).expect("posted");
        }
        assert_eq!(bytes(&mut bench, at, 8), value.to_le_bytes(), "cuts {cuts:?}");
    }
    // three addresses by one request
    let areas: Vec<u8> = (0..24).collect();
    bench.root.bar_write(at, &areas).expect("posted");
    assert_eq!(bytes(&mut bench, at, 24), areas);
    bench.recovers();
}

/// [PCIe base: Byte Enable Rules] allows holes in requests of one double word, and of two if aligned to eight bytes.
fn byte_enables_with_holes(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.drive(|driver, root| driver.reset(root));
    select(&mut bench, TX);
    let base = bench.driver.function.bar + bench.driver.function.common.offset + common::QUEUE_DESC;
    bench.root.mem_write(base, &[0x11; 8]);
    let host = Bdf(0);
    for (words, first_be, last_be) in [(1, 0b0101, 0), (1, 0b1001, 0), (2, 0b1010, 0b0101), (1, 0, 0)] {
        let request = MemRequest { requester: host, tag: 0, addr: base, words, first_be, last_be };
        let data = vec![0x77; usize::from(words) * 4];
        bench.root.mem_write(base, &[0x11; 8]);
        bench.root.send(Tlp::memory(request, Some(&data)));
        let enables = u32::from(first_be) | u32::from(last_be) << 4;
        let expected: Vec<u8> = (0..8).map(|i| if enables >> i & 1 == 1 { 0x77 } else { 0x11 }).collect();
        let mut seen = [0; 8];
        bench.root.mem_read(base, &mut seen).expect("BAR read");
        assert_eq!(seen[..], expected, "byte enables {first_be:04b}/{last_be:04b}");
    }
    bench.recovers();
}

fn a_write_of_one_byte_leaves_its_neighbours(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.drive(|driver, root| driver.reset(root));
    let at = bench.driver.function.common.offset + common::QUEUE_SELECT;
    bench.root.bar_write(at, &[1, 0]).expect("posted");
    bench.root.bar_write(bench.driver.function.common.offset + common::DEVICE_STATUS, &[1]).expect("posted");
    assert_eq!(bytes(&mut bench, at, 2), [1, 0], "device_status shares a double word with queue_select");
    bench.root.bar_write(at, &[0, 0]).expect("posted");
    assert_eq!(bench.status(), 1);
    bench.recovers();
}

fn a_read_of_no_bytes_has_no_side_effect(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let base = bench.driver.function.bar + bench.driver.function.common.offset;
    let request = MemRequest { requester: Bdf(0), tag: 9, addr: base, words: 1, first_be: 0, last_be: 0 };
    let (status, data) = bench.root.request(Tlp::memory(request, None), 4).expect("completion");
    assert_eq!((status, data.len()), (Status::Success, 4), "a flush is answered with one double word");
    bench.works();
}

fn queue_registers_follow_the_selection(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.drive(|driver, root| driver.reset(root));
    let field = |bench: &mut Bench, queue: u16, value: Option<u64>| {
        select(bench, queue);
        if let Some(value) = value {
            bench.drive(|driver, root| driver.set_common(root, common::QUEUE_DEVICE, &value.to_le_bytes()));
        }
        let read: [u8; 8] = bench.drive(|driver, root| driver.common(root, common::QUEUE_DEVICE));
        u64::from_le_bytes(read)
    };
    assert_eq!(field(&mut bench, 0, Some(0x1000)), 0x1000);
    assert_eq!(field(&mut bench, 1, Some(0x2_0000_2000)), 0x2_0000_2000);
    assert_eq!(field(&mut bench, 0, None), 0x1000);
    assert_eq!(field(&mut bench, 1, None), 0x2_0000_2000);
    bench.recovers();
}

/// [virtio 1.4: Common configuration structure layout] "if the value of queue_select ... is not a valid queue, queue_size
/// MUST be 0".
fn an_unknown_queue_reads_as_absent(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let queues: [u8; 2] = bench.drive(|driver, root| driver.common(root, common::NUM_QUEUES));
    let queues = u16::from_le_bytes(queues);
    assert!(queues >= 2);
    for queue in [queues, queues + 1, 0x1000, 0xffff] {
        select(&mut bench, queue);
        let size: [u8; 2] = bench.drive(|driver, root| driver.common(root, common::QUEUE_SIZE));
        assert_eq!(size, [0, 0], "queue {queue:#x}");
        bench.drive(|driver, root| driver.set_common(root, common::QUEUE_DESC, &[0xff; 24]));
        bench.drive(|driver, root| driver.set_common(root, common::QUEUE_ENABLE, &[1, 0]));
        bench.drive(|driver, root| driver.set_common(root, common::QUEUE_MSIX_VECTOR, &[0, 0]));
        let vector: [u8; 2] = bench.drive(|driver, root| driver.common(root, common::QUEUE_MSIX_VECTOR));
        assert!(matches!(u16::from_le_bytes(vector), 0 | virtio::NO_VECTOR));
    }
    bench.works();
}

fn between_the_structures_there_is_nothing(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let function = bench.driver.function.clone();
    let mut holes = vec![function.table - 128, function.common.offset + u64::from(function.common.len)];
    holes.push(function.device_cfg.offset + u64::from(function.device_cfg.len) + 64);
    holes.push(function.pending + 0x100);
    for at in holes {
        bench.root.bar_write(at, &[0xff; 64]).expect("posted");
        assert_eq!(bytes(&mut bench, at, 64), [0; 64], "offset {at:#x}");
    }
    bench.works();
}

fn reads_up_to_128_bytes_and_no_further(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let base = bench.driver.function.bar + bench.driver.function.common.offset;
    let mut read = |words: u16| {
        let last_be = if words > 1 { 15 } else { 0 };
        let request = MemRequest { requester: Bdf(0), tag: 5, addr: base, words, first_be: 15, last_be };
        bench.root.request(Tlp::memory(request, None), usize::from(words) * 4).expect("completion")
    };
    let (_, whole) = read(32);
    for words in 1..=32 {
        let (status, data) = read(words);
        assert_eq!(
            (status, data.as_slice()),
            (Status::Success, &whole[..usize::from(words) * 4]),
            "{words} words"
        );
    }
    for words in [33, 64, 128] {
        assert_eq!(read(words).0, Status::CompleterAbort, "{words} words");
    }
    bench.works();
}

fn isr_clears_when_read(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let isr = bench.driver.function.isr.offset;
    bytes(&mut bench, isr, 1);
    assert_eq!(bytes(&mut bench, isr, 1), [0]);
    bench.root.bar_write(isr, &[0xff]).expect("posted");
    assert_eq!(bytes(&mut bench, isr, 1), [0], "nobody sets it by writing");
    // [virtio 1.4: ISR status capability] without MSI-X it is the only way to tell
    let control = bench.driver.function.msix + msix::CAP_CONTROL;
    bench.root.config_write(control, &[0, 0]).expect("configuration write");
    bench.transmit(&[frame(60, 1)]);
    assert_eq!(bytes(&mut bench, isr + 1, 3), [0; 3], "beside it there is nothing, and no side effect");
    assert_eq!(bytes(&mut bench, isr, 1), [virtio::ISR_QUEUE]);
    assert_eq!(bytes(&mut bench, isr, 1), [0]);
    bench.root.faults.add(Which::Nth(0), Answer::CompleterAbort);
    bench.drive(|driver, root| driver.send(root, &frame(60, 2)));
    bench.rest();
    assert_eq!(bytes(&mut bench, isr, 1), [virtio::ISR_CONFIG]);
    bench.root.config_write(control, &msix::ENABLE.to_le_bytes()).expect("configuration write");
    bench.recovers();
}

/// Whatever is read or written anywhere, every read is answered, and after a reset all is well.
fn random_accesses_never_wedge(make: Make) {
    let seed = Seed::from_env(0xacce);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(12);
    let mut bench = Bench::random(make, Options::default(), seed);
    let size = bench.driver.function.bar_bytes;
    bench.root.monitor.order.forget_all();
    for _ in 0..400 {
        let len = rng.random_range(1..=16);
        let at = rng.random_range(0..size - 16);
        if rng.random_bool(0.5) {
            bytes(&mut bench, at, len);
        } else {
            let data: Vec<u8> = (0..len).map(|_| rng.random()).collect();
            bench.root.bar_write(at, &data).expect("posted");
        }
    }
    let mut bits = [0; 16];
    for _ in 0..200 {
        rng.fill(&mut bits);
        let words = u32::from_le_bytes([bits[0], bits[1], bits[2], bits[3]]);
        // not a configuration write: those would move the BAR, as they may
        let kind = words >> 24 & 0x1f;
        let tlp =
            Tlp { header: [words, rng.random(), rng.random(), rng.random()], data: vec![0; 8], error: false };
        if kind != 4 && !matches!(tlp.view(), View::CfgWrite0(..)) {
            bench.root.send(tlp);
        }
    }
    // Its own writes may have told the device to use memory anywhere: let it finish, then start over.
    bench.rest_within(8 << 20);
    bench.root.msi.drain();
    bench.root.reset();
    let function = bench.root.enumerate().expect("enumeration");
    assert_eq!(function, bench.driver.function);
    bench.root.monitor.take_violations();
    bench.recovers();
}
