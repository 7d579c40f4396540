//! pg_timezone_names and pg_timezone_abbrevs.

use types::{
    Datum, Interval,
    datetime::zone::{find_zone, zone_abbreviations, zone_info_at, zone_names},
};

use super::{
    SystemContext,
    row::{Sink, boolean, text},
};

fn offset(seconds_east: i32) -> Datum {
    Datum::Interval(Interval { microseconds: i64::from(seconds_east) * 1_000_000, days: 0, months: 0 })
}

pub(super) fn pg_timezone_names(context: &SystemContext, sink: &mut Sink) {
    let now = context.state.now();
    for name in zone_names() {
        if let Some(zone) = find_zone(&name) {
            let info = zone_info_at(&zone, now.0);
            sink.push(vec![text(&name), text(&info.abbreviation), offset(info.seconds_east), boolean(info.is_daylight)]);
        }
    }
}

pub(super) fn pg_timezone_abbrevs(context: &SystemContext, sink: &mut Sink) {
    for (abbreviation, seconds_east, is_daylight) in zone_abbreviations(context.state.now()) {
        sink.push(vec![text(abbreviation), offset(seconds_east), boolean(is_daylight)]);
    }
}
