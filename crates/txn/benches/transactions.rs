//! What a transaction costs without SQL around it: single rows by key, in a table with a primary key.

use std::{hint::black_box, ops::Bound, sync::Arc};

use catalog::Catalog;
use divan::{Bencher, counter::ItemsCount};
use heliosdb_txn::{
    IsolationLevel, LockMode, LockTag, ReadPredicate, Staged, StatementWrites, Store, TableWrites, Transaction,
    TransactionOptions,
};
use storage::{
    Batch, Column, IndexId, IndexShape, Row, RowId, TableData, TableId,
    key::{KeyOrder, encode_key_part},
};
use types::{Datum, Oid, Physical};

const T: TableId = TableId(20000);
const PKEY: IndexId = IndexId(20002);
const ROWS: i32 = 100_000;

fn main() {
    divan::main();
}

fn store(rows: i32) -> Arc<Store> {
    let store = Store::new(Catalog::new());
    let mut setup = begin(&store);
    setup
        .change_schema(|change| {
            let mut data = TableData::new(&[Physical::Int4, Physical::Int4]);
            let shape = IndexShape {
                id: PKEY,
                unique: true,
                nulls_not_distinct: false,
                deferrable: false,
                order: [KeyOrder::ASCENDING].into(),
                attributes: Some([0].into()),
                trimmed: [false].into(),
                source: None,
            };
            data.add_index(Arc::new(shape))?.expect("the table is empty");
            change.put_table(T, data);
            Ok(())
        })
        .expect("nothing is there");
    setup.commit().expect("nobody else is there");
    if rows > 0 {
        let mut setup = begin(&store);
        setup.begin_statement().expect("a view");
        stage(&mut setup, insert_of(0..rows));
        setup.commit().expect("nobody else is there");
    }
    store
}

fn begin(store: &Arc<Store>) -> Transaction {
    store.begin(TransactionOptions::default(), 1)
}

fn writes() -> TableWrites {
    TableWrites {
        table: T,
        relation: Oid(20001),
        relation_name: "t".into(),
        inserts: Vec::new(),
        updates: Vec::new(),
        deletes: Vec::new(),
    }
}

fn insert_of(keys: std::ops::Range<i32>) -> TableWrites {
    let keys: Vec<Datum> = keys.map(Datum::Int4).collect();
    let column = Arc::new(Column::from_datums(Physical::Int4, &keys));
    TableWrites { inserts: vec![Batch::new(vec![Arc::clone(&column), column], keys.len())], ..writes() }
}

fn stage(transaction: &mut Transaction, table: TableWrites) {
    let staged = transaction.stage(&StatementWrites { tables: vec![table], locks: Vec::new() });
    assert!(matches!(staged, Staged::Done));
}

/// What a plan does for `WHERE id = $1`.
fn find(data: &TableData, key: i32) -> (RowId, Row) {
    let (shape, tree) = &data.indexes[0];
    let mut bytes = Vec::new();
    shape.append_part(0, &Datum::Int4(key), &mut bytes).expect("an int4 has an order");
    let row = tree.get(&bytes).expect("the key is there");
    (row, data.rows.get(row).expect("the index points to rows"))
}

fn insert(store: &Arc<Store>, key: i32, relation_name: &Arc<str>) {
    let mut transaction = begin(store);
    transaction.begin_statement().expect("a view");
    let mut table = insert_of(key..key + 1);
    table.relation_name = Arc::clone(relation_name);
    stage(&mut transaction, table);
    transaction.end_statement();
    transaction.commit().expect("no conflict");
}

fn update(store: &Arc<Store>, key: i32) {
    let mut transaction = begin(store);
    transaction.begin_statement().expect("a view");
    let (row, before) = find(&transaction.table(T).expect("it is there"), key);
    let after = [before[0].clone(), Datum::Int4(key ^ 1)].into();
    stage(&mut transaction, TableWrites { updates: vec![(row, before, after)], ..writes() });
    transaction.end_statement();
    transaction.commit().expect("no conflict");
}

