//! Tables as Markdown, padded so that they can be read as they stand.

use std::fmt::Write as _;

/// A table whose first row is its head.
pub(crate) fn markdown(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(|column| width(column).max(3)).collect();
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let _ = writeln!(text, "| {} |", padded.collect::<Vec<_>>().join(" | "));
        if at == 0 {
            let lines = widths.iter().map(|width| "-".repeat(*width));
            let _ = writeln!(text, "| {} |", lines.collect::<Vec<_>>().join(" | "));
        }
    }
    text
}
