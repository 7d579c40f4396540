//! to_char of numbers and to_number, by PostgreSQL's numeric templates. Signs, points and separators are those of the C locale.
//!
//! A number is first written out in digits, rounded to what the template has room for; `writer` then lays the digits into the template.

use std::borrow::Cow;

use crate::{Error, Numeric, Result, SqlState};

mod reader;
mod template;
mod writer;

use template::Template;
use writer::Digits;

const MAX_ROMAN_LENGTH: usize = 15;
/// Decimal digits that the two float types are sure of.
const FLOAT4_DIGITS: usize = 6;
const FLOAT8_DIGITS: usize = 15;

fn integer_out_of_range() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range")
}

/// A number as a Roman numeral, or a row of # for what has none.
fn roman(number: i32) -> String {
    const NUMERALS: [(i32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if !(1..=3999).contains(&number) {
        return "#".repeat(MAX_ROMAN_LENGTH);
    }
    let mut rest = number;
    let mut text = String::new();
    for (value, numeral) in NUMERALS {
        while rest >= value {
            text.push_str(numeral);
            rest -= value;
        }
    }
    text
}

/// What a template of scientific notation prints of a value that has none.
fn scientific_filler(template: &Template) -> String {
    let mut text = vec![b'#'; template.before_point + template.after_point + 6];
    text[0] = b' ';
    if let Some(point) = text.get_mut(template.before_point + 1) {
        *point = b'.';
    }
    text.into_iter().map(char::from).collect()
}

/// "1.5e2" as C writes it, "1.5e+02", with a blank where a minus sign would be.
fn c_scientific(rust_form: &str) -> String {
    let (digits, exponent) = rust_form.split_once('e').unwrap_or((rust_form, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(magnitude) => ('-', magnitude),
        None => ('+', exponent),
    };
    let blank = if digits.starts_with('-') { "" } else { " " };
    format!("{blank}{digits}e{sign}{exponent:0>2}")
}

/// Scientific notation of a decimal, its digits rounded half away from zero, without a carry into the exponent.
fn decimal_scientific(value: &Numeric, decimals: usize) -> Result<String> {
    let mut text = String::new();
    value.abs().print(&mut text);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let first_digit = whole.trim_start_matches('0');
    let exponent = match (first_digit, fraction.find(|digit| digit != '0')) {
        ("", None) => 0,
        ("", Some(zeros)) => -(zeros as i32) - 1,
        (digits, _) => digits.len() as i32 - 1,
    };
    let digits: String = whole.chars().chain(fraction.chars()).skip_while(|digit| *digit == '0').collect();
    let digits = if digits.is_empty() { "0" } else { &digits };
    let significand = Numeric::parse(&format!("{}.{}", &digits[..1], &digits[1..]))?.round(decimals as i32)?;
    let mut out = String::from(if value.signum() < 0 { "-" } else { " " });
    significand.print(&mut out);
    let sign = if exponent < 0 { '-' } else { '+' };
    Ok(format!("{out}e{sign}{:02}", exponent.abs()))
}

/// Splits the sign off digits and pads them, or fills the template with # when they do not fit.
fn lay_out(template: &Template, text: &str) -> Result<String> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let length = digits.find('.').unwrap_or(digits.len());
    let digits = if length > template.before_point {
        let (before, after) = (template.before_point, template.after_point);
        Cow::Owned(format!("{}.{}", "#".repeat(before), "#".repeat(after)))
    } else {
        Cow::Borrowed(digits)
    };
    let leading_blanks = template.before_point.saturating_sub(length);
    writer::write(template, &Digits { text: &digits, leading_blanks, is_negative })
}

/// to_char(numeric, text). Errors: 42601 for the template, 22003.
pub fn numeric_to_char(value: &Numeric, format: &str) -> Result<String> {
    if format.is_empty() {
        return Ok(String::new());
    }
    let mut template = Template::parse(format)?;
    if template.is_roman {
        return Ok(writer::write_roman(&template, &roman(value.round(0)?.to_i32()?)));
    }
    if template.is_scientific {
        return if value.is_finite() {
            decimal_scientific(value, template.after_point)
        } else {
            Ok(scientific_filler(&template))
        };
    }
    let mut shifted = Cow::Borrowed(value);
    if template.is_shifted {
        let power = Numeric::from(10).power(&Numeric::from(template.shift as i64))?;
        shifted = Cow::Owned(value.mul(&power)?);
        template.before_point += template.shift;
    }
    let mut text = String::new();
    shifted.round(template.after_point as i32)?.print(&mut text);
    lay_out(&template, &text)
}

/// to_char of an integer that `shift` multiplies by a power of ten. Errors: 42601 for the template, 22003.
fn integer_to_char(value: i64, format: &str, shift: impl Fn(u32) -> Result<i64>) -> Result<String> {
    if format.is_empty() {
        return Ok(String::new());
    }
    let mut template = Template::parse(format)?;
    if template.is_roman {
        let value = i32::try_from(value).map_err(|_| integer_out_of_range())?;
        return Ok(writer::write_roman(&template, &roman(value)));
    }
    if template.is_scientific {
        return decimal_scientific(&Numeric::from(value), template.after_point);
    }
    let mut shifted = value;
    if template.is_shifted {
        shifted = shift(template.shift as u32)?;
        template.before_point += template.shift;
    }
    let mut text = shifted.to_string();
    if template.after_point > 0 {
        text.push('.');
        text.push_str(&"0".repeat(template.after_point));
    }
    lay_out(&template, &text)
}

/// to_char(integer, text)
pub fn int4_to_char(value: i32, format: &str) -> Result<String> {
    if let Some(text) = float_scientific(f64::from(value), format)? {
        return Ok(text);
    }
    integer_to_char(i64::from(value), format, |digits| {
        let factor = 10_i32.checked_pow(digits).ok_or_else(integer_out_of_range)?;
        value.checked_mul(factor).map(i64::from).ok_or_else(integer_out_of_range)
    })
}

/// Scientific notation of a number that a double holds exactly; None when the template asks for another.
fn float_scientific(value: f64, format: &str) -> Result<Option<String>> {
    if format.is_empty() {
        return Ok(None);
    }
    let template = Template::parse(format)?;
    Ok(template.is_scientific.then(|| {
        if value.is_finite() { c_scientific(&format!("{value:.*e}", template.after_point)) } else { scientific_filler(&template) }
    }))
}

/// to_char(bigint, text)
pub fn int8_to_char(value: i64, format: &str) -> Result<String> {
    let out_of_range = || Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range");
    integer_to_char(value, format, |digits| {
        10_i64.checked_pow(digits).and_then(|factor| value.checked_mul(factor)).ok_or_else(out_of_range)
    })
}

/// A float as C's `%.*f` writes it.
fn c_fixed(value: f64, decimals: usize) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        format!("{value:.decimals$}")
    }
}

