//! Many clients in one thread, in an order drawn from a seed: whatever happens, the committed rows are those that the committed
//! transactions' effects add up to, every statement sees what its level promises, and no lock outlives its transaction.
//!
//! A failing run prints its seed; `SIMULATION_SEED=n cargo test -p heliosdb-txn --test simulation promises` replays it.

use std::{collections::BTreeMap, sync::Arc, task::Poll};

use crate::table_t::*;
use heliosdb_txn::{
    DatabaseState, IsolationLevel, LockMode, LockTag, LockWait, Savepoint, Staged, StatementWrites, Store, Transaction,
};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};

const ACCOUNTS: i32 = 6;
const OPENING_BALANCE: i32 = 1000;
/// Keys that come and go.
const KEYS: std::ops::Range<i32> = 100..110;

/// Rows by key.
type Rows = BTreeMap<i32, i32>;

#[derive(Clone, Copy, Debug)]
enum Effect {
    Add(i32, i32),
    Insert(i32),
    Delete(i32),
    Rename(i32, i32),
}

impl Effect {
    fn apply(self, rows: &mut Rows) {
        match self {
            Effect::Add(key, amount) => *rows.get_mut(&key).expect("accounts stay") += amount,
            Effect::Insert(key) => assert_eq!(rows.insert(key, 0), None, "key {key} was inserted twice"),
            Effect::Delete(key) => assert!(rows.remove(&key).is_some(), "key {key} was deleted twice"),
            Effect::Rename(from, to) => {
                let value = rows.remove(&from).expect("a key that was renamed was there");
                assert_eq!(rows.insert(to, value), None, "key {to} was given twice");
            }
        }
    }
}

/// One client's open transaction.
struct Open {
    transaction: Transaction,
    level: IsolationLevel,
    /// What was committed when a level above READ COMMITTED took its view.
    view: Option<Rows>,
    effects: Vec<Effect>,
    savepoints: Vec<(Savepoint, usize)>,
    /// A transfer's other half.
    owed: Option<(i32, i32)>,
    committing: bool,
}

#[derive(Default)]
struct Client {
    open: Option<Open>,
    waiting: Option<(LockWait, Option<Statement>)>,
    /// A statement that is not staged yet.
    computed: Option<(Statement, Option<Effect>, StatementWrites)>,
}

#[derive(Clone, Copy, Debug)]
enum Statement {
    Add(i32, i32),
    Insert(i32),
    Delete(i32),
    Rename(i32, i32),
    LockForUpdate(i32),
}

#[derive(Default, Debug)]
struct Counts {
    commits: usize,
    waits: usize,
    deadlocks: usize,
    conflicts: usize,
    duplicates: usize,
    cancels: usize,
    stale: usize,
}

struct Simulation {
    store: Arc<Store>,
    rng: SmallRng,
    clients: Vec<Client>,
    /// What is committed, by the effects of those who committed.
    model: Rows,
    held: Vec<(DatabaseState, Rows)>,
    counts: Counts,
}

