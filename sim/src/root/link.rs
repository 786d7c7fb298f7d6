//! What the simulated link and the host behind it cost: latency, bandwidth, splitting and reordering.

use super::credits::Posted;
use super::slot::Slot;

/// Parameters of the link between root complex and device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkModel {
    /// From a read request's last beat at the device's edge to its completion's first there.
    pub rtt_cycles: u64,
    /// Thousandths of a byte (payload, header and framing) which go towards the device in one cycle; 0 is without limit.
    pub rate: u64,
    /// Read Completion Boundary: a completion may end only there.
    pub rcb: usize,
    /// Max_Payload_Size programmed by `enumerate`, and the largest completion.
    pub mps: usize,
    /// Max_Read_Request_Size programmed by `enumerate`.
    pub mrrs: usize,
    /// Completions of different tags may overtake each other, and latency varies up to twice `rtt_cycles`.
    pub reorder: bool,
    /// Completions are cut at random boundaries instead of the largest ones.
    pub split: bool,
    /// Reads which the root complex works on at a time (its non-posted credits); 0 is without limit.
    pub reads_in_flight: usize,
    /// What the host has for writes of the device.
    pub posted: Posted,
    /// Cycles which the device runs between two looks at its edge.
    pub step_cycles: u64,
    /// How long a request of ours may stay without completion.
    pub completion_timeout: u64,
    /// All random choices come from it.
    pub seed: u64,
}

impl LinkModel {
    /// No latency, no split: for guests, where host time counts.
    pub fn fast() -> LinkModel {
        LinkModel {
            rtt_cycles: 0,
            rate: 0,
            rcb: 64,
            mps: 256,
            mrrs: 512,
            reorder: false,
            split: false,
            reads_in_flight: 0,
            posted: Posted::default(),
            step_cycles: 16,
            completion_timeout: 100_000,
            seed: 0,
        }
    }

    /// Everything a root complex is allowed to do to us, drawn from `seed`.
    pub fn random(seed: u64) -> LinkModel {
        LinkModel {
            rtt_cycles: 40,
            rate: 32_000,
            reorder: true,
            split: true,
            reads_in_flight: 32,
            step_cycles: 4,
            seed,
            ..LinkModel::fast()
        }
    }

    /// A Gen3 x16 host at 250 MHz, 800 ns away.
    pub fn gen3_x16() -> LinkModel {
        Slot::default().link(0)
    }
}

impl Default for LinkModel {
    fn default() -> LinkModel {
        LinkModel::fast()
    }
}
