//! `hematite`: looks at virtio-net PCI functions, sets them up, hands them on.

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(hematite_cli::run(std::env::args_os(), &mut io::stdout(), &mut io::stderr()))
}
