//! What a SQLite file defines, as statements for PostgreSQL.

use durability::schema::{literal, quote};
use rusqlite::Connection;
use types::{Error, Result, SqlState};

use super::sqlite_types::{Classes, Target, chosen, suggested, test_of};

/// An error of SQLite's, and what was being read.
pub(super) fn failed(what: &str) -> impl Fn(rusqlite::Error) -> Error + '_ {
    move |error| Error::new(SqlState::FDW_ERROR, format!("reading {what} of the SQLite file: {error}"))
}

/// A name as SQLite's statements write it.
pub(super) fn sqlite_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table to import.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    /// The statement that made it, for its CHECK constraints.
    sql: String,
}

#[derive(Debug)]
pub(super) struct Column {
    pub name: String,
    pub target: Target,
    not_null: bool,
    default: Option<String>,
    /// Its place in the primary key, from 1; 0: not in it.
    key: i64,
    generated: bool,
    /// An alias of the rowid, which SQLite numbers by itself.
    pub is_rowid: bool,
}

/// A statement that is tried, and given up with a warning when it does not run.
#[derive(Debug)]
pub(super) struct Attempt {
    pub what: String,
    pub sql: String,
}

pub(super) fn tables(file: &Connection, wanted: &[String]) -> Result<Vec<Table>> {
    let found = strings(file, "SELECT name, type, COALESCE((SELECT sql FROM sqlite_schema s WHERE s.name = l.name AND s.type = 'table'), '')
        FROM pragma_table_list() l WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")?;
    if let Some(missing) = wanted.iter().find(|name| !found.iter().any(|row| row[0] == **name)) {
        return Err(Error::new(SqlState::UNDEFINED_TABLE, format!("the SQLite file holds no table \"{missing}\"")));
    }
    let found = found.into_iter().filter(|row| wanted.is_empty() || wanted.contains(&row[0]));
    found
        .map(|row| {
            let columns = columns(file, &row[0])?;
            Ok(Table { name: row[0].clone(), columns, sql: row[2].clone() })
        })
        .collect()
}

/// What cannot be taken over, by name.
pub(super) fn left_out(file: &Connection) -> Result<Vec<String>> {
    let rows = strings(
        file,
        "SELECT 'trigger ' || name FROM sqlite_schema WHERE type = 'trigger'
         UNION ALL SELECT 'virtual table ' || name FROM pragma_table_list() WHERE type = 'virtual' AND schema = 'main'
         UNION ALL SELECT 'table ' || name || ' of a virtual table' FROM pragma_table_list() WHERE type = 'shadow' AND schema = 'main'",
    )?;
    Ok(rows.into_iter().flatten().collect())
}

/// Rows of texts; NULL is empty.
fn strings(file: &Connection, sql: &str) -> Result<Vec<Vec<String>>> {
    let failed = failed("the schema");
    let mut statement = file.prepare(sql).map_err(&failed)?;
    let count = statement.column_count();
    let rows =
        statement.query_map([], |row| (0..count).map(|at| Ok(row.get::<_, Option<String>>(at)?.unwrap_or_default())).collect());
    rows.map_err(&failed)?.collect::<rusqlite::Result<_>>().map_err(&failed)
}

fn columns(file: &Connection, table: &str) -> Result<Vec<Column>> {
    let rows = strings(
        file,
        &format!(
            "SELECT name, type, \"notnull\" || '', dflt_value, pk || '', hidden || '' FROM pragma_table_xinfo({}) WHERE hidden <> 1 ORDER BY cid",
            literal_of_sqlite(table)
        ),
    )?;
    let keys = rows.iter().filter(|row| row[4] != "0").count();
    // A table without rowid has an index for its primary key; the alias of a rowid needs none.
    let key_has_index =
        !strings(file, &format!("SELECT name FROM pragma_index_list({}) WHERE origin = 'pk'", literal_of_sqlite(table)))?
            .is_empty();
    rows.into_iter()
        .map(|row| {
            let classes = classes(file, table, &row[0], &row[1])?;
            let key = row[4].parse().unwrap_or(0);
            let is_rowid = key == 1 && keys == 1 && !key_has_index && row[1].eq_ignore_ascii_case("INTEGER");
            Ok(Column {
                target: chosen(&row[1], classes, &format!("{table}.{}", row[0]))?,
                name: row[0].clone(),
                not_null: row[2] == "1",
                default: Some(row[3].clone()).filter(|text| !text.is_empty()),
                key,
                generated: matches!(row[5].as_str(), "2" | "3"),
                is_rowid,
            })
        })
        .collect()
}

fn literal_of_sqlite(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn classes(file: &Connection, table: &str, column: &str, declared: &str) -> Result<Classes> {
    let what = format!("table {table}");
    let failed = failed(&what);
    let quoted = sqlite_name(column);
    let test = test_of(suggested(declared), &quoted);
    let sql = format!(
        "SELECT typeof({quoted}), min(COALESCE({test}, 0)) FROM {} WHERE {quoted} IS NOT NULL GROUP BY 1",
        sqlite_name(table)
    );
    let mut statement = file.prepare(&sql).map_err(&failed)?;
    let mut rows = statement.query([]).map_err(&failed)?;
    let mut classes = Classes { fits: true, ..Classes::default() };
    while let Some(row) = rows.next().map_err(&failed)? {
        match row.get::<_, String>(0).map_err(&failed)?.as_str() {
            "integer" => classes.integer = true,
            "real" => classes.real = true,
            "text" => classes.text = true,
            _ => classes.blob = true,
        }
        classes.fits &= row.get::<_, bool>(1).map_err(&failed)?;
    }
    Ok(classes)
}

impl Table {
    /// CREATE TABLE with what holds in any case: types, NOT NULL, the primary key.
    pub(super) fn definition(&self) -> String {
        let mut parts: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                let identity = if column.is_rowid { " GENERATED BY DEFAULT AS IDENTITY" } else { "" };
                let not_null = if column.not_null || column.is_rowid { " NOT NULL" } else { "" };
                format!("{} {}{identity}{not_null}", quote(&column.name), column.target.name())
            })
            .collect();
        let mut key: Vec<&Column> = self.columns.iter().filter(|column| column.key > 0).collect();
        key.sort_by_key(|column| column.key);
        if !key.is_empty() {
            parts.push(format!("PRIMARY KEY ({})", list(key.iter().map(|column| column.name.as_str()))));
        }
        format!("CREATE TABLE public.{} ({})", quote(&self.name), parts.join(", "))
    }

    pub(super) fn target(&self) -> String {
        format!("public.{} ({})", quote(&self.name), list(self.columns.iter().map(|column| column.name.as_str())))
    }

    /// What is tried once the rows are there: defaults, CHECK, UNIQUE, indexes.
    pub(super) fn attempts(&self, file: &Connection) -> Result<Vec<Attempt>> {
        let table = format!("public.{}", quote(&self.name));
        let mut attempts = Vec::new();
        for column in &self.columns {
            let name = quote(&column.name);
            if let Some(default) = &column.default {
                attempts.push(Attempt {
                    what: format!("the default of {}.{}: {default}", self.name, column.name),
                    sql: format!("ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {}", default_for(default, column.target)),
                });
            }
            if column.generated {
                attempts.push(Attempt {
                    what: format!("that {}.{} is generated; its values are", self.name, column.name),
                    sql: String::new(),
                });
            }
        }
        for check in checks(&self.sql) {
            attempts.push(Attempt {
                what: format!("a constraint of {}: CHECK ({check})", self.name),
                sql: format!("ALTER TABLE {table} ADD CHECK ({check})"),
            });
        }
        attempts.extend(self.indexes(file, &table)?);
        Ok(attempts)
    }

    fn indexes(&self, file: &Connection, table: &str) -> Result<Vec<Attempt>> {
        let listed = strings(
            file,
            &format!(
                "SELECT l.name, l.\"unique\" || '', l.origin, l.partial || '', (SELECT sql FROM sqlite_schema s WHERE s.name = l.name AND s.type = 'index')
                 FROM pragma_index_list({}) l WHERE origin <> 'pk' ORDER BY l.seq DESC",
                literal_of_sqlite(&self.name)
            ),
        )?;
        let mut attempts = Vec::new();
        for index in listed {
            let columns = strings(
                file,
                &format!(
                    "SELECT name, \"desc\" || '', coll FROM pragma_index_xinfo({}) WHERE key = 1 ORDER BY seqno",
                    literal_of_sqlite(&index[0])
                ),
            )?;
            if let Some(column) = columns.iter().find(|column| !matches!(column[2].as_str(), "" | "BINARY")) {
                let what = format!("the collation {} of {} in index {}; it compares bytes", column[2], column[0], index[0]);
                attempts.push(Attempt { what, sql: String::new() });
            }
            let is_plain = index[3] == "0" && columns.iter().all(|column| !column[0].is_empty());
            let names =
                columns.iter().map(|column| format!("{}{}", quote(&column[0]), if column[1] == "1" { " DESC" } else { "" }));
            let sql = match (is_plain, index[2].as_str()) {
                (true, "u") => {
                    format!("ALTER TABLE {table} ADD UNIQUE ({})", list(columns.iter().map(|column| column[0].as_str())))
                }
                (true, _) => {
                    let unique = if index[1] == "1" { "UNIQUE " } else { "" };
                    format!("CREATE {unique}INDEX {} ON {table} ({})", quote(&index[0]), names.collect::<Vec<_>>().join(", "))
                }
                // An expression or a condition: SQLite's own text may do, with the names as they are here.
                (false, _) => index[4].clone(),
            };
            attempts.push(Attempt { what: format!("index {} of table {}", index[0], self.name), sql });
        }
        Ok(attempts)
    }
}

