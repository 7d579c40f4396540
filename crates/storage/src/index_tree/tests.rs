//! The index tree against a plain ordered set, random steps and clones held in between.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

type Model = BTreeSet<(Vec<u8>, u64)>;

fn assert_same(tree: &IndexTree, model: &Model) {
    assert_eq!(tree.len(), model.len());
    let rows: Vec<u64> = tree.range(Bound::Unbounded, Bound::Unbounded, false).map(|row| row.0).collect();
    assert_eq!(rows, model.iter().map(|entry| entry.1).collect::<Vec<_>>());
}

fn assert_ranges(tree: &IndexTree, model: &Model, low: &[u8], high: &[u8]) {
    let bounds = |key| [Bound::Unbounded, Bound::Included(key), Bound::Excluded(key)];
    for lower in bounds(low) {
        for upper in bounds(high) {
            let inside = |key: &[u8]| {
                let above = match lower {
                    Bound::Unbounded => true,
                    Bound::Included(low) => key >= low,
                    Bound::Excluded(low) => key > low,
                };
                above
                    && match upper {
                        Bound::Unbounded => true,
                        Bound::Included(high) => key <= high,
                        Bound::Excluded(high) => key < high,
                    }
            };
            let mut expected: Vec<u64> = model.iter().filter(|entry| inside(&entry.0)).map(|entry| entry.1).collect();
            assert_eq!(tree.range(lower, upper, false).map(|row| row.0).collect::<Vec<_>>(), expected, "{lower:?} {upper:?}");
            assert_eq!(tree.count(lower, upper), expected.len());
            expected.reverse();
            assert_eq!(tree.range(lower, upper, true).map(|row| row.0).collect::<Vec<_>>(), expected, "{lower:?} {upper:?}");
        }
    }
    for key in [low, high] {
        let expected: Vec<u64> = model.iter().filter(|entry| entry.0.starts_with(key)).map(|entry| entry.1).collect();
        assert_eq!(tree.prefix(key, false).map(|row| row.0).collect::<Vec<_>>(), expected);
        assert_eq!(tree.count_prefix(key), expected.len());
        let exact = model.range((key.to_vec(), 0)..).next().filter(|entry| entry.0 == key).map(|entry| RowId(entry.1));
        assert_eq!(tree.get(key), exact);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Vec<u8>, u64),
    /// Numbers in a row, ascending or descending.
    Run {
        from: u32,
        count: u32,
        descending: bool,
    },
    Remove(usize),
    RemoveRun {
        from: usize,
        count: usize,
    },
    Hold,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(0..4u8, 0..5),
        (0..3000u32).prop_map(|number| number.to_be_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..200),
    ]
}

/// Also where a run crosses into another high byte, which shortens prefixes.
fn run_start() -> impl Strategy<Value = u32> {
    prop_oneof![0..4000u32, 65_000..66_000u32, (1 << 24) - 1000..(1 << 24) + 1000u32]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (key(), 0..1000u64).prop_map(|(key, row)| Step::Insert(key, row)),
        3 => (run_start(), 1..1500u32, any::<bool>()).prop_map(|(from, count, descending)| Step::Run { from, count, descending }),
        4 => any::<usize>().prop_map(Step::Remove),
        2 => (any::<usize>(), 0..3000usize).prop_map(|(from, count)| Step::RemoveRun { from, count }),
        1 => Just(Step::Hold),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn behaves_as_an_ordered_set_and_clones_never_change(
        steps in prop::collection::vec(step(), 1..80),
        probes in prop::collection::vec((key(), key()), 4),
    ) {
        let (mut tree, mut model) = (IndexTree::default(), Model::new());
        let mut held = Vec::new();
        for step in steps {
            match step {
                Step::Insert(key, row) => {
                    tree.insert(&key, RowId(row));
                    model.insert((key, row));
                }
                Step::Run { from, count, descending } => for i in 0..count {
                    let number = if descending { from + count - i } else { from + i };
                    tree.insert(&number.to_be_bytes(), RowId(u64::from(number) << (number % 40)));
                    model.insert((number.to_be_bytes().to_vec(), u64::from(number) << (number % 40)));
                },
                Step::Remove(index) => if let Some(entry) = model.iter().nth(index % model.len().max(1)).cloned() {
                    prop_assert!(tree.remove(&entry.0, RowId(entry.1)));
                    prop_assert!(!tree.remove(&entry.0, RowId(entry.1)));
                    model.remove(&entry);
                },
                Step::RemoveRun { from, count } => {
                    let run: Vec<_> = model.iter().skip(from % (model.len() + 1)).take(count).cloned().collect();
                    for entry in run {
                        prop_assert!(tree.remove(&entry.0, RowId(entry.1)));
                        model.remove(&entry);
                    }
                }
                Step::Hold => held.push((tree.clone(), model.clone())),
            }
            prop_assert_eq!(tree.len(), model.len());
        }
        for (low, high) in &probes {
            assert_ranges(&tree, &model, low, high);
        }
        held.push((tree, model));
        for (tree, model) in &held {
            assert_same(tree, model);
        }
    }

    #[test]
    fn a_bulk_build_holds_what_was_pushed(
        entries in prop::collection::vec((key(), 0..1000u64), 0..3000),
        more in prop::collection::vec((key(), 1000..2000u64), 0..600),
        probes in prop::collection::vec((key(), key()), 2),
        descending_from in prop::option::of(0..3000usize),
    ) {
        let mut model: Model = entries.into_iter().collect();
        let mut builder = IndexBuilder::default();
        match descending_from {
            // In order, in the opposite order, or in order up to some entry.
            None => model.iter().for_each(|(key, row)| builder.push(key, RowId(*row))),
            Some(from) => {
                let from = from.min(model.len());
                model.iter().take(from).for_each(|(key, row)| builder.push(key, RowId(*row)));
                model.iter().skip(from).rev().for_each(|(key, row)| builder.push(key, RowId(*row)));
            }
        }
        let mut tree = builder.build().unwrap();
        assert_same(&tree, &model);
        for (key, row) in more {
            tree.insert(&key, RowId(row));
            model.insert((key, row));
        }
        assert_same(&tree, &model);
        for (low, high) in &probes {
            assert_ranges(&tree, &model, low, high);
        }
    }
}

