//! Functions and operators of dates, times, timestamps and intervals; what they compute is in `types::datetime`.

use types::{Oid, TimestampTz};

use super::{Function, lift::strict};
use crate::functions::lift::Arguments;

mod arithmetic;
mod comparison;
mod conversion;
mod fields;
mod hash;
mod in_range;
mod overlaps;

pub fn functions() -> Vec<Function> {
    let mut functions = Vec::new();
    comparison::register(&mut functions);
    arithmetic::register(&mut functions);
    conversion::register(&mut functions);
    fields::register(&mut functions);
    hash::register(&mut functions);
    in_range::register(&mut functions);
    overlaps::register(&mut functions);
    functions.extend([
        strict!("now", cx, || cx.context.format.now),
        strict!("statement_timestamp", cx, || cx.context.statement_start),
        strict!("clock_timestamp", cx, || cx.context.session.clock_timestamp()),
        strict!("timeofday", cx, || {
            let now: TimestampTz = cx.context.session.clock_timestamp();
            now.time_of_day_text(&cx.context.format.time_zone)
        }),
    ]);
    functions
}

/// One source that PostgreSQL declares for two first argument types: `second` runs where it is `second_type`.
fn by_first_type(second_type: Oid, first: Function, second: Function) -> Function {
    debug_assert_eq!(first.source, second.source);
    Function {
        source: first.source,
        fallible: first.fallible || second.fallible,
        body: Box::new(move |cx: &Arguments<'_>| {
            let is_second = cx.site.function.argument_types.first() == Some(&second_type);
            if is_second { (second.body)(cx) } else { (first.body)(cx) }
        }),
    }
}
