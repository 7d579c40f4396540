//! Statements that have no plan: settings, transactions, definitions, COPY, EXPLAIN and the rest.

use std::sync::Arc;

use catalog::{AclTarget, Object, Privileges, RelationKind};
use pg_query::{
    NodeEnum,
    protobuf::{DefElem, Node, VariableSetKind, VariableSetStmt, a_const::Val},
};
use plan::OutputColumn;
use txn::LockMode;
use types::{Datum, Error, Result, SqlState, SqlType};

use super::{Outcome, Rows, Session, outcome::Tag, statement::Parameters, transaction_control::read_modes};
use crate::{access::Authority, settings::Settings};

impl Session {
    /// Runs a statement that has no plan of its own.
    pub(crate) async fn execute_utility(&mut self, node: &Node, sql: &str, arguments: &Parameters) -> Result<Outcome> {
        let node_enum = node.node.as_ref().ok_or_else(|| Error::internal("an empty parse tree"))?;
        if takes_snapshot(node_enum) {
            self.open_transaction()?.has_run_query = true;
        }
        match node_enum {
            NodeEnum::TransactionStmt(statement) => self.execute_transaction_control(statement).await,
            NodeEnum::VariableSetStmt(statement) => self.execute_set(statement),
            NodeEnum::VariableShowStmt(statement) => self.execute_show(&statement.name),
            NodeEnum::PrepareStmt(statement) => self.execute_prepare(statement, sql),
            NodeEnum::ExecuteStmt(statement) => Box::pin(self.execute_execute(statement)).await,
            NodeEnum::DeallocateStmt(statement) => self.execute_deallocate(&statement.name),
            NodeEnum::DiscardStmt(statement) => self.execute_discard(statement),
            NodeEnum::ExplainStmt(statement) => crate::explain::execute(self, statement, arguments).await,
            NodeEnum::DeclareCursorStmt(statement) => self.execute_declare(statement, arguments).await,
            NodeEnum::FetchStmt(statement) => self.execute_fetch(statement).await,
            NodeEnum::ClosePortalStmt(statement) => self.execute_close(&statement.portalname),
            NodeEnum::CopyStmt(statement) => self.execute_copy(statement, sql).await,
            NodeEnum::VacuumStmt(statement) => self.execute_vacuum(statement),
            NodeEnum::CheckPointStmt(_) => Ok(command("CHECKPOINT")),
            NodeEnum::ListenStmt(statement) => self.execute_listen(statement),
            NodeEnum::UnlistenStmt(statement) => self.execute_unlisten(statement),
            NodeEnum::NotifyStmt(statement) => self.execute_notify(statement),
            NodeEnum::LockStmt(statement) => self.execute_lock(statement).await,
            NodeEnum::ConstraintsSetStmt(statement) => {
                self.require_block_or_warn("SET CONSTRAINTS");
                self.set_constraints(statement).await
            }
            _ => self.execute_definition(node_enum, arguments).await,
        }
    }

    fn require_block_or_warn(&self, statement: &str) {
        if let Err(error) = self.require_block(statement) {
            self.warn(error.sqlstate(), error.message());
        }
    }

    /// The columns a utility statement returns, or None.
    pub(crate) fn utility_columns(&mut self, node: &Node) -> Result<Option<Arc<[OutputColumn]>>> {
        Ok(match &node.node {
            Some(NodeEnum::VariableShowStmt(statement)) => Some(show_columns(&statement.name)),
            Some(NodeEnum::ExplainStmt(_)) => Some(columns(&[("QUERY PLAN", SqlType::TEXT)])),
            Some(NodeEnum::ExecuteStmt(statement)) => self.prepared_statement(&statement.name)?.columns.clone(),
            Some(NodeEnum::FetchStmt(statement)) if !statement.ismove => {
                let of_portal = || self.portal(&statement.portalname).ok()?.statement.columns.clone();
                self.cursor_columns(&statement.portalname).or_else(of_portal)
            }
            _ => None,
        })
    }

