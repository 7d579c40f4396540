//! Append: the inputs one after another (UNION ALL).

use std::sync::Arc;

use expr::{Batch, ColumnId};
use plan::physical::PhysicalPlan;
use types::Result;

use crate::{
    node::{Compiler, Node, Operator, layout, pick, positions},
    run::Run,
};

struct AppendNode {
    inputs: Vec<(Arc<dyn Node>, Vec<usize>)>,
}

pub(crate) fn compile(compiler: &Compiler<'_>, inputs: &[(PhysicalPlan, Vec<ColumnId>)]) -> Result<Arc<dyn Node>> {
    let inputs = inputs
        .iter()
        .map(|(input, columns)| Ok((compiler.node(input)?, positions(columns, &layout(input))?)))
        .collect::<Result<_>>()?;
    Ok(Arc::new(AppendNode { inputs }))
}

struct Append {
    node: Arc<AppendNode>,
    at: usize,
    input: Option<Box<dyn Operator>>,
}

impl Node for AppendNode {
    fn open(self: Arc<Self>, _run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Append { node: self, at: 0, input: None }))
    }
}

impl Operator for Append {
    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        while let Some((node, positions)) = self.node.inputs.get(self.at) {
            let input = match &mut self.input {
                Some(input) => input,
                None => self.input.insert(node.clone().open(run)?),
            };
            if let Some(batch) = input.next(run)? {
                return Ok(Some(pick(&batch, positions)));
            }
            self.input = None;
            self.at += 1;
        }
        Ok(None)
    }
}
