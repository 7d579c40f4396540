//! The statements a foreign key is kept by, written once: many rows are followed up with the same text.

use std::sync::Arc;

use catalog::Attribute;

use super::Reference;

/// SQL texts; a key's values are their parameters, in the order of the constraint's columns.
#[derive(Debug)]
pub(super) struct Statements {
    /// Looks for the referenced row.
    pub(super) find_referenced: Arc<str>,
    /// The same, and it stays.
    pub(super) lock_referenced: Arc<str>,
    /// Looks for a row that references a key.
    pub(super) find_referencing: Arc<str>,
    pub(super) lock_referencing: Arc<str>,
    pub(super) delete_referencing: Arc<str>,
    /// New key parameters first, then the old ones.
    pub(super) update_referencing: Arc<str>,
    /// ON DELETE SET NULL, ON UPDATE SET NULL and so on: the first may name the columns.
    pub(super) null_on_delete: Arc<str>,
    pub(super) null_on_update: Arc<str>,
    pub(super) default_on_delete: Arc<str>,
    pub(super) default_on_update: Arc<str>,
    /// Looks for a row of the whole table that references nothing; gives its key (RI_Initial_Check).
    pub(super) find_dangling: Arc<str>,
}

impl Statements {
    pub(super) fn of(reference: &Reference) -> Statements {
        let Reference { key, table_name, referenced_name, .. } = reference;
        let terms = reference.referenced_columns().enumerate();
        let terms = terms.map(|(at, column)| format!("{} OPERATOR(pg_catalog.=) ${}", quoted(&column.name), at + 1));
        let is_referenced = terms.collect::<Vec<_>>().join(" AND ");
        let references = |first: usize| {
            let terms = reference.columns().enumerate();
            let terms = terms.map(|(at, column)| format!("${} OPERATOR(pg_catalog.=) {}", first + at, quoted(&column.name)));
            terms.collect::<Vec<_>>().join(" AND ")
        };
        let find_referenced = format!("SELECT 1 FROM ONLY {referenced_name} x WHERE {is_referenced}");
        let find_referencing = format!("SELECT 1 FROM ONLY {table_name} x WHERE {} LIMIT 1", references(1));
        let carried = reference.columns().enumerate().map(|(at, column)| format!("{} = ${}", quoted(&column.name), at + 1));
        let carried = carried.collect::<Vec<_>>().join(", ");
        let reset = |value: &str, columns: &[usize]| -> Arc<str> {
            let set = columns.iter().map(|&position| format!("{} = {value}", quoted(&reference.table.attributes[position].name)));
            let set = set.collect::<Vec<_>>().join(", ");
            format!("UPDATE ONLY {table_name} SET {set} WHERE {}", references(1)).into()
        };
        let deleted = if key.delete_set_columns.is_empty() { &key.columns } else { &key.delete_set_columns };
        Statements {
            lock_referenced: format!("{find_referenced} FOR KEY SHARE OF x").into(),
            find_referenced: find_referenced.into(),
            lock_referencing: format!("{find_referencing} FOR KEY SHARE OF x").into(),
            find_referencing: find_referencing.into(),
            delete_referencing: format!("DELETE FROM ONLY {table_name} WHERE {}", references(1)).into(),
            update_referencing: format!("UPDATE ONLY {table_name} SET {carried} WHERE {}", references(key.columns.len() + 1))
                .into(),
            null_on_delete: reset("NULL", deleted),
            null_on_update: reset("NULL", &key.columns),
            default_on_delete: reset("DEFAULT", deleted),
            default_on_update: reset("DEFAULT", &key.columns),
            find_dangling: find_dangling(reference),
        }
    }
}

fn find_dangling(reference: &Reference) -> Arc<str> {
    let list = |alias: &str, columns: &mut dyn Iterator<Item = &Attribute>, separator: &str, test: &str| {
        columns.map(|column| format!("{alias}.{}{test}", quoted(&column.name))).collect::<Vec<_>>().join(separator)
    };
    let pairs = reference
        .columns()
        .zip(reference.referenced_columns())
        .map(|(own, other)| format!("pk.{} OPERATOR(pg_catalog.=) fk.{}", quoted(&other.name), quoted(&own.name)));
    let join = pairs.collect::<Vec<_>>().join(" AND ");
    let first = reference.referenced_columns().take(1);
    let separator = if reference.key.match_type == 'f' { " OR " } else { " AND " };
    let statement = format!(
        "SELECT {} FROM ONLY {} fk LEFT OUTER JOIN ONLY {} pk ON ({join}) WHERE {} AND ({}) LIMIT 1",
        list("fk", &mut reference.columns(), ", ", ""),
        reference.table_name,
        reference.referenced_name,
        list("pk", &mut { first }, "", " IS NULL"),
        list("fk", &mut reference.columns(), separator, " IS NOT NULL"),
    );
    statement.into()
}

/// A name as these statements write it, which errors within them show.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
