//! What all databases share: pg_database, roles, tablespaces; and the schemas and settings.

use std::sync::Arc;

use catalog::{AclTarget, Name, Role, role::SettingsScope};
use types::{Datum, Oid, SqlType};

use super::{
    SystemContext,
    relation_rows::class,
    row::{NULL, Sink, array, boolean, name, oid, oid_array, optional, optional_text, text, text_array, time},
};

const UTF8: i32 = 6;
const DEFAULT_TABLESPACE: Oid = Oid(1663);
const GLOBAL_TABLESPACE: Oid = Oid(1664);
const HIDDEN_PASSWORD: &str = "********";

pub(super) fn pg_namespace(context: &SystemContext, sink: &mut Sink) {
    for schema in context.names.catalog.schemas() {
        let privileges = context.acl(AclTarget::Schema(schema.oid));
        sink.push(vec![oid(schema.oid), name(&schema.name), oid(schema.owner), privileges]);
    }
}

pub(super) fn pg_database(context: &SystemContext, sink: &mut Sink) {
    for database in &context.databases {
        sink.push(vec![
            oid(database.oid),
            name(&database.name),
            oid(database.facts.owner),
            Datum::Int4(UTF8),
            text("c"),
            boolean(database.facts.is_template),
            boolean(database.facts.allow_connections),
            Datum::Int4(database.facts.connection_limit),
            oid(Oid(3)),
            oid(Oid(1)),
            oid(DEFAULT_TABLESPACE),
            text("C"),
            text("C"),
            NULL,
            NULL,
            context.database_acl(database.oid),
        ]);
    }
}

pub(super) fn pg_tablespace(_: &SystemContext, sink: &mut Sink) {
    for (tablespace, its_name) in [(DEFAULT_TABLESPACE, "pg_default"), (GLOBAL_TABLESPACE, "pg_global")] {
        sink.push(vec![oid(tablespace), text(its_name), oid(Oid::BOOTSTRAP_ROLE), NULL, NULL]);
    }
}

pub(super) fn pg_authid(context: &SystemContext, sink: &mut Sink) {
    for role in context.authority.roles.iter() {
        sink.push(vec![
            oid(role.oid),
            name(&role.name),
            boolean(role.superuser),
            boolean(role.inherit),
            boolean(role.create_role),
            boolean(role.create_database),
            boolean(role.can_login),
            boolean(role.replication),
            boolean(role.bypass_row_security),
            Datum::Int4(role.connection_limit),
            optional_text(role.password.clone()),
            time(role.valid_until),
        ]);
    }
}

pub(super) fn pg_roles(context: &SystemContext, sink: &mut Sink) {
    for role in context.authority.roles.iter() {
        sink.push(vec![
            name(&role.name),
            boolean(role.superuser),
            boolean(role.inherit),
            boolean(role.create_role),
            boolean(role.create_database),
            boolean(role.can_login),
            boolean(role.replication),
            Datum::Int4(role.connection_limit),
            text(HIDDEN_PASSWORD),
            time(role.valid_until),
            boolean(role.bypass_row_security),
            role_settings(context, role),
            oid(role.oid),
        ]);
    }
}

/// What ALTER ROLE ... SET has stored for all databases.
fn role_settings(context: &SystemContext, role: &Role) -> Datum {
    let scope = SettingsScope { database: Oid::INVALID, role: role.oid };
    match context.authority.roles.stored_settings(scope) {
        [] => NULL,
        settings => settings_array(settings),
    }
}

fn settings_array(settings: &[(Name, Arc<str>)]) -> Datum {
    let settings: Vec<String> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    text_array(settings.iter().map(String::as_str))
}

pub(super) fn pg_db_role_setting(context: &SystemContext, sink: &mut Sink) {
    for (scope, settings) in context.authority.roles.all_stored_settings() {
        sink.push(vec![oid(scope.database), oid(scope.role), settings_array(settings)]);
    }
}

fn user_rows(context: &SystemContext, sink: &mut Sink, password: impl Fn(&Role) -> Datum) {
    for role in context.authority.roles.iter().filter(|role| role.can_login) {
        sink.push(vec![
            name(&role.name),
            oid(role.oid),
            boolean(role.create_database),
            boolean(role.superuser),
            boolean(role.replication),
            boolean(role.bypass_row_security),
            password(role),
            time(role.valid_until),
            role_settings(context, role),
        ]);
    }
}

pub(super) fn pg_user(context: &SystemContext, sink: &mut Sink) {
    user_rows(context, sink, |_| text(HIDDEN_PASSWORD));
}

pub(super) fn pg_shadow(context: &SystemContext, sink: &mut Sink) {
    user_rows(context, sink, |role| optional_text(role.password.clone()));
}

pub(super) fn pg_group(context: &SystemContext, sink: &mut Sink) {
    for group in context.authority.roles.iter().filter(|role| !role.can_login) {
        let is_member = |role: &&Arc<Role>| role.memberships.iter().any(|membership| membership.role == group.oid);
        let members = oid_array(context.authority.roles.iter().filter(is_member).map(|role| role.oid));
        sink.push(vec![name(&group.name), oid(group.oid), members]);
    }
}

