//! Text of the date/time family until `datetime` has its own: refused on input, raw numbers on output.
//!
//! Inherent methods of the same names take precedence over this trait the moment they exist.

use crate::{Date, Error, FormatSettings, Interval, Result, Time, TimeTz, Timestamp, TimestampTz};

pub(super) trait PendingText: Sized + std::fmt::Debug {
    fn parse(_text: &str, _settings: &FormatSettings) -> Result<Self> {
        Err(Error::unsupported("input of date and time types"))
    }

    fn print(&self, _settings: &FormatSettings, out: &mut String) {
        out.push_str(&format!("{self:?}"));
    }
}

impl PendingText for Date {}
impl PendingText for Time {}
impl PendingText for TimeTz {}
impl PendingText for Timestamp {}
impl PendingText for TimestampTz {}
impl PendingText for Interval {}
