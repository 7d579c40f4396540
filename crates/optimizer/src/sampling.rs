//! How many different values an attribute has, judged from the first rows of its table, by the estimator that PostgreSQL's ANALYZE uses.

use std::collections::HashMap;

use storage::{
    TableData,
    key::{KeyOrder, encode_key_part},
};

/// The estimated number of different values (NULL not counted); None for an empty table or values that have no order.
pub fn distinct_values(table: &TableData, attribute: usize) -> Option<f64> {
    let chunk = table.rows.chunks().find(|chunk| chunk.presence().count_ones() > 0)?;
    let column = chunk.columns().get(attribute)?;
    let (mut counts, mut sampled): (HashMap<Vec<u8>, u32>, f64) = (HashMap::new(), 0.0);
    for slot in chunk.presence().ones().filter(|slot| !column.is_null(*slot)) {
        let mut key = Vec::new();
        encode_key_part(&column.datum(slot), KeyOrder::ASCENDING, &mut key).ok()?;
        *counts.entry(key).or_default() += 1;
        sampled += 1.0;
    }
    let rows = table.rows.len() as f64;
    let (distinct, once) = (counts.len() as f64, counts.values().filter(|count| **count == 1).count() as f64);
    if sampled == 0.0 {
        return Some(1.0);
    }
    // Haas and Stokes, estimator Duj1, as in analyze.c.
    Some((sampled * distinct / (sampled - once + once * sampled / rows)).clamp(distinct, rows.max(distinct)))
}

#[cfg(test)]
mod tests {
    use storage::{RowId, TxnId};
    use types::{Datum, Physical};

    use super::*;

    #[test]
    fn a_sample_tells_keys_from_categories() {
        let mut table = TableData::new(&[Physical::Int4, Physical::Int4]);
        for row in 0..5000_i32 {
            let values = [Datum::Int4(row), Datum::Int4(row % 7)];
            table.insert(RowId(row as u64 + 1), TxnId(1), &values.as_slice().into()).expect("a row is inserted");
        }
        assert_eq!(distinct_values(&table, 1), Some(7.0));
        assert_eq!(distinct_values(&table, 0), Some(5000.0));
    }
}
