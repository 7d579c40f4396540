//! pg_attribute.

use std::sync::LazyLock;

use catalog::{
    AclTarget, Attribute, IdentityKind, IndexDefinition, IndexKey, Relation, RelationKind,
    builtin::{SystemRelation, builtins},
    type_names::Names,
};
use types::{Datum, Oid, SqlType, text_format::TypeResolver};

use super::{
    SystemContext,
    relation_rows::attribute_number,
    row::{NULL, Row, Sink, boolean, letter, name, oid, text},
    type_rows::shape,
};

/// What makes the rows of pg_attribute differ.
struct AttributeRow {
    relation: Oid,
    name: Datum,
    ty: SqlType,
    number: i16,
    not_null: bool,
    has_default: bool,
    identity: char,
    generated: char,
    dropped: bool,
    is_local: bool,
    collation: Oid,
    storage: Option<char>,
}

impl AttributeRow {
    fn new(relation: Oid, name: Datum, ty: SqlType, number: i16) -> AttributeRow {
        AttributeRow {
            relation,
            name,
            ty,
            number,
            not_null: false,
            has_default: false,
            identity: ' ',
            generated: ' ',
            dropped: false,
            is_local: true,
            collation: Oid::INVALID,
            storage: None,
        }
    }

    fn into_row(self, names: &Names) -> Row {
        let shape = shape(names, self.ty.oid);
        let is_array = names.array_element(self.ty.oid).is_some() && !matches!(self.ty.oid, Oid::OIDVECTOR | Oid::INT2VECTOR);
        vec![
            oid(self.relation),
            self.name,
            oid(if self.dropped { Oid::INVALID } else { self.ty.oid }),
            Datum::Int4(if self.number < 0 || self.dropped { 0 } else { -1 }),
            Datum::Int2(shape.length),
            Datum::Int2(self.number),
            Datum::Int4(i32::from(is_array && !self.dropped)),
            Datum::Int4(-1),
            Datum::Int4(self.ty.typmod),
            boolean(shape.by_value),
            letter(shape.alignment),
            letter(self.storage.unwrap_or(shape.storage)),
            text(""),
            boolean(self.not_null),
            boolean(self.has_default),
            boolean(false),
            letter(self.identity),
            letter(self.generated),
            boolean(self.dropped),
            boolean(self.is_local),
            Datum::Int4(0),
            oid(self.collation),
            NULL,
            NULL,
            NULL,
            NULL,
        ]
    }
}

pub(super) fn pg_attribute(context: &SystemContext, sink: &mut Sink) {
    let catalog = &context.names.catalog;
    match sink.only(0) {
        Some(only) => match catalog.relation(only) {
            Some(relation) => user_attributes(context, relation, sink),
            None => builtins().system_relation(only).into_iter().for_each(|relation| sink.extend(&system_attributes(relation))),
        },
        None => {
            sink.extend(all_system_attributes());
            catalog.relations().for_each(|relation| user_attributes(context, relation, sink));
        }
    }
}

fn all_system_attributes() -> &'static [Row] {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| builtins().system_relations.iter().flat_map(system_attributes).collect());
    &ROWS
}

fn system_attributes(relation: &'static SystemRelation) -> Vec<Row> {
    let names = Names::new(std::sync::Arc::default(), Vec::new());
    let columns = relation.columns.iter().enumerate().map(|(position, column)| AttributeRow {
        not_null: column.not_null,
        collation: column.collation,
        ..AttributeRow::new(
            relation.oid,
            text(column.name),
            SqlType::of(column.type_oid).with_typmod(column.typmod),
            attribute_number(position),
        )
    });
    let hidden = if relation.kind == 'r' { hidden_attributes(relation.oid) } else { Vec::new() };
    columns.chain(hidden).map(|row| row.into_row(&names)).collect()
}

/// The place of attacl.
const ACL: usize = 22;

/// The columns that every table has without their being declared.
fn hidden_attributes(relation: Oid) -> Vec<AttributeRow> {
    [("ctid", Oid::TID), ("xmin", Oid::XID), ("cmin", Oid::CID), ("xmax", Oid::XID), ("cmax", Oid::CID), ("tableoid", Oid::OID)]
        .into_iter()
        .zip(1..)
        .map(|((hidden, ty), place)| AttributeRow {
            not_null: true,
            ..AttributeRow::new(relation, text(hidden), SqlType::of(ty), -place)
        })
        .collect()
}

