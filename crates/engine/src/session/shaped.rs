//! Query texts run by the plan of their shape: what spares a client that puts values into the text the parsing and planning.
//!
//! The rule: whatever goes wrong before the statement runs is not reported from here; the text is then parsed as any other, so that errors
//! and their positions are those of the text as it was sent.

use std::sync::Arc;

use types::{Datum, Oid, Result, SqlType, text_format::datum_from_text};

use super::{
    Outcome, Session, environment,
    query::Planned,
    statement::{Parameters, is_planned, is_way_out},
};
use crate::{
    clock,
    shape_cache::KeptShape,
    statement_shape::{Literal, StatementShape, shape_of},
    statement_text::StatementName,
};

impl Session {
    /// Runs a query text of one statement by what is kept for its shape; None when there is nothing kept: then the text is to be parsed.
    /// As after [`Session::execute`], rows are pulled next, and [`Session::finish_statement`] ends it.
    pub async fn execute_shaped(&mut self, sql: &str) -> Option<Result<Outcome>> {
        let shape = shape_of(sql)?;
        let kept = self.kept_shape(&shape)?;
        let statement = kept.statement.as_ref()?;
        self.refuse_in_failed_block(is_way_out(&statement.node)).ok()?;
        self.shared.cancellation.clear();
        self.shared.statement_started(sql, clock::now());
        self.note_statement(&kept.name);
        self.in_script = false;
        let outcome = if is_planned(&statement.node) {
            let deadline = self.start_statement_deadline();
            let (planned, parameters) = match self.locked_plan_of_shape(&kept, &shape).await {
                Ok(found) => found?,
                Err(error) => return Some(Err(self.failed(error, sql))),
            };
            self.run_planned(&planned, parameters).await.map(|outcome| outcome.until(deadline))
        } else {
            let _deadline = self.start_statement_deadline();
            self.execute_utility(&statement.node, sql, &Parameters::default()).await
        };
        if let Ok(outcome) = &outcome {
            self.note_outcome(outcome);
        }
        Some(outcome.map_err(|mut error| {
            if let Some(position) = &mut error.fields_mut().position {
                *position = shape.position_in_statement(*position);
            }
            self.failed(error, sql)
        }))
    }

    fn kept_shape(&self, shape: &StatementShape) -> Option<Arc<KeptShape>> {
        let shapes = &self.database.shapes;
        if let Some(kept) = shapes.get(&shape.key) {
            return Some(kept);
        }
        if !shapes.has_come_before(&shape.key) {
            return None;
        }
        let statement = binder::parse::parse(shape.text()).ok().filter(|statements| statements.len() == 1)?.pop()?;
        let name = StatementName::new(shape.text(), true);
        let kept =
            KeptShape { text: shape.text().into(), name, statement: Some(Arc::new(statement)), planned: Default::default() };
        let kept = Arc::new(kept);
        shapes.put(&shape.key, kept.clone());
        Some(kept)
    }

    /// The shape's plan under the newest catalog once its relations are locked, and the literals as its parameters.
    async fn locked_plan_of_shape(
        &mut self,
        kept: &KeptShape,
        shape: &StatementShape<'_>,
    ) -> Result<Option<(Arc<Planned>, Arc<[Datum]>)>> {
        self.await_snapshot().await?;
        loop {
            let Some((planned, parameters)) = self.plan_of_shape(kept, shape) else { return Ok(None) };
            if !self.lock_plan(&planned).await? {
                return Ok(Some((planned, parameters)));
            }
        }
    }

    /// The shape's plan, made anew if it is out of date, and the literals as its parameters.
    fn plan_of_shape(&mut self, kept: &KeptShape, shape: &StatementShape) -> Option<(Arc<Planned>, Arc<[Datum]>)> {
        self.begin_statement().ok()?;
        let names = environment::names(self).ok()?;
        let planned = kept.planned.lock().clone();
        let planned = match planned.filter(|plan| plan.is_valid_for(&names) && self.still_fits(plan)) {
            Some(plan) => plan,
            None => {
                let plan = self.new_plan_of_shape(kept, shape);
                if plan.is_none() {
                    let refused = KeptShape {
                        text: kept.text.clone(),
                        name: kept.name.clone(),
                        statement: None,
                        planned: Default::default(),
                    };
                    self.database.shapes.put(&shape.key, Arc::new(refused));
                }
                let plan = plan?;
                *kept.planned.lock() = Some(plan.clone());
                plan
            }
        };
        let format = self.open_transaction().ok()?.format.clone();
        let values = shape.literals.iter().zip(&planned.parameters).map(|(lifted, &ty)| match &lifted.literal {
            Literal::Int4(value) => Some(Datum::Int4(*value)),
            Literal::Unknown(text) => datum_from_text(text, ty, &format, &*names).ok(),
        });
        Some((planned.clone(), values.collect::<Option<Arc<[Datum]>>>()?))
    }

    /// None for statements that had better be planned with their values: those that do not bind without them, that cost much, or whose
    /// literals are of types with a meaning beyond their text.
    fn new_plan_of_shape(&mut self, kept: &KeptShape, shape: &StatementShape) -> Option<Arc<Planned>> {
        let node = &kept.statement.as_ref()?.node;
        let hints: Vec<Option<SqlType>> =
            shape.literals.iter().map(|lifted| matches!(lifted.literal, Literal::Int4(_)).then_some(SqlType::INT4)).collect();
        let plan = self.plan(node, Some(kept.text.clone()), &hints).ok()?;
        let is_plain = plan.parameters.len() == hints.len()
            && hints.iter().zip(&plan.parameters).all(|(hint, ty)| match hint {
                Some(hint) => hint == ty,
                None => READ_ALIKE.contains(&ty.oid),
            });
        (is_plain && !plan.is_long).then_some(plan)
    }
}

/// Types whose literals read the same as a parameter and within a statement.
const READ_ALIKE: &[Oid] = &[
    Oid::BOOL,
    Oid::INT2,
    Oid::INT4,
    Oid::INT8,
    Oid::FLOAT4,
    Oid::FLOAT8,
    Oid::NUMERIC,
    Oid::TEXT,
    Oid::VARCHAR,
    Oid::BPCHAR,
    Oid::DATE,
    Oid::TIME,
    Oid::TIMESTAMP,
    Oid::TIMESTAMPTZ,
    Oid::INTERVAL,
    Oid::UUID,
    Oid::JSON,
    Oid::JSONB,
    Oid::BYTEA,
];
