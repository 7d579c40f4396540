//! Computing over all rows of a table for ALTER TABLE: new values for a column, checks of existing rows.

use crate::definition_text;
use std::sync::Arc;

use binder::ExpressionKind;
use catalog::{Relation, type_names::Names};
use expr::{Batch, ColumnId, Compiled};
use storage::IndexShape;
use types::{Datum, Error, Result, SqlState, SqlType};

use super::{alter_table_column::with_column_replaced, create_index::key_description, index_shape};
use crate::session::{Session, environment};

impl Session {
    /// Shapes of a table's indexes, in order.
    pub(crate) fn index_shapes_of(&mut self, relation: &Relation) -> Result<Vec<Arc<IndexShape>>> {
        let names: Arc<Names> = self.names()?;
        let environment = self.environment(names.clone())?;
        let context = environment::eval_context(self, Arc::from([]))?;
        index_shape::index_shapes(&names, relation, &environment, &context)
    }

    /// Sets a column of every row to an expression's value, cast to its type as in an assignment.
    pub(crate) fn rewrite_column(&mut self, relation: &Relation, position: usize, expression: &str, ty: SqlType) -> Result<()> {
        self.rewrite(relation, relation, position, expression, ty)
    }

    /// Changes a column's type, computing new values by `using`.
    pub(crate) fn rewrite_column_type(
        &mut self,
        relation: &Relation,
        position: usize,
        using: &str,
        ty: SqlType,
        default: Option<Arc<str>>,
    ) -> Result<()> {
        let mut altered = relation.clone();
        altered.attributes[position].ty = ty;
        altered.attributes[position].default = default;
        let indexes = altered.indexes.clone();
        self.open_transaction()?.txn.change_schema(|change| {
            change.catalog.put_relation(altered.clone());
            for index in &indexes {
                let Some(found) = change.catalog.relation(*index) else { continue };
                let mut index = Relation::clone(found);
                if let catalog::RelationKind::Index(definition) = &mut index.kind {
                    for (at, column) in definition.columns.iter_mut().enumerate() {
                        if matches!(column.key, catalog::IndexKey::Attribute(attribute) if attribute == position) {
                            column.ty = ty;
                            index.attributes[at].ty = ty;
                        }
                    }
                }
                change.catalog.put_relation(index);
            }
            Ok(())
        })?;
        self.rewrite(relation, &altered, position, using, ty)
    }

    /// Rewrites a table's rows: `old` gives the columns the expression sees, `new` the shape that results.
    fn rewrite(&mut self, old: &Relation, new: &Relation, position: usize, expression: &str, ty: SqlType) -> Result<()> {
        let Some(storage) = new.storage() else { return Ok(()) };
        let names = self.names()?;
        let environment = self.environment(names)?;
        let columns = index_shape::row_columns(old);
        let bound =
            definition_text::bind_assignment_text(expression, &new.attributes[position].name, ty, &columns, &environment)?;
        let layout: Vec<ColumnId> = (0..old.attributes.len() as u32).map(ColumnId).collect();
        let compiled = Compiled::new(&bound, &layout)?;
        let context = environment::eval_context(self, Arc::from([]))?;
        let shapes = self.index_shapes_of(new)?;
        let physical: Vec<_> = new.attributes.iter().map(|attribute| attribute.ty.physical).collect();
        let names = self.names()?;
        // Computed before the definitions are touched: a default may draw from a sequence, which asks the transaction.
        let data = self.open_transaction()?.txn.table(storage)?;
        self.grow_transaction(data.heap_size())?;
        let mut fresh = with_column_replaced(&data, &physical, position, |chunk, slots| {
            context.check_cancelled()?;
            let columns = chunk.columns().iter().map(|column| Arc::new(column.take(slots))).collect();
            let batch = Batch::new(columns, slots.len());
            Ok(compiled.evaluate(&batch, &context)?.into_column(ty.physical, slots.len()))
        })?;
        if new.attributes[position].not_null {
            super::create_table::refuse_existing_nulls(&names.catalog, new, &fresh, position)?;
        }
        for shape in shapes {
            if let Err((row, _)) = fresh.add_index(shape.clone())? {
                return Err(duplicate(new, &names, &fresh, row, &shape, &context)?);
            }
        }
        self.open_transaction()?.txn.change_schema(|change| {
            change.put_table(storage, fresh);
            Ok(())
        })
    }

    /// The first row for which a condition is false (not NULL).
    pub(crate) fn first_row_where_false(&mut self, relation: &Relation, condition: &str) -> Result<Option<Vec<Datum>>> {
        let Some(storage) = relation.storage() else { return Ok(None) };
        let names = self.names()?;
        let environment = self.environment(names)?;
        let columns = index_shape::row_columns(relation);
        let node = definition_text::parse_expression(condition)?;
        let bound = definition_text::bind_condition(&node, &columns, ExpressionKind::CheckConstraint, &environment)?;
        let negated = expr::Expr::BooleanTest { operand: Box::new(bound), value: Some(false), negated: false };
        let layout: Vec<ColumnId> = (0..relation.attributes.len() as u32).map(ColumnId).collect();
        let compiled = Compiled::new(&negated, &layout)?;
        let context = environment::eval_context(self, Arc::from([]))?;
        let data = self.open_transaction()?.txn.table(storage)?;
        for chunk in data.rows.chunks() {
            context.check_cancelled()?;
            let slots: Vec<u32> = chunk.presence().ones().map(|slot| slot as u32).collect();
            let columns = chunk.columns().iter().map(|column| Arc::new(column.take(&slots))).collect();
            let batch = Batch::new(columns, slots.len());
            if let Some(&row) = compiled.select(&batch, &context)?.first() {
                return Ok(Some(batch.row(row as usize)));
            }
        }
        Ok(None)
    }
}

fn duplicate(
    relation: &Relation,
    names: &Names,
    data: &storage::TableData,
    row: storage::RowId,
    shape: &IndexShape,
    context: &expr::EvalContext,
) -> Result<Error> {
    let index = names.catalog.relation(types::Oid(shape.id.0));
    let Some((index, catalog::RelationKind::Index(definition))) = index.map(|index| (index, &index.kind)) else {
        return Ok(Error::internal("a shape without its index"));
    };
    let key = key_description(relation, definition, data, row, shape, context)?;
    Ok(Error::new(SqlState::UNIQUE_VIOLATION, format!("could not create unique index \"{}\"", index.name))
        .detail(format!("Key {key} is duplicated."))
        .of_constraint(index.name.to_string()))
}
