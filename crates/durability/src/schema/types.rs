//! Enum, domain and composite types; functions.

use ::types::{Error, Result};

use super::{Found, Reader, USER_SCHEMA, class, literal, quote};

impl Reader<'_> {
    pub(super) fn types(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT t.oid, n.nspname, t.typname, t.typtype, pg_catalog.pg_get_userbyid(t.typowner), t.typacl,
                pg_catalog.format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
                CASE WHEN t.typcollation <> b.typcollation THEN t.typcollation::pg_catalog.regcollation::text END
            FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
            LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
            WHERE {USER_SCHEMA} AND t.typrelid = 0 AND t.typelem = 0 AND t.oid >= 16384 ORDER BY t.oid"
        );
        for row in self.query(&sql)? {
            let oid = row.oid(0);
            let name = format!("{}.{}", quote(&row.text(1)), quote(&row.text(2)));
            let (word, definition) = match row.letter(3) {
                'e' => ("TYPE", self.enum_definition(oid, &name)?),
                'd' => {
                    let mut sql = format!("CREATE DOMAIN {name} AS {}", row.text(6));
                    if let Some(collation) = row.optional(9) {
                        sql.push_str(&format!(" COLLATE {collation}"));
                    }
                    if let Some(default) = row.optional(8) {
                        sql.push_str(&format!(" DEFAULT {default}"));
                    }
                    if row.flag(7) {
                        sql.push_str(" NOT NULL");
                    }
                    sql.push_str(&self.domain_checks(oid)?);
                    ("DOMAIN", sql)
                }
                'm' => continue,
                other => return Err(Error::unsupported(format!("dumping types of kind \"{other}\" ({name})"))),
            };
            let found = Found { word, name, owner: row.text(4), acl: row.optional(5), table: None, definition, kind: word };
            self.found.insert((class::TYPE, oid), found);
        }
        Ok(())
    }

    fn enum_definition(&mut self, oid: u32, name: &str) -> Result<String> {
        let labels =
            self.query(&format!("SELECT enumlabel FROM pg_catalog.pg_enum WHERE enumtypid = {oid} ORDER BY enumsortorder"))?;
        let labels: Vec<String> = labels.iter().map(|row| format!("\n    {}", literal(&row.text(0)))).collect();
        Ok(format!("CREATE TYPE {name} AS ENUM ({}\n)", labels.join(",")))
    }

    fn domain_checks(&mut self, oid: u32) -> Result<String> {
        let checks = self.query(&format!(
            "SELECT conname, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint
            WHERE contypid = {oid} AND contype = 'c' AND convalidated ORDER BY conname"
        ))?;
        Ok(checks.iter().map(|row| format!("\n    CONSTRAINT {} {}", quote(&row.text(0)), row.text(1))).collect())
    }

    pub(super) fn functions(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT p.oid, n.nspname, p.proname, pg_catalog.pg_get_userbyid(p.proowner), p.proacl, p.prokind
            FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
            WHERE {USER_SCHEMA} AND p.oid >= 16384 ORDER BY p.oid"
        );
        for row in self.query(&sql)? {
            let (oid, plain) = (row.oid(0), format!("{}.{}", quote(&row.text(1)), quote(&row.text(2))));
            let word = match row.letter(5) {
                'f' | 'w' => "FUNCTION",
                'p' => "PROCEDURE",
                _ => return Err(Error::unsupported(format!("dumping aggregates ({plain})"))),
            };
            let facts = self.query(&format!(
                "SELECT pg_catalog.pg_get_functiondef({oid}), pg_catalog.pg_get_function_identity_arguments({oid})"
            ))?;
            let fact = |at: usize| facts.first().map(|row| row.text(at)).unwrap_or_default();
            let found = Found {
                word,
                name: format!("{plain}({})", fact(1)),
                owner: row.text(3),
                acl: row.optional(4),
                table: None,
                definition: fact(0).trim_end().to_owned(),
                kind: "FUNCTION",
            };
            self.found.insert((class::PROC, oid), found);
        }
        Ok(())
    }
}
