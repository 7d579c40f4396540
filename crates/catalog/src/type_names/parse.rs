//! Reads a type from text as SQL spells it: `numeric(8,2)[]`, `timestamp(3) with time zone`, `public."My type"`.

use types::{Error, Result, SqlState, SqlType};

use super::{
    Names,
    modifiers::{interval_fields, modifier_in},
    quoting::{fold_case, truncate_identifier},
};

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A bare word, folded to lower case.
    Word(String),
    Quoted(String),
    Number(i32),
    Symbol(char),
}

/// A type's name before it is looked up.
struct Spelling {
    schema: Option<String>,
    name: String,
    modifiers: Vec<i32>,
}

impl Spelling {
    fn built_in(name: &str, modifiers: Vec<i32>) -> Spelling {
        Spelling { schema: Some("pg_catalog".to_string()), name: name.to_string(), modifiers }
    }
}

impl Names {
    /// The type, with its modifier, that the text names. Errors: 42704 undefined type, 42601 syntax, 3F000, 22023.
    pub fn parse_type(&self, text: &str) -> Result<SqlType> {
        if text.trim().is_empty() {
            return Err(Error::new(SqlState::SYNTAX_ERROR, format!("invalid type name \"{text}\"")));
        }
        let mut parser = Parser { text, tokens: tokens(text)?, at: 0 };
        if parser.peek_word("setof") {
            return Err(Error::new(SqlState::SYNTAX_ERROR, format!("invalid type name \"{text}\"")));
        }
        let spelling = parser.spelling()?;
        let is_array = parser.array_bounds()?;
        if parser.at < parser.tokens.len() {
            return Err(parser.syntax_error());
        }
        let ty = self.resolve_type(spelling.schema.as_deref(), &spelling.name)?;
        let ty = ty.with_typmod(modifier_in(ty.oid, &spelling.name, &spelling.modifiers)?);
        if !is_array {
            return Ok(ty);
        }
        let array = self.array_type(ty.oid).ok_or_else(|| {
            let message = format!("could not find array type for data type {}", self.format_type_oid(ty.oid));
            Error::new(SqlState::UNDEFINED_OBJECT, message)
        })?;
        Ok(array.with_typmod(ty.typmod))
    }
}

fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if c.is_ascii_whitespace() {
            continue;
        }
        if c == '"' {
            let mut name = String::new();
            loop {
                match characters.next() {
                    Some('"') if characters.next_if_eq(&'"').is_some() => name.push('"'),
                    Some('"') => break,
                    Some(inside) => name.push(inside),
                    None => return Err(syntax_error_in(text, "unterminated quoted identifier")),
                }
            }
            tokens.push(Token::Quoted(truncate_identifier(name)));
        } else if c.is_alphabetic() || c == '_' {
            let mut word = String::from(c);
            while let Some(more) = characters.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '$')) {
                word.push(more);
            }
            tokens.push(Token::Word(truncate_identifier(fold_case(&word))));
        } else if c.is_ascii_digit() || c == '-' {
            let mut number = String::from(c);
            while let Some(more) = characters.next_if(char::is_ascii_digit) {
                number.push(more);
            }
            let number = number.parse().map_err(|_| syntax_error_in(text, &format!("syntax error at or near \"{number}\"")))?;
            tokens.push(Token::Number(number));
        } else {
            tokens.push(Token::Symbol(c));
        }
    }
    Ok(tokens)
}

fn syntax_error_in(text: &str, message: &str) -> Error {
    Error::new(SqlState::SYNTAX_ERROR, message).context(format!("invalid type name \"{text}\""))
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
}