    fn execute_set(&mut self, statement: &VariableSetStmt) -> Result<Outcome> {
        match statement.kind() {
            VariableSetKind::VarSetMulti => return self.execute_set_multi(statement),
            VariableSetKind::VarReset => {
                if matches!(&*statement.name, "transaction_isolation" | "transaction_read_only" | "transaction_deferrable") {
                    self.require_block_or_warn("RESET TRANSACTION");
                }
                self.set_variable(&statement.name, None, false)?;
                return Ok(command("RESET"));
            }
            VariableSetKind::VarResetAll => {
                self.open_transaction()?;
                self.shared.settings.lock().reset_all();
                self.shared.sync_identity();
                return Ok(command("RESET"));
            }
            _ => {}
        }
        if statement.is_local {
            self.require_block_or_warn("SET LOCAL");
        }
        let name = statement.name.as_str();
        let value = match statement.kind() {
            VariableSetKind::VarSetDefault => None,
            VariableSetKind::VarSetCurrent => Some(self.shared.settings.lock().get(name)?.to_owned()),
            _ => Some(setting_text(name, &statement.args)?),
        };
        self.set_variable(name, value.as_deref(), statement.is_local)?;
        Ok(command("SET"))
    }

    /// SET name TO value, with the names that mean more than a value to keep.
    pub(crate) fn set_variable(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<()> {
        self.open_transaction()?;
        let key = name.to_ascii_lowercase();
        if let ("transaction_isolation" | "transaction_read_only" | "transaction_deferrable", Some(value)) = (key.as_str(), value)
        {
            return self.set_transaction_variable(&key, value);
        }
        self.shared.check_setting(name, value)?;
        let mut settings = self.shared.settings.lock();
        match value {
            Some(value) => settings.set(name, value, local)?,
            None => settings.reset(name)?,
        }
        if key == "session_authorization" {
            settings.set("role", "none", local)?;
        }
        let format = settings.format().clone();
        drop(settings);
        if let Some(open) = &mut self.transaction {
            let mut format = types::FormatSettings::clone(&format);
            format.now = open.started;
            open.format = Arc::new(format);
        }
        self.shared.sync_identity();
        Ok(())
    }

    fn set_transaction_variable(&mut self, key: &str, value: &str) -> Result<()> {
        let invalid = || {
            Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"{key}\": \"{value}\""))
                .hint("Available values: serializable, repeatable read, read committed, read uncommitted.")
        };
        let mut modes = super::transaction_control::Modes::default();
        match key {
            "transaction_isolation" => {
                modes.isolation = Some(super::transaction_control::isolation_named(value).ok_or_else(invalid)?)
            }
            _ => {
                let flag = crate::settings::parse_bool(value).ok_or_else(|| {
                    Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("parameter \"{key}\" requires a Boolean value"))
                })?;
                let place = if key == "transaction_read_only" { &mut modes.read_only } else { &mut modes.deferrable };
                *place = Some(flag);
            }
        }
        self.change_modes(modes)
    }

    fn execute_set_multi(&mut self, statement: &VariableSetStmt) -> Result<Outcome> {
        match statement.name.as_str() {
            "TRANSACTION" => self.set_transaction(read_modes(&statement.args)?)?,
            "SESSION CHARACTERISTICS" => {
                let modes = read_modes(&statement.args)?;
                if let Some(isolation) = modes.isolation {
                    let name = super::transaction_control::isolation_name(isolation);
                    self.set_variable("default_transaction_isolation", Some(name), false)?;
                }
                let word = |flag| Some(if flag { "on" } else { "off" });
                if let Some(read_only) = modes.read_only {
                    self.set_variable("default_transaction_read_only", word(read_only), false)?;
                }
                if let Some(deferrable) = modes.deferrable {
                    self.set_variable("default_transaction_deferrable", word(deferrable), false)?;
                }
            }
            other => return Err(Error::unsupported(format!("SET {other}"))),
        }
        Ok(command("SET"))
    }

    fn execute_show(&mut self, name: &str) -> Result<Outcome> {
        if name.eq_ignore_ascii_case("all") {
            let settings = self.shared.settings.lock().all();
            let rows: Vec<Vec<Datum>> =
                settings.iter().map(|(fact, value)| vec![Datum::text(fact.name), Datum::text(value), Datum::text("")]).collect();
            return Ok(Outcome::Rows(Rows::of_datums(show_columns(name), &rows, Tag::Fixed("SHOW".into()))));
        }
        let value = self.shared.settings.lock().show(name)?;
        Ok(Outcome::Rows(Rows::of_datums(show_columns(name), &[vec![Datum::text(&value)]], Tag::Fixed("SHOW".into()))))
    }

    fn execute_prepare(&mut self, statement: &pg_query::protobuf::PrepareStmt, sql: &str) -> Result<Outcome> {
        let names = self.names()?;
        let hints = statement
            .argtypes
            .iter()
            .map(|argument| match &argument.node {
                Some(NodeEnum::TypeName(name)) => {
                    let ty = crate::definition_text::resolve_type(name, &names)?;
                    Ok((ty.oid != types::Oid::UNKNOWN).then_some(ty))
                }
                _ => Err(Error::internal("a parameter type that is no type name")),
            })
            .collect::<Result<Vec<_>>>()?;
        let query = statement.query.as_deref().ok_or_else(|| Error::internal("PREPARE without a statement"))?;
        let inner = binder::parse::ParsedStatement { node: query.clone(), location: 0, length: 0 };
        self.prepare_from_sql(&statement.name, inner, sql.into(), &hints)?;
        Ok(command("PREPARE"))
    }

    async fn execute_execute(&mut self, statement: &pg_query::protobuf::ExecuteStmt) -> Result<Outcome> {
        let prepared = self.prepared_statement(&statement.name)?;
        let parameters = self.evaluate_parameters(&statement.name, &statement.params, &prepared.parameters)?;
        self.run_prepared(&prepared, parameters.into()).await
    }

    /// The statement that an EXECUTE names, with its parameters.
    pub(crate) fn executed(&mut self, execute: &pg_query::protobuf::ExecuteStmt) -> Result<(Node, Parameters)> {
        let prepared = self.prepared_statement(&execute.name)?;
        let values = self.evaluate_parameters(&execute.name, &execute.params, &prepared.parameters)?;
        let statement = prepared.statement.as_ref().ok_or_else(|| Error::internal("an empty prepared statement"))?;
        Ok((statement.node.clone(), Parameters { values: values.into(), types: prepared.parameters.to_vec() }))
    }

    /// Values of EXECUTE's parameters, cast to the statement's types.
    pub(crate) fn evaluate_parameters(&mut self, name: &str, given: &[Node], types: &[SqlType]) -> Result<Vec<Datum>> {
        if given.len() != types.len() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("wrong number of parameters for prepared statement \"{name}\""),
            )
            .detail(format!("Expected {} parameters but got {}.", types.len(), given.len())));
        }
        self.begin_statement()?;
        let values = given.iter().zip(types).map(|(node, ty)| self.evaluate_constant(node, *ty)).collect();
        self.end_statement();
        values
    }

    /// The value of an expression without columns, cast to a type as in an assignment.
    pub(crate) fn evaluate_constant(&mut self, node: &Node, ty: SqlType) -> Result<Datum> {
        let names = self.names()?;
        let environment = self.environment(names)?;
        let expression = crate::definition_text::bind_constant(node, ty, &environment)?;
        let context = super::environment::eval_context(self, Arc::from([]))?;
        let vector = expr::Compiled::new(&expression, &[])?.evaluate(&expr::Batch::unit(), &context)?;
        Ok(vector.datum(0))
    }

    fn execute_deallocate(&mut self, name: &str) -> Result<Outcome> {
        if name.is_empty() {
            self.prepared.clear();
            self.list_prepared();
            return Ok(command("DEALLOCATE ALL"));
        }
        self.prepared_statement(name)?;
        self.close_statement(name);
        Ok(command("DEALLOCATE"))
    }

    fn execute_discard(&mut self, statement: &pg_query::protobuf::DiscardStmt) -> Result<Outcome> {
        use pg_query::protobuf::DiscardMode;
        Ok(match statement.target() {
            DiscardMode::DiscardAll => {
                self.refuse_in_block("DISCARD ALL")?;
                self.prepared.clear();
                self.close_all_cursors();
                self.open_transaction()?;
                self.at_commit(crate::notification::ListenAction::UnlistenAll)?;
                self.shared.settings.lock().reset_all();
                self.hooks.forget_sequences();
                self.hooks.release_advisory_locks();
                self.drop_temporary_relations()?;
                command("DISCARD ALL")
            }
            DiscardMode::DiscardPlans => command("DISCARD PLANS"),
            DiscardMode::DiscardSequences => {
                self.hooks.forget_sequences();
                command("DISCARD SEQUENCES")
            }
            _ => {
                self.drop_temporary_relations()?;
                command("DISCARD TEMP")
            }
        })
    }

    /// VACUUM and ANALYZE have no garbage to collect and nothing to sample: statistics are exact and always current. Names are checked.
    fn execute_vacuum(&mut self, statement: &pg_query::protobuf::VacuumStmt) -> Result<Outcome> {
        let word = if statement.is_vacuumcmd { "VACUUM" } else { "ANALYZE" };
        if statement.is_vacuumcmd {
            self.refuse_in_block(word)?;
        }
        let names = self.names()?;
        for relation in &statement.rels {
            let Some(NodeEnum::VacuumRelation(relation)) = &relation.node else { continue };
            let Some(range) = &relation.relation else { continue };
            let found = crate::ddl::relation_named(&names, range)?;
            let verb = word.to_ascii_lowercase();
            let authority = self.authority()?;
            if !authority.holds(found.owner) && !authority.holds(authority.database_acl(self.database.oid).1) {
                let message = format!("skipping \"{}\" --- only table or database owner can {verb} it", found.name);
                self.warn(SqlState::WARNING, &message);
                continue;
            }
            for column in &relation.va_cols {
                let Some(NodeEnum::String(column)) = &column.node else { continue };
                if found.attribute(&column.sval).is_none() {
                    return Err(Error::new(
                        SqlState::UNDEFINED_COLUMN,
                        format!("column \"{}\" of relation \"{}\" does not exist", column.sval, found.name),
                    ));
                }
            }
        }
        Ok(command(word))
    }

    async fn execute_lock(&mut self, statement: &pg_query::protobuf::LockStmt) -> Result<Outcome> {
        self.require_block("LOCK TABLE")?;
        let names = self.names()?;
        let mode = lock_mode(statement.mode)?;
        for relation in &statement.relations {
            let Some(NodeEnum::RangeVar(range)) = &relation.node else { continue };
            let (oid, found) = lockable_relation(&names, range)?;
            if let Some(found) = &found {
                let authority = self.authority()?;
                check_lock(found, mode, &authority)?;
            }
            self.lock_relation(oid, mode, statement.nowait).await?;
            if let Some(found) = &found {
                self.lock_below_view(found, mode, statement.nowait).await?;
            }
        }
        Ok(command("LOCK TABLE"))
    }

    /// Locks what a view reads, and what the views among that read, each as its view's owner (LockViewRecurse).
    async fn lock_below_view(&mut self, view: &Arc<catalog::Relation>, mode: LockMode, no_wait: bool) -> Result<()> {
        if !matches!(view.kind, RelationKind::View { .. }) {
            return Ok(());
        }
        let names = self.names()?;
        let dependencies = catalog::dependencies::dependencies(&names.catalog);
        let (mut views, mut locked) = (vec![view.clone()], vec![view.oid]);
        while let Some(view) = views.pop() {
            if !matches!(view.kind, RelationKind::View { .. }) {
                continue;
            }
            let below = dependencies.iter().filter(|dependency| dependency.dependent == Object::Relation(view.oid));
            for dependency in below {
                let (Object::Relation(oid) | Object::Column(oid, _)) = dependency.on else { continue };
                let Some(relation) = names.catalog.relation(oid).filter(|_| !locked.contains(&oid)) else { continue };
                check_lock(relation, mode, &self.authority()?.of(view.owner))?;
                self.lock_relation(oid, mode, no_wait).await?;
                locked.push(oid);
                views.push(relation.clone());
            }
        }
        Ok(())
    }
}

