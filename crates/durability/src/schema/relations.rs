//! Schemas, tables, sequences, composite types and views.

use std::collections::BTreeMap;

use ::types::{Error, Result};

use super::{Found, Reader, Section, Table, TableName, USER_SCHEMA, Values, class, quote};

/// A sequence's numbers, and the column it belongs to.
struct Sequence {
    options: String,
    /// 'i' for an identity column's, 'a' for an owned one.
    belongs: char,
    table: u32,
    column: String,
}

/// `Found::word` and `Found::kind` for each relkind.
fn kinds(relkind: char) -> Option<(&'static str, &'static str)> {
    Some(match relkind {
        'r' => ("TABLE", "TABLE"),
        'v' => ("VIEW", "VIEW"),
        'm' => ("MATERIALIZED VIEW", "MATERIALIZED VIEW"),
        'S' => ("SEQUENCE", "SEQUENCE"),
        'c' => ("TYPE", "TYPE"),
        _ => return None,
    })
}

impl Reader<'_> {
    pub(super) fn schemas(&mut self) -> Result<()> {
        let rows = self.query(&format!(
            "SELECT n.oid, n.nspname, pg_catalog.pg_get_userbyid(n.nspowner), n.nspacl FROM pg_catalog.pg_namespace n
            WHERE {USER_SCHEMA} ORDER BY n.nspname"
        ))?;
        for row in rows {
            let name = quote(&row.text(1));
            let found = Found {
                word: "SCHEMA",
                name: name.clone(),
                owner: row.text(2),
                acl: row.optional(3),
                table: None,
                definition: String::new(),
                kind: "SCHEMA",
            };
            self.found.insert((class::NAMESPACE, row.oid(0)), found);
            if name != "public" {
                self.add(Section::BeforeRows, "SCHEMA", &name, None, format!("CREATE SCHEMA {name}"));
            }
        }
        Ok(())
    }

    pub(super) fn relations(&mut self) -> Result<()> {
        let sequences = self.sequences()?;
        let rows = self.query(&format!(
            "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, pg_catalog.pg_get_userbyid(c.relowner), c.relacl,
                pg_catalog.array_to_string(c.reloptions, ', ')
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE {USER_SCHEMA} AND c.oid >= 16384 AND c.relkind NOT IN ('i', 't') ORDER BY c.oid"
        ))?;
        let mut columns = self.columns()?;
        let mut checks = self.checks()?;
        for row in rows {
            let (oid, relkind) = (row.oid(0), row.letter(3));
            let table = TableName { schema: row.text(1), name: row.text(2) };
            let Some((word, kind)) = kinds(relkind) else {
                return Err(Error::unsupported(format!("dumping relations of kind \"{relkind}\" ({table})")));
            };
            let columns = columns.remove(&oid).unwrap_or_default();
            let definition = match relkind {
                'r' => self.table(oid, &table, &row, &columns, &sequences, checks.remove(&oid).unwrap_or_default()),
                'c' => {
                    let fields: Vec<String> = columns.iter().map(|column| format!("\n    {}", typed(column))).collect();
                    format!("CREATE TYPE {table} AS ({}\n)", fields.join(","))
                }
                'S' => match sequences.get(&oid) {
                    Some(sequence) if sequence.belongs != 'i' => format!("CREATE SEQUENCE {table}{}", sequence.options),
                    _ => String::new(),
                },
                _ => self.view(oid, &table, kind, &row)?,
            };
            let of_sequence = sequences.get(&oid).filter(|sequence| sequence.table != 0);
            let part_of = match (relkind, of_sequence) {
                ('r', _) => Some(table.clone()),
                (_, Some(sequence)) => self.found.get(&(class::CLASS, sequence.table)).and_then(|found| found.table.clone()),
                _ => None,
            };
            let found = Found {
                word,
                name: table.to_string(),
                owner: row.text(5),
                acl: row.optional(6),
                table: part_of,
                definition,
                kind,
            };
            self.found.insert((class::CLASS, oid), found);
        }
        self.sequences_of_later_tables(&sequences);
        Ok(())
    }

    /// A serial column's sequence is older than its table.
    fn sequences_of_later_tables(&mut self, sequences: &BTreeMap<u32, Sequence>) {
        for (oid, sequence) in sequences {
            let table = self.found.get(&(class::CLASS, sequence.table)).and_then(|found| found.table.clone());
            if let Some(found) = self.found.get_mut(&(class::CLASS, *oid)) {
                found.table = found.table.take().or(table);
            }
        }
    }

    fn view(&mut self, oid: u32, name: &TableName, kind: &str, row: &Values) -> Result<String> {
        let query = self.query(&format!("SELECT pg_catalog.pg_get_viewdef({oid}::pg_catalog.oid)"))?;
        let query = query.first().map(|row| row.text(0)).unwrap_or_default();
        let options = row.optional(7).map(|options| format!(" WITH ({options})")).unwrap_or_default();
        let no_data = if kind == "MATERIALIZED VIEW" { "\n  WITH NO DATA" } else { "" };
        Ok(format!("CREATE {kind} {name}{options} AS\n{}{no_data}", query.trim_end().trim_end_matches(';')))
    }

    fn table(
        &mut self,
        oid: u32,
        name: &TableName,
        row: &Values,
        columns: &[Column],
        sequences: &BTreeMap<u32, Sequence>,
        checks: Vec<String>,
    ) -> String {
        let mut parts: Vec<String> = Vec::new();
        for column in columns {
            let mut part = typed(column);
            let identity = sequences
                .iter()
                .find(|(_, sequence)| sequence.belongs == 'i' && sequence.table == oid && sequence.column == column.name);
            match (column.identity, column.generated, &column.default) {
                ('a' | 'd', ..) => {
                    let when = if column.identity == 'a' { "ALWAYS" } else { "BY DEFAULT" };
                    part.push_str(&format!(" GENERATED {when} AS IDENTITY"));
                    if let Some((_, sequence)) = identity {
                        part.push_str(&format!(" ({})", sequence.options.trim_start()));
                    }
                }
                (_, 's', Some(expression)) => part.push_str(&format!(" GENERATED ALWAYS AS ({expression}) STORED")),
                (_, _, Some(expression)) => part.push_str(&format!(" DEFAULT {expression}")),
                _ => {}
            }
            if column.not_null {
                part.push_str(" NOT NULL");
            }
            parts.push(part);
        }
        parts.extend(checks);
        let unlogged = if row.letter(4) == 'u' { "UNLOGGED " } else { "" };
        let options = row.optional(7).map(|options| format!("\nWITH ({options})")).unwrap_or_default();
        let body: Vec<String> = parts.iter().map(|part| format!("\n    {part}")).collect();
        let given = columns.iter().filter(|column| column.generated != 's').map(|column| column.name.clone()).collect();
        self.schema.tables.push(Table { name: name.clone(), columns: given });
        let mut definition = format!("CREATE {unlogged}TABLE {name} ({}\n){options}", body.join(","));
        for column in columns {
            if let Some(storage) = &column.storage {
                let column = quote(&column.name);
                definition.push_str(&format!(";\nALTER TABLE {name} ALTER COLUMN {column} SET STORAGE {storage}"));
            }
        }
        definition
    }

    fn checks(&mut self) -> Result<BTreeMap<u32, Vec<String>>> {
        let rows = self.query(
            "SELECT conrelid, conname, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint
            WHERE contype = 'c' AND conrelid >= 16384 AND convalidated ORDER BY conrelid, conname",
        )?;
        let mut checks: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for row in rows {
            checks.entry(row.oid(0)).or_default().push(format!("CONSTRAINT {} {}", quote(&row.text(1)), row.text(2)));
        }
        Ok(checks)
    }

    fn columns(&mut self) -> Result<BTreeMap<u32, Vec<Column>>> {
        let rows = self.query(
            "SELECT a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                pg_catalog.pg_get_expr(d.adbin, d.adrelid),
                CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::pg_catalog.regcollation::text END,
                CASE WHEN a.attstorage <> t.typstorage THEN CASE a.attstorage
                    WHEN 'p' THEN 'PLAIN' WHEN 'm' THEN 'MAIN' WHEN 'e' THEN 'EXTERNAL' ELSE 'EXTENDED' END END
            FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum",
        )?;
        let mut columns: BTreeMap<u32, Vec<Column>> = BTreeMap::new();
        for row in rows {
            columns.entry(row.oid(0)).or_default().push(Column {
                name: row.text(1),
                ty: row.text(2),
                not_null: row.flag(3),
                identity: row.letter(4),
                generated: row.letter(5),
                default: row.optional(6),
                collation: row.optional(7),
                storage: row.optional(8),
            });
        }
        Ok(columns)
    }

    fn sequences(&mut self) -> Result<BTreeMap<u32, Sequence>> {
        let rows = self.query(
            "SELECT s.seqrelid, pg_catalog.format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
                s.seqcycle, d.deptype, d.refobjid, a.attname, n.nspname, c.relname
            FROM pg_catalog.pg_sequence s
            JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            LEFT JOIN pg_catalog.pg_depend d
                ON d.classid = 1259 AND d.objid = s.seqrelid AND d.refclassid = 1259 AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
            LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
            ORDER BY s.seqrelid",
        )?;
        let mut sequences = BTreeMap::new();
        for row in rows {
            let belongs = row.letter(8);
            let ty = if belongs == 'i' {
                format!(" SEQUENCE NAME {}", TableName { schema: row.text(11), name: row.text(12) })
            } else {
                format!(" AS {}", row.text(1))
            };
            let cycle = if row.flag(7) { " CYCLE" } else { "" };
            let options = format!(
                "{ty} START WITH {} INCREMENT BY {} MINVALUE {} MAXVALUE {} CACHE {}{cycle}",
                row.text(2),
                row.text(3),
                row.text(4),
                row.text(5),
                row.text(6)
            );
            sequences.insert(row.oid(0), Sequence { options, belongs, table: row.oid(9), column: row.text(10) });
        }
        Ok(sequences)
    }

    /// OWNED BY, and where sequences stand.
    pub(super) fn sequence_values(&mut self) -> Result<()> {
        let sequences = self.sequences()?;
        let mut named: Vec<(u32, String, Option<TableName>)> = sequences
            .keys()
            .filter_map(|oid| self.found.get(&(class::CLASS, *oid)).map(|found| (*oid, found.name.clone(), found.table.clone())))
            .collect();
        // Not by identifiers, which a restored database gives out in another order.
        named.sort_by(|left, right| left.1.cmp(&right.1));
        for (oid, name, table) in &named {
            let sequence = &sequences[oid];
            if let (Some(table), 'a') = (table, sequence.belongs) {
                let sql = format!("ALTER SEQUENCE {name} OWNED BY {table}.{}", quote(&sequence.column));
                self.add(Section::AfterRows, "SEQUENCE OWNED BY", name, Some(table.clone()), sql);
            }
        }
        for (_, name, table) in named {
            let value = self.query(&format!("SELECT last_value, is_called FROM {name}"))?;
            let Some(value) = value.first() else { continue };
            let (last, called) = (value.text(0), value.flag(1));
            let sql = format!("SELECT pg_catalog.setval({}, {last}, {called})", super::literal(&name));
            self.add(Section::AfterRows, "SEQUENCE SET", &name, table, sql);
        }
        Ok(())
    }
}

/// A column as the catalog has it.
#[derive(Default)]
struct Column {
    name: String,
    ty: String,
    not_null: bool,
    identity: char,
    generated: char,
    default: Option<String>,
    collation: Option<String>,
    /// Where it is not its type's.
    storage: Option<String>,
}

/// Name, type and collation.
fn typed(column: &Column) -> String {
    let collation = column.collation.as_ref().map(|collation| format!(" COLLATE {collation}")).unwrap_or_default();
    format!("{} {}{collation}", quote(&column.name), column.ty)
}
