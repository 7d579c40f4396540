//! Definitions: CREATE, ALTER, DROP and their kin, one statement family a file.
//!
//! Every definition is transactional: it edits the transaction's private catalog and tables through `txn::Transaction::change_schema`.
//! A statement first takes the locks it needs, then looks again at the newest catalog, then changes it.

use std::sync::Arc;

use catalog::{
    Relation,
    type_names::{NamedRelation, Names},
};
use pg_query::{
    NodeEnum,
    protobuf::{Node, RangeVar},
};
use txn::LockMode;
use types::{Error, Oid, Result, SqlState};

use self::statement_name::statement_name;
use crate::session::{Outcome, Session, statement::Parameters};

mod alter_table;
mod alter_table_column;
mod comment;
mod composite_type;
mod create_index;
mod create_table;
mod create_table_as;
mod database;
mod domain;
mod drop;
mod foreign_key;
mod grant;
mod index_options;
pub(crate) mod index_shape;
mod key_constraint;
mod object_names;
mod owned;
mod ownership;
mod rename;
mod rename_text;
mod rewrite;
mod role;
mod schema;
mod sequence;
mod statement_name;
mod stored_settings;
mod temporary;
mod truncate;
mod type_users;
mod user_type;
mod view;
mod written_constraint;

impl Session {
    /// Runs a definition statement.
    pub(crate) async fn execute_definition(&mut self, node: &NodeEnum, arguments: &Parameters) -> Result<Outcome> {
        self.refuse_read_only(&statement_name(node))?;
        self.begin_statement()?;
        let done = match self.check_definition(node) {
            Ok(()) => self.dispatch_definition(node, arguments).await,
            Err(error) => Err(error),
        };
        self.end_statement();
        done
    }

    async fn dispatch_definition(&mut self, node: &NodeEnum, arguments: &Parameters) -> Result<Outcome> {
        match node {
            NodeEnum::CreateStmt(statement) => self.create_table(statement).await,
            NodeEnum::CreateTableAsStmt(statement) => self.create_table_as(statement, arguments).await,
            NodeEnum::SelectStmt(statement) => self.select_into(statement, arguments).await,
            NodeEnum::IndexStmt(statement) => self.create_index(statement).await,
            NodeEnum::AlterTableStmt(statement) => self.alter_table(statement).await,
            NodeEnum::DropStmt(statement) => self.drop_objects(statement).await,
            NodeEnum::RenameStmt(statement) => self.rename(statement).await,
            NodeEnum::AlterObjectSchemaStmt(statement) => self.set_schema(statement).await,
            NodeEnum::AlterOwnerStmt(statement) => self.set_owner(statement),
            NodeEnum::CreateSchemaStmt(statement) => self.create_schema(statement).await,
            NodeEnum::CreateSeqStmt(statement) => self.create_sequence(statement).await,
            NodeEnum::AlterSeqStmt(statement) => self.alter_sequence(statement).await,
            NodeEnum::ViewStmt(statement) => self.create_view(statement).await,
            NodeEnum::RefreshMatViewStmt(statement) => self.refresh_materialized_view(statement).await,
            NodeEnum::CreateEnumStmt(statement) => self.create_enum(statement),
            NodeEnum::AlterEnumStmt(statement) => self.alter_enum(statement),
            NodeEnum::CreateDomainStmt(statement) => self.create_domain(statement),
            NodeEnum::AlterDomainStmt(statement) => self.alter_domain(statement).await,
            NodeEnum::CompositeTypeStmt(statement) => self.create_composite_type(statement),
            NodeEnum::TruncateStmt(statement) => self.truncate(statement).await,
            NodeEnum::CommentStmt(statement) => self.comment(statement),
            NodeEnum::CreatedbStmt(statement) => self.create_database(statement),
            NodeEnum::DropdbStmt(statement) => self.drop_database(statement),
            NodeEnum::CreateRoleStmt(statement) => self.create_role(statement),
            NodeEnum::AlterRoleStmt(statement) => self.alter_role(statement),
            NodeEnum::AlterRoleSetStmt(statement) => self.alter_role_settings(statement),
            NodeEnum::DropRoleStmt(statement) => self.drop_roles(statement),
            NodeEnum::GrantRoleStmt(statement) => self.grant_role(statement),
            NodeEnum::GrantStmt(statement) => self.grant(statement),
            NodeEnum::AlterDefaultPrivilegesStmt(statement) => self.alter_default_privileges(statement),
            NodeEnum::ReassignOwnedStmt(statement) => self.reassign_owned(statement),
            NodeEnum::DropOwnedStmt(statement) => self.drop_owned(statement).await,
            NodeEnum::AlterDatabaseStmt(statement) => self.alter_database(statement),
            NodeEnum::AlterDatabaseSetStmt(statement) => self.alter_database_settings(statement),
            NodeEnum::AlterDatabaseRefreshCollStmt(statement) => self.refresh_collation_version(statement),
            other => Err(Error::unsupported(&*statement_name(other))),
        }
    }

