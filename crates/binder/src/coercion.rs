//! Conversions between types (parse_coerce.c): which are possible in a context, and the expressions that do them.

use catalog::{
    builtin::{BuiltinFunction, builtins},
    type_names::Names,
};
use expr::{Expr, expression::CastMethod};
use types::{Datum, Error, Oid, Result, SqlState, SqlType, text_format::TypeResolver};

use crate::{
    deparse::Mending,
    generic,
    state::{Binder, Typed},
    type_facts,
};

/// How far a conversion may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Context {
    Implicit,
    Assignment,
    Explicit,
}

/// A way from one type to another.
pub(crate) enum Pathway {
    Relabel,
    Function(&'static BuiltinFunction),
    Array(Box<Pathway>, SqlType),
    InputOutput,
}

/// The way from `source` to `target` that pg_cast and the string categories allow in this context.
pub(crate) fn pathway(names: &Names, source: Oid, target: Oid, context: Context) -> Option<Pathway> {
    let source = type_facts::base(names, source);
    let target = type_facts::base(names, target);
    if source == target {
        return Some(Pathway::Relabel);
    }
    if let Some(cast) = builtins().cast(source, target) {
        let needed = match cast.context {
            'i' => Context::Implicit,
            'a' => Context::Assignment,
            _ => Context::Explicit,
        };
        return if context >= needed { by_cast(cast) } else { None };
    }
    if !matches!(target, Oid::OIDVECTOR | Oid::INT2VECTOR)
        && let (Some(from), Some(to)) = (type_facts::element(names, source), type_facts::element(names, target))
        && let Some(inner) = pathway(names, from.oid, to.oid, context)
    {
        return Some(Pathway::Array(Box::new(inner), to));
    }
    let by_text = (context >= Context::Assignment && type_facts::category(names, target).0 == 'S')
        || (context == Context::Explicit && type_facts::category(names, source).0 == 'S');
    by_text.then_some(Pathway::InputOutput)
}

fn by_cast(cast: &catalog::builtin::BuiltinCast) -> Option<Pathway> {
    match cast.method {
        'f' => builtins().function(cast.function).map(Pathway::Function),
        'i' => Some(Pathway::InputOutput),
        _ => Some(Pathway::Relabel),
    }
}

/// Whether arguments of these types can be given where those are expected (can_coerce_type).
pub(crate) fn can_coerce(names: &Names, inputs: &[Oid], targets: &[Oid], context: Context) -> bool {
    let mut generic_targets = false;
    for (&input, &target) in inputs.iter().zip(targets) {
        if input == target || target == Oid::ANY {
            continue;
        }
        if type_facts::is_polymorphic(target) {
            generic_targets = true;
            continue;
        }
        if input == Oid::UNKNOWN || pathway(names, input, target, context).is_some() {
            continue;
        }
        let composite = |oid| type_facts::is_composite(names, type_facts::base(names, oid));
        let row_conversion = (input == Oid::RECORD && composite(target))
            || (target == Oid::RECORD && composite(input))
            || (target == Oid::RECORD_ARRAY && type_facts::element(names, input).is_some_and(|element| composite(element.oid)));
        if !row_conversion {
            return false;
        }
    }
    !generic_targets || generic::is_consistent(names, inputs, targets)
}

/// Whether the type has a function that applies its modifier.
pub(crate) fn takes_modifier(oid: Oid) -> bool {
    matches!(
        oid,
        Oid::VARCHAR
            | Oid::BPCHAR
            | Oid::NUMERIC
            | Oid::BIT
            | Oid::VARBIT
            | Oid::TIME
            | Oid::TIMETZ
            | Oid::TIMESTAMP
            | Oid::TIMESTAMPTZ
            | Oid::INTERVAL
    )
}

/// The modifier of an expression's values as PostgreSQL knows it (exprTypmod).
pub(crate) fn typmod(expr: &Expr) -> i32 {
    expr.ty().typmod
}

pub(crate) fn cast(operand: Expr, method: CastMethod, ty: SqlType, context: Context) -> Expr {
    Expr::Cast { operand: Box::new(operand), method, ty, explicit: context == Context::Explicit, position: None }
}

impl Binder<'_> {
    /// Converts to a type with its modifier; None when there is no way (coerce_to_target_type).
    pub(crate) fn coerce_to(&mut self, typed: Typed, target: SqlType, context: Context) -> Result<Option<Expr>> {
        if let Expr::Collate { operand, collation } = typed.expr {
            let inner = self.coerce_to(Typed::new(*operand, typed.location), target, context)?;
            return Ok(inner.map(|inner| match type_facts::is_collatable(&self.names, target.oid) {
                true => Expr::Collate { operand: Box::new(inner), collation },
                false => inner,
            }));
        }
        let source = typed.ty();
        if source.oid == target.oid && (target.typmod < 0 || target.typmod == source.typmod) {
            // A written cast to the bare type forgets the modifier.
            let forgets = context == Context::Explicit && target.typmod < 0 && source.typmod >= 0;
            return Ok(Some(if forgets { cast(typed.expr, CastMethod::Relabel, target, context) } else { typed.expr }));
        }
        if !can_coerce(&self.names, &[source.oid], &[target.oid], context) {
            return Ok(None);
        }
        let converted = self.coerce(typed, target, context)?;
        let bare = typmod(&converted);
        let modified = self.apply_modifier(converted, target, context);
        // One conversion was written, though two are made: only the outer one prints.
        let hides = self.analysing() && source.oid != target.oid && typmod(&modified) != bare;
        Ok(Some(if hides { hide_inner_cast(modified) } else { modified }))
    }

