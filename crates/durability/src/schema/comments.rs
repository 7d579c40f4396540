//! COMMENT ON whatever has one.

use ::types::{Error, Result};

use super::{Reader, Section, class, literal, quote};

impl Reader<'_> {
    pub(super) fn comments(&mut self) -> Result<()> {
        let rows = self.query(
            "SELECT d.classoid, d.objoid, d.description, a.attname, c.relkind, c.relname, cn.nspname,
                k.conname, k.conrelid, k.contypid, g.tgname, g.tgrelid, r.rulename, r.ev_class, t.typrelid
            FROM pg_catalog.pg_description d
            LEFT JOIN pg_catalog.pg_class c ON d.classoid = 1259 AND c.oid = d.objoid
            LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
            LEFT JOIN pg_catalog.pg_attribute a ON d.classoid = 1259 AND a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0
            LEFT JOIN pg_catalog.pg_type t ON d.classoid = 1247 AND t.oid = d.objoid
            LEFT JOIN pg_catalog.pg_constraint k ON d.classoid = 2606 AND k.oid = d.objoid
            LEFT JOIN pg_catalog.pg_trigger g ON d.classoid = 2620 AND g.oid = d.objoid
            LEFT JOIN pg_catalog.pg_rewrite r ON d.classoid = 2618 AND r.oid = d.objoid
            WHERE d.objoid >= 16384 OR d.classoid = 2615 ORDER BY d.classoid, d.objoid, d.objsubid",
        )?;
        let mut comments = Vec::new();
        for row in rows {
            let (class, object, text) = (row.oid(0), row.oid(1), row.text(2));
            // A composite type's comment is its row type's.
            let address = if row.oid(14) != 0 { (class::CLASS, row.oid(14)) } else { (class, object) };
            let on_part = |reader: &Self, table: u32, word: &str, name: &str| {
                let found = reader.found.get(&(class::CLASS, table))?;
                Some((format!("{word} {} ON {}", quote(name), found.name), found.table.clone()))
            };
            let target = match (class, self.found.get(&address)) {
                (class::CLASS, Some(found)) => match row.optional(3) {
                    Some(column) => Some((format!("COLUMN {}.{}", found.name, quote(&column)), found.table.clone())),
                    None => Some((format!("{} {}", found.word, found.name), found.table.clone())),
                },
                (class::CLASS, None) if row.letter(4) == 'i' => {
                    Some((format!("INDEX {}.{}", quote(&row.text(6)), quote(&row.text(5))), None))
                }
                (class::NAMESPACE, Some(found)) if found.name == "public" && text == "standard public schema" => None,
                (class::TYPE | class::PROC | class::NAMESPACE, Some(found)) => {
                    Some((format!("{} {}", found.word, found.name), None))
                }
                (class::CONSTRAINT, _) if row.oid(8) != 0 => on_part(self, row.oid(8), "CONSTRAINT", &row.text(7)),
                (class::CONSTRAINT, _) => self
                    .found
                    .get(&(class::TYPE, row.oid(9)))
                    .map(|domain| (format!("CONSTRAINT {} ON DOMAIN {}", quote(&row.text(7)), domain.name), None)),
                (class::TRIGGER, _) => on_part(self, row.oid(11), "TRIGGER", &row.text(10)),
                (class::REWRITE, _) => on_part(self, row.oid(13), "RULE", &row.text(12)),
                // Built-in schemas, and objects of temporary ones.
                (class::NAMESPACE | class::CLASS | class::TYPE, None) => None,
                (other, _) => return Err(Error::unsupported(format!("dumping a comment on an object of catalog {other}"))),
            };
            if let Some((target, table)) = target {
                let sql = format!("COMMENT ON {target} IS {}", literal(&text));
                comments.push((target, table, sql));
            }
        }
        // Not by identifiers, which a restored database gives out in another order.
        comments.sort();
        for (target, table, sql) in comments {
            self.add(Section::AfterRows, "COMMENT", &target, table, sql);
        }
        Ok(())
    }
}
