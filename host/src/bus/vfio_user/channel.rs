//! Messages over a vfio-user socket, as a client: a command, and its answer. Total: what the server says is checked.
//! Spec: [vfio-user: Protocol Specification]; little endian, as the host is.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use crate::error::{Error, Result};

/// Commands of a client. [vfio-user: Commands]
pub(super) mod command {
    pub(in crate::bus) const VERSION: u16 = 1;
    pub(in crate::bus) const DMA_MAP: u16 = 2;
    pub(in crate::bus) const DMA_UNMAP: u16 = 3;
    pub(in crate::bus) const DEVICE_GET_INFO: u16 = 4;
    pub(in crate::bus) const DEVICE_GET_REGION_INFO: u16 = 5;
    pub(in crate::bus) const DEVICE_GET_IRQ_INFO: u16 = 7;
    pub(in crate::bus) const DEVICE_SET_IRQS: u16 = 8;
    pub(in crate::bus) const REGION_READ: u16 = 9;
    pub(in crate::bus) const REGION_WRITE: u16 = 10;
    pub(in crate::bus) const DEVICE_RESET: u16 = 13;
}

const HEADER: usize = 16;
const REPLY: u32 = 1;
const KIND: u32 = 0xf;
const FLAG_ERROR: u32 = 1 << 5;
/// No answer of ours is longer.
const LONGEST: usize = 1 << 16;
/// No answer takes longer, from a simulator under load either.
const LIMIT: Duration = Duration::from_secs(60);
/// Commands of the server between a command of ours and its answer; more is no server.
const STRANGERS: usize = 10_000;

/// A connection.
#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
    next: u16,
}

fn late(what: &str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            Error::Late { what: what.into(), limit: LIMIT }
        }
        _ => Error::system(
            what,
            error,
            "has the server ended? Another client may have it: it serves one after the other",
        ),
    }
}

/// A little-endian field; 0 beyond the end, which callers exclude by the length.
fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|part| part.try_into().ok()).unwrap_or([0; N])
}

impl Channel {
    pub(super) fn connect(path: &Path) -> Result<Channel> {
        let what = || format!("connect to {}", path.display());
        let next = "start the server first: hematite-sim serve --socket PATH";
        let stream = UnixStream::connect(path).map_err(|error| Error::system(what(), error, next))?;
        stream.set_read_timeout(Some(LIMIT)).map_err(|error| Error::system(what(), error, next))?;
        stream.set_write_timeout(Some(LIMIT)).map_err(|error| Error::system(what(), error, next))?;
        Ok(Channel { stream, next: 0 })
    }

    /// Sends a command and takes its answer, which has at least `least` bytes.
    pub(super) fn ask(
        &mut self,
        command: u16,
        payload: &[u8],
        fds: &[BorrowedFd<'_>],
        least: usize,
    ) -> Result<Vec<u8>> {
        self.next = self.next.wrapping_add(1);
        let mut message = [self.next.to_le_bytes(), command.to_le_bytes()].concat();
        message.extend(((HEADER + payload.len()) as u32).to_le_bytes());
        message.extend([0; 8]);
        message.extend(payload);
        let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let control = if raw.is_empty() { &rights[..0] } else { &rights[..] };
        let parts = [IoSlice::new(&message)];
        let sent = sendmsg::<()>(self.stream.as_raw_fd(), &parts, control, MsgFlags::MSG_NOSIGNAL, None)
            .map_err(|errno| late("send to the server", errno.into()))?;
        self.stream.write_all(&message[sent..]).map_err(|error| late("send to the server", error))?;
        for _ in 0..STRANGERS {
            if let Some(answer) = self.answer(command, least)? {
                return Ok(answer);
            }
        }
        Err(Error::Protocol(format!(
            "{STRANGERS} commands of the server, and no answer to command {command}"
        )))
    }

    /// The next message; none if it is a command of the server's, such as a message-signalled interrupt.
    fn answer(&mut self, command: u16, least: usize) -> Result<Option<Vec<u8>>> {
        let mut head = [0; HEADER];
        self.stream.read_exact(&mut head).map_err(|error| late("an answer of the server", error))?;
        let size = u32::from_le_bytes(field(&head, 4)) as usize;
        let Some(length) = size.checked_sub(HEADER).filter(|length| *length <= LONGEST) else {
            return Err(Error::Protocol(format!("a message of {size} bytes")));
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).map_err(|error| late("an answer of the server", error))?;
        let flags = u32::from_le_bytes(field(&head, 8));
        if flags & KIND != REPLY {
            return Ok(None);
        }
        let (id, its) = (u16::from_le_bytes(field(&head, 0)), u16::from_le_bytes(field(&head, 2)));
        if (id, its) != (self.next, command) {
            let next = self.next;
            return Err(Error::Protocol(format!("answer {id} to command {its}, not {next} to {command}")));
        }
        if flags & FLAG_ERROR != 0 {
            let errno = u32::from_le_bytes(field(&head, 12)) as i32;
            let what = format!("command {command} of {} bytes is refused", HEADER + length);
            return Err(Error::system(
                what,
                io::Error::from_raw_os_error(errno),
                "`hematite-sim serve --verbose` says why",
            ));
        }
        if length < least {
            return Err(Error::Protocol(format!(
                "{length} bytes answer command {command}, at least {least} were due"
            )));
        }
        Ok(Some(payload))
    }
}
