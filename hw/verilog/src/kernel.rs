//! A module whose body is a kernel: what it declares, drives and instantiates.

use crate::clocked::{Clocked, clock, input, output};
use crate::collect::{Item, Module};
use crate::constants::Constants;
use crate::drive::check;
use crate::group::{Through, Units, assignments, groups};
use crate::ir::{Expr, Kind, Stmt, cut};
use crate::lower::Lower;
use crate::module::ports;
use crate::names::{Names, mangle};
use crate::print::{Printer, Wires, number, range};
use crate::reg;
use crate::scope::{Scope, shown};
use rust_hdl_core::ast::VerilogBlock;
use rust_hdl_core::atom::AtomKind;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// A kernel on its way to text.
pub(crate) struct Kernel<'a> {
    module: &'a Module,
    constants: &'a Constants<'a>,
    names: Names,
    /// Raw names of what the kernel must drive, with their widths.
    driven: Vec<(String, usize)>,
}

impl<'a> Kernel<'a> {
    pub(crate) fn new(module: &'a Module, constants: &'a Constants<'a>) -> Self {
        let mut names = Names::default();
        // Ports first: they keep their names.
        for item in module.items.iter().filter(|item| item.is_port()) {
            names.give(&item.name);
        }
        names.fresh(module.path.split('.').next().unwrap_or_default()); // the top module's own name
        let mut driven = vec![];
        for item in &module.items {
            names.give(&item.name);
            if matches!(item.kind, AtomKind::OutputParameter | AtomKind::LocalSignal) {
                driven.push((item.name.clone(), item.width));
            }
        }
        for child in &module.children {
            for item in child.items.iter().filter(|item| item.is_port()) {
                let raw = format!("{}${}", child.field, item.name);
                if !(reg::is(child) && item.name == "clock") {
                    names.give(&raw);
                }
                if item.is_input() {
                    driven.push((raw, item.width));
                }
            }
        }
        for child in module.children.iter().filter(|child| !reg::is(child)) {
            names.give_like(&format!("{}$instance", child.field), &mangle(&child.field));
        }
        for variant in module.variants.keys() {
            names.give(variant);
        }
        Kernel { module, constants, names, driven }
    }

    pub(crate) fn text(
        mut self,
        kernel: &VerilogBlock,
        kinds: &HashMap<String, String>,
        findings: &mut Vec<String>,
    ) -> String {
        let mut lower = Lower { scope: Scope::new(self.module, self.constants), findings: vec![] };
        let stmts = lower.block(kernel);
        let scope = lower.scope;
        let mut bad = lower.findings;
        if bad.is_empty() {
            check(self.module, &self.driven, &stmts, &mut bad);
        }
        findings.extend(bad.iter().map(|why| format!("{}: {why}", self.module.path)));
        if !bad.is_empty() {
            return String::new();
        }
        let widths = |name: &str| scope.width_of(name);
        let path = &self.module.path;
        let mut refuse = |why: String| findings.push(format!("{path}: {why}"));
        let direct = self.direct(&stmts, &mut refuse);
        // A child's inputs are read settled wherever the read stands; locals and outputs hold what was assigned last.
        let held: HashSet<&str> = self.module.items.iter().map(|item| item.name.as_str()).collect();
        let units = Units::new(&stmts, &|name| held.contains(name), &mut refuse);
        let clocked = Clocked::new(self.module, &stmts, &direct, &units);
        let (body, wires, procedural) = self.body(&stmts, &direct, &clocked, &units, &widths);
        let mut out = ports(self.module, &|item| procedural.contains(&item.name));
        let items = self.declarations(&direct, &clocked, &procedural);
        let registers = self.initial();
        let instances = self.instances(&direct, kinds);
        let mut rest = String::new();
        for (name, width, value) in &wires {
            let value = value.as_ref().map_or(String::new(), |value| format!(" = {value}"));
            let kind = if value.is_empty() { "reg " } else { "wire" };
            let _ = writeln!(rest, "    {kind} {}{name}{value};", range(*width));
        }
        rest += &registers;
        rest += &instances;
        rest += &body;
        out += &self.parameters(&(items.clone() + &rest));
        out += &items;
        out + &rest
    }

    /// Children's inputs that are driven once, by a plain signal or number, whatever happens.
    fn direct(&self, stmts: &[Stmt], refuse: &mut dyn FnMut(String)) -> HashMap<String, Expr> {
        let count = assignments(stmts);
        let own: HashSet<&str> = self.module.items.iter().map(|item| item.name.as_str()).collect();
        let mut out = HashMap::new();
        for stmt in stmts {
            let Stmt::Assign { target, value, .. } = stmt else { continue };
            let plain = matches!(value.kind, Kind::Signal(_) | Kind::Literal(_));
            let whole = self.driven.iter().any(|(name, width)| name == target && *width == value.width);
            let register_d = self.module.children.iter().any(|c| reg::is(c) && *target == input(c));
            if count[target] == 1 && plain && whole && !own.contains(target.as_str()) && !register_d {
                out.insert(target.clone(), value.clone());
            }
        }
        for child in self.module.children.iter().filter(|child| reg::is(child)) {
            if !matches!(out.get(&clock(child)), Some(Expr { kind: Kind::Signal(_), .. })) {
                refuse(format!(
                    "register `{}`: its clock is not driven by a plain signal",
                    shown(&child.field)
                ));
            }
        }
        out
    }

