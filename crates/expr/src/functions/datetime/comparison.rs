//! Order and equality of the date and time types, also across types.

use std::cmp::Ordering;

use types::datum_order::{compare_timetz, interval_span_us};
use types::{Date, FormatSettings, Interval, Oid, Time, TimeTz, Timestamp, TimestampTz};

use super::{Function, by_first_type};
use crate::functions::kernel::{kernel1, kernel2};
use crate::functions::lift::{Argument, lift2};

/// The six comparisons, the ordering function, and the greater and the smaller of one type.
macro_rules! order_of {
    ($functions:ident, $ty:ty, $prefix:literal, $compare:expr) => {
        $functions.extend([
            kernel2(concat!($prefix, "_eq"), |a: $ty, b: $ty| $compare(&a, &b) == Ordering::Equal),
            kernel2(concat!($prefix, "_ne"), |a: $ty, b: $ty| $compare(&a, &b) != Ordering::Equal),
            kernel2(concat!($prefix, "_lt"), |a: $ty, b: $ty| $compare(&a, &b) == Ordering::Less),
            kernel2(concat!($prefix, "_le"), |a: $ty, b: $ty| $compare(&a, &b) != Ordering::Greater),
            kernel2(concat!($prefix, "_gt"), |a: $ty, b: $ty| $compare(&a, &b) == Ordering::Greater),
            kernel2(concat!($prefix, "_ge"), |a: $ty, b: $ty| $compare(&a, &b) != Ordering::Less),
            kernel2(concat!($prefix, "_cmp"), |a: $ty, b: $ty| $compare(&a, &b) as i32),
            kernel2(concat!($prefix, "_larger"), |a: $ty, b: $ty| if $compare(&a, &b) == Ordering::Greater { a } else { b }),
            kernel2(concat!($prefix, "_smaller"), |a: $ty, b: $ty| if $compare(&a, &b) == Ordering::Less { a } else { b }),
        ]);
    };
}

/// The six comparisons and the ordering function of two types.
fn order_of_two<A, B>(functions: &mut Vec<Function>, sources: [&'static str; 7], compare: fn(&FormatSettings, A, B) -> Ordering)
where
    A: for<'a> Argument<View<'a> = A> + Copy,
    B: for<'a> Argument<View<'a> = B> + Copy,
{
    let tests: [fn(Ordering) -> bool; 6] =
        [Ordering::is_eq, Ordering::is_ne, Ordering::is_lt, Ordering::is_le, Ordering::is_gt, Ordering::is_ge];
    for (source, test) in sources.into_iter().zip(tests) {
        functions.push(lift2::<A, B, _, _>(source, move |cx, a, b| test(compare(&cx.context.format, a, b))));
    }
    functions.push(lift2::<A, B, _, _>(sources[6], move |cx, a, b| compare(&cx.context.format, a, b) as i32));
}

/// Compares two types one way and the other.
macro_rules! order_across {
    ($functions:ident, $left:ty, $left_name:literal, $right:ty, $right_name:literal, $compare:expr) => {
        order_of_two::<$left, $right>($functions, order_across!(@sources $left_name, $right_name), $compare);
        order_of_two::<$right, $left>($functions, order_across!(@sources $right_name, $left_name), |settings, b, a| {
            let compare: fn(&FormatSettings, $left, $right) -> Ordering = $compare;
            compare(settings, a, b).reverse()
        });
    };
    (@sources $left:literal, $right:literal) => {
        [
            concat!($left, "_eq_", $right),
            concat!($left, "_ne_", $right),
            concat!($left, "_lt_", $right),
            concat!($left, "_le_", $right),
            concat!($left, "_gt_", $right),
            concat!($left, "_ge_", $right),
            concat!($left, "_cmp_", $right),
        ]
    };
}

fn compare_interval(a: &Interval, b: &Interval) -> Ordering {
    interval_span_us(a).cmp(&interval_span_us(b))
}

pub(super) fn register(functions: &mut Vec<Function>) {
    order_of!(functions, Date, "date", Date::cmp);
    order_of!(functions, Time, "time", Time::cmp);
    order_of!(functions, TimeTz, "timetz", compare_timetz);
    order_of!(functions, Interval, "interval", compare_interval);
    let (mut timestamp, mut timestamptz) = (Vec::new(), Vec::new());
    order_of!(timestamp, Timestamp, "timestamp", Timestamp::cmp);
    order_of!(timestamptz, TimestampTz, "timestamp", TimestampTz::cmp);
    timestamp.push(kernel1("timestamp_finite", Timestamp::is_finite));
    timestamptz.push(kernel1("timestamp_finite", TimestampTz::is_finite));
    let pairs = timestamp.into_iter().zip(timestamptz);
    functions.extend(pairs.map(|(first, second)| by_first_type(Oid::TIMESTAMPTZ, first, second)));
    functions.extend([kernel1("date_finite", Date::is_finite), kernel1("interval_finite", |_: Interval| true)]);

    order_across!(functions, Date, "date", Timestamp, "timestamp", |_, a, b| a.compare_timestamp(b));
    order_across!(functions, Date, "date", TimestampTz, "timestamptz", |settings, a, b| {
        a.compare_timestamptz(b, &settings.time_zone)
    });
    order_across!(functions, Timestamp, "timestamp", TimestampTz, "timestamptz", |settings, a, b| {
        a.compare_timestamptz(b, &settings.time_zone)
    });
}
