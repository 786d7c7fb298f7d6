//! The log of pages written: a bit a page, in memory which the front end clears bits of at the same time.
//! Spec: [vhost-user: Migration]

use std::cell::Cell;
use std::fs::File;
use std::os::fd::OwnedFd;

use super::{Done, Trouble, refused};
use crate::error::Error;
use crate::memory::DmaMemory;

/// Bytes of a page, whatever the machine's have.
pub(super) const PAGE: u64 = 4096;
/// Pages of a byte of the log.
const PAGES: u64 = 8;
/// A log is never longer: it is one of 32 TiB.
const LONGEST: u64 = 1 << 30;
/// How much of a log is looked at in one piece.
const PIECE: usize = 1 << 16;

fn refuse(error: Error) -> Trouble {
    Trouble::Refused(format!("the log: {error}"))
}

/// The log, and how many bits of it were set here.
#[derive(Debug)]
pub(super) struct Log {
    memory: DmaMemory,
    marked: Cell<u64>,
}

impl Log {
    /// So many bytes of a file.
    pub(super) fn new(fd: OwnedFd, bytes: u64, offset: u64) -> Done<Log> {
        if bytes == 0 || bytes > LONGEST {
            return refused(format!("a log of {bytes} bytes: 1 to {LONGEST} can be"));
        }
        let memory = DmaMemory::foreign(File::from(fd), offset, bytes).map_err(refuse)?;
        Ok(Log { memory, marked: Cell::new(0) })
    }

    /// Whether every page below an address has its bit.
    pub(super) fn covers(&self, end: u64) -> bool {
        end.div_ceil(PAGE).div_ceil(PAGES) <= self.memory.bytes() as u64
    }

    /// Marks the page of an address.
    pub(super) fn mark(&self, address: u64) -> Done<()> {
        let page = address / PAGE;
        let set = self.memory.set(page / PAGES, 1 << (page % PAGES)).map_err(refuse)?;
        self.marked.set(self.marked.get() + u64::from(set != 0));
        Ok(())
    }

    /// Marks every page of so many bytes.
    pub(super) fn mark_all(&self, address: u64, bytes: u64) -> Done<()> {
        let end = if bytes == 0 { 0 } else { address.saturating_add(bytes) };
        (address / PAGE..end.div_ceil(PAGE)).try_for_each(|page| self.mark(page * PAGE))
    }

    /// Takes over what another has marked, as far as this one reaches.
    pub(super) fn adopt(&self, other: &Log) -> Done<()> {
        let both = self.memory.bytes().min(other.memory.bytes());
        let mut piece = vec![0; PIECE.min(both)];
        for start in (0..both).step_by(PIECE) {
            let piece = &mut piece[..PIECE.min(both - start)];
            other.memory.look(start as u64, piece).map_err(refuse)?;
            for (at, bits) in (start as u64..).zip(&*piece).filter(|(_, bits)| **bits != 0) {
                self.memory.set(at, *bits).map_err(refuse)?;
            }
        }
        self.marked.set(self.marked.get() + other.marked.get());
        Ok(())
    }

    /// Bits that were set.
    pub(super) fn marked(&self) -> u64 {
        self.marked.get()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::memory::Pages;

    fn log(memory: &DmaMemory, bytes: u64, offset: u64) -> Done<Log> {
        Log::new(memory.as_fd().try_clone_to_owned().unwrap(), bytes, offset)
    }

    #[test]
    fn a_page_has_its_bit_and_no_other_is_touched() {
        let memory = DmaMemory::new(4096, Pages::Usual).unwrap();
        let log = log(&memory, 3, 5).unwrap();
        assert!(log.covers(24 * PAGE) && !log.covers(24 * PAGE + 1) && !log.covers(u64::MAX));
        log.mark_all(PAGE - 1, 2).unwrap();
        log.mark_all(9 * PAGE, PAGE).unwrap();
        log.mark_all(9 * PAGE + 1, 0).unwrap();
        log.mark(24 * PAGE - 1).unwrap();
        assert_eq!(memory.array::<9>(0).unwrap(), [0, 0, 0, 0, 0, 0b11, 0b10, 0x80, 0]);
        assert!(log.mark(24 * PAGE).is_err() && log.mark_all(u64::MAX, u64::MAX).is_err());
        assert_eq!((log.marked(), memory.array::<1>(8).unwrap()), (4, [0]));
    }

    #[test]
    fn a_log_that_cannot_be_is_refused() {
        let memory = DmaMemory::new(4096, Pages::Usual).unwrap();
        for (bytes, offset) in [(0, 0), (4097, 0), (1, 4096), (4096, u64::MAX), (LONGEST + 1, 0)] {
            assert!(log(&memory, bytes, offset).is_err(), "{bytes} at {offset}");
        }
        let pipe = nix::unistd::pipe().unwrap().0;
        assert!(Log::new(pipe, 1, 0).is_err());
    }

    #[test]
    fn what_an_older_one_was_told_is_not_lost() {
        let (one, other) = (DmaMemory::new(1 << 17, Pages::Usual), DmaMemory::new(4096, Pages::Usual));
        let (one, other) = (one.unwrap(), other.unwrap());
        let (old, new) = (log(&one, 1 << 17, 0).unwrap(), log(&other, 4096, 0).unwrap());
        [0, 77, 4095 * PAGES, 4096 * PAGES].iter().for_each(|page| old.mark(page * PAGE).unwrap());
        new.mark(PAGE).unwrap();
        new.adopt(&old).unwrap();
        assert_eq!(other.array::<10>(0).unwrap(), [0b11, 0, 0, 0, 0, 0, 0, 0, 0, 1 << 5]);
        assert_eq!(other.array::<1>(4095).unwrap(), [1]);
    }
}
