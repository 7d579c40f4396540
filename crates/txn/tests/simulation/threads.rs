//! Threads that commit at once: nothing is lost, nobody sees half a transaction, and no wait is forgotten.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use heliosdb_txn::{IsolationLevel, Staged, Store, TableWrites, Transaction};

use crate::table_t::*;

const ACCOUNTS: i32 = 4;
const ROUNDS: i32 = 100;

/// Runs a statement to its end: after waits again, on a fresh view. None when the transaction must be given up.
fn run(transaction: &mut Transaction, mut compute: impl FnMut(&mut Transaction) -> TableWrites) -> Option<()> {
    loop {
        let table = compute(transaction);
        match stage(transaction, table) {
            Staged::Done => return Some(()),
            Staged::Stale => {}
            Staged::Wait(wait) => {
                if let Err(error) = pollster::block_on(wait) {
                    panic!("nobody ends waits: {error}");
                }
            }
            Staged::Failed(error) => {
                assert!(["40P01", "40001", "23505"].contains(&error.sqlstate().code()), "{error:?}");
                return None;
            }
        }
    }
}

fn add(transaction: &mut Transaction, account: i32, amount: i32) -> Option<()> {
    run(transaction, |transaction| update_of(transaction, |id, v| (id == account).then_some((id, v + amount))))
}

fn commit(mut transaction: Transaction) -> Option<()> {
    while let Some(wait) = transaction.prepare_commit().ok()? {
        pollster::block_on(wait).ok()?;
    }
    transaction.commit().ok().map(|_| ())
}

/// Moves money about until it has succeeded often enough, at all levels in turn. Gives how often it added to each account's own count.
fn transfer(store: &Arc<Store>, pid: i32) -> i32 {
    use IsolationLevel::*;
    let mut inserted = 0;
    for round in 0..ROUNDS {
        let level = [ReadCommitted, ReadCommitted, RepeatableRead, Serializable][round as usize % 4];
        let (from, to) = ((round + pid) % ACCOUNTS, (round * 3 + pid) % ACCOUNTS);
        loop {
            let mut transaction = begin_at(store, pid, level);
            let moved = add(&mut transaction, from, -1).and_then(|()| add(&mut transaction, to, 1)).and_then(|()| {
                run(&mut transaction, |transaction| {
                    transaction.begin_statement().expect("a view");
                    insert_of(&[(1000 + pid * ROUNDS + round, 0)])
                })
            });
            if moved.and_then(|()| commit(transaction)).is_some() {
                break;
            }
        }
        inserted += 1;
    }
    inserted
}

#[test]
fn threads_lose_nothing() {
    let store = store(&(0..ACCOUNTS).map(|account| (account, 1000)).collect::<Vec<_>>());
    let is_over = AtomicBool::new(false);
    let inserted: i32 = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !is_over.load(Ordering::Relaxed) {
                let rows = rows_of(&store.snapshot());
                assert_eq!(rows.range(..ACCOUNTS).map(|(_, v)| v).sum::<i32>(), ACCOUNTS * 1000, "half a transfer was seen");
                assert!(rows.len() >= seen, "a committed row was lost");
                seen = rows.len();
            }
        });
        let writers: Vec<_> = (1..=4)
            .map(|pid| {
                scope.spawn({
                    let store = &store;
                    move || transfer(store, pid)
                })
            })
            .collect();
        let inserted = writers.into_iter().map(|writer| writer.join().expect("a writer ends")).sum();
        is_over.store(true, Ordering::Relaxed);
        reader.join().expect("the reader ends");
        inserted
    });
    let rows = rows_of(&store.snapshot());
    assert_eq!(rows.len(), (ACCOUNTS + inserted) as usize);
    assert!(store.list_locks().is_empty());
}

#[test]
fn increments_of_one_row_add_up() {
    let store = store(&[(1, 0)]);
    thread::scope(|scope| {
        for pid in 1..=8 {
            let store = &store;
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    let mut transaction = begin_at(store, pid, IsolationLevel::ReadCommitted);
                    run(&mut transaction, |transaction| update_of(transaction, |id, v| Some((id, v + 1)))).expect("no conflict");
                    transaction.commit().expect("no conflict");
                }
            });
        }
    });
    assert_eq!(rows_of(&store.snapshot())[&1], 8 * ROUNDS);
    assert!(store.list_locks().is_empty());
}
