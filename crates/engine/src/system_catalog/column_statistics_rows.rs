//! pg_stats: what a sample taken now tells of each column that the role may read.

use catalog::{AclTarget, Privileges, Relation};
use types::{Datum, Oid, SqlType};

use super::{
    SystemContext, WantedColumn,
    row::{NULL, Row, Sink, array, boolean, name},
    type_rows,
};

pub(super) fn pg_stats(context: &SystemContext, sink: &mut Sink) {
    const TABLE: usize = 1;
    for relation in context.names.catalog.relations().filter(|relation| matches!(relation.relkind(), 'r' | 'm')) {
        if !sink.wants_name(TABLE, &relation.name) {
            continue;
        }
        let (wanted, names) = readable_columns(context, relation);
        let statistics = context.state.column_statistics(relation.oid, &wanted);
        for ((column, attribute), found) in wanted.iter().zip(names).zip(statistics) {
            let Some(found) = found else { continue };
            let ty = relation.attributes[column.attribute].ty;
            let schema = context.names.catalog.schema(relation.schema).map_or(NULL, |schema| name(&schema.name));
            let element = SqlType { typmod: -1, ..context.names.base_type(ty) };
            let all = |values: Vec<Datum>| if values.is_empty() { NULL } else { array(element, values) };
            let (common, parts): (Vec<Datum>, Vec<Datum>) =
                found.common.into_iter().map(|(value, part)| (value, Datum::Float4(part as f32))).unzip();
            let row: Row = vec![
                schema,
                name(&relation.name),
                attribute,
                boolean(false),
                Datum::Float4(found.null_fraction as f32),
                Datum::Int4(found.width as i32),
                Datum::Float4(found.distinct as f32),
                all(common),
                if parts.is_empty() { NULL } else { array(SqlType::FLOAT4, parts) },
                all(found.histogram),
                found.correlation.map_or(NULL, |correlation| Datum::Float4(correlation as f32)),
                NULL,
                NULL,
                NULL,
            ];
            sink.push(row);
        }
    }
}

/// The columns that the role may read, with their names.
fn readable_columns(context: &SystemContext, relation: &Relation) -> (Vec<WantedColumn>, Vec<Datum>) {
    let may_read = |target| context.authority.privileges(target).has(Privileges::SELECT);
    let all = may_read(AclTarget::Relation(relation.oid));
    let attributes = relation.attributes.iter().enumerate().filter(|(_, attribute)| !attribute.dropped);
    attributes
        .filter(|(at, _)| all || may_read(AclTarget::Column(relation.oid, *at)))
        .map(|(at, attribute)| {
            let ty = context.names.base_type(attribute.ty).oid;
            let length = type_rows::shape(&context.names, ty).length;
            let fixed_width = usize::try_from(length).ok().filter(|length| *length > 0);
            (WantedColumn { attribute: at, fixed_width, is_ordered: !is_without_order(ty) }, name(&attribute.name))
        })
        .unzip()
}

/// Types without a default operator class for btrees.
fn is_without_order(ty: Oid) -> bool {
    matches!(ty, Oid::JSON | Oid::XML | Oid::POINT)
}
