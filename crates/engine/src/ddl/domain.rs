//! CREATE DOMAIN and ALTER DOMAIN.
//!
//! A constraint that is added is asked of the values there are, in every table with a column of the domain or of a domain over it; while a table
//! holds the domain within arrays or rows it is refused, as in PostgreSQL.

use std::sync::Arc;

use binder::Environment;
use catalog::{Constraint, ConstraintKind, Relation, UserType, UserTypeKind, type_names::Names};
use expr::{Batch, Compiled, Expr};
use pg_query::{
    NodeEnum,
    protobuf::{self, AlterDomainStmt, ConstrType, CreateDomainStmt},
};
use txn::LockMode;
use types::{Error, Oid, Result, SqlState, SqlType};

use super::{
    object_names, strings,
    type_users::{Holder, columns_of_domain},
    user_type::put_type_with_array,
};
use crate::{
    definition_text,
    session::{Outcome, Session, environment, utility::command},
};

/// What a domain is besides its base type.
#[derive(Clone, Default)]
struct Facts {
    not_null: Option<bool>,
    default: Option<Arc<str>>,
    constraints: Vec<Constraint>,
}

impl Session {
    pub(crate) fn create_domain(&mut self, statement: &CreateDomainStmt) -> Result<Outcome> {
        let (schema, name) = self.creation_schema_of(&strings(&statement.domainname))?;
        self.refuse_existing_type(schema, &name)?;
        let names = self.names()?;
        let environment = self.environment(names.clone())?;
        let type_name = statement.type_name.as_ref().ok_or_else(|| Error::internal("a domain without a type"))?;
        let base = definition_text::resolve_type(type_name, &names)?;
        let mut facts = Facts::default();
        for node in &statement.constraints {
            if let Some(NodeEnum::Constraint(node)) = &node.node {
                facts.take(node, &name, base, &environment)?;
            }
        }
        let Facts { not_null, mut default, mut constraints } = facts;
        let has_default = |node: &protobuf::Node| matches!(&node.node, Some(NodeEnum::Constraint(node)) if node.contype() == ConstrType::ConstrDefault);
        // The default of the domain below, as it is now.
        if let Some(UserTypeKind::Domain { default: below, .. }) = names.catalog.user_type(base.oid).map(|ty| &ty.kind)
            && !statement.constraints.iter().any(has_default)
        {
            default.clone_from(below);
        }
        let owner = self.current_role().oid;
        self.open_transaction()?.txn.change_schema(|change| {
            let oid = change.catalog.allocate_oid();
            constraints.iter_mut().for_each(|constraint| constraint.oid = change.catalog.allocate_oid());
            let collation = if base.is_string() { Oid::DEFAULT_COLLATION } else { Oid::INVALID };
            let kind = UserTypeKind::Domain { base, not_null: not_null == Some(true), default, constraints, collation };
            let ty = SqlType { oid, typmod: -1, physical: base.physical };
            put_type_with_array(change.catalog, oid, schema, &name, owner, kind, ty);
            Ok(())
        })?;
        Ok(command("CREATE DOMAIN"))
    }

    pub(crate) async fn alter_domain(&mut self, statement: &AlterDomainStmt) -> Result<Outcome> {
        let domain = self.domain_named(&strings(&statement.type_name))?;
        let UserTypeKind::Domain { base, constraints, .. } = &domain.kind else {
            return Err(Error::internal("a domain that is none"));
        };
        let definition = statement.def.as_deref();
        match statement.subtype.as_str() {
            "T" => {
                let names = self.names()?;
                let environment = self.environment(names)?;
                let new = match definition {
                    Some(node) => definition_text::check_default(node, &domain.name, *base, &environment)?,
                    None => None,
                };
                self.put_domain(&domain, |_, default, _| *default = new)?;
            }
            "N" => self.put_domain(&domain, |not_null, _, _| *not_null = false)?,
            "O" => self.forbid_null(&domain).await?,
            "C" => match definition.and_then(|node| node.node.as_ref()) {
                Some(NodeEnum::Constraint(node)) if node.contype() == ConstrType::ConstrNotnull => {
                    self.forbid_null(&domain).await?
                }
                Some(NodeEnum::Constraint(node)) => self.add_domain_constraint(&domain, *base, node).await?,
                _ => return Err(Error::internal("ADD CONSTRAINT without one")),
            },
            "X" => match constraints.iter().position(|constraint| *constraint.name == statement.name) {
                Some(at) => self.put_domain(&domain, |_, _, constraints| drop(constraints.remove(at)))?,
                None => {
                    let missing = missing_constraint(&domain, &statement.name);
                    if !statement.missing_ok {
                        return Err(missing);
                    }
                    self.notice(format!("{}, skipping", missing.message()));
                }
            },
            "V" => {
                let at = constraints.iter().position(|constraint| *constraint.name == statement.name);
                let at = at.ok_or_else(|| missing_constraint(&domain, &statement.name))?;
                if !constraints[at].validated {
                    self.check_values_of(&domain, *base, &constraints[at]).await?;
                    self.put_domain(&domain, |_, _, constraints| constraints[at].validated = true)?;
                }
            }
            other => return Err(Error::internal(format!("ALTER DOMAIN of kind {other:?}"))),
        }
        Ok(command("ALTER DOMAIN"))
    }