/// What LOCK TABLE needs: SELECT for the weakest mode, INSERT for the next two, else a right to change rows.
fn check_lock(relation: &catalog::Relation, mode: LockMode, authority: &Authority) -> Result<()> {
    let writes = Privileges::UPDATE.or(Privileges::DELETE).or(Privileges::TRUNCATE);
    let any_of = match mode {
        LockMode::AccessShare => writes.or(Privileges::SELECT),
        LockMode::RowShare | LockMode::RowExclusive => writes.or(Privileges::INSERT),
        _ => writes,
    };
    match authority.privileges(AclTarget::Relation(relation.oid)).has_any(any_of) {
        true => Ok(()),
        false => Err(authority.denied_relation(relation.oid)),
    }
}

/// The relation that LOCK TABLE names.
///
/// Errors: 42P01; 42809 for what is neither a table nor a view.
fn lockable_relation(
    names: &catalog::type_names::Names,
    range: &pg_query::protobuf::RangeVar,
) -> Result<(types::Oid, Option<Arc<catalog::Relation>>)> {
    use catalog::type_names::NamedRelation;
    let schema = (!range.schemaname.is_empty()).then_some(range.schemaname.as_str());
    let relation = match names.relation_by_name(schema, &range.relname) {
        Some(NamedRelation::System(relation)) => return Ok((relation.oid, None)),
        Some(NamedRelation::User(relation)) => relation,
        None => {
            let name = crate::ddl::written_name(range);
            return Err(Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist")));
        }
    };
    let kind = match relation.kind {
        RelationKind::Index(_) => "indexes",
        RelationKind::Sequence(_) => "sequences",
        RelationKind::Composite => "composite types",
        RelationKind::MaterializedView { .. } => "materialized views",
        _ => return Ok((relation.oid, Some(relation))),
    };
    Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("cannot lock relation \"{}\"", relation.name))
        .detail(format!("This operation is not supported for {kind}.")))
}

