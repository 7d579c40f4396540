//! Queues, re-entrance, upgrades, cycles.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use storage::{IndexId, RowId, TableId, TxnId};
use types::{Oid, Result};

use super::*;

const ROW: LockTag = LockTag::Row(TableId(1), RowId(1));

fn owner(table: &Arc<LockTable>, pid: i32) -> HeldLocks {
    HeldLocks::new(Arc::clone(table), Owner::transaction_of(pid, 5, TxnId(1000 + pid as u64)))
}

/// Asks for a lock: None when it was won.
fn ask(owner: &mut HeldLocks, tag: &LockTag, mode: LockMode) -> Option<LockWait> {
    owner.lock(Tag::from(tag), mode).expect("no deadlock").err()
}

fn poll(wait: &mut LockWait) -> Poll<Result<()>> {
    Pin::new(wait).poll(&mut Context::from_waker(Waker::noop()))
}

fn is_granted(wait: &mut LockWait) -> bool {
    matches!(poll(wait), Poll::Ready(Ok(())))
}

#[test]
fn locks_are_granted_in_order() {
    let table = LockTable::new();
    let [mut one, mut two, mut three, mut four] = [1, 2, 3, 4].map(|pid| owner(&table, pid));
    assert!(ask(&mut one, &ROW, LockMode::Share).is_none());
    let mut writer = ask(&mut two, &ROW, LockMode::Update).expect("it is shared");
    // It would go with the holder, but not before the one who waits.
    let mut reader = ask(&mut three, &ROW, LockMode::Share).expect("a writer waits");
    let mut reader_too = ask(&mut four, &ROW, LockMode::Share).expect("a writer waits");
    assert_eq!(table.blocking_pids(2), [1]);
    assert_eq!(table.blocking_pids(3), [2]);
    drop(one);
    assert!(is_granted(&mut writer) && !is_granted(&mut reader));
    drop(two);
    assert!(is_granted(&mut reader) && is_granted(&mut reader_too));
    drop((three, four));
    assert!(table.list().is_empty());
}

#[test]
fn an_owner_enters_again_and_upgrades() {
    let table = LockTable::new();
    let [mut one, mut two] = [1, 2].map(|pid| owner(&table, pid));
    assert!(ask(&mut one, &ROW, LockMode::KeyShare).is_none());
    assert!(ask(&mut two, &ROW, LockMode::KeyShare).is_none());
    let mut upgrade = ask(&mut one, &ROW, LockMode::Update).expect("two shares it");
    assert!(ask(&mut two, &ROW, LockMode::KeyShare).is_none(), "it has it already");
    assert!(ask(&mut two, &ROW, LockMode::NoKeyUpdate).is_none(), "who has the lock goes before who waits");
    drop(two);
    assert!(is_granted(&mut upgrade));
    assert!(ask(&mut one, &ROW, LockMode::NoKeyUpdate).is_none(), "a weaker one is no question");
}

#[test]
fn two_upgrades_are_a_deadlock() {
    let table = LockTable::new();
    let [mut one, mut two] = [1, 2].map(|pid| owner(&table, pid));
    let relation = LockTag::Relation(Oid(77));
    assert!(ask(&mut one, &relation, LockMode::AccessShare).is_none());
    assert!(ask(&mut two, &relation, LockMode::AccessShare).is_none());
    let mut upgrade = ask(&mut one, &relation, LockMode::AccessExclusive).expect("two shares it");
    let error = two.lock(Tag::from(&relation), LockMode::AccessExclusive).expect_err("each waits for the other");
    assert_eq!(error.sqlstate().code(), "40P01");
    let detail = "Process 2 waits for AccessExclusiveLock on relation 77 of database 5; blocked by process 1.\n\
                  Process 1 waits for AccessExclusiveLock on relation 77 of database 5; blocked by process 2.";
    assert_eq!(error.fields().detail.as_deref(), Some(detail));
    assert_eq!(error.fields().hint.as_deref(), Some("See server log for query details."));
    drop(two);
    assert!(is_granted(&mut upgrade));
}

#[test]
fn a_cycle_through_the_queue_is_dissolved_by_letting_one_go_first() {
    let table = LockTable::new();
    let [mut one, mut two, mut three] = [1, 2, 3].map(|pid| owner(&table, pid));
    let [a, b] = [70, 71].map(|oid| LockTag::Relation(Oid(oid)));
    assert!(ask(&mut one, &a, LockMode::AccessShare).is_none());
    assert!(ask(&mut three, &b, LockMode::AccessExclusive).is_none());
    let mut exclusive = ask(&mut two, &a, LockMode::AccessExclusive).expect("one reads it");
    // Three waits behind two, who waits for one ...
    let mut behind = ask(&mut three, &a, LockMode::AccessShare).expect("two is first");
    assert!(!is_granted(&mut behind));
    // ... who waits for three: unless three reads before two.
    let _wait = ask(&mut one, &b, LockMode::AccessShare).expect("three has it");
    assert!(is_granted(&mut behind) && !is_granted(&mut exclusive));
    drop(three);
    drop(one);
    assert!(is_granted(&mut exclusive));
}

