//! The functions and operators of regular expressions, and of SIMILAR TO, which is translated to one.

use types::{Array, Datum, Error, Result, SqlState, SqlType};

use super::{
    Arguments, Function,
    lift::{rows, strict},
    regex::{Flags, Match, Regex, next_character},
    room::Growth,
    text::char_count,
};
use crate::EvalContext;

pub fn functions() -> Vec<Function> {
    let mut functions = operators();
    functions.extend(matching());
    functions.extend(replacing());
    functions.extend(similar());
    functions
}

fn is_match(text: &str, pattern: &str, ignore_case: bool) -> Result<bool> {
    Regex::new(pattern, Flags { ignore_case, ..Flags::default() })?.is_match(text)
}

fn operators() -> Vec<Function> {
    vec![
        strict!("textregexeq", |a: &str, pattern: &str| is_match(a, pattern, false)),
        strict!("textregexne", |a: &str, pattern: &str| is_match(a, pattern, false).map(|found| !found)),
        strict!("texticregexeq", |a: &str, pattern: &str| is_match(a, pattern, true)),
        strict!("texticregexne", |a: &str, pattern: &str| is_match(a, pattern, true).map(|found| !found)),
        strict!("nameregexeq", |a: &str, pattern: &str| is_match(a, pattern, false)),
        strict!("nameregexne", |a: &str, pattern: &str| is_match(a, pattern, false).map(|found| !found)),
        strict!("nameicregexeq", |a: &str, pattern: &str| is_match(a, pattern, true)),
        strict!("nameicregexne", |a: &str, pattern: &str| is_match(a, pattern, true).map(|found| !found)),
    ]
}

