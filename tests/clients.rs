//! Real clients, unmodified and pinned, against the live gate: directly and through nginx as Debian packages it.
//!
//! Every client plays every scenario in each of its ways of being called (`clients/cast.rs`), all side by side; each test
//! here then says what its scenario must have come to: what the caller saw, what the record says, what reached the model.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by stopping")]
#![expect(unreachable_pub, reason = "the support files are shared between test binaries")]

#[expect(dead_code, reason = "what takes minutes plays in a binary of its own")]
#[path = "clients/cast.rs"]
mod cast;
#[path = "clients/facts.rs"]
mod facts;
#[path = "clients/model.rs"]
mod model;
#[path = "clients/people.rs"]
mod people;
#[path = "clients/play.rs"]
mod play;
#[path = "clients/show.rs"]
mod show;
#[path = "clients/stage.rs"]
mod stage;
#[expect(dead_code, reason = "other test binaries use more of it")]
#[path = "support/upstream.rs"]
mod upstream;

use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use cast::{Answer, AsksAgain, Scenario, Way, cases, stories};
use countersign::audit::Outcome;
use show::{Show, answered, answered_at_once, attempts, came_again, demand, one_hold, outcomes, pending, refused};
use stage::Manner;

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

/// Enough for a machine that does other things besides.
const PATIENCE: Duration = Duration::from_mins(5);

/// The play is played once; its tests look at it from different sides.
static SHOW: LazyLock<Show> = LazyLock::new(|| {
    // Both wait most of the time.
    thread::spawn(|| LazyLock::force(&facts::BROKEN));
    let mut all = cases(&[Way::Direct, Way::Nginx], &SCENARIOS);
    all.extend(cases(&[Way::Nginx11], &[Scenario::Kill]));
    all.extend(cases(&[Way::Direct], &[Scenario::Ahead, Scenario::Edit]));
    all.extend(stories(&[Way::Direct, Way::Nginx]));
    Show::of(&all, &[Manner::Default, Manner::Brief, Manner::Restarted, Manner::Killed], PATIENCE)
});

#[test]
fn clean_query_passes_byte_for_byte() {
    SHOW.each(Scenario::Pass, |played| {
        answered_at_once(played)?;
        attempts(played, &[200])?;
        outcomes(played, &[Outcome::Allowed])
    });
}

#[test]
fn refusal_is_a_client_s_own_exception_after_one_attempt() {
    SHOW.each(Scenario::Refuse, |played| {
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
    SHOW.each(Scenario::Redact, |played| {
        answered_at_once(played)?;
        attempts(played, &[200])?;
        outcomes(played, &[Outcome::Redacted])
    });
}

#[test]
fn approved_query_is_answered_in_its_first_attempt() {
    SHOW.each(Scenario::Approve, |played| {
        answered_at_once(played)?;
        one_hold(played)?;
        attempts(played, &[200])?;
        outcomes(played, &[Outcome::Held, Outcome::Released])
    });
}

#[test]
fn denied_query_is_told_with_its_approval_and_never_retried() {
    SHOW.each(Scenario::Deny, |played| {
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
    SHOW.each(Scenario::Outlast, |played| {
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
    SHOW.each(Scenario::Join, |played| {
        answered(played)?;
        one_hold(played)?;
        if played.case.streams() {
            demand(played.failures().is_empty(), "the caller saw a failure")?;
            return attempts(played, &[200]);
        }
        came_again(played, 200)
    });
}

#[test]
fn hold_that_nobody_decides_expires_with_a_final_answer() {
    SHOW.each(Scenario::Expire, |played| {
        refused(played, "approval_expired", "in time")?;
        demand(played.holds().len() == 1, "not one hold")?;
        demand(played.outcomes().last() == Some(&Outcome::Expired), "it did not expire")?;
        if played.case.streams() {
            return attempts(played, &[200]);
        }
        came_again(played, 403)
    });
}

#[test]
fn query_survives_a_restart_of_the_gate_in_one_hold() {
    SHOW.each(Scenario::Restart, |played| {
        answered(played)?;
        one_hold(played)?;
        let seen_by_caller = played.case.streams() || played.case.client.asks_again == AsksAgain::Caller;
        if !seen_by_caller {
            demand(played.failures().is_empty(), "the caller saw a failure")?;
            return came_again(played, 200);
        }
        demand(played.failures().first().is_some_and(pending), "the caller was not told to ask again")
    });
}

#[test]
fn query_survives_the_death_of_the_gate_in_one_hold() {
    SHOW.each(Scenario::Kill, |played| {
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
fn approval_asked_for_ahead_of_time_is_there_when_the_query_comes() {
    SHOW.each(Scenario::Ahead, |played| {
        answered_at_once(played)?;
        one_hold(played)?;
        attempts(played, &[200])
    });
}

#[test]
fn client_gets_the_answer_to_the_query_as_people_have_changed_it() {
    SHOW.each(Scenario::Edit, |played| {
        answered_at_once(played)?;
        one_hold(played)?;
        attempts(played, &[200])
    });
}

#[test]
fn client_that_asks_for_it_waits_without_a_connection() {
    SHOW.each(Scenario::Later, |played| {
        answered_at_once(played)?;
        one_hold(played)?;
        attempts(played, &[202, 200])?;
        demand(played.done["phase"] == "Approved", "the status says something else")
    });
    SHOW.each(Scenario::LaterDenied, |played| {
        refused(played, "approval_denied", "was denied")?;
        attempts(played, &[202, 403])?;
        demand(played.done["phase"] == "Denied", "the status says something else")
    });
}

#[test]
fn conversation_of_twenty_turns_is_held_once_until_the_approved_turn_is_changed() {
    SHOW.each(Scenario::Converse, |played| {
        demand(played.done["turns"] == 20 && played.received.len() == 20, "not twenty turns were answered")?;
        demand(played.done["changed"] == "approval_denied", "the changed turn was not held again")?;
        let mut expected = vec![Outcome::Allowed, Outcome::Allowed, Outcome::Held, Outcome::Released];
        expected.extend([Outcome::Carried; 17]);
        expected.extend([Outcome::Held, Outcome::Denied]);
        outcomes(played, &expected)?;
        demand(played.holds().len() == 2, "not one hold for the turn and one for its change")
    });
}

#[test]
fn hold_ends_with_its_client_only_where_its_chain_says_so() {
    SHOW.each(Scenario::Leave, |played| demand(played.phases == ["Cancelled"], "the hold was not cancelled"));
    SHOW.each(Scenario::Stay, |played| {
        demand(played.received.is_empty(), "it reached the model server")?;
        demand(played.phases == ["Pending"], "the hold did not stay")
    });
}

#[test]
fn record_is_whole_and_nobody_was_warned() {
    assert_eq!((SHOW.flaws.as_slice(), SHOW.warnings.as_slice()), ([].as_slice(), [].as_slice()));
}

#[test]
fn clients_do_what_the_gate_counts_on() {
    assert!(facts::BROKEN.is_empty(), "{} facts:\n{}", facts::BROKEN.len(), facts::BROKEN.join("\n"));
}
