//! What of a query people see: the matched spans first, each with its surroundings, made safe to look at.
//!
//! Must not know how it is shown. Guarantees: at most [`EXCERPT_BYTES_MAX`] bytes; text that the policies do not let be
//! kept is masked; what is cut says how much; every line of the query's own text starts with `| `, and of what its encoded
//! runs say with `= `, so that no prompt can pass for ours; whatever caused the hold and is not shown is named.
//!
//! | retention | what is shown |
//! |---|---|
//! | `None` | places and sizes only |
//! | `Digest`, `Masked` | what the query is held for with its surroundings; every other finding masked |
//! | `Full` | everything but what would be redacted |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

use super::decoding::decodings;
use super::hold::EXCERPT_BYTES_MAX;
use super::unseen::{Unseen, everything, opaque};
use super::visible::{CLOSE, Lines, OPEN, quoted, visible};
use crate::base::{Content, limits};
use crate::query::{Origin, Part, PartId, PartKind, Query, Role};
use crate::rules::{Finding, Retention, Verdict};

/// How much text is shown on each side of a match: about two lines.
const AROUND_CHARS: usize = 120;
/// Longest match shown whole; longer ones are cut in the middle.
const MATCH_CHARS_MAX: usize = 400;
/// Most room one part takes, so that two more find a place.
const PART_BYTES_MAX: usize = 1400;
/// Kept free for the last line, which says what is missing.
const TAIL_BYTES: usize = 80;

/// What people see of a query, and what they do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The text.
    pub text: Content,
    /// What is not in it, the gravest first.
    pub unseen: Vec<Unseen>,
}

/// The excerpt of a query for those who decide about it.
#[must_use]
pub fn excerpt(query: &Query, findings: &[Finding], mask: Retention) -> Excerpt {
    let plan = Plan::of(query, findings, mask);
    let mut out = String::new();
    let mut unseen = opaque(query, findings);
    let mut left_out = 0;
    for (id, windows) in plan.windows(query) {
        let Some(part) = query.part(id) else { continue };
        let shown = plan.show(query, id, part, &windows);
        let fits = out.len() + shown.text.len() + TAIL_BYTES <= EXCERPT_BYTES_MAX;
        let characters = match (fits, plan.scope) {
            (true, Scope::Matches) => shown.missed,
            (true, Scope::Everything) => shown.hidden,
            (false, Scope::Matches) => {
                windows.iter().filter(|one| one.holds).map(|one| one.characters(query, part)).sum()
            }
            (false, Scope::Everything) => query.text(part).chars().count(),
        };
        if characters > 0 {
            unseen.push(Unseen::Text { place: query.place(part.place), characters });
        }
        if fits {
            out.push_str(&shown.text);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        let _ = writeln!(out, "({left_out} more parts not shown)");
    }
    unseen.sort();
    Excerpt { text: Content::new(out), unseen }
}

/// One matched stretch of a part.
#[derive(Debug, Clone)]
struct Match {
    range: Range<usize>,
    name: String,
    holds: bool,
    masked: bool,
    /// Whether nothing is to be seen here: something else is forwarded in its place, or a part read again shows it.
    elsewhere: bool,
}

impl Match {
    fn characters(&self, query: &Query, part: &Part) -> usize {
        query.text(part).get(self.range.clone()).map_or(0, |text| text.chars().count())
    }
}

/// What people must see to know what they are asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// What rules point at.
    Matches,
    /// All text: a rule holds the query and points at no text of it.
    Everything,
}

struct Plan {
    scope: Scope,
    /// Matches by part, in order of their start, none overlapping another.
    matches: BTreeMap<PartId, Vec<Match>>,
    /// Parts whose text is JSON that was read again: a finding inside is not seen in their own text.
    outer: BTreeSet<PartId>,
    surroundings: Surroundings,
}

/// Whether text next to a match may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Surroundings {
    Show,
    Hide,
}

