//! Which receive queue a frame goes to: automatic steering with MQ, and RSS.

use hematite_abi::ident;
use hematite_sim::driver::{Options, memory};
use hematite_sim::facts::{bar, ctrl, ethernet, hash, net, rss};
use hematite_sim::flow::{Rss, flow};
use hematite_sim::ring::{Buffer, Ring, Used};
use hematite_sim::root::LinkModel;
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Bench, Make, on_bodies, on_packed};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::commands::command;

on_bodies!(but TINY:
    all_pairs_in_turn,
    as_rss_says,
    as_rss_says_and_reports,
    bad_parameters_are_refused,
    dropped_frames_count_for_none,
    a_queue_without_buffers_stops_no_other,
    small_buffers,
    device_configuration_says_what_there_is,
);

on_packed!(all_pairs_in_turn, as_rss_says, a_queue_without_buffers_stops_no_other, small_buffers,);

/// Pairs in use, at most: that many rings fit the driver's memory.
const MOST: u16 = 4;
/// Receive buffers of each queue, and bytes of each.
const BUFFERS: u64 = 12;

/// A driver with several receive queues.
struct Many {
    bench: Bench,
    /// Those behind the first pair's.
    rings: Vec<Ring>,
    pairs: u16,
    /// With HASH_REPORT, by which rule hashes are reported.
    told: Option<Rss>,
}

impl Many {
    fn new(make: Make, seed: Seed, bytes: u32) -> Many {
        Many::with(make, seed, bytes, Options::default().features)
    }

    fn with(make: Make, seed: Seed, bytes: u32, features: u128) -> Many {
        let pairs = MOST.min(make.params.pairs as u16);
        let rx_buffers = BUFFERS as u16;
        let options = Options { features, rx_buffers, rx_bytes: bytes, ..Options::default() };
        let mut bench = Bench::random(make, options, seed);
        let rings = (1..pairs)
            .map(|pair| {
                let base = memory::RINGS + u64::from(pair) * 0x2000;
                bench.drive(|driver, root| driver.enable_queue(root, 2 * pair, base))
            })
            .collect();
        let mut many = Many { bench, rings, pairs, told: None };
        for pair in 1..pairs {
            many.fill(pair, bytes);
        }
        many
    }

    fn fill(&mut self, pair: u16, len: u32) {
        for slot in 0..BUFFERS {
            let addr = memory::RX + (u64::from(pair) * BUFFERS + slot) * memory::SLOT;
            self.post(pair, &[Buffer { addr, len, writable: true }]);
        }
        self.bench.drive(|driver, root| driver.kick(root, 2 * pair));
    }

    fn post(&mut self, pair: u16, buffers: &[Buffer]) {
        let root = &mut self.bench.root;
        let ring = &mut self.rings[usize::from(pair) - 1];
        let id = ring.add(&mut root.memory, buffers).expect("room in the ring");
        root.monitor.order.post(ring.number, id, ring.slots(id), ring.writable(id));
        ring.publish(&mut root.memory);
    }

    fn used(&mut self, pair: u16) -> Option<Used> {
        self.rings[usize::from(pair) - 1].take_used(&mut self.bench.root.memory).expect("used ring")
    }

    fn bytes(&mut self, used: &Used) -> Vec<u8> {
        let mut bytes = vec![0; used.len as usize];
        self.bench.root.memory.look(used.buffers[0].addr, &mut bytes);
        bytes
    }

    /// The next frame of a pair's queue; its buffers go back.
    fn take(&mut self, pair: u16) -> Option<Vec<u8>> {
        if pair == 0 {
            let got = self.bench.drive(|driver, root| driver.receive_packet(root))?;
            self.check(got.hash, &got.frame);
            return Some(got.frame);
        }
        let mut chains = vec![self.used(pair)?];
        let mut packet = self.bytes(&chains[0]);
        let count = packet[net::HDR_NUM_BUFFERS as usize];
        for _ in 1..count {
            let next = self.used(pair).expect("as many buffers as the header says");
            packet.extend(self.bytes(&next));
            chains.push(next);
        }
        for chain in chains {
            self.post(pair, &chain.buffers);
        }
        self.bench.drive(|driver, root| driver.kick(root, 2 * pair));
        let frame = packet.split_off(self.bench.driver.header_bytes());
        let hash = packet[net::HDR_BYTES as usize..].first_chunk().map(|hash| u64::from_le_bytes(*hash));
        self.check(hash, &frame);
        Some(frame)
    }

