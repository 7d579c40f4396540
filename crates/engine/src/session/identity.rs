//! Who a session is: the role that logged in, SET SESSION AUTHORIZATION and SET ROLE; and the roles as its transaction sees them.
//!
//! The settings `session_authorization` and `role` hold the names, so that SET LOCAL and rollback treat them as all settings.

use std::sync::Arc;

use catalog::{Role, Roles};
use types::{Error, Oid, Result, SqlState};

use super::{Session, shared::SessionShared};
use crate::{
    access::Authority,
    settings::{Settings, setting_facts},
};

/// What decides who a session is: the version of the roles as it sees them, and how often the settings that name them have changed.
pub(crate) type IdentityKey = (u64, u64);

/// Who the session is, as long as neither the roles nor its settings change.
pub(crate) struct Identity {
    valid_for: IdentityKey,
    session: Arc<Role>,
    current: Arc<Role>,
    /// Whether `is_superuser` shows it.
    is_shown: bool,
}

/// What a transaction has done to the roles.
#[derive(Clone)]
pub(crate) struct RoleChanges {
    pub base: Arc<Roles>,
    pub mine: Arc<Roles>,
}

impl SessionShared {
    /// The roles, with what the session's transaction has changed.
    pub(crate) fn roles(&self) -> Arc<Roles> {
        match self.role_changes.lock().as_ref() {
            Some(changes) => changes.mine.clone(),
            None => self.published_roles.get(),
        }
    }

    /// SESSION_USER
    pub(crate) fn session_role(&self) -> Arc<Role> {
        self.identity().session.clone()
    }

    /// CURRENT_USER
    pub(crate) fn current_role(&self) -> Arc<Role> {
        self.identity().current.clone()
    }

    pub(crate) fn is_superuser(&self) -> bool {
        self.identity().current.superuser
    }

    pub(crate) fn identity_key(&self) -> IdentityKey {
        let roles_version = match self.role_changes.lock().as_ref() {
            Some(changes) => changes.mine.version(),
            None => self.published_roles.version(),
        };
        (roles_version, self.settings.lock().authorization_changes())
    }

    /// Looked up again only when the roles or the settings that name them have changed.
    fn identity(&self) -> Arc<Identity> {
        let key = self.identity_key();
        if let Some(identity) = self.identity.lock().as_ref()
            && identity.valid_for == key
        {
            return identity.clone();
        }
        let roles = self.roles();
        let settings = self.settings.lock();
        let valid_for = (roles.version(), settings.authorization_changes());
        let session = settings.get("session_authorization").unwrap_or_default().to_owned();
        let role = settings.get("role").unwrap_or("none").to_owned();
        drop(settings);
        let session = self.role_or_nobody(&roles, &session);
        let current = if role == "none" { session.clone() } else { self.role_or_nobody(&roles, &role) };
        let identity = Arc::new(Identity { valid_for, session, current, is_shown: false });
        *self.identity.lock() = Some(identity.clone());
        identity
    }

    /// A role that has been dropped meanwhile has no rights.
    fn role_or_nobody(&self, roles: &Roles, name: &str) -> Arc<Role> {
        let known = roles.named(name).or_else(|| roles.role(self.role.oid).filter(|role| *role.name == *name)).cloned();
        known.unwrap_or_else(|| Arc::new(Role::new(Oid::INVALID, name)))
    }

    /// Refuses a SET that the session's role may not do.
    ///
    /// Errors: 42501, 22023 for a role that does not exist.
    pub(crate) fn check_setting(&self, name: &str, value: Option<&str>) -> Result<()> {
        let denied = |message: String| Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        let roles = self.roles();
        let role_named = |value: &str| {
            let missing = || Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("role \"{value}\" does not exist"));
            roles.named(value).cloned().ok_or_else(missing)
        };
        let key = name.to_ascii_lowercase();
        match (key.as_str(), value) {
            ("role", Some(value)) if value != "none" => {
                let role = role_named(value)?;
                let session = self.session_role();
                if !session.superuser && !roles.is_member(session.oid, role.oid) {
                    return denied(format!("permission denied to set role \"{value}\""));
                }
            }
            ("session_authorization", Some(value)) => {
                let role = role_named(value)?;
                // The role that logged in may always come back to itself.
                let login = roles.role(self.role.oid);
                if role.oid != self.role.oid && !login.is_some_and(|login| login.superuser) {
                    return denied("permission denied to set session authorization".into());
                }
            }
            _ => {
                let fact = setting_facts().get(&key);
                if fact.is_some_and(|fact| fact.context == "superuser") && !self.current_role().superuser {
                    return denied(format!("permission denied to set parameter \"{}\"", Settings::canonical_name(name)?));
                }
            }
        }
        Ok(())
    }

    /// Lets `is_superuser` tell the truth after the role may have changed.
    pub(crate) fn sync_identity(&self) {
        let identity = self.identity();
        if identity.is_shown {
            return;
        }
        let mut settings = self.settings.lock();
        settings.set_reported("is_superuser", if identity.current.superuser { "on" } else { "off" });
        let valid_for = (identity.valid_for.0, settings.authorization_changes());
        let (session, current) = (identity.session.clone(), identity.current.clone());
        *self.identity.lock() = Some(Arc::new(Identity { valid_for, session, current, is_shown: true }));
    }
}

impl Session {
    /// Whether the role that logged in is a superuser.
    pub fn is_administrator(&self) -> bool {
        self.shared.role.superuser
    }

    /// The role whose rights count now.
    pub(crate) fn current_role(&self) -> Arc<Role> {
        self.shared.current_role()
    }

    /// The current role's rights, as the transaction sees the definitions.
    pub(crate) fn authority(&mut self) -> Result<Authority> {
        let role = self.current_role().oid;
        let catalog = self.open_transaction()?.txn.catalog();
        Ok(Authority::new(self.shared.roles(), catalog, self.database.oid, role))
    }

    /// Changes the roles within the transaction.
    pub(crate) fn change_roles<T>(&mut self, change: impl FnOnce(&mut Roles) -> Result<T>) -> Result<T> {
        self.open_transaction()?;
        let mut changes = self.shared.role_changes.lock();
        let mut current = match changes.as_ref() {
            Some(changes) => changes.clone(),
            None => {
                let base = self.shared.published_roles.get();
                RoleChanges { mine: base.clone(), base }
            }
        };
        let mut mine = Roles::clone(&current.mine);
        let result = change(&mut mine)?;
        current.mine = Arc::new(mine);
        *changes = Some(current);
        Ok(result)
    }
}
