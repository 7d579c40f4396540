//! CREATE TABLE.

use crate::definition_text;
use std::sync::Arc;

use binder::{Environment, ExpressionKind};
use catalog::{
    Attribute, Catalog, Constraint, ConstraintKind, GeneratedKind, IdentityKind, IndexDefinition, IndexKey, Name, Persistence,
    Relation, RelationKind, type_names::Names,
};
use pg_query::{
    NodeEnum,
    protobuf::{ColumnDef, ConstrType, Constraint as ConstraintNode, CreateStmt, Node, RangeVar, TableLikeClause},
};
use storage::TableData;
use txn::SchemaChange;
use types::{Error, Oid, Result, SqlState, SqlType};

pub(crate) use super::key_constraint::add_key;
use super::{
    alter_table_column::storage_letter,
    index_shape,
    key_constraint::multiple_primary_keys,
    object_names, position, register_row_type, relation_named, sequence, strings,
    written_constraint::{NewConstraint, column_constraints, table_constraint},
};
use crate::session::{Outcome, Session, environment, on_commit::written_action, utility::command};

/// A column as CREATE TABLE or ADD COLUMN defines it, resolved.
pub(crate) struct NewColumn {
    pub attribute: Attribute,
    /// A sequence to make for it: serial and identity columns.
    pub sequence: Option<sequence::NewSequence>,
    /// The expression of a generated column as it is written in the statement.
    generation: Option<Node>,
}

/// A table under construction.
#[derive(Default)]
struct TableParts {
    columns: Vec<NewColumn>,
    constraints: Vec<NewConstraint>,
    /// Indexes copied by LIKE ... INCLUDING INDEXES: definition, whether it carried a constraint.
    like_indexes: Vec<(Arc<Relation>, IndexDefinition)>,
}

impl Session {
    pub(crate) async fn create_table(&mut self, statement: &CreateStmt) -> Result<Outcome> {
        refuse_unsupported(statement)?;
        let range = statement.relation.as_ref().ok_or_else(|| Error::internal("CREATE TABLE without a name"))?;
        let on_commit = written_action(statement.oncommit, range)?;
        let (schema, persistence) = self.creation_schema(range).await?;
        let names = self.names()?;
        if self.skip_existing(&names, schema, &range.relname, statement.if_not_exists)? {
            return Ok(command("CREATE TABLE"));
        }
        let environment = self.environment(names.clone())?;
        let mut parts = TableParts::default();
        for element in &statement.table_elts {
            match &element.node {
                Some(NodeEnum::ColumnDef(column)) => {
                    self.add_column_definition(&mut parts, column, &range.relname, &names, &environment)?;
                }
                Some(NodeEnum::Constraint(constraint)) => {
                    parts.constraints.push(table_constraint(constraint)?);
                }
                Some(NodeEnum::TableLikeClause(clause)) => add_like(&mut parts, clause, &names)?,
                _ => return Err(Error::unsupported("this kind of table element")),
            }
        }
        let mut options = super::temporary::storage_options(&statement.options)?;
        if options.iter().any(|option| matches!(&**option, "oids=true" | "oids=on" | "oids=1" | "oids=yes")) {
            return Err(Error::unsupported("tables declared WITH OIDS are not supported"));
        }
        // What is said of all tables is not kept of one.
        options.retain(|option| !option.starts_with("oids="));
        let is_foreign = |new: &NewConstraint| new.node.contype() == ConstrType::ConstrForeign;
        let (foreign, own) = std::mem::take(&mut parts.constraints).into_iter().partition(is_foreign);
        parts.constraints = own;
        let table = self.finish_create_table(range, schema, persistence, parts, options, &environment)?;
        self.remember_on_commit(table, on_commit);
        let foreign: Vec<NewConstraint> = foreign;
        for constraint in &foreign {
            self.add_foreign_key(table, constraint, true).await?;
        }
        Ok(command("CREATE TABLE"))
    }

