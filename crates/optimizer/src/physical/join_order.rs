//! The order of inner joins: all orders of a few relations by dynamic programming, the cheapest next pair of many.

use std::collections::{HashMap, HashSet};

use expr::{ColumnId, Expr};
use plan::{
    logical::{Join, JoinKind, LogicalPlan},
    physical::{Operator, PhysicalPlan},
};
use types::Result;

use super::{Planner, estimate::ROW_COST, join::Side};
use crate::{columns::reads_any, conjuncts};

/// Relations up to which all orders are tried.
const EXHAUSTIVE: usize = 8;

/// Relations, or conditions, as bits.
type Set = u128;

/// What is expected of a set of relations joined the cheapest way found, and how: as two sets.
#[derive(Clone, Copy)]
struct Expected {
    relations: Set,
    rows: f64,
    cost: f64,
    split: Option<(Set, Set)>,
}

/// A condition, the relations it reads, and what it does to their product.
struct Term {
    expression: Expr,
    relations: Set,
    selectivity: f64,
    /// An equality that a hash table can serve.
    hashable: bool,
}

/// The relations and conditions of one tree of inner joins.
struct Joins<'p> {
    planner: &'p Planner<'p>,
    sides: Vec<Side>,
    terms: Vec<Term>,
    /// Costs of looking one row of a relation up by index, by the relation and the conditions at hand.
    lookups: HashMap<(usize, Set), Option<f64>>,
}

impl Planner<'_> {
    /// Plans a tree of inner joins as one.
    pub(super) fn inner_joins(&mut self, join: Join) -> Result<PhysicalPlan> {
        let (mut relations, mut terms) = (Vec::new(), Vec::new());
        flatten(LogicalPlan::Join(join), &mut relations, &mut terms);
        let sides = relations.into_iter().map(|relation| self.side(relation)).collect::<Result<Vec<Side>>>()?;
        if sides.len() == 2 {
            let [left, right] = <[Side; 2]>::try_from(sides).unwrap_or_else(|_| unreachable!("counted above"));
            return Ok(self.method(JoinKind::Inner, left, right, terms, false));
        }
        if sides.len() > 127 || terms.len() > 127 {
            return Ok(self.as_written(sides, terms));
        }
        let given: Vec<HashSet<ColumnId>> =
            sides.iter().map(|side| side.plan.columns.iter().map(|column| column.id).collect()).collect();
        let terms = terms.into_iter().map(|expression| self.term(expression, &given)).collect();
        let mut joins = Joins { planner: self, sides, terms, lookups: HashMap::new() };
        let expected = if joins.sides.len() <= EXHAUSTIVE { joins.all_orders() } else { joins.greedy() };
        let all = (1 << joins.sides.len()) - 1;
        let plan = joins.build(all, &expected);
        // Conditions that read none of the relations are tested at the top.
        let loose = joins.terms.iter().filter(|term| term.relations == 0).map(|term| term.expression.clone());
        let loose = conjuncts::join(loose.collect());
        Ok(match loose {
            None => plan,
            Some(predicate) => {
                let columns = plan.columns.clone();
                self.node(Operator::Filter { input: Box::new(plan), predicate }, columns)
            }
        })
    }

    fn term(&self, expression: Expr, given: &[HashSet<ColumnId>]) -> Term {
        let read = given.iter().enumerate().filter(|(_, own)| reads_any(&expression, own));
        let relations = read.fold(0, |bits, (number, _)| bits | 1 << number);
        let sides =
            |side: &Expr| given.iter().enumerate().fold(0_u128, |bits, (at, own)| bits | Set::from(reads_any(side, own)) << at);
        let hashable = conjuncts::equality(&expression).is_some_and(|(left, right, _)| {
            let (left, right) = (sides(left), sides(right));
            left != 0 && right != 0 && left & right == 0
        });
        Term { selectivity: self.selectivity(&expression), expression, relations, hashable }
    }
    /// Left-deep, in the order written.
    fn as_written(&self, sides: Vec<Side>, mut terms: Vec<Expr>) -> PhysicalPlan {
        let mut sides = sides.into_iter();
        let mut joined = sides.next().expect("a join has relations");
        let mut given: HashSet<ColumnId> = joined.plan.columns.iter().map(|column| column.id).collect();
        let mut pending: Vec<Side> = sides.collect();
        let all: HashSet<ColumnId> = pending
            .iter()
            .flat_map(|side| side.plan.columns.iter().map(|column| column.id))
            .chain(given.iter().copied())
            .collect();
        for side in pending.drain(..) {
            given.extend(side.plan.columns.iter().map(|column| column.id));
            let testable = |term: &Expr| term.columns().iter().all(|id| given.contains(id) || !all.contains(id));
            let (now, later): (Vec<Expr>, Vec<Expr>) = terms.into_iter().partition(testable);
            terms = later;
            joined = Side { plan: self.method(JoinKind::Inner, joined, side, now, false), scan: None };
        }
        joined.plan
    }
}

