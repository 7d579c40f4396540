//! Binary input of the types that are not made of others.

use std::sync::Arc;

use super::{malformed, reader::Reader, receive_nested};
use crate::{
    BitString, Date, Datum, Error, Interval, Jsonb, Numeric, Oid, Physical, Result, SqlState, SqlType, Time, TimeTz, Timestamp,
    TimestampTz, numeric::Base10000, text_format::TypeResolver,
};

/// Longest zone displacement, exclusive.
const ZONE_LIMIT_SECONDS: i32 = 16 * 3600;
const FIRST_DATE: i32 = -2_451_545;
const LAST_DATE: i32 = 2_145_031_948;
const FIRST_TIMESTAMP: i64 = -211_813_488_000_000_000;
const END_TIMESTAMP: i64 = 9_223_371_331_200_000_000;
const DAY_US: i64 = 86_400_000_000;

/// Reads one value of type `ty`; text-like types take all that is left.
pub(super) fn receive(reader: &mut Reader, ty: SqlType, resolver: &dyn TypeResolver) -> Result<Datum> {
    Ok(match ty.physical {
        Physical::Bool => Datum::Bool(reader.byte()? != 0),
        Physical::Int2 => Datum::Int2(reader.i16()?),
        Physical::Int4 => Datum::Int4(reader.i32()?),
        Physical::Int8 if matches!(ty.oid, Oid::XID8 | Oid::PG_LSN) => {
            Datum::Int8(crate::unsigned::to_stored(reader.i64()?.cast_unsigned()))
        }
        Physical::Int8 => Datum::Int8(reader.i64()?),
        Physical::Float4 => Datum::Float4(f32::from_bits(reader.u32()?)),
        Physical::Float8 => Datum::Float8(f64::from_bits(reader.i64()? as u64)),
        Physical::Oid => Datum::Oid(Oid(reader.u32()?)),
        Physical::Numeric => Datum::Numeric(receive_numeric(reader)?),
        Physical::Text => receive_string(reader, ty.oid)?,
        Physical::Bytes => Datum::bytes(reader.take_rest()),
        Physical::Date => Datum::Date(receive_date(reader)?),
        Physical::Time => Datum::Time(Time(receive_time(reader)?)),
        Physical::TimeTz => receive_timetz(reader)?,
        Physical::Timestamp => Datum::Timestamp(Timestamp(receive_timestamp(reader)?)),
        Physical::TimestampTz => Datum::TimestampTz(TimestampTz(receive_timestamp(reader)?)),
        Physical::Interval => {
            Datum::Interval(Interval { microseconds: reader.i64()?, days: reader.i32()?, months: reader.i32()? })
        }
        Physical::Uuid => Datum::Uuid(reader.uuid()?),
        Physical::Any => receive_any(reader, ty, resolver)?,
    })
}

fn receive_any(reader: &mut Reader, ty: SqlType, resolver: &dyn TypeResolver) -> Result<Datum> {
    match ty.oid {
        Oid::JSONB => return receive_jsonb(reader),
        Oid::BIT | Oid::VARBIT => return receive_bits(reader),
        Oid::INT2VECTOR => return receive_nested::receive_vector(reader, SqlType::INT2, "int2vector", resolver),
        Oid::OIDVECTOR => return receive_nested::receive_vector(reader, SqlType::OID, "oidvector", resolver),
        Oid::VOID => return Ok(Datum::text("")),
        Oid::RECORD => {
            let message = "input of anonymous composite types is not implemented";
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        _ => {}
    }
    if let Some(element_type) = resolver.array_element(ty.oid) {
        return receive_nested::receive_array(reader, element_type, resolver);
    }
    if let Some((names, types)) = resolver.composite_fields(ty.oid) {
        return receive_nested::receive_record(reader, ty.oid, names, types, resolver);
    }
    // Enums are sent as their labels. Whether the type is one is asked first, so that other types keep their bytes unread.
    if resolver.enum_label(ty.oid, "").is_some() {
        let label = receive_text(reader)?;
        if let Some(label) = resolver.enum_label(ty.oid, label) {
            return label.map(Datum::Enum);
        }
    }
    let message = format!("no binary input function available for type {}", resolver.type_name(ty));
    Err(Error::new(SqlState::UNDEFINED_FUNCTION, message))
}

/// The rest of the message as text. Error: 22021.
fn receive_text<'a>(reader: &mut Reader<'a>) -> Result<&'a str> {
    let bytes = reader.take_rest();
    let nul = bytes.iter().position(|byte| *byte == 0);
    let invalid = match (std::str::from_utf8(bytes), nul) {
        (Ok(text), None) => return Ok(text),
        (Ok(_), Some(at)) => at,
        (Err(error), nul) => error.valid_up_to().min(nul.unwrap_or(usize::MAX)),
    };
    Err(invalid_encoding(&bytes[invalid..]))
}

