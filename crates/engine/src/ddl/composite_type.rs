//! CREATE TYPE ... AS (...) and ALTER TYPE ... ATTRIBUTE.
//!
//! A stored row value holds its fields, so that every value there is follows its type: it gains NULL, loses a field, or has a field renamed.

use std::sync::Arc;

use catalog::{
    ConstraintKind, IndexKey, Object, Persistence, Relation, RelationKind, StoredQuery, UserTypeKind,
    dependencies::{describe, references},
    type_names::Names,
};
use pg_query::{
    NodeEnum,
    protobuf::{AlterTableCmd, AlterTableType, CompositeTypeStmt, DropBehavior},
};
use storage::Column;
use types::{Array, Datum, Error, Oid, Record, Result, SqlState, SqlType, text_format::TypeResolver};

use super::{
    alter_table_column::{live_position, with_column_replaced},
    create_table::new_column,
    type_users::{Holder, refuse_stored, stored_columns, types_containing},
};
use crate::{
    definition_text,
    session::{Outcome, Session, utility::command},
};

impl Session {
    pub(crate) fn create_composite_type(&mut self, statement: &CompositeTypeStmt) -> Result<Outcome> {
        let range = statement.typevar.as_ref().ok_or_else(|| Error::internal("a type without a name"))?;
        let mut parts = vec![range.schemaname.clone(), range.relname.clone()];
        parts.retain(|part| !part.is_empty());
        let (schema, name) = self.creation_schema_of(&parts)?;
        self.refuse_existing_type(schema, &name)?;
        let names = self.names()?;
        let environment = self.environment(names.clone())?;
        let mut attributes: Vec<catalog::Attribute> = Vec::new();
        for node in &statement.coldeflist {
            let Some(NodeEnum::ColumnDef(column)) = &node.node else { continue };
            let attribute = new_column(column, &name, &names, &environment)?.attribute;
            if attributes.iter().any(|known| known.name == attribute.name) {
                return Err(Error::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{}\" specified more than once", attribute.name),
                ));
            }
            attributes.push(attribute);
        }
        let owner = self.current_role().oid;
        self.open_transaction()?.txn.change_schema(|change| {
            let oid = change.catalog.allocate_oid();
            let (row_type, row_array_type) = super::register_row_type(change.catalog, oid, schema, &name, owner);
            change.catalog.put_relation(Relation {
                oid,
                schema,
                name: name.as_str().into(),
                owner,
                persistence: Persistence::Permanent,
                kind: RelationKind::Composite,
                attributes,
                constraints: Vec::new(),
                indexes: Vec::new(),
                row_type,
                row_array_type,
                options: Vec::new(),
                comment: None,
                owned_by: None,
            });
            Ok(())
        })?;
        Ok(command("CREATE TYPE"))
    }
}

impl Session {
    /// One subcommand of ALTER TYPE on a composite type.
    pub(super) fn alter_attribute_of(&mut self, relation: &Arc<Relation>, subcommand: &AlterTableCmd) -> Result<()> {
        match subcommand.subtype() {
            AlterTableType::AtAddColumn => self.add_attribute(relation, subcommand),
            AlterTableType::AtDropColumn => self.drop_attribute(relation, subcommand),
            AlterTableType::AtAlterColumnType => self.retype_attribute(relation, subcommand),
            AlterTableType::AtChangeOwner => self.set_owner_of(relation, subcommand.newowner.as_ref()),
            other => {
                let name = other.as_str_name().trim_start_matches("AT_").to_owned();
                Err(Error::unsupported(format!("ALTER TYPE subcommand {name}")))
            }
        }
    }

