//! Who signs, as it is stored: the key, and what leads to it.
//!
//! Guarantees: what is read back leads to the key that is read back with it.

use super::bytes::{Reader, Writer};
use super::envelope::{Signer, read_successions, write_successions};
use super::key::{KeyFailure, SigningKey};

/// A signer, for a place where only the operator reads.
pub struct Kept {
    /// The key, PKCS #8.
    pub key: Vec<u8>,
    /// The successions that lead to it.
    pub successions: Vec<u8>,
}

impl Signer {
    /// To be stored.
    pub fn keep(&self) -> Result<Kept, KeyFailure> {
        let mut successions = Writer::default();
        write_successions(&mut successions, &self.successions);
        Ok(Kept { key: self.key.to_pkcs8()?, successions: successions.0 })
    }

    /// One that was stored.
    pub fn restore(kept: &Kept) -> Result<Self, KeyFailure> {
        let key = SigningKey::from_pkcs8(&kept.key)?;
        let mut from = Reader(&kept.successions);
        let successions = read_successions(&mut from).map_err(|_| KeyFailure::Unled)?;
        from.end().map_err(|_| KeyFailure::Unled)?;
        let steps = successions.iter().zip(successions.iter().skip(1));
        let unbroken = steps.into_iter().all(|(one, next)| next.holds(one.to));
        let arrives = successions.last().is_none_or(|last| last.to == key.public());
        if unbroken && arrives { Ok(Self::of(key, successions)) } else { Err(KeyFailure::Unled) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handed_over() -> Signer {
        let first = Signer::new(SigningKey::of_seed(1));
        first.hand_over(SigningKey::of_seed(2)).unwrap().hand_over(SigningKey::of_seed(3)).unwrap()
    }

    #[test]
    fn a_signer_comes_back_as_it_was_stored() {
        for signer in [Signer::new(SigningKey::of_seed(1)), handed_over()] {
            let kept = signer.keep().unwrap();
            let restored = Signer::restore(&kept).unwrap();
            assert_eq!((restored.anchor(), &restored.successions), (signer.anchor(), &signer.successions));
        }
    }

    #[test]
    fn a_key_to_which_the_stored_successions_do_not_lead_is_not_used() {
        let other = Signer::new(SigningKey::of_seed(4)).keep().unwrap();
        let kept = handed_over().keep().unwrap();
        let mixed = [
            Kept { key: other.key, successions: kept.successions.clone() },
            Kept { key: kept.key.clone(), successions: kept.successions[..10].to_vec() },
            Kept { key: kept.key.clone(), successions: [kept.successions.as_slice(), b"\0"].concat() },
        ];
        for kept in mixed {
            assert_eq!(Signer::restore(&kept).err(), Some(KeyFailure::Unled));
        }
        let broken = Signer::of(SigningKey::of_seed(3), handed_over().successions.into_iter().rev().collect());
        assert_eq!(Signer::restore(&broken.keep().unwrap()).err(), Some(KeyFailure::Unled));
    }
}
