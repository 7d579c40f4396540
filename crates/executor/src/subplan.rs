//! Subqueries of expressions. An uncorrelated one runs once an execution; a correlated one runs anew for outer values not met before.
//!
//! `x = ANY (subquery)` over an uncorrelated subquery looks its rows up by key, with SQL's NULL logic; other comparisons go through the rows.

use std::sync::{Arc, OnceLock};

use catalog::builtin::BuiltinFunction;
use expr::{
    Batch, ColumnId, Compiled, EvalContext, Expr, Vector,
    context::SubplanRunner,
    expression::{Subquery, SubqueryKind, Written},
};
use hashbrown::HashMap;
use parking_lot::Mutex;
use plan::{Subplan, comparison, physical::PhysicalPlan};
use storage::Column;
use types::{Array, Datum, Error, Oid, Physical, Record, Result, SqlState, SqlType};

use crate::{
    key_table::{KeyTable, NONE},
    memory::{Reservation, batch_size},
    node::{Compiler, Node, layout, pick, positions},
    row_key::{any_null, concatenate, datums_key},
    run::{Run, Shared},
};

/// Results remembered for one correlated subquery, at most.
const MEMO_LIMIT: usize = 16 * 1024;

/// A compiled subquery plan.
pub(crate) struct SubplanNode {
    node: Arc<dyn Node>,
    positions: Vec<usize>,
    types: Vec<SqlType>,
    /// Calls something volatile: results must not be remembered.
    volatile: bool,
    /// The comparisons of a `Compare`, compiled at first use: over the left columns, then the right ones.
    comparisons: OnceLock<Vec<Compiled>>,
}

impl SubplanNode {
    pub(crate) fn compile(compiler: &Compiler<'_>, subplan: &Subplan<PhysicalPlan>) -> Result<SubplanNode> {
        let positions = positions(&subplan.output, &layout(&subplan.plan))?;
        let mut volatile = false;
        subplan.plan.for_each(&mut |plan| plan.for_each_expression(&mut |expression| volatile |= expression.is_volatile()));
        Ok(SubplanNode {
            node: compiler.node(&subplan.plan)?,
            types: positions.iter().map(|&at| subplan.plan.columns[at].ty).collect(),
            positions,
            volatile,
            comparisons: OnceLock::new(),
        })
    }
}

/// The subqueries of one execution.
pub(crate) struct Subplans {
    shared: Arc<Shared>,
    states: Vec<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Results by outer values; the empty key is that of an uncorrelated subquery.
    results: HashMap<Vec<u8>, Datum>,
    /// The rows of an uncorrelated subquery, for comparisons.
    rows: Option<Arc<Rows>>,
    /// For `results`.
    memory: Option<Reservation>,
}

/// All rows of a subquery, with a table of their keys when they can be looked up.
struct Rows {
    batch: Batch,
    table: Option<KeyTable>,
    /// Rows with a NULL in some column.
    with_null: Vec<u32>,
    _memory: Reservation,
}

impl Subplans {
    pub(crate) fn new(shared: Arc<Shared>) -> Subplans {
        let states = shared.prepared.subplans.iter().map(|_| Mutex::default()).collect();
        Subplans { shared, states }
    }

    fn node(&self, subquery: &Subquery) -> &SubplanNode {
        &self.shared.prepared.subplans[subquery.plan.0 as usize]
    }

    fn state(&self, subquery: &Subquery) -> &Mutex<State> {
        &self.states[subquery.plan.0 as usize]
    }

    /// Runs the plan, giving its batches to `each` until it says that it has enough.
    fn execute(
        &self,
        subquery: &Subquery,
        bound: usize,
        context: &EvalContext,
        mut each: impl FnMut(Batch) -> Result<bool>,
    ) -> Result<()> {
        let node = self.node(subquery);
        let run = Run { context: context.clone(), shared: self.shared.clone(), work: None };
        stacker::maybe_grow(128 * 1024, 1024 * 1024, || {
            let mut operator = node.node.clone().open(&run)?;
            if bound < usize::MAX {
                operator.bound(bound);
            }
            while let Some(batch) = operator.next(&run)? {
                run.context.check_cancelled()?;
                if !each(pick(&batch, &node.positions))? {
                    break;
                }
            }
            Ok(())
        })
    }

