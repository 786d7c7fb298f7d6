//! The 16 bytes before every vfio-user message, and the numbers of the protocol.
//! Spec: [vfio-user: Header], [vfio-user: Commands]; little endian here, as the host is.

use nix::errno::Errno;

/// Bytes of the header before every message. [vfio-user: Header]
pub const HEADER_BYTES: usize = 16;
/// The largest `count` of one data message, as we announce it. [vfio-user: Version]
pub const MAX_DATA: usize = 1 << 20;
/// The largest message which is read at all: data, and room for every fixed structure before them.
pub const MAX_MESSAGE: usize = HEADER_BYTES + 64 + MAX_DATA;

/// Numbers of the commands. [vfio-user: Commands]
pub mod command {
    pub const VERSION: u16 = 1;
    pub const DMA_MAP: u16 = 2;
    pub const DMA_UNMAP: u16 = 3;
    pub const DEVICE_GET_INFO: u16 = 4;
    pub const DEVICE_GET_REGION_INFO: u16 = 5;
    pub const DEVICE_GET_REGION_IO_FDS: u16 = 6;
    pub const DEVICE_GET_IRQ_INFO: u16 = 7;
    pub const DEVICE_SET_IRQS: u16 = 8;
    pub const REGION_READ: u16 = 9;
    pub const REGION_WRITE: u16 = 10;
    pub const DMA_READ: u16 = 11;
    pub const DMA_WRITE: u16 = 12;
    pub const DEVICE_RESET: u16 = 13;
    /// Of older drafts; QEMU still has the number.
    pub const DIRTY_PAGES: u16 = 14;
    pub const REGION_WRITE_MULTI: u16 = 15;
    pub const DEVICE_FEATURE: u16 = 16;
    pub const MIG_DATA_READ: u16 = 17;
    pub const MIG_DATA_WRITE: u16 = 18;
}

/// Bits of the header's flags. [vfio-user: Header]
pub mod flag {
    pub const KIND: u32 = 0xf;
    pub const REPLY: u32 = 1;
    pub const NO_REPLY: u32 = 1 << 4;
    pub const ERROR: u32 = 1 << 5;
}

/// A header whose stream cannot be followed any further: the peer is disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Garbled {
    #[error("message size {0} is less than its header's {HEADER_BYTES} bytes")]
    Short(u32),
    #[error("message size {0} is more than the {MAX_MESSAGE} bytes which are taken")]
    Long(u32),
    #[error("message type {0} is neither command nor reply")]
    Kind(u32),
}

/// The 16 bytes before every message, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub id: u16,
    pub command: u16,
    pub size: u32,
    pub flags: u32,
    pub error: u32,
}

impl Header {
    /// Parses a header; afterwards `payload_len` is small enough to allocate.
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Header, Garbled> {
        let short = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let word = |at: usize| u32::from(short(at + 2)) << 16 | u32::from(short(at));
        let (size, flags) = (word(4), word(8));
        let header = Header { id: short(0), command: short(2), size, flags, error: word(12) };
        match header {
            _ if (size as usize) < HEADER_BYTES => Err(Garbled::Short(size)),
            _ if size as usize > MAX_MESSAGE => Err(Garbled::Long(size)),
            _ if flags & flag::KIND > flag::REPLY => Err(Garbled::Kind(flags & flag::KIND)),
            header => Ok(header),
        }
    }

    /// Bytes behind the header.
    pub fn payload_len(&self) -> usize {
        self.size as usize - HEADER_BYTES
    }

    /// True for an answer to a command of ours.
    pub fn is_reply(&self) -> bool {
        self.flags & flag::KIND == flag::REPLY
    }

    /// True if the peer wants an answer.
    pub fn wants_reply(&self) -> bool {
        self.flags & flag::NO_REPLY == 0
    }

    fn bytes(id: u16, command: u16, len: usize, flags: u32, error: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + len);
        out.extend(id.to_le_bytes());
        out.extend(command.to_le_bytes());
        out.extend(((HEADER_BYTES + len) as u32).to_le_bytes());
        out.extend(flags.to_le_bytes());
        out.extend(error.to_le_bytes());
        out
    }

    /// The answer with `payload`.
    pub fn reply(&self, payload: &[u8]) -> Vec<u8> {
        let mut out = Header::bytes(self.id, self.command, payload.len(), flag::REPLY, 0);
        out.extend(payload);
        out
    }

    /// The answer which says no. "If an error occurs, the reply message must only include the reply header."
    pub fn error_reply(&self, errno: Errno) -> Vec<u8> {
        Header::bytes(self.id, self.command, 0, flag::REPLY | flag::ERROR, errno as i32 as u32)
    }

    /// A command of ours.
    pub fn command(id: u16, command: u16, flags: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = Header::bytes(id, command, payload.len(), flags, 0);
        out.extend(payload);
        out
    }
}
