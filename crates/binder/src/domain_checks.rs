//! What domains ask of a value: of the value itself, and of the elements and fields within one that was read from text or came from a client,
//! where PostgreSQL's input functions ask it.

use std::sync::Arc;

use catalog::{UserTypeKind, type_names::Names};
use expr::{
    Expr,
    expression::{CastMethod, DomainName},
};
use types::{Result, SqlType, text_format::TypeResolver};

use crate::{
    Environment, ExpressionKind,
    coercion::{Context, cast, takes_modifier},
    state::Binder,
    type_facts,
};

impl Binder<'_> {
    /// Adds a domain's checks to a value of its base type.
    pub(crate) fn convert_to_domain(&mut self, expr: Expr, target: SqlType, context: Context) -> Result<Expr> {
        Ok(match self.domain_method(target)? {
            Some(method) => cast(expr, method, target.with_typmod(-1), context),
            None => expr,
        })
    }

    /// Adds the checks of the domains within a value that came as a whole.
    pub(crate) fn check_within(&mut self, expr: Expr, context: Context) -> Result<Expr> {
        let ty = expr.ty();
        Ok(match self.method_within(ty)? {
            Some(method) => cast(expr, method, ty, context),
            None => expr,
        })
    }

    /// The conversion of an array's elements, `inner` that of the base type: a domain's modifier and checks follow it.
    pub(crate) fn element_method(&mut self, inner: CastMethod, element: SqlType) -> Result<CastMethod> {
        let Some(domain) = self.domain_method(element)? else { return Ok(inner) };
        let base = self.names.base_type(element);
        let checked = if base.typmod >= 0 && takes_modifier(base.oid) { both(CastMethod::Length, base, domain) } else { domain };
        Ok(both(inner, base.with_typmod(-1), checked))
    }

    /// What is asked of a whole value of the type.
    fn method_of_whole(&mut self, ty: SqlType) -> Result<Option<CastMethod>> {
        let within = self.method_within(ty)?;
        let domain = self.domain_method(ty)?;
        Ok(match (within, domain) {
            (Some(within), Some(domain)) => Some(both(within, self.names.base_type(ty), domain)),
            (within, domain) => within.or(domain),
        })
    }

    /// What is asked of an array's elements or a row's fields; None when nothing is.
    fn method_within(&mut self, ty: SqlType) -> Result<Option<CastMethod>> {
        let names = self.names.clone();
        let base = type_facts::base(&names, ty.oid);
        if names.catalog.user_type(base).is_none() {
            return Ok(None);
        }
        if let Some(element) = type_facts::element(&names, base) {
            let method = self.method_of_whole(element)?;
            return Ok(method.map(|method| CastMethod::Array(Box::new(method), element)));
        }
        let Some((_, types)) = names.composite_fields(base) else { return Ok(None) };
        let methods = types.iter().map(|&ty| self.method_of_whole(ty)).collect::<Result<Vec<_>>>()?;
        if methods.iter().all(Option::is_none) {
            return Ok(None);
        }
        Ok(Some(CastMethod::Row(methods.into_iter().map(|method| method.unwrap_or(CastMethod::Relabel)).collect())))
    }

    /// The checks of a domain and of the domains below it; None when the type is no domain.
    pub(crate) fn domain_method(&mut self, target: SqlType) -> Result<Option<CastMethod>> {
        let names = self.names.clone();
        if !type_facts::is_domain(&names, target.oid) {
            return Ok(None);
        }
        let mut not_null_anywhere = false;
        let mut checks = Vec::new();
        let mut at = target.oid;
        let environment = Environment { names: names.clone(), format: self.environment.format.clone(), parameters: Vec::new() };
        while let Some(ty) = names.catalog.user_type(at) {
            let UserTypeKind::Domain { base, not_null, constraints, .. } = &ty.kind else { break };
            not_null_anywhere |= not_null;
            let mut own = Vec::new();
            for constraint in constraints {
                if let catalog::ConstraintKind::Check { expression, .. } = &constraint.kind {
                    let node = crate::parse::stored_expression(expression)?;
                    let value = names.base_type(target);
                    let binder = Binder::for_expression(&environment, ExpressionKind::DomainCheck, &[], Some(value))?;
                    own.push((constraint.name.clone(), binder.standalone_condition(&node)?));
                }
            }
            // Checks of the base domain come first, those of one domain by their names.
            own.sort_by(|(left, _), (right, _)| left.cmp(right));
            checks.splice(0..0, own);
            at = base.oid;
        }
        Ok(Some(CastMethod::Domain { domain: Arc::new(domain_name(&names, target)), not_null: not_null_anywhere, checks }))
    }
}

fn domain_name(names: &Names, domain: SqlType) -> DomainName {
    let ty = names.catalog.user_type(domain.oid);
    DomainName {
        schema: ty.and_then(|ty| names.schema_name(ty.schema)).map_or_else(String::new, |schema| schema.to_string()),
        name: ty.map_or_else(String::new, |ty| ty.name.to_string()),
        printed: names.format_type_oid(domain.oid),
    }
}

fn both(first: CastMethod, between: SqlType, then: CastMethod) -> CastMethod {
    CastMethod::Both { first: Box::new(first), between, then: Box::new(then) }
}
