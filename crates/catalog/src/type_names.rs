//! Names under a search path: which type, relation or function a name means, and how an object's name prints.
//!
//! Follows PostgreSQL's rules: `pg_catalog` is searched first unless the path lists it; a name is printed bare when looking it up under
//! the path would find the same object, else with its schema.
//!
//! [`Names`] is what the input and output functions of `types` ask ([`TypeResolver`]); [`modifiers`] encodes `varchar(10)`,
//! [`quoting`] writes identifiers, [`parse`](Names::parse_type) reads a type from text.

use std::sync::Arc;

use types::{EnumLabel, Error, Oid, Result, SqlState, SqlType, text_format::TypeResolver};

use crate::{
    Catalog, Name, NameRecorder, Relation, StoredNames, UserType, UserTypeKind,
    builtin::{SystemRelation, SystemType, builtins},
};

mod format;
pub mod modifiers;
mod parse;
pub mod quoting;
mod reg;

pub use quoting::{quote_identifier, quote_literal, quote_qualified};

/// The catalog as seen under a search path.
#[derive(Clone, Debug)]
pub struct Names {
    pub catalog: Arc<Catalog>,
    /// Schemas in order; `pg_catalog` is searched first unless it is listed.
    pub search_path: Vec<Oid>,
    /// What lies outside the database's own catalog.
    pub cluster: Arc<ClusterNames>,
    /// What names mean in the stored query that is being bound, if one is.
    pub stored: Option<Arc<StoredNames>>,
    /// Who notes what names mean, for a query that is about to be stored.
    pub recorder: Option<Arc<NameRecorder>>,
}

/// The names that all databases share.
#[derive(Clone, Debug, Default)]
pub struct ClusterNames {
    pub current_database: String,
    pub roles: Vec<(Oid, Name)>,
}

/// A relation found by name or identifier.
#[derive(Clone, Debug)]
pub enum NamedRelation {
    User(Arc<Relation>),
    System(&'static SystemRelation),
}

impl NamedRelation {
    pub fn oid(&self) -> Oid {
        match self {
            NamedRelation::User(relation) => relation.oid,
            NamedRelation::System(relation) => relation.oid,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            NamedRelation::User(relation) => &relation.name,
            NamedRelation::System(relation) => relation.name,
        }
    }

    pub fn schema(&self) -> Oid {
        match self {
            NamedRelation::User(relation) => relation.schema,
            NamedRelation::System(relation) => system_schema(relation.schema),
        }
    }
}

/// The identifier of a schema that holds system relations.
pub fn system_schema(name: &str) -> Oid {
    if name == "information_schema" { Oid::INFORMATION_SCHEMA_NAMESPACE } else { Oid::PG_CATALOG_NAMESPACE }
}

fn system_schema_name(oid: Oid) -> Option<&'static str> {
    match oid {
        Oid::PG_CATALOG_NAMESPACE => Some("pg_catalog"),
        Oid::INFORMATION_SCHEMA_NAMESPACE => Some("information_schema"),
        _ => None,
    }
}

impl Names {
    pub fn new(catalog: Arc<Catalog>, search_path: Vec<Oid>) -> Names {
        Names { catalog, search_path, cluster: Arc::default(), stored: None, recorder: None }
    }

    /// The names of stored definitions: an empty search path, and what the names of a stored query meant when it was written.
    pub fn of_definition(&self, stored: Option<&Arc<StoredNames>>) -> Names {
        Names { search_path: Vec::new(), stored: stored.cloned(), recorder: None, ..self.clone() }
    }

    /// The same, with what names mean written down.
    pub fn recorded_by(&self, recorder: Arc<NameRecorder>) -> Names {
        Names { recorder: Some(recorder), ..self.clone() }
    }

    /// What a relation's attribute is called here; None for one that the stored query being bound does not know.
    pub fn attribute_name(&self, relation: &Relation, position: usize) -> Option<Name> {
        match &self.stored {
            Some(stored) if stored.knows_columns_of(relation.oid) => stored.column(relation.oid, position).cloned(),
            _ => relation.attributes.get(position).map(|attribute| attribute.name.clone()),
        }
    }

