//! Random histories over the wire, checked for the anomalies that their isolation level rules out: lists in a `text` column are appended
//! to, registers in an `int` column are written, both are read, by 2 to 30 connections, some of which are cancelled, time out or are lost
//! on the way.
//!
//! What a connection does comes from its seed, `HISTORY_SEED=n` chooses one; how the connections meet is the machine's.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use testkit::{
    TestServer,
    history::{
        Anomaly, End, Operation, Promise, Recorded, find_anomaly,
        register::{self, Access, Accesses},
    },
};
use tokio_postgres::{Client, Error, NoTls};

const KEYS: u32 = 6;

/// A generator that needs no crate: xorshift.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        // Small seeds lie close together; these do not.
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as u32 % end
    }
}

/// What a connection does and keeps a record of.
trait Workload: Send + Sync + 'static {
    type Event: Clone + Send;

    const SETUP: &'static str;

    fn read(client: &Client, keys: &str, events: &mut Vec<Self::Event>) -> impl Future<Output = Result<(), Error>> + Send;

    /// Gives the event and the statement that makes it come about.
    fn write(random: &mut Random, key: u32, number: u32) -> (Self::Event, String);

    fn anomaly(history: &[(Vec<Self::Event>, End)], finals: Vec<Self::Event>, promise: Promise) -> Option<Anomaly>;
}

struct Lists;

fn elements(text: &str) -> Vec<u32> {
    text.split_terminator(',').map(|element| element.parse().expect("only numbers are appended")).collect()
}

impl Workload for Lists {
    type Event = Operation;

    const SETUP: &'static str = "CREATE TABLE rows (id int PRIMARY KEY, content text NOT NULL DEFAULT '')";

    async fn read(client: &Client, keys: &str, events: &mut Vec<Operation>) -> Result<(), Error> {
        for row in client.query(&format!("SELECT id, content FROM rows {keys}"), &[]).await? {
            events.push(Operation::Read { key: row.get::<_, i32>(0) as u32, list: elements(row.get(1)) });
        }
        Ok(())
    }

    fn write(_: &mut Random, key: u32, number: u32) -> (Operation, String) {
        let update = format!("UPDATE rows SET content = content || '{number},' WHERE id = {key}");
        (Operation::Append { key, element: number }, update)
    }

    fn anomaly(history: &[(Vec<Operation>, End)], finals: Vec<Operation>, promise: Promise) -> Option<Anomaly> {
        let recorded = history.iter().map(|(operations, end)| Recorded { operations: operations.clone(), end: *end });
        let last = |event| match event {
            Operation::Read { key, list } => (key, list),
            Operation::Append { .. } => unreachable!("the end is read"),
        };
        find_anomaly(&recorded.collect::<Vec<_>>(), &finals.into_iter().map(last).collect::<HashMap<_, _>>(), promise)
    }
}

struct Registers;

impl Workload for Registers {
    type Event = Access;

    const SETUP: &'static str = "CREATE TABLE rows (id int PRIMARY KEY, content int NOT NULL DEFAULT 0)";

    async fn read(client: &Client, keys: &str, events: &mut Vec<Access>) -> Result<(), Error> {
        for row in client.query(&format!("SELECT id, content FROM rows {keys}"), &[]).await? {
            let value = row.get::<_, i32>(1) as u32;
            events.push(Access::Read { key: row.get::<_, i32>(0) as u32, value: (value != 0).then_some(value) });
        }
        Ok(())
    }

    fn write(random: &mut Random, key: u32, number: u32) -> (Access, String) {
        let statement = match random.below(3) {
            0 => format!("INSERT INTO rows VALUES ({key}, {number}) ON CONFLICT (id) DO UPDATE SET content = excluded.content"),
            _ => format!("UPDATE rows SET content = {number} WHERE id = {key}"),
        };
        (Access::Write { key, value: number }, statement)
    }

    fn anomaly(history: &[(Vec<Access>, End)], finals: Vec<Access>, promise: Promise) -> Option<Anomaly> {
        let recorded = history.iter().map(|(accesses, end)| Accesses { accesses: accesses.clone(), end: *end });
        let last = |event| match event {
            Access::Read { key, value } => (key, value),
            Access::Write { .. } => unreachable!("the end is read"),
        };
        register::find_anomaly(&recorded.collect::<Vec<_>>(), &finals.into_iter().map(last).collect::<HashMap<_, _>>(), promise)
    }
}

async fn connect(parameters: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(parameters, NoTls).await.expect("the server in this process answers");
    tokio::spawn(connection);
    client
}

/// One transaction's statements; an error ends it.
async fn run_transaction<W: Workload>(
    client: &Client,
    level: &str,
    random: &mut Random,
    next: &AtomicU32,
    events: &mut Vec<W::Event>,
) -> Result<(), Error> {
    client.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}")).await?;
    if random.below(4) == 0 {
        client.batch_execute(&format!("SET LOCAL lock_timeout = {}", 1 + random.below(5))).await?;
    }
    for _ in 0..1 + random.below(5) {
        if random.below(2) == 0 {
            // Others come in between, and meet locks that are held for a while.
            tokio::time::sleep(Duration::from_millis(random.below(4).into())).await;
        }
        let key = random.below(KEYS);
        match random.below(10) {
            0..4 => W::read(client, &format!("WHERE id = {key}"), events).await?,
            4 => W::read(client, "", events).await?,
            5 => W::read(client, &format!("WHERE id = {key} FOR UPDATE"), events).await?,
            _ => {
                let (event, statement) = W::write(random, key, next.fetch_add(1, Ordering::Relaxed));
                // Recorded first: whoever sees the write of a transaction that fails here has read what never was.
                events.push(event);
                client.batch_execute(&statement).await?;
            }
        }
    }
    Ok(())
}

