//! Functions against what PostgreSQL 15 answered for the same call.
//!
//! Each line of a file in `answers/`: DateStyle, TimeZone, function, arguments as `type:value` (`type:NULL`), and PostgreSQL's text of the
//! result - or SQLSTATE, message, detail and hint of its error (as "22008 message|detail|hint").

use std::sync::Arc;

use catalog::builtin::{BuiltinFunction, builtins};
use types::format_settings::{DateOrder, DateStyle};
use types::text_format::{datum_from_text, datum_to_text};
use types::{Datum, FormatSettings, Oid, Result, SqlType};

use crate::compile::folding;
use crate::functions::{CallSite, lookup};
use crate::{EvalContext, Vector};

const TYPES: [(&str, Oid); 14] = [
    ("date", Oid::DATE),
    ("time", Oid::TIME),
    ("timetz", Oid::TIMETZ),
    ("timestamp", Oid::TIMESTAMP),
    ("timestamptz", Oid::TIMESTAMPTZ),
    ("interval", Oid::INTERVAL),
    ("text", Oid::TEXT),
    ("int4", Oid::INT4),
    ("int8", Oid::INT8),
    ("float4", Oid::FLOAT4),
    ("float8", Oid::FLOAT8),
    ("numeric", Oid::NUMERIC),
    ("bool", Oid::BOOL),
    ("oid", Oid::OID),
];

fn context(date_style: &str, zone: &str) -> EvalContext {
    let (time_zone, time_zone_name) = types::datetime::zone::zone_of_setting(zone).expect("a known zone");
    let (style, order) = date_style.split_once(", ").expect("style and order");
    let date_style = match style {
        "SQL" => DateStyle::Sql,
        "German" => DateStyle::German,
        "Postgres" => DateStyle::Postgres,
        _ => DateStyle::Iso,
    };
    let date_order = match order {
        "DMY" => DateOrder::Dmy,
        "YMD" => DateOrder::Ymd,
        _ => DateOrder::Mdy,
    };
    let format = FormatSettings { date_style, date_order, time_zone, time_zone_name, ..FormatSettings::default() };
    EvalContext { format: Arc::new(format), ..folding::context() }
}

fn function_named(name: &str, argument_types: &[Oid]) -> &'static BuiltinFunction {
    let mut candidates = builtins().functions.iter().filter(|function| function.name == name);
    candidates.find(|function| function.argument_types == argument_types).unwrap_or_else(|| panic!("{name}{argument_types:?}"))
}

fn call(name: &str, arguments: &[&str], context: &EvalContext) -> Result<String> {
    let argument_types: Vec<Oid> = arguments
        .iter()
        .map(|argument| {
            let name = argument.split_once(':').expect("type:value").0;
            TYPES.iter().find(|(type_name, _)| *type_name == name).expect("a known type").1
        })
        .collect();
    let function = function_named(name, &argument_types);
    let values = arguments.iter().zip(&argument_types).map(|(argument, &oid)| {
        let text = argument.split_once(':').expect("type:value").1;
        if text == "NULL" {
            return Ok(Vector::Constant(Datum::Null));
        }
        datum_from_text(text, SqlType::of(oid), &context.format, &*context.resolver).map(Vector::Constant)
    });
    let vectors = values.collect::<Result<Vec<_>>>()?;
    let ty = SqlType::of(function.return_type);
    let site = CallSite {
        function,
        ty,
        argument_types: argument_types.into_iter().map(SqlType::of).collect(),
        collation: Oid::DEFAULT_COLLATION,
    };
    let implementation = lookup(function.source).unwrap_or_else(|| panic!("{} is not implemented", function.source));
    match implementation.call(&vectors, 1, &site, context)?.datum(0) {
        Datum::Null => Ok("\\N".to_owned()),
        value => {
            let mut out = String::new();
            datum_to_text(&value, ty, &context.format, &*context.resolver, &mut out);
            Ok(out)
        }
    }
}

fn assert_answers(answers: &str) {
    let mut wrong = Vec::new();
    for line in answers.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [date_style, zone, name, arguments @ .., expected] = &columns[..] else { panic!("too few columns: {line}") };
        let got = call(name, arguments, &context(date_style, zone)).unwrap_or_else(|error| {
            let fields = error.fields();
            let optional = |field: &Option<String>| field.clone().unwrap_or_default();
            format!("{} {}|{}|{}", error.sqlstate().code(), error.message(), optional(&fields.detail), optional(&fields.hint))
        });
        if got != *expected {
            wrong.push(format!("{line}\n    got {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn date_and_time_functions_answer_as_postgresql_does() {
    assert_answers(include_str!("answers/datetime.tsv"));
}

#[test]
fn number_templates_answer_as_postgresql_does() {
    assert_answers(include_str!("answers/number_text.tsv"));
}
