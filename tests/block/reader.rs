//! `pcie::reader` before a root complex that splits, delays, reorders, fails and loses completions.
//!
//! ```text
//!   clients (random requests, random patience) ─► Reader ─► Root (byte a of memory is memory(a)) ─► Reader ─► clients
//! ```

pub(crate) mod traffic;

use crate::harness::Harness;
use crate::root::{Fate, Faults};
use hematite_hw::params::Params;
use hematite_hw::pcie::reader::Reader;
use rand::Rng;
use traffic::{CLIENTS, Client, Traffic};

struct Bench<const W: usize> {
    h: Harness<Reader<W>>,
    traffic: Traffic,
}

impl<const W: usize> std::ops::Deref for Bench<W> {
    type Target = Traffic;
    fn deref(&self) -> &Traffic {
        &self.traffic
    }
}

impl<const W: usize> std::ops::DerefMut for Bench<W> {
    fn deref_mut(&mut self) -> &mut Traffic {
        &mut self.traffic
    }
}

impl<const W: usize> Bench<W> {
    fn new(params: &Params, seed: u64) -> Self {
        let mut h = Harness::new(Reader::<W>::new(params), |u| &mut u.clock);
        h.uut.settings.next = Traffic::settings(params);
        h.uut.reset.next = true;
        h.tick();
        h.tick();
        h.uut.reset.next = false;
        Self { h, traffic: Traffic::new(params, seed) }
    }

    fn cycle(&mut self) {
        let cycle = self.h.cycle;
        self.traffic.stage(&mut self.h.uut, cycle);
        self.h.settle();
        self.traffic.observe(&self.h.uut, cycle);
        self.h.tick();
    }

    fn run(&mut self, cycles: u64) {
        for _ in 0..cycles {
            self.cycle();
        }
    }

    /// No new requests; all are answered within `limit` cycles.
    fn settle(&mut self, limit: u64) {
        self.asking = false;
        for client in &mut self.clients {
            client.deaf = false;
        }
        for _ in 0..limit {
            let quiet = self.clients.iter().all(|c| c.waiting.is_empty() && c.offering.is_none());
            if quiet && !self.h.uut.busy.val() && self.root.sent.is_none() {
                self.asking = true;
                return;
            }
            self.cycle();
        }
        let left: Vec<_> = self.clients.iter().map(|c| c.waiting.len()).collect();
        panic!("not answered within {limit} cycles: {left:?}, busy {}", self.h.uut.busy.val());
    }
}

fn params(read_bytes: usize, tags: usize) -> Params {
    Params { read_bytes, tags, timeout_cycles: 1024, ..Params::TINY }
}

fn split_and_reordered<const W: usize>(read_bytes: usize, tags: usize, seed: u64) {
    let mut bench = Bench::<W>::new(&params(read_bytes, tags), seed);
    bench.run(3000);
    bench.stall = 0.0;
    bench.run(4000);
    bench.settle(5000);
    assert!(bench.counts.replies > 50, "{} replies", bench.counts.replies);
    assert_eq!((bench.counts.failed, bench.counts.unexpected), (0, 0));
}

#[test]
fn every_byte_comes_back_64() {
    split_and_reordered::<64>(128, 16, 1);
    split_and_reordered::<64>(256, 16, 2);
}

#[test]
fn every_byte_comes_back_128() {
    split_and_reordered::<128>(256, 16, 3);
}

#[test]
fn every_byte_comes_back_256() {
    split_and_reordered::<256>(512, 32, 4);
}

#[test]
fn every_byte_comes_back_512() {
    split_and_reordered::<512>(512, 32, 5);
}

#[test]
fn a_slot_of_4096() {
    let mut bench = Bench::<256>::new(&Params { timeout_cycles: 1 << 16, ..params(4096, 16) }, 6);
    bench.run(6000);
    bench.settle(20000);
    assert!(bench.counts.replies > 50, "{} replies", bench.counts.replies);
    assert_eq!((bench.counts.failed, bench.counts.unexpected), (0, 0));
}

fn failing<const W: usize>(seed: u64) {
    let mut bench = Bench::<W>::new(&params(256, 16), seed);
    bench.faults = Faults { status: 100, poisoned: 60, marked: 60, lost: 0, late: 0, stray: 50 };
    bench.run(4000);
    bench.settle(5000);
    assert!(bench.counts.failed > 20, "{} failures", bench.counts.failed);
    assert_eq!(bench.counts.error, bench.counts.failed);
    assert!(bench.root.strays > 10);
    assert_eq!(bench.counts.unexpected, bench.root.strays);
    assert_eq!(bench.counts.timeout, 0);
}

#[test]
fn bad_completions_fail_their_own_request_only() {
    failing::<64>(10);
    failing::<512>(11);
}

