//! Window frames: which rows of its partition a row's call sees.

use expr::{Batch, ColumnId, Expr, SortKey, expression::Written};
use plan::logical::{Frame, FrameBound, FrameExclusion, FrameMode};
use storage::{Column, column::ColumnData, key::KeyOrder};
use types::{Datum, Error, Oid, Result, SqlState, Timestamp};

use super::{Sorted, Window};
use crate::{node::Typed, run::Run, sort_key::append_ordered};

pub(super) struct CompiledFrame {
    mode: FrameMode,
    start: Bound,
    end: Bound,
    exclusion: FrameExclusion,
    /// The order of the one key that RANGE offsets are added to.
    key: Option<(Typed, KeyOrder, bool)>,
}

enum Bound {
    UnboundedPreceding,
    /// The offset, negative when preceding; for RANGE the key with the offset added.
    Offset {
        offset: Typed,
        preceding: bool,
        moved: Option<Typed>,
    },
    CurrentRow,
    UnboundedFollowing,
}

impl Bound {
    fn compile(bound: &FrameBound, order_by: &[SortKey], layout: &[ColumnId]) -> Result<Bound> {
        let (offset, function, preceding) = match bound {
            FrameBound::UnboundedPreceding => return Ok(Bound::UnboundedPreceding),
            FrameBound::CurrentRow => return Ok(Bound::CurrentRow),
            FrameBound::UnboundedFollowing => return Ok(Bound::UnboundedFollowing),
            FrameBound::Preceding(offset, function) => (offset, function, true),
            FrameBound::Following(offset, function) => (offset, function, false),
        };
        let moved = match (function, order_by) {
            (Some(function), [key]) => {
                let call = Expr::Call {
                    function,
                    arguments: vec![key.expression.clone(), offset.clone()],
                    ty: types::SqlType::of(function.return_type),
                    collation: Oid::INVALID,
                    written: Written::Call,
                    position: None,
                };
                Some(Typed::new(&call, layout)?)
            }
            _ => None,
        };
        Ok(Bound::Offset { offset: Typed::new(offset, layout)?, preceding, moved })
    }
}

/// Frames as half-open ranges of rows of the sorted batch, one a row, before exclusion.
pub(super) struct Frames {
    pub(super) ranges: Vec<(usize, usize)>,
    exclusion: FrameExclusion,
}

impl Frames {
    /// Whether every frame is one range that begins where its partition does.
    pub(super) fn grows(&self, sorted: &Sorted) -> bool {
        self.exclusion == FrameExclusion::NoOthers
            && sorted.partitions.windows(2).all(|bounds| {
                let mut last = bounds[0];
                self.ranges[bounds[0]..bounds[1]].iter().all(|&(start, end)| {
                    let grows = start == bounds[0] && end >= last;
                    last = end;
                    grows
                })
            })
    }

    /// The rows of one row's frame, in order.
    pub(super) fn rows<'a>(&'a self, sorted: &'a Sorted, row: usize) -> impl Iterator<Item = usize> + 'a {
        let (start, end) = self.ranges[row];
        let peer = sorted.peers[row];
        (start..end).filter(move |&other| match self.exclusion {
            FrameExclusion::NoOthers => true,
            FrameExclusion::CurrentRow => other != row,
            FrameExclusion::Group => sorted.peers[other] != peer,
            FrameExclusion::Ties => other == row || sorted.peers[other] != peer,
        })
    }
}

impl CompiledFrame {
    pub(super) fn compile(frame: &Frame, order_by: &[SortKey], layout: &[ColumnId]) -> Result<CompiledFrame> {
        let key = match order_by {
            [key] => {
                let order = KeyOrder { descending: key.descending, nulls_first: key.nulls_first };
                Some((Typed::new(&key.expression, layout)?, order, key.expression.ty().oid == Oid::BPCHAR))
            }
            _ => None,
        };
        Ok(CompiledFrame {
            mode: frame.mode,
            start: Bound::compile(&frame.start, order_by, layout)?,
            end: Bound::compile(&frame.end, order_by, layout)?,
            exclusion: frame.exclusion,
            key,
        })
    }

