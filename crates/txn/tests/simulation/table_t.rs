//! A table `t (id int4 primary key, v int4)` and statements over it, for tests.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use catalog::Catalog;
use heliosdb_txn::{
    DatabaseState, IsolationLevel, LockWait, Staged, StatementWrites, Store, TableWrites, Transaction, TransactionOptions,
};
use storage::{Batch, Column, IndexId, IndexShape, Row, RowId, TableData, TableId, key::KeyOrder};
use types::{Datum, Oid, Physical, Result};

pub(crate) const T: TableId = TableId(20000);
pub(crate) const T_OID: Oid = Oid(20001);
pub(crate) const PKEY: IndexId = IndexId(20002);

pub(crate) fn store(rows: &[(i32, i32)]) -> Arc<Store> {
    let store = Store::new(Catalog::new());
    let mut setup = begin_at(&store, 1, IsolationLevel::ReadCommitted);
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
    let mut setup = begin_at(&store, 1, IsolationLevel::ReadCommitted);
    assert!(matches!(insert(&mut setup, rows), Staged::Done));
    setup.commit().expect("nobody else is there");
    store
}

pub(crate) fn begin_at(store: &Arc<Store>, pid: i32, isolation: IsolationLevel) -> Transaction {
    store.begin(TransactionOptions { isolation, ..TransactionOptions::default() }, pid)
}

pub(crate) fn values(id: i32, v: i32) -> Row {
    [Datum::Int4(id), Datum::Int4(v)].into()
}

pub(crate) fn pair(row: &Row) -> (i32, i32) {
    match (&row[0], &row[1]) {
        (Datum::Int4(id), Datum::Int4(v)) => (*id, *v),
        _ => unreachable!("the table has two int4 columns"),
    }
}

pub(crate) fn scan(data: &TableData) -> Vec<(RowId, Row)> {
    let mut rows = Vec::new();
    for chunk in data.rows.chunks() {
        rows.extend(chunk.presence().ones().map(|slot| (chunk.row_id(slot), chunk.row(slot))));
    }
    rows
}

/// The rows by key, as the index agrees that they are.
pub(crate) fn rows_of_table(data: &TableData) -> BTreeMap<i32, i32> {
    let rows = scan(data);
    let by_key: BTreeMap<i32, i32> = rows.iter().map(|(_, row)| pair(row)).collect();
    assert_eq!(by_key.len(), rows.len(), "a key is there twice");
    let indexed = data.index(PKEY).expect("it is there").prefix(&[], false);
    let indexed: Vec<i32> = indexed.map(|row| pair(&data.rows.get(row).expect("entries have rows")).0).collect();
    assert_eq!(indexed, by_key.keys().copied().collect::<Vec<_>>(), "the index differs from the rows");
    by_key
}

pub(crate) fn rows_of(state: &DatabaseState) -> BTreeMap<i32, i32> {
    rows_of_table(state.table(T).expect("it is there"))
}

pub(crate) fn writes() -> TableWrites {
    TableWrites {
        table: T,
        relation: T_OID,
        relation_name: "t".into(),
        inserts: Vec::new(),
        updates: Vec::new(),
        deletes: Vec::new(),
    }
}

pub(crate) fn stage(transaction: &mut Transaction, table: TableWrites) -> Staged {
    transaction.stage(&StatementWrites { tables: vec![table], locks: Vec::new() })
}

pub(crate) fn insert(transaction: &mut Transaction, rows: &[(i32, i32)]) -> Staged {
    transaction.begin_statement().expect("a view");
    stage(transaction, insert_of(rows))
}

pub(crate) fn insert_of(rows: &[(i32, i32)]) -> TableWrites {
    let column = |value: fn(&(i32, i32)) -> i32| {
        let values: Vec<Datum> = rows.iter().map(|row| Datum::Int4(value(row))).collect();
        Arc::new(Column::from_datums(Physical::Int4, &values))
    };
    let columns = vec![column(|row| row.0), column(|row| row.1)];
    TableWrites { inserts: vec![Batch::new(columns, rows.len())], ..writes() }
}

/// UPDATE t SET (id, v) = change(id, v), computed but not staged; None leaves a row alone.
pub(crate) fn update_of(transaction: &mut Transaction, change: impl Fn(i32, i32) -> Option<(i32, i32)>) -> TableWrites {
    transaction.begin_statement().expect("a view");
    let mut updates = Vec::new();
    for (id, row) in scan(&transaction.table(T).expect("it is there")) {
        let (key, v) = pair(&row);
        updates.extend(change(key, v).map(|(new_key, new_v)| (id, row, values(new_key, new_v))));
    }
    TableWrites { updates, ..writes() }
}

pub(crate) fn delete_of(transaction: &mut Transaction, key: i32) -> TableWrites {
    transaction.begin_statement().expect("a view");
    let rows = scan(&transaction.table(T).expect("it is there"));
    TableWrites { deletes: rows.into_iter().filter(|(_, row)| pair(row).0 == key).collect(), ..writes() }
}

pub(crate) fn select(transaction: &mut Transaction) -> BTreeMap<i32, i32> {
    transaction.begin_statement().expect("a view");
    let data = transaction.table(T).expect("it is there");
    transaction.end_statement();
    rows_of_table(&data)
}

pub(crate) fn poll(wait: &mut LockWait) -> Poll<Result<()>> {
    Pin::new(wait).poll(&mut Context::from_waker(Waker::noop()))
}
