//! Stored SQL text that names what is being renamed: defaults, checks, index expressions. (Views follow by identity: `catalog::stored_query`.)
//!
//! Text is parsed, the names in it replaced, and printed again; text that does not mention the object stays as it is.

use std::sync::Arc;

use catalog::{Catalog, Constraint, ConstraintKind, IndexKey, Relation, RelationKind, UserType, UserTypeKind};
use types::{Oid, Result};

use crate::definition_text;

mod qualified;

/// A schema's name and that of an object in it.
type Place = (String, String);

/// Definitions whose texts have changed.
#[derive(Default)]
pub(crate) struct Rewritten {
    relations: Vec<Relation>,
    types: Vec<UserType>,
}

impl Rewritten {
    pub(crate) fn put(self, catalog: &mut Catalog) {
        self.relations.into_iter().for_each(|relation| catalog.put_relation(relation));
        self.types.into_iter().for_each(|ty| catalog.put_type(ty));
    }
}

/// What must change when a relation gets another name or schema.
pub(crate) fn relation_renamed(catalog: &Catalog, relation: &Relation, new_schema: Oid, new: &str) -> Result<Rewritten> {
    let old = (schema_name(catalog, relation.schema), relation.name.to_string());
    let new = (schema_name(catalog, new_schema), new.to_owned());
    rewrite_all(catalog, &|text| Ok(renamed_in(text, &old, &new)))
}

/// What must change when a type gets another name or schema.
pub(crate) fn type_renamed(catalog: &Catalog, ty: &UserType, new_schema: Oid, new: &str) -> Result<Rewritten> {
    let old = (schema_name(catalog, ty.schema), ty.name.to_string());
    let new = (schema_name(catalog, new_schema), new.to_owned());
    rewrite_all(catalog, &|text| Ok(renamed_in(text, &old, &new)))
}

/// What must change when relations of one schema move to another, all at once.
pub(crate) fn relations_moved(catalog: &Catalog, relations: &[Arc<Relation>], new_schema: Oid) -> Result<Rewritten> {
    let Some(first) = relations.first() else { return Ok(Rewritten::default()) };
    let names: Vec<String> = relations.iter().map(|relation| relation.name.to_string()).collect();
    members_moved(catalog, &names, &schema_name(catalog, first.schema), &schema_name(catalog, new_schema))
}

/// What must change when a schema gets another name.
pub(crate) fn schema_renamed(catalog: &Catalog, schema: Oid, old: &str, new: &str) -> Result<Rewritten> {
    let relations = catalog.relations().filter(|relation| relation.schema == schema).map(|relation| relation.name.to_string());
    let types = catalog.user_types().filter(|ty| ty.schema == schema && !matches!(ty.kind, UserTypeKind::Array { .. }));
    let members: Vec<String> = relations.chain(types.map(|ty| ty.name.to_string())).collect();
    members_moved(catalog, &members, old, new)
}

/// What must change when these objects are found in another schema.
fn members_moved(catalog: &Catalog, members: &[String], old: &str, new: &str) -> Result<Rewritten> {
    rewrite_all(catalog, &|text| {
        let mut changed: Option<String> = None;
        for member in members {
            let (old, new) = ((old.to_owned(), member.clone()), (new.to_owned(), member.clone()));
            changed = renamed_in(changed.as_deref().unwrap_or(text), &old, &new).or(changed);
        }
        Ok(changed)
    })
}

fn schema_name(catalog: &Catalog, schema: Oid) -> String {
    catalog.schema(schema).map_or_else(String::new, |schema| schema.name.to_string())
}

/// Text with an object renamed, where it names it: as a type, or in a literal that means a relation.
fn renamed_in(text: &str, old: &Place, new: &Place) -> Option<String> {
    let in_literals = definition_text::rename_in_literals(text, old, new);
    qualified::rename(in_literals.as_deref().unwrap_or(text), old, new).or(in_literals)
}

/// The table and its indexes, where their stored text must change when a column gets another name.
pub(crate) fn column_renamed(catalog: &Catalog, table: &Relation, old: &str, new: &str) -> Result<Rewritten> {
    let mut changed = Rewritten::default();
    for oid in std::iter::once(table.oid).chain(table.indexes.iter().copied()) {
        if let Some(relation) = catalog.relation(oid) {
            changed.relations.extend(rewritten(relation, &|text| definition_text::rename_own_column(text, old, new))?);
        }
    }
    Ok(changed)
}

/// How a text changes; None when it does not.
type Rewrite<'r> = dyn Fn(&str) -> Result<Option<String>> + 'r;

fn rewrite_all(catalog: &Catalog, rewrite: &Rewrite<'_>) -> Result<Rewritten> {
    let mut changed = Rewritten::default();
    for relation in catalog.relations() {
        changed.relations.extend(rewritten(relation, rewrite)?);
    }
    for ty in catalog.user_types() {
        changed.types.extend(rewritten_type(ty, rewrite)?);
    }
    Ok(changed)
}

/// Rewrites a text in place; whether it has changed.
fn apply(text: &mut Arc<str>, rewrite: &Rewrite<'_>) -> Result<bool> {
    let new = rewrite(text)?;
    let changed = new.is_some();
    if let Some(new) = new {
        *text = new.into();
    }
    Ok(changed)
}

fn apply_to_checks(constraints: &mut [Constraint], rewrite: &Rewrite<'_>) -> Result<bool> {
    let mut any = false;
    for constraint in constraints {
        if let ConstraintKind::Check { expression, .. } = &mut constraint.kind {
            any |= apply(expression, rewrite)?;
        }
    }
    Ok(any)
}

/// A copy of a domain with its texts rewritten; None when none changes.
fn rewritten_type(ty: &UserType, rewrite: &Rewrite<'_>) -> Result<Option<UserType>> {
    let mut copy = ty.clone();
    let UserTypeKind::Domain { default, constraints, .. } = &mut copy.kind else { return Ok(None) };
    let mut any = apply_to_checks(constraints, rewrite)?;
    if let Some(default) = default {
        any |= apply(default, rewrite)?;
    }
    Ok(any.then_some(copy))
}

/// A copy of the relation with its texts rewritten; None when none changes.
fn rewritten(relation: &Relation, rewrite: &Rewrite<'_>) -> Result<Option<Relation>> {
    let mut copy = relation.clone();
    let mut any = apply_to_checks(&mut copy.constraints, rewrite)?;
    if let RelationKind::Index(definition) = &mut copy.kind {
        for column in &mut definition.columns {
            if let IndexKey::Expression(text) = &mut column.key {
                any |= apply(text, rewrite)?;
            }
        }
        if let Some(predicate) = &mut definition.predicate {
            any |= apply(predicate, rewrite)?;
        }
    }
    for attribute in &mut copy.attributes {
        if let Some(default) = &mut attribute.default {
            any |= apply(default, rewrite)?;
        }
    }
    Ok(any.then_some(copy))
}