/// How often what was to be thrown in has come about.
#[derive(Default)]
struct Mishaps {
    cancels: AtomicU32,
    time_outs: AtomicU32,
    deadlocks: AtomicU32,
    conflicts: AtomicU32,
    lost: AtomicU32,
}

impl Mishaps {
    fn note(&self, error: &Error) {
        let place = match error.code().map(|code| code.code()) {
            Some("57014") => &self.cancels,
            Some("55P03") => &self.time_outs,
            Some("40P01") => &self.deadlocks,
            Some("40001") => &self.conflicts,
            _ => panic!("{error:?}"),
        };
        place.fetch_add(1, Ordering::Relaxed);
    }
}

async fn run_client<W: Workload>(
    parameters: String,
    level: &'static str,
    seed: u64,
    next: Arc<AtomicU32>,
    mishaps: Arc<Mishaps>,
) -> Vec<(Vec<W::Event>, End)> {
    const TRANSACTIONS: usize = 20;
    let mut random = Random::new(seed);
    let mut client = connect(&parameters).await;
    let mut history = Vec::new();
    for _ in 0..TRANSACTIONS {
        let mut events = Vec::new();
        let cancels = (random.below(12) == 0).then(|| {
            let (token, after) = (client.cancel_token(), Duration::from_millis(random.below(12).into()));
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                let _ = token.cancel_query(NoTls).await;
            })
        });
        let done = run_transaction::<W>(&client, level, &mut random, &next, &mut events).await;
        let end = match done {
            Err(error) => {
                mishaps.note(&error);
                End::Aborted
            }
            Ok(()) if random.below(20) == 0 => {
                // The connection is lost, its transaction with it.
                client = connect(&parameters).await;
                mishaps.lost.fetch_add(1, Ordering::Relaxed);
                End::Aborted
            }
            Ok(()) => match client.batch_execute("COMMIT").await {
                Ok(()) => End::Committed,
                Err(error) if error.as_db_error().is_some() => {
                    mishaps.note(&error);
                    End::Aborted
                }
                Err(_) => End::Unknown,
            },
        };
        if let Some(cancels) = cancels {
            let _ = cancels.await;
        }
        let _ = client.batch_execute("ROLLBACK").await;
        history.push((events, end));
    }
    history
}

async fn check<W: Workload>(
    server: &TestServer,
    seed: u64,
    level: &'static str,
    promise: Promise,
    mishaps: &Arc<Mishaps>,
) -> usize {
    let parameters = server.parameters();
    let client = connect(&parameters).await;
    let setup = format!("DROP TABLE IF EXISTS rows; {}; INSERT INTO rows SELECT generate_series(0, {})", W::SETUP, KEYS - 1);
    client.batch_execute(&setup).await.expect("the rows are made");
    let clients = 2 + Random::new(seed).below(29) as u64;
    println!("{level}, HISTORY_SEED={seed}: {clients} clients");
    let next = Arc::new(AtomicU32::new(1));
    let running: Vec<_> = (0..clients)
        .map(|number| {
            let seed = seed * 100 + number + 1;
            tokio::spawn(run_client::<W>(parameters.clone(), level, seed, next.clone(), mishaps.clone()))
        })
        .collect();
    let mut history = Vec::new();
    for client in running {
        history.extend(
            tokio::time::timeout(Duration::from_secs(60), client).await.expect("nobody hangs").expect("no client panics"),
        );
    }
    let mut finals = Vec::new();
    W::read(&client, "", &mut finals).await.expect("the rows are read");
    assert_eq!(W::anomaly(&history, finals, promise), None, "{level}, HISTORY_SEED={seed}");
    let leaked = client.query_one("SELECT count(*) FROM pg_locks WHERE locktype IN ('tuple', 'transactionid')", &[]).await;
    assert_eq!(leaked.expect("the locks are read").get::<_, i64>(0), 0, "{level}, HISTORY_SEED={seed}");
    history.iter().filter(|(_, end)| *end == End::Committed).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_over_the_wire_have_no_anomaly_that_their_level_rules_out() {
    let server = TestServer::start().await.unwrap();
    let chosen: Option<u64> = std::env::var("HISTORY_SEED").ok().and_then(|seed| seed.parse().ok());
    let mishaps = Arc::new(Mishaps::default());
    for seed in chosen.map_or(1..4, |seed| seed..seed + 1) {
        for (level, promise) in [
            ("READ COMMITTED", Promise::ReadCommitted),
            ("REPEATABLE READ", Promise::Snapshot),
            ("SERIALIZABLE", Promise::Serializable),
        ] {
            let lists = check::<Lists>(&server, seed, level, promise, &mishaps).await;
            let registers = check::<Registers>(&server, seed, level, promise, &mishaps).await;
            assert!(lists > 0 && registers > 0, "{level}: nothing was committed");
        }
    }
    let Mishaps { cancels, time_outs, deadlocks, conflicts, lost } = &*mishaps;
    println!(
        "{cancels:?} cancels, {time_outs:?} time-outs, {deadlocks:?} deadlocks, {conflicts:?} conflicts, {lost:?} lost clients"
    );
    if chosen.is_none() {
        for count in [cancels, time_outs, deadlocks, conflicts, lost] {
            assert!(count.load(Ordering::Relaxed) > 0, "everything is to happen: see the counts above");
        }
    }
    server.stop().await;
}