    fn add_column_definition(
        &mut self,
        parts: &mut TableParts,
        column: &ColumnDef,
        table: &str,
        names: &Arc<Names>,
        environment: &Environment,
    ) -> Result<()> {
        if parts.columns.iter().any(|existing| *existing.attribute.name == *column.colname) {
            return Err(Error::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{}\" specified more than once", column.colname),
            ));
        }
        let new = new_column(column, table, names, environment)?;
        parts.columns.push(new);
        parts.constraints.extend(column_constraints(column)?);
        Ok(())
    }

    fn finish_create_table(
        &mut self,
        range: &RangeVar,
        schema: Oid,
        persistence: Persistence,
        parts: TableParts,
        options: Vec<Arc<str>>,
        environment: &Environment,
    ) -> Result<Oid> {
        let owner = self.current_role().oid;
        let context = environment::eval_context(self, Arc::from([]))?;
        let open = self.open_transaction()?;
        open.txn.change_schema(|change| {
            let oid = change.catalog.allocate_oid();
            let (row_type, row_array_type) = register_row_type(change.catalog, oid, schema, &range.relname, owner);
            let storage = change.allocate_table();
            let mut relation = Relation {
                oid,
                schema,
                name: range.relname.as_str().into(),
                owner,
                persistence,
                kind: RelationKind::Table { storage },
                attributes: Vec::new(),
                constraints: Vec::new(),
                indexes: Vec::new(),
                row_type,
                row_array_type,
                options,
                comment: None,
                owned_by: None,
            };
            let mut generations = Vec::new();
            for column in parts.columns {
                generations.push(column.generation);
                let mut attribute = column.attribute;
                if let Some(sequence) = column.sequence {
                    let text =
                        sequence::create_owned(change.catalog, &relation, relation.attributes.len(), &attribute, sequence)?;
                    if attribute.identity.is_none() {
                        attribute.default = Some(text);
                    }
                }
                relation.attributes.push(attribute);
            }
            let physical: Vec<_> = relation.attributes.iter().map(|attribute| attribute.ty.physical).collect();
            let mut data = TableData::new(&physical);
            change.catalog.put_relation(relation.clone());
            check_generated_columns(&relation, &generations, environment)?;
            add_constraints(change, &mut relation, &mut data, parts.constraints, environment, &context)?;
            for (source, definition) in parts.like_indexes {
                add_like_index(change, &mut relation, &mut data, &source, definition, environment, &context)?;
            }
            change.catalog.put_relation(relation);
            change.put_table(storage, data);
            Ok(oid)
        })
    }

    /// Whether a relation of this name exists already and the statement is to be skipped with a notice.
    ///
    /// Errors: 42P07.
    pub(crate) fn skip_existing(&mut self, names: &Names, schema: Oid, name: &str, if_not_exists: bool) -> Result<bool> {
        if names.relation_in(schema, name).is_some() {
            if if_not_exists {
                self.skipped(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists, skipping"));
                return Ok(true);
            }
            return Err(Error::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists")));
        }
        let movable = || object_names::movable_array_type(&names.catalog, schema, name).is_some();
        if names.catalog.user_type_named(schema, name).is_some() && !movable() {
            return Err(Error::new(SqlState::DUPLICATE_OBJECT, format!("type \"{name}\" already exists"))
                .hint("A relation has an associated type of the same name, so you must use a name that doesn't conflict with any existing type."));
        }
        Ok(false)
    }

    pub(crate) fn skipped(&self, sqlstate: SqlState, message: String) {
        self.shared.add_notice(expr::context::NoticeLevel::Notice, Error::new(sqlstate, message));
    }
}

fn refuse_unsupported(statement: &CreateStmt) -> Result<()> {
    if statement.partspec.is_some() || statement.partbound.is_some() {
        return Err(Error::unsupported("PARTITION BY"));
    }
    if !statement.inh_relations.is_empty() {
        return Err(Error::unsupported("INHERITS"));
    }
    if statement.of_typename.is_some() {
        return Err(Error::unsupported("CREATE TABLE ... OF type"));
    }
    if !statement.tablespacename.is_empty() && statement.tablespacename != "pg_default" {
        return Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("tablespace \"{}\" does not exist", statement.tablespacename),
        ));
    }
    if !statement.access_method.is_empty() && statement.access_method != "heap" {
        return Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("access method \"{}\" does not exist", statement.access_method),
        ));
    }
    Ok(())
}

