//! What the operators' vector work costs a row: gathering, joining and hashing columns of a thousand values.
//!
//! `make bench-storage`, or `cargo bench -p heliosdb-storage --bench columns`.

use divan::{Bencher, counter::ItemsCount};
use heliosdb_storage::Column;
use types::{Datum, Numeric, Physical};

#[global_allocator]
static ALLOCATOR: heap::CountedHeap = heap::CountedHeap;

const ROWS: u32 = 1024;
const TYPES: [Physical; 4] = [Physical::Int4, Physical::Float8, Physical::Numeric, Physical::Text];

fn main() {
    divan::main();
}

fn column(physical: Physical) -> Column {
    let datums: Vec<Datum> = (0..ROWS)
        .map(|row| match physical {
            Physical::Int4 => Datum::Int4(row as i32 * 7),
            Physical::Float8 => Datum::Float8(f64::from(row) / 4.0),
            Physical::Numeric => Datum::Numeric(Numeric::from_parts(i64::from(row) * 99, 2)),
            _ => Datum::text(&format!("{row:x>32}")),
        })
        .collect();
    let mut column = Column::from_datums(physical, &datums);
    column.shrink();
    column
}

/// Every third row, backwards.
fn some_rows() -> Vec<u32> {
    (0..ROWS).rev().step_by(3).collect()
}

#[divan::bench(args = TYPES)]
fn take_a_third(bencher: Bencher, physical: Physical) {
    let (column, rows) = (column(physical), some_rows());
    bencher.counter(ItemsCount::new(rows.len())).bench_local(|| column.take(&rows));
}

#[divan::bench(args = TYPES)]
fn append_a_third(bencher: Bencher, physical: Physical) {
    let (column, rows) = (column(physical), some_rows());
    bencher.counter(ItemsCount::new(rows.len())).with_inputs(|| Column::new(physical)).bench_local_refs(|joined| {
        joined.append_taken(&column, &rows);
    });
}

#[divan::bench(args = TYPES)]
fn hash(bencher: Bencher, physical: Physical) {
    let (column, mut hashes) = (column(physical), vec![0; ROWS as usize]);
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| column.hash_into(&mut hashes));
}

#[divan::bench(args = TYPES)]
fn equal_rows(bencher: Bencher, physical: Physical) {
    let (left, right) = (column(physical), column(physical));
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| (0..ROWS as usize).filter(|&row| left.eq_rows(row, &right, row)).count());
}
