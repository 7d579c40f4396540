//! PostgreSQL's advanced regular expressions written in the dialect of fancy-regex.

use types::Result;

use super::{Flags, invalid};

/// Translates an expression, its embedded options included. Error: 2201B with PostgreSQL's reason.
pub(super) fn translate(pattern: &str, flags: Flags) -> Result<String> {
    let mut flags = flags;
    let mut pattern = pattern;
    if let Some(literal) = pattern.strip_prefix("***=") {
        flags.literal = true;
        pattern = literal;
    } else if let Some(rest) = pattern.strip_prefix("***:") {
        pattern = rest;
    } else if pattern.starts_with("***") {
        return Err(invalid("quantifier operand invalid"));
    }
    if !flags.literal
        && let Some(options) = pattern.strip_prefix("(?")
        && options.starts_with(|first: char| first.is_ascii_alphabetic())
    {
        let end = options.find(')').ok_or_else(|| invalid("invalid embedded option"))?;
        if !options[..end].chars().all(|letter| flags.set(letter)) {
            return Err(invalid("invalid embedded option"));
        }
        pattern = &options[end + 1..];
    }
    let body = if flags.literal {
        pattern.chars().map(escaped).collect()
    } else {
        let characters: Vec<char> = pattern.chars().collect();
        let mut translator = Translator { characters: &characters, at: 0, flags, lazy: false, groups: 0, group_total: 0 };
        translator.group_total = translator.count_groups();
        let body = translator.alternatives(0)?;
        if translator.at < characters.len() {
            return Err(invalid("parentheses () not balanced"));
        }
        body
    };
    Ok(if flags.ignore_case { format!("(?i){body}") } else { body })
}

/// A character as itself, outside brackets.
fn escaped(character: char) -> String {
    if character.is_ascii_punctuation() { format!("\\{character}") } else { character.to_string() }
}

struct Translator<'a> {
    characters: &'a [char],
    at: usize,
    flags: Flags,
    /// Inside a group that `{1,1}?` makes take the shortest match: every quantifier is lazy.
    lazy: bool,
    /// Capturing groups opened so far, for checking back references.
    groups: usize,
    group_total: usize,
}