/// Whether a statement fixes its transaction's characteristics: all do but those that PostgreSQL runs without a snapshot.
fn takes_snapshot(node: &NodeEnum) -> bool {
    !matches!(
        node,
        NodeEnum::TransactionStmt(_)
            | NodeEnum::LockStmt(_)
            | NodeEnum::VariableSetStmt(_)
            | NodeEnum::VariableShowStmt(_)
            | NodeEnum::ConstraintsSetStmt(_)
            | NodeEnum::FetchStmt(_)
            | NodeEnum::ListenStmt(_)
            | NodeEnum::NotifyStmt(_)
            | NodeEnum::UnlistenStmt(_)
            | NodeEnum::CheckPointStmt(_)
            | NodeEnum::PrepareStmt(_)
            | NodeEnum::DeallocateStmt(_)
            | NodeEnum::DiscardStmt(_)
    )
}

/// PostgreSQL's lock mode numbers, 1 (ACCESS SHARE) to 8 (ACCESS EXCLUSIVE).
fn lock_mode(number: i32) -> Result<LockMode> {
    Ok(match number {
        1 => LockMode::AccessShare,
        2 => LockMode::RowShare,
        3 => LockMode::RowExclusive,
        4 => LockMode::ShareUpdateExclusive,
        5 => LockMode::ShareTable,
        6 => LockMode::ShareRowExclusive,
        7 => LockMode::Exclusive,
        8 => LockMode::AccessExclusive,
        other => return Err(Error::internal(format!("lock mode {other}"))),
    })
}

