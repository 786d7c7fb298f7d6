//! What every block has to pass: lint, synthesis, agreement of rust-hdl's simulator with Verilator, and a look at the
//! source for what the front end drops in silence.

mod bench;
mod cosim;
mod kernel;
mod lint;
mod stimulus;
mod synth;
mod tools;

pub use cosim::Cosim;
pub use kernel::{Finding, kernel_lint};
pub use lint::lint;
pub use stimulus::{Random, Stimulus};
pub use synth::{Stats, synth};

use crate::emit::EmitError;
pub use rand::RngCore;

/// Why a block does not pass.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    #[error(
        "{tool} is needed and not found: install it (on Debian: apt install {package}) or set {variable} to its path"
    )]
    Missing { tool: &'static str, package: &'static str, variable: &'static str },
    #[error("{what}")]
    Io {
        what: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("{name}: {tool} says:\n{output}")]
    Refused { name: String, tool: &'static str, output: String },
    #[error("{name}: {source}")]
    Emit { name: String, source: EmitError },
    #[error("{name}: rust-hdl's simulation does not settle in cycle {cycle} (replay: HEMATITE_SEED={seed})")]
    Unsettled { name: String, cycle: usize, seed: u64 },
    #[error(
        "{name}: cycle {cycle}: `{port}` is {rust} in rust-hdl's simulation and {verilog} under Verilator \
         (replay: HEMATITE_SEED={seed})"
    )]
    Mismatch { name: String, cycle: usize, port: String, rust: String, verilog: String, seed: u64 },
    #[error("{name}: no output changed in {cycles} cycles: the stimulus does not reach the block")]
    Idle { name: String, cycles: usize },
}
