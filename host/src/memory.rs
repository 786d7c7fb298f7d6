//! Memory that a device reads and writes: a file of its own, so that it can be handed to another process too. Never a Rust
//! reference: the device may write at any moment. Every access is checked against its length.

mod guard;

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering, fence};

use memmap2::{MmapOptions, MmapRaw};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use self::guard::Guard;
use crate::bus::inside;
use crate::error::{Error, Result};

/// Which pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pages {
    /// The machine's usual ones.
    #[default]
    Usual,
    /// Of 2 MiB, if the machine has any reserved.
    Huge,
}

impl Pages {
    fn bytes(self) -> usize {
        match self {
            Pages::Usual => 4096,
            Pages::Huge => 2 << 20,
        }
    }
}

/// Memory for a device.
#[derive(Debug)]
pub struct DmaMemory {
    // Before the map: it goes first.
    guard: Option<Guard>,
    file: File,
    map: MmapRaw,
    /// Where in the file it begins.
    start: usize,
}

impl DmaMemory {
    /// At least so many bytes, all zero.
    pub fn new(bytes: usize, pages: Pages) -> Result<DmaMemory> {
        let bytes = bytes.max(1).next_multiple_of(pages.bytes());
        let huge = if pages == Pages::Huge { MFdFlags::MFD_HUGETLB } else { MFdFlags::empty() };
        let fail = |source: nix::Error| {
            let next = "fewer bytes, or more huge pages: /proc/sys/vm/nr_hugepages";
            Error::system(format!("get {bytes} bytes of memory for the device"), source, next)
        };
        let file = File::from(memfd_create("hematite", MFdFlags::MFD_CLOEXEC | huge).map_err(fail)?);
        let fail = |source| {
            Error::system(
                format!("map {bytes} bytes of memory for the device"),
                source,
                "is there enough memory?",
            )
        };
        file.set_len(bytes as u64).map_err(fail)?;
        let map = MmapRaw::map_raw(&file).map_err(fail)?;
        Ok(DmaMemory { guard: None, file, map, start: 0 })
    }

    /// Memory of another process, by a file of its.
    pub fn foreign(file: File, start: u64, bytes: u64) -> Result<DmaMemory> {
        let next = "memory has to be shared: memory-backend-memfd,share=on";
        let fail =
            |source| Error::system(format!("map {bytes:#x} bytes at {start:#x} of a file"), source, next);
        let length = file.metadata().map_err(fail)?.len();
        inside("a file of memory", length, start, bytes)?;
        // From the file's start: huge pages begin where they like, but not in the middle.
        let map = MmapOptions::new().len((start + bytes) as usize).map_raw(&file).map_err(fail)?;
        let seals = fcntl(&file, FcntlArg::F_GET_SEALS).unwrap_or(0);
        // Another process may cut the file short at any moment, if it is not sealed against it.
        let shrinks = !SealFlag::from_bits_truncate(seals).contains(SealFlag::F_SEAL_SHRINK);
        let guard = shrinks.then(|| Guard::new(map.as_mut_ptr() as usize, map.len())).transpose();
        Ok(DmaMemory { guard: guard.map_err(fail)?, file, map, start: start as usize })
    }

    /// Bytes.
    pub fn bytes(&self) -> usize {
        self.map.len() - self.start
    }

    /// Where in its file it begins.
    pub fn file_offset(&self) -> u64 {
        self.start as u64
    }

    /// Where it is in this process.
    pub(crate) fn start(&self) -> *mut u8 {
        self.map.as_mut_ptr().wrapping_add(self.start)
    }

    fn check(&self, at: u64, bytes: usize) -> Result<()> {
        inside("the device's memory", self.bytes() as u64, at, bytes as u64)?;
        if self.guard.is_some() {
            let length = self.file.metadata().map_err(lost)?.len();
            inside("the other process's file", length, self.file_offset() + at, bytes as u64)?;
        }
        Ok(())
    }

    /// Copies bytes out by the file: no signal, whatever becomes of it meanwhile. For memory of others that rests: an index
    /// which changes just now may be torn.
    pub fn look(&self, at: u64, data: &mut [u8]) -> Result<()> {
        inside("the other process's memory", self.bytes() as u64, at, data.len() as u64)?;
        self.file.read_exact_at(data, self.file_offset() + at).map_err(lost)
    }

    fn byte(&self, at: usize) -> &AtomicU8 {
        assert!(at < self.bytes());
        // SAFETY: inside the map, which lives as long as `self`; a byte is aligned; others only access it by atomics, or
        // are a device.
        unsafe { AtomicU8::from_ptr(self.start().add(at)) }
    }

    fn half(&self, at: u64) -> Result<&AtomicU16> {
        self.check(at, 2)?;
        if !(self.file_offset() + at).is_multiple_of(2) {
            return Err(Error::Device(format!("16 bits of the device's memory at {at:#x}, which is odd")));
        }
        // SAFETY: as above; even, and the map begins at a page.
        Ok(unsafe { AtomicU16::from_ptr(self.start().add(at as usize).cast()) })
    }

