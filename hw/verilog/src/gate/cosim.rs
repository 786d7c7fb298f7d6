//! rust-hdl's simulator and Verilator, side by side: equal in every output of every cycle.

use super::GateError;
use super::bench::{is_clock, main, words, wrapper};
use super::stimulus::Stimulus;
use super::tools::{CXX, Scratch, Tool, VERILATOR, cache, write};
use crate::collect::Item;
use crate::emit::emit;
use crate::names::mangle;
use crate::ports::port_items;
use rust_hdl_core::prelude::*;
use rust_hdl_core::simulate::simulate;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

type ClockOf<B> = fn(&mut B) -> &mut Signal<In, Clock>;

/// One comparison. The inputs are set by a closure, each cycle; everything else is by the ports' names.
pub struct Cosim<'a, B: Block> {
    name: String,
    block: B,
    clock: Option<ClockOf<B>>,
    constants: &'a [(&'a str, u64)],
    cycles: usize,
    seed: u64,
}

/// Passes a block may take to settle after its inputs change.
const SETTLE: usize = 400;

impl<'a, B: Block> Cosim<'a, B> {
    /// 2000 cycles of seed 1, or of `HEMATITE_SEED`.
    pub fn new(name: &str, block: B) -> Self {
        let seed = std::env::var("HEMATITE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
        Self { name: name.into(), block, clock: None, constants: &[], cycles: 2000, seed }
    }

    /// Blocks without a clock are compared without one.
    pub fn clock(mut self, clock: ClockOf<B>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// As for [`emit`].
    pub fn constants(mut self, constants: &'a [(&'a str, u64)]) -> Self {
        self.constants = constants;
        self
    }

    pub fn cycles(mut self, cycles: usize) -> Self {
        self.cycles = cycles;
        self
    }

    /// Mixed with `HEMATITE_SEED`, if that is set, by giving way to it.
    pub fn seed(mut self, seed: u64) -> Self {
        if std::env::var_os("HEMATITE_SEED").is_none() {
            self.seed = seed;
        }
        self
    }

    /// Sets the inputs by `drive` in every cycle and compares.
    pub fn run(mut self, mut drive: impl FnMut(&mut B, &mut Stimulus)) -> Result<(), GateError> {
        self.block.connect_all();
        let text = emit(&self.name, &self.block, self.constants)
            .map_err(|source| GateError::Emit { name: self.name.clone(), source })?;
        let (inputs, wanted) = self.simulate(&mut drive)?;
        let items = port_items(&self.block);
        let got = verilate(&self.name, &text, &items, &inputs)?;
        self.compare(&items, &wanted, &got)
    }

    /// The input vector, and every output, of each cycle.
    #[allow(clippy::type_complexity, reason = "two plain lists")]
    fn simulate(
        &mut self,
        drive: &mut dyn FnMut(&mut B, &mut Stimulus),
    ) -> Result<(Vec<Vec<u32>>, Vec<Vec<String>>), GateError> {
        let mut stimulus = Stimulus::new(self.seed);
        let (mut inputs, mut outputs) = (vec![], vec![]);
        for cycle in 0..self.cycles {
            drive(&mut self.block, &mut stimulus);
            self.settle(cycle)?;
            let items = port_items(&self.block);
            let values = items.iter().filter(|item| item.is_input() && !is_clock(item));
            inputs.push(pack(values.map(|item| (item.width, item.value.as_str()))));
            outputs
                .push(items.iter().filter(|item| !item.is_input()).map(|item| item.value.clone()).collect());
            for item in items.iter().filter(|item| item.width == 1) {
                stimulus.before.insert(mangle(&item.name), item.value == "1");
            }
            if let Some(clock) = self.clock {
                for clk in [true, false] {
                    clock(&mut self.block).next = Clock { clk };
                    self.settle(cycle)?;
                }
            }
            stimulus.next_cycle();
        }
        Ok((inputs, outputs))
    }

    fn settle(&mut self, cycle: usize) -> Result<(), GateError> {
        if simulate(&mut self.block, SETTLE) {
            return Ok(());
        }
        Err(GateError::Unsettled { name: self.name.clone(), cycle, seed: self.seed })
    }

    fn compare(&self, items: &[Item], wanted: &[Vec<String>], got: &[Vec<u32>]) -> Result<(), GateError> {
        if wanted.len() != got.len() {
            let output = format!("{} cycles asked for, {} made", wanted.len(), got.len());
            return Err(GateError::Refused { name: self.name.clone(), tool: "the model", output });
        }
        let outputs: Vec<&Item> = items.iter().filter(|item| !item.is_input()).collect();
        for (cycle, (wanted, got)) in wanted.iter().zip(got).enumerate() {
            let mut at = 0;
            for (item, rust) in outputs.iter().zip(wanted) {
                let verilog = unpack(got, at, item.width);
                at += item.width;
                if *rust != verilog {
                    return Err(GateError::Mismatch {
                        name: self.name.clone(),
                        cycle,
                        port: mangle(&item.name),
                        rust: format!("0x{rust}"),
                        verilog: format!("0x{verilog}"),
                        seed: self.seed,
                    });
                }
            }
        }
        if wanted.windows(2).all(|pair| pair[0] == pair[1]) {
            return Err(GateError::Idle { name: self.name.clone(), cycles: self.cycles });
        }
        Ok(())
    }
}

/// Values one above the other, lowest first.
fn pack<'v>(values: impl Iterator<Item = (usize, &'v str)>) -> Vec<u32> {
    let mut bits: Vec<bool> = vec![];
    for (width, hex) in values {
        let start = bits.len();
        bits.resize(start + width, false);
        for (digit, c) in hex.chars().rev().enumerate() {
            let value = c.to_digit(16).unwrap_or(0);
            for bit in (0..4).filter(|bit| value >> bit & 1 == 1) {
                bits[start + 4 * digit + bit] = true;
            }
        }
    }
    bits.resize(words(bits.len()) * 32, false);
    bits.chunks(32).map(|word| word.iter().rev().fold(0, |sum, bit| sum << 1 | u32::from(*bit))).collect()
}

