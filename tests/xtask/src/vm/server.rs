//! `hematite-sim serve`, or `hematite vhost-user`, as a child: started, waited for until it says `ready`, ended with SIGTERM.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{cmd, place, say, tools::hdl};

/// Another server in place of the workspace's own, for trying things out.
pub(crate) const SERVER_VARIABLE: &str = "HEMATITE_SIM";
const BUILD_LIMIT: Duration = Duration::from_secs(2400);
const READY_LIMIT: Duration = Duration::from_secs(60);
const END_LIMIT: Duration = Duration::from_secs(15);

/// The server's program, built if need be: with TINY and SIM, or with all parameter sets.
pub(crate) fn build(environment: &hdl::Environment, all_sets: bool) -> Result<PathBuf> {
    if let Some(given) = std::env::var_os(SERVER_VARIABLE) {
        return Ok(given.into());
    }
    let mut step = say::step("build hematite-sim");
    let mut command = Command::new("cargo");
    command.args(["build", "--package", "hematite-sim"]).current_dir(place::root());
    if all_sets {
        command.args(["--features", "all-sets"]);
    }
    command.envs(environment.iter().cloned());
    cmd::run_watched(&mut command, BUILD_LIMIT, |line| step.note(line.trim()))?;
    step.done("");
    Ok(place::target().join("debug/hematite-sim"))
}

/// The command line `hematite`, built if need be.
pub(crate) fn build_tool() -> Result<PathBuf> {
    let mut step = say::step("build hematite");
    let mut command = Command::new("cargo");
    command.args(["build", "--package", "hematite-cli"]).current_dir(place::root());
    cmd::run_watched(&mut command, BUILD_LIMIT, |line| step.note(line.trim()))?;
    step.done("");
    Ok(place::target().join("debug/hematite"))
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    over: bool,
}

impl Server {
    /// Starts `command` (its standard error goes to `log`) and waits until it listens.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Server> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(log)?);
        cmd::die_with_us(&mut command);
        let child = command.spawn().with_context(|| format!("cannot start `{}`", cmd::show(&command)))?;
        let mut server = Server { child, over: false };
        let out = server.child.stdout.take().context("the server has no output")?;
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // Reads on after `ready`, so that the server never meets a full pipe.
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let start = Instant::now();
        loop {
            match lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) if line.starts_with("ready ") => return Ok(server),
                Ok(_) => {}
                Err(_) => server.check()?,
            }
            if start.elapsed() > READY_LIMIT {
                bail!("the server did not say `ready` within {} s", READY_LIMIT.as_secs());
            }
        }
    }

    /// An error if the server has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            self.over = true;
            bail!("the server ended by itself: {status}");
        }
        Ok(())
    }

    /// Takes the wire's link down, or up again.
    pub(crate) fn flip_link(&mut self) -> Result<()> {
        self.check()?;
        Ok(kill(Pid::from_raw(self.child.id() as i32), Signal::SIGUSR1)?)
    }

    /// Ends the server as a user would; it must end cleanly.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.check()?;
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM)?;
        let start = Instant::now();
        while start.elapsed() < END_LIMIT {
            if let Some(status) = self.child.try_wait()? {
                self.over = true;
                if status.success() {
                    return Ok(());
                }
                bail!("the server ended with {status} after SIGTERM");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the server did not end within {} s of SIGTERM", END_LIMIT.as_secs());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.over {
            cmd::end(&mut self.child);
        }
    }
}
