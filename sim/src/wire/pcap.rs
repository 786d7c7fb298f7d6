//! Recordings: writes pcap files of what crosses the wire, and plays one back to the function.
//!
//! Times are the function's own (cycles of 4 ns), so that two runs of the same seed give the same file.
//! Spec: [draft-ietf-opsawg-pcap: General File Structure]

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Wire;
use crate::log::say;
use crate::root::tap::{Direction, Tap};
use crate::root::tlp::Tlp;

/// Of the file: little endian, nanoseconds.
const MAGIC_NANOS: u32 = 0xa1b2_3c4d;
/// The older one, microseconds.
const MAGIC_MICROS: u32 = 0xa1b2_c3d4;
const LINKTYPE_ETHERNET: u32 = 1;
/// The longest frame which is kept or played.
const SNAP: u32 = 65_535;
/// The function's clock: 250 MHz.
const NANOS_PER_CYCLE: u64 = 4;

/// Writes a recording. Each record goes out whole, so the file is good even after a crash.
pub struct PcapWriter<W: Write> {
    out: W,
}

impl PcapWriter<File> {
    /// Makes the file.
    pub fn create(path: &Path) -> Result<PcapWriter<File>> {
        let shown = path.display();
        let file = File::create(path).with_context(|| format!("create the recording {shown}"))?;
        PcapWriter::new(file).with_context(|| format!("write the recording {shown}"))
    }
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file's head to `out`.
    pub fn new(mut out: W) -> io::Result<PcapWriter<W>> {
        let mut head = MAGIC_NANOS.to_le_bytes().to_vec();
        for field in [4 << 16 | 2, 0, 0, SNAP, LINKTYPE_ETHERNET] {
            head.extend(u32::to_le_bytes(field));
        }
        out.write_all(&head)?;
        Ok(PcapWriter { out })
    }

    /// Writes one frame.
    pub fn write(&mut self, nanos: u64, frame: &[u8]) -> io::Result<()> {
        let kept = &frame[..frame.len().min(SNAP as usize)];
        let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        let mut record = vec![];
        for field in [seconds as u32, rest as u32, kept.len() as u32, frame.len() as u32] {
            record.extend(field.to_le_bytes());
        }
        record.extend(kept);
        self.out.write_all(&record)
    }
}

/// Records both directions of the function's wire.
pub struct PcapTap<W: Write> {
    /// None once a write has failed: that ends the recording, not the run.
    writer: Option<PcapWriter<W>>,
}

impl<W: Write> PcapTap<W> {
    /// Records to `writer`.
    pub fn new(writer: PcapWriter<W>) -> PcapTap<W> {
        PcapTap { writer: Some(writer) }
    }
}

impl<W: Write> Tap for PcapTap<W> {
    fn tlp(&mut self, _now: u64, _direction: Direction, _tlp: &Tlp) {}

    fn frame(&mut self, now: u64, _direction: Direction, frame: &[u8]) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.write(now * NANOS_PER_CYCLE, frame)
        {
            say(format_args!("the recording ends here: {error}"));
            self.writer = None;
        }
    }
}

/// Reads all frames of a recording with their times. What another tool has written is not trusted.
pub fn read_frames(input: impl Read) -> Result<Vec<(Duration, Vec<u8>)>> {
    let mut input = BufReader::new(input);
    let mut head = [0; 24];
    input.read_exact(&mut head).context("a pcap file begins with 24 bytes")?;
    let raw = |bytes: &[u8], at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    let (little, nanos) = match (u32::from_le_bytes(raw(&head, 0)), u32::from_be_bytes(raw(&head, 0))) {
        (MAGIC_NANOS, _) => (true, true),
        (MAGIC_MICROS, _) => (true, false),
        (_, MAGIC_NANOS) => (false, true),
        (_, MAGIC_MICROS) => (false, false),
        (magic, _) => {
            bail!("magic number {magic:#010x}: not a pcap file (pcapng: convert it with `editcap -F pcap`)")
        }
    };
    let field = |bytes: &[u8], at: usize| {
        if little { u32::from_le_bytes(raw(bytes, at)) } else { u32::from_be_bytes(raw(bytes, at)) }
    };
    let link = field(&head, 20) & 0xffff;
    if link != LINKTYPE_ETHERNET {
        bail!("link type {link}: only Ethernet ({LINKTYPE_ETHERNET}) can be played");
    }
    let mut frames = vec![];
    loop {
        let mut record = [0; 16];
        match input.read_exact(&mut record) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(frames),
            other => other.context("read a record's head")?,
        }
        let len = field(&record, 8);
        if len > SNAP {
            bail!("record {} has {len} bytes, more than {SNAP}", frames.len());
        }
        let mut frame = vec![0; len as usize];
        input.read_exact(&mut frame).with_context(|| format!("record {} is cut", frames.len()))?;
        let fraction = u64::from(field(&record, 4)) * if nanos { 1 } else { 1000 };
        frames.push((Duration::new(field(&record, 0).into(), 0) + Duration::from_nanos(fraction), frame));
    }
}

