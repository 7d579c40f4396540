//! CREATE TYPE and ALTER TYPE of enums; what all types of users share.

use std::sync::Arc;

use catalog::{EnumDefinition, UserType, UserTypeKind};
use pg_query::protobuf::{AlterEnumStmt, CreateEnumStmt};
use types::{EnumLabel, Error, Oid, Result, SqlState, SqlType};

use super::{object_names, strings};
use crate::session::{Outcome, Session, utility::command};

impl Session {
    pub(super) fn refuse_existing_type(&mut self, schema: Oid, name: &str) -> Result<()> {
        if self.names()?.type_in(schema, name).is_some() {
            return Err(Error::new(SqlState::DUPLICATE_OBJECT, format!("type \"{name}\" already exists")));
        }
        Ok(())
    }

    pub(crate) fn create_enum(&mut self, statement: &CreateEnumStmt) -> Result<Outcome> {
        let (schema, name) = self.creation_schema_of(&strings(&statement.type_name))?;
        self.refuse_existing_type(schema, &name)?;
        let labels = strings(&statement.vals);
        for (at, label) in labels.iter().enumerate() {
            refuse_long_label(label)?;
            if labels[..at].contains(label) {
                return Err(Error::new(
                    SqlState::UNIQUE_VIOLATION,
                    "duplicate key value violates unique constraint \"pg_enum_typid_label_index\"",
                )
                .detail(format!("Key (enumtypid, enumlabel)=(0, {label}) already exists.")));
            }
        }
        let owner = self.current_role().oid;
        self.open_transaction()?.txn.change_schema(|change| {
            let oid = change.catalog.allocate_oid();
            let labels = labels
                .iter()
                .enumerate()
                .map(|(at, label)| {
                    Arc::new(EnumLabel {
                        type_oid: oid,
                        label_oid: change.catalog.allocate_oid(),
                        sort_order: (at + 1) as f32,
                        label: label.as_str().into(),
                    })
                })
                .collect();
            put_type_with_array(
                change.catalog,
                oid,
                schema,
                &name,
                owner,
                UserTypeKind::Enum(EnumDefinition { labels }),
                SqlType::of(oid),
            );
            Ok(())
        })?;
        Ok(command("CREATE TYPE"))
    }

    pub(crate) fn alter_enum(&mut self, statement: &AlterEnumStmt) -> Result<Outcome> {
        let parts = strings(&statement.type_name);
        let ty = self.user_type_named(&parts)?;
        let UserTypeKind::Enum(definition) = &ty.kind else {
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("{} is not an enum", parts.join("."))));
        };
        let mut labels = definition.labels.clone();
        let find = |labels: &[Arc<EnumLabel>], label: &str| labels.iter().position(|known| &*known.label == label);
        let missing =
            |label: &str| Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("\"{label}\" is not an existing enum label"));
        if !statement.old_val.is_empty() {
            let at = find(&labels, &statement.old_val).ok_or_else(|| missing(&statement.old_val))?;
            if find(&labels, &statement.new_val).is_some() {
                return Err(Error::new(
                    SqlState::DUPLICATE_OBJECT,
                    format!("enum label \"{}\" already exists", statement.new_val),
                ));
            }
            labels[at] = Arc::new(EnumLabel { label: statement.new_val.as_str().into(), ..EnumLabel::clone(&labels[at]) });
            // Stored values carry their label, so every one would have to change.
            self.refuse_stored_values(&ty)?;
        } else {
            refuse_long_label(&statement.new_val)?;
            if find(&labels, &statement.new_val).is_some() {
                if statement.skip_if_new_val_exists {
                    self.skipped(
                        SqlState::DUPLICATE_OBJECT,
                        format!("enum label \"{}\" already exists, skipping", statement.new_val),
                    );
                    return Ok(command("ALTER TYPE"));
                }
                return Err(Error::new(
                    SqlState::DUPLICATE_OBJECT,
                    format!("enum label \"{}\" already exists", statement.new_val),
                ));
            }
            let at = match statement.new_val_neighbor.as_str() {
                "" => labels.len(),
                neighbor => {
                    let at = find(&labels, neighbor).ok_or_else(|| missing(neighbor))?;
                    at + usize::from(statement.new_val_is_after)
                }
            };
            let sort_order = order_between(
                at.checked_sub(1).map(|before| labels[before].sort_order),
                labels.get(at).map(|after| after.sort_order),
            );
            let label: Arc<str> = statement.new_val.as_str().into();
            labels.insert(at, Arc::new(EnumLabel { type_oid: ty.oid, label_oid: Oid::INVALID, sort_order, label }));
        }
        self.open_transaction()?.txn.change_schema(|change| {
            for label in &mut labels {
                if label.label_oid == Oid::INVALID {
                    *label = Arc::new(EnumLabel { label_oid: change.catalog.allocate_oid(), ..EnumLabel::clone(label) });
                }
            }
            change.catalog.put_type(UserType { kind: UserTypeKind::Enum(EnumDefinition { labels }), ..UserType::clone(&ty) });
            Ok(())
        })?;
        Ok(command("ALTER TYPE"))
    }

    /// Renaming a label is refused while a table holds values of the enum.
    fn refuse_stored_values(&mut self, ty: &UserType) -> Result<()> {
        let names = self.names()?;
        let users: Vec<_> = names
            .catalog
            .relations()
            .filter(|relation| {
                relation.live_attributes().any(|(_, attribute)| attribute.ty.oid == ty.oid || attribute.ty.oid == ty.array_type)
            })
            .filter_map(|relation| Some((relation.name.clone(), relation.storage()?)))
            .collect();
        for (name, storage) in users {
            if !self.open_transaction()?.txn.table(storage)?.rows.is_empty() {
                return Err(Error::unsupported(format!(
                    "ALTER TYPE ... RENAME VALUE while table \"{name}\" holds values of the type"
                )));
            }
        }
        Ok(())
    }
}

fn refuse_long_label(label: &str) -> Result<()> {
    if label.len() > 63 {
        return Err(Error::new(SqlState::INVALID_NAME, format!("invalid enum label \"{label}\""))
            .detail("Labels must be 63 bytes or less."));
    }
    Ok(())
}

/// A place between two neighbours of an enum's order.
fn order_between(before: Option<f32>, after: Option<f32>) -> f32 {
    match (before, after) {
        (Some(before), Some(after)) => f32::midpoint(before, after),
        (Some(before), None) => before + 1.0,
        (None, Some(after)) => after - 1.0,
        (None, None) => 1.0,
    }
}

pub(super) fn put_type_with_array(
    catalog: &mut catalog::Catalog,
    oid: Oid,
    schema: Oid,
    name: &str,
    owner: Oid,
    kind: UserTypeKind,
    element: SqlType,
) {
    let array = catalog.allocate_oid();
    let array_name = object_names::array_type_name(catalog, schema, name);
    catalog.put_type(UserType { oid, schema, name: name.into(), owner, kind, array_type: array, comment: None });
    catalog.put_type(UserType {
        oid: array,
        schema,
        name: array_name.as_str().into(),
        owner,
        kind: UserTypeKind::Array { element },
        array_type: Oid::INVALID,
        comment: None,
    });
}
