//! The registry against the catalog's facts, and functions against what PostgreSQL 15 answered for the same call.
//!
//! Each line of `answers/calls.tsv`: pg_proc.oid, name, argument types, PostgreSQL's answer, arguments. An answer is `NULL`, `=` and the text of
//! the value, or `E`, SQLSTATE and the message, detail and hint of the error; line breaks are written as a sign.

use std::sync::Arc;

use catalog::builtin::builtins;
use types::{
    Datum,
    text_format::{datum_from_text, datum_to_text},
};

use super::*;
use crate::{Batch, Compiled, Expr, expression::Written};

#[test]
fn every_implementation_names_a_known_source() {
    let known: std::collections::HashSet<&str> =
        catalog::builtin::builtins().functions.iter().map(|function| function.source).collect();
    let unknown: Vec<&str> =
        subjects().into_iter().flatten().map(|function| function.source).filter(|source| !known.contains(source)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn no_source_is_registered_twice() {
    let mut seen = std::collections::HashSet::new();
    let twice: Vec<&str> =
        subjects().into_iter().flatten().map(|function| function.source).filter(|source| !seen.insert(*source)).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

const LINE_BREAK: char = '⏎';

/// The type that a polymorphic result has when the arguments are integers, as they are in the answers.
fn result_type(oid: Oid) -> SqlType {
    match oid {
        Oid::ANYARRAY | Oid::ANYCOMPATIBLEARRAY => SqlType::INT4_ARRAY,
        Oid::ANYELEMENT | Oid::ANYCOMPATIBLE => SqlType::INT4,
        other => SqlType::of(other),
    }
}

fn answer(oid: Oid, types: &[SqlType], arguments: &[String]) -> Result<String> {
    let mut context = EvalContext::without_session();
    let function = builtins().function(oid).expect("the function exists");
    let mut parameters = Vec::new();
    for (ty, text) in types.iter().zip(arguments) {
        parameters.push(match text.as_str() {
            "\\N" => Datum::Null,
            text => datum_from_text(text, *ty, &context.format, &*context.resolver)?,
        });
    }
    context.parameters = parameters.into();
    let arguments = types.iter().enumerate().map(|(index, ty)| Expr::Parameter { index, ty: *ty }).collect();
    let ty = result_type(function.return_type);
    let call = Expr::Call { function, arguments, ty, collation: Oid::INVALID, written: Written::Call, position: None };
    let value = Compiled::new(&call, &[])?.evaluate(&Batch::unit(), &context)?.datum(0);
    let mut out = String::from("=");
    match value {
        Datum::Null => return Ok("NULL".to_owned()),
        // The answers were cast to text, which spells booleans out.
        Datum::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        value => datum_to_text(&value, ty, &context.format, &*context.resolver, &mut out),
    }
    Ok(out)
}

#[test]
fn functions_answer_as_postgresql_does() {
    let mut wrong = Vec::new();
    for line in include_str!("answers/calls.tsv").lines() {
        let mut fields = line.split('\t');
        let mut next = || fields.next().expect("four fields before the arguments");
        let (oid, name, type_names, expected) = (next(), next(), next(), next());
        let types: Vec<SqlType> = type_names
            .split(',')
            .filter(|name| !name.is_empty())
            .map(|name| SqlType::of(builtins().type_by_name(name).expect("a known type").oid))
            .collect();
        let arguments: Vec<String> = fields.map(|argument| argument.replace(LINE_BREAK, "\n")).collect();
        let ours = answer(Oid(oid.parse().expect("an oid")), &types, &arguments).unwrap_or_else(|error| {
            let fields = error.fields();
            let (detail, hint) = (fields.detail.as_deref().unwrap_or(""), fields.hint.as_deref().unwrap_or(""));
            format!("E{} {}|{detail}|{hint}", error.sqlstate().code(), error.message())
        });
        if ours.replace('\n', &LINE_BREAK.to_string()) != expected {
            wrong.push(format!("{name}({arguments:?}): expected {expected}, got {ours}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Vectors of several rows give what each row gives alone.
#[test]
fn vectors_agree_with_single_rows() {
    let function = builtins().functions_named("substr").find(|function| function.argument_types.len() == 3).expect("it exists");
    let call = Expr::Call {
        function,
        arguments: vec![
            Expr::Column { id: crate::ColumnId(0), ty: SqlType::TEXT },
            Expr::Column { id: crate::ColumnId(1), ty: SqlType::INT4 },
            Expr::constant(Datum::Int4(2), SqlType::INT4),
        ],
        ty: SqlType::TEXT,
        collation: Oid::INVALID,
        written: Written::Call,
        position: None,
    };
    let compiled = Compiled::new(&call, &[crate::ColumnId(0), crate::ColumnId(1)]).expect("it compiles");
    let texts = [Datum::text("hello"), Datum::Null, Datum::text("été")];
    let starts = [Datum::Int4(2), Datum::Int4(1), Datum::Int4(3)];
    let column = |datums: &[Datum], ty: SqlType| Arc::new(storage::Column::from_datums(ty.physical, datums));
    let batch = Batch::new(vec![column(&texts, SqlType::TEXT), column(&starts, SqlType::INT4)], 3);
    let all = compiled.evaluate(&batch, &EvalContext::without_session()).expect("no error");
    for row in 0..3 {
        let one = compiled.evaluate(&batch.take(&[row as u32]), &EvalContext::without_session()).expect("no error");
        assert_eq!(format!("{:?}", one.datum(0)), format!("{:?}", all.datum(row)));
    }
    assert_eq!(format!("{:?}", all.datum(2)), format!("{:?}", Datum::text("é")));
}
