//! Links between the tree's pages lead somewhere.

use std::path::Path;

use super::{Finding, Source};

pub(super) fn check(source: &Source, root: &Path) -> Vec<Finding> {
    if !source.path.ends_with(".md") {
        return Vec::new();
    }
    let home = root.join(&source.path);
    let home = home.parent().unwrap_or(root);
    let mut findings = Vec::new();
    let mut fenced = false;
    for (index, line) in source.text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        for target in targets(line) {
            let path = target.split('#').next().unwrap_or_default();
            if !target.contains("://") && !path.is_empty() && !home.join(path).exists() {
                findings.push(source.finding(index + 1, format!("the link to `{target}` leads nowhere")));
            }
        }
    }
    findings
}

/// What stands in the brackets of `](...)`.
fn targets(line: &str) -> Vec<&str> {
    let rests = line.match_indices("](").map(|(at, _)| &line[at + 2..]);
    rests.filter_map(|rest| Some(&rest[..rest.find(')')?])).collect()
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn a_link_to_nothing_is_found() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("there.md"), "").unwrap();
        let text = "[a](there.md#part) [b](https://x.y) [c](gone.md)\n```\n[d](gone.md)\n```\n";
        let findings = check(&source("README.md", text), dir.path());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].what.contains("gone.md"));
    }
}
