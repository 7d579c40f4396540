//! Which function a call means (func_get_detail): candidates by name, exact matches, casts in function form, and PostgreSQL's
//! elimination of candidates by exact matches, preferred types and categories.

use catalog::{
    builtin::{BuiltinFunction, builtins},
    type_names::Names,
};
use types::{Oid, SqlType};

use crate::{
    coercion::{self, Context, Pathway},
    type_facts,
};

/// A function that a call could mean, its parameters laid out as the call needs them.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) function: &'static BuiltinFunction,
    /// One an argument of the call after defaults have been added, VARIADIC expanded.
    pub(crate) types: Vec<Oid>,
    /// How many parameters the expansion of VARIADIC stands for; zero when it was not expanded.
    pub(crate) expanded: usize,
    /// How many trailing (or, with names, missing) arguments come from defaults.
    pub(crate) defaults: usize,
    /// With named arguments: the parameter of each argument, given ones first, then defaulted ones.
    pub(crate) order: Option<Vec<usize>>,
}

/// What a call turned out to be.
pub(crate) enum Resolution {
    NotFound,
    Ambiguous,
    /// `text(x)`: a conversion in function form.
    Coercion(SqlType),
    Found(Candidate),
}

/// The input parameters' names, in order of the input parameters.
fn input_names(function: &BuiltinFunction) -> Vec<&'static str> {
    let Some(all) = &function.argument_names else { return Vec::new() };
    match &function.argument_modes {
        None => all.clone(),
        Some(modes) => all.iter().zip(modes).filter(|(_, mode)| matches!(mode, 'i' | 'b' | 'v')).map(|(name, _)| *name).collect(),
    }
}

/// Functions of this name that take so many arguments (FuncnameGetCandidates).
fn candidates(name: &str, count: usize, argument_names: &[&str], expand_variadic: bool, expand_defaults: bool) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for function in builtins().functions_named(name) {
        let parameters = function.argument_types.len();
        let variadic = function.variadic != Oid::INVALID;
        let candidate = if !argument_names.is_empty() {
            if variadic && expand_variadic || count > parameters {
                continue;
            }
            if count < parameters && count + function.default_count < parameters {
                continue;
            }
            match match_names(function, count, argument_names) {
                Some(order) => {
                    let types = order.iter().map(|at| function.argument_types[*at]).collect();
                    Candidate { function, types, expanded: 0, defaults: parameters - count, order: Some(order) }
                }
                None => continue,
            }
        } else if variadic && expand_variadic && parameters > 0 && count >= parameters {
            let mut types = function.argument_types[..parameters - 1].to_vec();
            let expanded = count - parameters + 1;
            types.resize(count, function.variadic);
            Candidate { function, types, expanded, defaults: 0, order: None }
        } else if count == parameters && !(variadic && expand_variadic) {
            Candidate { function, types: function.argument_types.clone(), expanded: 0, defaults: 0, order: None }
        } else if expand_defaults && count < parameters && count + function.default_count >= parameters {
            let defaults = parameters - count;
            Candidate { function, types: function.argument_types.clone(), expanded: 0, defaults, order: None }
        } else {
            continue;
        };
        // Of two that take the same arguments, one without defaults or expansion wins.
        let same = found.iter().position(|other| other.types[..count] == candidate.types[..count]);
        match same {
            Some(at) if found[at].expanded > 0 && candidate.expanded == 0 => found[at] = candidate,
            Some(at) if found[at].defaults > candidate.defaults => found[at] = candidate,
            Some(at) if found[at].expanded == candidate.expanded && found[at].defaults == candidate.defaults => {
                found.push(candidate)
            }
            Some(_) => {}
            None => found.push(candidate),
        }
    }
    found
}

/// The parameters that the arguments stand for: positional ones, named ones, then those left to defaults (MatchNamedCall).
fn match_names(function: &BuiltinFunction, count: usize, argument_names: &[&str]) -> Option<Vec<usize>> {
    let parameters = function.argument_types.len();
    let names = input_names(function);
    let positional = count - argument_names.len();
    let mut order: Vec<usize> = (0..positional).collect();
    for wanted in argument_names {
        let at = names.iter().position(|name| name == wanted)?;
        if order.contains(&at) {
            return None;
        }
        order.push(at);
    }
    for at in 0..parameters {
        if !order.contains(&at) {
            if at < parameters - function.default_count {
                return None;
            }
            order.push(at);
        }
    }
    Some(order)
}

/// Resolves a call. `castable` says that a one-argument call may be a conversion in function form.
pub(crate) fn resolve(
    names: &Names,
    name: &str,
    actual: &[Oid],
    argument_names: &[&str],
    expand_variadic: bool,
    castable: bool,
) -> Resolution {
    let all = candidates(name, actual.len(), argument_names, expand_variadic, true);
    let exact: Vec<&Candidate> = all.iter().filter(|candidate| candidate.types[..actual.len()] == *actual).collect();
    if let [one] = exact[..] {
        return Resolution::Found(one.clone());
    }
    if let [first, ..] = exact[..] {
        return match exact.iter().filter(|candidate| candidate.defaults == 0).count() {
            1 => Resolution::Found(exact.into_iter().find(|candidate| candidate.defaults == 0).unwrap_or(first).clone()),
            _ => Resolution::Ambiguous,
        };
    }
    if castable
        && let [source] = *actual
        && argument_names.is_empty()
        && let Some(target) = cast_in_function_form(names, name, source)
    {
        return Resolution::Coercion(target);
    }
    let fitting: Vec<Candidate> = all
        .into_iter()
        .filter(|candidate| coercion::can_coerce(names, actual, &candidate.types[..actual.len()], Context::Implicit))
        .collect();
    match fitting.len() {
        0 => Resolution::NotFound,
        1 => fitting.into_iter().next().map_or(Resolution::NotFound, Resolution::Found),
        _ => match select_candidate(names, actual, &fitting, |candidate| &candidate.types) {
            Some(at) => fitting.into_iter().nth(at).map_or(Resolution::NotFound, Resolution::Found),
            None => Resolution::Ambiguous,
        },
    }
}

