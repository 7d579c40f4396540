//! Privileges: each owner has them all, grantable; types, functions and collations may be used by everybody.

use catalog::{UserTypeKind, builtin::builtins};
use types::Oid;

use super::{COLLATIONS, NamedRow, View, relations::user_tables};

const TABLE_PRIVILEGES: [&str; 7] = ["INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"];
const COLUMN_PRIVILEGES: [&str; 4] = ["INSERT", "SELECT", "UPDATE", "REFERENCES"];

/// Role views leave out what everybody may do.
fn shows_public(view: &View) -> bool {
    !view.relation.name.starts_with("role_")
}

fn grant(row: &mut NamedRow, view: &View, owner: Oid, to_public: bool, privilege: &str) {
    let owner = view.role_name(owner);
    row.text("grantor", &owner).text("grantee", if to_public { "PUBLIC" } else { &owner });
    row.text("privilege_type", privilege).yes_or_no("is_grantable", !to_public);
}

pub(super) fn table_privileges(view: &mut View) {
    for (relation, schema) in user_tables(view) {
        for privilege in TABLE_PRIVILEGES {
            let mut row = view.row();
            grant(&mut row, view, relation.owner, false, privilege);
            row.object("table", view.context, &schema, &relation.name).yes_or_no("with_hierarchy", privilege == "SELECT");
            view.push(row);
        }
    }
    for relation in &builtins().system_relations {
        let owner = TABLE_PRIVILEGES.iter().map(|privilege| (false, *privilege));
        let everybody = shows_public(view).then_some((true, "SELECT"));
        for (to_public, privilege) in owner.chain(everybody) {
            let mut row = view.row();
            grant(&mut row, view, Oid::BOOTSTRAP_ROLE, to_public, privilege);
            row.object("table", view.context, relation.schema, relation.name).yes_or_no("with_hierarchy", privilege == "SELECT");
            view.push(row);
        }
    }
}

pub(super) fn column_privileges(view: &mut View) {
    for (relation, schema) in user_tables(view) {
        for (_, attribute) in relation.live_attributes() {
            for privilege in COLUMN_PRIVILEGES {
                let mut row = view.row();
                grant(&mut row, view, relation.owner, false, privilege);
                row.object("table", view.context, &schema, &relation.name).text("column_name", &attribute.name);
                view.push(row);
            }
        }
    }
}

pub(super) fn udt_privileges(view: &mut View) {
    let catalog = view.context.names.catalog.clone();
    for ty in catalog.user_types().filter(|ty| matches!(ty.kind, UserTypeKind::Composite { .. })) {
        for to_public in [true, false] {
            if to_public && !shows_public(view) {
                continue;
            }
            let mut row = view.row();
            grant(&mut row, view, ty.owner, to_public, "TYPE USAGE");
            row.object("udt", view.context, &view.schema_name(ty.schema), &ty.name);
            view.push(row);
        }
    }
}

pub(super) fn usage_privileges(view: &mut View) {
    let catalog = view.context.names.catalog.clone();
    let schema_name = |oid: Oid| catalog.schema(oid).map(|schema| schema.name.to_string()).unwrap_or_default();
    let mut add = |owner: Oid, to_public: bool, schema: &str, name: &str, kind: &str| {
        let mut row = view.row();
        grant(&mut row, view, owner, to_public, "USAGE");
        row.object("object", view.context, schema, name).text("object_type", kind);
        view.push(row);
    };
    for collation in COLLATIONS {
        add(Oid::BOOTSTRAP_ROLE, true, "pg_catalog", collation, "COLLATION");
    }
    for ty in catalog.user_types().filter(|ty| matches!(ty.kind, UserTypeKind::Domain { .. })) {
        for to_public in [true, false] {
            add(ty.owner, to_public, &schema_name(ty.schema), &ty.name, "DOMAIN");
        }
    }
    for relation in catalog.relations().filter(|relation| relation.relkind() == 'S') {
        add(relation.owner, false, &schema_name(relation.schema), &relation.name, "SEQUENCE");
    }
}

pub(super) fn routine_privileges(view: &mut View) {
    for function in &builtins().functions {
        for to_public in [true, false] {
            if to_public && !shows_public(view) {
                continue;
            }
            let mut row = view.row();
            grant(&mut row, view, Oid::BOOTSTRAP_ROLE, to_public, "EXECUTE");
            row.object("specific", view.context, "pg_catalog", &format!("{}_{}", function.name, function.oid));
            row.object("routine", view.context, "pg_catalog", function.name);
            view.push(row);
        }
    }
}

/// Roles whose rights the current user has.
pub(super) fn enabled_roles(view: &mut View) {
    let current = view.context.roles.iter().find(|role| role.name == view.context.current_user);
    let sees_all = current.is_some_and(|role| role.superuser);
    let own: Vec<_> = view
        .context
        .roles
        .iter()
        .filter(|role| {
            let is_member = current.is_some_and(|current| current.member_of.iter().any(|(group, _)| *group == role.oid));
            sees_all || is_member || role.name == view.context.current_user
        })
        .map(|role| role.name.clone())
        .collect();
    for role in own {
        let mut row = view.row();
        row.text("role_name", role);
        view.push(row);
    }
}

pub(super) fn applicable_roles(view: &mut View) {
    let only_grantable = view.relation.name == "administrable_role_authorizations";
    for role in &view.context.roles {
        for (group, may_grant) in &role.member_of {
            if *may_grant || !only_grantable {
                let mut row = view.row();
                row.text("grantee", &role.name).text("role_name", view.role_name(*group));
                row.yes_or_no("is_grantable", *may_grant);
                view.sink.push(row.row);
            }
        }
    }
}
