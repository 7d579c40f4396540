//! DROP of tables, views, indexes, sequences, schemas and types, with RESTRICT and CASCADE.

use catalog::{Object, Relation, RelationKind, UserType, UserTypeKind, dependencies::plan_removal};
use pg_query::{
    NodeEnum,
    protobuf::{DropBehavior, DropStmt, Node, ObjectType},
};
use txn::{LockMode, SchemaChange};
use types::{Error, Oid, Result, SqlState};

use super::{
    find_relation, range_of,
    statement_name::{drop_tag, kind_word},
    strings, written_name,
};
use crate::session::{Outcome, Session, utility::command};

impl Session {
    pub(crate) async fn drop_objects(&mut self, statement: &DropStmt) -> Result<Outcome> {
        let kind = ObjectType::try_from(statement.remove_type).unwrap_or(ObjectType::Undefined);
        let tag = drop_tag(kind)?;
        if statement.concurrent {
            self.refuse_in_block("DROP INDEX CONCURRENTLY")?;
        }
        let cascade = DropBehavior::try_from(statement.behavior) == Ok(DropBehavior::DropCascade);
        let mut doomed = Vec::new();
        for object in &statement.objects {
            match kind {
                ObjectType::ObjectSchema => self.doom_schema(object, statement.missing_ok, &mut doomed)?,
                ObjectType::ObjectType | ObjectType::ObjectDomain => {
                    self.doom_type(object, kind, statement.missing_ok, &mut doomed)?
                }
                _ => self.doom_relation(object, kind, statement.missing_ok, &mut doomed).await?,
            }
        }
        self.begin_statement()?;
        self.remove_with_dependents(&doomed, cascade)?;
        Ok(command(tag))
    }

    /// Drops objects found by their owner (DROP OWNED).
    pub(super) fn drop_targets(&mut self, targets: &[catalog::AclTarget], cascade: bool) -> Result<()> {
        let doomed: Vec<Object> = targets
            .iter()
            .filter_map(|target| match target {
                catalog::AclTarget::Relation(oid) => Some(Object::Relation(*oid)),
                catalog::AclTarget::Type(oid) => Some(Object::Type(*oid)),
                catalog::AclTarget::Schema(oid) => Some(Object::Schema(*oid)),
                _ => None,
            })
            .collect();
        self.begin_statement()?;
        self.remove_with_dependents(&doomed, cascade)
    }

    /// Drops objects and what rests on them.
    ///
    /// Errors: 2BP01 when something does and CASCADE was not written.
    pub(super) fn remove_with_dependents(&mut self, doomed: &[Object], cascade: bool) -> Result<()> {
        let removal = plan_removal(&*self.names()?, doomed, cascade)?;
        if let Some(notice) = removal.notice {
            self.shared.add_notice(expr::context::NoticeLevel::Notice, notice);
        }
        self.remove_objects(&removal.objects)
    }

    /// Drops objects and what rests on them, without a word (ON COMMIT DROP).
    pub(crate) fn remove_quietly(&mut self, doomed: &[Object]) -> Result<()> {
        let removal = plan_removal(&*self.names()?, doomed, true)?;
        self.remove_objects(&removal.objects)
    }

    fn remove_objects(&mut self, objects: &[Object]) -> Result<()> {
        self.open_transaction()?.txn.change_schema(|change| {
            objects.iter().for_each(|object| remove_object(change, *object));
            Ok(())
        })
    }

    async fn doom_relation(&mut self, object: &Node, kind: ObjectType, missing_ok: bool, doomed: &mut Vec<Object>) -> Result<()> {
        let Some(NodeEnum::List(list)) = &object.node else { return Err(Error::unsupported("this kind of DROP")) };
        let range = range_of(&strings(&list.items));
        let names = self.names()?;
        let word = kind_word(kind);
        if !range.schemaname.is_empty() && names.catalog.schema_named(&range.schemaname).is_none() {
            let message = format!("schema \"{}\" does not exist", range.schemaname);
            if missing_ok {
                self.notice(format!("{message}, skipping"));
                return Ok(());
            }
            return Err(Error::new(SqlState::UNDEFINED_SCHEMA, message));
        }
        let Some(relation) = find_relation(&names, &range)? else {
            let message = format!("{word} \"{}\" does not exist", written_name(&range));
            if missing_ok {
                self.notice(format!("{word} \"{}\" does not exist, skipping", range.relname));
                return Ok(());
            }
            let sqlstate = if kind == ObjectType::ObjectIndex { SqlState::UNDEFINED_OBJECT } else { SqlState::UNDEFINED_TABLE };
            return Err(Error::new(sqlstate, message));
        };
        refuse_wrong_kind(&relation, kind)?;
        refuse_constraint_index(&names.catalog, &relation)?;
        let locked = match &relation.kind {
            RelationKind::Index(definition) => definition.table,
            _ => relation.oid,
        };
        self.lock_relation(locked, LockMode::AccessExclusive, false).await?;
        let object = Object::Relation(relation.oid);
        if !doomed.contains(&object) {
            doomed.push(object);
        }
        Ok(())
    }

