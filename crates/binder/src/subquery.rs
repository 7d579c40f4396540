//! Subqueries in expressions: EXISTS, IN, ANY/ALL, scalar, ARRAY(), row comparisons.

use expr::{
    ColumnId, Expr,
    expression::{Subquery, SubqueryKind},
};
use pg_query::protobuf::{Node, SubLink, SubLinkType, node::Node as Ast};
use plan::{
    OutputColumn,
    analysed::AnalysedQuery,
    logical::{Computed, LogicalPlan},
};
use types::{Error, Result, SqlState, SqlType};

use crate::{
    ast,
    operator::{self, operator_name},
    plan_walk,
    special_form::row_items,
    state::{Binder, Level, Typed},
    type_facts,
};

/// A query that has been bound: its plan and what it gives.
#[derive(Debug)]
pub(crate) struct BoundQuery {
    pub(crate) plan: LogicalPlan,
    pub(crate) output: Vec<OutputColumn>,
    /// Where each output expression begins in the text.
    pub(crate) locations: Vec<i32>,
    /// What it was written as, when it has been analysed.
    pub(crate) analysed: Option<Box<AnalysedQuery>>,
}

impl BoundQuery {
    pub(crate) fn ids(&self) -> Vec<ColumnId> {
        self.output.iter().map(|column| column.id).collect()
    }
}

