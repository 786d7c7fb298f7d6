//! Floors inside `hw/src`: `emit` > `function` > `pcie`, `virtio`, `queue`, `net` (never each other) > `port` > `prim`.

use super::{Finding, Source};

/// A module and its floor. `params` is data, which everyone may read.
const FLOORS: [(&str, u8); 9] = [
    ("params", 0),
    ("prim", 1),
    ("port", 2),
    ("pcie", 3),
    ("virtio", 3),
    ("queue", 3),
    ("net", 3),
    ("function", 4),
    ("emit", 5),
];
const HOME: &str = "hw/src/";

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let Some(own) = source.path.strip_prefix(HOME).filter(|_| source.is_rust()) else { return Vec::new() };
    let own = own.split(['/', '.']).next().unwrap_or_default();
    let Some(floor) = floor(own) else {
        let known = own == "lib";
        let what = format!("the module `{own}` has no floor: give it one in tests/xtask/src/tidy/modules.rs");
        return if known { Vec::new() } else { vec![source.finding(0, what)] };
    };
    let mut findings = Vec::new();
    // An import may span lines, so the whole text is looked at, with its lines kept.
    let code: Vec<(usize, &str)> = source.code().collect();
    let text: String = code.iter().map(|(_, line)| format!("{line}\n")).collect();
    for (at, _) in text.match_indices("crate::") {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let line = text[..at].matches('\n').count() + 1;
        for other in targets(&text[at + "crate::".len()..]) {
            if let Some(other_floor) = self::floor(&other)
                && other != own
                && other_floor >= floor
                && other_floor > 0
            {
                let why = if other_floor == floor { "beside" } else { "above" };
                findings
                    .push(source.finding(line, format!("`{own}` must not see `{other}`, which is {why} it")));
            }
        }
    }
    findings
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// The modules named after `crate::`: one word, or those of a `{...}` group.
fn targets(rest: &str) -> Vec<String> {
    let word = |text: &str| {
        text.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_string()
    };
    let Some(group) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let mut depth = 0;
    let mut items = vec![String::new()];
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            _ if depth == 0 => items.last_mut().into_iter().for_each(|item| item.push(c)),
            _ => {}
        }
    }
    items.iter().map(|item| word(item)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn siblings_and_upper_floors_are_refused() {
        let count = |path: &str, text: &str| check(&source(path, text)).len();
        assert_eq!(count("hw/src/queue/used.rs", "use crate::port::dma;\nuse crate::prim::fifo;\n"), 0);
        assert_eq!(count("hw/src/queue/used.rs", "use crate::queue::avail;\n"), 0);
        assert_eq!(count("hw/src/queue/used.rs", "use crate::pcie::writer;\n"), 1);
        assert_eq!(count("hw/src/prim/fifo.rs", "use crate::port::dma;\n"), 1);
        assert_eq!(
            count("hw/src/net/tx.rs", "use crate::{\n    port::{dma, frame},\n    virtio::regions,\n};\n"),
            1
        );
        assert_eq!(count("hw/src/net/tx.rs", "// crate::pcie is far away\nuse crate::params::Params;\n"), 0);
        assert_eq!(count("hw/src/function.rs", "use crate::pcie::rx;\n"), 0);
        assert_eq!(count("hw/src/stray.rs", ""), 1);
    }

    #[test]
    fn the_line_is_told() {
        assert_eq!(check(&source("hw/src/prim/a.rs", "//! A.\n\nuse crate::emit;\n"))[0].line, 3);
    }
}
