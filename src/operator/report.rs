//! What a gate says of itself to the replica that it is connected to.

use crate::api::gate::{GatedPod, Given, Rejection};

/// Longest reason that is kept.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// What a gate has in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Holds {
    /// It said nothing of that.
    #[default]
    Unsaid,
    /// Nothing.
    Nothing,
    /// This, and its bytes are those of what was given out here.
    This(Given),
    /// This, by its own word: what was given out here may be something else of that order.
    Claims(Given),
}

/// What is new of the gate of one Pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// What it has in force.
    holds: Holds,
    /// What it refused.
    rejected: Option<Rejection>,
}

impl Report {
    /// It has this in force.
    pub(super) fn holds(given: Option<Given>) -> Self {
        Self { holds: given.map_or(Holds::Nothing, Holds::This), rejected: None }
    }

    /// It says that it has this in force, of which nobody here knows the bytes.
    pub(super) fn claims(given: Option<Given>) -> Self {
        Self { holds: given.map_or(Holds::Nothing, Holds::Claims), rejected: None }
    }

    /// Whether what it has is known to be what was given out here.
    pub(super) const fn is_known(&self) -> bool {
        matches!(self.holds, Holds::This(_))
    }

    /// It refused this.
    pub(super) fn refuses(given: Given, message: &str) -> Self {
        let message = message.chars().take(MESSAGE_CHARS_MAX).collect();
        Self {
            holds: Holds::Unsaid,
            rejected: Some(Rejection { epoch: given.epoch, sequence: given.sequence, message }),
        }
    }

    /// Takes what came later.
    pub(super) fn then(&mut self, later: Self) {
        if let Holds::This(given) | Holds::Claims(given) = later.holds {
            self.rejected.take_if(|rejected| refused(rejected) <= given);
        }
        if later.holds != Holds::Unsaid {
            self.holds = later.holds;
        }
        self.rejected = later.rejected.or_else(|| self.rejected.take());
    }

    /// Writes into a line of a status what it says. What was refused and then taken, or left behind by something newer, is no
    /// news any more; what is refused by a gate that has something else under the same order, or something newer, is.
    pub(super) fn write(&self, line: &mut GatedPod) {
        match self.holds {
            Holds::Unsaid => {}
            Holds::Nothing => line.acknowledged = None,
            Holds::This(given) | Holds::Claims(given) => {
                line.acknowledged = Some(given);
                line.rejected.take_if(|rejected| refused(rejected) <= given);
            }
        }
        if let Some(rejected) = &self.rejected {
            line.rejected = Some(rejected.clone());
        }
    }
}

const fn refused(rejected: &Rejection) -> Given {
    Given { epoch: rejected.epoch, sequence: rejected.sequence }
}
