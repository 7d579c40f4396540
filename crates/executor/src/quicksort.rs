//! The quicksort of Bentley and McIlroy ("Engineering a Sort Function", 1993), left alone by input that is in order already.
//!
//! PostgreSQL sorts with it. SQL leaves the order of rows that compare equal open, but the expected results that people keep of their
//! tests have PostgreSQL's: for as many rows as anybody writes down, ours come in the same.

use std::cmp::Ordering;

/// Sorts in place; equal items come in the order that PostgreSQL's sort gives them.
pub(crate) fn quicksort<T>(mut items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) {
    loop {
        let count = items.len();
        if count < 7 {
            return insertion_sort(items, compare);
        }
        if items.is_sorted_by(|left, right| compare(left, right) != Ordering::Greater) {
            return;
        }
        items.swap(0, pivot(items, compare));
        let (less, greater) = partition(items, compare);
        let (low, rest) = items.split_at_mut(less);
        let from = rest.len() - greater;
        let high = &mut rest[from..];
        // The smaller part by recursion, so that the stack stays small.
        let (smaller, larger) = if less <= greater { (low, high) } else { (high, low) };
        if smaller.len() > 1 {
            quicksort(smaller, compare);
        }
        items = larger;
    }
}

fn insertion_sort<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) {
    for next in 1..items.len() {
        let mut at = next;
        while at > 0 && compare(&items[at - 1], &items[at]) == Ordering::Greater {
            items.swap(at, at - 1);
            at -= 1;
        }
    }
}

/// The middle item, the median of three, or of three such medians.
fn pivot<T>(items: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let (mut first, mut middle, mut last) = (0, items.len() / 2, items.len() - 1);
    if items.len() == 7 {
        return middle;
    }
    let median = |a: usize, b: usize, c: usize| {
        let less = |left: usize, right: usize| compare(&items[left], &items[right]) == Ordering::Less;
        if less(a, b) {
            if less(b, c) {
                b
            } else if less(a, c) {
                c
            } else {
                a
            }
        } else if less(c, b) {
            b
        } else if less(a, c) {
            a
        } else {
            c
        }
    };
    if items.len() > 40 {
        let eighth = items.len() / 8;
        first = median(first, first + eighth, first + 2 * eighth);
        middle = median(middle - eighth, middle, middle + eighth);
        last = median(last - 2 * eighth, last - eighth, last);
    }
    median(first, middle, last)
}

/// Parts the items around the first one: how many are less, at the front, and greater, at the end.
///
/// While it runs, items equal to the pivot gather at both ends; they are brought to the middle afterwards.
fn partition<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) -> (usize, usize) {
    let count = items.len();
    let (mut equal_low, mut low) = (1, 1);
    let (mut equal_high, mut high) = (count - 1, count - 1);
    loop {
        while low <= high {
            match compare(&items[low], &items[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(equal_low, low);
                    equal_low += 1;
                }
                Ordering::Less => {}
            }
            low += 1;
        }
        while low <= high {
            match compare(&items[high], &items[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    items.swap(high, equal_high);
                    equal_high -= 1;
                }
                Ordering::Greater => {}
            }
            high -= 1;
        }
        if low > high {
            break;
        }
        items.swap(low, high);
        low += 1;
        high -= 1;
    }
    let (less, greater) = (low - equal_low, equal_high - high);
    swap_ranges(items, 0, low, equal_low.min(less));
    swap_ranges(items, low, count, greater.min(count - equal_high - 1));
    (less, greater)
}

/// Exchanges `length` items from `start` with as many before `end`.
fn swap_ranges<T>(items: &mut [T], start: usize, end: usize, length: usize) {
    for at in 0..length {
        items.swap(start + at, end - length + at);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Number and key of rows in the order of `SELECT n, n * 37 % modulus AS k FROM generate_series(1, count) n ORDER BY k`.
    fn sorted(count: u32, modulus: u32) -> Vec<u32> {
        let mut rows: Vec<(u32, u32)> = (1..=count).map(|n| (n * 37 % modulus, n)).collect();
        quicksort(&mut rows, &|left, right| left.0.cmp(&right.0));
        rows.into_iter().map(|(_, n)| n).collect()
    }

    #[test]
    fn equal_rows_come_in_the_order_of_postgresql() {
        assert_eq!(sorted(6, 3), [3, 6, 1, 4, 2, 5]);
        assert_eq!(sorted(7, 3), [3, 6, 4, 1, 7, 2, 5]);
        assert_eq!(
            sorted(30, 5),
            [20, 15, 5, 30, 25, 10, 3, 18, 8, 28, 23, 13, 16, 6, 11, 1, 21, 26, 19, 29, 9, 24, 4, 14, 7, 12, 2, 22, 27, 17]
        );
        assert_eq!(
            sorted(60, 7),
            [
                42, 7, 21, 35, 14, 56, 49, 28, 32, 46, 25, 4, 53, 60, 18, 11, 39, 15, 8, 1, 22, 29, 36, 43, 50, 57, 47, 26, 54,
                40, 12, 19, 33, 5, 44, 30, 16, 2, 37, 58, 9, 51, 23, 34, 13, 20, 55, 48, 41, 6, 27, 10, 17, 45, 24, 59, 3, 52,
                31, 38
            ]
        );
    }

    proptest! {
        #[test]
        fn it_sorts(mut numbers in prop::collection::vec(0..50_i32, 0..300)) {
            let mut expected = numbers.clone();
            expected.sort_unstable();
            quicksort(&mut numbers, &i32::cmp);
            prop_assert_eq!(numbers, expected);
        }
    }
}
