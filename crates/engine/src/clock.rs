//! The wall clock as SQL timestamps.

use std::time::{SystemTime, UNIX_EPOCH};

use types::TimestampTz;

/// Microseconds between 1970-01-01 and 2000-01-01, PostgreSQL's epoch.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// The current time.
pub fn now() -> TimestampTz {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64);
    TimestampTz(since_1970 - POSTGRES_EPOCH_US)
}
