//! Memory accounting: a tree of counters, session -> user -> server, charged before memory is allocated.
//!
//! A session counts what its statements, its transaction, its prepared statements and unsent rows hold; a user, that of all its sessions
//! and the tables it owns; the server, everybody's. To keep the shared counters off the path of small statements a session asks its user
//! for [`SLAB`]s and keeps one in hand. The rule: what is charged is given back by the drop of whoever charged it
//! ([`executor::Reservation`]), so that errors and cancellations need no code of their own.
//!
//! Counting by name cannot see everything: plans in caches, old versions that snapshots keep alive, what a function holds for a while. So
//! whoever asks is refused too when the process as a whole would pass the limit ([`process`]), whatever has been charged.

mod process;
mod tables;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use executor::MemoryBudget;
pub use executor::Reservation;
use parking_lot::RwLock;
use process::ProcessMemory;
pub use process::{machine_bytes, resident_bytes};
use types::{Error, Oid, Result, SqlState};

pub(crate) use process::Cache;
pub(crate) use tables::{TableMemory, WrittenTables};

/// A session's share of its user's memory comes in steps of this.
const SLAB: usize = 8 * 1024;
/// A session gives back what it has in hand beyond this.
const IN_HAND: usize = 4 * SLAB;
/// What a session holds from its beginning: its structures, settings and the connection's buffers.
pub(crate) const SESSION_BYTES: usize = 24 * 1024;
/// A session that holds less is let go on to its end with small grants while others fill the server.
const SMALL_SESSION: usize = 256 * 1024;
/// Out of this part of the server's memory, beyond what everybody may take.
const SMALL_PART: usize = 32;
/// More than is ever there, and little enough to be added up.
const MOST: usize = 1 << 60;

/// A counter and its limit; 0 is none.
#[derive(Debug, Default)]
struct Pool {
    used: AtomicUsize,
    limit: AtomicUsize,
}

impl Pool {
    /// Adds to the counter unless that passes the limit.
    fn take_within(&self, bytes: usize, limit: usize) -> bool {
        let fits = |used: usize| limit == 0 || used.saturating_add(bytes) <= limit;
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| fits(used).then(|| used.saturating_add(bytes)))
            .is_ok()
    }

    /// Adds what is there already.
    fn add(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    fn give_back(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "{bytes} of {before} bytes given back");
    }
}

/// The memory of the whole server.
#[derive(Debug, Default)]
pub struct ServerMemory {
    pool: Pool,
    /// As configured.
    limit: AtomicUsize,
    per_user: AtomicUsize,
    users: RwLock<HashMap<Oid, Arc<UserMemory>>>,
    process: ProcessMemory,
}

/// The memory of one user: its sessions' and its tables'.
#[derive(Debug)]
pub struct UserMemory {
    name: RwLock<Arc<str>>,
    pool: Pool,
    server: Arc<ServerMemory>,
}

/// The memory of one session.
#[derive(Debug)]
pub struct SessionMemory {
    user: Arc<UserMemory>,
    used: AtomicUsize,
    /// Got from the user; at least what is used.
    granted: AtomicUsize,
}

fn out_of_memory() -> Error {
    Error::new(SqlState::OUT_OF_MEMORY, "cannot allocate memory for transaction")
}

impl ServerMemory {
    /// Sets the limits of every user and of the server, in bytes; 0 is none. What the process holds before its first session counts.
    pub(crate) fn set_limits(&self, per_user: usize, server: usize) {
        if self.pool.used.load(Ordering::Relaxed) == 0 && server > 0 {
            self.pool.add(self.process.begin());
        }
        self.limit.store(server, Ordering::Relaxed);
        self.process.set_limit(server);
        // A tenth is for what allocators keep between and behind the blocks they give out.
        self.pool.limit.store(server - server / 10, Ordering::Relaxed);
        self.per_user.store(per_user, Ordering::Relaxed);
        for user in self.users.read().values() {
            user.pool.limit.store(per_user, Ordering::Relaxed);
        }
    }

