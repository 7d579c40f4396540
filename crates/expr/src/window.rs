//! Window functions: what the Window operator drives, one partition at a time.
//!
//! The operator sorts the partition, tells peers apart and works out frames; a function sees row numbers and asks for argument values.
//! Aggregates over frames run through [`crate::aggregate::Accumulator`].

use std::ops::Range;

use catalog::builtin::BuiltinFunction;
use types::{Datum, Error, Result, SqlState};

use crate::functions;

/// A partition as a window function sees it: rows from 0 in the order of the window.
pub trait Partition {
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows that are peers of this one (equal by the window's ORDER BY), itself included.
    fn peers(&self, row: usize) -> Range<usize>;
    /// The rows of this row's frame that EXCLUDE leaves, in order.
    fn frame(&self, row: usize) -> Vec<usize>;
    /// The value of an argument of the call at a row.
    fn argument(&self, argument: usize, row: usize) -> Datum;
    /// How many arguments the call has.
    fn argument_count(&self) -> usize;
}

/// A window function that is not an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowFunction {
    RowNumber,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
    Ntile,
    Lag,
    Lead,
    FirstValue,
    LastValue,
    NthValue,
}

impl WindowFunction {
    /// The function of a pg_proc row. Error: 0A000 for one that has no implementation, naming it.
    pub fn of(function: &'static BuiltinFunction) -> Result<WindowFunction> {
        Ok(match function.name {
            "row_number" => WindowFunction::RowNumber,
            "rank" => WindowFunction::Rank,
            "dense_rank" => WindowFunction::DenseRank,
            "percent_rank" => WindowFunction::PercentRank,
            "cume_dist" => WindowFunction::CumeDist,
            "ntile" => WindowFunction::Ntile,
            "lag" => WindowFunction::Lag,
            "lead" => WindowFunction::Lead,
            "first_value" => WindowFunction::FirstValue,
            "last_value" => WindowFunction::LastValue,
            "nth_value" => WindowFunction::NthValue,
            _ => return Err(functions::not_implemented(function)),
        })
    }

    /// Whether the result depends on the frame, so that it must be worked out.
    pub fn uses_frame(self) -> bool {
        matches!(self, WindowFunction::FirstValue | WindowFunction::LastValue | WindowFunction::NthValue)
    }

    /// The results for every row of a partition, in its order.
    pub fn evaluate(self, partition: &dyn Partition) -> Result<Vec<Datum>> {
        if self == WindowFunction::DenseRank {
            return Ok(dense_ranks(partition));
        }
        (0..partition.len()).map(|row| self.row(partition, row)).collect()
    }

    fn row(self, partition: &dyn Partition, row: usize) -> Result<Datum> {
        let rows = partition.len();
        Ok(match self {
            WindowFunction::RowNumber => Datum::Int8(row as i64 + 1),
            WindowFunction::Rank => Datum::Int8(partition.peers(row).start as i64 + 1),
            WindowFunction::DenseRank => unreachable!("dense ranks are counted over the whole partition"),
            WindowFunction::PercentRank if rows <= 1 => Datum::Float8(0.0),
            WindowFunction::PercentRank => Datum::Float8(partition.peers(row).start as f64 / (rows - 1) as f64),
            WindowFunction::CumeDist => Datum::Float8(partition.peers(row).end as f64 / rows as f64),
            WindowFunction::Ntile => ntile(partition, row)?,
            WindowFunction::Lag => offset(partition, row, -1),
            WindowFunction::Lead => offset(partition, row, 1),
            WindowFunction::FirstValue => partition.frame(row).first().map_or(Datum::Null, |&at| partition.argument(0, at)),
            WindowFunction::LastValue => partition.frame(row).last().map_or(Datum::Null, |&at| partition.argument(0, at)),
            WindowFunction::NthValue => nth_value(partition, row)?,
        })
    }
}

