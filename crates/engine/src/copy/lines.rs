//! COPY's text cut into lines, by the rules of PostgreSQL's CopyReadLine.
//!
//! The first line decides what ends lines: `\n`, `\r\n` or `\r`. Other line ends are errors from then on, unless they are escaped or, in
//! CSV, within quotes.

use types::{Error, Result};

use super::{
    decode::bad_format,
    options::{CopyFormat, CopyOptions},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    Newline,
    CarriageReturnNewline,
    CarriageReturn,
}

/// Finds line ends, remembering how far an incomplete line has been looked at.
#[derive(Debug, Default)]
pub(super) struct LineCutter {
    line_end: Option<LineEnd>,
    scanned: usize,
    in_quotes: bool,
    /// The line so far has a backslash, or in CSV a quote.
    marked: bool,
}

/// A line without its end.
pub(super) struct Line<'a> {
    pub bytes: &'a [u8],
    /// The bytes it takes with its end.
    pub taken: usize,
    /// It has a backslash, or in CSV a quote: its fields may not be what stands there.
    pub marked: bool,
}

impl LineCutter {
    /// The first line; None when more bytes are needed. `at_end`: no more will come.
    ///
    /// Errors: 22P04, a line end of another kind than the first.
    pub(super) fn next<'a>(&mut self, input: &'a [u8], at_end: bool, options: &CopyOptions) -> Result<Option<Line<'a>>> {
        let found = match options.format {
            CopyFormat::Csv => self.end_of_csv(input, at_end, options)?,
            CopyFormat::Json => memchr::memchr(b'\n', &input[self.scanned..]).map(|found| (self.scanned + found, 1)),
            _ => self.end_of_text(input, at_end)?,
        };
        let (length, end) = match found {
            Some(found) => found,
            None if at_end && !input.is_empty() => (input.len(), 0),
            None => return Ok(None),
        };
        self.scanned = 0;
        Ok(Some(Line { bytes: &input[..length], taken: length + end, marked: std::mem::take(&mut self.marked) }))
    }

    /// Where the line ends, and the length of its end.
    fn end_of_text(&mut self, input: &[u8], at_end: bool) -> Result<Option<(usize, usize)>> {
        while let Some(found) = input.get(self.scanned..).and_then(|rest| memchr::memchr3(b'\n', b'\r', b'\\', rest)) {
            let at = self.scanned + found;
            self.scanned = at;
            if input[at] != b'\\' {
                return self.end_at(input, at, at_end, "literal", "\"\\n\"", "\"\\r\"");
            }
            self.marked = true;
            // Whatever follows a backslash is data.
            if at + 1 == input.len() {
                return Ok(None);
            }
            self.scanned = at + 2;
        }
        self.scanned = input.len();
        Ok(None)
    }

    fn end_of_csv(&mut self, input: &[u8], at_end: bool, options: &CopyOptions) -> Result<Option<(usize, usize)>> {
        let CopyOptions { quote, escape, .. } = *options;
        loop {
            let rest = input.get(self.scanned..).unwrap_or_default();
            let found = match self.in_quotes {
                true => memchr::memchr2(quote, escape, rest),
                false => memchr::memchr3(b'\n', b'\r', quote, rest),
            };
            let Some(found) = found else { break };
            let at = self.scanned + found;
            self.scanned = at;
            if self.in_quotes && input[at] == escape && escape != quote {
                if at + 1 == input.len() {
                    return Ok(None);
                }
                self.scanned = at + 2;
            } else if input[at] == quote {
                self.marked = true;
                self.in_quotes = !self.in_quotes;
                self.scanned = at + 1;
            } else {
                return self.end_at(input, at, at_end, "unquoted", "quoted CSV field", "quoted CSV field");
            }
        }
        self.scanned = input.len();
        Ok(None)
    }

    /// The line end that begins at a newline or carriage return.
    fn end_at(
        &mut self,
        input: &[u8],
        at: usize,
        at_end: bool,
        how: &str,
        newline: &str,
        carriage_return: &str,
    ) -> Result<Option<(usize, usize)>> {
        use LineEnd::{CarriageReturn, CarriageReturnNewline, Newline};
        let stray = |what: &str, instead: &str| -> Error {
            bad_format(format!("{how} {what} found in data")).hint(format!("Use {instead} to represent {what}."))
        };
        let (end, length) = match (input[at], input.get(at + 1)) {
            (b'\n', _) if matches!(self.line_end, Some(CarriageReturn | CarriageReturnNewline)) => {
                return Err(stray("newline", newline));
            }
            (b'\n', _) => (Newline, 1),
            (_, _) if self.line_end == Some(Newline) => return Err(stray("carriage return", carriage_return)),
            (_, None) if !at_end && self.line_end != Some(CarriageReturn) => return Ok(None),
            (_, Some(b'\n')) if self.line_end != Some(CarriageReturn) => (CarriageReturnNewline, 2),
            (_, _) if self.line_end == Some(CarriageReturnNewline) => return Err(stray("carriage return", carriage_return)),
            (_, _) => (CarriageReturn, 1),
        };
        self.line_end = Some(end);
        Ok(Some((at, length)))
    }
}
