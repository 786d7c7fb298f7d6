//! The whole design: children before parents, equal modules once.

use crate::collect::{Module, collect};
use crate::constants::Constants;
use crate::module::{ports, text};
use crate::names::{Names, mangle};
use crate::reg;
use rust_hdl_core::ast::Verilog;
use rust_hdl_core::block::Block;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

/// Why a design cannot be printed: every finding, with the block it is in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot be printed as Verilog:\n  {}", findings.join("\n  "))]
pub struct EmitError {
    pub findings: Vec<String>,
}

impl std::ops::Deref for EmitError {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.findings
    }
}

struct Printed {
    name: String,
    text: String,
    users: Vec<String>,
}

struct Emit<'a> {
    top: &'a str,
    constants: Constants<'a>,
    findings: Vec<String>,
    modules: Vec<Printed>,
    /// Text to its place in `modules`.
    same: HashMap<String, usize>,
    /// Path of a block to its module's name.
    kinds: HashMap<String, String>,
    names: Names,
    /// Black boxes and the cores of wrappers, by name or text.
    extra: BTreeMap<String, String>,
}

/// Prints `block` as Verilog whose top module is `top`.
///
/// `constants` are the Rust constants which kernels may name, as `("tlp::LENGTH_LSB", 0)`: a value, an offset or a
/// match label with a path is looked up by the path, or by its last word where that is unambiguous.
pub fn emit<B: Block>(top: &str, block: &B, constants: &[(&str, u64)]) -> Result<String, EmitError> {
    let tree = collect(top, block).map_err(|findings| EmitError { findings })?;
    let mut emit = Emit {
        top,
        constants: Constants(constants),
        findings: vec![],
        modules: vec![],
        same: HashMap::new(),
        kinds: HashMap::new(),
        names: Names::default(),
        extra: BTreeMap::new(),
    };
    emit.names.fresh(top);
    emit.module(&tree, true);
    if !emit.findings.is_empty() {
        emit.findings.sort();
        emit.findings.dedup();
        return Err(EmitError { findings: emit.findings });
    }
    let mut out = format!("// {top}: printed by hematite-verilog. Do not edit.\n");
    for text in emit.extra.values() {
        let _ = write!(out, "\n{}\n", text.trim());
    }
    for Printed { name, text, users } in &emit.modules {
        let more = if users.len() > 1 { format!(", and {} more", users.len() - 1) } else { String::new() };
        let _ = write!(out, "\n// {}{more}\nmodule {name} {text}endmodule\n", users[0]);
    }
    Ok(out)
}

impl Emit<'_> {
    fn module(&mut self, module: &Module, is_top: bool) {
        for child in module.children.iter().filter(|child| !reg::is(child)) {
            self.module(child, false);
        }
        self.check_ports(module);
        if let Verilog::Blackbox(black) = &module.code {
            let code = if black.code.trim().is_empty() {
                declaration(module, &black.name)
            } else {
                black.code.clone()
            };
            if self.extra.insert(black.name.clone(), code.clone()).is_some_and(|old| old != code) {
                self.findings
                    .push(format!("{}: black box {} is declared in two ways", module.path, black.name));
            }
            self.kinds.insert(module.path.clone(), black.name.clone());
            return;
        }
        if let Verilog::Wrapper(wrapper) = &module.code {
            self.extra.insert(wrapper.cores.clone(), wrapper.cores.clone());
        }
        let text = text(module, &self.kinds, &self.constants, &mut self.findings);
        let at = match self.same.get(&text) {
            Some(at) if !is_top => *at,
            _ => {
                let field = module.field.trim_end_matches(|c: char| c.is_ascii_digit() || c == '$');
                let base = format!("{}_{}", self.top, mangle(field).trim_end_matches('_'));
                let name = if is_top { self.top.to_string() } else { self.names.fresh(&base) };
                self.modules.push(Printed { name, text: text.clone(), users: vec![] });
                self.same.insert(text, self.modules.len() - 1);
                self.modules.len() - 1
            }
        };
        self.modules[at].users.push(module.path.clone());
        self.kinds.insert(module.path.clone(), self.modules[at].name.clone());
    }

    /// Two ports must not share a printed name.
    fn check_ports(&mut self, module: &Module) {
        let mut seen: HashMap<String, &str> = HashMap::new();
        for item in module.items.iter().filter(|item| item.is_port()) {
            if let Some(other) = seen.insert(mangle(&item.name), &item.name) {
                let (a, b) = (other.replace('$', "."), item.name.replace('$', "."));
                self.findings.push(format!("{}: ports `{a}` and `{b}` have one Verilog name", module.path));
            }
        }
    }
}

/// A module that is defined elsewhere.
fn declaration(module: &Module, name: &str) -> String {
    format!(
        "/* verilator lint_off UNDRIVEN */\n/* verilator lint_off UNUSEDSIGNAL */\n(* blackbox *)\nmodule {name} {}endmodule\n\
         /* verilator lint_on UNUSEDSIGNAL */\n/* verilator lint_on UNDRIVEN */",
        ports(module, &|_| false)
    )
}

/// What a block's `hdl()` returns when its module is defined elsewhere under `name`, with the struct's ports.
pub fn black_box(name: &str) -> Verilog {
    Verilog::Blackbox(rust_hdl_core::ast::BlackBox { code: String::new(), name: name.into() })
}
