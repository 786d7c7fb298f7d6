//! What `hematite-sim bench` is asked for.

use super::negotiate::Limits;
use crate::root::slot::Traffic;
use crate::root::{LinkModel, Posted, Slot};
use clap::Parser;
use hematite_abi::feature;
use std::path::PathBuf;

/// Which way frames go, seen from the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Tx,
    Rx,
    Both,
}

/// One direction, or all three cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Directions {
    Tx,
    Rx,
    Both,
    All,
}

/// When the driver wants to be interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Interrupts {
    /// Not while it polls; it polls from an interrupt until it finds nothing, as Linux does
    Napi,
    /// At all times
    Always,
    /// Never: it polls at all times
    Never,
}

/// How doorbells and interrupts are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Suppression {
    /// Both sides say where they want the next (EVENT_IDX)
    Events,
    /// A flag each; there is a doorbell for each batch
    Flags,
}

/// How queues stand in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Rings {
    Split,
    Packed,
}

impl Rings {
    /// The word of the command line and of the report.
    pub fn name(self) -> &'static str {
        match self {
            Rings::Split => "split",
            Rings::Packed => "packed",
        }
    }
}

impl Direction {
    pub(super) fn traffic(self) -> Traffic {
        Traffic { tx: self != Direction::Rx, rx: self != Direction::Tx }
    }

    /// The word of the command line and of the report.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Tx => "tx",
            Direction::Rx => "rx",
            Direction::Both => "both",
        }
    }
}

/// Cycles, throughput and latency of the RTL behind a PCIe link, with a driver in the process and traffic at the wire.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The function's parameter set
    #[arg(long, default_value = "MAX")]
    pub params: String,
    /// Bytes of a frame with its check sequence [default: those of 64,128,256,512,1024,1518,9000 which the set carries]
    #[arg(long, value_delimiter = ',')]
    pub sizes: Vec<usize>,
    /// Which way frames go: tx leaves the device
    #[arg(long, value_enum, default_value = "all")]
    pub direction: Directions,
    /// How queues stand in memory
    #[arg(long, value_enum, default_value = "split")]
    pub ring: Rings,
    /// How doorbells and interrupts are held back [default: events, as Linux does, if the function offers EVENT_IDX]
    #[arg(long, value_enum)]
    pub suppression: Option<Suppression>,
    /// Doorbells say how far the ring is (NOTIFICATION_DATA)
    #[arg(long)]
    pub notification_data: bool,
    /// Queue pairs in use
    #[arg(long, value_delimiter = ',', default_value = "1")]
    pub queues: Vec<u16>,
    /// Frames for one doorbell
    #[arg(long, default_value_t = 16)]
    pub batch: u16,
    /// Entries of a ring; the device's maximum limits it. By default 16384 over all queues, 64 to 1024 each
    #[arg(long)]
    pub queue_size: Option<u16>,
    /// Frames measured in each case; a quarter more goes before. By default 8192, fewer of long ones
    #[arg(long)]
    pub frames: Option<u64>,
    /// PCIe generation
    #[arg(long = "gen", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=5))]
    pub generation: u32,
    /// PCIe lanes
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=32))]
    pub lanes: u32,
    /// The device's clock
    #[arg(long, default_value_t = 250.0)]
    pub clock_mhz: f64,
    /// Max_Payload_Size
    #[arg(long, default_value_t = 256)]
    pub mps: usize,
    /// Max_Read_Request_Size
    #[arg(long, default_value_t = 512)]
    pub mrrs: usize,
    /// Round-trip time of a read
    #[arg(long, default_value_t = 800.0)]
    pub rtt_ns: f64,
    /// Read Completion Boundary
    #[arg(long, default_value_t = 64)]
    pub rcb: usize,
    /// Reads which the host takes on at a time; 0 is without limit
    #[arg(long, default_value_t = 0)]
    pub credits: usize,
    /// Writes for which the host has room: headers, and units of 16 bytes of their data; 0 is without limit
    #[arg(long, value_name = "HEADERS,DATA", default_value = "0,0", value_parser = read_credits)]
    pub posted_credits: (u64, u64),
    /// Cycles in which the host takes a write and returns its credits
    #[arg(long, default_value_t = 100)]
    pub posted_cycles: u64,
    /// Reads overtake each other, and take half to twice the round-trip time
    #[arg(long)]
    pub reorder: bool,
    /// When the driver wants interrupts
    #[arg(long, value_enum, default_value = "napi")]
    pub interrupts: Interrupts,
    /// Cycles between two looks of the driver
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..))]
    pub poll_cycles: u64,
    /// Frames at most between the wire and the driver when it receives. By default half as many as there are receive buffers
    #[arg(long)]
    pub window: Option<u64>,
    /// Frames from the wire at this rate, lost or not, instead of as the device takes them
    #[arg(long)]
    pub offer_mpps: Option<f64>,
    /// Measure latency too: an idle device, one frame
    #[arg(long)]
    pub latency: bool,
    /// Seeds everything random, decimal or 0x hexadecimal
    #[arg(long, default_value = "0", value_parser = read_seed)]
    pub seed: u64,
    /// Log every TLP and frame of the last case
    #[arg(long)]
    pub tlp_log: Option<PathBuf>,
    /// Record a waveform (FST) of the last case
    #[arg(long)]
    pub trace: Option<PathBuf>,
    /// Print JSON instead of the table
    #[arg(long)]
    pub json: bool,
    /// Draw throughput against frame size
    #[arg(long)]
    pub svg: Option<PathBuf>,
}

