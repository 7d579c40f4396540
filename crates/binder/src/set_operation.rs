//! UNION, INTERSECT and EXCEPT: the sides' columns in common types, ordering by output names.

use expr::Expr;
use pg_query::protobuf::{SelectStmt, SetOperation as AstOperation};
use plan::{
    OutputColumn,
    analysed::{AnalysedQuery, SetTree},
    logical::{self, LogicalPlan, SetOperator},
};
use types::{Error, Oid, Result, SqlState, SqlType};

use crate::{
    analysis::set_side,
    ast, common_type,
    distinct::Distinct,
    group_by::Grouping,
    range_table::{EntryColumn, EntrySource, RangeEntry},
    state::{Binder, Typed},
    subquery::BoundQuery,
    target_list::Target,
};

impl Binder<'_> {
    /// A set operation with its ORDER BY and LIMIT, in the innermost level.
    pub(crate) fn bind_set_operation_statement(&mut self, select: &SelectStmt) -> Result<BoundQuery> {
        let resolve_unknowns = self.level().resolve_unknowns;
        let mut bound = self.bind_set_tree(select)?;
        if resolve_unknowns {
            for at in 0..bound.output.len() {
                if bound.output[at].ty.oid == Oid::UNKNOWN {
                    self.convert_output(&mut bound, at, |binder, typed| Ok(binder.unknown_to_text(typed)?.expr))?;
                }
            }
        }
        self.adopt(bound.ids());
        let columns = bound
            .output
            .iter()
            .map(|column| EntryColumn {
                name: column.name.clone(),
                expr: Expr::Column { id: column.id, ty: column.ty },
                origin: None,
            })
            .collect();
        // ORDER BY sees the output columns only, by their names.
        let entry = self.add_entry(RangeEntry::new(EntrySource::Join, "*SELECT*".into(), columns));
        let mut targets: Vec<Target> = bound
            .output
            .iter()
            .zip(&bound.locations)
            .map(|(column, location)| Target {
                expr: Expr::Column { id: column.id, ty: column.ty },
                name: column.name.clone(),
                location: *location,
                junk: false,
                references: 0..0,
            })
            .collect();
        let hidden = std::mem::take(&mut self.level_mut().namespace);
        self.level_mut().show(entry);
        let plain = targets.len();
        let keys = self.bind_order_by(&select.sort_clause, &mut targets)?;
        if targets.len() > plain {
            let at = targets.get(plain).map_or(-1, |target| target.location);
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause")
                .detail("Only result column names can be used, not expressions or functions.")
                .hint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
                .at(ast::position(at)));
        }
        self.level_mut().namespace = hidden;
        let limits = self.bind_limits(select)?;
        if let Some(clause) = select.locking_clause.first() {
            return Err(self.locking_refusal(clause, "UNION/INTERSECT/EXCEPT"));
        }
        let locks = self.bind_locking(select, &Grouping::default(), &Distinct::None)?;
        let analysed = self.analyse_set_operation(bound.analysed.take(), &keys, &limits);
        if keys.is_empty() && limits.is_empty() {
            return Ok(BoundQuery { analysed, ..bound });
        }
        Ok(BoundQuery { analysed, ..self.finish_select(bound.plan, targets, keys, Distinct::None, limits, locks) })
    }

    /// The tree of set operations below a statement.
    fn bind_set_tree(&mut self, select: &SelectStmt) -> Result<BoundQuery> {
        let (name, operator) = match select.op() {
            AstOperation::SetopUnion => ("UNION", SetOperator::Union),
            AstOperation::SetopIntersect => ("INTERSECT", SetOperator::Intersect),
            _ => ("EXCEPT", SetOperator::Except),
        };
        let (left, right) = (ast::required(&select.larg)?, ast::required(&select.rarg)?);
        let (left_is_leaf, right_is_leaf) = (is_leaf(left), is_leaf(right));
        let mut left = self.bind_side(left)?;
        let mut right = self.bind_side(right)?;
        if left.output.len() != right.output.len() {
            let at = right.locations.first().copied().unwrap_or(-1);
            let message = format!("each {name} query must have the same number of columns");
            return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(ast::position(at)));
        }
        let mut columns = Vec::with_capacity(left.output.len());
        let mut output = Vec::with_capacity(left.output.len());
        for at in 0..left.output.len() {
            let ty = self.unify_sides(&mut left, &mut right, at, name, select.all)?;
            let given = self.new_given(ty);
            columns.push(given);
            output.push(OutputColumn { id: given.id, name: left.output[at].name.clone(), ty, origin: None });
        }
        let locations = left.locations.clone();
        let tree = match (set_side(left.analysed.take(), left_is_leaf), set_side(right.analysed.take(), right_is_leaf)) {
            (Some(left), Some(right)) => Some(SetTree::Operation { operator, all: select.all, left, right }),
            _ => None,
        };
        let analysed = tree.map(|tree| Box::new(AnalysedQuery { set_operations: Some(tree), ..AnalysedQuery::default() }));
        let (left_columns, right_columns) = (left.ids(), right.ids());
        let plan = LogicalPlan::SetOperation(logical::SetOperation {
            operator,
            all: select.all,
            left: Box::new(left.plan),
            right: Box::new(right.plan),
            left_columns,
            right_columns,
            columns,
        });
        Ok(BoundQuery { plan, output, locations, analysed })
    }

    /// A side: a nested operation, or a query of its own level.
    fn bind_side(&mut self, select: &SelectStmt) -> Result<BoundQuery> {
        if !is_leaf(select) {
            return self.deeper(|binder| binder.bind_set_tree(select));
        }
        let bound = self.nested_level(|binder| {
            binder.level_mut().resolve_unknowns = false;
            binder.bind_select_statement(select)
        })?;
        self.adopt(bound.ids());
        Ok(bound)
    }

    /// Brings one column of both sides to the common type, which is returned.
    pub(crate) fn unify_sides(
        &mut self,
        left: &mut BoundQuery,
        right: &mut BoundQuery,
        at: usize,
        name: &str,
        all: bool,
    ) -> Result<SqlType> {
        let names = self.names.clone();
        let typed = |query: &BoundQuery| {
            let column = &query.output[at];
            Typed::new(Expr::Column { id: column.id, ty: column.ty }, query.locations.get(at).copied().unwrap_or(-1))
        };
        let pair = [typed(left), typed(right)];
        let common = common_type::select_for(&names, &pair, name)?;
        let typmod = common_type::common_modifier(pair.iter().map(Typed::ty), common.oid);
        for query in [&mut *left, &mut *right] {
            if query.output[at].ty.oid != common.oid {
                self.convert_output(query, at, |binder, typed| binder.coerce_to_common(typed, common, name))?;
            }
        }
        if !all {
            self.require_equality(common, pair[0].location)?;
        }
        Ok(common.with_typmod(typmod))
    }
}

/// Whether a side of a set operation is a query of its own, and no further operation.
pub(crate) fn is_leaf(select: &SelectStmt) -> bool {
    select.op() == AstOperation::SetopNone
        || !select.sort_clause.is_empty()
        || select.limit_count.is_some()
        || select.limit_offset.is_some()
        || !select.locking_clause.is_empty()
        || select.with_clause.is_some()
}
