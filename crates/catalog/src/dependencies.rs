//! Which objects rest on which others, and what dropping one takes with it (PostgreSQL's pg_depend).
//!
//! Nothing is stored: dependencies follow from the definitions. Those of expressions and views are read from their SQL text
//! ([`references`]), in which every relation and type of a user is written with its schema.

use std::collections::{HashMap, HashSet};

use types::{Error, Oid, Result, SqlState};

use crate::{
    Catalog, Constraint, ConstraintKind, IndexKey, Relation, RelationKind, StoredQuery, UserTypeKind, type_names::Names,
};

mod references;
mod removal;

pub use references::{References, references};
pub use removal::Removal;

/// Something that depends or is depended on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Object {
    Schema(Oid),
    Relation(Oid),
    /// A relation's attribute by position.
    Column(Oid, usize),
    /// The default (or generating) expression of an attribute.
    Default(Oid, usize),
    Type(Oid),
    /// A constraint of the relation or domain with the first identifier; its own is the second.
    Constraint(Oid, Oid),
}

impl Object {
    /// The relation that an attribute, default or constraint is part of.
    fn relation(self) -> Option<Oid> {
        match self {
            Object::Column(relation, _) | Object::Default(relation, _) | Object::Constraint(relation, _) => Some(relation),
            Object::Schema(_) | Object::Relation(_) | Object::Type(_) => None,
        }
    }

    /// Order of creation, for reports.
    fn age(self) -> (Oid, usize) {
        match self {
            Object::Schema(oid) | Object::Relation(oid) | Object::Type(oid) | Object::Constraint(_, oid) => (oid, 0),
            Object::Column(oid, position) | Object::Default(oid, position) => (oid, position + 1),
        }
    }
}

/// What happens to the dependent object when the other is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strength {
    /// The drop is refused without CASCADE.
    Normal,
    /// It goes along silently.
    Automatic,
    /// It is part of the other and cannot be dropped by itself.
    Internal,
}

