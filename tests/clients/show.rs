//! What a play has come to, and what can be demanded of it.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::audit::Outcome;
use serde_json::Value;

use super::cast::{AsksAgain, Case, Scenario};
use super::model;
use super::play::{Played, play};
use super::stage::{Gate, Manner, Stage};

/// A play that is over.
pub struct Show {
    played: Vec<Played>,
    /// What `countersign audit verify` found wrong with the records.
    pub flaws: Vec<String>,
    /// What the gates warned of.
    pub warnings: Vec<String>,
}

impl Show {
    /// Plays each client once without a gate, to know what it sends, and then these cases.
    pub fn of(held: &[Case], manners: &[Manner], patience: Duration) -> Self {
        let stage = Stage::set(held, manners);
        let bare: BTreeMap<String, Case> = held.iter().map(|case| (case.bare().id(), case.bare())).collect();
        play(&stage, &bare.into_values().collect::<Vec<_>>(), patience);
        for case in held {
            match (case.scenario, stage.bare(case)) {
                (Scenario::Ahead, Some(bare)) => stage.ask_ahead(case, &bare),
                (Scenario::Edit, Some(bare)) => stage.lay_out(case, &bare),
                _ => {}
            }
        }
        stage.gates.iter().for_each(|gate| gate.decide("approve", &gate.waiting()));
        let played = play(&stage, held, patience);
        let flaws = stage.gates.iter().filter_map(|gate| {
            let verified = gate.countersign(&["audit", "verify"]);
            let said = String::from_utf8_lossy(&verified.stdout).into_owned();
            (!verified.status.success()).then(|| format!("{:?}: {said}", gate.manner))
        });
        let warnings = stage.gates.iter().flat_map(Gate::warnings);
        Self { flaws: flaws.collect(), warnings: warnings.collect(), played }
    }

    /// Looks at every case of a scenario, and tells all that is wrong at once.
    #[track_caller]
    pub fn each(&self, scenario: Scenario, check: impl Fn(&Played) -> Result<(), String>) {
        let own: Vec<&Played> = self.played.iter().filter(|played| played.case.scenario == scenario).collect();
        assert!(!own.is_empty(), "nobody plays it");
        let wrong = own.iter().filter_map(|played| {
            let flaw = check(played).err()?;
            let (heads, outcomes, holds) = (&played.heads, played.outcomes(), played.holds().len());
            let (id, done, received) = (played.case.id(), &played.done, played.received.len());
            Some(format!("{id}: {flaw}\n    {heads:?} {outcomes:?} holds {holds} received {received}\n    {done}"))
        });
        let wrong: Vec<String> = wrong.collect();
        assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), own.len(), wrong.join("\n"));
    }
}

pub fn demand(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

/// The caller has the whole answer, and the model server got once, byte for byte, what the client sends when there is no gate.
pub fn answered(played: &Played) -> Result<(), String> {
    demand(played.done["answer"].as_str() == Some(model::answer().as_str()), "the answer is not the model's")?;
    let [received] = played.received.as_slice() else { return Err("the model server was not asked once".to_owned()) };
    let bare = played.bare.as_ref().ok_or("the client does not work without the gate")?;
    let sent = played.case.sends(bare).ok_or("the text is not in the body as it was written")?;
    demand(sent.as_bytes() == received.body, "the body is not byte for byte what the client sent")
}

/// The caller has the answer, and saw nothing of a failure on the way.
pub fn answered_at_once(played: &Played) -> Result<(), String> {
    demand(played.failures().is_empty(), "the caller saw a failure")?;
    answered(played)
}

/// The caller has one failure with this code, as its client words it, and nothing reached the model server.
pub fn refused(played: &Played, code: &str, message: &str) -> Result<(), String> {
    demand(played.received.is_empty(), "it reached the model server")?;
    demand(played.done["answer"].is_null(), "there is an answer")?;
    let failure = played.failures().last().ok_or("no failure")?;
    demand(failure["message"].as_str().is_some_and(|said| said.contains(message)), "the message is lost")?;
    demand(failure["partial"] == "", "it looks like the start of an answer")?;
    // Ollama's errors are a message; its library tells no more.
    let coded = played.case.client.name == "ollama" || failure["code"] == code;
    demand(coded, "the code is lost")
}

pub fn outcomes(played: &Played, expected: &[Outcome]) -> Result<(), String> {
    demand(played.outcomes() == expected, "the record says something else")
}

/// One hold, joined or not, which was released once.
pub fn one_hold(played: &Played) -> Result<(), String> {
    demand(played.holds().len() == 1, "not one hold")?;
    let outcomes = played.outcomes();
    let released = outcomes.iter().filter(|outcome| **outcome == Outcome::Released).count();
    demand(released == 1 && outcomes.last() == Some(&Outcome::Released), "not released once, at the end")
}

pub fn attempts(played: &Played, heads: &[u64]) -> Result<(), String> {
    demand(played.heads == heads, &format!("not the attempts {heads:?}"))
}

/// Whether a failure says that people have not decided yet.
pub fn pending(failure: &Value) -> bool {
    failure["message"].as_str().is_some_and(|said| said.contains("waiting for approval"))
}

/// A client that does not stream was told to come again until it had this status; what it saw of that is as it should be.
pub fn came_again(played: &Played, last: u64) -> Result<(), String> {
    let again = played.case.client.told_again;
    let waits = played.heads.iter().take_while(|status| **status == again).count();
    demand(waits >= 1 && played.heads.get(waits..) == Some(&[last]), "not told to come again, then the end")?;
    let held = played.outcomes().iter().filter(|outcome| **outcome == Outcome::Held).count();
    demand(held == played.heads.len(), "an attempt is not in the record")?;
    let waited: Vec<&Value> = played.failures().iter().filter(|failure| pending(failure)).collect();
    match played.case.client.asks_again {
        AsksAgain::Library => demand(waited.is_empty(), "the caller was told to come again"),
        AsksAgain::Caller => demand(waited.len() == waits, "the caller was not told to come again"),
    }
}
