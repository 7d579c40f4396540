//! Where values of a user's type are stored: in columns of it, and within arrays, rows and domains of it.

use std::{collections::HashSet, sync::Arc};

use catalog::{Catalog, Relation, RelationKind, UserTypeKind, type_names::Names};
use types::{Error, Oid, Result, SqlState};

/// A column of a relation.
pub(super) struct Holder {
    pub(super) relation: Arc<Relation>,
    pub(super) position: usize,
}

/// The stored columns of a domain and of the domains over it (get_rels_with_domain).
///
/// Errors: 0A000 when a relation stores it within an array or a row.
pub(super) fn columns_of_domain(names: &Names, domain: Oid) -> Result<Vec<Holder>> {
    let catalog = &names.catalog;
    let mut found = Vec::new();
    for relation in catalog.relations() {
        for (position, attribute) in relation.live_attributes() {
            if attribute.ty.oid != domain {
                continue;
            }
            refuse_stored(names, relation.row_type, domain)?;
            if relation.storage().is_some() {
                found.push(Holder { relation: relation.clone(), position });
            }
        }
    }
    for ty in catalog.user_types() {
        match &ty.kind {
            UserTypeKind::Domain { base, .. } if base.oid == domain => found.extend(columns_of_domain(names, ty.oid)?),
            UserTypeKind::Array { element } if element.oid == domain => refuse_stored(names, ty.oid, domain)?,
            _ => {}
        }
    }
    found.sort_by_key(|holder| (holder.relation.oid, holder.position));
    found.dedup_by_key(|holder| (holder.relation.oid, holder.position));
    Ok(found)
}

/// Refuses to alter a type while a relation stores values of `within`, which contains it (find_composite_type_dependencies).
pub(super) fn refuse_stored(names: &Names, within: Oid, altered: Oid) -> Result<()> {
    match stored_columns(&names.catalog, within).first() {
        Some(Holder { relation, position }) => {
            let (ty, column) = (names.format_type_oid(altered), &relation.attributes[*position].name);
            let message = format!("cannot alter type \"{ty}\" because column \"{}.{column}\" uses it", relation.name);
            Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message))
        }
        None => Ok(()),
    }
}

/// The stored columns whose values are or contain values of a type.
pub(super) fn stored_columns(catalog: &Catalog, ty: Oid) -> Vec<Holder> {
    let containing = types_containing(catalog, ty);
    let mut found: Vec<Holder> = catalog
        .relations()
        .filter(|relation| relation.storage().is_some())
        .flat_map(|relation| {
            let holds = relation.live_attributes().filter(|(_, attribute)| containing.contains(&attribute.ty.oid));
            holds.map(|(position, _)| Holder { relation: relation.clone(), position })
        })
        .collect();
    found.sort_by_key(|holder| (holder.relation.oid, holder.position));
    found
}

/// The type, and the arrays, domains and row types that contain it.
pub(super) fn types_containing(catalog: &Catalog, ty: Oid) -> HashSet<Oid> {
    let mut containing = HashSet::from([ty]);
    containing.remove(&Oid::INVALID);
    loop {
        let more: Vec<Oid> = catalog
            .user_types()
            .filter(|user| !containing.contains(&user.oid))
            .filter(|user| match &user.kind {
                UserTypeKind::Array { element } => containing.contains(&element.oid),
                UserTypeKind::Domain { base, .. } => containing.contains(&base.oid),
                UserTypeKind::Composite { relation } => catalog.relation(*relation).is_some_and(|relation| {
                    !matches!(relation.kind, RelationKind::View { .. })
                        && relation.live_attributes().any(|(_, attribute)| containing.contains(&attribute.ty.oid))
                }),
                _ => false,
            })
            .map(|user| user.oid)
            .collect();
        if more.is_empty() {
            return containing;
        }
        containing.extend(more);
    }
}
