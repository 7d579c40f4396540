//! PostgreSQL's advanced regular expressions, read into a tree whose automata are written in the dialect of regex-syntax.

use types::Result;

use super::{
    Flags,
    automaton::too_complex,
    invalid,
    tree::{Kind, Look, Node, Part, Traits, sequence},
};

/// How deeply groups may nest.
pub(super) const DEEPEST: u32 = 1000;
/// The largest pattern that a back reference repeats for its automaton; for a larger one it accepts anything.
const REPEATED_PATTERN: usize = 1000;

/// An expression that has been read.
pub(super) struct Parsed {
    pub(super) tree: Node,
    pub(super) group_count: usize,
    /// Whether it asks for the borders of words, which automata know in ASCII texts only.
    pub(super) has_word_borders: bool,
    pub(super) ignore_case: bool,
}

/// Reads an expression, its embedded options included. With `ascii` it is for texts of ASCII only. Error: 2201B with PostgreSQL's reason.
pub(super) fn parse(pattern: &str, flags: Flags, ascii: bool) -> Result<Parsed> {
    let mut flags = flags;
    let mut pattern = pattern;
    if let Some(literal) = pattern.strip_prefix("***=") {
        flags.literal = true;
        pattern = literal;
    } else if let Some(rest) = pattern.strip_prefix("***:") {
        (flags.literal, flags.without_escapes) = (false, false);
        pattern = rest;
    } else if pattern.starts_with("***") {
        return Err(invalid("quantifier operand invalid"));
    }
    if !flags.literal
        && !flags.without_escapes
        && let Some(options) = pattern.strip_prefix("(?")
        && options.starts_with(|first: char| first.is_ascii_alphabetic())
    {
        let end = options.find(')').ok_or_else(|| invalid("invalid embedded option"))?;
        if !options[..end].chars().all(|letter| flags.set(letter)) {
            return Err(invalid("invalid embedded option"));
        }
        pattern = &options[end + 1..];
    }
    if flags.literal {
        let tree = Node::plain(pattern.chars().map(escaped).collect(), Traits::NONE);
        return Ok(Parsed { tree, group_count: 0, has_word_borders: false, ignore_case: flags.ignore_case });
    }
    let characters: Vec<char> = pattern.chars().collect();
    let mut parser =
        Parser { characters: &characters, at: 0, flags, ascii, groups: vec![None], looking: 0, has_word_borders: false };
    let tree = parser.alternatives(0)?;
    let (group_count, has_word_borders) = (parser.groups.len() - 1, parser.has_word_borders);
    Ok(Parsed { tree, group_count, has_word_borders, ignore_case: flags.ignore_case })
}

/// A character as itself, outside brackets.
fn escaped(character: char) -> String {
    if character.is_ascii_punctuation() { format!("\\{character}") } else { character.to_string() }
}

struct Parser<'a> {
    characters: &'a [char],
    at: usize,
    flags: Flags,
    ascii: bool,
    /// The pattern of each group that has been read, from 1; None while it is being read.
    groups: Vec<Option<String>>,
    /// How many look-arounds enclose the place.
    looking: usize,
    has_word_borders: bool,
}

/// What stands at a place of a branch.
enum Atom {
    /// May be quantified.
    Operand(Node),
    Constraint(Node),
    Nothing,
}

