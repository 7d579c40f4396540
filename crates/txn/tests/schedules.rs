//! Threads under a scheduler that decides every step of every lock and counter, exhaustively for the smallest and at random for the
//! others: no update is lost, no wake-up, no lock. `cargo test -p heliosdb-txn --features shuttle --test schedules`.
//!
//! A schedule in which all threads wait is a failure by itself: a wake-up was lost, or a deadlock not found. A failing test prints the
//! schedule, with which `shuttle::replay` runs it again.

use std::sync::Arc;

use heliosdb_txn::{IsolationLevel, LockMode, LockTag, Staged, Store, TableWrites, Transaction, TransactionOptions};
use shuttle::{future::block_on, thread};
use storage::RowId;
use types::{Error, SqlState};

#[path = "simulation/table_t.rs"]
#[expect(dead_code, reason = "the simulation uses all of it")]
mod table_t;

use table_t::*;

const SCHEDULES: usize = if cfg!(debug_assertions) { 500 } else { 10_000 };

/// Random schedules, and such in which a few threads are preferred for long.
fn check(scenario: impl Fn() + Send + Sync + Copy + 'static) {
    shuttle::check_random(scenario, SCHEDULES);
    shuttle::check_pct(scenario, SCHEDULES, 3);
}

fn spawn_all(threads: Vec<Box<dyn FnOnce() + Send>>) {
    let running: Vec<_> = threads.into_iter().map(thread::spawn).collect();
    running.into_iter().for_each(|thread| thread.join().expect("a panic ends the schedule before this"));
}

/// Runs a statement to its end, awaiting locks; None when the transaction must be given up.
fn run(transaction: &mut Transaction, mut compute: impl FnMut(&mut Transaction) -> TableWrites) -> Option<()> {
    loop {
        let table = compute(transaction);
        match stage(transaction, table) {
            Staged::Done => return Some(()),
            Staged::Stale => {}
            Staged::Wait(wait) => block_on(wait).ok()?,
            Staged::Failed(error) => {
                assert!(["40P01", "40001"].contains(&error.sqlstate().code()), "{error:?}");
                return None;
            }
        }
    }
}

fn add(transaction: &mut Transaction, key: i32, amount: i32) -> Option<()> {
    run(transaction, |transaction| update_of(transaction, |id, v| (id == key).then_some((id, v + amount))))
}

fn commit(mut transaction: Transaction) -> Option<()> {
    while let Some(wait) = transaction.prepare_commit().ok()? {
        block_on(wait).ok()?;
    }
    transaction.commit().ok().map(|_| ())
}

fn assert_no_locks(store: &Store) {
    assert!(store.list_locks().is_empty(), "a lock outlives its transaction: {:?}", store.list_locks());
}

/// Adds one to row 1 until it has succeeded.
fn increment(store: &Arc<Store>, pid: i32, level: IsolationLevel) {
    loop {
        let mut transaction = begin_at(store, pid, level);
        if add(&mut transaction, 1, 1).is_some() && commit(transaction).is_some() {
            return;
        }
    }
}

fn increments(levels: &'static [IsolationLevel]) {
    let store = store(&[(1, 0)]);
    let threads = levels.iter().zip(1..).map(|(&level, pid)| {
        let store = Arc::clone(&store);
        Box::new(move || increment(&store, pid, level)) as Box<dyn FnOnce() + Send>
    });
    spawn_all(threads.collect());
    assert_eq!(rows_of(&store.snapshot())[&1], levels.len() as i32);
    assert_no_locks(&store);
}

#[test]
fn no_update_is_lost_at_any_level() {
    use IsolationLevel::*;
    check(|| increments(&[ReadCommitted, ReadCommitted, ReadCommitted]));
    check(|| increments(&[RepeatableRead, RepeatableRead]));
    check(|| increments(&[Serializable, Serializable]));
    check(|| increments(&[ReadCommitted, RepeatableRead, Serializable]));
}

#[test]
fn two_increments_in_every_order_of_their_first_steps() {
    shuttle::check_dfs(|| increments(&[IsolationLevel::ReadCommitted, IsolationLevel::ReadCommitted]), Some(20 * SCHEDULES));
}

#[test]
fn a_snapshot_shows_whole_commits() {
    check(|| {
        let store = store(&[(1, 50), (2, 50)]);
        let (writer, reader) = (Arc::clone(&store), Arc::clone(&store));
        spawn_all(vec![
            Box::new(move || {
                for amount in 1..3 {
                    let mut transaction = begin_at(&writer, 1, IsolationLevel::ReadCommitted);
                    add(&mut transaction, 1, -amount).expect("nobody is in the way");
                    add(&mut transaction, 2, amount).expect("nobody is in the way");
                    commit(transaction).expect("nobody is in the way");
                }
            }),
            Box::new(move || {
                let mut before = 50;
                for _ in 0..3 {
                    let rows = rows_of(&reader.snapshot());
                    assert_eq!(rows[&1] + rows[&2], 100);
                    assert!(rows[&2] >= before, "time goes on");
                    before = rows[&2];
                }
            }),
        ]);
        assert_eq!(rows_of(&store.snapshot())[&2], 53);
    });
}

