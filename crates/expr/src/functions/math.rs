//! Mathematics over double precision, in radians and in degrees (exact where a multiple of 30 or 45 degrees has an exact answer).

use types::{Error, Result, SqlState};

use super::{
    Function,
    float::{finite, overflow, underflow},
    kernel::kernel1,
    lift::strict,
};

pub fn functions() -> Vec<Function> {
    let mut functions = rounding();
    functions.extend(powers());
    functions.extend(trigonometry());
    functions.extend(hyperbolic());
    functions.extend(degrees());
    functions
}

fn input_out_of_range() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range")
}

fn rounding() -> Vec<Function> {
    vec![
        kernel1("dround", |a: f64| a.round_ties_even()),
        kernel1("dtrunc", |a: f64| a.trunc()),
        kernel1("dceil", |a: f64| a.ceil()),
        kernel1("dfloor", |a: f64| a.floor()),
        kernel1("dsign", |a: f64| (a > 0.0) as i8 as f64 - (a < 0.0) as i8 as f64),
        strict!("width_bucket_float8", |a: f64, low: f64, high: f64, count: i32| width_bucket(a, low, high, count)),
        strict!("drandom", cx, || cx.context.session.random()),
        strict!("setseed", cx, |seed: f64| -> Result<&'static str> {
            if !(-1.0..=1.0).contains(&seed) {
                let message = format!("setseed parameter {seed} is out of allowed range [-1,1]");
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
            }
            cx.context.session.set_seed(seed);
            Ok("")
        }),
        strict!("dpi", || std::f64::consts::PI),
    ]
}

fn width_bucket(operand: f64, low: f64, high: f64, count: i32) -> Result<i32> {
    let invalid = |message: &str| Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, message));
    if count <= 0 {
        return invalid("count must be greater than zero");
    }
    if operand.is_nan() || low.is_nan() || high.is_nan() {
        return invalid("operand, lower bound, and upper bound cannot be NaN");
    }
    if low.is_infinite() || high.is_infinite() {
        return invalid("lower and upper bounds must be finite");
    }
    if low == high {
        return invalid("lower bound cannot equal upper bound");
    }
    let above = || count.checked_add(1).ok_or_else(super::integer::integer_out_of_range);
    // Halves keep the difference of extreme bounds finite.
    let place = |from: f64, to: f64| {
        let part = if (to - from).is_infinite() {
            (operand / 2.0 - from / 2.0) / (to / 2.0 - from / 2.0)
        } else {
            (operand - from) / (to - from)
        };
        ((count as f64 * part) as i32).min(count - 1) + 1
    };
    if low < high {
        if operand < low {
            Ok(0)
        } else if operand >= high {
            above()
        } else {
            Ok(place(low, high))
        }
    } else if operand > low {
        Ok(0)
    } else if operand <= high {
        above()
    } else {
        Ok(place(low, high))
    }
}

fn powers() -> Vec<Function> {
    vec![
        strict!("dsqrt", |a: f64| -> Result<f64> {
            if a < 0.0 {
                let message = "cannot take square root of a negative number";
                return Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message));
            }
            Ok(a.sqrt())
        }),
        strict!("dcbrt", |a: f64| a.cbrt()),
        strict!("dpow", |a: f64, b: f64| power(a, b)),
        strict!("dexp", |a: f64| -> Result<f64> {
            if a.is_nan() {
                return Ok(a);
            }
            if a.is_infinite() {
                return Ok(if a > 0.0 { a } else { 0.0 });
            }
            let result = a.exp();
            if result.is_infinite() {
                return Err(overflow());
            }
            if result == 0.0 { Err(underflow()) } else { Ok(result) }
        }),
        strict!("dlog1", |a: f64| logarithm(a, f64::ln)),
        strict!("dlog10", |a: f64| logarithm(a, f64::log10)),
    ]
}

fn logarithm(a: f64, log: fn(f64) -> f64) -> Result<f64> {
    let invalid = |message: &str| Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_LOG, message));
    if a == 0.0 {
        return invalid("cannot take logarithm of zero");
    }
    if a < 0.0 { invalid("cannot take logarithm of a negative number") } else { Ok(log(a)) }
}