    /// Schema and name of a relation as they are here.
    pub fn relation_place(&self, relation: &Relation) -> (Oid, Name) {
        let stored = self.stored.as_ref().and_then(|stored| stored.place_of(relation.oid));
        stored.map_or_else(|| (relation.schema, relation.name.clone()), |(schema, name)| (schema, name.clone()))
    }

    /// The schemas as they are searched.
    pub fn effective_path(&self) -> impl Iterator<Item = Oid> + '_ {
        let implicit = (!self.search_path.contains(&Oid::PG_CATALOG_NAMESPACE)).then_some(Oid::PG_CATALOG_NAMESPACE);
        implicit.into_iter().chain(self.search_path.iter().copied())
    }

    /// The schema of this name. Errors: 3F000.
    pub fn schema(&self, name: &str) -> Result<Oid> {
        if name == "pg_temp"
            && let Some(temporary) = self.temporary_schema()
        {
            return Ok(temporary);
        }
        match self.schema_oid(name) {
            Some(schema) => Ok(schema),
            None => Err(Error::new(SqlState::UNDEFINED_SCHEMA, format!("schema \"{name}\" does not exist"))),
        }
    }

    /// The schema of this name, if there is one.
    pub fn schema_oid(&self, name: &str) -> Option<Oid> {
        if let Some(known) = self.stored.as_ref().and_then(|stored| stored.schema(name)) {
            return Some(known);
        }
        let schema = self.catalog.schema_named(name)?;
        if let Some(recorder) = &self.recorder {
            recorder.schema(name, schema.oid);
        }
        Some(schema.oid)
    }

    /// The session's own schema of temporary relations, which goes by the name of pg_temp.
    fn temporary_schema(&self) -> Option<Oid> {
        let is_temporary = |oid: &Oid| self.catalog.schema(*oid).is_some_and(|schema| schema.name.starts_with("pg_temp_"));
        self.search_path.iter().copied().find(is_temporary)
    }

    /// The relation of this name in a schema.
    pub fn relation_in(&self, schema: Oid, name: &str) -> Option<NamedRelation> {
        if let Some(relation) = self.catalog.relation_named(schema, name) {
            return Some(NamedRelation::User(relation.clone()));
        }
        builtins().system_relation_named(system_schema_name(schema)?, name).map(NamedRelation::System)
    }

    /// The relation that a name means: in the given schema, else the first along the path.
    pub fn relation_by_name(&self, schema: Option<&str>, name: &str) -> Option<NamedRelation> {
        if let Some(known) = self.stored.as_ref().and_then(|stored| stored.relation(schema, name)) {
            return self.relation(known);
        }
        let found = match schema {
            Some(schema) => self.relation_in(self.schema_oid(schema)?, name),
            None => self.effective_path().find_map(|schema| self.relation_in(schema, name)),
        };
        if let (Some(recorder), Some(NamedRelation::User(relation))) = (&self.recorder, &found) {
            recorder.relation(schema, name, relation);
        }
        found
    }

    pub fn relation(&self, oid: Oid) -> Option<NamedRelation> {
        match self.catalog.relation(oid) {
            Some(relation) => Some(NamedRelation::User(relation.clone())),
            None => builtins().system_relation(oid).map(NamedRelation::System),
        }
    }

    /// Whether a relation's bare name finds it (pg_table_is_visible).
    pub fn relation_is_visible(&self, relation: &NamedRelation) -> bool {
        self.effective_path()
            .find_map(|schema| self.relation_in(schema, relation.name()))
            .is_some_and(|found| found.oid() == relation.oid())
    }

    /// The type of this name in a schema.
    pub fn type_in(&self, schema: Oid, name: &str) -> Option<Oid> {
        if let Some(ty) = self.catalog.user_type_named(schema, name) {
            return Some(ty.oid);
        }
        if schema == Oid::PG_CATALOG_NAMESPACE
            && let Some(ty) = builtins().type_by_name(name)
        {
            return Some(ty.oid);
        }
        builtins().system_type_named(system_schema_name(schema)?, name).map(|ty| ty.oid)
    }

    /// The type that a name means, without a modifier: in the given schema, else the first along the path.
    /// A domain's values have the physical form of its base.
    pub fn type_by_name(&self, schema: Option<&str>, name: &str) -> Option<SqlType> {
        if let Some(known) = self.stored.as_ref().and_then(|stored| stored.type_named(schema, name)) {
            return self.sql_type(known);
        }
        let oid = match schema {
            Some(schema) => self.type_in(self.schema_oid(schema)?, name),
            None => self.effective_path().find_map(|schema| self.type_in(schema, name)),
        }?;
        if let Some(recorder) = &self.recorder {
            recorder.type_named(schema, name, oid, &self.catalog);
        }
        self.sql_type(oid)
    }

    /// The type of this name. Errors: 3F000, 42704.
    pub fn resolve_type(&self, schema: Option<&str>, name: &str) -> Result<SqlType> {
        if let Some(schema) = schema {
            self.schema(schema)?;
        }
        self.type_by_name(schema, name).ok_or_else(|| {
            let written = schema.map_or_else(|| name.to_string(), |schema| format!("{schema}.{name}"));
            Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{written}\" does not exist"))
        })
    }

    /// Name and schema of a type; None when there is no such type.
    pub fn type_name_and_schema(&self, oid: Oid) -> Option<(String, Oid)> {
        if let Some(ty) = builtins().type_by_oid(oid) {
            return Some((ty.name.to_string(), Oid::PG_CATALOG_NAMESPACE));
        }
        if let Some(ty) = self.catalog.user_type(oid) {
            return Some((ty.name.to_string(), ty.schema));
        }
        builtins().system_type(oid).map(|ty| (ty.name.to_string(), system_schema(ty.schema)))
    }

    /// Whether a type's bare name finds it (pg_type_is_visible).
    pub fn type_is_visible(&self, oid: Oid) -> bool {
        let Some((name, _)) = self.type_name_and_schema(oid) else { return false };
        self.effective_path().find_map(|schema| self.type_in(schema, &name)) == Some(oid)
    }

    /// The type of this identifier without a modifier; None when there is none.
    pub fn sql_type(&self, oid: Oid) -> Option<SqlType> {
        if builtins().type_by_oid(oid).is_some() {
            return Some(SqlType::of(oid));
        }
        let base = match self.catalog.user_type(oid) {
            Some(ty) => match &ty.kind {
                UserTypeKind::Domain { base, .. } => Some(*base),
                _ => None,
            },
            None => match builtins().system_type(oid)? {
                SystemType { kind: 'd', base, .. } => Some(SqlType::of(*base)),
                _ => None,
            },
        };
        Some(match base {
            Some(base) => SqlType { oid, typmod: -1, physical: base.physical },
            None => SqlType::of(oid),
        })
    }

    /// The type below all domains, with the modifier that the innermost domain gives; the type itself when it is no domain.
    pub fn base_type(&self, ty: SqlType) -> SqlType {
        let mut base = ty;
        loop {
            match self.domain_base(base.oid) {
                Some(below) => base = below,
                None => return base,
            }
        }
    }

    /// What a domain is directly over; None when the type is not a domain.
    pub fn domain_base(&self, oid: Oid) -> Option<SqlType> {
        match self.catalog.user_type(oid).map(|ty| &ty.kind) {
            Some(UserTypeKind::Domain { base, .. }) => Some(*base),
            Some(_) => None,
            None => match builtins().system_type(oid)? {
                SystemType { kind: 'd', base, base_typmod, .. } => Some(SqlType::of(*base).with_typmod(*base_typmod)),
                _ => None,
            },
        }
    }

    /// The type of arrays of this element type.
    pub fn array_type(&self, element: Oid) -> Option<SqlType> {
        let array = if let Some(ty) = builtins().type_by_oid(element) {
            ty.array
        } else if let Some(ty) = self.catalog.user_type(element) {
            ty.array_type
        } else {
            builtins().system_type(element)?.array
        };
        (array != Oid::INVALID).then_some(SqlType::of(array))
    }

    /// typcategory
    pub fn type_category(&self, oid: Oid) -> char {
        if let Some(ty) = builtins().type_by_oid(oid) {
            return ty.category;
        }
        match self.catalog.user_type(oid).map(|ty| &ty.kind) {
            Some(UserTypeKind::Enum(_)) => 'E',
            Some(UserTypeKind::Domain { base, .. }) => self.type_category(base.oid),
            Some(UserTypeKind::Composite { .. }) => 'C',
            Some(UserTypeKind::Array { .. }) => 'A',
            Some(UserTypeKind::Shell) => 'P',
            None => builtins().system_type(oid).map_or('U', |ty| ty.category),
        }
    }

    fn user_enum(&self, oid: Oid) -> Option<&crate::EnumDefinition> {
        match &self.catalog.user_type(oid)?.kind {
            UserTypeKind::Enum(definition) => Some(definition),
            _ => None,
        }
    }

    fn system_row_type(oid: Oid) -> Option<&'static SystemRelation> {
        let relation = match builtins().type_by_oid(oid) {
            Some(ty) => ty.relation,
            None => builtins().system_type(oid)?.relation,
        };
        builtins().system_relation(relation)
    }

    fn user_row_type(&self, ty: &UserType) -> Option<&Arc<Relation>> {
        match ty.kind {
            UserTypeKind::Composite { relation } => self.catalog.relation(relation),
            _ => None,
        }
    }
}