/// Resolves a column definition: type, NOT NULL, DEFAULT, identity, generated.
pub(crate) fn new_column(column: &ColumnDef, table: &str, names: &Arc<Names>, environment: &Environment) -> Result<NewColumn> {
    let type_name = column.type_name.as_ref().ok_or_else(|| Error::internal("a column without a type"))?;
    let serial = serial_type(type_name);
    let ty = match serial {
        Some(ty) => ty,
        None => definition_text::resolve_type(type_name, names)?,
    };
    refuse_pseudo_type(ty, &column.colname, names)?;
    refuse_system_name(&column.colname)?;
    let mut attribute = Attribute {
        name: column.colname.as_str().into(),
        ty,
        not_null: serial.is_some() || column.is_not_null,
        dropped: false,
        default: None,
        identity: None,
        generated: None,
        collation: column_collation(column, ty)?,
        comment: None,
        storage: written_storage(column)?,
        is_local: true,
    };
    let mut sequence = serial.map(|ty| sequence::NewSequence { ty, options: Vec::new() });
    let mut generation = None;
    let mut null_written = false;
    let mut has_default = serial.is_some();
    for node in &column.constraints {
        let Some(NodeEnum::Constraint(constraint)) = &node.node else { continue };
        match constraint.contype() {
            ConstrType::ConstrNotnull if null_written => return Err(conflicting_null(column, table, constraint)),
            ConstrType::ConstrNotnull => attribute.not_null = true,
            ConstrType::ConstrNull if attribute.not_null && serial.is_none() => {
                return Err(conflicting_null(column, table, constraint));
            }
            ConstrType::ConstrNull => null_written = true,
            ConstrType::ConstrDefault => {
                if has_default {
                    return Err(written_twice("default values specified", column, table, constraint));
                }
                let expression = constraint.raw_expr.as_deref().ok_or_else(|| Error::internal("DEFAULT without a value"))?;
                has_default = true;
                attribute.default = definition_text::check_default(expression, &attribute.name, ty, environment)?;
            }
            ConstrType::ConstrIdentity => {
                refuse_identity_type(ty)?;
                if attribute.identity.is_some() {
                    return Err(written_twice("identity specifications", column, table, constraint));
                }
                attribute.identity =
                    Some(if constraint.generated_when == "a" { IdentityKind::Always } else { IdentityKind::ByDefault });
                attribute.not_null = true;
                sequence = Some(sequence::NewSequence { ty, options: constraint.options.clone() });
            }
            ConstrType::ConstrGenerated => {
                if attribute.generated.is_some() {
                    return Err(written_twice("generation clauses specified", column, table, constraint));
                }
                if constraint.generated_kind == "v" {
                    return Err(Error::unsupported("GENERATED ALWAYS AS (...) VIRTUAL").hint("Use STORED."));
                }
                attribute.generated = Some(GeneratedKind::Stored);
                // Bound once all columns are known.
                let expression =
                    constraint.raw_expr.as_deref().ok_or_else(|| Error::internal("GENERATED without an expression"))?;
                attribute.default = Some(definition_text::print_expression(expression)?.into());
                generation = Some(expression.clone());
            }
            _ => {}
        }
        refuse_combined_defaults(&attribute, has_default, column, table).map_err(|error| {
            // The default of a serial column is written nowhere.
            if serial.is_some() { error } else { error.at(position(constraint.location)) }
        })?;
    }
    Ok(NewColumn { attribute, sequence, generation })
}

