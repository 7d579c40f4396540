//! Looking into `jsonb` values: members, elements, paths, containment and existence.

use super::{JsonKind, Jsonb, compare::compare_keys, deep};

/// The array index that a path element names, as C's `strtol` reads it; None when it names none.
pub fn parse_path_index(text: &str) -> Option<i32> {
    let digits = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// The element at `index`, counted from the end when negative.
pub(super) fn element_at<T>(elements: &[T], index: i32) -> Option<&T> {
    let index = if index < 0 { elements.len().checked_sub(index.unsigned_abs() as usize)? } else { index as usize };
    elements.get(index)
}

impl Jsonb {
    /// The value of a key of an object; None for anything but an object.
    pub fn field(&self, key: &str) -> Option<&Jsonb> {
        let Jsonb::Object(members) = self else { return None };
        let at = members.binary_search_by(|(other, _)| compare_keys(other, key)).ok()?;
        members.get(at).map(|(_, value)| value)
    }

    /// `-> index`: the element of an array, from the end when negative. A scalar is the one element of itself.
    pub fn element(&self, index: i32) -> Option<&Jsonb> {
        match self {
            Jsonb::Array(elements) => element_at(elements, index),
            Jsonb::Object(_) => None,
            scalar => matches!(index, 0 | -1).then_some(scalar),
        }
    }

    /// `#>`: what a path of keys and indexes leads to.
    pub fn path<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Jsonb> {
        let mut value = self;
        for step in path {
            value = match value {
                Jsonb::Object(_) => value.field(step)?,
                Jsonb::Array(_) => value.element(parse_path_index(step)?)?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// `?`: whether `key` is a key of the object, a string in the array, or the string itself.
    pub fn exists(&self, key: &str) -> bool {
        let is_key = |value: &Jsonb| matches!(value, Jsonb::String(text) if text.as_ref() == key);
        match self {
            Jsonb::Object(_) => self.field(key).is_some(),
            Jsonb::Array(elements) => elements.iter().any(is_key),
            scalar => is_key(scalar),
        }
    }

    /// `@>`: whether everything in `other` is found at the same place in this value.
    pub fn contains(&self, other: &Jsonb) -> bool {
        match (self, other) {
            // At the root, and only there, an array contains a scalar that is one of its elements.
            (Jsonb::Array(elements), scalar) if scalar.is_scalar() => elements.contains(scalar),
            _ => contains_nested(self, other),
        }
    }
}

fn contains_nested(whole: &Jsonb, part: &Jsonb) -> bool {
    match (whole, part) {
        (Jsonb::Object(members), Jsonb::Object(wanted)) => {
            wanted.len() <= members.len()
                && deep(|| wanted.iter().all(|(key, part)| whole.field(key).is_some_and(|value| contains_nested(value, part))))
        }
        (Jsonb::Array(elements), Jsonb::Array(wanted)) => deep(|| {
            wanted.iter().all(|part| match part.kind() {
                JsonKind::Array | JsonKind::Object => elements.iter().any(|element| contains_nested(element, part)),
                _ => elements.contains(part),
            })
        }),
        _ => whole.kind() == part.kind() && whole == part,
    }
}
