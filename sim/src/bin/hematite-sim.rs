//! The bench's command line: serve the simulated function to any VMM, print its Verilog, measure it.

use std::io::Write;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use hematite_sim::Device;
use hematite_sim::bench;
use hematite_sim::model::Model;
use hematite_sim::root::complex::Root;
use hematite_sim::root::link::LinkModel;
use hematite_sim::rtl::{self, Rtl};
use hematite_sim::seed;
use hematite_sim::vfio_user::dma::GuestMemory;
use hematite_sim::vfio_user::hide::Hidden;
use hematite_sim::vfio_user::regions::{Function, MsixMode};
use hematite_sim::vfio_user::server::{Options, Server};
use hematite_sim::wire::Wire;
use hematite_sim::wire::generate::Generator;
use hematite_sim::wire::loopback::Loopback;
use hematite_sim::wire::pcap::{PcapTap, PcapWriter, Replay};
use hematite_sim::wire::tap::Tap;
use hematite_sim::wire::vlans::Vlans;

/// The simulated Hematite virtio-net function.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the function over vfio-user; any VMM may attach, one at a time. SIGUSR1 takes the wire's link down, and up again
    Serve(Serve),
    /// Write the function's Verilog: one file, top module `hematite`
    Emit(Emit),
    /// Measure throughput and latency of the RTL with a driver in the process
    Bench(bench::Options),
}

#[derive(Args)]
struct Emit {
    /// The parameter set: TINY, SIM, BOARD or MAX
    #[arg(long, default_value = "SIM")]
    params: String,
    /// The folder to write to; it is made if need be
    #[arg(long)]
    out: PathBuf,
}

/// Which body the function has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Body {
    /// The hardware, run by Verilator
    Rtl,
    /// Plain untimed Rust
    Model,
}

/// How the root complex answers the function's reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Completions {
    /// At once and in order
    Fast,
    /// Split, delayed and reordered at random, from --seed
    Random,
    /// With the latency and bandwidth of a Gen3 x16 slot
    Gen3,
}

#[derive(Args)]
struct Serve {
    /// Where to listen: a Unix socket's path
    #[arg(long)]
    socket: PathBuf,
    /// The function's parameter set
    #[arg(long, default_value = "SIM")]
    params: String,
    /// The function's body
    #[arg(long, value_enum, default_value = "rtl")]
    device: Body,
    /// The far end: stack (a small network, 10.0.2.2), tap:NAME, pcap:FILE (played back), loop, or gen:frames=N,rate=N,
    /// bytes=N|mix,window=N (numbered frames, which are expected back)
    #[arg(long, default_value = "stack")]
    wire: String,
    /// How interrupts leave: as eventfds, or as memory writes of the function's own MSI-X table
    #[arg(long, value_enum, default_value = "eventfd")]
    msix: MsixMode,
    /// Feature bits which the function offers and the client does not get to see
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(..128))]
    hide_features: Vec<u32>,
    /// More of them: a file with their numbers, read anew whenever a driver resets the device
    #[arg(long)]
    hide: Option<PathBuf>,
    /// How the function's reads are answered
    #[arg(long, value_enum, default_value = "fast")]
    completions: Completions,
    /// Record a waveform (FST)
    #[arg(long)]
    trace: Option<PathBuf>,
    /// Log every TLP and frame, a line each
    #[arg(long)]
    tlp_log: Option<PathBuf>,
    /// Record the wire (pcap)
    #[arg(long)]
    pcap: Option<PathBuf>,
    /// Seeds everything random, decimal or 0x hexadecimal
    #[arg(long, default_value = "0", value_parser = read_seed)]
    seed: u64,
    /// Cycles which a busy function runs between two looks at the socket
    #[arg(long, default_value_t = Options::default().slice_cycles, value_parser = clap::value_parser!(u64).range(1..))]
    slice: u64,
    /// Say what the client does
    #[arg(long)]
    verbose: bool,
}

fn read_seed(text: &str) -> Result<u64, String> {
    seed::parse(text).ok_or_else(|| format!("{text:?} is neither a decimal nor a 0x hexadecimal number"))
}

fn device(serve: &Serve) -> Result<Box<dyn Device>> {
    match serve.device {
        Body::Rtl => {
            let mut rtl = Rtl::new(&serve.params).map_err(anyhow::Error::msg)?;
            if let Some(path) = &serve.trace {
                rtl.trace(path).map_err(anyhow::Error::msg)?;
            }
            Ok(Box::new(rtl))
        }
        Body::Model => {
            if let Some(path) = &serve.trace {
                bail!("--trace {}: the model has no signals; only an RTL body has", path.display());
            }
            // The model has one shape, that of SIM.
            if serve.params != "SIM" {
                bail!("--params {}: the model is of set SIM only", serve.params);
            }
            Ok(Box::new(Model::default()))
        }
    }
}