impl Parser<'_> {
    fn peek_word(&self, word: &str) -> bool {
        matches!(self.tokens.get(self.at), Some(Token::Word(found)) if found == word)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek_word(word);
        self.at += usize::from(found);
        found
    }

    fn take_symbol(&mut self, symbol: char) -> bool {
        let found = self.tokens.get(self.at) == Some(&Token::Symbol(symbol));
        self.at += usize::from(found);
        found
    }

    fn syntax_error(&self) -> Error {
        let near = match self.tokens.get(self.at) {
            None => "syntax error at end of input".to_string(),
            Some(Token::Word(word)) => format!("syntax error at or near \"{word}\""),
            Some(Token::Quoted(name)) => format!("syntax error at or near \"\"{name}\"\""),
            Some(Token::Number(number)) => format!("syntax error at or near \"{number}\""),
            Some(Token::Symbol(symbol)) => format!("syntax error at or near \"{symbol}\""),
        };
        syntax_error_in(self.text, &near)
    }

    fn expect_symbol(&mut self, symbol: char) -> Result<()> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.syntax_error()) }
    }

    fn identifier(&mut self) -> Result<String> {
        match self.tokens.get(self.at) {
            Some(Token::Word(name) | Token::Quoted(name)) => {
                self.at += 1;
                Ok(name.clone())
            }
            _ => Err(self.syntax_error()),
        }
    }

    /// `(1, 2)` when it is there.
    fn modifiers(&mut self) -> Result<Vec<i32>> {
        let mut numbers = Vec::new();
        if !self.take_symbol('(') {
            return Ok(numbers);
        }
        loop {
            match self.tokens.get(self.at) {
                Some(Token::Number(number)) => numbers.push(*number),
                _ => return Err(self.syntax_error()),
            }
            self.at += 1;
            if !self.take_symbol(',') {
                break;
            }
        }
        self.expect_symbol(')')?;
        Ok(numbers)
    }

    fn array_bounds(&mut self) -> Result<bool> {
        let mut is_array = self.take_word("array");
        while self.take_symbol('[') {
            is_array = true;
            if let Some(Token::Number(_)) = self.tokens.get(self.at) {
                self.at += 1;
            }
            self.expect_symbol(']')?;
        }
        Ok(is_array)
    }

    fn spelling(&mut self) -> Result<Spelling> {
        if let Some(Token::Word(word)) = self.tokens.get(self.at)
            && self.tokens.get(self.at + 1) != Some(&Token::Symbol('.'))
        {
            let word = word.clone();
            self.at += 1;
            if let Some(spelling) = self.sql_type_word(&word)? {
                return Ok(spelling);
            }
            self.at -= 1;
        }
        let mut names = vec![self.identifier()?];
        while self.take_symbol('.') {
            names.push(self.identifier()?);
        }
        let modifiers = self.modifiers()?;
        let name = names.pop().expect("one identifier was read");
        match names.len() {
            0 | 1 => Ok(Spelling { schema: names.pop(), name, modifiers }),
            _ => {
                let message = format!("improper qualified name (too many dotted names): {}.{name}", names.join("."));
                Err(Error::new(SqlState::SYNTAX_ERROR, message))
            }
        }
    }

    /// The types that SQL's grammar itself knows; None for any other word.
    fn sql_type_word(&mut self, word: &str) -> Result<Option<Spelling>> {
        let plain = |name: &str| Ok(Some(Spelling::built_in(name, Vec::new())));
        match word {
            "int" | "integer" => plain("int4"),
            "smallint" => plain("int2"),
            "bigint" => plain("int8"),
            "real" => plain("float4"),
            "boolean" => plain("bool"),
            "double" if self.take_word("precision") => plain("float8"),
            "float" => match self.modifiers()?[..] {
                [] | [25..=53] => plain("float8"),
                [1..=24] => plain("float4"),
                [i32::MIN..=0] => {
                    Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "precision for type float must be at least 1 bit"))
                }
                [54..=i32::MAX] => {
                    Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "precision for type float must be less than 54 bits"))
                }
                _ => Err(self.syntax_error()),
            },
            "decimal" | "dec" | "numeric" => Ok(Some(Spelling::built_in("numeric", self.modifiers()?))),
            "bit" => {
                let varying = self.take_word("varying");
                let modifiers = self.modifiers()?;
                let modifiers = if modifiers.is_empty() && !varying { vec![1] } else { modifiers };
                Ok(Some(Spelling::built_in(if varying { "varbit" } else { "bit" }, modifiers)))
            }
            "varchar" => Ok(Some(Spelling::built_in("varchar", self.modifiers()?))),
            "character" | "char" | "nchar" => self.character().map(Some),
            "national" if self.take_word("character") || self.take_word("char") => self.character().map(Some),
            "time" | "timestamp" => self.time(word).map(Some),
            "interval" => self.interval().map(Some),
            _ => Ok(None),
        }
    }

    fn character(&mut self) -> Result<Spelling> {
        let varying = self.take_word("varying");
        let modifiers = self.modifiers()?;
        let modifiers = if modifiers.is_empty() && !varying { vec![1] } else { modifiers };
        Ok(Spelling::built_in(if varying { "varchar" } else { "bpchar" }, modifiers))
    }

    fn time(&mut self, word: &str) -> Result<Spelling> {
        let modifiers = self.modifiers()?;
        let with_zone = self.peek_word("with");
        if with_zone || self.peek_word("without") {
            self.at += 1;
            if !(self.take_word("time") && self.take_word("zone")) {
                return Err(self.syntax_error());
            }
        }
        Ok(Spelling::built_in(&if with_zone { format!("{word}tz") } else { word.to_string() }, modifiers))
    }

    fn interval(&mut self) -> Result<Spelling> {
        use interval_fields::*;
        const FIELDS: [(&str, i32); 6] =
            [("year", YEAR), ("month", MONTH), ("day", DAY), ("hour", HOUR), ("minute", MINUTE), ("second", SECOND)];
        let Some(first) = FIELDS.iter().position(|(word, _)| self.take_word(word)) else {
            let precision = self.modifiers()?;
            let modifiers = if precision.is_empty() { precision } else { [vec![ALL], precision].concat() };
            return Ok(Spelling::built_in("interval", modifiers));
        };
        let mut last = first;
        if self.take_word("to") {
            last = FIELDS.iter().position(|(word, _)| self.take_word(word)).ok_or_else(|| self.syntax_error())?;
        }
        let mask = FIELDS.iter().take(last + 1).skip(first).fold(0, |mask, (_, field)| mask | field);
        let mut modifiers = vec![mask];
        if FIELDS[last].1 == SECOND {
            modifiers.extend(self.modifiers()?);
        }
        Ok(Spelling::built_in("interval", modifiers))
    }
}
