//! Finds a tool and runs it: with its words as they are, no shell between, and a limit.

use std::env;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::error::{Error, Result};

/// Between two looks whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);
/// Of what it says, so much is kept.
const SAID_BYTES: usize = 1 << 16;
/// Once it has ended, its last words come at once.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Lines that are shown if it fails.
const LINES: usize = 5;

/// Where a tool is.
pub(super) fn find(name: &str) -> Result<PathBuf> {
    let runs = |path: &PathBuf| {
        path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    let found = if name.contains('/') {
        Some(PathBuf::from(name)).filter(runs)
    } else {
        env::split_paths(&env::var_os("PATH").unwrap_or_default()).map(|folder| folder.join(name)).find(runs)
    };
    let what = format!("there is no program {name}");
    let next = "install it (openFPGALoader: Debian's package openfpgaloader), or put its folder into PATH";
    found.ok_or(Error::Unable { what, next })
}

/// Runs it to its end.
pub(super) fn run(path: &Path, words: &[String], limit: Duration) -> Result<()> {
    let name = words.first().map_or("", String::as_str);
    let fail = |error| Error::system(format!("start {}", path.display()), error, "may this user run it?");
    let mut command = Command::new(path);
    command.args(words.iter().skip(1)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: what it starts ends with it.
    let mut child = command.process_group(0).spawn().map_err(fail)?;
    let said = [child.stdout.take().map(listen), child.stderr.take().map(listen)];
    let status = wait(&mut child, limit).map_err(fail)?;
    let until = Instant::now() + LAST_WORDS;
    let said: Vec<u8> = said.into_iter().flatten().flat_map(|one| collect(&one, until)).collect();
    let Some(status) = status else {
        return Err(Error::Late { what: format!("the end of {name}"), limit });
    };
    if status.success() {
        return Ok(());
    }
    let what = format!("{name} failed, {status}:\n{}", last_lines(&said));
    let next = "is the board powered, its cable plugged in, and may this user open it (udev)? The board may hold half \
                an image: program it again";
    Err(Error::Unable { what, next })
}

/// None: it was too long, and is ended.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let until = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            let _ = i32::try_from(child.id()).map(|group| killpg(Pid::from_raw(group), Signal::SIGKILL));
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}

/// Takes what comes, so that nobody waits for a reader.
fn listen(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            if sender.send(piece[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// All that was said, or what of it came in time: a process in the background may keep the pipe open.
fn collect(from: &Receiver<Vec<u8>>, until: Instant) -> Vec<u8> {
    let mut said = vec![];
    while let Ok(piece) = from.recv_timeout(until.saturating_duration_since(Instant::now())) {
        said.extend(piece);
        let more = said.len().saturating_sub(SAID_BYTES);
        said.drain(..more);
    }
    said
}

fn last_lines(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    // Tools draw bars with carriage returns; of these the last state counts.
    let lines = text.lines().filter_map(|line| line.trim_end().rsplit('\r').next());
    let lines: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
    let first = lines.len().saturating_sub(LINES);
    lines[first..].iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
