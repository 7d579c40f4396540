//! COPY's layouts read: from bytes to the fields of rows.

use types::{Error, Result, SqlState};

use super::options::{CopyFormat, CopyOptions};

/// One row cut into fields; None is NULL.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// The unescaped bytes of all fields.
    bytes: Vec<u8>,
    /// Where each ends in `bytes`, and whether it is NULL.
    ends: Vec<(usize, bool)>,
}

impl Fields {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn finish_field(&mut self, is_null: bool) {
        self.ends.push((self.bytes.len(), is_null));
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of a field, or None for NULL.
    pub(super) fn get(&self, at: usize) -> Option<&[u8]> {
        let (end, is_null) = self.ends[at];
        let start = if at == 0 { 0 } else { self.ends[at - 1].0 };
        (!is_null).then_some(&self.bytes[start..end])
    }

    fn start_of_field(&self) -> usize {
        self.ends.last().map_or(0, |(end, _)| *end)
    }
}

/// What the buffered bytes begin with.
pub(super) enum Piece {
    /// A row (or its header line), and how many bytes it took.
    Row(usize),
    /// The end-of-data marker `\.` or binary trailer.
    End,
    /// More bytes are needed.
    Incomplete,
}

/// Cuts rows out of the stream, remembering how far an incomplete row has been looked at.
pub(super) struct Decoder {
    options: CopyOptions,
    /// Flags of FORCE_NOT_NULL and FORCE_NULL by field.
    pub(super) force_not_null: Vec<bool>,
    pub(super) force_null: Vec<bool>,
    scanned: usize,
    in_quotes: bool,
    binary_header_read: bool,
}

/// The signature that begins a binary COPY stream.
pub(super) const BINARY_SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

fn bad_format(message: impl Into<String>) -> Error {
    Error::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

impl Decoder {
    pub(super) fn new(options: CopyOptions) -> Decoder {
        Decoder {
            options,
            force_not_null: Vec::new(),
            force_null: Vec::new(),
            scanned: 0,
            in_quotes: false,
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
                let Some((line, taken)) = self.next_line(input, at_end)? else { return Ok(Piece::Incomplete) };
                if line == b"\\." {
                    return Ok(Piece::End);
                }
                fields.clear();
                match self.options.format {
                    CopyFormat::Csv => self.split_csv(line, fields)?,
                    CopyFormat::Json => {}
                    _ => self.split_text(line, fields)?,
                }
                Ok(Piece::Row(taken))
            }
        }
    }

    /// The next line without its end, and the bytes it takes with it. A quoted CSV field may hold line ends.
    fn next_line<'a>(&mut self, input: &'a [u8], at_end: bool) -> Result<Option<(&'a [u8], usize)>> {
        let csv = self.options.format == CopyFormat::Csv;
        let mut at = self.scanned;
        if !csv {
            if let Some(found) = memchr::memchr(b'\n', &input[at..]) {
                // A backslash before the line end is data; an even number of them is not an escape.
                let end = at + found;
                let backslashes = input[..end].iter().rev().take_while(|byte| **byte == b'\\').count();
                if backslashes % 2 == 0 {
                    self.scanned = 0;
                    return Ok(Some((strip_carriage_return(&input[..end]), end + 1)));
                }
                self.scanned = end + 1;
                return self.next_line(input, at_end);
            }
            at = input.len();
        } else {
            while at < input.len() {
                let byte = input[at];
                if self.in_quotes && byte == self.options.escape && self.options.escape != self.options.quote {
                    if at + 1 >= input.len() {
                        break;
                    }
                    at += 2;
                    continue;
                }
                if byte == self.options.quote {
                    self.in_quotes = !self.in_quotes;
                } else if byte == b'\n' && !self.in_quotes {
                    self.scanned = 0;
                    return Ok(Some((strip_carriage_return(&input[..at]), at + 1)));
                }
                at += 1;
            }
        }
        self.scanned = at.min(input.len());
        if at_end && !input.is_empty() {
            if self.in_quotes {
                return Err(bad_format("unterminated CSV quoted field"));
            }
            self.scanned = 0;
            return Ok(Some((strip_carriage_return(input), input.len())));
        }
        Ok(None)
    }

    fn split_text(&self, line: &[u8], fields: &mut Fields) -> Result<()> {
        let delimiter = self.options.delimiter;
        let null = self.options.null.as_bytes();
        let mut rest = line;
        loop {
            let end = field_end(rest, delimiter);
            let raw = &rest[..end];
            if raw == null {
                fields.finish_field(true);
            } else {
                unescape(raw, &mut fields.bytes);
                fields.finish_field(false);
            }
            match rest.get(end) {
                Some(_) => rest = &rest[end + 1..],
                None => return Ok(()),
            }
        }
    }

    fn split_csv(&self, line: &[u8], fields: &mut Fields) -> Result<()> {
        let CopyOptions { delimiter, quote, escape, .. } = self.options;
        let mut at = 0;
        loop {
            let mut was_quoted = false;
            let mut in_quotes = false;
            while at < line.len() {
                let byte = line[at];
                if in_quotes {
                    if byte == escape && line.get(at + 1).is_some_and(|next| *next == quote || *next == escape) {
                        fields.bytes.push(line[at + 1]);
                        at += 2;
                        continue;
                    }
                    if byte == quote {
                        in_quotes = false;
                    } else {
                        fields.bytes.push(byte);
                    }
                } else if byte == delimiter {
                    break;
                } else if byte == quote {
                    (in_quotes, was_quoted) = (true, true);
                } else {
                    fields.bytes.push(byte);
                }
                at += 1;
            }
            if in_quotes {
                return Err(bad_format("unterminated CSV quoted field"));
            }
            let index = fields.len();
            let matches_null = fields.bytes[fields.start_of_field()..] == *self.options.null.as_bytes();
            let forced_value = self.force_not_null.get(index).copied().unwrap_or(false);
            let forced_null = self.force_null.get(index).copied().unwrap_or(false);
            fields.finish_field(matches_null && ((!was_quoted && !forced_value) || (was_quoted && forced_null)));
            if at >= line.len() {
                return Ok(());
            }
            at += 1;
            if at == line.len() {
                // A delimiter at the very end starts one more, empty field.
                let matches_null = self.options.null.is_empty();
                let forced = self.force_not_null.get(fields.len()).copied().unwrap_or(false);
                fields.finish_field(matches_null && !forced);
                return Ok(());
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
            if length == -1 {
                fields.finish_field(true);
                continue;
            }
            let length = usize::try_from(length).map_err(|_| bad_format("invalid field size"))?;
            let Some(bytes) = input.get(at..at + length) else { return incomplete(at_end) };
            fields.bytes.extend_from_slice(bytes);
            fields.finish_field(false);
            at += length;
        }
        self.binary_header_read = true;
        Ok(Piece::Row(at))
    }
}

fn be_i32(bytes: &[u8]) -> i32 {
    i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn strip_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
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
                    rest = &rest[taken..];
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    rows.push((0..fields.len()).map(|at| fields.get(at).map(text)).collect());
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
    fn rows_arrive_in_pieces() {
        let mut decoder = Decoder::new(csv());
        let mut fields = Fields::default();
        assert!(matches!(decoder.next(b"\"a\n", false, &mut fields).unwrap(), Piece::Incomplete));
        assert!(matches!(decoder.next(b"\"a\nb\"\n", false, &mut fields).unwrap(), Piece::Row(6)));
        assert_eq!(fields.get(0), Some(&b"a\nb"[..]));
    }
}
