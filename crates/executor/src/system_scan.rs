//! System scan: the rows of a system catalog or view, as the engine makes them up from the view.

use std::sync::Arc;

use catalog::builtin::SystemRelation;
use expr::{Batch, Compiled, Expr};
use plan::physical::PhysicalPlan;
use storage::Column;
use types::{Datum, Physical, Result};

use crate::{
    BATCH_ROWS,
    filter::select,
    node::{Node, Operator, layout},
    run::Run,
};

struct SystemScanNode {
    relation: &'static SystemRelation,
    attributes: Vec<usize>,
    physical: Vec<Physical>,
    hint: Option<(usize, Compiled)>,
    filter: Option<Compiled>,
}

pub(crate) fn compile(
    relation: &'static SystemRelation,
    attributes: &[usize],
    hint: Option<&(usize, Expr)>,
    filter: Option<&Expr>,
    plan: &PhysicalPlan,
) -> Result<Arc<dyn Node>> {
    let hint = match hint {
        Some((attribute, expression)) => Some((*attribute, Compiled::new(expression, &[])?)),
        None => None,
    };
    Ok(Arc::new(SystemScanNode {
        relation,
        attributes: attributes.to_vec(),
        physical: plan.columns.iter().map(|column| column.ty.physical).collect(),
        hint,
        filter: filter.map(|filter| Compiled::new(filter, &layout(plan))).transpose()?,
    }))
}

struct SystemScan {
    node: Arc<SystemScanNode>,
    rows: Option<std::vec::IntoIter<Vec<Datum>>>,
}

impl Node for SystemScanNode {
    fn open(self: Arc<Self>, _run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(SystemScan { node: self, rows: None }))
    }
}

impl SystemScanNode {
    fn rows(&self, run: &Run) -> Result<Vec<Vec<Datum>>> {
        let tables = &run.shared.tables;
        let Some((attribute, expression)) = &self.hint else { return tables.system_rows(self.relation, None) };
        let value = expression.evaluate(&Batch::unit(), &run.context)?.datum(0);
        tables.system_rows(self.relation, Some((self.relation.columns[*attribute].name, &value)))
    }
}

impl Operator for SystemScan {
    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        if self.rows.is_none() {
            self.rows = Some(self.node.rows(run)?.into_iter());
        }
        let Some(rows) = &mut self.rows else { return Ok(None) };
        loop {
            run.context.check_cancelled()?;
            let part: Vec<Vec<Datum>> = rows.by_ref().take(BATCH_ROWS).collect();
            if part.is_empty() {
                return Ok(None);
            }
            let columns =
                self.node.attributes.iter().zip(&self.node.physical).map(|(&attribute, &physical)| {
                    Arc::new(Column::from_datums(physical, part.iter().map(|row| &row[attribute])))
                });
            let batch = Batch { columns: columns.collect(), len: part.len() };
            let kept = match &self.node.filter {
                None => Some(batch),
                Some(filter) => select(filter, batch, run)?,
            };
            if kept.is_some() {
                return Ok(kept);
            }
        }
    }
}
