//! Reads a scenario: a text file of tests/guest which says how to set guest and server up and what to do then.
//!
//! ```text
//! # First remark: what the scenario shows.
//! kernel 6.12                  or 6.1; `guest ipxe` boots firmware instead
//! msix raw                     eventfd is the default
//! serve --completions random   more words for `hematite-sim serve`
//! wire gen:frames=1000         another far end than the stack
//! params MAX                   this parameter set, whatever the command line says
//! image dpdk                   a guest with sim/guest/programs.dpdk, and a processor which these need; `hematite`: with our own
//!                              command line
//! beside virtio-net-pci        QEMU's own device in a slot behind the function, with a mirror for a wire
//! instead virtio-net-pci       QEMU's own device and network in the function's place, to compare with
//! front virtio-net-pci         the function is not the guest's: QEMU's own device is, over `hematite vhost-user`
//! iommu on                     a virtual IOMMU before the function, with interrupt remapping
//! logs off                     no TLP log and pcap: for bulk traffic
//! boot within 120              the guest is up
//! do ping 20 0.2 within 60     a step of sim/guest/step
//! hide 34 35                   feature bits which the next driver is not offered; `hide` alone: it is offered all
//! needs 34                     ends here, and well, if the driver did not accept this bit when `do features` was asked
//! loop                         what follows is repeated by `cargo xtask soak --guests`; such a scenario is no test
//! reset within 120             warm reboot, up again
//! stop within 20               the machine is stopped for a moment, and goes on
//! migrate ping 50 within 120   the machine's state is written away while the guest does this step, and it goes on
//! see "64 bytes" within 60     a text on the console
//! link within 5                the wire's link goes down, or up again
//! hear "announces" within 20   a text that the server says, behind what it said of the link last
//! ```

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::image::Kernel;
use crate::place;

/// What boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guest {
    Linux(Kernel),
    Ipxe,
}

/// How interrupts leave the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Msix {
    /// QEMU keeps the table; vectors are eventfds.
    Eventfd,
    /// The guest programs the function's own table; messages are DMA writes.
    Raw,
}

impl Msix {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Msix::Eventfd => "eventfd",
            Msix::Raw => "raw",
        }
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Boot,
    Reset,
    Stop,
    Migrate(String),
    Do(String),
    See(String),
    Hide(String),
    Needs(String),
    Link,
    Hear(String),
}

/// One step and its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) action: Action,
    pub(crate) limit: Duration,
}

/// A whole scenario.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) guest: Guest,
    pub(crate) msix: Msix,
    pub(crate) serve: Vec<String>,
    pub(crate) wire: String,
    /// The parameter set, if the scenario needs one.
    pub(crate) params: Option<String>,
    /// The guest's second list of programs.
    pub(crate) image: Option<String>,
    pub(crate) iommu: bool,
    /// A device of QEMU's own beside the function.
    pub(crate) beside: Option<String>,
    /// Or in its place.
    pub(crate) instead: Option<String>,
    /// QEMU's own device, of which the function is the back end by vhost-user.
    pub(crate) front: Option<String>,
    pub(crate) logs: bool,
    /// Which order the repeated ones begin with, if the scenario has a loop.
    pub(crate) repeat: Option<usize>,
    pub(crate) orders: Vec<Order>,
    /// The command that plays it.
    pub(crate) again: String,
}

impl Scenario {
    /// True if the server needs a file of hidden features.
    pub(crate) fn hides(&self) -> bool {
        self.orders.iter().any(|order| matches!(order.action, Action::Hide(_)))
    }
}

/// All scenarios, by name.
pub(crate) fn all() -> Result<Vec<Scenario>> {
    let dir = place::root().join("tests/guest");
    let entries = std::fs::read_dir(&dir).with_context(|| format!("listing {}", place::short(&dir)))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|ext| ext == "guest")).collect();
    paths.sort();
    paths.iter().map(|path| load(path)).collect()
}

/// One scenario by its name.
pub(crate) fn find(name: &str) -> Result<Scenario> {
    let all = all()?;
    let names: Vec<String> = all.iter().map(|one| format!("  {:<16} {}", one.name, one.about)).collect();
    let found = all.into_iter().find(|one| one.name == name);
    found.with_context(|| format!("no scenario `{name}`; there are:\n{}", names.join("\n")))
}

fn load(path: &Path) -> Result<Scenario> {
    let text = std::fs::read_to_string(path)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    parse(&name, &text).with_context(|| format!("in {}", place::short(path)))
}

fn parse(name: &str, text: &str) -> Result<Scenario> {
    let about = text.lines().next().and_then(|line| line.strip_prefix("# "));
    let about = about.context("the first line must be `# what the scenario shows`")?.to_string();
    let mut scenario = Scenario {
        name: name.into(),
        about,
        guest: Guest::Linux(Kernel::V6_12),
        msix: Msix::Eventfd,
        serve: Vec::new(),
        wire: "stack".into(),
        params: None,
        image: None,
        iommu: false,
        beside: None,
        instead: None,
        front: None,
        logs: true,
        repeat: None,
        orders: Vec::new(),
        again: format!("cargo xtask guest {name}"),
    };
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            take(&mut scenario, line).with_context(|| format!("line {}: `{line}`", index + 1))?;
        }
    }
    if scenario.orders.is_empty() {
        bail!("nothing to do: there is no `boot`, `do`, `reset` or `see`");
    }
    Ok(scenario)
}

