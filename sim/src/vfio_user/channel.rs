//! The socket of one client: bytes and descriptors to whole messages, answers to bytes. Never blocks.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, send};

use super::header::{Garbled, HEADER_BYTES, Header, MAX_MESSAGE};

/// Answers which a client leaves unread before it is disconnected. Requests stop being read long before.
const MAX_UNSENT: usize = 8 * MAX_MESSAGE;
/// More descriptors than the kernel lets into one message (SCM_MAX_FD): none is ever cut off and lost.
const MAX_KERNEL_FDS: usize = 256;

/// One whole message with the descriptors that came with it.
#[derive(Debug)]
pub struct Message {
    pub header: Header,
    pub payload: Vec<u8>,
    pub fds: Vec<OwnedFd>,
}

/// Why a client is no client any more.
#[derive(Debug, thiserror::Error)]
pub enum Gone {
    #[error("closed its end")]
    Closed,
    #[error("closed its end within a message, {have} of {want} bytes")]
    Cut { have: usize, want: usize },
    #[error("sent garbage: {0}")]
    Garbled(#[from] Garbled),
    #[error("speaks version {major}.{minor} of the protocol")]
    Version { major: u16, minor: u16 },
    #[error("does not read its answers: {0} bytes unsent")]
    Deaf(usize),
    #[error("socket: {0}")]
    Socket(#[from] io::Error),
}

/// A connected client.
#[derive(Debug)]
pub struct Channel {
    stream: UnixStream,
    /// The message which is being received: header first, then payload.
    bytes: Vec<u8>,
    have: usize,
    header: Option<Header>,
    fds: Vec<OwnedFd>,
    unsent: VecDeque<u8>,
}

impl Channel {
    /// Takes over a connected socket.
    pub fn new(stream: UnixStream) -> io::Result<Channel> {
        stream.set_nonblocking(true)?;
        Ok(Channel {
            stream,
            bytes: vec![0; HEADER_BYTES],
            have: 0,
            header: None,
            fds: vec![],
            unsent: VecDeque::new(),
        })
    }

    /// Receives what is there; a message if one is complete. Reads exactly one message's bytes, because
    /// descriptors belong to the message with whose bytes they arrive.
    pub fn receive(&mut self) -> Result<Option<Message>, Gone> {
        loop {
            while self.have < self.bytes.len() {
                match self.read_some() {
                    Ok(0) if self.have == 0 && self.header.is_none() => return Err(Gone::Closed),
                    Ok(0) => {
                        let before = if self.header.is_some() { HEADER_BYTES } else { 0 };
                        let (have, want) = (before + self.have, before + self.bytes.len());
                        return Err(Gone::Cut { have, want });
                    }
                    Ok(len) => self.have += len,
                    Err(Errno::EAGAIN) => return Ok(None),
                    Err(Errno::EINTR) => {}
                    Err(Errno::ECONNRESET) => return Err(Gone::Closed),
                    Err(errno) => return Err(Gone::Socket(errno.into())),
                }
            }
            self.have = 0;
            match self.header.take() {
                Some(header) => {
                    let payload = std::mem::replace(&mut self.bytes, vec![0; HEADER_BYTES]);
                    return Ok(Some(Message { header, payload, fds: std::mem::take(&mut self.fds) }));
                }
                None => {
                    let mut head = [0; HEADER_BYTES];
                    head.copy_from_slice(&self.bytes);
                    let header = Header::parse(&head)?;
                    self.bytes = vec![0; header.payload_len()];
                    self.header = Some(header);
                }
            }
        }
    }

    fn read_some(&mut self) -> nix::Result<usize> {
        let mut control = nix::cmsg_space!([std::os::fd::RawFd; MAX_KERNEL_FDS]);
        let mut parts = [IoSliceMut::new(&mut self.bytes[self.have..])];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
        let received = recvmsg::<()>(self.stream.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
        for message in received.cmsgs()? {
            let ControlMessageOwned::ScmRights(fds) = message else { continue };
            // SAFETY: the kernel has just made these descriptors for us; nobody else owns them.
            self.fds.extend(fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
        // A peer may spread descriptors over many small pieces of one message: keep few more than anyone may use.
        self.fds.truncate(MAX_KERNEL_FDS);
        Ok(received.bytes)
    }

    /// Queues a message and sends what the socket takes.
    pub fn send(&mut self, message: &[u8]) -> Result<(), Gone> {
        self.unsent.extend(message);
        self.flush()?;
        if self.unsent.len() > MAX_UNSENT { Err(Gone::Deaf(self.unsent.len())) } else { Ok(()) }
    }

    /// Sends what the socket takes.
    pub fn flush(&mut self) -> Result<(), Gone> {
        while !self.unsent.is_empty() {
            let (front, _) = self.unsent.as_slices();
            let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
            match send(self.stream.as_raw_fd(), front, flags) {
                Ok(len) => drop(self.unsent.drain(..len)),
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(Gone::Closed),
                Err(errno) => return Err(Gone::Socket(errno.into())),
            }
        }
        Ok(())
    }

    /// True while answers wait for the client to read: no further request is taken meanwhile.
    pub fn is_full(&self) -> bool {
        !self.unsent.is_empty()
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfio_user::header::command;
    use nix::sys::socket::{ControlMessage, sendmsg};
    use std::io::{IoSlice, Read, Write};

    fn pair() -> (UnixStream, Channel) {
        let (peer, ours) = UnixStream::pair().unwrap();
        (peer, Channel::new(ours).unwrap())
    }

    #[test]
    fn a_header_in_two_pieces_is_one_message() {
        let (mut peer, mut channel) = pair();
        let bytes = Header::command(7, command::DEVICE_RESET, 0, &[]);
        peer.write_all(&bytes[..7]).unwrap();
        assert!(channel.receive().unwrap().is_none());
        peer.write_all(&bytes[7..]).unwrap();
        let message = channel.receive().unwrap().expect("whole by now");
        assert_eq!((message.header.id, message.payload.len()), (7, 0));
    }

    #[test]
    fn descriptors_stay_with_their_message() {
        let (peer, mut channel) = pair();
        let plain = Header::command(1, command::DEVICE_RESET, 0, &[]);
        let laden = Header::command(2, command::DMA_MAP, 0, &[0; 32]);
        (&peer).write_all(&plain).unwrap();
        let fds = [peer.as_raw_fd(), peer.as_raw_fd()];
        let parts = [IoSlice::new(&laden)];
        sendmsg::<()>(peer.as_raw_fd(), &parts, &[ControlMessage::ScmRights(&fds)], MsgFlags::empty(), None)
            .unwrap();
        (&peer).write_all(&plain).unwrap();
        let counts: Vec<usize> = (0..3).map(|_| channel.receive().unwrap().unwrap().fds.len()).collect();
        assert_eq!(counts, [0, 2, 0]);
    }

    #[test]
    fn sizes_out_of_range_end_the_connection() {
        for size in [0u32, 15, MAX_MESSAGE as u32 + 1, u32::MAX] {
            let (mut peer, mut channel) = pair();
            let mut bytes = Header::command(1, command::REGION_READ, 0, &[]);
            bytes[4..8].copy_from_slice(&size.to_le_bytes());
            peer.write_all(&bytes).unwrap();
            assert!(matches!(channel.receive(), Err(Gone::Garbled(_))), "size {size}");
        }
    }

    #[test]
    fn an_end_within_a_message_is_told_from_an_end_between() {
        let (peer, mut channel) = pair();
        drop(peer);
        assert!(matches!(channel.receive(), Err(Gone::Closed)));
        let (mut peer, mut channel) = pair();
        peer.write_all(&Header::command(1, command::REGION_READ, 0, &[0; 16])[..20]).unwrap();
        drop(peer);
        assert!(matches!(channel.receive(), Err(Gone::Cut { have: 20, want: 32 })));
    }

    #[test]
    fn a_client_which_reads_nothing_is_dropped() {
        let (mut peer, mut channel) = pair();
        let answer = vec![0x5a; MAX_MESSAGE];
        let sent = (1..20).find(|_| channel.send(&answer).is_err()).expect("no limit");
        assert!(sent > 8, "{sent}");
        let mut byte = [0];
        peer.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [0x5a]);
    }
}
