//! Objects behind those that they need.

use std::collections::{BTreeMap, BTreeSet};

use ::types::Result;

use super::{Address, Reader, Section, class, quote};

/// Objects and what each needs.
#[derive(Default)]
pub(super) struct Needs(BTreeMap<Address, BTreeSet<Address>>);

impl Needs {
    /// Puts `object` behind what it needs; neither is put twice.
    fn visit(&self, object: Address, placed: &mut BTreeSet<Address>, order: &mut Vec<Address>) {
        // An explicit stack: a chain of views may be long.
        let mut stack = vec![(object, false)];
        while let Some((object, needs_are_placed)) = stack.pop() {
            if needs_are_placed {
                order.push(object);
                continue;
            }
            if !placed.insert(object) {
                continue;
            }
            stack.push((object, true));
            let needed = self.0.get(&object).into_iter().flatten().rev();
            stack.extend(needed.filter(|needed| !placed.contains(*needed)).map(|needed| (*needed, false)));
        }
    }

    /// Of views that read one another in a circle, the oldest is made first without needing anything and replaced when all others are there.
    /// These, in order; what they need is forgotten.
    ///
    /// It is the oldest of its circle again in a restored database, so that the order is the same.
    fn cut_circles(&mut self, views: &[Address]) -> Vec<Address> {
        let mut cut = Vec::new();
        for view in views {
            if self.reaches_itself(*view) {
                self.0.remove(view);
                cut.push(*view);
            }
        }
        cut
    }

    fn reaches_itself(&self, object: Address) -> bool {
        let mut seen = BTreeSet::new();
        let mut left = vec![object];
        while let Some(next) = left.pop() {
            for needed in self.0.get(&next).into_iter().flatten() {
                if *needed == object {
                    return true;
                }
                if seen.insert(*needed) {
                    left.push(*needed);
                }
            }
        }
        false
    }
}