#[test]
fn own_changes_stay_on_top_of_what_others_commit() {
    check(|| {
        let store = store(&[(1, 0), (2, 0), (3, 0)]);
        let threads = (1..=2).map(|pid| {
            let store = Arc::clone(&store);
            Box::new(move || {
                let mut transaction = begin_at(&store, pid, IsolationLevel::ReadCommitted);
                add(&mut transaction, pid, 1).expect("the row is its own");
                assert_eq!(select(&mut transaction)[&pid], 1);
                add(&mut transaction, pid, 1).expect("the row is its own");
                assert_eq!(select(&mut transaction)[&pid], 2);
                commit(transaction).expect("no conflict");
            }) as Box<dyn FnOnce() + Send>
        });
        spawn_all(threads.collect());
        assert_eq!(rows_of(&store.snapshot()).into_values().collect::<Vec<_>>(), [2, 2, 0]);
        assert_no_locks(&store);
    });
}

#[test]
fn write_skew_never_passes_serializable() {
    check(|| {
        let store = store(&[(1, 1), (2, 1)]);
        let threads = (1..=2).map(|pid| {
            let store = Arc::clone(&store);
            Box::new(move || {
                let mut transaction = begin_at(&store, pid, IsolationLevel::Serializable);
                if select(&mut transaction).values().sum::<i32>() == 2 && add(&mut transaction, pid, -1).is_some() {
                    let _ = commit(transaction);
                }
            }) as Box<dyn FnOnce() + Send>
        });
        spawn_all(threads.collect());
        assert_eq!(rows_of(&store.snapshot()).into_values().sum::<i32>(), 1, "one of them stays, and one goes");
        assert_no_locks(&store);
    });
}

#[test]
fn a_pivot_and_a_reader_in_progress_do_not_both_pass() {
    check(|| {
        let store = store(&[(1, 0), (2, 0)]);
        let (one, two, three) = (Arc::clone(&store), Arc::clone(&store), Arc::clone(&store));
        let level = IsolationLevel::Serializable;
        // The withdrawal reads both and takes from 1, the deposit adds to 2; the report must not show the one without what led to it.
        let withdrawal = move || {
            let mut transaction = begin_at(&one, 1, level);
            let sum = select(&mut transaction).values().sum::<i32>();
            let fee = if sum < 5 { -11 } else { -10 };
            (add(&mut transaction, 1, fee).is_some() && commit(transaction).is_some()).then_some(fee)
        };
        let deposit = move || {
            let mut transaction = begin_at(&two, 2, level);
            add(&mut transaction, 2, 20).is_some() && commit(transaction).is_some()
        };
        let report = move || {
            let mut transaction = three.begin(TransactionOptions { isolation: level, read_only: true, deferrable: false }, 3);
            let seen = select(&mut transaction);
            let checked = transaction.check_dependencies();
            (checked.is_ok() && transaction.commit().is_ok()).then_some((seen[&1], seen[&2]))
        };
        let (withdrawal, deposit, report) = (thread::spawn(withdrawal), thread::spawn(deposit), thread::spawn(report));
        let fee = withdrawal.join().expect("see above");
        let _ = deposit.join().expect("see above");
        let seen = report.join().expect("see above");
        // With the fee the withdrawal came before the deposit, so that nobody may have seen the deposit alone.
        assert!(!(fee == Some(-11) && seen == Some((0, 20))), "no serial order explains the report");
        assert_no_locks(&store);
    });
}

#[test]
fn a_deadlock_has_one_victim_and_no_end_of_waiting() {
    check(|| {
        let store = store(&[(1, 0), (2, 0)]);
        let threads = [(1, 2), (2, 1)].map(|(first, second)| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                let mut transaction = begin_at(&store, first, IsolationLevel::ReadCommitted);
                let both = add(&mut transaction, first, 1).and_then(|()| add(&mut transaction, second, 1));
                both.and_then(|()| commit(transaction)).is_some()
            })
        });
        let committed = threads.into_iter().map(|thread| thread.join().expect("see above"));
        let committed = committed.filter(|committed| *committed).count() as i32;
        assert!(committed >= 1, "one victim is enough");
        assert_eq!(rows_of(&store.snapshot()).into_values().collect::<Vec<_>>(), [committed, committed]);
        assert_no_locks(&store);
    });
}