#[divan::bench(sample_size = 2000)]
fn autocommitted_insert(bencher: Bencher<'_, '_>) {
    let (store, name) = (store(0), "t".into());
    let mut key = 0;
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        insert(&store, key, &name);
        key += 1;
    });
}

#[divan::bench(sample_size = 2000)]
fn autocommitted_update_by_key(bencher: Bencher<'_, '_>) {
    let store = store(ROWS);
    let mut key = 0;
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        key = (key + 7919) % ROWS;
        update(&store, key);
    });
}

#[divan::bench(sample_size = 2000)]
fn autocommitted_update_while_a_snapshot_is_held(bencher: Bencher<'_, '_>) {
    let store = store(ROWS);
    let mut key = 0;
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        key = (key + 7919) % ROWS;
        let snapshot = store.snapshot();
        update(&store, key);
        drop(snapshot);
    });
}

#[divan::bench(sample_size = 2000)]
fn select_by_key(bencher: Bencher<'_, '_>) {
    let store = store(ROWS);
    let mut key = 0;
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        key = (key + 7919) % ROWS;
        let mut transaction = begin(&store);
        transaction.begin_statement().expect("a view");
        black_box(find(&transaction.table(T).expect("it is there"), key));
        transaction.end_statement();
        transaction.commit().expect("nothing was written");
    });
}

#[divan::bench(sample_size = 2000, args = [IsolationLevel::RepeatableRead, IsolationLevel::Serializable])]
fn update_at_level(bencher: Bencher<'_, '_>, isolation: IsolationLevel) {
    let store = store(ROWS);
    let mut key = 0;
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        key = (key + 7919) % ROWS;
        let mut transaction = store.begin(TransactionOptions { isolation, ..TransactionOptions::default() }, 1);
        transaction.begin_statement().expect("a view");
        let (row, before) = find(&transaction.table(T).expect("it is there"), key);
        let after = [before[0].clone(), Datum::Int4(key ^ 1)].into();
        stage(&mut transaction, TableWrites { updates: vec![(row, before, after)], ..writes() });
        transaction.commit().expect("no conflict");
    });
}

/// Reads two rows by key, changes them, commits, while as many others are about it as there are transactions open.
#[divan::bench(args = [1, 20, 50])]
fn serializable_among(bencher: Bencher<'_, '_>, open: usize) {
    let store = store(ROWS);
    let begin =
        || store.begin(TransactionOptions { isolation: IsolationLevel::Serializable, ..TransactionOptions::default() }, 1);
    let mut transactions: std::collections::VecDeque<(Transaction, i32)> = std::collections::VecDeque::new();
    let mut key = 0;
    bencher.counter(ItemsCount::new(1000u32)).bench_local(|| {
        for _ in 0..1000 {
            key = (key + 7919) % (ROWS - 1);
            let mut transaction = begin();
            for key in [key, key + 1] {
                transaction.begin_statement().expect("a view");
                black_box(find(&transaction.table_for(T, [only(key)]).expect("it is there"), key));
                transaction.check_dependencies().expect("nobody else has this key");
            }
            transactions.push_back((transaction, key));
            if transactions.len() < open {
                continue;
            }
            let (mut transaction, first) = transactions.pop_front().expect("one was put there");
            for key in [first, first + 1] {
                transaction.begin_statement().expect("a view");
                let (row, before) = find(&transaction.table_for(T, [only(key)]).expect("it is there"), key);
                let after = [before[0].clone(), Datum::Int4(key ^ 1)].into();
                stage(&mut transaction, TableWrites { updates: vec![(row, before, after)], ..writes() });
            }
            transaction.commit().expect("no conflict");
        }
    });
}

/// The predicate of `id = key`.
fn only(key: i32) -> ReadPredicate {
    let mut bytes = Vec::new();
    encode_key_part(&Datum::Int4(key), KeyOrder::ASCENDING, &mut bytes).expect("an int4 has an order");
    let bytes = bytes.into_boxed_slice();
    ReadPredicate::Keys { index: PKEY, lower: Bound::Included(bytes.clone()), upper: Bound::Included(bytes) }
}

