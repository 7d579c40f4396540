//! Rows that are the same in every database: built-in functions, operators, casts and access methods, read from the catalog crate's facts.

use std::{collections::HashMap, sync::LazyLock};

use catalog::builtin::{SystemRelation, builtins, fact_file};
use types::{Datum, Oid, SqlType};

use super::row::{NULL, Row, array, boolean, oid, text, vector};

/// Which columns a fact file holds, in its order, and what the others are.
struct Layout {
    relation: &'static str,
    columns: &'static [&'static str],
}

const LAYOUTS: &[Layout] = &[
    Layout {
        relation: "pg_proc",
        columns: &[
            "oid",
            "proname",
            "prolang",
            "procost",
            "prorows",
            "provariadic",
            "prokind",
            "prosecdef",
            "proleakproof",
            "proisstrict",
            "proretset",
            "provolatile",
            "proparallel",
            "pronargs",
            "pronargdefaults",
            "prorettype",
            "proargtypes",
            "proallargtypes",
            "proargmodes",
            "proargnames",
            "proargdefaults",
            "prosrc",
            "pronamespace",
        ],
    },
    Layout {
        relation: "pg_operator",
        columns: &[
            "oid",
            "oprname",
            "oprkind",
            "oprcanmerge",
            "oprcanhash",
            "oprleft",
            "oprright",
            "oprresult",
            "oprcom",
            "oprnegate",
            "oprcode",
            "oprrest",
            "oprjoin",
        ],
    },
    Layout { relation: "pg_cast", columns: &["oid", "castsource", "casttarget", "castfunc", "castcontext", "castmethod"] },
    Layout {
        relation: "pg_aggregate",
        columns: &[
            "aggfnoid",
            "aggkind",
            "aggnumdirectargs",
            "aggtransfn",
            "aggfinalfn",
            "aggcombinefn",
            "aggserialfn",
            "aggdeserialfn",
            "aggmtransfn",
            "aggminvtransfn",
            "aggmfinalfn",
            "aggfinalextra",
            "aggmfinalextra",
            "aggfinalmodify",
            "aggmfinalmodify",
            "aggsortop",
            "aggtranstype",
            "aggtransspace",
            "aggmtranstype",
            "aggmtransspace",
            "agginitval",
            "aggminitval",
        ],
    },
    Layout { relation: "pg_am", columns: &["oid", "amname", "amhandler", "amtype"] },
    Layout { relation: "pg_opfamily", columns: &["oid", "opfmethod", "opfname"] },
    Layout {
        relation: "pg_opclass",
        columns: &["oid", "opcmethod", "opcname", "opcfamily", "opcintype", "opcdefault", "opckeytype"],
    },
    Layout {
        relation: "pg_amop",
        columns: &[
            "oid",
            "amopfamily",
            "amoplefttype",
            "amoprighttype",
            "amopstrategy",
            "amoppurpose",
            "amopopr",
            "amopmethod",
            "amopsortfamily",
        ],
    },
    Layout {
        relation: "pg_amproc",
        columns: &["oid", "amprocfamily", "amproclefttype", "amprocrighttype", "amprocnum", "amproc"],
    },
    Layout {
        relation: "pg_range",
        columns: &["rngtypid", "rngsubtype", "rngmultitypid", "rngcollation", "rngsubopc", "rngcanonical", "rngsubdiff"],
    },
    Layout { relation: "pg_language", columns: &["oid", "lanname", "lanispl", "lanpltrusted"] },
    Layout {
        relation: "pg_collation",
        columns: &["oid", "collname", "collprovider", "collisdeterministic", "collencoding", "collcollate", "collctype"],
    },
    Layout {
        relation: "pg_conversion",
        columns: &["oid", "conname", "", "conforencoding", "contoencoding", "conproc", "condefault"],
    },
    Layout { relation: "pg_ts_config", columns: &["oid", "cfgname", "cfgparser"] },
    Layout {
        relation: "pg_ts_parser",
        columns: &["oid", "prsname", "prsstart", "prstoken", "prsend", "prsheadline", "prslextype"],
    },
    Layout { relation: "pg_ts_template", columns: &["oid", "tmplname", "tmplinit", "tmpllexize"] },
    Layout { relation: "pg_ts_dict", columns: &["oid", "dictname", "dicttemplate", "dictinitoption"] },
    Layout {
        relation: "pg_type",
        columns: &[
            "oid",
            "typname",
            "typlen",
            "typbyval",
            "typtype",
            "typcategory",
            "typispreferred",
            "typdelim",
            "typrelid",
            "typsubscript",
            "typelem",
            "typarray",
            "typinput",
            "typoutput",
            "typreceive",
            "typsend",
            "typmodin",
            "typmodout",
            "typanalyze",
            "typalign",
            "typstorage",
            "typcollation",
        ],
    },
];

