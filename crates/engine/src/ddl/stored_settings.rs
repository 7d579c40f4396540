//! ALTER ROLE ... SET and ALTER DATABASE ... SET: settings that sessions start with (pg_db_role_setting).

use catalog::role::SettingsScope;
use pg_query::protobuf::{AlterDatabaseSetStmt, AlterRoleSetStmt, VariableSetKind, VariableSetStmt};
use types::{Error, Oid, Result, SqlState};

use crate::{
    session::{
        Outcome, Session,
        utility::{command, setting_text},
    },
    settings::Settings,
};

impl Session {
    /// ALTER ROLE { name | ALL } [ IN DATABASE name ] SET ...
    pub(super) fn alter_role_settings(&mut self, statement: &AlterRoleSetStmt) -> Result<Outcome> {
        let me = self.current_role();
        let denied = |message: &str| Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        let role = match &statement.role {
            Some(spec) => {
                let role = self.role_of(Some(spec))?;
                if role.superuser && !me.superuser {
                    return denied("must be superuser to alter superusers");
                }
                if !me.superuser && !me.create_role && role.oid != me.oid {
                    return denied("permission denied");
                }
                role.oid
            }
            None if me.superuser => Oid::INVALID,
            None if statement.database.is_empty() => return denied("must be superuser to alter settings globally"),
            None => Oid::INVALID,
        };
        let database = match statement.database.as_str() {
            "" => Oid::INVALID,
            name => self.database_named(name)?.oid,
        };
        if role == Oid::INVALID && database != Oid::INVALID {
            let owner = self.authority()?.database_acl(database).1;
            self.authority()?.must_own(owner, "database", &statement.database)?;
        }
        self.store_setting(SettingsScope { database, role }, statement.setstmt.as_ref())?;
        Ok(command("ALTER ROLE"))
    }

    /// ALTER DATABASE name SET ...
    pub(super) fn alter_database_settings(&mut self, statement: &AlterDatabaseSetStmt) -> Result<Outcome> {
        let database = self.database_named(&statement.dbname)?.oid;
        self.store_setting(SettingsScope { database, role: Oid::INVALID }, statement.setstmt.as_ref())?;
        Ok(command("ALTER DATABASE"))
    }

    fn store_setting(&mut self, scope: SettingsScope, set: Option<&VariableSetStmt>) -> Result<()> {
        let set = set.ok_or_else(|| Error::internal("ALTER ... SET without its setting"))?;
        let name = set.name.to_ascii_lowercase();
        let value = match set.kind() {
            VariableSetKind::VarResetAll => None,
            VariableSetKind::VarSetCurrent => Some(self.setting(&name)?),
            VariableSetKind::VarSetValue => Some(setting_text(&name, &set.args)?),
            _ => None,
        };
        if set.kind() != VariableSetKind::VarResetAll {
            // Refused now rather than at every login.
            match &value {
                Some(value) => Settings::default().set(&name, value, false)?,
                None => drop(self.setting(&name)?),
            }
            self.shared.check_setting(&name, value.as_deref())?;
        }
        self.change_roles(|shared| {
            let mut settings = shared.stored_settings(scope).to_vec();
            match (set.kind(), value) {
                (VariableSetKind::VarResetAll, _) => settings.clear(),
                (_, None) => settings.retain(|(known, _)| **known != *name),
                (_, Some(value)) => match settings.iter_mut().find(|(known, _)| **known == *name) {
                    Some((_, known)) => *known = value.into(),
                    None => settings.push((name.as_str().into(), value.into())),
                },
            }
            shared.put_stored_settings(scope, settings);
            Ok(())
        })
    }
}
