//! A scenario under way: server, machine and guest, and what an order does to them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::machine::Machine;
use super::orders::{Ended, Orders};
use super::qmp::Qmp;
use super::scenario::{Action, Order};
use super::server::Server;
use super::{HIDE, POLL, SERVER_LOG, look};
use crate::say;

/// How long a machine that is stopped stands.
const PAUSE: Duration = Duration::from_secs(1);
const QUIT_LIMIT: Duration = Duration::from_secs(15);
/// How long the generator may take to say how a round ended.
const ROUND_LIMIT: Duration = Duration::from_secs(10);

/// Everything that runs. Dropping it ends it.
pub(super) struct Bench {
    pub(super) machine: Machine,
    pub(super) server: Server,
    /// `hematite vhost-user` before it.
    pub(super) relay: Option<Server>,
    pub(super) qmp: Qmp,
    pub(super) orders: Orders,
    pub(super) console: PathBuf,
    pub(super) params: String,
    /// When the machine was switched on; it has pinged since.
    pub(super) started: Instant,
    pub(super) pinged: bool,
    /// Of this run's logs.
    pub(super) dir: PathBuf,
    /// Of the generator, looked at so far.
    pub(super) rounds: usize,
    /// What the step `features` said.
    pub(super) accepted: String,
    /// What the last step's programs printed.
    pub(super) text: String,
}

impl Bench {
    /// Does orders up to the first which fails, a line each.
    pub(super) fn perform_all(&mut self, orders: &[Order], verbose: bool) -> Result<()> {
        for order in orders {
            let mut step = say::step(order.action.title());
            if let Action::Needs(bit) = &order.action
                && !self.accepted.split(' ').any(|one| one == bit)
            {
                step.done("not accepted: what follows is left out");
                return Ok(());
            }
            match self.perform(order, &mut step) {
                Ok(detail) => {
                    step.done(&detail);
                    keep(&order.action, &self.text, &self.dir, verbose)?;
                }
                Err(error) => {
                    step.failed(&format!("{error:#}"));
                    bail!("{}", order.action.title());
                }
            }
        }
        Ok(())
    }

    /// Does one order; returns what to print beside it.
    fn perform(&mut self, order: &Order, step: &mut say::Step) -> Result<String> {
        match &order.action {
            Action::Boot => self.ended("boot", order.limit, step),
            Action::Reset => {
                self.qmp.call("system_reset")?;
                self.ended("boot", order.limit, step)
            }
            Action::Stop => {
                self.qmp.call("stop")?;
                std::thread::sleep(PAUSE);
                self.qmp.call("cont")?;
                Ok(String::new())
            }
            Action::Migrate(words) => {
                self.orders.send(words)?;
                let written = self.migrate(order.limit, step)?;
                let name = words.split(' ').next().unwrap_or(words);
                Ok(format!("{written}; {}", self.ended(name, order.limit, step)?))
            }
            Action::Do(words) => {
                self.orders.send(words)?;
                let name = words.split(' ').next().unwrap_or(words);
                let detail = self.ended(name, order.limit, step)?;
                match name {
                    "testpmd" => return self.forwarded(words),
                    "features" => self.accepted = detail.clone(),
                    "ping" if !std::mem::replace(&mut self.pinged, true) => {
                        return Ok(format!(
                            "{detail}, {:.1} s after power-on",
                            self.started.elapsed().as_secs_f64()
                        ));
                    }
                    _ => {}
                }
                Ok(detail)
            }
            Action::Hide(bits) => {
                fs::write(self.dir.join(HIDE), bits)?;
                Ok(String::new())
            }
            Action::Needs(_) => Ok("accepted".into()),
            Action::Link => self.server.flip_link().map(|()| "down, or up again".into()),
            Action::See(text) => self.seen(text, order.limit, step),
            Action::Hear(text) => self.heard(text, order.limit, step),
        }
    }

    /// Writes the machine's state to nowhere, which stops it, and lets it go on.
    fn migrate(&mut self, limit: Duration, step: &mut say::Step) -> Result<String> {
        self.qmp.call_with("migrate", json!({ "uri": "exec:cat > /dev/null" }))?;
        let info = self.wait("migrate", limit, step, |bench| {
            std::thread::sleep(POLL);
            let info = bench.qmp.call("query-migrate")?;
            match info["status"].as_str() {
                Some("completed") => Ok(Some(info)),
                Some("failed" | "cancelled") => bail!("QEMU says {info}"),
                _ => Ok(None),
            }
        })?;
        self.qmp.call("cont")?;
        let ram = &info["ram"];
        let dirty = ram["dirty-sync-count"].as_u64().unwrap_or(0);
        let mib = ram["transferred"].as_u64().unwrap_or(0) >> 20;
        Ok(format!("{mib} MiB in {dirty} passes, {} ms down", info["downtime"]))
    }

