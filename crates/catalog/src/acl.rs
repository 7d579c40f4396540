//! Access control lists: who may do what with an object, and who gave the right (acl.c).
//!
//! An object without a list has its kind's default ([`Acl::default_for`]). A right is always held from a grantor, and only who holds it with
//! the grant option can give it on; [`Acl::revoke`] with [`Revocation::Cascade`] takes back what was given on.

use std::{fmt::Write, sync::Arc};

use types::{Error, Oid, Result, SqlState};

/// A set of privileges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Privileges(pub u16);

impl Privileges {
    pub const NONE: Privileges = Privileges(0);
    pub const INSERT: Privileges = Privileges(1);
    pub const SELECT: Privileges = Privileges(1 << 1);
    pub const UPDATE: Privileges = Privileges(1 << 2);
    pub const DELETE: Privileges = Privileges(1 << 3);
    pub const TRUNCATE: Privileges = Privileges(1 << 4);
    pub const REFERENCES: Privileges = Privileges(1 << 5);
    pub const TRIGGER: Privileges = Privileges(1 << 6);
    pub const EXECUTE: Privileges = Privileges(1 << 7);
    pub const USAGE: Privileges = Privileges(1 << 8);
    pub const CREATE: Privileges = Privileges(1 << 9);
    pub const TEMPORARY: Privileges = Privileges(1 << 10);
    pub const CONNECT: Privileges = Privileges(1 << 11);
    pub const SET: Privileges = Privileges(1 << 12);
    pub const ALTER_SYSTEM: Privileges = Privileges(1 << 13);

    pub const TABLE: Privileges = Privileges(0x7f);
    pub const COLUMN: Privileges = Privileges(1 | 1 << 1 | 1 << 2 | 1 << 5);
    pub const SEQUENCE: Privileges = Privileges(1 << 1 | 1 << 2 | 1 << 8);
    pub const DATABASE: Privileges = Privileges(1 << 9 | 1 << 10 | 1 << 11);
    pub const SCHEMA: Privileges = Privileges(1 << 8 | 1 << 9);

    pub fn has(self, all: Privileges) -> bool {
        self.0 & all.0 == all.0
    }

    pub fn has_any(self, of: Privileges) -> bool {
        self.0 & of.0 != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub fn and(self, other: Privileges) -> Privileges {
        Privileges(self.0 & other.0)
    }

    #[must_use]
    pub fn or(self, other: Privileges) -> Privileges {
        Privileges(self.0 | other.0)
    }

    #[must_use]
    pub fn without(self, other: Privileges) -> Privileges {
        Privileges(self.0 & !other.0)
    }

    /// Each privilege alone, with its word, in the order in which lists print them.
    pub fn each(self) -> impl Iterator<Item = (Privileges, &'static str)> {
        WORDS.iter().enumerate().map(|(bit, word)| (Privileges(1 << bit), *word)).filter(move |(one, _)| self.has(*one))
    }

    /// The privilege a word of GRANT names, TEMP being TEMPORARY.
    pub fn named(word: &str) -> Option<Privileges> {
        let word = word.to_ascii_uppercase();
        let word = if word == "TEMP" { "TEMPORARY" } else { &word };
        WORDS.iter().position(|known| *known == word).map(|bit| Privileges(1 << bit))
    }
}

const LETTERS: &[u8; 14] = b"arwdDxtXUCTcsA";
const WORDS: [&str; 14] = [
    "INSERT",
    "SELECT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "REFERENCES",
    "TRIGGER",
    "EXECUTE",
    "USAGE",
    "CREATE",
    "TEMPORARY",
    "CONNECT",
    "SET",
    "ALTER SYSTEM",
];

/// What a list is of: decides its default and which privileges there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AclKind {
    Table,
    Column,
    Sequence,
    Database,
    Schema,
    Function,
    Type,
    Language,
}

impl AclKind {
    /// All privileges that such an object has.
    pub fn all(self) -> Privileges {
        match self {
            AclKind::Table => Privileges::TABLE,
            AclKind::Column => Privileges::COLUMN,
            AclKind::Sequence => Privileges::SEQUENCE,
            AclKind::Database => Privileges::DATABASE,
            AclKind::Schema => Privileges::SCHEMA,
            AclKind::Function => Privileges::EXECUTE,
            AclKind::Type | AclKind::Language => Privileges::USAGE,
        }
    }

    /// What everybody may do by default.
    fn public(self) -> Privileges {
        match self {
            AclKind::Table | AclKind::Column | AclKind::Sequence | AclKind::Schema => Privileges::NONE,
            AclKind::Database => Privileges::TEMPORARY.or(Privileges::CONNECT),
            AclKind::Function => Privileges::EXECUTE,
            AclKind::Type | AclKind::Language => Privileges::USAGE,
        }
    }

