//! GROUP BY: expressions, ordinals, aliases, and grouping sets.

use expr::Expr;
use pg_query::protobuf::{GroupingSetKind, Node, SelectStmt, node::Node as Ast};
use plan::analysed::AnalysedGrouping;
use types::{Error, Result, SqlState};

use crate::{ExpressionKind, ast, same, state::Binder, target_list::Target};

/// What a SELECT groups by.
#[derive(Debug, Default)]
pub(crate) struct Grouping {
    /// Grouping expressions, each once.
    pub(crate) expressions: Vec<Expr>,
    /// GROUPING SETS as positions in them; None: one set of all.
    pub(crate) sets: Option<Vec<Vec<usize>>>,
    pub(crate) present: bool,
    /// As written, when the query is analysed.
    pub(crate) analysed: AnalysedGrouping,
}

/// PostgreSQL's limit on expanded grouping sets.
const MOST_SETS: usize = 4096;

impl Binder<'_> {
    pub(crate) fn bind_group_by(&mut self, select: &SelectStmt, targets: &mut Vec<Target>) -> Result<Grouping> {
        let mut grouping = Grouping { present: !select.group_clause.is_empty(), ..Grouping::default() };
        let has_sets = select.group_clause.iter().any(|node| matches!(&node.node, Some(Ast::GroupingSet(_))));
        let mut expanded: Vec<Vec<usize>> = vec![Vec::new()];
        for node in &select.group_clause {
            let sets = self.group_item(node, &mut grouping.expressions, targets)?;
            if expanded.len().saturating_mul(sets.len()) > MOST_SETS {
                return Err(Error::new(
                    SqlState::STATEMENT_TOO_COMPLEX,
                    format!("too many grouping sets present (maximum {MOST_SETS})"),
                ));
            }
            expanded = product(&expanded, &sets);
        }
        if has_sets {
            if select.group_distinct {
                let mut seen: Vec<Vec<usize>> = Vec::new();
                expanded.retain(|set| {
                    let mut sorted = set.clone();
                    sorted.sort_unstable();
                    let new = !seen.contains(&sorted);
                    seen.push(sorted);
                    new
                });
            }
            grouping.sets = Some(expanded);
        }
        grouping.analysed = self.analyse_grouping(select, has_sets, &grouping.expressions, targets)?;
        Ok(grouping)
    }

    /// The grouping sets that one item stands for.
    fn group_item(&mut self, node: &Node, expressions: &mut Vec<Expr>, targets: &mut Vec<Target>) -> Result<Vec<Vec<usize>>> {
        match ast::content(node)? {
            Ast::RowExpr(row) => {
                let mut set = Vec::new();
                for item in &row.args {
                    for inner in self.group_item(item, expressions, targets)? {
                        push_all(&mut set, &inner);
                    }
                }
                Ok(vec![set])
            }
            Ast::GroupingSet(grouping) => {
                let mut items = Vec::new();
                for item in &grouping.content {
                    items.push(self.group_item(item, expressions, targets)?);
                }
                let single = |items: Vec<Vec<Vec<usize>>>| items.into_iter().map(|sets| sets.concat()).collect::<Vec<_>>();
                Ok(match grouping.kind() {
                    GroupingSetKind::GroupingSetEmpty => vec![Vec::new()],
                    GroupingSetKind::GroupingSetSimple => vec![single(items).concat()],
                    GroupingSetKind::GroupingSetRollup => {
                        let items = single(items);
                        (0..=items.len()).rev().map(|count| united(&items[..count])).collect()
                    }
                    GroupingSetKind::GroupingSetCube => {
                        let items = single(items);
                        if items.len() > 12 {
                            let message = "CUBE is limited to 12 elements";
                            return Err(Error::new(SqlState::TOO_MANY_COLUMNS, message).at(ast::position(grouping.location)));
                        }
                        (0..1usize << items.len())
                            .rev()
                            .map(|mask| {
                                let chosen: Vec<Vec<usize>> = items
                                    .iter()
                                    .enumerate()
                                    .filter(|(at, _)| mask & (1 << (items.len() - 1 - at)) != 0)
                                    .map(|(_, item)| item.clone())
                                    .collect();
                                united(&chosen)
                            })
                            .collect()
                    }
                    GroupingSetKind::GroupingSetSets => items.concat(),
                    GroupingSetKind::Undefined => return Err(Error::internal("grouping set of no kind")),
                })
            }
            _ => {
                let target = self.find_target(node, targets, ExpressionKind::GroupBy)?;
                let expr = targets[target].expr.clone();
                // An item that found an existing target may still hold what GROUP BY refuses.
                self.refuse_in_group_by(&expr, ast::location(node))?;
                self.require_equality(expr.ty(), ast::location(node))?;
                let at = match expressions.iter().position(|known| same::same(known, &expr)) {
                    Some(at) => at,
                    None => {
                        expressions.push(expr);
                        expressions.len() - 1
                    }
                };
                Ok(vec![vec![at]])
            }
        }
    }

    fn refuse_in_group_by(&self, expr: &Expr, location: i32) -> Result<()> {
        let level = self.level();
        let columns = expr.columns();
        if let Some(pending) = level.aggregates.iter().find(|pending| columns.contains(&pending.column)) {
            let message = "aggregate functions are not allowed in GROUP BY";
            return Err(Error::new(SqlState::GROUPING_ERROR, message).at(ast::position(pending.location)));
        }
        if let Some(pending) = level.window_calls.iter().find(|pending| columns.contains(&pending.column)) {
            let message = "window functions are not allowed in GROUP BY";
            let at = ast::leftmost(pending.location, if pending.location < 0 { location } else { -1 });
            return Err(Error::new(SqlState::WINDOWING_ERROR, message).at(ast::position(at)));
        }
        Ok(())
    }
}

fn push_all(set: &mut Vec<usize>, more: &[usize]) {
    for at in more {
        if !set.contains(at) {
            set.push(*at);
        }
    }
}

fn united(sets: &[Vec<usize>]) -> Vec<usize> {
    let mut all = Vec::new();
    sets.iter().for_each(|set| push_all(&mut all, set));
    all
}

fn product(left: &[Vec<usize>], right: &[Vec<usize>]) -> Vec<Vec<usize>> {
    left.iter().flat_map(|a| right.iter().map(move |b| united(&[a.clone(), b.clone()]))).collect()
}
