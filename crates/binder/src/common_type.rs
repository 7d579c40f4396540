//! One type for several expressions: CASE, UNION, VALUES, ARRAY, COALESCE, GREATEST (select_common_type).

use catalog::type_names::Names;
use types::{Error, Oid, Result, SqlState, SqlType};

use crate::{
    coercion::{self, Context},
    state::{Binder, Typed},
    type_facts,
};

/// The common type, or None when the types cannot be matched; then the second value is the one that does not fit.
pub(crate) fn select(names: &Names, types: &[Oid]) -> std::result::Result<Oid, usize> {
    let Some(&first) = types.first() else { return Ok(Oid::TEXT) };
    if first != Oid::UNKNOWN && types.iter().all(|ty| *ty == first) {
        return Ok(first);
    }
    let mut chosen = type_facts::base(names, first);
    let (mut category, mut preferred) = type_facts::category(names, chosen);
    for (at, ty) in types.iter().enumerate().skip(1) {
        let candidate = type_facts::base(names, *ty);
        if candidate == Oid::UNKNOWN || candidate == chosen {
            continue;
        }
        let (candidate_category, candidate_preferred) = type_facts::category(names, candidate);
        if chosen == Oid::UNKNOWN {
            (chosen, category, preferred) = (candidate, candidate_category, candidate_preferred);
        } else if candidate_category != category {
            return Err(at);
        } else if !preferred
            && coercion::can_coerce(names, &[chosen], &[candidate], Context::Implicit)
            && !coercion::can_coerce(names, &[candidate], &[chosen], Context::Implicit)
        {
            (chosen, category, preferred) = (candidate, candidate_category, candidate_preferred);
        }
    }
    Ok(if chosen == Oid::UNKNOWN { Oid::TEXT } else { chosen })
}

/// The common type of expressions. `context` is how the error names the construct: "CASE", "UNION", "VALUES".
pub(crate) fn select_for(names: &Names, expressions: &[Typed], context: &str) -> Result<SqlType> {
    let types: Vec<Oid> = expressions.iter().map(|typed| typed.ty().oid).collect();
    select(names, &types).map(|oid| type_facts::sql_type(names, oid)).map_err(|at| {
        // The message names the type that had been chosen when the misfit came.
        let chosen = select(names, &types[..at]).unwrap_or(Oid::TEXT);
        mismatch(names, context, chosen, types[at]).at(expressions[at].position())
    })
}

fn mismatch(names: &Names, context: &str, left: Oid, right: Oid) -> Error {
    let left = type_facts::base(names, left);
    let right = type_facts::base(names, right);
    Error::new(
        SqlState::DATATYPE_MISMATCH,
        format!("{context} types {} and {} cannot be matched", names.format_type_oid(left), names.format_type_oid(right)),
    )
}

/// The modifier that all expressions of the common type share, else -1.
pub(crate) fn common_modifier(types: impl Iterator<Item = SqlType>, common: Oid) -> i32 {
    let mut shared = None;
    for ty in types {
        if ty.oid != common || shared.is_some_and(|typmod| typmod != ty.typmod) {
            return -1;
        }
        shared = Some(ty.typmod);
    }
    shared.unwrap_or(-1)
}

impl Binder<'_> {
    /// Converts to a common type that was chosen (coerce_to_common_type).
    pub(crate) fn coerce_to_common(&mut self, typed: Typed, target: SqlType, context: &str) -> Result<expr::Expr> {
        let source = typed.ty().oid;
        if source == target.oid {
            return Ok(typed.expr);
        }
        if !coercion::can_coerce(&self.names, &[source], &[target.oid], Context::Implicit) {
            let message = format!(
                "{context} could not convert type {} to {}",
                type_facts::printed(&self.names, source),
                type_facts::printed(&self.names, target.oid)
            );
            return Err(Error::new(SqlState::CANNOT_COERCE, message).at(typed.position()));
        }
        self.coerce(typed, target, Context::Implicit)
    }

    /// Converts all expressions to their common type, which is returned with the modifier that they share.
    pub(crate) fn unify(&mut self, expressions: Vec<Typed>, context: &str) -> Result<(Vec<expr::Expr>, SqlType)> {
        let common = select_for(&self.names.clone(), &expressions, context)?;
        let typmod = common_modifier(expressions.iter().map(Typed::ty), common.oid);
        let converted =
            expressions.into_iter().map(|typed| self.coerce_to_common(typed, common, context)).collect::<Result<_>>()?;
        Ok((converted, common.with_typmod(typmod)))
    }
}
