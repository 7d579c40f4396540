//! Prints by how much the process grows for a million rows of about a hundred bytes with a bigint primary key: loaded in batches,
//! inserted one by one, after every row is updated, and after all but a few are deleted.
//!
//! `cargo run --release -p heliosdb-storage --example million_rows`

mod table;

use heliosdb_storage::{RowId, TableData, TxnId};
use table::{ROWS, empty, million_rows, million_varied_rows, row};
use types::Datum;

#[global_allocator]
static ALLOCATOR: heap::CountedHeap = heap::CountedHeap;

/// Resident memory of this process in megabytes, from /proc.
fn resident_mb() -> f64 {
    // Freed pages go back to the system a while later, when the allocator is used again.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    (0..1000).for_each(|size| drop(std::hint::black_box(vec![0u8; size * 100])));
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("the kernel reports it");
    let kilobytes: f64 = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number of kilobytes");
    kilobytes * 1024.0 / 1e6
}

fn report(what: &str, before: f64, table: &TableData) {
    let (grown, counted) = (resident_mb() - before, table.heap_size() as f64 / 1e6);
    println!("{what:<36} {grown:>7.1} MB more in the process, {counted:>7.1} MB counted");
}

fn main() {
    let start = resident_mb();
    let mut table = million_rows();
    report("loaded in batches", start, &table);
    for id in 1..=ROWS {
        let mut values = row(id);
        values[1] = Datum::Int4(-1);
        values[4] = Datum::text(&format!("{id:y>72}"));
        table.update(RowId(id), TxnId(id), &values.into()).expect("its key has an order");
    }
    report("after updating every row", start, &table);
    for id in (1..=ROWS).filter(|id| id % 100 != 0) {
        table.delete(RowId(id)).expect("its key has an order");
    }
    report("after deleting 99 of 100 rows", start, &table);
    drop(table);
    println!("{:<36} {:>7.1} MB more in the process", "after dropping the table", resident_mb() - start);

    let start = resident_mb();
    let table = million_varied_rows();
    report("loaded with texts of many lengths", start, &table);
    drop(table);

    let start = resident_mb();
    let mut table = empty();
    for id in 1..=ROWS {
        table.insert(RowId(id), TxnId(id), &row(id).into()).expect("its key has an order");
    }
    report("inserted one by one", start, &table);
}
