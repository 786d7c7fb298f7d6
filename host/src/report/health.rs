//! `health`: does the device say that something is wrong, and why.

use hematite_abi::{config, ident, status};
use serde::Serialize;

use super::{Head, Status};
use crate::bus::config_number;
use crate::common::Common;
use crate::error::Result;
use crate::finding::{Finding, clause};
use crate::function::Function;
use crate::inspection::{Cause, Counter};
use crate::structure::Kind;

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is wrong.
    Fine,
    /// Something is: see the findings.
    Finding,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// What every report has.
    #[serde(flatten)]
    pub head: Head,
    /// In one word.
    pub verdict: Verdict,
    /// The device's state.
    pub status: Option<Status>,
    /// The error that made it ask for a reset.
    pub cause: Option<Cause>,
    /// An engine holds work.
    pub busy: Option<bool>,
    /// A reset is running.
    pub resetting: Option<bool>,
    /// Errors that PCI has noted, by name.
    pub pci_errors: Vec<&'static str>,
    /// Counters of what should not happen, if they are not 0.
    pub troubles: Vec<Counter>,
}

/// Counters of what should not happen.
const TROUBLES: [usize; 10] = [
    ident::RX_DROPPED,
    ident::TX_DROPPED_SHORT,
    ident::TX_DROPPED_LONG,
    ident::TLP_MALFORMED,
    ident::TLP_POISONED,
    ident::CPL_UNEXPECTED,
    ident::CPL_TIMEOUT,
    ident::CPL_ERROR,
    ident::QUEUE_ERRORS,
    ident::TX_DROPPED_OFFLOAD,
];
/// Bits of the PCI status register that name errors.
const PCI_ERRORS: u64 = config::STATUS_MASTER_PARITY
    | config::STATUS_SIGNALED_ABORT
    | config::STATUS_RECEIVED_ABORT
    | config::STATUS_MASTER_ABORT
    | config::STATUS_SIGNALED_ERROR
    | config::STATUS_PARITY;

impl Health {
    /// Gathers it.
    pub fn gather(function: &mut Function) -> Result<Health> {
        let mut head = Head::of("health", function);
        head.findings.clone_from(&function.findings);
        let pci = u64::from(config_number(&mut *function.bus, config::STATUS, 2)?) & PCI_ERRORS;
        let mut health = Health {
            head,
            verdict: Verdict::Fine,
            status: None,
            cause: None,
            busy: None,
            resetting: None,
            pci_errors: vec![],
            troubles: vec![],
        };
        health.pci(pci, function);
        health.device(function)?;
        health.inspect(function)?;
        if !health.head.findings.is_empty() {
            health.verdict = Verdict::Finding;
        }
        Ok(health)
    }

    fn find(&mut self, clause: &'static str, text: impl Into<String>) {
        self.head.findings.push(Finding::new(clause, text));
    }

    fn pci(&mut self, errors: u64, function: &Function) {
        let named = config::STATUS_FLAGS.iter().filter(|flag| u128::from(errors) & flag.mask() != 0);
        for flag in named {
            self.pci_errors.push(flag.name.trim_end_matches("_BIT"));
            self.find("PCIe base: Status Register", flag.doc);
        }
        if let Some(link) = &function.link
            && (link.speed < link.speed_max || link.width < link.width_max)
            && link.width > 0
        {
            let text = format!(
                "the link has {} lanes of code {}, of {} and {} that are possible",
                link.width, link.speed, link.width_max, link.speed_max
            );
            self.head.note(text);
        }
    }

    fn device(&mut self, function: &mut Function) -> Result<()> {
        let Ok(common) = function.reach(Kind::Common).map(Common) else { return Ok(()) };
        let value = Status::new(common.status(&mut *function.bus)?);
        if value.has(status::DEVICE_NEEDS_RESET) {
            self.find(clause::STATUS, "DEVICE_NEEDS_RESET: the device cannot go on until it is reset");
        }
        if value.has(status::FAILED) {
            self.find(clause::STATUS, "FAILED: the driver has given the device up");
        }
        self.status = Some(value);
        Ok(())
    }

    fn inspect(&mut self, function: &mut Function) -> Result<()> {
        let Some(inspection) = function.inspection() else { return Ok(()) };
        let bus = &mut *function.bus;
        self.cause = inspection.device_error(bus)?;
        if let Some(Cause { text, queue, .. }) = &self.cause {
            let queue = queue.map_or(String::new(), |queue| format!(", on queue {queue}"));
            self.find(clause::STATUS, format!("latched: {text}{queue}"));
        }
        let (busy, resetting) = inspection.activity(bus)?;
        (self.busy, self.resetting) = (Some(busy), Some(resetting));
        for number in 0..inspection.queues(bus)? {
            if let Some(error) = inspection.queue(bus, number)?.error {
                self.find(clause::STATUS, format!("queue {number} has stopped: {}", error.text));
            }
        }
        let counters = inspection.counters(bus)?.into_iter();
        self.troubles = counters.filter(|one| one.value > 0 && TROUBLES.contains(&one.number)).collect();
        for one in &self.troubles {
            self.head.note(format!("{}: {}", one.name.as_deref().unwrap_or("?"), one.value));
        }
        Ok(())
    }
}
