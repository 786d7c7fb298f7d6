//! A kernel's AST becomes statements whose widths are exact.
//!
//! The front end's AST has no types: widths come from the signals, as Rust's did. A literal takes the width of
//! what it is combined with. Loops are unrolled, macros and links opened.

use crate::ir::{Expr, Stmt};
use crate::label::integer;
use crate::scope::{Place, Scope, shown};
use rust_hdl_core::ast::*;

/// Lowers one kernel.
pub(crate) struct Lower<'a> {
    pub(crate) scope: Scope<'a>,
    pub(crate) findings: Vec<String>,
}

impl Lower<'_> {
    pub(crate) fn refuse(&mut self, why: impl Into<String>) {
        let why = why.into();
        if !self.findings.contains(&why) {
            self.findings.push(why);
        }
    }

    pub(crate) fn block(&mut self, block: &VerilogBlock) -> Vec<Stmt> {
        let mut out = vec![];
        for stmt in block {
            self.stmt(stmt, &mut out);
        }
        out
    }

    fn stmt(&mut self, stmt: &VerilogStatement, out: &mut Vec<Stmt>) {
        match stmt {
            VerilogStatement::Assignment(VerilogExpression::Signal(name), value) => {
                self.assign(name, None, value, out)
            }
            VerilogStatement::SliceAssignment {
                base: VerilogExpression::Signal(name),
                width,
                offset,
                replacement,
            } => match self.number(offset) {
                Some(lo) => self.assign(name, Some((lo as usize, *width)), replacement, out),
                None => self.refuse(format!("`{}`: part assigned at an unknown place", shown(name))),
            },
            VerilogStatement::Assignment(..) | VerilogStatement::SliceAssignment { .. } => {
                self.refuse("only a signal, an element or a field can be assigned");
            }
            VerilogStatement::If(test) => self.conditional(test, out),
            VerilogStatement::Match(test) => self.case(test, out),
            VerilogStatement::Loop(body) => {
                for i in body.from.as_usize()..body.to.as_usize() {
                    self.scope.loops.push((body.index.clone(), i));
                    out.extend(self.block(&body.block));
                    self.scope.loops.pop();
                }
            }
            VerilogStatement::Macro(body) => out.extend(self.block(body)),
            VerilogStatement::Comment(_) => {}
            VerilogStatement::Link(links) => links.iter().for_each(|link| self.link(link, out)),
        }
    }

    fn link(&mut self, link: &VerilogLink, out: &mut Vec<Stmt>) {
        let (to, from, name) = match link {
            VerilogLink::Forward(d) => (&d.other_name, &d.owner_name, &d.my_name),
            VerilogLink::Backward(d) => (&d.owner_name, &d.other_name, &d.my_name),
            VerilogLink::Bidirectional(d) => {
                return self.refuse(format!("`{}{}`: InOut", d.owner_name, d.my_name));
            }
        };
        let value = VerilogExpression::Signal(format!("{from}{name}"));
        self.assign(&format!("{to}{name}"), None, &value, out);
    }

    fn assign(
        &mut self,
        name: &str,
        part: Option<(usize, usize)>,
        value: &VerilogExpression,
        out: &mut Vec<Stmt>,
    ) {
        match self.scope.place(name) {
            Ok(place) => self.assign_place(name, &place, part, value, out),
            Err(why) => self.refuse(why),
        }
    }

    fn assign_place(
        &mut self,
        name: &str,
        place: &Place,
        part: Option<(usize, usize)>,
        value: &VerilogExpression,
        out: &mut Vec<Stmt>,
    ) {
        match place {
            Place::One { signal, lo, width } => {
                let (lo, width) = part.map_or((*lo, *width), |(offset, width)| (lo + offset, width));
                let value = self.value(value, Some(width));
                if value.width != width {
                    return self.refuse(format!(
                        "`{}` is {width} bits wide, its value {}",
                        shown(name),
                        value.width
                    ));
                }
                if !out_of_constant(&self.scope, signal) {
                    return self.refuse(format!("`{}` is a constant", shown(name)));
                }
                out.push(Stmt::Assign { target: signal.clone(), lo, value });
            }
            Place::Element { index, each } => {
                for (i, place) in each.iter().enumerate() {
                    if crate::label::bits_needed(&format!("{i:x}")) > index.width {
                        continue;
                    }
                    let mut then = vec![];
                    self.assign_place(name, place, part, value, &mut then);
                    let test = Expr::binary(1, "==", index.clone(), Expr::literal(index.width, i as u64));
                    out.push(Stmt::If { test, then, otherwise: vec![] });
                }
            }
        }
    }

    fn conditional(&mut self, conditional: &VerilogConditional, out: &mut Vec<Stmt>) {
        let test = self.value(&conditional.test, Some(1));
        if test.width != 1 {
            self.refuse(format!("a condition {} bits wide", test.width));
        }
        let then = self.block(&conditional.then);
        let mut otherwise = vec![];
        match &conditional.otherwise {
            VerilogBlockOrConditional::None => {}
            VerilogBlockOrConditional::Block(block) => otherwise = self.block(block),
            VerilogBlockOrConditional::Conditional(stmt) => self.stmt(stmt, &mut otherwise),
        }
        match test.is_true() {
            Some(true) => out.extend(then),
            Some(false) => out.extend(otherwise),
            None => out.push(Stmt::If { test, then, otherwise }),
        }
    }

    fn case(&mut self, case: &VerilogMatch, out: &mut Vec<Stmt>) {
        let test = self.index(&case.test).unwrap_or_else(|| self.value(&case.test, None));
        let mut arms = vec![];
        for arm in &case.cases {
            let label =
                if arm.condition == "default" { None } else { self.label(&arm.condition, test.width) };
            let body = self.block(&arm.block);
            arms.push((label, body));
        }
        if arms.iter().rev().skip(1).any(|(label, _)| label.is_none()) && self.findings.is_empty() {
            self.refuse("`_` is not the last arm of a match");
        }
        out.push(Stmt::Case { test, arms });
    }

    fn label(&mut self, text: &str, width: usize) -> Option<Expr> {
        let number = match integer(text) {
            Some(hex) => Some(hex),
            None => match self.scope.number(text) {
                Ok(found) => found.map(|value| format!("{value:x}")),
                Err(why) => {
                    self.refuse(why);
                    return Some(Expr::literal(width, 0));
                }
            },
        };
        if let Some(hex) = number {
            return Some(self.literal(&hex, width));
        }
        match self.scope.value(text) {
            Ok(value) if value.width == width => Some(value),
            Ok(value) => {
                self.refuse(format!(
                    "label `{}` is {} bits wide, the match {width}",
                    shown(text),
                    value.width
                ));
                Some(Expr::literal(width, 0))
            }
            Err(why) => {
                self.refuse(format!("match label: {why}"));
                Some(Expr::literal(width, 0))
            }
        }
    }
}

fn out_of_constant(scope: &Scope<'_>, signal: &str) -> bool {
    !matches!(scope.value(signal), Ok(Expr { kind: crate::ir::Kind::Param(_), .. }))
}
