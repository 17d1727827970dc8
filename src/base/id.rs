//! Ids that sort by time: a kind letter, ten characters of milliseconds, sixteen of randomness
//! (the ULID layout, Crockford base 32, lower case).

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 26;

fn encode(now: Timestamp, random: [u8; 10]) -> [u8; LENGTH] {
    let millis = u128::try_from(now.as_millisecond()).unwrap_or(0) & 0xffff_ffff_ffff;
    let mut value = millis << 80;
    for (i, byte) in random.iter().enumerate() {
        value |= u128::from(*byte) << (72 - 8 * i);
    }
    let mut out = [0; LENGTH];
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[(value & 31) as usize];
        value >>= 5;
    }
    out
}

/// How much randomness is asked for at once: asking costs more than all else about an id.
const RANDOM_BYTES: usize = 640;

thread_local! {
    /// Randomness that was not used yet, and how much of it there is.
    static RANDOM: RefCell<([u8; RANDOM_BYTES], usize)> = const { RefCell::new(([0; RANDOM_BYTES], 0)) };
}

/// Ten random bytes, handed out once.
fn random() -> [u8; 10] {
    RANDOM.with_borrow_mut(|(bytes, left)| {
        if *left < 10 {
            getrandom::fill(bytes).expect("the operating system gives randomness");
            *left = RANDOM_BYTES;
        }
        *left -= 10;
        let mut taken = [0; 10];
        // Cleared behind us: what was an id once is not left lying about.
        taken.swap_with_slice(&mut bytes[*left..*left + 10]);
        taken
    })
}

/// A text that is not an id of the kind.
#[derive(Debug, thiserror::Error)]
#[error("expected `{prefix}-` and 26 characters of 0-9 and a-z without i, l, o and u")]
pub struct IdParse {
    prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; LENGTH]);

        impl $name {
            /// A fresh id of this moment.
            ///
            /// # Panics
            /// When the operating system has no randomness to give; nothing can be approved safely then.
            #[must_use]
            pub fn fresh(now: Timestamp) -> Self {
                Self(encode(now, random()))
            }

            /// Appends what is shown of it.
            pub fn append_to(&self, text: &mut Vec<u8>) {
                text.extend_from_slice(concat!($prefix, "-").as_bytes());
                text.extend_from_slice(&self.0);
            }

            /// The id made of this moment and these random bytes; for tests and replays.
            #[must_use]
            pub fn of(now: Timestamp, random: [u8; 10]) -> Self {
                Self(encode(now, random))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "-"))?;
                f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdParse;

            fn from_str(text: &str) -> Result<Self, IdParse> {
                let wrong = IdParse { prefix: $prefix };
                let Some(tail) = text.strip_prefix(concat!($prefix, "-")) else { return Err(wrong) };
                let Ok(bytes) = <[u8; LENGTH]>::try_from(tail.as_bytes()) else { return Err(wrong) };
                if bytes.iter().all(|b| ALPHABET.contains(b)) { Ok(Self(bytes)) } else { Err(wrong) }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// Names one query in answers, records and errors.
    QueryId, "q"
);
id!(
    /// Names one held query until its end.
    HoldId, "h"
);
id!(
    /// Names one decision that stands for later queries.
    GrantId, "g"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_ids_share_their_randomness() {
        let ids: std::collections::BTreeSet<_> = (0..10_000).map(|_| QueryId::fresh(Timestamp::UNIX_EPOCH)).collect();
        assert_eq!(ids.len(), 10_000);
    }

    #[test]
    fn ids_parse_back_and_sort_by_time() {
        let early = QueryId::of(Timestamp::from_millisecond(1_000).unwrap(), [255; 10]);
        let late = QueryId::of(Timestamp::from_millisecond(1_001).unwrap(), [0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().parse::<QueryId>().unwrap(), early);
        assert!("h-0".parse::<HoldId>().is_err());
        assert!(early.to_string().parse::<HoldId>().is_err());
    }
}
