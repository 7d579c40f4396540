//! What operators share while they run.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use catalog::builtin::SystemRelation;
use expr::{Batch, EvalContext};
use hashbrown::HashSet;
use parking_lot::Mutex;
use plan::{
    logical::LockWaitPolicy,
    statement::{Command, CteId},
};
use smallvec::SmallVec;
use storage::{RowId, TableData, TableId};
use txn::{LockMode, LockTag, ReadPredicate, StatementWrites, TableWrites};
use types::{Datum, Error, Result};

use crate::{
    MemoryBudget, Prepared,
    cte::CteSlot,
    instrument::Instrumentation,
    memory::{Reservation, batch_size},
};

/// The view a statement runs against; the engine implements it over its transaction.
pub trait Tables: Send + Sync {
    /// A table's content: an O(1) clone.
    fn table(&self, id: TableId) -> Result<TableData>;
    /// Rows of a system relation, all columns in order. The hint names a column and the value it must equal; more rows may be given.
    fn system_rows(&self, relation: &'static SystemRelation, hint: Option<(&str, &Datum)>) -> Result<Vec<Vec<Datum>>>;
    /// Whether a row lock could be had now, for SKIP LOCKED (false skips the row).
    ///
    /// Errors: for NOWAIT, 55P03 `could not obtain lock on row in relation "t"`.
    fn row_lock_available(&self, tag: &LockTag, mode: LockMode, policy: LockWaitPolicy, relation: &str) -> Result<bool>;
    /// Whether it must be told what is read: SERIALIZABLE transactions are certified by it.
    fn notes_reads(&self) -> bool {
        false
    }
    /// Told before it is read.
    fn note_read(&self, _table: TableId, _predicate: ReadPredicate) {}
    /// What the execution's memory is counted against.
    fn memory(&self) -> Option<Arc<dyn MemoryBudget>> {
        None
    }
}

/// What a lock of a row or a key takes, and being remembered by its owner.
const LOCK_BYTES: usize = 160;

/// How much a statement adds to its writes.
pub(crate) struct WriteSize {
    rows: usize,
    bytes: usize,
    /// Rows that are there are locked; new ones only have their keys locked.
    locks_rows: bool,
    deletes: bool,
}

impl WriteSize {
    pub(crate) fn inserted(rows: &Batch) -> WriteSize {
        WriteSize { rows: rows.len, bytes: batch_size(rows), locks_rows: false, deletes: false }
    }

    /// Of rows that are deleted, or updated from the first to the second.
    pub(crate) fn changed(old: &Batch, new: Option<&Batch>) -> WriteSize {
        let size = |batch: &Batch| batch_size(batch) + batch.len * batch.columns.len() * size_of::<Datum>();
        WriteSize { rows: old.len, bytes: size(old) + new.map_or(0, size), locks_rows: true, deletes: new.is_none() }
    }
}

/// State of one execution, shared by all its operators and subplans.
pub(crate) struct Shared {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) tables: Arc<dyn Tables>,
    pub(crate) memory: Option<Arc<dyn MemoryBudget>>,
    /// Tables already asked for: one clone an execution.
    opened: Mutex<SmallVec<[(TableId, TableData); 2]>>,
    pub(crate) ctes: Vec<CteSlot>,
    pub(crate) writes: Mutex<StatementWrites>,
    pub(crate) write_memory: Mutex<Reservation>,
    /// Rows this statement has updated or deleted: a row is changed once.
    touched: Mutex<HashSet<(TableId, RowId)>>,
    row_count: AtomicU64,
    pub(crate) instrumentation: Option<Arc<Instrumentation>>,
}

impl Shared {
    pub(crate) fn new(prepared: Arc<Prepared>, tables: Arc<dyn Tables>) -> Shared {
        let memory = tables.memory();
        Shared {
            write_memory: Mutex::new(Reservation::new(memory.clone())),
            memory,
            ctes: prepared.ctes.iter().map(|_| CteSlot::default()).collect(),
            instrumentation: prepared.instrumented.then(|| Arc::new(Instrumentation::default())),
            prepared,
            tables,
            opened: Mutex::default(),
            writes: Mutex::default(),
            touched: Mutex::default(),
            row_count: AtomicU64::new(0),
        }
    }

    pub(crate) fn table(&self, id: TableId) -> Result<TableData> {
        let mut opened = self.opened.lock();
        if let Some((_, data)) = opened.iter().find(|(opened, _)| *opened == id) {
            return Ok(data.clone());
        }
        let data = self.tables.table(id)?;
        opened.push((id, data.clone()));
        Ok(data)
    }

    /// Marks a row as changed; false when this statement has changed it before.
    pub(crate) fn touch(&self, table: TableId, row: RowId) -> bool {
        self.touched.lock().insert((table, row))
    }

    /// Edits the writes of a table, adding its entry first when there is none. They are going to hold so much more.
    pub(crate) fn write<T>(
        &self,
        relation: &catalog::Relation,
        size: WriteSize,
        edit: impl FnOnce(&mut TableWrites) -> T,
    ) -> Result<T> {
        // Once they are staged they stand in the change set and, before or at commit, in the table; each row and key has its lock.
        let locks = (relation.indexes.len() + usize::from(size.locks_rows)) * size.rows * LOCK_BYTES;
        let bytes = size.bytes.saturating_mul(2).saturating_add(locks);
        let mut memory = self.write_memory.lock();
        if size.deletes && self.prepared.query.command == Command::Delete {
            memory.grow_to_delete(bytes)
        } else {
            memory.grow(bytes)
        }?;
        drop(memory);
        let table = relation.storage().ok_or_else(|| Error::internal("a relation without rows is written"))?;
        let mut writes = self.writes.lock();
        let at = match writes.tables.iter().position(|writes| writes.table == table) {
            Some(at) => at,
            None => {
                writes.tables.push(TableWrites {
                    table,
                    relation: relation.oid,
                    relation_name: relation.name.clone(),
                    inserts: Vec::new(),
                    updates: Vec::new(),
                    deletes: Vec::new(),
                });
                writes.tables.len() - 1
            }
        };
        Ok(edit(&mut writes.tables[at]))
    }

    /// Counts rows for the command tag.
    pub(crate) fn count_rows(&self, rows: usize) {
        self.row_count.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(crate) fn row_count(&self) -> u64 {
        self.row_count.load(Ordering::Relaxed)
    }
}

/// Rows of the previous round of a recursive query, seen by its recursive term.
pub(crate) struct WorkTable {
    pub(crate) cte: CteId,
    pub(crate) batches: Vec<Batch>,
    pub(crate) outer: Option<Arc<WorkTable>>,
}

/// Where an operator runs: the evaluation context with the outer rows' values, and the execution's shared state.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) context: EvalContext,
    pub(crate) shared: Arc<Shared>,
    pub(crate) work: Option<Arc<WorkTable>>,
}

impl Run {
    pub(crate) fn reservation(&self) -> Reservation {
        Reservation::new(self.shared.memory.clone())
    }

    pub(crate) fn work_table(&self, cte: CteId) -> Option<&Arc<WorkTable>> {
        let mut work = self.work.as_ref();
        while let Some(table) = work {
            if table.cte == cte {
                return Some(table);
            }
            work = table.outer.as_ref();
        }
        None
    }
}

/// Whether a command changes rows.
pub(crate) fn modifies(command: Command) -> bool {
    command != Command::Select
}