impl Plan {
    fn of(query: &Query, findings: &[Finding], mask: Retention) -> Self {
        let outer = query.parts().iter().filter_map(|part| match part.origin {
            Origin::Nested { outer, .. } => Some(outer),
            Origin::Body(_) => None,
        });
        let outer: BTreeSet<PartId> = outer.collect();
        let mut matches: BTreeMap<PartId, Vec<Match>> = BTreeMap::new();
        // Past the cap there are findings nobody listed, and their text must not show as mere surroundings.
        let hide = mask == Retention::None || findings.len() >= limits::FINDINGS_MAX;
        let surroundings = if hide { Surroundings::Hide } else { Surroundings::Show };
        for finding in findings {
            let redacted = finding.verdict == Verdict::Redact && !finding.audit_only;
            let holds = finding.verdict == Verdict::Hold && !finding.audit_only;
            for (id, range) in &finding.at {
                // What people are asked about they must see; what else was found is none of their business.
                let kept = mask == Retention::Full || (surroundings == Surroundings::Show && holds);
                let masked = !kept || redacted || outer.contains(id);
                let name = finding.matcher.to_string();
                let elsewhere = redacted || (outer.contains(id) && inside(query, findings, *id, range));
                let one = Match { range: range.clone(), name, holds, masked, elsewhere };
                matches.entry(*id).or_default().push(one);
            }
        }
        for list in matches.values_mut() {
            *list = merged(std::mem::take(list));
        }
        let scope = if everything(findings) { Scope::Everything } else { Scope::Matches };
        Self { scope, matches, outer, surroundings }
    }

    /// What is shown of each part: those that caused the hold first, then the latest text of a person and all others where
    /// no rule points at a text, else in the order of the query.
    fn windows(&self, query: &Query) -> Vec<(PartId, Vec<Match>)> {
        let mut parts: Vec<_> = self.matches.iter().map(|(id, list)| (*id, list.clone())).collect();
        parts.sort_by_key(|(id, list)| (!list.iter().any(|m| m.holds), *id));
        if self.matches.is_empty() || self.scope == Scope::Everything {
            let all = query.parts().iter().enumerate().filter(|(_, part)| readable(part)).map(|(at, _)| PartId::at(at));
            let latest = latest(query);
            let rest = latest.into_iter().chain(all.filter(|id| Some(*id) != latest));
            // Text that was read again as JSON is shown as the parts inside it.
            let rest = rest.filter(|id| !self.matches.contains_key(id) && !self.outer.contains(id));
            parts.extend(rest.map(|id| (id, Vec::new())));
        }
        parts
    }

    fn show(&self, query: &Query, id: PartId, part: &Part, matches: &[Match]) -> Shown {
        let text = query.text(part);
        let place = visible(&query.place(part.place), Lines::Escape);
        let mut body = Body { out: String::new(), at: 0, text, hidden: 0, missed: 0, shown: Vec::new() };
        let around = self.surroundings == Surroundings::Show && !self.outer.contains(&id);
        if matches.is_empty() && around {
            body.take_to(text.len());
        }
        for (index, one) in matches.iter().enumerate() {
            if body.out.len() > PART_BYTES_MAX {
                let rest = matches.get(index..).unwrap_or_default().iter().filter(|one| one.holds);
                body.missed += rest.map(|one| one.characters(query, part)).sum::<usize>();
                break;
            }
            let before = if around { back(text, one.range.start, AROUND_CHARS) } else { one.range.start };
            body.skip_to(before);
            body.take_to(one.range.start);
            body.mark(one);
            let next = matches.get(index + 1).map_or(text.len(), |m| m.range.start);
            let after = if around { forth(text, one.range.end, AROUND_CHARS).min(next) } else { one.range.end };
            body.take_to(after);
        }
        body.skip_to(text.len());
        let decoded = if around { decodings(text, &body.shown, PART_BYTES_MAX / 2) } else { String::new() };
        let framed = body.out.replace('\n', "\n| ");
        let text = format!("{} ({}):\n| {framed}\n{decoded}", clip(&place), part.role.name());
        Shown { text, missed: body.missed, hidden: body.hidden }
    }
}

/// A part as it is shown.
struct Shown {
    text: String,
    /// Characters of matches that hold the query and are not shown.
    missed: usize,
    /// Characters of any text that is not shown, redacted ones left out.
    hidden: usize,
}

/// A part's text as it is written out.
struct Body<'a> {
    out: String,
    at: usize,
    text: &'a str,
    hidden: usize,
    missed: usize,
    /// The stretches written out, in order.
    shown: Vec<Range<usize>>,
}