impl Reader<'_> {
    /// Types, sequences, functions and tables, in an order in which they can be made; then, behind the rows, the views.
    pub(super) fn definitions_in_order(&mut self) -> Result<()> {
        let mut needs = self.needs()?;
        let mut by_age: Vec<Address> = self.found.keys().copied().filter(|(class, _)| *class != class::NAMESPACE).collect();
        by_age.sort_by_key(|&(class, oid)| (oid, class));
        let is_view = |reader: &Reader, object: &Address| {
            reader.found.get(object).is_some_and(|found| matches!(found.kind, "VIEW" | "MATERIALIZED VIEW"))
        };
        let (views, others): (Vec<Address>, Vec<Address>) = by_age.into_iter().partition(|object| is_view(self, object));
        let (mut placed, mut order) = (BTreeSet::new(), Vec::new());
        others.into_iter().for_each(|object| needs.visit(object, &mut placed, &mut order));
        self.add_definitions(Section::BeforeRows, &order);
        let place = |name: &str| self.schema.entries.iter().position(|entry| entry.kind == "TABLE" && entry.name == name);
        let mut tables = self.schema.tables.clone();
        tables.sort_by_cached_key(|table| place(&table.name.to_string()));
        self.schema.tables = tables;
        order.clear();
        self.keys_and_indexes()?;
        let replaced = needs.cut_circles(&views);
        let definitions = self.stand_ins(&replaced)?;
        views.into_iter().for_each(|object| needs.visit(object, &mut placed, &mut order));
        self.add_definitions(Section::AfterRows, &order);
        self.put_definitions(definitions);
        self.add_definitions(Section::AfterRows, &replaced);
        Ok(())
    }

    /// Lets these views have only their columns at first; what they are to be replaced by.
    fn stand_ins(&mut self, replaced: &[Address]) -> Result<Vec<(Address, String)>> {
        let mut definitions = Vec::with_capacity(replaced.len());
        for &(class, oid) in replaced {
            let columns = self.query(&format!(
                "SELECT attname, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute
                WHERE attrelid = {oid} AND attnum > 0 ORDER BY attnum"
            ))?;
            let columns: Vec<String> =
                columns.iter().map(|row| format!("\n    NULL::{} AS {}", row.text(1), quote(&row.text(0)))).collect();
            let Some(found) = self.found.get_mut(&(class, oid)) else { continue };
            let whole = found.definition.replacen("CREATE VIEW", "CREATE OR REPLACE VIEW", 1);
            found.definition = format!("CREATE VIEW {} AS\n SELECT{}", found.name, columns.join(","));
            definitions.push(((class, oid), whole));
        }
        Ok(definitions)
    }

    fn put_definitions(&mut self, definitions: Vec<(Address, String)>) {
        for (object, definition) in definitions {
            if let Some(found) = self.found.get_mut(&object) {
                found.definition = definition;
            }
        }
    }

    fn add_definitions(&mut self, section: Section, order: &[Address]) {
        for object in order {
            let Some(found) = self.found.get(object).filter(|found| !found.definition.is_empty()) else { continue };
            let (kind, name, table, sql) = (found.kind, found.name.clone(), found.table.clone(), found.definition.clone());
            self.add(section, kind, &name, table, sql);
        }
    }

    fn needs(&mut self) -> Result<Needs> {
        let mut stands_for: BTreeMap<Address, Address> = BTreeMap::new();
        let parts = "SELECT 1247, t.oid, CASE WHEN t.typrelid <> 0 THEN 1259 ELSE 1247 END,
                CASE WHEN t.typrelid <> 0 THEN t.typrelid ELSE t.typelem END
            FROM pg_catalog.pg_type t WHERE t.oid >= 16384 AND (t.typrelid <> 0 OR t.typelem <> 0)
            UNION ALL SELECT 2604, d.oid, 1259, d.adrelid FROM pg_catalog.pg_attrdef d
            UNION ALL SELECT 2606, c.oid, CASE WHEN c.contypid <> 0 THEN 1247 ELSE 1259 END,
                CASE WHEN c.contypid <> 0 THEN c.contypid ELSE c.conrelid END
            FROM pg_catalog.pg_constraint c WHERE c.contype = 'c'
            UNION ALL SELECT 2618, r.oid, 1259, r.ev_class FROM pg_catalog.pg_rewrite r WHERE r.oid >= 16384";
        for row in self.query(parts)? {
            stands_for.insert((row.oid(0), row.oid(1)), (row.oid(2), row.oid(3)));
        }
        let whole = |mut object: Address| {
            // An array's element, that one's table: two steps at most.
            for _ in 0..2 {
                object = stands_for.get(&object).copied().unwrap_or(object);
            }
            object
        };
        let mut needs = Needs::default();
        let edges = "SELECT classid, objid, refclassid, refobjid FROM pg_catalog.pg_depend
            WHERE objid >= 16384 AND refobjid >= 16384 AND classid IN (1247, 1255, 1259, 2604, 2606, 2618)";
        for row in self.query(edges)? {
            let (dependent, needed) = (whole((row.oid(0), row.oid(1))), whole((row.oid(2), row.oid(3))));
            // A sequence belongs to its table but is made before it: the table's default needs it.
            let is_sequence = self.found.get(&dependent).is_some_and(|found| found.kind == "SEQUENCE");
            if dependent != needed && !is_sequence && self.found.contains_key(&dependent) && self.found.contains_key(&needed) {
                needs.0.entry(dependent).or_default().insert(needed);
            }
        }
        Ok(needs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_comes_first_and_the_old_before_the_new() {
        let mut needs = Needs::default();
        needs.0.entry((1, 1)).or_default().insert((1, 5));
        needs.0.entry((1, 5)).or_default().insert((1, 4));
        // A cycle ends somewhere.
        needs.0.entry((1, 4)).or_default().insert((1, 1));
        let (mut placed, mut order) = (BTreeSet::new(), Vec::new());
        (1..=5).for_each(|oid| needs.visit((1, oid), &mut placed, &mut order));
        assert_eq!(order.iter().map(|(_, oid)| *oid).collect::<Vec<_>>(), [4, 5, 1, 2, 3]);
    }

    #[test]
    fn a_circle_is_cut_at_its_oldest() {
        let mut needs = Needs::default();
        for (dependent, needed) in [(1, 4), (2, 4), (4, 3), (3, 2)] {
            needs.0.entry((1, dependent)).or_default().insert((1, needed));
        }
        let views: Vec<Address> = (1..=4).map(|oid| (1, oid)).collect();
        assert_eq!(needs.cut_circles(&views), [(1, 2)]);
        let (mut placed, mut order) = (BTreeSet::new(), Vec::new());
        views.into_iter().for_each(|view| needs.visit(view, &mut placed, &mut order));
        assert_eq!(order.iter().map(|(_, oid)| *oid).collect::<Vec<_>>(), [2, 3, 4, 1]);
    }
}
