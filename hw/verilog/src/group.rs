//! Which targets share an `always` block.
//!
//! In rust-hdl a signal that another block or another kernel drives is read settled. A Local or an output is read as
//! last assigned: before its first assignment that is the settled value too, between two assignments it is not. So:
//! a signal read between its assignments shares a block, in the kernel's order, with what reads it so (a unit). Beyond
//! that, targets of one `if` or `match` stay together as long as no block reads, by whatever way, what it assigns.

use crate::ir::{Stmt, cut, ordered_reads, reads, targets};
use crate::scope::shown;
use std::collections::{BTreeSet, HashMap, HashSet};

/// A child that is not a register: its inputs may reach its outputs at once.
pub(crate) struct Through {
    pub(crate) inputs: HashSet<String>,
    pub(crate) outputs: HashSet<String>,
}

type Group = BTreeSet<String>;

/// Targets that only mean what they say in one block: each with the one that stands for its unit.
pub(crate) struct Units(HashMap<String, String>);

impl Units {
    /// `held` says which signals are read as last assigned.
    pub(crate) fn new(kernel: &[Stmt], held: &dyn Fn(&str) -> bool, refuse: &mut dyn FnMut(String)) -> Self {
        let mut units = Units(HashMap::new());
        let mut early: Vec<(String, Vec<String>)> = vec![];
        ordered_reads(kernel, &HashSet::new(), &HashSet::new(), &mut |read| {
            if !held(read.signal) {
                return;
            }
            if read.early {
                early.push((read.signal.into(), read.readers.iter().cloned().collect()));
                return;
            }
            for reader in read.readers {
                let (a, b) = (units.of(read.signal), units.of(reader));
                if a != b {
                    units.0.values_mut().filter(|unit| **unit == b).for_each(|unit| *unit = a.clone());
                    units.0.insert(b, a.clone());
                    units.0.insert(a.clone(), a);
                }
            }
        });
        for (signal, readers) in early {
            if readers
                .iter()
                .any(|reader| units.0.contains_key(&signal) && units.of(reader) == units.of(&signal))
            {
                refuse(format!(
                    "`{}` is read before its first assignment and between two: use another Local",
                    shown(&signal)
                ));
            }
        }
        units
    }

    /// Whether a target means what it says wherever it is assigned.
    pub(crate) fn alone(&self, target: &str) -> bool {
        !self.0.contains_key(target)
    }

    fn of(&self, target: &str) -> String {
        self.0.get(target).cloned().unwrap_or_else(|| target.into())
    }
}

/// The targets of a kernel, grouped, in order of appearance.
pub(crate) fn groups(kernel: &[Stmt], through: &[Through], units: &Units) -> Vec<Group> {
    let mut groups = by_statement(kernel, units);
    while let Some(split) = split_one(kernel, &groups, through, units) {
        groups = split;
    }
    groups
}

fn by_statement(kernel: &[Stmt], units: &Units) -> Vec<Group> {
    let mut groups: Vec<Group> = vec![];
    for stmt in kernel {
        let mut own = Group::new();
        targets(std::slice::from_ref(stmt), &mut |t| {
            own.insert(t.into());
            let unit = units.of(t);
            own.extend(units.0.iter().filter(|(_, of)| **of == unit).map(|(member, _)| member.clone()));
        });
        let mut first = None;
        let mut at = 0;
        while at < groups.len() {
            if groups[at].is_disjoint(&own) {
                at += 1;
            } else if let Some(first) = first {
                let more = groups.remove(at);
                let into: &mut Group = &mut groups[first];
                into.extend(more);
            } else {
                first = Some(at);
                at += 1;
            }
        }
        match first {
            Some(first) => groups[first].extend(own),
            None => groups.push(own),
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn split_one(kernel: &[Stmt], groups: &[Group], through: &[Through], units: &Units) -> Option<Vec<Group>> {
    let read: Vec<HashSet<String>> = groups
        .iter()
        .map(|group| {
            let mut out = HashSet::new();
            reads(&cut(kernel, &|t| group.contains(t)), &mut |name| {
                out.insert(name.into());
            });
            out
        })
        .collect();
    // Nodes: the groups, then the children.
    let count = groups.len();
    let feeds = |from: usize, to: usize| -> bool {
        let hit = |set: &HashSet<String>| {
            if from < count {
                groups[from].iter().any(|t| set.contains(t))
            } else {
                !through[from - count].outputs.is_disjoint(set)
            }
        };
        if to < count { hit(&read[to]) } else { from < count && hit(&through[to - count].inputs) }
    };
    let all = count + through.len();
    let mut next: Vec<Vec<usize>> = vec![vec![]; all];
    for (from, list) in next.iter_mut().enumerate() {
        *list = (0..all).filter(|to| feeds(from, *to)).collect();
    }
    let circle_of = circles(&next);
    for (at, group) in groups.iter().enumerate() {
        let Some(circle) = &circle_of[at] else { continue };
        let parts: BTreeSet<String> = group.iter().map(|t| units.of(t)).collect();
        if parts.len() == 1 {
            continue;
        }
        let seen = |t: &String| {
            circle.iter().any(|node| {
                if *node < count {
                    read[*node].contains(t)
                } else {
                    through[*node - count].inputs.contains(t)
                }
            })
        };
        let apart: BTreeSet<String> = group.iter().filter(|t| seen(t)).map(|t| units.of(t)).collect();
        if apart.is_empty() {
            continue;
        }
        let mut out: Vec<Group> = groups[..at].to_vec();
        out.extend(apart.iter().map(|unit| group.iter().filter(|t| units.of(t) == *unit).cloned().collect()));
        let rest: Group = group.iter().filter(|t| !apart.contains(&units.of(t))).cloned().collect();
        if !rest.is_empty() {
            out.push(rest);
        }
        out.extend_from_slice(&groups[at + 1..]);
        return Some(out);
    }
    None
}

/// For every node, the circle it is in.
fn circles(next: &[Vec<usize>]) -> Vec<Option<HashSet<usize>>> {
    let reach = |start: usize| {
        let mut seen = HashSet::new();
        let mut todo = next[start].clone();
        while let Some(node) = todo.pop() {
            if seen.insert(node) {
                todo.extend(&next[node]);
            }
        }
        seen
    };
    let reached: Vec<HashSet<usize>> = (0..next.len()).map(reach).collect();
    let circle = |node: usize| {
        reached[node]
            .contains(&node)
            .then(|| reached[node].iter().copied().filter(|other| reached[*other].contains(&node)).collect())
    };
    (0..next.len()).map(circle).collect()
}

/// How often, and whether only unconditionally, each target is assigned.
pub(crate) fn assignments(kernel: &[Stmt]) -> HashMap<String, usize> {
    let mut count = HashMap::new();
    targets(kernel, &mut |t| *count.entry(t.to_string()).or_insert(0) += 1);
    count
}
