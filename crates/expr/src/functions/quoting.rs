//! Values as parts of text: quote_*, format(), concat() and parse_ident().

use catalog::type_names::{quote_identifier, quote_literal};
use types::{Array, Datum, Error, Oid, Result, SqlState, SqlType, text_format::datum_to_text};

use super::{
    Arguments, Function,
    lift::{rows, strict},
    room::Growth,
};

pub fn functions() -> Vec<Function> {
    vec![
        strict!("quote_ident", |a: &str| quote_identifier(a).into_owned()),
        rows("quote_literal", |cx, row| quote_literal(&as_text(cx, 0, row))),
        rows(
            "quote_nullable",
            |cx, row| if cx.is_null(0, row) { "NULL".to_owned() } else { quote_literal(&as_text(cx, 0, row)) },
        ),
        rows("text_concat", |cx, row| {
            (0..cx.count()).filter(|&at| !cx.is_null(at, row)).map(|at| cx.text_of(at, row)).collect::<String>()
        }),
        rows("text_concat_ws", |cx, row| -> Option<String> {
            let separator = cx.get::<Option<&str>>(0, row)?;
            let parts: Vec<String> = (1..cx.count()).filter(|&at| !cx.is_null(at, row)).map(|at| cx.text_of(at, row)).collect();
            Some(parts.join(separator))
        }),
        rows("textanycat", |cx, row| cx.text_of(0, row) + &as_text(cx, 1, row)),
        rows("anytextcat", |cx, row| as_text(cx, 0, row) + &cx.text_of(1, row)),
        rows("text_format", format),
        rows("text_format_nv", format),
        strict!("parse_ident", |a: &str, strict: bool| parse_ident(a, strict)),
    ]
}

/// An argument as a cast to text gives it, which differs from its text form for booleans.
fn as_text(cx: &Arguments<'_>, argument: usize, row: usize) -> String {
    match cx.datum(argument, row) {
        Datum::Bool(value) => value.to_string(),
        _ => cx.text_of(argument, row),
    }
}

impl Arguments<'_> {
    /// An argument of any type in its text form; empty for NULL.
    pub fn text_of(&self, argument: usize, row: usize) -> String {
        let mut out = String::new();
        let datum = self.datum(argument, row);
        let ty = self.site.argument_types.get(argument).copied().unwrap_or(SqlType::TEXT);
        if let Datum::Text(text) = &datum
            && ty.oid != Oid::CHAR
        {
            return text.as_ref().to_owned();
        }
        if !datum.is_null() {
            datum_to_text(&datum, ty, &self.context.format, &*self.context.resolver, &mut out);
        }
        out
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn unterminated() -> Error {
    invalid("unterminated format() type specifier").hint("For a single \"%\" use \"%%\".")
}

/// One `%[position][flags][width]type`.
#[derive(Default)]
struct Specifier {
    argument: Option<usize>,
    left: bool,
    width: Option<i32>,
    /// The width comes from an argument: the next one, or this one.
    width_argument: Option<Option<usize>>,
    conversion: char,
}

/// Reads digits; an error when the text ends with them.
fn number(rest: &mut &str) -> Result<Option<i32>> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Ok(None);
    }
    let value: i32 =
        rest[..digits].parse().map_err(|_| Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range"))?;
    *rest = &rest[digits..];
    if rest.is_empty() { Err(unterminated()) } else { Ok(Some(value)) }
}

fn argument_number(value: i32) -> Result<usize> {
    if value == 0 {
        return Err(invalid("format specifies argument 0, but arguments are numbered from 1"));
    }
    Ok(value as usize)
}

fn specifier(rest: &mut &str) -> Result<Specifier> {
    let mut found = Specifier::default();
    if let Some(value) = number(rest)? {
        if let Some(after) = rest.strip_prefix('$') {
            found.argument = Some(argument_number(value)?);
            *rest = after;
        } else {
            found.width = Some(value);
        }
    }
    if found.width.is_none() {
        while let Some(after) = rest.strip_prefix('-') {
            found.left = true;
            *rest = after;
        }
        if let Some(after) = rest.strip_prefix('*') {
            *rest = after;
            let position = number(rest)?;
            match position {
                Some(value) => match rest.strip_prefix('$') {
                    Some(after) => {
                        found.width_argument = Some(Some(argument_number(value)?));
                        *rest = after;
                    }
                    None => return Err(invalid("width argument position must be ended by \"$\"")),
                },
                None => found.width_argument = Some(None),
            }
        } else {
            found.width = number(rest)?;
        }
    }
    let conversion = rest.chars().next().ok_or_else(unterminated)?;
    *rest = &rest[conversion.len_utf8()..];
    found.conversion = conversion;
    Ok(found)
}

