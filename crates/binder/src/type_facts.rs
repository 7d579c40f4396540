//! What PostgreSQL's type functions (lsyscache) answer about types, built in and users'.

use catalog::{UserTypeKind, builtin::builtins, type_names::Names};
use types::{Oid, SqlType, text_format::TypeResolver};

/// typcategory and typispreferred.
pub(crate) fn category(names: &Names, oid: Oid) -> (char, bool) {
    match builtins().type_by_oid(oid) {
        Some(ty) => (ty.category, ty.preferred),
        None => (names.type_category(oid), false),
    }
}

/// The type with domains looked through.
pub(crate) fn base(names: &Names, oid: Oid) -> Oid {
    if oid.0 < 12000 { oid } else { names.base_type(SqlType::of(oid)).oid }
}

/// The type of this identifier, physical form included.
pub(crate) fn sql_type(names: &Names, oid: Oid) -> SqlType {
    if oid.0 < 12000 { SqlType::of(oid) } else { names.sql_type(oid).unwrap_or_else(|| SqlType::of(oid)) }
}

/// The element type of a true array type.
pub(crate) fn element(names: &Names, oid: Oid) -> Option<SqlType> {
    names.array_element(oid)
}

/// The array type over an element type.
pub(crate) fn array(names: &Names, oid: Oid) -> Option<SqlType> {
    names.array_type(oid)
}

/// Whether it is an enum.
pub fn is_enum(names: &Names, oid: Oid) -> bool {
    matches!(names.catalog.user_type(oid).map(|ty| &ty.kind), Some(UserTypeKind::Enum(_)))
}

/// Whether values are rows of a named type (not the pseudo-type record).
pub(crate) fn is_composite(names: &Names, oid: Oid) -> bool {
    if let Some(ty) = builtins().type_by_oid(oid) {
        return ty.kind == 'c';
    }
    match names.catalog.user_type(oid).map(|ty| &ty.kind) {
        Some(UserTypeKind::Composite { .. }) => true,
        Some(_) => false,
        None => oid.0 > 10000 && names.composite_fields(oid).is_some(),
    }
}

/// Whether it is a range or a multirange.
pub(crate) fn is_range(oid: Oid) -> bool {
    builtins().type_by_oid(oid).is_some_and(|ty| ty.kind == 'r')
}

pub(crate) fn is_multirange(oid: Oid) -> bool {
    builtins().type_by_oid(oid).is_some_and(|ty| ty.kind == 'm')
}

/// Whether the type is a domain.
pub(crate) fn is_domain(names: &Names, oid: Oid) -> bool {
    oid.0 >= 12000 && names.domain_base(oid).is_some()
}

/// Whether values of the type can have a collation.
pub fn is_collatable(names: &Names, oid: Oid) -> bool {
    let oid = base(names, oid);
    match builtins().type_by_oid(oid) {
        Some(ty) => ty.collation != Oid::INVALID,
        None => match names.catalog.user_type(oid).map(|ty| &ty.kind) {
            Some(UserTypeKind::Array { element }) => is_collatable(names, element.oid),
            _ => false,
        },
    }
}

/// IsPolymorphicType
pub(crate) fn is_polymorphic(oid: Oid) -> bool {
    is_polymorphic_simple(oid) || is_polymorphic_compatible(oid)
}

/// The anyelement family.
pub(crate) fn is_polymorphic_simple(oid: Oid) -> bool {
    matches!(oid, Oid::ANYELEMENT | Oid::ANYARRAY | Oid::ANYNONARRAY | Oid::ANYENUM | Oid::ANYRANGE | Oid::ANYMULTIRANGE)
}

/// The anycompatible family.
pub(crate) fn is_polymorphic_compatible(oid: Oid) -> bool {
    matches!(
        oid,
        Oid::ANYCOMPATIBLE
            | Oid::ANYCOMPATIBLEARRAY
            | Oid::ANYCOMPATIBLENONARRAY
            | Oid::ANYCOMPATIBLERANGE
            | Oid::ANYCOMPATIBLEMULTIRANGE
    )
}

/// The type as messages print it.
pub(crate) fn printed(names: &Names, oid: Oid) -> String {
    names.format_type_oid(oid)
}

/// The subtype of a range or multirange type.
pub(crate) fn range_subtype(oid: Oid) -> Option<Oid> {
    range_facts().find(|(range, _, multirange)| *range == oid || *multirange == oid).map(|(_, subtype, _)| subtype)
}

pub(crate) fn range_of_multirange(oid: Oid) -> Option<Oid> {
    range_facts().find(|(_, _, multirange)| *multirange == oid).map(|(range, _, _)| range)
}

pub(crate) fn multirange_of_range(oid: Oid) -> Option<Oid> {
    range_facts().find(|(range, _, _)| *range == oid).map(|(_, _, multirange)| multirange)
}

/// pg_range: range, subtype, multirange.
fn range_facts() -> impl Iterator<Item = (Oid, Oid, Oid)> {
    [(3904, 23, 4451), (3906, 1700, 4532), (3908, 1114, 4533), (3910, 1184, 4534), (3912, 1082, 4535), (3926, 20, 4536)]
        .into_iter()
        .map(|(range, subtype, multirange)| (Oid(range), Oid(subtype), Oid(multirange)))
}