    /// The `assign`s and `always` blocks, the wires they need, and the targets of `always` blocks.
    #[allow(clippy::type_complexity, reason = "three plain lists, used once")]
    fn body(
        &mut self,
        stmts: &[Stmt],
        direct: &HashMap<String, Expr>,
        clocked: &Clocked<'_>,
        units: &Units,
        widths: &dyn Fn(&str) -> usize,
    ) -> (String, Wires, HashSet<String>) {
        let through: Vec<Through> = self
            .module
            .children
            .iter()
            .filter(|child| !reg::is(child))
            .map(|child| {
                let of = |input: bool| {
                    let items = child.items.iter().filter(|item| item.is_port() && item.is_input() == input);
                    items.map(|item| format!("{}${}", child.field, item.name)).collect()
                };
                Through { inputs: of(true), outputs: of(false) }
            })
            .collect();
        let (mut assigns, mut blocks) = (String::new(), String::new());
        let mut procedural = HashSet::new();
        let mut printer = Printer::new(&mut self.names);
        let settled = cut(stmts, &|t| !clocked.folds(t));
        for group in groups(&settled, &through, units) {
            let part = cut(&settled, &|t| group.contains(t) && !direct.contains_key(t));
            match &part[..] {
                [] => {}
                [Stmt::Assign { target, value, .. }] if value.width == widths(target) => {
                    let value = printer.bare(value);
                    let _ = writeln!(assigns, "    assign {} = {value};", printer.names.get(target));
                }
                _ => {
                    blocks += &printer.always(&part, widths, &group);
                    procedural.extend(group);
                }
            }
        }
        for (clock, part) in clocked.edges(stmts) {
            blocks += &printer.clocked(clock, &part, widths);
        }
        (assigns + &blocks, printer.wires, procedural)
    }

    /// The localparams which `used` names.
    fn parameters(&self, used: &str) -> String {
        let words: HashSet<&str> = used.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        let mut out = String::new();
        let variants = self.module.variants.iter().filter_map(|(name, found)| {
            found.map(|(width, value)| (name.as_str(), width, format!("{value:x}")))
        });
        let constants = self.module.items.iter().filter(|item| item.kind == AtomKind::Constant);
        let constants = constants.map(|item| (item.name.as_str(), item.width, item.value.clone()));
        for (raw, width, value) in constants.chain(variants) {
            let name = self.names.get(raw);
            if words.contains(name) {
                let _ = writeln!(out, "    localparam {}{name} = {};", range(width), number(width, &value));
            }
        }
        out
    }

    fn declarations(
        &self,
        direct: &HashMap<String, Expr>,
        clocked: &Clocked<'_>,
        procedural: &HashSet<String>,
    ) -> String {
        let mut list: Vec<(&str, usize, &str)> = vec![];
        let net = |raw: &str| if procedural.contains(raw) { "reg " } else { "wire" };
        for item in self.module.items.iter().filter(|item| item.kind == AtomKind::LocalSignal) {
            list.push((net(&item.name), item.width, self.names.get(&item.name)));
        }
        for child in &self.module.children {
            for item in child.items.iter().filter(|item| item.is_port()) {
                let raw = format!("{}${}", child.field, item.name);
                if direct.contains_key(&raw) || clocked.folds(&raw) {
                    continue;
                }
                let kind = if reg::is(child) && item.name == "q" { "reg " } else { net(&raw) };
                list.push((kind, item.width, self.names.get(&raw)));
            }
        }
        let widest = list.iter().map(|(_, width, _)| range(*width).len()).max().unwrap_or(0);
        list.iter().fold(String::new(), |mut out, (kind, width, name)| {
            let _ = writeln!(out, "    {kind} {:widest$}{name};", range(*width));
            out
        })
    }

    /// What registers power up as.
    fn initial(&self) -> String {
        self.module.children.iter().filter(|child| reg::is(child)).fold(String::new(), |mut out, child| {
            let (width, init) = reg::init(child);
            let q = self.names.get(&output(child));
            let _ = writeln!(out, "    initial {q} = {};", number(width, &init));
            out
        })
    }

    fn instances(&self, direct: &HashMap<String, Expr>, kinds: &HashMap<String, String>) -> String {
        let mut out = String::new();
        for child in self.module.children.iter().filter(|child| !reg::is(child)) {
            let items: Vec<&Item> = child.items.iter().filter(|item| item.is_port()).collect();
            let widest = items.iter().map(|item| mangle(&item.name).len()).max().unwrap_or(0);
            let lines: Vec<String> = items
                .iter()
                .map(|item| {
                    let raw = format!("{}${}", child.field, item.name);
                    let net = match direct.get(&raw) {
                        Some(Expr { kind: Kind::Signal(name), .. }) => self.names.get(name).to_string(),
                        Some(Expr { kind: Kind::Literal(hex), width }) => number(*width, hex),
                        _ => self.names.get(&raw).to_string(),
                    };
                    format!("        .{:widest$} ({net})", mangle(&item.name))
                })
                .collect();
            let kind = kinds.get(&child.path).map_or("", String::as_str);
            let name = self.names.get(&format!("{}$instance", child.field));
            let _ = writeln!(out, "    {kind} {name} (\n{}\n    );", lines.join(",\n"));
        }
        out
    }
}
