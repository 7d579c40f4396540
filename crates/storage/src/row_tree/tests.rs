//! The row tree against a plain map, random steps and clones held in between.

use std::collections::BTreeMap;

use proptest::prelude::*;
use types::{Datum, Physical};

use super::*;

/// Rows of (int8, text), the text long now and then so that its deletion is special.
fn values(number: i64) -> [Datum; 2] {
    let text = if number % 7 == 0 { Datum::Null } else { Datum::text(&"x".repeat(number as usize % 11 * number as usize % 600)) };
    [Datum::Int8(number), text]
}

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    InsertAt(u64),
    Columns { skip: u64, count: usize },
    Update(usize, i64),
    Delete(usize),
    DeleteMany { from: usize, every: usize },
    Hold,
    Drop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3u64).prop_map(Step::Append),
        2 => (0..6000u64).prop_map(Step::InsertAt),
        // Far away, so that the tree of blocks grows high.
        1 => (0..50u32, 0..3u64).prop_map(|(power, more)| Step::InsertAt((1 << power) + more)),
        2 => (0..100u64, 1..2500usize).prop_map(|(skip, count)| Step::Columns { skip, count }),
        6 => (any::<usize>(), 0..1000i64).prop_map(|(row, number)| Step::Update(row, number)),
        4 => any::<usize>().prop_map(Step::Delete),
        1 => (any::<usize>(), 1..4usize).prop_map(|(from, every)| Step::DeleteMany { from, every }),
        2 => Just(Step::Hold),
        1 => Just(Step::Drop),
    ]
}

type Content = Vec<(u64, String, u64)>;
type Model = BTreeMap<u64, (i64, u64)>;

fn content(tree: &RowTree) -> Content {
    let mut rows = Vec::new();
    for chunk in tree.chunks() {
        assert_eq!(chunk.presence().count_ones(), chunk.live());
        for slot in chunk.presence().ones() {
            assert!(chunk.columns().iter().all(|column| column.len() == chunk.slots()));
            rows.push((chunk.row_id(slot).0, format!("{:?}", &*chunk.row(slot)), chunk.writer(slot).0));
        }
    }
    rows
}

fn expected(model: &Model) -> Content {
    model.iter().map(|(&id, &(number, writer))| (id, format!("{:?}", &values(number)), writer)).collect()
}

