//! One module's text, apart from its name.

use crate::collect::{Item, Module};
use crate::constants::Constants;
use crate::kernel::Kernel;
use crate::names::mangle;
use crate::print::range;
use rust_hdl_core::ast::Verilog;
use std::collections::HashMap;
use std::fmt::Write;

/// The ports and the body; `kinds` are the module names of the children that are not registers.
pub(crate) fn text(
    module: &Module,
    kinds: &HashMap<String, String>,
    constants: &Constants<'_>,
    findings: &mut Vec<String>,
) -> String {
    match &module.code {
        Verilog::Combinatorial(kernel) => Kernel::new(module, constants).text(kernel, kinds, findings),
        Verilog::Custom(text) => custom(module, text, true),
        Verilog::Wrapper(wrapper) => custom(module, &wrapper.code, false),
        Verilog::Blackbox(_) => String::new(),
        Verilog::Empty => {
            findings
                .push(format!("{}: has no Verilog: `update` wants #[hdl_gen], or write `hdl`", module.path));
            String::new()
        }
    }
}

fn custom(module: &Module, text: &str, procedural: bool) -> String {
    let assigned = |name: &str| {
        text.match_indices(&format!("assign {name}")).any(|(at, found)| {
            !text[at + found.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        })
    };
    let mut out = ports(module, &|item| procedural && !assigned(&mangle(&item.name)));
    for line in text.lines() {
        let _ = writeln!(out, "{}", format!("    {line}").trim_end());
    }
    out
}

/// `(...)` with every port; `reg` says which outputs are assigned in `always`.
pub(crate) fn ports(module: &Module, reg: &dyn Fn(&Item) -> bool) -> String {
    let items: Vec<&Item> = module.items.iter().filter(|item| item.is_port()).collect();
    let widest = items.iter().map(|item| range(item.width).len()).max().unwrap_or(0);
    let lines: Vec<String> = items
        .iter()
        .map(|item| {
            let kind = match (item.is_input(), reg(item)) {
                (true, _) => "input  wire",
                (false, true) => "output reg ",
                (false, false) => "output wire",
            };
            format!("    {kind} {:widest$}{}", range(item.width), mangle(&item.name))
        })
        .collect();
    format!("(\n{}\n);\n", lines.join(",\n"))
}
