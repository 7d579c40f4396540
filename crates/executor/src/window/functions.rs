//! Window functions proper, and aggregates over frames.

use std::sync::Arc;

use expr::{Batch, Vector};
use storage::Column;
use types::{Datum, Error, Result, SqlState};

use super::{CompiledCall, Sorted, Window};
use crate::{hash_aggregate::Call, memory::Reservation, run::Run};

/// Rows fed to accumulators at a time when every frame is fed on its own.
const FRAME_ROWS: usize = 64 * 1024;

/// A window function by pg_proc.prosrc.
pub(super) fn evaluate(call: &CompiledCall, sorted: &Sorted, window: &Window, run: &Run) -> Result<Arc<Column>> {
    let arguments =
        call.arguments.iter().map(|argument| argument.vector(&sorted.batch, &run.context)).collect::<Result<Vec<_>>>()?;
    let mut result = Column::with_capacity(call.physical, sorted.batch.len);
    match call.source {
        "window_row_number" | "window_rank" | "window_dense_rank" | "window_percent_rank" | "window_cume_dist" => {
            rank(call.source, sorted, window, &mut result);
        }
        "window_ntile" => ntile(&arguments[0], sorted, &mut result)?,
        "window_lag" | "window_lag_with_offset" | "window_lag_with_offset_and_default" => {
            shift(&arguments, -1, sorted, &mut result);
        }
        "window_lead" | "window_lead_with_offset" | "window_lead_with_offset_and_default" => {
            shift(&arguments, 1, sorted, &mut result);
        }
        "window_first_value" | "window_last_value" | "window_nth_value" => {
            let frames = call.frame.frames(sorted, window, run)?;
            for row in 0..sorted.batch.len {
                let at = match call.source {
                    "window_first_value" => frames.rows(sorted, row).next(),
                    "window_last_value" => frames.rows(sorted, row).last(),
                    _ => match integer(&arguments[1].datum(row)) {
                        None => None,
                        Some(number) if number < 1 => {
                            let message = "argument of nth_value must be greater than zero";
                            return Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_NTH_VALUE, message));
                        }
                        Some(number) => frames.rows(sorted, row).nth(number as usize - 1),
                    },
                };
                result.push(&at.map_or(Datum::Null, |at| arguments[0].datum(at)));
            }
        }
        other => return Err(Error::unsupported(format_args!("window function {other}"))),
    }
    Ok(Arc::new(result))
}

fn integer(datum: &Datum) -> Option<i64> {
    match datum {
        Datum::Int2(value) => Some(i64::from(*value)),
        Datum::Int4(value) => Some(i64::from(*value)),
        Datum::Int8(value) => Some(*value),
        _ => None,
    }
}

fn rank(source: &str, sorted: &Sorted, window: &Window, result: &mut Column) {
    for bounds in sorted.partitions.windows(2) {
        let (first, last) = (bounds[0], bounds[1]);
        let rows = last - first;
        for row in first..last {
            let group = sorted.peers[row];
            // Without ORDER BY all rows of the partition are peers.
            let (start, end, before) = if window.has_order {
                (sorted.groups[group], sorted.groups[group + 1], group - sorted.peers[first])
            } else {
                (first, last, 0)
            };
            let rank = start - first + 1;
            result.push(&match source {
                "window_row_number" => Datum::Int8((row - first + 1) as i64),
                "window_rank" => Datum::Int8(rank as i64),
                "window_dense_rank" => Datum::Int8(before as i64 + 1),
                "window_percent_rank" if rows <= 1 => Datum::Float8(0.0),
                "window_percent_rank" => Datum::Float8((rank - 1) as f64 / (rows - 1) as f64),
                _ => Datum::Float8((end - first) as f64 / rows as f64),
            });
        }
    }
}

