//! Foreign keys: what changed rows ask of the other table (PostgreSQL's ri_triggers.c).
//!
//! When a statement's writes are staged, each is followed up in the order of the rows and, for one row, of the constraints' age: a new
//! or changed reference must find its row, which stays locked FOR KEY SHARE; a referenced key that goes is refused or carried over to
//! the rows that reference it. All of it is done by statements of its own, run through the same session: they use its indexes, wait
//! for locks as any statement does, and are followed up in turn.
//!
//! A check looks at tables and not at the row that asked for it, so that a deferred one (`deferred_constraints`) needs to remember only
//! the key: a reference that is gone at the end of the transaction asks for nothing.
//!
//! At READ COMMITTED every such statement sees the newest rows. Above it, references must be found in the transaction's own view, but
//! rows that reference a key that goes are looked for in the newest content too: what the view cannot show may not be left behind.

mod statements;

use std::{
    cmp::Ordering,
    sync::{Arc, OnceLock},
};

use catalog::{Attribute, Catalog, Constraint, ForeignKey, Relation};
use storage::{Row, TableId};
use txn::{IsolationLevel, StatementWrites};
use types::{Datum, Error, Oid, Result, SqlState, SqlType, compare_datums, text_format::datum_to_text};

use self::statements::{Statements, quoted};
use super::{Outcome, Session, environment};
use crate::plan_cache::PlanKey;

/// A foreign key with the two tables it is between.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) constraint: Constraint,
    key: ForeignKey,
    table: Arc<Relation>,
    referenced: Arc<Relation>,
    /// The schema of the referencing table, for error fields.
    schema: String,
    /// Both names as SQL.
    table_name: String,
    referenced_name: String,
    statements: OnceLock<Statements>,
}

/// The foreign keys that changes of some tables concern.
#[derive(Debug)]
pub(crate) struct References {
    tables: Vec<TableReferences>,
}

#[derive(Debug)]
struct TableReferences {
    table: TableId,
    own: Vec<Arc<Reference>>,
    /// Those of other tables, or its own, that reference this table.
    to_it: Vec<Arc<Reference>>,
}

/// One thing to follow up.
#[derive(Clone, Debug)]
pub(crate) struct FollowUp {
    pub(crate) reference: Arc<Reference>,
    pub(crate) event: Event,
}

#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Rows of the table reference this key now.
    Referenced(Vec<Datum>),
    /// The referenced table has lost this key.
    Deleted(Vec<Datum>),
    /// It has become another.
    Updated(Vec<Datum>, Vec<Datum>),
}

/// What must be done about it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReferentialAction {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

impl ReferentialAction {
    fn of(letter: char) -> ReferentialAction {
        match letter {
            'r' => ReferentialAction::Restrict,
            'c' => ReferentialAction::Cascade,
            'n' => ReferentialAction::SetNull,
            'd' => ReferentialAction::SetDefault,
            _ => ReferentialAction::NoAction,
        }
    }
}

impl References {
    /// The foreign keys of and to these relations; None when there are none.
    pub(crate) fn of(relations: &[Oid], catalog: &Catalog) -> Option<Arc<References>> {
        let tables: Vec<TableReferences> = relations
            .iter()
            .filter_map(|oid| catalog.relation(*oid))
            .filter_map(|relation| {
                let own = Reference::all_of(catalog, relation, |_| true);
                let mut to_it: Vec<_> = catalog
                    .relations_referencing(relation.oid)
                    .flat_map(|other| Reference::all_of(catalog, other, |key| key.referenced == relation.oid))
                    .collect();
                to_it.sort_by_key(|reference| reference.constraint.oid);
                let concerned = !own.is_empty() || !to_it.is_empty();
                concerned.then_some(TableReferences { table: relation.storage()?, own, to_it })
            })
            .collect();
        (!tables.is_empty()).then(|| Arc::new(References { tables }))
    }