impl Simulation {
    fn new(seed: u64) -> Simulation {
        let model: Rows = (0..ACCOUNTS).map(|account| (account, OPENING_BALANCE)).collect();
        let store = store(&model.iter().map(|(&key, &value)| (key, value)).collect::<Vec<_>>());
        let mut rng = SmallRng::seed_from_u64(seed);
        let clients = (0..rng.random_range(2..10)).map(|_| Client::default()).collect();
        Simulation { store, rng, clients, model, held: Vec::new(), counts: Counts::default() }
    }

    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            let client = self.rng.random_range(0..self.clients.len());
            self.step(client);
            if self.rng.random_ratio(1, 20) {
                self.hold_or_check_snapshot();
            }
        }
        for client in 0..self.clients.len() {
            self.clients[client] = Client::default();
        }
        assert_eq!(rows_of(&self.store.snapshot()), self.model);
        assert!(self.store.list_locks().is_empty(), "locks are left: {:?}", self.store.list_locks());
        let balance: i32 = (0..ACCOUNTS).map(|account| self.model[&account]).sum();
        assert_eq!(balance, ACCOUNTS * OPENING_BALANCE);
    }

    fn hold_or_check_snapshot(&mut self) {
        if self.held.len() < 4 {
            self.held.push((self.store.snapshot(), self.model.clone()));
        } else {
            let (state, rows) = self.held.swap_remove(self.rng.random_range(0..4));
            assert_eq!(rows_of(&state), rows, "a held snapshot changed");
        }
    }

    fn step(&mut self, number: usize) {
        if self.clients[number].waiting.is_some() {
            return self.step_waiting(number);
        }
        if self.clients[number].computed.is_some() {
            return self.stage(number);
        }
        let Some(open) = &self.clients[number].open else { return self.begin(number) };
        if open.committing {
            return self.commit(number);
        }
        if let Some((account, amount)) = open.owed {
            return self.execute(number, Statement::Add(account, amount));
        }
        match self.rng.random_range(0..100) {
            0..30 => {
                let amount = self.rng.random_range(1..50);
                let (from, to) = (self.rng.random_range(0..ACCOUNTS), self.rng.random_range(0..ACCOUNTS));
                self.clients[number].open.as_mut().expect("it is open").owed = Some((to, amount));
                self.execute(number, Statement::Add(from, -amount));
            }
            30..40 => {
                let key = self.key();
                self.execute(number, Statement::Insert(key));
            }
            40..48 => {
                let key = self.key();
                self.execute(number, Statement::Delete(key));
            }
            48..54 => {
                let (from, to) = (self.key(), self.key());
                self.execute(number, Statement::Rename(from, to));
            }
            54..60 => {
                let account = self.rng.random_range(0..ACCOUNTS);
                self.execute(number, Statement::LockForUpdate(account));
            }
            60..75 => self.check_view(number),
            75..82 => {
                let open = self.clients[number].open.as_mut().expect("it is open");
                let savepoint = open.transaction.savepoint();
                open.savepoints.push((savepoint, open.effects.len()));
            }
            82..87 => self.end_savepoint(number),
            87..97 => self.commit(number),
            _ => self.clients[number].open = None,
        }
    }

    fn key(&mut self) -> i32 {
        self.rng.random_range(KEYS)
    }

    fn begin(&mut self, number: usize) {
        use IsolationLevel::*;
        let level = *[ReadCommitted, ReadCommitted, RepeatableRead, Serializable].choose(&mut self.rng).expect("there are some");
        self.clients[number].open = Some(Open {
            transaction: begin_at(&self.store, number as i32 + 1, level),
            level,
            view: None,
            effects: Vec::new(),
            savepoints: Vec::new(),
            owed: None,
            committing: false,
        });
    }

    fn step_waiting(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let (wait, statement) = client.waiting.as_mut().expect("it waits");
        let statement = *statement;
        match poll(wait) {
            Poll::Ready(Ok(())) => {
                client.waiting = None;
                match statement {
                    Some(statement) => self.execute(number, statement),
                    None => self.commit(number),
                }
            }
            Poll::Ready(Err(error)) => panic!("nobody else ends a wait: {error}"),
            Poll::Pending => {
                assert!(!self.store.blocking_pids(number as i32 + 1).is_empty(), "who waits is blocked by somebody");
                if self.rng.random_ratio(1, 15) {
                    self.counts.cancels += 1;
                    let (mut wait, _) = self.clients[number].waiting.take().expect("it waits");
                    if self.rng.random() {
                        assert!(wait.handle().time_out());
                        assert!(matches!(poll(&mut wait), Poll::Ready(Err(error)) if error.sqlstate().code() == "55P03"));
                    }
                    drop(wait);
                    self.fail(number);
                }
            }
        }
    }

    /// What a transaction's next statement must see, without its own effects.
    fn base(&mut self, number: usize) -> Rows {
        let open = self.clients[number].open.as_mut().expect("it is open");
        match open.level {
            IsolationLevel::ReadCommitted | IsolationLevel::ReadUncommitted => self.model.clone(),
            _ => open.view.get_or_insert_with(|| self.model.clone()).clone(),
        }
    }

    fn check_view(&mut self, number: usize) {
        let mut expected = self.base(number);
        let open = self.clients[number].open.as_mut().expect("it is open");
        open.effects.iter().for_each(|effect| effect.apply(&mut expected));
        assert_eq!(select(&mut open.transaction), expected, "client {number} at {:?}", open.level);
    }

    /// Computes a statement, and stages it now or after somebody else's step.
    fn execute(&mut self, number: usize, statement: Statement) {
        self.base(number);
        let ends_view_first = self.rng.random_ratio(1, 4);
        let transaction = &mut self.clients[number].open.as_mut().expect("it is open").transaction;
        let (mut table, mut locks) = (None, Vec::new());
        let effect = match statement {
            Statement::Add(key, amount) => {
                table = Some(update_of(transaction, |id, v| (id == key).then_some((id, v + amount))));
                Some(Effect::Add(key, amount))
            }
            Statement::Insert(key) => {
                transaction.begin_statement().expect("a view");
                table = Some(insert_of(&[(key, 0)]));
                Some(Effect::Insert(key))
            }
            Statement::Delete(key) => {
                let deletes = table.insert(delete_of(transaction, key));
                (!deletes.deletes.is_empty()).then_some(Effect::Delete(key))
            }
            Statement::Rename(from, to) => {
                let renames = table.insert(update_of(transaction, |id, v| (id == from && from != to).then_some((to, v))));
                (!renames.updates.is_empty()).then_some(Effect::Rename(from, to))
            }
            Statement::LockForUpdate(key) => {
                let rows = update_of(transaction, |id, v| (id == key).then_some((id, v))).updates;
                locks.extend(rows.into_iter().map(|(row, ..)| (LockTag::Row(T, row), LockMode::Update)));
                None
            }
        };
        if ends_view_first {
            transaction.end_statement();
        }
        let writes = StatementWrites { tables: table.into_iter().collect(), locks };
        self.clients[number].computed = Some((statement, effect, writes));
        if !self.rng.random_ratio(1, 4) {
            self.stage(number);
        }
    }

    fn stage(&mut self, number: usize) {
        let (statement, effect, writes) = self.clients[number].computed.take().expect("it was computed");
        let open = self.clients[number].open.as_mut().expect("it is open");
        // As in PostgreSQL, a snapshot that still has a row which others deleted shows it beside a new one of the same key.
        if let Statement::Insert(key) | Statement::Rename(_, key) = statement
            && open.level == IsolationLevel::RepeatableRead
            && !self.model.contains_key(&key)
            && select(&mut open.transaction).contains_key(&key)
        {
            return;
        }
        let staged = open.transaction.stage(&writes);
        match staged {
            Staged::Done => {
                open.effects.extend(effect);
                if let Statement::Add(_, amount) = statement
                    && amount > 0
                {
                    open.owed = None;
                }
                if self.rng.random() {
                    open.transaction.end_statement();
                }
            }
            Staged::Wait(wait) => {
                self.counts.waits += 1;
                self.clients[number].waiting = Some((wait, Some(statement)));
            }
            Staged::Stale => {
                assert!(open.level == IsolationLevel::ReadCommitted);
                self.counts.stale += 1;
                self.execute(number, statement);
            }
            Staged::Failed(error) => {
                match error.sqlstate().code() {
                    "40P01" => self.counts.deadlocks += 1,
                    "40001" => self.counts.conflicts += 1,
                    "23505" => self.counts.duplicates += 1,
                    _ => panic!("{error:?}"),
                }
                self.fail(number);
            }
        }
    }

    /// After an error: back to the last savepoint, or the end.
    fn fail(&mut self, number: usize) {
        let open = self.clients[number].open.as_mut().expect("it is open");
        // A transfer cut in half must not be committed.
        let half = open.owed.take().is_some() || open.committing;
        match open.savepoints.last() {
            Some(&(savepoint, effects)) if !half => {
                open.transaction.rollback_to(savepoint);
                open.effects.truncate(effects);
            }
            _ => self.clients[number].open = None,
        }
    }

    fn end_savepoint(&mut self, number: usize) {
        let open = self.clients[number].open.as_mut().expect("it is open");
        if open.savepoints.is_empty() {
            return;
        }
        let place = self.rng.random_range(0..open.savepoints.len());
        let (savepoint, effects) = open.savepoints[place];
        if self.rng.random() {
            open.transaction.rollback_to(savepoint);
            open.effects.truncate(effects);
            open.savepoints.truncate(place + 1);
        } else {
            open.transaction.release(savepoint);
            open.savepoints.truncate(place);
        }
    }

    fn commit(&mut self, number: usize) {
        let open = self.clients[number].open.as_mut().expect("it is open");
        open.committing = true;
        match open.transaction.prepare_commit() {
            Ok(None) => {}
            Ok(Some(wait)) => {
                self.counts.waits += 1;
                self.clients[number].waiting = Some((wait, None));
                return;
            }
            Err(error) => {
                assert_eq!(error.sqlstate().code(), "40P01");
                self.counts.deadlocks += 1;
                self.clients[number].open = None;
                return;
            }
        }
        let open = self.clients[number].open.take().expect("it is open");
        match open.transaction.commit() {
            Ok(_) => {
                self.counts.commits += 1;
                match &open.view {
                    // Without locks, a key that it held only for a time may have become somebody else's: what counts is the net effect.
                    Some(view) if open.level == IsolationLevel::Serializable => apply_net(view, &open.effects, &mut self.model),
                    _ => open.effects.iter().for_each(|effect| effect.apply(&mut self.model)),
                }
            }
            Err(error) => {
                assert!(open.level == IsolationLevel::Serializable, "{error:?}");
                assert_eq!(error.sqlstate().code(), "40001");
                self.counts.conflicts += 1;
            }
        }
        assert_eq!(rows_of(&self.store.snapshot()), self.model);
    }
}

