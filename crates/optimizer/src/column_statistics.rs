//! What `pg_stats` tells of a column, made of a sample of its rows as analyze.c makes it.
//!
//! Nothing is stored: a sample is taken when somebody asks, so that the figures are never out of date. A table of no more rows than a
//! sample has is read whole, and its figures are exact.

use std::cmp::Ordering;

use storage::{RowId, TableData};
use types::{Datum, compare_datums};

/// Rows of a sample: 300 for each of the values and bounds that are kept.
const SAMPLE: u64 = 300 * TARGET as u64;
/// default_statistics_target
const TARGET: usize = 100;
/// Longer values are not kept (WIDTH_THRESHOLD).
const TOO_WIDE: usize = 1024;

/// A column's values in figures.
#[derive(Clone, Debug, Default)]
pub struct ColumnStatistics {
    pub null_fraction: f64,
    /// Bytes of a value as PostgreSQL stores it, on average.
    pub width: f64,
    /// How many values differ; negative is minus their part of the rows, 0 unknown.
    pub distinct: f64,
    /// The most common values with their part of the rows, the most common first.
    pub common: Vec<(Datum, f64)>,
    /// Bounds of parts that hold as many of the other values each.
    pub histogram: Vec<Datum>,
    /// Of the order of values with that of rows.
    pub correlation: Option<f64>,
}

/// The values of a sample that are not NULL nor too wide, with where they came among them.
struct Sample {
    rows: usize,
    nulls: usize,
    too_wide: usize,
    bytes: usize,
    values: Vec<(Datum, usize)>,
}

/// What a column's values are like. `fixed_width` is pg_type.typlen where that is positive; `ordered` says whether values can be compared.
///
/// None for a table without rows.
pub fn column_statistics(
    table: &TableData,
    attribute: usize,
    fixed_width: Option<usize>,
    ordered: bool,
) -> Option<ColumnStatistics> {
    let mut sample = sample(table, attribute, fixed_width);
    if sample.rows == 0 {
        return None;
    }
    let total_rows = table.rows.len().max(sample.rows);
    let not_null = sample.rows - sample.nulls;
    let mut found = ColumnStatistics {
        null_fraction: sample.nulls as f64 / sample.rows as f64,
        width: fixed_width.map_or(sample.bytes as f64 / not_null.max(1) as f64, |width| width as f64),
        ..ColumnStatistics::default()
    };
    if not_null == 0 {
        found.width = fixed_width.unwrap_or(0) as f64;
        return Some(found);
    }
    if !ordered {
        return Some(found);
    }
    sample.values.sort_by(|(a, place_a), (b, place_b)| compare_datums(a, b).then(place_a.cmp(place_b)));
    let groups = groups(&sample.values);
    found.distinct = distinct(&sample, &groups, found.null_fraction, total_rows);
    let common = most_common(&groups);
    let kept = how_many_common(&common, groups.len(), &sample, &found, total_rows);
    found.common = common[..kept]
        .iter()
        .map(|&(start, count)| (sample.values[start].0.clone(), count as f64 / sample.rows as f64))
        .collect();
    found.histogram = histogram(&sample.values, &common[..kept], groups.len());
    found.correlation = correlation(&sample.values);
    Some(found)
}

fn sample(table: &TableData, attribute: usize, fixed_width: Option<usize>) -> Sample {
    let end = table.rows.end().0;
    let step = match table.rows.len() as u64 <= SAMPLE {
        true => 1,
        false => (end / SAMPLE).max(1),
    };
    let mut sample = Sample { rows: 0, nulls: 0, too_wide: 0, bytes: 0, values: Vec::new() };
    for row in (0..end).step_by(step as usize) {
        let Some(value) = table.rows.datum(RowId(row), attribute) else { continue };
        sample.rows += 1;
        if value.is_null() {
            sample.nulls += 1;
            continue;
        }
        if fixed_width.is_none() {
            let bytes = stored_bytes(&value);
            sample.bytes += bytes;
            if bytes > TOO_WIDE {
                sample.too_wide += 1;
                continue;
            }
        }
        let place = sample.values.len();
        sample.values.push((value, place));
    }
    sample
}