/// A lock that is asked for, waited for, given up and granted in every way at once.
#[test]
fn a_wait_that_is_ended_while_it_is_granted_leaves_nothing() {
    let tag = || LockTag::Row(T, RowId(1));
    check(move || {
        let store = store(&[(1, 0)]);
        let mut holder = begin_at(&store, 1, IsolationLevel::ReadCommitted);
        assert!(holder.lock(tag(), LockMode::Update).expect("it is free").is_none());
        let mut waiter = begin_at(&store, 2, IsolationLevel::ReadCommitted);
        let wait = waiter.lock(tag(), LockMode::Update).expect("no deadlock").expect("it is taken");
        let handle = wait.handle();
        let third = Arc::clone(&store);
        spawn_all(vec![
            Box::new(move || drop(holder)),
            Box::new(move || {
                handle.fail(Error::new(SqlState::QUERY_CANCELED, "canceling statement due to user request"));
            }),
            Box::new(move || {
                let won = block_on(wait).is_ok();
                assert!(!won || waiter.try_lock(&tag(), LockMode::Update), "what was granted is there");
                drop(waiter);
            }),
            Box::new(move || {
                let mut last = begin_at(&third, 3, IsolationLevel::ReadCommitted);
                while let Some(wait) = last.lock(tag(), LockMode::Update).expect("no deadlock") {
                    block_on(wait).expect("nobody ends this one");
                }
            }),
        ]);
        assert_no_locks(&store);
    });
}

#[test]
fn shared_and_exclusive_locks_pass_from_hand_to_hand() {
    let tag = || LockTag::Advisory { high: 0, low: 7, two_keys: false };
    check(move || {
        let store = store(&[]);
        let inside = Arc::new(shuttle::sync::Mutex::new((0, 0)));
        let modes = [LockMode::ShareTable, LockMode::Exclusive, LockMode::ShareTable, LockMode::Exclusive];
        let threads = modes.into_iter().zip(1..).map(|(mode, pid)| {
            let (store, inside) = (Arc::clone(&store), Arc::clone(&inside));
            Box::new(move || {
                let mut transaction = begin_at(&store, pid, IsolationLevel::ReadCommitted);
                while let Some(wait) = transaction.lock(tag(), mode).expect("no deadlock") {
                    block_on(wait).expect("nobody ends it");
                }
                {
                    let mut inside = inside.lock().unwrap();
                    let count = if mode == LockMode::Exclusive { &mut inside.1 } else { &mut inside.0 };
                    *count += 1;
                    assert!(inside.1 == 0 || (inside.1 == 1 && inside.0 == 0), "{inside:?}");
                }
                thread::yield_now();
                let mut inside = inside.lock().unwrap();
                if mode == LockMode::Exclusive {
                    inside.1 -= 1;
                } else {
                    inside.0 -= 1;
                }
                drop(inside);
                drop(transaction);
            }) as Box<dyn FnOnce() + Send>
        });
        spawn_all(threads.collect());
        assert_no_locks(&store);
    });
}

#[test]
fn a_large_commit_beside_small_ones_loses_neither() {
    // More rows than a commit applies under the store's lock.
    const ROWS: i32 = 2100;
    shuttle::check_random(
        || {
            let store = store(&[(0, 0)]);
            let (large, small) = (Arc::clone(&store), Arc::clone(&store));
            spawn_all(vec![
                Box::new(move || {
                    let rows: Vec<(i32, i32)> = (1..=ROWS).map(|id| (id, 0)).collect();
                    let mut transaction = begin_at(&large, 1, IsolationLevel::ReadCommitted);
                    assert!(matches!(insert(&mut transaction, &rows), Staged::Done));
                    commit(transaction).expect("no conflict");
                }),
                Box::new(move || {
                    for id in 1..=3 {
                        let mut transaction = begin_at(&small, 2, IsolationLevel::ReadCommitted);
                        assert!(matches!(insert(&mut transaction, &[(-id, 0)]), Staged::Done));
                        commit(transaction).expect("no conflict");
                    }
                }),
            ]);
            assert_eq!(rows_of(&store.snapshot()).len() as i32, ROWS + 4);
            assert_no_locks(&store);
        },
        SCHEDULES / 20,
    );
}

#[test]
fn a_key_of_many_that_are_claimed_is_inserted_once() {
    let inserted = |store: &Arc<Store>, pid: i32, rows: Vec<(i32, i32)>| {
        let mut transaction = begin_at(store, pid, IsolationLevel::ReadCommitted);
        loop {
            match insert(&mut transaction, &rows) {
                Staged::Done => return commit(transaction).is_some(),
                Staged::Wait(wait) => {
                    if block_on(wait).is_err() {
                        return false;
                    }
                }
                Staged::Failed(_) => return false,
                Staged::Stale => {}
            }
        }
    };
    check(move || {
        let store = store(&[]);
        let winners = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let threads = [vec![(700, 0)], (0..1024).map(|key| (key, 0)).collect(), (700..1724).map(|key| (key, 0)).collect()];
        let threads = threads.into_iter().zip(1..).map(|(rows, pid)| {
            let (store, winners) = (Arc::clone(&store), Arc::clone(&winners));
            Box::new(move || {
                let won = inserted(&store, pid, rows);
                winners.fetch_add(usize::from(won), std::sync::atomic::Ordering::SeqCst);
            }) as Box<dyn FnOnce() + Send>
        });
        spawn_all(threads.collect());
        assert_eq!(winners.load(std::sync::atomic::Ordering::SeqCst), 1);
        assert_no_locks(&store);
    });
}
