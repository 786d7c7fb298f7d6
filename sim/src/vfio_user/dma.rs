//! The client's memory: the ranges it has mapped for us, and the function's reads and writes of them.
//! Spec: [vfio-user: VFIO_USER_DMA_MAP], [vfio-user: VFIO_USER_DMA_UNMAP]
//!
//! Invariant: behind the answer to a DMA_UNMAP nothing is written to that memory. An address becomes a place in the very call that puts
//! the bytes there, and no one keeps either; the server has one thread, so requests are answered between such calls. What the function
//! still has under way by then meets no region: a write is dropped and counted, a read gets UR.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use nix::errno::Errno;

use super::mapping::Mapping;
use super::message::{DmaMap, DmaUnmap, Refusal, refuse};
use crate::root::memory::{Fault, HostMemory};

/// Regions that may be mapped at a time, as we announce it. [vfio-user: Version]
pub const MAX_MAPS: usize = 65_535;

/// One range which the client has told us of.
#[derive(Debug)]
struct Region {
    size: u64,
    /// None for memory which comes without a file (ROMs): we know of it, and DMA to it faults.
    mapping: Option<Mapping>,
}

/// All that the client has mapped, by address.
#[derive(Debug, Default)]
pub struct GuestMemory {
    regions: BTreeMap<u64, Region>,
    /// Accesses which were refused.
    pub faults: u64,
    /// The last of them, for messages.
    pub last_fault: Option<Fault>,
}

impl GuestMemory {
    /// Nothing is mapped.
    pub fn new() -> GuestMemory {
        GuestMemory::default()
    }

    /// Regions which are mapped now.
    pub fn len(&self) -> usize {
        self.regions.len()
    }

    /// True if no region is mapped.
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// Adds a region. The parser has checked that its ends do not wrap.
    pub fn map(&mut self, map: &DmaMap, fd: Option<OwnedFd>) -> Result<(), Refusal> {
        let last = map.addr + (map.size - 1);
        let below = self.regions.range(..=last).next_back();
        if let Some((base, region)) = below.filter(|(base, region)| *base + (region.size - 1) >= map.addr) {
            // "A command to map over an existing region must be failed by the server with EEXIST"
            let end = base + (region.size - 1);
            let reason = format!("{:#x}..={last:#x} overlaps {base:#x}..={end:#x}", map.addr);
            return Err(refuse(Errno::EEXIST, reason));
        }
        if self.regions.len() >= MAX_MAPS {
            return Err(refuse(Errno::ENOSPC, format!("{MAX_MAPS} DMA maps already")));
        }
        let mapping = fd.map(|fd| Mapping::new(fd, map)).transpose()?;
        self.regions.insert(map.addr, Region { size: map.size, mapping });
        Ok(())
    }

    /// Withdraws a region, or all.
    pub fn unmap(&mut self, unmap: &DmaUnmap) -> Result<(), Refusal> {
        if unmap.all {
            self.regions.clear();
            return Ok(());
        }
        // The specification wants exactly one region; QEMU with a vIOMMU withdraws ranges which hold many or none, as
        // the kernel's own container (VFIO type 1) lets it. Neither cuts a region in two.
        let Some(last) = unmap.size.checked_sub(1).and_then(|len| unmap.addr.checked_add(len)) else {
            return Err(refuse(Errno::EINVAL, "range to unmap is empty or wraps"));
        };
        let range = unmap.addr..=last;
        let touched = self.regions.range(..=last).rev();
        let touched = touched.take_while(|(base, region)| *base + (region.size - 1) >= unmap.addr);
        let mut inside = vec![];
        for (base, region) in touched {
            let end = *base + (region.size - 1);
            if !range.contains(base) || !range.contains(&end) {
                let reason = format!("{:#x}..={last:#x} cuts the map {base:#x}..={end:#x}", unmap.addr);
                return Err(refuse(Errno::EINVAL, reason));
            }
            inside.push(*base);
        }
        inside.iter().for_each(|base| drop(self.regions.remove(base)));
        Ok(())
    }

    /// The client is gone: every access faults until another maps memory.
    pub fn clear(&mut self) {
        self.regions.clear();
    }