/// Bytes of a value of variable length with its header, as PostgreSQL packs it.
fn stored_bytes(value: &Datum) -> usize {
    const SHORT: usize = 126;
    let bytes = match value {
        Datum::Text(text) => text.len(),
        Datum::Bytes(bytes) => bytes.len(),
        // Two bytes for the sign and the scale, and two for each four digits.
        Datum::Numeric(number) => {
            let text = number.to_string();
            let digits = |part: &str| part.bytes().filter(u8::is_ascii_digit).count().div_ceil(4);
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            let fraction = fraction.trim_end_matches('0');
            2 + 2 * (digits(whole.trim_start_matches(['-', '0'])) + digits(fraction))
        }
        other => other.heap_size(),
    };
    bytes + if bytes <= SHORT { 1 } else { 4 }
}

/// Where each run of equal values begins, and how many they are.
fn groups(values: &[(Datum, usize)]) -> Vec<(usize, usize)> {
    let mut groups: Vec<(usize, usize)> = Vec::new();
    for (at, (value, _)) in values.iter().enumerate() {
        match groups.last_mut() {
            Some((start, count)) if compare_datums(&values[*start].0, value) == Ordering::Equal => *count += 1,
            _ => groups.push((at, 1)),
        }
    }
    groups
}

/// Haas and Stokes, estimator Duj1, unless the sample tells.
fn distinct(sample: &Sample, groups: &[(usize, usize)], null_fraction: f64, total_rows: usize) -> f64 {
    let multiple = groups.iter().filter(|(_, count)| *count > 1).count();
    let total = total_rows as f64;
    let distinct = if multiple == 0 {
        return -(1.0 - null_fraction);
    } else if sample.too_wide == 0 && multiple == groups.len() {
        groups.len() as f64
    } else {
        let once = (groups.len() - multiple + sample.too_wide) as f64;
        let (known, rows) = (once + multiple as f64, (sample.rows - sample.nulls) as f64);
        let all = total * (1.0 - null_fraction);
        let estimated = if all > 0.0 { rows * known / ((rows - once) + once * rows / all) } else { 0.0 };
        (estimated.max(known).min(all) + 0.5).floor()
    };
    if distinct > 0.1 * total { -(distinct / total) } else { distinct }
}

/// The groups of more than one value, the largest first, at most as many as are kept.
fn most_common(groups: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut common: Vec<(usize, usize)> = groups.iter().copied().filter(|(_, count)| *count > 1).collect();
    common.sort_by_key(|(start, count)| (std::cmp::Reverse(*count), *start));
    common.truncate(TARGET);
    common
}

/// How many of the common values are so much more common than the others that it is no chance (analyze_mcv_list).
fn how_many_common(
    common: &[(usize, usize)],
    groups: usize,
    sample: &Sample,
    found: &ColumnStatistics,
    total_rows: usize,
) -> usize {
    let is_all = common.len() == groups && sample.too_wide == 0 && found.distinct > 0.0;
    if is_all || sample.rows == total_rows || total_rows <= 1 {
        return common.len();
    }
    let (total, rows) = (total_rows as f64, sample.rows as f64);
    let distinct = if found.distinct < 0.0 { -found.distinct * total } else { found.distinct };
    let mut kept = common.len();
    while kept > 0 {
        let before: usize = common[..kept - 1].iter().map(|(_, count)| count).sum();
        let mut share = (1.0 - before as f64 / rows - found.null_fraction).clamp(0.0, 1.0);
        let others = distinct - (kept - 1) as f64;
        if others > 1.0 {
            share /= others;
        }
        let count = common[kept - 1].1 as f64;
        let of_all = total * count / rows;
        let variance = rows * of_all * (total - of_all) * (total - rows) / (total * total * (total - 1.0));
        if count > share * rows + 2.0 * variance.max(0.0).sqrt() + 0.5 {
            break;
        }
        kept -= 1;
    }
    kept
}

