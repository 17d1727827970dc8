//! Real clients, unmodified and pinned, against the live gate: directly and through nginx as Debian packages it.
//!
//! Every client plays every scenario in each of its ways of being called (`clients/cast.rs`), all side by side; each test
//! here then says what its scenario must have come to: what the caller saw, what the record says, what reached the model.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by stopping")]
#![expect(unreachable_pub, reason = "the support files are shared between test binaries")]

#[path = "clients/cast.rs"]
mod cast;
#[path = "clients/model.rs"]
mod model;
#[path = "clients/people.rs"]
mod people;
#[path = "clients/play.rs"]
mod play;
#[path = "clients/stage.rs"]
mod stage;
#[expect(dead_code, reason = "other test binaries use more of it")]
#[path = "support/upstream.rs"]
mod upstream;

use std::sync::LazyLock;
use std::time::Duration;

use cast::{Answer, AsksAgain, Case, Scenario, Way, cases};
use countersign::audit::Outcome;
use play::{Pace, Played, play};
use serde_json::Value;
use stage::{Gate, Manner, Stage};

const SCENARIOS: [Scenario; 10] = [
    Scenario::Pass,
    Scenario::Refuse,
    Scenario::Redact,
    Scenario::Approve,
    Scenario::Deny,
    Scenario::Outlast,
    Scenario::Join,
    Scenario::Expire,
    Scenario::Restart,
    Scenario::Kill,
];

/// A stream is given an empty delta after 45 s, where its format has them.
const PACE: Pace = Pace { outlast: Duration::from_secs(50), patience: Duration::from_mins(5) };

/// What a play has come to.
struct Show {
    played: Vec<Played>,
    /// What `countersign audit verify` found wrong with the records.
    flaws: Vec<String>,
    /// What the gates warned of.
    warnings: Vec<String>,
}

/// The play is played once; its tests look at it from different sides.
static SHOW: LazyLock<Show> = LazyLock::new(|| {
    let mut all = cases(&[Way::Bare], &[Scenario::Pass]);
    all.extend(cases(&[Way::Direct, Way::Nginx], &SCENARIOS));
    all.extend(cases(&[Way::Nginx11], &[Scenario::Kill]));
    let stage = Stage::set(&all, &Manner::ALL);
    let played = play(&stage, &all, PACE);
    let flaws = stage.gates.iter().filter_map(|gate| {
        let verified = gate.countersign(&["audit", "verify"]);
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        (!verified.status.success()).then(|| format!("{:?}: {said}", gate.manner))
    });
    let warnings = stage.gates.iter().flat_map(Gate::warnings);
    Show { flaws: flaws.collect(), warnings: warnings.collect(), played }
});