    /// What these writes must be followed up with, in order.
    fn follow_ups(&self, writes: &StatementWrites) -> Vec<FollowUp> {
        let mut found = Vec::new();
        for writes in &writes.tables {
            let Some(table) = self.tables.iter().find(|table| table.table == writes.table) else { continue };
            for (_, before) in &writes.deletes {
                table.row_goes(before, None, &mut found);
            }
            for (_, before, after) in &writes.updates {
                table.row_goes(before, Some(after), &mut found);
                table.row_comes(after, Some(before), &mut found);
            }
            for rows in writes.inserts.iter().filter(|_| !table.own.is_empty()) {
                for position in 0..rows.len {
                    let row: Row = rows.columns.iter().map(|column| column.datum(position)).collect();
                    table.row_comes(&row, None, &mut found);
                }
            }
        }
        found
    }
}

impl TableReferences {
    fn row_goes(&self, before: &Row, after: Option<&Row>, found: &mut Vec<FollowUp>) {
        for reference in &self.to_it {
            let columns = &reference.key.referenced_columns;
            let old = values_at(before, columns);
            if old.iter().any(Datum::is_null) {
                continue;
            }
            let event = match after.map(|after| values_at(after, columns)) {
                None => Event::Deleted(old),
                Some(new) if is_same_key(&old, &new) => continue,
                Some(new) => Event::Updated(old, new),
            };
            found.push(FollowUp { reference: reference.clone(), event });
        }
    }

    fn row_comes(&self, after: &Row, before: Option<&Row>, found: &mut Vec<FollowUp>) {
        for reference in &self.own {
            let columns = &reference.key.columns;
            let new = values_at(after, columns);
            if before.is_some_and(|before| is_same_key(&values_at(before, columns), &new)) {
                continue;
            }
            let nulls = new.iter().filter(|value| value.is_null()).count();
            let asks_nothing = nulls == new.len() || (nulls > 0 && reference.key.match_type == 's');
            // Rows of one statement often reference the same key one after the other.
            let is_repeated = found.last().is_some_and(|last| {
                Arc::ptr_eq(&last.reference, reference) && matches!(&last.event, Event::Referenced(key) if is_same_key(key, &new))
            });
            if !asks_nothing && !is_repeated {
                found.push(FollowUp { reference: reference.clone(), event: Event::Referenced(new) });
            }
        }
    }
}

fn values_at(row: &Row, columns: &[usize]) -> Vec<Datum> {
    columns.iter().map(|&position| row[position].clone()).collect()
}

fn is_same_key(old: &[Datum], new: &[Datum]) -> bool {
    old.iter().zip(new).all(|(old, new)| match (old.is_null(), new.is_null()) {
        (false, false) => compare_datums(old, new) == Ordering::Equal,
        (old, new) => old == new,
    })
}

impl Reference {
    fn all_of(catalog: &Catalog, table: &Arc<Relation>, wanted: impl Fn(&ForeignKey) -> bool) -> Vec<Arc<Reference>> {
        let constraints = table.constraints.iter().filter(|constraint| constraint.foreign_key().is_some_and(&wanted));
        constraints.filter_map(|constraint| Reference::new(catalog, table, constraint)).map(Arc::new).collect()
    }

    /// A foreign key of a table by its constraint's identifier.
    pub(crate) fn named(catalog: &Catalog, table: Oid, constraint: Oid) -> Option<Reference> {
        let table = catalog.relation(table)?;
        Reference::new(catalog, table, table.constraints.iter().find(|found| found.oid == constraint)?)
    }

    fn new(catalog: &Catalog, table: &Arc<Relation>, constraint: &Constraint) -> Option<Reference> {
        let key = constraint.foreign_key()?;
        let referenced = catalog.relation(key.referenced)?;
        let schema_of =
            |relation: &Relation| catalog.schema(relation.schema).map_or_else(String::new, |schema| schema.name.to_string());
        let schema = schema_of(table);
        Some(Reference {
            constraint: constraint.clone(),
            key: key.clone(),
            table_name: format!("{}.{}", quoted(&schema), quoted(&table.name)),
            referenced_name: format!("{}.{}", quoted(&schema_of(referenced)), quoted(&referenced.name)),
            schema,
            statements: OnceLock::new(),
            table: table.clone(),
            referenced: referenced.clone(),
        })
    }

