//! Random appends to lists and reads of them, at all levels, with waits, cancels and deadlocks, in one thread: the histories have no
//! anomaly that their level rules out. Planted faults show that such anomalies are found.
//!
//! A failing run prints its seed; `SIMULATION_SEED=n cargo test -p heliosdb-txn --test simulation list_append` replays it.

use std::{collections::HashMap, sync::Arc, task::Poll};

use heliosdb_txn::{IsolationLevel, LockWait, Staged, StatementWrites, Store, Transaction};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};

use crate::{
    history::{Anomaly, End, Operation, Promise, Recorded, find_anomaly},
    serial_order::key_range,
    table_t::*,
};

const KEYS: i32 = 5;
/// Transactions of one history.
const LENGTH: usize = 80;

/// What goes wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// SERIALIZABLE is not certified.
    SkippedCertification,
    /// A statement that runs again writes what it computed from its old view.
    StaleRefresh,
    /// What the transaction itself changed before is not on top of a new view.
    LostReapplication,
    /// A transaction's locks outlive it.
    LockLeak,
}

enum Pending {
    /// The key, the element, and, when something goes wrong on purpose, what the list was when the statement began.
    Append(i32, u32, Option<i32>),
    Commit,
}

struct Open {
    transaction: Transaction,
    operations: Vec<Operation>,
    waiting: Option<(LockWait, Pending)>,
}

struct Simulation {
    rng: SmallRng,
    store: Arc<Store>,
    levels: Vec<IsolationLevel>,
    fault: Option<Fault>,
    clients: Vec<Option<Open>>,
    history: Vec<Recorded>,
    /// A row's value is the place of its list here.
    lists: Vec<Vec<u32>>,
    next_element: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    Anomaly(Anomaly),
    LeakedLock,
}

impl Simulation {
    fn new(seed: u64, levels: &[IsolationLevel], fault: Option<Fault>) -> Simulation {
        let mut rng = SmallRng::seed_from_u64(seed);
        let clients = (0..rng.random_range(2..=30)).map(|_| None).collect();
        Simulation {
            rng,
            store: store(&(0..KEYS).map(|key| (key, 0)).collect::<Vec<_>>()),
            levels: levels.to_vec(),
            fault,
            clients,
            history: Vec::new(),
            lists: vec![Vec::new()],
            next_element: 1,
        }
    }

    fn run(&mut self, promise: Promise) -> Option<Found> {
        while self.history.len() < LENGTH {
            let place = self.rng.random_range(0..self.clients.len());
            match self.clients[place].take() {
                None => self.begin(place),
                Some(open) if open.waiting.is_some() => self.step_waiting(place, open),
                Some(open) => self.step(place, open),
            }
        }
        for place in 0..self.clients.len() {
            if let Some(open) = self.clients[place].take() {
                self.end(open, End::Aborted);
            }
        }
        if !self.store.list_locks().is_empty() {
            return Some(Found::LeakedLock);
        }
        let finals: HashMap<u32, Vec<u32>> = rows_of(&self.store.snapshot())
            .into_iter()
            .map(|(key, version)| (key as u32, self.lists[version as usize].clone()))
            .collect();
        find_anomaly(&self.history, &finals, promise).map(Found::Anomaly)
    }

    fn begin(&mut self, place: usize) {
        let level = match *self.levels.choose(&mut self.rng).expect("there is one") {
            IsolationLevel::Serializable if self.fault == Some(Fault::SkippedCertification) => IsolationLevel::RepeatableRead,
            level => level,
        };
        let transaction = begin_at(&self.store, place as i32 + 1, level);
        self.clients[place] = Some(Open { transaction, operations: Vec::new(), waiting: None });
    }

    fn end(&mut self, open: Open, end: End) {
        self.history.push(Recorded { operations: open.operations, end });
        if self.fault == Some(Fault::LockLeak) && self.rng.random_ratio(1, 10) {
            std::mem::forget(open.transaction);
        }
    }

    fn step(&mut self, place: usize, open: Open) {
        match self.rng.random_range(0..20) {
            0..8 => self.read(place, open),
            8..14 => {
                let (key, element) = (self.rng.random_range(0..KEYS), self.next_element);
                self.next_element += 1;
                self.append(place, open, (key, element), false, None);
            }
            14..19 => self.commit(place, open),
            _ => self.end(open, End::Aborted),
        }
    }

    fn step_waiting(&mut self, place: usize, mut open: Open) {
        let (mut wait, pending) = open.waiting.take().expect("it waits");
        match (poll(&mut wait), pending) {
            (Poll::Ready(Ok(())), Pending::Append(key, element, stale)) => self.append(place, open, (key, element), true, stale),
            (Poll::Ready(Ok(())), Pending::Commit) => self.commit(place, open),
            (Poll::Ready(Err(error)), _) => panic!("nobody ends a wait: {error}"),
            (Poll::Pending, _) if self.rng.random_ratio(1, 40) => {
                drop(wait);
                self.end(open, End::Aborted);
            }
            (Poll::Pending, pending) => {
                open.waiting = Some((wait, pending));
                self.clients[place] = Some(open);
            }
        }
    }

    fn read(&mut self, place: usize, mut open: Open) {
        open.transaction.begin_statement().expect("a view");
        let (first, last) = if self.rng.random_ratio(1, 4) { (0, KEYS - 1) } else { [self.rng.random_range(0..KEYS); 2].into() };
        let data = open.transaction.table_for(T, [key_range(first, last)]).expect("it is there");
        for (_, row) in scan(&data) {
            let (key, version) = pair(&row);
            if (first..=last).contains(&key) {
                let list = self.lists[version as usize].clone();
                open.operations.push(Operation::Read { key: key as u32, list });
            }
        }
        drop(data);
        match open.transaction.check_dependencies() {
            Ok(()) => {
                open.transaction.end_statement();
                self.clients[place] = Some(open);
            }
            Err(_) => self.end(open, End::Aborted),
        }
    }

