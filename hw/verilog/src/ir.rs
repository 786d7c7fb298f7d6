//! What a kernel says, after names, widths and loops are settled: every expression knows its width.

use std::collections::HashSet;

/// A value of exactly `width` bits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expr {
    pub(crate) width: usize,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A port, local, register end or child's port, by its raw name (`child$port`).
    Signal(String),
    /// A localparam: an enum's variant or a `Constant<>`.
    Param(String),
    /// Hex digits, no leading zeros.
    Literal(String),
    Unary(&'static str, Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// Zeros above.
    Extend(Box<Expr>),
    /// `width` bits from a fixed place.
    Slice(Box<Expr>, usize),
    /// `width` bits from a place that is always inside.
    Select(Box<Expr>, Box<Expr>),
    /// Highest first.
    Concat(Vec<Expr>),
    /// One of an array's elements.
    Mux(Box<Expr>, Vec<Expr>),
}

#[derive(Clone, Debug)]
pub(crate) enum Stmt {
    Assign {
        target: String,
        lo: usize,
        value: Expr,
    },
    If {
        test: Expr,
        then: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    /// Every Rust match is exhaustive, so the last arm is the default.
    Case {
        test: Expr,
        arms: Vec<(Option<Expr>, Vec<Stmt>)>,
    },
}

impl Expr {
    pub(crate) fn literal(width: usize, value: u64) -> Expr {
        Expr { width, kind: Kind::Literal(format!("{value:x}")) }
    }

    pub(crate) fn binary(width: usize, op: &'static str, left: Expr, right: Expr) -> Expr {
        Expr { width, kind: Kind::Binary(op, Box::new(left), Box::new(right)) }
    }

    pub(crate) fn extend(self, width: usize) -> Expr {
        assert!(width >= self.width, "extend {} to {width}", self.width);
        match self.kind {
            _ if width == self.width => self,
            Kind::Extend(inner) => Expr { width, kind: Kind::Extend(inner) },
            Kind::Literal(hex) => Expr { width, kind: Kind::Literal(hex) },
            _ => Expr { width, kind: Kind::Extend(Box::new(self)) },
        }
    }

    /// Bits `lo ..`; those beyond the end are zero, as in `Bits::get_bits`.
    pub(crate) fn slice(self, lo: usize, width: usize) -> Expr {
        if lo == 0 && width == self.width {
            return self;
        }
        if lo >= self.width {
            return Expr::literal(width, 0);
        }
        if lo + width > self.width {
            let inside = self.width - lo;
            return self.slice(lo, inside).extend(width);
        }
        match self.kind {
            Kind::Slice(base, below) => base.slice(below + lo, width),
            Kind::Extend(base) => base.slice(lo, width),
            _ => Expr { width, kind: Kind::Slice(Box::new(self), lo) },
        }
    }

    pub(crate) fn is_true(&self) -> Option<bool> {
        match &self.kind {
            Kind::Literal(hex) if self.width == 1 => Some(hex == "1"),
            _ => None,
        }
    }

