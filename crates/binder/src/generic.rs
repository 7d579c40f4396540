//! Polymorphic parameters: anyelement, anyarray, anycompatible and their families.

use catalog::type_names::Names;
use types::{Error, Oid, Result, SqlState};

use crate::{
    coercion::{self, Context},
    common_type, type_facts,
};

/// What the arguments have said so far about the polymorphic types.
#[derive(Default)]
struct Seen {
    element: Option<Oid>,
    array: Option<Oid>,
    range: Option<Oid>,
    multirange: Option<Oid>,
    compatible: Vec<Oid>,
    compatible_range: Option<Oid>,
    compatible_multirange: Option<Oid>,
    have_nonarray: bool,
    have_enum: bool,
    have_compatible: bool,
    have_compatible_nonarray: bool,
}

fn failure(message: impl Into<String>) -> Error {
    Error::new(SqlState::DATATYPE_MISMATCH, message)
}

fn note(slot: &mut Option<Oid>, actual: Oid, family: &str, names: &Names) -> Result<()> {
    match *slot {
        Some(before) if before != actual => Err(failure(format!("arguments declared \"{family}\" are not all alike"))
            .detail(format!("{} versus {}", names.format_type_oid(before), names.format_type_oid(actual)))),
        _ => {
            *slot = Some(actual);
            Ok(())
        }
    }
}

/// Reads the arguments of polymorphic parameters; unknown literals say nothing.
fn look(names: &Names, actual: &[Oid], declared: &[Oid]) -> Result<Seen> {
    let mut seen = Seen::default();
    for (&declared, &actual) in declared.iter().zip(actual) {
        match declared {
            Oid::ANYELEMENT | Oid::ANYNONARRAY | Oid::ANYENUM => {
                seen.have_nonarray |= declared == Oid::ANYNONARRAY;
                seen.have_enum |= declared == Oid::ANYENUM;
                if actual != Oid::UNKNOWN {
                    note(&mut seen.element, actual, "anyelement", names)?;
                }
            }
            Oid::ANYARRAY if actual != Oid::UNKNOWN => note(&mut seen.array, type_facts::base(names, actual), "anyarray", names)?,
            Oid::ANYRANGE if actual != Oid::UNKNOWN => note(&mut seen.range, type_facts::base(names, actual), "anyrange", names)?,
            Oid::ANYMULTIRANGE if actual != Oid::UNKNOWN => {
                note(&mut seen.multirange, type_facts::base(names, actual), "anymultirange", names)?;
            }
            Oid::ANYCOMPATIBLE | Oid::ANYCOMPATIBLENONARRAY => {
                seen.have_compatible = true;
                seen.have_compatible_nonarray |= declared == Oid::ANYCOMPATIBLENONARRAY;
                if actual != Oid::UNKNOWN {
                    seen.compatible.push(actual);
                }
            }
            Oid::ANYCOMPATIBLEARRAY => {
                seen.have_compatible = true;
                if actual != Oid::UNKNOWN {
                    let base = type_facts::base(names, actual);
                    match type_facts::element(names, base) {
                        Some(element) => seen.compatible.push(element.oid),
                        None => {
                            return Err(failure(format!(
                                "argument declared anycompatiblearray is not an array but type {}",
                                names.format_type_oid(base)
                            )));
                        }
                    }
                }
            }
            Oid::ANYCOMPATIBLERANGE => {
                seen.have_compatible = true;
                if actual != Oid::UNKNOWN {
                    let base = type_facts::base(names, actual);
                    note(&mut seen.compatible_range, base, "anycompatiblerange", names)?;
                    match type_facts::range_subtype(base).filter(|_| type_facts::is_range(base)) {
                        Some(subtype) => seen.compatible.push(subtype),
                        None => {
                            return Err(failure(format!(
                                "argument declared anycompatiblerange is not a range type but type {}",
                                names.format_type_oid(base)
                            )));
                        }
                    }
                }
            }
            Oid::ANYCOMPATIBLEMULTIRANGE => {
                seen.have_compatible = true;
                if actual != Oid::UNKNOWN {
                    let base = type_facts::base(names, actual);
                    note(&mut seen.compatible_multirange, base, "anycompatiblemultirange", names)?;
                    match type_facts::range_subtype(base).filter(|_| type_facts::is_multirange(base)) {
                        Some(subtype) => seen.compatible.push(subtype),
                        None => {
                            return Err(failure(format!(
                                "argument declared anycompatiblemultirange is not a multirange type but type {}",
                                names.format_type_oid(base)
                            )));
                        }
                    }
                }
            }
            _ => {}
        }
    }
    Ok(seen)
}

