//! Text of floats: the shortest that reads back exactly, or `%g` with fewer digits when `extra_float_digits` asks for it.

use std::fmt::Write as _;

use super::{invalid_syntax, trim_spaces};
use crate::{Error, Result, SqlState};

/// Reads a double. Errors: 22P02, and 22003 for what overflows or underflows to zero.
pub fn parse_f64(text: &str) -> Result<f64> {
    let number = trim_spaces(text);
    let value = read(number).ok_or_else(|| invalid_syntax("double precision", text))?;
    check(number, value.is_infinite(), value == 0.0, "double precision")?;
    Ok(value)
}

/// Reads a single. Errors: 22P02, and 22003 for what overflows or underflows to zero.
pub fn parse_f32(text: &str) -> Result<f32> {
    let number = trim_spaces(text);
    let value: f32 = match hexadecimal(number) {
        Some(value) => value as f32,
        None if is_number(number) => number.parse().map_err(|_| invalid_syntax("real", text))?,
        None => return Err(invalid_syntax("real", text)),
    };
    check(number, value.is_infinite(), value == 0.0, "real")?;
    Ok(value)
}

fn read(number: &str) -> Option<f64> {
    hexadecimal(number).or_else(|| is_number(number).then(|| number.parse().ok())?)
}

fn unsigned(number: &str) -> &str {
    number.strip_prefix(['+', '-']).unwrap_or(number)
}

/// Whether Rust's grammar of floats and C's agree on this text: Rust's takes nothing that C's does not, once there are digits.
fn is_number(number: &str) -> bool {
    match unsigned(number).as_bytes() {
        [b'0'..=b'9' | b'.', ..] => true,
        word => [&b"inf"[..], b"infinity", b"nan"].iter().any(|special| word.eq_ignore_ascii_case(special)),
    }
}

/// C's hexadecimal floats: `0x1.8p3`.
fn hexadecimal(number: &str) -> Option<f64> {
    let digits = unsigned(number);
    let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"))?;
    let (mantissa, exponent) = match digits.split_once(['p', 'P']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let shift = exponent.saturating_sub(4i32.saturating_mul(fraction.len() as i32));
    let value = value * 2f64.powi(shift);
    Some(if number.starts_with('-') { -value } else { value })
}

/// Overflow and underflow of a text that names a finite number other than zero.
fn check(number: &str, infinite: bool, zero: bool, type_name: &str) -> Result<()> {
    let digits = unsigned(number);
    let overflowed = infinite && digits.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let hexadecimal = digits.starts_with("0x") || digits.starts_with("0X");
    let mantissa = digits.split(|character: char| matches!(character, 'e' | 'E') && !hexadecimal).next().unwrap_or("");
    let underflowed = zero && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    if overflowed || underflowed {
        let message = format!("\"{number}\" is out of range for type {type_name}");
        return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
    }
    Ok(())
}

/// Appends a double as PostgreSQL prints it under `extra_float_digits`.
pub fn print_f64(value: f64, extra_float_digits: i32, out: &mut String) {
    if print_special(value, out) {
        return;
    }
    if extra_float_digits > 0 {
        let mut buffer = ryu::Buffer::new();
        let shortest = buffer.format_finite(value);
        match on_boundary(shortest, Binary::of_f64(value)) {
            false => print_shortest(shortest, 15, out),
            true => print_shortest(&shortest_inside(value, 17, Binary::of_f64(value)), 15, out),
        }
    } else {
        print_significant(value, (15 + extra_float_digits).max(1) as usize, out);
    }
}

/// Appends a single as PostgreSQL prints it under `extra_float_digits`.
pub fn print_f32(value: f32, extra_float_digits: i32, out: &mut String) {
    if print_special(f64::from(value), out) {
        return;
    }
    if extra_float_digits > 0 {
        let mut buffer = ryu::Buffer::new();
        let shortest = buffer.format_finite(value);
        match on_boundary(shortest, Binary::of_f32(value)) {
            false => print_shortest(shortest, 6, out),
            true => print_shortest(&shortest_inside(value, 9, Binary::of_f32(value)), 6, out),
        }
    } else {
        print_significant(f64::from(value), (6 + extra_float_digits).max(1) as usize, out);
    }
}

fn print_special(value: f64, out: &mut String) -> bool {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    } else {
        return false;
    }
    true
}

/// A float's absolute value as `mantissa * 2^exponent`.
#[derive(Clone, Copy)]
struct Binary {
    mantissa: u64,
    exponent: i32,
    /// The mantissa is the smallest of its exponent: the next float below is only half as far away as the one above.
    lowest: bool,
}

impl Binary {
    fn of_f64(value: f64) -> Binary {
        let bits = value.to_bits();
        Binary::from_fields(bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32, 52, 1075)
    }

    fn of_f32(value: f32) -> Binary {
        let bits = value.to_bits();
        Binary::from_fields(u64::from(bits & ((1 << 23) - 1)), (bits >> 23 & 0xff) as i32, 23, 150)
    }