/// BEGIN; 1000 inserts, each read back; COMMIT.
#[divan::bench]
fn insert_within_a_transaction(bencher: Bencher<'_, '_>) {
    let store = store(0);
    let mut key = 0;
    bencher.counter(ItemsCount::new(1000u32)).bench_local(|| {
        let mut transaction = begin(&store);
        for _ in 0..1000 {
            transaction.begin_statement().expect("a view");
            stage(&mut transaction, insert_of(key..key + 1));
            transaction.begin_statement().expect("a view");
            black_box(transaction.table(T).expect("it is there"));
            transaction.end_statement();
            key += 1;
        }
        transaction.commit().expect("no conflict");
    });
}

#[divan::bench(sample_size = 2000)]
fn savepoint_and_release(bencher: Bencher<'_, '_>) {
    let store = store(ROWS);
    let mut transaction = begin(&store);
    transaction.begin_statement().expect("a view");
    stage(&mut transaction, insert_of(ROWS..ROWS + 1));
    bencher.bench_local(|| {
        let savepoint = transaction.savepoint();
        transaction.release(black_box(savepoint));
    });
}

/// What a client that guards every statement does: SAVEPOINT, an update by key, RELEASE. To be compared with `update_in_a_block`.
#[divan::bench]
fn update_under_a_savepoint(bencher: Bencher<'_, '_>) {
    update_many_times(bencher, |transaction, update| {
        let savepoint = transaction.savepoint();
        update(transaction);
        transaction.release(savepoint);
    });
}

#[divan::bench]
fn update_rolled_back_to_a_savepoint(bencher: Bencher<'_, '_>) {
    update_many_times(bencher, |transaction, update| {
        let savepoint = transaction.savepoint();
        update(transaction);
        transaction.rollback_to(savepoint);
    });
}

#[divan::bench]
fn update_in_a_block(bencher: Bencher<'_, '_>) {
    update_many_times(bencher, |transaction, update| update(transaction));
}

/// BEGIN; 1000 updates of different rows, each within `guard`; COMMIT.
fn update_many_times(bencher: Bencher<'_, '_>, guard: impl Fn(&mut Transaction, &mut dyn FnMut(&mut Transaction))) {
    let store = store(ROWS);
    let mut key = 0;
    bencher.counter(ItemsCount::new(1000u32)).bench_local(|| {
        let mut transaction = begin(&store);
        for _ in 0..1000 {
            key = (key + 7919) % ROWS;
            guard(&mut transaction, &mut |transaction| {
                transaction.begin_statement().expect("a view");
                let (row, before) = find(&transaction.table(T).expect("it is there"), key);
                let after = [before[0].clone(), Datum::Int4(key ^ 1)].into();
                stage(transaction, TableWrites { updates: vec![(row, before, after)], ..writes() });
                transaction.end_statement();
            });
        }
        transaction.commit().expect("no conflict");
    });
}

#[divan::bench(sample_size = 2000)]
fn lock_and_release(bencher: Bencher<'_, '_>) {
    let store = Store::new(Catalog::new());
    bencher.counter(ItemsCount::new(100u32)).bench_local(|| {
        let mut transaction = begin(&store);
        for row in 0..100 {
            assert!(transaction.try_lock(&LockTag::Row(T, RowId(row)), LockMode::Update));
        }
        drop(transaction);
    });
}

/// Each thread updates rows of its own.
#[divan::bench(sample_size = 2000, threads = [1, 2])]
fn parallel_updates(bencher: Bencher<'_, '_>) {
    static NEXT: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(0);
    let store = store(ROWS);
    bencher.counter(ItemsCount::new(1u32)).bench(|| {
        let key = NEXT.fetch_add(7919, std::sync::atomic::Ordering::Relaxed).rem_euclid(ROWS);
        update(&store, key);
    });
}