fn take(scenario: &mut Scenario, line: &str) -> Result<()> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "kernel" => scenario.guest = Guest::Linux(choice(rest)?),
        "guest" if rest == "ipxe" => scenario.guest = Guest::Ipxe,
        "msix" => scenario.msix = choice(rest)?,
        "serve" => scenario.serve.extend(rest.split_whitespace().map(String::from)),
        "wire" => scenario.wire = rest.into(),
        "params" => scenario.params = Some(rest.into()),
        "image" => scenario.image = Some(rest.into()),
        "iommu" => scenario.iommu = rest == "on",
        "beside" => scenario.beside = Some(rest.into()),
        "instead" => scenario.instead = Some(rest.into()),
        "front" => scenario.front = Some(rest.into()),
        "logs" => scenario.logs = rest != "off",
        "loop" => scenario.repeat = Some(scenario.orders.len()),
        "hide" => scenario.orders.push(at_once(Action::Hide(rest.into()))),
        "needs" => scenario.orders.push(at_once(Action::Needs(rest.into()))),
        "boot" | "reset" | "stop" | "migrate" | "do" | "see" | "link" | "hear" => {
            scenario.orders.push(order(word, rest)?)
        }
        _ => bail!(
            "not one of kernel, guest, msix, serve, wire, params, image, iommu, beside, instead, front, logs, boot, reset, stop, migrate, do, see, link, hear, hide, needs, loop"
        ),
    }
    Ok(())
}

fn at_once(action: Action) -> Order {
    Order { action, limit: Duration::ZERO }
}

fn choice<T: ValueEnum>(text: &str) -> Result<T> {
    T::from_str(text, false).map_err(anyhow::Error::msg)
}

fn order(word: &str, rest: &str) -> Result<Order> {
    let at = rest.rfind("within ").context("every wait needs its limit: `... within SECONDS`")?;
    let limit =
        rest[at + "within ".len()..].trim().parse().context("the limit is not a number of seconds")?;
    let what = rest[..at].trim().to_string();
    let action = match word {
        "boot" => Action::Boot,
        "reset" => Action::Reset,
        "stop" => Action::Stop,
        "migrate" => Action::Migrate(what),
        "link" => Action::Link,
        "do" => Action::Do(what),
        "hear" => Action::Hear(what.trim_matches('"').into()),
        _ => Action::See(what.trim_matches('"').into()),
    };
    Ok(Order { action, limit: Duration::from_secs(limit) })
}

impl Action {
    /// The step's name in the transcript.
    pub(crate) fn title(&self) -> String {
        match self {
            Action::Boot => "boot".into(),
            Action::Reset => "warm reboot".into(),
            Action::Stop => "stop and go on".into(),
            Action::Migrate(order) => format!("migrate beside {order}"),
            Action::Do(order) => order.clone(),
            Action::Link => "link".into(),
            Action::Hear(text) => format!("server says \"{text}\""),
            Action::See(text) => format!("console says \"{text}\""),
            Action::Hide(bits) => format!("hide {bits}").trim().into(),
            Action::Needs(bit) => format!("needs {bit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_read() {
        let text = "# Shows it.\nkernel 6.1\nmsix raw\nserve --completions random\nlogs off\n\nboot within 120\ndo ping 20 0.2 within 60\nstop within 3\nmigrate ping 5 within 9\n";
        let scenario = parse("x", text).unwrap();
        assert_eq!(scenario.guest, Guest::Linux(Kernel::V6_1));
        assert_eq!(scenario.msix, Msix::Raw);
        assert_eq!(scenario.serve, ["--completions", "random"]);
        assert!(!scenario.logs);
        let ping = Order { action: Action::Do("ping 20 0.2".into()), limit: Duration::from_secs(60) };
        assert_eq!(scenario.orders[1], ping);
        assert_eq!(scenario.orders[2].action, Action::Stop);
        assert_eq!(scenario.orders[3].action, Action::Migrate("ping 5".into()));
    }

    #[test]
    fn features_are_hidden_between_two_drivers_and_a_loop_has_its_place() {
        let text = "# x\nimage dpdk\niommu on\nbeside virtio-net-pci\nfront x\nwire gen:frames=9\ninstead e1000e\nparams MAX\nboot within 9\nneeds 34\nhide 15 34\nloop\nhide\n";
        let scenario = parse("x", text).unwrap();
        assert!(scenario.iommu && scenario.hides());
        assert_eq!(
            (scenario.beside.as_deref(), scenario.front.as_deref()),
            (Some("virtio-net-pci"), Some("x"))
        );
        assert_eq!(scenario.instead.as_deref(), Some("e1000e"));
        assert_eq!((scenario.image.as_deref(), scenario.params.as_deref()), (Some("dpdk"), Some("MAX")));
        assert_eq!((scenario.wire.as_str(), scenario.repeat), ("gen:frames=9", Some(3)));
        let titles: Vec<String> = scenario.orders.iter().map(|order| order.action.title()).collect();
        assert_eq!(titles, ["boot", "needs 34", "hide 15 34", "hide"]);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, want) in [
            ("kernel 6.12\n", "first line"),
            ("# x\n", "nothing to do"),
            ("# x\ndo ping 3\n", "needs its limit"),
            ("# x\nkernel 5.0\n", "line 2"),
            ("# x\nfly within 3\n", "not one of"),
        ] {
            let error = format!("{:#}", parse("x", text).unwrap_err());
            assert!(error.contains(want), "{text:?}: {error}");
        }
    }

    #[test]
    fn every_scenario_of_the_tree_is_sound() {
        assert!(all().unwrap().iter().any(|one| one.name == "demo"));
    }
}
