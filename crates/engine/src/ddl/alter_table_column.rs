//! ALTER TABLE's subcommands on columns.

use crate::definition_text;
use std::sync::Arc;

use binder::ExpressionKind;
use catalog::{Attribute, IdentityKind, IndexKey, Object, Relation, RelationKind, dependencies};
use pg_query::{
    NodeEnum,
    protobuf::{AlterTableCmd, ColumnDef, ConstrType},
};
use storage::{Batch, Column, RowId, TableData, TxnId};
use txn::SchemaChange;
use types::{Datum, Error, Oid, Result, SqlState};

use super::{
    create_table::{add_check, add_key, new_column, refuse_existing_nulls},
    index_shape, sequence,
    written_constraint::column_constraints,
};
use crate::session::{Session, environment};

/// The position of a live column.
///
/// Errors: 42703.
pub(crate) fn live_position(relation: &Relation, name: &str) -> Result<usize> {
    relation.attribute(name).map(|(position, _)| position).ok_or_else(|| {
        Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" of relation \"{}\" does not exist", relation.name))
    })
}

fn column_definition(subcommand: &AlterTableCmd) -> Result<&ColumnDef> {
    match subcommand.def.as_deref().and_then(|node| node.node.as_ref()) {
        Some(NodeEnum::ColumnDef(column)) => Ok(column),
        _ => Err(Error::internal("a subcommand without its column")),
    }
}

