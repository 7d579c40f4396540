//! ALTER TABLE (and ALTER INDEX, ALTER VIEW, ALTER SEQUENCE in the same form): one subcommand after another, all or none.

use crate::offload::run_offloaded;
use std::sync::Arc;

use catalog::{ConstraintKind, Object, Persistence, Relation, RelationKind};
use pg_query::{
    NodeEnum,
    protobuf::{AlterTableCmd, AlterTableStmt, AlterTableType, ConstrType, DropBehavior, ObjectType},
};
use txn::LockMode;
use types::{Error, Result, SqlState};

use super::{
    create_table::{add_check, add_key},
    find_relation,
    written_constraint::table_constraint,
    written_name,
};
use crate::session::{Outcome, Session, environment, utility::command};

impl Session {
    pub(crate) async fn alter_table(&mut self, statement: &AlterTableStmt) -> Result<Outcome> {
        let kind = ObjectType::try_from(statement.objtype).unwrap_or(ObjectType::Undefined);
        let tag = match kind {
            ObjectType::ObjectIndex => "ALTER INDEX",
            ObjectType::ObjectView => "ALTER VIEW",
            ObjectType::ObjectMatview => "ALTER MATERIALIZED VIEW",
            ObjectType::ObjectSequence => "ALTER SEQUENCE",
            ObjectType::ObjectType => "ALTER TYPE",
            _ => "ALTER TABLE",
        };
        let range = statement.relation.as_ref().ok_or_else(|| Error::internal("ALTER TABLE without a name"))?;
        if statement.missing_ok && find_relation(&*self.names()?, range)?.is_none() {
            self.notice(format!("relation \"{}\" does not exist, skipping", written_name(range)));
            return Ok(command(tag));
        }
        let relation = self.locked_relation(range, lock_mode(statement)).await?;
        refuse_wrong_kind(&relation, kind)?;
        for node in &statement.cmds {
            if let Some(NodeEnum::AlterTableCmd(subcommand)) = &node.node {
                // Each subcommand sees what the ones before it did.
                let current = self.names()?.catalog.relation(relation.oid).cloned().unwrap_or_else(|| relation.clone());
                match current.kind {
                    RelationKind::Composite => self.alter_attribute_of(&current, subcommand)?,
                    _ => self.alter(&current, subcommand).await?,
                }
            }
        }
        Ok(command(tag))
    }

    async fn alter(&mut self, relation: &Arc<Relation>, subcommand: &AlterTableCmd) -> Result<()> {
        use AlterTableType as A;
        let cascade = DropBehavior::try_from(subcommand.behavior) == Ok(DropBehavior::DropCascade);
        let kind = A::try_from(subcommand.subtype).unwrap_or(A::Undefined);
        match kind {
            A::AtAddColumn => self.add_column(relation, subcommand).await,
            A::AtDropColumn => self.drop_column(relation, &subcommand.name, subcommand.missing_ok, cascade),
            A::AtColumnDefault => self.set_default(relation, subcommand),
            A::AtDropNotNull => self.set_not_null(relation, &subcommand.name, false),
            A::AtSetNotNull => self.set_not_null(relation, &subcommand.name, true),
            A::AtAlterColumnType => {
                self.alter_column_type(relation, subcommand)?;
                let position = super::alter_table_column::live_position(relation, &subcommand.name)?;
                self.recheck_foreign_keys(relation.oid, position).await
            }
            A::AtDropExpression => self.drop_expression(relation, &subcommand.name, subcommand.missing_ok),
            A::AtAddIdentity => self.add_identity(relation, subcommand),
            A::AtDropIdentity => self.drop_identity(relation, &subcommand.name, subcommand.missing_ok),
            A::AtAddConstraint => self.add_constraint(relation, subcommand).await,
            A::AtDropConstraint => self.drop_constraint(relation, &subcommand.name, subcommand.missing_ok, cascade),
            A::AtValidateConstraint => self.validate_constraint(relation, &subcommand.name).await,
            A::AtAlterConstraint => self.alter_constraint(relation, subcommand),
            A::AtSetRelOptions | A::AtResetRelOptions => self.set_options(relation, subcommand, kind == A::AtSetRelOptions),
            A::AtSetLogged | A::AtSetUnLogged => {
                let persistence = if kind == A::AtSetLogged { Persistence::Permanent } else { Persistence::Unlogged };
                self.put_altered(relation, |altered| altered.persistence = persistence)
            }
            A::AtChangeOwner => self.set_owner_of(relation, subcommand.newowner.as_ref()),
            A::AtSetStorage => self.set_column_storage(relation, subcommand),
            // Statistics are exact, so a sampling target has nothing to steer; the column must exist.
            A::AtSetStatistics => super::alter_table_column::live_position(relation, &subcommand.name).map(|_| ()),
            other => Err(Error::unsupported(format!("ALTER TABLE subcommand {}", subcommand_name(other)))),
        }
    }

