//! Notes what a statement reads and writes of which relation, and as whom: the owner of a view for what its query mentions.

use std::sync::Arc;

use catalog::{Privileges, Relation};
use types::Oid;

use crate::{range_table::EntryColumn, state::Binder, table_expression::Modification, writable_view::WriteTarget};

impl Binder<'_> {
    pub(crate) fn require(&mut self, relation: Oid, privileges: Privileges) {
        self.access.of(relation, self.check_as).require(privileges);
    }

    /// What a name with its schema needs; a stored query was allowed to name it when it was stored.
    pub(crate) fn require_schema(&mut self, schema: Oid) {
        if self.check_as.is_none()
            && self.views.is_empty()
            && !self.access.schemas.iter().any(|(known, _)| *known == schema)
            && let Some(found) = self.names.catalog.schema(schema)
        {
            self.access.schemas.push((schema, found.name.clone()));
        }
    }

    pub(crate) fn require_modification(&mut self, relation: Oid, modification: Modification) {
        self.require(
            relation,
            match modification {
                Modification::Insert => Privileges::INSERT,
                Modification::Update => Privileges::UPDATE,
                Modification::Delete => Privileges::DELETE,
            },
        );
    }

    /// As whom the query of a view runs: its owner, unless it asks for the rights of whoever uses it.
    pub(crate) fn enter_view(&mut self, view: &Arc<Relation>) -> Option<Oid> {
        let before = self.check_as;
        let is_invoker = view.options.iter().any(|option| {
            option
                .split_once('=')
                .is_some_and(|(name, value)| name == "security_invoker" && matches!(value, "true" | "on" | "1" | "yes"))
        });
        if !is_invoker {
            self.check_as = Some(view.owner);
        }
        before
    }

    /// Notes that an expression mentions a column of an entry.
    pub(crate) fn note_read(&mut self, level: usize, entry: usize, column: usize) {
        let range = &self.levels[level].entries[entry];
        if let Some(EntryColumn { origin: Some((relation, number)), .. }) = range.columns.get(column)
            && let Ok(position) = usize::try_from(*number - 1)
        {
            let (relation, check_as) = (*relation, self.check_as);
            // Columns of a view's result have the origin that the view gives them; others are not among what is checked.
            self.access.of(relation, check_as).select(position);
        }
    }

    /// Notes that an expression mentions all columns of an entry.
    pub(crate) fn note_read_all(&mut self, level: usize, entry: usize) {
        for column in 0..self.levels[level].entries[entry].columns.len() {
            self.note_read(level, entry, column);
        }
    }

    /// Notes which attributes a statement writes: those of the base table, and those of the view that it names.
    pub(crate) fn note_written(&mut self, target: &WriteTarget, attributes: &[usize], modification: Modification) {
        for attribute in attributes {
            let of_base = (target.relation.oid, target.base_check_as, *attribute);
            let of_view = target.view.as_ref().and_then(|view| {
                let position = view.attribute_over(self, target.base, *attribute)?;
                Some((view.relation.oid, self.check_as, position))
            });
            for (relation, check_as, attribute) in [Some(of_base), of_view].into_iter().flatten() {
                let access = self.access.of(relation, check_as);
                match modification {
                    Modification::Insert => access.insert(attribute),
                    Modification::Update => access.update(attribute),
                    Modification::Delete => {}
                }
            }
        }
    }
}
