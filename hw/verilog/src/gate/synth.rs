//! Synthesis by yosys: no latch, nothing undriven or driven twice, no loop; and what it costs.
//!
//! Sizes are for ECP5, the family of the open flow: LUT4, carries, FF, block RAM, LUT RAM as `synth_ecp5` maps them.

use super::GateError;
use super::tools::{Scratch, YOSYS, write};
use std::collections::BTreeMap;

/// Cells after mapping, flattened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub luts: usize,
    pub carries: usize,
    pub flip_flops: usize,
    pub block_rams: usize,
    pub lut_rams: usize,
    /// Every cell by type.
    pub cells: BTreeMap<String, usize>,
}

/// `text`, whose top module is `name`, becomes gates without a latch.
pub fn synth(name: &str, text: &str) -> Result<Stats, GateError> {
    let scratch = Scratch::new(&format!("synth-{name}"))?;
    write(&scratch.dir.join("dut.v"), text)?;
    // An implicit net is only a warning to yosys: make it an error.
    let script = format!(
        "read_verilog dut.v; hierarchy -check -top {name}; proc; flatten; opt_clean; \
         select -assert-none t:$dlatch t:$adlatch t:$sr; check -assert; \
         synth_ecp5 -top {name}; tee -o stat.txt stat"
    );
    let args = ["-q", "-e", "implicitly declared", "-e", "latch", "-p", &script];
    YOSYS.run(name, &scratch.dir, &args)?;
    let path = scratch.dir.join("stat.txt");
    let text = std::fs::read_to_string(&path)
        .map_err(|cause| GateError::Io { what: format!("{name}: read yosys' statistics"), cause })?;
    Ok(parse(&text))
}

fn parse(text: &str) -> Stats {
    let mut stats = Stats::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [cell, count] = words[..] else { continue };
        let Ok(count) = count.parse::<usize>() else { continue };
        match cell {
            "LUT4" => stats.luts += count,
            "CCU2C" => stats.carries += count,
            "TRELLIS_FF" => stats.flip_flops += count,
            "DP16KD" | "PDPW16KD" => stats.block_rams += count,
            "TRELLIS_DPR16X4" => stats.lut_rams += count,
            _ => {}
        }
        if cell.chars().next().is_some_and(|c| c.is_ascii_uppercase() || c == '$') {
            *stats.cells.entry(cell.into()).or_default() += count;
        }
    }
    stats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_read() {
        let stats =
            parse("=== a ===\n  Number of cells:  3\n     CCU2C    2\n     LUT4    7\n  TRELLIS_FF   5\n");
        assert_eq!((stats.luts, stats.carries, stats.flip_flops, stats.cells.len()), (7, 2, 5, 3));
    }
}
