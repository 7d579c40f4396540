//! Times of day as cron tells them: five fields, minute, hour, day of month, month and day of week; a sixth before them is the second.
//!
//! A field is `*`, numbers, ranges `a-b`, steps `*/n` and `a-b/n`, and lists of these; months and weekdays have their English names, and
//! Sunday is 0 and 7. Where both days are restricted, either will do. Times are UTC, as everywhere in a server's log and dumps.

use jiff::{Timestamp, ToSpan, Zoned, civil, tz::TimeZone};

/// A set of the numbers 0 to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbers(u64);

impl Numbers {
    fn has(self, number: i8) -> bool {
        u32::try_from(number).is_ok_and(|number| number < 64 && self.0 >> number & 1 == 1)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cron {
    second: Numbers,
    minute: Numbers,
    hour: Numbers,
    day: Numbers,
    month: Numbers,
    weekday: Numbers,
    /// Both days are restricted.
    either_day: bool,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Between two leap days there may be eight years.
const YEARS_AHEAD: i16 = 9;

impl Cron {
    /// Errors: what is wrong, in words.
    pub(crate) fn parse(text: &str) -> Result<Cron, String> {
        let text = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            other => other,
        };
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let (second, rest) = match fields.as_slice() {
            [minute, hour, day, month, weekday] => ("0", [*minute, *hour, *day, *month, *weekday]),
            [second, minute, hour, day, month, weekday] => (*second, [*minute, *hour, *day, *month, *weekday]),
            other => return Err(format!("it has {} fields and not five: minute hour day month weekday", other.len())),
        };
        let [minute, hour, day, month, weekday] = rest;
        let weekdays = numbers(weekday, "weekday", 0, 7, &WEEKDAYS)?;
        let cron = Cron {
            second: numbers(second, "second", 0, 59, &[])?,
            minute: numbers(minute, "minute", 0, 59, &[])?,
            hour: numbers(hour, "hour", 0, 23, &[])?,
            day: numbers(day, "day", 1, 31, &[])?,
            month: numbers(month, "month", 1, 12, &MONTHS)?,
            weekday: Numbers(weekdays.0 | weekdays.0 >> 7 & 1),
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        };
        match cron.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(cron),
            None => Err("no day is ever like that".to_owned()),
        }
    }

    /// The first time after this one.
    pub(crate) fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let start = now.to_zoned(TimeZone::UTC);
        let mut date = start.date();
        let last_year = date.year().saturating_add(YEARS_AHEAD);
        let mut time = self.time_after(Some(start.time()));
        while date.year() <= last_year {
            if let Some(time) = time.filter(|_| self.has_day(date)) {
                return date.to_datetime(time).to_zoned(TimeZone::UTC).ok().map(|time: Zoned| time.timestamp());
            }
            date = date.checked_add(1.day()).ok()?;
            time = self.time_after(None);
        }
        None
    }

    fn has_day(&self, date: civil::Date) -> bool {
        let day = self.day.has(date.day());
        let weekday = self.weekday.has(date.weekday().to_sunday_zero_offset());
        self.month.has(date.month()) && if self.either_day { day || weekday } else { day && weekday }
    }

    /// The first time of a day, or the first after one.
    fn time_after(&self, after: Option<civil::Time>) -> Option<civil::Time> {
        let hours = (0..24).filter(|hour| self.hour.has(*hour));
        let minutes = || (0..60).filter(|minute| self.minute.has(*minute));
        let seconds = || (0..60).filter(|second| self.second.has(*second));
        let times = hours.flat_map(|hour| minutes().map(move |minute| (hour, minute)));
        let mut times = times.flat_map(|(hour, minute)| seconds().map(move |second| civil::time(hour, minute, second, 0)));
        times.find(|time| after.is_none_or(|after| *time > after))
    }
}

fn numbers(field: &str, name: &str, least: u32, most: u32, names: &[&str]) -> Result<Numbers, String> {
    let wrong = || format!("its {name} \"{field}\" is not made of *, numbers from {least} to {most}, a-b and /step");
    let number = |text: &str| {
        // January is month 1, Sunday weekday 0: names count from the least.
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text)).map(|at| at as u32 + least);
        let written = || text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        named.or_else(written).filter(|number| (least..=most).contains(number)).ok_or_else(wrong)
    };
    let mut set = 0_u64;
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<usize>().ok().filter(|step| *step > 0).ok_or_else(wrong)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((first, last)) => (number(first)?, number(last)?),
            // With a step, a single number is where the range begins.
            None => (number(range)?, if step.is_some() { most } else { number(range)? }),
        };
        if first > last {
            return Err(wrong());
        }
        (first..=last).step_by(step.unwrap_or(1)).for_each(|number| set |= 1 << number);
    }
    Ok(Numbers(set))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, now: &str) -> String {
        Cron::parse(cron).unwrap().next_after(now.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn the_next_time_is_after_now() {
        assert_eq!(next("0 */6 * * *", "2025-12-08T00:00:00Z"), "2025-12-08T06:00:00Z");
        assert_eq!(next("0 */6 * * *", "2025-12-08T23:59:59.5Z"), "2025-12-09T00:00:00Z");
        assert_eq!(next("30 2 29 feb *", "2025-01-01T00:00:00Z"), "2028-02-29T02:30:00Z");
        assert_eq!(next("0 12 13 * fri", "2025-12-08T00:00:00Z"), "2025-12-12T12:00:00Z", "a Friday or a 13th");
        assert_eq!(next("0 0 * * 7", "2025-12-08T00:00:00Z"), "2025-12-14T00:00:00Z");
        assert_eq!(next("5-10/5,59 8 * * 1-5", "2025-12-12T08:10:00Z"), "2025-12-12T08:59:00Z");
        assert_eq!(next("*/2 * * * * *", "2025-12-31T23:59:59Z"), "2026-01-01T00:00:00Z");
        assert_eq!(next("@daily", "2025-12-31T23:59:59Z"), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_no_schedule_is_refused_in_words() {
        for (text, word) in [
            ("", "0 fields"),
            ("* * * *", "4 fields"),
            ("60 * * * *", "minute \"60\""),
            ("* * * * mon-xyz", "weekday"),
            ("* 5-1 * * *", "hour"),
            ("*/0 * * * *", "minute"),
            ("+1 * * * *", "minute"),
            ("* * 0 * *", "day \"0\""),
            ("0 0 30 2 *", "no day is ever like that"),
        ] {
            let error = Cron::parse(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
