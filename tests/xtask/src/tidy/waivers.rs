//! A rule may be waived where it does not fit, never without saying why.

use super::{Finding, Source};

/// How many lines above a waived lint its remark may stand.
const REACH: usize = 4;
/// Fewer letters are no reason.
const SHORTEST: usize = 12;

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if source.path.starts_with("tests/xtask/src/tidy/") || source.path.ends_with(".md") {
        return findings;
    }
    let lines: Vec<&str> = source.text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        if let Some((_, rest)) = line.split_once("tidy-allow(") {
            let reason = rest.split_once("):").map_or("", |(_, reason)| reason.trim());
            if reason.len() < SHORTEST {
                findings.push(
                    source.finding(index + 1, "a waiver without its reason: `// tidy-allow(rule): why`"),
                );
            }
        }
        // A golden text is what our printer wrote; its waivers have their reason where they are printed from.
        let printed = source.path.starts_with("tests/golden/");
        if line.contains("lint_off") && !printed {
            let near = &lines[index.saturating_sub(REACH)..=index];
            let told = near.iter().any(|line| line.contains("//"));
            if !told {
                findings
                    .push(source.finding(index + 1, "a lint is waived without a remark on it or above it"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn reasons_are_asked_for() {
        let count = |text: &str| check(&source("hw/src/pcie/rx.rs", text)).len();
        assert_eq!(count("let a = 0x1; // tidy-allow(literal): a test pattern, no register\n"), 0);
        assert_eq!(count("let a = 0x1; // tidy-allow(literal)\n"), 1);
        assert_eq!(count("let a = 0x1; // tidy-allow(literal): ok\n"), 1);
        assert_eq!(count("text += \"verilator lint_off UNUSED\";\n"), 1);
        assert_eq!(count("// The top bits are zero by design.\ntext += \"verilator lint_off UNUSED\";\n"), 0);
    }
}