/// Foreign keys of all tables, once all are there.
pub(super) fn foreign_keys(file: &Connection, tables: &[Table]) -> Result<Vec<Attempt>> {
    let mut attempts = Vec::new();
    for table in tables {
        let rows = strings(
            file,
            &format!(
                "SELECT id || '', \"table\", \"from\", \"to\", on_update, on_delete, \"match\" FROM pragma_foreign_key_list({}) ORDER BY id DESC, seq",
                literal_of_sqlite(&table.name)
            ),
        )?;
        for key in rows.chunk_by(|left, right| left[0] == right[0]) {
            let from = list(key.iter().map(|row| row[2].as_str()));
            let parent = tables.iter().find(|table| table.name.eq_ignore_ascii_case(&key[0][1]));
            let parent_name = parent.map_or(key[0][1].as_str(), |parent| parent.name.as_str());
            // Without columns it is the primary key that is meant.
            let to =
                if key[0][3].is_empty() { String::new() } else { format!(" ({})", list(key.iter().map(|row| row[3].as_str()))) };
            attempts.push(Attempt {
                what: format!("a foreign key of {} to {}", table.name, key[0][1]),
                sql: format!(
                    "ALTER TABLE public.{} ADD FOREIGN KEY ({from}) REFERENCES public.{}{to} ON UPDATE {} ON DELETE {}",
                    quote(&table.name),
                    quote(parent_name),
                    key[0][4],
                    key[0][5]
                ),
            });
        }
    }
    Ok(attempts)
}

