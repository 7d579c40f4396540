//! Random histories over the wire, checked for the anomalies that their isolation level rules out: lists in a `text` column are appended
//! to and read by 2 to 30 connections, some of which are cancelled or lost on the way.
//!
//! What a connection does comes from its seed, `HISTORY_SEED=n` chooses one; how the connections meet is the machine's.

use std::{collections::HashMap, sync::Arc, sync::atomic::AtomicU32, sync::atomic::Ordering, time::Duration};

use testkit::{
    TestServer,
    history::{End, Operation, Promise, Recorded, find_anomaly},
};
use tokio_postgres::{Client, Error, NoTls};

const KEYS: u32 = 6;

/// A generator that needs no crate: xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as u32 % end
    }
}

async fn connect(parameters: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(parameters, NoTls).await.expect("the server in this process answers");
    tokio::spawn(connection);
    client
}

fn elements(text: &str) -> Vec<u32> {
    text.split_terminator(',').map(|element| element.parse().expect("only numbers are appended")).collect()
}

/// One transaction's statements; an error ends it.
async fn run_transaction(
    client: &Client,
    level: &str,
    random: &mut Random,
    next: &AtomicU32,
    recorded: &mut Vec<Operation>,
) -> Result<(), Error> {
    client.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}")).await?;
    for _ in 0..1 + random.below(5) {
        let key = random.below(KEYS);
        match random.below(10) {
            0..4 => {
                let row = client.query_one(&format!("SELECT elements FROM lists WHERE id = {key}"), &[]).await?;
                recorded.push(Operation::Read { key, list: elements(row.get(0)) });
            }
            4 => {
                for row in client.query("SELECT id, elements FROM lists", &[]).await? {
                    recorded.push(Operation::Read { key: row.get::<_, i32>(0) as u32, list: elements(row.get(1)) });
                }
            }
            _ => {
                let element = next.fetch_add(1, Ordering::Relaxed);
                // Recorded first: whoever sees the append of a transaction that fails here has read what never was.
                recorded.push(Operation::Append { key, element });
                let update = format!("UPDATE lists SET elements = elements || '{element},' WHERE id = {key}");
                client.batch_execute(&update).await?;
            }
        }
    }
    Ok(())
}

async fn run_client(parameters: String, level: &'static str, seed: u64, count: usize, next: Arc<AtomicU32>) -> Vec<Recorded> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut client = connect(&parameters).await;
    let mut history = Vec::new();
    for _ in 0..count {
        let mut operations = Vec::new();
        let cancels = (random.below(12) == 0).then(|| {
            let (token, after) = (client.cancel_token(), Duration::from_micros(random.below(2000).into()));
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                let _ = token.cancel_query(NoTls).await;
            })
        });
        let done = run_transaction(&client, level, &mut random, &next, &mut operations).await;
        let end = match done {
            Err(_) => End::Aborted,
            Ok(()) if random.below(20) == 0 => {
                // The connection is lost, its transaction with it.
                client = connect(&parameters).await;
                End::Aborted
            }
            Ok(()) => match client.batch_execute("COMMIT").await {
                Ok(()) => End::Committed,
                Err(error) if error.as_db_error().is_some() => End::Aborted,
                Err(_) => End::Unknown,
            },
        };
        if let Some(cancels) = cancels {
            let _ = cancels.await;
        }
        let _ = client.batch_execute("ROLLBACK").await;
        history.push(Recorded { operations, end });
    }
    history
}

async fn check(server: &TestServer, seed: u64, level: &'static str, promise: Promise) -> usize {
    let parameters = server.parameters();
    let client = connect(&parameters).await;
    let setup = "DROP TABLE IF EXISTS lists; CREATE TABLE lists (id int PRIMARY KEY, elements text NOT NULL);";
    client.batch_execute(setup).await.expect("the lists are made");
    client
        .batch_execute(&format!("INSERT INTO lists SELECT generate_series(0, {}), ''", KEYS - 1))
        .await
        .expect("the lists are made");
    let clients = 2 + Random(seed.wrapping_mul(7919) | 1).below(29) as u64;
    let next = Arc::new(AtomicU32::new(1));
    let running: Vec<_> = (0..clients)
        .map(|number| tokio::spawn(run_client(parameters.clone(), level, seed * 100 + number + 1, 20, next.clone())))
        .collect();
    let mut history = Vec::new();
    for client in running {
        history.extend(
            tokio::time::timeout(Duration::from_secs(60), client).await.expect("nobody hangs").expect("no client panics"),
        );
    }
    let mut finals = HashMap::new();
    for row in client.query("SELECT id, elements FROM lists", &[]).await.expect("the lists are read") {
        finals.insert(row.get::<_, i32>(0) as u32, elements(row.get(1)));
    }
    assert_eq!(find_anomaly(&history, &finals, promise), None, "{level}, HISTORY_SEED={seed}");
    history.iter().filter(|transaction| transaction.end == End::Committed).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_over_the_wire_have_no_anomaly_that_their_level_rules_out() {
    let server = TestServer::start().await.unwrap();
    let chosen: Option<u64> = std::env::var("HISTORY_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in chosen.map_or(1..4, |seed| seed..seed + 1) {
        for (level, promise) in [
            ("READ COMMITTED", Promise::ReadCommitted),
            ("REPEATABLE READ", Promise::Snapshot),
            ("SERIALIZABLE", Promise::Serializable),
        ] {
            let committed = check(&server, seed, level, promise).await;
            assert!(committed > 0, "{level}: nothing was committed");
        }
    }
    server.stop().await;
}