    /// The domain of a possibly qualified name.
    ///
    /// Errors: 42704, 42809 for another type.
    fn domain_named(&mut self, parts: &[String]) -> Result<Arc<UserType>> {
        let names = self.names()?;
        let (schema, name) = match parts {
            [.., schema, name] => (Some(schema.as_str()), name),
            [name] => (None, name),
            [] => return Err(Error::internal("a domain without a name")),
        };
        let found = names
            .type_by_name(schema, name)
            .ok_or_else(|| Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{}\" does not exist", parts.join("."))))?;
        match names.catalog.user_type(found.oid) {
            Some(ty) if matches!(ty.kind, UserTypeKind::Domain { .. }) => Ok(ty.clone()),
            _ => Err(not_a_domain(&names.format_type_oid(found.oid))),
        }
    }

    fn put_domain(
        &mut self,
        domain: &UserType,
        alter: impl FnOnce(&mut bool, &mut Option<Arc<str>>, &mut Vec<Constraint>),
    ) -> Result<()> {
        let mut altered = domain.clone();
        if let UserTypeKind::Domain { not_null, default, constraints, .. } = &mut altered.kind {
            alter(not_null, default, constraints);
        }
        self.open_transaction()?.txn.change_schema(|change| {
            change.catalog.put_type(altered);
            Ok(())
        })
    }

    async fn forbid_null(&mut self, domain: &UserType) -> Result<()> {
        for Holder { relation, position } in self.locked_holders(domain).await? {
            let Some(storage) = relation.storage() else { continue };
            let data = self.open_transaction()?.txn.table(storage)?;
            let has_null = |chunk: &storage::Chunk| chunk.presence().ones().any(|slot| chunk.columns()[position].is_null(slot));
            if data.rows.chunks().any(|chunk| has_null(&chunk)) {
                return Err(of_column(&*self.names()?, &relation, position, SqlState::NOT_NULL_VIOLATION, "null values"));
            }
        }
        self.put_domain(domain, |not_null, _, _| *not_null = true)
    }

    async fn add_domain_constraint(&mut self, domain: &UserType, base: SqlType, node: &protobuf::Constraint) -> Result<()> {
        let UserTypeKind::Domain { constraints, .. } = &domain.kind else { return Ok(()) };
        let names = self.names()?;
        let environment = self.environment(names)?;
        let mut facts = Facts { constraints: constraints.clone(), ..Facts::default() };
        facts.take(node, &domain.name, base, &environment)?;
        let Some(mut added) = facts.constraints.pop().filter(|_| facts.constraints.len() == constraints.len()) else {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "this kind of constraint is not possible for domains"));
        };
        if added.validated {
            self.check_values_of(domain, base, &added).await?;
        }
        let mut altered = domain.clone();
        self.open_transaction()?.txn.change_schema(|change| {
            added.oid = change.catalog.allocate_oid();
            if let UserTypeKind::Domain { constraints, .. } = &mut altered.kind {
                constraints.push(added);
            }
            change.catalog.put_type(altered);
            Ok(())
        })
    }

    /// The columns whose values the domain's constraints are about; their tables change no more until the transaction ends.
    async fn locked_holders(&mut self, domain: &UserType) -> Result<Vec<Holder>> {
        let names = self.names()?;
        for holder in columns_of_domain(&names, domain.oid)? {
            self.lock_relation(holder.relation.oid, LockMode::Share, false).await?;
        }
        self.begin_statement()?;
        let names = self.names()?;
        columns_of_domain(&names, domain.oid)
    }

    /// Errors: 23514 when a value that is there violates the constraint.
    async fn check_values_of(&mut self, domain: &UserType, base: SqlType, constraint: &Constraint) -> Result<()> {
        let ConstraintKind::Check { expression, .. } = &constraint.kind else { return Ok(()) };
        let holders = self.locked_holders(domain).await?;
        let names = self.names()?;
        let environment = self.environment(names.clone())?;
        let node = definition_text::parse_expression(expression)?;
        let check = definition_text::bind_domain_check(&node, names.base_type(base), &environment)?;
        let violated = Expr::BooleanTest { operand: Box::new(check), value: Some(false), negated: false };
        let violated = Compiled::new(&violated, &[])?;
        let context = environment::eval_context(self, Arc::from([]))?;
        for Holder { relation, position } in holders {
            let Some(storage) = relation.storage() else { continue };
            let data = self.open_transaction()?.txn.table(storage)?;
            for chunk in data.rows.chunks() {
                context.check_cancelled()?;
                let slots: Vec<u32> = chunk.presence().ones().map(|slot| slot as u32).collect();
                let values = Batch::new(vec![Arc::new(chunk.columns()[position].take(&slots))], slots.len());
                if !violated.select(&values, &context)?.is_empty() {
                    let what = "values that violate the new constraint";
                    return Err(of_column(&names, &relation, position, SqlState::CHECK_VIOLATION, what));
                }
            }
        }
        Ok(())
    }

    pub(super) fn rename_domain_constraint(&mut self, parts: &[String], old: &str, new: &str) -> Result<Outcome> {
        let domain = self.domain_named(parts)?;
        let UserTypeKind::Domain { constraints, .. } = &domain.kind else {
            return Err(Error::internal("a domain that is none"));
        };
        let printed = self.names()?.format_type_oid(domain.oid);
        let message = |what: &str, name: &str| format!("constraint \"{name}\" for domain {printed} {what}");
        let at = constraints.iter().position(|constraint| &*constraint.name == old);
        let at = at.ok_or_else(|| Error::new(SqlState::UNDEFINED_OBJECT, message("does not exist", old)))?;
        if constraints.iter().any(|constraint| &*constraint.name == new) {
            return Err(Error::new(SqlState::DUPLICATE_OBJECT, message("already exists", new)));
        }
        self.put_domain(&domain, |_, _, constraints| constraints[at].name = new.into())?;
        Ok(command("ALTER DOMAIN"))
    }
}

