//! Project set: set-returning functions of a target list, expanded in lock step; a set that ends early gives NULLs.

use std::sync::Arc;

use expr::{Batch, ColumnId, set_returning};
use plan::{logical::SetCall, physical::PhysicalPlan};
use storage::Column;
use types::{Datum, Physical, Result, SqlType};

use crate::{
    BATCH_BYTES, BATCH_ROWS,
    function_scan::record,
    node::{Compiler, Node, Operator, Typed, compile_all, layout},
    run::Run,
};

struct ProjectSetNode {
    input: Arc<dyn Node>,
    physical: Vec<Physical>,
    sets: Vec<Set>,
}

pub(crate) struct Set {
    call: SetCall,
    arguments: Vec<Typed>,
    types: Vec<SqlType>,
}

impl Set {
    pub(crate) fn compile(call: &SetCall, layout: &[ColumnId]) -> Result<Set> {
        Ok(Set {
            arguments: compile_all(&call.arguments, layout)?,
            types: call.arguments.iter().map(expr::Expr::ty).collect(),
            call: call.clone(),
        })
    }

    /// Calls the function on one row of evaluated arguments.
    pub(crate) fn rows(&self, batch: &Batch, row: usize, run: &Run) -> Result<set_returning::Rows> {
        let arguments = self.arguments.iter().zip(&self.types).map(|(argument, ty)| {
            let vector = argument.vector(batch, &run.context)?;
            Ok((vector.datum(row), *ty))
        });
        self.call(&arguments.collect::<Result<Vec<_>>>()?, run)
    }

    fn call(&self, arguments: &[(Datum, SqlType)], run: &Run) -> Result<set_returning::Rows> {
        set_returning::call(self.call.function, arguments, self.call.ty, self.call.columns.as_deref(), &run.context)
    }
}

pub(crate) fn compile(compiler: &Compiler<'_>, input: &PhysicalPlan, sets: &[(ColumnId, SetCall)]) -> Result<Arc<dyn Node>> {
    let layout = layout(input);
    let inputs = input.columns.iter().map(|column| column.ty.physical);
    let physical = inputs.chain(sets.iter().map(|(_, call)| call.ty.physical)).collect();
    let sets = sets.iter().map(|(_, call)| Set::compile(call, &layout)).collect::<Result<_>>()?;
    Ok(Arc::new(ProjectSetNode { input: compiler.node(input)?, physical, sets }))
}

struct ProjectSet {
    node: Arc<ProjectSetNode>,
    input: Box<dyn Operator>,
    batch: Option<Batch>,
    row: usize,
    /// The sets of the current input row; None for one that has ended.
    running: Vec<Option<set_returning::Rows>>,
    wanted: usize,
}

impl Node for ProjectSetNode {
    fn open(self: Arc<Self>, run: &Run) -> Result<Box<dyn Operator>> {
        let input = self.input.clone().open(run)?;
        Ok(Box::new(ProjectSet { input, node: self, batch: None, row: 0, running: Vec::new(), wanted: usize::MAX }))
    }
}

impl Operator for ProjectSet {
    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        let wanted = BATCH_ROWS.min(self.wanted);
        let mut output: Vec<Column> = self.node.physical.iter().map(|ty| Column::new(*ty)).collect();
        let mut len = 0;
        while len < wanted && (len % 16 > 0 || output.iter().map(Column::heap_size).sum::<usize>() < BATCH_BYTES) {
            if self.running.iter().all(Option::is_none) && !self.start_row(run)? {
                break;
            }
            if let Some(values) = self.step()? {
                let Some(batch) = &self.batch else { break };
                let passed = batch.columns.len();
                for (at, column) in batch.columns.iter().enumerate() {
                    output[at].push_from(column, self.row - 1);
                }
                for (at, value) in values.iter().enumerate() {
                    output[passed + at].push(value);
                }
                len += 1;
            }
        }
        self.wanted -= len;
        Ok((len > 0).then(|| Batch { columns: output.into_iter().map(Arc::new).collect(), len }))
    }

    fn bound(&mut self, rows: usize) {
        self.wanted = rows;
    }
}

impl ProjectSet {
    /// Opens the sets of the next input row; false at the end.
    fn start_row(&mut self, run: &Run) -> Result<bool> {
        while self.batch.as_ref().is_none_or(|batch| self.row >= batch.len) {
            run.context.check_cancelled()?;
            self.batch = self.input.next(run)?;
            self.row = 0;
            if self.batch.is_none() {
                return Ok(false);
            }
        }
        let Some(batch) = &self.batch else { return Ok(false) };
        let one = batch.take(&[self.row as u32]);
        self.running = self.node.sets.iter().map(|set| set.rows(&one, 0, run).map(Some)).collect::<Result<_>>()?;
        self.row += 1;
        Ok(true)
    }

    /// The next values of the sets; None when all have ended.
    fn step(&mut self) -> Result<Option<Vec<Datum>>> {
        let mut any = false;
        let mut values = Vec::with_capacity(self.running.len());
        for (rows, set) in self.running.iter_mut().zip(&self.node.sets) {
            let next = match rows {
                Some(running) => running.next().transpose()?,
                None => None,
            };
            match next {
                Some(row) => {
                    any = true;
                    values.push(record(row, set.call.function, set.call.ty));
                }
                None => {
                    *rows = None;
                    values.push(Datum::Null);
                }
            }
        }
        Ok(any.then_some(values))
    }
}
