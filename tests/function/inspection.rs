//! The inspection region: it says what the function is, what each queue does, and counts what was dropped.

use hematite_abi::{config, ident, layout};
use hematite_sim::driver::{Options, RX, TX, memory};
use hematite_sim::ring::{Buffer, Evil};
use hematite_sim::root::tlp::{Bdf, MemRequest};
use hematite_sim::root::{Answer, LinkModel, Tlp, Which};
use hematite_tests::{Bench, Make, flags_only, frame, on_bodies, root};

on_bodies!(
    a_capability_leads_there,
    it_says_what_it_is,
    frames_and_bytes_are_counted,
    what_is_dropped_is_counted,
    what_moves_is_counted,
    queues_can_be_followed,
    errors_have_a_name,
    it_is_read_only,
);

fn queue(bench: &mut Bench, number: u16, field: usize) -> u32 {
    bench.inspect(ident::QUEUES_OFFSET + usize::from(number) * ident::QUEUE_STATE_BYTES + field)
}

fn a_capability_leads_there(make: Make) {
    let mut root = root(make, LinkModel::fast());
    let mut word =
        |at: usize| root.config_u32((layout::CAP_INSPECTION + at) as u16).expect("configuration read");
    assert_eq!(u64::from(word(0) & 0xffff), config::EXT_CAP_ID_VENDOR);
    assert_eq!(u64::from(word(4) & 0xffff), ident::VSEC_ID);
    assert_eq!(word(8), layout::BAR as u32);
    assert_eq!(u64::from(word(12)), layout::INSPECTION_OFFSET);
    assert_eq!(word(16) as usize, ident::LENGTH);
    assert_eq!(u64::from(word(20)), ident::MAGIC);
}

fn it_says_what_it_is(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    assert_eq!(u64::from(bench.inspect(ident::IDENT_MAGIC)), ident::MAGIC);
    assert_eq!(u64::from(bench.inspect(ident::IDENT_ABI_VERSION)), ident::ABI_VERSION);
    assert_eq!(bench.inspect(ident::PARAM_VECTORS), u32::from(bench.driver.function.vectors));
    let control = u32::from(bench.driver.control.is_some());
    assert_eq!(bench.inspect(ident::PARAM_QUEUES), 2 * bench.inspect(ident::PARAM_PAIRS) + control);
    let most = bench.inspect(ident::PARAM_QUEUE_MAX);
    bench.drive(|driver, root| driver.reset(root));
    assert_eq!(queue(&mut bench, TX, ident::QUEUE_SIZE), most);
    assert!(bench.inspect(ident::PARAM_FRAME_BYTES) >= 1514);
}

fn frames_and_bytes_are_counted(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.transmit(&[frame(60, 1), frame(200, 2), frame(1000, 3)]);
    for len in [64, 500] {
        bench.receive(&frame(len, 4));
    }
    assert_eq!(bench.counter(ident::TX_FRAMES), 3);
    assert_eq!(bench.counter(ident::TX_BYTES_LO), 1260);
    assert_eq!(bench.counter(ident::RX_FRAMES), 2);
    assert_eq!(bench.counter(ident::RX_BYTES_LO), 564);
    assert_eq!(bench.counter(ident::QUEUE_ERRORS), 0);
}

fn what_is_dropped_is_counted(make: Make) {
    let mut bench = Bench::new(make, Options { rx_buffers: 1, ..Options::default() });
    let short = Buffer { addr: memory::TX, len: 20, writable: false };
    bench.drive(|driver, root| driver.post(root, TX, &[short]));
    bench.drive(|driver, root| driver.post_tx(root, &frame(9500, 1), &[]));
    bench.drive(|driver, root| driver.kick(root, TX));
    bench.rest();
    assert_eq!(bench.counter(ident::TX_DROPPED_SHORT), 1);
    assert_eq!(bench.counter(ident::TX_DROPPED_LONG), 1);
    for mark in 0..3 {
        bench.root.frame_in(frame(60, mark));
    }
    bench.rest();
    assert_eq!(bench.counter(ident::RX_FRAMES), 1);
    assert_eq!(bench.counter(ident::RX_NO_BUFFER), 2);
    bench.root.frame_in(frame(9500, 4));
    bench.rest();
    assert_eq!(bench.counter(ident::RX_DROPPED), 1);
    let ignored = bench.counter(ident::KICKS_IGNORED);
    bench.drive(|driver, root| driver.reset_queue(root, TX));
    bench.drive(|driver, root| driver.kick(root, TX));
    assert_eq!(bench.counter(ident::KICKS_IGNORED), ignored + 1);
    let base = bench.driver.function.bar;
    let (aborted, poisoned) = (bench.counter(ident::TLP_ABORTED), bench.counter(ident::TLP_POISONED));
    let long = MemRequest { requester: Bdf(0), tag: 1, addr: base, words: 33, first_be: 15, last_be: 15 };
    bench.root.request(Tlp::memory(long, None), 0).expect("completion");
    bench.root.send(Tlp::mem_write(Bdf(0), base, &[0; 4]).poison());
    assert_eq!(bench.counter(ident::TLP_ABORTED), aborted + 1);
    assert_eq!(bench.counter(ident::TLP_POISONED), poisoned + 1);
}

