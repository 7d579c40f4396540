//! The value of a column that a statement does not give: its default, its identity sequence, its domain's default, or NULL.

use std::sync::Arc;

use catalog::{Relation, UserTypeKind, builtin::builtins};
use expr::{Expr, expression::Written};
use types::{Datum, Error, Oid, Result, SqlType};

use crate::{
    ExpressionKind,
    coercion::Context,
    parse,
    state::{Binder, Typed},
};

impl Binder<'_> {
    /// The default of an attribute (build_column_default), NULL when there is none.
    pub(crate) fn column_default(&mut self, relation: &Arc<Relation>, at: usize) -> Result<Expr> {
        let attribute = &relation.attributes[at];
        if attribute.dropped || attribute.generated.is_some() {
            return Ok(Expr::null(attribute.ty));
        }
        if attribute.identity.is_some() {
            return self.next_identity(relation, at);
        }
        let text = match &attribute.default {
            Some(text) => Some(text.clone()),
            None => match self.names.catalog.user_type(attribute.ty.oid).map(|ty| &ty.kind) {
                Some(UserTypeKind::Domain { default, .. }) => default.clone(),
                _ => None,
            },
        };
        match text {
            Some(text) => {
                let environment = self.stored_environment();
                let node = parse::stored_expression(&text)?;
                let target = (&*attribute.name, attribute.ty);
                crate::bind_assignment(&node, ExpressionKind::ColumnDefault, target, &[], &environment).map_err(|mut error| {
                    error.fields_mut().position = None;
                    error
                })
            }
            None => {
                let null = Typed::new(Expr::null(SqlType::UNKNOWN), -1);
                Ok(self.coerce_to(null, attribute.ty, Context::Assignment)?.unwrap_or_else(|| Expr::null(attribute.ty)))
            }
        }
    }

    /// `nextval` of the sequence behind an identity column.
    fn next_identity(&mut self, relation: &Relation, at: usize) -> Result<Expr> {
        let ty = relation.attributes[at].ty;
        let sequence = self
            .names
            .catalog
            .relations()
            .find(|sequence| sequence.owned_by == Some((relation.oid, at, true)))
            .map(|sequence| sequence.oid)
            .ok_or_else(|| Error::internal(format!("no owned sequence found for column {}", at + 1)))?;
        let function = builtins()
            .functions_named("nextval")
            .find(|function| function.argument_types == [Oid::REGCLASS])
            .ok_or_else(|| Error::internal("nextval is built in"))?;
        let call = Expr::Call {
            function,
            arguments: vec![Expr::constant(Datum::Oid(sequence), SqlType::REGCLASS)],
            ty: SqlType::INT8,
            collation: Oid::INVALID,
            written: Written::Call,
            position: None,
        };
        Ok(self.coerce_to(Typed::new(call, -1), ty, Context::Assignment)?.unwrap_or_else(|| Expr::null(ty)))
    }
}
