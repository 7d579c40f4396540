//! Parse trees and plans of the statements that are sent again and again with other values in their text, by their shape.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use binder::parse::ParsedStatement;
use parking_lot::Mutex;

use crate::{session::query::Planned, statement_text::StatementName};

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
/// How many shapes seen once are remembered, by their hash.
const SEEN: usize = 4096;

/// Shapes by their key. Only what comes twice is kept, so that texts that never come again cost a hash and no memory.
#[derive(Default)]
pub(crate) struct ShapeCache {
    kept: Mutex<HashMap<Box<str>, Arc<KeptShape>>>,
    seen: Mutex<Vec<u64>>,
    hasher: RandomState,
}

impl ShapeCache {
    pub(crate) fn get(&self, key: &str) -> Option<Arc<KeptShape>> {
        self.kept.lock().get(key).cloned()
    }

    /// Whether the shape has come before; remembers that it has come.
    pub(crate) fn has_come_before(&self, key: &str) -> bool {
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
        if kept.len() >= CAPACITY {
            kept.clear();
        }
        kept.insert(key.into(), shape);
    }
}
