//! Text input and output of every type (PostgreSQL's `typinput` and `typoutput`).
//!
//! Printing follows the value itself; the type is asked only where several share a form (oid and regclass, bigint and money).
//! Reading follows the type. Types made by users, and the names behind `reg*` values, come from a [`TypeResolver`].

mod array;

pub use self::array::push_quoted as push_quoted_element;
mod bytea;
mod float;
mod integer;
mod money;
mod record;
mod scalar;

use std::sync::Arc;

use crate::{
    BitString, Date, Datum, EnumLabel, Error, FormatSettings, Interval, Jsonb, Numeric, Oid, Physical, Result, SqlState, SqlType,
    Time, TimeTz, Timestamp, TimestampTz, unsigned,
};

pub use bytea::{parse_bytea, print_bytea};
pub use float::{parse_f32, parse_f64, print_f32, print_f64};
pub use integer::{parse_i16, parse_i32, parse_i64, parse_oid};
pub use money::{parse_money, print_money};
pub use scalar::{parse_bool, parse_char, parse_uuid, print_char, print_uuid, truncate_name};

/// Names and types of a composite type's attributes, shared by all its values.
pub type CompositeFields = (Arc<[Arc<str>]>, Arc<[SqlType]>);

/// What input functions must ask the catalog: the shape of types made by users and the objects behind `reg*` names.
pub trait TypeResolver {
    /// The element type when `oid` is an array type.
    fn array_element(&self, oid: Oid) -> Option<SqlType>;
    /// The label of an enum type, or None when the type is not an enum.
    fn enum_label(&self, oid: Oid, label: &str) -> Option<Result<Arc<EnumLabel>>>;
    /// What a domain is over. Its constraints are for the caller to ask of the value.
    fn domain_base(&self, _oid: Oid) -> Option<SqlType> {
        None
    }
    /// Names and types of a composite type's attributes.
    fn composite_fields(&self, oid: Oid) -> Option<CompositeFields>;
    /// The object that a `reg*` text names ("pg_class", "public.t", "int4"), already known not to be a number.
    fn reg_object(&self, reg_type: Oid, name: &str) -> Result<Oid>;
    /// The name that a `reg*` value prints as; None when no such object exists (it then prints as a number).
    fn reg_name(&self, reg_type: Oid, oid: Oid) -> Option<String>;
    /// The type's name as error messages print it (format_type).
    fn type_name(&self, ty: SqlType) -> String;
}

/// Appends the text form of a value of type `ty`. NULL is the caller's to print; here it prints nothing.
pub fn datum_to_text(datum: &Datum, ty: SqlType, settings: &FormatSettings, resolver: &dyn TypeResolver, out: &mut String) {
    match datum {
        Datum::Null => {}
        Datum::Bool(value) => out.push(if *value { 't' } else { 'f' }),
        Datum::Int2(value) => out.push_str(itoa::Buffer::new().format(*value)),
        Datum::Int4(value) => out.push_str(itoa::Buffer::new().format(*value)),
        Datum::Int8(value) => match ty.oid {
            Oid::MONEY => print_money(*value, out),
            Oid::PG_LSN => scalar::print_lsn(unsigned::of_stored(*value), out),
            Oid::XID8 => out.push_str(itoa::Buffer::new().format(unsigned::of_stored(*value))),
            _ => out.push_str(itoa::Buffer::new().format(*value)),
        },
        Datum::Float4(value) => print_f32(*value, settings.extra_float_digits, out),
        Datum::Float8(value) => print_f64(*value, settings.extra_float_digits, out),
        Datum::Oid(value) => print_oid(*value, ty.oid, resolver, out),
        Datum::Numeric(value) => value.print(out),
        Datum::Text(value) if ty.oid == Oid::CHAR => scalar::print_char(value, out),
        Datum::Text(value) => out.push_str(value),
        Datum::Bytes(value) => print_bytea(value, settings.bytea_output, out),
        Datum::Date(value) => value.print(settings, out),
        Datum::Time(value) => value.print(settings, out),
        Datum::TimeTz(value) => value.print(settings, out),
        Datum::Timestamp(value) => value.print(settings, out),
        Datum::TimestampTz(value) => value.print(settings, out),
        Datum::Interval(value) => value.print(settings, out),
        Datum::Uuid(value) => print_uuid(value, out),
        Datum::Jsonb(value) => value.print(out),
        Datum::Bit(value) => value.print(out),
        Datum::Enum(value) => out.push_str(&value.label),
        Datum::Array(value) if matches!(ty.oid, Oid::INT2VECTOR | Oid::OIDVECTOR) => {
            array::print_vector(value, settings, resolver, out);
        }
        Datum::Array(value) => array::print_array(value, settings, resolver, out),
        Datum::Record(value) => record::print_record(value, settings, resolver, out),
    }
}

