//! Computing constant expressions once, while compiling: outside any session.

use std::sync::{Arc, LazyLock};

use catalog::Catalog;
use types::{Datum, EnumLabel, Error, FormatSettings, Oid, Result, SqlType, TimestampTz, text_format::TypeResolver};

use super::Evaluate;
use crate::{
    Batch, EvalContext, Vector,
    context::{NoticeLevel, SessionHooks, SubplanRunner},
    expression::Subquery,
};

/// The value of a node over constants, or None when it fails: it is then left to fail when it runs.
pub(super) fn fold(node: &dyn Evaluate) -> Option<Datum> {
    match node.evaluate(&Batch::unit(), &CONTEXT) {
        Ok(vector) => Some(vector.datum(0)),
        Err(_) => None,
    }
}

/// A copy of the context that constants are folded in.
#[cfg(test)]
pub(crate) fn context() -> EvalContext {
    CONTEXT.clone()
}

/// A context in which only immutable functions can run: there is no session, and asking one is an error.
pub(crate) static CONTEXT: LazyLock<EvalContext> = LazyLock::new(|| EvalContext {
    parameters: Arc::new([]),
    outer: Vec::new(),
    format: Arc::new(FormatSettings::default()),
    catalog: Arc::new(Catalog::new()),
    resolver: Arc::new(Nobody),
    session: Arc::new(Nobody),
    subplans: Arc::new(Nobody),
    statement_start: TimestampTz(0),
    cancellation: Arc::default(),
});

/// Answers for a session that does not exist.
struct Nobody;

fn absent() -> Error {
    Error::internal("a session was asked for while folding constants")
}

impl TypeResolver for Nobody {
    fn array_element(&self, oid: Oid) -> Option<SqlType> {
        let ty = catalog::builtin::builtins().type_by_oid(oid)?;
        (ty.category == 'A' && ty.element != Oid::INVALID).then(|| SqlType::of(ty.element))
    }

    fn enum_label(&self, _oid: Oid, _label: &str) -> Option<Result<Arc<EnumLabel>>> {
        None
    }

    fn composite_fields(&self, _oid: Oid) -> Option<(Arc<[Arc<str>]>, Arc<[SqlType]>)> {
        None
    }

    fn reg_object(&self, _reg_type: Oid, _name: &str) -> Result<Oid> {
        Err(absent())
    }

    fn reg_name(&self, _reg_type: Oid, _oid: Oid) -> Option<String> {
        None
    }

    fn type_name(&self, ty: SqlType) -> String {
        catalog::builtin::builtins().type_by_oid(ty.oid).map_or_else(|| ty.oid.to_string(), |ty| ty.name.to_owned())
    }
}

impl SubplanRunner for Nobody {
    fn run(&self, _subquery: &Subquery, _left: &[Datum], _context: &EvalContext) -> Result<Datum> {
        Err(absent())
    }

    fn run_batch(&self, _subquery: &Subquery, _left: &[Vector], _len: usize, _context: &EvalContext) -> Result<Vector> {
        Err(absent())
    }
}

impl SessionHooks for Nobody {
    /// Large values are not for plans to keep: they are left to be made when the statement runs.
    fn check_memory(&self, _bytes: usize) -> Result<()> {
        Err(absent())
    }

    fn current_user(&self) -> Arc<str> {
        "".into()
    }

    fn session_user(&self) -> Arc<str> {
        "".into()
    }

    fn current_database(&self) -> Arc<str> {
        "".into()
    }

    fn search_path(&self, _include_implicit: bool) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn backend_pid(&self) -> i32 {
        0
    }

    fn next_value(&self, _sequence: Oid) -> Result<i64> {
        Err(absent())
    }

    fn current_value(&self, _sequence: Oid) -> Result<i64> {
        Err(absent())
    }

    fn last_value(&self) -> Result<i64> {
        Err(absent())
    }

    fn set_value(&self, _sequence: Oid, _value: i64, _is_called: bool) -> Result<()> {
        Err(absent())
    }

    fn setting(&self, _name: &str, _missing_ok: bool) -> Result<Option<String>> {
        Err(absent())
    }

    fn set_setting(&self, _name: &str, _value: &str, _local: bool) -> Result<String> {
        Err(absent())
    }

    fn notice(&self, _level: NoticeLevel, _notice: Error) {}

    fn random(&self) -> f64 {
        0.0
    }

    fn set_seed(&self, _seed: f64) {}

    fn engine_function(&self, _source: &str, _arguments: &[Datum], _context: &EvalContext) -> Option<Result<Datum>> {
        None
    }

    fn clock_timestamp(&self) -> TimestampTz {
        TimestampTz(0)
    }
}
