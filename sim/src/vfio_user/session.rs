//! One client from its VERSION to its end: each request gets its answer, or none if it wants none.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::poll::PollFlags;

use super::channel::{Channel, Gone, Message};
use super::dma::MAX_MAPS;
use super::header::{Header, MAX_DATA, command, flag};
use super::irqs;
use super::message::{Capabilities, MAX_FDS, Refusal, Request, refuse};
use super::regions::{self, Function};
use crate::device::Device;
use crate::log::say;

/// Our protocol version. [vfio-user: Version]
const MAJOR: u16 = 0;
const MINOR: u16 = 1;

/// An attached client.
#[derive(Debug)]
pub struct Session {
    channel: Channel,
    negotiated: bool,
    /// It has told us something which ends the connection once the answer is out.
    closing: Option<Gone>,
    /// A message of ours found nobody.
    lost: Option<Gone>,
    /// The last turn ended with more to read.
    more: bool,
    next_id: u16,
    /// Requests it has sent so far.
    pub requests: u64,
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn check_argsz(argsz: u32, needed: u32) -> Result<(), Refusal> {
    if argsz >= needed {
        return Ok(());
    }
    Err(refuse(Errno::EINVAL, format!("argsz {argsz}: the reply has {needed} bytes")))
}

impl Session {
    /// Takes over a connected socket.
    pub fn new(stream: UnixStream) -> io::Result<Session> {
        let channel = Channel::new(stream)?;
        Ok(Session {
            channel,
            negotiated: false,
            closing: None,
            lost: None,
            more: false,
            next_id: 0,
            requests: 0,
        })
    }

    /// What to poll the socket for.
    pub fn interest(&self) -> PollFlags {
        if self.channel.is_full() { PollFlags::POLLOUT } else { PollFlags::POLLIN }
    }

    /// True if requests may still be waiting.
    pub fn has_more(&self) -> bool {
        self.more
    }

    /// Answers up to `limit` requests. An error says that the client is to be let go.
    pub fn serve<D: Device>(
        &mut self,
        function: &mut Function<D>,
        limit: usize,
        verbose: bool,
    ) -> Result<(), Gone> {
        self.more = false;
        if let Some(gone) = self.lost.take() {
            return Err(gone);
        }
        self.channel.flush()?;
        for _ in 0..limit {
            // A client which reads no answers gets no further ones.
            if self.channel.is_full() {
                return Ok(());
            }
            if let Some(gone) = self.closing.take() {
                return Err(gone);
            }
            let Some(message) = self.channel.receive()? else { return Ok(()) };
            self.answer(function, message, verbose)?;
        }
        self.more = true;
        Ok(())
    }

    fn answer<D: Device>(
        &mut self,
        function: &mut Function<D>,
        message: Message,
        verbose: bool,
    ) -> Result<(), Gone> {
        let Message { header, payload, fds } = message;
        if header.is_reply() {
            // We only send what wants no reply.
            return Ok(());
        }
        self.requests += 1;
        let answer = Request::parse(header.command, &payload, fds.len())
            .and_then(|request| self.perform(function, request, fds));
        if let (Err(refusal), true) = (&answer, verbose) {
            say(format_args!("client: command {} refused: {refusal}", header.command));
        }
        match answer {
            _ if !header.wants_reply() => Ok(()),
            Ok(payload) => self.channel.send(&header.reply(&payload)),
            Err(refusal) => self.channel.send(&header.error_reply(refusal.errno)),
        }
    }

