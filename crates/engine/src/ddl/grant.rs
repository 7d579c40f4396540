//! GRANT and REVOKE on objects, and ALTER DEFAULT PRIVILEGES.

use std::sync::Arc;

use catalog::{
    Acl, AclItem, AclKind, AclTarget, Privileges, Relation, RelationKind,
    acl::Revocation,
    builtin::builtins,
    type_names::{NamedRelation, quote_identifier},
};
use pg_query::{
    NodeEnum,
    protobuf::{
        AccessPriv, AlterDefaultPrivilegesStmt, DropBehavior, GrantStmt, GrantTargetType, Node, ObjectType, ObjectWithArgs,
        RoleSpec, RoleSpecType,
    },
};
use types::{Error, Oid, Result, SqlState, text_format::TypeResolver};

use super::{role::role_specs, strings};
use crate::{
    access::{Authority, denied, relation_word},
    definition_text,
    session::{Outcome, Session, utility::command},
};

/// In the order of their numbers.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"];

/// What one GRANT or REVOKE gives or takes.
struct Grant {
    is_grant: bool,
    grantees: Vec<Oid>,
    /// WITH GRANT OPTION, or REVOKE GRANT OPTION FOR.
    option: bool,
    revocation: Revocation,
    /// None is ALL.
    privileges: Option<Vec<AccessPriv>>,
}

impl Grant {
    fn read(statement: &GrantStmt, session: &Session) -> Result<Grant> {
        let mut grantees = Vec::new();
        for spec in role_specs(&statement.grantees) {
            grantees.push(match RoleSpecType::try_from(spec.roletype) {
                Ok(RoleSpecType::RolespecPublic) => Oid::INVALID,
                _ => session.role_oid(Some(spec))?,
            });
        }
        if statement.is_grant && statement.grant_option && grantees.contains(&Oid::INVALID) {
            return Err(Error::new(SqlState::INVALID_GRANT_OPERATION, "grant options can only be granted to roles"));
        }
        let listed = statement.privileges.iter().filter_map(|node| match &node.node {
            Some(NodeEnum::AccessPriv(privilege)) => Some(privilege.clone()),
            _ => None,
        });
        let listed: Vec<AccessPriv> = listed.collect();
        Ok(Grant {
            is_grant: statement.is_grant,
            grantees,
            option: statement.grant_option,
            revocation: match statement.behavior() {
                DropBehavior::DropCascade => Revocation::Cascade,
                _ => Revocation::Restrict,
            },
            privileges: (!listed.is_empty()).then_some(listed),
        })
    }

    /// The privileges on whole objects, and those on columns by name.
    ///
    /// Errors: 42601 for an unknown word, 0LP01 for one that such an object does not have.
    fn of_kind(&self, kind: AclKind, word: &str) -> Result<(Privileges, Vec<(Privileges, Vec<String>)>)> {
        let Some(listed) = &self.privileges else { return Ok((kind.all(), Vec::new())) };
        let mut whole = Privileges::NONE;
        let mut columns = Vec::new();
        for access in listed {
            // ALL (columns) has no name.
            let privilege = match access.priv_name.as_str() {
                "" => Privileges::COLUMN,
                name => Privileges::named(name)
                    .ok_or_else(|| Error::new(SqlState::SYNTAX_ERROR, format!("unrecognized privilege type \"{name}\"")))?,
            };
            let invalid = |word: &str| {
                let name = privilege.each().next().map_or("", |(_, name)| name);
                Err(Error::new(SqlState::INVALID_GRANT_OPERATION, format!("invalid privilege type {name} for {word}")))
            };
            if access.cols.is_empty() {
                if !kind.all().has(privilege) {
                    return invalid(word);
                }
                whole = whole.or(privilege);
                continue;
            }
            if kind != AclKind::Table {
                return Err(Error::new(SqlState::INVALID_GRANT_OPERATION, "column privileges are only valid for relations"));
            }
            if !Privileges::COLUMN.has(privilege) {
                return invalid("column");
            }
            columns.push((privilege, strings(&access.cols)));
        }
        Ok((whole, columns))
    }