    /// Waits until the guest says how a step ended.
    fn ended(&mut self, name: &str, limit: Duration, step: &mut say::Step) -> Result<String> {
        let ended: Ended = self.wait(name, limit, step, |bench| bench.orders.poll(POLL))?;
        self.text.clear();
        if ended.name != name {
            bail!("the guest reports step `{}`, not `{name}`", ended.name);
        }
        if !ended.ok {
            bail!("{}\n{}", ended.detail, ended.text.trim_end());
        }
        self.text = ended.text;
        let looked = look::check(name, &self.text, &self.params).map_err(|error| {
            if ended.detail.is_empty() { error } else { error.context(ended.detail.clone()) }
        })?;
        Ok([ended.detail, looked].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": "))
    }

    /// Looks at the generator's rounds, one for each mode of `testpmd PATH MODES FRAMES`.
    fn forwarded(&mut self, words: &str) -> Result<String> {
        let words: Vec<&str> = words.split(' ').collect();
        let [_, path, modes, frames, ..] = words[..] else {
            bail!("`testpmd PATH MODES FRAMES` is too short")
        };
        let frames = frames.parse().context("FRAMES is not a number")?;
        let modes: Vec<&str> = modes.split(',').collect();
        let start = Instant::now();
        let rounds = loop {
            let rounds = look::rounds(&fs::read_to_string(self.dir.join(SERVER_LOG)).unwrap_or_default());
            if rounds.len() >= self.rounds + modes.len() {
                break rounds;
            }
            if start.elapsed() > ROUND_LIMIT {
                bail!("the generator reports {} rounds, not {}", rounds.len(), self.rounds + modes.len());
            }
            std::thread::sleep(POLL);
        };
        let told = modes.iter().zip(&rounds[self.rounds..]);
        let told =
            told.map(|(mode, round)| look::forwarded(mode, frames, round)).collect::<Result<Vec<_>>>()?;
        self.rounds = rounds.len();
        Ok(format!("{}: {}", path.replace('-', " "), told.join("; ")))
    }

    fn seen(&mut self, text: &str, limit: Duration, step: &mut say::Step) -> Result<String> {
        self.wait("console", limit, step, |bench| {
            std::thread::sleep(POLL);
            let console = fs::read(&bench.console).unwrap_or_default();
            Ok(String::from_utf8_lossy(&console).contains(text).then(String::new))
        })
    }

    fn heard(&mut self, text: &str, limit: Duration, step: &mut say::Step) -> Result<String> {
        self.wait("server", limit, step, |bench| {
            std::thread::sleep(POLL);
            let log = fs::read_to_string(bench.dir.join(SERVER_LOG)).unwrap_or_default();
            Ok(look::since_link(&log).find(|line| line.contains(text)).map(String::from))
        })
    }

    /// Polls until there is an answer, the limit is over, or guest or server are gone.
    fn wait<T>(
        &mut self,
        name: &str,
        limit: Duration,
        step: &mut say::Step,
        mut poll: impl FnMut(&mut Bench) -> Result<Option<T>>,
    ) -> Result<T> {
        let start = Instant::now();
        loop {
            if let Some(answer) = poll(self)? {
                return Ok(answer);
            }
            self.machine.check()?;
            self.server.check()?;
            self.relay.as_mut().map_or(Ok(()), Server::check)?;
            if start.elapsed() > limit {
                bail!("`{name}` did not end within {} s", limit.as_secs());
            }
            step.note(&format!("of at most {} s", limit.as_secs()));
        }
    }

    /// Ends the machine, then the server, which must end cleanly.
    pub(super) fn finish(mut self) -> Result<()> {
        self.qmp.call("quit")?;
        let start = Instant::now();
        while self.machine.check().is_ok() {
            if start.elapsed() > QUIT_LIMIT {
                bail!("QEMU did not end within {} s of `quit`", QUIT_LIMIT.as_secs());
            }
            std::thread::sleep(POLL);
        }
        self.relay.map_or(Ok(()), Server::finish)?;
        self.server.finish()
    }
}

/// Keeps what a step's programs printed beside the logs, and shows it if asked to.
fn keep(action: &Action, text: &str, dir: &Path, verbose: bool) -> Result<()> {
    if let Action::Do(words) = action
        && !text.is_empty()
    {
        let name = words.split(' ').next().unwrap_or(words);
        fs::write(dir.join(format!("{name}.txt")), text)?;
        if verbose {
            text.lines().for_each(|line| println!("        {line}"));
        }
    }
    Ok(())
}