/// Applies the difference that effects make to a view.
fn apply_net(view: &Rows, effects: &[Effect], rows: &mut Rows) {
    let mut after = view.clone();
    effects.iter().for_each(|effect| effect.apply(&mut after));
    for (&key, value) in view.iter().filter(|(key, _)| !after.contains_key(key)) {
        assert_eq!(rows.remove(&key), Some(*value), "key {key} was deleted twice");
    }
    for (&key, &value) in after.iter().filter(|(key, value)| view.get(key) != Some(value)) {
        assert_eq!(rows.insert(key, value).as_ref(), view.get(&key), "key {key} was changed by somebody else");
    }
}

fn simulate(seed: u64, steps: usize) -> Counts {
    let mut simulation = Simulation::new(seed);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| simulation.run(steps)));
    if let Err(panic) = outcome {
        eprintln!("SIMULATION_SEED={seed}");
        std::panic::resume_unwind(panic);
    }
    simulation.counts
}

#[test]
fn random_schedules_keep_every_promise() {
    if let Some(seed) = std::env::var("SIMULATION_SEED").ok().and_then(|seed| seed.parse().ok()) {
        simulate(seed, 1000);
        return;
    }
    let mut total = Counts::default();
    for seed in 0..300 {
        let counts = simulate(seed, 1000);
        total.commits += counts.commits;
        total.waits += counts.waits;
        total.deadlocks += counts.deadlocks;
        total.conflicts += counts.conflicts;
        total.duplicates += counts.duplicates;
        total.cancels += counts.cancels;
        total.stale += counts.stale;
    }
    println!("{total:?}");
    let Counts { commits, waits, deadlocks, conflicts, duplicates, cancels, stale } = total;
    // A simulation in which these never happen tests nothing.
    assert!(
        commits > 5000 && [waits, deadlocks, conflicts, duplicates, cancels, stale].iter().all(|&count| count > 50),
        "{total:?}"
    );
}
