//! Access paths: a scan of the whole table, or of an index whose leading columns the conditions compare.

use std::collections::HashSet;

use catalog::{IndexDefinition, IndexKey, RelationKind};
use expr::{ColumnId, Expr, expression::CastMethod};
use plan::{
    comparison::Order,
    logical::{Given, Scan},
    physical::{IndexScan, Operator, PhysicalPlan, ScanSource, TableScan},
};
use types::{Datum, Oid, Physical, SqlType};

use super::{Distinct, Planner};
use crate::conjuncts;

/// A condition that an index could serve: a column compared with what does not depend on the row.
struct Condition {
    /// Place among the terms.
    term: usize,
    attribute: usize,
    test: Test,
}

enum Test {
    Compare(Order, Expr),
    /// `column = ANY (array)`
    AnyOf(Expr),
}

/// How much of an index the conditions use.
#[derive(Default)]
struct Match {
    equal: Vec<Expr>,
    any_of: Option<Expr>,
    lower: Option<(Expr, bool)>,
    upper: Option<(Expr, bool)>,
    /// Places of the terms that the index guarantees.
    used: Vec<usize>,
}

impl Planner<'_> {
    /// The cheapest way to read a table under conditions.
    pub(super) fn scan(&mut self, scan: Scan, terms: Vec<Expr>) -> PhysicalPlan {
        self.note_columns(&scan);
        let best = self.index_path(&scan, &terms);
        let whole = self.table_scan(&scan, terms);
        match best {
            Some(index) if index.estimate.total_cost <= whole.estimate.total_cost.max(MINIMAL_SCAN_COST) => index,
            _ => whole,
        }
    }

    fn table_scan(&self, scan: &Scan, terms: Vec<Expr>) -> PhysicalPlan {
        let (given, sources, hidden) = split_columns(scan);
        let operator = Operator::TableScan(TableScan {
            relation: scan.relation.clone(),
            alias: scan.alias.clone(),
            sources,
            hidden,
            filter: conjuncts::join(terms),
        });
        self.node(operator, given)
    }

    /// Remembers how many values each column of a scan has.
    pub(crate) fn note_columns(&mut self, scan: &Scan) {
        let Some(table) = scan.relation.storage() else { return };
        let rows = self.statistics.row_count(table).unwrap_or(1000.0).max(1.0);
        for (attribute, column) in &scan.columns {
            self.attributes.insert(column.id, (table, *attribute));
            let distinct = if self.is_unique(scan, *attribute) {
                Distinct::Known(rows)
            } else {
                Distinct::Attribute { table, attribute: *attribute, rows }
            };
            self.distinct.borrow_mut().insert(column.id, distinct);
        }
        if let Some(id) = scan.row_id {
            self.distinct.borrow_mut().insert(id, Distinct::Known(rows));
        }
    }

    pub(super) fn indexes<'s>(&'s self, scan: &'s Scan) -> impl Iterator<Item = (Oid, &'s IndexDefinition)> {
        scan.relation.indexes.iter().filter_map(|oid| match &self.catalog.relation(*oid)?.kind {
            RelationKind::Index(definition) => Some((*oid, definition)),
            _ => None,
        })
    }

    fn is_unique(&self, scan: &Scan, attribute: usize) -> bool {
        self.indexes(scan).any(|(_, index)| {
            index.unique
                && !index.deferrable
                && index.predicate.is_none()
                && matches!(&index.columns[..], [column] if matches!(column.key, IndexKey::Attribute(own) if own == attribute))
        })
    }

    /// The best index scan, when some index serves some condition.
    pub(super) fn index_path(&self, scan: &Scan, terms: &[Expr]) -> Option<PhysicalPlan> {
        if scan.relation.indexes.is_empty() || terms.is_empty() {
            return None;
        }
        let conditions = conditions(scan, terms);
        if conditions.is_empty() {
            return None;
        }
        let mut best: Option<PhysicalPlan> = None;
        for (oid, index) in self.indexes(scan) {
            if index.predicate.is_some() {
                continue;
            }
            let matched = match_index(index, &conditions);
            if matched.used.is_empty() {
                continue;
            }
            let plan = self.index_scan(scan, oid, index, matched, terms);
            if best.as_ref().is_none_or(|best| better(&plan, best)) {
                best = Some(plan);
            }
        }
        best
    }

    fn index_scan(&self, scan: &Scan, oid: Oid, index: &IndexDefinition, matched: Match, terms: &[Expr]) -> PhysicalPlan {
        let (given, sources, hidden) = split_columns(scan);
        let used = |at: &usize| matched.used.contains(at);
        let (inside, outside): (Vec<usize>, Vec<usize>) = (0..terms.len()).partition(used);
        let take = |places: Vec<usize>| conjuncts::join(places.into_iter().map(|at| terms[at].clone()).collect());
        let operator = Operator::IndexScan(IndexScan {
            relation: scan.relation.clone(),
            alias: scan.alias.clone(),
            index: oid,
            sources,
            hidden,
            key_types: index.columns.iter().map(|column| column.ty).collect(),
            unique: index.unique
                && !index.deferrable
                && matched.equal.len() + usize::from(matched.any_of.is_some()) == index.columns.len(),
            equal: matched.equal,
            any_of: matched.any_of,
            lower: matched.lower,
            upper: matched.upper,
            reverse: false,
            filter: take(outside),
            condition: take(inside),
            unread: Vec::new(),
        });
        self.node(operator, given)
    }
}

