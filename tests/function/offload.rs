//! Transmission with offloads: what the driver leaves to the device.

use hematite_abi::{feature, ident};
use hematite_sim::driver::{Options, TX};
use hematite_sim::offload::{Header, checksum};
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Bench, Make, frame, on_bodies};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

on_bodies!(
    partial_checksums_are_completed,
    a_checksum_outside_the_frame,
    a_header_cut_anywhere,
    not_agreed_is_not_done,
    a_reset_between_sums,
);

/// Packets of this set can have partial checksums.
fn able(make: Make) -> bool {
    make.params.offers(feature::CSUM)
}

/// A packet whose checksum is partial, as Linux hands it over: the sum of the pseudo header stands in its place.
struct Partial {
    header: Header,
    frame: Vec<u8>,
    /// Pseudo header, without what is in the frame.
    pseudo: Vec<u8>,
}

impl Partial {
    fn new(rng: &mut ChaCha8Rng, v6: bool, tcp: bool, len: usize) -> Partial {
        let mut frame: Vec<u8> = (0..len).map(|_| rng.random()).collect();
        let (start, addresses) = if v6 { (54, 22..54) } else { (34, 26..34) };
        let offset = if tcp { 16 } else { 6 };
        frame[12..14].copy_from_slice(if v6 { &[0x86, 0xdd] } else { &[0x08, 0x00] });
        let mut pseudo = frame[addresses].to_vec();
        pseudo.extend((frame.len() as u32 - start as u32).to_be_bytes());
        pseudo.extend([0, 0, 0, if tcp { 6 } else { 17 }]);
        // What is there before the sum is complete is the sum itself, not its complement.
        let partial = !checksum(&pseudo);
        frame[start + offset..start + offset + 2].copy_from_slice(&partial.to_be_bytes());
        Partial { header: Header::needs_csum(start as u16, offset as u16), frame, pseudo }
    }

    /// A receiver finds the frame good, and nothing but the checksum has changed.
    fn check(&self, got: &[u8]) {
        let start = usize::from(self.header.csum_start);
        let at = start + usize::from(self.header.csum_offset);
        assert_eq!(got.len(), self.frame.len());
        assert_ne!(got[at..at + 2], [0, 0], "no checksum, to UDP");
        let mut all = self.pseudo.clone();
        all.extend(&got[start..]);
        assert_eq!(checksum(&all), 0xffff, "{} bytes: {got:02x?}", got.len());
        let mut same = got.to_vec();
        same[at..at + 2].copy_from_slice(&self.frame[at..at + 2]);
        assert_eq!(same, self.frame);
    }
}

fn partial_checksums_are_completed(make: Make) {
    if !able(make) {
        return;
    }
    let seed = Seed::from_env(0xc500);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(11);
    let mut bench = Bench::random(make, Options { queue_size: 32, ..Options::default() }, seed);
    let mut sent = 0;
    for _ in 0..12 {
        let mut batch: Vec<Option<Partial>> = vec![];
        for mark in 0..8 {
            let (v6, tcp) = (rng.random(), rng.random());
            let len =
                if rng.random_bool(0.5) { rng.random_range(74..140) } else { rng.random_range(74..1514) };
            let partial = rng.random_bool(0.7).then(|| Partial::new(&mut rng, v6, tcp, len));
            let (header, bytes) = partial
                .as_ref()
                .map_or((Header::default(), frame(len, mark)), |p| (p.header, p.frame.clone()));
            bench.drive(|driver, root| driver.post_packet(root, header, &bytes, &[12]));
            batch.push(partial);
        }
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.rest();
        let wire = bench.wire();
        assert_eq!(wire.len(), batch.len());
        for (mark, (partial, got)) in batch.iter().zip(wire).enumerate() {
            match partial {
                Some(partial) => partial.check(&got),
                None => assert_eq!(got, frame(got.len(), mark as u8)),
            }
            assert_eq!(bench.take_tx().map(|used| used.len), Some(0));
            sent += 1;
        }
    }
    assert_eq!((bench.counter(ident::TX_FRAMES), bench.counter(ident::TX_DROPPED_OFFLOAD)), (sent, 0));
    bench.quiet();
}

