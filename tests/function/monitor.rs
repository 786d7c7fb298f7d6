//! The monitors have teeth: devices which are broken on purpose, each caught. The broken bodies are the model behind a
//! wrapper, so these tests run on the model alone.

use std::collections::VecDeque;

use hematite_sim::Device;
use hematite_sim::driver::{Options, TX};
use hematite_sim::model::Model;
use hematite_sim::root::tlp::Bdf;
use hematite_sim::root::{Message, Tlp, View};
use hematite_tests::{Bench, frame};

/// Changes what the device sends: takes its TLPs, hands back others.
type Change = fn(&mut VecDeque<Tlp>);

/// The model, sending something else than it means.
struct Broken {
    model: Model,
    change: Change,
    out: VecDeque<Tlp>,
}

impl Device for Broken {
    fn reset(&mut self) {
        self.model.reset();
    }
    fn tlp_in(&mut self, tlp: Tlp) {
        self.model.tlp_in(tlp);
    }
    fn tlp_out(&mut self) -> Option<Tlp> {
        self.out.pop_front()
    }
    fn frame_in(&mut self, frame: Vec<u8>) {
        self.model.frame_in(frame);
    }
    fn frame_out(&mut self) -> Option<Vec<u8>> {
        self.model.frame_out()
    }
    fn step(&mut self, cycles: u64) {
        self.model.step(cycles);
        self.out.extend(std::iter::from_fn(|| self.model.tlp_out()));
        (self.change)(&mut self.out);
    }
    fn now(&self) -> u64 {
        self.model.now()
    }
    fn busy(&self) -> bool {
        self.model.busy() || !self.out.is_empty()
    }
    fn name(&self) -> &str {
        "broken model"
    }
}

/// Transmits and receives with a broken device; what the monitors say.
fn caught(change: Change) -> String {
    let body = || -> Box<dyn Device> {
        Box::new(Broken { model: Model::default(), change: |_| {}, out: VecDeque::new() })
    };
    let mut bench = Bench::new(body, Options::default());
    // healthy up to DRIVER_OK, then broken
    let mut broken = Broken { model: Model::default(), change, out: VecDeque::new() };
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