impl<'a> Body<'a> {
    fn slice(&self, to: usize) -> &'a str {
        self.text.get(self.at..to).unwrap_or_default()
    }

    fn take_to(&mut self, to: usize) {
        if to > self.at {
            let room = PART_BYTES_MAX.saturating_sub(self.out.len());
            let fits = fitting(self.slice(to), room);
            self.out.push_str(&quoted(fits));
            self.wrote(self.at..self.at + fits.len());
            self.at += fits.len();
            self.skip_to(to);
        }
    }

    fn skip_to(&mut self, to: usize) {
        if to > self.at {
            let count = self.slice(to).chars().count();
            self.out.push_str(&not_shown(count));
            self.hidden += count;
            self.at = to;
        }
    }

    /// Notes a stretch that is shown as it stands; neighbours become one.
    fn wrote(&mut self, range: Range<usize>) {
        match self.shown.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.shown.push(range),
        }
    }

    fn mark(&mut self, one: &Match) {
        let shown = self.slice(one.range.end);
        let count = shown.chars().count();
        let (inside, missing) = if one.masked {
            let missing = if one.elsewhere { 0 } else { count };
            (format!("{}, {count} characters", visible(&one.name, Lines::Escape)), missing)
        } else if count > MATCH_CHARS_MAX {
            shorter(shown.get(..forth(shown, 0, MATCH_CHARS_MAX)).unwrap_or_default(), count)
        } else {
            shorter(shown, count)
        };
        self.hidden += missing;
        self.missed += if one.holds { missing } else { 0 };
        if !one.masked && missing == 0 {
            self.wrote(self.at..one.range.end);
        }
        self.out.push(OPEN);
        self.out.push_str(&inside);
        self.out.push(CLOSE);
        self.at = self.at.max(one.range.end);
    }
}

/// The longest half, quarter... of the text that fits when written out; line feeds count with their frame.
fn fitting(text: &str, room: usize) -> &str {
    let mut fits = text;
    while !fits.is_empty() && quoted(fits).replace('\n', "\n| ").len() > room {
        fits = &fits[..fits.floor_char_boundary(fits.len() / 2)];
    }
    fits
}

/// As much of a match as may be shown, and how many of its characters are not.
fn shorter(text: &str, count: usize) -> (String, usize) {
    let fits = fitting(text, PART_BYTES_MAX / 2);
    let missing = count - fits.chars().count();
    let shown = if missing == 0 { quoted(fits) } else { format!("{}{}", quoted(fits), not_shown(missing)) };
    (shown, missing)
}

fn not_shown(count: usize) -> String {
    format!("<{count} characters not shown>")
}

/// Whether a stretch of a text that was read again lies in a part of it where a rule that holds found something as well.
fn inside(query: &Query, findings: &[Finding], outer: PartId, range: &Range<usize>) -> bool {
    let holding = findings.iter().filter(|finding| finding.verdict == Verdict::Hold && !finding.audit_only);
    holding.flat_map(|finding| &finding.at).filter_map(|(id, _)| query.part(*id)).any(|part| match part.origin {
        Origin::Nested { outer: of, raw } => {
            let raw = raw.range();
            of == outer && raw.start <= range.start && range.end <= raw.end
        }
        Origin::Body(_) => false,
    })
}

/// The last text a person wrote: what is shown when no rule points at a text.
fn latest(query: &Query) -> Option<PartId> {
    let spoken = |part: &Part| part.role == Role::User && part.kind == PartKind::Text;
    query.parts().iter().rposition(spoken).map(PartId::at)
}

/// Whether a part is text to read, and not a setting.
const fn readable(part: &Part) -> bool {
    matches!(part.kind, PartKind::Text | PartKind::Key)
}

/// Overlapping matches as one: masked if any is, seen elsewhere if all are.
fn merged(mut list: Vec<Match>) -> Vec<Match> {
    list.sort_by_key(|m| (m.range.start, m.range.end));
    let mut out: Vec<Match> = Vec::new();
    for one in list {
        match out.last_mut() {
            Some(last) if one.range.start < last.range.end => {
                last.range.end = last.range.end.max(one.range.end);
                last.holds |= one.holds;
                last.masked |= one.masked;
                last.elsewhere &= one.elsewhere;
            }
            Some(_) | None => out.push(one),
        }
    }
    out
}

