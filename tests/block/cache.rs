//! queue::cache: heads in order, again from the last commit, none only when there is none.

use crate::harness::Harness;
use crate::rings::{Offer, Taken, enable, settings};
use hematite_hw::params::Params;
use hematite_hw::port::chain::{Head, Want};
use hematite_hw::queue::cache::Cache;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What fetch knows of a queue.
#[derive(Default)]
struct Queue {
    /// Heads the driver has given, and those fetch has begun, delivered, got back.
    backlog: VecDeque<Head>,
    begun: usize,
    kept: Vec<Head>,
    returned: usize,
    stopped: bool,
    /// The test's own pointers.
    taken: usize,
    committed: usize,
}

struct Bench {
    harness: Harness<Cache>,
    rng: ChaCha8Rng,
    ready_heads: usize,
    queues: BTreeMap<u64, Queue>,
    heads: Offer<Head>,
    wants: Offer<Want>,
    watch: Taken<Head>,
    /// Of a queue so many are to be given back, after so many cycles.
    commit: Option<(u64, u64, u32)>,
    /// Wants the cache has taken in and not decided.
    asked: VecDeque<Want>,
    /// An answer stands that has been looked at.
    open: bool,
    /// Which answer is due: the queue, and the head or none.
    due: VecDeque<(u64, Option<Head>)>,
    answers: Vec<Head>,
    stall: u32,
    /// Per cent of cycles in which fetch begins something.
    pace: u32,
    serial: u64,
    nones: u64,
}

impl Bench {
    fn new(params: &Params, seed: u64, stall: u32) -> Self {
        let mut bench = Self {
            harness: Harness::new(Cache::new(params), |b| &mut b.clock),
            rng: ChaCha8Rng::seed_from_u64(seed),
            ready_heads: params.ready_heads,
            queues: BTreeMap::new(),
            heads: Offer::new(stall),
            wants: Offer::new(stall),
            watch: Taken::default(),
            commit: None,
            asked: VecDeque::new(),
            open: false,
            due: VecDeque::new(),
            answers: vec![],
            stall,
            pace: 10,
            serial: 0,
            nones: 0,
        };
        bench.harness.uut.reset.next = true;
        bench.harness.tick();
        bench.harness.uut.reset.next = false;
        bench
    }

    fn enable(&mut self, queue: u64) {
        self.queues.insert(queue, Queue::default());
        enable(&mut self.harness.uut.control, Some(settings(queue, 64, 0, 0, 0)));
        self.step();
        enable(&mut self.harness.uut.control, None);
    }

    fn clear(&mut self, queue: u64) {
        self.queues.remove(&queue);
        self.harness.uut.control.clear.next = true;
        self.harness.uut.control.settings.next = settings(queue, 0, 0, 0, 0);
        self.step();
        self.harness.uut.control.clear.next = false;
    }

    fn give(&mut self, queue: u64, count: usize) {
        for _ in 0..count {
            self.serial += 1;
            let head = Head {
                queue: queue.into(),
                id: (self.serial & 0xffff).into(),
                slots: (self.serial & 0xff).into(),
                addr: self.rng.random::<u64>().into(),
                len: self.serial.into(),
                flags: 2.into(),
                next_desc: 7.into(),
                none: false,
            };
            self.queues.get_mut(&queue).unwrap().backlog.push_back(head);
        }
    }

    /// An answer has come: it was decided in the cycle before, from what there was.
    fn decide(&mut self) {
        let want = self.asked.pop_front().expect("an answer to no want");
        let n = u64::from(want.queue);
        let answer = self.queues.get_mut(&n).and_then(|q| {
            if want.first {
                q.taken = q.committed;
            }
            if q.stopped {
                return None;
            }
            let head = q.kept.get(q.taken).copied();
            if head.is_some() {
                q.taken += 1;
            } else {
                let all_taken = q.kept.len() - q.committed == self.ready_heads;
                let no_more = q.backlog.is_empty() && q.begun == q.kept.len();
                let cycle = self.harness.cycle;
                assert!(all_taken || no_more, "cycle {cycle}: none, but heads are on their way");
            }
            head
        });
        self.due.push_back((n, answer));
    }

