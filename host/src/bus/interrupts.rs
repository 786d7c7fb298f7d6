//! Vectors as eventfds, however they come.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::error::{Error, Result};

/// The vectors that are armed.
#[derive(Debug, Default)]
pub(super) struct Interrupts {
    events: Vec<EventFd>,
}

impl Interrupts {
    /// So many, none of which has come.
    pub(super) fn new(count: u16) -> Result<Interrupts> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        let events = (0..count).map(|_| EventFd::from_flags(flags)).collect::<nix::Result<_>>();
        let events = events.map_err(|errno| {
            Error::system("make an eventfd", errno, "raise the limit of open files: ulimit -n")
        })?;
        Ok(Interrupts { events })
    }

    /// The descriptors, by vector.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.events.iter().map(EventFd::as_fd).collect()
    }

    /// Waits; false: it did not come.
    pub(super) fn wait(&self, vector: u16, limit: Duration) -> Result<bool> {
        let Some(event) = self.events.get(usize::from(vector)) else {
            let what = format!("wait for vector {vector}, of {} that are armed", self.events.len());
            return Err(Error::Unable { what, next: "poll the rings instead" });
        };
        let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        let mut wanted = [PollFd::new(event.as_fd(), PollFlags::POLLIN)];
        match poll(&mut wanted, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(event.read().is_ok()),
            Err(errno) => Err(Error::system("wait for an interrupt", errno, "try again")),
        }
    }
}
