//! PostgreSQL's hash functions, bit for bit: Bob Jenkins' lookup3 as `hash_bytes` has it. Partitioning and tests show their values.

use types::{BitString, Datum, EnumLabel, Numeric, Oid};

use super::{
    Function,
    lift::{TextBytes, strict},
    text_comparison::without_blanks,
};

fn mix(a: &mut u32, b: &mut u32, c: &mut u32) {
    *a = a.wrapping_sub(*c) ^ c.rotate_left(4);
    *c = c.wrapping_add(*b);
    *b = b.wrapping_sub(*a) ^ a.rotate_left(6);
    *a = a.wrapping_add(*c);
    *c = c.wrapping_sub(*b) ^ b.rotate_left(8);
    *b = b.wrapping_add(*a);
    *a = a.wrapping_sub(*c) ^ c.rotate_left(16);
    *c = c.wrapping_add(*b);
    *b = b.wrapping_sub(*a) ^ a.rotate_left(19);
    *a = a.wrapping_add(*c);
    *c = c.wrapping_sub(*b) ^ b.rotate_left(4);
    *b = b.wrapping_add(*a);
}

fn finish(a: &mut u32, b: &mut u32, c: &mut u32) {
    *c = (*c ^ *b).wrapping_sub(b.rotate_left(14));
    *a = (*a ^ *c).wrapping_sub(c.rotate_left(11));
    *b = (*b ^ *a).wrapping_sub(a.rotate_left(25));
    *c = (*c ^ *b).wrapping_sub(b.rotate_left(16));
    *a = (*a ^ *c).wrapping_sub(c.rotate_left(4));
    *b = (*b ^ *a).wrapping_sub(a.rotate_left(14));
    *c = (*c ^ *b).wrapping_sub(b.rotate_left(24));
}

/// The last two words of the state; `seed` is mixed in first unless zero.
fn hash_words(key: &[u8], seed: u64) -> (u32, u32) {
    let start = 0x9e37_79b9_u32.wrapping_add(key.len() as u32).wrapping_add(3_923_095);
    let (mut a, mut b, mut c) = (start, start, start);
    if seed != 0 {
        a = a.wrapping_add((seed >> 32) as u32);
        b = b.wrapping_add(seed as u32);
        mix(&mut a, &mut b, &mut c);
    }
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0_u32, |word, &byte| word << 8 | byte as u32);
    let mut blocks = key.chunks_exact(12);
    for block in &mut blocks {
        a = a.wrapping_add(word(&block[0..4]));
        b = b.wrapping_add(word(&block[4..8]));
        c = c.wrapping_add(word(&block[8..12]));
        mix(&mut a, &mut b, &mut c);
    }
    let rest = blocks.remainder();
    a = a.wrapping_add(word(&rest[..rest.len().min(4)]));
    if rest.len() > 4 {
        b = b.wrapping_add(word(&rest[4..rest.len().min(8)]));
    }
    if rest.len() > 8 {
        // The lowest byte of c is reserved for the length.
        c = c.wrapping_add(word(&rest[8..]) << 8);
    }
    finish(&mut a, &mut b, &mut c);
    (b, c)
}

pub fn hash_bytes(key: &[u8]) -> u32 {
    hash_words(key, 0).1
}

pub fn hash_bytes_extended(key: &[u8], seed: u64) -> u64 {
    let (high, low) = hash_words(key, seed);
    (high as u64) << 32 | low as u64
}

pub fn hash_u32(value: u32) -> u32 {
    hash_u32_words(value, 0).1
}

fn hash_u32_words(value: u32, seed: u64) -> (u32, u32) {
    let start = 0x9e37_79b9_u32.wrapping_add(4).wrapping_add(3_923_095);
    let (mut a, mut b, mut c) = (start, start, start);
    if seed != 0 {
        a = a.wrapping_add((seed >> 32) as u32);
        b = b.wrapping_add(seed as u32);
        mix(&mut a, &mut b, &mut c);
    }
    a = a.wrapping_add(value);
    finish(&mut a, &mut b, &mut c);
    (b, c)
}

pub fn hash_u32_extended(value: u32, seed: u64) -> u64 {
    let (high, low) = hash_u32_words(value, seed);
    (high as u64) << 32 | low as u64
}

/// A 64-bit integer hashes as the 32-bit one of its value, where there is one.
pub fn hash_i64(value: i64) -> u32 {
    hash_u32(folded(value))
}

pub fn hash_i64_extended(value: i64, seed: u64) -> u64 {
    hash_u32_extended(folded(value), seed)
}

/// So that equal values of all integer types hash alike.
fn folded(value: i64) -> u32 {
    let (low, high) = (value as u32, (value >> 32) as u32);
    low ^ if value >= 0 { high } else { !high }
}

fn float_bytes(value: f64) -> [u8; 8] {
    if value.is_nan() { f64::NAN.to_le_bytes() } else { value.to_le_bytes() }
}

fn hash_float(value: f64) -> u32 {
    if value == 0.0 { 0 } else { hash_bytes(&float_bytes(value)) }
}

fn hash_float_extended(value: f64, seed: i64) -> i64 {
    if value == 0.0 { seed } else { hash_bytes_extended(&float_bytes(value), seed as u64) as i64 }
}

