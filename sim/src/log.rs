//! The TLP log: one line per event, `cycle seam event`, so that two runs can be compared with `diff`.

use std::io::{BufWriter, Write};

use crate::root::tap::{Direction, Tap};
use crate::root::tlp::Tlp;

/// A line on standard error, for whoever reads it. Unlike `eprintln!` it does not end the program when nobody does.
pub fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Writes what crosses the device's edges to any writer. A write error ends the log, not the run.
pub struct TlpLog {
    out: Option<BufWriter<Box<dyn Write>>>,
}

impl TlpLog {
    /// A log to `out`.
    pub fn new(out: impl Write + 'static) -> TlpLog {
        TlpLog { out: Some(BufWriter::new(Box::new(out))) }
    }

    fn line(&mut self, now: u64, seam: &str, event: &dyn std::fmt::Display) {
        if let Some(out) = &mut self.out
            && writeln!(out, "{now:>10} {seam:<9} {event}").is_err()
        {
            self.out = None;
        }
    }
}

impl Drop for TlpLog {
    fn drop(&mut self) {
        if let Some(out) = &mut self.out {
            // Nothing can be done about it here, and the run's own result stands.
            let _ = out.flush();
        }
    }
}

struct Frame<'a>(&'a [u8]);

impl std::fmt::Display for Frame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())?;
        for (i, byte) in self.0.iter().take(32).enumerate() {
            write!(f, "{}{byte:02x}", if i % 4 == 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

impl Tap for TlpLog {
    fn tlp(&mut self, now: u64, direction: Direction, tlp: &Tlp) {
        self.line(now, if direction == Direction::In { "tlp in" } else { "tlp out" }, tlp);
    }

    fn frame(&mut self, now: u64, direction: Direction, frame: &[u8]) {
        self.line(now, if direction == Direction::In { "frame in" } else { "frame out" }, &Frame(frame));
    }
}
