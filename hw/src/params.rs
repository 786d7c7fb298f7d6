//! Named parameter sets. Each sets every field.

use hematite_abi::{feature, net};

/// What may differ between two builds of the function. The width of a beat is a const generic beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    pub name: &'static str,
    /// Bits of a TLP or frame beat: 64, 128, 256 or 512.
    pub width: usize,
    /// Receive and transmit queue pairs: a power of two, 1 to 64.
    pub pairs: usize,
    /// Largest queue size, entries: a power of two, 8 to 32768.
    pub queue_max: usize,
    /// DMA reads in flight: a power of two, 8 to 256.
    pub tags: usize,
    /// Bytes of reply buffer for each: the largest read request. A power of two, 128 to 4096.
    pub read_bytes: usize,
    /// Largest write, bytes. A power of two, 128 to 4096.
    pub payload_bytes: usize,
    /// Receive descriptors kept ready per queue: a power of two, 4 to 256.
    pub ready_heads: usize,
    /// Largest frame, bytes, without FCS.
    pub frame_bytes: usize,
    /// Of the port, Mbit/s: what SPEED_DUPLEX tells the driver.
    pub speed_mbps: u32,
    /// Bytes of frame buffer each way: a power of two, at least two frames.
    pub buffer_bytes: usize,
    /// Clock cycles after which a DMA read without an answer has failed: a power of two.
    pub timeout_cycles: usize,
    /// Cycles of a microsecond, at most 1,024: what coalescing counts time by.
    pub clock_mhz: usize,
    /// What is offered: `hematite_abi::feature`, a bit each.
    pub features: u128,
    /// The address with which the device starts.
    pub mac: [u8; 6],
}

impl Params {
    /// For small FPGAs: one pair, 64 bits.
    pub const TINY: Params = Params {
        name: "TINY",
        width: 64,
        pairs: 1,
        queue_max: 256,
        tags: 16,
        read_bytes: 256,
        payload_bytes: 256,
        ready_heads: 16,
        frame_bytes: 1518,
        speed_mbps: 1_000,
        buffer_bytes: 4096,
        timeout_cycles: 1 << 20,
        clock_mhz: 125,
        features: feature::SMALL,
        mac: [0x02, 0x68, 0x65, 0x6d, 0x00, 0x01],
    };
    /// The bench's default.
    pub const SIM: Params = Params {
        name: "SIM",
        width: 256,
        pairs: 4,
        tags: 32,
        read_bytes: 512,
        ready_heads: 32,
        speed_mbps: 10_000,
        clock_mhz: 250,
        features: feature::OFFERED,
        buffer_bytes: 16384,
        ..Params::TINY
    };
    /// A PCIe card with a x4 or x8 link.
    pub const BOARD: Params = Params { name: "BOARD", width: 128, pairs: 2, ..Params::SIM };
    /// As wide as it goes.
    pub const MAX: Params = Params {
        name: "MAX",
        width: 512,
        pairs: 64,
        queue_max: 1024,
        tags: 256,
        read_bytes: 512,
        payload_bytes: 512,
        ready_heads: 256,
        features: feature::OFFERED,
        frame_bytes: 9216,
        speed_mbps: 100_000,
        clock_mhz: 250,
        buffer_bytes: 65536,
        ..Params::TINY
    };
    /// All of them.
    pub const ALL: [Params; 4] = [Params::TINY, Params::SIM, Params::BOARD, Params::MAX];

    /// The set of this name, or what names there are.
    pub fn named(name: &str) -> Result<Params, String> {
        Params::ALL.into_iter().find(|p| p.name == name).ok_or_else(|| {
            let names: Vec<_> = Params::ALL.iter().map(|p| p.name).collect();
            format!("no parameter set {name}: there are {}", names.join(", "))
        })
    }

    /// Whether this feature bit (`hematite_abi::feature`) is offered.
    pub const fn offers(&self, bit: usize) -> bool {
        self.features >> bit & 1 == 1
    }

    /// Receive descriptors fetched at once, at least: so many of those kept ready may be missing.
    pub const fn heads_batch(&self) -> usize {
        if self.width == 64 { 1 } else { self.ready_heads / 8 }
    }

    /// Packets may be longer than frames: they are segmented.
    pub const fn segments(&self) -> bool {
        self.offers(feature::HOST_TSO4) | self.offers(feature::HOST_TSO6) | self.offers(feature::HOST_USO)
    }

    /// A function of this width has room for short ways: a narrow one is a small one, on a slow link.
    pub const fn wide(width: usize) -> bool {
        width > 64
    }

