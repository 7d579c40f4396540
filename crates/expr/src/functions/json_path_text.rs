//! Subscripts of jsonb: reading what a path of keys leads to, and assigning to it.

use std::sync::Arc;

use types::{Datum, Error, Jsonb, Result, SqlState, json::parse_path_index};

pub fn fetch(json: &Jsonb, path: &[Arc<str>]) -> Result<Datum> {
    Ok(json.path(path.iter().map(|key| &**key)).map_or(Datum::Null, |found| Datum::Jsonb(Arc::new(found.clone()))))
}

/// `json[path] := value`; objects and arrays on the way are made where they are missing, gaps in arrays become null.
pub fn assign(old: Datum, path: &[Arc<str>], value: Datum) -> Result<Datum> {
    let value = match value {
        Datum::Jsonb(value) => (*value).clone(),
        _ => Jsonb::Null,
    };
    let old = match old {
        Datum::Jsonb(old) => Some((*old).clone()),
        _ => None,
    };
    Ok(Datum::Jsonb(Arc::new(put(old.as_ref(), path, value)?)))
}

fn put(old: Option<&Jsonb>, path: &[Arc<str>], value: Jsonb) -> Result<Jsonb> {
    let Some((key, rest)) = path.split_first() else { return Ok(value) };
    match old {
        Some(Jsonb::Object(members)) => {
            let inner = put(members.iter().find(|(name, _)| name == key).map(|(_, inner)| inner), rest, value)?;
            let mut members = members.to_vec();
            members.push((Arc::clone(key), inner));
            Ok(Jsonb::object(members))
        }
        Some(Jsonb::Array(elements)) => put_element(elements, key, rest, value),
        // Nothing there yet: an index makes an array, a key an object.
        None => match parse_path_index(key) {
            Some(_) => put_element(&[], key, rest, value),
            None => Ok(Jsonb::object(vec![(Arc::clone(key), put(None, rest, value)?)])),
        },
        Some(_) => Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "cannot replace existing key")
            .detail("The path assumes key is a composite object, but it is a scalar value.")),
    }
}

fn put_element(elements: &[Jsonb], key: &str, rest: &[Arc<str>], value: Jsonb) -> Result<Jsonb> {
    let Some(index) = parse_path_index(key) else {
        let message = format!("path element at position 1 is not an integer: \"{key}\"");
        return Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message));
    };
    let index = if index < 0 { index as i64 + elements.len() as i64 } else { index as i64 };
    if index < 0 {
        let message = format!("path element at position 1 is out of range: {key}");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    let index = index as usize;
    if index > super::array_subscript::MAX_ELEMENTS {
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "number of jsonb array elements exceeds the maximum allowed"));
    }
    let mut elements = elements.to_vec();
    let inner = put(elements.get(index), rest, value)?;
    if index >= elements.len() {
        elements.resize(index + 1, Jsonb::Null);
    }
    elements[index] = inner;
    Ok(Jsonb::array(elements))
}
