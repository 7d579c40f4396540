//! pg_description: comments on everything but databases and roles.

use catalog::UserTypeKind;
use types::{Datum, Oid};

use super::{
    SystemContext,
    relation_rows::{attribute_number, class},
    row::{Sink, name, oid},
};

pub(super) fn pg_description(context: &SystemContext, sink: &mut Sink) {
    let mut add = |object: Oid, of: Oid, part: i32, comment: &Option<std::sync::Arc<str>>| {
        if let Some(comment) = comment {
            sink.push(vec![oid(object), oid(of), Datum::Int4(part), name(comment)]);
        }
    };
    let catalog = &context.names.catalog;
    for schema in catalog.schemas() {
        add(schema.oid, class::NAMESPACE, 0, &schema.comment);
    }
    for relation in catalog.relations() {
        add(relation.oid, class::CLASS, 0, &relation.comment);
        for (position, attribute) in relation.live_attributes() {
            add(relation.oid, class::CLASS, i32::from(attribute_number(position)), &attribute.comment);
        }
        for constraint in &relation.constraints {
            add(constraint.oid, class::CONSTRAINT, 0, &constraint.comment);
        }
    }
    for ty in catalog.user_types() {
        add(ty.oid, class::TYPE, 0, &ty.comment);
        if let UserTypeKind::Domain { constraints, .. } = &ty.kind {
            for constraint in constraints {
                add(constraint.oid, class::CONSTRAINT, 0, &constraint.comment);
            }
        }
    }
}
