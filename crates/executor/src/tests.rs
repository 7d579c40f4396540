//! Plans built by hand, optimised and run, against what a naive reading of them gives.

use std::sync::Arc;

use catalog::{
    Attribute, Catalog, IndexColumn, IndexDefinition, IndexKey, Persistence, Relation, RelationKind, builtin::SystemRelation,
};
use expr::{ColumnId, EvalContext, Expr, SortKey, expression::Written};
use plan::{
    OutputColumn, Query, comparison,
    logical::{Given, Join, JoinKind, LockWaitPolicy, LogicalPlan, Scan},
    physical::PhysicalPlan,
    statement::Command,
};
use proptest::prelude::*;
use storage::{IndexId, IndexShape, RowId, TableData, TableId, TxnId, key::KeyOrder};
use txn::{LockMode, LockTag};
use types::{Datum, Error, Oid, Physical, Result, SqlType};

use crate::{Prepared, Tables};

/// A row of a test table: a key and a value that may be NULL.
type Pair = (i32, Option<i32>);

struct Fixture {
    catalog: Catalog,
    tables: Vec<TableData>,
}

struct View(Vec<TableData>);

impl Tables for View {
    fn table(&self, id: TableId) -> Result<TableData> {
        Ok(self.0[id.0 as usize].clone())
    }

    fn system_rows(&self, _relation: &'static SystemRelation, _hint: Option<(&str, &Datum)>) -> Result<Vec<Vec<Datum>>> {
        Ok(Vec::new())
    }

    fn row_lock_available(&self, _: &LockTag, _: LockMode, _: LockWaitPolicy, _: &str) -> Result<bool> {
        Ok(true)
    }
}

impl optimizer::Statistics for Fixture {
    fn row_count(&self, table: TableId) -> Option<f64> {
        Some(self.tables[table.0 as usize].rows.len() as f64)
    }

    fn distinct(&self, _table: TableId, _attribute: usize) -> Option<f64> {
        None
    }

    fn share_below(&self, _table: TableId, _attribute: usize, _value: &Datum) -> Option<f64> {
        None
    }
}

fn datum(value: Option<i32>) -> Datum {
    value.map_or(Datum::Null, Datum::Int4)
}

fn attribute(name: &str) -> Attribute {
    Attribute {
        name: name.into(),
        ty: SqlType::INT4,
        not_null: false,
        dropped: false,
        default: None,
        identity: None,
        generated: None,
        collation: Oid::INVALID,
        comment: None,
        storage: None,
        is_local: true,
    }
}

fn relation(oid: u32, kind: RelationKind, indexes: Vec<Oid>) -> Relation {
    Relation {
        oid: Oid(oid),
        schema: Oid::PUBLIC_NAMESPACE,
        name: format!("t{oid}").as_str().into(),
        owner: Oid::BOOTSTRAP_ROLE,
        persistence: Persistence::Permanent,
        kind,
        attributes: vec![attribute("a"), attribute("b")],
        constraints: Vec::new(),
        indexes,
        row_type: Oid::INVALID,
        row_array_type: Oid::INVALID,
        options: Vec::new(),
        comment: None,
        owned_by: None,
    }
}

impl Fixture {
    fn new() -> Fixture {
        Fixture { catalog: Catalog::new(), tables: Vec::new() }
    }

    /// Adds a table t(a int4, b int4), with an index on b when asked.
    fn table(&mut self, rows: &[Pair], indexed: bool) -> Arc<Relation> {
        let number = self.tables.len() as u32;
        let (table, index) = (20000 + number * 2, Oid(20001 + number * 2));
        let mut data = TableData::new(&[Physical::Int4, Physical::Int4]);
        if indexed {
            let column = IndexColumn {
                key: IndexKey::Attribute(1),
                ty: SqlType::INT4,
                order: KeyOrder::ASCENDING,
                collation: Oid::INVALID,
                operator_class: None,
            };
            let definition = IndexDefinition {
                table: Oid(table),
                method: "btree".into(),
                columns: vec![column],
                included: Vec::new(),
                unique: false,
                primary: false,
                nulls_not_distinct: false,
                deferrable: false,
                predicate: None,
            };
            self.catalog.put_relation(relation(index.0, RelationKind::Index(definition), Vec::new()));
            let shape = IndexShape {
                id: IndexId(index.0),
                unique: false,
                nulls_not_distinct: false,
                deferrable: false,
                order: Arc::new([KeyOrder::ASCENDING]),
                attributes: Some(Arc::new([1])),
                trimmed: Arc::new([false]),
                source: None,
            };
            data.add_index(Arc::new(shape)).expect("integers encode").expect("the index is not unique");
        }
        for (at, (a, b)) in rows.iter().enumerate() {
            data.insert(RowId(at as u64 + 1), TxnId(1), &Arc::from([Datum::Int4(*a), datum(*b)])).expect("a row is inserted");
        }
        self.tables.push(data);
        let kind = RelationKind::Table { storage: TableId(number) };
        let relation = relation(table, kind, if indexed { vec![index] } else { Vec::new() });
        self.catalog.put_relation(relation.clone());
        Arc::new(relation)
    }

