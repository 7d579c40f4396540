//! Function scan: functions in FROM, side by side, short ones padded with NULL; WITH ORDINALITY numbers the rows.

use std::sync::Arc;

use catalog::builtin::BuiltinFunction;
use expr::{Batch, set_returning};
use plan::{
    logical::{FunctionScan as Plan, FunctionSource},
    physical::PhysicalPlan,
};
use storage::Column;
use types::{Datum, Physical, Record, Result, SqlType};

use crate::{
    BATCH_BYTES, BATCH_ROWS,
    node::{Node, Operator, Typed},
    project_set::Set,
    run::Run,
};

struct FunctionScanNode {
    calls: Vec<(Source, Vec<SqlType>)>,
    physical: Vec<Physical>,
    ordinality: bool,
}

enum Source {
    Set(Set),
    Expression(Typed),
}

pub(crate) fn compile(scan: &Plan, plan: &PhysicalPlan) -> Result<Arc<dyn Node>> {
    let calls = scan
        .calls
        .iter()
        .map(|(source, columns)| {
            let source = match source {
                FunctionSource::Set(call) => Source::Set(Set::compile(call, &[])?),
                FunctionSource::Expression(expression) => Source::Expression(Typed::new(expression, &[])?),
            };
            Ok((source, columns.iter().map(|column| column.ty).collect()))
        })
        .collect::<Result<_>>()?;
    Ok(Arc::new(FunctionScanNode {
        calls,
        physical: plan.columns.iter().map(|column| column.ty.physical).collect(),
        ordinality: scan.ordinality.is_some(),
    }))
}

struct FunctionScan {
    node: Arc<FunctionScanNode>,
    running: Option<Vec<Option<set_returning::Rows>>>,
    number: i64,
    wanted: usize,
}

impl Node for FunctionScanNode {
    fn open(self: Arc<Self>, _run: &Run) -> Result<Box<dyn Operator>> {
        Ok(Box::new(FunctionScan { node: self, running: None, number: 0, wanted: usize::MAX }))
    }
}

impl FunctionScanNode {
    fn start(&self, run: &Run) -> Result<Vec<Option<set_returning::Rows>>> {
        let unit = Batch::unit();
        self.calls
            .iter()
            .map(|(source, _)| {
                Ok(Some(match source {
                    Source::Set(set) => set.rows(&unit, 0, run)?,
                    Source::Expression(expression) => {
                        let value = expression.vector(&unit, &run.context)?.datum(0);
                        Box::new(std::iter::once(Ok(vec![value])))
                    }
                }))
            })
            .collect()
    }
}

impl Operator for FunctionScan {
    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        run.context.check_cancelled()?;
        if self.running.is_none() {
            self.running = Some(self.node.start(run)?);
        }
        let Some(running) = &mut self.running else { return Ok(None) };
        let mut output: Vec<Column> = self.node.physical.iter().map(|ty| Column::new(*ty)).collect();
        let mut len = 0;
        let mut row = Vec::with_capacity(output.len());
        while len < BATCH_ROWS.min(self.wanted)
            && (len % 16 > 0 || output.iter().map(Column::heap_size).sum::<usize>() < BATCH_BYTES)
        {
            row.clear();
            let mut any = false;
            for (rows, (_, types)) in running.iter_mut().zip(&self.node.calls) {
                let next = match rows {
                    Some(running) => running.next().transpose()?,
                    None => None,
                };
                any |= next.is_some();
                match next {
                    Some(values) => spread(values, types, &mut row),
                    None => {
                        *rows = None;
                        row.extend(types.iter().map(|_| Datum::Null));
                    }
                }
            }
            if !any {
                break;
            }
            if self.node.ordinality {
                self.number += 1;
                row.push(Datum::Int8(self.number));
            }
            row.iter().zip(&mut output).for_each(|(value, column)| column.push(value));
            len += 1;
        }
        self.wanted -= len;
        Ok((len > 0).then(|| Batch { columns: output.into_iter().map(Arc::new).collect(), len }))
    }

    fn bound(&mut self, rows: usize) {
        self.wanted = rows;
    }
}

/// A function's row as the columns wanted of it: a record is taken apart when several are, or one that is no record.
fn spread(mut values: Vec<Datum>, types: &[SqlType], row: &mut Vec<Datum>) {
    if let [Datum::Record(record)] = &values[..]
        && (types.len() != 1 || types[0].physical != Physical::Any)
    {
        values = record.fields.clone();
    } else if let [Datum::Null] = &values[..] {
        values = vec![Datum::Null; types.len()];
    }
    values.resize(types.len(), Datum::Null);
    row.append(&mut values);
}

/// A function's row as one value: of several columns a record is made.
pub(crate) fn record(mut row: Vec<Datum>, function: &'static BuiltinFunction, ty: SqlType) -> Datum {
    if row.len() == 1 {
        return row.pop().unwrap_or_default();
    }
    let outputs: Vec<usize> = function.argument_modes.as_ref().map_or_else(Vec::new, |modes| {
        modes.iter().enumerate().filter(|(_, mode)| matches!(mode, 'o' | 'b' | 't')).map(|(at, _)| at).collect()
    });
    let field_type = |at: &usize| function.all_argument_types.as_ref().map_or(SqlType::UNKNOWN, |types| SqlType::of(types[*at]));
    let name = |at: &usize| function.argument_names.as_ref().map_or_else(|| "".into(), |names| names[*at].into());
    Datum::Record(Arc::new(Record {
        type_oid: ty.oid,
        fields: row,
        field_types: outputs.iter().map(field_type).collect(),
        field_names: outputs.iter().map(name).collect(),
    }))
}