/// Plays a recording: its first frame when the function has sent its own first (before that no driver listens), the others
/// at the distances which the recording has. What the function sends goes to a second file.
pub struct Replay {
    frames: VecDeque<(Duration, Vec<u8>)>,
    out: PcapWriter<File>,
    now: Duration,
    started: Option<Duration>,
}

impl Replay {
    /// Plays `path`, records to the same name with `.out` behind it.
    pub fn open(path: &Path) -> Result<Replay> {
        let shown = path.display();
        let file = File::open(path).with_context(|| format!("open the recording {shown}"))?;
        let mut frames = read_frames(file).with_context(|| format!("read the recording {shown}"))?;
        let first = frames.first().map_or(Duration::ZERO, |(at, _)| *at);
        frames.iter_mut().for_each(|(at, _)| *at = at.saturating_sub(first));
        let mut name = path.as_os_str().to_owned();
        name.push(".out");
        let out = PcapWriter::create(Path::new(&name))?;
        Ok(Replay { frames: frames.into(), out, now: Duration::ZERO, started: None })
    }
}

impl Wire for Replay {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.started.get_or_insert(self.now);
        self.out.write(self.now.as_nanos() as u64, frame)
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let due = self.deadline().is_some_and(|due| due <= self.now);
        Ok(if due { self.frames.pop_front().map(|(_, frame)| frame) } else { None })
    }

    fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    fn deadline(&self) -> Option<Duration> {
        Some(self.started? + self.frames.front()?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut bytes = vec![];
        let mut writer = PcapWriter::new(&mut bytes).unwrap();
        writer.write(4, &[1; 60]).unwrap();
        writer.write(3_000_000_007, &[2; 1514]).unwrap();
        let frames = read_frames(&bytes[..]).unwrap();
        assert_eq!(frames[0], (Duration::from_nanos(4), vec![1; 60]));
        assert_eq!(frames[1], (Duration::from_nanos(3_000_000_007), vec![2; 1514]));
        assert!(read_frames(&bytes[..bytes.len() - 1]).is_err(), "cut within a record");
        assert!(read_frames(&bytes[4..]).is_err(), "no magic number");
        let last = 24 + 16 + 60;
        bytes[last + 8..last + 12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(read_frames(&bytes[..]).is_err(), "absurd length");
    }

    #[test]
    fn a_replay_begins_with_the_functions_first_frame_and_keeps_distances() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.pcap");
        let mut writer = PcapWriter::create(&path).unwrap();
        writer.write(5_000_000_000, &[1; 60]).unwrap();
        writer.write(5_000_000_500, &[2; 60]).unwrap();
        let mut replay = Replay::open(&path).unwrap();
        replay.advance(Duration::from_secs(1));
        assert_eq!(replay.receive().unwrap(), None);
        replay.send(&[9; 60]).unwrap();
        assert_eq!(replay.receive().unwrap(), Some(vec![1; 60]));
        assert_eq!(replay.receive().unwrap(), None);
        let due = replay.deadline().unwrap();
        assert_eq!(due, Duration::from_secs(1) + Duration::from_nanos(500));
        replay.advance(due);
        assert_eq!(replay.receive().unwrap(), Some(vec![2; 60]));
        let sent = read_frames(File::open(folder.path().join("in.pcap.out")).unwrap()).unwrap();
        assert_eq!(sent, [(Duration::from_secs(1), vec![9; 60])]);
    }
}
