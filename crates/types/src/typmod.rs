//! Fitting a value to its type's modifier: `varchar(3)`, `numeric(5,2)`, `bit(8)`, `timestamp(0)`.
//!
//! Assignment refuses what does not fit; an explicit cast cuts it. Numbers and times are rounded either way.

use std::sync::Arc;

use crate::{Array, BitString, Datum, Error, Numeric, Oid, Result, SqlState, SqlType};

/// The length word that PostgreSQL adds to the modifiers of char and varchar.
const LENGTH_OFFSET: i32 = 4;

/// The value as a column of type `ty` holds it. Arrays are fitted element by element, with the modifier of the array's type.
///
/// Errors: 22001, 22003, 22008, 22026.
pub fn apply_typmod(datum: Datum, ty: SqlType, explicit: bool) -> Result<Datum> {
    if ty.typmod < 0 {
        return Ok(datum);
    }
    Ok(match datum {
        Datum::Text(text) => match ty.oid {
            Oid::VARCHAR => Datum::Text(fit_varchar(text, ty.typmod, explicit)?),
            Oid::BPCHAR => Datum::Text(fit_char(text, ty.typmod, explicit)?),
            _ => Datum::Text(text),
        },
        Datum::Numeric(number) => match Numeric::typmod_parts(ty.typmod) {
            Some((precision, scale)) => Datum::Numeric(number.apply_typmod(precision, scale)?),
            None => Datum::Numeric(number),
        },
        Datum::Bit(bits) => Datum::Bit(fit_bits(bits, ty, explicit)?),
        Datum::Time(time) => Datum::Time(time.apply_typmod(ty.typmod)),
        Datum::TimeTz(time) => Datum::TimeTz(time.apply_typmod(ty.typmod)),
        Datum::Timestamp(time) => Datum::Timestamp(time.apply_typmod(ty.typmod)?),
        Datum::TimestampTz(time) => Datum::TimestampTz(time.apply_typmod(ty.typmod)?),
        Datum::Interval(interval) => Datum::Interval(interval.apply_typmod(ty.typmod)?),
        Datum::Array(array) => Datum::Array(fit_array(&array, ty.typmod, explicit)?),
        other => other,
    })
}

fn fit_array(array: &Array, typmod: i32, explicit: bool) -> Result<Arc<Array>> {
    let element_type = array.element_type.with_typmod(typmod);
    let fitted: Result<Vec<Datum>> =
        array.elements.iter().map(|element| apply_typmod(element.clone(), element_type, explicit)).collect();
    let (element_type, dimensions) = (array.element_type, array.dimensions.clone());
    Ok(Arc::new(Array { element_type, dimensions, elements: fitted? }))
}

/// The first `limit` characters. What is cut off must be blanks, unless the cast is explicit.
fn cut<'a>(text: &'a str, limit: usize, explicit: bool, type_name: &str) -> Result<&'a str> {
    if text.len() <= limit {
        return Ok(text);
    }
    let Some((end, _)) = text.char_indices().nth(limit) else { return Ok(text) };
    if !explicit && text[end..].bytes().any(|byte| byte != b' ') {
        let message = format!("value too long for type {type_name}({limit})");
        return Err(Error::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, message));
    }
    Ok(&text[..end])
}

/// Whether a string type stores a text just as it is, neither padded nor cut; may say no when unsure.
pub fn fits_as_is(text: &str, ty: SqlType) -> bool {
    let limit = (ty.typmod - LENGTH_OFFSET).max(0) as usize;
    match ty.oid {
        Oid::TEXT => true,
        Oid::VARCHAR => ty.typmod < 0 || text.len() <= limit,
        Oid::BPCHAR => ty.typmod < 0 || (text.len() == limit && text.is_ascii()),
        _ => false,
    }
}

fn fit_varchar(text: Arc<str>, typmod: i32, explicit: bool) -> Result<Arc<str>> {
    let limit = (typmod - LENGTH_OFFSET).max(0) as usize;
    let fitted = cut(&text, limit, explicit, "character varying")?;
    if fitted.len() == text.len() { Ok(text) } else { Ok(fitted.into()) }
}

fn fit_char(text: Arc<str>, typmod: i32, explicit: bool) -> Result<Arc<str>> {
    let limit = (typmod - LENGTH_OFFSET).max(0) as usize;
    let fitted = cut(&text, limit, explicit, "character")?;
    let missing = limit.saturating_sub(fitted.chars().count());
    if missing == 0 && fitted.len() == text.len() {
        return Ok(text);
    }
    let mut padded = String::with_capacity(fitted.len() + missing);
    padded.push_str(fitted);
    padded.extend(std::iter::repeat_n(' ', missing));
    Ok(padded.into())
}

fn fit_bits(bits: Arc<BitString>, ty: SqlType, explicit: bool) -> Result<Arc<BitString>> {
    let limit = ty.typmod as usize;
    if ty.oid == Oid::VARBIT {
        if bits.len() <= limit {
            return Ok(bits);
        }
        if !explicit {
            let message = format!("bit string too long for type bit varying({limit})");
            return Err(Error::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, message));
        }
    } else if bits.len() == limit {
        return Ok(bits);
    } else if !explicit {
        let message = format!("bit string length {} does not match type bit({limit})", bits.len());
        return Err(Error::new(SqlState::STRING_DATA_LENGTH_MISMATCH, message));
    }
    Ok(Arc::new(BitString::new(limit as u32, bits.bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(datum: Datum, ty: SqlType, explicit: bool) -> String {
        match apply_typmod(datum, ty, explicit) {
            Ok(Datum::Text(text)) => text.to_string(),
            Ok(Datum::Numeric(number)) => number.to_string(),
            Ok(Datum::Bit(bits)) => bits.bits().map(|bit| if bit { '1' } else { '0' }).collect(),
            Ok(other) => format!("{other:?}"),
            Err(error) => format!("{:?} {}", error.sqlstate(), error.message()),
        }
    }

    #[test]
    fn strings() {
        let varchar = SqlType::VARCHAR.with_typmod(3 + 4);
        let bpchar = SqlType::BPCHAR.with_typmod(3 + 4);
        assert_eq!(fit(Datum::text("éèà"), varchar, false), "éèà");
        assert_eq!(fit(Datum::text("abc  "), varchar, false), "abc");
        assert_eq!(fit(Datum::text("abcd"), varchar, false), "22001 value too long for type character varying(3)");
        assert_eq!(fit(Datum::text("abcd"), varchar, true), "abc");
        assert_eq!(fit(Datum::text("é"), bpchar, false), "é  ");
        assert_eq!(fit(Datum::text("abcd"), bpchar, false), "22001 value too long for type character(3)");
    }

    #[test]
    fn bits_and_numbers() {
        let bits = |text| Datum::Bit(Arc::new(BitString::parse(text).expect("bits")));
        assert_eq!(fit(bits("101"), SqlType::BIT.with_typmod(4), false), "22026 bit string length 3 does not match type bit(4)");
        assert_eq!(fit(bits("101"), SqlType::BIT.with_typmod(4), true), "1010");
        assert_eq!(fit(bits("1011"), SqlType::BIT.with_typmod(2), true), "10");
        assert_eq!(fit(bits("101"), SqlType::VARBIT.with_typmod(2), false), "22001 bit string too long for type bit varying(2)");
        let number = Datum::Numeric(Numeric::parse("1.005").expect("a number"));
        assert_eq!(fit(number, SqlType::NUMERIC.with_typmod(Numeric::typmod(4, 2)), false), "1.01");
    }
}
