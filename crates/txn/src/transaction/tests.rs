//! Transactions over one small table `t (id int4 primary key, v int4)`.

use std::{future::Future, sync::Arc};

use catalog::{
    Attribute, Catalog, Constraint, ConstraintKind, IndexColumn, IndexDefinition, IndexKey, Persistence, Relation, RelationKind,
    Schema,
};
use storage::{Batch, Column, IndexId, IndexShape, Row, RowId, TableData, TableId, key::KeyOrder};
use types::{Datum, Oid, Physical, Result, SqlType};

use crate::{
    IsolationLevel, LockMode, LockTag, LockWait, ReadPredicate, Staged, StatementWrites, Store, TableWrites, Transaction,
    TransactionOptions,
};

const T: TableId = TableId(20000);
const T_OID: Oid = Oid(20001);
const PKEY: IndexId = IndexId(20002);

fn attribute(name: &str) -> Attribute {
    Attribute {
        name: name.into(),
        ty: SqlType::INT4,
        not_null: true,
        dropped: false,
        default: None,
        identity: None,
        generated: None,
        collation: Oid::INVALID,
        comment: None,
        storage: None,
        is_local: true,
    }
}

fn relation(oid: Oid, name: &str, kind: RelationKind, attributes: Vec<Attribute>) -> Relation {
    Relation {
        oid,
        schema: Oid::PUBLIC_NAMESPACE,
        name: name.into(),
        owner: Oid::BOOTSTRAP_ROLE,
        persistence: Persistence::Permanent,
        kind,
        attributes,
        constraints: Vec::new(),
        indexes: Vec::new(),
        row_type: Oid::INVALID,
        row_array_type: Oid::INVALID,
        options: Vec::new(),
        comment: None,
        owned_by: None,
    }
}

fn shape() -> Arc<IndexShape> {
    Arc::new(IndexShape {
        id: PKEY,
        unique: true,
        nulls_not_distinct: false,
        deferrable: false,
        order: [KeyOrder::ASCENDING].into(),
        attributes: Some([0].into()),
        trimmed: [false].into(),
        source: None,
    })
}

/// A store with the table and these rows.
fn store(rows: &[(i32, i32)]) -> Arc<Store> {
    let mut catalog = Catalog::new();
    catalog.reserve_oids(Oid(20100));
    let mut table = relation(T_OID, "t", RelationKind::Table { storage: T }, vec![attribute("id"), attribute("v")]);
    table.indexes.push(Oid(PKEY.0));
    let kind = ConstraintKind::PrimaryKey { index: Oid(PKEY.0), columns: vec![0] };
    table.constraints.push(Constraint {
        oid: Oid(20003),
        name: "t_pkey".into(),
        kind,
        deferrable: false,
        initially_deferred: false,
        validated: true,
        comment: None,
    });
    catalog.put_relation(table);
    let column = IndexColumn {
        key: IndexKey::Attribute(0),
        ty: SqlType::INT4,
        order: KeyOrder::ASCENDING,
        collation: Oid::INVALID,
        operator_class: None,
    };
    let index = IndexDefinition {
        table: T_OID,
        method: "btree".into(),
        columns: vec![column],
        included: Vec::new(),
        unique: true,
        primary: true,
        nulls_not_distinct: false,
        deferrable: false,
        predicate: None,
    };
    catalog.put_relation(relation(Oid(PKEY.0), "t_pkey", RelationKind::Index(index), Vec::new()));
    let store = Store::new(catalog);
    let mut setup = begin(&store, 1);
    setup
        .change_schema(|change| {
            let mut data = TableData::new(&[Physical::Int4, Physical::Int4]);
            data.add_index(shape())?.expect("the table is empty");
            change.put_table(T, data);
            Ok(())
        })
        .expect("nothing is there");
    setup.commit().expect("nobody else is there");
    if !rows.is_empty() {
        let mut setup = begin(&store, 1);
        done(insert(&mut setup, rows));
        setup.commit().expect("nobody else is there");
    }
    store
}

fn begin(store: &Arc<Store>, pid: i32) -> Transaction {
    begin_at(store, pid, IsolationLevel::ReadCommitted)
}

fn begin_at(store: &Arc<Store>, pid: i32, isolation: IsolationLevel) -> Transaction {
    store.begin(TransactionOptions { isolation, ..TransactionOptions::default() }, pid)
}

