//! What built-in functions look like: their parameters, results and CREATE FUNCTION statements.

use catalog::{
    builtin::{BuiltinFunction, builtins},
    type_names::quote_identifier,
};
use types::{Datum, Error, Oid, Result, SqlState};

use super::Arguments;
use crate::system_catalog::{
    SystemContext,
    row::{NULL, text},
};

pub(super) fn call(source: &str, given: Arguments, context: &SystemContext) -> Option<Datum> {
    let is_ours = matches!(
        source,
        "pg_get_function_arguments"
            | "pg_get_function_identity_arguments"
            | "pg_get_function_result"
            | "pg_get_function_arg_default"
    );
    if !is_ours {
        return None;
    }
    let Some(function) = builtins().function(given.oid(0)) else { return Some(NULL) };
    Some(match source {
        "pg_get_function_arguments" => text(arguments(function, context, true)),
        "pg_get_function_identity_arguments" => text(arguments(function, context, false)),
        "pg_get_function_result" if function.kind == 'p' => NULL,
        "pg_get_function_result" => text(result(function, context)),
        _ => argument_default(function, given.int(1)).map_or(NULL, text),
    })
}

/// One parameter of a function.
pub(in crate::system_catalog) struct Parameter {
    /// i (in), o (out), b (both), v (variadic), t (column of the result)
    pub mode: char,
    pub name: &'static str,
    pub ty: Oid,
    pub default: Option<&'static str>,
}

pub(in crate::system_catalog) fn parameters(function: &BuiltinFunction) -> Vec<Parameter> {
    let types = function.all_argument_types.as_ref().unwrap_or(&function.argument_types);
    let name = |at: usize| function.argument_names.as_ref().and_then(|names| names.get(at)).copied().unwrap_or("");
    let mode = |at: usize| function.argument_modes.as_ref().and_then(|modes| modes.get(at)).copied().unwrap_or('i');
    let mut parameters: Vec<Parameter> =
        types.iter().enumerate().map(|(at, ty)| Parameter { mode: mode(at), name: name(at), ty: *ty, default: None }).collect();
    let defaults: Vec<&str> = function.defaults.map(split_defaults).unwrap_or_default();
    let inputs = parameters.iter_mut().filter(|parameter| matches!(parameter.mode, 'i' | 'b' | 'v'));
    let skipped = function.argument_types.len().saturating_sub(defaults.len());
    for (parameter, default) in inputs.skip(skipped).zip(defaults) {
        parameter.default = Some(default);
    }
    parameters
}

/// Default expressions are separated by commas; those of built-in functions have none inside except in quotes and parentheses.
fn split_defaults(defaults: &'static str) -> Vec<&'static str> {
    let (mut pieces, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0, false);
    for (at, c) in defaults.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                pieces.push(defaults[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(defaults[start..].trim());
    pieces
}

fn arguments(function: &BuiltinFunction, context: &SystemContext, with_defaults: bool) -> String {
    let aggregate = builtins().aggregate(function.oid).filter(|aggregate| aggregate.kind != 'n');
    let direct = aggregate.map(|aggregate| aggregate.direct_arguments);
    let mut sql = String::new();
    let shown = parameters(function).into_iter().filter(|parameter| parameter.mode != 't');
    let mut printed = Vec::new();
    for parameter in shown {
        let mut words = Vec::new();
        match parameter.mode {
            'o' => words.push("OUT".to_string()),
            'b' => words.push("INOUT".to_string()),
            'v' => words.push("VARIADIC".to_string()),
            _ => {}
        }
        if !parameter.name.is_empty() {
            words.push(quote_identifier(parameter.name).into_owned());
        }
        words.push(context.names.format_type_oid(parameter.ty));
        if let Some(default) = parameter.default.filter(|_| with_defaults) {
            words.push(format!("DEFAULT {default}"));
        }
        printed.push(words.join(" "));
    }
    for (at, parameter) in printed.iter().enumerate() {
        if Some(at) == direct {
            sql.push_str(if at == 0 { "ORDER BY " } else { " ORDER BY " });
        } else if at > 0 {
            sql.push_str(", ");
        }
        sql.push_str(parameter);
    }
    // A hypothetical-set aggregate's last direct parameter stands for the ordered ones too.
    if let (Some(direct), Some(last)) = (direct, printed.last())
        && printed.len() == direct
    {
        sql.push_str(&format!(" ORDER BY {last}"));
    }
    sql
}

fn result(function: &BuiltinFunction, context: &SystemContext) -> String {
    let columns: Vec<_> = parameters(function).into_iter().filter(|parameter| parameter.mode == 't').collect();
    if !columns.is_empty() {
        let column =
            |column: &Parameter| format!("{} {}", quote_identifier(column.name), context.names.format_type_oid(column.ty));
        return format!("TABLE({})", columns.iter().map(column).collect::<Vec<_>>().join(", "));
    }
    let set = if function.returns_set { "SETOF " } else { "" };
    format!("{set}{}", context.names.format_type_oid(function.return_type))
}

const SQL_LANGUAGE: Oid = Oid(14);

/// CREATE FUNCTION for a built-in function. Errors: 42809 for an aggregate, 0A000 for one whose body is SQL, which is not kept.
pub(super) fn definition(oid: Oid, context: &SystemContext) -> Result<Datum> {
    let Some(function) = builtins().function(oid) else { return Ok(NULL) };
    if function.kind == 'a' {
        return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is an aggregate function", function.name)));
    }
    if function.language == SQL_LANGUAGE {
        return Err(Error::unsupported(format_args!("the definition of function {}", function.name)));
    }
    let mut traits = Vec::new();
    if function.kind == 'w' {
        traits.push("WINDOW".to_string());
    }
    match function.volatility {
        'i' => traits.push("IMMUTABLE".to_string()),
        's' => traits.push("STABLE".to_string()),
        _ => {}
    }
    match function.parallel {
        's' => traits.push("PARALLEL SAFE".to_string()),
        'r' => traits.push("PARALLEL RESTRICTED".to_string()),
        _ => {}
    }
    for (has, word) in
        [(function.strict, "STRICT"), (function.security_definer, "SECURITY DEFINER"), (function.leakproof, "LEAKPROOF")]
    {
        if has {
            traits.push(word.to_string());
        }
    }
    if function.cost != 1.0 {
        traits.push(format!("COST {}", function.cost));
    }
    if function.returns_set && function.rows != 1000.0 {
        traits.push(format!("ROWS {}", function.rows));
    }
    let traits = if traits.is_empty() { String::new() } else { format!("\n {}", traits.join(" ")) };
    Ok(text(format!(
        "CREATE OR REPLACE FUNCTION pg_catalog.{}({})\n RETURNS {}\n LANGUAGE internal{traits}\nAS $function${}$function$\n",
        quote_identifier(function.name),
        arguments(function, context, true),
        result(function, context),
        function.source,
    )))
}

fn argument_default(function: &BuiltinFunction, number: i64) -> Option<&'static str> {
    let at = usize::try_from(number.checked_sub(1)?).ok()?;
    let mut inputs = parameters(function).into_iter().filter(|parameter| matches!(parameter.mode, 'i' | 'b' | 'v'));
    inputs.nth(at)?.default
}
