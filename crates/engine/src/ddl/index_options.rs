//! What CREATE INDEX may say about an index and its columns beside their names, and what of it is refused.

use catalog::{builtin::builtins, type_names::Names};
use pg_query::{
    NodeEnum,
    protobuf::{IndexElem, IndexStmt, Node, SortByDir, SortByNulls},
};
use types::{Error, Oid, Result, SqlState, SqlType, text_format::TypeResolver as _};

use super::strings;
use crate::system_catalog::operator_class_input_of;

fn unsupported_by(method: &str, what: &str) -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("access method \"{method}\" does not support {what}"))
}

/// Hash indexes have one column and nothing beside it.
pub(super) fn refuse_shape_of_method(statement: &IndexStmt, method: &str) -> Result<()> {
    if method == "btree" {
        return Ok(());
    }
    if !statement.index_including_params.is_empty() {
        return Err(unsupported_by(method, "included columns"));
    }
    if statement.index_params.len() > 1 {
        return Err(unsupported_by(method, "multicolumn indexes"));
    }
    Ok(())
}

fn says_order(element: &IndexElem) -> bool {
    !matches!(SortByDir::try_from(element.ordering), Ok(SortByDir::SortbyDefault | SortByDir::Undefined))
}

fn says_place_of_nulls(element: &IndexElem) -> bool {
    !matches!(SortByNulls::try_from(element.nulls_ordering), Ok(SortByNulls::SortbyNullsDefault | SortByNulls::Undefined))
}

/// Only a btree is ordered.
pub(super) fn refuse_order_of_method(element: &IndexElem, method: &str) -> Result<()> {
    if method == "btree" {
        return Ok(());
    }
    if says_order(element) {
        return Err(unsupported_by(method, "ASC/DESC options"));
    }
    if says_place_of_nulls(element) {
        return Err(unsupported_by(method, "NULLS FIRST/LAST options"));
    }
    Ok(())
}

/// INCLUDE takes bare columns.
pub(super) fn refuse_included_options(element: &IndexElem) -> Result<()> {
    let refused =
        |what: &str| Err(Error::new(SqlState::INVALID_OBJECT_DEFINITION, format!("including column does not support {what}")));
    if !element.collation.is_empty() {
        return refused("a collation");
    }
    if !element.opclass.is_empty() {
        return refused("an operator class");
    }
    if says_order(element) {
        return refused("ASC/DESC options");
    }
    if says_place_of_nulls(element) {
        return refused("NULLS FIRST/LAST options");
    }
    if element.expr.is_some() {
        let message = "expressions are not supported in included columns";
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    Ok(())
}

/// 42704 for an operator class that the method lacks, 42804 for one of another type.
pub(super) fn check_operator_class(name: &str, method: &str, ty: SqlType, names: &Names) -> Result<()> {
    let inputs = operator_class_input_of(method, name);
    if inputs.is_empty() {
        let message = format!("operator class \"{name}\" does not exist for access method \"{method}\"");
        return Err(Error::new(SqlState::UNDEFINED_OBJECT, message));
    }
    let base = names.base_type(ty);
    if inputs.iter().any(|input| is_coercible(base, *input, names)) {
        return Ok(());
    }
    let message = format!("operator class \"{name}\" does not accept data type {}", names.format_type(ty));
    Err(Error::new(SqlState::DATATYPE_MISMATCH, message))
}

/// Whether values of a type are those of another without conversion.
fn is_coercible(ty: SqlType, input: Oid, names: &Names) -> bool {
    match input {
        Oid::ANYARRAY => names.array_element(ty.oid).is_some(),
        Oid::ANYENUM => binder::is_enum(names, ty.oid),
        _ => ty.oid == input || builtins().cast(ty.oid, input).is_some_and(|cast| cast.method == 'b' && cast.context == 'i'),
    }
}

/// No operator class here takes options.
pub(super) fn refuse_options_of_class(element: &IndexElem, class: Option<&str>) -> Result<()> {
    if element.opclassopts.is_empty() {
        return Ok(());
    }
    let message = format!("operator class {} has no options", class.unwrap_or("of the column"));
    Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message))
}

/// WITH (...): what PostgreSQL takes has no meaning for an index in memory, so it is checked and that is all.
pub(super) fn check_parameters(options: &[Node], method: &str) -> Result<()> {
    for option in options {
        let Some(NodeEnum::DefElem(option)) = &option.node else { continue };
        let value = option.arg.as_deref().map_or_else(|| "true".to_owned(), parameter_text);
        match option.defname.as_str() {
            "fillfactor" => check_fillfactor(&value)?,
            "deduplicate_items" if method == "btree" => {
                types::text_format::parse_bool(&value).map_err(|_| {
                    let message = format!("invalid value for boolean option \"deduplicate_items\": {value}");
                    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
                })?;
            }
            name => {
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("unrecognized parameter \"{name}\"")));
            }
        }
    }
    Ok(())
}

fn check_fillfactor(value: &str) -> Result<()> {
    let refused = |message: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let number: i64 =
        value.trim().parse().map_err(|_| refused(format!("invalid value for integer option \"fillfactor\": {value}")))?;
    if (10..=100).contains(&number) {
        return Ok(());
    }
    Err(refused(format!("value {value} out of bounds for option \"fillfactor\""))
        .detail("Valid values are between \"10\" and \"100\"."))
}

fn parameter_text(node: &Node) -> String {
    match &node.node {
        Some(NodeEnum::Integer(value)) => value.ival.to_string(),
        Some(NodeEnum::Float(value)) => value.fval.clone(),
        Some(NodeEnum::Boolean(value)) => value.boolval.to_string(),
        Some(NodeEnum::String(value)) => value.sval.clone(),
        Some(NodeEnum::TypeName(name)) => strings(&name.names).join("."),
        _ => String::new(),
    }
}
