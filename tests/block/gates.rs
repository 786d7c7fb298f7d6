//! Every block through the gates: emitted, linted, synthesised, and the same under Verilator as in rust-hdl's simulator.

mod commands;
mod control;
mod dma;
mod frames;
mod queue;
mod registers;
mod segment;
mod statistics;

use hematite_verilog::gate::{Cosim, Stats, Stimulus, lint, synth};
use rust_hdl_core::prelude::*;

/// Blocks hold wide words by value.
const STACK: usize = 1 << 28;

/// Runs `body` where a large block fits.
fn roomy(body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(body).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Emits, lints and synthesises.
fn prints<B: Block>(name: &str, mut block: B) -> Stats {
    block.connect_all();
    let constants: Vec<_> = hematite_abi::constants().collect();
    let text = hematite_verilog::emit(name, &block, &constants).unwrap_or_else(|e| panic!("{name}: {e}"));
    lint(name, &text).unwrap_or_else(|e| panic!("{e}"));
    synth(name, &text).unwrap_or_else(|e| panic!("{e}"))
}

/// Compares `cycles` cycles in which `drive` sets the inputs.
fn agrees<B: Block>(
    name: &str,
    block: B,
    clock: fn(&mut B) -> &mut Signal<In, Clock>,
    cycles: usize,
    drive: impl FnMut(&mut B, &mut Stimulus),
) {
    let constants: Vec<_> = hematite_abi::constants().collect();
    Cosim::new(name, block)
        .clock(clock)
        .constants(&constants)
        .cycles(cycles)
        .run(drive)
        .unwrap_or_else(|e| panic!("{e}"));
}