fn values(id: i32, v: i32) -> Row {
    [Datum::Int4(id), Datum::Int4(v)].into()
}

fn pair(row: &Row) -> (i32, i32) {
    match (&row[0], &row[1]) {
        (Datum::Int4(id), Datum::Int4(v)) => (*id, *v),
        _ => unreachable!("the table has two int4 columns"),
    }
}

fn scan(data: &TableData) -> Vec<(RowId, Row)> {
    data.rows
        .chunks()
        .flat_map(|chunk| chunk.presence().ones().map(|slot| (chunk.row_id(slot), chunk.row(slot))).collect::<Vec<_>>())
        .collect()
}

fn writes() -> TableWrites {
    TableWrites {
        table: T,
        relation: T_OID,
        relation_name: "t".into(),
        inserts: Vec::new(),
        updates: Vec::new(),
        deletes: Vec::new(),
    }
}

fn stage(transaction: &mut Transaction, table: TableWrites) -> Staged {
    transaction.stage(&StatementWrites { tables: vec![table], locks: Vec::new() })
}

fn insert(transaction: &mut Transaction, rows: &[(i32, i32)]) -> Staged {
    transaction.begin_statement().expect("a view");
    let column = |value: fn(&(i32, i32)) -> i32| {
        let values: Vec<Datum> = rows.iter().map(|row| Datum::Int4(value(row))).collect();
        Arc::new(Column::from_datums(Physical::Int4, &values))
    };
    let columns = vec![column(|row| row.0), column(|row| row.1)];
    stage(transaction, TableWrites { inserts: vec![Batch::new(columns, rows.len())], ..writes() })
}

/// UPDATE t SET (id, v) = change(id, v); None leaves a row alone.
fn update(transaction: &mut Transaction, change: impl Fn(i32, i32) -> Option<(i32, i32)>) -> Staged {
    transaction.begin_statement().expect("a view");
    let mut updates = Vec::new();
    for (id, row) in scan(&transaction.table(T).expect("it is there")) {
        let (key, v) = pair(&row);
        updates.extend(change(key, v).map(|(new_key, new_v)| (id, row, values(new_key, new_v))));
    }
    stage(transaction, TableWrites { updates, ..writes() })
}

fn delete(transaction: &mut Transaction, key: i32) -> Staged {
    transaction.begin_statement().expect("a view");
    let rows = scan(&transaction.table(T).expect("it is there"));
    let deletes = rows.into_iter().filter(|(_, row)| pair(row).0 == key).collect();
    stage(transaction, TableWrites { deletes, ..writes() })
}

fn select(transaction: &mut Transaction) -> Vec<(i32, i32)> {
    transaction.begin_statement().expect("a view");
    let data = transaction.table(T).expect("it is there");
    transaction.end_statement();
    let mut rows: Vec<_> = scan(&data).iter().map(|(_, row)| pair(row)).collect();
    rows.sort_unstable();
    let indexed: Vec<_> = data.index(PKEY).expect("it is there").prefix(&[], false).collect();
    assert_eq!(indexed.len(), rows.len(), "the index has an entry for each row");
    rows
}

fn committed(store: &Arc<Store>) -> Vec<(i32, i32)> {
    select(&mut begin(store, 99))
}

#[track_caller]
fn done(staged: Staged) {
    assert!(matches!(staged, Staged::Done), "{staged:?}");
}

#[track_caller]
fn wait(staged: Staged) -> LockWait {
    match staged {
        Staged::Wait(wait) => wait,
        other => panic!("not a wait: {other:?}"),
    }
}

#[track_caller]
fn failure(staged: Staged) -> (String, String) {
    match staged {
        Staged::Failed(error) => (error.sqlstate().code().to_owned(), error.message().to_owned()),
        other => panic!("not a failure: {other:?}"),
    }
}

fn is_ready(wait: &mut LockWait) -> Option<Result<()>> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(wait).poll(&mut context) {
        std::task::Poll::Ready(outcome) => Some(outcome),
        std::task::Poll::Pending => None,
    }
}

const SERIALIZATION: &str = "40001";

#[test]
fn an_autocommitted_write_is_published_and_leaves_no_lock() {
    let store = store(&[(1, 10)]);
    let mut one = begin(&store, 1);
    done(update(&mut one, |id, v| Some((id, v + 1))));
    assert!(one.has_writes());
    assert!(!store.list_locks().is_empty());
    one.commit().expect("no conflict");
    assert_eq!(committed(&store), [(1, 11)]);
    assert!(store.list_locks().is_empty());
}

