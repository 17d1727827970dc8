//! Fuzz target of this room: any bytes as a stored hold, and any bytes as the life of one. Panics where it finds a fault.

use std::time::Duration;

use jiff::Timestamp;

use super::advance::CLAIMS_MAX;
use super::{
    Approver, Ask, Ballot, Chain, ClientGone, Decision, Edit, Event, Form, Hold, Lasting, Lines, Person, Phase, Quorum,
    Requester, Stage, Standing, View, advance, edited, visible,
};
use crate::base::fuzzing::Dice;
use crate::base::{Content, Digest, GrantId, HoldId, QueryId};
use crate::rules::{PolicyRef, Similar};

const PEOPLE: [&str; 6] = ["alice", "Alice", "bob", "carol", "rita", "\u{ff21}lice"];

fn at(second: usize) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + i64::try_from(second).unwrap_or_default()).unwrap_or(Timestamp::MAX)
}

fn opened(chains: usize) -> Hold {
    let user = |name: &str| Approver::User(name.to_owned());
    let stage = |name: &str, approve, deny| Stage {
        name: name.to_owned(),
        approvers: vec![user("alice"), user("bob"), Approver::Group("legal".to_owned())],
        quorum: Quorum { approve, deny },
        escalate_after: Some(Duration::from_mins(1)),
        fallback: vec![user("carol")],
    };
    let chain = |name: String| Chain {
        name: PolicyRef { namespace: None, name },
        expires_after: Duration::from_mins(10),
        separation_of_duties: true,
        allow_unseen: false,
        // A hold that ends when nobody waits is soon over; the others live long enough to be approved.
        on_client_gone: if chains == 1 { ClientGone::Detach } else { ClientGone::Cancel },
        valid_for_max: Duration::from_hours(1),
        stages: vec![stage("first", 2, 1), stage("second", 1, 2)],
    };
    Hold::open(Ask {
        id: HoldId::of(at(0), [1; 10]),
        query: QueryId::of(at(0), [2; 10]),
        join: Digest::of(b"join"),
        digest: Digest::of(b"body"),
        revision: Digest::of(b"rules"),
        requester: Requester { user: Some("rita".to_owned()), groups: vec!["legal".to_owned()] },
        namespace: "models".to_owned(),
        route: "POST /v1/chat/completions".to_owned(),
        model: Some("llama".to_owned()),
        chains: (0..chains).map(|n| chain(format!("chain-{n}"))).collect(),
        reasons: Vec::new(),
        excerpt: Content::new("a \u{202e}text\u{1b}[2J of \u{e000}the query"),
        unseen: Vec::new(),
        similar: Some(Similar { exact: Digest::of(b"exact"), words: Digest::of(b"words") }),
        opened_at: at(0),
        ahead: None,
        callback: None,
    })
}

/// Stored holds of every phase, and scripts.
#[must_use]
pub fn holds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        (0..16_u8).map(|seed| (0..24).map(|n| seed.wrapping_mul(31) ^ (n * 7)).collect()).collect();
    // Many who approve, then a client that comes again and again.
    seeds.extend((0..32_u8).map(|seed| [vec![seed % 8; 24], vec![11; 6], vec![14, 11, seed]].concat()));
    let lives: Vec<Hold> = seeds.iter().map(|script| life(script, &mut |_, _| {})).collect();
    seeds.extend(lives.iter().filter_map(|hold| serde_json::to_vec(hold).ok()));
    seeds
}

/// Runs both readings of the bytes.
pub fn hold(data: &[u8]) {
    if let Ok(hold) = serde_json::from_slice::<Hold>(data) {
        let view = View::of(&hold);
        let shown = view.fields().iter().map(|(_, value)| value.as_str()).chain([view.excerpt()]);
        shown.for_each(|text| assert_eq!(visible(text, Lines::Keep), text, "what is shown hides something"));
        again(&hold);
        // A store that somebody damaged may hold anything; nothing of it may break the gate.
        walk(hold, data, &mut |before, after| {
            assert!(before.phase() == Phase::Pending || before.phase() == after.phase());
        });
    }
    let mut events = 0;
    let end = life(data, &mut |before, after| {
        events += 1;
        step(before, after);
    });
    assert_eq!(end, life(data, &mut |_, _| {}), "the same events, another hold");
}

/// Stored and read again it is the same.
fn again(hold: &Hold) {
    let stored = serde_json::to_vec(hold).expect("a hold can be stored");
    assert_eq!(serde_json::from_slice::<Hold>(&stored).ok().as_ref(), Some(hold));
}

fn life(script: &[u8], each: &mut dyn FnMut(&Hold, &Hold)) -> Hold {
    walk(opened(1 + script.len() % 2), script, each)
}