    async fn add_constraint(&mut self, relation: &Arc<Relation>, subcommand: &AlterTableCmd) -> Result<()> {
        let Some(NodeEnum::Constraint(node)) = subcommand.def.as_deref().and_then(|node| node.node.as_ref()) else {
            return Err(Error::internal("ADD CONSTRAINT without one"));
        };
        let names = self.names()?;
        let environment = self.environment(names.clone())?;
        let context = environment::eval_context(self, Arc::from([]))?;
        let new = table_constraint(node)?;
        match node.contype() {
            ConstrType::ConstrPrimary | ConstrType::ConstrUnique => {
                let storage = relation.storage().ok_or_else(|| not_a_table(relation))?;
                if !node.indexname.is_empty() && !node.conname.is_empty() && node.indexname != node.conname {
                    let (index, name) = (&node.indexname, &node.conname);
                    self.notice(format!("ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index \"{index}\" to \"{name}\""));
                }
                let txn = self.open_transaction()?.txn.clone();
                run_offloaded(&*self.offload, true, || {
                    txn.change_schema(|change| {
                        let mut altered = Relation::clone(relation);
                        let mut data = change.table(storage)?;
                        add_key(change, &mut altered, &mut data, &new, &environment, &context)?;
                        change.catalog.put_relation(altered);
                        change.put_table(storage, data);
                        Ok(())
                    })
                })
            }
            ConstrType::ConstrCheck => {
                let altered = self.open_transaction()?.txn.change_schema(|change| {
                    let mut altered = Relation::clone(relation);
                    add_check(change.catalog, &mut altered, &new, &environment)?;
                    change.catalog.put_relation(altered.clone());
                    Ok(altered)
                })?;
                match altered.constraints.last() {
                    Some(constraint) if constraint.validated => self.check_rows(&altered, constraint),
                    _ => Ok(()),
                }
            }
            ConstrType::ConstrForeign => self.add_foreign_key(relation.oid, &new, false).await,
            _ => Err(Error::unsupported("this kind of constraint")),
        }
    }

    /// 23514 when an existing row violates a CHECK constraint.
    fn check_rows(&mut self, relation: &Relation, constraint: &catalog::Constraint) -> Result<()> {
        let ConstraintKind::Check { expression, .. } = &constraint.kind else { return Ok(()) };
        let Some(violation) = self.first_row_where_false(relation, expression)? else { return Ok(()) };
        debug_assert!(!violation.is_empty() || relation.attributes.is_empty());
        Err(Error::new(
            SqlState::CHECK_VIOLATION,
            format!("check constraint \"{}\" of relation \"{}\" is violated by some row", constraint.name, relation.name),
        )
        .of_constraint(constraint.name.to_string()))
    }

    async fn validate_constraint(&mut self, relation: &Arc<Relation>, name: &str) -> Result<()> {
        let at = constraint_position(relation, name)?;
        let constraint = &relation.constraints[at];
        if !constraint.validated {
            self.check_rows(relation, constraint)?;
            self.check_existing_references(relation.oid, constraint.oid).await?;
            self.put_altered(relation, |altered| altered.constraints[at].validated = true)?;
        }
        Ok(())
    }

