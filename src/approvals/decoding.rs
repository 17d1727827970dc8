//! What encoded runs of a shown text say, line by line beside it: the engine's own decodings.
//!
//! Must not know what matched. Guarantees that only stretches that are shown whole are decoded for people, that every line
//! begins with `= `, and that what is said is made visible like the text itself.

use std::ops::Range;

use super::visible::quoted;
use crate::rules::{DecodeBudget, decoded};

/// Most decoded runs said of one part.
const RUNS_MAX: usize = 8;
/// Most characters said of one run.
const RUN_CHARS_MAX: usize = 300;

/// One line for each run that lies in a stretch of `shown`; at most `bytes_max` bytes.
pub(super) fn decodings(text: &str, shown: &[Range<usize>], bytes_max: usize) -> String {
    let mut out = String::new();
    let mut said = 0;
    for view in decoded(text, &mut DecodeBudget::default()) {
        let source = view.source();
        let whole = shown.iter().any(|range| range.start <= source.start && source.end <= range.end);
        if !whole || source.is_empty() {
            continue;
        }
        let line = line(view.kind.name(), &view.text);
        // An encoding around another shows the inner one twice.
        if out.contains(&line) {
            continue;
        }
        if said == RUNS_MAX || out.len() + line.len() > bytes_max {
            out.push_str("= more is encoded here\n");
            break;
        }
        out.push_str(&line);
        said += 1;
    }
    out
}

fn line(name: &str, text: &str) -> String {
    let cut = text.char_indices().nth(RUN_CHARS_MAX).map_or(text.len(), |(at, _)| at);
    let rest = text.get(cut..).map_or(0, |rest| rest.chars().count());
    let said = quoted(text.get(..cut).unwrap_or_default()).replace('\n', "\n= ");
    let rest = if rest == 0 { String::new() } else { format!("<{rest} characters not shown>") };
    format!("= {name}: {said}{rest}\n")
}
