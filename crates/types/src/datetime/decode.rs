//! Turns the fields of date and time text into a civil time and a zone, by PostgreSQL's rules of precedence.
//!
//! A field may be decided by its look, by a unit word before it, or by what is still missing; `seen` records what is known, and
//! nothing may be given twice. `decode_fields` reads single fields.

use jiff::tz::TimeZone;

use super::calendar::Civil;
use super::decode_fields::{leading_i32, parse_fraction, time_overflows};
use super::keywords::{Keyword, Special, Unit, date_keyword};
use super::lexer::{DATE_TEXT_LIMIT, Field, FieldKind, split_fields};
use super::zone::{self, NamedZone, abbreviation_zone, find_zone};
use super::zone_abbreviations::{Abbreviation, find_abbreviation};
use super::{US_PER_DAY, US_PER_SECOND};
use crate::{Error, FormatSettings, SqlState};

/// Why text is no date, time or interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    BadFormat,
    FieldOverflow,
    /// A month or day out of range, which another order of fields might make sense of.
    MonthDayOverflow,
    IntervalOverflow,
    ZoneDisplacementOverflow,
    UnknownZone(String),
}

impl DecodeError {
    pub(crate) fn into_error(self, text: &str, type_name: &str) -> Error {
        let out_of_range = || {
            let message = format!("date/time field value out of range: \"{text}\"");
            Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
        };
        match self {
            DecodeError::BadFormat => {
                let message = format!("invalid input syntax for type {type_name}: \"{text}\"");
                Error::new(SqlState::INVALID_DATETIME_FORMAT, message)
            }
            DecodeError::FieldOverflow => out_of_range(),
            DecodeError::MonthDayOverflow => out_of_range().hint("Perhaps you need a different \"datestyle\" setting."),
            DecodeError::IntervalOverflow => {
                let message = format!("interval field value out of range: \"{text}\"");
                Error::new(SqlState::INTERVAL_FIELD_OVERFLOW, message)
            }
            DecodeError::ZoneDisplacementOverflow => {
                let message = format!("time zone displacement out of range: \"{text}\"");
                Error::new(SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE, message)
            }
            DecodeError::UnknownZone(name) => zone::unknown_zone(&name),
        }
    }
}

/// Bits of what has been seen.
pub(crate) mod seen {
    pub(crate) const YEAR: u32 = 1;
    pub(crate) const MONTH: u32 = 1 << 1;
    pub(crate) const DAY: u32 = 1 << 2;
    pub(crate) const DAY_OF_YEAR: u32 = 1 << 3;
    pub(crate) const HOUR: u32 = 1 << 4;
    pub(crate) const MINUTE: u32 = 1 << 5;
    pub(crate) const SECOND: u32 = 1 << 6;
    pub(crate) const MILLISECOND: u32 = 1 << 7;
    pub(crate) const MICROSECOND: u32 = 1 << 8;
    pub(crate) const ZONE: u32 = 1 << 9;
    pub(crate) const DAYLIGHT: u32 = 1 << 10;
    pub(crate) const DAYLIGHT_MODIFIER: u32 = 1 << 11;
    pub(crate) const DYNAMIC_ZONE: u32 = 1 << 12;
    pub(crate) const MERIDIEM: u32 = 1 << 13;
    pub(crate) const ERA: u32 = 1 << 14;
    pub(crate) const DAY_OF_WEEK: u32 = 1 << 15;
    pub(crate) const WEEK: u32 = 1 << 16;
    pub(crate) const DECADE: u32 = 1 << 17;
    pub(crate) const CENTURY: u32 = 1 << 18;
    pub(crate) const MILLENNIUM: u32 = 1 << 19;
    /// "infinity", "epoch": other fields are then read, and count for nothing.
    pub(crate) const SPECIAL: u32 = 1 << 20;
    pub(crate) const YEAR_MONTH: u32 = YEAR | MONTH;
    pub(crate) const MONTH_DAY: u32 = MONTH | DAY;
    pub(crate) const DATE: u32 = YEAR | MONTH | DAY;
    pub(crate) const ALL_SECONDS: u32 = SECOND | MILLISECOND | MICROSECOND;
    pub(crate) const TIME: u32 = HOUR | MINUTE | ALL_SECONDS;
}

/// What text denotes.
pub(crate) enum Decoded {
    Civil { civil: Civil, zone_seconds_west: i32 },
    Epoch,
    Infinity,
    NegativeInfinity,
}

