//! Conditions in a form that the other rules can use: terms common to all branches of an OR are taken out of it.

use expr::Expr;

use crate::conjuncts::{join, same, split};

/// `(a AND b) OR (a AND c)` becomes `a AND (b OR c)`.
pub(crate) fn factor(term: Expr) -> Vec<Expr> {
    let Expr::Or(branches) = term else { return vec![term] };
    let mut parts: Vec<Vec<Expr>> = branches
        .into_iter()
        .map(|branch| {
            let mut terms = Vec::new();
            split(branch, &mut terms);
            terms
        })
        .collect();
    let Some(first) = parts.first() else { return Vec::new() };
    let common: Vec<Expr> = first
        .iter()
        .filter(|term| !term.is_volatile() && parts[1..].iter().all(|part| part.iter().any(|other| same(term, other))))
        .cloned()
        .collect();
    for part in &mut parts {
        part.retain(|term| !common.iter().any(|taken| same(taken, term)));
    }
    let mut terms = common;
    // A branch of which nothing is left is implied by the common terms.
    if !parts.iter().any(Vec::is_empty) {
        terms.push(Expr::Or(parts.into_iter().filter_map(join).collect()));
    }
    terms
}

/// What an OR implies of some columns alone: the OR of each branch's terms over them, when every branch has some.
pub(crate) fn implied(term: &Expr, about: &dyn Fn(&Expr) -> bool) -> Option<Expr> {
    let Expr::Or(branches) = term else { return None };
    let mut implied = Vec::with_capacity(branches.len());
    for branch in branches {
        let mut terms = Vec::new();
        split(branch.clone(), &mut terms);
        terms.retain(|term| about(term) && !term.is_volatile());
        implied.push(join(terms)?);
    }
    Some(Expr::Or(implied))
}
