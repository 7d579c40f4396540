//! Who may define what: ownership and CREATE rights, checked before a definition statement runs. Superusers may do everything.

use catalog::{AclTarget, Privileges};
use pg_query::{
    NodeEnum,
    protobuf::{Node, ObjectType, RangeVar, RoleSpec},
};
use types::{Error, Oid, Result, SqlState};

use super::{find_relation, position, range_of, relation_named, strings};
use crate::{
    access::{Authority, denied},
    session::Session,
};

fn refused(message: &str) -> Error {
    Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
}

impl Session {
    /// 42501 unless the current role may run this definition statement.
    pub(super) fn check_definition(&mut self, node: &NodeEnum) -> Result<()> {
        if self.current_role().superuser {
            return Ok(());
        }
        let authority = self.authority()?;
        match node {
            NodeEnum::CreateStmt(statement) => {
                self.may_create(statement.relation.as_ref(), &authority)?;
                self.may_reference(&statement.table_elts, &authority)
            }
            NodeEnum::CreateTableAsStmt(statement) => {
                self.may_create(statement.into.as_ref().and_then(|into| into.rel.as_ref()), &authority)
            }
            NodeEnum::SelectStmt(statement) => {
                self.may_create(statement.into_clause.as_ref().and_then(|into| into.rel.as_ref()), &authority)
            }
            NodeEnum::CreateSeqStmt(statement) => self.may_create(statement.sequence.as_ref(), &authority),
            NodeEnum::ViewStmt(statement) => {
                if let Some(range) = &statement.view
                    && statement.replace
                    && let Some(view) = find_relation(&*self.names()?, range)?
                {
                    authority.must_own_relation(&view)?;
                }
                self.may_create(statement.view.as_ref(), &authority)
            }
            NodeEnum::IndexStmt(statement) => self.must_own(statement.relation.as_ref(), false, &authority),
            NodeEnum::AlterTableStmt(statement) => {
                self.must_own(statement.relation.as_ref(), statement.missing_ok, &authority)?;
                self.may_alter(statement.relation.as_ref(), &statement.cmds, &authority)
            }
            NodeEnum::AlterSeqStmt(statement) => self.must_own(statement.sequence.as_ref(), statement.missing_ok, &authority),
            NodeEnum::RefreshMatViewStmt(statement) => self.must_own(statement.relation.as_ref(), false, &authority),
            NodeEnum::TruncateStmt(statement) => self.may_truncate(&statement.relations, &authority),
            NodeEnum::CreateSchemaStmt(statement) => self.may_create_schema(statement.authrole.as_ref(), &authority),
            NodeEnum::CreateEnumStmt(statement) => self.may_create_type(&strings(&statement.type_name), &authority),
            NodeEnum::CreateDomainStmt(statement) => self.may_create_type(&strings(&statement.domainname), &authority),
            NodeEnum::CompositeTypeStmt(statement) => self.may_create(statement.typevar.as_ref(), &authority),
            NodeEnum::AlterEnumStmt(statement) => self.must_own_type(&strings(&statement.type_name), &authority),
            NodeEnum::AlterDomainStmt(statement) => self.must_own_type(&strings(&statement.type_name), &authority),
            NodeEnum::DropStmt(statement) => self.may_drop(statement.remove_type(), &statement.objects, &authority),
            NodeEnum::RenameStmt(statement) => self.may_rename(statement, &authority),
            NodeEnum::AlterObjectSchemaStmt(statement) => {
                let kind = statement.object_type();
                self.must_own_object(kind, statement.object.as_deref(), statement.relation.as_ref(), &authority)?;
                authority.may_create_in(self.names()?.schema(&statement.newschema)?)
            }
            NodeEnum::AlterOwnerStmt(statement) => {
                let kind = statement.object_type();
                self.must_own_object(kind, statement.object.as_deref(), statement.relation.as_ref(), &authority)?;
                let owner = self.role_oid(statement.newowner.as_ref())?;
                self.may_give_to(owner, None, &authority)
            }
            NodeEnum::CommentStmt(statement) => self.may_comment(statement.objtype(), statement.object.as_deref(), &authority),
            NodeEnum::CreatedbStmt(_) if !self.current_role().create_database => {
                Err(refused("permission denied to create database"))
            }
            NodeEnum::DropdbStmt(statement) => self.must_own_database(&statement.dbname, &authority),
            NodeEnum::AlterDatabaseStmt(statement) => self.must_own_database(&statement.dbname, &authority),
            NodeEnum::AlterDatabaseSetStmt(statement) => self.must_own_database(&statement.dbname, &authority),
            NodeEnum::AlterDatabaseRefreshCollStmt(statement) => self.must_own_database(&statement.dbname, &authority),
            _ => Ok(()),
        }
    }

