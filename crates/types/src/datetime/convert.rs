//! Casts among date and time types, and AT TIME ZONE.

use jiff::tz::TimeZone;

use super::arithmetic::{date_out_of_range_for_timestamp, timestamp_out_of_range, wrap_day};
use super::calendar::{Civil, day_of_week};
use super::decode::local_now;
use super::output::{DAYS, MONTHS};
use super::zone::{self, NamedZone};
use super::{Date, EPOCH_JULIAN_DAY, Interval, TIMESTAMP_END, Time, TimeTz, Timestamp, TimestampTz, US_PER_DAY, US_PER_SECOND};
use crate::format_settings::IntervalStyle;
use crate::{Error, FormatSettings, Result, SqlState};

impl Date {
    /// Midnight. Errors: 22008 "date out of range for timestamp".
    pub fn to_timestamp(self) -> Result<Timestamp> {
        self.to_midnight_us().map(Timestamp)
    }

    /// Midnight in a zone. Errors: 22008.
    pub fn to_timestamptz(self, time_zone: &TimeZone) -> Result<TimestampTz> {
        let local = self.to_midnight_us()?;
        if !self.is_finite() {
            return Ok(TimestampTz(local));
        }
        TimestampTz::of_civil(&Civil::from_local_us(local), time_zone).ok_or_else(date_out_of_range_for_timestamp)
    }

    fn to_midnight_us(self) -> Result<i64> {
        match self {
            Date::INFINITY => Ok(i64::MAX),
            Date::NEGATIVE_INFINITY => Ok(i64::MIN),
            _ if i64::from(self.0) >= TIMESTAMP_END / US_PER_DAY => Err(date_out_of_range_for_timestamp()),
            _ => Ok(i64::from(self.0) * US_PER_DAY),
        }
    }

    fn of_local_us(microseconds: i64) -> Date {
        // A timestamp's days are far within 32 bits.
        Date(microseconds.div_euclid(US_PER_DAY) as i32)
    }
}

impl Time {
    pub fn to_interval(self) -> Interval {
        Interval { microseconds: self.0, days: 0, months: 0 }
    }

    /// The time with the offset that the session's zone has today at this time.
    pub fn to_timetz(self, settings: &FormatSettings) -> TimeTz {
        let (mut today, _) = local_now(settings);
        today.set_clock(self.0);
        let seconds_east = today.local_us().map_or(0, |local| zone::offset_of_local(&settings.time_zone, local));
        TimeTz { time_us: self.0, zone_seconds_west: -seconds_east }
    }
}

impl TimeTz {
    pub fn to_time(self) -> Time {
        Time(self.time_us)
    }

    /// The same moment of the day seen from an offset.
    fn at_offset(self, seconds_east: i32) -> TimeTz {
        let local = self.utc_us() + i128::from(seconds_east) * i128::from(US_PER_SECOND);
        // 24:00 stays 24:00 where the offset does not change.
        let time_us = if (0..=i128::from(US_PER_DAY)).contains(&local) { local as i64 } else { wrap_day(local) };
        let time_us = if time_us == US_PER_DAY && seconds_east != -self.zone_seconds_west { 0 } else { time_us };
        TimeTz { time_us, zone_seconds_west: -seconds_east }
    }

    /// timetz AT TIME ZONE text: with the zone's offset at the transaction's start. Errors: 22023.
    pub fn at_zone(self, zone_name: &str, now: TimestampTz) -> Result<TimeTz> {
        Ok(self.at_offset(NamedZone::parse(zone_name)?.offset_at(now.0)))
    }

    /// timetz AT TIME ZONE interval. Errors: 22023.
    pub fn at_interval_zone(self, zone: &Interval) -> Result<TimeTz> {
        Ok(self.at_offset(interval_zone_seconds(zone)?))
    }
}

impl Interval {
    /// The time of day of an interval's hours, around midnight.
    pub fn to_time(&self) -> Time {
        Time(wrap_day(i128::from(self.microseconds)))
    }
}

impl Timestamp {
    pub fn to_date(self) -> Date {
        match self {
            Timestamp::INFINITY => Date::INFINITY,
            Timestamp::NEGATIVE_INFINITY => Date::NEGATIVE_INFINITY,
            _ => Date::of_local_us(self.0),
        }
    }

    /// None for infinite ones.
    pub fn to_time(self) -> Option<Time> {
        self.is_finite().then(|| Time(self.0.rem_euclid(US_PER_DAY)))
    }

    /// The instant at which a zone's clocks show this. Errors: 22008.
    pub fn to_timestamptz(self, time_zone: &TimeZone) -> Result<TimestampTz> {
        if !self.is_finite() {
            return Ok(TimestampTz(self.0));
        }
        self.at_offset(zone::offset_of_local(time_zone, self.0))
    }

