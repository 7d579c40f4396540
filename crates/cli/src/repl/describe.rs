//! The `\d` family: queries to pg_catalog, such as psql sends.

use durability::schema::literal;
use types::Result;

use super::{Shell, print::Table};
use crate::connection::{Handler, Linked};

const VISIBLE: &str = "n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema'";

/// A name pattern of psql as conditions on a schema and a name: `*` for any characters, a dot after the schema.
fn matching(pattern: &str, schema: &str, name: &str, visible: &str) -> String {
    let (of_schema, of_name) = match pattern.split_once('.') {
        Some((of_schema, of_name)) => (Some(of_schema), of_name),
        None => (None, pattern),
    };
    let expression = |pattern: &str| {
        let mut text = String::from("^(");
        let mut quoted = false;
        for character in pattern.chars() {
            match character {
                '"' => quoted = !quoted,
                '*' if !quoted => text.push_str(".*"),
                '?' if !quoted => text.push('.'),
                other if quoted => {
                    if !other.is_alphanumeric() && other != '_' && other != ' ' {
                        text.push('\\');
                    }
                    text.push(other);
                }
                other => text.extend(other.to_lowercase()),
            }
        }
        text.push_str(")$");
        literal(&text)
    };
    let mut condition = format!("{name} OPERATOR(pg_catalog.~) {}", expression(of_name));
    match of_schema {
        Some(of_schema) => condition.push_str(&format!(" AND {schema} OPERATOR(pg_catalog.~) {}", expression(of_schema))),
        None => condition.push_str(&format!(" AND {visible}")),
    }
    condition
}

/// What + adds to a list.
const OF_RELATIONS: &str = ", CASE c.relpersistence WHEN 'p' THEN 'permanent' WHEN 't' THEN 'temporary' WHEN 'u' THEN 'unlogged' END AS \"Persistence\",
    pg_catalog.pg_size_pretty(pg_catalog.pg_table_size(c.oid)) AS \"Size\", pg_catalog.obj_description(c.oid, 'pg_class') AS \"Description\"";
const OF_FUNCTIONS: &str =
    ", CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS \"Volatility\",
    pg_catalog.pg_get_userbyid(p.proowner) AS \"Owner\", pg_catalog.obj_description(p.oid, 'pg_proc') AS \"Description\"";
const OF_SCHEMAS: &str = ", pg_catalog.array_to_string(n.nspacl, E'\\n') AS \"Access privileges\",
    pg_catalog.obj_description(n.oid, 'pg_namespace') AS \"Description\"";
const OF_DATABASES: &str = ", pg_catalog.pg_size_pretty(pg_catalog.pg_database_size(d.oid)) AS \"Size\",
    pg_catalog.shobj_description(d.oid, 'pg_database') AS \"Description\"";
const OF_COLUMNS: &str =
    ", CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'x' THEN 'extended' WHEN 'm' THEN 'main' ELSE 'external' END AS \"Storage\",
    pg_catalog.col_description(a.attrelid, a.attnum) AS \"Description\"";