    /// The memory of a user; a name that has changed since is taken over when given.
    pub(crate) fn user(self: &Arc<ServerMemory>, role: Oid, name: Option<&Arc<str>>) -> Arc<UserMemory> {
        if let Some(user) = self.users.read().get(&role) {
            if let Some(name) = name.filter(|name| **user.name.read() != ***name) {
                *user.name.write() = name.clone();
            }
            return user.clone();
        }
        let mut users = self.users.write();
        let user = users.entry(role).or_insert_with(|| {
            let limit = AtomicUsize::new(self.per_user.load(Ordering::Relaxed));
            let name = name.cloned().unwrap_or_else(|| role.to_string().into());
            Arc::new(UserMemory {
                name: RwLock::new(name),
                pool: Pool { used: AtomicUsize::new(0), limit },
                server: self.clone(),
            })
        });
        user.clone()
    }

    pub fn used(&self) -> usize {
        self.pool.used.load(Ordering::Relaxed)
    }

    /// 0: none.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Has a cache emptied when the process runs out of memory.
    pub(crate) fn watch_cache(&self, cache: &Arc<impl Cache + 'static>) {
        self.process.watch_cache(Arc::downgrade(cache) as _);
    }

    /// Errors: 53200 when the process has no room for so much more, which nobody is charged for.
    pub(crate) fn check_process(&self, bytes: usize) -> Result<()> {
        if self.process.has_room(self.limit(), bytes, false) { Ok(()) } else { Err(out_of_memory()) }
    }

    fn take(&self, bytes: usize, asking: Asking) -> bool {
        let (limit, is_small) = (self.pool.limit.load(Ordering::Relaxed), asking == Asking::Small);
        let slack = if is_small { limit / SMALL_PART } else { 0 };
        self.process.has_room(self.limit(), bytes, is_small) && self.pool.take_within(bytes, limit + slack)
    }
}

/// Who asks for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    /// A session that holds little, for little more.
    Small,
    /// Anybody else.
    Any,
    /// A statement that only deletes.
    ToDelete,
}

impl UserMemory {
    fn take(&self, bytes: usize, asking: Asking) -> Result<()> {
        let mut limit = self.pool.limit.load(Ordering::Relaxed);
        if asking == Asking::ToDelete {
            // They are what makes room. Until they commit their rows are there several times.
            limit = limit.saturating_mul(2);
        }
        if !self.pool.take_within(bytes, limit) {
            let message = format!("memory limit exceeded for user '{}'", self.name.read());
            return Err(Error::new(SqlState::OUT_OF_MEMORY, message));
        }
        if !self.server.take(bytes, asking) {
            self.pool.give_back(bytes);
            return Err(out_of_memory());
        }
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        self.pool.give_back(bytes);
        self.server.pool.give_back(bytes);
    }

    /// Adds what is there already: committed rows.
    pub(crate) fn add(&self, bytes: usize) {
        self.pool.add(bytes);
        self.server.pool.add(bytes);
    }

    /// Errors: 53200 when so much more would pass a limit.
    pub(crate) fn check(&self, bytes: usize) -> Result<()> {
        self.take(bytes.min(MOST), Asking::Any)?;
        self.give_back(bytes.min(MOST));
        Ok(())
    }
}

impl SessionMemory {
    /// Errors: 53200 when the user or the server has no room for another session.
    pub(crate) fn new(user: Arc<UserMemory>) -> Result<Arc<SessionMemory>> {
        let memory = SessionMemory { user, used: AtomicUsize::new(0), granted: AtomicUsize::new(0) };
        memory.grow(SESSION_BYTES)?;
        Ok(Arc::new(memory))
    }

    /// Bytes counted now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Errors: 53200 when so much more would pass a limit.
    pub(crate) fn check(&self, bytes: usize) -> Result<()> {
        self.grow(bytes)?;
        self.shrink(bytes);
        Ok(())
    }
}