    fn plan(&self, root: LogicalPlan, output: &[u32]) -> Arc<Query<PhysicalPlan>> {
        let output = output
            .iter()
            .map(|id| OutputColumn { id: ColumnId(*id), name: "c".into(), ty: SqlType::INT4, origin: None })
            .collect();
        let query = Query { root, output, subplans: Vec::new(), ctes: Vec::new(), command: Command::Select, next_column: 1000 };
        Arc::new(optimizer::optimize(query, &self.catalog, self).expect("the plan is planned"))
    }

    fn run(&self, root: LogicalPlan, output: &[u32]) -> Result<Vec<Vec<Option<i32>>>, Error> {
        let prepared = Arc::new(Prepared::new(self.plan(root, output))?);
        let mut execution = prepared.open(Arc::new(View(self.tables.clone())), EvalContext::without_session())?;
        let mut rows = Vec::new();
        while let Some(batch) = execution.next_batch()? {
            assert!(batch.len > 0, "batches are not empty");
            rows.extend((0..batch.len).map(|row| {
                batch.row(row).iter().map(|datum| if let Datum::Int4(value) = datum { Some(*value) } else { None }).collect()
            }));
        }
        Ok(rows)
    }
}

fn column(id: u32) -> Expr {
    Expr::Column { id: ColumnId(id), ty: SqlType::INT4 }
}

fn compare(operator: &str, left: Expr, right: Expr) -> Expr {
    let function = comparison::function(operator, Oid::INT4, Oid::INT4).expect("int4 has the operator");
    Expr::Call {
        function,
        arguments: vec![left, right],
        ty: SqlType::BOOL,
        collation: Oid::INVALID,
        written: Written::Call,
        position: None,
    }
}

/// A scan giving a and b as these columns.
fn scan(relation: &Arc<Relation>, first: u32) -> LogicalPlan {
    let given = |id: u32| Given { id: ColumnId(id), ty: SqlType::INT4 };
    LogicalPlan::Scan(Scan {
        relation: relation.clone(),
        alias: relation.name.clone(),
        columns: vec![(0, given(first)), (1, given(first + 1))],
        row_id: None,
        system: Vec::new(),
    })
}

fn filter(input: LogicalPlan, predicate: Expr) -> LogicalPlan {
    LogicalPlan::Filter { input: Box::new(input), predicate }
}

fn join(kind: JoinKind, left: LogicalPlan, right: LogicalPlan, condition: Option<Expr>) -> LogicalPlan {
    let (left, right) = (Box::new(left), Box::new(right));
    LogicalPlan::Join(Join { kind, left, right, condition, lateral: false, null_aware: false })
}

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    proptest::collection::vec((0..20_i32, proptest::option::weighted(0.8, 0..8_i32)), 0..40)
}

fn kinds() -> impl Strategy<Value = JoinKind> {
    proptest::sample::select(vec![
        JoinKind::Inner,
        JoinKind::Left,
        JoinKind::Right,
        JoinKind::Full,
        JoinKind::Semi,
        JoinKind::Anti,
    ])
}

type Row = Vec<Option<i32>>;

/// What a join means, by trying all pairs.
fn naive_join(kind: JoinKind, left: &[Pair], right: &[Pair], matches: impl Fn(&Pair, &Pair) -> bool) -> Vec<Row> {
    let both = |l: &Pair, r: &Pair| vec![Some(l.0), l.1, Some(r.0), r.1];
    let mut rows = Vec::new();
    for l in left {
        let found: Vec<&Pair> = right.iter().filter(|r| matches(l, r)).collect();
        match kind {
            JoinKind::Semi if !found.is_empty() => rows.push(vec![Some(l.0), l.1]),
            JoinKind::Anti if found.is_empty() => rows.push(vec![Some(l.0), l.1]),
            JoinKind::Semi | JoinKind::Anti => {}
            _ => {
                rows.extend(found.iter().map(|r| both(l, r)));
                if found.is_empty() && matches!(kind, JoinKind::Left | JoinKind::Full) {
                    rows.push(vec![Some(l.0), l.1, None, None]);
                }
            }
        }
    }
    if matches!(kind, JoinKind::Right | JoinKind::Full) {
        let lonely = right.iter().filter(|r| !left.iter().any(|l| matches(l, r)));
        rows.extend(lonely.map(|r| vec![None, None, Some(r.0), r.1]));
    }
    rows
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}

fn equal(left: Option<i32>, right: Option<i32>) -> bool {
    left.is_some() && left == right
}

