//! Text output of numerics.

use std::fmt;

use super::{Numeric, Repr};

impl Numeric {
    /// Appends the value as PostgreSQL prints it: every digit of its display scale, never an exponent.
    pub fn print(&self, out: &mut String) {
        match &self.0 {
            Repr::Small { scale, mantissa } => {
                if *mantissa < 0 {
                    out.push('-');
                }
                let mut buffer = itoa::Buffer::new();
                print_digits(buffer.format(mantissa.unsigned_abs()), usize::from(*scale), out);
            }
            Repr::Big(big) => {
                if big.mantissa.sign() == num_bigint::Sign::Minus {
                    out.push('-');
                }
                print_digits(&big.mantissa.magnitude().to_str_radix(10), big.scale as usize, out);
            }
            Repr::NaN => out.push_str("NaN"),
            Repr::PositiveInfinity => out.push_str("Infinity"),
            Repr::NegativeInfinity => out.push_str("-Infinity"),
        }
    }

    /// The value in scientific notation with `significant` digits after the first, as `%e`-like formats (to_char EEEE) need it:
    /// the digits, and the decimal exponent of the first.
    pub fn decimal_digits_and_exponent(&self) -> Option<(String, i64)> {
        let (mantissa, scale) = self.big_parts()?;
        let digits = mantissa.magnitude().to_str_radix(10);
        let exponent = digits.len() as i64 - 1 - i64::from(scale);
        Some((digits, exponent))
    }
}

fn print_digits(digits: &str, scale: usize, out: &mut String) {
    if scale == 0 {
        out.push_str(digits);
    } else if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.push_str(whole);
        out.push('.');
        out.push_str(fraction);
    } else {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', scale - digits.len()));
        out.push_str(digits);
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.print(&mut text);
        f.write_str(&text)
    }
}
