//! The objects behind `regclass`, `regtype`, `regproc` and their like: by name, and back to a name.

use types::{Error, Oid, Result, SqlState};

use super::{Names, quote_identifier, quote_qualified, quoting::split_qualified_name};
use crate::builtin::{BuiltinFunction, BuiltinOperator, builtins};

/// A fact file of named objects: oid, name.
fn named_facts(file: &'static str) -> impl Iterator<Item = (Oid, &'static str)> {
    file.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        Some((Oid(fields.next()?.parse().ok()?), fields.next()?))
    })
}

const COLLATIONS: &str = include_str!("../../data/pg_collation.tsv");
const TEXT_SEARCH_CONFIGURATIONS: &str = include_str!("../../data/pg_ts_config.tsv");
const TEXT_SEARCH_DICTIONARIES: &str = include_str!("../../data/pg_ts_dict.tsv");

impl Names {
    /// The object that a `reg*` text names; `-` is none (zero).
    pub(super) fn object_named(&self, reg_type: Oid, name: &str) -> Result<Oid> {
        if name == "-" {
            return Ok(Oid::INVALID);
        }
        match reg_type {
            Oid::REGCLASS => self.relation_oid(name),
            Oid::REGTYPE => self.parse_type(name).map(|ty| ty.oid),
            Oid::REGPROC => self.function_named(name),
            Oid::REGPROCEDURE => self.function_with_arguments(name),
            Oid::REGOPER => self.operator_named(name),
            Oid::REGOPERATOR => self.operator_with_arguments(name),
            Oid::REGNAMESPACE => self.schema(&single_name(name)?),
            Oid::REGROLE => self.role_named(&single_name(name)?),
            Oid::REGCOLLATION => fact_named(COLLATIONS, name, "collation", " for encoding \"UTF8\""),
            Oid::REGCONFIG => fact_named(TEXT_SEARCH_CONFIGURATIONS, name, "text search configuration", ""),
            Oid::REGDICTIONARY => fact_named(TEXT_SEARCH_DICTIONARIES, name, "text search dictionary", ""),
            _ => Err(Error::internal(format!("type {reg_type} names no objects"))),
        }
    }

    /// The name an object prints as; None when there is no such object, `-` for zero.
    pub(super) fn name_of_object(&self, reg_type: Oid, oid: Oid) -> Option<String> {
        if oid == Oid::INVALID {
            // An operator prints its absence as 0.
            return (!matches!(reg_type, Oid::REGOPER | Oid::REGOPERATOR)).then(|| "-".to_string());
        }
        match reg_type {
            Oid::REGCLASS => self.relation(oid).map(|relation| {
                let schema = if self.relation_is_visible(&relation) { None } else { self.schema_name(relation.schema()) };
                quote_qualified(schema.as_deref(), relation.name())
            }),
            Oid::REGTYPE => self.type_name_and_schema(oid).map(|_| self.format_type_oid(oid)),
            Oid::REGPROC => builtins().function(oid).map(|function| self.function_name(function)),
            Oid::REGPROCEDURE => builtins().function(oid).map(|function| self.function_signature(function)),
            Oid::REGOPER => builtins().operator(oid).map(operator_name),
            Oid::REGOPERATOR => builtins().operator(oid).map(|operator| self.operator_signature(operator)),
            Oid::REGNAMESPACE => self.catalog.schema(oid).map(|schema| quote_identifier(&schema.name).into_owned()),
            Oid::REGROLE => self.role_name(oid).map(|name| quote_identifier(&name).into_owned()),
            Oid::REGCOLLATION => name_of_fact(COLLATIONS, oid),
            Oid::REGCONFIG => name_of_fact(TEXT_SEARCH_CONFIGURATIONS, oid),
            Oid::REGDICTIONARY => name_of_fact(TEXT_SEARCH_DICTIONARIES, oid),
            _ => None,
        }
    }

    /// The role of this identifier.
    pub fn role_name(&self, oid: Oid) -> Option<crate::Name> {
        self.cluster.roles.iter().find(|(known, _)| *known == oid).map(|(_, name)| name.clone())
    }