impl Joins<'_> {
    fn relation(&self, number: usize) -> Expected {
        let estimate = &self.sides[number].plan.estimate;
        Expected { relations: 1 << number, rows: estimate.rows, cost: estimate.total_cost, split: None }
    }

    /// The conditions that become testable when two sets are joined, as bits.
    fn between(&self, left: Set, right: Set) -> Set {
        let within = |term: &Term, set: Set| term.relations & !set == 0;
        let testable =
            |term: &Term| term.relations != 0 && within(term, left | right) && !within(term, left) && !within(term, right);
        self.terms.iter().enumerate().filter(|(_, term)| testable(term)).fold(0, |bits, (at, _)| bits | 1 << at)
    }

    fn expect(&mut self, left: &Expected, right: &Expected, terms: Set) -> Expected {
        let of = ones;
        let selectivity: f64 = of(terms).map(|at| self.terms[at].selectivity).product();
        let rows = (left.rows * right.rows * selectivity).max(1.0);
        let inputs = left.cost + right.cost;
        let mut cost = if of(terms).any(|at| self.terms[at].hashable) {
            // Building costs more than probing.
            inputs + (left.rows + right.rows + left.rows.min(right.rows) + rows) * ROW_COST
        } else {
            inputs + (left.rows * right.rows + rows) * ROW_COST
        };
        for (outer, inner) in [(left, right), (right, left)] {
            if inner.split.is_none()
                && let Some(lookup) = self.lookup(inner.relations.trailing_zeros() as usize, terms)
            {
                cost = cost.min(outer.cost + outer.rows * lookup + rows * ROW_COST);
            }
        }
        Expected { relations: left.relations | right.relations, rows, cost, split: Some((left.relations, right.relations)) }
    }

    /// What it costs to find a relation's rows for one outer row by index.
    fn lookup(&mut self, relation: usize, terms: Set) -> Option<f64> {
        if terms == 0 {
            return None;
        }
        let (planner, sides, own) = (self.planner, &self.sides, &self.terms);
        *self.lookups.entry((relation, terms)).or_insert_with(|| {
            let conditions: Vec<Expr> = ones(terms).map(|at| own[at].expression.clone()).collect();
            planner.lookup_cost(&sides[relation], &conditions)
        })
    }

    /// The cheapest of all orders. Relations that no condition connects are multiplied only when there is no other way: an estimate of
    /// one row is too often wrong to build a product on.
    fn all_orders(&mut self) -> HashMap<Set, Expected> {
        let all = (1 << self.sides.len()) - 1;
        let connected = self.orders(false);
        if connected.contains_key(&all) { connected } else { self.orders(true) }
    }

    fn orders(&mut self, products: bool) -> HashMap<Set, Expected> {
        let count = self.sides.len();
        let mut best: HashMap<Set, Expected> = (0..count).map(|number| (1 << number, self.relation(number))).collect();
        for set in 1..1_u128 << count {
            if set.count_ones() < 2 {
                continue;
            }
            let mut cheapest: Option<(bool, Expected)> = None;
            let mut part = (set - 1) & set;
            while part > 0 {
                let rest = set & !part;
                if part > rest
                    && let (Some(left), Some(right)) = (best.get(&part).copied(), best.get(&rest).copied())
                {
                    let terms = self.between(part, rest);
                    if terms != 0 || products {
                        let joined = self.expect(&left, &right, terms);
                        // A connected pair is preferred to a product whatever they seem to cost.
                        let better =
                            cheapest.is_none_or(
                                |(connected, known)| {
                                    if connected == (terms != 0) { joined.cost < known.cost } else { !connected }
                                },
                            );
                        if better {
                            cheapest = Some((terms != 0, joined));
                        }
                    }
                }
                part = (part - 1) & set;
            }
            if let Some((_, joined)) = cheapest {
                best.insert(set, joined);
            }
        }
        best
    }

    /// Joins the pair with the fewest rows first, connected pairs before others.
    fn greedy(&mut self) -> HashMap<Set, Expected> {
        let mut known: HashMap<Set, Expected> = HashMap::new();
        let mut pending: Vec<Expected> = (0..self.sides.len()).map(|number| self.relation(number)).collect();
        known.extend(pending.iter().map(|relation| (relation.relations, *relation)));
        let mut pairs: Vec<(bool, Expected)> = Vec::new();
        for left in 0..pending.len() {
            for right in left + 1..pending.len() {
                pairs.push(self.candidate(&pending[left], &pending[right]));
            }
        }
        while pending.len() > 1 {
            let best = pairs.iter().min_by(|a, b| b.0.cmp(&a.0).then(a.1.rows.total_cmp(&b.1.rows))).map(|(_, joined)| *joined);
            let Some(joined) = best else { break };
            let apart = |set: Set| set & joined.relations == 0;
            pending.retain(|relation| apart(relation.relations));
            pairs.retain(|(_, pair)| apart(pair.relations));
            for other in &pending {
                pairs.push(self.candidate(&joined, other));
            }
            pending.push(joined);
            known.insert(joined.relations, joined);
        }
        known
    }

    fn candidate(&mut self, left: &Expected, right: &Expected) -> (bool, Expected) {
        let terms = self.between(left.relations, right.relations);
        (terms != 0, self.expect(left, right, terms))
    }

    /// The plan of a set as found.
    fn build(&self, set: Set, expected: &HashMap<Set, Expected>) -> PhysicalPlan {
        let side = |part: Set| match expected[&part].split {
            None => self.sides[part.trailing_zeros() as usize].clone(),
            Some(_) => Side { plan: self.build(part, expected), scan: None },
        };
        let Some((left, right)) = expected[&set].split else { return side(set).plan };
        let terms = self.between(left, right);
        let conditions = ones(terms).map(|at| self.terms[at].expression.clone()).collect();
        self.planner.method(JoinKind::Inner, side(left), side(right), conditions, false)
    }
}

/// The numbers in a set.
fn ones(mut set: Set) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (set != 0).then(|| {
            let at = set.trailing_zeros() as usize;
            set &= set - 1;
            at
        })
    })
}

fn flatten(plan: LogicalPlan, relations: &mut Vec<LogicalPlan>, terms: &mut Vec<Expr>) {
    match plan {
        LogicalPlan::Join(Join { kind: JoinKind::Inner, left, right, condition, lateral: false, .. }) => {
            flatten(*left, relations, terms);
            flatten(*right, relations, terms);
            terms.extend(conjuncts::split_optional(condition));
        }
        other => relations.push(other),
    }
}