pub(crate) fn command(tag: &str) -> Outcome {
    Outcome::Command(tag.to_owned())
}

/// Output columns that come from no plan.
pub(crate) fn columns(named: &[(&str, SqlType)]) -> Arc<[OutputColumn]> {
    named.iter().map(|(name, ty)| OutputColumn { id: expr::ColumnId(0), name: (*name).into(), ty: *ty, origin: None }).collect()
}

fn show_columns(name: &str) -> Arc<[OutputColumn]> {
    if name.eq_ignore_ascii_case("all") {
        return columns(&[("name", SqlType::TEXT), ("setting", SqlType::TEXT), ("description", SqlType::TEXT)]);
    }
    columns(&[(Settings::canonical_name(name).unwrap_or(name), SqlType::TEXT)])
}

/// The text of SET's arguments: lists are joined as PostgreSQL joins them.
pub(crate) fn setting_text(name: &str, arguments: &[Node]) -> Result<String> {
    let quote = matches!(name, "search_path" | "temp_tablespaces" | "session_preload_libraries");
    let mut texts = Vec::new();
    for argument in arguments {
        let text = match &argument.node {
            Some(NodeEnum::AConst(constant)) => constant_text(constant.val.as_ref())?,
            // SET TIME ZONE INTERVAL '...' HOUR TO MINUTE
            Some(NodeEnum::TypeCast(cast)) => match cast.arg.as_deref().and_then(|argument| argument.node.as_ref()) {
                Some(NodeEnum::AConst(constant)) => interval_zone_text(&constant_text(constant.val.as_ref())?)?,
                _ => return Err(Error::internal("a setting that is no constant")),
            },
            _ => return Err(Error::internal("a setting that is no constant")),
        };
        texts.push(if quote { catalog::type_names::quote_identifier(&text).into_owned() } else { text });
    }
    Ok(texts.join(", "))
}