    fn doom_schema(&mut self, object: &Node, missing_ok: bool, doomed: &mut Vec<Object>) -> Result<()> {
        let Some(NodeEnum::String(name)) = &object.node else { return Err(Error::internal("a schema without a name")) };
        let name = &name.sval;
        let names = self.names()?;
        let Some(schema) = names.catalog.schema_named(name) else {
            let message = format!("schema \"{name}\" does not exist");
            if missing_ok {
                self.notice(format!("{message}, skipping"));
                return Ok(());
            }
            return Err(Error::new(SqlState::UNDEFINED_SCHEMA, message));
        };
        if schema.oid < Oid::FIRST_NORMAL && schema.oid != Oid::PUBLIC_NAMESPACE {
            return Err(Error::new(
                SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                format!("cannot drop schema {name} because it is required by the database system"),
            ));
        }
        doomed.push(Object::Schema(schema.oid));
        Ok(())
    }

    fn doom_type(&mut self, object: &Node, kind: ObjectType, missing_ok: bool, doomed: &mut Vec<Object>) -> Result<()> {
        let Some(NodeEnum::TypeName(name)) = &object.node else { return Err(Error::internal("a type without a name")) };
        let parts = strings(&name.names);
        let names = self.names()?;
        let (schema, bare) = match parts.as_slice() {
            [.., schema, bare] => (Some(schema.as_str()), bare),
            [bare] => (None, bare),
            [] => return Err(Error::internal("a type without a name")),
        };
        let missing_schema = schema.filter(|schema| names.schema(schema).is_err());
        if let Some(schema) = missing_schema {
            let message = format!("schema \"{schema}\" does not exist");
            if missing_ok {
                self.notice(format!("{message}, skipping"));
                return Ok(());
            }
            return Err(Error::new(SqlState::UNDEFINED_SCHEMA, message));
        }
        let Some(ty) = names.type_by_name(schema, bare) else {
            let message = format!("type \"{}\" does not exist", parts.join("."));
            if missing_ok {
                self.notice(format!("{message}, skipping"));
                return Ok(());
            }
            return Err(Error::new(SqlState::UNDEFINED_OBJECT, message));
        };
        let Some(user_type) = names.catalog.user_type(ty.oid) else {
            return Err(Error::new(
                SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                format!("cannot drop type {} because it is required by the database system", names.format_type(ty)),
            ));
        };
        match &user_type.kind {
            UserTypeKind::Domain { .. } => {}
            _ if kind == ObjectType::ObjectDomain => {
                return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{bare}\" is not a domain")));
            }
            UserTypeKind::Composite { relation } => {
                let table = names.catalog.relation(*relation);
                if let Some(table) = table.filter(|table| !matches!(table.kind, RelationKind::Composite)) {
                    return Err(Error::new(
                        SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                        format!("cannot drop type {bare} because {} {} requires it", table.kind_name(), table.name),
                    )
                    .hint(format!("You can drop {} {} instead.", table.kind_name(), table.name)));
                }
                // The relation of its attributes is part of it.
                doomed.push(Object::Type(ty.oid));
                return Ok(());
            }
            UserTypeKind::Array { element } => {
                let element = names.format_type(*element);
                return Err(Error::new(
                    SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                    format!("cannot drop type {element}[] because type {element} requires it"),
                )
                .hint(format!("You can drop type {element} instead.")));
            }
            _ => {}
        }
        doomed.push(Object::Type(ty.oid));
        Ok(())
    }
}

fn remove_object(change: &mut SchemaChange<'_>, object: Object) {
    match object {
        Object::Schema(oid) => {
            change.catalog.remove_schema(oid);
        }
        Object::Relation(oid) => remove_relation(change, oid),
        Object::Column(table, position) => super::alter_table_column::remove_column(change, table, position),
        Object::Default(table, position) => {
            alter_attribute(change, table, |attributes| attributes[position].default = None);
        }
        Object::Type(oid) => remove_type(change, oid),
        Object::Constraint(owner, constraint) => remove_constraint(change, owner, constraint),
    }
}