impl<const W: usize> Bench<W> {
    /// Holds `drain` until the reader is quiet; the clients forget what they have asked for.
    fn drain(&mut self, limit: u64) {
        for client in &mut self.clients {
            *client = Client { answered: client.answered, ..Client::default() };
        }
        self.h.uut.drain.next = true;
        self.h.settle();
        for _ in 0..limit {
            // Nothing is offered from the second cycle on: the first may still hold a beat nobody takes.
            for i in 0..CLIENTS {
                self.h.uut.replies[i].ready.next = false;
            }
            self.cycle_draining();
            if !self.h.uut.busy.val() {
                self.h.uut.drain.next = false;
                self.h.settle();
                return;
            }
        }
        panic!("not drained within {limit} cycles");
    }

    fn cycle_draining(&mut self) {
        let answered: u64 = self.clients.iter().map(|c| c.answered).sum();
        for client in &mut self.clients {
            client.deaf = true;
        }
        self.cycle();
        for i in 0..CLIENTS {
            self.clients[i].deaf = false;
            assert!(!self.h.uut.replies[i].valid.val(), "a reply is offered to a client that is forgotten");
        }
        assert_eq!(answered, self.clients.iter().map(|c| c.answered).sum::<u64>());
    }
}

#[test]
fn drained_at_any_moment_all_tags_come_home() {
    for (seed, lost) in [(20, 0), (21, 30)] {
        let mut bench = Bench::<128>::new(&params(256, 16), seed);
        bench.faults.lost = lost;
        for _ in 0..25 {
            let cycles = bench.rng.random_range(1..150);
            bench.run(cycles);
            bench.drain(4000);
        }
        assert_eq!(bench.counts.unexpected, 0, "a completion on its way home is none of the unexpected");
        assert_eq!(bench.counts.timeout > 0, lost > 0);
        // All tags are there again: the most requests are under way at once.
        bench.faults.lost = 0;
        bench.run(2000);
        bench.settle(4000);
        assert!(bench.counts.replies > 50, "{} replies", bench.counts.replies);
    }
}

#[test]
fn a_lost_completion_fails_by_timeout() {
    let mut bench = Bench::<64>::new(&params(128, 16), 30);
    bench.faults.lost = 50;
    bench.run(600);
    bench.faults.lost = 0;
    bench.settle(20000);
    let lost = bench.root.fates.values().filter(|&&f| f == Fate::Lost).count() as u64;
    assert!(lost > 0);
    assert_eq!((bench.counts.timeout, bench.counts.failed), (lost, lost));
    bench.drain(10);
    bench.run(1000);
    bench.settle(4000);
}

/// [PCI Express: Completion Timeout Mechanism] a completion for a request that has timed out is an unexpected one.
fn late<const W: usize>(seed: u64) {
    let mut bench = Bench::<W>::new(&params(128, 16), seed);
    bench.faults.late = 250;
    bench.run(100);
    bench.faults.late = 0;
    let late: Vec<u64> = bench.root.open.iter().filter(|o| o.fate == Fate::Late).map(|o| o.tag).collect();
    let count = late.len() as u64;
    assert!((2..12).contains(&count), "{late:?} are late");
    // Others go on while they time out and while their completions come; the root sees to it that no tag is out twice.
    bench.run(6000);
    bench.settle(4000);
    assert!(bench.root.open.is_empty() && bench.root.strays >= count, "{} came late", bench.root.strays);
    assert_eq!((bench.counts.timeout, bench.counts.failed, bench.counts.error), (count, count, 0));
    assert_eq!(bench.counts.unexpected, bench.root.strays, "each is counted");
    bench.drain(10);
    let mut again = std::collections::HashSet::new();
    for _ in 0..1000 {
        bench.cycle();
        again.extend(bench.root.open.iter().map(|o| o.tag));
    }
    assert!(
        late.iter().all(|tag| again.contains(tag)),
        "{late:?} are of use again after the drain: {again:?}"
    );
    bench.settle(4000);
    assert_eq!(bench.counts.timeout, count);
}

#[test]
fn what_comes_after_the_timeout_is_dropped_and_counted() {
    late::<64>(32);
    late::<512>(33);
}

#[test]
fn timeouts_come_neither_early_nor_late() {
    let mut bench = Bench::<64>::new(&params(128, 16), 31);
    bench.faults.lost = 1000;
    bench.run(10);
    let asked = bench.h.cycle;
    bench.asking = false;
    while bench.counts.timeout == 0 {
        bench.cycle();
        assert!(bench.h.cycle < asked + 2 * 1024 + 64, "no time-out");
    }
    assert!(bench.h.cycle > 1024, "timed out in cycle {}", bench.h.cycle);
}

