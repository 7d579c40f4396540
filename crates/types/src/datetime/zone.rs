//! Time zones: finding one by name, its offset at an instant, and the offset that a local time means.
//!
//! A local time in a gap is read with the offset before the gap, one in an overlap with the offset after it, as PostgreSQL does.
//! Past the time zone library's year 9999 the rules repeat every 400 years.

use std::sync::Arc;

use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::posix_zone::posix_zone;
use super::zone_abbreviations::{Abbreviation, all_abbreviations, find_abbreviation};
use super::{EPOCH_UNIX_SECONDS, TimestampTz, US_PER_SECOND};
use crate::{Error, Interval, Result, SqlState};

const SECONDS_PER_400_YEARS: i64 = 146_097 * 86_400;
/// Early in year 9987: later instants are asked for some cycles of 400 years earlier.
const LAST_ASKED_SECOND: i64 = 253_000_000_000;
const MAX_NAME_LENGTH: usize = 255;

/// What a zone says about an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneInfo {
    pub seconds_east: i32,
    pub is_daylight: bool,
    pub abbreviation: String,
}

fn library_instant(unix_seconds: i64) -> jiff::Timestamp {
    let mut asked = unix_seconds;
    if asked > LAST_ASKED_SECOND {
        asked -= ((asked - LAST_ASKED_SECOND) / SECONDS_PER_400_YEARS + 1) * SECONDS_PER_400_YEARS;
    }
    jiff::Timestamp::from_second(asked).unwrap_or(jiff::Timestamp::MIN)
}

fn unix_seconds(microseconds_since_2000: i64) -> i64 {
    microseconds_since_2000.div_euclid(US_PER_SECOND) + EPOCH_UNIX_SECONDS
}

/// A zone by name (any case) or POSIX specification, PostgreSQL's `pg_tzset`.
pub fn find_zone(name: &str) -> Option<TimeZone> {
    if name.is_empty() || name.len() > MAX_NAME_LENGTH || name.eq_ignore_ascii_case("Etc/Unknown") {
        return None;
    }
    match TimeZone::get(name) {
        Ok(zone) => Some(zone),
        Err(_) => posix_zone(name),
    }
}

/// A zone by name or POSIX specification. Error 22023 when there is none.
pub fn zone_by_name(name: &str) -> Result<TimeZone> {
    find_zone(name).ok_or_else(|| unknown_zone(name))
}

pub(crate) fn unknown_zone(name: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized"))
}

/// The zone of `SET TimeZone` and the name it shows as: a name, a POSIX specification, or a number of hours east.
pub fn zone_of_setting(text: &str) -> Option<(TimeZone, Arc<str>)> {
    if let Ok(hours) = text.trim().parse::<f64>() {
        return zone_of_offset((hours * 3600.0) as i32);
    }
    let zone = find_zone(text)?;
    let name = zone.iana_name().map_or_else(|| Arc::from(text.to_ascii_uppercase()), Arc::from);
    Some((zone, name))
}

/// The zone of `SET TIME ZONE INTERVAL '...'`. None when the interval has days or months.
pub fn zone_of_interval(interval: &Interval) -> Option<(TimeZone, Arc<str>)> {
    if interval.months != 0 || interval.days != 0 {
        return None;
    }
    zone_of_offset(i32::try_from(interval.microseconds / US_PER_SECOND).ok()?)
}

/// A zone of a constant offset, named as PostgreSQL names it: "<+05:30>-05:30".
fn zone_of_offset(seconds_east: i32) -> Option<(TimeZone, Arc<str>)> {
    let magnitude = seconds_east.unsigned_abs();
    let (hours, minutes, seconds) = (magnitude / 3600, magnitude / 60 % 60, magnitude % 60);
    let mut offset = format!("{hours:02}");
    if minutes != 0 || seconds != 0 {
        offset += &format!(":{minutes:02}");
    }
    if seconds != 0 {
        offset += &format!(":{seconds:02}");
    }
    let (sign, posix_sign) = if seconds_east < 0 { ('-', '+') } else { ('+', '-') };
    let name = format!("<{sign}{offset}>{posix_sign}{offset}");
    let zone = posix_zone(&name)?;
    Some((zone, Arc::from(name)))
}

/// Names of all zones of the database, for `pg_timezone_names`.
pub fn zone_names() -> Vec<String> {
    let mut names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    names.sort();
    names
}

/// Abbreviations as `pg_timezone_abbrevs` lists them: name, seconds east of Greenwich, whether daylight-saving, at `now`.
pub fn zone_abbreviations(now: TimestampTz) -> Vec<(String, i32, bool)> {
    let entry = |(name, meaning): &(&'static str, Abbreviation)| {
        let (seconds_east, is_daylight) = match *meaning {
            Abbreviation::Standard(offset) => (offset, false),
            Abbreviation::Daylight(offset) => (offset, true),
            Abbreviation::Zone(zone_name) => {
                let zone = find_zone(zone_name)?;
                abbreviation_at(&zone, name, unix_seconds(now.0)).unwrap_or_else(|| {
                    let info = zone_info_at(&zone, now.0);
                    (info.seconds_east, info.is_daylight)
                })
            }
        };
        Some((name.to_ascii_uppercase(), seconds_east, is_daylight))
    };
    all_abbreviations().iter().filter_map(entry).collect()
}