proptest! {
    #[test]
    fn joins_give_what_their_kind_says(
        kind in kinds(), left in pairs(), right in pairs(), indexed in any::<bool>(), keyed in any::<bool>(), rest in any::<bool>(),
    ) {
        let mut fixture = Fixture::new();
        let (l, r) = (fixture.table(&left, false), fixture.table(&right, indexed));
        let mut terms = Vec::new();
        if keyed {
            terms.push(compare("=", column(1), column(11)));
        }
        if rest {
            terms.push(compare("<", column(0), column(10)));
        }
        let plan = join(kind, scan(&l, 0), scan(&r, 10), (!terms.is_empty()).then(|| Expr::And(terms)));
        let output: &[u32] = if matches!(kind, JoinKind::Semi | JoinKind::Anti) { &[0, 1] } else { &[0, 1, 10, 11] };
        let expected = naive_join(kind, &left, &right, |l, r| (!keyed || equal(l.1, r.1)) && (!rest || l.0 < r.0));
        prop_assert_eq!(sorted(fixture.run(plan, output).expect("the join runs")), sorted(expected));
    }

    #[test]
    fn conditions_above_joins_hold_wherever_they_move(kind in kinds(), left in pairs(), right in pairs(), bound in 0..20_i32) {
        let mut fixture = Fixture::new();
        let (l, r) = (fixture.table(&left, true), fixture.table(&right, true));
        let constant = Expr::constant(Datum::Int4(bound), SqlType::INT4);
        let existence = matches!(kind, JoinKind::Semi | JoinKind::Anti);
        let tested = if existence || bound % 2 == 0 { 0 } else { 10 };
        let condition = compare(">=", column(tested), constant);
        let plan = filter(join(kind, scan(&l, 0), scan(&r, 10), Some(compare("=", column(1), column(11)))), condition);
        let output: &[u32] = if existence { &[0, 1] } else { &[0, 1, 10, 11] };
        let at = if tested == 0 { 0 } else { 2 };
        let mut expected = naive_join(kind, &left, &right, |l, r| equal(l.1, r.1));
        expected.retain(|row| row[at].is_some_and(|value| value >= bound));
        prop_assert_eq!(sorted(fixture.run(plan, output).expect("the join runs")), sorted(expected));
    }

    #[test]
    fn an_index_finds_what_a_scan_finds(rows in pairs(), operator in proptest::sample::select(vec!["=", "<", "<=", ">", ">="]), bound in 0..8_i32) {
        let constant = || Expr::constant(Datum::Int4(bound), SqlType::INT4);
        let run = |indexed: bool| {
            let mut fixture = Fixture::new();
            let table = fixture.table(&rows, indexed);
            let plan = filter(scan(&table, 0), compare(operator, column(1), constant()));
            fixture.run(plan, &[1, 0]).expect("the scan runs")
        };
        prop_assert_eq!(sorted(run(true)), sorted(run(false)));
    }

    #[test]
    fn an_index_gives_its_order_to_a_limit(rows in pairs(), descending in any::<bool>(), count in 1..10_usize) {
        let mut fixture = Fixture::new();
        let table = fixture.table(&rows, true);
        let key = SortKey { expression: column(1), descending, nulls_first: descending, collation: Oid::INVALID };
        let plan = LogicalPlan::Limit {
            input: Box::new(LogicalPlan::Sort { input: Box::new(scan(&table, 0)), keys: vec![key] }),
            limit: Some(Expr::constant(Datum::Int8(count as i64), SqlType::INT8)),
            offset: None,
            with_ties: None,
        };
        let mut expected: Vec<Option<i32>> = rows.iter().map(|row| row.1).collect();
        expected.sort_by_key(|value| (value.is_none(), value.unwrap_or(0)));
        if descending {
            expected.reverse();
        }
        expected.truncate(count);
        let given: Vec<Option<i32>> = fixture.run(plan, &[1]).expect("the plan runs").into_iter().map(|row| row[0]).collect();
        prop_assert_eq!(given, expected);
    }
}

#[test]
fn three_relations_join_in_any_order() {
    let rows: Vec<Pair> = (0..30).map(|at| (at, Some(at % 7))).collect();
    let mut fixture = Fixture::new();
    let (a, b, c) = (fixture.table(&rows, false), fixture.table(&rows, true), fixture.table(&rows[..5], false));
    let cross = join(JoinKind::Inner, join(JoinKind::Inner, scan(&a, 0), scan(&b, 10), None), scan(&c, 20), None);
    let terms =
        vec![compare("=", column(1), column(11)), compare("=", column(10), column(20)), compare("<", column(0), column(10))];
    let given = fixture.run(filter(cross, Expr::And(terms)), &[0, 10, 20]).expect("the join runs");
    let mut expected = Vec::new();
    for a in &rows {
        for b in &rows {
            for c in &rows[..5] {
                if a.1 == b.1 && b.0 == c.0 && a.0 < b.0 {
                    expected.push(vec![Some(a.0), Some(b.0), Some(c.0)]);
                }
            }
        }
    }
    assert_eq!(sorted(given), sorted(expected));
}
