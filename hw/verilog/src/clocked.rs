//! What is assigned at a clock's edge: a register's input that nothing else reads needs no signal of its own.

use crate::collect::Module;
use crate::group::Units;
use crate::ir::{Expr, Kind, Stmt, cut, reads, targets};
use crate::reg;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A module's registers.
pub(crate) struct Clocked<'a> {
    by_clock: BTreeMap<&'a str, Vec<&'a Module>>,
    /// Inputs that are no signals, each with its output.
    folded: HashMap<String, String>,
}

impl<'a> Clocked<'a> {
    /// `direct` knows the clocks. An input stays a signal if the kernel reads it, or if it means what it says in one block only.
    pub(crate) fn new(
        module: &'a Module,
        stmts: &[Stmt],
        direct: &'a HashMap<String, Expr>,
        units: &Units,
    ) -> Self {
        let mut read = HashSet::new();
        reads(stmts, &mut |name| {
            read.insert(name.to_string());
        });
        let mut clocked = Clocked { by_clock: BTreeMap::new(), folded: HashMap::new() };
        for register in module.children.iter().filter(|child| reg::is(child)) {
            if let Some(Kind::Signal(clock)) = direct.get(&clock(register)).map(|e| &e.kind) {
                clocked.by_clock.entry(clock).or_default().push(register);
                let input = input(register);
                if !read.contains(&input) && units.alone(&input) {
                    clocked.folded.insert(input, output(register));
                }
            }
        }
        clocked
    }

    /// Whether this is the input of a register and no signal.
    pub(crate) fn folds(&self, target: &str) -> bool {
        self.folded.contains_key(target)
    }

    /// For each clock what is assigned at its edge; the targets are the registers' outputs.
    pub(crate) fn edges(&self, stmts: &[Stmt]) -> Vec<(&'a str, Vec<Stmt>)> {
        let edge = |registers: &[&Module]| {
            let inputs: HashSet<String> = registers.iter().map(|register| input(register)).collect();
            let folded = cut(stmts, &|target| self.folds(target) && inputs.contains(target));
            let signals = registers.iter().filter(|register| !self.folds(&input(register)));
            let mut out: Vec<Stmt> = signals.map(|register| from_signal(register)).collect();
            out.extend(turned(&without_holds(folded, &self.folded), &self.folded));
            out
        };
        self.by_clock.iter().map(|(clock, registers)| (*clock, edge(registers))).collect()
    }
}

/// A register takes its input, which is a signal.
fn from_signal(register: &Module) -> Stmt {
    let (width, _) = reg::init(register);
    Stmt::Assign {
        target: output(register),
        lo: 0,
        value: Expr { width, kind: Kind::Signal(input(register)) },
    }
}

pub(crate) fn clock(register: &Module) -> String {
    format!("{}$clock", register.field)
}

pub(crate) fn input(register: &Module) -> String {
    format!("{}$d", register.field)
}

pub(crate) fn output(register: &Module) -> String {
    format!("{}$q", register.field)
}

/// Without the first lines of `dff_setup!`: what is not assigned holds.
fn without_holds(stmts: Vec<Stmt>, outputs: &HashMap<String, String>) -> Vec<Stmt> {
    let mut assigned = HashSet::new();
    let mut out = vec![];
    for stmt in stmts {
        if let Stmt::Assign { target, value: Expr { kind: Kind::Signal(value), .. }, .. } = &stmt
            && outputs[target] == *value
            && !assigned.contains(target)
        {
            continue;
        }
        targets(std::slice::from_ref(&stmt), &mut |target| {
            assigned.insert(target.to_string());
        });
        out.push(stmt);
    }
    out
}

/// The same statements, assigning outputs.
fn turned(stmts: &[Stmt], outputs: &HashMap<String, String>) -> Vec<Stmt> {
    stmts
        .iter()
        .map(|stmt| match stmt {
            Stmt::Assign { target, lo, value } => {
                Stmt::Assign { target: outputs[target].clone(), lo: *lo, value: value.clone() }
            }
            Stmt::If { test, then, otherwise } => Stmt::If {
                test: test.clone(),
                then: turned(then, outputs),
                otherwise: turned(otherwise, outputs),
            },
            Stmt::Case { test, arms } => Stmt::Case {
                test: test.clone(),
                arms: arms.iter().map(|(label, body)| (label.clone(), turned(body, outputs))).collect(),
            },
        })
        .collect()
}
