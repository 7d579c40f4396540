//! Rows about to be written: stored generated columns are computed, NOT NULL, CHECK and view conditions are tested.
//!
//! The error is that of the first failing row, as if rows were written one by one.

use std::sync::Arc;

use catalog::Relation;
use expr::{Batch, ColumnId, Compiled, Vector};
use plan::logical::{Check, NewRow};
use storage::{Column, Row};
use types::{Datum, Error, Physical, Result, SqlState, SqlType, text_format::datum_to_text};

use crate::{
    node::{Typed, ids},
    run::Run,
};

/// Values in error details are cut to so many bytes.
const SHOWN_BYTES: usize = 64;

pub(crate) struct NewRows {
    relation: Arc<Relation>,
    pub(crate) layout: Vec<ColumnId>,
    pub(crate) types: Vec<SqlType>,
    generated: Vec<(usize, Typed)>,
    checks: Vec<(Arc<str>, Compiled)>,
    view_checks: Vec<(Arc<str>, Compiled)>,
}

/// What a row violates.
enum Violation<'a> {
    NotNull(usize),
    Check(&'a str),
    View(&'a str),
}

impl NewRows {
    pub(crate) fn compile(relation: &Arc<Relation>, row: &NewRow) -> Result<NewRows> {
        let layout = ids(&row.columns);
        Ok(NewRows {
            generated: row
                .generated
                .iter()
                .map(|(at, expression)| Ok((*at, Typed::new(expression, &layout)?)))
                .collect::<Result<_>>()?,
            checks: compile_checks(&row.checks, &layout)?,
            view_checks: compile_checks(&row.view_checks, &layout)?,
            types: row.columns.iter().map(|column| column.ty).collect(),
            relation: relation.clone(),
            layout,
        })
    }

    pub(crate) fn physical(&self) -> Vec<Physical> {
        self.types.iter().map(|ty| ty.physical).collect()
    }

    /// The rows with generated columns filled in, all constraints met.
    ///
    /// Errors: 23502, 23514, 44000.
    pub(crate) fn finish(&self, mut rows: Batch, run: &Run) -> Result<Batch> {
        for (at, expression) in &self.generated {
            rows.columns[*at] = expression.column(&rows, &run.context)?;
        }
        let mut first: Option<(usize, Violation<'_>)> = None;
        for (at, attribute) in self.relation.attributes.iter().enumerate() {
            if attribute.not_null
                && !attribute.dropped
                && let Some(row) = first_null(&rows.columns[at], rows.len)
                && first.as_ref().is_none_or(|(known, _)| row < *known)
            {
                first = Some((row, Violation::NotNull(at)));
            }
        }
        for (checks, of_view) in [(&self.checks, false), (&self.view_checks, true)] {
            for (name, check) in checks {
                let result = check.evaluate(&rows, &run.context)?;
                // A check holds unless it is false; a view's condition must be true.
                if let Some(row) = first_failing(&result, rows.len, of_view)
                    && first.as_ref().is_none_or(|(known, _)| row < *known)
                {
                    first = Some((row, if of_view { Violation::View(name) } else { Violation::Check(name) }));
                }
            }
        }
        match first {
            None => Ok(rows),
            Some((row, violation)) => Err(self.error(&violation, &rows, row, run)),
        }
    }

    fn error(&self, violation: &Violation<'_>, rows: &Batch, row: usize, run: &Run) -> Error {
        let relation = &self.relation;
        let schema = run.context.catalog.schema(relation.schema).map_or("", |schema| &*schema.name);
        let detail = self.describe(rows, row, run).map(|row| format!("Failing row contains {row}."));
        let detailed = |error: Error| match &detail {
            Some(detail) => error.detail(detail.clone()),
            None => error,
        };
        match violation {
            Violation::NotNull(at) => {
                let column = &relation.attributes[*at].name;
                let message =
                    format!("null value in column \"{column}\" of relation \"{}\" violates not-null constraint", relation.name);
                detailed(Error::new(SqlState::NOT_NULL_VIOLATION, message)).in_table(schema, &*relation.name).in_column(&**column)
            }
            Violation::Check(name) => {
                let message = format!("new row for relation \"{}\" violates check constraint \"{name}\"", relation.name);
                detailed(Error::new(SqlState::CHECK_VIOLATION, message)).in_table(schema, &*relation.name).of_constraint(*name)
            }
            Violation::View(name) => {
                let message = format!("new row violates check option for view \"{name}\"");
                detailed(Error::new(SqlState::WITH_CHECK_OPTION_VIOLATION, message))
            }
        }
    }

    /// `(1, abc, null)`, or `(a, c) = (1, null)` when there are columns that must not be shown; None when none may be.
    fn describe(&self, rows: &Batch, row: usize, run: &Run) -> Option<String> {
        let shown = run.context.session.attributes_to_show(self.relation.oid);
        let is_shown = |at: usize| shown.as_ref().is_none_or(|shown| shown.contains(&at));
        let mut text = String::new();
        if shown.is_some() {
            let shown = self.relation.live_attributes().filter(|(at, _)| is_shown(*at));
            let names: Vec<&str> = shown.map(|(_, attribute)| &*attribute.name).collect();
            if names.is_empty() {
                return None;
            }
            text = format!("({}) = ", names.join(", "));
        }
        text.push('(');
        let start = text.len();
        for (at, _) in self.relation.live_attributes().filter(|(at, _)| is_shown(*at)) {
            if text.len() > start {
                text.push_str(", ");
            }
            let datum = rows.datum(at, row);
            if datum.is_null() {
                text.push_str("null");
                continue;
            }
            let mut value = String::new();
            datum_to_text(&datum, self.types[at], &run.context.format, &*run.context.resolver, &mut value);
            if value.len() > SHOWN_BYTES {
                let mut end = SHOWN_BYTES;
                while !value.is_char_boundary(end) {
                    end -= 1;
                }
                value.truncate(end);
                value.push_str("...");
            }
            text.push_str(&value);
        }
        text.push(')');
        Some(text)
    }
}

fn compile_checks(checks: &[Check], layout: &[ColumnId]) -> Result<Vec<(Arc<str>, Compiled)>> {
    checks.iter().map(|check| Ok((check.name.clone(), Compiled::new(&check.expression, layout)?))).collect()
}

fn first_null(column: &Column, len: usize) -> Option<usize> {
    column.validity()?;
    (0..len).find(|row| column.is_null(*row))
}

fn first_failing(result: &Vector, len: usize, must_be_true: bool) -> Option<usize> {
    (0..len).find(|row| match result.datum(*row) {
        Datum::Bool(holds) => !holds,
        _ => must_be_true,
    })
}

/// A row of a batch as storage keeps it.
pub(crate) fn row_of(batch: &Batch, row: usize) -> Row {
    batch.columns.iter().map(|column| column.datum(row)).collect()
}