    /// The role of this name. Errors: 42704.
    pub fn role_named(&self, name: &str) -> Result<Oid> {
        let found = self.cluster.roles.iter().find(|(_, known)| &**known == name).map(|(oid, _)| *oid);
        found.ok_or_else(|| undefined(format!("role \"{name}\" does not exist")))
    }

    fn relation_oid(&self, text: &str) -> Result<Oid> {
        let parts = split_qualified_name(text)?;
        let (schema, name) = match &parts[..] {
            [name] => (None, name),
            [schema, name] => (Some(schema), name),
            [database, schema, name] if *database == self.cluster.current_database => (Some(schema), name),
            [_, _, _] => {
                let written = parts.join(".");
                return Err(Error::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    format!("cross-database references are not implemented: \"{written}\""),
                ));
            }
            _ => {
                let message = format!("improper relation name (too many dotted names): {}", parts.join("."));
                return Err(Error::new(SqlState::SYNTAX_ERROR, message));
            }
        };
        if let Some(schema) = schema {
            self.schema(schema)?;
        }
        match self.relation_by_name(schema.map(String::as_str), name) {
            Some(relation) => Ok(relation.oid()),
            None => {
                let written = schema.map_or_else(|| name.clone(), |schema| format!("{schema}.{name}"));
                Err(Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{written}\" does not exist")))
            }
        }
    }

    /// Functions of a possibly qualified name.
    fn functions_named(&self, parts: &[String]) -> Result<Vec<&'static BuiltinFunction>> {
        Ok(match parts {
            [name] => builtins().functions_named(name).filter(|function| self.function_is_visible(function)).collect(),
            [schema, name] => {
                let schema = self.schema(schema)?;
                builtins().functions_named(name).filter(|function| function.schema == schema).collect()
            }
            _ => return Err(too_many_names(parts)),
        })
    }

    fn function_named(&self, text: &str) -> Result<Oid> {
        match &self.functions_named(&split_qualified_name(text)?)?[..] {
            [] => Err(Error::new(SqlState::UNDEFINED_FUNCTION, format!("function \"{text}\" does not exist"))),
            [function] => Ok(function.oid),
            _ => Err(Error::new(SqlState::AMBIGUOUS_FUNCTION, format!("more than one function named \"{text}\""))),
        }
    }

    fn function_with_arguments(&self, text: &str) -> Result<Oid> {
        let (name, arguments) = self.split_signature(text, false)?;
        let functions = self.functions_named(&split_qualified_name(name)?)?;
        let found = functions.into_iter().find(|function| function.argument_types == arguments);
        found
            .map(|function| function.oid)
            .ok_or_else(|| Error::new(SqlState::UNDEFINED_FUNCTION, format!("function \"{text}\" does not exist")))
    }

    fn operators_named(&self, text: &str) -> Result<Vec<&'static BuiltinOperator>> {
        let Some((schema, name)) = text.rsplit_once('.') else { return Ok(builtins().operators_named(text).collect()) };
        let parts = split_qualified_name(schema)?;
        let [schema] = &parts[..] else { return Err(too_many_names(&parts)) };
        Ok(match self.schema(schema)? {
            Oid::PG_CATALOG_NAMESPACE => builtins().operators_named(name).collect(),
            _ => Vec::new(),
        })
    }

    fn operator_named(&self, text: &str) -> Result<Oid> {
        match &self.operators_named(text)?[..] {
            [] => Err(Error::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {text}"))),
            [operator] => Ok(operator.oid),
            _ => Err(Error::new(SqlState::AMBIGUOUS_FUNCTION, format!("more than one operator named {text}"))),
        }
    }

    fn operator_with_arguments(&self, text: &str) -> Result<Oid> {
        let (name, arguments) = self.split_signature(text, true)?;
        let (left, right) = match arguments[..] {
            [left, right] => (left, right),
            [_] => {
                let hint = "Use NONE to denote the missing argument of a unary operator.";
                return Err(Error::new(SqlState::UNDEFINED_PARAMETER, "missing argument").hint(hint));
            }
            _ => {
                return Err(Error::new(SqlState::TOO_MANY_ARGUMENTS, "too many arguments")
                    .hint("Provide two argument types for operator."));
            }
        };
        let found = self.operators_named(name)?.into_iter().find(|operator| (operator.left, operator.right) == (left, right));
        found
            .map(|operator| operator.oid)
            .ok_or_else(|| Error::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {text}")))
    }

    /// `name(type, type)` as the name and the types; NONE stands for no type where an operator allows it.
    fn split_signature<'t>(&self, text: &'t str, allow_none: bool) -> Result<(&'t str, Vec<Oid>)> {
        let malformed = |message| Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message));
        let Some(open) = text.find('(') else { return malformed("expected a left parenthesis") };
        let Some(inside) = text[open + 1..].trim_end().strip_suffix(')') else {
            return malformed("expected a right parenthesis");
        };
        let mut arguments = Vec::new();
        if !inside.trim().is_empty() {
            for argument in split_arguments(inside) {
                let argument = argument.trim();
                if argument.is_empty() {
                    return malformed("expected a type name");
                }
                let absent = allow_none && argument.eq_ignore_ascii_case("none");
                arguments.push(if absent { Oid::INVALID } else { self.parse_type(argument)?.oid });
            }
        }
        Ok((text[..open].trim(), arguments))
    }

    /// A function's name, with its schema when the bare name is shared.
    fn function_name(&self, function: &BuiltinFunction) -> String {
        let unique = builtins().functions_named(function.name).count() == 1;
        let bare = unique && self.function_is_visible(function);
        quote_qualified(if bare { None } else { self.schema_name(function.schema) }.as_deref(), function.name)
    }

    /// Whether a function's schema is searched.
    pub fn function_is_visible(&self, function: &BuiltinFunction) -> bool {
        self.effective_path().any(|schema| schema == function.schema)
    }

    /// `abs(integer)`
    pub fn function_signature(&self, function: &BuiltinFunction) -> String {
        let arguments: Vec<_> = function.argument_types.iter().map(|ty| self.format_type_oid(*ty)).collect();
        let schema = if self.function_is_visible(function) { None } else { self.schema_name(function.schema) };
        format!("{}({})", quote_qualified(schema.as_deref(), function.name), arguments.join(","))
    }

    fn operator_signature(&self, operator: &BuiltinOperator) -> String {
        let operand = |ty: Oid| if ty == Oid::INVALID { "NONE".to_string() } else { self.format_type_oid(ty) };
        format!("{}({},{})", operator.name, operand(operator.left), operand(operator.right))
    }
}

