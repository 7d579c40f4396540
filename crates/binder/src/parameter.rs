//! `$n` parameters: given types, and types inferred from the first use that decides one.

use expr::Expr;
use types::{Error, Oid, Result, SqlState, SqlType};

use crate::{
    ast,
    coercion::Context,
    state::{Binder, Typed},
    type_facts,
};

#[derive(Clone, Copy, Debug)]
enum Slot {
    /// Never mentioned and not given.
    Absent,
    /// Mentioned, type open.
    Unknown,
    Known(SqlType),
}

/// The parameters of one statement.
#[derive(Debug)]
pub(crate) struct Parameters {
    slots: Vec<Slot>,
}

impl Parameters {
    pub(crate) fn new(given: &[Option<SqlType>]) -> Parameters {
        let slot = |ty: &Option<SqlType>| match ty {
            Some(ty) if ty.oid != Oid::UNKNOWN && ty.oid != Oid::INVALID => Slot::Known(*ty),
            _ => Slot::Absent,
        };
        Parameters { slots: given.iter().map(slot).collect() }
    }

    /// The types of all parameters. Errors: 42P18 for one that nothing decides.
    pub(crate) fn types(&self) -> Result<Vec<SqlType>> {
        self.slots
            .iter()
            .enumerate()
            .map(|(at, slot)| match slot {
                Slot::Known(ty) => Ok(*ty),
                Slot::Absent | Slot::Unknown => Err(Error::new(
                    SqlState::INDETERMINATE_DATATYPE,
                    format!("could not determine data type of parameter ${}", at + 1),
                )),
            })
            .collect()
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.types().map(drop)
    }
}

impl Binder<'_> {
    pub(crate) fn bind_parameter(&mut self, number: i32, location: i32) -> Result<Typed> {
        // The limit is the protocol's: a 16-bit count.
        let Some(index) = usize::try_from(number).ok().and_then(|number| number.checked_sub(1)).filter(|index| *index < 65_535)
        else {
            let message = format!("there is no parameter ${number}");
            return Err(Error::new(SqlState::UNDEFINED_PARAMETER, message).at(ast::position(location)));
        };
        let slots = &mut self.parameters.slots;
        if slots.len() <= index {
            slots.resize(index + 1, Slot::Absent);
        }
        let ty = match slots[index] {
            Slot::Known(ty) => ty,
            Slot::Absent | Slot::Unknown => {
                slots[index] = Slot::Unknown;
                SqlType::UNKNOWN
            }
        };
        // Whoever reads a parameter's value knows no domain: what they ask is asked here.
        let checked = self.check_within(Expr::Parameter { index, ty }, Context::Implicit)?;
        let checked = self.convert_to_domain(checked, ty, Context::Implicit)?;
        Ok(Typed::new(checked, location))
    }

    /// A parameter that was open when it was bound, with the type that it has by now; anything else as it is.
    pub(crate) fn as_decided(&self, typed: &Typed) -> Typed {
        match (&typed.expr, self.parameters.slots.as_slice()) {
            (Expr::Parameter { index, ty }, slots) if ty.oid == Oid::UNKNOWN => match slots.get(*index) {
                Some(Slot::Known(known)) => Typed::new(Expr::Parameter { index: *index, ty: *known }, typed.location),
                _ => typed.clone(),
            },
            _ => typed.clone(),
        }
    }

    /// Whether a value is a parameter whose type is open.
    pub(crate) fn is_open_parameter(typed: &Typed) -> bool {
        matches!(&typed.expr, Expr::Parameter { ty, .. } if ty.oid == Oid::UNKNOWN)
    }

    /// Gives an open parameter the type that its use asks for. None: the parameter was known from the start.
    pub(crate) fn decide_parameter(&mut self, index: usize, target: SqlType, location: i32) -> Result<Expr> {
        let names = self.names.clone();
        let base = names.base_type(target);
        let target = if base.oid == target.oid { target.with_typmod(-1) } else { SqlType::of(base.oid) };
        match self.parameters.slots[index] {
            Slot::Known(known) if known.oid != target.oid => {
                return Err(Error::new(
                    SqlState::AMBIGUOUS_PARAMETER,
                    format!("inconsistent types deduced for parameter ${}", index + 1),
                )
                .detail(format!("{} versus {}", type_facts::printed(&names, known.oid), type_facts::printed(&names, target.oid)))
                .at(ast::position(location)));
            }
            _ => self.parameters.slots[index] = Slot::Known(target),
        }
        Ok(Expr::Parameter { index, ty: target })
    }
}
