//! The monitors have teeth: devices which are broken on purpose, each caught. The broken bodies are the model behind a
//! wrapper, so these tests run on the model alone; one breaks the RTL and looks at the evidence it leaves.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::BufReader;
use std::rc::Rc;

use fst_reader::{FstHierarchyEntry, FstReader};
use hematite_sim::Device;
use hematite_sim::driver::{Options, TX};
use hematite_sim::model::Model;
use hematite_sim::root::tlp::Bdf;
use hematite_sim::root::{Credits, Message, Tlp, View};
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_sim::wire::pcap::read_frames;
use hematite_tests::{Bench, Params, evidence, flags_only, frame, model, rtl};
use rand::Rng;

/// Changes what the device sends: takes its TLPs, hands back others.
type Change = fn(&mut VecDeque<Tlp>);

/// A body, sending something else than it means.
struct Broken<D, C> {
    body: D,
    change: C,
    out: VecDeque<Tlp>,
}

impl<D: Device, C: FnMut(&mut VecDeque<Tlp>)> Device for Broken<D, C> {
    fn reset(&mut self) {
        self.body.reset();
    }
    fn tlp_in(&mut self, tlp: Tlp) {
        self.body.tlp_in(tlp);
    }
    fn tlp_out(&mut self) -> Option<Tlp> {
        self.out.pop_front()
    }
    fn frame_in(&mut self, frame: Vec<u8>) {
        self.body.frame_in(frame);
    }
    fn frame_out(&mut self) -> Option<Vec<u8>> {
        self.body.frame_out()
    }
    fn link(&mut self, up: bool) {
        self.body.link(up);
    }
    fn posted_limit(&mut self, limit: Credits) {
        self.body.posted_limit(limit);
    }
    fn step(&mut self, cycles: u64) {
        self.body.step(cycles);
        self.out.extend(std::iter::from_fn(|| self.body.tlp_out()));
        (self.change)(&mut self.out);
    }
    fn now(&self) -> u64 {
        self.body.now()
    }
    fn busy(&self) -> bool {
        self.body.busy() || !self.out.is_empty()
    }
    fn name(&self) -> &str {
        "broken on purpose"
    }
}

/// Transmits and receives with a broken device; what the monitors say.
fn caught(change: Change) -> String {
    caught_with(Options::default(), change)
}

