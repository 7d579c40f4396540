//! CREATE, ALTER and DROP ROLE (USER, GROUP), and membership.

use std::sync::Arc;

use catalog::{AclTarget, Role, Roles, role::Membership};
use pg_query::{
    NodeEnum,
    protobuf::{AlterRoleStmt, CreateRoleStmt, DropRoleStmt, GrantRoleStmt, Node, RoleSpec, RoleSpecType, RoleStmtType},
};
use types::{Error, Oid, Result, SqlState};

use super::{owned, position};
use crate::{
    password,
    session::{
        Outcome, Session,
        utility::{command, option_flag, option_text},
    },
};

fn denied(message: impl Into<String>) -> Error {
    Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
}

pub(super) fn undefined(name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
}

/// What the options of CREATE and ALTER ROLE ask for.
#[derive(Default)]
struct Options<'n> {
    superuser: Option<bool>,
    inherit: Option<bool>,
    create_role: Option<bool>,
    create_database: Option<bool>,
    can_login: Option<bool>,
    replication: Option<bool>,
    bypass_row_security: Option<bool>,
    connection_limit: Option<i32>,
    /// PASSWORD NULL is Some(None).
    password: Option<Option<String>>,
    valid_until: Option<String>,
    /// IN ROLE, ROLE, ADMIN
    in_roles: &'n [Node],
    members: &'n [Node],
    admins: &'n [Node],
}