#[test]
fn own_changes_are_seen_and_rolled_back() {
    let store = store(&[(1, 10)]);
    let mut one = begin(&store, 1);
    done(insert(&mut one, &[(2, 20)]));
    done(update(&mut one, |id, v| (id == 1).then_some((id, v + 1))));
    assert_eq!(select(&mut one), [(1, 11), (2, 20)]);
    assert_eq!(committed(&store), [(1, 10)]);
    drop(one);
    assert_eq!(committed(&store), [(1, 10)]);
    assert!(store.list_locks().is_empty());
}

#[test]
fn read_committed_waits_and_sees_the_new_row() {
    let store = store(&[(1, 10)]);
    let (mut one, mut two) = (begin(&store, 1), begin(&store, 2));
    done(update(&mut one, |id, v| Some((id, v + 1))));
    let mut waiting = wait(update(&mut two, |id, v| Some((id, v + 100))));
    assert!(is_ready(&mut waiting).is_none());
    assert_eq!(store.blocking_pids(2), [1]);
    one.commit().expect("no conflict");
    assert!(matches!(is_ready(&mut waiting), Some(Ok(()))));
    done(update(&mut two, |id, v| Some((id, v + 100))));
    two.commit().expect("no conflict");
    assert_eq!(committed(&store), [(1, 111)]);
    assert!(store.list_locks().is_empty());
}

#[test]
fn read_committed_runs_again_when_a_row_changed_unseen() {
    let store = store(&[(1, 10), (2, 20)]);
    let (mut one, mut two) = (begin(&store, 1), begin(&store, 2));
    two.begin_statement().expect("a view");
    let seen = scan(&two.table(T).expect("it is there"));
    done(update(&mut one, |id, v| (id == 1).then_some((id, v + 1))));
    one.commit().expect("no conflict");
    let write = |two: &mut Transaction, place: usize| {
        let (row, before) = seen[place].clone();
        stage(two, TableWrites { updates: vec![(row, Arc::clone(&before), values(pair(&before).0, 0))], ..writes() })
    };
    assert!(matches!(write(&mut two, 0), Staged::Stale));
    done(write(&mut two, 1));
    two.end_statement();
    assert!(matches!(write(&mut two, 0), Staged::Stale), "by value when the view is gone");
}

#[test]
fn repeatable_read_keeps_its_view_and_refuses_changed_rows() {
    let store = store(&[(1, 10), (2, 20), (3, 30)]);
    for level in [IsolationLevel::RepeatableRead, IsolationLevel::Serializable] {
        let mut two = begin_at(&store, 2, level);
        let before = select(&mut two);
        let mut one = begin(&store, 1);
        done(update(&mut one, |id, v| (id == 1).then_some((id, v + 1))));
        done(delete(&mut one, if level == IsolationLevel::RepeatableRead { 2 } else { 3 }));
        one.commit().expect("no conflict");
        assert_eq!(select(&mut two), before);
        let (state, message) = failure(update(&mut two, |id, v| (id == 1).then_some((id, v + 1))));
        assert_eq!((state.as_str(), message.as_str()), (SERIALIZATION, "could not serialize access due to concurrent update"));
        let deleted = if level == IsolationLevel::RepeatableRead { 2 } else { 3 };
        let (_, message) = failure(delete(&mut two, deleted));
        assert_eq!(message, "could not serialize access due to concurrent delete");
    }
}

#[test]
fn a_duplicate_key_is_refused_in_postgresqls_words() {
    let store = store(&[(1, 10)]);
    let mut one = begin(&store, 1);
    let Staged::Failed(error) = insert(&mut one, &[(2, 0), (1, 0)]) else { panic!("1 is there") };
    assert_eq!(error.sqlstate().code(), "23505");
    assert_eq!(error.message(), "duplicate key value violates unique constraint \"t_pkey\"");
    let fields = error.fields();
    assert_eq!(fields.detail.as_deref(), Some("Key (id)=(1) already exists."));
    assert_eq!((fields.schema.as_deref(), fields.table.as_deref()), (Some("public"), Some("t")));
    assert_eq!(fields.constraint.as_deref(), Some("t_pkey"));
}