/// Bounds of parts of the values that are not among the common ones, each of as many.
fn histogram(values: &[(Datum, usize)], common: &[(usize, usize)], groups: usize) -> Vec<Datum> {
    let bounds = (groups - common.len()).min(TARGET + 1);
    if bounds < 2 {
        return Vec::new();
    }
    let mut taken: Vec<(usize, usize)> = common.to_vec();
    taken.sort_unstable();
    let mut left = Vec::with_capacity(values.len());
    let mut from = 0;
    for (start, count) in taken {
        left.extend(&values[from..start]);
        from = start + count;
    }
    left.extend(&values[from..]);
    let last = left.len() - 1;
    (0..bounds).map(|bound| left[last * bound / (bounds - 1)].0.clone()).collect()
}

fn correlation(values: &[(Datum, usize)]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let count = values.len() as f64;
    let products: f64 = values.iter().enumerate().map(|(order, (_, place))| order as f64 * *place as f64).sum();
    let sum = (count - 1.0) * count / 2.0;
    let squares = (count - 1.0) * count * (2.0 * count - 1.0) / 6.0;
    Some((count * products - sum * sum) / (count * squares - sum * sum))
}

#[cfg(test)]
mod tests {
    use storage::TxnId;
    use types::Physical;

    use super::*;

    fn table(values: impl Iterator<Item = Datum>, physical: Physical) -> TableData {
        let mut table = TableData::new(&[physical]);
        for (row, value) in values.enumerate() {
            table.insert(RowId(row as u64 + 1), TxnId(1), &[value].as_slice().into()).expect("a row is inserted");
        }
        table
    }

    #[test]
    fn figures_are_those_of_postgresql() {
        // CREATE TABLE t AS SELECT CASE WHEN g % 10 = 0 THEN NULL ELSE g % 4 END AS a FROM generate_series(1, 1000) g; ANALYZE t
        let modulo = |g: i32| if g % 10 == 0 { Datum::Null } else { Datum::Int4(g % 4) };
        let found = column_statistics(&table((1..=1000).map(modulo), Physical::Int4), 0, Some(4), true).expect("there are rows");
        assert_eq!((found.null_fraction, found.width, found.distinct), (0.1, 4.0, 4.0));
        assert_eq!(format!("{:?}", found.common), "[(Int4(1), 0.25), (Int4(3), 0.25), (Int4(0), 0.2), (Int4(2), 0.2)]");
        assert!(found.histogram.is_empty());

        let found = column_statistics(&table((1..=1000).map(Datum::Int4), Physical::Int4), 0, Some(4), true).expect("rows");
        assert_eq!((found.distinct, found.common.len(), found.histogram.len()), (-1.0, 0, 101));
        assert_eq!(found.correlation, Some(1.0));
        assert_eq!(format!("{:?}", &found.histogram[..3]), "[Int4(1), Int4(10), Int4(20)]");

        let texts = table(["a", "bb", "bb"].map(Datum::text).into_iter(), Physical::Text);
        let found = column_statistics(&texts, 0, None, true).expect("rows");
        assert_eq!(found.common.len(), 1);
        assert!((found.width - 8.0 / 3.0).abs() < 1e-9 && found.distinct < 0.0);
        assert!(column_statistics(&table(std::iter::empty(), Physical::Text), 0, None, true).is_none());
    }

    #[test]
    fn a_large_table_is_sampled() {
        let values = (0..100_000).map(|g: i32| Datum::Int4(if g % 2 == 0 { 7 } else { g }));
        let found = column_statistics(&table(values, Physical::Int4), 0, Some(4), true).expect("rows");
        assert_eq!(found.common.len(), 1);
        assert!((found.common[0].1 - 0.5).abs() < 0.02, "{:?}", found.common);
        assert_eq!(found.histogram.len(), 101);
    }
}
