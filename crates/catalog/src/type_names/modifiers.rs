//! Type modifiers: `numeric(8,2)` to the integer PostgreSQL keeps in `atttypmod`, and back to text.

use types::{Error, Oid, Result, SqlState, SqlType};

/// Four bytes of header that PostgreSQL counts into the modifiers of variable-length types.
const HEADER: i32 = 4;
const LONGEST_STRING: i32 = 10 * 1024 * 1024;
const LONGEST_BITS: i32 = LONGEST_STRING * 8;
const MOST_FRACTIONAL_DIGITS: i32 = 6;

/// Interval fields, as the grammar hands them over and as the upper half of an interval's modifier holds them.
pub mod interval_fields {
    pub const MONTH: i32 = 1 << 1;
    pub const YEAR: i32 = 1 << 2;
    pub const DAY: i32 = 1 << 3;
    pub const HOUR: i32 = 1 << 10;
    pub const MINUTE: i32 = 1 << 11;
    pub const SECOND: i32 = 1 << 12;
    /// No restriction.
    pub const ALL: i32 = 0x7FFF;
    /// Lower half of the modifier: no precision given.
    pub const FULL_PRECISION: i32 = 0xFFFF;
}

/// The modifier that a type's parenthesised numbers stand for; -1 when there are none.
/// For intervals the first number is the set of [`interval_fields`], as the grammar gives it.
///
/// `written_name` is the type's name as error messages repeat it. Errors: 22023; 42601 when the type takes none.
pub fn modifier_in(ty: Oid, written_name: &str, numbers: &[i32]) -> Result<i32> {
    let invalid = |message: &str| Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    match (ty, numbers) {
        (_, []) => Ok(-1),
        (Oid::VARCHAR, &[length]) => length_modifier("varchar", length, LONGEST_STRING).map(|length| length + HEADER),
        (Oid::BPCHAR, &[length]) => length_modifier("char", length, LONGEST_STRING).map(|length| length + HEADER),
        (Oid::BIT, &[length]) => length_modifier("bit", length, LONGEST_BITS),
        (Oid::VARBIT, &[length]) => length_modifier("varbit", length, LONGEST_BITS),
        (Oid::VARCHAR | Oid::BPCHAR | Oid::BIT | Oid::VARBIT, _) => invalid("invalid type modifier"),
        (Oid::NUMERIC, &[precision]) => numeric_modifier(precision, 0),
        (Oid::NUMERIC, &[precision, scale]) => numeric_modifier(precision, scale),
        (Oid::NUMERIC, _) => invalid("invalid NUMERIC type modifier"),
        (Oid::TIME | Oid::TIMETZ | Oid::TIMESTAMP | Oid::TIMESTAMPTZ, &[precision]) => time_modifier(ty, precision),
        (Oid::TIME | Oid::TIMETZ | Oid::TIMESTAMP | Oid::TIMESTAMPTZ, _) => invalid("invalid type modifier"),
        (Oid::INTERVAL, _) => interval_modifier(numbers),
        _ => Err(Error::new(SqlState::SYNTAX_ERROR, format!("type modifier is not allowed for type \"{written_name}\""))),
    }
}

/// The WARNING that PostgreSQL gives when it reduces a precision to six digits.
pub fn precision_warning(ty: Oid, numbers: &[i32]) -> Option<Error> {
    let (name, precision) = match (ty, numbers) {
        (Oid::INTERVAL, &[_, precision]) => ("INTERVAL", precision),
        (_, &[precision]) => (time_type_word(ty)?, precision),
        _ => return None,
    };
    let zone = if matches!(ty, Oid::TIMETZ | Oid::TIMESTAMPTZ) { " WITH TIME ZONE" } else { "" };
    (precision > MOST_FRACTIONAL_DIGITS).then(|| {
        Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("{name}({precision}){zone} precision reduced to maximum allowed, {MOST_FRACTIONAL_DIGITS}"),
        )
    })
}

/// A type's modifier as it is printed after the type's name ("(8,2)", " year to month"); empty for -1.
/// Times and timestamps print theirs before "with time zone", which is the caller's business.
pub fn modifier_out(ty: SqlType) -> String {
    let typmod = ty.typmod;
    if typmod < 0 {
        return String::new();
    }
    match ty.oid {
        Oid::VARCHAR | Oid::BPCHAR if typmod > HEADER => format!("({})", typmod - HEADER),
        Oid::VARCHAR | Oid::BPCHAR => String::new(),
        Oid::NUMERIC if typmod >= HEADER => {
            let (precision, scale) = numeric_precision_and_scale(typmod);
            format!("({precision},{scale})")
        }
        Oid::NUMERIC => String::new(),
        Oid::INTERVAL => interval_modifier_out(typmod),
        _ => format!("({typmod})"),
    }
}

/// Precision and scale of a numeric's modifier, which must not be -1.
pub fn numeric_precision_and_scale(typmod: i32) -> (i32, i32) {
    let bits = typmod.wrapping_sub(HEADER);
    ((bits >> 16) & 0xFFFF, ((bits & 0x7FF) ^ 1024) - 1024)
}

fn length_modifier(name: &str, length: i32, longest: i32) -> Result<i32> {
    let invalid = |message| Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    match length {
        ..=0 => invalid(format!("length for type {name} must be at least 1")),
        _ if length > longest => invalid(format!("length for type {name} cannot exceed {longest}")),
        _ => Ok(length),
    }
}

