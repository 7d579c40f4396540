//! PostgreSQL 15's built-in types, functions, operators and casts, as facts read once from `data/*.tsv`
//! (written by `tools/dump-builtin-catalog.sh` from a running PostgreSQL 15).

use std::sync::LazyLock;

use hashbrown::HashMap;
use types::Oid;

/// A row of pg_type.
#[derive(Debug)]
pub struct BuiltinType {
    pub oid: Oid,
    pub name: &'static str,
    pub length: i16,
    pub by_value: bool,
    /// b (base), c (composite), d, e, p (pseudo), r (range), m (multirange)
    pub kind: char,
    /// typcategory: N numeric, S string, D date/time, ...
    pub category: char,
    pub preferred: bool,
    pub delimiter: char,
    /// typsubscript, typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze by name ("-" for none)
    pub subscript: &'static str,
    pub element: Oid,
    pub array: Oid,
    pub input: &'static str,
    pub output: &'static str,
    pub receive: &'static str,
    pub send: &'static str,
    pub modifier_input: &'static str,
    pub modifier_output: &'static str,
    pub analyze: &'static str,
    pub alignment: char,
    pub storage: char,
    pub collation: Oid,
    pub relation: Oid,
}

/// A row of pg_proc.
#[derive(Debug)]
pub struct BuiltinFunction {
    pub oid: Oid,
    /// `pg_catalog`, or `information_schema` for the few functions that live there.
    pub schema: Oid,
    pub name: &'static str,
    pub language: Oid,
    pub cost: f32,
    pub rows: f32,
    /// Element type of a VARIADIC last parameter; zero for none.
    pub variadic: Oid,
    /// f (function), a (aggregate), w (window), p (procedure)
    pub kind: char,
    pub security_definer: bool,
    pub leakproof: bool,
    pub strict: bool,
    pub returns_set: bool,
    /// i, s or v
    pub volatility: char,
    pub parallel: char,
    pub default_count: usize,
    pub return_type: Oid,
    pub argument_types: Vec<Oid>,
    /// Modes and types of all parameters when some are OUT: i, o, b, v, t
    pub all_argument_types: Option<Vec<Oid>>,
    pub argument_modes: Option<Vec<char>>,
    pub argument_names: Option<Vec<&'static str>>,
    /// Default expressions as SQL text, comma separated.
    pub defaults: Option<&'static str>,
    /// Names the implementation ("int4pl"): the `expr` crate registers by it.
    pub source: &'static str,
}

/// A row of pg_operator.
#[derive(Debug)]
pub struct BuiltinOperator {
    pub oid: Oid,
    pub name: &'static str,
    /// b (binary) or l (prefix)
    pub kind: char,
    pub can_merge: bool,
    pub can_hash: bool,
    pub left: Oid,
    pub right: Oid,
    pub result: Oid,
    pub commutator: Oid,
    pub negator: Oid,
    pub function: Oid,
    pub restriction: &'static str,
    pub join: &'static str,
}

/// A row of pg_cast.
#[derive(Debug)]
pub struct BuiltinCast {
    pub oid: Oid,
    pub source: Oid,
    pub target: Oid,
    /// Zero when the method needs none.
    pub function: Oid,
    /// i (implicit), a (assignment), e (explicit)
    pub context: char,
    /// f (function), i (input/output), b (binary coercible)
    pub method: char,
}

/// A row of pg_aggregate, as far as aggregation by our own implementations needs it.
#[derive(Debug)]
pub struct BuiltinAggregate {
    pub function: Oid,
    /// n (normal), o (ordered set), h (hypothetical set)
    pub kind: char,
    pub direct_arguments: usize,
    pub sort_operator: Oid,
    pub transition_type: Oid,
}

/// A column of a system relation.
#[derive(Debug)]
pub struct SystemColumn {
    pub name: &'static str,
    pub type_oid: Oid,
    pub typmod: i32,
    pub not_null: bool,
    pub collation: Oid,
}

/// A table or view of `pg_catalog` or `information_schema`.
#[derive(Debug)]
pub struct SystemRelation {
    pub oid: Oid,
    pub schema: &'static str,
    pub name: &'static str,
    /// r or v
    pub kind: char,
    pub row_type: Oid,
    pub columns: Vec<SystemColumn>,
}

/// A type that belongs to the system relations: their row types with their arrays, and information_schema's domains.
#[derive(Debug)]
pub struct SystemType {
    pub oid: Oid,
    pub schema: &'static str,
    pub name: &'static str,
    /// b (array), c (row type) or d (domain)
    pub kind: char,
    pub category: char,
    /// What a domain is over; zero otherwise.
    pub base: Oid,
    pub base_typmod: i32,
    pub not_null: bool,
    pub array: Oid,
    pub relation: Oid,
    pub element: Oid,
    pub collation: Oid,
}

