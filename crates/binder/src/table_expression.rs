//! The target table of INSERT, UPDATE and DELETE, assignments to its columns, and RETURNING.

use catalog::{IdentityKind, Relation, RelationKind, type_names::NamedRelation};
use expr::{Expr, expression::CastMethod};
use pg_query::protobuf::{AIndices, Node, RangeVar, ReturningClause, node::Node as Ast};
use plan::{
    OutputColumn,
    logical::{Computed, Given},
};
use types::{Error, Result, SqlState, SqlType, text_format::TypeResolver};

use crate::{
    ExpressionKind, ast,
    coercion::Context,
    state::{Binder, Typed},
    subquery::BoundQuery,
    type_facts,
    writable_view::WriteTarget,
};

/// What a statement does to its target, for the errors about views.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modification {
    Insert,
    Update,
    Delete,
}

impl Modification {
    pub(crate) fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Modification::Insert => ("insert into", "inserting into", "INSERT"),
            Modification::Update => ("update", "updating", "UPDATE"),
            Modification::Delete => ("delete from", "deleting from", "DELETE"),
        }
    }
}

impl Binder<'_> {
    /// The table that a statement writes, perhaps through a view, as an entry of the level.
    pub(crate) fn bind_write_target(&mut self, range: &RangeVar, modification: Modification) -> Result<WriteTarget> {
        let position = ast::position(range.location);
        if range.schemaname.is_empty() && self.find_with(&range.relname).is_some() {
            let message = format!("relation \"{}\" cannot be the target of a modifying statement", range.relname);
            if self.names.relation_by_name(None, &range.relname).is_none() {
                return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(position));
            }
        }
        let relation = match self.find_relation(range)? {
            NamedRelation::User(relation) => relation,
            NamedRelation::System(relation) => {
                let message = format!("permission denied: \"{}\" is a system catalog", relation.name);
                return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
            }
        };
        if !range.schemaname.is_empty() {
            self.require_schema(relation.schema);
        }
        self.require_modification(relation.oid, modification);
        match &relation.kind {
            RelationKind::Table { .. } => {
                let base = self.add_table(&relation, &range.alias)?;
                self.level_mut().entries[base].is_target = true;
                Ok(WriteTarget { relation, base, visible: base, view: None, modification, base_check_as: self.check_as })
            }
            RelationKind::View { .. } => self.write_through_view(&relation, &range.alias, modification),
            _ => {
                let message = format!("cannot change {} \"{}\"", relation.kind_name(), relation.name);
                Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message))
            }
        }
    }

    /// The attribute that a column list or SET names.
    pub(crate) fn target_attribute(&self, relation: &Relation, name: &str, location: i32) -> Result<usize> {
        if let Some((at, _)) = relation.attribute(name) {
            return Ok(at);
        }
        if matches!(name, "ctid" | "xmin" | "xmax" | "cmin" | "cmax" | "tableoid") {
            let message = format!("cannot assign to system column \"{name}\"");
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(ast::position(location)));
        }
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", relation.name);
        Err(Error::new(SqlState::UNDEFINED_COLUMN, message).at(ast::position(location)))
    }

    /// A value for a column, converted by assignment (transformAssignedExpr).
    pub(crate) fn assign(&mut self, typed: Typed, relation: &Relation, at: usize) -> Result<Expr> {
        let attribute = &relation.attributes[at];
        let (source, position) = (typed.ty(), typed.position());
        if source.oid == attribute.ty.oid && source.typmod == attribute.ty.typmod {
            return Ok(typed.expr);
        }
        self.coerce_to(typed, attribute.ty, Context::Assignment)?.ok_or_else(|| {
            Error::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "column \"{}\" is of type {} but expression is of type {}",
                    attribute.name,
                    self.names.format_type_oid(attribute.ty.oid),
                    self.names.format_type_oid(source.oid)
                ),
            )
            .hint("You will need to rewrite or cast the expression.")
            .at(position)
        })
    }

    /// A value for a part of a column: `column[1] = value`, `column.field = value`; `base` is the column's value so far.
    pub(crate) fn assign_part(
        &mut self,
        base: Expr,
        ty: SqlType,
        steps: &[Node],
        value: Typed,
        name: &str,
        location: i32,
    ) -> Result<Expr> {
        let names = self.names.clone();
        let position = ast::position(location);
        let Some(first) = steps.first() else {
            let source = value.ty().oid;
            return self.coerce_to(value, ty, Context::Assignment)?.ok_or_else(|| {
                let message = format!(
                    "subfield \"{name}\" is of type {} but expression is of type {}",
                    names.format_type_oid(ty.oid),
                    names.format_type_oid(source)
                );
                Error::new(SqlState::DATATYPE_MISMATCH, message)
                    .hint("You will need to rewrite or cast the expression.")
                    .at(position)
            });
        };
        // A domain is checked once all parts are assigned.
        let base = match base {
            Expr::Cast { operand, method: CastMethod::Domain { .. }, .. } => *operand,
            other => other,
        };
        match ast::content(first)? {
            Ast::String(field) => {
                let Some((fields, types)) = names.composite_fields(type_facts::base(&names, ty.oid)) else {
                    let message = format!(
                        "cannot assign to field \"{}\" of column \"{name}\" because its type {} is not a composite type",
                        field.sval,
                        names.format_type_oid(ty.oid)
                    );
                    return Err(Error::new(SqlState::DATATYPE_MISMATCH, message).at(position));
                };
                let Some(at) = fields.iter().position(|known| **known == *field.sval) else {
                    let message = format!(
                        "cannot assign to field \"{}\" of column \"{name}\" because there is no such column in data type {}",
                        field.sval,
                        names.format_type_oid(ty.oid)
                    );
                    return Err(Error::new(SqlState::UNDEFINED_COLUMN, message).at(position));
                };
                let inner = Expr::Field { operand: Box::new(base.clone()), field: at, ty: types[at] };
                let value = self.assign_part(inner, types[at], &steps[1..], value, &field.sval, location)?;
                let row = self.names.base_type(ty);
                let assigned = Expr::FieldAssign { operand: Box::new(base), field: at, value: Box::new(value), ty: row };
                self.assigned_to_domain(assigned, ty)
            }
            Ast::AIndices(_) => {
                let indices: Vec<&AIndices> = steps
                    .iter()
                    .map_while(|step| match &step.node {
                        Some(Ast::AIndices(indices)) => Some(&**indices),
                        _ => None,
                    })
                    .collect();
                let (subscripts, element) = self.bind_subscripts(ty, &indices, position)?;
                let rest = &steps[indices.len()..];
                let value = if rest.is_empty() {
                    self.assign_element(value, element, name, position)?
                } else {
                    let inner = Expr::Subscript { operand: Box::new(base.clone()), subscripts: subscripts.clone(), ty: element };
                    self.assign_part(inner, element, rest, value, name, location)?
                };
                let container = self.names.base_type(ty);
                let assigned =
                    Expr::SubscriptAssign { operand: Box::new(base), subscripts, value: Box::new(value), ty: container };
                self.assigned_to_domain(assigned, ty)
            }
            _ => Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "row expansion via \"*\" is not supported here").at(position)),
        }
    }

    /// 0A000: DEFAULT for a part of a column.
    pub(crate) fn refuse_part_default(steps: &[Node], location: i32) -> Result<()> {
        let what = match steps.first().and_then(|step| step.node.as_ref()) {
            None => return Ok(()),
            Some(Ast::AIndices(_)) => "an array element",
            Some(_) => "a subfield",
        };
        Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("cannot set {what} to DEFAULT")).at(ast::position(location)))
    }

    /// A row or array whose part was assigned, checked against the domain that the column is of.
    fn assigned_to_domain(&mut self, assigned: Expr, ty: SqlType) -> Result<Expr> {
        if assigned.ty().oid == ty.oid {
            return Ok(assigned);
        }
        self.coerce(Typed::new(assigned, -1), ty, Context::Assignment)
    }

    /// The type of the part of a column that an assignment names; the text of its subscripts is not looked at.
    pub(crate) fn part_type(&self, ty: SqlType, steps: &[Node]) -> Option<SqlType> {
        let names = &self.names;
        let mut at = ty;
        let mut rest = steps;
        while let Some(first) = rest.first() {
            let base = names.base_type(at);
            match &first.node {
                Some(Ast::String(field)) => {
                    let (fields, types) = names.composite_fields(base.oid)?;
                    at = types[fields.iter().position(|known| **known == *field.sval)?];
                    rest = &rest[1..];
                }
                Some(Ast::AIndices(_)) => {
                    let indices: Vec<_> = rest
                        .iter()
                        .map_while(|step| match &step.node {
                            Some(Ast::AIndices(indices)) => Some(indices),
                            _ => None,
                        })
                        .collect();
                    let slice = indices.iter().any(|index| index.is_slice);
                    if !slice && base.oid != types::Oid::JSONB {
                        at = type_facts::element(names, base.oid)?;
                    }
                    rest = &rest[indices.len()..];
                }
                _ => return None,
            }
        }
        Some(at)
    }

    fn assign_element(&mut self, value: Typed, element: SqlType, name: &str, position: Option<usize>) -> Result<Expr> {
        let source = value.ty().oid;
        self.coerce_to(value, element, Context::Assignment)?.ok_or_else(|| {
            let message = format!(
                "subscripted assignment to \"{name}\" requires type {} but expression is of type {}",
                self.names.format_type_oid(element.oid),
                self.names.format_type_oid(source)
            );
            Error::new(SqlState::DATATYPE_MISMATCH, message).hint("You will need to rewrite or cast the expression.").at(position)
        })
    }

    /// 428C9 for an explicit value of a generated column; `is_default` says that DEFAULT was written.
    pub(crate) fn refuse_generated(&self, relation: &Relation, at: usize, updating: bool, overriding_system: bool) -> Result<()> {
        let attribute = &relation.attributes[at];
        let name = &attribute.name;
        let message = match updating {
            true => format!("column \"{name}\" can only be updated to DEFAULT"),
            false => format!("cannot insert a non-DEFAULT value into column \"{name}\""),
        };
        if attribute.identity == Some(IdentityKind::Always) && !overriding_system {
            let error = Error::new(SqlState::GENERATED_ALWAYS, message)
                .detail(format!("Column \"{name}\" is an identity column defined as GENERATED ALWAYS."));
            return Err(if updating { error } else { error.hint("Use OVERRIDING SYSTEM VALUE to override.") });
        }
        if attribute.generated.is_some() {
            return Err(
                Error::new(SqlState::GENERATED_ALWAYS, message).detail(format!("Column \"{name}\" is a generated column."))
            );
        }
        Ok(())
    }

    /// RETURNING: computed columns and the statement's output.
    pub(crate) fn bind_returning(&mut self, clause: &Option<ReturningClause>) -> Result<(Option<Vec<Computed>>, BoundOutput)> {
        let Some(clause) = clause else { return Ok((None, BoundOutput::default())) };
        if !clause.options.is_empty() {
            return Err(Error::unsupported("RETURNING WITH (OLD/NEW)"));
        }
        let targets = self.bind_targets(&clause.exprs, ExpressionKind::Returning)?;
        let mut columns: Vec<Computed> = Vec::with_capacity(targets.len());
        let mut bound = BoundOutput::default();
        for target in targets {
            let typed = self.unknown_to_text(Typed::new(target.expr, target.location))?;
            let id = match typed.expr {
                Expr::Column { id, .. } if !columns.iter().any(|column| column.id == id) => id,
                _ => self.new_column(),
            };
            let origin = self.returning_origin(&typed.expr);
            bound.output.push(OutputColumn { id, name: target.name, ty: typed.ty(), origin });
            bound.locations.push(target.location);
            columns.push(Computed { id, expression: typed.expr });
        }
        Ok((Some(columns), bound))
    }

    fn returning_origin(&self, expr: &Expr) -> Option<(types::Oid, i16)> {
        let Expr::Column { id, .. } = expr else { return None };
        let matches =
            |column: &&crate::range_table::EntryColumn| matches!(column.expr, Expr::Column { id: known, .. } if known == *id);
        self.level().entries.iter().find_map(|entry| entry.columns.iter().find(matches).and_then(|column| column.origin))
    }

    /// Makes the target's names stand for the row as written instead of the row as read.
    pub(crate) fn offer_new_row(&mut self, target: &WriteTarget, given: &[Given]) {
        let aliases: Vec<_> = self.level().entries[target.visible].columns.iter().map(|column| column.name.clone()).collect();
        let mut columns = self.columns_over(target, given);
        for (column, name) in columns.iter_mut().zip(aliases) {
            column.name = name;
        }
        self.level_mut().entries[target.visible].columns = columns;
    }
}

/// What a data-modifying statement returns.
#[derive(Debug, Default)]
pub(crate) struct BoundOutput {
    pub(crate) output: Vec<OutputColumn>,
    pub(crate) locations: Vec<i32>,
}

impl BoundOutput {
    pub(crate) fn over(self, plan: plan::logical::LogicalPlan) -> BoundQuery {
        BoundQuery { plan, output: self.output, locations: self.locations, analysed: None }
    }
}
