//! JSON documents: the parsed form behind `jsonb`, and reading `json` text in place.
//!
//! A [`Jsonb`] is a shared tree: taking a sub-value costs a reference count. Numbers are exact, keys are ordered as PostgreSQL
//! orders them (shorter first, then by bytes) and unique. `json` values stay text; `json::text` reads them without a tree.
//!
//! **Invariant.** Parsed documents nest at most [`MAX_DEPTH`] deep, and everything that walks or drops a tree grows its
//! stack as it goes, so that no document overflows it.

mod access;
mod compare;
mod lexer;
mod modify;
mod print;
mod reader;
pub mod text;

use std::{ops::Deref, sync::Arc};

use crate::{Error, Numeric, Result, SqlState};

pub use access::parse_path_index;
pub use modify::InsertPosition;
pub use print::quote_json_string;
pub use reader::{Event, Reader, validate};

/// The deepest nesting that is read; PostgreSQL's own limit follows from `max_stack_depth`.
pub const MAX_DEPTH: usize = 9_999;
/// The longest string or key in bytes.
const MAX_STRING_BYTES: usize = 0x0FFF_FFFF;

/// A parsed `jsonb` value.
#[derive(Clone, Debug, Default)]
pub enum Jsonb {
    #[default]
    Null,
    Bool(bool),
    Number(Numeric),
    String(Arc<str>),
    Array(Shared<Jsonb>),
    /// Ordered by key as PostgreSQL orders them, without duplicates: build it with [`Jsonb::object`].
    Object(Shared<Member>),
}

/// A key of an object with its value.
pub type Member = (Arc<str>, Jsonb);

/// The elements of an array or the members of an object, shared between all values that contain them.
#[derive(Debug)]
pub struct Shared<T>(Arc<[T]>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        Shared(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> From<Vec<T>> for Shared<T> {
    fn from(items: Vec<T>) -> Shared<T> {
        Shared(Arc::from(items))
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // The last owner drops what is inside, which may nest deep.
        if !self.0.is_empty() && Arc::strong_count(&self.0) == 1 {
            let items = std::mem::take(&mut self.0);
            deep(|| drop(items));
        }
    }
}

/// Runs one level of a recursion over a document on a stack that grows when little is left of it.
fn deep<R>(level: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(64 * 1024, 1024 * 1024, level)
}

/// What a JSON value is, as `jsonb_typeof` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl JsonKind {
    pub fn name(self) -> &'static str {
        match self {
            JsonKind::Null => "null",
            JsonKind::Boolean => "boolean",
            JsonKind::Number => "number",
            JsonKind::String => "string",
            JsonKind::Array => "array",
            JsonKind::Object => "object",
        }
    }
}

impl Jsonb {
    pub fn string(text: &str) -> Jsonb {
        Jsonb::String(Arc::from(text))
    }

    pub fn array(elements: Vec<Jsonb>) -> Jsonb {
        Jsonb::Array(elements.into())
    }

    /// An object: members are brought into order, and of equal keys the last wins.
    pub fn object(mut members: Vec<Member>) -> Jsonb {
        // The sort is stable: of equal keys, the one that came last is last.
        members.sort_by(|(left, _), (right, _)| compare::compare_keys(left, right));
        let mut unique: Vec<Member> = Vec::with_capacity(members.len());
        for member in members {
            match unique.last_mut() {
                Some(last) if last.0 == member.0 => *last = member,
                _ => unique.push(member),
            }
        }
        Jsonb::Object(unique.into())
    }

    /// Reads a document. Errors: 22P02, 22P05, 22003, 54000, 54001.
    pub fn parse(text: &str) -> Result<Jsonb> {
        reader::parse_jsonb(text)
    }

    pub fn kind(&self) -> JsonKind {
        match self {
            Jsonb::Null => JsonKind::Null,
            Jsonb::Bool(_) => JsonKind::Boolean,
            Jsonb::Number(_) => JsonKind::Number,
            Jsonb::String(_) => JsonKind::String,
            Jsonb::Array(_) => JsonKind::Array,
            Jsonb::Object(_) => JsonKind::Object,
        }
    }

    pub fn is_scalar(&self) -> bool {
        !matches!(self, Jsonb::Array(_) | Jsonb::Object(_))
    }

    /// Bytes held outside the value itself.
    pub fn heap_size(&self) -> usize {
        deep(|| match self {
            Jsonb::Null | Jsonb::Bool(_) => 0,
            Jsonb::Number(number) => number.heap_size(),
            Jsonb::String(text) => text.len() + 16,
            Jsonb::Array(elements) => elements.iter().map(|element| 24 + element.heap_size()).sum::<usize>() + 16,
            Jsonb::Object(members) => members.iter().map(|(key, value)| 56 + key.len() + value.heap_size()).sum::<usize>() + 16,
        })
    }
}

/// 54001, with the words that clients know it by.
pub(crate) fn stack_depth_exceeded() -> Error {
    Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").hint(
        "Increase the configuration parameter \"max_stack_depth\" (currently 2048kB), after ensuring the platform's stack \
         depth limit is adequate.",
    )
}

#[cfg(test)]
mod tests;
