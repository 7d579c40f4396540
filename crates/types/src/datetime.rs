//! Dates, times, timestamps and intervals, with PostgreSQL's ranges and infinities.

/// Days since 2000-01-01; `i32::MIN`/`i32::MAX` are -infinity/infinity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

/// Microseconds since midnight, 0..=86_400_000_000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

/// Time of day with a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TimeTz {
    /// Microseconds since midnight, local.
    pub time_us: i64,
    /// Seconds west of Greenwich, as PostgreSQL keeps it.
    pub zone_seconds_west: i32,
}

/// Microseconds since 2000-01-01 00:00:00, no zone; `i64::MIN`/`i64::MAX` are -infinity/infinity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Microseconds since 2000-01-01 00:00:00 UTC; `i64::MIN`/`i64::MAX` are -infinity/infinity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimestampTz(pub i64);

/// A span of time in PostgreSQL's three independent units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Interval {
    pub microseconds: i64,
    pub days: i32,
    pub months: i32,
}
