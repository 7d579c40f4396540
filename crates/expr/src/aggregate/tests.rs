//! Aggregates over small groups; the values are PostgreSQL's.

use catalog::builtin::builtins;

use super::*;
use crate::ColumnId;

fn run(name: &str, ty: SqlType, result: SqlType, values: &[Datum]) -> Datum {
    let function = builtins()
        .functions_named(name)
        .find(|function| function.kind == 'a' && function.argument_types.first() == Some(&ty.oid))
        .expect("the aggregate exists");
    let call = AggregateCall {
        function,
        arguments: vec![Expr::Column { id: ColumnId(0), ty }],
        direct_arguments: Vec::new(),
        distinct: false,
        filter: None,
        order_by: Vec::new(),
        ty: result,
    };
    let mut accumulator = accumulator(&call).expect("it is implemented");
    let column = Vector::Column(Arc::new(Column::from_datums(ty.physical, values)));
    let groups = vec![0; values.len()];
    accumulator.update(&groups, 1, &[column], &EvalContext::without_session()).expect("no error");
    accumulator.finish(1, &EvalContext::without_session()).expect("no error").datum(0)
}

fn ints(values: &[i32]) -> Vec<Datum> {
    values.iter().map(|value| Datum::Int4(*value)).chain([Datum::Null]).collect()
}

#[test]
fn sums_and_averages() {
    assert!(matches!(run("sum", SqlType::INT4, SqlType::INT8, &ints(&[i32::MAX, i32::MAX])), Datum::Int8(4294967294)));
    let Datum::Numeric(average) = run("avg", SqlType::INT4, SqlType::NUMERIC, &ints(&[1, 2, 4])) else { panic!("a numeric") };
    assert_eq!(average.to_string(), "2.3333333333333333");
    assert!(run("sum", SqlType::INT4, SqlType::INT8, &ints(&[])).is_null());
    assert!(matches!(run("max", SqlType::INT4, SqlType::INT4, &ints(&[3, 9, -1])), Datum::Int4(9)));
}

#[test]
fn variances() {
    let Datum::Numeric(variance) = run("var_samp", SqlType::INT4, SqlType::NUMERIC, &ints(&[1, 2, 4])) else {
        panic!("a numeric")
    };
    assert_eq!(variance.to_string(), "2.3333333333333333");
    let floats: Vec<Datum> = [1.0, 2.0, 4.0].into_iter().map(Datum::Float8).collect();
    assert!(
        matches!(run("stddev_pop", SqlType::FLOAT8, SqlType::FLOAT8, &floats), Datum::Float8(value) if value == 1.247219128924647)
    );
}
