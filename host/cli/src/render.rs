//! Reports as tables for people.

mod board;
mod change;
mod check;
mod device;
mod queue;

use hematite_host::feature::Features;
use hematite_host::finding::Finding;
use hematite_host::report::Head;

/// What can be printed for people.
pub(crate) trait Table {
    /// The text, with its last line ended.
    fn table(&self) -> String;
}

/// Rows in columns as wide as their widest cell; the first row names them. No blanks at the ends of lines.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// `name  value` lines.
pub(crate) fn pairs(rows: &[(&str, String)]) -> String {
    columns(&rows.iter().map(|(name, value)| vec![(*name).into(), value.clone()]).collect::<Vec<_>>())
}

/// A value, or `-`.
pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or("-".into(), |value| value.to_string())
}

/// An address, or `-`.
pub(crate) fn hex(value: Option<u64>) -> String {
    value.map_or("-".into(), |value| format!("{value:#x}"))
}

pub(crate) fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.into()
}

/// Findings and notes, behind everything else.
pub(crate) fn remarks(head: &Head) -> String {
    let findings =
        head.findings.iter().map(|Finding { clause, text }| format!("finding: {text} [{clause}]\n"));
    let notes = head.notes.iter().map(|note| format!("note: {note}\n"));
    findings.chain(notes).collect()
}

/// The bits of a set, one a line.
pub(crate) fn bits(features: &Features) -> String {
    let rows: Vec<Vec<String>> = features
        .bits
        .iter()
        .map(|bit| vec![format!("{:>5}", bit.bit), bit.name.unwrap_or("unknown").into()])
        .collect();
    columns(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_without_blanks() {
        let rows = [["a", "long one", ""], ["longer", "b", "c"]];
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(columns(&rows), "a       long one\nlonger  b         c\n");
    }
}