#[test]
fn duplicates_within_a_statement_and_a_transaction_are_found() {
    let store = store(&[(1, 10), (2, 20)]);
    let mut one = begin(&store, 1);
    assert_eq!(failure(insert(&mut one, &[(5, 0), (5, 0)])).0, "23505");
    let many: Vec<(i32, i32)> = (0..200).map(|key| (1000 + key % 150, 0)).collect();
    assert_eq!(failure(insert(&mut one, &many)).0, "23505");
    done(insert(&mut one, &[(5, 0)]));
    assert_eq!(failure(insert(&mut one, &[(5, 0)])).0, "23505");
    done(delete(&mut one, 1));
    done(insert(&mut one, &[(1, 11)]));
    // A row whose key stays is changed, and its key asked for again.
    done(update(&mut one, |id, v| (id == 2).then_some((id, v + 1))));
    assert_eq!(failure(insert(&mut one, &[(2, 0)])).0, "23505");
    // In the order of the rows, as PostgreSQL checks.
    assert_eq!(failure(update(&mut one, |id, v| Some((if id == 2 { 5 } else { 50 }, v)))).0, "23505");
    done(update(&mut one, |id, v| (id == 5).then_some((6, v))));
    done(insert(&mut one, &[(5, 1)]));
    one.commit().expect("no conflict");
    assert_eq!(committed(&store), [(1, 11), (2, 21), (5, 1), (6, 0)]);
}

