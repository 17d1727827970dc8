//! When which certificate is replaced. Pure: what there is, and what time it is, to what there is to be.
//!
//! ```text
//! authority A, signs     | A, and B is announced | A and B, B signs      | B
//!                        ^ a third of A is left  ^ B is trusted          ^ nobody serves what A signed
//! ```
//!
//! Guarantees that nothing is served that whoever trusts what is announced now, or was a moment ago, does not trust; and that
//! nothing waits until it has expired.

use std::time::Duration;

use jiff::Timestamp;

use super::material::{Certificate, Flaw, Life, Material, made};

/// How long certificates hold. A third of that is left when they are replaced: time enough to notice that it fails.
pub(super) const LIFE: Life =
    Life { authority: Duration::from_hours(2 * 365 * 24), leaf: Duration::from_hours(90 * 24) };
/// So long an authority is announced before it signs: API servers and replicas hear of it within seconds, or after they have
/// been away for a moment.
const ANNOUNCED_FOR: Duration = Duration::from_mins(15);
/// So long an authority is still trusted that signs no more.
const OVERLAP: Duration = Duration::from_hours(24);

/// Whether whoever is to trust the authorities was told of them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    /// All of them.
    Yes,
    /// Not yet, or not that we know.
    No,
}

/// What there is to be instead of this; `None` where it is as it should be. `names` are those that `material` was made for.
pub(super) fn next(
    material: Option<&Material>,
    made_for: &[String],
    names: &[String],
    announced: Announced,
    now: Timestamp,
) -> Result<Option<Material>, Flaw> {
    let Some((material, newest)) = material.and_then(|material| Some((material, material.authorities.last()?))) else {
        return Material::fresh(&LIFE, names, now).map(Some);
    };
    if newest.about.until <= now {
        return Material::fresh(&LIFE, names, now).map(Some);
    }
    let leaf = &material.leaf;
    if leaf.about.until <= now {
        return material.with_leaf(&LIFE, names, now).map(Some);
    }
    if leaf.about.issuer != newest.about.subject {
        let trusted = announced == Announced::Yes && passed(newest, ANNOUNCED_FOR, now);
        return if trusted { material.with_leaf(&LIFE, names, now).map(Some) } else { Ok(None) };
    }
    if is_due(leaf, now) || made_for != names {
        return material.with_leaf(&LIFE, names, now).map(Some);
    }
    if is_due(newest, now) {
        return material.with_authority(&LIFE, now).map(Some);
    }
    if material.authorities.len() > 1 && passed(leaf, OVERLAP, now) {
        return Ok(Some(material.with_newest()));
    }
    Ok(None)
}

/// Whether so long has passed since a certificate was made.
fn passed(certificate: &Certificate, long: Duration, now: Timestamp) -> bool {
    made(certificate).checked_add(long).is_ok_and(|then| then <= now)
}

/// Whether a third of its life, or less, is left.
fn is_due(certificate: &Certificate, now: Timestamp) -> bool {
    let life = certificate.about.until.duration_since(certificate.about.from);
    certificate.about.until.duration_since(now) <= life / 3
}
