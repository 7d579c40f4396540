//! What one autocommitted statement costs a program that embeds the database, beside SQLite in memory: prepared statements on a table
//! of 100,000 rows with a primary key.
//!
//! `cargo bench -p heliosdb-nano`

use std::cell::Cell;

use divan::{Bencher, black_box};
use heliosdb_nano::EmbeddedDatabase;

#[global_allocator]
static ALLOCATOR: heap::CountedHeap = heap::CountedHeap;

const ROWS: i64 = 100_000;
const CREATE: &str = "CREATE TABLE t (id bigint PRIMARY KEY, v int, pad text)";
const INSERT: &str = "INSERT INTO t VALUES ($1, $2, $3)";
const UPDATE: &str = "UPDATE t SET v = v + 1 WHERE id = $1";
const SELECT: &str = "SELECT v FROM t WHERE id = $1";
const PAD: &str = "some text of forty characters for a row.";

fn main() {
    divan::main();
}

/// Keys all over the table, in an order that no cache follows.
fn scattered(turn: &Cell<i64>) -> i64 {
    turn.set(turn.get() + 1);
    turn.get().wrapping_mul(7_919_777) % ROWS
}

fn database() -> EmbeddedDatabase {
    let database = EmbeddedDatabase::new_in_memory().expect("memory suffices");
    database.execute(CREATE).expect("it is there yet");
    let fill = format!("INSERT INTO t SELECT i, i % 1000, '{PAD}' FROM generate_series(0, {}) i", ROWS - 1);
    database.execute(&fill).expect("the keys differ");
    database
}

fn sqlite() -> rusqlite::Connection {
    let sqlite = rusqlite::Connection::open_in_memory().expect("memory suffices");
    // SQLite's own key: a bigint primary key would be a second tree.
    sqlite.execute_batch(&CREATE.replace("bigint", "integer")).expect("it is there yet");
    sqlite.execute_batch("BEGIN").expect("nothing is open");
    let mut insert = sqlite.prepare(INSERT).expect("the table is there");
    for id in 0..ROWS {
        insert.execute((id, id % 1000, PAD)).expect("the keys differ");
    }
    drop(insert);
    sqlite.execute_batch("COMMIT").expect("a transaction is open");
    sqlite
}

mod point_select {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn heliosdb(bencher: Bencher) {
        let (database, turn) = (database(), Cell::new(0));
        let select = database.prepare(SELECT).expect("the table is there");
        bencher.bench_local(|| {
            let rows = select.query(&[&scattered(&turn)]).expect("nothing fails");
            black_box(rows[0].get::<i32>(0).expect("an integer"))
        });
    }

    #[divan::bench(sample_size = 1000)]
    fn sqlite(bencher: Bencher) {
        let (sqlite, turn) = (super::sqlite(), Cell::new(0));
        let mut select = sqlite.prepare(SELECT).expect("the table is there");
        bencher.bench_local(|| select.query_row([scattered(&turn)], |row| row.get::<_, i32>(0)).expect("the row is there"));
    }
}

mod update {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn heliosdb(bencher: Bencher) {
        let (database, turn) = (database(), Cell::new(0));
        let update = database.prepare(UPDATE).expect("the table is there");
        bencher.bench_local(|| update.execute(&[&scattered(&turn)]).expect("nobody else writes"));
    }

    #[divan::bench(sample_size = 1000)]
    fn sqlite(bencher: Bencher) {
        let (sqlite, turn) = (super::sqlite(), Cell::new(0));
        let mut update = sqlite.prepare(UPDATE).expect("the table is there");
        bencher.bench_local(|| update.execute([scattered(&turn)]).expect("nobody else writes"));
    }
}

mod insert {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn heliosdb(bencher: Bencher) {
        let (database, next) = (database(), Cell::new(ROWS));
        let insert = database.prepare(INSERT).expect("the table is there");
        bencher.bench_local(|| {
            next.set(next.get() + 1);
            insert.execute(&[&next.get(), &7, &PAD]).expect("the key is new")
        });
    }

    #[divan::bench(sample_size = 1000)]
    fn sqlite(bencher: Bencher) {
        let (sqlite, next) = (super::sqlite(), Cell::new(ROWS));
        let mut insert = sqlite.prepare(INSERT).expect("the table is there");
        bencher.bench_local(|| {
            next.set(next.get() + 1);
            insert.execute((next.get(), 7, PAD)).expect("the key is new")
        });
    }
}
