//! One function per verb: opens the device, gathers, and hands over to the printer.

mod board;
mod compare;
mod papers;
mod socket;
mod watch;

use std::path::Path;

use hematite_host::address::{Address, Bdf};
use hematite_host::bind::PciBus;
use hematite_host::control::Options;
use hematite_host::error::{Error, Result};
use hematite_host::feature::{FeatureSet, Features};
use hematite_host::function::{self, Function};
use hematite_host::kernel::{self, DEVICES, Kernel};
use hematite_host::memory::Pages;
use hematite_host::physical::{KCORE, Physical};
use hematite_host::report::{
    Config, Counters, Descs, FeatureReport, Head, Health, List, Queues, SCHEMA, Show,
};
use hematite_host::validate::{Plan, Validation};
use serde::Serialize;

use crate::args::{Cli, Verb};
use crate::render::Table;

/// What is printed, and whether all is well.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) clean: bool,
}

/// What some bits mean.
#[derive(Debug, Serialize)]
pub(crate) struct Decoded {
    pub(crate) schema: u32,
    pub(crate) report: &'static str,
    pub(crate) features: Features,
}

/// Does what the words say.
pub(crate) fn perform(cli: &Cli) -> Result<Answer> {
    match &cli.verb {
        Verb::List => {
            let list = match &cli.device {
                Some(address) => List::of(&mut function::open(address)?),
                None => List::gather(Path::new(DEVICES))?,
            };
            print(cli, &list, true)
        }
        Verb::Show => report(cli, Show::gather, |show| &show.head),
        Verb::Features(words) => match words.decode {
            Some(bits) => print(cli, &decoded(bits), true),
            None => report(cli, |function| FeatureReport::gather(function, words.select), |one| &one.head),
        },
        Verb::Queues => report(cli, Queues::gather, |queues| &queues.head),
        Verb::Config => report(cli, Config::gather, |config| &config.head),
        Verb::Counters => report(cli, Counters::gather, |counters| &counters.head),
        Verb::Health => report(cli, Health::gather, |health| &health.head),
        Verb::Descs(words) => report(cli, |function| descs(function, words.queue), |descs| &descs.head),
        Verb::Validate(words) if words.active => {
            let pages = if words.huge_pages { Pages::Huge } else { Pages::Usual };
            let options = Options { pages, ..Options::default() };
            let plan = Plan { frames: words.frames, options };
            let validation = Validation::try_out(function::open(&address(cli)?)?, &plan)?;
            print(cli, &validation, validation.head.findings.is_empty())
        }
        Verb::Validate(_) => report(cli, Validation::gather, |one| &one.head),
        Verb::Diff(words) => {
            let diff = compare::diff(&words.a, &words.b)?;
            print(cli, &diff, diff.differences.is_empty())
        }
        Verb::Watch(words) => watch::run(function::open(&address(cli)?)?, words),
        Verb::Bind(words) => print(cli, &PciBus::default().bind(on_bus(cli)?, Some(&words.driver))?, true),
        Verb::Unbind => print(cli, &PciBus::default().bind(on_bus(cli)?, None)?, true),
        Verb::VhostUser(words) => {
            print(cli, &socket::serve(function::open(&address(cli)?)?, words, cli.json)?, true)
        }
        Verb::Vdpa(words) => board::vdpa(cli, &words.what),
        Verb::Flash(words) => board::flash(cli, words),
        Verb::Completions(words) => Ok(papers::completions(words.shell)),
        Verb::Man(words) => papers::manual(words.out.as_deref()),
    }
}

fn descs(function: &mut Function, queue: u16) -> Result<Descs> {
    if function.is_ours() {
        let what = format!("{} has no driver but us, and so no rings", function.bus.address());
        return Err(Error::Unable { what, next: "`hematite validate --active` sets rings up" });
    }
    if function.kernel.as_ref().is_some_and(Kernel::is_translated) {
        let what =
            "an IOMMU translates the function's addresses: where its rings are is the kernel's secret".into();
        return Err(Error::Unable { what, next: "boot with iommu=pt, or without an IOMMU" });
    }
    Descs::gather(function, queue, &Physical::open(Path::new(KCORE))?)
}

fn decoded(bits: FeatureSet) -> Decoded {
    Decoded { schema: SCHEMA, report: "decode", features: bits.shown(true) }
}

/// Opens the device, gathers, prints.
fn report<R: Table + Serialize>(
    cli: &Cli,
    gather: impl FnOnce(&mut Function) -> Result<R>,
    head: impl FnOnce(&R) -> &Head,
) -> Result<Answer> {
    let mut function = function::open(&address(cli)?)?;
    let report = gather(&mut function)?;
    let clean = head(&report).findings.is_empty();
    print(cli, &report, clean)
}

fn print(cli: &Cli, report: &(impl Table + Serialize), clean: bool) -> Result<Answer> {
    if !cli.json {
        return Ok(Answer { text: report.table(), clean });
    }
    let text =
        serde_json::to_string_pretty(report).map_err(|error| Error::Device(format!("print: {error}")))?;
    Ok(Answer { text: text + "\n", clean })
}

/// The device that is meant, on this machine's bus.
fn on_bus(cli: &Cli) -> Result<Bdf> {
    match address(cli)? {
        Address::Pci(bdf) => Ok(bdf),
        Address::VfioUser(path) => Err(Error::Words {
            text: path.display().to_string(),
            wanted: "function of this machine's PCI bus: no driver of the kernel can have it",
        }),
    }
}

/// The device that is meant: the one named, or the only virtio network function of the machine.
fn address(cli: &Cli) -> Result<Address> {
    if let Some(address) = &cli.device {
        return Ok(address.clone());
    }
    let network = |vendor, device| function::is_virtio(vendor, device) && function::is_network(device);
    let found = kernel::functions(Path::new(DEVICES), network)?;
    match found[..] {
        [bdf] => Ok(Address::Pci(bdf)),
        [] => Err(Error::Unable {
            what: "this machine has no virtio network function".into(),
            next: "name a simulated one: --device vfio-user:PATH",
        }),
        _ => {
            let names: Vec<String> = found.iter().map(ToString::to_string).collect();
            Err(Error::Words {
                text: names.join(" "),
                wanted: "single device: name one of them with --device",
            })
        }
    }
}