impl Translator<'_> {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn ahead(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(offset, wanted)| self.characters.get(self.at + offset) == Some(&wanted))
    }

    fn count_groups(&self) -> usize {
        let open = |at: usize| self.characters[at] == '(' && self.characters.get(at + 1) != Some(&'?');
        (0..self.characters.len()).filter(|&at| open(at)).count()
    }

    /// Branches up to the closing parenthesis (left for the caller) or the end.
    fn alternatives(&mut self, depth: usize) -> Result<String> {
        let mut out = String::new();
        let mut operand = false;
        while let Some(character) = self.peek() {
            if self.flags.expanded && self.skip_blank(character) {
                continue;
            }
            match character {
                ')' if depth > 0 => break,
                ')' => return Err(invalid("parentheses () not balanced")),
                '|' => {
                    out.push('|');
                    self.at += 1;
                    operand = false;
                }
                '*' | '+' | '?' if !operand => return Err(invalid("quantifier operand invalid")),
                '{' if !operand && self.is_bound() => return Err(invalid("quantifier operand invalid")),
                _ => {
                    let atom = self.atom(depth)?;
                    out.push_str(&atom.0);
                    operand = atom.1;
                    if operand {
                        self.quantifier(&mut out)?;
                    }
                    operand = false;
                }
            }
        }
        Ok(out)
    }

    /// Blanks and comments of an expanded expression.
    fn skip_blank(&mut self, character: char) -> bool {
        if character.is_whitespace() {
            self.at += 1;
            return true;
        }
        if character == '#' {
            while self.peek().is_some_and(|character| character != '\n') {
                self.at += 1;
            }
            return true;
        }
        false
    }

    fn is_bound(&self) -> bool {
        self.characters.get(self.at + 1).is_some_and(char::is_ascii_digit)
    }

    /// One atom, and whether a quantifier may follow.
    fn atom(&mut self, depth: usize) -> Result<(String, bool)> {
        let character = self.characters[self.at];
        self.at += 1;
        Ok(match character {
            '(' => self.group(depth)?,
            '[' => self.bracket()?,
            '.' => (if self.flags.newline_stops { "[^\\n]" } else { "(?s:.)" }.to_owned(), true),
            '^' => (if self.flags.newline_anchors { "(?m:^)" } else { "\\A" }.to_owned(), false),
            '$' => (if self.flags.newline_anchors { "(?m:$)" } else { "\\z" }.to_owned(), false),
            '\\' => self.escape()?,
            other => (escaped(other), true),
        })
    }

    fn group(&mut self, depth: usize) -> Result<(String, bool)> {
        let opening = ["?:", "?=", "?!", "?<=", "?<!"].into_iter().find(|opening| self.ahead(opening));
        if opening.is_none() && self.ahead("?#") {
            while self.peek().is_some_and(|character| character != ')') {
                self.at += 1;
            }
            self.at += 1;
            return Ok((String::new(), false));
        }
        if opening.is_none() && self.ahead("?") {
            return Err(invalid("quantifier operand invalid"));
        }
        let opening = opening.unwrap_or("");
        if opening.is_empty() {
            self.groups += 1;
        }
        self.at += opening.len();
        let (start, groups_before) = (self.at, self.groups);
        let mut body = self.alternatives(depth + 1)?;
        if self.peek() != Some(')') {
            return Err(invalid("parentheses () not balanced"));
        }
        self.at += 1;
        if self.ahead("{1,1}?") && !self.lazy {
            let end = self.at;
            (self.at, self.groups, self.lazy) = (start, groups_before, true);
            body = self.alternatives(depth + 1)?;
            (self.at, self.lazy) = (end, false);
        }
        // A look-around takes no quantifier.
        let quantifiable = matches!(opening, "" | "?:");
        Ok((format!("({opening}{body})"), quantifiable))
    }

    fn quantifier(&mut self, out: &mut String) -> Result<()> {
        let (text, length) = match self.peek() {
            Some(sign @ ('*' | '+' | '?')) => (sign.to_string(), 1),
            Some('{') if self.is_bound() => {
                let end = self.characters[self.at..].iter().position(|character| *character == '}');
                let end = end.ok_or_else(|| invalid("braces {} not balanced"))?;
                let bound: String = self.characters[self.at..=self.at + end].iter().collect();
                check_bound(&bound)?;
                (bound, end + 1)
            }
            _ => return Ok(()),
        };
        self.at += length;
        let lazy = self.peek() == Some('?');
        if lazy {
            self.at += 1;
        }
        // Once is once, greedy or not; fancy-regex refuses a quantifier on an empty group.
        if text != "{1,1}" {
            out.push_str(&text);
            if lazy || self.lazy {
                out.push('?');
            }
        }
        match self.peek() {
            Some('*' | '+' | '?') => Err(invalid("quantifier operand invalid")),
            _ => Ok(()),
        }
    }

    fn escape(&mut self) -> Result<(String, bool)> {
        let Some(character) = self.peek() else { return Err(invalid("invalid escape \\ sequence")) };
        self.at += 1;
        let word_start = "(?:\\b(?=\\w))";
        let word_end = "(?:\\b(?<=\\w))";
        Ok(match character {
            'A' => ("\\A".to_owned(), false),
            'Z' => ("\\z".to_owned(), false),
            'm' => (word_start.to_owned(), false),
            'M' => (word_end.to_owned(), false),
            'y' => ("\\b".to_owned(), false),
            'Y' => ("\\B".to_owned(), false),
            'd' | 's' | 'w' => (format!("\\{character}"), true),
            'D' | 'S' | 'W' => (format!("\\{character}"), true),
            '1'..='9' => self.back_reference(character)?,
            _ => (escaped(self.character_escape(character)?), true),
        })
    }

    fn back_reference(&mut self, first: char) -> Result<(String, bool)> {
        let mut number = first.to_digit(10).unwrap_or(0) as usize;
        // Two digits are a reference when that many groups exist, else the second is a character.
        while let Some(digit) = self.peek().and_then(|next| next.to_digit(10))
            && number * 10 + digit as usize <= self.group_total
        {
            number = number * 10 + digit as usize;
            self.at += 1;
        }
        if number > self.groups {
            return Err(invalid("invalid backreference number"));
        }
        Ok((format!("(?:\\{number})"), true))
    }

    /// The character that an escape stands for; the letter after the backslash has been read.
    fn character_escape(&mut self, letter: char) -> Result<char> {
        Ok(match letter {
            'a' => '\x07',
            'b' => '\x08',
            'B' => '\\',
            'e' => '\x1b',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '0' => '\0',
            'c' => {
                let control = self.peek().ok_or_else(|| invalid("invalid escape \\ sequence"))?;
                self.at += 1;
                char::from((control as u32 & 0x1f) as u8)
            }
            'u' => self.hexadecimal(4)?,
            'U' => self.hexadecimal(8)?,
            'x' => {
                let digits = self.characters[self.at..].iter().take_while(|digit| digit.is_ascii_hexdigit()).count();
                self.hexadecimal(digits.max(1))?
            }
            other if other.is_ascii_alphanumeric() => return Err(invalid("invalid escape \\ sequence")),
            other => other,
        })
    }

    fn hexadecimal(&mut self, digits: usize) -> Result<char> {
        let text: String = self.characters.iter().skip(self.at).take(digits).collect();
        self.at += digits;
        let code = if text.len() == digits { u32::from_str_radix(&text, 16).ok() } else { None };
        code.and_then(char::from_u32).ok_or_else(|| invalid("invalid escape \\ sequence"))
    }

    /// A bracket expression; the opening bracket has been read.
    fn bracket(&mut self) -> Result<(String, bool)> {
        for (text, translated) in [("[:<:]]", "(?:\\b(?=\\w))"), ("[:>:]]", "(?:\\b(?<=\\w))")] {
            if self.ahead(text) {
                self.at += text.len();
                return Ok((translated.to_owned(), false));
            }
        }
        let mut out = String::from("[");
        if self.peek() == Some('^') {
            self.at += 1;
            out.push('^');
            if self.flags.newline_stops {
                out.push_str("\\n");
            }
        }
        let mut first = true;
        loop {
            let character = self.peek().ok_or_else(|| invalid("brackets [] not balanced"))?;
            self.at += 1;
            if character == ']' && !first {
                break;
            }
            first = false;
            let low = match self.bracket_item(character, &mut out)? {
                Some(low) => low,
                None => continue,
            };
            let is_range = self.peek() == Some('-') && self.characters.get(self.at + 1).is_some_and(|next| *next != ']');
            if !is_range {
                push_in_bracket(low, &mut out);
                continue;
            }
            self.at += 1;
            let next = self.characters[self.at];
            self.at += 1;
            let mut class = String::new();
            let high = self.bracket_item(next, &mut class)?.ok_or_else(|| invalid("invalid character range"))?;
            if high < low {
                return Err(invalid("invalid character range"));
            }
            push_in_bracket(low, &mut out);
            out.push('-');
            push_in_bracket(high, &mut out);
        }
        out.push(']');
        Ok((out, true))
    }

    /// A single character of a bracket expression; None when it was a class, which is written already.
    fn bracket_item(&mut self, character: char, out: &mut String) -> Result<Option<char>> {
        match character {
            '[' => {
                let Some(kind @ (':' | '.' | '=')) = self.peek() else { return Ok(Some('[')) };
                let rest = &self.characters[self.at + 1..];
                let end =
                    rest.windows(2).position(|pair| pair == [kind, ']']).ok_or_else(|| invalid("brackets [] not balanced"))?;
                let name: String = rest[..end].iter().collect();
                self.at += end + 3;
                if kind == ':' {
                    out.push_str(class(&name)?);
                    return Ok(None);
                }
                let mut characters = name.chars();
                match (characters.next(), characters.next()) {
                    (Some(one), None) => Ok(Some(one)),
                    _ => Err(invalid("invalid collating element")),
                }
            }
            '\\' => {
                let letter = self.peek().ok_or_else(|| invalid("brackets [] not balanced"))?;
                self.at += 1;
                if matches!(letter, 'd' | 's' | 'w' | 'D' | 'S' | 'W') {
                    out.push('\\');
                    out.push(letter);
                    return Ok(None);
                }
                self.character_escape(letter).map(Some)
            }
            other => Ok(Some(other)),
        }
    }
}

