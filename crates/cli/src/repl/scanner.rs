//! Cuts what is typed into statements and backslash commands, as psql does: at semicolons outside quotes, comments and parentheses.

use std::collections::BTreeMap;

/// What a line completed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A statement with its semicolon.
    Statement(String),
    /// A backslash command and the rest of its line, and the unfinished statement before it.
    Command { command: String, buffer: String },
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Nothing,
    /// The quote character, and whether backslashes escape.
    Quotes(char, bool),
    Dollars(String),
    /// How deep.
    Comment(usize),
}

/// The unfinished statement and where in it the end is.
#[derive(Default)]
pub(super) struct Scanner {
    buffer: String,
    within: Within,
    parentheses: usize,
}

impl Scanner {
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.trim().is_empty() && self.within == Within::Nothing
    }

    pub(super) fn clear(&mut self) {
        *self = Scanner::default();
    }

    pub(super) fn take(&mut self) -> String {
        std::mem::take(self).buffer
    }

    /// psql's sign in the prompt for what is open.
    pub(super) fn sign(&self) -> char {
        match &self.within {
            Within::Quotes(quote, _) => *quote,
            Within::Dollars(_) => '$',
            Within::Comment(_) => '*',
            Within::Nothing if self.parentheses > 0 => '(',
            Within::Nothing if self.buffer.trim().is_empty() => '=',
            Within::Nothing => '-',
        }
    }

    /// Takes a line without its end. A backslash command ends the line; only the first piece of it is given then.
    pub(super) fn line(&mut self, line: &str, variables: &BTreeMap<String, String>) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if !self.buffer.is_empty() {
            self.buffer.push('\n');
        }
        let mut rest = line;
        while let Some(character) = rest.chars().next() {
            let taken = match &self.within {
                Within::Nothing => match self.outside(character, rest, variables, &mut pieces) {
                    Some(taken) => taken,
                    None => return pieces,
                },
                _ => self.inside(character, rest),
            };
            rest = &rest[taken..];
        }
        if self.buffer.trim().is_empty() && self.within == Within::Nothing {
            self.buffer.clear();
        }
        pieces
    }

    /// One step outside quotes and comments; how many bytes it took. None when the rest of the line is a command.
    fn outside(
        &mut self,
        character: char,
        rest: &str,
        variables: &BTreeMap<String, String>,
        pieces: &mut Vec<Piece>,
    ) -> Option<usize> {
        let mut taken = character.len_utf8();
        match character {
            '\'' => {
                let escapes = self.buffer.ends_with(['e', 'E']) && !ends_in_word(&self.buffer[..self.buffer.len() - 1]);
                self.within = Within::Quotes('\'', escapes);
            }
            '"' => self.within = Within::Quotes('"', false),
            '-' if rest.starts_with("--") => {
                // Comments to the end of the line are left out, so that an error's position is in what was sent.
                return Some(rest.len());
            }
            '/' if rest.starts_with("/*") => {
                self.within = Within::Comment(1);
                taken = 2;
            }
            '$' if !ends_in_word(&self.buffer) => {
                if let Some(tag) = dollar_tag(rest) {
                    taken = tag.len();
                    self.within = Within::Dollars(tag.to_owned());
                }
            }
            '(' => self.parentheses += 1,
            ')' => self.parentheses = self.parentheses.saturating_sub(1),
            ':' if rest.starts_with("::") => taken = 2,
            ':' => {
                if let Some((value, length)) = variable(&rest[1..], variables) {
                    self.buffer.push_str(&value);
                    return Some(1 + length);
                }
            }
            ';' if self.parentheses == 0 => {
                self.buffer.push(';');
                let statement = std::mem::take(&mut self.buffer).trim().to_owned();
                if statement != ";" {
                    pieces.push(Piece::Statement(statement));
                }
                return Some(1);
            }
            '\\' => {
                pieces.push(Piece::Command { command: rest.to_owned(), buffer: self.buffer.trim().to_owned() });
                return None;
            }
            _ => {}
        }
        self.buffer.push_str(&rest[..taken]);
        Some(taken)
    }

    fn inside(&mut self, character: char, rest: &str) -> usize {
        let mut taken = character.len_utf8();
        match self.within.clone() {
            Within::Quotes(quote, escapes) => {
                if character == '\\' && escapes {
                    taken += rest[1..].chars().next().map_or(0, char::len_utf8);
                } else if character == quote {
                    self.within = Within::Nothing;
                }
            }
            Within::Dollars(tag) if rest.starts_with(&tag) => {
                taken = tag.len();
                self.within = Within::Nothing;
            }
            Within::Comment(depth) if rest.starts_with("/*") => {
                taken = 2;
                self.within = Within::Comment(depth + 1);
            }
            Within::Comment(depth) if rest.starts_with("*/") => {
                taken = 2;
                self.within = if depth == 1 { Within::Nothing } else { Within::Comment(depth - 1) };
            }
            _ => {}
        }
        self.buffer.push_str(&rest[..taken]);
        taken
    }
}

fn ends_in_word(text: &str) -> bool {
    text.chars().next_back().is_some_and(|last| last.is_alphanumeric() || last == '_')
}

/// `$tag$` at the start of a text.
fn dollar_tag(text: &str) -> Option<&str> {
    let end = text[1..].find('$')? + 2;
    let name = &text[1..end - 1];
    let is_name = name.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    is_name.then(|| &text[..end])
}

/// The value of `name`, `'name'` or `"name"` at the start of a text, and how long that is.
fn variable(text: &str, variables: &BTreeMap<String, String>) -> Option<(String, usize)> {
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'));
    let start = usize::from(quote.is_some());
    let length = text[start..].find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len() - start);
    let value = variables.get(&text[start..start + length])?;
    match quote {
        None => Some((value.clone(), length)),
        Some(quote) if text[start + length..].starts_with(quote) => {
            let quoted = if quote == '\'' { durability::schema::literal(value) } else { durability::schema::quote(value) };
            Some((quoted, length + 2))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(lines: &[&str]) -> (Vec<String>, char) {
        let mut scanner = Scanner::default();
        let variables = BTreeMap::from([("n".to_owned(), "it's".to_owned())]);
        let mut found = Vec::new();
        for line in lines {
            for piece in scanner.line(line, &variables) {
                match piece {
                    Piece::Statement(text) => found.push(text),
                    Piece::Command { command, buffer } => found.push(format!("{buffer}<{command}>")),
                }
            }
        }
        (found, scanner.sign())
    }

    #[test]
    fn statements_end_at_semicolons_of_their_own() {
        assert_eq!(scan(&["select 1; select", "';', $a$;$a$, (1;2), \";\" -- ;", "/* ; /* ; */ ; */;"]).0.len(), 2);
        assert_eq!(scan(&["select E'\\';'; x"]), (vec!["select E'\\';';".to_owned()], '-'));
        assert_eq!(scan(&["select '"]).1, '\'');
        assert_eq!(scan(&["select (", " -- x"]).1, '(');
        assert_eq!(scan(&[";;", "  "]), (vec![], '='));
    }

    #[test]
    fn commands_and_variables() {
        assert_eq!(scan(&["\\d t"]).0, ["<\\d t>"]);
        assert_eq!(scan(&["select 1 \\gx"]).0, ["select 1<\\gx>"]);
        assert_eq!(
            scan(&["select :'n', :\"n\", :n, a::n, :other, x[1:2];"]).0,
            ["select 'it''s', \"it's\", it's, a::n, :other, x[1:2];"]
        );
    }
}
