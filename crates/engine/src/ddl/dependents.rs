//! What would break if an object went: views over a relation, columns of a type, defaults that draw from a sequence.

use catalog::{Catalog, ConstraintKind, Relation, RelationKind, UserTypeKind};
use types::{Error, Oid, SqlState};

/// An object that depends on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dependent {
    Relation(Oid),
    /// A column's default, by relation and position.
    Default(Oid, usize),
    /// A column, by relation and position: it goes with its type.
    Column(Oid, usize),
    Type(Oid),
    /// A foreign key of another table, by relation and constraint.
    Constraint(Oid, Oid),
}

/// Relations a stored query reads. Stored text qualifies every name.
fn relations_read(catalog: &Catalog, query: &str) -> Vec<Oid> {
    let Ok(parsed) = pg_query::parse(query, 0) else { return Vec::new() };
    parsed
        .tables()
        .iter()
        .filter_map(|name| {
            let parts = catalog::type_names::quoting::split_qualified_name(name).ok()?;
            let [schema, name] = parts.as_slice() else { return None };
            let schema = catalog.schema_named(schema)?.oid;
            catalog.relation_named(schema, name).map(|relation| relation.oid)
        })
        .collect()
}

/// Objects that depend on a relation, those that go with it silently (its indexes and owned sequences) left out.
pub(crate) fn dependents_of_relation(catalog: &Catalog, relation: &Relation) -> Vec<Dependent> {
    let mut found = Vec::new();
    for other in catalog.relations().filter(|other| other.oid != relation.oid) {
        match &other.kind {
            RelationKind::View { query, .. } | RelationKind::MaterializedView { query, .. }
                if relations_read(catalog, query).contains(&relation.oid) =>
            {
                found.push(Dependent::Relation(other.oid));
            }
            _ => {}
        }
        for constraint in &other.constraints {
            if let ConstraintKind::ForeignKey(key) = &constraint.kind
                && key.referenced == relation.oid
            {
                found.push(Dependent::Constraint(other.oid, constraint.oid));
            }
        }
        if matches!(relation.kind, RelationKind::Sequence(_)) {
            found.extend(defaults_drawing_from(catalog, other, relation));
        }
    }
    if relation.row_type != Oid::INVALID {
        found.extend(dependents_of_type(catalog, relation.row_type, relation.row_array_type));
    }
    found
}

fn defaults_drawing_from<'a>(
    catalog: &'a Catalog,
    table: &'a Relation,
    sequence: &Relation,
) -> impl Iterator<Item = Dependent> + 'a {
    let schema = catalog.schema(sequence.schema).map_or_else(String::new, |schema| schema.name.to_string());
    let qualified = catalog::type_names::quote_qualified(Some(&schema), &sequence.name);
    let literal = format!("nextval({}", catalog::type_names::quote_literal(&qualified));
    table
        .live_attributes()
        .filter(move |(_, attribute)| attribute.default.as_deref().is_some_and(|text| text.contains(&literal)))
        .map(|(position, _)| Dependent::Default(table.oid, position))
}

/// Columns, domains and composite types that use a type or its array.
pub(crate) fn dependents_of_type(catalog: &Catalog, ty: Oid, array: Oid) -> Vec<Dependent> {
    let uses = |oid: Oid| oid == ty || (array != Oid::INVALID && oid == array);
    let mut found = Vec::new();
    for relation in catalog.relations().filter(|relation| relation.row_type != ty) {
        if matches!(relation.kind, RelationKind::Index(_) | RelationKind::Sequence(_)) {
            continue;
        }
        for (position, attribute) in relation.live_attributes() {
            if uses(attribute.ty.oid) {
                found.push(match relation.kind {
                    RelationKind::View { .. } => Dependent::Relation(relation.oid),
                    _ => Dependent::Column(relation.oid, position),
                });
            }
        }
    }
    for other in catalog.user_types() {
        if let UserTypeKind::Domain { base, .. } = &other.kind
            && uses(base.oid)
        {
            found.push(Dependent::Type(other.oid));
        }
    }
    found
}

/// The object's description in messages: "view v", "column c of table t".
pub(crate) fn describe(catalog: &Catalog, dependent: &Dependent) -> String {
    let relation_name = |oid: Oid| {
        catalog.relation(oid).map_or_else(|| oid.to_string(), |relation| format!("{} {}", relation.kind_name(), relation.name))
    };
    let attribute_name = |oid: Oid, position: usize| {
        catalog.relation(oid).map_or_else(String::new, |relation| relation.attributes[position].name.to_string())
    };
    match dependent {
        Dependent::Relation(oid) => relation_name(*oid),
        Dependent::Default(oid, position) => {
            format!("default value for column {} of {}", attribute_name(*oid, *position), relation_name(*oid))
        }
        Dependent::Column(oid, position) => format!("column {} of {}", attribute_name(*oid, *position), relation_name(*oid)),
        Dependent::Type(oid) => catalog.user_type(*oid).map_or_else(|| oid.to_string(), |ty| format!("type {}", ty.name)),
        Dependent::Constraint(oid, constraint) => {
            let name = catalog
                .relation(*oid)
                .and_then(|relation| relation.constraints.iter().find(|found| found.oid == *constraint))
                .map_or_else(String::new, |found| found.name.to_string());
            format!("constraint {name} on {}", relation_name(*oid))
        }
    }
}

/// 2BP01 with a line for each dependent.
pub(crate) fn refuse(catalog: &Catalog, object: &str, dependents: &[Dependent]) -> Error {
    let lines: Vec<String> =
        dependents.iter().map(|dependent| format!("{} depends on {object}", describe(catalog, dependent))).collect();
    Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, format!("cannot drop {object} because other objects depend on it"))
        .detail(lines.join("\n"))
        .hint("Use DROP ... CASCADE to drop the dependent objects too.")
}