/// Rows of pg_settings as the engine's settings read them, one a line, cells cut at tabs.
pub const SETTINGS: &str = include_str!("../data/pg_settings.tsv");

/// All facts, indexed the ways the binder asks.
pub struct Builtins {
    pub types: Vec<BuiltinType>,
    pub functions: Vec<BuiltinFunction>,
    pub operators: Vec<BuiltinOperator>,
    pub casts: Vec<BuiltinCast>,
    pub aggregates: Vec<BuiltinAggregate>,
    pub system_relations: Vec<SystemRelation>,
    pub system_types: Vec<SystemType>,
    type_by_oid: HashMap<Oid, usize>,
    type_by_name: HashMap<&'static str, usize>,
    function_by_oid: HashMap<Oid, usize>,
    functions_by_name: HashMap<&'static str, Vec<usize>>,
    operator_by_oid: HashMap<Oid, usize>,
    operators_by_name: HashMap<&'static str, Vec<usize>>,
    cast_by_types: HashMap<(Oid, Oid), usize>,
    aggregate_by_function: HashMap<Oid, usize>,
    relation_by_oid: HashMap<Oid, usize>,
    relation_by_name: HashMap<(&'static str, &'static str), usize>,
    system_type_by_oid: HashMap<Oid, usize>,
    system_type_by_name: HashMap<(&'static str, &'static str), usize>,
}

/// A dumped catalog as COPY text, for those that show all of its columns. Panics on a name that is not dumped.
pub fn fact_file(name: &str) -> &'static str {
    macro_rules! files {
        ($($file:literal),*) => { match name { $($file => include_str!(concat!("../data/", $file, ".tsv")),)* _ => unreachable!("{name} is not dumped") } };
    }
    files!(
        "pg_aggregate",
        "pg_am",
        "pg_amop",
        "pg_amproc",
        "pg_cast",
        "pg_collation",
        "pg_conversion",
        "pg_language",
        "pg_opclass",
        "pg_operator",
        "pg_opfamily",
        "information_schema_functions",
        "own_functions",
        "pg_proc",
        "pg_range",
        "pg_settings",
        "pg_ts_config",
        "pg_ts_dict",
        "pg_ts_parser",
        "pg_ts_template",
        "pg_type"
    )
}

/// The facts, read at first use (a few milliseconds).
pub fn builtins() -> &'static Builtins {
    static BUILTINS: LazyLock<Builtins> = LazyLock::new(Builtins::read);
    &BUILTINS
}

impl Builtins {
    pub fn type_by_oid(&self, oid: Oid) -> Option<&BuiltinType> {
        self.type_by_oid.get(&oid).map(|&at| &self.types[at])
    }

    pub fn type_by_name(&self, name: &str) -> Option<&BuiltinType> {
        self.type_by_name.get(name).map(|&at| &self.types[at])
    }

    pub fn function(&self, oid: Oid) -> Option<&BuiltinFunction> {
        self.function_by_oid.get(&oid).map(|&at| &self.functions[at])
    }

    /// All overloads of a name, in order of oid.
    pub fn functions_named(&self, name: &str) -> impl Iterator<Item = &BuiltinFunction> {
        self.functions_by_name.get(name).into_iter().flatten().map(|&at| &self.functions[at])
    }

    pub fn operator(&self, oid: Oid) -> Option<&BuiltinOperator> {
        self.operator_by_oid.get(&oid).map(|&at| &self.operators[at])
    }

    pub fn operators_named(&self, name: &str) -> impl Iterator<Item = &BuiltinOperator> {
        self.operators_by_name.get(name).into_iter().flatten().map(|&at| &self.operators[at])
    }

    pub fn cast(&self, source: Oid, target: Oid) -> Option<&BuiltinCast> {
        self.cast_by_types.get(&(source, target)).map(|&at| &self.casts[at])
    }

    pub fn aggregate(&self, function: Oid) -> Option<&BuiltinAggregate> {
        self.aggregate_by_function.get(&function).map(|&at| &self.aggregates[at])
    }

    pub fn system_relation(&self, oid: Oid) -> Option<&SystemRelation> {
        self.relation_by_oid.get(&oid).map(|&at| &self.system_relations[at])
    }