    /// Converts where [`can_coerce`] has said yes; the target's modifier is not applied (coerce_type).
    pub(crate) fn coerce(&mut self, typed: Typed, target: SqlType, context: Context) -> Result<Expr> {
        let source = typed.ty();
        if source.oid == target.oid {
            return Ok(typed.expr);
        }
        if matches!(target.oid, Oid::ANY | Oid::ANYELEMENT | Oid::ANYNONARRAY | Oid::ANYCOMPATIBLE | Oid::ANYCOMPATIBLENONARRAY) {
            return Ok(typed.expr);
        }
        if type_facts::is_polymorphic(target.oid) && source.oid != Oid::UNKNOWN {
            return Ok(match names_base_differs(&self.names, source.oid) {
                Some(base) => cast(typed.expr, CastMethod::Relabel, SqlType::of(base), context),
                None => typed.expr,
            });
        }
        match typed.expr {
            Expr::Constant { ref value, ty } if ty.oid == Oid::UNKNOWN => {
                let value = value.clone();
                return self.coerce_literal(&value, typed.location, target, context);
            }
            Expr::Parameter { index, ty } if ty.oid == Oid::UNKNOWN => {
                let mut decided = self.decide_parameter(index, target, typed.location)?;
                let base = self.names.base_type(target);
                if base.oid != target.oid {
                    decided = self.apply_modifier(decided, base, context);
                }
                decided = self.check_within(decided, context)?;
                return self.convert_to_domain(decided, target, context);
            }
            Expr::Collate { operand, collation } => {
                let inner = self.coerce(Typed::new(*operand, typed.location), target, context)?;
                return Ok(match type_facts::is_collatable(&self.names, target.oid) {
                    true => Expr::Collate { operand: Box::new(inner), collation },
                    false => inner,
                });
            }
            _ => {}
        }
        if let Some(way) = pathway(&self.names, source.oid, target.oid, context) {
            return self.follow(typed.expr, way, target, context);
        }
        if source.oid == Oid::UNKNOWN {
            // The output of a subquery whose literal stayed unknown: it is held as text.
            return self.follow(typed.expr, Pathway::InputOutput, target, context);
        }
        self.coerce_row(typed, target, context)
    }

    /// Applies a pathway and what a domain target adds.
    fn follow(&mut self, expr: Expr, way: Pathway, target: SqlType, context: Context) -> Result<Expr> {
        let names = self.names.clone();
        let base = names.base_type(target);
        let is_domain = base.oid != target.oid;
        let base_type = if is_domain { base.with_typmod(-1) } else { target.with_typmod(-1) };
        let source = expr.ty();
        let mut converted = match way {
            Pathway::Relabel if source.oid == base_type.oid => expr,
            Pathway::Relabel => cast(expr, CastMethod::Relabel, base_type, context),
            Pathway::Function(function) => {
                // A conversion function with a second parameter applies the modifier itself.
                let ty = if function.argument_types.len() > 1 && !is_domain { target } else { base_type };
                let folded = if self.analysing() { None } else { fold_integer(&expr, base_type) };
                folded.unwrap_or_else(|| cast(expr, CastMethod::Function(function), ty, context))
            }
            Pathway::InputOutput => {
                let read = cast(expr, CastMethod::InputOutput, base_type, context);
                self.check_within(read, context)?
            }
            Pathway::Array(..) => {
                let method = self.array_method(&way)?;
                cast(expr, method, base_type, context)
            }
        };
        if is_domain {
            converted = self.apply_modifier(converted, base, context);
            converted = self.convert_to_domain(converted, target, context)?;
        }
        Ok(converted)
    }

