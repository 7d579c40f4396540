//! Walking over logical plans.

use crate::logical::LogicalPlan;

impl LogicalPlan {
    /// The direct inputs of the operator.
    pub fn inputs(&self) -> Vec<&LogicalPlan> {
        use LogicalPlan as P;
        match self {
            P::Scan(_)
            | P::SystemScan { .. }
            | P::Values { .. }
            | P::FunctionScan(_)
            | P::CteScan { .. }
            | P::WorkTable { .. } => Vec::new(),
            P::Filter { input, .. }
            | P::Project { input, .. }
            | P::ProjectSet { input, .. }
            | P::Window { input, .. }
            | P::Sort { input, .. }
            | P::Distinct { input, .. }
            | P::Limit { input, .. }
            | P::LockRows { input, .. } => vec![input],
            P::Join(join) => vec![&join.left, &join.right],
            P::Aggregate(aggregate) => vec![&aggregate.input],
            P::SetOperation(operation) => vec![&operation.left, &operation.right],
            P::RecursiveUnion { initial, recursive, .. } => vec![initial, recursive],
            P::Insert(insert) => vec![&insert.source],
            P::Update(update) => vec![&update.source],
            P::Delete(delete) => vec![&delete.source],
        }
    }
}
