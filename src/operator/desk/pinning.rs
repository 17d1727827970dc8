//! Pinning a Pod to a key: the claim is left for the work at the ledger, which writes it down, and waited for.

use std::time::Duration;

use tokio::time::timeout;

use super::Desk;
use super::state::Claimed;
use crate::distribution::PublicKey;
use crate::distribution::serve::{Denied, PodIdentity};

/// How long a Pod may take to be seen here, after the API server has vouched for it.
const SEEN_WITHIN: Duration = Duration::from_secs(3);
/// How long its key may take to be written down: all gates that are not known yet may wait for it, each of another workload.
const WRITTEN_WITHIN: Duration = Duration::from_secs(30);

impl Desk {
    pub(super) async fn pin_within(&self, pod: &PodIdentity, key: PublicKey) -> Result<(), Denied> {
        let claimed = self.state().claim(pod, key);
        self.stir.notify_one();
        let mut waits = match claimed? {
            Claimed::Pinned => return Ok(()),
            Claimed::Waits(waits) => waits,
        };
        let mut answer = timeout(SEEN_WITHIN, &mut waits).await;
        if answer.is_err() {
            if self.state().standing(&pod.uid).is_none() {
                return Err(Denied::NotEnrolled);
            }
            answer = timeout(WRITTEN_WITHIN, waits).await;
        }
        let unwritten = || Denied::Unavailable("its key could not be written down in time".to_owned());
        let answer = answer.map_err(|_| unwritten())?.map_err(|_| unwritten())?;
        match &answer {
            Ok(()) => self.metrics.pinned(),
            Err(Denied::OtherKey) => {
                self.state().second(pod, key);
                self.stir.notify_one();
            }
            Err(_) => {}
        }
        answer
    }
}