/// `date(x)`, `text('abc')`: the type of this name when the argument converts to it without a function that would need calling.
fn cast_in_function_form(names: &Names, name: &str, source: Oid) -> Option<SqlType> {
    let target = names.type_by_name(None, name)?;
    if source == Oid::UNKNOWN {
        return Some(target);
    }
    match coercion::pathway(names, source, target.oid, Context::Explicit)? {
        Pathway::Relabel => Some(target),
        Pathway::InputOutput => {
            let from_row = source == Oid::RECORD || type_facts::is_composite(names, source);
            (!(from_row && type_facts::category(names, target.oid).0 == 'S')).then_some(target)
        }
        _ => None,
    }
}

/// The best of several candidates that all fit, or None when PostgreSQL would call it ambiguous (func_select_candidate).
pub(crate) fn select_candidate<C>(
    names: &Names,
    actual: &[Oid],
    candidates: &[C],
    types: impl Fn(&C) -> &Vec<Oid>,
) -> Option<usize> {
    let inputs: Vec<Oid> = actual.iter().map(|ty| if *ty == Oid::UNKNOWN { *ty } else { type_facts::base(names, *ty) }).collect();
    let unknowns = inputs.iter().filter(|ty| **ty == Oid::UNKNOWN).count();
    let all: Vec<usize> = (0..candidates.len()).collect();
    let declared = |candidate: usize, argument: usize| types(&candidates[candidate])[argument];
    let keep_best = |from: &[usize], score: &dyn Fn(usize) -> usize| -> Vec<usize> {
        let best = from.iter().map(|candidate| score(*candidate)).max().unwrap_or(0);
        from.iter().copied().filter(|candidate| score(*candidate) == best).collect()
    };
    let known = |argument: usize| inputs[argument] != Oid::UNKNOWN;
    // Most exact matches.
    let exact = |candidate: usize| (0..inputs.len()).filter(|at| known(*at) && declared(candidate, *at) == inputs[*at]).count();
    let left = keep_best(&all, &exact);
    if let [one] = left[..] {
        return Some(one);
    }
    // Most exact matches or preferred types of the argument's category.
    let preferred = |candidate: usize| {
        (0..inputs.len())
            .filter(|at| {
                known(*at) && {
                    let ty = declared(candidate, *at);
                    ty == inputs[*at] || is_preferred(names, type_facts::category(names, inputs[*at]).0, ty)
                }
            })
            .count()
    };
    let left = keep_best(&left, &preferred);
    if let [one] = left[..] {
        return Some(one);
    }
    if unknowns == 0 {
        return None;
    }
    let left = by_unknown_categories(names, &inputs, left, &declared);
    if let [one] = left[..] {
        return Some(one);
    }
    // When all known arguments have one type, suppose that the unknown ones have it too.
    if unknowns < inputs.len() {
        let mut known_types = inputs.iter().filter(|ty| **ty != Oid::UNKNOWN);
        let first = *known_types.next()?;
        if known_types.all(|ty| *ty == first) {
            let supposed = vec![first; inputs.len()];
            let fitting: Vec<usize> = left
                .into_iter()
                .filter(|at| coercion::can_coerce(names, &supposed, &types(&candidates[*at])[..inputs.len()], Context::Implicit))
                .collect();
            if let [one] = fitting[..] {
                return Some(one);
            }
        }
    }
    None
}

fn is_preferred(names: &Names, category: char, ty: Oid) -> bool {
    let (own, preferred) = type_facts::category(names, ty);
    preferred && own == category
}

/// Narrows by the categories that the candidates have at the places of unknown literals: string wins, else the category must be shared.
fn by_unknown_categories(names: &Names, inputs: &[Oid], left: Vec<usize>, declared: &dyn Fn(usize, usize) -> Oid) -> Vec<usize> {
    let mut slots: Vec<Option<(char, bool)>> = vec![None; inputs.len()];
    for (at, input) in inputs.iter().enumerate() {
        if *input != Oid::UNKNOWN {
            continue;
        }
        let mut category = None;
        let mut has_preferred = false;
        let mut conflict = false;
        for candidate in &left {
            let (own, preferred) = type_facts::category(names, declared(*candidate, at));
            match category {
                None => (category, has_preferred) = (Some(own), preferred),
                Some(before) if before == own => has_preferred |= preferred,
                Some(_) if own == 'S' => (category, has_preferred, conflict) = (Some('S'), preferred, false),
                Some('S') => {}
                Some(_) => conflict = true,
            }
        }
        match category {
            Some(category) if !conflict || category == 'S' => slots[at] = Some((category, has_preferred)),
            _ => return left,
        }
    }
    let fits = |candidate: &usize| {
        slots.iter().enumerate().all(|(at, slot)| {
            slot.is_none_or(|(category, has_preferred)| {
                let (own, preferred) = type_facts::category(names, declared(*candidate, at));
                own == category && (preferred || !has_preferred)
            })
        })
    };
    let narrowed: Vec<usize> = left.iter().copied().filter(fits).collect();
    if narrowed.is_empty() { left } else { narrowed }
}
