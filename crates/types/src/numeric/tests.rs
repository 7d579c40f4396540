//! Expected values are PostgreSQL 15's; the properties compare with exact integer arithmetic.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use num_bigint::BigInt;
use proptest::prelude::*;

use super::*;

fn number(text: &str) -> Numeric {
    Numeric::parse(text).expect(text)
}

fn message(result: Result<impl std::fmt::Debug>) -> String {
    let error = result.expect_err("an error");
    let detail = error.fields().detail.as_deref().map(|detail| format!(" / {detail}")).unwrap_or_default();
    format!("{:?} {}{detail}", error.sqlstate(), error.message())
}

#[test]
fn reads_and_prints_what_postgresql_does() {
    for (text, printed) in [
        (" 12.50 ", "12.50"),
        ("-0.0", "0.0"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e5", "100000"),
        ("1.23e-5", "0.0000123"),
        ("1e+2", "100"),
        ("9223372036854775808", "9223372036854775808"),
        ("-9223372036854775808.000", "-9223372036854775808.000"),
        ("nan", "NaN"),
        ("+Infinity", "Infinity"),
        ("-inf", "-Infinity"),
        ("0.000000000000000000000001", "0.000000000000000000000001"),
    ] {
        assert_eq!(number(text).to_string(), printed, "{text}");
    }
    for text in ["", ".", "1..2", "1e", "e5", "12x", "- 1", "1_000", "+nan", "0x10"] {
        assert_eq!(message(Numeric::parse(text)), format!("22P02 invalid input syntax for type numeric: \"{text}\""));
    }
    for text in ["1e131072", "1e-16384", "0e-20000", "1e9999999999999"] {
        assert_eq!(message(Numeric::parse(text)), "22003 value overflows numeric format", "{text}");
    }
}

#[test]
fn quotients_and_roots_have_postgresqls_scale() {
    assert_eq!(number("1").div(&number("3")).expect("").to_string(), "0.33333333333333333333");
    assert_eq!(number("9999.0").div(&number("3")).expect("").to_string(), "3333.0000000000000000");
    assert_eq!(number("38273").div(&number("7")).expect("").to_string(), "5467.5714285714285714");
    assert_eq!(number("2").sqrt().expect("").to_string(), "1.414213562373095");
    assert_eq!(number("1.0").exp().expect("").to_string(), "2.7182818284590452");
    assert_eq!(number("2.0").ln().expect("").to_string(), "0.6931471805599453");
    assert_eq!(number("0.5").power(&number("2.5")).expect("").to_string(), "0.1767766952966369");
    assert_eq!(number("2").power(&number("10")).expect("").to_string(), "1024.0000000000000000");
    assert_eq!(number("-7.5").rem(&number("2")).expect("").to_string(), "-1.5");
    assert_eq!(number("-7.5").div_trunc(&number("2")).expect("").to_string(), "-3");
}

#[test]
fn limits_of_a_column() {
    assert_eq!(
        message(number("1000").apply_typmod(5, 2)),
        "22003 numeric field overflow / A field with precision 5, scale 2 must round to an absolute value less than 10^3."
    );
    assert_eq!(number("12345").apply_typmod(3, -2).expect("").to_string(), "12300");
    assert_eq!(
        message(number("0.9999").apply_typmod(3, 3)),
        "22003 numeric field overflow / A field with precision 3, scale 3 must round to an absolute value less than 1."
    );
    assert_eq!(number("0.00123").apply_typmod(3, 5).expect("").to_string(), "0.00123");
    assert_eq!(
        message(Numeric::INFINITY.apply_typmod(5, 2)),
        "22003 numeric field overflow / A field with precision 5, scale 2 cannot hold an infinite value."
    );
    assert_eq!(Numeric::typmod_parts(Numeric::typmod(3, -2)), Some((3, -2)));
    assert_eq!(Numeric::typmod(8, 2), 524294);
}

#[test]
fn conversions() {
    assert_eq!(number("2.5").to_i32().expect(""), 3);
    assert_eq!(number("-2.5").to_i16().expect(""), -3);
    assert_eq!(message(number("2147483647.5").to_i32()), "22003 integer out of range");
    assert_eq!(message(number("1e30").to_i64()), "22003 bigint out of range");
    assert_eq!(message(Numeric::NAN.to_i16()), "0A000 cannot convert NaN to smallint");
    assert_eq!(Numeric::from_f64(0.1).expect("").to_string(), "0.1");
    assert_eq!(Numeric::from_f64(1e20).expect("").to_string(), "100000000000000000000");
    assert_eq!(Numeric::from_f32(1.1f32).expect("").to_string(), "1.1");
    assert_eq!(Numeric::from_f64(100.0).expect("").to_string(), "100");
    assert_eq!(Numeric::from_f64(123456789012345678.0).expect("").to_string(), "123456789012346000");
    assert!(message(number("1e400").to_f64()).ends_with("is out of range for type double precision"));
}

#[test]
fn integer_functions() {
    assert_eq!(Numeric::factorial(20).expect("").to_string(), "2432902008176640000");
    assert_eq!(Numeric::factorial(25).expect("").to_string(), "15511210043330985984000000");
    assert_eq!(message(Numeric::factorial(-1)), "22003 factorial of a negative number is undefined");
    assert_eq!(number("330").gcd(&number("462.0")).expect("").to_string(), "66.0");
    assert_eq!(number("330").lcm(&number("462")).expect("").to_string(), "2310");
    let bucket = |x: &str, low: &str, high: &str, count| Numeric::width_bucket(&number(x), &number(low), &number(high), count);
    assert_eq!(bucket("5.35", "0.024", "10.06", 5).expect(""), 3);
    assert_eq!(bucket("0", "10", "0", 5).expect(""), 6);
    assert_eq!(message(bucket("1", "2", "2", 5)), "2201G lower bound cannot equal upper bound");
}

#[test]
fn sums_keep_the_largest_scale_and_grow_past_128_bits() {
    let mut sum = NumericSum::new();
    for text in ["1.5", "2.25", "3"] {
        sum.add(&number(text));
    }
    assert_eq!(sum.total().expect("").to_string(), "6.75");
    assert_eq!(sum.average().expect("some").expect("").to_string(), "2.2500000000000000");
    assert!(!sum.remove(&number("2.25")), "the scale would shrink");
    let mut large = NumericSum::new();
    for _ in 0..3 {
        large.add(&number("170141183460469231731687303715884105727"));
    }
    assert_eq!(large.total().expect("").to_string(), "510423550381407695195061911147652317181");
    large.add(&Numeric::INFINITY);
    assert_eq!(large.total().expect("").to_string(), "Infinity");
    large.merge(&sum);
    assert!(large.remove(&Numeric::INFINITY));
    assert_eq!(large.total().expect("").to_string(), "510423550381407695195061911147652317187.75");
    let (mut values, mut squares) = (NumericSum::new(), NumericSum::new());
    for value in [1, 2, 3, 4] {
        values.add_i64(value);
        squares.add_i64(value * value);
    }
    assert_eq!(variance(&values, &squares, true, false).expect("some").expect("").to_string(), "1.6666666666666667");
    assert_eq!(variance(&values, &squares, false, true).expect("some").expect("").to_string(), "1.1180339887498948");
}

#[test]
fn special_values_order_after_numbers() {
    let ordered = ["-inf", "-1e100", "-2", "0", "1e-50", "1.00", "1e100", "inf", "nan"].map(number);
    assert!(ordered.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(Numeric::NAN, Numeric::NAN);
}

/// Mantissa and scale of values on both sides of the border between the forms.
fn parts() -> impl Strategy<Value = (i128, u32)> {
    let mantissa = prop_oneof![any::<i128>().prop_map(|wide| wide >> 1), any::<i64>().prop_map(i128::from), -1000i128..1000];
    (mantissa, 0u32..30)
}

fn from_parts((mantissa, scale): (i128, u32)) -> Numeric {
    Numeric::from_big_unchecked(BigInt::from(mantissa), scale)
}

fn at_scale(value: &Numeric, scale: u32) -> BigInt {
    let (mantissa, own) = value.big_parts().expect("finite");
    mantissa.as_ref() * digits::power_of_ten(scale - own)
}

proptest! {
    #[test]
    fn text_round_trips(parts in parts()) {
        let value = from_parts(parts);
        let back = number(&value.to_string());
        prop_assert_eq!(&back, &value);
        prop_assert_eq!(back.scale(), value.scale());
    }

    #[test]
    fn arithmetic_is_exact(left in parts(), right in parts()) {
        let (a, b) = (from_parts(left), from_parts(right));
        prop_assert_eq!(at_scale(&a.add(&b).expect("fits"), 60), at_scale(&a, 60) + at_scale(&b, 60));
        prop_assert_eq!(at_scale(&a.sub(&b).expect("fits"), 60), at_scale(&a, 60) - at_scale(&b, 60));
        prop_assert_eq!(at_scale(&a.mul(&b).expect("fits"), 60), at_scale(&a, 30) * at_scale(&b, 30));
        prop_assert_eq!(a.cmp(&b), at_scale(&a, 60).cmp(&at_scale(&b, 60)));
        if !b.is_zero() {
            let quotient = a.div(&b).expect("fits");
            // |q*b - a| is at most half a unit of the quotient's last digit, times |b|.
            let error = quotient.mul(&b).expect("fits").sub(&a).expect("fits").abs();
            let unit = from_parts((5, quotient.scale().expect("finite") + 1));
            prop_assert!(error <= unit.mul(&b.abs()).expect("fits"));
            let remainder = a.rem(&b).expect("fits");
            prop_assert_eq!(a.div_trunc(&b).expect("fits").mul(&b).expect("fits").add(&remainder).expect("fits"), a);
        }
    }

    #[test]
    fn equal_values_hash_alike(parts in parts(), zeros in 0u32..40) {
        let value = from_parts(parts);
        let longer = Numeric::from_big_unchecked(at_scale(&value, parts.1 + zeros), parts.1 + zeros);
        prop_assert_eq!(&value, &longer);
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        prop_assert_eq!(hasher.hash_one(&value), hasher.hash_one(&longer));
        prop_assert_eq!(longer.trim_scale().scale(), value.min_scale());
    }

    #[test]
    fn sums_agree_with_additions(all in proptest::collection::vec(parts(), 1..20)) {
        let mut sum = NumericSum::new();
        let mut total = Numeric::ZERO;
        for value in all.into_iter().map(from_parts) {
            sum.add(&value);
            total = total.add(&value).expect("fits");
        }
        let summed = sum.total().expect("fits");
        prop_assert_eq!(summed.scale(), total.scale());
        prop_assert_eq!(summed, total);
    }
}