    /// Whether the catalog still has the constraint.
    pub(crate) fn is_in(&self, catalog: &Catalog) -> bool {
        let table = catalog.relation(self.table.oid);
        table.is_some_and(|table| table.constraints.iter().any(|found| found.oid == self.constraint.oid))
    }

    fn columns(&self) -> impl Iterator<Item = &Attribute> {
        self.key.columns.iter().map(|&position| &self.table.attributes[position])
    }

    fn referenced_columns(&self) -> impl Iterator<Item = &Attribute> {
        self.key.referenced_columns.iter().map(|&position| &self.referenced.attributes[position])
    }

    fn types(&self) -> Vec<SqlType> {
        self.columns().map(|attribute| attribute.ty).collect()
    }

    fn referenced_types(&self) -> Vec<SqlType> {
        self.referenced_columns().map(|attribute| attribute.ty).collect()
    }

    fn statements(&self) -> &Statements {
        self.statements.get_or_init(|| Statements::of(self))
    }

    fn violation(&self, message: String, detail: String) -> Error {
        Error::new(SqlState::FOREIGN_KEY_VIOLATION, message)
            .detail(detail)
            .in_table(&*self.schema, &*self.table.name)
            .of_constraint(&*self.constraint.name)
    }

    /// A row references what is not there.
    fn dangling(&self, key: Option<&str>) -> Error {
        let message = format!(
            "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
            self.table.name, self.constraint.name
        );
        let names = self.columns().map(|column| column.name.to_string()).collect::<Vec<_>>().join(", ");
        let shown = key.map(|key| format!(" ({names})=({key})")).unwrap_or_default();
        let detail = format!("Key{shown} is not present in table \"{}\".", self.referenced.name);
        self.violation(message, detail)
    }

    fn mixed_nulls(&self) -> Error {
        let message = format!(
            "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
            self.table.name, self.constraint.name
        );
        self.violation(message, "MATCH FULL does not allow mixing of null and nonnull key values.".into())
    }

    /// A key goes that rows still reference.
    fn still_referenced(&self, key: Option<&str>) -> Error {
        let message = format!(
            "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
            self.referenced.name, self.constraint.name, self.table.name
        );
        let names = self.referenced_columns().map(|column| column.name.to_string()).collect::<Vec<_>>().join(", ");
        let shown = key.map(|key| format!(" ({names})=({key})")).unwrap_or_default();
        let detail = format!("Key{shown} is still referenced from table \"{}\".", self.table.name);
        self.violation(message, detail)
    }

    fn action(&self, event: &Event) -> ReferentialAction {
        match event {
            Event::Referenced(_) => ReferentialAction::NoAction,
            Event::Deleted(_) => ReferentialAction::of(self.key.on_delete),
            Event::Updated(..) => ReferentialAction::of(self.key.on_update),
        }
    }
}

impl Session {
    /// Follows up a statement's staged writes.
    ///
    /// Errors: 23503; 40001 above READ COMMITTED; those of cascades.
    pub(crate) async fn follow_up(&mut self, references: &References, writes: &StatementWrites) -> Result<()> {
        for follow_up in references.follow_ups(writes) {
            let action = follow_up.reference.action(&follow_up.event);
            if action == ReferentialAction::NoAction && self.is_deferred(&follow_up.reference.constraint) {
                self.defer(follow_up)?;
                continue;
            }
            self.carry_out(&follow_up, action).await?;
            let goes = !matches!(follow_up.event, Event::Referenced(_));
            if goes && self.isolation()? == IsolationLevel::Serializable {
                self.certify_at_commit(follow_up)?;
            }
        }
        Ok(())
    }

    /// Makes a check that was put off.
    pub(crate) async fn check_deferred(&mut self, follow_up: &FollowUp) -> Result<()> {
        self.carry_out(follow_up, ReferentialAction::NoAction).await
    }

    /// Whether what a SERIALIZABLE transaction took away is referenced after all, now that its rows are locked for the commit.
    pub(crate) async fn is_referenced_by_newer(&mut self, follow_up: &FollowUp) -> Result<bool> {
        let (Event::Deleted(key) | Event::Updated(key, _)) = &follow_up.event else { return Ok(false) };
        let reference = &follow_up.reference;
        Ok(!self.newest_has_referenced(reference, key).await? && self.newest_has_referencing(reference, key).await?)
    }

