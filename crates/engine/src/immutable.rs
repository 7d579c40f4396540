//! Whether an expression gives the same for the same row always, as indexes and generated columns ask: every function in it is immutable,
//! also those behind conversions.

use catalog::{
    builtin::{BuiltinFunction, builtins},
    type_names::Names,
};
use expr::{Expr, expression::CastMethod};
use types::{Oid, SqlType, text_format::TypeResolver};

pub(crate) fn is_immutable(expression: &Expr, names: &Names) -> bool {
    !expression.any(&|part| match part {
        Expr::Call { function, .. } => !is_marked(function),
        Expr::Cast { operand, ty, method, .. } => !method_is_immutable(method, operand.ty(), *ty, names),
        Expr::Session { .. } => true,
        _ => false,
    })
}

fn is_marked(function: &BuiltinFunction) -> bool {
    function.volatility == 'i'
}

fn method_is_immutable(method: &CastMethod, from: SqlType, to: SqlType, names: &Names) -> bool {
    match method {
        // The checks of a domain are no part of the expression.
        CastMethod::Relabel | CastMethod::Length | CastMethod::Domain { .. } => true,
        CastMethod::Function(function) => is_marked(function),
        CastMethod::InputOutput => text_form_is_immutable(from, names, false) && text_form_is_immutable(to, names, true),
        CastMethod::Array(each, _) => {
            let element = |ty: SqlType| names.array_element(names.base_type(ty).oid).unwrap_or(ty);
            method_is_immutable(each, element(from), element(to), names)
        }
        CastMethod::Row(_) => true,
        CastMethod::Both { first, between, then } => {
            method_is_immutable(first, from, *between, names) && method_is_immutable(then, *between, to, names)
        }
    }
}

/// Whether a type's input or output function is immutable. Those of arrays, rows, enums and ranges are stable whatever they are made of.
fn text_form_is_immutable(ty: SqlType, names: &Names, input: bool) -> bool {
    let Some(ty) = builtins().type_by_oid(names.base_type(ty).oid).filter(|ty| ty.oid != Oid::UNKNOWN) else {
        return ty.oid == Oid::UNKNOWN;
    };
    let name = if input { ty.input } else { ty.output };
    builtins().functions_named(name).all(is_marked)
}
