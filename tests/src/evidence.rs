//! What a failed test leaves in `target/evidence`: `<test>.tlp` and `<test>.pcap`, and how to run it again. With
//! `HEMATITE_TRACE=1` every test does, and each RTL body leaves `<test>.fst`.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use hematite_sim::log::TlpLog;
use hematite_sim::root::{Direction, Tap, Tlp};
use hematite_sim::wire::pcap::{PcapTap, PcapWriter};

/// The environment variable which asks every test for its evidence, waveform and all.
pub const VARIABLE: &str = "HEMATITE_TRACE";

/// Every test leaves evidence.
pub fn wanted() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| value == "1")
}

thread_local! {
    /// How many files of each kind this test has.
    static CLAIMED: RefCell<BTreeMap<&'static str, u32>> = const { RefCell::new(BTreeMap::new()) };
}

/// A place for this test's next file of a kind: `<test>.fst`, then `<test>.2.fst`.
pub fn claim(kind: &'static str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"));
    let name = std::thread::current().name().unwrap_or("test").replace("::", ".");
    let count = CLAIMED.with_borrow_mut(|claimed| {
        let count = claimed.entry(kind).or_default();
        *count += 1;
        *count
    });
    let number = if count == 1 { String::new() } else { format!(".{count}") };
    target.join("evidence").join(format!("{name}{number}.{kind}"))
}

/// One event at the device's edge.
enum Event {
    Tlp(u64, Direction, Tlp),
    Frame(u64, Direction, Vec<u8>),
}

/// The newest events are kept, so many of them.
const KEPT: usize = 20_000;

/// Remembers what crosses the device's edges; the bench writes it down when it is dropped in a panic.
#[derive(Clone)]
pub struct Evidence {
    /// Where the TLP log goes.
    pub tlp: PathBuf,
    /// Where the recording of the wire goes.
    pub pcap: PathBuf,
    events: Rc<RefCell<VecDeque<Event>>>,
}

impl Evidence {
    fn keep(&self, event: Event) {
        let mut events = self.events.borrow_mut();
        if events.len() == KEPT {
            events.pop_front();
        }
        events.push_back(event);
    }

    /// Writes the log and the recording.
    pub fn write(&self) -> anyhow::Result<()> {
        self.tlp.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        let mut log = TlpLog::new(std::fs::File::create(&self.tlp)?);
        let mut wire = PcapTap::new(PcapWriter::create(&self.pcap)?);
        for event in self.events.borrow().iter() {
            match event {
                Event::Tlp(now, direction, tlp) => log.tlp(*now, *direction, tlp),
                Event::Frame(now, direction, frame) => {
                    log.frame(*now, *direction, frame);
                    wire.frame(*now, *direction, frame);
                }
            }
        }
        Ok(())
    }
}

impl Default for Evidence {
    fn default() -> Evidence {
        Evidence { tlp: claim("tlp"), pcap: claim("pcap"), events: Rc::default() }
    }
}

impl Tap for Evidence {
    fn tlp(&mut self, now: u64, direction: Direction, tlp: &Tlp) {
        self.keep(Event::Tlp(now, direction, tlp.clone()));
    }

    fn frame(&mut self, now: u64, direction: Direction, frame: &[u8]) {
        self.keep(Event::Frame(now, direction, frame.to_vec()));
    }
}
