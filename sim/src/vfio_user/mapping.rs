//! One mapped part of a client's file: the only place where another process's memory is touched.
//!
//! The client runs beside us and may change any byte at any moment, so nothing here is ever a Rust slice of that
//! memory: bytes go through relaxed atomics, the widest which the address allows, so that an index is never torn.
//! Nor is a descriptor of a packed ring, nor a chain of them: descriptors are read from the lowest address on, and of each
//! the half with the flags first. Who sees new flags sees what was written before them: its address, and the chain behind it.
//! Decision (2026-11-28), [PCI Express: Update Ordering and Granularity Observed by a Read Transaction], which leaves both to the host.

use std::fs::File;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence};

use hematite_abi::ring::DESC_BYTES;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::unistd::{SysconfVar, sysconf};

use super::message::{DmaMap, Refusal, refuse};
use crate::log::say;

/// Part of a file of the client's, mapped into our process.
#[derive(Debug)]
pub(super) struct Mapping {
    file: File,
    /// Start of the mapped pages and their length.
    pages: NonNull<std::ffi::c_void>,
    pages_len: usize,
    /// Where the region begins behind `pages`.
    lead: usize,
    /// How long the file must be for all of the mapping to exist.
    needs: u64,
    /// The file cannot shrink any more.
    sealed: bool,
    pub(super) readable: bool,
    pub(super) writeable: bool,
}

impl Mapping {
    /// Maps the range of `fd` which `map` names.
    pub(super) fn new(fd: OwnedFd, map: &DmaMap) -> Result<Mapping, Refusal> {
        let file = File::from(fd);
        let stat = file.metadata().map_err(|e| refuse(Errno::EINVAL, format!("stat of DMA file: {e}")))?;
        if !stat.is_file() {
            return Err(refuse(Errno::EINVAL, "DMA file is no regular file"));
        }
        let needs = (map.offset.checked_add(map.size))
            .ok_or_else(|| refuse(Errno::EINVAL, "DMA map ends beyond any file"))?;
        if stat.size() < needs {
            // Pages beyond the end of a file can be mapped; touching one kills the process.
            let reason = format!("DMA file has {:#x} bytes, the map needs {needs:#x}", stat.size());
            return Err(refuse(Errno::EINVAL, reason));
        }
        let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4096) as u64;
        let granule = if stat.blksize() > page && is_hugetlb(&file) { stat.blksize() } else { page };
        let lead = map.offset % granule;
        let pages_len = usize::try_from((lead + map.size).next_multiple_of(granule))
            .ok()
            .and_then(NonZeroUsize::new)
            .ok_or_else(|| refuse(Errno::ENOMEM, "DMA map larger than the address space"))?;
        let offset = i64::try_from(map.offset - lead)
            .map_err(|_| refuse(Errno::EINVAL, "DMA map's file offset is out of range"))?;
        let mut protection = ProtFlags::PROT_NONE;
        protection.set(ProtFlags::PROT_READ, map.readable);
        protection.set(ProtFlags::PROT_WRITE, map.writeable);
        // SAFETY: a fresh shared mapping where the kernel likes; it aliases no memory of ours.
        let pages = unsafe { mmap(None, pages_len, protection, MapFlags::MAP_SHARED, &file, offset) }
            .map_err(|errno| refuse(errno, format!("mmap of {:#x} bytes", map.size)))?;
        let seals = fcntl(&file, FcntlArg::F_GET_SEALS).unwrap_or(0);
        let sealed = SealFlag::from_bits_truncate(seals).contains(SealFlag::F_SEAL_SHRINK);
        let (readable, writeable) = (map.readable, map.writeable);
        let (lead, pages_len) = (lead as usize, pages_len.get());
        Ok(Mapping { file, pages, pages_len, lead, needs, sealed, readable, writeable })
    }

    /// True while every byte of the mapping exists. A client which cuts its file between this and the access
    /// can still kill us by SIGBUS; one which seals it (QEMU's memfd does) cannot.
    pub(super) fn is_backed(&self) -> bool {
        self.sealed || self.file.metadata().is_ok_and(|stat| stat.size() >= self.needs)
    }

    /// Address of byte `offset` of the region, of which `len` follow.
    fn at(&self, offset: u64, len: usize) -> *mut u8 {
        let start = self.lead + offset as usize;
        assert!(start + len <= self.pages_len, "the table hands out no range beyond its regions");
        // SAFETY: in bounds of the mapping, as just checked.
        unsafe { self.pages.as_ptr().cast::<u8>().add(start) }
    }

    /// Reads at `offset`. Panics unless the region is readable and reaches that far: the table has checked both.
    pub(super) fn read(&self, offset: u64, buf: &mut [u8]) {
        assert!(self.readable);
        let mut pointer = self.at(offset, buf.len());
        let lead = (DESC_BYTES - pointer as usize % DESC_BYTES).min(buf.len());
        let (first, rest) = buf.split_at_mut(lead);
        for unit in std::iter::once(first).chain(rest.chunks_mut(DESC_BYTES)) {
            // SAFETY: `at` has checked the bounds, and the pages are mapped readable.
            pointer = unsafe {
                copy_unit(pointer, unit);
                pointer.add(unit.len())
            };
        }
    }

    /// Writes at `offset`. Panics unless the region is writeable and reaches that far: the table has checked both.
    pub(super) fn write(&self, offset: u64, data: &[u8]) {
        assert!(self.writeable);
        // One TLP's bytes are visible before the next one's: the function counts on posted order.
        fence(Ordering::Release);
        // SAFETY: `at` has checked the bounds, and the pages are mapped writeable.
        unsafe { copy_in(self.at(offset, data.len()), data) }
    }
}