    /// The driver is told the hash that is due.
    fn check(&self, hash: Option<u64>, frame: &[u8]) {
        let due = self.told.as_ref().and_then(|rule| flow(frame, rule.types, &rule.key));
        let due = due.map_or(0, |(hash, bit)| u64::from(bit + 1) << 32 | u64::from(hash));
        assert!(hash.is_none_or(|hash| hash == due), "{hash:x?}, not {due:x}: {:x?}", self.told);
    }

    /// Puts frames on the wire, and takes what comes: for each pair its frames in order.
    fn arrive(&mut self, frames: &[Vec<u8>]) -> Vec<Vec<Vec<u8>>> {
        for frame in frames {
            self.bench.root.frame_in(frame.clone());
        }
        self.bench.rest();
        (0..self.pairs).map(|pair| std::iter::from_fn(|| self.take(pair)).collect()).collect()
    }

    /// Each frame goes where `rule` says, none is lost.
    fn follows(&mut self, rule: &Rss, rng: &mut ChaCha8Rng, what: &str) {
        for _ in 0..20 {
            let frames: Vec<_> = (0..rng.random_range(1..6)).map(|_| packet(rng)).collect();
            let came = self.arrive(&frames);
            for (pair, came) in came.iter().enumerate() {
                let due: Vec<_> =
                    frames.iter().filter(|frame| usize::from(rule.pair(frame)) == pair).collect();
                assert!(came.iter().eq(due.iter().copied()), "{what}: pair {pair} of {}", self.pairs);
            }
        }
        self.bench.quiet();
    }

    fn configure(&mut self, rule: &Rss) -> bool {
        let done = command(&mut self.bench, ctrl::MQ, ctrl::MQ_RSS_CONFIG, &rule.command());
        if done {
            self.told = Some(rule.clone());
        }
        done
    }

    fn use_pairs(&mut self) {
        let pairs = self.pairs.to_le_bytes();
        assert!(command(&mut self.bench, ctrl::MQ, ctrl::MQ_PAIRS_SET, &pairs));
        self.told = None;
        self.bench.rest();
    }
}

/// Any frame: IPv4, IPv6 and others; TCP, UDP and others; tags, options, fragments; cut short.
fn packet(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut frame = vec![0; rng.random_range(60..300)];
    rng.fill(&mut frame[12..]);
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    let mut at = 12;
    if rng.random_ratio(1, 4) {
        frame[12..14].copy_from_slice(&ethernet::VLAN.to_be_bytes());
        at = 16;
    }
    let protocol = [ethernet::TCP, ethernet::UDP, 1][rng.random_range(0..3)];
    if rng.random() {
        frame[at..at + 2].copy_from_slice(&ethernet::IPV4.to_be_bytes());
        frame[at + 2] = if rng.random_ratio(1, 6) { 0x46 } else { 0x45 };
        let fragment = rng.random_ratio(1, 6);
        frame[at + 8..at + 10].copy_from_slice(&[[0x40, 0], [0x20, 3]][usize::from(fragment)]);
        frame[at + 11] = protocol;
    } else if rng.random_ratio(3, 4) {
        frame[at..at + 2].copy_from_slice(&ethernet::IPV6.to_be_bytes());
        frame[at + 2] = 0x60;
        frame[at + 8] = protocol;
    }
    if rng.random_ratio(1, 10) {
        frame.truncate(rng.random_range(14..64));
    }
    frame
}

fn all_pairs_in_turn(make: Make) {
    let seed = Seed::from_env(0x57e1);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(40);
    let mut many = Many::new(make, seed, 2000);
    many.follows(&Rss::automatic(1), &mut rng, "out of reset");
    many.use_pairs();
    let pairs = many.pairs;
    many.follows(&Rss::automatic(pairs), &mut rng, "all pairs");
    assert!(command(&mut many.bench, ctrl::MQ, ctrl::MQ_PAIRS_SET, &[1, 0]));
    many.bench.rest();
    many.follows(&Rss::automatic(1), &mut rng, "one pair again");
}