impl Binder<'_> {
    /// Binds a query as a level below the current one.
    pub(crate) fn bind_nested(&mut self, node: &Node) -> Result<BoundQuery> {
        self.bind_nested_with(node, true)
    }

    pub(crate) fn bind_nested_with(&mut self, node: &Node, resolve_unknowns: bool) -> Result<BoundQuery> {
        let Ast::SelectStmt(select) = ast::content(node)? else {
            return Err(Error::internal("a subquery is a SELECT"));
        };
        self.nested_level(|binder| {
            binder.level_mut().resolve_unknowns = resolve_unknowns;
            binder.bind_select_statement(select)
        })
    }

    /// Runs with one more level on the stack.
    pub(crate) fn nested_level<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.levels.push(Level::new());
        let result = self.deeper(run);
        self.levels.pop();
        result
    }

    /// Columns of outer levels that a plan of the level below the current one reads.
    fn correlation(&self, plan: &LogicalPlan) -> Vec<(ColumnId, SqlType)> {
        let inner_depth = self.depth() + 1;
        plan_walk::columns_read(plan, &|id| self.column_depth(id) < inner_depth)
    }

    fn subquery(&mut self, plan: LogicalPlan, output: Vec<ColumnId>, kind: SubqueryKind, ty: SqlType) -> Expr {
        let outer = self.correlation(&plan);
        let plan = self.new_subplan(plan, output);
        Expr::Subquery(Box::new(Subquery { plan, kind, ty, outer }))
    }

    pub(crate) fn bind_sublink(&mut self, link: &SubLink) -> Result<Typed> {
        let position = ast::position(link.location);
        if let Some(refusal) = self.level().kind.subquery_refusal() {
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, refusal).at(position));
        }
        let query = ast::required(&link.subselect)?;
        match link.sub_link_type() {
            SubLinkType::AnySublink => return self.bind_quantified(link, query, false),
            SubLinkType::AllSublink => return self.bind_quantified(link, query, true),
            _ => {}
        }
        let mut bound = self.bind_nested(query)?;
        let analysed = bound.analysed.take();
        let expr = match link.sub_link_type() {
            SubLinkType::ExistsSublink => self.subquery(bound.plan, Vec::new(), SubqueryKind::Exists, SqlType::BOOL),
            SubLinkType::ExprSublink => {
                let ty = only_column(&bound, position)?;
                let output = bound.ids();
                self.subquery(bound.plan, output, SubqueryKind::Scalar, ty)
            }
            SubLinkType::ArraySublink => {
                let element_type = only_column(&bound, position)?;
                // Arrays of arrays are arrays of one more dimension.
                let is_array = type_facts::element(&self.names, element_type.oid).is_some();
                let ty = match type_facts::array(&self.names, element_type.oid) {
                    Some(array) => array,
                    None if is_array => element_type,
                    None => {
                        let name = self.names.format_type_oid(element_type.oid);
                        let message = format!("could not find array type for data type {name}");
                        return Err(Error::new(SqlState::UNDEFINED_OBJECT, message).at(position));
                    }
                };
                let element_type = type_facts::element(&self.names, element_type.oid).unwrap_or(element_type);
                let output = bound.ids();
                self.subquery(bound.plan, output, SubqueryKind::Array { element_type }, ty)
            }
            _ => return Err(Error::unsupported("this kind of subquery").at(position)),
        };
        self.note_subquery(&expr, analysed, None);
        Ok(Typed::new(expr, link.location))
    }

    /// `left operator ANY/ALL (query)`; IN has no operator.
    fn bind_quantified(&mut self, link: &SubLink, query: &Node, all: bool) -> Result<Typed> {
        let mut bound = self.bind_nested(query)?;
        let analysed = bound.analysed.take();
        let test = ast::required(&link.testexpr)?;
        let left = match ast::content(test)? {
            Ast::RowExpr(row) => self.bind_row_items(&row.args)?,
            _ => {
                let typed = self.bind_expr(test)?;
                if bound.output.len() > 1 { row_items(self.spread_row(typed)) } else { vec![typed] }
            }
        };
        let names = operator_name(&link.oper_name);
        let name: &[&str] = if names.is_empty() { &["="] } else { &names };
        let position = ast::position(link.location);
        if left.len() != bound.output.len() {
            let message =
                if left.len() < bound.output.len() { "subquery has too many columns" } else { "subquery has too few columns" };
            return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(position));
        }
        let start = left.first().map_or(link.location, |first| ast::leftmost(link.location, first.location));
        let bare = name.last().copied().unwrap_or("");
        if left.len() > 1 && !matches!(bare, "=" | "<>" | "!=") {
            return Err(Error::unsupported("an ordering comparison of rows with ANY or ALL of a subquery").at(position));
        }
        let (lefts, functions, plan, output) = self.compare_columns(name, left, bound, link.location)?;
        let kind = SubqueryKind::Compare { left: lefts, functions, all, combine_or: matches!(bare, "<>" | "!=") };
        let expr = self.subquery(plan, output, kind, SqlType::BOOL);
        self.note_subquery(&expr, analysed, Some(if bare == "!=" { "<>" } else { bare }));
        Ok(Typed::new(expr, start))
    }

    /// Resolves one comparison a column, converting the left sides here and the subquery's columns in its plan.
    fn compare_columns(
        &mut self,
        name: &[&str],
        left: Vec<Typed>,
        bound: BoundQuery,
        location: i32,
    ) -> Result<(Vec<Expr>, Vec<&'static catalog::builtin::BuiltinFunction>, LogicalPlan, Vec<ColumnId>)> {
        let names = self.names.clone();
        let (mut lefts, mut functions, mut columns) = (Vec::new(), Vec::new(), Vec::new());
        let mut converts = false;
        for (left, column) in left.into_iter().zip(&bound.output) {
            let resolved = operator::resolve(&names, name, &[left.ty().oid, column.ty.oid], location)?;
            if resolved.result != types::Oid::BOOL {
                let message = format!(
                    "row comparison operator must yield type boolean, not type {}",
                    names.format_type_oid(resolved.result)
                );
                return Err(Error::new(SqlState::DATATYPE_MISMATCH, message).at(ast::position(location)));
            }
            let right = Typed::new(Expr::Column { id: column.id, ty: column.ty }, -1);
            let mut converted = self.convert_arguments(vec![left, right], &resolved.types)?.into_iter();
            lefts.extend(converted.next());
            functions.push(resolved.function);
            let expression = converted.next().ok_or_else(|| Error::internal("two arguments were converted"))?;
            let passed_on = matches!(expression, Expr::Column { .. });
            converts |= !passed_on;
            let id = if passed_on { column.id } else { self.new_column_at(self.depth() + 1) };
            columns.push(Computed { id, expression });
        }
        let output = columns.iter().map(|column| column.id).collect();
        let plan = if converts { LogicalPlan::Project { input: Box::new(bound.plan), columns } } else { bound.plan };
        Ok((lefts, functions, plan, output))
    }

    /// `(a, b) operator (SELECT x, y ...)`: the subquery's row, compared column by column.
    pub(crate) fn bind_row_subquery_comparison(
        &mut self,
        name: &[&str],
        left: Vec<Typed>,
        link: &SubLink,
        location: i32,
    ) -> Result<Typed> {
        let right = self.bind_row_subquery(link)?;
        let position = ast::position(link.location);
        if left.len() != right.len() {
            let message = if left.len() < right.len() { "subquery has too many columns" } else { "subquery has too few columns" };
            return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(position));
        }
        self.compare_rows(name, left, right, location)
    }

    /// The columns of a subquery that gives one row, as fields of that row.
    pub(crate) fn bind_row_subquery(&mut self, link: &SubLink) -> Result<Vec<Typed>> {
        let mut bound = self.bind_nested(ast::required(&link.subselect)?)?;
        let analysed = bound.analysed.take();
        let output = bound.ids();
        let types: Vec<SqlType> = bound.output.iter().map(|column| column.ty).collect();
        let row = self.subquery(bound.plan, output, SubqueryKind::Row, SqlType::RECORD);
        self.note_subquery(&row, analysed, None);
        Ok(types
            .into_iter()
            .enumerate()
            .map(|(field, ty)| Typed::new(Expr::Field { operand: Box::new(row.clone()), field, ty }, link.location))
            .collect())
    }
}

fn only_column(bound: &BoundQuery, position: Option<usize>) -> Result<SqlType> {
    match &bound.output[..] {
        [column] => Ok(column.ty),
        [] => Err(Error::new(SqlState::SYNTAX_ERROR, "subquery must return a column").at(position)),
        _ => Err(Error::new(SqlState::SYNTAX_ERROR, "subquery must return only one column").at(position)),
    }
}