pub(crate) struct Decoder<'s> {
    pub(crate) settings: &'s FormatSettings,
    /// Whether the text is a time of day, where a date is only an aid to its zone.
    time_only: bool,
    pub(crate) civil: Civil,
    zone_seconds_west: i32,
    pub(crate) seen: u32,
    pub(crate) two_digit_year: bool,
    pub(crate) day_of_year: i32,
    /// What the previous word said that the next number is.
    label: Option<Unit>,
    has_text_month: bool,
    from_julian_day: bool,
    before_christ: bool,
    is_pm: Option<bool>,
    named_zone: Option<TimeZone>,
    dynamic_zone: Option<NamedZone>,
    special: Option<Decoded>,
}

/// Decodes a date or a timestamp.
pub(crate) fn decode_date_time(text: &str, settings: &FormatSettings) -> Result<Decoded, DecodeError> {
    let fields = split_fields(text, DATE_TEXT_LIMIT)?;
    let mut decoder = Decoder::new(settings, false);
    decoder.read(&fields)?;
    decoder.finish_clock()?;
    decoder.finish_date_time()
}

/// Decodes a time of day with or without a zone: the clock and seconds west of Greenwich.
pub(crate) fn decode_time_of_day(text: &str, settings: &FormatSettings) -> Result<(Civil, i32), DecodeError> {
    let fields = split_fields(text, DATE_TEXT_LIMIT)?;
    let mut decoder = Decoder::new(settings, true);
    decoder.read(&fields)?;
    decoder.finish_clock()?;
    decoder.finish_time_of_day()
}