    fn from_fields(fraction: u64, exponent: i32, fraction_bits: u32, bias: i32) -> Binary {
        match exponent {
            0 => Binary { mantissa: fraction, exponent: 1 - bias, lowest: false },
            _ => Binary {
                mantissa: fraction | 1 << fraction_bits,
                exponent: exponent - bias,
                lowest: fraction == 0 && exponent > 1,
            },
        }
    }
}

/// Digits as an integer and its power of ten, of text like ryu's.
fn decimal_parts(text: &str) -> Option<(u64, i32)> {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = whole.bytes().chain(fraction.bytes()).filter(u8::is_ascii_digit);
    let value =
        digits.map(|byte| u64::from(byte - b'0')).try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(digit))?;
    Some((value, exponent.parse::<i32>().ok()? - fraction.len() as i32))
}

/// Whether the decimal lies exactly half way between the float and a neighbour. It reads back as the float when the float is
/// even, and ryu takes it then; PostgreSQL never does.
fn on_boundary(decimal: &str, float: Binary) -> bool {
    // A boundary has one bit more than a mantissa, and so at least this many digits when nothing is shifted away by an exponent.
    let least_digits = if float.mantissa >= 1 << 52 { 16 } else { 8 };
    if float.mantissa % 2 == 1 || (decimal.len() <= least_digits && !decimal.contains('e')) {
        return false;
    }
    let Some((digits, power)) = decimal_parts(decimal) else { return false };
    if digits == 0 {
        return false;
    }
    // digits * 10^power as odd * 2^exponent, if it is one with an odd part as small as a boundary's.
    let Some(fives) = 5u64.checked_pow(power.unsigned_abs()) else { return false };
    let number = match power {
        0.. => digits.checked_mul(fives),
        _ => digits.is_multiple_of(fives).then(|| digits / fives),
    };
    let Some(number) = number else { return false };
    let odd = number >> number.trailing_zeros();
    let exponent = power + number.trailing_zeros() as i32;
    let above = (float.mantissa * 2 + 1, float.exponent - 1);
    let below = match float.lowest {
        true => (float.mantissa * 4 - 1, float.exponent - 2),
        false => (float.mantissa * 2 - 1, float.exponent - 1),
    };
    (odd, exponent) == above || (odd, exponent) == below
}

/// The shortest decimal strictly between the boundaries, which has more digits than the one on them.
fn shortest_inside<F>(value: F, most_digits: usize, float: Binary) -> String
where
    F: std::fmt::LowerExp + std::str::FromStr + PartialEq,
{
    let candidates = (1..most_digits).map(|digits| format!("{value:.*e}", digits - 1));
    let inside = |text: &String| text.parse::<F>().is_ok_and(|back| back == value) && !on_boundary(text, float);
    candidates.into_iter().find(inside).unwrap_or_else(|| format!("{value:.*e}", most_digits - 1))
}

/// Brings ryu's text ("1.5e-7", "100.0") to C's conventions. An exponent is used below -4, and from `exponent_limit` on.
fn print_shortest(shortest: &str, exponent_limit: i32, out: &mut String) {
    let (sign, shortest) = match shortest.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", shortest),
    };
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().expect("ryu writes exponents as integers");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // The digits without point and outer zeros, and the power of ten of the first one: at most 17 digits after up to 16 zeros.
    let mut buffer = [0u8; 48];
    let mut length = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        buffer[length] = byte;
        length += 1;
    }
    let digits = std::str::from_utf8(&buffer[..length]).expect("digits are ASCII");
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let significant = digits.trim_matches('0');
    out.push_str(sign);
    if significant.is_empty() {
        return out.push('0');
    }
    let first_power = exponent + whole.len() as i32 - 1 - leading as i32;
    print_digits(significant, first_power, exponent_limit, out);
}

/// The digits `d.ddd * 10^first_power`, with or without an exponent.
fn print_digits(digits: &str, first_power: i32, exponent_limit: i32, out: &mut String) {
    if first_power < -4 || first_power >= exponent_limit {
        let (first, rest) = digits.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        let sign = if first_power < 0 { '-' } else { '+' };
        return write!(out, "e{sign}{:02}", first_power.abs()).expect("a String takes everything");
    }
    if first_power < 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', (-first_power - 1) as usize));
        return out.push_str(digits);
    }
    let whole = first_power as usize + 1;
    match digits.len() > whole {
        true => {
            out.push_str(&digits[..whole]);
            out.push('.');
            out.push_str(&digits[whole..]);
        }
        false => {
            out.push_str(digits);
            out.extend(std::iter::repeat_n('0', whole - digits.len()));
        }
    }
}

/// C's `%.*g`.
fn print_significant(value: f64, significant: usize, out: &mut String) {
    let text = format!("{value:.*e}", significant - 1);
    let (mantissa, exponent) = text.split_once('e').expect("the format asks for an exponent");
    let first_power: i32 = exponent.parse().expect("exponents are integers");
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    let digits = digits.trim_end_matches('0');
    out.push_str(sign);
    if digits.is_empty() {
        return out.push('0');
    }
    print_digits(digits, first_power, significant as i32, out);
}
