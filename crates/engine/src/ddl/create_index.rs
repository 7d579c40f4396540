//! CREATE INDEX.

use crate::offload::run_offloaded;
use crate::{definition_text, immutable::is_immutable};
use std::sync::Arc;

use binder::{Environment, ExpressionKind};
use catalog::{Attribute, IndexColumn, IndexDefinition, IndexKey, Relation};
use pg_query::{
    NodeEnum,
    protobuf::{IndexElem, IndexStmt, Node, SortByDir, SortByNulls},
};
use storage::{IndexShape, RowId, TableData, key::KeyOrder};
use txn::LockMode;
use types::{Datum, Error, Oid, Result, SqlState, SqlType};

use super::{
    create_table::add_index,
    index_options::{self, refuse_included_options},
    index_shape, object_names, strings,
};
use crate::session::{Outcome, Session, environment, utility::command};

/// Access methods whose indexes the ordered tree serves. The others (gin, gist, brin, spgist) answer questions it cannot.
const METHODS: &[&str] = &["btree", "hash"];

/// What an entry takes while an index is built and in it, about.
const INDEX_ENTRY_BYTES: usize = 64;

impl Session {
    pub(crate) async fn create_index(&mut self, statement: &IndexStmt) -> Result<Outcome> {
        if statement.concurrent {
            self.refuse_in_block("CREATE INDEX CONCURRENTLY")?;
        }
        let method = if statement.access_method.is_empty() { "btree" } else { &statement.access_method };
        refuse_method(method, statement.unique)?;
        index_options::refuse_shape_of_method(statement, method)?;
        let range = statement.relation.as_ref().ok_or_else(|| Error::internal("CREATE INDEX without a table"))?;
        let table = self.locked_relation(range, LockMode::ShareTable).await?;
        let Some(storage) = table.storage() else {
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("cannot create index on relation \"{}\"", table.name))
                .detail(format!("This operation is not supported for {}s.", table.kind_name())));
        };
        let names = self.names()?;
        if !statement.idxname.is_empty() && names.relation_in(table.schema, &statement.idxname).is_some() {
            if statement.if_not_exists {
                self.skipped(SqlState::DUPLICATE_TABLE, format!("relation \"{}\" already exists, skipping", statement.idxname));
                return Ok(command("CREATE INDEX"));
            }
            return Err(Error::new(SqlState::DUPLICATE_TABLE, format!("relation \"{}\" already exists", statement.idxname)));
        }
        index_options::check_parameters(&statement.options, method)?;
        let environment = self.environment(names)?;
        let context = environment::eval_context(self, Arc::from([]))?;
        let (definition, column_names) = index_definition(statement, method, &table, &environment)?;
        let rows = self.open_transaction()?.txn.table(storage)?.rows.len();
        self.grow_transaction(rows * INDEX_ENTRY_BYTES)?;
        let offload = self.offload.clone();
        let txn = self.open_transaction()?.txn.clone();
        run_offloaded(&*offload, true, || {
            txn.change_schema(|change| {
                let name = match statement.idxname.as_str() {
                    "" => {
                        let addition = object_names::index_name_addition(&column_names);
                        object_names::free_relation_name(change.catalog, table.schema, &table.name, Some(&addition), "idx", &[])
                    }
                    name => name.to_owned(),
                };
                let mut relation = Relation::clone(&table);
                let mut data = change.table(storage)?;
                add_index(change, &mut relation, &mut data, &name, definition, &environment, &context)?;
                change.catalog.put_relation(relation);
                change.put_table(storage, data);
                Ok(())
            })
        })?;
        Ok(command("CREATE INDEX"))
    }
}

fn refuse_method(method: &str, unique: bool) -> Result<()> {
    if METHODS.contains(&method) {
        if unique && method != "btree" {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("access method \"{method}\" does not support unique indexes"),
            ));
        }
        return Ok(());
    }
    match method {
        "gin" | "gist" | "brin" | "spgist" => {
            Err(Error::unsupported(format!("access method \"{method}\""))
                .hint("Use btree, or no index: scans in memory are fast."))
        }
        _ => Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("access method \"{method}\" does not exist"))),
    }
}