impl<'s> Decoder<'s> {
    fn new(settings: &'s FormatSettings, time_only: bool) -> Decoder<'s> {
        Decoder {
            settings,
            time_only,
            civil: Civil::default(),
            zone_seconds_west: 0,
            seen: 0,
            two_digit_year: false,
            day_of_year: 0,
            label: None,
            has_text_month: false,
            from_julian_day: false,
            before_christ: false,
            is_pm: None,
            named_zone: None,
            dynamic_zone: None,
            special: None,
        }
    }

    /// What was seen, as the readers of numbers should take it: a time of day needs no date.
    fn seen_by_numbers(&self) -> u32 {
        if self.time_only { self.seen | seen::DATE } else { self.seen }
    }

    fn saw(&self, bits: u32) -> bool {
        self.seen & bits == bits
    }

    fn read(&mut self, fields: &[Field]) -> Result<(), DecodeError> {
        for (index, field) in fields.iter().enumerate() {
            let found = match field.kind {
                FieldKind::Date if self.time_only => self.date_field_of_time(fields, index)?,
                FieldKind::Date => self.date_field(&field.text)?,
                FieldKind::Time => self.time_field(&field.text)?,
                FieldKind::Zone => {
                    self.zone_seconds_west = super::decode_fields::zone_offset(&field.text)?;
                    seen::ZONE
                }
                FieldKind::Number => match self.label.take() {
                    Some(label) => self.labelled_number(label, &field.text)?,
                    None if self.time_only => self.number_of_time(fields, index)?,
                    None => self.number_field(&field.text)?,
                },
                FieldKind::Word | FieldKind::SignedWord => match self.word(fields, index)? {
                    Some(found) => found,
                    None => continue,
                },
            };
            if found & self.seen != 0 {
                return Err(DecodeError::BadFormat);
            }
            self.seen |= found;
        }
        self.validate_date(self.from_julian_day, self.before_christ)
    }

    fn set_named_zone(&mut self, name: &str) -> Result<u32, DecodeError> {
        self.named_zone = Some(find_zone(name).ok_or_else(|| DecodeError::UnknownZone(name.to_owned()))?);
        Ok(seen::ZONE)
    }

    /// A time run together with its zone, such as "040506-08".
    fn time_with_zone(&mut self, text: &str) -> Result<u32, DecodeError> {
        if self.saw(seen::TIME) {
            return Err(DecodeError::BadFormat);
        }
        let dash = text.find('-').ok_or(DecodeError::BadFormat)?;
        self.zone_seconds_west = super::decode_fields::zone_offset(&text[dash..])?;
        let mask = self.seen_by_numbers();
        Ok(self.run_together_number(&text[..dash], mask)? | seen::ZONE)
    }

    fn date_field(&mut self, text: &str) -> Result<u32, DecodeError> {
        let label = self.label;
        if label == Some(Unit::Julian) {
            // "J2451187-08": a Julian day with a zone attached.
            let (julian, zone_text) = leading_i32(text)?;
            if julian < 0 {
                return Err(DecodeError::FieldOverflow);
            }
            self.civil.set_date(i64::from(julian));
            self.from_julian_day = true;
            self.zone_seconds_west = super::decode_fields::zone_offset(zone_text)?;
            self.label = None;
            return Ok(seen::DATE | seen::TIME | seen::ZONE);
        }
        if label.is_none() && !self.saw(seen::MONTH | seen::DAY) {
            return self.date(text);
        }
        if label.is_some() || text.starts_with(|c: char| c.is_ascii_digit()) {
            if label.is_some_and(|label| label != Unit::Time) {
                return Err(DecodeError::BadFormat);
            }
            self.label = None;
            return self.time_with_zone(text);
        }
        self.set_named_zone(text)
    }

    fn date_field_of_time(&mut self, fields: &[Field], index: usize) -> Result<u32, DecodeError> {
        let text = &fields[index].text;
        let last_is_date = fields.last().is_some_and(|field| field.kind == FieldKind::Date);
        let second_is_time = fields.get(1).is_some_and(|field| field.kind == FieldKind::Time);
        if index == 0 && fields.len() >= 2 && (last_is_date || second_is_time) {
            self.date(text)
        } else if text.starts_with(|c: char| c.is_ascii_digit()) {
            self.time_with_zone(text)
        } else {
            self.set_named_zone(text)
        }
    }

    fn time_field(&mut self, text: &str) -> Result<u32, DecodeError> {
        if !self.time_only && self.label.take().is_some_and(|label| label != Unit::Time) {
            return Err(DecodeError::BadFormat);
        }
        let found = self.time(text)?;
        if !self.time_only && time_overflows(&self.civil) {
            return Err(DecodeError::FieldOverflow);
        }
        Ok(found)
    }

    fn number_field(&mut self, text: &str) -> Result<u32, DecodeError> {
        let mask = self.seen;
        match text.find('.') {
            Some(_) if mask & seen::DATE == 0 => self.date(text),
            Some(point) if point > 2 => self.run_together_number(text, mask),
            _ if text.len() >= 6 && (mask & seen::DATE == 0 || mask & seen::TIME == 0) => self.run_together_number(text, mask),
            _ => self.number(text, self.has_text_month, mask),
        }
    }

    fn number_of_time(&mut self, fields: &[Field], index: usize) -> Result<u32, DecodeError> {
        let text = &fields[index].text;
        let mask = self.seen_by_numbers();
        let last_is_date = fields.last().is_some_and(|field| field.kind == FieldKind::Date);
        match text.find('.') {
            Some(_) if index == 0 && fields.len() >= 2 && last_is_date => self.date(text),
            Some(point) if point > 2 => self.run_together_number(text, mask),
            Some(_) => Err(DecodeError::BadFormat),
            None if text.len() > 4 => self.run_together_number(text, mask),
            None => self.number(text, false, mask),
        }
    }

    /// A number whose unit the word before it named.
    fn labelled_number(&mut self, label: Unit, text: &str) -> Result<u32, DecodeError> {
        let (value, rest) = leading_i32(text)?;
        let fraction_allowed = matches!(label, Unit::Julian | Unit::Time | Unit::Second);
        if !(rest.is_empty() || rest.starts_with('.') && fraction_allowed) {
            return Err(DecodeError::BadFormat);
        }
        self.special = None;
        Ok(match label {
            Unit::Year => {
                self.civil.year = value;
                seen::YEAR
            }
            Unit::Month if self.saw(seen::MONTH | seen::HOUR) => {
                self.civil.minute = value;
                seen::MINUTE
            }
            Unit::Month => {
                self.civil.month = value;
                seen::MONTH
            }
            Unit::Day => {
                self.civil.day = value;
                seen::DAY
            }
            Unit::Hour => {
                self.civil.hour = value;
                seen::HOUR
            }
            Unit::Minute => {
                self.civil.minute = value;
                seen::MINUTE
            }
            Unit::Second => {
                self.civil.second = value;
                if rest.is_empty() {
                    seen::SECOND
                } else {
                    self.civil.microsecond = (parse_fraction(rest)? * US_PER_SECOND as f64).round_ties_even() as i32;
                    seen::ALL_SECONDS
                }
            }
            Unit::Julian => {
                if value < 0 {
                    return Err(DecodeError::FieldOverflow);
                }
                self.civil.set_date(i64::from(value));
                self.from_julian_day = true;
                if rest.is_empty() {
                    seen::DATE
                } else {
                    self.civil.set_clock((parse_fraction(rest)? * US_PER_DAY as f64) as i64);
                    seen::DATE | seen::TIME
                }
            }
            Unit::Time => {
                let mask = self.seen | seen::DATE;
                let found = self.run_together_number(text, mask)?;
                if found != seen::TIME {
                    return Err(DecodeError::BadFormat);
                }
                found
            }
            _ => return Err(DecodeError::BadFormat),
        })
    }

    /// A word; None when it means nothing.
    fn word(&mut self, fields: &[Field], index: usize) -> Result<Option<u32>, DecodeError> {
        let text = &fields[index].text;
        if let Some(abbreviation) = find_abbreviation(text) {
            return Ok(Some(self.zone_abbreviation(text, abbreviation)?));
        }
        Ok(Some(match date_keyword(text) {
            None => {
                self.named_zone = Some(find_zone(text).ok_or(DecodeError::BadFormat)?);
                seen::ZONE
            }
            Some(Keyword::Ignored) => return Ok(None),
            Some(Keyword::Special(special)) => self.special_word(special)?,
            Some(Keyword::Month(_)) if self.time_only => return Err(DecodeError::BadFormat),
            Some(Keyword::Month(month)) => {
                // A number taken for the month was the day after all: "1 January 1999".
                let was_day =
                    self.saw(seen::MONTH) && !self.has_text_month && !self.saw(seen::DAY) && (1..=31).contains(&self.civil.month);
                if was_day {
                    self.civil.day = self.civil.month;
                }
                self.has_text_month = true;
                self.civil.month = month;
                if was_day { seen::DAY } else { seen::MONTH }
            }
            Some(Keyword::DaylightModifier) => {
                self.zone_seconds_west -= 3600;
                seen::DAYLIGHT_MODIFIER | seen::DAYLIGHT
            }
            Some(word @ (Keyword::Am | Keyword::Pm)) => {
                self.is_pm = Some(word == Keyword::Pm);
                seen::MERIDIEM
            }
            Some(word @ (Keyword::AnnoDomini | Keyword::BeforeChrist)) => {
                self.before_christ = word == Keyword::BeforeChrist;
                seen::ERA
            }
            Some(Keyword::DayOfWeek) if self.time_only => return Err(DecodeError::BadFormat),
            Some(Keyword::DayOfWeek) => seen::DAY_OF_WEEK,
            Some(Keyword::Unit(unit)) => {
                self.label = Some(unit);
                0
            }
            Some(Keyword::IsoTime) => {
                let time_follows = matches!(
                    fields.get(index + 1),
                    Some(Field { kind: FieldKind::Number | FieldKind::Time | FieldKind::Date, .. })
                );
                if !time_follows || (!self.time_only && !self.saw(seen::DATE)) {
                    return Err(DecodeError::BadFormat);
                }
                self.label = Some(Unit::Time);
                0
            }
            Some(Keyword::Ago) => return Err(DecodeError::BadFormat),
        }))
    }

    fn zone_abbreviation(&mut self, text: &str, abbreviation: Abbreviation) -> Result<u32, DecodeError> {
        Ok(match abbreviation {
            Abbreviation::Standard(offset) => {
                self.zone_seconds_west = -offset;
                seen::ZONE
            }
            Abbreviation::Daylight(offset) => {
                self.zone_seconds_west = -offset;
                seen::ZONE | seen::DAYLIGHT
            }
            Abbreviation::Zone(_) => {
                self.dynamic_zone = Some(abbreviation_zone(text).ok_or(DecodeError::BadFormat)?);
                seen::ZONE | seen::DYNAMIC_ZONE
            }
        })
    }

    fn special_word(&mut self, special: Special) -> Result<u32, DecodeError> {
        let everything = seen::DATE | seen::TIME | seen::ZONE;
        Ok(match special {
            Special::Now => {
                let (now, seconds_west) = local_now(self.settings);
                if self.time_only {
                    self.civil.set_clock(now.clock_us());
                    return Ok(seen::TIME);
                }
                self.special = None;
                self.civil = now;
                self.zone_seconds_west = seconds_west;
                everything
            }
            Special::Allballs => {
                self.special = None;
                self.civil.clear_clock();
                self.zone_seconds_west = 0;
                seen::TIME | seen::ZONE
            }
            _ if self.time_only => return Err(DecodeError::BadFormat),
            Special::Today | Special::Tomorrow | Special::Yesterday => {
                let shift = match special {
                    Special::Tomorrow => 1,
                    Special::Yesterday => -1,
                    _ => 0,
                };
                self.special = None;
                self.civil.set_date(local_now(self.settings).0.julian_day() + shift);
                seen::DATE
            }
            Special::Epoch | Special::Infinity | Special::NegativeInfinity => {
                self.special = Some(match special {
                    Special::Infinity => Decoded::Infinity,
                    Special::NegativeInfinity => Decoded::NegativeInfinity,
                    _ => Decoded::Epoch,
                });
                seen::SPECIAL
            }
        })
    }

    /// Applies AM and PM.
    fn finish_clock(&mut self) -> Result<(), DecodeError> {
        if let Some(is_pm) = self.is_pm {
            match self.civil.hour {
                13.. => return Err(DecodeError::FieldOverflow),
                12 if !is_pm => self.civil.hour = 0,
                12 => {}
                _ if is_pm => self.civil.hour += 12,
                _ => {}
            }
        }
        Ok(())
    }

    fn finish_date_time(mut self) -> Result<Decoded, DecodeError> {
        if let Some(special) = self.special {
            return Ok(special);
        }
        if !self.saw(seen::DATE) {
            return Err(DecodeError::BadFormat);
        }
        let civil = self.civil;
        self.resolve_zone(&civil)?;
        Ok(Decoded::Civil { civil, zone_seconds_west: self.zone_seconds_west })
    }

    /// The offset of a named zone, a changing abbreviation or the session's zone at a civil time.
    fn resolve_zone(&mut self, at: &Civil) -> Result<(), DecodeError> {
        let zone = match (&self.dynamic_zone, &self.named_zone) {
            (Some(zone), _) => zone,
            (None, Some(zone)) => &NamedZone::Zone(zone.clone()),
            (None, None) if self.saw(seen::ZONE) => return Ok(()),
            (None, None) => &NamedZone::Zone(self.settings.time_zone.clone()),
        };
        if self.saw(seen::DAYLIGHT_MODIFIER) {
            return Err(DecodeError::BadFormat);
        }
        // An impossible date is reported by whoever makes a value of it.
        self.zone_seconds_west = at.local_us().map_or(0, |local_us| -zone.offset_of_local(local_us));
        Ok(())
    }

    fn finish_time_of_day(mut self) -> Result<(Civil, i32), DecodeError> {
        if time_overflows(&self.civil) {
            return Err(DecodeError::FieldOverflow);
        }
        if !self.saw(seen::TIME) {
            return Err(DecodeError::BadFormat);
        }
        if let Some(zone) = &self.named_zone {
            match zone::constant_offset(zone) {
                Some(offset) if !self.saw(seen::DAYLIGHT_MODIFIER) => {
                    self.zone_seconds_west = -offset;
                    return Ok((self.civil, self.zone_seconds_west));
                }
                _ if !self.saw(seen::DATE) => return Err(DecodeError::BadFormat),
                _ => {}
            }
        }
        let mut at = self.civil;
        if self.seen & seen::DATE == 0 {
            let today = local_now(self.settings).0;
            (at.year, at.month, at.day) = (today.year, today.month, today.day);
        } else if !self.saw(seen::DATE) {
            let needs_date = self.dynamic_zone.is_some() || !self.saw(seen::ZONE);
            if needs_date {
                return Err(DecodeError::BadFormat);
            }
        }
        self.resolve_zone(&at)?;
        Ok((self.civil, self.zone_seconds_west))
    }
}

/// The transaction's start in the session's zone, and the zone's seconds west of Greenwich then.
pub(crate) fn local_now(settings: &FormatSettings) -> (Civil, i32) {
    let offset = zone::offset_at(&settings.time_zone, settings.now.0);
    let local = settings.now.0.saturating_add(i64::from(offset) * US_PER_SECOND);
    (Civil::from_local_us(local), -offset)
}
