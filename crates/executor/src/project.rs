//! Project: computes expressions over each row.

use std::sync::Arc;

use expr::{Batch, Expr};
use plan::{logical::Computed, physical::PhysicalPlan};
use types::Result;

use crate::{
    node::{Compiler, Node, Operator, Typed, head, layout},
    run::Run,
};

struct ProjectNode {
    input: Arc<dyn Node>,
    columns: Vec<Source>,
}

enum Source {
    Passed(usize),
    Computed(Typed),
}

pub(crate) fn compile(compiler: &Compiler<'_>, input: &PhysicalPlan, columns: &[Computed]) -> Result<Arc<dyn Node>> {
    let layout = layout(input);
    let columns = columns
        .iter()
        .map(|column| {
            if let Expr::Column { id, .. } = &column.expression
                && let Some(at) = layout.iter().position(|given| given == id)
            {
                return Ok(Source::Passed(at));
            }
            Typed::new(&column.expression, &layout).map(Source::Computed)
        })
        .collect::<Result<_>>()?;
    Ok(Arc::new(ProjectNode { input: compiler.node(input)?, columns }))
}

struct Project {
    node: Arc<ProjectNode>,
    input: Box<dyn Operator>,
    /// Rows that may still be asked for: expressions must not run for others, they might be volatile or fail.
    wanted: usize,
}

impl Node for ProjectNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Project { input: self.input.clone().open(run)?, node: self, wanted: usize::MAX }))
    }
}

impl Operator for Project {
    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        if self.wanted == 0 {
            return Ok(None);
        }
        let Some(mut batch) = self.input.next(run)? else { return Ok(None) };
        if batch.len > self.wanted {
            batch = head(batch, self.wanted);
        }
        self.wanted -= batch.len;
        let columns = self.node.columns.iter().map(|column| match column {
            Source::Passed(at) => Ok(batch.columns[*at].clone()),
            Source::Computed(expression) => expression.column(&batch, &run.context),
        });
        Ok(Some(Batch { columns: columns.collect::<Result<_>>()?, len: batch.len }))
    }

    fn bound(&mut self, rows: usize) {
        self.wanted = rows;
        self.input.bound(rows);
    }
}