/// Looks at every case of a scenario, and tells all that is wrong at once.
#[track_caller]
fn each(scenario: Scenario, check: impl Fn(&Played) -> Result<(), String>) {
    let played: Vec<&Played> =
        SHOW.played.iter().filter(|played| played.case.scenario == scenario && played.case.way != Way::Bare).collect();
    assert!(played.len() > 20, "only {} cases", played.len());
    let wrong = played.iter().filter_map(|played| {
        let flaw = check(played).err()?;
        let (heads, outcomes, holds) = (&played.heads, played.outcomes(), played.holds().len());
        let (id, done, received) = (played.case.id(), &played.done, played.received.len());
        Some(format!("{id}: {flaw}\n    {heads:?} {outcomes:?} holds {holds} received {received}\n    {done}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), played.len(), wrong.join("\n"));
}

fn demand(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

/// The caller has the whole answer, and the model server got once, byte for byte, what the client sends when there is no gate.
fn answered(played: &Played) -> Result<(), String> {
    demand(played.done["answer"].as_str() == Some(model::answer().as_str()), "the answer is not the model's")?;
    let [received] = played.received.as_slice() else { return Err("the model server was not asked once".to_owned()) };
    let Case { client, call, scenario, .. } = played.case;
    let bare = SHOW.played.iter().find(|bare| {
        bare.case.way == Way::Bare && bare.case.client == client && bare.case.call == call && bare.received.len() == 1
    });
    let bare = bare.ok_or("the client does not work without the gate")?;
    let sent = String::from_utf8(bare.received[0].body.clone()).map_err(|flaw| flaw.to_string())?;
    let (from, to) = (bare.case.said(bare.case.scenario.sentence()), played.case.said(scenario.forwarded()));
    demand(sent.contains(&from), "the text is not in the body as it was written")?;
    demand(sent.replace(&from, &to).as_bytes() == received.body, "the body is not byte for byte what the client sent")
}

/// The caller has the answer, and saw nothing of a failure on the way.
fn answered_at_once(played: &Played) -> Result<(), String> {
    demand(played.failures().is_empty(), "the caller saw a failure")?;
    answered(played)
}

/// The caller has one failure with this code, as its client words it, and nothing reached the model server.
fn refused(played: &Played, code: &str, message: &str) -> Result<(), String> {
    demand(played.received.is_empty(), "it reached the model server")?;
    demand(played.done["answer"].is_null(), "there is an answer")?;
    let failure = played.failures().last().ok_or("no failure")?;
    demand(failure["message"].as_str().is_some_and(|said| said.contains(message)), "the message is lost")?;
    demand(failure["partial"] == "", "it looks like the start of an answer")?;
    // Ollama's errors are a message; its library tells no more.
    let coded = played.case.client.name == "ollama" || failure["code"] == code;
    demand(coded, "the code is lost")
}

fn outcomes(played: &Played, expected: &[Outcome]) -> Result<(), String> {
    demand(played.outcomes() == expected, "the record says something else")
}

/// One hold, joined or not, which was released once.
fn one_hold(played: &Played) -> Result<(), String> {
    demand(played.holds().len() == 1, "not one hold")?;
    let outcomes = played.outcomes();
    let released = outcomes.iter().filter(|outcome| **outcome == Outcome::Released).count();
    demand(released == 1 && outcomes.last() == Some(&Outcome::Released), "not released once, at the end")
}

fn attempts(played: &Played, heads: &[u64]) -> Result<(), String> {
    demand(played.heads == heads, &format!("not the attempts {heads:?}"))
}

#[test]
fn clean_query_passes_byte_for_byte() {
    each(Scenario::Pass, |played| {
        answered_at_once(played)?;
        attempts(played, &[200])?;
        outcomes(played, &[Outcome::Allowed])
    });
}

#[test]
fn refusal_is_a_client_s_own_exception_after_one_attempt() {
    each(Scenario::Refuse, |played| {
        refused(played, "policy_denied", "Not that word.")?;
        attempts(played, &[403])?;
        outcomes(played, &[Outcome::Denied])?;
        let kind = match played.case.client.name {
            "openai-python" | "openai-node" | "anthropic" => "PermissionDeniedError",
            "langchain-openai" => "OpenAIPermissionDeniedError",
            "ollama" => "ResponseError",
            _ => "Refused",
        };
        demand(played.failures()[0]["type"] == kind, "another exception")
    });
}

#[test]
fn redacted_query_passes_with_nothing_else_changed() {
    each(Scenario::Redact, |played| {
        answered_at_once(played)?;
        attempts(played, &[200])?;
        outcomes(played, &[Outcome::Redacted])
    });
}

#[test]
fn approved_query_is_answered_in_its_first_attempt() {
    each(Scenario::Approve, |played| {
        answered_at_once(played)?;
        one_hold(played)?;
        attempts(played, &[200])?;
        outcomes(played, &[Outcome::Held, Outcome::Released])
    });
}

#[test]
fn denied_query_is_told_with_its_approval_and_never_retried() {
    each(Scenario::Deny, |played| {
        refused(played, "approval_denied", "was denied")?;
        // A stream has got its head when people decide.
        attempts(played, if played.case.streams() { &[200] } else { &[403] })?;
        outcomes(played, &[Outcome::Held, Outcome::Denied])?;
        let hold = played.holds().first().map(ToString::to_string).unwrap_or_default();
        demand(
            played.failures()[0]["message"].as_str().unwrap_or_default().contains(&hold),
            "the approval is not named",
        )
    });
}

#[test]
fn stream_is_kept_alive_for_most_of_a_minute_without_a_trace_in_the_answer() {
    each(Scenario::Outlast, |played| {
        answered_at_once(played)?;
        one_hold(played)?;
        attempts(played, &[200])?;
        demand(played.kept_alive || played.case.call.answer == Answer::StreamedQuietly, "no empty delta came")?;
        if played.case.call.name == "chat-helper" {
            demand(played.done["role"] == "assistant", "the role has piled up")?;
        }
        Ok(())
    });
}

#[test]
fn hold_that_is_longer_than_a_slice_is_joined_by_the_retry() {
    each(Scenario::Join, |played| {
        answered(played)?;
        one_hold(played)?;
        if played.case.streams() {
            demand(played.failures().is_empty(), "the caller saw a failure")?;
            return attempts(played, &[200]);
        }
        let again = played.case.client.told_again;
        let waits = played.heads.iter().filter(|status| **status == again).count();
        demand(waits >= 1 && played.heads.len() == waits + 1, "not told to come again, then answered")?;
        let held = played.outcomes().iter().filter(|outcome| **outcome == Outcome::Held).count();
        demand(held == played.heads.len(), "an attempt is not in the record")?;
        match played.case.client.asks_again {
            AsksAgain::Library => demand(played.failures().is_empty(), "the caller saw a failure"),
            AsksAgain::Caller => demand(
                played.failures().len() == waits && played.failures().iter().all(pending),
                "the caller was not told to ask again",
            ),
        }
    });
}

fn pending(failure: &Value) -> bool {
    failure["message"].as_str().is_some_and(|said| said.contains("waiting for approval"))
}

#[test]
fn hold_that_nobody_decides_expires_with_a_final_answer() {
    each(Scenario::Expire, |played| {
        refused(played, "approval_expired", "in time")?;
        demand(played.holds().len() == 1, "not one hold")?;
        demand(played.outcomes().last() == Some(&Outcome::Expired), "it did not expire")?;
        if played.case.streams() {
            return attempts(played, &[200]);
        }
        let again = played.case.client.told_again;
        let waits = played.heads.iter().take_while(|status| **status == again).count();
        demand(waits >= 1 && played.heads.get(waits..) == Some(&[403]), "not told to come again, then refused")
    });
}

#[test]
fn query_survives_a_restart_of_the_gate_in_one_hold() {
    each(Scenario::Restart, |played| {
        answered(played)?;
        one_hold(played)?;
        let seen_by_caller = played.case.streams() || played.case.client.asks_again == AsksAgain::Caller;
        if !seen_by_caller {
            demand(played.failures().is_empty(), "the caller saw a failure")?;
            return attempts(played, &[played.case.client.told_again, 200]);
        }
        demand(played.failures().first().is_some_and(pending), "the caller was not told to ask again")
    });
}

#[test]
fn query_survives_the_death_of_the_gate_in_one_hold() {
    each(Scenario::Kill, |played| {
        let unfinished = played.heads.as_slice() == [200] && played.failures().is_empty();
        if played.case.way == Way::Nginx && played.case.streams() && unfinished {
            // HTTP/1.0 cannot tell a broken stream from one that has ended, and not every library looks whether the answer
            // is whole. Nothing was released; whoever asks again joins the hold.
            demand(played.done["answer"] == "", "an answer from nowhere")?;
            return outcomes(played, &[Outcome::Held]);
        }
        answered(played)?;
        one_hold(played)
    });
}

#[test]
fn record_is_whole_and_nobody_was_warned() {
    assert_eq!((SHOW.flaws.as_slice(), SHOW.warnings.as_slice()), ([].as_slice(), [].as_slice()));
}
