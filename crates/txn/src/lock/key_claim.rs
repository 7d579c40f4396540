//! Many unique keys locked at once: what a statement that adds thousands of rows holds instead of a lock for each of their keys.
//!
//! ```text
//! COPY of 1M rows       claim: 1M hashes of keys, sorted      8 bytes a key, one search to find one
//! INSERT of one of them asks for its key's lock: not in the table, but claimed.
//!                       It becomes a lock of the claim's owner, in whose queue the insert waits.
//! ```
//!
//! A claim is all or nothing: when anybody, its owner included, has locked one of the keys, the statement asks for each by itself.

use std::sync::Arc;

use storage::IndexId;

use super::{
    LockMode, LockTable, Owner,
    queue::Lock,
    table::Shard,
    tag::{KeyHash, Tag},
};
use crate::sync::{Mutex, atomic::Ordering};

/// The keys that one owner has claimed in one index, in mode UPDATE.
#[derive(Debug)]
pub(crate) struct KeyClaim {
    pub(super) index: IndexId,
    pub(super) owner: Owner,
    /// Ascending, each once.
    hashes: Vec<KeyHash>,
    /// Those that others have asked for: they are locks in the table now.
    contested: Mutex<Vec<Tag>>,
}

/// The mode in which claimed keys are held.
pub(super) const CLAIMED: LockMode = LockMode::Update;

/// More claims at a time would slow down everybody who asks for a key.
const MAX_CLAIMS: usize = 64;

impl KeyClaim {
    /// Hashes are spread evenly, so that a key's place is nearly known before the search.
    fn contains(&self, hash: KeyHash) -> bool {
        let hashes = &self.hashes;
        let place = hash.part_of(hashes.len());
        let mut reach = 8;
        loop {
            let (from, to) = (place.saturating_sub(reach), (place + reach).min(hashes.len()));
            let starts_before = from == 0 || hashes[from] <= hash;
            let ends_after = to == hashes.len() || hash < hashes[to];
            if starts_before && ends_after {
                return hashes[from..to].binary_search(&hash).is_ok();
            }
            reach *= 4;
        }
    }

    fn shares_a_key(&self, other: &KeyClaim) -> bool {
        let (few, many) = if self.hashes.len() < other.hashes.len() { (self, other) } else { (other, self) };
        few.hashes.iter().any(|&hash| many.contains(hash))
    }

    /// Whether the tag is a key of this claim.
    fn covers(&self, tag: Tag) -> bool {
        tag.as_key().is_some_and(|(index, hash)| index == self.index && self.contains(hash))
    }
}

impl LockTable {
    /// Claims these keys, ascending and each once; None when somebody has one of them already, or there are many claims.
    pub(super) fn claim(&self, index: IndexId, owner: Owner, hashes: Vec<KeyHash>) -> Option<Arc<KeyClaim>> {
        let claim = Arc::new(KeyClaim { index, owner, hashes, contested: Mutex::default() });
        // To be seen first and to look then: of two who claim one key at once at least one gives way, and whoever asks for a single key
        // either finds the claim or is found.
        let others: Vec<Arc<KeyClaim>> = {
            let mut claims = self.claims.write();
            if claims.len() >= MAX_CLAIMS {
                return None;
            }
            let others = claims.iter().filter(|other| other.index == index).cloned().collect();
            claims.push(Arc::clone(&claim));
            self.claim_count.store(claims.len(), Ordering::SeqCst);
            others
        };
        let is_locked = |shard: &Shard| shard.0.lock().iter().any(|lock| claim.covers(lock.tag));
        if others.iter().any(|other| other.shares_a_key(&claim)) || self.shards.iter().any(is_locked) {
            self.release_claim(&claim);
            return None;
        }
        Some(claim)
    }

    /// Ends a claim; those who wait for its keys go on.
    pub(super) fn release_claim(&self, claim: &Arc<KeyClaim>) {
        {
            let mut claims = self.claims.write();
            claims.retain(|other| !Arc::ptr_eq(other, claim));
            self.claim_count.store(claims.len(), Ordering::SeqCst);
        }
        for tag in std::mem::take(&mut *claim.contested.lock()) {
            self.release(tag, claim.owner, CLAIMED);
        }
    }

    /// The lock on a key that is claimed, to be put into the table by whoever asks for it, the mutex of its shard being held.
    pub(super) fn claimed_lock(&self, tag: Tag) -> Option<Lock> {
        if self.claim_count.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let claims = self.claims.read();
        let claim = claims.iter().find(|claim| claim.covers(tag))?;
        claim.contested.lock().push(tag);
        Some(Lock::new(tag, claim.owner, CLAIMED))
    }
}
