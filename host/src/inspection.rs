//! The inspection region of our functions: what it is, what each queue does, what was counted. Reading it changes nothing, beside
//! any driver. Spec: `hematite_abi::ident`

use hematite_abi::{Value, config, ident};
use serde::Serialize;

use crate::bus::{Bar, Bus, Width, config_number, inside};
use crate::error::Result;
use crate::finding::{Finding, clause};
use crate::pci::chain::Chain;

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    bar: Bar,
    offset: u64,
    length: u64,
    /// The version of its layout.
    pub version: u32,
}

/// What the function is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parameters {
    /// Version of this region's layout.
    pub abi_version: u32,
    /// The hash of the source it was made from.
    pub source_hash: String,
    /// Bits of a beat.
    pub width: u32,
    /// Queue pairs.
    pub pairs: u32,
    /// Queues.
    pub queues: u32,
    /// Largest queue size.
    pub queue_max: u32,
    /// DMA reads in flight.
    pub tags: u32,
    /// MSI-X vectors.
    pub vectors: u32,
    /// Largest read request, bytes.
    pub read_bytes: u32,
    /// Largest write, bytes.
    pub payload_bytes: u32,
    /// Largest frame, bytes.
    pub frame_bytes: u32,
    /// Cycles after which a read has failed.
    pub timeout_cycles: u32,
}

/// An error as the function latches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Its number.
    pub code: u32,
    /// Its name; none: it is of a newer function.
    pub name: Option<&'static str>,
    /// In words.
    pub text: &'static str,
    /// The queue it happened on.
    pub queue: Option<u32>,
}

/// One queue, as the function sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueState {
    /// The driver has enabled it.
    pub enabled: bool,
    /// Entries.
    pub size: u32,
    /// MSI-X vector.
    pub vector: u32,
    /// The error that stopped it.
    pub error: Option<Cause>,
    /// Descriptor area.
    pub descriptors: u64,
    /// Driver area.
    pub driver: u64,
    /// Device area.
    pub device: u64,
    /// `avail.idx` as last read.
    pub available_seen: u32,
    /// Entries taken.
    pub available_taken: u32,
    /// `used.idx` as last published.
    pub used: u32,
    /// Taken and not yet used.
    pub in_flight: u32,
}

/// One counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counter {
    /// Its number.
    pub number: usize,
    /// Its name, in small letters; none: it is of a newer function.
    pub name: Option<String>,
    /// What it counts.
    pub about: &'static str,
    /// How much.
    pub value: u64,
}

/// No more queues or counters are believed in.
const QUEUES: u32 = ((ident::LENGTH - ident::QUEUES_OFFSET) / ident::QUEUE_STATE_BYTES) as u32;
const COUNTERS: u32 = ((ident::QUEUES_OFFSET - ident::COUNTERS_OFFSET) / 4) as u32;
/// Words of the vendor-specific capability behind its two heads.
const VSEC_BAR: usize = 8;
const VSEC_OFFSET: usize = 12;
const VSEC_LENGTH: usize = 16;
const VSEC_MAGIC: usize = 20;

/// What a latched error is called; none for 0.
fn cause(code: u32, queue: Option<u32>) -> Option<Cause> {
    if u64::from(code) == ident::ERROR_NONE {
        return None;
    }
    let known: Option<&Value> = ident::ERRORS.iter().find(|error| error.value == u64::from(code));
    let text = known.map_or("an error that this program does not know", |error| error.doc);
    Some(Cause { code, name: known.map(|error| error.name), text, queue })
}

impl Inspection {
    /// Looks for the vendor-specific capability that leads there.
    pub fn find(bus: &mut dyn Bus, chain: &Chain, findings: &mut Vec<Finding>) -> Result<Option<Inspection>> {
        for at in chain.all(config::EXT_CAP_ID_VENDOR) {
            if at + ident::VSEC_BYTES > bus.config_bytes() {
                continue;
            }
            let head = u64::from(config_number(bus, at + 4, 4)?);
            if head & 0xffff != ident::VSEC_ID
                || u64::from(config_number(bus, at + VSEC_MAGIC, 4)?) != ident::MAGIC
            {
                continue;
            }
            let bar = config_number(bus, at + VSEC_BAR, 4)?;
            let offset = u64::from(config_number(bus, at + VSEC_OFFSET, 4)?);
            let length = u64::from(config_number(bus, at + VSEC_LENGTH, 4)?);
            let there =
                Bar::new(bar.into()).filter(|bar| inside(bar, bus.bar_bytes(*bar), offset, length).is_ok());
            match there {
                Some(bar) if length >= ident::LENGTH as u64 => {
                    let version = (head >> 16) as u32 & 0xf;
                    return Ok(Some(Inspection { bar, offset, length, version }));
                }
                _ => {
                    let text =
                        format!("{length:#x} bytes at {offset:#x} of BAR {bar}: not there, or too few");
                    findings.push(Finding::new(clause::INSPECTION, text));
                }
            }
        }
        Ok(None)
    }

    /// A DWORD of it.
    pub fn read(&self, bus: &mut dyn Bus, offset: usize) -> Result<u32> {
        inside("the inspection region", self.length, offset as u64, 4)?;
        bus.bar_read(self.bar, self.offset + offset as u64, Width::Word)
    }

