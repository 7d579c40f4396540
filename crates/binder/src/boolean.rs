//! AND, OR, NOT, IS NULL, IS TRUE and their kin.

use expr::Expr;
use pg_query::protobuf::{BoolExpr, BoolExprType, BoolTestType, BooleanTest, NullTest, NullTestType};
use types::{Error, Result};

use crate::{
    ast,
    state::{Binder, Typed},
};

impl Binder<'_> {
    pub(crate) fn bind_boolean_expression(&mut self, expression: &BoolExpr) -> Result<Typed> {
        let construct = match expression.boolop() {
            BoolExprType::AndExpr => "AND",
            BoolExprType::OrExpr => "OR",
            BoolExprType::NotExpr => "NOT",
            BoolExprType::Undefined => return Err(Error::internal("boolean expression of no kind")),
        };
        let mut location = expression.location;
        let mut terms = Vec::with_capacity(expression.args.len());
        for (at, argument) in expression.args.iter().enumerate() {
            let typed = self.bind_expr(argument)?;
            if at == 0 {
                location = ast::leftmost(location, typed.location);
            }
            terms.push(self.coerce_to_boolean(typed, construct)?);
        }
        let expr = match (expression.boolop(), terms.len()) {
            (BoolExprType::AndExpr, _) => Expr::And(terms),
            (BoolExprType::OrExpr, _) => Expr::Or(terms),
            (_, 1) => Expr::Not(Box::new(terms.remove(0))),
            _ => return Err(Error::internal("NOT has one argument")),
        };
        Ok(Typed::new(expr, location))
    }

    pub(crate) fn bind_null_test(&mut self, test: &NullTest) -> Result<Typed> {
        let typed = self.bind_child(&test.arg)?;
        let negated = test.nulltesttype() == NullTestType::IsNotNull;
        let location = ast::leftmost(test.location, typed.location);
        let operand =
            if self.analysing() || Self::is_open_parameter(&typed) { typed.expr } else { self.unknown_to_text(typed)?.expr };
        Ok(Typed::new(Expr::IsNull { operand: Box::new(operand), negated }, location))
    }

    pub(crate) fn bind_boolean_test(&mut self, test: &BooleanTest) -> Result<Typed> {
        let (value, negated, construct) = match test.booltesttype() {
            BoolTestType::IsTrue => (Some(true), false, "IS TRUE"),
            BoolTestType::IsNotTrue => (Some(true), true, "IS NOT TRUE"),
            BoolTestType::IsFalse => (Some(false), false, "IS FALSE"),
            BoolTestType::IsNotFalse => (Some(false), true, "IS NOT FALSE"),
            BoolTestType::IsUnknown => (None, false, "IS UNKNOWN"),
            BoolTestType::IsNotUnknown => (None, true, "IS NOT UNKNOWN"),
            BoolTestType::Undefined => return Err(Error::internal("boolean test of no kind")),
        };
        let typed = self.bind_child(&test.arg)?;
        let location = ast::leftmost(test.location, typed.location);
        let operand = Box::new(self.coerce_to_boolean(typed, construct)?);
        Ok(Typed::new(Expr::BooleanTest { operand, value, negated }, location))
    }
}