impl Session {
    pub(super) async fn add_column(&mut self, relation: &Arc<Relation>, subcommand: &AlterTableCmd) -> Result<()> {
        let column = column_definition(subcommand)?;
        if relation.attribute(&column.colname).is_some() {
            let message = format!("column \"{}\" of relation \"{}\" already exists", column.colname, relation.name);
            if subcommand.missing_ok {
                self.skipped(SqlState::DUPLICATE_COLUMN, format!("{message}, skipping"));
                return Ok(());
            }
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, message));
        }
        let storage = relation.storage().ok_or_else(|| {
            Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("cannot add column to {} \"{}\"", relation.kind_name(), relation.name),
            )
        })?;
        let names = self.names()?;
        let environment = self.environment(names.clone())?;
        let context = environment::eval_context(self, Arc::from([]))?;
        let new = new_column(column, &relation.name, &names, &environment)?;
        let constraints = column_constraints(column)?;
        let mut attribute = new.attribute;
        let altered = self.open_transaction()?.txn.change_schema(|change| {
            let mut altered = Relation::clone(relation);
            let position = altered.attributes.len();
            if let Some(sequence) = new.sequence {
                let text = sequence::create_owned(change.catalog, relation, position, &attribute, sequence)?;
                if attribute.identity.is_none() {
                    attribute.default = Some(text);
                }
            }
            let mut data = change.table(storage)?;
            data.rows.add_column(attribute.ty.physical, &Datum::Null);
            altered.attributes.push(attribute);
            change.catalog.put_relation(altered.clone());
            change.put_table(storage, data);
            Ok(altered)
        })?;
        self.fill_new_column(&altered, altered.attributes.len() - 1)?;
        self.open_transaction()?.txn.change_schema(|change| {
            let mut altered = altered;
            let mut data = change.table(storage)?;
            if altered.attributes.last().is_some_and(|attribute| attribute.not_null) {
                refuse_existing_nulls(change.catalog, &altered, &data, altered.attributes.len() - 1)?;
            }
            for constraint in &constraints {
                match constraint.node.contype() {
                    ConstrType::ConstrCheck => add_check(change.catalog, &mut altered, constraint, &environment)?,
                    ConstrType::ConstrForeign => {}
                    _ => {
                        add_key(change, &mut altered, &mut data, constraint, &environment, &context)?;
                    }
                }
            }
            change.catalog.put_relation(altered);
            change.put_table(storage, data);
            Ok(())
        })?;
        for constraint in constraints.iter().filter(|new| new.node.contype() == ConstrType::ConstrForeign) {
            self.add_foreign_key(relation.oid, constraint, false).await?;
        }
        Ok(())
    }

    /// Gives a column just added its default in every existing row.
    fn fill_new_column(&mut self, relation: &Relation, position: usize) -> Result<()> {
        let attribute = &relation.attributes[position];
        let text = match (&attribute.default, attribute.identity) {
            (Some(text), _) => text.to_string(),
            (None, Some(_)) => self.identity_default(relation, position)?,
            // A domain has a default of its own, and may refuse NULL.
            (None, None) => match self.names()?.catalog.user_type(attribute.ty.oid).map(|ty| &ty.kind) {
                Some(catalog::UserTypeKind::Domain { default, .. }) => default.as_deref().unwrap_or("NULL").to_owned(),
                _ => return Ok(()),
            },
        };
        if attribute.generated.is_some() {
            let names = self.names()?;
            let environment = self.environment(names)?;
            let columns = index_shape::row_columns(relation);
            let node = binder::parse::parse_expression(&text)?;
            definition_text::check_generated(&node, &attribute.name, attribute.ty, relation, &columns, &environment)?;
        }
        self.rewrite_column(relation, position, &text, attribute.ty)
    }

    /// `nextval` on the sequence of an identity column, as SQL text.
    fn identity_default(&mut self, relation: &Relation, position: usize) -> Result<String> {
        let names = self.names()?;
        let sequence = names
            .catalog
            .relations()
            .find(|other| {
                other.owned_by.is_some_and(|(table, column, identity)| identity && table == relation.oid && column == position)
            })
            .ok_or_else(|| Error::internal("an identity column without a sequence"))?;
        let schema = names.catalog.schema(sequence.schema).map_or_else(String::new, |schema| schema.name.to_string());
        let qualified = catalog::type_names::quote_qualified(Some(&schema), &sequence.name);
        Ok(format!("nextval({}::regclass)", catalog::type_names::quote_literal(&qualified)))
    }

    pub(super) fn drop_column(&mut self, relation: &Arc<Relation>, name: &str, missing_ok: bool, cascade: bool) -> Result<()> {
        let position = match live_position(relation, name) {
            Ok(position) => position,
            Err(error) if missing_ok => {
                self.notice(format!("{}, skipping", error.message()));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.remove_with_dependents(&[Object::Column(relation.oid, position)], cascade)
    }

    pub(super) fn set_default(&mut self, relation: &Arc<Relation>, subcommand: &AlterTableCmd) -> Result<()> {
        let position = live_position(relation, &subcommand.name)?;
        let attribute = &relation.attributes[position];
        if attribute.identity.is_some() {
            let message = format!("column \"{}\" of relation \"{}\" is an identity column", attribute.name, relation.name);
            let error = Error::new(SqlState::SYNTAX_ERROR, message);
            return Err(match subcommand.def {
                None => error.hint("Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead."),
                Some(_) => error,
            });
        }
        if attribute.generated.is_some() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("column \"{}\" of relation \"{}\" is a generated column", attribute.name, relation.name),
            ));
        }
        let default = match subcommand.def.as_deref() {
            None => None,
            Some(node) => {
                let environment = {
                    let names = self.names()?;
                    self.environment(names)?
                };
                definition_text::check_default(node, &attribute.name, attribute.ty, &environment)?
            }
        };
        self.put_altered(relation, |altered| altered.attributes[position].default = default)
    }

    pub(super) fn set_not_null(&mut self, relation: &Arc<Relation>, name: &str, not_null: bool) -> Result<()> {
        let position = live_position(relation, name)?;
        let attribute = &relation.attributes[position];
        if !not_null {
            let in_key = relation.constraints.iter().any(|constraint| {
                matches!(&constraint.kind, catalog::ConstraintKind::PrimaryKey { columns, .. } if columns.contains(&position))
            });
            if in_key {
                return Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, format!("column \"{name}\" is in a primary key")));
            }
            if attribute.identity.is_some() {
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    format!("column \"{name}\" of relation \"{}\" is an identity column", relation.name),
                ));
            }
        } else if let Some(storage) = relation.storage() {
            let data = self.open_transaction()?.txn.table(storage)?;
            refuse_existing_nulls(&self.names()?.catalog, relation, &data, position)?;
        }
        self.put_altered(relation, |altered| altered.attributes[position].not_null = not_null)
    }

    pub(super) fn drop_expression(&mut self, relation: &Arc<Relation>, name: &str, missing_ok: bool) -> Result<()> {
        let position = live_position(relation, name)?;
        if relation.attributes[position].generated.is_none() {
            let message = format!("column \"{name}\" of relation \"{}\" is not a stored generated column", relation.name);
            if missing_ok {
                self.skipped(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, format!("{message}, skipping"));
                return Ok(());
            }
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        }
        self.put_altered(relation, |altered| {
            altered.attributes[position].generated = None;
            altered.attributes[position].default = None;
        })
    }

    pub(super) fn add_identity(&mut self, relation: &Arc<Relation>, subcommand: &AlterTableCmd) -> Result<()> {
        let position = live_position(relation, &subcommand.name)?;
        let attribute = &relation.attributes[position];
        let prerequisite = |message: String| Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        let place = format!("column \"{}\" of relation \"{}\"", attribute.name, relation.name);
        if !attribute.not_null {
            return prerequisite(format!("{place} must be declared NOT NULL before identity can be added"));
        }
        if attribute.identity.is_some() {
            return prerequisite(format!("{place} is already an identity column"));
        }
        if attribute.default.is_some() {
            return prerequisite(format!("{place} already has a default value"));
        }
        let Some(NodeEnum::Constraint(node)) = subcommand.def.as_deref().and_then(|node| node.node.as_ref()) else {
            return Err(Error::internal("ADD GENERATED without its definition"));
        };
        let identity = if node.generated_when == "a" { IdentityKind::Always } else { IdentityKind::ByDefault };
        let new = sequence::NewSequence { ty: attribute.ty, options: node.options.clone() };
        self.open_transaction()?.txn.change_schema(|change| {
            let mut altered = Relation::clone(relation);
            altered.attributes[position].identity = Some(identity);
            let attribute = altered.attributes[position].clone();
            sequence::create_owned(change.catalog, relation, position, &attribute, new)?;
            change.catalog.put_relation(altered);
            Ok(())
        })
    }

    pub(super) fn drop_identity(&mut self, relation: &Arc<Relation>, name: &str, missing_ok: bool) -> Result<()> {
        let position = live_position(relation, name)?;
        if relation.attributes[position].identity.is_none() {
            let message = format!("column \"{name}\" of relation \"{}\" is not an identity column", relation.name);
            if missing_ok {
                self.skipped(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, format!("{message}, skipping"));
                return Ok(());
            }
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        }
        self.open_transaction()?.txn.change_schema(|change| {
            let mut altered = Relation::clone(relation);
            altered.attributes[position].identity = None;
            change.catalog.put_relation(altered);
            remove_owned_sequences(change, relation.oid, position);
            Ok(())
        })
    }

    pub(super) fn set_column_storage(&mut self, relation: &Arc<Relation>, subcommand: &AlterTableCmd) -> Result<()> {
        let position = live_position(relation, &subcommand.name)?;
        let Some(NodeEnum::String(word)) = subcommand.def.as_deref().and_then(|node| node.node.as_ref()) else {
            return Err(Error::internal("SET STORAGE without a word"));
        };
        let letter = storage_letter(&word.sval)?;
        self.put_altered(relation, |altered| altered.attributes[position].storage = Some(letter))
    }

    pub(super) fn alter_column_type(&mut self, relation: &Arc<Relation>, subcommand: &AlterTableCmd) -> Result<()> {
        let position = live_position(relation, &subcommand.name)?;
        let attribute = relation.attributes[position].clone();
        let column = column_definition(subcommand)?;
        let names = self.names()?;
        let environment = self.environment(names.clone())?;
        let type_name = column.type_name.as_ref().ok_or_else(|| Error::internal("ALTER TYPE without a type"))?;
        let ty = definition_text::resolve_type(type_name, &names)?;
        refuse_dependent_views(&names.catalog, relation, &attribute)?;
        refuse_dependent_generated(&names.catalog, relation, position)?;
        let columns = index_shape::row_columns(relation);
        let using = match column.raw_default.as_deref() {
            Some(node) => {
                definition_text::bind_expression(node, &columns, ExpressionKind::AlterColumnTransform, &environment)?;
                definition_text::deparse_expression(node, &columns, ExpressionKind::AlterColumnTransform, &environment)?
            }
            None => {
                definition_text::check_assignable(&attribute.name, attribute.ty, ty, &environment)?;
                catalog::type_names::quote_identifier(&attribute.name).into_owned()
            }
        };
        let default = match &attribute.default {
            Some(text) if attribute.generated.is_none() => {
                Some(definition_text::recast_default(text, &attribute.name, ty, &environment)?)
            }
            other => other.clone(),
        };
        if attribute.identity.is_some() {
            super::create_table::refuse_identity_type(ty)?;
        }
        self.rewrite_column_type(relation, position, &using, ty, default)?;
        if attribute.identity.is_some() { self.retype_identity_sequence(relation.oid, position, ty) } else { Ok(()) }
    }
}

