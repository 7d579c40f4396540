//! Names PostgreSQL makes up: constraints, indexes, sequences, array types.

use std::sync::Arc;

use catalog::{Catalog, UserType, UserTypeKind};
use types::Oid;

/// Identifiers are cut to 63 bytes.
const NAME_LIMIT: usize = 63;

/// `first_second_label`, the longer of the first two parts shortened until it fits (makeObjectName).
pub(crate) fn object_name(first: &str, second: Option<&str>, label: &str) -> String {
    let overhead = label.len() + usize::from(!label.is_empty()) + usize::from(second.is_some());
    let available = NAME_LIMIT.saturating_sub(overhead);
    let (mut first_length, mut second_length) = (first.len(), second.map_or(0, str::len));
    while first_length + second_length > available {
        if first_length > second_length { first_length -= 1 } else { second_length -= 1 }
    }
    let mut name = clip(first, first_length).to_owned();
    if let Some(second) = second {
        name.push('_');
        name.push_str(clip(second, second_length));
    }
    if !label.is_empty() {
        name.push('_');
        name.push_str(label);
    }
    name
}

/// The first bytes of a text, at most this many, whole characters only.
fn clip(text: &str, length: usize) -> &str {
    let mut end = length.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A name of a relation that is free in the schema (ChooseRelationName).
pub(crate) fn free_relation_name(
    catalog: &Catalog,
    schema: Oid,
    first: &str,
    second: Option<&str>,
    label: &str,
    taken: &[String],
) -> String {
    numbered(|suffix| {
        let name = object_name(first, second, &format!("{label}{suffix}"));
        let free = catalog.relation_named(schema, &name).is_none() && !taken.contains(&name);
        free.then_some(name)
    })
}

/// A name of a constraint that is free among these (ChooseConstraintName).
pub(crate) fn free_constraint_name(taken: &dyn Fn(&str) -> bool, first: &str, second: Option<&str>, label: &str) -> String {
    numbered(|suffix| {
        let name = object_name(first, second, &format!("{label}{suffix}"));
        (!taken(&name)).then_some(name)
    })
}

/// The first name that suits, trying the suffixes "", "1", "2", ...
fn numbered(mut candidate: impl FnMut(&str) -> Option<String>) -> String {
    let mut number = 0_u64;
    loop {
        let suffix = if number == 0 { String::new() } else { number.to_string() };
        if let Some(name) = candidate(&suffix) {
            return name;
        }
        number += 1;
    }
}

/// `_name`, with more underscores until it is free (makeArrayTypeName).
pub(crate) fn array_type_name(catalog: &Catalog, schema: Oid, element: &str) -> String {
    let mut underscores = 1;
    loop {
        let name = format!("{}{}", "_".repeat(underscores), clip(element, NAME_LIMIT - underscores));
        if catalog.user_type_named(schema, &name).is_none() {
            return name;
        }
        underscores += 1;
    }
}

/// The array type of this name that stands in the way of a new type, and that another name can be given to.
pub(crate) fn movable_array_type(catalog: &Catalog, schema: Oid, name: &str) -> Option<Arc<UserType>> {
    let ty = catalog.user_type_named(schema, name)?;
    let UserTypeKind::Array { element } = &ty.kind else { return None };
    catalog.user_type(element.oid).is_some_and(|element| element.array_type == ty.oid).then(|| ty.clone())
}

/// Gives another name to an array type that stands in the way of a new type (moveArrayTypeName).
pub(crate) fn move_array_type(catalog: &mut Catalog, schema: Oid, name: &str) {
    let Some(ty) = movable_array_type(catalog, schema, name) else { return };
    let UserTypeKind::Array { element } = &ty.kind else { return };
    let Some(element) = catalog.user_type(element.oid).map(|element| element.name.clone()) else { return };
    let moved = array_type_name(catalog, schema, &element);
    catalog.put_type(UserType { name: moved.into(), ..UserType::clone(&ty) });
}

/// The part of an index's name made from its columns: joined by underscores (ChooseIndexNameAddition).
pub(crate) fn index_name_addition(columns: &[String]) -> String {
    let mut addition = String::new();
    for column in columns {
        if !addition.is_empty() {
            addition.push('_');
        }
        addition.push_str(column);
        if addition.len() >= NAME_LIMIT {
            break;
        }
    }
    clip(&addition, NAME_LIMIT).to_owned()
}

#[cfg(test)]
mod tests {
    use super::object_name;

    #[test]
    fn long_names_lose_from_the_longer_part() {
        assert_eq!(object_name("t", None, "pkey"), "t_pkey");
        assert_eq!(object_name("t", Some("id"), "seq"), "t_id_seq");
        let name = object_name(&"a".repeat(60), Some("column"), "seq");
        assert_eq!(name.len(), 63);
        assert!(name.ends_with("_column_seq"));
    }
}