    /// pg_default_acl.defaclobjtype, and what acldefault() takes.
    pub fn letter(self) -> char {
        match self {
            AclKind::Table => 'r',
            AclKind::Column => 'c',
            AclKind::Sequence => 'S',
            AclKind::Database => 'd',
            AclKind::Schema => 'n',
            AclKind::Function => 'f',
            AclKind::Type => 'T',
            AclKind::Language => 'l',
        }
    }
}

/// The object that a list of the database's catalog is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AclTarget {
    Relation(Oid),
    /// A relation's attribute by position.
    Column(Oid, usize),
    Schema(Oid),
    Type(Oid),
    Function(Oid),
    /// ALTER DEFAULT PRIVILEGES: of a role, in a schema (zero: in all), for a kind of object.
    Default(Oid, Oid, AclKind),
}

/// Rights that one role holds from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclItem {
    /// Zero is PUBLIC.
    pub grantee: Oid,
    pub grantor: Oid,
    pub privileges: Privileges,
    /// Those of them that it may give on.
    pub grantable: Privileges,
}

/// What happens to rights that were given on, when the right to give them is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    Restrict,
    Cascade,
}

/// A list of rights, at most one item for each pair of grantee and grantor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl {
    pub items: Vec<AclItem>,
}

impl Acl {
    /// The rights on an object that nobody has granted anything on.
    pub fn default_for(kind: AclKind, owner: Oid) -> Acl {
        let mut items = Vec::new();
        if !kind.public().is_empty() {
            let privileges = kind.public();
            items.push(AclItem { grantee: Oid::INVALID, grantor: owner, privileges, grantable: Privileges::NONE });
        }
        // Columns have no rights of their own until somebody grants them.
        if kind != AclKind::Column {
            items.push(AclItem { grantee: owner, grantor: owner, privileges: kind.all(), grantable: Privileges::NONE });
        }
        Acl { items }
    }

    /// What holders of these roles may do. The owner's grant options are implied.
    pub fn privileges(&self, holds: impl Fn(Oid) -> bool) -> Privileges {
        let mine = self.items.iter().filter(|item| item.grantee == Oid::INVALID || holds(item.grantee));
        mine.fold(Privileges::NONE, |sum, item| sum.or(item.privileges))
    }

    /// What holders of these roles may give on, beside what they own.
    pub fn grantable(&self, holds: impl Fn(Oid) -> bool) -> Privileges {
        self.items.iter().filter(|item| holds(item.grantee)).fold(Privileges::NONE, |sum, item| sum.or(item.grantable))
    }

    /// Adds rights; those already held stay.
    ///
    /// Errors: 0LP01 when the right to grant would come back to one that gave it.
    pub fn grant(&mut self, given: AclItem, owner: Oid) -> Result<()> {
        if !given.grantable.is_empty() && given.grantee != owner {
            self.refuse_circle(given, owner)?;
        }
        match self.items.iter_mut().find(|item| item.grantee == given.grantee && item.grantor == given.grantor) {
            Some(item) => {
                item.privileges = item.privileges.or(given.privileges);
                item.grantable = item.grantable.or(given.grantable);
            }
            None => self.items.push(given),
        }
        Ok(())
    }

    /// A grantor's own options must not rest on the grant that it makes (check_circularity).
    fn refuse_circle(&self, given: AclItem, owner: Oid) -> Result<()> {
        if given.grantor == owner {
            return Ok(());
        }
        let mut without = self.clone();
        let grantee = given.grantee;
        while let Some(item) = without.items.iter().find(|item| item.grantee == grantee && !item.grantable.is_empty()).copied() {
            without.revoke(AclItem { privileges: Privileges::NONE, ..item }, owner, Revocation::Cascade)?;
        }
        let own = without.grantable(|role| role == given.grantor);
        if own.has(given.grantable) {
            return Ok(());
        }
        Err(Error::new(SqlState::INVALID_GRANT_OPERATION, "grant options cannot be granted back to your own grantor"))
    }

    /// Takes back rights, or (in `taken.grantable`) the options to give them on.
    ///
    /// Errors: 2BP01 when others hold what was given on, unless it cascades.
    pub fn revoke(&mut self, taken: AclItem, owner: Oid, revocation: Revocation) -> Result<()> {
        let Some(at) = self.items.iter().position(|item| item.grantee == taken.grantee && item.grantor == taken.grantor) else {
            return Ok(());
        };
        let item = &mut self.items[at];
        let options_before = item.grantable;
        item.privileges = item.privileges.without(taken.privileges);
        item.grantable = item.grantable.without(taken.grantable).and(item.privileges.or(options_before));
        item.grantable = item.grantable.without(taken.privileges);
        let lost = options_before.without(item.grantable);
        if item.privileges.is_empty() && item.grantable.is_empty() {
            self.items.remove(at);
        }
        if !lost.is_empty() && taken.grantee != Oid::INVALID {
            self.revoke_dependent(taken.grantee, lost, owner, revocation)?;
        }
        Ok(())
    }