fn power(a: f64, b: f64) -> Result<f64> {
    let invalid = |message: &str| Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message));
    if a.is_nan() || b.is_nan() {
        return Ok(a.powf(b));
    }
    if a == 0.0 && b < 0.0 {
        return invalid("zero raised to a negative power is undefined");
    }
    if a < 0.0 && b.is_finite() && b.floor() != b {
        return invalid("a negative number raised to a non-integer power yields a complex result");
    }
    let result = a.powf(b);
    if a.is_infinite() || b.is_infinite() {
        return Ok(result);
    }
    if result.is_infinite() {
        return Err(overflow());
    }
    if result == 0.0 && a != 0.0 { Err(underflow()) } else { Ok(result) }
}

/// A function of an angle, which may not be infinite.
fn of_angle(a: f64, function: impl Fn(f64) -> f64) -> Result<f64> {
    if a.is_infinite() { Err(input_out_of_range()) } else { Ok(function(a)) }
}

/// A function of a sine or cosine.
fn of_ratio(a: f64, function: impl Fn(f64) -> f64) -> Result<f64> {
    if !(a.is_nan() || (-1.0..=1.0).contains(&a)) { Err(input_out_of_range()) } else { Ok(function(a)) }
}

fn trigonometry() -> Vec<Function> {
    vec![
        strict!("dsin", |a: f64| of_angle(a, f64::sin)),
        strict!("dcos", |a: f64| of_angle(a, f64::cos)),
        strict!("dtan", |a: f64| of_angle(a, f64::tan)),
        strict!("dcot", |a: f64| of_angle(a, |a| 1.0 / a.tan())),
        strict!("dasin", |a: f64| of_ratio(a, f64::asin)),
        strict!("dacos", |a: f64| of_ratio(a, f64::acos)),
        strict!("datan", |a: f64| a.atan()),
        strict!("datan2", |a: f64, b: f64| a.atan2(b)),
        strict!("degrees", |a: f64| finite(a / RADIANS_PER_DEGREE, &[a])),
        strict!("radians", |a: f64| a * RADIANS_PER_DEGREE),
    ]
}

/// asinh without the cancellation and overflow of the textbook formula.
fn inverse_sinh(a: f64) -> f64 {
    let size = a.abs();
    if !a.is_finite() || size < 3e-9 {
        return a;
    }
    let result = if size > 268_435_456.0 {
        size.ln() + std::f64::consts::LN_2
    } else if size > 2.0 {
        (2.0 * size + 1.0 / ((size * size + 1.0).sqrt() + size)).ln()
    } else {
        let square = size * size;
        (size + square / (1.0 + (1.0 + square).sqrt())).ln_1p()
    };
    result.copysign(a)
}

/// acosh, for 1 and above.
fn inverse_cosh(a: f64) -> f64 {
    if a.is_nan() || a > 268_435_456.0 {
        return a.ln() + std::f64::consts::LN_2;
    }
    if a > 2.0 {
        return (2.0 * a - 1.0 / (a + (a * a - 1.0).sqrt())).ln();
    }
    let above = a - 1.0;
    (above + (2.0 * above + above * above).sqrt()).ln_1p()
}

fn hyperbolic() -> Vec<Function> {
    vec![
        strict!("dsinh", |a: f64| a.sinh()),
        strict!("dcosh", |a: f64| a.cosh()),
        strict!("dtanh", |a: f64| a.tanh()),
        strict!("dasinh", |a: f64| inverse_sinh(a)),
        strict!("dacosh", |a: f64| if a < 1.0 { Err(input_out_of_range()) } else { Ok(inverse_cosh(a)) }),
        strict!("datanh", |a: f64| -> Result<f64> {
            if a.abs() > 1.0 {
                return Err(input_out_of_range());
            }
            Ok(if a == 1.0 {
                f64::INFINITY
            } else if a == -1.0 {
                f64::NEG_INFINITY
            } else {
                a.atanh()
            })
        }),
    ]
}

const RADIANS_PER_DEGREE: f64 = 0.017453292519943295769236907684886;

/// sin for 0 to 30 degrees, exact at both ends.
fn sin_to_30(degrees: f64) -> f64 {
    (degrees * RADIANS_PER_DEGREE).sin() / (30.0 * RADIANS_PER_DEGREE).sin() / 2.0
}

