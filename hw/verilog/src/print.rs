//! Statements and expressions as Verilog text.
//!
//! Every operand is printed at its exact width and every nested operation in parentheses, so neither Verilog's
//! widening nor its precedence can change a value. What Verilog cannot slice gets a wire of its own.

use crate::ir::{Expr, Kind, Stmt};
use crate::names::Names;
use std::fmt::Write;

/// Prints one module's statements.
pub(crate) struct Printer<'a> {
    pub(crate) names: &'a mut Names,
    /// Wires for values in between: name, width, value.
    pub(crate) wires: Vec<(String, usize, String)>,
}

pub(crate) fn range(width: usize) -> String {
    if width == 1 { String::new() } else { format!("[{}:0] ", width - 1) }
}

pub(crate) fn number(width: usize, hex: &str) -> String {
    match u64::from_str_radix(hex, 16) {
        Ok(value) if value < 10 => format!("{width}'d{value}"),
        _ => format!("{width}'h{hex}"),
    }
}

impl Printer<'_> {
    /// Without parentheses around the whole.
    pub(crate) fn bare(&mut self, e: &Expr) -> String {
        let text = self.expr(e);
        let inner = text.strip_prefix('(').filter(|rest| closes_last(rest));
        inner.map_or(text.clone(), |rest| rest[..rest.len() - 1].to_string())
    }

    pub(crate) fn expr(&mut self, e: &Expr) -> String {
        match &e.kind {
            Kind::Signal(name) | Kind::Param(name) => self.names.get(name).to_string(),
            Kind::Literal(hex) => number(e.width, hex),
            Kind::Unary(op, a) => format!("({op}{})", self.expr(a)),
            Kind::Binary(op @ ("<<" | ">>"), a, b) => {
                let by = match &b.kind {
                    Kind::Literal(hex) => format!("{}", u64::from_str_radix(hex, 16).unwrap_or(u64::MAX)),
                    _ => self.expr(b),
                };
                format!("({} {op} {by})", self.expr(a))
            }
            Kind::Binary(op, a, b) => format!("({} {op} {})", self.expr(a), self.expr(b)),
            Kind::Extend(a) => format!("{{{}'d0, {}}}", e.width - a.width, self.bare(a)),
            Kind::Slice(a, lo) => {
                let base = self.name(a);
                match (a.width, e.width) {
                    (1, _) => base,
                    (_, 1) => format!("{base}[{lo}]"),
                    (_, width) => format!("{base}[{}:{lo}]", lo + width - 1),
                }
            }
            Kind::Select(a, at) => {
                let (base, at) = (self.name(a), self.bare(at));
                if e.width == 1 { format!("{base}[{at}]") } else { format!("{base}[{at} +: {}]", e.width) }
            }
            Kind::Concat(list) => {
                let list: Vec<String> = list.iter().map(|e| self.bare(e)).collect();
                format!("{{{}}}", list.join(", "))
            }
            Kind::Mux(index, list) => {
                let index_text = self.expr(index);
                let reachable =
                    list.iter().enumerate().take_while(|(i, _)| index.width >= 64 || *i < 1 << index.width);
                let list: Vec<String> = reachable.map(|(_, e)| self.expr(e)).collect();
                let (last, first) = list.split_last().expect("an array has elements");
                let mut text = String::from("(");
                for (i, each) in first.iter().enumerate() {
                    let _ = write!(
                        text,
                        "({index_text} == {}) ? {each} : ",
                        number(index.width, &format!("{i:x}"))
                    );
                }
                text + last + ")"
            }
        }
    }

    /// Something that may be sliced.
    fn name(&mut self, e: &Expr) -> String {
        if let Kind::Signal(name) | Kind::Param(name) = &e.kind {
            return self.names.get(name).to_string();
        }
        let value = self.bare(e);
        if let Some((name, ..)) =
            self.wires.iter().find(|(_, width, text)| *width == e.width && *text == value)
        {
            return name.clone();
        }
        let name = self.names.fresh(&format!("t{}", self.wires.len()));
        self.wires.push((name.clone(), e.width, value));
        name
    }

    pub(crate) fn stmts(
        &mut self,
        stmts: &[Stmt],
        widths: &dyn Fn(&str) -> usize,
        indent: usize,
        out: &mut String,
    ) {
        let pad = "    ".repeat(indent);
        for stmt in stmts {
            match stmt {
                Stmt::Assign { target, lo, value } => {
                    let whole = widths(target);
                    let part = match value.width {
                        width if width == whole => String::new(),
                        1 => format!("[{lo}]"),
                        width => format!("[{}:{lo}]", lo + width - 1),
                    };
                    let value = self.bare(value);
                    let _ = writeln!(out, "{pad}{}{part} = {value};", self.names.get(target));
                }
                Stmt::If { test, then, otherwise } => {
                    let _ = writeln!(out, "{pad}if ({}) begin", self.bare(test));
                    self.branches(then, otherwise, widths, indent, out);
                }
                Stmt::Case { test, arms } => {
                    let _ = writeln!(out, "{pad}case ({})", self.bare(test));
                    for (at, (label, body)) in arms.iter().enumerate() {
                        let label = match label {
                            Some(label) if at + 1 < arms.len() => self.expr(label),
                            Some(label) => format!("default /* {} */", self.expr(label)),
                            None => "default".into(),
                        };
                        if body.is_empty() {
                            let _ = writeln!(out, "{pad}    {label}: ;");
                            continue;
                        }
                        let _ = writeln!(out, "{pad}    {label}: begin");
                        self.stmts(body, widths, indent + 2, out);
                        let _ = writeln!(out, "{pad}    end");
                    }
                    let _ = writeln!(out, "{pad}endcase");
                }
            }
        }
    }

    fn branches(
        &mut self,
        then: &[Stmt],
        otherwise: &[Stmt],
        widths: &dyn Fn(&str) -> usize,
        indent: usize,
        out: &mut String,
    ) {
        let pad = "    ".repeat(indent);
        self.stmts(then, widths, indent + 1, out);
        match otherwise {
            [] => {
                let _ = writeln!(out, "{pad}end");
            }
            [Stmt::If { test, then, otherwise }] => {
                let _ = writeln!(out, "{pad}end else if ({}) begin", self.bare(test));
                self.branches(then, otherwise, widths, indent, out);
            }
            _ => {
                let _ = writeln!(out, "{pad}end else begin");
                self.stmts(otherwise, widths, indent + 1, out);
                let _ = writeln!(out, "{pad}end");
            }
        }
    }
}

/// Whether the parenthesis opened before `rest` closes at its very end.
fn closes_last(rest: &str) -> bool {
    let mut depth = 1;
    for (at, c) in rest.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1 == rest.len();
        }
    }
    false
}
