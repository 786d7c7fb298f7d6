//! What the user sees: one line per step with its time, a spinner on a terminal and plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Without a terminal a long step says how far it is at most this often.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// A step under way. Dropping it without `done` marks it as failed.
pub(crate) struct Step {
    name: String,
    start: Instant,
    bar: Option<ProgressBar>,
    last_plain: Instant,
    over: bool,
}

/// Starts a step.
pub(crate) fn step(name: impl Into<String>) -> Step {
    let name = name.into();
    let bar = std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("  {spinner} {prefix} {wide_msg} {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_prefix(name.clone());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    });
    let now = Instant::now();
    Step { name, start: now, bar, last_plain: now, over: false }
}

impl Step {
    /// Says how far the step is.
    pub(crate) fn note(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_string()),
            None if self.last_plain.elapsed() >= PLAIN_EVERY => {
                self.last_plain = Instant::now();
                println!("  ...   {}: {text} ({:.0} s)", self.name, self.start.elapsed().as_secs_f64());
            }
            None => {}
        }
    }

    /// The step worked.
    pub(crate) fn done(mut self, detail: &str) {
        self.end("ok", detail);
    }

    /// The step failed for a reason which the caller goes on to report.
    pub(crate) fn failed(mut self, detail: &str) {
        self.end("FAIL", detail);
    }

    fn end(&mut self, word: &str, detail: &str) {
        self.over = true;
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        println!("{}", line(word, &self.name, self.start.elapsed(), detail));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.over {
            self.end("FAIL", "");
        }
    }
}

/// One line of the transcript.
pub(crate) fn line(word: &str, name: &str, time: Duration, detail: &str) -> String {
    format!("  {word:<5} {name:<34} {:>7.1} s  {detail}", time.as_secs_f64()).trim_end().to_string()
}

/// A heading.
pub(crate) fn heading(text: &str) {
    println!("{text}");
}
