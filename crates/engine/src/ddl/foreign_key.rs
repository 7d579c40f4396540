//! FOREIGN KEY: resolved against the referenced table, checked against the rows that are there, and added to its table.
//!
//! What the constraint then asks of every change of rows is in `session::referential_integrity`.

use catalog::{
    Constraint, ConstraintKind, ForeignKey, IndexKey, Persistence, Relation, RelationKind, builtin::builtins, type_names::Names,
};
use pg_query::protobuf::Constraint as ConstraintNode;
use txn::LockMode;
use types::{Error, Oid, Result, SqlState, SqlType};

use super::{object_names, strings, written_constraint::NewConstraint};
use crate::session::{Session, referential_integrity::Reference};

impl Session {
    /// Adds a foreign key to a table. Rows are checked unless the table is new or NOT VALID was written.
    ///
    /// Errors: 42830, 42703, 42804 for a key that cannot be; 23503 when a row has no referenced one.
    pub(crate) async fn add_foreign_key(&mut self, table: Oid, new: &NewConstraint, table_is_new: bool) -> Result<()> {
        let node = &new.node;
        let range = node.pktable.as_ref().ok_or_else(|| Error::internal("a foreign key without a referenced table"))?;
        let referenced = self.locked_relation(range, LockMode::ShareRowExclusive).await.map_err(|mut error| {
            // PostgreSQL looks the table up only after the statement has been analysed.
            error.fields_mut().position = None;
            error
        })?;
        let names = self.names()?;
        let relation = names.catalog.relation(table).cloned().ok_or_else(|| Error::internal("the table of a new foreign key"))?;
        let name = constraint_name(&relation, new)?;
        let key = resolve(&relation, &referenced, new, &name, &names)?;
        let validated = table_is_new || !node.skip_validation;
        let oid = self.open_transaction()?.txn.change_schema(|change| {
            let oid = change.catalog.allocate_oid();
            let mut altered = Relation::clone(&relation);
            altered.constraints.push(Constraint {
                oid,
                name: name.as_str().into(),
                kind: ConstraintKind::ForeignKey(key),
                deferrable: node.deferrable,
                initially_deferred: node.initdeferred,
                validated,
                comment: None,
            });
            change.catalog.put_relation(altered);
            Ok(oid)
        })?;
        if validated && !table_is_new { self.check_existing_references(table, oid).await } else { Ok(()) }
    }

    /// Looks again at the foreign keys of and to a column whose type has changed.
    ///
    /// Errors: 42804 when a key's columns cannot be compared any more; 23503.
    pub(crate) async fn recheck_foreign_keys(&mut self, table: Oid, column: usize) -> Result<()> {
        let names = self.names()?;
        let Some(relation) = names.catalog.relation(table) else { return Ok(()) };
        for other in names.catalog.relations_referencing(table).chain([relation]) {
            for constraint in &other.constraints {
                let Some(key) = constraint.foreign_key() else { continue };
                let concerned = (other.oid == table && key.columns.contains(&column))
                    || (key.referenced == table && key.referenced_columns.contains(&column));
                if let Some(referenced) = names.catalog.relation(key.referenced).filter(|_| concerned) {
                    refuse_incomparable(other, referenced, key, &constraint.name, &names)?;
                    self.check_existing_references(other.oid, constraint.oid).await?;
                }
            }
        }
        Ok(())
    }

    /// 23503 when a row of the table references nothing.
    pub(crate) async fn check_existing_references(&mut self, table: Oid, constraint: Oid) -> Result<()> {
        let names = self.names()?;
        let Some(reference) = Reference::named(&names.catalog, table, constraint) else { return Ok(()) };
        self.check_all_rows(&reference).await
    }
}

/// The name written, or `table_columns_fkey`.
fn constraint_name(relation: &Relation, new: &NewConstraint) -> Result<String> {
    let taken = |name: &str| relation.constraints.iter().any(|constraint| &*constraint.name == name);
    let written = new.node.conname.as_str();
    if written.is_empty() {
        let addition = object_names::index_name_addition(&own_column_names(new));
        return Ok(object_names::free_constraint_name(&taken, &relation.name, Some(&addition), "fkey"));
    }
    if taken(written) {
        let message = format!("constraint \"{written}\" for relation \"{}\" already exists", relation.name);
        return Err(Error::new(SqlState::DUPLICATE_OBJECT, message));
    }
    Ok(written.to_owned())
}