    pub(super) fn frames(&self, sorted: &Sorted, window: &Window, run: &Run) -> Result<Frames> {
        let starts = self.edge(&self.start, true, sorted, window, run)?;
        let ends = self.edge(&self.end, false, sorted, window, run)?;
        let ranges = starts.into_iter().zip(ends).map(|(start, end)| (start, end.max(start))).collect();
        Ok(Frames { ranges, exclusion: self.exclusion })
    }

    /// Where each row's frame starts, or ends.
    fn edge(&self, bound: &Bound, starting: bool, sorted: &Sorted, window: &Window, run: &Run) -> Result<Vec<usize>> {
        let mut edges = Vec::with_capacity(sorted.batch.len);
        let ranged = match bound {
            Bound::Offset { offset, preceding, moved: Some(moved) } => {
                self.offset(offset, starting, &sorted.batch, run)?;
                if let Some(edges) = self.integer_edge(offset, *preceding, starting, sorted, run)? {
                    return Ok(edges);
                }
                return self.range_edge(moved, starting, sorted, run);
            }
            Bound::Offset { offset, preceding, .. } => Some((self.offset(offset, starting, &sorted.batch, run)?, *preceding)),
            _ => None,
        };
        let rows_mode = self.mode == FrameMode::Rows;
        for bounds in sorted.partitions.windows(2) {
            let (first, last) = (bounds[0], bounds[1]);
            for row in first..last {
                let group = sorted.peers[row];
                let (group_start, group_end) =
                    if window.has_order { (sorted.groups[group], sorted.groups[group + 1]) } else { (first, last) };
                edges.push(match bound {
                    Bound::UnboundedPreceding => first,
                    Bound::UnboundedFollowing => last,
                    Bound::CurrentRow if rows_mode => row + usize::from(!starting),
                    Bound::CurrentRow if starting => group_start,
                    Bound::CurrentRow => group_end,
                    Bound::Offset { .. } => {
                        let (offset, preceding) = ranged.as_ref().map_or((0, true), |(offsets, before)| (offsets[row], *before));
                        if rows_mode {
                            let at = moved(row, offset, preceding, first, last);
                            at.map_or(if preceding { first } else { last }, |at| at + usize::from(!starting))
                        } else {
                            let (first_group, last_group) = (sorted.peers[first], sorted.peers[last - 1] + 1);
                            match moved(group, offset, preceding, first_group, last_group) {
                                Some(group) => sorted.groups[group + usize::from(!starting)],
                                None if preceding => first,
                                None => last,
                            }
                        }
                    }
                });
            }
        }
        Ok(edges)
    }