/// cos for 0 to 60 degrees, exact at both ends.
fn cos_to_60(degrees: f64) -> f64 {
    let one_minus_cos = 1.0 - (degrees * RADIANS_PER_DEGREE).cos();
    1.0 - one_minus_cos / (1.0 - (60.0 * RADIANS_PER_DEGREE).cos()) / 2.0
}

fn sin_first_quadrant(degrees: f64) -> f64 {
    if degrees <= 30.0 { sin_to_30(degrees) } else { cos_to_60(90.0 - degrees) }
}

fn cos_first_quadrant(degrees: f64) -> f64 {
    if degrees <= 60.0 { cos_to_60(degrees) } else { sin_to_30(90.0 - degrees) }
}

/// The sign of the result and the angle brought into 0 to 90 degrees, for a function odd or even about the reduction's folds.
struct Reduced {
    angle: f64,
    sine_sign: f64,
    cosine_sign: f64,
}

fn reduced(degrees: f64) -> Reduced {
    let mut angle = degrees % 360.0;
    let (mut sine_sign, mut cosine_sign) = (1.0, 1.0);
    if angle < 0.0 {
        angle = -angle;
        sine_sign = -sine_sign;
    }
    if angle > 180.0 {
        angle = 360.0 - angle;
        sine_sign = -sine_sign;
    }
    if angle > 90.0 {
        angle = 180.0 - angle;
        cosine_sign = -cosine_sign;
    }
    Reduced { angle, sine_sign, cosine_sign }
}

fn sin_degrees(a: f64) -> f64 {
    let reduced = reduced(a);
    reduced.sine_sign * sin_first_quadrant(reduced.angle)
}

fn cos_degrees(a: f64) -> f64 {
    let reduced = reduced(a);
    reduced.cosine_sign * cos_first_quadrant(reduced.angle)
}

/// Without a negative zero, which PostgreSQL hides too.
fn positive_zero(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value }
}

fn tan_degrees(a: f64) -> f64 {
    let reduced = reduced(a);
    let ratio = sin_first_quadrant(reduced.angle) / cos_first_quadrant(reduced.angle);
    let at_45 = sin_first_quadrant(45.0) / cos_first_quadrant(45.0);
    positive_zero(reduced.sine_sign * reduced.cosine_sign * (ratio / at_45))
}

fn cot_degrees(a: f64) -> f64 {
    let reduced = reduced(a);
    let ratio = cos_first_quadrant(reduced.angle) / sin_first_quadrant(reduced.angle);
    let at_45 = cos_first_quadrant(45.0) / sin_first_quadrant(45.0);
    positive_zero(reduced.sine_sign * reduced.cosine_sign * (ratio / at_45))
}

fn asin_first_quadrant(a: f64) -> f64 {
    if a <= 0.5 { a.asin() / 0.5_f64.asin() * 30.0 } else { 90.0 - a.acos() / 0.5_f64.acos() * 60.0 }
}

fn acos_first_quadrant(a: f64) -> f64 {
    if a <= 0.5 { 90.0 - a.asin() / 0.5_f64.asin() * 30.0 } else { a.acos() / 0.5_f64.acos() * 60.0 }
}

fn atan_degrees(a: f64) -> f64 {
    a.atan() / 1.0_f64.atan() * 45.0
}

fn degrees() -> Vec<Function> {
    vec![
        strict!("dsind", |a: f64| of_angle(a, sin_degrees)),
        strict!("dcosd", |a: f64| of_angle(a, cos_degrees)),
        strict!("dtand", |a: f64| of_angle(a, tan_degrees)),
        strict!("dcotd", |a: f64| of_angle(a, cot_degrees)),
        strict!("dasind", |a: f64| of_ratio(a, |a| if a >= 0.0 { asin_first_quadrant(a) } else { -asin_first_quadrant(-a) })),
        strict!("dacosd", |a: f64| of_ratio(a, |a| if a >= 0.0 {
            acos_first_quadrant(a)
        } else {
            90.0 + asin_first_quadrant(-a)
        })),
        strict!("datand", |a: f64| atan_degrees(a)),
        strict!("datan2d", |a: f64, b: f64| a.atan2(b) / 1.0_f64.atan() * 45.0),
    ]
}
