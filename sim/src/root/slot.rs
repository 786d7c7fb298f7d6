//! A slot of a host as its data sheet names it: what a link moves in a cycle, and how many frames it can carry at most.
//! Spec: [PCIe base: Physical Layer Logical Block, encoding]; [virtio 1.4: Split Virtqueues]

use super::link::LinkModel;

/// The slot, and the clock of the device in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// PCIe generation, 1 to 5.
    pub generation: u32,
    pub lanes: u32,
    /// The device's clock.
    pub clock_mhz: f64,
    /// Max_Payload_Size, and the largest completion.
    pub mps: usize,
    /// Max_Read_Request_Size.
    pub mrrs: usize,
    /// Read Completion Boundary.
    pub rcb: usize,
    /// From a read request's leaving the device to its data.
    pub rtt_ns: f64,
    /// Reads which the host takes on at a time (its non-posted credits); 0 is without limit.
    pub credits: usize,
    /// Rings are packed.
    pub packed: bool,
}

impl Default for Slot {
    fn default() -> Slot {
        Slot {
            generation: 3,
            lanes: 16,
            clock_mhz: 250.0,
            mps: 256,
            mrrs: 512,
            rcb: 64,
            rtt_ns: 800.0,
            credits: 0,
            packed: false,
        }
    }
}

/// Which way frames go, seen from the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    pub tx: bool,
    pub rx: bool,
}

/// Bytes of the link which one batch of frames takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// From the device.
    pub up: u64,
    /// To the device.
    pub down: u64,
}

/// Bytes beside the data, on the link: framing, header, LCRC. DESIGN 10.
const WRITE: u64 = 24;
const READ: u64 = 24;
const COMPLETION: u64 = 20;
/// An index, a doorbell and a message go as a double word.
const WORD: u64 = 4;
const DESCRIPTOR: u64 = 16;
const HEAD: u64 = 2;
const ELEMENT: u64 = 8;
/// What stands before a frame in memory: virtio_net_hdr.
const HEADER: u64 = 12;
/// A frame's check sequence, which is no part of it in memory.
const FCS: u64 = 4;
/// What acknowledgements, credits and skips leave of the link for TLPs, in thousandths.
const SHARE: u64 = 902;

impl Slot {
    /// Thousandths of a byte which TLPs move each way in one cycle of the device.
    ///
    /// Lanes times transfer rate, less the line code (8b/10b, then 128b/130b), less [`SHARE`]: with it the four figures of
    /// DESIGN 10 come out to their last digit (14.21 GB/s for Gen3 x16).
    pub fn rate(&self) -> u64 {
        let (giga_transfers, code) = match self.generation {
            1 => (2.5, 0.8),
            2 => (5.0, 0.8),
            generation => (f64::from(1 << generation), 128.0 / 130.0),
        };
        let bytes_per_us = giga_transfers * 1000.0 * code * f64::from(self.lanes) / 8.0;
        (bytes_per_us / self.clock_mhz * SHARE as f64).round() as u64
    }

    /// Round-trip time in cycles.
    pub fn rtt_cycles(&self) -> u64 {
        (self.rtt_ns * self.clock_mhz / 1000.0).round() as u64
    }

    /// The link model of this slot.
    pub fn link(&self, seed: u64) -> LinkModel {
        LinkModel {
            rtt_cycles: self.rtt_cycles(),
            rate: self.rate(),
            rcb: self.rcb,
            mps: self.mps,
            mrrs: self.mrrs,
            reads_in_flight: self.credits,
            step_cycles: 1,
            seed,
            ..LinkModel::fast()
        }
    }

    /// What a batch of `batch` frames of `size` bytes (with FCS) costs, one buffer each. On a split ring:
    ///
    /// Transmission: a doorbell comes; the index, the heads and the descriptors are read; each frame with its header is
    /// read; then elements, index and one message are written. Reception is the same, but frames are written. Reads are
    /// cut at MRRS, writes and completions at MPS; buffers are aligned; nothing is read or written twice. On a packed ring
    /// descriptors are read, and written when they are used, and nothing else.
    pub fn load(&self, traffic: Traffic, size: usize, batch: u64) -> Load {
        let (mps, mrrs) = (self.mps as u64, self.mrrs as u64);
        let packet = size as u64 - FCS + HEADER;
        let write = |bytes: u64| bytes + WRITE * bytes.div_ceil(mps);
        let reads = |bytes: u64| READ * bytes.div_ceil(mrrs);
        let data = |bytes: u64| bytes + COMPLETION * bytes.div_ceil(mps);
        let packed = Load {
            up: reads(batch * DESCRIPTOR) + write(batch * DESCRIPTOR) + write(WORD),
            down: write(WORD) + data(batch * DESCRIPTOR),
        };
        let split = Load {
            up: reads(WORD)
                + reads(batch * HEAD)
                + reads(batch * DESCRIPTOR)
                + write(batch * ELEMENT)
                + 2 * write(WORD),
            down: write(WORD) + data(WORD) + data(batch * HEAD) + data(batch * DESCRIPTOR),
        };
        let rings = if self.packed { packed } else { split };
        let mut load = Load::default();
        if traffic.tx {
            load.up += rings.up + batch * reads(packet);
            load.down += rings.down + batch * data(packet);
        }
        if traffic.rx {
            load.up += rings.up + batch * write(packet);
            load.down += rings.down;
        }
        load
    }

    /// Cycles for a frame, each way if both ways, when the link is full in its fuller direction.
    pub fn cycles_per_packet(&self, traffic: Traffic, size: usize, batch: u64) -> f64 {
        let load = self.load(traffic, size, batch);
        load.up.max(load.down) as f64 * 1000.0 / (self.rate() * batch) as f64
    }

    /// The same as millions of packets in a second.
    pub fn mpps(&self, traffic: Traffic, size: usize, batch: u64) -> f64 {
        self.clock_mhz / self.cycles_per_packet(traffic, size, batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TX: Traffic = Traffic { tx: true, rx: false };
    const RX: Traffic = Traffic { tx: false, rx: true };
    const BOTH: Traffic = Traffic { tx: true, rx: true };

    #[test]
    fn the_figures_of_the_design() {
        let gen3 = Slot::default();
        let gen4 = Slot { generation: 4, ..Slot::default() };
        let text = |slot: &Slot, traffic, size| format!("{:.4}", slot.mpps(traffic, size, 16));
        let near = |slot: &Slot, traffic, size, figure: f64, digit: f64| {
            let off = (slot.mpps(traffic, size, 16) - figure).abs();
            assert!(off <= digit, "{} instead of {figure}", text(slot, traffic, size));
        };
        for (slot, times) in [(&gen3, 1.0), (&gen4, 2.0)] {
            near(slot, TX, 64, times * 122.8, times * 0.05);
            near(slot, RX, 64, times * 125.2, times * 0.05);
            near(slot, BOTH, 64, times * 91.7, times * 0.05);
            near(slot, BOTH, 1518, times * 8.0, times * 0.005);
        }
    }

    #[test]
    fn the_fuller_direction_counts() {
        let slot = Slot::default();
        assert_eq!(slot.load(TX, 64, 16), Load { up: 664, down: 1852 });
        assert_eq!(slot.load(RX, 64, 16), Load { up: 1816, down: 380 });
        let small = Slot { mps: 128, ..Slot::default() };
        assert!(small.mpps(RX, 1518, 16) < slot.mpps(RX, 1518, 16));
    }

    #[test]
    fn the_round_trip_in_cycles() {
        assert_eq!(Slot::default().rtt_cycles(), 200);
        assert_eq!(Slot::default().rate(), 56_840);
    }
}
