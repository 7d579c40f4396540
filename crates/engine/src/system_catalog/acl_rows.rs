//! Rights as the system relations show them: aclitem arrays, pg_default_acl, pg_init_privs, aclexplode.

use catalog::{Acl, AclItem, AclKind, AclTarget, Privileges};
use types::{Datum, Oid, SqlType};

use super::{
    SystemContext,
    relation_rows::class,
    row::{NULL, Sink, array, boolean, letter, oid, text},
};

impl SystemContext<'_> {
    /// The rights granted on an object; NULL while they are the default ones.
    pub(super) fn acl(&self, target: AclTarget) -> Datum {
        self.names.catalog.acl(target).map_or(NULL, |acl| self.acl_items(acl))
    }

    pub(super) fn database_acl(&self, database: Oid) -> Datum {
        self.authority.roles.database(database).acl.map_or(NULL, |acl| self.acl_items(&acl))
    }

    pub(super) fn acl_items(&self, acl: &Acl) -> Datum {
        let items = acl.texts(|role| self.authority.roles.name_of(role));
        array(SqlType::ACLITEM, items.into_iter().map(text).collect())
    }

    /// Reads aclitems back; those of dropped roles are left out.
    pub(super) fn parse_acl(&self, value: Option<&Datum>) -> Vec<AclItem> {
        let Some(Datum::Array(array)) = value else { return Vec::new() };
        let item = |element: &Datum| match element {
            Datum::Text(text) => AclItem::parse(text, |name| self.authority.roles.named(name).map(|role| role.oid)),
            _ => None,
        };
        array.elements.iter().filter_map(item).collect()
    }
}

/// aclexplode(): grantor, grantee, privilege, whether it may be given on.
pub(super) fn explode(items: &[AclItem]) -> Vec<Vec<Datum>> {
    let row = |item: &AclItem, one: Privileges, word: &str| {
        vec![oid(item.grantor), oid(item.grantee), text(word), boolean(item.grantable.has(one))]
    };
    items.iter().flat_map(|item| item.privileges.each().map(|(one, word)| row(item, one, word)).collect::<Vec<_>>()).collect()
}

/// The rights that new objects of a role start with.
pub(super) fn pg_default_acl(context: &SystemContext, sink: &mut Sink) {
    for (target, acl) in context.names.catalog.acls() {
        if let AclTarget::Default(role, schema, kind) = target {
            sink.push(vec![
                oid(default_acl_oid(*role, *schema, *kind)),
                oid(*role),
                oid(*schema),
                letter(kind.letter()),
                context.acl_items(acl),
            ]);
        }
    }
}

/// They have no identifiers of their own: one is made of what names them.
fn default_acl_oid(role: Oid, schema: Oid, kind: AclKind) -> Oid {
    Oid(role.0.wrapping_mul(31).wrapping_add(schema.0).wrapping_mul(31).wrapping_add(kind.letter() as u32))
}

/// The built-in functions with the rights on them.
pub(super) fn pg_proc(context: &SystemContext, sink: &mut Sink) {
    let relation = catalog::builtin::builtins().system_relation_named("pg_catalog", "pg_proc").expect("it is built in");
    let place = relation.columns.iter().position(|column| column.name == "proacl").expect("pg_proc has proacl");
    for row in super::facts::fact_rows("pg_proc").unwrap_or_default() {
        let Some(Datum::Oid(function)) = row.first() else { continue };
        let stored = context.names.catalog.acl(AclTarget::Function(*function)).map(|acl| Acl::clone(acl));
        match stored.or_else(|| crate::access::initial_function_acl(*function)) {
            None => sink.extend(std::slice::from_ref(row)),
            Some(acl) => {
                let mut row = row.clone();
                row[place] = context.acl_items(&acl);
                sink.push(row);
            }
        }
    }
}

/// What a new database starts with beyond the defaults, so that pg_dump leaves it out.
pub(super) fn pg_init_privs(context: &SystemContext, sink: &mut Sink) {
    let fresh = catalog::Catalog::new();
    for schema in [Oid::PG_CATALOG_NAMESPACE, Oid::INFORMATION_SCHEMA_NAMESPACE] {
        if let Some(acl) = fresh.acl(AclTarget::Schema(schema)) {
            let number = Datum::Int4(0);
            sink.push(vec![oid(schema), oid(class::NAMESPACE), number, letter('i'), context.acl_items(acl)]);
        }
    }
    for function in crate::access::secret_functions() {
        if let Some(acl) = crate::access::initial_function_acl(function) {
            sink.push(vec![oid(function), oid(class::PROC), Datum::Int4(0), letter('i'), context.acl_items(&acl)]);
        }
    }
}