fn ntile(buckets: &Vector, sorted: &Sorted, result: &mut Column) -> Result<()> {
    for bounds in sorted.partitions.windows(2) {
        let (first, last) = (bounds[0], bounds[1]);
        if first == last {
            continue;
        }
        // The argument of the partition's first row counts.
        let Some(buckets) = integer(&buckets.datum(first)) else {
            (first..last).for_each(|_| result.push(&Datum::Null));
            continue;
        };
        if buckets < 1 {
            let message = "argument of ntile must be greater than zero";
            return Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_NTILE, message));
        }
        let rows = (last - first) as i64;
        let (size, larger) = (rows / buckets, rows % buckets);
        for row in 0..rows {
            let in_larger = larger * (size + 1);
            let bucket = if row < in_larger { row / (size + 1) } else { larger + (row - in_larger) / size.max(1) };
            result.push(&Datum::Int4(bucket as i32 + 1));
        }
    }
    Ok(())
}

/// lag and lead: the value so many rows before or after, within the partition.
fn shift(arguments: &[Vector], direction: i64, sorted: &Sorted, result: &mut Column) {
    for bounds in sorted.partitions.windows(2) {
        let (first, last) = (bounds[0] as i64, bounds[1] as i64);
        for row in first..last {
            let offset = match arguments.get(1) {
                None => Some(1),
                Some(offset) => integer(&offset.datum(row as usize)),
            };
            let Some(offset) = offset else {
                result.push(&Datum::Null);
                continue;
            };
            let at = row + direction * offset;
            result.push(&if (first..last).contains(&at) {
                arguments[0].datum(at as usize)
            } else {
                arguments.get(2).map_or(Datum::Null, |default| default.datum(row as usize))
            });
        }
    }
}

/// An aggregate over each row's frame.
pub(super) fn aggregate(
    call: &CompiledCall,
    aggregate: &Call,
    sorted: &Sorted,
    window: &Window,
    memory: &mut Reservation,
    run: &Run,
) -> Result<Arc<Column>> {
    // Frames, and places for the results.
    memory.grow(sorted.batch.len * (16 + size_of::<Datum>()))?;
    let frames = call.frame.frames(sorted, window, run)?;
    let arguments =
        Batch { columns: crate::node::columns(&aggregate.arguments, &sorted.batch, &run.context)?, len: sorted.batch.len };
    let mut counted = vec![true; sorted.batch.len];
    if let Some(filter) = &call.filter {
        counted.fill(false);
        filter.select(&sorted.batch, &run.context)?.into_iter().for_each(|row| counted[row as usize] = true);
    }
    let mut result = Column::with_capacity(call.physical, sorted.batch.len);
    let feed = |rows: &[u32]| -> Vec<Vector> { arguments.take(rows).columns.into_iter().map(Vector::Column).collect() };
    if frames.grows(sorted) {
        for bounds in sorted.partitions.windows(2) {
            let mut accumulator = aggregate.accumulator()?;
            let mut fed = bounds[0];
            let mut value = None;
            for row in bounds[0]..bounds[1] {
                run.context.check_cancelled()?;
                let end = frames.ranges[row].1;
                if end > fed || value.is_none() {
                    let rows: Vec<u32> = (fed..end).filter(|row| counted[*row]).map(|row| row as u32).collect();
                    accumulator.update(&vec![0; rows.len()], 1, &feed(&rows), &run.context)?;
                    fed = end;
                    let next = accumulator.finish(1, &run.context)?.datum(0);
                    // The column doubles as it grows.
                    memory.grow(2 * next.heap_size())?;
                    value = Some(next);
                }
                result.push(value.as_ref().unwrap_or(&Datum::Null));
            }
        }
        return Ok(Arc::new(result));
    }
    let mut row = 0;
    while row < sorted.batch.len {
        run.context.check_cancelled()?;
        let (mut groups, mut rows, first) = (Vec::new(), Vec::new(), row);
        while row < sorted.batch.len && rows.len() < FRAME_ROWS {
            let before = rows.len();
            rows.extend(frames.rows(sorted, row).filter(|row| counted[*row]).map(|row| row as u32));
            groups.resize(groups.len() + rows.len() - before, (row - first) as u32);
            row += 1;
        }
        let mut accumulator = aggregate.accumulator()?;
        accumulator.update(&groups, row - first, &feed(&rows), &run.context)?;
        memory.grow(accumulator.heap_size())?;
        result.append(&accumulator.finish(row - first, &run.context)?.as_ref().clone());
    }
    Ok(Arc::new(result))
}
