//! COPY's options, in the old and the new spelling.

use pg_query::{
    NodeEnum,
    protobuf::{DefElem, Node},
};
use types::{Error, Result, SqlState};

use crate::{
    ddl::{position, strings},
    session::utility::{option_flag, option_text},
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CopyFormat {
    #[default]
    Text,
    Csv,
    Binary,
    /// Batches of columns, as the row blocks of a dump hold them (`durability::column_batch`).
    Heliodump,
    /// An object a line.
    Json,
    Parquet,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    #[default]
    None,
    Skip,
    /// The names must be those of the columns.
    Match,
}

/// `*` or a list of columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnChoice {
    All,
    Listed(Vec<String>),
}

/// How rows are laid out.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    pub format: CopyFormat,
    pub delimiter: u8,
    pub null: String,
    pub header: Header,
    pub quote: u8,
    pub escape: u8,
    pub force_quote: Option<ColumnChoice>,
    pub force_not_null: Option<ColumnChoice>,
    pub force_null: Option<ColumnChoice>,
}

/// Options as written.
#[derive(Default)]
struct Written {
    format: Option<CopyFormat>,
    delimiter: Option<String>,
    null: Option<String>,
    header: Option<Header>,
    quote: Option<String>,
    escape: Option<String>,
    force_quote: Option<ColumnChoice>,
    force_not_null: Option<ColumnChoice>,
    force_null: Option<ColumnChoice>,
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// What PostgreSQL, too, answers with 0A000.
fn inapplicable(message: &str) -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
}

/// Reads and checks the options of a COPY statement.
pub(super) fn read(nodes: &[Node], is_from: bool) -> Result<CopyOptions> {
    let mut written = Written::default();
    for node in nodes {
        if let Some(NodeEnum::DefElem(option)) = &node.node {
            written.read(option, is_from)?;
        }
    }
    written.check(is_from)
}

/// Stores an option; a second one of the same name is an error.
fn once<T>(place: &mut Option<T>, value: T, option: &DefElem) -> Result<()> {
    if place.replace(value).is_some() {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options").at(position(option.location)));
    }
    Ok(())
}

fn column_choice(option: &DefElem) -> Result<ColumnChoice> {
    match option.arg.as_deref().and_then(|argument| argument.node.as_ref()) {
        Some(NodeEnum::AStar(_)) => Ok(ColumnChoice::All),
        Some(NodeEnum::List(list)) => Ok(ColumnChoice::Listed(strings(&list.items))),
        _ => Err(invalid(format!("argument to option \"{}\" must be a list of column names", option.defname))
            .at(position(option.location))),
    }
}

impl Written {
    fn read(&mut self, option: &DefElem, is_from: bool) -> Result<()> {
        let text = || option.arg.as_deref().and_then(option_text).unwrap_or_default();
        match option.defname.as_str() {
            "format" => {
                let format = match text().as_str() {
                    "text" => CopyFormat::Text,
                    "csv" => CopyFormat::Csv,
                    "binary" => CopyFormat::Binary,
                    "heliodump" => CopyFormat::Heliodump,
                    "json" => CopyFormat::Json,
                    "parquet" => CopyFormat::Parquet,
                    other => return Err(invalid(format!("COPY format \"{other}\" not recognized")).at(position(option.location))),
                };
                once(&mut self.format, format, option)
            }
            "delimiter" => once(&mut self.delimiter, text(), option),
            "null" => once(&mut self.null, text(), option),
            "header" => {
                let header = match text().to_ascii_lowercase().as_str() {
                    "match" if is_from => Header::Match,
                    "match" => return Err(inapplicable("cannot use \"match\" with HEADER in COPY TO")),
                    _ if option_flag(option)
                        .map_err(|_| Error::new(SqlState::SYNTAX_ERROR, "header requires a Boolean value or \"match\""))? =>
                    {
                        Header::Skip
                    }
                    _ => Header::None,
                };
                once(&mut self.header, header, option)
            }
            "quote" => once(&mut self.quote, text(), option),
            "escape" => once(&mut self.escape, text(), option),
            "force_quote" => once(&mut self.force_quote, column_choice(option)?, option),
            "force_not_null" => once(&mut self.force_not_null, column_choice(option)?, option),
            "force_null" => once(&mut self.force_null, column_choice(option)?, option),
            // Rows are always as good as frozen: nothing is left to vacuum.
            "freeze" => option_flag(option).map(|_| ()),
            "encoding" => match text().to_ascii_uppercase().replace(['-', '_'], "").as_str() {
                "UTF8" | "SQLASCII" => Ok(()),
                _ => Err(Error::unsupported(format!("COPY ENCODING '{}'", text())).hint("Use UTF8.")),
            },
            other => {
                Err(Error::new(SqlState::SYNTAX_ERROR, format!("option \"{other}\" not recognized"))
                    .at(position(option.location)))
            }
        }
    }

