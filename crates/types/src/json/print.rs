//! Text of `jsonb` values, compact and pretty.

use std::fmt::{self, Write as _};

use super::{Jsonb, deep};

impl Jsonb {
    /// Appends the value as `jsonb` prints: `{"a": 1, "b": [2, null]}`.
    pub fn print(&self, out: &mut String) {
        match self {
            Jsonb::Null => out.push_str("null"),
            Jsonb::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Jsonb::Number(number) => number.print(out),
            Jsonb::String(text) => quote_json_string(text, out),
            Jsonb::Array(elements) => {
                out.push('[');
                for (at, element) in elements.iter().enumerate() {
                    if at > 0 {
                        out.push_str(", ");
                    }
                    deep(|| element.print(out));
                }
                out.push(']');
            }
            Jsonb::Object(members) => {
                out.push('{');
                for (at, (key, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push_str(", ");
                    }
                    quote_json_string(key, out);
                    out.push_str(": ");
                    deep(|| value.print(out));
                }
                out.push('}');
            }
        }
    }

    /// Appends the value as `jsonb_pretty` prints it: a line for each element, indented by four blanks a level.
    pub fn print_pretty(&self, out: &mut String) {
        self.print_indented(0, out);
    }

    fn print_indented(&self, level: usize, out: &mut String) {
        match self {
            Jsonb::Array(elements) => {
                out.push('[');
                for (at, element) in elements.iter().enumerate() {
                    start_line(at > 0, level + 1, out);
                    deep(|| element.print_indented(level + 1, out));
                }
                start_line(false, level, out);
                out.push(']');
            }
            Jsonb::Object(members) => {
                out.push('{');
                for (at, (key, value)) in members.iter().enumerate() {
                    start_line(at > 0, level + 1, out);
                    quote_json_string(key, out);
                    out.push_str(": ");
                    deep(|| value.print_indented(level + 1, out));
                }
                start_line(false, level, out);
                out.push('}');
            }
            scalar => scalar.print(out),
        }
    }

    /// What `->>` gives: a string without quotes, NULL for null, any other value as it prints.
    pub fn to_text(&self) -> Option<std::sync::Arc<str>> {
        match self {
            Jsonb::Null => None,
            Jsonb::String(text) => Some(text.clone()),
            other => Some(other.to_string().into()),
        }
    }
}

fn start_line(comma: bool, level: usize, out: &mut String) {
    out.push_str(if comma { ",\n" } else { "\n" });
    out.extend(std::iter::repeat_n("    ", level));
}

/// Appends a string in quotes with JSON's escapes.
pub fn quote_json_string(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        plain = at + 1;
        if escape.is_empty() {
            write!(out, "\\u{byte:04x}").expect("a String takes everything");
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

impl fmt::Display for Jsonb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.print(&mut text);
        f.write_str(&text)
    }
}
