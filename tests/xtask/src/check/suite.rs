//! `cargo xtask test`: everything, in sections with their times, and at the end one line with the counts.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::count::{self, Count};
use super::{licences, lint};
use crate::tools::hdl::{self, Environment};
use crate::vm::{self, scenario};
use crate::{cmd, place, say, tidy};

const TEST_LIMIT: Duration = Duration::from_secs(2400);
/// How much of a failed run of the crates' tests is shown.
const TAIL: usize = 120;

/// Runs the suite; true if nothing failed. `quick` leaves the guests out.
pub(crate) fn run(quick: bool, options: &vm::Options) -> Result<bool> {
    let start = Instant::now();
    let mut total = Count::default();
    let environment = hdl::ready(options.network)?;
    section("form", &mut total, || {
        let mut count = Count::of(lint::format()?);
        count += Count::of(tidy::run()?);
        count += Count::of(licences::check()?);
        count += Count::of(lint::clippy(&environment)?);
        Ok(count)
    });
    section("crates", &mut total, || crates(&environment));
    if !quick {
        // As the crates' tests have built it.
        let options = vm::Options { all_sets: true, ..options.clone() };
        section("guests", &mut total, || guests(&options));
    }
    println!("the suite took {:.0} s", start.elapsed().as_secs_f64());
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(total.failed == 0)
}

/// Runs a section; an error in it counts as a failure and does not keep the others from running.
fn section(name: &str, total: &mut Count, run: impl FnOnce() -> Result<Count>) {
    let start = Instant::now();
    say::heading(name);
    let count = run().unwrap_or_else(|error| {
        println!("  {name}: {error:#}");
        Count::of(false)
    });
    let time = start.elapsed().as_secs_f64();
    println!("{name}: {} passed, {} failed in {time:.0} s\n", count.passed, count.failed);
    *total += count;
}

/// The tests of all crates, by cargo.
fn crates(environment: &Environment) -> Result<Count> {
    let build = [&["test", "--workspace", "--no-run"], &lint::ALL_SETS[..]].concat();
    if !lint::cargo("build the tests", &build, environment)? {
        return Ok(Count::of(false));
    }
    let mut step = say::step("run the tests");
    let mut command = Command::new("cargo");
    command.args(["test", "--workspace", "--no-fail-fast"]).args(lint::ALL_SETS).current_dir(place::root());
    command.envs(environment.iter().cloned());
    let output = cmd::capture(&mut command, TEST_LIMIT, |line| step.note(line.trim()))?;
    let log = place::target().join("crates.log");
    fs::write(&log, &output.text)?;
    let mut count = count::sum(&output.text);
    let detail = format!("{} passed, {} failed", count.passed, count.failed);
    if output.ok {
        step.done(&detail);
        return Ok(count);
    }
    step.failed(&detail);
    println!("{}\n  {}  (all they said)", cmd::tail(&failures(&output.text), TAIL), place::short(&log));
    // A test program which died printed no result.
    count.failed = count.failed.max(1);
    Ok(count)
}

/// How cargo and Rust's runtime put it that a test program has died.
const DEATHS: [&str; 3] = ["process didn't exit successfully", "overflowed its stack", "fatal runtime error"];

/// What failed tests said: cargo's `failures:` parts and its own errors.
fn failures(text: &str) -> String {
    let mut kept = String::new();
    let mut inside = false;
    for line in text.lines() {
        inside = (inside || line == "failures:") && !line.starts_with("test result:");
        // A program that died says why in no `failures:`.
        let died = DEATHS.iter().any(|word| line.contains(word));
        if inside || died || line.starts_with("error") || line.contains("FAILED") {
            kept += line;
            kept.push('\n');
        }
    }
    kept
}

/// Every scenario of tests/guest, each one a test.
fn guests(options: &vm::Options) -> Result<Count> {
    let mut count = Count::default();
    for scenario in scenario::all()?.into_iter().filter(|one| one.repeat.is_none()) {
        let good = vm::play(&scenario, options).unwrap_or_else(|error| {
            println!("  {}: {error:#}", scenario.name);
            false
        });
        count += Count::of(good);
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_are_kept() {
        let text = "test a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\nwhy\n\ntest result: FAILED. 1 passed; 1 failed\ntest c ... ok\n";
        let kept = failures(text);
        let died = failures(
            "test a ... ok\nCaused by:\n  process didn't exit successfully: `x` (signal: 6, SIGABRT)\n",
        );
        assert!(died.contains("SIGABRT") && !died.contains("test a"));
        assert!(kept.contains("why") && kept.contains("test b ... FAILED") && !kept.contains("test c"));
    }

    #[test]
    fn an_error_in_a_section_counts_as_a_failure() {
        let mut total = Count::default();
        section("broken", &mut total, || anyhow::bail!("no compiler"));
        assert_eq!(total, Count { passed: 0, failed: 1 });
    }
}
