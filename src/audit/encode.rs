//! The JSON of an event, put together by hand for the two that every query writes.
//!
//! Going through the general encoder costs several times as much, most of it for looking at each character of digests and
//! ids, which hold nothing that would have to be escaped. Guarantees the very bytes of the derived form; everything that is
//! rare in an entry, and every other event, is left to that. Knows nothing of chains or files.

use serde::Serialize;

use super::{Caller, Event, QueryCompleted, QueryJudged};
use crate::base::Digest;

/// What an entry of a query takes, so that the buffer seldom grows twice.
const BYTES_USUAL: usize = 1024;

/// Appends an event.
pub(super) fn event(event: &Event, out: &mut Vec<u8>) -> serde_json::Result<()> {
    out.reserve(BYTES_USUAL);
    match event {
        Event::QueryJudged(entry) => judged(entry, out),
        Event::QueryCompleted(entry) => completed(entry, out),
        rare => serde_json::to_writer(out, rare),
    }
}

// INVARIANT: taken apart without `..`, so that a new field cannot be forgotten here; the order is that of the type.
fn judged(entry: &QueryJudged, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let QueryJudged {
        query,
        caller: asked_by,
        method,
        path,
        model,
        outcome,
        verdict,
        code,
        findings,
        coverage,
        exceptions,
        revision,
        body_digest,
        forwarded_digest,
        body_bytes,
        judged_micros,
        hold,
        carried_from,
        grant,
        retention,
        content,
    } = entry;
    out.extend_from_slice(br#"{"type":"query-judged","query":""#);
    query.append_to(out);
    out.push(b'"');
    caller(asked_by, out)?;
    text("method", method, out)?;
    text("path", path, out)?;
    if let Some(model) = model {
        text("model", model, out)?;
    }
    value("outcome", outcome, out)?;
    if let Some(verdict) = verdict {
        value("verdict", verdict, out)?;
    }
    if let Some(code) = code {
        text("code", code, out)?;
    }
    list("findings", findings, out)?;
    list("coverage", coverage, out)?;
    list("exceptions", exceptions, out)?;
    digest("revision", Some(revision), out);
    digest("bodyDigest", body_digest.as_ref(), out);
    digest("forwardedDigest", forwarded_digest.as_ref(), out);
    value("bodyBytes", body_bytes, out)?;
    value("judgedMicros", judged_micros, out)?;
    if let Some(hold) = hold {
        value("hold", hold, out)?;
    }
    list("carriedFrom", carried_from, out)?;
    if let Some(grant) = grant {
        value("grant", grant, out)?;
    }
    value("retention", retention, out)?;
    if let Some(content) = content {
        text("content", content, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn caller(caller: &Caller, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let Caller { user, groups, authenticated_by, address } = caller;
    if user.is_some() || !groups.is_empty() {
        return value("caller", caller, out);
    }
    out.extend_from_slice(br#","caller":{"authenticatedBy":"#);
    string(authenticated_by, out)?;
    text("address", address, out)?;
    out.push(b'}');
    Ok(())
}

fn completed(entry: &QueryCompleted, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let QueryCompleted { query, end, status, answer_digest, answer_bytes, first_byte_micros, duration_micros } = entry;
    out.extend_from_slice(br#"{"type":"query-completed","query":""#);
    query.append_to(out);
    out.push(b'"');
    value("end", end, out)?;
    value("status", status, out)?;
    digest("answerDigest", answer_digest.as_ref(), out);
    value("answerBytes", answer_bytes, out)?;
    value("firstByteMicros", first_byte_micros, out)?;
    value("durationMicros", duration_micros, out)?;
    out.push(b'}');
    Ok(())
}

fn name(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn value(named: &str, value: &impl Serialize, out: &mut Vec<u8>) -> serde_json::Result<()> {
    name(named, out);
    serde_json::to_writer(out, value)
}

/// Left out when it is empty.
fn list<T: Serialize>(named: &str, list: &[T], out: &mut Vec<u8>) -> serde_json::Result<()> {
    if list.is_empty() { Ok(()) } else { value(named, &list, out) }
}

/// Left out when there is none.
fn digest(named: &str, digest: Option<&Digest>, out: &mut Vec<u8>) {
    if let Some(digest) = digest {
        name(named, out);
        out.push(b'"');
        digest.append_to(out);
        out.push(b'"');
    }
}

fn text(named: &str, text: &str, out: &mut Vec<u8>) -> serde_json::Result<()> {
    name(named, out);
    string(text, out)
}

fn string(text: &str, out: &mut Vec<u8>) -> serde_json::Result<()> {
    // Without a short cut out of the loop, so that it runs on many bytes at a time.
    let plain = text.bytes().fold(true, |all, byte| all & !matches!(byte, 0..=0x1f | b'"' | b'\\'));
    if !plain {
        return serde_json::to_writer(out, text);
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{AnswerEnd, ExceptionRecord, FindingRecord, GapRecord, GrantUsed, Outcome};
    use crate::base::{GrantId, HoldId, QueryId};
    use crate::query::GapKind;
    use crate::rules::{PolicyRef, Retention, Verdict};
    use jiff::Timestamp;

    #[track_caller]
    fn check(event: &Event) {
        let mut out = b"before".to_vec();
        super::event(event, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), format!("before{}", serde_json::to_string(event).unwrap()));
    }

    fn bare() -> QueryJudged {
        let caller =
            Caller { authenticated_by: "anonymous".to_owned(), address: "::1".to_owned(), ..Caller::default() };
        QueryJudged {
            query: QueryId::of(Timestamp::UNIX_EPOCH, [7; 10]),
            caller,
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            model: None,
            outcome: Outcome::AllowedByFailure,
            verdict: None,
            code: None,
            findings: Vec::new(),
            coverage: Vec::new(),
            exceptions: Vec::new(),
            revision: Digest::of(b"rules"),
            body_digest: None,
            forwarded_digest: None,
            body_bytes: 0,
            judged_micros: u64::MAX,
            hold: None,
            carried_from: Vec::new(),
            grant: None,
            retention: Retention::None,
            content: None,
        }
    }

    fn full(text: &str) -> QueryJudged {
        let hold = HoldId::of(Timestamp::UNIX_EPOCH, [1; 10]);
        let policy = PolicyRef { namespace: Some("models".to_owned()), name: text.to_owned() };
        let exception = ExceptionRecord {
            exception: text.to_owned(),
            approver: text.to_owned(),
            until: Timestamp::UNIX_EPOCH,
            policy: policy.clone(),
            rule: text.to_owned(),
            verdict: Verdict::Hold,
        };
        let finding = FindingRecord {
            policy,
            rule: text.to_owned(),
            verdict: Verdict::Deny,
            audit_only: true,
            matcher: "keyword".to_owned(),
            place: text.to_owned(),
        };
        QueryJudged {
            caller: Caller {
                user: Some(text.to_owned()),
                groups: vec![text.to_owned()],
                authenticated_by: text.to_owned(),
                address: text.to_owned(),
            },
            method: text.to_owned(),
            path: text.to_owned(),
            model: Some(text.to_owned()),
            verdict: Some(Verdict::Redact),
            code: Some(text.to_owned()),
            findings: vec![finding.clone(), finding],
            coverage: vec![GapRecord { kind: GapKind::Image, place: text.to_owned() }],
            exceptions: vec![exception],
            body_digest: Some(Digest::of(b"body")),
            forwarded_digest: Some(Digest::of(b"forwarded")),
            hold: Some(hold),
            carried_from: vec![hold, hold],
            grant: Some(GrantUsed {
                grant: GrantId::of(Timestamp::UNIX_EPOCH, [2; 10]),
                hold,
                by: vec![text.to_owned()],
            }),
            retention: Retention::Full,
            content: Some(text.to_owned()),
            ..bare()
        }
    }

    #[test]
    fn entries_are_spelled_as_the_derived_form_spells_them() {
        check(&Event::QueryJudged(Box::new(bare())));
        let controls: String = (0..=0x20).filter_map(char::from_u32).collect();
        for text in ["", "plain", "\"", "a\\b", &controls, "\u{7f}\u{80}\u{2028}é🦀", "line\nline"] {
            check(&Event::QueryJudged(Box::new(full(text))));
            let named = Caller { user: Some(text.to_owned()), ..bare().caller };
            check(&Event::QueryJudged(Box::new(QueryJudged { caller: named, ..bare() })));
            let model = Some(text.to_owned());
            check(&Event::QueryJudged(Box::new(QueryJudged { model, ..bare() })));
            check(&Event::LogStarted { log: text.to_owned() });
        }
        for (end, answer_digest) in [(AnswerEnd::Complete, Some(Digest::of(b"x"))), (AnswerEnd::ClientGone, None)] {
            check(&Event::QueryCompleted(QueryCompleted {
                query: bare().query,
                end,
                status: 200,
                answer_digest,
                answer_bytes: 1,
                first_byte_micros: 0,
                duration_micros: u64::MAX,
            }));
        }
    }
}