fn wire(serve: &Serve) -> Result<Box<dyn Wire>> {
    Ok(match serve.wire.split_once(':') {
        None if serve.wire == "stack" => Box::new(Vlans::new(serve.seed)),
        None if serve.wire == "loop" => Box::new(Loopback::new()),
        Some(("tap", name)) => Box::new(Tap::open(name)?),
        Some(("pcap", file)) => Box::new(Replay::open(file.as_ref())?),
        Some(("gen", words)) => Box::new(Generator::new(words).map_err(anyhow::Error::msg)?),
        _ => bail!("--wire {:?}: it is stack, loop, tap:NAME, pcap:FILE or gen:WORDS", serve.wire),
    })
}

fn serve(serve: &Serve) -> Result<()> {
    // Before anything else: a signal from here on waits for the loop, so that every file is closed properly.
    let descriptor = |signals: &[Signal]| {
        let signals = SigSet::from_iter(signals.iter().copied());
        signals.thread_block().with_context(|| format!("block {signals:?}"))?;
        SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .with_context(|| format!("make a descriptor of {signals:?}"))
    };
    let stop = descriptor(&[Signal::SIGTERM, Signal::SIGINT])?;
    let flips = descriptor(&[Signal::SIGUSR1])?;
    let link = match serve.completions {
        Completions::Fast => LinkModel { seed: serve.seed, ..LinkModel::fast() },
        Completions::Random => LinkModel::random(serve.seed),
        Completions::Gen3 => LinkModel { seed: serve.seed, ..LinkModel::gen3_x16() },
    };
    let mut root = Root::new(device(serve)?, GuestMemory::new(), link);
    if let Some(path) = &serve.tlp_log {
        let file =
            std::fs::File::create(path).with_context(|| format!("create the TLP log {}", path.display()))?;
        root.tap(Box::new(hematite_sim::log::TlpLog::new(file)));
    }
    if let Some(path) = &serve.pcap {
        root.tap(Box::new(PcapTap::new(PcapWriter::create(path)?)));
    }
    let mut function = Function::new(root, serve.msix).context("look at the function as a kernel would")?;
    function.hidden = Hidden::new(&serve.hide_features, serve.hide.as_deref());
    let options = Options { slice_cycles: serve.slice, verbose: serve.verbose };
    let mut server = Server::bind(&serve.socket, function, wire(serve)?, options)?;
    server.flip_link_by(flips);
    // Whoever started us waits for this line; if nobody does, that is no reason to end.
    let _ = writeln!(std::io::stdout(), "ready {}", serve.socket.display());
    server.run(stop.as_fd())?;
    match server.violations {
        0 => Ok(()),
        count => bail!(
            "the function broke {count} rules of its TLP port, see `monitor:` above; `--tlp-log` shows more"
        ),
    }
}

fn emit(emit: &Emit) -> Result<()> {
    let text = rtl::verilog(&emit.params).map_err(anyhow::Error::msg)?;
    std::fs::create_dir_all(&emit.out).with_context(|| format!("make the folder {}", emit.out.display()))?;
    let file = emit.out.join(format!("hematite_{}.v", emit.params.to_lowercase()));
    std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}

fn measure(options: &bench::Options) -> Result<()> {
    let mut start = Instant::now();
    let report = bench::run(options, |figures| {
        let case = &figures.case;
        let (size, way, pairs) = (case.frame_bytes, case.direction.name(), case.queue_pairs);
        // How long it took is for who waits, and no part of the report: that repeats.
        let speed = figures.simulated_cycles as f64 / start.elapsed().as_secs_f64();
        start = Instant::now();
        let per_packet = figures.cycles_per_packet;
        eprintln!(
            "{size} bytes, {way}, {pairs} pairs: {per_packet:.2} cycles per packet; {speed:.0} cycles/s simulated"
        );
    })?;
    if let Some(path) = &options.svg {
        std::fs::write(path, bench::svg(&report))
            .with_context(|| format!("write the picture {}", path.display()))?;
    }
    let text =
        if options.json { serde_json::to_string_pretty(&report)? + "\n" } else { bench::table(&report) };
    std::io::stdout().write_all(text.as_bytes()).context("print the report")?;
    if !report.clean() {
        bail!("not every frame came as it was, or a rule was broken:\n{}", report.findings().join("\n"));
    }
    Ok(())
}

fn main() -> ExitCode {
    let result = match &Cli::parse().command {
        Command::Serve(options) => serve(options),
        Command::Emit(options) => emit(options),
        Command::Bench(options) => measure(options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hematite-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}
