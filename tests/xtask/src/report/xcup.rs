//! What a module takes of an UltraScale+ part: synthesis only, for parameter sets that fit no ECP5.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use super::levels::{self, Longest};
use super::{Subject, read, yosys};
use crate::tools::fpga::Flow;
use crate::{place, say};

/// Columns, and how the names of the cells begin that are counted in each.
const COLUMNS: [(&str, &[&str]); 6] = [
    ("LUT", &["LUT"]),
    ("CARRY", &["CARRY"]),
    ("FF", &["FD"]),
    ("RAMB36", &["RAMB36"]),
    ("RAMB18", &["RAMB18"]),
    ("distributed RAM", &["RAM32", "RAM64", "RAM128", "RAM256", "RAM512"]),
];

/// `synth_xilinx` for the fewest LUT levels. Of UltraScale+ yosys knows no delays, only those of Artix-7, by which a LUT's slowest input
/// weighs as much as three of its fastest: it would make a path of fourteen fast ones rather than of ten slow ones. A weight of ten
/// nanoseconds for each LUT's wire makes levels count alone. Its own script for ABC, but for `&dc2`, which makes logic smaller and deeper.
/// Without the multiplexers beside LUTs none is hidden.
const SYNTHESIS: &str = "scratchpad -set abc9.script +&scorr;&sweep;&dch,-f,-r;&ps;&if,-W,10000;&mfs; synth_xilinx -family xcup -abc9 -nowidelut -flatten";

/// Levels within 250 MHz, by the rule of thumb; ends behind more are counted.
const WANTED_LEVELS: usize = 10;

/// Synthesises and prints a table; true if all went through.
pub(crate) fn run(subjects: &[Subject], flow: &Flow) -> Result<bool> {
    let (mut rows, mut paths) = (Vec::new(), Vec::new());
    for subject in subjects {
        let mut step = say::step(format!("synthesise {}", subject.top));
        step.note("synth_xilinx -family xcup");
        match measure(flow, subject) {
            Ok((counts, longest)) => {
                step.done(&format!("{} LUT levels", longest.luts));
                let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
                rows.push(format!("| {} | {} | {} |", subject.top, counts.join(" | "), longest.luts));
                paths.push(described(&subject.top, &longest));
            }
            Err(error) => step.failed(&format!("{error:#}")),
        }
    }
    let names = COLUMNS.map(|(name, _)| name);
    println!("\n| module | {} | LUT levels |\n|{}", names.join(" | "), " --- |".repeat(names.len() + 2));
    rows.iter().chain(&paths).for_each(|row| println!("{row}"));
    Ok(rows.len() == subjects.len())
}

/// The path, a line for each net.
fn described(top: &str, longest: &Longest) -> String {
    let Longest { luts, carries, steps, end, ends } = longest;
    let beyond: usize = ends.iter().skip(WANTED_LEVELS + 1).sum();
    let all: usize = ends.iter().sum();
    let mut text = format!(
        "\n{top}: {beyond} of {all} ends behind more than {WANTED_LEVELS} LUTs; the longest path, {luts} LUTs and {carries} carry cells, to {end}:"
    );
    for step in steps {
        let name = step.name.as_deref().unwrap_or("-");
        let beside =
            if step.beside.is_empty() { String::new() } else { format!(" with {}", step.beside.join(", ")) };
        text += &format!("\n{:4} {name}{beside}", step.luts);
    }
    text
}

fn measure(flow: &Flow, subject: &Subject) -> Result<(Vec<u64>, Longest)> {
    let dir = place::target().join("report/xcup").join(&subject.top);
    fs::create_dir_all(&dir)?;
    fs::copy(&subject.file, dir.join("dut.v"))
        .with_context(|| format!("reading {}", subject.file.display()))?;
    let top = &subject.top;
    let script = format!(
        "read_verilog dut.v; {SYNTHESIS} -top {top}; tee -q -o stat.json stat -json; write_json netlist.json"
    );
    yosys(flow, &dir, &script)?;
    let counts = counts(&read(&dir.join("stat.json"))?, top).context("yosys counted no cells")?;
    Ok((counts, levels::longest(&read(&dir.join("netlist.json"))?, top)?))
}

/// A number per column, of `stat -json` for a flat module.
fn counts(stat: &Value, top: &str) -> Option<Vec<u64>> {
    let cells = stat["modules"][format!("\\{top}")]["num_cells_by_type"].as_object()?;
    let sum = |starts: &[&str]| {
        let of = |(name, count): (&String, &Value)| {
            starts.iter().any(|start| name.starts_with(start)).then(|| count.as_u64()).flatten()
        };
        cells.iter().filter_map(of).sum()
    };
    Some(COLUMNS.iter().map(|(_, starts)| sum(starts)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_counted_by_kind() {
        let cells = json!({ "LUT2": 3, "LUT6": 4, "FDRE": 5, "FDSE": 1, "RAMB18E2": 2, "RAM32M16": 7, "MUXF7": 9, "CARRY8": 8 });
        let stat = json!({ "modules": { "\\top": { "num_cells_by_type": cells } } });
        assert_eq!(counts(&stat, "top"), Some(vec![7, 8, 6, 0, 2, 7]));
        assert_eq!(counts(&stat, "other"), None);
    }
}