impl Seen {
    /// Derives element, array and range types from each other and checks that they agree.
    fn reconcile(&mut self, names: &Names) -> Result<()> {
        // anyarray itself (columns of pg_statistic) stays what it is.
        if let Some(array) = self.array.filter(|array| *array != Oid::ANYARRAY) {
            let Some(element) = type_facts::element(names, array) else {
                return Err(failure(format!(
                    "argument declared anyarray is not an array but type {}",
                    names.format_type_oid(array)
                )));
            };
            match self.element {
                None => self.element = Some(element.oid),
                Some(before) if before != element.oid => {
                    return Err(failure("argument declared anyarray is not consistent with argument declared anyelement")
                        .detail(format!("{} versus {}", names.format_type_oid(array), names.format_type_oid(before))));
                }
                Some(_) => {}
            }
        }
        if let Some(multirange) = self.multirange {
            let Some(range) = type_facts::range_of_multirange(multirange) else {
                return Err(failure(format!(
                    "argument declared anymultirange is not a multirange type but type {}",
                    names.format_type_oid(multirange)
                )));
            };
            match self.range {
                None => self.range = Some(range),
                Some(before) if before != range => {
                    return Err(failure("argument declared anymultirange is not consistent with argument declared anyrange")
                        .detail(format!("{} versus {}", names.format_type_oid(multirange), names.format_type_oid(before))));
                }
                Some(_) => {}
            }
        }
        if let Some(range) = self.range {
            let Some(subtype) = type_facts::range_subtype(range).filter(|_| type_facts::is_range(range)) else {
                return Err(failure(format!(
                    "argument declared anyrange is not a range type but type {}",
                    names.format_type_oid(range)
                )));
            };
            match self.element {
                None => self.element = Some(subtype),
                Some(before) if before != subtype => {
                    return Err(failure("argument declared anyrange is not consistent with argument declared anyelement")
                        .detail(format!("{} versus {}", names.format_type_oid(range), names.format_type_oid(before))));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn check_element(&self, names: &Names) -> Result<()> {
        if let Some(element) = self.element {
            let base = type_facts::base(names, element);
            if self.have_nonarray && type_facts::element(names, base).is_some() {
                return Err(failure(format!("type matched to anynonarray is an array type: {}", names.format_type_oid(element))));
            }
            if self.have_enum && !type_facts::is_enum(names, base) {
                return Err(failure(format!("type matched to anyenum is not an enum type: {}", names.format_type_oid(element))));
            }
        }
        Ok(())
    }
}

/// Whether the arguments fit the polymorphic parameters (check_generic_type_consistency).
pub(crate) fn is_consistent(names: &Names, actual: &[Oid], declared: &[Oid]) -> bool {
    let Ok(mut seen) = look(names, actual, declared) else { return false };
    if seen.reconcile(names).is_err() || seen.check_element(names).is_err() {
        return false;
    }
    // Without an element nothing shows that it is an enum.
    if seen.have_enum && seen.element.is_none() {
        return false;
    }
    if seen.compatible.is_empty() {
        return true;
    }
    let Ok(common) = common_type::select(names, &seen.compatible) else { return false };
    if seen.compatible_range.is_some_and(|range| type_facts::range_subtype(range) != Some(common)) {
        return false;
    }
    let fits = |ty: &Oid| coercion::can_coerce(names, &[*ty], &[common], Context::Implicit);
    seen.compatible.iter().all(fits) && !(seen.have_compatible_nonarray && type_facts::element(names, common).is_some())
}

/// Replaces polymorphic parameter types by actual ones and gives the actual result type (enforce_generic_type_consistency).
pub(crate) fn enforce(names: &Names, actual: &[Oid], declared: &mut [Oid], result: Oid) -> Result<Oid> {
    if !declared.iter().any(|ty| type_facts::is_polymorphic(*ty)) && !type_facts::is_polymorphic(result) {
        return Ok(result);
    }
    let mut seen = look(names, actual, declared)?;
    seen.reconcile(names)?;
    let simple = declared.iter().any(|ty| type_facts::is_polymorphic_simple(*ty));
    if simple && seen.element.is_none() && seen.array != Some(Oid::ANYARRAY) {
        return Err(failure("could not determine polymorphic type because input has type unknown"));
    }
    seen.check_element(names)?;
    let compatible = resolve_compatible(names, &seen)?;
    let array_of = |element: Oid| {
        type_facts::array(names, element).map(|ty| ty.oid).ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_OBJECT,
                format!("could not find array type for data type {}", names.format_type_oid(element)),
            )
        })
    };
    let resolve = |ty: Oid| -> Result<Oid> {
        Ok(match ty {
            Oid::ANYELEMENT | Oid::ANYNONARRAY | Oid::ANYENUM => seen.element.unwrap_or(ty),
            Oid::ANYARRAY => match (seen.array, seen.element) {
                (Some(array), _) => array,
                (None, Some(element)) => array_of(element)?,
                (None, None) => ty,
            },
            Oid::ANYRANGE => seen.range.ok_or_else(|| undetermined("anyrange"))?,
            Oid::ANYMULTIRANGE => match (seen.multirange, seen.range) {
                (Some(multirange), _) => multirange,
                (None, Some(range)) => type_facts::multirange_of_range(range).unwrap_or(ty),
                _ => return Err(undetermined("anymultirange")),
            },
            Oid::ANYCOMPATIBLE | Oid::ANYCOMPATIBLENONARRAY => compatible.unwrap_or(Oid::TEXT),
            Oid::ANYCOMPATIBLEARRAY => array_of(compatible.unwrap_or(Oid::TEXT))?,
            Oid::ANYCOMPATIBLERANGE => seen.compatible_range.ok_or_else(|| undetermined("anycompatiblerange"))?,
            Oid::ANYCOMPATIBLEMULTIRANGE => match (seen.compatible_multirange, seen.compatible_range) {
                (Some(multirange), _) => multirange,
                (None, Some(range)) => type_facts::multirange_of_range(range).unwrap_or(ty),
                _ => return Err(undetermined("anycompatiblemultirange")),
            },
            other => other,
        })
    };
    for ty in declared.iter_mut() {
        *ty = resolve(*ty)?;
    }
    resolve(result)
}

fn undetermined(family: &str) -> Error {
    failure(format!("could not determine polymorphic type {family} because input has type unknown"))
}

fn resolve_compatible(names: &Names, seen: &Seen) -> Result<Option<Oid>> {
    if seen.compatible.is_empty() {
        return Ok(None);
    }
    let common = common_type::select(names, &seen.compatible).map_err(|at| {
        failure("arguments of anycompatible family cannot be cast to a common type").detail(format!(
            "{} versus {}",
            names.format_type_oid(seen.compatible[0]),
            names.format_type_oid(seen.compatible[at])
        ))
    })?;
    if seen.have_compatible_nonarray && type_facts::element(names, common).is_some() {
        return Err(failure(format!(
            "type matched to anycompatiblenonarray is an array type: {}",
            names.format_type_oid(common)
        )));
    }
    Ok(Some(common))
}
