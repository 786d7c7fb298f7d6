//! `vhost-user`: serves until a signal, and says meanwhile what happens.

use std::os::fd::AsFd;

use hematite_host::error::{Error, Result};
use hematite_host::function::Function;
use hematite_host::vhost_user::{self, Served};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::args::VhostUser;

/// Serves. SIGINT and SIGTERM wait for the loop, so that the function is left reset.
pub(super) fn serve(function: Function, words: &VhostUser, json: bool) -> Result<Served> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    let stop = signals
        .thread_block()
        .and_then(|()| SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC));
    let stop = stop.map_err(|errno| Error::system("wait for signals", errno, "try again"))?;
    // Scripts wait for `ready` on standard output; that of --json is for the report when all is over.
    let mut tell = |line: String| match line.starts_with("ready ") && !json {
        true => println!("{line}"),
        false => eprintln!("hematite: {line}"),
    };
    vhost_user::serve(function, &words.socket, stop.as_fd(), words.clients, &mut tell)
}