#[test]
fn a_wait_can_be_ended_and_those_behind_go_on() {
    let table = LockTable::new();
    let [mut one, mut two, mut three] = [1, 2, 3].map(|pid| owner(&table, pid));
    assert!(ask(&mut one, &ROW, LockMode::Share).is_none());
    let mut writer = ask(&mut two, &ROW, LockMode::Update).expect("it is shared");
    let mut reader = ask(&mut three, &ROW, LockMode::Share).expect("a writer waits");
    let handle = writer.handle();
    assert!(handle.time_out() && !handle.time_out());
    assert!(matches!(poll(&mut writer), Poll::Ready(Err(error)) if error.message() == "canceling statement due to lock timeout"));
    assert!(is_granted(&mut reader));
    let again = ask(&mut two, &ROW, LockMode::Update).expect("it is shared");
    drop(again);
    assert!(table.list().iter().all(|lock| lock.granted));
    assert_eq!(two.try_lock(Tag::from(&ROW), LockMode::Update), Asked::Conflict);
    assert!(table.blocking_pids(2).is_empty(), "who does not wait is not blocked");
}

#[test]
fn a_granted_wait_that_nobody_awaits_is_released_with_its_owner() {
    let table = LockTable::new();
    let [mut one, mut two] = [1, 2].map(|pid| owner(&table, pid));
    assert!(ask(&mut one, &ROW, LockMode::Update).is_none());
    let wait = ask(&mut two, &ROW, LockMode::Update).expect("one has it");
    drop(one);
    drop(wait);
    assert_eq!(table.list().len(), 1);
    drop(two);
    assert!(table.list().is_empty());
}

#[test]
fn session_locks_are_counted_and_shared_with_the_own_transaction() {
    let table = LockTable::new();
    let lock = LockTag::Advisory { high: 0, low: 7, two_keys: false };
    let session_of = |pid| SessionLocks::new(HeldLocks::new(Arc::clone(&table), Owner::session(pid, 5)));
    let (mut session, mut other) = (session_of(1), session_of(2));
    assert!(session.lock(&lock, LockMode::Exclusive).expect("no deadlock").is_none());
    assert!(session.try_lock(&lock, LockMode::Exclusive));
    let mut transaction = owner(&table, 1);
    assert!(ask(&mut transaction, &lock, LockMode::Exclusive).is_none(), "the same backend");
    drop(transaction);
    assert!(!other.try_lock(&lock, LockMode::ShareTable));
    assert!(other.try_lock(&LockTag::Advisory { high: 0, low: 7, two_keys: true }, LockMode::Exclusive), "another name space");
    assert!(session.unlock(&lock, LockMode::Exclusive));
    let mut wait = other.lock(&lock, LockMode::ShareTable).expect("no deadlock").expect("locked once more");
    assert!(session.unlock(&lock, LockMode::Exclusive) && !session.unlock(&lock, LockMode::Exclusive));
    assert!(is_granted(&mut wait));
    assert!(other.lock(&lock, LockMode::ShareTable).expect("no deadlock").is_none());
    other.unlock_all();
    assert!(table.list().is_empty());
}

#[test]
fn a_search_of_a_long_queue_is_short() {
    let table = LockTable::new();
    let mut owners: Vec<HeldLocks> = (0..2000).map(|pid| owner(&table, pid)).collect();
    let (first, rest) = owners.split_first_mut().expect("there are some");
    assert!(ask(first, &ROW, LockMode::Update).is_none());
    let started = std::time::Instant::now();
    let waits: Vec<LockWait> = rest.iter_mut().map(|owner| ask(owner, &ROW, LockMode::Update).expect("it is taken")).collect();
    // Two thousand searches over up to two thousand requests each; a search that is quadratic in the queue would take minutes.
    assert!(started.elapsed().as_secs() < 20);
    assert_eq!(waits.len(), 1999);
    drop(owners);
    drop(waits);
    assert!(table.list().is_empty());
}

fn key(number: u32) -> LockTag {
    LockTag::Key(IndexId(7), number.to_be_bytes().into())
}

fn claim(owner: &mut HeldLocks, keys: impl Iterator<Item = u32>) -> bool {
    let mut hashes: Vec<KeyHash> = keys.map(|key| KeyHash::of(&key.to_be_bytes())).collect();
    hashes.sort_unstable();
    owner.claim_keys(IndexId(7), hashes)
}

#[test]
fn claimed_keys_are_locked_each() {
    let table = LockTable::new();
    let [mut one, mut two, mut three] = [1, 2, 3].map(|pid| owner(&table, pid));
    assert!(claim(&mut one, 0..3000));
    assert!((3000..3200).all(|free| ask(&mut two, &key(free), LockMode::Update).is_none()));
    assert!((0..3000).all(|taken| two.try_lock(Tag::from(&key(taken)), LockMode::Update) == Asked::Conflict));
    assert_eq!(one.try_lock(Tag::from(&key(5)), LockMode::Update), Asked::Held);
    assert!(ask(&mut two, &LockTag::Key(IndexId(8), 5u32.to_be_bytes().into()), LockMode::Update).is_none(), "another index");
    let mut waiting = ask(&mut three, &key(7), LockMode::Update).expect("it is claimed");
    assert_eq!(table.blocking_pids(3), [1]);
    drop(one);
    assert!(is_granted(&mut waiting));
    drop((two, three));
    assert!(table.list().is_empty());
}

#[test]
fn keys_are_claimed_all_or_not_at_all() {
    let table = LockTable::new();
    let [mut one, mut two] = [1, 2].map(|pid| owner(&table, pid));
    assert!(ask(&mut one, &key(500), LockMode::Update).is_none());
    assert!(!claim(&mut one, 0..1000), "one of them is locked, if by itself");
    assert!(!claim(&mut two, 0..1000));
    assert!(ask(&mut two, &key(0), LockMode::Update).is_none(), "nothing is left of the claims");
    let mark = two.mark();
    assert!(claim(&mut two, 1000..2000));
    assert!(!claim(&mut one, 1999..2500));
    two.release_to(mark);
    assert!(claim(&mut one, 1999..2500));
}