impl Strength {
    /// pg_depend.deptype
    pub fn letter(self) -> char {
        match self {
            Strength::Normal => 'n',
            Strength::Automatic => 'a',
            Strength::Internal => 'i',
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dependency {
    pub dependent: Object,
    pub on: Object,
    pub strength: Strength,
}

/// All dependencies between users' objects, without repetition.
pub fn dependencies(catalog: &Catalog) -> Vec<Dependency> {
    let mut found = Collector { catalog, list: Vec::new() };
    for relation in catalog.relations() {
        found.of_relation(relation);
    }
    for ty in catalog.user_types() {
        found.of_type(ty);
    }
    let mut seen = HashSet::new();
    found.list.retain(|dependency| dependency.dependent != dependency.on && seen.insert(*dependency));
    found.list
}

struct Collector<'c> {
    catalog: &'c Catalog,
    list: Vec<Dependency>,
}

impl Collector<'_> {
    fn add(&mut self, dependent: Object, on: Object, strength: Strength) {
        self.list.push(Dependency { dependent, on, strength });
    }

    fn of_relation(&mut self, relation: &Relation) {
        let own = Object::Relation(relation.oid);
        match &relation.kind {
            RelationKind::Index(_) => self.of_index(relation),
            RelationKind::Composite => self.add(own, Object::Type(relation.row_type), Strength::Internal),
            _ => self.add(own, Object::Schema(relation.schema), Strength::Normal),
        }
        if let Some(query) = relation.query() {
            self.of_query(own, query);
        }
        if let Some((table, position, is_identity)) = relation.owned_by {
            let strength = if is_identity { Strength::Internal } else { Strength::Automatic };
            self.add(own, Object::Column(table, position), strength);
        }
        for (position, attribute) in relation.live_attributes() {
            if matches!(relation.kind, RelationKind::Index(_) | RelationKind::Sequence(_)) {
                break;
            }
            let column = Object::Column(relation.oid, position);
            self.of_column_type(column, attribute.ty.oid);
            if let Some(default) = &attribute.default {
                let value = Object::Default(relation.oid, position);
                self.add(value, column, Strength::Automatic);
                match attribute.generated {
                    // Dropping what a generated column is computed from drops the column.
                    Some(_) => self.of_expression(column, default, Some(relation), Strength::Automatic),
                    None => self.of_expression(value, default, None, Strength::Normal),
                }
            }
        }
        for constraint in &relation.constraints {
            self.of_constraint(relation, constraint);
        }
    }

    /// A column or domain needs its type's definition.
    fn of_column_type(&mut self, dependent: Object, ty: Oid) {
        if self.catalog.user_type(ty).is_some() {
            self.add(dependent, Object::Type(ty), Strength::Normal);
        }
    }

    fn of_index(&mut self, relation: &Relation) {
        let RelationKind::Index(index) = &relation.kind else { return };
        let own = Object::Relation(relation.oid);
        let Some(table) = self.catalog.relation(index.table).cloned() else { return };
        if let Some(constraint) = table.constraints.iter().find(|constraint| constraint.index() == Some(relation.oid)) {
            self.add(own, Object::Constraint(table.oid, constraint.oid), Strength::Internal);
            return;
        }
        for column in &index.columns {
            match &column.key {
                IndexKey::Attribute(position) => self.add(own, Object::Column(table.oid, *position), Strength::Automatic),
                IndexKey::Expression(sql) => self.of_expression(own, sql, Some(&table), Strength::Automatic),
            }
        }
        for position in &index.included {
            self.add(own, Object::Column(table.oid, *position), Strength::Automatic);
        }
        if let Some(predicate) = &index.predicate {
            self.of_expression(own, predicate, Some(&table), Strength::Automatic);
        }
        self.add(own, Object::Relation(table.oid), Strength::Automatic);
    }

    fn of_constraint(&mut self, relation: &Relation, constraint: &Constraint) {
        let own = Object::Constraint(relation.oid, constraint.oid);
        let mut on_columns = |columns: &[usize]| {
            for position in columns {
                self.add(own, Object::Column(relation.oid, *position), Strength::Automatic);
            }
        };
        match &constraint.kind {
            ConstraintKind::Check { expression, columns, .. } => {
                on_columns(columns);
                self.of_expression(own, expression, None, Strength::Normal);
            }
            ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } => on_columns(columns),
            ConstraintKind::ForeignKey(key) => {
                on_columns(&key.columns);
                for position in &key.referenced_columns {
                    self.add(own, Object::Column(key.referenced, *position), Strength::Normal);
                }
                self.add(own, Object::Relation(key.referenced_index), Strength::Normal);
            }
        }
        self.add(own, Object::Relation(relation.oid), Strength::Automatic);
    }

    /// What an expression mentions: relations and types by name, and columns of `table` by their words.
    fn of_expression(&mut self, dependent: Object, sql: &str, table: Option<&Relation>, strength: Strength) {
        let mentioned = references(self.catalog, sql);
        self.of_references(dependent, &mentioned);
        if let Some(table) = table {
            for (position, attribute) in table.live_attributes() {
                if mentioned.words.contains(&*attribute.name) {
                    self.add(dependent, Object::Column(table.oid, position), strength);
                }
            }
        }
    }

    fn of_references(&mut self, dependent: Object, mentioned: &References) {
        for relation in &mentioned.relations {
            self.add(dependent, Object::Relation(*relation), Strength::Normal);
        }
        for ty in &mentioned.types {
            self.of_column_type(dependent, *ty);
        }
    }

    /// A view needs the relations, columns and types that its query reads.
    fn of_query(&mut self, view: Object, query: &StoredQuery) {
        for relation in query.names.relations() {
            self.add(view, Object::Relation(relation), Strength::Normal);
        }
        for ty in query.names.types() {
            self.of_column_type(view, ty);
        }
        for (relation, position) in &query.columns_read {
            if self.catalog.relation(*relation).is_some() {
                self.add(view, Object::Column(*relation, *position), Strength::Normal);
            }
        }
    }

