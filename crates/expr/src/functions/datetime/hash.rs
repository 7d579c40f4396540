//! PostgreSQL's hashes of the date and time types: those of the integers they are kept as.

use types::datum_order::interval_span_us;
use types::{Interval, Oid, Time, TimeTz, Timestamp, TimestampTz};

use super::{Function, by_first_type};
use crate::functions::hash::{hash_i64, hash_i64_extended, hash_u32, hash_u32_extended};
use crate::functions::lift::strict;

/// An interval's length, of which only the low 64 bits are hashed.
fn span(interval: &Interval) -> i64 {
    interval_span_us(interval) as i64
}

pub(super) fn register(functions: &mut Vec<Function>) {
    functions.extend([
        strict!("time_hash", |time: Time| hash_i64(time.0) as i32),
        strict!("timetz_hash", |time: TimeTz| (hash_i64(time.time_us) ^ hash_u32(time.zone_seconds_west as u32)) as i32),
        strict!("interval_hash", |value: Interval| hash_i64(span(&value)) as i32),
        strict!("time_hash_extended", |time: Time, seed: i64| hash_i64_extended(time.0, seed as u64) as i64),
        strict!("timetz_hash_extended", |time: TimeTz, seed: i64| {
            let zone = hash_u32_extended(time.zone_seconds_west as u32, seed as u64);
            (hash_i64_extended(time.time_us, seed as u64) ^ zone) as i64
        }),
        strict!("interval_hash_extended", |value: Interval, seed: i64| hash_i64_extended(span(&value), seed as u64) as i64),
        by_first_type(
            Oid::TIMESTAMPTZ,
            strict!("timestamp_hash", |at: Timestamp| hash_i64(at.0) as i32),
            strict!("timestamp_hash", |at: TimestampTz| hash_i64(at.0) as i32),
        ),
        by_first_type(
            Oid::TIMESTAMPTZ,
            strict!("timestamp_hash_extended", |at: Timestamp, seed: i64| hash_i64_extended(at.0, seed as u64) as i64),
            strict!("timestamp_hash_extended", |at: TimestampTz, seed: i64| hash_i64_extended(at.0, seed as u64) as i64),
        ),
    ]);
}