impl Shell {
    /// Runs a backslash command that lists or describes. False when there is no such command.
    pub(super) fn describe(&mut self, command: &str, pattern: &str) -> Result<bool> {
        let word = command.trim_end_matches(['+', 'S']);
        match word {
            "d" if !pattern.is_empty() => self.describe_relations(pattern)?,
            "d" => self.list_relations("rvmSpf", "List of relations", pattern)?,
            "dt" => self.list_relations("rp", "List of relations", pattern)?,
            "dv" => self.list_relations("v", "List of relations", pattern)?,
            "dm" => self.list_relations("m", "List of relations", pattern)?,
            "di" => self.list_relations("i", "List of relations", pattern)?,
            "ds" => self.list_relations("S", "List of relations", pattern)?,
            "df" => self.list(&format!(
                "SELECT n.nspname AS \"Schema\", p.proname AS \"Name\", pg_catalog.pg_get_function_result(p.oid) AS \"Result data type\",
                    pg_catalog.pg_get_function_arguments(p.oid) AS \"Argument data types\",
                    CASE p.prokind WHEN 'a' THEN 'agg' WHEN 'w' THEN 'window' WHEN 'p' THEN 'proc' ELSE 'func' END AS \"Type\"{}
                FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE {} ORDER BY 1, 2, 4",
                if self.verbose_describe { OF_FUNCTIONS } else { "" },
                if pattern.is_empty() { VISIBLE.to_owned() } else { matching(pattern, "n.nspname", "p.proname", "true") }
            ), "List of functions")?,
            "dD" => self.list(&format!(
                "SELECT n.nspname AS \"Schema\", t.typname AS \"Name\", pg_catalog.format_type(t.typbasetype, t.typtypmod) AS \"Type\",
                    (SELECT c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type b
                        WHERE c.oid = t.typcollation AND b.oid = t.typbasetype AND t.typcollation <> b.typcollation) AS \"Collation\",
                    CASE WHEN t.typnotnull THEN 'not null' END AS \"Nullable\", t.typdefault AS \"Default\",
                    pg_catalog.array_to_string(ARRAY(SELECT pg_catalog.pg_get_constraintdef(r.oid, true) FROM pg_catalog.pg_constraint r
                        WHERE t.oid = r.contypid AND r.contype = 'c' ORDER BY r.conname), ' ') AS \"Check\"{}
                FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'd' AND {} ORDER BY 1, 2",
                if self.verbose_describe { ", pg_catalog.obj_description(t.oid, 'pg_type') AS \"Description\"" } else { "" },
                if pattern.is_empty() { VISIBLE.to_owned() } else { matching(pattern, "n.nspname", "t.typname", "pg_catalog.pg_type_is_visible(t.oid)") }
            ), "List of domains")?,
            "dp" | "z" => self.list(&format!(
                "SELECT n.nspname AS \"Schema\", c.relname AS \"Name\", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view'
                    WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table'
                    WHEN 'p' THEN 'partitioned table' END AS \"Type\", pg_catalog.array_to_string(c.relacl, E'\\n') AS \"Access privileges\",
                    pg_catalog.array_to_string(ARRAY(SELECT a.attname || E':\\n  ' || pg_catalog.array_to_string(a.attacl, E'\\n  ')
                        FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped AND a.attacl IS NOT NULL), E'\\n')
                        AS \"Column privileges\"
                FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relkind IN ('r', 'v', 'm', 'S', 'f', 'p') AND {} ORDER BY 1, 2",
                if pattern.is_empty() { VISIBLE.to_owned() } else { matching(pattern, "n.nspname", "c.relname", "pg_catalog.pg_table_is_visible(c.oid)") }
            ), "Access privileges")?,
            "dn" => self.list(&format!(
                "SELECT n.nspname AS \"Name\", pg_catalog.pg_get_userbyid(n.nspowner) AS \"Owner\"{} FROM pg_catalog.pg_namespace n
                WHERE {} ORDER BY 1",
                if self.verbose_describe { OF_SCHEMAS } else { "" },
                if pattern.is_empty() { "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'".to_owned() } else { matching(pattern, "n.nspname", "n.nspname", "true") }
            ), "List of schemas")?,
            "dT" => self.list(&format!(
                "SELECT n.nspname AS \"Schema\", pg_catalog.format_type(t.oid, NULL) AS \"Name\", pg_catalog.obj_description(t.oid, 'pg_type') AS \"Description\"
                FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
                WHERE (t.typrelid = 0 OR (SELECT c.relkind = 'c' FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid)) AND t.typelem = 0 AND {} ORDER BY 1, 2",
                if pattern.is_empty() { VISIBLE.to_owned() } else { matching(pattern, "n.nspname", "t.typname", "true") }
            ), "List of data types")?,
            "du" | "dg" => self.list(
                "SELECT rolname AS \"Role name\", concat_ws(', ', CASE WHEN rolsuper THEN 'Superuser' END, CASE WHEN rolcreaterole THEN 'Create role' END,
                    CASE WHEN rolcreatedb THEN 'Create DB' END, CASE WHEN NOT rolcanlogin THEN 'Cannot login' END) AS \"Attributes\"
                FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY 1",
                "List of roles",
            )?,
            "l" | "list" => self.list(&format!(
                "SELECT d.datname AS \"Name\", pg_catalog.pg_get_userbyid(d.datdba) AS \"Owner\", pg_catalog.pg_encoding_to_char(d.encoding) AS \"Encoding\",
                    d.datcollate AS \"Collate\", d.datctype AS \"Ctype\",
                    pg_catalog.array_to_string(d.datacl, E'\\n') AS \"Access privileges\"{} FROM pg_catalog.pg_database d ORDER BY 1",
                if self.verbose_describe { OF_DATABASES } else { "" }
            ), "List of databases")?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn gather(&mut self, sql: &str) -> Result<Table> {
        struct Gather(Table);
        impl Handler for Gather {
            fn columns(&mut self, columns: Vec<(String, u32)>) -> Result<()> {
                self.0 = Table { columns, ..Table::default() };
                Ok(())
            }

            fn row(&mut self, row: durability::Row) -> Result<()> {
                self.0.rows.push(row);
                Ok(())
            }
        }
        let mut gather = Gather(Table::default());
        self.connection.run(sql, &mut gather)?;
        Ok(gather.0)
    }

    fn list(&mut self, sql: &str, title: &str) -> Result<()> {
        let table = self.gather(sql)?;
        self.show_list(Table { title: Some(title.to_owned()), ..table });
        Ok(())
    }

    fn list_relations(&mut self, kinds: &str, title: &str, pattern: &str) -> Result<()> {
        let letters: Vec<String> = kinds.chars().map(|letter| format!("'{letter}'")).collect();
        let condition = if pattern.is_empty() {
            format!("{VISIBLE} AND pg_catalog.pg_table_is_visible(c.oid)")
        } else {
            matching(pattern, "n.nspname", "c.relname", "pg_catalog.pg_table_is_visible(c.oid)")
        };
        let of_table = if kinds == "i" { ", t.relname AS \"Table\"" } else { "" };
        let more = if self.verbose_describe { OF_RELATIONS } else { "" };
        let table = self.gather(&format!(
            "SELECT n.nspname AS \"Schema\", c.relname AS \"Name\", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view'
                WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table'
                WHEN 'p' THEN 'partitioned table' END AS \"Type\", pg_catalog.pg_get_userbyid(c.relowner) AS \"Owner\"{of_table}{more}
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
            WHERE c.relkind IN ({}) AND {condition} ORDER BY 1, 2",
            letters.join(", ")
        ))?;
        if table.rows.is_empty() {
            let what =
                if pattern.is_empty() { "any relations.".to_owned() } else { format!("any relation named \"{pattern}\".") };
            self.complain(&format!("Did not find {what}"));
            return Ok(());
        }
        self.show_list(Table { title: Some(title.to_owned()), ..table });
        Ok(())
    }

    /// As psql: what there is not leaves its cell empty, however NULL is shown in results.
    fn show_list(&mut self, mut table: Table) {
        table.rows.iter_mut().flatten().for_each(|cell| {
            cell.get_or_insert_default();
        });
        self.show(&table);
    }

    fn describe_relations(&mut self, pattern: &str) -> Result<()> {
        let condition = matching(pattern, "n.nspname", "c.relname", "pg_catalog.pg_table_is_visible(c.oid)");
        let found = Linked(&mut *self.connection);
        let rows = durability::Link::query(
            &mut { found },
            &format!(
                "SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {condition} ORDER BY 2, 3"
            ),
        )?;
        if rows.is_empty() {
            self.complain(&format!("Did not find any relation named \"{pattern}\"."));
            return Err(types::Error::new(types::SqlState::UNDEFINED_TABLE, String::new()));
        }
        for row in rows {
            let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
            self.describe_relation(&text(0), &text(1), &text(2), &text(3))?;
        }
        Ok(())
    }

    fn describe_relation(&mut self, oid: &str, schema: &str, name: &str, kind: &str) -> Result<()> {
        let word = match kind {
            "r" => "Table",
            "v" => "View",
            "m" => "Materialized view",
            "i" => "Index",
            "S" => "Sequence",
            "c" => "Composite type",
            _ => "Relation",
        };
        let columns = match kind {
            "S" => format!(
                "SELECT pg_catalog.format_type(seqtypid, NULL) AS \"Type\", seqstart AS \"Start\", seqmin AS \"Minimum\", seqmax AS \"Maximum\",
                seqincrement AS \"Increment\", CASE WHEN seqcycle THEN 'yes' ELSE 'no' END AS \"Cycles?\", seqcache AS \"Cache\"
                FROM pg_catalog.pg_sequence WHERE seqrelid = {oid}"
            ),
            "i" => format!(
                "SELECT a.attname AS \"Column\", pg_catalog.format_type(a.atttypid, a.atttypmod) AS \"Type\",
                pg_catalog.pg_get_indexdef(a.attrelid, a.attnum, TRUE) AS \"Definition\" FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
            ),
            _ => format!(
                "SELECT a.attname AS \"Column\", pg_catalog.format_type(a.atttypid, a.atttypmod) AS \"Type\",
                CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text ELSE '' END AS \"Collation\",
                CASE WHEN a.attnotnull THEN 'not null' ELSE '' END AS \"Nullable\",
                CASE WHEN a.attidentity = 'a' THEN 'generated always as identity' WHEN a.attidentity = 'd' THEN 'generated by default as identity'
                    WHEN a.attgenerated = 's' THEN 'generated always as (' || pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) || ') stored'
                    ELSE coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid, true), '') END AS \"Default\"{}
                FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
                if self.verbose_describe { OF_COLUMNS } else { "" }
            ),
        };
        let table = self.gather(&columns)?;
        let mut footers = Vec::new();
        if matches!(kind, "r" | "m") {
            self.footers_of_table(oid, &mut footers)?;
        }
        if matches!(kind, "v" | "m") {
            let query = self.gather(&format!("SELECT pg_catalog.pg_get_viewdef({oid}::pg_catalog.oid, true)"))?;
            if let Some(text) = query.rows.into_iter().flatten().flatten().next().filter(|_| self.verbose_describe) {
                footers.push(format!("View definition:\n{text}"));
            }
        }
        let title = Some(format!("{word} \"{schema}.{name}\""));
        self.show_list(Table { title, footers: Some(footers), ..table });
        Ok(())
    }

    fn footers_of_table(&mut self, oid: &str, footers: &mut Vec<String>) -> Result<()> {
        let sections = [
            (
                "Indexes:",
                format!(
                    "SELECT '    \"' || c.relname || '\"' || CASE WHEN i.indisprimary THEN ' PRIMARY KEY,' WHEN k.contype = 'u' THEN ' UNIQUE CONSTRAINT,'
                        WHEN i.indisunique THEN ' UNIQUE,' ELSE '' END || ' ' || regexp_replace(pg_catalog.pg_get_indexdef(i.indexrelid, 0, true), '^.* USING ', '')
                    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
                    LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
                    WHERE i.indrelid = {oid} ORDER BY i.indisprimary DESC, c.relname"
                ),
            ),
            (
                "Check constraints:",
                format!(
                    "SELECT '    \"' || conname || '\" ' || pg_catalog.pg_get_constraintdef(oid, true) FROM pg_catalog.pg_constraint
                    WHERE conrelid = {oid} AND contype = 'c' ORDER BY conname"
                ),
            ),
            (
                "Foreign-key constraints:",
                format!(
                    "SELECT '    \"' || conname || '\" ' || pg_catalog.pg_get_constraintdef(oid, true) FROM pg_catalog.pg_constraint
                    WHERE conrelid = {oid} AND contype = 'f' ORDER BY conname"
                ),
            ),
            (
                "Referenced by:",
                format!(
                    "SELECT '    TABLE \"' || conrelid::regclass::text || '\" CONSTRAINT \"' || conname || '\" ' || pg_catalog.pg_get_constraintdef(oid, true)
                    FROM pg_catalog.pg_constraint WHERE confrelid = {oid} AND contype = 'f' ORDER BY conname"
                ),
            ),
            (
                "Triggers:",
                format!(
                    "SELECT '    ' || regexp_replace(pg_catalog.pg_get_triggerdef(oid, true), '^CREATE TRIGGER ', '') FROM pg_catalog.pg_trigger
                    WHERE tgrelid = {oid} AND NOT tgisinternal ORDER BY tgname"
                ),
            ),
        ];
        for (title, sql) in sections {
            let lines = self.gather(&sql)?.rows;
            if !lines.is_empty() {
                footers.push(title.to_owned());
                footers.extend(lines.into_iter().flatten().flatten());
            }
        }
        Ok(())
    }
}