fn nth(model: &Model, index: usize) -> Option<u64> {
    if model.is_empty() { None } else { model.keys().nth(index % model.len()).copied() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn behaves_as_an_ordered_map_and_clones_never_change(steps in prop::collection::vec(step(), 1..120)) {
        let mut tree = RowTree::new(&[Physical::Int8, Physical::Text]);
        let mut model = Model::new();
        let mut held: Vec<(RowTree, Content)> = Vec::new();
        let mut next = 0;
        for (turn, step) in steps.into_iter().enumerate() {
            let writer = turn as u64 / 3;
            match step {
                Step::Append(skip) => {
                    for _ in 0..40 {
                        next += 1 + skip;
                        tree.insert(RowId(next), TxnId(writer), &values(next as i64));
                        model.insert(next, (next as i64, writer));
                    }
                }
                Step::InsertAt(id) => {
                    if let std::collections::btree_map::Entry::Vacant(place) = model.entry(id) {
                        tree.insert(RowId(id), TxnId(writer), &values(id as i64));
                        place.insert((id as i64, writer));
                        next = next.max(id);
                    }
                }
                Step::Columns { skip, count } => {
                    let first = next + 1 + skip;
                    let rows: Vec<[Datum; 2]> = (0..count as u64).map(|i| values((first + i) as i64)).collect();
                    let columns = vec![
                        Arc::new(Column::from_datums(Physical::Int8, rows.iter().map(|row| &row[0]))),
                        Arc::new(Column::from_datums(Physical::Text, rows.iter().map(|row| &row[1]))),
                    ];
                    tree.insert_batch(RowId(first), TxnId(writer), &Batch::new(columns, count));
                    model.extend((first..first + count as u64).map(|id| (id, (id as i64, writer))));
                    next = first + count as u64 - 1;
                }
                Step::Update(index, number) => {
                    if let Some(id) = nth(&model, index) {
                        prop_assert!(tree.update(RowId(id), TxnId(writer), &values(number)));
                        model.insert(id, (number, writer));
                    }
                }
                Step::Delete(index) => {
                    if let Some(id) = nth(&model, index) {
                        prop_assert!(tree.delete(RowId(id)));
                        prop_assert!(!tree.delete(RowId(id)));
                        model.remove(&id);
                    }
                }
                Step::DeleteMany { from, every } => {
                    let ids: Vec<u64> = model.keys().copied().skip(from % (model.len() + 1)).step_by(every).collect();
                    for id in ids {
                        prop_assert!(tree.delete(RowId(id)));
                        model.remove(&id);
                    }
                }
                Step::Hold => held.push((tree.clone(), expected(&model))),
                Step::Drop => drop(held.pop()),
            }
            prop_assert_eq!(tree.len(), model.len());
            prop_assert!(model.keys().next_back().is_none_or(|&last| RowId(last) < tree.end()));
        }
        prop_assert_eq!(content(&tree), expected(&model));
        for (tree, expected) in &held {
            prop_assert_eq!(&content(tree), expected);
        }
        for id in (0..3000).chain(model.keys().flat_map(|&id| [id, id + 1, id + 64])) {
            let row = tree.get(RowId(id)).map(|row| format!("{:?}", &*row));
            prop_assert_eq!(row, model.get(&id).map(|&(number, _)| format!("{:?}", &values(number))));
            prop_assert_eq!(tree.writer(RowId(id)), model.get(&id).map(|&(_, writer)| TxnId(writer)));
        }
    }
}

#[test]
fn memory_comes_back_after_deletes_and_updates() {
    let mut tree = RowTree::new(&[Physical::Int8, Physical::Text]);
    let text = Datum::text(&"x".repeat(100));
    for id in 1..=20_000 {
        tree.insert(RowId(id), TxnId(1), &[Datum::Int8(id as i64), text.clone()]);
    }
    let full = tree.heap_size();
    assert!(full < 20_000 * 125, "{full}");
    for round in 0..50 {
        for id in 1..=1000 {
            tree.update(RowId(id), TxnId(2), &[Datum::Int8(round), Datum::text(&format!("{round:0>100}"))]);
        }
    }
    let updated = tree.heap_size();
    assert!(updated < full * 5 / 4, "{updated} after updates, {full} before");
    for id in (1..=20_000).filter(|id| id % 20 != 0) {
        tree.delete(RowId(id));
    }
    let left = tree.heap_size();
    assert!(left < full / 6, "{left} after deletes, {full} before");
}

#[test]
fn rows_that_arrive_out_of_order_find_room_in_the_tail() {
    let mut tree = RowTree::new(&[Physical::Int8]);
    let insert = |tree: &mut RowTree, id: u64| tree.insert(RowId(id), TxnId(id), &[Datum::Int8(id as i64)]);
    (1..=100).for_each(|id| insert(&mut tree, id));
    // 128 commits before 101..=127 and begins a tail; 130 before 129 stays in it.
    [128, 127, 130, 129, 101].into_iter().for_each(|id| insert(&mut tree, id));
    let tail = tree.tail.as_ref().expect("the last rows are in a tail");
    assert_eq!((tail.first(), tail.slots(), tail.live()), (RowId(128), 3, 3));
    assert!(tree.update_attributes(RowId(127), TxnId(9), &[(0, Datum::Int8(-1))]));
    assert!(!tree.update_attributes(RowId(102), TxnId(9), &[(0, Datum::Int8(-1))]));
    assert!(matches!(tree.datum(RowId(127), 0), Some(Datum::Int8(-1))));
    assert_eq!((tree.writer(RowId(127)), tree.writer(RowId(101))), (Some(TxnId(9)), Some(TxnId(101))));
    assert_eq!((tree.len(), tree.end()), (105, RowId(131)));
}

#[test]
fn a_column_is_added_and_cleared_in_every_chunk() {
    let mut tree = RowTree::new(&[Physical::Int8]);
    (1..=3000).for_each(|id| tree.insert(RowId(id), TxnId(1), &[Datum::Int8(id as i64)]));
    let before = tree.clone();
    tree.add_column(Physical::Int4, &Datum::Int4(7));
    tree.insert(RowId(3001), TxnId(1), &[Datum::Int8(1), Datum::Int4(8)]);
    assert!(matches!(tree.datum(RowId(1), 1), Some(Datum::Int4(7))));
    assert!(matches!(tree.datum(RowId(3000), 1), Some(Datum::Int4(7))));
    assert!(matches!(tree.datum(RowId(3001), 1), Some(Datum::Int4(8))));
    tree.clear_column(1);
    assert!(matches!(tree.datum(RowId(3000), 1), Some(Datum::Null)));
    assert_eq!(before.get(RowId(3000)).map(|row| row.len()), Some(1));
}
