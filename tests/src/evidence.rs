//! What a failed test leaves behind: its TLP log, in `target/evidence/<test>.tlp`, and how to run it again.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;

use hematite_sim::log::TlpLog;
use hematite_sim::root::{Direction, Tap, Tlp};

/// One event at the device's edge.
enum Event {
    Tlp(u64, Direction, Tlp),
    Frame(u64, Direction, Vec<u8>),
}

/// The newest events are kept, so many of them.
const KEPT: usize = 20_000;

/// Remembers what crosses the device's edges; dropped in a panic, writes it down.
#[derive(Clone, Default)]
pub struct Evidence {
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

    /// Writes the log and says where it is. For a test which has failed.
    pub fn write(&self) -> std::io::Result<PathBuf> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let target = target.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"));
        let name = std::thread::current().name().unwrap_or("test").replace("::", ".");
        let folder = target.join("evidence");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{name}.tlp"));
        let mut log = TlpLog::new(std::fs::File::create(&path)?);
        for event in self.events.borrow().iter() {
            match event {
                Event::Tlp(now, direction, tlp) => log.tlp(*now, *direction, tlp),
                Event::Frame(now, direction, frame) => log.frame(*now, *direction, frame),
            }
        }
        Ok(path)
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
