//! DELETE.

use pg_query::protobuf::DeleteStmt;
use plan::logical::{Delete, LogicalPlan};
use types::Result;

use crate::{ast, state::Binder, subquery::BoundQuery, table_expression::Modification};

impl Binder<'_> {
    pub(crate) fn bind_delete(&mut self, delete: &DeleteStmt) -> Result<BoundQuery> {
        if let Some(with) = &delete.with_clause {
            self.bind_with(with)?;
        }
        let range = ast::required(&delete.relation)?;
        let target = self.bind_write_target(range, Modification::Delete)?;
        let tree = self.bind_written_from(&target, &delete.using_clause)?;
        let old_row = self.read_whole_row(target.base, &target.relation);
        let filter = self.bind_written_where(&delete.where_clause, &target)?;
        // RETURNING reads the old row, which the source gives.
        let (returning, bound) = self.bind_returning(&delete.returning_clause)?;
        let level = self.levels.len() - 1;
        let row_id = self.row_identity(level, target.base);
        let mut source = self.build_from(Some(tree))?;
        if let Some(predicate) = filter {
            source = LogicalPlan::Filter { input: Box::new(source), predicate };
        }
        let plan =
            LogicalPlan::Delete(Delete { relation: target.relation, source: Box::new(source), row_id, old_row, returning });
        Ok(bound.over(plan))
    }
}