/// The hours of an interval given as a time zone.
fn interval_zone_text(text: &str) -> Result<String> {
    let interval = types::Interval::parse(text, &types::FormatSettings::default())?;
    if interval.months != 0 || interval.days != 0 {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "cannot specify months in time zone interval"));
    }
    Ok((interval.microseconds as f64 / 3_600_000_000.0).to_string())
}

pub(crate) fn constant_text(value: Option<&Val>) -> Result<String> {
    Ok(match value {
        Some(Val::Ival(number)) => number.ival.to_string(),
        Some(Val::Fval(number)) => number.fval.clone(),
        Some(Val::Boolval(flag)) => (if flag.boolval { "true" } else { "false" }).to_owned(),
        Some(Val::Sval(text)) => text.sval.clone(),
        Some(Val::Bsval(text)) => text.bsval.clone(),
        None => return Err(Error::internal("a NULL setting")),
    })
}

/// The value of a Boolean option such as `(ANALYZE)`, `(COSTS off)`, `HEADER true`.
pub(crate) fn option_flag(option: &DefElem) -> Result<bool> {
    let Some(argument) = option.arg.as_deref() else { return Ok(true) };
    let text = option_text(argument).unwrap_or_default();
    crate::settings::parse_bool(&text)
        .ok_or_else(|| Error::new(SqlState::SYNTAX_ERROR, format!("{} requires a Boolean value", option.defname)))
}

/// The text of an option's argument, however it was written.
pub(crate) fn option_text(argument: &Node) -> Option<String> {
    match &argument.node {
        Some(NodeEnum::String(text)) => Some(text.sval.clone()),
        Some(NodeEnum::Integer(number)) => Some(number.ival.to_string()),
        Some(NodeEnum::Float(number)) => Some(number.fval.clone()),
        Some(NodeEnum::Boolean(flag)) => Some(flag.boolval.to_string()),
        Some(NodeEnum::AConst(constant)) => constant_text(constant.val.as_ref()).ok(),
        Some(NodeEnum::TypeName(name)) => match name.names.last().and_then(|name| name.node.as_ref()) {
            Some(NodeEnum::String(text)) => Some(text.sval.clone()),
            _ => None,
        },
        _ => None,
    }
}
