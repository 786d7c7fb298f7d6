//! Which targets share an `always` block.
//!
//! In rust-hdl a read sees the settled value of a signal, wherever it stands in the kernel. An `always` block that
//! reads what it assigns itself would see values half made, and one that waits for its own outcome through a
//! sub-block would be a loop. So targets of one `if` or `match` stay together as long as no such circle arises; what
//! is read inside its circle gets a block of its own.

use crate::ir::{Stmt, cut, reads, targets};
use std::collections::{BTreeSet, HashMap, HashSet};

/// A child that is not a register: its inputs may reach its outputs at once.
pub(crate) struct Through {
    pub(crate) inputs: HashSet<String>,
    pub(crate) outputs: HashSet<String>,
}

type Group = BTreeSet<String>;

/// The targets of a kernel, grouped, in order of appearance.
pub(crate) fn groups(kernel: &[Stmt], through: &[Through]) -> Vec<Group> {
    let mut groups = by_statement(kernel);
    while let Some(split) = split_one(kernel, &groups, through) {
        groups = split;
    }
    groups
}

fn by_statement(kernel: &[Stmt]) -> Vec<Group> {
    let mut groups: Vec<Group> = vec![];
    for stmt in kernel {
        let mut own = Group::new();
        targets(std::slice::from_ref(stmt), &mut |t| {
            own.insert(t.into());
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

fn split_one(kernel: &[Stmt], groups: &[Group], through: &[Through]) -> Option<Vec<Group>> {
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
        if group.len() == 1 {
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
        let (apart, rest): (Vec<String>, Vec<String>) = group.iter().cloned().partition(seen);
        if apart.is_empty() {
            continue;
        }
        let mut out: Vec<Group> = groups[..at].to_vec();
        out.extend(apart.into_iter().map(|t| Group::from([t])));
        if !rest.is_empty() {
            out.push(rest.into_iter().collect());
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