fn own_column_names(new: &NewConstraint) -> Vec<String> {
    match &new.column {
        Some(column) => vec![column.clone()],
        None => strings(&new.node.fk_attrs),
    }
}

fn resolve(relation: &Relation, referenced: &Relation, new: &NewConstraint, name: &str, names: &Names) -> Result<ForeignKey> {
    let node = &new.node;
    if !matches!(referenced.kind, RelationKind::Table { .. }) {
        let message = format!("referenced relation \"{}\" is not a table", referenced.name);
        return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
    }
    refuse_shorter_lived(relation, referenced)?;
    let columns = named_columns(relation, &own_column_names(new))?;
    let (referenced_columns, referenced_index) = match strings(&node.pk_attrs) {
        written if written.is_empty() => primary_key(referenced, names)?,
        written => {
            let positions = named_columns(referenced, &written)?;
            let index = matching_index(referenced, &positions, names)?;
            (positions, index)
        }
    };
    if columns.len() != referenced_columns.len() {
        let message = "number of referencing and referenced columns for foreign key disagree";
        return Err(Error::new(SqlState::INVALID_FOREIGN_KEY, message));
    }
    let key = ForeignKey {
        delete_set_columns: deleted_columns(relation, node, &columns)?,
        columns,
        referenced: referenced.oid,
        referenced_columns,
        referenced_index,
        on_update: letter(&node.fk_upd_action, 'a'),
        on_delete: letter(&node.fk_del_action, 'a'),
        match_type: letter(&node.fk_matchtype, 's'),
    };
    refuse_incomparable(relation, referenced, &key, name, names)?;
    refuse_generated(relation, &key)?;
    Ok(key)
}

fn refuse_incomparable(relation: &Relation, referenced: &Relation, key: &ForeignKey, name: &str, names: &Names) -> Result<()> {
    for (&own, &other) in key.columns.iter().zip(&key.referenced_columns) {
        let (own, other) = (&relation.attributes[own], &referenced.attributes[other]);
        if !is_comparable(own.ty, other.ty, names) {
            let detail = format!(
                "Key columns \"{}\" and \"{}\" are of incompatible types: {} and {}.",
                own.name,
                other.name,
                names.format_type_oid(own.ty.oid),
                names.format_type_oid(other.ty.oid)
            );
            let message = format!("foreign key constraint \"{name}\" cannot be implemented");
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message).detail(detail));
        }
    }
    Ok(())
}

fn letter(written: &str, default: char) -> char {
    written.chars().next().unwrap_or(default)
}

/// A table may reference only what lives at least as long.
fn refuse_shorter_lived(relation: &Relation, referenced: &Relation) -> Result<()> {
    use Persistence::{Permanent, Temporary, Unlogged};
    let message = match (relation.persistence, referenced.persistence) {
        (Permanent, Temporary | Unlogged) => "constraints on permanent tables may reference only permanent tables",
        (Unlogged, Temporary) => "constraints on unlogged tables may reference only permanent or unlogged tables",
        (Temporary, Permanent | Unlogged) => "constraints on temporary tables may reference only temporary tables",
        _ => return Ok(()),
    };
    Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message))
}

fn named_columns(relation: &Relation, names: &[String]) -> Result<Vec<usize>> {
    let find = |name: &String| {
        relation.attribute(name).map(|(position, _)| position).ok_or_else(|| {
            let message = format!("column \"{name}\" referenced in foreign key constraint does not exist");
            Error::new(SqlState::UNDEFINED_COLUMN, message)
        })
    };
    names.iter().map(find).collect()
}