fn float_to_char(value: f64, format: &str, sure_digits: usize, shift: impl Fn(i32) -> f64) -> Result<String> {
    if format.is_empty() {
        return Ok(String::new());
    }
    if let Some(text) = float_scientific(value, format)? {
        return Ok(text);
    }
    let mut template = Template::parse(format)?;
    if template.is_roman {
        return Ok(writer::write_roman(&template, &roman(value.round_ties_even() as i32)));
    }
    let mut shifted = value;
    if template.is_shifted {
        shifted = shift(template.shift as i32);
        template.before_point += template.shift;
    }
    let whole_length = c_fixed(shifted.abs(), 0).len();
    template.after_point = template.after_point.min(sure_digits.saturating_sub(whole_length));
    lay_out(&template, &c_fixed(shifted, template.after_point))
}

/// to_char(real, text)
pub fn float4_to_char(value: f32, format: &str) -> Result<String> {
    float_to_char(f64::from(value), format, FLOAT4_DIGITS, |digits| f64::from(value * 10_f64.powi(digits) as f32))
}

/// to_char(double precision, text)
pub fn float8_to_char(value: f64, format: &str) -> Result<String> {
    float_to_char(value, format, FLOAT8_DIGITS, |digits| value * 10_f64.powi(digits))
}

/// to_number(text, text); None (NULL) for an empty template. Errors: 42601 and 0A000 for the template, 22P02, 22003.
pub fn to_number(text: &str, format: &str) -> Result<Option<Numeric>> {
    if format.is_empty() {
        return Ok(None);
    }
    let template = Template::parse(format)?;
    for (is_refused, name) in [(template.is_scientific, "EEEE"), (template.is_roman, "RN")] {
        if is_refused {
            let message = format!("\"{name}\" not supported for input");
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
    }
    let (digits, scale) = reader::read(&template, text);
    let precision = template.before_point + template.shift + scale;
    let number = Numeric::parse(&digits)?.apply_typmod(precision as i32, scale as i32)?;
    if !template.is_shifted {
        return Ok(Some(number));
    }
    let power = Numeric::from(10).power(&Numeric::from(-(template.shift as i64)))?;
    number.mul(&power).map(Some)
}
