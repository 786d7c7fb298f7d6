//! Form of a file: not too long, says at its head what it is for, holds nothing unfinished.

use super::{Finding, Source};

const LONGEST_HW: usize = 300;
const LONGEST: usize = 400;
/// Files that may be longer, up to so many lines, and why.
const LONG: [(&str, usize, &str); 28] = [
    ("hw/src/function.rs", 700, "one line per wire between blocks, nothing else"),
    (
        "hw/src/virtio/queues.rs",
        440,
        "one state machine over one RAM; its walk, enable and reset share every register",
    ),
    ("hw/src/pcie/msix.rs", 310, "one state machine over one table"),
    ("hw/src/net/rx.rs", 410, "header and frame go through the same gatherer by the same counters"),
    (
        "hw/src/net/tx.rs",
        415,
        "the end of a chain decides on everything, and what is asked for is told there",
    ),
    ("hw/src/net/split.rs", 380, "one state machine"),
    ("hw/src/net/headers.rs", 515, "a packet's headers are looked at, changed and sent from one small RAM"),
    ("hw/src/pcie/config.rs", 315, "one table of registers, and what each says to the rest"),
    ("hw/src/queue/fetch.rs", 505, "one line per wire between the parts of fetch, and their errors"),
    ("hw/src/queue/fetch/plan.rs", 625, "one state machine, for both kinds of ring"),
    ("hw/src/queue/fetch/marks.rs", 390, "a bit for each queue of each thing that can be said of it"),
    ("hw/src/queue/used/collect.rs", 400, "who waits and whose turn it is change together"),
    (
        "hw/src/queue/used.rs",
        505,
        "one state machine, what it offers, and the way out that packed rings share",
    ),
    ("hw/src/queue/suppress.rs", 320, "a field is asked for, read and judged in one place"),
    ("hw/src/queue/walk.rs", 335, "one state machine"),
    (
        "hw/src/queue/control.rs",
        800,
        "one state machine: ring, chain and answer share one reader and one writer",
    ),
    ("hw/src/virtio/command.rs", 625, "a branch per command, over the same bytes"),
    ("sim/src/facts.rs", 420, "one line per number"),
    ("tests/block/net_tx.rs", 415, "one reference for chains of all kinds, good and bad"),
    ("tests/block/gates/commands.rs", 405, "a catalogue of blocks, each with its stimulus"),
    ("tests/block/gates/frames.rs", 415, "a catalogue of blocks, each with its stimulus"),
    ("tests/block/net_rx.rs", 450, "one reference for both halves of reception"),
    ("hw/src/queue/coalesce.rs", 325, "one state machine, and the limits it goes by"),
    ("hw/src/net/place.rs", 420, "one state machine"),
    ("hw/src/net/verify.rs", 310, "all that a beat says of its packet is found at once"),
    (
        "hw/src/net/classify.rs",
        365,
        "a frame's head on its way through four steps, each of which waits for the next",
    ),
    ("hw/verilog/tests/samples/mod.rs", 400, "a catalogue of small kernels"),
    ("tests/block/fetch.rs", 575, "a catalogue of small tests over one bench"),
];
/// Rust sources, scripts of the guest, and the C++ of the simulator.
const HEADED: [(&str, &str); 4] = [(".rs", "//"), (".cpp", "//"), (".h", "//"), (".guest", "# ")];

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some((_, head)) = HEADED.iter().find(|(end, _)| source.path.ends_with(end)) else { return findings };
    if source.path.starts_with("tests/golden/") {
        return findings;
    }
    let usual = if source.path.starts_with("hw/") { LONGEST_HW } else { LONGEST };
    let longest = LONG.iter().find(|(path, _, _)| source.path == *path).map_or(usual, |(_, most, _)| *most);
    let count = source.text.lines().count();
    if count > longest {
        findings
            .push(source.finding(longest + 1, format!("{count} lines; at most {longest}: split it by task")));
    }
    let first = source.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if !first.starts_with(head) {
        findings.push(source.finding(1, "the file does not begin with a remark which says what it is for"));
    }
    if source.is_rust() {
        // Put together here, so that this file does not find itself.
        let words = ["todo", "unimplemented", "dbg"].map(|word| format!("{word}!("));
        for (index, line) in source.text.lines().enumerate() {
            for word in words.iter().filter(|word| super::strip(line).contains(word.as_str())) {
                findings.push(source.finding(index + 1, format!("`{word}...)` is unfinished work")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn finds(path: &str, text: &str, what: &str) {
        let findings = check(&source(path, text));
        assert!(findings.len() == 1 && findings[0].what.contains(what), "{path}: {findings:?}");
    }

    #[test]
    fn length_head_and_unfinished_work() {
        let long = "//! Long.\n".repeat(301);
        finds("hw/src/a.rs", &long, "301 lines; at most 300");
        assert!(check(&source("sim/src/a.rs", &long)).is_empty());
        assert!(check(&source("tests/golden/a.rs", &"//\n".repeat(900))).is_empty());
        finds("sim/src/a.rs", "use std::fs;\n", "does not begin with a remark");
        finds("sim/src/a.rs", &format!("//! A.\nfn f() {{ {}!() }}\n", "todo"), "unfinished");
        assert!(check(&source("sim/src/a.rs", &format!("//! A.\n// never {}!()\n", "todo"))).is_empty());
    }
}
