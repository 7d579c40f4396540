//! Stored SQL text that names what is being renamed: defaults, checks, index expressions. (Views follow by identity: `catalog::stored_query`.)
//!
//! Text is parsed, the names in it replaced, and printed again; text that does not mention the object stays as it is.

use crate::definition_text;
use catalog::{Catalog, ConstraintKind, IndexKey, Relation, RelationKind};
use types::{Oid, Result};

/// Relations whose stored text must change when a relation gets another name or schema.
pub(crate) fn relation_renamed(catalog: &Catalog, relation: &Relation, new_schema: Oid, new: &str) -> Result<Vec<Relation>> {
    let schema_name = |oid| catalog.schema(oid).map_or_else(String::new, |schema| schema.name.to_string());
    let old_name = (schema_name(relation.schema), relation.name.to_string());
    let new_name = (schema_name(new_schema), new.to_owned());
    rewrite_all(catalog, |text| Ok(definition_text::rename_in_literals(text, &old_name, &new_name)))
}

/// Relations whose stored text must change when a schema gets another name.
pub(crate) fn schema_renamed(catalog: &Catalog, schema: Oid, old: &str, new: &str) -> Result<Vec<Relation>> {
    let members: Vec<String> =
        catalog.relations().filter(|relation| relation.schema == schema).map(|relation| relation.name.to_string()).collect();
    rewrite_all(catalog, |text| {
        let mut changed: Option<String> = None;
        for member in &members {
            let old_name = (old.to_owned(), member.clone());
            let new_name = (new.to_owned(), member.clone());
            let current = changed.as_deref().unwrap_or(text);
            if let Some(next) = definition_text::rename_in_literals(current, &old_name, &new_name) {
                changed = Some(next);
            }
        }
        Ok(changed)
    })
}

/// The table and its indexes, where their stored text must change when a column gets another name.
pub(crate) fn column_renamed(catalog: &Catalog, table: &Relation, old: &str, new: &str) -> Result<Vec<Relation>> {
    let mut changed = Vec::new();
    for oid in std::iter::once(table.oid).chain(table.indexes.iter().copied()) {
        if let Some(relation) = catalog.relation(oid) {
            changed.extend(rewritten(relation, &|text| definition_text::rename_own_column(text, old, new))?);
        }
    }
    Ok(changed)
}

fn rewrite_all(catalog: &Catalog, rewrite: impl Fn(&str) -> Result<Option<String>>) -> Result<Vec<Relation>> {
    let mut changed = Vec::new();
    for relation in catalog.relations() {
        changed.extend(rewritten(relation, &rewrite)?);
    }
    Ok(changed)
}

/// A copy of the relation with its texts rewritten; None when none changes.
fn rewritten(relation: &Relation, rewrite: &dyn Fn(&str) -> Result<Option<String>>) -> Result<Option<Relation>> {
    let mut copy = relation.clone();
    let mut any = false;
    let mut apply = |text: &mut std::sync::Arc<str>| -> Result<()> {
        if let Some(new) = rewrite(text)? {
            *text = new.into();
            any = true;
        }
        Ok(())
    };
    if let RelationKind::Index(definition) = &mut copy.kind {
        for column in &mut definition.columns {
            if let IndexKey::Expression(text) = &mut column.key {
                apply(text)?;
            }
        }
        if let Some(predicate) = &mut definition.predicate {
            apply(predicate)?;
        }
    }
    for attribute in &mut copy.attributes {
        if let Some(default) = &mut attribute.default {
            apply(default)?;
        }
    }
    for constraint in &mut copy.constraints {
        if let ConstraintKind::Check { expression, .. } = &mut constraint.kind {
            apply(expression)?;
        }
    }
    Ok(any.then_some(copy))
}