#[test]
fn an_insert_waits_for_the_fate_of_a_deleted_key() {
    for commits in [true, false] {
        let store = store(&[(1, 10)]);
        let (mut one, mut two) = (begin(&store, 1), begin(&store, 2));
        done(delete(&mut one, 1));
        let mut waiting = wait(insert(&mut two, &[(1, 99)]));
        if commits {
            one.commit().expect("no conflict");
        } else {
            drop(one);
        }
        assert!(matches!(is_ready(&mut waiting), Some(Ok(()))));
        match insert(&mut two, &[(1, 99)]) {
            Staged::Done => assert!(commits),
            Staged::Failed(error) => assert!(!commits && error.sqlstate().code() == "23505"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_same_key_is_not_inserted_twice_at_any_level() {
    for level in [IsolationLevel::ReadCommitted, IsolationLevel::RepeatableRead] {
        let store = store(&[]);
        let (mut one, mut two) = (begin_at(&store, 1, level), begin_at(&store, 2, level));
        assert!(select(&mut two).is_empty());
        done(insert(&mut one, &[(1, 1)]));
        drop(wait(insert(&mut two, &[(1, 2)])));
        one.commit().expect("no conflict");
        assert_eq!(failure(insert(&mut two, &[(1, 2)])).0, "23505");
    }
    let store = store(&[]);
    let (mut one, mut two) =
        (begin_at(&store, 1, IsolationLevel::Serializable), begin_at(&store, 2, IsolationLevel::Serializable));
    done(insert(&mut one, &[(1, 1)]));
    done(insert(&mut two, &[(1, 2)]));
    assert!(one.prepare_commit().expect("no deadlock").is_none());
    let mut waiting = two.prepare_commit().expect("no deadlock").expect("the key is locked");
    one.commit().expect("the first committer wins");
    assert!(matches!(is_ready(&mut waiting), Some(Ok(()))));
    assert!(two.prepare_commit().expect("no deadlock").is_none());
    assert_eq!(two.commit().expect_err("the second does not").sqlstate().code(), SERIALIZATION);
    assert_eq!(committed(&store), [(1, 1)]);
    assert!(store.list_locks().is_empty());
}

#[test]
fn the_keys_of_many_new_rows_are_unique_and_waited_for() {
    let rows = |keys: std::ops::Range<i32>| -> Vec<(i32, i32)> { keys.map(|key| (key, 0)).collect() };
    for commits in [true, false] {
        let store = store(&[(5000, 0)]);
        let [mut one, mut two, mut three] = [1, 2, 3].map(|pid| begin(&store, pid));
        let outer = one.savepoint();
        assert_eq!(failure(insert(&mut one, &rows(4000..6000))).0, "23505", "one of them is there");
        let twice: Vec<(i32, i32)> = rows(1..2000).into_iter().chain([(1500, 0)]).collect();
        assert_eq!(failure(insert(&mut one, &twice)).0, "23505", "one comes twice");
        one.rollback_to(outer);
        done(insert(&mut one, &rows(0..2000)));
        one.rollback_to(outer);
        done(insert(&mut two, &rows(0..10)));
        two.commit().expect("the keys were given back");
        let mut two = begin(&store, 2);
        done(insert(&mut one, &rows(1000..3000)));
        assert_eq!(failure(insert(&mut one, &rows(2500..4000))).0, "23505", "one of them is its own");
        let mut row = wait(insert(&mut two, &rows(2999..3000)));
        let mut many = wait(insert(&mut three, &rows(2000..5000)));
        if commits {
            one.commit().expect("no conflict");
        } else {
            drop(one);
        }
        for (waiting, transaction, keys) in [(&mut row, &mut two, 2999..3000), (&mut many, &mut three, 2000..2999)] {
            assert!(matches!(is_ready(waiting), Some(Ok(()))));
            match insert(transaction, &rows(keys)) {
                Staged::Done => assert!(!commits),
                Staged::Failed(error) => assert!(commits && error.sqlstate().code() == "23505"),
                other => panic!("{other:?}"),
            }
        }
        drop((two, three));
        assert_eq!(committed(&store).len(), if commits { 2011 } else { 11 });
        assert!(store.list_locks().is_empty());
    }
}

#[test]
fn savepoints_return_rows_keys_and_locks() {
    let store = store(&[(1, 10), (2, 20)]);
    let mut one = begin(&store, 1);
    done(insert(&mut one, &[(3, 30)]));
    let outer = one.savepoint();
    done(update(&mut one, |id, v| (id == 1).then_some((id, v + 1))));
    let inner = one.savepoint();
    done(delete(&mut one, 3));
    done(delete(&mut one, 2));
    assert_eq!(select(&mut one), [(1, 11)]);
    one.rollback_to(inner);
    assert_eq!(select(&mut one), [(1, 11), (2, 20), (3, 30)]);
    one.release(inner);
    done(insert(&mut one, &[(4, 40)]));
    one.rollback_to(outer);
    assert_eq!(select(&mut one), [(1, 10), (2, 20), (3, 30)]);
    let mut two = begin(&store, 2);
    done(update(&mut two, |id, v| (id == 1).then_some((id, v + 5))));
    done(insert(&mut two, &[(4, 44)]));
    two.commit().expect("the locks were given back");
    done(insert(&mut one, &[(5, 50)]));
    one.release(outer);
    assert_eq!(select(&mut one), [(1, 15), (2, 20), (3, 30), (4, 44), (5, 50)]);
    one.commit().expect("no conflict");
    assert_eq!(committed(&store), [(1, 15), (2, 20), (3, 30), (4, 44), (5, 50)]);
}

#[test]
fn a_private_table_catches_up_either_way() {
    let rows: Vec<(i32, i32)> = (0..100).map(|key| (key, 0)).collect();
    for own in [1, 50] {
        let store = store(&rows);
        let mut one = begin(&store, 1);
        done(update(&mut one, |id, _| (id < own).then_some((id, 1))));
        assert_eq!(select(&mut one).iter().filter(|row| row.1 == 1).count(), own as usize);
        let mut two = begin(&store, 2);
        done(update(&mut two, |id, _| (id >= 90).then_some((id, 2))));
        two.commit().expect("other rows");
        let sum = |rows: Vec<(i32, i32)>| rows.iter().map(|row| row.1).sum::<i32>();
        assert_eq!(sum(select(&mut one)), own + 20);
        done(insert(&mut one, &[(1000, 7)]));
        let mut three = begin(&store, 3);
        done(delete(&mut three, 99));
        three.commit().expect("other rows");
        one.commit().expect("other rows");
        assert_eq!(sum(committed(&store)), own + 20 + 7 - 2);
    }
}

#[test]
fn a_large_change_is_prepared_outside_the_lock() {
    let store = store(&[]);
    let mut one = begin(&store, 1);
    let rows: Vec<(i32, i32)> = (0..5000).map(|key| (key, 1)).collect();
    done(insert(&mut one, &rows));
    one.commit().expect("no conflict");
    let mut one = begin(&store, 1);
    done(update(&mut one, |id, _| Some((id, 2))));
    let mut two = begin(&store, 2);
    done(insert(&mut two, &[(9999, 3)]));
    two.commit().expect("another row");
    one.commit().expect("no conflict");
    let rows = committed(&store);
    assert_eq!((rows.len(), rows.iter().map(|row| row.1).sum::<i32>()), (5001, 10003));
}

#[test]
fn a_cycle_of_waits_is_broken_by_the_last_to_join() {
    let store = store(&[(1, 10), (2, 20)]);
    let (mut one, mut two) = (begin(&store, 11), begin(&store, 12));
    let set = |key: i32| move |id: i32, v: i32| (id == key).then_some((id, v + 1));
    done(update(&mut one, set(1)));
    done(update(&mut two, set(2)));
    let mut waiting = wait(update(&mut one, set(2)));
    let Staged::Failed(error) = update(&mut two, set(1)) else { panic!("a deadlock") };
    assert_eq!((error.sqlstate().code(), error.message()), ("40P01", "deadlock detected"));
    let expected = format!(
        "Process 12 waits for ShareLock on transaction {}; blocked by process 11.\nProcess 11 waits for ShareLock on transaction {}; \
         blocked by process 12.",
        one.id().0,
        two.id().0
    );
    assert_eq!(error.fields().detail.as_deref(), Some(expected.as_str()));
    assert!(is_ready(&mut waiting).is_none());
    drop(two);
    assert!(matches!(is_ready(&mut waiting), Some(Ok(()))));
}

#[test]
fn definitions_are_transactional_and_merge() {
    let store = store(&[(1, 10)]);
    let schema = |transaction: &mut Transaction, name: &'static str| {
        transaction
            .change_schema(|change| {
                let oid = change.catalog.allocate_oid();
                change.catalog.put_schema(Schema { oid, name: name.into(), owner: Oid::BOOTSTRAP_ROLE, comment: None });
                Ok(())
            })
            .expect("the name is free");
    };
    let (mut one, mut two) = (begin(&store, 1), begin(&store, 2));
    schema(&mut one, "one");
    schema(&mut two, "two");
    let savepoint = two.savepoint();
    schema(&mut two, "gone");
    two.rollback_to(savepoint);
    one.commit().expect("different objects");
    two.begin_statement().expect("they merge");
    assert!(two.catalog().schema_named("one").is_some() && two.catalog().schema_named("gone").is_none());
    two.commit().expect("different objects");
    let catalog = store.catalog();
    assert!(catalog.schema_named("one").is_some() && catalog.schema_named("two").is_some());
    let failed: Result<()> = begin(&store, 1).change_schema(|change| {
        change.remove_table(T);
        Err(types::Error::internal("no"))
    });
    assert!(failed.is_err());
    assert_eq!(committed(&store), [(1, 10)]);
}

#[test]
fn a_replaced_table_is_published_as_a_whole() {
    let store = store(&[(1, 10)]);
    let mut one = begin(&store, 1);
    let mut old_view = begin_at(&store, 2, IsolationLevel::RepeatableRead);
    assert_eq!(select(&mut old_view), [(1, 10)]);
    done(insert(&mut one, &[(2, 20)]));
    assert!(one.lock(LockTag::Relation(T_OID), LockMode::AccessExclusive).expect("no deadlock").is_none());
    one.change_schema(|change| change.truncate_table(T)).expect("it is there");
    assert!(select(&mut one).is_empty());
    done(insert(&mut one, &[(1, 1), (3, 3)]));
    assert_eq!(failure(insert(&mut one, &[(3, 3)])).0, "23505");
    one.commit().expect("no conflict");
    assert_eq!(committed(&store), [(1, 1), (3, 3)]);
    assert_eq!(select(&mut old_view), [(1, 10)]);
    assert_eq!(failure(insert(&mut old_view, &[(7, 7)])).0, SERIALIZATION);
}

#[test]
fn write_skew_is_refused_only_at_serializable() {
    for level in [IsolationLevel::RepeatableRead, IsolationLevel::Serializable] {
        let store = store(&[(1, 10), (2, 10)]);
        let (mut one, mut two) = (begin_at(&store, 1, level), begin_at(&store, 2, level));
        let _ = (select(&mut one), select(&mut two));
        done(update(&mut one, |id, _| (id == 1).then_some((id, 0))));
        done(update(&mut two, |id, _| (id == 2).then_some((id, 0))));
        one.commit().expect("the first committer wins");
        let outcome = two.commit();
        match level {
            IsolationLevel::Serializable => {
                let error = outcome.expect_err("no serial order explains both");
                assert_eq!(error.message(), "could not serialize access due to read/write dependencies among transactions");
            }
            _ => assert!(outcome.is_ok()),
        }
        assert!(store.list_locks().is_empty());
    }
}

#[test]
fn disjoint_keys_do_not_abort_each_other() {
    let store = store(&[(1, 10), (2, 10)]);
    let key = |key: i32| {
        let (bytes, _) = shape().key_of(&values(key, 0)).expect("an int4 has an order").expect("the index is whole");
        let bytes = bytes.into_boxed_slice();
        ReadPredicate::Keys {
            index: PKEY,
            lower: std::ops::Bound::Included(bytes.clone()),
            upper: std::ops::Bound::Included(bytes),
        }
    };
    let touch = |transaction: &mut Transaction, id: i32| {
        transaction.begin_statement().expect("a view");
        let data = transaction.table_for(T, [key(id)]).expect("it is there");
        let (row, before) = scan(&data).into_iter().find(|(_, row)| pair(row).0 == id).expect("it is there");
        let after = values(id, pair(&before).1 + 1);
        done(stage(transaction, TableWrites { updates: vec![(row, before, after)], ..writes() }));
    };
    let serializable = IsolationLevel::Serializable;
    let (mut one, mut two) = (begin_at(&store, 1, serializable), begin_at(&store, 2, serializable));
    touch(&mut one, 1);
    touch(&mut two, 2);
    one.commit().expect("another key");
    two.commit().expect("another key");
    assert_eq!(committed(&store), [(1, 11), (2, 11)]);
}

#[test]
fn the_read_only_anomaly_is_refused() {
    // Fekete, O'Neil, O'Neil 2004: a reader that sees the deposit but not the withdrawal that came before it.
    let store = store(&[(1, 0), (2, 0)]);
    let level = IsolationLevel::Serializable;
    let mut withdrawal = begin_at(&store, 1, level);
    assert_eq!(select(&mut withdrawal), [(1, 0), (2, 0)]);
    let mut deposit = begin_at(&store, 2, level);
    done(update(&mut deposit, |id, v| (id == 2).then_some((id, v + 20))));
    deposit.commit().expect("alone so far");
    let mut report = begin_at(&store, 3, level);
    assert_eq!(select(&mut report), [(1, 0), (2, 20)]);
    report.commit().expect("nothing to see yet");
    match update(&mut withdrawal, |id, v| (id == 1).then_some((id, v - 11))) {
        Staged::Failed(error) => assert_eq!(error.sqlstate().code(), SERIALIZATION),
        other => panic!("the report rules it out, at once: {other:?}"),
    }
}

#[test]
fn a_pivot_gives_way_to_a_reader_in_progress() {
    let store = store(&[(1, 0), (2, 0)]);
    let level = IsolationLevel::Serializable;
    let mut withdrawal = begin_at(&store, 1, level);
    assert_eq!(select(&mut withdrawal), [(1, 0), (2, 0)]);
    done(update(&mut withdrawal, |id, v| (id == 1).then_some((id, v - 11))));
    let mut deposit = begin_at(&store, 2, level);
    done(update(&mut deposit, |id, v| (id == 2).then_some((id, v + 20))));
    deposit.commit().expect("alone so far");
    let mut report = store.begin(TransactionOptions { isolation: level, read_only: true, deferrable: false }, 3);
    assert_eq!(select(&mut report), [(1, 0), (2, 20)]);
    report.check_dependencies().expect("the statement is over");
    let error = withdrawal.commit().expect_err("the report has not seen it, and it not the deposit");
    assert_eq!(error.sqlstate().code(), SERIALIZATION);
    assert_eq!(select(&mut report), [(1, 0), (2, 20)]);
    report.commit().expect("nobody is in its way");
}

#[test]
fn a_snapshot_never_changes_and_a_fork_goes_its_own_way() {
    let store = store(&[(1, 10)]);
    let snapshot = store.snapshot();
    let fork = store.fork();
    let mut one = begin(&store, 1);
    done(update(&mut one, |id, v| Some((id, v + 1))));
    one.commit().expect("no conflict");
    let mut other = begin(&fork, 1);
    done(insert(&mut other, &[(2, 20)]));
    other.commit().expect("no conflict");
    assert_eq!(snapshot.table(T).map(|data| scan(data).iter().map(|(_, row)| pair(row)).collect()), Some(vec![(1, 10)]));
    assert_eq!(committed(&store), [(1, 11)]);
    assert_eq!(committed(&fork), [(1, 10), (2, 20)]);
}