fn what_moves_is_counted(make: Make) {
    let mut bench = Bench::new(make, flags_only());
    let before: Vec<u32> = (0..ident::COUNTERS.len()).map(|at| bench.counter(at)).collect();
    let grown = |bench: &mut Bench, at: usize| bench.counter(at) - before[at];
    bench.transmit(&[frame(60, 1)]);
    // The index unless the doorbell told it, its entry, the descriptor, the frame, the flags; and the index once more behind what was found.
    assert!((4..=8).contains(&grown(&mut bench, ident::DMA_READS)));
    // The element, the index, the message.
    assert_eq!(grown(&mut bench, ident::DMA_WRITES), 3);
    assert_eq!(grown(&mut bench, ident::KICKS), 1);
    assert_eq!(grown(&mut bench, ident::IRQ_SENT), 1);
    bench.driver.tx.suppress(&mut bench.root.memory, true);
    bench.transmit(&[frame(60, 2)]);
    assert_eq!(grown(&mut bench, ident::IRQ_SUPPRESSED), 1);
    assert_eq!(grown(&mut bench, ident::IRQ_SENT), 1);
    bench.drive(|driver, root| driver.reset_queue(root, TX));
    assert_eq!(grown(&mut bench, ident::QUEUE_RESETS), 1);
    assert_eq!(grown(&mut bench, ident::DEVICE_RESETS), 0);
    bench.drive(|driver, root| driver.reset(root));
    assert_eq!(grown(&mut bench, ident::DEVICE_RESETS), 1);
}

fn queues_can_be_followed(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.transmit(&[frame(60, 1), frame(61, 2)]);
    let areas = bench.driver.tx.areas;
    assert_eq!(queue(&mut bench, TX, ident::QUEUE_ENABLED), 1);
    assert_eq!(queue(&mut bench, TX, ident::QUEUE_SIZE), u32::from(bench.driver.tx.size));
    assert_eq!(queue(&mut bench, TX, ident::QUEUE_VECTOR), u32::from(TX) + 1);
    assert_eq!(queue(&mut bench, TX, ident::QUEUE_DESC_LO), areas.desc as u32);
    assert_eq!(queue(&mut bench, TX, ident::QUEUE_DEVICE_HI), (areas.device >> 32) as u32);
    assert_eq!(queue(&mut bench, TX, ident::QUEUE_AVAIL_TAKEN), 2);
    assert_eq!(queue(&mut bench, TX, ident::QUEUE_USED_IDX), 2);
    assert_eq!(queue(&mut bench, RX, ident::QUEUE_USED_IDX), 0);
    assert_eq!(queue(&mut bench, TX, ident::QUEUE_ERROR), 0);
}

fn errors_have_a_name(make: Make) {
    let evils = [
        (Evil::HeadBeyond, ident::ERROR_DESC_INDEX),
        (Evil::NextBeyond, ident::ERROR_DESC_INDEX),
        (Evil::Loop, ident::ERROR_DESC_LOOP),
        (Evil::TooLong, ident::ERROR_DESC_LOOP),
        (Evil::TableInTable, ident::ERROR_INDIRECT),
        (Evil::TableChained, ident::ERROR_INDIRECT),
        (Evil::WrongDirection, ident::ERROR_WRONG_DIRECTION),
        (Evil::Unmapped, ident::ERROR_DMA_READ),
        (Evil::IndexJump, ident::ERROR_AVAIL_INDEX),
    ];
    for (evil, error) in evils {
        let mut bench = Bench::new(make, Options::default());
        let good = Buffer { addr: memory::TX, len: 100, writable: false };
        bench.driver.tx.add_evil(&mut bench.root.memory, evil, good, memory::NOWHERE);
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.rest();
        assert_eq!(u64::from(queue(&mut bench, TX, ident::QUEUE_ERROR)), error, "{evil:?}");
        assert_eq!(u64::from(bench.inspect(ident::DEVICE_ERROR)), error, "{evil:?}");
        assert_eq!(bench.inspect(ident::DEVICE_ERROR_QUEUE), u32::from(TX));
        assert_eq!(bench.counter(ident::QUEUE_ERRORS), 1);
        bench.recovers();
        assert_eq!(queue(&mut bench, TX, ident::QUEUE_ERROR), 0, "a fresh queue has none");
    }
    let mut bench = Bench::new(make, Options::default());
    bench.root.faults.add(Which::All, Answer::UnknownTag);
    bench.transmit(&[frame(60, 1)]);
    bench.root.faults.clear();
    assert!(bench.counter(ident::CPL_UNEXPECTED) >= 3, "one stray for each read");
}

fn it_is_read_only(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    for at in [ident::IDENT_MAGIC, ident::COUNTERS_OFFSET, ident::QUEUES_OFFSET] {
        let before = bench.inspect(at);
        bench.root.bar_write(layout::INSPECTION_OFFSET + at as u64, &[0xff; 4]).expect("posted");
        assert_eq!(bench.inspect(at), before);
    }
    bench.works();
}