    fn array_method(&mut self, way: &Pathway) -> Result<CastMethod> {
        Ok(match way {
            Pathway::Relabel => CastMethod::Relabel,
            Pathway::Function(function) => CastMethod::Function(function),
            Pathway::InputOutput => CastMethod::InputOutput,
            Pathway::Array(inner, to) => {
                let method = self.array_method(inner)?;
                CastMethod::Array(Box::new(self.element_method(method, *to)?), *to)
            }
        })
    }

    /// Applies the modifier of the target type when the expression does not have it (coerce_type_typmod).
    pub(crate) fn apply_modifier(&mut self, expr: Expr, target: SqlType, context: Context) -> Expr {
        if target.typmod < 0 || typmod(&expr) == target.typmod || type_facts::is_domain(&self.names, target.oid) {
            return expr;
        }
        if matches!(expr, Expr::Constant { value: Datum::Null, .. }) && !self.analysing() {
            return Expr::null(target);
        }
        if takes_modifier(target.oid) {
            return cast(expr, CastMethod::Length, target, context);
        }
        match type_facts::element(&self.names, target.oid) {
            Some(element) if takes_modifier(element.oid) => {
                let element = element.with_typmod(target.typmod);
                cast(expr, CastMethod::Array(Box::new(CastMethod::Length), element), target, context)
            }
            _ => expr,
        }
    }

    /// An unknown literal read as a value of the target type.
    fn coerce_literal(&mut self, value: &Datum, location: i32, target: SqlType, context: Context) -> Result<Expr> {
        let base = self.names.base_type(target);
        let is_domain = base.oid != target.oid;
        let base_type = SqlType { typmod: -1, ..base };
        let constant = match value {
            Datum::Text(text) => self.read_literal(text, base, location)?,
            _ => Expr::null(base_type),
        };
        let constant = self.check_within(constant, context)?;
        if !is_domain {
            return Ok(constant);
        }
        let modified = self.apply_modifier(constant, base, context);
        self.convert_to_domain(modified, target, context)
    }

    /// Reads text as a value, once, at bind time.
    fn read_literal(&mut self, text: &std::sync::Arc<str>, ty: SqlType, location: i32) -> Result<Expr> {
        if depends_on_settings(ty.oid, text) {
            self.cacheable = false;
        }
        if matches!(ty.oid, Oid::TEXT | Oid::VARCHAR | Oid::BPCHAR) {
            return Ok(Expr::Constant { value: Datum::Text(text.clone()), ty: ty.with_typmod(-1) });
        }
        // An interval's fields (INTERVAL '1' YEAR) decide how its text reads.
        let reading = if ty.oid == Oid::INTERVAL { ty } else { ty.with_typmod(-1) };
        let value = types::text_format::datum_from_text(text, reading, &self.environment.format, &*self.names)
            .map_err(|error| error.at(crate::ast::position(location)))?;
        if let Datum::Oid(oid) = value
            && ty.oid != Oid::OID
        {
            self.mend_text(location, |binder| {
                let names = Names { search_path: Vec::new(), ..(*binder.names).clone() };
                let text = names.reg_name(ty.oid, oid)?;
                Some(Mending::Literal { location, text })
            });
        }
        let typmod = if ty.oid == Oid::INTERVAL { ty.typmod } else { -1 };
        Ok(Expr::Constant { value, ty: ty.with_typmod(typmod) })
    }

