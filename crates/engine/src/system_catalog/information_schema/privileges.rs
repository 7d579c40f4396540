//! Privileges as granted, the default ones included; roles that the current user has the rights of.

use catalog::{AclItem, AclTarget, Privileges, UserTypeKind, builtin::builtins};
use types::Oid;

use super::{COLLATIONS, NamedRow, View, relations::user_tables};

/// Role views leave out what everybody may do.
fn shows_public(view: &View) -> bool {
    !view.relation.name.starts_with("role_")
}

/// Rights are shown to who holds or gave them.
fn is_shown(view: &View, item: &AclItem) -> bool {
    let authority = &view.context.authority;
    match item.grantee {
        Oid::INVALID => shows_public(view) || authority.holds(item.grantor),
        grantee => authority.holds(grantee) || authority.holds(item.grantor),
    }
}

fn grant(row: &mut NamedRow, view: &View, item: &AclItem, owner: Oid, (one, word): (Privileges, &str)) {
    let grantee = if item.grantee == Oid::INVALID { "PUBLIC".to_owned() } else { view.role_name(item.grantee) };
    row.text("grantor", view.role_name(item.grantor)).text("grantee", grantee);
    row.text("privilege_type", word);
    row.yes_or_no("is_grantable", item.grantable.has(one) || item.grantee == owner);
}

/// The items of an object's list that are shown, with its owner.
fn shown(view: &View, target: AclTarget) -> (Vec<AclItem>, Oid) {
    let Some((acl, owner)) = view.context.authority.acl(target) else { return (Vec::new(), Oid::INVALID) };
    (acl.items.into_iter().filter(|item| is_shown(view, item)).collect(), owner)
}

pub(super) fn table_privileges(view: &mut View) {
    let users = user_tables(view).into_iter().map(|(relation, schema)| (relation.oid, schema, relation.name.to_string()));
    let system = builtins().system_relations.iter();
    let system = system.map(|relation| (relation.oid, relation.schema.to_owned(), relation.name.to_owned()));
    for (oid, schema, name) in users.chain(system) {
        let (items, owner) = shown(view, AclTarget::Relation(oid));
        for item in items {
            for (one, word) in item.privileges.each() {
                let mut row = view.row();
                grant(&mut row, view, &item, owner, (one, word));
                row.object("table", view.context, &schema, &name).yes_or_no("with_hierarchy", word == "SELECT");
                view.push(row);
            }
        }
    }
}

pub(super) fn column_privileges(view: &mut View) {
    for (relation, schema) in user_tables(view) {
        let (of_table, owner) = shown(view, AclTarget::Relation(relation.oid));
        for (position, attribute) in relation.live_attributes() {
            let (of_column, _) = match view.context.names.catalog.acl(AclTarget::Column(relation.oid, position)) {
                Some(_) => shown(view, AclTarget::Column(relation.oid, position)),
                None => (Vec::new(), owner),
            };
            for item in of_table.iter().chain(&of_column) {
                for (one, word) in item.privileges.and(Privileges::COLUMN).each() {
                    let mut row = view.row();
                    grant(&mut row, view, item, owner, (one, word));
                    row.object("table", view.context, &schema, &relation.name).text("column_name", &attribute.name);
                    view.push(row);
                }
            }
        }
    }
}

pub(super) fn udt_privileges(view: &mut View) {
    let catalog = view.context.names.catalog.clone();
    for ty in catalog.user_types().filter(|ty| matches!(ty.kind, UserTypeKind::Composite { .. })) {
        let (items, owner) = shown(view, AclTarget::Type(ty.oid));
        for item in items.into_iter().filter(|item| item.privileges.has(Privileges::USAGE)) {
            let mut row = view.row();
            grant(&mut row, view, &item, owner, (Privileges::USAGE, "TYPE USAGE"));
            row.object("udt", view.context, &view.schema_name(ty.schema), &ty.name);
            view.push(row);
        }
    }
}

pub(super) fn usage_privileges(view: &mut View) {
    let catalog = view.context.names.catalog.clone();
    for collation in COLLATIONS {
        let item = AclItem {
            grantee: Oid::INVALID,
            grantor: Oid::BOOTSTRAP_ROLE,
            privileges: Privileges::USAGE,
            grantable: Privileges::NONE,
        };
        add_usage(view, &item, Oid::BOOTSTRAP_ROLE, ("pg_catalog", collation), "COLLATION");
    }
    let domains = catalog.user_types().filter(|ty| matches!(ty.kind, UserTypeKind::Domain { .. }));
    let domains = domains.map(|ty| (AclTarget::Type(ty.oid), ty.schema, ty.name.clone(), "DOMAIN"));
    let sequences = catalog.relations().filter(|relation| relation.relkind() == 'S');
    let sequences = sequences.map(|of| (AclTarget::Relation(of.oid), of.schema, of.name.clone(), "SEQUENCE"));
    for (target, schema, name, kind) in domains.chain(sequences) {
        let (items, owner) = shown(view, target);
        let schema = view.schema_name(schema);
        for item in items.into_iter().filter(|item| item.privileges.has(Privileges::USAGE)) {
            add_usage(view, &item, owner, (&schema, &name), kind);
        }
    }
}

fn add_usage(view: &mut View, item: &AclItem, owner: Oid, (schema, name): (&str, &str), kind: &str) {
    let mut row = view.row();
    grant(&mut row, view, item, owner, (Privileges::USAGE, "USAGE"));
    row.object("object", view.context, schema, name).text("object_type", kind);
    view.push(row);
}

pub(super) fn routine_privileges(view: &mut View) {
    for function in &builtins().functions {
        let (items, owner) = shown(view, AclTarget::Function(function.oid));
        for item in items {
            let mut row = view.row();
            grant(&mut row, view, &item, owner, (Privileges::EXECUTE, "EXECUTE"));
            row.object("specific", view.context, "pg_catalog", &format!("{}_{}", function.name, function.oid));
            row.object("routine", view.context, "pg_catalog", function.name);
            view.push(row);
        }
    }
}

/// Roles whose rights the current user has.
pub(super) fn enabled_roles(view: &mut View) {
    let authority = view.context.authority.clone();
    for role in authority.roles.iter().filter(|role| authority.holds(role.oid)) {
        let mut row = view.row();
        row.text("role_name", &role.name);
        view.push(row);
    }
}

pub(super) fn applicable_roles(view: &mut View) {
    let only_grantable = view.relation.name == "administrable_role_authorizations";
    let authority = view.context.authority.clone();
    for role in authority.roles.iter().filter(|role| authority.holds(role.oid)) {
        for membership in role.memberships.iter().filter(|membership| membership.admin || !only_grantable) {
            let mut row = view.row();
            row.text("grantee", &role.name).text("role_name", view.role_name(membership.role));
            row.yes_or_no("is_grantable", membership.admin);
            view.push(row);
        }
    }
}
