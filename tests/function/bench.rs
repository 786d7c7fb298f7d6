//! `hematite-sim bench` itself: it repeats to the cycle, obeys what the slot says, and tells what went wrong.

use hematite_sim::bench::{self, Direction, Figures, Options, Report};

/// The report of a command line on set SIM.
fn measure(line: &str) -> Report {
    let options = Options::parse(&format!("--params SIM {line}")).expect("a command line");
    bench::run(&options, |_| ()).expect("a bench which ends")
}

fn json(report: &Report) -> String {
    serde_json::to_string(report).expect("JSON")
}

#[test]
fn the_same_seed_gives_the_same_cycles() {
    let line = "--sizes 64,300 --frames 300 --queue-size 64 --latency --seed 5";
    let report = measure(line);
    assert!(report.clean(), "{:?}", report.findings());
    assert_eq!(json(&report), json(&measure(line)));
    assert_eq!(report.cases.len(), 6);
    for case in &report.cases {
        assert!(case.cycles > 0 && case.ratio_to_limit > 0.0 && case.ratio_to_limit <= 1.0, "{case:?}");
        for seam in [case.tlp_in, case.tlp_out, case.frame_in, case.frame_out] {
            assert!((seam.moved + seam.stalled + seam.idle - 1.0).abs() < 1e-9, "{case:?}");
        }
    }
    let latency = report.latency.expect("latency was asked for");
    assert!(latency.iter().all(|one| one.doorbell_to_wire_rtts >= 1.0 && one.wire_to_interrupt_cycles > 0));
}

#[test]
fn sizes_of_the_slot_are_obeyed() {
    let report = measure("--sizes 1000 --frames 60 --queue-size 64 --mps 128 --mrrs 128 --rcb 128");
    assert!(report.clean(), "{:?}", report.findings());
    let large = measure("--sizes 1000 --frames 60 --queue-size 64");
    for (small, large) in report.cases.iter().zip(&large.cases) {
        assert!(small.pcie_up_bytes_per_packet > large.pcie_up_bytes_per_packet, "{small:?}\n{large:?}");
    }
}

#[test]
fn queues_are_all_in_use() {
    let report = measure("--sizes 64 --frames 400 --queues 1,2 --interrupts always");
    assert!(report.clean(), "{:?}", report.findings());
    let pairs: Vec<u16> = report.cases.iter().map(|case| case.case.queue_pairs).collect();
    assert_eq!(pairs, [1, 1, 1, 2, 2, 2]);
    assert!(report.cases[3].tx_frames_slowest_queue > 0, "{:?}", report.cases[3]);
}

/// Frames of several queues in turns: their used elements and indices are still written together.
#[test]
fn several_pairs_cost_little_more_than_one() {
    let report = measure("--sizes 64 --frames 2000 --queues 1,4");
    assert!(report.clean(), "{:?}", report.findings());
    for (one, four) in report.cases[..3].iter().zip(&report.cases[3..]) {
        assert!(four.cycles_per_packet < 1.25 * one.cycles_per_packet, "{one:?}\n{four:?}");
        // Of all frames: those that leave and those that arrive need not be as many.
        let used = |case: &Figures| {
            let slower = case.cycles as f64 / case.cycles_per_packet;
            case.tlps_per_packet.used_writes * slower / (case.tx_frames + case.rx_frames) as f64
        };
        let [used_of_one, used_of_four] = [one, four].map(used);
        assert!(used_of_four < 1.25 * used_of_one, "{one:?}\n{four:?}");
    }
}

#[test]
fn a_short_ring_loses_nothing() {
    let report = measure("--sizes 64 --frames 200 --queue-size 16");
    assert!(report.clean(), "{:?}", report.findings());
}

#[test]
fn packed_rings_are_measured() {
    let report = measure("--ring packed --sizes 64,600 --frames 600 --queues 1,2 --latency");
    assert!(report.clean(), "{:?}", report.findings());
    assert_eq!(report.ring, "packed");
    for case in &report.cases {
        // No index, no entries: only the driver's wish.
        assert!(case.tlps_per_packet.available_reads < 0.3, "{case:?}");
        assert!(case.ratio_to_limit > 0.0 && case.ratio_to_limit <= 1.0, "{case:?}");
    }
}

/// A write leaves only while the host has room, and nothing is lost for that.
#[test]
fn writes_wait_for_posted_credits() {
    let with = |credits: &str| measure(&format!("--sizes 64,1518 --frames 300 --queue-size 64 {credits}"));
    let free = with("");
    assert_eq!((free.posted_header_credits, free.posted_data_credits), (0, 0));
    assert_eq!(
        free.cases,
        with("--posted-credits 1000,10000 --posted-cycles 7").cases,
        "more than are ever taken"
    );
    for (headers, data, cycles) in [(1, 16, 100), (2, 0, 50), (0, 32, 100), (16, 128, 200)] {
        let report = with(&format!("--posted-credits {headers},{data} --posted-cycles {cycles}"));
        assert!(report.clean(), "{:?}", report.findings());
        assert_eq!((report.posted_header_credits, report.posted_data_credits), (headers, data));
        assert_eq!(report.posted_return_cycles, cycles);
        for case in &report.cases {
            let tlps = &case.tlps_per_packet;
            let under_way = |each: f64| each * cycles as f64 / case.cycles_per_packet;
            let writes = under_way(tlps.payload_writes + tlps.used_writes + tlps.messages);
            assert!(headers == 0 || writes <= 1.05 * headers as f64, "{writes} writes: {case:?}");
            // Of what is received every byte is written.
            let bytes = under_way(if case.case.direction == Direction::Tx { 0.0 } else { 1514.0 });
            let units = bytes / 16.0 * f64::from(u8::from(case.case.frame_bytes == 1518));
            assert!(data == 0 || units <= 1.05 * data as f64, "{units} units of data: {case:?}");
        }
        let stalled =
            |report: &Report| report.cases.iter().map(|case| case.tlp_out.stalled).fold(0.0, f64::max);
        assert!(stalled(&report) > stalled(&free) + 0.1);
    }
}

#[test]
fn what_does_not_come_is_told() {
    let report = measure("--sizes 64 --frames 400 --direction rx --queue-size 16 --offer-mpps 200");
    assert!(!report.clean());
    assert!(report.cases[0].lost > 0 && report.cases[0].damaged == 0, "{:?}", report.findings());
    assert!(report.findings()[0].contains("lost"));
}

#[test]
fn options_are_judged_by_name() {
    for (line, word) in [
        ("--mps 100", "--mps"),
        ("--sizes 20", "--sizes"),
        ("--queues 9", "--queues"),
        ("--posted-credits 9,15", "--posted-credits"),
    ] {
        let options = Options::parse(&format!("--params SIM {line}")).expect("a command line");
        let error = bench::run(&options, |_| ()).expect_err("it is refused").to_string();
        assert!(error.contains(word), "{error}");
    }
}
