//! `queues`: each queue's state, by the inspection region; by the registers too if the function is ours.

use hematite_abi::common::NO_VECTOR;
use hematite_abi::feature;
use serde::Serialize;

use super::Head;
use crate::common::Common;
use crate::error::Result;
use crate::finding::{Finding, clause};
use crate::function::Function;
use crate::inspection::{Cause, Inspection};
use crate::structure::Kind;

/// One queue. What could not be seen is null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Queue {
    /// Its number.
    pub queue: u16,
    /// `receive`, `transmit`, `control`, or `queue` of another device.
    pub role: &'static str,
    /// Enabled.
    pub enabled: Option<bool>,
    /// Entries.
    pub size: Option<u32>,
    /// MSI-X vector; null too if it has none.
    pub vector: Option<u32>,
    /// Descriptor area.
    pub descriptors: Option<u64>,
    /// Driver area.
    pub driver: Option<u64>,
    /// Device area.
    pub device: Option<u64>,
    /// `avail.idx` as the device has last read it.
    pub available_seen: Option<u32>,
    /// Entries taken.
    pub available_taken: Option<u32>,
    /// `used.idx` as last published.
    pub used: Option<u32>,
    /// Taken and not yet used.
    pub in_flight: Option<u32>,
    /// What stopped it.
    pub error: Option<Cause>,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Queues {
    /// What every report has.
    #[serde(flatten)]
    pub head: Head,
    /// All queues.
    pub queues: Vec<Queue>,
}

/// No more queues are looked at, whatever a device says.
const SHOWN: u16 = 1024;
/// The fewest queues of a network device.
const PAIR: u16 = 2;

impl Queues {
    /// Gathers it. Beside a driver queue_select is its own, so that the registers of queues stay unread.
    pub fn gather(function: &mut Function) -> Result<Queues> {
        let mut head = Head::of("queues", function);
        let common = Common(function.reach(Kind::Common)?);
        let (network, ours) = (function.is_network(), function.is_ours());
        let several = several_pairs(function);
        let bus = &mut *function.bus;
        let count = common.queues(bus)?;
        if network && count < PAIR {
            let text = format!("num_queues is {count}: a network device has {PAIR} at least");
            head.findings.push(Finding::new(clause::COMMON, text));
        }
        if count > SHOWN {
            head.note(format!("the device has {count} queues: the first {SHOWN} are shown"));
        }
        let mut queues: Vec<Queue> = (0..count.min(SHOWN))
            .map(|queue| Queue { queue, role: role(network, several, queue, count), ..Queue::default() })
            .collect();
        if ours {
            for queue in &mut queues {
                let seen = common.queue(bus, queue.queue)?;
                queue.enabled = Some(seen.enabled);
                queue.size = Some(seen.size.into());
                queue.vector = vector(seen.vector.into());
                queue.descriptors = Some(seen.descriptors);
                queue.driver = Some(seen.driver);
                queue.device = Some(seen.device);
            }
        }
        match function.inspection() {
            Some(inspection) => inspect(&mut *function.bus, &inspection, &mut queues, &mut head)?,
            None if ours => head.note("no inspection region: indices and errors of queues are not seen"),
            None => head.note(
                "no inspection region: beside a driver nothing of its queues is seen, for queue_select is the driver's",
            ),
        }
        Ok(Queues { head, queues })
    }
}

fn inspect(
    bus: &mut dyn crate::bus::Bus,
    inspection: &Inspection,
    queues: &mut [Queue],
    head: &mut Head,
) -> Result<()> {
    let there = inspection.queues(bus)?;
    for (number, queue) in (0..there).zip(queues.iter_mut()) {
        let state = inspection.queue(bus, number)?;
        queue.enabled = Some(state.enabled);
        queue.size = Some(state.size);
        queue.vector = vector(state.vector);
        queue.descriptors = Some(state.descriptors);
        queue.driver = Some(state.driver);
        queue.device = Some(state.device);
        queue.available_seen = Some(state.available_seen);
        queue.available_taken = Some(state.available_taken);
        queue.used = Some(state.used);
        queue.in_flight = Some(state.in_flight);
        if let Some(error) = &state.error {
            let text = format!("queue {number} has stopped: {}", error.text);
            head.findings.push(Finding::new(clause::STATUS, text));
        }
        queue.error = state.error;
    }
    Ok(())
}

fn vector(number: u32) -> Option<u32> {
    (u64::from(number) != NO_VECTOR).then_some(number)
}

/// Whether the control queue is behind all pairs. Our inspection region counts that way whatever was accepted.
fn several_pairs(function: &Function) -> bool {
    let accepted = function.kernel.as_ref().and_then(|kernel| kernel.accepted);
    let one = accepted.is_some_and(|set| !set.has(feature::MQ) && !set.has(feature::RSS));
    !one || function.inspection.is_some()
}

/// [virtio 1.4: Network Device, Virtqueues]
fn role(network: bool, several: bool, queue: u16, count: u16) -> &'static str {
    let control = if several { count.wrapping_sub(1) } else { PAIR };
    match queue {
        _ if !network => "queue",
        _ if count % PAIR == 1 && queue == control => "control",
        PAIR.. if !several => "queue",
        _ if queue.is_multiple_of(PAIR) => "receive",
        _ => "transmit",
    }
}