/// Rows read when they are first asked for.
type LazyRows = LazyLock<Vec<Row>, Box<dyn Fn() -> Vec<Row> + Send>>;

/// The rows of a relation of facts; None when the relation is not one.
pub(super) fn fact_rows(relation: &str) -> Option<&'static [Row]> {
    static ROWS: LazyLock<HashMap<&'static str, LazyRows>> = LazyLock::new(|| {
        LAYOUTS
            .iter()
            .map(|layout| {
                let read: Box<dyn Fn() -> Vec<Row> + Send> = Box::new(|| read(layout));
                (layout.relation, LazyLock::new(read))
            })
            .collect()
    });
    ROWS.get(relation).map(|rows| rows.as_slice())
}

fn read(layout: &Layout) -> Vec<Row> {
    let relation = builtins().system_relation_named("pg_catalog", layout.relation).expect("layouts are of system relations");
    let places: Vec<Option<usize>> =
        relation.columns.iter().map(|column| layout.columns.iter().position(|name| *name == column.name)).collect();
    let mut lines: Vec<&str> = fact_file(layout.relation).lines().collect();
    if layout.relation == "pg_proc" {
        lines.extend(fact_file("information_schema_functions").lines());
        lines.extend(fact_file("own_functions").lines());
    }
    lines
        .into_iter()
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let cell = |(at, place): (usize, &Option<usize>)| match place.and_then(|place| cells.get(place)) {
                Some(cell) => value(cell, relation.columns[at].type_oid),
                None => absent(relation, at),
            };
            places.iter().enumerate().map(cell).collect()
        })
        .collect()
}

/// A column that the facts leave out: all of these objects are in pg_catalog and belong to the bootstrap role.
fn absent(relation: &SystemRelation, at: usize) -> Datum {
    let column = &relation.columns[at];
    match column.name {
        name if name.ends_with("namespace") => oid(Oid::PG_CATALOG_NAMESPACE),
        name if name.ends_with("owner") => oid(Oid::BOOTSTRAP_ROLE),
        "typisdefined" => boolean(true),
        "typtypmod" => Datum::Int4(-1),
        _ if !column.not_null => NULL,
        _ => match column.type_oid {
            Oid::BOOL => boolean(false),
            Oid::INT4 => Datum::Int4(0),
            _ => oid(Oid::INVALID),
        },
    }
}

/// One cell of a COPY text file as a value of the column's type.
fn value(cell: &str, ty: Oid) -> Datum {
    if cell == "\\N" {
        return NULL;
    }
    const WELL_FORMED: &str = "the dumped catalog holds well-formed numbers";
    match ty {
        Oid::BOOL => boolean(cell == "t"),
        Oid::INT2 => Datum::Int2(cell.parse().expect(WELL_FORMED)),
        Oid::INT4 => Datum::Int4(cell.parse().expect(WELL_FORMED)),
        Oid::FLOAT4 => Datum::Float4(cell.parse().expect(WELL_FORMED)),
        Oid::OID => oid(Oid(cell.parse().expect(WELL_FORMED))),
        Oid::REGPROC => oid(function(cell)),
        Oid::OIDVECTOR => vector(SqlType::OID, items(cell, ' ').map(|item| value(item, Oid::OID)).collect()),
        Oid::OID_ARRAY => array(SqlType::OID, items(cell, ',').map(|item| value(item, Oid::OID)).collect()),
        Oid::TEXT_ARRAY => array(SqlType::TEXT, items(cell, ',').map(|item| text(item.trim_matches('"'))).collect()),
        Oid::CHAR_ARRAY => array(SqlType::CHAR, items(cell, ',').map(text).collect()),
        _ => text(cell.replace("\\\\", "\\")),
    }
}

fn items(cell: &str, separator: char) -> impl Iterator<Item = &str> {
    cell.trim_matches(['{', '}']).split(separator).filter(|item| !item.is_empty())
}

/// A function by number or by name; `-` is none.
pub(super) fn function(name: &str) -> Oid {
    if let Ok(number) = name.parse() {
        return Oid(number);
    }
    builtins().functions_named(name).next().map_or(Oid::INVALID, |function| function.oid)
}
