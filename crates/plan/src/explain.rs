//! Prints physical plans as PostgreSQL's EXPLAIN does.
//!
//! 1. [`node`] turns operators into PostgreSQL's plan nodes: filters and projections have none of their own.
//! 2. [`text`] and [`json`] print the nodes.

mod columns;
mod json;
mod node;
mod text;

use catalog::type_names::Names;
use types::FormatSettings;

use crate::{physical::PhysicalPlan, statement::Query};

/// EXPLAIN's options.
#[derive(Clone, Copy, Debug)]
pub struct ExplainOptions {
    pub analyze: bool,
    pub verbose: bool,
    pub costs: bool,
    /// Actual times, with ANALYZE.
    pub timing: bool,
    /// Planning and execution times at the end.
    pub summary: bool,
    pub format_json: bool,
}

impl Default for ExplainOptions {
    fn default() -> ExplainOptions {
        ExplainOptions { analyze: false, verbose: false, costs: true, timing: true, summary: false, format_json: false }
    }
}

/// What a node did when it ran, summed over its loops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Actual {
    pub startup_ms: f64,
    pub total_ms: f64,
    pub rows: u64,
    pub loops: u64,
    /// Memory of its own: the most of one loop, and how many rows it was for.
    pub held_bytes: usize,
    pub held_rows: usize,
    /// Only the first rows were wanted of a sort.
    pub bounded: bool,
}

/// What explaining needs besides the plan.
pub struct Explained<'a> {
    pub names: &'a Names,
    pub format: &'a FormatSettings,
    /// What a node did, for ANALYZE; None for one that never ran.
    pub actual: &'a dyn Fn(&PhysicalPlan) -> Option<Actual>,
    /// Planning and execution time in milliseconds.
    pub times_ms: Option<(f64, f64)>,
}

/// The lines of EXPLAIN's output; for FORMAT JSON, the lines of one document.
pub fn explain_text(query: &Query<PhysicalPlan>, options: &ExplainOptions, explained: &Explained<'_>) -> Vec<String> {
    let root = node::build(query, options, explained);
    let (planning, execution) = explained.times_ms.map_or((None, None), |(planning, execution)| {
        (options.summary.then_some(planning), (options.summary && options.analyze).then_some(execution))
    });
    if options.format_json {
        return json::print(&root, options, planning, execution);
    }
    let mut lines = text::print(&root, options);
    lines.extend(planning.map(|ms| format!("Planning Time: {ms:.3} ms")));
    lines.extend(execution.map(|ms| format!("Execution Time: {ms:.3} ms")));
    lines
}
