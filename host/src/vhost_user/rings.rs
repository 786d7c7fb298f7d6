//! What is known of a ring, and the descriptors that come for it.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use hematite_abi::ring;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;

use super::lane::QUEUES;
use super::message::Message;
use super::{Done, Trouble, refused};
use crate::ring::split_bytes;

/// In a message with a descriptor: which queue, and that there is none.
const QUEUE_MASK: u64 = 0xff;
const NO_FD: u64 = 1 << 8;

/// A ring, as far as it has been told of.
#[derive(Debug, Default)]
pub(super) struct Ring {
    pub(super) size: u16,
    /// The next available entry.
    pub(super) base: u16,
    /// User addresses: descriptors, available, used.
    pub(super) areas: Option<[u64; 3]>,
    /// Where its used ring is for the log, if it is logged.
    pub(super) log: Option<u64>,
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
        let areas = self.areas.filter(|_| self.size > 0)?;
        let bytes = split_bytes(self.size.into());
        Some(std::array::from_fn(|area| (areas[area], bytes[area] as u64)))
    }

    /// The first address beyond what of the used ring is logged; none: that is no address.
    pub(super) fn log_end(&self) -> Option<u64> {
        let [.., used] = split_bytes(self.size.into());
        self.log.map_or(Some(0), |log| log.checked_add(used as u64))
    }
}

/// Whether areas begin where the specification allows it: descriptors, available, used. Spec: [virtio 1.4: Split Virtqueues]
pub(super) fn are_aligned(areas: [u64; 3]) -> bool {
    let aligns = [ring::DESC_ALIGN, ring::AVAIL_ALIGN, ring::USED_ALIGN];
    areas.iter().zip(aligns).all(|(area, align)| area.is_multiple_of(align as u64))
}

/// One of the pair's queues.
pub(super) fn one_of(queue: u64) -> Done<usize> {
    usize::try_from(queue)
        .ok()
        .filter(|queue| *queue < QUEUES)
        .ok_or_else(|| Trouble::Refused(format!("queue {queue} of {QUEUES}: there is one pair")))
}

/// Signals an eventfd of the front end's. Who has filled it up is not waited for, and needs no more of it.
pub(super) fn signal(event: &impl AsFd) {
    let mut room = [PollFd::new(event.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut room, PollTimeout::ZERO).is_ok_and(|ready| ready == 1) {
        let _ = nix::unistd::write(event, &1u64.to_ne_bytes());
    }
}

/// A write to it never waits from now on, unless the front end undoes it.
pub(super) fn hasten(event: &impl AsFd) {
    let flags = fcntl(event, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
    if let Some(flags) = flags.ok().filter(|flags| !flags.contains(OFlag::O_NONBLOCK)) {
        let _ = fcntl(event, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK));
    }
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
pub(super) fn is_eventfd(fd: &OwnedFd) -> bool {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    link.is_ok_and(|link| link.as_os_str() == "anon_inode:[eventfd]")
}

/// Whom each queue's interrupt goes to.
pub(super) fn events<'r>(rings: &'r [Ring; QUEUES], nobody: &'r EventFd) -> [BorrowedFd<'r>; QUEUES] {
    rings.each_ref().map(|ring| ring.call.as_ref().map_or(nobody.as_fd(), AsFd::as_fd))
}
