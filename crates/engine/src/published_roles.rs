//! The committed roles of a cluster, as all sessions read them.
//!
//! **Rule**: every statement asks whether the roles are still those that it knows. The version answers without a lock and without a count
//! of references, both of which would be written by every session's every statement.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use catalog::Roles;
use parking_lot::RwLock;

#[derive(Debug)]
pub(crate) struct PublishedRoles {
    /// That of the roles below, or of those that they have just replaced.
    version: AtomicU64,
    roles: RwLock<Arc<Roles>>,
}

impl PublishedRoles {
    pub(crate) fn new(roles: Roles) -> PublishedRoles {
        PublishedRoles { version: AtomicU64::new(roles.version()), roles: RwLock::new(Arc::new(roles)) }
    }

    pub(crate) fn get(&self) -> Arc<Roles> {
        self.roles.read().clone()
    }

    /// [`Roles::version`] of the committed roles.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Replaces the roles by what is made of them; others wait. After an error they stay.
    pub(crate) fn replace<T, E>(&self, make: impl FnOnce(&Roles) -> Result<(Roles, T), E>) -> Result<T, E> {
        let mut published = self.roles.write();
        let (roles, result) = make(&published)?;
        let version = roles.version();
        *published = Arc::new(roles);
        self.version.store(version, Ordering::Release);
        Ok(result)
    }
}