    /// What a role has given on while it could (recursive_revoke).
    fn revoke_dependent(&mut self, grantor: Oid, lost: Privileges, owner: Oid, revocation: Revocation) -> Result<()> {
        if grantor == owner {
            return Ok(());
        }
        let lost = lost.without(self.grantable(|role| role == grantor));
        while let Some(item) = self.items.iter().find(|item| item.grantor == grantor && item.privileges.has_any(lost)).copied() {
            if revocation == Revocation::Restrict {
                return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, "dependent privileges exist")
                    .hint("Use CASCADE to revoke them too."));
            }
            let taken = item.privileges.and(lost);
            self.revoke(AclItem { privileges: taken, grantable: taken, ..item }, owner, revocation)?;
        }
        Ok(())
    }

    /// The list after its object has changed owners: what the old one granted or held becomes the new one's (aclnewowner).
    #[must_use]
    pub fn with_owner(&self, old: Oid, new: Oid) -> Acl {
        let moved = |role: Oid| if role == old { new } else { role };
        let mut acl = Acl::default();
        for item in &self.items {
            let item = AclItem { grantee: moved(item.grantee), grantor: moved(item.grantor), ..*item };
            match acl.items.iter_mut().find(|known| known.grantee == item.grantee && known.grantor == item.grantor) {
                Some(known) => {
                    known.privileges = known.privileges.or(item.privileges);
                    known.grantable = known.grantable.or(item.grantable);
                }
                None => acl.items.push(item),
            }
        }
        acl
    }

    /// The list without anything that a role holds or has given (DROP OWNED).
    #[must_use]
    pub fn without_role(&self, role: Oid) -> Acl {
        Acl { items: self.items.iter().filter(|item| item.grantee != role && item.grantor != role).copied().collect() }
    }

    /// In the order that lists made of default privileges have (aclitemsort).
    pub fn sort(&mut self) {
        self.items.sort_by_key(|item| (item.grantee, item.grantor));
    }

    pub fn mentions(&self, role: Oid) -> bool {
        self.items.iter().any(|item| item.grantee == role || item.grantor == role)
    }

    /// The items as aclitem prints them.
    pub fn texts(&self, role_name: impl Fn(Oid) -> String) -> Vec<String> {
        self.items.iter().map(|item| item.text(&role_name)).collect()
    }
}

impl AclItem {
    /// `grantee=privileges/grantor`, with `*` after what can be given on.
    pub fn text(&self, role_name: impl Fn(Oid) -> String) -> String {
        let name = |role: Oid| {
            let name = role_name(role);
            let is_safe = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if is_safe { name } else { format!("\"{}\"", name.replace('"', "\"\"")) }
        };
        let mut text = if self.grantee == Oid::INVALID { String::new() } else { name(self.grantee) };
        text.push('=');
        for (bit, letter) in LETTERS.iter().enumerate() {
            let one = Privileges(1 << bit);
            if self.privileges.has(one) {
                text.push(char::from(*letter));
            }
            if self.grantable.has(one) {
                text.push('*');
            }
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "/{}", name(self.grantor));
        text
    }

    /// Reads what [`AclItem::text`] writes; None when it is malformed or names an unknown role.
    pub fn parse(text: &str, role_named: impl Fn(&str) -> Option<Oid>) -> Option<AclItem> {
        let (grantee, rest) = split_name(text)?;
        let (letters, grantor) = rest.strip_prefix('=')?.split_once('/')?;
        let (grantor, end) = split_name(grantor)?;
        if !end.is_empty() {
            return None;
        }
        let mut item = AclItem {
            grantee: if grantee.is_empty() { Oid::INVALID } else { role_named(&grantee)? },
            grantor: role_named(&grantor)?,
            privileges: Privileges::NONE,
            grantable: Privileges::NONE,
        };
        let mut last = Privileges::NONE;
        for letter in letters.bytes() {
            if letter == b'*' {
                item.grantable = item.grantable.or(last);
                continue;
            }
            last = Privileges(1 << LETTERS.iter().position(|known| *known == letter)?);
            item.privileges = item.privileges.or(last);
        }
        Some(item)
    }
}

/// A possibly quoted name and what follows it.
fn split_name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(['=', '/']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character != '"' {
            name.push(character);
        } else if characters.next_if(|(_, next)| *next == '"').is_some() {
            name.push('"');
        } else {
            return Some((name, &quoted[at + 1..]));
        }
    }
    None
}

impl crate::Catalog {
    /// The rights granted on an object; None while it has its kind's default ones.
    pub fn acl(&self, target: AclTarget) -> Option<&Arc<Acl>> {
        self.acls.get(&target)
    }