/// 22021 of text whose first bytes are no character.
fn invalid_encoding(bytes: &[u8]) -> Error {
    let expected = match bytes.first() {
        Some(0xC0..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF7) => 4,
        _ => 1,
    };
    let shown: Vec<String> = bytes.iter().take(expected).map(|byte| format!("0x{byte:02x}")).collect();
    let message = format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" "));
    Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
}

fn receive_string(reader: &mut Reader, oid: Oid) -> Result<Datum> {
    match oid {
        Oid::CHAR => {
            return Ok(match reader.byte()? {
                0 => Datum::text(""),
                byte => Datum::text(char::from(byte).encode_utf8(&mut [0; 4])),
            });
        }
        Oid::TID => return Ok(Datum::Text(format!("({},{})", reader.u32()?, reader.u16()?).into())),
        Oid::XML => return Err(Error::unsupported("type xml")),
        Oid::PG_NODE_TREE | Oid::ACLITEM => {
            let name = if oid == Oid::ACLITEM { "aclitem" } else { "pg_node_tree" };
            let message = format!("cannot accept a value of type {name}");
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        _ => {}
    }
    let text = receive_text(reader)?;
    match oid {
        Oid::JSON => crate::json::validate(text)?,
        Oid::NAME if text.len() > 63 => {
            return Err(
                Error::new(SqlState::NAME_TOO_LONG, "identifier too long").detail("Identifier must be less than 64 characters.")
            );
        }
        _ => {}
    }
    Ok(Datum::text(text))
}

fn receive_numeric(reader: &mut Reader) -> Result<Numeric> {
    let count = reader.u16()?;
    let (weight, sign, scale) = (reader.i16()?, reader.u16()?, reader.u16()?);
    if !Base10000::is_sign(sign) {
        return Err(malformed("invalid sign in external \"numeric\" value"));
    }
    if scale > 0x3FFF {
        return Err(malformed("invalid scale in external \"numeric\" value"));
    }
    let mut digits = Vec::with_capacity(usize::from(count).min(reader.remaining() / 2));
    for _ in 0..count {
        match reader.u16()? {
            digit @ 0..10_000 => digits.push(digit),
            _ => return Err(malformed("invalid digit in external \"numeric\" value")),
        }
    }
    Numeric::from_base_10000(&Base10000 { weight, sign, scale, digits })
}

fn out_of_range(what: &str) -> Error {
    Error::new(SqlState::DATETIME_VALUE_OUT_OF_RANGE, format!("{what} out of range"))
}

fn receive_date(reader: &mut Reader) -> Result<Date> {
    match reader.i32()? {
        days @ (i32::MIN | i32::MAX | FIRST_DATE..=LAST_DATE) => Ok(Date(days)),
        _ => Err(out_of_range("date")),
    }
}

fn receive_time(reader: &mut Reader) -> Result<i64> {
    match reader.i64()? {
        time_us @ 0..=DAY_US => Ok(time_us),
        _ => Err(out_of_range("time")),
    }
}

fn receive_timetz(reader: &mut Reader) -> Result<Datum> {
    let time_us = receive_time(reader)?;
    let zone_seconds_west = reader.i32()?;
    if zone_seconds_west <= -ZONE_LIMIT_SECONDS || zone_seconds_west >= ZONE_LIMIT_SECONDS {
        let message = "time zone displacement out of range";
        return Err(Error::new(SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE, message));
    }
    Ok(Datum::TimeTz(TimeTz { time_us, zone_seconds_west }))
}

fn receive_timestamp(reader: &mut Reader) -> Result<i64> {
    match reader.i64()? {
        value @ (i64::MIN | i64::MAX | FIRST_TIMESTAMP..END_TIMESTAMP) => Ok(value),
        _ => Err(out_of_range("timestamp")),
    }
}

fn receive_jsonb(reader: &mut Reader) -> Result<Datum> {
    match reader.byte()? {
        1 => Jsonb::parse(receive_text(reader)?).map(|value| Datum::Jsonb(Arc::new(value))),
        version => Err(Error::internal(format!("unsupported jsonb version number {version}"))),
    }
}

fn receive_bits(reader: &mut Reader) -> Result<Datum> {
    let length = reader.i32()?;
    // As PostgreSQL: lengths near the largest integer cannot be rounded up to bytes.
    if !(0..=i32::MAX - 7).contains(&length) {
        return Err(malformed("invalid length in external bit string"));
    }
    let bytes = reader.take((length as usize).div_ceil(8))?;
    Ok(Datum::Bit(Arc::new(BitString::new(length as u32, bytes))))
}
