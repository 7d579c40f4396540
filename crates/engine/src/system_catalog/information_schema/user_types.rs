//! domains, attributes of composite types, array elements, and which columns use which types.

use std::sync::Arc;

use catalog::{Relation, RelationKind, UserType, UserTypeKind};
use types::{Oid, SqlType, text_format::TypeResolver};

use super::{View, describe_collation, describe_type, describe_type_name, relations::user_tables};
use crate::system_catalog::definitions::{self, Style};

fn domains_of(view: &View) -> Vec<Arc<UserType>> {
    let types = view.context.names.catalog.user_types();
    types.filter(|ty| matches!(ty.kind, UserTypeKind::Domain { .. })).cloned().collect()
}

pub(super) fn domain_is_not_null(view: &View, ty: Oid) -> bool {
    matches!(view.context.names.catalog.user_type(ty).map(|ty| &ty.kind), Some(UserTypeKind::Domain { not_null: true, .. }))
}

pub(super) fn domains(view: &mut View) {
    for ty in domains_of(view) {
        let UserTypeKind::Domain { base, default, collation, .. } = &ty.kind else { continue };
        let mut row = view.row();
        row.object("domain", view.context, &view.schema_name(ty.schema), &ty.name);
        describe_type(&mut row, view.context, *base, "udt");
        describe_collation(&mut row, view.context, *collation);
        if let Some(default) = default {
            row.text("domain_default", definitions::domain_default(view.context, default, *base, Style::INDENTED));
        }
        row.text("dtd_identifier", "1");
        view.push(row);
    }
}

pub(super) fn domain_constraints(view: &mut View) {
    for ty in domains_of(view) {
        let UserTypeKind::Domain { constraints, .. } = &ty.kind else { continue };
        for constraint in constraints {
            let schema = view.schema_name(ty.schema);
            let mut row = view.row();
            row.object("constraint", view.context, &schema, &constraint.name);
            row.object("domain", view.context, &schema, &ty.name);
            row.yes_or_no("is_deferrable", false).yes_or_no("initially_deferred", false);
            view.push(row);
        }
    }
}

pub(super) fn domain_udt_usage(view: &mut View) {
    for ty in domains_of(view) {
        let UserTypeKind::Domain { base, .. } = &ty.kind else { continue };
        let mut row = view.row();
        udt(&mut row, view, base.oid);
        row.object("domain", view.context, &view.schema_name(ty.schema), &ty.name);
        view.push(row);
    }
}

fn udt(row: &mut super::NamedRow, view: &View, ty: Oid) {
    if let Some((name, schema)) = view.context.names.type_name_and_schema(ty) {
        row.object("udt", view.context, &view.schema_name(schema), &name);
    }
}

pub(super) fn column_domain_usage(view: &mut View) {
    for (relation, schema) in user_tables(view) {
        for (_, attribute) in relation.live_attributes() {
            if view.context.names.domain_base(attribute.ty.oid).is_none() {
                continue;
            }
            let Some((domain, domain_schema)) = view.context.names.type_name_and_schema(attribute.ty.oid) else { continue };
            let mut row = view.row();
            row.object("domain", view.context, &view.schema_name(domain_schema), &domain);
            row.object("table", view.context, &schema, &relation.name).text("column_name", &attribute.name);
            view.push(row);
        }
    }
}

pub(super) fn column_udt_usage(view: &mut View) {
    for (relation, schema) in user_tables(view) {
        for (_, attribute) in relation.live_attributes() {
            let mut row = view.row();
            udt(&mut row, view, view.context.names.base_type(attribute.ty).oid);
            row.object("table", view.context, &schema, &relation.name).text("column_name", &attribute.name);
            view.push(row);
        }
    }
}

fn composite_types(view: &View) -> Vec<(Arc<Relation>, String)> {
    let relations = view.context.names.catalog.relations();
    let composite = relations.filter(|relation| matches!(relation.kind, RelationKind::Composite));
    composite.map(|relation| (relation.clone(), view.schema_name(relation.schema))).collect()
}

pub(super) fn attributes(view: &mut View) {
    for (relation, schema) in composite_types(view) {
        for (position, attribute) in relation.live_attributes() {
            let number = i32::try_from(position + 1).unwrap_or(i32::MAX);
            let mut row = view.row();
            row.object("udt", view.context, &schema, &relation.name).text("attribute_name", &attribute.name);
            row.number("ordinal_position", number).yes_or_no("is_nullable", !domain_is_not_null(view, attribute.ty.oid));
            describe_type(&mut row, view.context, attribute.ty, "attribute_udt");
            describe_collation(&mut row, view.context, attribute.collation);
            row.text("dtd_identifier", number.to_string()).yes_or_no("is_derived_reference_attribute", false);
            view.push(row);
        }
    }
}

pub(super) fn user_defined_types(view: &mut View) {
    for (relation, schema) in composite_types(view) {
        let mut row = view.row();
        row.object("user_defined_type", view.context, &schema, &relation.name);
        row.text("user_defined_type_category", "STRUCTURED").yes_or_no("is_instantiable", true);
        view.push(row);
    }
}

/// Whatever has a type: schema, name and kind of the object, the number its type goes by, and the type.
fn typed_objects(view: &View) -> Vec<(String, String, &'static str, String, SqlType)> {
    let mut objects = Vec::new();
    for (relation, schema) in user_tables(view) {
        for (position, attribute) in relation.live_attributes() {
            objects.push((schema.clone(), relation.name.to_string(), "TABLE", (position + 1).to_string(), attribute.ty));
        }
    }
    for (relation, schema) in composite_types(view) {
        for (position, attribute) in relation.live_attributes() {
            let number = (position + 1).to_string();
            objects.push((schema.clone(), relation.name.to_string(), "USER-DEFINED TYPE", number, attribute.ty));
        }
    }
    for ty in domains_of(view) {
        if let UserTypeKind::Domain { base, .. } = &ty.kind {
            objects.push((view.schema_name(ty.schema), ty.name.to_string(), "DOMAIN", "1".to_string(), *base));
        }
    }
    objects
}

pub(super) fn element_types(view: &mut View) {
    for (schema, name, kind, identifier, ty) in typed_objects(view) {
        let base = view.context.names.base_type(ty);
        let Some(element) = view.context.names.array_element(base.oid) else { continue };
        let mut row = view.row();
        row.object("object", view.context, &schema, &name).text("object_type", kind);
        row.text("collection_type_identifier", &identifier);
        describe_type_name(&mut row, view.context, element, "udt");
        row.text("dtd_identifier", format!("a{identifier}"));
        view.push(row);
    }
}

pub(super) fn data_type_privileges(view: &mut View) {
    for (schema, name, kind, identifier, _) in typed_objects(view) {
        let mut row = view.row();
        row.object("object", view.context, &schema, &name).text("object_type", kind).text("dtd_identifier", &identifier);
        view.push(row);
    }
}