fn push_in_bracket(character: char, out: &mut String) {
    if character.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(character);
}

fn class(name: &str) -> Result<&'static str> {
    Ok(match name {
        "alnum" => "\\p{L}\\p{Nd}",
        "alpha" => "\\p{L}",
        "ascii" => "\\x00-\\x7f",
        "blank" => " \\t",
        "cntrl" => "\\p{Cc}",
        "digit" => "0-9",
        "graph" => "\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}",
        "lower" => "\\p{Ll}",
        "print" => "\\p{L}\\p{M}\\p{N}\\p{P}\\p{S} ",
        "punct" => "\\p{P}\\p{S}",
        "space" => "\\s",
        "upper" => "\\p{Lu}",
        "word" => "\\w",
        "xdigit" => "0-9A-Fa-f",
        _ => return Err(invalid("invalid character class")),
    })
}

/// `{m}`, `{m,}` or `{m,n}` with numbers up to 255 in order.
fn check_bound(bound: &str) -> Result<()> {
    let inner = bound.trim_matches(['{', '}']);
    let (low, high) = inner.split_once(',').unwrap_or((inner, inner));
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= 255);
    let low = number(low).ok_or_else(|| invalid("invalid repetition count(s)"))?;
    if high.is_empty() {
        return Ok(());
    }
    match number(high) {
        Some(high) if high >= low => Ok(()),
        _ => Err(invalid("invalid repetition count(s)")),
    }
}
