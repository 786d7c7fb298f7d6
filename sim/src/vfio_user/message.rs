//! Bytes to requests, answers to bytes: a total parser of the vfio-user protocol.
//!
//! Peer bytes never become an enum by cast and never decide the size of an allocation before they are checked.
//! Spec: [vfio-user: Protocol Specification]; all numbers are little endian here (the host is).

use nix::errno::Errno;

use super::header::{MAX_DATA, command};

/// File descriptors which one message may carry, as we announce it.
pub const MAX_FDS: usize = 16;
/// Our protocol version.
pub const VERSION: (u16, u16) = (0, 1);
/// Interrupts which one SET_IRQS may name.
pub const MAX_IRQS: u32 = 4096;

/// A request which gets an error for an answer; the stream stays in step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} ({errno})")]
pub struct Refusal {
    pub errno: Errno,
    pub reason: String,
}

/// Builds a [`Refusal`].
pub fn refuse(errno: Errno, reason: impl Into<String>) -> Refusal {
    Refusal { errno, reason: reason.into() }
}

/// Takes fields from the front; never reads beyond the end.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Refusal> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or_else(|| {
            refuse(Errno::EINVAL, format!("payload ends {} bytes early", len - self.0.len()))
        })?;
        self.0 = rest;
        Ok(taken)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }
    fn u16(&mut self) -> Result<u16, Refusal> {
        Ok(u16::from_le_bytes(self.array()?))
    }
    fn u32(&mut self) -> Result<u32, Refusal> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    fn u64(&mut self) -> Result<u64, Refusal> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}

/// What the client says of itself. [vfio-user: Version]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    pub max_msg_fds: u64,
    pub max_data_xfer_size: u64,
    /// Which of our capabilities the client has named; the reply may name no other.
    pub write_multiple: bool,
}

/// A range of the client's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmaMap {
    pub readable: bool,
    pub writeable: bool,
    /// Where the range begins in the file whose descriptor comes with the message.
    pub offset: u64,
    pub addr: u64,
    pub size: u64,
}

/// Which part of the client's memory is withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmaUnmap {
    pub all: bool,
    pub addr: u64,
    pub size: u64,
}

/// What happens to the named interrupts. [vfio-user: VFIO_USER_DEVICE_SET_IRQS]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IrqAction {
    Mask,
    Unmask,
    Trigger,
}

/// What comes along with an interrupt action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IrqData {
    /// Nothing: act now, on all of the range. With a count of 0: disable all.
    None,
    /// Act now, where true.
    Bool(Vec<bool>),
    /// Signal these from now on; without any, forget those set before.
    Eventfd,
}

/// One SET_IRQS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetIrqs {
    pub index: u32,
    pub start: u32,
    pub count: u32,
    pub action: IrqAction,
    pub data: IrqData,
}

/// One write to a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionWrite {
    pub offset: u64,
    pub region: u32,
    pub data: Vec<u8>,
}

/// A request which we understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Version { major: u16, minor: u16, capabilities: Capabilities },
    DmaMap(DmaMap),
    DmaUnmap(DmaUnmap),
    DeviceInfo { argsz: u32 },
    RegionInfo { argsz: u32, index: u32 },
    IrqInfo { argsz: u32, index: u32 },
    SetIrqs(SetIrqs),
    RegionRead { offset: u64, region: u32, count: u32 },
    RegionWrite(RegionWrite),
    RegionWriteMulti(Vec<RegionWrite>),
    DeviceReset,
}

