//! The guest's second serial port: orders go in one a line, `TEXT` and `STEP` lines come out (sim/guest/step).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::qmp;

/// What a step ended with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) name: String,
    pub(crate) ok: bool,
    pub(crate) detail: String,
    /// The step's `TEXT` lines.
    pub(crate) text: String,
}

/// The line to the guest.
pub(crate) struct Orders {
    writer: UnixStream,
    lines: mpsc::Receiver<String>,
    text: String,
}

impl Orders {
    pub(crate) fn connect(path: &Path) -> Result<Orders> {
        let writer = qmp::connect(path).context("the guest's second serial port")?;
        let reader = BufReader::new(writer.try_clone()?);
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in reader.split(b'\n') {
                let Ok(line) = line else { return };
                if sender.send(String::from_utf8_lossy(&line).trim_end().to_string()).is_err() {
                    return;
                }
            }
        });
        Ok(Orders { writer, lines, text: String::new() })
    }

    pub(crate) fn send(&mut self, order: &str) -> Result<()> {
        self.text.clear();
        writeln!(self.writer, "{order}").context("the guest takes no orders any more")
    }

    /// Waits a little; returns how a step ended if one did.
    pub(crate) fn poll(&mut self, wait: Duration) -> Result<Option<Ended>> {
        match self.lines.recv_timeout(wait) {
            Ok(line) => Ok(take(&mut self.text, &line)),
            Err(mpsc::RecvTimeoutError::Timeout) => Ok(None),
            Err(mpsc::RecvTimeoutError::Disconnected) => bail!("the guest's second serial port closed"),
        }
    }
}

/// Takes one line: text is collected, a `STEP` line hands it over with the result, noise is passed over.
fn take(text: &mut String, line: &str) -> Option<Ended> {
    if let Some(rest) = line.strip_prefix("TEXT ") {
        let (_, line) = rest.split_once('|')?;
        text.push_str(line);
        text.push('\n');
        return None;
    }
    // Firmware may leave bytes on the port before the first line.
    let at = line.find("STEP ")?;
    let mut words = line[at..].splitn(4, ' ').skip(1);
    let name = words.next()?.to_string();
    let ok = words.next()? == "ok";
    let detail = words.next().unwrap_or_default().to_string();
    Some(Ended { name, ok, detail, text: std::mem::take(text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_hands_over_its_text() {
        let mut text = String::new();
        assert_eq!(take(&mut text, "TEXT lspci|00:01.0 Ethernet"), None);
        assert_eq!(take(&mut text, "TEXT lspci|\tVirtIO: ISR"), None);
        let ended = take(&mut text, "STEP lspci ok 0000:00:01.0").unwrap();
        assert_eq!((ended.name.as_str(), ended.ok, ended.detail.as_str()), ("lspci", true, "0000:00:01.0"));
        assert_eq!(ended.text, "00:01.0 Ethernet\n\tVirtIO: ISR\n");
        assert!(text.is_empty());
        assert!(!take(&mut text, "noiseSTEP ping fail 50% packet loss").unwrap().ok);
    }
}
