//! The door: one statement bound to a query.

use pg_query::protobuf::{Node, node::Node as Ast};
use plan::{Bound, Query, statement::Command};
use types::{Error, Result};

use crate::{
    Environment, ast,
    state::{Binder, Level},
    subquery::BoundQuery,
};

/// Binds a SELECT, INSERT, UPDATE or DELETE.
pub(crate) fn bind(node: &Node, environment: &Environment) -> Result<Bound> {
    crate::deep::roomy(crate::deep::is_deep(node), || bind_statement(node, environment))
}

fn bind_statement(node: &Node, environment: &Environment) -> Result<Bound> {
    let mut binder = Binder::new(environment);
    binder.levels.push(Level::new());
    let (bound, command) = match ast::content(node)? {
        Ast::SelectStmt(select) => (binder.bind_select_statement(select)?, Command::Select),
        Ast::InsertStmt(_) => (binder.bind_modification(node)?, Command::Insert),
        Ast::UpdateStmt(_) => (binder.bind_modification(node)?, Command::Update),
        Ast::DeleteStmt(_) => (binder.bind_modification(node)?, Command::Delete),
        Ast::MergeStmt(_) => return Err(Error::unsupported("MERGE")),
        _ => return Err(Error::internal("only queries and data-modifying statements are bound")),
    };
    let BoundQuery { mut plan, output, .. } = bound;
    let ctes = binder.settle_ctes(&mut plan);
    let parameters = binder.parameters.types()?;
    Ok(Bound {
        query: Query { root: plan, output, subplans: binder.subplans, ctes, command, next_column: binder.columns.len() as u32 },
        parameters,
        cacheable: binder.cacheable,
        access: binder.access,
    })
}

impl Binder<'_> {
    /// INSERT, UPDATE or DELETE in the innermost level.
    pub(crate) fn bind_modification(&mut self, node: &Node) -> Result<BoundQuery> {
        match ast::content(node)? {
            Ast::InsertStmt(insert) => self.bind_insert(insert),
            Ast::UpdateStmt(update) => self.bind_update(update),
            Ast::DeleteStmt(delete) => self.bind_delete(delete),
            Ast::MergeStmt(_) => Err(Error::unsupported("MERGE")),
            _ => Err(Error::internal("not a data-modifying statement")),
        }
    }
}