    fn append(&mut self, place: usize, mut open: Open, (key, element): (i32, u32), mut again: bool, mut stale: Option<i32>) {
        loop {
            let taken = if again { open.transaction.resume_statement() } else { open.transaction.begin_statement() };
            taken.expect("a view");
            let own = open.transaction.table_for(T, [key_range(key, key)]).expect("it is there");
            let seen = match self.fault {
                Some(Fault::LostReapplication) if open.transaction.options().isolation.refreshes() => {
                    self.store.snapshot().table(T).expect("it is there").clone()
                }
                _ => own,
            };
            let (row, before) = scan(&seen).into_iter().find(|(_, row)| pair(row).0 == key).expect("keys stay");
            drop(seen);
            let base =
                if self.fault == Some(Fault::StaleRefresh) { *stale.get_or_insert(pair(&before).1) } else { pair(&before).1 };
            let mut list = self.lists[base as usize].clone();
            list.push(element);
            self.lists.push(list);
            let version = self.lists.len() as i32 - 1;
            let table = heliosdb_txn::TableWrites { updates: vec![(row, before, values(key, version))], ..writes() };
            match open.transaction.stage_resumable(&StatementWrites { tables: vec![table], locks: Vec::new() }) {
                Staged::Done => {
                    open.transaction.end_statement();
                    open.operations.push(Operation::Append { key: key as u32, element });
                    self.clients[place] = Some(open);
                    return;
                }
                Staged::Wait(wait) => {
                    if self.rng.random() {
                        open.transaction.end_statement();
                    }
                    open.waiting = Some((wait, Pending::Append(key, element, stale)));
                    self.clients[place] = Some(open);
                    return;
                }
                Staged::Stale => again = true,
                Staged::Failed(error) => {
                    assert!(["40001", "40P01"].contains(&error.sqlstate().code()), "{error:?}");
                    return self.end(open, End::Aborted);
                }
            }
        }
    }

    fn commit(&mut self, place: usize, mut open: Open) {
        match open.transaction.prepare_commit() {
            Ok(None) => {}
            Ok(Some(wait)) => {
                open.waiting = Some((wait, Pending::Commit));
                self.clients[place] = Some(open);
                return;
            }
            Err(_) => return self.end(open, End::Aborted),
        }
        let Open { transaction, operations, .. } = open;
        if self.fault == Some(Fault::LockLeak) && self.rng.random_ratio(1, 10) {
            self.history.push(Recorded { operations, end: End::Aborted });
            std::mem::forget(transaction);
            return;
        }
        let end = if transaction.commit().is_ok() { End::Committed } else { End::Aborted };
        self.history.push(Recorded { operations, end });
    }
}

const MIXES: [(&[IsolationLevel], Promise); 4] = [
    (&[IsolationLevel::ReadCommitted], Promise::ReadCommitted),
    (&[IsolationLevel::RepeatableRead], Promise::Snapshot),
    (&[IsolationLevel::Serializable], Promise::Serializable),
    (&[IsolationLevel::ReadCommitted, IsolationLevel::RepeatableRead, IsolationLevel::Serializable], Promise::ReadCommitted),
];

#[test]
fn no_level_shows_an_anomaly_that_it_rules_out() {
    let chosen: Option<u64> = std::env::var("SIMULATION_SEED").ok().and_then(|seed| seed.parse().ok());
    let transactions = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    let (mut committed, mut aborted) = (0, 0);
    for seed in chosen.map_or(0..(transactions / LENGTH) as u64, |seed| seed..seed + 1) {
        let (levels, promise) = MIXES[(seed % 4) as usize];
        let mut simulation = Simulation::new(seed, levels, None);
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| simulation.run(promise)));
        let found = found.inspect_err(|_| eprintln!("SIMULATION_SEED={seed}")).expect("see above");
        assert_eq!(found, None, "SIMULATION_SEED={seed}");
        let ends = simulation.history.iter().filter(|transaction| transaction.end == End::Committed).count();
        committed += ends;
        aborted += simulation.history.len() - ends;
    }
    println!("{committed} committed, {aborted} aborted");
    assert!(committed > aborted / 2 && aborted > 0);
}

#[test]
fn planted_faults_are_found() {
    let mix_of = |fault| match fault {
        Fault::SkippedCertification => MIXES[2],
        Fault::StaleRefresh | Fault::LostReapplication => MIXES[0],
        Fault::LockLeak => MIXES[1],
    };
    for fault in [Fault::SkippedCertification, Fault::StaleRefresh, Fault::LostReapplication, Fault::LockLeak] {
        let (levels, promise) = mix_of(fault);
        let found = (0..50).find_map(|seed| Simulation::new(seed, levels, Some(fault)).run(promise));
        let found = found.unwrap_or_else(|| panic!("{fault:?} goes unnoticed"));
        match fault {
            Fault::SkippedCertification => assert_eq!(found, Found::Anomaly(Anomaly::AntiDependencyCycle)),
            Fault::LockLeak => assert_eq!(found, Found::LeakedLock),
            Fault::StaleRefresh | Fault::LostReapplication => assert!(matches!(found, Found::Anomaly(_))),
        }
    }
}
