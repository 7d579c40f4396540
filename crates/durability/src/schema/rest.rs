//! What comes behind the rows: keys, indexes, foreign keys; rules and triggers; sequences' values; materialized views' rows.

use ::types::Result;

use super::{Reader, Section, TableName, class, quote};

impl Reader<'_> {
    /// Keys, then other indexes, then foreign keys: each kind in order of age.
    pub(super) fn keys_and_indexes(&mut self) -> Result<()> {
        self.constraints("contype IN ('p', 'u', 'x') OR contype = 'c' AND NOT convalidated", "CONSTRAINT")?;
        self.indexes("r")?;
        self.constraints("contype = 'f'", "FK CONSTRAINT")
    }

    fn constraints(&mut self, which: &str, kind: &'static str) -> Result<()> {
        let rows = self.query(&format!(
            "SELECT conrelid, conname, pg_catalog.pg_get_constraintdef(oid), contypid FROM pg_catalog.pg_constraint
            WHERE ({which}) AND oid >= 16384 ORDER BY oid"
        ))?;
        for row in rows {
            let address = if row.oid(0) != 0 { (class::CLASS, row.oid(0)) } else { (class::TYPE, row.oid(3)) };
            let Some(on) = self.found.get(&address).cloned() else { continue };
            let name = quote(&row.text(1));
            let only = if on.word == "TABLE" { "TABLE ONLY" } else { on.word };
            let sql = format!("ALTER {only} {}\n    ADD CONSTRAINT {name} {}", on.name, row.text(2));
            self.add(Section::AfterRows, kind, &name, on.table, sql);
        }
        Ok(())
    }

    fn indexes(&mut self, relkind: &str) -> Result<()> {
        let rows = self.query(&format!(
            "SELECT i.indrelid, c.relname, pg_catalog.pg_get_indexdef(i.indexrelid), n.nspname
            FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
            JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE i.indexrelid >= 16384 AND t.relkind = '{relkind}'
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
            ORDER BY i.indexrelid"
        ))?;
        for row in rows {
            let Some(on) = self.found.get(&(class::CLASS, row.oid(0))).cloned() else { continue };
            let name = TableName { schema: row.text(3), name: row.text(1) }.to_string();
            self.add(Section::AfterRows, "INDEX", &name, on.table, row.text(2));
        }
        Ok(())
    }

    /// What needs the views to be there.
    pub(super) fn rest(&mut self) -> Result<()> {
        self.indexes("m")?;
        self.rules_and_triggers()?;
        self.sequence_values()?;
        let populated = self
            .query("SELECT oid FROM pg_catalog.pg_class WHERE relkind = 'm' AND relispopulated AND oid >= 16384")?
            .iter()
            .filter_map(|row| Some(self.found.get(&(class::CLASS, row.oid(0)))?.name.clone()))
            .collect::<Vec<_>>();
        // In the order of their definitions: one may read another.
        let made = self.schema.entries.iter().filter(|entry| entry.kind == "MATERIALIZED VIEW").map(|entry| entry.name.clone());
        let refreshed: Vec<String> = made.filter(|name| populated.contains(name)).collect();
        for name in refreshed {
            self.add(Section::AfterRows, "MATERIALIZED VIEW DATA", &name, None, format!("REFRESH MATERIALIZED VIEW {name}"));
        }
        Ok(())
    }

    fn rules_and_triggers(&mut self) -> Result<()> {
        let queries = [
            (
                "RULE",
                "SELECT ev_class, rulename, pg_catalog.pg_get_ruledef(oid) FROM pg_catalog.pg_rewrite
                WHERE rulename <> '_RETURN' AND oid >= 16384 ORDER BY ev_class, rulename",
            ),
            (
                "TRIGGER",
                "SELECT tgrelid, tgname, pg_catalog.pg_get_triggerdef(oid) FROM pg_catalog.pg_trigger
                WHERE NOT tgisinternal AND oid >= 16384 ORDER BY tgrelid, tgname",
            ),
        ];
        for (kind, sql) in queries {
            for row in self.query(sql)? {
                let Some(on) = self.found.get(&(class::CLASS, row.oid(0))).cloned() else { continue };
                let definition = row.text(2).trim_end().trim_end_matches(';').to_owned();
                self.add(Section::AfterRows, kind, &quote(&row.text(1)), on.table, definition);
            }
        }
        Ok(())
    }
}
