//! pg_depend and pg_shdepend.

use catalog::dependencies::{Object, dependencies};
use types::{Datum, Oid};

use super::{
    SystemContext,
    relation_rows::{class, default_oid, rewrite_oid},
    row::{Sink, letter, oid},
};

/// classid, objid and objsubid of an object.
fn address(object: Object) -> (Oid, Oid, i32) {
    let number = |position: usize| i32::try_from(position + 1).unwrap_or(i32::MAX);
    match object {
        Object::Schema(schema) => (class::NAMESPACE, schema, 0),
        Object::Relation(relation) => (class::CLASS, relation, 0),
        Object::Column(relation, position) => (class::CLASS, relation, number(position)),
        Object::Default(relation, position) => (class::ATTRDEF, default_oid(relation, position), 0),
        Object::Type(ty) => (class::TYPE, ty, 0),
        Object::Constraint(_, constraint) => (class::CONSTRAINT, constraint, 0),
    }
}

pub(super) fn pg_depend(context: &SystemContext, sink: &mut Sink) {
    let catalog = &context.names.catalog;
    let has_rule = |object: Object| match object {
        Object::Relation(oid) => catalog.relation(oid).filter(|relation| matches!(relation.relkind(), 'v' | 'm')),
        _ => None,
    };
    let mut add = |dependent: (Oid, Oid, i32), on: (Oid, Oid, i32), strength: char| {
        let part = |(class, object, sub): (Oid, Oid, i32)| [oid(class), oid(object), Datum::Int4(sub)];
        sink.push(part(dependent).into_iter().chain(part(on)).chain([letter(strength)]).collect());
    };
    for dependency in dependencies(catalog) {
        let mut dependent = address(dependency.dependent);
        // What a view's query mentions, its rule depends on.
        if let Some(view) = has_rule(dependency.dependent)
            && !matches!(dependency.on, Object::Schema(_))
        {
            dependent = (class::REWRITE, rewrite_oid(view.oid), 0);
        }
        add(dependent, address(dependency.on), dependency.strength.letter());
    }
    for view in catalog.relations().filter(|relation| matches!(relation.relkind(), 'v' | 'm')) {
        let rule = (class::REWRITE, rewrite_oid(view.oid), 0);
        add(rule, (class::CLASS, view.oid, 0), 'i');
        add(rule, (class::CLASS, view.oid, 0), 'n');
    }
}

/// Owners of objects, except the bootstrap role, on which nothing is recorded to depend.
pub(super) fn pg_shdepend(context: &SystemContext, sink: &mut Sink) {
    let catalog = &context.names.catalog;
    let database = context.databases.iter().find(|database| database.name == context.current_database);
    let database = database.map_or(Oid::INVALID, |database| database.oid);
    let schemas = catalog.schemas().map(|schema| (class::NAMESPACE, schema.oid, schema.owner));
    let relations = catalog.relations().filter(|relation| relation.relkind() != 'i');
    let relations = relations.map(|relation| (class::CLASS, relation.oid, relation.owner));
    for (of, object, owner) in schemas.chain(relations) {
        if !matches!(owner, Oid::BOOTSTRAP_ROLE | Oid::DATABASE_OWNER_ROLE) {
            let number = Datum::Int4(0);
            sink.push(vec![oid(database), oid(of), oid(object), number, oid(class::AUTHID), oid(owner), letter('o')]);
        }
    }
}