pub(super) fn pg_auth_members(context: &SystemContext, sink: &mut Sink) {
    for role in context.authority.roles.iter() {
        for membership in &role.memberships {
            sink.push(vec![oid(membership.role), oid(role.oid), oid(membership.grantor), boolean(membership.admin)]);
        }
    }
}

pub(super) fn pg_shdescription(context: &SystemContext, sink: &mut Sink) {
    for database in &context.databases {
        if let Some(comment) = &database.facts.comment {
            sink.push(vec![oid(database.oid), oid(class::DATABASE), name(comment)]);
        }
    }
    for role in context.authority.roles.iter() {
        if let Some(comment) = &role.comment {
            sink.push(vec![oid(role.oid), oid(class::AUTHID), name(comment)]);
        }
    }
}

pub(super) fn pg_settings(context: &SystemContext, sink: &mut Sink) {
    for setting in context.state.settings() {
        let choices = setting.choices.as_ref().map(|choices| text_array(choices.iter().map(|choice| &**choice)));
        sink.push(vec![
            name(&setting.name),
            text(&setting.setting),
            optional_text(setting.unit),
            name(&setting.category),
            NULL,
            NULL,
            name(&setting.context),
            name(&setting.kind),
            name(&setting.source),
            optional_text(setting.minimum),
            optional_text(setting.maximum),
            choices.unwrap_or(NULL),
            optional_text(setting.boot_value),
            optional_text(setting.reset_value),
            NULL,
            NULL,
            boolean(false),
        ]);
    }
}

pub(super) fn pg_prepared_statements(context: &SystemContext, sink: &mut Sink) {
    for prepared in context.state.prepared_statements() {
        let types = prepared.parameter_types.iter().copied().map(oid).collect();
        sink.push(vec![
            name(&prepared.name),
            name(&prepared.statement),
            Datum::TimestampTz(prepared.prepared_at),
            array(SqlType::REGTYPE, types),
            boolean(prepared.from_sql),
            Datum::Int8(prepared.plans.generic()),
            Datum::Int8(prepared.plans.custom()),
        ]);
    }
}

pub(super) fn pg_cursors(context: &SystemContext, sink: &mut Sink) {
    for cursor in context.state.cursors() {
        sink.push(vec![
            name(&cursor.name),
            name(&cursor.statement),
            boolean(cursor.holdable),
            boolean(cursor.binary),
            boolean(cursor.scrollable),
            Datum::TimestampTz(cursor.created_at),
        ]);
    }
}

pub(super) fn pg_stat_activity(context: &SystemContext, sink: &mut Sink) {
    for session in context.state.sessions() {
        sink.push(vec![
            oid(session.database),
            name(&session.database_name),
            Datum::Int4(session.pid),
            NULL,
            oid(session.user),
            name(&session.user_name),
            name(&session.application_name),
            optional_text(session.client_address),
            NULL,
            optional(session.client_port, Datum::Int4),
            time(session.is_visible.then_some(session.backend_start)),
            time(session.transaction_start),
            time(session.query_start),
            time(session.state_change),
            optional_text(session.wait.map(|(kind, _)| kind)),
            optional_text(session.wait.map(|(_, event)| event)),
            optional_text((!session.state.is_empty()).then_some(session.state)),
            optional(session.transaction_id, |id| oid(Oid(id))),
            NULL,
            NULL,
            name(&session.query),
            optional_text(session.is_visible.then_some("client backend")),
        ]);
    }
}

pub(super) fn pg_locks(context: &SystemContext, sink: &mut Sink) {
    for lock in context.state.locks() {
        sink.push(vec![
            text(lock.kind),
            optional(lock.database, oid),
            optional(lock.relation, oid),
            optional(lock.page, Datum::Int4),
            optional(lock.tuple, Datum::Int2),
            optional_text(lock.virtual_transaction_id),
            optional(lock.transaction_id, |id| oid(Oid(id))),
            optional(lock.class, oid),
            optional(lock.object, oid),
            optional(lock.object_sub, Datum::Int2),
            text(lock.virtual_transaction),
            Datum::Int4(lock.pid),
            text(lock.mode),
            boolean(lock.granted),
            boolean(false),
            time(lock.wait_start),
        ]);
    }
}

/// Clients have no certificates here.
pub(super) fn pg_stat_ssl(context: &SystemContext, sink: &mut Sink) {
    for session in context.state.sessions() {
        let tls = session.tls.as_deref().filter(|_| session.is_visible);
        sink.push(vec![
            Datum::Int4(session.pid),
            if session.is_visible { boolean(tls.is_some()) } else { NULL },
            optional_text(tls.map(|tls| tls.version)),
            optional_text(tls.map(|tls| tls.cipher.clone())),
            optional(tls.map(|tls| tls.bits), Datum::Int4),
            NULL,
            NULL,
            NULL,
        ]);
    }
}

/// Connections never use GSS.
pub(super) fn pg_stat_gssapi(context: &SystemContext, sink: &mut Sink) {
    for session in context.state.sessions() {
        sink.push(vec![Datum::Int4(session.pid), boolean(false), NULL, boolean(false)]);
    }
}