fn unpack(words: &[u32], at: usize, width: usize) -> String {
    let bit = |i: usize| words.get((at + i) / 32).is_some_and(|word| word >> ((at + i) % 32) & 1 == 1);
    let digits = (0..width.div_ceil(4)).rev().map(|digit| {
        let value =
            (0..4).filter(|b| 4 * digit + b < width && bit(4 * digit + b)).map(|b| 1 << b).sum::<u32>();
        char::from_digit(value, 16).unwrap_or('0')
    });
    let text: String = digits.collect();
    let text = text.trim_start_matches('0');
    if text.is_empty() { "0".into() } else { text.into() }
}

fn verilate(name: &str, text: &str, items: &[Item], inputs: &[Vec<u32>]) -> Result<Vec<Vec<u32>>, GateError> {
    let mut scratch = Scratch::new(&format!("cosim-{name}"))?;
    let dir = scratch.dir.clone();
    write(&dir.join("dut.v"), &(text.to_string() + &wrapper(name, items)))?;
    let args = [
        "--cc",
        "--no-timing",
        "-Wno-fatal",
        "-Wno-lint",
        "-O3",
        "--x-assign",
        "0",
        "--x-initial",
        "0",
        "--noassert",
        "--prefix",
        "Vbench",
        "--Mdir",
        "model",
        "--top-module",
        "hematite_bench",
        "dut.v",
    ];
    VERILATOR.run(name, &dir, &args)?;
    let mut sources = String::new();
    let model = dir.join("model");
    let list = std::fs::read_dir(&model)
        .map_err(|cause| GateError::Io { what: format!("{name}: list the model"), cause })?;
    let mut files: Vec<String> = list
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|f| f.ends_with(".cpp"))
        .collect();
    files.sort();
    for file in files {
        sources += &format!("#include \"{file}\"\n");
    }
    write(&model.join("all.h"), &sources)?;
    let width = |input: bool| {
        items
            .iter()
            .filter(|item| item.is_input() == input && !is_clock(item))
            .map(|item| item.width)
            .sum::<usize>()
    };
    write(&model.join("main.cpp"), &main(words(width(true)), words(width(false))))?;
    let (root, runtime) = runtime(name)?;
    let (include, std) = (format!("-I{}", root.display()), format!("-I{}", root.join("vltstd").display()));
    let mut args = vec!["-std=c++17", "-O0", "-w", &include, &std, "-o", "bench", "main.cpp"];
    let objects: Vec<String> = runtime.iter().map(|path| path.display().to_string()).collect();
    args.extend(objects.iter().map(String::as_str));
    args.push("-pthread");
    CXX.run(name, &model, &args)?;
    let lines: Vec<String> = inputs
        .iter()
        .map(|words| words.iter().map(|word| format!("{word:x}")).collect::<Vec<_>>().join(" "))
        .collect();
    write(&dir.join("stimulus"), &(lines.join("\n") + "\n"))?;
    let stimulus = std::fs::File::open(dir.join("stimulus"))
        .map_err(|cause| GateError::Io { what: format!("{name}: open the stimulus"), cause })?;
    let output = Command::new(model.join("bench"))
        .stdin(stimulus)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|cause| GateError::Io { what: format!("{name}: run the model"), cause })?;
    if !output.status.success() {
        scratch.keep();
        let output = format!("ended with {}; kept in {}", output.status, dir.display());
        return Err(GateError::Refused { name: name.into(), tool: "the model", output });
    }
    let words =
        |line: &str| line.split_whitespace().map(|word| u32::from_str_radix(word, 16).unwrap_or(0)).collect();
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(words).collect())
}

/// Verilator's headers, and its library compiled once for all blocks.
fn runtime(name: &str) -> Result<(PathBuf, Vec<PathBuf>), GateError> {
    let here = Path::new(".");
    let root = match std::env::var_os("VERILATOR_ROOT") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(VERILATOR.run(name, here, &["--getenv", "VERILATOR_ROOT"])?.trim()),
    };
    let include = root.join("include");
    let version: String = VERILATOR
        .run(name, here, &["--version"])?
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
        .collect();
    let dir = cache()?.join(format!("runtime-{version}"));
    super::tools::make(&dir)?;
    let lock = std::fs::File::create(dir.join("lock")).and_then(|file| file.lock().map(|()| file));
    let _lock = lock.map_err(|cause| GateError::Io { what: format!("lock {}", dir.display()), cause })?;
    let mut objects = vec![];
    for source in ["verilated", "verilated_threads"] {
        let object = dir.join(format!("{source}.o"));
        if !object.exists() {
            compile(&CXX, name, &include, source, &object)?;
        }
        objects.push(object);
    }
    Ok((include, objects))
}

fn compile(cxx: &Tool, name: &str, include: &Path, source: &str, object: &Path) -> Result<(), GateError> {
    let half = object.with_extension("part");
    let source = include.join(format!("{source}.cpp"));
    let (include, std) =
        (format!("-I{}", include.display()), format!("-I{}", include.join("vltstd").display()));
    let (source, part) = (source.display().to_string(), half.display().to_string());
    cxx.run(name, Path::new("."), &["-std=c++17", "-O1", "-w", &include, &std, "-c", &source, "-o", &part])?;
    std::fs::rename(&half, object)
        .map_err(|cause| GateError::Io { what: format!("keep {}", object.display()), cause })
}
