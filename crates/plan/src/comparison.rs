//! Which functions are the comparisons of a type's default ordering, so that rules and operators may use indexes and hashing for them.

use std::{collections::HashMap, sync::LazyLock};

use catalog::builtin::{BuiltinFunction, builtins};
use types::Oid;

/// The relation of left to right that a comparison tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
    NotEqual,
}

impl Order {
    /// The test with its sides exchanged.
    pub fn commuted(self) -> Order {
        match self {
            Order::Less => Order::Greater,
            Order::LessOrEqual => Order::GreaterOrEqual,
            Order::GreaterOrEqual => Order::LessOrEqual,
            Order::Greater => Order::Less,
            same => same,
        }
    }
}

/// What is known of a comparison function.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    pub order: Order,
    pub left: Oid,
    pub right: Oid,
    /// pg_operator.oid
    pub operator: Oid,
}

/// Types without an order that agrees with their "=": PostgreSQL has no btree class for them.
const UNORDERED: [Oid; 10] =
    [Oid::XID, Oid::CID, Oid::BOX, Oid::CIRCLE, Oid::PATH, Oid::LSEG, Oid::LINE, Oid::POINT, Oid::POLYGON, Oid::ACLITEM];

/// What a function compares, when it is a comparison operator's of an ordered type.
pub fn of(function: Oid) -> Option<Comparison> {
    static COMPARISONS: LazyLock<HashMap<Oid, Comparison>> = LazyLock::new(read);
    COMPARISONS.get(&function).copied()
}

fn read() -> HashMap<Oid, Comparison> {
    let mut comparisons = HashMap::new();
    for operator in &builtins().operators {
        let order = match operator.name {
            "<" => Order::Less,
            "<=" => Order::LessOrEqual,
            "=" => Order::Equal,
            ">=" => Order::GreaterOrEqual,
            ">" => Order::Greater,
            "<>" => Order::NotEqual,
            _ => continue,
        };
        if operator.kind == 'b' && !UNORDERED.contains(&operator.left) && !UNORDERED.contains(&operator.right) {
            let comparison = Comparison { order, left: operator.left, right: operator.right, operator: operator.oid };
            comparisons.entry(operator.function).or_insert(comparison);
        }
    }
    comparisons
}

/// The function of an operator by name and operand types.
pub fn function(name: &str, left: Oid, right: Oid) -> Option<&'static BuiltinFunction> {
    let operator = builtins().operators_named(name).find(|operator| operator.left == left && operator.right == right)?;
    builtins().function(operator.function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparison_functions_are_known_by_their_operators() {
        let less = function("<", Oid::INT4, Oid::INT8).expect("int4 < int8 exists");
        let known = of(less.oid).expect("it is a comparison");
        assert_eq!((known.order, known.left, known.right), (Order::Less, Oid::INT4, Oid::INT8));
        let plus = function("+", Oid::INT4, Oid::INT4).expect("int4 + int4 exists");
        assert!(of(plus.oid).is_none());
    }
}
