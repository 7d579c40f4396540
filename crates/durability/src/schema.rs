//! A database's definitions as statements that make them again, read from `pg_catalog`.
//!
//! The queries are such as PostgreSQL answers too, so a PostgreSQL can be read the same way. Objects come in the order in which they were
//! made, moved behind those that they need; a database restored from the statements therefore gives the same statements in the same
//! order.

mod access;
mod cluster;
mod comments;
mod order;
mod relations;
mod rest;
mod types;
mod unknown;

use std::{collections::BTreeMap, fmt};

use ::types::{Error, Result, SqlState};

use crate::Link;

/// Where a statement stands, relative to the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Roles, which belong to the server and may be there already.
    Cluster = 0,
    BeforeRows = 1,
    AfterRows = 2,
}

impl Section {
    pub const ALL: [Section; 3] = [Section::Cluster, Section::BeforeRows, Section::AfterRows];
}

/// What kinds of entries there are.
pub const KINDS: &[&str] = &[
    "ROLE",
    "ROLE ATTRIBUTES",
    "ROLE MEMBERSHIP",
    "SCHEMA",
    "TYPE",
    "DOMAIN",
    "SEQUENCE",
    "FUNCTION",
    "TABLE",
    "SEQUENCE OWNED BY",
    "SEQUENCE SET",
    "CONSTRAINT",
    "INDEX",
    "FK CONSTRAINT",
    "VIEW",
    "MATERIALIZED VIEW",
    "RULE",
    "TRIGGER",
    "MATERIALIZED VIEW DATA",
    "COMMENT",
    "OWNER",
    "ACL",
    "DEFAULT ACL",
    "SETTING",
];

/// A table's name, unquoted; its display is quoted and qualified.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableName {
    pub schema: String,
    pub name: String,
}

impl fmt::Display for TableName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", quote(&self.schema), quote(&self.name))
    }
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub section: Section,
    pub kind: &'static str,
    /// Of what, for people.
    pub name: String,
    /// The table that it is a part of.
    pub table: Option<TableName>,
    /// Without the semicolon. `:"DBNAME"` stands for the name of the database that it runs in.
    pub sql: String,
}

/// A table with rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: TableName,
    /// The columns that hold data, not generated ones.
    pub columns: Vec<String>,
}

impl Table {
    /// What COPY names.
    pub fn target(&self) -> String {
        if self.columns.is_empty() {
            return self.name.to_string();
        }
        let columns: Vec<String> = self.columns.iter().map(|column| quote(column)).collect();
        format!("{} ({})", self.name, columns.join(", "))
    }
}

/// Everything but the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    pub entries: Vec<Entry>,
    pub tables: Vec<Table>,
}

impl Schema {
    pub fn section(&self, section: Section) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.section == section)
    }

    /// Only what belongs to tables of these names (`table` or `schema.table`), without foreign keys, whose other table may be missing.
    ///
    /// Errors: 42P01 for a name of no table.
    pub fn only(mut self, names: &[String]) -> Result<Schema> {
        let matches =
            |table: &TableName, name: &String| *name == table.name || *name == format!("{}.{}", table.schema, table.name);
        for name in names {
            if !self.tables.iter().any(|table| matches(&table.name, name)) {
                return Err(Error::new(SqlState::UNDEFINED_TABLE, format!("the dump holds no table \"{name}\"")));
            }
        }
        let wanted = |table: &TableName| names.iter().any(|name| matches(table, name));
        self.tables.retain(|table| wanted(&table.name));
        self.entries.retain(|entry| entry.kind != "FK CONSTRAINT" && entry.table.as_ref().is_some_and(wanted));
        Ok(self)
    }
}

