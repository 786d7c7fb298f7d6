//! The rules of the TLP port, checked on everything which crosses it. Always on; violations are collected, not thrown.
//! Spec: [PCIe base: Transaction Layer Protocol - Packet Definition], [PCIe base: Handling of Received TLPs]

pub mod order;
mod requests;
mod settings;

use std::fmt;

use hematite_abi::tlp;

use crate::root::tap::Direction;
use crate::root::tlp::{Tlp, View};
pub use order::QueueOrder;
use requests::{DeviceReads, HostRequests};
use settings::Settings;

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub cycle: u64,
    pub rule: String,
    /// The TLP with which it showed.
    pub tlp: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cycle {}: {}: {}", self.cycle, self.rule, self.tlp)
    }
}

/// Watches one device's TLP port.
#[derive(Debug, Default)]
pub struct Monitor {
    settings: Settings,
    reads: DeviceReads,
    requests: HostRequests,
    /// Payload, used elements, used index, message: the order of each registered queue.
    pub order: QueueOrder,
    violations: Vec<Violation>,
    /// TLPs seen.
    pub seen: u64,
}

impl Monitor {
    /// Nothing seen yet.
    pub fn new() -> Monitor {
        Monitor::default()
    }

    /// The device was reset by other means than a configuration write.
    pub fn reset(&mut self) {
        let violations = std::mem::take(&mut self.violations);
        *self = Monitor { violations, seen: self.seen, ..Monitor::new() };
    }

    /// The host will not answer this read rightly: the device may use the tag again whenever it has given up.
    pub fn forgive(&mut self, tag: u16) {
        self.reads.forgive(tag);
    }

    /// What was broken so far.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Takes the violations: for a test which breaks a rule on purpose.
    pub fn take_violations(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.violations)
    }

    /// At rest every request of the host is answered: what is not, is a violation.
    pub fn at_rest(&mut self, now: u64) {
        for tlp in self.requests.unanswered() {
            self.violations.push(Violation {
                cycle: now,
                rule: "a non-posted request was never completed".into(),
                tlp,
            });
        }
    }

    /// Panics with every violation. For the end of a test.
    pub fn assert_silent(&self) {
        let lines: Vec<String> = self.violations.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "{} broken rules:\n{}", lines.len(), lines.join("\n"));
    }

    /// One TLP goes by.
    pub fn tlp(&mut self, now: u64, direction: Direction, tlp: &Tlp) {
        self.seen += 1;
        let mut broken = vec![];
        match direction {
            Direction::In => {
                self.settings.request(tlp);
                self.requests.sent(tlp);
                self.reads.completion(tlp);
            }
            Direction::Out => self.out(now, tlp, &mut broken),
        }
        self.violations.extend(broken.into_iter().map(|rule| Violation {
            cycle: now,
            rule,
            tlp: tlp.to_string(),
        }));
    }

    fn out(&mut self, now: u64, tlp: &Tlp, broken: &mut Vec<String>) {
        if tlp.poisoned() {
            broken.push("the device sends poisoned data".into());
        }
        if tlp.error {
            broken.push("the device marks its own TLP as bad".into());
        }
        if tlp.header[0] & RESERVED_WORD0 != 0 {
            broken.push("reserved bits, hints, address type or traffic class are not zero".into());
        }
        match tlp.view() {
            View::MemRead(request) => {
                requests::shape(tlp, &request, self.settings.read_bytes(), "Max_Read_Request_Size", broken);
                self.settings.may_send(request.requester, broken);
                self.reads.sent(&request, self.settings.tags(), broken);
            }
            View::MemWrite(request, data) => {
                requests::shape(tlp, &request, self.settings.payload_bytes(), "Max_Payload_Size", broken);
                self.settings.may_send(request.requester, broken);
                self.order.write(now, &request, data, broken);
            }
            View::Cpl(fields) => {
                if let Some(written) = self.requests.answered(&fields, None, &self.settings, broken) {
                    self.settings.done(&written);
                }
            }
            View::CplD(fields, data) => {
                self.requests.answered(&fields, Some(data), &self.settings, broken);
            }
            View::Msg { .. } => broken.push("the device sends a message; it has none to send".into()),
            View::CfgRead0(_) | View::CfgWrite0(..) => {
                broken.push("the device sends a configuration request".into())
            }
            View::Unsupported { .. } => {
                broken.push("the device sends a TLP of a type it has no use for".into())
            }
            View::Malformed(reason) => broken.push(format!("malformed: {reason}")),
        }
    }
}

