//! ALTER ... RENAME, ALTER ... SET SCHEMA, ALTER ... OWNER TO.

use std::sync::Arc;

use catalog::{AclTarget, Relation, RelationKind, Schema, UserType, UserTypeKind};
use pg_query::{
    NodeEnum,
    protobuf::{AlterObjectSchemaStmt, AlterOwnerStmt, ObjectType, RenameStmt, RoleSpec},
};
use txn::LockMode;
use types::{Error, Oid, Result, SqlState};

use super::{
    alter_table::constraint_position, alter_table_column::live_position, find_relation, object_names, statement_name::kind_word,
    strings, written_name,
};
use crate::session::{Outcome, Session, utility::command};

impl Session {
    pub(crate) async fn rename(&mut self, statement: &RenameStmt) -> Result<Outcome> {
        let kind = ObjectType::try_from(statement.rename_type).unwrap_or(ObjectType::Undefined);
        match kind {
            ObjectType::ObjectRole => return self.rename_role(&statement.subname, &statement.newname),
            ObjectType::ObjectSchema => return self.rename_schema(&statement.subname, &statement.newname),
            ObjectType::ObjectDatabase => {
                self.refuse_in_block("ALTER DATABASE RENAME")?;
                self.cluster.rename_database(&statement.subname, &statement.newname, &self.database.name)?;
                return Ok(command("ALTER DATABASE"));
            }
            ObjectType::ObjectType | ObjectType::ObjectDomain => return self.rename_type(statement, kind),
            ObjectType::ObjectDomconstraint => {
                let Some(NodeEnum::List(list)) = statement.object.as_deref().and_then(|node| node.node.as_ref()) else {
                    return Err(Error::internal("RENAME CONSTRAINT without a domain"));
                };
                return self.rename_domain_constraint(&strings(&list.items), &statement.subname, &statement.newname);
            }
            ObjectType::ObjectTable
            | ObjectType::ObjectView
            | ObjectType::ObjectMatview
            | ObjectType::ObjectIndex
            | ObjectType::ObjectSequence
            | ObjectType::ObjectColumn
            | ObjectType::ObjectAttribute
            | ObjectType::ObjectTabconstraint => {}
            _ => return Err(Error::unsupported(format!("ALTER {} ... RENAME", kind_word(kind).to_uppercase()))),
        }
        let range = statement.relation.as_ref().ok_or_else(|| Error::internal("RENAME without a relation"))?;
        // Only the parts of relations say what they are parts of.
        let is_part = matches!(kind, ObjectType::ObjectColumn | ObjectType::ObjectTabconstraint);
        let of_relation = ObjectType::try_from(statement.relation_type).unwrap_or(kind);
        let tag = relation_tag(if is_part { of_relation } else { kind }, kind);
        if statement.missing_ok && find_relation(&*self.names()?, range)?.is_none() {
            self.notice(format!("relation \"{}\" does not exist, skipping", written_name(range)));
            return Ok(command(tag));
        }
        let relation = self.locked_relation(range, LockMode::AccessExclusive).await.map_err(|mut error| {
            // PostgreSQL looks the relation up only after the statement has been analysed.
            error.fields_mut().position = None;
            error
        })?;
        match kind {
            ObjectType::ObjectColumn => self.rename_column(&relation, &statement.subname, &statement.newname)?,
            ObjectType::ObjectAttribute if !matches!(relation.kind, RelationKind::Composite) => {
                let message = format!("\"{}\" is not a composite type", relation.name);
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
            ObjectType::ObjectAttribute => self.rename_attribute(&relation, &statement.subname, &statement.newname)?,
            ObjectType::ObjectTabconstraint => self.rename_constraint(&relation, &statement.subname, &statement.newname)?,
            _ => self.rename_relation(&relation, &statement.newname)?,
        }
        Ok(command(tag))
    }

    fn rename_column(&mut self, relation: &Arc<Relation>, old: &str, new: &str) -> Result<()> {
        let position = live_position(relation, old)?;
        super::create_table::refuse_system_name(new)?;
        if relation.attribute(new).is_some() {
            return Err(Error::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{new}\" of relation \"{}\" already exists", relation.name),
            ));
        }
        let names = self.names()?;
        let changes = super::rename_text::column_renamed(&names.catalog, relation, old, new)?;
        self.open_transaction()?.txn.change_schema(|change| {
            changes.put(change.catalog);
            let Some(current) = change.catalog.relation(relation.oid) else { return Ok(()) };
            let mut altered = Relation::clone(current);
            altered.attributes[position].name = new.into();
            let indexes = altered.indexes.clone();
            change.catalog.put_relation(altered);
            for index in indexes {
                if let Some(found) = change.catalog.relation(index) {
                    let mut renamed = Relation::clone(found);
                    renamed
                        .attributes
                        .iter_mut()
                        .filter(|attribute| &*attribute.name == old)
                        .for_each(|attribute| attribute.name = new.into());
                    change.catalog.put_relation(renamed);
                }
            }
            Ok(())
        })
    }

    fn rename_constraint(&mut self, relation: &Arc<Relation>, old: &str, new: &str) -> Result<()> {
        let at = constraint_position(relation, old).map_err(|_| {
            Error::new(SqlState::UNDEFINED_OBJECT, format!("constraint \"{old}\" for table \"{}\" does not exist", relation.name))
        })?;
        if relation.constraints.iter().any(|constraint| &*constraint.name == new) {
            return Err(Error::new(
                SqlState::DUPLICATE_OBJECT,
                format!("constraint \"{new}\" for relation \"{}\" already exists", relation.name),
            ));
        }
        if let Some(index) = relation.constraints[at].index()
            && let Some(index) = self.names()?.catalog.relation(index).cloned()
        {
            return self.rename_relation(&index, new);
        }
        self.put_altered(relation, |altered| altered.constraints[at].name = new.into())
    }

    fn rename_relation(&mut self, relation: &Arc<Relation>, new: &str) -> Result<()> {
        let names = self.names()?;
        if names.relation_in(relation.schema, new).is_some() {
            return Err(Error::new(SqlState::DUPLICATE_TABLE, format!("relation \"{new}\" already exists")));
        }
        let changes = super::rename_text::relation_renamed(&names.catalog, relation, relation.schema, new)?;
        self.open_transaction()?.txn.change_schema(|change| {
            changes.put(change.catalog);
            let Some(current) = change.catalog.relation(relation.oid) else { return Ok(()) };
            let mut altered = Relation::clone(current);
            altered.name = new.into();
            change.catalog.put_relation(altered);
            rename_row_type(change.catalog, relation, relation.schema, new);
            // A constraint and its index share one name.
            if let RelationKind::Index(definition) = &relation.kind
                && let Some(table) = change.catalog.relation(definition.table)
            {
                let mut table = Relation::clone(table);
                table
                    .constraints
                    .iter_mut()
                    .filter(|constraint| constraint.index() == Some(relation.oid))
                    .for_each(|constraint| constraint.name = new.into());
                change.catalog.put_relation(table);
            }
            Ok(())
        })
    }

    fn rename_schema(&mut self, old: &str, new: &str) -> Result<Outcome> {
        let names = self.names()?;
        let oid = names.schema(old)?;
        if names.catalog.schema_named(new).is_some() {
            return Err(Error::new(SqlState::DUPLICATE_SCHEMA, format!("schema \"{new}\" already exists")));
        }
        if new.starts_with("pg_") {
            return Err(Error::new(SqlState::RESERVED_NAME, format!("unacceptable schema name \"{new}\""))
                .detail("The prefix \"pg_\" is reserved for system schemas."));
        }
        let changes = super::rename_text::schema_renamed(&names.catalog, oid, old, new)?;
        self.open_transaction()?.txn.change_schema(|change| {
            changes.put(change.catalog);
            if let Some(schema) = change.catalog.schema(oid) {
                let renamed = Schema { name: new.into(), ..Schema::clone(schema) };
                change.catalog.put_schema(renamed);
            }
            Ok(())
        })?;
        Ok(command("ALTER SCHEMA"))
    }

    fn rename_type(&mut self, statement: &RenameStmt, kind: ObjectType) -> Result<Outcome> {
        let Some(NodeEnum::List(list)) = statement.object.as_deref().and_then(|node| node.node.as_ref()) else {
            return Err(Error::internal("RENAME without a type"));
        };
        let ty = self.user_type_of_kind(&strings(&list.items), kind)?;
        let new = statement.newname.as_str();
        if self.names()?.type_in(ty.schema, new).is_some() {
            return Err(Error::new(SqlState::DUPLICATE_OBJECT, format!("type \"{new}\" already exists")));
        }
        if let UserTypeKind::Composite { relation } = ty.kind
            && let Some(relation) = self.names()?.catalog.relation(relation).cloned()
        {
            self.rename_relation(&relation, new)?;
        } else {
            let changes = super::rename_text::type_renamed(&self.names()?.catalog, &ty, ty.schema, new)?;
            self.open_transaction()?.txn.change_schema(|change| {
                changes.put(change.catalog);
                put_renamed_type(change.catalog, &ty, ty.schema, new);
                Ok(())
            })?;
        }
        Ok(command(if kind == ObjectType::ObjectDomain { "ALTER DOMAIN" } else { "ALTER TYPE" }))
    }

    /// The type that ALTER TYPE or ALTER DOMAIN names.
    fn user_type_of_kind(&mut self, parts: &[String], kind: ObjectType) -> Result<Arc<UserType>> {
        let ty = self.user_type_named(parts)?;
        if kind == ObjectType::ObjectDomain && !matches!(ty.kind, UserTypeKind::Domain { .. }) {
            return Err(super::domain::not_a_domain(&self.names()?.format_type_oid(ty.oid)));
        }
        Ok(ty)
    }

    /// The user's type of a possibly qualified name.
    ///
    /// Errors: 42704.
    pub(crate) fn user_type_named(&mut self, parts: &[String]) -> Result<Arc<UserType>> {
        let names = self.names()?;
        let (schema, name) = match parts {
            [.., schema, name] => (Some(schema.as_str()), name),
            [name] => (None, name),
            [] => return Err(Error::internal("a type without a name")),
        };
        let ty = names.type_by_name(schema, name).and_then(|ty| names.catalog.user_type(ty.oid).cloned());
        ty.ok_or_else(|| Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{}\" does not exist", parts.join("."))))
    }

    pub(crate) async fn set_schema(&mut self, statement: &AlterObjectSchemaStmt) -> Result<Outcome> {
        let names = self.names()?;
        let schema = names.schema(&statement.newschema)?;
        let kind = ObjectType::try_from(statement.object_type).unwrap_or(ObjectType::Undefined);
        if matches!(kind, ObjectType::ObjectType | ObjectType::ObjectDomain) {
            let Some(NodeEnum::List(list)) = statement.object.as_deref().and_then(|node| node.node.as_ref()) else {
                return Err(Error::internal("SET SCHEMA without a type"));
            };
            let ty = self.user_type_of_kind(&strings(&list.items), kind)?;
            if ty.schema != schema && names.type_in(schema, &ty.name).is_some() {
                let message = format!("type \"{}\" already exists in schema \"{}\"", ty.name, statement.newschema);
                return Err(Error::new(SqlState::DUPLICATE_OBJECT, message));
            }
            let changes = super::rename_text::type_renamed(&names.catalog, &ty, schema, &ty.name)?;
            self.open_transaction()?.txn.change_schema(|change| {
                changes.put(change.catalog);
                put_renamed_type(change.catalog, &ty, schema, &ty.name);
                if let UserTypeKind::Composite { relation } = ty.kind {
                    move_relation(change.catalog, relation, schema);
                }
                Ok(())
            })?;
            return Ok(command(if kind == ObjectType::ObjectDomain { "ALTER DOMAIN" } else { "ALTER TYPE" }));
        }
        let Some(range) = &statement.relation else {
            return Err(Error::unsupported(format!("ALTER {} ... SET SCHEMA", kind_word(kind).to_uppercase())));
        };
        let relation = self.locked_relation(range, LockMode::AccessExclusive).await?;
        if relation.schema != schema && names.relation_in(schema, &relation.name).is_some() {
            return Err(Error::new(
                SqlState::DUPLICATE_TABLE,
                format!("relation \"{}\" already exists in schema \"{}\"", relation.name, statement.newschema),
            ));
        }
        let goes = |other: &Arc<Relation>| {
            let is_part =
                relation.indexes.contains(&other.oid) || other.owned_by.is_some_and(|(table, _, _)| table == relation.oid);
            other.oid == relation.oid || is_part
        };
        let moved: Vec<Arc<Relation>> = names.catalog.relations().filter(|other| goes(other)).cloned().collect();
        let changes = super::rename_text::relations_moved(&names.catalog, &moved, schema)?;
        self.open_transaction()?.txn.change_schema(|change| {
            changes.put(change.catalog);
            moved.iter().for_each(|member| move_relation(change.catalog, member.oid, schema));
            rename_row_type(change.catalog, &relation, schema, &relation.name);
            Ok(())
        })?;
        Ok(command(relation_tag(kind, kind)))
    }

    pub(crate) fn set_owner(&mut self, statement: &AlterOwnerStmt) -> Result<Outcome> {
        let kind = ObjectType::try_from(statement.object_type).unwrap_or(ObjectType::Undefined);
        let owner = self.role_oid(statement.newowner.as_ref())?;
        let object = statement.object.as_deref().and_then(|node| node.node.as_ref());
        match (kind, object) {
            (ObjectType::ObjectSchema, Some(NodeEnum::String(name))) => {
                let schema = self.names()?.schema(&name.sval)?;
                self.change_owner(AclTarget::Schema(schema), owner)?;
                Ok(command("ALTER SCHEMA"))
            }
            (ObjectType::ObjectType | ObjectType::ObjectDomain, Some(NodeEnum::List(list))) => {
                let ty = self.user_type_of_kind(&strings(&list.items), kind)?;
                self.change_owner(AclTarget::Type(ty.oid), owner)?;
                Ok(command(if kind == ObjectType::ObjectDomain { "ALTER DOMAIN" } else { "ALTER TYPE" }))
            }
            (ObjectType::ObjectDatabase, Some(NodeEnum::String(name))) => {
                self.set_database_owner(&name.sval, owner)?;
                Ok(command("ALTER DATABASE"))
            }
            _ => Err(Error::unsupported(format!("ALTER {} ... OWNER TO", kind_word(kind).to_uppercase()))),
        }
    }

    pub(super) fn set_owner_of(&mut self, relation: &Arc<Relation>, role: Option<&RoleSpec>) -> Result<()> {
        let owner = self.role_oid(role)?;
        self.open_transaction()?.gives_away = true;
        self.change_owner(AclTarget::Relation(relation.oid), owner)
    }
}