fn index_definition(
    statement: &IndexStmt,
    method: &str,
    table: &Relation,
    environment: &Environment,
) -> Result<(IndexDefinition, Vec<String>)> {
    let mut columns = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for parameter in &statement.index_params {
        let Some(NodeEnum::IndexElem(element)) = &parameter.node else { continue };
        let (column, name) = index_column(element, method, table, environment)?;
        columns.push(column);
        names.push(distinct_name(&names, name));
    }
    let included = statement
        .index_including_params
        .iter()
        .filter_map(|parameter| match &parameter.node {
            Some(NodeEnum::IndexElem(element)) => Some(element),
            _ => None,
        })
        .map(|element| {
            refuse_included_options(element)?;
            attribute_position(table, &element.name)
        })
        .collect::<Result<Vec<_>>>()?;
    let mut all_names = names;
    all_names.extend(included.iter().map(|&position| table.attributes[position].name.to_string()));
    let predicate = statement
        .where_clause
        .as_deref()
        .map(|clause| {
            let columns = index_shape::row_columns(table);
            let bound = definition_text::bind_condition(clause, &columns, ExpressionKind::IndexPredicate, environment)?;
            refuse_mutable(&bound, "predicate", environment)?;
            definition_text::deparse_expression(clause, &columns, ExpressionKind::IndexPredicate, environment)
        })
        .transpose()?;
    let definition = IndexDefinition {
        table: table.oid,
        method: method.into(),
        columns,
        included,
        unique: statement.unique,
        primary: false,
        nulls_not_distinct: statement.nulls_not_distinct,
        deferrable: false,
        predicate: predicate.map(Into::into),
    };
    Ok((definition, all_names))
}

/// A second column of one name gets a number: (lower(a), lower(b)) makes lower_lower1.
fn distinct_name(taken: &[String], name: String) -> String {
    if !taken.contains(&name) {
        return name;
    }
    (1..).map(|number| format!("{name}{number}")).find(|candidate| !taken.contains(candidate)).unwrap_or(name)
}

fn attribute_position(table: &Relation, name: &str) -> Result<usize> {
    table
        .attribute(name)
        .map(|(position, _)| position)
        .ok_or_else(|| Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist")))
}

fn refuse_mutable(expression: &expr::Expr, part: &str, environment: &Environment) -> Result<()> {
    if !is_immutable(expression, &environment.names) {
        let message = format!("functions in index {part} must be marked IMMUTABLE");
        return Err(Error::new(SqlState::INVALID_OBJECT_DEFINITION, message));
    }
    Ok(())
}

fn index_column(element: &IndexElem, method: &str, table: &Relation, environment: &Environment) -> Result<(IndexColumn, String)> {
    let (key, ty, collation, name) = match element.expr.as_deref() {
        None => {
            let position = attribute_position(table, &element.name)?;
            let attribute = &table.attributes[position];
            (IndexKey::Attribute(position), attribute.ty, attribute.collation, element.name.clone())
        }
        Some(written) => {
            let columns = index_shape::row_columns(table);
            let (node, collation) = without_collation(written)?;
            let bound = definition_text::bind_expression(node, &columns, ExpressionKind::IndexExpression, environment)?;
            refuse_mutable(&bound, "expression", environment)?;
            let name = definition_text::column_name(written);
            let name = if name == "?column?" { "expr".to_owned() } else { name };
            let key = match &bound {
                // A column in parentheses, or with its collation, is the column.
                expr::Expr::Column { id, .. } => IndexKey::Attribute(id.0 as usize),
                _ => IndexKey::Expression(
                    definition_text::deparse_expression(node, &columns, ExpressionKind::IndexExpression, environment)?.into(),
                ),
            };
            (key, bound.ty(), collation, name)
        }
    };
    if matches!(ty.oid, Oid::RECORD | Oid::RECORD_ARRAY) {
        let message = format!("column \"{name}\" has pseudo-type {}", environment.names.format_type(ty));
        return Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message));
    }
    let collation = match strings(&element.collation).pop() {
        Some(name) => {
            let collation = super::create_table::collation_named(&name, None)?;
            if !binder::is_collatable(&environment.names, ty.oid) {
                let message = format!("collations are not supported by type {}", environment.names.format_type(ty));
                return Err(Error::new(SqlState::DATATYPE_MISMATCH, message));
            }
            collation
        }
        None => collation,
    };
    let descending = SortByDir::try_from(element.ordering) == Ok(SortByDir::SortbyDesc);
    let nulls_first = match SortByNulls::try_from(element.nulls_ordering) {
        Ok(SortByNulls::SortbyNullsFirst) => true,
        Ok(SortByNulls::SortbyNullsLast) => false,
        _ => descending,
    };
    let operator_class: Option<Arc<str>> = strings(&element.opclass).pop().map(Into::into);
    match &operator_class {
        Some(name) => index_options::check_operator_class(name, method, ty, &environment.names)?,
        None => refuse_unordered(ty, environment)?,
    }
    index_options::refuse_options_of_class(element, operator_class.as_deref())?;
    index_options::refuse_order_of_method(element, method)?;
    let column = IndexColumn { key, ty, order: KeyOrder { descending, nulls_first }, collation, operator_class };
    Ok((column, name))
}

