//! Finds a key that stands twice in an object, escapes resolved.

use std::borrow::Cow;

use super::{At, Tape, unescape};

/// Up to so many keys are compared pair by pair; sorting pays beyond.
const PAIRWISE_KEYS_MAX: usize = 12;

/// The second of two equal keys of the object, if there are any.
pub(super) fn duplicate(tape: &Tape<'_>, object: At) -> Option<At> {
    let mut small = [("", 0); PAIRWISE_KEYS_MAX];
    let mut count = 0;
    for at in tape.children(object) {
        let node = tape.node(at);
        let slot = small.get_mut(count).filter(|_| !node.escaped);
        let Some(slot) = slot else { return duplicate_of_many(tape, object) };
        *slot = (tape.raw(node), at);
        count += 1;
    }
    let keys = small.get(..count).unwrap_or_default();
    keys.iter().enumerate().find_map(|(i, (key, at))| {
        let earlier = keys.get(..i).unwrap_or_default();
        earlier.iter().any(|(other, _)| other == key).then_some(*at)
    })
}

/// Sorts, so that no choice of keys makes it slow.
fn duplicate_of_many(tape: &Tape<'_>, object: At) -> Option<At> {
    let mut keys: Vec<(Cow<'_, str>, At)> = tape.children(object).map(|at| (text(tape, at), at)).collect();
    keys.sort_unstable();
    keys.windows(2)
        .filter_map(|pair| match pair {
            [(a, _), (b, at)] if a == b => Some(*at),
            _ => None,
        })
        .min()
}

fn text<'a>(tape: &Tape<'a>, at: At) -> Cow<'a, str> {
    let node = tape.node(at);
    if !node.escaped {
        return Cow::Borrowed(tape.raw(node));
    }
    let mut out = String::new();
    unescape(tape.raw(node), &mut out);
    Cow::Owned(out)
}
