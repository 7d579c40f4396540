//! Parse trees and plans of the statements that are sent again and again with other values in their text, by their shape.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use binder::parse::ParsedStatement;
use parking_lot::Mutex;

use crate::{memory::Cache, session::query::Planned, statement_text::StatementName};

/// One shape of statement.
pub(crate) struct KeptShape {
    /// The shape's text.
    pub text: Arc<str>,
    /// What statistics know it by: without the literals that the shape keeps, too.
    pub name: StatementName,
    /// None when statements of this shape must be parsed one by one.
    pub statement: Option<Arc<ParsedStatement>>,
    pub planned: Mutex<Option<Arc<Planned>>>,
}

/// At most this many shapes a database; the cache starts anew when full.
const CAPACITY: usize = 1024;
/// And of this many bytes of text together; a parse tree and a plan take some hundred times their text.
const CAPACITY_BYTES: usize = 512 * 1024;
/// Longer texts are parsed each time.
const LONG_TEXT: usize = 32 * 1024;
/// How many shapes seen once are remembered, by their hash.
const SEEN: usize = 4096;

/// Shapes by their key. Only what comes twice is kept, so that texts that never come again cost a hash and no memory.
#[derive(Default)]
pub(crate) struct ShapeCache {
    kept: Mutex<Kept>,
    seen: Mutex<Vec<u64>>,
    hasher: RandomState,
}

#[derive(Default)]
struct Kept {
    by_key: HashMap<Box<str>, Arc<KeptShape>>,
    text_bytes: usize,
}

impl ShapeCache {
    pub(crate) fn get(&self, key: &str) -> Option<Arc<KeptShape>> {
        self.kept.lock().by_key.get(key).cloned()
    }

    /// Whether the shape has come before; remembers that it has come.
    pub(crate) fn has_come_before(&self, key: &str) -> bool {
        if key.len() > LONG_TEXT {
            return false;
        }
        let hash = self.hasher.hash_one(key).max(1);
        let mut seen = self.seen.lock();
        if seen.is_empty() {
            seen.resize(SEEN, 0);
        }
        let place = &mut seen[hash as usize % SEEN];
        std::mem::replace(place, hash) == hash
    }

    pub(crate) fn put(&self, key: &str, shape: Arc<KeptShape>) {
        let mut kept = self.kept.lock();
        if kept.by_key.len() >= CAPACITY || kept.text_bytes + key.len() > CAPACITY_BYTES {
            *kept = Kept::default();
        }
        if kept.by_key.insert(key.into(), shape).is_none() {
            kept.text_bytes += key.len();
        }
    }
}

impl Cache for ShapeCache {
    fn forget(&self) {
        *self.kept.lock() = Kept::default();
    }
}