/// An identifier as SQL writes it.
pub fn quote(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if plain && !is_keyword(name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Words that cannot stand for a table or column unquoted, or not everywhere; quoting one too many does no harm.
fn is_keyword(name: &str) -> bool {
    const WORDS: &str = " all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case \
        cast char character check coalesce collate collation column concurrently constraint create cross current_catalog current_date \
        current_role current_schema current_time current_timestamp current_user dec decimal default deferrable desc distinct do else \
        end except exists extract false fetch float for foreign freeze from full grant greatest group grouping having ilike in initially \
        inner inout int integer intersect interval into is isnull join lateral leading least left like limit localtime localtimestamp \
        national natural nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay \
        placing position precision primary real references returning right row select session_user setof similar smallint some \
        substring symmetric system_user table tablesample then time timestamp to trailing treat trim true union unique user using \
        values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces \
        xmlparse xmlpi xmlroot xmlserialize xmltable merge_action json json_array json_arrayagg json_exists json_object json_objectagg \
        json_query json_scalar json_serialize json_table json_value ";
    WORDS.split_ascii_whitespace().any(|word| word == name)
}

/// A string as SQL writes it.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// Begins the transaction that a dump reads in: one snapshot, and texts that mean the same to every reader.
pub fn begin_snapshot(link: &mut dyn Link) -> Result<()> {
    link.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
    let set = link.execute(READER_SETTINGS).and_then(|()| link.query("SELECT pg_catalog.set_config('search_path', '', true)"));
    if set.is_err() {
        link.execute("ROLLBACK")?;
    }
    set.map(|_| ())
}

/// How values and definitions are to be written and read, on either side.
pub(crate) const READER_SETTINGS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL datestyle = ISO; \
     SET LOCAL intervalstyle = postgres; SET LOCAL timezone = 'UTC'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = hex; \
     SET LOCAL heliosdb.dump = on";

/// Reads the definitions. `tables` restricts them to these and their parts, when it is not empty.
///
/// Errors: 0A000 naming a kind of object that is there and cannot be dumped.
pub fn read(link: &mut dyn Link, tables: &[String]) -> Result<Schema> {
    unknown::refuse(link)?;
    let mut reader = Reader { link, found: BTreeMap::new(), schema: Schema::default() };
    reader.cluster()?;
    reader.schemas()?;
    reader.relations()?;
    reader.types()?;
    reader.functions()?;
    reader.definitions_in_order()?;
    reader.rest()?;
    reader.comments()?;
    reader.access()?;
    if tables.is_empty() { Ok(reader.schema) } else { reader.schema.only(tables) }
}

/// pg_class.oid of the catalogs whose rows have definitions.
mod class {
    pub(super) const TYPE: u32 = 1247;
    pub(super) const PROC: u32 = 1255;
    pub(super) const CLASS: u32 = 1259;
    pub(super) const CONSTRAINT: u32 = 2606;
    pub(super) const NAMESPACE: u32 = 2615;
    pub(super) const REWRITE: u32 = 2618;
    pub(super) const TRIGGER: u32 = 2620;
}

/// An object by the catalog it is in and its oid there.
type Address = (u32, u32);

/// An object found, and how other statements name it.
#[derive(Clone, Debug)]
struct Found {
    /// TABLE, VIEW, TYPE, ...: the word of COMMENT ON and ALTER ... OWNER TO.
    word: &'static str,
    /// Quoted and qualified, with arguments for a function.
    name: String,
    owner: String,
    acl: Option<String>,
    /// The table it is, or is a part of.
    table: Option<TableName>,
    /// The statement that makes it; empty when another object's does.
    definition: String,
    kind: &'static str,
}

struct Reader<'a> {
    link: &'a mut dyn Link,
    found: BTreeMap<Address, Found>,
    schema: Schema,
}

impl Reader<'_> {
    fn add(&mut self, section: Section, kind: &'static str, name: &str, table: Option<TableName>, sql: String) {
        self.schema.entries.push(Entry { section, kind, name: name.to_owned(), table, sql });
    }

    fn query(&mut self, sql: &str) -> Result<Vec<Values>> {
        Ok(self.link.query(sql)?.into_iter().map(Values).collect())
    }
}

/// A row of a catalog query.
struct Values(crate::Row);

impl Values {
    fn text(&self, at: usize) -> String {
        self.optional(at).unwrap_or_default()
    }

    fn optional(&self, at: usize) -> Option<String> {
        self.0.get(at).cloned().flatten()
    }

    fn oid(&self, at: usize) -> u32 {
        self.text(at).parse().unwrap_or(0)
    }

    fn flag(&self, at: usize) -> bool {
        self.text(at) == "t"
    }

    fn letter(&self, at: usize) -> char {
        self.text(at).chars().next().unwrap_or(' ')
    }
}

/// What makes a schema the user's.
const USER_SCHEMA: &str = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_strings_are_quoted_when_they_must_be() {
        assert_eq!(quote("accounts"), "accounts");
        assert_eq!(quote("Order"), "\"Order\"");
        assert_eq!(quote("order"), "\"order\"");
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote("1a"), "\"1a\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\b"), "E'a\\\\b'");
    }
}
