//! Verilator's lint, with every warning on but those waived below.

use super::GateError;
use super::tools::{Scratch, VERILATOR, write};

/// Warnings that are waived everywhere, and why.
const WAIVED: &[(&str, &str)] = &[
    ("DECLFILENAME", "a design is one file of many modules"),
    ("UNUSEDSIGNAL", "a block reads the fields it needs of a struct, and not every output of a child"),
    ("SYMRSVDWORD", "`queue` and `abort` are words of the trade; Verilator renames them in C++ only"),
];

/// No warning of `verilator -Wall` in `text`, whose top module is `name`.
pub fn lint(name: &str, text: &str) -> Result<(), GateError> {
    let scratch = Scratch::new(&format!("lint-{name}"))?;
    let mut waivers = String::from("`verilator_config\n");
    for (rule, why) in WAIVED {
        waivers += &format!("// {why}\nlint_off -rule {rule}\n");
    }
    write(&scratch.dir.join("waivers.vlt"), &waivers)?;
    write(&scratch.dir.join("dut.v"), text)?;
    let args = ["--lint-only", "-Wall", "--top-module", name, "waivers.vlt", "dut.v"];
    VERILATOR.run(name, &scratch.dir, &args).map(drop)
}