fn read_seed(text: &str) -> Result<u64, String> {
    crate::seed::parse(text)
        .ok_or_else(|| format!("{text:?} is neither a decimal nor a 0x hexadecimal number"))
}

fn read_credits(text: &str) -> Result<(u64, u64), String> {
    let parts =
        text.split_once(',').and_then(|(headers, data)| Some((headers.parse().ok()?, data.parse().ok()?)));
    parts.ok_or_else(|| format!("{text:?} is not HEADERS,DATA"))
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    pub size: usize,
    pub direction: Direction,
    pub queues: u16,
}

/// Sizes which everyone measures. The first is Ethernet's shortest.
const SIZES: [usize; 7] = [64, 128, 256, 512, 1024, 1518, 9000];
/// Bytes of frames in a case by default, unless those are too many or too few frames.
const CASE_BYTES: u64 = 8 << 20;
const CASE_FRAMES: (u64, u64) = (1024, 8192);
/// Entries of all rings by default, and of one.
const ENTRIES: u16 = 16384;
const RING: (u16, u16) = (64, 1024);

/// The options as a command line of their own.
#[derive(clap::Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(flatten)]
    options: Options,
}

impl Options {
    /// The options of a command line: all have defaults.
    pub fn parse(line: &str) -> Result<Options, clap::Error> {
        Ok(Line::try_parse_from(line.split_whitespace())?.options)
    }

    pub(super) fn slot(&self) -> Slot {
        Slot {
            generation: self.generation,
            lanes: self.lanes,
            clock_mhz: self.clock_mhz,
            mps: self.mps,
            mrrs: self.mrrs,
            rcb: self.rcb,
            rtt_ns: self.rtt_ns,
            credits: self.credits,
            packed: self.ring == Rings::Packed,
        }
    }

    /// Doorbells and interrupts come where they are wanted, if the function can.
    pub(super) fn events(&self) -> bool {
        self.suppression != Some(Suppression::Flags)
    }

