//! Plans kept by statement text, shared between the sessions of a database.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use types::Oid;

use crate::session::query::Planned;

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

/// Plans by text. A plan whose catalog version is not the current one is replaced when next asked for.
#[derive(Default)]
pub(crate) struct PlanCache(Mutex<HashMap<PlanKey, Arc<Planned>>>);

impl PlanCache {
    /// The plan for this key, if it was made for this catalog.
    pub(crate) fn get(&self, key: &PlanKey, catalog_version: u64) -> Option<Arc<Planned>> {
        self.0.lock().get(key).filter(|plan| plan.catalog_version == catalog_version).cloned()
    }

    pub(crate) fn put(&self, key: PlanKey, plan: Arc<Planned>) {
        let mut plans = self.0.lock();
        if plans.len() >= CAPACITY {
            plans.clear();
        }
        plans.insert(key, plan);
    }
}