fn numeric_modifier(precision: i32, scale: i32) -> Result<i32> {
    let invalid = |message| Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    if !(1..=1000).contains(&precision) {
        return invalid(format!("NUMERIC precision {precision} must be between 1 and 1000"));
    }
    if !(-1000..=1000).contains(&scale) {
        return invalid(format!("NUMERIC scale {scale} must be between -1000 and 1000"));
    }
    Ok(((precision << 16) | (scale & 0x7FF)) + HEADER)
}

fn time_type_word(ty: Oid) -> Option<&'static str> {
    match ty {
        Oid::TIME | Oid::TIMETZ => Some("TIME"),
        Oid::TIMESTAMP | Oid::TIMESTAMPTZ => Some("TIMESTAMP"),
        _ => None,
    }
}

fn time_modifier(ty: Oid, precision: i32) -> Result<i32> {
    if precision < 0 {
        let zone = if matches!(ty, Oid::TIMETZ | Oid::TIMESTAMPTZ) { " WITH TIME ZONE" } else { "" };
        let word = time_type_word(ty).unwrap_or("TIME");
        let message = format!("{word}({precision}){zone} precision must not be negative");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    Ok(precision.min(MOST_FRACTIONAL_DIGITS))
}

/// Field sets that SQL can name, with their text.
const INTERVAL_RANGES: [(i32, &str); 14] = {
    use interval_fields::*;
    [
        (YEAR, " year"),
        (MONTH, " month"),
        (DAY, " day"),
        (HOUR, " hour"),
        (MINUTE, " minute"),
        (SECOND, " second"),
        (YEAR | MONTH, " year to month"),
        (DAY | HOUR, " day to hour"),
        (DAY | HOUR | MINUTE, " day to minute"),
        (DAY | HOUR | MINUTE | SECOND, " day to second"),
        (HOUR | MINUTE, " hour to minute"),
        (HOUR | MINUTE | SECOND, " hour to second"),
        (MINUTE | SECOND, " minute to second"),
        (ALL, ""),
    ]
};

fn interval_modifier(numbers: &[i32]) -> Result<i32> {
    let invalid = |message: String| Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    let (fields, precision) = match *numbers {
        [fields] => (fields, None),
        [fields, precision] => (fields, Some(precision)),
        _ => return invalid("invalid INTERVAL type modifier".into()),
    };
    if !INTERVAL_RANGES.iter().any(|(range, _)| *range == fields) {
        return invalid("invalid INTERVAL type modifier".into());
    }
    match precision {
        None if fields == interval_fields::ALL => Ok(-1),
        None => Ok((fields << 16) | interval_fields::FULL_PRECISION),
        Some(precision) if precision < 0 => invalid(format!("INTERVAL({precision}) precision must not be negative")),
        Some(precision) => Ok((fields << 16) | precision.min(MOST_FRACTIONAL_DIGITS)),
    }
}

fn interval_modifier_out(typmod: i32) -> String {
    let (fields, precision) = (typmod >> 16 & 0x7FFF, typmod & 0xFFFF);
    let words = INTERVAL_RANGES.iter().find(|(range, _)| *range == fields).map_or("", |(_, words)| words);
    if precision == interval_fields::FULL_PRECISION { words.to_string() } else { format!("{words}({precision})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_are_postgresqls() {
        assert_eq!(modifier_in(Oid::VARCHAR, "varchar", &[10]).expect("valid"), 14);
        assert_eq!(modifier_in(Oid::NUMERIC, "numeric", &[8, 2]).expect("valid"), 524294);
        assert_eq!(modifier_in(Oid::INTERVAL, "interval", &[interval_fields::YEAR]).expect("valid"), 327679);
        assert_eq!(modifier_in(Oid::INTERVAL, "interval", &[interval_fields::ALL, 2]).expect("valid"), 2147418114);
        let negative_scale = modifier_in(Oid::NUMERIC, "numeric", &[5, -3]).expect("valid");
        assert_eq!(numeric_precision_and_scale(negative_scale), (5, -3));
        assert_eq!(modifier_out(SqlType::INTERVAL.with_typmod(470286337)), " day to second(1)");
    }

    #[test]
    fn wrong_modifiers_are_refused_in_postgresqls_words() {
        for (ty, numbers, message) in [
            (Oid::VARCHAR, &[0][..], "length for type varchar must be at least 1"),
            (Oid::BPCHAR, &[10485761], "length for type char cannot exceed 10485760"),
            (Oid::BIT, &[83886081], "length for type bit cannot exceed 83886080"),
            (Oid::NUMERIC, &[1001, 2], "NUMERIC precision 1001 must be between 1 and 1000"),
            (Oid::NUMERIC, &[5, -1001], "NUMERIC scale -1001 must be between -1000 and 1000"),
            (Oid::NUMERIC, &[5, 2, 3], "invalid NUMERIC type modifier"),
            (Oid::INTERVAL, &[7], "invalid INTERVAL type modifier"),
            (Oid::TEXT, &[3], "type modifier is not allowed for type \"text\""),
        ] {
            assert_eq!(modifier_in(ty, "text", numbers).expect_err(message).message(), message);
        }
        let warning = precision_warning(Oid::TIME, &[7]).expect("seven digits are too many");
        assert_eq!(warning.message(), "TIME(7) precision reduced to maximum allowed, 6");
    }
}