    fn perform<D: Device>(
        &mut self,
        function: &mut Function<D>,
        request: Request,
        fds: Vec<OwnedFd>,
    ) -> Result<Vec<u8>, Refusal> {
        match (&request, self.negotiated) {
            (Request::Version { .. }, false) | (_, true) => {}
            // "the client must send a VFIO_USER_VERSION message"
            _ => return Err(refuse(Errno::EINVAL, "the first command must be VERSION")),
        }
        match request {
            Request::Version { .. } if self.negotiated => {
                Err(refuse(Errno::EINVAL, "the version is agreed on already"))
            }
            Request::Version { major, minor, capabilities } => self.version(major, minor, capabilities),
            Request::DmaMap(map) => {
                function.root.memory.map(&map, fds.into_iter().next())?;
                Ok(vec![])
            }
            Request::DmaUnmap(unmap) => {
                function.root.memory.unmap(&unmap)?;
                // "The server responds with the original DMA entry in the request."
                let mut entry = words(&[24, if unmap.all { 2 } else { 0 }]);
                entry.extend(unmap.addr.to_le_bytes());
                entry.extend(unmap.size.to_le_bytes());
                Ok(entry)
            }
            Request::DeviceInfo { argsz } => {
                check_argsz(argsz, 16)?;
                /// VFIO_DEVICE_FLAGS_RESET and VFIO_DEVICE_FLAGS_PCI.
                const FLAGS: u32 = 0b11;
                Ok(words(&[16, FLAGS, regions::index::COUNT, irqs::index::COUNT]))
            }
            Request::RegionInfo { argsz, index } => {
                check_argsz(argsz, 32)?;
                if index >= regions::index::COUNT {
                    return Err(refuse(Errno::EINVAL, format!("no region {index}")));
                }
                let size = function.region_bytes(index);
                // Readable and writeable, never mappable: every access is to reach the function.
                let mut info = words(&[32, if size > 0 { 0b11 } else { 0 }, index, 0]);
                info.extend(size.to_le_bytes());
                info.extend(0u64.to_le_bytes());
                Ok(info)
            }
            Request::IrqInfo { argsz, index } => {
                check_argsz(argsz, 16)?;
                if index >= irqs::index::COUNT {
                    return Err(refuse(Errno::EINVAL, format!("no interrupt type {index}")));
                }
                let count = if index == irqs::index::MSIX { function.irqs.count() } else { 0 };
                /// VFIO_IRQ_INFO_EVENTFD. Not NORESIZE: vectors may be added one by one.
                const FLAGS: u32 = 1;
                Ok(words(&[16, if count > 0 { FLAGS } else { 0 }, index, count]))
            }
            Request::SetIrqs(set) => {
                function.set_irqs(&set, fds)?;
                Ok(vec![])
            }
            Request::RegionRead { offset, region, count } => {
                let data = function.read(region, offset, count as usize)?;
                let mut reply = offset.to_le_bytes().to_vec();
                reply.extend(words(&[region, count]));
                reply.extend(data);
                Ok(reply)
            }
            Request::RegionWrite(write) => {
                function.write(write.region, write.offset, &write.data)?;
                let mut reply = write.offset.to_le_bytes().to_vec();
                reply.extend(words(&[write.region, write.data.len() as u32]));
                Ok(reply)
            }
            Request::RegionWriteMulti(writes) => {
                for write in &writes {
                    function.write(write.region, write.offset, &write.data)?;
                }
                Ok((writes.len() as u64).to_le_bytes().to_vec())
            }
            Request::DeviceReset => {
                function.reset();
                Ok(vec![])
            }
        }
    }

    fn version(&mut self, major: u16, minor: u16, theirs: Capabilities) -> Result<Vec<u8>, Refusal> {
        if major != MAJOR {
            self.closing = Some(Gone::Version { major, minor });
            return Err(refuse(
                Errno::EINVAL,
                format!("version {major}.{minor}: {MAJOR}.{MINOR} is spoken here"),
            ));
        }
        self.negotiated = true;
        let mut ours = serde_json::json!({
            "max_msg_fds": MAX_FDS,
            "max_data_xfer_size": MAX_DATA,
            "max_dma_maps": MAX_MAPS,
            "pgsizes": 4096,
        });
        // "The capability list must be a subset of those proposed."
        if theirs.write_multiple {
            ours["write_multiple"] = true.into();
        }
        let mut reply = [MAJOR.to_le_bytes(), minor.min(MINOR).to_le_bytes()].concat();
        reply.extend(serde_json::json!({ "capabilities": ours }).to_string().into_bytes());
        reply.push(0);
        Ok(reply)
    }

    /// Sends a message-signalled interrupt to the client's memory, as a posted write.
    /// No answer is asked for: the client may hold its lock, and would then never give one.
    pub fn post_message(&mut self, addr: u64, data: u32) {
        let mut payload = addr.to_le_bytes().to_vec();
        payload.extend(4u64.to_le_bytes());
        payload.extend(data.to_le_bytes());
        self.next_id = self.next_id.wrapping_add(1);
        let message = Header::command(self.next_id, command::DMA_WRITE, flag::NO_REPLY, &payload);
        if let Err(gone) = self.channel.send(&message) {
            self.lost = Some(gone);
            self.more = true;
        }
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}