    /// timestamp AT TIME ZONE text. Errors: 22008, 22023.
    pub fn at_zone(self, zone_name: &str) -> Result<TimestampTz> {
        if !self.is_finite() {
            return Ok(TimestampTz(self.0));
        }
        self.at_offset(NamedZone::parse(zone_name)?.offset_of_local(self.0))
    }

    /// timestamp AT TIME ZONE interval. Errors: 22008, 22023.
    pub fn at_interval_zone(self, zone: &Interval) -> Result<TimestampTz> {
        if !self.is_finite() {
            return Ok(TimestampTz(self.0));
        }
        self.at_offset(interval_zone_seconds(zone)?)
    }

    fn at_offset(self, seconds_east: i32) -> Result<TimestampTz> {
        let instant = self.0.checked_sub(i64::from(seconds_east) * US_PER_SECOND);
        instant.and_then(TimestampTz::from_microseconds).ok_or_else(timestamp_out_of_range)
    }
}

impl TimestampTz {
    pub fn to_date(self, time_zone: &TimeZone) -> Date {
        match self {
            TimestampTz::INFINITY => Date::INFINITY,
            TimestampTz::NEGATIVE_INFINITY => Date::NEGATIVE_INFINITY,
            _ => {
                let julian = self.to_civil(time_zone).0.julian_day();
                Date((julian - EPOCH_JULIAN_DAY) as i32)
            }
        }
    }

    /// None for infinite ones.
    pub fn to_time(self, time_zone: &TimeZone) -> Option<Time> {
        self.is_finite().then(|| Time(self.to_civil(time_zone).0.clock_us()))
    }

    /// None for infinite ones.
    pub fn to_timetz(self, time_zone: &TimeZone) -> Option<TimeTz> {
        self.is_finite().then(|| {
            let (civil, seconds_east) = self.to_civil(time_zone);
            TimeTz { time_us: civil.clock_us(), zone_seconds_west: -seconds_east }
        })
    }

    /// What a zone's clocks show then. Errors: 22008.
    pub fn to_timestamp(self, time_zone: &TimeZone) -> Result<Timestamp> {
        if !self.is_finite() {
            return Ok(Timestamp(self.0));
        }
        self.seen_from(zone::offset_at(time_zone, self.0))
    }

    /// timestamptz AT TIME ZONE text. Errors: 22008, 22023.
    pub fn at_zone(self, zone_name: &str) -> Result<Timestamp> {
        if !self.is_finite() {
            return Ok(Timestamp(self.0));
        }
        self.seen_from(NamedZone::parse(zone_name)?.offset_at(self.0))
    }

    /// timestamptz AT TIME ZONE interval. Errors: 22008, 22023.
    pub fn at_interval_zone(self, zone: &Interval) -> Result<Timestamp> {
        if !self.is_finite() {
            return Ok(Timestamp(self.0));
        }
        self.seen_from(interval_zone_seconds(zone)?)
    }

    fn seen_from(self, seconds_east: i32) -> Result<Timestamp> {
        let local = self.0.checked_add(i64::from(seconds_east) * US_PER_SECOND);
        local.and_then(Timestamp::from_microseconds).ok_or_else(timestamp_out_of_range)
    }
}

/// Seconds east of Greenwich of an interval that stands for a zone.
fn interval_zone_seconds(zone: &Interval) -> Result<i32> {
    let seconds = i32::try_from(zone.microseconds / US_PER_SECOND);
    match seconds {
        Ok(seconds) if zone.months == 0 && zone.days == 0 => Ok(seconds),
        Err(_) if zone.months == 0 && zone.days == 0 => Err(timestamp_out_of_range()),
        _ => {
            let mut text = String::new();
            let settings = FormatSettings { interval_style: IntervalStyle::Postgres, ..FormatSettings::default() };
            zone.print(&settings, &mut text);
            let message = format!("interval time zone \"{text}\" must not include months or days");
            Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}

impl TimestampTz {
    /// timeofday()'s text: "Wed Feb 26 19:18:58.123456 2020 UTC".
    pub fn time_of_day_text(self, time_zone: &TimeZone) -> String {
        let (civil, _) = self.to_civil(time_zone);
        let weekday = &DAYS[day_of_week(civil.julian_day()) as usize][..3];
        let month = &MONTHS[(civil.month - 1) as usize][..3];
        let Civil { year, day, hour, minute, second, microsecond, .. } = civil;
        let zone = zone::zone_info_at(time_zone, self.0).abbreviation;
        format!("{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02}.{microsecond:06} {year} {zone}")
    }
}