impl SessionMemory {
    fn grow_as(&self, bytes: usize, asking: Asking) -> Result<()> {
        let bytes = bytes.min(MOST);
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let asking = if asking == Asking::Any && used < SMALL_SESSION { Asking::Small } else { asking };
        let granted = self.granted.load(Ordering::Relaxed);
        if used <= granted {
            // Granted before; but what has not been asked for may have filled the process since.
            let server = &self.user.server;
            if asking == Asking::Small || server.process.has_room(server.limit(), bytes, false) {
                return Ok(());
            }
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(out_of_memory());
        }
        let missing = used - granted;
        let slabs = missing.next_multiple_of(SLAB);
        let taken = match self.user.take(slabs, asking) {
            Ok(()) => Ok(slabs),
            Err(_) => self.user.take(missing, asking).map(|()| missing),
        };
        match taken {
            Ok(taken) => {
                self.granted.fetch_add(taken, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                self.used.fetch_sub(bytes, Ordering::Relaxed);
                Err(error)
            }
        }
    }
}

impl MemoryBudget for SessionMemory {
    fn grow(&self, bytes: usize) -> Result<()> {
        self.grow_as(bytes, Asking::Any)
    }

    fn grow_to_delete(&self, bytes: usize) -> Result<()> {
        self.grow_as(bytes, Asking::ToDelete)
            .map_err(|error| error.hint("Delete fewer rows at a time, or all of them with TRUNCATE, which needs no room."))
    }

    fn shrink(&self, bytes: usize) {
        let bytes = bytes.min(MOST);
        let used = self.used.fetch_sub(bytes, Ordering::Relaxed).saturating_sub(bytes);
        let granted = self.granted.load(Ordering::Relaxed);
        let keep = used + SLAB;
        if granted > used + IN_HAND && self.granted.compare_exchange(granted, keep, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.user.give_back(granted - keep);
        }
    }
}

impl Drop for SessionMemory {
    fn drop(&mut self) {
        self.user.give_back(self.granted.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice(per_user: usize, server: usize) -> (Arc<ServerMemory>, Arc<SessionMemory>) {
        let memory = Arc::new(ServerMemory::default());
        memory.set_limits(per_user, 0);
        memory.pool.limit.store(server, Ordering::Relaxed);
        let user = memory.user(Oid(7), Some(&"alice".into()));
        let session = SessionMemory::new(user).unwrap();
        (memory, session)
    }

    #[test]
    fn a_limit_is_refused_before_it_is_passed_and_names_the_user() {
        let (memory, session) = alice(1 << 20, 0);
        let mut held = Reservation::new(Some(session.clone()));
        held.grow(900_000).unwrap();
        let error = held.grow(200_000).unwrap_err();
        assert_eq!((error.sqlstate(), error.message()), (SqlState::OUT_OF_MEMORY, "memory limit exceeded for user 'alice'"));
        assert_eq!(held.bytes(), 900_000);
        // A session of somebody else is not concerned.
        let bob = SessionMemory::new(memory.user(Oid(8), Some(&"bob".into()))).unwrap();
        bob.check(900_000).unwrap();
        drop(held);
        session.check(900_000).unwrap();
    }

    #[test]
    fn everything_is_given_back() {
        let (memory, session) = alice(0, 1 << 20);
        assert_eq!(session.grow(2 << 20).unwrap_err().message(), "cannot allocate memory for transaction");
        assert!(session.grow(usize::MAX).is_err());
        assert_eq!(session.used(), SESSION_BYTES);
        let mut held = Reservation::new(Some(session.clone()));
        for _ in 0..100 {
            held.grow(5_000).unwrap();
        }
        assert!(memory.used() >= 500_000);
        drop(held);
        assert!(memory.used() <= SESSION_BYTES + IN_HAND, "{}", memory.used());
        drop(session);
        assert_eq!(memory.used(), 0);
    }
}
