//! CREATE TABLE AS, SELECT INTO, CREATE MATERIALIZED VIEW and REFRESH.

use std::sync::Arc;

use catalog::{Attribute, Persistence, Relation, RelationKind, StoredQuery};
use executor::batch_size;
use pg_query::{
    NodeEnum,
    protobuf::{CreateTableAsStmt, IntoClause, Node, ObjectType, RefreshMatViewStmt, SelectStmt},
};
use plan::OutputColumn;
use storage::{Batch, Column, TableData};
use txn::{LockMode, Staged, StatementWrites, TableWrites};
use types::{Datum, Error, Oid, Result, SqlState};

use super::{register_row_type, strings};
use crate::session::{
    Outcome, Session,
    on_commit::written_action,
    query::Planned,
    statement::{Parameters, without_into},
    utility::command,
};

impl Session {
    pub(crate) async fn create_table_as(&mut self, statement: &CreateTableAsStmt, arguments: &Parameters) -> Result<Outcome> {
        let into = statement.into.as_deref().ok_or_else(|| Error::internal("CREATE TABLE AS without a name"))?;
        let query = statement.query.as_deref().ok_or_else(|| Error::internal("CREATE TABLE AS without a query"))?;
        let is_view = ObjectType::try_from(statement.objtype) == Ok(ObjectType::ObjectMatview);
        if is_view && !arguments.values.is_empty() {
            let message = "materialized views may not be defined using bound parameters";
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        self.create_from_query(into, query, arguments, statement.if_not_exists, is_view).await
    }

    /// SELECT ... INTO table
    pub(crate) async fn select_into(&mut self, statement: &SelectStmt, arguments: &Parameters) -> Result<Outcome> {
        let into = statement.into_clause.as_deref().ok_or_else(|| Error::internal("SELECT INTO without a table"))?;
        self.create_from_query(into, &without_into(statement), arguments, false, false).await
    }

    async fn create_from_query(
        &mut self,
        into: &IntoClause,
        query: &Node,
        arguments: &Parameters,
        if_not_exists: bool,
        is_view: bool,
    ) -> Result<Outcome> {
        let tag = if is_view { "CREATE MATERIALIZED VIEW" } else { "CREATE TABLE AS" };
        let range = into.rel.as_ref().ok_or_else(|| Error::internal("CREATE TABLE AS without a name"))?;
        let on_commit = written_action(into.on_commit, range)?;
        let (schema, persistence) = self.creation_schema(range).await?;
        let names = self.names()?;
        if self.skip_existing(&names, schema, &range.relname, if_not_exists)? {
            return Ok(command(tag));
        }
        let (node, arguments) = match &query.node {
            Some(NodeEnum::ExecuteStmt(execute)) => self.executed(execute)?,
            _ => (query.clone(), arguments.clone()),
        };
        if !matches!(node.node, Some(NodeEnum::SelectStmt(_))) {
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, "prepared statement is not a SELECT"));
        }
        let planned = self.plan(&node, None, &arguments.hints())?;
        let attributes = attributes_of(&planned.columns, &strings(&into.col_names))?;
        let text = if is_view {
            let environment = self.environment(names.clone())?;
            Some(Arc::new(binder::store_query(&node, &environment)?))
        } else {
            None
        };
        let populated = !into.skip_data;
        let rows = if populated { self.collect_rows(&planned, arguments.values).await? } else { Batch::default() };
        let count = rows.len;
        let relation = self.put_new_table(range, schema, persistence, attributes, text, populated)?;
        self.remember_on_commit(relation.oid, on_commit);
        if count > 0 {
            self.insert_all(&relation, rows).await?;
        }
        Ok(if populated { command(&format!("SELECT {count}")) } else { command(tag) })
    }

    /// All rows of a query, by column.
    ///
    /// Errors: 53200.
    async fn collect_rows(&mut self, planned: &Arc<Planned>, values: Arc<[Datum]>) -> Result<Batch> {
        const LARGE: usize = 1024 * 1024;
        let Outcome::Rows(mut rows) = self.run_planned(planned, values).await? else { return Ok(Batch::default()) };
        let (mut len, mut held, mut checked) = (0, 0, LARGE);
        let mut columns: Vec<Column> = planned.columns.iter().map(|column| Column::new(column.ty.physical)).collect();
        while let Some(batch) = self.next_batch(&mut rows)? {
            // Collected, put together and stored.
            let bytes = batch_size(&batch);
            self.grow_transaction(2 * bytes)?;
            held += bytes;
            if held > checked + checked / 4 {
                // The columns leap to twice their size as they grow, and are there twice while they move.
                self.shared().memory.check(held)?;
                checked = held;
            }
            columns.iter_mut().zip(&batch.columns).for_each(|(column, more)| column.append(more));
            len += batch.len;
        }
        Ok(Batch::new(columns.into_iter().map(Arc::new).collect(), len))
    }

    fn put_new_table(
        &mut self,
        range: &pg_query::protobuf::RangeVar,
        schema: Oid,
        persistence: Persistence,
        attributes: Vec<Attribute>,
        view_query: Option<Arc<StoredQuery>>,
        populated: bool,
    ) -> Result<Arc<Relation>> {
        let owner = self.current_role().oid;
        self.open_transaction()?.txn.change_schema(|change| {
            let oid = change.catalog.allocate_oid();
            let (row_type, row_array_type) = register_row_type(change.catalog, oid, schema, &range.relname, owner);
            let storage = change.allocate_table();
            let physical: Vec<_> = attributes.iter().map(|attribute| attribute.ty.physical).collect();
            let kind = match view_query {
                Some(query) => RelationKind::MaterializedView { query, storage, populated },
                None => RelationKind::Table { storage },
            };
            let relation = Relation {
                oid,
                schema,
                name: range.relname.as_str().into(),
                owner,
                persistence,
                kind,
                attributes,
                constraints: Vec::new(),
                indexes: Vec::new(),
                row_type,
                row_array_type,
                options: Vec::new(),
                comment: None,
                owned_by: None,
            };
            change.catalog.put_relation(relation.clone());
            change.put_table(storage, TableData::new(&physical));
            Ok(Arc::new(relation))
        })
    }

    /// Inserts rows into a table that nobody else can see or that is locked.
    pub(crate) async fn insert_all(&mut self, relation: &Relation, rows: Batch) -> Result<()> {
        let table = relation.storage().ok_or_else(|| Error::internal("rows for a relation without rows"))?;
        let writes = StatementWrites {
            tables: vec![TableWrites {
                table,
                relation: relation.oid,
                relation_name: relation.name.clone(),
                inserts: vec![rows],
                updates: Vec::new(),
                deletes: Vec::new(),
            }],
            locks: Vec::new(),
        };
        loop {
            self.begin_statement()?;
            self.end_statement();
            match self.open_transaction()?.txn.stage(&writes) {
                Staged::Done => {
                    let memory = self.reservation();
                    return self.take_staged(&writes, memory);
                }
                Staged::Wait(wait) => self.wait_for_lock(wait).await?,
                Staged::Stale => self.shared.cancellation.check()?,
                Staged::Failed(error) => return Err(error),
            }
        }
    }

    pub(crate) async fn refresh_materialized_view(&mut self, statement: &RefreshMatViewStmt) -> Result<Outcome> {
        let range = statement.relation.as_ref().ok_or_else(|| Error::internal("REFRESH without a name"))?;
        let relation = self.locked_relation(range, LockMode::AccessExclusive).await?;
        let RelationKind::MaterializedView { query, storage, .. } = &relation.kind else {
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a materialized view", relation.name)));
        };
        let populated = !statement.skip_data;
        let rows = if populated {
            let planned = self.plan_stored(query)?;
            self.collect_rows(&planned, Arc::from([])).await?
        } else {
            Batch::default()
        };
        let shapes = self.index_shapes_of(&relation)?;
        let (query, old) = (query.clone(), *storage);
        let refreshed = self.open_transaction()?.txn.change_schema(|change| {
            let fresh = change.allocate_table();
            let physical: Vec<_> = relation.attributes.iter().map(|attribute| attribute.ty.physical).collect();
            let mut data = TableData::new(&physical);
            for shape in shapes {
                data.indexes.push((shape, storage::IndexTree::default()));
            }
            let mut altered = Relation::clone(&relation);
            altered.kind = RelationKind::MaterializedView { query, storage: fresh, populated };
            change.catalog.put_relation(altered.clone());
            change.remove_table(old);
            change.put_table(fresh, data);
            Ok(altered)
        })?;
        if rows.len > 0 {
            self.insert_all(&refreshed, rows).await?;
        }
        Ok(command("REFRESH MATERIALIZED VIEW"))
    }
}

/// The attributes of a table made from a query's columns, renamed by the statement's list.
pub(crate) fn attributes_of(columns: &[OutputColumn], names: &[String]) -> Result<Vec<Attribute>> {
    if names.len() > columns.len() {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "too many column names were specified"));
    }
    let mut attributes: Vec<Attribute> = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let name: Arc<str> = names.get(at).map_or_else(|| column.name.clone(), |name| name.as_str().into());
        if attributes.iter().any(|existing| existing.name == name) {
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once")));
        }
        // PostgreSQL makes untyped literals text.
        let ty = if column.ty.oid == Oid::UNKNOWN { types::SqlType::TEXT } else { column.ty };
        if ty.oid == Oid::VOID || ty.oid == Oid::RECORD {
            let kind = if ty.oid == Oid::VOID { "void" } else { "record" };
            return Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, format!("column \"{name}\" has pseudo-type {kind}")));
        }
        attributes.push(Attribute {
            name,
            ty,
            not_null: false,
            dropped: false,
            default: None,
            identity: None,
            generated: None,
            collation: if ty.is_string() { Oid::DEFAULT_COLLATION } else { Oid::INVALID },
            comment: None,
            storage: None,
            is_local: true,
        });
    }
    Ok(attributes)
}