/// Reads a value of type `ty` from its text form.
///
/// Errors: 22P02, 22003, 22007, 22008 and the like, with PostgreSQL's message. The type modifier is NOT applied here: a cast does that. The
/// one exception is interval, whose modifier also says what a bare number counts.
pub fn datum_from_text(text: &str, ty: SqlType, settings: &FormatSettings, resolver: &dyn TypeResolver) -> Result<Datum> {
    match ty.physical {
        Physical::Bool => parse_bool(text).map(Datum::Bool),
        Physical::Int2 => parse_i16(text).map(Datum::Int2),
        Physical::Int4 => parse_i32(text).map(Datum::Int4),
        Physical::Int8 => match ty.oid {
            Oid::MONEY => parse_money(text).map(Datum::Int8),
            Oid::PG_LSN => scalar::parse_lsn(text).map(|value| Datum::Int8(unsigned::to_stored(value))),
            Oid::XID8 => Ok(Datum::Int8(unsigned::to_stored(integer::parse_c_unsigned(text)))),
            _ => parse_i64(text).map(Datum::Int8),
        },
        Physical::Float4 => parse_f32(text).map(Datum::Float4),
        Physical::Float8 => parse_f64(text).map(Datum::Float8),
        Physical::Oid => oid_from_text(text, ty.oid, resolver).map(Datum::Oid),
        Physical::Numeric => Numeric::parse(text).map(Datum::Numeric),
        Physical::Text => string_from_text(text, ty.oid),
        Physical::Bytes => parse_bytea(text).map(|bytes| Datum::Bytes(bytes.into())),
        Physical::Date => Date::parse(text, settings).map(Datum::Date),
        Physical::Time => Time::parse(text, settings).map(Datum::Time),
        Physical::TimeTz => TimeTz::parse(text, settings).map(Datum::TimeTz),
        Physical::Timestamp => Timestamp::parse(text, settings).map(Datum::Timestamp),
        Physical::TimestampTz => TimestampTz::parse(text, settings).map(Datum::TimestampTz),
        Physical::Interval => Interval::parse_with_typmod(text, ty.typmod, settings).map(Datum::Interval),
        Physical::Uuid => parse_uuid(text).map(Datum::Uuid),
        Physical::Any => any_from_text(text, ty, settings, resolver),
    }
}

/// Types without a vector form of their own.
fn any_from_text(text: &str, ty: SqlType, settings: &FormatSettings, resolver: &dyn TypeResolver) -> Result<Datum> {
    match ty.oid {
        Oid::JSONB => return Jsonb::parse(text).map(|value| Datum::Jsonb(Arc::new(value))),
        Oid::BIT | Oid::VARBIT => return BitString::parse(text).map(|value| Datum::Bit(Arc::new(value))),
        Oid::INT2VECTOR | Oid::OIDVECTOR => return array::parse_vector(text, ty.oid),
        Oid::VOID => return Ok(Datum::text("")),
        Oid::RECORD => {
            let message = "input of anonymous composite types is not implemented";
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        _ => {}
    }
    if let Some(element_type) = resolver.array_element(ty.oid) {
        return array::parse_array(text, element_type, settings, resolver);
    }
    if let Some(label) = resolver.enum_label(ty.oid, text) {
        return label.map(Datum::Enum);
    }
    if let Some((names, types)) = resolver.composite_fields(ty.oid) {
        return record::parse_record(text, ty.oid, names, types, settings, resolver);
    }
    if let Some(base) = resolver.domain_base(ty.oid) {
        return crate::typmod::apply_typmod(datum_from_text(text, base, settings, resolver)?, base, false);
    }
    let message = format!("cannot accept a value of type {}", resolver.type_name(ty));
    Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message))
}

/// Types held as text.
fn string_from_text(text: &str, oid: Oid) -> Result<Datum> {
    match oid {
        Oid::JSON => crate::json::validate(text).map(|()| Datum::text(text)),
        Oid::NAME => Ok(Datum::text(truncate_name(text))),
        Oid::CHAR => Ok(Datum::Text(scalar::parse_char(text).into())),
        Oid::TID => scalar::parse_tid(text).map(|tid| Datum::Text(tid.into())),
        // Neither is checked or interpreted by anything, so nothing is taken for one.
        Oid::XML => Err(Error::unsupported("type xml")),
        Oid::ACLITEM => Err(Error::unsupported("input of type aclitem")),
        Oid::PG_NODE_TREE => Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "cannot accept a value of type pg_node_tree")),
        _ => Ok(Datum::text(text)),
    }
}

fn is_reg_type(oid: Oid) -> bool {
    matches!(
        oid,
        Oid::REGPROC
            | Oid::REGPROCEDURE
            | Oid::REGOPER
            | Oid::REGOPERATOR
            | Oid::REGCLASS
            | Oid::REGTYPE
            | Oid::REGCONFIG
            | Oid::REGDICTIONARY
            | Oid::REGNAMESPACE
            | Oid::REGROLE
            | Oid::REGCOLLATION
    )
}

fn print_oid(value: Oid, oid: Oid, resolver: &dyn TypeResolver, out: &mut String) {
    if is_reg_type(oid) {
        // regoper and regoperator print no operator as 0, the others no object as a dash.
        if value == Oid::INVALID {
            return out.push_str(if matches!(oid, Oid::REGOPER | Oid::REGOPERATOR) { "0" } else { "-" });
        }
        if let Some(name) = resolver.reg_name(oid, value) {
            return out.push_str(&name);
        }
    }
    out.push_str(itoa::Buffer::new().format(value.0));
}

fn oid_from_text(text: &str, oid: Oid, resolver: &dyn TypeResolver) -> Result<Oid> {
    match oid {
        Oid::XID | Oid::CID => Ok(Oid(integer::parse_c_unsigned(text) as u32)),
        _ if !is_reg_type(oid) => parse_oid(text),
        // As '0' for operators: a dash is an operator's name.
        _ if text == "-" && !matches!(oid, Oid::REGOPER | Oid::REGOPERATOR) => Ok(Oid::INVALID),
        _ if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => parse_oid(text),
        _ => resolver.reg_object(oid, text),
    }
}

/// 22P02: the text is not of the type's form.
fn invalid_syntax(type_name: &str, text: &str) -> Error {
    let message = format!("invalid input syntax for type {type_name}: \"{text}\"");
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
}

/// What C's `isspace` skips.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn trim_spaces(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_ascii() && is_space(character as u8))
}

#[cfg(test)]
pub(crate) mod tests;
