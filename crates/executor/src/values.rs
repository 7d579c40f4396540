//! Values: rows of expressions without input.

use std::sync::Arc;

use expr::{Batch, Expr};
use plan::physical::PhysicalPlan;
use storage::Column;
use types::{Datum, Physical, Result};

use crate::{
    BATCH_ROWS,
    node::{Node, Operator, Typed},
    run::Run,
};

struct ValuesNode {
    rows: Vec<Vec<Cell>>,
    physical: Vec<Physical>,
}

enum Cell {
    Constant(Datum),
    Computed(Typed),
}

pub(crate) fn compile(rows: &[Vec<Expr>], plan: &PhysicalPlan) -> Result<Arc<dyn Node>> {
    let rows = rows
        .iter()
        .map(|row| {
            row.iter()
                .map(|expression| match expression {
                    Expr::Constant { value, .. } => Ok(Cell::Constant(value.clone())),
                    _ => Typed::new(expression, &[]).map(Cell::Computed),
                })
                .collect::<Result<_>>()
        })
        .collect::<Result<_>>()?;
    Ok(Arc::new(ValuesNode { rows, physical: plan.columns.iter().map(|column| column.ty.physical).collect() }))
}

struct Values {
    node: Arc<ValuesNode>,
    at: usize,
    wanted: usize,
}

impl Node for ValuesNode {
    fn open(self: Arc<Self>, _run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Values { node: self, at: 0, wanted: usize::MAX }))
    }
}

impl Operator for Values {
    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        let rest = &self.node.rows[self.at..];
        let rows = &rest[..rest.len().min(BATCH_ROWS).min(self.wanted)];
        if rows.is_empty() {
            return Ok(None);
        }
        run.context.check_cancelled()?;
        self.at += rows.len();
        self.wanted -= rows.len();
        let unit = Batch::unit();
        let mut columns: Vec<Column> = self.node.physical.iter().map(|ty| Column::with_capacity(*ty, rows.len())).collect();
        for row in rows {
            for (cell, column) in row.iter().zip(&mut columns) {
                match cell {
                    Cell::Constant(value) => column.push(value),
                    Cell::Computed(expression) => column.push(&expression.vector(&unit, &run.context)?.datum(0)),
                }
            }
        }
        Ok(Some(Batch { columns: columns.into_iter().map(Arc::new).collect(), len: rows.len() }))
    }

    fn bound(&mut self, rows: usize) {
        self.wanted = rows;
    }
}
