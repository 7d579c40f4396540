//! Update: computes the new values of the rows its source names, each row once.

use std::sync::Arc;

use catalog::Relation;
use expr::{Batch, ColumnId};
use plan::physical::{Operator as PlanOperator, Update as Plan};
use storage::{Column, RowId, TableId};
use types::{Datum, Error, Result};

use crate::{
    insert::returning,
    new_row::{NewRows, row_of},
    node::{Compiler, Held, Node, Operator, Typed, columns, layout, position},
    run::{Run, WriteSize},
};

struct UpdateNode {
    relation: Arc<Relation>,
    table: TableId,
    source: Arc<dyn Node>,
    row_id: usize,
    /// Where the source holds each attribute; None for dropped ones.
    old_row: Vec<Option<usize>>,
    assignments: Vec<(usize, Typed)>,
    rows: NewRows,
    /// Over the source's columns, then the new row's.
    returning: Option<Vec<Typed>>,
    counted: bool,
}

pub(crate) fn compile(compiler: &Compiler<'_>, update: &Plan) -> Result<Arc<dyn Node>> {
    let source = layout(&update.source);
    let rows = NewRows::compile(&update.relation, &update.row)?;
    let both: Vec<ColumnId> = source.iter().chain(&rows.layout).copied().collect();
    Ok(Arc::new(UpdateNode {
        relation: update.relation.clone(),
        table: update.relation.storage().ok_or_else(|| Error::internal("a relation without rows is updated"))?,
        row_id: position(update.row_id, &source)?,
        old_row: update
            .old_row
            .iter()
            .map(|column| column.map(|column| position(column.id, &source)).transpose())
            .collect::<Result<_>>()?,
        assignments: update
            .assignments
            .iter()
            .map(|(at, value)| Ok((*at, Typed::new(value, &source)?)))
            .collect::<Result<_>>()?,
        returning: returning(update.returning.as_deref(), &both)?,
        source: compiler.node(&update.source)?,
        rows,
        counted: matches!(&compiler.query.root.operator, PlanOperator::Update(root) if std::ptr::eq(root, update)),
    }))
}

struct Update {
    node: Arc<UpdateNode>,
    source: Box<dyn Operator>,
}

impl Node for UpdateNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Update { source: self.source.clone().open(run)?, node: self }))
    }
}

/// The rows of a batch that this statement has not changed yet, with their ids.
pub(crate) fn untouched(batch: Batch, row_id: usize, table: TableId, run: &Run) -> (Batch, Vec<RowId>) {
    let (mut rows, mut ids) = (Vec::with_capacity(batch.len), Vec::with_capacity(batch.len));
    for row in 0..batch.len {
        if let Datum::Int8(id) = batch.datum(row_id, row)
            && run.shared.touch(table, RowId(id as u64))
        {
            rows.push(row as u32);
            ids.push(RowId(id as u64));
        }
    }
    (if rows.len() == batch.len { batch } else { batch.take(&rows) }, ids)
}

/// The old rows, by attribute.
pub(crate) fn old_rows(source: &Batch, old_row: &[Option<usize>], physical: &[types::Physical]) -> Batch {
    let columns = old_row.iter().zip(physical).map(|(at, physical)| match at {
        Some(at) => source.columns[*at].clone(),
        None => Arc::new(Column::repeat(*physical, &Datum::Null, source.len)),
    });
    Batch { columns: columns.collect(), len: source.len }
}

impl Operator for Update {
    fn held(&self, run: &Run) -> Held {
        Held::bytes(run.shared.write_memory.lock().peak())
    }

    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        while let Some(batch) = self.source.next(run)? {
            run.context.check_cancelled()?;
            let node = &self.node;
            let (mut source, row_ids) = untouched(batch, node.row_id, node.table, run);
            if source.len == 0 {
                continue;
            }
            let old = old_rows(&source, &node.old_row, &node.rows.physical());
            let mut new = old.clone();
            for (at, value) in &node.assignments {
                new.columns[*at] = value.column(&source, &run.context)?;
            }
            let new = node.rows.finish(new, run)?;
            run.shared.write(&node.relation, WriteSize::changed(&old, Some(&new)), |writes| {
                let rows = row_ids.iter().enumerate();
                writes.updates.extend(rows.map(|(row, id)| (*id, row_of(&old, row), row_of(&new, row))));
            })?;
            if node.counted {
                run.shared.count_rows(new.len);
            }
            if let Some(returning) = &node.returning {
                source.columns.extend(new.columns);
                return Ok(Some(Batch { columns: columns(returning, &source, &run.context)?, len: source.len }));
            }
        }
        Ok(None)
    }
}
