//! Changed copies of `jsonb` values: concatenation, deletion, setting and inserting at a path, stripping nulls.

use std::sync::Arc;

use super::{Jsonb, Member, access::parse_path_index, deep};
use crate::{Error, Result, SqlState};

/// The most elements that assignment fills an array to; about where PostgreSQL runs out of its 1 GB.
const MAX_ELEMENTS: usize = 1 << 24;

/// Where `jsonb_insert` puts a new element of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertPosition {
    Before,
    After,
}

/// What is done at the end of a path.
#[derive(Clone, Copy)]
enum Change<'a> {
    Delete,
    /// Puts the value in place of what is there, and when `create`, also where nothing is.
    Set {
        value: &'a Jsonb,
        create: bool,
    },
    Insert {
        value: &'a Jsonb,
        position: InsertPosition,
    },
    /// Subscript assignment: builds what is missing on the way, and counts elements past the end as null.
    Assign {
        value: &'a Jsonb,
    },
}

impl<'a> Change<'a> {
    /// The value that is put where the path leads to nothing.
    fn created(self) -> Option<&'a Jsonb> {
        match self {
            Change::Set { value, create: true } | Change::Insert { value, .. } | Change::Assign { value } => Some(value),
            Change::Set { create: false, .. } | Change::Delete => None,
        }
    }
}

fn invalid_parameter(message: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

impl Jsonb {
    /// `||`: objects merge, arrays are joined, and anything else is first made an array.
    #[must_use]
    pub fn concat(&self, other: &Jsonb) -> Jsonb {
        if let (Jsonb::Object(left), Jsonb::Object(right)) = (self, other) {
            return Jsonb::object(left.iter().chain(right.iter()).cloned().collect());
        }
        let elements = |value: &Jsonb| match value {
            Jsonb::Array(elements) => elements.to_vec(),
            other => vec![other.clone()],
        };
        let mut joined = elements(self);
        joined.extend(elements(other));
        Jsonb::array(joined)
    }

    /// `- key`: without the members, or the string elements, that are one of `keys`.
    pub fn delete_keys<'a>(&self, keys: impl IntoIterator<Item = &'a str> + Clone) -> Result<Jsonb> {
        let is_one = |text: &str| keys.clone().into_iter().any(|key| key == text);
        match self {
            Jsonb::Object(members) => {
                Ok(Jsonb::Object(members.iter().filter(|(key, _)| !is_one(key)).cloned().collect::<Vec<_>>().into()))
            }
            Jsonb::Array(elements) => {
                let keep = |element: &&Jsonb| !matches!(element, Jsonb::String(text) if is_one(text));
                Ok(Jsonb::array(elements.iter().filter(keep).cloned().collect()))
            }
            _ => Err(invalid_parameter("cannot delete from scalar")),
        }
    }

    /// `- index`: without the element of an array at `index`, from the end when negative.
    pub fn delete_element(&self, index: i32) -> Result<Jsonb> {
        match self {
            Jsonb::Object(_) => Err(invalid_parameter("cannot delete from object using integer index")),
            Jsonb::Array(elements) => {
                let mut kept = elements.to_vec();
                let at = match index {
                    0.. => Some(index as usize),
                    _ => kept.len().checked_sub(index.unsigned_abs() as usize),
                };
                if let Some(at) = at.filter(|at| *at < kept.len()) {
                    kept.remove(at);
                }
                Ok(Jsonb::array(kept))
            }
            _ => Err(invalid_parameter("cannot delete from scalar")),
        }
    }

    /// `#-`: without what the path leads to. A None in a path is an SQL NULL, an error when it is reached.
    pub fn delete_path(&self, path: &[Option<&str>]) -> Result<Jsonb> {
        if self.is_scalar() {
            return Err(invalid_parameter("cannot delete path in scalar"));
        }
        self.change_at(path, Change::Delete)
    }

    /// `jsonb_set(target, path, value, create_if_missing)`.
    pub fn set_path(&self, path: &[Option<&str>], value: &Jsonb, create: bool) -> Result<Jsonb> {
        if self.is_scalar() {
            return Err(invalid_parameter("cannot set path in scalar"));
        }
        self.change_at(path, Change::Set { value, create })
    }

    /// `jsonb_insert(target, path, value, insert_after)`.
    pub fn insert_path(&self, path: &[Option<&str>], value: &Jsonb, position: InsertPosition) -> Result<Jsonb> {
        if self.is_scalar() {
            return Err(invalid_parameter("cannot set path in scalar"));
        }
        self.change_at(path, Change::Insert { value, position })
    }

    /// `target[a][b] = value`: as [`Jsonb::set_path`], but missing containers on the way are built (arrays for integers), and
    /// arrays are filled with nulls up to the element.
    pub fn assign_path(&self, path: &[Option<&str>], value: &Jsonb) -> Result<Jsonb> {
        self.change_at(path, Change::Assign { value })
    }

    /// `jsonb_strip_nulls`: without the members whose value is null, at every depth.
    #[must_use]
    pub fn strip_nulls(&self) -> Jsonb {
        match self {
            Jsonb::Array(elements) => deep(|| Jsonb::array(elements.iter().map(Jsonb::strip_nulls).collect())),
            Jsonb::Object(members) => deep(|| {
                let kept = members.iter().filter(|(_, value)| !matches!(value, Jsonb::Null));
                Jsonb::Object(kept.map(|(key, value)| (key.clone(), value.strip_nulls())).collect::<Vec<_>>().into())
            }),
            scalar => scalar.clone(),
        }
    }

    fn change_at(&self, path: &[Option<&str>], change: Change) -> Result<Jsonb> {
        if path.is_empty() || (change.created().is_none() && self.is_empty_container()) {
            return Ok(self.clone());
        }
        change_nested(self, path, 0, change)
    }

    fn is_empty_container(&self) -> bool {
        match self {
            Jsonb::Array(elements) => elements.is_empty(),
            Jsonb::Object(members) => members.is_empty(),
            _ => false,
        }
    }
}