    /// The mapping behind `addr`, the offset in it, and how many of `len` bytes lie in it.
    fn find(&self, addr: u64, len: usize, write: bool) -> Option<(&Mapping, u64, usize)> {
        let (base, region) = self.regions.range(..=addr).next_back()?;
        let offset = addr - base;
        let left = region.size.checked_sub(offset).filter(|left| *left > 0)?;
        let mapping = region.mapping.as_ref()?;
        let allowed = if write { mapping.writeable } else { mapping.readable };
        (allowed && mapping.is_backed())
            .then(|| (mapping, offset, usize::try_from(left).map_or(len, |left| left.min(len))))
    }

    /// Cuts `len` bytes at `addr` at the borders of regions and hands the pieces to `access`; if any part is
    /// missing, nothing is touched.
    fn pieces(
        &mut self,
        addr: u64,
        len: usize,
        write: bool,
        mut access: impl FnMut(&Mapping, u64, std::ops::Range<usize>),
    ) -> Result<(), Fault> {
        let piece = |done: usize| self.find(addr.checked_add(done as u64)?, len - done, write);
        let mut done = 0;
        while done < len {
            let Some((_, _, piece)) = piece(done) else {
                let fault = Fault { addr, len, write };
                (self.faults, self.last_fault) = (self.faults + 1, Some(fault));
                return Err(fault);
            };
            done += piece;
        }
        done = 0;
        while let Some((mapping, offset, len)) = piece(done).filter(|_| done < len) {
            access(mapping, offset, done..done + len);
            done += len;
        }
        Ok(())
    }
}

impl HostMemory for GuestMemory {
    fn read(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        self.pieces(addr, buf.len(), false, |mapping, offset, range| mapping.read(offset, &mut buf[range]))
    }

