//! Rows and indexes of a table stay in step, and changes apply as a plain map says.

use std::{collections::BTreeMap, ops::Bound};

use proptest::prelude::*;
use types::Error;

use super::*;
use crate::{Column, KeySource, key::KeyOrder};

const PLAIN: IndexId = IndexId(1);
const PARTIAL: IndexId = IndexId(2);

/// Even numbers only, by their text: a partial index on an expression.
struct EvenByText;

impl KeySource for EvenByText {
    fn key_values(&self, row: &[Datum]) -> Result<Option<Vec<Datum>>> {
        match &row[0] {
            Datum::Int4(-1) => Err(Error::internal("refused")),
            Datum::Int4(number) if number % 2 == 0 => Ok(Some(vec![row[1].clone()])),
            _ => Ok(None),
        }
    }
}

fn shape(id: IndexId, unique: bool) -> Arc<IndexShape> {
    Arc::new(IndexShape {
        id,
        unique,
        nulls_not_distinct: false,
        deferrable: false,
        order: [KeyOrder::ASCENDING].into(),
        attributes: (id == PLAIN).then(|| [0].into()),
        trimmed: [false].into(),
        source: (id == PARTIAL).then(|| Arc::new(EvenByText) as Arc<dyn KeySource>),
    })
}

fn values(number: i32) -> Row {
    let number = if number % 10 == 3 { Datum::Null } else { Datum::Int4(number) };
    let text = Datum::text(&format!("{number:?}").repeat(2));
    [number, text].into()
}

type Model = BTreeMap<u64, i32>;

fn assert_holds(table: &TableData, model: &Model) {
    assert_eq!(table.rows.len(), model.len());
    for (&id, &number) in model {
        let row = table.rows.get(RowId(id)).expect("the model has it");
        assert_eq!(format!("{row:?}"), format!("{:?}", values(number)));
    }
    for (shape, tree) in &table.indexes {
        let mut expected: Vec<(Vec<u8>, u64)> =
            model.iter().filter_map(|(&id, &number)| Some((shape.key_of(&values(number)).unwrap()?.0, id))).collect();
        expected.sort();
        let rows: Vec<u64> = tree.range(Bound::Unbounded, Bound::Unbounded, false).map(|row| row.0).collect();
        assert_eq!(rows, expected.iter().map(|entry| entry.1).collect::<Vec<_>>(), "{shape:?}");
    }
}

/// Random changes of up to `most` rows of a table that holds the model's rows, with the model after them.
fn changes(model: &Model, picks: &[(u16, i32)], run: usize, next: u64) -> (TableChanges, Model) {
    let (mut changes, mut after) = (TableChanges::default(), model.clone());
    if run > 0 {
        let rows: Vec<Row> = (0..run).map(|i| values(i as i32)).collect();
        let column = |attribute: usize, physical| Arc::new(Column::from_datums(physical, rows.iter().map(|row| &row[attribute])));
        let columns = vec![column(0, Physical::Int4), column(1, Physical::Text)];
        changes.insert_run(RowId(next), Batch::new(columns, run));
        after.extend((0..run).map(|i| (next + i as u64, i as i32)));
    }
    for (turn, &(pick, number)) in picks.iter().enumerate() {
        let target = after.keys().nth(usize::from(pick) % after.len().max(1)).copied();
        let before = |id: &u64, after: &Model| after.get(id).map(|&number| values(number));
        match (pick % 3, target) {
            (0, Some(id)) => {
                changes.record(RowId(id), RowChange { before: before(&id, &after), after: None });
                after.remove(&id);
            }
            (1, Some(id)) => {
                changes.record(RowId(id), RowChange { before: before(&id, &after), after: Some(values(number)) });
                after.insert(id, number);
            }
            _ => {
                let id = next + (run + turn) as u64;
                changes.record(RowId(id), RowChange { before: None, after: Some(values(number)) });
                after.insert(id, number);
            }
        }
    }
    (changes, after)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn change_sets_keep_rows_and_indexes_in_step(
        transactions in prop::collection::vec(
            (prop::collection::vec((any::<u16>(), 0..1000i32), 0..300), prop_oneof![3 => Just(0usize), 2 => 1..200usize, 1 => 3000..6000usize]),
            1..6,
        ),
    ) {
        let mut table = TableData::new(&[Physical::Int4, Physical::Text]);
        prop_assert!(table.add_index(shape(PLAIN, false)).unwrap().is_ok());
        let (mut model, mut next, mut held) = (Model::new(), 1, Vec::new());
        for (turn, (picks, run)) in transactions.into_iter().enumerate() {
            held.push((table.clone(), model.clone()));
            let (set, after) = changes(&model, &picks, run, next);
            table.apply(&set, TxnId(turn as u64)).unwrap();
            model = after;
            next += (run + picks.len()) as u64;
            if turn == 1 {
                prop_assert!(table.add_index(shape(PARTIAL, false)).unwrap().is_ok());
            }
        }
        held.push((table, model));
        for (table, model) in &held {
            assert_holds(table, model);
        }
    }
}

#[test]
fn a_unique_index_reports_duplicates_but_not_nulls() {
    let mut table = TableData::new(&[Physical::Int4, Physical::Text]);
    for (id, number) in [(1, 3), (2, 13), (3, 5), (4, 6)] {
        table.insert(RowId(id), TxnId(1), &values(number)).unwrap();
    }
    assert_eq!(table.add_index(shape(PLAIN, true)).unwrap(), Ok(()));
    table.drop_index(PLAIN);
    assert!(table.index(PLAIN).is_none());
    table.insert(RowId(9), TxnId(1), &values(5)).unwrap();
    assert_eq!(table.add_index(shape(PLAIN, true)).unwrap(), Err((RowId(3), RowId(9))));
    assert!(table.indexes.is_empty());
}

#[test]
fn an_error_of_an_index_expression_comes_out() {
    let mut table = TableData::new(&[Physical::Int4, Physical::Text]);
    assert!(table.add_index(shape(PARTIAL, false)).unwrap().is_ok());
    assert!(table.insert(RowId(1), TxnId(1), &[Datum::Int4(-1), Datum::Null].into()).is_err());
    assert!(table.rows.is_empty());
}
