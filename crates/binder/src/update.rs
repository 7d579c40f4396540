//! UPDATE.

use catalog::Relation;
use expr::Expr;
use pg_query::protobuf::{MultiAssignRef, Node, SubLinkType, UpdateStmt, node::Node as Ast};
use plan::logical::{Given, JoinKind, LogicalPlan, Update};
use types::{Error, Result, SqlState};

use crate::{
    ExpressionKind, ast,
    from::FromTree,
    range_table::NamespaceItem,
    state::{Binder, Typed},
    subquery::BoundQuery,
    table_expression::Modification,
    writable_view::WriteTarget,
};

impl Binder<'_> {
    pub(crate) fn bind_update(&mut self, update: &UpdateStmt) -> Result<BoundQuery> {
        if let Some(with) = &update.with_clause {
            self.bind_with(with)?;
        }
        let range = ast::required(&update.relation)?;
        let target = self.bind_write_target(range, Modification::Update)?;
        let tree = self.bind_written_from(&target, &update.from_clause)?;
        let old_row = self.read_whole_row(target.base, &target.relation);
        let assignments = self.bind_assignments(&update.target_list, &target, &old_row)?;
        let filter = self.bind_written_where(&update.where_clause, &target)?;
        let level = self.levels.len() - 1;
        let row_id = self.row_identity(level, target.base);
        let mut row = self.bind_new_row(&target.relation)?;
        row.view_checks = self.view_checks(&target, &row.columns);
        // RETURNING may read further columns of FROM: it is bound before the scans are made.
        self.offer_new_row(&target, &row.columns);
        let (returning, bound) = self.bind_returning(&update.returning_clause)?;
        let mut source = self.build_from(Some(tree))?;
        if let Some(predicate) = filter {
            source = LogicalPlan::Filter { input: Box::new(source), predicate };
        }
        let relation = target.relation;
        let source = Box::new(source);
        let plan = LogicalPlan::Update(Update { relation, source, row_id, old_row, assignments, row, returning });
        Ok(bound.over(plan))
    }

    /// The FROM tree that the target begins; FROM items cannot see the target.
    pub(crate) fn bind_written_from(&mut self, target: &WriteTarget, from: &[Node]) -> Result<FromTree> {
        let item = NamespaceItem { lateral_only: true, lateral_ok: false, ..NamespaceItem::visible(target.visible) };
        self.level_mut().namespace.push(item);
        let tree = self.bind_from(from)?;
        let target = FromTree::Entry(target.base);
        Ok(match tree {
            None => target,
            Some(from) => {
                FromTree::Join { kind: JoinKind::Inner, left: Box::new(target), right: Box::new(from), condition: None }
            }
        })
    }

    /// WHERE of the statement and of the views that it goes through.
    pub(crate) fn bind_written_where(&mut self, clause: &Option<Box<Node>>, target: &WriteTarget) -> Result<Option<Expr>> {
        let mut terms: Vec<Expr> = target.view.iter().flat_map(|view| view.conditions.iter().cloned()).collect();
        terms.extend(self.bind_where(clause)?);
        Ok(match terms.len() {
            0 | 1 => terms.pop(),
            _ => Some(Expr::And(terms)),
        })
    }

    /// Asks the target's scan for all its attributes: the old row.
    pub(crate) fn read_whole_row(&mut self, entry: usize, relation: &Relation) -> Vec<Option<Given>> {
        let attributes = self.level().entries[entry].attributes.clone();
        let mut row = vec![None; relation.attributes.len()];
        for (at, given) in attributes {
            self.columns[given.id.0 as usize].used = true;
            row[at] = Some(given);
        }
        row
    }

    pub(crate) fn bind_where(&mut self, clause: &Option<Box<Node>>) -> Result<Option<Expr>> {
        match ast::present(clause) {
            Some(Node { node: Some(Ast::CurrentOfExpr(_)) }) => Err(Error::unsupported("WHERE CURRENT OF")),
            Some(node) => self.bind_condition(node, ExpressionKind::Where, "WHERE").map(Some),
            None => Ok(None),
        }
    }

    /// SET: attribute positions and their new values over the old row.
    pub(crate) fn bind_assignments(
        &mut self,
        nodes: &[Node],
        target_table: &WriteTarget,
        old_row: &[Option<Given>],
    ) -> Result<Vec<(usize, Expr)>> {
        let relation = &target_table.relation;
        let mut assignments: Vec<(usize, Expr)> = Vec::with_capacity(nodes.len());
        let mut whole: Vec<usize> = Vec::new();
        let mut fields: Vec<Typed> = Vec::new();
        for node in nodes {
            let Ast::ResTarget(target) = ast::content(node)? else { return Err(Error::internal("SET holds assignments")) };
            let value_node = ast::required(&target.val)?;
            let before = std::mem::replace(&mut self.level_mut().kind, ExpressionKind::UpdateSource);
            let value = self.bind_assigned_value(value_node, &mut fields);
            self.level_mut().kind = before;
            let value = value?;
            let at = self.written_attribute(target_table, &target.name, target.location)?;
            let attribute = &relation.attributes[at];
            let earlier = assignments.iter().position(|(known, _)| *known == at);
            if earlier.is_some() && (target.indirection.is_empty() || whole.contains(&at)) {
                let message = format!("multiple assignments to same column \"{}\"", attribute.name);
                return Err(Error::new(SqlState::SYNTAX_ERROR, message));
            }
            let Some(value) = value else {
                Self::refuse_part_default(&target.indirection, target.location)?;
                if attribute.generated.is_none() {
                    whole.push(at);
                    let default = self.column_default(relation, at)?;
                    assignments.push((at, default));
                }
                continue;
            };
            self.refuse_generated(relation, at, true, false)?;
            if target.indirection.is_empty() {
                whole.push(at);
                let expr = self.assign(value, relation, at)?;
                assignments.push((at, expr));
                continue;
            }
            let base = match earlier {
                Some(earlier) => assignments.remove(earlier).1,
                None => old_row[at].map_or_else(|| Expr::null(attribute.ty), |given| Expr::Column { id: given.id, ty: given.ty }),
            };
            let expr = self.assign_part(base, attribute.ty, &target.indirection, value, &attribute.name, target.location)?;
            assignments.push((at, expr));
        }
        let written: Vec<usize> = assignments.iter().map(|(at, _)| *at).collect();
        self.note_written(target_table, &written, Modification::Update);
        Ok(assignments)
    }

    /// The value of one SET item; None is DEFAULT. The fields of a multi-column source are kept between its items.
    fn bind_assigned_value(&mut self, node: &Node, fields: &mut Vec<Typed>) -> Result<Option<Typed>> {
        match ast::content(node)? {
            Ast::SetToDefault(_) => Ok(None),
            Ast::MultiAssignRef(reference) => self.bind_multiple(reference, fields),
            _ => self.bind_expr(node).map(Some),
        }
    }

    /// `(a, b) = ROW(...)` or `(a, b) = (SELECT ...)`: the item for one column.
    fn bind_multiple(&mut self, reference: &MultiAssignRef, fields: &mut Vec<Typed>) -> Result<Option<Typed>> {
        let source = ast::required(&reference.source)?;
        let wanted = usize::try_from(reference.ncolumns).unwrap_or(0);
        let at = usize::try_from(reference.colno).unwrap_or(1).saturating_sub(1);
        let mismatch = || {
            let message = "number of columns does not match number of values";
            Error::new(SqlState::SYNTAX_ERROR, message).at(ast::position(ast::location(source)))
        };
        match ast::content(source)? {
            Ast::RowExpr(row) => {
                let has_star =
                    row.args.iter().any(|node| !matches!(node.node, Some(Ast::SetToDefault(_)))) && row.args.len() != wanted;
                if has_star {
                    let items = self.bind_row_items(&row.args)?;
                    if items.len() != wanted {
                        return Err(mismatch());
                    }
                    return Ok(items.into_iter().nth(at));
                }
                match row.args.get(at) {
                    Some(item) if row.args.len() == wanted => match ast::content(item)? {
                        Ast::SetToDefault(_) => Ok(None),
                        _ => self.bind_expr(item).map(Some),
                    },
                    _ => Err(mismatch()),
                }
            }
            Ast::SubLink(link) if link.sub_link_type() == SubLinkType::ExprSublink => {
                if at == 0 {
                    *fields = self.bind_row_subquery(link)?;
                    if fields.len() != wanted {
                        return Err(mismatch());
                    }
                }
                Ok(fields.get(at).cloned())
            }
            _ => Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression",
            )
            .at(ast::position(ast::location(source)))),
        }
    }
}