    /// Several pairs may be in use: the pair of each frame is found, and each is counted.
    pub const fn steers(&self) -> bool {
        self.offers(feature::MQ) | self.offers(feature::RSS)
    }

    /// Bytes of the longest header there may be before a packet.
    pub const fn header_bytes(&self) -> usize {
        if self.offers(feature::HASH_REPORT) { net::HDR_HASH_BYTES } else { net::HDR_BYTES }
    }

    /// Bits that a chain's name takes: with packed rings, whatever the driver calls it.
    pub const fn name_mask(&self) -> usize {
        if self.offers(feature::RING_PACKED) { u16::MAX as usize } else { self.queue_max - 1 }
    }

    /// Bits that the number of a chain's descriptors takes, where it is told: in packed rings.
    pub const fn slots_mask(&self) -> usize {
        if self.offers(feature::RING_PACKED) { 2 * self.queue_max - 1 } else { 0 }
    }

    /// Bits that tell who sends a frame, where it is counted: its queue, and the device resets it came behind.
    pub const fn owner_mask(&self) -> usize {
        if self.offers(feature::DEVICE_STATS) { (self.queues() - 1) | 3 << 14 } else { 0 }
    }

    /// Bits that bytes of a frame with its header take, and one more than the most.
    pub const fn placed_mask(&self) -> usize {
        (self.frame_bytes + self.header_bytes() + 1).next_power_of_two() - 1
    }

    /// Frames a buffer holds at most: a power of two.
    pub const fn frames_held(&self) -> usize {
        if self.buffer_bytes < 64 * 64 { self.buffer_bytes / 64 } else { 64 }
    }

    /// Queues of both directions.
    pub const fn queues(&self) -> usize {
        2 * self.pairs
    }

    /// Queues of any kind: the control queue is behind the others, whatever number the driver gives it.
    pub const fn numbers(&self) -> usize {
        self.queues() + self.offers(feature::CTRL_VQ) as usize
    }

    /// Bits that a queue's number takes.
    pub const fn number_mask(&self) -> usize {
        self.numbers().next_power_of_two() - 1
    }

    /// MSI-X vectors: one per queue, one for configuration changes.
    pub const fn vectors(&self) -> usize {
        self.numbers() + 1
    }

    /// Every field in its range, or which is not.
    pub fn check(&self) -> Result<(), String> {
        let power = |field: &str, value: usize, low: usize, high: usize| {
            if value.is_power_of_two() && (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("{}: {field} {value}: must be a power of two from {low} to {high}", self.name))
            }
        };
        power("width", self.width, 64, 512)?;
        power("pairs", self.pairs, 1, 64)?;
        power("queue_max", self.queue_max, 8, 32768)?;
        power("tags", self.tags, 8, 256)?;
        power("read_bytes", self.read_bytes, 128, 4096)?;
        power("payload_bytes", self.payload_bytes, 128, 4096)?;
        power("ready_heads", self.ready_heads, 4, 256)?;
        power("buffer_bytes", self.buffer_bytes, 2048, 1 << 18)?;
        power("timeout_cycles", self.timeout_cycles, 1 << 10, 1 << 28)?;
        if !(1514..=9216).contains(&self.frame_bytes) || 2 * self.frame_bytes > self.buffer_bytes {
            return Err(format!(
                "{}: frame_bytes {}: must be from 1514 to 9216 and at most half of buffer_bytes {}",
                self.name, self.frame_bytes, self.buffer_bytes
            ));
        }
        let told = self.offers(feature::GUEST_CSUM) || self.offers(feature::HASH_REPORT);
        if told && !self.steers() {
            return Err(format!(
                "{}: GUEST_CSUM or HASH_REPORT without MQ or RSS: frames are not counted",
                self.name
            ));
        }
        if self.offers(feature::DEVICE_STATS) && !(self.steers() && self.offers(feature::CSUM)) {
            return Err(format!(
                "{}: DEVICE_STATS without CSUM and one of MQ and RSS: frames are not counted",
                self.name
            ));
        }
        if self.offers(feature::HASH_REPORT) && self.width < 128 {
            return Err(format!("{}: HASH_REPORT at width {}: must be 128 or more", self.name, self.width));
        }
        if !(1..=1024).contains(&self.clock_mhz) {
            return Err(format!("{}: clock_mhz {}: must be from 1 to 1024", self.name, self.clock_mhz));
        }
        if self.mac[0] & 1 != 0 {
            return Err(format!("{}: mac {:02x?}: must be a unicast address", self.name, self.mac));
        }
        Ok(())
    }
}
