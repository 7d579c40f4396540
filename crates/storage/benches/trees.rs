//! What one operation on a table of a million rows costs, while nobody shares it and with a snapshot taken before every write.
//!
//! `make bench-storage`, or `cargo bench -p heliosdb-storage --bench trees`.

#[path = "../examples/million_rows/table.rs"]
mod table;

use std::{cell::Cell, hint::black_box, ops::Bound};

use divan::{Bencher, counter::ItemsCount};
use heliosdb_storage::{Batch, Chunk, FixedType, IndexBuilder, IndexTree, RowId, Shared, TableData, TxnId, key};
use table::{PRIMARY_KEY, ROWS, columns, million_rows, million_varied_rows, row};
use types::Datum;

#[global_allocator]
static ALLOCATOR: heap::CountedHeap = heap::CountedHeap;

fn main() {
    divan::main();
}

/// Distant row ids, so that little of what an operation needs is in the caches.
fn scattered(turn: &Cell<u64>) -> RowId {
    turn.set(turn.get() + 1);
    RowId(turn.get().wrapping_mul(0x9E37_79B9_7F4A_7C15) % ROWS + 1)
}

/// Whether a clone of the value is taken, and held until the next one, before each write.
#[derive(Clone, Copy, Debug)]
enum Sharing {
    Unshared,
    Shared,
}

const BOTH: [Sharing; 2] = [Sharing::Unshared, Sharing::Shared];

fn write_bench(bencher: Bencher, sharing: Sharing, mut table: TableData, mut write: impl FnMut(&mut TableData, RowId)) {
    let turn = Cell::new(0);
    let mut snapshot = None;
    bencher.bench_local(|| {
        if matches!(sharing, Sharing::Shared) {
            snapshot = Some(table.clone());
        }
        write(&mut table, scattered(&turn));
    });
    drop(snapshot);
}

/// Rows anywhere in the table, and rows that the processor's caches hold.
#[divan::bench(sample_size = 2000, args = [ROWS, 5_000])]
fn read_row(bencher: Bencher, among: u64) {
    let (table, turn) = (million_rows(), Cell::new(0));
    bencher.bench_local(|| drop(black_box(table.rows.get(RowId((scattered(&turn).0 - 1) % among + 1)))));
}

/// Texts of one length need no places of their own; these do.
#[divan::bench(sample_size = 2000)]
fn read_row_of_varied_length(bencher: Bencher) {
    let (table, turn) = (million_varied_rows(), Cell::new(0));
    bencher.bench_local(|| drop(black_box(table.rows.get(scattered(&turn)))));
}

#[divan::bench(sample_size = 2000)]
fn read_one_value(bencher: Bencher) {
    let (table, turn) = (million_rows(), Cell::new(0));
    bencher.bench_local(|| table.rows.datum(scattered(&turn), 3));
}

#[divan::bench(sample_size = 2000)]
fn find_by_primary_key(bencher: Bencher) {
    let (table, turn) = (million_rows(), Cell::new(0));
    let index = table.index(PRIMARY_KEY).expect("the table has it");
    bencher.bench_local(|| {
        let mut bytes = Vec::with_capacity(16);
        key::encode_key_part(&Datum::Int8(scattered(&turn).0 as i64), key::KeyOrder::ASCENDING, &mut bytes)
            .expect("it has an order");
        index.get(&bytes)
    });
}

#[divan::bench(sample_size = 2000)]
fn range_of_ten_by_primary_key(bencher: Bencher) {
    let (table, turn) = (million_rows(), Cell::new(0));
    let index = table.index(PRIMARY_KEY).expect("the table has it");
    bencher.bench_local(|| {
        let mut bytes = Vec::with_capacity(16);
        key::encode_key_part(&Datum::Int8(scattered(&turn).0 as i64), key::KeyOrder::ASCENDING, &mut bytes)
            .expect("it has an order");
        index.range(Bound::Included(&bytes), Bound::Unbounded, false).take(10).map(|row| row.0).sum::<u64>()
    });
}

#[divan::bench(args = BOTH, sample_size = 2000)]
fn update_number(bencher: Bencher, sharing: Sharing) {
    let mut number = 0;
    write_bench(bencher, sharing, million_rows(), |table, id| {
        number += 1;
        table.rows.update_attributes(id, TxnId(2), &[(1, Datum::Int4(number))]);
    });
}

