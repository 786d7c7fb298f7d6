//! `cargo xtask soak`: the function's seeded tests, seed after seed; stops at the first one which fails.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::{count, lint};
use crate::cache::Network;
use crate::tools::hdl;
use crate::{cmd, place, say};

const LIMIT: Duration = Duration::from_secs(1200);
const TAIL: usize = 60;
/// What the seeded tests of `tests/function` have in their names.
const SEEDED: [&str; 2] = ["random", "agrees_with"];
/// As `hematite_sim::seed` calls it.
const SEED_VARIABLE: &str = "HEMATITE_SEED";

/// True if all passed with so many seeds from `first`.
pub(crate) fn run(first: u64, seeds: u64) -> Result<bool> {
    let environment = hdl::ready(Network::Allowed)?;
    let function =
        [&["test", "--package", "hematite-tests", "--test", "function"], &lint::ALL_SETS[..]].concat();
    if !lint::cargo("build the tests", &[&function[..], &["--no-run"]].concat(), &environment)? {
        return Ok(false);
    }
    let mut step = say::step(format!("seeds {first} to {}", first.saturating_add(seeds.saturating_sub(1))));
    let mut total = count::Count::default();
    for seed in first..first.saturating_add(seeds) {
        step.note(&format!("seed {seed}"));
        let mut command = Command::new("cargo");
        command.args(&function).arg("--").args(SEEDED).current_dir(place::root());
        command.envs(environment.iter().cloned()).env(SEED_VARIABLE, seed.to_string());
        let output = cmd::capture(&mut command, LIMIT, |_| {})?;
        total += count::sum(&output.text);
        if !output.ok {
            step.failed(&format!("{SEED_VARIABLE}={seed}"));
            println!("{}", cmd::tail(&output.text, TAIL));
            println!("again: {SEED_VARIABLE}={seed} {}", cmd::show(&command));
            return Ok(false);
        }
    }
    step.done(&format!("{} passed, {} failed", total.passed, total.failed));
    Ok(true)
}