fn rule(rng: &mut ChaCha8Rng, pairs: u16) -> Rss {
    let entries = 1 << rng.random_range(0..=rss::TABLE.trailing_zeros());
    Rss {
        types: rng.random::<u32>() & hash::KNOWN,
        table: (0..entries).map(|_| rng.random_range(0..pairs)).collect(),
        unclassified: rng.random_range(0..pairs),
        max_tx: rng.random_range(1..=pairs),
        key: (0..rss::KEY_BYTES).map(|_| rng.random()).collect(),
    }
}

fn as_rss_says(make: Make) {
    by_rules(make, Options::default().features);
}

/// With HASH_REPORT the driver is told the hash by which it was.
fn as_rss_says_and_reports(make: Make) {
    by_rules(make, u128::MAX);
}

fn by_rules(make: Make, features: u128) {
    let seed = Seed::from_env(0x57e2);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(41);
    let mut many = Many::with(make, seed, 2000, features);
    for round in 0..8 {
        let rule = rule(&mut rng, many.pairs);
        assert!(many.configure(&rule), "round {round}: {rule:?}");
        many.follows(&rule, &mut rng, "RSS");
    }
    // "VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET": automatic steering again, by the key there is.
    let last = rule(&mut rng, many.pairs);
    assert!(many.configure(&last));
    many.use_pairs();
    let automatic = Rss { key: last.key, ..Rss::automatic(many.pairs) };
    many.follows(&automatic, &mut rng, "automatic again");
    many.bench.recovers();
    assert_eq!(many.bench.counter(ident::RX_NO_BUFFER), 0);
}

fn bad_parameters_are_refused(make: Make) {
    let seed = Seed::from_env(0x57e3);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(42);
    let mut many = Many::new(make, seed, 2000);
    let all = make.params.pairs as u16;
    let good = Rss { table: vec![0, many.pairs - 1, 0, 0], ..rule(&mut rng, many.pairs) };
    assert!(many.configure(&good));
    let mut bad = vec![];
    for bit in (0..32).filter(|bit| hash::KNOWN >> bit & 1 == 0) {
        bad.push(Rss { types: 1 << bit, ..good.clone() });
    }
    for entries in [3, 5, 127, 129, 200] {
        bad.push(Rss { table: vec![0; entries], ..good.clone() });
    }
    bad.push(Rss { table: vec![0, 0, all, 0], ..good.clone() });
    bad.push(Rss { table: vec![0, 0x100, 0, 0], ..good.clone() });
    bad.push(Rss { unclassified: all, ..good.clone() });
    bad.push(Rss { max_tx: 0, ..good.clone() });
    bad.push(Rss { max_tx: all + 1, ..good.clone() });
    for bytes in [0, 39, 41] {
        bad.push(Rss { key: vec![1; bytes], ..good.clone() });
    }
    for rule in &bad {
        assert!(!many.configure(rule), "{rule:?}");
    }
    let other = Rss { table: vec![0; 8], key: vec![3; 40], ..good.clone() }.command();
    for len in (0..other.len()).step_by(7).chain([other.len() - 1]) {
        assert!(!command(&mut many.bench, ctrl::MQ, ctrl::MQ_RSS_CONFIG, &other[..len]), "{len} bytes");
    }
    assert!(!command(&mut many.bench, ctrl::MQ, ctrl::MQ_RSS_CONFIG, &vec![0; 600]));
    many.follows(&good, &mut rng, "as before");
    // What stands behind the key means nothing: Linux (6.12) sends a byte.
    let mut padded = good.command();
    padded.push(0x55);
    assert!(command(&mut many.bench, ctrl::MQ, ctrl::MQ_RSS_CONFIG, &padded));
    many.follows(&good, &mut rng, "with padding");
    let features = !(1 << net::F_RSS);
    let mut without = Bench::new(make, Options { features, ..Options::default() });
    assert!(!command(&mut without, ctrl::MQ, ctrl::MQ_RSS_CONFIG, &good.command()), "RSS is not accepted");
}

