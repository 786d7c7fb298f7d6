//! Indexes, and the parts of values they pick. `usize` arithmetic does not wrap; bits beyond the end are zero.

use crate::ir::{Expr, Kind};
use crate::label::bits_needed;
use crate::lower::Lower;
use rust_hdl_core::ast::*;

impl Lower<'_> {
    /// `usize` arithmetic of an index: as wide as it needs, so that nothing wraps. `None`: a plain value.
    pub(crate) fn index(&mut self, e: &VerilogExpression) -> Option<Expr> {
        let VerilogExpression::Binary(l, op @ (VerilogOp::Add | VerilogOp::Sub | VerilogOp::Mul), r) = e
        else {
            return None;
        };
        if self.number(e).is_some() {
            return None;
        }
        let (left, right) = (self.index_operand(l), self.index_operand(r));
        Some(match op {
            VerilogOp::Mul => {
                let width = left.width + right.width;
                match &right.kind {
                    Kind::Literal(hex) if is_power(hex) => {
                        let zeros = bits_needed(hex) - 1;
                        let width = left.width + zeros;
                        match zeros {
                            0 => left,
                            _ => Expr { width, kind: Kind::Concat(vec![left, Expr::literal(zeros, 0)]) },
                        }
                    }
                    _ => Expr::binary(width, "*", left.extend(width), right.extend(width)),
                }
            }
            VerilogOp::Add => {
                let width = left.width.max(right.width) + 1;
                Expr::binary(width, "+", left.extend(width), right.extend(width))
            }
            _ => {
                let width = left.width.max(right.width);
                Expr::binary(width, "-", left.extend(width), right.extend(width))
            }
        })
    }

    fn index_operand(&mut self, e: &VerilogExpression) -> Expr {
        if let Some(number) = self.number(e) {
            return Expr::literal(bits_needed(&format!("{number:x}")).max(1), number);
        }
        if let VerilogExpression::Paren(inner) = e {
            // `(a + 1).index() * 8` and `(a.index() + 1) * 8` look alike here.
            if matches!(
                **inner,
                VerilogExpression::Binary(_, VerilogOp::Add | VerilogOp::Sub | VerilogOp::Mul, _)
            ) {
                return self.bad("a sum in parentheses inside an index: compute it into a Local first", None);
            }
        }
        match self.index(e) {
            Some(value) => value,
            None => self.value(e, None),
        }
    }

    pub(crate) fn part(&mut self, base: &VerilogExpression, width: usize, at: &VerilogExpression) -> Expr {
        let base_value = self.value(base, None);
        if let Some(lo) = self.number(at) {
            if lo as usize >= base_value.width {
                return self.bad(format!("bit {lo} of {} bits", base_value.width), Some(width));
            }
            return base_value.slice(lo as usize, width);
        }
        let index = match self.index(at) {
            Some(index) => index,
            None => self.value(at, None),
        };
        if width == 1 && matches!(&index.kind, Kind::Signal(_))
            || highest(&index) + width as u128 <= base_value.width as u128
        {
            let needed = bits_needed(&format!("{:x}", base_value.width - 1)).max(1);
            let index = if index.width > needed { index.slice(0, needed) } else { index.extend(needed) };
            if base_value.width == 1 {
                return base_value;
            }
            return Expr { width, kind: Kind::Select(Box::new(base_value), Box::new(index)) };
        }
        // Beyond the end there are zeros, as in `Bits::get_bits`.
        Expr::binary(base_value.width, ">>", base_value, index).slice(0, width)
    }

    pub(crate) fn replace(
        &mut self,
        base: &VerilogExpression,
        at: &VerilogExpression,
        bit: &VerilogExpression,
    ) -> Expr {
        let base = self.value(base, None);
        let bit = self.value(bit, Some(1));
        let width = base.width;
        if bit.width != 1 {
            return self.bad(format!("replace_bit with {} bits", bit.width), Some(width));
        }
        if let Some(lo) = self.number(at).map(|lo| lo as usize) {
            if lo >= width {
                return self.bad(format!("bit {lo} of {width} bits"), Some(width));
            }
            let mut list = vec![];
            if lo + 1 < width {
                list.push(base.clone().slice(lo + 1, width - lo - 1));
            }
            list.push(bit);
            if lo > 0 {
                list.push(base.slice(0, lo));
            }
            return if list.len() == 1 { list.remove(0) } else { Expr { width, kind: Kind::Concat(list) } };
        }
        let index = match self.index(at) {
            Some(index) => index,
            None => self.value(at, None),
        };
        let one = Expr::binary(width, "<<", Expr::literal(width, 1), index.clone());
        let mask = Expr { width, kind: Kind::Unary("~", Box::new(one)) };
        let kept = Expr::binary(width, "&", base, mask);
        let set = Expr::binary(width, "<<", bit.extend(width), index);
        Expr::binary(width, "|", kept, set)
    }
}

fn is_power(hex: &str) -> bool {
    u64::from_str_radix(hex, 16).is_ok_and(u64::is_power_of_two)
}

/// The largest value an index can have.
fn highest(index: &Expr) -> u128 {
    let all = if index.width >= 127 { u128::MAX >> 1 } else { (1 << index.width) - 1 };
    match &index.kind {
        Kind::Literal(hex) => u128::from_str_radix(hex, 16).unwrap_or(all),
        Kind::Extend(inner) => highest(inner),
        Kind::Concat(list) => match &list[..] {
            [high, Expr { width, kind: Kind::Literal(zero) }] if zero == "0" && *width < 64 => {
                highest(high) << width
            }
            _ => all,
        },
        Kind::Binary("+", a, b) => highest(a).saturating_add(highest(b)).min(all),
        Kind::Binary("*", a, b) => highest(a).saturating_mul(highest(b)).min(all),
        _ => all,
    }
}