/// Removes a constraint of a table or of a domain, with the index behind it.
fn remove_constraint(change: &mut SchemaChange<'_>, owner: Oid, constraint: Oid) {
    if let Some(ty) = change.catalog.user_type(owner) {
        let mut altered = UserType::clone(ty);
        if let UserTypeKind::Domain { constraints, .. } = &mut altered.kind {
            constraints.retain(|found| found.oid != constraint);
        }
        change.catalog.put_type(altered);
        return;
    }
    let Some(relation) = change.catalog.relation(owner) else { return };
    let mut altered = Relation::clone(relation);
    let index = altered.constraints.iter().find(|found| found.oid == constraint).and_then(|found| found.index());
    altered.constraints.retain(|found| found.oid != constraint);
    change.catalog.put_relation(altered);
    if let Some(index) = index {
        detach_index(change, owner, index);
        change.catalog.remove_relation(index);
    }
}

fn alter_attribute(change: &mut SchemaChange<'_>, table: Oid, alter: impl FnOnce(&mut Vec<catalog::Attribute>)) {
    if let Some(relation) = change.catalog.relation(table) {
        let mut altered = Relation::clone(relation);
        alter(&mut altered.attributes);
        change.catalog.put_relation(altered);
    }
}

/// Removes a relation with what belongs to it: rows, indexes, row type, owned sequences.
pub(crate) fn remove_relation(change: &mut SchemaChange<'_>, oid: Oid) {
    let Some(relation) = change.catalog.remove_relation(oid) else { return };
    if let Some(storage) = relation.storage() {
        change.remove_table(storage);
    }
    if let RelationKind::Index(definition) = &relation.kind {
        detach_index(change, definition.table, oid);
    }
    for &index in &relation.indexes {
        change.catalog.remove_relation(index);
    }
    for ty in [relation.row_type, relation.row_array_type] {
        if ty != Oid::INVALID {
            change.catalog.remove_type(ty);
        }
    }
    let owned: Vec<Oid> = change
        .catalog
        .relations()
        .filter(|other| other.owned_by.is_some_and(|(table, _, _)| table == oid))
        .map(|other| other.oid)
        .collect();
    owned.into_iter().for_each(|sequence| remove_relation(change, sequence));
}

/// Takes an index off its table: from the relation's list and from the stored data.
pub(crate) fn detach_index(change: &mut SchemaChange<'_>, table: Oid, index: Oid) {
    let Some(relation) = change.catalog.relation(table) else { return };
    let mut altered = Relation::clone(relation);
    altered.indexes.retain(|found| *found != index);
    altered.constraints.retain(|constraint| constraint.index() != Some(index));
    let storage = altered.storage();
    change.catalog.put_relation(altered);
    if let Some(storage) = storage
        && let Ok(mut data) = change.table(storage)
    {
        data.drop_index(storage::IndexId(index.0));
        change.put_table(storage, data);
    }
}

fn remove_type(change: &mut SchemaChange<'_>, oid: Oid) {
    if let Some(ty) = change.catalog.remove_type(oid)
        && ty.array_type != Oid::INVALID
    {
        change.catalog.remove_type(ty.array_type);
    }
}

/// 42809 with a hint for DROP TABLE of a view and the like.
fn refuse_wrong_kind(relation: &Relation, kind: ObjectType) -> Result<()> {
    let wanted = match kind {
        ObjectType::ObjectTable => 'r',
        ObjectType::ObjectView => 'v',
        ObjectType::ObjectMatview => 'm',
        ObjectType::ObjectIndex => 'i',
        ObjectType::ObjectSequence => 'S',
        _ => return Ok(()),
    };
    if relation.relkind() == wanted {
        return Ok(());
    }
    let article = |word: &str| if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    let word = kind_word(kind);
    let actual = relation.kind_name();
    let error = Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not {} {word}", relation.name, article(word)));
    let hint = match relation.relkind() {
        'c' => "Use DROP TYPE to remove a type.".to_owned(),
        _ => format!("Use DROP {} to remove {} {actual}.", actual.to_uppercase(), article(actual)),
    };
    Err(error.hint(hint))
}

/// 2BP01 when an index carries a constraint.
fn refuse_constraint_index(catalog: &catalog::Catalog, relation: &Relation) -> Result<()> {
    let RelationKind::Index(definition) = &relation.kind else { return Ok(()) };
    let Some(table) = catalog.relation(definition.table) else { return Ok(()) };
    match table.constraints.iter().find(|constraint| constraint.index() == Some(relation.oid)) {
        Some(constraint) => Err(Error::new(
            SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
            format!(
                "cannot drop index {} because constraint {} on table {} requires it",
                relation.name, constraint.name, table.name
            ),
        )
        .hint(format!("You can drop constraint {} on table {} instead.", constraint.name, table.name))),
        None => Ok(()),
    }
}
