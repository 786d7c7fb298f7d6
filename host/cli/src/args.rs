//! The words of the command line.

pub mod board;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
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
    /// What two functions, or two reports that were saved with --json, say differently
    Diff(Diff),
    /// Look again and again: queues, counters and their rates; q ends it
    Watch(Watch),
    /// Give a function to vfio-pci, or to another driver; refuses what is in use
    Bind(Bind),
    /// Give it back to the kernel's own driver for it
    Unbind,
    /// Serve a vhost-user socket for QEMU or DPDK: their guest's rings become the function's, which must be ours; the guest can
    /// be stopped and migrated live, with shadowed rings and a log of pages written; ends by a signal
    VhostUser(VhostUser),
    /// vDPA devices: what makes them, which there are, one more, one less
    Vdpa(board::Vdpa),
    /// Program a board by the tool that its manifest names, and look at the function before and after
    Flash(board::Flash),
    /// Completions for a shell, to standard output
    Completions(Completions),
    /// The manual page, or a folder of pages for all verbs
    Man(Man),
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

/// Words of `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// A device, or a file with a report
    pub a: String,
    /// Another
    pub b: String,
}

/// Words of `watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// Seconds between two looks
    #[arg(long, default_value_t = 1.0)]
    pub interval: f64,
    /// End after so many looks; 0: never
    #[arg(long, default_value_t = 0)]
    pub count: u64,
}

/// Words of `bind`.
#[derive(Debug, Args)]
pub struct Bind {
    /// Which driver
    #[arg(long, default_value = "vfio-pci")]
    pub driver: String,
}

/// Words of `vhost-user`.
#[derive(Debug, Args)]
pub struct VhostUser {
    /// Where to listen
    #[arg(long, value_name = "PATH")]
    pub socket: PathBuf,
    /// End after so many front ends; 0: never
    #[arg(long, default_value_t = 0)]
    pub clients: u64,
}

/// Words of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell
    pub shell: Shell,
}

/// Words of `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// A folder for a page per verb; without, the main page goes to standard output
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
