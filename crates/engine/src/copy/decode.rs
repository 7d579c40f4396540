//! COPY's layouts read: from bytes to the fields of rows.

use types::{Error, Result, SqlState};

use super::{
    lines::{Line, LineCutter},
    options::{CopyFormat, CopyOptions},
};

/// One row cut into fields; None is NULL.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// Where each begins and ends: in the line when it holds them as they are, in `bytes` otherwise.
    spans: Vec<Option<(usize, usize)>>,
    verbatim: bool,
    /// The fields of a line that has escapes or quotes, without them.
    bytes: Vec<u8>,
}

impl Fields {
    fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.verbatim = false;
    }

    /// The bytes from `start` on are a field.
    fn finish_field(&mut self, start: usize, is_null: bool) {
        self.spans.push((!is_null).then_some((start, self.bytes.len())));
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// The bytes of a field of this line, or None for NULL.
    pub(super) fn get<'a>(&'a self, at: usize, line: &'a [u8]) -> Option<&'a [u8]> {
        let bytes = if self.verbatim { line } else { &self.bytes };
        self.spans[at].map(|(start, end)| &bytes[start..end])
    }

    /// The same as text, when the line is known to be text and holds the fields as they are.
    pub(super) fn get_text<'a>(&self, at: usize, line: &'a str) -> Option<&'a str> {
        let (start, end) = self.spans[at].filter(|_| self.verbatim)?;
        line.get(start..end)
    }
}

/// What the buffered bytes begin with.
pub(super) enum Piece {
    /// A row (or its header line), and how many bytes it took.
    Row(usize),
    /// A line of so many bytes whose fields cannot be told apart.
    Broken(usize, Error),
    /// The end-of-data marker `\.` or binary trailer.
    End,
    /// More bytes are needed.
    Incomplete,
}

/// Cuts rows out of the stream.
pub(super) struct Decoder {
    options: CopyOptions,
    /// Flags of FORCE_NOT_NULL and FORCE_NULL by field.
    pub(super) force_not_null: Vec<bool>,
    pub(super) force_null: Vec<bool>,
    lines: LineCutter,
    /// The marker of the end came after the last row.
    ended: bool,
    binary_header_read: bool,
}

/// The signature that begins a binary COPY stream.
pub(super) const BINARY_SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