#[test]
fn a_deaf_client_does_not_hold_up_the_other() {
    let mut bench = Bench::<64>::new(&params(256, 16), 40);
    for deaf in 0..CLIENTS {
        bench.clients[deaf].deaf = true;
        bench.run(300);
        let before: Vec<_> = bench.clients.iter().map(|c| c.answered).collect();
        bench.run(1500);
        for (i, client) in bench.clients.iter().enumerate() {
            assert!(i == deaf || client.answered > before[i] + 3, "client {i} stands while {deaf} is deaf");
        }
        bench.clients[deaf].deaf = false;
    }
    bench.settle(5000);
}

#[test]
fn without_bus_master_reads_fail_at_once() {
    let mut bench = Bench::<64>::new(&params(256, 16), 50);
    let mut settings = bench.h.uut.settings.val();
    settings.bus_master = false;
    bench.h.uut.settings.next = settings;
    for _ in 0..500 {
        bench.cycle();
        assert!(!bench.h.uut.tlp.valid.val());
    }
    assert!(bench.counts.failed > 50);
    assert_eq!(bench.counts.failed, bench.counts.replies);
    settings.bus_master = true;
    bench.h.uut.settings.next = settings;
    bench.settle(1000);
    bench.counts.failed = 0;
    bench.run(1000);
    bench.settle(5000);
}

/// Cycles per reply and per beat with nobody stalling and the payload client alone.
fn speed<const W: usize>(len: u64) -> (f64, f64) {
    let mut bench = Bench::<W>::new(&Params { timeout_cycles: 1 << 16, ..params(512, 128) }, 60);
    (bench.stall, bench.idle, bench.aligned, bench.most) = (0.0, 0.0, true, len);
    bench.root.prompt = true;
    bench.alone = true;
    bench.run(300);
    let (replies, beats) = (bench.counts.replies, bench.counts.beats);
    bench.run(1000);
    (1000.0 / (bench.counts.replies - replies) as f64, 1000.0 / (bench.counts.beats - beats) as f64)
}

#[test]
fn full_rate() {
    let (per_reply, _) = speed::<512>(64);
    assert!(per_reply < 2.05, "{per_reply} cycles per 64-byte reply");
    let (_, per_beat) = speed::<512>(512);
    assert!(per_beat < 1.05, "{per_beat} cycles per beat");
    let (_, per_beat) = speed::<64>(512);
    assert!(per_beat < 1.05, "{per_beat} cycles per beat");
}

/// Cycles from a completion's first beat to its reply's: the first of `beats`, at a reader at rest.
fn through<const W: usize>(beats: u64) -> u64 {
    let mut bench = Bench::<W>::new(&params(512, 16), 70);
    (bench.stall, bench.asking, bench.root.prompt) = (0.0, false, true);
    bench.clients[0].offering = Some((0x1000, beats * W as u64 / 8));
    let mut came = None;
    for _ in 0..200 {
        let cycle = bench.h.cycle;
        bench.cycle();
        if came.is_none() && bench.h.uut.completion.valid.val() {
            came = Some(cycle);
        }
        if bench.counts.beats > 0 {
            let gone = cycle - came.expect("a reply without a completion");
            bench.settle(100);
            assert_eq!((bench.counts.replies, bench.counts.beats), (1, beats));
            return gone;
        }
    }
    panic!("no reply");
}

#[test]
fn a_whole_reply_goes_as_it_comes_where_the_function_is_wide() {
    assert_eq!((through::<512>(1), through::<512>(4), through::<128>(2)), (4, 4, 4));
    assert_eq!(through::<64>(1), 7);
}

/// While payload waits to be written a read of payload goes for each piece that is, and others go as they like; where none waits any
/// more, all do.
#[test]
fn payload_reads_keep_step_with_writes() {
    let mut bench = Bench::<512>::new(&Params { timeout_cycles: 1 << 16, ..params(512, 128) }, 80);
    (bench.stall, bench.idle, bench.root.prompt) = (0.0, 0.0, true);
    let asked = |bench: &Bench<512>| {
        [0, 1].map(|i| bench.clients[i].answered + bench.clients[i].waiting.len() as u64)
    };
    let mut writes = 0;
    for cycle in 0..1000 {
        bench.h.uut.write_waits.next = true;
        bench.h.uut.write_taken.next = cycle % 10 == 9;
        writes += u64::from(cycle % 10 == 9);
        bench.cycle();
    }
    let [reads, others] = asked(&bench);
    assert!((writes - 1..=writes).contains(&reads), "{reads} reads beside {writes} writes");
    assert!(others > 3 * reads / 2, "{others} other reads beside {reads}");
    bench.h.uut.write_waits.next = false;
    bench.h.uut.write_taken.next = false;
    bench.run(1000);
    let more = asked(&bench)[0] - reads;
    assert!(more > 2 * reads, "{more} reads where no write waits, {reads} before");
}
