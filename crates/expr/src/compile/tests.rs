//! Evaluation of expressions made by hand.

use catalog::builtin::builtins;
use types::{Datum, Physical};

use super::*;
use crate::expression::Written;

fn fold_context() -> EvalContext {
    folding::context()
}

fn call(operator: &str, left: Expr, right: Expr) -> Expr {
    let found = builtins()
        .operators_named(operator)
        .find(|candidate| candidate.left == left.ty().oid && candidate.right == right.ty().oid)
        .expect("the operator exists");
    let function = builtins().function(found.function).expect("an operator has a function");
    Expr::Call {
        function,
        ty: SqlType::of(function.return_type),
        arguments: vec![left, right],
        collation: types::Oid::INVALID,
        written: Written::Operator(found.oid),
        position: None,
    }
}

fn int(value: i32) -> Expr {
    Expr::constant(Datum::Int4(value), SqlType::INT4)
}

fn x() -> Expr {
    Expr::Column { id: ColumnId(1), ty: SqlType::INT4 }
}

fn batch(values: &[Option<i32>]) -> Batch {
    let datums: Vec<Datum> = values.iter().map(|value| value.map_or(Datum::Null, Datum::Int4)).collect();
    Batch::new(vec![Arc::new(Column::from_datums(Physical::Int4, &datums))], datums.len())
}

fn run(expression: &Expr, values: &[Option<i32>]) -> Result<Vec<String>> {
    let compiled = Compiled::new(expression, &[ColumnId(1)])?;
    let result = compiled.evaluate(&batch(values), &fold_context())?;
    Ok((0..values.len())
        .map(|row| match result.datum(row) {
            Datum::Null => "null".to_owned(),
            Datum::Bool(value) => value.to_string(),
            Datum::Int4(value) => value.to_string(),
            other => format!("{other:?}"),
        })
        .collect())
}

#[test]
fn arithmetic_over_vectors_and_constants() {
    let sum = call("+", x(), int(1));
    assert_eq!(run(&sum, &[Some(1), None, Some(-5)]).expect("no overflow"), ["2", "null", "-4"]);
    let error = run(&sum, &[Some(i32::MAX), Some(1)]).expect_err("it overflows");
    assert_eq!((error.sqlstate().code(), error.message()), ("22003", "integer out of range"));
    // What a NULL row happens to hold never fails.
    let both = call("+", x(), x());
    assert_eq!(run(&both, &[None, Some(2)]).expect("no overflow"), ["null", "4"]);
}

#[test]
fn failing_constants_fail_only_when_run() {
    let division = call("/", int(1), int(0));
    let guarded = Expr::Case {
        branches: vec![(call("<>", x(), int(0)), call("/", int(10), x()))],
        otherwise: Box::new(int(-1)),
        ty: SqlType::INT4,
        simple: false,
    };
    assert_eq!(run(&guarded, &[Some(0), Some(5), None]).expect("zero is guarded"), ["-1", "2", "-1"]);
    assert_eq!(run(&division, &[Some(1)]).expect_err("it runs").sqlstate().code(), "22012");
    assert!(run(&division, &[]).expect("no rows, no division").is_empty());
    let unreached = Expr::Coalesce { arguments: vec![x(), division], ty: SqlType::INT4 };
    assert_eq!(run(&unreached, &[Some(1), Some(2)]).expect("never NULL"), ["1", "2"]);
    assert!(run(&unreached, &[Some(1), None]).is_err());
}

#[test]
fn and_or_stop_where_postgresql_stops() {
    let safe = Expr::And(vec![call("<>", x(), int(0)), call(">", call("/", int(10), x()), int(2))]);
    assert_eq!(run(&safe, &[Some(0), Some(3), Some(9)]).expect("guarded"), ["false", "true", "false"]);
    let either = Expr::Or(vec![call("=", x(), int(0)), call(">", call("/", int(10), x()), int(2))]);
    assert_eq!(run(&either, &[Some(0), None, Some(9)]).expect("guarded"), ["true", "null", "false"]);
    let null = Expr::null(SqlType::BOOL);
    let kleene = Expr::And(vec![null, call("=", x(), int(1))]);
    assert_eq!(run(&kleene, &[Some(1), Some(2), None]).expect("no error"), ["null", "false", "null"]);
}

#[test]
fn in_lists_short_and_long() {
    let equal = builtins().functions_named("int4eq").next().expect("int4eq exists");
    for count in [3, 50] {
        let elements = (0..count).map(Datum::Int4).chain([Datum::Null]).collect();
        let array = Datum::Array(Arc::new(types::Array::one_dimensional(SqlType::INT4, elements)));
        let expression = Expr::ArrayCompare {
            left: Box::new(x()),
            array: Box::new(Expr::constant(array, SqlType::INT4_ARRAY)),
            function: equal,
            all: false,
            collation: types::Oid::INVALID,
            operator: None,
        };
        assert_eq!(run(&expression, &[Some(2), Some(1000), None]).expect("no error"), ["true", "null", "null"]);
        assert_eq!(run(&expression, &[Some(2)]).expect("no error"), ["true"]);
    }
}

#[test]
fn deep_trees_neither_compile_nor_run_out_of_stack() {
    let mut deep = x();
    for _ in 0..5_000 {
        deep = call("+", deep, int(1));
    }
    assert_eq!(run(&deep, &[Some(0), Some(1)]).expect("no overflow"), ["5000", "5001"]);
}