    async fn carry_out(&mut self, follow_up: &FollowUp, action: ReferentialAction) -> Result<()> {
        let reference = &*follow_up.reference;
        let (old, new) = match &follow_up.event {
            Event::Referenced(key) => return self.check_reference(reference, key).await,
            Event::Deleted(old) => (old, None),
            Event::Updated(old, new) => (old, Some(new)),
        };
        let types = reference.referenced_types();
        let statements = reference.statements();
        let statement = match (action, new) {
            (ReferentialAction::NoAction | ReferentialAction::Restrict, _) => {
                return self.refuse_while_referenced(reference, old, action).await;
            }
            (ReferentialAction::Cascade, None) => &statements.delete_referencing,
            (ReferentialAction::Cascade, Some(new)) => {
                let both = types.iter().chain(&types).copied().collect::<Vec<_>>();
                let values = new.iter().chain(old).cloned().collect();
                self.run_internal(&statements.update_referencing, &both, values).await?;
                return self.refuse_newer_references(reference, old).await;
            }
            (ReferentialAction::SetNull, None) => &statements.null_on_delete,
            (ReferentialAction::SetNull, Some(_)) => &statements.null_on_update,
            (ReferentialAction::SetDefault, None) => &statements.default_on_delete,
            (ReferentialAction::SetDefault, Some(_)) => &statements.default_on_update,
        };
        self.run_internal(statement, &types, old.clone()).await?;
        if action == ReferentialAction::SetDefault {
            // The default may be the very key that goes.
            return self.refuse_while_referenced(reference, old, ReferentialAction::NoAction).await;
        }
        self.refuse_newer_references(reference, old).await
    }

    /// 23503 unless the referenced row is there; it stays for the transaction.
    async fn check_reference(&mut self, reference: &Reference, key: &[Datum]) -> Result<()> {
        if key.iter().any(Datum::is_null) {
            return Err(reference.mixed_nulls());
        }
        let types = reference.types();
        if self.run_internal(&reference.statements().lock_referenced, &types, key.to_vec()).await? > 0 {
            return Ok(());
        }
        // The row that asked may be gone meanwhile.
        if self.run_internal(&reference.statements().find_referencing, &types, key.to_vec()).await? == 0 {
            return Ok(());
        }
        Err(reference.dangling(self.shown_key(&reference.table, &reference.key.columns, &types, key)?.as_deref()))
    }

    /// 23503 while rows reference a key that goes, unless (NO ACTION) another row has it again.
    async fn refuse_while_referenced(&mut self, reference: &Reference, key: &[Datum], action: ReferentialAction) -> Result<()> {
        let types = reference.referenced_types();
        let refreshes = self.isolation()?.refreshes();
        let is_back = if action == ReferentialAction::Restrict {
            false
        } else if refreshes {
            self.run_internal(&reference.statements().lock_referenced, &types, key.to_vec()).await? > 0
        } else {
            self.newest_has_referenced(reference, key).await?
        };
        if is_back {
            return Ok(());
        }
        let is_referenced = if refreshes {
            self.run_internal(&reference.statements().lock_referencing, &types, key.to_vec()).await? > 0
        } else {
            self.newest_has_referencing(reference, key).await?
        };
        if is_referenced {
            Err(reference.still_referenced(
                self.shown_key(&reference.referenced, &reference.key.referenced_columns, &types, key)?.as_deref(),
            ))
        } else {
            Ok(())
        }
    }

    /// 40001 when rows that the transaction's view cannot show reference a key whose references have just been changed.
    async fn refuse_newer_references(&mut self, reference: &Reference, key: &[Datum]) -> Result<()> {
        if !self.isolation()?.refreshes() && self.newest_has_referencing(reference, key).await? {
            return Err(Error::new(SqlState::T_R_SERIALIZATION_FAILURE, "could not serialize access due to concurrent update"));
        }
        Ok(())
    }

    async fn newest_has_referenced(&mut self, reference: &Reference, key: &[Datum]) -> Result<bool> {
        self.newest_has(&reference.statements().find_referenced, reference, key).await
    }