/// A table may have grown by the time a cached plan runs: an index is preferred to what looks like a tiny scan.
const MINIMAL_SCAN_COST: f64 = 20.0;

fn better(plan: &PhysicalPlan, best: &PhysicalPlan) -> bool {
    let unique = |plan: &PhysicalPlan| matches!(&plan.operator, Operator::IndexScan(scan) if scan.unique);
    (unique(plan) && !unique(best)) || (unique(plan) == unique(best) && plan.estimate.total_cost < best.estimate.total_cost)
}

/// The columns given out, their sources, and those for the filter only (none unless pruning has found some).
fn split_columns(scan: &Scan) -> (Vec<Given>, Vec<ScanSource>, Vec<(ScanSource, Given)>) {
    let given = crate::columns::output(&plan::logical::LogicalPlan::Scan(scan.clone()));
    (given, Planner::sources(scan), Vec::new())
}

/// The terms that compare one of the scan's attributes with something that does not depend on the row.
fn conditions(scan: &Scan, terms: &[Expr]) -> Vec<Condition> {
    let own: HashSet<ColumnId> = crate::columns::output_ids(&plan::logical::LogicalPlan::Scan(scan.clone()));
    let attribute = |expression: &Expr| {
        let id = plain_column(expression)?;
        scan.columns.iter().find(|(_, column)| column.id == id).map(|(attribute, column)| (*attribute, column.ty))
    };
    let fixed = |expression: &Expr| !crate::columns::reads_any(expression, &own) && !expression.is_volatile();
    let mut conditions = Vec::new();
    for (at, term) in terms.iter().enumerate() {
        if let Some((left, right, known)) = conjuncts::comparison(term) {
            for (column, other, order) in [(left, right, known.order), (right, left, known.order.commuted())] {
                if let Some((attribute, ty)) = attribute(column)
                    && order != Order::NotEqual
                    && fixed(other)
                    && comparable(ty, column.ty(), other.ty())
                {
                    conditions.push(Condition { term: at, attribute, test: Test::Compare(order, other.clone()) });
                    break;
                }
            }
        } else if let Expr::ArrayCompare { left, array, function, all: false, .. } = term
            && plan::comparison::of(function.oid).is_some_and(|known| known.order == Order::Equal)
            && let Some((attribute, ty)) = attribute(left)
            && fixed(array)
            && let Some(element) = element_type(array)
            && comparable(ty, left.ty(), element)
        {
            conditions.push(Condition { term: at, attribute, test: Test::AnyOf((**array).clone()) });
        } else if let Some((attribute, _)) = attribute(term) {
            conditions.push(Condition { term: at, attribute, test: boolean(true) });
        } else if let Expr::Not(operand) = term
            && let Some((attribute, _)) = attribute(operand)
        {
            conditions.push(Condition { term: at, attribute, test: boolean(false) });
        }
    }
    conditions
}