/// Cuts at the commas outside parentheses and quotes.
fn split_arguments(text: &str) -> Vec<&str> {
    let (mut pieces, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                pieces.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&text[start..]);
    pieces
}

fn operator_name(operator: &'static BuiltinOperator) -> String {
    let unique = builtins().operators_named(operator.name).count() == 1;
    if unique { operator.name.to_string() } else { format!("pg_catalog.{}", operator.name) }
}

fn single_name(text: &str) -> Result<String> {
    match <[String; 1]>::try_from(split_qualified_name(text)?) {
        Ok([name]) => Ok(name),
        Err(_) => Err(Error::new(SqlState::INVALID_NAME, "invalid name syntax")),
    }
}

fn fact_named(file: &'static str, text: &str, what: &str, suffix: &str) -> Result<Oid> {
    let parts = split_qualified_name(text)?;
    let name = match &parts[..] {
        [name] => name,
        [schema, name] if schema == "pg_catalog" => name,
        _ => return Err(undefined(format!("{what} \"{}\"{suffix} does not exist", parts.join(".")))),
    };
    let found = named_facts(file).find(|(_, known)| known == name);
    found.map(|(oid, _)| oid).ok_or_else(|| undefined(format!("{what} \"{}\"{suffix} does not exist", parts.join("."))))
}

fn name_of_fact(file: &'static str, oid: Oid) -> Option<String> {
    named_facts(file).find(|(known, _)| *known == oid).map(|(_, name)| quote_identifier(name).into_owned())
}

fn undefined(message: String) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, message)
}

fn too_many_names(parts: &[String]) -> Error {
    let message = format!("improper qualified name (too many dotted names): {}", parts.join("."));
    Error::new(SqlState::SYNTAX_ERROR, message)
}