/// pg_attribute.attstorage for a word of SET STORAGE.
pub(super) fn storage_letter(word: &str) -> Result<char> {
    match word.to_ascii_lowercase().as_str() {
        "plain" => Ok('p'),
        "external" => Ok('e'),
        "extended" => Ok('x'),
        "main" => Ok('m'),
        other => Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid storage type \"{other}\""))),
    }
}

fn refuse_dependent_generated(catalog: &catalog::Catalog, relation: &Relation, position: usize) -> Result<()> {
    let column = Object::Column(relation.oid, position);
    let dependent = dependencies::dependencies(catalog).into_iter().find_map(|dependency| match dependency.dependent {
        Object::Column(table, other) if dependency.on == column && table == relation.oid => relation.attributes.get(other),
        _ => None,
    });
    match dependent.filter(|other| other.generated.is_some()) {
        Some(other) => {
            let message = "cannot alter type of a column used by a generated column";
            let name = &relation.attributes[position].name;
            Err(Error::new(SqlState::SYNTAX_ERROR, message)
                .detail(format!("Column \"{name}\" is used by generated column \"{}\".", other.name)))
        }
        None => Ok(()),
    }
}

fn refuse_dependent_views(catalog: &catalog::Catalog, relation: &Relation, attribute: &Attribute) -> Result<()> {
    let Some((position, _)) = relation.attribute(&attribute.name) else { return Ok(()) };
    let column = Object::Column(relation.oid, position);
    let dependencies = dependencies::dependencies(catalog);
    let mut relations = dependencies
        .iter()
        .filter(|dependency| dependency.on == column)
        .filter_map(|dependency| if let Object::Relation(oid) = dependency.dependent { catalog.relation(oid) } else { None });
    let is_view =
        |relation: &&Arc<Relation>| matches!(relation.kind, RelationKind::View { .. } | RelationKind::MaterializedView { .. });
    match relations.find(is_view) {
        Some(view) => Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "cannot alter type of a column used by a view or rule")
            .detail(format!("rule _RETURN on view {} depends on column \"{}\"", view.name, attribute.name))),
        None => Ok(()),
    }
}