#[divan::bench(args = BOTH, sample_size = 2000)]
fn update_whole_row(bencher: Bencher, sharing: Sharing) {
    let mut number = 0;
    // Made beforehand: counting a reference to a text takes a locked instruction, which would wait for the write of the row before.
    let mut values = row(1);
    write_bench(bencher, sharing, million_rows(), |table, id| {
        number += 1;
        values[0] = Datum::Int8(id.0 as i64);
        values[1] = Datum::Int4(number);
        values[3] = Datum::Int8(id.0 as i64 * 2);
        assert!(table.rows.update(id, TxnId(2), &values));
    });
}

#[divan::bench(args = BOTH, sample_size = 2000)]
fn update_text(bencher: Bencher, sharing: Sharing) {
    let mut number = 0;
    let texts: Vec<_> = (0..10).map(|digit| [(4, Datum::text(&digit.to_string().repeat(72)))]).collect();
    write_bench(bencher, sharing, million_rows(), |table, id| {
        number += 1;
        table.rows.update_attributes(id, TxnId(2), &texts[number % 10]);
    });
}

/// The new text does not fit where the old one is.
#[divan::bench(args = BOTH, sample_size = 2000)]
fn update_text_to_another_length(bencher: Bencher, sharing: Sharing) {
    let mut number = 0;
    let texts: Vec<_> = (73..103).map(|length| [(4, Datum::text(&"x".repeat(length)))]).collect();
    write_bench(bencher, sharing, million_rows(), |table, id| {
        number += 1;
        table.rows.update_attributes(id, TxnId(2), &texts[number % 30]);
    });
}

#[divan::bench(args = BOTH, sample_size = 2000)]
fn append_row(bencher: Bencher, sharing: Sharing) {
    let (mut next, values) = (ROWS, row(1));
    write_bench(bencher, sharing, million_rows(), |table, _| {
        next += 1;
        table.rows.insert(RowId(next), TxnId(next), &values);
    });
}

#[divan::bench(args = BOTH, sample_size = 2000)]
fn append_row_with_primary_key(bencher: Bencher, sharing: Sharing) {
    let (mut next, values) = (ROWS, row(1));
    write_bench(bencher, sharing, million_rows(), |table, _| {
        next += 1;
        let mut values = values.clone();
        values[0] = Datum::Int8(next as i64);
        table.insert(RowId(next), TxnId(next), &values.into()).expect("its key has an order");
    });
}

fn index_bench(bencher: Bencher, sharing: Sharing, mut write: impl FnMut(&mut IndexTree, u64)) {
    let mut builder = IndexBuilder::default();
    (0..ROWS).for_each(|number| builder.push(&(number << 8).to_be_bytes(), RowId(number)));
    let (mut index, turn) = (builder.build().expect("no key has to be unique"), Cell::new(0));
    let mut snapshot = None;
    bencher.bench_local(|| {
        if matches!(sharing, Sharing::Shared) {
            snapshot = Some(index.clone());
        }
        write(&mut index, scattered(&turn).0);
    });
    drop(snapshot);
}

#[divan::bench(args = BOTH, sample_size = 2000)]
fn index_insert_scattered(bencher: Bencher, sharing: Sharing) {
    let mut turn = 0;
    index_bench(bencher, sharing, |index, number| {
        turn += 1;
        index.insert(&((number << 8) + turn % 255).to_be_bytes(), RowId(number));
    });
}

#[divan::bench(args = BOTH, sample_size = 2000)]
fn index_move_entry(bencher: Bencher, sharing: Sharing) {
    index_bench(bencher, sharing, |index, number| {
        index.remove(&(number << 8).to_be_bytes(), RowId(number));
        index.insert(&(number << 8).to_be_bytes(), RowId(number));
    });
}

#[divan::bench]
fn sum_of_a_column(bencher: Bencher) {
    let table = million_rows();
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let sum_of = |chunk: Shared<Chunk>| {
            let values = i32::values(&chunk.columns()[1]);
            if chunk.live() == chunk.slots() {
                values.iter().map(|&value| i64::from(value)).sum::<i64>()
            } else {
                chunk.presence().ones().map(|slot| i64::from(values[slot])).sum()
            }
        };
        table.rows.chunks().map(sum_of).sum::<i64>()
    });
}

#[divan::bench(sample_count = 5)]
fn bulk_insert_million(bencher: Bencher) {
    let rows = Batch::new(columns(1, ROWS, row), ROWS as usize);
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let mut table = table::empty();
        table.insert_batch(RowId(1), TxnId(1), &rows).expect("its key has an order");
        table
    });
}

#[divan::bench(sample_count = 5)]
fn clone_and_drop_snapshot(bencher: Bencher) {
    let table = million_rows();
    bencher.bench_local(|| black_box(table.clone()));
}