    pub fn system_relation_named<'s>(&'s self, schema: &str, name: &str) -> Option<&'s SystemRelation> {
        // A map of static names may be read as one of shorter-lived names.
        let by_name: &HashMap<(&str, &str), usize> = &self.relation_by_name;
        by_name.get(&(schema, name)).map(|&at| &self.system_relations[at])
    }

    pub fn system_type(&self, oid: Oid) -> Option<&SystemType> {
        self.system_type_by_oid.get(&oid).map(|&at| &self.system_types[at])
    }

    pub fn system_type_named<'s>(&'s self, schema: &str, name: &str) -> Option<&'s SystemType> {
        // A map of static names may be read as one of shorter-lived names.
        let by_name: &HashMap<(&str, &str), usize> = &self.system_type_by_name;
        by_name.get(&(schema, name)).map(|&at| &self.system_types[at])
    }

    fn read() -> Builtins {
        let types: Vec<_> = rows(include_str!("../data/pg_type.tsv")).map(read_type).collect();
        let mut functions: Vec<_> = rows(include_str!("../data/pg_proc.tsv")).map(read_function).collect();
        // The same columns, then the schema; this product's own functions are written by hand.
        functions.extend(rows(fact_file("information_schema_functions")).map(read_function));
        functions.extend(rows(fact_file("own_functions")).map(read_function));
        functions.sort_by_key(|function| function.oid);
        let operators: Vec<_> = rows(include_str!("../data/pg_operator.tsv")).map(read_operator).collect();
        let casts: Vec<_> = rows(include_str!("../data/pg_cast.tsv")).map(read_cast).collect();
        let aggregates: Vec<_> = rows(include_str!("../data/pg_aggregate.tsv")).map(read_aggregate).collect();
        let system_relations = read_system_relations();
        let system_types: Vec<_> = rows(include_str!("../data/system_types.tsv")).map(read_system_type).collect();
        Builtins {
            type_by_oid: index_by(&types, |ty| ty.oid),
            type_by_name: index_by(&types, |ty| ty.name),
            function_by_oid: index_by(&functions, |function| function.oid),
            functions_by_name: group_by(&functions, |function| function.name),
            operator_by_oid: index_by(&operators, |operator| operator.oid),
            operators_by_name: group_by(&operators, |operator| operator.name),
            cast_by_types: index_by(&casts, |cast| (cast.source, cast.target)),
            aggregate_by_function: index_by(&aggregates, |aggregate| aggregate.function),
            relation_by_oid: index_by(&system_relations, |relation| relation.oid),
            relation_by_name: index_by(&system_relations, |relation| (relation.schema, relation.name)),
            types,
            functions,
            operators,
            casts,
            aggregates,
            system_relations,
            system_type_by_oid: index_by(&system_types, |ty| ty.oid),
            system_type_by_name: index_by(&system_types, |ty| (ty.schema, ty.name)),
            system_types,
        }
    }
}

fn index_by<T, K: std::hash::Hash + Eq>(items: &[T], key: impl Fn(&T) -> K) -> HashMap<K, usize> {
    items.iter().enumerate().map(|(at, item)| (key(item), at)).collect()
}

fn group_by<T, K: std::hash::Hash + Eq>(items: &[T], key: impl Fn(&T) -> K) -> HashMap<K, Vec<usize>> {
    let mut groups: HashMap<K, Vec<usize>> = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        groups.entry(key(item)).or_default().push(at);
    }
    groups
}

/// Lines of a COPY text file, cut at tabs. The files hold no escaped tabs or line breaks.
fn rows(file: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    file.lines().map(|line| line.split('\t').collect())
}

fn number<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("the dumped catalog holds well-formed numbers")
}

fn oid(text: &str) -> Oid {
    Oid(number(text))
}

fn letter(text: &str) -> char {
    text.chars().next().unwrap_or(' ')
}

