//! Type names of the syntax tree.

use catalog::type_names::{Names, modifiers};
use pg_query::protobuf::{TypeName, a_const::Val, node::Node as Ast};
use types::{Error, Oid, Result, SqlState, SqlType};

use crate::{ast, type_facts};

/// The type, with modifier and array bounds, that a syntax tree names. Errors: 42704, 3F000, 42601, 22023.
pub(crate) fn resolve(name: &TypeName, names: &Names) -> Result<SqlType> {
    resolve_inner(name, names).map_err(|error| error.at(ast::position(name.location)))
}

fn resolve_inner(name: &TypeName, names: &Names) -> Result<SqlType> {
    let parts = ast::names(&name.names);
    if name.setof {
        return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, "type cannot be SETOF"));
    }
    if name.pct_type {
        return percent_type(&parts, names);
    }
    let (schema, bare) = match parts[..] {
        [bare] => (None, bare),
        [schema, bare] => (Some(schema), bare),
        [_, schema, bare] => (Some(schema), bare),
        _ => {
            let message = format!("improper qualified name (too many dotted names): {}", parts.join("."));
            return Err(Error::new(SqlState::SYNTAX_ERROR, message));
        }
    };
    let ty = names.resolve_type(schema, bare)?;
    if let Some(user) = names.catalog.user_type(ty.oid)
        && matches!(user.kind, catalog::UserTypeKind::Shell)
    {
        return Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{bare}\" is only a shell")));
    }
    let typmod = modifier(name, ty.oid, schema, bare)?;
    let ty = ty.with_typmod(typmod);
    if name.array_bounds.is_empty() {
        return Ok(ty);
    }
    let array = type_facts::array(names, ty.oid).ok_or_else(|| {
        let message = format!("could not find array type for data type {}", names.format_type_oid(ty.oid));
        Error::new(SqlState::UNDEFINED_OBJECT, message)
    })?;
    Ok(array.with_typmod(typmod))
}

/// The modifier that the parenthesised constants stand for.
fn modifier(name: &TypeName, ty: Oid, schema: Option<&str>, bare: &str) -> Result<i32> {
    if name.typmods.is_empty() {
        return Ok(name.typemod);
    }
    let mut numbers = Vec::with_capacity(name.typmods.len());
    for node in &name.typmods {
        let number = match ast::content(node)? {
            Ast::AConst(constant) => match &constant.val {
                Some(Val::Ival(integer)) => Some(integer.ival),
                // An absent constant is the integer zero, which the encoding leaves out.
                None if !constant.isnull => Some(0),
                Some(Val::Fval(_)) => {
                    return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "value for a type modifier is out of range"));
                }
                _ => None,
            },
            _ => None,
        };
        numbers.push(
            number.ok_or_else(|| Error::new(SqlState::SYNTAX_ERROR, "type modifiers must be simple constants or identifiers"))?,
        );
    }
    let written = match schema {
        Some("pg_catalog") | None => bare.to_string(),
        Some(schema) => format!("{schema}.{bare}"),
    };
    modifiers::modifier_in(ty, &written, &numbers)
}

/// `table.column%TYPE`
fn percent_type(parts: &[&str], names: &Names) -> Result<SqlType> {
    let (schema, table, column) = match parts {
        [table, column] => (None, *table, *column),
        [.., schema, table, column] => (Some(*schema), *table, *column),
        _ => {
            let message = format!("improper %TYPE reference (too few dotted names): {}", parts.join("."));
            return Err(Error::new(SqlState::SYNTAX_ERROR, message));
        }
    };
    let missing_table = || Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{table}\" does not exist"));
    let relation = names.relation_by_name(schema, table).ok_or_else(missing_table)?;
    let found = match &relation {
        catalog::type_names::NamedRelation::User(relation) => relation.attribute(column).map(|(_, attribute)| attribute.ty),
        catalog::type_names::NamedRelation::System(relation) => relation
            .columns
            .iter()
            .find(|known| known.name == column)
            .map(|known| type_facts::sql_type(names, known.type_oid).with_typmod(known.typmod)),
    };
    found.ok_or_else(|| {
        Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{column}\" of relation \"{table}\" does not exist"))
    })
}
