//! Delete: names the rows its source gives, each once.

use std::sync::Arc;

use catalog::Relation;
use expr::Batch;
use plan::physical::{Delete as Plan, Operator as PlanOperator};
use storage::TableId;
use types::{Error, Physical, Result};

use crate::{
    insert::returning,
    new_row::row_of,
    node::{Compiler, Held, Node, Operator, Typed, columns, layout, position},
    run::{Run, WriteSize},
    update::{old_rows, untouched},
};

struct DeleteNode {
    relation: Arc<Relation>,
    table: TableId,
    source: Arc<dyn Node>,
    row_id: usize,
    old_row: Vec<Option<usize>>,
    physical: Vec<Physical>,
    returning: Option<Vec<Typed>>,
    counted: bool,
}

pub(crate) fn compile(compiler: &Compiler<'_>, delete: &Plan) -> Result<Arc<dyn Node>> {
    let source = layout(&delete.source);
    Ok(Arc::new(DeleteNode {
        relation: delete.relation.clone(),
        table: delete.relation.storage().ok_or_else(|| Error::internal("rows of a relation without rows are deleted"))?,
        row_id: position(delete.row_id, &source)?,
        old_row: delete
            .old_row
            .iter()
            .map(|column| column.map(|column| position(column.id, &source)).transpose())
            .collect::<Result<_>>()?,
        physical: delete.relation.attributes.iter().map(|attribute| attribute.ty.physical).collect(),
        returning: returning(delete.returning.as_deref(), &source)?,
        source: compiler.node(&delete.source)?,
        counted: matches!(&compiler.query.root.operator, PlanOperator::Delete(root) if std::ptr::eq(root, delete)),
    }))
}

struct Delete {
    node: Arc<DeleteNode>,
    source: Box<dyn Operator>,
}

impl Node for DeleteNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Delete { source: self.source.clone().open(run)?, node: self }))
    }
}

impl Operator for Delete {
    fn held(&self, run: &Run) -> Held {
        Held::bytes(run.shared.write_memory.lock().peak())
    }

    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        while let Some(batch) = self.source.next(run)? {
            run.context.check_cancelled()?;
            let node = &self.node;
            let (source, row_ids) = untouched(batch, node.row_id, node.table, run);
            if source.len == 0 {
                continue;
            }
            let old = old_rows(&source, &node.old_row, &node.physical);
            run.shared.write(&node.relation, WriteSize::changed(&old, None), |writes| {
                writes.deletes.extend(row_ids.iter().enumerate().map(|(row, id)| (*id, row_of(&old, row))));
            })?;
            if node.counted {
                run.shared.count_rows(source.len);
            }
            if let Some(returning) = &node.returning {
                return Ok(Some(Batch { columns: columns(returning, &source, &run.context)?, len: source.len }));
            }
        }
        Ok(None)
    }
}
