//! pg_class, pg_index, pg_sequence and pg_attrdef.

use std::{collections::HashSet, sync::LazyLock};

use catalog::{
    AclTarget, Catalog, ConstraintKind, IndexDefinition, IndexKey, Persistence, Relation, RelationKind,
    builtin::{BuiltinType, SystemRelation, builtins, fact_file},
    type_names::system_schema,
};
use types::{Datum, Oid, SqlType, text_format::TypeResolver};

use super::{
    SystemContext,
    attribute_rows::collation_or_default,
    definitions,
    row::{NULL, Row, Sink, boolean, int2, letter, name, oid, optional, text, text_array, vector},
};

/// Oids of the system relations' own rows in classid and refclassid columns.
pub(super) mod class {
    use types::Oid;
    pub(in super::super) const TYPE: Oid = Oid(1247);
    pub(in super::super) const CLASS: Oid = Oid(1259);
    pub(in super::super) const PROC: Oid = Oid(1255);
    pub(in super::super) const AUTHID: Oid = Oid(1260);
    pub(in super::super) const DATABASE: Oid = Oid(1262);
    pub(in super::super) const ATTRDEF: Oid = Oid(2604);
    pub(in super::super) const CONSTRAINT: Oid = Oid(2606);
    pub(in super::super) const NAMESPACE: Oid = Oid(2615);
    pub(in super::super) const REWRITE: Oid = Oid(2618);
}

const PAGE_SIZE: i64 = 8192;

/// What makes the rows of pg_class differ from kind to kind.
struct ClassRow {
    oid: Oid,
    name: Datum,
    schema: Oid,
    row_type: Oid,
    owner: Oid,
    access_method: Oid,
    has_storage: bool,
    pages: i64,
    tuples: f32,
    has_index: bool,
    persistence: char,
    kind: char,
    attributes: usize,
    checks: usize,
    has_rules: bool,
    has_triggers: bool,
    populated: bool,
    options: Datum,
}

impl ClassRow {
    fn into_row(self) -> Row {
        let is_table = matches!(self.kind, 'r' | 'm');
        let replica_identity = match self.kind {
            'r' | 'm' if self.schema != Oid::PG_CATALOG_NAMESPACE => 'd',
            _ => 'n',
        };
        let frozen = |value: u32| oid(Oid(if is_table { value } else { 0 }));
        vec![
            oid(self.oid),
            self.name,
            oid(self.schema),
            oid(self.row_type),
            oid(Oid::INVALID),
            oid(self.owner),
            oid(self.access_method),
            oid(if self.has_storage { self.oid } else { Oid::INVALID }),
            oid(Oid::INVALID),
            Datum::Int4(i32::try_from(self.pages).unwrap_or(i32::MAX)),
            Datum::Float4(self.tuples),
            Datum::Int4(0),
            oid(Oid::INVALID),
            boolean(self.has_index),
            boolean(false),
            letter(self.persistence),
            letter(self.kind),
            int2(self.attributes),
            int2(self.checks),
            boolean(self.has_rules),
            boolean(self.has_triggers),
            boolean(false),
            boolean(false),
            boolean(false),
            boolean(self.populated),
            letter(replica_identity),
            boolean(false),
            oid(Oid::INVALID),
            frozen(3),
            frozen(1),
            NULL,
            self.options,
            NULL,
        ]
    }
}

/// The place of relacl.
const ACL: usize = 30;

pub(super) fn pg_class(context: &SystemContext, sink: &mut Sink) {
    sink.extend(system_class_rows());
    let catalog = &context.names.catalog;
    let referenced: HashSet<Oid> = referenced_tables(catalog);
    for relation in catalog.relations() {
        if sink.wants(0, relation.oid) {
            let mut row = class_row(context, relation, &referenced).into_row();
            row[ACL] = context.acl(AclTarget::Relation(relation.oid));
            sink.push(row);
        }
    }
}