    /// Copies bytes out.
    pub fn read(&self, at: u64, data: &mut [u8]) -> Result<()> {
        self.check(at, data.len())?;
        for (place, byte) in (at as usize..).zip(data) {
            *byte = self.byte(place).load(Ordering::Relaxed);
        }
        Ok(())
    }

    /// Copies bytes in.
    pub fn write(&self, at: u64, data: &[u8]) -> Result<()> {
        self.check(at, data.len())?;
        for (place, byte) in (at as usize..).zip(data) {
            self.byte(place).store(*byte, Ordering::Relaxed);
        }
        Ok(())
    }

    /// An array.
    pub fn array<const N: usize>(&self, at: u64) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read(at, &mut bytes)?;
        Ok(bytes)
    }

    /// Sixteen bits in one piece; what is read afterwards is not older.
    pub fn load(&self, at: u64) -> Result<u16> {
        Ok(u16::from_le(self.half(at)?.load(Ordering::Acquire)))
    }

    /// Sixteen bits in one piece; what was written before is seen before.
    pub fn store(&self, at: u64, value: u16) -> Result<()> {
        self.half(at)?.store(value.to_le(), Ordering::Release);
        Ok(())
    }

    /// Sets bits of a byte, whoever sets or clears others at the same time; those which were not set.
    pub fn set(&self, at: u64, bits: u8) -> Result<u8> {
        self.check(at, 1)?;
        Ok(bits & !self.byte(at as usize).fetch_or(bits, Ordering::SeqCst))
    }

    /// What was written is seen before anything that is read or written from here on.
    pub fn barrier(&self) {
        fence(Ordering::SeqCst);
    }
}

fn lost(error: std::io::Error) -> Error {
    Error::system("reach the other process's memory", error, "has it cut it short?")
}

impl AsFd for DmaMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_reached_beyond_its_end() {
        let memory = DmaMemory::new(5000, Pages::Usual).unwrap();
        assert_eq!(memory.bytes(), 8192);
        memory.write(8188, &[1, 2, 3, 4]).unwrap();
        assert_eq!(memory.array::<4>(8188).unwrap(), [1, 2, 3, 4]);
        assert_eq!(memory.load(8190).unwrap(), 0x0403);
        for at in [8189, 8192, u64::MAX, u64::MAX - 2] {
            assert!(memory.write(at, &[0; 4]).is_err() && memory.array::<4>(at).is_err(), "{at:#x}");
        }
        assert!(memory.load(8191).is_err() && memory.load(3).is_err() && memory.store(8192, 0).is_err());
    }

    #[test]
    fn memory_of_others_is_reached_as_long_as_it_is_there() {
        let own = DmaMemory::new(8192, Pages::Usual).unwrap();
        own.store(4098, 0x1234).unwrap();
        let other = |start, bytes| DmaMemory::foreign(own.file.try_clone().unwrap(), start, bytes);
        let memory = other(4096, 4096).unwrap();
        let look = |at| {
            let mut bytes = [0; 2];
            memory.look(at, &mut bytes).map(|()| u16::from_le_bytes(bytes))
        };
        assert_eq!((memory.bytes(), memory.file_offset(), look(2).unwrap()), (4096, 4096, 0x1234));
        assert_eq!(memory.load(2).unwrap(), 0x1234);
        memory.write(4095, &[7]).unwrap();
        assert_eq!(own.array::<1>(8191).unwrap(), [7]);
        assert!(look(4095).is_err() && memory.load(4096).is_err() && memory.write(4095, &[1, 2]).is_err());
        own.file.set_len(6144).unwrap();
        assert!(memory.load(2046).is_ok() && memory.load(2048).is_err(), "cut short, and no signal");
        assert!(look(2046).is_ok() && look(2048).is_err() && memory.set(2048, 1).is_err());
        for (start, bytes) in [(4096, 2049), (u64::MAX, 2), (0, u64::MAX), (8192, 0)] {
            assert!(other(start, bytes).is_err(), "{start:#x} {bytes:#x}");
        }
        // Between the look and the access.
        let byte = memory.byte(2048);
        own.file.set_len(4096).unwrap();
        assert_eq!(
            (byte.load(Ordering::Relaxed), memory.byte(2).load(Ordering::Relaxed)),
            (0, 0),
            "no signal"
        );
        own.file.set_len(8192).unwrap();
        let odd = other(4097, 16).unwrap();
        assert!(odd.load(1).is_ok() && odd.load(0).is_err(), "an index that is whole");
    }

    #[test]
    fn bits_are_set_beside_others() {
        let memory = DmaMemory::new(4096, Pages::Usual).unwrap();
        assert_eq!((memory.set(9, 0b101).unwrap(), memory.set(9, 0b110).unwrap()), (0b101, 0b010));
        assert_eq!(memory.array::<1>(9).unwrap(), [0b111]);
        assert!(memory.set(4096, 1).is_err());
    }
}