/// Drops a column: its values, the indexes and constraints on it, its sequence. Its position stays, dead.
pub(crate) fn remove_column(change: &mut SchemaChange<'_>, table: Oid, position: usize) {
    let Some(relation) = change.catalog.relation(table).cloned() else { return };
    change.catalog.put_acl(catalog::AclTarget::Column(table, position), None);
    let doomed_indexes: Vec<Oid> = relation
        .indexes
        .iter()
        .copied()
        .filter(|index| {
            change.catalog.relation(*index).is_some_and(|index| match &index.kind {
                RelationKind::Index(definition) => {
                    let name = &relation.attributes[position].name;
                    definition.included.contains(&position)
                        || definition.columns.iter().any(|column| match &column.key {
                            IndexKey::Attribute(attribute) => *attribute == position,
                            IndexKey::Expression(text) => definition_text::mentions_column(text, name),
                        })
                        || definition.predicate.as_deref().is_some_and(|text| definition_text::mentions_column(text, name))
                }
                _ => false,
            })
        })
        .collect();
    for index in doomed_indexes {
        super::drop::detach_index(change, table, index);
        change.catalog.remove_relation(index);
    }
    remove_owned_sequences(change, table, position);
    let Some(current) = change.catalog.relation(table) else { return };
    let mut altered = Relation::clone(current);
    altered.constraints.retain(|constraint| match &constraint.kind {
        catalog::ConstraintKind::Check { columns, .. } => !columns.contains(&position),
        catalog::ConstraintKind::ForeignKey(key) => !key.columns.contains(&position),
        _ => true,
    });
    let attribute = &mut altered.attributes[position];
    attribute.dropped = true;
    attribute.name = format!("........pg.dropped.{}........", position + 1).into();
    (attribute.default, attribute.identity, attribute.generated, attribute.not_null) = (None, None, None, false);
    let storage = altered.storage();
    change.catalog.put_relation(altered);
    if let Some(storage) = storage
        && let Ok(mut data) = change.table(storage)
    {
        data.rows.clear_column(position);
        change.put_table(storage, data);
    }
}

