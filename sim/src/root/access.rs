//! Accesses of ours, of any offset and length: configuration space, device memory, the function's BAR.

use super::complex::{RequestError, Root};
use super::memory::HostMemory;
use super::tlp::{CfgRequest, Tlp};
use crate::device::Device;

/// Bytes of a memory request of ours: never across a boundary of so many. What the function's completer serves.
pub const REQUEST_BYTES: usize = 128;

impl<D: Device, M: HostMemory> Root<D, M> {
    fn config_request(&mut self, offset: u16, be: u8) -> CfgRequest {
        CfgRequest { requester: self.host, tag: self.tag(), target: self.function, offset: offset & !3, be }
    }

    /// Reads configuration space, any offset and length, one double word at a time.
    pub fn config_read(&mut self, offset: u16, buf: &mut [u8]) -> Result<(), RequestError> {
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u16;
            let lane = usize::from(at & 3);
            let len = (4 - lane).min(buf.len() - done);
            let request = self.config_request(at, (((1 << len) - 1) << lane) as u8);
            let word = self.succeed(Tlp::cfg_read0(request), 4)?;
            buf[done..done + len].copy_from_slice(&word[lane..lane + len]);
            done += len;
        }
        Ok(())
    }

    /// Writes configuration space, any offset and length, one double word at a time.
    pub fn config_write(&mut self, offset: u16, data: &[u8]) -> Result<(), RequestError> {
        let mut done = 0;
        while done < data.len() {
            let at = offset + done as u16;
            let lane = usize::from(at & 3);
            let len = (4 - lane).min(data.len() - done);
            let mut word = [0; 4];
            word[lane..lane + len].copy_from_slice(&data[done..done + len]);
            let request = self.config_request(at, (((1 << len) - 1) << lane) as u8);
            self.succeed(Tlp::cfg_write0(request, u32::from_le_bytes(word)), 0)?;
            done += len;
        }
        Ok(())
    }

    /// Reads device memory at a bus address.
    pub fn mem_read(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), RequestError> {
        for (at, range) in pieces(addr, buf.len()) {
            let tag = self.tag();
            let tlp = Tlp::mem_read(self.host, tag, at, range.len());
            let lane = (at & 3) as usize;
            let words = self.succeed(tlp, (lane + range.len()).div_ceil(4) * 4)?;
            let len = range.len();
            buf[range].copy_from_slice(&words[lane..lane + len]);
        }
        Ok(())
    }

    /// Writes device memory at a bus address; posted, so it is on its way when this returns.
    pub fn mem_write(&mut self, addr: u64, data: &[u8]) {
        for (at, range) in pieces(addr, data.len()) {
            let tlp = Tlp::mem_write(self.host, at, &data[range]);
            self.replies.occupy(self.device.now(), &tlp);
            self.send(tlp);
        }
    }

    /// Reads the function's BAR.
    pub fn bar_read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), RequestError> {
        let base = self.bar.ok_or(RequestError::NoBar)?;
        self.mem_read(base + offset, buf)
    }

    /// Writes the function's BAR; posted.
    pub fn bar_write(&mut self, offset: u64, data: &[u8]) -> Result<(), RequestError> {
        let base = self.bar.ok_or(RequestError::NoBar)?;
        self.mem_write(base + offset, data);
        Ok(())
    }
}

/// Cuts an access at the boundaries of [`REQUEST_BYTES`], as a root complex cuts at cache lines.
fn pieces(addr: u64, len: usize) -> Vec<(u64, std::ops::Range<usize>)> {
    let mut pieces = vec![];
    let mut done = 0;
    while done < len {
        let at = addr + done as u64;
        let room = REQUEST_BYTES - (at % REQUEST_BYTES as u64) as usize;
        let end = len.min(done + room);
        pieces.push((at, done..end));
        done = end;
    }
    pieces
}