/// Such a packet is dropped, counted, and its chain comes back; those around it are sent. One whose checksum just fits is sent.
fn a_checksum_outside_the_frame(make: Make) {
    if !able(make) {
        return;
    }
    let mut bench = Bench::new(make, Options { queue_size: 32, ..Options::default() });
    let good = frame(100, 1);
    let mut dropped = 0;
    for (start, offset, fits) in [
        (0, 98, true),
        (0, 99, false),
        (98, 0, true),
        (99, 0, false),
        (100, 0, false),
        (97, 1, true),
        (5000, 16, false),
        (34, 0xffff, false),
        (0xffff, 0xffff, false),
        (0xfff0, 0x20, false),
        (0, 0, true),
    ] {
        let header = Header::needs_csum(start, offset);
        bench.drive(|driver, root| driver.post_packet(root, header, &good, &[]));
        bench.drive(|driver, root| driver.send(root, &good));
        bench.rest();
        let mut due = vec![good.clone()];
        if fits {
            let mut sent = good.clone();
            let at = usize::from(start + offset);
            let sum = checksum(&good[usize::from(start)..]);
            sent[at..at + 2].copy_from_slice(&sum.to_be_bytes());
            due.insert(0, sent);
        }
        assert_eq!(bench.wire(), due, "csum_start {start}, csum_offset {offset}");
        assert_eq!(bench.take_tx().map(|used| used.len), Some(0));
        assert_eq!(bench.take_tx().map(|used| used.len), Some(0));
        dropped += u32::from(!fits);
        assert_eq!(
            bench.counter(ident::TX_DROPPED_OFFLOAD),
            dropped,
            "csum_start {start}, csum_offset {offset}"
        );
    }
    bench.works();
}

/// [virtio 1.4: Message Framing]
fn a_header_cut_anywhere(make: Make) {
    if !able(make) {
        return;
    }
    let seed = Seed::from_env(0xc501);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(12);
    let mut bench = Bench::new(make, Options { queue_size: 8, ..Options::default() });
    for cuts in [&[1, 7, 9][..], &[6], &[8], &[0, 12, 46], &[2, 4, 6, 8, 10, 12], &[30, 60]] {
        let partial = Partial::new(&mut rng, false, true, 90 + cuts.len());
        bench.drive(|driver, root| driver.post_packet(root, partial.header, &partial.frame, cuts));
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.rest();
        partial.check(&bench.wire().pop().expect("a frame"));
        assert!(bench.take_tx().is_some());
    }
    bench.quiet();
}

/// "If VIRTIO_NET_F_CSUM is not negotiated, the driver MUST set flags to zero": one that does not is not taken at its word.
fn not_agreed_is_not_done(make: Make) {
    let options = Options { features: !(1 << feature::CSUM), ..Options::default() };
    let mut bench = Bench::new(make, options);
    let good = frame(100, 3);
    for header in [Header::needs_csum(34, 16), Header::needs_csum(0xffff, 0xffff)] {
        bench.drive(|driver, root| driver.post_packet(root, header, &good, &[]));
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.rest();
        assert_eq!(bench.wire(), std::slice::from_ref(&good));
        assert!(bench.take_tx().is_some());
    }
    assert_eq!(bench.counter(ident::TX_DROPPED_OFFLOAD), 0);
    bench.works();
}

/// A device reset amid packets: what has been sent has its own checksum, what comes after too.
fn a_reset_between_sums(make: Make) {
    if !able(make) {
        return;
    }
    let seed = Seed::from_env(0xc502);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(13);
    let mut bench = Bench::new(make, Options { queue_size: 16, ..Options::default() });
    for round in 0..8 {
        let partials: Vec<_> =
            (0..10).map(|i| Partial::new(&mut rng, false, true, 80 + 100 * (i % 4))).collect();
        for partial in &partials {
            bench.drive(|driver, root| driver.post_packet(root, partial.header, &partial.frame, &[]));
        }
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.root.run(300 + 150 * round);
        bench.drive(|driver, root| driver.reset(root));
        bench.drive(|driver, root| driver.initialise(root));
        let wire = bench.wire();
        for (partial, got) in partials.iter().zip(&wire) {
            partial.check(got);
        }
        let partial = Partial::new(&mut rng, true, false, 200);
        bench.drive(|driver, root| driver.post_packet(root, partial.header, &partial.frame, &[]));
        bench.drive(|driver, root| driver.kick(root, TX));
        bench.rest();
        partial.check(&bench.wire().pop().expect("a frame"));
        assert!(bench.take_tx().is_some());
    }
    bench.works();
}