    /// Calls `f` with every signal read.
    pub(crate) fn reads(&self, f: &mut dyn FnMut(&str)) {
        match &self.kind {
            Kind::Signal(name) => f(name),
            Kind::Param(_) | Kind::Literal(_) => {}
            Kind::Unary(_, a) | Kind::Extend(a) | Kind::Slice(a, _) => a.reads(f),
            Kind::Binary(_, a, b) | Kind::Select(a, b) => {
                a.reads(f);
                b.reads(f);
            }
            Kind::Concat(list) => list.iter().for_each(|e| e.reads(f)),
            Kind::Mux(index, list) => {
                index.reads(f);
                list.iter().for_each(|e| e.reads(f));
            }
        }
    }
}

/// Calls `f` with every target assigned.
pub(crate) fn targets(stmts: &[Stmt], f: &mut dyn FnMut(&str)) {
    for stmt in stmts {
        match stmt {
            Stmt::Assign { target, .. } => f(target),
            Stmt::If { then, otherwise, .. } => {
                targets(then, f);
                targets(otherwise, f);
            }
            Stmt::Case { arms, .. } => arms.iter().for_each(|(_, body)| targets(body, f)),
        }
    }
}

/// Calls `f` with every signal read, in tests and in values.
pub(crate) fn reads(stmts: &[Stmt], f: &mut dyn FnMut(&str)) {
    for stmt in stmts {
        match stmt {
            Stmt::Assign { value, .. } => value.reads(f),
            Stmt::If { test, then, otherwise } => {
                test.reads(f);
                reads(then, f);
                reads(otherwise, f);
            }
            Stmt::Case { test, arms } => {
                test.reads(f);
                arms.iter().for_each(|(_, body)| reads(body, f));
            }
        }
    }
}

/// The statements that matter to the targets which `keep` names.
pub(crate) fn cut(stmts: &[Stmt], keep: &dyn Fn(&str) -> bool) -> Vec<Stmt> {
    let mut out = vec![];
    for stmt in stmts {
        match stmt {
            Stmt::Assign { target, .. } => {
                if keep(target) {
                    out.push(stmt.clone());
                }
            }
            Stmt::If { test, then, otherwise } => {
                let (then, otherwise) = (cut(then, keep), cut(otherwise, keep));
                if then.is_empty() && !otherwise.is_empty() {
                    let test = Expr { width: 1, kind: Kind::Unary("~", Box::new(test.clone())) };
                    out.push(Stmt::If { test, then: otherwise, otherwise: vec![] });
                } else if !then.is_empty() {
                    out.push(Stmt::If { test: test.clone(), then, otherwise });
                }
            }
            Stmt::Case { test, arms } => {
                let arms: Vec<_> =
                    arms.iter().map(|(label, body)| (label.clone(), cut(body, keep))).collect();
                if arms.iter().any(|(_, body)| !body.is_empty()) {
                    out.push(Stmt::Case { test: test.clone(), arms });
                }
            }
        }
    }
    out
}

/// Which bits of `target` are assigned whatever path is taken.
pub(crate) fn covers(stmts: &[Stmt], name: &str, width: usize) -> Vec<bool> {
    let mut all = vec![false; width];
    for stmt in stmts {
        match stmt {
            Stmt::Assign { target, lo, value } if target == name => {
                all.iter_mut().skip(*lo).take(value.width).for_each(|bit| *bit = true);
            }
            Stmt::Assign { .. } => {}
            Stmt::If { then, otherwise, .. } => {
                let (a, b) = (covers(then, name, width), covers(otherwise, name, width));
                all.iter_mut().zip(a.iter().zip(b)).for_each(|(bit, (a, b))| *bit |= *a && b);
            }
            Stmt::Case { arms, .. } => {
                let each: Vec<_> = arms.iter().map(|(_, body)| covers(body, name, width)).collect();
                all.iter_mut().enumerate().for_each(|(i, bit)| *bit |= each.iter().all(|arm| arm[i]));
            }
        }
    }
    all
}

/// A read that depends on where it stands, because its signal is assigned again after it.
pub(crate) struct Ordered<'a> {
    pub(crate) signal: &'a str,
    /// What the read decides.
    pub(crate) readers: &'a HashSet<String>,
    /// It stands before every assignment, so it sees the settled value; else what was assigned last.
    pub(crate) early: bool,
}

fn all_targets(stmts: &[Stmt]) -> HashSet<String> {
    let mut out = HashSet::new();
    targets(stmts, &mut |t| {
        out.insert(t.to_string());
    });
    out
}

/// Calls `f` with every read of a signal that is assigned at or after it.
pub(crate) fn ordered_reads(
    stmts: &[Stmt],
    before: &HashSet<String>,
    after: &HashSet<String>,
    f: &mut dyn FnMut(Ordered<'_>),
) {
    for (at, stmt) in stmts.iter().enumerate() {
        let before: HashSet<String> = before.union(&all_targets(&stmts[..at])).cloned().collect();
        let after: HashSet<String> = after.union(&all_targets(&stmts[at + 1..])).cloned().collect();
        let own = all_targets(std::slice::from_ref(stmt));
        let mut read = |signal: &str| {
            if after.contains(signal) || own.contains(signal) {
                f(Ordered { signal, readers: &own, early: !before.contains(signal) });
            }
        };
        match stmt {
            Stmt::Assign { value, .. } => value.reads(&mut read),
            Stmt::If { test, then, otherwise } => {
                test.reads(&mut read);
                ordered_reads(then, &before, &after, f);
                ordered_reads(otherwise, &before, &after, f);
            }
            Stmt::Case { test, arms } => {
                test.reads(&mut read);
                arms.iter().for_each(|(_, body)| ordered_reads(body, &before, &after, f));
            }
        }
    }
}