pub(super) fn views(file: &Connection) -> Result<Vec<Attempt>> {
    let rows = strings(file, "SELECT name, sql FROM sqlite_schema WHERE type = 'view' ORDER BY rowid")?;
    Ok(rows.into_iter().map(|row| Attempt { what: format!("view {}", row[0]), sql: row[1].clone() }).collect())
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(quote).collect::<Vec<_>>().join(", ")
}

/// SQLite's text of a default, as PostgreSQL has it.
fn default_for(default: &str, target: Target) -> String {
    let text = default.trim();
    if let Some(digits) =
        text.strip_prefix(['x', 'X']).and_then(|rest| rest.strip_prefix('\'')).and_then(|rest| rest.strip_suffix('\''))
    {
        return literal(&format!("\\x{digits}"));
    }
    // SQLite takes a word in double quotes for a string where there is no such column.
    if let Some(word) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return literal(&word.replace("\"\"", "\""));
    }
    match (target, text) {
        (Target::Boolean, "0") => "false".to_owned(),
        (Target::Boolean, "1") => "true".to_owned(),
        _ => text.to_owned(),
    }
}

/// The conditions of the CHECK constraints in a CREATE TABLE.
fn checks(sql: &str) -> Vec<String> {
    let bytes = sql.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let after_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        if !after_word && bytes.get(at..at + 5).is_some_and(|word| word.eq_ignore_ascii_case(b"CHECK")) {
            let open =
                bytes[at + 5..].iter().position(|byte| !byte.is_ascii_whitespace()).map_or(bytes.len(), |skip| at + 5 + skip);
            if bytes.get(open) == Some(&b'(') {
                let end = after_parenthesis(bytes, open);
                let inside = sql.get(open + 1..end).unwrap_or_default();
                found.push(inside.strip_suffix(')').unwrap_or(inside).trim().to_owned());
                at = end;
                continue;
            }
        }
        at = after_token(bytes, at);
    }
    found
}

/// Where the token at a place ends: a quoted text or a comment as a whole, else a byte.
fn after_token(bytes: &[u8], at: usize) -> usize {
    let close = match bytes[at] {
        quote @ (b'\'' | b'"' | b'`') => quote,
        b'[' => b']',
        b'-' if bytes.get(at + 1) == Some(&b'-') => b'\n',
        b'/' if bytes.get(at + 1) == Some(&b'*') => {
            let end = bytes[at + 2..].windows(2).position(|pair| pair == b"*/");
            return end.map_or(bytes.len(), |end| at + 2 + end + 2);
        }
        _ => return at + 1,
    };
    bytes[at + 1..].iter().position(|byte| *byte == close).map_or(bytes.len(), |end| at + 1 + end + 1)
}

/// Where the parenthesis that opens here has been closed.
fn after_parenthesis(bytes: &[u8], open: usize) -> usize {
    let (mut depth, mut at) = (0_usize, open);
    while at < bytes.len() {
        match bytes[at] {
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at = after_token(bytes, at);
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_found_in_a_table_s_text() {
        let sql = "CREATE TABLE t (a INT CHECK (a > 0 AND (a < 5 OR a = ')')), -- CHECK (no)\n \"check\" TEXT, recheck INT, CONSTRAINT c check(b <> '(')) /* CHECK (x) */";
        assert_eq!(checks(sql), ["a > 0 AND (a < 5 OR a = ')')", "b <> '('"]);
        assert_eq!(checks("CREATE TABLE t (a CHECK (a"), ["a"]);
    }

    #[test]
    fn defaults_are_postgresql_s() {
        assert_eq!(default_for("x'00FF'", Target::Bytea), "E'\\\\x00FF'");
        assert_eq!(default_for("\"it's\"", Target::Text), "'it''s'");
        assert_eq!(default_for("1", Target::Boolean), "true");
        assert_eq!(default_for("CURRENT_TIMESTAMP", Target::Timestamp), "CURRENT_TIMESTAMP");
    }
}