/// A numeric's base-10000 digits without leading and trailing zeros, and the weight of the first.
fn numeric_digits(value: &Numeric) -> Option<(Vec<u8>, i32)> {
    if !value.is_finite() {
        return None;
    }
    let text = value.abs().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut padded = "0".repeat((4 - whole.len() % 4) % 4);
    padded.push_str(whole);
    let mut weight = (padded.len() / 4) as i32 - 1;
    padded.push_str(fraction);
    while !padded.len().is_multiple_of(4) {
        padded.push('0');
    }
    let mut groups: Vec<i16> =
        padded.as_bytes().chunks(4).map(|group| group.iter().fold(0, |n, d| n * 10 + (d - b'0') as i16)).collect();
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let leading = groups.iter().take_while(|group| **group == 0).count();
    weight -= leading as i32;
    Some((groups[leading..].iter().flat_map(|group| group.to_le_bytes()).collect(), weight))
}

pub(crate) fn hash_numeric(value: &Numeric) -> u32 {
    if !value.is_finite() {
        return 0;
    }
    if value.is_zero() {
        return u32::MAX;
    }
    match numeric_digits(value) {
        Some((bytes, weight)) => hash_bytes(&bytes) ^ weight as u32,
        None => 0,
    }
}

fn hash_numeric_extended(value: &Numeric, seed: i64) -> i64 {
    if !value.is_finite() {
        return seed;
    }
    if value.is_zero() {
        return seed.wrapping_sub(1);
    }
    match numeric_digits(value) {
        Some((bytes, weight)) => (hash_bytes_extended(&bytes, seed as u64) ^ weight as i64 as u64) as i64,
        None => seed,
    }
}

pub fn functions() -> Vec<Function> {
    let mut functions = plain();
    functions.extend(extended());
    functions
}

fn plain() -> Vec<Function> {
    vec![
        strict!("hashint2", |a: i16| hash_u32(a as i32 as u32) as i32),
        strict!("hashint4", |a: i32| hash_u32(a as u32) as i32),
        strict!("hashint8", |a: i64| hash_i64(a) as i32),
        strict!("hashoid", |a: Oid| hash_u32(a.0) as i32),
        strict!("hashfloat4", |a: f32| hash_float(a as f64) as i32),
        strict!("hashfloat8", |a: f64| hash_float(a) as i32),
        strict!("hash_numeric", |a: Numeric| hash_numeric(a) as i32),
        strict!("hashtext", |a: TextBytes| hash_bytes(a) as i32),
        strict!("hashname", |a: TextBytes| hash_bytes(a) as i32),
        strict!("hashbpchar", |a: TextBytes| hash_bytes(without_blanks(a)) as i32),
        strict!("hashchar", |a: TextBytes| hash_u32(a.first().map_or(0, |&byte| byte as i8 as i32 as u32)) as i32),
        strict!("uuid_hash", |a: [u8; 16]| hash_bytes(&a) as i32),
        strict!("hashenum", |a: &EnumLabel| hash_u32(a.label_oid.0) as i32),
        strict!("hash_array", |a: &types::Array| array_hash(a)),
    ]
}

fn extended() -> Vec<Function> {
    vec![
        strict!("hashint2extended", |a: i16, seed: i64| hash_u32_extended(a as i32 as u32, seed as u64) as i64),
        strict!("hashint4extended", |a: i32, seed: i64| hash_u32_extended(a as u32, seed as u64) as i64),
        strict!("hashint8extended", |a: i64, seed: i64| hash_i64_extended(a, seed as u64) as i64),
        strict!("hashoidextended", |a: Oid, seed: i64| hash_u32_extended(a.0, seed as u64) as i64),
        strict!("hashfloat4extended", |a: f32, seed: i64| hash_float_extended(a as f64, seed)),
        strict!("hashfloat8extended", |a: f64, seed: i64| hash_float_extended(a, seed)),
        strict!("hash_numeric_extended", |a: Numeric, seed: i64| hash_numeric_extended(a, seed)),
        strict!("hashtextextended", |a: TextBytes, seed: i64| hash_bytes_extended(a, seed as u64) as i64),
        strict!("hashnameextended", |a: TextBytes, seed: i64| hash_bytes_extended(a, seed as u64) as i64),
        strict!("hashbpcharextended", |a: TextBytes, seed: i64| hash_bytes_extended(without_blanks(a), seed as u64) as i64),
        strict!("uuid_hash_extended", |a: [u8; 16], seed: i64| hash_bytes_extended(&a, seed as u64) as i64),
        strict!("hashenumextended", |a: &EnumLabel, seed: i64| hash_u32_extended(a.label_oid.0, seed as u64) as i64),
    ]
}

fn array_hash(array: &types::Array) -> i32 {
    let hash = array.elements.iter().fold(1_u32, |hash, element| {
        let element = hash_datum(element);
        hash.wrapping_mul(31).wrapping_add(element)
    });
    hash as i32
}

/// The hash of a value by its type's function; 0 for NULL and for types that have none here.
fn hash_datum(datum: &Datum) -> u32 {
    match datum {
        Datum::Bool(value) => hash_u32(*value as u32),
        Datum::Int2(value) => hash_u32(*value as i32 as u32),
        Datum::Int4(value) => hash_u32(*value as u32),
        Datum::Int8(value) => hash_u32(folded(*value)),
        Datum::Oid(value) => hash_u32(value.0),
        Datum::Float4(value) => hash_float(*value as f64),
        Datum::Float8(value) => hash_float(*value),
        Datum::Numeric(value) => hash_numeric(value),
        Datum::Text(value) => hash_bytes(value.as_bytes()),
        Datum::Bytes(value) => hash_bytes(value),
        Datum::Uuid(value) => hash_bytes(value),
        Datum::Date(value) => hash_u32(value.0 as u32),
        Datum::Timestamp(value) => hash_u32(folded(value.0)),
        Datum::TimestampTz(value) => hash_u32(folded(value.0)),
        Datum::Enum(value) => hash_u32(value.label_oid.0),
        Datum::Bit(value) => hash_bytes(BitString::bytes(value)),
        _ => 0,
    }
}
