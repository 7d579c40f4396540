//! ORDER BY: items that mean output columns (by number or alias) or expressions of their own (parse_clause.c).

use expr::{Expr, SortKey};
use pg_query::protobuf::{Node, SortBy, SortByDir, SortByNulls, a_const::Val, node::Node as Ast};
use types::{Error, Oid, Result, SqlState};

use crate::{
    ExpressionKind, ast, operator, same,
    state::{Binder, Typed},
    target_list::Target,
};

/// A sort item that names a target by position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SortTarget {
    pub(crate) target: usize,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

fn direction(sort: &SortBy) -> Result<(bool, bool)> {
    let descending = match sort.sortby_dir() {
        SortByDir::SortbyDesc => true,
        SortByDir::SortbyUsing => {
            let name = ast::names(&sort.use_op);
            operator::ordering_direction(&name).ok_or_else(|| {
                Error::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("operator {} is not a valid ordering operator", name.last().copied().unwrap_or("")),
                )
                .hint("Ordering operators must be \"<\" or \">\" members of btree operator families.")
                .at(ast::position(sort.location))
            })?
        }
        _ => false,
    };
    let nulls_first = match sort.sortby_nulls() {
        SortByNulls::SortbyNullsFirst => true,
        SortByNulls::SortbyNullsLast => false,
        _ => descending,
    };
    Ok((descending, nulls_first))
}

impl Binder<'_> {
    fn sort_by<'n>(&self, node: &'n Node) -> Result<&'n SortBy> {
        match ast::content(node)? {
            Ast::SortBy(sort) => Ok(sort),
            _ => Err(Error::internal("ORDER BY holds sort items")),
        }
    }

    /// A sort item as an expression (SQL99 rules): for aggregates and windows.
    pub(crate) fn bind_sort_item(&mut self, node: &Node) -> Result<(Typed, SortKey)> {
        let sort = self.sort_by(node)?;
        let typed = self.bind_child(&sort.node)?;
        let typed = self.unknown_to_text(typed)?;
        let key = self.sort_key(node, typed.expr.clone(), typed.location)?;
        Ok((typed, key))
    }

    /// A key with the direction of a sort item.
    pub(crate) fn sort_key(&self, node: &Node, expression: Expr, location: i32) -> Result<SortKey> {
        let (descending, nulls_first) = direction(self.sort_by(node)?)?;
        self.require_ordering(expression.ty(), location)?;
        let collation = self.collation_of(std::iter::once(&expression));
        Ok(SortKey { expression, descending, nulls_first, collation })
    }

    /// ORDER BY of a SELECT: each item is a target; new expressions become junk targets.
    pub(crate) fn bind_order_by(&mut self, clause: &[Node], targets: &mut Vec<Target>) -> Result<Vec<SortTarget>> {
        let mut keys: Vec<SortTarget> = Vec::with_capacity(clause.len());
        for node in clause {
            let sort = self.sort_by(node)?;
            let item = ast::required(&sort.node)?;
            let target = self.find_target(item, targets, ExpressionKind::OrderBy)?;
            let (descending, nulls_first) = direction(sort)?;
            let location = ast::location(item);
            self.require_ordering(targets[target].expr.ty(), location)?;
            // A key that repeats an earlier one orders nothing.
            if !keys.iter().any(|key| key.target == target) {
                keys.push(SortTarget { target, descending, nulls_first });
            }
        }
        Ok(keys)
    }

    /// The target that an item of ORDER BY, GROUP BY or DISTINCT ON means (findTargetlistEntrySQL92); a new junk one if none.
    pub(crate) fn find_target(&mut self, item: &Node, targets: &mut Vec<Target>, kind: ExpressionKind) -> Result<usize> {
        let clause = kind.clause();
        let position = ast::position(ast::location(item));
        match ast::content(item)? {
            Ast::ColumnRef(reference) if reference.fields.len() == 1 => {
                if let Some(name) = reference.fields.first().and_then(ast::text) {
                    // SQL92's alias rule; in GROUP BY a column of FROM comes first.
                    let shadowed = kind == ExpressionKind::GroupBy && self.is_own_column(name, reference.location)?;
                    if !shadowed && let Some(at) = self.target_named(name, targets, clause, position)? {
                        return Ok(at);
                    }
                }
            }
            Ast::AConst(constant) => match &constant.val {
                Some(Val::Ival(integer)) => {
                    let ordinal = usize::try_from(integer.ival).unwrap_or(0);
                    let mut plain = targets.iter().enumerate().filter(|(_, target)| !target.junk);
                    return match ordinal.checked_sub(1).and_then(|at| plain.nth(at)) {
                        Some((at, _)) => Ok(at),
                        None => {
                            let message = format!("{clause} position {} is not in select list", integer.ival);
                            Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(position))
                        }
                    };
                }
                None if !constant.isnull => {
                    let message = format!("{clause} position 0 is not in select list");
                    return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(position));
                }
                _ => {
                    let message = format!("non-integer constant in {clause}");
                    return Err(Error::new(SqlState::SYNTAX_ERROR, message).at(position));
                }
            },
            _ => {}
        }
        self.find_expression_target(item, targets, kind)
    }

    /// The target of an expression, matched by structure; a new junk one if none (findTargetlistEntrySQL99).
    pub(crate) fn find_expression_target(
        &mut self,
        item: &Node,
        targets: &mut Vec<Target>,
        kind: ExpressionKind,
    ) -> Result<usize> {
        let before = self.level().references.len();
        let typed = self.bind_kind(item, kind)?;
        if let Some(at) = targets.iter().position(|target| same::same(same::strip_implicit(&target.expr), &typed.expr)) {
            return Ok(at);
        }
        let typed = self.unknown_to_text(typed)?;
        let after = self.level().references.len();
        targets.push(Target {
            expr: typed.expr,
            name: "?column?".into(),
            location: typed.location,
            junk: true,
            references: before..after,
        });
        Ok(targets.len() - 1)
    }

    fn target_named(&self, name: &str, targets: &[Target], clause: &str, position: Option<usize>) -> Result<Option<usize>> {
        let mut found: Option<usize> = None;
        for (at, target) in targets.iter().enumerate() {
            if target.junk || *target.name != *name {
                continue;
            }
            match found {
                Some(before) if !same::same(&targets[before].expr, &target.expr) => {
                    let message = format!("{clause} \"{name}\" is ambiguous");
                    return Err(Error::new(SqlState::AMBIGUOUS_COLUMN, message).at(position));
                }
                Some(_) => {}
                None => found = Some(at),
            }
        }
        Ok(found)
    }

    /// Whether a bare name is a column of the innermost level's FROM.
    fn is_own_column(&mut self, name: &str, location: i32) -> Result<bool> {
        let outer = self.levels.drain(..self.levels.len() - 1).collect::<Vec<_>>();
        let mark = self.level().references.len();
        let found = self.find_column(name, location);
        self.level_mut().references.truncate(mark);
        self.levels.splice(0..0, outer);
        found.map(|column| column.is_some())
    }

    /// The unknown literals of ORDER BY's operator checks need a type.
    pub(crate) fn collation_of_column(&self, ty: types::SqlType) -> Oid {
        if crate::type_facts::is_collatable(&self.names, ty.oid) { Oid::DEFAULT_COLLATION } else { Oid::INVALID }
    }
}
