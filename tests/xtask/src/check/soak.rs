//! `cargo xtask soak`: the function's seeded tests, seed after seed, or a guest at work for long; stops at the first failure.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::{count, lint};
use crate::cache::Network;
use crate::tools::hdl;
use crate::vm::{self, scenario};
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

/// The scenario whose orders are repeated.
const SCENARIO: &str = "soak";

/// True if a guest went through the scenario's loop for so many minutes without a failure.
pub(crate) fn guests(seed: u64, minutes: u64) -> Result<bool> {
    let mut scenario = scenario::find(SCENARIO)?;
    scenario.again = format!(
        "cargo xtask soak --guests --minutes {minutes} --seed {seed}; or once:\n  {}",
        scenario.again
    );
    let options = vm::Options {
        device: "rtl".into(),
        params: "SIM".into(),
        all_sets: false,
        seed,
        kvm: false,
        trace: false,
        verbose: false,
        repeat_for: Duration::from_secs(60 * minutes),
        network: Network::Allowed,
    };
    vm::play(&scenario, &options)
}
