//! Values and rows of system relations.

use std::sync::Arc;

use types::{Array, Datum, Oid, SqlType, TimestampTz, array::Dimension};

pub(crate) type Row = Vec<Datum>;

pub(super) const NULL: Datum = Datum::Null;

pub(super) fn text(value: impl AsRef<str>) -> Datum {
    Datum::text(value.as_ref())
}

/// A name that is shared with the catalog.
pub(super) fn name(value: &Arc<str>) -> Datum {
    Datum::Text(value.clone())
}

pub(super) fn optional_text(value: Option<impl AsRef<str>>) -> Datum {
    value.map_or(NULL, text)
}

/// A `"char"`; a blank stands for the empty one.
pub(super) fn letter(value: char) -> Datum {
    if value == ' ' { text("") } else { text(value.encode_utf8(&mut [0; 4])) }
}

pub(super) fn oid(value: Oid) -> Datum {
    Datum::Oid(value)
}

pub(super) fn boolean(value: bool) -> Datum {
    Datum::Bool(value)
}

pub(super) fn int2(value: usize) -> Datum {
    Datum::Int2(i16::try_from(value).unwrap_or(i16::MAX))
}

pub(super) fn optional<T>(value: Option<T>, make: impl FnOnce(T) -> Datum) -> Datum {
    value.map_or(NULL, make)
}

pub(super) fn time(value: Option<TimestampTz>) -> Datum {
    value.map_or(NULL, Datum::TimestampTz)
}

pub(super) fn array(element_type: SqlType, elements: Vec<Datum>) -> Datum {
    Datum::Array(Arc::new(Array::one_dimensional(element_type, elements)))
}

pub(super) fn text_array<'a>(elements: impl IntoIterator<Item = &'a str>) -> Datum {
    array(SqlType::TEXT, elements.into_iter().map(text).collect())
}

pub(super) fn oid_array(elements: impl IntoIterator<Item = Oid>) -> Datum {
    array(SqlType::OID, elements.into_iter().map(oid).collect())
}

pub(super) fn int2_array(elements: impl IntoIterator<Item = i16>) -> Datum {
    array(SqlType::INT2, elements.into_iter().map(Datum::Int2).collect())
}

/// An int2vector or oidvector: one dimension that counts from zero, even when empty.
pub(super) fn vector(element_type: SqlType, elements: Vec<Datum>) -> Datum {
    let dimensions = vec![Dimension { length: i32::try_from(elements.len()).unwrap_or(i32::MAX), lower_bound: 0 }];
    Datum::Array(Arc::new(Array { element_type, dimensions, elements }))
}

/// The rows that a provider makes.
pub(super) fn collect(provide: impl FnOnce(&mut Sink)) -> Vec<Row> {
    let mut sink = Sink::new(None);
    provide(&mut sink);
    sink.into_rows()
}

/// An equality that every wanted row satisfies.
#[derive(Clone, Copy, Debug)]
pub struct Hint<'h> {
    pub column: &'h str,
    pub value: &'h Datum,
}

/// Collects the rows of one system relation, leaving out those that the hint rules out.
pub(super) struct Sink {
    wanted: Option<(usize, Datum)>,
    rows: Vec<Row>,
}

impl Sink {
    /// `wanted`: a column's position and the value that it must have.
    pub(super) fn new(wanted: Option<(usize, Datum)>) -> Sink {
        Sink { wanted, rows: Vec::new() }
    }

    /// Whether rows with this identifier in the column at this position can be wanted; asked before a costly row is made.
    pub(super) fn wants(&self, position: usize, value: Oid) -> bool {
        match &self.wanted {
            Some((wanted, Datum::Oid(oid))) if *wanted == position => *oid == value,
            _ => true,
        }
    }

    /// The same of a name.
    pub(super) fn wants_name(&self, position: usize, value: &str) -> bool {
        match &self.wanted {
            Some((wanted, Datum::Text(name))) if *wanted == position => **name == *value,
            _ => true,
        }
    }

    /// The identifier that the column at this position must have, when that is known.
    pub(super) fn only(&self, position: usize) -> Option<Oid> {
        match &self.wanted {
            Some((wanted, Datum::Oid(oid))) if *wanted == position => Some(*oid),
            _ => None,
        }
    }

    fn accepts(&self, row: &[Datum]) -> bool {
        let Some((position, value)) = &self.wanted else { return true };
        match (row.get(*position), value) {
            (Some(Datum::Oid(found)), Datum::Oid(wanted)) => found == wanted,
            (Some(Datum::Text(found)), Datum::Text(wanted)) => found == wanted,
            _ => true,
        }
    }

    pub(super) fn push(&mut self, row: Row) {
        if self.accepts(&row) {
            self.rows.push(row);
        }
    }

    /// Adds copies of ready rows.
    pub(super) fn extend(&mut self, rows: &[Row]) {
        for row in rows {
            if self.accepts(row) {
                self.rows.push(row.clone());
            }
        }
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }
}
