//! What the optimizer asks of a table's values, judged from samples: the first rows for how many differ, rows from all over the table
//! for where a value stands among them.

use std::{cmp::Ordering, collections::HashMap, mem::discriminant};

use storage::{
    RowId, TableData,
    key::{KeyOrder, encode_key_part},
};
use types::{Datum, compare_datums};

/// Rows looked at to place a value: its share is then known to a few per cent.
const PLACING_SAMPLE: u64 = 100;

/// The estimated share of an attribute's values (NULL not counted) that are less than this one; never quite none or all.
///
/// None for an empty table or a value of another type.
pub fn share_below(table: &TableData, attribute: usize, value: &Datum) -> Option<f64> {
    let end = table.rows.end().0;
    let step = (end / PLACING_SAMPLE).max(1);
    let (mut sampled, mut below) = (0.0, 0.0);
    for row in (0..end).step_by(step as usize) {
        let Some(sample) = table.rows.datum(RowId(row), attribute).filter(|sample| !sample.is_null()) else { continue };
        if discriminant(&sample) != discriminant(value) {
            return None;
        }
        sampled += 1.0;
        below += f64::from(u8::from(compare_datums(&sample, value) == Ordering::Less));
    }
    let unseen = 0.25 / sampled;
    (sampled > 0.0).then(|| (below / sampled).clamp(unseen, 1.0 - unseen))
}

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
    use types::Physical;

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

    #[test]
    fn a_sample_places_values() {
        let mut table = TableData::new(&[Physical::Int4]);
        assert_eq!(share_below(&table, 0, &Datum::Int4(1)), None);
        for row in 0..5000_i32 {
            table.insert(RowId(row as u64 + 1), TxnId(1), &[Datum::Int4(row)].as_slice().into()).expect("a row is inserted");
        }
        let share = |value| share_below(&table, 0, &Datum::Int4(value)).expect("there are rows");
        assert!((share(1250) - 0.25).abs() < 0.02, "{}", share(1250));
        assert!(share(-1) > 0.0 && share(-1) < 0.01);
        assert!(share(9999) < 1.0 && share(9999) > 0.99);
        assert_eq!(share_below(&table, 0, &Datum::text("x")), None);
    }
}
