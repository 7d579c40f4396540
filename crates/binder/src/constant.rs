//! Literals.

use expr::Expr;
use pg_query::protobuf::{AConst, a_const::Val};
use types::{Datum, Numeric, Oid, Result, SqlType};

use crate::{
    ast,
    state::{Binder, Typed},
};

impl Binder<'_> {
    /// A literal: integers as int4, int8 or numeric by size; strings stay of unknown type until something decides it.
    pub(crate) fn bind_constant(&self, constant: &AConst) -> Result<Typed> {
        let expr = match &constant.val {
            _ if constant.isnull => Expr::null(SqlType::UNKNOWN),
            None => Expr::null(SqlType::UNKNOWN),
            Some(Val::Ival(integer)) => Expr::constant(Datum::Int4(integer.ival), SqlType::INT4),
            Some(Val::Boolval(boolean)) => Expr::constant(Datum::Bool(boolean.boolval), SqlType::BOOL),
            Some(Val::Sval(string)) => Expr::constant(Datum::text(&string.sval), SqlType::UNKNOWN),
            Some(Val::Fval(number)) => match number.fval.parse::<i64>() {
                Ok(value) => Expr::constant(Datum::Int8(value), SqlType::INT8),
                Err(_) => Expr::constant(
                    Datum::Numeric(
                        Numeric::parse(&number.fval.replace('_', ""))
                            .map_err(|error| error.at(ast::position(constant.location)))?,
                    ),
                    SqlType::NUMERIC,
                ),
            },
            Some(Val::Bsval(bits)) => {
                let ty = SqlType::of(Oid::BIT);
                let value = types::text_format::datum_from_text(&bits.bsval, ty, &self.environment.format, &*self.names)
                    .map_err(|error| error.at(ast::position(constant.location)))?;
                Expr::constant(value, ty)
            }
        };
        Ok(Typed::new(expr, constant.location))
    }
}
