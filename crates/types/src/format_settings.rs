//! The session settings that decide how values read and print.

/// Order of day, month and year in ambiguous dates (second half of `DateStyle`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    Ymd,
    Dmy,
    Mdy,
}

/// Style of dates on output (first half of `DateStyle`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateStyle {
    Iso,
    Sql,
    Postgres,
    German,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntervalStyle {
    Postgres,
    PostgresVerbose,
    SqlStandard,
    Iso8601,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteaOutput {
    Hex,
    Escape,
}

/// What text input and output depend on. One per session, cheap to clone.
#[derive(Clone, Debug)]
pub struct FormatSettings {
    pub date_style: DateStyle,
    pub date_order: DateOrder,
    pub interval_style: IntervalStyle,
    pub bytea_output: ByteaOutput,
    /// -15..=3; above 0 floats print in their shortest exact form
    pub extra_float_digits: i32,
    pub time_zone: jiff::tz::TimeZone,
    /// The name as SHOW prints it ("UTC", "Europe/Paris", "<+02>-02").
    pub time_zone_name: std::sync::Arc<str>,
    /// The transaction's start, for the inputs 'now', 'today', 'tomorrow' and times without a date.
    pub now: crate::TimestampTz,
}

impl Default for FormatSettings {
    fn default() -> FormatSettings {
        FormatSettings {
            date_style: DateStyle::Iso,
            date_order: DateOrder::Mdy,
            interval_style: IntervalStyle::Postgres,
            bytea_output: ByteaOutput::Hex,
            extra_float_digits: 1,
            time_zone: jiff::tz::TimeZone::UTC,
            time_zone_name: "UTC".into(),
            now: crate::TimestampTz(0),
        }
    }
}