    /// Bits of the features that the options ask for, and which option does.
    pub(super) fn wanted(&self) -> impl Iterator<Item = (usize, &'static str)> {
        let wanted = [
            (self.ring == Rings::Packed, feature::RING_PACKED, "--ring packed"),
            (self.suppression == Some(Suppression::Events), feature::EVENT_IDX, "--suppression events"),
            (self.notification_data, feature::NOTIFICATION_DATA, "--notification-data"),
        ];
        wanted.into_iter().filter(|one| one.0).map(|(_, bit, option)| (bit, option))
    }

    pub(super) fn posted(&self) -> Posted {
        let (headers, data) = self.posted_credits;
        Posted { headers, data, cycles: self.posted_cycles }
    }

    pub(super) fn link(&self) -> LinkModel {
        LinkModel { reorder: self.reorder, posted: self.posted(), ..self.slot().link(self.seed) }
    }

    pub(super) fn frames_of(&self, size: usize) -> u64 {
        self.frames.unwrap_or((CASE_BYTES / size as u64).clamp(CASE_FRAMES.0, CASE_FRAMES.1))
    }

    pub(super) fn ring_of(&self, queues: u16) -> u16 {
        self.queue_size.unwrap_or((ENTRIES / queues.max(1)).clamp(RING.0, RING.1))
    }

    /// What is wrong with the options on their own.
    pub(super) fn check(&self) -> Result<(), String> {
        let power = |name: &str, value: usize, low: usize, high: usize| match value {
            value if value.is_power_of_two() && (low..=high).contains(&value) => Ok(()),
            _ => Err(format!("--{name} {value}: it is a power of two from {low} to {high}")),
        };
        power("mps", self.mps, 128, 4096)?;
        power("mrrs", self.mrrs, 128, 4096)?;
        power("rcb", self.rcb, 64, 128)?;
        self.posted().check(self.mps).map_err(|error| format!("--posted-credits: {error}"))?;
        if let Some(size) = self.queue_size {
            power("queue-size", size.into(), 2, 32768)?;
        }
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let time = |value: f64| value.is_finite() && value >= 0.0;
        if !positive(self.clock_mhz) || !time(self.rtt_ns) {
            return Err(format!("--clock-mhz {}, --rtt-ns {}: no such time", self.clock_mhz, self.rtt_ns));
        }
        if self.offer_mpps.is_some_and(|rate| !positive(rate)) {
            return Err("--offer-mpps: more than nothing".into());
        }
        if self.frames == Some(0) || self.window == Some(0) {
            return Err("--frames, --window: at least one".into());
        }
        Ok(())
    }

    /// The cases, or what of them the function cannot do.
    pub(super) fn cases(&self, limits: &Limits) -> Result<Vec<Selection>, String> {
        let (set, most) = (&self.params, limits.frame_bytes);
        let mut sizes = self.sizes.clone();
        if sizes.is_empty() {
            sizes = SIZES.into_iter().filter(|size| *size <= most).collect();
        }
        if let Some(size) = sizes.iter().find(|size| !(SIZES[0]..=most).contains(*size)) {
            return Err(format!("--sizes {size}: {set} carries {} to {most}", SIZES[0]));
        }
        for queues in &self.queues {
            let ring = self.ring_of(*queues).min(limits.ring_entries);
            if self.batch == 0 || self.batch > ring {
                return Err(format!("--batch {}: from 1 to the ring's {ring}", self.batch));
            }
            if *queues == 0 || *queues > limits.pairs {
                return Err(format!("--queues {queues}: {set} has 1 to {}", limits.pairs));
            }
        }
        let directions: &[Direction] = match self.direction {
            Directions::Tx => &[Direction::Tx],
            Directions::Rx => &[Direction::Rx],
            Directions::Both => &[Direction::Both],
            Directions::All => &[Direction::Tx, Direction::Rx, Direction::Both],
        };
        let mut cases = vec![];
        for queues in &self.queues {
            for size in &sizes {
                let case = |&direction: &Direction| Selection { size: *size, direction, queues: *queues };
                cases.extend(directions.iter().map(case));
            }
        }
        Ok(cases)
    }
}