fn written_twice(what: &str, column: &ColumnDef, table: &str, constraint: &ConstraintNode) -> Error {
    let message = format!("multiple {what} for column \"{}\" of table \"{table}\"", column.colname);
    Error::new(SqlState::SYNTAX_ERROR, message).at(position(constraint.location))
}

/// STORAGE of a column's definition; None for its type's own.
///
/// Errors: 22023; 0A000 for a compression method: values are not compressed.
fn written_storage(column: &ColumnDef) -> Result<Option<char>> {
    if !matches!(column.compression.as_str(), "" | "default") {
        return Err(Error::unsupported("COMPRESSION"));
    }
    match column.storage_name.as_str() {
        "" | "default" => Ok(None),
        word => storage_letter(word).map(Some),
    }
}

fn refuse_combined_defaults(attribute: &Attribute, has_default: bool, column: &ColumnDef, table: &str) -> Result<()> {
    let both = |first: &str, second: &str| {
        Err(Error::new(
            SqlState::SYNTAX_ERROR,
            format!("both {first} and {second} specified for column \"{}\" of table \"{table}\"", column.colname),
        ))
    };
    match (has_default, attribute.identity.is_some(), attribute.generated.is_some()) {
        (true, true, _) => both("default", "identity"),
        (true, _, true) => both("default", "generation expression"),
        (_, true, true) => both("identity", "generation expression"),
        _ => Ok(()),
    }
}

fn conflicting_null(column: &ColumnDef, table: &str, constraint: &ConstraintNode) -> Error {
    Error::new(
        SqlState::SYNTAX_ERROR,
        format!("conflicting NULL/NOT NULL declarations for column \"{}\" of table \"{table}\"", column.colname),
    )
    .at(position(constraint.location))
}

pub(super) fn refuse_identity_type(ty: SqlType) -> Result<()> {
    match ty.oid {
        Oid::INT2 | Oid::INT4 | Oid::INT8 => Ok(()),
        _ => Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "identity column type must be smallint, integer, or bigint")),
    }
}

fn refuse_pseudo_type(ty: SqlType, column: &str, names: &Names) -> Result<()> {
    let is_pseudo = catalog::builtin::builtins().type_by_oid(ty.oid).is_some_and(|fact| fact.kind == 'p');
    if is_pseudo {
        return Err(Error::new(
            SqlState::INVALID_TABLE_DEFINITION,
            format!("column \"{column}\" has pseudo-type {}", names.format_type(ty)),
        ));
    }
    Ok(())
}

/// 42701 for a name that every table has a column of.
pub(super) fn refuse_system_name(name: &str) -> Result<()> {
    if matches!(name, "tableoid" | "cmax" | "xmax" | "cmin" | "xmin" | "ctid") {
        let message = format!("column name \"{name}\" conflicts with a system column name");
        return Err(Error::new(SqlState::DUPLICATE_COLUMN, message));
    }
    Ok(())
}

fn column_collation(column: &ColumnDef, ty: SqlType) -> Result<Oid> {
    let Some(clause) = column.coll_clause.as_deref() else {
        return Ok(if ty.is_string() {
            if ty.oid == Oid::NAME { Oid::C_COLLATION } else { Oid::DEFAULT_COLLATION }
        } else {
            Oid::INVALID
        });
    };
    collation_named(&strings(&clause.collname).pop().unwrap_or_default(), position(clause.location))
}

pub(super) fn collation_named(name: &str, at: Option<usize>) -> Result<Oid> {
    match name {
        "default" => Ok(Oid::DEFAULT_COLLATION),
        "C" => Ok(Oid::C_COLLATION),
        "POSIX" => Ok(Oid(951)),
        _ => {
            let message = format!("collation \"{name}\" for encoding \"UTF8\" does not exist");
            Err(Error::new(SqlState::UNDEFINED_OBJECT, message).at(at))
        }
    }
}