    fn write(&mut self, addr: u64, data: &[u8]) -> Result<(), Fault> {
        self.pieces(addr, data.len(), true, |mapping, offset, range| mapping.write(offset, &data[range]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    use nix::sys::memfd::{MFdFlags, memfd_create};
    use std::os::unix::fs::FileExt;

    fn memfd(len: u64) -> File {
        let file = File::from(memfd_create("guest", MFdFlags::MFD_CLOEXEC).unwrap());
        file.set_len(len).unwrap();
        file
    }

    fn at(addr: u64, size: u64, offset: u64) -> DmaMap {
        DmaMap { readable: true, writeable: true, offset, addr, size }
    }

    fn fd(file: &File) -> Option<OwnedFd> {
        Some(file.try_clone().unwrap().into())
    }

    #[test]
    fn bytes_of_any_alignment_arrive_in_the_file() {
        let file = memfd(0x3000);
        let mut memory = GuestMemory::new();
        memory.map(&at(0x10_0000, 0x2000, 0x1000), fd(&file)).unwrap();
        for start in 0..16u64 {
            for len in 1..24usize {
                let data: Vec<u8> = (0..len).map(|i| (start as usize * 31 + i * 7 + len) as u8).collect();
                memory.write(0x10_0800 + start, &data).unwrap();
                let mut seen = vec![0; len];
                file.read_exact_at(&mut seen, 0x1800 + start).unwrap();
                assert_eq!(seen, data, "write {start}+{len}");
                seen.fill(0);
                memory.read(0x10_0800 + start, &mut seen).unwrap();
                assert_eq!(seen, data, "read {start}+{len}");
            }
        }
    }

    #[test]
    fn an_access_across_two_maps_is_split_and_a_hole_faults_without_a_trace() {
        let (low, high) = (memfd(0x1000), memfd(0x1000));
        let mut memory = GuestMemory::new();
        memory.map(&at(0x1000, 0x1000, 0), fd(&low)).unwrap();
        memory.map(&at(0x2000, 0x1000, 0), fd(&high)).unwrap();
        memory.write(0x1ffe, &[1, 2, 3, 4]).unwrap();
        let mut bytes = [0; 2];
        high.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes, [3, 4]);
        assert!(memory.write(0x2ffe, &[9, 9, 9, 9]).is_err());
        high.read_exact_at(&mut bytes, 0xffe).unwrap();
        assert_eq!(bytes, [0, 0], "the part before the hole is not written");
        assert!(memory.read(u64::MAX - 1, &mut [0; 4]).is_err());
        assert_eq!(memory.faults, 2);
    }

    #[test]
    fn overlaps_are_refused_and_unmap_cuts_nothing() {
        let file = memfd(0x10_000);
        let mut memory = GuestMemory::new();
        memory.map(&at(0x4000, 0x4000, 0), fd(&file)).unwrap();
        for (addr, size) in [(0x4000, 0x4000), (0x7fff, 1), (0x3000, 0x1001), (0x5000, 0x1000), (0, 0x10_000)]
        {
            let refusal = memory.map(&at(addr, size, 0), None).expect_err("overlap");
            assert_eq!(refusal.errno, Errno::EEXIST, "{addr:#x}+{size:#x}");
        }
        memory.map(&at(0x8000, 0x1000, 0), None).unwrap();
        memory.map(&at(0x3000, 0x1000, 0), None).unwrap();
        let unmap = |addr, size| DmaUnmap { all: false, addr, size };
        for (addr, size) in [(0x4000, 0x1000), (0x5000, 0x1000), (0x7000, 0x2000), (0x3800, 0x8000)] {
            let refusal = memory.unmap(&unmap(addr, size)).expect_err("cuts");
            assert_eq!(refusal.errno, Errno::EINVAL, "{addr:#x}+{size:#x}");
            assert_eq!(memory.len(), 3, "all or nothing");
        }
        memory.unmap(&unmap(0x4000, 0x4000)).unwrap();
        assert!(memory.read(0x4000, &mut [0]).is_err());
        assert_eq!(memory.len(), 2);
        memory.unmap(&unmap(0x4000, 0x4000)).expect("nothing there is no error");
        memory.map(&at(0x4000, 0x4000, 0), fd(&file)).unwrap();
        memory.unmap(&unmap(0x4000, 0u64.wrapping_sub(0x4000))).expect("up to the end of all addresses");
        assert_eq!(memory.len(), 1);
        memory.unmap(&DmaUnmap { all: true, addr: 0, size: 0 }).unwrap();
        assert!(memory.is_empty());
    }

    #[test]
    fn a_file_shorter_than_claimed_is_refused_now_and_faults_later() {
        let file = memfd(0x1000);
        let mut memory = GuestMemory::new();
        assert_eq!(memory.map(&at(0, 0x2000, 0), fd(&file)).unwrap_err().errno, Errno::EINVAL);
        memory.map(&at(0, 0x1000, 0), fd(&file)).unwrap();
        assert!(memory.read(0x800, &mut [0; 8]).is_ok());
        file.set_len(0).unwrap();
        assert!(memory.read(0x800, &mut [0; 8]).is_err());
        assert!(memory.write(0x800, &[0; 8]).is_err());
    }

    #[test]
    fn ends_beyond_all_numbers_are_refused() {
        let file = memfd(0x1000);
        let mut memory = GuestMemory::new();
        let refusal = memory.map(&at(0, 0x1000, 0u64.wrapping_sub(0x1000)), fd(&file)).unwrap_err();
        assert_eq!(refusal.errno, Errno::EINVAL);
        memory.map(&at(0u64.wrapping_sub(0x1000), 0x1000, 0), fd(&file)).expect("the last page");
        memory.write(u64::MAX - 3, &[1, 2, 3, 4]).expect("the last bytes");
        assert!(memory.write(u64::MAX - 2, &[1, 2, 3, 4]).is_err(), "beyond them");
    }

    #[test]
    fn no_file_no_regular_file_and_no_permission() {
        let mut memory = GuestMemory::new();
        memory.map(&at(0, 0x1000, 0), None).unwrap();
        assert!(memory.read(0, &mut [0]).is_err(), "known, but out of reach");
        let (read, _write) = nix::unistd::pipe().unwrap();
        assert_eq!(memory.map(&at(0x1000, 0x1000, 0), Some(read)).unwrap_err().errno, Errno::EINVAL);
        let file = memfd(0x1000);
        let rom = DmaMap { writeable: false, ..at(0x2000, 0x1000, 0) };
        memory.map(&rom, fd(&file)).unwrap();
        assert!(memory.read(0x2000, &mut [0]).is_ok());
        assert!(memory.write(0x2000, &[0]).is_err());
    }
}
