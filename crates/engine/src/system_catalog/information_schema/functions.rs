//! information_schema's own functions, which drivers call: limits of types, and numbers of index columns.

use types::{Datum, SqlType};

use super::type_limits::{TypeLimits, interval_fields};
use crate::system_catalog::{
    SystemContext,
    functions::Arguments,
    relation_rows::{as_index, attribute_number},
    row::{NULL, optional_text},
};

pub(in crate::system_catalog) fn call(source: &str, given: Arguments, context: &SystemContext) -> Option<Datum> {
    let ty = || SqlType::of(given.oid(0)).with_typmod(i32::try_from(given.int(1)).unwrap_or(-1));
    let number = |value: Option<i32>| value.map_or(NULL, Datum::Int4);
    Some(match source {
        "_pg_char_max_length" => number(TypeLimits::of(ty()).characters),
        "_pg_char_octet_length" => number(TypeLimits::of(ty()).octets),
        "_pg_numeric_precision" => number(TypeLimits::of(ty()).precision),
        "_pg_numeric_precision_radix" => number(TypeLimits::of(ty()).radix),
        "_pg_numeric_scale" => number(TypeLimits::of(ty()).scale),
        "_pg_datetime_precision" => number(TypeLimits::of(ty()).fractional_seconds),
        "_pg_interval_type" => optional_text(interval_fields(&context.names, ty())),
        "_pg_index_position" => index_position(given, context),
        "_pg_truetypid" => below_domain(given, "atttypid", "typbasetype"),
        "_pg_truetypmod" => below_domain(given, "atttypmod", "typtypmod"),
        _ => return None,
    })
}

/// Where a table's column stands in an index, counted from one.
fn index_position(given: Arguments, context: &SystemContext) -> Datum {
    let index = context.names.catalog.relation(given.oid(0)).and_then(|relation| as_index(relation));
    let wanted = given.int(1);
    let is_wanted =
        |key: &catalog::IndexKey| matches!(key, catalog::IndexKey::Attribute(at) if i64::from(attribute_number(*at)) == wanted);
    let place = index.and_then(|index| index.columns.iter().position(|column| is_wanted(&column.key)));
    place.map_or(NULL, |place| Datum::Int4(i32::from(attribute_number(place))))
}

/// A field of a pg_attribute row, or that of its pg_type row when the type is a domain.
fn below_domain(given: Arguments, of_attribute: &str, of_domain: &str) -> Datum {
    let field = |at: usize, name: &str| match given.0.get(at) {
        Some(Datum::Record(record)) => {
            let place = record.field_names.iter().position(|known| &**known == name);
            place.and_then(|place| record.fields.get(place)).cloned().unwrap_or(NULL)
        }
        _ => NULL,
    };
    match field(1, "typtype") {
        Datum::Text(kind) if &*kind == "d" => field(1, of_domain),
        _ => field(0, of_attribute),
    }
}
