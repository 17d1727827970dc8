//! An explanation as people read it.

use super::super::Console;
use super::super::console::Tone;
use super::describe::{Described, ExceptionPart, GapPart, MatchPart, Outcome, RulePart};
use crate::rules::Verdict;

/// Longest preview of a body, in characters.
const PREVIEW_CHARS_MAX: usize = 2_000;
/// Most matches shown for one rule.
const MATCHES_MAX: usize = 20;

pub(super) fn show(described: &Described, console: &mut Console) -> std::io::Result<()> {
    head(described, console)?;
    for policy in &described.policies {
        let mode = if policy.mode == "Audit" { " (Audit: recorded, without effect)" } else { "" };
        console.line(format!("\n{}{mode}", Tone::Strong.paint(&policy.policy)))?;
        for rule in &policy.rules {
            one(rule, console)?;
        }
    }
    if !described.gaps.is_empty() {
        console.line(format!("\n{}", Tone::Strong.paint("cannot be judged")))?;
        described.gaps.iter().try_for_each(|g| gap(g, console))?;
    }
    let Some(body) = &described.forwarded else { return Ok(()) };
    let when = if described.verdict == Verdict::Hold { "after a release" } else { "now" };
    if !described.changed {
        return console.line(format!("\nforwarded {when}: the body as it came"));
    }
    let short: String = body.chars().take(PREVIEW_CHARS_MAX).collect();
    let dots = if short.len() < body.len() { "…" } else { "" };
    console.line(format!("\nforwarded {when}:\n{short}{dots}"))
}

fn head(described: &Described, console: &mut Console) -> std::io::Result<()> {
    let code = described.code.map(|code| format!(" ({code})")).unwrap_or_default();
    let verdict = tone(described.verdict).paint(&format!("{:?}", described.verdict));
    console.line(format!("verdict   {verdict}{code}"))?;
    if described.verdict_if_enforced != described.verdict {
        console.line(format!("          {:?} if every policy were enforced", described.verdict_if_enforced))?;
    }
    if let Some(message) = &described.message {
        console.line(format!("message   {message}"))?;
    }
    if !described.chains.is_empty() {
        console.line(format!("approval  {}", described.chains.join(", ")))?;
    }
    if !described.exceptions.is_empty() {
        console.line(format!("excepted  {}", described.exceptions.join(", ")))?;
    }
    console.line(format!("revision  {}", described.revision))
}

const fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Allow => Tone::Good,
        Verdict::Alert | Verdict::Redact | Verdict::Hold => Tone::Caution,
        Verdict::Deny => Tone::Bad,
    }
}

fn one(rule: &RulePart, console: &mut Console) -> std::io::Result<()> {
    let (word, tone) = match (rule.result, &rule.exception) {
        (Outcome::Matched, None) => ("matches", tone(rule.verdict)),
        (Outcome::Matched, Some(_)) => ("matches, but is excepted", Tone::Caution),
        (Outcome::Unmatched, _) => ("does not match", Tone::Dim),
        (Outcome::Failed, None) => ("failed", Tone::Bad),
        (Outcome::Failed, Some(_)) => ("failed, but is excepted", Tone::Caution),
    };
    console.line(format!(
        "  {} {} {}",
        tone.paint(&format!("{:<6}", format!("{:?}", rule.verdict))),
        rule.rule,
        tone.paint(word)
    ))?;
    if let Some(ExceptionPart { name, until, approver, reason }) = &rule.exception {
        console.line(format!("         exception {name} until {until}, by {approver}: {reason}"))?;
    }
    for found in rule.matches.iter().take(MATCHES_MAX) {
        matched(found, console)?;
    }
    if rule.matches.len() > MATCHES_MAX {
        console.line(format!("         and {} more", rule.matches.len() - MATCHES_MAX))?;
    }
    for because in &rule.because {
        console.line(Tone::Dim.paint(&format!("         `{}`: {}", because.field, because.why)))?;
    }
    Ok(())
}

fn matched(found: &MatchPart, console: &mut Console) -> std::io::Result<()> {
    console.line(format!("         {} in {}", found.matcher, found.place))?;
    for text in &found.texts {
        let place = if text.place == found.place { String::new() } else { format!("{}, ", text.place) };
        let at = format!("({place}{}, bytes {}..{})", text.role, text.bytes.start, text.bytes.end);
        let text = format!("{}⟪{}⟫{}", text.before, Tone::Caution.paint(&text.text), text.after);
        console.line(format!("           {text} {}", Tone::Dim.paint(&at)))?;
    }
    Ok(())
}

fn gap(gap: &GapPart, console: &mut Console) -> std::io::Result<()> {
    let said = if gap.said.is_empty() { "Deny: no policy says anything".to_owned() } else { gap.said.join("; ") };
    console.line(format!("  {} in {}: {said}", gap.kind, gap.place))
}
