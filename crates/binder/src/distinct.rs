//! DISTINCT and DISTINCT ON.

use expr::Expr;
use pg_query::protobuf::Node;
use types::{Datum, Error, Result, SqlState, SqlType};

use crate::{
    ExpressionKind, ast,
    order_by::SortTarget,
    state::{Binder, Typed},
    target_list::Target,
};

/// A DISTINCT clause over targets.
#[derive(Debug)]
pub(crate) enum Distinct {
    None,
    All,
    /// Targets by position.
    On(Vec<usize>),
}

impl Binder<'_> {
    pub(crate) fn bind_distinct_clause(
        &mut self,
        clause: &[Node],
        targets: &mut Vec<Target>,
        keys: &[SortTarget],
    ) -> Result<Distinct> {
        if clause.is_empty() {
            return Ok(Distinct::None);
        }
        // Plain DISTINCT is a list of one empty node.
        if clause.iter().all(|node| node.node.is_none()) {
            for target in targets.iter_mut().filter(|target| !target.junk) {
                let expr = std::mem::replace(&mut target.expr, Expr::constant(Datum::Null, SqlType::UNKNOWN));
                target.expr = self.unknown_to_text(Typed::new(expr, target.location))?.expr;
                self.require_equality(target.expr.ty(), target.location)?;
            }
            if let Some(key) = keys.iter().find(|key| targets[key.target].junk) {
                let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
                let at = ast::position(targets[key.target].location);
                return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(at));
            }
            return Ok(Distinct::All);
        }
        let mut on = Vec::with_capacity(clause.len());
        for node in clause {
            let target = self.find_target(node, targets, ExpressionKind::DistinctOn)?;
            self.require_equality(targets[target].expr.ty(), ast::location(node))?;
            if !on.contains(&target) {
                on.push(target);
            }
        }
        // ORDER BY must begin with the ON expressions, in any order.
        let leading = keys.iter().take_while(|key| on.contains(&key.target)).count();
        if leading < keys.len() && leading < on.len() {
            let message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions";
            let missing = on.iter().find(|target| !keys[..leading].iter().any(|key| key.target == **target));
            let at = missing
                .and_then(|target| on.iter().position(|known| known == target))
                .map_or(-1, |at| ast::location(&clause[at]));
            return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(ast::position(at)));
        }
        Ok(Distinct::On(on))
    }
}