/// Frames that are too long are dropped behind the place where flows are found.
fn dropped_frames_count_for_none(make: Make) {
    let seed = Seed::from_env(0x57e4);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(43);
    let mut many = Many::new(make, seed, 2000);
    many.use_pairs();
    let automatic = Rss::automatic(many.pairs);
    for _ in 0..10 {
        let frames: Vec<_> = (0..4).map(|_| packet(&mut rng)).collect();
        let mut all = vec![];
        for frame in &frames {
            let mut long = packet(&mut rng);
            long.resize(make.params.frame_bytes + 1, 0);
            all.extend([long, frame.clone()]);
        }
        let came = many.arrive(&all);
        for (pair, came) in came.iter().enumerate() {
            let due = frames.iter().filter(|frame| usize::from(automatic.pair(frame)) == pair);
            assert!(came.iter().eq(due), "pair {pair}");
        }
    }
    assert_eq!(many.bench.counter(ident::RX_DROPPED), 40);
    many.bench.quiet();
}

fn a_queue_without_buffers_stops_no_other(make: Make) {
    let seed = Seed::from_env(0x57e5);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(44);
    let mut many = Many::new(make, seed, 2000);
    let last = many.pairs - 1;
    let rule = Rss { table: vec![0, last], types: hash::KNOWN, ..rule(&mut rng, many.pairs) };
    assert!(many.configure(&rule));
    // Its buffers are used up, and do not come back.
    let to = |rng: &mut ChaCha8Rng, pair: u16| loop {
        let frame = packet(rng);
        if rule.pair(&frame) == pair {
            return frame;
        }
    };
    for _ in 0..BUFFERS + 3 {
        let frame = to(&mut rng, last);
        many.bench.root.frame_in(frame);
    }
    many.bench.rest();
    assert_eq!(many.bench.counter(ident::RX_NO_BUFFER), 3);
    for _ in 0..20 {
        let (mine, lost) = (to(&mut rng, 0), to(&mut rng, last));
        many.bench.root.frame_in(lost);
        many.bench.root.frame_in(mine.clone());
        many.bench.rest();
        assert_eq!(many.take(0), Some(mine));
    }
    assert_eq!(many.bench.counter(ident::RX_NO_BUFFER), 23);
    // With its queue reset, and with buffers again, frames come.
    many.bench.drive(|driver, root| driver.reset_queue(root, 2 * last));
    let frame = to(&mut rng, last);
    many.bench.root.frame_in(frame);
    many.bench.rest();
    assert_eq!(many.bench.counter(ident::RX_NO_BUFFER), 24);
    let base = memory::RINGS + u64::from(last) * 0x2000;
    let ring = many.bench.drive(|driver, root| driver.enable_queue(root, 2 * last, base));
    many.rings[usize::from(last) - 1] = ring;
    many.fill(last, 2000);
    many.bench.rest();
    many.follows(&rule, &mut rng, "again");
}

/// Frames of several queues, each of several buffers.
fn small_buffers(make: Make) {
    let seed = Seed::from_env(0x57e6);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(45);
    let mut many = Many::new(make, seed, 100);
    many.use_pairs();
    let automatic = Rss::automatic(many.pairs);
    for round in 0..40 {
        // So few that no queue can run out of buffers.
        let frames: Vec<_> = (0..3).map(|_| packet(&mut rng)).collect();
        let came = many.arrive(&frames);
        for (pair, came) in came.iter().enumerate() {
            let due = frames.iter().filter(|frame| usize::from(automatic.pair(frame)) == pair);
            assert!(came.iter().eq(due), "round {round}: pair {pair}");
        }
    }
    assert_eq!(many.bench.counter(ident::RX_NO_BUFFER), 0);
    many.bench.quiet();
}

fn device_configuration_says_what_there_is(make: Make) {
    let mut bench = Bench::with_link(make, Options::default(), LinkModel::fast());
    let mut read = |at: u64, bytes: &mut [u8]| {
        bench.root.bar_read(bar::DEVICE + at, bytes).expect("device configuration");
    };
    let (mut key, mut table, mut types) = ([0; 1], [0; 2], [0; 4]);
    read(net::CFG_KEY_BYTES, &mut key);
    read(net::CFG_TABLE_LENGTH, &mut table);
    read(net::CFG_HASH_TYPES, &mut types);
    assert_eq!(usize::from(key[0]), rss::KEY_BYTES);
    assert_eq!(usize::from(u16::from_le_bytes(table)), rss::TABLE);
    assert_eq!(u32::from_le_bytes(types), hash::KNOWN);
}
