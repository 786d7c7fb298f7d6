//! What is assigned at a clock's edge: a register's input that nothing else reads needs no signal of its own.

use crate::collect::Module;
use crate::group::Units;
use crate::ir::{Expr, Kind, Stmt, cut, reads, targets};
use crate::reg;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Registers by their clock, each with whether its input is a signal.
pub(crate) struct Clocked<'a>(BTreeMap<&'a str, Vec<(&'a Module, bool)>>);

impl<'a> Clocked<'a> {
    /// `direct` knows the clocks. An input stays a signal if a kernel reads it, or if it means what it says in one block only.
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
        let mut by_clock: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for register in module.children.iter().filter(|child| reg::is(child)) {
            if let Some(Kind::Signal(clock)) = direct.get(&clock(register)).map(|e| &e.kind) {
                let signal = read.contains(&input(register)) || !units.alone(&input(register));
                by_clock.entry(clock).or_default().push((register, signal));
            }
        }
        Clocked(by_clock)
    }

    /// Whether this is the input of a register and no signal.
    pub(crate) fn folds(&self, target: &str) -> bool {
        self.0.values().flatten().any(|(register, signal)| !signal && input(register) == target)
    }

    /// For each clock what is assigned at its edge; the targets are the registers' outputs.
    pub(crate) fn edges(&self, stmts: &[Stmt]) -> Vec<(&'a str, Vec<Stmt>)> {
        let edge = |registers: &[(&Module, bool)]| {
            let value = |signal: String, width| Expr { width, kind: Kind::Signal(signal) };
            let whole = |register: &Module| {
                let (width, _) = reg::init(register);
                Stmt::Assign { target: output(register), lo: 0, value: value(input(register), width) }
            };
            let outputs: HashMap<String, String> =
                registers.iter().filter(|(_, signal)| !signal).map(|(r, _)| (input(r), output(r))).collect();
            let mut out: Vec<Stmt> =
                registers.iter().filter(|(_, signal)| *signal).map(|(r, _)| whole(r)).collect();
            let folded = cut(stmts, &|target| outputs.contains_key(target));
            out.extend(turned(&without_holds(folded, &outputs), &outputs));
            out
        };
        self.0.iter().map(|(clock, registers)| (*clock, edge(registers))).collect()
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