/// Tables that a foreign key of another refers to.
fn referenced_tables(catalog: &Catalog) -> HashSet<Oid> {
    let constraints = catalog.relations().flat_map(|relation| &relation.constraints);
    constraints
        .filter_map(|constraint| match &constraint.kind {
            ConstraintKind::ForeignKey(key) => Some(key.referenced),
            _ => None,
        })
        .collect()
}

fn system_class_rows() -> &'static [Row] {
    static ROWS: LazyLock<Vec<Row>> =
        LazyLock::new(|| builtins().system_relations.iter().map(|relation| system_class_row(relation).into_row()).collect());
    &ROWS
}

fn system_class_row(relation: &'static SystemRelation) -> ClassRow {
    let is_table = relation.kind == 'r';
    ClassRow {
        oid: relation.oid,
        name: text(relation.name),
        schema: system_schema(relation.schema),
        row_type: relation.row_type,
        owner: Oid::BOOTSTRAP_ROLE,
        access_method: if is_table { HEAP } else { Oid::INVALID },
        has_storage: is_table,
        pages: 0,
        tuples: -1.0,
        has_index: false,
        persistence: 'p',
        kind: relation.kind,
        attributes: relation.columns.len(),
        checks: 0,
        has_rules: !is_table,
        has_triggers: false,
        populated: true,
        options: NULL,
    }
}

const HEAP: Oid = Oid(2);

fn class_row(context: &SystemContext, relation: &Relation, referenced: &HashSet<Oid>) -> ClassRow {
    let (mut pages, mut tuples) = (0, -1.0);
    if relation.storage().is_some() || matches!(relation.kind, RelationKind::Index(_)) {
        let bytes = context.state.relation_size(relation.oid).max(0);
        pages = bytes.div_euclid(PAGE_SIZE) + i64::from(bytes % PAGE_SIZE > 0);
        let table = match &relation.kind {
            RelationKind::Index(index) => index.table,
            _ => relation.oid,
        };
        tuples = context.state.table_activity(table).live_rows as f32;
    }
    if matches!(relation.kind, RelationKind::Sequence(_)) {
        (pages, tuples) = (1, 1.0);
    }
    let is_foreign_key = |constraint: &catalog::Constraint| matches!(constraint.kind, ConstraintKind::ForeignKey(_));
    ClassRow {
        oid: relation.oid,
        name: name(&relation.name),
        schema: relation.schema,
        row_type: relation.row_type,
        owner: relation.owner,
        access_method: match &relation.kind {
            RelationKind::Table { .. } | RelationKind::MaterializedView { .. } => HEAP,
            RelationKind::Index(index) => access_method(&index.method),
            _ => Oid::INVALID,
        },
        has_storage: matches!(relation.relkind(), 'r' | 'm' | 'i' | 'S'),
        pages,
        tuples,
        has_index: !relation.indexes.is_empty(),
        persistence: match relation.persistence {
            Persistence::Permanent => 'p',
            Persistence::Unlogged => 'u',
            Persistence::Temporary => 't',
        },
        kind: relation.relkind(),
        attributes: attribute_count(relation),
        checks: relation.constraints.iter().filter(|constraint| constraint.contype() == 'c').count(),
        has_rules: matches!(relation.relkind(), 'v' | 'm'),
        has_triggers: referenced.contains(&relation.oid) || relation.constraints.iter().any(is_foreign_key),
        populated: !matches!(relation.kind, RelationKind::MaterializedView { populated: false, .. }),
        options: match &relation.options[..] {
            [] => NULL,
            options => text_array(options.iter().map(|option| &**option)),
        },
    }
}

fn attribute_count(relation: &Relation) -> usize {
    match &relation.kind {
        RelationKind::Index(index) => index.columns.len() + index.included.len(),
        RelationKind::Sequence(_) => 3,
        _ => relation.attributes.len(),
    }
}

