//! pg_index_has_property and its siblings: what access methods and their indexes can do.

use types::Datum;

use super::Arguments;
use crate::system_catalog::{
    SystemContext,
    relation_rows::{access_method, as_index},
    row::NULL,
};

pub(super) fn call(source: &str, given: Arguments, context: &SystemContext) -> Option<Datum> {
    let answer = match source {
        "pg_indexam_has_property" => {
            method_property(given.oid(0) == access_method("btree"), given.oid(0) == access_method("hash"), given.text(1))
        }
        "pg_index_has_property" => index_property(given, context),
        "pg_index_column_has_property" => column_property(given, context),
        _ => return None,
    };
    Some(answer.map_or(NULL, Datum::Bool))
}

fn method_property(is_btree: bool, is_hash: bool, property: &str) -> Option<bool> {
    match property {
        "can_order" | "can_unique" | "can_include" => Some(is_btree),
        "can_multi_col" => Some(!is_hash),
        "can_exclude" => Some(true),
        _ => None,
    }
}

fn index_property(given: Arguments, context: &SystemContext) -> Option<bool> {
    let relation = context.names.catalog.relation(given.oid(0))?;
    as_index(relation)?;
    match given.text(1) {
        "clusterable" | "index_scan" | "bitmap_scan" | "backward_scan" => Some(true),
        _ => None,
    }
}

fn column_property(given: Arguments, context: &SystemContext) -> Option<bool> {
    let index = as_index(context.names.catalog.relation(given.oid(0))?)?;
    let position = usize::try_from(given.int(1).checked_sub(1)?).ok()?;
    let is_key = position < index.columns.len();
    if position >= index.columns.len() + index.included.len() {
        return None;
    }
    let orders = is_key && &*index.method == "btree";
    let order = index.columns.get(position).map(|column| column.order);
    let when_ordered =
        |test: fn(storage::key::KeyOrder) -> bool| if orders { order.map(test) } else { Some(false).filter(|_| is_key) };
    match given.text(2) {
        "asc" => when_ordered(|order| !order.descending),
        "desc" => when_ordered(|order| order.descending),
        "nulls_first" => when_ordered(|order| order.nulls_first),
        "nulls_last" => when_ordered(|order| !order.nulls_first),
        "orderable" => Some(orders),
        "distance_orderable" => Some(false),
        "returnable" | "search_array" | "search_nulls" => Some(orders),
        _ => None,
    }
}
