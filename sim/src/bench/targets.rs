//! What the data plane is to reach, beside what was measured: MAX at 250 MHz in a Gen3 x16 slot 800 ns away, batches of 16.

use serde::Serialize;

use super::case::Figures;
use super::latency::Latency;
use super::options::{Direction, Options, Rings};
use crate::root::Slot;

/// One target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    pub frame_bytes: usize,
    /// The way of the frames, or the latency's name.
    pub what: &'static str,
    pub queue_pairs: u16,
    pub unit: &'static str,
    pub wanted: f64,
    pub measured: f64,
    pub met: bool,
}

/// Cycles for a frame of 64 bytes, one way.
const SMALL: usize = 64;
const SMALL_CYCLES: f64 = 2.4;
/// Parts of the link's limit, both ways together.
const SMALL_SHARE: f64 = 0.85;
const LARGE: usize = 1518;
const LARGE_SHARE: f64 = 0.97;
/// What one queue alone is to reach of the targets.
const ALONE: f64 = 0.8;
/// Cycles between the doorbell and the wire beside the round trips.
const BETWEEN: u64 = 64;

/// From the doorbell to the wire: the index unless it is told, head, descriptor, payload; of a packed ring the last two.
fn round_trips(options: &Options) -> u64 {
    match (options.ring, options.notification_data) {
        (Rings::Packed, _) => 2,
        (Rings::Split, true) => 3,
        (Rings::Split, false) => 4,
    }
}

/// The targets of what was measured; none if it was measured under other conditions.
pub(super) fn judge(options: &Options, cases: &[Figures], latency: Option<&[Latency]>) -> Vec<Target> {
    let slot = Slot { packed: false, ..options.slot() };
    let stated = slot == Slot::default()
        && options.batch == 16
        && !options.reorder
        && options.posted_credits == (0, 0);
    if options.params != "MAX" || !stated {
        return vec![];
    }
    let mut targets: Vec<Target> = cases.iter().filter_map(throughput).collect();
    for one in latency.unwrap_or_default() {
        let wanted = round_trips(options) * one.rtt_cycles + BETWEEN;
        targets.push(Target {
            frame_bytes: one.frame_bytes,
            what: "doorbell to wire",
            queue_pairs: 1,
            unit: "cycles",
            wanted: wanted as f64,
            measured: one.doorbell_to_wire_cycles as f64,
            met: one.doorbell_to_wire_cycles <= wanted,
        });
    }
    targets
}

fn throughput(figures: &Figures) -> Option<Target> {
    let case = &figures.case;
    let part = if case.queue_pairs == 1 { ALONE } else { 1.0 };
    let (unit, wanted, measured) = match (case.frame_bytes, case.direction) {
        (SMALL, Direction::Tx | Direction::Rx) => {
            ("cycles per packet", SMALL_CYCLES / part, figures.cycles_per_packet)
        }
        (SMALL, Direction::Both) => ("of the limit", SMALL_SHARE * part, figures.ratio_to_limit),
        (LARGE, Direction::Both) => ("of the limit", LARGE_SHARE * part, figures.ratio_to_limit),
        _ => return None,
    };
    // Of cycles, fewer are better.
    let met = if case.direction == Direction::Both { measured >= wanted } else { measured <= wanted };
    let (frame_bytes, what, queue_pairs) = (case.frame_bytes, case.direction.name(), case.queue_pairs);
    Some(Target { frame_bytes, what, queue_pairs, unit, wanted, measured, met })
}