    /// ALTER TABLE's commands that need more than the table's ownership.
    fn may_alter(&mut self, range: Option<&RangeVar>, commands: &[Node], authority: &Authority) -> Result<()> {
        for command in commands {
            let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { continue };
            self.may_reference(command.def.as_deref().map(std::slice::from_ref).unwrap_or_default(), authority)?;
            if command.subtype() == pg_query::protobuf::AlterTableType::AtChangeOwner {
                let owner = self.role_oid(command.newowner.as_ref())?;
                let relation = range.map(|range| relation_named(&*self.names()?, range)).transpose()?;
                self.may_give_to(owner, relation.map(|relation| relation.schema), authority)?;
            }
        }
        Ok(())
    }

    fn may_truncate(&mut self, relations: &[Node], authority: &Authority) -> Result<()> {
        for node in relations {
            let Some(NodeEnum::RangeVar(range)) = &node.node else { continue };
            let relation = relation_named(&*self.names()?, range)?;
            if !authority.privileges(AclTarget::Relation(relation.oid)).has(Privileges::TRUNCATE) {
                return Err(authority.denied_relation(relation.oid));
            }
        }
        Ok(())
    }

    fn may_create_schema(&mut self, role: Option<&RoleSpec>, authority: &Authority) -> Result<()> {
        if !authority.database_privileges(self.database.oid).has(Privileges::CREATE) {
            return Err(denied("database", &self.database.name));
        }
        if role.is_some() {
            let owner = self.role_oid(role)?;
            self.may_give_to(owner, None, authority)?;
        }
        Ok(())
    }

    /// In which schema a new relation would go, and whether that is allowed.
    fn may_create(&mut self, range: Option<&RangeVar>, authority: &Authority) -> Result<()> {
        let Some(range) = range else { return Ok(()) };
        if range.relpersistence == "t" || range.schemaname == "pg_temp" {
            return match authority.database_privileges(self.database.oid).has(Privileges::TEMPORARY) {
                true => Ok(()),
                false => {
                    Err(refused(&format!("permission denied to create temporary tables in database \"{}\"", self.database.name)))
                }
            };
        }
        let names = self.names()?;
        let schema = match range.schemaname.as_str() {
            "" => names.search_path.iter().copied().find(|&schema| !self.is_temporary_schema(schema)),
            name => names.catalog.schema_named(name).map(|schema| schema.oid),
        };
        // Without a schema the statement fails by itself.
        match schema {
            Some(schema) => authority.may_create_in(schema).map_err(|error| error.at(position(range.location))),
            None => Ok(()),
        }
    }

    fn may_create_type(&mut self, parts: &[String], authority: &Authority) -> Result<()> {
        let (schema, _) = self.creation_schema_of(parts)?;
        authority.may_create_in(schema)
    }

    /// REFERENCES on what foreign keys refer to.
    fn may_reference(&mut self, elements: &[Node], authority: &Authority) -> Result<()> {
        for element in elements {
            let constraints: Vec<&pg_query::protobuf::Constraint> = match &element.node {
                Some(NodeEnum::Constraint(constraint)) => vec![&**constraint],
                Some(NodeEnum::ColumnDef(column)) => column
                    .constraints
                    .iter()
                    .filter_map(|node| match &node.node {
                        Some(NodeEnum::Constraint(constraint)) => Some(&**constraint),
                        _ => None,
                    })
                    .collect(),
                _ => continue,
            };
            for range in constraints.into_iter().filter_map(|constraint| constraint.pktable.as_ref()) {
                let Some(table) = find_relation(&*self.names()?, range)? else { continue };
                if !authority.privileges(AclTarget::Relation(table.oid)).has(Privileges::REFERENCES)
                    && !authority.any_column(table.oid, Privileges::REFERENCES)
                {
                    return Err(authority.denied_relation(table.oid));
                }
            }
        }
        Ok(())
    }

    fn must_own(&mut self, range: Option<&RangeVar>, missing_ok: bool, authority: &Authority) -> Result<()> {
        let Some(range) = range else { return Ok(()) };
        let names = self.names()?;
        let relation = match find_relation(&names, range)? {
            Some(relation) => relation,
            None if missing_ok => return Ok(()),
            None => relation_named(&names, range)?,
        };
        authority.must_own_relation(&relation)
    }

    fn must_own_type(&mut self, parts: &[String], authority: &Authority) -> Result<()> {
        let names = self.names()?;
        let (schema, name) = match parts {
            [.., schema, name] => (Some(schema.as_str()), name),
            [name] => (None, name),
            [] => return Ok(()),
        };
        let ty = names.type_by_name(schema, name).and_then(|ty| names.catalog.user_type(ty.oid).cloned());
        match ty {
            Some(ty) => authority.must_own(ty.owner, "type", &ty.name),
            None => Ok(()),
        }
    }