/// Whether the file lies on hugetlbfs, where maps must be aligned to its block size.
fn is_hugetlb(file: &File) -> bool {
    nix::sys::statfs::fstatfs(file)
        .is_ok_and(|stat| stat.filesystem_type() == nix::sys::statfs::HUGETLBFS_MAGIC)
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and no pointer into it outlives a call of read or write.
        if let Err(errno) = unsafe { munmap(self.pages, self.pages_len) } {
            say(format_args!(
                "munmap of {:#x} bytes (fd {}): {errno}",
                self.pages_len,
                self.file.as_raw_fd()
            ));
        }
    }
}

/// The widest access, up to 8 bytes, which `pointer`'s alignment and `left` bytes allow.
fn width(pointer: *mut u8, left: usize) -> usize {
    let aligned = 1 << (pointer as usize).trailing_zeros().min(3);
    if left >= aligned { aligned } else { 1 << left.ilog2() }
}

/// Copies a descriptor, or a part of one: first the half with the flags, and nothing that is read later before that. So what the
/// driver wrote before an index which we have read is seen by the reads that follow, too.
/// # Safety
/// `unit.len()` bytes at `pointer`, all in one descriptor's place, are mapped and readable.
unsafe fn copy_unit(pointer: *mut u8, unit: &mut [u8]) {
    let below = (DESC_BYTES / 2).saturating_sub(pointer as usize % DESC_BYTES).min(unit.len());
    let (address, flags) = unit.split_at_mut(below);
    // SAFETY: as the caller vouches.
    unsafe { copy_out(pointer.add(below), flags) }
    fence(Ordering::Acquire);
    // SAFETY: as the caller vouches.
    unsafe { copy_out(pointer, address) }
    fence(Ordering::Acquire);
}

/// Copies shared memory into `buf`.
/// # Safety
/// `buf.len()` bytes at `pointer` are mapped and readable.
unsafe fn copy_out(mut pointer: *mut u8, mut buf: &mut [u8]) {
    while !buf.is_empty() {
        let (now, rest) = buf.split_at_mut(width(pointer, buf.len()));
        // SAFETY: `width` keeps each access aligned and within the bytes which the caller vouches for; other
        // processes reach them only as we do, by whole loads and stores.
        unsafe {
            match now.len() {
                8 => now.copy_from_slice(
                    &AtomicU64::from_ptr(pointer.cast()).load(Ordering::Relaxed).to_ne_bytes(),
                ),
                4 => now.copy_from_slice(
                    &AtomicU32::from_ptr(pointer.cast()).load(Ordering::Relaxed).to_ne_bytes(),
                ),
                2 => now.copy_from_slice(
                    &AtomicU16::from_ptr(pointer.cast()).load(Ordering::Relaxed).to_ne_bytes(),
                ),
                _ => now[0] = AtomicU8::from_ptr(pointer).load(Ordering::Relaxed),
            }
            pointer = pointer.add(now.len());
        }
        buf = rest;
    }
}

/// Copies `data` into shared memory.
/// # Safety
/// `data.len()` bytes at `pointer` are mapped and writeable.
unsafe fn copy_in(mut pointer: *mut u8, mut data: &[u8]) {
    while !data.is_empty() {
        let (now, rest) = data.split_at(width(pointer, data.len()));
        // SAFETY: as in `copy_out`.
        unsafe {
            match *now {
                [a, b, c, d, e, f, g, h] => AtomicU64::from_ptr(pointer.cast())
                    .store(u64::from_ne_bytes([a, b, c, d, e, f, g, h]), Ordering::Relaxed),
                [a, b, c, d] => AtomicU32::from_ptr(pointer.cast())
                    .store(u32::from_ne_bytes([a, b, c, d]), Ordering::Relaxed),
                [a, b] => {
                    AtomicU16::from_ptr(pointer.cast()).store(u16::from_ne_bytes([a, b]), Ordering::Relaxed)
                }
                _ => AtomicU8::from_ptr(pointer).store(now[0], Ordering::Relaxed),
            }
            pointer = pointer.add(now.len());
        }
        data = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::memfd::{MFdFlags, memfd_create};
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::SeqCst;

    /// A driver makes chains of a packed ring available as often as it can: their other descriptors, then the head, of each the
    /// address first and the flags last. What is read has never new flags and an old address, nor a new head and an old rest.
    #[test]
    fn a_chain_is_never_torn() {
        const ROUNDS: u64 = 1_000_000;
        let file = memfd_create(c"ring", MFdFlags::empty()).unwrap();
        nix::unistd::ftruncate(&file, 4096).unwrap();
        let map = || DmaMap { readable: true, writeable: true, offset: 0, addr: 0, size: 4096 };
        let ours = Mapping::new(file.try_clone().unwrap(), &map()).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let theirs = Mapping::new(file, &map()).unwrap();
                for round in 1..=ROUNDS {
                    for at in [32, 16, 112, 96] {
                        theirs.write(at, &round.to_ne_bytes());
                        theirs.write(at + 8, &round.to_ne_bytes());
                    }
                }
                done.store(true, SeqCst);
            });
            while !done.load(SeqCst) {
                let mut line = [0; 128];
                ours.read(0, &mut line);
                let word = |at: usize| u64::from_ne_bytes(line[at..at + 8].try_into().unwrap());
                for (head, next) in [(16, 32), (96, 112)] {
                    let [address, flags] = [word(head), word(head + 8)];
                    let [next_address, next_flags] = [word(next), word(next + 8)];
                    assert!(address >= flags, "flags {flags} beside address {address}");
                    assert!(next_address >= next_flags, "flags {next_flags} beside address {next_address}");
                    assert!(next_flags >= flags, "head {flags} before {next_flags}");
                }
            }
        });
    }
}