impl<'n> Options<'n> {
    fn read(nodes: &'n [Node]) -> Result<Options<'n>> {
        let mut options = Options::default();
        let mut seen: Vec<&str> = Vec::new();
        for node in nodes {
            let Some(NodeEnum::DefElem(option)) = &node.node else { continue };
            let name = option.defname.as_str();
            if seen.contains(&name) {
                return Err(Error::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options").at(position(option.location)));
            }
            seen.push(name);
            let argument = option.arg.as_deref();
            match name {
                "superuser" => options.superuser = Some(option_flag(option)?),
                "inherit" => options.inherit = Some(option_flag(option)?),
                "createrole" => options.create_role = Some(option_flag(option)?),
                "createdb" => options.create_database = Some(option_flag(option)?),
                "canlogin" => options.can_login = Some(option_flag(option)?),
                "isreplication" => options.replication = Some(option_flag(option)?),
                "bypassrls" => options.bypass_row_security = Some(option_flag(option)?),
                "connectionlimit" => {
                    let limit = argument.and_then(option_text).and_then(|text| text.parse::<i32>().ok()).unwrap_or(-1);
                    if limit < -1 {
                        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid connection limit: {limit}")));
                    }
                    options.connection_limit = Some(limit);
                }
                "password" => options.password = Some(argument.and_then(option_text)),
                "validUntil" => options.valid_until = argument.and_then(option_text),
                "addroleto" => options.in_roles = list(argument),
                "rolemembers" => options.members = list(argument),
                "adminmembers" => options.admins = list(argument),
                "sysid" => {}
                other => return Err(Error::unsupported(format!("role option {other}"))),
            }
        }
        Ok(options)
    }

    fn apply(self, role: &mut Role, session: &mut Session) -> Result<()> {
        let flag = |place: &mut bool, wanted: Option<bool>| *place = wanted.unwrap_or(*place);
        flag(&mut role.superuser, self.superuser);
        flag(&mut role.inherit, self.inherit);
        flag(&mut role.create_role, self.create_role);
        flag(&mut role.create_database, self.create_database);
        flag(&mut role.can_login, self.can_login);
        flag(&mut role.replication, self.replication);
        flag(&mut role.bypass_row_security, self.bypass_row_security);
        role.connection_limit = self.connection_limit.unwrap_or(role.connection_limit);
        match self.password {
            Some(Some(password))
                if password.is_empty() || password::Verifier::parse(&password).is_some_and(|of| of.accepts("")) =>
            {
                session.notice("empty string is not a valid password, clearing password");
                role.password = None;
            }
            Some(Some(password)) => role.password = Some(password::verifier_text(&password)?.into()),
            Some(None) => role.password = None,
            None => {}
        }
        if let Some(text) = self.valid_until {
            let (format, _) = session.formats()?;
            role.valid_until = Some(types::TimestampTz::parse(&text, &format)?);
        }
        Ok(())
    }
}

fn list(argument: Option<&Node>) -> &[Node] {
    match argument.and_then(|node| node.node.as_ref()) {
        Some(NodeEnum::List(list)) => &list.items,
        _ => &[],
    }
}

pub(super) fn role_specs(nodes: &[Node]) -> impl Iterator<Item = &RoleSpec> {
    nodes.iter().filter_map(|node| match &node.node {
        Some(NodeEnum::RoleSpec(role)) => Some(role),
        _ => None,
    })
}

impl Session {
    /// The role that a statement names, CURRENT_USER and the like included.
    ///
    /// Errors: 42704.
    pub(crate) fn role_of(&self, role: Option<&RoleSpec>) -> Result<Arc<Role>> {
        let Some(role) = role else { return Err(Error::internal("a statement without its role")) };
        match RoleSpecType::try_from(role.roletype) {
            Ok(RoleSpecType::RolespecCstring) => {
                self.shared.roles().named(&role.rolename).cloned().ok_or_else(|| undefined(&role.rolename))
            }
            Ok(RoleSpecType::RolespecSessionUser) => Ok(self.shared.session_role()),
            Ok(RoleSpecType::RolespecPublic) => Err(undefined("public")),
            _ => Ok(self.current_role()),
        }
    }

    pub(crate) fn role_oid(&self, role: Option<&RoleSpec>) -> Result<Oid> {
        self.role_of(role).map(|role| role.oid)
    }

    pub(super) fn create_role(&mut self, statement: &CreateRoleStmt) -> Result<Outcome> {
        let options = Options::read(&statement.options)?;
        let me = self.current_role();
        if !me.superuser {
            let only_superusers = [
                (options.superuser, "must be superuser to create superusers"),
                (options.replication, "must be superuser to create replication users"),
                (options.bypass_row_security, "must be superuser to create bypassrls users"),
            ];
            if let Some((_, message)) = only_superusers.iter().find(|(wanted, _)| *wanted == Some(true)) {
                return Err(denied(*message));
            }
            if !me.create_role {
                return Err(denied("permission denied to create role"));
            }
        }
        let name = statement.role.as_str();
        refuse_reserved(name)?;
        if self.shared.roles().named(name).is_some() {
            return Err(Error::new(SqlState::DUPLICATE_OBJECT, format!("role \"{name}\" already exists")));
        }
        let mut role = Role::new(self.cluster.allocate_oid(), name);
        role.can_login = statement.stmt_type() == RoleStmtType::RolestmtUser;
        let (in_roles, members, admins) = (options.in_roles, options.members, options.admins);
        options.apply(&mut role, self)?;
        let oid = role.oid;
        self.change_roles(|roles| {
            roles.put(role);
            Ok(())
        })?;
        for group in role_specs(in_roles) {
            let group = self.role_of(Some(group))?.oid;
            self.add_member(group, oid, false, me.oid)?;
        }
        for (list, admin) in [(members, false), (admins, true)] {
            for member in role_specs(list) {
                let member = self.role_of(Some(member))?.oid;
                self.add_member(oid, member, admin, me.oid)?;
            }
        }
        Ok(command("CREATE ROLE"))
    }

    pub(super) fn alter_role(&mut self, statement: &AlterRoleStmt) -> Result<Outcome> {
        let role = self.role_of(statement.role.as_ref())?;
        refuse_reserved(&role.name)?;
        let options = Options::read(&statement.options)?;
        let me = self.current_role();
        self.check_alter_role(&me, &role, &options)?;
        let members = options.members;
        let mut altered = Role::clone(&role);
        options.apply(&mut altered, self)?;
        self.change_roles(|roles| {
            roles.put(altered);
            Ok(())
        })?;
        // ALTER GROUP ... ADD / DROP USER
        for member in role_specs(members) {
            let member = self.role_of(Some(member))?.oid;
            match statement.action < 0 {
                true => self.remove_member(&role, member, false)?,
                false => self.add_member(role.oid, member, false, me.oid)?,
            }
        }
        Ok(command("ALTER ROLE"))
    }

    fn check_alter_role(&self, me: &Role, role: &Role, options: &Options<'_>) -> Result<()> {
        if me.superuser {
            return Ok(());
        }
        if role.superuser || options.superuser.is_some() {
            return Err(denied("must be superuser to alter superuser roles or change superuser attribute"));
        }
        if role.replication || options.replication.is_some() {
            return Err(denied("must be superuser to alter replication roles or change replication attribute"));
        }
        if options.bypass_row_security.is_some() {
            return Err(denied("must be superuser to change bypassrls attribute"));
        }
        if me.create_role {
            return Ok(());
        }
        // Anybody may change the own password, and nothing else.
        let only_password = options.inherit.is_none()
            && options.create_role.is_none()
            && options.create_database.is_none()
            && options.can_login.is_none()
            && options.connection_limit.is_none()
            && options.valid_until.is_none()
            && options.members.is_empty();
        if options.password.is_some() && only_password && role.oid == me.oid {
            return Ok(());
        }
        Err(denied("permission denied"))
    }

    pub(super) fn drop_roles(&mut self, statement: &DropRoleStmt) -> Result<Outcome> {
        let me = self.current_role();
        if !me.superuser && !me.create_role {
            return Err(denied("permission denied to drop role"));
        }
        for spec in role_specs(&statement.roles) {
            if RoleSpecType::try_from(spec.roletype) != Ok(RoleSpecType::RolespecCstring) {
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "cannot use special role specifier in DROP ROLE"));
            }
            let Some(role) = self.shared.roles().named(&spec.rolename).cloned() else {
                if statement.missing_ok {
                    self.notice(format!("role \"{}\" does not exist, skipping", spec.rolename));
                    continue;
                }
                return Err(undefined(&spec.rolename));
            };
            let in_use = |message: &str| Err(Error::new(SqlState::OBJECT_IN_USE, message));
            if role.oid == me.oid {
                return in_use("current user cannot be dropped");
            }
            if role.oid == self.shared.session_role().oid {
                return in_use("session user cannot be dropped");
            }
            if role.superuser && !me.superuser {
                return Err(denied("must be superuser to drop superusers"));
            }
            if role.oid.0 < Oid::FIRST_NORMAL.0 {
                return Err(Error::new(
                    SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                    format!("cannot drop role {} because it is required by the database system", role.name),
                ));
            }
            let dependents = owned::dependents(self, role.oid)?;
            if !dependents.is_empty() {
                return Err(Error::new(
                    SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                    format!("role \"{}\" cannot be dropped because some objects depend on it", role.name),
                )
                .detail(dependents.join("\n")));
            }
            self.change_roles(|roles| {
                roles.remove(role.oid);
                Ok(())
            })?;
        }
        Ok(command("DROP ROLE"))
    }

