//! The workspace's rules that no other tool knows: floors, form, numbers, links, waivers. `cargo xtask tidy`.

mod crates;
mod form;
mod links;
mod literals;
mod modules;
mod waivers;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::{place, say};

/// A file of the tree: its path from the workspace's root, with `/`, and its text.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A broken rule, where, and what to do.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) path: String,
    /// Counted from 1; 0 means the whole file.
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl Source {
    fn finding(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, what: what.into() }
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Numbered lines without their remarks, up to the file's own tests.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines
            .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
            .map(|(number, line)| (number, strip(line)))
    }
}

/// A line without its `//` remark. A `//` inside a string is taken for one too, which no rule here minds.
fn strip(line: &str) -> &str {
    line.find("//").map_or(line, |at| &line[..at])
}

/// Checks everything and prints what is wrong; true if nothing is.
pub(crate) fn run() -> Result<bool> {
    let step = say::step("tidy");
    let sources = read(&place::root())?;
    let mut findings = crates::check(&crates::metadata()?)?;
    for source in &sources {
        findings.extend(form::check(source));
        findings.extend(literals::check(source));
        findings.extend(modules::check(source));
        findings.extend(links::check(source, &place::root()));
        findings.extend(waivers::check(source));
    }
    if findings.is_empty() {
        step.done(&format!("{} files", sources.len()));
        return Ok(true);
    }
    step.failed(&format!("{} findings", findings.len()));
    for finding in &findings {
        println!("    {}:{}: {}", finding.path, finding.line, finding.what);
    }
    Ok(false)
}

/// Every text file of the workspace, without `target` and dot folders.
fn read(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("listing {}", dir.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with('.') || name == "target" {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(root)?.to_string_lossy().into_owned();
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

#[cfg(test)]
pub(crate) fn source(path: &str, text: &str) -> Source {
    Source { path: path.into(), text: text.into() }
}