impl Request {
    /// Parses the payload of `command`, which came with `fds` descriptors.
    pub fn parse(command: u16, payload: &[u8], fds: usize) -> Result<Request, Refusal> {
        let mut fields = Fields(payload);
        if fds > MAX_FDS {
            return Err(refuse(Errno::EINVAL, format!("{fds} file descriptors, {MAX_FDS} are announced")));
        }
        match command {
            command::VERSION => version(&mut fields),
            command::DMA_MAP => dma_map(&mut fields, fds),
            command::DMA_UNMAP => dma_unmap(&mut fields),
            command::DEVICE_GET_INFO => Ok(Request::DeviceInfo { argsz: fields.u32()? }),
            command::DEVICE_GET_REGION_INFO => {
                let (argsz, _flags, index) = (fields.u32()?, fields.u32()?, fields.u32()?);
                Ok(Request::RegionInfo { argsz, index })
            }
            command::DEVICE_GET_IRQ_INFO => {
                let (argsz, _flags, index) = (fields.u32()?, fields.u32()?, fields.u32()?);
                Ok(Request::IrqInfo { argsz, index })
            }
            command::DEVICE_SET_IRQS => set_irqs(&mut fields, fds),
            command::REGION_READ => {
                let (offset, region, count) = (fields.u64()?, fields.u32()?, fields.u32()?);
                check_count(count)?;
                Ok(Request::RegionRead { offset, region, count })
            }
            command::REGION_WRITE => {
                let (offset, region, count) = (fields.u64()?, fields.u32()?, fields.u32()?);
                check_count(count)?;
                let data = fields.take(count as usize)?.to_vec();
                if !fields.0.is_empty() {
                    return Err(refuse(Errno::EINVAL, format!("{} bytes behind the data", fields.0.len())));
                }
                Ok(Request::RegionWrite(RegionWrite { offset, region, data }))
            }
            command::REGION_WRITE_MULTI => write_multi(&mut fields),
            command::DEVICE_RESET => Ok(Request::DeviceReset),
            command::DMA_READ | command::DMA_WRITE => {
                Err(refuse(Errno::EINVAL, "DMA messages go from server to client"))
            }
            command::DEVICE_GET_REGION_IO_FDS => Err(refuse(
                Errno::EOPNOTSUPP,
                "no region has descriptors for its I/O: every access is simulated",
            )),
            command::DIRTY_PAGES
            | command::DEVICE_FEATURE
            | command::MIG_DATA_READ
            | command::MIG_DATA_WRITE => Err(refuse(Errno::EOPNOTSUPP, "the function does not migrate")),
            other => Err(refuse(Errno::EOPNOTSUPP, format!("unknown command {other}"))),
        }
    }
}

fn check_count(count: u32) -> Result<(), Refusal> {
    match count as usize {
        0 => Err(refuse(Errno::EINVAL, "access of no bytes")),
        n if n > MAX_DATA => Err(refuse(Errno::EINVAL, format!("count {n} exceeds max_data_xfer_size"))),
        _ => Ok(()),
    }
}

fn version(fields: &mut Fields) -> Result<Request, Refusal> {
    let (major, minor) = (fields.u16()?, fields.u16()?);
    let bad = |reason: &str| refuse(Errno::EINVAL, format!("version data {reason}"));
    let mut capabilities =
        Capabilities { max_msg_fds: 1, max_data_xfer_size: MAX_DATA as u64, write_multiple: false };
    // "version data: variable (including terminating NUL). Optional."
    if !fields.0.is_empty() {
        let [text @ .., 0] = fields.0 else { return Err(bad("does not end with NUL")) };
        let json: serde_json::Value = serde_json::from_slice(text).map_err(|_| bad("is not JSON"))?;
        if !json.is_object() {
            return Err(bad("is not a JSON object"));
        }
        let ours = json.get("capabilities");
        if ours.is_some_and(|ours| !ours.is_object()) {
            return Err(bad("has capabilities which are no object"));
        }
        let number = |name: &str, default: u64| match ours.and_then(|ours| ours.get(name)) {
            None => Ok(default),
            Some(value) => value.as_u64().ok_or_else(|| bad(&format!("has a {name} which is no number"))),
        };
        capabilities.max_msg_fds = number("max_msg_fds", capabilities.max_msg_fds)?;
        capabilities.max_data_xfer_size = number("max_data_xfer_size", capabilities.max_data_xfer_size)?;
        capabilities.write_multiple =
            ours.and_then(|ours| ours.get("write_multiple")).and_then(|v| v.as_bool()).unwrap_or(false);
    }
    Ok(Request::Version { major, minor, capabilities })
}

fn check_range(addr: u64, size: u64) -> Result<(), Refusal> {
    // The last byte may be the last of all.
    match size.checked_sub(1).and_then(|len| addr.checked_add(len)) {
        Some(_) => Ok(()),
        _ => Err(refuse(Errno::EINVAL, format!("range {addr:#x}+{size:#x} is empty or wraps"))),
    }
}