    fn offset(&self, offset: &Typed, starting: bool, batch: &Batch, run: &Run) -> Result<Vec<usize>> {
        let which = if starting { "starting" } else { "ending" };
        let vector = offset.vector(batch, &run.context)?;
        let negative = || {
            let message = match self.mode {
                FrameMode::Range => "invalid preceding or following size in window function".to_owned(),
                _ => format!("frame {which} offset must not be negative"),
            };
            Error::new(SqlState::INVALID_PRECEDING_OR_FOLLOWING_SIZE, message)
        };
        (0..batch.len)
            .map(|row| match vector.datum(row) {
                Datum::Null => {
                    Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, format!("frame {which} offset must not be null")))
                }
                Datum::Int8(value) => usize::try_from(value).map_err(|_| negative()),
                Datum::Int4(value) => usize::try_from(value).map_err(|_| negative()),
                Datum::Int2(value) => usize::try_from(value).map_err(|_| negative()),
                Datum::Float4(value) if value < 0.0 || value.is_nan() => Err(negative()),
                Datum::Float8(value) if value < 0.0 || value.is_nan() => Err(negative()),
                Datum::Numeric(value) if value.signum() < 0 || value.is_nan() => Err(negative()),
                Datum::Interval(value) if value.microseconds < 0 || value.days < 0 || value.months < 0 => Err(negative()),
                _ => Ok(0),
            })
            .collect()
    }

    /// RANGE with an offset over integers, which never leave their range: where the sum would, the frame just ends. None for other keys.
    fn integer_edge(
        &self,
        offset: &Typed,
        preceding: bool,
        starting: bool,
        sorted: &Sorted,
        run: &Run,
    ) -> Result<Option<Vec<usize>>> {
        let Some((key, order, _)) = &self.key else { return Ok(None) };
        let column = key.column(&sorted.batch, &run.context)?;
        if !matches!(column.data(), ColumnData::Int2(_) | ColumnData::Int4(_) | ColumnData::Int8(_)) {
            return Ok(None);
        }
        let offsets = offset.vector(&sorted.batch, &run.context)?;
        let keys: Vec<Option<i128>> = (0..sorted.batch.len).map(|row| integer(&column.datum(row))).collect();
        // Rising as the keys are ordered.
        let place = |key: Option<i128>| {
            let value = key.unwrap_or(0);
            (key.is_none() != order.nulls_first, if order.descending { -value } else { value })
        };
        let bounds: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(row, key)| {
                let distance = integer(&offsets.datum(row)).unwrap_or(0);
                let distance = if preceding == order.descending { distance } else { -distance };
                place(key.map(|key| key + distance))
            })
            .collect();
        let mut edges = Vec::with_capacity(keys.len());
        for partition in sorted.partitions.windows(2) {
            let (first, last) = (partition[0], partition[1]);
            let own = &keys[first..last];
            edges.extend(bounds[first..last].iter().map(|bound| {
                first + own.partition_point(|key| if starting { place(*key) < *bound } else { place(*key) <= *bound })
            }));
        }
        Ok(Some(edges))
    }

    /// RANGE with an offset: by looking the moved key up among the partition's keys.
    fn range_edge(&self, moved: &Typed, starting: bool, sorted: &Sorted, run: &Run) -> Result<Vec<usize>> {
        let Some((key, order, trimmed)) = &self.key else {
            return Err(Error::internal("RANGE with an offset needs one ordering key"));
        };
        let mut bounds = moved.column(&sorted.batch, &run.context)?;
        let mut keys = key.column(&sorted.batch, &run.context)?;
        if let (ColumnData::Date(dates), ColumnData::Timestamp(_)) = (keys.data(), bounds.data()) {
            let stamps = dates.iter().map(|date| match date.0 {
                i32::MIN => Timestamp(i64::MIN),
                i32::MAX => Timestamp(i64::MAX),
                days => Timestamp(i64::from(days) * 86_400_000_000),
            });
            keys = std::sync::Arc::new(storage::FixedType::column(stamps.collect(), keys.validity().cloned()));
        }
        if let ColumnData::Float8(values) = bounds.data()
            && values.iter().any(|value| value.is_nan())
        {
            // Infinity moved by infinity: every number is near enough.
            let everything = if starting == order.descending { f64::INFINITY } else { f64::NEG_INFINITY };
            let is_nan = |row: usize| {
                matches!(keys.datum(row), Datum::Float4(key) if key.is_nan())
                    || matches!(keys.datum(row), Datum::Float8(key) if key.is_nan())
            };
            let mended = values.iter().enumerate();
            let mended = mended.map(|(row, value)| if value.is_nan() && !is_nan(row) { everything } else { *value });
            bounds = std::sync::Arc::new(storage::FixedType::column(mended.collect(), bounds.validity().cloned()));
        }
        let encode = |column: &Column| {
            (0..sorted.batch.len)
                .map(|row| {
                    let mut bytes = Vec::new();
                    append_ordered(column, row, *order, *trimmed, &mut bytes).map(|()| bytes)
                })
                .collect::<Result<Vec<_>>>()
        };
        let (keys, bounds) = (encode(&keys)?, encode(&bounds)?);
        let mut edges = Vec::with_capacity(keys.len());
        for partition in sorted.partitions.windows(2) {
            let (first, last) = (partition[0], partition[1]);
            let own = &keys[first..last];
            edges.extend(
                bounds[first..last]
                    .iter()
                    .map(|bound| first + own.partition_point(|key| if starting { key < bound } else { key <= bound })),
            );
        }
        Ok(edges)
    }
}

fn integer(datum: &Datum) -> Option<i128> {
    match datum {
        Datum::Int2(value) => Some(i128::from(*value)),
        Datum::Int4(value) => Some(i128::from(*value)),
        Datum::Int8(value) => Some(i128::from(*value)),
        _ => None,
    }
}

/// A position moved by an offset; None when that is outside.
fn moved(at: usize, offset: usize, preceding: bool, first: usize, last: usize) -> Option<usize> {
    let at = if preceding { at.checked_sub(offset)? } else { at.checked_add(offset)? };
    (first..last).contains(&at).then_some(at)
}
