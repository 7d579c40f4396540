//! Operators as the grammar writes them: `a + b`, `= ANY (array)`, IN lists, BETWEEN, IS DISTINCT FROM, NULLIF.

use std::sync::Arc;

use expr::Expr;
use pg_query::protobuf::{AExpr, AExprKind, Node, SubLinkType, node::Node as Ast};
use types::{Array, Datum, Error, Oid, Result, SqlState, SqlType};

use crate::{
    ast, coercion, common_type,
    state::{Binder, Typed},
    type_facts,
};

impl Binder<'_> {
    pub(crate) fn bind_operator(&mut self, expression: &AExpr) -> Result<Typed> {
        let name = ast::names(&expression.name);
        let right = ast::required(&expression.rexpr)?;
        let location = expression.location;
        let Some(left) = ast::present(&expression.lexpr) else {
            let right = self.bind_expr(right)?;
            return self.apply_operator(&name, None, right, location);
        };
        match (ast::content(left)?, ast::content(right)?) {
            (Ast::RowExpr(left), Ast::SubLink(link)) if link.sub_link_type() == SubLinkType::ExprSublink => {
                let left = self.bind_row_items(&left.args)?;
                self.bind_row_subquery_comparison(&name, left, link, location)
            }
            (Ast::RowExpr(left), Ast::RowExpr(right)) => {
                let left = self.bind_row_items(&left.args)?;
                let right = self.bind_row_items(&right.args)?;
                self.compare_rows(&name, left, right, location)
            }
            _ => {
                let left = self.bind_expr(left)?;
                let right = self.bind_expr(right)?;
                self.apply_operator(&name, Some(left), right, location)
            }
        }
    }

    pub(crate) fn bind_array_operator(&mut self, expression: &AExpr, all: bool) -> Result<Typed> {
        let left = self.bind_child(&expression.lexpr)?;
        let right = self.bind_child(&expression.rexpr)?;
        self.apply_to_array(&ast::names(&expression.name), left, right, all, expression.location)
    }

    pub(crate) fn bind_distinct(&mut self, expression: &AExpr, negated: bool) -> Result<Typed> {
        let name = ast::names(&expression.name);
        let (left_node, right_node) = (ast::required(&expression.lexpr)?, ast::required(&expression.rexpr)?);
        let location = expression.location;
        // A comparison with a plain NULL is a null test.
        for (tested, other) in [(left_node, right_node), (right_node, left_node)] {
            if matches!(ast::content(other)?, Ast::AConst(constant) if constant.isnull) {
                let typed = self.bind_expr(tested)?;
                let start = ast::leftmost(location, typed.location);
                let operand = Box::new(self.unknown_to_text(typed)?.expr);
                return Ok(Typed::new(Expr::IsNull { operand, negated: !negated }, start));
            }
        }
        if let (Ast::RowExpr(left), Ast::RowExpr(right)) = (ast::content(left_node)?, ast::content(right_node)?) {
            let left = self.bind_row_items(&left.args)?;
            let right = self.bind_row_items(&right.args)?;
            return self.distinct_rows(left, right, negated, location);
        }
        let left = self.bind_expr(left_node)?;
        let right = self.bind_expr(right_node)?;
        self.distinct_from(left, right, &name, negated, location)
    }

    fn distinct_rows(&mut self, left: Vec<Typed>, right: Vec<Typed>, negated: bool, location: i32) -> Result<Typed> {
        if left.len() != right.len() {
            let message = "unequal number of entries in row expressions";
            return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(ast::position(location)));
        }
        let mut terms = Vec::with_capacity(left.len());
        for (left, right) in left.into_iter().zip(right) {
            terms.push(self.distinct_from(left, right, &["="], negated, location)?.expr);
        }
        let expr = match (terms.is_empty(), negated) {
            (true, _) => Expr::constant(Datum::Bool(negated), SqlType::BOOL),
            (false, true) => Expr::And(terms),
            (false, false) => Expr::Or(terms),
        };
        Ok(Typed::new(expr, location))
    }

    pub(crate) fn bind_nullif(&mut self, expression: &AExpr) -> Result<Typed> {
        let left = self.bind_child(&expression.lexpr)?;
        let right = self.bind_child(&expression.rexpr)?;
        let location = expression.location;
        let (left, right, resolved) = self.equality(left, right, &ast::names(&expression.name), location)?;
        if resolved.result != Oid::BOOL {
            let message = "NULLIF requires = operator to yield boolean";
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message).at(ast::position(location)));
        }
        Ok(Typed::new(Expr::NullIf { left: Box::new(left), right: Box::new(right), equality: resolved.function }, location))
    }

    /// `x [NOT] IN (list)`: constants become one array comparison, the rest comparisons of their own.
    pub(crate) fn bind_in_list(&mut self, expression: &AExpr) -> Result<Typed> {
        let name = ast::names(&expression.name);
        let negated = name.last() == Some(&"<>");
        let location = expression.location;
        let left_node = ast::required(&expression.lexpr)?;
        let items = ast::list_items(ast::required(&expression.rexpr)?);
        if let Ast::RowExpr(row) = ast::content(left_node)? {
            return self.bind_row_in_list(&name, &row.args, items, negated, location);
        }
        let left = self.bind_expr(left_node)?;
        let start = ast::leftmost(location, left.location);
        let bound = self.bind_all(items)?;
        let (variable, fixed): (Vec<Typed>, Vec<Typed>) = bound.into_iter().partition(|item| !item.expr.columns().is_empty());
        let mut terms = Vec::new();
        let mut separate = variable;
        match self.in_array_type(&left, &fixed) {
            Some(element) => terms.push(self.compare_with_list(&name, left.clone(), fixed, element, negated, location)?.expr),
            None => separate = fixed.into_iter().chain(separate).collect(),
        }
        for item in separate {
            let compared = match item.expr {
                Expr::Row { fields, .. } if matches!(left.expr, Expr::Row { .. }) => {
                    let lefts = row_items(left.clone());
                    let rights = fields.into_iter().map(|field| Typed::new(field, item.location)).collect();
                    self.compare_rows(&name, lefts, rights, location)?
                }
                _ => self.apply_operator(&name, Some(left.clone()), item, location)?,
            };
            let position = ast::position(location);
            if compared.ty().oid != Oid::BOOL {
                let message = "argument of OR must be type boolean";
                return Err(Error::new(SqlState::DATATYPE_MISMATCH, message).at(position));
            }
            terms.push(compared.expr);
        }
        Ok(Typed::new(combine(terms, negated), start))
    }

    /// The element type when the fixed items of an IN list make one array.
    fn in_array_type(&self, left: &Typed, fixed: &[Typed]) -> Option<SqlType> {
        if fixed.len() < 2 {
            return None;
        }
        let types: Vec<Oid> = std::iter::once(left).chain(fixed).map(|typed| typed.ty().oid).collect();
        let common = common_type::select(&self.names, &types).ok()?;
        let all_fit = types.iter().all(|ty| coercion::can_coerce(&self.names, &[*ty], &[common], coercion::Context::Implicit));
        let is_row = common == Oid::RECORD || type_facts::is_composite(&self.names, common);
        let usable = all_fit && !is_row && type_facts::array(&self.names, common).is_some();
        usable.then(|| type_facts::sql_type(&self.names, common))
    }

    fn compare_with_list(
        &mut self,
        name: &[&str],
        left: Typed,
        items: Vec<Typed>,
        element: SqlType,
        negated: bool,
        location: i32,
    ) -> Result<Typed> {
        let array_type = type_facts::array(&self.names, element.oid)
            .ok_or_else(|| Error::internal("the element type of an IN list has an array type"))?;
        let converted: Vec<Expr> =
            items.into_iter().map(|item| self.coerce_to_common(item, element, "IN")).collect::<Result<_>>()?;
        let array = self.array_of(converted, array_type, element);
        self.apply_to_array(name, left, Typed::new(array, location), negated, location)
    }

    fn bind_row_in_list(&mut self, name: &[&str], left: &[Node], items: &[Node], negated: bool, location: i32) -> Result<Typed> {
        let left = self.bind_row_items(left)?;
        let mut terms = Vec::with_capacity(items.len());
        for item in items {
            let right = match ast::content(item)? {
                Ast::RowExpr(row) => self.bind_row_items(&row.args)?,
                _ => row_items(self.bind_expr(item)?),
            };
            terms.push(self.compare_rows(name, left.clone(), right, location)?.expr);
        }
        let start = left.first().map_or(location, |first| ast::leftmost(location, first.location));
        Ok(Typed::new(combine(terms, negated), start))
    }

    pub(crate) fn bind_between(&mut self, expression: &AExpr) -> Result<Typed> {
        let location = expression.location;
        let subject = self.bind_child(&expression.lexpr)?;
        let [low, high] = ast::list_items(ast::required(&expression.rexpr)?) else {
            return Err(Error::internal("BETWEEN has two bounds"));
        };
        let low = self.bind_expr(low)?;
        let high = self.bind_expr(high)?;
        let start = ast::leftmost(location, subject.location);
        // What one comparison decides of a parameter, the next one knows.
        let mut compare = |operator: &str, bound: &Typed| -> Result<Expr> {
            let (subject, bound) = (self.as_decided(&subject), self.as_decided(bound));
            Ok(self.apply_operator(&[operator], Some(subject), bound, location)?.expr)
        };
        let expr = match expression.kind() {
            AExprKind::AexprBetween => Expr::And(vec![compare(">=", &low)?, compare("<=", &high)?]),
            AExprKind::AexprNotBetween => Expr::Or(vec![compare("<", &low)?, compare(">", &high)?]),
            AExprKind::AexprBetweenSym => Expr::Or(vec![
                Expr::And(vec![compare(">=", &low)?, compare("<=", &high)?]),
                Expr::And(vec![compare(">=", &high)?, compare("<=", &low)?]),
            ]),
            _ => Expr::And(vec![
                Expr::Or(vec![compare("<", &low)?, compare(">", &high)?]),
                Expr::Or(vec![compare("<", &high)?, compare(">", &low)?]),
            ]),
        };
        Ok(Typed::new(expr, start))
    }
}