fn relation_tag(kind: ObjectType, fallback: ObjectType) -> &'static str {
    match if kind == ObjectType::Undefined { fallback } else { kind } {
        ObjectType::ObjectView => "ALTER VIEW",
        ObjectType::ObjectMatview => "ALTER MATERIALIZED VIEW",
        ObjectType::ObjectIndex => "ALTER INDEX",
        ObjectType::ObjectSequence => "ALTER SEQUENCE",
        ObjectType::ObjectType | ObjectType::ObjectAttribute => "ALTER TYPE",
        _ => "ALTER TABLE",
    }
}

fn move_relation(catalog: &mut catalog::Catalog, oid: Oid, schema: Oid) {
    if let Some(relation) = catalog.relation(oid) {
        let moved = Relation { schema, ..Relation::clone(relation) };
        catalog.put_relation(moved);
    }
}

/// The row type and its array follow their relation.
fn rename_row_type(catalog: &mut catalog::Catalog, relation: &Relation, schema: Oid, name: &str) {
    if let Some(ty) = catalog.user_type(relation.row_type).cloned() {
        put_renamed_type(catalog, &ty, schema, name);
    }
}

fn put_renamed_type(catalog: &mut catalog::Catalog, ty: &UserType, schema: Oid, name: &str) {
    catalog.put_type(UserType { name: name.into(), schema, ..ty.clone() });
    if let Some(array) = catalog.user_type(ty.array_type).cloned() {
        let name = object_names::array_type_name(catalog, schema, name);
        catalog.put_type(UserType { name: name.into(), schema, ..UserType::clone(&array) });
    }
}