fn caught_with(options: Options, change: Change) -> String {
    let mut bench = Bench::new(model(&Params::SIM), options);
    // healthy up to DRIVER_OK, then broken
    let mut broken = Broken { body: Model::default(), change, out: VecDeque::new() };
    broken.reset();
    bench.root.device = Box::new(broken);
    bench.root.reset();
    let function = bench.root.enumerate().expect("enumeration");
    bench.driver.function = function;
    bench.driver.initialise(&mut bench.root).expect("initialisation");
    bench.drive(|driver, root| driver.send(root, &frame(90, 1)));
    bench.rest();
    bench.root.frame_in(frame(300, 2));
    bench.rest();
    let lines: Vec<String> = bench.root.monitor.violations().iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn is_write(tlp: &Tlp, bytes: u32) -> bool {
    let View::MemWrite(request, _) = tlp.view() else { return false };
    request.first_be.count_ones() + request.last_be.count_ones() == bytes && !is_message(tlp)
}

fn is_message(tlp: &Tlp) -> bool {
    matches!(tlp.view(), View::MemWrite(request, _) if hematite_sim::root::MsiSink::X86.contains(&request.addr))
}

/// The used index is the only write of two bytes.
fn is_used_idx(tlp: &Tlp) -> bool {
    is_write(tlp, 2)
}

#[test]
fn a_healthy_device_is_not_accused() {
    assert_eq!(caught(|_| {}), "");
}

#[test]
fn used_index_off_by_one() {
    let text = caught(|out| {
        for tlp in out.iter_mut().filter(|tlp| is_used_idx(tlp)) {
            tlp.data.iter_mut().for_each(|byte| *byte = byte.wrapping_add(1));
        }
    });
    assert!(text.contains("used index") && text.contains("before its element"), "{text}");
}

#[test]
fn used_index_before_its_element() {
    let text = caught(|out| {
        if let Some(at) = out.iter().position(is_used_idx).filter(|at| *at > 0) {
            out.swap(at, at - 1);
        }
    });
    assert!(text.contains("before its element"), "{text}");
}

#[test]
fn payload_after_the_used_index() {
    let text = caught(|out| {
        // the receive payload, 300 bytes and more, comes first
        let at = out.iter().position(|tlp| tlp.data.len() > 64);
        if let Some(tlp) = at.and_then(|at| out.remove(at)) {
            out.push_back(tlp);
        }
    });
    assert!(text.contains("were written before the index"), "{text}");
}

/// A used descriptor of a packed ring, from its length on.
fn is_used_descriptor(tlp: &Tlp) -> bool {
    is_write(tlp, 8)
}

fn caught_packed(change: Change) -> String {
    caught_with(Options { packed: true, ..Options::default() }, change)
}

#[test]
fn used_descriptors() {
    assert_eq!(caught_packed(|_| {}), "");
    // payload behind it
    let text = caught_packed(|out| {
        let at = out.iter().position(|tlp| tlp.data.len() > 64);
        if let Some(tlp) = at.and_then(|at| out.remove(at)) {
            out.push_back(tlp);
        }
    });
    assert!(text.contains("were written before"), "{text}");
    // another chain's name; flags of another round
    fn each(out: &mut VecDeque<Tlp>, byte: usize, bits: u8) {
        out.iter_mut().filter(|tlp| is_used_descriptor(tlp)).for_each(|tlp| tlp.data[byte] ^= bits);
    }
    let text = caught_packed(|out| each(out, 4, 1));
    assert!(text.contains("was not available"), "{text}");
    let text = caught_packed(|out| each(out, 7, 0x80));
    assert!(text.contains("are written to slot 0"), "{text}");
    // the message first
    let text = caught_packed(|out| {
        if let Some(at) = out.iter().position(is_used_descriptor) {
            let (addr, data) = hematite_sim::driver::message(TX + 1);
            out.insert(at, Tlp::mem_write(Bdf(0x100), addr, &data.to_le_bytes()));
        }
    });
    assert!(text.contains("more messages"), "{text}");
}

#[test]
fn message_before_the_used_index() {
    let text = caught(|out| {
        if let Some(at) = out.iter().position(is_used_idx) {
            // one vector's address and data, as the driver programs them
            let (addr, data) = hematite_sim::driver::message(TX + 1);
            let message = Message { cycle: 0, addr, data };
            out.insert(at, Tlp::mem_write(Bdf(0x100), message.addr, &message.data.to_le_bytes()));
        }
    });
    assert!(text.contains("more messages than the used index has moved"), "{text}");
}

#[test]
fn anothers_requester_id() {
    let text = caught(|out| {
        for tlp in out.iter_mut().filter(|tlp| matches!(tlp.view(), View::MemRead(_))) {
            tlp.header[1] ^= 1 << 31;
        }
    });
    assert!(text.contains("requester id"), "{text}");
}

#[test]
fn tags_used_twice() {
    let text = caught(|out| {
        if let Some(tlp) = out.iter().find(|tlp| matches!(tlp.view(), View::MemRead(_))).cloned() {
            out.push_front(tlp);
        }
    });
    assert!(text.contains("tag used again"), "{text}");
}

#[test]
fn completions_with_a_wrong_byte_count() {
    let text = caught(|out| {
        for tlp in out.iter_mut().filter(|tlp| matches!(tlp.view(), View::CplD(..))) {
            tlp.header[1] = tlp.header[1] & !0xfff | 3;
        }
    });
    assert!(text.contains("byte count 3"), "{text}");
}

#[test]
fn a_completion_twice() {
    let text = caught(|out| {
        if let Some(tlp) = out.iter().find(|tlp| matches!(tlp.view(), View::CplD(..))).cloned() {
            out.push_back(tlp);
        }
    });
    assert!(text.contains("nobody asked for"), "{text}");
}

/// The RTL's used index goes wrong between its port and the root complex: the monitor says so, and waveform, TLP log and
/// recording of the wire are there to be opened.
#[test]
fn a_broken_used_index_leaves_evidence() {
    let seed = Seed::from_env(0xe71d);
    let _replay = ReplayLine(seed);
    let off_by = seed.rng(30).random_range(1..=3);
    let waveform = evidence::claim("fst");
    let _ = std::fs::remove_file(&waveform);
    let mut bench = Bench::random(model(&Params::SIM), flags_only(), seed);
    let (log, recording) = (bench.evidence.tlp.clone(), bench.evidence.pcap.clone());
    let _ = (std::fs::remove_file(&log), std::fs::remove_file(&recording));

    // the RTL takes the model's place, healthy until `broken` has room for lines
    let broken: Rc<RefCell<Option<Vec<String>>>> = Rc::default();
    let notes = Rc::clone(&broken);
    let change = move |out: &mut VecDeque<Tlp>| {
        let mut notes = notes.borrow_mut();
        let Some(lines) = notes.as_mut() else { return };
        for tlp in out.iter_mut().filter(|tlp| is_used_idx(tlp)) {
            let lane = tlp.header[1].trailing_zeros() as usize & 3;
            tlp.data[lane] = tlp.data[lane].wrapping_add(off_by);
            lines.push(tlp.to_string());
        }
    };
    bench.root.device =
        Box::new(Broken { body: rtl(&Params::SIM).traced(&waveform), change, out: VecDeque::new() });
    bench.root.reset();
    bench.driver.function = bench.root.enumerate().expect("enumeration");
    bench.driver.initialise(&mut bench.root).expect("initialisation");
    bench.works();
    *broken.borrow_mut() = Some(vec![]);
    let (sent, received) = (frame(90, 1), frame(300, 2));
    bench.drive(|driver, root| driver.send(root, &sent));
    bench.rest();
    bench.root.frame_in(received.clone());
    bench.rest();
    assert_eq!(bench.wire(), std::slice::from_ref(&sent));
    let text: Vec<String> = bench.root.monitor.take_violations().iter().map(ToString::to_string).collect();
    let text = text.join("\n");
    for queue in [0, TX] {
        let rule = format!("queue {queue}: used index ");
        assert!(text.lines().any(|l| l.contains(&rule) && l.contains("before its element")), "{text}");
    }
    bench.evidence.write().expect("evidence");
    drop(bench); // closes the waveform

    let lines = broken.take().unwrap_or_default();
    assert_eq!(lines.len(), 2, "one broken write each way: {lines:#?}");
    let log = std::fs::read_to_string(log).expect("TLP log");
    for line in &lines {
        assert!(log.lines().any(|l| l.contains(" tlp out ") && l.ends_with(line)), "not in the log: {line}");
    }
    let frames = read_frames(File::open(recording).expect("recording")).expect("pcap");
    for wanted in [sent, received] {
        assert!(frames.iter().any(|(_, frame)| *frame == wanted), "not in the recording");
    }
    let file = BufReader::new(File::open(waveform).expect("waveform"));
    let mut waveform = FstReader::open(file).expect("FST header and blocks");
    let (mut scopes, mut signals) = (0, 0);
    let each = |entry| match entry {
        FstHierarchyEntry::Scope { .. } => scopes += 1,
        FstHierarchyEntry::Var { .. } => signals += 1,
        _ => {}
    };
    waveform.read_hierarchy(each).expect("FST hierarchy");
    let header = waveform.get_header();
    assert!(scopes > 0 && signals > 0, "{scopes} scopes, {signals} signals");
    assert!(header.end_time > header.start_time, "time stands still in the waveform");
}