/// A condition on a boolean column is an equality.
fn boolean(value: bool) -> Test {
    Test::Compare(Order::Equal, Expr::constant(Datum::Bool(value), SqlType::BOOL))
}

/// The column an expression is, seen through casts that keep the representation.
fn plain_column(expression: &Expr) -> Option<ColumnId> {
    match expression {
        Expr::Column { id, .. } => Some(*id),
        Expr::Cast { operand, method: CastMethod::Relabel, .. } => plain_column(operand),
        _ => None,
    }
}

fn element_type(array: &Expr) -> Option<SqlType> {
    match array {
        Expr::Array { element_type, .. } => Some(*element_type),
        _ => {
            let element = catalog::builtin::builtins().type_by_oid(array.ty().oid)?.element;
            (element != Oid::INVALID).then(|| SqlType::of(element))
        }
    }
}

/// Whether a value of one type can be looked up in an index over a column of another: one representation, or both integers.
fn comparable(column: SqlType, compared_as: SqlType, value: SqlType) -> bool {
    let integer = |ty: SqlType| matches!(ty.physical, Physical::Int2 | Physical::Int4 | Physical::Int8);
    let padded = |ty: SqlType| ty.oid == Oid::BPCHAR;
    (integer(column) && integer(value))
        || (column.physical == value.physical && padded(column) == padded(compared_as) && padded(compared_as) == padded(value))
}

/// Which conditions an index serves: equalities on leading columns, then a list, then bounds.
fn match_index(index: &IndexDefinition, conditions: &[Condition]) -> Match {
    let mut matched = Match::default();
    for column in &index.columns {
        let IndexKey::Attribute(attribute) = column.key else { break };
        let own = || conditions.iter().filter(move |condition| condition.attribute == attribute);
        let equality = own().find_map(|condition| match &condition.test {
            Test::Compare(Order::Equal, value) => Some((condition.term, value)),
            _ => None,
        });
        if let Some((term, value)) = equality
            && matched.any_of.is_none()
        {
            matched.equal.push(value.clone());
            matched.used.push(term);
            continue;
        }
        let list = own().find_map(|condition| match &condition.test {
            Test::AnyOf(array) => Some((condition.term, array)),
            _ => None,
        });
        if let Some((term, array)) = list
            && matched.any_of.is_none()
        {
            matched.any_of = Some(array.clone());
            matched.used.push(term);
            continue;
        }
        for condition in own() {
            let Test::Compare(order, value) = &condition.test else { continue };
            let bound = match order {
                Order::Greater | Order::GreaterOrEqual => &mut matched.lower,
                Order::Less | Order::LessOrEqual => &mut matched.upper,
                _ => continue,
            };
            if bound.is_none() {
                *bound = Some((value.clone(), matches!(order, Order::GreaterOrEqual | Order::LessOrEqual)));
                matched.used.push(condition.term);
            }
        }
        break;
    }
    matched
}

/// An equality of a system relation's column, which the relation may use to give fewer rows.
pub(super) fn system_hint(terms: &[Expr], columns: &[(usize, ColumnId)]) -> Option<(usize, Expr)> {
    let own: HashSet<ColumnId> = columns.iter().map(|(_, id)| *id).collect();
    terms.iter().find_map(|term| {
        let (left, right, _) = conjuncts::equality(term)?;
        [(left, right), (right, left)].into_iter().find_map(|(column, value)| {
            let id = plain_column(column)?;
            let (attribute, _) = columns.iter().find(|(_, own)| *own == id)?;
            let usable =
                !crate::columns::reads_any(value, &own) && !value.is_volatile() && column.ty().physical == value.ty().physical;
            usable.then(|| (*attribute, value.clone()))
        })
    })
}
