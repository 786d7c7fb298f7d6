//! Host memory: the trait behind which guest memory or a test's own windows stand, and the in-process body.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// An access which memory refuses; the root complex answers a read with UR and counts a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} of {len} bytes at {addr:#x}: not mapped", if *write { "write" } else { "read" })]
pub struct Fault {
    pub addr: u64,
    pub len: usize,
    pub write: bool,
}

/// What the device's DMA reaches.
pub trait HostMemory {
    fn read(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault>;
    fn write(&mut self, addr: u64, data: &[u8]) -> Result<(), Fault>;
}

impl<M: HostMemory + ?Sized> HostMemory for Box<M> {
    fn read(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        (**self).read(addr, buf)
    }
    fn write(&mut self, addr: u64, data: &[u8]) -> Result<(), Fault> {
        (**self).write(addr, data)
    }
}

/// One write into a watched range, in the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    pub addr: u64,
    pub data: Vec<u8>,
}

/// Memory in the process: windows which are mapped, traps on all the rest, and watched ranges.
#[derive(Clone, Default)]
pub struct Windows {
    windows: BTreeMap<u64, Vec<u8>>,
    watched: Vec<Range<u64>>,
    /// Writes into watched ranges.
    pub touches: Vec<Touch>,
    /// Accesses which hit no window.
    pub faults: Vec<Fault>,
}

impl fmt::Debug for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.windows.iter().map(|(base, bytes)| *base..base + bytes.len() as u64))
            .finish()
    }
}

impl Windows {
    /// No window at all.
    pub fn new() -> Windows {
        Windows::default()
    }

    /// Maps `len` zero bytes at `base`. Panics on overlap: that is the test's own bug.
    pub fn map(&mut self, base: u64, len: usize) {
        let end = base + len as u64;
        let before = self.windows.range(..end).next_back().map_or(0, |(b, bytes)| b + bytes.len() as u64);
        assert!(before <= base, "window {base:#x}..{end:#x} overlaps another");
        self.windows.insert(base, vec![0; len]);
    }

    /// Takes away the window which starts at `base`.
    pub fn unmap(&mut self, base: u64) {
        self.windows.remove(&base);
    }

    /// Records every write which touches `range`.
    pub fn watch(&mut self, range: Range<u64>) {
        self.watched.push(range);
    }

    fn slice(&mut self, addr: u64, len: usize) -> Option<&mut [u8]> {
        let (base, bytes) = self.windows.range_mut(..=addr).next_back()?;
        let start = usize::try_from(addr - base).ok()?;
        bytes.get_mut(start..start.checked_add(len)?)
    }

    /// All windows, for a comparison of two runs.
    pub fn contents(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.windows.iter().map(|(base, bytes)| (*base, bytes.as_slice()))
    }

    /// The driver's own look at `N` bytes. Panics if they are not mapped.
    pub fn peek<const N: usize>(&mut self, addr: u64) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.slice(addr, N).unwrap_or_else(|| panic!("peek of unmapped {addr:#x}")));
        bytes
    }

    /// The driver's own look at any length. Panics if the bytes are not mapped.
    pub fn look(&mut self, addr: u64, buf: &mut [u8]) {
        let len = buf.len();
        buf.copy_from_slice(self.slice(addr, len).unwrap_or_else(|| panic!("look at unmapped {addr:#x}")));
    }

    /// The driver's own write; it touches no watch. Panics if the bytes are not mapped.
    pub fn poke(&mut self, addr: u64, data: &[u8]) {
        self.slice(addr, data.len())
            .unwrap_or_else(|| panic!("poke of unmapped {addr:#x}"))
            .copy_from_slice(data);
    }
}

impl HostMemory for Windows {
    fn read(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        match self.slice(addr, buf.len()) {
            Some(bytes) => {
                buf.copy_from_slice(bytes);
                Ok(())
            }
            None => {
                let fault = Fault { addr, len: buf.len(), write: false };
                self.faults.push(fault);
                Err(fault)
            }
        }
    }

    fn write(&mut self, addr: u64, data: &[u8]) -> Result<(), Fault> {
        match self.slice(addr, data.len()) {
            Some(bytes) => bytes.copy_from_slice(data),
            None => {
                let fault = Fault { addr, len: data.len(), write: true };
                self.faults.push(fault);
                return Err(fault);
            }
        }
        let end = addr + data.len() as u64;
        if self.watched.iter().any(|watch| watch.start < end && addr < watch.end) {
            self.touches.push(Touch { addr, data: data.to_vec() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_trap_what_is_beside_them() {
        let mut memory = Windows::new();
        memory.map(0x1000, 0x100);
        memory.watch(0x1010..0x1012);
        assert!(memory.write(0x1000, &[1]).is_ok());
        assert!(memory.write(0x100e, &[1, 2, 3]).is_ok());
        assert!(memory.write(0x10ff, &[1, 2]).is_err());
        assert!(memory.read(0xfff, &mut [0]).is_err());
        assert_eq!(memory.touches, [Touch { addr: 0x100e, data: vec![1, 2, 3] }]);
        assert_eq!(memory.faults.len(), 2);
    }
}
