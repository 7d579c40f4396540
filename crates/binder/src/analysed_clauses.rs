//! The clauses of a SELECT as analysis keeps them (`plan::analysed`).

use expr::Expr;
use pg_query::protobuf::{GroupingSetKind, Node, SelectStmt, node::Node as Ast};
use plan::analysed::{AnalysedDistinct, AnalysedGrouping, AnalysedLock, AnalysedQuery, AnalysedSort, AnalysedTarget, GroupItem};
use types::Result;

use crate::{
    ExpressionKind, ast, distinct::Distinct, group_by::Grouping, limit::Limits, order_by::SortTarget, state::Binder,
    target_list::Target, window::WindowDefinition,
};

/// The clauses of a SELECT, bound and not yet planned.
pub(crate) struct SelectClauses<'c> {
    pub(crate) targets: &'c [Target],
    pub(crate) filter: &'c Option<Expr>,
    pub(crate) grouping: &'c Grouping,
    pub(crate) having: &'c Option<Expr>,
    pub(crate) keys: &'c [SortTarget],
    pub(crate) distinct: &'c Distinct,
    pub(crate) limits: &'c Limits,
}

impl Binder<'_> {
    /// The innermost level's query, when it is analysed.
    pub(crate) fn analyse_select(&mut self, clauses: SelectClauses<'_>) -> Option<Box<AnalysedQuery>> {
        let locks = self.level().shape.locks.clone();
        let windows = self.level().windows.iter().filter_map(WindowDefinition::analysed).collect();
        let mut query = self.analyse_level()?;
        query.targets = clauses.targets.iter().map(analysed_target).collect();
        query.filter.clone_from(clauses.filter);
        query.group_by = clauses.grouping.analysed.clone();
        query.having.clone_from(clauses.having);
        query.windows = windows;
        query.distinct = analysed_distinct(clauses.distinct, clauses.keys);
        add_order(&mut query, clauses.keys, clauses.limits);
        query.locks = locks.into_iter().map(|(item, strength, wait)| AnalysedLock { item, strength, wait }).collect();
        Some(Box::new(query))
    }

    /// The innermost level's set operation with its own ORDER BY and LIMIT.
    pub(crate) fn analyse_set_operation(
        &mut self,
        tree: Option<Box<AnalysedQuery>>,
        keys: &[SortTarget],
        limits: &Limits,
    ) -> Option<Box<AnalysedQuery>> {
        let mut query = self.analyse_level()?;
        query.set_operations = tree?.set_operations;
        add_order(&mut query, keys, limits);
        Some(Box::new(query))
    }

    /// GROUP BY as written.
    pub(crate) fn analyse_grouping(
        &mut self,
        select: &SelectStmt,
        has_sets: bool,
        expressions: &[Expr],
        targets: &mut Vec<Target>,
    ) -> Result<AnalysedGrouping> {
        if !self.analysing() || !has_sets {
            return Ok(AnalysedGrouping::Plain(if self.analysing() { expressions.to_vec() } else { Vec::new() }));
        }
        let mut items = Vec::with_capacity(select.group_clause.len());
        for node in &select.group_clause {
            match ast::content(node)? {
                // A row of its own is only its columns.
                Ast::RowExpr(row) => {
                    for node in &row.args {
                        items.push(self.analyse_group_item(node, targets)?);
                    }
                }
                _ => items.push(self.analyse_group_item(node, targets)?),
            }
        }
        Ok(AnalysedGrouping::Sets { distinct: select.group_distinct, items })
    }

    fn analyse_group_item(&mut self, node: &Node, targets: &mut Vec<Target>) -> Result<GroupItem> {
        match ast::content(node)? {
            Ast::RowExpr(row) => {
                let mut expressions = Vec::with_capacity(row.args.len());
                for node in &row.args {
                    let target = self.find_target(node, targets, ExpressionKind::GroupBy)?;
                    expressions.push(targets[target].expr.clone());
                }
                Ok(GroupItem::Simple(expressions))
            }
            Ast::GroupingSet(set) => {
                let mut items = Vec::with_capacity(set.content.len());
                for node in &set.content {
                    items.push(self.analyse_group_item(node, targets)?);
                }
                Ok(match set.kind() {
                    GroupingSetKind::GroupingSetRollup => GroupItem::Rollup(items),
                    GroupingSetKind::GroupingSetCube => GroupItem::Cube(items),
                    GroupingSetKind::GroupingSetSets => GroupItem::Sets(items),
                    _ => GroupItem::Empty,
                })
            }
            _ => {
                let target = self.find_target(node, targets, ExpressionKind::GroupBy)?;
                Ok(GroupItem::Simple(vec![targets[target].expr.clone()]))
            }
        }
    }
}

fn analysed_target(target: &Target) -> AnalysedTarget {
    AnalysedTarget { expression: target.expr.clone(), name: target.name.clone(), junk: target.junk }
}

/// DISTINCT ON has the expressions that ORDER BY begins with first, in its order.
fn analysed_distinct(distinct: &Distinct, keys: &[SortTarget]) -> AnalysedDistinct {
    match distinct {
        Distinct::None => AnalysedDistinct::None,
        Distinct::All => AnalysedDistinct::All,
        Distinct::On(on) => {
            let ordered: Vec<usize> = keys.iter().map(|key| key.target).take_while(|target| on.contains(target)).collect();
            let others = on.iter().copied().filter(|target| !ordered.contains(target));
            AnalysedDistinct::On(ordered.iter().copied().chain(others).collect())
        }
    }
}

fn add_order(query: &mut AnalysedQuery, keys: &[SortTarget], limits: &Limits) {
    let sort = |key: &SortTarget| AnalysedSort { target: key.target, descending: key.descending, nulls_first: key.nulls_first };
    query.order_by = keys.iter().map(sort).collect();
    query.limit.clone_from(&limits.limit);
    query.offset.clone_from(&limits.offset);
    query.with_ties = limits.with_ties;
}