/// How often an atom is to be there, and what the quantifier itself prefers.
struct Quantifier {
    min: u32,
    max: Option<u32>,
    prefers: Traits,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn ahead(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(offset, wanted)| self.characters.get(self.at + offset) == Some(&wanted))
    }

    /// Branches up to the closing parenthesis (left for the caller) or the end.
    fn alternatives(&mut self, depth: u32) -> Result<Node> {
        if depth > DEEPEST {
            return Err(too_complex());
        }
        let first = self.branch(depth)?;
        if self.peek() != Some('|') {
            return Ok(first);
        }
        let mut traits = Traits::LONGEST.as_branch(first.traits);
        let mut branches = vec![first];
        while self.peek() == Some('|') {
            self.at += 1;
            let branch = self.branch(depth)?;
            traits = traits.as_branch(branch.traits);
            branches.push(branch);
        }
        let patterns: Vec<&str> = branches.iter().map(|branch| branch.pattern.as_str()).collect();
        let pattern = format!("(?:{})", patterns.join("|"));
        let kind = if traits.is_structured() { Kind::Branches(branches) } else { Kind::Plain };
        Ok(Node::new(kind, traits, pattern))
    }

    fn branch(&mut self, depth: u32) -> Result<Node> {
        // What needs no structure is gathered in `plain`.
        let mut parts = Vec::new();
        let mut plain = Node::plain(String::new(), Traits::NONE);
        while let Some(character) = self.peek() {
            if self.flags.expanded && self.skip_blank(character) {
                continue;
            }
            match character {
                '|' => break,
                ')' if depth > 0 => break,
                ')' => return Err(invalid("parentheses () not balanced")),
                '*' | '+' | '?' => return Err(invalid("quantifier operand invalid")),
                '{' if self.is_bound() => return Err(invalid("quantifier operand invalid")),
                _ => {}
            }
            let (node, own) = match self.atom(depth)? {
                Atom::Nothing => continue,
                Atom::Constraint(node) => (node, Traits::NONE),
                Atom::Operand(node) => {
                    let quantifier = self.quantifier()?;
                    if quantifier.max == Some(0) {
                        continue;
                    }
                    let prefers = quantifier.prefers;
                    (quantified(node, &quantifier), prefers)
                }
            };
            let traits = plain.traits.with(own).with(node.traits);
            if node.is_plain() && !traits.is_structured() {
                plain.pattern.push_str(&node.pattern);
                plain.traits = plain.traits.then(node.traits);
            } else {
                parts.push(std::mem::replace(&mut plain, Node::plain(String::new(), Traits::NONE)));
                parts.push(node);
            }
        }
        parts.push(plain);
        Ok(sequence(parts))
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

    fn atom(&mut self, depth: u32) -> Result<Atom> {
        let character = self.characters[self.at];
        self.at += 1;
        Ok(match character {
            '(' => self.group(depth)?,
            '[' => self.bracket()?,
            '.' => operand(if self.flags.newline_stops { "[^\\n]" } else { "(?s:.)" }),
            '^' => constraint(if self.flags.newline_anchors { "(?m:^)" } else { "\\A" }),
            '$' => constraint(if self.flags.newline_anchors { "(?m:$)" } else { "\\z" }),
            '\\' => self.escape()?,
            other => operand(&escaped(other)),
        })
    }

    fn group(&mut self, depth: u32) -> Result<Atom> {
        if self.peek() == Some('?') && !self.flags.without_escapes {
            return self.special_group(depth);
        }
        if self.looking > 0 {
            return Ok(Atom::Operand(self.enclosed(depth)?));
        }
        let number = self.groups.len();
        self.groups.push(None);
        let mut node = self.enclosed(depth)?;
        self.groups[number] = Some(node.pattern.clone());
        node.traits = node.traits.with(Traits::CAPTURES);
        node.captures.push(number);
        Ok(Atom::Operand(node))
    }

    /// The rest of a parenthesized expression; its pattern stands alone.
    fn enclosed(&mut self, depth: u32) -> Result<Node> {
        let mut node = self.alternatives(depth + 1)?;
        if self.peek() != Some(')') {
            return Err(invalid("parentheses () not balanced"));
        }
        self.at += 1;
        node.pattern = format!("(?:{})", node.pattern);
        Ok(node)
    }

    fn special_group(&mut self, depth: u32) -> Result<Atom> {
        if self.ahead("?#") {
            while self.peek().is_some_and(|character| character != ')') {
                self.at += 1;
            }
            self.at += 1;
            return Ok(Atom::Nothing);
        }
        let kinds = [("?:", None), ("?=", Some((false, false))), ("?!", Some((false, true)))];
        let behind = [("?<=", Some((true, false))), ("?<!", Some((true, true)))];
        let found = kinds.into_iter().chain(behind).find(|(opening, _)| self.ahead(opening));
        let Some((opening, look)) = found else { return Err(invalid("quantifier operand invalid")) };
        self.at += opening.len();
        let Some((behind, negative)) = look else { return Ok(Atom::Operand(self.enclosed(depth)?)) };
        self.looking += 1;
        let node = self.enclosed(depth)?;
        self.looking -= 1;
        Ok(Atom::Constraint(looking(node, behind, negative)))
    }

    fn quantifier(&mut self) -> Result<Quantifier> {
        while self.flags.expanded
            && let Some(character) = self.peek()
            && self.skip_blank(character)
        {}
        let (min, max, own) = match self.peek() {
            Some('*') => (0, None, true),
            Some('+') => (1, None, true),
            Some('?') => (0, Some(1), true),
            Some('{') if self.is_bound() => self.bound()?,
            _ => return Ok(Quantifier { min: 1, max: Some(1), prefers: Traits::NONE }),
        };
        self.at += 1;
        let lazy = self.peek() == Some('?') && !self.flags.without_escapes;
        if lazy {
            self.at += 1;
        }
        // {m} leaves it to the atom.
        let prefers = if lazy { Traits::SHORTEST } else { Traits::LONGEST };
        Ok(Quantifier { min, max, prefers: if own { prefers } else { Traits::NONE } })
    }

    /// `{m}`, `{m,}` or `{m,n}` with numbers up to 255 in order, up to the brace that closes it; and whether it has a comma.
    fn bound(&mut self) -> Result<(u32, Option<u32>, bool)> {
        self.at += 1;
        let min = self.bound_number()?;
        let comma = self.peek() == Some(',');
        let mut max = Some(min);
        if comma {
            self.at += 1;
            max = if self.peek().is_some_and(|next| next.is_ascii_digit()) { Some(self.bound_number()?) } else { None };
        }
        match self.peek() {
            None => Err(invalid("braces {} not balanced")),
            Some('}') if max.is_none_or(|max| max >= min) => Ok((min, max, comma)),
            Some(_) => Err(invalid("invalid repetition count(s)")),
        }
    }

    fn bound_number(&mut self) -> Result<u32> {
        let mut number = 0;
        while let Some(digit) = self.peek().and_then(|next| next.to_digit(10)) {
            number = number * 10 + digit;
            if number > 255 {
                return Err(invalid("invalid repetition count(s)"));
            }
            self.at += 1;
        }
        Ok(number)
    }

    /// A constraint on the borders of words.
    fn word_border(&mut self, start: bool, end: bool, negative: bool) -> Atom {
        self.has_word_borders = true;
        if self.ascii {
            return constraint(match (start, end, negative) {
                (true, false, _) => "(?-u:\\b{start})",
                (false, true, _) => "(?-u:\\b{end})",
                (_, _, false) => "(?-u:\\b)",
                (_, _, true) => "(?-u:\\B)",
            });
        }
        let word = |behind, negative| looking(Node::plain("\\w".to_owned(), Traits::NONE), behind, negative);
        let mut branches = Vec::new();
        if start {
            branches.push(sequence(vec![word(true, true), word(false, negative)]));
        }
        if end {
            branches.push(sequence(vec![word(true, false), word(false, !negative)]));
        }
        let traits = Traits::INEXACT.with(Traits::LONGEST);
        Atom::Constraint(Node::new(Kind::Branches(branches), traits, String::new()))
    }

    fn escape(&mut self) -> Result<Atom> {
        let Some(character) = self.peek() else { return Err(invalid("invalid escape \\ sequence")) };
        self.at += 1;
        if self.flags.without_escapes {
            return Ok(operand(&escaped(character)));
        }
        Ok(match character {
            'A' => constraint("\\A"),
            'Z' => constraint("\\z"),
            'm' => self.word_border(true, false, false),
            'M' => self.word_border(false, true, false),
            'y' => self.word_border(true, true, false),
            'Y' => self.word_border(true, true, true),
            'd' => operand("[0-9]"),
            'D' => operand("[^0-9]"),
            's' | 'w' | 'S' | 'W' => operand(&format!("\\{character}")),
            '1'..='9' => self.back_reference(character)?,
            _ => operand(&escaped(self.character_escape(character)?)),
        })
    }

    fn back_reference(&mut self, first: char) -> Result<Atom> {
        let mut number = first.to_digit(10).unwrap_or(0) as usize;
        // Two digits are a reference when that many groups exist, else the second is a character.
        while let Some(digit) = self.peek().and_then(|next| next.to_digit(10))
            && number * 10 + (digit as usize) < self.groups.len()
        {
            number = number * 10 + digit as usize;
            self.at += 1;
        }
        let Some(Some(pattern)) = self.groups.get(number).filter(|_| self.looking == 0) else {
            return Err(invalid("invalid backreference number"));
        };
        let pattern = if pattern.len() > REPEATED_PATTERN { "(?s:.)*" } else { pattern };
        let kind = Kind::BackReference { group: number, min: 1, max: Some(1) };
        Ok(Atom::Operand(Node::new(kind, Traits::INEXACT, format!("(?:{pattern})"))))
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
    fn bracket(&mut self) -> Result<Atom> {
        for (text, is_start) in [("[:<:]]", true), ("[:>:]]", false)] {
            if self.ahead(text) {
                self.at += text.len();
                return Ok(self.word_border(is_start, !is_start, false));
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
        Ok(operand(&out))
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
            '\\' if !self.flags.without_escapes => {
                let letter = self.peek().ok_or_else(|| invalid("brackets [] not balanced"))?;
                self.at += 1;
                let class = match letter {
                    'd' => "0-9",
                    'D' => "[^0-9]",
                    's' => "\\s",
                    'S' => "\\S",
                    'w' => "\\w",
                    'W' => "\\W",
                    _ => return self.character_escape(letter).map(Some),
                };
                out.push_str(class);
                Ok(None)
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

fn operand(pattern: &str) -> Atom {
    Atom::Operand(Node::plain(pattern.to_owned(), Traits::NONE))
}

fn constraint(pattern: &str) -> Atom {
    Atom::Constraint(Node::plain(pattern.to_owned(), Traits::NONE))
}

fn looking(node: Node, behind: bool, negative: bool) -> Node {
    let look = Look { behind, negative, node: Box::new(node) };
    Node::new(Kind::Look(look), Traits::INEXACT, String::new())
}

/// An atom so many times.
fn quantified(mut node: Node, quantifier: &Quantifier) -> Node {
    let Quantifier { min, max, prefers } = *quantifier;
    let traits = prefers.then(node.traits);
    let (own, once) = (node.traits.preference(), min == 1 && max == Some(1));
    if once && (prefers == Traits::NONE || own == Traits::NONE || own == prefers) && !(node.is_plain() && prefers != Traits::NONE)
    {
        node.traits = traits;
        return node;
    }
    let pattern = node.repeated_pattern(min, max);
    if let Kind::BackReference { group, .. } = node.kind
        && node.captures.is_empty()
    {
        return Node::new(Kind::BackReference { group, min, max }, traits, pattern);
    }
    if !node.traits.has(Traits::CAPTURES.with(Traits::INEXACT)) {
        return Node::plain(pattern, traits);
    }
    if min > 0 && !node.traits.has(Traits::INEXACT) {
        // Only the last round's groups count: the rounds before it need no structure.
        let before = node.repeated_pattern(min - 1, max.map(|max| max - 1));
        let mut whole = sequence_of_two(Node::plain(before, traits.preference()), node);
        whole.traits = traits;
        return whole;
    }
    Node::new(Kind::Repeat { node: Box::new(node), min, max }, traits, pattern)
}

fn sequence_of_two(first: Node, second: Node) -> Node {
    let pattern = format!("{}{}", first.pattern, second.pattern);
    let parts = [first, second].map(|node| Part { node, rest: std::cell::OnceCell::new() });
    Node::new(Kind::Sequence(parts.into()), Traits::NONE, pattern)
}