    fn of_type(&mut self, ty: &crate::UserType) {
        let own = Object::Type(ty.oid);
        match &ty.kind {
            UserTypeKind::Array { element } => {
                self.add(own, Object::Type(element.oid), Strength::Internal);
                return;
            }
            UserTypeKind::Composite { relation } => {
                let is_standalone =
                    self.catalog.relation(*relation).is_some_and(|relation| matches!(relation.kind, RelationKind::Composite));
                if !is_standalone {
                    self.add(own, Object::Relation(*relation), Strength::Internal);
                    return;
                }
            }
            UserTypeKind::Domain { base, default, constraints, .. } => {
                self.of_column_type(own, base.oid);
                if let Some(default) = default {
                    self.of_expression(own, default, None, Strength::Normal);
                }
                for constraint in constraints {
                    let check = Object::Constraint(ty.oid, constraint.oid);
                    self.add(check, own, Strength::Automatic);
                    if let ConstraintKind::Check { expression, .. } = &constraint.kind {
                        self.of_expression(check, expression, None, Strength::Normal);
                    }
                }
            }
            UserTypeKind::Enum(_) | UserTypeKind::Shell => {}
        }
        self.add(own, Object::Schema(ty.schema), Strength::Normal);
    }
}

/// An object as error messages name it: `table t`, `column a of table t`, `constraint c on table t`.
pub fn describe(names: &Names, object: Object) -> String {
    let relation_name = |oid: Oid| {
        let Some(relation) = names.relation(oid) else { return format!("relation {oid}") };
        let kind = match names.catalog.relation(oid) {
            Some(relation) => relation.kind_name(),
            None => "table",
        };
        let schema = if names.relation_is_visible(&relation) { None } else { names.schema_name(relation.schema()) };
        format!("{kind} {}", crate::type_names::quote_qualified(schema.as_deref(), relation.name()))
    };
    let column_name = |relation: Oid, position: usize| {
        let attribute = names.catalog.relation(relation).and_then(|relation| relation.attributes.get(position).cloned());
        let name = attribute.map(|attribute| attribute.name.to_string()).unwrap_or_default();
        format!("column {name} of {}", relation_name(relation))
    };
    match object {
        Object::Schema(oid) => format!("schema {}", names.schema_name(oid).as_deref().unwrap_or_default()),
        Object::Relation(oid) => relation_name(oid),
        Object::Column(relation, position) => column_name(relation, position),
        Object::Default(relation, position) => format!("default value for {}", column_name(relation, position)),
        Object::Type(oid) => format!("type {}", names.format_type_oid(oid)),
        Object::Constraint(owner, oid) => match names.catalog.relation(owner) {
            Some(relation) => {
                let constraint = relation.constraints.iter().find(|constraint| constraint.oid == oid);
                let name = constraint.map(|constraint| &*constraint.name).unwrap_or_default();
                format!("constraint {name} on {}", relation_name(owner))
            }
            None => domain_constraint_name(names, owner, oid),
        },
    }
}

fn domain_constraint_name(names: &Names, domain: Oid, oid: Oid) -> String {
    let Some(UserTypeKind::Domain { constraints, .. }) = names.catalog.user_type(domain).map(|ty| &ty.kind) else {
        return format!("constraint {oid}");
    };
    let constraint = constraints.iter().find(|constraint| constraint.oid == oid);
    format!("constraint {}", constraint.map(|constraint| &*constraint.name).unwrap_or_default())
}

/// Dependents by what they rest on.
struct Dependents(HashMap<Object, Vec<(Object, Strength)>>);

impl Dependents {
    fn of(catalog: &Catalog) -> Dependents {
        let mut by_object: HashMap<Object, Vec<(Object, Strength)>> = HashMap::new();
        for dependency in dependencies(catalog) {
            by_object.entry(dependency.on).or_default().push((dependency.dependent, dependency.strength));
        }
        for dependents in by_object.values_mut() {
            dependents.sort_by_key(|(dependent, _)| dependent.age());
        }
        Dependents(by_object)
    }

    fn on(&self, object: Object) -> &[(Object, Strength)] {
        self.0.get(&object).map_or(&[], Vec::as_slice)
    }
}

fn dependents_exist(message: String) -> Error {
    Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
}

/// What dropping these objects together takes with it.
///
/// Errors: 2BP01 when something else depends on them and CASCADE was not asked for, or when one of them is part of another object.
pub fn plan_removal(names: &Names, targets: &[Object], cascade: bool) -> Result<Removal> {
    removal::plan(names, targets, cascade)
}

#[cfg(test)]
mod tests;