fn user_attributes(context: &SystemContext, relation: &Relation, sink: &mut Sink) {
    let names = &context.names;
    match &relation.kind {
        RelationKind::Index(index) => {
            index_attributes(context, relation, index).into_iter().for_each(|row| sink.push(row.into_row(names)));
            return;
        }
        RelationKind::Sequence(_) => {
            for (column, ty, number) in
                [("last_value", SqlType::INT8, 1), ("log_cnt", SqlType::INT8, 2), ("is_called", SqlType::BOOL, 3)]
            {
                let row = AttributeRow { not_null: true, ..AttributeRow::new(relation.oid, text(column), ty, number) };
                sink.push(row.into_row(names));
            }
        }
        _ => {
            for (position, attribute) in relation.attributes.iter().enumerate() {
                let mut row = user_attribute(context, relation.oid, position, attribute).into_row(names);
                row[ACL] = context.acl(AclTarget::Column(relation.oid, position));
                sink.push(row);
            }
        }
    }
    if matches!(relation.relkind(), 'r' | 'm' | 'S') {
        hidden_attributes(relation.oid).into_iter().for_each(|row| sink.push(row.into_row(names)));
    }
}

fn user_attribute(context: &SystemContext, relation: Oid, position: usize, attribute: &Attribute) -> AttributeRow {
    let shown_name = match attribute.dropped {
        true => text(format!("........pg.dropped.{}........", position + 1)),
        false => name(&attribute.name),
    };
    AttributeRow {
        not_null: attribute.not_null && !attribute.dropped,
        has_default: attribute.default.is_some() && !attribute.dropped,
        identity: match attribute.identity {
            Some(IdentityKind::Always) => 'a',
            Some(IdentityKind::ByDefault) => 'd',
            None => ' ',
        },
        generated: if attribute.generated.is_some() { 's' } else { ' ' },
        dropped: attribute.dropped,
        is_local: attribute.is_local,
        collation: collation_or_default(context, attribute.collation, attribute.ty),
        storage: attribute.storage,
        ..AttributeRow::new(relation, shown_name, attribute.ty, attribute_number(position))
    }
}

/// A column's collation: its own, else its type's; none when the type has no collation.
pub(super) fn collation_or_default(context: &SystemContext, collation: Oid, ty: SqlType) -> Oid {
    match shape(&context.names, ty.oid).collation {
        Oid::INVALID => Oid::INVALID,
        of_type if collation == Oid::INVALID => of_type,
        _ => collation,
    }
}

fn index_attributes(context: &SystemContext, relation: &Relation, index: &IndexDefinition) -> Vec<AttributeRow> {
    let Some(table) = context.names.catalog.relation(index.table) else { return Vec::new() };
    let names = index_column_names(table, index);
    let types = index.columns.iter().map(|column| (column.ty, column.collation));
    let included = index.included.iter().filter_map(|position| table.attributes.get(*position));
    let types = types.chain(included.map(|attribute| (attribute.ty, attribute.collation)));
    names
        .into_iter()
        .zip(types)
        .enumerate()
        .map(|(position, (column, (ty, collation)))| {
            // Index columns know no modifier except that of the column they copy.
            let own = match &*index.method {
                "hash" => SqlType::INT4,
                _ => relation.attributes.get(position).map_or(ty, |attribute| attribute.ty),
            };
            let row = AttributeRow::new(relation.oid, text(column), own, attribute_number(position));
            // INCLUDE columns are not ordered, so that they have no collation.
            let is_key = position < index.columns.len();
            let collation = if is_key { collation_or_default(context, collation, ty) } else { Oid::INVALID };
            AttributeRow { collation, ..row }
        })
        .collect()
}

/// Names of an index's columns, as PostgreSQL makes them: the table's, the called function's, or `expr`, numbered where they collide.
pub(super) fn index_column_names(table: &Relation, index: &IndexDefinition) -> Vec<String> {
    let keys = index.columns.iter().map(|column| match &column.key {
        IndexKey::Attribute(position) => attribute_name(table, *position),
        IndexKey::Expression(expression) => expression_name(expression),
    });
    let included = index.included.iter().map(|position| attribute_name(table, *position));
    let mut names: Vec<String> = Vec::new();
    for wanted in keys.chain(included) {
        let mut unique = wanted.clone();
        let mut number = 0;
        while names.contains(&unique) {
            number += 1;
            unique = format!("{wanted}{number}");
        }
        names.push(unique);
    }
    names
}

fn attribute_name(table: &Relation, position: usize) -> String {
    table.attributes.get(position).map(|attribute| attribute.name.to_string()).unwrap_or_default()
}

/// The function that an expression consists of calling, else `expr`.
fn expression_name(expression: &str) -> String {
    let call = expression.trim().split('(').next().unwrap_or_default();
    let called = call.rsplit('.').next().unwrap_or_default();
    let is_name = !called.is_empty() && called.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name && expression.trim_end().ends_with(')') { called.to_string() } else { "expr".to_string() }
}