    /// ALTER CONSTRAINT ... [NOT] DEFERRABLE, for foreign keys only.
    fn alter_constraint(&mut self, relation: &Arc<Relation>, subcommand: &AlterTableCmd) -> Result<()> {
        let Some(NodeEnum::AtalterConstraint(node)) = subcommand.def.as_deref().and_then(|node| node.node.as_ref()) else {
            return Err(Error::internal("ALTER CONSTRAINT without one"));
        };
        if node.alter_enforceability && !node.is_enforced {
            return Err(Error::unsupported("ALTER CONSTRAINT ... NOT ENFORCED"));
        }
        if node.alter_inheritability {
            return Err(Error::unsupported("ALTER CONSTRAINT ... INHERIT"));
        }
        let at = constraint_position(relation, &node.conname)?;
        if relation.constraints[at].foreign_key().is_none() {
            let message =
                format!("constraint \"{}\" of relation \"{}\" is not a foreign key constraint", node.conname, relation.name);
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
        if !node.alter_deferrability {
            return Ok(());
        }
        self.put_altered(relation, |altered| {
            let constraint = &mut altered.constraints[at];
            (constraint.deferrable, constraint.initially_deferred) = (node.deferrable, node.initdeferred);
        })
    }

    fn drop_constraint(&mut self, relation: &Arc<Relation>, name: &str, missing_ok: bool, cascade: bool) -> Result<()> {
        let at = match constraint_position(relation, name) {
            Ok(at) => at,
            Err(error) if missing_ok => {
                self.notice(format!("{}, skipping", error.message()));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.remove_with_dependents(&[Object::Constraint(relation.oid, relation.constraints[at].oid)], cascade)
    }

    fn set_options(&mut self, relation: &Arc<Relation>, subcommand: &AlterTableCmd, set: bool) -> Result<()> {
        let Some(NodeEnum::List(list)) = subcommand.def.as_deref().and_then(|node| node.node.as_ref()) else {
            return Err(Error::internal("SET without options"));
        };
        let options = super::temporary::storage_options(&list.items)?;
        let key = |option: &str| option.split('=').next().unwrap_or_default().to_owned();
        let mut all = relation.options.clone();
        all.retain(|existing| !options.iter().any(|option| key(option) == key(existing)));
        if set {
            all.extend(options.iter().cloned());
        }
        let check = super::view::check_option_of(&all)?;
        self.put_altered(relation, |altered| {
            altered.options.clone_from(&all);
            if let RelationKind::View { check_option, .. } = &mut altered.kind {
                check_option.clone_from(&check);
            }
        })
    }
}

/// The weakest lock under which all subcommands may run (AlterTableGetLockLevel).
fn lock_mode(statement: &AlterTableStmt) -> LockMode {
    let modes = statement.cmds.iter().map(|node| {
        let Some(NodeEnum::AlterTableCmd(subcommand)) = &node.node else { return LockMode::AccessExclusive };
        let adds_foreign_key = || {
            let definition = subcommand.def.as_deref().and_then(|node| node.node.as_ref());
            matches!(definition, Some(NodeEnum::Constraint(node)) if node.contype() == ConstrType::ConstrForeign)
        };
        match AlterTableType::try_from(subcommand.subtype) {
            Ok(AlterTableType::AtAddConstraint) if adds_foreign_key() => LockMode::ShareRowExclusive,
            Ok(AlterTableType::AtValidateConstraint | AlterTableType::AtSetStatistics) => LockMode::ShareUpdateExclusive,
            _ => LockMode::AccessExclusive,
        }
    });
    modes.max().unwrap_or(LockMode::AccessExclusive)
}

fn refuse_wrong_kind(relation: &Relation, kind: ObjectType) -> Result<()> {
    let is_composite = matches!(relation.kind, RelationKind::Composite);
    if is_composite && kind != ObjectType::ObjectType {
        let message = format!("\"{}\" is a composite type", relation.name);
        return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message).hint("Use ALTER TYPE instead."));
    }
    let suits = match kind {
        ObjectType::ObjectType => is_composite,
        ObjectType::ObjectIndex => matches!(relation.kind, RelationKind::Index(_)),
        ObjectType::ObjectView => matches!(relation.kind, RelationKind::View { .. }),
        ObjectType::ObjectMatview => matches!(relation.kind, RelationKind::MaterializedView { .. }),
        ObjectType::ObjectSequence => matches!(relation.kind, RelationKind::Sequence(_)),
        _ => return Ok(()),
    };
    if suits {
        return Ok(());
    }
    let word = match kind {
        ObjectType::ObjectIndex => "an index",
        ObjectType::ObjectType => "a composite type",
        ObjectType::ObjectView => "a view",
        ObjectType::ObjectMatview => "a materialized view",
        _ => "a sequence",
    };
    Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not {word}", relation.name)))
}

fn not_a_table(relation: &Relation) -> Error {
    Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a table", relation.name))
}

/// 42704 when the table has no constraint of this name.
pub(crate) fn constraint_position(relation: &Relation, name: &str) -> Result<usize> {
    relation.constraints.iter().position(|constraint| &*constraint.name == name).ok_or_else(|| {
        Error::new(SqlState::UNDEFINED_OBJECT, format!("constraint \"{name}\" of relation \"{}\" does not exist", relation.name))
    })
}

fn subcommand_name(kind: AlterTableType) -> String {
    kind.as_str_name().trim_start_matches("AT_").to_owned()
}
