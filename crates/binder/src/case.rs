//! CASE, COALESCE, GREATEST and LEAST.

use expr::Expr;
use pg_query::protobuf::{CaseExpr, CoalesceExpr, MinMaxExpr, MinMaxOp, node::Node as Ast};
use types::{Error, Result, SqlState, SqlType};

use crate::{
    ast, common_type,
    state::{Binder, Typed},
};

impl Binder<'_> {
    pub(crate) fn bind_case(&mut self, case: &CaseExpr) -> Result<Typed> {
        let sets_before = self.level().sets.len();
        let subject = match ast::present(&case.arg) {
            Some(argument) => {
                let typed = self.bind_expr(argument)?;
                Some(self.unknown_to_text(typed)?)
            }
            None => None,
        };
        let mut conditions = Vec::with_capacity(case.args.len());
        let mut results = Vec::with_capacity(case.args.len() + 1);
        for when in &case.args {
            let Ast::CaseWhen(when) = ast::content(when)? else { return Err(Error::internal("CASE holds WHEN")) };
            let condition = self.bind_child(&when.expr)?;
            let condition = match &subject {
                Some(subject) => self.apply_operator(&["="], Some(subject.clone()), condition, when.location)?,
                None => condition,
            };
            conditions.push(self.coerce_to_boolean(condition, "CASE/WHEN")?);
            results.push(self.bind_child(&when.result)?);
        }
        // ELSE is the first to be asked for the common type.
        let otherwise = match ast::present(&case.defresult) {
            Some(node) => self.bind_expr(node)?,
            None => Typed::new(Expr::null(SqlType::UNKNOWN), -1),
        };
        results.insert(0, otherwise);
        let (mut results, ty) = self.unify_case(results)?;
        self.refuse_sets_since(sets_before, "CASE")?;
        let otherwise = Box::new(results.remove(0));
        let branches = conditions.into_iter().zip(results).collect();
        Ok(Typed::new(Expr::Case { branches, otherwise, ty, simple: subject.is_some() }, case.location))
    }

    /// Results in the common type; the errors for WHEN results say CASE/WHEN, for ELSE CASE/ELSE.
    fn unify_case(&mut self, results: Vec<Typed>) -> Result<(Vec<Expr>, SqlType)> {
        let common = common_type::select_for(&self.names.clone(), &results, "CASE")?;
        let typmod = common_type::common_modifier(results.iter().map(Typed::ty), common.oid);
        let mut converted = Vec::with_capacity(results.len());
        for (at, result) in results.into_iter().enumerate() {
            converted.push(self.coerce_to_common(result, common, if at == 0 { "CASE/ELSE" } else { "CASE/WHEN" })?);
        }
        Ok((converted, common.with_typmod(typmod)))
    }

    pub(crate) fn bind_coalesce(&mut self, coalesce: &CoalesceExpr) -> Result<Typed> {
        let sets_before = self.level().sets.len();
        let arguments = self.bind_all(&coalesce.args)?;
        let (arguments, ty) = self.unify(arguments, "COALESCE")?;
        self.refuse_sets_since(sets_before, "COALESCE")?;
        Ok(Typed::new(Expr::Coalesce { arguments, ty }, coalesce.location))
    }

    pub(crate) fn bind_extreme(&mut self, extreme: &MinMaxExpr) -> Result<Typed> {
        let greatest = extreme.op() == MinMaxOp::IsGreatest;
        let arguments = self.bind_all(&extreme.args)?;
        let (arguments, ty) = self.unify(arguments, if greatest { "GREATEST" } else { "LEAST" })?;
        self.require_comparison(ty, extreme.location)?;
        Ok(Typed::new(Expr::Extreme { arguments, greatest, ty }, extreme.location))
    }

    fn require_comparison(&self, ty: SqlType, location: i32) -> Result<()> {
        self.require_ordering(ty, location).map_err(|_| {
            let message = format!("could not identify a comparison function for type {}", self.names.format_type_oid(ty.oid));
            Error::new(SqlState::UNDEFINED_FUNCTION, message)
        })
    }

    pub(crate) fn bind_all(&mut self, nodes: &[pg_query::protobuf::Node]) -> Result<Vec<Typed>> {
        nodes.iter().map(|node| self.bind_expr(node)).collect()
    }

    /// 0A000 when a conditional construct holds a set-returning call.
    fn refuse_sets_since(&self, before: usize, construct: &str) -> Result<()> {
        if self.level().sets.len() == before {
            return Ok(());
        }
        let message = format!("set-returning functions are not allowed in {construct}");
        Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
            .hint("You might be able to move the set-returning function into a LATERAL FROM item."))
    }
}