fn remove_owned_sequences(change: &mut SchemaChange<'_>, table: Oid, position: usize) {
    let owned: Vec<Oid> = change
        .catalog
        .relations()
        .filter(|other| other.owned_by.is_some_and(|(owner, column, _)| owner == table && column == position))
        .map(|other| other.oid)
        .collect();
    owned.into_iter().for_each(|sequence| super::drop::remove_relation(change, sequence));
}

/// A table's rows with one column replaced; row ids stay.
pub(crate) fn with_column_replaced(
    data: &TableData,
    physical: &[types::Physical],
    position: usize,
    mut replacement: impl FnMut(&storage::Chunk, &[u32]) -> Result<Arc<Column>>,
) -> Result<TableData> {
    let mut fresh = TableData::new(physical);
    for chunk in data.rows.chunks() {
        let slots: Vec<u32> = chunk.presence().ones().map(|slot| slot as u32).collect();
        let new = replacement(&chunk, &slots)?;
        let columns: Vec<Arc<Column>> = chunk
            .columns()
            .iter()
            .enumerate()
            .map(|(at, column)| if at == position { new.clone() } else { Arc::new(column.take(&slots)) })
            .collect();
        // Runs of neighbouring ids go in by column; a gap starts a new run.
        let mut start = 0;
        while start < slots.len() {
            let first = chunk.row_id(slots[start] as usize);
            let mut end = start + 1;
            while end < slots.len() && chunk.row_id(slots[end] as usize) == RowId(first.0 + (end - start) as u64) {
                end += 1;
            }
            let run = columns.iter().map(|column| Arc::new(column.slice(start, end - start))).collect();
            let writer: TxnId = chunk.writer(slots[start] as usize);
            fresh.rows.insert_batch(first, writer, &Batch::new(run, end - start));
            start = end;
        }
    }
    Ok(fresh)
}
