//! Text of rows: `(1,"a b",)`.

use std::sync::Arc;

use super::{TypeResolver, datum_from_text, datum_to_text, is_space};
use crate::{Datum, Error, FormatSettings, Oid, Record, Result, SqlState, SqlType, apply_typmod};

pub(super) fn print_record(record: &Record, settings: &FormatSettings, resolver: &dyn TypeResolver, out: &mut String) {
    out.push('(');
    for (at, field) in record.fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if field.is_null() {
            continue;
        }
        let ty = record.field_types.get(at).copied().unwrap_or(SqlType::TEXT);
        let start = out.len();
        datum_to_text(field, ty, settings, resolver, out);
        quote_field(start, out);
    }
    out.push(')');
}

/// Puts quotes around the field that begins at `start` of the text, when it could be misread without.
fn quote_field(start: usize, out: &mut String) {
    let text = &out[start..];
    let special = |byte: u8| matches!(byte, b'"' | b'\\' | b'(' | b')' | b',') || is_space(byte);
    if !text.is_empty() && !text.bytes().any(special) {
        return;
    }
    let text = text.to_owned();
    out.truncate(start);
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push(character);
        }
        out.push(character);
    }
    out.push('"');
}

pub(super) fn parse_record(
    text: &str,
    type_oid: Oid,
    field_names: Arc<[Arc<str>]>,
    field_types: Arc<[SqlType]>,
    settings: &FormatSettings,
    resolver: &dyn TypeResolver,
) -> Result<Datum> {
    let malformed = |detail: &str| {
        let message = format!("malformed record literal: \"{text}\"");
        Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message).detail(detail)
    };
    let blanks = |character: char| character.is_ascii() && is_space(character as u8);
    let Some(mut rest) = text.trim_start_matches(blanks).strip_prefix('(') else {
        return Err(malformed("Missing left parenthesis."));
    };
    let mut fields = Vec::with_capacity(field_types.len());
    for (at, ty) in field_types.iter().enumerate() {
        if at > 0 {
            rest = rest.strip_prefix(',').ok_or_else(|| malformed("Too few columns."))?;
        }
        if rest.starts_with([',', ')']) {
            fields.push(Datum::Null);
            continue;
        }
        let (field, after) = scan_field(rest).ok_or_else(|| malformed("Unexpected end of input."))?;
        rest = after;
        // A field has no cast of its own: its column's modifier is applied here.
        fields.push(apply_typmod(datum_from_text(&field, *ty, settings, resolver)?, *ty, false)?);
    }
    match rest.strip_prefix(')') {
        None => Err(malformed("Too many columns.")),
        Some(junk) if !junk.trim_start_matches(blanks).is_empty() => Err(malformed("Junk after right parenthesis.")),
        Some(_) => Ok(Datum::Record(Record { type_oid, fields, field_types, field_names }.into())),
    }
}

/// One field without quotes and escapes, and the text from the comma or parenthesis that ends it; None when nothing ends it.
fn scan_field(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut quoted = false;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            ',' | ')' if !quoted => return Some((field, &text[at..])),
            '\\' => field.push(characters.next()?.1),
            '"' if !quoted => quoted = true,
            '"' => match characters.next_if(|(_, next)| *next == '"') {
                Some(_) => field.push('"'),
                None => quoted = false,
            },
            _ => field.push(character),
        }
    }
    None
}
