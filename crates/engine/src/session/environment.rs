//! What binding and evaluation see of the session: names under its search path, and the evaluation context.

use std::sync::Arc;

use catalog::{AclTarget, Catalog, Privileges, type_names::Names};
use expr::{EvalContext, Vector, context::SubplanRunner, expression::Subquery};
use types::{Datum, Error, Oid, Result};

use super::{Session, identity::IdentityKey};
use crate::{access::Authority, clock, system_catalog::WireType};

/// The names of the last statement, kept while neither catalog nor search path changes.
#[derive(Default)]
pub(crate) struct NamesCache {
    search_path_text: Arc<str>,
    /// Whose rights decide which schemas are searched.
    identity: IdentityKey,
    cached: Option<Arc<Names>>,
}

/// Names for the current statement. The session has an open transaction.
pub(crate) fn names(session: &mut Session) -> Result<Arc<Names>> {
    let open = session.transaction.as_ref().expect("names are asked for within a transaction");
    let catalog = open.txn.catalog();
    let identity = session.shared.identity_key();
    let settings = session.shared.settings.lock();
    let text = &settings.every_statement().search_path;
    if let Some(cached) = &session.names.cached
        && cached.catalog.version() == catalog.version()
        && session.names.search_path_text == *text
        && session.names.identity == identity
    {
        return Ok(cached.clone());
    }
    let (path, text) = (settings.search_path(), text.clone());
    drop(settings);
    let (role, roles) = (session.shared.current_role(), session.shared.roles());
    let mut path = search_path_oids(&path, &catalog, &role.name, session.shared.pid);
    if !role.superuser {
        let authority = Authority::new(roles.clone(), catalog.clone(), session.database.oid, role.oid);
        path.retain(|schema| authority.privileges(AclTarget::Schema(*schema)).has(Privileges::USAGE));
    }
    let names = Arc::new(session.hooks.complete_names(Names::new(catalog, path)));
    session.names.identity = identity;
    session.names.search_path_text = text;
    session.names.cached = Some(names.clone());
    Ok(names)
}

/// Types of columns as clients are told them, by the catalog of the statement last bound.
pub(crate) fn wire_types(session: &Session, columns: &[plan::OutputColumn]) -> Vec<WireType> {
    match &session.names.cached {
        Some(names) => columns.iter().map(|column| WireType::of(column.ty, names)).collect(),
        None => {
            let names = Names::new(session.database.store.catalog(), Vec::new());
            columns.iter().map(|column| WireType::of(column.ty, &names)).collect()
        }
    }
}

/// The schemas of a search path that exist, `"$user"` replaced; the session's temporary schema comes first unless the path places it.
pub(crate) fn search_path_oids(path: &[String], catalog: &Catalog, user: &str, backend_pid: i32) -> Vec<Oid> {
    let temporary = catalog.schema_named(&format!("pg_temp_{backend_pid}")).map(|schema| schema.oid);
    let implicit = temporary.filter(|_| !path.iter().any(|name| name == "pg_temp"));
    let listed = path.iter().filter_map(|name| match name.as_str() {
        "$user" => catalog.schema_named(user).map(|schema| schema.oid),
        "pg_temp" => temporary,
        name => catalog.schema_named(name).map(|schema| schema.oid),
    });
    implicit.into_iter().chain(listed).collect()
}

impl Session {
    /// What binding depends on.
    pub(crate) fn environment(&mut self, names: Arc<Names>) -> Result<binder::Environment> {
        let format = self.open_transaction()?.format.clone();
        Ok(binder::Environment::new(names, format))
    }

    /// How values read and print now: for the encoders and decoders of the wire.
    pub fn formats(&mut self) -> Result<(Arc<types::FormatSettings>, Arc<dyn types::text_format::TypeResolver + Send + Sync>)> {
        self.open_transaction()?;
        let names = names(self)?;
        let format = self.open_transaction()?.format.clone();
        Ok((format, names))
    }
}

/// The context in which the current statement's expressions run. The session has an open transaction.
pub(crate) fn eval_context(session: &mut Session, parameters: Arc<[Datum]>) -> Result<EvalContext> {
    let names = names(session)?;
    let open = session.transaction.as_ref().expect("statements run within a transaction");
    Ok(EvalContext {
        parameters,
        outer: Vec::new(),
        format: open.format.clone(),
        catalog: names.catalog.clone(),
        resolver: names,
        session: session.hooks.clone(),
        subplans: Arc::new(NoSubplans),
        statement_start: clock::now(),
        cancellation: session.shared.cancellation.clone(),
    })
}

/// Stands where expressions without subqueries run: defaults, settings, index expressions.
pub(crate) struct NoSubplans;

impl SubplanRunner for NoSubplans {
    fn run(&self, _subquery: &Subquery, _left: &[Datum], _context: &EvalContext) -> Result<Datum> {
        Err(Error::internal("a subquery where none is allowed"))
    }

    fn run_batch(&self, _subquery: &Subquery, _left: &[Vector], _len: usize, _context: &EvalContext) -> Result<Vector> {
        Err(Error::internal("a subquery where none is allowed"))
    }
}