/// That a column contains what the domain will not have.
fn of_column(names: &Names, relation: &Relation, position: usize, sqlstate: SqlState, what: &str) -> Error {
    let column = &relation.attributes[position].name;
    let message = format!("column \"{column}\" of table \"{}\" contains {what}", relation.name);
    let schema = names.catalog.schema(relation.schema).map_or("", |schema| &*schema.name);
    Error::new(sqlstate, message).in_table(schema, &*relation.name).in_column(column.to_string())
}

pub(super) fn not_a_domain(printed: &str) -> Error {
    Error::new(SqlState::WRONG_OBJECT_TYPE, format!("{printed} is not a domain"))
}

fn missing_constraint(domain: &UserType, name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, format!("constraint \"{name}\" of domain \"{}\" does not exist", domain.name))
}

impl Facts {
    /// Takes up one clause of CREATE DOMAIN, or the one of ALTER DOMAIN ... ADD.
    fn take(&mut self, node: &protobuf::Constraint, domain: &str, base: SqlType, environment: &Environment) -> Result<()> {
        let refused = |state, message: &str| Err(Error::new(state, message));
        let impossible = |kind: &str| refused(SqlState::SYNTAX_ERROR, &format!("{kind} constraints not possible for domains"));
        match node.contype() {
            ConstrType::ConstrNotnull | ConstrType::ConstrNull => {
                let not_null = node.contype() == ConstrType::ConstrNotnull;
                if self.not_null.is_some_and(|before| before != not_null) {
                    return refused(SqlState::SYNTAX_ERROR, "conflicting NULL/NOT NULL constraints");
                }
                self.not_null = Some(not_null);
                Ok(())
            }
            ConstrType::ConstrDefault if self.default.is_some() => {
                refused(SqlState::SYNTAX_ERROR, "multiple default expressions")
            }
            ConstrType::ConstrDefault => {
                self.default = definition_text::check_default(expression_of(node)?, domain, base, environment)?;
                Ok(())
            }
            ConstrType::ConstrCheck if node.is_no_inherit => {
                refused(SqlState::INVALID_OBJECT_DEFINITION, "check constraints for domains cannot be marked NO INHERIT")
            }
            ConstrType::ConstrCheck => self.take_check(node, domain, base, environment),
            ConstrType::ConstrUnique => impossible("unique"),
            ConstrType::ConstrPrimary => impossible("primary key"),
            ConstrType::ConstrExclusion => impossible("exclusion"),
            ConstrType::ConstrForeign => impossible("foreign key"),
            _ => refused(SqlState::FEATURE_NOT_SUPPORTED, "specifying constraint deferrability not supported for domains"),
        }
    }

    fn take_check(&mut self, node: &protobuf::Constraint, domain: &str, base: SqlType, environment: &Environment) -> Result<()> {
        definition_text::bind_domain_check(expression_of(node)?, base, environment)?;
        let taken = |candidate: &str| self.constraints.iter().any(|known| &*known.name == candidate);
        let name = match node.conname.as_str() {
            "" => object_names::free_constraint_name(&taken, domain, None, "check"),
            written if taken(written) => {
                let message = format!("constraint \"{written}\" for domain \"{domain}\" already exists");
                return Err(Error::new(SqlState::DUPLICATE_OBJECT, message));
            }
            written => written.to_owned(),
        };
        let kind = ConstraintKind::Check {
            expression: definition_text::deparse_domain_check(expression_of(node)?, base, environment)?.into(),
            columns: Vec::new(),
            no_inherit: false,
        };
        self.constraints.push(Constraint {
            oid: Oid::INVALID,
            name: name.as_str().into(),
            kind,
            deferrable: false,
            initially_deferred: false,
            validated: !node.skip_validation,
            comment: None,
        });
        Ok(())
    }
}

fn expression_of(node: &protobuf::Constraint) -> Result<&protobuf::Node> {
    node.raw_expr.as_deref().ok_or_else(|| Error::internal("a constraint without its expression"))
}
