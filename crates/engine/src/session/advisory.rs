//! pg_advisory_lock and its kin: locks on numbers, of a session or of its transaction.
//!
//! A function cannot be run again like a statement, so it waits where it is, on a thread that may block (see `Offload`).

use executor::Reservation;
use expr::context::{NoticeLevel, SessionHooks};
use txn::{LockMode, LockTag, LockWait};
use types::{Datum, Error, Result, SqlState};

use super::hooks::Hooks;

/// What a lock takes, and being remembered by its owner.
const LOCK_BYTES: usize = 256;

/// What advisory locks hold, of the session's level and of its transaction's.
#[derive(Default)]
pub(crate) struct LockMemory {
    session: Option<Reservation>,
    pub(crate) transaction: Option<Reservation>,
}

/// What one of the functions does, as its pg_proc.prosrc spells it.
struct Request {
    verb: Verb,
    of_transaction: bool,
    mode: LockMode,
}

enum Verb {
    Lock,
    TryLock,
    Unlock,
}

impl Request {
    fn named(source: &str) -> Option<Request> {
        let stem = source.strip_suffix("_int8").or_else(|| source.strip_suffix("_int4"))?;
        let (stem, mode) = match stem.strip_suffix("_shared") {
            Some(stem) => (stem, LockMode::ShareTable),
            None => (stem, LockMode::Exclusive),
        };
        let (verb, of_transaction) = match stem {
            "pg_advisory_lock" => (Verb::Lock, false),
            "pg_advisory_xact_lock" => (Verb::Lock, true),
            "pg_try_advisory_lock" => (Verb::TryLock, false),
            "pg_try_advisory_xact_lock" => (Verb::TryLock, true),
            "pg_advisory_unlock" => (Verb::Unlock, false),
            _ => return None,
        };
        Some(Request { verb, of_transaction, mode })
    }
}

fn tag(arguments: &[Datum]) -> Option<LockTag> {
    Some(match arguments {
        [Datum::Int8(key)] => LockTag::Advisory { high: (*key >> 32) as u32, low: *key as u32, two_keys: false },
        [Datum::Int4(high), Datum::Int4(low)] => LockTag::Advisory { high: *high as u32, low: *low as u32, two_keys: true },
        _ => return None,
    })
}

impl Hooks {
    /// An advisory lock function by its pg_proc.prosrc; None for other functions.
    pub(super) fn advisory_function(&self, source: &str, arguments: &[Datum]) -> Option<Result<Datum>> {
        if source == "pg_advisory_unlock_all" {
            if let Some(locks) = self.advisory.lock().as_mut() {
                locks.unlock_all();
            }
            self.lock_memory.lock().session = None;
            return Some(Ok(Datum::text("")));
        }
        let request = Request::named(source)?;
        let tag = tag(arguments)?;
        if !matches!(request.verb, Verb::Unlock)
            && let Err(refused) = self.count_lock(&request)
        {
            return Some(Err(refused));
        }
        Some(match request.verb {
            Verb::Lock => self.lock_advisory(&tag, &request).map(|()| Datum::text("")),
            Verb::TryLock => {
                let locked = match request.of_transaction {
                    true => self.transaction.try_lock(&tag, request.mode),
                    false => Ok(self.with_session_locks(|locks| locks.try_lock(&tag, request.mode))),
                };
                if !matches!(locked, Ok(true)) {
                    self.discount_lock(&request);
                }
                locked.map(Datum::Bool)
            }
            Verb::Unlock => {
                let held = self.with_session_locks(|locks| locks.unlock(&tag, request.mode));
                if held {
                    self.discount_lock(&request);
                } else {
                    let message = format!("you don't own a lock of type {}", request.mode.name());
                    self.notice(NoticeLevel::Warning, Error::new(SqlState::WARNING, message));
                }
                Ok(Datum::Bool(held))
            }
        })
    }

    fn lock_advisory(&self, tag: &LockTag, request: &Request) -> Result<()> {
        loop {
            let wait = if request.of_transaction {
                self.transaction.try_to_lock(tag.clone(), request.mode)?
            } else {
                self.with_session_locks(|locks| locks.lock(tag, request.mode))?
            };
            match wait {
                None => return Ok(()),
                Some(wait) => self.wait_in_place(wait)?,
            }
        }
    }

    /// Errors: 53200 when there is no room for another lock.
    fn count_lock(&self, request: &Request) -> Result<()> {
        /// Within what the server keeps free.
        const SMALL: usize = 256 * 1024;
        let leap = if request.of_transaction { 0 } else { self.with_session_locks(|locks| locks.leap()) };
        if leap > SMALL {
            self.memory().check(leap)?;
        }
        let mut held = self.lock_memory.lock();
        let memory = if request.of_transaction { &mut held.transaction } else { &mut held.session };
        memory.get_or_insert_with(|| Reservation::new(Some(self.memory()))).grow(LOCK_BYTES)
    }

    fn discount_lock(&self, request: &Request) {
        let mut held = self.lock_memory.lock();
        let memory = if request.of_transaction { &mut held.transaction } else { &mut held.session };
        if let Some(memory) = memory {
            memory.shrink(LOCK_BYTES);
        }
    }

    fn with_session_locks<T>(&self, use_them: impl FnOnce(&mut txn::SessionLocks) -> T) -> T {
        let mut locks = self.advisory.lock();
        use_them(locks.get_or_insert_with(|| self.database.store.session_locks(self.shared.pid)))
    }

    /// Waits for a lock on this thread; cancellation and lock_timeout end the wait with an error.
    pub(super) fn wait_in_place(&self, wait: LockWait) -> Result<()> {
        let Some(cluster) = self.cluster.upgrade() else { return Err(Error::internal("a lock is awaited without a server")) };
        let _deadline = self.shared.begin_lock_wait(&wait, &cluster.timer, cluster.limits().lock_wait_ms);
        let mut waited = self.shared.cancellation.check();
        if waited.is_ok() {
            let mut wait = Some(wait);
            self.run_long(&mut || {
                if let Some(wait) = wait.take() {
                    waited = pollster::block_on(wait);
                }
            });
        }
        self.shared.set_waiting(None);
        waited
    }

    /// What the end of a session, and DISCARD ALL, do.
    pub(crate) fn release_advisory_locks(&self) {
        *self.advisory.lock() = None;
        self.lock_memory.lock().session = None;
    }
}