/// The value with the change made at the end of `path`, of which `level` steps are behind.
fn change_nested(value: &Jsonb, path: &[Option<&str>], level: usize, change: Change) -> Result<Jsonb> {
    let Some(step) = path.get(level) else { return Ok(value.clone()) };
    let Some(step) = step else {
        let message = format!("path element at position {} is null", level + 1);
        return Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
    };
    match value {
        Jsonb::Object(members) => deep(|| change_member(members, step, path, level, change)),
        Jsonb::Array(elements) => deep(|| change_element(elements, step, path, level, change)),
        _ if matches!(change, Change::Assign { .. }) => Err(invalid_parameter("cannot replace existing key")
            .detail("The path assumes key is a composite object, but it is a scalar value.")),
        scalar => Ok(scalar.clone()),
    }
}

/// What assignment puts where a path, of which the first `level` steps exist, leads to nothing.
fn build_path(path: &[Option<&str>], level: usize, value: &Jsonb) -> Result<Jsonb> {
    let Some(Some(step)) = path.get(level) else { return Ok(value.clone()) };
    let inner = deep(|| build_path(path, level + 1, value))?;
    Ok(match parse_path_index(step) {
        Some(index) => {
            let mut elements = vec![Jsonb::Null; check_index(index.max(0) as usize)?];
            elements.push(inner);
            Jsonb::array(elements)
        }
        None => Jsonb::object(vec![(Arc::from(*step), inner)]),
    })
}

fn change_member(members: &[Member], key: &str, path: &[Option<&str>], level: usize, change: Change) -> Result<Jsonb> {
    let last = level + 1 == path.len();
    let mut changed = members.to_vec();
    match members.iter().position(|(other, _)| other.as_ref() == key) {
        Some(at) if last => match change {
            Change::Delete => {
                changed.remove(at);
            }
            Change::Set { value, .. } | Change::Assign { value } => changed[at].1 = value.clone(),
            Change::Insert { .. } => {
                return Err(invalid_parameter("cannot replace existing key")
                    .hint("Try using the function jsonb_set to replace key value."));
            }
        },
        Some(at) => changed[at].1 = change_nested(&members[at].1, path, level + 1, change)?,
        None => {
            let assigned = matches!(change, Change::Assign { .. });
            if let Some(value) = change.created().filter(|_| last || assigned) {
                changed.push((Arc::from(key), build_path(path, level + 1, value)?));
                return Ok(Jsonb::object(changed));
            }
        }
    }
    Ok(Jsonb::Object(changed.into()))
}

fn change_element(elements: &[Jsonb], step: &str, path: &[Option<&str>], level: usize, change: Change) -> Result<Jsonb> {
    let Some(index) = parse_path_index(step) else {
        let message = format!("path element at position {} is not an integer: \"{step}\"", level + 1);
        return Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message));
    };
    let last = level + 1 == path.len();
    if let Change::Assign { value } = change {
        return assign_element(elements, index, path, level, value);
    }
    let mut changed = elements.to_vec();
    // A negative index that reaches past the beginning is None.
    let at = match index {
        0.. => Some((index as usize).min(elements.len())),
        _ => elements.len().checked_sub(index.unsigned_abs() as usize),
    };
    match at.filter(|at| *at < elements.len()) {
        Some(at) if last => match change {
            Change::Delete => {
                changed.remove(at);
            }
            Change::Set { value, .. } | Change::Assign { value } => changed[at] = value.clone(),
            Change::Insert { value, position } => {
                changed.insert(at + usize::from(position == InsertPosition::After), value.clone());
            }
        },
        Some(at) => changed[at] = change_nested(&elements[at], path, level + 1, change)?,
        None => {
            if let Some(value) = change.created().filter(|_| last) {
                changed.insert(at.unwrap_or(0), value.clone());
            }
        }
    }
    Ok(Jsonb::array(changed))
}

/// Error: 54000 for an element that no array reaches.
fn check_index(at: usize) -> Result<usize> {
    if at < MAX_ELEMENTS {
        return Ok(at);
    }
    let message = format!("number of jsonb array elements exceeds the maximum allowed ({MAX_ELEMENTS})");
    Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message))
}

fn assign_element(elements: &[Jsonb], index: i32, path: &[Option<&str>], level: usize, value: &Jsonb) -> Result<Jsonb> {
    let at = match index {
        0.. => index as usize,
        _ => elements
            .len()
            .checked_sub(index.unsigned_abs() as usize)
            .ok_or_else(|| invalid_parameter(&format!("path element at position {} is out of range: {index}", level + 1)))?,
    };
    check_index(at)?;
    let mut changed = elements.to_vec();
    let assigned = match elements.get(at) {
        Some(_) if level + 1 == path.len() => value.clone(),
        Some(element) => change_nested(element, path, level + 1, Change::Assign { value })?,
        None => build_path(path, level + 1, value)?,
    };
    if at >= changed.len() {
        changed.resize(at + 1, Jsonb::Null);
    }
    changed[at] = assigned;
    Ok(Jsonb::array(changed))
}