fn dense_ranks(partition: &dyn Partition) -> Vec<Datum> {
    let mut rank = 0;
    (0..partition.len())
        .map(|row| {
            if partition.peers(row).start == row {
                rank += 1;
            }
            Datum::Int8(rank)
        })
        .collect()
}

/// The bucket of a row when rows are dealt into `n` buckets as evenly as can be, the earlier ones taking the remainder.
fn ntile(partition: &dyn Partition, row: usize) -> Result<Datum> {
    // The number of buckets is taken from the partition's first row.
    let buckets = match partition.argument(0, 0) {
        Datum::Null => return Ok(Datum::Null),
        Datum::Int4(buckets) if buckets > 0 => buckets as usize,
        _ => {
            let message = "argument of ntile must be greater than zero";
            return Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_NTILE, message));
        }
    };
    let (size, larger) = (partition.len() / buckets, partition.len() % buckets);
    let in_larger = larger * (size + 1);
    let bucket = if row < in_larger { row / (size + 1) } else { larger + (row - in_larger) / size.max(1) };
    Ok(Datum::Int4(bucket as i32 + 1))
}

/// The value `argument 1` rows (one when absent) away, else `argument 2`.
fn offset(partition: &dyn Partition, row: usize, direction: i64) -> Datum {
    let distance = match partition.argument_count() {
        0 | 1 => 1,
        _ => match partition.argument(1, row) {
            Datum::Int4(distance) => distance as i64,
            _ => return Datum::Null,
        },
    };
    let at = row as i64 + direction * distance;
    if (0..partition.len() as i64).contains(&at) {
        return partition.argument(0, at as usize);
    }
    if partition.argument_count() > 2 { partition.argument(2, row) } else { Datum::Null }
}

fn nth_value(partition: &dyn Partition, row: usize) -> Result<Datum> {
    match partition.argument(1, row) {
        Datum::Null => Ok(Datum::Null),
        Datum::Int4(nth) if nth > 0 => {
            Ok(partition.frame(row).get(nth as usize - 1).map_or(Datum::Null, |&at| partition.argument(0, at)))
        }
        _ => {
            let message = "argument of nth_value must be greater than zero";
            Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_NTH_VALUE, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows that are peers in pairs, with their number as the argument and a fixed second one.
    struct Pairs(usize, i32);

    impl Partition for Pairs {
        fn len(&self) -> usize {
            self.0
        }

        fn peers(&self, row: usize) -> Range<usize> {
            row / 2 * 2..(row / 2 * 2 + 2).min(self.0)
        }

        fn frame(&self, row: usize) -> Vec<usize> {
            (0..self.peers(row).end).collect()
        }

        fn argument(&self, argument: usize, row: usize) -> Datum {
            Datum::Int4(if argument == 0 { row as i32 } else { self.1 })
        }

        fn argument_count(&self) -> usize {
            2
        }
    }

    fn integers(results: &[Datum]) -> Vec<i64> {
        results
            .iter()
            .map(|result| match result {
                Datum::Int8(value) => *value,
                Datum::Int4(value) => *value as i64,
                _ => -1,
            })
            .collect()
    }

    #[test]
    fn ranks_and_neighbours() {
        let run = |function: WindowFunction| integers(&function.evaluate(&Pairs(5, 2)).expect("no error"));
        assert_eq!(run(WindowFunction::Rank), [1, 1, 3, 3, 5]);
        assert_eq!(run(WindowFunction::DenseRank), [1, 1, 2, 2, 3]);
        assert_eq!(run(WindowFunction::Lag), [-1, -1, 0, 1, 2]);
        assert_eq!(run(WindowFunction::Lead), [2, 3, 4, -1, -1]);
        assert_eq!(run(WindowFunction::LastValue), [1, 1, 3, 3, 4]);
        assert_eq!(run(WindowFunction::NthValue), [1, 1, 1, 1, 1]);
    }
}