/// Reserved, TC, LN, TH, TD and AT of word 0. Attributes may be set, tag bits 8 and 9 are judged with the tag.
const RESERVED_WORD0: u32 = field(tlp::TC_LSB, tlp::TC_BITS)
    | field(tlp::LN_LSB, tlp::LN_BITS)
    | field(tlp::TH_LSB, tlp::TH_BITS)
    | field(tlp::TD_LSB, tlp::TD_BITS)
    | field(tlp::AT_LSB, tlp::AT_BITS);

const fn field(lsb: usize, bits: usize) -> u32 {
    ((1 << bits) - 1) << lsb
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::config::{COMMAND, COMMAND_BUS_MASTER};
    use crate::root::tlp::{Bdf, CfgRequest, CplFields, Status};

    const DEVICE: Bdf = Bdf(0x100);
    const HOST: Bdf = Bdf(0);

    fn enabled() -> Monitor {
        let mut monitor = Monitor::new();
        let request = CfgRequest { requester: HOST, tag: 1, target: DEVICE, offset: COMMAND, be: 3 };
        monitor.tlp(1, Direction::In, &Tlp::cfg_write0(request, u32::from(COMMAND_BUS_MASTER)));
        let fields = CplFields {
            completer: DEVICE,
            status: Status::Success,
            byte_count: 4,
            requester: HOST,
            tag: 1,
            lower_addr: 0,
        };
        monitor.tlp(2, Direction::Out, &Tlp::cpl(fields));
        monitor.assert_silent();
        monitor
    }

    fn rule(monitor: &mut Monitor, tlp: Tlp) -> String {
        monitor.tlp(3, Direction::Out, &tlp);
        monitor.take_violations().into_iter().map(|v| v.rule).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn silent_on_good_and_loud_on_bad_requests() {
        let mut monitor = enabled();
        assert_eq!(rule(&mut monitor, Tlp::mem_write(DEVICE, 0x1003, &[1; 125])), "");
        assert_eq!(rule(&mut monitor, Tlp::mem_read(DEVICE, 0, 0x1001, 7)), "");
        let again = rule(&mut monitor, Tlp::mem_read(DEVICE, 0, 0x2000, 4));
        assert!(again.contains("tag"), "{again}");
        let cross = rule(&mut monitor, Tlp::mem_write(DEVICE, 0x1ff0, &[0; 17]));
        assert!(cross.contains("4 KiB"), "{cross}");
        let large = rule(&mut monitor, Tlp::mem_write(DEVICE, 0x1000, &[0; 256]));
        assert!(large.contains("Max_Payload_Size"), "{large}");
        let stranger = rule(&mut monitor, Tlp::mem_write(Bdf(0x200), 0x1000, &[0; 4]));
        assert!(stranger.contains("requester"), "{stranger}");
        let mut early = Monitor::new();
        let silent = rule(&mut early, Tlp::mem_write(Bdf(0), 0x1000, &[0; 4]));
        assert!(silent.contains("Bus Master"), "{silent}");
    }

    #[test]
    fn completions_have_to_fit_their_requests() {
        let mut monitor = enabled();
        monitor.tlp(5, Direction::In, &Tlp::mem_read(HOST, 9, 0x1001, 6));
        let fields = CplFields {
            completer: DEVICE,
            status: Status::Success,
            byte_count: 6,
            requester: HOST,
            tag: 9,
            lower_addr: 1,
        };
        let wrong = CplFields { byte_count: 8, lower_addr: 0, ..fields };
        let text = rule(&mut monitor, Tlp::cpl_d(wrong, vec![0; 8]));
        assert!(text.contains("byte count") && text.contains("lower address"), "{text}");
        let text = rule(&mut monitor, Tlp::cpl_d(fields, vec![0; 8]));
        assert!(text.contains("nobody asked"), "{text}");
        monitor.tlp(6, Direction::In, &Tlp::mem_read(HOST, 10, 0x1001, 6));
        monitor.at_rest(7);
        assert_eq!(monitor.violations().len(), 1);
    }
}
