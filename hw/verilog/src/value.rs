//! Expressions: widths as Rust had them.

use crate::collect::hex;
use crate::ir::{Expr, Kind};
use crate::label::bits_needed;
use crate::lower::Lower;
use rust_hdl_core::ast::*;

impl Lower<'_> {
    /// A value; `want` is the width a literal takes when nothing nearer says.
    pub(crate) fn value(&mut self, e: &VerilogExpression, want: Option<usize>) -> Expr {
        use VerilogExpression as E;
        if let Some(number) = self.number(e) {
            let bool_literal = matches!(e, E::Literal(l) if format!("{l:x}").starts_with("1'h"));
            let width = if bool_literal { 1 } else { want.unwrap_or(0) };
            return self.literal(&format!("{number:x}"), width);
        }
        match e {
            E::Signal(name) => match self.scope.number(name).and_then(|_| self.scope.value(name)) {
                Ok(value) => value,
                Err(why) => self.bad(why, want),
            },
            E::Literal(l) => self.literal(&hex(l), want.unwrap_or(0)),
            E::Paren(inner) => self.value(inner, want),
            E::Signed(_) | E::Unsigned(_) => self.bad("signed arithmetic is not supported", want),
            E::Cast(inner, width) => {
                let value = self.value(inner, Some(self.width(inner).unwrap_or(*width)));
                if value.width < *width { value.extend(*width) } else { value.slice(0, *width) }
            }
            E::Binary(left, op, right) => self.binary(left, op, right, want),
            E::Unary(op, inner) => {
                let value = self.value(inner, want);
                let (op, width) = match op {
                    VerilogOpUnary::Not => ("~", value.width),
                    VerilogOpUnary::Neg => ("-", value.width),
                    VerilogOpUnary::All => ("&", 1),
                    VerilogOpUnary::Any => ("|", 1),
                    VerilogOpUnary::Xor => ("^", 1),
                };
                Expr { width, kind: Kind::Unary(op, Box::new(value)) }
            }
            E::Index(base, at) => self.part(base, 1, at),
            E::Slice(base, width, at) => self.part(base, *width, at),
            E::IndexReplace(base, at, bit) => self.replace(base, at, bit),
        }
    }

    pub(crate) fn bad(&mut self, why: impl Into<String>, want: Option<usize>) -> Expr {
        self.refuse(why);
        Expr::literal(want.unwrap_or(1).max(1), 0)
    }

    pub(crate) fn literal(&mut self, hex: &str, width: usize) -> Expr {
        if width == 0 {
            return self.bad(format!("nothing says how wide the literal 0x{hex} is"), None);
        }
        if bits_needed(hex) > width {
            return self.bad(format!("0x{hex} does not fit {width} bits"), Some(width));
        }
        Expr { width, kind: Kind::Literal(hex.into()) }
    }

    fn binary(
        &mut self,
        l: &VerilogExpression,
        op: &VerilogOp,
        r: &VerilogExpression,
        want: Option<usize>,
    ) -> Expr {
        use VerilogOp as O;
        let (text, compares) = match op {
            O::Add => ("+", false),
            O::Sub => ("-", false),
            O::Mul => ("*", false),
            O::LogicalAnd => ("&&", false),
            O::LogicalOr => ("||", false),
            O::BitXor => ("^", false),
            O::BitAnd => ("&", false),
            O::BitOr => ("|", false),
            O::Shl => ("<<", false),
            O::Shr => (">>", false),
            O::Eq => ("==", true),
            O::Ne => ("!=", true),
            O::Lt => ("<", true),
            O::Le => ("<=", true),
            O::Gt => (">", true),
            O::Ge => (">=", true),
        };
        let (lw, rw) = (self.width(l), self.width(r));
        match op {
            O::Shl | O::Shr => {
                // `1 << bits` is 64 bits wide in rust-hdl.
                let width = lw.or(rw.map(|_| 64)).or(want);
                let left = self.value(l, width);
                let right = match self.number(r) {
                    Some(by) => Expr::literal(32, by),
                    None => self.value(r, None),
                };
                Expr::binary(left.width, text, left, right)
            }
            O::LogicalAnd | O::LogicalOr => {
                let (left, right) = (self.value(l, Some(1)), self.value(r, Some(1)));
                self.same(&left, text, &right);
                Expr::binary(1, text, left, right)
            }
            O::Mul => {
                let (left, right) = (self.value(l, rw), self.value(r, lw));
                let width = left.width + right.width;
                Expr::binary(width, text, left.extend(width), right.extend(width))
            }
            _ => {
                let width = lw.or(rw).or(if compares { None } else { want });
                let left = self.value(l, width);
                let mut right = self.value(r, width);
                if matches!(op, O::Add) && right.width == 1 {
                    right = right.extend(left.width); // `Bits + bool`
                }
                self.same(&left, text, &right);
                let out = if compares { 1 } else { left.width };
                Expr::binary(out, text, left, right)
            }
        }
    }

    fn same(&mut self, left: &Expr, op: &str, right: &Expr) {
        if left.width != right.width {
            self.refuse(format!("operands of `{op}` are {} and {} bits wide", left.width, right.width));
        }
    }

    /// The width Rust gave; `None` for literals and for what is unknown.
    pub(crate) fn width(&self, e: &VerilogExpression) -> Option<usize> {
        use VerilogExpression as E;
        use VerilogOp as O;
        match e {
            E::Literal(l) => format!("{l:x}").starts_with("1'h").then_some(1),
            E::Signal(name) => match self.scope.number(name) {
                Ok(None) => self.scope.value(name).ok().map(|value| value.width),
                _ => None,
            },
            E::Cast(_, n) | E::Slice(_, n, _) => Some(*n),
            E::Paren(inner) | E::Signed(inner) | E::Unsigned(inner) => self.width(inner),
            E::Index(..) => Some(1),
            E::IndexReplace(base, ..) => self.width(base),
            E::Unary(VerilogOpUnary::Not | VerilogOpUnary::Neg, inner) => self.width(inner),
            E::Unary(..) => Some(1),
            E::Binary(l, op, r) => match op {
                O::Eq | O::Ne | O::Lt | O::Le | O::Gt | O::Ge | O::LogicalAnd | O::LogicalOr => {
                    self.number(e).is_none().then_some(1)
                }
                O::Shl | O::Shr => self.width(l).or(self.width(r).map(|_| 64)),
                O::Mul => Some(self.width(l)? + self.width(r)?),
                _ => self.width(l).or_else(|| self.width(r)),
            },
        }
    }

    /// The value of an expression of literals, loop variables and constants.
    pub(crate) fn number(&self, e: &VerilogExpression) -> Option<u64> {
        use VerilogExpression as E;
        use VerilogOp as O;
        match e {
            E::Literal(l) => u64::from_str_radix(&hex(l), 16).ok(),
            E::Paren(inner) => self.number(inner),
            E::Signal(name) => self.scope.number(name).ok().flatten(),
            E::Binary(l, op, r) => {
                let (l, r) = (self.number(l)?, self.number(r)?);
                match op {
                    O::Add => l.checked_add(r),
                    O::Sub => l.checked_sub(r),
                    O::Mul => l.checked_mul(r),
                    O::Shl => l.checked_shl(r as u32),
                    O::Shr => l.checked_shr(r as u32),
                    O::BitAnd => Some(l & r),
                    O::BitOr => Some(l | r),
                    O::BitXor => Some(l ^ r),
                    O::Eq => Some((l == r) as u64),
                    O::Ne => Some((l != r) as u64),
                    O::Lt => Some((l < r) as u64),
                    O::Le => Some((l <= r) as u64),
                    O::Gt => Some((l > r) as u64),
                    O::Ge => Some((l >= r) as u64),
                    O::LogicalAnd => Some((l != 0 && r != 0) as u64),
                    O::LogicalOr => Some((l != 0 || r != 0) as u64),
                }
            }
            _ => None,
        }
    }
}
