//! Messages over a vhost-user socket, as the back end: total, whatever the other side sends.
//! Spec: [vhost-user: Protocol Specification]; the host's own byte order.

use std::io::{self, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use super::{Done, Trouble};

/// Requests of the front end. [vhost-user: Front-end message types]
pub(super) mod request {
    pub(in crate::vhost_user) const GET_FEATURES: u32 = 1;
    pub(in crate::vhost_user) const SET_FEATURES: u32 = 2;
    pub(in crate::vhost_user) const SET_OWNER: u32 = 3;
    pub(in crate::vhost_user) const RESET_OWNER: u32 = 4;
    pub(in crate::vhost_user) const SET_MEM_TABLE: u32 = 5;
    pub(in crate::vhost_user) const SET_LOG_BASE: u32 = 6;
    pub(in crate::vhost_user) const SET_LOG_FD: u32 = 7;
    pub(in crate::vhost_user) const SET_VRING_NUM: u32 = 8;
    pub(in crate::vhost_user) const SET_VRING_ADDR: u32 = 9;
    pub(in crate::vhost_user) const SET_VRING_BASE: u32 = 10;
    pub(in crate::vhost_user) const GET_VRING_BASE: u32 = 11;
    pub(in crate::vhost_user) const SET_VRING_KICK: u32 = 12;
    pub(in crate::vhost_user) const SET_VRING_CALL: u32 = 13;
    pub(in crate::vhost_user) const SET_VRING_ERR: u32 = 14;
    pub(in crate::vhost_user) const GET_PROTOCOL_FEATURES: u32 = 15;
    pub(in crate::vhost_user) const SET_PROTOCOL_FEATURES: u32 = 16;
    pub(in crate::vhost_user) const SET_VRING_ENABLE: u32 = 18;
    pub(in crate::vhost_user) const GET_CONFIG: u32 = 24;
    pub(in crate::vhost_user) const GET_MAX_MEM_SLOTS: u32 = 36;
    pub(in crate::vhost_user) const ADD_MEM_REG: u32 = 37;
    pub(in crate::vhost_user) const REM_MEM_REG: u32 = 38;
}

const HEADER: usize = 12;
const VERSION: u32 = 1;
const VERSION_MASK: u32 = 0b11;
const REPLY: u32 = 1 << 2;
const NEED_REPLY: u32 = 1 << 3;
/// No request that is known has more.
const LONGEST: usize = 1024;
/// More descriptors than the kernel lets into one message (SCM_MAX_FD): none is cut off and lost.
const FDS: usize = 256;
/// A front end that stops in the middle of a message, or reads no answers, for so long has gone.
const LIMIT: Duration = Duration::from_secs(5);

/// One message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) request: u32,
    pub(super) needs_reply: bool,
    pub(super) payload: Vec<u8>,
    pub(super) fds: Vec<OwnedFd>,
}

fn garbled(text: impl Into<String>) -> Trouble {
    Trouble::Garbled(text.into())
}

fn lost(error: io::Error) -> Trouble {
    garbled(format!("the connection: {error}"))
}

impl Message {
    /// The whole payload as so many words of 64 bits.
    pub(super) fn longs<const N: usize>(&self) -> Done<[u64; N]> {
        self.sized(N * 8)?;
        Ok(std::array::from_fn(|place| long(&self.payload, place * 8)))
    }

    /// A number of 32 bits behind another, which is the queue's: all of the payload.
    pub(super) fn state(&self) -> Done<(u32, u32)> {
        self.sized(8)?;
        Ok((word(&self.payload, 0), word(&self.payload, 4)))
    }

    pub(super) fn sized(&self, bytes: usize) -> Done<()> {
        if self.payload.len() == bytes {
            return Ok(());
        }
        Err(garbled(format!("request {} has {} bytes, not {bytes}", self.request, self.payload.len())))
    }
}

/// A number at a place; 0 beyond the end, which callers exclude by the length.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

/// See there.
pub(super) fn long(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|part| part.try_into().ok()).map_or(0, u64::from_ne_bytes)
}

/// A connected front end.
#[derive(Debug)]
pub(super) struct Channel(UnixStream);

impl Channel {
    pub(super) fn new(stream: UnixStream) -> io::Result<Channel> {
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Channel(stream))
    }

    /// The next message; none: it has closed its end.
    pub(super) fn read(&mut self) -> Done<Option<Message>> {
        let mut head = [0; HEADER];
        let (got, fds) = self.begin(&mut head)?;
        if got == 0 {
            return Ok(None);
        }
        self.0.read_exact(&mut head[got..]).map_err(lost)?;
        let (request, flags, size) = (word(&head, 0), word(&head, 4), word(&head, 8) as usize);
        if flags & VERSION_MASK != VERSION || flags & REPLY != 0 {
            return Err(garbled(format!("flags {flags:#x} in request {request}")));
        }
        if size > LONGEST {
            return Err(garbled(format!("{size} bytes in request {request}")));
        }
        let mut payload = vec![0; size];
        self.0.read_exact(&mut payload).map_err(lost)?;
        Ok(Some(Message { request, needs_reply: flags & NEED_REPLY != 0, payload, fds }))
    }

    /// The first bytes of a header, with the descriptors that come along.
    fn begin(&mut self, head: &mut [u8; HEADER]) -> Done<(usize, Vec<OwnedFd>)> {
        let mut space = cmsg_space!([RawFd; FDS]);
        let mut parts = [IoSliceMut::new(head)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let received = recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut space), flags)
            .map_err(|errno| lost(errno.into()))?;
        let mut fds = vec![];
        for message in received.cmsgs().map_err(|errno| lost(errno.into()))? {
            let ControlMessageOwned::ScmRights(raw) = message else { continue };
            // SAFETY: the kernel has just made these descriptors for us; nobody else owns them.
            fds.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
        Ok((received.bytes, fds))
    }

    /// Answers a request.
    pub(super) fn answer(&mut self, request: u32, payload: &[u8]) -> Done<()> {
        let head = [request, VERSION | REPLY, payload.len() as u32];
        let mut bytes: Vec<u8> = head.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.extend(payload);
        self.0.write_all(&bytes).map_err(lost)
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