    /// The list after the change (merge_acl_with_grant).
    fn applied(&self, mut acl: Acl, owner: Oid, grantor: Oid, privileges: Privileges) -> Result<Acl> {
        if privileges.is_empty() {
            return Ok(acl);
        }
        for &grantee in &self.grantees {
            let optional = if self.option { privileges } else { Privileges::NONE };
            match self.is_grant {
                true => acl.grant(AclItem { grantee, grantor, privileges, grantable: optional }, owner)?,
                false => {
                    // REVOKE GRANT OPTION FOR leaves the privilege itself.
                    let (taken, options) = if self.option { (Privileges::NONE, privileges) } else { (privileges, privileges) };
                    acl.revoke(AclItem { grantee, grantor, privileges: taken, grantable: options }, owner, self.revocation)?;
                }
            }
        }
        Ok(acl)
    }
}

/// In whose name the current role grants: the owner's when it has the owner's rights, else of a role it is a member of that holds the
/// most of the options (select_best_grantor).
fn best_grantor(authority: &Authority, acl: &Acl, owner: Oid, wanted: Privileges, all: Privileges) -> (Oid, Privileges) {
    if authority.holds(owner) {
        return (owner, all);
    }
    let mut best = (authority.role, Privileges::NONE);
    for role in authority.roles.all_of(authority.role, true) {
        let options = acl.grantable(|holder| holder == role).and(wanted);
        if options == wanted {
            return (role, options);
        }
        if options.each().count() > best.1.each().count() {
            best = (role, options);
        }
    }
    best
}

