//! Statements and expressions as Verilog text.
//!
//! Every operand is printed at its exact width and every nested operation in parentheses, so neither Verilog's
//! widening nor its precedence can change a value. What Verilog cannot slice gets a wire of its own.

use crate::ir::{Expr, Kind, Stmt};
use crate::names::Names;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Prints one module's statements.
pub(crate) struct Printer<'a> {
    pub(crate) names: &'a mut Names,
    /// For values in between.
    pub(crate) wires: Wires,
    /// What the `always` block being printed assigns: a value made of these is made in the block, in its place.
    inside: BTreeSet<String>,
    /// Lines that come before the statement being printed.
    first: Vec<String>,
    /// `=` or `<=`.
    becomes: &'static str,
}

/// Name, width and value; without a value it is assigned in an `always` block.
pub(crate) type Wires = Vec<(String, usize, Option<String>)>;

pub(crate) fn range(width: usize) -> String {
    if width == 1 { String::new() } else { format!("[{}:0] ", width - 1) }
}

pub(crate) fn number(width: usize, hex: &str) -> String {
    match u64::from_str_radix(hex, 16) {
        Ok(value) if value < 10 => format!("{width}'d{value}"),
        _ => format!("{width}'h{hex}"),
    }
}

impl<'a> Printer<'a> {
    pub(crate) fn new(names: &'a mut Names) -> Self {
        Printer { names, wires: vec![], inside: BTreeSet::new(), first: vec![], becomes: "=" }
    }

    /// One block that assigns `group`.
    pub(crate) fn always(
        &mut self,
        stmts: &[Stmt],
        widths: &dyn Fn(&str) -> usize,
        group: &BTreeSet<String>,
    ) -> String {
        let known = self.wires.len();
        self.inside = group.clone();
        let mut body = String::new();
        self.stmts(stmts, widths, 2, &mut body);
        self.inside.clear();
        let mut out = String::from("    always @* begin\n");
        for (name, width, value) in &self.wires[known..] {
            if value.is_none() {
                let _ = writeln!(out, "        {name} = {};", number(*width, "0"));
            }
        }
        out + &body + "    end\n"
    }

    /// One block that assigns at an edge of `clock`.
    pub(crate) fn clocked(&mut self, clock: &str, stmts: &[Stmt], widths: &dyn Fn(&str) -> usize) -> String {
        self.becomes = "<=";
        let mut body = String::new();
        self.stmts(stmts, widths, 2, &mut body);
        self.becomes = "=";
        format!("    always @(posedge {}) begin\n{body}    end\n", self.names.get(clock))
    }

    fn flush(&mut self, pad: &str, out: &mut String) {
        for line in self.first.drain(..) {
            let _ = writeln!(out, "{pad}{line}");
        }
    }

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
        let mut moves = false;
        e.reads(&mut |name| moves |= self.inside.contains(name));
        if !moves
            && let Some((name, ..)) =
                self.wires.iter().find(|w| w.1 == e.width && w.2.as_ref() == Some(&value))
        {
            return name.clone();
        }
        let name = self.names.fresh(&format!("t{}", self.wires.len()));
        if moves {
            self.first.push(format!("{name} = {value};"));
        }
        self.wires.push((name.clone(), e.width, (!moves).then_some(value)));
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
                    self.flush(&pad, out);
                    let _ = writeln!(out, "{pad}{}{part} {} {value};", self.names.get(target), self.becomes);
                }
                Stmt::If { test, then, otherwise } => {
                    let test = self.bare(test);
                    self.flush(&pad, out);
                    let _ = writeln!(out, "{pad}if ({test}) begin");
                    self.branches(then, otherwise, widths, indent, out);
                }
                Stmt::Case { test, arms } => {
                    let test = self.bare(test);
                    self.flush(&pad, out);
                    let _ = writeln!(out, "{pad}case ({test})");
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
            [Stmt::If { test, then, otherwise: more }] => {
                let test = self.bare(test);
                if self.first.is_empty() {
                    let _ = writeln!(out, "{pad}end else if ({test}) begin");
                    self.branches(then, more, widths, indent, out);
                } else {
                    let _ = writeln!(out, "{pad}end else begin");
                    self.flush(&format!("{pad}    "), out);
                    let _ = writeln!(out, "{pad}    if ({test}) begin");
                    self.branches(then, more, widths, indent + 1, out);
                    let _ = writeln!(out, "{pad}end");
                }
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
