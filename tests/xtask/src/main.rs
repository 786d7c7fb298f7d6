//! The workspace's own tasks: from a bare clone to a guest's ping over the RTL, and all checks. `cargo xtask --help`.

mod cache;
mod check;
mod cmd;
mod image;
mod place;
mod report;
mod say;
mod sum;
mod tidy;
mod tools;
mod vm;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::cache::Network;
use crate::image::Kernel;
use crate::vm::scenario::{self, Guest, Msix};

#[derive(Parser)]
#[command(about = "Hematite's tasks", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Boots an unmodified Debian guest on the function and shows its driver at work
    Demo {
        /// The guest's kernel
        #[arg(long, value_enum, default_value = "6.12")]
        kernel: Kernel,
        /// How interrupts leave the server
        #[arg(long, value_enum, default_value = "eventfd")]
        msix: Msix,
        #[command(flatten)]
        play: Play,
    },
    /// Plays a scenario of tests/guest by its name; without a name lists them
    Guest {
        name: Option<String>,
        #[command(flatten)]
        play: Play,
    },
    /// The whole test suite, as CI runs it
    Test {
        /// Leaves the guests out
        #[arg(long)]
        quick: bool,
        #[command(flatten)]
        play: Play,
    },
    /// The function's seeded tests, on every body and parameter set, with seed after seed; or a guest's whole work for hours
    Soak {
        /// The first seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many seeds
        #[arg(long, default_value_t = 100)]
        seeds: u64,
        /// Instead of that the scenario `soak` of tests/guest, again and again
        #[arg(long)]
        guests: bool,
        /// How long, with --guests
        #[arg(long, default_value_t = 60)]
        minutes: u64,
    },
    /// rustfmt and clippy, every warning an error
    Lint,
    /// Licences of all dependencies, and cargo-deny if it is installed
    Deny,
    /// Checks the workspace's own rules: floors, form, numbers, links, waivers
    Tidy,
    /// Size and speed of the function and its blocks on an ECP5, by the open flow
    Report {
        /// Blocks by name, or Verilog files with a module of the file's name; without any, all blocks
        what: Vec<String>,
        /// The blocks' parameter set
        #[arg(long, default_value = "TINY")]
        params: String,
        /// Stops after synthesis: for what fits no ECP5
        #[arg(long)]
        synthesis: bool,
        /// Synthesis for an UltraScale+ part instead
        #[arg(long)]
        xcup: bool,
        /// Instead of all that, how many cycles per second of each parameter set this machine simulates
        #[arg(long)]
        speed: bool,
        /// Fails instead of using the network
        #[arg(long)]
        offline: bool,
    },
    /// Finds or fetches all tools and guest images, so that everything after runs offline
    Fetch {
        /// Fails instead of using the network
        #[arg(long)]
        offline: bool,
    },
}

#[derive(Args)]
struct Play {
    /// What answers: `rtl` (Verilator) or `model` (plain Rust)
    #[arg(long, default_value = "rtl", value_parser = ["rtl", "model"])]
    device: String,
    /// The RTL's parameter set: TINY, SIM, BOARD or MAX
    #[arg(long, default_value = "SIM")]
    params: String,
    /// Seeds everything random in the server
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Uses KVM if a timed boot with it works
    #[arg(long)]
    kvm: bool,
    /// Writes a waveform (slow)
    #[arg(long)]
    trace: bool,
    /// Shows what the guest's programs print (it is kept in target/guest/runs as well)
    #[arg(long, short)]
    verbose: bool,
    /// Fails instead of using the network
    #[arg(long)]
    offline: bool,
}

impl Play {
    fn options(&self) -> vm::Options {
        vm::Options {
            device: self.device.clone(),
            params: self.params.clone(),
            all_sets: false,
            seed: self.seed,
            kvm: self.kvm,
            trace: self.trace,
            verbose: self.verbose,
            repeat_for: Duration::ZERO,
            network: network(self.offline),
        }
    }
}

fn network(offline: bool) -> Network {
    if offline { Network::Off } else { Network::Allowed }
}

fn main() -> ExitCode {
    match perform(Cli::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<bool> {
    match task {
        Task::Demo { kernel, msix, play } => {
            let mut demo = scenario::find("demo")?;
            demo.guest = Guest::Linux(kernel);
            demo.msix = msix;
            demo.again = format!("cargo xtask demo --kernel {} --msix {}", kernel.name(), msix.name());
            vm::play(&demo, &play.options())
        }
        Task::Guest { name: Some(name), play } => vm::play(&scenario::find(&name)?, &play.options()),
        Task::Guest { name: None, .. } => {
            scenario::all()?.iter().for_each(|one| println!("{:<16} {}", one.name, one.about));
            Ok(true)
        }
        Task::Test { quick, play } => check::suite::run(quick, &play.options()),
        Task::Soak { seed, guests: true, minutes, .. } => check::soak::guests(seed, minutes),
        Task::Soak { seed, seeds, .. } => check::soak::run(seed, seeds),
        Task::Lint => {
            let environment = tools::hdl::ready(Network::Allowed)?;
            Ok(check::lint::format()? & check::lint::clippy(&environment)?)
        }
        Task::Deny => check::licences::deny(),
        Task::Tidy => tidy::run(),
        Task::Report { speed: true, offline, .. } => report::speed(&tools::hdl::ready(network(offline))?),
        Task::Report { what, params, synthesis, xcup, speed: _, offline } => {
            let network = network(offline);
            let (files, names): (Vec<_>, Vec<_>) = what.into_iter().partition(|one| one.ends_with(".v"));
            let files = files.into_iter().map(|file| report::Subject::from_file(PathBuf::from(file)));
            let mut subjects = files.collect::<Result<Vec<_>>>()?;
            if subjects.is_empty() || !names.is_empty() {
                subjects.extend(report::emitted(&params, &names)?);
            }
            let depth = match (xcup, synthesis) {
                (true, _) => report::Depth::Xcup,
                (false, true) => report::Depth::Synthesis,
                (false, false) => report::Depth::Place,
            };
            report::run(&subjects, depth, network)
        }
        Task::Fetch { offline } => {
            let network = network(offline);
            tools::hdl::ready(network)?;
            let qemu = tools::qemu::find(network)?;
            println!("QEMU {}", tools::qemu::version(&qemu)?);
            for kernel in [Kernel::V6_12, Kernel::V6_1] {
                println!("kernel {}", image::build(kernel, None, network)?.release);
            }
            image::build(Kernel::V6_12, Some(image::DPDK), network)?;
            tools::ipxe::find(network)?;
            Ok(true)
        }
    }
}
