//! COPY's format `json`: an object a line, its keys the columns' names, its values as to_json() makes them. NULL is `null`.
//!
//! Read, a key may be missing, which is NULL; one that is no column is refused. Empty lines are nothing.

use expr::{
    Batch, EvalContext,
    functions::{json_build::append_json, json_record},
};
use types::{
    Datum, Error, Oid, Result, SqlState, SqlType,
    json::{Jsonb, quote_json_string},
    text_format::datum_from_text,
};

/// Appends a row as a line.
pub(super) fn encode_row(
    batch: &Batch,
    row: usize,
    keys: &[String],
    types: &[SqlType],
    context: &EvalContext,
    out: &mut Vec<u8>,
) {
    let mut line = String::from("{");
    for (at, column) in batch.columns.iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        line.push_str(&keys[at]);
        let value = if column.is_null(row) { Datum::Null } else { column.datum(row) };
        let start = line.len();
        append_json(&value, types[at], context, false, &mut line);
        // A value of type json keeps its spaces, line ends among them; within its strings they are escaped.
        if types[at].oid == Oid::JSON && line[start..].contains(['\n', '\r']) {
            let spaced = line[start..].replace(['\n', '\r'], " ");
            line.replace_range(start.., &spaced);
        }
    }
    line.push_str("}\n");
    out.extend_from_slice(line.as_bytes());
}

/// The columns' names as keys, `"name":`.
pub(super) fn keys(names: &[&str]) -> Vec<String> {
    let key = |name: &&str| {
        let mut key = String::new();
        quote_json_string(name, &mut key);
        key.push(':');
        key
    };
    names.iter().map(key).collect()
}

fn bad(message: impl Into<String>) -> Error {
    Error::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

/// The texts of a line's values, by column; None where the key is missing or its value null. None for an empty line.
///
/// Errors: 22P04.
pub(super) fn split<'a>(line: &'a str, names: &[&str]) -> Result<Option<Vec<Option<&'a str>>>> {
    let line = line.trim_matches(is_space);
    if line.is_empty() {
        return Ok(None);
    }
    let inside = line.strip_prefix('{').and_then(|line| line.strip_suffix('}'));
    let mut rest = inside.ok_or_else(|| bad("a line of JSON data is no object"))?.trim_matches(is_space);
    let mut values = vec![None; names.len()];
    while !rest.is_empty() {
        let (key, after) = rest.split_at(value_end(rest)?);
        let Ok(Jsonb::String(key)) = Jsonb::parse(key) else { return Err(bad(format!("invalid key of a JSON object: {key}"))) };
        let after =
            after.trim_start_matches(is_space).strip_prefix(':').ok_or_else(|| bad("a key of a JSON object without a value"))?;
        let after = after.trim_start_matches(is_space);
        let (value, after) = after.split_at(value_end(after)?);
        let at = names.iter().position(|name| **name == *key);
        let at = at.ok_or_else(|| bad(format!("key \"{key}\" is not among the columns to copy")))?;
        values[at] = Some(value).filter(|value| *value != "null");
        rest = match after.trim_start_matches(is_space) {
            "" => "",
            after => {
                let next = after.strip_prefix(',').map(|next| next.trim_start_matches(is_space));
                next.filter(|next| !next.is_empty()).ok_or_else(|| bad("invalid JSON object"))?
            }
        };
    }
    Ok(Some(values))
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// Where the value at the start of a text ends. What is within is checked when it is read.
fn value_end(text: &str) -> Result<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut in_string, mut at) = (0_usize, false, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => {
                in_string = !in_string;
                if !in_string && depth == 0 {
                    return Ok(at + 1);
                }
            }
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1).ok_or_else(|| bad("invalid JSON object"))?;
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
            b',' | b':' | b' ' | b'\t' if depth == 0 => return Ok(at),
            _ => {}
        }
        at += 1;
    }
    if in_string || depth > 0 { Err(bad("unterminated JSON value")) } else { Ok(bytes.len()) }
}

/// A value's text as a value of a column's type.
pub(super) fn decode(text: &str, ty: SqlType, context: &EvalContext) -> Result<Datum> {
    if ty.oid == Oid::JSON {
        return datum_from_text(text, ty, &context.format, &*context.resolver);
    }
    let value = Jsonb::parse(text)?;
    json_record::convert(json_record::Source { value: &value, text: Some(text) }, ty, context)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn lines_are_cut_into_values() {
        let cut = |line| split(line, &["a", "b \"c\""]);
        assert_eq!(cut(" {} ").unwrap(), Some(vec![None, None]));
        assert_eq!(cut("").unwrap(), None);
        assert_eq!(cut(r#"{"a":1, "b \"c\"" : "x,}\""}"#).unwrap(), Some(vec![Some("1"), Some(r#""x,}\"""#)]));
        assert_eq!(cut(r#"{"a":{"k":[1,{}]},"b \u0022c\"":null}"#).unwrap(), Some(vec![Some(r#"{"k":[1,{}]}"#), None]));
        for line in ["1", "{", r#"{"a"}"#, r#"{"a":1,}"#, r#"{"a":1 2}"#, r#"{"z":1}"#, r#"{"a":"x}"#, r#"{"a":]}"#, r#"{a:1}"#] {
            assert_eq!(cut(line).unwrap_err().sqlstate(), types::SqlState::BAD_COPY_FILE_FORMAT, "{line}");
        }
    }
}