/// The fields of a row value, or the value itself as the only one.
pub(crate) fn row_items(typed: Typed) -> Vec<Typed> {
    let location = typed.location;
    match typed.expr {
        Expr::Row { fields, .. } => fields.into_iter().map(|field| Typed::new(field, location)).collect(),
        other => vec![Typed::new(other, location)],
    }
}

fn combine(mut terms: Vec<Expr>, negated: bool) -> Expr {
    match terms.len() {
        1 => terms.remove(0),
        _ if negated => Expr::And(terms),
        _ => Expr::Or(terms),
    }
}

impl Binder<'_> {
    /// An array of these elements; of constants, a constant, unless it is to print as what it was written.
    pub(crate) fn array_of(&self, elements: Vec<Expr>, ty: SqlType, element_type: SqlType) -> Expr {
        if self.analysing() {
            return Expr::Array { elements, ty, element_type, multidimensional: false };
        }
        folded_array(elements, ty, element_type)
    }
}

fn folded_array(elements: Vec<Expr>, ty: SqlType, element_type: SqlType) -> Expr {
    if elements.iter().all(|element| matches!(element, Expr::Constant { .. })) {
        let values = elements
            .into_iter()
            .map(|element| match element {
                Expr::Constant { value, .. } => value,
                _ => Datum::Null,
            })
            .collect();
        return Expr::Constant { value: Datum::Array(Arc::new(Array::one_dimensional(element_type, values))), ty };
    }
    Expr::Array { elements, ty, element_type, multidimensional: false }
}
