//! What one operation on a value costs: sums over prices, comparison, and text in and out.
//!
//! `cargo bench -p heliosdb-types --bench values`

use divan::{Bencher, black_box};
use heliosdb_types::{
    Datum, Jsonb, Numeric, compare_datums, json,
    numeric::NumericSum,
    text_format::{parse_f64, parse_i32, print_f64},
};

fn main() {
    divan::main();
}

const DOCUMENT: &str = r#"{"id": 12345, "name": "Some name", "tags": ["a","b","c"], "nested": {"x": 1.5, "y": null}}"#;
/// Values per sample, so that one sample outlasts the clock's grain.
const COUNT: usize = 1024;

fn prices() -> Vec<Numeric> {
    (0..COUNT as i64).map(|at| Numeric::from_parts(at * 7919 + 100, 2)).collect()
}

fn discounts() -> Vec<Numeric> {
    (0..COUNT as i64).map(|at| Numeric::from_parts(at % 11, 2)).collect()
}

/// `price * (1 - discount)`, the inside of most of TPC-H's sums.
#[divan::bench]
fn discounted_price(bencher: Bencher) {
    let (prices, discounts, one) = (prices(), discounts(), Numeric::ONE);
    bencher.counter(COUNT).bench_local(|| {
        for (price, discount) in prices.iter().zip(&discounts) {
            let factor = one.sub(discount).expect("small");
            black_box(price.mul(&factor).expect("small"));
        }
    });
}

#[divan::bench]
fn quotient(bencher: Bencher) {
    let prices = prices();
    bencher.counter(COUNT).bench_local(|| {
        for pair in prices.windows(2) {
            black_box(pair[0].div(&pair[1]).expect("small"));
        }
    });
}

#[divan::bench]
fn sum(bencher: Bencher) {
    let prices = prices();
    bencher.counter(COUNT).bench_local(|| {
        let mut sum = NumericSum::new();
        prices.iter().for_each(|price| sum.add(black_box(price)));
        sum.total()
    });
}

#[divan::bench]
fn compare_numerics(bencher: Bencher) {
    let prices: Vec<Datum> = prices().into_iter().map(Datum::Numeric).collect();
    bencher.counter(COUNT).bench_local(|| {
        for pair in prices.windows(2) {
            black_box(compare_datums(&pair[0], &pair[1]));
        }
    });
}

#[divan::bench]
fn parse_numeric() -> Numeric {
    Numeric::parse(black_box("12345.67")).expect("a number")
}

#[divan::bench]
fn print_numeric(bencher: Bencher) {
    let (value, mut out) = (Numeric::from_parts(1_234_567, 2), String::new());
    bencher.bench_local(|| {
        out.clear();
        value.print(&mut out);
    });
}

#[divan::bench]
fn parse_integer() -> i32 {
    parse_i32(black_box("123456")).expect("a number")
}

#[divan::bench]
fn parse_double() -> f64 {
    parse_f64(black_box("12345.678")).expect("a number")
}

#[divan::bench]
fn print_double(bencher: Bencher) {
    let mut out = String::new();
    bencher.bench_local(|| {
        out.clear();
        print_f64(black_box(12345.678), 1, &mut out);
    });
}

#[divan::bench]
fn parse_jsonb() -> Jsonb {
    Jsonb::parse(black_box(DOCUMENT)).expect("a document")
}

#[divan::bench]
fn validate_json() {
    json::validate(black_box(DOCUMENT)).expect("a document");
}

#[divan::bench]
fn field_of_json_text() -> usize {
    json::text::field(black_box(DOCUMENT), "name").expect("readable").map_or(0, str::len)
}
