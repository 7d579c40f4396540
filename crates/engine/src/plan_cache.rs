//! Plans kept by statement text, shared between the sessions of a database.

use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;
use types::Oid;

use crate::{memory::Cache, session::query::Planned};

/// What a plan depends on besides its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PlanKey {
    pub text: Arc<str>,
    pub search_path: Arc<[Oid]>,
    /// Parameter types given by the client; zero where it left them open.
    pub parameter_hints: Vec<Oid>,
}

/// At most this many plans a database; the cache starts anew when full, which costs one planning each.
const CAPACITY: usize = 2048;
/// And of this many bytes of text together; a plan takes some fifty times its text.
const CAPACITY_BYTES: usize = 1024 * 1024;
/// Longer texts are not expected to come again.
const LONG_TEXT: usize = 32 * 1024;

/// Plans by text. A plan whose catalog version is not the current one is replaced when next asked for.
#[derive(Default)]
pub(crate) struct PlanCache(Mutex<Plans>);

#[derive(Default)]
struct Plans {
    by_key: HashMap<PlanKey, Arc<Planned>>,
    text_bytes: usize,
}

impl PlanCache {
    /// The plan for this key, if it was made for this catalog.
    pub(crate) fn get(&self, key: &PlanKey, catalog_version: u64) -> Option<Arc<Planned>> {
        self.0.lock().by_key.get(key).filter(|plan| plan.catalog_version == catalog_version).cloned()
    }

    pub(crate) fn put(&self, key: PlanKey, plan: Arc<Planned>) {
        if key.text.len() > LONG_TEXT {
            return;
        }
        let mut plans = self.0.lock();
        if plans.by_key.len() >= CAPACITY || plans.text_bytes + key.text.len() > CAPACITY_BYTES {
            *plans = Plans::default();
        }
        let bytes = key.text.len();
        if plans.by_key.insert(key, plan).is_none() {
            plans.text_bytes += bytes;
        }
    }
}

impl Cache for PlanCache {
    fn forget(&self) {
        *self.0.lock() = Plans::default();
    }
}
