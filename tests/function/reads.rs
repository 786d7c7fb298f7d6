//! DMA reads that fail apart from all others: the driver's flags, and what is answered after its time-out.

use std::cell::RefCell;
use std::rc::Rc;

use hematite_abi::ident;
use hematite_sim::driver::{self, Options, RX, TX, memory};
use hematite_sim::facts::{ring, status};
use hematite_sim::root::tlp::{CplFields, MemRequest, Status};
use hematite_sim::root::{Answer, Direction, Tap, Tlp, View, Which};
use hematite_tests::{Bench, Make, flags_only, frame, on_bodies};

on_bodies!(
    flags_that_cannot_be_read_stop_the_queue,
    events_that_cannot_be_read_stop_the_queue,
    a_completion_after_its_timeout_is_dropped
);

/// Cycles after which a read without answer must have failed, with room for the slowest set of parameters.
const TIMEOUT: u64 = 4 << 20;

fn needs_reset(bench: &mut Bench, queue: u16, error: u64, what: &str) {
    assert_ne!(bench.status() & status::NEEDS_RESET, 0, "{what}: DEVICE_NEEDS_RESET");
    assert_eq!(bench.vectors(), [u32::from(driver::CONFIG_VECTOR)], "{what}: configuration interrupt, only");
    assert_eq!(bench.inspect(ident::DEVICE_ERROR_QUEUE), u32::from(queue), "{what}");
    assert_eq!(u64::from(bench.inspect(ident::DEVICE_ERROR)), error, "{what}");
}

fn flags_that_cannot_be_read_stop_the_queue(make: Make) {
    wishes_that_cannot_be_read_stop_the_queue(make, &flags_only());
}

fn events_that_cannot_be_read_stop_the_queue(make: Make) {
    wishes_that_cannot_be_read_stop_the_queue(make, &Options::default());
}

/// [virtio 1.4: Used Buffer Notification Suppression] The frame has gone and the used index has moved when the driver's wish is read.
fn wishes_that_cannot_be_read_stop_the_queue(make: Make, options: &Options) {
    for (answer, queues, error) in [
        (Answer::UnsupportedRequest, &[TX, RX][..], ident::ERROR_DMA_READ),
        (Answer::Poisoned, &[TX, RX], ident::ERROR_DMA_READ),
        (Answer::Lost, &[TX], ident::ERROR_DMA_TIMEOUT),
    ] {
        for &queue in queues {
            let what = format!("queue {queue}, {answer:?}");
            let mut bench = Bench::new(make, options.clone());
            let ring = if queue == TX { &bench.driver.tx } else { &bench.driver.rx };
            let offset = if ring.event_idx { ring::used_event(ring.size) } else { ring::AVAIL_FLAGS };
            let wish = ring.areas.driver + offset;
            bench.root.faults.add(Which::Range(wish..wish + 2), answer);
            let packet = frame(90, 1);
            if queue == TX {
                bench.drive(|driver, root| driver.send(root, &packet));
            } else {
                bench.root.frame_in(packet.clone());
            }
            bench.rest_within(TIMEOUT);
            assert_eq!(bench.root.faults.given, 1, "{what}: it is read once");
            let arrived = if queue == TX { bench.wire().pop() } else { bench.received() };
            assert_eq!(arrived, Some(packet), "{what}");
            let ring = if queue == TX { &bench.driver.tx } else { &bench.driver.rx };
            assert_eq!(ring.used_idx(&mut bench.root.memory), 1, "{what}");
            needs_reset(&mut bench, queue, error, &what);
            bench.recovers();
        }
    }
}

/// Remembers the device's reads.
struct Reads(Rc<RefCell<Vec<MemRequest>>>);

impl Tap for Reads {
    fn tlp(&mut self, _now: u64, direction: Direction, tlp: &Tlp) {
        if let (Direction::Out, View::MemRead(request)) = (direction, tlp.view()) {
            self.0.borrow_mut().push(request);
        }
    }

    fn frame(&mut self, _now: u64, _direction: Direction, _frame: &[u8]) {}
}

fn answer(bench: &Bench, request: &MemRequest) -> Tlp {
    let bytes = usize::from(request.words) * 4;
    let lead = request.first_be.trailing_zeros();
    let trail = if request.words == 1 { request.first_be } else { request.last_be }.leading_zeros() - 4;
    let fields = CplFields {
        completer: bench.root.host,
        status: Status::Success,
        byte_count: bytes as u16 - (lead + trail) as u16,
        requester: request.requester,
        tag: request.tag,
        lower_addr: (request.addr & 0x7f) as u8 + lead as u8,
    };
    Tlp::cpl_d(fields, vec![0x5a; bytes])
}

/// [PCI Express: Completion Timeout Mechanism] Its tag is not used again before a reset; the late answer is an unexpected completion.
fn a_completion_after_its_timeout_is_dropped(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let reads = Rc::new(RefCell::new(vec![]));
    bench.root.tap(Box::new(Reads(reads.clone())));
    let payload = memory::TX..memory::TX + memory::TX_SLOT * memory::SLOTS;
    bench.root.faults.add(Which::Range(payload.clone()), Answer::Lost);
    bench.drive(|driver, root| driver.send(root, &frame(200, 1)));
    bench.rest_within(TIMEOUT);
    needs_reset(&mut bench, TX, ident::ERROR_DMA_TIMEOUT, "lost");
    let lost: Vec<_> = reads.take().into_iter().filter(|request| payload.contains(&request.addr)).collect();
    assert!(!lost.is_empty());
    // The queue which still works reads on, until all tags there are have had their turn.
    for round in 0..make.params.tags {
        let packet = frame(70, round as u8);
        assert_eq!(bench.receive(&packet), Some(packet));
    }
    let reused = |request: &MemRequest| lost.iter().any(|lost| lost.tag == request.tag);
    assert!(!reads.take().iter().any(reused), "a tag which may still be answered is used again");
    let unexpected = ident::COUNTERS_OFFSET + 4 * ident::CPL_UNEXPECTED;
    let before = bench.inspect(unexpected);
    for request in &lost {
        let late = answer(&bench, request);
        bench.root.send(late);
        bench.rest();
    }
    assert_eq!(bench.inspect(unexpected), before + lost.len() as u32, "dropped and counted");
    assert!(bench.wire().is_empty(), "nothing is sent of it");
    bench.recovers();
}
