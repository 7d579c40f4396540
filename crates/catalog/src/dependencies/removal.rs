//! What DROP removes beyond what it names.

use std::collections::{HashMap, HashSet};

use types::{Error, Result, SqlState};

use super::{Dependents, Object, Strength, dependencies, dependents_exist, describe};
use crate::{Catalog, type_names::Names};

/// Everything that goes, dependents before what they rest on.
#[derive(Debug)]
pub struct Removal {
    pub objects: Vec<Object>,
    /// The NOTICE that tells of objects dropped by CASCADE.
    pub notice: Option<Error>,
}

const DETAIL_LINES: usize = 100;

pub(super) fn plan(names: &Names, targets: &[Object], cascade: bool) -> Result<Removal> {
    let catalog = &names.catalog;
    refuse_parts(names, targets)?;
    let dependents = Dependents::of(catalog);
    let mut walk = Walk { catalog, dependents: &dependents, order: Vec::new(), found: HashMap::new(), strengths: HashMap::new() };
    for target in targets {
        walk.visit(*target, None);
    }
    let wanted: HashSet<Object> = targets.iter().copied().collect();
    let lines = |verb: &dyn Fn(Object, Object) -> String| -> Vec<String> {
        let reported = walk.order.iter().rev().filter(|object| !wanted.contains(object) && walk.is_reported(**object));
        reported.filter_map(|object| walk.found.get(object).copied().flatten().map(|on| verb(*object, on))).collect()
    };
    let notice = if cascade {
        cascade_notice(&lines(&|object, _| format!("drop cascades to {}", describe(names, object))))
    } else {
        let blocking = lines(&|object, on| format!("{} depends on {}", describe(names, object), describe(names, on)));
        if !blocking.is_empty() {
            return Err(refusal(names, targets, &blocking));
        }
        None
    };
    let objects = walk.order.iter().copied().filter(|object| !walk.is_within_another(*object)).collect();
    Ok(Removal { objects, notice })
}

fn refusal(names: &Names, targets: &[Object], blocking: &[String]) -> Error {
    let message = match targets {
        [target] => format!("cannot drop {} because other objects depend on it", describe(names, *target)),
        _ => "cannot drop desired object(s) because other objects depend on them".to_string(),
    };
    dependents_exist(message).detail(listed(blocking)).hint("Use DROP ... CASCADE to drop the dependent objects too.")
}

fn listed(lines: &[String]) -> String {
    let mut text = lines.iter().take(DETAIL_LINES).cloned().collect::<Vec<_>>().join("\n");
    match lines.len().saturating_sub(DETAIL_LINES) {
        0 => {}
        1 => text.push_str("\nand 1 other object (see server log for list)"),
        more => text.push_str(&format!("\nand {more} other objects (see server log for list)")),
    }
    text
}

fn cascade_notice(lines: &[String]) -> Option<Error> {
    let notice = |message: String| Error::new(SqlState::SUCCESSFUL_COMPLETION, message);
    match lines {
        [] => None,
        [line] => Some(notice(line.clone())),
        _ => Some(notice(format!("drop cascades to {} other objects", lines.len())).detail(listed(lines))),
    }
}

/// A part of another object goes only with it.
fn refuse_parts(names: &Names, targets: &[Object]) -> Result<()> {
    let all = dependencies(&names.catalog);
    for target in targets {
        let whole = all.iter().find(|dependency| dependency.dependent == *target && dependency.strength == Strength::Internal);
        let Some(whole) = whole.filter(|whole| !targets.contains(&whole.on)) else { continue };
        if targets.iter().any(|target| whole.on.relation().is_some_and(|relation| Object::Relation(relation) == *target)) {
            continue;
        }
        let (part, whole) = (describe(names, *target), describe(names, whole.on));
        return Err(dependents_exist(format!("cannot drop {part} because {whole} requires it"))
            .hint(format!("You can drop {whole} instead.")));
    }
    Ok(())
}

/// Depth first, the youngest dependents first, as PostgreSQL walks; it reports in the reverse order.
struct Walk<'w> {
    catalog: &'w Catalog,
    dependents: &'w Dependents,
    /// Dependents before what they rest on.
    order: Vec<Object>,
    /// Each object found, with what it was found to depend on.
    found: HashMap<Object, Option<Object>>,
    /// The strongest of the dependencies through which an object was reached.
    strengths: HashMap<Object, Strength>,
}

impl Walk<'_> {
    fn visit(&mut self, object: Object, through: Option<Object>) {
        if self.found.contains_key(&object) {
            return;
        }
        self.found.insert(object, through);
        let mut dependents: Vec<(Object, Strength)> = self.dependents.on(object).to_vec();
        // A relation goes with its columns, so whatever rests on one of them rests on it.
        if let Object::Relation(oid) = object
            && let Some(relation) = self.catalog.relation(oid)
        {
            for position in 0..relation.attributes.len() {
                dependents.extend(self.dependents.on(Object::Column(oid, position)));
            }
            dependents.sort_by_key(|(dependent, _)| dependent.age());
        }
        for (dependent, strength) in &dependents {
            let strongest = self.strengths.entry(*dependent).or_insert(*strength);
            *strongest = (*strongest).max(*strength);
        }
        for (dependent, _) in dependents.into_iter().rev() {
            // Parts of the relation itself are no dependents worth telling of.
            let is_own_part = matches!(object, Object::Relation(oid) if dependent.relation() == Some(oid));
            self.visit(dependent, if is_own_part { None } else { Some(object) });
        }
        self.order.push(object);
    }

    /// Only objects that nothing takes along silently are told of.
    fn is_reported(&self, object: Object) -> bool {
        self.strengths.get(&object) == Some(&Strength::Normal) && !self.is_within_another(object)
    }

    /// Whether the object disappears with the relation it is part of.
    fn is_within_another(&self, object: Object) -> bool {
        object.relation().is_some_and(|relation| {
            self.found.contains_key(&Object::Relation(relation)) || self.found.contains_key(&Object::Type(relation))
        })
    }
}