impl Session {
    pub(super) fn grant(&mut self, statement: &GrantStmt) -> Result<Outcome> {
        if let Some(grantor) = &statement.grantor
            && self.role_oid(Some(grantor))? != self.current_role().oid
        {
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "grantor must be current user"));
        }
        let grant = Grant::read(statement, self)?;
        let all = GrantTargetType::try_from(statement.targtype) == Ok(GrantTargetType::AclTargetAllInSchema);
        match statement.objtype() {
            kind @ (ObjectType::ObjectTable | ObjectType::ObjectSequence) => {
                let relations = match all {
                    true => self.relations_in_schemas(&statement.objects, kind)?,
                    false => self.named_relations(&statement.objects, kind)?,
                };
                for relation in relations {
                    self.grant_on_relation(&grant, relation, kind)?;
                }
            }
            ObjectType::ObjectSchema => {
                for name in strings(&statement.objects) {
                    let oid = self.names()?.schema(&name)?;
                    self.grant_on(&grant, AclTarget::Schema(oid), "schema", &name)?;
                }
            }
            ObjectType::ObjectDatabase => {
                for name in strings(&statement.objects) {
                    self.grant_on_database(&grant, &name)?;
                }
            }
            ObjectType::ObjectType | ObjectType::ObjectDomain => {
                for node in &statement.objects {
                    self.grant_on_type(&grant, node)?;
                }
            }
            ObjectType::ObjectFunction | ObjectType::ObjectProcedure | ObjectType::ObjectRoutine => {
                self.grant_on_functions(&grant, statement, all)?;
            }
            ObjectType::ObjectLanguage => {
                let message = "GRANT and REVOKE on languages: everybody may use SQL, which";
                return Err(Error::unsupported(message));
            }
            _ => return Err(Error::unsupported("GRANT and REVOKE on this kind of object")),
        }
        Ok(command(if statement.is_grant { "GRANT" } else { "REVOKE" }))
    }

    fn named_relations(&mut self, objects: &[Node], kind: ObjectType) -> Result<Vec<NamedRelation>> {
        let names = self.names()?;
        let mut found = Vec::new();
        for node in objects {
            let Some(NodeEnum::RangeVar(range)) = &node.node else { continue };
            let schema = (!range.schemaname.is_empty()).then_some(range.schemaname.as_str());
            let relation = names.relation_by_name(schema, &range.relname).ok_or_else(|| {
                let written = super::written_name(range);
                Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{written}\" does not exist"))
            })?;
            if let NamedRelation::User(user) = &relation {
                let wrong = |message: String| Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
                match user.kind {
                    RelationKind::Index(_) => return wrong(format!("\"{}\" is an index", user.name)),
                    RelationKind::Composite => return wrong(format!("\"{}\" is a composite type", user.name)),
                    RelationKind::Sequence(_) => {}
                    _ if kind == ObjectType::ObjectSequence => return wrong(format!("\"{}\" is not a sequence", user.name)),
                    _ => {}
                }
            }
            found.push(relation);
        }
        Ok(found)
    }

    fn relations_in_schemas(&mut self, schemas: &[Node], kind: ObjectType) -> Result<Vec<NamedRelation>> {
        let names = self.names()?;
        let mut found = Vec::new();
        for name in strings(schemas) {
            let schema = names.schema(&name)?;
            let wanted: &[char] = if kind == ObjectType::ObjectSequence { &['S'] } else { &['r', 'v', 'm'] };
            let in_schema = names.catalog.relations().filter(|relation| relation.schema == schema);
            found.extend(in_schema.filter(|of| wanted.contains(&of.relkind())).cloned().map(NamedRelation::User));
            let system = builtins().system_relations.iter().filter(|of| of.schema == name && wanted.contains(&of.kind));
            found.extend(system.map(NamedRelation::System));
        }
        Ok(found)
    }

    fn grant_on_relation(&mut self, grant: &Grant, relation: NamedRelation, kind: ObjectType) -> Result<()> {
        let target = AclTarget::Relation(relation.oid());
        let is_sequence = matches!(&relation, NamedRelation::User(user) if matches!(user.kind, RelationKind::Sequence(_)));
        let (acl_kind, word) = match (is_sequence, kind) {
            (true, _) => (AclKind::Sequence, "sequence"),
            _ => (AclKind::Table, "table"),
        };
        let (mut whole, columns) = match (is_sequence, kind, &grant.privileges) {
            // GRANT ON TABLE has always been allowed on sequences, with what of it they have.
            (true, ObjectType::ObjectTable, Some(_)) => {
                grant.of_kind(AclKind::Table, "table").or_else(|_| grant.of_kind(acl_kind, word))?
            }
            _ => grant.of_kind(acl_kind, word)?,
        };
        if is_sequence {
            whole = whole.and(Privileges::SEQUENCE);
        }
        let object_word = match &relation {
            NamedRelation::User(user) => relation_word(user),
            NamedRelation::System(system) if system.kind == 'v' => "view",
            NamedRelation::System(_) => "table",
        };
        let before = self.authority()?.acl(target);
        if !whole.is_empty() || columns.is_empty() {
            self.apply_grant(grant, target, acl_kind.all(), whole, grant.privileges.is_none(), object_word, relation.name())?;
        }
        if !grant.is_grant && !whole.and(Privileges::COLUMN).is_empty() {
            let privileges = whole.and(Privileges::COLUMN);
            if let Some((acl, owner)) = before {
                self.warn_of_columns(&relation, &acl, owner, privileges)?;
            }
            self.revoke_from_columns(grant, &relation, privileges)?;
        }
        for (privilege, names) in columns {
            for name in names {
                let position = column_position(&relation, &name)?;
                let target = AclTarget::Column(relation.oid(), position);
                self.apply_grant(grant, target, Privileges::COLUMN, privilege, false, object_word, relation.name())?;
            }
        }
        Ok(())
    }

    /// Says of each column, those of the system included, what cannot be revoked from it.
    fn warn_of_columns(&mut self, relation: &NamedRelation, acl: &Acl, owner: Oid, privileges: Privileges) -> Result<()> {
        let authority = self.authority()?;
        let (_, options) = best_grantor(&authority, acl, owner, privileges, Privileges::COLUMN);
        let moved = privileges.and(options);
        let lacking = match moved.is_empty() {
            true => "no privileges could be revoked for",
            false if privileges != Privileges::COLUMN && moved != privileges => "not all privileges could be revoked for",
            false => return Ok(()),
        };
        let (has_system_columns, columns): (bool, Vec<String>) = match relation {
            NamedRelation::User(user) => {
                let attributes = user.attributes.iter().filter(|attribute| !attribute.dropped);
                (user.relkind() != 'v', attributes.map(|attribute| attribute.name.to_string()).collect())
            }
            NamedRelation::System(system) => {
                (system.kind != 'v', system.columns.iter().map(|column| column.name.to_string()).collect())
            }
        };
        let system = SYSTEM_COLUMNS.iter().filter(|_| has_system_columns).map(|name| (*name).to_owned());
        for column in system.chain(columns) {
            let message = format!("{lacking} column \"{column}\" of relation \"{}\"", relation.name());
            self.warn(SqlState::WARNING_PRIVILEGE_NOT_REVOKED, &message);
        }
        Ok(())
    }

    /// Revoking from a table revokes from its columns too.
    fn revoke_from_columns(&mut self, grant: &Grant, relation: &NamedRelation, privileges: Privileges) -> Result<()> {
        let catalog = self.open_transaction()?.txn.catalog();
        let (first, last) = (AclTarget::Column(relation.oid(), 0), AclTarget::Column(relation.oid(), usize::MAX));
        let columns: Vec<AclTarget> =
            catalog.acls().map(|(target, _)| *target).filter(|target| (first..=last).contains(target)).collect();
        for target in columns {
            let authority = self.authority()?;
            let Some((acl, owner)) = authority.acl(target) else { continue };
            let (grantor, _) = best_grantor(&authority, &acl, owner, privileges, Privileges::COLUMN);
            let acl = grant.applied(acl, owner, grantor, privileges)?;
            self.put_acl(target, (!acl.items.is_empty()).then_some(acl))?;
        }
        Ok(())
    }

    fn grant_on(&mut self, grant: &Grant, target: AclTarget, word: &str, name: &str) -> Result<()> {
        let Some((kind, _)) = self.authority()?.owned(target) else { return Ok(()) };
        let (whole, _) = grant.of_kind(kind, word)?;
        self.apply_grant(grant, target, kind.all(), whole, grant.privileges.is_none(), word, name)
    }

    #[expect(clippy::too_many_arguments, reason = "the words of its warnings differ from the rights that it moves")]
    fn apply_grant(
        &mut self,
        grant: &Grant,
        target: AclTarget,
        all: Privileges,
        wanted: Privileges,
        wants_all: bool,
        word: &str,
        name: &str,
    ) -> Result<()> {
        let authority = self.authority()?;
        let Some((acl, owner)) = authority.acl(target) else { return Ok(()) };
        let (grantor, options) = best_grantor(&authority, &acl, owner, wanted, all);
        // Whoever has any right on the object is not refused, but told.
        let any = match target {
            AclTarget::Column(relation, _) => authority.holds_any(AclTarget::Relation(relation), all),
            _ => false,
        };
        if options.is_empty() && !any && !authority.is_superuser() && !authority.holds_any(target, all) {
            return Err(denied(word, name));
        }
        let shown = match target {
            AclTarget::Column(oid, position) => {
                let user =
                    authority.catalog.relation(oid).and_then(|of| of.attributes.get(position)).map(|of| of.name.to_string());
                let system = || Some(builtins().system_relation(oid)?.columns.get(position)?.name.to_owned());
                let column = user.or_else(system).unwrap_or_default();
                format!("column \"{column}\" of relation \"{name}\"")
            }
            _ => format!("\"{name}\""),
        };
        let moved = self.checked(grant, (wanted, options, wants_all), &shown)?;
        let acl = grant.applied(acl, owner, grantor, moved)?;
        let drop = matches!(target, AclTarget::Column(..)) && acl.items.is_empty();
        self.put_acl(target, (!drop).then_some(acl))
    }

    /// What of the wanted rights may be moved, with PostgreSQL's warnings (restrict_and_check_grant).
    fn checked(
        &mut self,
        grant: &Grant,
        (wanted, options, wants_all): (Privileges, Privileges, bool),
        shown: &str,
    ) -> Result<Privileges> {
        let moved = wanted.and(options);
        let (none, some, sqlstate) = match grant.is_grant {
            true => {
                ("no privileges were granted for", "not all privileges were granted for", SqlState::WARNING_PRIVILEGE_NOT_GRANTED)
            }
            false => (
                "no privileges could be revoked for",
                "not all privileges could be revoked for",
                SqlState::WARNING_PRIVILEGE_NOT_REVOKED,
            ),
        };
        if moved.is_empty() && !wanted.is_empty() {
            self.warn(sqlstate, &format!("{none} {shown}"));
        } else if !wants_all && moved != wanted {
            self.warn(sqlstate, &format!("{some} {shown}"));
        }
        Ok(moved)
    }

    fn put_acl(&mut self, target: AclTarget, acl: Option<Acl>) -> Result<()> {
        self.open_transaction()?.txn.change_schema(|change| {
            change.catalog.put_acl(target, acl);
            Ok(())
        })
    }

    fn grant_on_database(&mut self, grant: &Grant, name: &str) -> Result<()> {
        let database = self
            .cluster
            .database(name)
            .ok_or_else(|| Error::new(SqlState::UNDEFINED_DATABASE, format!("database \"{name}\" does not exist")))?;
        let (wanted, _) = grant.of_kind(AclKind::Database, "database")?;
        let authority = self.authority()?;
        let (acl, owner) = authority.database_acl(database.oid);
        let (grantor, options) = best_grantor(&authority, &acl, owner, wanted, Privileges::DATABASE);
        let given_on = acl.grantable(|role| authority.holds(role));
        let held = acl.privileges(|role| authority.holds(role)).or(given_on);
        if options.is_empty() && !authority.is_superuser() && !held.has_any(Privileges::DATABASE) {
            return Err(denied("database", name));
        }
        let moved = self.checked(grant, (wanted, options, grant.privileges.is_none()), &format!("\"{name}\""))?;
        let acl = grant.applied(acl, owner, grantor, moved)?;
        self.change_roles(|roles| {
            let mut access = roles.database(database.oid);
            access.acl = Some(Arc::new(acl));
            roles.put_database(database.oid, access);
            Ok(())
        })
    }

    fn grant_on_type(&mut self, grant: &Grant, node: &Node) -> Result<()> {
        let parts = match &node.node {
            Some(NodeEnum::List(list)) => strings(&list.items),
            Some(NodeEnum::TypeName(name)) => strings(&name.names),
            _ => return Err(Error::internal("GRANT on a type without a name")),
        };
        let names = self.names()?;
        let (schema, name) = match parts.as_slice() {
            [.., schema, name] => (Some(schema.as_str()), name),
            [name] => (None, name),
            [] => return Err(Error::internal("a type without a name")),
        };
        let ty = names
            .type_by_name(schema, name)
            .ok_or_else(|| Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{}\" does not exist", parts.join("."))))?;
        self.grant_on(grant, AclTarget::Type(ty.oid), "type", name)
    }

    fn grant_on_functions(&mut self, grant: &Grant, statement: &GrantStmt, all: bool) -> Result<()> {
        if all {
            grant.of_kind(AclKind::Function, "function")?;
            // The only functions are the system's, and none of them is a procedure.
            for name in strings(&statement.objects) {
                let schema = self.names()?.schema(&name)?;
                if statement.objtype() != ObjectType::ObjectProcedure {
                    for function in builtins().functions.iter().filter(|function| function.schema == schema) {
                        self.grant_on(grant, AclTarget::Function(function.oid), "function", function.name)?;
                    }
                }
            }
            return Ok(());
        }
        for node in &statement.objects {
            let Some(NodeEnum::ObjectWithArgs(written)) = &node.node else { continue };
            let (function, name) = self.written_function(written)?;
            if statement.objtype() == ObjectType::ObjectProcedure {
                let message = format!("{name} is not a procedure");
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
            let name = builtins().function(function).map_or("", |function| function.name);
            self.grant_on(grant, AclTarget::Function(function), "function", name)?;
        }
        Ok(())
    }

    /// The function that a name means, with the types of its arguments or as the only one of its name; and how messages write it.
    fn written_function(&mut self, written: &ObjectWithArgs) -> Result<(Oid, String)> {
        let names = self.names()?;
        let parts = strings(&written.objname);
        let quoted: Vec<String> = parts.iter().map(|part| quote_identifier(part).into_owned()).collect();
        let (name, plain) = (quoted.join("."), parts.join("."));
        if written.args_unspecified {
            let found = names.reg_object(Oid::REGPROC, &name).map_err(|error| match error.sqlstate() {
                SqlState::AMBIGUOUS_FUNCTION => {
                    Error::new(SqlState::AMBIGUOUS_FUNCTION, format!("function name \"{plain}\" is not unique"))
                        .hint("Specify the argument list to select the function unambiguously.")
                }
                SqlState::UNDEFINED_FUNCTION => {
                    Error::new(SqlState::UNDEFINED_FUNCTION, format!("could not find a function named \"{plain}\""))
                }
                _ => error,
            });
            return found.map(|function| (function, plain));
        }
        let mut types = Vec::new();
        for argument in &written.objargs {
            let Some(NodeEnum::TypeName(ty)) = &argument.node else { continue };
            types.push(names.format_type_oid(definition_text::resolve_type(ty, &names)?.oid));
        }
        let shown = format!("{plain}({})", types.join(", "));
        let found = names.reg_object(Oid::REGPROCEDURE, &format!("{name}({})", types.join(",")));
        match found {
            Ok(function) => Ok((function, shown)),
            Err(error) if error.sqlstate() == SqlState::UNDEFINED_FUNCTION => {
                Err(Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {shown} does not exist")))
            }
            Err(error) => Err(error),
        }
    }

    /// ALTER DEFAULT PRIVILEGES
    pub(super) fn alter_default_privileges(&mut self, statement: &AlterDefaultPrivilegesStmt) -> Result<Outcome> {
        let action = statement.action.as_ref().ok_or_else(|| Error::internal("ALTER DEFAULT PRIVILEGES without GRANT"))?;
        let mut owners: Vec<Oid> = Vec::new();
        let mut schemas: Vec<Oid> = Vec::new();
        for option in &statement.options {
            let Some(NodeEnum::DefElem(option)) = &option.node else { continue };
            let Some(NodeEnum::List(list)) = option.arg.as_deref().and_then(|node| node.node.as_ref()) else { continue };
            match option.defname.as_str() {
                "roles" => {
                    for role in role_specs(&list.items) {
                        owners.push(self.owner_of_defaults(role)?);
                    }
                }
                _ => {
                    for name in strings(&list.items) {
                        schemas.push(self.names()?.schema(&name)?);
                    }
                }
            }
        }
        if owners.is_empty() {
            owners.push(self.current_role().oid);
        }
        let (kind, word) = match action.objtype() {
            ObjectType::ObjectTable => (AclKind::Table, "relation"),
            ObjectType::ObjectSequence => (AclKind::Sequence, "sequence"),
            ObjectType::ObjectFunction | ObjectType::ObjectRoutine => (AclKind::Function, "function"),
            ObjectType::ObjectType => (AclKind::Type, "type"),
            ObjectType::ObjectSchema if schemas.is_empty() => (AclKind::Schema, "schema"),
            ObjectType::ObjectSchema => {
                let message = "cannot use IN SCHEMA clause when using GRANT/REVOKE ON SCHEMAS";
                return Err(Error::new(SqlState::INVALID_GRANT_OPERATION, message));
            }
            _ => return Err(Error::unsupported("ALTER DEFAULT PRIVILEGES for this kind of object")),
        };
        let grant = Grant::read(action, self)?;
        let (privileges, _) = grant.of_kind(kind, word)?;
        for owner in owners {
            let places: Vec<Oid> = if schemas.is_empty() { vec![Oid::INVALID] } else { schemas.clone() };
            for schema in places {
                self.change_default(&grant, AclTarget::Default(owner, schema, kind), privileges)?;
            }
        }
        Ok(command("ALTER DEFAULT PRIVILEGES"))
    }

    fn owner_of_defaults(&mut self, role: &RoleSpec) -> Result<Oid> {
        let role = self.role_of(Some(role))?;
        let me = self.current_role().oid;
        if self.shared.roles().has_rights_of(me, role.oid) {
            return Ok(role.oid);
        }
        Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("must be member of role \"{}\"", role.name)))
    }

    fn change_default(&mut self, grant: &Grant, target: AclTarget, privileges: Privileges) -> Result<()> {
        let AclTarget::Default(owner, schema, kind) = target else { return Ok(()) };
        let catalog = self.open_transaction()?.txn.catalog();
        // Those of all schemas replace the built-in ones; those of one schema are added to them.
        let initial = if schema == Oid::INVALID { Acl::default_for(kind, owner) } else { Acl::default() };
        let known = catalog.acl(target).map_or_else(|| initial.clone(), |acl| Acl::clone(acl));
        let mut acl = grant.applied(known, owner, owner, privileges)?;
        acl.sort();
        let is_initial = acl.items.len() == initial.items.len() && initial.items.iter().all(|item| acl.items.contains(item));
        self.put_acl(target, (!is_initial).then_some(acl))
    }
}

fn column_position(relation: &NamedRelation, name: &str) -> Result<usize> {
    let found = match relation {
        NamedRelation::User(user) => Relation::attribute(user, name).map(|(position, _)| position),
        NamedRelation::System(system) => system.columns.iter().position(|column| column.name == name),
    };
    found.ok_or_else(|| {
        Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" of relation \"{}\" does not exist", relation.name()))
    })
}
