//! Faults that a test can put into a store, to show that its checks would notice them. Only a build with the feature `planted-faults`, or
//! this crate's own unit tests, can have any; no product crate enables it, and elsewhere asking costs nothing.

#[cfg(any(test, feature = "planted-faults"))]
use std::sync::atomic::{AtomicU8, Ordering};

/// What can be made to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(test, feature = "planted-faults")), expect(unreachable_pub, reason = "exported only to those who plant"))]
pub enum PlantedFault {
    /// SERIALIZABLE is not certified.
    SkippedCertification,
    /// A statement that runs again after a wait takes the row it waited for to be as it was.
    StaleRefresh,
    /// What the transaction itself changed is not put on top of a new view.
    LostReapplication,
    /// One of a transaction's locks outlives it.
    LockLeak,
}

/// The faults of one store.
#[derive(Debug, Default)]
pub(crate) struct PlantedFaults {
    #[cfg(any(test, feature = "planted-faults"))]
    planted: AtomicU8,
}

impl PlantedFaults {
    #[cfg(any(test, feature = "planted-faults"))]
    pub(crate) fn has(&self, fault: PlantedFault) -> bool {
        self.planted.load(Ordering::Relaxed) & 1 << fault as u8 != 0
    }

    #[cfg(not(any(test, feature = "planted-faults")))]
    #[expect(clippy::unused_self, reason = "the same call in either build")]
    pub(crate) const fn has(&self, _fault: PlantedFault) -> bool {
        false
    }
}

#[cfg(any(test, feature = "planted-faults"))]
impl crate::Store {
    /// Makes something go wrong in this store from now on.
    pub fn plant(&self, fault: PlantedFault) {
        self.locks.faults.planted.fetch_or(1 << fault as u8, Ordering::Relaxed);
    }
}
