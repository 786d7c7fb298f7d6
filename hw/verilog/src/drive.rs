//! What drives what: everything once, and on every path.

use crate::collect::Module;
use crate::group::assignments;
use crate::ir::{Stmt, covers, reads, targets};
use crate::scope::shown;
use rust_hdl_core::atom::AtomKind;
use std::collections::HashSet;

/// Everything is driven, whatever path is taken, and nothing else is.
pub(crate) fn check(module: &Module, driven: &[(String, usize)], stmts: &[Stmt], bad: &mut Vec<String>) {
    let names: HashSet<&str> = driven.iter().map(|(name, _)| name.as_str()).collect();
    targets(stmts, &mut |target| {
        if !names.contains(target) {
            bad.push(format!("`{}` is driven, but is an input or another block's output", shown(target)));
        }
    });
    let count = assignments(stmts);
    let mut read = HashSet::new();
    reads(stmts, &mut |name| {
        read.insert(name.to_string());
    });
    for (name, width) in driven {
        if !count.contains_key(name) {
            let local = module.items.iter().any(|i| i.name == *name && i.kind == AtomKind::LocalSignal);
            if !local || read.contains(name) {
                bad.push(format!("`{}` is never driven", shown(name)));
            }
            continue;
        }
        let missing: Vec<usize> =
            covers(stmts, name, *width).iter().enumerate().filter(|(_, b)| !**b).map(|(i, _)| i).collect();
        if let (Some(low), Some(high)) = (missing.first(), missing.last()) {
            let bits = if *width == 1 || missing.len() == *width {
                String::new()
            } else {
                format!(" (bits {low} to {high})")
            };
            bad.push(format!(
                "`{}`{bits} is not assigned on every path: give it a value at the top of the kernel",
                shown(name)
            ));
        }
    }
    bad.sort();
    bad.dedup();
}