    async fn newest_has_referencing(&mut self, reference: &Reference, key: &[Datum]) -> Result<bool> {
        self.newest_has(&reference.statements().find_referencing, reference, key).await
    }

    async fn newest_has(&mut self, statement: &Arc<str>, reference: &Reference, key: &[Datum]) -> Result<bool> {
        self.reads_newest = true;
        let found = self.run_internal(statement, &reference.referenced_types(), key.to_vec()).await;
        self.reads_newest = false;
        Ok(found? > 0)
    }

    /// 23503 when any row of the table references nothing.
    pub(crate) async fn check_all_rows(&mut self, reference: &Reference) -> Result<()> {
        let mut rows = self.open_internal(&reference.statements().find_dangling, &[], Vec::new()).await?;
        let Some(batch) = self.next_batch(&mut rows)?.filter(|batch| batch.len > 0) else { return Ok(()) };
        let key: Vec<Datum> = batch.columns.iter().map(|column| column.datum(0)).collect();
        if key.iter().any(Datum::is_null) {
            return Err(reference.mixed_nulls());
        }
        Err(reference.dangling(self.shown_key(&reference.table, &reference.key.columns, &reference.types(), &key)?.as_deref()))
    }

    /// The key as errors print it; None when the role may not read these columns.
    fn shown_key(&mut self, table: &Relation, columns: &[usize], types: &[SqlType], key: &[Datum]) -> Result<Option<String>> {
        let attributes: Vec<Option<usize>> = columns.iter().copied().map(Some).collect();
        let catalog = self.open_transaction()?.txn.catalog();
        if !txn::KeyText::may_show(&*self.hooks, &catalog, table.oid, &attributes) {
            return Ok(None);
        }
        self.key_text(types, key).map(Some)
    }

    fn key_text(&mut self, types: &[SqlType], key: &[Datum]) -> Result<String> {
        let names = environment::names(self)?;
        let format = self.shared.settings.lock().format().clone();
        let print = |(value, ty): (&Datum, &SqlType)| {
            let mut text = String::new();
            datum_to_text(value, *ty, &format, &*names, &mut text);
            text
        };
        Ok(key.iter().zip(types).map(print).collect::<Vec<_>>().join(", "))
    }

    fn isolation(&mut self) -> Result<IsolationLevel> {
        Ok(self.open_transaction()?.txn.options().isolation)
    }

    /// Runs a statement of the system's own and counts the rows it gives.
    async fn run_internal(&mut self, sql: &Arc<str>, types: &[SqlType], values: Vec<Datum>) -> Result<u64> {
        let mut rows = self.open_internal(sql, types, values).await.map_err(|mut error| {
            let outer = error.fields_mut().context.take().map_or_else(String::new, |context| format!("{context}\n"));
            error.fields_mut().position = None;
            error.context(format!("{outer}SQL statement \"{sql}\""))
        })?;
        while self.next_batch(&mut rows)?.is_some() {}
        Ok(rows.sent)
    }

    async fn open_internal(&mut self, sql: &Arc<str>, types: &[SqlType], values: Vec<Datum>) -> Result<super::Rows> {
        let names = environment::names(self)?;
        let hints: Vec<Option<SqlType>> = types.iter().copied().map(Some).collect();
        let key = PlanKey {
            text: sql.clone(),
            search_path: names.search_path.as_slice().into(),
            parameter_hints: types.iter().map(|ty| ty.oid).collect(),
        };
        let planned = match self.database.plans.get(&key, names.catalog.version()) {
            Some(planned) => planned,
            None => {
                let statement = binder::parse::parse(sql)?.pop().ok_or_else(|| Error::internal("an empty internal statement"))?;
                self.plan(&statement.node, Some(key.text), &hints)?
            }
        };
        let outer = std::mem::replace(&mut self.is_internal, true);
        let outcome = Box::pin(self.run_planned(&planned, values.into())).await;
        self.is_internal = outer;
        match outcome? {
            Outcome::Rows(rows) => Ok(rows),
            _ => Ok(super::Rows::buffered(planned.columns.clone(), Vec::new(), super::outcome::Tag::Counted("SELECT"))),
        }
    }
}
