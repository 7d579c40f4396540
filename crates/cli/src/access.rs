//! Who may connect, and how: what the configuration says of it, made the server's.

use std::time::Duration;

use catalog::{Role, role::Membership};
use engine::Cluster;
use server::{AccessOptions, AuthOptions};
use types::Oid;

use crate::{
    configuration::{Configuration, User},
    failure::Failure,
};

/// What the configuration says of clients that connect.
///
/// Errors: a certificate or a key that cannot be used.
pub(crate) fn options(configuration: &Configuration) -> Result<AccessOptions, Failure> {
    Ok(AccessOptions {
        max_connections: usize::try_from(configuration.number("server.max_connections")).unwrap_or(usize::MAX),
        auth: AuthOptions {
            method: configuration.auth_method(),
            allow_remote_cleartext: configuration.flag("auth.allow_remote_cleartext"),
        },
        authentication_timeout: Duration::from_secs(configuration.number("auth.timeout_secs")),
        tls: configuration.tls_files().map(|files| files.load()).transpose()?,
    })
}

/// The users of the configuration are SQL roles: read and write by membership in the predefined roles, admin as superuser.
pub(crate) fn make_users(cluster: &Cluster, configuration: &Configuration) {
    configuration.users.iter().for_each(|user| make_user(cluster, user));
}

/// Follows a change of the users: those that changed are made anew, those that went may not log in any more. What SQL has done to the
/// others stays.
pub(crate) fn follow_users(cluster: &Cluster, before: &Configuration, now: &Configuration) {
    for user in &before.users {
        if !now.users.iter().any(|kept| kept.name == user.name) {
            cluster.change_roles(|roles| {
                if let Some(role) = roles.named(&user.name) {
                    let mut role = Role::clone(role);
                    role.can_login = false;
                    role.password = None;
                    roles.put(role);
                }
            });
        }
    }
    now.users.iter().filter(|user| !before.users.contains(user)).for_each(|user| make_user(cluster, user));
}

fn make_user(cluster: &Cluster, user: &User) {
    let oid = cluster.allocate_oid();
    cluster.change_roles(|roles| {
        let oid = roles.named(&user.name).map_or(oid, |known| known.oid);
        let is_admin = user.roles.iter().any(|role| role == "admin");
        let mut role = if is_admin { Role::administrator(oid, &user.name) } else { Role::new(oid, &user.name) };
        role.can_login = true;
        role.password = Some(user.password_hash.as_str().into());
        let writes = user.roles.iter().any(|role| role == "write");
        let groups = [(Oid::READ_ALL_DATA_ROLE, true), (Oid::WRITE_ALL_DATA_ROLE, writes)];
        role.memberships = groups
            .into_iter()
            .filter(|(_, wanted)| *wanted && !is_admin)
            .map(|(role, _)| Membership { role, grantor: Oid::BOOTSTRAP_ROLE, admin: false })
            .collect();
        roles.put(role);
    });
}
