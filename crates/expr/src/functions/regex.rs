//! PostgreSQL's regular expressions: POSIX's longest matches with Perl's escapes and lazy quantifiers, as Henry Spencer defined them.
//!
//! An expression is read into a tree ([`parser`], [`tree`]) and matched by automata and dissection ([`automaton`], [`matcher`]). It is kept
//! compiled per thread.

mod automaton;
mod matcher;
mod parser;
mod tree;

use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    ops::Range,
    rc::Rc,
};

use matcher::Matcher;
use types::{Error, Result, SqlState};

use super::room::{Growth, MATCH_BYTES};
use crate::EvalContext;

/// How an expression is read and matched, as the flag letters say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    pub ignore_case: bool,
    pub global: bool,
    /// `.` and negated brackets do not match a line break.
    pub newline_stops: bool,
    /// `^` and `$` match at line breaks.
    pub newline_anchors: bool,
    /// Blanks and comments in the expression are ignored.
    pub expanded: bool,
    /// The expression is a plain string.
    pub literal: bool,
    /// POSIX's extended expressions: a backslash makes a character itself, and nothing is lazy.
    pub without_escapes: bool,
}

impl Flags {
    /// Reads option letters. Error: 22023 for an unknown one.
    pub fn parse(letters: &str) -> Result<Flags> {
        let mut flags = Flags::default();
        for letter in letters.chars() {
            match letter {
                'g' => flags.global = true,
                'b' => return Err(Error::unsupported("a basic regular expression (option \"b\")")),
                _ if flags.set(letter) => {}
                _ => {
                    let message = format!("invalid regular expression option: \"{letter}\"");
                    return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
                }
            }
        }
        Ok(flags)
    }

    /// Sets a flag that an expression may also carry itself, `(?i)`; false for another letter.
    fn set(&mut self, letter: char) -> bool {
        match letter {
            'i' => self.ignore_case = true,
            'c' => self.ignore_case = false,
            'm' | 'n' => (self.newline_stops, self.newline_anchors) = (true, true),
            'p' => (self.newline_stops, self.newline_anchors) = (true, false),
            'w' => (self.newline_stops, self.newline_anchors) = (false, true),
            's' => (self.newline_stops, self.newline_anchors) = (false, false),
            'x' => self.expanded = true,
            't' => self.expanded = false,
            'q' => (self.literal, self.without_escapes) = (true, false),
            'e' => (self.literal, self.without_escapes) = (false, true),
            _ => return false,
        }
        true
    }
}

/// A compiled expression.
pub struct Regex {
    pattern: String,
    flags: Flags,
    /// For texts of ASCII, or any when it does not ask for borders of words.
    matcher: Matcher,
    has_word_borders: bool,
    /// For other texts; made when first needed.
    unicode: OnceCell<Matcher>,
    pub group_count: usize,
}

/// One match: the whole, then each group's range when it took part.
pub type Match = Vec<Option<Range<usize>>>;

/// How many compiled expressions a thread keeps.
const CACHED: usize = 64;

impl Regex {
    /// Compiles, or finds the expression compiled before. Error: 2201B.
    pub fn new(pattern: &str, flags: Flags) -> Result<Rc<Regex>> {
        thread_local! {
            static CACHE: RefCell<HashMap<(String, Flags), Rc<Regex>>> = RefCell::new(HashMap::new());
        }
        let flags = Flags { global: false, ..flags };
        let key = (pattern.to_owned(), flags);
        if let Some(found) = CACHE.with(|cache| cache.borrow().get(&key).cloned()) {
            return Ok(found);
        }
        let regex = Rc::new(Regex::compile(pattern, flags)?);
        CACHE.with(|cache| {
            let mut cache = cache.borrow_mut();
            if cache.len() >= CACHED {
                cache.clear();
            }
            cache.insert(key, Rc::clone(&regex));
        });
        Ok(regex)
    }

    fn compile(pattern: &str, flags: Flags) -> Result<Regex> {
        let parsed = parser::parse(pattern, flags, true)?;
        let (group_count, has_word_borders) = (parsed.group_count, parsed.has_word_borders);
        let matcher = Matcher::new(parsed.tree, parsed.ignore_case, group_count)?;
        Ok(Regex { pattern: pattern.to_owned(), flags, matcher, has_word_borders, unicode: OnceCell::new(), group_count })
    }

    fn matcher_for(&self, text: &str) -> Result<&Matcher> {
        if !self.has_word_borders || text.is_ascii() {
            return Ok(&self.matcher);
        }
        if let Some(matcher) = self.unicode.get() {
            return Ok(matcher);
        }
        let parsed = parser::parse(&self.pattern, self.flags, false)?;
        let matcher = Matcher::new(parsed.tree, parsed.ignore_case, parsed.group_count)?;
        Ok(self.unicode.get_or_init(|| matcher))
    }

    pub fn is_match(&self, text: &str) -> Result<bool> {
        self.matcher_for(text)?.is_match(text)
    }

    /// The first match that begins at this byte or after.
    pub fn find_from(&self, text: &str, start: usize) -> Result<Option<Match>> {
        self.matcher_for(text)?.find_from(text, start)
    }

    /// All matches from this byte on, in order and apart from each other. `for_split` leaves out empty ones at the ends of the text and
    /// right after a match.
    pub fn matches(&self, text: &str, start: usize, global: bool, for_split: bool, context: &EvalContext) -> Result<Vec<Match>> {
        let mut found = Vec::new();
        let mut growth = Growth::new(context);
        let mut search = start;
        let mut previous_end = 0;
        while let Some(one) = self.find_from(text, search)? {
            let whole = one[0].clone().unwrap_or(0..0);
            if !for_split || (whole.start < text.len() && whole.end > previous_end) {
                found.push(one);
                growth.check(found.len() * MATCH_BYTES)?;
            }
            previous_end = whole.end;
            if !global {
                break;
            }
            search = if whole.is_empty() { next_character(text, whole.end) } else { whole.end };
            if search > text.len() {
                break;
            }
        }
        Ok(found)
    }
}

/// The byte after the character at this one; past the end when there is none.
pub fn next_character(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(1, char::len_utf8)
}

/// 2201B with PostgreSQL's words for what is wrong.
fn invalid(reason: &str) -> Error {
    Error::new(SqlState::INVALID_REGULAR_EXPRESSION, format!("invalid regular expression: {reason}"))
}
