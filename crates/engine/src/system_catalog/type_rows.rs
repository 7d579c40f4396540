//! pg_type and pg_enum.

use std::sync::LazyLock;

use catalog::{
    AclTarget, UserType, UserTypeKind,
    builtin::{SystemType, builtins},
    type_names::{Names, system_schema},
};
use types::{Datum, Oid, SqlType, text_format::TypeResolver};

use super::{
    SystemContext, definitions,
    facts::{fact_rows, function},
    row::{NULL, Row, Sink, boolean, letter, name, oid, optional, text},
};

/// How values of a type would lie in a row, for typlen, attalign and their like.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub length: i16,
    pub by_value: bool,
    pub alignment: char,
    pub storage: char,
    pub collation: Oid,
}

pub(super) fn shape(names: &Names, ty: Oid) -> Shape {
    let base = names.base_type(names.sql_type(ty).unwrap_or(SqlType::of(ty))).oid;
    if let Some(ty) = builtins().type_by_oid(base) {
        let (length, by_value, collation) = (ty.length, ty.by_value, ty.collation);
        return Shape { length, by_value, alignment: ty.alignment, storage: ty.storage, collation };
    }
    let variable = Shape { length: -1, by_value: false, alignment: 'd', storage: 'x', collation: Oid::INVALID };
    if let Some(element) = names.array_element(base) {
        let element = shape(names, element.oid);
        let alignment = if element.alignment == 'd' { 'd' } else { 'i' };
        return Shape { alignment, collation: element.collation, ..variable };
    }
    match names.catalog.user_type(base).map(|ty| &ty.kind) {
        Some(UserTypeKind::Enum(_)) => Shape { length: 4, by_value: true, alignment: 'i', storage: 'p', ..variable },
        _ => variable,
    }
}

/// What pg_type says of a type beyond its names and its [`Shape`].
struct Facts {
    kind: char,
    category: char,
    relation: Oid,
    element: Oid,
    array: Oid,
    /// input, output, receive, send, analyze
    functions: [&'static str; 5],
    not_null: bool,
    base: Option<SqlType>,
    default: Option<String>,
}

const ARRAY_FUNCTIONS: [&str; 5] = ["array_in", "array_out", "array_recv", "array_send", "array_typanalyze"];
const RECORD_FUNCTIONS: [&str; 5] = ["record_in", "record_out", "record_recv", "record_send", "-"];
const ENUM_FUNCTIONS: [&str; 5] = ["enum_in", "enum_out", "enum_recv", "enum_send", "-"];

impl Facts {
    fn new(kind: char, category: char, functions: [&'static str; 5]) -> Facts {
        Facts {
            kind,
            category,
            relation: Oid::INVALID,
            element: Oid::INVALID,
            array: Oid::INVALID,
            functions,
            not_null: false,
            base: None,
            default: None,
        }
    }

    fn of_domain(base: SqlType, category: char) -> Facts {
        let [output, send] = match builtins().type_by_oid(base.oid) {
            Some(ty) => [ty.output, ty.send],
            None => ["-", "-"],
        };
        Facts { base: Some(base), ..Facts::new('d', category, ["domain_in", output, "domain_recv", send, "-"]) }
    }

    fn row(self, oid_of_type: Oid, names: &Names, type_name: Datum, schema: Oid, owner: Oid) -> Row {
        let shape = shape(names, oid_of_type);
        let subscript = if self.element == Oid::INVALID { "-" } else { "array_subscript_handler" };
        let [input, output, receive, send, analyze] = self.functions;
        let collation = if self.kind == 'd' { shape.collation } else { Oid::INVALID };
        vec![
            oid(oid_of_type),
            type_name,
            oid(schema),
            oid(owner),
            Datum::Int2(shape.length),
            boolean(shape.by_value),
            letter(self.kind),
            letter(self.category),
            boolean(false),
            boolean(true),
            text(","),
            oid(self.relation),
            oid(function(subscript)),
            oid(self.element),
            oid(self.array),
            oid(function(input)),
            oid(function(output)),
            oid(function(receive)),
            oid(function(send)),
            oid(Oid::INVALID),
            oid(Oid::INVALID),
            oid(function(analyze)),
            letter(shape.alignment),
            letter(shape.storage),
            boolean(self.not_null),
            oid(self.base.map_or(Oid::INVALID, |base| base.oid)),
            Datum::Int4(self.base.map_or(-1, |base| base.typmod)),
            Datum::Int4(0),
            oid(collation),
            optional(self.default.as_deref(), text),
            optional(self.default.as_deref(), text),
            NULL,
        ]
    }
}

pub(super) fn pg_type(context: &SystemContext, sink: &mut Sink) {
    sink.extend(fact_rows("pg_type").unwrap_or_default());
    sink.extend(system_type_rows());
    for ty in context.names.catalog.user_types() {
        if sink.wants(0, ty.oid) {
            sink.push(user_type_row(context, ty));
        }
    }
}

fn system_type_rows() -> &'static [Row] {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
        let names = Names::new(std::sync::Arc::default(), Vec::new());
        builtins().system_types.iter().map(|ty| system_type_row(&names, ty)).collect()
    });
    &ROWS
}

fn system_type_row(names: &Names, ty: &'static SystemType) -> Row {
    let facts = match ty.kind {
        'd' => Facts::of_domain(SqlType::of(ty.base).with_typmod(ty.base_typmod), ty.category),
        'c' => Facts { relation: ty.relation, ..Facts::new('c', 'C', RECORD_FUNCTIONS) },
        _ => Facts { element: ty.element, ..Facts::new('b', 'A', ARRAY_FUNCTIONS) },
    };
    let facts = Facts { array: ty.array, not_null: ty.not_null, ..facts };
    facts.row(ty.oid, names, text(ty.name), system_schema(ty.schema), Oid::BOOTSTRAP_ROLE)
}

fn user_type_row(context: &SystemContext, ty: &UserType) -> Row {
    let facts = match &ty.kind {
        UserTypeKind::Enum(_) => Facts::new('e', 'E', ENUM_FUNCTIONS),
        UserTypeKind::Domain { base, not_null, default, .. } => Facts {
            not_null: *not_null,
            default: default.as_deref().map(|default| definitions::domain_default(context, default, *base, context.style())),
            ..Facts::of_domain(*base, context.names.type_category(base.oid))
        },
        UserTypeKind::Composite { relation } => Facts { relation: *relation, ..Facts::new('c', 'C', RECORD_FUNCTIONS) },
        UserTypeKind::Array { element } => Facts { element: element.oid, ..Facts::new('b', 'A', ARRAY_FUNCTIONS) },
        UserTypeKind::Shell => Facts::new('p', 'P', ["shell_in", "shell_out", "-", "-", "-"]),
    };
    let facts = Facts { array: ty.array_type, ..facts };
    let mut row = facts.row(ty.oid, &context.names, name(&ty.name), ty.schema, ty.owner);
    // typacl is the last column.
    if let Some(acl) = row.last_mut() {
        *acl = context.acl(AclTarget::Type(ty.oid));
    }
    row
}

pub(super) fn pg_enum(context: &SystemContext, sink: &mut Sink) {
    for ty in context.names.catalog.user_types() {
        if let UserTypeKind::Enum(definition) = &ty.kind
            && sink.wants(1, ty.oid)
        {
            for label in &definition.labels {
                sink.push(vec![oid(label.label_oid), oid(ty.oid), Datum::Float4(label.sort_order), name(&label.label)]);
            }
        }
    }
}
