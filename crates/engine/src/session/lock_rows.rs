//! Locks and sizes in the words of pg_locks and pg_relation_size.

use std::sync::atomic::Ordering;

use catalog::RelationKind;
use storage::{IndexId, TableId};
use txn::{DatabaseState, ListedLock, LockMode, LockTarget};
use types::Oid;

use super::SessionShared;
use crate::system_catalog::LockActivity;

/// A lock as a row of pg_locks.
pub(crate) fn lock_activity(database: Oid, lock: ListedLock, state: &DatabaseState) -> LockActivity {
    let relation_of = |table: TableId| {
        state.catalog.relations().find(|relation| relation.storage() == Some(table)).map(|relation| relation.oid)
    };
    let mut row = LockActivity {
        database: Some(database),
        virtual_transaction: format!("{}/{}", lock.pid, lock.transaction.map_or(0, |transaction| transaction.0)),
        pid: lock.pid,
        mode: lock.mode.name(),
        granted: lock.granted,
        ..LockActivity::default()
    };
    match lock.target {
        LockTarget::Relation(relation) => (row.kind, row.relation) = ("relation", Some(relation)),
        LockTarget::Row(table, id) => {
            (row.kind, row.relation) = ("tuple", relation_of(table));
            row.page = Some((id.0 >> 10) as i32);
            row.tuple = Some((id.0 & 0x3ff) as i16 + 1);
        }
        LockTarget::Key(IndexId(index)) => (row.kind, row.relation) = ("tuple", Some(Oid(index))),
        LockTarget::Transaction(transaction) => {
            (row.kind, row.transaction_id, row.database) = ("transactionid", Some(transaction.0 as u32), None);
        }
        LockTarget::Advisory { high, low, two_keys } => {
            row.kind = "advisory";
            (row.class, row.object, row.object_sub) = (Some(Oid(high)), Some(Oid(low)), Some(if two_keys { 2 } else { 1 }));
        }
        LockTarget::Name(schema) => (row.kind, row.object) = ("object", Some(schema)),
    }
    row
}

/// The lock that each session has on its own open transaction.
pub(crate) fn virtual_transaction_lock(session: &SessionShared) -> Option<LockActivity> {
    let transaction = session.transaction.load(Ordering::Relaxed);
    let id = format!("{}/{transaction}", session.pid);
    (transaction != 0).then(|| LockActivity {
        kind: "virtualxid",
        virtual_transaction_id: Some(id.clone()),
        virtual_transaction: id,
        pid: session.pid,
        mode: LockMode::Exclusive.name(),
        granted: true,
        ..LockActivity::default()
    })
}

/// Bytes that a relation's rows, or one index, occupy.
pub(crate) fn relation_size(state: &DatabaseState, oid: Oid) -> i64 {
    let Some(relation) = state.catalog.relation(oid) else { return 0 };
    let bytes = match &relation.kind {
        RelationKind::Index(definition) => state
            .catalog
            .relation(definition.table)
            .and_then(|table| state.tables.get(&table.storage()?))
            .and_then(|table| table.index(IndexId(oid.0)).map(storage::IndexTree::heap_size)),
        _ => relation.storage().and_then(|table| state.tables.get(&table)).map(|table| table.rows.heap_size()),
    };
    bytes.unwrap_or(0) as i64
}

/// Bytes that all tables and indexes of a database occupy.
pub(crate) fn database_size(state: &DatabaseState) -> i64 {
    state.tables.values().map(|table| table.heap_size() as i64).sum()
}
