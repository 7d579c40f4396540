//! What scans tell of what they read, so that SERIALIZABLE transactions are certified by keys and filters and not by tables.

use std::{fmt, sync::Arc};

use expr::{Batch, Compiled, EvalContext, Expr};
use plan::physical::ScanSource;
use storage::{Column, Row, TableId};
use txn::{ReadPredicate, RowFilter};
use types::{Physical, Result};

use crate::{run::Run, scan_columns::ScanColumns};

/// Whether a filter gives the same answer whenever and by whomever it is asked: no session, no subquery, nothing volatile.
pub(crate) fn is_repeatable(filter: &Expr) -> bool {
    !filter.any(&|node| match node {
        Expr::Call { function, .. } => function.volatility == 'v',
        Expr::Subquery(_) => true,
        _ => false,
    })
}

/// Notes that a table is read as far as a filter accepts its rows, or in whole.
pub(crate) fn note_scan(run: &Run, table: TableId, columns: &ScanColumns, filter: Option<&Compiled>) {
    if !run.shared.tables.notes_reads() {
        return;
    }
    let predicate = match filter {
        Some(filter) => ReadPredicate::Matching(Arc::new(ScanFilter {
            filter: filter.clone(),
            sources: columns.sources.clone(),
            context: EvalContext {
                session: EvalContext::without_session().session,
                subplans: EvalContext::without_session().subplans,
                cancellation: Arc::default(),
                ..run.context.clone()
            },
        })),
        None => ReadPredicate::Table,
    };
    run.shared.tables.note_read(table, predicate);
}

/// A scan's filter with the parameters and outer values that it ran with.
struct ScanFilter {
    filter: Compiled,
    sources: Vec<(ScanSource, Physical)>,
    context: EvalContext,
}

impl RowFilter for ScanFilter {
    fn accepts(&self, row: &Row) -> Result<bool> {
        let mut columns = Vec::with_capacity(self.sources.len());
        for (source, physical) in &self.sources {
            // What a row does not hold itself decides nothing here.
            let ScanSource::Attribute(attribute) = source else { return Ok(true) };
            let Some(value) = row.get(*attribute) else { return Ok(true) };
            columns.push(Arc::new(Column::from_datums(*physical, [value])));
        }
        Ok(!self.filter.select(&Batch { columns, len: 1 }, &self.context)?.is_empty())
    }
}

impl fmt::Debug for ScanFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanFilter").field("filter", &self.filter).finish_non_exhaustive()
    }
}
