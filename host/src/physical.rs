//! This machine's memory by physical address, to look at a bound driver's rings: /proc/kcore, which shows root the kernel's
//! direct map as an ELF file. Total: whatever the file's head says, reads stay inside what it lists.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::ring::look::Ram;

/// Where the kernel shows its memory.
pub const KCORE: &str = "/proc/kcore";
/// Fields of the head, and of a segment's row. Spec: [ELF-64 Object File Format]
const HEAD: usize = 64;
const MAGIC: [u8; 4] = *b"\x7fELF";
const ROWS_AT: usize = 32;
const ROW_BYTES: usize = 54;
const ROW_COUNT: usize = 56;
const ROW: usize = 56;
const LOAD: u64 = 1;

/// A piece of memory and where it is in the file.
#[derive(Clone, Copy, Debug)]
struct Segment {
    physical: u64,
    bytes: u64,
    file: u64,
}

/// The memory.
#[derive(Debug)]
pub struct Physical {
    file: File,
    segments: Vec<Segment>,
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let mut word = [0; 8];
    if let Some(part) = bytes.get(at..at + length) {
        word[..length].copy_from_slice(part);
    }
    u64::from_le_bytes(word)
}

impl Physical {
    /// Opens it.
    pub fn open(path: &Path) -> Result<Physical> {
        let next = "root may read it, unless the kernel is locked down";
        let fail = |error| Error::system(format!("read {}", path.display()), error, next);
        let file = File::open(path).map_err(fail)?;
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).map_err(fail)?;
        if head[..4] != MAGIC || number(&head, ROW_BYTES, 2) as usize != ROW {
            return Err(Error::Device(format!("{} is no 64-bit ELF file", path.display())));
        }
        let rows = number(&head, ROWS_AT, 8);
        let mut segments = vec![];
        for place in 0..number(&head, ROW_COUNT, 2) {
            let mut row = [0; ROW];
            let at = rows.saturating_add(place * ROW as u64);
            file.read_exact_at(&mut row, at).map_err(fail)?;
            let segment = Segment {
                file: number(&row, 8, 8),
                physical: number(&row, 24, 8),
                bytes: number(&row, 32, 8),
            };
            // What is no memory has no physical address: all ones.
            if number(&row, 0, 4) == LOAD && segment.physical != u64::MAX {
                segments.push(segment);
            }
        }
        Ok(Physical { file, segments })
    }
}

impl Ram for Physical {
    fn read(&self, address: u64, data: &mut [u8]) -> Result<()> {
        let bytes = data.len() as u64;
        let holds = |one: &&Segment| {
            let offset = address.checked_sub(one.physical);
            offset.and_then(|offset| offset.checked_add(bytes)).is_some_and(|end| end <= one.bytes)
        };
        let Some(segment) = self.segments.iter().find(holds) else {
            return Err(Error::Device(format!(
                "{bytes} bytes at {address:#x} are no memory of this machine"
            )));
        };
        let at = segment.file.saturating_add(address - segment.physical);
        let fail = |error| {
            Error::system(format!("read memory at {address:#x}"), error, "is the kernel locked down?")
        };
        self.file.read_exact_at(data, at).map_err(fail)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A file with one segment: `bytes` of memory at `physical`, at 4096 of the file.
    fn file(physical: u64, bytes: u64) -> tempfile::NamedTempFile {
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&MAGIC);
        head[ROWS_AT] = HEAD as u8;
        (head[ROW_BYTES], head[ROW_COUNT]) = (ROW as u8, 1);
        let mut row = [0; ROW];
        row[0] = LOAD as u8;
        row[8..16].copy_from_slice(&4096u64.to_le_bytes());
        row[24..32].copy_from_slice(&physical.to_le_bytes());
        row[32..40].copy_from_slice(&bytes.to_le_bytes());
        let mut whole = [&head[..], &row].concat();
        whole.resize(4096, 0);
        whole.extend((0..=255u8).cycle().take(1024));
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&whole).unwrap();
        file
    }

    #[test]
    fn memory_is_read_where_it_is_and_nowhere_else() {
        let file = file(0x10_0000, 1024);
        let memory = Physical::open(file.path()).unwrap();
        let mut bytes = [0; 4];
        memory.read(0x10_0010, &mut bytes).unwrap();
        assert_eq!(bytes, [0x10, 0x11, 0x12, 0x13]);
        for address in [0, 0xf_ffff, 0x10_0000 + 1021, u64::MAX, u64::MAX - 3] {
            assert!(memory.read(address, &mut bytes).is_err(), "{address:#x}");
        }
    }

    #[test]
    fn a_head_that_lies_reaches_nothing() {
        let longer = file(0x10_0000, u64::MAX);
        let memory = Physical::open(longer.path()).unwrap();
        assert!(memory.read(0x20_0000, &mut [0; 4]).is_err(), "beyond the file's end");
        let none = file(u64::MAX, 1024);
        assert!(Physical::open(none.path()).unwrap().read(u64::MAX - 8, &mut [0; 4]).is_err());
        let empty = tempfile::NamedTempFile::new().unwrap();
        assert!(Physical::open(empty.path()).is_err());
    }
}