/// An expression without the COLLATE around it, and what that says.
fn without_collation(written: &Node) -> Result<(&Node, Oid)> {
    let Some(NodeEnum::CollateClause(clause)) = &written.node else { return Ok((written, Oid::DEFAULT_COLLATION)) };
    let inner = clause.arg.as_deref().ok_or_else(|| Error::internal("COLLATE of nothing"))?;
    let name = strings(&clause.collname).pop().unwrap_or_default();
    Ok((without_collation(inner)?.0, super::create_table::collation_named(&name, None)?))
}

fn refuse_unordered(ty: SqlType, environment: &Environment) -> Result<()> {
    if matches!(ty.oid, Oid::JSON | Oid::XML | Oid::POINT) {
        return Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("data type {} has no default operator class for access method \"btree\"", environment.names.format_type(ty)),
        )
        .hint("You must specify an operator class for the index or define a default operator class for the data type."));
    }
    Ok(())
}

/// The index's own attributes, as pg_attribute shows them.
pub(crate) fn index_attributes(table: &Relation, definition: &IndexDefinition) -> Vec<Attribute> {
    let mut taken: Vec<String> = Vec::new();
    let key_names = definition.columns.iter().map(|column| match &column.key {
        IndexKey::Attribute(position) => (table.attributes[*position].name.to_string(), column.ty, column.collation),
        IndexKey::Expression(text) => {
            let name = definition_text::parse_expression(text)
                .map_or_else(|_| "expr".to_owned(), |node| definition_text::column_name(&node));
            (if name == "?column?" { "expr".to_owned() } else { name }, column.ty, column.collation)
        }
    });
    let included = definition.included.iter().map(|&position| {
        let attribute = &table.attributes[position];
        (attribute.name.to_string(), attribute.ty, attribute.collation)
    });
    key_names
        .chain(included)
        .map(|(name, ty, collation)| {
            let name = distinct_name(&taken, name);
            taken.push(name.clone());
            Attribute {
                name: name.as_str().into(),
                ty,
                not_null: false,
                dropped: false,
                default: None,
                identity: None,
                generated: None,
                collation,
                comment: None,
                storage: None,
                is_local: true,
            }
        })
        .collect()
}

/// `(a, b)=(1, 2)`: the key of a row, for details of unique violations.
pub(crate) fn key_description(
    table: &Relation,
    definition: &IndexDefinition,
    data: &TableData,
    row: RowId,
    shape: &IndexShape,
    context: &expr::EvalContext,
) -> Result<String> {
    let values: Vec<Datum> = match (data.rows.get(row), &shape.attributes) {
        (Some(row), Some(attributes)) => attributes.iter().map(|&position| row[position].clone()).collect(),
        (Some(row), None) => match &shape.source {
            Some(source) => source.key_values(&row)?.unwrap_or_default(),
            None => Vec::new(),
        },
        (None, _) => Vec::new(),
    };
    let name = |column: &IndexColumn| match &column.key {
        IndexKey::Attribute(position) => table.attributes[*position].name.to_string(),
        IndexKey::Expression(text) => catalog::index::shown_expression(text).into_owned(),
    };
    let names: Vec<String> = definition.columns.iter().take(values.len()).map(name).collect();
    let texts: Vec<String> = values
        .iter()
        .zip(&definition.columns)
        .map(|(value, column)| {
            if value.is_null() {
                return "null".to_owned();
            }
            let mut text = String::new();
            types::text_format::datum_to_text(value, column.ty, &context.format, &*context.resolver, &mut text);
            text
        })
        .collect();
    Ok(format!("({})=({})", names.join(", "), texts.join(", ")))
}
