//! A semi or anti join above other joins moves to the one relation its condition reads.

use plan::logical::{Join, JoinKind, LogicalPlan};

use crate::columns::{output_ids, reads_any};

pub(crate) fn apply(join: Join) -> LogicalPlan {
    if !matches!(join.kind, JoinKind::Semi | JoinKind::Anti) || join.lateral {
        return LogicalPlan::Join(join);
    }
    let Some(condition) = &join.condition else { return LogicalPlan::Join(join) };
    let LogicalPlan::Join(below) = &*join.left else { return LogicalPlan::Join(join) };
    let (reads_left, reads_right) =
        (reads_any(condition, &output_ids(&below.left)), reads_any(condition, &output_ids(&below.right)));
    let into_left = reads_left && !reads_right && matches!(below.kind, JoinKind::Inner | JoinKind::Left);
    let into_right = reads_right && !reads_left && !below.lateral && matches!(below.kind, JoinKind::Inner | JoinKind::Right);
    let Join { kind, left, right, condition, lateral, null_aware } = join;
    let LogicalPlan::Join(mut below) = *left else { unreachable!("looked at above") };
    let moved = |input| {
        Box::new(apply(Join { kind, left: input, right: right.clone(), condition: condition.clone(), lateral, null_aware }))
    };
    if into_left {
        below.left = moved(below.left);
        LogicalPlan::Join(below)
    } else if into_right {
        below.right = moved(below.right);
        LogicalPlan::Join(below)
    } else {
        LogicalPlan::Join(Join { kind, left: Box::new(LogicalPlan::Join(below)), right, condition, lateral, null_aware })
    }
}
