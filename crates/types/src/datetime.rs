//! Dates, times, timestamps and intervals, with PostgreSQL's ranges and infinities.
//!
//! Everything is an integer count; `calendar` turns counts into civil fields and back, `zone` knows offsets, `lexer` and the
//! `decode_*` modules read text, `output` prints it. Calendar arithmetic is ours, because PostgreSQL's range (4713 BC to 294276 AD,
//! dates to 5874897 AD) is wider than the time zone library's, which is asked for offsets only.

mod arithmetic;
mod calendar;
pub mod construct;
mod convert;
mod decode;
mod decode_fields;
mod decode_interval;
mod decode_iso_interval;
pub mod extract;
mod from_char;
mod input;
mod interval_arithmetic;
mod keywords;
mod lexer;
mod output;
mod posix_zone;
pub(crate) mod template;
mod to_char;
mod truncate;
pub mod typmod;
pub mod zone;
mod zone_abbreviations;

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

pub(crate) const US_PER_SECOND: i64 = 1_000_000;
pub(crate) const US_PER_MINUTE: i64 = 60 * US_PER_SECOND;
pub(crate) const US_PER_HOUR: i64 = 60 * US_PER_MINUTE;
pub(crate) const US_PER_DAY: i64 = 24 * US_PER_HOUR;
/// Unix time of 2000-01-01, from which PostgreSQL counts.
pub(crate) const EPOCH_UNIX_SECONDS: i64 = 946_684_800;
/// Julian day of 2000-01-01.
pub(crate) const EPOCH_JULIAN_DAY: i64 = 2_451_545;
/// Date of 1970-01-01.
pub(crate) const UNIX_EPOCH_DATE: i32 = -10_957;

/// The first and the one-past-last finite value of each type.
const DATE_MIN: i64 = -EPOCH_JULIAN_DAY;
const DATE_END: i64 = 2_147_483_494 - EPOCH_JULIAN_DAY;
const TIMESTAMP_MIN: i64 = -211_813_488_000_000_000;
const TIMESTAMP_END: i64 = 9_223_371_331_200_000_000;

impl Date {
    pub const INFINITY: Date = Date(i32::MAX);
    pub const NEGATIVE_INFINITY: Date = Date(i32::MIN);

    pub fn is_finite(self) -> bool {
        self != Date::INFINITY && self != Date::NEGATIVE_INFINITY
    }

    /// The date of that many days since 2000-01-01, None when it is out of PostgreSQL's range.
    pub fn from_days(days: i64) -> Option<Date> {
        (DATE_MIN..DATE_END).contains(&days).then_some(Date(days as i32))
    }
}

macro_rules! timestamp_range {
    ($type:ident) => {
        impl $type {
            pub const INFINITY: $type = $type(i64::MAX);
            pub const NEGATIVE_INFINITY: $type = $type(i64::MIN);

            pub fn is_finite(self) -> bool {
                self.0 != i64::MAX && self.0 != i64::MIN
            }

            /// The value of that many microseconds, None when it is out of PostgreSQL's range.
            pub fn from_microseconds(microseconds: i64) -> Option<$type> {
                (TIMESTAMP_MIN..TIMESTAMP_END).contains(&microseconds).then_some($type(microseconds))
            }
        }
    };
}

timestamp_range!(Timestamp);
timestamp_range!(TimestampTz);