fn no_global(name: &str) -> Error {
    let message = format!("{name}() does not support the \"global\" option");
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// The flags in an argument, if the call has it.
fn flags(cx: &Arguments<'_>, argument: usize, row: usize) -> Result<Flags> {
    if cx.count() > argument { Flags::parse(cx.get::<&str>(argument, row)) } else { Ok(Flags::default()) }
}

fn flags_without_global(cx: &Arguments<'_>, argument: usize, row: usize, name: &str) -> Result<Flags> {
    let flags = flags(cx, argument, row)?;
    if flags.global { Err(no_global(name)) } else { Ok(flags) }
}

/// A whole-number argument that must be at least `least`, or `default` when the call lacks it.
fn number(cx: &Arguments<'_>, argument: usize, row: usize, name: &str, least: i32, default: i32) -> Result<i32> {
    if cx.count() <= argument {
        return Ok(default);
    }
    let value = cx.get::<i32>(argument, row);
    if value < least {
        let message = format!("invalid value for parameter \"{name}\": {value}");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    Ok(value)
}

/// The byte where the character at this position (from 1) starts; None past the end.
fn byte_of(text: &str, position: i32) -> Option<usize> {
    let index = position as usize - 1;
    text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(index)
}

/// What a match gives: its groups, or the whole when it has none.
pub(crate) fn match_array(text: &str, found: &Match) -> Array {
    let parts = if found.len() > 1 { &found[1..] } else { &found[..] };
    let elements = parts.iter().map(|part| part.clone().map_or(Datum::Null, |part| Datum::text(&text[part]))).collect();
    Array::one_dimensional(SqlType::TEXT, elements)
}

/// The parts of a text between matches.
pub(crate) fn split(text: &str, pattern: &str, flags: Flags, context: &EvalContext) -> Result<Vec<Datum>> {
    let mut parts = Vec::new();
    let mut end = 0;
    for found in Regex::new(pattern, flags)?.matches(text, 0, true, true, context)? {
        let whole = found[0].clone().unwrap_or(0..0);
        parts.push(Datum::text(&text[end..whole.start]));
        end = whole.end;
    }
    parts.push(Datum::text(&text[end..]));
    Ok(parts)
}

fn regexp_match(cx: &Arguments<'_>, row: usize) -> Result<Option<Array>> {
    let (text, pattern) = (cx.get::<&str>(0, row), cx.get::<&str>(1, row));
    let flags = flags_without_global(cx, 2, row, "regexp_match").map_err(|error| {
        if error.message().contains("global") { error.hint("Use the regexp_matches function instead.") } else { error }
    })?;
    Ok(Regex::new(pattern, flags)?.find_from(text, 0)?.map(|found| match_array(text, &found)))
}

fn regexp_split(cx: &Arguments<'_>, row: usize) -> Result<Array> {
    let flags = flags_without_global(cx, 2, row, "regexp_split_to_array")?;
    Ok(Array::one_dimensional(SqlType::TEXT, split(cx.get::<&str>(0, row), cx.get::<&str>(1, row), flags, cx.context)?))
}

fn regexp_count(cx: &Arguments<'_>, row: usize) -> Result<i32> {
    let text = cx.get::<&str>(0, row);
    let start = number(cx, 2, row, "start", 1, 1)?;
    let flags = flags_without_global(cx, 3, row, "regexp_count")?;
    let regex = Regex::new(cx.get::<&str>(1, row), flags)?;
    match byte_of(text, start) {
        Some(start) => Ok(regex.matches(text, start, true, false, cx.context)?.len() as i32),
        None => Ok(0),
    }
}

/// The n-th match and its wanted group (0 for the whole), for regexp_instr and regexp_substr.
fn nth_match(cx: &Arguments<'_>, row: usize, flags_at: usize, name: &str) -> Result<Option<std::ops::Range<usize>>> {
    let text = cx.get::<&str>(0, row);
    let start = number(cx, 2, row, "start", 1, 1)?;
    let n = number(cx, 3, row, "n", 1, 1)?;
    if flags_at == 5 {
        check_end_option(cx, row)?;
    }
    let group = number(cx, flags_at + 1, row, "subexpr", 0, 0)? as usize;
    let flags = flags_without_global(cx, flags_at, row, name)?;
    let regex = Regex::new(cx.get::<&str>(1, row), flags)?;
    let Some(start) = byte_of(text, start) else { return Ok(None) };
    if group > regex.group_count {
        return Ok(None);
    }
    let found = regex.matches(text, start, true, false, cx.context)?;
    Ok(found.get(n as usize - 1).and_then(|found| found[group].clone()))
}

/// 0 for where the match begins, 1 for where it ends.
fn check_end_option(cx: &Arguments<'_>, row: usize) -> Result<i32> {
    let end = number(cx, 4, row, "endoption", 0, 0)?;
    if end > 1 {
        let message = format!("invalid value for parameter \"endoption\": {end}");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    Ok(end)
}

fn regexp_instr(cx: &Arguments<'_>, row: usize) -> Result<i32> {
    let text = cx.get::<&str>(0, row);
    let found = nth_match(cx, row, 5, "regexp_instr")?;
    let end = check_end_option(cx, row)?;
    Ok(found.map_or(0, |found| char_count(&text[..if end == 1 { found.end } else { found.start }]) as i32 + 1))
}

fn regexp_substr(cx: &Arguments<'_>, row: usize) -> Result<Option<String>> {
    let text = cx.get::<&str>(0, row);
    Ok(nth_match(cx, row, 4, "regexp_substr")?.map(|found| text[found].to_owned()))
}

fn regexp_like(cx: &Arguments<'_>, row: usize) -> Result<bool> {
    let flags = flags_without_global(cx, 2, row, "regexp_like")?;
    Regex::new(cx.get::<&str>(1, row), flags)?.is_match(cx.get::<&str>(0, row))
}

fn matching() -> Vec<Function> {
    let mut functions = vec![
        rows("regexp_match", regexp_match),
        rows("regexp_match_no_flags", regexp_match),
        rows("regexp_split_to_array", regexp_split),
        rows("regexp_split_to_array_no_flags", regexp_split),
        rows("regexp_like", regexp_like),
        rows("regexp_like_no_flags", regexp_like),
        strict!("textregexsubstr", |a: &str, pattern: &str| first_group(a, pattern)),
    ];
    functions.extend(["regexp_count", "regexp_count_no_start", "regexp_count_no_flags"].map(|name| rows(name, regexp_count)));
    functions.extend(
        [
            "regexp_instr",
            "regexp_instr_no_start",
            "regexp_instr_no_n",
            "regexp_instr_no_endoption",
            "regexp_instr_no_flags",
            "regexp_instr_no_subexpr",
        ]
        .map(|name| rows(name, regexp_instr)),
    );
    functions.extend(
        ["regexp_substr", "regexp_substr_no_start", "regexp_substr_no_n", "regexp_substr_no_flags", "regexp_substr_no_subexpr"]
            .map(|name| rows(name, regexp_substr)),
    );
    functions
}

/// substring(text from pattern): the first group, or the whole match when the expression has none.
fn first_group(text: &str, pattern: &str) -> Result<Option<String>> {
    let found = Regex::new(pattern, Flags::default())?.find_from(text, 0)?;
    Ok(found.and_then(|found| found[usize::from(found.len() > 1)].clone()).map(|part| text[part].to_owned()))
}

/// Appends the replacement, with `\1` to `\9` and `\&` filled in.
fn append_replacement(text: &str, found: &Match, replacement: &str, out: &mut String) {
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let group = match after.chars().next() {
            Some('&') => Some(0),
            Some(digit @ '1'..='9') => digit.to_digit(10).map(|digit| digit as usize),
            Some('\\') => {
                out.push('\\');
                rest = &after[1..];
                continue;
            }
            _ => None,
        };
        match group {
            Some(group) => {
                if let Some(Some(part)) = found.get(group) {
                    out.push_str(&text[part.clone()]);
                }
                rest = &after[1..];
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
}

/// Replaces the n-th match from a position on; all of them when n is 0.
fn replace(
    context: &EvalContext,
    text: &str,
    (pattern, flags): (&str, Flags),
    replacement: &str,
    start: usize,
    n: i32,
) -> Result<String> {
    let regex = Regex::new(pattern, flags)?;
    let mut out = String::with_capacity(text.len());
    let mut growth = Growth::new(context);
    let (mut search, mut copied, mut count) = (start, 0, 0);
    while let Some(found) = regex.find_from(text, search)? {
        let whole = found[0].clone().unwrap_or(0..0);
        count += 1;
        if n == 0 || count == n {
            out.push_str(&text[copied..whole.start]);
            append_replacement(text, &found, replacement, &mut out);
            growth.check(out.len())?;
            copied = whole.end;
            if n > 0 {
                break;
            }
        }
        search = if whole.is_empty() { next_character(text, whole.end) } else { whole.end };
        if search > text.len() {
            break;
        }
    }
    out.push_str(&text[copied..]);
    Ok(out)
}

fn replacing() -> Vec<Function> {
    let extended = |cx: &Arguments<'_>, row: usize| -> Result<String> {
        let text = cx.get::<&str>(0, row);
        let start = number(cx, 3, row, "start", 1, 1)?;
        let given = number(cx, 4, row, "n", 0, 1)?;
        let flags = flags(cx, 5, row)?;
        let n = if cx.count() <= 4 && flags.global { 0 } else { given };
        let Some(start) = byte_of(text, start) else {
            // The expression still has to be one.
            Regex::new(cx.get::<&str>(1, row), flags)?;
            return Ok(text.to_owned());
        };
        replace(cx.context, text, (cx.get::<&str>(1, row), flags), cx.get::<&str>(2, row), start, n)
    };
    vec![
        strict!("textregexreplace_noopt", cx, |a: &str, pattern: &str, replacement: &str| {
            replace(cx.context, a, (pattern, Flags::default()), replacement, 0, 1)
        }),
        strict!("textregexreplace", cx, |a: &str, pattern: &str, replacement: &str, letters: &str| -> Result<String> {
            if letters.starts_with(|first: char| first.is_ascii_digit()) {
                let message = format!("invalid regular expression option: \"{}\"", &letters[..1]);
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).hint(
                    "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.",
                ));
            }
            let flags = Flags::parse(letters)?;
            replace(cx.context, a, (pattern, flags), replacement, 0, if flags.global { 0 } else { 1 })
        }),
        rows("textregexreplace_extended", extended),
        rows("textregexreplace_extended_no_flags", extended),
        rows("textregexreplace_extended_no_n", extended),
    ]
}

fn similar() -> Vec<Function> {
    vec![
        strict!("similar_to_escape_1", |pattern: &str| similar_to_regex(pattern, Some("\\"))),
        strict!("similar_to_escape_2", |pattern: &str, escape: &str| similar_to_regex(pattern, Some(escape))),
        strict!("similar_escape", |pattern: Option<&str>, escape: Option<&str>| -> Result<Option<String>> {
            pattern.map(|pattern| similar_to_regex(pattern, escape.or(Some("\\")))).transpose()
        }),
        strict!("substring", |a: &str, pattern: &str, escape: &str| first_group(a, &similar_to_regex(pattern, Some(escape))?)),
    ]
}

/// A SIMILAR TO pattern as a regular expression. Two escaped double quotes mark the part that substring() gives.
fn similar_to_regex(pattern: &str, escape: Option<&str>) -> Result<String> {
    let mut characters = escape.unwrap_or("").chars();
    let escape = match (characters.next(), characters.next()) {
        (first, None) => first,
        _ => {
            return Err(Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string")
                .hint("Escape string must be empty or one character."));
        }
    };
    let mut out = String::from("^(?:");
    let (mut after_escape, mut in_bracket, mut quotes) = (false, false, 0);
    for character in pattern.chars() {
        if after_escape {
            if character == '"' && !in_bracket {
                out.push_str(match quotes {
                    // The part before is to be as short as can be.
                    0 => "){1,1}?(",
                    1 => "){1,1}(?:",
                    _ => {
                        let message = "SQL regular expression may not contain more than two escape-double-quote separators";
                        return Err(Error::new(SqlState::INVALID_USE_OF_ESCAPE_CHARACTER, message));
                    }
                });
                quotes += 1;
            } else {
                out.push('\\');
                out.push(character);
            }
            after_escape = false;
        } else if Some(character) == escape {
            after_escape = true;
        } else if in_bracket {
            if character == '\\' {
                out.push('\\');
            }
            out.push(character);
            in_bracket = character != ']';
        } else {
            match character {
                '[' => {
                    out.push('[');
                    in_bracket = true;
                }
                '%' => out.push_str(".*"),
                '_' => out.push('.'),
                '(' => out.push_str("(?:"),
                '\\' | '.' | '^' | '$' => {
                    out.push('\\');
                    out.push(character);
                }
                other => out.push(other),
            }
        }
    }
    out.push_str(")$");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let cases = [
            ("abc", "b", true),
            ("a\nb", "a.b", true),
            ("a\nb", "^b", false),
            ("foo bar", "\\mbar\\M", true),
            ("foobar", "\\mbar", false),
            ("a[b", "a[[]b", true),
            ("x&&y", "[&]{2}", true),
            ("A", "(?i)a", true),
            ("a+b", "***=a+b", true),
            ("abab", "^(ab)\\1$", true),
            ("é1", "^[[:alpha:]][[:digit:]]$", true),
        ];
        for (text, pattern, expected) in cases {
            assert_eq!(is_match(text, pattern, false).expect("valid"), expected, "{text} ~ {pattern}");
        }
        for (pattern, reason) in
            [("a(", "parentheses () not balanced"), ("[a", "brackets [] not balanced"), ("*", "quantifier operand invalid")]
        {
            let error = is_match("", pattern, false).expect_err("it is invalid");
            assert_eq!(error.message(), format!("invalid regular expression: {reason}"));
        }
    }

    #[test]
    fn replacing_and_similar() {
        let context = EvalContext::without_session();
        let replaced = |text, pattern, replacement, n| {
            replace(&context, text, (pattern, Flags::default()), replacement, 0, n).expect("valid")
        };
        assert_eq!(replaced("foobarbaz", "b(..)", "X\\1Y", 0), "fooXarYXazY");
        assert_eq!(replaced("foobarbaz", "b..", "X", 1), "fooXbaz");
        assert_eq!(replaced("abc", "x*", "-", 0), "-a-b-c-");
        let similar =
            |text: &str, pattern: &str| first_group(text, &similar_to_regex(pattern, Some("#")).expect("valid")).expect("valid");
        assert_eq!(similar("abcdefg", "a#\"%#\"g"), Some("bcdef".to_owned()));
        assert_eq!(similar("abcdefg", "#\"%#\"x|g"), Some("abcdef".to_owned()));
    }
}
