//! What a statement must be allowed to do: collected while its names are resolved, checked each time it runs.

use std::sync::Arc;

use catalog::Privileges;
use types::Oid;

/// What a statement does with one relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationAccess {
    pub relation: Oid,
    /// As whom: the owner of the view that mentions it, or (None) whoever runs the statement.
    pub check_as: Option<Oid>,
    pub privileges: Privileges,
    /// Attribute positions read, inserted into and updated: rights on these columns do where there are none on the whole.
    pub selected: Vec<usize>,
    pub inserted: Vec<usize>,
    pub updated: Vec<usize>,
}

/// Everything that a statement must be allowed to do, in the order in which its text mentions it.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub relations: Vec<RelationAccess>,
    /// Schemas that the text names.
    pub schemas: Vec<(Oid, Arc<str>)>,
    /// Functions that it calls, aggregates and those of its operators included; whoever runs it calls them, in views too.
    pub functions: Vec<Oid>,
}

impl Access {
    pub fn call(&mut self, function: Oid) {
        if !self.functions.contains(&function) {
            self.functions.push(function);
        }
    }

    /// The entry for a relation, added when it is new.
    pub fn of(&mut self, relation: Oid, check_as: Option<Oid>) -> &mut RelationAccess {
        let known = self.relations.iter().position(|access| access.relation == relation && access.check_as == check_as);
        let at = known.unwrap_or_else(|| {
            self.relations.push(RelationAccess {
                relation,
                check_as,
                privileges: Privileges::NONE,
                selected: Vec::new(),
                inserted: Vec::new(),
                updated: Vec::new(),
            });
            self.relations.len() - 1
        });
        &mut self.relations[at]
    }
}

impl RelationAccess {
    pub fn require(&mut self, privileges: Privileges) {
        self.privileges = self.privileges.or(privileges);
    }

    pub fn select(&mut self, attribute: usize) {
        self.require(Privileges::SELECT);
        add(&mut self.selected, attribute);
    }

    pub fn insert(&mut self, attribute: usize) {
        self.require(Privileges::INSERT);
        add(&mut self.inserted, attribute);
    }

    pub fn update(&mut self, attribute: usize) {
        self.require(Privileges::UPDATE);
        add(&mut self.updated, attribute);
    }
}

fn add(attributes: &mut Vec<usize>, attribute: usize) {
    if !attributes.contains(&attribute) {
        attributes.push(attribute);
    }
}