    fn step(&mut self) {
        let cycle = self.harness.cycle;
        if self.harness.uut.answer.valid.val() && !self.open {
            self.decide();
        }
        // Fetch: begins what the cache has places for, delivers it later.
        let numbers: Vec<u64> = self.queues.keys().copied().collect();
        for n in &numbers {
            let q = self.queues.get_mut(n).unwrap();
            let places = self.ready_heads - (q.begun - q.returned);
            if !q.stopped && self.rng.random_range(0..100) < self.pace {
                for head in q.backlog.drain(..places.min(q.backlog.len())) {
                    q.begun += 1;
                    self.heads.words.push_back(head);
                }
            }
        }
        let uut = &mut self.harness.uut;
        self.heads.drive(&mut self.rng, &mut uut.head);
        self.wants.drive(&mut self.rng, &mut uut.want);
        uut.answer.ready.next = self.rng.random_range(0..100) >= self.stall;
        let commit = self.commit.take_if(|(.., after)| *after == 0);
        if let Some((.., after)) = &mut self.commit {
            *after -= 1;
        }
        uut.commit.valid.next = commit.is_some();
        if let Some((queue, chains, _)) = commit {
            uut.commit.queue.next = queue.into();
            uut.commit.chains.next = chains.into();
        }
        let live =
            numbers.iter().filter(|n| !self.queues[n].stopped).fold(0, |bits, n| bits | 1u64 << (n >> 1));
        uut.supply.live.next = live.into();
        self.harness.settle();
        let uut = &mut self.harness.uut;
        let asked = u64::from(uut.supply.queue.val());
        let none = Queue::default();
        let q = self.queues.get(&asked).unwrap_or(&none);
        uut.supply.begun.next = (q.begun as u64 & 0xffff).into();
        uut.supply.idle.next = q.backlog.is_empty();
        self.harness.settle();
        let uut = &mut self.harness.uut;

        let want = uut.want.data.val();
        if self.wants.sample(&uut.want) {
            self.asked.push_back(want);
        }
        // Credit is of commits up to the cycle before.
        if uut.credit.valid.val() {
            let q = self.queues.get_mut(&u64::from(uut.credit.queue.val())).unwrap();
            let total = u64::from(uut.credit.total.val()) as usize;
            q.returned += total.wrapping_sub(q.returned) & 0xffff;
            assert_eq!(q.returned, q.committed);
        }
        if let Some((n, chains, _)) = commit
            && let Some(q) = self.queues.get_mut(&n)
        {
            q.committed += chains as usize;
        }
        if self.heads.sample(&uut.head) {
            let head = uut.head.data.val();
            self.queues.get_mut(&u64::from(head.queue)).unwrap().kept.push(head);
        }
        let answer = self.watch.sample(&uut.answer);
        self.open = uut.answer.valid.val() && answer.is_none();
        if let Some(answer) = answer {
            let (queue, due) = self.due.pop_front().expect("decided");
            assert_eq!(u64::from(answer.queue), queue);
            match due {
                Some(head) => assert_eq!(answer, head, "cycle {cycle}"),
                None => {
                    assert!(answer.none, "cycle {cycle}: a head where there is none");
                    self.nones += 1;
                }
            }
            self.answers.push(answer);
        }
        self.harness.tick();
    }

    /// One want, until it is answered.
    fn want(&mut self, queue: u64, first: bool) -> Head {
        // Who begins again has committed what he keeps.
        while first && self.commit.is_some() {
            self.step();
        }
        self.wants.words.push_back(Want { queue: queue.into(), first });
        for _ in 0..2000 {
            self.step();
            if let Some(answer) = self.answers.pop() {
                return answer;
            }
        }
        panic!("an answer for queue {queue}: not within 2000 cycles");
    }

    fn commit(&mut self, queue: u64, chains: u64) {
        while self.commit.is_some() {
            self.step();
        }
        self.commit = Some((queue, chains, self.rng.random_range(0..5)));
        if self.rng.random() {
            self.step();
        }
    }
}

fn random_frames(params: &Params, seed: u64) {
    let mut bench = Bench::new(params, seed, 30);
    let queues: Vec<u64> = [0, 2 * (params.pairs as u64 - 1), params.pairs as u64 & !1].into();
    for queue in &queues {
        bench.enable(*queue);
    }
    let mut received = 0;
    let mut again = BTreeSet::new();
    for _ in 0..300 {
        let queue = queues[bench.rng.random_range(0..queues.len())];
        if bench.rng.random_range(0..4) == 0 {
            let count = bench.rng.random_range(1..11);
            bench.give(queue, count);
        }
        // Some heads are asked for; the first of them are kept, often all, and the others asked for again.
        let heads = bench.rng.random_range(1..6);
        let mut whole = 0;
        for _ in 0..heads {
            whole += u64::from(!bench.want(queue, again.remove(&queue)).none);
        }
        let kept = if bench.rng.random() { whole } else { bench.rng.random_range(0..=whole) };
        if kept > 0 {
            bench.commit(queue, kept);
            received += 1;
        }
        if kept < whole {
            again.insert(queue);
        }
    }
    assert!(received > 50, "only {received} frames");
    assert!(bench.nones > 5, "only {} wants without an answer", bench.nones);
}

#[test]
fn random_frames_all_sets() {
    random_frames(&Params::TINY, 1);
    random_frames(&Params::SIM, 2);
    random_frames(&Params::MAX, 3);
}

/// Answers come one per cycle, each two cycles after its want.
#[test]
fn one_per_cycle() {
    let mut bench = Bench::new(&Params::MAX, 4, 0);
    bench.pace = 100;
    bench.enable(6);
    bench.give(6, 64);
    for _ in 0..70 {
        bench.step();
    }
    for i in 0..64 {
        bench.wants.words.push_back(Want { queue: 6.into(), first: i == 0 });
    }
    for _ in 0..66 {
        bench.step();
    }
    assert_eq!(bench.answers.len(), 64);
}

/// A frame that needs more heads than are kept can never be received: none, and no wait without end.
#[test]
fn more_than_is_kept() {
    let mut bench = Bench::new(&Params::TINY, 5, 10);
    bench.enable(0);
    bench.give(0, 100);
    for i in 0..16 {
        assert!(!bench.want(0, i == 0).none);
    }
    assert!(bench.want(0, false).none);
    assert!(!bench.want(0, true).none);
}

#[test]
fn stopped_and_cleared_queues_have_none() {
    for params in [Params::TINY, Params::MAX] {
        let mut bench = Bench::new(&params, 6, 20);
        assert!(bench.want(0, true).none, "a queue that is off");
        bench.enable(0);
        bench.give(0, 40);
        assert!(!bench.want(0, true).none);
        bench.queues.get_mut(&0).unwrap().stopped = true;
        assert!(bench.want(0, false).none, "a queue that has stopped");
        bench.queues.get_mut(&0).unwrap().stopped = false;
        bench.want(0, true);
        bench.commit(0, 1);
        for _ in 0..400 {
            bench.step();
        }
        bench.clear(0);
        assert!(bench.want(0, true).none, "a queue that has been cleared");
        bench.enable(0);
        assert!(bench.want(0, true).none, "a queue that is new");
        bench.give(0, 3);
        assert!(!bench.want(0, true).none);
    }
}