/// The integer type behind `serial` and its kin.
fn serial_type(name: &pg_query::protobuf::TypeName) -> Option<SqlType> {
    if !name.array_bounds.is_empty() {
        return None;
    }
    match strings(&name.names).as_slice() {
        [name] => match name.as_str() {
            "smallserial" | "serial2" => Some(SqlType::INT2),
            "serial" | "serial4" => Some(SqlType::INT4),
            "bigserial" | "serial8" => Some(SqlType::INT8),
            _ => None,
        },
        _ => None,
    }
}

const LIKE_CONSTRAINTS: u32 = 1 << 2;
const LIKE_DEFAULTS: u32 = 1 << 3;
const LIKE_GENERATED: u32 = 1 << 4;
const LIKE_IDENTITY: u32 = 1 << 5;
const LIKE_INDEXES: u32 = 1 << 6;
const LIKE_COMMENTS: u32 = 1 << 0;
const LIKE_STORAGE: u32 = 1 << 8;

fn add_like(parts: &mut TableParts, clause: &TableLikeClause, names: &Arc<Names>) -> Result<()> {
    let range = clause.relation.as_ref().ok_or_else(|| Error::internal("LIKE without a table"))?;
    let source = relation_named(names, range)?;
    let includes = |option: u32| clause.options & option != 0;
    for (_, attribute) in source.live_attributes() {
        if parts.columns.iter().any(|existing| existing.attribute.name == attribute.name) {
            return Err(Error::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{}\" specified more than once", attribute.name),
            ));
        }
        let mut copy = attribute.clone();
        let keep_default = if copy.generated.is_some() { includes(LIKE_GENERATED) } else { includes(LIKE_DEFAULTS) };
        if !keep_default {
            (copy.default, copy.generated) = (None, None);
        }
        let sequence = match copy.identity {
            Some(_) if includes(LIKE_IDENTITY) => Some(sequence::NewSequence { ty: copy.ty, options: Vec::new() }),
            _ => {
                copy.identity = None;
                None
            }
        };
        if !includes(LIKE_COMMENTS) {
            copy.comment = None;
        }
        if !includes(LIKE_STORAGE) {
            copy.storage = None;
        }
        parts.columns.push(NewColumn { attribute: copy, sequence, generation: None });
    }
    if includes(LIKE_CONSTRAINTS) {
        for constraint in &source.constraints {
            if let ConstraintKind::Check { expression, .. } = &constraint.kind {
                let node = definition_text::parse_expression(expression)?;
                parts.constraints.push(NewConstraint {
                    node: ConstraintNode {
                        contype: ConstrType::ConstrCheck as i32,
                        conname: constraint.name.to_string(),
                        raw_expr: Some(Box::new(node)),
                        location: -1,
                        ..ConstraintNode::default()
                    },
                    column: None,
                });
            }
        }
    }
    if includes(LIKE_INDEXES) {
        for oid in &source.indexes {
            if let Some(index) = names.catalog.relation(*oid)
                && let RelationKind::Index(definition) = &index.kind
            {
                parts.like_indexes.push((index.clone(), remapped(definition, &source, &parts.columns)));
            }
        }
    }
    Ok(())
}

/// An index definition with positions of the source's attributes replaced by those of the new columns.
fn remapped(definition: &IndexDefinition, source: &Relation, columns: &[NewColumn]) -> IndexDefinition {
    let place = |position: usize| {
        let name = &source.attributes[position].name;
        columns.iter().position(|column| column.attribute.name == *name).unwrap_or(position)
    };
    let mut copy = definition.clone();
    for column in &mut copy.columns {
        if let IndexKey::Attribute(position) = &mut column.key {
            *position = place(*position);
        }
    }
    copy.included.iter_mut().for_each(|position| *position = place(*position));
    copy
}

