//! Views in FROM: their stored query, bound under an empty search path as if it were a subquery.

use std::sync::Arc;

use catalog::{Privileges, Relation, StoredNames, StoredQuery};
use pg_query::protobuf::{Alias, node::Node as Ast};
use types::{Error, Result, SqlState};

use crate::{ast, parse, range_table::EntryColumn, state::Binder, subquery::BoundQuery};

impl Binder<'_> {
    pub(crate) fn add_view(
        &mut self,
        relation: &Arc<Relation>,
        query: &Arc<StoredQuery>,
        alias: &Option<Alias>,
    ) -> Result<usize> {
        self.require(relation.oid, Privileges::SELECT);
        let mut bound = self.bind_view_query(relation, query)?;
        // The view's own column names stand, whatever its query calls them.
        let mut known = 0;
        for (at, column) in bound.output.iter_mut().enumerate() {
            if let Some(name) = self.names.attribute_name(relation, at) {
                column.name = name;
                known = at + 1;
            }
            column.origin = Some((relation.oid, at as i16 + 1));
        }
        let (schema, name) = self.names.relation_place(relation);
        let later = bound.output.get(known..).unwrap_or_default().iter().map(EntryColumn::of_output).collect();
        let entry = self.add_known_columns(bound, known, alias, &name)?;
        let range = &mut self.level_mut().entries[entry];
        range.later = later;
        range.relation = Some((schema, relation.oid));
        range.row_type = relation.row_type;
        Ok(entry)
    }

    fn bind_view_query(&mut self, relation: &Arc<Relation>, query: &Arc<StoredQuery>) -> Result<BoundQuery> {
        if self.views.contains(&relation.oid) {
            let message = format!("infinite recursion detected in rules for relation \"{}\"", relation.name);
            return Err(Error::new(SqlState::INVALID_OBJECT_DEFINITION, message));
        }
        let statement = parse::stored_query(&query.text)?;
        let Ast::SelectStmt(select) = ast::content(&statement)? else {
            return Err(Error::internal("a view's query is a SELECT"));
        };
        self.in_definition(Some(&query.names), |binder| {
            binder.views.push(relation.oid);
            let check_as = binder.enter_view(relation);
            let bound = binder.nested_level(|binder| binder.bind_select_statement(select));
            binder.check_as = check_as;
            binder.views.pop();
            bound
        })
    }

    /// Runs with the names of a stored definition, and nothing of the statement visible.
    pub(crate) fn in_definition<T>(
        &mut self,
        names: Option<&Arc<StoredNames>>,
        run: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let stored = self.names.of_definition(names);
        let names = std::mem::replace(&mut self.names, Arc::new(stored));
        let levels = std::mem::take(&mut self.levels);
        let mendings = self.mendings.take();
        let base_depth = self.base_depth;
        self.base_depth += levels.len() as u32;
        let result = run(self);
        self.base_depth = base_depth;
        self.levels = levels;
        self.mendings = mendings;
        self.names = names;
        // Positions inside a stored text mean nothing to the user.
        result.map_err(|mut error| {
            error.fields_mut().position = None;
            error
        })
    }
}
