//! Which statements run again on a fresh view after a wait, at READ COMMITTED.
//!
//! The rule is PostgreSQL's: a statement goes on with the view it began with, in which only the rows it wants are as they are now
//! (`txn::Transaction::resume_statement`). Two kinds do better without the old view. INSERT ... ON CONFLICT must see the row that it met.
//! And for the update of one row by its key the two come to the same, while a view kept over the wait would make every commit copy.

use plan::{
    Query,
    physical::{Operator, PhysicalPlan},
};

pub(super) fn starts_afresh(query: &Query<PhysicalPlan>) -> bool {
    let plans = || std::iter::once(&query.root).chain(query.ctes.iter().map(|cte| &cte.plan));
    plans().any(meets_conflicts) || (query.subplans.is_empty() && query.ctes.is_empty() && is_of_one_row(&query.root))
}

fn meets_conflicts(plan: &PhysicalPlan) -> bool {
    matches!(&plan.operator, Operator::Insert(insert) if insert.on_conflict.is_some())
        || plan.inputs().into_iter().any(meets_conflicts)
}

fn is_of_one_row(plan: &PhysicalPlan) -> bool {
    match &plan.operator {
        Operator::Update(update) => is_of_one_row(&update.source),
        Operator::Delete(delete) => is_of_one_row(&delete.source),
        Operator::Project { input, .. } | Operator::Filter { input, .. } | Operator::LockRows { input, .. } => {
            is_of_one_row(input)
        }
        Operator::IndexScan(scan) => scan.unique && scan.any_of.is_none(),
        _ => false,
    }
}