    /// Row values to named row types and back (coerce_record_to_complex).
    fn coerce_row(&mut self, typed: Typed, target: SqlType, context: Context) -> Result<Expr> {
        let names = self.names.clone();
        if matches!(target.oid, Oid::RECORD | Oid::RECORD_ARRAY) {
            // For PostgreSQL such a value is one already.
            let kept = self.analysing();
            return Ok(if kept { typed.expr } else { cast(typed.expr, CastMethod::Relabel, target, context) });
        }
        let base = type_facts::base(&names, target.oid);
        let source = typed.ty();
        let cannot = || {
            Error::new(
                SqlState::CANNOT_COERCE,
                format!("cannot cast type {} to {}", names.format_type_oid(source.oid), names.format_type_oid(target.oid)),
            )
            .at(typed.position())
        };
        let Some((field_names, field_types)) = names.composite_fields(base) else { return Err(cannot()) };
        let Expr::Row { fields, .. } = self.spread_row(typed.clone()).expr else { return Err(cannot()) };
        if fields.len() != field_types.len() {
            let what =
                if fields.len() < field_types.len() { "Input has too few columns." } else { "Input has too many columns." };
            return Err(cannot().detail(what));
        }
        let mut converted = Vec::with_capacity(fields.len());
        for (at, (field, ty)) in fields.into_iter().zip(field_types.iter()).enumerate() {
            let from = field.ty();
            let field = self.coerce_to(Typed::new(field, typed.location), *ty, context)?.ok_or_else(|| {
                cannot().detail(format!(
                    "Cannot cast type {} to {} in column {}.",
                    names.format_type_oid(from.oid),
                    names.format_type_oid(ty.oid),
                    at + 1
                ))
            })?;
            converted.push(field);
        }
        // A row that nobody cast prints as one.
        let plain = self.analysing() && context != Context::Explicit;
        let ty = if plain { SqlType::RECORD } else { SqlType::of(base) };
        let row = Expr::Row { fields: converted, names: field_names, ty };
        self.convert_to_domain(row, target, context)
    }

    /// An expression that has stayed unknown becomes text.
    pub(crate) fn unknown_to_text(&mut self, typed: Typed) -> Result<Typed> {
        if typed.ty().oid != Oid::UNKNOWN {
            return Ok(typed);
        }
        let location = typed.location;
        Ok(Typed::new(self.coerce(typed, SqlType::TEXT, Context::Implicit)?, location))
    }

    /// Converts an argument of AND, WHERE, CHECK and the like; `construct` is how the error names it.
    pub(crate) fn coerce_to_boolean(&mut self, typed: Typed, construct: &str) -> Result<Expr> {
        self.coerce_to_specific(typed, SqlType::BOOL, construct)
    }

    /// Converts to one type by assignment (coerce_to_specific_type).
    pub(crate) fn coerce_to_specific(&mut self, typed: Typed, target: SqlType, construct: &str) -> Result<Expr> {
        if typed.ty().oid == target.oid {
            return Ok(typed.expr);
        }
        let (source, position) = (typed.ty().oid, typed.position());
        self.coerce_to(typed, target, Context::Assignment)?.ok_or_else(|| {
            Error::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "argument of {construct} must be type {}, not type {}",
                    type_facts::printed(&self.names, target.oid),
                    type_facts::printed(&self.names, source)
                ),
            )
            .at(position)
        })
    }
}

/// Marks the conversion below a length coercion as one that nobody wrote.
fn hide_inner_cast(mut outer: Expr) -> Expr {
    if let Expr::Cast { operand, .. } = &mut outer
        && let Expr::Cast { explicit, .. } = &mut **operand
    {
        *explicit = false;
    }
    outer
}

fn names_base_differs(names: &Names, oid: Oid) -> Option<Oid> {
    let base = type_facts::base(names, oid);
    (base != oid).then_some(base)
}

/// Integer constants widen at once: `WHERE bigint_column = 1` and long VALUES lists then carry plain constants.
fn fold_integer(expr: &Expr, target: SqlType) -> Option<Expr> {
    let Expr::Constant { value: Datum::Int4(value), .. } = expr else { return None };
    let value = match target.oid {
        Oid::INT8 => Datum::Int8(i64::from(*value)),
        Oid::FLOAT8 => Datum::Float8(f64::from(*value)),
        Oid::INT2 => Datum::Int2(i16::try_from(*value).ok()?),
        _ => return None,
    };
    Some(Expr::Constant { value, ty: target })
}

/// Whether a literal's meaning depends on DateStyle, TimeZone or the clock, so that the plan must not outlive the statement.
fn depends_on_settings(ty: Oid, text: &str) -> bool {
    let iso_date = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b' '));
    match ty {
        Oid::DATE | Oid::TIMESTAMP | Oid::TIME => !(iso_date(text) && text.trim_start().find('-').unwrap_or(4) == 4),
        Oid::TIMESTAMPTZ | Oid::TIMETZ => true,
        Oid::INTERVAL | Oid::REGCLASS | Oid::REGTYPE | Oid::REGPROC => false,
        _ => false,
    }
}