    fn must_own_schema(&mut self, name: &str, authority: &Authority) -> Result<()> {
        match self.names()?.catalog.schema_named(name) {
            Some(schema) => authority.must_own(schema.owner, "schema", name),
            None => Ok(()),
        }
    }

    fn must_own_database(&mut self, name: &str, authority: &Authority) -> Result<()> {
        match self.cluster.database(name) {
            Some(database) => authority.must_own(authority.database_acl(database.oid).1, "database", name),
            None => Ok(()),
        }
    }

    fn must_own_object(
        &mut self,
        kind: ObjectType,
        object: Option<&Node>,
        range: Option<&RangeVar>,
        authority: &Authority,
    ) -> Result<()> {
        if range.is_some() {
            return self.must_own(range, true, authority);
        }
        match (kind, object.and_then(|node| node.node.as_ref())) {
            (ObjectType::ObjectSchema, Some(NodeEnum::String(name))) => self.must_own_schema(&name.sval, authority),
            (ObjectType::ObjectDatabase, Some(NodeEnum::String(name))) => self.must_own_database(&name.sval, authority),
            (ObjectType::ObjectType | ObjectType::ObjectDomain, Some(NodeEnum::List(list))) => {
                self.must_own_type(&strings(&list.items), authority)
            }
            (ObjectType::ObjectType | ObjectType::ObjectDomain, Some(NodeEnum::TypeName(name))) => {
                self.must_own_type(&strings(&name.names), authority)
            }
            _ => Ok(()),
        }
    }

    /// Who drops owns the object, or the schema that it is in.
    fn may_drop(&mut self, kind: ObjectType, objects: &[Node], authority: &Authority) -> Result<()> {
        for object in objects {
            match (kind, &object.node) {
                (ObjectType::ObjectSchema, Some(NodeEnum::String(name))) => self.must_own_schema(&name.sval, authority)?,
                (_, Some(NodeEnum::TypeName(name))) => self.must_own_type(&strings(&name.names), authority)?,
                (_, Some(NodeEnum::List(list))) => {
                    let names = self.names()?;
                    let Some(relation) = find_relation(&names, &range_of(&strings(&list.items)))? else { continue };
                    let owns_schema = names.catalog.schema(relation.schema).is_some_and(|schema| authority.holds(schema.owner));
                    if !owns_schema {
                        authority.must_own_relation(&relation)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn may_rename(&mut self, statement: &pg_query::protobuf::RenameStmt, authority: &Authority) -> Result<()> {
        match statement.rename_type() {
            ObjectType::ObjectSchema => {
                self.must_own_schema(&statement.subname, authority)?;
                match authority.database_privileges(self.database.oid).has(Privileges::CREATE) {
                    true => Ok(()),
                    false => Err(denied("database", &self.database.name)),
                }
            }
            ObjectType::ObjectDatabase => {
                self.must_own_database(&statement.subname, authority)?;
                match self.current_role().create_database {
                    true => Ok(()),
                    false => Err(refused("permission denied to rename database")),
                }
            }
            kind => {
                self.must_own_object(kind, statement.object.as_deref(), statement.relation.as_ref(), authority)?;
                let renames_relation = !matches!(kind, ObjectType::ObjectColumn | ObjectType::ObjectTabconstraint);
                match &statement.relation {
                    Some(range) if renames_relation => match find_relation(&*self.names()?, range)? {
                        Some(relation) => authority.may_create_in(relation.schema),
                        None => Ok(()),
                    },
                    _ => Ok(()),
                }
            }
        }
    }

    fn may_comment(&mut self, kind: ObjectType, object: Option<&Node>, authority: &Authority) -> Result<()> {
        if let (ObjectType::ObjectColumn | ObjectType::ObjectTabconstraint, Some(Node { node: Some(NodeEnum::List(list)) })) =
            (kind, object)
        {
            let parts = strings(&list.items);
            let table = parts.split_last().map(|(_, table)| range_of(table));
            return self.must_own(table.as_ref(), true, authority);
        }
        if let Some(Node { node: Some(NodeEnum::List(list)) }) = object
            && !matches!(kind, ObjectType::ObjectType | ObjectType::ObjectDomain)
        {
            return self.must_own(Some(&range_of(&strings(&list.items))), true, authority);
        }
        self.must_own_object(kind, object, None, authority)
    }

    /// A new owner is a role that the current one is a member of; it must be able to create what it gets.
    fn may_give_to(&mut self, owner: Oid, schema: Option<Oid>, authority: &Authority) -> Result<()> {
        if !authority.roles.is_member(authority.role, owner) {
            return Err(refused(&format!("must be member of role \"{}\"", authority.roles.name_of(owner))));
        }
        match schema {
            Some(schema) => authority.of(owner).may_create_in(schema),
            None => Ok(()),
        }
    }
}
