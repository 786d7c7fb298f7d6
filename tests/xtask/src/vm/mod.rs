//! Plays scenarios: a server, a machine, a guest that takes orders, and one line of transcript per step.

mod agree;
mod bench;
pub(crate) mod look;
pub(crate) mod machine;
pub(crate) mod orders;
pub(crate) mod qmp;
pub(crate) mod scenario;
pub(crate) mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::bench::Bench;
use self::machine::{Machine, Setup};
use self::orders::Orders;
use self::qmp::Qmp;
use self::scenario::{Guest, Msix, Scenario};
use self::server::Server;
use crate::cache::Network;
use crate::{cmd, image, place, say, tools};

const POLL: Duration = Duration::from_millis(100);
const KVM_LIMIT: Duration = Duration::from_secs(25);
/// In a run's folder: feature bits which drivers are not shown; what the server says.
const HIDE: &str = "hide";
const SERVER_LOG: &str = "server.log";
const RELAY_LOG: &str = "vhost-user.log";
/// How much of each log a failure shows.
const TAIL: usize = 15;

/// What every scenario is played with.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// `rtl` or `model`.
    pub(crate) device: String,
    /// The parameter set.
    pub(crate) params: String,
    /// The server is built with all parameter sets.
    pub(crate) all_sets: bool,
    pub(crate) seed: u64,
    pub(crate) kvm: bool,
    /// Writes a waveform: slow.
    pub(crate) trace: bool,
    /// Shows what the guest's programs print.
    pub(crate) verbose: bool,
    /// How long a scenario's loop is repeated; it is gone through once at least.
    pub(crate) repeat_for: Duration,
    pub(crate) network: Network,
}

/// Parameter sets which a server has without its feature `all-sets`.
const IN_EVERY_BUILD: [&str; 2] = ["TINY", "SIM"];

impl Options {
    /// With the parameter set which a scenario needs.
    fn for_scenario(&self, scenario: &Scenario) -> Options {
        let params = scenario.params.as_ref().unwrap_or(&self.params).clone();
        let all_sets = self.all_sets || !IN_EVERY_BUILD.contains(&params.as_str());
        Options { params, all_sets, ..self.clone() }
    }
}

/// Programs and files that a scenario needs, made ready before it starts.
struct Parts {
    qemu: PathBuf,
    server: PathBuf,
    /// `hematite`, if it is to serve a socket of its own.
    tool: Option<PathBuf>,
    kernel: PathBuf,
    initrd: PathBuf,
    append: String,
}

/// Plays a scenario to its end. The error has been told already when this returns `false`.
pub(crate) fn play(scenario: &Scenario, options: &Options) -> Result<bool> {
    let options = &options.for_scenario(scenario);
    let parts = prepare(scenario, options)?;
    let dir = place::run(&scenario.name);
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    // Sockets have short names in a folder of their own: a path of more than 107 bytes cannot be one.
    let sockets = tempfile::Builder::new().prefix("hematite-").tempdir()?;
    let start = Instant::now();
    say::heading(&format!("{}: {}", scenario.name, scenario.about));
    match drive(scenario, options, &parts, &dir, sockets.path()) {
        Ok(()) => {
            let count = scenario.orders.len() + 1;
            println!("{}", say::line("ok", &scenario.name, start.elapsed(), &format!("{count} steps")));
            Ok(true)
        }
        Err(error) => {
            println!("{}", say::line("FAIL", &scenario.name, start.elapsed(), &format!("{error:#}")));
            explain(scenario, options, &dir);
            Ok(false)
        }
    }
}

fn prepare(scenario: &Scenario, options: &Options) -> Result<Parts> {
    let environment = tools::hdl::ready(options.network)?;
    let qemu = tools::qemu::find(options.network)?;
    let server = server::build(&environment, options.all_sets)?;
    let (kernel, initrd, append) = match scenario.guest {
        Guest::Linux(kernel) => {
            let image = image::build(kernel, scenario.image.as_deref(), options.network)?;
            let iommu = if scenario.iommu { " intel_iommu=on" } else { "" };
            (image.kernel, image.initrd, format!("console=ttyS0 quiet{iommu}"))
        }
        Guest::Ipxe => {
            let script = place::root().join("tests/guest/ipxe.script");
            (tools::ipxe::find(options.network)?, script, String::new())
        }
    };
    let tool = scenario.front.as_ref().map(|_| server::build_tool()).transpose()?;
    Ok(Parts { qemu, server, tool, kernel, initrd, append })
}

/// `hematite-sim serve` for a scenario; by hand the same words do the same.
fn serve_command(
    scenario: &Scenario,
    options: &Options,
    program: &Path,
    socket: &Path,
    dir: &Path,
) -> Command {
    let mut command = Command::new(program);
    command.arg("serve").arg("--socket").arg(socket);
    command.args(["--wire", &scenario.wire, "--device", &options.device, "--params", &options.params]);
    command.args(["--seed", &options.seed.to_string()]);
    if scenario.msix == Msix::Raw {
        command.args(["--msix", "raw"]);
    }
    command.args(&scenario.serve);
    if scenario.hides() {
        command.arg("--hide").arg(dir.join(HIDE));
    }
    if scenario.logs || options.trace {
        command.arg("--tlp-log").arg(dir.join("tlp.log")).arg("--pcap").arg(dir.join("wire.pcap"));
    }
    if options.trace {
        command.arg("--trace").arg(dir.join("wave.fst"));
    }
    command
}

/// `hematite vhost-user` between the server and QEMU.
fn relay_command(program: &Path, function: &Path, socket: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("vhost-user").arg("--socket").arg(socket);
    command.arg("--device").arg(format!("vfio-user:{}", function.display()));
    command
}