pub(super) fn bad_format(message: impl Into<String>) -> Error {
    Error::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

impl Decoder {
    pub(super) fn new(options: CopyOptions) -> Decoder {
        Decoder {
            options,
            force_not_null: Vec::new(),
            force_null: Vec::new(),
            lines: LineCutter::default(),
            ended: false,
            binary_header_read: false,
        }
    }

    /// Reads the row at the start of `input`. `at_end`: no more bytes will come.
    ///
    /// Errors: 22P04.
    pub(super) fn next(&mut self, input: &[u8], at_end: bool, fields: &mut Fields) -> Result<Piece> {
        match self.options.format {
            // Batches are decoded before rows are looked for.
            CopyFormat::Heliodump | CopyFormat::Parquet => Ok(Piece::End),
            CopyFormat::Binary => self.next_binary(input, at_end, fields),
            CopyFormat::Text | CopyFormat::Csv | CopyFormat::Json => {
                if self.ended {
                    return Ok(Piece::End);
                }
                let Some(Line { bytes: mut line, taken, marked }) = self.lines.next(input, at_end, &self.options)? else {
                    return Ok(Piece::Incomplete);
                };
                if let Some(marker) = self.end_marker(line, marked)? {
                    if marker == 0 {
                        return Ok(Piece::End);
                    }
                    line = &line[..marker];
                    self.ended = true;
                }
                fields.clear();
                let split = match self.options.format {
                    CopyFormat::Json => Ok(()),
                    _ if !marked => {
                        self.split_verbatim(line, fields);
                        Ok(())
                    }
                    CopyFormat::Csv => self.split_csv(line, fields),
                    _ => self.split_text(line, fields),
                };
                Ok(split.map_or_else(|error| Piece::Broken(taken, error), |()| Piece::Row(taken)))
            }
        }
    }

    /// Where the marker `\\.` ends the data within a line: in text format anywhere, in CSV as the whole of it.
    fn end_marker(&self, line: &[u8], marked: bool) -> Result<Option<usize>> {
        if self.options.format != CopyFormat::Text {
            return Ok((line == b"\\.").then_some(0));
        }
        if !marked {
            return Ok(None);
        }
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'\\', &line[at..]) {
            at += found;
            match line.get(at + 1) {
                Some(b'.') if at + 2 == line.len() => return Ok(Some(at)),
                Some(b'.') => return Err(bad_format("end-of-copy marker corrupt")),
                _ => at = (at + 2).min(line.len()),
            }
        }
        Ok(None)
    }

    /// A line without escapes and quotes.
    fn split_verbatim(&self, line: &[u8], fields: &mut Fields) {
        let null = self.options.null.as_bytes();
        fields.verbatim = true;
        let mut start = 0;
        for end in memchr::memchr_iter(self.options.delimiter, line).chain([line.len()]) {
            let forced_value = self.force_not_null.get(fields.spans.len()).copied().unwrap_or(false);
            fields.spans.push((forced_value || line[start..end] != *null).then_some((start, end)));
            start = end + 1;
        }
    }

    fn split_text(&self, line: &[u8], fields: &mut Fields) -> Result<()> {
        let delimiter = self.options.delimiter;
        let null = self.options.null.as_bytes();
        let mut rest = line;
        loop {
            let end = field_end(rest, delimiter);
            let raw = &rest[..end];
            let start = fields.bytes.len();
            if raw != null {
                unescape(raw, &mut fields.bytes);
            }
            // Escapes may stand for bytes that are no text together.
            if let Err(error) = std::str::from_utf8(&fields.bytes[start..]) {
                let at = start + error.valid_up_to();
                return Err(invalid_utf8(&fields.bytes[at..]));
            }
            fields.finish_field(start, raw == null);
            match rest.get(end) {
                Some(_) => rest = &rest[end + 1..],
                None => return Ok(()),
            }
        }
    }

    fn split_csv(&self, line: &[u8], fields: &mut Fields) -> Result<()> {
        let mut rest = Some(line);
        while let Some(from) = rest {
            let start = fields.bytes.len();
            let (was_quoted, taken) = self.csv_field(from, &mut fields.bytes)?;
            let index = fields.len();
            let matches_null = fields.bytes[start..] == *self.options.null.as_bytes();
            let forced_value = self.force_not_null.get(index).copied().unwrap_or(false);
            let forced_null = self.force_null.get(index).copied().unwrap_or(false);
            fields.finish_field(start, matches_null && ((!was_quoted && !forced_value) || (was_quoted && forced_null)));
            // A delimiter at the very end starts one more, empty field.
            rest = from.get(taken + 1..);
        }
        Ok(())
    }

    /// Appends the first field, unquoted; whether it was quoted, and where its delimiter is, or the end of the line.
    fn csv_field(&self, line: &[u8], bytes: &mut Vec<u8>) -> Result<(bool, usize)> {
        let CopyOptions { delimiter, quote, escape, .. } = self.options;
        let (mut at, mut was_quoted) = (0, false);
        loop {
            let plain = memchr::memchr2(delimiter, quote, &line[at..]).unwrap_or(line.len() - at);
            bytes.extend_from_slice(&line[at..at + plain]);
            at += plain;
            if line.get(at) != Some(&quote) {
                return Ok((was_quoted, at));
            }
            was_quoted = true;
            at += 1;
            loop {
                let plain = memchr::memchr2(quote, escape, &line[at..]);
                let plain = plain.ok_or_else(|| bad_format("unterminated CSV quoted field"))?;
                bytes.extend_from_slice(&line[at..at + plain]);
                at += plain;
                let next = line.get(at + 1).filter(|next| line[at] == escape && (**next == quote || **next == escape));
                if let Some(escaped) = next {
                    bytes.push(*escaped);
                    at += 2;
                } else if line[at] == quote {
                    at += 1;
                    break;
                } else {
                    bytes.push(escape);
                    at += 1;
                }
            }
        }
    }

    fn next_binary(&mut self, input: &[u8], at_end: bool, fields: &mut Fields) -> Result<Piece> {
        let mut at = 0;
        if !self.binary_header_read {
            let Some(header) = input.get(..BINARY_SIGNATURE.len() + 8) else {
                return if at_end { Err(bad_format("COPY file signature not recognized")) } else { Ok(Piece::Incomplete) };
            };
            if !header.starts_with(BINARY_SIGNATURE) {
                return Err(bad_format("COPY file signature not recognized"));
            }
            let flags = be_i32(&header[11..15]);
            if flags & (1 << 16) != 0 {
                return Err(bad_format("invalid COPY file header (WITH OIDS)"));
            }
            if flags & !0xFFFF != 0 {
                return Err(bad_format("unrecognized critical flags in COPY file header"));
            }
            let Ok(extension) = usize::try_from(be_i32(&header[15..19])) else {
                return Err(bad_format("invalid COPY file header (missing length)"));
            };
            at = header.len() + extension;
            if input.len() < at {
                return if at_end { Err(bad_format("invalid COPY file header (wrong length)")) } else { Ok(Piece::Incomplete) };
            }
        }
        let incomplete =
            |at_end: bool| if at_end { Err(bad_format("unexpected EOF in COPY data")) } else { Ok(Piece::Incomplete) };
        let Some(count) = input.get(at..at + 2) else {
            return if at_end && at == input.len() { Ok(Piece::End) } else { incomplete(at_end) };
        };
        let count = i16::from_be_bytes([count[0], count[1]]);
        at += 2;
        if count == -1 {
            return Ok(Piece::End);
        }
        fields.clear();
        for _ in 0..count {
            let Some(length) = input.get(at..at + 4) else { return incomplete(at_end) };
            let length = be_i32(length);
            at += 4;
            let start = fields.bytes.len();
            if length == -1 {
                fields.finish_field(start, true);
                continue;
            }
            let length = usize::try_from(length).map_err(|_| bad_format("invalid field size"))?;
            let Some(bytes) = input.get(at..at + length) else { return incomplete(at_end) };
            fields.bytes.extend_from_slice(bytes);
            fields.finish_field(start, false);
            at += length;
        }
        self.binary_header_read = true;
        Ok(Piece::Row(at))
    }
}