fn dma_map(fields: &mut Fields, fds: usize) -> Result<Request, Refusal> {
    // Bits 2 and 3 are a hint of libvfio-user's clients on how to reach the file.
    const KNOWN: u32 = 0xf;
    let (_argsz, flags) = (fields.u32()?, fields.u32()?);
    let (offset, addr, size) = (fields.u64()?, fields.u64()?, fields.u64()?);
    check_range(addr, size)?;
    check_range(offset, size)?;
    if flags & !KNOWN != 0 || flags & 3 == 0 {
        return Err(refuse(Errno::EINVAL, format!("DMA map flags {flags:#x}")));
    }
    if fds > 1 {
        return Err(refuse(Errno::EINVAL, format!("{fds} files for one DMA map")));
    }
    Ok(Request::DmaMap(DmaMap { readable: flags & 1 != 0, writeable: flags & 2 != 0, offset, addr, size }))
}

fn dma_unmap(fields: &mut Fields) -> Result<Request, Refusal> {
    // As in the kernel's type 1 container: bit 0 asks for the dirty bitmap, bit 1 unmaps everything.
    let (_argsz, flags, addr, size) = (fields.u32()?, fields.u32()?, fields.u64()?, fields.u64()?);
    match flags {
        0 => {
            check_range(addr, size)?;
            Ok(Request::DmaUnmap(DmaUnmap { all: false, addr, size }))
        }
        2 if addr == 0 && size == 0 => Ok(Request::DmaUnmap(DmaUnmap { all: true, addr, size })),
        1 => Err(refuse(Errno::EOPNOTSUPP, "no dirty bitmap is kept")),
        _ => Err(refuse(Errno::EINVAL, format!("DMA unmap flags {flags:#x}"))),
    }
}

fn set_irqs(fields: &mut Fields, fds: usize) -> Result<Request, Refusal> {
    let (_argsz, flags) = (fields.u32()?, fields.u32()?);
    let (index, start, count) = (fields.u32()?, fields.u32()?, fields.u32()?);
    if count > MAX_IRQS || start > MAX_IRQS {
        return Err(refuse(Errno::EINVAL, format!("interrupts {start}+{count}")));
    }
    let (data, action) = (flags & 0b111, flags >> 3);
    // "The flags are mutually exclusive for both sets."
    let data = match data {
        0b001 => IrqData::None,
        0b010 => IrqData::Bool(fields.take(count as usize)?.iter().map(|byte| *byte != 0).collect()),
        0b100 if fds == 0 || fds == count as usize => IrqData::Eventfd,
        0b100 => return Err(refuse(Errno::EINVAL, format!("{fds} eventfds for {count} interrupts"))),
        _ => return Err(refuse(Errno::EINVAL, format!("interrupt data flags {flags:#x}"))),
    };
    let action = match action {
        0b001 => IrqAction::Mask,
        0b010 => IrqAction::Unmask,
        0b100 => IrqAction::Trigger,
        _ => return Err(refuse(Errno::EINVAL, format!("interrupt action flags {flags:#x}"))),
    };
    Ok(Request::SetIrqs(SetIrqs { index, start, count, action, data }))
}

fn write_multi(fields: &mut Fields) -> Result<Request, Refusal> {
    /// "This format can only describe writes of 8 bytes or less."
    const DATA: usize = 8;
    const ONE: usize = 16 + DATA;
    let count = fields.u64()?;
    if count != (fields.0.len() / ONE) as u64 || !fields.0.len().is_multiple_of(ONE) {
        return Err(refuse(Errno::EINVAL, format!("{count} writes in {} bytes", fields.0.len())));
    }
    let mut writes = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let (offset, region, len) = (fields.u64()?, fields.u32()?, fields.u32()? as usize);
        let data = fields.take(DATA)?;
        if len == 0 || len > DATA {
            return Err(refuse(Errno::EINVAL, format!("write of {len} bytes in a list")));
        }
        writes.push(RegionWrite { offset, region, data: data[..len].to_vec() });
    }
    Ok(Request::RegionWriteMulti(writes))
}

#[cfg(test)]
mod tests;