fn drive(scenario: &Scenario, options: &Options, parts: &Parts, dir: &Path, sockets: &Path) -> Result<()> {
    let (socket, back) = (sockets.join("function"), sockets.join("back"));
    let serve = serve_command(scenario, options, &parts.server, &socket, dir);
    let setup = Setup {
        qemu: parts.qemu.clone(),
        kernel: parts.kernel.clone(),
        initrd: parts.initrd.clone(),
        append: parts.append.clone(),
        kvm: options.kvm && kvm_boots(parts, sockets)?,
        screen: scenario.guest == Guest::Ipxe,
        rich_cpu: scenario.image.is_some(),
        iommu: scenario.iommu,
        beside: scenario.beside.clone().map(|name| (name, sockets.join("mirror"))),
        instead: scenario.instead.clone(),
        front: scenario.front.clone().map(|name| (name, back.clone())),
        device: Some(socket.clone()).filter(|_| scenario.instead.is_none() && scenario.front.is_none()),
        console: dir.join("console.log"),
        orders: sockets.join("orders"),
        qmp: sockets.join("qmp"),
    };
    let machine = machine::command(&setup);
    let relay = parts.tool.as_ref().map(|tool| relay_command(tool, &socket, &back));
    let commands = [Some(&serve), relay.as_ref(), Some(&machine)].into_iter().flatten().map(cmd::show);
    fs::write(dir.join("commands"), commands.collect::<Vec<_>>().join("\n") + "\n")?;
    let server = Server::start(serve, &dir.join(SERVER_LOG))?;
    let relay = relay.map(|relay| Server::start(relay, &dir.join(RELAY_LOG))).transpose()?;
    let started = Instant::now();
    let machine = Machine::start(machine, &dir.join("qemu.log"))?;
    let qmp = Qmp::connect(&setup.qmp)?;
    let orders = Orders::connect(&setup.orders)?;
    let (console, params) = (setup.console.clone(), options.params.clone());
    let mut bench = Bench {
        machine,
        server,
        relay,
        qmp,
        orders,
        console,
        params,
        started,
        pinged: false,
        dir: dir.to_path_buf(),
        rounds: 0,
        accepted: String::new(),
        text: String::new(),
    };
    let (once, again) = scenario.orders.split_at(scenario.repeat.unwrap_or(scenario.orders.len()));
    bench.perform_all(once, options.verbose)?;
    let start = Instant::now();
    for round in (1..).take_while(|round| *round == 1 || start.elapsed() < options.repeat_for) {
        if !again.is_empty() {
            say::heading(&format!("  round {round}, after {:.0} min", start.elapsed().as_secs_f64() / 60.0));
            bench.perform_all(again, options.verbose).with_context(|| format!("in round {round}"))?;
        }
    }
    let step = say::step("guest and server end");
    bench.finish()?;
    step.done("");
    Ok(())
}

/// Tells what a failed scenario left behind and how to play it again.
fn explain(scenario: &Scenario, options: &Options, dir: &Path) {
    for (log, name) in [
        ("console.log", "the guest's console"),
        (SERVER_LOG, "the server"),
        (RELAY_LOG, "hematite vhost-user"),
        ("qemu.log", "QEMU"),
    ] {
        let text = String::from_utf8_lossy(&fs::read(dir.join(log)).unwrap_or_default()).into_owned();
        let text = cmd::tail(text.trim_end(), TAIL);
        if !text.is_empty() {
            println!("  {name} said last ({}):", place::short(&dir.join(log)));
            text.lines().for_each(|line| println!("    | {}", line.trim_end()));
        }
    }
    for (log, what) in [
        ("tlp.log", "every TLP"),
        ("wire.pcap", "every frame: tcpdump -r, wireshark"),
        ("wave.fst", "the waveform: gtkwave"),
        ("commands", "server and QEMU as started"),
    ] {
        if dir.join(log).exists() {
            println!("  {}  ({what})", place::short(&dir.join(log)));
        }
    }
    // The model has no signals to record.
    let trace = if options.device == "rtl" { " --trace" } else { "" };
    let Options { device, params, seed, .. } = options;
    println!("  again: {} --device {device} --params {params} --seed {seed}{trace}", scenario.again);
}

/// KVM is used only if a boot without the function works in time: /dev/kvm alone proves nothing.
fn kvm_boots(parts: &Parts, sockets: &Path) -> Result<bool> {
    let step = say::step("KVM boots a guest");
    let dir = sockets.join("kvm");
    fs::create_dir_all(&dir)?;
    let setup = Setup {
        qemu: parts.qemu.clone(),
        kernel: parts.kernel.clone(),
        initrd: parts.initrd.clone(),
        append: parts.append.clone(),
        kvm: true,
        screen: false,
        rich_cpu: false,
        iommu: false,
        beside: None,
        instead: None,
        front: None,
        device: None,
        console: dir.join("console.log"),
        orders: dir.join("orders"),
        qmp: dir.join("qmp"),
    };
    let mut machine = Machine::start(machine::command(&setup), &dir.join("qemu.log"))?;
    let mut orders = Orders::connect(&setup.orders).context("KVM")?;
    let start = Instant::now();
    while start.elapsed() < KVM_LIMIT && machine.check().is_ok() {
        if orders.poll(POLL)?.is_some_and(|ended| ended.name == "boot") {
            step.done("used");
            return Ok(true);
        }
    }
    step.done(&format!("no, not within {} s: TCG is used", KVM_LIMIT.as_secs()));
    Ok(false)
}
