//! Memory accounting: a tree of counters, session -> user -> server, charged before memory is allocated.
//!
//! A session counts what its statements, its transaction, its prepared statements and unsent rows hold; a user, that of all its sessions
//! and the tables it owns; the server, everybody's. To keep the shared counters off the path of small statements a session asks its user
//! for [`SLAB`]s and keeps one in hand. The rule: what is charged is given back by the drop of whoever charged it
//! ([`executor::Reservation`]), so that errors and cancellations need no code of their own.
//!
//! Counting cannot see everything (old versions that snapshots keep alive, fragments of the allocator). Past its limit by a twentieth in
//! resident memory, the server therefore grants nothing large, whatever has been counted.

mod tables;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use executor::MemoryBudget;
pub use executor::Reservation;
use parking_lot::RwLock;
use types::{Error, Oid, Result, SqlState};

pub(crate) use tables::{TableMemory, WrittenTables};

/// A session's share of its user's memory comes in steps of this.
const SLAB: usize = 8 * 1024;
/// A session gives back what it has in hand beyond this.
const IN_HAND: usize = 4 * SLAB;
/// What a session holds from its beginning: its structures, settings and the connection's buffers.
pub(crate) const SESSION_BYTES: usize = 24 * 1024;
/// What the process comes to hold by running: the rest of its program, tables of built-in facts.
const LATER_RESIDENT: usize = 12 * 1024 * 1024;
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
    fn take(&self, bytes: usize) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
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
#[derive(Debug)]
pub struct ServerMemory {
    pool: Pool,
    /// As configured.
    limit: AtomicUsize,
    per_user: AtomicUsize,
    users: RwLock<HashMap<Oid, Arc<UserMemory>>>,
    started: Instant,
    /// Resident memory when last looked at, and when that was, in milliseconds since the start.
    resident: AtomicUsize,
    looked_at_ms: AtomicU64,
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

impl Default for ServerMemory {
    fn default() -> ServerMemory {
        ServerMemory {
            pool: Pool::default(),
            limit: AtomicUsize::new(0),
            per_user: AtomicUsize::new(0),
            users: RwLock::default(),
            started: Instant::now(),
            resident: AtomicUsize::new(0),
            looked_at_ms: AtomicU64::new(0),
        }
    }
}

impl ServerMemory {
    /// Sets the limits of every user and of the server, in bytes; 0 is none. What the process holds before its first session counts.
    pub(crate) fn set_limits(&self, per_user: usize, server: usize) {
        if self.pool.used.load(Ordering::Relaxed) == 0 && server > 0 {
            self.pool.add(resident_bytes().unwrap_or(0) + LATER_RESIDENT);
        }
        self.limit.store(server, Ordering::Relaxed);
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

    fn take(&self, bytes: usize) -> bool {
        self.has_resident_room(bytes) && self.pool.take(bytes)
    }

    /// What counting has missed must not bring the process down.
    fn has_resident_room(&self, bytes: usize) -> bool {
        /// Smaller grants are let through, so that sessions can go on to their ends.
        const LARGE: usize = 64 * 1024;
        const STALE_MS: u64 = 20;
        let limit = self.limit();
        // Memory that has been freed may stay with the allocator for a while: low counts are believed.
        if limit == 0 || bytes < LARGE || self.used() < limit / 2 {
            return true;
        }
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked_at_ms = self.looked_at_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(looked_at_ms) >= STALE_MS || looked_at_ms == 0 {
            self.looked_at_ms.store(now_ms.max(1), Ordering::Relaxed);
            self.resident.store(resident_bytes().unwrap_or(0), Ordering::Relaxed);
        }
        self.resident.load(Ordering::Relaxed) <= limit + limit / 20
    }
}

/// Resident memory of the process, where the system tells.
pub fn resident_bytes() -> Option<usize> {
    let pages: usize = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(4096)
}

/// Memory that the machine, or the control group the process runs in, has.
pub fn machine_bytes() -> Option<usize> {
    let information = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = information.lines().find(|line| line.starts_with("MemTotal:"))?;
    let total = line.split_whitespace().nth(1)?.parse::<usize>().ok()?.checked_mul(1024)?;
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let group = group.iter().find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<usize>().ok());
    Some(group.map_or(total, |group| group.min(total)))
}

impl UserMemory {
    fn take(&self, bytes: usize) -> Result<()> {
        if !self.pool.take(bytes) {
            let message = format!("memory limit exceeded for user '{}'", self.name.read());
            return Err(Error::new(SqlState::OUT_OF_MEMORY, message));
        }
        if !self.server.take(bytes) {
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
        self.take(bytes.min(MOST))?;
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

impl MemoryBudget for SessionMemory {
    fn grow(&self, bytes: usize) -> Result<()> {
        let bytes = bytes.min(MOST);
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let granted = self.granted.load(Ordering::Relaxed);
        if used <= granted {
            return Ok(());
        }
        let missing = used - granted;
        let slabs = missing.next_multiple_of(SLAB);
        let taken = match self.user.take(slabs) {
            Ok(()) => Ok(slabs),
            Err(_) => self.user.take(missing).map(|()| missing),
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