fn add_like_index(
    change: &mut SchemaChange<'_>,
    relation: &mut Relation,
    data: &mut TableData,
    source: &Relation,
    mut definition: IndexDefinition,
    environment: &Environment,
    context: &expr::EvalContext,
) -> Result<()> {
    let columns = definition.attribute_positions();
    if definition.primary && relation.constraints.iter().any(|constraint| constraint.contype() == 'p') {
        return Err(multiple_primary_keys(relation));
    }
    let source_table = std::mem::replace(&mut definition.table, relation.oid);
    let copied = change
        .catalog
        .relation(source_table)
        .and_then(|table| table.constraints.iter().find(|constraint| constraint.index() == Some(source.oid)).cloned());
    let names: Vec<String> = columns.iter().map(|&position| relation.attributes[position].name.to_string()).collect();
    let label = match (definition.primary, &copied) {
        (true, _) => "pkey",
        (_, Some(_)) => "key",
        _ => "idx",
    };
    let addition = object_names::index_name_addition(&names);
    let second = (!definition.primary).then_some(addition.as_str());
    let name = object_names::free_relation_name(change.catalog, relation.schema, &relation.name, second, label, &[]);
    let primary = definition.primary;
    let index = add_index(change, relation, data, &name, definition, environment, context)?;
    if let Some(copied) = copied {
        if primary {
            columns.iter().for_each(|&position| relation.attributes[position].not_null = true);
        }
        let kind =
            if primary { ConstraintKind::PrimaryKey { index, columns } } else { ConstraintKind::Unique { index, columns } };
        let oid = change.catalog.allocate_oid();
        let (deferrable, initially_deferred) = (copied.deferrable, copied.initially_deferred);
        let plain = plain_constraint(oid, name.into(), kind);
        relation.constraints.push(Constraint { deferrable, initially_deferred, ..plain });
    }
    Ok(())
}

pub(super) fn plain_constraint(oid: Oid, name: Name, kind: ConstraintKind) -> Constraint {
    Constraint { oid, name, kind, deferrable: false, initially_deferred: false, validated: true, comment: None }
}

/// Adds constraints to a table whose attributes are complete, in PostgreSQL's order: keys before checks are named.
pub(crate) fn add_constraints(
    change: &mut SchemaChange<'_>,
    relation: &mut Relation,
    data: &mut TableData,
    constraints: Vec<NewConstraint>,
    environment: &Environment,
    context: &expr::EvalContext,
) -> Result<()> {
    for constraint in &constraints {
        match constraint.node.contype() {
            ConstrType::ConstrPrimary | ConstrType::ConstrUnique if !constraint.node.indexname.is_empty() => {
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "cannot use an existing index in CREATE TABLE")
                    .at(position(constraint.node.location)));
            }
            ConstrType::ConstrPrimary | ConstrType::ConstrUnique => {
                add_key(change, relation, data, constraint, environment, context)?;
            }
            ConstrType::ConstrCheck => add_check(change.catalog, relation, constraint, environment)?,
            ConstrType::ConstrExclusion => return Err(Error::unsupported("EXCLUDE")),
            _ => return Err(Error::unsupported("this kind of constraint")),
        }
    }
    Ok(())
}

/// `written` has the expressions that the statement itself holds; LIKE copies others as text.
fn check_generated_columns(relation: &Relation, written: &[Option<Node>], environment: &Environment) -> Result<()> {
    let columns = index_shape::row_columns(relation);
    for (attribute, written) in relation.attributes.iter().zip(written).filter(|(attribute, _)| attribute.generated.is_some()) {
        let node = match (written, &attribute.default) {
            (Some(node), _) => node.clone(),
            (None, Some(text)) => definition_text::parse_expression(text)?,
            (None, None) => continue,
        };
        definition_text::check_generated(&node, &attribute.name, attribute.ty, relation, &columns, environment)?;
    }
    Ok(())
}

