//! The words of the command line.

use clap::{Args, Parser, Subcommand};
use hematite_host::Address;
use hematite_host::feature::FeatureSet;

/// Looks at virtio-net PCI functions, sets them up, hands them on
///
/// Exit codes: 0 fine, 1 a finding, 2 wrong words, 3 the device or the way to it failed. Nothing is changed unless a verb's
/// name says so.
#[derive(Debug, Parser)]
#[command(name = "hematite", version, max_term_width = 100)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
    /// The function: a PCI address (0000:00:01.0), or vfio-user:PATH; without, the only virtio network function there is
    #[arg(long, global = true, value_name = "DEVICE")]
    pub device: Option<Address>,
    /// Print JSON, as host/schema.json describes it
    #[arg(long, global = true)]
    pub json: bool,
}

/// All verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// All virtio PCI functions of this machine, or the one named
    List,
    /// What a function is: ids, capabilities, structures, link, parameters
    Show,
    /// Feature bits: offered, accepted, and the difference
    Features(Features),
    /// Each queue: enabled, size, vector, areas, indices, in flight, error
    Queues,
    /// The network device's configuration: address, link, MTU, speed, hash types
    Config,
    /// What the function has counted
    Counters,
    /// Whether something is wrong, and why
    Health,
    /// A queue's ring and chains, as a bound driver has them in memory; indirect tables are followed
    Descs(Descs),
    /// A verdict per clause of the specification
    Validate(Validate),
}

/// Words of `features`.
#[derive(Debug, Args)]
pub struct Features {
    /// Explain these bits (0x..., or numbers with commas) and look at no device
    #[arg(long, value_name = "BITS")]
    pub decode: Option<FeatureSet>,
    /// Beside a driver, move its feature selectors for a moment, and put them back: all offered bits are seen then
    #[arg(long, conflicts_with = "decode")]
    pub select: bool,
}

/// Words of `descs`.
#[derive(Debug, Args)]
pub struct Descs {
    /// Which queue, as `hematite queues` numbers them
    pub queue: u16,
}

/// Words of `validate`.
#[derive(Debug, Args)]
pub struct Validate {
    /// Set the function up and try it out: it must be ours (vfio-pci, or vfio-user), and is reset
    #[arg(long)]
    pub active: bool,
    /// Frames that go round, if the wire is a mirror
    #[arg(long, default_value_t = 1000, requires = "active")]
    pub frames: u32,
    /// Memory in huge pages
    #[arg(long, requires = "active")]
    pub huge_pages: bool,
}