    pub(super) fn rename_role(&mut self, old: &str, new: &str) -> Result<Outcome> {
        let roles = self.shared.roles();
        let role = roles.named(old).cloned().ok_or_else(|| undefined(old))?;
        if role.oid == self.shared.session_role().oid {
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "session user cannot be renamed"));
        }
        if role.oid == self.current_role().oid {
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "current user cannot be renamed"));
        }
        refuse_reserved(old)?;
        refuse_reserved(new)?;
        if roles.named(new).is_some() {
            return Err(Error::new(SqlState::DUPLICATE_OBJECT, format!("role \"{new}\" already exists")));
        }
        let me = self.current_role();
        if role.superuser && !me.superuser {
            return Err(denied("must be superuser to rename superusers"));
        }
        if !me.superuser && !me.create_role {
            return Err(denied("permission denied to rename role"));
        }
        self.change_roles(|roles| {
            roles.put(Role { name: new.into(), ..Role::clone(&role) });
            Ok(())
        })?;
        Ok(command("ALTER ROLE"))
    }

    pub(super) fn comment_on_role(&mut self, name: &str, text: Option<Arc<str>>) -> Result<()> {
        let role = self.shared.roles().named(name).cloned().ok_or_else(|| undefined(name))?;
        let me = self.current_role();
        if role.superuser && !me.superuser {
            return Err(denied("must be superuser"));
        }
        if !me.superuser && !me.create_role {
            return Err(denied("must have CREATEROLE privilege"));
        }
        self.change_roles(|roles| {
            roles.put(Role { comment: text, ..Role::clone(&role) });
            Ok(())
        })
    }

    /// GRANT role TO role, and REVOKE.
    pub(super) fn grant_role(&mut self, statement: &GrantRoleStmt) -> Result<Outcome> {
        let grantor = match &statement.grantor {
            Some(grantor) => self.role_of(Some(grantor))?,
            None => self.current_role(),
        };
        let mut admin = false;
        for option in &statement.opt {
            let Some(NodeEnum::DefElem(option)) = &option.node else { continue };
            match option.defname.as_str() {
                "admin" => admin = option_flag(option)?,
                other => return Err(Error::unsupported(format!("GRANT ... WITH {}", other.to_uppercase()))),
            }
        }
        let members = role_specs(&statement.grantee_roles).map(|role| self.role_of(Some(role))).collect::<Result<Vec<_>>>()?;
        for node in &statement.granted_roles {
            let Some(NodeEnum::AccessPriv(granted)) = &node.node else { continue };
            let name = granted.priv_name.as_str();
            if name.is_empty() || !granted.cols.is_empty() {
                let message = "column names cannot be included in GRANT/REVOKE ROLE";
                return Err(Error::new(SqlState::INVALID_GRANT_OPERATION, message));
            }
            let role = self.shared.roles().named(name).cloned().ok_or_else(|| undefined(name))?;
            self.check_membership_rights(&role)?;
            for member in &members {
                match statement.is_grant {
                    true => self.add_member(role.oid, member.oid, admin, grantor.oid)?,
                    false => self.remove_member(&role, member.oid, admin)?,
                }
            }
        }
        Ok(command(if statement.is_grant { "GRANT ROLE" } else { "REVOKE ROLE" }))
    }

    fn check_membership_rights(&self, role: &Role) -> Result<()> {
        let me = self.current_role();
        if me.superuser {
            return Ok(());
        }
        if role.superuser {
            return Err(denied("must be superuser to alter superusers"));
        }
        if !me.create_role && !self.shared.roles().is_admin_of(me.oid, role.oid) {
            return Err(denied(format!("must have admin option on role \"{}\"", role.name)));
        }
        Ok(())
    }

    fn add_member(&mut self, group: Oid, member: Oid, admin: bool, grantor: Oid) -> Result<()> {
        let roles = self.shared.roles();
        let name = |oid: Oid| roles.name_of(oid);
        if group == Oid::DATABASE_OWNER_ROLE {
            let message = format!("role \"{}\" cannot have explicit members", name(group));
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        if roles.is_member(group, member) {
            let message = format!("role \"{}\" is a member of role \"{}\"", name(group), name(member));
            return Err(Error::new(SqlState::INVALID_GRANT_OPERATION, message));
        }
        let Some(role) = roles.role(member) else { return Err(Error::internal("a member that is no role")) };
        let mut role = Role::clone(role);
        match role.memberships.iter_mut().find(|membership| membership.role == group) {
            Some(known) if known.admin || !admin => {
                self.notice(format!("role \"{}\" is already a member of role \"{}\"", name(member), name(group)));
                return Ok(());
            }
            Some(known) => known.admin = true,
            None => role.memberships.push(Membership { role: group, grantor, admin }),
        }
        self.change_roles(|roles: &mut Roles| {
            roles.put(role);
            Ok(())
        })
    }

    /// Takes membership away, or only the option to give it on.
    fn remove_member(&mut self, group: &Role, member: Oid, only_admin: bool) -> Result<()> {
        let roles = self.shared.roles();
        let Some(role) = roles.role(member) else { return Ok(()) };
        let mut role = Role::clone(role);
        match role.memberships.iter_mut().find(|membership| membership.role == group.oid) {
            None => {
                let message = format!("role \"{}\" is not a member of role \"{}\"", role.name, group.name);
                self.warn(SqlState::WARNING, &message);
                return Ok(());
            }
            Some(known) if only_admin => known.admin = false,
            Some(_) => role.memberships.retain(|membership| membership.role != group.oid),
        }
        self.change_roles(|roles: &mut Roles| {
            roles.put(role);
            Ok(())
        })
    }

    /// ALTER DATABASE ... OWNER TO.
    /// Gives an object of the database's catalog another owner; rights that the old one had or gave become the new one's.
    pub(super) fn change_owner(&mut self, target: AclTarget, owner: Oid) -> Result<()> {
        self.open_transaction()?.txn.change_schema(|change| {
            owned::put_owner(change.catalog, target, owner);
            Ok(())
        })
    }
}

fn refuse_reserved(name: &str) -> Result<()> {
    if name.starts_with("pg_") {
        return Err(Error::new(SqlState::RESERVED_NAME, format!("role name \"{name}\" is reserved"))
            .detail("Role names starting with \"pg_\" are reserved."));
    }
    Ok(())
}