/// 22021 for bytes that begin with no character: those that its first byte announces.
pub(super) fn invalid_utf8(bytes: &[u8]) -> Error {
    let announced = match bytes.first() {
        Some(0xC0..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF7) => 4,
        _ => 1,
    };
    let shown: Vec<String> = bytes.iter().take(announced).map(|byte| format!("0x{byte:02x}")).collect();
    Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")))
}

fn be_i32(bytes: &[u8]) -> i32 {
    i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// Where a text field ends: at the next delimiter that no backslash precedes.
fn field_end(rest: &[u8], delimiter: u8) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(delimiter, b'\\', &rest[at..]) {
        at += found;
        if rest[at] == delimiter {
            return at;
        }
        at = (at + 2).min(rest.len());
    }
    rest.len()
}

/// Resolves the backslash escapes of text format.
fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(found) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..found]);
        let Some(&letter) = rest.get(found + 1) else {
            out.push(b'\\');
            return;
        };
        rest = &rest[found + 2..];
        match letter {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'0'..=b'7' => {
                let more = rest.iter().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let value = rest[..more].iter().fold(u32::from(letter - b'0'), |value, byte| value * 8 + u32::from(byte - b'0'));
                out.push((value & 0xFF) as u8);
                rest = &rest[more..];
            }
            b'x' if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
                let more = rest.iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
                let digits = std::str::from_utf8(&rest[..more]).unwrap_or("0");
                out.push(u8::from_str_radix(digits, 16).unwrap_or(0));
                rest = &rest[more..];
            }
            other => out.push(other),
        }
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::options;

    fn csv() -> CopyOptions {
        CopyOptions { format: CopyFormat::Csv, delimiter: b',', null: String::new(), ..text() }
    }

    fn text() -> CopyOptions {
        CopyOptions {
            format: CopyFormat::Text,
            delimiter: b'\t',
            null: "\\N".into(),
            header: options::Header::None,
            quote: b'"',
            escape: b'"',
            force_quote: None,
            force_not_null: None,
            force_null: None,
        }
    }

    fn rows(options: CopyOptions, input: &[u8]) -> Vec<Vec<Option<String>>> {
        let mut decoder = Decoder::new(options);
        let mut fields = Fields::default();
        let (mut rest, mut rows) = (input, Vec::new());
        while !rest.is_empty() {
            match decoder.next(rest, true, &mut fields).unwrap() {
                Piece::Row(taken) => {
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    rows.push((0..fields.len()).map(|at| fields.get(at, rest).map(text)).collect());
                    rest = &rest[taken..];
                }
                _ => break,
            }
        }
        rows
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    #[test]
    fn text_escapes() {
        assert_eq!(rows(text(), b"a\\tb\tc\\\\\n\\N\t\\101\\x42\n"), [some(&["a\tb", "c\\"]), vec![None, Some("AB".into())]]);
        assert_eq!(rows(text(), b"x\n\\.\ny\n"), [some(&["x"])], "the marker ends the data");
    }

    #[test]
    fn csv_quotes() {
        let expected = [some(&["a,b", "say \"hi\"", "two\nlines"]), vec![None, Some(String::new()), None]];
        assert_eq!(rows(csv(), b"\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\"\n,\"\",\n"), expected);
    }

    #[test]
    fn csv_escapes_that_are_no_quotes() {
        let options = || CopyOptions { escape: b'\\', ..csv() };
        let expected = [some(&["a\"b\\c", "p\"q"]), some(&["ab,cd", ""])];
        assert_eq!(rows(options(), b"\"a\\\"b\\\\c\",\"p\\\"q\"\na\"b,c\"d,\"\"\n"), expected);
        assert_eq!(rows(options(), b"\"a\\b\"\n"), [some(&["a\\b"])], "it escapes nothing else");
    }

    #[test]
    fn the_first_line_decides_what_ends_lines() {
        for end in ["\n", "\r\n", "\r"] {
            for options in [text(), csv()] {
                assert_eq!(rows(options, format!("a{end}b{end}").as_bytes()), [some(&["a"]), some(&["b"])], "{end:?}");
            }
        }
        for input in ["a\nb\r\n", "a\r\nb\n", "a\r\nb\rc", "a\rb\n"] {
            for options in [text(), csv()] {
                let (mut decoder, mut fields) = (Decoder::new(options), Fields::default());
                let Ok(Piece::Row(taken)) = decoder.next(input.as_bytes(), true, &mut fields) else { panic!("a row") };
                assert!(decoder.next(&input.as_bytes()[taken..], true, &mut fields).is_err(), "{input:?}");
            }
        }
        assert_eq!(rows(text(), b"a\\\r\\\nb\n"), [some(&["a\r\nb"])]);
        assert_eq!(rows(csv(), b"\"a\r\nb\"\n"), [some(&["a\r\nb"])]);
    }

    #[test]
    fn a_byte_at_a_time_is_as_all_at_once() {
        for (options, input) in [
            (csv(), &b"\"a,\n\"\"b\",c\n,\"\"\nx\"y\nz\",1\n"[..]),
            (CopyOptions { escape: b'\\', ..csv() }, b"\"a\\\"\nb\\\\\",c\nd,e\n"),
            (text(), b"a\\\nb\tc\\\\\nd\t\\N\n"),
        ] {
            let whole = rows(CopyOptions { ..options.clone() }, input);
            let mut decoder = Decoder::new(options);
            let (mut fields, mut buffer, mut found) = (Fields::default(), Vec::new(), Vec::new());
            for byte in input {
                buffer.push(*byte);
                if let Piece::Row(taken) = decoder.next(&buffer, false, &mut fields).unwrap() {
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    found.push((0..fields.len()).map(|at| fields.get(at, &buffer).map(text)).collect::<Vec<_>>());
                    buffer.drain(..taken);
                }
            }
            assert_eq!(found, whole);
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn rows_arrive_in_pieces() {
        let mut decoder = Decoder::new(csv());
        let mut fields = Fields::default();
        assert!(matches!(decoder.next(b"\"a\n", false, &mut fields).unwrap(), Piece::Incomplete));
        assert!(matches!(decoder.next(b"\"a\nb\"\n", false, &mut fields).unwrap(), Piece::Row(6)));
        assert_eq!(fields.get(0, b""), Some(&b"a\nb"[..]));
    }
}
