//! Names in expressions: columns, whole rows, fields of rows (transformColumnRef).

use pg_query::protobuf::ColumnRef;
use types::{Error, Result, SqlState};

use crate::{
    ast,
    state::{Binder, Typed},
};

impl Binder<'_> {
    pub(crate) fn bind_column_reference(&mut self, reference: &ColumnRef) -> Result<Typed> {
        let location = reference.location;
        if let Some(refusal) = self.level().kind.column_refusal() {
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, refusal).at(ast::position(location)));
        }
        let names = ast::names(&reference.fields);
        if names.len() < reference.fields.len() {
            return self.bind_row_star(&names, location);
        }
        match names[..] {
            [name] => self.bind_bare_name(name, location),
            [table, column] => match self.find_relation_entry(None, table, location)? {
                Some((level, entry)) => self.bind_entry_column(level, entry, table, column, location),
                None => Err(self.missing_relation(None, table, location)),
            },
            [schema, table, column] => self.bind_schema_column(schema, table, column, location),
            [database, schema, table, column] => {
                if database != self.names.cluster.current_database {
                    let message = format!("cross-database references are not implemented: {}", names.join("."));
                    return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(ast::position(location)));
                }
                self.bind_schema_column(schema, table, column, location)
            }
            _ => {
                let message = format!("improper qualified name (too many dotted names): {}", names.join("."));
                Err(Error::new(SqlState::SYNTAX_ERROR, message).at(ast::position(location)))
            }
        }
    }

    fn bind_bare_name(&mut self, name: &str, location: i32) -> Result<Typed> {
        if let Some(ty) = self.level().domain_value
            && name == "value"
        {
            return Ok(Typed::new(expr::Expr::DomainValue { ty }, location));
        }
        if let Some(column) = self.find_column(name, location)? {
            return Ok(column);
        }
        match self.find_relation_entry(None, name, location)? {
            Some((level, entry)) => Ok(self.whole_row(level, entry, location)),
            None => Err(self.missing_column(None, name, location)),
        }
    }

    fn bind_schema_column(&mut self, schema: &str, table: &str, column: &str, location: i32) -> Result<Typed> {
        let found = match self.names.schema_oid(schema) {
            Some(oid) => self.find_relation_entry(Some(oid), table, location)?,
            None => None,
        };
        match found {
            Some((level, entry)) => self.bind_entry_column(level, entry, table, column, location),
            None => Err(self.missing_relation(Some(schema), table, location)),
        }
    }

    /// `table.column`: a column, else a function applied to the whole row.
    fn bind_entry_column(&mut self, level: usize, entry: usize, table: &str, column: &str, location: i32) -> Result<Typed> {
        if let Some(found) = self.find_column_of(level, entry, column, location)? {
            return Ok(found);
        }
        let row = self.whole_row(level, entry, location);
        if let Some(called) = self.try_function_on_row(column, row, location)? {
            return Ok(called);
        }
        Err(self.missing_column(Some(table), column, location))
    }

    /// `t.*` where one value is wanted: the whole row.
    fn bind_row_star(&mut self, names: &[&str], location: i32) -> Result<Typed> {
        let (schema, table) = match names {
            [table] => (None, *table),
            [.., schema, table] => (Some(*schema), *table),
            [] => {
                let message = "improper use of \"*\"";
                return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(ast::position(location)));
            }
        };
        match self.find_qualified_entry(schema, table, location)? {
            Some((level, entry)) => Ok(self.whole_row(level, entry, location)),
            None => Err(self.missing_relation(schema, table, location)),
        }
    }

    /// The entry that `[schema.]table` names.
    pub(crate) fn find_qualified_entry(
        &self,
        schema: Option<&str>,
        table: &str,
        location: i32,
    ) -> Result<Option<(usize, usize)>> {
        match schema {
            None => self.find_relation_entry(None, table, location),
            Some(schema) => match self.names.schema_oid(schema) {
                Some(oid) => self.find_relation_entry(Some(oid), table, location),
                None => Ok(None),
            },
        }
    }
}
