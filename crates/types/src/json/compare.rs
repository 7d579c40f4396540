//! The total order, equality and hash of `jsonb` values.

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
};

use super::{Jsonb, deep};

/// The order of keys within an object: shorter first, then by bytes.
pub(super) fn compare_keys(left: &str, right: &str) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.as_bytes().cmp(right.as_bytes()))
}

fn rank(value: &Jsonb) -> u8 {
    match value {
        Jsonb::Null => 0,
        Jsonb::String(_) => 1,
        Jsonb::Number(_) => 2,
        Jsonb::Bool(_) => 3,
        Jsonb::Array(_) => 4,
        Jsonb::Object(_) => 5,
    }
}

/// The order of values inside a container.
fn compare_nested(left: &Jsonb, right: &Jsonb) -> Ordering {
    match (left, right) {
        (Jsonb::Bool(left), Jsonb::Bool(right)) => left.cmp(right),
        (Jsonb::Number(left), Jsonb::Number(right)) => left.cmp(right),
        (Jsonb::String(left), Jsonb::String(right)) => left.as_bytes().cmp(right.as_bytes()),
        (Jsonb::Array(left), Jsonb::Array(right)) => left.len().cmp(&right.len()).then_with(|| {
            deep(|| first_difference(left.iter().zip(right.iter()).map(|(left, right)| compare_nested(left, right))))
        }),
        (Jsonb::Object(left), Jsonb::Object(right)) => left.len().cmp(&right.len()).then_with(|| {
            deep(|| {
                first_difference(left.iter().zip(right.iter()).map(|((left_key, left), (right_key, right))| {
                    left_key.as_bytes().cmp(right_key.as_bytes()).then_with(|| compare_nested(left, right))
                }))
            })
        }),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn first_difference(orders: impl Iterator<Item = Ordering>) -> Ordering {
    let mut orders = orders;
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

impl Ord for Jsonb {
    /// Objects after arrays after scalars, larger containers after smaller. By PostgreSQL's historical accident, an empty
    /// array at the root comes before every scalar.
    fn cmp(&self, other: &Jsonb) -> Ordering {
        match (self, other) {
            (Jsonb::Array(elements), scalar) if elements.is_empty() && scalar.is_scalar() => Ordering::Less,
            (scalar, Jsonb::Array(elements)) if elements.is_empty() && scalar.is_scalar() => Ordering::Greater,
            _ => compare_nested(self, other),
        }
    }
}

impl PartialOrd for Jsonb {
    fn partial_cmp(&self, other: &Jsonb) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Jsonb {
    fn eq(&self, other: &Jsonb) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Jsonb {}

impl Hash for Jsonb {
    fn hash<H: Hasher>(&self, state: &mut H) {
        rank(self).hash(state);
        match self {
            Jsonb::Null => {}
            Jsonb::Bool(value) => value.hash(state),
            Jsonb::Number(number) => number.hash(state),
            Jsonb::String(text) => text.hash(state),
            Jsonb::Array(elements) => deep(|| elements.hash(state)),
            Jsonb::Object(members) => deep(|| members.hash(state)),
        }
    }
}