#[test]
fn ascending_inserts_leave_full_leaves_and_removal_gives_memory_back() {
    let mut tree = IndexTree::default();
    let key = |number: u64| [&[2][..], &number.to_be_bytes()].concat();
    (1..=100_000).for_each(|number| tree.insert(&key(number), RowId(number)));
    let full = tree.heap_size();
    assert!(full < 100_000 * 8, "{full} bytes for 100,000 entries");
    (1..=100_000).filter(|number| number % 50 != 0).for_each(|number| assert!(tree.remove(&key(number), RowId(number))));
    assert!(tree.heap_size() < full / 10, "{} of {full} bytes left", tree.heap_size());
    assert_eq!(tree.get(&key(5000)), Some(RowId(5000)));
    assert_eq!(tree.get(&key(5001)), None);
}

#[test]
fn a_unique_build_finds_what_is_there_twice() {
    let key = |number: u64| number.to_be_bytes();
    let built = |numbers: &[u64], exempt: &[u64]| {
        let mut builder = IndexBuilder::unique();
        for (row, &number) in numbers.iter().enumerate() {
            match exempt.contains(&number) {
                true => builder.push_exempt(&key(number), RowId(row as u64)),
                false => builder.push(&key(number), RowId(row as u64)),
            }
        }
        builder.build().map(|tree| tree.len())
    };
    // At the end of a leaf too, sorted and not.
    let sorted: Vec<u64> = (0..1000).map(|number| number - u64::from(number >= 256)).collect();
    let reversed: Vec<u64> = sorted.iter().rev().copied().collect();
    assert_eq!(built(&sorted, &[]), Err((RowId(255), RowId(256))));
    assert_eq!(built(&reversed, &[]), Err((RowId(743), RowId(744))));
    assert_eq!((built(&sorted, &[255]), built(&reversed, &[255])), (Ok(1000), Ok(1000)));
    assert_eq!(built(&[5, 7, 5, 7], &[5]), Err((RowId(1), RowId(3))));
}

#[test]
fn entries_below_the_first_of_a_branch_find_their_place() {
    let key = |number: u64| number.to_be_bytes();
    let mut builder = IndexBuilder::default();
    (65_536..75_536).for_each(|number| builder.push(&key(number), RowId(number)));
    let mut tree = builder.build().unwrap();
    let mut model: Model = (65_536..75_536).map(|number| (key(number).to_vec(), number)).collect();
    // Below all that a bulk build saw, then into gaps that whole leaves and branches leave.
    let (below, gap) = ((0..5_000).rev(), (65_536..74_000).filter(|number| number % 4_096 > 20));
    for number in below {
        tree.insert(&key(number), RowId(number));
        model.insert((key(number).to_vec(), number));
    }
    for number in gap.clone() {
        assert!(tree.remove(&key(number), RowId(number)));
    }
    for number in gap.rev() {
        tree.insert(&key(number), RowId(number));
    }
    assert_same(&tree, &model);
    model.iter().for_each(|(key, row)| assert_eq!(tree.get(key), Some(RowId(*row))));
}