fn walk(mut hold: Hold, script: &[u8], each: &mut dyn FnMut(&Hold, &Hold)) -> Hold {
    let mut dice = Dice(script.iter().fold(7, |seed, byte| seed.rotate_left(8) ^ u64::from(*byte)));
    let mut second = 0;
    for byte in script.iter().take(64) {
        second += dice.below(30);
        if let Ok(step) = advance(&hold, event(*byte, &mut dice, &hold), at(second)) {
            each(&hold, &step.hold);
            hold = step.hold;
        }
    }
    hold
}

fn event(byte: u8, dice: &mut Dice, hold: &Hold) -> Event {
    let by = |dice: &mut Dice| Person {
        name: PEOPLE[dice.below(PEOPLE.len())].to_owned(),
        groups: if dice.below(3) == 0 { vec!["legal".to_owned()] } else { Vec::new() },
        authenticated_by: "nobody".to_owned(),
    };
    let lasting = |uses| (byte & 16 == 0).then_some(Lasting { lasts: Duration::from_mins(5), uses });
    match byte % 16 {
        0..8 => {
            let view = (dice.below(4) > 0).then(|| View::of(hold).digest());
            let lasting = lasting(Some(3));
            Event::Decided(Ballot { by: by(dice), decision: Decision::Approve, reason: "r".to_owned(), view, lasting })
        }
        8 => {
            let lasting = lasting(None);
            Event::Decided(Ballot {
                by: by(dice),
                decision: Decision::Deny,
                reason: "r".to_owned(),
                view: None,
                lasting,
            })
        }
        9 => Event::ClientGone,
        10 => Event::Withdrawn { by: by(dice), reason: "r".to_owned() },
        11 | 12 => Event::Claimed { by: "gate".to_owned(), join: Digest::of(b"join"), digest: hold.ask().digest },
        13 => Event::Claimed { by: "gate".to_owned(), join: Digest::of(b"other"), digest: Digest::of(b"body") },
        14 => Event::Delivered,
        _ if dice.below(2) == 0 => Event::Edited(Box::new(edit(by(dice), dice, hold))),
        _ => Event::Tick,
    }
}

fn edit(by: Person, dice: &mut Dice, hold: &Hold) -> Edit {
    let chains = if dice.below(3) == 0 { opened(2).ask().chains.clone() } else { Vec::new() };
    let form = Form {
        digest: Digest::of(&[u8::try_from(dice.below(4)).unwrap_or_default()]),
        revision: Digest::of(b"rules"),
        model: None,
        chains,
        reasons: Vec::new(),
        excerpt: Content::new("edited\u{202e}"),
        unseen: Vec::new(),
        characters: 6,
    };
    let edit = Edit { by, reason: "r".to_owned(), view: None, from: hold.ask().digest, form };
    let view = edited(hold, &edit, at(0)).ok().map(|hold| View::of(&hold).digest_in_full());
    Edit { view, ..edit }
}

/// What no event may do.
fn step(before: &Hold, after: &Hold) {
    again(after);
    if let Some(standing) = Standing::of(after, GrantId::of(at(0), [3; 10])) {
        let deciding = after.tracks().flat_map(|(_, track)| track.votes());
        let mut deciding = deciding.filter(|vote| vote.ballot.decision == standing.terms().decision);
        let all = after.phase() == Phase::Denied || deciding.all(|vote| vote.ballot.lasting.is_some());
        assert!(all && after.phase() != Phase::Pending, "stands although not everybody wanted it");
    }
    assert!(before.phase() == Phase::Pending || before.phase() == after.phase(), "a final phase was left");
    assert!(after.claims().is_empty() || after.phase() == Phase::Approved, "claimed without approval");
    assert!(after.claims().len() <= CLAIMS_MAX, "claimed too often");
    assert!(after.edits().starts_with(before.edits()) && after.first_digest() == Digest::of(b"body"));
    let claimed = after.claims().len() > before.claims().len();
    assert!(!claimed || before.delivered_at().is_none(), "claimed after the answer was delivered");
    assert!(before.version() <= after.version() && (before == after || before.version() < after.version()));
    if after.phase() == Phase::Approved {
        for (chain, track) in after.tracks() {
            for (index, stage) in chain.stages.iter().enumerate() {
                let said = track
                    .votes()
                    .iter()
                    .filter(|vote| vote.stage == index && vote.ballot.decision == Decision::Approve);
                let people: std::collections::BTreeSet<_> = said.map(|vote| folded(&vote.ballot.by.name)).collect();
                assert!(people.len() >= stage.quorum.approve as usize, "approved by too few: {people:?}");
                assert!(!people.contains("rita"), "approved by the one who asked");
            }
        }
    }
}

/// One person, however the name is written here.
fn folded(name: &str) -> String {
    name.replace('\u{ff21}', "a").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fuzzing::drive;

    #[test]
    fn no_life_of_a_hold_breaks_its_promises() {
        let approved = holds().iter().filter(|script| life(script, &mut |_, _| {}).phase() == Phase::Approved).count();
        assert!(approved > 0, "no script leads to an approval");
        drive(&holds(), hold);
    }
}
