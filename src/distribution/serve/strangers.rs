//! Connections whose claim is not believed yet: so many in all, and so many from one address.
//!
//! Guarantees: one address alone never keeps out all others. Knows nothing of what is said on a connection.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All of them.
#[derive(Debug)]
pub(super) struct Strangers {
    places: Arc<Semaphore>,
    per_address_max: usize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Stranger {
    strangers: Arc<Strangers>,
    address: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Strangers {
    pub(super) fn new(max: usize, per_address_max: usize) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(max));
        Arc::new(Self { places, per_address_max, by_address: Mutex::default() })
    }

    /// Waits for a place. May be dropped at any time.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed; were it, nobody would be let in.
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Takes the place for this address; nothing when it has enough of them.
    pub(super) fn sit(self: &Arc<Self>, address: IpAddr, place: OwnedSemaphorePermit) -> Option<Stranger> {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(address).or_default();
        if *count >= self.per_address_max {
            return None;
        }
        *count += 1;
        drop(by_address);
        Some(Stranger { strangers: Arc::clone(self), address, _place: place })
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut by_address = self.strangers.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_takes_its_share_and_gives_it_back() {
        let strangers = Strangers::new(3, 2);
        let [one, two] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);
        let sit = async |address| strangers.sit(address, strangers.place().await.unwrap());
        let (first, second) = (sit(one).await, sit(one).await);
        assert!(first.is_some() && second.is_some());
        assert!(sit(one).await.is_none(), "it has its share");
        let other = sit(two).await;
        assert!(other.is_some(), "what was refused took no place");
        assert_eq!(strangers.places.available_permits(), 0);
        drop((first, second, other));
        assert!(strangers.by_address.lock().unwrap().is_empty());
        assert_eq!(strangers.places.available_permits(), 3);
    }
}
