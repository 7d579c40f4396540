//! Constraints as they are written, in a column's definition or on their own: what they say is collected, what we lack is refused.

use pg_query::{
    NodeEnum,
    protobuf::{ColumnDef, ConstrType, Constraint as ConstraintNode},
};
use types::{Error, Result, SqlState};

use super::position;

/// A constraint before the names of made-up ones are chosen.
pub(crate) struct NewConstraint {
    pub node: ConstraintNode,
    /// The column whose definition it is part of.
    pub column: Option<String>,
}

/// A constraint that is an element of its own.
///
/// Errors: 0A000 for clauses of later PostgreSQL versions.
pub(crate) fn table_constraint(node: &ConstraintNode) -> Result<NewConstraint> {
    refuse_unsupported(node)?;
    Ok(NewConstraint { node: node.clone(), column: None })
}

/// The constraints of a column's definition that belong to its table, DEFERRABLE and its kin attached to them.
///
/// Errors: 42601 for misplaced words; 0A000.
pub(crate) fn column_constraints(column: &ColumnDef) -> Result<Vec<NewConstraint>> {
    let mut constraints = Vec::new();
    for node in &column.constraints {
        if let Some(NodeEnum::Constraint(node)) = &node.node
            && is_table_constraint(node.contype())
        {
            refuse_unsupported(node)?;
            constraints.push(NewConstraint { node: (**node).clone(), column: Some(column.colname.clone()) });
        }
    }
    attach_deferrability(&mut constraints, column)?;
    Ok(constraints)
}

/// Constraints that belong to the table rather than being flags of the column.
fn is_table_constraint(kind: ConstrType) -> bool {
    matches!(
        kind,
        ConstrType::ConstrCheck
            | ConstrType::ConstrPrimary
            | ConstrType::ConstrUnique
            | ConstrType::ConstrForeign
            | ConstrType::ConstrExclusion
    )
}

/// The grammar is that of PostgreSQL 18; these clauses have come since 15.
fn refuse_unsupported(node: &ConstraintNode) -> Result<()> {
    if matches!(node.contype(), ConstrType::ConstrCheck | ConstrType::ConstrForeign) && !node.is_enforced {
        return Err(not_enforced(node));
    }
    if node.without_overlaps {
        return Err(Error::unsupported("WITHOUT OVERLAPS").at(position(node.location)));
    }
    if node.fk_with_period || node.pk_with_period {
        return Err(Error::unsupported("PERIOD").at(position(node.location)));
    }
    Ok(())
}

fn not_enforced(node: &ConstraintNode) -> Error {
    Error::unsupported("NOT ENFORCED").at(position(node.location))
}

/// DEFERRABLE and its kin follow the column constraint they modify as nodes of their own (transformConstraintAttrs).
fn attach_deferrability(constraints: &mut [NewConstraint], column: &ColumnDef) -> Result<()> {
    let mut of_column = constraints.iter_mut();
    let mut modified: Option<&mut NewConstraint> = None;
    let (mut saw_deferrability, mut saw_initially) = (false, false);
    for node in &column.constraints {
        let Some(NodeEnum::Constraint(node)) = &node.node else { continue };
        let refuse = |message: &str| Err(Error::new(SqlState::SYNTAX_ERROR, message).at(position(node.location)));
        let (word, is_initially) = match node.contype() {
            ConstrType::ConstrAttrDeferrable => ("DEFERRABLE", false),
            ConstrType::ConstrAttrNotDeferrable => ("NOT DEFERRABLE", false),
            ConstrType::ConstrAttrDeferred => ("INITIALLY DEFERRED", true),
            ConstrType::ConstrAttrImmediate => ("INITIALLY IMMEDIATE", true),
            ConstrType::ConstrAttrNotEnforced => return Err(not_enforced(node)),
            ConstrType::ConstrAttrEnforced => continue,
            kind => {
                let own = if is_table_constraint(kind) { of_column.next() } else { None };
                modified = own.filter(|_| kind != ConstrType::ConstrCheck);
                (saw_deferrability, saw_initially) = (false, false);
                continue;
            }
        };
        let Some(constraint) = modified.as_deref_mut().map(|modified| &mut modified.node) else {
            return refuse(&format!("misplaced {word} clause"));
        };
        if std::mem::replace(if is_initially { &mut saw_initially } else { &mut saw_deferrability }, true) {
            let clauses = if is_initially { "INITIALLY IMMEDIATE/DEFERRED" } else { "DEFERRABLE/NOT DEFERRABLE" };
            return refuse(&format!("multiple {clauses} clauses not allowed"));
        }
        match word {
            "DEFERRABLE" => constraint.deferrable = true,
            "NOT DEFERRABLE" => constraint.deferrable = false,
            "INITIALLY DEFERRED" => {
                constraint.initdeferred = true;
                constraint.deferrable |= !saw_deferrability;
            }
            _ => constraint.initdeferred = false,
        }
        if constraint.initdeferred && !constraint.deferrable {
            return refuse("constraint declared INITIALLY DEFERRED must be DEFERRABLE");
        }
    }
    Ok(())
}
