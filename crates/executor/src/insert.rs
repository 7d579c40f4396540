//! Insert: computes new rows a batch at a time; bulk inserts stay columnar.

use std::sync::Arc;

use catalog::Relation;
use expr::Batch;
use plan::{
    logical::Computed,
    physical::{Insert as Plan, Operator as PlanOperator},
};
use types::Result;

use crate::{
    new_row::NewRows,
    node::{Compiler, Held, Node, Operator, Typed, columns, compile_all, layout},
    on_conflict::{Conflicts, OnConflictNode},
    run::{Run, WriteSize},
};

struct InsertNode {
    relation: Arc<Relation>,
    source: Arc<dyn Node>,
    values: Vec<Typed>,
    rows: NewRows,
    on_conflict: Option<OnConflictNode>,
    returning: Option<Vec<Typed>>,
    /// Rows count for the command tag: it is the statement itself, not one in WITH.
    counted: bool,
}

pub(crate) fn compile(compiler: &Compiler<'_>, insert: &Plan) -> Result<Arc<dyn Node>> {
    let rows = NewRows::compile(&insert.relation, &insert.row)?;
    let on_conflict = match &insert.on_conflict {
        Some((arbiters, action)) => Some(OnConflictNode::compile(&insert.relation, arbiters, action)?),
        None => None,
    };
    let values = compile_all(&insert.values, &layout(&insert.source))?;
    Ok(Arc::new(InsertNode {
        relation: insert.relation.clone(),
        source: compiler.node(&insert.source)?,
        values,
        returning: returning(insert.returning.as_deref(), &rows.layout)?,
        rows,
        on_conflict,
        counted: matches!(&compiler.query.root.operator, PlanOperator::Insert(root) if std::ptr::eq(root, insert)),
    }))
}

pub(crate) fn returning(columns: Option<&[Computed]>, layout: &[expr::ColumnId]) -> Result<Option<Vec<Typed>>> {
    columns.map(|columns| compile_all(columns.iter().map(|column| &column.expression), layout)).transpose()
}

struct Insert {
    node: Arc<InsertNode>,
    source: Box<dyn Operator>,
    conflicts: Option<Conflicts>,
}

impl Node for InsertNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        let conflicts = self.on_conflict.as_ref().map(|node| Conflicts::new(node, run)).transpose()?;
        Ok(Box::new(Insert { source: self.source.clone().open(run)?, node: self, conflicts }))
    }
}

impl Operator for Insert {
    fn held(&self, run: &Run) -> Held {
        Held::bytes(run.shared.write_memory.lock().peak())
    }

    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        while let Some(source) = self.source.next(run)? {
            run.context.check_cancelled()?;
            let node = &self.node;
            let (proposed, len) = (columns(&node.values, &source, &run.context)?, source.len);
            drop(source);
            let mut rows = node.rows.finish(Batch { columns: proposed, len }, run)?;
            // What the table will keep as it is need not be there twice at the end.
            rows.shrink();
            let written = match (&node.on_conflict, &mut self.conflicts) {
                (Some(on_conflict), Some(conflicts)) => conflicts.resolve(on_conflict, &node.rows, rows, run)?,
                _ => {
                    let size = WriteSize::inserted(&rows);
                    run.shared.write(&node.relation, size, |writes| writes.inserts.push(rows.clone()))?;
                    rows
                }
            };
            if node.counted {
                run.shared.count_rows(written.len);
            }
            if let Some(returning) = &node.returning
                && written.len > 0
            {
                return Ok(Some(Batch { columns: columns(returning, &written, &run.context)?, len: written.len }));
            }
        }
        Ok(None)
    }
}