    /// All rows, and what they hold in memory.
    fn rows(&self, subquery: &Subquery, context: &EvalContext) -> Result<(Batch, Reservation)> {
        let mut batches = Vec::new();
        let mut memory = Reservation::new(self.shared.memory.clone());
        self.execute(subquery, usize::MAX, context, |batch| {
            memory.grow_by_batch(&batch)?;
            batches.push(batch);
            Ok(true)
        })?;
        let mut twice = memory.beside();
        twice.grow(memory.bytes())?;
        let physical: Vec<Physical> = self.node(subquery).types.iter().map(|ty| ty.physical).collect();
        Ok((concatenate(batches, &physical), memory))
    }

    /// The result of every kind but a comparison.
    fn value(&self, subquery: &Subquery, context: &EvalContext) -> Result<Datum> {
        match &subquery.kind {
            SubqueryKind::Exists => {
                let mut found = false;
                self.execute(subquery, 1, context, |batch| {
                    found = batch.len > 0;
                    Ok(!found)
                })?;
                Ok(Datum::Bool(found))
            }
            SubqueryKind::Scalar | SubqueryKind::Row => {
                let mut row = None;
                self.execute(subquery, 2, context, |batch| {
                    if row.is_some() || batch.len > 1 {
                        let message = "more than one row returned by a subquery used as an expression";
                        return Err(Error::new(SqlState::CARDINALITY_VIOLATION, message));
                    }
                    row = Some(batch.row(0));
                    Ok(true)
                })?;
                Ok(match (row, &subquery.kind) {
                    (None, _) => Datum::Null,
                    (Some(fields), SubqueryKind::Row) => Datum::Record(Arc::new(Record {
                        type_oid: Oid::RECORD,
                        field_names: fields.iter().enumerate().map(|(at, _)| format!("f{}", at + 1).into()).collect(),
                        field_types: self.node(subquery).types.clone().into(),
                        fields,
                    })),
                    (Some(mut fields), _) => fields.pop().unwrap_or_default(),
                })
            }
            SubqueryKind::Array { element_type } => {
                let (rows, mut memory) = self.rows(subquery, context)?;
                memory.grow(memory.bytes() + rows.len * size_of::<Datum>())?;
                let elements: Vec<Datum> = (0..rows.len).map(|row| rows.datum(0, row)).collect();
                array(*element_type, elements).map(|array| Datum::Array(Arc::new(array)))
            }
            SubqueryKind::Compare { .. } => Err(Error::internal("a comparison with a subquery has no value of its own")),
        }
    }