fn format(cx: &Arguments<'_>, row: usize) -> Result<Option<String>> {
    let Some(pattern) = cx.get::<Option<&str>>(0, row) else { return Ok(None) };
    let mut out = String::new();
    let mut growth = Growth::new(cx.context);
    let mut rest = pattern;
    let mut next = 1;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if rest.is_empty() {
            return Err(unterminated());
        }
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let spec = specifier(&mut rest)?;
        if !matches!(spec.conversion, 's' | 'I' | 'L') {
            let message = format!("unrecognized format() type specifier \"{}\"", spec.conversion);
            return Err(invalid(message).hint("For a single \"%\" use \"%%\"."));
        }
        let mut take = |position: Option<usize>| -> Result<usize> {
            let at = position.unwrap_or(next);
            if at >= cx.count() {
                return Err(invalid("too few arguments for format()"));
            }
            next = at + 1;
            Ok(at)
        };
        let (mut width, mut left) = (spec.width.unwrap_or(0), spec.left);
        if let Some(position) = spec.width_argument {
            width = width_of(cx, take(position)?, row)?;
        }
        if width < 0 {
            width =
                width.checked_neg().ok_or_else(|| Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range"))?;
            left = true;
        }
        let argument = take(spec.argument)?;
        let text = conversion(cx, argument, row, spec.conversion)?;
        let padding = (width as usize).saturating_sub(super::text::char_count(&text));
        if padding > 0x3FFF_FFFF {
            return Err(super::text::too_large());
        }
        growth.check(out.len() + text.len() + padding)?;
        if !left {
            out.extend(std::iter::repeat_n(' ', padding));
        }
        out.push_str(&text);
        if left {
            out.extend(std::iter::repeat_n(' ', padding));
        }
    }
    out.push_str(rest);
    Ok(Some(out))
}

fn width_of(cx: &Arguments<'_>, argument: usize, row: usize) -> Result<i32> {
    match cx.datum(argument, row) {
        Datum::Null => Ok(0),
        Datum::Int2(value) => Ok(value as i32),
        Datum::Int4(value) => Ok(value),
        _ => {
            let text = cx.text_of(argument, row);
            text.trim().parse().map_err(|_| {
                let message = format!("invalid input syntax for type integer: \"{text}\"");
                Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
            })
        }
    }
}

fn conversion(cx: &Arguments<'_>, argument: usize, row: usize, conversion: char) -> Result<String> {
    let null = cx.is_null(argument, row);
    match conversion {
        's' => Ok(cx.text_of(argument, row)),
        'L' if null => Ok("NULL".to_owned()),
        'L' => Ok(quote_literal(&cx.text_of(argument, row))),
        _ if null => Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "null values cannot be formatted as an SQL identifier")),
        _ => Ok(quote_identifier(&cx.text_of(argument, row)).into_owned()),
    }
}

/// Cuts a qualified name into its parts; unquoted ones fold to lower case.
fn parse_ident(text: &str, strict: bool) -> Result<Array> {
    let invalid_name = |detail: Option<&str>| {
        let error = invalid(format!("string is not a valid identifier: \"{text}\""));
        match detail {
            Some(detail) => error.detail(detail),
            None => error,
        }
    };
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    let mut after_dot = false;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut tail = quoted;
            loop {
                let end = tail.find('"').ok_or_else(|| invalid_name(Some("String has unclosed double quotes.")))?;
                name.push_str(&tail[..end]);
                tail = &tail[end + 1..];
                match tail.strip_prefix('"') {
                    Some(after) => {
                        name.push('"');
                        tail = after;
                    }
                    None => break,
                }
            }
            if name.is_empty() {
                return Err(invalid_name(Some("Quoted identifier must not be empty.")));
            }
            parts.push(Datum::text(&name));
            rest = tail;
        } else if rest.starts_with(|first: char| first.is_alphabetic() || first == '_' || !first.is_ascii()) {
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '$' || !letter.is_ascii();
            let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            parts.push(Datum::text(&super::text::lower(&rest[..end])));
            rest = &rest[end..];
        } else if rest.starts_with('.') {
            return Err(invalid_name(Some("No valid identifier before \".\".")));
        } else if after_dot {
            return Err(invalid_name(Some("No valid identifier after \".\".")));
        } else {
            return Err(invalid_name(None));
        }
        rest = rest.trim_start();
        match rest.strip_prefix('.') {
            Some(after) => {
                after_dot = true;
                rest = after.trim_start();
            }
            None if rest.is_empty() || !strict => break,
            None => return Err(invalid_name(None)),
        }
    }
    Ok(Array::one_dimensional(SqlType::TEXT, parts))
}
