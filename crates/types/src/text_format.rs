//! Text input and output of every type (PostgreSQL's `typinput` and `typoutput`).

use std::sync::Arc;

use crate::{Datum, EnumLabel, FormatSettings, Oid, Result, SqlType};

/// What input functions must ask the catalog: the shape of types made by users and the objects behind `reg*` names.
pub trait TypeResolver {
    /// The element type when `oid` is an array type.
    fn array_element(&self, oid: Oid) -> Option<SqlType>;
    /// The label of an enum type, or None when the type is not an enum.
    fn enum_label(&self, oid: Oid, label: &str) -> Option<Result<Arc<EnumLabel>>>;
    /// Names and types of a composite type's attributes.
    fn composite_fields(&self, oid: Oid) -> Option<(Arc<[Arc<str>]>, Arc<[SqlType]>)>;
    /// The object that a `reg*` text names ("pg_class", "public.t", "int4"), already known not to be a number.
    fn reg_object(&self, reg_type: Oid, name: &str) -> Result<Oid>;
    /// The name that a `reg*` value prints as; None when no such object exists (it then prints as a number).
    fn reg_name(&self, reg_type: Oid, oid: Oid) -> Option<String>;
    /// The type's name as error messages print it (format_type).
    fn type_name(&self, ty: SqlType) -> String;
}

/// Appends the text form of a value of type `ty`. NULL is the caller's to print.
pub fn datum_to_text(_datum: &Datum, _ty: SqlType, _settings: &FormatSettings, _resolver: &dyn TypeResolver, _out: &mut String) {
    unreachable!("written by the text format module")
}

/// Reads a value of type `ty` from its text form.
///
/// Errors: 22P02, 22003, 22007, 22008 and the like, with PostgreSQL's message. The type modifier is NOT applied here: a cast does that.
pub fn datum_from_text(_text: &str, _ty: SqlType, _settings: &FormatSettings, _resolver: &dyn TypeResolver) -> Result<Datum> {
    unreachable!("written by the text format module")
}
