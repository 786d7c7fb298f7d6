//! What is known of a ring, and the descriptors that come for it.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::eventfd::EventFd;

use super::lane::QUEUES;
use super::message::Message;
use super::{Done, Trouble, refused};

/// In a message with a descriptor: which queue, and that there is none.
const QUEUE_MASK: u64 = 0xff;
const NO_FD: u64 = 1 << 8;

/// A ring, as far as it has been told of.
#[derive(Debug, Default)]
pub(super) struct Ring {
    pub(super) size: u16,
    /// The next available entry.
    pub(super) base: u32,
    /// User addresses: descriptors, available, used.
    pub(super) areas: Option<[u64; 3]>,
    pub(super) kick: Option<OwnedFd>,
    pub(super) call: Option<OwnedFd>,
    pub(super) enabled: bool,
}

impl Ring {
    /// It is to run.
    pub(super) fn is_wanted(&self) -> bool {
        self.kick.is_some() && self.enabled
    }

    /// The areas with their lengths. Spec: [virtio 1.4: Split Virtqueues]
    pub(super) fn spans(&self) -> Option<[(u64, u64); 3]> {
        let size = u64::from(self.size);
        let [descriptors, available, used] = self.areas.filter(|_| size > 0)?;
        Some([(descriptors, 16 * size), (available, 6 + 2 * size), (used, 6 + 8 * size)])
    }
}

/// One of the pair's queues.
pub(super) fn one_of(queue: u64) -> Done<usize> {
    usize::try_from(queue)
        .ok()
        .filter(|queue| *queue < QUEUES)
        .ok_or_else(|| Trouble::Refused(format!("queue {queue} of {QUEUES}: there is one pair")))
}

/// The queue and the eventfd of a message, if it has one.
pub(super) fn descriptor(message: Message) -> Done<(usize, Option<OwnedFd>)> {
    let [value] = message.longs()?;
    let queue = one_of(value & QUEUE_MASK)?;
    let mut fds = message.fds;
    match (value & NO_FD != 0, fds.pop(), fds.is_empty()) {
        (true, None, _) => Ok((queue, None)),
        (false, Some(fd), true) if is_eventfd(&fd) => Ok((queue, Some(fd))),
        _ => refused(format!("queue {queue}: {value:#x} and what comes with it are not one eventfd")),
    }
}

/// Anything else could hold up who writes to it.
fn is_eventfd(fd: &OwnedFd) -> bool {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    link.is_ok_and(|link| link.as_os_str() == "anon_inode:[eventfd]")
}

/// Whom each queue's interrupt goes to.
pub(super) fn events<'r>(rings: &'r [Ring; QUEUES], nobody: &'r EventFd) -> [BorrowedFd<'r>; QUEUES] {
    rings.each_ref().map(|ring| ring.call.as_ref().map_or(nobody.as_fd(), AsFd::as_fd))
}