    fn add_attribute(&mut self, relation: &Arc<Relation>, subcommand: &AlterTableCmd) -> Result<()> {
        let Some(NodeEnum::ColumnDef(column)) = subcommand.def.as_deref().and_then(|node| node.node.as_ref()) else {
            return Err(Error::internal("ADD ATTRIBUTE without one"));
        };
        let taken = |name: &str| {
            let message = format!("column \"{name}\" of relation \"{}\" already exists", relation.name);
            Err(Error::new(SqlState::DUPLICATE_COLUMN, message))
        };
        if relation.attribute(&column.colname).is_some() {
            return taken(&column.colname);
        }
        let names = self.names()?;
        let environment = self.environment(names.clone())?;
        let attribute = new_column(column, &relation.name, &names, &environment)?.attribute;
        self.refuse_membership_in_itself(relation, attribute.ty)?;
        let field = relation.live_attributes().count();
        self.put_altered(relation, |altered| altered.attributes.push(attribute))?;
        self.reshape_stored(relation.row_type, |fields| fields.insert(field, None))
    }

    fn drop_attribute(&mut self, relation: &Arc<Relation>, subcommand: &AlterTableCmd) -> Result<()> {
        let name = subcommand.name.as_str();
        let field = match live_field(relation, name) {
            Ok(field) => field,
            Err(error) if subcommand.missing_ok => {
                self.notice(format!("{}, skipping", error.message()));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let cascade = DropBehavior::try_from(subcommand.behavior) == Ok(DropBehavior::DropCascade);
        let column = describe(&*self.names()?, Object::Column(relation.oid, live_position(relation, name)?));
        self.drop_column(relation, name, false, cascade)?;
        self.drop_broken(relation, name, &column, cascade)?;
        self.reshape_stored(relation.row_type, |fields| {
            fields.remove(field);
        })
    }

    fn retype_attribute(&mut self, relation: &Arc<Relation>, subcommand: &AlterTableCmd) -> Result<()> {
        let position = live_position(relation, &subcommand.name)?;
        let Some(NodeEnum::ColumnDef(column)) = subcommand.def.as_deref().and_then(|node| node.node.as_ref()) else {
            return Err(Error::internal("ALTER ATTRIBUTE without its type"));
        };
        let names = self.names()?;
        let type_name = column.type_name.as_ref().ok_or_else(|| Error::internal("ALTER ATTRIBUTE without a type"))?;
        let ty = definition_text::resolve_type(type_name, &names)?;
        refuse_stored(&names, relation.row_type, relation.row_type)?;
        self.refuse_membership_in_itself(relation, ty)?;
        self.put_altered(relation, |altered| altered.attributes[position].ty = ty)?;
        self.refuse_broken(relation, &subcommand.name, "ALTER ATTRIBUTE")
    }

    pub(super) fn rename_attribute(&mut self, relation: &Arc<Relation>, old: &str, new: &str) -> Result<()> {
        let position = live_position(relation, old)
            .map_err(|_| Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{old}\" does not exist")))?;
        if relation.attribute(new).is_some() {
            let message = format!("column \"{new}\" of relation \"{}\" already exists", relation.name);
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, message));
        }
        self.put_altered(relation, |altered| altered.attributes[position].name = new.into())?;
        self.refuse_broken(relation, old, "RENAME ATTRIBUTE")?;
        self.reshape_stored(relation.row_type, |_| ())
    }

    fn refuse_membership_in_itself(&mut self, relation: &Relation, ty: SqlType) -> Result<()> {
        if types_containing(&self.names()?.catalog, relation.row_type).contains(&ty.oid) {
            let message = format!("composite type {} cannot be made a member of itself", relation.name);
            return Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message));
        }
        Ok(())
    }

    /// What is kept as text names fields by name: what no longer binds was about the one that is gone or is another now.
    ///
    /// Errors: 0A000 for an expression of a table over a column that holds values of the type.
    fn broken_by(&mut self, ty: &Relation, field: &str, doing: &str) -> Result<Vec<(Object, Error)>> {
        let names = self.names()?;
        let environment = self.environment(names.clone())?;
        let containing = types_containing(&names.catalog, ty.row_type);
        let mentions = |text: &str| references(&names.catalog, text).words.contains(field);
        let mut broken = Vec::new();
        for other in names.catalog.relations() {
            if let RelationKind::View { query, .. } | RelationKind::MaterializedView { query, .. } = &other.kind {
                let bound = if mentions(&query.text) { self.bind_stored(query) } else { Ok(()) };
                broken.extend(bound.err().map(|error| (Object::Relation(other.oid), error)));
            } else if other.live_attributes().any(|(_, attribute)| containing.contains(&attribute.ty.oid))
                && expressions_of(&names, other).iter().any(|text| mentions(text))
            {
                let (ty, kind, name) = (&ty.name, other.kind_name(), &other.name);
                return Err(Error::unsupported(format!("ALTER TYPE {ty} {doing} while {kind} \"{name}\" reads \"{field}\"")));
            }
        }
        for domain in names.catalog.user_types() {
            let UserTypeKind::Domain { base, constraints, .. } = &domain.kind else { continue };
            for constraint in constraints {
                let ConstraintKind::Check { expression, .. } = &constraint.kind else { continue };
                let bound = match mentions(expression) && containing.contains(&base.oid) {
                    true => definition_text::parse_expression(expression)
                        .and_then(|node| definition_text::bind_domain_check(&node, *base, &environment)),
                    false => continue,
                };
                broken.extend(bound.err().map(|error| (Object::Constraint(domain.oid, constraint.oid), error)));
            }
        }
        Ok(broken)
    }

    fn bind_stored(&mut self, query: &StoredQuery) -> Result<()> {
        let names = self.names()?.of_definition(Some(&query.names));
        let environment = self.environment(Arc::new(names))?;
        let parsed = binder::parse::parse(&query.text)?.pop().ok_or_else(|| Error::internal("a view without a query"))?;
        binder::bind(&parsed.node, &environment).map(|_| ())
    }

    /// What a dropped field leaves without a meaning goes with CASCADE.
    ///
    /// Errors: 2BP01 without.
    fn drop_broken(&mut self, ty: &Relation, field: &str, column: &str, cascade: bool) -> Result<()> {
        let broken: Vec<Object> = self.broken_by(ty, field, "DROP ATTRIBUTE")?.into_iter().map(|(object, _)| object).collect();
        let names = self.names()?;
        let described: Vec<String> = broken.iter().map(|object| describe(&names, *object)).collect();
        match described.as_slice() {
            [] => return Ok(()),
            _ if !cascade => {
                let message = format!("cannot drop {column} because other objects depend on it");
                let lines: Vec<String> = described.iter().map(|object| format!("{object} depends on {column}")).collect();
                return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                    .detail(lines.join("\n"))
                    .hint("Use DROP ... CASCADE to drop the dependent objects too."));
            }
            [one] => self.notice(format!("drop cascades to {one}")),
            several => self.notice(format!("drop cascades to {} other objects", several.len())),
        }
        self.remove_quietly(&broken)
    }

    /// Errors: 0A000 when a definition reads the field by its name.
    fn refuse_broken(&mut self, ty: &Relation, field: &str, doing: &str) -> Result<()> {
        let Some((object, error)) = self.broken_by(ty, field, doing)?.into_iter().next() else { return Ok(()) };
        match object {
            // PostgreSQL binds the constraint again, too.
            Object::Constraint(..) if doing == "ALTER ATTRIBUTE" => Err(error),
            _ => {
                let reader = describe(&*self.names()?, object);
                Err(Error::unsupported(format!("ALTER TYPE {} {doing} while {reader} reads \"{field}\"", ty.name)))
            }
        }
    }

    /// Rewrites every stored value of a row type to its type's fields as they are now. `change` does to a list of the old fields' numbers
    /// what was done to the fields; None is a new one.
    fn reshape_stored(&mut self, row_type: Oid, change: impl FnOnce(&mut Vec<Option<usize>>)) -> Result<()> {
        let names = self.names()?;
        let (field_names, field_types) =
            names.composite_fields(row_type).ok_or_else(|| Error::internal("a composite type without fields"))?;
        let mut from: Vec<Option<usize>> = (0..field_names.len() + 1).map(Some).collect();
        change(&mut from);
        from.truncate(field_names.len());
        let shape = Shape { row_type, names: field_names, types: field_types, from };
        for Holder { relation, position } in stored_columns(&names.catalog, row_type) {
            self.reshape_column(&names, &relation, position, &shape)?;
        }
        Ok(())
    }

    fn reshape_column(&mut self, names: &Names, relation: &Relation, position: usize, shape: &Shape) -> Result<()> {
        let Some(storage) = relation.storage() else { return Ok(()) };
        let current = names.catalog.relation(relation.oid).cloned();
        let indexes = self.index_shapes_of(current.as_deref().unwrap_or(relation))?;
        let physical: Vec<_> = relation.attributes.iter().map(|attribute| attribute.ty.physical).collect();
        let data = self.open_transaction()?.txn.table(storage)?;
        self.grow_transaction(data.heap_size())?;
        let mut fresh = with_column_replaced(&data, &physical, position, |chunk, slots| {
            let mut column = Column::with_capacity(physical[position], slots.len());
            slots.iter().for_each(|&slot| column.push(&shape.of(&chunk.columns()[position].datum(slot as usize))));
            Ok(Arc::new(column))
        })?;
        for index in indexes {
            if fresh.add_index(index)?.is_err() {
                return Err(Error::unsupported(format!(
                    "ALTER TYPE where rows of \"{}\" become equal by a unique index",
                    relation.name
                )));
            }
        }
        self.open_transaction()?.txn.change_schema(|change| {
            change.put_table(storage, fresh);
            Ok(())
        })
    }
}

