//! The command line: words to verbs, verbs to reports, reports to a table or JSON, and to an exit code.

pub mod args;
mod render;
mod verbs;

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;

/// What the program ends with; scripts depend on it.
pub mod exit {
    /// All is well.
    pub const FINE: u8 = 0;
    /// Something is wrong with the device, and was found.
    pub const FINDING: u8 = 1;
    /// The words mean nothing.
    pub const USAGE: u8 = 2;
    /// The device or the way to it failed.
    pub const DEVICE: u8 = 3;
}

/// Does what the words say; the exit code.
pub fn run(words: impl IntoIterator<Item = OsString>, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let cli = match args::Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let _ = write!(err, "{error}");
            return exit::USAGE;
        }
        // Help and version are what was asked for.
        Err(error) => {
            let _ = write!(out, "{error}");
            return exit::FINE;
        }
    };
    match verbs::perform(&cli) {
        Ok(answer) => {
            // Whoever closes the pipe has seen enough.
            let _ = out.write_all(answer.text.as_bytes()).and_then(|()| out.flush());
            if answer.clean { exit::FINE } else { exit::FINDING }
        }
        Err(error) => {
            let _ = writeln!(err, "hematite: {error}\n  next: {}", error.next());
            if error.is_usage() { exit::USAGE } else { exit::DEVICE }
        }
    }
}
