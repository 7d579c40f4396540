//! pg_constraint.

use catalog::{Constraint, ConstraintKind, Relation, UserTypeKind, builtin::builtins, constraint::ForeignKey};
use types::{Oid, SqlType, text_format::TypeResolver};

use super::{
    SystemContext,
    relation_rows::attribute_number,
    row::{NULL, Row, Sink, boolean, int2_array, letter, name, oid, oid_array, text},
};

pub(super) fn pg_constraint(context: &SystemContext, sink: &mut Sink) {
    let catalog = &context.names.catalog;
    for relation in catalog.relations() {
        for constraint in &relation.constraints {
            if sink.wants(0, constraint.oid) && sink.wants(7, relation.oid) {
                sink.push(table_constraint(context, relation, constraint));
            }
        }
    }
    for ty in catalog.user_types() {
        if let UserTypeKind::Domain { constraints, .. } = &ty.kind {
            for constraint in constraints {
                let row = ConstraintRow { type_oid: ty.oid, ..ConstraintRow::new(constraint, ty.schema) };
                sink.push(row.into_row());
            }
        }
    }
}

struct ConstraintRow<'c> {
    constraint: &'c Constraint,
    schema: Oid,
    relation: Oid,
    type_oid: Oid,
    index: Oid,
    key: Vec<usize>,
    foreign: Option<(&'c ForeignKey, [Vec<Oid>; 3])>,
    expression: Option<&'c str>,
    no_inherit: bool,
}

impl<'c> ConstraintRow<'c> {
    fn new(constraint: &'c Constraint, schema: Oid) -> ConstraintRow<'c> {
        let none = (Oid::INVALID, Vec::new(), None, true);
        let (index, key, expression, no_inherit) = match &constraint.kind {
            ConstraintKind::Check { expression, columns, no_inherit } => {
                (Oid::INVALID, columns.clone(), Some(&**expression), *no_inherit)
            }
            ConstraintKind::PrimaryKey { index, columns } | ConstraintKind::Unique { index, columns } => {
                (*index, columns.clone(), None, true)
            }
            ConstraintKind::ForeignKey(_) => none,
        };
        ConstraintRow {
            constraint,
            schema,
            relation: Oid::INVALID,
            type_oid: Oid::INVALID,
            index,
            key,
            foreign: None,
            expression,
            no_inherit,
        }
    }

    fn into_row(self) -> Row {
        let numbers = |columns: &[usize]| int2_array(columns.iter().copied().map(attribute_number));
        let numbers_or_null = |columns: &[usize]| if columns.is_empty() { NULL } else { numbers(columns) };
        let foreign = self.foreign.as_ref().map(|(key, _)| *key);
        let operators = |which: usize| match &self.foreign {
            Some((_, operators)) => oid_array(operators[which].iter().copied()),
            None => NULL,
        };
        // The blanks of a constraint that is no foreign key are real: `"char"` holds a space there.
        let action = |letter_of: fn(&ForeignKey) -> char| text(foreign.map_or(' ', letter_of).to_string());
        vec![
            oid(self.constraint.oid),
            name(&self.constraint.name),
            oid(self.schema),
            letter(self.constraint.contype()),
            boolean(self.constraint.deferrable),
            boolean(self.constraint.initially_deferred),
            boolean(self.constraint.validated),
            oid(self.relation),
            oid(self.type_oid),
            oid(self.index),
            oid(Oid::INVALID),
            oid(foreign.map_or(Oid::INVALID, |key| key.referenced)),
            action(|key| key.on_update),
            action(|key| key.on_delete),
            action(|key| key.match_type),
            boolean(true),
            types::Datum::Int4(0),
            boolean(self.no_inherit),
            numbers_or_null(&self.key),
            foreign.map_or(NULL, |key| numbers(&key.referenced_columns)),
            operators(0),
            operators(1),
            operators(2),
            foreign.map_or(NULL, |key| numbers_or_null(&key.delete_set_columns)),
            NULL,
            self.expression.map_or(NULL, text),
        ]
    }
}

fn table_constraint(context: &SystemContext, relation: &Relation, constraint: &Constraint) -> Row {
    let mut row = ConstraintRow { relation: relation.oid, ..ConstraintRow::new(constraint, relation.schema) };
    if let ConstraintKind::ForeignKey(key) = &constraint.kind {
        let referenced = context.names.catalog.relation(key.referenced);
        let type_of = |relation: Option<&Relation>, position: usize| {
            relation.and_then(|relation| relation.attributes.get(position)).map_or(SqlType::INT4, |attribute| attribute.ty)
        };
        let pairs: Vec<(SqlType, SqlType)> = key
            .columns
            .iter()
            .zip(&key.referenced_columns)
            .map(|(own, theirs)| (type_of(Some(relation), *own), type_of(referenced.map(|relation| &**relation), *theirs)))
            .collect();
        let equalities = |choose: fn(&(SqlType, SqlType)) -> (SqlType, SqlType)| {
            pairs.iter().map(choose).map(|(left, right)| equality_operator(context, left, right)).collect()
        };
        let operators = [
            equalities(|(own, theirs)| (*theirs, *own)),
            equalities(|(_, theirs)| (*theirs, *theirs)),
            equalities(|(own, _)| (*own, *own)),
        ];
        row.key.clone_from(&key.columns);
        row.index = key.referenced_index;
        row.foreign = Some((key, operators));
    }
    row.into_row()
}

/// The `=` that compares values of these types.
fn equality_operator(context: &SystemContext, left: SqlType, right: SqlType) -> Oid {
    let comparable = |ty: SqlType| {
        let base = context.names.base_type(ty).oid;
        match base {
            Oid::VARCHAR => Oid::TEXT,
            _ if context.names.array_element(base).is_some() => Oid::ANYARRAY,
            _ if context.names.type_category(base) == 'E' => Oid::ANYENUM,
            _ => base,
        }
    };
    let wanted = (comparable(left), comparable(right));
    let mut equalities = builtins().operators_named("=");
    let exact = equalities.find(|operator| (operator.left, operator.right) == wanted);
    let same = || builtins().operators_named("=").find(|operator| (operator.left, operator.right) == (wanted.0, wanted.0));
    exact.or_else(same).map_or(Oid::INVALID, |operator| operator.oid)
}