/// The texts of a table's generated columns, checks and indexes.
fn expressions_of(names: &Names, table: &Relation) -> Vec<Arc<str>> {
    let generated = table.attributes.iter().filter(|attribute| attribute.generated.is_some());
    let checks = table.constraints.iter().filter_map(|constraint| match &constraint.kind {
        ConstraintKind::Check { expression, .. } => Some(expression.clone()),
        _ => None,
    });
    let indexes = table.indexes.iter().filter_map(|index| match &names.catalog.relation(*index)?.kind {
        RelationKind::Index(definition) => Some(definition),
        _ => None,
    });
    let of_indexes = indexes.flat_map(|definition| {
        let keys = definition.columns.iter().filter_map(|column| match &column.key {
            IndexKey::Expression(text) => Some(text.clone()),
            IndexKey::Attribute(_) => None,
        });
        keys.chain(definition.predicate.clone())
    });
    generated.filter_map(|attribute| attribute.default.clone()).chain(checks).chain(of_indexes).collect()
}

/// The number of a live field.
fn live_field(relation: &Relation, name: &str) -> Result<usize> {
    let position = live_position(relation, name)?;
    Ok(relation.live_attributes().take_while(|(at, _)| *at < position).count())
}

/// The fields that values of a row type get, each with the number it had.
struct Shape {
    row_type: Oid,
    names: Arc<[Arc<str>]>,
    types: Arc<[SqlType]>,
    from: Vec<Option<usize>>,
}

impl Shape {
    fn of(&self, datum: &Datum) -> Datum {
        match datum {
            Datum::Array(array) => {
                let elements = array.elements.iter().map(|element| self.of(element)).collect();
                Datum::Array(Arc::new(Array { elements, ..(**array).clone() }))
            }
            Datum::Record(record) => {
                let fields: Vec<Datum> = record.fields.iter().map(|field| self.of(field)).collect();
                if record.type_oid != self.row_type {
                    return Datum::Record(Arc::new(Record { fields, ..(**record).clone() }));
                }
                let field = |from: &Option<usize>| from.and_then(|at| fields.get(at).cloned()).unwrap_or(Datum::Null);
                Datum::Record(Arc::new(Record {
                    type_oid: self.row_type,
                    fields: self.from.iter().map(field).collect(),
                    field_types: self.types.clone(),
                    field_names: self.names.clone(),
                }))
            }
            other => other.clone(),
        }
    }
}