    /// What the function is made of.
    pub fn parameters(&self, bus: &mut dyn Bus) -> Result<Parameters> {
        let mut word = |offset| self.read(bus, offset);
        let mut source_hash = String::new();
        for number in 0..ident::SOURCE_HASH_WORDS {
            let bytes = word(ident::SOURCE_HASH_0 + 4 * number)?.to_le_bytes();
            source_hash.extend(bytes.iter().map(|byte| format!("{byte:02x}")));
        }
        Ok(Parameters {
            abi_version: word(ident::IDENT_ABI_VERSION)?,
            source_hash,
            width: word(ident::PARAM_WIDTH)?,
            pairs: word(ident::PARAM_PAIRS)?,
            queues: word(ident::PARAM_QUEUES)?,
            queue_max: word(ident::PARAM_QUEUE_MAX)?,
            tags: word(ident::PARAM_TAGS)?,
            vectors: word(ident::PARAM_VECTORS)?,
            read_bytes: word(ident::PARAM_READ_BYTES)?,
            payload_bytes: word(ident::PARAM_PAYLOAD_BYTES)?,
            frame_bytes: word(ident::PARAM_FRAME_BYTES)?,
            timeout_cycles: word(ident::PARAM_TIMEOUT_CYCLES)?,
        })
    }

    /// Queues there are.
    pub fn queues(&self, bus: &mut dyn Bus) -> Result<u32> {
        Ok(self.read(bus, ident::PARAM_QUEUES)?.min(QUEUES))
    }

    /// The error that made the device ask for a reset.
    pub fn device_error(&self, bus: &mut dyn Bus) -> Result<Option<Cause>> {
        let queue = self.read(bus, ident::DEVICE_ERROR_QUEUE)?;
        Ok(cause(self.read(bus, ident::DEVICE_ERROR)?, Some(queue)))
    }

    /// Whether an engine holds work, and whether a reset is running.
    pub fn activity(&self, bus: &mut dyn Bus) -> Result<(bool, bool)> {
        let word = self.read(bus, ident::ACTIVITY)?;
        Ok((word & 1 != 0, word & 2 != 0))
    }

    /// One queue.
    pub fn queue(&self, bus: &mut dyn Bus, number: u32) -> Result<QueueState> {
        let block = ident::QUEUES_OFFSET + number as usize * ident::QUEUE_STATE_BYTES;
        let mut word = |field| self.read(bus, block + field);
        let mut long =
            |low, high| -> Result<u64> { Ok(u64::from(word(high)?) << 32 | u64::from(word(low)?)) };
        let descriptors = long(ident::QUEUE_DESC_LO, ident::QUEUE_DESC_HI)?;
        let driver = long(ident::QUEUE_DRIVER_LO, ident::QUEUE_DRIVER_HI)?;
        let device = long(ident::QUEUE_DEVICE_LO, ident::QUEUE_DEVICE_HI)?;
        Ok(QueueState {
            enabled: word(ident::QUEUE_ENABLED)? & 1 == 1,
            size: word(ident::QUEUE_SIZE)?,
            vector: word(ident::QUEUE_VECTOR)?,
            error: cause(word(ident::QUEUE_ERROR)?, Some(number)),
            descriptors,
            driver,
            device,
            available_seen: word(ident::QUEUE_AVAIL_SEEN)?,
            available_taken: word(ident::QUEUE_AVAIL_TAKEN)?,
            used: word(ident::QUEUE_USED_IDX)?,
            in_flight: word(ident::QUEUE_IN_FLIGHT)?,
        })
    }

    /// All counters; those of 64 bits joined, which are the pairs called `…_LO` and `…_HI`.
    pub fn counters(&self, bus: &mut dyn Bus) -> Result<Vec<Counter>> {
        let count = self.read(bus, ident::COUNTER_COUNT)?.min(COUNTERS) as usize;
        let mut counters = vec![];
        let mut number = 0;
        while number < count {
            let known = ident::COUNTERS.get(number);
            let mut value = u64::from(self.counter(bus, number)?);
            let mut name = known.map(|known| known.name.to_lowercase());
            let mut next = number + 1;
            if let Some(stem) = name.as_deref().and_then(|name| name.strip_suffix("_lo")) {
                let (stem, low) = (stem.to_string(), value as u32);
                value = self.joined(bus, number, low)?;
                name = Some(stem);
                next += 1;
            }
            counters.push(Counter { number, name, about: known.map_or("", |known| known.doc), value });
            number = next;
        }
        Ok(counters)
    }

    /// One counter.
    pub fn counter(&self, bus: &mut dyn Bus, number: usize) -> Result<u32> {
        self.read(bus, ident::COUNTERS_OFFSET + 4 * number)
    }

    /// Both halves of a counter: the low one is read again if the high one might have moved between.
    fn joined(&self, bus: &mut dyn Bus, number: usize, low: u32) -> Result<u64> {
        let high = self.counter(bus, number + 1)?;
        let again = self.counter(bus, number)?;
        let (low, high) = if again < low { (again, self.counter(bus, number + 1)?) } else { (low, high) };
        Ok(u64::from(high) << 32 | u64::from(low))
    }
}