impl TypeResolver for Names {
    fn domain_base(&self, oid: Oid) -> Option<SqlType> {
        Names::domain_base(self, oid)
    }

    fn array_element(&self, oid: Oid) -> Option<SqlType> {
        if let Some(ty) = builtins().type_by_oid(oid) {
            return (ty.subscript == "array_subscript_handler").then(|| SqlType::of(ty.element));
        }
        match self.catalog.user_type(oid) {
            Some(ty) => match &ty.kind {
                UserTypeKind::Array { element } => Some(*element),
                _ => None,
            },
            None => {
                let ty = builtins().system_type(oid)?;
                if ty.kind == 'b' { self.sql_type(ty.element) } else { None }
            }
        }
    }

    fn enum_label(&self, oid: Oid, label: &str) -> Option<Result<Arc<EnumLabel>>> {
        let definition = self.user_enum(oid)?;
        let stored = self.stored.as_ref().and_then(|stored| stored.label(oid, label));
        let found = definition.labels.iter().find(|known| match stored {
            Some(stored) => known.label_oid == stored,
            None => &*known.label == label,
        });
        if let (Some(recorder), Some(found)) = (&self.recorder, found) {
            recorder.label(oid, label, found.label_oid);
        }
        Some(found.cloned().ok_or_else(|| {
            let ty = self.format_type_oid(oid);
            Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid input value for enum {ty}: \"{label}\""))
        }))
    }

    fn composite_fields(&self, oid: Oid) -> Option<(Arc<[Arc<str>]>, Arc<[SqlType]>)> {
        if let Some(ty) = self.catalog.user_type(oid) {
            let relation = self.user_row_type(ty)?;
            if let Some(recorder) = &self.recorder {
                recorder.columns(relation);
            }
            let fields = relation.live_attributes().map(|(position, attribute)| {
                let name = self.attribute_name(relation, position).unwrap_or_else(|| attribute.name.clone());
                (name, attribute.ty)
            });
            let (names, types): (Vec<_>, Vec<_>) = fields.unzip();
            return Some((names.into(), types.into()));
        }
        let columns = &Names::system_row_type(oid)?.columns;
        let names = columns.iter().map(|column| Arc::from(column.name)).collect();
        let type_of = |oid| self.sql_type(oid).unwrap_or_else(|| SqlType::of(oid));
        Some((names, columns.iter().map(|column| type_of(column.type_oid).with_typmod(column.typmod)).collect()))
    }

    fn reg_object(&self, reg_type: Oid, name: &str) -> Result<Oid> {
        self.object_named(reg_type, name)
    }

    fn reg_name(&self, reg_type: Oid, oid: Oid) -> Option<String> {
        self.name_of_object(reg_type, oid)
    }

    fn type_name(&self, ty: SqlType) -> String {
        self.format_type_oid(ty.oid)
    }
}

#[cfg(test)]
mod tests;
