//! routines and parameters: the built-in functions.

use catalog::builtin::{BuiltinFunction, builtins};
use types::{Oid, text_format::TypeResolver};

use super::{NamedRow, View};
use crate::system_catalog::functions::parameters_of;

fn specific_name(function: &BuiltinFunction) -> String {
    format!("{}_{}", function.name, function.oid)
}

/// A type's name in the standard's words.
fn data_type(view: &View, ty: Oid) -> String {
    let names = &view.context.names;
    let is_array = names.array_element(ty).is_some() && !matches!(ty, Oid::OIDVECTOR | Oid::INT2VECTOR);
    if is_array { "ARRAY".to_string() } else { names.format_type_oid(ty) }
}

pub(super) fn routines(view: &mut View) {
    for function in &builtins().functions {
        let mut row = view.row();
        routine_names(&mut row, view, function);
        let is_plain = matches!(function.kind, 'f' | 'p');
        if is_plain {
            row.text("routine_type", if function.kind == 'p' { "PROCEDURE" } else { "FUNCTION" });
        }
        if function.kind != 'p' {
            row.text("data_type", data_type(view, function.return_type));
            if let Some((name, schema)) = view.context.names.type_name_and_schema(function.return_type) {
                row.object("type_udt", view.context, &view.schema_name(schema), &name);
            }
            row.text("dtd_identifier", "0");
        }
        let is_sql = function.language == Oid(14);
        row.text("routine_body", if is_sql { "SQL" } else { "EXTERNAL" }).text("routine_definition", function.source);
        row.text("external_language", if is_sql { "SQL" } else { "INTERNAL" }).text("parameter_style", "GENERAL");
        row.yes_or_no("is_deterministic", function.volatility == 'i').text("sql_data_access", "MODIFIES");
        if is_plain {
            row.yes_or_no("is_null_call", function.strict);
        }
        row.yes_or_no("schema_level_routine", true).number("max_dynamic_result_sets", 0);
        row.text("security_type", if function.security_definer { "DEFINER" } else { "INVOKER" });
        row.yes_or_no("as_locator", false).yes_or_no("is_udt_dependent", false);
        view.push(row);
    }
}

fn routine_names(row: &mut NamedRow, view: &View, function: &BuiltinFunction) {
    row.object("specific", view.context, "pg_catalog", &specific_name(function));
    if row.relation.columns.iter().any(|column| column.name == "routine_name") {
        row.object("routine", view.context, "pg_catalog", function.name);
    }
}

pub(super) fn parameters(view: &mut View) {
    for function in &builtins().functions {
        for (parameter, number) in parameters_of(function).into_iter().zip(1i32..) {
            let mut row = view.row();
            routine_names(&mut row, view, function);
            row.number("ordinal_position", number);
            row.text(
                "parameter_mode",
                match parameter.mode {
                    'o' | 't' => "OUT",
                    'b' => "INOUT",
                    _ => "IN",
                },
            );
            row.yes_or_no("is_result", false).yes_or_no("as_locator", false);
            if !parameter.name.is_empty() {
                row.text("parameter_name", parameter.name);
            }
            row.text("data_type", data_type(view, parameter.ty));
            if let Some((name, schema)) = view.context.names.type_name_and_schema(parameter.ty) {
                row.object("udt", view.context, &view.schema_name(schema), &name);
            }
            row.text("dtd_identifier", number.to_string());
            if let Some(default) = parameter.default {
                row.text("parameter_default", default);
            }
            view.push(row);
        }
    }
}