fn primary_key(referenced: &Relation, names: &Names) -> Result<(Vec<usize>, Oid)> {
    let found = referenced.constraints.iter().find_map(|constraint| match &constraint.kind {
        ConstraintKind::PrimaryKey { index, columns } => Some((constraint, columns.clone(), *index)),
        _ => None,
    });
    let (constraint, columns, index) = found.ok_or_else(|| {
        let message = format!("there is no primary key for referenced table \"{}\"", referenced.name);
        Error::new(SqlState::UNDEFINED_OBJECT, message)
    })?;
    if constraint.deferrable {
        let message = format!("cannot use a deferrable primary key for referenced table \"{}\"", referenced.name);
        return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
    }
    debug_assert!(names.catalog.relation(index).is_some());
    Ok((columns, index))
}

/// The unique index over exactly these columns, in any order (transformFkeyCheckAttrs).
fn matching_index(referenced: &Relation, columns: &[usize], names: &Names) -> Result<Oid> {
    let repeated = columns.iter().enumerate().any(|(at, column)| columns[..at].contains(column));
    if repeated {
        let message = "foreign key referenced-columns list must not contain duplicates";
        return Err(Error::new(SqlState::INVALID_FOREIGN_KEY, message));
    }
    let mut found_deferrable = false;
    for index in &referenced.indexes {
        let Some(RelationKind::Index(definition)) = names.catalog.relation(*index).map(|relation| &relation.kind) else {
            continue;
        };
        let covers = |column: &usize| {
            definition.columns.iter().any(|own| matches!(own.key, IndexKey::Attribute(position) if position == *column))
        };
        let is_match = definition.unique
            && definition.predicate.is_none()
            && definition.columns.len() == columns.len()
            && columns.iter().all(covers);
        if !is_match {
            continue;
        }
        let owner = referenced.constraints.iter().find(|constraint| constraint.index() == Some(*index));
        if owner.is_none_or(|constraint| !constraint.deferrable) {
            return Ok(*index);
        }
        found_deferrable = true;
    }
    if found_deferrable {
        let message = format!("cannot use a deferrable unique constraint for referenced table \"{}\"", referenced.name);
        return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
    }
    let message = format!("there is no unique constraint matching given keys for referenced table \"{}\"", referenced.name);
    Err(Error::new(SqlState::INVALID_FOREIGN_KEY, message))
}

/// Whether the referenced key's index can be asked for values of the referencing column: operators of one family, or an implicit cast.
fn is_comparable(own: SqlType, referenced: SqlType, names: &Names) -> bool {
    let (own, referenced) = (names.base_type(own).oid, names.base_type(referenced).oid);
    const FAMILIES: [&[Oid]; 4] = [
        &[Oid::INT2, Oid::INT4, Oid::INT8],
        &[Oid::FLOAT4, Oid::FLOAT8],
        &[Oid::DATE, Oid::TIMESTAMP, Oid::TIMESTAMPTZ],
        &[Oid::TEXT, Oid::VARCHAR, Oid::NAME],
    ];
    own == referenced
        || FAMILIES.iter().any(|family| family.contains(&own) && family.contains(&referenced))
        || builtins().cast(own, referenced).is_some_and(|cast| cast.context == 'i')
}

/// ON DELETE SET NULL (columns)
fn deleted_columns(relation: &Relation, node: &ConstraintNode, columns: &[usize]) -> Result<Vec<usize>> {
    let written = strings(&node.fk_del_set_cols);
    let positions = named_columns(relation, &written)?;
    for (name, position) in written.iter().zip(&positions) {
        if !columns.contains(position) {
            let message = format!("column \"{name}\" referenced in ON DELETE SET action must be part of foreign key");
            return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(super::position(node.location)));
        }
    }
    Ok(positions)
}

/// A generated column cannot be set.
fn refuse_generated(relation: &Relation, key: &ForeignKey) -> Result<()> {
    let is_generated = key.columns.iter().any(|&position| relation.attributes[position].generated.is_some());
    let invalid = |event: &str| {
        let message = format!("invalid ON {event} action for foreign key constraint containing generated column");
        Err(Error::new(SqlState::SYNTAX_ERROR, message))
    };
    match (is_generated, key.on_update, key.on_delete) {
        (true, 'n' | 'd' | 'c', _) => invalid("UPDATE"),
        (true, _, 'n' | 'd') => invalid("DELETE"),
        _ => Ok(()),
    }
}