/// Makes a CHECK constraint; existing rows are checked by the caller.
pub(crate) fn add_check(
    catalog: &mut Catalog,
    relation: &mut Relation,
    new: &NewConstraint,
    environment: &Environment,
) -> Result<()> {
    let expression = new.node.raw_expr.as_deref().ok_or_else(|| Error::internal("CHECK without an expression"))?;
    let columns = index_shape::row_columns(relation);
    let bound = definition_text::bind_condition(expression, &columns, ExpressionKind::CheckConstraint, environment)?;
    let mut mentioned: Vec<usize> = bound.columns().iter().map(|id| id.0 as usize).collect();
    mentioned.sort_unstable();
    mentioned.dedup();
    let taken = |name: &str| relation.constraints.iter().any(|constraint| &*constraint.name == name);
    let name = if new.node.conname.is_empty() {
        // Named after the column when it mentions just one.
        let column = match mentioned.as_slice() {
            [position] => Some(relation.attributes[*position].name.to_string()),
            _ => new.column.clone().filter(|_| mentioned.is_empty()),
        };
        object_names::free_constraint_name(&taken, &relation.name, column.as_deref(), "check")
    } else if taken(&new.node.conname) {
        return Err(duplicate_constraint(&new.node.conname, relation));
    } else {
        new.node.conname.clone()
    };
    let kind = ConstraintKind::Check {
        expression: definition_text::deparse_expression(expression, &columns, ExpressionKind::CheckConstraint, environment)?
            .into(),
        columns: mentioned,
        no_inherit: new.node.is_no_inherit,
    };
    let mut constraint = plain_constraint(catalog.allocate_oid(), name.as_str().into(), kind);
    constraint.validated = !new.node.skip_validation;
    relation.constraints.push(constraint);
    Ok(())
}

pub(super) fn duplicate_constraint(name: &str, relation: &Relation) -> Error {
    Error::new(SqlState::DUPLICATE_OBJECT, format!("constraint \"{name}\" for relation \"{}\" already exists", relation.name))
}

/// 23502 when an existing row has NULL in a column that is to be NOT NULL.
pub(crate) fn refuse_existing_nulls(catalog: &Catalog, relation: &Relation, data: &TableData, position: usize) -> Result<()> {
    let attribute = &relation.attributes[position];
    for chunk in data.rows.chunks() {
        let column = &chunk.columns()[position];
        if column.validity().is_some() && chunk.presence().ones().any(|slot| column.is_null(slot)) {
            return Err(Error::new(
                SqlState::NOT_NULL_VIOLATION,
                format!("column \"{}\" of relation \"{}\" contains null values", attribute.name, relation.name),
            )
            .in_table(catalog.schema(relation.schema).map_or("", |schema| &*schema.name), &*relation.name)
            .in_column(attribute.name.to_string()));
        }
    }
    Ok(())
}

/// Makes an index relation, fills the index from the rows, and lists it with its table.
///
/// Errors: 23505 `could not create unique index`.
pub(crate) fn add_index(
    change: &mut SchemaChange<'_>,
    relation: &mut Relation,
    data: &mut TableData,
    name: &str,
    definition: IndexDefinition,
    environment: &Environment,
    context: &expr::EvalContext,
) -> Result<Oid> {
    let oid = change.catalog.allocate_oid();
    let shape = Arc::new(index_shape::index_shape(relation, oid, &definition, environment, context)?);
    if let Err((first, _)) = data.add_index(shape.clone())? {
        let key = super::create_index::key_description(relation, &definition, data, first, &shape, context)?;
        return Err(Error::new(SqlState::UNIQUE_VIOLATION, format!("could not create unique index \"{name}\""))
            .detail(format!("Key {key} is duplicated."))
            .of_constraint(name));
    }
    let attributes = super::create_index::index_attributes(relation, &definition);
    change.catalog.put_relation(Relation {
        oid,
        schema: relation.schema,
        name: name.into(),
        owner: relation.owner,
        persistence: relation.persistence,
        kind: RelationKind::Index(definition),
        attributes,
        constraints: Vec::new(),
        indexes: Vec::new(),
        row_type: Oid::INVALID,
        row_array_type: Oid::INVALID,
        options: Vec::new(),
        comment: None,
        owned_by: None,
    });
    relation.indexes.push(oid);
    Ok(oid)
}
