//! From an index's definition to what storage must know of it.

use crate::definition_text;
use std::sync::Arc;

use binder::Environment;
use catalog::{IndexDefinition, IndexKey, Relation, type_names::Names};
use expr::{Batch, ColumnId, Compiled, EvalContext};
use plan::logical::Given;
use storage::{Column, IndexId, IndexShape, KeySource};
use types::{Datum, Oid, Result};

/// The shape of an index of a table. `context` evaluates index expressions, which are immutable: it matters only to functions that
/// look up names.
pub(crate) fn index_shape(
    table: &Relation,
    index: Oid,
    definition: &IndexDefinition,
    environment: &Environment,
    context: &EvalContext,
) -> Result<IndexShape> {
    let plain: Option<Vec<usize>> = definition
        .columns
        .iter()
        .map(|column| match column.key {
            IndexKey::Attribute(position) => Some(position),
            IndexKey::Expression(_) => None,
        })
        .collect();
    let attributes = plain.filter(|_| definition.predicate.is_none()).map(Arc::from);
    let source: Option<Arc<dyn KeySource>> = match attributes {
        Some(_) => None,
        None => Some(Arc::new(ExpressionKeys::new(table, definition, environment, context)?)),
    };
    Ok(IndexShape {
        id: IndexId(index.0),
        unique: definition.unique,
        nulls_not_distinct: definition.nulls_not_distinct,
        deferrable: definition.deferrable,
        order: definition.columns.iter().map(|column| column.order).collect(),
        trimmed: definition.columns.iter().map(|column| column.ty.oid == Oid::BPCHAR).collect(),
        attributes,
        source,
    })
}

/// Keys that need evaluation: expressions, or a predicate that leaves rows out.
struct ExpressionKeys {
    physical: Vec<types::Physical>,
    keys: Vec<Compiled>,
    predicate: Option<Compiled>,
    context: EvalContext,
}

impl ExpressionKeys {
    fn new(
        table: &Relation,
        definition: &IndexDefinition,
        environment: &Environment,
        context: &EvalContext,
    ) -> Result<ExpressionKeys> {
        let columns = row_columns(table);
        let layout: Vec<ColumnId> = (0..table.attributes.len() as u32).map(ColumnId).collect();
        let compile = |text: &str| -> Result<Compiled> {
            Compiled::new(&definition_text::bind_expression_text(text, &columns, environment)?, &layout)
        };
        let keys = definition
            .columns
            .iter()
            .map(|column| match &column.key {
                IndexKey::Attribute(position) => {
                    let ty = table.attributes[*position].ty;
                    Compiled::new(&expr::Expr::Column { id: ColumnId(*position as u32), ty }, &layout)
                }
                IndexKey::Expression(text) => compile(text),
            })
            .collect::<Result<_>>()?;
        Ok(ExpressionKeys {
            physical: table.attributes.iter().map(|attribute| attribute.ty.physical).collect(),
            keys,
            predicate: definition.predicate.as_deref().map(compile).transpose()?,
            context: context.clone(),
        })
    }
}

impl KeySource for ExpressionKeys {
    fn key_values(&self, row: &[Datum]) -> Result<Option<Vec<Datum>>> {
        let columns =
            self.physical.iter().zip(row).map(|(&physical, datum)| Arc::new(Column::from_datums(physical, [datum]))).collect();
        let batch = Batch::new(columns, 1);
        if let Some(predicate) = &self.predicate
            && predicate.select(&batch, &self.context)?.is_empty()
        {
            return Ok(None);
        }
        let values = self.keys.iter().map(|key| Ok(key.evaluate(&batch, &self.context)?.datum(0))).collect::<Result<_>>()?;
        Ok(Some(values))
    }
}

/// A table's attributes as columns that expressions may name; the position is the column's id.
pub(crate) fn row_columns(table: &Relation) -> Vec<(Arc<str>, Given)> {
    table
        .live_attributes()
        .map(|(position, attribute)| (attribute.name.clone(), Given { id: ColumnId(position as u32), ty: attribute.ty }))
        .collect()
}

/// Shapes of all indexes of a table, in the order the relation lists them.
pub(crate) fn index_shapes(
    names: &Names,
    table: &Relation,
    environment: &Environment,
    context: &EvalContext,
) -> Result<Vec<Arc<IndexShape>>> {
    table
        .indexes
        .iter()
        .filter_map(|oid| {
            let relation = names.catalog.relation(*oid)?;
            match &relation.kind {
                catalog::RelationKind::Index(definition) => Some((*oid, definition.clone())),
                _ => None,
            }
        })
        .map(|(oid, definition)| Ok(Arc::new(index_shape(table, oid, &definition, environment, context)?)))
        .collect()
}
