//! A row of a result: values by position or by name.

use std::{fmt, sync::Arc};

use types::{
    Datum, Error, FormatSettings, Result, SqlState, SqlType,
    text_format::{TypeResolver, datum_to_text},
};

use crate::FromSql;

/// A column of a result.
#[derive(Clone, Debug)]
pub struct Column {
    name: Arc<str>,
    ty: SqlType,
    type_name: String,
}

impl Column {
    pub(crate) fn new(name: Arc<str>, ty: SqlType, type_name: String) -> Column {
        Column { name, ty, type_name }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn sql_type(&self) -> SqlType {
        self.ty
    }

    /// The type as SQL writes it: `integer`, `numeric(8,2)`, `text[]`.
    pub fn type_name(&self) -> &str {
        &self.type_name
    }
}

/// What the rows of one result share.
pub(crate) struct Columns {
    pub(crate) columns: Vec<Column>,
    pub(crate) settings: Arc<FormatSettings>,
    pub(crate) resolver: Arc<dyn TypeResolver + Send + Sync>,
}

impl Columns {
    pub(crate) fn text(&self, at: usize, value: &Datum) -> String {
        let mut text = String::new();
        datum_to_text(value, self.columns[at].ty, &self.settings, &*self.resolver, &mut text);
        text
    }
}

/// A row of a result.
#[derive(Clone)]
pub struct Row {
    columns: Arc<Columns>,
    values: Vec<Datum>,
}

impl Row {
    pub(crate) fn new(columns: Arc<Columns>, values: Vec<Datum>) -> Row {
        Row { columns, values }
    }

    /// The value of a column, by position or name, as a Rust type. `Option<T>` takes NULL.
    ///
    /// Errors: 42703 when there is no such column, 22004 for a NULL, 42804 when the column's type is no `T`, 22003 when the value does not fit.
    pub fn get<T: FromSql>(&self, index: impl RowIndex) -> Result<T> {
        let at = index.position(self)?;
        T::from_sql(&self.values[at], &self.columns.columns[at], &|| self.columns.text(at, &self.values[at]))
    }

    /// The value as the engine holds it.
    pub fn datum(&self, index: impl RowIndex) -> Result<&Datum> {
        index.position(self).map(|at| &self.values[at])
    }

    /// The value as psql would show it; None for NULL.
    pub fn text(&self, index: impl RowIndex) -> Result<Option<String>> {
        let at = index.position(self)?;
        Ok((!self.values[at].is_null()).then(|| self.columns.text(at, &self.values[at])))
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns.columns
    }

    /// How many columns it has.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (at, value) in self.values.iter().enumerate() {
            let text = (!value.is_null()).then(|| self.columns.text(at, value));
            map.entry(&self.columns.columns[at].name, &text);
        }
        map.finish()
    }
}

/// A position (from 0) or a name that says which column is meant; of several columns of a name, the first.
pub trait RowIndex {
    fn position(&self, row: &Row) -> Result<usize>;
}

impl RowIndex for usize {
    fn position(&self, row: &Row) -> Result<usize> {
        if *self < row.len() {
            return Ok(*self);
        }
        Err(Error::new(SqlState::UNDEFINED_COLUMN, format!("column {self} does not exist, the row has {}", row.len())))
    }
}

impl RowIndex for &str {
    fn position(&self, row: &Row) -> Result<usize> {
        row.columns()
            .iter()
            .position(|column| column.name() == *self)
            .ok_or_else(|| Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{self}\" does not exist")))
    }
}

impl RowIndex for String {
    fn position(&self, row: &Row) -> Result<usize> {
        self.as_str().position(row)
    }
}