    /// All lists in order of their objects.
    pub fn acls(&self) -> impl Iterator<Item = (&AclTarget, &Arc<Acl>)> {
        self.acls.iter()
    }

    /// Sets the rights on an object; None makes them the default ones.
    pub fn put_acl(&mut self, target: AclTarget, acl: Option<Acl>) {
        match acl {
            Some(acl) => self.acls.insert(target, Arc::new(acl)),
            None => self.acls.remove(&target),
        };
        self.changed();
    }

    /// A new object starts with its owner's ALTER DEFAULT PRIVILEGES: those of all schemas, and those of its own added.
    pub(crate) fn start_with_defaults(&mut self, target: AclTarget, kind: AclKind, owner: Oid, schema: Oid) {
        let everywhere = self.acls.get(&AclTarget::Default(owner, Oid::INVALID, kind));
        let here = self.acls.get(&AclTarget::Default(owner, schema, kind)).filter(|_| schema != Oid::INVALID);
        if everywhere.is_none() && here.is_none() {
            return;
        }
        let mut acl = everywhere.map_or_else(|| Acl::default_for(kind, owner), |acl| Acl::clone(acl));
        for item in here.into_iter().flat_map(|acl| &acl.items) {
            // Additions to a fresh list go in no circle.
            let _ = acl.grant(*item, owner);
        }
        if acl != Acl::default_for(kind, owner) {
            acl.sort();
            self.acls.insert(target, Arc::new(acl));
        }
    }

    /// Forgets the rights on a dropped relation and its columns.
    pub(crate) fn forget_relation_acls(&mut self, relation: Oid) {
        self.acls.remove(&AclTarget::Relation(relation));
        let columns: Vec<AclTarget> = self
            .acls
            .range(AclTarget::Column(relation, 0)..=AclTarget::Column(relation, usize::MAX))
            .map(|(target, _)| *target)
            .collect();
        columns.into_iter().for_each(|column| {
            self.acls.remove(&column);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Oid = Oid(10);
    const ANN: Oid = Oid(11);
    const BOB: Oid = Oid(12);

    fn name(role: Oid) -> String {
        match role {
            OWNER => "postgres".into(),
            ANN => "ann".into(),
            _ => "Bob B".into(),
        }
    }

    fn item(grantee: Oid, grantor: Oid, privileges: Privileges, grantable: Privileges) -> AclItem {
        AclItem { grantee, grantor, privileges, grantable }
    }

    #[test]
    fn text_is_postgresql_s() {
        let mut acl = Acl::default_for(AclKind::Table, OWNER);
        acl.grant(item(ANN, OWNER, Privileges::SELECT, Privileges::SELECT), OWNER).unwrap();
        acl.grant(item(BOB, ANN, Privileges::SELECT, Privileges::NONE), OWNER).unwrap();
        acl.grant(item(Oid::INVALID, OWNER, Privileges::UPDATE, Privileges::NONE), OWNER).unwrap();
        let texts = acl.texts(name);
        assert_eq!(texts, ["postgres=arwdDxt/postgres", "ann=r*/postgres", "\"Bob B\"=r/ann", "=w/postgres"]);
        let role = |text: &str| [OWNER, ANN, BOB].into_iter().find(|oid| name(*oid) == text);
        for (text, item) in texts.iter().zip(&acl.items) {
            assert_eq!(AclItem::parse(text, role), Some(*item));
        }
        assert_eq!(AclItem::parse("ann=Q/postgres", role), None);
    }

    #[test]
    fn what_was_given_on_goes_with_the_option() {
        let mut acl = Acl::default_for(AclKind::Table, OWNER);
        acl.grant(item(ANN, OWNER, Privileges::SELECT, Privileges::SELECT), OWNER).unwrap();
        acl.grant(item(BOB, ANN, Privileges::SELECT, Privileges::NONE), OWNER).unwrap();
        let taken = item(ANN, OWNER, Privileges::SELECT, Privileges::SELECT);
        let error = acl.clone().revoke(taken, OWNER, Revocation::Restrict).unwrap_err();
        assert_eq!(error.message(), "dependent privileges exist");
        acl.revoke(taken, OWNER, Revocation::Cascade).unwrap();
        assert_eq!(acl.texts(name), ["postgres=arwdDxt/postgres"]);
    }

    #[test]
    fn options_do_not_come_back_to_their_giver() {
        let mut acl = Acl::default_for(AclKind::Table, OWNER);
        acl.grant(item(ANN, OWNER, Privileges::SELECT, Privileges::SELECT), OWNER).unwrap();
        acl.grant(item(BOB, ANN, Privileges::SELECT, Privileges::SELECT), OWNER).unwrap();
        assert!(acl.grant(item(ANN, BOB, Privileges::SELECT, Privileges::SELECT), OWNER).is_err());
    }
}
