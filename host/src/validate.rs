//! `validate`: a verdict per clause. What can be read of a live function; `active` sets one that is ours up and tries it out.

mod active;
mod passive;

use serde::Serialize;

pub use active::Plan;

use crate::control::Step;
use crate::error::Result;
use crate::finding::Finding;
use crate::function::Function;
use crate::report::Head;

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As the clause wants it.
    Pass,
    /// Not so.
    Fail,
    /// It could not be looked at.
    Skipped,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The section, by its title.
    pub clause: &'static str,
    /// What is looked at.
    pub name: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// With which values.
    pub detail: String,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Validation {
    /// What every report has.
    #[serde(flatten)]
    pub head: Head,
    /// The function was set up and tried out.
    pub active: bool,
    /// All checks, in their order.
    pub checks: Vec<Check>,
    /// Steps of each bring-up.
    pub steps: Vec<Step>,
    /// Checks that passed.
    pub passed: usize,
    /// Checks that did not.
    pub failed: usize,
    /// Checks that could not be made.
    pub skipped: usize,
}

/// Checks as they are made.
#[derive(Debug, Default)]
struct Checks(Vec<Check>);

impl Checks {
    /// One that was made: passed, unless something is wrong.
    fn made(
        &mut self,
        clause: &'static str,
        name: &'static str,
        wrong: Vec<String>,
        seen: impl Into<String>,
    ) {
        let (verdict, detail) =
            if wrong.is_empty() { (Verdict::Pass, seen.into()) } else { (Verdict::Fail, wrong.join("; ")) };
        self.0.push(Check { clause, name, verdict, detail });
    }

    /// One that passed or did not.
    fn that(&mut self, clause: &'static str, name: &'static str, good: bool, seen: impl Into<String>) {
        let verdict = if good { Verdict::Pass } else { Verdict::Fail };
        self.0.push(Check { clause, name, verdict, detail: seen.into() });
    }

    /// One that could not be made, and why.
    fn skipped(&mut self, clause: &'static str, name: &'static str, why: impl Into<String>) {
        self.0.push(Check { clause, name, verdict: Verdict::Skipped, detail: why.into() });
    }

    /// One whose failure is an error's.
    fn result<T>(
        &mut self,
        clause: &'static str,
        name: &'static str,
        result: Result<T>,
        seen: &str,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.that(clause, name, true, seen);
                Some(value)
            }
            Err(error) => {
                self.that(clause, name, false, error.to_string());
                None
            }
        }
    }
}

impl Validation {
    /// Looks only.
    pub fn gather(function: &mut Function) -> Result<Validation> {
        let head = Head::of("validate", function);
        let mut checks = Checks::default();
        passive::check(function, &mut checks)?;
        Ok(Validation::of(head, false, checks, vec![]))
    }

    /// Looks, then sets the function up with each kind of ring, and tries it out.
    pub fn try_out(mut function: Function, plan: &Plan) -> Result<Validation> {
        let head = Head::of("validate", &function);
        let mut checks = Checks::default();
        passive::check(&mut function, &mut checks)?;
        let steps = active::check(function, plan, &mut checks)?;
        Ok(Validation::of(head, true, checks, steps))
    }

    fn of(mut head: Head, active: bool, Checks(checks): Checks, steps: Vec<Step>) -> Validation {
        let count = |verdict| checks.iter().filter(|one| one.verdict == verdict).count();
        let failed = checks.iter().filter(|one| one.verdict == Verdict::Fail);
        head.findings =
            failed.map(|one| Finding::new(one.clause, format!("{}: {}", one.name, one.detail))).collect();
        let (passed, failed, skipped) = (count(Verdict::Pass), count(Verdict::Fail), count(Verdict::Skipped));
        Validation { head, active, checks, steps, passed, failed, skipped }
    }
}
