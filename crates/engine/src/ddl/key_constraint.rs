//! PRIMARY KEY and UNIQUE constraints: each rests on a unique index, which is made for it or adopted (USING INDEX).

use std::sync::Arc;

use binder::Environment;
use catalog::{Catalog, Constraint, ConstraintKind, IndexColumn, IndexDefinition, IndexKey, Relation, RelationKind};
use pg_query::protobuf::{ConstrType, Constraint as ConstraintNode};
use storage::{IndexId, IndexShape, TableData, key::KeyOrder};
use txn::SchemaChange;
use types::{Error, Result, SqlState};

use super::{
    create_table::{add_index, duplicate_constraint, plain_constraint, refuse_existing_nulls},
    object_names, position, strings,
    written_constraint::NewConstraint,
};

/// Makes a PRIMARY KEY or UNIQUE constraint with its index.
pub(crate) fn add_key(
    change: &mut SchemaChange<'_>,
    relation: &mut Relation,
    data: &mut TableData,
    new: &NewConstraint,
    environment: &Environment,
    context: &expr::EvalContext,
) -> Result<()> {
    let node = &new.node;
    let primary = node.contype() == ConstrType::ConstrPrimary;
    if primary && relation.constraints.iter().any(|constraint| constraint.contype() == 'p') {
        return Err(multiple_primary_keys(relation).at(position(node.location)));
    }
    if !node.indexname.is_empty() {
        return adopt_index(change, relation, data, node);
    }
    let mut key_names = strings(&node.keys);
    if key_names.is_empty() {
        key_names.extend(new.column.clone());
    }
    let columns = key_positions(relation, &key_names, node, primary)?;
    let included =
        strings(&node.including).iter().map(|name| named_position(relation, name, node)).collect::<Result<Vec<_>>>()?;
    let name = match node.conname.as_str() {
        "" if primary => object_names::free_relation_name(change.catalog, relation.schema, &relation.name, None, "pkey", &[]),
        "" => {
            let mut parts = key_names.clone();
            parts.extend(strings(&node.including));
            let addition = object_names::index_name_addition(&parts);
            object_names::free_relation_name(change.catalog, relation.schema, &relation.name, Some(&addition), "key", &[])
        }
        name => name.to_owned(),
    };
    if change.catalog.relation_named(relation.schema, &name).is_some() {
        return Err(Error::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists")));
    }
    if relation.constraints.iter().any(|constraint| *constraint.name == *name) {
        return Err(duplicate_constraint(&name, relation));
    }
    if primary {
        for &position in &columns {
            refuse_existing_nulls(change.catalog, relation, data, position)?;
            relation.attributes[position].not_null = true;
        }
    }
    let definition = IndexDefinition {
        table: relation.oid,
        method: "btree".into(),
        columns: columns.iter().map(|&position| plain_index_column(relation, position)).collect(),
        included,
        unique: true,
        primary,
        nulls_not_distinct: node.nulls_not_distinct,
        deferrable: node.deferrable,
        predicate: None,
    };
    let index = add_index(change, relation, data, &name, definition, environment, context)?;
    let kind = if primary { ConstraintKind::PrimaryKey { index, columns } } else { ConstraintKind::Unique { index, columns } };
    push_constraint(change, relation, name, kind, node);
    Ok(())
}

pub(super) fn multiple_primary_keys(relation: &Relation) -> Error {
    let message = format!("multiple primary keys for table \"{}\" are not allowed", relation.name);
    Error::new(SqlState::INVALID_TABLE_DEFINITION, message)
}

fn push_constraint(
    change: &mut SchemaChange<'_>,
    relation: &mut Relation,
    name: String,
    kind: ConstraintKind,
    node: &ConstraintNode,
) {
    let plain = plain_constraint(change.catalog.allocate_oid(), name.into(), kind);
    let (deferrable, initially_deferred) = (node.deferrable, node.initdeferred);
    relation.constraints.push(Constraint { deferrable, initially_deferred, ..plain });
}

/// USING INDEX: an index that is there becomes the constraint's, and takes its name.
fn adopt_index(
    change: &mut SchemaChange<'_>,
    relation: &mut Relation,
    data: &mut TableData,
    node: &ConstraintNode,
) -> Result<()> {
    let (index, mut definition) = adoptable_index(change.catalog, relation, node)?;
    let primary = node.contype() == ConstrType::ConstrPrimary;
    let name = if node.conname.is_empty() { index.name.to_string() } else { node.conname.clone() };
    if relation.constraints.iter().any(|constraint| *constraint.name == *name) {
        return Err(duplicate_constraint(&name, relation));
    }
    let columns = definition.attribute_positions();
    if *name != *index.name && change.catalog.relation_named(relation.schema, &name).is_some() {
        return Err(Error::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists")));
    }
    if primary {
        for &position in &columns {
            refuse_existing_nulls(change.catalog, relation, data, position)?;
            relation.attributes[position].not_null = true;
        }
    }
    (definition.primary, definition.deferrable) = (primary, node.deferrable);
    for (shape, _) in data.indexes.iter_mut().filter(|(shape, _)| shape.id == IndexId(index.oid.0)) {
        *shape = Arc::new(IndexShape { deferrable: node.deferrable, ..IndexShape::clone(shape) });
    }
    let mut altered = Relation::clone(&index);
    (altered.name, altered.kind) = (name.as_str().into(), RelationKind::Index(definition));
    change.catalog.put_relation(altered);
    let index = index.oid;
    let kind = if primary { ConstraintKind::PrimaryKey { index, columns } } else { ConstraintKind::Unique { index, columns } };
    push_constraint(change, relation, name, kind, node);
    Ok(())
}

/// The index that USING INDEX names, if a constraint may rest on it (transformIndexConstraint).
fn adoptable_index(catalog: &Catalog, relation: &Relation, node: &ConstraintNode) -> Result<(Arc<Relation>, IndexDefinition)> {
    let name = &node.indexname;
    let refuse = |state, message: String| Err(Error::new(state, message).at(position(node.location)));
    let found = catalog.relation_named(relation.schema, name);
    let Some((index, RelationKind::Index(definition))) = found.map(|index| (index, &index.kind)) else {
        return match found {
            Some(_) => refuse(SqlState::WRONG_OBJECT_TYPE, format!("\"{name}\" is not an index")),
            None => refuse(SqlState::UNDEFINED_OBJECT, format!("index \"{name}\" does not exist")),
        };
    };
    let table =
        if definition.table == relation.oid { Some(relation) } else { catalog.relation(definition.table).map(|table| &**table) };
    if table.is_some_and(|table| table.constraints.iter().any(|constraint| constraint.index() == Some(index.oid))) {
        let message = format!("index \"{name}\" is already associated with a constraint");
        return refuse(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message);
    }
    if definition.table != relation.oid {
        let message = format!("index \"{name}\" does not belong to table \"{}\"", relation.name);
        return refuse(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message);
    }
    let odd_order = definition.columns.iter().position(|column| {
        column.order != KeyOrder::ASCENDING || column.operator_class.is_some() || has_other_collation(relation, column)
    });
    let reason = if !definition.unique {
        format!("\"{name}\" is not a unique index")
    } else if definition.columns.iter().any(|column| matches!(column.key, IndexKey::Expression(_))) {
        format!("index \"{name}\" contains expressions")
    } else if definition.predicate.is_some() {
        format!("\"{name}\" is a partial index")
    } else if let Some(column) = odd_order {
        format!("index \"{name}\" column number {} does not have default sorting behavior", column + 1)
    } else {
        return Ok((Arc::clone(index), definition.clone()));
    };
    let error = Error::new(SqlState::WRONG_OBJECT_TYPE, reason).at(position(node.location));
    Err(error.detail("Cannot create a primary key or unique constraint using such an index."))
}

fn has_other_collation(relation: &Relation, column: &IndexColumn) -> bool {
    matches!(column.key, IndexKey::Attribute(position) if relation.attributes[position].collation != column.collation)
}

/// A key column in default order.
fn plain_index_column(relation: &Relation, position: usize) -> IndexColumn {
    let attribute = &relation.attributes[position];
    IndexColumn {
        key: IndexKey::Attribute(position),
        ty: attribute.ty,
        order: KeyOrder::ASCENDING,
        collation: attribute.collation,
        operator_class: None,
    }
}

fn named_position(relation: &Relation, name: &str, node: &ConstraintNode) -> Result<usize> {
    relation.attribute(name).map(|(position, _)| position).ok_or_else(|| {
        Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" named in key does not exist"))
            .at(position(node.location))
    })
}

fn key_positions(relation: &Relation, names: &[String], node: &ConstraintNode, primary: bool) -> Result<Vec<usize>> {
    let mut positions = Vec::new();
    for name in names {
        let found = named_position(relation, name, node)?;
        if positions.contains(&found) {
            let kind = if primary { "primary key" } else { "unique" };
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" appears twice in {kind} constraint"))
                .at(position(node.location)));
        }
        positions.push(found);
    }
    Ok(positions)
}