/// `{a,b}` or `a b`, without quoting: what the dump holds.
fn list(text: &'static str) -> Vec<&'static str> {
    text.trim_matches(['{', '}']).split([',', ' ']).filter(|item| !item.is_empty()).collect()
}

fn optional(text: &'static str) -> Option<&'static str> {
    (text != "\\N").then_some(text)
}

fn read_type(row: Vec<&'static str>) -> BuiltinType {
    BuiltinType {
        oid: oid(row[0]),
        name: row[1],
        length: number(row[2]),
        by_value: row[3] == "t",
        kind: letter(row[4]),
        category: letter(row[5]),
        preferred: row[6] == "t",
        delimiter: letter(row[7]),
        relation: oid(row[8]),
        subscript: row[9],
        element: oid(row[10]),
        array: oid(row[11]),
        input: row[12],
        output: row[13],
        receive: row[14],
        send: row[15],
        modifier_input: row[16],
        modifier_output: row[17],
        analyze: row[18],
        alignment: letter(row[19]),
        storage: letter(row[20]),
        collation: oid(row[21]),
    }
}

fn read_function(row: Vec<&'static str>) -> BuiltinFunction {
    let oids = |text| list(text).into_iter().map(oid).collect::<Vec<_>>();
    BuiltinFunction {
        oid: oid(row[0]),
        schema: row.get(22).map_or(Oid::PG_CATALOG_NAMESPACE, |schema| oid(schema)),
        name: row[1],
        language: oid(row[2]),
        cost: number(row[3]),
        rows: number(row[4]),
        variadic: oid(row[5]),
        kind: letter(row[6]),
        security_definer: row[7] == "t",
        leakproof: row[8] == "t",
        strict: row[9] == "t",
        returns_set: row[10] == "t",
        volatility: letter(row[11]),
        parallel: letter(row[12]),
        default_count: number(row[14]),
        return_type: oid(row[15]),
        argument_types: oids(row[16]),
        all_argument_types: optional(row[17]).map(oids),
        argument_modes: optional(row[18]).map(|text| list(text).into_iter().map(letter).collect()),
        argument_names: optional(row[19])
            .map(|text| text.trim_matches(['{', '}']).split(',').map(|name| name.trim_matches('"')).collect()),
        defaults: optional(row[20]),
        source: row[21],
    }
}

fn read_operator(row: Vec<&'static str>) -> BuiltinOperator {
    BuiltinOperator {
        oid: oid(row[0]),
        name: row[1],
        kind: letter(row[2]),
        can_merge: row[3] == "t",
        can_hash: row[4] == "t",
        left: oid(row[5]),
        right: oid(row[6]),
        result: oid(row[7]),
        commutator: oid(row[8]),
        negator: oid(row[9]),
        function: oid(row[10]),
        restriction: row[11],
        join: row[12],
    }
}

fn read_cast(row: Vec<&'static str>) -> BuiltinCast {
    BuiltinCast {
        oid: oid(row[0]),
        source: oid(row[1]),
        target: oid(row[2]),
        function: oid(row[3]),
        context: letter(row[4]),
        method: letter(row[5]),
    }
}

fn read_aggregate(row: Vec<&'static str>) -> BuiltinAggregate {
    BuiltinAggregate {
        function: oid(row[0]),
        kind: letter(row[1]),
        direct_arguments: number(row[2]),
        sort_operator: oid(row[15]),
        transition_type: oid(row[16]),
    }
}

fn read_system_type(row: Vec<&'static str>) -> SystemType {
    SystemType {
        oid: oid(row[0]),
        schema: row[1],
        name: row[2],
        kind: letter(row[3]),
        category: letter(row[4]),
        base: oid(row[5]),
        base_typmod: number(row[6]),
        not_null: row[7] == "t",
        array: oid(row[8]),
        relation: oid(row[9]),
        element: oid(row[10]),
        collation: oid(row[11]),
    }
}

fn read_system_relations() -> Vec<SystemRelation> {
    let mut columns: HashMap<(&str, &str), Vec<SystemColumn>> = HashMap::new();
    for row in rows(include_str!("../data/system_columns.tsv")) {
        columns.entry((row[0], row[1])).or_default().push(SystemColumn {
            name: row[3],
            type_oid: oid(row[4]),
            typmod: number(row[5]),
            not_null: row[6] == "t",
            collation: oid(row[7]),
        });
    }
    rows(include_str!("../data/system_relations.tsv"))
        .map(|row| SystemRelation {
            oid: oid(row[0]),
            schema: row[1],
            name: row[2],
            kind: letter(row[3]),
            row_type: oid(row[4]),
            columns: columns.remove(&(row[1], row[2])).unwrap_or_default(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_linked() {
        let facts = builtins();
        let plus = facts.operators_named("+").find(|operator| operator.left == Oid::INT4 && operator.right == Oid::INT4);
        let function = facts.function(plus.expect("int4 + int4 exists").function).expect("its function exists");
        assert_eq!(function.source, "int4pl");
        assert_eq!(facts.type_by_name("int4").expect("int4 exists").array, Oid::INT4_ARRAY);
        assert!(facts.system_relation_named("pg_catalog", "pg_class").expect("pg_class exists").columns.len() > 30);
        assert_eq!(facts.cast(Oid::INT4, Oid::INT8).expect("int4 to int8").context, 'i');
    }
}