    /// The table (or other relation) a statement names, locked, as the newest catalog has it.
    pub(crate) async fn locked_relation(&mut self, range: &RangeVar, mode: LockMode) -> Result<Arc<Relation>> {
        let found = relation_named(&*self.names()?, range)?;
        self.lock_relation(found.oid, mode, false).await?;
        self.begin_statement()?;
        relation_named(&*self.names()?, range)
    }
}

/// The user's relation a name means.
///
/// Errors: 42P01, 3F000, 42501 for system relations, 0A000 for another database's.
pub(crate) fn relation_named(names: &Names, range: &RangeVar) -> Result<Arc<Relation>> {
    match find_relation(names, range)? {
        Some(relation) => Ok(relation),
        None => {
            let written = written_name(range);
            Err(Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{written}\" does not exist"))
                .at(position(range.location)))
        }
    }
}

/// Like [`relation_named`], but None when there is none of this name.
pub(crate) fn find_relation(names: &Names, range: &RangeVar) -> Result<Option<Arc<Relation>>> {
    let schema = (!range.schemaname.is_empty()).then_some(range.schemaname.as_str());
    if !range.catalogname.is_empty() && range.catalogname != names.cluster.current_database {
        return Err(Error::unsupported(format!(
            "cross-database references are not implemented: \"{}.{}.{}\"",
            range.catalogname, range.schemaname, range.relname
        )));
    }
    match names.relation_by_name(schema, &range.relname) {
        Some(NamedRelation::User(relation)) => Ok(Some(relation)),
        Some(NamedRelation::System(relation)) => Err(Error::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied: \"{}\" is a system catalog", relation.name),
        )),
        None => Ok(None),
    }
}

/// A name as the user wrote it.
pub(crate) fn written_name(range: &RangeVar) -> String {
    if range.schemaname.is_empty() { range.relname.clone() } else { format!("{}.{}", range.schemaname, range.relname) }
}

/// libpg_query's byte location (-1: none) as an error position.
pub(crate) fn position(location: i32) -> Option<usize> {
    usize::try_from(location).ok().map(|offset| offset + 1)
}

/// The strings of a list of String nodes.
pub(crate) fn strings(nodes: &[Node]) -> Vec<String> {
    nodes
        .iter()
        .filter_map(|node| match &node.node {
            Some(NodeEnum::String(text)) => Some(text.sval.clone()),
            _ => None,
        })
        .collect()
}

/// A possibly qualified name given as a list of strings, as a range.
pub(crate) fn range_of(parts: &[String]) -> RangeVar {
    let (schema, name) = match parts {
        [name] => (String::new(), name.clone()),
        [.., schema, name] => (schema.clone(), name.clone()),
        [] => (String::new(), String::new()),
    };
    RangeVar { schemaname: schema, relname: name, location: -1, ..RangeVar::default() }
}

/// The oid a new object gets comes from the private catalog; this is where a table's row type is registered with its array.
pub(super) fn register_row_type(
    catalog: &mut catalog::Catalog,
    relation: Oid,
    schema: Oid,
    name: &str,
    owner: Oid,
) -> (Oid, Oid) {
    use catalog::{UserType, UserTypeKind};
    object_names::move_array_type(catalog, schema, name);
    let row = catalog.allocate_oid();
    let array = catalog.allocate_oid();
    let element = types::SqlType::of(row);
    let array_name = object_names::array_type_name(catalog, schema, name);
    let ty =
        |oid, name: &str, kind, array_type| UserType { oid, schema, name: name.into(), owner, kind, array_type, comment: None };
    catalog.put_type(ty(row, name, UserTypeKind::Composite { relation }, array));
    catalog.put_type(ty(array, &array_name, UserTypeKind::Array { element }, Oid::INVALID));
    (row, array)
}
