//! The order of values outside vectors, by their SQL type: [`types::datum_order`] with the one rule that needs the type, that char(n)
//! compares without its trailing blanks.

use std::cmp::Ordering;

use types::{Datum, Oid, datum_order};

use super::text_comparison::without_blanks;

/// Compares two values of one type as its default btree operator class does; NULL is equal to NULL and after everything else.
pub fn compare_datums(left: &Datum, right: &Datum, ty: Oid) -> Ordering {
    match (left, right) {
        (Datum::Text(a), Datum::Text(b)) if ty == Oid::BPCHAR => without_blanks(a.as_bytes()).cmp(without_blanks(b.as_bytes())),
        (Datum::Array(a), Datum::Array(b)) if a.element_type.oid == Oid::BPCHAR => {
            datum_order::compare_arrays(a, b, |a, b| compare_datums(a, b, Oid::BPCHAR))
        }
        _ => datum_order::compare_datums(left, right),
    }
}