/// pg_am.oid of an access method.
pub(super) fn access_method(method: &str) -> Oid {
    let mut methods = fact_file("pg_am").lines().map(|line| line.split('\t'));
    let found = methods.find_map(|mut cells| {
        let number = cells.next()?;
        (cells.next()? == method).then(|| number.parse().ok())?
    });
    Oid(found.unwrap_or(0))
}

/// An index's name, table and definition, when the relation is one.
pub(super) fn as_index(relation: &Relation) -> Option<&IndexDefinition> {
    match &relation.kind {
        RelationKind::Index(index) => Some(index),
        _ => None,
    }
}

pub(super) fn pg_index(context: &SystemContext, sink: &mut Sink) {
    for relation in context.names.catalog.relations() {
        if let Some(index) = as_index(relation)
            && sink.wants(0, relation.oid)
            && sink.wants(1, index.table)
        {
            sink.push(index_row(context, relation.oid, index));
        }
    }
}

fn index_row(context: &SystemContext, index_oid: Oid, index: &IndexDefinition) -> Row {
    let included = index.included.iter().copied().map(attribute_number);
    let keys = index.columns.iter().map(|column| match column.key {
        IndexKey::Attribute(position) => attribute_number(position),
        IndexKey::Expression(_) => 0,
    });
    let expressions: Vec<_> = index
        .columns
        .iter()
        .filter_map(|column| match &column.key {
            IndexKey::Expression(expression) => Some(&**expression),
            IndexKey::Attribute(_) => None,
        })
        .collect();
    let deferrable = context.names.catalog.relation(index.table).is_some_and(|table| {
        table.constraints.iter().any(|constraint| constraint.index() == Some(index_oid) && constraint.deferrable)
    });
    let option = |column: &catalog::IndexColumn| {
        Datum::Int2(i16::from(column.order.descending) | (i16::from(column.order.nulls_first) << 1))
    };
    vec![
        oid(index_oid),
        oid(index.table),
        int2(index.columns.len() + index.included.len()),
        int2(index.columns.len()),
        boolean(index.unique),
        boolean(index.nulls_not_distinct),
        boolean(index.primary),
        boolean(false),
        boolean(!deferrable),
        boolean(false),
        boolean(true),
        boolean(false),
        boolean(true),
        boolean(true),
        boolean(false),
        vector(SqlType::INT2, keys.chain(included).map(Datum::Int2).collect()),
        vector(
            SqlType::OID,
            index.columns.iter().map(|column| oid(collation_or_default(context, column.collation, column.ty))).collect(),
        ),
        vector(SqlType::OID, index.columns.iter().map(|column| oid(operator_class(context, index, column).oid)).collect()),
        vector(SqlType::INT2, index.columns.iter().map(option).collect()),
        if expressions.is_empty() { NULL } else { text(expressions.join(", ")) },
        optional(index.predicate.as_deref(), text),
    ]
}

pub(super) fn attribute_number(position: usize) -> i16 {
    i16::try_from(position + 1).unwrap_or(i16::MAX)
}

/// An operator class (pg_opclass).
#[derive(Clone, Copy, Debug)]
pub(super) struct OperatorClass {
    pub oid: Oid,
    pub name: &'static str,
    pub method: Oid,
    pub input: Oid,
    pub is_default: bool,
}

fn operator_classes() -> &'static [OperatorClass] {
    static CLASSES: LazyLock<Vec<OperatorClass>> = LazyLock::new(|| {
        let number = |cell: &str| Oid(cell.parse().expect("the dumped catalog holds well-formed numbers"));
        fact_file("pg_opclass")
            .lines()
            .map(|line| {
                let cells: Vec<&'static str> = line.split('\t').collect();
                OperatorClass {
                    oid: number(cells[0]),
                    method: number(cells[1]),
                    name: cells[2],
                    input: number(cells[4]),
                    is_default: cells[5] == "t",
                }
            })
            .collect()
    });
    &CLASSES
}