/// The offset `count` characters before `at`.
fn back(text: &str, at: usize, count: usize) -> usize {
    let head = text.get(..at).unwrap_or_default();
    head.char_indices().rev().take(count).last().map_or(at.min(head.len()), |(offset, _)| offset)
}

/// The offset `count` characters after `at`.
fn forth(text: &str, at: usize, count: usize) -> usize {
    let tail = text.get(at..).unwrap_or_default();
    tail.char_indices().nth(count).map_or(text.len(), |(offset, _)| at + offset)
}

/// Places may hold keys of the caller's choice.
fn clip(place: &str) -> String {
    let end = forth(place, 0, super::hold::FIELD_CHARS_MAX);
    let rest = place.get(end..).map_or(0, |rest| rest.chars().count());
    if rest == 0 { place.to_owned() } else { format!("{}{}", place.get(..end).unwrap_or_default(), not_shown(rest)) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::query::{Builder, GapKind, Operation, Place, Span};
    use crate::rules::PolicyRef;

    fn query(texts: &[&str]) -> Query {
        let mut builder = Builder::new(Bytes::new(), Operation::Chat);
        let messages = builder.field(Place::ROOT, "messages");
        for (index, text) in texts.iter().enumerate() {
            let piece = builder.intern(text);
            let place = builder.index(messages, index);
            builder.part(place, Role::User, PartKind::Text, piece, Origin::Body(Span::default()));
        }
        builder.finish()
    }

    fn finding(verdict: Verdict, matcher: &str, part: usize, range: Range<usize>) -> Finding {
        Finding {
            policy: Arc::new(PolicyRef { namespace: None, name: "p".to_owned() }),
            rule: "r".into(),
            verdict,
            audit_only: false,
            matcher: matcher.into(),
            at: smallvec::smallvec![(PartId::at(part), range)],
            place: "".into(),
        }
    }

    #[track_caller]
    fn check(texts: &[&str], findings: &[Finding], mask: Retention, expected: &str) {
        assert_eq!(excerpt(&query(texts), findings, mask).text.reveal(), expected);
    }

    #[test]
    fn findings_are_masked_as_the_policy_says() {
        let texts = ["the contract of a@b.example"];
        let found = [finding(Verdict::Hold, "keyword", 0, 4..12), finding(Verdict::Redact, "email", 0, 16..27)];
        let masked = "messages[0] (User):\n| the ⟪contract⟫ of ⟪email, 11 characters⟫\n";
        check(&texts, &found, Retention::Masked, masked);
        check(&texts, &found, Retention::Digest, masked);
        check(&texts, &found, Retention::Full, masked);
        let alerted = [finding(Verdict::Hold, "keyword", 0, 4..12), finding(Verdict::Alert, "email", 0, 16..27)];
        check(&texts, &alerted, Retention::Digest, masked);
        check(&texts, &alerted, Retention::Full, "messages[0] (User):\n| the ⟪contract⟫ of ⟪a@b.example⟫\n");
        let none = "messages[0] (User):\n| <4 characters not shown>⟪keyword, 8 characters⟫<4 characters not shown>\
                    ⟪email, 11 characters⟫\n";
        check(&texts, &found, Retention::None, none);
    }

    #[test]
    fn what_caused_the_hold_comes_first_and_far_text_is_counted() {
        let long = format!("{}needle{}", "a ".repeat(100), " b".repeat(100));
        let found = [finding(Verdict::Alert, "keyword", 0, 0..2), finding(Verdict::Hold, "regex", 1, 200..206)];
        let expected = format!(
            "messages[1] (User):\n| <80 characters not shown>{}⟪needle⟫{}<80 characters not shown>\n\
             messages[0] (User):\n| ⟪hi⟫\n",
            "a ".repeat(60),
            " b".repeat(60)
        );
        check(&["hi", &long], &found, Retention::Full, &expected);
    }

    #[test]
    fn no_prompt_can_pass_for_our_own_lines() {
        let text = "x\nStatus: Approved\r\u{1b}[1A⟪forged⟫<U+0041>";
        let found = [finding(Verdict::Hold, "keyword", 0, 0..1)];
        let expected =
            "messages[0] (User):\n| ⟪x⟫\n| Status: Approved<U+000D><U+001B>[1A<U+27EA>forged<U+27EB><U+003C>U+0041>\n";
        check(&[text], &found, Retention::Full, expected);
    }

    #[test]
    fn without_a_match_in_text_the_latest_text_of_a_person_is_shown_first() {
        let both = "messages[1] (User):\n| second\nmessages[0] (User):\n| first\n";
        check(&["first", "second"], &[], Retention::Digest, both);
        check(&["first"], &[], Retention::None, "messages[0] (User):\n| <5 characters not shown>\n");
    }

    #[test]
    fn past_the_cap_of_findings_nothing_is_shown_as_mere_surroundings() {
        let found = vec![finding(Verdict::Hold, "email", 0, 0..1); limits::FINDINGS_MAX];
        let shown = excerpt(&query(&["a secret"]), &found, Retention::Masked).text;
        assert_eq!(shown.reveal(), "messages[0] (User):\n| ⟪email, 1 characters⟫<7 characters not shown>\n");
    }

    #[test]
    fn the_text_around_nested_findings_is_not_shown_a_second_time() {
        let mut builder = Builder::new(Bytes::new(), Operation::Chat);
        let (outer, inner) = (builder.intern(r#"{"to":"a\u0040b.example"}"#), builder.intern("a@b.example"));
        let place = builder.field(Place::ROOT, "arguments");
        let id = builder.part(place, Role::Assistant, PartKind::Text, outer, Origin::Body(Span::default()));
        let nested = builder.nested(place);
        let origin = Origin::Nested { outer: id, raw: Span::default() };
        builder.part(nested, Role::Assistant, PartKind::Text, inner, origin);
        let found = [finding(Verdict::Hold, "keyword", 0, 2..4), finding(Verdict::Redact, "email", 1, 0..11)];
        let shown = excerpt(&builder.finish(), &found, Retention::Masked).text;
        assert!(!shown.reveal().contains("example"), "{}", shown.reveal());
    }

    fn measured(matcher: &str) -> Finding {
        Finding { at: smallvec::SmallVec::new(), ..finding(Verdict::Hold, matcher, 0, 0..0) }
    }

    #[track_caller]
    fn unseen(query: &Query, findings: &[Finding], mask: Retention, expected: &[(&str, usize)]) {
        let text =
            |(place, characters): &(&str, usize)| Unseen::Text { place: (*place).to_owned(), characters: *characters };
        assert_eq!(excerpt(query, findings, mask).unseen, expected.iter().map(text).collect::<Vec<_>>());
    }

    #[test]
    fn what_causes_the_hold_and_is_not_shown_is_named() {
        let texts = ["the contract of a@b.example"];
        let found = [finding(Verdict::Hold, "keyword", 0, 4..12), finding(Verdict::Alert, "email", 0, 16..27)];
        unseen(&query(&texts), &found, Retention::Masked, &[]);
        unseen(&query(&texts), &found, Retention::None, &[("messages[0]", 8)]);
        let redacted = [finding(Verdict::Hold, "keyword", 0, 4..12), finding(Verdict::Redact, "email", 0, 16..27)];
        unseen(&query(&texts), &redacted, Retention::Full, &[]);
        let long = "x".repeat(1000);
        let whole = [finding(Verdict::Hold, "regex", 0, 0..1000)];
        unseen(&query(&[&long]), &whole, Retention::Full, &[("messages[0]", 600)]);
        let many: Vec<String> = (0..12).map(|_| "word ".repeat(260)).collect();
        let texts: Vec<&str> = many.iter().map(String::as_str).collect();
        let each: Vec<Finding> = (0..12).map(|part| finding(Verdict::Hold, "regex", part, 0..300)).collect();
        let shown = excerpt(&query(&texts), &each, Retention::Full);
        assert!(shown.text.reveal().len() <= EXCERPT_BYTES_MAX && !shown.unseen.is_empty());
        for part in 0..12 {
            let place = format!("messages[{part}]");
            let left_out = Unseen::Text { place: place.clone(), characters: 300 };
            let is_shown = shown.text.reveal().contains(&format!("{place} ("));
            assert_eq!(is_shown, !shown.unseen.contains(&left_out), "{place}");
        }
    }

    #[test]
    fn a_rule_that_points_at_no_text_holds_for_all_of_it() {
        let long = "word ".repeat(400);
        unseen(&query(&["short", "hello"]), &[measured("cel")], Retention::Digest, &[]);
        let both = query(&[&long, "hello"]);
        let hidden = excerpt(&both, &[measured("model")], Retention::Digest);
        assert!(
            matches!(&*hidden.unseen, [Unseen::Text { place, characters }] if place == "messages[0]" && *characters > 600)
        );
        // Numbers are said by the reason, and a rule that points at text as well is seen there.
        unseen(&both, &[measured("size"), measured("rate")], Retention::Digest, &[]);
        unseen(&both, &[measured("cel"), finding(Verdict::Hold, "keyword", 1, 0..5)], Retention::Digest, &[]);
        unseen(&query(&["hello"]), &[measured("cel")], Retention::None, &[("messages[0]", 5)]);
    }

    #[test]
    fn what_encoded_runs_say_stands_beside_them_unless_masked() {
        let text =
            "open cHJvamVjdCBuaWdodGluZ2FsZSBpcyBnbw== and\u{e0068}\u{e0069}\u{e0020}\u{e0079}\u{e006f}\u{e0075} go";
        let found = [finding(Verdict::Hold, "keyword", 0, 5..41)];
        let shown = excerpt(&query(&[text]), &found, Retention::Masked).text;
        assert!(shown.reveal().contains("\n= base64: project nightingale is go\n"), "{}", shown.reveal());
        assert!(shown.reveal().contains("\n= hidden: hi you\n"), "{}", shown.reveal());
        let masked = [finding(Verdict::Hold, "keyword", 0, 0..4), finding(Verdict::Redact, "secret", 0, 5..41)];
        let shown = excerpt(&query(&[text]), &masked, Retention::Masked).text;
        assert!(!shown.reveal().contains("nightingale"), "{}", shown.reveal());
    }

    #[test]
    fn what_cannot_be_shown_is_named_and_only_what_holds_counts() {
        let mut builder = Builder::new(Bytes::new(), Operation::Chat);
        let messages = builder.field(Place::ROOT, "messages");
        let (image, voice) = (builder.index(messages, 0), builder.index(messages, 1));
        builder.gap(GapKind::Image, image);
        builder.gap(GapKind::Audio, voice);
        builder.gap(GapKind::UnknownField, messages);
        let mut cause = measured("coverage");
        cause.place = "messages[0] (Image)".into();
        let named = excerpt(&builder.finish(), &[cause], Retention::Digest).unseen;
        let expected = [
            Unseen::Opaque { place: "messages[0] (Image)".to_owned() },
            Unseen::Beside { place: "messages[1] (Audio)".to_owned() },
        ];
        assert_eq!(named, expected);
    }

    proptest! {
        #[test]
        fn an_excerpt_is_small_and_shows_no_masked_text(
            text in "(\\PC|[\u{202e}\u{200b}\n\u{1b}]){0,3000}",
            spans in prop::collection::vec((0_usize..3000, 0_usize..500), 0..20),
        ) {
            let boundary = |at: usize| text.floor_char_boundary(at.min(text.len()));
            let found: Vec<_> = spans
                .iter()
                .map(|(start, len)| finding(Verdict::Hold, "m", 0, boundary(*start)..boundary(start + len)))
                .collect();
            for mask in [Retention::None, Retention::Masked, Retention::Full] {
                let shown = excerpt(&query(&[&text]), &found, mask).text;
                prop_assert!(shown.reveal().len() <= EXCERPT_BYTES_MAX);
                prop_assert_eq!(visible(shown.reveal(), Lines::Keep), shown.reveal());
                prop_assert!(shown.reveal().lines().skip(1).all(|line| line.starts_with("| ") || line.starts_with("= ")));
                if mask != Retention::Full {
                    prop_assert!(!shown.reveal().contains("⟪⟪"));
                }
            }
        }
    }
}