    fn comparisons(&self, subquery: &Subquery, functions: &[&'static BuiltinFunction], left: &[Expr]) -> Result<&[Compiled]> {
        let node = self.node(subquery);
        if let Some(comparisons) = node.comparisons.get() {
            return Ok(comparisons);
        }
        let count = functions.len() as u32;
        let ids: Vec<ColumnId> = (0..2 * count).map(ColumnId).collect();
        let compiled = functions
            .iter()
            .enumerate()
            .map(|(at, function)| {
                let arguments = vec![
                    Expr::Column { id: ids[at], ty: left[at].ty() },
                    Expr::Column { id: ids[at + functions.len()], ty: node.types[at] },
                ];
                let call = Expr::Call {
                    function,
                    arguments,
                    ty: SqlType::BOOL,
                    collation: Oid::DEFAULT_COLLATION,
                    written: Written::Call,
                    position: None,
                };
                Compiled::new(&call, &ids)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(node.comparisons.get_or_init(|| compiled))
    }

    /// `left operator ANY/ALL (rows)` by comparing with every row.
    fn compare(&self, subquery: &Subquery, left: &[Datum], rows: &Batch, context: &EvalContext) -> Result<Datum> {
        let SubqueryKind::Compare { left: expressions, functions, all, combine_or } = &subquery.kind else {
            return Err(Error::internal("not a comparison"));
        };
        let comparisons = self.comparisons(subquery, functions, expressions)?;
        let mut columns: Vec<Arc<Column>> = (left.iter().zip(expressions))
            .map(|(datum, expression)| Arc::new(Column::repeat(expression.ty().physical, datum, rows.len)))
            .collect();
        columns.extend(rows.columns.iter().cloned());
        let batch = Batch { columns, len: rows.len };
        let results = comparisons.iter().map(|compiled| compiled.evaluate(&batch, context)).collect::<Result<Vec<_>>>()?;
        let mut unknown = false;
        for row in 0..rows.len {
            let values = results.iter().map(|result| truth(&result.datum(row)));
            let verdict = if *combine_or { any_of(values) } else { all_of(values) };
            match verdict {
                None => unknown = true,
                Some(verdict) if verdict != *all => return Ok(Datum::Bool(verdict)),
                Some(_) => {}
            }
        }
        Ok(if unknown { Datum::Null } else { Datum::Bool(*all) })
    }

    /// The rows of an uncorrelated subquery, read once.
    fn shared_rows(&self, subquery: &Subquery, context: &EvalContext) -> Result<Arc<Rows>> {
        if let Some(rows) = &self.state(subquery).lock().rows {
            return Ok(rows.clone());
        }
        let (batch, mut memory) = self.rows(subquery, context)?;
        let (mut table, mut with_null) = (None, Vec::new());
        if lookup_kind(subquery, &self.node(subquery).types).is_some() {
            let mut keys = KeyTable::new(&self.node(subquery).types);
            memory.grow(keys.size_with(batch.len, batch_size(&batch)))?;
            keys.insert(&batch.columns, batch.len, &mut Vec::new(), &mut Vec::new())?;
            table = Some(keys);
            with_null = (0..batch.len as u32).filter(|row| any_null(&batch.columns, *row as usize)).collect();
        }
        let rows = Arc::new(Rows { batch, table, with_null, _memory: memory });
        self.state(subquery).lock().rows = Some(rows.clone());
        Ok(rows)
    }

    /// `= ANY` and `<> ALL` by key.
    fn look_up(
        &self,
        subquery: &Subquery,
        rows: &Rows,
        table: &KeyTable,
        left: &[Vector],
        len: usize,
        context: &EvalContext,
    ) -> Result<Vector> {
        let types = &self.node(subquery).types;
        let found_is = lookup_kind(subquery, types).unwrap_or(true);
        let columns: Vec<Arc<Column>> =
            left.iter().zip(types).map(|(vector, ty)| vector.clone().into_column(ty.physical, len)).collect();
        let mut numbers = Vec::new();
        table.find(&columns, len, false, &mut numbers)?;
        let nulls = if rows.with_null.is_empty() { None } else { Some(rows.batch.take(&rows.with_null)) };
        let mut result = Column::with_capacity(Physical::Bool, len);
        for (row, number) in numbers.into_iter().enumerate() {
            let verdict = if number != NONE {
                Datum::Bool(found_is)
            } else if rows.batch.len == 0 {
                Datum::Bool(!found_is)
            } else if any_null(&columns, row) {
                let values: Vec<Datum> = columns.iter().map(|column| column.datum(row)).collect();
                self.compare(subquery, &values, &rows.batch, context)?
            } else if let Some(nulls) = &nulls {
                let values: Vec<Datum> = columns.iter().map(|column| column.datum(row)).collect();
                self.compare(subquery, &values, nulls, context)?
            } else {
                Datum::Bool(!found_is)
            };
            result.push(&verdict);
        }
        Ok(Vector::Column(Arc::new(result)))
    }
}

impl SubplanRunner for Subplans {
    fn run(&self, subquery: &Subquery, left: &[Datum], context: &EvalContext) -> Result<Datum> {
        if let SubqueryKind::Compare { .. } = &subquery.kind
            && subquery.outer.is_empty()
        {
            let left: Vec<Vector> = left.iter().cloned().map(Vector::Constant).collect();
            return Ok(self.run_batch(subquery, &left, 1, context)?.datum(0));
        }
        let mut outer = Vec::with_capacity(subquery.outer.len() + left.len());
        outer.extend(subquery.outer.iter().map(|(id, _)| context.outer_value(*id).cloned().unwrap_or_default()));
        outer.extend(left.iter().cloned());
        let key = if self.node(subquery).volatile && !subquery.outer.is_empty() { None } else { datums_key(&outer).ok() };
        if let Some(key) = &key
            && let Some(known) = self.state(subquery).lock().results.get(key)
        {
            return Ok(known.clone());
        }
        let result = match &subquery.kind {
            SubqueryKind::Compare { .. } => self.compare(subquery, left, &self.rows(subquery, context)?.0, context)?,
            _ => self.value(subquery, context)?,
        };
        if let Some(key) = key {
            let mut state = self.state(subquery).lock();
            let State { results, memory, .. } = &mut *state;
            let memory = memory.get_or_insert_with(|| Reservation::new(self.shared.memory.clone()));
            // Without room it is computed again.
            if results.len() < MEMO_LIMIT && memory.grow(2 * key.len() + result.heap_size() + 96).is_ok() {
                results.insert(key, result.clone());
            }
        }
        Ok(result)
    }

    fn run_batch(&self, subquery: &Subquery, left: &[Vector], len: usize, context: &EvalContext) -> Result<Vector> {
        if !matches!(subquery.kind, SubqueryKind::Compare { .. }) {
            return self.run(subquery, &[], context).map(Vector::Constant);
        }
        let rows = self.shared_rows(subquery, context)?;
        if let Some(table) = &rows.table {
            return self.look_up(subquery, &rows, table, left, len, context);
        }
        let mut result = Column::with_capacity(Physical::Bool, len);
        for row in 0..len {
            let values: Vec<Datum> = left.iter().map(|vector| vector.datum(row)).collect();
            result.push(&self.compare(subquery, &values, &rows.batch, context)?);
        }
        Ok(Vector::Column(Arc::new(result)))
    }
}

/// Whether a comparison may be looked up by key: what finding the key means. None when it may not.
fn lookup_kind(subquery: &Subquery, types: &[SqlType]) -> Option<bool> {
    let SubqueryKind::Compare { left, functions, all, combine_or } = &subquery.kind else { return None };
    let same = left.iter().zip(types).all(|(left, ty)| left.ty().physical == ty.physical && ty.physical != Physical::Any);
    let every = |wanted: comparison::Order| {
        functions.iter().all(|function| comparison::of(function.oid).is_some_and(|known| known.order == wanted))
    };
    if !same {
        None
    } else if !*all && !*combine_or && every(comparison::Order::Equal) {
        Some(true)
    } else if *all && (*combine_or || functions.len() == 1) && every(comparison::Order::NotEqual) {
        Some(false)
    } else {
        None
    }
}

fn truth(datum: &Datum) -> Option<bool> {
    match datum {
        Datum::Bool(value) => Some(*value),
        _ => None,
    }
}

/// AND in SQL's logic.
fn all_of(values: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut verdict = Some(true);
    for value in values {
        match value {
            Some(false) => return Some(false),
            None => verdict = None,
            Some(true) => {}
        }
    }
    verdict
}

/// OR in SQL's logic.
fn any_of(values: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    all_of(values.map(|value| value.map(|value| !value))).map(|verdict| !verdict)
}

/// ARRAY(subquery): of arrays it makes one with a further dimension.
fn array(element_type: SqlType, elements: Vec<Datum>) -> Result<Array> {
    let Some(Datum::Array(first)) = elements.first() else {
        return Ok(Array::one_dimensional(element_type, elements));
    };
    if first.element_type.oid != element_type.oid {
        return Ok(Array::one_dimensional(element_type, elements));
    }
    let mut dimensions = vec![types::array::Dimension { length: elements.len() as i32, lower_bound: 1 }];
    dimensions.extend(first.dimensions.iter().copied());
    let shape = first.dimensions.clone();
    let mut flat = Vec::new();
    for element in &elements {
        match element {
            Datum::Array(array) if array.dimensions == shape => flat.extend(array.elements.iter().cloned()),
            Datum::Array(_) => {
                let message = "cannot accumulate arrays of different dimensionality";
                return Err(Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
            }
            _ => return Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "cannot accumulate null arrays")),
        }
    }
    Ok(Array { element_type, dimensions, elements: flat })
}