    fn check(self, is_from: bool) -> Result<CopyOptions> {
        let format = self.format.unwrap_or_default();
        let csv = format == CopyFormat::Csv;
        self.refuse_what_has_no_meaning(format)?;
        let delimiter = single_byte(
            self.delimiter.as_deref(),
            if csv { b',' } else { b'\t' },
            "COPY delimiter must be a single one-byte character",
        )?;
        if matches!(delimiter, b'\r' | b'\n') {
            return Err(invalid("COPY delimiter cannot be newline or carriage return"));
        }
        let null = self.null.clone().unwrap_or_else(|| if csv { String::new() } else { "\\N".to_owned() });
        if null.contains(['\r', '\n']) {
            return Err(invalid("COPY null representation cannot use newline or carriage return"));
        }
        if !csv && (delimiter.is_ascii_lowercase() || delimiter.is_ascii_digit() || matches!(delimiter, b'\\' | b'.')) {
            return Err(invalid(format!("COPY delimiter cannot be \"{}\"", delimiter as char)));
        }
        self.refuse_other_modes(csv, is_from)?;
        let quote = single_byte(self.quote.as_deref(), b'"', "COPY quote must be a single one-byte character")?;
        let escape = single_byte(self.escape.as_deref(), quote, "COPY escape must be a single one-byte character")?;
        if csv && delimiter == quote {
            return Err(invalid("COPY delimiter and quote must be different"));
        }
        if null.as_bytes().contains(&delimiter) {
            return Err(inapplicable("COPY delimiter must not appear in the NULL specification"));
        }
        if csv && null.as_bytes().contains(&quote) {
            return Err(inapplicable("CSV quote character must not appear in the NULL specification"));
        }
        Ok(CopyOptions {
            format,
            delimiter,
            null,
            header: self.header.unwrap_or_default(),
            quote,
            escape,
            force_quote: self.force_quote,
            force_not_null: self.force_not_null,
            force_null: self.force_null,
        })
    }
}

impl Written {
    /// Options of text in formats that are none.
    fn refuse_what_has_no_meaning(&self, format: CopyFormat) -> Result<()> {
        match format {
            CopyFormat::Text | CopyFormat::Csv => Ok(()),
            CopyFormat::Heliodump => self.refuse_others_with("heliodump"),
            CopyFormat::Json => self.refuse_others_with("json"),
            CopyFormat::Parquet => self.refuse_others_with("parquet"),
            CopyFormat::Binary if self.delimiter.is_some() => {
                Err(Error::new(SqlState::SYNTAX_ERROR, "cannot specify DELIMITER in BINARY mode"))
            }
            CopyFormat::Binary if self.null.is_some() => {
                Err(Error::new(SqlState::SYNTAX_ERROR, "cannot specify NULL in BINARY mode"))
            }
            CopyFormat::Binary if self.header.is_some_and(|header| header != Header::None) => {
                Err(inapplicable("cannot specify HEADER in BINARY mode"))
            }
            CopyFormat::Binary => Ok(()),
        }
    }

    /// Options of CSV in another format, of COPY TO in COPY FROM and the reverse.
    fn refuse_other_modes(&self, csv: bool, is_from: bool) -> Result<()> {
        if !csv {
            for (written, message) in [
                (self.quote.is_some(), "COPY quote available only in CSV mode"),
                (self.escape.is_some(), "COPY escape available only in CSV mode"),
                (self.force_quote.is_some(), "COPY force quote available only in CSV mode"),
                (self.force_not_null.is_some(), "COPY force not null available only in CSV mode"),
                (self.force_null.is_some(), "COPY force null available only in CSV mode"),
            ] {
                if written {
                    return Err(inapplicable(message));
                }
            }
        }
        if self.force_quote.is_some() && is_from {
            return Err(inapplicable("COPY force quote only available using COPY TO"));
        }
        if (self.force_not_null.is_some() || self.force_null.is_some()) && !is_from {
            let which = if self.force_not_null.is_some() { "not null" } else { "null" };
            return Err(inapplicable(&format!("COPY force {which} only available using COPY FROM")));
        }
        Ok(())
    }

    /// These have nothing to choose.
    fn refuse_others_with(&self, format: &str) -> Result<()> {
        let lists = [&self.force_quote, &self.force_not_null, &self.force_null];
        let texts = [&self.delimiter, &self.null, &self.quote, &self.escape];
        if self.header.is_some() || lists.iter().any(|list| list.is_some()) || texts.iter().any(|text| text.is_some()) {
            return Err(Error::new(SqlState::SYNTAX_ERROR, format!("COPY format \"{format}\" takes no other option")));
        }
        Ok(())
    }
}

fn single_byte(written: Option<&str>, default: u8, message: &str) -> Result<u8> {
    match written.map(str::as_bytes) {
        None => Ok(default),
        Some([byte]) => Ok(*byte),
        Some(_) => Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)),
    }
}