/// Seconds east of Greenwich at an instant (microseconds since 2000-01-01 UTC).
pub fn offset_at(zone: &TimeZone, utc_us: i64) -> i32 {
    zone.to_offset(library_instant(unix_seconds(utc_us))).seconds()
}

/// Offset, daylight saving and abbreviation at an instant (microseconds since 2000-01-01 UTC).
pub fn zone_info_at(zone: &TimeZone, utc_us: i64) -> ZoneInfo {
    let info = zone.to_offset_info(library_instant(unix_seconds(utc_us)));
    ZoneInfo {
        seconds_east: info.offset().seconds(),
        is_daylight: info.dst().is_dst(),
        abbreviation: info.abbreviation().to_owned(),
    }
}

/// Seconds east of Greenwich that a local time (microseconds since 2000-01-01) means in the zone.
pub fn offset_of_local(zone: &TimeZone, local_us: i64) -> i32 {
    let local = Offset::UTC.to_datetime(library_instant(unix_seconds(local_us)));
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Gap { before, .. } => before,
        AmbiguousOffset::Fold { after, .. } => after,
    }
    .seconds()
}

/// The zone's offset when it has had only one, ever.
pub(crate) fn constant_offset(zone: &TimeZone) -> Option<i32> {
    let first = zone.to_offset(jiff::Timestamp::MIN);
    let constant = zone.following(jiff::Timestamp::MIN).all(|transition| transition.offset() == first);
    constant.then(|| first.seconds())
}

/// The offset that the zone had under an abbreviation, last at or before an instant, else first after it.
fn abbreviation_at(zone: &TimeZone, lower_abbreviation: &str, unix_second: i64) -> Option<(i32, bool)> {
    const TRANSITIONS_TRIED: usize = 1_000;
    let instant = library_instant(unix_second);
    let next_second = instant.checked_add(jiff::SignedDuration::from_secs(1)).unwrap_or(instant);
    let mut candidates =
        zone.preceding(next_second).take(TRANSITIONS_TRIED).chain(zone.following(instant).take(TRANSITIONS_TRIED));
    let found = candidates.find(|transition| transition.abbreviation().eq_ignore_ascii_case(lower_abbreviation))?;
    Some((found.offset().seconds(), found.dst().is_dst()))
}

/// What a time zone argument can be.
pub(crate) enum NamedZone {
    /// Seconds east of Greenwich.
    Offset(i32),
    /// An abbreviation, in lower case, that this zone has used with different offsets.
    Abbreviation(String, TimeZone),
    Zone(TimeZone),
}

/// An abbreviation's meaning. None when the word is no abbreviation.
pub(crate) fn abbreviation_zone(lower_name: &str) -> Option<NamedZone> {
    Some(match find_abbreviation(lower_name)? {
        Abbreviation::Standard(offset) | Abbreviation::Daylight(offset) => NamedZone::Offset(offset),
        Abbreviation::Zone(name) => NamedZone::Abbreviation(lower_name.to_owned(), find_zone(name)?),
    })
}

impl NamedZone {
    /// The zone that AT TIME ZONE's text names: an abbreviation first, then a zone. Error 22023.
    pub(crate) fn parse(name: &str) -> Result<NamedZone> {
        match abbreviation_zone(&name.to_ascii_lowercase()) {
            Some(zone) => Ok(zone),
            None => zone_by_name(name).map(NamedZone::Zone),
        }
    }

    /// Seconds east of Greenwich at an instant.
    pub(crate) fn offset_at(&self, utc_us: i64) -> i32 {
        match self {
            NamedZone::Offset(offset) => *offset,
            NamedZone::Zone(zone) => offset_at(zone, utc_us),
            NamedZone::Abbreviation(name, zone) => {
                abbreviation_at(zone, name, unix_seconds(utc_us)).map_or_else(|| offset_at(zone, utc_us), |(offset, _)| offset)
            }
        }
    }

    /// Seconds east of Greenwich that a local time means.
    pub(crate) fn offset_of_local(&self, local_us: i64) -> i32 {
        match self {
            NamedZone::Offset(offset) => *offset,
            NamedZone::Zone(zone) => offset_of_local(zone, local_us),
            NamedZone::Abbreviation(name, zone) => {
                let offset = offset_of_local(zone, local_us);
                let instant = unix_seconds(local_us) - i64::from(offset);
                abbreviation_at(zone, name, instant).map_or(offset, |(offset, _)| offset)
            }
        }
    }
}
