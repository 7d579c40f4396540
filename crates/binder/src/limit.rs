//! LIMIT, OFFSET and FETCH FIRST.

use expr::{Expr, SortKey};
use pg_query::protobuf::{LimitOption, Node, SelectStmt, node::Node as Ast};
use types::{Error, Result, SqlState, SqlType};

use crate::{ExpressionKind, ast, state::Binder};

/// Bound LIMIT and OFFSET.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    pub(crate) limit: Option<Expr>,
    pub(crate) offset: Option<Expr>,
    pub(crate) with_ties: bool,
}

impl Limits {
    pub(crate) fn is_empty(&self) -> bool {
        self.limit.is_none() && self.offset.is_none()
    }

    /// The operator over a plan whose order `keys` describe.
    pub(crate) fn over(self, input: plan::logical::LogicalPlan, keys: Vec<SortKey>) -> plan::logical::LogicalPlan {
        if self.is_empty() {
            return input;
        }
        let with_ties = self.with_ties.then_some(keys);
        plan::logical::LogicalPlan::Limit { input: Box::new(input), limit: self.limit, offset: self.offset, with_ties }
    }
}

impl Binder<'_> {
    pub(crate) fn bind_limits(&mut self, select: &SelectStmt) -> Result<Limits> {
        let offset = self.bind_limit(&select.limit_offset, ExpressionKind::Offset, "OFFSET")?;
        let with_ties = select.limit_option() == LimitOption::WithTies;
        let limit = self.bind_limit(&select.limit_count, ExpressionKind::Limit, "LIMIT")?;
        if with_ties && ast::present(&select.limit_count).is_some_and(is_null) {
            let message = "row count cannot be null in FETCH FIRST ... WITH TIES clause";
            return Err(Error::new(SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, message));
        }
        if with_ties && select.sort_clause.is_empty() {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "WITH TIES cannot be specified without ORDER BY clause"));
        }
        Ok(Limits { limit, offset, with_ties })
    }

    fn bind_limit(&mut self, node: &Option<Box<Node>>, kind: ExpressionKind, construct: &str) -> Result<Option<Expr>> {
        let Some(node) = ast::present(node) else { return Ok(None) };
        // LIMIT ALL is a NULL constant.
        if is_null(node) {
            return Ok(self.analysing().then(|| Expr::null(SqlType::INT8)));
        }
        let typed = self.bind_kind(node, kind)?;
        let location = typed.location;
        let expr = self.coerce_to_specific(typed, SqlType::INT8, construct)?;
        self.refuse_own_columns(&expr, construct, location)?;
        Ok(Some(expr))
    }
}

fn is_null(node: &Node) -> bool {
    matches!(&node.node, Some(Ast::AConst(constant)) if constant.isnull)
}
