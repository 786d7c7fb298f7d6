//! Runs other programs: every run has a limit, and a failure shows the command and the end of what it said.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How many of its last lines a failed program is quoted with.
const TAIL: usize = 25;
/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(25);

/// What a program left behind.
pub(crate) struct Output {
    pub(crate) ok: bool,
    pub(crate) text: String,
}

/// Runs a program to its end and returns what it printed; a bad exit status is an error.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<String> {
    run_watched(command, limit, |_| {})
}

/// As `run`, and shows every line to `watch` while it runs.
pub(crate) fn run_watched(command: &mut Command, limit: Duration, watch: impl FnMut(&str)) -> Result<String> {
    let shown = show(command);
    let output = capture(command, limit, watch)?;
    if !output.ok {
        bail!("`{shown}` failed:\n{}", tail(&output.text, TAIL));
    }
    Ok(output.text)
}

/// Runs a program to its end, whatever its exit status; standard output and error come together.
pub(crate) fn capture(command: &mut Command, limit: Duration, mut watch: impl FnMut(&str)) -> Result<Output> {
    let shown = show(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start `{shown}`"))?;
    let (sender, lines) = mpsc::channel();
    forward(child.stdout.take(), sender.clone());
    forward(child.stderr.take(), sender);
    let start = Instant::now();
    let mut text = String::new();
    loop {
        match lines.recv_timeout(POLL) {
            Ok(line) => {
                watch(&line);
                text += &line;
                text.push('\n');
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
        if start.elapsed() > limit {
            end(&mut child);
            bail!("`{shown}` did not end within {} s; it said last:\n{}", limit.as_secs(), tail(&text, TAIL));
        }
    }
    let ok = child.wait().with_context(|| format!("waiting for `{shown}`"))?.success();
    Ok(Output { ok, text })
}

fn forward(stream: Option<impl Read + Send + 'static>, sender: mpsc::Sender<String>) {
    let Some(stream) = stream else { return };
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while let Ok(1..) = reader.read_until(b'\n', &mut line) {
            let text = String::from_utf8_lossy(&line).trim_end().to_string();
            line.clear();
            if sender.send(text).is_err() {
                return;
            }
        }
    });
}

/// Ends a child and takes its exit status, so that none stays behind.
pub(crate) fn end(child: &mut Child) {
    // Both fail only when the child is gone already, which is what is wanted.
    let _ = child.kill();
    let _ = child.wait();
}

/// Makes a long-lived child end when xtask dies, however it dies.
pub(crate) fn die_with_us(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let hook = || Ok(nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?);
    // SAFETY: the hook runs between fork and exec and makes one system call, which is async-signal-safe; it
    // allocates nothing and takes no lock.
    unsafe { command.pre_exec(hook) };
}

/// The command as one would type it.
pub(crate) fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| quote(&word.to_string_lossy())));
    words.join(" ")
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{word}'") }
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// True if a program of that name is in PATH.
pub(crate) fn in_path(name: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|dir| dir.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_quotes_the_command_and_its_last_words() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; exit 3"]);
        let error = run(&mut command, Duration::from_secs(10)).unwrap_err().to_string();
        assert!(error.contains("sh -c 'echo one") && error.contains("two"), "{error}");
    }

    #[test]
    fn a_program_which_hangs_is_ended() {
        let mut command = Command::new("sleep");
        command.arg("100");
        let error = run(&mut command, Duration::from_millis(200)).unwrap_err().to_string();
        assert!(error.contains("`sleep 100` did not end"), "{error}");
    }

    #[test]
    fn tail_keeps_the_end() {
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
    }
}