/// The types that a method's operator classes of this name are for.
pub(crate) fn operator_class_input_of(method: &str, name: &str) -> Vec<Oid> {
    let method = access_method(method);
    let named = operator_classes().iter().filter(|class| class.method == method && class.name == name);
    named.map(|class| class.input).collect()
}

/// The operator class of an index column: the named one, else the default of its type.
pub(super) fn operator_class(context: &SystemContext, index: &IndexDefinition, column: &catalog::IndexColumn) -> OperatorClass {
    let method = access_method(&index.method);
    let named = |class: &&OperatorClass| Some(class.name) == column.operator_class.as_deref();
    let mut of_method = operator_classes().iter().filter(|class| class.method == method);
    let found = match &column.operator_class {
        Some(_) => of_method.find(named),
        None => {
            let input = operator_class_input(context, column.ty);
            of_method.find(|class| class.is_default && class.input == input)
        }
    };
    found.copied().unwrap_or(OperatorClass { oid: Oid::INVALID, name: "", method, input: column.ty.oid, is_default: true })
}

/// The type whose default operator class serves values of this one.
fn operator_class_input(context: &SystemContext, ty: SqlType) -> Oid {
    let base = context.names.base_type(ty).oid;
    let BuiltinType { kind, .. } = match builtins().type_by_oid(base) {
        Some(ty) => ty,
        None if context.names.array_element(base).is_some() => return Oid::ANYARRAY,
        None if context.names.type_category(base) == 'E' => return Oid::ANYENUM,
        None => return Oid::RECORD,
    };
    match base {
        Oid::VARCHAR | Oid::XML => Oid::TEXT,
        Oid::REGPROC
        | Oid::REGCLASS
        | Oid::REGTYPE
        | Oid::REGPROCEDURE
        | Oid::REGOPER
        | Oid::REGOPERATOR
        | Oid::REGNAMESPACE
        | Oid::REGROLE => Oid::OID,
        Oid::CIDR => Oid::INET,
        Oid::OIDVECTOR => base,
        _ if context.names.array_element(base).is_some() => Oid::ANYARRAY,
        _ if *kind == 'r' => Oid::ANYRANGE,
        _ if *kind == 'm' => Oid::ANYMULTIRANGE,
        _ => base,
    }
}

pub(super) fn pg_sequence(context: &SystemContext, sink: &mut Sink) {
    for relation in context.names.catalog.relations() {
        if let RelationKind::Sequence(sequence) = &relation.kind {
            sink.push(vec![
                oid(relation.oid),
                oid(sequence.ty.oid),
                Datum::Int8(sequence.start),
                Datum::Int8(sequence.increment),
                Datum::Int8(sequence.maximum),
                Datum::Int8(sequence.minimum),
                Datum::Int8(sequence.cache),
                boolean(sequence.cycle),
            ]);
        }
    }
}

/// Defaults and rewrite rules have no identifiers of their own here; these are made from the relation's and stay clear of all others
/// as long as a database has allocated fewer than a million.
pub(super) fn default_oid(relation: Oid, position: usize) -> Oid {
    Oid(0x8000_0000 | ((relation.0 & 0xF_FFFF) << 11) | (position as u32 + 1) & 0x7FF)
}

pub(super) fn rewrite_oid(relation: Oid) -> Oid {
    Oid(0x8000_0000 | ((relation.0 & 0xF_FFFF) << 11))
}

pub(super) fn pg_attrdef(context: &SystemContext, sink: &mut Sink) {
    for relation in context.names.catalog.relations() {
        if !sink.wants(1, relation.oid) {
            continue;
        }
        for (position, attribute) in relation.live_attributes() {
            if let Some(default) = &attribute.default {
                let number = Datum::Int2(attribute_number(position));
                let canonical = definitions::default_value(context, default, relation, position, context.style());
                sink.push(vec![oid(default_oid(relation.oid, position)), oid(relation.oid), number, text(canonical)]);
            }
        }
    }
}
