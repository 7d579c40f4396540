//! CREATE SCHEMA, and in which schema a new object goes.

use std::sync::Arc;

use catalog::{Persistence, Schema};
use pg_query::{
    NodeEnum,
    protobuf::{CreateSchemaStmt, RangeVar, RoleSpec, RoleSpecType},
};
use types::{Error, Oid, Result, SqlState};

use super::position;
use crate::session::{Outcome, Session, utility::command};

impl Session {
    pub(crate) async fn create_schema(&mut self, statement: &CreateSchemaStmt) -> Result<Outcome> {
        let name = match statement.schemaname.as_str() {
            "" => role_name(self, statement.authrole.as_ref()),
            name => name.to_owned(),
        };
        if name.starts_with("pg_") {
            return Err(Error::new(SqlState::RESERVED_NAME, format!("unacceptable schema name \"{name}\""))
                .detail("The prefix \"pg_\" is reserved for system schemas."));
        }
        let names = self.names()?;
        if names.catalog.schema_named(&name).is_some() {
            if statement.if_not_exists {
                self.skipped(SqlState::DUPLICATE_SCHEMA, format!("schema \"{name}\" already exists, skipping"));
                return Ok(command("CREATE SCHEMA"));
            }
            return Err(Error::new(SqlState::DUPLICATE_SCHEMA, format!("schema \"{name}\" already exists")));
        }
        let owner = match &statement.authrole {
            Some(role) => self.role_oid(Some(role))?,
            None => self.current_role().oid,
        };
        self.open_transaction()?.txn.change_schema(|change| {
            let oid = change.catalog.allocate_oid();
            change.catalog.put_schema(Schema { oid, name: name.as_str().into(), owner, comment: None });
            Ok(())
        })?;
        for element in &statement.schema_elts {
            let mut element = element.clone();
            if let Some(node) = &mut element.node {
                place_in_schema(node, &name)?;
            }
            Box::pin(self.execute_node(&element, "", Arc::from([]))).await?;
        }
        Ok(command("CREATE SCHEMA"))
    }

    /// Where a new relation goes: the schema it names, or the first of the search path; temporary ones go to the session's own.
    ///
    /// Errors: 3F000, 42P16 for a temporary one in a named schema.
    pub(crate) async fn creation_schema(&mut self, range: &RangeVar) -> Result<(Oid, Persistence)> {
        let names = self.names()?;
        let is_temporary = range.relpersistence == "t" || range.schemaname == "pg_temp";
        if is_temporary {
            if !range.schemaname.is_empty() && !range.schemaname.starts_with("pg_temp") {
                return Err(Error::new(
                    SqlState::INVALID_TABLE_DEFINITION,
                    "cannot create temporary relation in non-temporary schema",
                )
                .at(position(range.location)));
            }
            return Ok((self.temporary_schema()?, Persistence::Temporary));
        }
        let persistence = if range.relpersistence == "u" { Persistence::Unlogged } else { Persistence::Permanent };
        if range.schemaname.is_empty() {
            let first = names.search_path.iter().copied().find(|&schema| !self.is_temporary_schema(schema));
            let schema = first.ok_or_else(|| {
                Error::new(SqlState::UNDEFINED_SCHEMA, "no schema has been selected to create in").at(position(range.location))
            })?;
            return Ok((schema, persistence));
        }
        let schema = names.schema(&range.schemaname).map_err(|error| error.at(position(range.location)))?;
        if matches!(schema, Oid::PG_CATALOG_NAMESPACE) {
            return Err(Error::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied to create \"{}.{}\"", range.schemaname, range.relname),
            )
            .detail("System catalog modifications are currently disallowed."));
        }
        Ok((schema, persistence))
    }

    /// The schema for a new type or other object of this possibly qualified name, and its bare name.
    pub(crate) fn creation_schema_of(&mut self, parts: &[String]) -> Result<(Oid, String)> {
        let names = self.names()?;
        match parts {
            [name] => {
                let first = names.search_path.iter().copied().find(|&schema| !self.is_temporary_schema(schema));
                let schema =
                    first.ok_or_else(|| Error::new(SqlState::UNDEFINED_SCHEMA, "no schema has been selected to create in"))?;
                Ok((schema, name.clone()))
            }
            [.., schema, name] => Ok((names.schema(schema)?, name.clone())),
            [] => Err(Error::internal("an object without a name")),
        }
    }
}

fn role_name(session: &Session, role: Option<&RoleSpec>) -> String {
    match role {
        Some(role) if RoleSpecType::try_from(role.roletype) == Ok(RoleSpecType::RolespecCstring) => role.rolename.clone(),
        _ => session.current_role().name.to_string(),
    }
}

/// Elements of CREATE SCHEMA are made in it.
fn place_in_schema(node: &mut NodeEnum, schema: &str) -> Result<()> {
    let range = match node {
        NodeEnum::CreateStmt(statement) => statement.relation.as_mut(),
        NodeEnum::ViewStmt(statement) => statement.view.as_mut(),
        NodeEnum::IndexStmt(statement) => statement.relation.as_mut(),
        NodeEnum::CreateSeqStmt(statement) => statement.sequence.as_mut(),
        _ => return Err(Error::unsupported("this kind of element of CREATE SCHEMA")),
    };
    if let Some(range) = range {
        if !range.schemaname.is_empty() && range.schemaname != schema {
            return Err(Error::new(
                SqlState::INVALID_SCHEMA_DEFINITION,
                format!("CREATE specifies a schema ({}) different from the one being created ({schema})", range.schemaname),
            ));
        }
        schema.clone_into(&mut range.schemaname);
    }
    Ok(())
}
